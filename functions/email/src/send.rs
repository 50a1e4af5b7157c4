//! Sending mails: one for each message, whatever the queue delivers twice.

use aws_sdk_sesv2::error::{BuildError, ProvideErrorMetadata};
use aws_sdk_sesv2::operation::send_email::{SendEmail, SendEmailError, SendEmailInput, SendEmailOutput};
use aws_sdk_sesv2::types::{Body, Content, Destination, EmailContent, Message as MailMessage, MessageTag};
use waybill_aws::{Client, Failed, Operation, RuntimePlugin};
use waybill_domain::SignedDuration;
use waybill_domain::id::OrderId;
use waybill_domain::message::{AccountMessage, StockEvent, StockMessage};
use waybill_domain::text::Email;
use waybill_lambda::batch::{Mailable, Queued};
use waybill_lambda::clock;
use waybill_lambda::links::Links;
use waybill_storage::letters;
use waybill_storage::mails::Claim;
use waybill_storage::{StorageError, Table};

use crate::{ComposeError, Job, Mail, Shop, compose, compose_letter, compose_stock, feedback};

#[cfg(test)]
mod tests;

static SEND_EMAIL: Operation<SendEmailInput, SendEmailOutput, SendEmailError> =
    Operation::new(|| SendEmail::new().config());

#[derive(Debug, thiserror::Error)]
pub enum MailError {
    #[error(transparent)]
    Storage(#[from] StorageError),
    #[error("a mail cannot be composed: {0}")]
    Compose(#[from] ComposeError),
    #[error("a mail cannot be built: {0}")]
    Build(#[from] BuildError),
    #[error("SES did not take a mail: {0}")]
    Send(String),
    #[error("SES will not take a mail: {0}")]
    Refused(String),
    #[error("another run is sending the mail")]
    Held,
}

/// Sends the mail that a message calls for, `staff` hears of stock that runs low; or takes in what became of one.
pub async fn work_off(
    sender: &Sender,
    shop: &Shop,
    links: &Links,
    staff: Option<&Email>,
    job: Job,
) -> Result<(), MailError> {
    let message = match job {
        Job::Mail(message) => message,
        Job::Feedback(told) => return Ok(feedback::take_in(&sender.table, &told, clock::now()).await?),
    };
    let (to, mail) = match &message {
        Mailable::Stock(message) => match hears_of(message, staff) {
            Some(to) => (to, compose_stock(shop, message)?),
            None => return Ok(()),
        },
        Mailable::Order(message) => (&message.order.email, compose(shop, message)?),
        Mailable::Account(message) => (&message.to, letter(&sender.table, shop, links, message).await?),
    };
    let Some(mail) = mail else { return Ok(()) };
    let order = match &message {
        Mailable::Order(message) => Some(message.order.id),
        Mailable::Account(_) | Mailable::Stock(_) => None,
    };
    let (id, subject) = (message.id(), mail.subject.clone());
    match (sender.send_once(&id, to, order, mail).await, order) {
        // To ask again is in vain; staff can reach the buyer in another way.
        (Err(MailError::Refused(why)), Some(order)) => {
            Ok(feedback::refused(&sender.table, order, &id, &subject, to.as_str(), &why, clock::now()).await?)
        }
        (sent, _) => sent,
    }
}

/// Who is mailed about stock: staff when little is left, and whoever waited.
fn hears_of<'a>(message: &'a StockMessage, staff: Option<&'a Email>) -> Option<&'a Email> {
    match &message.event {
        StockEvent::Low { .. } => staff,
        StockEvent::Returned { to, .. } => Some(to),
        StockEvent::Changed => None,
    }
}

/// The mail about an account. Only here is looked up whether the address has one, and only here the link is made.
async fn letter(
    table: &Table,
    shop: &Shop,
    links: &Links,
    message: &AccountMessage,
) -> Result<Option<Mail>, MailError> {
    let is_dead = clock::now() >= message.at + SignedDuration::from_secs(letters::lifetime(message.event));
    if is_dead && message.event.has_link() {
        tracing::warn!(letter.id = %message.id, "a mail came too late: its link is not good any more");
        return Ok(None);
    }
    let credentials = table.credentials(&message.to).await?;
    let language = match (&message.language, &credentials) {
        (Some(language), _) => Some(language.clone()),
        (None, Some(known)) => table.holder(known.account_id).await?.and_then(|holder| holder.language),
        (None, None) => None,
    };
    let token = links.token(&message.to, message.id);
    Ok(compose_letter(shop, language.as_ref(), message.event, credentials.is_some(), &token)?)
}

pub struct Sender {
    pub client: Client,
    pub table: Table,
    pub from: String,
    /// Of SES: what becomes of bounces and complaints.
    pub configuration_set: String,
}

impl Sender {
    /// Sends the mail of a message, unless it is out already.
    async fn send_once(&self, message: &str, to: &Email, order: Option<OrderId>, mail: Mail) -> Result<(), MailError> {
        match self.table.claim_mail(message, clock::now()).await? {
            Claim::Granted => {}
            Claim::Sent => return Ok(()),
            Claim::Held => return Err(MailError::Held),
        }
        match self.send(to.as_str(), order, mail).await {
            Ok(ses_id) => Ok(self.table.mail_sent(message, &ses_id, clock::now()).await?),
            Err(error) => {
                self.table.release_mail(message).await?;
                Err(error)
            }
        }
    }

    /// SES's id of the mail.
    async fn send(&self, to: &str, order: Option<OrderId>, mail: Mail) -> Result<String, MailError> {
        let request = request(&self.from, &self.configuration_set, to, order, mail)?;
        let sent = self.client.call(&SEND_EMAIL, Ok(request)).await.map_err(|error| match reason(&error) {
            // What no second try changes, such as a domain that cannot be one. All else may be the shop's own settings.
            why if why == "BadRequestException" => MailError::Refused(why),
            why => MailError::Send(why),
        })?;
        Ok(sent.message_id.unwrap_or_default())
    }
}

/// What SES is asked to send. Each part is a field of its own: SES makes the headers, and encodes what stands in them.
/// SES tells the order again with whatever becomes of the mail.
fn request(
    from: &str,
    configuration_set: &str,
    to: &str,
    order: Option<OrderId>,
    mail: Mail,
) -> Result<SendEmailInput, BuildError> {
    let tag = |order: OrderId| MessageTag::builder().name("order").value(order.to_string()).build();
    let content = |text: String| Content::builder().charset("UTF-8").data(text).build();
    let body = Body::builder().text(content(mail.text)?).html(content(mail.html)?).build();
    let message = MailMessage::builder().subject(content(mail.subject)?).body(body).build();
    SendEmailInput::builder()
        .from_email_address(from)
        .configuration_set_name(configuration_set)
        .set_email_tags(order.map(tag).transpose()?.map(|tag| vec![tag]))
        .destination(Destination::builder().to_addresses(to).build())
        .content(EmailContent::builder().simple(message).build())
        .build()
}

/// SES's code, or what kept the call from SES. Its message may quote the address.
fn reason<E: ProvideErrorMetadata>(error: &Failed<E>) -> String {
    error.code().map_or_else(|| error.to_string(), ToOwned::to_owned)
}
