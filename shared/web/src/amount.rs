//! Amounts of money, as people write them.

use serde::Deserialize;
use serde_json::Value;
use waybill_domain::money::{MAX_PRICE, Money};
use waybill_domain::text::Invalid;

use crate::Fields;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NewMoney {
    amount: i64,
    currency: String,
}

impl NewMoney {
    /// An amount of at least so many minor units, and at most [`MAX_PRICE`].
    pub fn check(self, fields: &mut Fields, at: &str, least: i64) -> Option<Money> {
        self.check_up_to(fields, at, least, MAX_PRICE)
    }

    /// An amount of so many minor units.
    pub fn check_up_to(self, fields: &mut Fields, at: &str, least: i64, most: i64) -> Option<Money> {
        let currency = fields.take(&format!("{at}/currency"), self.currency.parse());
        let amount = Some(self.amount).filter(|amount| (least..=most).contains(amount));
        let wrong = || Invalid::new(format!("must be from {least} to {most} minor units"));
        let amount = fields.take(&format!("{at}/amount"), amount.ok_or_else(wrong));
        Some(Money::new(amount?, currency?))
    }

    /// One that stands where something else could, too.
    pub fn of(value: Value) -> Result<NewMoney, Invalid> {
        match value {
            Value::Object(_) => serde_json::from_value(value).ok(),
            _ => None,
        }
        .ok_or_else(|| Invalid::new("must be an amount with its currency"))
    }
}
