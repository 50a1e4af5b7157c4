//! Carts, of customers and of guests. Every answer is the whole cart at today's prices, for customers with the quote to
//! order it by.

mod change;
mod guest;
mod view;

use std::collections::{BTreeMap, HashMap};

use axum::extract::{FromRef, State};
use axum::routing::{delete, get, post, put};
use axum::{Json, Router};
use serde::Deserialize;
use utoipa::{OpenApi, ToSchema};
use waybill_domain::cart::{self, Cart, CartLine, Quantity, Quote};
use waybill_domain::id::{AccountId, CartId, ProductId};
use waybill_domain::money::Currency;
use waybill_domain::product::Offer;
use waybill_domain::text::Sku;
use waybill_lambda::{clock, random};
use waybill_storage::Table;
use waybill_storage::carts::{CartOwner, NewCart};
use waybill_storage::pricing::Shelf;
use waybill_web::Guard;
use waybill_web::quote::Seal;
use waybill_web::{Body, Caller, Fields, Problem, Segment};

use change::CartChange;
use view::CartView;

#[derive(Clone, FromRef)]
pub struct App {
    pub table: Table,
    pub guard: Guard,
    pub seal: Seal,
    /// What carts are priced in.
    pub currency: Currency,
    /// The promotions, shipping methods and taxes that they are reckoned by.
    pub shelf: Shelf,
}

/// What the document tells of these routes.
#[derive(OpenApi)]
#[openapi(paths(
    read_cart,
    change_cart,
    clear_cart,
    set_line,
    remove_line,
    guest::merge_cart,
    guest::begin_guest_cart,
    guest::read_guest_cart,
    guest::change_guest_cart,
    guest::clear_guest_cart,
    guest::set_guest_line,
    guest::remove_guest_line
))]
pub struct Documented;

pub fn routes(app: App) -> Router {
    Router::new()
        .route("/v1/cart", get(read_cart).patch(change_cart).delete(clear_cart))
        .route("/v1/cart/lines/{sku}", put(set_line).delete(remove_line))
        .route("/v1/cart/merge", post(guest::merge_cart))
        .route("/v1/guest-carts", post(guest::begin_guest_cart))
        .route("/v1/guest-cart", get(guest::read_guest_cart).patch(guest::change_guest_cart))
        .route("/v1/guest-cart", delete(guest::clear_guest_cart))
        .route("/v1/guest-cart/lines/{sku}", put(guest::set_guest_line).delete(guest::remove_guest_line))
        .with_state(app)
}

/// Read the cart
///
/// It is kept for 30 days after its last use.
#[utoipa::path(
    get,
    path = "/v1/cart",
    responses((status = 200, description = "The whole cart at today's prices.", body = CartView)),
    security(("bearer" = [])),
)]
async fn read_cart(State(app): State<App>, caller: Caller) -> Result<Json<CartView>, Problem> {
    app.look_at(caller.account.into(), Some(caller.account)).await
}

/// Change what the cart says beside its lines
///
/// What is not given stays; null takes it out. A code that brings nothing stays and says why, under `totals`.
#[utoipa::path(
    patch,
    path = "/v1/cart",
    request_body = CartChange,
    responses((status = 200, description = "The whole cart at today's prices.", body = CartView)),
    security(("bearer" = [])),
)]
async fn change_cart(
    State(app): State<App>,
    caller: Caller,
    Body(body): Body<CartChange>,
) -> Result<Json<CartView>, Problem> {
    app.change(caller.account.into(), body, Some(caller.account)).await
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
    app.set_line(caller.account.into(), &sku, body, Some(caller.account)).await
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
    app.remove_line(caller.account.into(), &sku, Some(caller.account)).await
}

impl App {
    /// A cart as its owner sees it; `buyer` is who may order it.
    async fn look_at(&self, owner: CartOwner, buyer: Option<AccountId>) -> Result<Json<CartView>, Problem> {
        let Some(cart) = self.table.cart(owner).await? else { return Ok(Json(CartView::empty())) };
        let (view, ()) = tokio::try_join!(self.shown(&cart, buyer), async {
            Ok(self.table.renew_cart(owner, &cart, clock::now()).await?)
        })?;
        Ok(view)
    }

    async fn set_line(
        &self,
        owner: CartOwner,
        sku: &str,
        body: Line,
        buyer: Option<AccountId>,
    ) -> Result<Json<CartView>, Problem> {
        let mut fields = Fields::default();
        let quantity = fields.take("/quantity", body.quantity.try_into());
        let quantity = fields.finish(|| quantity)?;
        let unknown = || Problem::not_found("SKU");
        let sku: Sku = sku.parse().map_err(|_| unknown())?;
        let (product_id, known) = tokio::try_join!(self.table.owner_of(&sku), self.table.cart(owner))?;
        let product_id = product_id.ok_or_else(unknown)?;
        let (currency, mut skus) =
            known.map_or((self.currency, BTreeMap::new()), |cart| (cart.currency, products_of(&cart)));
        skus.insert(sku.clone(), product_id);
        let offers = self.offers(&skus).await?;
        // A line says what its SKU cost when it was set.
        let price = offers.get(&sku).and_then(|offer| offer.price_in(currency)).map(|price| price.amount);
        let now = clock::now();
        let fresh = NewCart { id: CartId::new(random::uuid_at(now)), currency: self.currency, now };
        let line = CartLine { product_id, quantity, price };
        let cart = self.table.set_cart_line(owner, &sku, line, fresh).await?;
        // Another device may have put in what was not looked at.
        let is_known = products_of(&cart).iter().all(|(sku, product)| skus.get(sku) == Some(product));
        if is_known { self.shown_at(&cart, offers, buyer).await } else { self.shown(&cart, buyer).await }
    }

    async fn change(
        &self,
        owner: CartOwner,
        body: CartChange,
        buyer: Option<AccountId>,
    ) -> Result<Json<CartView>, Problem> {
        let wishes = body.check(&self.shelf.look().await?.pricing)?;
        let now = clock::now();
        let fresh = NewCart { id: CartId::new(random::uuid_at(now)), currency: self.currency, now };
        let cart = self.table.wish_in_cart(owner, &wishes, fresh).await?;
        self.shown(&cart, buyer).await
    }

    async fn remove_line(
        &self,
        owner: CartOwner,
        sku: &str,
        buyer: Option<AccountId>,
    ) -> Result<Json<CartView>, Problem> {
        let sku = sku.parse().map_err(|_| Problem::not_found("SKU"))?;
        match self.table.remove_cart_line(owner, &sku).await? {
            Some(cart) => self.shown(&cart, buyer).await,
            None => Ok(Json(CartView::empty())),
        }
    }

    async fn shown(&self, cart: &Cart, buyer: Option<AccountId>) -> Result<Json<CartView>, Problem> {
        let offers = self.offers(&products_of(cart)).await?;
        self.shown_at(cart, offers, buyer).await
    }

    async fn offers(&self, skus: &BTreeMap<Sku, ProductId>) -> Result<HashMap<Sku, Offer>, Problem> {
        let skus: Vec<_> = skus.iter().map(|(sku, product)| (sku.clone(), *product)).collect();
        // The shelf is looked at by the way, so that it is at hand when the cart is reckoned.
        let (offers, _) = tokio::try_join!(self.table.offers(&skus), self.shelf.look())?;
        Ok(offers)
    }

    async fn shown_at(
        &self,
        cart: &Cart,
        offers: HashMap<Sku, Offer>,
        buyer: Option<AccountId>,
    ) -> Result<Json<CartView>, Problem> {
        let shelf = self.shelf.look().await?;
        let priced = cart::price(cart, &offers).map_err(Problem::internal)?;
        let now = clock::now();
        let reckoning = shelf.pricing.look_at(cart, &priced, &offers, &shelf.tree, now);
        let uses = self.table.promotion_uses(&reckoning.limited(), buyer).await?;
        let reckoned = reckoning.reckon(&uses).map_err(Problem::internal)?;
        let quote = buyer.and_then(|buyer| Quote::of(buyer, cart, &priced, &reckoned, now));
        let quote = quote.map(|quote| self.seal.close(&quote)).transpose().map_err(Problem::internal)?;
        Ok(Json(CartView::of(cart, priced, reckoned, quote)))
    }
}

fn products_of(cart: &Cart) -> BTreeMap<Sku, ProductId> {
    cart.lines.iter().map(|(sku, line)| (sku.clone(), line.product_id)).collect()
}
