//! What the mails say, text and HTML of one event; and how they are sent.

#![recursion_limit = "256"] // The SDK nests its futures deeper than the compiler looks by default.

mod letters;
mod send;
mod stock;

use askama::Template;
use waybill_domain::message::{Event, Message, Snapshot};
use waybill_domain::money::Money;
use waybill_domain::order::Units;

pub use askama::Error as ComposeError;
pub use letters::compose_letter;
pub use send::{MailError, Sender, mail};
pub use stock::compose_stock;

/// The shop as its mails show it.
pub struct Shop {
    pub name: String,
    /// Where its front lives.
    pub url: String,
}

#[derive(Debug)]
pub struct Mail {
    pub subject: String,
    pub text: String,
    pub html: String,
}

/// What stands above the order in a mail.
struct Words {
    subject: String,
    heading: &'static str,
    lead: String,
    /// Where the parcel can be followed.
    tracking: Option<String>,
    /// What is in the parcel, where that is not all.
    parcel: Vec<String>,
}

#[derive(Template)]
#[template(path = "order.txt")]
struct Text<'a> {
    shop: &'a Shop,
    words: &'a Words,
    order: &'a Snapshot,
    parts: &'a Parts,
}

#[derive(Template)]
#[template(path = "order.html")]
struct Html<'a> {
    shop: &'a Shop,
    words: &'a Words,
    order: &'a Snapshot,
    parts: &'a Parts,
}

/// How the total is made, as far as there is anything to tell.
#[derive(Default)]
struct Parts {
    before: Vec<(&'static str, String)>,
    tax_included: Option<Money>,
}

impl Parts {
    fn of(order: &Snapshot) -> Parts {
        let Some(sums) = &order.totals else { return Parts::default() };
        let tax = sums.tax.filter(|tax| tax.amount > 0);
        let (tax_included, tax_added) = if sums.tax_included { (tax, None) } else { (None, tax) };
        let discount = Some(sums.discount).filter(|discount| discount.amount > 0);
        let mut before = vec![("Subtotal", sums.subtotal.to_string())];
        before.extend(sums.shipping.map(|shipping| ("Shipping", shipping.to_string())));
        before.extend(discount.map(|discount| ("Discount", format!("-{discount}"))));
        before.extend(tax_added.map(|tax| ("Tax", tax.to_string())));
        if before.len() == 1 {
            before.clear();
        }
        Parts { before, tax_included }
    }
}

/// The mail that an event calls for; None for an event that nobody is mailed about.
pub fn compose(shop: &Shop, message: &Message) -> Result<Option<Mail>, ComposeError> {
    let Some(words) = words(shop, message) else { return Ok(None) };
    let (order, parts) = (&message.order, &Parts::of(&message.order));
    let text = Text { shop, words: &words, order, parts }.render()?;
    let html = Html { shop, words: &words, order, parts }.render()?;
    Ok(Some(Mail { subject: words.subject, text, html }))
}

fn words(shop: &Shop, message: &Message) -> Option<Words> {
    let plain = |subject: &str, heading, lead: &str| Words {
        subject: format!("{}: {subject}", shop.name),
        heading,
        lead: lead.to_owned(),
        tracking: None,
        parcel: Vec::new(),
    };
    match &message.event {
        Event::PaymentAuthorised => Some(plain(
            "we have received your order",
            "Thank you for your order",
            &format!(
                "Your bank has set {} aside for us. We will take it once your order is ready to be sent, and write again then.",
                message.order.total
            ),
        )),
        // Those who place one themselves are on its page.
        Event::Placed if message.order.placed_by_staff => Some(plain(
            "please pay your order",
            "We have placed your order",
            "As you have asked us to, we have put this order together for you. Please log in to see it and to pay it; it is given \
             up when it is not paid in time.",
        )),
        Event::Paid if message.order.total.amount == 0 => Some(plain(
            "your order is confirmed",
            "Thank you for your order",
            "There is nothing to pay. We will write again when your order is on its way.",
        )),
        Event::Paid => Some(plain(
            "your order is confirmed",
            "Thank you for your order",
            "We have received your payment. We will write again when your order is on its way.",
        )),
        Event::Processing => Some(plain(
            "your order is being prepared",
            "We are preparing your order",
            "Your order is being picked and packed.",
        )),
        Event::AddressChanged => Some(plain(
            "your order goes to another address",
            "We have changed the address",
            "Your order goes to the address below. If you did not ask for this, please tell us at once.",
        )),
        Event::PartiallyShipped { carrier, tracking_number, lines, .. } => Some(Words {
            tracking: Some(format!("{carrier} {tracking_number}")),
            parcel: lines.iter().map(|units| named(&message.order, units)).collect(),
            ..plain(
                "a part of your order has shipped",
                "A part of your order is on its way",
                "We have handed a parcel to the carrier; the rest follows.",
            )
        }),
        Event::Shipped { carrier, tracking_number } => Some(Words {
            tracking: Some(format!("{carrier} {tracking_number}")),
            ..plain("your order has shipped", "Your order is on its way", "We have handed your parcel to the carrier.")
        }),
        Event::Delivered => Some(plain(
            "your order was delivered",
            "Your order has arrived",
            "The carrier tells us that your parcel was delivered. We hope you enjoy it.",
        )),
        Event::ShipmentDelivered { .. } => Some(plain(
            "a parcel was delivered",
            "A parcel of your order has arrived",
            "The carrier tells us that one of your parcels was delivered.",
        )),
        Event::Cancelled => Some(plain(
            "your order was cancelled",
            "Your order was cancelled",
            "It was not paid, and you owe us nothing.",
        )),
        Event::Expired => Some(plain(
            "your order has expired",
            "Your order has expired",
            "We have not received a payment in time, so it was given up. You owe us nothing, and are welcome to order again.",
        )),
        Event::CancelledWithRefund { refund } if refund.amount == 0 => {
            Some(plain("your order was cancelled", "Your order was cancelled", "You owe us nothing."))
        }
        Event::CancelledWithRefund { refund } => Some(plain(
            "your order was cancelled",
            "Your order was cancelled",
            &format!("We are paying {refund} back, the way you paid. We will write again when it is on its way."),
        )),
        Event::RestCancelled { lines, refund } => {
            let back = match refund.amount {
                0 => String::new(),
                _ => format!(" We are paying {refund} back, the way you paid."),
            };
            let what: Vec<_> = lines.iter().map(|units| named(&message.order, units)).collect();
            Some(plain(
                "a part of your order was cancelled",
                "We cannot send the rest of your order",
                &format!("We are sorry: this will not come any more: {}.{back}", what.join(", ")),
            ))
        }
        Event::PaidLate { refund } => Some(plain(
            "your payment came too late",
            "Your payment came too late",
            &format!("The order had been given up, so we are paying {refund} back, the way you paid."),
        )),
        Event::Refunded { amount, .. } => Some(plain(
            "your refund",
            "Your refund is on its way",
            &format!("We have paid {amount} back, the way you paid. Your bank may take some days to show it."),
        )),
        Event::ReturnApproved { .. } => Some(plain(
            "please send the goods back",
            "You can send the goods back",
            "We have approved your return. Please write the number of your order on the parcel.",
        )),
        Event::ReturnRefused { reason, .. } => {
            Some(plain("about your return", "We cannot take the goods back", &format!("The reason is: {reason}")))
        }
        Event::ReturnReceived { .. } => Some(plain(
            "your return has arrived",
            "Your return has arrived",
            "We have received what you sent back, and will write again when money is on its way to you.",
        )),
        // The order that goes out for it has a mail of its own.
        Event::Exchanged { .. } => None,
        // Those who ask know that they did.
        Event::ReturnRequested { .. } => None,
        // Those who asked for it are told when it is made; that it cannot be is for staff to mend.
        Event::RefundRequested { .. } | Event::RefundFailed { .. } => None,
        // Those who dispute a payment know that they do; it is answered by staff, at Stripe.
        Event::DisputeOpened { .. } | Event::DisputeUpdated { .. } | Event::DisputeClosed { .. } => None,
        Event::Placed | Event::PaymentStarted | Event::PaymentDeclined | Event::PaymentExpired => None,
    }
}

/// Units as a parcel's list names them: `2 x Tea (TEA)`.
fn named(order: &Snapshot, units: &Units) -> String {
    let line = order.lines.iter().find(|line| line.sku == units.sku);
    let title = line.map(|line| line.title.to_string()).unwrap_or_default();
    format!("{} x {title} ({})", units.quantity.get(), units.sku)
}
