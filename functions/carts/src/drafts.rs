//! Drafts: orders that staff put together for customers, at the shop's prices. They hold no stock, and are placed by `orders`.

use axum::Json;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use http::StatusCode;
use http::header::LOCATION;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use waybill_domain::cart::Cart;
use waybill_domain::id::{AccountId, DraftId, OrderId};
use waybill_domain::order::{Exchange, returns};
use waybill_domain::text::{Email, Sku};
use waybill_lambda::clock;
use waybill_storage::accounts::Holder;
use waybill_storage::drafts::{Draft, NotBegun};
use waybill_storage::notes::NoteText;
use waybill_storage::{Cursor, Refused};
use waybill_web::openapi::Paging;
use waybill_web::query::{Idempotency, List, Parameters};
use waybill_web::{Body, Fields, Problem, Segment, Staff, may};

use crate::change::CartChange;
use crate::view::CartView;
use crate::{App, Line};

/// Whom it is for, by the account's id or its address.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewDraft {
    #[schema(value_type = Option<AccountId>)]
    account_id: Option<String>,
    #[schema(value_type = Option<Email>)]
    email: Option<String>,
    /// For other staff: the customer never sees it, and it goes with the draft.
    #[schema(value_type = Option<NoteText>, example = "Called: wants it before the holidays.")]
    note: Option<String>,
    /// What comes back of an order of the customer's, for which this is to go out. The customer is then that order's buyer, and
    /// need not be named.
    exchange: Option<NewExchange>,
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct NewExchange {
    #[schema(value_type = OrderId)]
    order_id: String,
    /// Of that order's returns: one that was not refused, and that nothing else goes out for.
    #[schema(minimum = 1)]
    return_number: u32,
}

/// A draft with its cart at today's prices.
#[derive(Serialize, ToSchema)]
#[schema(as = DraftWithCart)]
pub struct DraftView {
    #[serde(flatten)]
    #[schema(inline)]
    draft: Draft,
    /// What is in it. Its `quote` is what the order is placed with.
    cart: CartView,
}

/// Begin a draft
///
/// An order that staff put together for a customer, who then pays it as any other. It holds no stock, and is kept for 30 days
/// after its last use. With `exchange` it is for other goods than those that come back: it is paid as any order, and what comes
/// back is refunded as any return.
#[utoipa::path(
    post,
    path = "/v1/admin/drafts",
    params(Idempotency),
    request_body = NewDraft,
    responses((status = 201, description = "An empty draft, begun now or by the first request with this key.", body = DraftView, headers(("location" = String, description = "The draft's path."), ("idempotent-replayed" = String, description = "`true` when an earlier request began it."))), (status = 409, description = "order-state")),
    security(("bearer" = ["orders:place"])),
)]
pub async fn begin_draft(
    State(app): State<App>,
    staff: Staff<may::PlaceOrders>,
    Idempotency(key): Idempotency,
    Body(body): Body<NewDraft>,
) -> Result<Response, Problem> {
    let mut fields = Fields::default();
    let account: Option<AccountId> = fields.take_optional("/account_id", body.account_id.map(|id| id.parse()));
    let email: Option<Email> = fields.take_optional("/email", body.email.map(|email| email.parse()));
    let note: Option<NoteText> = fields.take_optional("/note", body.note.map(|note| note.parse()));
    let exchange = body.exchange.map(|wanted| (wanted.order_id.parse(), wanted.return_number));
    let exchange = exchange.and_then(|(order, return_number)| {
        Some(Exchange { order_id: fields.take("/exchange/order_id", order)?, return_number })
    });
    let whom = fields.finish(|| Some(Whom { account, email, exchange }))?;
    let customer = app.customer(&whom).await?;
    let (by, now) = (staff.caller.account, clock::now());
    let id = DraftId::for_request(by, &key);
    let draft = Draft { id, account_id: customer.id, email: customer.email, note, exchange, by, created_at: now };
    match app.table.begin_draft(&draft, app.fresh_cart()).await {
        Ok(cart) => begun(&app, draft, cart, false).await,
        Err(Refused::Failed(error)) => Err(error.into()),
        Err(refused) => match refused.first()? {
            NotBegun::NoCustomer => Err(whom.is_nobody()),
            NotBegun::Begun(before) if same_wish(&before.0, &draft) => begun(&app, before.0, before.1, true).await,
            NotBegun::Begun(_) => {
                Err(Problem::invalid_header(Idempotency::HEADER, "was used before, for another request"))
            }
        },
    }
}

/// Whether two requests ask for the same draft.
fn same_wish(one: &Draft, other: &Draft) -> bool {
    (one.account_id, &one.note, one.exchange) == (other.account_id, &other.note, other.exchange)
}

async fn begun(app: &App, draft: Draft, cart: Cart, replayed: bool) -> Result<Response, Problem> {
    let location = [(LOCATION, format!("/v1/admin/drafts/{}", draft.id))];
    let Json(cart) = app.shown(&cart, &(&draft).into()).await?;
    let view = Json(DraftView { draft, cart });
    Ok(match replayed {
        false => (StatusCode::CREATED, location, view).into_response(),
        true => (StatusCode::CREATED, location, [("idempotent-replayed", "true")], view).into_response(),
    })
}

/// Whom a draft is for, as it was asked for.
struct Whom {
    account: Option<AccountId>,
    email: Option<Email>,
    exchange: Option<Exchange>,
}

impl Whom {
    /// What is wrong where it leads to nobody who is there.
    fn is_nobody(&self) -> Problem {
        let pointer = match self {
            Whom { account: Some(_), .. } => "/account_id",
            Whom { email: Some(_), .. } => "/email",
            Whom { exchange: Some(_), .. } => "/exchange/order_id",
            Whom { .. } => "/account_id",
        };
        Problem::invalid_field(pointer, "must be of an account that there is, and that is not being deleted")
    }
}

const LIST: &str = "drafts";

/// List drafts
#[utoipa::path(
    get,
    path = "/v1/admin/drafts",
    params(Paging),
    responses((status = 200, description = "A page of drafts, the newest first.", body = List<Draft>)),
    security(("bearer" = ["orders:place"])),
)]
pub async fn list_drafts(
    State(app): State<App>,
    _: Staff<may::PlaceOrders>,
    mut parameters: Parameters,
) -> Result<Json<List<Draft>>, Problem> {
    let (limit, list) = (parameters.limit(), (&app.guard.cursors, LIST));
    let cursor = parameters.cursor(list, Cursor::among_drafts);
    parameters.finish()?;
    Ok(Json(List::of(app.table.drafts(limit, cursor).await?, list)))
}

/// Read a draft
///
/// Whose it is, and its cart. It is kept for 30 days after its last use.
#[utoipa::path(
    get,
    path = "/v1/admin/drafts/{id}",
    params(("id" = DraftId, Path)),
    responses((status = 200, description = "The draft at today's prices.", body = DraftView)),
    security(("bearer" = ["orders:place"])),
)]
pub async fn read_draft(
    State(app): State<App>,
    _: Staff<may::PlaceOrders>,
    Segment(id): Segment,
) -> Result<Json<DraftView>, Problem> {
    let (draft, cart) = app.draft(&id).await?;
    let Json(cart) = app.used(&cart, &(&draft).into()).await?;
    Ok(Json(DraftView { draft, cart }))
}

/// Change what a draft says beside its lines
///
/// What is not given stays; null takes it out. A code that brings nothing stays and says why, under `totals`.
#[utoipa::path(
    patch,
    path = "/v1/admin/drafts/{id}",
    params(("id" = DraftId, Path)),
    request_body = CartChange,
    responses((status = 200, description = "The draft at today's prices.", body = DraftView)),
    security(("bearer" = ["orders:place"])),
)]
pub async fn change_draft(
    State(app): State<App>,
    _: Staff<may::PlaceOrders>,
    Segment(id): Segment,
    Body(body): Body<CartChange>,
) -> Result<Json<DraftView>, Problem> {
    let (draft, _) = app.draft(&id).await?;
    let Json(cart) = app.change(&(&draft).into(), body).await?;
    Ok(Json(DraftView { draft, cart }))
}

/// Delete a draft
#[utoipa::path(
    delete,
    path = "/v1/admin/drafts/{id}",
    params(("id" = DraftId, Path)),
    responses((status = 204, description = "The draft is gone, now or before.")),
    security(("bearer" = ["orders:place"])),
)]
pub async fn delete_draft(
    State(app): State<App>,
    _: Staff<may::PlaceOrders>,
    Segment(id): Segment,
) -> Result<StatusCode, Problem> {
    let id: DraftId = id.parse().map_err(|_| unknown())?;
    app.table.clear_cart(id).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Put a SKU into a draft
///
/// In this quantity, whether or not it was there before.
#[utoipa::path(
    put,
    path = "/v1/admin/drafts/{id}/lines/{sku}",
    params(("id" = DraftId, Path), ("sku" = Sku, Path)),
    request_body = Line,
    responses((status = 200, description = "The draft at today's prices.", body = DraftView), (status = 409, description = "cart-full")),
    security(("bearer" = ["orders:place"])),
)]
pub async fn set_draft_line(
    State(app): State<App>,
    _: Staff<may::PlaceOrders>,
    Segment((id, sku)): Segment<(String, String)>,
    Body(body): Body<Line>,
) -> Result<Json<DraftView>, Problem> {
    let (draft, _) = app.draft(&id).await?;
    let Json(cart) = app.set_line(&(&draft).into(), &sku, body).await?;
    Ok(Json(DraftView { draft, cart }))
}

/// Take a SKU out of a draft
///
/// One that is not in it is no error.
#[utoipa::path(
    delete,
    path = "/v1/admin/drafts/{id}/lines/{sku}",
    params(("id" = DraftId, Path), ("sku" = Sku, Path)),
    responses((status = 200, description = "The draft at today's prices.", body = DraftView)),
    security(("bearer" = ["orders:place"])),
)]
pub async fn remove_draft_line(
    State(app): State<App>,
    _: Staff<may::PlaceOrders>,
    Segment((id, sku)): Segment<(String, String)>,
) -> Result<Json<DraftView>, Problem> {
    let (draft, _) = app.draft(&id).await?;
    let Json(cart) = app.remove_line(&(&draft).into(), &sku).await?.ok_or_else(unknown)?;
    Ok(Json(DraftView { draft, cart }))
}

fn unknown() -> Problem {
    Problem::not_found("draft")
}

impl App {
    async fn draft(&self, id: &str) -> Result<(Draft, Cart), Problem> {
        self.table.draft(id.parse().map_err(|_| unknown())?).await?.ok_or_else(unknown)
    }

    /// The customer, who may be ordered for.
    async fn customer(&self, whom: &Whom) -> Result<Holder, Problem> {
        let buyer = match whom.exchange {
            Some(exchange) => Some(self.buyer(exchange).await?),
            None => None,
        };
        let account = match (whom.account, &whom.email, buyer) {
            (Some(_), Some(_), _) => {
                return Err(Problem::invalid_field("/email", "cannot be given together with an account_id"));
            }
            (Some(account), None, _) => Some(account),
            (None, Some(email), _) => self.table.credentials(email).await?.map(|known| known.account_id),
            (None, None, Some(buyer)) => Some(buyer),
            (None, None, None) => return Err(Problem::invalid_field("/account_id", "must be given, or else an email")),
        };
        if account.is_some_and(|account| buyer.is_some_and(|buyer| buyer != account)) {
            let pointer = if whom.account.is_some() { "/account_id" } else { "/email" };
            return Err(Problem::invalid_field(pointer, "must be the buyer's of the order, or be left out"));
        }
        let account = account.ok_or_else(|| whom.is_nobody())?;
        let holder = self.table.holder(account).await?.filter(|holder| holder.leaving_since.is_none());
        holder.ok_or_else(|| whom.is_nobody())
    }

    /// Whose the goods are that come back, where others may go out for them.
    async fn buyer(&self, Exchange { order_id, return_number }: Exchange) -> Result<AccountId, Problem> {
        let unknown = || Problem::invalid_field("/exchange/order_id", "there is no such order");
        let order = self.table.order(order_id).await?.ok_or_else(unknown)?;
        match order.exchangeable(return_number) {
            Ok(_) => Ok(order.buyer),
            Err(returns::Refused::Unknown) => {
                Err(Problem::invalid_field("/exchange/return_number", "the order has no such return"))
            }
            Err(refused) => Err(refused.into()),
        }
    }
}
