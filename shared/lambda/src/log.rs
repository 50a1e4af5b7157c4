//! Logs: one JSON object a line on standard output, where CloudWatch takes them.

use std::panic;

use tracing_subscriber::filter::{LevelFilter, Targets};
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{fmt, registry};

use crate::settings;

/// Starts logging at `LOG_LEVEL` (`info` unless set): a level, or some of single crates, `warn,payments=debug`. A panic is
/// logged as an error, with its place but without its message's surroundings.
pub fn start() {
    let level = settings::optional("LOG_LEVEL").unwrap_or_else(|| "info".into());
    // Not an EnvFilter, whose regular expressions every function would carry.
    let wanted = level.parse().unwrap_or_else(|_| Targets::new().with_default(LevelFilter::INFO));
    let lines =
        fmt::layer().json().flatten_event(true).with_current_span(true).with_span_list(false).with_target(false);
    registry().with(lines).with(wanted).init();
    panic::set_hook(Box::new(|panic| {
        let place = panic.location().map(ToString::to_string).unwrap_or_default();
        tracing::error!(panic.place = place, "a panic");
    }));
}
