//! The caller's address book.

use axum::Json;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use http::StatusCode;
use http::header::LOCATION;
use serde::Deserialize;
use utoipa::ToSchema;
use waybill_domain::account::{KeptAddress, MAX_ADDRESSES};
use waybill_domain::id::AddressId;
use waybill_domain::order::{Address, Country};
use waybill_domain::text::Line;
use waybill_lambda::{clock, random};
use waybill_storage::addresses::AddressBook;
use waybill_web::query::List;
use waybill_web::{Body, Caller, Fields, Kind, NewAddress, Problem, Segment};

use crate::App;

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewKeptAddress {
    #[schema(value_type = Line<1, 120>, example = "Ann Example")]
    name: String,
    #[schema(value_type = Line<1, 120>, example = "1 Main St")]
    line1: String,
    #[schema(value_type = Option<Line<1, 120>>)]
    line2: Option<String>,
    #[schema(value_type = Line<1, 80>, example = "Springfield")]
    city: String,
    #[schema(value_type = Option<Line<1, 80>>, example = "IL")]
    region: Option<String>,
    #[schema(value_type = Line<1, 20>, example = "62701")]
    postal_code: String,
    #[schema(value_type = Country)]
    country: String,
    /// True makes it the one; the first address is in any case.
    #[serde(default)]
    is_default: bool,
}

impl NewKeptAddress {
    fn check(self) -> Result<(Address, bool), Problem> {
        let NewKeptAddress { name, line1, line2, city, region, postal_code, country, is_default } = self;
        let mut fields = Fields::default();
        let address = NewAddress { name, line1, line2, city, region, postal_code, country };
        let address = address.check("", &mut fields);
        Ok((fields.finish(|| address)?, is_default))
    }
}

/// Why an address book stayed as it was.
#[derive(Clone, Copy)]
enum Unkept {
    Full,
    Unknown,
    /// The account is being deleted.
    Leaving,
}

impl From<Unkept> for Problem {
    fn from(reason: Unkept) -> Self {
        match reason {
            Unkept::Full => {
                Problem::new(Kind::AddressBookFull, format!("An account keeps at most {MAX_ADDRESSES} addresses."))
            }
            Unkept::Unknown => Problem::not_found("address"),
            Unkept::Leaving => Problem::new(Kind::Leaving, "This account is being deleted."),
        }
    }
}

/// List one's addresses
#[utoipa::path(
    get,
    path = "/v1/account/addresses",
    responses((status = 200, description = "All of the caller's addresses, the oldest first.", body = List<KeptAddress>)),
    security(("bearer" = [])),
)]
pub async fn list_addresses(State(app): State<App>, caller: Caller) -> Result<Json<List<KeptAddress>>, Problem> {
    let book = app.table.address_book(caller.account).await?;
    Ok(Json(List::whole(book.entries())))
}

/// Keep an address
#[utoipa::path(
    post,
    path = "/v1/account/addresses",
    request_body = NewKeptAddress,
    responses((status = 201, description = "The address is kept.", body = KeptAddress, headers(("location" = String, description = "The path of what was made."))), (status = 409, description = "address-book-full")),
    security(("bearer" = [])),
)]
pub async fn add_address(
    State(app): State<App>,
    caller: Caller,
    Body(body): Body<NewKeptAddress>,
) -> Result<Response, Problem> {
    let (address, is_default) = body.check()?;
    let id = AddressId::new(random::uuid_at(clock::now()));
    let add = |book: &mut AddressBook| {
        if book.addresses.len() >= MAX_ADDRESSES {
            return Err(Unkept::Full);
        }
        book.addresses.insert(id, address.clone());
        if is_default || book.default.is_none() {
            book.default = Some(id);
        }
        Ok(())
    };
    let book = app.table.change_address_book(caller.account, Unkept::Leaving, add).await?;
    let kept = book.entry(id).ok_or_else(|| Problem::internal("an address is missing that was just kept"))?;
    let location = [(LOCATION, format!("/v1/account/addresses/{id}"))];
    Ok((StatusCode::CREATED, location, Json(kept)).into_response())
}

/// Replace an address
#[utoipa::path(
    put,
    path = "/v1/account/addresses/{id}",
    params(("id" = AddressId, Path)),
    request_body = NewKeptAddress,
    responses((status = 200, description = "The address as it is now.", body = KeptAddress)),
    security(("bearer" = [])),
)]
pub async fn replace_address(
    State(app): State<App>,
    caller: Caller,
    Segment(id): Segment,
    Body(body): Body<NewKeptAddress>,
) -> Result<Json<KeptAddress>, Problem> {
    let id: AddressId = id.parse().map_err(|_| Problem::from(Unkept::Unknown))?;
    let (address, is_default) = body.check()?;
    let replace = |book: &mut AddressBook| {
        *book.addresses.get_mut(&id).ok_or(Unkept::Unknown)? = address.clone();
        if is_default {
            book.default = Some(id);
        }
        Ok::<_, Unkept>(())
    };
    let book = app.table.change_address_book(caller.account, Unkept::Leaving, replace).await?;
    book.entry(id).map(Json).ok_or_else(|| Problem::from(Unkept::Unknown))
}

/// Forget an address
#[utoipa::path(
    delete,
    path = "/v1/account/addresses/{id}",
    params(("id" = AddressId, Path)),
    responses((status = 204, description = "The address is forgotten.")),
    security(("bearer" = [])),
)]
pub async fn remove_address(
    State(app): State<App>,
    caller: Caller,
    Segment(id): Segment,
) -> Result<StatusCode, Problem> {
    let id: AddressId = id.parse().map_err(|_| Problem::from(Unkept::Unknown))?;
    let remove = |book: &mut AddressBook| {
        book.addresses.remove(&id).ok_or(Unkept::Unknown)?;
        if book.default == Some(id) {
            book.default = book.addresses.keys().next().copied();
        }
        Ok::<_, Unkept>(())
    };
    app.table.change_address_book(caller.account, Unkept::Leaving, remove).await?;
    Ok(StatusCode::NO_CONTENT)
}
