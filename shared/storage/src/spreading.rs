//! Stock that is spread over buckets. Orders take from them (see placing.rs); everything else moves units of the offer, and
//! what lies in buckets is gathered there first when it takes more, and when the terms of the offer change, because each bucket
//! has them too. However often any of this is begun and broken off, units lie in one place each.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use aws_sdk_dynamodb::types::AttributeValue;
use serde::Deserialize;
use tokio::time::Instant;
use waybill_domain::Timestamp;
use waybill_domain::id::ProductId;
use waybill_domain::product::Offer;
use waybill_domain::spread::{Dealt, Spread};
use waybill_domain::stock::signed;
use waybill_domain::text::Sku;

use crate::keys::{self, BUCKETS_TOGETHER};
use crate::random;
use crate::stock;
use crate::table::{StorageError, Table, back_off, from_item, to_value};
use crate::transaction::{Outcome, Refused, Transaction, Write};

/// How often something starts again when others were faster.
const TRIES: u32 = 16;
/// Buckets that one transaction of 100 writes fills or empties.
const AT_ONCE: usize = 98;
/// Buckets that are closed at the same time.
const CLOSED_AT_ONCE: usize = 16;
/// How long a process looks at all buckets first after it has found one empty.
const SCARCE: Duration = Duration::from_secs(2);

/// The SKUs of which a bucket was found empty a moment ago: so is many another, and a look costs less than to try in vain.
#[derive(Clone, Default)]
pub(crate) struct Scarce(Arc<Mutex<HashMap<(ProductId, Sku), Instant>>>);

impl Scarce {
    pub fn note(&self, product: ProductId, sku: &Sku) {
        let mut seen = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        seen.retain(|_, at| at.elapsed() < SCARCE);
        seen.insert((product, sku.clone()), Instant::now());
    }

    pub fn knows(&self, product: ProductId, sku: &Sku) -> bool {
        let seen = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        seen.get(&(product, sku.clone())).is_some_and(|at| at.elapsed() < SCARCE)
    }
}

/// One bucket, as it was read.
#[derive(Clone, Copy, Debug, Deserialize)]
pub(crate) struct Bucket {
    number: u16,
    pub available: u64,
    #[serde(default)]
    pub ordered: u64,
    active: bool,
}

/// What was found of a SKU whose stock is spread.
pub(crate) struct Found {
    /// With the units of all buckets that can be ordered from.
    pub offer: Offer,
    /// What lies where: in a bucket, or with the offer.
    pub places: Vec<(Option<u16>, u64)>,
    /// Whether units were on their way from one place to another.
    pub is_moving: bool,
}

impl Found {
    pub fn units(&self) -> u64 {
        self.places.iter().map(|(_, units)| units).sum()
    }
}

impl Table {
    /// What can be ordered of a SKU at this moment, and where it lies: one read, and a query for each 64 buckets. Where that is
    /// less than wanted, it is read once more whether anything moved meanwhile, and what was counted is noted.
    pub(crate) async fn found(
        &self,
        product: ProductId,
        sku: &Sku,
        wanted: u64,
        now: Timestamp,
    ) -> Result<Option<Found>, StorageError> {
        let Some(mut offer) = self.offer_now(product, sku).await? else { return Ok(None) };
        // Before the buckets: what is dealt out meanwhile is seen twice rather than not at all.
        let before = offer.clone();
        let buckets = self.buckets(&offer).await?;
        let open = || buckets.iter().filter(|bucket| bucket.active);
        let places = open().map(|bucket| (Some(bucket.number), bucket.available));
        let places: Vec<_> = places.chain([(None, offer.available)]).filter(|(_, units)| *units > 0).collect();
        let counted = open().map(|bucket| bucket.available).sum();
        set_dealt(&mut offer, counted);
        let mut found = Found { offer, places, is_moving: false };
        if found.units() < wanted && before.is_dealt() {
            let after = self.offer_now(product, sku).await?;
            let is_same =
                after.is_some_and(|after| (after.available, after.spread) == (before.available, before.spread));
            found.is_moving = !is_same || before.spread.is_some_and(|spread| spread.gathering);
            if !found.is_moving {
                // Where somebody else is noting something, `stock` sees to it.
                self.note_count(&before, counted, now).await?;
            }
        }
        Ok(Some(found))
    }

    /// Sees to a SKU whose stock is spread: gathers what somebody has begun to, counts what is left, unless that was done just
    /// now, and deals out what has come. Answers the offer as it is then.
    pub(crate) async fn settled(&self, offer: Offer, now: Timestamp) -> Result<Offer, StorageError> {
        let Some(spread) = offer.spread else { return Ok(offer) };
        let is_due = spread.gathering || offer.needs_dealing();
        let is_stale = !spread.gathering && offer.needs_counting(now);
        if spread.gathering {
            self.gather(offer.product_id, &offer.sku).await?;
        }
        if is_stale {
            self.count_buckets(offer.clone(), now).await?;
        }
        if is_due {
            self.deal(offer.product_id, &offer.sku, now).await?;
        }
        if !is_due && !is_stale {
            return Ok(offer);
        }
        Ok(self.offer_now(offer.product_id, &offer.sku).await?.unwrap_or(offer))
    }

    /// Notes what lies in the buckets of an offer at this moment.
    async fn count_buckets(&self, mut offer: Offer, now: Timestamp) -> Result<(), StorageError> {
        for attempt in 0..TRIES {
            let counted = self.buckets(&offer).await?.iter().map(|bucket| bucket.available).sum();
            if self.note_count(&offer, counted, now).await? {
                return Ok(());
            }
            back_off(attempt).await;
            // Whoever was faster may have counted before the last order came.
            match self.offer_now(offer.product_id, &offer.sku).await? {
                Some(now) if now.open_buckets().is_some() => offer = now,
                Some(_) | None => return Ok(()),
            }
        }
        Err(StorageError::Busy(format!("the buckets of {} were counted again and again", offer.sku)))
    }

    /// Puts all units that lie in buckets back to the offer, for good. Buckets are closed first, so that none is taken from
    /// while they are emptied.
    pub(crate) async fn gather(&self, product: ProductId, sku: &Sku) -> Result<(), StorageError> {
        for attempt in 0..TRIES {
            let Some(offer) = self.offer_now(product, sku).await? else { return Ok(()) };
            let Some(spread) = offer.spread.filter(|_| offer.is_dealt()) else { return Ok(()) };
            if !spread.gathering {
                let close = Write::update(&keys::offer(product, sku), "SET #spread.gathering = :yes")
                    .only_if("attribute_exists(#spread.dealt) AND #spread.#round = :round");
                self.update(&in_round(close, spread).value(":yes", AttributeValue::Bool(true))).await?.ok();
            }
            if self.empty(&offer, spread).await? {
                return Ok(());
            }
            back_off(attempt).await;
        }
        Err(StorageError::Busy(format!("the buckets of {sku} changed again and again")))
    }

    /// Closes the buckets and moves what is in them. False where somebody else was faster.
    async fn empty(&self, offer: &Offer, spread: Spread) -> Result<bool, StorageError> {
        let (product, sku) = (offer.product_id, &offer.sku);
        let mut buckets = self.buckets(offer).await?;
        for some in buckets.chunks_mut(CLOSED_AT_ONCE) {
            let closing = some.iter_mut().filter(|bucket| bucket.active).map(async |bucket| {
                let close = Write::update(&keys::bucket(product, sku, bucket.number), "SET active = :no")
                    .only_if("attribute_exists(pk)")
                    .value(":no", AttributeValue::Bool(false));
                if let Ok(closed) = self.update(&close).await? {
                    *bucket = from_item(closed)?;
                }
                Ok::<_, StorageError>(())
            });
            futures_util::future::try_join_all(closing).await?;
        }
        let parts: Vec<_> = match buckets.is_empty() {
            true => vec![buckets.as_slice()],
            false => buckets.chunks(AT_ONCE).collect(),
        };
        for (number, part) in parts.iter().enumerate() {
            let sum = |of: fn(&Bucket) -> u64| part.iter().map(of).sum::<u64>();
            let (units, ordered) = (sum(|bucket| bucket.available), sum(|bucket| bucket.ordered));
            let mut back = match number + 1 == parts.len() {
                false => Write::update(
                    &keys::offer(product, sku),
                    "SET available = available + :units, #spread.dealt.units = #spread.dealt.units - :units ADD #ordered :ordered",
                ),
                true => Write::update(
                    &keys::offer(product, sku),
                    "SET available = available + :units, #spread.#round = :next REMOVE #spread.dealt, #spread.gathering ADD #ordered :ordered",
                )
                .value(":next", AttributeValue::N(random::fresh()?.to_string())),
            };
            back = in_round(back.only_if("#spread.gathering = :yes AND #spread.#round = :round"), spread)
                .value(":yes", AttributeValue::Bool(true))
                .name("#ordered", "ordered")
                .number(":units", signed(units))
                .number(":ordered", signed(ordered));
            let mut transaction = Transaction::new().write(back, |_| Ok(()));
            for bucket in *part {
                let delete = Write::delete(&keys::bucket(product, sku, bucket.number))
                    .only_if("active = :no AND available = :units AND #ordered = :ordered")
                    .name("#ordered", "ordered")
                    .value(":no", AttributeValue::Bool(false))
                    .number(":units", signed(bucket.available))
                    .number(":ordered", signed(bucket.ordered));
                transaction = transaction.write(delete, |_| Ok(()));
            }
            match transaction.commit(self).await {
                Ok(()) => {}
                Err(Refused::By(_)) => return Ok(false),
                Err(Refused::Failed(error)) => return Err(error),
            }
        }
        Ok(true)
    }

    /// Deals out the units that lie with the offer, the same number to each bucket, or one more.
    async fn deal(&self, product: ProductId, sku: &Sku, now: Timestamp) -> Result<(), StorageError> {
        let Some(mut offer) = self.offer_now(product, sku).await? else { return Ok(()) };
        let Some(spread) = offer.spread.filter(|spread| !spread.gathering && offer.active) else { return Ok(()) };
        let shares = shares(offer.available, spread.buckets, random::fresh()?);
        let (mut rest, mut size, mut attempt) = (shares.as_slice(), AT_ONCE, 0);
        while !rest.is_empty() {
            let (part, others) = rest.split_at(size.min(rest.len()));
            match dealing(&offer, spread, part, now)?.attempt(self).await {
                Ok(()) => {
                    (rest, attempt) = (others, 0);
                    let dealt = offer.dealt() + sum(part);
                    set_dealt(&mut offer, dealt);
                }
                // Whoever has changed it sees to it.
                Err(Outcome::Refused(Refused::By(_))) => break,
                Err(Outcome::Refused(Refused::Failed(error))) => return Err(error),
                Err(Outcome::Busy(cause)) if attempt == TRIES => return Err(StorageError::Busy(cause)),
                // Of many buckets one is always being taken from.
                Err(Outcome::Busy(_)) => {
                    (size, attempt) = ((size / 2).max(1), attempt + 1);
                    back_off(attempt).await;
                }
            }
        }
        Ok(())
    }

    /// The buckets of an offer, as they are now.
    pub(crate) async fn buckets(&self, offer: &Offer) -> Result<Vec<Bucket>, StorageError> {
        let Some(spread) = offer.spread.filter(|_| offer.is_dealt()) else { return Ok(Vec::new()) };
        let parts = (0..spread.buckets.div_ceil(BUCKETS_TOGETHER))
            .map(|part| keys::buckets(offer.product_id, &offer.sku, part))
            .map(async |pk| self.partition(&pk, true).await);
        let parts = futures_util::future::try_join_all(parts).await?;
        parts.into_iter().flatten().map(from_item).collect()
    }

    pub(crate) async fn offer_now(&self, product: ProductId, sku: &Sku) -> Result<Option<Offer>, StorageError> {
        self.get(&keys::offer(product, sku), true).await?.map(from_item).transpose()
    }

    /// Notes what lies in the buckets of an offer; false where it was counted or moved since the offer was read, or is being
    /// so. Whoever looks for what is in stock hears of it once nothing is left.
    async fn note_count(&self, offer: &Offer, counted: u64, now: Timestamp) -> Result<bool, StorageError> {
        let Some((spread, dealt)) = offer.spread.and_then(|spread| Some((spread, spread.dealt?))) else {
            return Ok(true);
        };
        if dealt.units == signed(counted) {
            return Ok(true);
        }
        let note = Write::update(&keys::offer(offer.product_id, &offer.sku), "SET #spread.dealt = :dealt")
            .only_if("#spread.dealt = :seen AND #spread.#round = :round AND attribute_not_exists(#spread.gathering)")
            .value(":seen", to_value(&dealt)?)
            .value(":dealt", to_value(&Dealt { units: signed(counted), counted_at: now })?);
        let mut transaction = Transaction::new().write(in_round(note, spread), |_| Ok(()));
        if counted + offer.available == 0 {
            transaction = transaction.write(stock::put_on_sale(&offer.sku, now), |_| Ok(()));
        }
        match transaction.attempt(self).await {
            Ok(()) => Ok(true),
            Err(Outcome::Refused(Refused::By(_)) | Outcome::Busy(_)) => Ok(false),
            Err(Outcome::Refused(Refused::Failed(error))) => Err(error),
        }
    }
}

/// Units as evenly among buckets as can be; which of them get one more is left to chance.
fn shares(units: u64, buckets: u16, chance: u64) -> Vec<(u16, u64)> {
    let count = u64::from(buckets.max(1));
    let share =
        |place: u64| ((chance.wrapping_add(place) % count) as u16, units / count + u64::from(place < units % count));
    (0..count).map(share).filter(|(_, units)| *units > 0).collect()
}

fn sum(shares: &[(u16, u64)]) -> u64 {
    shares.iter().map(|(_, units)| units).sum()
}

/// So many units for each of these buckets, while the offer is as it was read.
fn dealing(
    offer: &Offer,
    spread: Spread,
    shares: &[(u16, u64)],
    now: Timestamp,
) -> Result<Transaction<()>, StorageError> {
    let units = signed(sum(shares));
    let (set, known) = match offer.spread.and_then(|spread| spread.dealt) {
        Some(_) => ("#spread.dealt.units = #spread.dealt.units + :units", "attribute_exists(#spread.dealt)"),
        None => ("#spread.dealt = :dealt", "attribute_not_exists(#spread.dealt)"),
    };
    let prices = to_value(&offer.prices)?;
    let mut take = Write::update(
        &keys::offer(offer.product_id, &offer.sku),
        format!("SET available = available - :units, {set}"),
    )
    .only_if(format!(
        "available >= :units AND active = :yes AND prices = :prices AND #spread.#round = :round AND attribute_not_exists(#spread.gathering) AND {known}"
    ))
    .number(":units", units)
    .value(":yes", AttributeValue::Bool(true))
    .value(":prices", prices.clone());
    if offer.spread.is_some_and(|spread| spread.dealt.is_none()) {
        take = take.value(":dealt", to_value(&Dealt { units, counted_at: now })?);
    }
    let mut transaction = Transaction::new().write(in_round(take, spread), |_| Ok(()));
    for &(number, more) in shares {
        let give = Write::update(
            &keys::bucket(offer.product_id, &offer.sku, number),
            "SET prices = :prices, active = :yes, #number = :number ADD available :more, #ordered :none",
        )
        .only_if("attribute_not_exists(pk) OR active = :yes")
        .name("#number", "number")
        .name("#ordered", "ordered")
        .value(":prices", prices.clone())
        .value(":yes", AttributeValue::Bool(true))
        .number(":number", number.into())
        .number(":more", signed(more))
        .number(":none", 0);
        transaction = transaction.write(give, |_| Ok(()));
    }
    Ok(transaction)
}

fn in_round(write: Write, spread: Spread) -> Write {
    write.name("#spread", "spread").name("#round", "round").value(":round", AttributeValue::N(spread.round.to_string()))
}

/// An offer whose buckets hold so many units.
pub(crate) fn set_dealt(offer: &mut Offer, units: u64) {
    if let Some(spread) = &mut offer.spread
        && (units > 0 || spread.dealt.is_some())
    {
        let counted_at = spread.dealt.map_or(Timestamp::UNIX_EPOCH, |dealt| dealt.counted_at);
        spread.dealt = Some(Dealt { units: signed(units), counted_at });
    }
}
