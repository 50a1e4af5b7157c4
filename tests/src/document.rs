//! The API's document as a judge: every answer that a test gets is held against it.

use std::collections::{BTreeSet, HashMap};
use std::sync::{Arc, LazyLock, Mutex, PoisonError};

use jsonschema::Validator;
use serde_json::{Value, json};
use waybill_local::workspace;

use crate::Answer;

static DOCUMENT: LazyLock<Value> = LazyLock::new(|| {
    let text = std::fs::read_to_string(workspace().join("infra/openapi.json")).unwrap();
    closed(serde_json::from_str(&text).unwrap())
});

/// Clients have to pass over fields that they do not know; a test must not: ours all stand in the document.
fn closed(mut document: Value) -> Value {
    let mut parts = BTreeSet::new();
    parts_of_others(&document, &mut parts);
    for (name, schema) in document["components"]["schemas"].as_object_mut().unwrap() {
        close(schema, parts.contains(name));
    }
    document
}

/// The schemas that others are made of by `allOf`.
fn parts_of_others(value: &Value, parts: &mut BTreeSet<String>) {
    let names = value.get("allOf").and_then(Value::as_array).into_iter().flatten();
    let names = names.filter_map(|part| part["$ref"].as_str()).filter_map(|path| path.rsplit('/').next());
    parts.extend(names.map(str::to_owned));
    match value {
        Value::Object(fields) => fields.values().for_each(|inner| parts_of_others(inner, parts)),
        Value::Array(items) => items.iter().for_each(|inner| parts_of_others(inner, parts)),
        _ => {}
    }
}

fn close(schema: &mut Value, is_part: bool) {
    if let Some(fields) = schema.as_object_mut() {
        if !is_part && (fields.contains_key("properties") || fields.contains_key("allOf")) {
            fields.insert("unevaluatedProperties".into(), Value::Bool(false));
        }
        fields.iter_mut().for_each(|(name, inner)| close_within(name, inner));
    }
}

fn close_within(keyword: &str, value: &mut Value) {
    match (keyword, value) {
        ("properties", Value::Object(fields)) => fields.values_mut().for_each(|inner| close(inner, false)),
        ("items", inner) => close(inner, false),
        ("allOf" | "oneOf" | "anyOf", Value::Array(parts)) => parts.iter_mut().for_each(|part| close(part, true)),
        _ => {}
    }
}

/// Panics when the answer is not one that the document promises for this route.
#[track_caller]
pub fn assert_documented(method: &str, path: &str, answer: &Answer) {
    let path = path.split('?').next().unwrap_or_default();
    let Some((template, operation)) = operation(method, path) else {
        assert!(matches!(answer.status, 404 | 405), "{method} {path} is not documented but answers {}", answer.status);
        return;
    };
    if answer.status >= 429 && answer.body.get("message").is_some() {
        return; // The gateway's own; the document tells of it in words.
    }
    let mut response = &operation["responses"][answer.status.to_string()];
    if let Some(reference) = response["$ref"].as_str() {
        response = DOCUMENT.pointer(&reference[1..]).unwrap();
    }
    let place = format!("{method} {template} {}", answer.status);
    assert!(response.is_object(), "{place} is not documented: {}", answer.body);
    for name in response["headers"].as_object().into_iter().flat_map(|headers| headers.keys()) {
        let may_lack = name == "idempotent-replayed";
        assert!(may_lack || answer.header(name).is_some(), "{place} lacks the header {name}");
    }
    let Some(content) = response["content"].as_object() else {
        assert!(answer.body == json!(""), "{place} has a body: {}", answer.body);
        return;
    };
    let kind = answer.header("content-type").unwrap_or_default();
    let content = content.get(kind).unwrap_or_else(|| panic!("{place} is not documented as {kind:?}"));
    if kind.ends_with("json")
        && let Err(error) = validator(&place, &content["schema"]).validate(&answer.body)
    {
        panic!("{place} at {}: {error}: {}", error.instance_path(), answer.body);
    }
}

fn operation(method: &str, path: &str) -> Option<(&'static str, &'static Value)> {
    let fits = |template: &str| {
        let (wanted, given): (Vec<_>, Vec<_>) = (template.split('/').collect(), path.split('/').collect());
        wanted.len() == given.len()
            && wanted.iter().zip(given).all(|(wanted, given)| wanted.starts_with('{') || *wanted == given)
    };
    let known = DOCUMENT["paths"].as_object().unwrap().iter().filter(|(template, _)| fits(template));
    known.filter_map(|(template, methods)| Some((template.as_str(), methods.get(method.to_lowercase())?))).next()
}

fn validator(place: &str, schema: &Value) -> Arc<Validator> {
    static BUILT: LazyLock<Mutex<HashMap<String, Arc<Validator>>>> = LazyLock::new(Default::default);
    let mut built = BUILT.lock().unwrap_or_else(PoisonError::into_inner);
    let build = || {
        let mut whole = json!({ "components": DOCUMENT["components"] });
        whole["allOf"] = json!([schema]);
        Arc::new(jsonschema::options().should_validate_formats(true).build(&whole).unwrap())
    };
    built.entry(place.to_owned()).or_insert_with(build).clone()
}
