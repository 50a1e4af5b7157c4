//! The language that customers are mailed in.

use serde_json::json;
use waybill_tests::{TestShop, address, eventually, key};

#[tokio::test(flavor = "multi_thread")]
async fn a_customer_is_mailed_in_the_language_of_the_order_else_of_the_account_else_of_the_shop() {
    let shop = TestShop::open().await;
    shop.product("TEA", 450, 10).await;
    let customer = shop.customer().await;
    let pay = async |language: Option<&str>| {
        let quote = customer.quote(&[("TEA", 1)]).await;
        let mut body = json!({ "quote": quote, "shipping_address": address() });
        if let Some(language) = language {
            body["language"] = json!(language);
        }
        let order = customer.post_once("/v1/orders", &key(), body).await.text("/id");
        let session = customer.post(&format!("/v1/orders/{order}/payment-sessions"), json!({})).await.text("/id");
        shop.stripe(&format!("sessions/{session}/pay"), json!({})).await;
        let mail = eventually("the confirmation", async || {
            let mails = shop.order_mails_to(&customer.email).await;
            mails.into_iter().find(|mail| mail["text"].as_str().unwrap().contains(&order))
        });
        mail.await["text"].as_str().unwrap().to_owned()
    };
    let says = |mail: &str, words: &str| assert!(mail.contains(words), "{words} is not in {mail}");
    says(&pay(None).await, "We have received your payment");

    // There is no Austrian translation, and German is nearest.
    let changed = customer.patch("/v1/account", json!({ "language": "de-AT" })).await;
    assert_eq!((changed.status, changed.text("/language")), (200, "de-AT".into()));
    let german = pay(None).await;
    says(&german, "Ihre Zahlung ist eingegangen");
    says(&german, "4,50\u{a0}$");
    says(&pay(Some("en")).await, "We have received your payment");
    // Nobody has translated the mails into French: they are in the shop's own language.
    says(&pay(Some("fr")).await, "We have received your payment");

    let back = customer.patch("/v1/account", json!({ "language": null })).await;
    assert_eq!((back.status, back.body.get("language")), (200, None));
    says(&pay(None).await, "We have received your payment");
    for bad in ["german", "d", "de-de", "DE", ""] {
        let refused = customer.patch("/v1/account", json!({ "language": bad })).await;
        refused.assert_problem(422, "invalid");
        assert_eq!(refused.text("/errors/0/pointer"), "/language");
    }
    shop.stop().await;
}
