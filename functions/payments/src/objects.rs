//! Stripe's objects, with what the shop reads of them. Whatever else they have, or come to have, is passed over: async-stripe's
//! types read all of an object and of those that may be in it, which is megabytes of code.

use miniserde::de::{Map, Visitor};
use miniserde::{Deserialize, Error, Result, make_place};

/// <https://docs.stripe.com/api/checkout/sessions/object>
#[derive(Clone, Debug, Deserialize)]
pub struct CheckoutSession {
    pub id: String,
    /// `open`, `complete` or `expired`.
    pub status: Option<String>,
    /// `paid`, `unpaid` or `no_payment_required`.
    pub payment_status: String,
    pub payment_intent: Option<Reference>,
    pub amount_total: Option<i64>,
    pub currency: Option<String>,
    pub client_reference_id: Option<String>,
    pub expires_at: i64,
    /// None once it has closed.
    pub url: Option<String>,
}

/// <https://docs.stripe.com/api/payment_intents/object>
#[derive(Clone, Debug, Deserialize)]
pub struct PaymentIntent {
    pub id: String,
    /// <https://docs.stripe.com/payments/paymentintents/lifecycle>
    pub status: String,
    pub metadata: Metadata,
    pub currency: String,
    pub amount_received: i64,
    pub amount_capturable: i64,
    /// `manual` where the buyer's bank holds the money until it is captured.
    pub capture_method: String,
    pub client_secret: Option<String>,
    pub customer: Option<Reference>,
    pub created: i64,
}

/// <https://docs.stripe.com/api/refunds/object>
#[derive(Clone, Debug, Deserialize)]
pub struct Refund {
    pub id: String,
    /// `pending`, `requires_action`, `succeeded`, `failed` or `canceled`.
    pub status: Option<String>,
    pub amount: i64,
    pub currency: String,
    pub metadata: Option<Metadata>,
    pub payment_intent: Option<Reference>,
    pub created: i64,
}

/// <https://docs.stripe.com/api/disputes/object>
#[derive(Clone, Debug, Deserialize)]
pub struct Dispute {
    pub id: String,
    pub status: String,
    pub amount: i64,
    pub currency: String,
    pub reason: String,
    pub evidence_details: EvidenceDetails,
    pub payment_intent: Option<Reference>,
    pub created: i64,
}

/// <https://docs.stripe.com/api/disputes/object#dispute_object-evidence_details>
#[derive(Clone, Debug, Deserialize)]
pub struct EvidenceDetails {
    pub due_by: Option<i64>,
}

/// <https://docs.stripe.com/api/customers/object>
#[derive(Clone, Debug, Deserialize)]
pub struct Customer {
    pub id: String,
}

/// <https://docs.stripe.com/api/customer_sessions/object>
#[derive(Clone, Debug, Deserialize)]
pub struct CustomerSession {
    pub client_secret: String,
}

/// What our payments and refunds know their order by. <https://docs.stripe.com/api/metadata>
#[derive(Clone, Debug, Deserialize)]
pub struct Metadata {
    pub order_id: Option<String>,
    /// The number of a refund within the order.
    pub refund: Option<String>,
}

/// A page of a list. <https://docs.stripe.com/api/pagination>
#[derive(Clone, Debug, Deserialize)]
pub struct List<T> {
    pub data: Vec<T>,
    pub has_more: bool,
}

/// What a list is of: the next page begins after the last one's id.
pub trait Listed: Deserialize {
    fn id(&self) -> &str;
}

impl Listed for PaymentIntent {
    fn id(&self) -> &str {
        &self.id
    }
}

impl Listed for Refund {
    fn id(&self) -> &str {
        &self.id
    }
}

impl Listed for Dispute {
    fn id(&self) -> &str {
        &self.id
    }
}

/// The id of another object, also where that object itself is in its place. <https://docs.stripe.com/api/expanding_objects>
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reference(pub String);

make_place!(Place);

impl Deserialize for Reference {
    fn begin(out: &mut Option<Self>) -> &mut dyn Visitor {
        Place::new(out)
    }
}

impl Visitor for Place<Reference> {
    fn string(&mut self, id: &str) -> Result<()> {
        self.out = Some(Reference(id.to_owned()));
        Ok(())
    }

    fn map(&mut self) -> Result<Box<dyn Map + '_>> {
        Ok(Box::new(Expanded { out: &mut self.out, id: None }))
    }
}

struct Expanded<'a> {
    out: &'a mut Option<Reference>,
    id: Option<String>,
}

impl Map for Expanded<'_> {
    fn key(&mut self, name: &str) -> Result<&mut dyn Visitor> {
        match name {
            "id" => Ok(Deserialize::begin(&mut self.id)),
            _ => Ok(<dyn Visitor>::ignore()),
        }
    }

    fn finish(&mut self) -> Result<()> {
        *self.out = Some(Reference(self.id.take().ok_or(Error)?));
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use miniserde::json::from_str;

    use super::*;

    #[derive(Debug, Deserialize)]
    struct Paid {
        payment_intent: Option<Reference>,
    }

    fn read(json: &str) -> Option<Option<String>> {
        from_str(json).ok().map(|paid: Paid| paid.payment_intent.map(|reference| reference.0))
    }

    #[test]
    fn another_object_is_known_by_its_id_whether_it_is_expanded_or_not() {
        let intent = Some(Some("pi_1".to_owned()));
        assert_eq!(read(r#"{"payment_intent":"pi_1"}"#), intent);
        assert_eq!(
            read(r#"{"payment_intent":{"object":"payment_intent","id":"pi_1","status":{"a":[1,null]}}}"#),
            intent
        );
        assert_eq!(read(r#"{"payment_intent":null}"#), Some(None));
        assert_eq!(read("{}"), Some(None));
        for unreadable in [r#"{"payment_intent":{"object":"payment_intent"}}"#, r#"{"payment_intent":1}"#, "[]", ""] {
            assert_eq!(read(unreadable), None, "{unreadable}");
        }
    }
}
