//! Second factors, and what staff may do with one.

use serde_json::{Value, json};
use waybill_tests::{Answer, PASSWORD, Person, TestShop, code, eventually};

async fn log_in(shop: &TestShop, email: &str, more: Value) -> Answer {
    let mut body = json!({ "email": email, "password": PASSWORD });
    body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    shop.anyone().post("/v1/sessions", body).await
}

async fn give_role(shop: &TestShop, person: &Person, role: &str) -> Answer {
    let path = format!("/v1/admin/accounts/{}/role", person.id);
    shop.administrator().await.put(&path, json!({ "role": role })).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_log_in_takes_a_code_once_a_second_factor_is_confirmed_and_no_code_twice() {
    let shop = TestShop::open().await;
    let person = shop.customer().await;
    let wrong = person.post("/v1/account/totp", json!({ "password": "a wrong horse" })).await;
    assert_eq!(wrong.fields(), ["/password"]);
    person.post("/v1/account/totp", json!({ "password": PASSWORD })).await;
    let set_up = person.post("/v1/account/totp", json!({ "password": PASSWORD })).await;
    let secret = set_up.text("/secret");
    assert!(set_up.text("/uri").starts_with("otpauth://totp/") && set_up.text("/uri").contains(&secret));
    // Not in force yet.
    assert_eq!(log_in(&shop, &person.email, json!({})).await.status, 201);
    let confirm = async |code: String| person.post("/v1/account/totp/confirm", json!({ "code": code })).await;
    assert_eq!(confirm(code(&secret, 100)).await.fields(), ["/code"]);
    let used = code(&secret, 0);
    let confirmed = confirm(used.clone()).await;
    assert_eq!(confirmed.status, 200, "{}", confirmed.body);
    // The session that had the password only has ended; the answer brings another.
    confirm(code(&secret, 1)).await.assert_problem(401, "unauthorized");
    shop.anyone().refresh(&person.refresh_token).await.assert_problem(401, "unauthorized");
    let person = person.with_tokens(&Answer { body: confirmed.body["tokens"].clone(), ..confirmed.clone() });
    let again = person.post("/v1/account/totp/confirm", json!({ "code": code(&secret, 1) })).await;
    again.assert_problem(409, "second-factor-on");
    assert_eq!(person.get("/v1/account").await.body["second_factor"], true);
    assert_eq!(person.get("/v1/sessions").await.body["items"][0]["second_factor"], true);

    for (with, kind) in [
        (json!({}), "second-factor"),
        (json!({ "code": used }), "second-factor"),
        (json!({ "code": code(&secret, 100) }), "second-factor"),
        (json!({ "code": "" }), "second-factor"),
        (json!({ "code": "12345é" }), "second-factor"),
        (json!({ "recovery_code": "aaaa-aaaa-aaaa-aaaa-aaaa-aaaa" }), "second-factor"),
        (json!({ "code": code(&secret, 1), "password": "a wrong horse" }), "unauthorized"),
    ] {
        log_in(&shop, &person.email, with).await.assert_problem(401, kind);
    }
    let next = json!({ "code": code(&secret, 1) });
    assert_eq!(log_in(&shop, &person.email, next.clone()).await.status, 201);
    log_in(&shop, &person.email, next).await.assert_problem(401, "second-factor");
    let recovery = json!({ "recovery_code": confirmed.text("/recovery_codes/3").to_uppercase() });
    assert_eq!(log_in(&shop, &person.email, recovery.clone()).await.status, 201);
    log_in(&shop, &person.email, recovery).await.assert_problem(401, "second-factor");

    // A new password by mail does not get past it.
    shop.anyone().post("/v1/password-resets", json!({ "email": person.email })).await;
    let token = shop.token_mailed_to(&person.email, "reset-password").await;
    let reset = json!({ "token": token, "password": "a better horse" });
    assert_eq!(shop.anyone().post("/v1/password-resets/confirm", reset).await.status, 200);
    let after = json!({ "password": "a better horse" });
    log_in(&shop, &person.email, after).await.assert_problem(401, "second-factor");
    let stored = shop.items().await;
    assert!(!stored.contains(&secret), "the secret is stored as it is");
    shop.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn staff_without_a_second_factor_may_do_nothing() {
    let shop = TestShop::open().await;
    let person = shop.customer().await;
    assert_eq!(give_role(&shop, &person, "support").await.status, 200);
    let list = "/v1/admin/orders?status=pending";
    person.get(list).await.assert_problem(403, "second-factor-missing");
    let (person, secret) = person.set_up_totp().await;
    assert_eq!(person.get(list).await.status, 200);
    let remove = async |code: Value| {
        person.post("/v1/account/totp/removal", json!({ "password": PASSWORD, "code": code })).await
    };
    // The password alone changes nothing that guards the account, nor does a code that was used.
    for used in [Value::Null, json!(code(&secret, 0)), json!("12345é")] {
        assert_eq!(remove(used).await.fields(), ["/code"]);
    }
    for (path, body) in [
        ("/v1/account/deletion", json!({ "password": PASSWORD })),
        ("/v1/account/email-changes", json!({ "email": "other@example.com", "password": PASSWORD })),
    ] {
        assert_eq!(person.post(path, body).await.fields(), ["/code"], "{path}");
    }
    let change = json!({ "current_password": PASSWORD, "new_password": "a better horse" });
    assert_eq!(person.put("/v1/account/password", change).await.fields(), ["/code"]);
    assert_eq!(remove(json!(code(&secret, 1))).await.status, 204);
    person.get(list).await.assert_problem(403, "second-factor-missing");
    // Nothing is left to remove, and nothing to write a mail about.
    assert_eq!(remove(Value::Null).await.status, 204);
    assert_eq!(log_in(&shop, &person.email, json!({})).await.status, 201);
    let told = async || shop.mails_to(&person.email).await.len();
    eventually("three mails: welcome, set up, removed", async || (told().await >= 3).then_some(())).await;
    tokio::time::sleep(std::time::Duration::from_secs(1)).await;
    assert_eq!(told().await, 3);
    shop.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_role_changes_at_once_for_sessions_that_are_open() {
    let shop = TestShop::open().await;
    shop.product("TEA", 450, 10).await;
    let buyer = shop.customer().await;
    let order = format!("/v1/orders/{}", buyer.order(&[("TEA", 1)]).await.text("/id"));
    let person = shop.staff("manager").await;
    assert_eq!(person.patch("/v1/admin/skus/TEA", json!({})).await.status, 200);
    assert_eq!(person.get(&order).await.status, 200);
    assert_eq!(give_role(&shop, &person, "support").await.text("/role"), "support");
    person.patch("/v1/admin/skus/TEA", json!({})).await.assert_problem(403, "forbidden");
    assert_eq!(person.get(&order).await.status, 200);
    give_role(&shop, &person, "customer").await;
    person.get(&order).await.assert_problem(404, "not-found");
    person.get("/v1/admin/orders?status=pending").await.assert_problem(403, "forbidden");
    give_role(&shop, &person, "administrator").await;
    let find = async |email: &str| person.post("/v1/admin/accounts/search", json!({ "email": email })).await;
    assert_eq!(find(&buyer.email).await.text("/items/0/id"), buyer.id);
    assert_eq!(find("nobody@example.com").await.body["items"], json!([]));
    assert_eq!(find("nobody").await.fields(), ["/email"]);
    shop.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_last_administrator_stays() {
    let shop = TestShop::open().await;
    let first = shop.administrator().await;
    let own = format!("/v1/admin/accounts/{}/role", first.id);
    let step_down = json!({ "role": "manager" });
    first.put(&own, step_down.clone()).await.assert_problem(409, "last-administrator");
    let (second, secret) = shop.member("administrator").await;
    assert_eq!(second.get("/v1/admin/administrators").await.body["items"].as_array().unwrap().len(), 2);
    assert_eq!(first.put(&own, step_down).await.status, 200);
    first.put(&own, json!({ "role": "administrator" })).await.assert_problem(403, "forbidden");
    let leave = json!({ "password": PASSWORD, "code": code(&secret, 1) });
    second.post("/v1/account/deletion", leave).await.assert_problem(409, "last-administrator");
    second.get("/v1/admin/administrators").await;
    assert_eq!(second.get("/v1/account").await.text("/role"), "administrator");
    shop.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_administrator_ends_all_sessions_of_somebody() {
    let shop = TestShop::open().await;
    let (person, other) = (shop.customer().await, shop.customer().await);
    let again = shop.anyone().with_tokens(&log_in(&shop, &person.email, json!({})).await);
    let path = format!("/v1/admin/accounts/{}/sessions", person.id);
    assert_eq!(shop.administrator().await.delete(&path).await.status, 204);
    for ended in [&person, &again] {
        ended.get("/v1/account").await.assert_problem(401, "unauthorized");
        shop.anyone().refresh(&ended.refresh_token).await.assert_problem(401, "unauthorized");
    }
    assert_eq!(other.get("/v1/account").await.status, 200);
    shop.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_administrator_helps_whoever_has_lost_the_second_factor() {
    let shop = TestShop::open().await;
    let person = shop.staff("support").await;
    let path = format!("/v1/admin/accounts/{}/totp", person.id);
    person.delete(&path).await.assert_problem(403, "forbidden");
    assert_eq!(shop.administrator().await.delete(&path).await.status, 204);
    person.get("/v1/account").await.assert_problem(401, "unauthorized");
    let logged_in = log_in(&shop, &person.email, json!({})).await;
    assert_eq!(logged_in.status, 201);
    let person = shop.anyone().with_tokens(&logged_in);
    person.get("/v1/admin/orders?status=pending").await.assert_problem(403, "second-factor-missing");
    shop.stop().await;
}
