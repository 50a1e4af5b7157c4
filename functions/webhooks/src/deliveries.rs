//! The log of what was sent to an endpoint, and what administrators have sent by hand.

use axum::Json;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use http::StatusCode;
use http::header::LOCATION;
use waybill_domain::id::{DeliveryId, EndpointId, OrderId};
use waybill_domain::webhook::{Delivery, DeliveryStatus, EventTag, TEST_TAG};
use waybill_lambda::{clock, random};
use waybill_storage::webhooks::Wanted;
use waybill_storage::{Cursor, Table};
use waybill_web::openapi::Paging;
use waybill_web::query::{List, Parameters};
use waybill_web::{Problem, Segment, Staff, may};

use crate::App;
use crate::endpoints::named;

/// Test a webhook endpoint
///
/// Sends it `{"id", "at", "event": {"type": "webhook.test.v1"}}`, once, even while it is disabled. What came of it stands in
/// the log a moment later.
#[utoipa::path(
    post,
    path = "/v1/admin/webhook-endpoints/{id}/test",
    params(("id" = EndpointId, Path)),
    responses((status = 202, description = "It is sent in a moment.", body = Delivery, headers(("location" = String, description = "Where to see what came of it.")))),
    security(("bearer" = ["webhooks:manage"])),
)]
pub async fn test_endpoint(
    State(table): State<Table>,
    _: Staff<may::ManageWebhooks>,
    Segment(id): Segment,
) -> Result<Response, Problem> {
    let (endpoint, now) = (known(&table, &id).await?, clock::now());
    let test = Delivery::test(DeliveryId::test(random::uuid_at(now)), endpoint, now);
    if !table.keep_delivery(&test, 0, now).await? {
        return Err(Problem::internal("an id was made twice"));
    }
    Ok(accepted(test))
}

/// List what was sent to a webhook endpoint
///
/// What was sent within 30 days, the newest first; of one order the latest change first. With a filter a page may be shorter
/// than `limit`, or empty, though there is a next one.
#[utoipa::path(
    get,
    path = "/v1/admin/webhook-endpoints/{id}/deliveries",
    params(
        ("id" = EndpointId, Path),
        ("status" = Option<DeliveryStatus>, Query, description = "Only those that are so."),
        ("event" = Option<String>, Query, description = "Only of this event, such as `order.paid.v1` or `webhook.test.v1`."),
        ("order" = Option<OrderId>, Query, description = "Only about this order."),
        Paging,
    ),
    responses((status = 200, description = "A page of deliveries.", body = List<Delivery>)),
    security(("bearer" = ["webhooks:manage"])),
)]
pub async fn list_deliveries(
    State(app): State<App>,
    _: Staff<may::ManageWebhooks>,
    Segment(id): Segment,
    mut parameters: Parameters,
) -> Result<Json<List<Delivery>>, Problem> {
    let wanted = Wanted {
        status: parameters.take("status", str::parse),
        event: parameters.take("event", |text| match text {
            TEST_TAG => Ok(TEST_TAG.to_owned()),
            text => text.parse().map(|tag: EventTag| tag.as_str().to_owned()),
        }),
        order: parameters.take("order", str::parse),
    };
    let list = format!("deliveries {id} {wanted:?}");
    let list = (&app.guard.cursors, list.as_str());
    let limit = parameters.limit();
    let endpoint = named(&id)?;
    let cursor = parameters.cursor(list, |text| Cursor::among_deliveries(endpoint, wanted.order, text));
    parameters.finish()?;
    known(&app.table, &id).await?;
    Ok(Json(List::of(app.table.deliveries(endpoint, &wanted, limit, cursor).await?, list)))
}

/// Read what came of a delivery
#[utoipa::path(
    get,
    path = "/v1/admin/webhook-endpoints/{id}/deliveries/{delivery}",
    params(("id" = EndpointId, Path), ("delivery" = DeliveryId, Path)),
    responses((status = 200, description = "The delivery.", body = Delivery)),
    security(("bearer" = ["webhooks:manage"])),
)]
pub async fn read_delivery(
    State(table): State<Table>,
    _: Staff<may::ManageWebhooks>,
    Segment((id, delivery)): Segment<(String, String)>,
) -> Result<Json<Delivery>, Problem> {
    let endpoint = known(&table, &id).await?;
    let delivery = delivery.parse().map_err(|_| unknown())?;
    let logged = table.delivery(endpoint, delivery).await?.ok_or_else(unknown)?;
    Ok(Json(logged.value))
}

/// Redeliver
///
/// Sends it once more, whatever came of it before, with the same `webhook-id`, and even while the endpoint is disabled: as it
/// was then, but to whom and where the order goes as that is by now. What is still to be tried by itself goes on being tried,
/// until it is delivered.
#[utoipa::path(
    post,
    path = "/v1/admin/webhook-endpoints/{id}/deliveries/{delivery}/redeliver",
    params(("id" = EndpointId, Path), ("delivery" = DeliveryId, Path)),
    responses((status = 202, description = "It is sent in a moment.", body = Delivery, headers(("location" = String, description = "Where to see what came of it.")))),
    security(("bearer" = ["webhooks:manage"])),
)]
pub async fn redeliver(
    State(table): State<Table>,
    _: Staff<may::ManageWebhooks>,
    Segment((id, delivery)): Segment<(String, String)>,
) -> Result<Response, Problem> {
    let endpoint = known(&table, &id).await?;
    let delivery = delivery.parse().map_err(|_| unknown())?;
    let asked = table.ask_for_delivery(endpoint, delivery, clock::now()).await?;
    asked.map(accepted).ok_or_else(unknown)
}

/// The endpoint of this id, which has to be there.
async fn known(table: &Table, id: &str) -> Result<EndpointId, Problem> {
    let kept = table.endpoint(named(id)?).await?;
    kept.map(|kept| kept.value.id).ok_or_else(|| Problem::not_found("webhook endpoint"))
}

fn unknown() -> Problem {
    Problem::not_found("delivery")
}

fn accepted(delivery: Delivery) -> Response {
    let location = format!("/v1/admin/webhook-endpoints/{}/deliveries/{}", delivery.endpoint_id, delivery.id);
    (StatusCode::ACCEPTED, [(LOCATION, location)], Json(delivery)).into_response()
}
