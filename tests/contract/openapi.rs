//! The API's document: made of the handlers, committed, and equal to the template's routes.

use std::collections::BTreeSet;

use serde_json::Value;
use utoipa::OpenApi;
use waybill_local::workspace;
use waybill_web::openapi::{Part, document};

use super::http_routes;

fn generated() -> Value {
    let part = |heading, about, routes| Part { heading, about, routes };
    document(vec![
        part("Catalogue", "Categories, products and their SKUs.", catalog::Documented::openapi()),
        part("Accounts", "Sign-up, log-in and tokens.", accounts::Documented::openapi()),
        part("Carts", "The caller's own cart, and drafts that staff fill for customers.", carts::Documented::openapi()),
        part("Pricing", "Promotions, shipping methods and taxes.", pricing::Documented::openapi()),
        part("Orders", "Placing, reading and fulfilling orders.", orders::Documented::openapi()),
        part("Documents", "Invoices and credit notes.", documents::Documented::openapi()),
        part("Stock", "What is on hand, its ledger, and waiting for what is sold out.", stock::Documented::openapi()),
        part("Reports", "What the shop earns, and what with.", reports::Documented::openapi()),
        part("Payments", "Paying at Stripe.", payments::Documented::openapi()),
        part(
            "Webhooks",
            "The shop's own systems that are told of what happens to orders, and what they were told.",
            webhooks::Documented::openapi(),
        ),
        part("This document", "For programs and for people.", catalog::about::Documented::openapi()),
        part("Stripe", "What Stripe calls.", stripe_webhook_function::Documented::openapi()),
    ])
}

/// `WAYBILL_UPDATE=1 cargo test --workspace --test waybill the_committed_document` writes it anew.
#[test]
fn the_committed_document_is_what_the_handlers_say() {
    let path = workspace().join("infra/openapi.json");
    let mut wanted = serde_json::to_string_pretty(&generated()).unwrap();
    wanted.push('\n');
    if std::env::var_os("WAYBILL_UPDATE").is_some() {
        std::fs::write(&path, &wanted).unwrap();
    }
    let committed = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(committed == wanted, "infra/openapi.json is not what the handlers say; see the head of this test");
}

#[test]
fn the_document_has_the_templates_routes_and_no_others() {
    let document = generated();
    let documented: BTreeSet<_> = document["paths"]
        .as_object()
        .unwrap()
        .iter()
        .flat_map(|(path, methods)| {
            methods.as_object().unwrap().keys().map(move |method| format!("{} {path}", method.to_uppercase()))
        })
        .collect();
    let declared: BTreeSet<_> = http_routes().iter().map(|route| format!("{} {}", route.method, route.path)).collect();
    assert_eq!(documented, declared);
}

#[test]
fn every_reference_in_the_document_leads_somewhere() {
    fn references(value: &Value, found: &mut BTreeSet<String>) {
        match value {
            Value::Object(fields) => {
                found.extend(fields.get("$ref").and_then(Value::as_str).map(str::to_owned));
                fields.values().for_each(|inner| references(inner, found));
            }
            Value::Array(items) => items.iter().for_each(|inner| references(inner, found)),
            _ => {}
        }
    }
    let (document, mut found) = (generated(), BTreeSet::new());
    references(&document, &mut found);
    assert!(found.len() > 40);
    for reference in found {
        assert!(document.pointer(&reference[1..]).is_some(), "{reference}");
    }
}
