//! What the function's two queues bring.

use serde::Deserialize;
use serde::de::Error;
use waybill_lambda::batch::{Mailable, Queued};

use crate::feedback::Feedback;

#[derive(Clone, Debug)]
pub enum Job {
    /// Somebody may be to be mailed.
    Mail(Mailable),
    /// SES tells of a mail.
    Feedback(Box<Feedback>),
}

impl Queued for Job {
    fn id(&self) -> String {
        match self {
            Job::Mail(message) => message.id(),
            Job::Feedback(feedback) => feedback.id().to_owned(),
        }
    }
}

impl<'de> Deserialize<'de> for Job {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let value = serde_json::Value::deserialize(deserializer)?;
        if value.get("eventType").is_some() {
            // Not serde's own words: they may quote an address.
            let unknown = |_| D::Error::custom("not an event of SES that is known here");
            serde_json::from_value(value).map(|feedback| Job::Feedback(Box::new(feedback))).map_err(unknown)
        } else {
            serde_json::from_value(value).map(Job::Mail).map_err(D::Error::custom)
        }
    }
}
