//! Documents as PDF: the marks of their sheets on pages of A4. One document is the same bytes each time.

use jiff::tz::Offset;
use krilla::Document as Pdf;
use krilla::color::rgb;
use krilla::geom::{PathBuilder, Point, Rect};
use krilla::metadata::{DateTime, Metadata};
use krilla::num::NormalizedF32;
use krilla::page::PageSettings;
use krilla::paint::{Fill, FillRule};
use krilla::surface::Surface;
use krilla::text::{Font, GlyphId, KrillaGlyph};
use waybill_domain::Timestamp;
use waybill_domain::document::Document;

use crate::letters::{Face, Letters};
use crate::sheet::{self, HEIGHT, Ink, Mark, WIDTH};

#[derive(Debug, thiserror::Error)]
pub enum NotRendered {
    #[error("a font cannot be read")]
    Font,
    #[error("a page cannot be made")]
    Page,
    #[error("the PDF cannot be written: {0}")]
    Krilla(String),
}

/// The document as a PDF.
pub fn render(document: &Document) -> Result<Vec<u8>, NotRendered> {
    let letters = Letters::open().ok_or(NotRendered::Font)?;
    let font = |face: Face| Font::new(face.data().into(), 0).ok_or(NotRendered::Font);
    let fonts = Fonts { letters: &letters, regular: font(Face::Regular)?, bold: font(Face::Bold)? };
    let mut pdf = Pdf::new();
    for marks in sheet::compose(document, &letters) {
        let settings = PageSettings::from_wh(WIDTH, HEIGHT).ok_or(NotRendered::Page)?;
        let mut page = pdf.start_page_with(settings);
        let mut surface = page.surface();
        for mark in marks {
            fonts.draw(&mut surface, mark)?;
        }
        surface.finish();
        page.finish();
    }
    let metadata = Metadata::new()
        .title(sheet::title(document))
        .authors(vec![document.seller.name.to_string()])
        .creator("Waybill".to_owned())
        .language("en".to_owned())
        .creation_date(moment(document.issued_at));
    pdf.set_metadata(metadata);
    pdf.finish().map_err(|error| NotRendered::Krilla(format!("{error:?}")))
}

struct Fonts<'a> {
    letters: &'a Letters,
    regular: Font,
    bold: Font,
}

impl Fonts<'_> {
    fn draw(&self, surface: &mut Surface<'_>, mark: Mark) -> Result<(), NotRendered> {
        match mark {
            Mark::Text { x, y, face, size, ink, text } => {
                let font = match face {
                    Face::Regular => &self.regular,
                    Face::Bold => &self.bold,
                };
                let glyphs = self.letters.glyphs(face, &text).into_iter();
                let glyphs = glyphs.map(|glyph| {
                    KrillaGlyph::new(GlyphId::new(glyph.id), glyph.advance, 0.0, 0.0, 0.0, glyph.shows, None)
                });
                let glyphs: Vec<_> = glyphs.collect();
                surface.set_fill(Some(fill(ink)));
                surface.draw_glyphs(Point::from_xy(x, y), &glyphs, font.clone(), &text, size, false);
            }
            Mark::Box { x, y, width, height, ink } => {
                let mut path = PathBuilder::new();
                path.push_rect(Rect::from_xywh(x, y, width, height).ok_or(NotRendered::Page)?);
                surface.set_fill(Some(fill(ink)));
                surface.draw_path(&path.finish().ok_or(NotRendered::Page)?);
            }
        }
        Ok(())
    }
}

fn fill(Ink(red, green, blue): Ink) -> Fill {
    Fill { paint: rgb::Color::new(red, green, blue).into(), opacity: NormalizedF32::ONE, rule: FillRule::NonZero }
}

fn moment(at: Timestamp) -> DateTime {
    let at = Offset::UTC.to_datetime(at);
    let part = |part: i8| part.unsigned_abs();
    DateTime::new(at.year().unsigned_abs())
        .month(part(at.month()))
        .day(part(at.day()))
        .hour(part(at.hour()))
        .minute(part(at.minute()))
        .second(part(at.second()))
        .utc_offset_hour(0)
        .utc_offset_minute(0)
}

#[cfg(test)]
mod tests;
