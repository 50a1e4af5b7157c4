//! Fills the shelves, by the imports that a shop would use.

use std::collections::HashMap;
use std::time::Duration;

use reqwest::Method;
use serde_json::json;
use uuid::Uuid;

use crate::processes::settle;
use crate::shop::Shop;

/// Products of one upload, which may be some megabytes.
const TOGETHER: usize = 5_000;

/// What there is to buy, at the same place in both.
pub struct Sold {
    pub products: Vec<String>,
    pub skus: Vec<String>,
}

impl Sold {
    /// As if there were one product only.
    pub fn first(&self) -> Sold {
        Sold { products: self.products[..1].into(), skus: self.skus[..1].into() }
    }
}

/// Makes so many products, of each of which there is enough for everybody.
pub async fn fill(shop: &Shop, count: usize) -> Sold {
    let shelf = Uuid::new_v4().simple().to_string()[..8].to_owned();
    let category = json!({ "slug": shelf, "title": "Load", "description": "What is drunk under load." });
    let category = shop.post("/v1/admin/categories", &category).await["id"].clone();
    let slug = |number: usize| format!("load-{shelf}-{number}");
    let sku = |number: usize| format!("LOAD{}X{number}", shelf.to_uppercase());
    let line = |number: usize| {
        let product = json!({
            "slug": slug(number),
            // Words that many share, and one of its own, the SKU: so are real ones.
            "title": format!("Tea number {}", number / 100),
            "description": "A tea that is drunk under load. ".repeat(8),
            "category_ids": [category],
            "skus": [{ "sku": sku(number), "variant": "100 g", "prices": [{ "amount": 450, "currency": "USD" }], "stock": 1_000_000 }],
        });
        format!("{product}\n")
    };
    for first in (0..count).step_by(TOGETHER) {
        let lines: String = (first..count.min(first + TOGETHER)).map(line).collect();
        let upload = shop.request(Method::POST, "/v1/admin/imports").header("content-type", "application/x-ndjson");
        let started = shop.sure(upload.body(lines), "an import").await;
        wait_for(shop, started["id"].as_str().expect("an import has an id")).await;
    }
    // Lists have products once they are indexed.
    settle(shop.host).await;
    let mut ids = ids(shop, category.as_str().expect("a category has an id")).await;
    let id = |number| ids.remove(&slug(number)).unwrap_or_else(|| panic!("{} is not sold", slug(number)));
    Sold { products: (0..count).map(id).collect(), skus: (0..count).map(sku).collect() }
}

async fn wait_for(shop: &Shop, import: &str) {
    loop {
        let import = shop.get(&format!("/v1/admin/imports/{import}")).await;
        if import["state"] == "finished" {
            assert_eq!(import["failed"], 0, "{import}");
            return;
        }
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
}

/// The products of a category, by their slugs.
async fn ids(shop: &Shop, category: &str) -> HashMap<String, String> {
    let mut ids = HashMap::new();
    let mut cursor = String::new();
    loop {
        let page = shop.get(&format!("/v1/products?category={category}&limit=100{cursor}")).await;
        for product in page["items"].as_array().expect("a page has items") {
            let text = |name: &str| product[name].as_str().unwrap_or_default().to_owned();
            ids.insert(text("slug"), text("id"));
        }
        match page["next"].as_str() {
            Some(next) => cursor = format!("&cursor={next}"),
            None => return ids,
        }
    }
}
