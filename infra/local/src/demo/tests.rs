//! Filling a shop that keeps what it is given, twice and with an interruption.

use std::collections::HashSet;
use std::sync::{Arc, Mutex};

use axum::extract::{Path, State};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};

use super::*;

/// What a shop's API keeps, and how many calls it answers before it is out of order.
#[derive(Default)]
struct Kept {
    calls_left: Option<u32>,
    categories: Vec<Value>,
    products: Vec<Value>,
}

type Api = State<Arc<Mutex<Kept>>>;

async fn shop(kept: Arc<Mutex<Kept>>) -> String {
    let router =
        Router::new()
            .route(
                "/v1/categories",
                get(|State(kept): Api| async move {
                    Json(json!({ "items": kept.lock().unwrap().categories, "next": null }))
                }),
            )
            .route("/v1/admin/{kind}", post(add))
            .with_state(kept);
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move { axum::serve(listener, router).await });
    url
}

async fn add(
    State(kept): Api,
    Path(kind): Path<String>,
    headers: http::HeaderMap,
    Json(mut item): Json<Value>,
) -> Response {
    assert_eq!(headers["authorization"], "Bearer token");
    let mut kept = kept.lock().unwrap();
    match &mut kept.calls_left {
        Some(0) => return (StatusCode::INTERNAL_SERVER_ERROR, "out of order").into_response(),
        Some(left) => *left -= 1,
        None => {}
    }
    let items = if kind == "categories" { &mut kept.categories } else { &mut kept.products };
    if items.iter().any(|known| known["slug"] == item["slug"]) {
        return StatusCode::CONFLICT.into_response();
    }
    item["id"] = format!("id_{}", items.len()).into();
    items.push(item.clone());
    (StatusCode::CREATED, Json(item)).into_response()
}

#[test]
fn the_catalogue_is_fit_for_a_shop() {
    let shelves: Vec<Shelf> = serde_json::from_str(CATALOGUE).unwrap();
    assert_eq!(shelves.len(), 5);
    let products: Vec<&Product> = shelves.iter().flat_map(|shelf| &shelf.products).collect();
    assert!(products.len() >= 24, "{}", products.len());
    let mut names = HashSet::new();
    for product in &products {
        assert!(names.insert(product.slug.as_str()) && product.title.len() <= 40, "{}", product.slug);
        assert!((60..=200).contains(&product.description.len()), "{}", product.slug);
        assert!((1..=3).contains(&product.skus.len()), "{}", product.slug);
        for sku in &product.skus {
            assert!(names.insert(&sku.sku) && sku.variant.len() <= 40, "{}", sku.sku);
            assert!(
                sku.sku.bytes().all(|byte| byte.is_ascii_uppercase() || byte.is_ascii_digit() || byte == b'-'),
                "{}",
                sku.sku
            );
            assert!((5..=200).contains(&sku.stock) && sku.price >= 500, "{}", sku.sku);
        }
    }
}

#[tokio::test]
async fn filling_twice_adds_nothing_the_second_time() {
    let kept = Arc::new(Mutex::new(Kept::default()));
    let api = shop(kept.clone()).await;
    let mut steps = Vec::new();
    let first = fill(&api, "token", "USD", |done, all| steps.push((done, all))).await.unwrap();
    assert_eq!(first.added, first.categories + first.products);
    assert_eq!(*steps.last().unwrap(), (first.added, first.added));
    assert_eq!(steps.len(), first.added);
    let second = fill(&api, "token", "USD", |_, _| {}).await.unwrap();
    assert_eq!(second, Count { added: 0, ..first });
    assert_eq!(kept.lock().unwrap().products.len(), first.products);
}

#[tokio::test]
async fn filling_goes_on_where_it_broke_off() {
    let kept = Arc::new(Mutex::new(Kept { calls_left: Some(10), ..Kept::default() }));
    let api = shop(kept.clone()).await;
    let broken = fill(&api, "token", "USD", |_, _| {}).await;
    assert!(matches!(broken, Err(DemoError::Refused { status: StatusCode::INTERNAL_SERVER_ERROR, .. })), "{broken:?}");
    kept.lock().unwrap().calls_left = None;
    let count = fill(&api, "token", "USD", |_, _| {}).await.unwrap();
    assert_eq!(count.added, count.categories + count.products - 10);
    let kept = kept.lock().unwrap();
    let ids: HashSet<&str> = kept.categories.iter().filter_map(|category| category["id"].as_str()).collect();
    assert!(kept.products.iter().all(|product| ids.contains(product["category_ids"][0].as_str().unwrap())));
}

#[test]
fn prices_look_right_in_every_currency() {
    assert_eq!(in_minor_units(1150, "USD"), 1150);
    assert_eq!(in_minor_units(1150, "JPY"), 1150);
    assert_eq!(in_minor_units(1150, "KWD"), 11_500);
}
