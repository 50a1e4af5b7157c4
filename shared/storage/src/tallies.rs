//! The counts behind reports, and how many orders stand where. The stream tells of orders, carts and accounts; beside the counts
//! lies a note of each, how much of it was counted, and both are written in one transaction, so that everything counts once
//! however often, in whatever order and in whatever batches it is told of.

mod bundle;
mod read;
mod recount;
mod told;

use std::collections::{BTreeSet, HashMap};

use aws_sdk_dynamodb::types::AttributeValue;
use futures_util::{StreamExt, TryStreamExt, stream};
use serde::{Deserialize, Serialize};
use waybill_domain::id::{CategoryId, ProductId};
use waybill_domain::money::Currency;
use waybill_domain::product::Offer;
use waybill_domain::report::{Counts, day_of, zone};
use waybill_domain::text::Sku;
use waybill_domain::{TimeZone, Timestamp};

use crate::keys::{self, Item};
use crate::order_counts::{Moves, Standing};
use crate::order_lists::selling;
use crate::table::{StorageError, Table, back_off, from_item, to_item};
use crate::transaction::{Refused, Transaction, Write};

pub use read::{MAX_SOLD, SkuSales};
pub use recount::{NotBegun, Place, Recounted};
pub use told::Told;

use bundle::{Bundle, Piece};
use told::{Kind, latest};

/// Writes of one transaction, which DynamoDB limits to 100; one is kept for the check of the generations, and one for where
/// orders stand.
const MOST_WRITES: usize = 98;
/// What is looked at together, which is what one BatchGetItem reads.
const TOGETHER: usize = 100;
/// Items that are written at once.
const AT_ONCE: usize = 16;
/// How often counting starts again when others counted the same.
const TRIES: u32 = 8;

/// Counts that follow from each other: all that was ever told, by the days of one time zone.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Generation {
    pub number: u32,
    /// Its IANA name.
    pub zone: String,
}

/// Which generations there are.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Generations {
    /// Grows with every change of this item.
    version: u32,
    /// What reports read.
    current: Generation,
    /// What a recount is making; all that is told counts in it, too.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    building: Option<Generation>,
    /// What nobody reads any more, and is still to be deleted.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    old: BTreeSet<u32>,
    /// When the current one came into force.
    since: Timestamp,
}

/// How the shop counts.
#[derive(Clone, Debug)]
pub struct Counting {
    /// What its prices are in. What orders in other currencies come to is kept apart.
    pub currency: Currency,
    /// The time zone of the first generation and of those that recounts make.
    pub zone: String,
}

impl Generation {
    fn attribute(&self) -> String {
        format!("g{}", self.number)
    }

    /// The zone by whose days it counts.
    pub fn time_zone(&self) -> Result<TimeZone, StorageError> {
        zone(&self.zone).map_err(|_| StorageError::Broken(format!("there is no time zone {:?} any more", self.zone)))
    }
}

/// What is noted of an order, a cart or an account.
#[derive(Clone, Copy, Default)]
struct Noted {
    /// How many of its steps were counted.
    steps: usize,
    /// Where an order was counted as standing.
    standing: Option<Standing>,
}

/// What of that which was told is news.
struct News<'a> {
    told: &'a Told,
    noted: Noted,
    pieces: Vec<Piece>,
}

impl Table {
    /// Counts what was told, but for what was counted already, and answers of how many there was news; an order of which
    /// there was none before can be found by its SKUs from now on. The generations are one read unit; of each hundred that
    /// are told of: a BatchGetItem of half a read unit each, and one of the offers that were sold; a PutItem of one write unit
    /// for each SKU of an order that is new; and transactions of two write units for each of which there is news, for each
    /// day, for each SKU that was sold, and for where orders stand. A single write, as for an order that goes on and stands
    /// where it stood, is one.
    pub async fn tally(
        &self,
        told: impl IntoIterator<Item = Told>,
        shop: &Counting,
        now: Timestamp,
    ) -> Result<usize, StorageError> {
        let told = latest(told);
        if told.is_empty() {
            return Ok(0);
        }
        // Read after it was told: whatever changed since a recount began is counted by it, or here.
        let generations = self.generations(shop, now).await?;
        if let Some(building) = &generations.building {
            self.tally_into(building, &generations, &told, shop).await?;
        }
        self.tally_into(&generations.current, &generations, &told, shop).await
    }

    async fn tally_into(
        &self,
        generation: &Generation,
        generations: &Generations,
        told: &[Told],
        shop: &Counting,
    ) -> Result<usize, StorageError> {
        let zone = generation.time_zone()?;
        let mut counted = 0;
        for together in told.chunks(TOGETHER) {
            let mut attempt = 0;
            loop {
                match self.tally_together(generation, generations, &zone, together, shop).await? {
                    Ok(news) => break counted += news,
                    Err(news) if attempt + 1 < TRIES => {
                        counted += news;
                        back_off(attempt).await;
                    }
                    Err(_) => return Err(StorageError::Busy("others count the same again and again".into())),
                }
                attempt += 1;
            }
        }
        Ok(counted)
    }

    /// Answers of how many the news was counted: of all, or as an error of those before somebody else stood in the way.
    async fn tally_together(
        &self,
        generation: &Generation,
        generations: &Generations,
        zone: &TimeZone,
        told: &[Told],
        shop: &Counting,
    ) -> Result<Result<usize, usize>, StorageError> {
        let noted = self.noted(generation, told).await?;
        // Where orders stand is counted once, and not by generations.
        let is_current = generation == &generations.current;
        let news = told.iter().filter_map(|told| {
            let noted = noted.get(&told.subject).copied().unwrap_or_default();
            let currency = told.currency.unwrap_or(shop.currency);
            let steps = told.steps.iter().enumerate().skip(noted.steps).filter(|(_, step)| !step.is_empty());
            let steps = steps.map(|(place, step)| Piece::Step { place, currency, day: day_of(step.at, zone) });
            let version = |standing: &Standing| standing.version;
            let standing = told.ordered.as_ref().map(|order| &order.standing).filter(|_| is_current);
            let standing = standing.filter(|standing| Some(standing.version) > noted.standing.as_ref().map(version));
            let pieces: Vec<_> = steps.chain(standing.map(|standing| Piece::Standing(*standing))).collect();
            (!pieces.is_empty()).then_some(News { told, noted, pieces })
        });
        let news: Vec<_> = news.collect();
        let categories = self.categories_of(&news).await?;
        let (mut bundle, mut together, mut counted) = (Bundle::default(), 0, 0);
        for News { told, noted, pieces } in &news {
            // What will be noted of it before this bundle, and with it.
            let (mut from, mut to) = (*noted, *noted);
            for piece in pieces {
                if !bundle.take(told, from, *piece) {
                    let full = std::mem::take(&mut bundle);
                    if !self.commit_tally(generation, generations, full, &categories).await? {
                        return Ok(Err(counted));
                    }
                    counted += std::mem::take(&mut together);
                    from = to;
                    if !bundle.take(told, from, *piece) {
                        return Err(StorageError::Broken(format!("{} is too large to be counted", told.subject)));
                    }
                }
                to.go_on(*piece);
            }
            together += 1;
        }
        if together > 0 && !self.commit_tally(generation, generations, bundle, &categories).await? {
            return Ok(Err(counted));
        }
        Ok(Ok(counted + together))
    }

    /// What is noted of each.
    async fn noted(&self, generation: &Generation, told: &[Told]) -> Result<HashMap<String, Noted>, StorageError> {
        let attribute = generation.attribute();
        let keys = told.iter().map(|told| keys::tallied(&told.subject).item()).collect();
        let items = self.batch(keys).await?.into_iter().filter_map(|item| {
            let subject = keys::of(&item)?.pk.strip_prefix(keys::TALLIED)?.strip_prefix('#')?.to_owned();
            let steps = item.get(&attribute).and_then(|steps| steps.as_n().ok()?.parse().ok()).unwrap_or_default();
            let standing = item.contains_key(VERSION).then(|| from_item(item)).transpose();
            Some(standing.map(|standing| (subject, Noted { steps, standing })))
        });
        items.collect()
    }

    /// The categories of what is sold, as they are at this moment.
    async fn categories_of(
        &self,
        news: &[News<'_>],
    ) -> Result<HashMap<(ProductId, Sku), Vec<CategoryId>>, StorageError> {
        let steps = news.iter().flat_map(|News { told, pieces, .. }| pieces.iter().filter_map(|piece| piece.of(told)));
        let sales = steps.flat_map(|step| &step.sales);
        let sold = sales.filter(|sold| sold.sale.units > 0);
        let sold: BTreeSet<_> = sold.map(|sold| (sold.product_id, sold.sku.clone())).collect();
        let sold: Vec<_> = sold.into_iter().collect();
        let mut categories = HashMap::new();
        for some in sold.chunks(TOGETHER) {
            let keys = some.iter().map(|(product, sku)| keys::offer(*product, sku).item()).collect();
            for item in self.batch(keys).await? {
                let offer: Offer = from_item(item)?;
                categories.insert((offer.product_id, offer.sku), offer.category_ids);
            }
        }
        Ok(categories)
    }

    /// Counts a bundle; false where some of it was counted already, or generations have changed.
    async fn commit_tally(
        &self,
        generation: &Generation,
        generations: &Generations,
        bundle: Bundle<'_>,
        categories: &HashMap<(ProductId, Sku), Vec<CategoryId>>,
    ) -> Result<bool, StorageError> {
        let mut transaction = Transaction::new();
        // Before an order counts: broken off in between, all of it is done again.
        let new = bundle.noting.values().filter(|noting| noting.is_of_a_new_order());
        let orders = new.filter_map(|noting| noting.told.ordered.as_ref());
        let puts = orders.flat_map(|order| order.skus.iter().map(|sku| selling(sku, order.placed_at, order.id)));
        let puts = puts.map(async |item| self.write(Write::put(item?)).await);
        stream::iter(puts).buffer_unordered(AT_ONCE).try_collect::<()>().await?;
        // An order or an account is there to be counted by a recount that began meanwhile. Of a cart there is this note only.
        if bundle.noting.values().any(|noting| noting.told.kept.as_ref().is_some_and(|kept| kept.kind == Kind::Cart)) {
            let check = Write::check(&keys::generations(), "#version = :version")
                .name("#version", "version")
                .number(":version", generations.version.into());
            transaction = transaction.write(check, |_| Ok(()));
        }
        let mut moves = Moves::default();
        for noting in bundle.noting.into_values() {
            if let Some(standing) = &noting.to.standing {
                moves.add(noting.from.standing.as_ref(), standing)?;
            }
            transaction = transaction.write(noting.write(generation)?, |_| Ok(()));
        }
        if let Some(count) = moves.write() {
            transaction = transaction.write(count, |_| Ok(()));
        }
        // What was paid back and came back on the same day adds nothing to it.
        let days = bundle.days.into_iter().filter(|(_, counts)| *counts != Counts::default());
        for ((currency, day), counts) in days {
            let numbers: Vec<_> = counts.named().filter(|(_, number)| *number != 0).collect();
            let add: Vec<_> = numbers.iter().map(|(name, _)| format!("#{name} :{name}")).collect();
            let key = keys::tally_of_day(generation.number, currency, day);
            let write = Write::update(&key, format!("ADD {}", add.join(", ")));
            let write = numbers.into_iter().fold(write, |write, (name, number)| {
                write.name(&format!("#{name}"), name).number(&format!(":{name}"), number)
            });
            transaction = transaction.write(write, |_| Ok(()));
        }
        for ((currency, month, product, sku), sold) in bundle.sales {
            let key = keys::sales_of(generation.number, currency, month, product, sku);
            let categories = categories.get(&(product, sku.clone()));
            transaction = transaction.write(sold.write(&key, categories)?, |_| Ok(()));
        }
        match transaction.commit(self).await {
            Ok(()) => Ok(true),
            Err(Refused::By(_)) => Ok(false),
            Err(Refused::Failed(error)) => Err(error),
        }
    }

    /// Which generations there are; the first one is made by the way.
    async fn generations(&self, shop: &Counting, now: Timestamp) -> Result<Generations, StorageError> {
        for _ in 0..TRIES {
            if let Some(item) = self.get(&keys::generations(), true).await? {
                return from_item(item);
            }
            let current = Generation { number: 1, zone: shop.zone.clone() };
            let first = Generations { version: 1, current, building: None, old: BTreeSet::new(), since: now };
            let mut item = to_item(&first)?;
            item.extend(keys::generations().item());
            match Transaction::new().write(Write::put(item).only_if_new(), |_| Ok(())).commit(self).await {
                Ok(()) | Err(Refused::By(_)) => {}
                Err(Refused::Failed(error)) => return Err(error),
            }
        }
        Err(StorageError::Busy("the generations come and go".into()))
    }
}

/// The attribute of a note that tells the version of an order as of which it is counted as standing somewhere.
const VERSION: &str = "version";

impl Noted {
    /// With one more piece.
    fn go_on(&mut self, piece: Piece) {
        match piece {
            Piece::Step { place, .. } => self.steps = place + 1,
            Piece::Standing(standing) => self.standing = Some(standing),
        }
    }
}

/// The attribute of a month's item that counts the units of a day.
fn units_on(day: i8) -> String {
    format!("u{day}")
}

/// The attribute of a month's item that counts what is kept of a day's sales.
fn net_on(day: i8) -> String {
    format!("n{day}")
}

/// A number of an item; what is not there is nothing.
fn number(item: &Item, name: &str) -> Result<i64, StorageError> {
    let Some(AttributeValue::N(number)) = item.get(name) else { return Ok(0) };
    number.parse().map_err(|error| StorageError::Broken(format!("{name} is no count: {error}")))
}
