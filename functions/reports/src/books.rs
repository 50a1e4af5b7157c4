//! Which counts are in force. It is asked once in a while and not for each report: they change only when everything was
//! counted again, and what was in force before stays readable for a minute.

use std::sync::{Arc, Mutex, PoisonError};

use waybill_domain::money::{Currency, Money};
use waybill_domain::report::{Range, day_of, zone};
use waybill_domain::{Date, SignedDuration, TimeZone, Timestamp};
use waybill_storage::tallies::{Counting, Generation};
use waybill_storage::{StorageError, Table};

/// How long what was asked is good for. Shorter than what is in force no more stays readable.
const GOOD_FOR: SignedDuration = SignedDuration::from_secs(30);

#[derive(Clone)]
pub struct Books {
    table: Table,
    shop: Counting,
    known: Arc<Mutex<Option<(Timestamp, Generation)>>>,
}

/// What a report reads, and what its days and amounts are.
pub struct Open {
    /// None before anything was counted.
    pub generation: Option<Generation>,
    pub currency: Currency,
    pub zone_name: String,
    zone: TimeZone,
}

impl Books {
    pub fn new(table: Table, shop: Counting) -> Self {
        Books { table, shop, known: Arc::default() }
    }

    pub async fn open(&self, now: Timestamp) -> Result<Open, StorageError> {
        let known = self.known.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let known = known.filter(|(asked_at, _)| now.duration_since(*asked_at) < GOOD_FOR);
        let generation = match known {
            Some((_, generation)) => Some(generation),
            None => {
                let generation = self.table.current_tally().await?;
                *self.known.lock().unwrap_or_else(PoisonError::into_inner) = generation.clone().map(|it| (now, it));
                generation
            }
        };
        let zone_name = generation.as_ref().map_or(&self.shop.zone, |generation| &generation.zone).clone();
        let zone = match &generation {
            Some(generation) => generation.time_zone()?,
            None => zone(&zone_name).map_err(|invalid| StorageError::Broken(format!("the time zone {invalid}")))?,
        };
        Ok(Open { generation, currency: self.shop.currency, zone_name, zone })
    }
}

impl Open {
    pub fn today(&self, now: Timestamp) -> Date {
        day_of(now, &self.zone)
    }

    /// The moments at which a range begins and at which it is over.
    pub fn moments(&self, range: Range) -> (Timestamp, Timestamp) {
        range.moments(&self.zone)
    }

    pub fn money(&self, amount: i64) -> Money {
        Money::new(amount, self.currency)
    }
}
