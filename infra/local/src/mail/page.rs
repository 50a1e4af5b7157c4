//! The mail page: what the shop has sent, newest first, as its reader would see it.

use std::fmt::Write;

use axum::extract::{Path, Query, State};
use axum::http::{HeaderName, StatusCode, header};
use axum::response::{Html, IntoResponse, Response};
use axum::routing::get;
use axum::{Json, Router};
use serde::Deserialize;
use serde_json::json;

use super::{Mail, Outbox};

/// So that the page stays quick after a load test, too.
const MOST_LISTED: usize = 200;

const FRAME: &str = include_str!("page.html");

/// Nothing of a mail runs, and nothing but its pictures is loaded.
const MAIL_POLICY: (HeaderName, &str) = (
    header::CONTENT_SECURITY_POLICY,
    "sandbox allow-popups allow-popups-to-escape-sandbox; default-src 'none'; style-src 'unsafe-inline'; img-src * data:; font-src * data:",
);

/// The pages, and the same mails as JSON at `/api/mails` (`?to=` for one address, `?limit=` for more than 200) and `/api/mails/{id}`.
pub fn router(outbox: Outbox) -> Router {
    Router::new()
        .route("/", get(list))
        .route("/mails/{id}", get(one))
        .route("/mails/{id}/html", get(html))
        .route("/api/mails", get(all_as_json))
        .route("/api/mails/{id}", get(one_as_json))
        .with_state(outbox)
}

#[derive(Deserialize)]
struct Wanted {
    to: Option<String>,
    limit: Option<usize>,
}

async fn all_as_json(State(outbox): State<Outbox>, Query(wanted): Query<Wanted>) -> Response {
    let (mails, all) = outbox.newest(wanted.limit.unwrap_or(MOST_LISTED), |mail| {
        wanted.to.as_ref().is_none_or(|address| mail.to.contains(address))
    });
    Json(json!({ "items": mails, "total": all })).into_response()
}

async fn one_as_json(State(outbox): State<Outbox>, Path(id): Path<String>) -> Response {
    outbox.mail(&id).map_or_else(|| StatusCode::NOT_FOUND.into_response(), |mail| Json(mail).into_response())
}

async fn list(State(outbox): State<Outbox>) -> Html<String> {
    let list = entries(&outbox, "");
    let open = if outbox.mails_sent() == 0 { "" } else { "<div class=\"hint\"><p>Choose a mail to read it.</p></div>" };
    Html(framed("list", "Mail", &list, open))
}

#[derive(Deserialize)]
struct Shown {
    #[serde(default)]
    r#as: String,
}

async fn one(State(outbox): State<Outbox>, Path(id): Path<String>, Query(shown): Query<Shown>) -> Response {
    match outbox.mail(&id) {
        Some(mail) => {
            Html(framed("one", &mail.subject, &entries(&outbox, &id), &opened(&mail, &shown.r#as))).into_response()
        }
        None => {
            let gone = "<div class=\"hint\"><p>There is no such mail.</p></div>";
            (StatusCode::NOT_FOUND, Html(framed("one", "Mail", &entries(&outbox, ""), gone))).into_response()
        }
    }
}

async fn html(State(outbox): State<Outbox>, Path(id): Path<String>) -> Response {
    match outbox.mail(&id).and_then(|mail| mail.html) {
        // A link in a mail opens beside the page, not inside the frame.
        Some(html) => ([MAIL_POLICY], Html(format!("<base target=\"_blank\">{html}"))).into_response(),
        None => StatusCode::NOT_FOUND.into_response(),
    }
}

fn entries(outbox: &Outbox, open: &str) -> String {
    let (mails, all) = outbox.newest(MOST_LISTED, |_| true);
    if mails.is_empty() {
        return "<li class=\"none\"><strong>No mail yet</strong><span>Place an order: its mails turn up here by themselves.</span></li>".to_owned();
    }
    let mut list = mails.iter().fold(String::new(), |mut list, mail| {
        let current = if mail.id == open { " aria-current=\"page\"" } else { "" };
        let _ = write!(
            list,
            "<li><a href=\"/mails/{}\"{current}><span class=\"to\">{}</span><time datetime=\"{at}\">{}</time><span class=\"subject\">{}</span></a></li>",
            escaped(&mail.id),
            escaped(&mail.to.join(", ")),
            mail.at.strftime("%b %-d, %H:%M UTC"),
            escaped(&mail.subject),
            at = mail.at,
        );
        list
    });
    if all > mails.len() {
        let _ = write!(list, "<li class=\"none\"><span>and {} older ones</span></li>", all - mails.len());
    }
    list
}

fn opened(mail: &Mail, shown: &str) -> String {
    let id = escaped(&mail.id);
    let as_text = mail.html.is_none() || (shown == "text" && mail.text.is_some());
    let tab = |name: &str, label: &str, there: bool, current: bool| match (there, current) {
        (false, _) => String::new(),
        (true, true) => format!("<span class=\"tab\" aria-current=\"true\">{label}</span>"),
        (true, false) => format!("<a class=\"tab\" href=\"/mails/{id}?as={name}\">{label}</a>"),
    };
    let mut lines = String::new();
    for (label, addresses) in [("To", &mail.to), ("Cc", &mail.cc), ("Bcc", &mail.bcc), ("Reply to", &mail.reply_to)] {
        if !addresses.is_empty() {
            let _ = write!(lines, "<dt>{label}</dt><dd>{}</dd>", escaped(&addresses.join(", ")));
        }
    }
    let body = match &mail.text {
        Some(text) if as_text => format!("<pre>{}</pre>", escaped(text)),
        _ => format!(
            "<iframe title=\"The mail as its reader sees it\" sandbox=\"allow-popups allow-popups-to-escape-sandbox\" src=\"/mails/{id}/html\"></iframe>"
        ),
    };
    format!(
        "<a class=\"back\" href=\"/\">All mail</a>\
         <h2>{subject}</h2>\
         <dl><dt>From</dt><dd>{from}</dd>{lines}<dt>Sent</dt><dd><time datetime=\"{at}\">{sent}</time></dd></dl>\
         <nav class=\"tabs\" aria-label=\"Form of the mail\">{html_tab}{text_tab}</nav>\
         <div class=\"paper\">{body}</div>",
        subject = escaped(&mail.subject),
        from = escaped(&mail.from),
        at = mail.at,
        sent = mail.at.strftime("%B %-d, %Y, %H:%M:%S UTC"),
        html_tab = tab("html", "HTML", mail.html.is_some(), !as_text),
        text_tab = tab("text", "Text", mail.text.is_some(), as_text),
    )
}

/// The frame's slots are filled in one pass: what a mail says is never searched for another slot.
fn framed(kind: &str, title: &str, list: &str, open: &str) -> String {
    let mut page = String::with_capacity(FRAME.len() + list.len() + open.len());
    let mut rest = FRAME;
    while let Some((before, after)) = rest.split_once("{{") {
        let (slot, after) = after.split_once("}}").unwrap_or(("", after));
        page.push_str(before);
        match slot {
            "kind" => page.push_str(kind),
            "title" => page.push_str(&escaped(title)),
            "list" => page.push_str(list),
            "open" => page.push_str(open),
            _ => {}
        }
        rest = after;
    }
    page.push_str(rest);
    page
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;").replace('\'', "&#39;")
}
