//! Who is calling. A route that takes a `Caller` is for people who are logged in, one that takes `Staff<…>` for those
//! whose role has the permission named there.

use std::marker::PhantomData;

use axum::extract::{FromRef, FromRequestParts};
use http::header::AUTHORIZATION;
use http::request::Parts;
use waybill_domain::account::Permission;
use waybill_domain::id::{AccountId, SessionId};
use waybill_domain::message::Actor;
use waybill_domain::order::Order;
use waybill_lambda::clock;
use waybill_storage::accounts::Holder;

use crate::guard::Guard;
use crate::limits::Limit;
use crate::tokens::TokenError;
use crate::{Kind, Problem};

/// Somebody with a valid access token of a session that has not ended.
#[derive(Clone, Debug)]
pub struct Caller {
    pub account: AccountId,
    pub session: SessionId,
    /// Whether a code was given in the session, today.
    pub second_factor: bool,
    /// The account as it was when the request came.
    pub holder: Box<Holder>,
}

/// Somebody with a valid access token. Whether the session still stands nobody has looked: for what itself looks, in the one
/// write that it makes.
#[derive(Clone, Copy, Debug)]
pub struct Bearer {
    pub account: AccountId,
    pub session: SessionId,
}

/// A caller whose account may be in the middle of being deleted.
#[derive(Clone, Debug)]
pub struct Leaver(pub Caller);

/// A caller who has the permission `P` at this moment, in a session with a second factor.
#[derive(Clone, Debug)]
pub struct Staff<P> {
    pub caller: Caller,
    permission: PhantomData<P>,
}

/// The permission that a route names.
pub trait Names {
    const PERMISSION: Permission;
}

/// The permissions, as routes name them: `Staff<may::ReadOrders>`.
pub mod may {
    use waybill_domain::account::Permission;

    use super::Names;

    macro_rules! named {
        ($($name:ident)*) => {
            $(
                #[derive(Clone, Copy, Debug)]
                pub struct $name;

                impl Names for $name {
                    const PERMISSION: Permission = Permission::$name;
                }
            )*
        };
    }

    named!(ReadOrders NoteOrders PlaceOrders FulfilOrders CaptureOrders RefundOrders ReadReports WriteCatalog ReadStock WriteStock WritePricing ManageWebhooks ManagePeople);
}

impl Caller {
    pub fn actor(&self) -> Actor {
        Actor::person(self.account, self.holder.role)
    }

    /// Whether the caller may do what staff may.
    pub fn may(&self, permission: Permission) -> bool {
        self.second_factor && self.holder.role.may(permission)
    }

    /// Whether the order is the caller's to see: their own, or any for staff.
    pub fn may_see(&self, order: &Order) -> bool {
        order.buyer == self.account || self.may(Permission::ReadOrders)
    }
}

/// What becomes of a request in a session that has ended.
pub fn session_ended(account: AccountId) -> Problem {
    tracing::info!(account.id = %account, "a session that has ended was refused");
    Problem::unauthorized("The session has ended. Please log in again.")
}

/// What becomes of a request of somebody who is about to be forgotten.
pub fn leaving() -> Problem {
    Problem::new(Kind::Leaving, "This account is being deleted.")
}

impl Bearer {
    /// The caller, if the session still stands: one read.
    pub async fn caller(self, guard: &Guard) -> Result<Caller, Problem> {
        let caller = self.leaver(guard).await?;
        match caller.holder.leaving_since {
            None => Ok(caller),
            Some(_) => Err(leaving()),
        }
    }

    /// The caller, and what is read for them meanwhile: in the time of one read, not of two. For reading only, since nobody
    /// knows yet whether the session stands; whoever is no caller is told of nothing else.
    pub async fn beside<T>(
        self,
        guard: &Guard,
        reading: impl Future<Output = Result<T, Problem>>,
    ) -> Result<(Caller, T), Problem> {
        let (caller, read) = tokio::join!(self.caller(guard), reading);
        Ok((caller?, read?))
    }

    /// The token says who opened the session; whether it still stands, and what its holder may do, the table says.
    async fn leaver(self, guard: &Guard) -> Result<Caller, Problem> {
        let (Bearer { account, session }, now) = (self, clock::now());
        let holder = guard.table.holder(account).await?;
        let caller = holder.and_then(|holder| {
            let second_factor = holder.session(session, now)?.has_second_factor(now);
            Some(Caller { account, session, second_factor, holder: Box::new(holder) })
        });
        caller.ok_or_else(|| session_ended(account))
    }
}

impl<S> FromRequestParts<S> for Bearer
where
    S: Send + Sync,
    Guard: FromRef<S>,
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
        let (guard, now) = (Guard::from_ref(state), clock::now());
        let claims = guard.verifier.verify(token, now).await.map_err(|error| match error {
            TokenError::Invalid | TokenError::Expired => {
                tracing::info!(reason = %error, "a token was refused");
                Problem::unauthorized(match error {
                    TokenError::Expired => "The access token has expired; refresh it.",
                    _ => "The access token is not valid.",
                })
            }
            TokenError::Storage(error) => error.into(),
        })?;
        guard.limits.take(Limit::RequestsAccount, &claims.sub.to_string(), now).await?;
        Ok(Bearer { account: claims.sub, session: claims.sid })
    }
}

impl<S> FromRequestParts<S> for Leaver
where
    S: Send + Sync,
    Guard: FromRef<S>,
{
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let bearer = Bearer::from_request_parts(parts, state).await?;
        bearer.leaver(&Guard::from_ref(state)).await.map(Leaver)
    }
}

impl<S> FromRequestParts<S> for Caller
where
    S: Send + Sync,
    Guard: FromRef<S>,
{
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let bearer = Bearer::from_request_parts(parts, state).await?;
        bearer.caller(&Guard::from_ref(state)).await
    }
}

impl<S, P> FromRequestParts<S> for Staff<P>
where
    S: Send + Sync,
    Guard: FromRef<S>,
    P: Names,
{
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let caller = Caller::from_request_parts(parts, state).await?;
        if !caller.may(P::PERMISSION) {
            tracing::warn!(account.id = %caller.account, permission = P::PERMISSION.name(), "not permitted");
        }
        if !caller.holder.role.may(P::PERMISSION) {
            let detail = format!("This takes the permission {}, which your role has not.", P::PERMISSION.name());
            return Err(Problem::new(Kind::Forbidden, detail));
        }
        if !caller.second_factor {
            let detail = "Staff work in sessions in which a code was given today. Set up a second factor, or log in with its code.";
            return Err(Problem::new(Kind::SecondFactorMissing, detail));
        }
        Ok(Staff { caller, permission: PhantomData })
    }
}
