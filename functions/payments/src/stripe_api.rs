//! What we ask of Stripe, by async-stripe.

use std::collections::HashMap;
use std::time::Duration;

use stripe::{Client, ClientBuilder, IdempotencyKey, RequestStrategy, StripeError, StripeRequest};
use stripe_checkout::checkout_session::{
    CreateCheckoutSession, CreateCheckoutSessionLineItems, CreateCheckoutSessionLineItemsPriceData,
    CreateCheckoutSessionPaymentIntentData, ProductData, RetrieveCheckoutSession,
};
use stripe_shared::{CheckoutSession, CheckoutSessionMode, CheckoutSessionStatus};
use waybill_domain::Timestamp;
use waybill_domain::cart::PricedLine;
use waybill_domain::order::{Order, PaymentSession};
use waybill_web::{Kind, Problem};

use crate::start::idempotency_key;

/// Stripe answers a session in well under a second; past this it is taken for down. API Gateway gives up after 30.
const PATIENCE: Duration = Duration::from_secs(10);

#[derive(Clone)]
pub struct Stripe {
    client: Client,
    shop_url: String,
}

/// What became of a payment page.
pub enum Page {
    Open,
    /// Somebody paid on it, or the payment is on its way.
    Completed,
    /// It closed without a payment.
    Closed,
}

impl Stripe {
    /// `url` is where the API lives, with a slash at the end.
    pub fn new(secret_key: &str, url: &str, shop_url: &str) -> Result<Self, StripeError> {
        let client = ClientBuilder::new(secret_key.trim()).url(url).timeout(PATIENCE).build()?;
        Ok(Stripe { client, shop_url: shop_url.trim_end_matches('/').to_owned() })
    }

    /// A page for one attempt to pay an order. Asking again for the same attempt answers the same page.
    pub async fn open_page(&self, order: &Order, attempt: u32) -> Result<PaymentSession, Problem> {
        let key = IdempotencyKey::new(idempotency_key(order, attempt)).map_err(Problem::internal)?;
        let request = self.request(order)?.customize().request_strategy(RequestStrategy::Idempotent(key));
        let session = request.send(&self.client).await.map_err(failed)?;
        if session.amount_total != Some(order.total.amount) {
            let cause =
                format!("order {} is {}, but Stripe asks for {:?}", order.id, order.total, session.amount_total);
            return Err(Problem::internal(cause));
        }
        let expires_at = Timestamp::from_second(session.expires_at).map_err(Problem::internal)?;
        let url = session.url.ok_or_else(|| Problem::internal("Stripe made a session without a page"))?;
        Ok(PaymentSession { id: session.id.to_string(), url, expires_at })
    }

    pub async fn page(&self, session_id: &str) -> Result<Page, Problem> {
        let session: CheckoutSession =
            RetrieveCheckoutSession::new(session_id).send(&self.client).await.map_err(failed)?;
        match session.status {
            Some(CheckoutSessionStatus::Open) => Ok(Page::Open),
            Some(CheckoutSessionStatus::Complete) => Ok(Page::Completed),
            Some(CheckoutSessionStatus::Expired) => Ok(Page::Closed),
            status => Err(Problem::internal(format!("a session of a status that we do not know: {status:?}"))),
        }
    }

    /// Nothing in it depends on the time: an idempotency key goes with the very same request only.
    fn request(&self, order: &Order) -> Result<CreateCheckoutSession, Problem> {
        let name_order = || HashMap::from([("order_id".to_owned(), order.id.to_string())]);
        let lines = order.lines.iter().map(line_item).collect::<Result<Vec<_>, _>>()?;
        let intent = CreateCheckoutSessionPaymentIntentData {
            metadata: Some(name_order()),
            ..CreateCheckoutSessionPaymentIntentData::new()
        };
        let back = format!("{}/orders/{}", self.shop_url, order.id);
        let email = order.contact.email().ok_or_else(|| Problem::internal("a page for nobody"))?;
        Ok(CreateCheckoutSession::new()
            .mode(CheckoutSessionMode::Payment)
            .line_items(lines)
            .client_reference_id(order.id.to_string())
            .customer_email(email.as_str())
            .metadata(name_order())
            .payment_intent_data(intent)
            .success_url(format!("{back}?payment=success"))
            .cancel_url(format!("{back}?payment=cancelled")))
    }
}

fn line_item(line: &PricedLine) -> Result<CreateCheckoutSessionLineItems, Problem> {
    let currency: stripe_types::Currency = line
        .unit_price
        .currency
        .code()
        .to_lowercase()
        .parse()
        .map_err(|_| Problem::internal("a currency that Stripe has not"))?;
    let price = CreateCheckoutSessionLineItemsPriceData {
        unit_amount: Some(line.unit_price.amount),
        product_data: Some(ProductData::new(line.title.as_str())),
        ..CreateCheckoutSessionLineItemsPriceData::new(currency)
    };
    Ok(CreateCheckoutSessionLineItems {
        price_data: Some(price),
        quantity: Some(u64::from(line.quantity.get())),
        ..CreateCheckoutSessionLineItems::new()
    })
}

/// The order stays as it is whatever Stripe answers, so the buyer can always start again.
fn failed(error: StripeError) -> Problem {
    const LATER: &str = "The payment provider does not answer. Your order is kept; please try again in a moment.";
    match error {
        // The error's own text may quote what we sent; its type and code say enough.
        StripeError::Stripe(errors, status @ (429 | 500..)) => {
            Problem::unavailable(format!("Stripe answered {status} {:?}", errors.type_), LATER)
        }
        StripeError::Stripe(errors, status) => match &errors.code {
            Some(code) if code.as_str() == "amount_too_small" => {
                Problem::new(Kind::AmountTooSmall, "The order's total is below what the payment provider takes.")
            }
            code => {
                Problem::internal(format!("Stripe answered {status} {:?} {code:?} {:?}", errors.type_, errors.param))
            }
        },
        StripeError::ClientError(_) | StripeError::Timeout => Problem::unavailable("Stripe did not answer", LATER),
        StripeError::JSONDeserialize(_) | StripeError::ConfigError(_) => {
            Problem::internal("Stripe answered what cannot be read")
        }
    }
}

#[cfg(test)]
mod tests {
    use waybill_domain::cart::Quote;
    use waybill_domain::id::OrderId;
    use waybill_domain::money::Money;
    use waybill_domain::order;

    use super::*;

    fn order() -> Order {
        let price = Money::new(1999, "USD".parse().unwrap());
        let line = PricedLine {
            sku: "TEA".parse().unwrap(),
            product_id: "prd_01K3ZQ8V5E7N9WJ2R4T6Y8B0CD".parse().unwrap(),
            title: "Tea, 100 g".parse().unwrap(),
            quantity: 2.try_into().unwrap(),
            unit_price: price,
            total: price.times(2).unwrap(),
        };
        let buyer = "acc_01K3ZQ8V5E7N9WJ2R4T6Y8B0CD".parse().unwrap();
        let quote = Quote {
            buyer,
            cart_id: "crt_01K3ZQ8V5E7N9WJ2R4T6Y8B0CD".parse().unwrap(),
            cart_version: 1,
            total: line.total,
            lines: vec![line],
        };
        let address = serde_json::json!({
            "name": "Ann Example", "line1": "1 Main St", "city": "Springfield", "postal_code": "62701", "country": "US"
        });
        let address = serde_json::from_value(address).unwrap();
        let id = OrderId::for_placement(buyer, &"key".parse().unwrap());
        order::place(id, quote, "ann@example.com".parse().unwrap(), address, Timestamp::UNIX_EPOCH)
    }

    /// stripe-mock refuses what Stripe's OpenAPI description does not know. What it answers are fixtures.
    #[tokio::test]
    #[allow(clippy::disallowed_methods)] // Who runs the test says where the mock is.
    #[ignore = "needs Stripe's stripe-mock: infra/tools/stripe-requests starts it and runs this"]
    async fn stripes_own_mock_takes_every_request() {
        let url = std::env::var("WAYBILL_STRIPE_MOCK").expect("WAYBILL_STRIPE_MOCK is where stripe-mock listens");
        let stripe = Stripe::new("sk_test_123", &url, "https://shop.example.com").unwrap();
        let key = IdempotencyKey::new("ord_1/1").unwrap();
        let request = stripe.request(&order()).unwrap().customize().request_strategy(RequestStrategy::Idempotent(key));
        let session = request.send(&stripe.client).await.unwrap();
        assert!(stripe.page(&session.id).await.is_ok());
    }
}
