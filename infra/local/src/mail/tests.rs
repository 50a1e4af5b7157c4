//! Mails as the real SDK sends them, and the page that shows them.

use aws_sdk_sesv2::types::{Body, Content, Destination, EmailContent, Message, RawMessage};
use axum::body::Body as HttpBody;
use axum::http::Request;
use http_body_util::BodyExt;
use tower::ServiceExt;

use super::page;
use crate::sdk::{Endpoint, Folder, idle};
use crate::template::Template;

fn content(data: &str) -> Content {
    Content::builder().data(data).charset("UTF-8").build().unwrap()
}

fn simple(subject: &str, text: &str, html: &str) -> EmailContent {
    let body = Body::builder().text(content(text)).html(content(html)).build();
    EmailContent::builder().simple(Message::builder().subject(content(subject)).body(body).build()).build()
}

async fn send(endpoint: &Endpoint, to: &str, mail: EmailContent) -> Result<String, aws_sdk_sesv2::Error> {
    let destination = Destination::builder().to_addresses(to).build();
    let send = endpoint.ses().send_email().from_email_address("Shop <shop@example.com>").destination(destination);
    Ok(send.content(mail).send().await?.message_id.unwrap_or_default())
}

async fn get(endpoint: &Endpoint, path: &str) -> (u16, String) {
    let request = Request::get(path).body(HttpBody::empty()).unwrap();
    let response = page(endpoint.aws.outbox.clone()).oneshot(request).await.unwrap();
    let status = response.status().as_u16();
    let bytes = response.into_body().collect().await.unwrap().to_bytes();
    (status, String::from_utf8(bytes.to_vec()).unwrap())
}

#[tokio::test]
async fn a_mail_that_was_sent_is_in_the_outbox_also_after_a_restart() {
    let folder = Folder::new();
    let endpoint = Endpoint::open(&Template::default(), Some(&folder), idle()).await;
    let first = send(&endpoint, "ann@example.com", simple("One", "text", "<p>html</p>")).await.unwrap();
    let second = send(&endpoint, "bob@example.com", simple("Two", "text", "<p>html</p>")).await.unwrap();
    let mails = endpoint.aws.outbox.mails();
    assert_eq!(mails.iter().map(|mail| &mail.id).collect::<Vec<_>>(), [&second, &first]);
    assert_eq!((mails[1].subject.as_str(), mails[1].to.as_slice()), ("One", ["ann@example.com".to_owned()].as_slice()));
    assert_eq!((mails[1].text.as_deref(), mails[1].html.as_deref()), (Some("text"), Some("<p>html</p>")));

    let after = Endpoint::open(&Template::default(), Some(&folder), idle()).await;
    assert_eq!(after.aws.outbox.mails(), mails);
}

#[tokio::test]
async fn what_ses_would_refuse_or_is_not_played_is_a_bad_request() {
    let endpoint = Endpoint::open(&Template::default(), None, idle()).await;
    let raw = EmailContent::builder().raw(RawMessage::builder().data(Vec::from("x").into()).build().unwrap()).build();
    let cases = [("nobody", simple("s", "t", "h")), ("ann@example.com", raw)];
    for (to, mail) in cases {
        let error = send(&endpoint, to, mail).await.unwrap_err();
        assert!(matches!(error, aws_sdk_sesv2::Error::BadRequestException(_)), "{error:?}");
    }
    assert!(endpoint.aws.outbox.mails().is_empty());
}

#[tokio::test]
async fn the_page_lists_mails_and_shows_one_without_letting_it_run_anything() {
    let endpoint = Endpoint::open(&Template::default(), None, idle()).await;
    assert!(get(&endpoint, "/").await.1.contains("No mail yet"));
    let subject = "{{open}} <script>alert(1)</script>";
    let id = send(&endpoint, "ann@example.com", simple(subject, "plain & simple", "<h1>Hi</h1>")).await.unwrap();

    let (_, list) = get(&endpoint, "/").await;
    assert!(list.contains("ann@example.com") && list.contains("{{open}} &lt;script&gt;alert(1)"), "{list}");
    let (_, shown) = get(&endpoint, &format!("/mails/{id}")).await;
    assert!(shown.contains("sandbox=\"allow-popups allow-popups-to-escape-sandbox\""), "{shown}");
    let (_, text) = get(&endpoint, &format!("/mails/{id}?as=text")).await;
    assert!(text.contains("<pre>plain &amp; simple</pre>"), "{text}");
    let (_, html) = get(&endpoint, &format!("/mails/{id}/html")).await;
    assert!(html.ends_with("<h1>Hi</h1>"));
    assert_eq!(get(&endpoint, "/mails/none").await.0, 404);

    let (_, json) = get(&endpoint, "/api/mails?to=ann@example.com").await;
    let json: serde_json::Value = serde_json::from_str(&json).unwrap();
    assert_eq!(json["items"][0]["id"], id);
}
