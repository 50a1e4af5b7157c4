//! Carts: what a customer means to buy, priced from the shop's own offers, and the quote that an order is placed from.

use std::collections::{BTreeMap, HashMap};

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::id::{AccountId, CartId, DraftId, ProductId, ShippingMethodId};
use crate::language::Language;
use crate::money::{Currency, Money, MoneyError};
use crate::order::Exchange;
use crate::pricing::{PromotionUse, Reckoned};
use crate::product::{Offer, Title};
use crate::schema::{self, described};
use crate::text::{Email, Invalid, PromotionCode, Sku};
use crate::totals::{Place, Totals};

/// Different SKUs in one cart. With the order and the cart, 50 offers stay below DynamoDB's 100 writes of one transaction.
pub const MAX_LINES: usize = 50;
/// Codes in one cart.
pub const MAX_CODES: usize = 10;
/// What was quoted is honoured for so long.
pub const QUOTE_LIFETIME: SignedDuration = SignedDuration::from_mins(15);
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
    /// As the customer entered them, known or not; each once.
    #[serde(default)]
    pub codes: Vec<PromotionCode>,
    /// Where it is to go, once the customer has said so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub destination: Option<Place>,
    /// What the customer has chosen; it may have been deleted since.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub shipping_method_id: Option<ShippingMethodId>,
    /// When it is thrown away unless it is used before, in seconds since 1970.
    #[serde(default)]
    pub expires_at: i64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CartLine {
    pub product_id: ProductId,
    pub quantity: Quantity,
    /// What one unit cost when the line was last set, in the cart's currency.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub price: Option<i64>,
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

/// A line of a cart as it is to be shown.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ShownLine {
    pub sku: Sku,
    pub product_id: ProductId,
    pub quantity: Quantity,
    /// What one unit cost when the line was last set, where it costs something else now.
    pub added_at: Option<Money>,
    pub standing: Standing,
    /// Over how many buckets its stock is spread.
    pub buckets: Option<u16>,
}

/// How a line stands today.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Standing {
    /// It can be ordered.
    Available(PricedLine),
    /// It has a price, and fewer are left than the cart asks for, or it is not for sale at the moment: then none.
    Short(PricedLine, u32),
    /// It has no price any more: its product was deleted, or is not sold in the cart's currency.
    Gone,
}

impl Standing {
    pub fn priced(&self) -> Option<&PricedLine> {
        match self {
            Standing::Available(line) | Standing::Short(line, _) => Some(line),
            Standing::Gone => None,
        }
    }
}

/// A cart at today's prices, in the order of its SKUs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PricedCart {
    pub lines: Vec<ShownLine>,
    /// Of what has a price; None while nothing has.
    pub total: Option<Money>,
}

/// Prices a cart from the shop's offers. No line is left out: one that has no price any more says so.
pub fn price(cart: &Cart, offers: &HashMap<Sku, Offer>) -> Result<PricedCart, MoneyError> {
    let mut lines = Vec::with_capacity(cart.lines.len());
    let mut total: Option<Money> = None;
    for (sku, line) in &cart.lines {
        let offer = offers.get(sku);
        let unit_price = offer.and_then(|offer| offer.price_in(cart.currency));
        let standing = match offer.zip(unit_price) {
            None => Standing::Gone,
            Some((offer, unit_price)) => {
                let line_total = unit_price.times(line.quantity.get())?;
                total = Some(match total {
                    Some(sum) => sum.plus(line_total)?,
                    None => line_total,
                });
                let priced = PricedLine {
                    sku: sku.clone(),
                    product_id: offer.product_id,
                    title: offer.title.clone(),
                    quantity: line.quantity,
                    unit_price,
                    total: line_total,
                };
                let left = if offer.active { offer.orderable() } else { 0 };
                match u32::try_from(left) {
                    Ok(left) if left < line.quantity.get() => Standing::Short(priced, left),
                    Ok(_) | Err(_) => Standing::Available(priced),
                }
            }
        };
        let added_at = line.price.map(|amount| Money::new(amount, cart.currency));
        lines.push(ShownLine {
            sku: sku.clone(),
            product_id: line.product_id,
            quantity: line.quantity,
            added_at: added_at.filter(|added_at| unit_price.is_some_and(|now| now != *added_at)),
            standing,
            buckets: offer.and_then(Offer::open_buckets),
        });
    }
    Ok(PricedCart { lines, total })
}

/// The lines of two carts in one: of what stands in both, both quantities, as far as a cart may have so many.
pub fn merged(one: &Cart, other: &Cart) -> BTreeMap<Sku, CartLine> {
    let mut lines = one.lines.clone();
    for (sku, line) in &other.lines {
        // What was seen in another currency says nothing here.
        let price = line.price.filter(|_| one.currency == other.currency);
        let both = |present: &mut CartLine| {
            let units = present.quantity.get().saturating_add(line.quantity.get()).min(MAX_QUANTITY);
            present.quantity = Quantity(units);
        };
        lines.entry(sku.clone()).and_modify(both).or_insert(CartLine { price, ..*line });
    }
    lines
}

/// How two carts are to be shipped as one: as the guest says who has just come, or else as it was meant before.
pub fn merged_shipping(own: &Cart, guest: &Cart) -> (Option<Place>, Option<ShippingMethodId>) {
    let said = if guest.destination.is_some() { guest } else { own };
    (said.destination.clone(), said.shipping_method_id.or(own.shipping_method_id))
}

/// The codes of two carts, each once, the guest's last; as many as one cart may have.
pub fn merged_codes(own: &Cart, guest: &Cart) -> Vec<PromotionCode> {
    let more = guest.codes.iter().filter(|code| !own.codes.contains(code));
    own.codes.iter().chain(more).take(MAX_CODES).cloned().collect()
}

/// What the shop offered this buyer, as it was shown: the cart's lines at their prices, and what they come to. The shop
/// seals it, the client hands it back to place the order, and the table checks every price, the stock, the cart and the
/// limits of promotions again in the one transaction that takes them, so nothing need be read first. What else has
/// changed since, the shop honours until the quote expires.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Quote {
    pub buyer: AccountId,
    pub cart_id: CartId,
    pub cart_version: u64,
    /// Whom the order is mailed to, as their account said; None for a draft's, whose customer is looked up when it is placed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub contact: Option<QuotedContact>,
    /// The draft that it is of, which only staff may order; None for the buyer's own cart.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub draft: Option<QuotedDraft>,
    pub lines: Vec<PricedLine>,
    /// Over how many buckets the stock of a line was spread.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub buckets: BTreeMap<Sku, u16>,
    pub totals: Totals,
    /// Where the order has to go.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub destination: Option<Place>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub uses: Vec<PromotionUse>,
    /// After [`QUOTE_LIFETIME`], or with the first of its promotions that ends.
    pub expires_at: Timestamp,
}

/// What an order has to know of its buyer's account.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct QuotedContact {
    pub email: Email,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub language: Option<Language>,
}

/// What an order has to know of the draft that it is placed from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct QuotedDraft {
    pub id: DraftId,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub exchange: Option<Exchange>,
}

impl Quote {
    /// A quote for a cart that has lines; None for an empty one, while one of its lines cannot be priced, for an order
    /// takes the whole cart, and while something is missing from its total.
    pub fn of(
        buyer: AccountId,
        cart: &Cart,
        priced: &PricedCart,
        reckoned: &Reckoned,
        now: Timestamp,
    ) -> Option<Quote> {
        let lines: Option<Vec<_>> = priced.lines.iter().map(|line| line.standing.priced().cloned()).collect();
        let lines = lines.filter(|lines| !lines.is_empty() && reckoned.missing.is_empty())?;
        let expires_at = now.saturating_add(QUOTE_LIFETIME).expect("a duration is not a calendar's");
        Some(Quote {
            buyer,
            cart_id: cart.id,
            cart_version: cart.version,
            contact: None,
            draft: None,
            lines,
            buckets: priced.lines.iter().filter_map(|line| Some((line.sku.clone(), line.buckets?))).collect(),
            totals: reckoned.totals.clone(),
            destination: cart.destination.clone(),
            uses: reckoned.uses.clone(),
            expires_at: reckoned.ends_at.map_or(expires_at, |ends_at| ends_at.min(expires_at)),
        })
    }

    /// Whether the shop still honours it.
    pub fn is_good_at(&self, now: Timestamp) -> bool {
        now < self.expires_at
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use uuid::Uuid;

    use super::*;
    use crate::category::Tree;
    use crate::pricing::Pricing;
    use crate::product::Price;

    fn offer(sku: &str, amount: i64, available: u32) -> (Sku, Offer) {
        let sku: Sku = sku.parse().unwrap();
        let offer = Offer {
            sku: sku.clone(),
            product_id: ProductId::new(Uuid::nil()),
            title: "Tea".parse().unwrap(),
            prices: [("USD".parse().unwrap(), Price { amount, compare_at: None })].into(),
            available: available.into(),
            active: true,
            weight: 100,
            tax_class: "standard".parse().unwrap(),
            category_ids: Vec::new(),
            ordered: 0,
            selling: Default::default(),
            low_stock_at: None,
            spread: None,
        };
        (sku, offer)
    }

    fn cart(lines: &[(&str, i64)]) -> Cart {
        let line = |units: i64| CartLine {
            product_id: ProductId::new(Uuid::nil()),
            quantity: units.try_into().unwrap(),
            price: None,
        };
        Cart {
            id: CartId::new(Uuid::nil()),
            version: 1,
            currency: "USD".parse().unwrap(),
            lines: lines.iter().map(|(sku, units)| (sku.parse().unwrap(), line(*units))).collect(),
            codes: Vec::new(),
            destination: None,
            shipping_method_id: None,
            expires_at: 0,
        }
    }

    fn quote(cart: &Cart, offers: &HashMap<Sku, Offer>) -> Option<Quote> {
        let (priced, now) = (price(cart, offers).unwrap(), Timestamp::UNIX_EPOCH);
        let pricing = Pricing::default();
        let reckoned = pricing.look_at(cart, &priced, offers, &Tree::default(), now).reckon(&HashMap::new()).unwrap();
        Quote::of(AccountId::new(Uuid::nil()), cart, &priced, &reckoned, now)
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
        let mut offers: HashMap<_, _> = [offer("A", 100, 2), offer("B", 100, 9), offer("C", 100, 3)].into();
        offers.get_mut(&"B".parse().unwrap()).unwrap().active = false;
        let priced = price(&cart(&[("A", 3), ("B", 1), ("C", 3)]), &offers).unwrap();
        let left = |line: &ShownLine| match line.standing {
            Standing::Short(_, left) => Some(left),
            _ => None,
        };
        assert_eq!(priced.lines.iter().map(left).collect::<Vec<_>>(), [Some(2), Some(0), None]);
    }

    #[test]
    fn an_empty_cart_has_no_quote() {
        assert_eq!(quote(&cart(&[]), &HashMap::new()), None);
    }

    #[test]
    fn a_cart_with_a_line_that_cannot_be_priced_has_no_quote() {
        let cart = cart(&[("A", 1), ("B", 1)]);
        let priced = price(&cart, &[offer("A", 100, 2)].into()).unwrap();
        assert_eq!(priced.total.unwrap().amount, 100);
        assert_eq!((priced.lines.len(), &priced.lines[1].standing), (2, &Standing::Gone));
        assert_eq!(quote(&cart, &[offer("A", 100, 2)].into()), None);
    }

    #[test]
    fn a_price_that_has_changed_since_the_line_was_set_is_told() {
        let offers: HashMap<_, _> = [offer("A", 100, 9), offer("B", 100, 9)].into();
        let mut cart = cart(&[("A", 1), ("B", 1)]);
        for (line, price) in cart.lines.values_mut().zip([90, 100]) {
            line.price = Some(price);
        }
        let priced = price(&cart, &offers).unwrap();
        let told: Vec<_> = priced.lines.iter().map(|line| line.added_at.map(|price| price.amount)).collect();
        assert_eq!(told, [Some(90), None]);
    }

    #[test]
    fn a_quote_is_good_for_fifteen_minutes_and_not_a_moment_longer() {
        let quote = quote(&cart(&[("A", 1)]), &[offer("A", 100, 2)].into()).unwrap();
        let end = Timestamp::UNIX_EPOCH + SignedDuration::from_mins(15);
        assert!(quote.is_good_at(end - SignedDuration::from_nanos(1)));
        assert!(!quote.is_good_at(end));
    }

    #[test]
    fn a_merged_cart_goes_where_the_guest_says_with_the_codes_of_both() {
        let place = |country: &str| Place { country: country.parse().unwrap(), region: None };
        let method = |id: u128| ShippingMethodId::new(Uuid::from_u128(id));
        let codes = |from: usize, count: usize| (from..from + count).map(|n| format!("CODE-{n}").parse().unwrap());
        let (mut own, mut guest) = (cart(&[]), cart(&[]));
        (own.destination, own.shipping_method_id) = (Some(place("US")), Some(method(1)));
        own.codes = codes(0, 6).collect();
        guest.codes = codes(5, 6).collect();
        assert_eq!(merged_shipping(&own, &guest), (Some(place("US")), Some(method(1))));
        (guest.destination, guest.shipping_method_id) = (Some(place("DE")), Some(method(2)));
        assert_eq!(merged_shipping(&own, &guest), (Some(place("DE")), Some(method(2))));
        assert_eq!(merged_codes(&own, &guest), codes(0, MAX_CODES).collect::<Vec<_>>());
    }

    #[test]
    fn two_carts_make_one_that_has_every_line_of_both() {
        let merged = merged(&cart(&[("A", 2), ("B", 999)]), &cart(&[("B", 2), ("C", 3)]));
        let lines: Vec<_> = merged.iter().map(|(sku, line)| (sku.as_str(), line.quantity.get())).collect();
        assert_eq!(lines, [("A", 2), ("B", MAX_QUANTITY), ("C", 3)]);
    }

    #[test]
    fn what_a_guest_saw_a_price_at_counts_in_a_cart_of_the_same_currency_only() {
        let mut guest = cart(&[("A", 1)]);
        guest.lines.values_mut().for_each(|line| line.price = Some(90));
        let seen = |own: &Cart| merged(own, &guest).into_values().map(|line| line.price).collect::<Vec<_>>();
        assert_eq!(seen(&cart(&[])), [Some(90)]);
        assert_eq!(seen(&Cart { currency: "EUR".parse().unwrap(), ..cart(&[]) }), [None]);
    }

    proptest! {
        #[test]
        fn the_total_is_the_sum_of_the_lines(lines in proptest::collection::btree_map("[A-Z]{1,6}", (1_i64..=1000, 0_i64..=crate::money::MAX_PRICE), 1..=50)) {
            let offers: HashMap<_, _> = lines.iter().map(|(sku, (_, price))| offer(sku, *price, 1)).collect();
            let wanted: Vec<_> = lines.iter().map(|(sku, (units, _))| (sku.as_str(), *units)).collect();
            let priced = price(&cart(&wanted), &offers).unwrap();
            let expected: i64 = lines.values().map(|(units, price)| units * price).sum();
            prop_assert_eq!(priced.total.unwrap().amount, expected);
            prop_assert_eq!(priced.lines.iter().filter_map(|line| line.standing.priced()).map(|line| line.total.amount).sum::<i64>(), expected);
        }
    }
}
