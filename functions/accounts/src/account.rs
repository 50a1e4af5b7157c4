//! The caller's own account: what it says, and its password.

use axum::Json;
use axum::extract::State;
use http::StatusCode;
use serde::{Deserialize, Deserializer};
use utoipa::ToSchema;
use waybill_domain::account::{Account, Password};
use waybill_domain::language::Language;
use waybill_domain::message::AccountEvent;
use waybill_domain::text::Line;
use waybill_lambda::clock;
use waybill_storage::accounts::ProfileChange;
use waybill_web::{Body, Caller, Fields, Problem};

use crate::{App, Confirmed, not_changed, passwords};

/// Read one's account
#[utoipa::path(
    get,
    path = "/v1/account",
    responses((status = 200, description = "The caller's own account.", body = Account)),
    security(("bearer" = [])),
)]
pub async fn read_account(caller: Caller) -> Json<Account> {
    Json(caller.holder.account())
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct AccountChange {
    /// Null removes it.
    #[serde(default, deserialize_with = "given")]
    #[schema(value_type = Option<Line<1, 120>>, required = false, example = "Ann Example")]
    name: Option<Option<String>>,
    /// What to be mailed in, where there are mails in it. Null brings back the shop's own language.
    #[serde(default, deserialize_with = "given")]
    #[schema(value_type = Option<Language>, required = false)]
    language: Option<Option<String>>,
}

/// Tells null from a field that is not there.
fn given<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Option<String>>, D::Error> {
    Option::deserialize(deserializer).map(Some)
}

/// Change one's account
#[utoipa::path(
    patch,
    path = "/v1/account",
    request_body = AccountChange,
    responses((status = 200, description = "The account as it is now.", body = Account)),
    security(("bearer" = [])),
)]
pub async fn change_account(
    State(app): State<App>,
    caller: Caller,
    Body(body): Body<AccountChange>,
) -> Result<Json<Account>, Problem> {
    let mut fields = Fields::default();
    let name = body.name.map(|name| fields.take_optional("/name", name.map(|name| name.parse())));
    let language = body.language.map(|code| fields.take_optional("/language", code.map(|code| code.parse())));
    fields.finish(|| Some(()))?;
    let change = ProfileChange { name, language };
    if change == ProfileChange::default() {
        return Ok(Json(caller.holder.account()));
    }
    let holder = app.table.change_profile(caller.account, &change).await?;
    holder.map(|holder| Json(holder.account())).ok_or_else(|| Problem::not_found("account"))
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct PasswordChange {
    #[schema(value_type = Password)]
    current_password: String,
    #[schema(value_type = Password)]
    new_password: String,
    /// As with a log-in, where the account has a second factor.
    #[schema(nullable = false)]
    code: Option<String>,
    #[schema(nullable = false)]
    recovery_code: Option<String>,
}

/// Change one's password
///
/// Ends all other sessions. A mail tells of it.
#[utoipa::path(
    put,
    path = "/v1/account/password",
    request_body = PasswordChange,
    responses((status = 204, description = "The password is changed."), (status = 409, description = "changed")),
    security(("bearer" = [])),
)]
pub async fn change_password(
    State(app): State<App>,
    caller: Caller,
    Body(body): Body<PasswordChange>,
) -> Result<StatusCode, Problem> {
    let mut fields = Fields::default();
    let new: Option<Password> = fields.take("/new_password", body.new_password.parse());
    if let Some(new) = &new {
        fields.take("/new_password", passwords::check_new(new, &caller.holder.email, &app.shop));
    }
    let new = fields.finish(|| new)?;
    let now = clock::now();
    let given = Confirmed { password: body.current_password, code: body.code, recovery_code: body.recovery_code };
    let credentials = app.reauthenticate(&caller, given, "/current_password", now).await?;
    let hash = passwords::hash(&new).map_err(Problem::internal)?;
    let notice = app.letter(&caller.holder.email, AccountEvent::PasswordChanged, now);
    let changed = app.table.change_password(&caller.holder, caller.session, &credentials, &hash, &notice, now).await;
    changed.map_err(not_changed)?;
    tracing::info!(account.id = %caller.account, "a password was changed");
    Ok(StatusCode::NO_CONTENT)
}
