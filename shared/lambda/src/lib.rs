//! What every function needs of its surroundings: settings, AWS clients, the clock, randomness, logs, event loops.

pub mod aws;
pub mod batch;
pub mod bucket;
pub mod clock;
pub mod connections;
pub mod links;
pub mod log;
#[cfg(feature = "aws-sdk-dynamodb")]
mod plain;
pub mod random;
pub mod settings;
pub mod stream;

pub use lambda_runtime::Error;
