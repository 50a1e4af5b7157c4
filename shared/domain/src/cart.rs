//! Carts: what a customer means to buy, priced from the shop's own offers, and the quote that an order is placed from.

use std::collections::{BTreeMap, HashMap};

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::id::{AccountId, CartId, ProductId};
use crate::money::{Currency, Money, MoneyError};
use crate::product::{Offer, Title};
use crate::schema::{self, described};
use crate::text::{Invalid, Sku};

/// Different SKUs in one cart. With the order and the cart, 50 offers stay below DynamoDB's 100 writes of one transaction.
pub const MAX_LINES: usize = 50;
/// Units of one SKU in one cart.
pub const MAX_QUANTITY: u32 = 1_000;

/// Units of one SKU: 1 to [`MAX_QUANTITY`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(into = "u32", try_from = "i64")]
pub struct Quantity(u32);

described!(Quantity, schema::number("Units of one SKU.", 1, MAX_QUANTITY.into(), 2));

impl Quantity {
    pub fn get(self) -> u32 {
        self.0
    }
}

impl TryFrom<i64> for Quantity {
    type Error = Invalid;

    fn try_from(units: i64) -> Result<Self, Invalid> {
        match u32::try_from(units) {
            Ok(units) if (1..=MAX_QUANTITY).contains(&units) => Ok(Quantity(units)),
            _ => Err(Invalid::new(format!("must be from 1 to {MAX_QUANTITY}"))),
        }
    }
}

impl From<Quantity> for u32 {
    fn from(quantity: Quantity) -> u32 {
        quantity.0
    }
}

/// One filling of a cart. The version grows with every change; placing an order ends the filling.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cart {
    pub id: CartId,
    pub version: u64,
    /// What it is priced in.
    pub currency: Currency,
    pub lines: BTreeMap<Sku, CartLine>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CartLine {
    pub product_id: ProductId,
    pub quantity: Quantity,
}

/// A line at today's price.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct PricedLine {
    pub sku: Sku,
    pub product_id: ProductId,
    #[schema(example = "Earl Grey, 100 g")]
    pub title: Title,
    pub quantity: Quantity,
    pub unit_price: Money,
    pub total: Money,
}

/// What stands in the way of ordering a line as it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shortage {
    /// Not for sale any more, or not in the cart's currency.
    Withdrawn,
    /// Fewer are left than the cart asks for.
    Available(u32),
}

/// A cart at today's prices, in the order of its SKUs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PricedCart {
    pub lines: Vec<(PricedLine, Option<Shortage>)>,
    /// None while the cart is empty.
    pub total: Option<Money>,
}

/// Prices a cart from the shop's offers. A line without an offer cannot be priced and is left out: its product was
/// deleted, or has just been made and has not been seen yet.
pub fn price(cart: &Cart, offers: &HashMap<Sku, Offer>) -> Result<PricedCart, MoneyError> {
    let mut lines = Vec::with_capacity(cart.lines.len());
    let mut total: Option<Money> = None;
    for (sku, line) in &cart.lines {
        let Some(offer) = offers.get(sku) else { continue };
        let Some(unit_price) = offer.price_in(cart.currency) else { continue };
        let line_total = unit_price.times(line.quantity.get())?;
        total = Some(match total {
            Some(sum) => sum.plus(line_total)?,
            None => line_total,
        });
        let shortage = if !offer.active {
            Some(Shortage::Withdrawn)
        } else if offer.available < line.quantity.get() {
            Some(Shortage::Available(offer.available))
        } else {
            None
        };
        let priced = PricedLine {
            sku: sku.clone(),
            product_id: offer.product_id,
            title: offer.title.clone(),
            quantity: line.quantity,
            unit_price,
            total: line_total,
        };
        lines.push((priced, shortage));
    }
    Ok(PricedCart { lines, total })
}

/// What the shop offered this buyer, as it was shown: the cart's lines at their prices. The shop seals it, the client
/// hands it back to place the order, and the table checks every price, the stock and the cart again in the one
/// transaction that takes them, so nothing need be read first.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Quote {
    pub buyer: AccountId,
    pub cart_id: CartId,
    pub cart_version: u64,
    pub lines: Vec<PricedLine>,
    pub total: Money,
}

impl Quote {
    /// A quote for a cart that has lines; None for an empty one, and while one of its lines cannot be priced, for an
    /// order takes the whole cart.
    pub fn of(buyer: AccountId, cart: &Cart, priced: &PricedCart) -> Option<Quote> {
        if priced.lines.len() < cart.lines.len() {
            return None;
        }
        Some(Quote {
            buyer,
            cart_id: cart.id,
            cart_version: cart.version,
            lines: priced.lines.iter().map(|(line, _)| line.clone()).collect(),
            total: priced.total?,
        })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use uuid::Uuid;

    use super::*;
    use crate::product::Price;

    fn offer(sku: &str, amount: i64, available: u32) -> (Sku, Offer) {
        let sku: Sku = sku.parse().unwrap();
        let offer = Offer {
            sku: sku.clone(),
            product_id: ProductId::new(Uuid::nil()),
            title: "Tea".parse().unwrap(),
            prices: [("USD".parse().unwrap(), Price { amount, compare_at: None })].into(),
            available,
            active: true,
            weight: 100,
            tax_class: "standard".parse().unwrap(),
            category_ids: Vec::new(),
            ordered: 0,
        };
        (sku, offer)
    }

    fn cart(lines: &[(&str, i64)]) -> Cart {
        let line =
            |units: i64| CartLine { product_id: ProductId::new(Uuid::nil()), quantity: units.try_into().unwrap() };
        Cart {
            id: CartId::new(Uuid::nil()),
            version: 1,
            currency: "USD".parse().unwrap(),
            lines: lines.iter().map(|(sku, units)| (sku.parse().unwrap(), line(*units))).collect(),
        }
    }

    #[test]
    fn a_quantity_is_from_1_to_1000() {
        for bad in [i64::MIN, -1, 0, 1001, 1_000_000_000_000] {
            assert!(Quantity::try_from(bad).is_err(), "{bad}");
        }
        for good in [1, 1000] {
            assert!(Quantity::try_from(good).is_ok());
        }
    }

    #[test]
    fn a_line_says_what_stands_in_its_way() {
        let mut offers: HashMap<_, _> = [offer("A", 100, 2), offer("B", 100, 9)].into();
        offers.get_mut(&"B".parse().unwrap()).unwrap().active = false;
        let priced = price(&cart(&[("A", 3), ("B", 1)]), &offers).unwrap();
        let shortages: Vec<_> = priced.lines.iter().map(|(_, shortage)| *shortage).collect();
        assert_eq!(shortages, [Some(Shortage::Available(2)), Some(Shortage::Withdrawn)]);
    }

    #[test]
    fn an_empty_cart_has_no_quote() {
        let cart = cart(&[]);
        let priced = price(&cart, &HashMap::new()).unwrap();
        assert_eq!(Quote::of(AccountId::new(Uuid::nil()), &cart, &priced), None);
    }

    #[test]
    fn a_cart_with_a_line_that_cannot_be_priced_has_no_quote() {
        let cart = cart(&[("A", 1), ("B", 1)]);
        let priced = price(&cart, &[offer("A", 100, 2)].into()).unwrap();
        assert_eq!(priced.total.unwrap().amount, 100);
        assert_eq!(Quote::of(AccountId::new(Uuid::nil()), &cart, &priced), None);
    }

    proptest! {
        #[test]
        fn the_total_is_the_sum_of_the_lines(lines in proptest::collection::btree_map("[A-Z]{1,6}", (1_i64..=1000, 0_i64..=crate::money::MAX_PRICE), 1..=50)) {
            let offers: HashMap<_, _> = lines.iter().map(|(sku, (_, price))| offer(sku, *price, 1)).collect();
            let wanted: Vec<_> = lines.iter().map(|(sku, (units, _))| (sku.as_str(), *units)).collect();
            let priced = price(&cart(&wanted), &offers).unwrap();
            let expected: i64 = lines.values().map(|(units, price)| units * price).sum();
            prop_assert_eq!(priced.total.unwrap().amount, expected);
            prop_assert_eq!(priced.lines.iter().map(|(line, _)| line.total.amount).sum::<i64>(), expected);
        }
    }
}
