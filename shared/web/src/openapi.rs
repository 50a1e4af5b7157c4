//! The API's document (OpenAPI 3.1): what the functions' handlers say of themselves, completed by what holds for all.

use std::collections::{BTreeMap, BTreeSet};

use http::StatusCode;
use serde_json::{Map, Value, json};
use utoipa::openapi::path::{Parameter, ParameterBuilder, ParameterIn};
use utoipa::openapi::schema::{ObjectBuilder, Type};
use utoipa::openapi::{OpenApi, Required};
use utoipa::{IntoParams, PartialSchema, ToSchema};
use waybill_domain::account::Permission;
use waybill_domain::text::IdempotencyKey;

use crate::Kind;
use crate::problem::{Document, TYPE_PREFIX};
use crate::query::{DEFAULT_LIMIT, Idempotency, MAX_LIMIT};

/// What one function serves, under the heading that readers find it by.
pub struct Part {
    pub heading: &'static str,
    pub about: &'static str,
    pub routes: OpenApi,
}

/// The parameters of every list: `limit` and `cursor`.
pub struct Paging;

const ABOUT: &str = "\
Orders, payments and all that belongs to them, for one online shop.

**Log in** with `POST /v1/sessions` and send the access token as a bearer token. It lives 15 minutes; \
`POST /v1/sessions/refresh` brings the next. A session that has ended is refused at once, whatever its token says. Routes \
under `/v1/admin` are for staff, in sessions with a second factor; each names the permission that it takes, and a role that \
changes changes at once.

**Money** is a whole number of minor units (cents, for USD) with its ISO 4217 currency. **Times** are RFC 3339 in UTC. \
**Ids** carry a prefix that names their kind and are otherwise opaque.

**Lists** answer `{\"items\": [...], \"next\": \"...\", \"previous\": \"...\"}`. Send `next` back as `cursor` for the page after \
it, `previous` for the one before; null means that there is none.

**Where money or stock moves** an `Idempotency-Key` has to be sent. The same key with the same body does nothing more: it \
answers what the first request made, as it is by now, with the header `Idempotent-Replayed: true`; with another body it is refused.

**Where two people may edit** the same thing, answers carry its version as an `ETag`. A change has to bring it back as \
`If-Match` (428 without one) and is refused when somebody else was faster (412). What anybody may read of the catalogue, \
and reports, have an `ETag`, too: with `If-None-Match` they are not sent again.

**What goes wrong** is a problem document (RFC 9457) whose `type` tells the kinds apart; those that a route may answer stand \
with it. A 4xx has changed nothing (but that a refresh token which is used twice ends its session). A 503 may be sent again after `Retry-After` seconds. What the gateway itself answers, \
such as 429 when too much is asked at once or a 5xx when a function died, carries a JSON `message` instead.

**Rate limits** answer 429 with `Retry-After`, `RateLimit-Policy` and `RateLimit`. They count by address, by account and \
by what is asked.

**Limits**: bodies of 64 KiB (of an import 4 MiB, of Stripe 300 KiB), JSON 128 levels deep, 29 seconds for an answer. Unknown fields and parameters are refused. \
New fields may be added to answers at any time; a client has to pass over those that it does not know.

Every answer carries `request-id`; please quote it when asking about one.

Live updates of orders come by WebSocket: `POST /v1/websocket-tickets` opens the way. Their messages are described in \
`infra/asyncapi.json`.";

/// Puts the parts together. Panics where a handler names a kind of problem that there is not: a test calls this.
pub fn document(parts: Vec<Part>) -> Value {
    let mut paths = Map::new();
    let mut schemas = BTreeMap::new();
    let mut tags = Vec::new();
    for part in parts {
        let routes = serde_json::to_value(part.routes).expect("a document is JSON");
        tags.push(json!({ "name": part.heading, "description": part.about }));
        schemas.extend(routes["components"]["schemas"].as_object().cloned().unwrap_or_default());
        for (path, methods) in routes["paths"].as_object().cloned().unwrap_or_default() {
            let entry = paths.entry(path).or_insert_with(|| json!({}));
            for (method, mut operation) in methods.as_object().cloned().unwrap_or_default() {
                operation["tags"] = json!([part.heading]);
                entry[method] = operation;
            }
        }
    }
    let mut problem = vec![("Problem".to_owned(), Document::schema())];
    Document::schemas(&mut problem);
    for (name, schema) in problem {
        schemas.insert(name, serde_json::to_value(schema).expect("a schema is JSON"));
    }

    let mut problems = BTreeMap::new();
    for (path, methods) in &mut paths {
        for operation in methods.as_object_mut().into_iter().flat_map(Map::values_mut) {
            complete(path, operation, &mut problems);
        }
    }
    json!({
        "openapi": "3.1.0",
        "info": {
            "title": "Waybill",
            "version": env!("CARGO_PKG_VERSION"),
            "summary": "Order management for online shops.",
            "description": ABOUT,
            "license": { "name": "MIT OR Apache-2.0", "identifier": "MIT OR Apache-2.0" },
        },
        "servers": [{ "url": "/", "description": "Wherever this document was read from." }],
        "tags": tags,
        "paths": paths,
        "components": {
            "schemas": schemas,
            "responses": problems,
            "headers": headers(),
            "securitySchemes": {
                "bearer": {
                    "type": "http",
                    "scheme": "bearer",
                    "bearerFormat": "JWT",
                    "description": "An access token. A name beside it is the permission that the account's role must have, in a session with a second factor.",
                },
            },
        },
    })
}

/// The one route that somebody whose account is being deleted may still use.
const LEAVING_ROUTE: &str = "/v1/account/deletion";

/// Adds what holds for every operation of its kind: the problems that it may answer, and the headers of all answers.
fn complete(path: &str, operation: &mut Value, problems: &mut BTreeMap<String, Value>) {
    let mut kinds: BTreeMap<u16, Vec<Kind>> = BTreeMap::new();
    let mut may = |kind: Kind| {
        let of_status = kinds.entry(kind.status().as_u16()).or_default();
        if !of_status.contains(&kind) {
            of_status.push(kind);
        }
    };
    // Where a handler states a refusal, its description is the names of the kinds.
    let stated = operation["responses"].as_object().cloned().unwrap_or_default();
    for (_, response) in stated.iter().filter(|(status, _)| status.starts_with('4')) {
        for name in response["description"].as_str().unwrap_or_default().split(", ") {
            let kind = Kind::ALL.iter().find(|kind| kind.name() == name);
            may(*kind.unwrap_or_else(|| panic!("{path}: there is no kind of problem {name:?}")));
        }
    }
    let parameters = operation["parameters"].as_array().cloned().unwrap_or_default();
    let has = |place: &str| parameters.iter().any(|parameter| parameter["in"] == place);
    let reads_fields = operation["requestBody"]["content"]["application/json"]["schema"]["$ref"].is_string();
    if reads_fields {
        [Kind::BadRequest, Kind::MalformedJson, Kind::TooLarge, Kind::UnsupportedMediaType, Kind::Invalid]
            .into_iter()
            .for_each(&mut may);
    }
    if has("query") {
        [Kind::BadRequest, Kind::Invalid].into_iter().for_each(&mut may);
    }
    if reads_fields && has("header") {
        may(Kind::Invalid);
    }
    if has("path") {
        may(Kind::NotFound);
    }
    if let Some([required]) = operation["security"].as_array().map(Vec::as_slice) {
        may(Kind::Unauthorized);
        if path != LEAVING_ROUTE {
            may(Kind::Leaving);
        }
        for permission in required["bearer"].as_array().into_iter().flatten() {
            let name = permission.as_str().unwrap_or_default();
            let known = Permission::ALL.iter().any(|permission| permission.name() == name);
            assert!(known, "{path}: there is no permission {name:?}");
            [Kind::Forbidden, Kind::SecondFactorMissing].into_iter().for_each(&mut may);
        }
    }
    if path != "/v1/stripe/events" {
        may(Kind::RateLimited);
    }
    [Kind::Internal, Kind::Unavailable].into_iter().for_each(&mut may);

    let responses = operation["responses"].as_object_mut().expect("an operation has answers");
    for response in responses.values_mut() {
        response["headers"]["request-id"] = json!({ "$ref": "#/components/headers/request-id" });
    }
    for (status, mut kinds) in kinds {
        kinds.sort_by_key(|kind| kind.name());
        let name: Vec<_> = kinds.iter().map(|kind| format!("{kind:?}")).collect();
        let name = name.join("Or");
        responses.insert(status.to_string(), json!({ "$ref": format!("#/components/responses/{name}") }));
        problems.entry(name).or_insert_with(|| refusal(kinds[0].status(), &kinds));
    }
}

/// An answer that is a problem of one of these kinds, with an example of each.
fn refusal(status: StatusCode, kinds: &[Kind]) -> Value {
    let types: BTreeSet<_> = kinds.iter().map(|kind| format!("{TYPE_PREFIX}{}", kind.name())).collect();
    let meanings: Vec<_> = kinds.iter().map(|kind| format!("`{}`: {}", kind.name(), kind.meaning())).collect();
    let example = |kind: &Kind| {
        let value = json!({
            "type": format!("{TYPE_PREFIX}{}", kind.name()),
            "title": status.canonical_reason(),
            "status": status.as_u16(),
            "detail": kind.meaning(),
            "request_id": "f0b1a3c2-6d0e-4a58-9d0b-6f1b1a0c7e55",
        });
        (kind.name().to_owned(), json!({ "value": value }))
    };
    let mut headers = json!({ "request-id": { "$ref": "#/components/headers/request-id" } });
    if status == StatusCode::SERVICE_UNAVAILABLE {
        headers["retry-after"] = json!({ "$ref": "#/components/headers/retry-after" });
    }
    if status == StatusCode::TOO_MANY_REQUESTS {
        for name in ["retry-after", "ratelimit-policy", "ratelimit"] {
            headers[name] = json!({ "$ref": format!("#/components/headers/{name}") });
        }
    }
    if status == StatusCode::UNAUTHORIZED {
        headers["www-authenticate"] = json!({ "$ref": "#/components/headers/www-authenticate" });
    }
    json!({
        "description": meanings.join("\n\n"),
        "headers": headers,
        "content": {
            "application/problem+json": {
                "schema": {
                    "$ref": "#/components/schemas/Problem",
                    "properties": { "type": { "enum": types }, "status": { "const": status.as_u16() } },
                },
                "examples": kinds.iter().map(example).collect::<Map<_, _>>(),
            },
        },
    })
}

fn headers() -> Value {
    json!({
        "request-id": { "description": "The request's id, also that of its log lines.", "schema": { "type": "string" } },
        "retry-after": { "description": "Seconds.", "schema": { "type": "string", "pattern": "^[0-9]+$" } },
        "ratelimit": { "description": "What is left of the limit and the seconds until it is whole again (IETF draft).", "schema": { "type": "string" } },
        "ratelimit-policy": { "description": "The limit that was reached: its name, uses and seconds (IETF draft).", "schema": { "type": "string" } },
        "www-authenticate": { "description": "RFC 9110.", "schema": { "type": "string", "const": "Bearer" } },
    })
}

impl IntoParams for Paging {
    fn into_params(_: impl Fn() -> Option<ParameterIn>) -> Vec<Parameter> {
        let limit = ObjectBuilder::new()
            .schema_type(Type::Integer)
            .minimum(Some(1))
            .maximum(Some(MAX_LIMIT))
            .default(Some(json!(DEFAULT_LIMIT)));
        let cursor = ObjectBuilder::new().schema_type(Type::String);
        let parameter = |name: &str, about: &str, schema: ObjectBuilder| {
            ParameterBuilder::new()
                .name(name)
                .parameter_in(ParameterIn::Query)
                .required(Required::False)
                .description(Some(about))
                .schema(Some(schema))
                .build()
        };
        vec![
            parameter("limit", "How many items a page has at most.", limit),
            parameter(
                "cursor",
                "The `next` or the `previous` of another page of the same list with the same filters.",
                cursor,
            ),
        ]
    }
}

impl IntoParams for Idempotency {
    fn into_params(_: impl Fn() -> Option<ParameterIn>) -> Vec<Parameter> {
        let key = ParameterBuilder::new()
            .name(Idempotency::HEADER)
            .parameter_in(ParameterIn::Header)
            .required(Required::True)
            .description(Some(
                "Names this attempt. Keep it for repeated requests, and take a new one for a new attempt.",
            ))
            .schema(Some(IdempotencyKey::schema()));
        vec![key.build()]
    }
}
