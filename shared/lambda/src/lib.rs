//! What every function needs of its surroundings: settings, AWS clients, the clock, randomness, logs, event loops.

pub mod aws;
pub mod batch;
#[cfg(feature = "aws-sdk-apigatewaymanagement")]
pub mod browsers;
pub mod bucket;
pub mod clock;
pub mod links;
pub mod log;
pub mod random;
pub mod settings;
pub mod stream;

pub use lambda_runtime::Error;
