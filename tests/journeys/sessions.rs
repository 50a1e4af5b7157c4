//! Log-ins, their tokens and their ends.

use std::time::Duration;

use serde_json::json;
use waybill_domain::cart::Quote;
use waybill_lambda::clock;
use waybill_tests::{Answer, PASSWORD, Person, Socket, TestShop, eventually, key};
use waybill_web::quote::Seal;

async fn log_in(shop: &TestShop, person: &Person) -> Person {
    let logged_in = shop.anyone().log_in(&person.email, PASSWORD).await;
    assert_eq!(logged_in.status, 201, "{}", logged_in.body);
    shop.anyone().with_tokens(&logged_in)
}

async fn refresh_with_key(shop: &TestShop, token: &str, key: &str) -> Answer {
    let request = shop.anyone().request(reqwest::Method::POST, "/v1/sessions/refresh").header("idempotency-key", key);
    Answer::of(request.json(&json!({ "refresh_token": token })).send().await.unwrap()).await
}

#[tokio::test(flavor = "multi_thread")]
async fn somebody_logs_in_stays_logged_in_and_a_wrong_address_sounds_like_a_wrong_password() {
    let shop = TestShop::open().await;
    let customer = shop.customer().await;
    let account = customer.get("/v1/account").await;
    assert_eq!((account.status, account.body["role"].as_str()), (200, Some("customer")));
    assert_eq!(account.text("/email"), customer.email);
    let logged_in = shop.anyone().log_in(&customer.email.to_uppercase(), PASSWORD).await;
    assert_eq!(logged_in.text("/account/id"), account.text("/id"));
    for (email, password) in [(customer.email.as_str(), "wrong horse"), ("nobody@example.com", PASSWORD)] {
        let refused = shop.anyone().log_in(email, password).await;
        refused.assert_problem(401, "unauthorized");
        assert_eq!(refused.text("/detail"), "The address or the password is wrong.");
    }
    let renewed = shop.anyone().refresh(&customer.refresh_token).await;
    assert_eq!(renewed.status, 200, "{}", renewed.body);
    assert_eq!(shop.anyone().with_tokens(&renewed).get("/v1/account").await.status, 200);
    // The first token again: somebody has stolen one of the two, so the holders of both must log in again.
    shop.anyone().refresh(&customer.refresh_token).await.assert_problem(401, "unauthorized");
    shop.anyone().refresh(&renewed.text("/refresh_token")).await.assert_problem(401, "unauthorized");
    shop.anyone().with_tokens(&renewed).get("/v1/account").await.assert_problem(401, "unauthorized");
    shop.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn of_fifty_refreshes_at_once_one_wins_and_the_family_dies() {
    let shop = TestShop::open().await;
    let customer = shop.customer().await;
    let other = log_in(&shop, &customer).await;
    let tries: Vec<_> = (0..50)
        .map(|_| {
            let (anyone, token) = (shop.anyone(), customer.refresh_token.clone());
            tokio::spawn(async move { anyone.refresh(&token).await })
        })
        .collect();
    let mut won = Vec::new();
    for try_ in tries {
        let answer = try_.await.unwrap();
        match answer.status {
            200 => won.push(answer.text("/refresh_token")),
            _ => answer.assert_problem(401, "unauthorized"),
        }
    }
    assert_eq!(won.len(), 1, "{won:?}");
    shop.anyone().refresh(&won[0]).await.assert_problem(401, "unauthorized");
    customer.get("/v1/account").await.assert_problem(401, "unauthorized");
    // What was never a token of a session does not end it.
    let mut parts: Vec<_> = other.refresh_token.split('.').collect();
    parts[2] = "garbage";
    for forged in [parts.join("."), format!("{}x", other.refresh_token)] {
        shop.anyone().refresh(&forged).await.assert_problem(401, "unauthorized");
    }
    // Another log-in of the same person is another family.
    assert_eq!(other.get("/v1/account").await.status, 200);
    shop.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refresh_whose_reply_was_lost_is_answered_again() {
    let shop = TestShop::open().await;
    let customer = shop.customer().await;
    let attempt = key();
    let first = refresh_with_key(&shop, &customer.refresh_token, &attempt).await;
    assert_eq!(first.status, 200, "{}", first.body);
    let again = refresh_with_key(&shop, &customer.refresh_token, &attempt).await;
    assert_eq!(again.text("/refresh_token"), first.text("/refresh_token"));
    assert_eq!(shop.anyone().refresh(&first.text("/refresh_token")).await.status, 200);
    // Once the next token was used, the reply was not lost.
    refresh_with_key(&shop, &customer.refresh_token, &attempt).await.assert_problem(401, "unauthorized");

    let thief = shop.customer().await;
    let first = refresh_with_key(&shop, &thief.refresh_token, &key()).await;
    assert_eq!(first.status, 200);
    refresh_with_key(&shop, &thief.refresh_token, &key()).await.assert_problem(401, "unauthorized");
    shop.anyone().refresh(&first.text("/refresh_token")).await.assert_problem(401, "unauthorized");
    shop.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_ended_session_is_refused_at_once_here_there_and_everywhere() {
    let shop = TestShop::open().await;
    let here = shop.customer().await;
    let (there, elsewhere) = (log_in(&shop, &here).await, log_in(&shop, &here).await);
    let stranger = shop.customer().await;
    let list = here.get("/v1/sessions").await;
    let sessions = list.body["items"].as_array().unwrap();
    assert_eq!(sessions.len(), 3);
    assert_eq!(sessions.iter().filter(|session| session["current"] == true).count(), 1);
    assert_eq!(sessions[2]["current"], true);

    let path = format!("/v1/sessions/{}", sessions[1]["id"].as_str().unwrap());
    stranger.delete(&path).await.assert_problem(404, "not-found");
    assert_eq!(there.get("/v1/account").await.status, 200);
    assert_eq!(here.delete(&path).await.status, 204);
    there.get("/v1/account").await.assert_problem(401, "unauthorized");
    shop.anyone().refresh(&there.refresh_token).await.assert_problem(401, "unauthorized");
    here.delete(&path).await.assert_problem(404, "not-found");

    assert_eq!(elsewhere.delete("/v1/sessions/current").await.status, 204);
    // Whatever else is wrong, also where something is read while the session is looked for.
    for path in ["/v1/cart", "/v1/orders?limit=x", "/v1/orders/x"] {
        elsewhere.get(path).await.assert_problem(401, "unauthorized");
    }
    let wrong =
        [("TEA", json!({ "quantity": "x" })), ("NONE", json!({ "quantity": 1 })), ("TEA", json!({ "quantity": 0 }))];
    for (sku, line) in wrong {
        elsewhere.put(&format!("/v1/cart/lines/{sku}"), line).await.assert_problem(401, "unauthorized");
    }
    let third = log_in(&shop, &here).await;
    assert_eq!(here.delete("/v1/sessions").await.status, 204);
    for ended in [&here, &third] {
        ended.get("/v1/orders").await.assert_problem(401, "unauthorized");
        shop.anyone().refresh(&ended.refresh_token).await.assert_problem(401, "unauthorized");
    }
    assert_eq!(stranger.get("/v1/account").await.status, 200);
    shop.stop().await;
}

/// The one route that looks for the session in its write.
#[tokio::test(flavor = "multi_thread")]
async fn an_ended_session_orders_nothing_and_sees_nothing_that_it_ordered() {
    let shop = TestShop::open().await;
    let product = shop.product("TEA", 450, 10).await.text("/id");
    let here = shop.customer().await;
    let there = log_in(&shop, &here).await;
    let (ordered, used) = (there.quote(&[("TEA", 1)]).await, key());
    assert_eq!(there.place(&used, &ordered).await.status, 201);
    let quote = there.quote(&[("TEA", 2)]).await;
    assert_eq!(there.delete("/v1/sessions/current").await.status, 204);
    there.place(&key(), &quote).await.assert_problem(401, "unauthorized");
    there.place(&used, &ordered).await.assert_problem(401, "unauthorized");
    assert_eq!(shop.available(&product, "TEA").await, 9);
    assert_eq!(here.place(&used, &ordered).await.header("idempotent-replayed"), Some("true"));
    // Nor where the quote is too old to come to a write, or from a time when it did not say whom to mail to.
    let seal = Seal::new(&shop.secret("QuoteKey").await);
    let quote = seal.open(&quote).unwrap();
    for old in [Quote { expires_at: clock::now(), ..quote.clone() }, Quote { contact: None, ..quote }] {
        let old = seal.close(&old).unwrap();
        there.place(&key(), &old).await.assert_problem(401, "unauthorized");
        here.place(&key(), &old).await.assert_problem(409, "quote-expired");
    }
    shop.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_eleventh_log_in_ends_the_session_unused_for_longest() {
    let shop = TestShop::open().await;
    let first = shop.customer().await;
    let mut others = Vec::new();
    for _ in 0..9 {
        others.push(log_in(&shop, &first).await);
    }
    let renewed = shop.anyone().refresh(&first.refresh_token).await;
    let newest = log_in(&shop, &first).await;
    assert_eq!(shop.anyone().with_tokens(&renewed).get("/v1/account").await.status, 200);
    others[0].get("/v1/account").await.assert_problem(401, "unauthorized");
    assert_eq!(newest.get("/v1/sessions").await.body["items"].as_array().unwrap().len(), 10);
    shop.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_websocket_falls_silent_with_its_session() {
    let shop = TestShop::open().await;
    shop.product("TEA", 450, 10).await;
    let customer = shop.customer().await;
    let other = log_in(&shop, &customer).await;
    let (mut ended, mut living) = (Socket::open(&shop, &other).await, Socket::open(&shop, &customer).await);
    assert_eq!(other.delete("/v1/sessions/current").await.status, 204);
    customer.order(&[("TEA", 1)]).await;
    living.until("order.placed").await;
    assert_eq!(ended.next().await, json!({ "type": "goodbye", "reason": "session_ended" }));
    assert_eq!(ended.within(Duration::from_secs(5)).await, None);
    // It was hung up on, so it is not asked about again.
    eventually("one connection", async || {
        let items = shop.items().await;
        (items.matches("CONNECTION#").count() == 1).then_some(())
    })
    .await;
    living.close().await;
    shop.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_websocket_is_opened_from_the_shops_pages_only() {
    let shop = TestShop::open_with(|options| {
        options.parameters.insert("Origins".into(), "https://shop.example.com,https://other.example.com".into());
    })
    .await;
    let customer = shop.customer().await;
    for (origin, welcome) in [
        (None, true),
        (Some("https://shop.example.com"), true),
        (Some("https://other.example.com"), true),
        (Some("https://evil.example.com"), false),
        (Some("https://shop.example.com.evil.example.com"), false),
        (Some("null"), false),
        (Some(""), false),
    ] {
        let ticket = customer.post("/v1/websocket-tickets", json!({})).await.text("/ticket");
        let opened = Socket::from_page(&shop, &ticket, origin).await;
        match (opened, welcome) {
            (Ok(socket), true) => socket.close().await,
            (Err(403), false) => {
                // The ticket was not spent on it.
                Socket::from_page(&shop, &ticket, None).await.ok().unwrap().close().await;
            }
            (opened, _) => panic!("{origin:?}: {:?}", opened.err()),
        }
    }
    shop.stop().await;
}
