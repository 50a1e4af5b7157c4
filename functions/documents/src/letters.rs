//! How wide text is, and how it is made to fit: the two faces that documents are set in, which have letters for whatever is
//! written in Latin, Greek or Cyrillic.

use std::ops::Range;
use std::sync::LazyLock;

use miniz_oxide::inflate::decompress_to_vec_zlib;
use skrifa::charmap::Charmap;
use skrifa::instance::{LocationRef, Size};
use skrifa::metrics::GlyphMetrics;
use skrifa::{FontRef, MetadataProvider};
use unicode_normalization::UnicodeNormalization;

static REGULAR: LazyLock<Vec<u8>> =
    LazyLock::new(|| inflated(include_bytes!(concat!(env!("OUT_DIR"), "/DejaVuSansCondensed"))));
static BOLD: LazyLock<Vec<u8>> =
    LazyLock::new(|| inflated(include_bytes!(concat!(env!("OUT_DIR"), "/DejaVuSansCondensed-Bold"))));

/// What build.rs compressed.
fn inflated(face: &[u8]) -> Vec<u8> {
    decompress_to_vec_zlib(face).expect("a face is as it was compressed")
}

/// What stands at the end of what was cut.
const ELLIPSIS: &str = "…";

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Face {
    Regular,
    Bold,
}

impl Face {
    pub fn data(self) -> &'static [u8] {
        match self {
            Face::Regular => &REGULAR,
            Face::Bold => &BOLD,
        }
    }
}

/// A letter as the face has it: that of number 0, an empty box, where the face has none.
#[derive(Clone, Debug)]
pub struct Glyph {
    pub id: u32,
    /// In ems.
    pub advance: f32,
    /// Which bytes of the text it shows.
    pub shows: Range<usize>,
}

/// The faces, opened.
pub struct Letters {
    regular: Opened,
    bold: Opened,
}

struct Opened {
    letters: Charmap<'static>,
    widths: GlyphMetrics<'static>,
    em: f32,
}

impl Opened {
    fn new(face: Face) -> Option<Opened> {
        let font = FontRef::new(face.data()).ok()?;
        let (size, location) = (Size::unscaled(), LocationRef::default());
        let em = f32::from(font.metrics(size, location).units_per_em);
        Some(Opened { letters: font.charmap(), widths: font.glyph_metrics(size, location), em })
    }
}

/// A text in which each letter is one character, as far as there is one, and none that does not show.
pub fn plain(text: &str) -> String {
    let is_shown = |c: &char| {
        !matches!(*c, '\u{ad}' | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{206f}')
            && !matches!(*c, '\u{fe00}'..='\u{fe0f}' | '\u{feff}')
    };
    text.nfc().filter(is_shown).collect()
}

impl Letters {
    /// None where a font cannot be read, which tests would notice.
    pub fn open() -> Option<Letters> {
        Some(Letters { regular: Opened::new(Face::Regular)?, bold: Opened::new(Face::Bold)? })
    }

    pub fn glyphs(&self, face: Face, text: &str) -> Vec<Glyph> {
        let opened = match face {
            Face::Regular => &self.regular,
            Face::Bold => &self.bold,
        };
        let glyph = |(at, letter): (usize, char)| {
            let id = opened.letters.map(letter).unwrap_or_default();
            let advance = opened.widths.advance_width(id).unwrap_or_default() / opened.em;
            Glyph { id: id.to_u32(), advance, shows: at..at + letter.len_utf8() }
        };
        text.char_indices().map(glyph).collect()
    }

    /// In points, as `size` is.
    pub fn width(&self, face: Face, size: f32, text: &str) -> f32 {
        self.glyphs(face, text).iter().map(|glyph| glyph.advance * size).sum()
    }

    /// The text in lines that are no wider than `width`, at most `most` of them; what does not fit is cut.
    pub fn wrap(&self, face: Face, size: f32, text: &str, width: f32, most: usize) -> Vec<String> {
        let fits = |text: &str| self.width(face, size, text) <= width;
        let text = plain(text);
        let mut lines = vec![String::new()];
        for word in text.split_whitespace() {
            let Some(line) = lines.last_mut() else { break };
            let longer = if line.is_empty() { word.to_owned() } else { format!("{line} {word}") };
            if fits(&longer) {
                *line = longer;
                continue;
            }
            if !line.is_empty() {
                lines.push(String::new());
            }
            for letter in word.chars() {
                let Some(line) = lines.last_mut() else { break };
                let longer = format!("{line}{letter}");
                if line.is_empty() || fits(&longer) {
                    *line = longer;
                } else {
                    lines.push(letter.to_string());
                }
            }
        }
        if lines.len() > most {
            lines.truncate(most);
            if let Some(last) = lines.last_mut() {
                *last = self.cut(face, size, &format!("{last}{ELLIPSIS}"), width);
            }
        }
        lines
    }

    /// The text, or as much of it as fits.
    pub fn cut(&self, face: Face, size: f32, text: &str, width: f32) -> String {
        let text = plain(text);
        if self.width(face, size, &text) <= width {
            return text;
        }
        let kept: String = text.trim_end_matches(ELLIPSIS).to_owned();
        let mut letters: Vec<char> = kept.chars().collect();
        while letters.pop().is_some() {
            let shorter: String = letters.iter().collect::<String>().trim_end().to_owned() + ELLIPSIS;
            if self.width(face, size, &shorter) <= width {
                return shorter;
            }
        }
        String::new()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_faces_have_letters_for_europe_and_a_box_for_what_they_do_not_know() {
        let letters = Letters::open().unwrap();
        for face in [Face::Regular, Face::Bold] {
            for text in ["Łukasz Żółć", "Ĉiuĵaŭde", "Ελληνικά Ώμέγα", "Київ Ёжик", "Þórður Őrült €£₽−…·", "Nguyễn"]
            {
                let all = letters.glyphs(face, &plain(text));
                assert!(all.iter().all(|glyph| glyph.id != 0 && glyph.advance > 0.0), "{text}");
            }
            assert!(letters.glyphs(face, "王").iter().all(|glyph| glyph.id == 0 && glyph.advance > 0.0));
        }
    }

    #[test]
    fn letters_are_put_together_and_what_does_not_show_is_left_out() {
        assert_eq!(plain("z\u{307}o\u{301}\u{202e}\u{200b}l"), "żól");
    }

    #[test]
    fn text_is_wrapped_at_words_broken_where_it_must_be_and_cut_in_the_end() {
        let letters = Letters::open().unwrap();
        let wrap = |text: &str, width: f32, most: usize| letters.wrap(Face::Regular, 10.0, text, width, most);
        assert_eq!(wrap("Earl Grey", 200.0, 2), ["Earl Grey"]);
        assert_eq!(wrap("Earl Grey, a tea", 50.0, 9), ["Earl Grey,", "a tea"]);
        assert_eq!(wrap("", 60.0, 9), [""]);
        let long = "x".repeat(200);
        for most in 1..5 {
            let lines = wrap(&long, 60.0, most);
            assert_eq!(lines.len(), most);
            assert!(lines[most - 1].ends_with('…'));
            assert!(lines.iter().all(|line| letters.width(Face::Regular, 10.0, line) <= 60.0), "{lines:?}");
        }
        assert_eq!(wrap(&long, 60.0, 99).concat(), long);
        assert_eq!(letters.cut(Face::Bold, 10.0, "Earl Grey", 200.0), "Earl Grey");
        assert_eq!(letters.cut(Face::Bold, 10.0, "Earl Grey", 1.0), "");
    }
}
