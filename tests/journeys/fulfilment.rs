//! Staff move a paid order on, and the buyer hears of every step.

use serde_json::json;
use waybill_tests::{Socket, TestShop, eventually};

#[tokio::test(flavor = "multi_thread")]
async fn each_step_reaches_the_buyer_and_a_forbidden_one_says_why() {
    let shop = TestShop::open().await;
    shop.product("TEA", 450, 10).await;
    let staff = shop.administrator().await;
    let (customer, order, session) = shop.order_to_pay("TEA").await;
    let mut socket = Socket::open(&shop, &customer).await;
    let step = |name: &str| format!("/v1/admin/orders/{order}/{name}");
    let parcel = json!({ "carrier": "UPS", "tracking_number": "1Z999AA10123456784" });

    let too_early = staff.post(&step("process"), json!({})).await;
    too_early.assert_problem(409, "order-state");
    assert_eq!(too_early.text("/detail"), "An order that is not paid cannot be processed; only a paid order can.");
    shop.stripe(&format!("sessions/{session}/pay"), json!({})).await;
    socket.until("order.paid").await;

    staff.post(&step("ship"), parcel.clone()).await.assert_problem(409, "order-state");
    let processing = staff.post(&step("process"), json!({})).await;
    assert_eq!((processing.status, processing.text("/fulfilment_status")), (200, "processing".into()));
    socket.until("order.processing").await;
    staff.post(&step("process"), json!({})).await.assert_problem(409, "order-state");

    let shipped = staff.post(&step("ship"), parcel).await;
    assert_eq!(shipped.text("/shipment/tracking_number"), "1Z999AA10123456784");
    let update = socket.until("order.shipped").await;
    assert_eq!(
        (update["carrier"].as_str(), update["tracking_number"].as_str()),
        (Some("UPS"), Some("1Z999AA10123456784"))
    );
    let delivered = staff.post(&step("deliver"), json!({})).await;
    assert_eq!(delivered.text("/fulfilment_status"), "delivered");
    let update = socket.until("order.delivered").await;
    assert_eq!(update["version"], delivered.body["version"]);
    staff.post(&step("deliver"), json!({})).await.assert_problem(409, "order-state");

    eventually("four mails", async || (shop.order_mails_to(&customer.email).await.len() >= 4).then_some(())).await;
    let mails = shop.order_mails_to(&customer.email).await;
    assert_eq!(mails.len(), 4);
    let with = |words: &str| mails.iter().filter(|mail| mail["subject"].to_string().contains(words)).count();
    for words in ["is confirmed", "is being prepared", "has shipped", "was delivered"] {
        assert_eq!(with(words), 1, "{words}");
    }
    assert!(mails.iter().any(|mail| mail["text"].to_string().contains("UPS 1Z999AA10123456784")));

    let timeline = customer.get(&format!("/v1/orders/{order}")).await.body["timeline"].clone();
    let steps: Vec<_> =
        timeline.as_array().unwrap().iter().map(|entry| (entry["type"].clone(), entry["by"].clone())).collect();
    let expected = [
        ("order.placed", "customer"),
        ("order.payment_started", "customer"),
        ("order.paid", "stripe"),
        ("order.processing", "staff"),
        ("order.shipped", "staff"),
        ("order.delivered", "staff"),
    ];
    assert_eq!(steps, expected.map(|(kind, by)| (json!(kind), json!(by))));
    shop.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn staff_find_orders_by_their_status() {
    let shop = TestShop::open().await;
    shop.product("TEA", 450, 10).await;
    let staff = shop.administrator().await;
    let (_, first, session) = shop.order_to_pay("TEA").await;
    let (_, second, _) = shop.order_to_pay("TEA").await;
    let ids = async |status: &str| {
        let page = staff.get(&format!("/v1/admin/orders?status={status}")).await;
        let items = page.body["items"].as_array().cloned().unwrap_or_else(|| panic!("{}", page.body));
        items.iter().map(|item| item["id"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(ids("pending").await, [second.clone(), first.clone()], "the newest first");
    shop.stripe(&format!("sessions/{session}/pay"), json!({})).await;
    eventually("the payment", async || (ids("paid").await == [first.clone()]).then_some(())).await;
    assert_eq!(ids("pending").await, [second]);
    for path in ["/v1/admin/orders", "/v1/admin/orders?status=lost"] {
        let refused = staff.get(path).await;
        refused.assert_problem(422, "invalid");
        assert_eq!(refused.fields(), ["status"]);
    }
    shop.stop().await;
}
