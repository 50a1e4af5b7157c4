//! Mails about an account.

use askama::Template;
use waybill_domain::message::AccountEvent;

use crate::{ComposeError, Mail, Shop};

struct Words {
    subject: &'static str,
    heading: &'static str,
    lead: &'static str,
    /// What the button says, and where below the shop's address it leads.
    button: Option<(&'static str, &'static str)>,
    /// Whether what it leads to takes the letter's token.
    has_token: bool,
    closing: &'static str,
}

#[derive(Template)]
#[template(path = "letter.txt")]
struct Text<'a> {
    shop: &'a Shop,
    words: &'a Words,
    link: &'a str,
}

#[derive(Template)]
#[template(path = "letter.html")]
struct Html<'a> {
    shop: &'a Shop,
    words: &'a Words,
    subject: &'a str,
    link: &'a str,
}

/// The mail that an event of an account calls for; `is_taken` tells whether its address has an account. None where
/// nobody is to be told: there is no password to reset.
pub fn compose_letter(
    shop: &Shop,
    event: AccountEvent,
    is_taken: bool,
    token: &str,
) -> Result<Option<Mail>, ComposeError> {
    let Some(words) = words(event, is_taken) else { return Ok(None) };
    let subject = format!("{}: {}", shop.name, words.subject);
    let path = words.button.map_or("", |(_, path)| path);
    // Behind the #, where it reaches no server and no log.
    let link =
        if words.has_token { format!("{}{path}#token={token}", shop.url) } else { format!("{}{path}", shop.url) };
    let text = Text { shop, words: &words, link: &link }.render()?;
    let html = Html { shop, words: &words, subject: &subject, link: &link }.render()?;
    Ok(Some(Mail { subject, text, html }))
}

fn words(event: AccountEvent, is_taken: bool) -> Option<Words> {
    const NOT_YOU: &str = "If this was not you, you can ignore this mail: nothing happens.";
    const SOMEBODY_ELSE: &str =
        "If this was not you, set a new password now, with \"forgotten password\" at our log-in.";
    match (event, is_taken) {
        (AccountEvent::SignUpRequested, false) => Some(Words {
            subject: "confirm your address",
            heading: "Welcome",
            lead: "Please confirm that this is your address, with the password that you have just chosen. The link is good \
                   for 24 hours.",
            button: Some(("Confirm my address", "/account/confirm-sign-up")),
            has_token: true,
            closing: NOT_YOU,
        }),
        (AccountEvent::SignUpRequested, true) => Some(Words {
            subject: "you have an account already",
            heading: "You have an account already",
            lead: "Somebody has just tried to sign up with this address. If it was you: there is no need to. Log in, or set \
                   a new password if you have forgotten yours.",
            button: Some(("Log in", "/account/log-in")),
            has_token: false,
            closing: NOT_YOU,
        }),
        (AccountEvent::PasswordResetRequested, true) => Some(Words {
            subject: "set a new password",
            heading: "Set a new password",
            lead: "Somebody says that they have forgotten the password of your account. If it was you, set a new one. The \
                   link is good once, for an hour.",
            button: Some(("Set a new password", "/account/reset-password")),
            has_token: true,
            closing: NOT_YOU,
        }),
        (AccountEvent::PasswordResetRequested, false) => None,
        (AccountEvent::EmailChangeRequested, false) => Some(Words {
            subject: "confirm your new address",
            heading: "Your new address",
            lead: "Please confirm that your account is to have this address from now on. The link is good once, for 24 hours.",
            button: Some(("Confirm my new address", "/account/confirm-email")),
            has_token: true,
            closing: NOT_YOU,
        }),
        (AccountEvent::EmailChangeRequested, true) => Some(Words {
            subject: "this address has an account already",
            heading: "This address has an account already",
            lead: "Somebody wants to give their account this address, but it has one already. If you want to use it for \
                   another account, delete this one first.",
            button: Some(("Log in", "/account/log-in")),
            has_token: false,
            closing: NOT_YOU,
        }),
        (AccountEvent::PasswordChanged, _) => Some(Words {
            subject: "your password was changed",
            heading: "Your password was changed",
            lead: "The password of your account was changed, and you were logged out everywhere else.",
            button: None,
            has_token: false,
            closing: SOMEBODY_ELSE,
        }),
        (AccountEvent::EmailChanged, _) => Some(Words {
            subject: "your address was changed",
            heading: "Your address was changed",
            lead: "Your account has another e-mail address now. This one is not used any more.",
            button: None,
            has_token: false,
            closing: "If this was not you, please write to us at once.",
        }),
        (AccountEvent::SecondFactorChanged, _) => Some(Words {
            subject: "your second factor was changed",
            heading: "Your second factor was changed",
            lead: "The second factor of your account was set up or removed.",
            button: None,
            has_token: false,
            closing: SOMEBODY_ELSE,
        }),
    }
}
