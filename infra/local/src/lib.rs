pub mod demo;
pub mod stripe;
