pub mod aws;
pub mod event_sources;
pub mod functions;
pub mod lambda;
pub mod mail;
pub mod queues;
mod saved;
#[cfg(test)]
mod sdk;
pub mod secrets;
pub mod template;
