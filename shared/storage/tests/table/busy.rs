//! A table that is busy, played by an endpoint that answers as DynamoDB does: how often is it asked, and when is it
//! enough?

use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use axum::Router;
use axum::http::StatusCode;
use serde::Serialize;
use serde_json::{Value, json};
use waybill_domain::id::CategoryId;
use waybill_domain::product::{Product, ProductState};
use waybill_storage::catalog::{Listing, ProductRefused};
use waybill_storage::{Refused, StorageError, Table};

use crate::shop::{STAFF, TABLE, customer, fresh_cart, line, listing, offer, product, reasons};
use crate::wire::Wire;

/// A product that stands in no category and has no offers: two writes make it.
fn bare(slug: &str) -> Listing {
    let product = product(CategoryId::new(Default::default()), slug);
    listing(&Product { category_ids: Vec::new(), ..product }, [])
}

/// A table that gives these answers one after the other, and the last one for ever.
async fn table(answers: Vec<(StatusCode, Value)>) -> (Table, Wire) {
    let mut answers = answers.into_iter();
    let state = Arc::new(Mutex::new((answers.next().unwrap(), answers)));
    let answer = move || {
        let mut state = state.lock().unwrap();
        let next = state.1.next();
        let (status, body) = match next {
            Some(next) => std::mem::replace(&mut state.0, next),
            None => state.0.clone(),
        };
        async move { (status, [("content-type", "application/x-amz-json-1.0")], body.to_string()) }
    };
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let endpoint = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move { axum::serve(listener, Router::new().fallback(answer)).await.unwrap() });
    let wire = Wire::default();
    (Table::new(wire.client(&endpoint), TABLE), wire)
}

fn ok() -> (StatusCode, Value) {
    (StatusCode::OK, json!({}))
}

fn cancelled(reasons: &[&str]) -> (StatusCode, Value) {
    let message = format!("Transaction cancelled, please refer cancellation reasons for specific reasons {reasons:?}");
    let reasons: Vec<_> = reasons.iter().map(|code| json!({ "Code": code })).collect();
    let body = json!({
        "__type": "com.amazonaws.dynamodb.v20120810#TransactionCanceledException",
        "Message": message,
        "CancellationReasons": reasons,
    });
    (StatusCode::BAD_REQUEST, body)
}

fn failed(code: &str) -> (StatusCode, Value) {
    let body = json!({ "__type": format!("com.amazonaws.dynamodb.v20120810#{code}"), "message": "Busy." });
    (StatusCode::BAD_REQUEST, body)
}

/// A value as DynamoDB answers it.
fn item<T: Serialize>(value: &T) -> Value {
    serde_json::to_value(serde_dynamo::to_item::<_, serde_dynamo::Item>(value).unwrap()).unwrap()
}

fn at_key(sk: &str, mut item: Value) -> Value {
    item["pk"] = json!({ "S": "" });
    item["sk"] = json!({ "S": sk });
    item
}

#[track_caller]
fn assert_busy<T: std::fmt::Debug, E: std::fmt::Debug>(result: Result<T, Refused<E>>) {
    match result {
        Err(Refused::Failed(StorageError::Busy(_))) => {}
        other => panic!("not busy: {other:?}"),
    }
}

#[tokio::test]
async fn a_transaction_that_meets_another_one_is_tried_again() {
    for code in ["TransactionConflict", "ThrottlingError", "ProvisionedThroughputExceeded"] {
        let busy = cancelled(&[code, "None"]);
        let (table, wire) = table(vec![busy.clone(), busy.clone(), busy, ok()]).await;
        table.create_product(&bare("tea"), STAFF).await.unwrap();
        assert_eq!(wire.calls(), ["TransactWriteItems"; 4], "{code}");
    }
}

#[tokio::test]
async fn a_transaction_that_keeps_meeting_others_is_given_up_as_busy() {
    let (table, wire) = table(vec![cancelled(&["None", "TransactionConflict"])]).await;
    let started = Instant::now();
    assert_busy(table.create_product(&bare("tea"), STAFF).await);
    assert_eq!(wire.calls(), ["TransactWriteItems"; 8]);
    assert!(started.elapsed() < Duration::from_secs(2), "{:?}", started.elapsed());
}

#[tokio::test]
async fn a_refusal_before_a_conflict_is_final() {
    let (table, wire) = table(vec![cancelled(&["ConditionalCheckFailed", "TransactionConflict"]), ok()]).await;
    assert_eq!(reasons(table.create_product(&bare("tea"), STAFF).await), [ProductRefused::SlugTaken]);
    assert_eq!(wire.calls(), ["TransactWriteItems"]);
}

/// Two requests with one idempotency key: the order is still being written when the cart has gone already.
#[tokio::test]
async fn a_refusal_behind_a_conflict_waits_for_what_the_conflict_was_about() {
    let answers = vec![
        cancelled(&["TransactionConflict", "ConditionalCheckFailed"]),
        cancelled(&["ConditionalCheckFailed", "ConditionalCheckFailed"]),
    ];
    let (table, wire) = table(answers).await;
    let refused = table.create_product(&bare("tea"), STAFF).await;
    // That the product is there as well can only mean that it is the same one: the first reason explains the others.
    assert_eq!(reasons(refused), [ProductRefused::SlugTaken]);
    assert_eq!(wire.calls(), ["TransactWriteItems"; 2]);
}

#[tokio::test]
async fn a_refusal_after_a_conflict_is_a_refusal() {
    let answers = vec![cancelled(&["TransactionConflict", "None"]), cancelled(&["ConditionalCheckFailed", "None"])];
    let (table, wire) = table(answers).await;
    assert_eq!(reasons(table.create_product(&bare("tea"), STAFF).await), [ProductRefused::SlugTaken]);
    assert_eq!(wire.calls(), ["TransactWriteItems"; 2]);
}

#[tokio::test]
async fn a_transaction_that_is_wrong_is_not_tried_again() {
    for answer in
        [cancelled(&["ValidationError", "None"]), failed("ValidationException"), failed("AccessDeniedException")]
    {
        let (table, wire) = table(vec![answer, ok()]).await;
        let result = table.create_product(&bare("tea"), STAFF).await;
        assert!(matches!(result, Err(Refused::Failed(StorageError::Broken(_)))), "{result:?}");
        assert_eq!(wire.calls(), ["TransactWriteItems"]);
    }
}

#[tokio::test]
async fn a_failure_within_dynamodb_is_tried_again_and_given_up_as_busy() {
    let (_, body) = failed("InternalServerError");
    let failure = (StatusCode::INTERNAL_SERVER_ERROR, body);
    let (calm, wire) = table(vec![failure.clone(), failure.clone(), ok()]).await;
    calm.create_product(&bare("tea"), STAFF).await.unwrap();
    assert_eq!(wire.calls(), ["TransactWriteItems"; 3]);

    let (broken, wire) = table(vec![failure]).await;
    assert_busy(broken.create_product(&bare("tea"), STAFF).await);
    assert_eq!(wire.calls(), ["TransactWriteItems"; 3]);
    let tea = offer(&bare("tea").product, "TEA", 450, 1);
    assert_busy(broken.set_cart_line(customer(), &tea.sku, line(&tea, 1), fresh_cart()).await);
    assert_eq!(wire.calls(), ["UpdateItem"; 3]);
}

#[tokio::test]
async fn a_single_write_that_meets_a_transaction_is_tried_again_and_given_up_as_busy() {
    let before = bare("earl-grey");
    let offer = offer(&before.product, "TEA", 450, 1);
    let conflict = failed("TransactionConflictException");
    let (calm, wire) = table(vec![conflict.clone(), conflict.clone(), ok()]).await;
    calm.save_product(&before, &before, STAFF).await.unwrap();
    assert_eq!(wire.calls(), ["PutItem"; 3]);

    let (busy, wire) = table(vec![conflict.clone()]).await;
    assert_busy(busy.save_product(&before, &before, STAFF).await);
    assert_eq!(wire.calls(), ["PutItem"; 8]);
    assert_busy(busy.set_cart_line(customer(), &offer.sku, line(&offer, 1), fresh_cart()).await);
    assert_eq!(wire.calls(), ["UpdateItem"; 8]);

    let (refusing, wire) = table(vec![conflict, failed("ConditionalCheckFailedException")]).await;
    let refused = refusing.save_product(&before, &before, STAFF).await;
    assert_eq!(reasons(refused), [ProductRefused::Changed]);
    assert_eq!(wire.calls(), ["PutItem"; 2]);
}

#[tokio::test]
async fn offers_that_stayed_unread_are_asked_for_again_and_given_up_as_busy() {
    let product = product(CategoryId::new(Default::default()), "earl-grey");
    let offers = ["CUP", "TEA"].map(|sku| offer(&product, sku, 450, 1));
    let wanted = offers.each_ref().map(|offer| (offer.sku.clone(), product.id));
    let unread = json!({ TABLE: { "Keys": [{ "pk": { "S": "PRODUCT" }, "sk": { "S": "SKU#TEA" } }] } });
    let half = json!({ "Responses": { TABLE: [item(&offers[0])] }, "UnprocessedKeys": unread });
    let rest = json!({ "Responses": { TABLE: [item(&offers[1])] }, "UnprocessedKeys": {} });
    let (slow, wire) = table(vec![(StatusCode::OK, half), (StatusCode::OK, rest)]).await;
    assert_eq!(slow.offers(&wanted).await.unwrap(), offers.map(|offer| (offer.sku.clone(), offer)).into());
    assert_eq!(wire.calls(), ["BatchGetItem"; 2]);

    let (stuck, wire) = table(vec![(StatusCode::OK, json!({ "UnprocessedKeys": unread }))]).await;
    let read = stuck.offers(&wanted).await;
    assert!(matches!(read, Err(StorageError::Busy(_))), "{read:?}");
    assert_eq!(wire.calls(), ["BatchGetItem"; 8]);
}

#[tokio::test]
async fn a_look_at_one_moment_that_meets_a_transaction_is_tried_again_and_given_up_as_busy() {
    let product = product(CategoryId::new(Default::default()), "earl-grey");
    let tea = offer(&product, "TEA", 450, 1);
    let Listing { product, .. } = listing(&product, [tea.clone()]);
    let list = json!({ "Items": [{ "summary": { "M": item(&product.summary()) } }] });
    let whole = json!({ "Items": [at_key("PRODUCT", item(&product)), at_key("SKU#TEA", item(&tea))] });
    let read = [(StatusCode::OK, list), (StatusCode::OK, whole)];
    let busy = cancelled(&["None", "TransactionConflict"]);
    let audit = async |last: Vec<(StatusCode, Value)>| {
        let (table, wire) = table(read.iter().cloned().chain(last).collect()).await;
        let audit = table.audit(ProductState::Active, None, 10).await;
        (audit, wire.calls().iter().filter(|call| *call == "TransactGetItems").count())
    };
    let gone = (StatusCode::OK, json!({ "Responses": [{}, {}] }));
    let (found, looks) = audit(vec![busy.clone(), busy.clone(), gone]).await;
    assert_eq!((found.unwrap().findings, looks), (vec![], 3));
    let (gave_up, looks) = audit(vec![busy]).await;
    assert!(matches!(gave_up, Err(StorageError::Busy(_))), "{gave_up:?}");
    assert_eq!(looks, 8);
}

#[tokio::test]
async fn a_throttled_table_is_given_up_before_a_function_times_out() {
    let before = bare("earl-grey");
    let (table, wire) = table(vec![failed("ThrottlingException")]).await;
    let started = Instant::now();
    assert_busy(table.create_product(&bare("tea"), STAFF).await);
    assert_eq!(wire.calls(), ["TransactWriteItems"; 3]);
    assert_busy(table.save_product(&before, &before, STAFF).await);
    assert_eq!(wire.calls(), ["PutItem"; 3]);
    let read = table.cart(customer()).await;
    assert!(matches!(read, Err(StorageError::Busy(_))), "{read:?}");
    assert_eq!(wire.calls(), ["GetItem"; 3]);
    // The client waits up to a fifth of a second and then up to twice that, and has done so three times.
    assert!(started.elapsed() < Duration::from_secs(10), "{:?}", started.elapsed());
}
