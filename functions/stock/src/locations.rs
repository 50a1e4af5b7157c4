//! The places that goods lie at, for staff.

use axum::Json;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use http::StatusCode;
use http::header::LOCATION;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use waybill_domain::id::LocationId;
use waybill_domain::stock::{LocationName, MAX_LOCATIONS};
use waybill_lambda::{clock, random};
use waybill_storage::locations::LocationRefused;
use waybill_storage::{Refused, Table};
use waybill_web::problem::FieldError;
use waybill_web::query::List;
use waybill_web::{Body, Fields, Kind, Problem, Segment, Staff, may};

#[derive(Serialize, ToSchema)]
#[schema(as = Location)]
pub struct LocationView {
    id: LocationId,
    #[schema(example = "Warehouse")]
    name: LocationName,
}

/// List the locations
///
/// The first is the main one, which every shop has.
#[utoipa::path(
    get,
    path = "/v1/admin/locations",
    responses((status = 200, description = "All of them, in one page.", body = List<LocationView>)),
    security(("bearer" = ["stock:read"])),
)]
pub async fn list_locations(
    State(table): State<Table>,
    _: Staff<may::ReadStock>,
) -> Result<Json<List<LocationView>>, Problem> {
    let names = table.locations().await?.names;
    Ok(Json(List::whole(names.into_iter().map(|(id, name)| LocationView { id, name }).collect())))
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewLocation {
    #[schema(value_type = LocationName, example = "Warehouse")]
    name: String,
}

impl NewLocation {
    fn check(self) -> Result<LocationName, Problem> {
        let mut fields = Fields::default();
        let name = fields.take("/name", self.name.parse());
        fields.finish(|| name)
    }
}

/// Make a location
#[utoipa::path(
    post,
    path = "/v1/admin/locations",
    request_body = NewLocation,
    responses((status = 201, description = "The location is made.", body = LocationView, headers(("location" = String, description = "The path of what was made."))), (status = 409, description = "taken, too-many")),
    security(("bearer" = ["stock:write"])),
)]
pub async fn create_location(
    State(table): State<Table>,
    _: Staff<may::WriteStock>,
    Body(body): Body<NewLocation>,
) -> Result<Response, Problem> {
    let name = body.check()?;
    let id = LocationId::new(random::uuid_at(clock::now()));
    table.add_location(id, name.clone()).await.map_err(refused)?;
    let location = [(LOCATION, format!("/v1/admin/locations/{id}"))];
    Ok((StatusCode::CREATED, location, Json(LocationView { id, name })).into_response())
}

/// Rename a location
#[utoipa::path(
    patch,
    path = "/v1/admin/locations/{id}",
    params(("id" = LocationId, Path)),
    request_body = NewLocation,
    responses((status = 200, description = "The location with its new name.", body = LocationView), (status = 409, description = "taken")),
    security(("bearer" = ["stock:write"])),
)]
pub async fn rename_location(
    State(table): State<Table>,
    _: Staff<may::WriteStock>,
    Segment(id): Segment,
    Body(body): Body<NewLocation>,
) -> Result<Json<LocationView>, Problem> {
    let name = body.check()?;
    let id = id.parse().map_err(|_| Problem::not_found("location"))?;
    table.rename_location(id, name.clone()).await.map_err(refused)?;
    Ok(Json(LocationView { id, name }))
}

fn refused(refused: Refused<LocationRefused>) -> Problem {
    match refused.first() {
        Ok(LocationRefused::NameTaken) => Problem::new(Kind::Taken, "Another location has this name.")
            .with_errors(vec![FieldError::at("/name", "is taken")]),
        Ok(LocationRefused::TooMany) => {
            Problem::new(Kind::TooMany, format!("A shop has at most {MAX_LOCATIONS} locations."))
        }
        Ok(LocationRefused::Unknown) => Problem::not_found("location"),
        Err(error) => error.into(),
    }
}
