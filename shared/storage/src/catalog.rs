//! Categories, products and offers.

use std::collections::HashMap;

use aws_sdk_dynamodb::types::{AttributeValue, KeysAndAttributes};
use waybill_domain::id::{CategoryId, ProductId};
use waybill_domain::money::Money;
use waybill_domain::product::{Category, Offer, Product, ProductSummary};
use waybill_domain::text::Sku;

use crate::keys::{self, Index, Item, SUMMARY};
use crate::page::{Cursor, Page};
use crate::table::{StorageError, Table, back_off, from_item, to_item};
use crate::transaction::{Refused, Transaction, Write};

/// Why a category or a product was not made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Taken {
    Slug,
    Sku(Sku),
    /// The category it was to stand in does not exist.
    UnknownCategory,
}

/// Why an offer was not changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct UnknownSku;

impl Table {
    pub async fn create_category(&self, category: &Category) -> Result<(), Refused<Taken>> {
        let mut item = to_item(category)?;
        item.extend(keys::category(&category.slug).item());
        let by_id = keys::category_by_id(category.id).item();
        Transaction::new()
            .write(Write::put(item).only_if_new(), |_| Ok(Taken::Slug))
            .write(Write::put(by_id).only_if_new(), |_| {
                Err(StorageError::Broken("a category id was made twice".into()))
            })
            .commit(self)
            .await
    }

    /// All categories by slug, in one query; there are some dozens.
    pub async fn categories(&self) -> Result<Vec<Category>, StorageError> {
        self.partition(keys::CATEGORIES, false).await?.into_iter().map(from_item).collect()
    }

    /// Makes a product with its offers, all or nothing.
    pub async fn create_product(&self, product: &Product, offers: &[Offer]) -> Result<(), Refused<Taken>> {
        let mut item = to_item(product)?;
        item.extend(keys::product(product.id).item());
        item.extend(keys::all_products(product.id).item());
        item.extend(keys::category_products(product.category_id, product.id).item());
        item.insert(SUMMARY.into(), AttributeValue::M(to_item(&product.summary())?));
        let broken = |_| Err(StorageError::Broken("a product id was made twice".into()));
        let mut transaction = Transaction::new()
            .write(Write::put(keys::product_slug(&product.slug).item()).only_if_new(), |_| Ok(Taken::Slug))
            .write(Write::check(&keys::category_by_id(product.category_id), "attribute_exists(pk)"), |_| {
                Ok(Taken::UnknownCategory)
            })
            .write(Write::put(item).only_if_new(), broken);
        for offer in offers {
            let mut owner = keys::sku(&offer.sku).item();
            owner.insert("product_id".into(), AttributeValue::S(product.id.to_string()));
            let taken = offer.sku.clone();
            let mut item = to_item(offer)?;
            item.extend(keys::offer(product.id, &offer.sku).item());
            transaction = transaction
                .write(Write::put(owner).only_if_new(), move |_| Ok(Taken::Sku(taken.clone())))
                .write(Write::put(item).only_if_new(), broken);
        }
        transaction.commit(self).await
    }

    /// A product and its offers: one query, half a read unit for each 4 KB.
    pub async fn product(&self, id: ProductId) -> Result<Option<(Product, Vec<Offer>)>, StorageError> {
        let key = keys::product(id);
        let (products, offers): (Vec<_>, Vec<_>) = self
            .partition(&key.pk, false)
            .await?
            .into_iter()
            .partition(|item| item.get("sk").and_then(|sk| sk.as_s().ok()) == Some(&key.sk));
        let Some(product) = products.into_iter().next() else { return Ok(None) };
        let offers: Result<_, _> = offers.into_iter().map(from_item).collect();
        Ok(Some((from_item(product)?, offers?)))
    }

    /// A page of all products, the newest first.
    pub async fn products(
        &self,
        category: Option<CategoryId>,
        limit: u8,
        cursor: Option<Cursor>,
    ) -> Result<Page<ProductSummary>, StorageError> {
        match category {
            Some(category) => self.page(Index::Gsi2, &keys::products_in(category), limit, cursor).await,
            None => self.page(Index::Gsi1, keys::PRODUCTS, limit, cursor).await,
        }
    }

    /// Which product a SKU belongs to. It never changes.
    pub async fn owner_of(&self, sku: &Sku) -> Result<Option<ProductId>, StorageError> {
        #[derive(serde::Deserialize)]
        struct Owner {
            product_id: ProductId,
        }
        let owner: Option<Owner> = self.get(&keys::sku(sku), false).await?.map(from_item).transpose()?;
        Ok(owner.map(|owner| owner.product_id))
    }

    /// Changes the price of a SKU, or whether it is for sale. Orders at the old price are refused from then on.
    pub async fn change_offer(
        &self,
        product: ProductId,
        sku: &Sku,
        price: Option<Money>,
        active: Option<bool>,
    ) -> Result<(), Refused<UnknownSku>> {
        let mut assignments = Vec::new();
        let mut values = Item::new();
        if let Some(price) = price {
            assignments.push("price = :price");
            values.insert(":price".to_owned(), AttributeValue::M(to_item(&price)?));
        }
        if let Some(active) = active {
            assignments.push("active = :active");
            values.insert(":active".to_owned(), AttributeValue::Bool(active));
        }
        if assignments.is_empty() {
            return Ok(());
        }
        let mut write = Write::update(&keys::offer(product, sku), format!("SET {}", assignments.join(", ")))
            .only_if("attribute_exists(pk)");
        for (placeholder, value) in values {
            write = write.value(&placeholder, value);
        }
        Transaction::new().write(write, |_| Ok(UnknownSku)).commit(self).await
    }

    /// The offers of some SKUs, at most 100: one call. Unknown ones are not among them.
    pub async fn offers(&self, skus: &[(Sku, ProductId)]) -> Result<HashMap<Sku, Offer>, StorageError> {
        let mut offers = HashMap::with_capacity(skus.len());
        let mut wanted: Vec<Item> = skus.iter().map(|(sku, product)| keys::offer(*product, sku).item()).collect();
        let mut attempt = 0;
        // DynamoDB may leave keys unread when it throttles, and then names them.
        while !wanted.is_empty() {
            if attempt > 0 {
                back_off(attempt).await;
            }
            if attempt == 8 {
                return Err(StorageError::Busy("some offers stayed unread".into()));
            }
            let keys = KeysAndAttributes::builder().set_keys(Some(wanted)).build();
            let keys = keys.expect("a batch names its keys");
            let answer = self
                .client
                .batch_get_item()
                .request_items(&self.name, keys)
                .send()
                .await
                .map_err(StorageError::from_sdk)?;
            for item in answer.responses.into_iter().flat_map(|mut tables| tables.remove(&self.name)).flatten() {
                let offer: Offer = from_item(item)?;
                offers.insert(offer.sku.clone(), offer);
            }
            wanted = answer
                .unprocessed_keys
                .and_then(|mut tables| tables.remove(&self.name))
                .map(|keys| keys.keys)
                .unwrap_or_default();
            attempt += 1;
        }
        Ok(offers)
    }
}
