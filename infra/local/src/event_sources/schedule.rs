//! EventBridge's `rate(...)`: invokes a function again and again.

use jiff::Timestamp;
use serde_json::json;

use super::{Report, Stopped};
use crate::aws::{ACCOUNT, REGION};
use crate::lambda::Invoke;
use crate::template::Schedule;

/// The first time after one interval, so that a restart does not run everything at once. A tick that is still
/// running delays the next one.
pub(super) async fn tick(schedule: Schedule, invoke: Invoke, report: Report, mut stopped: Stopped) {
    let mut ticks = tokio::time::interval_at(tokio::time::Instant::now() + schedule.every, schedule.every);
    ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    while stopped.unless(ticks.tick()).await.is_some() {
        let event = if schedule.input.is_null() { scheduled_event(&schedule) } else { schedule.input.clone() };
        if let Err(error) = invoke.call(&schedule.function, event.to_string().into_bytes()).await {
            report(format!("{}: its scheduled run failed: {error}", schedule.function));
        }
    }
}

fn scheduled_event(schedule: &Schedule) -> serde_json::Value {
    let time = Timestamp::now().strftime("%Y-%m-%dT%H:%M:%SZ").to_string();
    json!({
        "version": "0",
        "id": uuid::Uuid::new_v4().to_string(),
        "detail-type": "Scheduled Event",
        "source": "aws.events",
        "account": ACCOUNT,
        "time": time,
        "region": REGION,
        "resources": [format!("arn:aws:events:{REGION}:{ACCOUNT}:rule/{}", schedule.function)],
        "detail": {},
    })
}
