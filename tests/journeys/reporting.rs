//! What the shop earned, told by the stream, and counted again by a command.

use serde_json::{Value, json};
use waybill_tests::{Person, TestShop, eventually};

/// The totals of a report, once they are as they should be.
async fn total(staff: &Person, query: &str, expected: &[(&str, Value)]) -> Value {
    let look = eventually("the report", async || {
        let report = staff.get(&format!("/v1/admin/reports/sales?{query}")).await;
        assert_eq!(report.status, 200, "{}", report.body);
        let is_so = expected.iter().all(|(name, value)| report.body["total"][name] == *value);
        is_so.then_some(report.body)
    });
    look.await
}

fn usd(cents: i64) -> Value {
    json!({ "amount": cents, "currency": "USD" })
}

#[tokio::test(flavor = "multi_thread")]
async fn managers_see_what_the_shop_earns_and_counting_again_changes_nothing() {
    let shop = TestShop::open().await;
    let staff = shop.staff("manager").await;
    let category = shop.category().await;
    let product = shop.product_in(&category, &[("TEA", 450, 10)]).await.text("/id");
    let empty = staff.get("/v1/admin/reports/sales").await.body;
    assert_eq!((&empty["total"]["orders_paid"], &empty["total"]["average_order"]), (&json!(0), &Value::Null));

    let (buyer, order, session) = shop.order_to_pay("TEA").await;
    buyer.order(&[("TEA", 2)]).await;
    shop.stripe(&format!("sessions/{session}/pay"), json!({})).await;
    let paid = [
        ("orders_placed", json!(2)),
        ("orders_paid", json!(1)),
        ("carts", json!(2)),
        ("conversion_basis_points", json!(10_000)),
        ("paid", usd(450)),
        ("net", usd(450)),
        ("average_order", usd(450)),
    ];
    let report = total(&staff, "period=today&by=day", &paid).await;
    assert_eq!((&report["currency"], &report["time_zone"]), (&json!("USD"), &json!("Etc/UTC")));
    assert_eq!(report["parts"].as_array().unwrap().len(), 1);
    assert_eq!(report["parts"][0]["net"], report["total"]["net"]);
    for (period, parts) in [("7_days&by=day", 7), ("90_days", 0)] {
        let report = total(&staff, &format!("period={period}"), &paid).await;
        assert_eq!(report["parts"].as_array().unwrap().len(), parts);
    }
    let months = total(&staff, "period=year&by=month", &paid).await;
    assert!((12..=13).contains(&months["parts"].as_array().unwrap().len()));

    let best = async |query: &str| {
        let best = staff.get(&format!("/v1/admin/reports/top?{query}")).await;
        assert_eq!(best.status, 200, "{}", best.body);
        best.body["items"].clone()
    };
    let title = json!("A product");
    let by_product = json!([{ "product_id": product, "title": title, "units": 1, "net": usd(450) }]);
    assert_eq!(best("sort=net").await, by_product);
    let by_sku = best("by=sku&limit=1").await;
    assert_eq!((&by_sku[0]["sku"], &by_sku[0]["units"]), (&json!("TEA"), &json!(1)));
    let by_category = best("by=category&period=today").await;
    assert_eq!((&by_category[0]["category_id"], &by_category[0]["net"]), (&json!(category), &usd(450)));
    assert_eq!(best("from=2020-01-01&to=2020-12-31").await, json!([]));

    // Who has it already is told so, and no more.
    for report in ["sales?period=7_days", "top", "low-stock"] {
        let path = format!("/v1/admin/reports/{report}");
        let tag = staff.get(&path).await.header("etag").unwrap().to_owned();
        let ask = async |tag: &str| {
            let request = staff.request(reqwest::Method::GET, &path).header("if-none-match", tag);
            request.send().await.unwrap()
        };
        let known = ask(&tag).await;
        assert_eq!((known.status().as_u16(), known.headers()["etag"].to_str().unwrap()), (304, tag.as_str()));
        assert_eq!(known.text().await.unwrap(), "");
        assert_eq!(ask("\"other\"").await.status(), 200);
    }

    // Counted again, everything is as it was.
    let again = shop.invoke("tally", json!({ "recount": {} })).await;
    assert_eq!((&again["in_force"], &again["next"]), (&json!(true), &Value::Null));
    assert_eq!(staff.get("/v1/admin/reports/sales?period=year&by=month").await.body, months);

    let cancel = format!("/v1/admin/orders/{order}/cancel");
    assert_eq!(staff.post(&cancel, json!({ "reason": "Lost" })).await.status, 200);
    shop.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_paid_back_is_taken_off_and_what_was_wrong_is_repaired() {
    let shop = TestShop::open().await;
    let staff = shop.staff("manager").await;
    shop.product("TEA", 450, 10).await;
    let (_, order, session) = shop.order_to_pay("TEA").await;
    shop.stripe(&format!("sessions/{session}/pay"), json!({})).await;
    eventually("the payment", async || {
        let order = staff.get(&format!("/v1/orders/{order}")).await.body;
        (order["payment_status"] == "paid").then_some(())
    })
    .await;
    let cancel = format!("/v1/admin/orders/{order}/cancel");
    assert_eq!(staff.post(&cancel, json!({ "reason": "Lost" })).await.status, 200);
    let back = [("paid", usd(450)), ("refunds", usd(450)), ("net", usd(0)), ("orders_paid", json!(1))];
    let report = total(&staff, "", &back).await;
    assert_eq!(staff.get("/v1/admin/reports/top").await.body["items"], json!([]), "it is not sold any more");

    // Somebody spoils the counts, which a recount does not look at.
    let today = report["to"].as_str().unwrap();
    let spoil = json!({
        "TableName": "Table",
        "Key": { "pk": { "S": "TALLY#1" }, "sk": { "S": format!("USD#{today}") } },
        "UpdateExpression": "ADD placed :many",
        "ExpressionAttributeValues": { ":many": { "N": "1000" } },
    });
    shop.dynamodb("UpdateItem", spoil).await;
    total(&staff, "", &[("orders_placed", json!(1_001))]).await;
    assert_eq!(shop.invoke("tally", json!({ "recount": {} })).await["in_force"], true);
    // Until a function asks again which counts are in force, it may read the old ones.
    let repaired = async || {
        let body = staff.get("/v1/admin/reports/sales").await.body;
        (body["total"] == report["total"]).then_some(())
    };
    let patience = std::time::Duration::from_secs(45);
    let since = std::time::Instant::now();
    while repaired().await.is_none() {
        assert!(since.elapsed() < patience, "the counts are still spoilt");
        tokio::time::sleep(std::time::Duration::from_secs(1)).await;
    }
    shop.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn orders_are_exported_page_by_page_with_the_columns_of_the_system_before() {
    let shop = TestShop::open().await;
    let staff = shop.staff("manager").await;
    let category = shop.category().await;
    shop.product_in(&category, &[("TEA", 450, 100), ("CUP", 1_000, 100)]).await;
    let buyer = shop.customer().await;
    let mut orders = Vec::new();
    for _ in 0..5 {
        orders.insert(0, buyer.order(&[("TEA", 2), ("CUP", 1)]).await.text("/id"));
    }
    let page = async |path: String| {
        let response = staff.request(reqwest::Method::GET, &path).send().await.unwrap();
        assert_eq!(response.status(), 200);
        let link = response.headers().get("link").map(|link| link.to_str().unwrap().to_owned());
        let next = link.map(|link| link.split(['<', '>']).nth(1).unwrap().to_owned());
        (response.headers()["content-type"].to_str().unwrap().to_owned(), response.text().await.unwrap(), next)
    };
    let mut rows = Vec::new();
    let mut next = Some("/v1/admin/orders/export?period=today&limit=2&format=jsonl".to_owned());
    let mut pages = 0;
    while let Some(path) = next {
        let (kind, text, more) = page(path).await;
        assert_eq!(kind, "application/x-ndjson");
        rows.extend(text.lines().map(|line| serde_json::from_str::<Value>(line).unwrap()));
        (next, pages) = (more, pages + 1);
    }
    assert_eq!((rows.len(), pages), (5, 3));
    assert_eq!(rows.iter().map(|row| row["order_id"].as_str().unwrap()).collect::<Vec<_>>(), orders);
    let row = &rows[0];
    assert_eq!((&row["total_minor"], &row["total"], &row["currency"]), (&json!(1_900), &json!("19.00"), &json!("USD")));
    assert_eq!(
        (&row["status"], &row["products"]),
        (&json!("pending"), &json!("1 x A product, variant CUP; 2 x A product, variant TEA"))
    );
    assert!(row["shipping_address"].as_str().unwrap().contains("1 Main St"), "{row}");
    assert!(row["customer_id"].as_str().unwrap().starts_with("acc_") && row["created_at"].is_string());

    let (kind, text, next) = page("/v1/admin/orders/export?of=lines".to_owned()).await;
    assert_eq!((kind.as_str(), next), ("text/csv; charset=utf-8", None));
    let lines: Vec<_> = text.split_terminator("\r\n").collect();
    assert_eq!(lines.len(), 11);
    assert!(lines[0].starts_with("\"order_id\",\"number\",\"created_at\",\"sku\""), "{}", lines[0]);
    let (_, text, _) = page("/v1/admin/orders/export?of=refunds&from=2026-01-01".to_owned()).await;
    assert_eq!(text.lines().count(), 1, "there is none");
    staff.get("/v1/admin/orders/export?of=everything").await.assert_problem(422, "invalid");
    shop.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn reports_say_what_is_wrong_with_a_question() {
    let shop = TestShop::open().await;
    let staff = shop.staff("manager").await;
    let wrong = [
        ("sales?period=decade", "period"),
        ("sales?period=year&from=2026-01-01", "from"),
        ("sales?to=2026-01-01", "from"),
        ("sales?from=2026-01-02&to=2026-01-01", "to"),
        ("sales?from=2000-01-01&to=2026-01-01", "to"),
        ("sales?from=2026-02-30", "from"),
        ("sales?from=2026-01-01T00:00:00Z", "from"),
        ("sales?from=2020-01-01&to=2026-01-01&by=day", "by"),
        ("sales?by=year", "by"),
        ("sales?colour=red", "colour"),
        ("top?by=colour", "by"),
        ("top?sort=price", "sort"),
        ("top?limit=101", "limit"),
        ("top?period=today&to=2026-01-01", "to"),
    ];
    for (query, parameter) in wrong {
        let answer = staff.get(&format!("/v1/admin/reports/{query}")).await;
        answer.assert_problem(422, "invalid");
        assert_eq!(answer.body["errors"][0]["parameter"], parameter, "{query}: {}", answer.body);
    }
    let support = shop.staff("support").await;
    support.get("/v1/admin/reports/sales").await.assert_problem(403, "forbidden");
    shop.stop().await;
}
