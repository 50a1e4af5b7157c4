//! Rate limits. A limit counts across all instances of all functions: one conditional write for each use. An instance
//! remembers whom it has refused, so that refusing them again costs nothing.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};

use axum::extract::FromRequestParts;
use http::request::Parts;
use lambda_http::RequestExt;
use lambda_http::request::RequestContext;
use waybill_domain::Timestamp;
use waybill_lambda::random;
use waybill_storage::Table;

use crate::Problem;

macro_rules! limits {
    ($($(#[doc = $doc:literal])* $limit:ident = $name:literal $quota:literal per $seconds:literal;)*) => {
        /// What is limited, and by what.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum Limit {
            $($(#[doc = $doc])* $limit,)*
        }

        impl Limit {
            pub const ALL: &'static [Limit] = &[$(Limit::$limit),*];

            /// The name that settings and answers have for it.
            pub fn name(self) -> &'static str {
                match self {
                    $(Limit::$limit => $name,)*
                }
            }

            /// Unless a setting says otherwise.
            pub fn default_rate(self) -> Rate {
                match self {
                    $(Limit::$limit => Rate { quota: $quota, seconds: $seconds },)*
                }
            }
        }
    };
}

limits! {
    /// All requests from an address.
    RequestsAddress = "requests-address" 1200 per 60;
    /// All requests of an account.
    RequestsAccount = "requests-account" 600 per 60;
    SignUpAddress = "sign-up-address" 20 per 3600;
    /// Sign-ups of an e-mail address, each of which is a mail to it.
    SignUpEmail = "sign-up-email" 5 per 3600;
    LogInAddress = "log-in-address" 100 per 600;
    /// Log-ins with an e-mail address by clients that have no device token of its account.
    LogInEmail = "log-in-email" 20 per 3600;
    /// Log-ins by a client that has a device token of the account.
    LogInDevice = "log-in-device" 20 per 3600;
    ResetAddress = "reset-address" 20 per 3600;
    /// Resets of an e-mail address, each of which is a mail to it.
    ResetEmail = "reset-email" 5 per 3600;
    ConfirmAddress = "confirm-address" 60 per 3600;
    /// Tries with one link.
    ConfirmLink = "confirm-link" 10 per 3600;
    RefreshAddress = "refresh-address" 600 per 600;
    RefreshSession = "refresh-session" 60 per 600;
    /// Whatever asks somebody who is logged in for their password or a code.
    PasswordAccount = "password-account" 10 per 3600;
    OrderAddress = "order-address" 300 per 3600;
    OrderAccount = "order-account" 60 per 3600;
    PaymentAddress = "payment-address" 120 per 3600;
    PaymentAccount = "payment-account" 30 per 3600;
}

/// So many uses in so many seconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rate {
    pub quota: u32,
    pub seconds: u32,
}

/// Of the limits that are on load, and not on guesses, every instance counts so many parts of the quota at once, so that most
/// requests write nothing. What it has not counted yet is the price: a part for each instance at most.
const PARTS: u32 = 20;
/// Subjects that an instance keeps in mind.
const MOST_SUBJECTS: usize = 20_000;

/// The limits with their rates. Clones share what they remember.
#[derive(Clone)]
pub struct Limits(Arc<Inner>);

struct Inner {
    table: Table,
    rates: HashMap<Limit, Rate>,
    seen: Mutex<HashMap<(Limit, String), Seen>>,
}

/// What an instance knows of a subject in one window.
struct Seen {
    until: i64,
    uses: u32,
    refused: bool,
}

/// Why a setting was not understood.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("RATE_LIMITS: {0:?} must be the name of a limit, or *, and a rate: log-in-address=100/600")]
pub struct BadSetting(String);

/// Reads `name=uses/seconds,…`; `*` stands for every limit, and what comes later overrides.
fn rates(setting: &str) -> Result<HashMap<Limit, Rate>, BadSetting> {
    let mut rates: HashMap<_, _> = Limit::ALL.iter().map(|limit| (*limit, limit.default_rate())).collect();
    for part in setting.split(',').map(str::trim).filter(|part| !part.is_empty()) {
        let bad = || BadSetting(part.to_owned());
        let (name, rate) = part.split_once('=').ok_or_else(bad)?;
        let (quota, seconds) = rate.split_once('/').ok_or_else(bad)?;
        let rate = Rate { quota: quota.parse().map_err(|_| bad())?, seconds: seconds.parse().map_err(|_| bad())? };
        let named: Vec<_> = Limit::ALL.iter().filter(|limit| name == "*" || limit.name() == name).collect();
        if named.is_empty() || rate.seconds == 0 {
            return Err(bad());
        }
        rates.extend(named.into_iter().map(|limit| (*limit, rate)));
    }
    Ok(rates)
}

impl Limits {
    /// The default rates, and what the setting says otherwise.
    pub fn new(table: Table, setting: &str) -> Result<Limits, BadSetting> {
        Ok(Limits(Arc::new(Inner { table, rates: rates(setting)?, seen: Mutex::default() })))
    }

    /// Counts a use by a subject, which the table keeps as a hash only. A use too many is a 429.
    pub async fn take(&self, limit: Limit, subject: &str, now: Timestamp) -> Result<(), Problem> {
        let rate = self.0.rates[&limit];
        let until = (now.as_second() / i64::from(rate.seconds) + 1) * i64::from(rate.seconds);
        let refused = || Problem::too_many(limit.name(), rate, until - now.as_second());
        let step = match limit {
            Limit::RequestsAddress
            | Limit::RequestsAccount
            | Limit::OrderAddress
            | Limit::OrderAccount
            | Limit::PaymentAddress
            | Limit::PaymentAccount => (rate.quota / PARTS).max(1),
            _ => 1,
        };
        let key = (limit, random::hash(subject)[..32].to_owned());
        {
            let mut seen = self.0.seen.lock().unwrap_or_else(PoisonError::into_inner);
            if seen.len() >= MOST_SUBJECTS {
                seen.retain(|_, seen| seen.until > now.as_second());
            }
            if seen.len() >= MOST_SUBJECTS {
                seen.clear();
            }
            let seen = seen.entry(key.clone()).or_insert(Seen { until, uses: 0, refused: false });
            if seen.until != until {
                *seen = Seen { until, uses: 0, refused: false };
            }
            if seen.refused {
                return Err(refused());
            }
            seen.uses = seen.uses.saturating_add(1);
            if !seen.uses.is_multiple_of(step) {
                return Ok(());
            }
        }
        if self.0.table.count(limit.name(), &key.1, until, step, rate.quota).await? {
            return Ok(());
        }
        tracing::warn!(limit = limit.name(), "a limit was reached");
        let mut seen = self.0.seen.lock().unwrap_or_else(PoisonError::into_inner);
        seen.insert(key, Seen { until, uses: 0, refused: true });
        Err(refused())
    }
}

/// Where a request comes from: an IPv4 address, or the 64 bits of an IPv6 one that a subscriber has.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Address(pub String);

impl Address {
    pub fn of(parts: &Parts) -> Address {
        let source = match parts.request_context_ref() {
            Some(RequestContext::ApiGatewayV2(context)) => context.http.source_ip.clone(),
            _ => None,
        };
        Address(network(&source.unwrap_or_default()))
    }
}

fn network(source: &str) -> String {
    match source.parse() {
        Ok(IpAddr::V6(address)) => match address.to_ipv4_mapped() {
            Some(address) => address.to_string(),
            None => address.segments()[..4].iter().map(|part| format!("{part:04x}")).collect::<Vec<_>>().join(":"),
        },
        Ok(IpAddr::V4(address)) => address.to_string(),
        Err(_) => "unknown".into(),
    }
}

impl<S: Send + Sync> FromRequestParts<S> for Address {
    type Rejection = std::convert::Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Self::Rejection> {
        Ok(Address::of(parts))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_setting_overrides_what_it_names_and_is_understood_or_refused() {
        assert_eq!(rates("").unwrap()[&Limit::SignUpEmail], Limit::SignUpEmail.default_rate());
        let rates_of = rates(" *=7/8, log-in-address=1/2,").unwrap();
        assert_eq!(rates_of[&Limit::LogInAddress], Rate { quota: 1, seconds: 2 });
        assert!(Limit::ALL.iter().all(|limit| *limit == Limit::LogInAddress || rates_of[limit].quota == 7));
        for bad in ["x=1/2", "log-in-address", "log-in-address=1", "log-in-address=1/0", "*=-1/2", "*=a/b"] {
            assert!(rates(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn names_are_unique() {
        let names: std::collections::BTreeSet<_> = Limit::ALL.iter().map(|limit| limit.name()).collect();
        assert_eq!(names.len(), Limit::ALL.len());
    }

    #[test]
    fn an_ipv6_subscriber_is_one_subject() {
        assert_eq!(network("192.0.2.7"), "192.0.2.7");
        assert_eq!(network("::ffff:192.0.2.7"), "192.0.2.7");
        assert_eq!(network("2001:db8:1:2:3:4:5:6"), network("2001:db8:1:2::1"));
        assert_ne!(network("2001:db8:1:2::1"), network("2001:db8:1:3::1"));
        assert_eq!(network("nonsense"), "unknown");
    }
}
