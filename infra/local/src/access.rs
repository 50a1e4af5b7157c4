//! Who may call what: the template's roles, held against each call that a function makes. Functions are told apart by
//! the access key that they sign with.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, PoisonError};

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::extract::{Request, State};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use http::request::Parts;
use http::{HeaderMap, StatusCode};
use serde_json::Value;

use crate::aws::{ACCOUNT, REGION, Refusal};
use crate::event_sources::Report;
use crate::faults::FaultSwitch;
use crate::meter::Meter;
use crate::queues::{queue_arn, queue_name};
use crate::template::{Role, Template};

/// One permission that was used: the function, the action, the resource's ARN.
pub type Use = (String, String, String);

/// The roles of a template's functions, and what was made of them so far.
#[derive(Clone)]
pub struct Access(Arc<Inner>);

struct Inner {
    /// Roles by function.
    roles: Vec<(String, Role)>,
    /// The WebSocket API's stage, which @connections is called at.
    websocket: String,
    used: Mutex<BTreeSet<Use>>,
    report: Report,
}

/// The largest call that AWS takes anywhere here is DynamoDB's transaction of 4 MB.
pub(crate) const LARGEST: usize = 16 * 1024 * 1024;

impl Access {
    pub fn new(template: &Template, report: Report) -> Access {
        let role_of = |name: &str| template.roles.iter().find(|role| role.name == name).cloned();
        let roles = template.functions.iter().filter_map(|function| {
            let role = role_of(function.role.as_deref()?)?;
            Some((function.name.clone(), role))
        });
        let stage = template.websocket.as_ref().map(|api| format!("{}/{}", api.name, api.stage)).unwrap_or_default();
        Access(Arc::new(Inner { roles: roles.collect(), websocket: stage, used: Mutex::default(), report }))
    }

    pub fn used(&self) -> BTreeSet<Use> {
        self.0.used.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Lets through what the caller's role allows. A caller that is no function is a developer, who may do all.
    pub async fn check(State(access): State<Access>, request: Request, next: Next) -> Response {
        let (parts, body) = request.into_parts();
        let Ok(body) = to_bytes(body, LARGEST).await else {
            return StatusCode::PAYLOAD_TOO_LARGE.into_response();
        };
        if let Err(refused) = access.judge(&parts, &body) {
            (access.0.report)(refused.clone());
            return Refusal::new("AccessDeniedException", refused).into_response();
        }
        next.run(Request::from_parts(parts, Body::from(body))).await
    }

    fn judge(&self, call: &Parts, body: &[u8]) -> Result<(), String> {
        let in_link =
            call.uri.query().unwrap_or_default().split('&').find_map(|part| part.strip_prefix("X-Amz-Credential="));
        let in_link = in_link.map(|scope| scope.replace("%2F", "/")).unwrap_or_default();
        let scope = Some(scope(&call.headers)).filter(|scope| !scope.is_empty()).unwrap_or(&in_link);
        let mut scope = scope.split('/');
        let (key, service) = (scope.next().unwrap_or_default(), scope.nth(2).unwrap_or_default());
        let Some((function, role)) = self.0.roles.iter().find(|(function, _)| function == key) else {
            return Ok(());
        };
        let asked = if service == "s3" { s3(call) } else { self.asked(call, body) };
        if asked.is_empty() {
            return Err(format!("{function}: no permission is known for {} {}", call.method, call.uri.path()));
        }
        for (action, resource) in asked {
            if !role.allows(&action, &resource) {
                return Err(format!("{function} is not authorized to perform {action} on {resource}"));
            }
            let mut used = self.0.used.lock().unwrap_or_else(PoisonError::into_inner);
            used.insert((function.clone(), action, resource));
        }
        Ok(())
    }

    /// The actions that a call needs, with the ARN that each is on.
    fn asked(&self, call: &Parts, body: &[u8]) -> Vec<(String, String)> {
        let input: Value = serde_json::from_slice(body).unwrap_or_default();
        match target(&call.headers).split_once('.') {
            Some(("DynamoDB_20120810", operation)) => dynamodb(operation, &input),
            Some(("AmazonSQS", operation)) => {
                let queue = queue_name(input["QueueUrl"].as_str().unwrap_or_default());
                vec![(format!("sqs:{}", operation.trim_end_matches("Batch")), queue_arn(queue))]
            }
            Some(("secretsmanager", operation)) => {
                vec![(format!("secretsmanager:{operation}"), text(&input["SecretId"]))]
            }
            _ if call.uri.path() == "/v2/email/outbound-emails" => ses(&input),
            _ if call.uri.path().contains("/@connections/") => {
                let arn =
                    format!("arn:aws:execute-api:{REGION}:{ACCOUNT}:{}/{}/@connections", self.0.websocket, call.method);
                vec![("execute-api:ManageConnections".to_owned(), arn)]
            }
            _ => Vec::new(),
        }
    }
}

/// The access key that a call is signed with: a function's name, where a function makes it.
pub(crate) fn caller(headers: &HeaderMap) -> &str {
    scope(headers).split('/').next().unwrap_or_default()
}

/// The operation that a call asks for, behind its service: `AmazonSQS.SendMessage`; nothing where it is told by the path.
pub(crate) fn target(headers: &HeaderMap) -> &str {
    headers.get("x-amz-target").and_then(|target| target.to_str().ok()).unwrap_or_default()
}

/// Whose key signed, when, and for which region and service.
fn scope(headers: &HeaderMap) -> &str {
    let signature = headers.get("authorization").and_then(|value| value.to_str().ok()).unwrap_or_default();
    signature.split_once("Credential=").and_then(|(_, rest)| rest.split(',').next()).unwrap_or_default()
}

/// A transaction needs the permission of each of its parts.
fn dynamodb(operation: &str, input: &Value) -> Vec<(String, String)> {
    let on = |action: &str, table: &Value| {
        (format!("dynamodb:{action}"), format!("arn:aws:dynamodb:{REGION}:{ACCOUNT}:table/{}", text(table)))
    };
    match operation {
        "TransactWriteItems" => {
            let parts = input["TransactItems"].as_array().into_iter().flatten().filter_map(Value::as_object).flatten();
            let asked = parts.map(|(part, of)| match part.as_str() {
                "ConditionCheck" => on("ConditionCheckItem", &of["TableName"]),
                part => on(&format!("{part}Item"), &of["TableName"]),
            });
            asked.collect()
        }
        "TransactGetItems" => {
            let parts = input["TransactItems"].as_array().into_iter().flatten();
            parts.map(|part| on("GetItem", &part["Get"]["TableName"])).collect()
        }
        "BatchGetItem" | "BatchWriteItem" => {
            let tables = input["RequestItems"].as_object().into_iter().flatten();
            tables.map(|(table, _)| on(operation, &Value::String(table.clone()))).collect()
        }
        _ => {
            let (action, table) = on(operation, &input["TableName"]);
            let index = input["IndexName"].as_str().map(|index| format!("/index/{index}")).unwrap_or_default();
            vec![(action, table + &index)]
        }
    }
}

/// Also parts of an object are put, and whether there is one is told to those who may get it.
fn s3(call: &Parts) -> Vec<(String, String)> {
    let action = match call.method.as_str() {
        "PUT" | "POST" => "PutObject",
        "GET" | "HEAD" => "GetObject",
        _ => return Vec::new(),
    };
    vec![(format!("s3:{action}"), format!("arn:aws:s3:::{}", call.uri.path().trim_start_matches('/')))]
}

/// Sending is on the sender's domain, and on the configuration set where one is named.
fn ses(input: &Value) -> Vec<(String, String)> {
    let arn = |resource: String| ("ses:SendEmail".to_owned(), format!("arn:aws:ses:{REGION}:{ACCOUNT}:{resource}"));
    let from = text(&input["FromEmailAddress"]);
    let domain = from.trim_end_matches('>').rsplit('@').next().unwrap_or_default().to_owned();
    let set = input["ConfigurationSetName"].as_str().map(|set| arn(format!("configuration-set/{set}")));
    std::iter::once(arn(format!("identity/{domain}"))).chain(set).collect()
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}

/// DynamoDB's endpoint behind the check, behind what goes wrong on purpose, and behind the meter.
pub fn in_front_of(tables: Router, access: Access, faults: FaultSwitch, meter: Meter) -> Router {
    tables
        .layer(from_fn_with_state(meter, Meter::count))
        .layer(from_fn_with_state(faults, FaultSwitch::meet))
        .layer(from_fn_with_state(access, Access::check))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::path::Path;

    use serde_json::json;

    use super::*;

    fn access() -> Access {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../template.yaml");
        let template = Template::read(&path, &BTreeMap::new(), "http://127.0.0.1:1").unwrap();
        Access::new(&template, Arc::new(|_| {}))
    }

    fn call(access: &Access, caller: &str, target: &str, input: &Value) -> Result<(), String> {
        let (parts, ()) = http::Request::post("/")
            .header("authorization", format!("AWS4-HMAC-SHA256 Credential={caller}/20260101/us-east-1/x/aws4_request"))
            .header("x-amz-target", target)
            .body(())
            .unwrap()
            .into_parts();
        access.judge(&parts, input.to_string().as_bytes())
    }

    #[test]
    fn a_function_may_do_what_its_role_says_and_nothing_else() {
        let access = access();
        let get = json!({ "TableName": "Table" });
        let list = json!({ "TableName": "Table", "IndexName": "gsi2" });
        assert_eq!(call(&access, "OrdersFunction", "DynamoDB_20120810.GetItem", &get), Ok(()));
        assert_eq!(call(&access, "OrdersFunction", "DynamoDB_20120810.Query", &list), Ok(()));
        let refused = [
            ("OrdersFunction", "DynamoDB_20120810.Scan", &get),
            ("SweepFunction", "DynamoDB_20120810.Query", &get),
            ("OrdersFunction", "DynamoDB_20120810.GetItem", &json!({ "TableName": "Other" })),
            ("EmailFunction", "DynamoDB_20120810.DeleteItem", &get),
            ("EmailFunction", "AmazonSQS.SendMessage", &json!({ "QueueUrl": "http://x/0/PushQueue" })),
            ("EmailFunction", "strange.Call", &get),
        ];
        for (caller, target, input) in refused {
            assert!(call(&access, caller, target, input).is_err(), "{caller} {target} {input}");
        }
        assert_eq!(access.used().len(), 2, "what was refused was not used");
    }

    #[test]
    fn a_transaction_needs_the_permission_of_each_of_its_parts() {
        let on = json!({ "TableName": "Table" });
        let transaction = |parts: Value| json!({ "TransactItems": parts });
        let whole = transaction(json!([{ "Put": on }, { "Update": on }, { "Delete": on }]));
        let checked = transaction(json!([{ "Update": on }, { "ConditionCheck": on }]));
        let access = access();
        let target = "DynamoDB_20120810.TransactWriteItems";
        assert_eq!(call(&access, "OrdersFunction", target, &whole), Ok(()));
        let refused = call(&access, "SweepFunction", target, &checked).unwrap_err();
        assert!(refused.contains("dynamodb:ConditionCheckItem"), "{refused}");
        let looked = transaction(json!([{ "Get": on }, { "Get": { "TableName": "Other" } }]));
        let target = "DynamoDB_20120810.TransactGetItems";
        assert_eq!(call(&access, "StockFunction", target, &transaction(json!([{ "Get": on }]))), Ok(()));
        assert!(call(&access, "StockFunction", target, &looked).is_err());
    }

    #[test]
    fn who_is_no_function_is_a_developer_and_may_do_all() {
        let access = access();
        assert_eq!(call(&access, "AKIADEVELOPER", "DynamoDB_20120810.Scan", &json!({ "TableName": "Table" })), Ok(()));
        assert!(access.used().is_empty());
    }
}
