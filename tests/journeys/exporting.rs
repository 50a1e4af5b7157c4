//! Exports of any size: a file holds what the pages hold, whatever breaks off while it is written, for whoever may have it.

use std::collections::BTreeSet;
#[cfg(target_os = "linux")]
use std::time::Duration;
use std::time::Instant;

use serde_json::{Value, json};
#[cfg(target_os = "linux")]
use waybill_local::{Folder, Store};
use waybill_tests::{Answer, Person, TestShop, is_deployed, key};

#[cfg(target_os = "linux")]
use super::failures::{impatient_template, kill, processes};
use super::importing::{CSV, LINES, counts, import, wares};

const PATH: &str = "/v1/admin/exports";

/// Exports, and waits for the end: what is told of the export then.
pub async fn export(staff: &Person, wanted: Value) -> Answer {
    let path = begin(staff, wanted).await;
    ended(staff, &path).await.expect("an export takes less time than a token lives")
}

/// Begins an export, and says where to ask for it.
async fn begin(staff: &Person, wanted: Value) -> String {
    let started = staff.post_once(PATH, &key(), wanted).await;
    assert_eq!(started.status, 202, "{}", started.body);
    started.header("location").unwrap().to_owned()
}

/// What is told of an export at its end; none when the token has expired before.
async fn ended(staff: &Person, path: &str) -> Option<Answer> {
    let (mut rows, mut seen) = (Value::Null, Instant::now());
    while seen.elapsed().as_secs() < 120 {
        let export = staff.get(path).await;
        if export.status == 401 {
            return None;
        }
        assert_eq!(export.status, 200, "{}", export.body);
        if export.body["state"] != "running" {
            assert_eq!((&export.body["state"], &export.body["percent"]), (&json!("ready"), &json!(100)));
            return Some(export);
        }
        if export.body["rows"] != rows {
            (rows, seen) = (export.body["rows"].clone(), Instant::now());
        }
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
    panic!("the export does not go on: {}", staff.get(path).await.body);
}

/// What the link leads to.
async fn file(export: &Answer) -> String {
    let answer = reqwest::get(export.text("/download/url")).await.unwrap();
    assert_eq!(answer.status(), 200);
    let file = answer.text().await.unwrap();
    assert_eq!(export.body["bytes"], file.len());
    file
}

/// What the pages hold, under one header.
async fn pages(staff: &Person, path: &str) -> String {
    let mut whole = String::new();
    let mut next = Some(path.to_owned());
    while let Some(path) = next {
        let page = staff.request(reqwest::Method::GET, &path).send().await.unwrap();
        assert_eq!(page.status(), 200, "{path}");
        let link = page.headers().get("link").map(|link| link.to_str().unwrap().to_owned());
        next = link.map(|link| link.split(['<', '>']).nth(1).unwrap().to_owned());
        let is_csv = page.headers()["content-type"] == "text/csv; charset=utf-8";
        let text = page.text().await.unwrap();
        let behind_header = text.split_once("\r\n").map_or("", |(_, rows)| rows);
        whole += if is_csv && !whole.is_empty() { behind_header } else { &text };
    }
    whole
}

/// Puts so many movements of a SKU into the table, which nobody could make by hand in the time of a test.
pub async fn fill_ledger(shop: &TestShop, sku: &str, count: usize, reason: &str) {
    let now = waybill_lambda::clock::now();
    let owner =
        shop.dynamodb("GetItem", json!({ "Key": { "pk": { "S": format!("SKU#{sku}") }, "sk": { "S": "SKU" } } }));
    let product = owner.await["Item"]["product_id"]["S"].as_str().unwrap().to_owned();
    let text = |text: String| json!({ "S": text });
    let mut puts = Vec::new();
    for number in 0..count {
        let id = format!("mov_{number:026}");
        let at = now - waybill_domain::SignedDuration::from_millis(1 + i64::try_from(number).unwrap());
        let mut movement = json!({
            "id": { "S": id },
            "kind": { "S": "received" },
            "units": { "N": "1" },
            "places": { "L": [{ "M": { "location_id": { "S": "loc_00000000000000000000000000" }, "units": { "N": "1" } } }] },
            "by": { "M": { "kind": { "S": "shop" } } },
            "reason": { "S": reason },
            "at": text(at.to_string()),
        });
        let mut summary = movement.clone();
        (summary["product_id"], summary["sku"]) = (text(product.clone()), text(sku.to_owned()));
        movement["summary"] = json!({ "M": summary });
        movement["pk"] = text(format!("STOCK#{product}#{sku}"));
        movement["sk"] = text(format!("MOVEMENT#{id}"));
        movement["gsi2pk"] = text("MOVEMENTS".to_owned());
        movement["gsi2sk"] = text(format!("{:013}#{product}#{id}#{sku}", at.as_millisecond()));
        puts.push(json!({ "PutRequest": { "Item": movement } }));
    }
    for puts in puts.chunks(25) {
        let written = shop.dynamodb("BatchWriteItem", json!({ "RequestItems": { "Table": puts } })).await;
        assert_eq!(written["UnprocessedItems"], json!({}), "{written}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_holds_what_the_pages_hold_and_is_started_once_for_each_key() {
    let shop = TestShop::open().await;
    let staff = shop.staff("manager").await;
    let category = shop.category().await;
    shop.product_in(&category, &[("TEA", 450, 100), ("CUP", 1_000, 100)]).await;
    let buyer = shop.customer().await;
    for _ in 0..3 {
        buyer.order(&[("TEA", 2), ("CUP", 1)]).await;
    }
    let movement = json!({ "kind": "corrected", "units": -2, "reason": "=BROKEN(\"ä\")" });
    let moved = staff.post_once("/v1/admin/skus/TEA/stock-movements", &key(), movement).await;
    assert_eq!(moved.status, 201, "{}", moved.body);
    for (of, path) in [
        ("orders", "/v1/admin/orders/export?period=today&limit=2"),
        ("lines", "/v1/admin/orders/export?of=lines&period=today&limit=1"),
        ("refunds", "/v1/admin/orders/export?of=refunds&period=today"),
        ("stock_movements", "/v1/admin/stock-movements/export?period=today&limit=2"),
    ] {
        for (format, kind) in [("csv", "text/csv; charset=utf-8"), ("jsonl", "application/x-ndjson")] {
            let export = export(&staff, json!({ "of": of, "format": format, "period": "today" })).await;
            let file = file(&export).await;
            assert_eq!(file, pages(&staff, &format!("{path}&format={format}")).await, "{of} as {format}");
            let rows = export.body["rows"].as_u64().unwrap();
            assert_eq!(file.lines().count() as u64, rows + u64::from(format == "csv"), "{of} as {format}");
            let got = reqwest::get(export.text("/download/url")).await.unwrap();
            assert_eq!(got.headers()["content-type"], kind);
            let name =
                format!("attachment; filename=\"{of}-{0}-{1}.{format}\"", export.text("/from"), export.text("/to"));
            assert_eq!(got.headers()["content-disposition"], name);
        }
    }

    // The ledger of a SKU is told by its own route, too.
    let ledger = export(&staff, json!({ "of": "stock_movements", "format": "jsonl" })).await;
    let rows: Vec<Value> = file(&ledger).await.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let history = staff.get("/v1/admin/skus/TEA/stock-movements").await.body["items"].as_array().unwrap().clone();
    let of_tea: Vec<_> = rows.iter().filter(|row| row["sku"] == "TEA").collect();
    assert_eq!(of_tea.len(), history.len());
    for (row, told) in of_tea.iter().zip(&history) {
        for (column, field) in [
            ("movement_id", "id"),
            ("moved_at", "at"),
            ("kind", "kind"),
            ("units", "units"),
            ("by", "by"),
            ("reason", "reason"),
        ] {
            assert_eq!(row[column], told[field], "{row} {told}");
        }
    }
    let csv = file(&export(&staff, json!({ "of": "stock_movements" })).await).await;
    assert!(csv.contains("\"'=BROKEN(\"\"ä\"\")\""), "{csv}");

    let attempt = key();
    let body = json!({ "of": "orders", "from": "2026-01-01" });
    let (first, second) =
        tokio::join!(staff.post_once(PATH, &attempt, body.clone()), staff.post_once(PATH, &attempt, body.clone()));
    assert_eq!((first.status, second.status), (202, 202));
    assert_eq!(first.text("/id"), second.text("/id"));
    let again = staff.post_once(PATH, &attempt, body).await;
    assert_eq!((again.status, again.header("idempotent-replayed")), (202, Some("true")));
    staff.post_once(PATH, &attempt, json!({ "of": "lines" })).await.assert_problem(422, "invalid");
    shop.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_export_says_what_is_wrong_with_it_and_is_only_for_those_who_may_see_its_rows() {
    let shop = TestShop::open().await;
    let (administrator, manager) = (shop.administrator().await, shop.staff("manager").await);
    for (body, field) in [
        (json!({}), ""),
        (json!({ "of": "everything" }), "/of"),
        (json!({ "of": "orders", "format": "xml" }), "/format"),
        (json!({ "of": "orders", "colour": "red" }), "/colour"),
        (json!({ "of": "orders", "period": "decade" }), "/period"),
        (json!({ "of": "orders", "from": "2026-02-30" }), "/from"),
        (json!({ "of": "orders", "to": "2026-01-01" }), "/from"),
        (json!({ "of": "orders", "period": "year", "to": "2026-01-01" }), "/to"),
        (json!({ "of": "orders", "from": "2000-01-01", "to": "2026-01-01" }), "/to"),
        (json!({ "of": "products", "period": "today" }), "/period"),
        (json!({ "of": "products", "from": "2026-01-01" }), "/from"),
    ] {
        let answer = manager.post_once(PATH, &key(), body.clone()).await;
        answer.assert_problem(422, "invalid");
        assert_eq!(answer.fields(), [field], "{body}");
    }
    let days = json!({ "of": "products", "from": "2026-01-01", "to": "2026-01-02" });
    assert_eq!(manager.post_once(PATH, &key(), days).await.fields(), ["/from", "/to"]);
    let customers = json!({ "of": "customers", "period": "today", "format": "jsonl" });
    manager.post_once(PATH, &key(), customers.clone()).await.assert_problem(403, "forbidden");
    manager.get("/v1/admin/accounts/export").await.assert_problem(403, "forbidden");
    let support = shop.staff("support").await;
    for of in ["orders", "products"] {
        support.post_once(PATH, &key(), json!({ "of": of })).await.assert_problem(403, "forbidden");
    }

    let of_customers = export(administrator, customers).await;
    let text = file(&of_customers).await;
    assert_eq!(text, pages(administrator, "/v1/admin/accounts/export?period=today&format=jsonl&limit=1").await);
    let rows: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(rows.len(), 3);
    for row in &rows {
        let columns: BTreeSet<_> = row.as_object().unwrap().keys().map(String::as_str).collect();
        assert_eq!(columns, BTreeSet::from(["customer_id", "email", "name", "language", "role", "created_at"]));
    }
    assert!(rows.iter().any(|row| row["email"] == manager.email.as_str() && row["role"] == "manager"), "{text}");

    let path = format!("{PATH}/{}", of_customers.text("/id"));
    manager.get(&path).await.assert_problem(404, "not-found");
    export(&manager, json!({ "of": "orders" })).await;
    let listed = async |person: &Person| person.get(PATH).await.body["items"].as_array().unwrap().len();
    assert_eq!((listed(administrator).await, listed(&manager).await), (2, 1));
    for path in ["x", "exp_00000000000000000000000000"] {
        manager.get(&format!("{PATH}/{path}")).await.assert_problem(404, "not-found");
    }

    // Nobody has the file without its link, or with another one. Whether S3 looks is not ours to ask of an endpoint.
    let link = of_customers.text("/download/url");
    let others = [link.split('?').next().unwrap().to_owned(), link.replace("X-Amz-Expires=900", "X-Amz-Expires=9000")];
    for wrong in others.iter().filter(|_| !is_deployed()) {
        assert_ne!(*wrong, link);
        assert_eq!(reqwest::get(wrong).await.unwrap().status(), 403, "{wrong}");
    }
    let logs = shop.logs().join("\n");
    assert!(!logs.contains("X-Amz-Signature") && !logs.contains(&manager.email), "{logs}");
    shop.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_of_products_holds_what_their_pages_hold_and_can_be_imported_again() {
    let shop = TestShop::open().await;
    let (administrator, manager) = (shop.administrator().await, shop.staff("manager").await);
    let nothing = export(&manager, json!({ "of": "products", "format": "jsonl" })).await;
    assert_eq!((file(&nothing).await.as_str(), &nothing.body["rows"]), ("", &json!(0)));
    let category = shop.category().await;
    for ware in wares(&category) {
        assert_eq!(manager.post("/v1/admin/products", ware).await.status, 201);
    }
    for (format, kind, rows) in [("csv", CSV, 5), ("jsonl", LINES, 4)] {
        let export = export(&manager, json!({ "of": "products", "format": format })).await;
        let file = file(&export).await;
        for limit in [1, 100] {
            let pages = pages(&manager, &format!("/v1/admin/products/export?format={format}&limit={limit}")).await;
            assert_eq!(file, pages, "as {format}");
        }
        assert_eq!(export.body["rows"], rows);
        assert_eq!((export.body.get("from"), export.body.get("to")), (None, None), "{}", export.body);
        let got = reqwest::get(export.text("/download/url")).await.unwrap();
        assert_eq!(got.headers()["content-disposition"], format!("attachment; filename=\"products.{format}\""));
        assert_eq!(counts(&import(administrator, kind, file).await), [0, 0, rows, 0]);
    }
    let listed = manager.get(PATH).await.body["items"].as_array().unwrap().clone();
    assert_eq!(listed.len(), 3);
    assert!(listed.iter().all(|export| export["of"] == "products" && export.get("from").is_none()), "{listed:?}");
    shop.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_of_many_products_is_whole_though_each_step_is_a_page() {
    let shop = TestShop::open_with(|options| drop(options.parameters.insert("ExportSeconds".into(), "0".into()))).await;
    let staff = shop.administrator().await;
    // A CSV tells the text with each SKU: 6 MB and two parts, of pages that end with their bytes and not with their products.
    let text = "\u{1F375}".repeat(5_000);
    let product = |number: usize| {
        let sku = |place: usize| {
            let price = json!([{ "amount": 450, "currency": "USD" }]);
            json!({ "sku": format!("TEA-{number}-{place}"), "options": { "Size": place.to_string() }, "prices": price, "stock": 1 })
        };
        let values: Vec<_> = (0..6).map(|place| place.to_string()).collect();
        json!({
            "slug": format!("tea-{number}"), "title": "Tea", "description": text,
            "state": if number < 20 { "draft" } else { "active" },
            "options": [{ "name": "Size", "values": values }],
            "skus": (0..6).map(sku).collect::<Vec<_>>(),
        })
    };
    let lines: String = (0..60).map(|number| format!("{}\n", product(number))).collect();
    assert_eq!(counts(&import(staff, LINES, lines).await), [60, 0, 0, 0]);
    for (format, rows) in [("csv", 360), ("jsonl", 60)] {
        let export = export(staff, json!({ "of": "products", "format": format })).await;
        let file = file(&export).await;
        assert!(format == "jsonl" || file.len() > 6 * 1024 * 1024, "{}", file.len());
        assert_eq!(export.body["rows"], rows);
        let pages = pages(staff, &format!("/v1/admin/products/export?format={format}")).await;
        assert!(file == pages, "it is not what the pages hold, as {format}");
    }
    shop.stop().await;
}

/// A reason as long as one can be, of characters of four bytes: parts end within none of them.
fn long_reason() -> String {
    "\u{1F375}".repeat(200)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_of_several_parts_is_whole() {
    let shop = TestShop::open().await;
    let staff = shop.staff("manager").await;
    shop.product("TEA", 450, 0).await;
    fill_ledger(&shop, "TEA", 6_000, &long_reason()).await;
    let export = export(&staff, json!({ "of": "stock_movements" })).await;
    let file = file(&export).await;
    assert!(file.len() > 5 * 1024 * 1024, "{}", file.len());
    assert_eq!(export.body["rows"], 6_000);
    assert!(file == pages(&staff, "/v1/admin/stock-movements/export").await, "it is not what the pages hold");
    shop.stop().await;
}

#[cfg(target_os = "linux")]
#[tokio::test(flavor = "multi_thread")]
async fn an_export_whose_function_is_killed_and_whose_messages_come_twice_is_the_same() {
    let shop = TestShop::open_with(|options| {
        options.template = impatient_template(1000);
        options.parameters.insert("ExportSeconds".into(), "0".into());
    })
    .await;
    let staff = shop.staff("manager").await;
    shop.product("TEA", 450, 0).await;
    fill_ledger(&shop, "TEA", 6_000, &long_reason()).await;
    let started = staff.post_once(PATH, &key(), json!({ "of": "stock_movements" })).await;
    let (id, path) = (started.text("/id"), started.header("location").unwrap().to_owned());
    let aws = shop.addresses().aws.clone();
    let killer = tokio::spawn(async move {
        for _ in 0..40 {
            for pid in processes(&aws, "export") {
                kill("-KILL", pid);
            }
            tokio::time::sleep(Duration::from_millis(150)).await;
        }
    });
    for step in (1..=60).chain(1..=60) {
        let event = json!({ "type": "export.step_due.v1", "step": step });
        let message =
            json!({ "id": format!("{id}/{step}"), "at": "2026-11-23T09:20:11.402Z", "export_id": id, "event": event });
        shop.sqs("SendMessage", "ExportQueue", json!({ "MessageBody": message.to_string() })).await;
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    killer.await.unwrap();
    let mut export = staff.get(&path).await;
    for _ in 0..1_200 {
        if export.body["state"] != "running" {
            break;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
        export = staff.get(&path).await;
    }
    assert_eq!((&export.body["state"], &export.body["rows"]), (&json!("ready"), &json!(6_000)), "{}", export.body);
    let (file, pages) = (file(&export).await, pages(&staff, "/v1/admin/stock-movements/export").await);
    assert!(file == pages, "it is not what the pages hold");
    shop.stop().await;
}

/// The template, in which nobody hears of orders: tens of thousands of them come from nowhere.
#[cfg(target_os = "linux")]
fn deaf_template() -> std::path::PathBuf {
    let template = std::fs::read_to_string(waybill_local::workspace().join("template.yaml")).unwrap();
    let deaf = template.replace(r#"{"prefix": "ORDER#"}"#, r#"{"prefix": "NOTHING#"}"#);
    let deaf = deaf.replace(r#"{"sk": {"S": ["ORDER"]}}"#, r#"{"sk": {"S": ["NOTHING"]}}"#);
    assert_ne!(template, deaf);
    let path = std::env::temp_dir().join(format!("waybill-template-{}.yaml", key()));
    std::fs::write(&path, deaf).unwrap();
    path
}

/// Puts so many orders into the table that are as this one but for their ids.
#[cfg(target_os = "linux")]
async fn fill_orders(shop: &TestShop, id: &str, count: usize) {
    let ends = |number: usize| format!("{number:010}");
    let number = |end: &str| format!("{}-{}", &end[..5], &end[5..]);
    let end = &id[id.len() - 10..];
    let keys = json!({ "Key": { "pk": { "S": format!("ORDER#{}", number(end)) }, "sk": { "S": "ORDER" } } });
    let item = shop.dynamodb("GetItem", keys).await["Item"].to_string();
    for first in (0..count).step_by(25) {
        let put = |place: usize| {
            let item = item.replace(end, &ends(place)).replace(&number(end), &number(&ends(place)));
            json!({ "PutRequest": { "Item": serde_json::from_str::<Value>(&item).unwrap() } })
        };
        let puts: Vec<_> = (first..count.min(first + 25)).map(put).collect();
        let written = shop.dynamodb("BatchWriteItem", json!({ "RequestItems": { "Table": puts } })).await;
        assert_eq!(written["UnprocessedItems"], json!({}), "{written}");
    }
}

#[cfg(target_os = "linux")]
#[tokio::test(flavor = "multi_thread")]
#[ignore = "takes minutes, and with ORDERS=1000000 hours"]
async fn an_export_of_twenty_thousand_orders_needs_no_more_memory_than_a_part() {
    let count = std::env::var("ORDERS").map_or(20_000, |orders| orders.parse().unwrap());
    let folder = std::env::temp_dir().join(format!("waybill-export-{}", key()));
    let shop = TestShop::open_with(|options| {
        options.template = deaf_template();
        // In memory each write looks at the whole stream of the table.
        options.store = Store::Folder(Folder::open(&folder, false).unwrap());
    })
    .await;
    let staff = shop.staff("manager").await;
    shop.product("TEA", 450, 10).await;
    let order = shop.customer().await.order(&[("TEA", 1)]).await.text("/id");
    let begun = Instant::now();
    fill_orders(&shop, &order, count).await;
    println!("{count} orders made in {:.0} s", begun.elapsed().as_secs_f32());
    // No token lives while a million orders are made or exported.
    let mut staff = staff.refreshed().await;
    let begun = Instant::now();
    let path = begin(&staff, json!({ "of": "orders" })).await;
    let export = loop {
        match ended(&staff, &path).await {
            Some(export) => break export,
            None => staff = staff.refreshed().await,
        }
    };
    assert_eq!(export.body["rows"], count + 1);
    let file = file(&export).await;
    assert_eq!(file.matches("\r\n").count(), count + 2);
    let peaks = processes(&shop.addresses().aws, "export").into_iter().filter_map(|pid| {
        let status = std::fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
        let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
        peak.trim().trim_end_matches(" kB").parse::<u64>().ok()
    });
    let peak = peaks.max().unwrap_or_default() / 1024;
    println!(
        "{count} orders, {} MB, in {:.0} s; at most {peak} MB of memory",
        file.len() >> 20,
        begun.elapsed().as_secs_f32()
    );
    assert!(peak < 120, "{peak} MB");
    shop.stop().await;
    std::fs::remove_dir_all(&folder).unwrap();
}
