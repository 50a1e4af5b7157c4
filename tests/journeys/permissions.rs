//! The roles of the template, both ways: nothing is called that is not allowed, and nothing allowed that is never called.

use std::collections::{BTreeMap, BTreeSet};

use super::exporting::{export, fill_ledger};
use serde_json::json;
use waybill_local::template::{Permission, Template};
use waybill_tests::{PASSWORD, Person, Socket, TestShop, address, eventually, key};

/// Every kind of work that each function has, so that each call that it can make is made.
async fn work(shop: &TestShop) {
    let category = shop.category().await;
    let product = shop.product_in(&category, &[("TEA", 450, 100)]).await.text("/id");
    let (anyone, staff) = (shop.anyone(), shop.administrator().await);
    for list in ["/v1/categories", "/v1/products", &format!("/v1/products?category={category}")] {
        assert_eq!(anyone.get(list).await.status, 200);
    }
    anyone.get(&format!("/v1/products/{product}")).await;
    staff.patch("/v1/admin/skus/TEA", json!({ "active": false })).await;
    staff.patch("/v1/admin/skus/TEA", json!({ "active": true })).await;
    let unsold = shop.product("UNSOLD", 1, 1).await.text("/id");
    let found = async |total: u64| {
        let found = async || (anyone.get("/v1/products?q=unsold").await.body["total"] == total).then_some(());
        eventually(&format!("{total} products that are found"), found).await;
    };
    found(1).await;
    assert_eq!(staff.delete(&format!("/v1/admin/products/{unsold}")).await.status, 204);
    found(0).await;
    staff.delete(&format!("/v1/admin/categories/{category}")).await.assert_problem(409, "in-use");

    import(staff, &category, 450).await;
    // Another price gathers what lies in buckets.
    assert_eq!(staff.patch("/v1/admin/skus/IMPORTED/stock", json!({ "buckets": 16 })).await.status, 200);
    import(staff, &category, 460).await;
    assert_eq!(staff.get("/v1/admin/products/export").await.status, 200);
    let code = json!({ "kind": "code", "code": "ONCE" });
    let promotion =
        json!({ "title": "Once", "trigger": code, "effect": { "kind": "percentage", "off": 1 }, "limit": 9 });
    let made = staff.post("/v1/admin/promotions", promotion.clone()).await.text("/id");
    staff.get(&format!("/v1/admin/promotions/{made}")).await;
    staff.get("/v1/admin/promotions").await;
    assert_eq!(staff.put_version(&format!("/v1/admin/promotions/{made}"), 1, promotion.clone()).await.status, 200);
    let gone = staff.post("/v1/admin/promotions", promotion).await.text("/id");
    assert_eq!(staff.delete(&format!("/v1/admin/promotions/{gone}")).await.status, 204);

    let customer = shop.customer().await;
    let refreshed = anyone.post("/v1/sessions/refresh", json!({ "refresh_token": customer.refresh_token })).await;
    let customer = anyone.with_tokens(&refreshed);
    customer.get("/v1/account").await;
    let mut socket = Socket::open(shop, &customer).await;
    open_and_lose_a_connection(shop, &customer).await;
    let anyone = shop.anyone();
    let guest = anyone.post("/v1/guest-carts", json!({})).await.text("/cart_token");
    let line = anyone.request(reqwest::Method::PUT, "/v1/guest-cart/lines/TEA").header("cart-token", &guest);
    assert_eq!(line.json(&json!({ "quantity": 1 })).send().await.unwrap().status(), 200);
    assert_eq!(customer.post("/v1/cart/merge", json!({ "cart_token": guest })).await.status, 200);
    customer.put_line("TEA", 1).await;
    customer.delete("/v1/cart/lines/TEA").await;
    customer.put_line("TEA", 1).await;
    customer.delete("/v1/cart").await;
    customer.get("/v1/cart").await;

    customer.patch("/v1/cart", json!({ "codes": ["ONCE"] })).await;
    let quote = customer.quote(&[("TEA", 2)]).await;
    let order = customer.place(&key(), &quote).await.text("/id");
    customer.get("/v1/orders").await;
    let session = customer.post(&format!("/v1/orders/{order}/payment-sessions"), json!({})).await.text("/id");
    shop.stripe(&format!("sessions/{session}/pay"), json!({})).await;
    socket.until("order.paid").await;
    staff.get("/v1/admin/orders?status=paid").await;
    staff.get("/v1/admin/orders/counts").await;
    staff.post(&format!("/v1/admin/orders/{order}/process"), json!({})).await;
    let note = json!({ "text": "Called" });
    assert_eq!(staff.post_once(&format!("/v1/admin/orders/{order}/notes"), &key(), note).await.status, 201);
    let cancel = format!("/v1/admin/orders/{order}/cancel");
    assert_eq!(staff.post(&cancel, json!({ "reason": "Lost" })).await.status, 200);
    socket.until("order.refunded").await;
    eventually("the mail", async || shop.order_mails_to(&customer.email).await.pop()).await;
    let documents = format!("/v1/orders/{order}/documents");
    let number = eventually("an invoice and a credit note", async || {
        customer.get(&documents).await.body["items"][1]["number"].as_str().map(ToOwned::to_owned)
    });
    assert_eq!(customer.get(&format!("{documents}/{}", number.await)).await.status, 200);
    assert_eq!(staff.get("/v1/admin/documents?series=invoice").await.status, 200);
    socket.close().await;
    customer.delete("/v1/sessions/current").await;

    let unreached = shop.sign_up("bounce@simulator.amazonses.com", PASSWORD).await;
    let order = unreached.order(&[("TEA", 1)]).await.text("/id");
    let session = unreached.post(&format!("/v1/orders/{order}/payment-sessions"), json!({})).await.text("/id");
    shop.stripe(&format!("sessions/{session}/pay"), json!({})).await;
    let notes = format!("/v1/admin/orders/{order}/notes");
    eventually("a note of the mail", async || staff.get(&notes).await.body["items"].get(0).map(drop)).await;
    draft(shop, staff).await;
    shop.order_to_pay("TEA").await;
    let swept = shop.invoke("sweep", json!({ "expire_orders": { "older_than_minutes": 0 } })).await;
    assert_eq!(swept["expired"], 1);
    assert_eq!(shop.invoke("sweep", json!({ "reconcile": {} })).await["differences"], json!([]));

    shop.invoke("tally", json!({ "count_orders": {} })).await;
    eventually("the orders of a SKU", async || {
        let list = staff.get("/v1/admin/orders?sku=TEA").await.body;
        (list["items"] != json!([])).then_some(())
    })
    .await;

    report(shop, staff).await;
    watch_stock(shop, staff).await;
    follow(shop).await;
    tell_nobody(shop, staff).await;
    let leaver = shop.customer().await;
    leaver.order(&[("TEA", 1)]).await;
    leaver.post("/v1/account/addresses", address()).await;
    leaver.get("/v1/account/export").await;
    let left = leaver.post("/v1/account/deletion", json!({ "password": PASSWORD })).await;
    assert_eq!(left.status, 204, "{}", left.body);
}

/// Has staff follow orders, until one of them is staff no more.
async fn follow(shop: &TestShop) {
    let (mut sockets, mut members) = (Vec::new(), Vec::new());
    for _ in 0..2 {
        let member = shop.staff("support").await;
        let mut socket = Socket::open(shop, &member).await;
        socket.ask(json!({ "type": "hello" })).await;
        assert_eq!(socket.ask(json!({ "type": "follow", "feed": "all" })).await["type"], "following");
        assert_eq!(socket.ask(json!({ "type": "resume", "feed": "all/0", "after": 0 })).await["type"], "resumed");
        sockets.push(socket);
        members.push(member);
    }
    let role = format!("/v1/admin/accounts/{}/role", members[0].get("/v1/account").await.text("/id"));
    let customer = json!({ "role": "customer" });
    assert_eq!(shop.administrator().await.put(&role, customer).await.status, 200);
    shop.customer().await.order(&[("TEA", 1)]).await;
    sockets[1].until("order.placed").await;
    assert_eq!(sockets[1].ask(json!({ "type": "unfollow", "feed": "all" })).await["type"], "unfollowed");
}

/// Has staff order something for a customer who leaves it unpaid.
async fn draft(shop: &TestShop, staff: &Person) {
    let customer = shop.customer().await;
    let draft = staff.post_once("/v1/admin/drafts", &key(), json!({ "email": customer.email })).await.text("/id");
    assert_eq!(staff.get("/v1/admin/drafts").await.text("/items/0/id"), draft);
    let path = format!("/v1/admin/drafts/{draft}");
    let quote = staff.put(&format!("{path}/lines/TEA"), json!({ "quantity": 1 })).await.text("/cart/quote");
    let body = json!({ "quote": quote, "shipping_address": address() });
    let order = staff.post_once(&format!("{path}/orders"), &key(), body).await.text("/id");
    assert_eq!(staff.post(&format!("/v1/admin/orders/{order}/cancel"), json!({ "reason": "Test" })).await.status, 200);
}

/// Makes a product by an import, or changes it.
async fn import(staff: &Person, category: &str, cents: i64) {
    let price = json!([{ "amount": cents, "currency": "USD" }]);
    let line = json!({ "slug": "imported", "title": "Imported", "description": "", "category_ids": [category], "skus": [{ "sku": "IMPORTED", "prices": price, "stock": 1 }] });
    let request = staff.request(reqwest::Method::POST, "/v1/admin/imports").header("idempotency-key", key());
    let request = request.header("content-type", "application/x-ndjson").body(line.to_string());
    let import = waybill_tests::Answer::of(request.send().await.unwrap()).await.text("/id");
    let path = format!("/v1/admin/imports/{import}");
    eventually("an import's end", async || (staff.get(&path).await.body["state"] == "finished").then_some(())).await;
    let failures = staff.get(&format!("{path}/failures")).await.body;
    assert_eq!(failures["items"], json!([]));
}

/// Reports, and counting everything again: the second time deletes what the first has left, once nobody reads it any more.
async fn report(shop: &TestShop, staff: &Person) {
    eventually("a sale", async || {
        let sales = staff.get("/v1/admin/reports/sales").await.body;
        (sales["total"]["orders_paid"] != 0).then_some(())
    })
    .await;
    for report in ["top", "low-stock", "top?by=category"] {
        assert_eq!(staff.get(&format!("/v1/admin/reports/{report}")).await.status, 200, "{report}");
    }
    assert_eq!(staff.get("/v1/admin/orders/export").await.status, 200);
    // More than a page, so that a step without patience puts rows aside.
    fill_ledger(shop, "IMPORTED", 101, "Counted").await;
    let ledger = export(staff, json!({ "of": "stock_movements" })).await;
    assert_eq!(reqwest::get(ledger.text("/download/url")).await.unwrap().status(), 200);
    export(staff, json!({ "of": "customers" })).await;
    export(staff, json!({ "of": "products" })).await;
    assert_eq!(staff.get("/v1/admin/exports").await.status, 200);
    // Every fiftieth request of somebody is written down, wherever it falls within the minute.
    for _ in 0..120 {
        assert_eq!(staff.get("/v1/admin/reports/sales").await.status, 200);
    }
    assert_eq!(shop.invoke("tally", json!({ "recount": {} })).await["in_force"], true);
    let long_ago = json!({
        "TableName": "Table",
        "Key": { "pk": { "S": "TALLY" }, "sk": { "S": "TALLY" } },
        "UpdateExpression": "SET since = :since",
        "ExpressionAttributeValues": { ":since": { "S": "2026-01-01T00:00:00Z" } },
    });
    shop.dynamodb("UpdateItem", long_ago).await;
    assert_eq!(shop.invoke("tally", json!({ "recount": {} })).await["in_force"], true);
}

/// Has an endpoint told that is not there.
async fn tell_nobody(shop: &TestShop, staff: &Person) {
    let endpoints = "/v1/admin/webhook-endpoints";
    let made = async || staff.post(endpoints, json!({ "url": "http://127.0.0.1:1/" })).await.text("/id");
    let (kept, gone) = (made().await, made().await);
    assert_eq!(staff.delete(&format!("{endpoints}/{gone}")).await.status, 204);
    assert_eq!(staff.get(endpoints).await.status, 200);
    shop.customer().await.order(&[("TEA", 1)]).await;
    let log = format!("{endpoints}/{kept}/deliveries");
    for list in [format!("{log}?status=pending"), log] {
        let look = async || (staff.get(&list).await.body["items"] != json!([])).then_some(());
        eventually("a delivery in the log", look).await;
    }
    let fails =
        async || staff.get(&format!("{endpoints}/{kept}")).await.body["failing_since"].is_string().then_some(());
    eventually("an endpoint that fails", fails).await;
}

/// What is asked of stock, and what its queue brings.
async fn watch_stock(shop: &TestShop, staff: &Person) {
    shop.product("RARE", 450, 1).await;
    let customer = shop.customer().await;
    staff.post("/v1/admin/locations", json!({ "name": "Depot" })).await;
    staff.patch("/v1/admin/skus/RARE/stock", json!({ "low_stock_at": 0 })).await;
    customer.order(&[("RARE", 1)]).await;
    for path in ["/v1/stock-subscriptions/RARE", "/v1/stock-subscriptions/RARE"] {
        assert_eq!(customer.send(reqwest::Method::PUT, path, None).await.status, 204);
        assert_eq!(customer.delete(path).await.status, 204);
    }
    let movement = json!({ "kind": "received", "units": 1, "reason": "Delivery" });
    let request = staff.request(reqwest::Method::POST, "/v1/admin/skus/RARE/stock-movements");
    let answer = request.header("idempotency-key", key()).json(&movement).send().await.unwrap();
    assert_eq!(answer.status(), 201);
    staff.get("/v1/admin/skus/RARE/stock-movements").await;
    shop.invoke("StockFunction", json!({ "check_stock": {} })).await;
}

/// A connection that the table knows and the gateway does not: the next update finds it gone.
async fn open_and_lose_a_connection(shop: &TestShop, customer: &Person) {
    let ticket = customer.post("/v1/websocket-tickets", json!({})).await.text("/ticket");
    let connect = json!({
        "requestContext": { "routeKey": "$connect", "eventType": "CONNECT", "connectionId": "bG9zdA=", "connectedAt": 0, "requestTimeEpoch": 0, "identity": {} },
        "queryStringParameters": { "ticket": ticket },
    });
    assert_eq!(shop.invoke("ConnectionsFunction", connect).await["statusCode"], 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn every_role_allows_what_its_function_calls_and_no_more() {
    let limits = "*=1000000/60,requests-account=1000/60";
    let shop = TestShop::open_with(|options| {
        options.parameters.insert("RateLimits".into(), limits.into());
        options.parameters.insert("ExportSeconds".into(), "0".into());
    })
    .await;
    work(&shop).await;
    let template = crate::contract::template();
    let roles: BTreeMap<_, _> = template.roles.iter().map(|role| (role.name.as_str(), role)).collect();
    let used = shop.permissions_used();
    let mut checked = 0;
    let mut idle = BTreeSet::new();
    for function in &template.functions {
        let role = roles[function.role.as_deref().unwrap_or_else(|| panic!("{} has no role", function.name))];
        let of_lambda = on_behalf_of(&function.name, &template);
        for permission in &role.permissions {
            let Permission { action, resource } = permission;
            let mine = used.iter().filter(|(of, ..)| *of == function.name);
            let called = mine
                .map(|(_, action, resource)| (action, resource))
                .chain(of_lambda.iter().map(|permission| (&permission.action, &permission.resource)));
            checked += 1;
            let is_used = called.into_iter().any(|(called, on)| {
                let start = resource.trim_end_matches('*');
                called == action && if start.len() < resource.len() { on.starts_with(start) } else { on == resource }
            });
            if !is_used {
                idle.insert(format!("{}: {action} on {resource}", function.name));
            }
        }
        // What Lambda itself does cannot be refused here, only missed.
        for Permission { action, resource } in &of_lambda {
            assert!(role.allows(action, resource), "{} may not {action} on {resource}", function.name);
        }
    }
    assert!(idle.is_empty(), "allowed, but never called: {idle:#?}");
    println!("{checked} permissions checked, {} used", used.len());
    let refused: Vec<_> = shop.logs().into_iter().filter(|line| line.contains("is not authorized")).collect();
    assert!(refused.is_empty(), "{refused:#?}");
    shop.stop().await;
}

/// What Lambda needs to feed a function from its queues and streams.
fn on_behalf_of(function: &str, template: &Template) -> Vec<Permission> {
    let on = |actions: &[&str], resource: String| -> Vec<Permission> {
        let permission = |action: &&str| Permission { action: (*action).to_owned(), resource: resource.clone() };
        actions.iter().map(permission).collect()
    };
    let arn = |service: &str, name: &str| format!("arn:aws:{service}:us-east-1:000000000000:{name}");
    let queues = template.queue_mappings.iter().filter(|mapping| mapping.function == function);
    let streams = template.stream_mappings.iter().filter(|mapping| mapping.function == function);
    let of_queues = queues.flat_map(|mapping| {
        on(&["sqs:ReceiveMessage", "sqs:DeleteMessage", "sqs:GetQueueAttributes"], arn("sqs", &mapping.queue))
    });
    let of_streams = streams.flat_map(|mapping| {
        let actions = ["DescribeStream", "GetRecords", "GetShardIterator", "ListStreams"];
        let actions = actions.map(|action| format!("dynamodb:{action}"));
        let actions: Vec<&str> = actions.iter().map(String::as_str).collect();
        let mut needed = on(&actions, arn("dynamodb", &format!("table/{}/stream/local", mapping.table)));
        needed.extend(mapping.on_failure.iter().flat_map(|queue| on(&["sqs:SendMessage"], arn("sqs", queue))));
        needed
    });
    of_queues.chain(of_streams).collect()
}
