//! Signing up, passwords, addresses, taking one's data along, leaving.

use std::time::Duration;

use serde_json::{Value, json};
use waybill_tests::{Answer, PASSWORD, Person, TestShop, address, eventually, key};

async fn mails(shop: &TestShop, email: &str, count: usize) -> Vec<Value> {
    eventually(&format!("{count} mails"), async || {
        let mails = shop.mails_to(email).await;
        (mails.len() >= count).then_some(mails)
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn signing_up_answers_the_same_for_every_address_and_only_the_mail_tells() {
    let shop = TestShop::open().await;
    let known = shop.customer().await;
    let (new, body) = ("new@example.com", |email: &str| json!({ "email": email, "password": "some other horse" }));
    let answers = [
        shop.anyone().post("/v1/accounts", body(&known.email)).await,
        shop.anyone().post("/v1/accounts", body(new)).await,
    ];
    assert_eq!((answers[0].status, &answers[0].body), (202, &json!({ "status": "mail_sent" })));
    assert_eq!((answers[1].status, &answers[1].body), (answers[0].status, &answers[0].body));
    let told = mails(&shop, &known.email, 2).await;
    assert!(told[1]["subject"].as_str().unwrap().contains("you have an account already"), "{told:?}");
    assert!(!told[1]["text"].as_str().unwrap().contains("token="), "{told:?}");
    assert_eq!(shop.anyone().log_in(&known.email, PASSWORD).await.status, 201);
    shop.anyone().log_in(new, "some other horse").await.assert_problem(401, "unauthorized");

    let token = shop.token_mailed_to(new, "confirm-sign-up").await;
    let confirm = async |token: &str, password: &str| {
        shop.anyone().post("/v1/accounts/confirm", json!({ "token": token, "password": password })).await
    };
    // Whoever asked for the link knows the password; whoever gets the mail may be somebody else.
    confirm(&token, "a guess of theirs").await.assert_problem(401, "unauthorized");
    let made = confirm(&token, "some other horse").await;
    assert_eq!((made.status, made.header("location")), (201, Some("/v1/account")));
    let again = confirm(&token, "some other horse").await;
    again.assert_problem(422, "invalid");
    assert_eq!(again.fields(), ["/token"]);
    for forged in ["", "x", &token[..token.len() - 1], &token.replace(".let_", ".let_0")] {
        assert_eq!(confirm(forged, "some other horse").await.fields(), ["/token"]);
    }
    // A link opens what it was made for and nothing else.
    let reset = json!({ "token": token, "password": "a third horse" });
    assert_eq!(shop.anyone().post("/v1/password-resets/confirm", reset).await.fields(), ["/token"]);
    assert_eq!(shop.anyone().log_in(new, "some other horse").await.status, 201);
    shop.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn of_two_sign_ups_of_an_address_the_one_that_is_confirmed_first_counts() {
    let shop = TestShop::open().await;
    let mut tokens = Vec::new();
    for password in ["the first horse", "the second horse"] {
        shop.anyone().post("/v1/accounts", json!({ "email": "ann@example.com", "password": password })).await;
        let told = mails(&shop, "ann@example.com", tokens.len() + 1).await;
        let text = told.last().unwrap()["text"].as_str().unwrap().to_owned();
        tokens.push(text.split_once("#token=").unwrap().1.split_whitespace().next().unwrap().to_owned());
    }
    let confirm = async |token: &str, password: &str| {
        shop.anyone().post("/v1/accounts/confirm", json!({ "token": token, "password": password })).await
    };
    assert_eq!(confirm(&tokens[1], "the second horse").await.status, 201);
    confirm(&tokens[0], "the first horse").await.assert_problem(409, "taken");
    shop.anyone().log_in("ann@example.com", "the first horse").await.assert_problem(401, "unauthorized");
    shop.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_password_that_everybody_would_try_is_refused_wherever_one_is_set() {
    let shop = TestShop::open().await;
    let customer = shop.customer().await;
    for bad in ["password", "PASSWORD1", "iloveyou1", "short", &"x".repeat(129)] {
        let signing_up = json!({ "email": "new@example.com", "password": bad });
        assert_eq!(shop.anyone().post("/v1/accounts", signing_up).await.fields(), ["/password"], "{bad}");
        let changing = json!({ "current_password": PASSWORD, "new_password": bad });
        assert_eq!(customer.put("/v1/account/password", changing).await.fields(), ["/new_password"], "{bad}");
    }
    let like_the_address = json!({ "email": "archibald@example.com", "password": "archibald77" });
    assert_eq!(shop.anyone().post("/v1/accounts", like_the_address).await.fields(), ["/password"]);
    // The same characters, however the keyboard composes them.
    let person = shop.sign_up("cafe@example.com", "caf\u{e9} au lait").await;
    assert_eq!(shop.anyone().log_in(&person.email, "cafe\u{301} au lait").await.status, 201);
    shop.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_changed_password_ends_all_other_sessions_and_a_mail_tells_of_it() {
    let shop = TestShop::open().await;
    let here = shop.customer().await;
    let there = shop.anyone().with_tokens(&shop.anyone().log_in(&here.email, PASSWORD).await);
    let change = |current: &str| json!({ "current_password": current, "new_password": "a better horse" });
    let wrong = here.put("/v1/account/password", change("a wrong horse")).await;
    assert_eq!(wrong.fields(), ["/current_password"]);
    assert_eq!(there.get("/v1/account").await.status, 200);
    assert_eq!(here.put("/v1/account/password", change(PASSWORD)).await.status, 204);
    assert_eq!(here.get("/v1/account").await.status, 200);
    there.get("/v1/account").await.assert_problem(401, "unauthorized");
    shop.anyone().log_in(&here.email, PASSWORD).await.assert_problem(401, "unauthorized");
    assert_eq!(shop.anyone().log_in(&here.email, "a better horse").await.status, 201);
    let told = mails(&shop, &here.email, 2).await;
    assert!(told[1]["subject"].as_str().unwrap().contains("your password was changed"), "{told:?}");
    shop.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_forgotten_password_is_set_anew_by_a_link_once_and_every_session_ends() {
    let shop = TestShop::open().await;
    let customer = shop.customer().await;
    let ask = async |email: &str| shop.anyone().post("/v1/password-resets", json!({ "email": email })).await;
    let (known, unknown) = (ask(&customer.email).await, ask("nobody@example.com").await);
    assert_eq!((known.status, &known.body), (202, &json!({ "status": "mail_sent" })));
    assert_eq!((unknown.status, &unknown.body), (known.status, &known.body));
    let older = shop.token_mailed_to(&customer.email, "reset-password").await;
    ask(&customer.email).await;
    mails(&shop, &customer.email, 3).await;
    let newer = shop.token_mailed_to(&customer.email, "reset-password").await;
    assert_ne!(older, newer);
    let set = async |token: &str, password: &str| {
        shop.anyone().post("/v1/password-resets/confirm", json!({ "token": token, "password": password })).await
    };
    assert_eq!(set(&newer, "password").await.fields(), ["/password"]);
    assert_eq!(set(&newer, "a better horse").await.status, 200);
    for dead in [&newer, &older] {
        assert_eq!(set(dead, "a late horse").await.fields(), ["/token"]);
    }
    customer.get("/v1/account").await.assert_problem(401, "unauthorized");
    shop.anyone().refresh(&customer.refresh_token).await.assert_problem(401, "unauthorized");
    shop.anyone().log_in(&customer.email, PASSWORD).await.assert_problem(401, "unauthorized");
    assert_eq!(shop.anyone().log_in(&customer.email, "a better horse").await.status, 201);
    assert!(shop.mails_to("nobody@example.com").await.is_empty());
    shop.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_address_changes_once_the_new_one_confirms_it() {
    let shop = TestShop::open().await;
    let (customer, other) = (shop.customer().await, shop.customer().await);
    let ask = async |email: &str, password: &str| {
        customer.post("/v1/account/email-changes", json!({ "email": email, "password": password })).await
    };
    assert_eq!(ask("new@example.com", "a wrong horse").await.fields(), ["/password"]);
    assert_eq!(ask(&customer.email.to_uppercase(), PASSWORD).await.fields(), ["/email"]);
    let (taken, free) = (ask(&other.email, PASSWORD).await, ask("new@example.com", PASSWORD).await);
    assert_eq!((taken.status, taken.body), (free.status, free.body));
    let told = mails(&shop, &other.email, 2).await;
    assert!(!told[1]["text"].as_str().unwrap().contains("token="), "{told:?}");
    let token = shop.token_mailed_to("new@example.com", "confirm-email").await;
    assert_eq!(customer.get("/v1/account").await.text("/email"), customer.email);
    let confirm = || shop.anyone().post_owned("/v1/account/email-changes/confirm", json!({ "token": token }));
    assert_eq!(confirm().await.status, 204);
    assert_eq!(confirm().await.fields(), ["/token"]);
    assert_eq!(customer.get("/v1/account").await.text("/email"), "new@example.com");
    shop.anyone().log_in(&customer.email, PASSWORD).await.assert_problem(401, "unauthorized");
    assert_eq!(shop.anyone().log_in("new@example.com", PASSWORD).await.status, 201);
    let told = mails(&shop, &customer.email, 2).await;
    assert!(told[1]["subject"].as_str().unwrap().contains("your address was changed"), "{told:?}");
    // The old address is free again.
    shop.sign_up(&customer.email, PASSWORD).await;
    shop.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_profile_has_a_name_and_an_address_book() {
    let shop = TestShop::open().await;
    let (customer, other) = (shop.customer().await, shop.customer().await);
    let named = customer.patch("/v1/account", json!({ "name": "  Ann Example " })).await;
    assert_eq!(named.body["name"], "Ann Example");
    assert_eq!(customer.patch("/v1/account", json!({})).await.body["name"], "Ann Example");
    assert_eq!(customer.patch("/v1/account", json!({ "name": "" })).await.fields(), ["/name"]);
    assert!(customer.patch("/v1/account", json!({ "name": null })).await.body["name"].is_null());

    let path = "/v1/account/addresses";
    let first = customer.post(path, address()).await;
    assert_eq!((first.status, first.body["is_default"].as_bool()), (201, Some(true)));
    assert_eq!(first.header("location").unwrap(), format!("{path}/{}", first.text("/id")));
    let mut second = address();
    second["city"] = json!("Shelbyville");
    let second = customer.post(path, second).await;
    assert_eq!(second.body["is_default"], false);
    let second = format!("{path}/{}", second.text("/id"));
    let mut moved = address();
    moved["line1"] = json!("2 Main St");
    moved["is_default"] = json!(true);
    assert_eq!(customer.put(&second, moved.clone()).await.body["line1"], "2 Main St");
    other.put(&second, moved).await.assert_problem(404, "not-found");
    other.delete(&second).await.assert_problem(404, "not-found");
    let book = customer.get(path).await;
    let defaults: Vec<_> = book.body["items"].as_array().unwrap().iter().map(|kept| &kept["is_default"]).collect();
    assert_eq!(defaults, [false, true]);
    assert_eq!(customer.delete(&second).await.status, 204);
    customer.delete(&second).await.assert_problem(404, "not-found");
    assert_eq!(customer.get(path).await.body["items"][0]["is_default"], true);
    for _ in 1..20 {
        assert_eq!(customer.post(path, address()).await.status, 201);
    }
    customer.post(path, address()).await.assert_problem(409, "address-book-full");
    let mut bad = address();
    bad["country"] = json!("usa");
    bad["name"] = json!("");
    assert_eq!(customer.post(path, bad).await.fields(), ["/name", "/country"]);
    shop.stop().await;
}

/// Somebody with an order that has been delivered, and one that nobody paid.
async fn with_orders(shop: &TestShop) -> (Person, String, String) {
    let (customer, order, session) = shop.order_to_pay("TEA").await;
    shop.stripe(&format!("sessions/{session}/pay"), json!({})).await;
    let unpaid = customer.order(&[("TEA", 2)]).await.text("/id");
    eventually("the payment", async || {
        (customer.get(&format!("/v1/orders/{order}")).await.text("/payment_status") == "paid").then_some(())
    })
    .await;
    (customer, order, unpaid)
}

async fn deliver(shop: &TestShop, order: &str) {
    let staff = shop.administrator().await;
    let shipment = json!({ "carrier": "UPS", "tracking_number": "1Z" });
    for (step, body) in [("process", json!({})), ("ship", shipment), ("deliver", json!({}))] {
        let moved = staff.post(&format!("/v1/admin/orders/{order}/{step}"), body).await;
        assert_eq!(moved.status, 200, "{}", moved.body);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_export_has_all_that_the_shop_keeps_of_somebody() {
    let shop = TestShop::open().await;
    shop.product("TEA", 450, 20).await;
    let (customer, order, unpaid) = with_orders(&shop).await;
    customer.post("/v1/account/addresses", address()).await;
    customer.put_line("TEA", 3).await;
    deliver(&shop, &order).await;
    let wanted = json!({ "lines": [{ "sku": "TEA", "quantity": 1 }], "reason": "Unmistakably too small" });
    assert_eq!(customer.post_once(&format!("/v1/orders/{order}/returns"), &key(), wanted).await.status, 201);
    shop.product("RARE", 450, 0).await;
    assert_eq!(customer.put("/v1/stock-subscriptions/RARE", json!({})).await.status, 204);
    let export = customer.get("/v1/account/export").await;
    assert_eq!(export.status, 200, "{}", export.body);
    assert_eq!(export.text("/account/email"), customer.email);
    assert_eq!(export.text("/addresses/0/name"), "Ann Example");
    assert_eq!(export.body["cart"], json!([{ "sku": "TEA", "quantity": 3 }]));
    assert_eq!(export.body["sessions"].as_array().unwrap().len(), 1);
    let ids: Vec<_> = export.body["orders"].as_array().unwrap().iter().map(|order| order["id"].clone()).collect();
    assert_eq!(ids, [json!(unpaid), json!(order)]);
    assert_eq!(export.text("/orders/1/shipping_address/line1"), "1 Main St");
    for order in export.body["orders"].as_array().unwrap() {
        let shown = customer.get(&format!("/v1/orders/{}", order["id"].as_str().unwrap())).await;
        assert_eq!(*order, shown.body, "an order is exported as it is shown");
    }
    assert_eq!(export.text("/orders/1/returns/0/reason"), "Unmistakably too small");
    assert_eq!(export.text("/stock_subscriptions/0/sku"), "RARE");
    assert!(export.body["next"].is_null());
    for _ in 0..9 {
        assert_eq!(customer.order(&[("TEA", 1)]).await.status, 201);
    }
    let first = customer.get("/v1/account/export").await;
    let rest = customer.get(&format!("/v1/account/export?cursor={}", first.text("/next"))).await;
    let count = |page: &Answer| page.body["orders"].as_array().unwrap().len();
    assert_eq!(
        (count(&first), count(&rest), rest.text("/orders/0/id"), &rest.body["next"]),
        (10, 1, order, &Value::Null)
    );
    shop.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_leaves_is_gone_from_table_and_indexes_and_the_orders_keep_their_totals() {
    let shop = TestShop::open().await;
    shop.product("TEA", 450, 10).await;
    let (customer, order, unpaid) = with_orders(&shop).await;
    customer.patch("/v1/account", json!({ "name": "Unmistakable Ann" })).await;
    customer.post("/v1/account/addresses", address()).await;
    customer.put_line("TEA", 3).await;
    shop.anyone().post("/v1/password-resets", json!({ "email": customer.email })).await;
    let leave = |password: &str| customer.post_owned("/v1/account/deletion", json!({ "password": password }));
    assert_eq!(leave("a wrong horse").await.fields(), ["/password"]);
    leave(PASSWORD).await.assert_problem(409, "open-orders");
    assert_eq!(customer.get("/v1/account").await.status, 200);
    deliver(&shop, &order).await;
    let second = shop.anyone().with_tokens(&shop.anyone().log_in(&customer.email, PASSWORD).await);
    // Mails that are under way are still for somebody.
    mails(&shop, &customer.email, 6).await;
    assert_eq!(leave(PASSWORD).await.status, 204);

    let left = shop.items().await;
    for trace in [customer.email.as_str(), "Unmistakable"] {
        assert!(!left.contains(trace), "{trace} is left: {left}");
    }
    // Books have to be kept, and an invoice says whom it was for; nobody but staff can read it any more.
    let items = serde_json::Deserializer::from_str(&left).into_iter::<Vec<Value>>().flat_map(Result::unwrap);
    let is_of_the_books = |item: &Value| item["pk"]["S"].as_str().is_some_and(|pk| pk.starts_with("DOCUMENTS#"));
    for item in items.filter(|item| !is_of_the_books(item)) {
        for trace in ["Ann Example", "1 Main St", "62701"] {
            assert!(!item.to_string().contains(trace), "{trace} is left: {item}");
        }
    }
    for gone in [&customer, &second] {
        gone.get("/v1/account").await.assert_problem(401, "unauthorized");
        shop.anyone().refresh(&gone.refresh_token).await.assert_problem(401, "unauthorized");
    }
    shop.anyone().log_in(&customer.email, PASSWORD).await.assert_problem(401, "unauthorized");
    let staff = shop.administrator().await;
    for (id, total) in [(&order, 450), (&unpaid, 900)] {
        let kept = staff.get(&format!("/v1/orders/{id}")).await;
        assert_eq!(kept.body["total"]["amount"], total);
        assert!(kept.body["email"].is_null() && kept.body["shipping_address"].is_null(), "{}", kept.body);
    }
    let list = staff.get("/v1/admin/orders?status=delivered").await;
    assert_eq!(list.body["items"][0]["id"], json!(order));
    assert!(list.body["items"][0]["email"].is_null());
    // The address is free, and whoever takes it finds nothing of before.
    let next = shop.sign_up(&customer.email, PASSWORD).await;
    assert!(next.get("/v1/orders").await.body["items"].as_array().unwrap().is_empty());
    assert!(next.get("/v1/cart").await.body["lines"].as_array().unwrap().is_empty());
    shop.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_order_or_an_address_that_comes_while_somebody_leaves_does_not_outlive_them() {
    let shop = TestShop::open().await;
    shop.product("TEA", 450, 100).await;
    let mut placed = 0;
    for wait in (0..200).step_by(20) {
        let buyer = shop.customer().await;
        let (quote, key) = (buyer.quote(&[("TEA", 1)]).await, key());
        // The password is checked first, which takes longer than all the rest.
        let meanwhile = async {
            tokio::time::sleep(Duration::from_millis(wait)).await;
            tokio::join!(buyer.place(&key, &quote), buyer.post("/v1/account/addresses", address()))
        };
        let leave = buyer.post("/v1/account/deletion", json!({ "password": PASSWORD }));
        let (left, (order, kept)) = tokio::join!(leave, meanwhile);
        assert_eq!(left.status, 204, "{}", left.body);
        assert!([201, 401, 409].contains(&order.status) && [201, 401, 409].contains(&kept.status), "{}", order.body);
        placed += u32::from(order.status == 201);
        let items = shop.items().await;
        for trace in [buyer.email.as_str(), "Ann Example", "1 Main St"] {
            assert!(!items.contains(trace), "{trace} is left after {wait} ms: {items}");
        }
    }
    println!("{placed} orders were placed in time");
    shop.stop().await;
}
