//! Those who ask too often, and those whom they would like to lock out.

use std::collections::BTreeMap;

use reqwest::Method;
use serde_json::{Value, json};
use waybill_tests::{Answer, PASSWORD, Person, TestShop, address, key};

/// A shop with these limits and, where nothing is said of one, none to speak of.
async fn shop_with(limits: &str) -> TestShop {
    let limits = format!("*=1000000/60,{limits}");
    TestShop::open_with(|options| {
        options.parameters.insert("RateLimits".into(), limits);
    })
    .await
}

/// A log-in with the default limits' rates for log-ins; the other limits are out of the way.
const LOG_IN_DEFAULTS: &str = "log-in-address=100/600,log-in-email=20/3600,log-in-device=20/3600,reset-email=5/3600";

async fn wrong(person: &Person, email: &str) -> Answer {
    person.log_in(email, "a wrong horse of theirs").await
}

fn count(answers: &[u16]) -> BTreeMap<u16, usize> {
    let mut counted = BTreeMap::new();
    answers.iter().for_each(|status| *counted.entry(*status).or_default() += 1);
    counted
}

#[cfg(target_os = "linux")]
#[tokio::test(flavor = "multi_thread")]
async fn a_thousand_guesses_from_two_hundred_addresses_are_limited_and_the_owner_still_gets_in() {
    let shop = shop_with(LOG_IN_DEFAULTS).await;
    let owner = shop.customer().await;
    let guessers: Vec<_> = (0..200)
        .map(|number| {
            let (person, email) = (shop.anyone().at(&format!("127.7.{}.1", number)), owner.email.clone());
            tokio::spawn(async move {
                let mut statuses = Vec::new();
                for _ in 0..5 {
                    statuses.push(wrong(&person, &email).await.status);
                }
                statuses
            })
        })
        .collect();
    let mut statuses = Vec::new();
    for guesser in guessers {
        statuses.extend(guesser.await.unwrap());
    }
    // An hour may end in between: then it is another twenty.
    let counted = count(&statuses);
    assert!([20, 40].contains(&counted[&401]) && counted[&401] + counted[&429] == 1000, "{counted:?}");

    // Who has logged in before is counted by themselves, wherever they are.
    let mut body = json!({ "email": owner.email, "password": PASSWORD, "device_token": owner.device_token });
    for from in ["127.0.0.1", "127.7.0.1", "127.8.0.1"] {
        let logged_in = shop.anyone().at(from).post("/v1/sessions", body.clone()).await;
        assert_eq!(logged_in.status, 201, "{from}: {}", logged_in.body);
    }
    // A device token of somebody else, or a forged one, is worth nothing here.
    for forged in [shop.customer().await.device_token, format!("{}x", owner.device_token), "x".into()] {
        body["device_token"] = json!(forged);
        shop.anyone().post("/v1/sessions", body.clone()).await.assert_problem(429, "rate-limited");
    }
    // Who has never been here gets in by the mail, which the guessers do not get.
    shop.anyone().post("/v1/password-resets", json!({ "email": owner.email })).await;
    let token = shop.token_mailed_to(&owner.email, "reset-password").await;
    let reset = json!({ "token": token, "password": "a better horse" });
    let reset = shop.anyone().post("/v1/password-resets/confirm", reset).await;
    assert_eq!(reset.status, 200, "{}", reset.body);
    let back =
        json!({ "email": owner.email, "password": "a better horse", "device_token": reset.text("/device_token") });
    assert_eq!(shop.anyone().post("/v1/sessions", back).await.status, 201);
    // Nobody else is touched.
    let other = shop.customer().await;
    assert_eq!(shop.anyone().log_in(&other.email, PASSWORD).await.status, 201);
    shop.stop().await;
}

#[cfg(target_os = "linux")]
#[tokio::test(flavor = "multi_thread")]
async fn a_thousand_guesses_from_one_address_on_two_hundred_accounts_are_limited_and_owners_still_get_in() {
    let shop = shop_with(LOG_IN_DEFAULTS).await;
    let (owner, new_here) = (shop.customer().await, shop.customer().await);
    let guesser = shop.anyone().at("127.9.9.9");
    let mut statuses = Vec::new();
    for round in 0..5 {
        for number in 0..200 {
            let email = match number {
                0 => owner.email.clone(),
                number => format!("account-{number}@example.com"),
            };
            // Whatever the guesser says of where it comes from.
            let claimed = format!("203.0.113.{number}");
            let request = guesser.request(Method::POST, "/v1/sessions").header("X-Forwarded-For", claimed);
            let body = json!({ "email": email, "password": "a wrong horse of theirs" });
            let answer = Answer::of(request.json(&body).send().await.unwrap()).await;
            if round == 4 && number == 199 {
                answer.assert_problem(429, "rate-limited");
                assert_eq!(answer.header("ratelimit-policy"), Some("\"log-in-address\";q=100;w=600"));
            }
            statuses.push(answer.status);
        }
    }
    // A window may end in between: then it is another hundred.
    let counted = count(&statuses);
    assert!(counted[&401] <= 200 && counted[&401] + counted[&429] == 1000, "{counted:?}");
    // From anywhere else, anybody; from there, whoever has logged in before.
    assert_eq!(shop.anyone().log_in(&new_here.email, PASSWORD).await.status, 201);
    let body = json!({ "email": owner.email, "password": PASSWORD, "device_token": owner.device_token });
    assert_eq!(shop.anyone().at("127.9.9.9").post("/v1/sessions", body).await.status, 201);
    shop.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_has_a_device_token_may_not_guess_with_it_for_ever() {
    let shop = shop_with("log-in-device=3/3600").await;
    let owner = shop.customer().await;
    let guess =
        |password: &str| json!({ "email": owner.email, "password": password, "device_token": owner.device_token });
    for _ in 0..3 {
        shop.anyone().post("/v1/sessions", guess("a wrong horse")).await.assert_problem(401, "unauthorized");
    }
    let refused = shop.anyone().post("/v1/sessions", guess(PASSWORD)).await;
    refused.assert_problem(429, "rate-limited");
    assert_eq!(refused.header("ratelimit-policy"), Some("\"log-in-device\";q=3;w=3600"));
    shop.stop().await;
}

/// Asks until it is refused; how often it was served, and the refusal.
async fn exhaust(ask: impl AsyncFn() -> Answer) -> (usize, Answer) {
    for served in 0..50 {
        let answer = ask().await;
        if answer.status == 429 {
            return (served, answer);
        }
    }
    panic!("never refused");
}

#[tokio::test(flavor = "multi_thread")]
async fn each_limit_holds_at_its_quota_and_says_so() {
    let shop = shop_with(
        "sign-up-email=2/7200,log-in-email=3/7200,reset-email=4/7200,confirm-link=5/7200,refresh-session=6/7200,\
         password-account=7/7200,order-account=2/7200,payment-account=3/7200",
    )
    .await;
    shop.product("TEA", 450, 10).await;
    let customer = shop.customer().await;
    let order = customer.order(&[("TEA", 1)]).await.text("/id");
    let anyone = shop.anyone();
    let check = |(served, refused): (usize, Answer), wanted: usize, policy: &str| {
        assert_eq!(served, wanted, "{policy}");
        refused.assert_problem(429, "rate-limited");
        assert_eq!(refused.header("ratelimit-policy"), Some(policy));
        let wait: i64 = refused.header("retry-after").unwrap().parse().unwrap();
        assert!((1..=7200).contains(&wait), "{wait}");
        let limit = policy.split(';').next().unwrap();
        assert_eq!(refused.header("ratelimit").unwrap(), format!("{limit};r=0;t={wait}"));
        assert!(refused.text("/detail").contains(&wait.to_string()));
    };
    let post = async |path: &str, body: Value| anyone.post(path, body).await;
    let new = json!({ "email": "new@example.com", "password": PASSWORD });
    check(exhaust(async || post("/v1/accounts", new.clone()).await).await, 2, "\"sign-up-email\";q=2;w=7200");
    check(exhaust(async || wrong(&anyone, "who@example.com").await).await, 3, "\"log-in-email\";q=3;w=7200");
    let reset = json!({ "email": "who@example.com" });
    check(exhaust(async || post("/v1/password-resets", reset.clone()).await).await, 4, "\"reset-email\";q=4;w=7200");
    let link = json!({ "token": shop.token_mailed_to("new@example.com", "confirm-sign-up").await, "password": "a wrong horse" });
    check(exhaust(async || post("/v1/accounts/confirm", link.clone()).await).await, 5, "\"confirm-link\";q=5;w=7200");
    let mut token = customer.refresh_token.clone();
    for _ in 0..6 {
        token = anyone.refresh(&token).await.text("/refresh_token");
    }
    check((6, anyone.refresh(&token).await), 6, "\"refresh-session\";q=6;w=7200");
    let guess = json!({ "password": "a wrong horse" });
    let ask = async || customer.post("/v1/account/deletion", guess.clone()).await;
    check(exhaust(ask).await, 7, "\"password-account\";q=7;w=7200");
    let place = async || customer.place_with(&key(), json!({ "quote": "none", "shipping_address": address() })).await;
    // One was placed above.
    check(exhaust(place).await, 1, "\"order-account\";q=2;w=7200");
    let pay = async || customer.post(&format!("/v1/orders/{order}/payment-sessions"), json!({})).await;
    check(exhaust(pay).await, 3, "\"payment-account\";q=3;w=7200");
    shop.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn each_limit_of_an_address_holds_too() {
    let shop =
        shop_with("sign-up-address=2/7200,log-in-address=3/7200,reset-address=4/7200,confirm-address=5/7200").await;
    let anyone = shop.anyone();
    let cases = [
        ("/v1/accounts", json!({ "email": "new@example.com", "password": PASSWORD }), 2, "sign-up-address"),
        ("/v1/sessions", json!({ "email": "who@example.com", "password": PASSWORD }), 3, "log-in-address"),
        ("/v1/password-resets", json!({ "email": "who@example.com" }), 4, "reset-address"),
        ("/v1/password-resets/confirm", json!({ "token": "x", "password": PASSWORD }), 5, "confirm-address"),
    ];
    for (path, body, quota, name) in cases {
        let (served, refused) = exhaust(async || anyone.post(path, body.clone()).await).await;
        assert_eq!(served, quota, "{path}");
        assert_eq!(refused.header("ratelimit-policy").unwrap(), format!("\"{name}\";q={quota};w=7200"));
    }
    shop.stop().await;
    let shop = shop_with("refresh-address=6/7200").await;
    let (customer, anyone) = (shop.customer().await, shop.anyone());
    let (served, refused) = exhaust(async || anyone.refresh(&customer.refresh_token).await).await;
    assert_eq!((served, refused.header("ratelimit-policy")), (6, Some("\"refresh-address\";q=6;w=7200")));
    shop.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_address_and_an_account_may_not_ask_too_much_of_anything() {
    let shop = shop_with("requests-address=60/7200").await;
    let (served, refused) = exhaust_all(&shop.anyone(), "/v1/categories").await;
    // Counted in parts of a twentieth by each of at most four processes, each of which may not have counted its last.
    assert!((60..=60 + 4 * 3).contains(&served), "{served}");
    assert_eq!(refused.header("ratelimit-policy"), Some("\"requests-address\";q=60;w=7200"));
    shop.stop().await;

    let shop = shop_with("requests-account=40/7200").await;
    let (customer, other) = (shop.customer().await, shop.customer().await);
    let (served, refused) = exhaust_all(&customer, "/v1/cart").await;
    assert!((40..=40 + 4 * 2).contains(&served), "{served}");
    assert_eq!(refused.header("ratelimit-policy"), Some("\"requests-account\";q=40;w=7200"));
    assert_eq!(other.get("/v1/cart").await.status, 200);
    shop.stop().await;
}

async fn exhaust_all(person: &Person, path: &str) -> (usize, Answer) {
    for served in 0..500 {
        let answer = person.send(Method::GET, path, None).await;
        if answer.status == 429 {
            return (served, answer);
        }
    }
    panic!("never refused");
}
