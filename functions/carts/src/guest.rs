//! Carts of guests: whoever has the token has the cart. Logged in, they take it along.

use axum::Json;
use axum::extract::{FromRef, FromRequestParts, State};
use http::StatusCode;
use http::request::Parts;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use waybill_domain::id::CartId;
use waybill_domain::text::Sku;
use waybill_lambda::{clock, random};
use waybill_web::quote::Seal;
use waybill_web::{Body, Caller, Problem, Segment};

use crate::change::CartChange;
use crate::view::CartView;
use crate::{App, Line};

const HEADER: &str = "Cart-Token";

/// The cart of the header `Cart-Token`.
pub struct Guest(CartId);

impl<S: Send + Sync> FromRequestParts<S> for Guest
where
    Seal: FromRef<S>,
{
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let missing = || Problem::invalid_header(HEADER, "must be given, as POST /v1/guest-carts answers one");
        let token = parts.headers.get(HEADER).ok_or_else(missing)?.to_str().map_err(|_| missing())?;
        // One that is not ours is as unknown as a cart that does not exist.
        Seal::from_ref(state).open_cart(token).map(Guest).ok_or_else(|| Problem::not_found("cart"))
    }
}

#[derive(Serialize, ToSchema)]
pub struct GuestCart {
    /// To be sent as `Cart-Token`. Whoever has it has the cart.
    cart_token: String,
}

/// Begin a cart without an account
#[utoipa::path(
    post,
    path = "/v1/guest-carts",
    responses((status = 201, description = "The token of an empty cart.", body = GuestCart)),
)]
pub async fn begin_guest_cart(State(app): State<App>) -> (StatusCode, Json<GuestCart>) {
    // Nothing is kept until something is in it.
    let cart_token = app.seal.close_cart(CartId::new(random::uuid_at(clock::now())));
    (StatusCode::CREATED, Json(GuestCart { cart_token }))
}

/// Read a guest's cart
///
/// It is kept for 30 days after its last use.
#[utoipa::path(
    get,
    path = "/v1/guest-cart",
    params(("Cart-Token" = String, Header)),
    responses((status = 200, description = "The whole cart at today's prices. To order it, log in and merge it.", body = CartView), (status = 404, description = "not-found"), (status = 422, description = "invalid")),
)]
pub async fn read_guest_cart(State(app): State<App>, Guest(cart): Guest) -> Result<Json<CartView>, Problem> {
    app.look_at(&cart.into()).await
}

/// Change what a guest's cart says beside its lines
///
/// What is not given stays; null takes it out.
#[utoipa::path(
    patch,
    path = "/v1/guest-cart",
    params(("Cart-Token" = String, Header)),
    request_body = CartChange,
    responses((status = 200, description = "The whole cart at today's prices.", body = CartView), (status = 404, description = "not-found")),
)]
pub async fn change_guest_cart(
    State(app): State<App>,
    Guest(cart): Guest,
    Body(body): Body<CartChange>,
) -> Result<Json<CartView>, Problem> {
    app.change(&cart.into(), body).await
}

/// Empty a guest's cart
#[utoipa::path(
    delete,
    path = "/v1/guest-cart",
    params(("Cart-Token" = String, Header)),
    responses((status = 200, description = "The empty cart.", body = CartView), (status = 404, description = "not-found"), (status = 422, description = "invalid")),
)]
pub async fn clear_guest_cart(State(app): State<App>, Guest(cart): Guest) -> Result<Json<CartView>, Problem> {
    app.table.clear_cart(cart).await?;
    Ok(Json(CartView::empty()))
}

/// Put a SKU into a guest's cart
///
/// In this quantity, whether or not it was there before.
#[utoipa::path(
    put,
    path = "/v1/guest-cart/lines/{sku}",
    params(("Cart-Token" = String, Header), ("sku" = Sku, Path)),
    request_body = Line,
    responses((status = 200, description = "The whole cart at today's prices.", body = CartView), (status = 409, description = "cart-full")),
)]
pub async fn set_guest_line(
    State(app): State<App>,
    Guest(cart): Guest,
    Segment(sku): Segment,
    Body(body): Body<Line>,
) -> Result<Json<CartView>, Problem> {
    app.set_line(&cart.into(), &sku, body).await
}

/// Take a SKU out of a guest's cart
///
/// One that is not in it is no error.
#[utoipa::path(
    delete,
    path = "/v1/guest-cart/lines/{sku}",
    params(("Cart-Token" = String, Header), ("sku" = Sku, Path)),
    responses((status = 200, description = "The whole cart at today's prices.", body = CartView), (status = 422, description = "invalid")),
)]
pub async fn remove_guest_line(
    State(app): State<App>,
    Guest(cart): Guest,
    Segment(sku): Segment,
) -> Result<Json<CartView>, Problem> {
    let left = app.remove_line(&cart.into(), &sku).await?;
    Ok(left.unwrap_or_else(|| Json(CartView::empty())))
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct CartMerge {
    /// Of the cart from before the log-in.
    cart_token: String,
}

/// Take a guest's cart along
///
/// Its lines come to those of one's own; of a SKU that is in both, both quantities. Done again it changes nothing.
#[utoipa::path(
    post,
    path = "/v1/cart/merge",
    request_body = CartMerge,
    responses((status = 200, description = "One's own cart, with every line of both.", body = CartView), (status = 409, description = "cart-full")),
    security(("bearer" = [])),
)]
pub async fn merge_cart(
    State(app): State<App>,
    caller: Caller,
    Body(body): Body<CartMerge>,
) -> Result<Json<CartView>, Problem> {
    let wrong = || Problem::invalid_field("/cart_token", "must be the token of a guest's cart");
    let guest = app.seal.open_cart(&body.cart_token).ok_or_else(wrong)?;
    match app.table.merge_carts(guest, caller.account, clock::now()).await? {
        Some(cart) => app.shown(&cart, &caller.into()).await,
        None => Ok(Json(CartView::empty())),
    }
}
