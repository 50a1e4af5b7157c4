//! Endpoints and their secrets, for administrators.

use std::collections::BTreeSet;

use axum::Json;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use http::StatusCode;
use http::header::LOCATION;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use waybill_domain::Timestamp;
use waybill_domain::id::EndpointId;
use waybill_domain::message::EVENT_TAGS;
use waybill_domain::webhook::{Endpoint, EndpointNote, EndpointUrl, EventTag, Secret, TestHosts};
use waybill_lambda::{clock, random};
use waybill_storage::Table;
use waybill_web::query::List;
use waybill_web::{Body, Fields, IfMatch, Problem, Segment, Staff, may, version_tag};

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewEndpoint {
    #[schema(value_type = EndpointUrl)]
    url: String,
    #[schema(value_type = Option<EndpointNote>)]
    description: Option<String>,
    /// What it is told of; everything where there is none.
    #[schema(value_type = Option<BTreeSet<EventTag>>)]
    events: Option<Vec<String>>,
    /// True unless it is given.
    enabled: Option<bool>,
}

/// What is left out stays.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct EndpointChange {
    #[schema(value_type = Option<EndpointUrl>)]
    url: Option<String>,
    #[schema(value_type = Option<EndpointNote>)]
    description: Option<String>,
    /// What it is told of; everything where it is empty.
    #[schema(value_type = Option<BTreeSet<EventTag>>)]
    events: Option<Vec<String>>,
    /// True also forgets what had failed.
    enabled: Option<bool>,
}

/// A new endpoint, with what its requests are signed with.
#[derive(Serialize, ToSchema)]
pub struct CreatedEndpoint {
    #[serde(flatten)]
    #[schema(inline)]
    endpoint: Endpoint,
    /// It is not shown again.
    #[schema(example = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSwAAAAAAAAAAA=")]
    secret: String,
}

#[derive(Serialize, ToSchema)]
pub struct RotatedSecret {
    /// It is not shown again.
    #[schema(example = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSwAAAAAAAAAAA=")]
    secret: String,
    /// Until then requests are signed with the one before as well.
    #[schema(required)]
    previous_signs_until: Option<Timestamp>,
}

/// What of an endpoint may be changed, as it was asked for.
struct Asked {
    url: Option<EndpointUrl>,
    description: Option<EndpointNote>,
    events: Option<BTreeSet<EventTag>>,
    enabled: Option<bool>,
}

impl EndpointChange {
    fn check(self, tests: &TestHosts) -> Result<Asked, Problem> {
        let mut fields = Fields::default();
        let url = fields.take_optional("/url", self.url.map(|url| EndpointUrl::parse(&url, tests)));
        let description = fields.take_optional("/description", self.description.map(|text| text.parse()));
        let events = self.events.map(|events| {
            if events.len() > EVENT_TAGS.len() {
                fields.refuse("/events", format!("must have at most {} entries", EVENT_TAGS.len()));
            }
            let events = events.into_iter().take(EVENT_TAGS.len()).enumerate();
            events.filter_map(|(place, tag)| fields.take(&format!("/events/{place}"), tag.parse())).collect()
        });
        fields.finish(|| Some(Asked { url, description, events, enabled: self.enabled }))
    }
}

impl Asked {
    fn apply(&self, mut endpoint: Endpoint) -> Endpoint {
        if let Some(url) = self.url.clone().filter(|url| *url != endpoint.url) {
            (endpoint.url, endpoint.failing_since) = (url, None);
        }
        endpoint.description = self.description.clone().unwrap_or(endpoint.description);
        endpoint.events = self.events.clone().unwrap_or(endpoint.events);
        if let Some(enabled) = self.enabled {
            (endpoint.enabled, endpoint.disabled, endpoint.failing_since) = (enabled, None, None);
        }
        endpoint
    }
}

fn new_secret() -> Secret {
    Secret::new(&BASE64_STANDARD.encode(random::bytes::<32>()))
}

/// What `id` names, where it is the id of an endpoint at all.
pub fn named(id: &str) -> Result<EndpointId, Problem> {
    id.parse().map_err(|_| Problem::not_found("webhook endpoint"))
}

/// List the webhook endpoints
#[utoipa::path(
    get,
    path = "/v1/admin/webhook-endpoints",
    responses((status = 200, description = "All endpoints, the oldest first, in one page.", body = List<Endpoint>)),
    security(("bearer" = ["webhooks:manage"])),
)]
pub async fn list_endpoints(
    State(table): State<Table>,
    _: Staff<may::ManageWebhooks>,
) -> Result<Json<List<Endpoint>>, Problem> {
    Ok(Json(List::whole(table.endpoints(true).await?)))
}

/// Create a webhook endpoint
///
/// Within half a minute it is told of what happens to orders: of each change a `POST` with the message that
/// `infra/asyncapi.json` describes, signed as [Standard Webhooks](https://www.standardwebhooks.com) has it, with the headers
/// `webhook-id`, `webhook-timestamp` and `webhook-signature`. It has ten seconds to answer 2xx; otherwise it is tried again,
/// twelve times within three days. The same change may come twice, with the same `webhook-id`, and changes may overtake each
/// other. 410 disables it, and so do five days of nothing but failures. A shop has at most 16.
#[utoipa::path(
    post,
    path = "/v1/admin/webhook-endpoints",
    request_body = NewEndpoint,
    responses((status = 201, description = "The endpoint, with its secret.", body = CreatedEndpoint, headers(("etag" = String, description = "Its version."), ("location" = String, description = "The path of what was made."))), (status = 409, description = "too-many")),
    security(("bearer" = ["webhooks:manage"])),
)]
pub async fn create_endpoint(
    State(table): State<Table>,
    State(tests): State<TestHosts>,
    Staff { caller, .. }: Staff<may::ManageWebhooks>,
    Body(body): Body<NewEndpoint>,
) -> Result<Response, Problem> {
    let NewEndpoint { url, description, events, enabled } = body;
    let description = Some(description.unwrap_or_default());
    let asked = EndpointChange { url: Some(url), description, events, enabled }.check(&tests)?;
    let now = clock::now();
    let missing = || Problem::internal("an endpoint was taken without what it must have");
    let endpoint = Endpoint {
        id: EndpointId::new(random::uuid_at(now)),
        url: asked.url.ok_or_else(missing)?,
        description: asked.description.ok_or_else(missing)?,
        events: asked.events.unwrap_or_default(),
        enabled: asked.enabled.unwrap_or(true),
        disabled: None,
        failing_since: None,
        created_at: now,
    };
    let secret = new_secret();
    table.add_endpoint(&endpoint, secret.clone()).await?;
    tracing::info!(account.id = %caller.account, endpoint.id = %endpoint.id, "a webhook endpoint was created");
    let headers = [(LOCATION, format!("/v1/admin/webhook-endpoints/{}", endpoint.id)), version_tag(1)];
    let created = CreatedEndpoint { endpoint, secret: secret.as_str().to_owned() };
    Ok((StatusCode::CREATED, headers, Json(created)).into_response())
}

/// Read a webhook endpoint
#[utoipa::path(
    get,
    path = "/v1/admin/webhook-endpoints/{id}",
    params(("id" = EndpointId, Path)),
    responses((status = 200, description = "The endpoint.", body = Endpoint, headers(("etag" = String, description = "Its version.")))),
    security(("bearer" = ["webhooks:manage"])),
)]
pub async fn read_endpoint(
    State(table): State<Table>,
    _: Staff<may::ManageWebhooks>,
    Segment(id): Segment,
) -> Result<Response, Problem> {
    let kept = table.endpoint(named(&id)?).await?.ok_or_else(|| Problem::not_found("webhook endpoint"))?;
    Ok(([version_tag(kept.version)], Json(kept.value)).into_response())
}

/// Change a webhook endpoint
///
/// What is under way is sent to where it is by then. Enabling it forgets what had failed; what was not sent meanwhile is in
/// no log, and what had failed can be redelivered.
#[utoipa::path(
    patch,
    path = "/v1/admin/webhook-endpoints/{id}",
    params(("id" = EndpointId, Path), ("If-Match" = String, Header, description = "The ETag of what was read.")),
    request_body = EndpointChange,
    responses((status = 200, description = "The endpoint as it is now.", body = Endpoint, headers(("etag" = String, description = "Its version."))), (status = 412, description = "outdated"), (status = 428, description = "version-needed")),
    security(("bearer" = ["webhooks:manage"])),
)]
pub async fn change_endpoint(
    State(table): State<Table>,
    State(tests): State<TestHosts>,
    _: Staff<may::ManageWebhooks>,
    Segment(id): Segment,
    IfMatch(version): IfMatch,
    Body(body): Body<EndpointChange>,
) -> Result<Response, Problem> {
    let asked = body.check(&tests)?;
    let changed = table.change_endpoint(named(&id)?, version, |endpoint| asked.apply(endpoint)).await?;
    Ok(([version_tag(changed.version)], Json(changed.value)).into_response())
}

/// Delete a webhook endpoint
///
/// Nothing more is sent to it, and its log cannot be read any more.
#[utoipa::path(
    delete,
    path = "/v1/admin/webhook-endpoints/{id}",
    params(("id" = EndpointId, Path)),
    responses((status = 204, description = "The endpoint is gone.")),
    security(("bearer" = ["webhooks:manage"])),
)]
pub async fn delete_endpoint(
    State(table): State<Table>,
    Staff { caller, .. }: Staff<may::ManageWebhooks>,
    Segment(id): Segment,
) -> Result<StatusCode, Problem> {
    let id = named(&id)?;
    table.remove_endpoint(id).await?;
    tracing::info!(account.id = %caller.account, endpoint.id = %id, "a webhook endpoint was deleted");
    Ok(StatusCode::NO_CONTENT)
}

/// Rotate the secret of a webhook endpoint
///
/// For 24 hours requests are signed with both, the new one first.
#[utoipa::path(
    post,
    path = "/v1/admin/webhook-endpoints/{id}/rotate-secret",
    params(("id" = EndpointId, Path)),
    responses((status = 200, description = "The new secret.", body = RotatedSecret), (status = 412, description = "outdated")),
    security(("bearer" = ["webhooks:manage"])),
)]
pub async fn rotate_secret(
    State(table): State<Table>,
    Staff { caller, .. }: Staff<may::ManageWebhooks>,
    Segment(id): Segment,
) -> Result<Json<RotatedSecret>, Problem> {
    let id = named(&id)?;
    let secrets = table.rotate_endpoint_secret(id, &new_secret(), clock::now()).await?;
    tracing::info!(account.id = %caller.account, endpoint.id = %id, "the secret of a webhook endpoint was rotated");
    let secret = secrets.current.as_str().to_owned();
    let rotated = RotatedSecret { secret, previous_signs_until: secrets.previous.map(|(_, until)| until) };
    Ok(Json(rotated))
}
