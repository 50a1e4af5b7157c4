//! What each thing that happened to an order adds to the counts: one step for each entry of its timeline.

use std::collections::BTreeMap;

use jiff::Timestamp;

use super::Counts;
use crate::cart::PricedLine;
use crate::id::ProductId;
use crate::message::{Actor, Event};
use crate::order::refund::Cause;
use crate::order::{DisputeStatus, Order, Refund};
use crate::product::Title;
use crate::text::Sku;
use crate::totals::{Prices, Shipping, Tax};

/// What an entry of an order's timeline adds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Step {
    pub at: Timestamp,
    pub counts: Counts,
    /// One for each line that it is about.
    pub sales: Vec<Sold>,
}

/// What it adds to the sales of a SKU.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sold {
    pub product_id: ProductId,
    pub sku: Sku,
    /// As it was sold.
    pub title: Title,
    pub sale: Sale,
}

/// Sales of a SKU: units that were paid and neither cancelled nor paid back as such, and what the shop keeps of them in minor
/// units, after discounts and refunds and without tax.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Sale {
    pub units: i64,
    pub net: i64,
}

impl Sale {
    pub fn plus(self, other: Sale) -> Sale {
        Sale { units: self.units.saturating_add(other.units), net: self.net.saturating_add(other.net) }
    }
}

impl Step {
    /// Whether it adds nothing.
    pub fn is_empty(&self) -> bool {
        self.counts == Counts::default() && self.sales.is_empty()
    }
}

/// The steps of an order, as many as its timeline has entries and in their order. Those of an earlier version are the
/// beginning of those of a later one: what happens later changes no step.
///
/// An order is a sale once it is paid. One that is paid only after it was given up is none: neither its payment counts
/// nor that it goes back.
pub fn steps(order: &Order) -> Vec<Step> {
    let mut account = Account::of(order);
    let step = |entry: &crate::message::Entry| {
        let (counts, sales) = account.take(&entry.event, entry.actor);
        Step { at: entry.at, counts, sales }
    };
    order.timeline.iter().map(step).collect()
}

/// A part of what was paid, and how much of it is not tax; in minor units.
#[derive(Clone, Copy, Debug, Default)]
struct Part {
    paid: i64,
    net: i64,
}

/// What is left of an order's payment while its timeline is gone through.
struct Account<'a> {
    order: &'a Order,
    is_sale: bool,
    /// One for each line, and one for the shipping behind them.
    parts: Vec<Part>,
    units: Vec<i64>,
    /// What refunds took that were made, by their numbers.
    made: BTreeMap<u32, Back>,
}

/// What went back.
#[derive(Clone)]
struct Back {
    amount: i64,
    parts: Vec<Part>,
    units: Vec<i64>,
}

impl<'a> Account<'a> {
    fn of(order: &'a Order) -> Self {
        Account {
            order,
            is_sale: false,
            parts: parts(order),
            units: order.lines.iter().map(|line| line.quantity.get().into()).collect(),
            made: BTreeMap::new(),
        }
    }

    fn take(&mut self, event: &Event, actor: Actor) -> (Counts, Vec<Sold>) {
        match event {
            Event::Placed => {
                let from_carts = match actor {
                    Actor::Customer => 1,
                    Actor::Staff { .. } | Actor::Stripe | Actor::Shop => 0,
                };
                (Counts { placed: 1, from_carts, ..Counts::default() }, Vec::new())
            }
            Event::Paid => self.sell(),
            _ if !self.is_sale => (Counts::default(), Vec::new()),
            Event::Refunded { number, amount } => {
                let refund = self.refund(*number);
                let back = self.give_back(amount.amount, refund);
                self.made.insert(*number, back.clone());
                self.told(&back, 1)
            }
            // A bank sent back what had been paid out; where it never was, nothing comes back.
            Event::RefundFailed { number, .. } => match self.made.remove(number) {
                None => (Counts::default(), Vec::new()),
                Some(back) => {
                    for (left, part) in self.parts.iter_mut().zip(&back.parts) {
                        *left = Part { paid: left.paid + part.paid, net: left.net + part.net };
                    }
                    for (left, units) in self.units.iter_mut().zip(&back.units) {
                        *left += units;
                    }
                    self.told(&back, -1)
                }
            },
            Event::DisputeClosed { amount, status: DisputeStatus::Lost } => {
                let back = self.give_back(amount.amount, None);
                self.told(&back, 1)
            }
            Event::CancelledWithRefund { .. } => {
                let lines = self.order.lines.iter().map(|line| (&line.sku, line.quantity.get()));
                let units = self.cancel_units(lines.collect());
                self.told(&Back { amount: 0, parts: Vec::new(), units }, 1)
            }
            Event::RestCancelled { lines, .. } => {
                let units = self.cancel_units(lines.iter().map(|units| (&units.sku, units.quantity.get())).collect());
                self.told(&Back { amount: 0, parts: Vec::new(), units }, 1)
            }
            Event::PaymentStarted
            | Event::PaymentDeclined
            | Event::PaymentExpired
            | Event::PaymentAuthorised
            | Event::Processing
            | Event::AddressChanged
            | Event::PartiallyShipped { .. }
            | Event::Shipped { .. }
            | Event::ShipmentDelivered { .. }
            | Event::Delivered
            | Event::Cancelled
            | Event::Expired
            | Event::PaidLate { .. }
            | Event::RefundRequested { .. }
            | Event::DisputeOpened { .. }
            | Event::DisputeUpdated { .. }
            | Event::DisputeClosed { .. }
            | Event::ReturnRequested { .. }
            | Event::ReturnApproved { .. }
            | Event::ReturnRefused { .. }
            | Event::ReturnReceived { .. }
            | Event::Exchanged { .. } => (Counts::default(), Vec::new()),
        }
    }

    fn sell(&mut self) -> (Counts, Vec<Sold>) {
        if std::mem::replace(&mut self.is_sale, true) {
            return (Counts::default(), Vec::new());
        }
        let total = self.order.total.amount;
        let counts = match &self.order.totals {
            None => Counts { paid: 1, gross: total, taken: total, ..Counts::default() },
            Some(totals) => Counts {
                paid: 1,
                gross: totals.subtotal.amount,
                discounts: totals.discounts.amount.amount,
                shipping: match &totals.shipping {
                    Shipping::Priced { price, .. } => price.amount,
                    Shipping::NothingToShip
                    | Shipping::DestinationUnknown
                    | Shipping::MethodNotChosen
                    | Shipping::CannotShip { .. } => 0,
                },
                tax: match &totals.tax {
                    Tax::Known { amount, .. } => amount.amount,
                    Tax::DestinationUnknown => 0,
                },
                taken: total,
                ..Counts::default()
            },
        };
        let lines = self.order.lines.iter().enumerate();
        let sales = lines.map(|(place, _)| self.sold(place, self.units[place], self.parts[place].net)).collect();
        (counts, sales)
    }

    fn sold(&self, place: usize, units: i64, net: i64) -> Sold {
        let line = &self.order.lines[place];
        Sold {
            product_id: line.product_id,
            sku: line.sku.clone(),
            title: line.title.clone(),
            sale: Sale { units, net },
        }
    }

    fn refund(&self, number: u32) -> Option<&'a Refund> {
        let refunds = self.order.state.payment().map(|payment| payment.refunds.as_slice()).unwrap_or_default();
        refunds.iter().find(|refund| refund.number == number)
    }

    /// Takes an amount off what is left: first off the lines whose units it pays back, and what is then still to go off all
    /// in proportion.
    fn give_back(&mut self, amount: i64, refund: Option<&Refund>) -> Back {
        let lines = refund.map(|refund| refund.lines.as_slice()).unwrap_or_default();
        let mut taken = vec![0; self.parts.len()];
        let mut rest = amount;
        for line in lines {
            if let Some(place) = self.order.lines.iter().position(|known| known.sku == line.sku) {
                let part = line.amount.amount.min(rest).min(self.parts[place].paid - taken[place]).max(0);
                taken[place] += part;
                rest -= part;
            }
        }
        let left = |taken: &[i64], place: usize| i128::from(self.parts[place].paid - taken[place]);
        let all: i128 = (0..taken.len()).map(|place| left(&taken, place)).sum();
        let rest = i128::from(rest).min(all);
        if rest > 0 {
            let (mut before, mut given) = (0, 0);
            for place in 0..taken.len() {
                before += left(&taken, place);
                // What all up to here give, less what those before gave: so that they add up to the last minor unit.
                let up_to_here = rest * before / all;
                taken[place] += i64::try_from(up_to_here - given).unwrap_or_default();
                given = up_to_here;
            }
        }
        let mut parts = Vec::with_capacity(taken.len());
        for (left, paid) in self.parts.iter_mut().zip(taken) {
            let net = match left.paid {
                0 => 0,
                all => i64::try_from(i128::from(left.net) * i128::from(paid) / i128::from(all)).unwrap_or_default(),
            };
            *left = Part { paid: left.paid - paid, net: left.net - net };
            parts.push(Part { paid, net });
        }
        // Units that were cancelled are gone already.
        let is_by_units = refund.is_some_and(|refund| refund.cause != Cause::RestCancelled);
        let lines = if is_by_units { lines } else { &[] };
        let units = self.take_units(lines.iter().map(|line| (&line.sku, line.quantity.get())));
        Back { amount, parts, units }
    }

    /// Takes units that will not be sent. Those of them that were paid back before are gone for good, too: money that comes back
    /// sells nothing again.
    fn cancel_units(&mut self, units: Vec<(&Sku, u32)>) -> Vec<i64> {
        let taken = self.take_units(units.iter().copied());
        for (sku, quantity) in units {
            let Some(place) = self.order.lines.iter().position(|line| line.sku == *sku) else { continue };
            let mut more = i64::from(quantity) - taken[place];
            for back in self.made.values_mut() {
                let gone = back.units[place].min(more);
                back.units[place] -= gone;
                more -= gone;
            }
        }
        taken
    }

    fn take_units<'b>(&mut self, units: impl Iterator<Item = (&'b Sku, u32)>) -> Vec<i64> {
        let mut taken = vec![0; self.units.len()];
        for (sku, quantity) in units {
            if let Some(place) = self.order.lines.iter().position(|line| line.sku == *sku) {
                let gone = i64::from(quantity).min(self.units[place]);
                self.units[place] -= gone;
                taken[place] += gone;
            }
        }
        taken
    }

    /// What went back, with 1; or with −1 what came again.
    fn told(&self, back: &Back, way: i64) -> (Counts, Vec<Sold>) {
        let tax: i64 = back.parts.iter().map(|part| part.paid - part.net).sum();
        let counts = Counts { refunds: way * back.amount, refunded_tax: way * tax, ..Counts::default() };
        let sales = self.order.lines.iter().enumerate().filter_map(|(place, _)| {
            let net = back.parts.get(place).map_or(0, |part| part.net);
            let units = back.units.get(place).copied().unwrap_or_default();
            (net != 0 || units != 0).then(|| self.sold(place, -way * units, -way * net))
        });
        (counts, sales.collect())
    }
}

/// What was paid for each line, and for shipping behind them.
fn parts(order: &Order) -> Vec<Part> {
    let Some(totals) = &order.totals else {
        let lines = order.lines.iter().map(|line| Part { paid: line.total.amount, net: line.total.amount });
        let mut parts: Vec<_> = lines.collect();
        let rest = order.total.amount - parts.iter().map(|part| part.paid).sum::<i64>();
        parts.push(Part { paid: rest, net: rest });
        return parts;
    };
    let part = |charge: i64, tax: i64| match &totals.tax {
        Tax::Known { prices: Prices::ExcludeTax, .. } => Part { paid: charge + tax, net: charge },
        Tax::Known { prices: Prices::IncludeTax, .. } => Part { paid: charge, net: charge - tax },
        Tax::DestinationUnknown => Part { paid: charge, net: charge },
    };
    let line = |known: &PricedLine| match totals.lines.iter().find(|line| line.sku == known.sku) {
        Some(line) => part(line.total.amount, line.tax.map_or(0, |tax| tax.amount)),
        None => part(known.total.amount, 0),
    };
    let shipping = match &totals.shipping {
        Shipping::Priced { charge, tax, .. } => part(charge.amount, tax.amount),
        Shipping::NothingToShip
        | Shipping::DestinationUnknown
        | Shipping::MethodNotChosen
        | Shipping::CannotShip { .. } => Part::default(),
    };
    order.lines.iter().map(line).chain([shipping]).collect()
}
