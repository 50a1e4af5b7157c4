//! Events as SES's documentation shows them, and as strangers' servers may fill them.

use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;

fn told(event: Value) -> String {
    let feedback: Feedback = serde_json::from_value(event).unwrap();
    let about = feedback.about();
    let (became, why) = feedback.told();
    text(about.common_headers.subject.as_deref(), &about.destination[0], became, &why)
}

fn mail() -> Value {
    json!({
        "timestamp": "2026-11-23T09:16:00.000Z",
        "source": "Waybill <orders@shop.example.com>",
        "sourceArn": "arn:aws:ses:us-east-1:123456789012:identity/shop.example.com",
        "sendingAccountId": "123456789012",
        "messageId": "EXAMPLE7c191be45-e9aedb9a-02f9-4d12-a87d-dd0099a07f8a-000000",
        "destination": ["ann@example.com"],
        "headersTruncated": false,
        "headers": [{ "name": "Subject", "value": "Your order is on its way" }],
        "commonHeaders": { "from": ["Waybill <orders@shop.example.com>"], "subject": "Your order is on its way" },
        "tags": {
            "ses:configuration-set": ["waybill"],
            "ses:from-domain": ["shop.example.com"],
            "order": ["ord_12CMX5064HB6J8DRWV89QJYXGG"],
        },
    })
}

fn bounce(kind: &str, sub_type: &str, diagnostic: Option<&str>) -> Value {
    json!({
        "eventType": "Bounce",
        "bounce": {
            "feedbackId": "01000157c44f053b-61b59c11-9236-11e6-8f96-7be8aexample-000000",
            "bounceType": kind,
            "bounceSubType": sub_type,
            "bouncedRecipients": [{
                "emailAddress": "ann@example.com", "action": "failed", "status": "5.1.1", "diagnosticCode": diagnostic,
            }],
            "timestamp": "2026-11-23T09:16:02.000Z",
            "reportingMTA": "dsn; mta.example.com",
        },
        "mail": mail(),
    })
}

#[test]
fn a_note_says_which_mail_did_not_arrive_and_why() {
    assert_eq!(
        told(bounce("Permanent", "General", Some("smtp; 550 5.1.1 <ann@example.com>... User unknown"))),
        "The mail “Your order is on its way” to ann@example.com did not arrive: \
         smtp; 550 5.1.1 <ann@example.com>... User unknown"
    );
    assert_eq!(
        told(bounce("Transient", "MailboxFull", None)),
        "The mail “Your order is on its way” to ann@example.com may not have arrived: MailboxFull"
    );
    assert_eq!(
        told(bounce("Permanent", "OnAccountSuppressionList", Some("Amazon SES did not send the message"))),
        "The mail “Your order is on its way” to ann@example.com did not arrive: \
         SES holds back mails to this address, for an earlier one came back or was complained of"
    );
    let complaint = json!({
        "eventType": "Complaint",
        "complaint": {
            "complainedRecipients": [{ "emailAddress": "ann@example.com" }],
            "timestamp": "2026-11-23T09:20:00.000Z",
            "feedbackId": "01000157c44f053b-61b59c11-9236-11e6-8f96-7be8aexample-000001",
            "complaintFeedbackType": "abuse",
        },
        "mail": mail(),
    });
    assert_eq!(told(complaint), "The mail “Your order is on its way” to ann@example.com was marked as spam");
    let reject = json!({ "eventType": "Reject", "mail": mail(), "reject": { "reason": "Bad content" } });
    assert_eq!(
        told(reject),
        "The mail “Your order is on its way” to ann@example.com was not sent on by SES: Bad content"
    );
}

#[test]
fn what_is_not_known_is_not_taken_for_something_else() {
    let unknown = json!({ "eventType": "Open", "open": {}, "mail": mail() });
    assert!(serde_json::from_value::<crate::Job>(unknown).is_err());
    let without_id = json!({ "eventType": "Bounce", "bounce": { "bounceType": "Permanent" }, "mail": mail() });
    let error = serde_json::from_value::<crate::Job>(without_id).unwrap_err().to_string();
    assert_eq!(error, "not an event of SES that is known here");
}

proptest! {
    #[test]
    fn whatever_a_server_says_makes_a_note(why in prop_oneof![any::<String>(), "[ \\x00-\\x1f\u{85}\u{2028}]{0,600}", "x{490,3000}"]) {
        let note = prose(&text(Some(&why), "ann@example.com", "did not arrive", &why)).unwrap();
        prop_assert!(note.as_str().chars().count() <= LONGEST_NOTE);
    }
}
