//! Changing the address of an account, once the new one is shown to be the holder's.

use axum::Json;
use axum::extract::State;
use http::StatusCode;
use serde::Deserialize;
use utoipa::ToSchema;
use waybill_domain::account::Password;
use waybill_domain::message::AccountEvent;
use waybill_domain::text::Email;
use waybill_lambda::clock;
use waybill_storage::Refused;
use waybill_storage::accounts::LinkRefused;
use waybill_web::limits::{Address, Limit};
use waybill_web::{Body, Caller, Fields, Problem};

use crate::sign_up::taken;
use crate::{App, Confirmed, MailSent, dead_link};

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewEmail {
    #[schema(value_type = Email)]
    email: String,
    /// The account's.
    #[schema(value_type = Password)]
    password: String,
    /// As with a log-in, where the account has a second factor.
    #[schema(nullable = false)]
    code: Option<String>,
    #[schema(nullable = false)]
    recovery_code: Option<String>,
}

/// Ask for another address
///
/// A mail to the new address brings a link that is good once, for 24 hours. Until then nothing changes.
#[utoipa::path(
    post,
    path = "/v1/account/email-changes",
    request_body = NewEmail,
    responses((status = 202, description = "A mail is on its way to the new address.", body = MailSent)),
    security(("bearer" = [])),
)]
pub async fn request_email_change(
    State(app): State<App>,
    caller: Caller,
    Body(body): Body<NewEmail>,
) -> Result<(StatusCode, Json<MailSent>), Problem> {
    let mut fields = Fields::default();
    let email: Option<Email> = fields.take("/email", body.email.parse());
    if email.as_ref() == Some(&caller.holder.email) {
        fields.refuse("/email", "is the account's address already");
    }
    let email = fields.finish(|| email)?;
    let now = clock::now();
    let given = Confirmed { password: body.password, code: body.code, recovery_code: body.recovery_code };
    app.reauthenticate(&caller, given, "/password", now).await?;
    app.guard.limits.take(Limit::SignUpEmail, email.as_str(), now).await?;
    let mut letter = app.letter(&email, AccountEvent::EmailChangeRequested, now);
    letter.account_id = Some(caller.account);
    letter.language = caller.holder.language.clone();
    app.table.write_letter(&letter).await?;
    Ok((StatusCode::ACCEPTED, Json(MailSent::ANSWER)))
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct EmailConfirmation {
    /// From the link in the mail.
    token: String,
}

/// Confirm another address
///
/// The old address is told of it.
#[utoipa::path(
    post,
    path = "/v1/account/email-changes/confirm",
    request_body = EmailConfirmation,
    responses((status = 204, description = "The account has its new address; log in with it from now on."), (status = 409, description = "taken")),
)]
pub async fn confirm_email_change(
    State(app): State<App>,
    address: Address,
    Body(body): Body<EmailConfirmation>,
) -> Result<StatusCode, Problem> {
    let now = clock::now();
    app.guard.limits.take(Limit::ConfirmAddress, &address.0, now).await?;
    let letter = app.letter_behind(&body.token, AccountEvent::EmailChangeRequested, now).await?;
    let account = letter.account_id.ok_or_else(dead_link)?;
    let holder = app.table.holder(account).await?.ok_or_else(dead_link)?;
    let credentials = app.table.credentials(&holder.email).await?;
    let asked_at = letter.written_at.as_millisecond();
    let credentials = credentials.filter(|known| known.account_id == account && known.changed_at < asked_at);
    let credentials = credentials.ok_or_else(dead_link)?;
    let mut notice = app.letter(&holder.email, AccountEvent::EmailChanged, now);
    notice.language = holder.language.clone();
    match app.table.change_email(&letter, &holder, &credentials, &notice, now).await {
        Ok(()) => {
            tracing::info!(account.id = %account, "an address was changed");
            Ok(StatusCode::NO_CONTENT)
        }
        Err(Refused::By(reasons)) if reasons.contains(&LinkRefused::Dead) => Err(dead_link()),
        Err(Refused::By(_)) => Err(taken("/token")),
        Err(Refused::Failed(error)) => Err(error.into()),
    }
}
