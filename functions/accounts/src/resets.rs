//! Forgotten passwords. The request looks nothing up: who sends the mail finds out whether there is an account.

use axum::Json;
use axum::extract::State;
use http::StatusCode;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use waybill_domain::account::Password;
use waybill_domain::message::AccountEvent;
use waybill_domain::text::Email;
use waybill_lambda::clock;
use waybill_storage::Refused;
use waybill_web::limits::{Address, Limit};
use waybill_web::{Body, Fields, Problem};

use crate::{App, MailSent, dead_link, passwords};

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewReset {
    #[schema(value_type = Email)]
    email: String,
}

/// Ask for a new password
///
/// The answer is the same whether the address has an account or not. If it has one, a mail brings a link that is good
/// once, for an hour.
#[utoipa::path(
    post,
    path = "/v1/password-resets",
    request_body = NewReset,
    responses((status = 202, description = "A mail is on its way, if the address has an account.", body = MailSent)),
)]
pub async fn request_reset(
    State(app): State<App>,
    address: Address,
    Body(body): Body<NewReset>,
) -> Result<(StatusCode, Json<MailSent>), Problem> {
    let mut fields = Fields::default();
    let email: Option<Email> = fields.take("/email", body.email.parse());
    let email = fields.finish(|| email)?;
    let (limits, now) = (&app.guard.limits, clock::now());
    limits.take(Limit::ResetAddress, &address.0, now).await?;
    limits.take(Limit::ResetEmail, email.as_str(), now).await?;
    app.table.write_letter(&app.letter(&email, AccountEvent::PasswordResetRequested, now)).await?;
    Ok((StatusCode::ACCEPTED, Json(MailSent::ANSWER)))
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Reset {
    /// From the link in the mail.
    token: String,
    /// The new password.
    #[schema(value_type = Password)]
    password: String,
}

#[derive(Serialize, ToSchema)]
pub struct ResetDone {
    /// To be sent with the log-in: whoever guesses the account's passwords meanwhile cannot keep its owner out.
    device_token: String,
}

/// Set a new password by a mail's link
///
/// Ends every session, and every other link that was asked for before. A second factor stays in force.
#[utoipa::path(
    post,
    path = "/v1/password-resets/confirm",
    request_body = Reset,
    responses((status = 200, description = "The password is set. Log in with it.", body = ResetDone)),
)]
pub async fn confirm_reset(
    State(app): State<App>,
    address: Address,
    Body(body): Body<Reset>,
) -> Result<Json<ResetDone>, Problem> {
    let mut fields = Fields::default();
    let password: Option<Password> = fields.take("/password", body.password.parse());
    let password = fields.finish(|| password)?;
    let now = clock::now();
    app.guard.limits.take(Limit::ConfirmAddress, &address.0, now).await?;
    let letter = app.letter_behind(&body.token, AccountEvent::PasswordResetRequested, now).await?;
    let credentials = app.table.credentials(&letter.to).await?;
    let asked_at = letter.written_at.as_millisecond();
    let credentials = credentials.filter(|credentials| credentials.changed_at < asked_at).ok_or_else(dead_link)?;
    let mut fields = Fields::default();
    fields.take("/password", passwords::check_new(&password, &letter.to, &app.shop));
    fields.finish(|| Some(()))?;
    let hash = passwords::hash(&password).map_err(Problem::internal)?;
    let notice = app.letter(&letter.to, AccountEvent::PasswordChanged, now);
    match app.table.reset_password(&letter, &credentials, &hash, &notice, now).await {
        Ok(()) => {
            tracing::info!(account.id = %credentials.account_id, "a password was reset");
            let device_token = app.vault.device_token(credentials.account_id, now.as_millisecond());
            Ok(Json(ResetDone { device_token }))
        }
        Err(Refused::By(_)) => Err(dead_link()),
        Err(Refused::Failed(error)) => Err(error.into()),
    }
}
