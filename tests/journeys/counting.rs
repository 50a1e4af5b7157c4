//! How many orders stand where, told by their stream and, where that was silent, by a command.

use serde_json::{Value, json};
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

    let again = shop.invoke("index", json!({ "count_orders": {} })).await;
    assert_eq!(again, json!({ "orders": 2, "counted": 0, "next": null }));
    let earlier = json!({ "count_orders": { "placed_before": "2020-01-01T00:00:00Z" } });
    assert_eq!(shop.invoke("index", earlier).await, json!({ "orders": 0, "counted": 0, "next": null }));
    assert_eq!(staff.get("/v1/admin/orders/counts").await.body, counts);
    shop.stop().await;
}
