//! How many orders stand where, told by their stream and, where that was silent, by a command.

use serde_json::{Value, json};
use waybill_local::workspace;
use waybill_tests::books::some;
use waybill_tests::{Person, TestShop, eventually};

async fn counted(staff: &Person, expected: &[(&str, u64)]) -> Value {
    let looked = eventually("the counts", async || {
        let counts = staff.get("/v1/admin/orders/counts").await.body;
        let is_so = some(&counts["status"]) == expected.iter().copied().collect();
        is_so.then_some(counts)
    });
    looked.await
}

#[tokio::test(flavor = "multi_thread")]
async fn staff_see_how_many_orders_stand_where_and_counting_again_changes_nothing() {
    let shop = TestShop::open().await;
    let staff = shop.administrator().await;
    shop.product("TEA", 450, 10).await;
    let (buyer, _, session) = shop.order_to_pay("TEA").await;
    let pending = buyer.order(&[("TEA", 1)]).await.text("/id");
    counted(staff, &[("pending", 2)]).await;
    shop.stripe(&format!("sessions/{session}/pay"), json!({})).await;
    counted(staff, &[("pending", 1), ("paid", 1)]).await;
    assert_eq!(buyer.post(&format!("/v1/orders/{pending}/cancel"), json!({})).await.status, 200);
    let counts = counted(staff, &[("cancelled", 1), ("paid", 1)]).await;
    assert_eq!(some(&counts["payment_status"]), [("paid", 1), ("pending", 1)].into());
    assert_eq!(some(&counts["fulfilment_status"]), [("cancelled", 1), ("unfulfilled", 1)].into());

    let list = async |query: &str| {
        let list = staff.get(&format!("/v1/admin/orders?{query}")).await;
        assert_eq!(list.status, 200, "{}", list.body);
        list.body["items"].as_array().unwrap().iter().map(|order| order["id"].clone()).collect::<Vec<_>>()
    };
    let all = list("limit=50").await;
    assert_eq!((list("sku=TEA").await, list("sku=CUP").await, all.len()), (all, vec![], 2));
    staff.get("/v1/admin/orders?sku=tea").await.assert_problem(422, "invalid");
    staff.get("/v1/admin/orders?sku=TEA&status=paid").await.assert_problem(422, "invalid");

    let again = shop.invoke("tally", json!({ "count_orders": {} })).await;
    assert_eq!(again, json!({ "orders": 2, "counted": 0, "next": null }));
    let earlier = json!({ "count_orders": { "placed_before": "2020-01-01T00:00:00Z" } });
    assert_eq!(shop.invoke("tally", earlier).await, json!({ "orders": 0, "counted": 0, "next": null }));
    assert_eq!(staff.get("/v1/admin/orders/counts").await.body, counts);
    shop.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn orders_count_also_where_a_product_of_their_batch_cannot_be_indexed_and_the_batch_comes_again() {
    let shop = TestShop::open().await;
    let staff = shop.administrator().await;
    let product = shop.product("TEA", 450, 10).await.text("/id");
    let key = json!({ "pk": { "S": format!("INDEXED#{product}") }, "sk": { "S": "INDEXED" } });
    let indexed = eventually("the index", async || {
        let found = shop.dynamodb("GetItem", json!({ "Key": key })).await["Item"].clone();
        found["face"]["M"].is_object().then_some(found)
    });
    let indexed = indexed.await;
    let mut broken = indexed.clone();
    broken["number"] = json!({ "S": "none" });
    shop.dynamodb("PutItem", json!({ "Item": broken })).await;

    let recorded = std::fs::read(workspace().join("events/tally/orders.json")).unwrap();
    let mut batch: Value = serde_json::from_slice(&recorded).unwrap();
    let records = batch["Records"].as_array_mut().unwrap();
    let mut changed = records[0].clone();
    changed["dynamodb"]["Keys"] = json!({ "pk": { "S": format!("PRODUCT#{product}") }, "sk": { "S": "PRODUCT" } });
    changed["dynamodb"]["NewImage"] = changed["dynamodb"]["Keys"].clone();
    changed["dynamodb"]["SequenceNumber"] = json!("4421584500000000017450546410");
    records.insert(0, changed);
    let from_the_first = json!({ "batchItemFailures": [{ "itemIdentifier": "4421584500000000017450546410" }] });
    assert_eq!(shop.invoke("tally", batch.clone()).await, from_the_first);
    let counts = counted(staff, &[("pending", 1), ("paid", 1)]).await;
    let sales = async || staff.get("/v1/admin/reports/sales?from=2026-11-22&to=2026-11-24").await.body["total"].clone();
    let sold = sales().await;
    assert_eq!((&sold["orders_placed"], &sold["orders_paid"]), (&json!(2), &json!(1)), "{sold}");

    shop.dynamodb("PutItem", json!({ "Item": indexed })).await;
    assert_eq!(shop.invoke("tally", batch).await, json!({ "batchItemFailures": [] }));
    assert_eq!((staff.get("/v1/admin/orders/counts").await.body, sales().await), (counts, sold));
    shop.stop().await;
}
