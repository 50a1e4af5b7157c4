//! Staff move a paid order on, and the buyer hears of every step.

use serde_json::json;
use waybill_tests::{Person, Socket, TestShop, address, eventually};

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

    let shipped = staff.post(&step("ship"), parcel.clone()).await;
    assert_eq!(shipped.text("/shipments/0/tracking_number"), "1Z999AA10123456784");
    let again = staff.post(&step("ship"), parcel).await;
    assert_eq!((again.status, &again.body), (200, &shipped.body), "one number, one parcel");
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
    let refused = staff.get("/v1/admin/orders?status=lost").await;
    refused.assert_problem(422, "invalid");
    assert_eq!(refused.fields(), ["status"]);
    shop.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_order_is_found_by_its_number_its_customer_and_its_time() {
    let shop = TestShop::open().await;
    shop.product("TEA", 450, 10).await;
    let (staff, ann, bob) = (shop.administrator().await, shop.customer().await, shop.customer().await);
    let mut placed = Vec::new();
    for buyer in [&ann, &bob, &ann] {
        let order = buyer.order(&[("TEA", 1)]).await;
        placed.push((order.text("/id"), order.text("/number"), order.text("/placed_at")));
    }
    let (id, number, _) = &placed[1];
    assert!(id.ends_with(&number.replace('-', "")), "{number} of {id}");
    for spelling in [number.clone(), number.to_lowercase(), number.replace('-', "")] {
        assert_eq!(bob.get(&format!("/v1/orders/{spelling}")).await.text("/id"), *id);
        assert_eq!(staff.get(&format!("/v1/orders/{spelling}")).await.text("/id"), *id);
        ann.get(&format!("/v1/orders/{spelling}")).await.assert_problem(404, "not-found");
    }
    // The end of the id alone does not make it.
    let other = format!("ord_0{}", &id[5..]);
    assert_eq!(bob.get(&format!("/v1/orders/{other}")).await.status, if other == *id { 200 } else { 404 });

    let list = async |person: &Person, query: &str| {
        let page = person.get(query).await;
        let items = page.body["items"].as_array().cloned().unwrap_or_else(|| panic!("{}", page.body));
        items.iter().map(|item| item["id"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    let ids = |places: &[usize]| places.iter().map(|place| placed[*place].0.clone()).collect::<Vec<_>>();
    assert_eq!(list(staff, "/v1/admin/orders").await, ids(&[2, 1, 0]), "the newest first");
    assert_eq!(list(staff, &format!("/v1/admin/orders?customer={}", ann.id)).await, ids(&[2, 0]));
    let (from, before) = (&placed[1].2, &placed[2].2);
    let between = format!("placed_from={from}&placed_before={before}");
    assert_eq!(list(staff, &format!("/v1/admin/orders?{between}")).await, ids(&[1]));
    assert_eq!(list(staff, &format!("/v1/admin/orders?status=pending&placed_from={from}")).await, ids(&[2, 1]));
    assert_eq!(list(&ann, &format!("/v1/orders?placed_from={from}")).await, ids(&[2]));
    assert_eq!(list(&ann, &format!("/v1/orders?placed_before={from}")).await, ids(&[0]));
    assert_eq!(list(&ann, &format!("/v1/orders?placed_from={before}&placed_before={from}")).await, ids(&[]));
    for (query, field) in [
        ("status=pending&customer=acc_00000000000000000000000000", "customer"),
        ("customer=ann", "customer"),
        ("placed_from=yesterday", "placed_from"),
    ] {
        let refused = staff.get(&format!("/v1/admin/orders?{query}")).await;
        refused.assert_problem(422, "invalid");
        assert_eq!(refused.fields(), [field]);
    }
    shop.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_order_goes_out_in_two_parcels_to_the_address_that_was_put_right() {
    let shop = TestShop::open().await;
    shop.product("TEA", 450, 10).await;
    let (staff, buyer) = (shop.administrator().await, shop.customer().await);
    let order = buyer.order(&[("TEA", 3)]).await.text("/id");
    let (own, admin) = (format!("/v1/orders/{order}"), format!("/v1/admin/orders/{order}"));
    let mut elsewhere = address();
    elsewhere["line1"] = json!("2 Side St");
    let moved = buyer.put(&format!("{own}/shipping-address"), elsewhere.clone()).await;
    assert_eq!(moved.text("/shipping_address/line1"), "2 Side St");
    let again = buyer.put(&format!("{own}/shipping-address"), elsewhere.clone()).await;
    assert_eq!((again.status, &again.body["version"]), (200, &moved.body["version"]), "it goes there already");
    elsewhere["country"] = json!("us");
    buyer.put(&format!("{own}/shipping-address"), elsewhere.clone()).await.assert_problem(422, "invalid");

    let session = buyer.post(&format!("{own}/payment-sessions"), json!({})).await.text("/id");
    shop.stripe(&format!("sessions/{session}/pay"), json!({})).await;
    eventually("the payment", async || (buyer.get(&own).await.text("/payment_status") == "paid").then_some(())).await;
    staff.post(&format!("{admin}/process"), json!({})).await;
    let parcel = |number: &str, units: i64| json!({ "carrier": "UPS", "tracking_number": number, "lines": [{ "sku": "TEA", "quantity": units }] });
    let ship = format!("{admin}/ship");
    staff.post(&ship, parcel("1Y", 4)).await.assert_problem(409, "too-many-units");
    let first = staff.post(&ship, parcel("1Y", 1)).await;
    assert_eq!(first.text("/fulfilment_status"), "partially_shipped");
    staff.post(&ship, parcel("1Y", 2)).await.assert_problem(409, "taken");
    staff.post(&ship, parcel("1Z", 3)).await.assert_problem(409, "too-many-units");
    let unknown = json!({ "carrier": "UPS", "tracking_number": "1Z", "lines": [{ "sku": "CUP", "quantity": 1 }] });
    staff.post(&ship, unknown).await.assert_problem(422, "invalid");
    // On its way, it cannot be stopped or sent elsewhere any more.
    buyer.post(&format!("{own}/cancel"), json!({})).await.assert_problem(409, "order-state");
    staff.put(&format!("{admin}/shipping-address"), address()).await.assert_problem(409, "order-state");
    assert_eq!(staff.get("/v1/admin/orders?status=partially_shipped").await.text("/items/0/id"), order);

    let one_arrived = staff.post(&format!("{admin}/shipments/1/deliver"), json!({})).await;
    assert_eq!(one_arrived.text("/fulfilment_status"), "partially_shipped");
    staff.post(&format!("{admin}/shipments/2/deliver"), json!({})).await.assert_problem(404, "not-found");
    staff.post(&format!("{admin}/shipments/x/deliver"), json!({})).await.assert_problem(404, "not-found");
    let rest = staff.post(&ship, json!({ "carrier": "UPS", "tracking_number": "1Z" })).await;
    assert_eq!(
        (rest.text("/fulfilment_status"), &rest.body["shipments"][1]["lines"][0]["quantity"]),
        ("shipped".into(), &json!(2))
    );
    let arrived = staff.post(&format!("{admin}/shipments/2/deliver"), json!({})).await;
    assert_eq!(arrived.text("/fulfilment_status"), "delivered");

    let subjects =
        ["another address", "a part of your order", "a parcel was delivered", "order has shipped", "was delivered"];
    let mailed = async || {
        let mails = shop.order_mails_to(&buyer.email).await;
        let told = |words: &str| mails.iter().any(|mail| mail["subject"].as_str().unwrap().contains(words));
        subjects.iter().all(|words| told(words)).then_some(mails)
    };
    let mails = eventually("the mails", mailed).await;
    let first = mails.iter().find(|mail| mail["subject"].as_str().unwrap().contains("a part")).unwrap();
    assert!(first["text"].as_str().unwrap().contains("In the parcel: 1 × "), "{first}");
    shop.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_sent_any_more_is_paid_back_and_put_back_on_the_shelf() {
    let shop = TestShop::open().await;
    let product = shop.product("TEA", 450, 10).await.text("/id");
    let (staff, buyer) = (shop.administrator().await, shop.customer().await);
    let order = buyer.order(&[("TEA", 3)]).await.text("/id");
    let (own, admin) = (format!("/v1/orders/{order}"), format!("/v1/admin/orders/{order}"));
    let session = buyer.post(&format!("{own}/payment-sessions"), json!({})).await.text("/id");
    shop.stripe(&format!("sessions/{session}/pay"), json!({})).await;
    eventually("the payment", async || (buyer.get(&own).await.text("/payment_status") == "paid").then_some(())).await;
    staff.post(&format!("{admin}/process"), json!({})).await;
    let (path, why) = (format!("{admin}/cancel-rest"), json!({ "reason": "Our supplier has no more of it" }));
    staff.post(&path, why.clone()).await.assert_problem(409, "order-state");
    staff.post(&path, json!({ "reason": "" })).await.assert_problem(422, "invalid");
    let parcel = json!({ "carrier": "UPS", "tracking_number": "1Y", "lines": [{ "sku": "TEA", "quantity": 1 }] });
    assert_eq!(staff.post(&format!("{admin}/ship"), parcel).await.status, 200);

    let cancelled = staff.post(&path, why.clone()).await;
    assert_eq!(
        (cancelled.text("/fulfilment_status"), &cancelled.body["cancelled_rest"]["lines"][0]["quantity"]),
        ("shipped".into(), &json!(2)),
        "{}",
        cancelled.body
    );
    let again = staff.post(&path, why).await;
    assert_eq!(again.status, 200);
    let refunded = async || {
        let shown = buyer.get(&own).await;
        (shown.text("/payment_status") == "partially_refunded").then_some(shown)
    };
    let shown = eventually("the refund", refunded).await;
    let refunds = shown.body["refunds"].as_array().unwrap();
    assert_eq!(
        (refunds.len(), &refunds[0]["amount"]["amount"], &refunds[0]["cause"]),
        (1, &json!(900), &json!("rest_cancelled"))
    );
    eventually("the goods", async || (shop.available(&product, "TEA").await == 9).then_some(())).await;
    let arrived = staff.post(&format!("{admin}/shipments/1/deliver"), json!({})).await;
    assert_eq!(arrived.text("/fulfilment_status"), "delivered");
    let mailed = async || {
        let mails = shop.order_mails_to(&buyer.email).await;
        mails.into_iter().find(|mail| mail["subject"].as_str().unwrap().contains("a part of your order was cancelled"))
    };
    let mail = eventually("the mail", mailed).await;
    assert!(mail["text"].as_str().unwrap().contains("9.00"), "{mail}");
    shop.stop().await;
}
