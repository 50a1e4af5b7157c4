//! Products and their offers.

use std::collections::HashMap;

use aws_sdk_dynamodb::types::AttributeValue;
use serde::Deserialize;
use waybill_domain::Timestamp;
use waybill_domain::id::{CategoryId, ProductId};
use waybill_domain::message::Actor;
use waybill_domain::product::{Offer, Product, ProductState, ProductSummary};
use waybill_domain::text::{Sku, Slug};

use crate::keys::{self, Index, Item, SUMMARY};
use crate::page::{Cursor, Page};
use crate::stock;
use crate::table::{StorageError, Table, back_off, from_item, to_item};
use crate::transaction::{Refused, Transaction, Write};

/// Why a product was not made or changed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ProductRefused {
    SlugTaken,
    SkuTaken(Sku),
    UnknownCategory(CategoryId),
    /// It is not of the version that was read any more.
    Changed,
    /// Some of it has been ordered, so it cannot be deleted.
    Sold,
}

/// Why a changed product was not kept.
enum NotSaved {
    /// This very change is kept already.
    Saved,
    /// What is to change stands in buckets, too.
    Dealt,
    Refused(ProductRefused),
}

/// How often stock is gathered that somebody deals out again meanwhile.
const GATHERINGS: u32 = 4;

/// A product with its offers, as they were read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listing {
    pub product: Product,
    pub offers: Vec<Offer>,
}

impl Table {
    /// Makes a product with its offers, all or nothing. What can be ordered of them is on hand then, received by whoever
    /// makes it.
    pub async fn create_product(&self, listing: &Listing, by: Actor) -> Result<(), Refused<ProductRefused>> {
        let product = &listing.product;
        let broken = |_| Err(StorageError::Broken("a product id was made twice".into()));
        let mut transaction = Transaction::new()
            .write(new_slug(product), |_| Ok(ProductRefused::SlugTaken))
            .write(Write::put(product_item(product)?).only_if_new(), broken);
        for category in &product.category_ids {
            transaction = check_category(transaction, *category, |refused| refused);
        }
        for offer in &listing.offers {
            transaction = put_offer(transaction, offer, (by, product.created_at), |refused| refused)?;
        }
        transaction.commit(self).await
    }

    /// Keeps a product that was `before` as it is `after`, with the offers that are new or others: all or nothing. The
    /// stock of an offer stays as it is, and how it is sold. Where it is spread and the price changes, or whether it is for
    /// sale, what lies in buckets is gathered before, and dealt out again.
    pub async fn save_product(
        &self,
        before: &Listing,
        after: &Listing,
        by: Actor,
    ) -> Result<(), Refused<ProductRefused>> {
        let known: HashMap<_, _> = before.offers.iter().map(|offer| (&offer.sku, offer)).collect();
        let is_other = |offer: &&Offer| known.get(&offer.sku).is_some_and(|before| !is_ordered_as(before, offer));
        let mut others: Vec<_> = after.offers.iter().filter(is_other).collect();
        let mut attempt = 0;
        loop {
            for offer in others.iter().filter(|offer| offer.spread.is_some() || attempt > 0) {
                self.gather(offer.product_id, &offer.sku).await?;
            }
            if self.save_gathered(before, after, by).await? {
                break;
            }
            attempt += 1;
            if attempt == GATHERINGS {
                return Err(StorageError::Busy("stock was dealt out again and again".into()).into());
            }
            back_off(attempt).await;
        }
        others.retain(|offer| offer.spread.is_some() || attempt > 0);
        for offer in others {
            // It is saved; whoever orders next sees to it, too.
            let dealt = match self.offer_now(offer.product_id, &offer.sku).await {
                Ok(Some(offer)) => self.settled(offer, after.product.updated_at).await.map(drop),
                other => other.map(drop),
            };
            if let Err(error) = dealt {
                tracing::warn!(sku = %offer.sku, %error, "the stock is not spread yet");
            }
        }
        Ok(())
    }

    /// False where stock was dealt out meanwhile, and nothing was saved.
    async fn save_gathered(
        &self,
        before: &Listing,
        after: &Listing,
        by: Actor,
    ) -> Result<bool, Refused<ProductRefused>> {
        let (old, new) = (&before.product, &after.product);
        let put = Write::put(product_item(new)?)
            .only_if("#version = :before")
            .name("#version", "version")
            .number(":before", i64::try_from(old.version).unwrap_or(i64::MAX));
        // A write alone is sent again when its reply was lost; then it finds what it wrote itself.
        let written = new.clone();
        let mut transaction = Transaction::new().write(put, move |item| {
            let is_ours = !item.is_empty() && from_item::<Product>(item)? == written;
            Ok(if is_ours { NotSaved::Saved } else { NotSaved::Refused(ProductRefused::Changed) })
        });
        let changed = |_| Ok(NotSaved::Refused(ProductRefused::Changed));
        let in_the_way = |item: Item| match item.is_empty() {
            true => Ok(NotSaved::Refused(ProductRefused::Changed)),
            false => Ok(NotSaved::Dealt),
        };
        if old.slug != new.slug {
            let release = Write::delete(&keys::product_slug(&old.slug));
            transaction = transaction
                .write(new_slug(new), |_| Ok(NotSaved::Refused(ProductRefused::SlugTaken)))
                .write(release, changed);
        }
        for category in new.category_ids.iter().filter(|category| !old.category_ids.contains(category)) {
            transaction = check_category(transaction, *category, NotSaved::Refused);
        }
        let known: HashMap<_, _> = before.offers.iter().map(|offer| (&offer.sku, offer)).collect();
        for offer in &after.offers {
            transaction = match known.get(&offer.sku) {
                None => put_offer(transaction, offer, (by, new.updated_at), NotSaved::Refused)?,
                Some(before) if is_same(before, offer) => transaction,
                // Whoever waits for it hears of it as of new goods.
                Some(before) if offer.active && !before.active => transaction
                    .write(change_offer(offer, before)?, in_the_way)
                    .write(stock::put_on_sale(&offer.sku, new.updated_at), changed),
                Some(before) => transaction.write(change_offer(offer, before)?, in_the_way),
            };
        }
        match transaction.commit(self).await {
            Ok(()) => Ok(true),
            Err(Refused::Failed(error)) => Err(error.into()),
            Err(Refused::By(reasons)) => {
                let is_saved = reasons.iter().any(|reason| matches!(reason, NotSaved::Saved));
                let refused = |reason| match reason {
                    NotSaved::Saved | NotSaved::Dealt => None,
                    NotSaved::Refused(reason) => Some(reason),
                };
                let reasons: Vec<_> = reasons.into_iter().filter_map(refused).collect();
                if reasons.is_empty() { Ok(is_saved) } else { Err(Refused::By(reasons)) }
            }
        }
    }

    /// Deletes a product that nobody has ever ordered.
    pub async fn delete_product(&self, listing: &Listing) -> Result<(), Refused<ProductRefused>> {
        let product = &listing.product;
        let delete = Write::delete(&keys::product(product.id))
            .only_if("#version = :before")
            .name("#version", "version")
            .number(":before", i64::try_from(product.version).unwrap_or(i64::MAX));
        let mut transaction = Transaction::new()
            .write(delete, |_| Ok(ProductRefused::Changed))
            .write(Write::delete(&keys::product_slug(&product.slug)), |_| Ok(ProductRefused::Changed));
        for offer in &listing.offers {
            // What was ordered of a bucket counts there.
            if offer.spread.is_some() {
                self.gather(product.id, &offer.sku).await?;
            }
            let never_sold = Write::delete(&keys::offer(product.id, &offer.sku))
                .only_if("#ordered = :none AND attribute_not_exists(spread.dealt)")
                .name("#ordered", "ordered")
                .number(":none", 0);
            transaction = transaction
                .write(never_sold, |_| Ok(ProductRefused::Sold))
                .write(Write::delete(&keys::sku(&offer.sku)), |_| Ok(ProductRefused::Changed));
        }
        transaction.commit(self).await
    }

    /// A product and its offers, in whatever state: one query, half a read unit for each 4 KB, twice that when
    /// `consistent`.
    pub async fn product(&self, id: ProductId, consistent: bool) -> Result<Option<Listing>, StorageError> {
        let key = keys::product(id);
        let (products, offers): (Vec<_>, Vec<_>) = self
            .partition(&key.pk, consistent)
            .await?
            .into_iter()
            .partition(|item| item.get("sk").and_then(|sk| sk.as_s().ok()) == Some(&key.sk));
        let Some(product) = products.into_iter().next() else { return Ok(None) };
        let offers: Result<_, _> = offers.into_iter().map(from_item).collect();
        Ok(Some(Listing { product: from_item(product)?, offers: offers? }))
    }

    /// The product of this slug: half a read unit.
    pub async fn product_by_slug(&self, slug: &Slug) -> Result<Option<ProductId>, StorageError> {
        self.owner_of_slug(slug, false).await
    }

    pub(crate) async fn owner_of_slug(&self, slug: &Slug, consistent: bool) -> Result<Option<ProductId>, StorageError> {
        let owner: Option<Owner> = self.get(&keys::product_slug(slug), consistent).await?.map(from_item).transpose()?;
        Ok(owner.map(|owner| owner.product_id))
    }

    /// Some products, at most 100, with their offers, in the order of the ids: one call for the products and one for each
    /// 100 offers. What is gone is not among them.
    pub async fn listings(&self, ids: &[ProductId]) -> Result<Vec<Listing>, StorageError> {
        let products = self.batch(ids.iter().map(|id| keys::product(*id).item()).collect()).await?;
        let products = products.into_iter().map(from_item).collect::<Result<Vec<Product>, _>>()?;
        let wanted: Vec<(Sku, ProductId)> = products
            .iter()
            .flat_map(|product| product.variants.iter().map(|variant| (variant.sku.clone(), product.id)))
            .collect();
        let reading = wanted.chunks(100).map(|some| self.offers(some));
        let mut offers: HashMap<Sku, Offer> = HashMap::new();
        for some in futures_util::future::try_join_all(reading).await? {
            offers.extend(some);
        }
        let mut products: HashMap<_, _> = products.into_iter().map(|product| (product.id, product)).collect();
        let listings = ids.iter().filter_map(|id| {
            let product = products.remove(id)?;
            let offers = product.variants.iter().filter_map(|variant| offers.remove(&variant.sku)).collect();
            Some(Listing { product, offers })
        });
        Ok(listings.collect())
    }

    /// A page of the products in one state, the newest first; of the active ones also those of one category.
    pub async fn products(
        &self,
        of: Products,
        limit: u8,
        cursor: Option<Cursor>,
    ) -> Result<Page<ProductSummary>, StorageError> {
        match of {
            Products::Of(state) => self.page(Index::Gsi1, &keys::products_that_are(state), limit, cursor).await,
            Products::In(category) => self.page(Index::Gsi2, &keys::products_in(category), limit, cursor).await,
        }
    }

    /// Whether a product that is not archived stands in this category above all.
    pub(crate) async fn has_products(&self, category: CategoryId) -> Result<bool, StorageError> {
        let page: Page<ProductSummary> = self.page(Index::Gsi2, &keys::products_in(category), 1, None).await?;
        Ok(!page.items.is_empty())
    }

    /// Which product a SKU belongs to.
    pub async fn owner_of(&self, sku: &Sku) -> Result<Option<ProductId>, StorageError> {
        let owner: Option<Owner> = self.get(&keys::sku(sku), false).await?.map(from_item).transpose()?;
        Ok(owner.map(|owner| owner.product_id))
    }

    /// The offers of some SKUs, at most 100: one call. Unknown ones are not among them.
    pub async fn offers(&self, skus: &[(Sku, ProductId)]) -> Result<HashMap<Sku, Offer>, StorageError> {
        let keys = skus.iter().map(|(sku, product)| keys::offer(*product, sku).item()).collect();
        let offers = self.batch(keys).await?.into_iter().map(|item| {
            let offer: Offer = from_item(item)?;
            Ok((offer.sku.clone(), offer))
        });
        offers.collect()
    }
}

/// What a list is of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Products {
    Of(ProductState),
    /// Active ones that stand in this category above all.
    In(CategoryId),
}

/// Whose a slug or a SKU is.
#[derive(Deserialize)]
struct Owner {
    product_id: ProductId,
}

fn owned(mut item: Item, product: ProductId) -> Write {
    item.insert("product_id".into(), AttributeValue::S(product.to_string()));
    Write::put(item).only_if_new()
}

fn new_slug(product: &Product) -> Write {
    owned(keys::product_slug(&product.slug).item(), product.id)
}

fn product_item(product: &Product) -> Result<Item, StorageError> {
    let mut item = to_item(product)?;
    item.extend(keys::product(product.id).item());
    item.extend(keys::products_by_state(product.state, product.id).item());
    if let (ProductState::Active, Some(category)) = (product.state, product.category_ids.first()) {
        item.extend(keys::category_products(*category, product.id).item());
    }
    item.insert(SUMMARY.into(), AttributeValue::M(to_item(&product.summary())?));
    Ok(item)
}

fn check_category<E: 'static>(
    transaction: Transaction<E>,
    id: CategoryId,
    meaning: fn(ProductRefused) -> E,
) -> Transaction<E> {
    let check = Write::check(&keys::category(id), "attribute_exists(pk)");
    transaction.write(check, move |_| Ok(meaning(ProductRefused::UnknownCategory(id))))
}

fn put_offer<E: 'static>(
    transaction: Transaction<E>,
    offer: &Offer,
    (by, at): (Actor, Timestamp),
    meaning: fn(ProductRefused) -> E,
) -> Result<Transaction<E>, StorageError> {
    let (taken, mut item) = (offer.sku.clone(), to_item(offer)?);
    item.extend(keys::offer(offer.product_id, &offer.sku).item());
    let broken = |_| Err(StorageError::Broken("an offer was there before its SKU".into()));
    let (levels, opening) = stock::opening(offer, by, at)?;
    let transaction = transaction
        .write(levels, move |_| Ok(meaning(ProductRefused::SkuTaken(taken.clone()))))
        .write(Write::put(item).only_if_new(), broken);
    Ok(match opening {
        Some(opening) => transaction.write(opening, broken),
        None => transaction,
    })
}

/// Whether two differ in nothing but their stock.
fn is_same(one: &Offer, other: &Offer) -> bool {
    let Offer { available, ordered, selling, low_stock_at, spread, .. } = *other;
    Offer { available, ordered, selling, low_stock_at, spread, ..one.clone() } == *other
}

/// Whether two are the same to whoever orders: buckets say so, too.
fn is_ordered_as(one: &Offer, other: &Offer) -> bool {
    (&one.prices, one.active) == (&other.prices, other.active)
}

/// Sets all of an offer but its stock. What orders ask for changes only while nothing lies in buckets.
fn change_offer(offer: &Offer, before: &Offer) -> Result<Write, StorageError> {
    let kept = ["sku", "product_id", "available", "ordered", "selling", "low_stock_at", "spread"];
    let item = to_item(offer)?;
    let mut changed: Vec<_> = item.into_iter().filter(|(name, _)| !kept.contains(&name.as_str())).collect();
    changed.sort_by(|(one, _), (other, _)| one.cmp(other));
    let assignments: Vec<_> = changed.iter().enumerate().map(|(n, _)| format!("#a{n} = :a{n}")).collect();
    let expression = format!("SET {}", assignments.join(", "));
    let condition = match is_ordered_as(before, offer) {
        true => "attribute_exists(pk)",
        false => "attribute_exists(pk) AND attribute_not_exists(spread.dealt)",
    };
    let mut write = Write::update(&keys::offer(offer.product_id, &offer.sku), expression).only_if(condition);
    for (number, (name, value)) in changed.into_iter().enumerate() {
        write = write.name(&format!("#a{number}"), &name).value(&format!(":a{number}"), value);
    }
    Ok(write)
}
