//! What the journeys share: a shop of their own, people in it, and patience.

pub mod books;
mod deployed;
mod dice;
mod document;
mod people;
mod shop;
mod socket;
mod stripe;

pub use deployed::is_wanted as is_deployed;
pub use dice::Dice;
pub use document::assert_documented;
pub use people::{Answer, Person, address, code, key};
pub use shop::{PASSWORD, TestShop, eventually};
pub use socket::Socket;
pub use stripe::sign;
