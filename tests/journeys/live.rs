//! Orders as they change, on WebSockets: what was missed, what staff follow, and who may.

use std::time::Duration;

use serde_json::{Value, json};
use waybill_tests::{Person, Socket, TestShop, eventually};

fn position(message: &Value, feed: &str) -> u64 {
    message["positions"][feed].as_u64().unwrap_or_else(|| panic!("no position in {feed}: {message}"))
}

/// All that came in a feed after a position, in pages.
async fn missed(socket: &mut Socket, feed: &str, mut after: u64) -> Vec<Value> {
    let mut updates = Vec::new();
    loop {
        let resumed = socket.ask(json!({ "type": "resume", "feed": feed, "after": after })).await;
        assert_eq!((&resumed["type"], &resumed["feed"]), (&json!("resumed"), &json!(feed)), "{resumed}");
        assert_eq!(resumed["complete"], true, "{resumed}");
        after = resumed["position"].as_u64().unwrap();
        updates.extend(resumed["updates"].as_array().unwrap().clone());
        if resumed["more"] == false {
            return updates;
        }
    }
}

fn numbers(updates: &[Value], feed: &str) -> Vec<u64> {
    updates.iter().map(|update| position(update, feed)).collect()
}

fn names(updates: &[Value]) -> Vec<&str> {
    updates.iter().map(|update| update["type"].as_str().unwrap()).collect()
}

/// Places an order, pays it and has it cancelled; answers its id once all of that is told.
async fn order_and_lose(shop: &TestShop, customer: &Person) -> String {
    let order = customer.order(&[("TEA", 1)]).await.text("/id");
    let session = customer.post(&format!("/v1/orders/{order}/payment-sessions"), json!({})).await.text("/id");
    shop.stripe(&format!("sessions/{session}/pay"), json!({})).await;
    let path = format!("/v1/orders/{order}");
    let status = async |status: &str| {
        eventually(status, async || (customer.get(&path).await.body["payment_status"] == json!(status)).then_some(()))
            .await;
    };
    status("paid").await;
    let cancel = format!("/v1/admin/orders/{order}/cancel");
    assert_eq!(shop.administrator().await.post(&cancel, json!({ "reason": "Lost" })).await.status, 200);
    status("refunded").await;
    order
}

#[tokio::test(flavor = "multi_thread")]
async fn who_was_away_gets_what_they_missed_in_order_and_once() {
    let shop = TestShop::open().await;
    shop.product("TEA", 450, 50).await;
    let customer = shop.customer().await;
    let mut socket = Socket::open(&shop, &customer).await;
    let hello = socket.ask(json!({ "type": "hello" })).await;
    assert_eq!((&hello["type"], &hello["sees"]), (&json!("hello"), &json!("own_orders")));
    let begun = position(&hello, "own");
    customer.order(&[("TEA", 1)]).await;
    let first = socket.until("order.placed").await;
    let seen = position(&first, "own");
    assert_eq!(seen, begun + 1);
    socket.close().await;

    let order = order_and_lose(&shop, &customer).await;
    let last = customer.get(&format!("/v1/orders/{order}")).await.body["timeline"].as_array().unwrap().len() as u64;
    let mut socket = Socket::open(&shop, &customer).await;
    let now = eventually("all of it in the feed", async || {
        let ticket = customer.post("/v1/websocket-tickets", json!({})).await.text("/ticket");
        let mut look = Socket::with_ticket(&shop, &ticket).await.unwrap();
        let now = position(&look.ask(json!({ "type": "hello" })).await, "own");
        (now == seen + last).then_some(now)
    })
    .await;
    let updates = missed(&mut socket, "own", seen).await;
    assert_eq!(numbers(&updates, "own"), (seen + 1..=now).collect::<Vec<_>>());
    let versions: Vec<_> = updates.iter().map(|update| update["version"].as_u64().unwrap()).collect();
    assert_eq!(versions, (1..=last).collect::<Vec<_>>(), "{updates:#?}");
    assert_eq!(names(&updates)[0], "order.placed");
    assert_eq!(*names(&updates).last().unwrap(), "order.refunded");
    // Each as it was when it happened.
    let paid = updates.iter().find(|update| update["type"] == "order.paid").unwrap();
    assert_eq!((&paid["payment_status"], &paid["fulfilment_status"]), (&json!("paid"), &json!("unfulfilled")));
    assert!(missed(&mut socket, "own", now).await.is_empty());
    // What is live goes on where that ended.
    customer.order(&[("TEA", 1)]).await;
    let live = socket.until("order.placed").await;
    assert_eq!(position(&live, "own"), now + 1);
    // Whoever saw nothing yet gets all.
    assert_eq!(numbers(&missed(&mut socket, "own", begun).await, "own"), (seen..=now + 1).collect::<Vec<_>>());
    // And what was too long ago, or before the first connection, is said to be missing.
    for before in [0, 1, begun - 1] {
        let old = socket.ask(json!({ "type": "resume", "feed": "own", "after": before })).await;
        assert_eq!(old["complete"], false, "{before}");
    }
    shop.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn staff_follow_all_orders_or_one_and_hear_what_they_missed_of_it() {
    let shop = TestShop::open().await;
    shop.product("TEA", 450, 50).await;
    let (support, customer) = (shop.staff("support").await, shop.customer().await);
    let mut socket = Socket::open(&shop, &support).await;
    assert_eq!(socket.ask(json!({ "type": "hello" })).await["sees"], "all_orders");
    let following = socket.ask(json!({ "type": "follow", "feed": "all" })).await;
    let feeds: Vec<String> = following["positions"].as_object().unwrap().keys().cloned().collect();
    assert_eq!(feeds, ["all/0", "all/1", "all/2", "all/3"]);

    let order = customer.order(&[("TEA", 1)]).await.text("/id");
    let placed = socket.until("order.placed").await;
    assert_eq!(placed["order_id"], json!(order));
    let feed = feeds.iter().find(|feed| placed["positions"][feed.as_str()].is_u64()).unwrap().clone();
    let seen = position(&placed, &feed);
    assert_eq!(placed["positions"].as_object().unwrap().len(), 1, "{placed}");
    assert_eq!(socket.ask(json!({ "type": "unfollow", "feed": "all" })).await["feed"], "all");

    let following = socket.ask(json!({ "type": "follow", "feed": order })).await;
    assert_eq!(position(&following, &order), 1);
    customer.order(&[("TEA", 1)]).await;
    let session = customer.post(&format!("/v1/orders/{order}/payment-sessions"), json!({})).await.text("/id");
    let started = socket.next().await;
    assert_eq!((&started["type"], &started["order_id"]), (&json!("order.payment_started"), &json!(order)));
    assert_eq!(position(&started, &order), 2);
    socket.close().await;

    shop.stripe(&format!("sessions/{session}/pay"), json!({})).await;
    let mut socket = Socket::open(&shop, &support).await;
    let updates = eventually("the payment in the feed", async || {
        // Until it is there it is said to be missing, for the feed has been kept for a moment only.
        let question = json!({ "type": "resume", "feed": order, "after": 1 });
        let resumed = Socket::open(&shop, &support).await.ask(question).await;
        let updates = resumed["updates"].as_array().unwrap().clone();
        assert_eq!(resumed["complete"] == true, updates.len() == 2, "{resumed}");
        (updates.len() == 2).then_some(updates)
    })
    .await;
    assert_eq!(numbers(&updates, &order), [2, 3]);
    assert_eq!(names(&updates), ["order.payment_started", "order.paid"]);
    let updates = missed(&mut socket, &feed, seen).await;
    let expected: Vec<_> = (seen + 1..).take(updates.len()).collect();
    assert_eq!(numbers(&updates, &feed), expected);
    let of_order: Vec<_> = updates.iter().filter(|update| update["order_id"] == json!(order)).cloned().collect();
    assert_eq!(names(&of_order), ["order.payment_started", "order.paid"]);
    shop.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_customer_follows_nobody_elses_orders_and_who_is_staff_no_more_follows_none() {
    let shop = TestShop::open().await;
    shop.product("TEA", 450, 50).await;
    let (support, customer, other) = (shop.staff("support").await, shop.customer().await, shop.customer().await);
    let order = customer.order(&[("TEA", 1)]).await.text("/id");
    let mut curious = Socket::open(&shop, &other).await;
    let unheard_of = "ord_12CMX5064HB6J8DRWV89QJYXGG";
    for question in [
        json!({ "type": "follow", "feed": "all" }),
        json!({ "type": "follow", "feed": order }),
        json!({ "type": "follow", "feed": unheard_of }),
        json!({ "type": "resume", "feed": "all/0", "after": 0 }),
        json!({ "type": "resume", "feed": order, "after": 0 }),
        json!({ "type": "resume", "feed": unheard_of, "after": 0 }),
    ] {
        let answer = curious.ask(question.clone()).await;
        assert_eq!((&answer["type"], &answer["problem"]), (&json!("problem"), &json!("forbidden")), "{question}");
    }
    let begun = position(&curious.ask(json!({ "type": "hello" })).await, "own");
    assert!(missed(&mut curious, "own", begun).await.is_empty());
    let mut staff = Socket::open(&shop, &support).await;
    assert_eq!(staff.ask(json!({ "type": "follow", "feed": unheard_of })).await["problem"], "unknown_order");
    for feed in ["all", &order] {
        assert_eq!(staff.ask(json!({ "type": "follow", "feed": feed })).await["type"], "following");
    }
    let role = format!("/v1/admin/accounts/{}/role", support.get("/v1/account").await.text("/id"));
    assert_eq!(shop.administrator().await.put(&role, json!({ "role": "customer" })).await.status, 200);
    customer.post(&format!("/v1/orders/{order}/payment-sessions"), json!({})).await;
    assert_eq!(staff.within(Duration::from_secs(5)).await, None);
    assert_eq!(staff.ask(json!({ "type": "hello" })).await["sees"], "own_orders");
    eventually("nobody who follows", async || (!shop.items().await.contains("LISTENERS#ALL")).then_some(())).await;
    assert_eq!(curious.within(Duration::from_millis(100)).await, None);
    shop.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_makes_no_sense_is_answered_by_a_problem_and_too_much_by_a_goodbye() {
    let shop = TestShop::open().await;
    let customer = shop.customer().await;
    let mut socket = Socket::open(&shop, &customer).await;
    for (text, problem, word) in [
        ("ping".to_owned(), "bad_frame", "expected"),
        (r#"{"type":"shout"}"#.to_owned(), "bad_frame", "shout"),
        (r#"{"type":"resume","feed":"own"}"#.to_owned(), "bad_frame", "after"),
        (r#"{"action":"$connect"}"#.to_owned(), "bad_frame", "type"),
        (" ".repeat(4097), "frame_too_long", "4096"),
    ] {
        socket.say(&text).await;
        let answer = socket.next().await;
        assert_eq!((&answer["type"], &answer["problem"]), (&json!("problem"), &json!(problem)), "{text}");
        assert!(answer["detail"].as_str().unwrap().contains(word), "{answer}");
    }
    assert_eq!(socket.ask(json!({ "type": "ping" })).await["type"], "pong");
    for _ in 0..300 {
        socket.say(r#"{"type":"ping"}"#).await;
    }
    loop {
        let answer = socket.next().await;
        if answer["type"] != "pong" {
            assert_eq!(answer, json!({ "type": "goodbye", "reason": "too_many_frames" }));
            break;
        }
    }
    assert_eq!(socket.within(Duration::from_secs(5)).await, None);
    eventually("no connection", async || (!shop.items().await.contains("CONNECTION#")).then_some(())).await;
    shop.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_session_that_has_ended_is_told_so_when_it_asks() {
    let shop = TestShop::open().await;
    let customer = shop.customer().await;
    let mut socket = Socket::open(&shop, &customer).await;
    customer.delete("/v1/sessions/current").await;
    socket.say(r#"{"type":"ping"}"#).await;
    assert_eq!(socket.next().await, json!({ "type": "goodbye", "reason": "session_ended" }));
    assert_eq!(socket.within(Duration::from_secs(5)).await, None);
    shop.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_connection_whose_time_is_up_is_told_so_and_hears_nothing_more() {
    let shop = TestShop::open().await;
    shop.product("TEA", 450, 10).await;
    let customer = shop.customer().await;
    let (mut silent, mut curious) = (Socket::open(&shop, &customer).await, Socket::open(&shop, &customer).await);
    let a_minute_ago = (waybill_domain::Timestamp::now().as_second() - 60).to_string();
    // DynamoDB deletes what has expired within days; until then it is there.
    for item in shop.dynamodb("Scan", json!({})).await["Items"].as_array().unwrap() {
        let pk = item["pk"]["S"].as_str().unwrap();
        if !pk.starts_with("CONNECTION#") && !pk.starts_with("LISTENERS#") {
            continue;
        }
        let past = json!({
            "Key": { "pk": item["pk"], "sk": item["sk"] },
            "UpdateExpression": "SET expires_at = :past",
            "ExpressionAttributeValues": { ":past": { "N": a_minute_ago } },
        });
        shop.dynamodb("UpdateItem", past).await;
    }
    let goodbye = json!({ "type": "goodbye", "reason": "time_is_up" });
    curious.say(r#"{"type":"ping"}"#).await;
    assert_eq!(curious.next().await, goodbye);
    customer.order(&[("TEA", 1)]).await;
    assert_eq!(silent.next().await, goodbye);
    assert_eq!(silent.within(Duration::from_secs(5)).await, None);
    eventually("nobody who listens", async || {
        let items = shop.items().await;
        (!items.contains("LISTENERS#") && !items.contains("CONNECTION#")).then_some(())
    })
    .await;
    shop.stop().await;
}

/// How long it takes from the change of an order, which is before its commit, to the client.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "takes a minute and measures this machine"]
async fn how_long_an_update_takes() {
    let shop = TestShop::open().await;
    shop.product("TEA", 450, 1000).await;
    let customer = shop.customer().await;
    let mut socket = Socket::open(&shop, &customer).await;
    let mut took = Vec::new();
    for _ in 0..220 {
        customer.order(&[("TEA", 1)]).await;
        let update = socket.until("order.placed").await;
        let at: waybill_domain::Timestamp = update["at"].as_str().unwrap().parse().unwrap();
        took.push(waybill_domain::Timestamp::now().duration_since(at).as_millis());
    }
    // The first ones start the functions.
    let mut took = took.split_off(20);
    took.sort_unstable();
    let of = |percent: usize| took[(took.len() * percent / 100).min(took.len() - 1)];
    println!(
        "{} updates, from the change to the client: p50 {} ms, p90 {} ms, p99 {} ms, longest {} ms",
        took.len(),
        of(50),
        of(90),
        of(99),
        of(100)
    );
    shop.stop().await;
}
