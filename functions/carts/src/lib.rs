//! Carts, of customers and of guests, and the drafts that staff fill for customers. Every answer is the whole cart at
//! today's prices, for customers with the quote to order it by.

mod change;
mod drafts;
mod guest;
mod owners;
mod view;

use std::collections::{BTreeMap, HashMap};

use axum::extract::{FromRef, State};
use axum::routing::{delete, get, post, put};
use axum::{Json, Router};
use serde::Deserialize;
use utoipa::{OpenApi, ToSchema};
use waybill_domain::cart::{self, Cart, CartLine, Quantity, Quote, QuotedContact, QuotedDraft};
use waybill_domain::id::{AccountId, CartId, ProductId};
use waybill_domain::money::Currency;
use waybill_domain::product::Offer;
use waybill_domain::text::Sku;
use waybill_lambda::{clock, random};
use waybill_storage::Table;
use waybill_storage::carts::{CartOwner, NewCart};
use waybill_storage::drafts::Draft;
use waybill_storage::pricing::Shelf;
use waybill_web::Guard;
use waybill_web::quote::Seal;
use waybill_web::{Bearer, Body, Caller, Fields, Problem, Segment};

use change::CartChange;
pub use owners::Owners;
use view::CartView;

#[derive(Clone, FromRef)]
pub struct App {
    pub table: Table,
    pub guard: Guard,
    pub seal: Seal,
    /// What carts are priced in.
    pub currency: Currency,
    pub owners: Owners,
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
    guest::remove_guest_line,
    drafts::begin_draft,
    drafts::list_drafts,
    drafts::read_draft,
    drafts::change_draft,
    drafts::delete_draft,
    drafts::set_draft_line,
    drafts::remove_draft_line
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
        .route("/v1/admin/drafts", post(drafts::begin_draft).get(drafts::list_drafts))
        .route("/v1/admin/drafts/{id}", get(drafts::read_draft).patch(drafts::change_draft))
        .route("/v1/admin/drafts/{id}", delete(drafts::delete_draft))
        .route("/v1/admin/drafts/{id}/lines/{sku}", put(drafts::set_draft_line).delete(drafts::remove_draft_line))
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
async fn read_cart(State(app): State<App>, bearer: Bearer) -> Result<Json<CartView>, Problem> {
    let cart = async { Ok(app.table.cart(bearer.account).await?) };
    let (caller, cart) = bearer.beside(&app.guard, cart).await?;
    app.seen(cart, &caller.into()).await
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
    app.change(&caller.into(), body).await
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
    bearer: Bearer,
    Segment(sku): Segment,
    body: Result<Body<Line>, Problem>,
) -> Result<Json<CartView>, Problem> {
    let found = async { app.find(bearer.account.into(), &sku, body?.0).await };
    let (caller, found) = bearer.beside(&app.guard, found).await?;
    app.put(&caller.into(), found).await
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
    let left = app.remove_line(&caller.into(), &sku).await?;
    Ok(left.unwrap_or_else(|| Json(CartView::empty())))
}

/// A cart, and who may order it.
struct Whose {
    owner: CartOwner,
    /// Nobody may order a guest's.
    buyer: Option<AccountId>,
    contact: Option<QuotedContact>,
    draft: Option<QuotedDraft>,
}

impl From<Caller> for Whose {
    fn from(Caller { account, holder, .. }: Caller) -> Self {
        Whose { owner: account.into(), buyer: Some(account), contact: Some((*holder).into()), draft: None }
    }
}

impl From<CartId> for Whose {
    fn from(guest: CartId) -> Self {
        Whose { owner: guest.into(), buyer: None, contact: None, draft: None }
    }
}

impl From<&Draft> for Whose {
    fn from(draft: &Draft) -> Self {
        let quoted = QuotedDraft { id: draft.id, exchange: draft.exchange };
        Whose { owner: draft.id.into(), buyer: Some(draft.account_id), contact: None, draft: Some(quoted) }
    }
}

/// What a line is to be put in by.
struct Found {
    sku: Sku,
    quantity: Quantity,
    product_id: ProductId,
    offer: Option<Offer>,
    /// As it was before.
    cart: Option<Cart>,
}

impl App {
    /// A cart as its owner sees it.
    async fn look_at(&self, whose: &Whose) -> Result<Json<CartView>, Problem> {
        self.seen(self.table.cart(whose.owner).await?, whose).await
    }

    async fn seen(&self, cart: Option<Cart>, whose: &Whose) -> Result<Json<CartView>, Problem> {
        match cart {
            Some(cart) => self.used(&cart, whose).await,
            None => Ok(Json(CartView::empty())),
        }
    }

    /// A cart that was read is one that was used.
    async fn used(&self, cart: &Cart, whose: &Whose) -> Result<Json<CartView>, Problem> {
        let (view, ()) = tokio::try_join!(self.shown(cart, whose), async {
            Ok(self.table.renew_cart(whose.owner, cart, clock::now()).await?)
        })?;
        Ok(view)
    }

    /// What a cart begins with that was begun now.
    fn fresh_cart(&self) -> NewCart {
        let now = clock::now();
        NewCart { id: CartId::new(random::uuid_at(now)), currency: self.currency, now }
    }

    async fn set_line(&self, whose: &Whose, sku: &str, body: Line) -> Result<Json<CartView>, Problem> {
        let found = self.find(whose.owner, sku, body).await?;
        self.put(whose, found).await
    }

    /// What a line is to be put in by: two reads at once.
    async fn find(&self, owner: CartOwner, sku: &str, body: Line) -> Result<Found, Problem> {
        let mut fields = Fields::default();
        let quantity = fields.take("/quantity", body.quantity.try_into());
        let quantity = fields.finish(|| quantity)?;
        let unknown = || Problem::not_found("SKU");
        let sku: Sku = sku.parse().map_err(|_| unknown())?;
        let cart = async { Ok(self.table.cart(owner).await?) };
        let (sold, cart) = tokio::try_join!(self.sold(&sku), cart)?;
        let (product_id, offer) = sold.ok_or_else(unknown)?;
        Ok(Found { sku, quantity, product_id, offer, cart })
    }

    /// Whose a SKU is, and its offer: one read, and another one before where this process has not met the SKU.
    async fn sold(&self, sku: &Sku) -> Result<Option<(ProductId, Option<Offer>)>, Problem> {
        let offer =
            async |product| self.table.offers(&[(sku.clone(), product)]).await.map(|mut found| found.remove(sku));
        if let Some(product) = self.owners.of(sku)
            && let Some(offer) = offer(product).await?
        {
            return Ok(Some((product, Some(offer))));
        }
        let Some(product) = self.table.owner_of(sku).await? else { return Ok(None) };
        self.owners.note(sku.clone(), product);
        Ok(Some((product, offer(product).await?)))
    }

    /// Puts the line in, and meanwhile reads what else is in the cart.
    async fn put(&self, whose: &Whose, found: Found) -> Result<Json<CartView>, Problem> {
        let Found { sku, quantity, product_id, offer, cart: known } = found;
        let is_first = known.is_none();
        let (currency, mut skus) =
            known.map_or((self.currency, BTreeMap::new()), |cart| (cart.currency, products_of(&cart)));
        skus.remove(&sku);
        // A line says what its SKU cost when it was set.
        let price = offer.as_ref().and_then(|offer| offer.price_in(currency)).map(|price| price.amount);
        let line = CartLine { product_id, quantity, price };
        let put = async {
            let fresh = self.fresh_cart();
            if is_first && let Some(cart) = self.table.begin_cart(whose.owner, &sku, line, fresh).await? {
                return Ok(cart);
            }
            Ok(self.table.set_cart_line(whose.owner, &sku, line, fresh).await?)
        };
        let (cart, mut offers) = tokio::try_join!(put, self.offers(&skus))?;
        offers.extend(offer.map(|offer| (sku.clone(), offer)));
        skus.insert(sku, product_id);
        // Another device may have put in what was not looked at.
        let is_known = products_of(&cart).iter().all(|(sku, product)| skus.get(sku) == Some(product));
        if is_known { self.shown_at(&cart, offers, whose).await } else { self.shown(&cart, whose).await }
    }

    async fn change(&self, whose: &Whose, body: CartChange) -> Result<Json<CartView>, Problem> {
        let wishes = body.check(&self.shelf.look().await?.pricing)?;
        let cart = self.table.wish_in_cart(whose.owner, &wishes, self.fresh_cart()).await?;
        self.shown(&cart, whose).await
    }

    /// The cart without a SKU; None where there is no cart.
    async fn remove_line(&self, whose: &Whose, sku: &str) -> Result<Option<Json<CartView>>, Problem> {
        let sku = sku.parse().map_err(|_| Problem::not_found("SKU"))?;
        match self.table.remove_cart_line(whose.owner, &sku).await? {
            Some(cart) => self.shown(&cart, whose).await.map(Some),
            None => Ok(None),
        }
    }

    async fn shown(&self, cart: &Cart, whose: &Whose) -> Result<Json<CartView>, Problem> {
        let offers = self.offers(&products_of(cart)).await?;
        self.shown_at(cart, offers, whose).await
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
        whose: &Whose,
    ) -> Result<Json<CartView>, Problem> {
        let shelf = self.shelf.look().await?;
        let priced = cart::price(cart, &offers).map_err(Problem::internal)?;
        let now = clock::now();
        let reckoning = shelf.pricing.look_at(cart, &priced, &offers, &shelf.tree, now);
        let uses = self.table.promotion_uses(&reckoning.limited(), whose.buyer).await?;
        let reckoned = reckoning.reckon(&uses).map_err(Problem::internal)?;
        let quote = whose.buyer.and_then(|buyer| Quote::of(buyer, cart, &priced, &reckoned, now));
        let quote = quote.map(|quote| Quote { contact: whose.contact.clone(), draft: whose.draft, ..quote });
        let quote = quote.map(|quote| self.seal.close(&quote)).transpose().map_err(Problem::internal)?;
        Ok(Json(CartView::of(cart, priced, reckoned, quote)))
    }
}

fn products_of(cart: &Cart) -> BTreeMap<Sku, ProductId> {
    cart.lines.iter().map(|(sku, line)| (sku.clone(), line.product_id)).collect()
}
