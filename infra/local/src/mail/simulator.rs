//! SES's mailbox simulator: addresses from which a mail comes back, or of whose holders one complains.
//!
//! Source: <https://docs.aws.amazon.com/ses/latest/dg/send-an-email-from-console.html#send-email-simulator>

use jiff::Timestamp;
use serde_json::{Map, Value, json};

use super::Mail;

const DOMAIN: &str = "@simulator.amazonses.com";

/// What SES tells of a mail that it has taken: nothing, unless it went to the simulator.
pub fn events(mail: &Mail) -> Vec<Value> {
    let recipients = mail.to.iter().chain(&mail.cc).chain(&mail.bcc);
    recipients.filter_map(|recipient| event(mail, recipient)).collect()
}

fn event(mail: &Mail, recipient: &str) -> Option<Value> {
    let local = recipient.strip_suffix(DOMAIN)?;
    // `bounce+label` is `bounce`, so that one can tell tests apart.
    let kind = local.split('+').next().unwrap_or(local);
    let now = Timestamp::now();
    let feedback_id = format!("{}-000000", uuid::Uuid::new_v4());
    let mut event = match kind {
        "bounce" => json!({ "eventType": "Bounce", "bounce": {
            "feedbackId": feedback_id,
            "bounceType": "Permanent",
            "bounceSubType": "General",
            "bouncedRecipients": [{
                "emailAddress": recipient,
                "action": "failed",
                "status": "5.1.1",
                "diagnosticCode": "smtp; 550 5.1.1 user unknown",
            }],
            "timestamp": now,
            "reportingMTA": "dns; a.smtp-out.amazonses.com",
        } }),
        "suppressionlist" => json!({ "eventType": "Bounce", "bounce": {
            "feedbackId": feedback_id,
            "bounceType": "Permanent",
            "bounceSubType": "Suppressed",
            "bouncedRecipients": [{
                "emailAddress": recipient,
                "action": "failed",
                "status": "5.1.1",
                "diagnosticCode": "Amazon SES has suppressed sending to this address because it has a recent history of \
                    bouncing as an invalid address.",
            }],
            "timestamp": now,
            "reportingMTA": "dns; amazonses.com",
        } }),
        "complaint" => json!({ "eventType": "Complaint", "complaint": {
            "feedbackId": feedback_id,
            "complaintSubType": null,
            "complainedRecipients": [{ "emailAddress": recipient }],
            "timestamp": now,
            "userAgent": "Amazon SES Mailbox Simulator",
            "complaintFeedbackType": "abuse",
            "arrivalDate": now,
        } }),
        // `success`, and `ooto`, whose absence note comes as a mail to the sender.
        _ => return None,
    };
    let tags: Map<_, _> = mail.tags.iter().map(|(name, value)| (name.clone(), json!([value]))).collect();
    event["mail"] = json!({
        "timestamp": mail.at,
        "source": mail.from,
        "messageId": mail.id,
        "destination": mail.to,
        "headersTruncated": false,
        "headers": [],
        "commonHeaders": { "from": [mail.from], "to": mail.to, "messageId": mail.id, "subject": mail.subject },
        "tags": tags,
    });
    Some(event)
}
