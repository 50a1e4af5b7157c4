//! A part of an import: its rows, put together to products that are worked off some at once.

use std::collections::BTreeMap;

use catalog::bulk::columns::{self, CsvRow, column_of};
use catalog::bulk::merge::{Draft, DraftSku, Wrong};
use futures_util::{StreamExt, TryStreamExt, stream};
use serde_json::{Map, Value};
use waybill_domain::category::Tree;
use waybill_domain::import::{Content, Counts, Failure, Fault, Format, Import, MAX_FAULTS, Row, shortened};
use waybill_storage::StorageError;
use waybill_web::problem::{FieldError, Place};
use waybill_web::{Problem, body};

use crate::Shop;
use crate::product::{Came, bring_in};

/// Products that are worked off at once.
const AT_ONCE: usize = 8;

/// What came of rows.
type Report = (Counts, Vec<Failure>);

pub async fn work_off(shop: &Shop, import: &Import, rows: Vec<Row>) -> Result<Report, StorageError> {
    let categories = match import.format {
        Format::Csv => shop.table.categories(true).await?,
        Format::JsonLines => Tree::default(),
    };
    let mut report = Report::default();
    let mut lines = Vec::new();
    let mut groups: Vec<Vec<CsvRow<'_>>> = Vec::new();
    for Row { number, content } in &rows {
        match content {
            Content::Failed(failure) => report.1.push(failure.clone()),
            Content::Line(line) => lines.push((*number, line.as_str())),
            Content::Cells(cells) => {
                let row = CsvRow::new(*number, &import.columns, cells);
                match groups.last_mut() {
                    // Rows without a slug have nothing in common.
                    Some(group) if !row.cell("slug").is_empty() && group[0].cell("slug") == row.cell("slug") => {
                        group.push(row);
                    }
                    _ => groups.push(vec![row]),
                }
            }
        }
    }
    report.0.failed += u32::try_from(report.1.len()).unwrap_or(u32::MAX);
    let groups = groups.into_iter().map(|rows| work_off_rows(shop, import, rows, &categories));
    let groups = stream::iter(groups).buffer_unordered(AT_ONCE).try_collect::<Vec<Report>>().await?;
    let lines = lines.into_iter().map(|(number, line)| work_off_line(shop, import, number, line));
    let lines = stream::iter(lines).buffer_unordered(AT_ONCE).try_collect::<Vec<Report>>().await?;
    for (counts, failures) in groups.into_iter().chain(lines) {
        report.0.created += counts.created;
        report.0.changed += counts.changed;
        report.0.unchanged += counts.unchanged;
        report.0.failed += counts.failed;
        report.1.extend(failures);
    }
    Ok(report)
}

/// Brings in a line of JSON Lines: all of it or nothing.
async fn work_off_line(shop: &Shop, import: &Import, number: u32, line: &str) -> Result<Report, StorageError> {
    let failed = |slug: Option<String>, errors: Vec<Fault>| {
        let failure = Failure { row: number, slug, sku: None, errors };
        Ok((Counts { failed: 1, ..Counts::default() }, vec![failure]))
    };
    let mut product = match body::parse::<Map<String, Value>>(line.as_bytes()) {
        Ok(product) => product,
        Err(problem) => return failed(None, unreadable(&problem)),
    };
    let slug = product.get("slug").and_then(Value::as_str).map(shortened);
    let skus = match product.remove("skus") {
        Some(Value::Array(skus)) => skus,
        Some(other) => {
            product.insert("skus".into(), other);
            Vec::new()
        }
        None => Vec::new(),
    };
    let skus = skus.into_iter().enumerate().map(|(place, fields)| DraftSku { place, fields, prices: None });
    let draft = Draft { skus: skus.collect(), product, option_names: None };
    match bring_in(shop, import, &draft).await? {
        Err(wrong) => {
            let faults = wrong.iter().take(MAX_FAULTS).map(|wrong| Fault::pointer(&wrong.pointer, &wrong.detail));
            failed(slug, faults.collect())
        }
        Ok(came) => Ok((counted(came.of_product), Vec::new())),
    }
}

/// What is wrong with a line that is no product, where and in words.
fn unreadable(problem: &Problem) -> Vec<Fault> {
    let of_field = |error: &FieldError| match &error.place {
        Place::Pointer(pointer) => Fault::pointer(pointer, &error.detail),
        Place::Parameter(_) | Place::Header(_) | Place::Column(_) => Fault::pointer("", &error.detail),
    };
    match problem.errors() {
        [] => vec![Fault::pointer("", problem.detail())],
        errors => errors.iter().take(MAX_FAULTS).map(of_field).collect(),
    }
}

fn counted(came: Came) -> Counts {
    let none = Counts::default();
    match came {
        Came::Created => Counts { created: 1, ..none },
        Came::Changed => Counts { changed: 1, ..none },
        Came::Unchanged => Counts { unchanged: 1, ..none },
    }
}

/// Brings in rows of one product. Those that are wrong are left out; the others still go in, unless what is wrong is the
/// product's own.
async fn work_off_rows(
    shop: &Shop,
    import: &Import,
    rows: Vec<CsvRow<'_>>,
    categories: &Tree,
) -> Result<Report, StorageError> {
    let (mut draft, mut faults) = columns::draft(&rows, categories);
    // The first row is the one that tells of the product.
    let tells_wrong = |faults: &BTreeMap<usize, Vec<Fault>>| {
        let of_product = |fault: &Fault| columns::COLUMNS.iter().any(|column| is_of_product(column, fault));
        faults.get(&0).is_some_and(|faults| faults.iter().any(of_product))
    };
    let mut counts = Counts::default();
    let mut is_lost = tells_wrong(&faults);
    while !is_lost {
        draft.skus.retain(|sku| !faults.contains_key(&sku.place));
        if draft.skus.is_empty() {
            break;
        }
        match bring_in(shop, import, &draft).await? {
            Ok(came) => {
                for sku in &draft.skus {
                    let counted = counted(came.of_row(sku, draft.skus[0].place));
                    counts.created += counted.created;
                    counts.changed += counted.changed;
                    counts.unchanged += counted.unchanged;
                }
                break;
            }
            Err(wrong) => {
                for Wrong { place, pointer, detail } in wrong {
                    is_lost |= place.is_none();
                    let place = place.unwrap_or(draft.skus[0].place);
                    faults.entry(place).or_default().push(Fault::column(column_of(&pointer), detail));
                }
            }
        }
    }
    let told = |text: &str| (!text.is_empty()).then(|| shortened(text));
    let failures = rows.iter().enumerate().filter_map(|(place, row)| {
        let errors = match faults.remove(&place) {
            Some(mut errors) => {
                errors.truncate(MAX_FAULTS);
                errors
            }
            None if is_lost => vec![Fault::column("slug", "is of a product that failed with another row")],
            None => return None,
        };
        Some(Failure { row: row.number, slug: told(row.cell("slug")), sku: told(row.cell("sku")), errors })
    });
    let failures: Vec<_> = failures.collect();
    counts.failed += u32::try_from(failures.len()).unwrap_or(u32::MAX);
    Ok((counts, failures))
}

fn is_of_product((name, of): &(&str, columns::Of), fault: &Fault) -> bool {
    *of == columns::Of::Product && matches!(&fault.at, waybill_domain::import::At::Column(column) if column == name)
}
