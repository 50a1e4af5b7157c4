//! Drafts: orders that staff put together for customers, at the shop's prices. They hold no stock, and are placed by `orders`.

use axum::Json;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use http::StatusCode;
use http::header::LOCATION;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use waybill_domain::cart::Cart;
use waybill_domain::id::{AccountId, DraftId};
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
/// after its last use.
#[utoipa::path(
    post,
    path = "/v1/admin/drafts",
    params(Idempotency),
    request_body = NewDraft,
    responses((status = 201, description = "An empty draft, begun now or by the first request with this key.", body = DraftView, headers(("location" = String, description = "The draft's path."), ("idempotent-replayed" = String, description = "`true` when an earlier request began it.")))),
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
    let given = fields.finish(|| Some((account, email)))?;
    let customer = match given {
        (Some(account), None) => app.customer(account).await?.ok_or_else(|| no_customer("/account_id")),
        (None, Some(email)) => app.customer_at(&email).await?.ok_or_else(|| no_customer("/email")),
        (None, None) => Err(Problem::invalid_field("/account_id", "must be given, or else an email")),
        (Some(_), Some(_)) => Err(Problem::invalid_field("/email", "cannot be given together with an account_id")),
    }?;
    let (by, now) = (staff.caller.account, clock::now());
    let id = DraftId::for_request(by, &key);
    let draft = Draft { id, account_id: customer.id, email: customer.email, note, by, created_at: now };
    match app.table.begin_draft(&draft, app.fresh_cart()).await {
        Ok(cart) => begun(&app, draft, cart, false).await,
        Err(Refused::Failed(error)) => Err(error.into()),
        Err(refused) => match refused.first()? {
            NotBegun::NoCustomer => Err(no_customer(if given.0.is_some() { "/account_id" } else { "/email" })),
            NotBegun::Begun(before) if same_wish(&before.0, &draft) => begun(&app, before.0, before.1, true).await,
            NotBegun::Begun(_) => {
                Err(Problem::invalid_header(Idempotency::HEADER, "was used before, for another request"))
            }
        },
    }
}

/// Whether two requests ask for the same draft.
fn same_wish(one: &Draft, other: &Draft) -> bool {
    (one.account_id, &one.note) == (other.account_id, &other.note)
}

async fn begun(app: &App, draft: Draft, cart: Cart, replayed: bool) -> Result<Response, Problem> {
    let location = [(LOCATION, format!("/v1/admin/drafts/{}", draft.id))];
    let Json(cart) = app.shown(&cart, (&draft).into()).await?;
    let view = Json(DraftView { draft, cart });
    Ok(match replayed {
        false => (StatusCode::CREATED, location, view).into_response(),
        true => (StatusCode::CREATED, location, [("idempotent-replayed", "true")], view).into_response(),
    })
}

fn no_customer(pointer: &str) -> Problem {
    Problem::invalid_field(pointer, "must be of an account that there is, and that is not being deleted")
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
    let Json(cart) = app.used(&cart, (&draft).into()).await?;
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
    let Json(cart) = app.change((&draft).into(), body).await?;
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
    let Json(cart) = app.set_line((&draft).into(), &sku, body).await?;
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
    let Json(cart) = app.remove_line((&draft).into(), &sku).await?.ok_or_else(unknown)?;
    Ok(Json(DraftView { draft, cart }))
}

fn unknown() -> Problem {
    Problem::not_found("draft")
}

impl App {
    async fn draft(&self, id: &str) -> Result<(Draft, Cart), Problem> {
        self.table.draft(id.parse().map_err(|_| unknown())?).await?.ok_or_else(unknown)
    }

    /// Somebody who may be ordered for.
    async fn customer(&self, account: AccountId) -> Result<Option<Holder>, Problem> {
        Ok(self.table.holder(account).await?.filter(|holder| holder.leaving_since.is_none()))
    }

    async fn customer_at(&self, email: &Email) -> Result<Option<Holder>, Problem> {
        match self.table.credentials(email).await? {
            Some(known) => self.customer(known.account_id).await,
            None => Ok(None),
        }
    }
}
