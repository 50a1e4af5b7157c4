//! SES's SendEmail, into an outbox that can be looked at; and its mailbox simulator, whose addresses mails come back from.

mod page;
mod simulator;
#[cfg(test)]
mod tests;

use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use axum::body::Bytes;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use jiff::Timestamp;
use serde::de::IgnoredAny;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::aws::{Aws, OpenError, Refusal, input};
use crate::queues::Letter;

pub use page::router as page;

const FILE: &str = "mails.jsonl";
const MOST_RECIPIENTS: usize = 50;

/// The mails that were sent. Clones share them.
#[derive(Clone)]
pub struct Outbox(Arc<Inner>);

struct Inner {
    path: Option<PathBuf>,
    mails: Mutex<Vec<Mail>>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Mail {
    pub id: String,
    pub at: Timestamp,
    pub from: String,
    pub to: Vec<String>,
    pub cc: Vec<String>,
    pub bcc: Vec<String>,
    pub reply_to: Vec<String>,
    pub subject: String,
    pub text: Option<String>,
    pub html: Option<String>,
    /// Name and value of the headers that the sender added.
    pub headers: Vec<(String, String)>,
    /// Name and value of SES's tags.
    pub tags: Vec<(String, String)>,
}

impl Outbox {
    pub fn open(folder: Option<&Path>) -> Result<Outbox, OpenError> {
        let path = folder.map(|folder| folder.join(FILE));
        let mut mails = Vec::new();
        if let Some(path) = &path
            && path.exists()
        {
            let kept = std::fs::read_to_string(path).map_err(OpenError::file(path))?;
            // The last line may be half written: the program was ended in the middle of it, before SES answered.
            let whole = kept.rfind('\n').map_or("", |end| &kept[..=end]);
            for line in whole.lines() {
                mails.push(serde_json::from_str(line).map_err(OpenError::damaged(path))?);
            }
            if whole.len() < kept.len() {
                std::fs::write(path, whole).map_err(OpenError::file(path))?;
            }
        }
        Ok(Outbox(Arc::new(Inner { path, mails: Mutex::new(mails) })))
    }

    /// Newest first.
    #[cfg(test)]
    pub fn mails(&self) -> Vec<Mail> {
        self.held().iter().rev().cloned().collect()
    }

    /// The newest `most` of those that are `wanted`, and how many there are in all.
    pub fn newest(&self, most: usize, wanted: impl Fn(&Mail) -> bool) -> (Vec<Mail>, usize) {
        let held = self.held();
        let wanted: Vec<_> = held.iter().rev().filter(|mail| wanted(mail)).collect();
        (wanted.iter().take(most).map(|mail| Mail::clone(mail)).collect(), wanted.len())
    }

    pub fn mails_sent(&self) -> usize {
        self.held().len()
    }

    pub fn mail(&self, id: &str) -> Option<Mail> {
        self.held().iter().find(|mail| mail.id == id).cloned()
    }

    /// In memory only when there is no folder; otherwise it is on disk when this returns.
    pub fn add(&self, mail: Mail) -> Result<(), OpenError> {
        let mut mails = self.held();
        if let Some(path) = &self.0.path {
            let mut line = serde_json::to_vec(&mail).map_err(OpenError::damaged(path))?;
            line.push(b'\n');
            let file = std::fs::OpenOptions::new().append(true).create(true).open(path);
            file.and_then(|mut file| file.write_all(&line)).map_err(OpenError::file(path))?;
        }
        mails.push(mail);
        Ok(())
    }

    fn held(&self) -> MutexGuard<'_, Vec<Mail>> {
        self.0.mails.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
struct SendEmail {
    from_email_address: Option<String>,
    #[serde(default)]
    destination: Destination,
    #[serde(default)]
    reply_to_addresses: Vec<String>,
    content: Content,
    #[serde(default)]
    email_tags: Vec<Pair>,
    /// There is one, and what it says of bounces holds for every mail.
    #[serde(rename = "ConfigurationSetName")]
    _configuration_set: Option<IgnoredAny>,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields, default)]
struct Destination {
    to_addresses: Vec<String>,
    cc_addresses: Vec<String>,
    bcc_addresses: Vec<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
struct Content {
    simple: Option<Simple>,
    raw: Option<Value>,
    template: Option<Value>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
struct Simple {
    subject: Part,
    body: Body,
    #[serde(default)]
    headers: Vec<Pair>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
struct Body {
    text: Option<Part>,
    html: Option<Part>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
struct Part {
    data: String,
    #[serde(rename = "Charset")]
    _charset: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
struct Pair {
    name: String,
    value: String,
}

/// POST /v2/email/outbound-emails.
pub(crate) async fn send(State(aws): State<Aws>, body: Bytes) -> Response {
    let mail = match input(&body).and_then(written) {
        Ok(mail) => mail,
        Err(refusal) => {
            return Refusal { code: "BadRequestException", ..refusal }.into_response();
        }
    };
    let (id, events) = (mail.id.clone(), simulator::events(&mail));
    match aws.outbox.add(mail) {
        Ok(()) => {
            if let Some(queue) = &aws.mail_feedback {
                for event in events {
                    // The template names no queue that is not there.
                    let _ = aws.queues.send(queue, Letter { body: event.to_string(), ..Letter::default() });
                }
            }
            ([(header::CONTENT_TYPE, "application/json")], json!({ "MessageId": id }).to_string()).into_response()
        }
        Err(error) => {
            let refusal = Refusal::new("InternalServiceErrorException", error.to_string());
            Refusal { status: StatusCode::INTERNAL_SERVER_ERROR, ..refusal }.into_response()
        }
    }
}

fn written(asked: SendEmail) -> Result<Mail, Refusal> {
    let refuse = |message: &str| Err(Refusal::new("BadRequestException", message));
    let Content { simple: Some(simple), raw: None, template: None } = asked.content else {
        return refuse("Only Content.Simple is played here: neither Raw nor Template.");
    };
    let Some(from) = asked.from_email_address else {
        return refuse("FromEmailAddress is missing.");
    };
    let Destination { to_addresses: to, cc_addresses: cc, bcc_addresses: bcc } = asked.destination;
    let recipients = to.len() + cc.len() + bcc.len();
    if recipients == 0 || recipients > MOST_RECIPIENTS {
        return refuse(&format!("A mail has between 1 and {MOST_RECIPIENTS} recipients, and not {recipients}."));
    }
    let mut addresses = std::iter::once(&from).chain(&to).chain(&cc).chain(&bcc).chain(&asked.reply_to_addresses);
    if !addresses.all(|address| is_address(address)) {
        // Without the address itself: it would end up in a log.
        return refuse("Missing final '@domain'");
    }
    let (text, html) = (simple.body.text.map(|part| part.data), simple.body.html.map(|part| part.data));
    if text.is_none() && html.is_none() {
        return refuse("Body is empty: it needs Text, Html or both.");
    }
    let pairs = |pairs: Vec<Pair>| pairs.into_iter().map(|pair| (pair.name, pair.value)).collect();
    Ok(Mail {
        id: format!("{}-000000", uuid::Uuid::new_v4()),
        at: Timestamp::now(),
        from,
        to,
        cc,
        bcc,
        reply_to: asked.reply_to_addresses,
        subject: simple.subject.data,
        text,
        html,
        headers: pairs(simple.headers),
        tags: pairs(asked.email_tags),
    })
}

/// `name@domain` or `Somebody <name@domain>`.
fn is_address(address: &str) -> bool {
    let bare = match address.trim().split_once('<') {
        Some((_, rest)) => rest.strip_suffix('>').unwrap_or_default(),
        None => address.trim(),
    };
    let well_formed = |(name, domain): (&str, &str)| !name.is_empty() && !domain.is_empty() && !domain.contains('@');
    bare.split_once('@').is_some_and(well_formed) && !bare.contains(char::is_whitespace)
}
