//! The parts of a document, from its head to what is remarked in the end.

use waybill_domain::Timestamp;
use waybill_domain::document::{DocumentLine, Subject};
use waybill_domain::money::Money;
use waybill_domain::order::Address;
use waybill_domain::totals::{Prices, RateTax, TaxRate};

use super::{BLACK, GREY, MARGIN, PALE, RIGHT, RULE, SMALL, Sheet, TEXT, amount, kind, price};
use crate::letters::Face;

/// Where the columns of the table end; the first begins at the margin.
const TITLE: f32 = 296.0;
const QUANTITY: f32 = 336.0;
const UNIT_PRICE: f32 = 410.0;
const TAX: f32 = 450.0;
const GAP: f32 = 6.0;
/// Where what stands beside the buyer begins.
const ASIDE: f32 = 330.0;
/// Where the totals begin.
const TOTALS: f32 = 280.0;
/// Lines of one title.
const TITLE_LINES: usize = 3;

const PLAIN: (Face, f32, super::Ink) = (Face::Regular, TEXT, BLACK);
const LABEL: (Face, f32, super::Ink) = (Face::Regular, SMALL, GREY);

impl Sheet<'_> {
    /// Who sells what kind of document to whom, and its number and dates.
    pub(super) fn head(&mut self) {
        let document = self.document;
        let ink = self.ink;
        self.right(RIGHT, MARGIN + 18.0, 200.0, (Face::Bold, 22.0, ink), &kind(document).to_uppercase());
        let mut y = MARGIN + 14.0;
        for line in self.letters.wrap(Face::Bold, 13.0, document.seller.name.as_str(), 270.0, 2) {
            self.left(MARGIN, y, 270.0, (Face::Bold, 13.0, BLACK), &line);
            y += 16.0;
        }
        for line in &document.seller.address {
            self.left(MARGIN, y, 270.0, (Face::Regular, SMALL, GREY), line.as_str());
            y += 11.0;
        }
        if let Some(tax_id) = &document.seller.tax_id {
            self.left(MARGIN, y, 270.0, (Face::Regular, SMALL, GREY), &format!("Tax ID {tax_id}"));
            y += 11.0;
        }
        y = y.max(MARGIN + 36.0) + 4.0;
        self.mark(super::Mark::Box { x: MARGIN, y, width: RIGHT - MARGIN, height: 2.0, ink });
        y += 26.0;
        let (buyer, about) = (self.buyer(y), self.about(y));
        self.y = buyer.max(about) + 16.0;
    }

    /// Where it ends.
    fn buyer(&mut self, mut y: f32) -> f32 {
        let width = ASIDE - MARGIN - 24.0;
        self.left(MARGIN, y, width, LABEL, "Billed to");
        y += 15.0;
        let Some(buyer) = &self.document.buyer else {
            self.left(MARGIN, y, width, PLAIN, "A customer who has deleted their account");
            return y + 13.0;
        };
        for line in self.letters.wrap(Face::Bold, TEXT, buyer.name.as_str(), width, 2) {
            self.left(MARGIN, y, width, (Face::Bold, TEXT, BLACK), &line);
            y += 13.0;
        }
        for line in lines(buyer) {
            for line in self.letters.wrap(Face::Regular, TEXT, &line, width, 2) {
                self.left(MARGIN, y, width, PLAIN, &line);
                y += 13.0;
            }
        }
        y
    }

    fn about(&mut self, mut y: f32) -> f32 {
        let document = self.document;
        let number = |number: &waybill_domain::document::DocumentNumber| number.to_string();
        let mut rows = vec![("Number", number(&document.number)), ("Date", day(document.issued_at))];
        match &document.subject {
            Subject::Invoice => {}
            Subject::CreditNote { invoice, .. } => rows.push(("Corrects invoice", number(invoice))),
            Subject::Reversal { invoice, credit_note, .. } => {
                rows.push(("Takes back credit note", number(credit_note)));
                rows.push(("Of invoice", number(invoice)));
            }
        }
        rows.push(("Order", document.order_id.number().to_string()));
        rows.push(("Ordered on", day(document.placed_at)));
        if document.total.amount > 0 || !matches!(document.subject, Subject::Invoice) {
            rows.push(("Paid on", day(document.paid_at)));
        }
        for (place, (label, value)) in rows.into_iter().enumerate() {
            let face = if place == 0 { Face::Bold } else { Face::Regular };
            self.left(ASIDE, y, 100.0, LABEL, label);
            self.right(RIGHT, y, RIGHT - ASIDE - 100.0, (face, TEXT, BLACK), &value);
            y += 15.0;
        }
        y
    }

    pub(super) fn table(&mut self) {
        let document = self.document;
        self.columns();
        for line in &document.lines {
            self.line(line);
        }
        if document.lines.is_empty() {
            self.row(
                &["Part of what was paid for the order, by amount".to_owned()],
                None,
                [None, None, None],
                document.total,
            );
        }
    }

    /// The head of the table, on each page that it reaches.
    fn columns(&mut self) {
        let (y, currency) = (self.y, self.document.total.currency);
        self.mark(super::Mark::Box { x: MARGIN, y, width: RIGHT - MARGIN, height: 20.0, ink: PALE });
        let (text, style) = (y + 13.5, (Face::Bold, SMALL, BLACK));
        self.left(MARGIN + GAP, text, 200.0, style, "Description");
        self.right(QUANTITY, text, 50.0, style, "Quantity");
        if self.document.lines.iter().any(|line| line.unit_price.is_some()) {
            self.right(UNIT_PRICE, text, 70.0, style, "Unit price");
        }
        if !self.document.taxes.is_empty() {
            self.right(TAX, text, 38.0, style, "Tax");
        }
        self.right(RIGHT - GAP, text, 86.0, style, &format!("Amount ({currency})"));
        self.y += 20.0;
    }

    fn line(&mut self, line: &DocumentLine) {
        let width = TITLE - MARGIN - GAP;
        let titles = self.letters.wrap(Face::Regular, TEXT, line.title.as_str(), width, TITLE_LINES);
        let below = match line.discount.amount {
            0 => line.sku.to_string(),
            _ => format!("{} · discount {} deducted", line.sku, amount(line.discount)),
        };
        let cells = [Some(line.quantity.get().to_string()), line.unit_price.map(amount), line.rate.map(rate)];
        self.row(&titles, Some(&below), cells, line.total);
    }

    /// A row of the table: what, with something small below; quantity, unit price and tax; and the amount.
    fn row(&mut self, titles: &[String], below: Option<&str>, cells: [Option<String>; 3], total: Money) {
        let small = if below.is_some() { 12.0 } else { 0.0 };
        let height = 12.0 + 12.5 * titles.len() as f32 + small;
        if !self.has_room(height) {
            self.turn();
            self.columns();
        }
        let mut y = self.y + 15.5;
        let first = y;
        for title in titles {
            self.left(MARGIN + GAP, y, TITLE - MARGIN - GAP, PLAIN, title);
            y += 12.5;
        }
        if let Some(below) = below {
            self.left(MARGIN + GAP, y - 1.0, TITLE - MARGIN - GAP, LABEL, below);
        }
        let ends = [(QUANTITY, 36.0), (UNIT_PRICE, 70.0), (TAX, 38.0)];
        for ((end, width), cell) in ends.into_iter().zip(cells) {
            self.right(end, first, width, PLAIN, &cell.unwrap_or_default());
        }
        self.right(RIGHT - GAP, first, RIGHT - GAP - TAX - 4.0, PLAIN, &amount(total));
        self.y += height;
        self.rule(MARGIN, self.y, RIGHT - MARGIN, RULE);
    }

    /// What the lines, shipping and tax that is added come to.
    pub(super) fn totals(&mut self) {
        let document = self.document;
        let mut rows = Vec::new();
        if matches!(document.subject, Subject::Invoice) {
            let goods: i64 = document.lines.iter().map(|line| line.total.amount).sum();
            rows.push(("Goods".to_owned(), Money::new(goods, document.total.currency)));
            rows.extend(document.shipping.as_ref().map(|line| (format!("Shipping: {}", line.title), line.total)));
            if document.prices == Prices::ExcludeTax {
                let taxed = document.taxes.iter().filter(|tax| tax.amount.amount > 0);
                rows.extend(taxed.map(|tax| (format!("Tax {}", rate(tax.rate)), tax.amount)));
            }
            if rows.len() == 1 {
                rows.clear();
            }
        }
        let height = 15.0 * rows.len() as f32 + 52.0;
        if !self.has_room(height) {
            self.turn();
        }
        self.y += 20.0;
        for (label, value) in rows {
            self.left(TOTALS, self.y, RIGHT - TOTALS - 106.0, (Face::Regular, TEXT, GREY), &label);
            self.right(RIGHT - GAP, self.y, 94.0, PLAIN, &amount(value));
            self.y += 15.0;
        }
        let label = match document.subject {
            Subject::Invoice => "Total",
            Subject::CreditNote { .. } => "Paid back",
            Subject::Reversal { .. } => "Not paid back",
        };
        let ink = self.ink;
        self.mark(super::Mark::Box { x: TOTALS, y: self.y - 7.0, width: RIGHT - TOTALS, height: 1.5, ink });
        self.left(TOTALS, self.y + 12.0, 90.0, (Face::Bold, 12.0, ink), label);
        self.right(RIGHT - GAP, self.y + 12.0, RIGHT - TOTALS - 96.0, (Face::Bold, 12.0, ink), &price(document.total));
        self.y += 32.0;
    }

    /// The tax by rate.
    pub(super) fn taxes(&mut self) {
        let document = self.document;
        if document.taxes.is_empty() {
            return;
        }
        if !self.has_room(32.0 + 14.0 * (document.taxes.len() + 1) as f32) {
            self.turn();
        }
        let ends = [58.0, 150.0, 242.0, 334.0].map(|end| MARGIN + end);
        let heading = match (&document.subject, document.prices) {
            (Subject::Invoice, Prices::ExcludeTax) => "Tax by rate",
            _ => "Tax contained in it, by rate",
        };
        self.left(MARGIN, self.y, 220.0, (Face::Bold, SMALL, BLACK), heading);
        self.y += 14.0;
        let mut row = |cells: [String; 4], style| {
            for (place, (end, cell)) in ends.into_iter().zip(cells).enumerate() {
                match place {
                    0 => self.left(MARGIN, self.y, 58.0, style, &cell),
                    _ => self.right(end, self.y, 88.0, style, &cell),
                }
            }
            self.y += 13.0;
        };
        row(["Rate", "Net", "Tax", "Gross"].map(str::to_owned), LABEL);
        let mut untaxed = document.total.amount;
        let small = (Face::Regular, SMALL, BLACK);
        for RateTax { rate: known, net, amount: tax } in &document.taxes {
            let gross = net.amount + tax.amount;
            untaxed -= gross;
            let gross = Money::new(gross, net.currency);
            row([rate(*known), amount(*net), amount(*tax), amount(gross)], small);
        }
        if untaxed > 0 {
            let untaxed = amount(Money::new(untaxed, document.total.currency));
            row(["Not taxed".to_owned(), untaxed.clone(), "–".to_owned(), untaxed], small);
        }
        self.y += 10.0;
    }

    /// What else there is to say.
    pub(super) fn remarks(&mut self) {
        let document = self.document;
        let mut remarks = Vec::new();
        let discounts = document.discounts.iter();
        let discounts: Vec<_> =
            discounts.map(|discount| format!("{} −{}", discount.title, amount(discount.amount))).collect();
        if !discounts.is_empty() {
            remarks.push(format!("Discounts that are deducted above: {}.", discounts.join(", ")));
        }
        match &document.subject {
            Subject::Invoice if document.total.amount == 0 => remarks.push("There is nothing to pay.".to_owned()),
            Subject::Invoice => {
                remarks.push(format!("Paid in full on {}. Nothing is left to pay.", day(document.paid_at)));
            }
            Subject::CreditNote { invoice, reason, .. } => {
                remarks.extend(reason.as_ref().map(|reason| format!("Reason: {reason}")));
                let paid_back = "was paid back by the way in which the order was paid";
                remarks.push(format!("Of invoice {invoice}, {} {paid_back}.", price(document.total)));
            }
            Subject::Reversal { invoice, credit_note, .. } => {
                let how = format!("The bank sent back what credit note {credit_note} says was paid back.");
                remarks
                    .push(format!("{how} That note does not hold any more, and invoice {invoice} does as before it."));
            }
        }
        for remark in remarks {
            let lines = self.letters.wrap(Face::Regular, SMALL + 0.5, &remark, RIGHT - MARGIN, 12);
            if !self.has_room(11.5 * lines.len() as f32 + 4.0) {
                self.turn();
            }
            for line in lines {
                self.left(MARGIN, self.y, RIGHT - MARGIN, (Face::Regular, SMALL + 0.5, BLACK), &line);
                self.y += 11.5;
            }
            self.y += 4.0;
        }
    }
}

/// An address as an envelope has it, without the name.
fn lines(address: &Address) -> Vec<String> {
    let city = format!("{} {}", address.postal_code, address.city);
    let place = address.region.as_ref().map_or(city.clone(), |region| format!("{city}, {region}"));
    let lines = std::iter::once(address.line1.to_string()).chain(address.line2.as_ref().map(ToString::to_string));
    lines.chain([place, address.country.as_str().to_owned()]).collect()
}

/// In UTC, as everything here is: `26 November 2026`.
fn day(at: Timestamp) -> String {
    at.strftime("%-d %B %Y").to_string()
}

/// `19 %`, `8.25 %`.
fn rate(rate: TaxRate) -> String {
    let (whole, part) = (rate.get() / 100, rate.get() % 100);
    let part = format!("{part:02}");
    match part.trim_end_matches('0') {
        "" => format!("{whole} %"),
        part => format!("{whole}.{part} %"),
    }
}
