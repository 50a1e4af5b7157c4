//! Invoices and credit notes: issued by themselves, each once, numbered without gaps, and kept as they are.

use futures_util::future::join_all;
use reqwest::Method;
use serde_json::{Value, json};
use waybill_tests::{PASSWORD, Person, TestShop, address, eventually, key};

/// An order of these units that is paid.
async fn paid(shop: &TestShop, buyer: &Person, units: i64) -> String {
    let order = buyer.order(&[("TEA", units)]).await.text("/id");
    let session = buyer.post(&format!("/v1/orders/{order}/payment-sessions"), json!({})).await.text("/id");
    assert_eq!(shop.stripe(&format!("sessions/{session}/pay"), json!({})).await.status, 200);
    order
}

/// The documents of an order once it has so many: kind, number and cents of each.
async fn documents(person: &Person, order: &str, count: usize) -> Vec<(String, String, i64)> {
    let path = format!("/v1/orders/{order}/documents");
    let what = format!("{count} documents");
    let listed = eventually(&what, async || {
        let list = person.get(&path).await.body;
        let items = list["items"].as_array().unwrap().clone();
        (items.len() == count).then_some(items)
    });
    let text = |document: &Value, field: &str| document[field].as_str().unwrap().to_owned();
    let document = |document: &Value| {
        assert_eq!(document["path"], format!("{path}/{}", text(document, "number")));
        (text(document, "kind"), text(document, "number"), document["total"]["amount"].as_i64().unwrap())
    };
    listed.await.iter().map(document).collect()
}

async fn pdf(person: &Person, path: &str) -> Vec<u8> {
    let answer = person.request(Method::GET, path).send().await.unwrap();
    assert_eq!(answer.status(), 200, "{path}");
    let header = |name: &str| answer.headers()[name].to_str().unwrap().to_owned();
    let number = path.rsplit('/').next().unwrap();
    assert_eq!(header("content-type"), "application/pdf");
    assert_eq!(header("content-disposition"), format!("attachment; filename=\"{number}.pdf\""));
    assert_eq!(header("cache-control"), "no-store");
    answer.bytes().await.unwrap().to_vec()
}

async fn refund(staff: &Person, order: &str, body: Value) {
    let refunds = format!("/v1/admin/orders/{order}/refunds");
    assert_eq!(staff.post_once(&refunds, &key(), body).await.status, 201);
}

/// What the queue brings again.
async fn bring_again(shop: &TestShop, order: &str) -> Value {
    let message = json!({ "id": format!("{order}/2"), "at": "2026-11-26T00:00:00Z", "order_id": order, "event": { "type": "document.due.v1" } });
    let record = json!({ "messageId": "1", "body": message.to_string(), "eventSource": "aws:sqs" });
    shop.invoke("documents", json!({ "Records": [record] })).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_paid_order_has_an_invoice_and_each_refund_a_credit_note_that_its_buyer_and_staff_can_read() {
    let shop = TestShop::open().await;
    shop.product("TEA", 450, 50).await;
    let (buyer, other, support) = (shop.customer().await, shop.customer().await, shop.staff("support").await);
    let staff = shop.administrator().await;
    let unpaid = other.order(&[("TEA", 1)]).await.text("/id");
    let order = paid(&shop, &buyer, 3).await;
    let first = documents(&buyer, &order, 1).await;
    let (kind, invoice, cents) = &first[0];
    assert_eq!((kind.as_str(), *cents), ("invoice", 1_350));
    refund(staff, &order, json!({ "lines": [{ "sku": "TEA", "quantity": 1 }], "reason": "Arrived broken" })).await;
    let two = documents(&buyer, &order, 2).await;
    refund(staff, &order, json!({ "amount": { "amount": 200, "currency": "USD" } })).await;
    let three = documents(&buyer, &order, 3).await;
    assert_eq!((&three[..2], &two[..1]), (&two[..], &first[..]), "what is issued stays");
    let notes: Vec<_> = three[1..].iter().map(|(kind, _, cents)| (kind.as_str(), *cents)).collect();
    assert_eq!(notes, [("credit_note", 450), ("credit_note", 200)]);

    // The same bytes each time, for the buyer and for staff, and with its number in them.
    let own = format!("/v1/orders/{order}/documents/{invoice}");
    let bytes = pdf(&buyer, &own).await;
    assert!(bytes.starts_with(b"%PDF-") && bytes.len() < 200_000, "{} bytes", bytes.len());
    let title = format!("Invoice {invoice}");
    assert!(bytes.windows(title.len()).any(|window| window == title.as_bytes()), "no title");
    let for_staff = format!("/v1/admin/orders/{order}/documents");
    assert!(pdf(&buyer, &own).await == bytes && pdf(&support, &format!("{for_staff}/{invoice}")).await == bytes);
    for (_, number, _) in &three[1..] {
        pdf(&buyer, &format!("/v1/orders/{order}/documents/{number}")).await;
    }
    assert_eq!(support.get(&for_staff).await.body["items"].as_array().unwrap().len(), 3);

    // To others there is no such order, and an order has no documents but its own.
    for path in [format!("/v1/orders/{order}/documents"), own.clone()] {
        other.get(&path).await.assert_problem(404, "not-found");
        support.get(&path).await.assert_problem(404, "not-found");
        shop.anyone().get(&path).await.assert_problem(401, "unauthorized");
    }
    for number in [invoice.as_str(), "INV-999999", "x"] {
        other.get(&format!("/v1/orders/{unpaid}/documents/{number}")).await.assert_problem(404, "not-found");
    }
    assert_eq!(other.get(&format!("/v1/orders/{unpaid}/documents")).await.body["items"], json!([]));
    let nobody = "/v1/admin/orders/ord_00000000000000000000000000/documents";
    support.get(nobody).await.assert_problem(404, "not-found");
    for path in [&for_staff, "/v1/admin/documents?series=invoice"] {
        buyer.get(path).await.assert_problem(403, "forbidden");
    }
    for query in ["", "?series=", "?series=bill", "?series=invoice&series=reversal", "?series=invoice&cursor=x"] {
        support.get(&format!("/v1/admin/documents{query}")).await.assert_problem(422, "invalid");
    }

    // The message once more, twice at once, and of an order that is not there.
    for _ in 0..2 {
        let again = tokio::join!(bring_again(&shop, &order), bring_again(&shop, &order));
        assert_eq!((&again.0["batchItemFailures"], &again.1["batchItemFailures"]), (&json!([]), &json!([])));
    }
    assert_eq!(bring_again(&shop, "ord_00000000000000000000000000").await["batchItemFailures"], json!([]));
    assert_eq!(bring_again(&shop, &unpaid).await["batchItemFailures"], json!([]));
    assert_eq!(documents(&buyer, &order, 3).await, three);
    shop.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn documents_are_numbered_without_gaps_and_outlive_the_account_that_they_are_of() {
    const BUYERS: usize = 12;
    let shop = TestShop::open().await;
    shop.product("TEA", 450, 50).await;
    let staff = shop.administrator().await;
    let mut buyers = Vec::new();
    for _ in 0..BUYERS {
        buyers.push(shop.customer().await);
    }
    let orders = join_all(buyers.iter().map(|buyer| paid(&shop, buyer, 1))).await;
    join_all(buyers.iter().zip(&orders).map(|(buyer, order)| documents(buyer, order, 1))).await;
    // Who cancels what is paid is paid back.
    let cancel =
        |(buyer, order): (&Person, &String)| buyer.post_owned(&format!("/v1/orders/{order}/cancel"), json!({}));
    for cancelled in join_all(buyers.iter().zip(&orders).map(cancel)).await {
        assert_eq!(cancelled.status, 200, "{}", cancelled.body);
    }
    join_all(buyers.iter().zip(&orders).map(|(buyer, order)| documents(buyer, order, 2))).await;
    for (series, prefix) in [("invoice", "INV"), ("credit_note", "CN")] {
        let (mut numbers, mut path) = (Vec::new(), format!("/v1/admin/documents?series={series}&limit=5"));
        loop {
            let page = staff.get(&path).await.body;
            let items = page["items"].as_array().unwrap().iter();
            numbers.extend(items.map(|document| document["number"].as_str().unwrap().to_owned()));
            let Some(next) = page["next"].as_str() else { break };
            path = format!("/v1/admin/documents?series={series}&limit=5&cursor={next}");
        }
        let wanted: Vec<_> = (1..=BUYERS).rev().map(|serial| format!("{prefix}-{serial:06}")).collect();
        assert_eq!(numbers, wanted);
    }
    let (buyer, order) = (&buyers[0], &orders[0]);
    let exported = buyer.get("/v1/account/export").await.body;
    let kinds: Vec<_> = exported["documents"].as_array().unwrap().iter().map(|document| &document["kind"]).collect();
    assert_eq!(kinds, ["invoice", "credit_note"]);
    let number = exported["documents"][0]["number"].as_str().unwrap();
    let path = format!("/v1/admin/orders/{order}/documents/{number}");
    let before = pdf(staff, &path).await;
    eventually("nothing that is due to the buyer", async || {
        let left = buyer.post("/v1/account/deletion", json!({ "password": PASSWORD })).await;
        (left.status == 204).then_some(())
    })
    .await;
    assert!(pdf(staff, &path).await == before, "books are kept");
    shop.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_invoice_names_whom_the_order_was_for_when_it_was_paid() {
    let shop = TestShop::open().await;
    shop.product("TEA", 450, 50).await;
    let buyer = shop.customer().await;
    let order = paid(&shop, &buyer, 1).await;
    let number = documents(&buyer, &order, 1).await.remove(0).1;
    let path = format!("/v1/orders/{order}/documents/{number}");
    let before = pdf(&buyer, &path).await;
    let mut elsewhere = address();
    elsewhere["line1"] = json!("2 Side St");
    assert_eq!(buyer.put(&format!("/v1/orders/{order}/shipping-address"), elsewhere).await.status, 200);
    assert_eq!(bring_again(&shop, &order).await["batchItemFailures"], json!([]));
    assert!(pdf(&buyer, &path).await == before);
    shop.stop().await;
}
