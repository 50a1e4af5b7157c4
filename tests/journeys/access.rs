//! Who may do what: every route as nobody, another customer, the owner and staff.

use reqwest::Method;
use serde_json::{Value, json};
use waybill_tests::{Person, Socket, TestShop, is_deployed, key};

/// A route, and the status for nobody, another customer, the owner, staff.
struct Row {
    method: Method,
    path: String,
    body: Option<Value>,
    expected: [u16; 4],
}

#[tokio::test(flavor = "multi_thread")]
async fn every_route_answers_each_caller_as_it_should() {
    let shop = TestShop::open().await;
    let product = shop.product("TEA", 450, 10).await.text("/id");
    let owner = shop.customer().await;
    let order = owner.order(&[("TEA", 1)]).await.text("/id");
    let (stranger, staff) = (shop.customer().await, shop.administrator().await.clone());
    let row = |method: Method, path: &str, body: Option<Value>, expected: [u16; 4]| Row {
        method,
        path: path.replace("{order}", &order).replace("{product}", &product),
        body,
        expected,
    };
    let (get, post, put, patch, delete) = (Method::GET, Method::POST, Method::PUT, Method::PATCH, Method::DELETE);
    let nothing = || Some(json!({}));
    let rows = [
        row(get.clone(), "/.well-known/jwks.json", None, [200; 4]),
        row(get.clone(), "/openapi.json", None, [200; 4]),
        row(get.clone(), "/docs", None, [200; 4]),
        row(get.clone(), "/v1/categories", None, [200; 4]),
        row(get.clone(), "/v1/products", None, [200; 4]),
        row(get.clone(), "/v1/products/{product}", None, [200; 4]),
        row(post.clone(), "/v1/accounts", nothing(), [422; 4]),
        row(post.clone(), "/v1/sessions", nothing(), [422; 4]),
        row(post.clone(), "/v1/sessions/refresh", nothing(), [422; 4]),
        row(post.clone(), "/v1/stripe/events", nothing(), [400; 4]),
        row(get.clone(), "/v1/account", None, [401, 200, 200, 200]),
        row(post.clone(), "/v1/websocket-tickets", nothing(), [401, 201, 201, 201]),
        row(get.clone(), "/v1/cart", None, [401, 200, 200, 200]),
        row(put, "/v1/cart/lines/TEA", Some(json!({ "quantity": 1 })), [401, 200, 200, 200]),
        row(delete.clone(), "/v1/cart/lines/TEA", None, [401, 200, 200, 200]),
        row(delete.clone(), "/v1/cart", None, [401, 200, 200, 200]),
        row(get.clone(), "/v1/orders", None, [401, 200, 200, 200]),
        row(post.clone(), "/v1/orders", nothing(), [401, 422, 422, 422]),
        row(get.clone(), "/v1/orders/{order}", None, [401, 404, 200, 200]),
        row(post.clone(), "/v1/orders/{order}/payment-sessions", nothing(), [401, 404, 201, 404]),
        row(get.clone(), "/v1/admin/orders?status=pending", None, [401, 403, 403, 200]),
        row(post.clone(), "/v1/admin/orders/{order}/process", nothing(), [401, 403, 403, 409]),
        row(post.clone(), "/v1/admin/orders/{order}/ship", nothing(), [401, 403, 403, 422]),
        row(post.clone(), "/v1/admin/orders/{order}/deliver", nothing(), [401, 403, 403, 409]),
        row(post.clone(), "/v1/admin/categories", nothing(), [401, 403, 403, 422]),
        row(post.clone(), "/v1/admin/products", nothing(), [401, 403, 403, 422]),
        row(patch, "/v1/admin/skus/TEA", nothing(), [401, 403, 403, 204]),
        row(get, "/v1/nothing/here", None, [404; 4]),
        row(delete.clone(), "/v1/orders", None, [405; 4]),
        row(delete, "/v1/sessions/current", None, [401, 204, 204, 204]),
    ];
    let callers: [Person; 4] = [shop.anyone(), stranger, owner, staff];
    for row in &rows {
        for (caller, expected) in callers.iter().zip(row.expected) {
            let answer = caller.send(row.method.clone(), &row.path, row.body.clone()).await;
            let who = if caller.email.is_empty() { "nobody" } else { &caller.email };
            assert_eq!(answer.status, expected, "{} {} as {who}: {}", row.method, row.path, answer.body);
            if expected >= 400 {
                assert_eq!(
                    answer.header("content-type"),
                    Some("application/problem+json"),
                    "{} {}",
                    row.method,
                    row.path
                );
            }
        }
    }
    let walked: Vec<_> = rows.iter().map(|row| (row.method.as_str(), row.path.as_str())).collect();
    for route in crate::contract::http_routes() {
        let concrete = route.path.replace("{sku}", "TEA");
        let concrete = match concrete.contains("products") {
            true => concrete.replace("{id}", &product),
            false => concrete.replace("{id}", &order),
        };
        let known =
            walked.iter().any(|(method, path)| *method == route.method && path.split('?').next() == Some(&concrete));
        assert!(known, "{} {} has no row here", route.method, route.path);
    }
    shop.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_that_this_shop_did_not_make_is_refused() {
    let (shop, other) = (TestShop::open().await, TestShop::open().await);
    let (customer, elsewhere) = (shop.customer().await, other.customer().await);
    let token = customer.token().to_owned();
    let [header, claims, signature] = token.split('.').collect::<Vec<_>>()[..] else { panic!("{token}") };
    let none = "eyJhbGciOiJub25lIn0";
    let forged = [
        elsewhere.token().to_owned(),
        format!("{none}.{claims}."),
        format!("{none}.{claims}.{signature}"),
        format!("{header}.{claims}."),
        format!("{header}.{}.{signature}", claims.replace('a', "b")),
        "x".into(),
        "..".into(),
        String::new(),
    ];
    for token in forged {
        shop.anyone().with_token(&token).get("/v1/account").await.assert_problem(401, "unauthorized");
    }
    assert_eq!(customer.get("/v1/account").await.status, 200);
    shop.stop().await;
    other.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_websocket_takes_one_ticket_once_and_hears_of_its_own_orders_only() {
    let shop = TestShop::open().await;
    shop.product("TEA", 450, 10).await;
    let stranger = shop.customer().await;
    let ticket = stranger.post("/v1/websocket-tickets", json!({})).await.text("/ticket");
    let mut theirs = Socket::with_ticket(&shop, &ticket).await.unwrap();
    for bad in [ticket.as_str(), "", "x", "acc_00000000000000000000000001.x", stranger.token()] {
        // MiniStack makes 403 of every refusal.
        let refused = if is_deployed() { 403 } else { 401 };
        assert_eq!(Socket::with_ticket(&shop, bad).await.err(), Some(refused), "{bad}");
    }
    theirs.say("hello").await;
    let (customer, _, session) = shop.order_to_pay("TEA").await;
    let mut own = Socket::open(&shop, &customer).await;
    shop.stripe(&format!("sessions/{session}/pay"), json!({})).await;
    own.until("order.paid").await;
    assert_eq!(theirs.within(std::time::Duration::from_secs(1)).await, None);
    own.close().await;
    shop.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_secret_is_logged() {
    let shop = TestShop::open().await;
    shop.product("TEA", 450, 10).await;
    let customer = shop.customer().await;
    let quote = customer.quote(&[("TEA", 1)]).await;
    customer.place(&key(), &quote).await;
    customer.place(&key(), "forged-quote-canary").await;
    let wrong = json!({ "email": "canary@example.com", "password": "canary password" });
    shop.anyone().post("/v1/sessions", wrong).await;
    shop.anyone().with_token("canary-token").get("/v1/account").await;
    let secrets = [
        "correct horse",
        "canary",
        "Main St",
        "Ann Example",
        &customer.email,
        customer.token(),
        &customer.refresh_token,
        &quote,
    ];
    let logs = shop.logs();
    assert!(logs.iter().any(|line| line.contains("served")), "functions log something");
    for line in &logs {
        for secret in &secrets {
            assert!(!line.contains(*secret), "{secret} is in {line}");
        }
    }
    shop.stop().await;
}
