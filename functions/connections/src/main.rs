//! The WebSocket API: a ticket opens a connection, which is forgotten when it closes; in between it may say what it wants
//! to follow and what it missed.

mod answer;
mod frames;

use answer::Front;
use aws_lambda_events::apigw::ApiGatewayWebsocketProxyRequest;
use http::header::ORIGIN;
use lambda_runtime::{Error, LambdaEvent, service_fn};
use serde::Serialize;
use waybill_domain::Timestamp;
use waybill_domain::id::{AccountId, SessionId};
use waybill_domain::update::Feed;
use waybill_lambda::aws::Aws;
use waybill_lambda::{clock, log, random, settings};
use waybill_storage::{Refused, Table};

/// API Gateway closes a connection after two hours. Its record ends with it, should the goodbye be lost: nothing is sent
/// to it from then on.
const FORGET_AFTER: i64 = 2 * 60 * 60;

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Answer {
    status_code: u16,
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    log::start();
    let aws = Aws::from_environment()?;
    let (origins, endpoint) =
        settings::read(|variables| (variables.text("ORIGINS"), variables.text("WEBSOCKET_ENDPOINT")))?;
    let front = Front::new(aws.table()?, aws.browsers(&endpoint));
    front.table.warm_up().await?;
    let (front, origins) = (&front, &origins);
    let serve = service_fn(|event: LambdaEvent<ApiGatewayWebsocketProxyRequest>| async move {
        serve(front, origins, event.payload).await.map(|status_code| Answer { status_code })
    });
    lambda_runtime::run(serve).await
}

async fn serve(front: &Front, origins: &str, request: ApiGatewayWebsocketProxyRequest) -> Result<u16, Error> {
    let table = &front.table;
    let context = &request.request_context;
    let connection = context.connection_id.as_deref().ok_or("a request without a connection")?;
    match context.route_key.as_deref() {
        Some("$connect") if !is_welcome(&request, origins) => {
            tracing::warn!("a page of another origin was refused");
            Ok(403)
        }
        Some("$connect") => {
            let status = connect(table, &request, connection, clock::now()).await?;
            if status != 200 {
                tracing::info!(status, "a ticket was refused");
            }
            Ok(status)
        }
        Some("$disconnect") => {
            table.disconnect(connection).await?;
            Ok(200)
        }
        _ => {
            front.answer(connection, request.body.as_deref().unwrap_or_default(), clock::now()).await;
            Ok(200)
        }
    }
}

/// Whether the page that opens the WebSocket may. A browser always says which it is; who is no browser needs none.
fn is_welcome(request: &ApiGatewayWebsocketProxyRequest, origins: &str) -> bool {
    match request.headers.get(ORIGIN) {
        None => true,
        Some(origin) => origins.split(',').any(|welcome| origin.as_bytes() == welcome.trim().as_bytes()),
    }
}

async fn connect(
    table: &Table,
    request: &ApiGatewayWebsocketProxyRequest,
    connection: &str,
    now: Timestamp,
) -> Result<u16, Error> {
    let ticket = request.query_string_parameters.first("ticket").and_then(read);
    let Some((account, session, secret)) = ticket else { return Ok(401) };
    let forget_at = Timestamp::from_second(now.as_second() + FORGET_AFTER)?;
    match table.connect(account, session, &random::hash(secret), connection, now, forget_at).await {
        Ok(()) => {
            table.keep(Feed::Of(account), now).await?;
            Ok(200)
        }
        Err(Refused::By(_)) => Ok(401),
        Err(Refused::Failed(error)) => Err(error.into()),
    }
}

fn read(ticket: &str) -> Option<(AccountId, SessionId, &str)> {
    let mut parts = ticket.splitn(3, '.');
    Some((parts.next()?.parse().ok()?, parts.next()?.parse().ok()?, parts.next()?))
}
