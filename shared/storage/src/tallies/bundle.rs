//! What one transaction counts, and how it is written.

use std::collections::BTreeMap;

use waybill_domain::Date;
use waybill_domain::id::{CategoryId, ProductId};
use waybill_domain::money::Currency;
use waybill_domain::product::Title;
use waybill_domain::report::{Counts, Sale, Sold};
use waybill_domain::text::Sku;

use super::told::Told;
use super::{Generation, MOST_WRITES, net_on, units_on};
use crate::keys;
use crate::table::{StorageError, to_item, to_value};
use crate::transaction::Write;

/// What one transaction is to count.
#[derive(Default)]
pub(super) struct Bundle<'a> {
    /// From which step to which.
    pub(super) subjects: BTreeMap<&'a str, (&'a Told, usize, usize)>,
    pub(super) days: BTreeMap<(Currency, Date), Counts>,
    pub(super) sales: BTreeMap<Selling<'a>, Month<'a>>,
}

/// Of which currency, month, product and SKU.
pub(super) type Selling<'a> = (Currency, Date, ProductId, &'a Sku);

/// What a month's item is to become.
pub(super) struct Month<'a> {
    title: &'a Title,
    days: BTreeMap<i8, Sale>,
}

impl<'a> Bundle<'a> {
    /// Adds a step, unless the transaction would become too large.
    pub(super) fn take(&mut self, told: &'a Told, place: usize, from: usize, currency: Currency, day: Date) -> bool {
        let step = &told.steps[place];
        let selling = |sold: &'a Sold| (currency, day.first_of_month(), sold.product_id, &sold.sku);
        let new = usize::from(!self.subjects.contains_key(told.subject.as_str()))
            + usize::from(!self.days.contains_key(&(currency, day)))
            + step.sales.iter().filter(|sold| !self.sales.contains_key(&selling(sold))).count();
        if self.subjects.len() + self.days.len() + self.sales.len() + new > MOST_WRITES {
            return false;
        }
        self.subjects.entry(&told.subject).or_insert((told, from, place)).2 = place + 1;
        let counts = self.days.entry((currency, day)).or_default();
        *counts = counts.plus(step.counts);
        for sold in &step.sales {
            let month = || Month { title: &sold.title, days: BTreeMap::new() };
            let sale = self.sales.entry(selling(sold)).or_insert_with(month).days.entry(day.day()).or_default();
            *sale = sale.plus(sold.sale);
        }
        true
    }
}

/// The note that steps were counted, if those before them were and none of them.
pub(super) fn noted(
    generation: &Generation,
    subject: &str,
    told: &Told,
    from: usize,
    to: usize,
) -> Result<Write, StorageError> {
    let number = |steps: usize| i64::try_from(steps).unwrap_or(i64::MAX);
    let mut set = "SET #generation = :to".to_owned();
    let mut kept = Vec::new();
    if let Some(told) = &told.kept {
        for (name, value) in to_item(told)? {
            set += &format!(", #{name} = :{name}");
            kept.push((name, value));
        }
    }
    let write = Write::update(&keys::tallied(subject), set)
        .name("#generation", &generation.attribute())
        .number(":to", number(to));
    let write = match from {
        0 => write.only_if("attribute_not_exists(#generation)"),
        from => write.only_if("#generation = :from").number(":from", number(from)),
    };
    Ok(kept
        .into_iter()
        .fold(write, |write, (name, value)| write.name(&format!("#{name}"), &name).value(&format!(":{name}"), value)))
}

impl Month<'_> {
    pub(super) fn write(self, key: &keys::Key, categories: Option<&Vec<CategoryId>>) -> Result<Write, StorageError> {
        let mut set = "SET #title = :title".to_owned();
        if categories.is_some() {
            set += ", #categories = :categories";
        }
        let mut numbers = Vec::new();
        for (day, sale) in &self.days {
            numbers.extend([(units_on(*day), sale.units), (net_on(*day), sale.net)]);
        }
        let add: Vec<_> = numbers.iter().map(|(name, _)| format!("#{name} :{name}")).collect();
        let write = Write::update(key, format!("{set} ADD {}", add.join(", ")))
            .name("#title", "title")
            .value(":title", to_value(self.title)?);
        let write = match categories {
            None => write,
            Some(categories) => write.name("#categories", "category_ids").value(":categories", to_value(categories)?),
        };
        Ok(numbers.into_iter().fold(write, |write, (name, number)| {
            write.name(&format!("#{name}"), &name).number(&format!(":{name}"), number)
        }))
    }
}
