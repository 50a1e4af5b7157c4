//! The shop as its mails show it.

use std::fmt;
use std::str::FromStr;

use waybill_domain::text::{ImageUrl, Invalid, Line};

use crate::Languages;

pub struct Shop {
    pub name: String,
    /// Where its front lives.
    pub url: String,
    pub colour: Colour,
    pub logo: Option<ImageUrl>,
    /// Where buyers send back what they return.
    pub return_address: Vec<Line<1, 120>>,
    pub languages: Languages,
}

/// The colour of buttons: `#1f6feb`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Colour([u8; 3]);

impl Colour {
    /// Black or white, whichever can be read on it better (WCAG's contrast; it is never below 4.5 to 1).
    pub fn ink(self) -> &'static str {
        // WCAG: contrast is (lighter + 0.05) / (darker + 0.05), of relative luminances.
        let channel = |value: u8| {
            let value = f64::from(value) / 255.0;
            if value <= 0.04045 { value / 12.92 } else { ((value + 0.055) / 1.055).powf(2.4) }
        };
        let [red, green, blue] = self.0.map(channel);
        let luminance = 0.2126 * red + 0.7152 * green + 0.0722 * blue;
        let (on_white, on_black) = (1.05 / (luminance + 0.05), (luminance + 0.05) / 0.05);
        if on_white >= on_black { "#ffffff" } else { "#000000" }
    }
}

impl FromStr for Colour {
    type Err = Invalid;

    fn from_str(text: &str) -> Result<Self, Invalid> {
        let digits =
            text.strip_prefix('#').filter(|digits| digits.len() == 6 && digits.bytes().all(|c| c.is_ascii_hexdigit()));
        let number = digits.and_then(|digits| u32::from_str_radix(digits, 16).ok());
        let [_, red, green, blue] =
            number.ok_or_else(|| Invalid::new("must be a colour such as #1f6feb"))?.to_be_bytes();
        Ok(Colour([red, green, blue]))
    }
}

impl fmt::Display for Colour {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [red, green, blue] = self.0;
        write!(f, "#{red:02x}{green:02x}{blue:02x}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_colour_has_six_digits_and_an_ink_that_can_be_read() {
        let colour = |text: &str| text.parse::<Colour>();
        assert_eq!(colour("#1F6feb").unwrap().to_string(), "#1f6feb");
        assert_eq!(colour("#1f6feb").unwrap().ink(), "#ffffff");
        assert_eq!(colour("#ffd400").unwrap().ink(), "#000000");
        for bad in ["", "1f6feb", "#1f6fe", "#1f6febf", "#+f6feb", "#1f6fe\u{e9}", "red", "#fff\";x"] {
            assert!(colour(bad).is_err(), "{bad:?}");
        }
    }
}
