//! Exports everything of a year into one file, and looks whether it is whole.

use std::collections::HashSet;
use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::Path;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::processes::Processes;
use crate::shop::Shop;

/// What makes a row another one than the rest.
fn columns(of: &str) -> &[&str] {
    if of == "lines" { &["order_id", "sku"] } else { &["order_id"] }
}

/// Asks for it, waits for its end, fetches it, and counts its rows.
pub async fn run(shop: &Shop, of: &str) -> Value {
    let begin = Instant::now();
    let started = shop.post("/v1/admin/exports", &json!({ "of": of, "format": "csv", "period": "year" })).await;
    let path = format!("/v1/admin/exports/{}", started["id"].as_str().expect("an export has an id"));
    let (mut export, mut told) = (started, Instant::now());
    let mut peak = 0.0;
    while export["state"] == "running" {
        tokio::time::sleep(Duration::from_millis(200)).await;
        export = shop.get(&path).await;
        peak = Processes::of(shop.host).peak_mb("export").max(peak);
        if told.elapsed() > Duration::from_secs(30) {
            told = Instant::now();
            eprintln!("{of}: {} rows, {} %", export["rows"], export["percent"]);
        }
    }
    assert_eq!(export["state"], "ready", "{export}");
    let seconds = begin.elapsed().as_secs_f64();
    let file = shop.store.join("export.csv");
    fetch(export["download"]["url"].as_str().expect("a file that is ready has a link"), &file).await;
    let bytes = file.metadata().expect("the file was fetched").len();
    assert_eq!(export["bytes"], bytes, "the file is not whole");
    let rows = count(&file, columns(of));
    assert_eq!(export["rows"], rows, "the file has other rows than were told");
    std::fs::remove_file(file).expect("the file is there");
    println!(
        "export of {of}: {rows} rows, no two of one {}, {bytes} bytes, {seconds:.0} s, {peak:.0} MB of memory at most",
        columns(of).join(" and ")
    );
    json!({ "of": of, "rows": rows, "bytes": bytes, "seconds": seconds, "peak_mb": peak })
}

async fn fetch(url: &str, path: &Path) {
    let mut answer = reqwest::get(url).await.and_then(reqwest::Response::error_for_status).expect("the link opens");
    let mut file = BufWriter::new(File::create(path).expect("the store takes a file"));
    while let Some(bytes) = answer.chunk().await.expect("the file comes") {
        file.write_all(&bytes).expect("the store takes a file");
    }
    file.flush().expect("the store takes a file");
}

/// How many rows there are behind the header. No two may be the same in these columns.
fn count(path: &Path, columns: &[&str]) -> usize {
    let mut rows = csv::Reader::from_path(path).expect("the file is there");
    let header = rows.headers().expect("a CSV has a header").clone();
    let places: Vec<_> = columns.iter().filter_map(|column| header.iter().position(|name| name == *column)).collect();
    let mut seen = HashSet::new();
    for row in rows.records() {
        let row = row.expect("every row has as many cells as the header");
        let own: Vec<_> = places.iter().map(|&place| row[place].to_owned()).collect();
        assert!(seen.insert(own), "twice: {row:?}");
    }
    seen.len()
}
