//! Who is staff, for administrators.

use axum::Json;
use axum::extract::State;
use http::StatusCode;
use serde::Deserialize;
use utoipa::ToSchema;
use waybill_domain::account::{Account, Role};
use waybill_domain::id::AccountId;
use waybill_domain::text::Email;
use waybill_lambda::clock;
use waybill_storage::accounts::Holder;
use waybill_web::query::List;
use waybill_web::{Body, Fields, Kind, Problem, Segment, Staff, may};

use crate::{App, not_changed, second_factor};

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct AccountSearch {
    #[schema(value_type = Email)]
    email: String,
}

/// Find an account by its address
///
/// A POST, because what stands in a URL is kept in logs.
#[utoipa::path(
    post,
    path = "/v1/admin/accounts/search",
    request_body = AccountSearch,
    responses((status = 200, description = "The account, or nothing.", body = List<Account>)),
    security(("bearer" = ["people:manage"])),
)]
pub async fn find_account(
    State(app): State<App>,
    _: Staff<may::ManagePeople>,
    Body(body): Body<AccountSearch>,
) -> Result<Json<List<Account>>, Problem> {
    let mut fields = Fields::default();
    let email: Option<Email> = fields.take("/email", body.email.parse());
    let email = fields.finish(|| email)?;
    let items = match app.table.credentials(&email).await? {
        Some(known) => app.table.holder(known.account_id).await?.into_iter().map(|holder| holder.account()).collect(),
        None => Vec::new(),
    };
    Ok(Json(List::whole(items)))
}

/// List the administrators
#[utoipa::path(
    get,
    path = "/v1/admin/administrators",
    responses((status = 200, description = "All who may give and take roles.", body = List<Account>)),
    security(("bearer" = ["people:manage"])),
)]
pub async fn list_administrators(
    State(app): State<App>,
    _: Staff<may::ManagePeople>,
) -> Result<Json<List<Account>>, Problem> {
    let items = app.table.administrators().await?.iter().map(Holder::account).collect();
    Ok(Json(List::whole(items)))
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct RoleChange {
    role: Role,
}

/// Give an account another role
///
/// From this moment on, for every session of it.
#[utoipa::path(
    put,
    path = "/v1/admin/accounts/{id}/role",
    params(("id" = AccountId, Path)),
    request_body = RoleChange,
    responses((status = 200, description = "The account as it is now.", body = Account), (status = 409, description = "last-administrator, changed")),
    security(("bearer" = ["people:manage"])),
)]
pub async fn change_role(
    State(app): State<App>,
    staff: Staff<may::ManagePeople>,
    Segment(id): Segment,
    Body(body): Body<RoleChange>,
) -> Result<Json<Account>, Problem> {
    let mut holder = holder(&app, &id).await?;
    if holder.role != body.role {
        app.table.change_role(&holder, body.role).await.map_err(not_changed)?;
        tracing::info!(account.id = %holder.id, by = %staff.caller.account, role = ?body.role, "a role was changed");
        holder.role = body.role;
    }
    Ok(Json(holder.account()))
}

/// Take somebody's second factor away
///
/// For a person who has lost it and the recovery codes. Their sessions end. Where there is none, nothing happens.
#[utoipa::path(
    delete,
    path = "/v1/admin/accounts/{id}/totp",
    params(("id" = AccountId, Path)),
    responses((status = 204, description = "A password is enough for them from now on."), (status = 409, description = "changed")),
    security(("bearer" = ["people:manage"])),
)]
pub async fn reset_totp(
    State(app): State<App>,
    staff: Staff<may::ManagePeople>,
    Segment(id): Segment,
) -> Result<StatusCode, Problem> {
    let holder = holder(&app, &id).await?;
    if holder.id == staff.caller.account {
        return Err(Problem::new(Kind::Forbidden, "Your own is removed with your password."));
    }
    second_factor::take_away(&app, &holder, true, clock::now()).await?;
    tracing::info!(account.id = %holder.id, by = %staff.caller.account, "a second factor was reset");
    Ok(StatusCode::NO_CONTENT)
}

/// End all sessions of an account
///
/// At once, such as when somebody leaves or a device is stolen.
#[utoipa::path(
    delete,
    path = "/v1/admin/accounts/{id}/sessions",
    params(("id" = AccountId, Path)),
    responses((status = 204, description = "They have ended, and their tokens are refused from now on.")),
    security(("bearer" = ["people:manage"])),
)]
pub async fn end_sessions(
    State(app): State<App>,
    staff: Staff<may::ManagePeople>,
    Segment(id): Segment,
) -> Result<StatusCode, Problem> {
    let holder = holder(&app, &id).await?;
    app.table.end_sessions(holder.id).await?;
    tracing::info!(account.id = %holder.id, by = %staff.caller.account, "sessions were ended");
    Ok(StatusCode::NO_CONTENT)
}

async fn holder(app: &App, id: &str) -> Result<Holder, Problem> {
    let unknown = || Problem::not_found("account");
    app.table.holder(id.parse().map_err(|_| unknown())?).await?.ok_or_else(unknown)
}
