//! Stripe's objects as JSON, at API version 2026-09-30.endive.

use serde_json::{Value, json};
use waybill_lambda::random;

use super::checkout::{Charge, Checkout, Dispute, Hold, Line, Order, Refund, RefundStatus, Status};

const LONGEST_ID: usize = 64;

/// A fresh id: the prefix and as many random letters and digits, at most [`LONGEST_ID`].
pub fn new_id(prefix: &str, length: usize) -> String {
    const ALPHABET: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
    let random = random::bytes::<LONGEST_ID>().into_iter().take(length);
    let letters = random.map(|byte| char::from(ALPHABET[usize::from(byte) % ALPHABET.len()]));
    prefix.chars().chain(letters).collect()
}

/// A `checkout.session`; `url` is the payment page's address while the session is open.
pub fn session(checkout: &Checkout, url: Option<String>) -> Value {
    let order = &checkout.order;
    let email = order.email().map(ToOwned::to_owned);
    let is_complete = checkout.status == Status::Complete;
    let customer_details = (email.is_some() || is_complete).then(|| {
        json!({
            "address": is_complete.then(buyers_address),
            "business_name": null,
            "email": email.clone().or_else(|| is_complete.then(|| BUYERS_EMAIL.to_owned())),
            "individual_name": null,
            "name": is_complete.then_some(BUYERS_NAME),
            "phone": null,
            "tax_exempt": "none",
            "tax_ids": is_complete.then(|| json!([])),
        })
    });
    let set = json!({
        "id": checkout.id,
        "object": "checkout.session",
        "adaptive_pricing": { "enabled": false },
        "amount_subtotal": order.total,
        "amount_total": order.total,
        "automatic_tax": { "enabled": false, "liability": null, "provider": null, "status": null },
        "cancel_url": order.cancel_url,
        "client_reference_id": order.client_reference_id,
        "created": checkout.created.as_second(),
        "currency": order.currency,
        "custom_fields": [],
        "custom_text": { "after_submit": null, "shipping_address": null, "submit": null, "terms_of_service_acceptance": null },
        "customer": customer(order),
        "customer_creation": order.buyer.is_none().then_some("if_required"),
        "customer_details": customer_details,
        "customer_email": order.customer_email,
        "discounts": [],
        "expires_at": order.expires_at.as_second(),
        "livemode": false,
        "locale": order.locale,
        "metadata": order.metadata,
        "mode": "payment",
        "payment_intent": checkout.payment.as_ref().map(|payment| &payment.id),
        "payment_method_collection": "if_required",
        "payment_method_options": { "card": { "request_three_d_secure": "automatic" } },
        "payment_method_types": ["card"],
        "saved_payment_method_options": order.saves.as_ref().map(|saves| json!({
            "allow_redisplay_filters": ["always"],
            "payment_method_remove": saves.remove,
            "payment_method_save": saves.save,
        })),
        "payment_status": if checkout.is_paid() { "paid" } else { "unpaid" },
        "phone_number_collection": { "enabled": false },
        "shipping_options": [],
        "status": checkout.status.as_str(),
        "success_url": order.success_url,
        "total_details": { "amount_discount": 0, "amount_shipping": 0, "amount_tax": 0 },
        "ui_mode": "hosted_page",
        "url": url.filter(|_| checkout.status == Status::Open),
    });
    with_nulls(
        set,
        "after_expiration allow_promotion_codes billing_address_collection client_secret \
         collected_information consent consent_collection currency_conversion customer_account integration_identifier invoice invoice_creation origin_context \
         payment_link payment_method_configuration_details permissions recovered_from \
         setup_intent shipping_address_collection shipping_cost \
         submit_type subscription wallet_options",
    )
}

/// The session's line items, as `expand[]=line_items` shows them.
pub fn line_items(checkout: &Checkout) -> Value {
    let items: Vec<Value> = checkout.order.lines.iter().map(|line| line_item(line, checkout)).collect();
    json!({
        "object": "list",
        "data": items,
        "has_more": false,
        "url": format!("/v1/checkout/sessions/{}/line_items", checkout.id),
    })
}

/// The session's `payment_intent`; null before the buyer's first attempt to pay.
pub fn payment_intent(checkout: &Checkout) -> Value {
    let Some(payment) = &checkout.payment else {
        return Value::Null;
    };
    let order = &checkout.order;
    let last = payment.charges.last();
    let paid = last.filter(|charge| charge.paid);
    let declined = last.filter(|charge| !charge.paid);
    let (status, capturable, received) = match (payment.hold, paid) {
        (None, _) if checkout.is_under_way() => ("processing", 0, 0),
        (None, None) if order.has_no_page && checkout.status == Status::Expired => ("canceled", 0, 0),
        (None, None) => ("requires_payment_method", 0, 0),
        (Some(Hold::Held), _) => ("requires_capture", order.total, 0),
        (Some(Hold::Released), _) => ("canceled", 0, 0),
        (Some(Hold::Captured), _) | (None, Some(_)) => ("succeeded", 0, order.total),
    };
    let set = json!({
        "id": payment.id,
        "object": "payment_intent",
        "amount": order.total,
        "amount_capturable": capturable,
        "amount_details": { "tip": {} },
        "amount_received": received,
        "capture_method": if order.is_captured_later { "manual" } else { "automatic_async" },
        "client_secret": payment.secret,
        "confirmation_method": "automatic",
        "created": payment.created.as_second(),
        "currency": order.currency,
        "customer": customer(order),
        "description": order.payment_description,
        "last_payment_error": declined.map(|charge| json!({
            "charge": charge.id,
            "code": "card_declined",
            "decline_code": "generic_decline",
            "doc_url": "https://stripe.com/docs/error-codes/card-declined",
            "message": "Your card was declined.",
            "payment_method": payment_method(charge, checkout),
            "type": "card_error",
        })),
        "latest_charge": last.map(|charge| &charge.id),
        "livemode": false,
        "metadata": order.payment_metadata,
        "payment_method": paid.map(|charge| &charge.payment_method),
        "payment_method_options": { "card": { "installments": null, "mandate_options": null, "network": null, "request_three_d_secure": "automatic" } },
        "payment_method_types": ["card"],
        "status": status,
    });
    with_nulls(
        set,
        "application application_fee_amount automatic_payment_methods canceled_at \
         cancellation_reason customer_account excluded_payment_method_types next_action \
         on_behalf_of payment_method_configuration_details processing receipt_email review \
         setup_future_usage shipping source statement_descriptor statement_descriptor_suffix \
         transfer_data transfer_group",
    )
}

/// The `charge` of the buyer's last attempt; null before the first.
pub fn latest_charge(checkout: &Checkout) -> Value {
    let Some(payment) = &checkout.payment else {
        return Value::Null;
    };
    let Some(charge) = payment.charges.last() else {
        return Value::Null;
    };
    let order = &checkout.order;
    let is_captured = charge.paid && matches!(payment.hold, None | Some(Hold::Captured));
    let refunded = if payment.hold == Some(Hold::Released) { order.total } else { checkout.refunded() };
    let set = json!({
        "id": charge.id,
        "object": "charge",
        "amount": order.total,
        "amount_captured": if is_captured { order.total } else { 0 },
        "amount_refunded": refunded,
        "billing_details": billing_details(checkout),
        "calculated_statement_descriptor": "WAYBILL LOCAL",
        "captured": is_captured,
        "created": charge.created.as_second(),
        "currency": order.currency,
        "customer": customer(order),
        "description": order.payment_description,
        "disputed": !checkout.disputes.is_empty(),
        "failure_code": (!charge.paid).then_some("card_declined"),
        "failure_message": (!charge.paid).then_some("Your card was declined."),
        "fraud_details": {},
        "livemode": false,
        "metadata": order.payment_metadata,
        "outcome": {
            "advice_code": null,
            "network_advice_code": null,
            "network_decline_code": null,
            "network_status": if charge.paid { "approved_by_network" } else { "declined_by_network" },
            "reason": (!charge.paid).then_some("generic_decline"),
            "risk_level": "normal",
            "risk_score": 10,
            "seller_message": if charge.paid { "Payment complete." } else { "The bank did not return any further details with this decline." },
            "type": if charge.paid { "authorized" } else { "issuer_declined" },
        },
        "paid": charge.paid,
        "payment_intent": payment.id,
        "payment_method": charge.payment_method,
        "payment_method_details": {
            "type": "card",
            "card": {
                "amount_authorized": if charge.paid { order.total } else { 0 },
                "authorization_code": null,
                "brand": "visa",
                "checks": { "address_line1_check": null, "address_postal_code_check": null, "cvc_check": "pass" },
                "country": "US",
                "exp_month": 12,
                "exp_year": 2034,
                "fingerprint": "waybilllocalcard",
                "funding": "credit",
                "installments": null,
                "last4": last4(charge),
                "mandate": null,
                "network": "visa",
                "network_token": { "used": false },
                "three_d_secure": null,
                "wallet": null,
            },
        },
        "radar_options": {},
        "refunded": charge.paid && refunded == order.total,
        "status": if charge.paid { "succeeded" } else { "failed" },
    });
    with_nulls(
        set,
        "application application_fee application_fee_amount balance_transaction \
         failure_balance_transaction on_behalf_of receipt_email receipt_number receipt_url review \
         shipping source source_transfer statement_descriptor statement_descriptor_suffix \
         transfer_data transfer_group",
    )
}

/// A `refund` of the checkout's payment.
pub fn refund(checkout: &Checkout, refund: &Refund) -> Value {
    let charge = checkout.payment.as_ref().and_then(|payment| payment.charges.last()).map(|charge| &charge.id);
    let has_failed = refund.status == RefundStatus::Failed;
    let set = json!({
        "id": refund.id,
        "object": "refund",
        "amount": refund.amount,
        "charge": charge,
        "created": refund.created.as_second(),
        "currency": checkout.order.currency,
        "destination_details": { "card": { "reference_status": "pending", "reference_type": "acquirer_reference_number", "type": "refund" }, "type": "card" },
        "metadata": refund.metadata,
        "payment_intent": checkout.payment.as_ref().map(|payment| &payment.id),
        "reason": refund.reason,
        "status": refund.status.as_str(),
    });
    let mut refund = with_nulls(set, "balance_transaction receipt_number source_transfer_reversal transfer_reversal");
    if has_failed {
        refund["failure_reason"] = "expired_or_canceled_card".into();
    }
    refund
}

/// A `dispute` of the checkout's payment.
pub fn dispute(checkout: &Checkout, dispute: &Dispute) -> Value {
    let payment = checkout.payment.as_ref();
    let charge = payment.and_then(|payment| payment.charges.last()).map(|charge| &charge.id);
    json!({
        "id": dispute.id,
        "object": "dispute",
        "amount": dispute.amount,
        "balance_transactions": [],
        "charge": charge,
        "created": dispute.created.as_second(),
        "currency": checkout.order.currency,
        "enhanced_eligibility_types": [],
        "evidence": { "enhanced_evidence": {} },
        "evidence_details": {
            "due_by": dispute.status.is_answerable().then(|| dispute.created.as_second() + 7 * 24 * 60 * 60),
            "enhanced_eligibility": {},
            "has_evidence": false,
            "past_due": false,
            "submission_count": 0,
        },
        "is_charge_refundable": !dispute.status.holds_charge(),
        "livemode": false,
        "metadata": {},
        "network_reason_code": null,
        "payment_intent": payment.map(|payment| &payment.id),
        "payment_method_details": { "type": "card", "card": { "brand": "visa", "case_type": "chargeback", "network": "visa", "network_reason_code": "13.1" } },
        "reason": "product_not_received",
        "status": dispute.status,
    })
}

const BUYERS_EMAIL: &str = "buyer@example.com";
const BUYERS_NAME: &str = "Local Buyer";

/// Adds the fields that nothing here ever sets: Stripe sends them all the same.
fn with_nulls(mut object: Value, unset: &str) -> Value {
    for field in unset.split_whitespace() {
        object[field] = Value::Null;
    }
    object
}

fn line_item(line: &Line, checkout: &Checkout) -> Value {
    let created = checkout.created.as_second();
    json!({
        "id": line.id,
        "object": "item",
        "adjustable_quantity": null,
        "amount_discount": 0,
        "amount_subtotal": line.total,
        "amount_tax": 0,
        "amount_total": line.total,
        "currency": checkout.order.currency,
        "description": line.name,
        "metadata": line.metadata,
        "price": {
            "id": line.price,
            "object": "price",
            "active": false,
            "billing_scheme": "per_unit",
            "created": created,
            "currency": checkout.order.currency,
            "custom_unit_amount": null,
            "livemode": false,
            "lookup_key": null,
            "metadata": {},
            "nickname": null,
            "product": line.product,
            "recurring": null,
            "tax_behavior": "unspecified",
            "tiers_mode": null,
            "transform_quantity": null,
            "type": "one_time",
            "unit_amount": line.unit_amount,
            "unit_amount_decimal": line.unit_amount.to_string(),
        },
        "quantity": line.quantity,
    })
}

fn payment_method(charge: &Charge, checkout: &Checkout) -> Value {
    json!({
        "id": charge.payment_method,
        "object": "payment_method",
        "allow_redisplay": "limited",
        "billing_details": billing_details(checkout),
        "card": {
            "brand": "visa",
            "checks": { "address_line1_check": null, "address_postal_code_check": null, "cvc_check": "pass" },
            "country": "US",
            "display_brand": "visa",
            "exp_month": 12,
            "exp_year": 2034,
            "fingerprint": "waybilllocalcard",
            "funding": "credit",
            "generated_from": null,
            "last4": last4(charge),
            "networks": { "available": ["visa"], "preferred": null },
            "regulated_status": "unregulated",
            "three_d_secure_usage": { "supported": true },
            "wallet": null,
        },
        "created": charge.created.as_second(),
        "customer": null,
        "customer_account": null,
        "livemode": false,
        "metadata": {},
        "type": "card",
    })
}

fn customer(order: &Order) -> Option<&str> {
    order.buyer.as_ref().map(|buyer| buyer.id.as_str())
}

fn billing_details(checkout: &Checkout) -> Value {
    let email = checkout.order.email().unwrap_or(BUYERS_EMAIL);
    json!({ "address": buyers_address(), "email": email, "name": BUYERS_NAME, "phone": null, "tax_id": null })
}

fn buyers_address() -> Value {
    json!({ "city": null, "country": "US", "line1": null, "line2": null, "postal_code": "10001", "state": null })
}

/// The last digits of Stripe's test cards: 4242 is charged, 0002 is declined.
fn last4(charge: &Charge) -> &'static str {
    if charge.paid { "4242" } else { "0002" }
}
