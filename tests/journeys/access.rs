//! Who gets in, and what is told of it: tokens, tickets, logs.

use serde_json::json;
use waybill_tests::{Socket, TestShop, is_deployed, key};

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
    for bad in
        [ticket.as_str(), "", "x", "acc_00000000000000000000000001.ses_00000000000000000000000001.x", stranger.token()]
    {
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
