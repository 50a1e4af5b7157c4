//! Sign-up, log-in, tokens, and tickets for the WebSocket.

pub mod administrator;
mod passwords;
mod routes;
mod sessions;
mod signing;

pub use routes::{App, Documented, routes};
pub use signing::Signer;
