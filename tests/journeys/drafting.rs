//! Orders that staff put together for customers, who pay them; and those that go out for what comes back.

use serde_json::{Value, json};
use waybill_tests::{Answer, PASSWORD, Person, TestShop, address, eventually, key};

const DRAFTS: &str = "/v1/admin/drafts";

/// A new draft for somebody; its path.
async fn begin(staff: &Person, customer: &Person) -> String {
    let begun = staff.post_once(DRAFTS, &key(), json!({ "account_id": customer.id })).await;
    assert_eq!(begun.status, 201, "{}", begun.body);
    begun.header("location").unwrap().to_owned()
}

/// Puts so many of a SKU into a draft; the draft as it is then.
async fn put(staff: &Person, draft: &str, sku: &str, quantity: i64) -> Answer {
    let put = staff.put(&format!("{draft}/lines/{sku}"), json!({ "quantity": quantity })).await;
    assert_eq!(put.status, 200, "{}", put.body);
    put
}

fn body(quote: &str) -> Value {
    json!({ "quote": quote, "shipping_address": address() })
}

async fn place(staff: &Person, draft: &str, key: &str, quote: &str) -> Answer {
    staff.post_once(&format!("{draft}/orders"), key, body(quote)).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_draft_is_for_one_customer_who_is_there_and_begun_once() {
    let shop = TestShop::open().await;
    let (support, other, ann) = (shop.staff("support").await, shop.staff("manager").await, shop.customer().await);
    let once = key();
    let wish = json!({ "email": ann.email, "note": "Called" });
    let begun = support.post_once(DRAFTS, &once, wish.clone()).await;
    assert_eq!(
        (begun.status, begun.text("/account_id"), begun.text("/email")),
        (201, ann.id.clone(), ann.email.clone())
    );
    assert_eq!((begun.text("/by"), begun.text("/note")), (support.id.clone(), "Called".into()));
    assert_eq!((&begun.body["cart"]["lines"], &begun.body["cart"]["quote"]), (&json!([]), &Value::Null));
    let again = support.post_once(DRAFTS, &once, wish.clone()).await;
    assert_eq!((again.status, again.header("idempotent-replayed"), &again.body), (201, Some("true"), &begun.body));
    let by_id = support.post_once(DRAFTS, &once, json!({ "account_id": ann.id, "note": "Called" })).await;
    assert_eq!(by_id.body, begun.body, "the same customer");
    let used = support.post_once(DRAFTS, &once, json!({ "email": ann.email })).await;
    used.assert_problem(422, "invalid");
    assert_eq!(used.fields(), ["Idempotency-Key"]);
    // The key is support's own.
    let second = other.post_once(DRAFTS, &once, wish).await;
    assert_ne!(second.text("/id"), begun.text("/id"));

    let nobody = "acc_00000000000000000000000000";
    for (wrong, field) in [
        (json!({}), "/account_id"),
        (json!({ "account_id": nobody }), "/account_id"),
        (json!({ "account_id": "ann" }), "/account_id"),
        (json!({ "email": "nobody@example.com" }), "/email"),
        (json!({ "email": "nobody" }), "/email"),
        (json!({ "email": ann.email, "account_id": ann.id }), "/email"),
        (json!({ "email": ann.email, "note": " " }), "/note"),
        (json!({ "email": ann.email, "note": "x".repeat(2_001) }), "/note"),
    ] {
        let refused = support.post_once(DRAFTS, &key(), wrong).await;
        refused.assert_problem(422, "invalid");
        assert_eq!(refused.fields(), [field]);
    }
    let newest = support.get(&format!("{DRAFTS}?limit=1")).await;
    let next = newest.text("/next");
    let rest = support.get(&format!("{DRAFTS}?limit=2&cursor={next}")).await;
    assert_eq!((newest.text("/items/0/id"), rest.text("/items/0/id")), (second.text("/id"), begun.text("/id")));
    assert_eq!(rest.body["next"], Value::Null);
    for _ in 0..2 {
        assert_eq!(support.delete(again.header("location").unwrap()).await.status, 204);
    }
    support.get(again.header("location").unwrap()).await.assert_problem(404, "not-found");
    support.get(&format!("{DRAFTS}/{}", ann.id)).await.assert_problem(404, "not-found");
    shop.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn staff_put_an_order_together_and_the_customer_pays_it() {
    let shop = TestShop::open().await;
    let product = shop.product("TEA", 450, 10).await.text("/id");
    let (support, ann) = (shop.staff("support").await, shop.customer().await);
    let own = ann.quote(&[("TEA", 1)]).await;
    let draft = begin(&support, &ann).await;
    let shown = put(&support, &draft, "TEA", 2).await;
    let quote = shown.text("/cart/quote");
    assert_eq!((&shown.body["cart"]["total"]["amount"], shown.text("/account_id")), (&json!(900), ann.id.clone()));
    assert_eq!(shop.available(&product, "TEA").await, 10, "a draft holds nothing");

    // A draft is ordered by its own route only, and nothing else by it.
    let refused = ann.place(&key(), &quote).await;
    refused.assert_problem(422, "invalid");
    assert_eq!(refused.fields(), ["/quote"]);
    let other = begin(&support, &ann).await;
    for (draft, quote) in [(&draft, &own), (&other, &quote)] {
        let refused = place(&support, draft, &key(), quote).await;
        refused.assert_problem(422, "invalid");
        assert_eq!(refused.fields(), ["/quote"]);
    }

    let once = key();
    let placed = place(&support, &draft, &once, &quote).await;
    assert_eq!((placed.status, placed.text("/email")), (201, ann.email.clone()));
    assert_eq!((placed.text("/payment_status"), placed.text("/timeline/0/by")), ("pending".into(), "staff".into()));
    assert_eq!(shop.available(&product, "TEA").await, 8);
    let again = place(&support, &draft, &once, &quote).await;
    assert_eq!((again.status, again.header("idempotent-replayed"), &again.body), (201, Some("true"), &placed.body));
    let mut elsewhere = body(&quote);
    elsewhere["shipping_address"]["city"] = "Shelbyville".into();
    let used = support.post_once(&format!("{draft}/orders"), &once, elsewhere).await;
    used.assert_problem(422, "invalid");
    assert_eq!(used.fields(), ["Idempotency-Key"]);
    place(&support, &draft, &key(), &quote).await.assert_problem(409, "cart-changed");
    support.get(&draft).await.assert_problem(404, "not-found");
    support.put(&format!("{draft}/lines/TEA"), json!({ "quantity": 1 })).await.assert_problem(404, "not-found");

    // It is the customer's as any other, and their own cart is as it was.
    let order = placed.text("/id");
    assert_eq!(ann.get("/v1/orders").await.text("/items/0/id"), order);
    assert_eq!(ann.get("/v1/cart").await.body["lines"][0]["quantity"], 1);
    let mail = eventually("the mail", async || shop.order_mails_to(&ann.email).await.pop()).await;
    assert!(mail["subject"].as_str().unwrap().ends_with("please pay for your order"), "{mail}");
    assert!(mail["text"].as_str().unwrap().contains(&format!("/orders/{order}")), "{mail}");
    let session = ann.post(&format!("/v1/orders/{order}/payment-sessions"), json!({})).await.text("/id");
    shop.stripe(&format!("sessions/{session}/pay"), json!({})).await;
    let path = format!("/v1/orders/{order}");
    eventually("the payment", async || (ann.get(&path).await.text("/payment_status") == "paid").then_some(())).await;

    let quote = put(&support, &other, "TEA", 1).await.text("/cart/quote");
    let second = place(&support, &other, &key(), &quote).await.text("/id");
    assert_eq!(ann.post(&format!("/v1/orders/{second}/cancel"), json!({})).await.status, 200);
    let available = async || (shop.available(&product, "TEA").await == 8).then_some(());
    eventually("what was cancelled", available).await;
    shop.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_draft_is_ordered_as_it_was_quoted_or_not_at_all() {
    let shop = TestShop::open().await;
    let product = shop.product("TEA", 450, 10).await.text("/id");
    let (staff, ann) = (shop.administrator().await, shop.customer().await);
    let draft = begin(staff, &ann).await;
    let quote = put(staff, &draft, "TEA", 2).await.text("/cart/quote");
    staff.patch("/v1/admin/skus/TEA", json!({ "prices": [{ "amount": 460, "currency": "USD" }] })).await;
    let refused = place(staff, &draft, &key(), &quote).await;
    refused.assert_problem(409, "price-changed");
    assert_eq!(refused.fields(), ["/quote/lines/0"]);
    let changed = staff.get(&draft).await;
    assert_eq!(changed.body["cart"]["lines"][0]["added_at_price"]["amount"], 450);
    assert_eq!(changed.body["cart"]["total"]["amount"], 920);

    let more = put(staff, &draft, "TEA", 11).await;
    assert_eq!(more.body["cart"]["lines"][0]["only_available"], 10);
    place(staff, &draft, &key(), &more.text("/cart/quote")).await.assert_problem(409, "out-of-stock");
    place(staff, &draft, &key(), &quote).await.assert_problem(409, "price-changed");

    // Once for each customer, by whatever way.
    let code = json!({ "kind": "code", "code": "ONCE" });
    let effect = json!({ "kind": "percentage", "off": 1000 });
    let promotion = json!({ "title": "Once", "trigger": code, "effect": effect, "limit_per_customer": 1 });
    assert_eq!(staff.post("/v1/admin/promotions", promotion).await.status, 201);
    put(staff, &draft, "TEA", 2).await;
    let reckoned = staff.patch(&draft, json!({ "codes": ["ONCE"] })).await;
    assert_eq!(reckoned.body["cart"]["total"]["amount"], 828);
    ann.patch("/v1/cart", json!({ "codes": ["ONCE"] })).await;
    ann.order(&[("TEA", 1)]).await;
    let refused = place(staff, &draft, &key(), &reckoned.text("/cart/quote")).await;
    refused.assert_problem(409, "promotion-used-up");
    let without = staff.get(&draft).await;
    assert_eq!(without.body["cart"]["total"]["amount"], 920, "{}", without.body);
    staff.delete(&format!("{draft}/lines/TEA")).await;
    assert_eq!(staff.get(&draft).await.body["cart"]["quote"], Value::Null);
    assert_eq!(shop.available(&product, "TEA").await, 9);
    shop.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_ordered_for_a_customer_who_has_left_and_their_drafts_go_with_them() {
    let shop = TestShop::open().await;
    let product = shop.product("TEA", 450, 10).await.text("/id");
    let (support, ann) = (shop.staff("support").await, shop.customer().await);
    let draft = begin(&support, &ann).await;
    let quote = put(&support, &draft, "TEA", 2).await.text("/cart/quote");
    assert_eq!(ann.post("/v1/account/deletion", json!({ "password": PASSWORD })).await.status, 204);
    place(&support, &draft, &key(), &quote).await.assert_problem(409, "customer-left");
    support.get(&draft).await.assert_problem(404, "not-found");
    assert_eq!(support.get(DRAFTS).await.body["items"], json!([]));
    assert_eq!(shop.available(&product, "TEA").await, 10);
    assert!(!shop.items().await.contains(&ann.email));
    shop.stop().await;
}

/// An order of three units that has arrived, and that the buyer wants to send one of back.
async fn returned(shop: &TestShop, buyer: &Person) -> String {
    let staff = shop.administrator().await;
    let order = buyer.order(&[("TEA", 3)]).await.text("/id");
    let (own, admin) = (format!("/v1/orders/{order}"), format!("/v1/admin/orders/{order}"));
    let session = buyer.post(&format!("{own}/payment-sessions"), json!({})).await.text("/id");
    shop.stripe(&format!("sessions/{session}/pay"), json!({})).await;
    eventually("the payment", async || (buyer.get(&own).await.text("/payment_status") == "paid").then_some(())).await;
    for (step, body) in
        [("process", json!({})), ("ship", json!({ "carrier": "UPS", "tracking_number": "1Z" })), ("deliver", json!({}))]
    {
        assert_eq!(staff.post(&format!("{admin}/{step}"), body).await.status, 200);
    }
    let body = json!({ "lines": [{ "sku": "TEA", "quantity": 1 }], "reason": "Too small" });
    assert_eq!(buyer.post_once(&format!("{own}/returns"), &key(), body).await.status, 201);
    order
}

#[tokio::test(flavor = "multi_thread")]
async fn what_comes_back_and_what_goes_out_for_it_say_so_of_each_other() {
    let shop = TestShop::open().await;
    let category = shop.category().await;
    shop.product_in(&category, &[("TEA", 450, 10), ("CUP", 1999, 10)]).await;
    let (support, ann, bob) = (shop.staff("support").await, shop.customer().await, shop.customer().await);
    let old = returned(&shop, &ann).await;
    let exchange = json!({ "order_id": old, "return_number": 1 });
    for (wrong, field) in [
        (json!({ "exchange": exchange, "account_id": bob.id }), "/account_id"),
        (json!({ "exchange": exchange, "email": bob.email }), "/email"),
        (json!({ "exchange": { "order_id": old, "return_number": 2 } }), "/exchange/return_number"),
        (json!({ "exchange": { "order_id": old, "return_number": -1 } }), "/exchange/return_number"),
        (json!({ "exchange": { "order_id": "old", "return_number": 1 } }), "/exchange/order_id"),
        (
            json!({ "exchange": { "order_id": "ord_00000000000000000000000000", "return_number": 1 } }),
            "/exchange/order_id",
        ),
    ] {
        let refused = support.post_once(DRAFTS, &key(), wrong).await;
        refused.assert_problem(422, "invalid");
        assert_eq!(refused.fields(), [field]);
    }
    let mut drafts = Vec::new();
    for body in [json!({ "exchange": exchange }), json!({ "exchange": exchange, "email": ann.email })] {
        let begun = support.post_once(DRAFTS, &key(), body).await;
        assert_eq!((begun.status, begun.text("/account_id")), (201, ann.id.clone()), "{}", begun.body);
        assert_eq!(begun.body["exchange"], exchange);
        let draft = begun.header("location").unwrap().to_owned();
        let quote = put(&support, &draft, "CUP", 1).await.text("/cart/quote");
        drafts.push((draft, quote));
    }
    let once = key();
    let (draft, quote) = &drafts[0];
    let placed = place(&support, draft, &once, quote).await;
    assert_eq!((placed.status, placed.text("/exchange_for/order_id")), (201, old.clone()), "{}", placed.body);
    let (new, number) = (placed.text("/id"), placed.text("/number"));
    let shown = ann.get(&format!("/v1/orders/{old}")).await;
    assert_eq!(shown.body["returns"][0]["exchange_order"], json!({ "id": new, "number": number }));
    let link = json!({ "order_id": old, "number": shown.text("/number"), "return_number": 1 });
    assert_eq!(ann.get(&format!("/v1/orders/{new}")).await.body["exchange_for"], link);
    let last = shown.body["timeline"].as_array().unwrap().last().unwrap().clone();
    assert_eq!((&last["type"], &last["by"]), (&json!("order.exchanged"), &json!("staff")));
    let again = place(&support, draft, &once, quote).await;
    assert_eq!((again.status, again.header("idempotent-replayed"), &again.body), (201, Some("true"), &placed.body));

    // Once, by whichever draft.
    let (draft, quote) = &drafts[1];
    place(&support, draft, &key(), quote).await.assert_problem(409, "order-state");
    support.post_once(DRAFTS, &key(), json!({ "exchange": exchange })).await.assert_problem(409, "order-state");
    assert_eq!(ann.get("/v1/orders").await.body["items"].as_array().unwrap().len(), 2);

    // What came back is refunded as any return, and the new order is paid as any order.
    let staff = shop.administrator().await;
    let received = json!({ "lines": [{ "sku": "TEA", "quantity": 1, "condition": "as_new", "restocked": true }] });
    assert_eq!(staff.post(&format!("/v1/admin/orders/{old}/returns/1/receive"), received).await.status, 200);
    let wanted = json!({ "lines": [{ "sku": "TEA", "quantity": 1 }] });
    let refunded = staff.post_once(&format!("/v1/admin/orders/{old}/refunds"), &key(), wanted).await;
    assert_eq!(
        (refunded.status, &refunded.body["refunds"][0]["amount"]["amount"]),
        (201, &json!(450)),
        "{}",
        refunded.body
    );
    assert_eq!(refunded.body["returns"][0]["exchange_order"]["id"], new);
    let session = ann.post(&format!("/v1/orders/{new}/payment-sessions"), json!({})).await.text("/id");
    shop.stripe(&format!("sessions/{session}/pay"), json!({})).await;
    let path = format!("/v1/orders/{new}");
    eventually("the payment", async || (ann.get(&path).await.text("/payment_status") == "paid").then_some(())).await;
    assert_eq!(ann.get(&path).await.body["total"]["amount"], 1999);
    let mails = shop.order_mails_to(&ann.email).await;
    let asked =
        mails.iter().filter(|mail| mail["subject"].as_str().unwrap().ends_with("please pay for your order")).count();
    assert_eq!(asked, 1);
    shop.stop().await;
}
