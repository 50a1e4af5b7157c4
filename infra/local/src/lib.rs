//! Runs template.yaml and the real function binaries on localhost.

mod aws;
mod compile;
mod demo;
mod event_sources;
pub mod functions;
mod lambda;
mod mail;
mod queues;
mod saved;
#[cfg(test)]
mod sdk;
mod secrets;
pub mod shop;
mod store;
pub mod stripe;
pub mod template;

pub use compile::{binaries, build_functions};
pub use demo::fill as fill_demo;
pub use shop::{Addresses, Options, Ports, Shop, StartError};
pub use store::Store;
