//! What every shop sells, and the order that each has of it.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::json;
use uuid::Uuid;
use waybill_domain::cart::{PricedLine, Quote};
use waybill_domain::category::Category;
use waybill_domain::id::{AccountId, CartId, CategoryId, ProductId};
use waybill_domain::money::Money;
use waybill_domain::order::Address;
use waybill_domain::product::{Offer, Price, Product, ProductState, Variant};
use waybill_domain::stock::Selling;
use waybill_domain::totals::{Discounts, LineTotals, Shipping, Tax, Totals};
use waybill_domain::{SignedDuration, Timestamp};
use waybill_lambda::clock;
use waybill_storage::catalog::Listing;

/// What a shop has before the order of one of them.
pub const UNITS: i64 = 5;
/// What the order comes to, in cents.
pub const TOTAL: i64 = 450;

pub fn at(seconds: i64) -> Timestamp {
    clock::now().checked_add(SignedDuration::from_secs(seconds)).unwrap()
}

fn usd(cents: i64) -> Money {
    Money::new(cents, "USD".parse().unwrap())
}

pub fn address() -> Address {
    let address =
        json!({ "name": "Ann", "line1": "1 Main St", "city": "Springfield", "postal_code": "62701", "country": "US" });
    serde_json::from_value(address).unwrap()
}

const PRODUCT: ProductId = ProductId::new(Uuid::from_u128(1));

/// A product of one SKU.
pub fn goods() -> (Category, Listing) {
    let category = Category {
        id: CategoryId::new(Uuid::from_u128(2)),
        slug: "tea".parse().unwrap(),
        title: "Tea".parse().unwrap(),
        description: "Leaves.".parse().unwrap(),
        translations: BTreeMap::new(),
        parent_id: None,
        position: 0,
        version: 1,
    };
    let offer = Offer {
        sku: "TEA".parse().unwrap(),
        product_id: PRODUCT,
        title: "Earl Grey".parse().unwrap(),
        prices: [(usd(0).currency, Price { amount: TOTAL, compare_at: None })].into(),
        available: UNITS.unsigned_abs(),
        active: true,
        weight: 100,
        tax_class: "standard".parse().unwrap(),
        category_ids: vec![category.id],
        ordered: 0,
        selling: Selling::Stock,
        low_stock_at: None,
        spread: None,
    };
    let variant = Variant {
        sku: offer.sku.clone(),
        variant: None,
        options: BTreeMap::new(),
        barcode: None,
        image: None,
        active: true,
    };
    let product = Product {
        id: PRODUCT,
        slug: "earl-grey".parse().unwrap(),
        title: offer.title.clone(),
        state: ProductState::Active,
        description: "".parse().unwrap(),
        translations: BTreeMap::new(),
        category_ids: vec![category.id],
        images: Vec::new(),
        attributes: BTreeMap::new(),
        tags: BTreeSet::new(),
        options: Vec::new(),
        variants: vec![variant],
        lowest: BTreeMap::new(),
        created_at: at(0),
        updated_at: at(0),
        version: 1,
    };
    (category, Listing { product, offers: vec![offer] })
}

/// One unit, in a cart that has just begun.
pub fn quote() -> Quote {
    let line = PricedLine {
        sku: "TEA".parse().unwrap(),
        product_id: PRODUCT,
        title: "Earl Grey".parse().unwrap(),
        quantity: 1.try_into().unwrap(),
        unit_price: usd(TOTAL),
        total: usd(TOTAL),
    };
    let left = LineTotals {
        sku: line.sku.clone(),
        subtotal: line.total,
        discount: usd(0),
        discounts: Vec::new(),
        tax: None,
        total: line.total,
    };
    let totals = Totals {
        lines: vec![left],
        subtotal: line.total,
        discounts: Discounts { amount: usd(0), applied: Vec::new(), outdone: Vec::new(), refused: Vec::new() },
        shipping: Shipping::DestinationUnknown,
        tax: Tax::DestinationUnknown,
        total: line.total,
    };
    Quote {
        buyer: AccountId::new(Uuid::from_u128(3)),
        cart_id: CartId::new(Uuid::from_u128(4)),
        cart_version: 1,
        contact: None,
        draft: None,
        lines: vec![line],
        totals,
        destination: None,
        uses: Vec::new(),
        buckets: Default::default(),
        expires_at: at(600),
    }
}
