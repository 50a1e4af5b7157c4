//! Who gets in, and what is told of it: tokens, tickets, logs.

use reqwest::Method;
use serde_json::{Value, json};
use waybill_local::{Folder, Store, workspace};
use waybill_tests::{Socket, TestShop, address, eventually, is_deployed, key};

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
    assert_eq!(theirs.ask(json!({ "type": "hello" })).await["sees"], "own_orders");
    let (customer, _, session) = shop.order_to_pay("TEA").await;
    let mut own = Socket::open(&shop, &customer).await;
    shop.stripe(&format!("sessions/{session}/pay"), json!({})).await;
    own.until("order.paid").await;
    assert_eq!(theirs.within(std::time::Duration::from_secs(1)).await, None);
    own.close().await;
    shop.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_gives_way_to_the_next_and_dies_with_the_one_after() {
    let folder = std::env::temp_dir().join(format!("waybill-keys-{}", key()));
    let open = || TestShop::open_with(|options| options.store = Store::Folder(Folder::open(&folder, false).unwrap()));
    let kids = async |shop: &TestShop| {
        let set = shop.anyone().get("/.well-known/jwks.json").await;
        set.body["keys"]
            .as_array()
            .unwrap()
            .iter()
            .map(|key| key["kid"].as_str().unwrap().to_owned())
            .collect::<Vec<_>>()
    };
    let rotate = || {
        let file = folder.join("secrets.json");
        let mut secrets: Value = serde_json::from_slice(&std::fs::read(&file).unwrap()).unwrap();
        secrets["TokenKey"]["value"] = json!(format!("{}{}", key(), key()));
        std::fs::write(&file, secrets.to_string()).unwrap();
    };
    let shop = open().await;
    let customer = shop.customer().await;
    let first = kids(&shop).await;
    assert_eq!(first.len(), 1);
    shop.stop().await;

    rotate();
    let shop = open().await;
    let second = kids(&shop).await;
    assert!(second.len() == 2 && second[0] != first[0] && second[1] == first[0], "{second:?}");
    let old = shop.anyone().with_token(customer.token());
    assert_eq!(old.get("/v1/cart").await.status, 200);
    let renewed = shop.anyone().refresh(&customer.refresh_token).await;
    assert_eq!(shop.anyone().with_tokens(&renewed).get("/v1/cart").await.status, 200);
    shop.stop().await;

    rotate();
    let shop = open().await;
    assert!(!kids(&shop).await.contains(&first[0]));
    shop.anyone().with_token(customer.token()).get("/v1/cart").await.assert_problem(401, "unauthorized");
    let renewed = shop.anyone().with_token(&renewed.text("/access_token"));
    assert_eq!(renewed.get("/v1/cart").await.status, 200);
    shop.stop().await;
    std::fs::remove_dir_all(&folder).unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn browsers_may_call_from_the_shops_pages_only_and_are_told_what_not_to_do() {
    let shop = TestShop::open().await;
    let ask = async |method: Method, origin: &str| {
        let request = shop.anyone().request(method, "/v1/categories").header("origin", origin);
        request.header("access-control-request-method", "GET").send().await.unwrap()
    };
    for method in [Method::OPTIONS, Method::GET] {
        let ours = ask(method.clone(), "http://localhost:5173").await;
        assert_eq!(ours.headers()["access-control-allow-origin"], "http://localhost:5173");
        assert!(!ours.headers().contains_key("access-control-allow-credentials"));
        for other in ["https://evil.example.com", "http://localhost:5173.evil.example.com", "null"] {
            let refused = ask(method.clone(), other).await;
            assert!(!refused.headers().contains_key("access-control-allow-origin"), "{method} {other}");
        }
    }
    let headers = [
        ("cache-control", "no-store"),
        ("content-security-policy", "default-src 'none'; base-uri 'none'; frame-ancestors 'none'"),
        ("cross-origin-resource-policy", "same-site"),
        ("referrer-policy", "no-referrer"),
        ("strict-transport-security", "max-age=31536000; includeSubDomains"),
        ("x-content-type-options", "nosniff"),
    ];
    for path in ["/v1/account", "/v1/cart", "/v1/orders", "/v1/nothing"] {
        let answer = shop.anyone().get(path).await;
        for (name, value) in headers {
            assert_eq!(answer.header(name), Some(value), "{path}");
        }
        assert!(answer.header("server").is_none() && answer.header("x-powered-by").is_none());
    }
    shop.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_secret_is_logged() {
    let shop = TestShop::open().await;
    shop.product("TEA", 450, 10).await;
    let customer = shop.customer().await;
    let quote = customer.quote(&[("TEA", 1)]).await;
    customer.place(&key(), &quote).await;
    let staff = shop.administrator().await;
    // A canary in every field of every route, as text and where it does not fit, and in paths, queries and headers.
    let canary = "canary4111111111111111canary";
    let document: Value =
        serde_json::from_str(&std::fs::read_to_string(workspace().join("infra/openapi.json")).unwrap()).unwrap();
    let mut sent = 0;
    for (path, methods) in document["paths"].as_object().unwrap() {
        for (method, operation) in methods.as_object().unwrap() {
            let method: Method = method.to_uppercase().parse().unwrap();
            if method == Method::DELETE && matches!(path.as_str(), "/v1/sessions" | "/v1/sessions/current") {
                continue; // They would end the session that the others are asked in.
            }
            let concrete = path.split('/').map(|part| if part.starts_with('{') { canary } else { part });
            let concrete = concrete.collect::<Vec<_>>().join("/");
            let schema = operation["requestBody"]["content"]["application/json"]["schema"]["$ref"].as_str();
            let fields = schema.and_then(|schema| document.pointer(&schema[1..])?["properties"].as_object());
            let names: Vec<&String> = fields.into_iter().flat_map(|fields| fields.keys()).collect();
            let text = format!("{canary}@example.com");
            let whole: Value =
                names.iter().map(|name| ((*name).clone(), json!(text))).collect::<serde_json::Map<_, _>>().into();
            let mut bodies = vec![whole.clone(), json!({ canary: 1 }), json!(canary), json!([canary])];
            for name in &names {
                let mut body = whole.clone();
                body[name.as_str()] = json!({ canary: [canary] });
                bodies.push(body);
            }
            for (person, body) in bodies.iter().flat_map(|body| [(&customer, body), (staff, body)]) {
                let request = person.request(method.clone(), &format!("{concrete}?{canary}={canary}"));
                let request = request.header("idempotency-key", canary).header("x-forwarded-for", canary);
                let request = request.header("user-agent", canary).header("stripe-signature", canary);
                let answer = request.json(body).send().await.unwrap();
                assert!(answer.status().as_u16() < 500, "{method} {path} {body}");
                sent += 1;
            }
        }
    }
    assert!(sent > 200, "{sent}");
    assert_eq!(customer.get("/v1/account").await.status, 200, "the canaries were heard by somebody who is logged in");
    for body in [format!("{{\"{canary}\": "), canary.to_owned()] {
        let request = shop.anyone().request(Method::POST, "/v1/sessions").header("content-type", "application/json");
        assert!(matches!(request.body(body).send().await.unwrap().status().as_u16(), 400 | 422));
    }
    shop.anyone().with_token(&format!("x.{canary}.y")).get("/v1/account").await;
    Socket::with_ticket(&shop, canary).await.err().unwrap();
    let stranger = json!({ "email": "canary4111111111111111canary@example.com", "password": "canary-password-4111" });
    for path in ["/v1/accounts", "/v1/sessions"] {
        shop.anyone().post(path, stranger.clone()).await;
    }
    customer.place_with(&key(), json!({ "quote": canary, "shipping_address": address() })).await;
    eventually("the mail", async || shop.mails_to(stranger["email"].as_str().unwrap()).await.pop()).await;

    let secrets = [
        "correct horse",
        canary,
        "canary-password-4111",
        "Main St",
        "Ann Example",
        &customer.email,
        customer.token(),
        &customer.refresh_token,
        &customer.device_token,
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
