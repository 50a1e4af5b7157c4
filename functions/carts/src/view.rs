//! A cart as its owner sees it.

use std::collections::HashMap;

use serde::Serialize;
use utoipa::ToSchema;
use waybill_domain::cart::{self, Cart, Quantity, Quote, ShownLine, Standing};
use waybill_domain::id::{AccountId, ProductId};
use waybill_domain::money::Money;
use waybill_domain::product::{Offer, Title};
use waybill_domain::text::Sku;
use waybill_web::Problem;
use waybill_web::quote::Seal;

#[derive(Serialize, ToSchema)]
#[schema(as = Cart)]
pub struct CartView {
    lines: Vec<LineView>,
    /// Of the lines that have a price; null while none has.
    #[schema(required)]
    total: Option<Money>,
    /// What an order is placed with. Opaque; it changes with the cart and with prices. Null when there is nothing to
    /// order, while a line has no price, and for guests.
    #[schema(required)]
    quote: Option<String>,
}

#[derive(Serialize, ToSchema)]
#[schema(as = PricedCartLine)]
struct LineView {
    sku: Sku,
    product_id: ProductId,
    /// Null for a product that is not there any more.
    #[schema(required, example = "Earl Grey, 100 g")]
    title: Option<Title>,
    quantity: Quantity,
    /// Null where it has no price any more: take the line out to order the others.
    #[schema(required)]
    unit_price: Option<Money>,
    #[schema(required)]
    total: Option<Money>,
    /// What one unit cost when the line was last set, where it costs something else now.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    added_at_price: Option<Money>,
    /// How many can be had, where that is fewer than the cart asks for.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    only_available: Option<u32>,
}

impl From<ShownLine> for LineView {
    fn from(line: ShownLine) -> Self {
        let only_available = match line.standing {
            Standing::Available(_) => None,
            Standing::Short(_, left) => Some(left),
            Standing::Gone => Some(0),
        };
        let priced = line.standing.priced();
        LineView {
            title: priced.map(|priced| priced.title.clone()),
            unit_price: priced.map(|priced| priced.unit_price),
            total: priced.map(|priced| priced.total),
            sku: line.sku,
            product_id: line.product_id,
            quantity: line.quantity,
            added_at_price: line.added_at,
            only_available,
        }
    }
}

impl CartView {
    pub fn empty() -> Self {
        CartView { lines: Vec::new(), total: None, quote: None }
    }

    /// The cart; with a quote where there is a buyer.
    pub fn of(
        buyer: Option<AccountId>,
        cart: &Cart,
        offers: &HashMap<Sku, Offer>,
        seal: &Seal,
    ) -> Result<Self, Problem> {
        let priced = cart::price(cart, offers).map_err(Problem::internal)?;
        let quote = buyer.and_then(|buyer| Quote::of(buyer, cart, &priced));
        let quote = quote.map(|quote| seal.close(&quote)).transpose().map_err(Problem::internal)?;
        Ok(CartView { lines: priced.lines.into_iter().map(LineView::from).collect(), total: priced.total, quote })
    }
}
