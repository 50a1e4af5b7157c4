//! A stand-in for Stripe: checkout sessions, a payment page without cards, customers, refunds, signed webhooks.

mod api;
mod checkout;
mod control;
mod currency;
mod customers;
mod encoding;
mod events;
mod form;
mod holds;
mod in_process;
mod ledger;
mod lines;
mod lists;
mod objects;
mod order;
mod page;
mod refunds;
mod refusal;
#[cfg(test)]
mod tests;
mod webhooks;

use std::collections::HashSet;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use axum::Router;
use tokio::net::TcpListener;
use tokio::sync::{Notify, watch};
use tokio::task::JoinSet;

use checkout::Checkout;
use control::Faults;
pub use in_process::InProcess;
use ledger::Ledger;
pub use ledger::StoreError;

pub struct Settings {
    /// The key that API calls must carry.
    pub secret_key: String,
    /// What webhooks are signed with.
    pub webhook_secret: String,
    /// Where events are posted to.
    pub webhook_url: String,
    /// The shop's store folder, where the stand-in has `stripe/` for itself; None keeps everything in memory.
    pub store: Option<PathBuf>,
    /// Where a browser finds the stand-in, without a slash at the end.
    pub public_url: String,
}

/// A running stand-in. Dropping it ends it at once; `stop` lets open answers finish.
pub struct StandIn {
    stopping: watch::Sender<bool>,
    tasks: JoinSet<()>,
}

/// Serves the API, the payment page and `/_control` on the listener, and delivers what was not delivered before.
pub fn start(listener: TcpListener, settings: Settings) -> Result<StandIn, StoreError> {
    let (desk, stopping) = Desk::open(settings)?;
    let router = router(desk.clone());
    let mut tasks = JoinSet::new();
    tasks.spawn(webhooks::deliver(desk.clone()));
    tasks.spawn(async move {
        let served = axum::serve(listener, router).with_graceful_shutdown(async move { desk.stopped().await }).await;
        if let Err(error) = served {
            eprintln!("The stand-in for Stripe stopped: {error}");
        }
    });
    Ok(StandIn { stopping, tasks })
}

fn router(desk: Arc<Desk>) -> Router {
    Router::new()
        .nest("/v1", api::router(desk.clone()))
        .nest("/_control", control::router())
        .merge(page::router())
        .fallback(api::no_such_route)
        .with_state(desk)
}

impl StandIn {
    /// Ends the stand-in's tasks. Deliveries under way are made again at the next start.
    pub async fn stop(mut self) {
        self.stopping.send_replace(true);
        let all_ended = async { while self.tasks.join_next().await.is_some() {} };
        let _ = tokio::time::timeout(Duration::from_secs(2), all_ended).await;
        self.tasks.shutdown().await;
    }
}

/// What the API, the page, the controls and the deliveries share.
struct Desk {
    settings: Settings,
    ledger: Mutex<Ledger>,
    faults: Mutex<Faults>,
    /// Idempotency-Keys of calls that have not been answered yet.
    keys_in_use: Mutex<HashSet<String>>,
    /// There may be something to deliver.
    news: Notify,
    stopping: watch::Receiver<bool>,
}

impl Desk {
    /// A desk, and what stops it.
    fn open(settings: Settings) -> Result<(Arc<Desk>, watch::Sender<bool>), StoreError> {
        let ledger = Ledger::open(settings.store.as_ref().map(|store| store.join("stripe")))?;
        let (stopping, told) = watch::channel(false);
        let desk = Desk {
            settings,
            ledger: Mutex::new(ledger),
            faults: Mutex::new(Faults::default()),
            keys_in_use: Mutex::default(),
            news: Notify::new(),
            stopping: told,
        };
        Ok((Arc::new(desk), stopping))
    }

    // None holds a half-made change when a thread panics: the ledger keeps whole checkouts and customers, the faults are numbers.
    fn ledger(&self) -> MutexGuard<'_, Ledger> {
        self.ledger.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn faults(&self) -> MutexGuard<'_, Faults> {
        self.faults.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn keys_in_use(&self) -> MutexGuard<'_, HashSet<String>> {
        self.keys_in_use.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Where the buyer pays.
    fn page_of(&self, checkout: &Checkout) -> String {
        format!("{}/pay/{}", self.settings.public_url, checkout.id)
    }

    async fn stopped(&self) {
        // A dropped sender is a stop too.
        let _ = self.stopping.clone().wait_for(|is_stopping| *is_stopping).await;
    }
}
