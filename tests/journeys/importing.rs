//! Bulk import and export: every row comes in or is told why not, whatever breaks off, and nothing changes the second time.

use std::collections::BTreeMap;
use std::time::Duration;

use reqwest::Method;
use serde_json::{Value, json};
use waybill_local::{Folder, Store};
use waybill_tests::{Answer, Person, TestShop, assert_documented, eventually, key};

#[cfg(target_os = "linux")]
use super::failures::{impatient_template, kill, processes};

pub const CSV: &str = "text/csv";
pub const LINES: &str = "application/x-ndjson";

async fn upload(staff: &Person, kind: &str, key: &str, body: impl Into<reqwest::Body>) -> Answer {
    let request = staff.request(Method::POST, "/v1/admin/imports").header("content-type", kind);
    let answer = Answer::of(request.header("idempotency-key", key).body(body).send().await.unwrap()).await;
    assert_documented("POST", "/v1/admin/imports", &answer);
    answer
}

/// Imports, and waits for the end: what is told of the import then.
pub async fn import(staff: &Person, kind: &str, body: String) -> Value {
    let started = upload(staff, kind, &key(), body).await;
    assert_eq!(started.status, 202, "{}", started.body);
    finished(staff, started.header("location").unwrap()).await
}

async fn finished(staff: &Person, path: &str) -> Value {
    for _ in 0..6_000 {
        let import = staff.get(path).await.body;
        if import["state"] == "finished" {
            return import;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    panic!("the import does not end: {}", staff.get(path).await.body);
}

pub fn counts(import: &Value) -> [u64; 4] {
    ["created", "changed", "unchanged", "failed"].map(|count| import[count].as_u64().unwrap())
}

/// Every row that failed: its number, with the columns and reasons.
async fn failures(staff: &Person, import: &Value) -> BTreeMap<u64, Vec<(String, String)>> {
    let mut failures = BTreeMap::new();
    let mut cursor = String::new();
    loop {
        let path = format!("/v1/admin/imports/{}/failures?limit=100{cursor}", import["id"].as_str().unwrap());
        let page = staff.get(&path).await;
        assert_eq!(page.status, 200, "{}", page.body);
        for failure in page.body["items"].as_array().unwrap() {
            let errors = failure["errors"].as_array().unwrap().iter().map(|error| {
                let at = error["column"].as_str().or(error["pointer"].as_str()).unwrap();
                (at.to_owned(), error["detail"].as_str().unwrap().to_owned())
            });
            failures.insert(failure["row"].as_u64().unwrap(), errors.collect());
        }
        match page.body["next"].as_str() {
            Some(next) => cursor = format!("&cursor={next}"),
            None => return failures,
        }
    }
}

/// What is wrong with every twentieth row: cells by column, and the reason.
const FAULTS: [(&str, &str, &str); 5] = [
    ("price", "0", "must be from 1 to 100000000 minor units"),
    ("sku", "lower case", "must be a SKU: 1 to 40 capitals, digits, '-', '_' or '.', such as TEA-EARL-100"),
    ("title", "", "must be 1 to 120 characters long"),
    ("categories", "nowhere", "names the category \"nowhere\", which there is not"),
    ("weight", "heavy", "must be a whole number, such as 1999"),
];

/// A CSV of so many rows, of which one in twenty is bad.
fn sheet(rows: usize) -> String {
    let mut sheet = "slug,sku,title,description,categories,price,stock,weight,tags\n".to_owned();
    for row in 0..rows {
        let mut cells = BTreeMap::from([
            ("slug", format!("product-{row}")),
            ("sku", format!("SKU-{row:05}")),
            ("title", format!("Product {row}")),
            ("description", "\"Fine, and \"\"good\"\".\"".to_owned()),
            ("categories", format!("c{}", row % 7)),
            ("price", (100 + row).to_string()),
            ("stock", "5".to_owned()),
            ("weight", "250".to_owned()),
            ("tags", "new|sale".to_owned()),
        ]);
        if row % 20 == 7 {
            let (column, cell, _) = FAULTS[row / 20 % FAULTS.len()];
            // A SKU that stands twice is refused for that.
            let cell = if column == "sku" { format!("{cell} {row}") } else { cell.to_owned() };
            cells.insert(column, cell);
        }
        let header = ["slug", "sku", "title", "description", "categories", "price", "stock", "weight", "tags"];
        sheet += &(header.map(|column| cells[column].clone()).join(",") + "\n");
    }
    sheet
}

async fn with_categories(shop: &TestShop) {
    for number in 0..7 {
        let category = json!({ "slug": format!("c{number}"), "title": "Tea", "description": "Leaves" });
        assert_eq!(shop.administrator().await.post("/v1/admin/categories", category).await.status, 201);
    }
}

/// That exactly the rows that are bad have failed, each for its reason.
fn assert_told(failures: &BTreeMap<u64, Vec<(String, String)>>, rows: usize) {
    assert_eq!(failures.len(), rows / 20);
    for (number, errors) in failures {
        // The header is row 1.
        let row = usize::try_from(*number).unwrap() - 2;
        let (column, _, detail) = FAULTS[row / 20 % FAULTS.len()];
        assert_eq!(row % 20, 7, "row {number} failed: {errors:?}");
        assert_eq!(errors, &[(column.to_owned(), detail.to_owned())], "row {number}");
    }
}

async fn imports_twice(shop: TestShop, rows: usize) {
    with_categories(&shop).await;
    let staff = shop.administrator().await;
    let good = (rows - rows / 20) as u64;
    let begin = std::time::Instant::now();
    let first = import(staff, CSV, sheet(rows)).await;
    println!("{rows} rows in {:.1} s", begin.elapsed().as_secs_f32());
    assert_eq!(counts(&first), [good, 0, 0, rows as u64 / 20], "{first}");
    assert_eq!((&first["rows"], &first["done"]), (&json!(rows), &json!(rows)));
    assert_told(&failures(staff, &first).await, rows);
    // The first may have outlived its token.
    let staff = &shop.staff("manager").await;
    let begin = std::time::Instant::now();
    let again = import(staff, CSV, sheet(rows)).await;
    println!("again in {:.1} s", begin.elapsed().as_secs_f32());
    assert_eq!(counts(&again), [0, 0, good, rows as u64 / 20], "{again}");
    assert_told(&failures(staff, &again).await, rows);
    let mut exported = 0;
    for page in export(staff, "jsonl", 100).await {
        exported += page.lines().count();
    }
    assert_eq!(exported as u64, good);
    shop.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_import_of_many_rows_brings_in_the_good_ones_and_tells_of_the_others_and_changes_nothing_the_second_time() {
    imports_twice(TestShop::open().await, 1_000).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_upload_that_is_not_text_is_refused() {
    let shop = TestShop::open().await;
    let staff = shop.administrator().await;
    upload(staff, CSV, &key(), b"slug,sku\n\xff".to_vec()).await.assert_problem(422, "invalid");
    shop.stop().await;
}

/// Takes many minutes in a debug build: `cargo test --workspace --test waybill -- --ignored --nocapture ten_thousand`.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "as the one of a thousand rows, for longer"]
async fn an_import_of_ten_thousand_rows_brings_in_9500_and_tells_of_500() {
    // In a file, where the engine's stream has an index: without one, each write looks at all records before it.
    let folder = std::env::temp_dir().join(format!("waybill-import-{}", key()));
    let store = Store::Folder(Folder::open(&folder, true).unwrap());
    imports_twice(TestShop::open_with(|options| options.store = store).await, 10_000).await;
    std::fs::remove_dir_all(folder).unwrap();
}

#[cfg(target_os = "linux")]
#[tokio::test(flavor = "multi_thread")]
async fn an_import_whose_function_is_killed_again_and_again_comes_to_the_same_end() {
    let shop = TestShop::open_with(|options| options.template = impatient_template(1000)).await;
    with_categories(&shop).await;
    let staff = shop.administrator().await;
    let started = upload(staff, CSV, &key(), sheet(400)).await;
    let path = started.header("location").unwrap().to_owned();
    for round in 0..60 {
        for victim in ["import", "announce"] {
            for pid in processes(&shop.addresses().aws, victim).into_iter().take(round % 3) {
                kill("-KILL", pid);
            }
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    let import = finished(staff, &path).await;
    assert_eq!(counts(&import), [380, 0, 0, 20], "{import}");
    assert_told(&failures(staff, &import).await, 400);
    shop.stop().await;
}

/// Every page of an export, by its links.
async fn export(staff: &Person, format: &str, limit: u8) -> Vec<String> {
    let mut path = format!("/v1/admin/products/export?format={format}&limit={limit}");
    let mut pages = Vec::new();
    loop {
        let response = staff.request(Method::GET, &path).send().await.unwrap();
        let link = response.headers().get("link").map(|link| link.to_str().unwrap().to_owned());
        assert_eq!(response.status(), 200);
        pages.push(response.text().await.unwrap());
        let Some(link) = link else { return pages };
        path = link.strip_prefix('<').unwrap().strip_suffix(">; rel=\"next\"").unwrap().to_owned();
    }
}

/// Pages of a CSV as one, with one header.
fn together(pages: &[String]) -> String {
    let rest = pages[1..].iter().map(|page| page.split_once("\n").unwrap().1);
    pages[0].clone() + &rest.collect::<String>()
}

/// Products with all that there can be of them.
pub fn wares(category: &str) -> Vec<Value> {
    let sku = |sku: &str, size: &str, colour: &str| {
        json!({
            "sku": sku, "options": { "Size": size, "Colour|Hue": colour },
            "prices": [{ "amount": 2000, "currency": "USD", "compare_at": 2500 }, { "amount": 1900, "currency": "EUR", "compare_at": 2400 }, { "amount": 300_000, "currency": "JPY" }],
            "stock": 5, "weight": 180, "barcode": "4006381333931", "image": "https://images.example.com/a|b.jpg", "tax_class": "reduced",
        })
    };
    vec![
        json!({
            "slug": "shirt", "title": "=cmd()|' \"x\", Shirt", "description": "-Cotton.\r\n\tAnd \\ more | things = \"fine\".",
            "translations": { "de": { "title": "@Hemd", "description": "+Baumwolle" } },
            "category_ids": [category],
            "images": [{ "url": "https://images.example.com/shirt.jpg", "alt": "A shirt | from behind" }, { "url": "https://images.example.com/2.jpg" }],
            "attributes": { "material": ["Cotton", "Wo=ol"], "care": ["'-30 degrees"] },
            "tags": ["summer", "new"],
            "options": [{ "name": "Size", "values": ["M", "S", "XL"] }, { "name": "Colour|Hue", "values": ["=Red", "Blue"] }],
            "skus": [sku("SHIRT-1", "S", "=Red"), sku("SHIRT-2", "M", "Blue")],
        }),
        json!({ "slug": "draft", "state": "draft", "title": "Draft", "description": "", "skus": [{ "sku": "DRAFT", "prices": [{ "amount": 1, "currency": "USD" }], "stock": 0, "active": false }] }),
        json!({ "slug": "old", "state": "archived", "title": "Old", "description": "", "skus": [{ "sku": "OLD", "variant": "－1", "prices": [{ "amount": 1, "currency": "USD" }], "stock": 1 }] }),
        json!({ "slug": "cup", "title": "Cup", "description": "A cup", "skus": [{ "sku": "CUP", "prices": [{ "amount": 1, "currency": "USD" }], "stock": 7 }] }),
    ]
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_exported_can_be_imported_again_and_changes_nothing_and_no_cell_of_it_is_executed() {
    let shop = TestShop::open().await;
    let staff = shop.administrator().await;
    let category = shop.category().await;
    let mut before = Vec::new();
    for ware in wares(&category) {
        let made = staff.post("/v1/admin/products", ware).await;
        assert_eq!(made.status, 201, "{}", made.body);
        before.push(made);
    }
    for limit in [1, 100] {
        let csv = together(&export(staff, "csv", limit).await);
        let lines = export(staff, "jsonl", limit).await.concat();
        assert_eq!(lines.lines().count(), 4);
        for cell in ["\"'=cmd()|' \"\"x\"\", Shirt\"", "\"'-Cotton.", ",\"'－1\","] {
            assert!(csv.contains(cell), "{cell}: {csv}");
        }
        assert_eq!(counts(&import(staff, CSV, format!("\u{feff}{csv}")).await), [0, 0, 5, 0]);
        assert_eq!(counts(&import(staff, LINES, lines).await), [0, 0, 4, 0]);
    }
    for made in &before {
        let now = staff.get(&format!("/v1/admin/products/{}", made.text("/id"))).await;
        assert_eq!(now.body, made.body);
    }

    // And into an empty shop, from either.
    let (csv, lines) = (together(&export(staff, "csv", 100).await), export(staff, "jsonl", 100).await.concat());
    for made in &before {
        let deleted = staff.delete(&format!("/v1/admin/products/{}", made.text("/id"))).await;
        assert_eq!(deleted.status, 204, "{}", deleted.body);
    }
    assert_eq!(counts(&import(staff, CSV, csv.clone()).await), [5, 0, 0, 0]);
    let (again, lines_again) = (together(&export(staff, "csv", 100).await), export(staff, "jsonl", 100).await.concat());
    let sorted = |text: &str| {
        let mut lines: Vec<_> = text.lines().map(ToOwned::to_owned).collect();
        lines.sort();
        lines
    };
    assert_eq!(sorted(&again), sorted(&csv));
    // An option's value that no SKU has is not in a CSV.
    assert_eq!(sorted(&lines_again.replace("[\"S\",\"M\"]", "[\"M\",\"S\",\"XL\"]")), sorted(&lines));
    shop.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_row_does_not_mention_stays_and_bad_rows_keep_no_others_out() {
    let shop = TestShop::open().await;
    let staff = shop.administrator().await;
    let category = shop.category().await;
    let made = staff.post("/v1/admin/products", wares(&category)[0].clone()).await;
    let path = format!("/v1/admin/products/{}", made.text("/id"));
    // A price, and a SKU more; stock of a SKU that is known is passed over.
    let rows = "slug,sku,options,price,stock,barcode\n\
        shirt,SHIRT-1,Size=S|Colour\\|Hue='=Red,1800,99,\n\
        shirt,SHIRT-3,Size=L|Colour\\|Hue=Green,2100,4,\n\
        shirt,SHIRT-4,Size=L,2100,4,\n\
        shirt,SHIRT-5,Size=XL|Colour\\|Hue=Green,,4,123\n";
    let import_of = import(staff, CSV, rows.replace("Hue='=Red", "Hue==Red")).await;
    assert_eq!(counts(&import_of), [1, 1, 0, 2], "{import_of} {:?}", failures(staff, &import_of).await);
    let failed = failures(staff, &import_of).await;
    assert_eq!(failed[&4][0].0, "options");
    assert_eq!(failed[&5].iter().map(|(column, _)| column.as_str()).collect::<Vec<_>>(), ["price", "barcode"]);
    let now = staff.get(&path).await.body;
    let expected = |product: &Value| {
        let mut product = product.clone();
        product["skus"][0]["prices"][1]["amount"] = json!(1800);
        product["skus"][0].as_object_mut().unwrap().remove("barcode");
        let changed = ["updated_at", "version", "skus", "options"];
        (
            product["skus"][0].clone(),
            changed.into_iter().fold(product, |mut product, field| {
                product.as_object_mut().unwrap().remove(field);
                product
            }),
        )
    };
    let (sku, rest) = expected(&made.body);
    let own = |sku: &Value| {
        let mut prices = sku["prices"].as_array().unwrap().clone();
        prices.sort_by_key(|price| price["currency"].to_string());
        let mut sku = sku.clone();
        sku["prices"] = json!(prices);
        sku
    };
    let price_of_usd = |sku: &Value| {
        sku["prices"].as_array().unwrap().iter().find(|price| price["currency"] == "USD").unwrap()["amount"].clone()
    };
    assert_eq!(price_of_usd(&now["skus"][0]), 1800);
    assert_eq!(now["skus"][0]["available"], 5);
    assert_eq!(own(&now["skus"][0])["prices"].as_array().unwrap().len(), own(&sku)["prices"].as_array().unwrap().len());
    assert!(now["skus"][0]["barcode"].is_null());
    assert_eq!(now["skus"][2]["available"], 4);
    assert_eq!(
        now["options"],
        json!([{ "name": "Size", "values": ["M", "S", "XL", "L"] }, { "name": "Colour|Hue", "values": ["=Red", "Blue", "Green"] }])
    );
    let (_, rest_now) = expected(&now);
    assert_eq!(rest_now, rest);

    // A line that names one SKU leaves the others; null clears a field; a SKU of another product stays there.
    staff.post("/v1/admin/products", wares(&category)[3].clone()).await;
    let lines = [
        json!({ "slug": "shirt", "title": "Shirt", "images": null, "skus": [{ "sku": "SHIRT-2", "active": false }] }).to_string(),
        json!({ "slug": "mug", "title": "Mug", "description": "", "skus": [{ "sku": "CUP", "prices": [{ "amount": 1, "currency": "USD" }], "stock": 1 }] }).to_string(),
        json!({ "slug": "cup", "titel": "Cup" }).to_string(),
        json!({ "slug": "pot", "skus": {} }).to_string(),
        "not json".to_owned(),
        json!({ "slug": "shirt" }).to_string(),
        json!({ "slug": "bag", "title": "Bag", "description": "", "skus": [{ "sku": "BAG", "prices": [{ "amount": 0, "currency": "USD" }], "stock": 1 }, 7] }).to_string(),
        r#"{"slug": "pan", "title": "Pan", "description": "", "skus": [{"sku": "PAN", "prices": [{"amount": 1, "currency": "USD", "amount": 999}], "stock": 1}]}"#.to_owned(),
        "[]".to_owned(),
    ];
    let import_of = import(staff, LINES, lines.join("\n")).await;
    assert_eq!(counts(&import_of), [0, 1, 0, 8], "{import_of}");
    let failed = failures(staff, &import_of).await;
    let places: Vec<_> = failed.iter().map(|(row, errors)| (*row, errors[0].0.as_str())).collect();
    assert_eq!(
        places,
        [
            (2, "/skus/0/sku"),
            (3, "/titel"),
            (4, "/skus"),
            (5, ""),
            (6, "/slug"),
            (7, "/skus/1"),
            (8, "/skus/0/prices/0/amount"),
            (9, "")
        ],
        "{failed:?}"
    );
    assert_eq!((failed[&8][0].1.as_str(), failed[&9].len()), ("duplicate field `amount`", 1));
    assert!(failed[&9][0].1.contains("a map"), "{failed:?}");
    let now = staff.get(&path).await.body;
    assert_eq!(
        (&now["title"], &now["images"], &now["skus"][1]["active"]),
        (&json!("Shirt"), &json!([]), &json!(false))
    );
    assert_eq!(now["skus"].as_array().unwrap().len(), 3);
    shop.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_upload_is_started_once_for_each_key_and_refused_for_what_is_wrong_with_the_whole_of_it() {
    let shop = TestShop::open().await;
    let staff = shop.administrator().await;
    let (sheet, attempt) = ("slug,sku,title,price\ntea,TEA,Tea,100\n", key());
    let (first, second) = tokio::join!(upload(staff, CSV, &attempt, sheet), upload(staff, CSV, &attempt, sheet));
    assert_eq!((first.status, second.status), (202, 202));
    assert_eq!(first.text("/id"), second.text("/id"));
    let path = first.header("location").unwrap().to_owned();
    let import = finished(staff, &path).await;
    assert_eq!(counts(&import), [1, 0, 0, 0]);
    let again = upload(staff, CSV, &attempt, sheet).await;
    assert_eq!((again.status, again.header("idempotent-replayed")), (202, Some("true")));
    assert_eq!(again.body, import);
    upload(staff, CSV, &attempt, "slug,sku\nx,X\n").await.assert_problem(422, "invalid");
    upload(staff, LINES, &attempt, sheet).await.assert_problem(422, "invalid");
    let list = staff.get("/v1/admin/imports").await;
    assert_eq!(list.body["items"].as_array().unwrap().len(), 1, "{}", list.body);
    assert_eq!(list.body["items"][0]["id"], import["id"]);

    let unnamed = upload(staff, CSV, &key(), "slug,price,Price\n").await;
    unnamed.assert_problem(422, "invalid");
    assert_eq!(
        unnamed.body["errors"]
            .as_array()
            .unwrap()
            .iter()
            .map(|error| error["column"].as_str().unwrap())
            .collect::<Vec<_>>(),
        ["Price", "sku"]
    );
    for empty in ["", "slug,sku\n", "\u{feff}slug,sku\n,\n"] {
        upload(staff, CSV, &key(), empty).await.assert_problem(422, "invalid");
    }
    upload(staff, LINES, &key(), "\n\n").await.assert_problem(422, "invalid");
    upload(staff, "application/json", &key(), "{}").await.assert_problem(415, "unsupported-media-type");
    let most = 4 * 1024 * 1024;
    let long = format!("slug,sku\nx,X{}\n", " ".repeat(most - 14));
    assert_eq!(long.len(), most - 1);
    assert_eq!(upload(staff, CSV, &key(), format!("{long} ")).await.status, 202);
    upload(staff, CSV, &key(), format!("{long}  ")).await.assert_problem(413, "too-large");
    let request = staff.request(Method::POST, "/v1/admin/imports").header("content-type", CSV).body(sheet);
    let without = Answer::of(request.send().await.unwrap()).await;
    assert_eq!(without.fields(), ["Idempotency-Key"]);
    for path in ["/v1/admin/imports/x", "/v1/admin/imports/imp_00000000000000000000000000/failures"] {
        staff.get(path).await.assert_problem(404, "not-found");
    }
    staff.get("/v1/admin/products/export?format=xml&limit=101&cursor=x").await.assert_problem(422, "invalid");
    shop.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_import_is_found_and_sold_as_if_staff_had_made_it() {
    let shop = TestShop::open().await;
    let staff = shop.administrator().await;
    let sheet = "slug,sku,variant,title,price,stock\ntea,TEA-1,loose,Uncommon tea,450,1\ntea,TEA-2,bags,,500,\n";
    assert_eq!(counts(&import(staff, CSV, sheet.to_owned()).await), [2, 0, 0, 0]);
    let anyone = shop.anyone();
    eventually("a product that is found", async || {
        (anyone.get("/v1/products?q=uncommon&in_stock=true").await.body["total"] == 1).then_some(())
    })
    .await;
    let customer = shop.customer().await;
    let order = customer.order(&[("TEA-1", 1)]).await;
    assert_eq!(order.body["lines"][0]["title"], "Uncommon tea, loose");
    assert_eq!(counts(&import(staff, CSV, sheet.to_owned()).await), [0, 0, 2, 0]);
    assert_eq!(shop.available("tea", "TEA-1").await, 0);
    shop.stop().await;
}
