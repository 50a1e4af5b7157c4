//! What the mails say, text and HTML of one event; and how they are sent.

#![recursion_limit = "256"] // The SDK nests its futures deeper than the compiler looks by default.

mod content;
mod letters;
mod orders;
pub mod samples;
mod send;
mod shop;
mod stock;
mod words;

pub use content::ComposeError;
pub use letters::compose_letter;
pub use orders::compose;
pub use send::{MailError, Sender, mail};
pub use shop::{Colour, Shop};
pub use stock::compose_stock;
pub use words::{Languages, Unsaid, Words};

#[derive(Debug)]
pub struct Mail {
    /// One line.
    pub subject: String,
    pub text: String,
    pub html: String,
}
