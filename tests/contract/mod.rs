//! What the parts of the house promise each other.

mod alarms;
mod asvs;
mod messages;
mod openapi;

use std::collections::{BTreeMap, BTreeSet};

use waybill_local::template::Template;
use waybill_local::workspace;

/// A route of the template's HTTP API.
pub struct HttpRoute {
    pub method: String,
    pub path: String,
}

pub fn template() -> Template {
    Template::read(&workspace().join("template.yaml"), &BTreeMap::new(), "http://127.0.0.1:1").unwrap()
}

/// Every route but `$default`.
pub fn http_routes() -> Vec<HttpRoute> {
    let split = |key: &str| key.split_once(' ').map(|(method, path)| (method.to_owned(), path.to_owned()));
    let routes = template().http.routes;
    routes.iter().filter_map(|route| split(&route.key)).map(|(method, path)| HttpRoute { method, path }).collect()
}

#[test]
fn every_function_of_the_template_is_a_crate_and_every_crate_a_function() {
    let crates: BTreeSet<_> = std::fs::read_dir(workspace().join("functions"))
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    let functions: BTreeSet<_> = template().functions.into_iter().map(|function| function.binary).collect();
    assert_eq!(crates, functions);
}

/// "Design for up to two Lambda functions to read from the same DynamoDB Streams shard at the same time. Exceeding this limit
/// can result in request throttling": <https://docs.aws.amazon.com/lambda/latest/dg/with-ddb.html>. And a mapping has five
/// filters at most: <https://docs.aws.amazon.com/lambda/latest/dg/invocation-eventfiltering.html>.
#[test]
fn two_functions_at_most_read_one_stream_each_by_five_filters_at_most() {
    let mut readers: BTreeMap<_, Vec<_>> = BTreeMap::new();
    for mapping in template().stream_mappings {
        assert!(mapping.filters.len() <= 5, "{} has {} filters", mapping.function, mapping.filters.len());
        readers.entry(mapping.table).or_default().push(mapping.function);
    }
    assert!(!readers.is_empty());
    for (table, functions) in readers {
        assert!(functions.len() <= 2, "the stream of {table} is read by {functions:?}");
    }
}

#[test]
fn every_route_of_a_function_is_in_the_template_and_the_other_way_round() {
    let mut coded = BTreeSet::new();
    for function in [
        "accounts",
        "catalog",
        "carts",
        "pricing",
        "orders",
        "documents",
        "payments",
        "reports",
        "stock",
        "stripe-webhook",
        "webhooks",
    ] {
        let sources = std::fs::read_dir(workspace().join(format!("functions/{function}/src"))).unwrap();
        for source in sources {
            let path = source.unwrap().path();
            if path.is_dir() {
                continue;
            }
            let text = std::fs::read_to_string(path).unwrap();
            for route in text.split(".route(\"").skip(1) {
                let (path, handlers) = route.split_once("\",").unwrap();
                let handlers = handlers.split(".route(").next().unwrap().split(".with_state").next().unwrap();
                for method in ["get", "post", "put", "patch", "delete"] {
                    if handlers.contains(&format!("{method}(")) {
                        coded.insert(format!("{} {path}", method.to_uppercase()));
                    }
                }
            }
        }
    }
    let declared: BTreeSet<_> = http_routes().iter().map(|route| format!("{} {}", route.method, route.path)).collect();
    assert_eq!(coded, declared);
}

/// The walls of the house, as cargo sees them.
#[test]
fn the_walls_stand() {
    let tree = |package: &str| {
        let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
        let output = std::process::Command::new(cargo)
            .current_dir(workspace())
            .args(["tree", "--edges", "normal", "--prefix", "none", "--format", "{lib}", "-p", package])
            .output()
            .unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap()
    };
    let domain = tree("waybill-domain");
    for outside in ["tokio", "http", "hyper", "aws_", "axum", "lambda_"] {
        assert!(!domain.lines().any(|line| line.starts_with(outside)), "domain knows {outside}");
    }
    for function in ["email", "push", "announce", "deliver", "tally", "connections"] {
        assert!(!tree(function).lines().any(|line| line == "axum"), "{function} compiles axum");
    }
}

#[test]
fn only_storage_names_a_key_of_the_table() {
    let mut sources = Vec::new();
    let mut folders = vec![workspace().join("functions"), workspace().join("shared")];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() && !path.ends_with("storage") {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                sources.push(path);
            }
        }
    }
    assert!(sources.len() > 30);
    for source in sources {
        let text = std::fs::read_to_string(&source).unwrap();
        for key in ["\"pk\"", "\"sk\"", "gsi1", "gsi2", "expires_at\".into()"] {
            assert!(!text.contains(key), "{} names {key}", source.display());
        }
    }
}
