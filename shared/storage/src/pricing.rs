//! Promotions, shipping methods and taxes, as staff sets them up; and how often promotions were used.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use serde::Serialize;
use serde::de::DeserializeOwned;
use waybill_domain::category::Tree;
use waybill_domain::id::{AccountId, PromotionId, ShippingMethodId};
use waybill_domain::pricing::{MAX_METHODS, MAX_PROMOTIONS, Pricing, Uses};
use waybill_domain::totals::{Promotion, ShippingMethod, Taxes};

use aws_sdk_dynamodb::types::AttributeValue;

use crate::keys::{self, Item, Key};
use crate::table::{StorageError, Table, from_item, to_item};
use crate::transaction::{Refused, Transaction, Write};

/// Something that the shop has several of, each with an id.
pub trait Setting: Clone + PartialEq + Serialize + DeserializeOwned + Send + Sync + 'static {
    type Id: Copy + Send;
    /// The attribute that counts them.
    const COUNTED: &'static str;
    const MOST: usize;

    fn id(&self) -> Self::Id;
    fn key(id: Self::Id) -> Key;
}

impl Setting for Promotion {
    type Id = PromotionId;
    const COUNTED: &'static str = "promotions";
    const MOST: usize = MAX_PROMOTIONS;

    fn id(&self) -> PromotionId {
        self.id
    }

    fn key(id: PromotionId) -> Key {
        keys::promotion(id)
    }
}

impl Setting for ShippingMethod {
    type Id = ShippingMethodId;
    const COUNTED: &'static str = "shipping_methods";
    const MOST: usize = MAX_METHODS;

    fn id(&self) -> ShippingMethodId {
        self.id
    }

    fn key(id: ShippingMethodId) -> Key {
        keys::shipping_method(id)
    }
}

/// A setting as it was read. Its version grows with each change.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Versioned<T> {
    pub value: T,
    pub version: u64,
}

/// Why a setting stayed as it was.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SettingRefused {
    /// There are as many as there may be.
    TooMany(usize),
    Unknown,
    /// It is not of the version that the change was meant for.
    Changed,
}

/// Why a change was not kept.
enum NotKept {
    /// This very change is kept already: a write is sent again whose reply was lost.
    Kept,
    Refused(SettingRefused),
}

impl Table {
    /// All settings, in one query for each 1 MB: half a read unit for each 4 KB, twice that when `consistent`.
    pub async fn pricing(&self, consistent: bool) -> Result<Pricing, StorageError> {
        let mut pricing = Pricing::default();
        for item in self.partition(keys::PRICING, consistent).await? {
            let Some(Key { sk, .. }) = keys::of(&item) else { continue };
            if sk.starts_with(keys::PROMOTION) {
                pricing.promotions.push(from_item(item)?);
            } else if sk.starts_with(keys::SHIPPING_METHOD) {
                pricing.methods.push(from_item(item)?);
            } else if sk == keys::taxes().sk {
                pricing.taxes = from_item(item)?;
            }
        }
        Ok(pricing)
    }

    pub async fn setting<T: Setting>(&self, id: T::Id) -> Result<Option<Versioned<T>>, StorageError> {
        self.get(&T::key(id), true).await?.map(versioned).transpose()
    }

    /// Keeps a new one, of version 1.
    pub async fn add_setting<T: Setting>(&self, setting: &T) -> Result<(), Refused<SettingRefused>> {
        let put = Write::put(item(&T::key(setting.id()), setting, 1)?).only_if_new();
        let count = Write::update(&keys::pricing_count(), "ADD #counted :one")
            .only_if("attribute_not_exists(#counted) OR #counted < :most")
            .name("#counted", T::COUNTED)
            .number(":one", 1)
            .number(":most", T::MOST as i64);
        Transaction::new()
            .write(put, |_| Err(StorageError::Broken("an id was made twice".into())))
            .write(count, |_| Ok(SettingRefused::TooMany(T::MOST)))
            .commit(self)
            .await
    }

    /// Puts another in place of the one of this id, which has to be of this version; answers the next version.
    pub async fn replace_setting<T: Setting>(&self, setting: &T, version: u64) -> Result<u64, Refused<SettingRefused>> {
        self.replace(&T::key(setting.id()), setting, version).await
    }

    pub async fn remove_setting<T: Setting>(&self, id: T::Id) -> Result<(), Refused<SettingRefused>> {
        let delete = Write::delete(&T::key(id)).only_if("attribute_exists(pk)");
        let count =
            Write::update(&keys::pricing_count(), "ADD #counted :one").name("#counted", T::COUNTED).number(":one", -1);
        Transaction::new()
            .write(delete, |_| Ok(SettingRefused::Unknown))
            .write(count, |_| Err(StorageError::Broken("a count was refused".into())))
            .commit(self)
            .await
    }

    /// How the shop taxes, of version 0 where nobody has said so yet.
    pub async fn taxes(&self) -> Result<Versioned<Taxes>, StorageError> {
        let kept = self.get(&keys::taxes(), true).await?.map(versioned).transpose()?;
        Ok(kept.unwrap_or(Versioned { value: Taxes::default(), version: 0 }))
    }

    /// As [`Table::replace_setting`].
    pub async fn set_taxes(&self, taxes: &Taxes, version: u64) -> Result<u64, Refused<SettingRefused>> {
        self.replace(&keys::taxes(), taxes, version).await
    }

    async fn replace<T>(&self, key: &Key, value: &T, version: u64) -> Result<u64, Refused<SettingRefused>>
    where
        T: Clone + PartialEq + Serialize + DeserializeOwned + Send + Sync + 'static,
    {
        let next = version.saturating_add(1);
        let put = Write::put(item(key, value, next)?);
        // Only taxes are there before they are kept.
        let is_taxes = *key == keys::taxes();
        let put = match version {
            0 if is_taxes => put.only_if_new(),
            _ => put
                .only_if("#version = :before")
                .name("#version", "version")
                .number(":before", i64::try_from(version).unwrap_or(i64::MAX)),
        };
        let missing = if is_taxes { SettingRefused::Changed } else { SettingRefused::Unknown };
        let written = Versioned { value: value.clone(), version: next };
        let kept = Transaction::new().write(put, move |item| {
            if item.is_empty() {
                return Ok(NotKept::Refused(missing));
            }
            let is_ours = versioned::<T>(item)? == written;
            Ok(if is_ours { NotKept::Kept } else { NotKept::Refused(SettingRefused::Changed) })
        });
        match kept.commit(self).await {
            Ok(()) => Ok(next),
            Err(refused) => match refused.first()? {
                NotKept::Kept => Ok(next),
                NotKept::Refused(reason) => Err(Refused::By(vec![reason])),
            },
        }
    }

    /// How often some promotions, at most 50, were used: one call, none where there is nothing to ask.
    pub async fn promotion_uses(
        &self,
        ids: &[PromotionId],
        customer: Option<AccountId>,
    ) -> Result<HashMap<PromotionId, Uses>, StorageError> {
        let mut counters: Vec<(Key, PromotionId, bool)> = Vec::new();
        for id in ids {
            counters.push((keys::promotion_uses(*id), *id, false));
            counters.extend(customer.map(|customer| (keys::promotion_uses_by(*id, customer), *id, true)));
        }
        let wanted = counters.iter().map(|(key, ..)| key.item()).collect();
        let mut uses: HashMap<PromotionId, Uses> = HashMap::new();
        for item in self.batch(wanted).await? {
            let key = keys::of(&item);
            let counter = counters.iter().find(|(wanted, ..)| Some(wanted) == key.as_ref());
            let Some((_, id, is_customers)) = counter else { continue };
            let uses = uses.entry(*id).or_default();
            *(if *is_customers { &mut uses.by_customer } else { &mut uses.in_all }) = number(&item, "uses")?;
        }
        Ok(uses)
    }
}

fn item<T: Serialize>(key: &Key, value: &T, version: u64) -> Result<Item, StorageError> {
    let mut item = to_item(value)?;
    item.extend(key.item());
    item.insert("version".into(), AttributeValue::N(version.to_string()));
    Ok(item)
}

fn versioned<T: DeserializeOwned>(item: Item) -> Result<Versioned<T>, StorageError> {
    Ok(Versioned { version: number(&item, "version")?, value: from_item(item)? })
}

pub(crate) fn number<N: std::str::FromStr>(item: &Item, name: &str) -> Result<N, StorageError> {
    let number = item.get(name).and_then(|value| value.as_n().ok()?.parse().ok());
    number.ok_or_else(|| StorageError::Broken(format!("an item without its {name}")))
}

/// The settings and the tree of categories, as they were some seconds ago. Cheap to clone; clones share what they keep.
#[derive(Clone)]
pub struct Shelf {
    table: Table,
    lifetime: Duration,
    kept: Arc<Mutex<Option<Looked>>>,
}

/// What was there at a moment.
#[derive(Clone)]
struct Looked {
    at: Instant,
    shelved: Arc<Shelved>,
}

#[derive(Debug)]
pub struct Shelved {
    pub pricing: Pricing,
    /// Empty unless a promotion depends on it.
    pub tree: Tree,
}

impl Shelf {
    pub fn new(table: Table, lifetime: Duration) -> Self {
        Shelf { table, lifetime, kept: Arc::default() }
    }

    /// One query where they are not known, and one more where promotions depend on categories.
    pub async fn look(&self) -> Result<Arc<Shelved>, StorageError> {
        let known = self.kept.lock().unwrap_or_else(PoisonError::into_inner).clone();
        if let Some(Looked { shelved, .. }) = known.filter(|known| known.at.elapsed() < self.lifetime) {
            return Ok(shelved);
        }
        let at = Instant::now();
        let pricing = self.table.pricing(false).await?;
        let tree = if pricing.is_by_category() { self.table.categories(false).await? } else { Tree::default() };
        let shelved = Arc::new(Shelved { pricing, tree });
        *self.kept.lock().unwrap_or_else(PoisonError::into_inner) = Some(Looked { at, shelved: shelved.clone() });
        Ok(shelved)
    }
}
