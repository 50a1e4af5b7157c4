//! The least that a function can be that answers a request by one call of the table: GET reads an item, POST writes six in
//! one transaction. What the shop's functions add to that, they are held against.

#![expect(clippy::disallowed_methods)] // It has no settings worth a crate.

use std::env::var;

use aws_credential_types::Credentials;
use aws_sdk_dynamodb::config::{BehaviorVersion, Region};
use aws_sdk_dynamodb::types::AttributeValue::S;
use aws_sdk_dynamodb::types::{Put, TransactWriteItem};
use aws_sdk_dynamodb::{Client, Config};
use aws_smithy_http_client::Builder;
use aws_smithy_http_client::tls::rustls_provider::CryptoMode;
use aws_smithy_http_client::tls::{Provider, TlsContext, TrustStore};
use lambda_http::{Body, Error, Request, Response, run, service_fn};

/// As many items as an order of one line is, each of about as many bytes.
const WRITTEN: usize = 6;
const BYTES: usize = 500;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    let (key, secret) = (var("AWS_ACCESS_KEY_ID")?, var("AWS_SECRET_ACCESS_KEY")?);
    // Nobody is trusted, and nobody has to be: the table is on localhost.
    let tls = TlsContext::builder().with_trust_store(TrustStore::empty()).build()?;
    let http = Builder::new().tls_provider(Provider::Rustls(CryptoMode::AwsLc)).tls_context(tls).build_https();
    let config = Config::builder()
        .behavior_version(BehaviorVersion::latest())
        .region(Region::new(var("AWS_REGION")?))
        .credentials_provider(Credentials::new(key, secret, None, None, "environment"))
        .http_client(http)
        .endpoint_url(var("AWS_ENDPOINT_URL_DYNAMODB")?)
        .build();
    let (client, table) = (&Client::from_conf(config), &var("TABLE_NAME")?);
    // As the shop's functions do, so that the first request finds the connection open.
    read(client, table).await?;
    run(service_fn(|request: Request| async move {
        let body = if request.method() == "POST" {
            write(client, table).await?;
            "{\"written\":true}".to_owned()
        } else {
            format!("{{\"found\":{}}}", read(client, table).await?)
        };
        Ok::<_, Error>(Response::builder().header("content-type", "application/json").body(Body::from(body))?)
    }))
    .await
}

async fn read(client: &Client, table: &str) -> Result<bool, Error> {
    let item = client.get_item().table_name(table).key("pk", S("BARE".into())).key("sk", S("0".into()));
    Ok(item.send().await?.item.is_some())
}

async fn write(client: &Client, table: &str) -> Result<(), Error> {
    let mut transaction = client.transact_write_items();
    for number in 0..WRITTEN {
        let put = Put::builder()
            .table_name(table)
            .item("pk", S("BARE".into()))
            .item("sk", S(number.to_string()))
            .item("text", S("x".repeat(BYTES)))
            .condition_expression("attribute_not_exists(gone)");
        transaction = transaction.transact_items(TransactWriteItem::builder().put(put.build()?).build());
    }
    transaction.send().await?;
    Ok(())
}
