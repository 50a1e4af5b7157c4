//! Calls of AWS: connections, signatures and tries. What is asked and answered is the SDK's.

mod client;
mod connections;
mod signature;

pub use aws_smithy_runtime_api::client::runtime_plugin::RuntimePlugin;
pub use client::{Client, Failed, Operation};
pub use connections::Connections;
