//! What goes wrong, as RFC 9457 problem documents, and the one mapping from the domain's errors to them.

use axum::response::{IntoResponse, Response};
use http::header::{CONTENT_TYPE, RETRY_AFTER};
use http::{HeaderName, HeaderValue, StatusCode};
use serde::Serialize;
use utoipa::ToSchema;
use waybill_domain::cart::MAX_LINES;
use waybill_domain::category::{MAX_CATEGORIES, MAX_DEPTH, MAX_TREE, Misplaced};
use waybill_domain::order::{
    MAX_REFUNDS, MAX_RETURNS, MAX_SHIPMENTS, Refusal, UnitsRefused, refund, returns, shipping,
};
use waybill_domain::webhook::MAX_ENDPOINTS;
use waybill_storage::carts::CartRefused;
use waybill_storage::catalog::ProductRefused;
use waybill_storage::categories::CategoryRefused;
use waybill_storage::orders::Unchanged;
use waybill_storage::pricing::SettingRefused;
use waybill_storage::webhooks::EndpointRefused;
use waybill_storage::{Refused, StorageError};

use crate::kind::Kind;
use crate::limits::Rate;
use crate::query::Idempotency;
use crate::serve::request_id;
use crate::versions::outdated;

/// A refusal or a failure, on its way to the client.
#[derive(Debug)]
pub struct Problem {
    kind: Kind,
    detail: String,
    errors: Vec<FieldError>,
    /// The limit that was reached.
    limit: Option<Reached>,
}

/// A limit that was reached, and when its window ends.
#[derive(Clone, Copy, Debug)]
struct Reached {
    name: &'static str,
    rate: Rate,
    seconds_left: i64,
}

/// What is wrong with one field of the request.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct FieldError {
    #[serde(flatten)]
    #[schema(inline)]
    pub place: Place,
    /// The end of a sentence about the field: "must be …".
    pub detail: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Place {
    /// A JSON pointer (RFC 6901) into the body.
    Pointer(String),
    /// A parameter of the query.
    Parameter(String),
    /// A header of the request.
    Header(&'static str),
    /// A column of a CSV.
    Column(String),
}

/// A busy table is worth another try after this many seconds.
const RETRY_AFTER_SECONDS: &str = "1";

impl Problem {
    pub fn new(kind: Kind, detail: impl Into<String>) -> Self {
        Problem { kind, detail: detail.into(), errors: Vec::new(), limit: None }
    }

    pub fn not_found(what: &str) -> Self {
        Problem::new(Kind::NotFound, format!("There is no such {what}."))
    }

    pub fn unauthorized(detail: &str) -> Self {
        Problem::new(Kind::Unauthorized, detail)
    }

    /// A use too many of a limit whose window ends in so many seconds.
    pub fn too_many(name: &'static str, rate: Rate, seconds_left: i64) -> Self {
        let detail = format!("Too many requests. Please try again in {seconds_left} seconds.");
        Problem { limit: Some(Reached { name, rate, seconds_left }), ..Problem::new(Kind::RateLimited, detail) }
    }

    /// A request that was understood but has fields that cannot be accepted.
    pub fn invalid(errors: Vec<FieldError>) -> Self {
        let detail = match errors.as_slice() {
            [_] => "A field cannot be accepted.".to_owned(),
            errors => format!("{} fields cannot be accepted.", errors.len()),
        };
        Problem { errors, ..Problem::new(Kind::Invalid, detail) }
    }

    pub fn invalid_parameter(name: &str, detail: impl Into<String>) -> Self {
        Problem::invalid(vec![FieldError { place: Place::Parameter(name.to_owned()), detail: detail.into() }])
    }

    pub fn invalid_header(name: &'static str, detail: impl Into<String>) -> Self {
        Problem::invalid(vec![FieldError { place: Place::Header(name), detail: detail.into() }])
    }

    pub fn invalid_field(pointer: &str, detail: impl Into<String>) -> Self {
        Problem::invalid(vec![FieldError { place: Place::Pointer(pointer.to_owned()), detail: detail.into() }])
    }

    pub fn with_errors(self, errors: Vec<FieldError>) -> Self {
        Problem { errors, ..self }
    }

    pub fn kind(&self) -> Kind {
        self.kind
    }

    /// What went wrong, for people.
    pub fn detail(&self) -> &str {
        &self.detail
    }

    /// What is wrong with single fields.
    pub fn errors(&self) -> &[FieldError] {
        &self.errors
    }

    /// Something that is ours to repair. The cause goes to the log, here and once; the client gets the request's id.
    pub fn internal(cause: impl std::fmt::Display) -> Self {
        tracing::error!(error = %cause, "a request failed");
        let detail = "Something went wrong on our side. Please quote the request id when you ask about it.";
        Problem::new(Kind::Internal, detail)
    }

    pub fn unavailable(cause: impl std::fmt::Display, detail: &str) -> Self {
        tracing::warn!(error = %cause, "a request was put off");
        Problem::new(Kind::Unavailable, detail)
    }
}

/// What every `type` of ours begins with.
pub(crate) const TYPE_PREFIX: &str = "urn:waybill:problem:";

/// A problem document as RFC 9457 has it.
#[derive(Serialize, ToSchema)]
#[schema(as = Problem)]
pub struct Document {
    /// What kind of problem it is; clients may rely on it.
    #[schema(example = "urn:waybill:problem:invalid")]
    r#type: String,
    /// The status in words.
    title: &'static str,
    /// The same as the answer's.
    #[schema(minimum = 400, maximum = 599)]
    status: u16,
    /// What went wrong this time, for people.
    detail: String,
    /// What is wrong with single fields, where that can be said.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schema(required = false)]
    errors: Vec<FieldError>,
    /// To be quoted when asking about it.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    request_id: Option<String>,
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let status = self.kind.status();
        let document = Document {
            r#type: format!("{TYPE_PREFIX}{}", self.kind.name()),
            title: status.canonical_reason().unwrap_or("Problem"),
            status: status.as_u16(),
            detail: self.detail,
            errors: self.errors,
            request_id: request_id(),
        };
        let body = serde_json::to_vec(&document).unwrap_or_default();
        let mut response = (status, body).into_response();
        let headers = response.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
        if status == StatusCode::SERVICE_UNAVAILABLE {
            headers.insert(RETRY_AFTER, HeaderValue::from_static(RETRY_AFTER_SECONDS));
        }
        if status == StatusCode::UNAUTHORIZED {
            headers.insert(http::header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        if let Some(Reached { name, rate: Rate { quota, seconds }, seconds_left }) = self.limit {
            // https://datatracker.ietf.org/doc/draft-ietf-httpapi-ratelimit-headers/
            let fields = [
                ("retry-after", seconds_left.to_string()),
                ("ratelimit-policy", format!("\"{name}\";q={quota};w={seconds}")),
                ("ratelimit", format!("\"{name}\";r=0;t={seconds_left}")),
            ];
            for (name, value) in fields {
                headers.extend(HeaderValue::from_str(&value).ok().map(|value| (HeaderName::from_static(name), value)));
            }
        }
        response
    }
}

impl From<StorageError> for Problem {
    fn from(error: StorageError) -> Self {
        match error {
            StorageError::Busy(cause) => Problem::unavailable(cause, "The shop is very busy. Please try again."),
            StorageError::Unreached(cause) => {
                Problem::unavailable(cause, "We got no answer in time. Please try again.")
            }
            StorageError::Broken(cause) => Problem::internal(cause),
        }
    }
}

impl From<Refusal> for Problem {
    fn from(refusal: Refusal) -> Self {
        let detail = refusal.to_string();
        match refusal {
            Refusal::Done => Problem::new(Kind::OrderState, "This has been done already."),
            Refusal::Forbidden { .. } | Refusal::PageOpen | Refusal::HoldOpen | Refusal::ReleaseDue { .. } => {
                Problem::new(Kind::OrderState, detail)
            }
            Refusal::WrongAmount { .. } => Problem::new(Kind::WrongAmount, detail),
            Refusal::TimelineFull => Problem::new(Kind::TooManyPayments, detail),
            Refusal::TooLong | Refusal::AddressesUsedUp => Problem::new(Kind::TooMany, detail),
            Refusal::OtherDestination { country, region } => {
                let only = format!("must be {}, for which shipping and tax were reckoned", country.as_str());
                let only_region = |region| {
                    let only = format!("must be {region}, for which shipping and tax were reckoned");
                    FieldError::at("/region", only)
                };
                let fields = [Some(FieldError::at("/country", only)), region.map(only_region)];
                Problem::invalid(fields.into_iter().flatten().collect())
            }
            Refusal::Shipping(refused) => refused.into(),
            Refusal::Refund(refused) => refused.into(),
            Refusal::Return(refused) => refused.into(),
            // Only Stripe tells of disputes.
            Refusal::Dispute(refused) => Problem::new(Kind::OrderState, refused.to_string()),
        }
    }
}

impl From<UnitsRefused> for Problem {
    fn from(refused: UnitsRefused) -> Self {
        match refused {
            UnitsRefused::NotOrdered(sku) => Problem::invalid_field("/lines", format!("{sku} is not in the order")),
            UnitsRefused::TooMany { sku, left } => {
                Problem::new(Kind::TooManyUnits, format!("Only {left} units of {sku} are left."))
            }
        }
    }
}

impl From<shipping::Refused> for Problem {
    fn from(refused: shipping::Refused) -> Self {
        use shipping::Refused;
        match refused {
            Refused::Units(refused) => refused.into(),
            Refused::NumberUsed => {
                let detail = "The tracking number is that of another parcel of the order.";
                let field = FieldError::at("/tracking_number", "is that of another parcel of the order");
                Problem::new(Kind::Taken, detail).with_errors(vec![field])
            }
            Refused::TooMany => Problem::new(Kind::TooMany, format!("An order has at most {MAX_SHIPMENTS} shipments.")),
            Refused::Unknown => Problem::not_found("shipment"),
            Refused::Disputed => {
                let detail = "The buyer's bank holds the payment until it has decided on a dispute.";
                Problem::new(Kind::OrderState, detail)
            }
        }
    }
}

impl From<returns::Refused> for Problem {
    fn from(refused: returns::Refused) -> Self {
        use returns::Refused;
        match refused {
            Refused::Units(refused) => refused.into(),
            Refused::KeyUsed => Problem::invalid_header(Idempotency::HEADER, "was used before, for another request"),
            Refused::TooMany => Problem::new(Kind::TooMany, format!("An order has at most {MAX_RETURNS} returns.")),
            Refused::Unknown => Problem::not_found("return"),
            Refused::Ended => Problem::new(Kind::OrderState, "The return has been refused or received already."),
            Refused::Approved => Problem::new(Kind::OrderState, "The return has been approved already."),
            Refused::NotTaken => Problem::new(Kind::OrderState, "The return has been refused."),
            Refused::Exchanged => Problem::new(Kind::OrderState, "Another order goes out for the return already."),
        }
    }
}

impl From<refund::Refused> for Problem {
    fn from(refused: refund::Refused) -> Self {
        use refund::Refused;
        match refused {
            Refused::TooMuch { left } => {
                Problem::new(Kind::RefundTooLarge, format!("Only {left} of the payment is left to refund."))
            }
            Refused::OtherCurrency(currency) => {
                Problem::invalid_field("/amount/currency", format!("must be {currency}, which was paid"))
            }
            Refused::Units(UnitsRefused::TooMany { sku, left }) => {
                Problem::new(Kind::RefundTooLarge, format!("Only {left} units of {sku} are left to refund."))
            }
            Refused::Units(refused @ UnitsRefused::NotOrdered(_)) => refused.into(),
            Refused::KeyUsed => Problem::invalid_header(Idempotency::HEADER, "was used before, for another request"),
            Refused::TooMany => Problem::new(Kind::TooMany, format!("An order has at most {MAX_REFUNDS} refunds.")),
            Refused::Nothing => Problem::invalid_field("/lines", "must be units that something was paid for"),
            Refused::OtherPayment => Problem::new(Kind::OrderState, "It is of another payment than the order's."),
            Refused::Unknown => Problem::not_found("refund"),
        }
    }
}

impl<E: Into<Problem>> From<Unchanged<E>> for Problem {
    fn from(unchanged: Unchanged<E>) -> Self {
        match unchanged {
            Unchanged::UnknownOrder => Problem::not_found("order"),
            Unchanged::Refused(refusal) => refusal.into(),
            Unchanged::EventSeen => Problem::new(Kind::OrderState, "This has been done already."),
            Unchanged::Failed(error) => error.into(),
        }
    }
}

impl<E: Into<Problem>> From<Refused<E>> for Problem {
    fn from(refused: Refused<E>) -> Self {
        match refused.first() {
            Ok(reason) => reason.into(),
            Err(error) => error.into(),
        }
    }
}

impl From<ProductRefused> for Problem {
    fn from(refused: ProductRefused) -> Self {
        match refused {
            ProductRefused::SlugTaken => slug_taken(),
            ProductRefused::SkuTaken(sku) => {
                let detail = format!("The SKU {sku} is taken.");
                Problem::new(Kind::Taken, detail).with_errors(vec![FieldError::at("/skus", format!("{sku} is taken"))])
            }
            ProductRefused::UnknownCategory(id) => {
                Problem::invalid_field("/category_ids", format!("there is no category {id}"))
            }
            ProductRefused::Changed => outdated(),
            ProductRefused::Sold => {
                Problem::new(Kind::InUse, "It has been ordered, so it stays on those orders. Archive it instead.")
            }
        }
    }
}

impl From<CategoryRefused> for Problem {
    fn from(refused: CategoryRefused) -> Self {
        let in_use = |detail: &str| Problem::new(Kind::InUse, detail);
        match refused {
            CategoryRefused::SlugTaken => slug_taken(),
            CategoryRefused::Unknown => Problem::not_found("category"),
            CategoryRefused::Changed => outdated(),
            CategoryRefused::HasChildren => in_use("Categories stand below it; move or delete them first."),
            CategoryRefused::HasProducts => in_use("Products stand in it; move or archive them first."),
            CategoryRefused::Misplaced(Misplaced::TooMany) => {
                Problem::new(Kind::TooMany, format!("A shop has at most {MAX_CATEGORIES} categories."))
            }
            CategoryRefused::Misplaced(Misplaced::TooLarge) => {
                let detail = format!("The texts of all categories together would be more than {MAX_TREE} bytes.");
                Problem::new(Kind::TooMany, detail)
            }
            CategoryRefused::Misplaced(Misplaced::UnknownParent) => {
                Problem::invalid_field("/parent_id", "there is no such category")
            }
            CategoryRefused::Misplaced(Misplaced::BelowItself) => {
                Problem::invalid_field("/parent_id", "is the category itself, or stands below it")
            }
            CategoryRefused::Misplaced(Misplaced::TooDeep) => {
                Problem::invalid_field("/parent_id", format!("would make the tree deeper than {MAX_DEPTH} levels"))
            }
        }
    }
}

impl From<SettingRefused> for Problem {
    fn from(refused: SettingRefused) -> Self {
        match refused {
            SettingRefused::TooMany(most) => {
                Problem::new(Kind::TooMany, format!("A shop has at most {most} of these."))
            }
            SettingRefused::Unknown => Problem::not_found("promotion or shipping method"),
            SettingRefused::Changed => outdated(),
        }
    }
}

impl From<EndpointRefused> for Problem {
    fn from(refused: EndpointRefused) -> Self {
        match refused {
            EndpointRefused::TooMany => {
                Problem::new(Kind::TooMany, format!("A shop has at most {MAX_ENDPOINTS} webhook endpoints."))
            }
            EndpointRefused::Unknown => Problem::not_found("webhook endpoint"),
            EndpointRefused::Changed => outdated(),
        }
    }
}

fn slug_taken() -> Problem {
    Problem::new(Kind::Taken, "The slug is taken.").with_errors(vec![FieldError::at("/slug", "is taken")])
}

impl From<CartRefused> for Problem {
    fn from(refused: CartRefused) -> Self {
        match refused {
            CartRefused::Full => {
                Problem::new(Kind::CartFull, format!("A cart holds at most {MAX_LINES} different SKUs."))
            }
            CartRefused::NoDraft => Problem::not_found("draft"),
        }
    }
}

impl FieldError {
    pub fn at(pointer: &str, detail: impl Into<String>) -> Self {
        FieldError { place: Place::Pointer(pointer.to_owned()), detail: detail.into() }
    }
}
