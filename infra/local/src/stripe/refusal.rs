//! How Stripe says no: one JSON shape for every error.

use axum::Json;
use axum::response::{IntoResponse, Response};
use http::StatusCode;
use serde_json::{Value, json};

/// An error answer in Stripe's shape.
#[derive(Clone, Debug)]
pub struct Refusal {
    pub status: StatusCode,
    pub kind: &'static str,
    pub code: Option<&'static str>,
    pub message: String,
    pub param: Option<String>,
}

impl Refusal {
    pub fn invalid(message: impl Into<String>, param: &str) -> Refusal {
        Refusal { param: Some(param.to_owned()), ..Refusal::request(StatusCode::BAD_REQUEST, message) }
    }

    pub fn coded(code: &'static str, message: impl Into<String>, param: &str) -> Refusal {
        Refusal { code: Some(code), ..Refusal::invalid(message, param) }
    }

    pub fn missing(param: &str) -> Refusal {
        Refusal::coded("parameter_missing", format!("Missing required param: {param}."), param)
    }

    pub fn empty(param: &str) -> Refusal {
        let message = format!(
            "You passed an empty string for '{param}'. We assume empty values are an attempt to unset a parameter; however '{param}' cannot be unset. You should remove '{param}' from your request or supply a non-empty value."
        );
        Refusal::coded("parameter_invalid_empty", message, param)
    }

    pub fn not_an_integer(text: &str, param: &str) -> Refusal {
        Refusal::coded("parameter_invalid_integer", format!("Invalid integer: {text}"), param)
    }

    pub fn unknown_parameter(param: &str) -> Refusal {
        let message = format!(
            "Received unknown parameter: {param}. (This is Waybill's stand-in for Stripe: it knows only what Waybill sends.)"
        );
        Refusal::coded("parameter_unknown", message, param)
    }

    pub fn not_a_form() -> Refusal {
        Refusal::request(
            StatusCode::BAD_REQUEST,
            "Invalid request (check that your POST content type is application/x-www-form-urlencoded).",
        )
    }

    pub fn no_such(what: &str, id: &str, param: &str) -> Refusal {
        Refusal {
            status: StatusCode::NOT_FOUND,
            ..Refusal::coded("resource_missing", format!("No such {what}: '{id}'"), param)
        }
    }

    pub fn no_such_route(method: &http::Method, path: &str) -> Refusal {
        Refusal::request(
            StatusCode::NOT_FOUND,
            format!(
                "Unrecognized request URL ({method}: {path}). (This is Waybill's stand-in for Stripe: it knows only what Waybill calls.)"
            ),
        )
    }

    pub fn no_key() -> Refusal {
        Refusal::request(
            StatusCode::UNAUTHORIZED,
            "You did not provide an API key. You need to provide your API key in the Authorization header, using Bearer auth (e.g. 'Authorization: Bearer YOUR_SECRET_KEY').",
        )
    }

    pub fn wrong_key(key: &str) -> Refusal {
        let shown: String = key.chars().take(8).collect();
        Refusal::request(StatusCode::UNAUTHORIZED, format!("Invalid API Key provided: {shown}****"))
    }

    pub fn key_reused(key: &str) -> Refusal {
        let message = format!(
            "Keys for idempotent requests can only be used with the same parameters they were first used with. Try using a key other than '{key}' if you meant to execute a different request."
        );
        Refusal { kind: "idempotency_error", ..Refusal::request(StatusCode::BAD_REQUEST, message) }
    }

    pub fn key_in_use(key: &str) -> Refusal {
        let message = format!(
            "There is currently another in-progress request using this Idempotent Key (that probably means you submitted twice, and the other request is still going through): {key}. Please try again later."
        );
        let refusal = Refusal::request(StatusCode::CONFLICT, message);
        Refusal { kind: "idempotency_error", code: Some("idempotency_key_in_use"), ..refusal }
    }

    pub fn injected() -> Refusal {
        Refusal::internal("An injected fault: nothing was done.")
    }

    /// The stand-in's own trouble: an injected fault, or a store that cannot be written.
    pub fn internal(message: impl Into<String>) -> Refusal {
        Refusal { kind: "api_error", ..Refusal::request(StatusCode::INTERNAL_SERVER_ERROR, message) }
    }

    pub fn request(status: StatusCode, message: impl Into<String>) -> Refusal {
        Refusal { status, kind: "invalid_request_error", code: None, message: message.into(), param: None }
    }
}

impl Refusal {
    pub fn body(&self) -> Value {
        let mut error = json!({ "type": self.kind, "message": self.message });
        if let Some(code) = self.code {
            error["code"] = code.into();
            error["doc_url"] = format!("https://stripe.com/docs/error-codes/{}", code.replace('_', "-")).into();
        }
        if let Some(param) = &self.param {
            error["param"] = param.as_str().into();
        }
        json!({ "error": error })
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        (self.status, Json(self.body())).into_response()
    }
}
