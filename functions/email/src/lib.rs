//! What the mails say, text and HTML of one event; how they are sent, and what becomes of them.

#![recursion_limit = "256"] // The SDK nests its futures deeper than the compiler looks by default.

mod content;
pub mod feedback;
mod job;
mod letters;
mod orders;
pub mod samples;
mod send;
mod shop;
mod stock;
mod words;

pub use content::ComposeError;
pub use job::Job;
pub use letters::compose_letter;
pub use orders::compose;
pub use send::{MailError, Sender, work_off};
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
