//! Signing up. Whether the address has an account already, only a mail to it tells: the request looks nothing up, and
//! is the same for every address.

use axum::Json;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use http::StatusCode;
use http::header::{LOCATION, USER_AGENT};
use serde::Deserialize;
use utoipa::ToSchema;
use waybill_domain::account::{Password, Role};
use waybill_domain::id::AccountId;
use waybill_domain::language::Language;
use waybill_domain::message::AccountEvent;
use waybill_domain::text::Email;
use waybill_lambda::{clock, random};
use waybill_storage::Refused;
use waybill_storage::accounts::{Credentials, Holder, LinkRefused};
use waybill_web::limits::{Address, Limit};
use waybill_web::problem::FieldError;
use waybill_web::{Body, Fields, Kind, Problem};

use crate::sessions::{self, Tokens};
use crate::{App, MailSent, dead_link, passwords};

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct SignUp {
    #[schema(value_type = Email)]
    email: String,
    #[schema(value_type = Password)]
    password: String,
    /// What to be mailed in; the shop's own language where it is left out or there are no mails in it.
    #[schema(value_type = Language, required = false, nullable = false)]
    language: Option<String>,
}

/// Sign up
///
/// The answer is the same whether the address has an account or not. A mail to it has the link to confirm, or says that
/// there is an account already.
#[utoipa::path(
    post,
    path = "/v1/accounts",
    request_body = SignUp,
    responses((status = 202, description = "A mail is on its way.", body = MailSent)),
)]
pub async fn sign_up(
    State(app): State<App>,
    address: Address,
    Body(body): Body<SignUp>,
) -> Result<(StatusCode, Json<MailSent>), Problem> {
    let mut fields = Fields::default();
    let email: Option<Email> = fields.take("/email", body.email.parse());
    let password: Option<Password> = fields.take("/password", body.password.parse());
    if let (Some(email), Some(password)) = (&email, &password) {
        fields.take("/password", passwords::check_new(password, email, &app.shop));
    }
    let language: Option<Language> = fields.take_optional("/language", body.language.map(|language| language.parse()));
    let (email, password) = fields.finish(|| email.zip(password))?;
    let (limits, now) = (&app.guard.limits, clock::now());
    limits.take(Limit::SignUpAddress, &address.0, now).await?;
    limits.take(Limit::SignUpEmail, email.as_str(), now).await?;
    let hash = passwords::hash(&password).map_err(Problem::internal)?;
    let mut letter = app.letter(&email, AccountEvent::SignUpRequested, now);
    letter.password_hash = Some(hash);
    letter.language = language;
    app.table.write_letter(&letter).await?;
    Ok((StatusCode::ACCEPTED, Json(MailSent::ANSWER)))
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Confirmation {
    /// From the link in the mail.
    token: String,
    #[schema(value_type = Password)]
    password: String,
}

/// Confirm a sign-up
///
/// Takes the token of the mail's link together with the password of the sign-up: the link alone, which somebody else may
/// have asked for, opens nothing. The link is good once, for 24 hours.
#[utoipa::path(
    post,
    path = "/v1/accounts/confirm",
    request_body = Confirmation,
    responses((status = 201, description = "The account is made, and its holder logged in.", body = Tokens, headers(("location" = String, description = "The path of what was made."))), (status = 401, description = "unauthorized"), (status = 409, description = "taken")),
)]
pub async fn confirm_sign_up(
    State(app): State<App>,
    address: Address,
    headers: http::HeaderMap,
    Body(body): Body<Confirmation>,
) -> Result<Response, Problem> {
    let mut fields = Fields::default();
    let password: Option<Password> = fields.take("/password", body.password.parse());
    let password = fields.finish(|| password)?;
    let now = clock::now();
    app.guard.limits.take(Limit::ConfirmAddress, &address.0, now).await?;
    let letter = app.letter_behind(&body.token, AccountEvent::SignUpRequested, now).await?;
    let hash = letter.password_hash.clone().filter(|hash| passwords::matches(&password, Some(hash)));
    let hash = hash.ok_or_else(|| {
        tracing::info!("the confirmation of a sign-up was refused");
        Problem::unauthorized("This is not the password that was chosen at sign-up.")
    })?;
    let mut holder = Holder::new(AccountId::new(random::uuid_at(now)), letter.to.clone(), Role::Customer, now);
    holder.language = letter.language.clone();
    let (id, secret, session) = sessions::fresh(&app, headers.get(USER_AGENT), now);
    holder.sessions.insert(id, session);
    let credentials = Credentials::new(holder.id, hash, now);
    match app.table.confirm_sign_up(&letter, &holder, &credentials, now).await {
        Ok(()) => {}
        Err(Refused::By(reasons)) if reasons.contains(&LinkRefused::Dead) => return Err(dead_link()),
        Err(Refused::By(_)) => return Err(taken("/token")),
        Err(Refused::Failed(error)) => return Err(error.into()),
    }
    tracing::info!(account.id = %holder.id, session.id = %id, "an account was made");
    let mut tokens = sessions::tokens(&app, &holder, id, &secret, now)?;
    tokens.device_token = Some(app.vault.device_token(holder.id, credentials.changed_at));
    Ok((StatusCode::CREATED, [(LOCATION, "/v1/account")], Json(tokens)).into_response())
}

pub fn taken(pointer: &str) -> Problem {
    Problem::new(Kind::Taken, "The address belongs to an account already. Please log in.")
        .with_errors(vec![FieldError::at(pointer, "is for an address that belongs to an account already")])
}
