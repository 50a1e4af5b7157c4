//! Keeping the sets and columns as the products are. It may be done twice, and begin again after any line: what it
//! begins with is noted first, and every step makes true what may be true already.

use std::collections::{BTreeMap, BTreeSet};

use aws_sdk_dynamodb::primitives::Blob;
use aws_sdk_dynamodb::types::AttributeValue;
use futures_util::future::try_join_all;
use roaring::RoaringBitmap;
use serde::{Deserialize, Serialize};
use tokio::task::JoinSet;
use waybill_domain::id::ProductId;
use waybill_domain::search::{Entry, Face};

use super::{CHUNK, Column, ROWS, SetName, bitmap, card, set};
use crate::keys::{Item, Key};
use crate::table::{StorageError, Table, back_off, from_item, to_item};
use crate::transaction::{Transaction, Write};

/// How often a step starts again when others were faster.
const TRIES: u32 = 10;
/// The number of a product that has none.
const NONE: u32 = u32::MAX;
/// Writes that are under way at the same time.
const AT_ONCE: usize = 16;

/// What the sets say of a product, or may say: the terms before and after a change that is not finished.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Indexed {
    number: u32,
    sets: BTreeSet<SetName>,
    /// What the columns and the card were last brought to; None while that is under way, and for a product that is not
    /// shown.
    face: Option<Face>,
    version: u64,
}

/// One product that is to be brought up to date.
struct Change {
    key: Key,
    before: Indexed,
    after: Option<Goal>,
    is_gone: bool,
}

/// What a product that is shown is to be found by.
struct Goal {
    sets: BTreeSet<SetName>,
    face: Face,
}

impl From<Entry> for Goal {
    fn from(entry: Entry) -> Goal {
        Goal { sets: entry.terms.iter().map(SetName::from).collect(), face: entry.face }
    }
}

impl Indexed {
    /// Whether it is what is wanted, and nothing was left half done.
    fn is(&self, goal: Option<&Goal>) -> bool {
        match goal {
            Some(goal) => self.face.as_ref() == Some(&goal.face) && self.sets == goal.sets,
            None => self.face.is_none() && self.sets.is_empty(),
        }
    }
}

impl Table {
    /// Brings the index up to date with these products, few enough to be asked for at once, as they are now. Answers how many had changed.
    pub async fn index_products(&self, ids: &BTreeSet<ProductId>) -> Result<usize, StorageError> {
        let looks = try_join_all(ids.iter().map(|id| self.change(*id))).await?;
        let mut changes: Vec<_> = looks.into_iter().flatten().collect();
        if changes.is_empty() {
            return Ok(0);
        }
        self.number(&mut changes).await?;
        try_join_all(changes.iter_mut().map(|change| self.begin(change))).await?;
        self.change_sets(&changes).await?;
        self.change_columns(&changes).await?;
        try_join_all(changes.iter().map(|change| self.finish(change))).await?;
        Ok(changes.len())
    }

    /// What there is to change for a product; None where the index is right.
    async fn change(&self, id: ProductId) -> Result<Option<Change>, StorageError> {
        let key = Key { pk: format!("INDEXED#{id}"), sk: "INDEXED".into() };
        let before: Option<Indexed> = self.get(&key, true).await?.map(from_item).transpose()?;
        let listing = self.product(id, true).await?;
        let is_gone = listing.is_none();
        let after = listing.and_then(|listing| Entry::of(&listing.product, &listing.offers)).map(Goal::from);
        let is_right = match &before {
            Some(before) => before.is(after.as_ref()) && !is_gone,
            None => after.is_none(),
        };
        let before = before.unwrap_or(Indexed { number: NONE, sets: BTreeSet::new(), face: None, version: 0 });
        Ok((!is_right).then_some(Change { key, before, after, is_gone }))
    }

    /// Gives a number to each product that has none. What is not used after a crash stays unused.
    async fn number(&self, changes: &mut [Change]) -> Result<(), StorageError> {
        let mut new: Vec<_> = changes.iter_mut().filter(|change| change.before.number == NONE).collect();
        if new.is_empty() {
            return Ok(());
        }
        let key = Key { pk: "NUMBERS".into(), sk: "NUMBERS".into() };
        let count = i64::try_from(new.len()).unwrap_or(i64::MAX);
        let take = Write::update(&key, "ADD taken :count").number(":count", count);
        let item = self.update(&take).await?.map_err(|_| StorageError::Broken("numbers were refused".into()))?;
        let taken: Option<u32> = item.get("taken").and_then(|value| value.as_n().ok()?.parse().ok());
        let end = taken.ok_or_else(|| StorageError::Broken("there are no numbers".into()))?;
        for (change, number) in new.iter_mut().rev().zip((0..end).rev()) {
            change.before.number = number;
        }
        Ok(())
    }

    /// Notes which terms may be about from now on, before any set changes.
    async fn begin(&self, change: &mut Change) -> Result<(), StorageError> {
        let Change { key, before, after, .. } = change;
        let new = after.iter().flat_map(|goal| goal.sets.iter().cloned());
        let next = Indexed {
            sets: before.sets.iter().cloned().chain(new).collect(),
            face: None,
            version: before.version + 1,
            ..before.clone()
        };
        self.put_version(key, to_item(&next)?, before.version).await?;
        *before = next;
        Ok(())
    }

    async fn finish(&self, change: &Change) -> Result<(), StorageError> {
        let Change { key, before, after, is_gone } = change;
        match after {
            Some(goal) => {
                let mut item = to_item(&goal.face.summary)?;
                item.extend(card(before.number).item());
                self.write(Write::put(item)).await?;
            }
            None => self.delete(&card(before.number)).await?,
        }
        if *is_gone {
            return self.delete(key).await;
        }
        let sets = after.iter().flat_map(|goal| goal.sets.iter().cloned()).collect();
        let face = after.as_ref().map(|goal| goal.face.clone());
        let done = Indexed { sets, face, version: before.version + 1, ..before.clone() };
        self.put_version(key, to_item(&done)?, before.version).await
    }

    async fn change_sets(&self, changes: &[Change]) -> Result<(), StorageError> {
        // All changes of one set in one write.
        let mut wanted: BTreeMap<(SetName, u32), (RoaringBitmap, RoaringBitmap)> = BTreeMap::new();
        for Change { before, after, .. } in changes {
            let (chunk, low) = (before.number / CHUNK, before.number % CHUNK);
            for name in &before.sets {
                let (added, removed) = wanted.entry((name.clone(), chunk)).or_default();
                let is_true = after.as_ref().is_some_and(|goal| goal.sets.contains(name));
                if is_true {
                    added.insert(low)
                } else {
                    removed.insert(low)
                };
            }
        }
        let writes = wanted.into_iter().map(|((name, chunk), (added, removed))| {
            let (table, key) = (self.clone(), set(&name, chunk));
            async move {
                table
                    .change_bytes(&key, |bytes| {
                        let before = bytes.map(bitmap).transpose()?.unwrap_or_default();
                        let after = (&before - &removed) | &added;
                        let mut written = Vec::with_capacity(after.serialized_size());
                        let unwritten = |error| StorageError::Broken(format!("a set cannot be written: {error}"));
                        after.serialize_into(&mut written).map_err(unwritten)?;
                        Ok(if after.is_empty() { None } else { Some(written) })
                    })
                    .await
            }
        });
        all(writes).await
    }

    async fn change_columns(&self, changes: &[Change]) -> Result<(), StorageError> {
        let mut wanted: BTreeMap<(Column, u32), BTreeMap<u32, Vec<u8>>> = BTreeMap::new();
        for Change { before, after, .. } in changes {
            let Some(Goal { face, .. }) = after else { continue };
            let (chunk, row) = (before.number / ROWS, before.number % ROWS);
            let prices = face.prices.iter().map(|(currency, amount)| {
                let amount = u32::try_from(*amount).unwrap_or(u32::MAX);
                (Column::Price(*currency), amount.to_be_bytes().to_vec())
            });
            let name = (Column::Name, face.name.as_bytes().to_vec());
            let popularity = (Column::Popularity, vec![u8::try_from(face.popularity).unwrap_or(u8::MAX)]);
            for (column, value) in prices.chain([name, popularity]) {
                wanted.entry((column, chunk)).or_default().insert(row, value);
            }
        }
        let writes = wanted.into_iter().map(|((column, chunk), values)| {
            let table = self.clone();
            async move {
                let width = column.width();
                table
                    .change_bytes(&column.key(chunk), |bytes| {
                        let mut written = bytes.unwrap_or_default().to_vec();
                        for (row, value) in &values {
                            let at = *row as usize * width;
                            written.resize(written.len().max(at + width), 0);
                            let kept = value.len().min(width);
                            written[at..at + width].fill(0);
                            written[at..at + kept].copy_from_slice(&value[..kept]);
                        }
                        Ok(Some(written))
                    })
                    .await
            }
        });
        all(writes).await
    }

    /// Changes the bytes of an item, whoever else changes them at the same time. None deletes it.
    async fn change_bytes(
        &self,
        key: &Key,
        change: impl Fn(Option<&[u8]>) -> Result<Option<Vec<u8>>, StorageError>,
    ) -> Result<(), StorageError> {
        for attempt in 0..TRIES {
            let present = self.get(key, true).await?;
            let version: u64 = present.as_ref().and_then(version_of).unwrap_or_default();
            let bytes = present.as_ref().and_then(|item| item.get("bytes")?.as_b().ok()).map(AsRef::as_ref);
            let after = change(bytes)?;
            if after.as_deref() == bytes {
                return Ok(());
            }
            let write = match after {
                Some(bytes) => {
                    let bytes = AttributeValue::B(Blob::new(bytes));
                    let item = Item::from([("bytes".to_owned(), bytes)]);
                    on_version(Write::put(versioned(key, item, version + 1)), version)
                }
                None => on_version(Write::delete(key), version),
            };
            match Transaction::new().write(write, |_| Ok(())).commit(self).await {
                Ok(()) => return Ok(()),
                Err(refused) => refused.first()?,
            }
            back_off(attempt).await;
        }
        Err(StorageError::Busy(format!("{} changed again and again", key.pk)))
    }

    async fn put_version(&self, key: &Key, item: Item, seen: u64) -> Result<(), StorageError> {
        let write = on_version(Write::put(versioned(key, item, seen + 1)), seen);
        let overtaken = |_| Err::<(), _>(StorageError::Busy("a product is being indexed by somebody else".into()));
        match Transaction::new().write(write, overtaken).commit(self).await {
            Ok(()) => Ok(()),
            Err(refused) => refused.first(),
        }
    }
}

fn version_of(item: &Item) -> Option<u64> {
    item.get("version")?.as_n().ok()?.parse().ok()
}

fn versioned(key: &Key, mut item: Item, version: u64) -> Item {
    item.extend(key.item());
    item.insert("version".into(), AttributeValue::N(version.to_string()));
    item
}

fn on_version(write: Write, seen: u64) -> Write {
    match seen {
        0 => write.only_if_new(),
        seen => write
            .only_if("#version = :seen")
            .name("#version", "version")
            .number(":seen", i64::try_from(seen).unwrap_or(i64::MAX)),
    }
}

/// Some at a time.
async fn all<F>(writes: impl Iterator<Item = F>) -> Result<(), StorageError>
where
    F: Future<Output = Result<(), StorageError>> + Send + 'static,
{
    let mut running = JoinSet::new();
    for write in writes {
        if running.len() == AT_ONCE {
            join(&mut running).await?;
        }
        running.spawn(write);
    }
    while !running.is_empty() {
        join(&mut running).await?;
    }
    Ok(())
}

async fn join(running: &mut JoinSet<Result<(), StorageError>>) -> Result<(), StorageError> {
    match running.join_next().await {
        Some(Ok(result)) => result,
        Some(Err(error)) => Err(StorageError::Broken(format!("a write was lost: {error}"))),
        None => Ok(()),
    }
}
