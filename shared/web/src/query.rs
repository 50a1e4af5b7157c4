//! Query strings of lists, and the pages that answer them.

use std::collections::BTreeMap;

use axum::extract::{FromRequestParts, Query};
use http::request::Parts;
use http::{HeaderMap, HeaderValue};
use serde::Serialize;
use utoipa::ToSchema;
use waybill_domain::text::{IdempotencyKey, Invalid};
use waybill_storage::{Cursor, Page};

use crate::cursors::Cursors;
use crate::problem::{FieldError, Place};
use crate::{Kind, Problem};

/// Items of a page unless `limit` says otherwise.
pub const DEFAULT_LIMIT: u8 = 20;
pub const MAX_LIMIT: u8 = 100;

/// A query's parameters while they are taken one by one; what is left over in the end is refused.
pub struct Parameters {
    left: BTreeMap<String, String>,
    errors: Vec<FieldError>,
}

impl<S: Send + Sync> FromRequestParts<S> for Parameters {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let Query(pairs) = Query::<Vec<(String, String)>>::from_request_parts(parts, state)
            .await
            .map_err(|_| Problem::new(Kind::BadRequest, "The query string cannot be read."))?;
        let mut parameters = Parameters { left: BTreeMap::new(), errors: Vec::new() };
        for (name, value) in pairs {
            if parameters.left.insert(name.clone(), value).is_some() {
                parameters.refuse(&name, "is given more than once");
            }
        }
        Ok(parameters)
    }
}

impl Parameters {
    /// Takes a parameter that may be missing; `parse` says what is wrong with it.
    pub fn take<T, E: ToString>(&mut self, name: &str, parse: impl FnOnce(&str) -> Result<T, E>) -> Option<T> {
        let text = self.left.remove(name)?;
        parse(&text).map_err(|error| self.refuse(name, &error.to_string())).ok()
    }

    /// Takes `limit`: 1 to [`MAX_LIMIT`], [`DEFAULT_LIMIT`] when missing.
    pub fn limit(&mut self) -> u8 {
        let parse = |text: &str| match text.parse() {
            Ok(limit) if (1..=MAX_LIMIT).contains(&limit) => Ok(limit),
            _ => Err(format!("must be a number from 1 to {MAX_LIMIT}")),
        };
        self.take("limit", parse).unwrap_or(DEFAULT_LIMIT)
    }

    /// Takes `cursor`, as another page of the same list gave it.
    pub fn cursor<T>(&mut self, list: (&Cursors, &str), read: impl FnOnce(&str) -> Option<T>) -> Option<T> {
        let (cursors, list) = list;
        let parse = |text: &str| {
            let place = cursors.open(list, text);
            place.as_deref().and_then(read).ok_or("must be the `next` or the `previous` of another page of this list")
        };
        self.take("cursor", parse)
    }

    /// Takes every parameter that is named `group[name]`.
    pub fn take_group(&mut self, group: &str) -> BTreeMap<String, String> {
        let prefix = format!("{group}[");
        let inner = |name: &str| Some(name.strip_prefix(&prefix)?.strip_suffix(']')?.to_owned());
        let names: Vec<_> = self.left.keys().filter_map(|name| Some((name.clone(), inner(name)?))).collect();
        names.into_iter().filter_map(|(name, inner)| Some((inner, self.left.remove(&name)?))).collect()
    }

    /// Whether anything was wrong so far.
    pub fn has_errors(&self) -> bool {
        !self.errors.is_empty()
    }

    pub fn refuse(&mut self, name: &str, detail: &str) {
        self.errors.push(FieldError { place: Place::Parameter(name.to_owned()), detail: detail.to_owned() });
    }

    /// Refuses what was wrong and what nobody took.
    pub fn finish(mut self) -> Result<(), Problem> {
        for name in std::mem::take(&mut self.left).into_keys() {
            self.refuse(&name, "is not a parameter of this list");
        }
        if self.errors.is_empty() { Ok(()) } else { Err(Problem::invalid(self.errors)) }
    }
}

/// A page as clients get it: `{"items": […], "next": "…" or null, "previous": "…" or null}`.
#[derive(Serialize, ToSchema)]
pub struct List<T> {
    pub items: Vec<T>,
    /// What to send as `cursor` for the next page; null when this is the last.
    #[schema(required)]
    pub next: Option<String>,
    /// What to send as `cursor` for the page before; null when this is the first.
    #[schema(required)]
    pub previous: Option<String>,
}

impl<T> List<T> {
    /// All there is, in one page.
    pub fn whole(items: Vec<T>) -> Self {
        List { items, next: None, previous: None }
    }

    /// A page of the list of this name.
    pub fn of<U: Into<T>>(page: Page<U>, (cursors, list): (&Cursors, &str)) -> Self {
        let seal = |cursor: Option<Cursor>| cursor.map(|cursor| cursors.seal(list, &cursor.to_string()));
        List {
            items: page.items.into_iter().map(Into::into).collect(),
            next: seal(page.next),
            previous: seal(page.previous),
        }
    }
}

/// The header `Idempotency-Key`, which must be there.
pub struct Idempotency(pub IdempotencyKey);

impl Idempotency {
    pub const HEADER: &str = "Idempotency-Key";

    /// The key of a request that may do without.
    pub fn optional(headers: &HeaderMap) -> Result<Option<IdempotencyKey>, Problem> {
        headers.get(Self::HEADER).map(Self::parse).transpose()
    }

    fn parse(value: &HeaderValue) -> Result<IdempotencyKey, Problem> {
        let key = value.to_str().unwrap_or_default().parse();
        key.map_err(|invalid: Invalid| Problem::invalid_header(Self::HEADER, invalid.to_string()))
    }
}

impl<S: Send + Sync> FromRequestParts<S> for Idempotency {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        let missing = "must be given, such as a fresh UUID for each new attempt";
        let key = Self::optional(&parts.headers)?;
        key.map(Idempotency).ok_or_else(|| Problem::invalid_header(Self::HEADER, missing))
    }
}
