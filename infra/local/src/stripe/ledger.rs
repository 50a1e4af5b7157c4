//! Every checkout and every customer the stand-in knows: in memory, and one JSON file each where a folder is given.

use std::collections::{BTreeMap, HashMap};
use std::io;
use std::path::{Path, PathBuf};

use jiff::{SignedDuration, Timestamp};
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::checkout::{Checkout, Replay};
use super::customers::Customer;
use super::events::{Cause, Delivery, Event};

/// The folder of customers within the ledger's.
const CUSTOMERS: &str = "customers";
/// Stripe forgets an Idempotency-Key after a day.
const KEYS_LIVE: SignedDuration = SignedDuration::from_hours(24);

#[derive(Debug, Default)]
pub struct Ledger {
    folder: Option<PathBuf>,
    checkouts: BTreeMap<String, Checkout>,
    customers: BTreeMap<String, Customer>,
    by_intent: HashMap<String, String>,
    by_event: HashMap<String, String>,
    by_key: HashMap<String, Owner>,
    /// What failed, by its Idempotency-Key: in memory only, as what made it fail.
    failed: HashMap<String, Replay>,
}

/// What was made or changed with an Idempotency-Key.
#[derive(Clone, Debug)]
enum Owner {
    Checkout(String),
    Customer(String),
}

/// What the ledger keeps, with what was answered about it.
pub trait Kept {
    fn replays(&mut self) -> &mut Vec<Replay>;
    /// Wholly or (on an error) not at all.
    fn keep_in(self, ledger: &mut Ledger) -> Result<(), StoreError>;
}

impl Kept for Checkout {
    fn replays(&mut self) -> &mut Vec<Replay> {
        &mut self.replays
    }

    fn keep_in(self, ledger: &mut Ledger) -> Result<(), StoreError> {
        ledger.keep(self)
    }
}

#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    #[error("cannot use {path}: {source}")]
    File { path: PathBuf, source: io::Error },
    #[error("{path} is not a checkout or a customer that this version wrote: {source}")]
    Unreadable { path: PathBuf, source: serde_json::Error },
}

impl Ledger {
    /// Reads the folder, and makes it if it is not there. None keeps everything in memory.
    pub fn open(folder: Option<PathBuf>) -> Result<Ledger, StoreError> {
        let mut ledger = Ledger { folder, ..Ledger::default() };
        let Some(folder) = ledger.folder.clone() else {
            return Ok(ledger);
        };
        for checkout in read_all(&folder)? {
            ledger.index(checkout);
        }
        for customer in read_all(&folder.join(CUSTOMERS))? {
            ledger.index_customer(customer);
        }
        Ok(ledger)
    }

    /// Keeps this state of a checkout, wholly or (on an error) not at all.
    pub fn keep(&mut self, checkout: Checkout) -> Result<(), StoreError> {
        if let Some(folder) = &self.folder {
            write(folder, &checkout.id, &checkout)?;
        }
        self.index(checkout);
        Ok(())
    }

    /// Loses a checkout with all that was announced of it; false for one that is not known.
    pub fn forget(&mut self, id: &str) -> Result<bool, StoreError> {
        if let Some(folder) = self.folder.as_ref().filter(|_| self.checkouts.contains_key(id)) {
            let path = folder.join(format!("{id}.json"));
            std::fs::remove_file(&path).map_err(|source| StoreError::File { path, source })?;
        }
        Ok(self.checkouts.remove(id).is_some())
    }

    /// The same, of a customer.
    pub fn keep_customer(&mut self, customer: Customer) -> Result<(), StoreError> {
        if let Some(folder) = &self.folder {
            write(&folder.join(CUSTOMERS), &customer.id, &customer)?;
        }
        self.index_customer(customer);
        Ok(())
    }

    /// A customer, also one that was deleted.
    pub fn customer(&self, id: &str) -> Option<&Customer> {
        self.customers.get(id)
    }

    /// All of them.
    pub fn customers(&self) -> impl Iterator<Item = &Customer> {
        self.customers.values()
    }

    /// A checkout as it is now: one whose time has run out is expired.
    pub fn checkout(&self, id: &str, now: Timestamp) -> Option<Checkout> {
        let mut checkout = self.checkouts.get(id)?.clone();
        if checkout.is_overdue(now) {
            // It is open, so it can expire.
            let _ = checkout.expire(&Cause::default(), now);
        }
        Some(checkout)
    }

    pub fn checkout_of_intent(&self, intent: &str, now: Timestamp) -> Option<Checkout> {
        self.checkout(self.by_intent.get(intent)?, now)
    }

    pub fn checkout_of_event(&self, event: &str) -> Option<Checkout> {
        self.checkouts.get(self.by_event.get(event)?).cloned()
    }

    pub fn event(&self, id: &str) -> Option<&Event> {
        let checkout = self.checkouts.get(self.by_event.get(id)?)?;
        checkout.events.iter().find(|event| event.id == id)
    }

    /// What was answered to this Idempotency-Key within the last day.
    pub fn replay(&self, key: &str, now: Timestamp) -> Option<&Replay> {
        let is_alive = |replay: &&Replay| replay.key == key && now.duration_since(replay.answered_at) < KEYS_LIVE;
        if let Some(failed) = self.failed.get(key).filter(is_alive) {
            return Some(failed);
        }
        let replays = match self.by_key.get(key)? {
            Owner::Checkout(id) => &self.checkouts.get(id)?.replays,
            Owner::Customer(id) => &self.customers.get(id)?.replays,
        };
        replays.iter().rev().find(is_alive)
    }

    pub fn keep_failure(&mut self, failed: Replay) {
        self.failed.insert(failed.key.clone(), failed);
    }

    pub fn overdue(&self, now: Timestamp) -> Vec<Checkout> {
        let overdue = self.checkouts.values().filter(|checkout| checkout.is_overdue(now));
        overdue.filter_map(|checkout| self.checkout(&checkout.id, now)).collect()
    }

    /// The events that should be delivered by now, oldest first.
    pub fn due(&self, now: Timestamp) -> Vec<&Event> {
        let is_due = |event: &&Event| matches!(event.delivery, Delivery::Due(at) if at <= now);
        let mut due: Vec<&Event> = self.events().filter(is_due).collect();
        due.sort_by_key(|event| event.created);
        due
    }

    /// All of them, in no particular order.
    pub fn checkouts(&self) -> impl Iterator<Item = &Checkout> {
        self.checkouts.values()
    }

    /// All events, in no particular order.
    pub fn events(&self) -> impl Iterator<Item = &Event> {
        self.checkouts.values().flat_map(|checkout| &checkout.events)
    }

    fn index(&mut self, checkout: Checkout) {
        if let Some(payment) = &checkout.payment {
            self.by_intent.insert(payment.id.clone(), checkout.id.clone());
        }
        for event in &checkout.events {
            self.by_event.insert(event.id.clone(), checkout.id.clone());
        }
        for replay in &checkout.replays {
            self.by_key.insert(replay.key.clone(), Owner::Checkout(checkout.id.clone()));
        }
        self.checkouts.insert(checkout.id.clone(), checkout);
    }

    fn index_customer(&mut self, customer: Customer) {
        for replay in &customer.replays {
            self.by_key.insert(replay.key.clone(), Owner::Customer(customer.id.clone()));
        }
        self.customers.insert(customer.id.clone(), customer);
    }
}

fn write(folder: &Path, id: &str, kept: &impl Serialize) -> Result<(), StoreError> {
    let path = folder.join(format!("{id}.json"));
    let draft = path.with_extension("json.new");
    let text = serde_json::to_vec(kept).map_err(|source| StoreError::Unreadable { path: path.clone(), source })?;
    std::fs::write(&draft, text)
        .and_then(|()| std::fs::rename(&draft, &path))
        .map_err(|source| StoreError::File { path, source })
}

/// All that was written to a folder, which is made if it is not there.
fn read_all<K: DeserializeOwned>(folder: &Path) -> Result<Vec<K>, StoreError> {
    let at = |path: &Path| {
        let path = path.to_owned();
        move |source| StoreError::File { path, source }
    };
    std::fs::create_dir_all(folder).map_err(at(folder))?;
    let mut all = Vec::new();
    for entry in std::fs::read_dir(folder).map_err(at(folder))? {
        let path = entry.map_err(at(folder))?.path();
        if path.extension().is_some_and(|extension| extension == "json") {
            let text = std::fs::read(&path).map_err(at(&path))?;
            all.push(serde_json::from_slice(&text).map_err(|source| StoreError::Unreadable { path, source })?);
        }
    }
    Ok(all)
}

#[cfg(test)]
mod tests {
    use super::super::checkout::Status;
    use super::super::checkout::tests::order;
    use super::*;
    use jiff::ToSpan;

    #[test]
    fn what_was_kept_is_there_after_a_restart() {
        let folder = std::env::temp_dir().join(super::super::objects::new_id("waybill-ledger-", 12));
        let now = Timestamp::now();
        let mut checkout = Checkout::new(order("usd", 1299, 2), now);
        checkout.pay(now).unwrap();
        let event = checkout.events[0].id.clone();
        Ledger::open(Some(folder.clone())).unwrap().keep(checkout.clone()).unwrap();

        let ledger = Ledger::open(Some(folder.clone())).unwrap();
        let read = ledger.checkout(&checkout.id, now).unwrap();
        assert_eq!(read.status, Status::Complete);
        assert_eq!(ledger.event(&event).unwrap().body, checkout.events[0].body);
        assert_eq!(ledger.due(now).len(), 3);

        std::fs::write(folder.join("cs_broken.json"), "{").unwrap();
        assert!(matches!(Ledger::open(Some(folder.clone())), Err(StoreError::Unreadable { .. })));
        std::fs::remove_dir_all(folder).unwrap();
    }

    #[test]
    fn a_checkout_that_cannot_be_written_stays_as_it_was() {
        let folder = std::env::temp_dir().join(super::super::objects::new_id("waybill-ledger-", 12));
        let now = Timestamp::now();
        let mut ledger = Ledger::open(Some(folder.clone())).unwrap();
        let mut checkout = Checkout::new(order("usd", 1299, 2), now);
        ledger.keep(checkout.clone()).unwrap();
        std::fs::remove_dir_all(&folder).unwrap();
        checkout.pay(now).unwrap();
        assert!(ledger.keep(checkout.clone()).is_err());
        assert_eq!(ledger.checkout(&checkout.id, now).unwrap().status, Status::Open);
    }

    #[test]
    fn a_session_expires_by_itself() {
        let now = Timestamp::now();
        let mut ledger = Ledger::default();
        let checkout = Checkout::new(order("usd", 1299, 2), now);
        ledger.keep(checkout.clone()).unwrap();
        assert!(ledger.overdue(now).is_empty());
        let later = now + 31.minutes();
        assert_eq!(ledger.overdue(later)[0].events[0].kind, "checkout.session.expired");
        assert_eq!(ledger.checkout(&checkout.id, later).unwrap().status, Status::Expired);
    }

    #[test]
    fn an_idempotency_key_is_forgotten_after_a_day() {
        let now = Timestamp::now();
        let mut ledger = Ledger::default();
        let mut checkout = Checkout::new(order("usd", 1299, 2), now);
        let answer = serde_json::json!({});
        checkout.replays.push(Replay {
            key: "k".into(),
            fingerprint: "f".into(),
            request_id: "req_1".into(),
            answered_at: now,
            answer,
            has_failed: false,
        });
        ledger.keep(checkout).unwrap();
        assert!(ledger.replay("k", now + 23.hours()).is_some());
        assert!(ledger.replay("k", now + 25.hours()).is_none());
        assert!(ledger.replay("other", now).is_none());
    }
}
