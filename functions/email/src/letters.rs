//! Mails about an account.

use waybill_domain::language::Language;
use waybill_domain::message::AccountEvent;

use crate::content::{Block, ComposeError, Content};
use crate::{Mail, Shop};

/// Which words a letter has, and where its button leads.
struct Occasion {
    key: &'static str,
    /// Below the shop's address.
    path: Option<&'static str>,
    /// Whether what it leads to takes the letter's token.
    has_token: bool,
}

/// The mail that an event of an account calls for; `is_taken` tells whether its address has an account. None where
/// nobody is to be told: there is no password to reset.
pub fn compose_letter(
    shop: &Shop,
    language: Option<&Language>,
    event: AccountEvent,
    is_taken: bool,
    token: &str,
) -> Result<Option<Mail>, ComposeError> {
    let Some(Occasion { key, path, has_token }) = occasion(event, is_taken) else { return Ok(None) };
    let words = shop.languages.of(language);
    let say = |part: &str| words.say(&format!("{key}.{part}"), &[]);
    let mut blocks = vec![Block::Text(say("lead")?)];
    if let Some(path) = path {
        // Behind the #, where it reaches no server and no log.
        let token = if has_token { format!("#token={token}") } else { String::new() };
        blocks.push(Block::Button { label: say("button")?, link: format!("{}{path}{token}", shop.url) });
    }
    blocks.push(Block::Small(say("closing")?));
    Content { subject: say("subject")?, heading: say("heading")?, blocks }.mail(shop, words).map(Some)
}

fn occasion(event: AccountEvent, is_taken: bool) -> Option<Occasion> {
    let notice = |key| Occasion { key, path: None, has_token: false };
    let link = |key, path| Occasion { key, path: Some(path), has_token: true };
    let taken = |key| Occasion { key, path: Some("/account/log-in"), has_token: false };
    match (event, is_taken) {
        (AccountEvent::SignUpRequested, false) => Some(link("sign-up", "/account/confirm-sign-up")),
        (AccountEvent::SignUpRequested, true) => Some(taken("sign-up-taken")),
        (AccountEvent::PasswordResetRequested, true) => Some(link("password-reset", "/account/reset-password")),
        (AccountEvent::PasswordResetRequested, false) => None,
        (AccountEvent::EmailChangeRequested, false) => Some(link("email-change", "/account/confirm-email")),
        (AccountEvent::EmailChangeRequested, true) => Some(taken("email-change-taken")),
        (AccountEvent::PasswordChanged, _) => Some(notice("password-changed")),
        (AccountEvent::EmailChanged, _) => Some(notice("email-changed")),
        (AccountEvent::SecondFactorChanged, _) => Some(notice("second-factor-changed")),
    }
}
