//! Stripe's events, with what the shop reads of them. Whatever else they have, or come to have, is passed over.

use miniserde::Deserialize;
use miniserde::json::from_str;
use payments::objects::{CheckoutSession, Dispute, PaymentIntent, Refund};

/// <https://docs.stripe.com/api/events/object>
pub struct Event {
    pub id: String,
    pub kind: String,
    pub api_version: Option<String>,
    pub livemode: bool,
    pub happened: Happened,
}

/// What an event tells of. <https://docs.stripe.com/api/events/types>
pub enum Happened {
    /// Somebody has completed a page, or the money for one has come.
    PageCompleted(CheckoutSession),
    /// Nobody can pay on a page any more, or the money for one has not come.
    PageClosed(CheckoutSession),
    Paid(PaymentIntent),
    /// A bank holds a payment until it is captured.
    Held(PaymentIntent),
    /// A payment was cancelled, or a bank holds it no longer.
    LetGo(PaymentIntent),
    Declined(PaymentIntent),
    Refund(Refund),
    Dispute(Dispute),
    /// What the shop has no use for.
    Other,
}

impl Event {
    /// None where the form is not known: of an event at all, or of what this kind of event is about.
    pub fn read(payload: &str) -> Option<Event> {
        #[derive(Deserialize)]
        struct Envelope {
            id: String,
            #[serde(rename = "type")]
            kind: String,
            api_version: Option<String>,
            livemode: bool,
        }
        let Envelope { id, kind, api_version, livemode } = from_str(payload).ok()?;
        let happened = match kind.as_str() {
            "checkout.session.completed" | "checkout.session.async_payment_succeeded" => {
                Happened::PageCompleted(object(payload)?)
            }
            "checkout.session.expired" | "checkout.session.async_payment_failed" => {
                Happened::PageClosed(object(payload)?)
            }
            "payment_intent.succeeded" => Happened::Paid(object(payload)?),
            "payment_intent.amount_capturable_updated" => Happened::Held(object(payload)?),
            "payment_intent.canceled" => Happened::LetGo(object(payload)?),
            "payment_intent.payment_failed" => Happened::Declined(object(payload)?),
            "refund.created" | "refund.updated" | "refund.failed" => Happened::Refund(object(payload)?),
            "charge.dispute.created"
            | "charge.dispute.updated"
            | "charge.dispute.funds_withdrawn"
            | "charge.dispute.funds_reinstated"
            | "charge.dispute.closed" => Happened::Dispute(object(payload)?),
            _ => Happened::Other,
        };
        Some(Event { id, kind, api_version, livemode, happened })
    }
}

/// What an event is about.
fn object<T: Deserialize>(payload: &str) -> Option<T> {
    #[derive(Deserialize)]
    struct Event<T> {
        data: Data<T>,
    }
    #[derive(Deserialize)]
    struct Data<T> {
        object: T,
    }
    from_str(payload).ok().map(|event: Event<T>| event.data.object)
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn read(kind: &str, object: Value) -> Option<Event> {
        let event = json!({
            "id": "evt_1", "object": "event", "api_version": "2026-09-30.endive", "created": 1, "livemode": false,
            "pending_webhooks": 1, "request": { "id": null }, "type": kind,
            "data": { "object": object, "previous_attributes": { "status": null } },
        });
        Event::read(&event.to_string())
    }

    #[test]
    fn what_an_event_is_about_is_read_without_the_rest_of_it() {
        let session = json!({
            "id": "cs_1", "object": "checkout.session", "status": "complete", "payment_status": "paid", "expires_at": 1,
            "amount_total": 450, "currency": "usd", "client_reference_id": "ord_1", "new_in_2031": { "a": [1.5, "b"] },
            "payment_intent": { "object": "payment_intent", "id": "pi_1", "status": "succeeded" },
        });
        let Some(Event { happened: Happened::PageCompleted(session), .. }) =
            read("checkout.session.completed", session)
        else {
            panic!("it is a completed page")
        };
        assert_eq!((session.payment_intent.unwrap().0.as_str(), session.amount_total), ("pi_1", Some(450)));
        assert_eq!(session.url, None);
    }

    #[test]
    fn of_an_event_that_the_shop_has_no_use_for_nothing_but_the_envelope_is_read() {
        for object in [json!({}), json!([1, 2]), json!("text"), Value::Null] {
            let event = read("invoice.paid", object).unwrap();
            assert!(matches!(event.happened, Happened::Other), "{}", event.kind);
        }
        assert_eq!(read("a.kind.that.comes.later", json!({})).unwrap().id, "evt_1");
    }

    #[test]
    fn an_event_of_another_form_is_not_read() {
        for object in [json!({}), json!({ "id": 1 }), json!([]), json!("pi_1"), Value::Null] {
            for kind in
                ["checkout.session.expired", "payment_intent.canceled", "refund.failed", "charge.dispute.closed"]
            {
                assert!(read(kind, object.clone()).is_none(), "{kind} of {object}");
            }
        }
        let of_no_kind = r#"{"id":"evt_1","livemode":false,"api_version":null}"#;
        for text in ["", "[]", "null", "{", of_no_kind, &"[".repeat(500_000), &format!("{}{{", of_no_kind)] {
            assert!(Event::read(text).is_none(), "{text:.80}");
        }
    }
}
