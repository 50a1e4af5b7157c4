//! Logs: one JSON object a line on standard output, where CloudWatch takes them.

use std::panic;

use tracing_subscriber::EnvFilter;

use crate::settings;

/// Starts logging at `LOG_LEVEL` (`info` unless set). A panic is logged as an error, with its place but without its
/// message's surroundings.
pub fn start() {
    let level = settings::optional("LOG_LEVEL").unwrap_or_else(|| "info".into());
    let filter = EnvFilter::try_new(&level).unwrap_or_else(|_| EnvFilter::new("info"));
    tracing_subscriber::fmt()
        .json()
        .flatten_event(true)
        .with_env_filter(filter)
        .with_current_span(true)
        .with_span_list(false)
        .with_target(false)
        .init();
    panic::set_hook(Box::new(|panic| {
        let place = panic.location().map(ToString::to_string).unwrap_or_default();
        tracing::error!(panic.place = place, "a panic");
    }));
}
