//! Payment intents: the shop's own front has the buyer pay, without a page of Stripe's.

use serde_json::{Value, json};
use waybill_tests::{Answer, Person, TestShop, eventually, key};

struct Shop {
    shop: TestShop,
    product: String,
    buyer: Person,
    order: String,
}

impl Shop {
    /// A shop with an order of one of ten units that nobody has begun to pay.
    async fn open() -> Shop {
        let shop = TestShop::open().await;
        let product = shop.product("TEA", 1350, 10).await.text("/id");
        let buyer = shop.customer().await;
        let order = buyer.order(&[("TEA", 1)]).await.text("/id");
        Shop { shop, product, buyer, order }
    }

    async fn start(&self, way: &str) -> Answer {
        self.buyer.post(&format!("/v1/orders/{}/{way}", self.order), json!({})).await
    }

    /// What the buyer, their bank or somebody in Stripe's dashboard does.
    async fn at_stripe(&self, id: &str, what: &str) -> u16 {
        self.shop.stripe(&format!("sessions/{id}/{what}"), json!({})).await.status
    }

    async fn shown(&self) -> Value {
        self.buyer.get(&format!("/v1/orders/{}", self.order)).await.body
    }

    async fn until(&self, payment_status: &str) {
        let look = async || (self.shown().await["payment_status"] == payment_status).then_some(());
        eventually(&format!("an order that is {payment_status}"), look).await;
    }

    /// How often Stripe has taken the money.
    async fn taken(&self) -> usize {
        let events = self.shop.stripe_events().await;
        events.iter().filter(|event| event["type"] == "payment_intent.succeeded").count()
    }
}

const INTENTS: &str = "payment-intents";
const PAGES: &str = "payment-sessions";

#[tokio::test(flavor = "multi_thread")]
async fn an_order_is_paid_in_the_shops_own_front_after_a_card_that_was_declined() {
    let shop = Shop::open().await;
    let first = shop.start(INTENTS).await;
    assert_eq!((first.status, &first.body["amount"]), (201, &json!({ "amount": 1350, "currency": "USD" })));
    let (id, secret) = (first.text("/id"), first.text("/client_secret"));
    assert!(secret.starts_with(&format!("{id}_secret_")), "{secret}");
    let again = shop.start(INTENTS).await;
    assert_eq!((again.status, again.text("/id"), again.text("/client_secret")), (200, id.clone(), secret.clone()));
    assert!(!shop.shown().await.to_string().contains(&secret), "it is told to nobody who did not ask for it");
    assert_eq!(shop.at_stripe(&id, "decline").await, 200);
    shop.until("failed").await;
    assert_eq!(shop.start(INTENTS).await.text("/id"), id);
    assert_eq!(shop.at_stripe(&id, "pay").await, 200);
    shop.until("paid").await;
    shop.start(INTENTS).await.assert_problem(409, "order-state");
    let refund = json!({ "amount": { "amount": 1350, "currency": "USD" } });
    let path = format!("/v1/admin/orders/{}/refunds", shop.order);
    assert_eq!(shop.shop.administrator().await.post_once(&path, &key(), refund).await.status, 201);
    shop.until("refunded").await;
    assert_eq!(shop.taken().await, 1);
    shop.shop.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_page_and_an_intent_make_way_for_each_other_and_only_one_is_paid() {
    let shop = Shop::open().await;
    let page = shop.start(PAGES).await.text("/id");
    let intent = shop.start(INTENTS).await;
    assert_eq!((intent.status, shop.at_stripe(&page, "pay").await), (201, 409), "{}", intent.body);
    let next = shop.start(PAGES).await;
    assert_eq!((next.status, shop.at_stripe(&intent.text("/id"), "pay").await), (201, 409), "{}", next.body);
    // Paid a moment before the other way is asked for.
    shop.shop.stripe("faults", json!({ "hold": true })).await;
    assert_eq!(shop.at_stripe(&next.text("/id"), "pay").await, 200);
    shop.start(INTENTS).await.assert_problem(409, "payment-pending");
    shop.shop.stripe("faults", json!({ "hold": false })).await;
    shop.until("paid").await;
    assert_eq!(shop.taken().await, 1);
    shop.shop.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn of_pages_and_intents_that_are_asked_for_at_once_one_at_most_can_be_paid() {
    let shop = Shop::open().await;
    let asked = tokio::join!(
        shop.start(PAGES),
        shop.start(INTENTS),
        shop.start(PAGES),
        shop.start(INTENTS),
        shop.start(INTENTS)
    );
    let told: Vec<_> = [asked.0, asked.1, asked.2, asked.3, asked.4].into_iter().collect();
    let mut paid = 0;
    for answer in told {
        assert!([200, 201, 409].contains(&answer.status), "{}", answer.body);
        if answer.status != 409 && shop.at_stripe(&answer.text("/id"), "pay").await == 200 {
            paid += 1;
        }
    }
    if paid == 0 {
        // Each has closed the other's.
        let page = shop.start(PAGES).await.text("/id");
        assert_eq!(shop.at_stripe(&page, "pay").await, 200);
    }
    shop.until("paid").await;
    assert_eq!((shop.taken().await, paid.max(1)), (1, 1));
    shop.shop.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_intent_ends_with_its_order_or_in_the_dashboard_and_can_be_paid_no_more() {
    let shop = Shop::open().await;
    let first = shop.start(INTENTS).await.text("/id");
    // As somebody cancels it in Stripe's dashboard.
    assert_eq!(shop.at_stripe(&first, "expire").await, 200);
    let expired = async || {
        let timeline = shop.shown().await["timeline"].to_string();
        timeline.contains("order.payment_expired").then_some(())
    };
    eventually("an attempt that is over", expired).await;
    let second = shop.start(INTENTS).await;
    assert_eq!(second.status, 201, "{}", second.body);
    assert_ne!(second.text("/id"), first);
    let sweep = json!({ "expire_orders": { "older_than_minutes": 0 } });
    assert_eq!(shop.shop.invoke("sweep", sweep).await, json!({ "expired": 1, "paid": 0, "left": 0 }));
    assert_eq!(shop.shown().await["payment_status"], "expired");
    assert_eq!(shop.at_stripe(&second.text("/id"), "pay").await, 409);
    let back = async || (shop.shop.available(&shop.product, "TEA").await == 10).then_some(());
    eventually("the unit that can be ordered again", back).await;
    shop.start(INTENTS).await.assert_problem(409, "order-state");
    assert_eq!(shop.taken().await, 0);
    shop.shop.stop().await;
}
