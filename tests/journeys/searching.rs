//! Searching the catalogue: what is found follows what is sold within a moment.

use serde_json::{Value, json};
use waybill_tests::{Answer, TestShop, eventually};

async fn stock(shop: &TestShop) -> (String, String) {
    let staff = shop.administrator().await;
    let make = async |slug: &str, parent: Option<&str>| {
        let body = json!({ "slug": slug, "title": slug, "description": "", "parent_id": parent });
        staff.post("/v1/admin/categories", body).await.text("/id")
    };
    let drinks = make("drinks", None).await;
    let tea = make("tea", Some(&drinks)).await;
    let cups = make("cups", None).await;
    for (slug, title, category, cents, units, tags, colours) in [
        ("earl-grey", "Earl Grey", &tea, 450, 3, json!(["new"]), json!(["Black"])),
        ("sencha", "Sencha, grün", &tea, 900, 0, json!(["new", "gift"]), json!(["Green"])),
        ("mocha", "Mocha", &drinks, 700, 5, json!([]), json!(["Black"])),
        ("teacup", "Teacup", &cups, 1999, 5, json!(["gift"]), json!(["White", "Blue"])),
    ] {
        let body = json!({
            "slug": slug, "title": title, "description": "A fine thing.", "category_ids": [category], "tags": tags,
            "attributes": { "colour": colours },
            "skus": [{ "sku": slug.to_uppercase(), "prices": [{ "amount": cents, "currency": "USD" }], "stock": units }],
        });
        assert_eq!(staff.post("/v1/admin/products", body).await.status, 201);
    }
    found(shop, "sort=name", &["earl-grey", "mocha", "sencha", "teacup"]).await;
    (drinks, tea)
}

/// That a search finds these, in this order, within a moment.
async fn found(shop: &TestShop, query: &str, slugs: &[&str]) -> Answer {
    eventually(&format!("{slugs:?} by {query}"), async || {
        let answer = shop.anyone().get(&format!("/v1/products?{query}")).await;
        assert_eq!(answer.status, 200, "{query}: {}", answer.body);
        let items = answer.body["items"].as_array().unwrap().clone();
        (items.iter().map(|item| &item["slug"]).eq(slugs)).then_some(answer)
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn products_are_found_by_all_that_is_asked_for_and_counted() {
    let shop = TestShop::open().await;
    let (drinks, _) = stock(&shop).await;
    for (query, slugs) in [
        ("category=drinks&sort=name", &["earl-grey", "mocha", "sencha"][..]),
        (&format!("category={drinks}&sort=price"), &["earl-grey", "mocha", "sencha"]),
        ("category=tea&sort=-price", &["sencha", "earl-grey"]),
        ("q=tea", &["teacup"]),
        ("q=fine+grun", &["sencha"]),
        ("q=EARL-GREY", &["earl-grey"]),
        ("q=nothing", &[]),
        ("in_stock=true&sort=-name", &["teacup", "mocha", "earl-grey"]),
        ("tag=new&sort=name", &["earl-grey", "sencha"]),
        ("tag=new,gift", &["sencha"]),
        ("attribute%5Bcolour%5D=Blue|Green&sort=name", &["sencha", "teacup"]),
        ("attribute%5Bcolour%5D=Black&category=tea", &["earl-grey"]),
        ("min_price=700&max_price=900&sort=price", &["mocha", "sencha"]),
        ("min_price=1&currency=EUR", &[]),
    ] {
        found(&shop, query, slugs).await;
    }
    let counted = found(&shop, "category=tea&facets=category,colour,tag&sort=name", &["earl-grey", "sencha"]).await;
    assert_eq!(counted.body["total"], 2);
    let counts = |facet: usize| {
        let values = counted.body["facets"][facet]["values"].as_array().unwrap();
        values.iter().map(|value| value["count"].as_u64().unwrap()).collect::<Vec<_>>()
    };
    // Categories are counted as if none were chosen: drinks with tea below it, tea, cups.
    assert_eq!((counts(0), counts(1), counts(2)), (vec![3, 2, 1], vec![1, 1], vec![2, 1]));
    assert_eq!(
        counted.body["facets"][2],
        json!({ "name": "tag", "values": [{ "value": "new", "count": 2 }, { "value": "gift", "count": 1 }] })
    );
    shop.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_found_follows_every_change() {
    let shop = TestShop::open().await;
    let (_, tea) = stock(&shop).await;
    let staff = shop.administrator().await;
    // The last ones are ordered.
    shop.customer().await.order(&[("EARL-GREY", 3)]).await;
    found(&shop, "in_stock=true&sort=name", &["mocha", "teacup"]).await;
    staff.patch("/v1/admin/skus/MOCHA", json!({ "prices": [{ "amount": 2500, "currency": "USD" }] })).await;
    found(&shop, "sort=-price&limit=2", &["mocha", "teacup"]).await;
    let id = shop.anyone().get("/v1/products/teacup").await.text("/id");
    let change = async |body: Value| {
        let path = format!("/v1/admin/products/{id}");
        let tag = staff.get(&path).await.header("etag").unwrap().to_owned();
        let request = staff.request(reqwest::Method::PATCH, &path).header("if-match", tag).json(&body);
        assert_eq!(request.send().await.unwrap().status(), 200);
    };
    change(json!({ "category_ids": [tea], "title": "Mug", "tags": [] })).await;
    found(&shop, "category=tea&sort=name", &["earl-grey", "teacup", "sencha"]).await;
    found(&shop, "tag=gift", &["sencha"]).await;
    found(&shop, "q=mug", &["teacup"]).await;
    change(json!({ "state": "archived" })).await;
    found(&shop, "sort=name", &["earl-grey", "mocha", "sencha"]).await;
    change(json!({ "state": "active" })).await;
    found(&shop, "sort=name", &["earl-grey", "mocha", "teacup", "sencha"]).await;
    assert_eq!(staff.delete(&format!("/v1/admin/products/{id}")).await.status, 204);
    found(&shop, "sort=name", &["earl-grey", "mocha", "sencha"]).await;
    // Tea moves to the top: it is no drink any more.
    let request = staff.request(reqwest::Method::PATCH, &format!("/v1/admin/categories/{tea}"));
    let moved = request.header("if-match", "\"1\"").json(&json!({ "parent_id": null })).send().await.unwrap();
    assert_eq!(moved.status(), 200);
    found(&shop, "category=drinks", &["mocha"]).await;
    // What sells best comes first.
    found(&shop, "sort=popularity&limit=1", &["earl-grey"]).await;
    shop.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn pages_lead_both_ways_and_a_cursor_is_good_for_its_own_list_only() {
    let shop = TestShop::open().await;
    stock(&shop).await;
    let anyone = shop.anyone();
    let page = async |query: String| anyone.get(&format!("/v1/products?{query}")).await;
    let first = page("sort=price&limit=3".into()).await;
    assert!(first.body["previous"].is_null());
    let next = first.text("/next");
    let second = page(format!("sort=price&limit=3&cursor={next}")).await;
    assert_eq!((second.text("/items/0/slug"), &second.body["next"]), ("teacup".into(), &Value::Null));
    let back = page(format!("sort=price&limit=3&cursor={}", second.text("/previous"))).await;
    assert_eq!(back.body["items"], first.body["items"]);
    for other in ["sort=-price", "sort=price&in_stock=true", "sort=price&currency=EUR", "limit=3"] {
        assert_eq!(page(format!("{other}&cursor={next}")).await.fields(), ["cursor"], "{other}");
    }
    for query in [
        "q=",
        "q=a+b+c+d+e+f+g+h+i",
        "sort=random",
        "in_stock=yes",
        "min_price=-1",
        "max_price=100000001",
        "tag=Not+a+tag",
        "facets=a,b,c,d,e,f",
        "facets=tag,tag",
        "attribute%5BColour%5D=Red",
        "attribute%5B%5D=Red",
        "attribute=Red",
        "category=nothing",
        "cursor=AAAA",
    ] {
        assert_eq!(page(query.into()).await.status, 422, "{query}");
    }
    shop.stop().await;
}
