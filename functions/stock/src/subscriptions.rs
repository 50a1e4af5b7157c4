//! Waiting for what is sold out, for customers: one mail when it can be ordered again.

use axum::Json;
use axum::extract::State;
use http::StatusCode;
use waybill_domain::text::Sku;
use waybill_lambda::clock;
use waybill_storage::waiting::{NotWaiting, Wait};
use waybill_storage::{Cursor, Table};
use waybill_web::openapi::Paging;
use waybill_web::query::{List, Parameters};
use waybill_web::{Caller, Kind, Problem, Segment};

use crate::App;
use crate::skus::{named, unknown};

/// List what one waits for
#[utoipa::path(
    get,
    path = "/v1/stock-subscriptions",
    params(Paging),
    responses((status = 200, description = "A page of the SKUs that the caller waits for.", body = List<Wait>)),
    security(("bearer" = [])),
)]
pub async fn list_subscriptions(
    State(app): State<App>,
    caller: Caller,
    mut parameters: Parameters,
) -> Result<Json<List<Wait>>, Problem> {
    let list = format!("stock subscriptions of {}", caller.account);
    let list = (&app.guard.cursors, list.as_str());
    let limit = parameters.limit();
    let cursor = parameters.cursor(list, |text| Cursor::among_waits(caller.account, text));
    parameters.finish()?;
    Ok(Json(List::of(app.table.waits_of(caller.account, limit, cursor).await?, list)))
}

/// Wait for a SKU that is sold out
///
/// One mail tells when it can be ordered again, and that is the end of it. Waiting already is no error.
#[utoipa::path(
    put,
    path = "/v1/stock-subscriptions/{sku}",
    params(("sku" = Sku, Path)),
    responses((status = 204, description = "The caller waits for it."), (status = 409, description = "in-stock")),
    security(("bearer" = [])),
)]
pub async fn subscribe(
    State(table): State<Table>,
    caller: Caller,
    Segment(sku): Segment,
) -> Result<StatusCode, Problem> {
    let sku = named(&sku)?;
    let product_id = table.owner_of(&sku).await?.ok_or_else(unknown)?;
    let Err(refused) = table.wait_for(caller.account, &Wait { sku, product_id, since: clock::now() }).await else {
        return Ok(StatusCode::NO_CONTENT);
    };
    match refused.first()? {
        NotWaiting::Waiting => Ok(StatusCode::NO_CONTENT),
        NotWaiting::UnknownSku => Err(unknown()),
        NotWaiting::Orderable => Err(Problem::new(Kind::InStock, "It can be ordered at this moment.")),
    }
}

/// Wait for a SKU no longer
///
/// Not waiting is no error.
#[utoipa::path(
    delete,
    path = "/v1/stock-subscriptions/{sku}",
    params(("sku" = Sku, Path)),
    responses((status = 204, description = "The caller does not wait for it.")),
    security(("bearer" = [])),
)]
pub async fn unsubscribe(
    State(table): State<Table>,
    caller: Caller,
    Segment(sku): Segment,
) -> Result<StatusCode, Problem> {
    let sku = named(&sku)?;
    if let Some(product_id) = table.owner_of(&sku).await? {
        table.wait_no_longer(caller.account, product_id, &sku).await?;
    }
    // Also for one of that name whose product was deleted.
    table.end_waits(caller.account, Some(&sku)).await?;
    Ok(StatusCode::NO_CONTENT)
}
