//! Order updates to the buyer's open WebSockets.

use aws_sdk_apigatewaymanagement::Client;
use aws_sdk_apigatewaymanagement::error::DisplayErrorContext;
use aws_sdk_apigatewaymanagement::primitives::Blob;
use serde::Serialize;
use waybill_domain::id::OrderId;
use waybill_domain::message::{Event, Message};
use waybill_domain::order::{Carrier, FulfilmentStatus, PaymentStatus, TrackingNumber};
use waybill_domain::{SignedDuration, Timestamp};
use waybill_lambda::clock;
use waybill_storage::connections::Connection;
use waybill_storage::{StorageError, Table};

/// What a browser gets. The same `id` is the same update, should it come twice; `version` tells the later one.
#[derive(Serialize)]
struct Update<'a> {
    id: &'a str,
    /// Such as `order.paid`.
    r#type: &'static str,
    at: Timestamp,
    order_id: OrderId,
    version: u32,
    payment_status: PaymentStatus,
    fulfilment_status: FulfilmentStatus,
    #[serde(skip_serializing_if = "Option::is_none")]
    carrier: Option<&'a Carrier>,
    #[serde(skip_serializing_if = "Option::is_none")]
    tracking_number: Option<&'a TrackingNumber>,
}

/// API Gateway calls a connection gone also while it is being opened, which its $connect may take up to 29 s for. Such
/// a one misses this update and must not miss the next.
const OPENING: SignedDuration = SignedDuration::from_secs(30);

#[derive(Debug, thiserror::Error)]
pub enum PushError {
    #[error(transparent)]
    Storage(#[from] StorageError),
    #[error("an update cannot be written: {0}")]
    Json(#[from] serde_json::Error),
    #[error("{0} of the connections could not be reached")]
    Unreached(usize),
}

/// Tells the buyer's browsers of a message.
pub async fn push(client: &Client, table: &Table, message: Message) -> Result<(), PushError> {
    let account = message.order.account_id;
    let connections = table.connections_of(account).await?;
    if connections.is_empty() {
        return Ok(());
    }
    // Who has logged out since hears nothing more, and is hung up on.
    let (holder, now) = (table.holder(account).await?, clock::now());
    let lives = |session| holder.as_ref().is_some_and(|holder| holder.session(session, now).is_some());
    let update = serde_json::to_vec(&update(&message))?;
    let mut unreached = 0;
    for Connection { id: connection, session } in connections {
        if !lives(session) {
            hang_up(client, table, &connection).await?;
            continue;
        }
        let sent = client.post_to_connection().connection_id(&connection).data(Blob::new(update.clone())).send().await;
        match sent {
            Ok(_) => {}
            Err(error) if error.as_service_error().is_some_and(|error| error.is_gone_exception()) => {
                table.forget_gone(&connection, clock::now() - OPENING).await?;
            }
            Err(error) => {
                tracing::warn!(connection, error = %DisplayErrorContext(&error), "a connection could not be reached");
                unreached += 1;
            }
        }
    }
    if unreached == 0 { Ok(()) } else { Err(PushError::Unreached(unreached)) }
}

/// Closes a connection whose session has ended. One that cannot be closed is at least sent nothing.
async fn hang_up(client: &Client, table: &Table, connection: &str) -> Result<(), StorageError> {
    if let Err(error) = client.delete_connection().connection_id(connection).send().await
        && !error.as_service_error().is_some_and(|error| error.is_gone_exception())
    {
        tracing::warn!(connection, error = %DisplayErrorContext(&error), "a connection could not be closed");
    }
    table.disconnect(connection).await
}

fn update(message: &Message) -> Update<'_> {
    let (carrier, tracking_number) = match &message.event {
        Event::PartiallyShipped { carrier, tracking_number, .. } | Event::Shipped { carrier, tracking_number } => {
            (Some(carrier), Some(tracking_number))
        }
        Event::Placed
        | Event::PaymentStarted
        | Event::PaymentDeclined
        | Event::PaymentExpired
        | Event::PaymentAuthorised
        | Event::Paid
        | Event::Processing
        | Event::AddressChanged
        | Event::ShipmentDelivered { .. }
        | Event::Delivered
        | Event::Cancelled
        | Event::Expired
        | Event::CancelledWithRefund { .. }
        | Event::RestCancelled { .. }
        | Event::PaidLate { .. }
        | Event::RefundRequested { .. }
        | Event::Refunded { .. }
        | Event::RefundFailed { .. }
        | Event::DisputeOpened { .. }
        | Event::DisputeUpdated { .. }
        | Event::DisputeClosed { .. }
        | Event::ReturnRequested { .. }
        | Event::ReturnApproved { .. }
        | Event::ReturnRefused { .. }
        | Event::ReturnReceived { .. }
        | Event::Exchanged { .. } => (None, None),
    };
    Update {
        id: &message.id,
        r#type: message.event.name(),
        at: message.at,
        order_id: message.order.id,
        version: message.order.version,
        payment_status: message.order.payment_status,
        fulfilment_status: message.order.fulfilment_status,
        carrier,
        tracking_number,
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use serde_json::Value;

    use super::*;

    fn read(path: &Path) -> Value {
        serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap()
    }

    #[test]
    fn each_recorded_message_becomes_the_recorded_update() {
        let events = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../events");
        for file in std::fs::read_dir(events.join("messages")).unwrap() {
            let path = file.unwrap().path();
            if !path.file_name().unwrap().to_str().unwrap().starts_with("order.") {
                continue;
            }
            let message: Message = serde_json::from_value(read(&path)).unwrap();
            let recorded = events.join("websocket").join(format!("{}.json", message.event.name()));
            assert_eq!(serde_json::to_value(update(&message)).unwrap(), read(&recorded), "{}", recorded.display());
        }
    }
}
