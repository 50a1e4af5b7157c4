//! What SES tells of mails that are out: those that did not arrive, and those that somebody complained of.

use serde::Deserialize;
use waybill_domain::Timestamp;
use waybill_domain::id::{NoteId, OrderId};
use waybill_domain::text::Invalid;
use waybill_storage::notes::{NotNoted, Note, NoteText};
use waybill_storage::{Refused, StorageError, Table};

#[cfg(test)]
mod tests;

/// Characters. What strangers' mail servers say of themselves can be long.
const LONGEST_NOTE: usize = 500;

/// An event of SES, as far as it matters here.
///
/// Source: <https://docs.aws.amazon.com/ses/latest/dg/event-publishing-retrieving-sns-contents.html>
#[derive(Clone, Debug, Deserialize)]
#[serde(tag = "eventType")]
pub enum Feedback {
    Bounce { bounce: Bounce, mail: About },
    Complaint { complaint: Complaint, mail: About },
    Reject { reject: Reject, mail: About },
}

#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Bounce {
    /// `Permanent`, `Transient` or `Undetermined`.
    bounce_type: String,
    bounce_sub_type: String,
    #[serde(default)]
    bounced_recipients: Vec<Recipient>,
    feedback_id: String,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Recipient {
    diagnostic_code: Option<String>,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Complaint {
    feedback_id: String,
}

#[derive(Clone, Debug, Deserialize)]
pub struct Reject {
    #[serde(default)]
    reason: String,
}

/// The mail that it is about.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct About {
    message_id: String,
    #[serde(default)]
    destination: Vec<String>,
    #[serde(default)]
    tags: Tags,
    #[serde(default)]
    common_headers: CommonHeaders,
}

#[derive(Clone, Debug, Default, Deserialize)]
struct Tags {
    #[serde(default)]
    order: Vec<String>,
}

#[derive(Clone, Debug, Default, Deserialize)]
struct CommonHeaders {
    subject: Option<String>,
}

impl Feedback {
    /// The same however often SES tells it.
    pub fn id(&self) -> &str {
        match self {
            Feedback::Bounce { bounce, .. } => &bounce.feedback_id,
            Feedback::Complaint { complaint, .. } => &complaint.feedback_id,
            Feedback::Reject { mail, .. } => &mail.message_id,
        }
    }

    fn about(&self) -> &About {
        match self {
            Feedback::Bounce { mail, .. } | Feedback::Complaint { mail, .. } | Feedback::Reject { mail, .. } => mail,
        }
    }

    /// What became of the mail, and why.
    fn told(&self) -> (&'static str, String) {
        match self {
            Feedback::Bounce { bounce, .. } => {
                let of_servers =
                    bounce.bounced_recipients.iter().find_map(|recipient| recipient.diagnostic_code.as_deref());
                let why = match bounce.bounce_sub_type.as_str() {
                    "Suppressed" | "OnAccountSuppressionList" => {
                        "SES holds back mails to this address, for an earlier one \
                        came back or was complained of"
                    }
                    kind => of_servers.unwrap_or(kind),
                };
                // An absence note comes as one that may pass, too.
                let became = if bounce.bounce_type == "Permanent" { "did not arrive" } else { "may not have arrived" };
                (became, why.to_owned())
            }
            Feedback::Complaint { .. } => ("was marked as spam", String::new()),
            Feedback::Reject { reject, .. } => ("was not sent on by SES", reject.reason.clone()),
        }
    }
}

/// Notes it on the order that the mail was about. Of others (about accounts and stock) only the log tells.
pub async fn take_in(table: &Table, feedback: &Feedback, now: Timestamp) -> Result<(), StorageError> {
    let about = feedback.about();
    let (became, why) = feedback.told();
    let order = about.tags.order.first().and_then(|order| order.parse::<OrderId>().ok());
    let Some(order) = order else {
        tracing::warn!(ses.id = about.message_id, became, "a mail about no order");
        return Ok(());
    };
    let to = about.destination.first().map_or("the buyer", String::as_str);
    let subject = about.common_headers.subject.as_deref();
    note(table, order, feedback.id(), &text(subject, to, became, &why), now).await
}

/// Notes that SES takes no mail to the buyer's address, however often it is asked.
pub async fn refused(
    table: &Table,
    order: OrderId,
    message: &str,
    subject: &str,
    to: &str,
    why: &str,
    now: Timestamp,
) -> Result<(), StorageError> {
    note(table, order, message, &text(Some(subject), to, "was not taken by SES", why), now).await
}

fn text(subject: Option<&str>, to: &str, became: &str, why: &str) -> String {
    let mail = subject.map_or_else(|| "A mail".to_owned(), |subject| format!("The mail “{subject}”"));
    let why = if why.is_empty() { String::new() } else { format!(": {why}") };
    format!("{mail} to {to} {became}{why}")
}

/// Much of it is written by strangers' servers.
fn prose(text: &str) -> Result<NoteText, Invalid> {
    text.chars().map(|c| if c.is_control() { ' ' } else { c }).take(LONGEST_NOTE).collect::<String>().parse()
}

async fn note(table: &Table, order: OrderId, told: &str, text: &str, now: Timestamp) -> Result<(), StorageError> {
    let text = prose(text).map_err(|error| StorageError::Broken(format!("a note that is none: {error}")))?;
    let note = Note { id: NoteId::for_mail(order, told), text, by: None, at: now };
    match table.write_note(order.number(), &note).await.map_err(Refused::first) {
        Ok(()) => tracing::info!(order.id = %order, "a mail that did not arrive is noted"),
        Err(Ok(NotNoted::Written(_))) => {}
        // They have left, and nobody is to be told anything more of them.
        Err(Ok(NotNoted::UnknownOrder)) => tracing::info!(order.id = %order, "a mail about an order that is gone"),
        Err(Err(error)) => return Err(error),
    }
    Ok(())
}
