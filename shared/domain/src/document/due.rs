//! What is to be issued for an order, one document after the other.

use jiff::Timestamp;

use super::credit::Credit;
use super::{Discount, Document, DocumentLine, DocumentNumber, Letterhead, Seller, Series, ShippingLine, Subject};
use crate::message::{Entry, Event};
use crate::money::{Money, MoneyError};
use crate::order::refund::{Cause, RefundedLine};
use crate::order::{Order, Payment, Refund, RefundStatus};
use crate::text::Sku;
use crate::totals::{Prices, RateTax, Shipping, Tax, TaxRate, Totals};

/// A document that is due, but for its number and when it is issued.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Draft(Document);

/// Why what is due cannot be issued.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotDue {
    #[error("refund {refund} pays back more than is left of the invoice, {left}")]
    TooMuch { refund: u32, left: Money },
    #[error(transparent)]
    Money(#[from] MoneyError),
}

impl Draft {
    pub fn series(&self) -> Series {
        self.0.subject.series()
    }

    /// The document of this place in its series.
    pub fn issue(&self, letterhead: &Letterhead, serial: u64, now: Timestamp) -> Document {
        let number = DocumentNumber::new(letterhead.prefix(self.series()), serial);
        Document { number, serial, issued_at: now, ..self.0.clone() }
    }
}

/// The next document that an order is due, after all that were issued for it. The order has to be at least as new as they are.
/// What is taken back comes first: what follows may need it.
pub fn next(order: &Order, issued: &[Document], seller: &Seller) -> Result<Option<Draft>, NotDue> {
    let Some(payment) = order.state.payment().filter(|_| was_paid_in_time(order)) else { return Ok(None) };
    let Some(invoice) = issued.first() else { return Ok(Some(Draft(self::invoice(order, payment, seller)))) };
    let of = |wanted: u32| {
        let about = |document: &&Document| match &document.subject {
            Subject::Invoice => false,
            Subject::CreditNote { refund, .. } | Subject::Reversal { refund, .. } => *refund == wanted,
        };
        issued.iter().rfind(about)
    };
    for refund in &payment.refunds {
        let note = of(refund.number).filter(|document| document.subject.series() == Series::CreditNote);
        if let (RefundStatus::Failed, Some(note)) = (refund.state.status(), note) {
            return Ok(Some(Draft(reversal(invoice, note, refund, seller))));
        }
    }
    let is_due = |refund: &&Refund| refund.state.status() == RefundStatus::Succeeded && of(refund.number).is_none();
    match payment.refunds.iter().find(is_due) {
        None => Ok(None),
        Some(refund) => credit_note(order, issued, invoice, refund, seller).map(|note| Some(Draft(note))),
    }
}

/// What came when the order had been given up goes back at once, and was never for anything.
fn was_paid_in_time(order: &Order) -> bool {
    order.timeline.iter().any(|Entry { event, .. }| *event == Event::Paid)
}

fn invoice(order: &Order, payment: &Payment, seller: &Seller) -> Document {
    let totals = order.totals.as_ref();
    let nothing = Money::zero(order.total.currency);
    let lines = order.lines.iter().map(|line| {
        let known = totals.and_then(|totals| totals.lines.iter().find(|known| known.sku == line.sku));
        DocumentLine {
            sku: line.sku.clone(),
            title: line.title.clone(),
            quantity: line.quantity,
            unit_price: Some(line.unit_price),
            discount: known.map_or(nothing, |known| known.discount),
            rate: rate_of(order, &line.sku),
            total: known.map_or(line.total, |known| known.total),
        }
    });
    let discounts = totals.map(|totals| totals.discounts.applied.as_slice()).unwrap_or_default();
    let discounts = discounts.iter().filter(|applied| applied.amount.amount > 0);
    let (prices, taxes) = match totals.map(|totals| &totals.tax) {
        Some(Tax::Known { prices, by_rate, .. }) => (*prices, by_rate.clone()),
        Some(Tax::DestinationUnknown) | None => (Prices::IncludeTax, Vec::new()),
    };
    Document {
        // The series gives it another.
        number: DocumentNumber(String::new()),
        serial: 0,
        issued_at: payment.paid_at,
        subject: Subject::Invoice,
        seller: seller.clone(),
        buyer: order.contact.shipping_address().cloned(),
        order_id: order.id,
        placed_at: order.placed_at,
        paid_at: payment.paid_at,
        lines: lines.collect(),
        shipping: totals.and_then(shipping),
        discounts: discounts.map(|applied| Discount { title: applied.title.clone(), amount: applied.amount }).collect(),
        prices,
        taxes,
        total: order.total,
    }
}

fn shipping(totals: &Totals) -> Option<ShippingLine> {
    match &totals.shipping {
        Shipping::Priced { title, charge, tax, .. } => {
            // Whether it is taxed at all the totals do not say where the tax comes to nothing.
            let rate = if tax.amount > 0 { only_rate(totals, *charge, *tax) } else { None };
            Some(ShippingLine { title: title.clone(), rate, total: *charge })
        }
        Shipping::NothingToShip
        | Shipping::DestinationUnknown
        | Shipping::MethodNotChosen
        | Shipping::CannotShip { .. } => None,
    }
}

/// At which rate a line was taxed.
fn rate_of(order: &Order, sku: &Sku) -> Option<TaxRate> {
    let totals = order.totals.as_ref()?;
    let line = totals.lines.iter().find(|line| line.sku == *sku)?;
    only_rate(totals, line.total, line.tax?)
}

/// The one rate at which an amount is taxed so. None where several come to the same, as they do for a cent.
fn only_rate(totals: &Totals, amount: Money, tax: Money) -> Option<TaxRate> {
    let Tax::Known { prices, by_rate, .. } = &totals.tax else { return None };
    let mut fitting = by_rate.iter().filter(|known| known.rate.on(amount.amount, *prices) == Ok(tax.amount));
    let rate = fitting.next()?.rate;
    fitting.next().is_none().then_some(rate)
}

fn credit_note(
    order: &Order,
    issued: &[Document],
    invoice: &Document,
    refund: &Refund,
    seller: &Seller,
) -> Result<Document, NotDue> {
    let left = Credit::left(issued)?;
    let currency = invoice.total.currency;
    if refund.amount.currency != currency || refund.amount.amount > left.amount() {
        return Err(NotDue::TooMuch { refund: refund.number, left: Money::new(left.amount(), currency) });
    }
    let lines: Vec<_> = refund.lines.iter().filter_map(|line| credited(order, invoice, line)).collect();
    let reason = match &refund.cause {
        Cause::Requested { reason, .. } => reason.clone(),
        Cause::Cancelled | Cause::RestCancelled | Cause::PaidLate | Cause::AtStripe => None,
    };
    let subject = Subject::CreditNote { invoice: invoice.number.clone(), refund: refund.number, reason };
    let taxes = left.taxes(refund.amount, &lines)?;
    Ok(about(invoice, subject, seller, lines, taxes, refund.amount))
}

/// Units that a refund pays back, as the invoice names them.
fn credited(order: &Order, invoice: &Document, line: &RefundedLine) -> Option<DocumentLine> {
    let sold = invoice.lines.iter().find(|sold| sold.sku == line.sku)?;
    Some(DocumentLine {
        sku: line.sku.clone(),
        title: sold.title.clone(),
        quantity: line.quantity,
        unit_price: None,
        discount: Money::zero(line.amount.currency),
        rate: sold.rate.or_else(|| rate_of(order, &line.sku)),
        total: line.amount,
    })
}

/// The same as the credit note says, the other way round.
fn reversal(invoice: &Document, note: &Document, refund: &Refund, seller: &Seller) -> Document {
    let subject =
        Subject::Reversal { invoice: invoice.number.clone(), credit_note: note.number.clone(), refund: refund.number };
    about(invoice, subject, seller, note.lines.clone(), note.taxes.clone(), note.total)
}

/// A document that corrects an invoice: for whom that was, whatever became of them.
fn about(
    invoice: &Document,
    subject: Subject,
    seller: &Seller,
    lines: Vec<DocumentLine>,
    taxes: Vec<RateTax>,
    total: Money,
) -> Document {
    Document {
        subject,
        seller: seller.clone(),
        lines,
        taxes,
        total,
        shipping: None,
        discounts: Vec::new(),
        prices: Prices::IncludeTax,
        ..invoice.clone()
    }
}
