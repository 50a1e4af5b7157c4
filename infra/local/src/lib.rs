//! Runs template.yaml and the real function binaries on localhost.

pub mod access;
pub mod authenticator;
mod aws;
mod buckets;
mod compile;
mod demo;
mod engine;
mod event_sources;
mod faults;
pub mod functions;
mod gateway;
mod lambda;
mod mail;
pub mod meter;
mod queues;
mod saved;
#[cfg(test)]
mod sdk;
pub mod secrets;
mod shop;
mod staff;
mod store;
pub mod stripe;
mod tables;
pub mod template;
mod websocket;

pub use compile::{BuildError, build_functions, workspace};
pub use demo::fill as fill_demo;
pub use faults::{FaultSwitch, Faults};
pub use shop::{Addresses, Options, Payments, Ports, Shop, StartError};
pub use store::{Folder, Store, StoreError, write_private};
