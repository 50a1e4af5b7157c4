//! The caller's own cart. Every answer is the whole cart at today's prices, with the quote to order it by.

mod view;

use axum::extract::{FromRef, State};
use axum::routing::{get, put};
use axum::{Json, Router};
use serde::Deserialize;
use utoipa::{OpenApi, ToSchema};
use waybill_domain::cart::{Cart, CartLine, Quantity};
use waybill_domain::id::CartId;
use waybill_domain::money::Currency;
use waybill_domain::text::Sku;
use waybill_lambda::{clock, random};
use waybill_storage::Table;
use waybill_web::Guard;
use waybill_web::quote::Seal;
use waybill_web::{Body, Caller, Fields, Problem, Segment};

use view::CartView;

#[derive(Clone, FromRef)]
pub struct App {
    pub table: Table,
    pub guard: Guard,
    pub seal: Seal,
    /// What carts are priced in.
    pub currency: Currency,
}

/// What the document tells of these routes.
#[derive(OpenApi)]
#[openapi(paths(read_cart, clear_cart, set_line, remove_line))]
pub struct Documented;

pub fn routes(app: App) -> Router {
    Router::new()
        .route("/v1/cart", get(read_cart).delete(clear_cart))
        .route("/v1/cart/lines/{sku}", put(set_line).delete(remove_line))
        .with_state(app)
}

/// Read the cart
#[utoipa::path(
    get,
    path = "/v1/cart",
    responses((status = 200, description = "The whole cart at today's prices.", body = CartView)),
    security(("bearer" = [])),
)]
async fn read_cart(State(app): State<App>, caller: Caller) -> Result<Json<CartView>, Problem> {
    let cart = app.table.cart(caller.account).await?;
    answer(&app, &caller, cart).await
}

/// Empty the cart
#[utoipa::path(
    delete,
    path = "/v1/cart",
    responses((status = 200, description = "The empty cart.", body = CartView)),
    security(("bearer" = [])),
)]
async fn clear_cart(State(app): State<App>, caller: Caller) -> Result<Json<CartView>, Problem> {
    app.table.clear_cart(caller.account).await?;
    Ok(Json(CartView::empty()))
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = CartLine)]
pub struct Line {
    #[schema(value_type = Quantity)]
    quantity: i64,
}

/// Put a SKU into the cart
///
/// In this quantity, whether or not it was there before.
#[utoipa::path(
    put,
    path = "/v1/cart/lines/{sku}",
    params(("sku" = Sku, Path)),
    request_body = Line,
    responses((status = 200, description = "The whole cart at today's prices.", body = CartView), (status = 409, description = "cart-full")),
    security(("bearer" = [])),
)]
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
    let fresh = (CartId::new(random::uuid_at(clock::now())), app.currency);
    let cart = app.table.set_cart_line(caller.account, &sku, CartLine { product_id, quantity }, fresh).await?;
    answer(&app, &caller, Some(cart)).await
}

/// Take a SKU out of the cart
///
/// One that is not in it is no error.
#[utoipa::path(
    delete,
    path = "/v1/cart/lines/{sku}",
    params(("sku" = Sku, Path)),
    responses((status = 200, description = "The whole cart at today's prices.", body = CartView)),
    security(("bearer" = [])),
)]
async fn remove_line(State(app): State<App>, caller: Caller, Segment(sku): Segment) -> Result<Json<CartView>, Problem> {
    let sku = sku.parse().map_err(|_| Problem::not_found("SKU"))?;
    let cart = app.table.remove_cart_line(caller.account, &sku).await?;
    answer(&app, &caller, cart).await
}

async fn answer(app: &App, caller: &Caller, cart: Option<Cart>) -> Result<Json<CartView>, Problem> {
    let Some(cart) = cart else { return Ok(Json(CartView::empty())) };
    let skus: Vec<_> = cart.lines.iter().map(|(sku, line)| (sku.clone(), line.product_id)).collect();
    let offers = app.table.offers(&skus).await?;
    CartView::of(caller.account, &cart, &offers, &app.seal).map(Json)
}
