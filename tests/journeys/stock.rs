//! Stock, from the delivery to the shelf's last unit: what staff write, what customers see, and who is told.

use serde_json::{Value, json};
use waybill_tests::{Answer, PASSWORD, Person, Socket, TestShop, eventually, key};

const STAFF_MAIL: &str = "stock@example.com";

async fn open() -> TestShop {
    TestShop::open_with(|options| drop(options.parameters.insert("StockMail".into(), STAFF_MAIL.into()))).await
}

async fn moves(staff: &Person, sku: &str, key: &str, body: Value) -> Answer {
    staff.post_once(&format!("/v1/admin/skus/{sku}/stock-movements"), key, body).await
}

async fn receive(staff: &Person, sku: &str, units: i64) {
    let body = json!({ "kind": "received", "units": units, "reason": "Delivery" });
    let answer = moves(staff, sku, &key(), body).await;
    assert_eq!(answer.status, 201, "{}", answer.body);
}

/// On hand, reserved, available.
async fn levels(staff: &Person, sku: &str) -> [Value; 3] {
    let stock = staff.get(&format!("/v1/admin/skus/{sku}/stock")).await;
    assert_eq!(stock.status, 200, "{}", stock.body);
    ["on_hand", "reserved", "available"].map(|name| stock.body[name].clone())
}

async fn sell_as(staff: &Person, sku: &str, change: Value) -> Answer {
    staff.patch(&format!("/v1/admin/skus/{sku}/stock"), change).await
}

async fn audit(shop: &TestShop) -> Value {
    shop.invoke("StockFunction", json!({ "check_stock": {} })).await
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_delivered_ordered_and_paid_is_in_the_ledger_and_adds_up() {
    let shop = open().await;
    let product = shop.product("TEA", 450, 3).await.text("/id");
    let staff = shop.administrator().await;
    let depot = staff.post("/v1/admin/locations", json!({ "name": "Depot" })).await;
    assert_eq!(depot.status, 201, "{}", depot.body);
    let depot = depot.text("/id");
    staff.post("/v1/admin/locations", json!({ "name": "Depot" })).await.assert_problem(409, "taken");
    let renamed = staff.patch(&format!("/v1/admin/locations/{depot}"), json!({ "name": "Warehouse" })).await;
    assert_eq!((renamed.status, renamed.text("/name")), (200, "Warehouse".into()));
    assert_eq!(staff.get("/v1/admin/locations").await.body["items"][1]["name"], "Warehouse");

    let delivery = json!({ "kind": "received", "location_id": depot, "units": 4, "reason": "Delivery 1" });
    let first = moves(staff, "TEA", "delivery-1", delivery.clone()).await;
    let again = moves(staff, "TEA", "delivery-1", delivery.clone()).await;
    assert_eq!((first.status, again.status, &first.body), (201, 201, &again.body));
    assert_eq!((first.header("idempotent-replayed"), again.header("idempotent-replayed")), (None, Some("true")));
    let mut other = delivery.clone();
    for (field, value) in [("units", json!(5)), ("reason", json!("other")), ("kind", json!("returned"))] {
        other[field] = value;
        moves(staff, "TEA", "delivery-1", other.clone()).await.assert_problem(422, "invalid");
        other = delivery.clone();
    }
    assert_eq!(levels(staff, "TEA").await, [json!(7), json!(0), json!(7)]);

    let (customer, order, session) = shop.order_to_pay("TEA").await;
    assert_eq!(levels(staff, "TEA").await, [json!(7), json!(1), json!(6)]);
    shop.stripe(&format!("sessions/{session}/pay"), json!({})).await;
    eventually("the sale", async || (levels(staff, "TEA").await[0] == 6).then_some(())).await;
    assert_eq!(levels(staff, "TEA").await, [json!(6), json!(0), json!(6)]);
    let broken = json!({ "kind": "corrected", "units": -4, "reason": "Broken" });
    moves(staff, "TEA", &key(), broken).await.assert_problem(409, "not-enough-stock");
    let broken = json!({ "kind": "corrected", "location_id": depot, "units": -1, "reason": "Broken" });
    assert_eq!(moves(staff, "TEA", &key(), broken).await.status, 201);
    assert_eq!(shop.available(&product, "TEA").await, 5);

    let ledger = staff.get("/v1/admin/skus/TEA/stock-movements?limit=3").await;
    let line = |line: &Value| (line["kind"].clone(), line["units"].clone(), line["by"].clone());
    let lines: Vec<_> = ledger.body["items"].as_array().unwrap().iter().map(line).collect();
    let expected = [("corrected", -1, "staff"), ("sold", -1, "stripe"), ("received", 4, "staff")];
    assert_eq!(lines, expected.map(|(kind, units, by)| (json!(kind), json!(units), json!(by))));
    assert_eq!(ledger.body["items"][1]["order_id"], order);
    let next = ledger.text("/next");
    let rest = staff.get(&format!("/v1/admin/skus/TEA/stock-movements?limit=3&cursor={next}")).await;
    assert_eq!((rest.body["items"].as_array().unwrap().len(), &rest.body["next"]), (1, &Value::Null));
    let found = audit(&shop).await;
    assert_eq!((&found["skus"], &found["findings"], &found["next"]), (&json!(1), &json!([]), &Value::Null));
    customer.get("/v1/admin/skus/TEA/stock").await.assert_problem(403, "forbidden");
    shop.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_unpaid_order_is_cancelled_and_what_it_held_can_be_ordered_again() {
    let shop = open().await;
    shop.product("TEA", 450, 3).await;
    let (staff, ann) = (shop.administrator().await, shop.customer().await);
    let mut socket = Socket::open(&shop, &ann).await;
    let order = ann.order(&[("TEA", 3)]).await.text("/id");
    let cancel = format!("/v1/orders/{order}/cancel");
    shop.customer().await.post(&cancel, json!({})).await.assert_problem(404, "not-found");
    let cancelled = ann.post(&cancel, json!({})).await;
    assert_eq!((cancelled.status, cancelled.text("/fulfilment_status")), (200, "cancelled".into()));
    ann.post(&cancel, json!({})).await.assert_problem(409, "order-state");
    ann.post(&format!("/v1/orders/{order}/payment-sessions"), json!({})).await.assert_problem(409, "order-state");
    assert_eq!(socket.until("order.cancelled").await["fulfilment_status"], "cancelled");
    let free = [json!(3), json!(0), json!(3)];
    eventually("the release", async || (levels(staff, "TEA").await == free).then_some(())).await;
    let released = staff.get("/v1/admin/skus/TEA/stock-movements").await.body["items"][0].clone();
    assert_eq!(
        (&released["kind"], &released["by"], &released["places"]),
        (&json!("released"), &json!("customer"), &json!([]))
    );
    let mails = async || shop.order_mails_to(&ann.email).await.pop();
    assert!(eventually("the mail", mails).await["subject"].to_string().contains("was cancelled"));

    let second = ann.order(&[("TEA", 1)]).await.text("/id");
    let cancel = format!("/v1/admin/orders/{second}/cancel");
    ann.post(&cancel, json!({})).await.assert_problem(403, "forbidden");
    assert_eq!(staff.post(&cancel, json!({ "reason": "Out of stock after all" })).await.status, 200);
    eventually("the second release", async || (levels(staff, "TEA").await == free).then_some(())).await;
    let released = staff.get("/v1/admin/skus/TEA/stock-movements").await.body["items"][0].clone();
    assert_eq!(released["by"], "staff");
    assert_eq!(staff.get("/v1/admin/orders?status=cancelled").await.body["items"].as_array().unwrap().len(), 2);

    // A page that is open is closed with it; what was paid on one goes back.
    let (buyer, open, session) = shop.order_to_pay("TEA").await;
    assert_eq!(buyer.post(&format!("/v1/orders/{open}/cancel"), json!({})).await.status, 200);
    assert_eq!(shop.stripe(&format!("sessions/{session}/pay"), json!({})).await.status, 409);
    let (buyer, paid, session) = shop.order_to_pay("TEA").await;
    shop.stripe("faults", json!({ "hold": true })).await;
    assert_eq!(shop.stripe(&format!("sessions/{session}/pay"), json!({})).await.status, 200);
    assert_eq!(buyer.post(&format!("/v1/orders/{paid}/cancel"), json!({})).await.status, 200);
    let refunded =
        async || (buyer.get(&format!("/v1/orders/{paid}")).await.text("/payment_status") == "refunded").then_some(());
    shop.stripe("faults", json!({ "hold": false })).await;
    eventually("the refund", refunded).await;
    eventually("the third release", async || (levels(staff, "TEA").await == free).then_some(())).await;
    assert_eq!(audit(&shop).await["findings"], json!([]));
    shop.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_still_to_come_can_be_ordered_where_staff_say_so_and_searches_find_it() {
    let shop = open().await;
    let product = shop.product("TEA", 450, 0).await.text("/id");
    let (staff, customer) = (shop.administrator().await, shop.customer().await);
    let path = format!("/v1/products/{product}");
    let sku = async || shop.anyone().get(&path).await.body["skus"][0].clone();
    let found = async |count: u64| {
        let look =
            async || (shop.anyone().get("/v1/products?in_stock=true").await.body["total"] == count).then_some(());
        eventually(&format!("{count} products in stock"), look).await;
    };
    assert_eq!((&sku().await["availability"], &sku().await["available"]), (&json!("sold_out"), &json!(0)));
    found(0).await;
    let preorder = json!({ "kind": "preorder", "up_to": 2, "ships_from": "2027-03-01" });
    let sold = sell_as(staff, "TEA", json!({ "selling": preorder })).await;
    assert_eq!((sold.status, &sold.body["selling"]), (200, &preorder), "{}", sold.body);
    let shown = sku().await;
    assert_eq!(
        (&shown["availability"], &shown["available"], &shown["ships_from"]),
        (&json!("preorder"), &json!(2), &json!("2027-03-01"))
    );
    found(1).await;
    let cart = customer.put_line("TEA", 3).await;
    assert_eq!(cart.body["lines"][0]["only_available"], 2);
    assert_eq!(customer.order(&[("TEA", 2)]).await.status, 201);
    found(0).await;
    assert_eq!(levels(staff, "TEA").await, [json!(0), json!(2), json!(0)]);
    sell_as(staff, "TEA", json!({ "selling": { "kind": "stock" } })).await.assert_problem(409, "not-enough-stock");
    let backorder = json!({ "selling": { "kind": "backorder", "up_to": 5 } });
    assert_eq!(sell_as(staff, "TEA", backorder).await.status, 200);
    assert_eq!(sku().await["availability"], "backorder");
    assert_eq!(
        sell_as(staff, "TEA", json!({ "selling": { "kind": "untracked" } })).await.body["available"],
        Value::Null
    );
    let shown = sku().await;
    assert_eq!((&shown["availability"], &shown["available"]), (&json!("in_stock"), &Value::Null));
    assert_eq!(customer.order(&[("TEA", 1000)]).await.status, 201);
    assert_eq!(audit(&shop).await["findings"], json!([]));
    shop.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_held_for_somebody_who_deletes_their_account_can_be_ordered_again() {
    let shop = open().await;
    shop.product("TEA", 450, 3).await;
    let (staff, ann) = (shop.administrator().await, shop.customer().await);
    let order = ann.order(&[("TEA", 3)]).await.text("/id");
    assert_eq!(ann.post("/v1/account/deletion", json!({ "password": PASSWORD })).await.status, 204);
    let free = [json!(3), json!(0), json!(3)];
    eventually("the release", async || (levels(staff, "TEA").await == free).then_some(())).await;
    assert_eq!(staff.get(&format!("/v1/orders/{order}")).await.text("/fulfilment_status"), "cancelled");
    assert_eq!(audit(&shop).await["findings"], json!([]));
    shop.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_waits_for_what_is_sold_out_gets_one_mail_and_staff_one_when_little_is_left() {
    let shop = open().await;
    shop.product("TEA", 450, 3).await;
    let (staff, ann) = (shop.administrator().await, shop.customer().await);
    ann.send(reqwest::Method::PUT, "/v1/stock-subscriptions/TEA", None).await.assert_problem(409, "in-stock");
    ann.send(reqwest::Method::PUT, "/v1/stock-subscriptions/NONE", None).await.assert_problem(404, "not-found");
    assert_eq!(sell_as(staff, "TEA", json!({ "low_stock_at": 1 })).await.body["low_stock_at"], 1);
    let low = async |count: usize| {
        eventually(&format!("{count} warnings"), async || {
            (shop.mails_to(STAFF_MAIL).await.len() == count).then_some(())
        })
        .await;
    };
    let order = async |units: i64| assert_eq!(shop.customer().await.order(&[("TEA", units)]).await.status, 201);
    order(2).await;
    low(1).await;
    order(1).await;
    assert_eq!(ann.send(reqwest::Method::PUT, "/v1/stock-subscriptions/TEA", None).await.status, 204);
    assert_eq!(ann.send(reqwest::Method::PUT, "/v1/stock-subscriptions/TEA", None).await.status, 204);
    let bob = shop.customer().await;
    assert_eq!(bob.send(reqwest::Method::PUT, "/v1/stock-subscriptions/TEA", None).await.status, 204);
    assert_eq!(ann.get("/v1/stock-subscriptions").await.body["items"][0]["sku"], "TEA");
    for _ in 0..2 {
        assert_eq!(bob.delete("/v1/stock-subscriptions/TEA").await.status, 204);
    }
    receive(staff, "TEA", 3).await;
    let back = async |person: &Person| {
        let mut mails = shop.mails_to(&person.email).await;
        mails.retain(|mail| mail["subject"].to_string().contains("is back"));
        mails.len()
    };
    eventually("the mail", async || (back(&ann).await == 1).then_some(())).await;
    assert_eq!(ann.get("/v1/stock-subscriptions").await.body["items"], json!([]));
    receive(staff, "TEA", 1).await;
    order(3).await;
    low(2).await;
    assert_eq!((back(&ann).await, back(&bob).await), (1, 0));
    assert_eq!(shop.mails_to(STAFF_MAIL).await.len(), 2);
    shop.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_staff_get_wrong_about_stock_is_named() {
    let shop = open().await;
    shop.product("TEA", 450, 3).await;
    let staff = shop.administrator().await;
    let good = json!({ "kind": "received", "units": 1, "reason": "Delivery" });
    let with = |field: &str, value: Value| {
        let mut body = good.clone();
        body[field] = value;
        body
    };
    for (body, field) in [
        (with("units", json!(0)), "/units"),
        (with("units", json!(-1)), "/units"),
        (with("units", json!(1_000_000_001)), "/units"),
        (with("units", json!(1.5)), "/units"),
        (with("reason", json!("")), "/reason"),
        (with("reason", json!("x".repeat(201))), "/reason"),
        (with("kind", json!("sold")), "/kind"),
        (with("location_id", json!("x")), "/location_id"),
        (with("location_id", json!("loc_00000000000000000000000009")), "/location_id"),
    ] {
        let answer = moves(staff, "TEA", &key(), body).await;
        answer.assert_problem(422, "invalid");
        assert_eq!(answer.fields(), [field], "{}", answer.body);
    }
    let most = with("units", json!(1_000_000_000));
    moves(staff, "TEA", &key(), most).await.assert_problem(409, "too-many");
    let keyless = staff.post("/v1/admin/skus/TEA/stock-movements", good.clone()).await;
    assert_eq!((keyless.status, keyless.fields()), (422, vec!["Idempotency-Key".to_owned()]));
    moves(staff, "NONE", &key(), good.clone()).await.assert_problem(404, "not-found");
    let selling = |selling: Value| json!({ "selling": selling });
    for (body, field) in [
        (json!({ "low_stock_at": -1 }), "/low_stock_at"),
        (json!({ "low_stock_at": 1_000_000_001 }), "/low_stock_at"),
        (json!({ "buckets": 15 }), "/buckets"),
        (json!({ "buckets": 257 }), "/buckets"),
        (json!({ "buckets": -16 }), "/buckets"),
        (selling(json!({ "kind": "backorder" })), "/selling/up_to"),
        (selling(json!({ "kind": "backorder", "up_to": 0 })), "/selling/up_to"),
        (selling(json!({ "kind": "backorder", "up_to": 1_000_001 })), "/selling/up_to"),
        (selling(json!({ "kind": "stock", "up_to": 1 })), "/selling/up_to"),
        (selling(json!({ "kind": "preorder", "up_to": 1 })), "/selling/ships_from"),
        (selling(json!({ "kind": "preorder", "up_to": 1, "ships_from": "2027-02-30" })), "/selling/ships_from"),
        (selling(json!({ "kind": "preorder", "up_to": 1, "ships_from": "20270301" })), "/selling/ships_from"),
        (selling(json!({ "kind": "untracked", "ships_from": "2027-03-01" })), "/selling/ships_from"),
    ] {
        let answer = sell_as(staff, "TEA", body).await;
        answer.assert_problem(422, "invalid");
        assert_eq!(answer.fields(), [field], "{}", answer.body);
    }
    for buckets in [json!(16), json!(256), json!(null)] {
        assert_eq!(sell_as(staff, "TEA", json!({ "buckets": buckets })).await.body["buckets"], buckets);
    }
    assert_eq!(levels(staff, "TEA").await, [json!(3), json!(0), json!(3)]);
    shop.stop().await;
}
