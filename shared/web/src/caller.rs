//! Who is calling. A route that takes a `Caller` is for people who are logged in, one that takes `Staff` for staff.

use axum::extract::{FromRef, FromRequestParts};
use http::header::AUTHORIZATION;
use http::request::Parts;
use waybill_domain::account::Role;
use waybill_domain::id::{AccountId, SessionId};
use waybill_domain::message::Actor;
use waybill_domain::order::Order;
use waybill_domain::text::Email;
use waybill_lambda::clock;

use crate::Problem;
use crate::tokens::{TokenError, Verifier};

/// Somebody with a valid access token.
#[derive(Clone, Debug)]
pub struct Caller {
    pub account: AccountId,
    pub session: SessionId,
    pub email: Email,
    pub role: Role,
}

/// A caller with a role that may use the staff's routes.
#[derive(Clone, Debug)]
pub struct Staff(pub Caller);

impl Caller {
    pub fn actor(&self) -> Actor {
        Actor::person(self.account, self.role)
    }

    /// Whether the order is the caller's to see: their own, or any for staff.
    pub fn may_see(&self, order: &Order) -> bool {
        order.buyer == self.account || self.role.is_staff()
    }
}

impl<S> FromRequestParts<S> for Caller
where
    S: Send + Sync,
    Verifier: FromRef<S>,
{
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let token = parts
            .headers
            .get(AUTHORIZATION)
            .and_then(|value| value.to_str().ok())
            .and_then(|value| value.split_once(' '))
            .filter(|(scheme, _)| scheme.eq_ignore_ascii_case("bearer"))
            .map(|(_, token)| token.trim())
            .ok_or_else(|| Problem::unauthorized("Please log in and send the access token as a bearer token."))?;
        let claims = Verifier::from_ref(state).verify(token, clock::now()).await.map_err(|error| match error {
            TokenError::Invalid => Problem::unauthorized("The access token is not valid."),
            TokenError::Expired => Problem::unauthorized("The access token has expired; refresh it."),
            TokenError::Storage(error) => error.into(),
        })?;
        Ok(Caller { account: claims.sub, session: claims.sid, email: claims.email, role: claims.role })
    }
}

impl<S> FromRequestParts<S> for Staff
where
    S: Send + Sync,
    Verifier: FromRef<S>,
{
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let caller = Caller::from_request_parts(parts, state).await?;
        if caller.role.is_staff() { Ok(Staff(caller)) } else { Err(Problem::forbidden()) }
    }
}
