//! Mails about an order.

use waybill_domain::message::{Event, Message, Snapshot};
use waybill_domain::order::{Address, Units};

use crate::content::{Block, ComposeError, Content, Goods, Sum, Weight};
use crate::words::Given;
use crate::{Mail, Shop, Words};

/// The mail that an event calls for; None for an event that nobody is mailed about.
pub fn compose(shop: &Shop, message: &Message) -> Result<Option<Mail>, ComposeError> {
    let words = shop.languages.of(message.order.language.as_ref());
    let Some(occasion) = occasion(shop, words, message)? else { return Ok(None) };
    let order = &message.order;
    let say = |part: &str| words.say(&format!("{}.{part}", occasion.key), &occasion.given);
    let mut blocks = vec![Block::Text(say("lead")?)];
    blocks.extend(occasion.blocks);
    let (number, date) = (order.id.number().to_string(), words.date(order.placed_at)?);
    blocks.push(Block::Small(words.say("order", &[("number", number.into()), ("date", date.into())])?));
    blocks.push(Block::Goods { lines: goods(words, order)?, sums: sums(words, order)? });
    if occasion.delivers {
        blocks.push(Block::Address { label: words.say("address", &[])?, lines: lines_of(&order.shipping_address) });
    }
    let link = format!("{}/orders/{}", shop.url, order.id);
    blocks.push(Block::Button { label: words.say("see-order", &[])?, link });
    Content { subject: say("subject")?, heading: say("heading")?, blocks }.mail(shop, words).map(Some)
}

/// Which words an event calls for.
struct Occasion<'a> {
    key: &'static str,
    given: Vec<Given<'a>>,
    /// What stands between the words and the order.
    blocks: Vec<Block>,
    /// Whether it is about goods that go to the buyer, so that the mail tells where to.
    delivers: bool,
}

fn occasion<'a>(shop: &Shop, words: &Words, message: &'a Message) -> Result<Option<Occasion<'a>>, ComposeError> {
    let plain = |key| Occasion { key, given: Vec::new(), blocks: Vec::new(), delivers: true };
    let without_address = |key| Occasion { delivers: false, ..plain(key) };
    let order = &message.order;
    Ok(Some(match &message.event {
        Event::PaymentAuthorised => {
            Occasion { given: vec![("total", words.money(order.total)?.into())], ..plain("order-authorised") }
        }
        Event::Placed if order.placed_by_staff => plain("order-to-pay"),
        Event::PaymentDeclined => plain("payment-failed"),
        Event::Paid if order.total.amount == 0 => plain("order-free"),
        Event::Paid => plain("order-confirmed"),
        Event::Processing => plain("order-processing"),
        Event::AddressChanged => plain("order-readdressed"),
        Event::PartiallyShipped { carrier, tracking_number, lines, .. } => {
            let mut blocks = vec![tracking(words, carrier, tracking_number)?];
            for units in lines {
                blocks.push(Block::Fact { label: words.say("parcel", &[])?, value: named(words, order, units)? });
            }
            Occasion { blocks, ..plain("order-partially-shipped") }
        }
        Event::Shipped { carrier, tracking_number } => {
            Occasion { blocks: vec![tracking(words, carrier, tracking_number)?], ..plain("order-shipped") }
        }
        Event::Delivered => plain("order-delivered"),
        Event::ShipmentDelivered { .. } => plain("parcel-delivered"),
        Event::Cancelled => without_address("order-cancelled"),
        Event::Expired => without_address("order-expired"),
        Event::CancelledWithRefund { refund } if refund.amount == 0 => without_address("order-cancelled-free"),
        Event::CancelledWithRefund { refund } => Occasion {
            given: vec![("refund", words.money(*refund)?.into())],
            ..without_address("order-cancelled-with-refund")
        },
        Event::RestCancelled { lines, refund } => {
            let what = lines.iter().map(|units| named(words, order, units)).collect::<Result<Vec<_>, _>>()?;
            let mut blocks = Vec::new();
            if refund.amount > 0 {
                let refund = words.money(*refund)?;
                blocks.push(Block::Text(words.say("order-rest-cancelled.refund", &[("refund", refund.into())])?));
            }
            Occasion {
                given: vec![("lines", words.list(&what)?.into())],
                blocks,
                ..without_address("order-rest-cancelled")
            }
        }
        Event::PaidLate { refund } => {
            Occasion { given: vec![("refund", words.money(*refund)?.into())], ..without_address("order-paid-late") }
        }
        Event::Refunded { amount, .. } => {
            Occasion { given: vec![("refund", words.money(*amount)?.into())], ..without_address("order-refunded") }
        }
        Event::ReturnApproved { .. } => {
            let lines = shop.return_address.iter().map(ToString::to_string).collect();
            let blocks = vec![Block::Address { label: words.say("return-address", &[])?, lines }];
            Occasion { blocks, ..without_address("return-approved") }
        }
        Event::ReturnRefused { reason, .. } => {
            Occasion { given: vec![("reason", reason.as_str().into())], ..without_address("return-refused") }
        }
        Event::ReturnReceived { .. } => without_address("return-received"),
        // `Message::is_mailed` has the reasons.
        Event::Placed
        | Event::PaymentStarted
        | Event::PaymentExpired
        | Event::RefundRequested { .. }
        | Event::RefundFailed { .. }
        | Event::DisputeOpened { .. }
        | Event::DisputeUpdated { .. }
        | Event::DisputeClosed { .. }
        | Event::ReturnRequested { .. }
        | Event::Exchanged { .. } => return Ok(None),
    }))
}

fn tracking(
    words: &Words,
    carrier: &impl std::fmt::Display,
    number: &impl std::fmt::Display,
) -> Result<Block, ComposeError> {
    Ok(Block::Fact { label: words.say("tracking", &[])?, value: format!("{carrier} {number}") })
}

/// Units as a parcel's list names them: `2 × Tea (TEA)`.
fn named(words: &Words, order: &Snapshot, units: &Units) -> Result<String, ComposeError> {
    let line = order.lines.iter().find(|line| line.sku == units.sku);
    let title = line.map(|line| line.title.to_string()).unwrap_or_default();
    let given =
        [("quantity", units.quantity.get().into()), ("title", title.into()), ("sku", units.sku.as_str().into())];
    Ok(words.say("units", &given)?)
}

fn goods(words: &Words, order: &Snapshot) -> Result<Vec<Goods>, ComposeError> {
    let goods = order.lines.iter().map(|line| {
        let (unit_price, total) = (words.money(line.unit_price)?, words.money(line.total)?);
        let units = Units { sku: line.sku.clone(), quantity: line.quantity };
        let each = [("price", unit_price.as_str().into()), ("total", total.as_str().into())];
        Ok(Goods {
            title: line.title.to_string(),
            sku: line.sku.to_string(),
            quantity: line.quantity.get(),
            units: named(words, order, &units)?,
            each: words.say("line", &each)?,
            unit_price,
            total,
        })
    });
    goods.collect()
}

/// How the total is made, as far as there is anything to tell.
fn sums(words: &Words, order: &Snapshot) -> Result<Vec<Sum>, ComposeError> {
    let sum = |key, amount, weight| -> Result<Sum, ComposeError> {
        Ok(Sum { label: words.say(key, &[])?, amount: words.money(amount)?, weight })
    };
    let mut sums = Vec::new();
    let mut tax_included = None;
    if let Some(parts) = &order.totals {
        let tax = parts.tax.filter(|tax| tax.amount > 0);
        sums.push(sum("subtotal", parts.subtotal, Weight::Part)?);
        if let Some(shipping) = parts.shipping {
            sums.push(sum("shipping", shipping, Weight::Part)?);
        }
        if parts.discount.amount > 0 {
            let less = words.say("less", &[("money", words.money(parts.discount)?.into())])?;
            sums.push(Sum { label: words.say("discount", &[])?, amount: less, weight: Weight::Part });
        }
        match tax {
            Some(tax) if parts.tax_included => tax_included = Some(tax),
            Some(tax) => sums.push(sum("tax", tax, Weight::Part)?),
            None => {}
        }
        // A subtotal alone is the total.
        if sums.len() == 1 {
            sums.clear();
        }
    }
    sums.push(sum("total", order.total, Weight::Total)?);
    if let Some(tax) = tax_included {
        sums.push(sum("tax-included", tax, Weight::Note)?);
    }
    Ok(sums)
}

fn lines_of(address: &Address) -> Vec<String> {
    let mut lines = vec![address.name.to_string(), address.line1.to_string()];
    lines.extend(address.line2.as_ref().map(ToString::to_string));
    // Where there are regions (the Americas, Australia, Japan) the code stands behind them; elsewhere it is before the city.
    lines.push(match &address.region {
        Some(region) => format!("{}, {region} {}", address.city, address.postal_code),
        None => format!("{} {}", address.postal_code, address.city),
    });
    lines.push(address.country.as_str().to_owned());
    lines
}
