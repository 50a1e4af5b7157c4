//! What a cart comes to, with codes, shipping and tax; and that this is what is ordered and charged.

use serde_json::{Value, json};
use waybill_domain::SignedDuration;
use waybill_lambda::clock;
use waybill_tests::{Answer, Person, TestShop, address, eventually, key};
use waybill_web::quote::Seal;

fn usd(amount: i64) -> Value {
    json!({ "amount": amount, "currency": "USD" })
}

/// Sets something up; its id.
async fn set_up(shop: &TestShop, path: &str, body: Value) -> String {
    let made = shop.administrator().await.post(&format!("/v1/admin/{path}"), body).await;
    assert_eq!(made.status, 201, "{}", made.body);
    made.text("/id")
}

async fn code(shop: &TestShop, code: &str, percent: i64, more: Value) -> String {
    let trigger = json!({ "kind": "code", "code": code });
    let mut body =
        json!({ "title": "Sale", "trigger": trigger, "effect": { "kind": "percentage", "off": percent * 100 } });
    body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    set_up(shop, "promotions", body).await
}

async fn method(shop: &TestShop, country: &str, tariff: Value) -> String {
    let body = json!({ "title": "Parcel", "places": [{ "country": country }], "tariff": tariff });
    set_up(shop, "shipping-methods", body).await
}

async fn tax(shop: &TestShop, prices: &str, shipping: Value, zones: Value) {
    let taxes = json!({ "prices": prices, "shipping": shipping, "zones": zones });
    let set = shop.administrator().await.put_version("/v1/admin/taxes", 0, taxes.clone()).await;
    assert_eq!((set.status, &set.body), (200, &taxes));
}

fn to(country: &str) -> Value {
    let mut address = address();
    address["country"] = country.into();
    address
}

async fn place_to(customer: &Person, quote: &str, address: Value) -> Answer {
    customer.place_with(&key(), json!({ "quote": quote, "shipping_address": address })).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_code_shipping_by_weight_and_tax_on_top_are_ordered_charged_and_mailed_to_the_cent() {
    let shop = TestShop::open().await;
    let category = shop.category().await;
    shop.product_in(&category, &[("TEA", 333, 10), ("CUP", 1999, 10)]).await;
    for (sku, weight) in [("TEA", 400), ("CUP", 300)] {
        let path = format!("/v1/admin/skus/{sku}");
        assert_eq!(shop.administrator().await.patch(&path, json!({ "weight": weight })).await.status, 200);
    }
    code(&shop, "SUMMER-10", 10, json!({ "limit": 1 })).await;
    let bands = json!([{ "up_to_grams": 500, "price": usd(490) }, { "up_to_grams": 2000, "price": usd(990) }]);
    let parcel = method(&shop, "US", json!({ "by": "weight", "bands": bands })).await;
    let taxed = json!({ "kind": "taxed", "class": "standard" });
    tax(&shop, "exclude_tax", taxed, json!([{ "place": { "country": "US" }, "rates": { "standard": 825 } }])).await;

    let customer = shop.customer().await;
    customer.put_line("TEA", 3).await;
    let cart = customer.put_line("CUP", 1).await;
    assert_eq!((&cart.body["missing"], &cart.body["quote"]), (&json!(["destination"]), &Value::Null));
    assert_eq!(cart.body["total"], usd(2998), "as far as it is known");
    let cart = customer.patch("/v1/cart", json!({ "destination": { "country": "US" } })).await;
    let offers =
        json!([{ "method_id": parcel, "title": "Parcel", "price": usd(990), "charge": usd(990), "total": usd(4317) }]);
    assert_eq!((&cart.body["shipping_offers"], &cart.body["missing"]), (&offers, &json!(["shipping_method"])));
    let chosen = json!({ "shipping_method_id": parcel, "codes": ["summer-10", "NOBODYS"] });
    let cart = customer.patch("/v1/cart", chosen).await;
    // 10 % of 29.98 is 3.00; 8.99 and 17.99 are left, and 8.25 % of each and of 9.90 are 0.74, 1.48 and 0.82.
    let totals = &cart.body["totals"];
    assert_eq!(
        (&totals["subtotal"], &totals["discounts"]["amount"], &totals["shipping"]["charge"], &totals["tax"]["amount"]),
        (&usd(2998), &usd(300), &usd(990), &usd(304))
    );
    assert_eq!((&totals["total"], &cart.body["total"]), (&usd(3992), &usd(3992)));
    assert_eq!(totals["discounts"]["refused"], json!([{ "code": "NOBODYS", "refusal": { "reason": "unknown" } }]));

    let order = place_to(&customer, &cart.text("/quote"), to("US")).await;
    assert_eq!((order.status, &order.body["total"]), (201, &usd(3992)), "{}", order.body);
    assert_eq!(&order.body["totals"], totals, "as it was shown");
    let id = order.text("/id");
    let session = customer.post(&format!("/v1/orders/{id}/payment-sessions"), json!({})).await;
    assert_eq!(session.status, 201, "{}", session.body);
    let page = shop.http().get(session.text("/url")).send().await.unwrap().text().await.unwrap();
    for listed in ["3 x A product, variant TEA", "8.99", "17.99", "Shipping: Parcel", "9.90", "3.04", "39.92"] {
        assert!(page.contains(listed), "{listed} is not on {page}");
    }
    shop.stripe(&format!("sessions/{}/pay", session.text("/id")), json!({})).await;
    let mail = eventually("a confirmation", async || shop.order_mails_to(&customer.email).await.pop()).await;
    for told in ["Subtotal: $29.98", "Shipping: $9.90", "Discount: -$3.00", "Tax: $3.04", "Total: $39.92"] {
        assert!(mail["text"].as_str().unwrap().contains(told), "{told} is not in {mail}");
    }
    shop.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn prices_that_include_tax_are_the_total_and_shipping_by_value_looks_at_what_is_left() {
    let shop = TestShop::open().await;
    shop.product("CUP", 1999, 10).await;
    let bands = json!([{ "from": usd(0), "price": usd(490) }, { "from": usd(5000), "price": usd(0) }]);
    let parcel = method(&shop, "DE", json!({ "by": "value", "bands": bands })).await;
    let zones = json!([{ "place": { "country": "DE" }, "rates": { "standard": 1900 } }]);
    tax(&shop, "include_tax", json!({ "kind": "untaxed" }), zones).await;
    code(&shop, "TWENTY", 20, json!({})).await;
    let customer = shop.customer().await;
    let wishes = json!({ "destination": { "country": "DE" }, "shipping_method_id": parcel });
    assert_eq!(customer.patch("/v1/cart", wishes).await.status, 200, "also before anything is in it");
    let cart = customer.put_line("CUP", 2).await;
    let (total, tax) = (&cart.body["total"], &cart.body["totals"]["tax"]["amount"]);
    assert_eq!((total, tax), (&usd(2 * 1999 + 490), &usd(638)));
    let cart = customer.put_line("CUP", 3).await;
    assert_eq!(cart.body["total"], usd(3 * 1999), "free from 50.00 on");
    // The code brings the goods below the edge: 47.98 and shipping are less than 59.97 all the same.
    let cart = customer.patch("/v1/cart", json!({ "codes": ["TWENTY"] })).await;
    assert_eq!(cart.body["total"], usd(5997 - 1199 + 490));
    let order = place_to(&customer, &cart.text("/quote"), to("DE")).await;
    assert_eq!((order.status, &order.body["total"]), (201, &usd(5288)));
    shop.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_order_goes_where_its_tax_was_quoted_for() {
    let shop = TestShop::open().await;
    shop.product("TEA", 1000, 10).await;
    let zone = |place: Value, rate: i64| json!({ "place": place, "rates": { "standard": rate } });
    let california = json!({ "country": "US", "region": "CA" });
    let zones = json!([zone(json!({ "country": "US" }), 500), zone(california.clone(), 800)]);
    tax(&shop, "exclude_tax", json!({ "kind": "untaxed" }), zones).await;
    let customer = shop.customer().await;
    customer.put_line("TEA", 1).await;
    let cart = customer.patch("/v1/cart", json!({ "destination": { "country": "US" } })).await;
    assert_eq!((&cart.body["missing"], &cart.body["quote"]), (&json!(["region"]), &Value::Null));
    let cart = customer.patch("/v1/cart", json!({ "destination": california })).await;
    assert_eq!((&cart.body["missing"], &cart.body["total"]), (&json!([]), &usd(1080)));
    let quote = cart.text("/quote");
    let elsewhere = place_to(&customer, &quote, to("DE")).await;
    elsewhere.assert_problem(422, "invalid");
    assert_eq!(elsewhere.fields(), ["/shipping_address/country"]);
    let mut address = to("US");
    for region in [Value::Null, json!("NV")] {
        address["region"] = region;
        let elsewhere = place_to(&customer, &quote, address.clone()).await;
        assert_eq!((elsewhere.status, elsewhere.fields()), (422, vec!["/shipping_address/region".to_owned()]));
    }
    address["region"] = "ca".into();
    assert_eq!(place_to(&customer, &quote, address).await.status, 201);
    shop.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn of_two_orders_with_the_last_use_of_a_code_one_has_it() {
    let shop = TestShop::open().await;
    let product = shop.product("TEA", 1000, 10).await.text("/id");
    let id = code(&shop, "LAST-ONE", 50, json!({ "limit": 1, "limit_per_customer": 1 })).await;
    let (ann, bob) = (shop.customer().await, shop.customer().await);
    let mut quotes = Vec::new();
    for person in [&ann, &bob] {
        person.patch("/v1/cart", json!({ "codes": ["LAST-ONE"] })).await;
        quotes.push(person.quote(&[("TEA", 1)]).await);
    }
    let (ann_key, bob_key) = (key(), key());
    let (one, other) = tokio::join!(ann.place(&ann_key, &quotes[0]), bob.place(&bob_key, &quotes[1]));
    let (won, lost, loser) = if one.status == 201 { (one, other, &bob) } else { (other, one, &ann) };
    assert_eq!((won.status, &won.body["total"]), (201, &usd(500)), "{}", won.body);
    lost.assert_problem(409, "promotion-used-up");
    assert_eq!(lost.text("/errors/0/detail"), "LAST-ONE has been used as often as it may be");
    assert_eq!(shop.available(&product, "TEA").await, 9);
    let cart = loser.get("/v1/cart").await;
    let refused = json!([{ "code": "LAST-ONE", "refusal": { "reason": "used_up" } }]);
    assert_eq!((&cart.body["totals"]["discounts"]["refused"], &cart.body["total"]), (&refused, &usd(1000)));
    assert_eq!(loser.place(&key(), &cart.text("/quote")).await.status, 201, "at the full price");
    // The winner's second order with the same key is the first.
    let (winner, key) = if loser.id == bob.id { (&ann, &ann_key) } else { (&bob, &bob_key) };
    let quote = if loser.id == bob.id { &quotes[0] } else { &quotes[1] };
    let again = winner.place(key, quote).await;
    assert_eq!((again.status, again.header("idempotent-replayed")), (201, Some("true")));
    // What is deleted or changed after a quote is honoured.
    let other = code(&shop, "SHORT", 30, json!({})).await;
    ann.patch("/v1/cart", json!({ "codes": ["SHORT"] })).await;
    let quote = ann.quote(&[("TEA", 1)]).await;
    for id in [&id, &other] {
        assert_eq!(shop.administrator().await.delete(&format!("/v1/admin/promotions/{id}")).await.status, 204);
    }
    assert_eq!(ann.place(&waybill_tests::key(), &quote).await.body["total"], usd(700));
    shop.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_quote_is_honoured_until_it_expires_and_what_was_placed_with_it_stays_placed() {
    let shop = TestShop::open().await;
    shop.product("TEA", 1000, 10).await;
    let seal = Seal::new(&shop.secret("QuoteKey").await);
    let customer = shop.customer().await;
    let ending = clock::now() + SignedDuration::from_mins(5);
    code(&shop, "SHORT", 30, json!({ "until": ending.to_string() })).await;
    let mut quote = seal.open(&customer.quote(&[("TEA", 1)]).await).unwrap();
    let left = quote.expires_at.duration_since(clock::now());
    assert!(left > SignedDuration::from_mins(14) && left <= SignedDuration::from_mins(15), "{left}");
    let cart = customer.patch("/v1/cart", json!({ "codes": ["SHORT"] })).await;
    assert_eq!(seal.open(&cart.text("/quote")).unwrap().expires_at, ending, "not beyond the end of a promotion");

    let cart = customer.patch("/v1/cart", json!({ "codes": null })).await;
    assert_eq!(cart.body["codes"], json!([]));
    quote.cart_version = seal.open(&cart.text("/quote")).unwrap().cart_version;
    quote.expires_at = clock::now();
    let late = customer.place(&key(), &seal.close(&quote).unwrap()).await;
    late.assert_problem(409, "quote-expired");
    quote.expires_at = clock::now() + SignedDuration::from_secs(3);
    let (sealed, key) = (seal.close(&quote).unwrap(), key());
    let placed = customer.place(&key, &sealed).await;
    assert_eq!(placed.status, 201, "{}", placed.body);
    tokio::time::sleep(std::time::Duration::from_secs(4)).await;
    let again = customer.place(&key, &sealed).await;
    assert_eq!((again.status, again.header("idempotent-replayed")), (201, Some("true")), "{}", again.body);
    assert_eq!(again.body["id"], placed.body["id"]);
    let other = customer.place_with(&key, json!({ "quote": sealed, "shipping_address": to("DE") })).await;
    assert_eq!(other.fields(), ["Idempotency-Key"]);
    customer.place(&waybill_tests::key(), &sealed).await.assert_problem(409, "quote-expired");
    shop.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_order_that_comes_to_nothing_is_paid_as_it_is_placed() {
    let shop = TestShop::open().await;
    shop.product("TEA", 1000, 10).await;
    code(&shop, "GIFT", 100, json!({})).await;
    let customer = shop.customer().await;
    customer.patch("/v1/cart", json!({ "codes": ["GIFT"] })).await;
    let order = customer.order(&[("TEA", 2)]).await;
    assert_eq!((&order.body["total"], &order.body["payment_status"]), (&usd(0), &json!("paid")));
    let id = order.text("/id");
    let paying = customer.post(&format!("/v1/orders/{id}/payment-sessions"), json!({})).await;
    paying.assert_problem(409, "order-state");
    let mail = eventually("a confirmation", async || shop.order_mails_to(&customer.email).await.pop()).await;
    assert!(mail["text"].as_str().unwrap().contains("There is nothing to pay."), "{mail}");
    let staff = shop.administrator().await;
    assert_eq!(staff.post(&format!("/v1/admin/orders/{id}/process"), json!({})).await.status, 200);
    let sold = eventually("the sale", async || {
        let movement = staff.get("/v1/admin/skus/TEA/stock-movements").await.body["items"][0].clone();
        (movement["kind"] == "sold").then_some(movement)
    })
    .await;
    assert_eq!((&sold["units"], &sold["by"]), (&json!(-2), &json!("customer")));
    shop.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_guest_sees_what_a_customer_sees_and_takes_it_along() {
    let shop = TestShop::open().await;
    shop.product("TEA", 1000, 10).await;
    code(&shop, "TENTH", 10, json!({ "limit_per_customer": 1 })).await;
    let bands = json!([{ "up_to_grams": 500, "price": usd(490) }]);
    let parcel = method(&shop, "US", json!({ "by": "weight", "bands": bands })).await;
    let anyone = shop.anyone();
    let token = anyone.post("/v1/guest-carts", json!({})).await.text("/cart_token");
    let ask = async |method: reqwest::Method, path: &str, body: Value| {
        let request = anyone.request(method.clone(), path).header("cart-token", &token).json(&body);
        let answer = Answer::of(request.send().await.unwrap()).await;
        waybill_tests::assert_documented(method.as_str(), path, &answer);
        answer
    };
    let wishes = json!({ "codes": ["TENTH"], "destination": { "country": "US" }, "shipping_method_id": parcel });
    assert_eq!(ask(reqwest::Method::PATCH, "/v1/guest-cart", wishes).await.status, 200);
    let cart = ask(reqwest::Method::PUT, "/v1/guest-cart/lines/TEA", json!({ "quantity": 1 })).await;
    assert_eq!((&cart.body["total"], &cart.body["missing"]), (&usd(1390), &json!([])));
    assert_eq!((&cart.body["quote"], cart.body["shipping_offers"].as_array().unwrap().len()), (&Value::Null, 1));
    let customer = shop.customer().await;
    let cart = customer.post("/v1/cart/merge", json!({ "cart_token": token })).await;
    assert_eq!((&cart.body["total"], &cart.body["codes"]), (&usd(1390), &json!(["TENTH"])));
    assert_eq!(place_to(&customer, &cart.text("/quote"), to("US")).await.status, 201);
    shop.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn staff_keep_promotions_methods_and_taxes_by_version() {
    let shop = TestShop::open().await;
    let staff = shop.staff("manager").await;
    let effect = json!({ "kind": "buy_x_get_y", "buy": 2, "get": 1, "off": 10_000 });
    let scope = json!({ "kind": "skus", "skus": ["TEA"] });
    let promotion =
        json!({ "title": "3 for 2", "effect": effect, "scope": scope, "stacking": "alone", "minimum": usd(100) });
    let made = staff.post("/v1/admin/promotions", promotion.clone()).await;
    assert_eq!((made.status, made.header("etag")), (201, Some("\"1\"")), "{}", made.body);
    let path = made.header("location").unwrap().to_owned();
    assert_eq!(made.body["trigger"], json!({ "kind": "automatic" }));
    assert_eq!(staff.get("/v1/admin/promotions").await.body["items"], json!([made.body]));
    let mut other = promotion.clone();
    other["title"] = "Three for two".into();
    let changed = staff.put_version(&path, 1, other).await;
    assert_eq!((changed.status, changed.header("etag")), (200, Some("\"2\"")));
    staff.put_version(&path, 1, promotion.clone()).await.assert_problem(412, "outdated");
    let read = staff.get(&path).await;
    assert_eq!((read.header("etag"), &read.body), (Some("\"2\""), &changed.body));
    assert_eq!(staff.delete(&path).await.status, 204);
    staff.delete(&path).await.assert_problem(404, "not-found");
    staff.get(&path).await.assert_problem(404, "not-found");
    staff.put_version(&path, 2, promotion).await.assert_problem(404, "not-found");

    let tariff = json!({ "by": "value", "bands": [{ "from": usd(0), "price": usd(0) }] });
    let parcel = json!({ "title": "Parcel", "places": [{ "country": "US", "region": "IL" }], "tariff": tariff });
    let made = staff.post("/v1/admin/shipping-methods", parcel.clone()).await;
    let path = made.header("location").unwrap().to_owned();
    assert_eq!(staff.get(&path).await.body, made.body);
    assert_eq!(staff.get("/v1/admin/shipping-methods").await.body["items"], json!([made.body]));
    assert_eq!(staff.put_version(&path, 1, parcel).await.header("etag"), Some("\"2\""));
    assert_eq!(staff.delete(&path).await.status, 204);

    let taxes = staff.get("/v1/admin/taxes").await;
    assert_eq!(taxes.header("etag"), Some("\"0\""));
    staff.put_version("/v1/admin/taxes", 7, taxes.body.clone()).await.assert_problem(412, "outdated");
    for _ in 0..2 {
        let set = staff.put_version("/v1/admin/taxes", 0, taxes.body.clone()).await;
        assert_eq!(set.header("etag"), Some("\"1\""), "the very same again changes nothing: {}", set.body);
    }
    let mut other = taxes.body;
    other["prices"] = "exclude_tax".into();
    staff.put_version("/v1/admin/taxes", 0, other).await.assert_problem(412, "outdated");
    shop.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_wrong_with_a_setting_or_a_wish_is_named() {
    let shop = TestShop::open().await;
    let staff = shop.administrator().await;
    let fixed = |amount: Value| json!({ "kind": "fixed", "off": amount });
    for (fields, wrong) in [
        (vec!["/effect/kind"], json!({ "effect": { "kind": "x" } })),
        (vec!["/effect/off"], json!({ "effect": { "kind": "percentage", "off": 10_001 } })),
        (vec!["/effect/off"], json!({ "effect": { "kind": "percentage", "off": usd(1) } })),
        (vec!["/effect/off"], json!({ "effect": fixed(json!(5)) })),
        (vec!["/effect/off"], json!({ "effect": fixed(json!([5, "USD"])) })),
        (vec!["/effect/off/amount"], json!({ "effect": fixed(usd(0)) })),
        (vec!["/effect/off/currency"], json!({ "effect": fixed(json!({ "amount": 1, "currency": "usd" })) })),
        (vec!["/effect/buy", "/effect/off"], json!({ "effect": { "kind": "free_shipping", "buy": 1, "off": 1 } })),
        (vec!["/effect/get"], json!({ "effect": { "kind": "buy_x_get_y", "buy": 1, "off": 1 } })),
        (vec!["/trigger/code"], json!({ "trigger": { "kind": "code" } })),
        (vec!["/trigger/code"], json!({ "trigger": { "kind": "code", "code": "é" } })),
        (vec!["/trigger/code"], json!({ "trigger": { "kind": "automatic", "code": "TEN" } })),
        (vec!["/scope/skus"], json!({ "scope": { "kind": "skus" } })),
        (vec!["/scope/skus"], json!({ "scope": { "kind": "skus", "skus": [] } })),
        (vec!["/scope/skus/0"], json!({ "scope": { "kind": "skus", "skus": ["tea"] } })),
        (vec!["/scope/skus"], json!({ "scope": { "kind": "skus", "skus": vec!["TEA"; 101] } })),
        (vec!["/minimum/amount"], json!({ "minimum": usd(-1) })),
        (vec!["/minimum/currency"], json!({ "effect": fixed(usd(1)), "minimum": { "amount": 1, "currency": "EUR" } })),
        (vec!["/from"], json!({ "from": "tomorrow" })),
        (vec!["/until"], json!({ "from": "2026-12-01T00:00:00Z", "until": "2026-12-01T00:00:00Z" })),
        (vec!["/stacking"], json!({ "stacking": "never" })),
        (vec!["/limit", "/limit_per_customer"], json!({ "limit": 0, "limit_per_customer": 1_000_000_001 })),
    ] {
        let mut body = json!({ "title": "Sale", "effect": { "kind": "free_shipping" } });
        body.as_object_mut().unwrap().extend(wrong.as_object().unwrap().clone());
        let refused = staff.post("/v1/admin/promotions", body).await;
        assert_eq!(
            (refused.status, refused.fields()),
            (422, fields.iter().map(|f| f.to_string()).collect()),
            "{wrong}"
        );
    }
    let by = |by: &str, band: Value| json!({ "tariff": { "by": by, "bands": [band] } });
    let twice = |by: &str, band: Value| json!({ "tariff": { "by": by, "bands": [band, band] } });
    for (fields, wrong) in [
        (vec!["/places"], json!({ "places": [] })),
        (vec!["/places/0/country"], json!({ "places": [{ "country": "usa" }] })),
        (vec!["/tariff/by"], by("distance", json!({ "price": usd(1) }))),
        (vec!["/tariff/bands"], json!({ "tariff": { "by": "weight", "bands": [] } })),
        (vec!["/tariff/bands/0/up_to_grams"], by("weight", json!({ "price": usd(1) }))),
        (vec!["/tariff/bands/0/up_to_grams"], by("weight", json!({ "up_to_grams": 0, "price": usd(1) }))),
        (vec!["/tariff/bands/1/up_to_grams"], twice("weight", json!({ "up_to_grams": 1, "price": usd(1) }))),
        (vec!["/tariff/bands/1/from"], twice("value", json!({ "from": usd(0), "price": usd(1) }))),
        (vec!["/tariff/bands/0/from"], by("value", json!({ "price": usd(1) }))),
        (vec!["/tariff/bands/0/price/amount"], by("value", json!({ "from": usd(0), "price": usd(100_000_001) }))),
        (vec!["/tariff/bands"], by("value", json!({ "from": usd(0), "price": { "amount": 1, "currency": "EUR" } }))),
    ] {
        let tariff = json!({ "by": "weight", "bands": [{ "up_to_grams": 1, "price": usd(0) }] });
        let mut body = json!({ "title": "Parcel", "places": [{ "country": "US" }], "tariff": tariff });
        body.as_object_mut().unwrap().extend(wrong.as_object().unwrap().clone());
        let refused = staff.post("/v1/admin/shipping-methods", body).await;
        assert_eq!(
            (refused.status, refused.fields()),
            (422, fields.iter().map(|f| f.to_string()).collect()),
            "{wrong}"
        );
    }
    let zone = |rates: Value| json!({ "zones": [{ "place": { "country": "US" }, "rates": rates }] });
    let classes: serde_json::Map<String, Value> = (0..11).map(|class| (format!("c{class}"), json!(1))).collect();
    for (field, wrong) in [
        ("/prices", json!({ "prices": "free" })),
        ("/shipping/class", json!({ "shipping": { "kind": "taxed" } })),
        ("/zones/0/rates/standard", zone(json!({ "standard": 10_001 }))),
        ("/zones/0/rates/A~1B", zone(json!({ "A/B": 1 }))),
        ("/zones/0/rates", zone(Value::Object(classes))),
    ] {
        let mut body = json!({ "prices": "include_tax", "shipping": { "kind": "untaxed" }, "zones": [] });
        body.as_object_mut().unwrap().extend(wrong.as_object().unwrap().clone());
        let refused = staff.put_version("/v1/admin/taxes", 0, body).await;
        assert_eq!((refused.status, refused.fields()), (422, vec![field.to_owned()]), "{wrong}");
    }
    let customer = shop.customer().await;
    for (field, wrong) in [
        ("/codes", json!({ "codes": vec!["TEN"; 11] })),
        ("/codes/1", json!({ "codes": ["TEN", "?"] })),
        ("/destination/country", json!({ "destination": { "country": "" } })),
        ("/destination/region", json!({ "destination": { "country": "US", "region": " " } })),
        ("/destination", json!({ "destination": "US" })),
        ("/shipping_method_id", json!({ "shipping_method_id": "x" })),
        ("/shipping_method_id", json!({ "shipping_method_id": "shm_00000000000000000000000000" })),
    ] {
        let refused = customer.patch("/v1/cart", wrong.clone()).await;
        assert_eq!((refused.status, refused.fields()), (422, vec![field.to_owned()]), "{wrong}");
    }
    let most: Vec<_> = (0..10).map(|number| format!("CODE-{number}")).collect();
    assert_eq!(customer.patch("/v1/cart", json!({ "codes": most })).await.body["codes"], json!(most));
    assert_eq!(customer.patch("/v1/cart", json!({ "codes": ["TEN", "ten"] })).await.body["codes"], json!(["TEN"]));
    shop.stop().await;
}
