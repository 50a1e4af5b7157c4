//! Runs template.yaml and the real function binaries on localhost.

pub mod demo;
pub mod functions;
pub mod stripe;
pub mod template;
