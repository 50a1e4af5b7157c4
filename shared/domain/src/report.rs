//! Reports: what orders come to, by the shop's days. The numbers are sums of what happened, each thing on the day on which
//! it did, so that a day that is over changes no more.

pub mod period;
pub mod step;

#[cfg(test)]
mod tests;

use jiff::civil::Date;
use jiff::tz::TimeZone;
use jiff::{Timestamp, tz};

use crate::text::Invalid;

pub use period::{Interval, Period, Range};
pub use step::{Sale, Sold, Step, steps};

macro_rules! counts {
    ($($(#[doc = $doc:literal])+ $name:ident;)+) => {
        /// What a day comes to, or several together. Amounts are minor units of one currency. What is taken back later counts
        /// below zero on the day on which it is.
        #[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
        pub struct Counts {
            $($(#[doc = $doc])+ pub $name: i64,)+
        }

        impl Counts {
            /// The numbers by the names that they are kept under.
            pub fn named(&self) -> impl Iterator<Item = (&'static str, i64)> {
                [$((stringify!($name), self.$name)),+].into_iter()
            }

            /// Reads what [`Counts::named`] told.
            pub fn read<E>(mut number: impl FnMut(&'static str) -> Result<i64, E>) -> Result<Counts, E> {
                Ok(Counts { $($name: number(stringify!($name))?),+ })
            }

            pub fn plus(self, other: Counts) -> Counts {
                Counts { $($name: self.$name.saturating_add(other.$name)),+ }
            }
        }
    };
}

counts! {
    /// Carts that customers began, drafts of staff not among them.
    carts;
    /// Accounts that were made.
    customers;
    /// Orders that were placed.
    placed;
    /// Those of them that customers placed themselves, each from a cart.
    from_carts;
    /// Orders that were paid, which are the sales: all amounts below are theirs.
    paid;
    /// Their goods as priced, before discounts.
    gross;
    /// What was taken off goods and shipping.
    discounts;
    /// Shipping before discounts.
    shipping;
    /// The tax of goods and shipping, whether it was contained in the prices or added to them.
    tax;
    /// What buyers paid, all in all.
    taken;
    /// What went back to them, by refunds and by banks that decided against the shop.
    refunds;
    /// The tax in that.
    refunded_tax;
}

impl Counts {
    /// What the shop keeps: what was paid without its tax, less what went back without its tax.
    pub fn net(&self) -> i64 {
        let back = self.refunds.saturating_sub(self.refunded_tax);
        self.taken.saturating_sub(self.tax).saturating_sub(back)
    }

    /// What a paid order came to on average, half a minor unit rounded up; None where none was paid.
    pub fn average_order(&self) -> Option<i64> {
        (self.paid > 0).then(|| self.taken.saturating_add(self.paid / 2).div_euclid(self.paid))
    }

    /// Orders that customers placed from carts for each ten thousand carts that were begun; None where none was. It may be
    /// more than ten thousand: a cart may have been begun before.
    pub fn conversion(&self) -> Option<i64> {
        (self.carts > 0).then(|| self.from_carts.saturating_mul(10_000).saturating_add(self.carts / 2) / self.carts)
    }
}

/// The shop's time zone, by its IANA name, such as `Europe/Berlin`. The rules are those that the program was built with.
pub fn zone(name: &str) -> Result<TimeZone, Invalid> {
    let wrong = || Invalid::new("must be the IANA name of a time zone, such as Europe/Berlin");
    tz::db().get(name).map_err(|_| wrong())
}

/// The day of the shop that a moment belongs to.
pub fn day_of(at: Timestamp, zone: &TimeZone) -> Date {
    zone.to_datetime(at).date()
}
