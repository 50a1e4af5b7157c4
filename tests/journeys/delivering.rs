//! Webhooks of the merchant's own: what a system of theirs is sent, by whom it can know it, and what becomes of what it does
//! not take.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use aws_lc_rs::hmac;
use axum::Router;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use reqwest::Method;
use serde_json::{Value, json};
use waybill_tests::{Answer, Person, TestShop, eventually};

const ENDPOINTS: &str = "/v1/admin/webhook-endpoints";

/// A request as the receiver got it.
#[derive(Clone, Debug)]
struct Received {
    path: String,
    headers: HeaderMap,
    body: String,
}

/// A system of the merchant's.
#[derive(Clone, Default)]
struct Receiver {
    received: Arc<Mutex<Vec<Received>>>,
    /// What it answers, and 200 once there is no more of it.
    answers: Arc<Mutex<Vec<u16>>>,
}

impl Receiver {
    async fn open() -> (Receiver, String) {
        let receiver = Receiver::default();
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/hooks?from=shop", listener.local_addr().unwrap());
        let router = Router::new().fallback(take).with_state(receiver.clone());
        tokio::spawn(axum::serve(listener, router).into_future());
        (receiver, url)
    }

    fn will_answer(&self, answers: &[u16]) {
        *self.answers.lock().unwrap() = answers.to_vec();
    }

    fn all(&self) -> Vec<Received> {
        self.received.lock().unwrap().clone()
    }

    /// The requests, once there are so many.
    async fn wait_for(&self, count: usize) -> Vec<Received> {
        eventually(&format!("{count} webhooks"), async || Some(self.all()).filter(|all| all.len() >= count)).await
    }
}

async fn take(State(receiver): State<Receiver>, uri: Uri, headers: HeaderMap, body: String) -> Response {
    receiver.received.lock().unwrap().push(Received { path: uri.to_string(), headers, body });
    let mut answers = receiver.answers.lock().unwrap();
    let status = if answers.is_empty() { 200 } else { answers.remove(0) };
    // Nobody follows it, and nobody reads what else is in an answer.
    let location = [("location", "http://127.0.0.1:1/")];
    (StatusCode::from_u16(status).unwrap(), location, "x".repeat(100_000)).into_response()
}

impl Received {
    fn header(&self, name: &str) -> &str {
        self.headers[name].to_str().unwrap()
    }

    fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap()
    }

    /// Whether each of the secrets has signed it, in this order and no other, as a receiver reckons.
    fn is_signed_by(&self, secrets: &[&str]) -> bool {
        let seconds: i64 = self.header("webhook-timestamp").parse().unwrap();
        assert!((waybill_lambda::clock::now().as_second() - seconds).abs() < 60, "{seconds}");
        let signed = format!("{}.{seconds}.{}", self.header("webhook-id"), self.body);
        let sign = |secret: &&str| {
            let key = BASE64_STANDARD.decode(secret.strip_prefix("whsec_").unwrap()).unwrap();
            assert_eq!(key.len(), 32);
            let tag = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, &key), signed.as_bytes());
            format!("v1,{}", BASE64_STANDARD.encode(tag))
        };
        self.header("webhook-signature") == secrets.iter().map(sign).collect::<Vec<_>>().join(" ")
    }
}

/// A new endpoint: its path and its secret.
async fn endpoint(staff: &Person, body: Value) -> (String, String) {
    let made = staff.post(ENDPOINTS, body).await;
    assert_eq!(made.status, 201, "{}", made.body);
    assert_eq!((made.header("etag"), made.header("cache-control")), (Some("\"1\""), Some("no-store")));
    let path = made.header("location").unwrap().to_owned();
    assert_eq!(path, format!("{ENDPOINTS}/{}", made.text("/id")));
    (path, made.text("/secret"))
}

async fn change(staff: &Person, path: &str, body: Value) -> Answer {
    let version = staff.get(path).await.header("etag").unwrap().to_owned();
    let request = staff.request(Method::PATCH, path).header("if-match", version).json(&body);
    Answer::of(request.send().await.unwrap()).await
}

/// A delivery of the log, once it is so.
async fn logged(staff: &Person, path: &str, status: &str) -> Value {
    let look = async || Some(staff.get(path).await.body).filter(|delivery| delivery["status"] == status);
    eventually(&format!("a delivery that is {status}"), look).await
}

#[tokio::test(flavor = "multi_thread")]
async fn an_endpoint_is_told_of_every_change_signed_and_of_what_it_asked_for_only() {
    let shop = TestShop::open().await;
    shop.product("TEA", 450, 10).await;
    let staff = shop.administrator().await;
    let ((all, url), (paid, paid_url)) = (Receiver::open().await, Receiver::open().await);
    let (path, secret) = endpoint(staff, json!({ "url": url, "description": "ERP" })).await;
    endpoint(staff, json!({ "url": paid_url, "events": ["order.paid.v1"] })).await;
    let (off, off_url) = Receiver::open().await;
    endpoint(staff, json!({ "url": off_url, "enabled": false })).await;

    let (customer, order, session) = shop.order_to_pay("TEA").await;
    assert_eq!(shop.stripe(&format!("sessions/{session}/pay"), json!({})).await.status, 200);
    let told = all.wait_for(3).await;
    let ids: BTreeSet<_> = told.iter().map(|it| it.header("webhook-id").to_owned()).collect();
    assert_eq!(ids, (1..=3).map(|version| format!("{order}/{version}")).collect());
    for received in &told {
        assert!(received.is_signed_by(&[&secret]), "{received:?}");
        assert_eq!((received.path.as_str(), received.header("content-type")), ("/hooks?from=shop", "application/json"));
        let message = received.json();
        assert_eq!(message["id"], received.header("webhook-id"));
        assert_eq!((&message["order"]["id"], &message["order"]["email"]), (&json!(order), &json!(customer.email)));
        assert!(message["places"].is_null());
    }
    let only = paid.wait_for(1).await;
    assert_eq!(
        (only[0].json()["event"]["type"].clone(), only[0].json()["order"]["payment_status"].clone()),
        (json!("order.paid.v1"), json!("paid"))
    );

    // The log has each, and is searched.
    let log = async |query: &str| {
        staff.get(&format!("{path}/deliveries{query}")).await.body["items"].as_array().unwrap().clone()
    };
    let whole = eventually("the log", async || Some(log("").await).filter(|log| log.len() == 3)).await;
    for delivery in &whole {
        assert_eq!((&delivery["status"], &delivery["tries"]), (&json!("delivered"), &json!(1)));
        assert_eq!(delivery["attempts"][0]["status"], 200);
    }
    for (query, count) in [
        (format!("?order={order}"), 3),
        ("?event=order.paid.v1".into(), 1),
        ("?status=delivered&event=order.placed.v1".into(), 1),
        ("?status=failed".into(), 0),
        ("?event=webhook.test.v1".into(), 0),
        ("?order=ord_00000000000000000000000000".into(), 0),
    ] {
        assert_eq!(log(&query).await.len(), count, "{query}");
    }
    let page = staff.get(&format!("{path}/deliveries?limit=2")).await;
    let next = staff.get(&format!("{path}/deliveries?limit=2&cursor={}", page.text("/next"))).await;
    assert_eq!([&page, &next].map(|page| page.body["items"].as_array().unwrap().len()), [2, 1]);
    staff
        .get(&format!("{path}/deliveries?limit=2&status=failed&cursor={}", page.text("/next")))
        .await
        .assert_problem(422, "invalid");
    let wrong = staff.get(&format!("{path}/deliveries?status=x&event=order.paid&order=7&limit=0&more=1")).await;
    wrong.assert_problem(422, "invalid");
    assert_eq!(wrong.fields(), ["status", "event", "order", "limit", "more"]);
    assert!(off.all().is_empty() && paid.all().len() == 1);

    // Nowhere but in the answers that made it is a secret; and no line of the log tells of anybody.
    assert!(!staff.get(ENDPOINTS).await.body.to_string().contains("whsec_"));
    assert!(!shop.logs().iter().any(|line| line.contains(&secret) || line.contains(&customer.email)));
    shop.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_an_endpoint_does_not_take_is_tried_again_logged_and_can_be_redelivered() {
    let shop = TestShop::open().await;
    shop.product("TEA", 450, 10).await;
    let staff = shop.administrator().await;
    let (receiver, url) = Receiver::open().await;
    let (path, secret) = endpoint(staff, json!({ "url": url })).await;
    receiver.will_answer(&[302]);
    let customer = shop.customer().await;
    let order = customer.order(&[("TEA", 1)]).await.text("/id");
    let delivery = format!("{path}/deliveries/{order}-1");
    let pending = logged(staff, &delivery, "pending").await;
    assert_eq!((&pending["attempts"][0]["status"], &pending["event"]), (&json!(302), &json!("order.placed.v1")));
    assert!(pending["next_attempt_at"].is_string());
    assert!(staff.get(&path).await.body["failing_since"].is_string());
    let delivered = logged(staff, &delivery, "delivered").await;
    assert_eq!((delivered["tries"].clone(), delivered["attempts"][1]["status"].clone()), (json!(2), json!(200)));
    let told = receiver.wait_for(2).await;
    assert_eq!((told.len(), &told[0].body), (2, &told[1].body));
    assert_eq!(told[0].header("webhook-id"), told[1].header("webhook-id"));
    let well = async || staff.get(&path).await.body["failing_since"].is_null().then_some(());
    eventually("an endpoint that is well", well).await;

    // The message once more, as a queue may bring it, sends nothing.
    let message = json!({
        "id": format!("{order}-1"), "at": "2026-11-27T00:00:00Z", "endpoint_id": path.rsplit('/').next().unwrap(),
        "event": { "type": "webhook.due.v1", "message": told[0].json() },
    });
    let record =
        json!({ "messageId": "1", "receiptHandle": "r", "body": message.to_string(), "eventSource": "aws:sqs" });
    let again = shop.invoke("deliver", json!({ "Records": [record.clone(), record] })).await;
    assert_eq!(again["batchItemFailures"], json!([]));
    assert_eq!(receiver.all().len(), 2);

    // By hand it is sent again, as it was then; and once only, whatever is answered.
    staff.post(&format!("/v1/admin/orders/{order}/cancel"), json!({ "reason": "Lost" })).await;
    receiver.wait_for(3).await;
    receiver.will_answer(&[500]);
    let asked = staff.post(&format!("{delivery}/redeliver"), json!({})).await;
    assert_eq!((asked.status, asked.header("location")), (202, Some(delivery.as_str())));
    let failed = logged(staff, &delivery, "failed").await;
    assert_eq!((&failed["tries"], &failed["next_attempt_at"]), (&json!(3), &Value::Null));
    staff.post(&format!("{delivery}/redeliver"), json!({})).await;
    logged(staff, &delivery, "delivered").await;
    let told = receiver.wait_for(5).await;
    for sent in [&told[3], &told[4]] {
        assert!(sent.is_signed_by(&[&secret]));
        assert_eq!((sent.header("webhook-id"), sent.json()), (told[0].header("webhook-id"), told[0].json()));
    }
    assert!(staff.get(&path).await.body["failing_since"].is_null(), "what staff ask for says nothing against it");

    // Once the customer has left there is nothing to be told.
    assert_eq!(customer.post("/v1/account/deletion", json!({ "password": waybill_tests::PASSWORD })).await.status, 204);
    staff.post(&format!("{delivery}/redeliver"), json!({})).await;
    let forgotten = logged(staff, &delivery, "failed").await;
    assert_eq!(forgotten["attempts"].as_array().unwrap().last().unwrap()["error"], "forgotten");
    assert_eq!(receiver.all().len(), 5);
    shop.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_test_is_sent_at_once_and_a_rotated_secret_signs_beside_the_new_one() {
    let shop = TestShop::open().await;
    let staff = shop.administrator().await;
    let (receiver, url) = Receiver::open().await;
    let (path, old) = endpoint(staff, json!({ "url": url, "enabled": false })).await;
    let rotated = staff.post(&format!("{path}/rotate-secret"), json!({})).await;
    assert_eq!((rotated.status, rotated.header("cache-control")), (200, Some("no-store")));
    let new = rotated.text("/secret");
    assert!(new != old && rotated.body["previous_signs_until"].is_string());
    let test = staff.post(&format!("{path}/test"), json!({})).await;
    assert_eq!((test.status, test.text("/status")), (202, "asked".into()));
    let done = logged(staff, test.header("location").unwrap(), "delivered").await;
    assert_eq!((&done["event"], &done["order_id"]), (&json!("webhook.test.v1"), &Value::Null));
    let told = receiver.wait_for(1).await;
    assert!(told[0].is_signed_by(&[&new, &old]));
    assert_eq!(told[0].json()["event"], json!({ "type": "webhook.test.v1" }));
    assert_eq!(told[0].header("webhook-id"), test.text("/id"));

    // A second rotation within the day: of the first secret nobody hears any more.
    let newest = staff.post(&format!("{path}/rotate-secret"), json!({})).await.text("/secret");
    receiver.will_answer(&[503]);
    let test = staff.post(&format!("{path}/test"), json!({})).await;
    let failed = logged(staff, test.header("location").unwrap(), "failed").await;
    assert_eq!((&failed["tries"], &failed["attempts"][0]["status"]), (&json!(1), &json!(503)));
    assert!(receiver.wait_for(2).await[1].is_signed_by(&[&newest, &new]));
    tokio::time::sleep(Duration::from_secs(6)).await;
    assert_eq!(receiver.all().len(), 2, "a test is not tried again");
    assert!(staff.get(&path).await.body["failing_since"].is_null());
    shop.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_endpoint_that_wants_nothing_any_more_is_disabled_until_staff_enable_it() {
    let shop = TestShop::open().await;
    shop.product("TEA", 450, 10).await;
    let staff = shop.administrator().await;
    let (receiver, url) = Receiver::open().await;
    let (path, _) = endpoint(staff, json!({ "url": url })).await;
    receiver.will_answer(&[410]);
    let customer = shop.customer().await;
    let first = customer.order(&[("TEA", 1)]).await.text("/id");
    let failed = logged(staff, &format!("{path}/deliveries/{first}-1"), "failed").await;
    assert_eq!((&failed["tries"], &failed["attempts"][0]["status"]), (&json!(1), &json!(410)));
    let off = async || Some(staff.get(ENDPOINTS).await.body["items"][0].clone()).filter(|it| it["enabled"] == false);
    let disabled = eventually("a disabled endpoint", off).await;
    assert_eq!(disabled["disabled"]["reason"], "gone");
    assert!(shop.logs().iter().any(|line| line.contains("a webhook endpoint was disabled")));
    let customer = shop.customer().await;
    customer.order(&[("TEA", 1)]).await;

    let enabled = change(staff, &path, json!({ "enabled": true })).await;
    assert_eq!((enabled.status, &enabled.body["disabled"]), (200, &Value::Null));
    let third = customer.order(&[("TEA", 1)]).await.text("/id");
    let told = receiver.wait_for(2).await;
    assert_eq!(told[1].header("webhook-id"), format!("{third}/1"), "what happened while it was disabled is not sent");
    assert_eq!(told.len(), 2);
    shop.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_sent_to_an_address_that_is_not_public_or_that_nobody_knows() {
    // As the template has it for production: no host may be here.
    let shop = TestShop::open_with(|options| {
        options.parameters.insert("WebhookTestHosts".into(), String::new());
    })
    .await;
    let staff = shop.administrator().await;
    let (receiver, url) = Receiver::open().await;
    for (bad, reason) in [
        (url.clone(), "https"),
        (url.replace("http:", "https:"), "public internet"),
        ("https://169.254.169.254/latest/meta-data/".into(), "public internet"),
        ("https://0x7f.1/".into(), "public internet"),
        ("https://[::1]/".into(), "public internet"),
        ("https://[::ffff:10.0.0.1]/".into(), "public internet"),
        ("https://a:b@erp.example.com/".into(), "password"),
        ("https://erp.example.com/#x".into(), "fragment"),
        (format!("https://erp.example.com/{}", "x".repeat(2048)), "2048"),
        ("erp.example.com".into(), "https"),
    ] {
        let refused = staff.post(ENDPOINTS, json!({ "url": bad })).await;
        refused.assert_problem(422, "invalid");
        assert_eq!(refused.fields(), ["/url"], "{bad}");
        assert!(refused.body.to_string().contains(reason), "{}", refused.body);
    }
    // A name tells only when it is asked where it leads.
    let port = url.split([':', '/']).nth(4).unwrap();
    for (host, error) in [(format!("localhost:{port}"), "address"), ("nothing.invalid".into(), "name")] {
        let (path, _) = endpoint(staff, json!({ "url": format!("https://{host}/") })).await;
        let test = staff.post(&format!("{path}/test"), json!({})).await;
        let failed = logged(staff, test.header("location").unwrap(), "failed").await;
        assert_eq!(failed["attempts"][0]["error"], error, "{host}");
    }
    assert!(receiver.all().is_empty());
    shop.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn administrators_set_endpoints_up_on_the_version_that_they_read() {
    let shop = TestShop::open().await;
    let staff = shop.administrator().await;
    let url = "https://erp.example.com/hooks";
    let (path, _) = endpoint(staff, json!({ "url": url, "events": ["order.paid.v1", "order.paid.v1"] })).await;
    let read = staff.get(&path).await;
    assert_eq!((&read.body["events"], &read.body["description"]), (&json!(["order.paid.v1"]), &json!("")));
    let changed =
        change(staff, &path, json!({ "events": [], "description": " Warehouse ", "url": "https://wms.example.com" }))
            .await;
    assert_eq!((changed.status, changed.header("etag")), (200, Some("\"2\"")));
    assert_eq!(
        (changed.text("/url"), changed.text("/description")),
        ("https://wms.example.com/".into(), "Warehouse".into())
    );
    let stale = staff.request(Method::PATCH, &path).header("if-match", "\"1\"").json(&json!({ "enabled": false }));
    Answer::of(stale.send().await.unwrap()).await.assert_problem(412, "outdated");
    staff.patch(&path, json!({})).await.assert_problem(428, "version-needed");
    for (body, fields) in [
        (json!({ "url": url, "events": ["order.paid.v1", "order.paid", "x"] }), vec!["/events/1", "/events/2"]),
        (json!({ "url": url, "events": vec!["order.paid.v1"; 29] }), vec!["/events"]),
        (json!({ "url": url, "description": "x".repeat(201) }), vec!["/description"]),
        (json!({ "url": url, "description": "two\nlines" }), vec!["/description"]),
        (json!({ "url": url, "enabled": "yes" }), vec!["/enabled"]),
    ] {
        let refused = staff.post(ENDPOINTS, body).await;
        refused.assert_problem(422, "invalid");
        assert_eq!(refused.fields(), fields);
    }
    for _ in 1..16 {
        endpoint(staff, json!({ "url": url, "description": "x".repeat(200) })).await;
    }
    staff.post(ENDPOINTS, json!({ "url": url })).await.assert_problem(409, "too-many");
    assert_eq!(staff.delete(&path).await.status, 204);
    staff.delete(&path).await.assert_problem(404, "not-found");
    for gone in [path.clone(), format!("{path}/deliveries"), format!("{path}/deliveries/x")] {
        staff.get(&gone).await.assert_problem(404, "not-found");
    }
    for gone in ["test", "rotate-secret", "deliveries/ord_00000000000000000000000000-1/redeliver"] {
        staff.post(&format!("{path}/{gone}"), json!({})).await.assert_problem(404, "not-found");
    }
    endpoint(staff, json!({ "url": url })).await;
    shop.stop().await;
}
