//! The queues as the real SDK sees them.

use std::time::Duration;

use aws_sdk_sqs::primitives::Blob;
use aws_sdk_sqs::types::{
    MessageAttributeValue, MessageSystemAttributeName, QueueAttributeName, SendMessageBatchRequestEntry,
};
use tokio::time::Instant;

use crate::sdk::{Endpoint, Folder, idle};
use crate::template::{DeadLetters, Queue, Template};

const SECOND: Duration = Duration::from_secs(1);

fn template(visibility_timeout: Duration) -> Template {
    let queue = |name: &str, dead_letters| Queue {
        name: name.to_owned(),
        visibility_timeout,
        retention: SECOND * 3600,
        dead_letters,
    };
    let dead_letters = DeadLetters { queue: "Dead".to_owned(), max_receive_count: 2 };
    Template { queues: vec![queue("Mail", Some(dead_letters)), queue("Dead", None)], ..Template::default() }
}

async fn endpoint(visibility_timeout: Duration) -> (Endpoint, aws_sdk_sqs::Client, String) {
    let endpoint = Endpoint::open(&template(visibility_timeout), None, idle()).await;
    let (client, url) = (endpoint.sqs(), endpoint.aws.queues.url("Mail"));
    (endpoint, client, url)
}

#[tokio::test]
async fn a_message_is_received_as_it_was_sent_and_gone_once_it_is_deleted() {
    let (endpoint, client, url) = endpoint(SECOND * 30).await;
    let text = MessageAttributeValue::builder().data_type("String").string_value("a ä").build().unwrap();
    let bytes = MessageAttributeValue::builder().data_type("Binary").binary_value(Blob::new([0, 255])).build().unwrap();
    let send = client.send_message().queue_url(&url).message_body("{\"é\":1}");
    let sent = send.message_attributes("text", text).message_attributes("bytes", bytes).send().await.unwrap();

    let receive = client.receive_message().queue_url(&url).message_attribute_names("All");
    let received = receive.message_system_attribute_names(MessageSystemAttributeName::All).send().await.unwrap();
    let message = &received.messages()[0];
    assert_eq!(message.body(), Some("{\"é\":1}"));
    assert_eq!(message.message_id(), sent.message_id());
    assert_eq!(message.md5_of_message_attributes(), sent.md5_of_message_attributes());
    assert_eq!(message.message_attributes().unwrap()["bytes"].binary_value().unwrap().as_ref(), [0, 255]);
    assert_eq!(message.attributes().unwrap()[&MessageSystemAttributeName::ApproximateReceiveCount], "1");

    let again = client.receive_message().queue_url(&url).send().await.unwrap();
    assert!(again.messages().is_empty(), "invisible while it is held");
    client.delete_message().queue_url(&url).receipt_handle(message.receipt_handle().unwrap()).send().await.unwrap();
    assert!(endpoint.aws.queues.peek("Mail").unwrap().is_empty());
}

#[test]
fn the_md5_of_attributes_is_amazons() {
    let attribute = super::MessageAttribute {
        data_type: "String".to_owned(),
        string_value: Some("value".to_owned()),
        binary_value: None,
    };
    let by_hand = b"\0\0\0\x04name\0\0\0\x06String\x01\0\0\0\x05value";
    let attributes = [("name".to_owned(), attribute)].into();
    assert_eq!(super::wire::md5_of_attributes(&attributes), super::wire::md5_hex(by_hand));
    assert_eq!(super::wire::md5_hex(b"hello"), "5d41402abc4b2a76b9719d911017c592");
}

#[tokio::test]
async fn a_message_that_is_not_deleted_comes_again_when_its_time_is_over_and_then_is_a_dead_letter() {
    let (endpoint, client, url) = endpoint(Duration::from_millis(200)).await;
    client.send_message().queue_url(&url).message_body("hello").send().await.unwrap();
    let receive = || client.receive_message().queue_url(&url).wait_time_seconds(1).send();
    let start = Instant::now();
    let first = receive().await.unwrap().messages()[0].receipt_handle().unwrap().to_owned();
    let second = receive().await.unwrap();
    assert!(start.elapsed() >= Duration::from_millis(190));
    assert_eq!(second.messages().len(), 1);
    client.delete_message().queue_url(&url).receipt_handle(first).send().await.unwrap();

    assert!(receive().await.unwrap().messages().is_empty(), "received twice, as often as its queue allows");
    let dead = client.receive_message().queue_url(endpoint.aws.queues.url("Dead"));
    let dead = dead.message_system_attribute_names(MessageSystemAttributeName::All).send().await.unwrap();
    let attributes = dead.messages()[0].attributes().unwrap();
    let source = &attributes[&MessageSystemAttributeName::DeadLetterQueueSourceArn];
    assert_eq!(source, "arn:aws:sqs:us-east-1:000000000000:Mail");
    assert_eq!(attributes[&MessageSystemAttributeName::ApproximateReceiveCount], "3");
}

#[tokio::test]
async fn a_long_poll_ends_when_a_message_arrives() {
    let (_endpoint, client, url) = endpoint(SECOND * 30).await;
    let waiting = tokio::spawn(client.receive_message().queue_url(&url).wait_time_seconds(10).send());
    tokio::time::sleep(Duration::from_millis(100)).await;
    let start = Instant::now();
    client.send_message().queue_url(&url).message_body("hello").send().await.unwrap();
    assert_eq!(waiting.await.unwrap().unwrap().messages().len(), 1);
    assert!(start.elapsed() < SECOND);
}

#[tokio::test]
async fn visibility_zero_gives_a_message_back_at_once() {
    let (_endpoint, client, url) = endpoint(SECOND * 30).await;
    client.send_message().queue_url(&url).message_body("hello").send().await.unwrap();
    let received = client.receive_message().queue_url(&url).send().await.unwrap();
    let receipt = received.messages()[0].receipt_handle().unwrap();
    let give_back = || client.change_message_visibility().queue_url(&url).receipt_handle(receipt).visibility_timeout(0);
    give_back().send().await.unwrap();
    let refused = give_back().send().await.unwrap_err().into_service_error();
    assert!(refused.is_message_not_inflight(), "{refused}");
    assert_eq!(client.receive_message().queue_url(&url).send().await.unwrap().messages().len(), 1);
}

#[tokio::test]
async fn of_a_batch_only_the_bad_entry_fails() {
    let (endpoint, client, url) = endpoint(SECOND * 30).await;
    let entry =
        |id: &str, body: &str| SendMessageBatchRequestEntry::builder().id(id).message_body(body).build().unwrap();
    let send = client.send_message_batch().queue_url(&url);
    let answer = send.entries(entry("a", "one")).entries(entry("b", "\u{1}")).entries(entry("c", "two")).send();
    let answer = answer.await.unwrap();
    assert_eq!(answer.successful().iter().map(|entry| entry.id()).collect::<Vec<_>>(), ["a", "c"]);
    assert_eq!((answer.failed()[0].id(), answer.failed()[0].code()), ("b", "InvalidMessageContents"));
    assert_eq!(endpoint.aws.queues.counts("Mail").unwrap().visible, 2);

    let twice = client.send_message_batch().queue_url(&url).entries(entry("a", "one")).entries(entry("a", "one"));
    let refused = twice.send().await.unwrap_err().into_service_error();
    assert!(refused.is_batch_entry_ids_not_distinct(), "{refused}");
}

#[tokio::test]
async fn attributes_and_url_are_the_queues_own() {
    let (_endpoint, client, url) = endpoint(SECOND * 30).await;
    let found = client.get_queue_url().queue_name("Mail").send().await.unwrap();
    assert_eq!(found.queue_url(), Some(url.as_str()));
    let answer = client.get_queue_attributes().queue_url(&url).attribute_names(QueueAttributeName::All).send().await;
    let answer = answer.unwrap();
    let attributes = answer.attributes().unwrap();
    assert_eq!(attributes[&QueueAttributeName::VisibilityTimeout], "30");
    assert!(attributes[&QueueAttributeName::RedrivePolicy].contains("\"maxReceiveCount\":2"));
}

#[tokio::test]
async fn what_is_not_there_or_not_played_is_said() {
    let (endpoint, client, _) = endpoint(SECOND * 30).await;
    let missing = client.send_message().queue_url(endpoint.aws.queues.url("Nope")).message_body("x").send().await;
    assert!(missing.unwrap_err().into_service_error().is_queue_does_not_exist());
    let unknown = client.create_queue().queue_name("More").send().await.unwrap_err().into_service_error();
    assert!(unknown.meta().message().unwrap().contains("AmazonSQS.CreateQueue is not played here"), "{unknown:?}");
}

#[tokio::test]
async fn a_restart_keeps_the_messages_and_gives_back_those_that_were_held() {
    let folder = Folder::new();
    let before = Endpoint::open(&template(SECOND * 600), Some(&folder), idle()).await;
    let url = before.aws.queues.url("Mail");
    before.sqs().send_message().queue_url(&url).message_body("held").send().await.unwrap();
    let held = before.sqs().receive_message().queue_url(&url).send().await.unwrap();
    assert_eq!(held.messages().len(), 1);
    before.sqs().send_message().queue_url(&url).message_body("waiting").send().await.unwrap();
    before.aws.close().await.unwrap();

    let after = Endpoint::open(&template(SECOND * 600), Some(&folder), idle()).await;
    let url = after.aws.queues.url("Mail");
    let received = after.sqs().receive_message().queue_url(&url).max_number_of_messages(10).send().await.unwrap();
    assert_eq!(
        received.messages().iter().filter_map(|message| message.body()).collect::<Vec<_>>(),
        ["held", "waiting"]
    );
}

#[tokio::test]
async fn a_change_is_written_without_being_asked_for() {
    let folder = Folder::new();
    let endpoint = Endpoint::open(&template(SECOND), Some(&folder), idle()).await;
    let url = endpoint.aws.queues.url("Mail");
    endpoint.sqs().send_message().queue_url(&url).message_body("kept").send().await.unwrap();
    let until = Instant::now() + SECOND * 5;
    while !std::fs::read_to_string(folder.join("queues.json")).is_ok_and(|kept| kept.contains("kept")) {
        assert!(Instant::now() < until, "nothing was written");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}
