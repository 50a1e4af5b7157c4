//! Issuing what the queue says is due. A message may come twice, late and in any order: what is to be issued the order says,
//! and what has been issued is a list that only grows.

use waybill_domain::Timestamp;
use waybill_domain::document::Letterhead;
use waybill_domain::message::DocumentMessage;
use waybill_storage::Table;
use waybill_storage::documents::NotIssued;

/// Issues the documents that an order is due.
pub async fn issue(
    table: &Table,
    letterhead: &Letterhead,
    message: DocumentMessage,
    now: Timestamp,
) -> Result<(), NotIssued> {
    match table.issue_documents(message.order_id, letterhead, now).await {
        Ok(issued) => {
            for document in issued {
                tracing::info!(order.id = %document.order_id, document.number = %document.number, "a document was issued");
            }
            Ok(())
        }
        Err(NotIssued::UnknownOrder) => {
            tracing::error!(order.id = %message.order_id, "an order that is not here is due documents");
            Ok(())
        }
        Err(error @ (NotIssued::NotDue(_) | NotIssued::Failed(_))) => Err(error),
    }
}
