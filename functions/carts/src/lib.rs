//! The caller's own cart. Every answer is the whole cart at today's prices, with the quote to order it by.

mod view;

use axum::extract::{FromRef, State};
use axum::routing::{get, put};
use axum::{Json, Router};
use serde::Deserialize;
use waybill_domain::cart::{Cart, CartLine};
use waybill_domain::id::CartId;
use waybill_domain::text::Sku;
use waybill_lambda::{clock, random};
use waybill_storage::Table;
use waybill_web::quote::Seal;
use waybill_web::tokens::Verifier;
use waybill_web::{Body, Caller, Fields, Problem, Segment};

use view::CartView;

#[derive(Clone, FromRef)]
pub struct App {
    pub table: Table,
    pub verifier: Verifier,
    pub seal: Seal,
}

pub fn routes(app: App) -> Router {
    Router::new()
        .route("/v1/cart", get(read_cart).delete(clear_cart))
        .route("/v1/cart/lines/{sku}", put(set_line).delete(remove_line))
        .with_state(app)
}

async fn read_cart(State(app): State<App>, caller: Caller) -> Result<Json<CartView>, Problem> {
    let cart = app.table.cart(caller.account).await?;
    answer(&app, &caller, cart).await
}

async fn clear_cart(State(app): State<App>, caller: Caller) -> Result<Json<CartView>, Problem> {
    app.table.clear_cart(caller.account).await?;
    Ok(Json(CartView::empty()))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Line {
    quantity: i64,
}

/// Puts a SKU into the cart in this quantity, whether or not it was there before.
async fn set_line(
    State(app): State<App>,
    caller: Caller,
    Segment(sku): Segment,
    Body(body): Body<Line>,
) -> Result<Json<CartView>, Problem> {
    let mut fields = Fields::default();
    let quantity = fields.take("/quantity", body.quantity.try_into());
    let quantity = fields.finish(|| quantity)?;
    let unknown = || Problem::not_found("SKU");
    let sku: Sku = sku.parse().map_err(|_| unknown())?;
    let product_id = app.table.owner_of(&sku).await?.ok_or_else(unknown)?;
    let fresh = CartId::new(random::uuid_at(clock::now()));
    let cart = app.table.set_cart_line(caller.account, &sku, CartLine { product_id, quantity }, fresh).await?;
    answer(&app, &caller, Some(cart)).await
}

async fn remove_line(State(app): State<App>, caller: Caller, Segment(sku): Segment) -> Result<Json<CartView>, Problem> {
    // What cannot be a SKU is in no cart, and so is out of this one.
    let cart = match sku.parse() {
        Ok(sku) => app.table.remove_cart_line(caller.account, &sku).await?,
        Err(_) => app.table.cart(caller.account).await?,
    };
    answer(&app, &caller, cart).await
}

async fn answer(app: &App, caller: &Caller, cart: Option<Cart>) -> Result<Json<CartView>, Problem> {
    let Some(cart) = cart else { return Ok(Json(CartView::empty())) };
    let skus: Vec<_> = cart.lines.iter().map(|(sku, line)| (sku.clone(), line.product_id)).collect();
    let offers = app.table.offers(&skus).await?;
    CartView::of(caller.account, &cart, &offers, &app.seal).map(Json)
}
