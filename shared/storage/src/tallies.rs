//! The counts behind reports. The stream tells of orders, carts and accounts; beside the counts lies how much of each was
//! counted, and both are written in one transaction, so that everything counts once however often, in whatever order and in
//! whatever batches it is told of.

mod bundle;
mod read;
mod recount;
mod told;

use std::collections::{BTreeSet, HashMap};

use aws_sdk_dynamodb::types::AttributeValue;
use serde::{Deserialize, Serialize};
use waybill_domain::id::{CategoryId, ProductId};
use waybill_domain::money::Currency;
use waybill_domain::product::Offer;
use waybill_domain::report::{Counts, day_of, zone};
use waybill_domain::text::Sku;
use waybill_domain::{TimeZone, Timestamp};

use crate::keys::{self, Item};
use crate::table::{StorageError, Table, back_off, from_item, to_item};
use crate::transaction::{Refused, Transaction, Write};

pub use read::{MAX_SOLD, SkuSales};
pub use recount::{NotBegun, Place, Recounted};
pub use told::Told;

use bundle::{Bundle, noted};
use told::{Kind, longest};

/// Writes of one transaction, which DynamoDB limits to 100; one is kept for the check of the generations.
const MOST_WRITES: usize = 99;
/// What is looked at together, which is what one BatchGetItem reads.
const TOGETHER: usize = 100;
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

impl Table {
    /// Counts what was told, but for what was counted already, and answers how many steps were news. Of each hundred that
    /// are told of: a BatchGetItem of half a read unit each, one of the offers that were sold; and transactions of two write
    /// units for each subject that counts, for each day and for each SKU that was sold. The generations are one read unit.
    pub async fn tally(
        &self,
        told: impl IntoIterator<Item = Told>,
        shop: &Counting,
        now: Timestamp,
    ) -> Result<usize, StorageError> {
        let told = longest(told);
        if told.is_empty() {
            return Ok(0);
        }
        // Read after it was told: whatever changed since a recount began is counted by it, or here.
        let generations = self.generations(shop, now).await?;
        let mut counted = 0;
        for generation in [Some(&generations.current), generations.building.as_ref()].into_iter().flatten() {
            counted = self.tally_into(generation, &generations, &told, shop).await?;
        }
        Ok(counted)
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
                    Ok(steps) => break counted += steps,
                    Err(steps) if attempt + 1 < TRIES => {
                        counted += steps;
                        back_off(attempt).await;
                    }
                    Err(_) => return Err(StorageError::Busy("others count the same again and again".into())),
                }
                attempt += 1;
            }
        }
        Ok(counted)
    }

    /// Answers how many steps were counted: all that were news, or as an error those before somebody else stood in the way.
    async fn tally_together(
        &self,
        generation: &Generation,
        generations: &Generations,
        zone: &TimeZone,
        told: &[Told],
        shop: &Counting,
    ) -> Result<Result<usize, usize>, StorageError> {
        let before = self.tallied(generation, told).await?;
        let from = |told: &Told| before.get(&told.subject).copied().unwrap_or_default();
        let is_news = |told: &Told, place: &usize| *place >= from(told) && !told.steps[*place].is_empty();
        let news: Vec<(&Told, usize)> = told
            .iter()
            .flat_map(|told| {
                (0..told.steps.len()).filter(move |place| is_news(told, place)).map(move |place| (told, place))
            })
            .collect();
        let categories = self.categories_of(&news).await?;
        let (mut bundle, mut together, mut counted) = (Bundle::default(), 0, 0);
        for (told, place) in news {
            let day = day_of(told.steps[place].at, zone);
            let currency = told.currency.unwrap_or(shop.currency);
            // Empty steps between those that count need no note: whoever begins before them adds nothing.
            let known = bundle.subjects.get(told.subject.as_str()).map(|(_, from, to)| (*from, *to));
            let from = known.map_or(from(told), |(from, _)| from);
            if !bundle.take(told, place, from, currency, day) {
                if !self.commit_tally(generation, generations, std::mem::take(&mut bundle), &categories).await? {
                    return Ok(Err(counted));
                }
                counted += std::mem::take(&mut together);
                let from = known.map_or(from, |(_, to)| to);
                if !bundle.take(told, place, from, currency, day) {
                    return Err(StorageError::Broken(format!("{} is too large to be counted", told.subject)));
                }
            }
            together += 1;
        }
        if together > 0 && !self.commit_tally(generation, generations, bundle, &categories).await? {
            return Ok(Err(counted));
        }
        Ok(Ok(counted + together))
    }

    /// How many steps of each were counted.
    async fn tallied(&self, generation: &Generation, told: &[Told]) -> Result<HashMap<String, usize>, StorageError> {
        let attribute = generation.attribute();
        let keys = told.iter().map(|told| keys::tallied(&told.subject).item()).collect();
        let items = self.batch(keys).await?.into_iter().filter_map(|item| {
            let subject = keys::of(&item)?.pk.strip_prefix(keys::TALLIED)?.strip_prefix('#')?.to_owned();
            let steps = item.get(&attribute)?.as_n().ok()?.parse().ok()?;
            Some((subject, steps))
        });
        Ok(items.collect())
    }

    /// The categories of what is sold, as they are at this moment.
    async fn categories_of(
        &self,
        news: &[(&Told, usize)],
    ) -> Result<HashMap<(ProductId, Sku), Vec<CategoryId>>, StorageError> {
        let sales = news.iter().flat_map(|(told, place)| &told.steps[*place].sales);
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
        // An order or an account is there to be counted by a recount that began meanwhile. Of a cart there is this note only.
        if bundle.subjects.values().any(|(told, ..)| told.kept.as_ref().is_some_and(|kept| kept.kind == Kind::Cart)) {
            let check = Write::check(&keys::generations(), "#version = :version")
                .name("#version", "version")
                .number(":version", generations.version.into());
            transaction = transaction.write(check, |_| Ok(()));
        }
        for (subject, (told, from, to)) in bundle.subjects {
            transaction = transaction.write(noted(generation, subject, told, from, to)?, |_| Ok(()));
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
