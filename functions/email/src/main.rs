//! Mails to the buyer: one for each event that they should hear of, whatever the queue delivers twice.

#![recursion_limit = "256"] // The SDK nests its futures deeper than the compiler looks by default.

use aws_sdk_sesv2::Client;
use aws_sdk_sesv2::error::{BuildError, ProvideErrorMetadata, SdkError};
use aws_sdk_sesv2::types::{Body, Content, Destination, EmailContent, Message as MailMessage};
use email::{Mail, Shop, compose};
use waybill_domain::message::Message;
use waybill_lambda::aws::Aws;
use waybill_lambda::{Error, batch, clock, log, settings};
use waybill_storage::mails::Claim;
use waybill_storage::{StorageError, Table};

#[derive(Debug, thiserror::Error)]
enum MailError {
    #[error(transparent)]
    Storage(#[from] StorageError),
    #[error("a mail cannot be composed: {0}")]
    Compose(#[from] email::ComposeError),
    #[error("a mail cannot be built: {0}")]
    Build(#[from] BuildError),
    #[error("SES did not take a mail: {0}")]
    Send(String),
    #[error("another run is sending the mail")]
    Held,
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    log::start();
    let (from, configuration_set, shop) = settings::read(|variables| {
        let shop = Shop { name: variables.text("SHOP_NAME"), url: variables.text("SHOP_URL") };
        (variables.text("MAIL_FROM"), variables.text("MAIL_CONFIGURATION_SET"), shop)
    })?;
    let aws = Aws::from_environment()?;
    let (sender, table) = (Sender { client: aws.mail(), from, configuration_set }, aws.table()?);
    batch::run(|message| mail(&sender, &table, &shop, message)).await
}

async fn mail(sender: &Sender, table: &Table, shop: &Shop, message: Message) -> Result<(), MailError> {
    let Some(mail) = compose(shop, &message)? else { return Ok(()) };
    match table.claim_mail(&message.id, clock::now()).await? {
        Claim::Granted => {}
        Claim::Sent => return Ok(()),
        Claim::Held => return Err(MailError::Held),
    }
    match sender.send(message.order.email.as_str(), mail).await {
        Ok(ses_id) => Ok(table.mail_sent(&message.id, &ses_id, clock::now()).await?),
        Err(error) => {
            table.release_mail(&message.id).await?;
            Err(error)
        }
    }
}

struct Sender {
    client: Client,
    from: String,
    /// Of SES: what becomes of bounces and complaints.
    configuration_set: String,
}

impl Sender {
    /// SES's id of the mail.
    async fn send(&self, to: &str, mail: Mail) -> Result<String, MailError> {
        let content = |text: String| Content::builder().charset("UTF-8").data(text).build();
        let body = Body::builder().text(content(mail.text)?).html(content(mail.html)?).build();
        let message = MailMessage::builder().subject(content(mail.subject)?).body(body).build();
        let sent = self
            .client
            .send_email()
            .from_email_address(&self.from)
            .configuration_set_name(&self.configuration_set)
            .destination(Destination::builder().to_addresses(to).build())
            .content(EmailContent::builder().simple(message).build())
            .send()
            .await
            .map_err(|error| MailError::Send(reason(&error)))?;
        Ok(sent.message_id.unwrap_or_default())
    }
}

/// SES's code, or what kept the call from SES. Its message may quote the address.
fn reason<E: ProvideErrorMetadata>(error: &SdkError<E>) -> String {
    error.code().map_or_else(|| error.to_string(), ToOwned::to_owned)
}
