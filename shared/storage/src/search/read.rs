//! Searching: sets that were read some seconds ago are used again, what is shown is read anew.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::ops::RangeInclusive;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use aws_sdk_dynamodb::types::AttributeValue;
use roaring::{MultiOps, RoaringBitmap};
use waybill_domain::category::Tree;
use waybill_domain::id::CategoryId;
use waybill_domain::money::Currency;
use waybill_domain::product::ProductSummary;
use waybill_domain::text::Slug;

use super::{
    CATEGORY, CHUNK, Column, IN_STOCK, ROWS, SHOWN, TAG, WIDTH_OF_PRICE, attribute, bitmap, card, partition, words_like,
};
use crate::keys::Item;
use crate::table::{StorageError, Table, from_item};

/// Bytes of sets and columns that a process keeps; beyond them it begins anew.
const KEPT: usize = 24 * 1024 * 1024;
/// Bytes that keeping one takes beside what it holds and its name: of something that no product has, it holds nothing.
const ENTRY: usize = 256;
/// Letters of a word from which on it is also found by its beginning. Shorter ones begin too many words.
const PREFIX: usize = 3;
/// What is looked for. Everything that is given has to be true of a product.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Filter {
    /// Any of these.
    pub categories: Option<BTreeSet<CategoryId>>,
    /// All of these.
    pub tags: BTreeSet<Slug>,
    /// Of each attribute any of its values.
    pub attributes: BTreeMap<Slug, BTreeSet<String>>,
    pub in_stock: bool,
    /// The lowest price of a product, in minor units.
    pub price: Option<(Currency, RangeInclusive<i64>)>,
    /// All of these, as [`waybill_domain::search::words`] has them; of three letters or more also as a beginning.
    pub words: Vec<String>,
}

/// How a list is sorted. Where two are equal, the newest comes first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Order {
    Newest,
    Price { currency: Currency, falling: bool },
    Name { falling: bool },
    Popularity,
}

impl Order {
    fn is_falling(self) -> bool {
        match self {
            Order::Newest => false,
            Order::Price { falling, .. } | Order::Name { falling } => falling,
            Order::Popularity => true,
        }
    }
}

/// What is to be counted.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Facet {
    Category,
    Tag,
    Attribute(Slug),
}

/// What to count.
#[derive(Clone, Copy, Debug, Default)]
pub struct Facets<'a> {
    pub of: &'a [Facet],
    /// With it, a category counts those below it too.
    pub tree: Option<&'a Tree>,
}

/// A place in a list: what the product there is sorted by, and its number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Mark {
    pub key: [u8; Mark::KEY],
    pub number: u32,
}

impl Mark {
    /// Bytes of what is sorted by: the widest column, and one before it.
    pub const KEY: usize = 25;
}

/// Which part of a list is wanted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Wanted {
    First,
    After(Mark),
    Before(Mark),
}

#[derive(Clone, Debug)]
pub struct Found {
    pub items: Vec<ProductSummary>,
    /// The marks of the first and the last of them, where something stands before and behind them.
    pub before: Option<Mark>,
    pub after: Option<Mark>,
    /// How many there are in all.
    pub total: u64,
    /// For each facet how many there are of each value, where the facet's own filter is left out.
    pub counts: Vec<Vec<(String, u64)>>,
}

/// Finds products. Cheap to clone; clones share what they keep.
#[derive(Clone)]
pub struct Search {
    table: Table,
    lifetime: Duration,
    kept: Arc<Mutex<Kept>>,
}

#[derive(Default)]
struct Kept {
    bytes: usize,
    partitions: HashMap<String, (Instant, Arc<Partition>)>,
}

/// A partition of sets by their names, or of a column's chunks.
struct Partition {
    bytes: usize,
    sets: BTreeMap<String, RoaringBitmap>,
    column: Vec<u8>,
    /// The column's products in their order, rising and falling.
    sorted: [Mutex<Sorted>; 2],
}

#[derive(Default)]
struct Sorted {
    /// Whether somebody has asked for it. Who is the only one to ask does not wait for all to be sorted.
    is_wanted: bool,
    numbers: Arc<Vec<u32>>,
}

impl Search {
    /// Sets that were read within `lifetime` are used again.
    pub fn new(table: Table, lifetime: Duration) -> Self {
        Search { table, lifetime, kept: Arc::default() }
    }

    /// A page of what the filter leaves. Two calls one after the other where the sets are not known, else one.
    pub async fn find(
        &self,
        filter: &Filter,
        order: Order,
        facets: Facets<'_>,
        limit: usize,
        wanted: &Wanted,
    ) -> Result<Found, StorageError> {
        let matching = Matching::read(self, filter, facets.of).await?;
        let column = match order {
            Order::Newest => None,
            Order::Price { currency, .. } => Some(Column::Price(currency)),
            Order::Name { .. } => Some(Column::Name),
            Order::Popularity => Some(Column::Popularity),
        };
        let column = match column {
            Some(column) => Some((column, self.column(column).await?)),
            None => None,
        };
        let all = matching.all(None);
        let (page, before, after) = match &column {
            None => newest(&all, limit, wanted),
            Some(column) => match sorted(order, column, &all, limit) {
                Some(sorted) => walk(&sorted, order, column, &all, limit, wanted),
                None => {
                    let mut marks: Vec<Mark> = all.iter().map(|number| mark(order, column, number)).collect();
                    page(&mut marks, limit, wanted)
                }
            },
        };
        let counts = facets.of.iter().map(|facet| matching.count(facet, facets.tree)).collect();
        let items = self.cards(&page).await?;
        Ok(Found {
            items,
            before: before.then(|| page.first().copied()).flatten(),
            after: after.then(|| page.last().copied()).flatten(),
            total: all.len(),
            counts,
        })
    }

    /// What lists show of some products, in their order. One whose card has just gone is left out.
    async fn cards(&self, page: &[Mark]) -> Result<Vec<ProductSummary>, StorageError> {
        let keys = page.iter().map(|mark| card(mark.number).item()).collect();
        let mut found = HashMap::new();
        for mut item in self.table.batch(keys).await? {
            if let Some(AttributeValue::S(pk)) = item.remove("pk") {
                found.insert(pk, from_item::<ProductSummary>(item)?);
            }
        }
        Ok(page.iter().filter_map(|mark| found.remove(&card(mark.number).pk)).collect())
    }

    async fn column(&self, column: Column) -> Result<Arc<Partition>, StorageError> {
        self.partition(&column.partition(), "", Some(column)).await
    }

    async fn sets(&self, field: &str, prefix: &str) -> Result<Arc<Partition>, StorageError> {
        self.partition(&partition(field), prefix, None).await
    }

    async fn partition(&self, pk: &str, prefix: &str, column: Option<Column>) -> Result<Arc<Partition>, StorageError> {
        let name = format!("{pk}\n{prefix}");
        {
            let kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
            if let Some((read_at, partition)) = kept.partitions.get(&name)
                && read_at.elapsed() < self.lifetime
            {
                return Ok(partition.clone());
            }
        }
        let items = self.table.partition_from(pk, prefix).await?;
        let partition = Arc::new(Partition::of(items, column)?);
        self.kept.lock().unwrap_or_else(PoisonError::into_inner).keep(name, partition.clone());
        Ok(partition)
    }
}

impl Kept {
    fn keep(&mut self, name: String, partition: Arc<Partition>) {
        let weight = |partition: &Partition| partition.bytes + name.len() + ENTRY;
        let bytes = weight(&partition);
        if self.bytes + bytes > KEPT {
            *self = Kept::default();
        }
        self.bytes += bytes;
        if let Some((_, old)) = self.partitions.insert(name.clone(), (Instant::now(), partition)) {
            self.bytes -= weight(&old);
        }
    }
}

impl Partition {
    fn of(items: Vec<Item>, column: Option<Column>) -> Result<Partition, StorageError> {
        let mut partition =
            Partition { bytes: 0, sets: BTreeMap::new(), column: Vec::new(), sorted: Default::default() };
        for item in items {
            let text = |name: &str| item.get(name).and_then(|value| value.as_s().ok());
            let broken = || StorageError::Broken("a chunk of a set or a column is none".into());
            let (sk, bytes) =
                text("sk").zip(item.get("bytes").and_then(|bytes| bytes.as_b().ok())).ok_or_else(broken)?;
            let (value, chunk) = sk.rsplit_once('#').unwrap_or(("", sk));
            let chunk: u32 = chunk.parse().map_err(|_| broken())?;
            partition.bytes += bytes.as_ref().len() + sk.len() + 64;
            match column {
                Some(column) => {
                    let at = chunk as usize * ROWS as usize * column.width();
                    let end = at + bytes.as_ref().len();
                    partition.column.resize(partition.column.len().max(end), 0);
                    partition.column[at..end].copy_from_slice(bytes.as_ref());
                    // And what it is sorted into, both ways.
                    partition.bytes += 2 * size_of::<u32>() * bytes.as_ref().len() / column.width();
                }
                None => {
                    let low = bitmap(bytes.as_ref())?;
                    let set = partition.sets.entry(value.to_owned()).or_default();
                    if chunk == 0 {
                        *set |= low;
                    } else {
                        // In order, as chunks come: the quickest way to put them behind those before.
                        let numbers = low.into_iter().map(|low| chunk * CHUNK + low);
                        set.append(numbers).map_err(|_| broken())?;
                    }
                }
            }
        }
        Ok(partition)
    }

    /// Those that any of these values is true of.
    fn any<'a>(&self, values: impl IntoIterator<Item = &'a str>) -> RoaringBitmap {
        values.into_iter().filter_map(|value| self.sets.get(value)).union()
    }

    fn value(&self, width: usize, number: u32) -> &[u8] {
        let at = number as usize * width;
        self.column.get(at..at + width).unwrap_or_default()
    }
}

/// What each part of a filter leaves.
struct Matching {
    shown: RoaringBitmap,
    parts: Vec<(Option<Facet>, RoaringBitmap)>,
    counted: BTreeMap<Facet, Arc<Partition>>,
}

impl Matching {
    async fn read(search: &Search, filter: &Filter, facets: &[Facet]) -> Result<Matching, StorageError> {
        // All that is needed at once: one wait, however many sets there are.
        let fields = facets.iter().map(field).chain(filter.attributes.keys().map(|name| attribute(name.as_str())));
        let fields = fields.chain(filter.categories.iter().map(|_| CATEGORY.to_owned()));
        let fields = fields.chain((!filter.tags.is_empty()).then(|| TAG.to_owned()));
        let fields = fields.chain(filter.in_stock.then(|| IN_STOCK.to_owned())).chain([SHOWN.to_owned()]);
        let mut wanted: BTreeSet<(String, String)> = fields.map(|field| (field, String::new())).collect();
        wanted.extend(filter.words.iter().map(|word| (words_like(word), beginning(word))));
        let reading = wanted.iter().map(|(field, prefix)| search.sets(field, prefix));
        let mut read: HashMap<_, _> = HashMap::new();
        let results = futures_util::future::join_all(reading).await;
        for (name, result) in wanted.iter().zip(results) {
            read.insert(name.clone(), result?);
        }
        let whole = |field: &str| read[&(field.to_owned(), String::new())].clone();
        let is = |field: &str| whole(field).any(["is"]);
        let mut parts = Vec::new();
        if let Some(categories) = &filter.categories {
            let names: Vec<_> = categories.iter().map(ToString::to_string).collect();
            parts.push((Some(Facet::Category), whole(CATEGORY).any(names.iter().map(String::as_str))));
        }
        for tag in &filter.tags {
            parts.push((Some(Facet::Tag), whole(TAG).any([tag.as_str()])));
        }
        for (name, values) in &filter.attributes {
            let sets = whole(&attribute(name.as_str()));
            parts.push((Some(Facet::Attribute(name.clone())), sets.any(values.iter().map(String::as_str))));
        }
        if filter.in_stock {
            parts.push((None, is(IN_STOCK)));
        }
        for word in &filter.words {
            let sets = &read[&(words_like(word), beginning(word))];
            let alike =
                sets.sets.keys().map(String::as_str).filter(|known| {
                    known == word || (word.chars().count() >= PREFIX && known.starts_with(word.as_str()))
                });
            parts.push((None, sets.any(alike)));
        }
        let mut matching = Matching { shown: is(SHOWN), parts, counted: BTreeMap::new() };
        for facet in facets {
            matching.counted.insert(facet.clone(), whole(&field(facet)));
        }
        if let Some((currency, range)) = &filter.price {
            let column = search.column(Column::Price(*currency)).await?;
            let fits = |number: &u32| price(&column, *number).is_some_and(|price| range.contains(&price));
            // Only those are looked at that anything asks about.
            let asked = facets.iter().map(|facet| matching.all(Some(facet))).chain([matching.all(None)]);
            let asked: RoaringBitmap = asked.union();
            let fitting = RoaringBitmap::from_sorted_iter(asked.iter().filter(fits));
            let fitting = fitting.map_err(|_| StorageError::Broken("a set is not in order".into()))?;
            matching.parts.push((None, fitting));
        }
        Ok(matching)
    }

    /// What all parts leave, but for those of one facet.
    fn all(&self, but: Option<&Facet>) -> RoaringBitmap {
        let parts = self.parts.iter().filter(|(facet, _)| but.is_none() || facet.as_ref() != but);
        parts.fold(self.shown.clone(), |left, (_, part)| left & part)
    }

    /// The most frequent first.
    fn count(&self, facet: &Facet, tree: Option<&Tree>) -> Vec<(String, u64)> {
        let left = self.all(Some(facet));
        let Some(sets) = self.counted.get(facet) else { return Vec::new() };
        let mut counted: Vec<_> = match (facet, tree) {
            (Facet::Category, Some(tree)) => {
                let within = |id: CategoryId| {
                    let names: Vec<_> = tree.below(id).iter().map(ToString::to_string).collect();
                    left.intersection_len(&sets.any(names.iter().map(String::as_str)))
                };
                tree.in_order().iter().map(|(category, _)| (category.id.to_string(), within(category.id))).collect()
            }
            _ => sets.sets.iter().map(|(value, set)| (value.clone(), left.intersection_len(set))).collect(),
        };
        counted.retain(|(_, count)| *count > 0);
        counted.sort_by(|(one, fewer), (other, more)| more.cmp(fewer).then_with(|| one.cmp(other)));
        counted
    }
}

fn field(facet: &Facet) -> String {
    match facet {
        Facet::Category => CATEGORY.into(),
        Facet::Tag => TAG.into(),
        Facet::Attribute(name) => attribute(name.as_str()),
    }
}

/// What the names of the sets begin with that a word may be found in.
fn beginning(word: &str) -> String {
    if word.chars().count() >= PREFIX { word.to_owned() } else { format!("{word}#") }
}

fn price(column: &Partition, number: u32) -> Option<i64> {
    let value: [u8; 4] = column.value(WIDTH_OF_PRICE, number).try_into().ok()?;
    // Nothing costs nothing: there is no price.
    Some(i64::from(u32::from_be_bytes(value))).filter(|price| *price > 0)
}

/// Marks are compared as bytes: what comes first has the smaller one.
fn mark(order: Order, (column, values): &(Column, Arc<Partition>), number: u32) -> Mark {
    let value = values.value(column.width(), number);
    let mut key = [0; Mark::KEY];
    key[1..=value.len()].copy_from_slice(value);
    if let Order::Price { .. } = order {
        // Those without a price in this currency come last either way.
        key[0] = u8::from(value.iter().all(|byte| *byte == 0));
    }
    if order.is_falling() {
        key[1..].iter_mut().for_each(|byte| *byte = !*byte);
    }
    // Newer ones have higher numbers.
    Mark { key, number: u32::MAX - number }
}

/// How many numbers a list by this column has to do with.
fn rows((column, values): &(Column, Arc<Partition>), all: &RoaringBitmap) -> u64 {
    let rows = (values.column.len() / column.width()) as u64;
    rows.max(all.max().map_or(0, |highest| u64::from(highest) + 1))
}

/// All numbers in the order of a list, made once for each reading of its column, when it is asked for again. None where it is
/// quicker to sort what was found than to look for `limit` of it along all of them.
fn sorted(order: Order, column: &(Column, Arc<Partition>), all: &RoaringBitmap, limit: usize) -> Option<Arc<Vec<u32>>> {
    let rows = rows(column, all);
    // One of rows / all.len() is found.
    if all.len().saturating_mul(all.len()) < rows.saturating_mul(limit as u64) {
        return None;
    }
    let mut sorted = column.1.sorted[usize::from(order.is_falling())].lock().unwrap_or_else(PoisonError::into_inner);
    if !std::mem::replace(&mut sorted.is_wanted, true) {
        return None;
    }
    if (sorted.numbers.len() as u64) < rows {
        // By whole chunks: a product that is new does not have all of them sorted again.
        let mut marks: Vec<Mark> =
            (0..rows.next_multiple_of(u64::from(ROWS)) as u32).map(|number| mark(order, column, number)).collect();
        marks.sort_unstable();
        sorted.numbers = Arc::new(marks.into_iter().map(|mark| u32::MAX - mark.number).collect());
    }
    Some(sorted.numbers.clone())
}

/// As [`page`], along all numbers in their order.
fn walk(
    sorted: &[u32],
    order: Order,
    column: &(Column, Arc<Partition>),
    all: &RoaringBitmap,
    limit: usize,
    wanted: &Wanted,
) -> (Vec<Mark>, bool, bool) {
    let mark = |number: &u32| mark(order, column, *number);
    let found = |number: &&u32| all.contains(**number);
    let shown = |numbers: &mut dyn Iterator<Item = &u32>| -> (Vec<Mark>, bool) {
        let marks = numbers.take(limit).map(|number| Mark { number: *number, ..mark(number) }).collect();
        (marks, numbers.next().is_some())
    };
    match wanted {
        Wanted::First => {
            let (marks, more) = shown(&mut sorted.iter().filter(found));
            (marks, false, more)
        }
        Wanted::After(last) => {
            let (before, after) = sorted.split_at(sorted.partition_point(|number| mark(number) <= turned(last)));
            let (marks, more) = shown(&mut after.iter().filter(found));
            (marks, before.iter().rev().any(|number| all.contains(*number)), more)
        }
        Wanted::Before(first) => {
            let (before, after) = sorted.split_at(sorted.partition_point(|number| mark(number) < turned(first)));
            let (mut marks, more) = shown(&mut before.iter().rev().filter(found));
            marks.reverse();
            (marks, more, after.iter().any(|number| all.contains(*number)))
        }
    }
}

/// A mark as it is compared, and back.
fn turned(mark: &Mark) -> Mark {
    Mark { number: u32::MAX - mark.number, ..*mark }
}

/// The newest of all, whose numbers are the highest, as [`page`] has them: only those that are shown are looked at.
fn newest(all: &RoaringBitmap, limit: usize, wanted: &Wanted) -> (Vec<Mark>, bool, bool) {
    let shown = |numbers: &mut dyn Iterator<Item = u32>| -> (Vec<Mark>, bool) {
        let marks = numbers.take(limit).map(|number| Mark { key: [0; Mark::KEY], number }).collect();
        (marks, numbers.next().is_some())
    };
    match wanted {
        Wanted::First => {
            let (marks, more) = shown(&mut all.iter().rev());
            (marks, false, more)
        }
        Wanted::After(mark) => {
            let (marks, more) = shown(&mut all.range(..mark.number).rev());
            (marks, all.range_cardinality(mark.number..) > 0, more)
        }
        Wanted::Before(mark) => {
            let (mut marks, more) = shown(&mut all.range(mark.number.saturating_add(1)..));
            marks.reverse();
            (marks, more, all.range_cardinality(..=mark.number) > 0)
        }
    }
}

/// The wanted marks, and whether there are others before and behind them. Numbers are put right again.
fn page(marks: &mut Vec<Mark>, limit: usize, wanted: &Wanted) -> (Vec<Mark>, bool, bool) {
    let all = marks.len();
    match wanted {
        Wanted::First => {}
        Wanted::After(mark) => marks.retain(|other| *other > turned(mark)),
        Wanted::Before(mark) => marks.retain(|other| *other < turned(mark)),
    }
    let left_out = all > marks.len();
    let more = marks.len() > limit;
    if more {
        match wanted {
            Wanted::First | Wanted::After(_) => {
                marks.select_nth_unstable(limit);
                marks.truncate(limit);
            }
            Wanted::Before(_) => {
                let from = marks.len() - limit;
                marks.select_nth_unstable(from);
                marks.drain(..from);
            }
        }
    }
    marks.sort_unstable();
    let shown = marks.iter().map(turned).collect();
    match wanted {
        Wanted::First | Wanted::After(_) => (shown, left_out, more),
        Wanted::Before(_) => (shown, more, left_out),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn what_no_product_has_is_not_remembered_without_end() {
        let mut kept = Kept::default();
        let most = KEPT / ENTRY;
        for number in 0..2 * most {
            let nothing = Partition { bytes: 0, sets: BTreeMap::new(), column: Vec::new(), sorted: Default::default() };
            kept.keep(format!("attribute-{number}"), Arc::new(nothing));
            assert!(kept.bytes <= KEPT && kept.partitions.len() <= most, "{number}");
        }
        // Read again, it is kept once.
        let (bytes, again) =
            (kept.bytes, kept.partitions.iter().next().map(|(name, (_, one))| (name.clone(), one.clone())));
        let (name, one) = again.unwrap();
        kept.keep(name, one);
        assert_eq!(kept.bytes, bytes);
    }

    proptest! {
        /// What is shown must not depend on how few of all products are found.
        #[test]
        fn walking_along_the_order_shows_the_same_as_sorting_what_is_found(
            values in proptest::collection::vec(0_u32..6, 1..60),
            found in proptest::collection::btree_set(0_u32..70, 0..70),
            falling: bool,
            limit in 1_usize..8,
            from in 0_u32..75,
        ) {
            let column: Vec<u8> = values.iter().flat_map(|value| value.to_be_bytes()).collect();
            let currency = "USD".parse().unwrap();
            let partition = Partition { bytes: 0, sets: BTreeMap::new(), column, sorted: Default::default() };
            let column = (Column::Price(currency), Arc::new(partition));
            let order = Order::Price { currency, falling };
            let all: RoaringBitmap = found.into_iter().collect();
            let from = turned(&mark(order, &column, from));
            let (once, again) = (sorted(order, &column, &all, limit), sorted(order, &column, &all, limit));
            prop_assert!(once.is_none());
            // Too few to walk for, or all that there are.
            let Some(numbers) = again else { return Ok(()) };
            for wanted in [Wanted::First, Wanted::After(from), Wanted::Before(from)] {
                let mut marks: Vec<Mark> = all.iter().map(|number| mark(order, &column, number)).collect();
                let by_sorting = page(&mut marks, limit, &wanted);
                let walked = walk(&numbers, order, &column, &all, limit, &wanted);
                prop_assert_eq!(walked, by_sorting, "{:?}", wanted);
            }
        }
    }
}
