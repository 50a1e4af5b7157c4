//! What staff note about orders, for each other.

use reqwest::Method;
use serde_json::json;
use waybill_tests::{Answer, PASSWORD, Person, TestShop, key};

async fn note(staff: &Person, order: &str, key: &str, text: &str) -> Answer {
    staff.post_once(&format!("/v1/admin/orders/{order}/notes"), key, json!({ "text": text })).await
}

#[tokio::test(flavor = "multi_thread")]
async fn staff_note_for_each_other_what_no_buyer_sees_and_it_goes_with_the_buyer() {
    let shop = TestShop::open().await;
    shop.product("TEA", 450, 10).await;
    let buyer = shop.customer().await;
    let order = buyer.order(&[("TEA", 1)]).await.text("/id");
    let (support, manager) = (shop.staff("support").await, shop.staff("manager").await);
    let path = format!("/v1/admin/orders/{order}/notes");

    let once = key();
    let first = note(&support, &order, &once, "Ann called:\nto the neighbour, please.").await;
    assert_eq!(first.status, 201, "{}", first.body);
    let again = note(&support, &order, &once, "Ann called:\nto the neighbour, please.").await;
    assert_eq!((again.header("idempotent-replayed"), &again.body), (Some("true"), &first.body));
    note(&support, &order, &once, "Something else").await.assert_problem(422, "invalid");
    // The key is the support's own.
    let second = note(&manager, &order, &once, "Done.").await;
    assert_eq!(second.status, 201);
    for text in ["", " ", &"x".repeat(2_001)] {
        note(&support, &order, &key(), text).await.assert_problem(422, "invalid");
    }
    assert_eq!(note(&support, &order, &key(), &"x".repeat(2_000)).await.status, 201);
    note(&support, "ord_00000000000000000000000000", &key(), "Nobody's").await.assert_problem(404, "not-found");
    note(&buyer, &order, &key(), "Mine").await.assert_problem(403, "forbidden");
    buyer.get(&path).await.assert_problem(403, "forbidden");

    let newest = support.get(&format!("{path}?limit=1")).await;
    let next = newest.body["next"].as_str().unwrap();
    let rest = support.get(&format!("{path}?limit=2&cursor={next}")).await;
    assert_eq!(rest.body["items"], json!([second.body, first.body]));
    assert_eq!(rest.body["items"][1]["text"], "Ann called:\nto the neighbour, please.");
    let seen = buyer.get(&format!("/v1/orders/{order}")).await.body.to_string();
    assert!(!seen.contains("neighbour"), "{seen}");

    let gone = format!("{path}/{}", second.text("/id"));
    for _ in 0..2 {
        assert_eq!(manager.request(Method::DELETE, &gone).send().await.unwrap().status(), 204);
    }
    assert_eq!(support.get(&path).await.body["items"].as_array().unwrap().len(), 2);

    let password = json!({ "password": PASSWORD });
    assert_eq!(buyer.post("/v1/account/deletion", password).await.status, 204);
    assert_eq!(support.get(&path).await.body["items"], json!([]));
    note(&support, &order, &key(), "Ann again").await.assert_problem(404, "not-found");
    shop.stop().await;
}
