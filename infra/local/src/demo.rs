//! The demo catalogue: a small general store, put into the shop through its own HTTP API.

#[cfg(test)]
mod tests;

use std::collections::HashMap;
use std::time::Duration;

use http::{StatusCode, header};
use serde::Deserialize;
use serde_json::{Value, json};

/// What the shop has after `fill`, and how much of it is new.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Count {
    pub categories: usize,
    pub products: usize,
    /// Categories and products that were not there before.
    pub added: usize,
}

#[derive(Debug, thiserror::Error)]
pub enum DemoError {
    #[error("the API does not answer: {0}")]
    NoAnswer(#[from] reqwest::Error),
    #[error("the API refused {what}: {status} {answer}")]
    Refused { what: String, status: StatusCode, answer: String },
    #[error("the API says that the category {0} exists, but does not list it")]
    Unlisted(String),
    #[error("the API answered {0} without the expected field")]
    Unexpected(String),
}

/// Puts the demo catalogue into the shop at `api`, priced in the shop's currency (`USD`).
///
/// What is there already stays as it is, so this may be repeated, and continued after an error.
/// `progress` hears how many of all categories and products are done.
pub async fn fill(
    api: &str,
    admin_access_token: &str,
    currency: &str,
    mut progress: impl FnMut(usize, usize),
) -> Result<Count, DemoError> {
    let shelves: Vec<Shelf> = serde_json::from_str(CATALOGUE).expect("the demo catalogue is tested");
    let shop = Shop::at(api, admin_access_token)?;
    let listed = shop.categories().await?;
    let all = shelves.iter().map(|shelf| 1 + shelf.products.len()).sum();
    let mut count = Count::default();
    for shelf in &shelves {
        let category = match listed.get(&shelf.slug) {
            Some(id) => id.clone(),
            None => {
                count.added += 1;
                shop.add_category(shelf).await?
            }
        };
        count.categories += 1;
        progress(count.categories + count.products, all);
        for product in &shelf.products {
            if shop.add_product(product, &category, currency).await? {
                count.added += 1;
            }
            count.products += 1;
            progress(count.categories + count.products, all);
        }
    }
    Ok(count)
}

const CATALOGUE: &str = include_str!("demo/catalogue.json");
/// A busy shop (429, 503) is asked again this often.
const TRIES: u32 = 5;

#[derive(Deserialize)]
struct Shelf {
    slug: String,
    title: String,
    description: String,
    products: Vec<Product>,
}

#[derive(Deserialize)]
struct Product {
    slug: String,
    title: String,
    description: String,
    skus: Vec<Sku>,
}

#[derive(Deserialize)]
struct Sku {
    sku: String,
    variant: String,
    /// In US cents.
    price: i64,
    stock: u32,
}

struct Shop<'a> {
    api: &'a str,
    token: &'a str,
    http: reqwest::Client,
}

impl<'a> Shop<'a> {
    fn at(api: &'a str, token: &'a str) -> Result<Shop<'a>, DemoError> {
        let http = reqwest::Client::builder().no_proxy().timeout(Duration::from_secs(30)).build()?;
        Ok(Shop { api: api.trim_end_matches('/'), token, http })
    }

    /// The ids of all categories by their slugs.
    async fn categories(&self) -> Result<HashMap<String, String>, DemoError> {
        let mut ids = HashMap::new();
        let mut path = "/v1/categories".to_owned();
        loop {
            let (status, page) = self.ask(reqwest::Method::GET, &path, None).await?;
            if !status.is_success() {
                return Err(refused("to list categories", status, &page));
            }
            for category in page["items"].as_array().ok_or_else(|| DemoError::Unexpected(path.clone()))? {
                if let (Some(slug), Some(id)) = (category["slug"].as_str(), category["id"].as_str()) {
                    ids.insert(slug.to_owned(), id.to_owned());
                }
            }
            match page["next"].as_str() {
                Some(next) => {
                    let next = [("cursor", next)];
                    path = match reqwest::Url::parse_with_params("http://shop/v1/categories", next) {
                        Ok(url) => format!("{}?{}", url.path(), url.query().unwrap_or_default()),
                        Err(_) => return Err(DemoError::Unexpected(path)),
                    }
                }
                None => return Ok(ids),
            }
        }
    }

    async fn add_category(&self, shelf: &Shelf) -> Result<String, DemoError> {
        let category = json!({ "slug": shelf.slug, "title": shelf.title, "description": shelf.description });
        let path = "/v1/admin/categories";
        match self.ask(reqwest::Method::POST, path, Some(&category)).await? {
            // Someone was faster.
            (StatusCode::CONFLICT, _) => {
                self.categories().await?.remove(&shelf.slug).ok_or_else(|| DemoError::Unlisted(shelf.slug.clone()))
            }
            (status, made) if status.is_success() => {
                made["id"].as_str().map(str::to_owned).ok_or_else(|| DemoError::Unexpected(path.to_owned()))
            }
            (status, answer) => Err(refused(&format!("the category {}", shelf.slug), status, &answer)),
        }
    }

    /// False if its slug or one of its SKUs is there already.
    async fn add_product(&self, product: &Product, category: &str, currency: &str) -> Result<bool, DemoError> {
        let skus: Vec<Value> = product
            .skus
            .iter()
            .map(|sku| {
                let price = json!({ "amount": in_minor_units(sku.price, currency), "currency": currency });
                json!({ "sku": sku.sku, "variant": sku.variant, "prices": [price], "stock": sku.stock })
            })
            .collect();
        let body = json!({
            "slug": product.slug,
            "title": product.title,
            "description": product.description,
            "category_ids": [category],
            "skus": skus,
        });
        match self.ask(reqwest::Method::POST, "/v1/admin/products", Some(&body)).await? {
            (StatusCode::CONFLICT, _) => Ok(false),
            (status, _) if status.is_success() => Ok(true),
            (status, answer) => Err(refused(&format!("the product {}", product.slug), status, &answer)),
        }
    }

    async fn ask(
        &self,
        method: reqwest::Method,
        path: &str,
        body: Option<&Value>,
    ) -> Result<(StatusCode, Value), DemoError> {
        let mut tries = 1;
        loop {
            let mut request = self.http.request(method.clone(), format!("{}{path}", self.api)).bearer_auth(self.token);
            if let Some(body) = body {
                request = request.json(body);
            }
            let answer = request.send().await?;
            let status = answer.status();
            let is_busy = matches!(status, StatusCode::TOO_MANY_REQUESTS | StatusCode::SERVICE_UNAVAILABLE);
            if is_busy && tries < TRIES {
                let wait =
                    answer.headers().get(header::RETRY_AFTER).and_then(|value| value.to_str().ok()?.parse().ok());
                tokio::time::sleep(Duration::from_secs(wait.unwrap_or(1_u64).min(60))).await;
                tries += 1;
                continue;
            }
            let text = answer.text().await?;
            return Ok((status, serde_json::from_str(&text).unwrap_or(Value::String(text))));
        }
    }
}

fn refused(what: &str, status: StatusCode, answer: &Value) -> DemoError {
    DemoError::Refused { what: what.to_owned(), status, answer: answer.to_string() }
}

/// A price that looks right in any currency: USD 11.50 becomes EUR 11.50, JPY 1,150, KWD 11.500.
fn in_minor_units(cents: i64, currency: &str) -> i64 {
    match currency {
        "BHD" | "IQD" | "JOD" | "KWD" | "LYD" | "OMR" | "TND" => cents * 10,
        // With two digits the cents are right; without any they count whole yen, won or kronur.
        _ => cents,
    }
}
