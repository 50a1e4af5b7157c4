//! The columns of a CSV, and what the cells of a row say of a product and its SKU.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};
use waybill_domain::category::Tree;
use waybill_domain::import::Fault;

use super::cells::{self, Entry, list, named};
use super::merge::{Draft, DraftSku, PriceCells};

/// Whether a column tells of the product or of one SKU.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Of {
    Product,
    Sku,
}

use Of::{Product, Sku};

/// Every column, in the order in which they are written.
pub const COLUMNS: [(&str, Of); 21] = [
    ("slug", Product),
    ("state", Product),
    ("title", Product),
    ("description", Product),
    ("translations", Product),
    ("categories", Product),
    ("images", Product),
    ("attributes", Product),
    ("tags", Product),
    ("sku", Sku),
    ("variant", Sku),
    ("options", Sku),
    ("price", Sku),
    ("compare_at", Sku),
    ("prices", Sku),
    ("stock", Sku),
    ("weight", Sku),
    ("tax_class", Sku),
    ("barcode", Sku),
    ("image", Sku),
    ("active", Sku),
];

/// Those that a CSV has to have.
pub const NEEDED: [&str; 2] = ["slug", "sku"];

/// What is wrong with the header of a CSV: a column, and what it is.
pub fn check_header(header: &[String]) -> Vec<(String, &'static str)> {
    let mut wrong = Vec::new();
    for (place, name) in header.iter().enumerate() {
        if header[..place].contains(name) {
            wrong.push((name.clone(), "stands twice in the header"));
        } else if !COLUMNS.iter().any(|(known, _)| known == name) {
            wrong.push((name.clone(), "is not a column of an import"));
        }
    }
    let missing = NEEDED.iter().filter(|needed| !header.iter().any(|name| name == *needed));
    wrong.extend(missing.map(|needed| ((*needed).to_owned(), "is missing")));
    wrong
}

/// A row as it was sent.
pub struct CsvRow<'a> {
    pub number: u32,
    pub cells: BTreeMap<&'a str, &'a str>,
}

impl<'a> CsvRow<'a> {
    /// Its cells by their columns. The header and the row are of one length.
    pub fn new(number: u32, header: &'a [String], cells: &'a [String]) -> Self {
        let cells = cells.iter().map(|cell| cells::unguarded(cell).trim());
        CsvRow { number, cells: header.iter().map(String::as_str).zip(cells).collect() }
    }

    pub fn cell(&self, name: &str) -> &'a str {
        self.cells.get(name).copied().unwrap_or_default()
    }
}

/// What rows of one slug say, and what is wrong with single rows, by their place. What is wrong with the product itself
/// stands with the first, which is the one that tells of it.
pub fn draft(rows: &[CsvRow<'_>], categories: &Tree) -> (Draft, BTreeMap<usize, Vec<Fault>>) {
    let mut faults: BTreeMap<usize, Vec<Fault>> = BTreeMap::new();
    let mut product = Map::new();
    let mut skus = Vec::new();
    for (place, row) in rows.iter().enumerate() {
        let mut sku = Map::new();
        let mut wrong = Vec::new();
        for (name, of) in COLUMNS {
            let Some(cell) = row.cells.get(name).copied() else { continue };
            match of {
                Product if place > 0 => {
                    if !cell.is_empty() && cell != rows[0].cell(name) {
                        let detail =
                            format!("must be that of row {}, which tells of the product, or empty", rows[0].number);
                        wrong.push(Fault::column(name, detail));
                    }
                }
                Product => match product_value(name, cell, categories) {
                    Ok((name, value)) => drop(product.insert(name.to_owned(), value)),
                    Err(detail) => wrong.push(Fault::column(name, detail)),
                },
                Sku if PriceCells::COLUMNS.contains(&name) => {}
                Sku => match sku_value(name, cell) {
                    Ok(value) => drop(sku.insert(name.to_owned(), value)),
                    Err(detail) => wrong.push(Fault::column(name, detail)),
                },
            }
        }
        let prices = prices(row, &mut wrong);
        if !wrong.is_empty() {
            faults.insert(place, wrong);
        }
        skus.push(DraftSku { place, fields: Value::Object(sku), prices: Some(prices) });
    }
    let mut option_names = rows.first().and_then(|row| row.cells.get("options")).map(|_| Vec::new());
    for entry in rows.iter().flat_map(|row| named(row.cell("options"))) {
        let known = option_names.as_mut().zip(entry.name);
        known.into_iter().filter(|(names, name)| !names.contains(name)).for_each(|(names, name)| names.push(name));
    }
    (Draft { product, skus, option_names }, faults)
}

/// A cell as the field of `POST /v1/admin/products` that it stands for.
fn product_value(name: &str, cell: &str, categories: &Tree) -> Result<(&'static str, Value), String> {
    Ok(match name {
        "slug" => ("slug", json!(cell)),
        "title" => ("title", json!(cell)),
        "description" => ("description", json!(cell)),
        "state" => ("state", text(cell)),
        "translations" if cell.is_empty() => ("translations", Value::Null),
        "translations" => {
            let read = serde_json::from_str::<Map<String, Value>>(cell);
            let shape = r#"must be JSON such as {"de": {"title": "Tee", "description": ""}}"#;
            ("translations", Value::Object(read.map_err(|_| shape.to_owned())?))
        }
        "categories" => {
            let id = |slug: String| match categories.by_slug(&slug) {
                Some(category) => Ok(json!(category.id)),
                None => Err(format!("names the category {slug:?}, which there is not")),
            };
            ("category_ids", list(cell).into_iter().map(id).collect::<Result<_, _>>()?)
        }
        "images" => {
            let image = |entry: String| match entry.split_once(char::is_whitespace) {
                Some((url, alt)) => json!({ "url": url, "alt": alt.trim() }),
                None => json!({ "url": entry }),
            };
            ("images", list(cell).into_iter().map(image).collect())
        }
        "attributes" => {
            let mut attributes: Map<String, Value> = Map::new();
            for Entry { name, value } in named(cell) {
                let name = name.ok_or("must be such as colour=Blue|colour=Green|size=M")?;
                if let Value::Array(values) = attributes.entry(name).or_insert_with(|| json!([])) {
                    values.push(json!(value));
                }
            }
            ("attributes", Value::Object(attributes))
        }
        _ => ("tags", json!(list(cell))),
    })
}

fn sku_value(name: &str, cell: &str) -> Result<Value, String> {
    Ok(match name {
        "sku" => json!(cell),
        "stock" | "weight" => whole(cell)?.map_or(Value::Null, |number| json!(number)),
        "active" => match cell.to_ascii_lowercase().as_str() {
            "" => Value::Null,
            "true" => json!(true),
            "false" => json!(false),
            _ => return Err("must be true or false".into()),
        },
        "options" => {
            let mut options = Map::new();
            for Entry { name, value } in named(cell) {
                let name = name.ok_or("must be such as Size=M|Colour=Blue")?;
                if options.insert(name.clone(), json!(value)).is_some() {
                    return Err(format!("names {name} twice"));
                }
            }
            Value::Object(options)
        }
        _ => text(cell),
    })
}

/// Prices are put together when it is known which ones the SKU has.
fn prices(row: &CsvRow<'_>, wrong: &mut Vec<Fault>) -> PriceCells {
    let mut amount = |name: &str| {
        let cell = row.cells.get(name)?;
        Some(whole(cell).unwrap_or_else(|detail| {
            wrong.push(Fault::column(name, detail));
            None
        }))
    };
    let (price, compare_at) = (amount("price"), amount("compare_at"));
    let others = row.cells.get("prices").map(|cell| {
        let other = |Entry { name, value }| {
            let (price, compare_at) =
                value.split_once('/').map_or((value.as_str(), None), |(one, two)| (one, Some(two)));
            let amount = whole(price).ok()??;
            let mut price = json!({ "amount": amount, "currency": name? });
            if let Some(compare_at) = compare_at {
                price["compare_at"] = json!(whole(compare_at).ok()??);
            }
            Some(price)
        };
        let read: Option<Vec<_>> = named(cell).into_iter().map(other).collect();
        read.unwrap_or_else(|| {
            let detail = "must be such as EUR=1900|GBP=1700/1900, in minor units, behind a slash what it cost before";
            wrong.push(Fault::column("prices", detail));
            Vec::new()
        })
    });
    PriceCells { price, compare_at, others }
}

fn text(cell: &str) -> Value {
    if cell.is_empty() { Value::Null } else { json!(cell) }
}

fn whole(cell: &str) -> Result<Option<i64>, String> {
    match cell.trim() {
        "" => Ok(None),
        digits => digits.parse().map(Some).map_err(|_| "must be a whole number, such as 1999".into()),
    }
}

/// The column that a field of the body stands in.
pub fn column_of(pointer: &str) -> &str {
    let mut steps = pointer.split('/').skip(1);
    match (steps.next(), steps.nth(1), steps.next(), steps.next()) {
        (Some("skus"), Some("prices"), Some("0"), Some("compare_at")) => "compare_at",
        (Some("skus"), Some("prices"), Some("0") | None, _) => "price",
        (Some("skus"), Some(field), ..) => field,
        (Some("skus"), None, ..) => "sku",
        (Some("category_ids"), ..) => "categories",
        (Some(field), ..) => COLUMNS.iter().map(|(name, _)| *name).find(|name| *name == field).unwrap_or("slug"),
        (None, ..) => "slug",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_column_takes_its_fields_refusals() {
        for (pointer, column) in [
            ("/title", "title"),
            ("/category_ids/0", "categories"),
            ("/translations/de/title", "translations"),
            ("/options/0/values", "options"),
            ("/skus", "sku"),
            ("/skus/3/options", "options"),
            ("/skus/3/prices", "price"),
            ("/skus/3/prices/0/amount", "price"),
            ("/skus/3/prices/0/compare_at", "compare_at"),
            ("/skus/3/prices/1/amount", "prices"),
            ("", "slug"),
        ] {
            assert_eq!(column_of(pointer), column, "{pointer}");
        }
    }

    #[test]
    fn a_header_is_told_all_that_is_wrong_with_it() {
        let header = ["sku", "Title", "price", "price"].map(ToOwned::to_owned);
        let wrong: Vec<_> = check_header(&header).into_iter().map(|(name, what)| format!("{name} {what}")).collect();
        let expected = ["Title is not a column of an import", "price stands twice in the header", "slug is missing"];
        assert_eq!(wrong, expected);
        assert!(check_header(&COLUMNS.map(|(name, _)| name.to_owned())).is_empty());
    }
}
