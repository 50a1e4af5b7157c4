//! Who may do what: every route of the document, as everybody that there is.

use std::collections::{BTreeMap, BTreeSet};

use accounts::Signer;
use reqwest::Method;
use serde_json::{Value, json};
use waybill_domain::SignedDuration;
use waybill_domain::account::{Permission, Role};
use waybill_local::workspace;
use waybill_tests::{PASSWORD, Person, TestShop, address, code};

/// A route of the document.
struct Route {
    method: Method,
    path: String,
    needs_token: bool,
    permission: Option<Permission>,
    /// The names of the fields that its body may have; None where it takes none.
    fields: Option<BTreeSet<String>>,
}

/// What a route is asked in the matrix, and what comes of it.
struct Case {
    /// With names filled in.
    path: String,
    body: Option<Value>,
    /// For its owner, and for all who may.
    allowed: u16,
    /// For customers to whom what it names does not belong.
    other: u16,
    /// For staff to whom it does not belong either.
    staff: u16,
}

fn document() -> Value {
    serde_json::from_str(&std::fs::read_to_string(workspace().join("infra/openapi.json")).unwrap()).unwrap()
}

fn routes() -> Vec<Route> {
    let document = document();
    let permission = |operation: &Value| {
        let name = operation["security"][0]["bearer"][0].as_str()?;
        Some(*Permission::ALL.iter().find(|permission| permission.name() == name).unwrap())
    };
    let fields = |operation: &Value| {
        let schema = operation["requestBody"]["content"]["application/json"]["schema"]["$ref"].as_str()?;
        let schema = document.pointer(&schema[1..]).unwrap();
        Some(schema["properties"].as_object().unwrap().keys().cloned().collect())
    };
    let paths = document["paths"].as_object().unwrap();
    let operations = paths.iter().flat_map(|(path, methods)| {
        methods.as_object().unwrap().iter().map(move |(method, operation)| (path, method, operation))
    });
    operations
        .map(|(path, method, operation)| Route {
            method: method.to_uppercase().parse().unwrap(),
            path: path.clone(),
            needs_token: operation["security"].is_array(),
            permission: permission(operation),
            fields: fields(operation),
        })
        .collect()
}

/// A draft that is not there.
const DRAFT: &str = "/v1/admin/drafts/drf_00000000000000000000000000";

/// For every route, in the order in which they are asked: the last two end sessions.
fn cases(order: &str, product: &str) -> Vec<(&'static str, Case)> {
    let same = |path: &str, body: Option<Value>, status: u16| Case {
        path: path.replace("{order}", order).replace("{product}", product),
        body,
        allowed: status,
        other: status,
        staff: status,
    };
    let nothing = || Some(json!({}));
    let nobody = "acc_00000000000000000000000000";
    let paying = "/v1/orders/{order}/payment-sessions";
    let admin = "/v1/admin/orders/{order}";
    let hooks = "/v1/admin/webhook-endpoints";
    vec![
        ("GET /.well-known/jwks.json", same("/.well-known/jwks.json", None, 200)),
        ("GET /openapi.json", same("/openapi.json", None, 200)),
        ("GET /docs", same("/docs", None, 200)),
        ("GET /v1/categories", same("/v1/categories", None, 200)),
        ("GET /v1/products", same("/v1/products", None, 200)),
        ("GET /v1/products/{id}", same("/v1/products/{product}", None, 200)),
        ("POST /v1/accounts", same("/v1/accounts", nothing(), 422)),
        ("POST /v1/accounts/confirm", same("/v1/accounts/confirm", nothing(), 422)),
        ("POST /v1/sessions", same("/v1/sessions", nothing(), 422)),
        ("POST /v1/sessions/refresh", same("/v1/sessions/refresh", nothing(), 422)),
        ("POST /v1/password-resets", same("/v1/password-resets", nothing(), 422)),
        ("POST /v1/password-resets/confirm", same("/v1/password-resets/confirm", nothing(), 422)),
        ("POST /v1/account/email-changes/confirm", same("/v1/account/email-changes/confirm", nothing(), 422)),
        ("POST /v1/stripe/events", same("/v1/stripe/events", nothing(), 400)),
        ("GET /v1/account", same("/v1/account", None, 200)),
        ("PATCH /v1/account", same("/v1/account", Some(json!({ "name": "Somebody" })), 200)),
        ("PUT /v1/account/password", same("/v1/account/password", nothing(), 422)),
        ("POST /v1/account/email-changes", same("/v1/account/email-changes", nothing(), 422)),
        ("GET /v1/account/addresses", same("/v1/account/addresses", None, 200)),
        ("POST /v1/account/addresses", same("/v1/account/addresses", Some(address()), 201)),
        (
            "PUT /v1/account/addresses/{id}",
            same("/v1/account/addresses/adr_00000000000000000000000000", Some(address()), 404),
        ),
        ("DELETE /v1/account/addresses/{id}", same("/v1/account/addresses/x", None, 404)),
        ("GET /v1/account/export", same("/v1/account/export", None, 200)),
        ("POST /v1/account/deletion", same("/v1/account/deletion", nothing(), 422)),
        ("POST /v1/account/totp", same("/v1/account/totp", nothing(), 422)),
        ("POST /v1/account/totp/confirm", same("/v1/account/totp/confirm", nothing(), 422)),
        ("POST /v1/account/totp/removal", same("/v1/account/totp/removal", nothing(), 422)),
        ("GET /v1/sessions", same("/v1/sessions", None, 200)),
        ("DELETE /v1/sessions/{id}", same("/v1/sessions/ses_00000000000000000000000000", None, 404)),
        ("POST /v1/websocket-tickets", same("/v1/websocket-tickets", nothing(), 201)),
        ("POST /v1/cart/merge", same("/v1/cart/merge", nothing(), 422)),
        ("POST /v1/guest-carts", same("/v1/guest-carts", nothing(), 201)),
        ("GET /v1/guest-cart", same("/v1/guest-cart", None, 422)),
        ("PATCH /v1/guest-cart", same("/v1/guest-cart", nothing(), 422)),
        ("DELETE /v1/guest-cart", same("/v1/guest-cart", None, 422)),
        ("PUT /v1/guest-cart/lines/{sku}", same("/v1/guest-cart/lines/TEA", Some(json!({ "quantity": 1 })), 422)),
        ("DELETE /v1/guest-cart/lines/{sku}", same("/v1/guest-cart/lines/TEA", None, 422)),
        ("GET /v1/cart", same("/v1/cart", None, 200)),
        ("PUT /v1/cart/lines/{sku}", same("/v1/cart/lines/TEA", Some(json!({ "quantity": 1 })), 200)),
        ("DELETE /v1/cart/lines/{sku}", same("/v1/cart/lines/TEA", None, 200)),
        ("PATCH /v1/cart", same("/v1/cart", nothing(), 200)),
        ("DELETE /v1/cart", same("/v1/cart", None, 200)),
        // The matrix has no keys.
        ("POST /v1/admin/drafts", same("/v1/admin/drafts", nothing(), 422)),
        ("GET /v1/admin/drafts", same("/v1/admin/drafts", None, 200)),
        ("GET /v1/admin/drafts/{id}", same(DRAFT, None, 404)),
        ("PATCH /v1/admin/drafts/{id}", same(DRAFT, nothing(), 404)),
        ("DELETE /v1/admin/drafts/{id}", same(DRAFT, None, 204)),
        (
            "PUT /v1/admin/drafts/{id}/lines/{sku}",
            same(&format!("{DRAFT}/lines/TEA"), Some(json!({ "quantity": 1 })), 404),
        ),
        ("DELETE /v1/admin/drafts/{id}/lines/{sku}", same(&format!("{DRAFT}/lines/TEA"), None, 404)),
        ("POST /v1/admin/drafts/{id}/orders", same(&format!("{DRAFT}/orders"), nothing(), 422)),
        ("GET /v1/orders", same("/v1/orders", None, 200)),
        ("POST /v1/orders", same("/v1/orders", nothing(), 422)),
        ("GET /v1/orders/{id}", Case { other: 404, ..same("/v1/orders/{order}", None, 200) }),
        ("POST /v1/orders/{id}/payment-sessions", Case { other: 404, staff: 404, ..same(paying, nothing(), 201) }),
        (
            "POST /v1/orders/{id}/payment-intents",
            Case { other: 404, staff: 404, ..same("/v1/orders/{order}/payment-intents", nothing(), 201) },
        ),
        (
            "POST /v1/orders/{id}/cancel",
            Case { other: 404, staff: 404, ..same("/v1/orders/{order}/cancel", nothing(), 200) },
        ),
        ("POST /v1/admin/orders/{id}/capture", same("/v1/admin/orders/{order}/capture", nothing(), 409)),
        ("POST /v1/admin/orders/{id}/cancel", same("/v1/admin/orders/{order}/cancel", nothing(), 422)),
        ("POST /v1/admin/orders/{id}/refunds", same("/v1/admin/orders/{order}/refunds", nothing(), 422)),
        ("GET /v1/admin/orders", same("/v1/admin/orders?status=pending", None, 200)),
        ("GET /v1/admin/orders/counts", same("/v1/admin/orders/counts", None, 200)),
        ("GET /v1/admin/orders/export", same("/v1/admin/orders/export", None, 200)),
        ("GET /v1/admin/accounts/export", same("/v1/admin/accounts/export", None, 200)),
        ("GET /v1/admin/stock-movements/export", same("/v1/admin/stock-movements/export", None, 200)),
        // The matrix has no keys.
        ("POST /v1/admin/exports", same("/v1/admin/exports", nothing(), 422)),
        ("GET /v1/admin/exports", same("/v1/admin/exports", None, 200)),
        ("GET /v1/admin/exports/{id}", same("/v1/admin/exports/x", None, 404)),
        ("GET /v1/admin/reports/sales", same("/v1/admin/reports/sales", None, 200)),
        ("GET /v1/admin/reports/low-stock", same("/v1/admin/reports/low-stock", None, 200)),
        ("GET /v1/admin/reports/top", same("/v1/admin/reports/top", None, 200)),
        ("POST /v1/admin/orders/{id}/process", same("/v1/admin/orders/{order}/process", nothing(), 409)),
        ("POST /v1/admin/orders/{id}/ship", same("/v1/admin/orders/{order}/ship", nothing(), 422)),
        ("POST /v1/admin/orders/{id}/deliver", same("/v1/admin/orders/{order}/deliver", nothing(), 409)),
        (
            "POST /v1/admin/orders/{id}/shipments/{number}/deliver",
            same(&format!("{admin}/shipments/1/deliver"), nothing(), 409),
        ),
        (
            "PUT /v1/orders/{id}/shipping-address",
            Case { other: 404, staff: 404, ..same("/v1/orders/{order}/shipping-address", Some(address()), 409) },
        ),
        (
            "PUT /v1/admin/orders/{id}/shipping-address",
            same(&format!("{admin}/shipping-address"), Some(address()), 409),
        ),
        // The matrix has no keys.
        ("POST /v1/orders/{id}/returns", same("/v1/orders/{order}/returns", nothing(), 422)),
        (
            "POST /v1/admin/orders/{id}/returns/{number}/approve",
            same(&format!("{admin}/returns/1/approve"), nothing(), 404),
        ),
        (
            "POST /v1/admin/orders/{id}/returns/{number}/refuse",
            same(&format!("{admin}/returns/1/refuse"), nothing(), 422),
        ),
        (
            "POST /v1/admin/orders/{id}/returns/{number}/receive",
            same(&format!("{admin}/returns/1/receive"), nothing(), 422),
        ),
        ("POST /v1/admin/orders/{id}/cancel-rest", same(&format!("{admin}/cancel-rest"), nothing(), 422)),
        ("POST /v1/admin/orders/{id}/notes", same(&format!("{admin}/notes"), nothing(), 422)),
        ("GET /v1/admin/orders/{id}/notes", same(&format!("{admin}/notes"), None, 200)),
        ("DELETE /v1/admin/orders/{id}/notes/{note}", same(&format!("{admin}/notes/x"), None, 404)),
        (
            "GET /v1/orders/{id}/documents",
            Case { other: 404, staff: 404, ..same("/v1/orders/{order}/documents", None, 200) },
        ),
        ("GET /v1/orders/{id}/documents/{number}", same("/v1/orders/{order}/documents/INV-999999", None, 404)),
        ("GET /v1/admin/orders/{id}/documents", same(&format!("{admin}/documents"), None, 200)),
        ("GET /v1/admin/orders/{id}/documents/{number}", same(&format!("{admin}/documents/INV-999999"), None, 404)),
        ("GET /v1/admin/documents", same("/v1/admin/documents?series=invoice", None, 200)),
        ("GET /v1/categories/{id}", same("/v1/categories/nothing", None, 404)),
        ("POST /v1/admin/categories", same("/v1/admin/categories", nothing(), 422)),
        ("GET /v1/admin/categories/{id}", same("/v1/admin/categories/x", None, 404)),
        ("PATCH /v1/admin/categories/{id}", same("/v1/admin/categories/x", nothing(), 428)),
        ("DELETE /v1/admin/categories/{id}", same("/v1/admin/categories/x", None, 404)),
        ("GET /v1/admin/products", same("/v1/admin/products?state=draft", None, 200)),
        ("POST /v1/admin/products", same("/v1/admin/products", nothing(), 422)),
        ("GET /v1/admin/products/export", same("/v1/admin/products/export", None, 200)),
        ("GET /v1/admin/imports", same("/v1/admin/imports", None, 200)),
        // The matrix has no keys.
        ("POST /v1/admin/imports", same("/v1/admin/imports", nothing(), 422)),
        ("GET /v1/admin/imports/{id}", same("/v1/admin/imports/x", None, 404)),
        ("GET /v1/admin/imports/{id}/failures", same("/v1/admin/imports/x/failures", None, 404)),
        ("GET /v1/admin/products/{id}", same(&format!("/v1/admin/products/{product}"), None, 200)),
        ("PATCH /v1/admin/products/{id}", same(&format!("/v1/admin/products/{product}"), nothing(), 428)),
        ("DELETE /v1/admin/products/{id}", same(&format!("/v1/admin/products/{product}"), None, 409)),
        ("POST /v1/admin/products/{id}/skus", same("/v1/admin/products/x/skus", nothing(), 422)),
        ("PATCH /v1/admin/skus/{sku}", same("/v1/admin/skus/TEA", nothing(), 200)),
        ("GET /v1/admin/skus/{sku}/stock", same("/v1/admin/skus/TEA/stock", None, 200)),
        ("PATCH /v1/admin/skus/{sku}/stock", same("/v1/admin/skus/TEA/stock", nothing(), 200)),
        ("GET /v1/admin/skus/{sku}/stock-movements", same("/v1/admin/skus/TEA/stock-movements", None, 200)),
        ("POST /v1/admin/skus/{sku}/stock-movements", same("/v1/admin/skus/TEA/stock-movements", nothing(), 422)),
        ("GET /v1/admin/locations", same("/v1/admin/locations", None, 200)),
        ("POST /v1/admin/locations", same("/v1/admin/locations", nothing(), 422)),
        ("PATCH /v1/admin/locations/{id}", same("/v1/admin/locations/x", Some(json!({ "name": "Depot" })), 404)),
        ("GET /v1/stock-subscriptions", same("/v1/stock-subscriptions", None, 200)),
        ("PUT /v1/stock-subscriptions/{sku}", same("/v1/stock-subscriptions/TEA", None, 409)),
        ("DELETE /v1/stock-subscriptions/{sku}", same("/v1/stock-subscriptions/TEA", None, 204)),
        ("GET /v1/admin/promotions", same("/v1/admin/promotions", None, 200)),
        ("POST /v1/admin/promotions", same("/v1/admin/promotions", nothing(), 422)),
        ("GET /v1/admin/promotions/{id}", same("/v1/admin/promotions/x", None, 404)),
        ("PUT /v1/admin/promotions/{id}", same("/v1/admin/promotions/x", nothing(), 428)),
        ("DELETE /v1/admin/promotions/{id}", same("/v1/admin/promotions/x", None, 404)),
        ("GET /v1/admin/shipping-methods", same("/v1/admin/shipping-methods", None, 200)),
        ("POST /v1/admin/shipping-methods", same("/v1/admin/shipping-methods", nothing(), 422)),
        ("GET /v1/admin/shipping-methods/{id}", same("/v1/admin/shipping-methods/x", None, 404)),
        ("PUT /v1/admin/shipping-methods/{id}", same("/v1/admin/shipping-methods/x", nothing(), 428)),
        ("DELETE /v1/admin/shipping-methods/{id}", same("/v1/admin/shipping-methods/x", None, 404)),
        ("GET /v1/admin/taxes", same("/v1/admin/taxes", None, 200)),
        ("PUT /v1/admin/taxes", same("/v1/admin/taxes", nothing(), 428)),
        ("GET /v1/admin/webhook-endpoints", same(hooks, None, 200)),
        ("POST /v1/admin/webhook-endpoints", same(hooks, nothing(), 422)),
        ("GET /v1/admin/webhook-endpoints/{id}", same(&format!("{hooks}/x"), None, 404)),
        ("PATCH /v1/admin/webhook-endpoints/{id}", same(&format!("{hooks}/x"), nothing(), 428)),
        ("DELETE /v1/admin/webhook-endpoints/{id}", same(&format!("{hooks}/x"), None, 404)),
        ("POST /v1/admin/webhook-endpoints/{id}/rotate-secret", same(&format!("{hooks}/x/rotate-secret"), None, 404)),
        ("POST /v1/admin/webhook-endpoints/{id}/test", same(&format!("{hooks}/x/test"), None, 404)),
        ("GET /v1/admin/webhook-endpoints/{id}/deliveries", same(&format!("{hooks}/x/deliveries"), None, 404)),
        (
            "GET /v1/admin/webhook-endpoints/{id}/deliveries/{delivery}",
            same(&format!("{hooks}/x/deliveries/y"), None, 404),
        ),
        (
            "POST /v1/admin/webhook-endpoints/{id}/deliveries/{delivery}/redeliver",
            same(&format!("{hooks}/x/deliveries/y/redeliver"), None, 404),
        ),
        ("POST /v1/admin/accounts/search", same("/v1/admin/accounts/search", nothing(), 422)),
        ("GET /v1/admin/administrators", same("/v1/admin/administrators", None, 200)),
        (
            "PUT /v1/admin/accounts/{id}/role",
            same(&format!("/v1/admin/accounts/{nobody}/role"), Some(json!({ "role": "support" })), 404),
        ),
        ("DELETE /v1/admin/accounts/{id}/sessions", same(&format!("/v1/admin/accounts/{nobody}/sessions"), None, 404)),
        ("DELETE /v1/admin/accounts/{id}/totp", same(&format!("/v1/admin/accounts/{nobody}/totp"), None, 404)),
        ("DELETE /v1/sessions/current", same("/v1/sessions/current", None, 204)),
        ("DELETE /v1/sessions", same("/v1/sessions", None, 204)),
    ]
}

/// Somebody who calls, twice: `DELETE /v1/sessions/current` ends the first session, the last row needs another.
struct Caller {
    name: &'static str,
    person: Person,
    again: Person,
    /// None for those whose token is worth nothing.
    role: Option<Role>,
}

/// Logs somebody in again, with a code not used before.
async fn again(shop: &TestShop, person: &Person, secret: Option<&str>) -> Person {
    let mut body = json!({ "email": person.email, "password": PASSWORD });
    if let Some(secret) = secret {
        body["code"] = json!(code(secret, 1));
    }
    let logged_in = shop.anyone().post("/v1/sessions", body).await;
    assert_eq!(logged_in.status, 201, "{}", logged_in.body);
    shop.anyone().with_tokens(&logged_in)
}

/// A member of staff, logged in twice.
async fn member(shop: &TestShop, name: &'static str, role: Role) -> Caller {
    let person = shop.customer().await;
    let path = format!("/v1/admin/accounts/{}/role", person.id);
    let given = shop.administrator().await.put(&path, json!({ "role": role })).await;
    assert_eq!(given.status, 200, "{}", given.body);
    let (person, secret) = person.set_up_totp().await;
    Caller { name, again: again(shop, &person, Some(&secret)).await, person, role: Some(role) }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_route_answers_each_caller_as_the_document_says() {
    let shop = TestShop::open().await;
    let product = shop.product("TEA", 450, 10).await.text("/id");
    let (owner, stranger) = (shop.customer().await, shop.customer().await);
    let order = owner.order(&[("TEA", 1)]).await.text("/id");
    let expired = {
        let signer = Signer::from_secret(&shop.secret("TokenKey").await).unwrap();
        let session = owner.get("/v1/sessions").await.text("/items/0/id").parse().unwrap();
        let an_hour_ago = waybill_lambda::clock::now() - SignedDuration::from_hours(1);
        shop.anyone().with_token(&signer.sign(owner.id.parse().unwrap(), session, an_hour_ago).unwrap())
    };
    let logged_out = again(&shop, &owner, None).await;
    assert_eq!(logged_out.delete("/v1/sessions/current").await.status, 204);
    let nobody = |name, person: Person| Caller { name, again: person.clone(), person, role: None };
    let customer = async |name, person: Person| Caller {
        name,
        again: again(&shop, &person, None).await,
        person,
        role: Some(Role::Customer),
    };
    let callers = [
        nobody("anonymous", shop.anyone()),
        nobody("expired token", expired),
        nobody("logged-out token", logged_out),
        customer("other customer", stranger).await,
        customer("owner", owner).await,
        member(&shop, "support", Role::Support).await,
        member(&shop, "manager", Role::Manager).await,
        member(&shop, "administrator", Role::Administrator).await,
    ];

    let mut routes: BTreeMap<String, Route> =
        routes().into_iter().map(|route| (format!("{} {}", route.method, route.path), route)).collect();
    let mut answers = 0;
    for (name, case) in cases(&order, &product) {
        let route = routes.remove(name).unwrap_or_else(|| panic!("{name} is not in the document, or here twice"));
        for caller in &callers {
            let expected = match (route.needs_token, route.permission, caller.role) {
                (false, _, _) => case.allowed,
                (true, _, None) => 401,
                (true, Some(permission), Some(role)) if !role.may(permission) => 403,
                (true, Some(_), Some(_)) => case.allowed,
                (true, None, Some(Role::Customer)) if caller.name == "other customer" => case.other,
                (true, None, Some(Role::Customer)) => case.allowed,
                (true, None, Some(_)) => case.staff,
            };
            let person = if name == "DELETE /v1/sessions" { &caller.again } else { &caller.person };
            let answer = person.send(route.method.clone(), &case.path, case.body.clone()).await;
            assert_eq!(answer.status, expected, "{name} as {}: {}", caller.name, answer.body);
            if expected >= 400 {
                assert_eq!(answer.header("content-type"), Some("application/problem+json"), "{name}");
            }
            // Whoever may see every order is told what of it is not there.
            if expected == 404 && route.permission.is_none() && case.path.contains(&order) {
                let unknown = case.path.replace(&order, "ord_00000000000000000000000000");
                let unknown = person.send(route.method.clone(), &unknown, case.body.clone()).await;
                let told = |answer: &Value| (answer["type"].clone(), answer["title"].clone(), answer["detail"].clone());
                assert_eq!(
                    told(&answer.body),
                    told(&unknown.body),
                    "{name} as {}: tells that it is there",
                    caller.name
                );
            }
            answers += 1;
        }
    }
    assert!(routes.is_empty(), "no row here for {:?}", routes.keys());
    println!("{answers} answers");
    for (method, path, status) in [
        (Method::GET, "/v1/nothing/here", 404),
        (Method::DELETE, "/v1/orders", 405),
        (Method::TRACE, "/v1/orders", 405),
    ] {
        for caller in &callers {
            assert_eq!(caller.person.send(method.clone(), path, None).await.status, status);
        }
    }
    shop.stop().await;
}

/// What only the server says of anything.
const OWNED_BY_THE_SERVER: [&str; 19] = [
    "id",
    "role",
    "account_id",
    "email_verified",
    "second_factor",
    "created_at",
    "sessions",
    "permissions",
    "buyer",
    "total",
    "status",
    "payment_status",
    "fulfilment_status",
    "version",
    "placed_at",
    "timeline",
    "available",
    "password_hash",
    "__proto__",
];

#[tokio::test(flavor = "multi_thread")]
async fn no_route_takes_a_field_that_is_the_servers_own() {
    let shop = TestShop::open().await;
    let product = shop.product("TEA", 450, 10).await.text("/id");
    let owner = shop.customer().await;
    let order = owner.order(&[("TEA", 1)]).await.text("/id");
    let quote = owner.quote(&[("TEA", 1)]).await;
    let staff = shop.administrator().await;
    let category = shop.category().await;
    let token = json!("0123456789abcdef0123456789abcdef.let_00000000000000000000000001.x");
    let credentials = json!({ "email": "new@example.com", "password": PASSWORD });
    let slug = |slug: &str| json!({ "slug": slug, "title": "Tea", "description": "Leaves" });
    let sku = json!({ "sku": "NEW", "variant": "new", "prices": [{ "amount": 1, "currency": "USD" }], "stock": 1 });
    let promotion = json!({ "title": "Sale", "effect": { "kind": "free_shipping" } });
    let band = json!({ "up_to_grams": 1000, "price": { "amount": 490, "currency": "USD" } });
    let method =
        json!({ "title": "Parcel", "places": [{ "country": "US" }], "tariff": { "by": "weight", "bands": [band] } });
    let mut new_product = slug("new-product");
    new_product["category_ids"] = json!([category]);
    new_product["skus"] = json!([sku.clone()]);
    let received = json!({ "sku": "TEA", "quantity": 1, "condition": "as_new", "restocked": true });
    // A body that each route takes.
    let good: BTreeMap<&str, Value> = BTreeMap::from([
        ("POST /v1/accounts", credentials.clone()),
        ("POST /v1/accounts/confirm", json!({ "token": token, "password": PASSWORD })),
        ("POST /v1/sessions", json!({ "email": owner.email, "password": PASSWORD })),
        ("POST /v1/sessions/refresh", json!({ "refresh_token": owner.refresh_token })),
        ("POST /v1/password-resets", json!({ "email": owner.email })),
        ("POST /v1/password-resets/confirm", json!({ "token": token, "password": "another horse" })),
        ("PATCH /v1/account", json!({ "name": "Mallory" })),
        ("PUT /v1/account/password", json!({ "current_password": PASSWORD, "new_password": "another horse" })),
        ("POST /v1/account/email-changes", credentials),
        ("POST /v1/account/email-changes/confirm", json!({ "token": token })),
        ("POST /v1/account/addresses", address()),
        ("PUT /v1/account/addresses/{id}", address()),
        ("POST /v1/account/deletion", json!({ "password": PASSWORD })),
        ("POST /v1/account/totp", json!({ "password": PASSWORD })),
        ("POST /v1/account/totp/confirm", json!({ "code": "123456" })),
        ("POST /v1/account/totp/removal", json!({ "password": PASSWORD })),
        ("POST /v1/admin/accounts/search", json!({ "email": "ann@example.com" })),
        ("PUT /v1/admin/accounts/{id}/role", json!({ "role": "manager" })),
        ("PUT /v1/cart/lines/{sku}", json!({ "quantity": 7 })),
        ("PUT /v1/guest-cart/lines/{sku}", json!({ "quantity": 7 })),
        ("PATCH /v1/cart", json!({ "codes": ["SALE"] })),
        ("PATCH /v1/guest-cart", json!({ "codes": ["SALE"] })),
        ("POST /v1/cart/merge", json!({ "cart_token": "x" })),
        ("POST /v1/admin/drafts", json!({ "email": owner.email })),
        ("PATCH /v1/admin/drafts/{id}", json!({ "codes": ["SALE"] })),
        ("PUT /v1/admin/drafts/{id}/lines/{sku}", json!({ "quantity": 7 })),
        ("POST /v1/admin/drafts/{id}/orders", json!({ "quote": quote, "shipping_address": address() })),
        ("POST /v1/orders", json!({ "quote": quote, "shipping_address": address() })),
        ("POST /v1/admin/orders/{id}/ship", json!({ "carrier": "UPS", "tracking_number": "1Z" })),
        ("POST /v1/admin/orders/{id}/cancel", json!({ "reason": "Lost" })),
        ("PUT /v1/orders/{id}/shipping-address", address()),
        ("PUT /v1/admin/orders/{id}/shipping-address", address()),
        ("POST /v1/orders/{id}/returns", json!({ "lines": [{ "sku": "TEA", "quantity": 1 }], "reason": "Too small" })),
        ("POST /v1/admin/orders/{id}/returns/{number}/refuse", json!({ "reason": "Worn" })),
        ("POST /v1/admin/orders/{id}/cancel-rest", json!({ "reason": "Sold out" })),
        ("POST /v1/admin/orders/{id}/notes", json!({ "text": "Called" })),
        ("POST /v1/admin/orders/{id}/returns/{number}/receive", json!({ "lines": [received] })),
        ("POST /v1/admin/orders/{id}/refunds", json!({ "amount": { "amount": 1, "currency": "USD" } })),
        ("POST /v1/admin/categories", slug("new-category")),
        ("PATCH /v1/admin/categories/{id}", slug("other-category")),
        ("POST /v1/admin/products", new_product),
        ("PATCH /v1/admin/products/{id}", slug("other-product")),
        ("POST /v1/admin/products/{id}/skus", sku),
        ("PATCH /v1/admin/skus/{sku}", json!({ "active": false })),
        ("PATCH /v1/admin/skus/{sku}/stock", json!({ "low_stock_at": 1 })),
        ("POST /v1/admin/skus/{sku}/stock-movements", json!({ "kind": "received", "units": 1, "reason": "Delivery" })),
        ("POST /v1/admin/webhook-endpoints", json!({ "url": "https://erp.example.com/", "events": ["order.paid.v1"] })),
        ("PATCH /v1/admin/webhook-endpoints/{id}", json!({ "enabled": false })),
        ("POST /v1/admin/exports", json!({ "of": "orders" })),
        ("POST /v1/admin/locations", json!({ "name": "Depot" })),
        ("PATCH /v1/admin/locations/{id}", json!({ "name": "Depot" })),
        ("POST /v1/admin/promotions", promotion.clone()),
        ("PUT /v1/admin/promotions/{id}", promotion),
        ("POST /v1/admin/shipping-methods", method.clone()),
        ("PUT /v1/admin/shipping-methods/{id}", method),
        ("PUT /v1/admin/taxes", json!({ "prices": "include_tax", "shipping": { "kind": "untaxed" }, "zones": [] })),
    ]);
    let state = async || {
        let mut state = Vec::new();
        for path in ["/v1/account", "/v1/account/addresses", "/v1/cart", "/v1/orders", &format!("/v1/orders/{order}")] {
            let mut answer = owner.get(path).await.body;
            // Sealed anew at each reading.
            answer.as_object_mut().unwrap().remove("quote");
            state.push(answer);
        }
        for path in ["/v1/categories", "/v1/products", &format!("/v1/products/{product}")] {
            state.push(owner.get(path).await.body);
        }
        state
    };
    let cart_token = shop.anyone().post("/v1/guest-carts", json!({})).await.text("/cart_token");
    let before = state().await;
    let mut refused = 0;
    for route in routes() {
        let Some(fields) = &route.fields else { continue };
        let name = format!("{} {}", route.method, route.path);
        let body = good.get(name.as_str()).unwrap_or_else(|| panic!("{name} has no body here"));
        let person = if route.permission.is_some() { staff } else { &owner };
        let path = route.path.replace("{sku}", "TEA").replace("addresses/{id}", "addresses/x").replace("{number}", "1");
        let path = path.replace("accounts/{id}", &format!("accounts/{}", owner.id)).replace("{id}", &order);
        for field in OWNED_BY_THE_SERVER.iter().filter(|field| !fields.contains(**field)) {
            let mut body = body.clone();
            body[*field] = json!("administrator");
            let request = person.request(route.method.clone(), &path).header("idempotency-key", waybill_tests::key());
            let request = request.header("if-match", "\"1\"").header("cart-token", &cart_token);
            let answer = waybill_tests::Answer::of(request.json(&body).send().await.unwrap()).await;
            if route.path == "/v1/account/addresses/{id}" {
                assert!(matches!(answer.status, 404 | 422), "{name} takes {field}: {}", answer.body);
                continue;
            }
            answer.assert_problem(422, "invalid");
            assert!(answer.body.to_string().contains("unknown field"), "{name} {field}: {}", answer.body);
            refused += 1;
        }
    }
    println!("{refused} fields refused");
    assert_eq!(state().await, before);
    shop.stop().await;
}
