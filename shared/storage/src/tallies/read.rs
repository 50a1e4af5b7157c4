//! What reports read: days, and what sold in months. It costs by how long a stretch is and by how many SKUs sold in it, and
//! nothing by how many orders there were.

use std::collections::BTreeMap;

use aws_sdk_dynamodb::types::AttributeValue;
use futures_util::{StreamExt, TryStreamExt, stream};
use waybill_domain::Date;
use waybill_domain::id::{CategoryId, ProductId};
use waybill_domain::money::Currency;
use waybill_domain::product::{Product, Title};
use waybill_domain::report::{Counts, Range, Sale};
use waybill_domain::text::Sku;

use super::{Generation, Generations, net_on, number, units_on};
use crate::keys::{self, Item};
use crate::operations::{QUERY, QueryInput};
use crate::table::{StorageError, Table, from_item};

/// SKUs of a month, in all months that a report touches, that it may add up.
pub const MAX_SOLD: usize = 100_000;
/// Months that are read at the same time.
const MONTHS: usize = 4;

/// What sold of a SKU.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SkuSales {
    pub product_id: ProductId,
    pub sku: Sku,
    /// As it was sold last.
    pub title: Title,
    /// Of its product, when it was sold last.
    pub category_ids: Vec<CategoryId>,
    pub sale: Sale,
}

impl Table {
    /// What reports are to read; None before anything was counted. Half a read unit. What is told here may be read for a
    /// minute, whatever becomes of it meanwhile.
    pub async fn current_tally(&self) -> Result<Option<Generation>, StorageError> {
        let item = self.get(&keys::generations(), false).await?;
        Ok(item.map(from_item::<Generations>).transpose()?.map(|generations| generations.current))
    }

    /// The days of a range on which something happened: one query for each 1 MB, which some six thousand days are, and half
    /// a read unit for each 4 KB, which are some thirty.
    pub async fn tally_of(
        &self,
        generation: &Generation,
        currency: Currency,
        range: Range,
    ) -> Result<BTreeMap<Date, Counts>, StorageError> {
        let (from, to) = (keys::by_day(currency, range.first()), keys::by_day(currency, range.last()));
        let items = self.stretch(&keys::tally(generation.number), &from, &to).await?;
        items.into_iter().map(|item| Ok((day(&item)?, Counts::read(|name| number(&item, name))?))).collect()
    }

    /// What sold in a range, in no order: for each month one query for each 1 MB, which are some three thousand SKUs, and half
    /// a read unit for each 4 KB. None where more than `at_most` SKUs of a month are to be added up, which is found out without
    /// reading many more.
    pub async fn sales_of(
        &self,
        generation: &Generation,
        currency: Currency,
        range: Range,
        at_most: usize,
    ) -> Result<Option<Vec<SkuSales>>, StorageError> {
        let months = range.months().map(async |month| {
            let pk = keys::sales_in(generation.number, currency, month);
            Ok::<_, StorageError>((month, self.partition(&pk, false).await?))
        });
        let mut months = stream::iter(months).buffered(MONTHS);
        let (mut sales, mut read) = (BTreeMap::<(ProductId, Sku), SkuSales>::new(), 0);
        while let Some((month, items)) = months.try_next().await? {
            read += items.len();
            if read > at_most {
                return Ok(None);
            }
            for item in items {
                let Some(sold) = sold(&item, month, range)? else { continue };
                let key = (sold.product_id, sold.sku.clone());
                // The months come in their order: what was sold last says what it is called.
                let before = sales.get(&key).map(|before| before.sale).unwrap_or_default();
                sales.insert(key, SkuSales { sale: before.plus(sold.sale), ..sold });
            }
        }
        Ok(Some(sales.into_values().collect()))
    }

    /// The titles of products, a hundred at most; those that were deleted have none. One call, half a read unit for each
    /// 4 KB of each.
    pub async fn product_titles(&self, products: &[ProductId]) -> Result<BTreeMap<ProductId, Title>, StorageError> {
        let keys = products.iter().map(|product| keys::product(*product).item()).collect();
        let items = self.batch(keys).await?.into_iter().map(from_item::<Product>);
        items.map(|product| product.map(|product| (product.id, product.title))).collect()
    }

    async fn stretch(&self, pk: &str, from: &str, to: &str) -> Result<Vec<Item>, StorageError> {
        let (mut items, mut start) = (Vec::new(), None);
        loop {
            let answer = self
                .client
                .call(
                    &QUERY,
                    QueryInput::builder()
                        .table_name(&self.name)
                        .key_condition_expression("pk = :pk AND sk BETWEEN :from AND :to")
                        .expression_attribute_values(":pk", AttributeValue::S(pk.to_owned()))
                        .expression_attribute_values(":from", AttributeValue::S(from.to_owned()))
                        .expression_attribute_values(":to", AttributeValue::S(to.to_owned()))
                        .set_exclusive_start_key(start)
                        .build(),
                )
                .await
                .map_err(StorageError::from_sdk)?;
            items.extend(answer.items.unwrap_or_default());
            match answer.last_evaluated_key {
                Some(last) => start = Some(last),
                None => return Ok(items),
            }
        }
    }
}

/// The day that an item counts.
fn day(item: &Item) -> Result<Date, StorageError> {
    let day = keys::of(item).and_then(|key| key.sk.split_once('#')?.1.parse().ok());
    day.ok_or_else(|| StorageError::Broken("counts are of no day".into()))
}

/// What sold of an item's SKU on those days of its month that the range has; None where nothing did.
fn sold(item: &Item, month: Date, range: Range) -> Result<Option<SkuSales>, StorageError> {
    let broken = || StorageError::Broken("what was sold has no name".into());
    let mut sale = Sale::default();
    let mut is_there = false;
    for day in 1..=month.days_in_month() {
        if month.with().day(day).build().is_ok_and(|date| range.has(date)) {
            let (units, net) = (units_on(day), net_on(day));
            is_there |= item.contains_key(&units);
            sale = sale.plus(Sale { units: number(item, &units)?, net: number(item, &net)? });
        }
    }
    if !is_there {
        return Ok(None);
    }
    let key = keys::of(item).ok_or_else(broken)?;
    let (product_id, sku) = key.sk.split_once('#').ok_or_else(broken)?;
    let read = |name: &str| item.get(name).cloned();
    Ok(Some(SkuSales {
        product_id: product_id.parse().map_err(|_| broken())?,
        sku: sku.parse().map_err(|_| broken())?,
        title: read("title").and_then(|title| serde_dynamo::from_attribute_value(title).ok()).ok_or_else(broken)?,
        category_ids: match read("category_ids") {
            None => Vec::new(),
            Some(ids) => serde_dynamo::from_attribute_value(ids).map_err(|_| broken())?,
        },
        sale,
    }))
}
