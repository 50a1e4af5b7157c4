//! Where everything stands on a document's pages, in points from the top left of A4.

mod parts;

use waybill_domain::document::{Document, Series, Subject};
use waybill_domain::money::Money;

use crate::letters::{Face, Letters, plain};

pub const WIDTH: f32 = 595.28;
pub const HEIGHT: f32 = 841.89;
/// Between the text and the edge, on each side.
pub const MARGIN: f32 = 51.0;
/// Where the text ends; the foot of the page is below.
const BOTTOM: f32 = HEIGHT - 82.0;
const RIGHT: f32 = WIDTH - MARGIN;

/// Red, green and blue.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ink(pub u8, pub u8, pub u8);

const BLACK: Ink = Ink(0x1f, 0x29, 0x33);
const GREY: Ink = Ink(0x63, 0x6c, 0x78);
const RULE: Ink = Ink(0xd5, 0xda, 0xe0);
const PALE: Ink = Ink(0xf3, 0xf5, 0xf8);

const TEXT: f32 = 9.5;
const SMALL: f32 = 8.0;

/// Something on a page.
#[derive(Clone, Debug, PartialEq)]
pub enum Mark {
    /// From `x` on, standing on `y`.
    Text {
        x: f32,
        y: f32,
        face: Face,
        size: f32,
        ink: Ink,
        text: String,
    },
    Box {
        x: f32,
        y: f32,
        width: f32,
        height: f32,
        ink: Ink,
    },
}

/// What a document is called: `Invoice INV-000001`.
pub fn title(document: &Document) -> String {
    format!("{} {}", kind(document), document.number)
}

fn kind(document: &Document) -> &'static str {
    match document.subject {
        Subject::Invoice => "Invoice",
        Subject::CreditNote { .. } => "Credit note",
        Subject::Reversal { .. } => "Reversal",
    }
}

/// The marks of each page.
pub fn compose(document: &Document, letters: &Letters) -> Vec<Vec<Mark>> {
    let ink = match document.subject.series() {
        Series::Invoice => Ink(0x1f, 0x4e, 0x79),
        Series::CreditNote => Ink(0x9b, 0x1c, 0x1c),
        Series::Reversal => Ink(0x8a, 0x5a, 0x0b),
    };
    let mut sheet = Sheet { document, letters, ink, pages: vec![Vec::new()], y: MARGIN };
    sheet.head();
    sheet.table();
    sheet.totals();
    sheet.taxes();
    sheet.remarks();
    sheet.feet();
    sheet.pages
}

/// Pages while they are filled, from the top down.
struct Sheet<'a> {
    document: &'a Document,
    letters: &'a Letters,
    /// What the kind of the document is known by.
    ink: Ink,
    pages: Vec<Vec<Mark>>,
    /// How far the last page is filled.
    y: f32,
}

impl Sheet<'_> {
    fn mark(&mut self, mark: Mark) {
        if let Some(page) = self.pages.last_mut() {
            page.push(mark);
        }
    }

    /// Text from `x` on; what would reach beyond `width` is cut.
    fn left(&mut self, x: f32, y: f32, width: f32, style: (Face, f32, Ink), text: &str) {
        let (face, size, ink) = style;
        let text = self.letters.cut(face, size, text, width);
        if !text.is_empty() {
            self.mark(Mark::Text { x, y, face, size, ink, text });
        }
    }

    /// Text that ends at `x`.
    fn right(&mut self, x: f32, y: f32, width: f32, style: (Face, f32, Ink), text: &str) {
        let (face, size, ink) = style;
        let text = self.letters.cut(face, size, &plain(text), width);
        if !text.is_empty() {
            let x = x - self.letters.width(face, size, &text);
            self.mark(Mark::Text { x, y, face, size, ink, text });
        }
    }

    fn rule(&mut self, x: f32, y: f32, width: f32, ink: Ink) {
        self.mark(Mark::Box { x, y, width, height: 0.75, ink });
    }

    /// Whether so much fits on this page still.
    fn has_room(&self, height: f32) -> bool {
        self.y + height <= BOTTOM
    }

    /// A new page, which says what it is a page of.
    fn turn(&mut self) {
        self.pages.push(Vec::new());
        self.y = MARGIN;
        let (seller, title) = (self.document.seller.name.to_string(), title(self.document));
        self.left(MARGIN, self.y + 8.0, 240.0, (Face::Bold, TEXT, BLACK), &seller);
        self.right(RIGHT, self.y + 8.0, 240.0, (Face::Bold, TEXT, self.ink), &title);
        self.rule(MARGIN, self.y + 16.0, RIGHT - MARGIN, RULE);
        self.y += 34.0;
    }

    /// The end of each page, once it is known how many there are.
    fn feet(&mut self) {
        let seller = &self.document.seller;
        let tax_id = seller.tax_id.as_ref().map(|id| format!("Tax ID {id}"));
        let lines = seller.address.iter().map(ToString::to_string);
        let lines: Vec<_> = std::iter::once(seller.name.to_string()).chain(lines).chain(tax_id).collect();
        let (about, pages) = (lines.join(" · "), self.pages.len());
        let about = self.letters.wrap(Face::Regular, 7.5, &about, 290.0, 2);
        for number in 0..pages {
            let y = HEIGHT - 62.0;
            let page = &mut self.pages[number];
            page.push(Mark::Box { x: MARGIN, y, width: RIGHT - MARGIN, height: 0.75, ink: RULE });
            let mut text = |x: f32, y: f32, text: String| {
                page.push(Mark::Text { x, y, face: Face::Regular, size: 7.5, ink: GREY, text });
            };
            for (place, line) in about.iter().enumerate() {
                text(MARGIN, y + 14.0 + 10.0 * place as f32, line.clone());
            }
            let place = format!("{} · Page {} of {pages}", self.document.number, number + 1);
            text(RIGHT - self.letters.width(Face::Regular, 7.5, &place), y + 14.0, place);
        }
    }
}

/// An amount without its currency, in groups of three digits: `1,234.50`.
fn amount(money: Money) -> String {
    let text = money.to_string();
    let text = text.split(' ').next().unwrap_or_default();
    let (sign, text) = text.strip_prefix('-').map_or(("", text), |text| ("−", text));
    let (whole, part) = text.split_once('.').map_or((text, None), |(whole, part)| (whole, Some(part)));
    let mut grouped = String::new();
    for (place, digit) in whole.chars().enumerate() {
        if place > 0 && (whole.len() - place).is_multiple_of(3) {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    let part = part.map(|part| format!(".{part}")).unwrap_or_default();
    format!("{sign}{grouped}{part}")
}

/// An amount and its currency: `EUR 1,234.50`.
fn price(money: Money) -> String {
    format!("{} {}", money.currency, amount(money))
}

#[cfg(test)]
mod tests;
