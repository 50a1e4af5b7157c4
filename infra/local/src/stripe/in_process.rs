//! The stand-in for who has no sockets, such as a simulation: its routes are called in process, and its events are for
//! whoever holds it to deliver.

use std::sync::Arc;

use axum::Router;
use serde_json::Value;
use tokio::sync::watch;
use waybill_lambda::clock;

use super::events::Delivery;
use super::{Desk, Settings, StoreError, router, webhooks};

/// Clones are the same stand-in.
#[derive(Clone)]
pub struct InProcess {
    desk: Arc<Desk>,
    /// While it lives, nothing stops.
    _open: Arc<watch::Sender<bool>>,
}

impl InProcess {
    pub fn new(settings: Settings) -> Result<InProcess, StoreError> {
        let (desk, open) = Desk::open(settings)?;
        Ok(InProcess { desk, _open: Arc::new(open) })
    }

    pub fn routes(&self) -> Router {
        router(self.desk.clone())
    }

    /// Whether the next call fails, unless its Idempotency-Key was answered before.
    pub fn set_failing(&self, is_failing: bool) {
        self.desk.faults().fail_next = is_failing.into();
    }

    /// The events of which nobody was told yet, as they are sent, the oldest first.
    pub fn take_events(&self) -> Result<Vec<Value>, StoreError> {
        webhooks::expire_overdue(&self.desk);
        let mut ledger = self.desk.ledger();
        let due: Vec<_> =
            ledger.due(clock::now()).into_iter().map(|event| (event.id.clone(), event.body.clone())).collect();
        for (id, _) in &due {
            let Some(mut checkout) = ledger.checkout_of_event(id) else { continue };
            for event in checkout.events.iter_mut().filter(|event| event.id == *id) {
                event.delivery = Delivery::Delivered;
            }
            ledger.keep(checkout)?;
        }
        Ok(due.into_iter().map(|(_, body)| body).collect())
    }
}
