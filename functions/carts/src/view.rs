//! A cart as its owner sees it.

use std::collections::HashMap;

use serde::Serialize;
use utoipa::ToSchema;
use waybill_domain::cart::{self, Cart, PricedLine, Quote, Shortage};
use waybill_domain::id::AccountId;
use waybill_domain::money::Money;
use waybill_domain::product::Offer;
use waybill_domain::text::Sku;
use waybill_web::Problem;
use waybill_web::quote::Seal;

#[derive(Serialize, ToSchema)]
#[schema(as = Cart)]
pub struct CartView {
    lines: Vec<LineView>,
    /// Null while the cart is empty.
    #[schema(required)]
    total: Option<Money>,
    /// What an order is placed with. Opaque; it changes with the cart and with prices. Null when there is nothing to
    /// order.
    #[schema(required)]
    quote: Option<String>,
}

#[derive(Serialize, ToSchema)]
#[schema(as = PricedCartLine)]
struct LineView {
    #[serde(flatten)]
    line: PricedLine,
    /// How many can be had, where that is fewer than the cart asks for.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    only_available: Option<u32>,
}

impl CartView {
    pub fn empty() -> Self {
        CartView { lines: Vec::new(), total: None, quote: None }
    }

    pub fn of(buyer: AccountId, cart: &Cart, offers: &HashMap<Sku, Offer>, seal: &Seal) -> Result<Self, Problem> {
        let priced = cart::price(cart, offers).map_err(Problem::internal)?;
        let quote = Quote::of(buyer, cart, &priced).map(|quote| seal.close(&quote)).transpose();
        let lines = priced.lines.into_iter().map(|(line, shortage)| {
            let only_available = shortage.map(|shortage| match shortage {
                Shortage::Withdrawn => 0,
                Shortage::Available(units) => units,
            });
            LineView { line, only_available }
        });
        Ok(CartView { lines: lines.collect(), total: priced.total, quote: quote.map_err(Problem::internal)? })
    }
}
