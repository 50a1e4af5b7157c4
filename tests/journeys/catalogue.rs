//! What merchandisers do with the catalogue, and what customers see of it.

use reqwest::Method;
use serde_json::{Value, json};
use waybill_tests::{Answer, Person, TestShop};

/// Changes what is of this version.
async fn change(person: &Person, path: &str, version: &str, body: Value) -> Answer {
    let request = person.request(Method::PATCH, path).header("if-match", version).json(&body);
    Answer::of(request.send().await.unwrap()).await
}

fn shirt(category: &str) -> Value {
    let sku = |size: &str, colour: &str, cents: i64| {
        json!({
            "sku": format!("SHIRT-{size}-{}", colour.to_uppercase()),
            "options": { "Size": size, "Colour": colour },
            "prices": [{ "amount": cents, "currency": "USD", "compare_at": cents + 500 }, { "amount": cents - 100, "currency": "EUR" }],
            "stock": 5, "weight": 180, "barcode": null,
        })
    };
    json!({
        "slug": "shirt", "title": "Shirt", "description": "Cotton.",
        "translations": { "de": { "title": "Hemd", "description": "Baumwolle." } },
        "category_ids": [category],
        "images": [{ "url": "https://images.example.com/shirt.jpg", "alt": "A shirt" }],
        "attributes": { "material": ["Cotton"] },
        "tags": ["summer", "new"],
        "options": [{ "name": "Size", "values": ["S", "M"] }, { "name": "Colour", "values": ["Red", "Blue"] }],
        "skus": [sku("S", "Red", 2000), sku("M", "Blue", 1900)],
    })
}

#[tokio::test(flavor = "multi_thread")]
async fn a_product_with_options_is_read_by_id_or_slug_in_the_language_and_currency_that_is_asked_for() {
    let shop = TestShop::open().await;
    let staff = shop.administrator().await;
    let made = staff.post("/v1/admin/products", shirt(&shop.category().await)).await;
    assert_eq!(made.status, 201, "{}", made.body);
    let anyone = shop.anyone();
    let product = anyone.get("/v1/products/shirt").await;
    assert_eq!(product.body, anyone.get(&format!("/v1/products/{}", made.text("/id"))).await.body);
    assert_eq!(product.text("/skus/0/title"), "Shirt, S, Red");
    assert_eq!(product.body["price"], json!({ "amount": 1900, "currency": "USD" }));
    assert_eq!(product.body["skus"][0]["compare_at_price"], json!({ "amount": 2500, "currency": "USD" }));
    assert_eq!(product.body["skus"][1]["options"], json!({ "Size": "M", "Colour": "Blue" }));
    assert_eq!(product.body["attributes"], json!({ "material": ["Cotton"] }));

    for (language, title) in [("de", "Hemd"), ("de-AT", "Hemd"), ("fr", "Shirt")] {
        let answer = anyone.get(&format!("/v1/products/shirt?language={language}&currency=EUR")).await;
        assert_eq!(answer.text("/title"), title);
        assert_eq!(answer.body["skus"][0]["price"], json!({ "amount": 1900, "currency": "EUR" }));
        let list = anyone.get(&format!("/v1/products?language={language}&currency=EUR")).await;
        assert_eq!(list.text("/items/0/title"), title);
        assert_eq!(list.body["items"][0]["price"], json!({ "amount": 1800, "currency": "EUR" }));
    }
    let elsewhere = anyone.get("/v1/products/shirt?currency=CHF").await;
    assert!(elsewhere.body["price"].is_null() && elsewhere.body["skus"][0]["price"].is_null(), "{}", elsewhere.body);
    assert_eq!(anyone.get("/v1/products/shirt?language=German&currency=X").await.fields(), ["language", "currency"]);
    shop.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_has_the_newest_of_a_product_gets_no_body_and_a_change_shows_at_once() {
    let shop = TestShop::open().await;
    let path = format!("/v1/products/{}", shop.product("TEA", 450, 10).await.text("/id"));
    let read = async |path: &str, tag: Option<&str>| {
        let request = shop.anyone().request(Method::GET, path);
        let request = tag.iter().fold(request, |request, tag| request.header("if-none-match", *tag));
        Answer::of(request.send().await.unwrap()).await
    };
    for path in [path.as_str(), "/v1/products", "/v1/categories"] {
        let first = read(path, None).await;
        let tag = first.header("etag").unwrap().to_owned();
        assert!(first.header("cache-control").unwrap().starts_with("public, max-age=10"), "{path}");
        let again = read(path, Some(&tag)).await;
        assert_eq!((again.status, again.body, again.headers["etag"].to_str().unwrap()), (304, json!(""), tag.as_str()));
    }
    let before = read(&path, None).await.header("etag").unwrap().to_owned();
    let price = json!({ "prices": [{ "amount": 460, "currency": "USD" }] });
    shop.administrator().await.patch("/v1/admin/skus/TEA", price).await;
    let after = read(&path, Some(&before)).await;
    assert_eq!((after.status, &after.body["price"]["amount"]), (200, &json!(460)));
    let customer = shop.customer().await;
    customer.order(&[("TEA", 1)]).await;
    assert_eq!(read(&path, Some(after.header("etag").unwrap())).await.body["skus"][0]["available"], 9);
    shop.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_change_is_made_to_what_was_read_or_not_at_all() {
    let shop = TestShop::open().await;
    let staff = shop.administrator().await;
    let category = shop.category().await;
    let product = shop.product_in(&category, &[("TEA", 450, 10)]).await.text("/id");
    for path in [format!("/v1/admin/products/{product}"), format!("/v1/admin/categories/{category}")] {
        let tag = staff.get(&path).await.header("etag").unwrap().to_owned();
        staff.patch(&path, json!({ "title": "New" })).await.assert_problem(428, "version-needed");
        assert_eq!(change(staff, &path, "7", json!({ "title": "New" })).await.fields(), ["If-Match"]);
        let first = change(staff, &path, &tag, json!({ "title": "First" })).await;
        assert_eq!((first.status, first.text("/title")), (200, "First".into()));
        change(staff, &path, &tag, json!({ "title": "Second" })).await.assert_problem(412, "outdated");
        let next = first.header("etag").unwrap();
        assert_eq!(change(staff, &path, next, json!({ "title": "Second" })).await.text("/title"), "Second");
    }
    // Carts and orders show the new title, as the offers follow their product.
    let cart = shop.customer().await.put_line("TEA", 1).await;
    assert_eq!(cart.text("/lines/0/title"), "Second, variant TEA");
    // Of those who change the same version at once, one does.
    let path = format!("/v1/admin/products/{product}");
    let tag = staff.get(&path).await.header("etag").unwrap().to_owned();
    let tries = (0..8).map(|number| {
        let (staff, path, tag) = (staff.clone(), path.clone(), tag.clone());
        tokio::spawn(
            async move { change(&staff, &path, &tag, json!({ "title": format!("Nr. {number}") })).await.status },
        )
    });
    let mut statuses = Vec::new();
    for change in tries.collect::<Vec<_>>() {
        statuses.push(change.await.unwrap());
    }
    statuses.sort();
    assert_eq!(statuses, [200, 412, 412, 412, 412, 412, 412, 412]);
    // What is added by several at once goes in by itself: nobody has said what they had read.
    let adds = ["LEAF", "BAG", "CAN", "TIN"].map(|sku| {
        let (staff, path) = (staff.clone(), format!("{path}/skus"));
        let prices = json!([{ "amount": 450, "currency": "USD" }]);
        let body = json!({ "sku": sku, "variant": sku, "prices": prices, "stock": 1 });
        tokio::spawn(async move { staff.post(&path, body).await })
    });
    for add in adds {
        let added = add.await.unwrap();
        assert_eq!(added.status, 201, "{}", added.body);
    }
    assert_eq!(staff.get(&path).await.body["skus"].as_array().unwrap().len(), 5);
    shop.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn drafts_and_archived_products_are_for_staff_only_and_cannot_be_bought() {
    let shop = TestShop::open().await;
    let staff = shop.administrator().await;
    let id = shop.product("TEA", 450, 10).await.text("/id");
    let (path, public) = (format!("/v1/admin/products/{id}"), format!("/v1/products/{id}"));
    let (customer, anyone) = (shop.customer().await, shop.anyone());
    let quote = customer.quote(&[("TEA", 1)]).await;
    let become_ = async |state: &str| {
        let tag = staff.get(&path).await.header("etag").unwrap().to_owned();
        assert_eq!(change(staff, &path, &tag, json!({ "state": state })).await.text("/state"), state);
    };
    for state in ["archived", "draft"] {
        become_(state).await;
        anyone.get(&public).await.assert_problem(404, "not-found");
        assert_eq!(anyone.get("/v1/products").await.body["items"], json!([]));
        let listed = staff.get(&format!("/v1/admin/products?state={state}")).await;
        assert_eq!(listed.text("/items/0/id"), id);
        customer.place(&waybill_tests::key(), &quote).await.assert_problem(409, "out-of-stock");
        assert_eq!(customer.get("/v1/cart").await.body["lines"][0]["only_available"], 0);
    }
    become_("active").await;
    assert_eq!(anyone.get(&public).await.status, 200);
    assert_eq!(customer.place(&waybill_tests::key(), &quote).await.status, 201);
    // What was ordered stays.
    staff.delete(&path).await.assert_problem(409, "in-use");
    let never_sold = shop.product("CUP", 900, 1).await.text("/id");
    assert_eq!(staff.delete(&format!("/v1/admin/products/{never_sold}")).await.status, 204);
    staff.get(&format!("/v1/admin/products/{never_sold}")).await.assert_problem(404, "not-found");
    customer.put_line("CUP", 1).await.assert_problem(404, "not-found");
    assert_eq!(shop.product("CUP", 800, 1).await.status, 201);
    shop.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_slug_that_moves_to_another_product_leads_to_that_one_at_once() {
    let shop = TestShop::open().await;
    let staff = shop.administrator().await;
    let (one, two) = (shop.product("ONE", 100, 1).await, shop.product("TWO", 100, 1).await);
    let slug = one.text("/slug");
    let read = async || shop.anyone().get(&format!("/v1/products/{slug}")).await;
    assert_eq!(read().await.text("/id"), one.text("/id"));
    let rename = async |product: &Answer, slug: &str| {
        change(staff, &format!("/v1/admin/products/{}", product.text("/id")), "\"1\"", json!({ "slug": slug })).await
    };
    rename(&two, &slug).await.assert_problem(409, "taken");
    assert_eq!(rename(&one, "retired").await.status, 200);
    read().await.assert_problem(404, "not-found");
    assert_eq!(rename(&two, &slug).await.status, 200);
    assert_eq!(read().await.text("/id"), two.text("/id"));
    shop.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn variants_fit_the_options_of_their_product_and_differ() {
    let shop = TestShop::open().await;
    let staff = shop.administrator().await;
    let category = shop.category().await;
    let with = |pointer: &str, value: Value| {
        let mut body = shirt(&category);
        *body.pointer_mut(pointer).unwrap() = value;
        body
    };
    let many: Vec<_> = (0..46).map(|number| format!("V{number}")).collect();
    for (pointer, value, field) in [
        ("/skus/0/options", json!({}), "/skus/0/options"),
        ("/skus/0/options", json!({ "Size": "S", "Colour": "Red", "Fit": "Slim" }), "/skus/0/options"),
        ("/skus/0/options/Size", json!("XXL"), "/skus/0/options/Size"),
        ("/skus/1/options", json!({ "Size": "S", "Colour": "Red" }), "/skus/1/options"),
        ("/options/1/name", json!("Size"), "/options"),
        ("/options/0/values", json!([]), "/options/0/values"),
        ("/options/0/values", json!(["S", "S"]), "/options/0/values"),
        ("/options/0/values", json!(many), "/options/0/values"),
        ("/skus/0/prices/0/compare_at", json!(2000), "/skus/0/prices/0/compare_at"),
        ("/skus/0/prices/1/currency", json!("USD"), "/skus/0/prices"),
        ("/skus/0/prices", json!([{ "amount": 5, "currency": "EUR" }]), "/skus/0/prices"),
        ("/skus/0/weight", json!(-1), "/skus/0/weight"),
        ("/skus/0/barcode", json!("4006381333932"), "/skus/0/barcode"),
        ("/skus/1/sku", json!("SHIRT-S-RED"), "/skus/1/sku"),
        ("/translations", json!({ "deutsch": { "title": "x", "description": "" } }), "/translations/deutsch"),
        ("/translations/de/title", json!(""), "/translations/de/title"),
        ("/category_ids", json!([category, category]), "/category_ids"),
        ("/images/0/url", json!("http://images.example.com/x"), "/images/0/url"),
        ("/attributes", json!({ "Material": ["x"] }), "/attributes/Material"),
        ("/attributes", json!({ "material": [] }), "/attributes/material"),
        ("/tags", json!(["Not a tag"]), "/tags/0"),
        ("/tags", json!((0..31).map(|number| format!("t{number}")).collect::<Vec<_>>()), "/tags"),
    ] {
        let refused = staff.post("/v1/admin/products", with(pointer, value.clone())).await;
        refused.assert_problem(422, "invalid");
        assert!(refused.fields().contains(&field.to_owned()), "{pointer} {value}: {}", refused.body);
    }
    let made = staff.post("/v1/admin/products", shirt(&category)).await;
    let skus = format!("/v1/admin/products/{}/skus", made.text("/id"));
    let mut third = shirt(&category)["skus"][0].clone();
    third["sku"] = json!("SHIRT-M-RED");
    assert_eq!(staff.post(&skus, third.clone()).await.fields(), ["/options"]);
    third["options"] = json!({ "Size": "M", "Colour": "Red" });
    assert_eq!(staff.post(&skus, third.clone()).await.text("/skus/2/title"), "Shirt, M, Red");
    staff.post(&skus, third.clone()).await.assert_problem(409, "taken");
    third["sku"] = json!("SHIRT-OF-THE-SAME-OPTIONS");
    staff.post(&skus, third).await.assert_problem(422, "invalid");
    let sku = "/v1/admin/skus/SHIRT-M-RED";
    assert_eq!(staff.patch(sku, json!({ "options": { "Size": "S", "Colour": "Red" } })).await.fields(), ["/options"]);
    let changed = staff.patch(sku, json!({ "variant": "the red one", "barcode": "4006381333931" })).await;
    assert_eq!(changed.text("/skus/2/title"), "Shirt, the red one");
    let changed = staff.patch(sku, json!({ "variant": null, "barcode": null, "active": false })).await;
    assert_eq!(changed.text("/skus/2/title"), "Shirt, M, Red");
    assert!(changed.body["skus"][2].get("barcode").is_none());
    let public = shop.anyone().get("/v1/products/shirt").await;
    assert_eq!(public.body["skus"].as_array().unwrap().len(), 2, "an inactive SKU is for staff only");
    shop.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn categories_are_a_tree_in_the_order_that_it_is_shown_in() {
    let shop = TestShop::open().await;
    let staff = shop.administrator().await;
    let make = async |slug: &str, parent: Option<&str>, position: i64| {
        let body = json!({ "slug": slug, "title": slug, "description": "", "parent_id": parent, "position": position });
        staff.post("/v1/admin/categories", body).await
    };
    let drinks = make("drinks", None, 2).await.text("/id");
    let tea = make("tea", Some(&drinks), 1).await.text("/id");
    make("green-tea", Some(&tea), 0).await;
    make("coffee", Some(&drinks), 0).await;
    make("cups", None, 1).await;
    let shown = async || {
        let list = shop.anyone().get("/v1/categories").await;
        let items = list.body["items"].as_array().unwrap().clone();
        let line = |item: &Value| format!("{}{}", item["depth"], item["slug"].as_str().unwrap());
        items.iter().map(line).collect::<Vec<_>>().join(" ")
    };
    assert_eq!(shown().await, "0cups 0drinks 1coffee 1tea 2green-tea");
    let path = format!("/v1/admin/categories/{tea}");
    assert_eq!(change(staff, &path, "\"1\"", json!({ "parent_id": tea })).await.fields(), ["/parent_id"]);
    let nobody = "cat_00000000000000000000000000";
    assert_eq!(change(staff, &path, "\"1\"", json!({ "parent_id": nobody })).await.fields(), ["/parent_id"]);
    change(staff, &path, "\"1\"", json!({ "slug": "cups" })).await.assert_problem(409, "taken");
    assert_eq!(change(staff, &path, "\"1\"", json!({ "parent_id": null, "position": 0 })).await.status, 200);
    assert_eq!(shown().await, "0tea 1green-tea 0cups 0drinks 1coffee");
    staff.delete(&path).await.assert_problem(409, "in-use");
    assert_eq!(shop.anyone().get("/v1/categories/green-tea").await.text("/parent_id"), tea);
    let bad = staff
        .post("/v1/admin/categories", json!({ "slug": "x", "title": "x", "description": "", "position": 1_000_001 }))
        .await;
    assert_eq!(bad.fields(), ["/position"]);
    shop.stop().await;
}
