//! The ledger of a SKU, for staff: read it, and write what came, what came back and what was counted.

use axum::Json;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use http::StatusCode;
use http::header::LOCATION;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use waybill_domain::Timestamp;
use waybill_domain::id::{AccountId, LocationId, MovementId, OrderId};
use waybill_domain::message::Actor;
use waybill_domain::product::MAX_STOCK;
use waybill_domain::stock::{Change, Moved, Movement, MovementKind, Reason};
use waybill_domain::text::{Invalid, Sku};
use waybill_lambda::clock;
use waybill_storage::Cursor;
use waybill_storage::stock::{Done, Wanted};
use waybill_web::openapi::Paging;
use waybill_web::query::{Idempotency, List, Parameters};
use waybill_web::{Body, Fields, Problem, Segment, Staff, may};

use crate::App;
use crate::skus::{named, not_moved, unknown};

#[derive(Serialize, ToSchema)]
#[schema(as = StockMovement)]
pub struct MovementView {
    id: MovementId,
    kind: MovementKind,
    /// What came, or with a minus what went.
    units: i64,
    /// Where it came to or went from; nowhere for a SKU that is not counted, and for what was released.
    places: Vec<Moved>,
    /// `staff`, `stripe` for what was paid, or `customer` for what they cancelled.
    by: &'static str,
    /// Which member of staff.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    account_id: Option<AccountId>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    reason: Option<Reason>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    order_id: Option<OrderId>,
    at: Timestamp,
}

impl From<Movement> for MovementView {
    fn from(movement: Movement) -> Self {
        let (by, account_id) = match movement.by {
            Actor::Customer => ("customer", None),
            Actor::Staff { account_id } => ("staff", Some(account_id)),
            Actor::Stripe => ("stripe", None),
            Actor::Shop => ("shop", None),
        };
        let Movement { id, kind, units, places, reason, order_id, at, .. } = movement;
        MovementView { id, kind, units, places, by, account_id, reason, order_id, at }
    }
}

/// List the movements of a SKU
///
/// What is on hand is their sum.
#[utoipa::path(
    get,
    path = "/v1/admin/skus/{sku}/stock-movements",
    params(("sku" = Sku, Path), Paging),
    responses((status = 200, description = "A page of the ledger, the newest first.", body = List<MovementView>)),
    security(("bearer" = ["stock:read"])),
)]
pub async fn list_movements(
    State(app): State<App>,
    _: Staff<may::ReadStock>,
    Segment(sku): Segment,
    mut parameters: Parameters,
) -> Result<Json<List<MovementView>>, Problem> {
    let sku = named(&sku)?;
    let product = app.table.owner_of(&sku).await?.ok_or_else(unknown)?;
    let list = format!("movements of {product} {sku}");
    let list = (&app.guard.cursors, list.as_str());
    let limit = parameters.limit();
    let cursor = parameters.cursor(list, |text| Cursor::among_movements(product, &sku, text));
    parameters.finish()?;
    Ok(Json(List::of(app.table.movements(product, &sku, limit, cursor).await?, list)))
}

/// What staff write into the ledger.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
enum NewKind {
    /// New goods came in.
    Received,
    /// Somebody counted, or something broke.
    Corrected,
    /// Sold goods came back.
    Returned,
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewMovement {
    #[schema(inline)]
    kind: NewKind,
    /// The main one unless it is given.
    #[schema(value_type = Option<LocationId>)]
    location_id: Option<String>,
    /// Not 0. Only a correction may have a minus.
    #[schema(minimum = -1_000_000_000, maximum = 1_000_000_000, example = 12)]
    units: i64,
    #[schema(value_type = Reason, example = "Delivery 4711")]
    reason: String,
}

impl NewMovement {
    fn check(self) -> Result<(Change, Reason), Problem> {
        let mut fields = Fields::default();
        let at = fields.take_optional("/location_id", self.location_id.map(|id| id.parse()));
        let at = at.unwrap_or(LocationId::MAIN);
        let most = i64::from(MAX_STOCK);
        let least = if self.kind == NewKind::Corrected { -most } else { 1 };
        let units = match self.units {
            0 => Err(Invalid::new("must not be 0")),
            units if (least..=most).contains(&units) => Ok(units),
            _ => Err(Invalid::new(format!("must be from {least} to {most}"))),
        };
        let units = fields.take("/units", units);
        let reason = fields.take("/reason", self.reason.parse());
        fields.finish(|| {
            let units = units?;
            let came = u32::try_from(units);
            let change = match self.kind {
                NewKind::Received => Change::Receive { at, units: came.ok()? },
                NewKind::Returned => Change::Return { at, units: came.ok()? },
                NewKind::Corrected => Change::Correct { at, units },
            };
            Some((change, reason?))
        })
    }
}

/// Write into the ledger of a SKU
///
/// Goods came, came back, or were counted. A correction takes away nothing that is not on hand or that is ordered.
#[utoipa::path(
    post,
    path = "/v1/admin/skus/{sku}/stock-movements",
    params(("sku" = Sku, Path), Idempotency),
    request_body = NewMovement,
    responses((status = 201, description = "It is written, now or by the first request with this key.", body = MovementView, headers(("location" = String, description = "The stock's path."), ("idempotent-replayed" = String, description = "`true` when an earlier request wrote it."))), (status = 409, description = "not-enough-stock, too-many")),
    security(("bearer" = ["stock:write"])),
)]
pub async fn move_stock(
    State(app): State<App>,
    staff: Staff<may::WriteStock>,
    Segment(sku): Segment,
    Idempotency(key): Idempotency,
    Body(body): Body<NewMovement>,
) -> Result<Response, Problem> {
    let (change, reason) = body.check()?;
    let sku = named(&sku)?;
    if let Change::Receive { at, .. } | Change::Return { at, .. } | Change::Correct { at, .. } = change
        && at != LocationId::MAIN
        && !app.table.locations().await?.names.contains_key(&at)
    {
        return Err(Problem::invalid_field("/location_id", "there is no such location"));
    }
    let wanted = Wanted {
        id: MovementId::asked(staff.caller.account, &sku, &key),
        change,
        by: staff.caller.actor(),
        reason: Some(reason),
        order_id: None,
        at: clock::now(),
    };
    match app.table.move_stock(&sku, &wanted).await.map_err(not_moved)? {
        Done::Now(movement) => Ok(written(&sku, movement, false)),
        Done::Before(movement) if is_of(&wanted, &movement) => Ok(written(&sku, movement, true)),
        Done::Before(_) => Err(Problem::invalid_header(Idempotency::HEADER, "was used before, for another request")),
    }
}

/// Whether a movement is what is wanted, and not what another request with the same key wanted.
fn is_of(wanted: &Wanted, movement: &Movement) -> bool {
    let at = match wanted.change {
        Change::Receive { at, .. } | Change::Return { at, .. } | Change::Correct { at, .. } => Some(at),
        Change::Sell { .. } | Change::Release { .. } => None,
    };
    (movement.kind, movement.units) == (wanted.change.kind(), wanted.change.units())
        && movement.reason == wanted.reason
        && movement.places.first().map(|place| place.location_id) == at
}

fn written(sku: &Sku, movement: Movement, replayed: bool) -> Response {
    let location = [(LOCATION, format!("/v1/admin/skus/{sku}/stock"))];
    let view = Json(MovementView::from(movement));
    match replayed {
        false => (StatusCode::CREATED, location, view).into_response(),
        true => (StatusCode::CREATED, location, [("idempotent-replayed", "true")], view).into_response(),
    }
}
