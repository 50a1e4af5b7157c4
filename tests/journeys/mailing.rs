//! The language that customers are mailed in, and mails that do not arrive.

use serde_json::json;
use waybill_tests::{PASSWORD, TestShop, address, eventually, key};

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

/// Has somebody buy whose mails come to an address of SES's mailbox simulator, and answers what is then noted.
async fn noted(shop: &TestShop, address: &str) -> String {
    let buyer = shop.sign_up(address, PASSWORD).await;
    let order = buyer.order(&[("TEA", 1)]).await.text("/id");
    let session = buyer.post(&format!("/v1/orders/{order}/payment-sessions"), json!({})).await.text("/id");
    shop.stripe(&format!("sessions/{session}/pay"), json!({})).await;
    let staff = shop.staff("support").await;
    let note = eventually("the note", async || {
        staff.get(&format!("/v1/admin/orders/{order}/notes")).await.body["items"].as_array()?.first().cloned()
    });
    let note = note.await;
    assert!(note.get("by").is_none(), "{note}");
    let seen = buyer.get(&format!("/v1/orders/{order}")).await;
    assert_eq!(seen.text("/payment_status"), "paid");
    note["text"].as_str().unwrap().to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn staff_see_at_the_order_that_a_mail_came_back_or_was_complained_of() {
    let shop = TestShop::open().await;
    shop.product("TEA", 450, 10).await;
    let note = noted(&shop, "bounce@simulator.amazonses.com").await;
    assert!(note.ends_with("to bounce@simulator.amazonses.com did not arrive: smtp; 550 5.1.1 user unknown"), "{note}");
    assert!(note.starts_with("The mail “"), "{note}");
    let note = noted(&shop, "suppressionlist@simulator.amazonses.com").await;
    assert!(note.contains("did not arrive: SES holds back mails to this address"), "{note}");
    let note = noted(&shop, "complaint@simulator.amazonses.com").await;
    assert!(note.ends_with("to complaint@simulator.amazonses.com was marked as spam"), "{note}");
    shop.stop().await;
}
