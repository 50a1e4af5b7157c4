//! What one transaction counts, and how it is written.

use std::collections::BTreeMap;

use aws_sdk_dynamodb::types::AttributeValue;
use waybill_domain::Date;
use waybill_domain::id::{CategoryId, ProductId};
use waybill_domain::money::Currency;
use waybill_domain::product::Title;
use waybill_domain::report::{Counts, Sale, Sold, Step};
use waybill_domain::text::Sku;

use super::told::Told;
use super::{Generation, MOST_WRITES, Noted, VERSION, net_on, units_on};
use crate::keys;
use crate::order_counts::Standing;
use crate::table::{StorageError, to_item, to_value};
use crate::transaction::Write;

/// One thing that is to be counted.
#[derive(Clone, Copy)]
pub(super) enum Piece {
    /// A step of what was told, and where it counts.
    Step { place: usize, currency: Currency, day: Date },
    /// Where an order stands.
    Standing(Standing),
}

impl Piece {
    /// The step that it is.
    pub(super) fn of(self, told: &Told) -> Option<&Step> {
        match self {
            Piece::Step { place, .. } => told.steps.get(place),
            Piece::Standing(_) => None,
        }
    }
}

/// What one transaction is to count.
#[derive(Default)]
pub(super) struct Bundle<'a> {
    pub(super) noting: BTreeMap<&'a str, Noting<'a>>,
    pub(super) days: BTreeMap<(Currency, Date), Counts>,
    pub(super) sales: BTreeMap<Selling<'a>, Month<'a>>,
}

/// What is noted of one, and will be.
pub(super) struct Noting<'a> {
    pub(super) told: &'a Told,
    pub(super) from: Noted,
    pub(super) to: Noted,
}

/// Of which currency, month, product and SKU.
pub(super) type Selling<'a> = (Currency, Date, ProductId, &'a Sku);

/// What a month's item is to become.
pub(super) struct Month<'a> {
    title: &'a Title,
    days: BTreeMap<i8, Sale>,
}

impl<'a> Bundle<'a> {
    /// Adds a piece of what was told, of which there is a note before this transaction, unless that would become too large.
    pub(super) fn take(&mut self, told: &'a Told, noted: Noted, piece: Piece) -> bool {
        let new = usize::from(!self.noting.contains_key(told.subject.as_str())) + self.needed(told, piece);
        if self.noting.len() + self.days.len() + self.sales.len() + new > MOST_WRITES {
            return false;
        }
        self.noting.entry(&told.subject).or_insert(Noting { told, from: noted, to: noted }).to.go_on(piece);
        if let (Piece::Step { currency, day, .. }, Some(step)) = (piece, piece.of(told)) {
            let counts = self.days.entry((currency, day)).or_default();
            *counts = counts.plus(step.counts);
            for sold in &step.sales {
                let month = || Month { title: &sold.title, days: BTreeMap::new() };
                let month = self.sales.entry(selling(currency, day, sold)).or_insert_with(month);
                let sale = month.days.entry(day.day()).or_default();
                *sale = sale.plus(sold.sale);
            }
        }
        true
    }

    /// Writes of days and of SKUs that a piece takes, and others have not taken.
    fn needed(&self, told: &Told, piece: Piece) -> usize {
        let (Piece::Step { currency, day, .. }, Some(step)) = (piece, piece.of(told)) else { return 0 };
        let sales = step.sales.iter().filter(|sold| !self.sales.contains_key(&selling(currency, day, sold)));
        usize::from(!self.days.contains_key(&(currency, day))) + sales.count()
    }
}

fn selling(currency: Currency, day: Date, sold: &Sold) -> Selling<'_> {
    (currency, day.first_of_month(), sold.product_id, &sold.sku)
}

impl Noting<'_> {
    pub(super) fn is_of_a_new_order(&self) -> bool {
        self.from.standing.is_none() && self.to.standing.is_some()
    }

    /// The note as it will be, if it is still as it was.
    pub(super) fn write(&self, generation: &Generation) -> Result<Write, StorageError> {
        let Noting { told, from, to } = self;
        let number = |steps: usize| i64::try_from(steps).unwrap_or(i64::MAX);
        let mut set = told.kept.as_ref().map(to_item).transpose()?.unwrap_or_default();
        let mut before = Vec::new();
        if to.steps != from.steps {
            set.insert(generation.attribute(), AttributeValue::N(to.steps.to_string()));
            before.push((generation.attribute(), (from.steps > 0).then(|| number(from.steps))));
        }
        if let Some(standing) = &to.standing
            && to.standing != from.standing
        {
            set.extend(to_item(standing)?);
            before.push((VERSION.to_owned(), from.standing.map(|standing| standing.version.into())));
        }
        let is_as_before = before.iter().map(|(name, number)| match number {
            None => format!("attribute_not_exists(#{name})"),
            Some(_) => format!("#{name} = :{name}_before"),
        });
        let is_as_before = is_as_before.collect::<Vec<_>>().join(" AND ");
        let becomes: Vec<_> = set.keys().map(|name| format!("#{name} = :{name}")).collect();
        let write = Write::update(&keys::tallied(&told.subject), format!("SET {}", becomes.join(", ")));
        let write = set.into_iter().fold(write.only_if(is_as_before), |write, (name, value)| {
            write.name(&format!("#{name}"), &name).value(&format!(":{name}"), value)
        });
        let before = before.into_iter().filter_map(|(name, number)| Some((format!(":{name}_before"), number?)));
        Ok(before.fold(write, |write, (name, number)| write.number(&name, number)))
    }
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
