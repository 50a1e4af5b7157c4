//! Accounts: sign-up, log-in, tokens, second factors, the holder's own data, who is staff, tickets for the WebSocket.

mod account;
mod addresses;
pub mod administrator;
mod email_change;
mod leaving;
mod log_in;
mod passwords;
mod resets;
mod second_factor;
mod sessions;
mod sign_up;
mod signing;
mod staff;
mod tickets;
mod vault;

use std::sync::Arc;

use axum::Router;
use axum::extract::FromRef;
use axum::routing::{delete, get, post, put};
use serde::{Deserialize, Serialize};
use utoipa::{OpenApi, ToSchema};
use waybill_domain::Timestamp;
use waybill_domain::account::Password;
use waybill_domain::id::LetterId;
use waybill_domain::message::AccountEvent;
use waybill_domain::text::{Email, IdempotencyKey};
use waybill_lambda::links::{Links, mailbox};
use waybill_lambda::random;
use waybill_storage::accounts::{Credentials, NotChanged};
use waybill_storage::letters::Letter;
use waybill_storage::sessions::Proof;
use waybill_storage::{Refused, Table};
use waybill_web::limits::Limit;
use waybill_web::{Caller, Guard, Kind, Problem};

pub use signing::Signer;
pub use vault::Vault;

#[derive(Clone, FromRef)]
pub struct App {
    pub table: Table,
    pub guard: Guard,
    pub signer: Signer,
    pub links: Links,
    pub vault: Vault,
    /// As mails and authenticator apps show it.
    pub shop: Arc<str>,
}

pub fn routes(app: App) -> Router {
    Router::new()
        .route("/.well-known/jwks.json", get(signing::read_signing_keys))
        .route("/v1/accounts", post(sign_up::sign_up))
        .route("/v1/accounts/confirm", post(sign_up::confirm_sign_up))
        .route("/v1/sessions", post(log_in::log_in).get(sessions::list_sessions).delete(sessions::log_out_everywhere))
        .route("/v1/sessions/refresh", post(sessions::refresh))
        .route("/v1/sessions/current", delete(sessions::log_out))
        .route("/v1/sessions/{id}", delete(sessions::end_session))
        .route("/v1/password-resets", post(resets::request_reset))
        .route("/v1/password-resets/confirm", post(resets::confirm_reset))
        .route("/v1/account", get(account::read_account).patch(account::change_account))
        .route("/v1/account/password", put(account::change_password))
        .route("/v1/account/email-changes", post(email_change::request_email_change))
        .route("/v1/account/email-changes/confirm", post(email_change::confirm_email_change))
        .route("/v1/account/addresses", get(addresses::list_addresses).post(addresses::add_address))
        .route("/v1/account/addresses/{id}", put(addresses::replace_address).delete(addresses::remove_address))
        .route("/v1/account/export", get(leaving::export_account))
        .route("/v1/account/deletion", post(leaving::delete_account))
        .route("/v1/account/totp", post(second_factor::set_up_totp))
        .route("/v1/account/totp/confirm", post(second_factor::confirm_totp))
        .route("/v1/account/totp/removal", post(second_factor::remove_totp))
        .route("/v1/websocket-tickets", post(tickets::issue_ticket))
        .route("/v1/admin/accounts/search", post(staff::find_account))
        .route("/v1/admin/administrators", get(staff::list_administrators))
        .route("/v1/admin/accounts/{id}/role", put(staff::change_role))
        .route("/v1/admin/accounts/{id}/sessions", delete(staff::end_sessions))
        .route("/v1/admin/accounts/{id}/totp", delete(staff::reset_totp))
        .with_state(app)
}

/// What the document tells of these routes.
#[derive(OpenApi)]
#[openapi(
    paths(
        signing::read_signing_keys,
        sign_up::sign_up,
        sign_up::confirm_sign_up,
        log_in::log_in,
        sessions::refresh,
        sessions::list_sessions,
        sessions::log_out,
        sessions::end_session,
        sessions::log_out_everywhere,
        resets::request_reset,
        resets::confirm_reset,
        account::read_account,
        account::change_account,
        account::change_password,
        email_change::request_email_change,
        email_change::confirm_email_change,
        addresses::list_addresses,
        addresses::add_address,
        addresses::replace_address,
        addresses::remove_address,
        leaving::export_account,
        leaving::delete_account,
        second_factor::set_up_totp,
        second_factor::confirm_totp,
        second_factor::remove_totp,
        tickets::issue_ticket,
        staff::find_account,
        staff::list_administrators,
        staff::change_role,
        staff::end_sessions,
        staff::reset_totp
    ),
    components(schemas(IdempotencyKey))
)]
pub struct Documented;

/// Who is logged in proves again who they are, before what guards the account changes.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Confirmed {
    /// The account's.
    #[schema(value_type = Password)]
    password: String,
    /// Six digits of the authenticator app, where the account has a second factor.
    #[schema(nullable = false)]
    code: Option<String>,
    /// Instead of `code`.
    #[schema(nullable = false)]
    recovery_code: Option<String>,
}

/// What is answered where only a mail can tell more, so that nobody learns who has an account.
#[derive(Serialize, ToSchema)]
pub struct MailSent {
    #[schema(example = "mail_sent")]
    status: &'static str,
}

impl MailSent {
    pub const ANSWER: MailSent = MailSent { status: "mail_sent" };
}

impl App {
    /// A mail to this address, not yet written.
    fn letter(&self, to: &Email, event: AccountEvent, now: Timestamp) -> Letter {
        Letter::new(LetterId::new(random::uuid_at(now)), mailbox(to), to.clone(), event, now)
    }

    /// The letter that a link's token was made for, if the link is still good and was made for this.
    async fn letter_behind(&self, token: &str, event: AccountEvent, now: Timestamp) -> Result<Letter, Problem> {
        let (mailbox, id) = self.links.open(token).ok_or_else(dead_link)?;
        self.guard.limits.take(Limit::ConfirmLink, &id.to_string(), now).await?;
        let letter = self.table.letter(&mailbox, id, now).await?;
        letter.filter(|letter| letter.event == event).ok_or_else(dead_link)
    }

    /// The caller's credentials, once they have proven again who they are.
    async fn reauthenticate(
        &self,
        caller: &Caller,
        given: Confirmed,
        pointer: &str,
        now: Timestamp,
    ) -> Result<Credentials, Problem> {
        let password: Password = given
            .password
            .parse()
            .map_err(|invalid: waybill_domain::text::Invalid| Problem::invalid_field(pointer, invalid.to_string()))?;
        self.guard.limits.take(Limit::PasswordAccount, &caller.account.to_string(), now).await?;
        let credentials = self.table.credentials(&caller.holder.email).await?;
        let credentials = credentials.filter(|credentials| {
            credentials.account_id == caller.account && passwords::matches(&password, Some(&credentials.password_hash))
        });
        let credentials = credentials.ok_or_else(|| {
            tracing::info!(account.id = %caller.account, "a password that was asked for again was refused");
            Problem::invalid_field(pointer, "is not the account's password")
        })?;
        if caller.holder.has_second_factor() {
            let proof = match (&given.recovery_code, &given.code) {
                (Some(code), _) => Proof::RecoveryCode { hash: second_factor::recovery_hash(caller.account, code) },
                (None, Some(code)) => second_factor::step(self, &caller.holder, code, now)?
                    .map_or(Proof::Password, |step| Proof::Code { step }),
                (None, None) => Proof::Password,
            };
            if !self.table.spend_code(caller.account, &proof).await? {
                tracing::info!(account.id = %caller.account, "a second factor that was asked for again was refused");
                let detail =
                    "must be a code of the authenticator app that was not used before; or give a recovery_code";
                return Err(Problem::invalid_field("/code", detail));
            }
        }
        Ok(credentials)
    }
}

fn not_changed(refused: Refused<NotChanged>) -> Problem {
    match refused {
        Refused::By(reasons) if reasons.contains(&NotChanged::LastAdministrator) => last_administrator(),
        Refused::By(_) => Problem::new(Kind::Changed, "The account has just changed. Please try again."),
        Refused::Failed(error) => error.into(),
    }
}

fn last_administrator() -> Problem {
    Problem::new(Kind::LastAdministrator, "This is the shop's last administrator; make another one first.")
}

fn dead_link() -> Problem {
    Problem::invalid_field("/token", "is not good any more: it was used, is too old, or was never one of ours")
}
