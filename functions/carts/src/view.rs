//! A cart as its owner sees it.

use serde::Serialize;
use utoipa::ToSchema;
use waybill_domain::cart::{Cart, PricedCart, Quantity, ShownLine, Standing};
use waybill_domain::id::{ProductId, ShippingMethodId};
use waybill_domain::money::Money;
use waybill_domain::pricing::{Missing, Reckoned};
use waybill_domain::product::Title;
use waybill_domain::text::{PromotionCode, Sku};
use waybill_domain::totals::{Place, ShippingOffer, Totals};

#[derive(Serialize, ToSchema)]
#[schema(as = Cart)]
pub struct CartView {
    lines: Vec<LineView>,
    /// Of promotions, as they were entered.
    codes: Vec<PromotionCode>,
    /// Where it is to go; null while nobody has said.
    #[schema(required)]
    destination: Option<Place>,
    /// Null while none is chosen.
    #[schema(required)]
    shipping_method_id: Option<ShippingMethodId>,
    /// By what it can be shipped, the cheapest first; empty while the destination is unknown.
    shipping_offers: Vec<ShippingOffer>,
    /// What the lines that have a price come to, after discounts, with shipping and tax as far as they are known; null
    /// while no line has a price.
    #[schema(required)]
    total: Option<Money>,
    /// How the total is made.
    #[schema(required)]
    totals: Option<Totals>,
    /// What the shop has to know before the cart can be ordered.
    missing: Vec<Missing>,
    /// What an order is placed with, within 15 minutes. Opaque; it changes with the cart and with prices. Null when
    /// there is nothing to order, while a line has no price or something is missing, and for guests.
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
    /// Of a cart that nobody has begun.
    pub fn empty() -> Self {
        CartView {
            lines: Vec::new(),
            codes: Vec::new(),
            destination: None,
            shipping_method_id: None,
            shipping_offers: Vec::new(),
            total: None,
            totals: None,
            missing: Vec::new(),
            quote: None,
        }
    }

    pub fn of(cart: &Cart, priced: PricedCart, reckoned: Reckoned, quote: Option<String>) -> Self {
        let totals = priced.total.map(|_| reckoned.totals);
        CartView {
            lines: priced.lines.into_iter().map(LineView::from).collect(),
            codes: cart.codes.clone(),
            destination: cart.destination.clone(),
            shipping_method_id: cart.shipping_method_id,
            shipping_offers: reckoned.shipping_offers,
            total: totals.as_ref().map(|totals| totals.total),
            totals,
            missing: reckoned.missing,
            quote,
        }
    }
}
