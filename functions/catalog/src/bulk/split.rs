//! An upload, split into parts that are worked off by themselves: whatever tells of one product stays together, and
//! what can be known to fail without looking at the catalogue has failed already.

use std::collections::HashMap;

use serde::Deserialize;
use waybill_domain::import::{
    Content, Failure, Fault, Format, MAX_ROWS, PART_BYTES, PART_ROWS, PRODUCT_BYTES, Row, shortened,
};
use waybill_domain::product::MAX_SKUS;
use waybill_web::problem::{FieldError, Place};
use waybill_web::{Kind, Problem};

use super::cells::unguarded;
use super::columns::{COLUMNS, check_header};

#[derive(Debug)]
pub struct Upload {
    /// Of a CSV.
    pub columns: Vec<String>,
    pub rows: u32,
    pub parts: Vec<Vec<Row>>,
}

/// The rows of one product.
#[derive(Default)]
struct Group {
    rows: Vec<Row>,
    bytes: usize,
    /// Rows that have not failed.
    open: usize,
    first_failed: bool,
}

pub fn split(format: Format, body: &[u8]) -> Result<Upload, Problem> {
    let text = std::str::from_utf8(body).map_err(|error| {
        let detail = format!("The upload is not UTF-8: what begins at byte {} is no character.", error.valid_up_to());
        Problem::new(Kind::Invalid, detail)
    })?;
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let (columns, groups) = match format {
        Format::Csv => csv_groups(text)?,
        Format::JsonLines => (Vec::new(), line_groups(text)?),
    };
    let rows: usize = groups.iter().map(|group| group.rows.len()).sum();
    match u32::try_from(rows) {
        Ok(0) => Err(Problem::new(Kind::Invalid, "The upload holds no row.")),
        Ok(number) => Ok(Upload { columns, rows: number, parts: packed(groups) }),
        Err(_) => Err(too_many()),
    }
}

fn too_many() -> Problem {
    Problem::new(Kind::Invalid, format!("The upload holds more rows than the {MAX_ROWS} that it may hold."))
}

fn csv_groups(text: &str) -> Result<(Vec<String>, Vec<Group>), Problem> {
    quotes_close(text).map_err(|wrong| Problem::new(Kind::Invalid, format!("The upload is not a CSV: {wrong}.")))?;
    let mut reader = csv::ReaderBuilder::new().has_headers(false).flexible(true).from_reader(text.as_bytes());
    let mut records = reader.records();
    let unreadable = |error: csv::Error| Problem::new(Kind::Invalid, format!("The upload is not a CSV: {error}."));
    let header = records.next().transpose().map_err(unreadable)?.unwrap_or_default();
    let header: Vec<String> = header.iter().map(|name| name.trim().to_owned()).collect();
    if header.len() > COLUMNS.len() {
        let detail = format!("The header has {} columns, and an import {}.", header.len(), COLUMNS.len());
        return Err(Problem::new(Kind::Invalid, detail));
    }
    let wrong = check_header(&header).into_iter();
    let wrong: Vec<_> = wrong
        .map(|(name, detail)| FieldError { place: Place::Column(shortened(&name)), detail: detail.to_owned() })
        .collect();
    if !wrong.is_empty() {
        return Err(Problem::invalid(wrong));
    }
    let place = |name: &str| header.iter().position(|column| column == name).unwrap_or_default();
    let (slug_place, sku_place) = (place("slug"), place("sku"));
    let mut groups: Vec<Group> = Vec::new();
    let (mut by_slug, mut by_sku) = (HashMap::<String, usize>::new(), HashMap::<String, u32>::new());
    // The header is row 1.
    let mut rows = 0;
    for (number, record) in (2..).zip(records) {
        let record = record.map_err(unreadable)?;
        if record.iter().all(|cell| cell.trim().is_empty()) {
            continue;
        }
        rows += 1;
        if rows > MAX_ROWS {
            return Err(too_many());
        }
        let cell = |place: usize| record.get(place).map(|cell| unguarded(cell).trim().to_owned()).unwrap_or_default();
        let (slug, sku) = (cell(slug_place), cell(sku_place));
        let known = by_slug.get(&slug).copied().filter(|_| !slug.is_empty());
        let group = known.unwrap_or_else(|| {
            groups.push(Group::default());
            by_slug.insert(slug.clone(), groups.len() - 1);
            groups.len() - 1
        });
        let group = &mut groups[group];
        let bytes = record.as_slice().len() + 8 * record.len();
        let fault = if !slug.is_empty() && group.first_failed {
            // The others may leave to it what there is to tell of the product.
            Some(Fault::column("slug", "is that of a product whose first row failed"))
        } else if record.len() < header.len() {
            Some(Fault::column(&header[record.len()], "has no cell in this row"))
        } else if record.len() > header.len() {
            Some(Fault::column(&header[header.len() - 1], "has cells behind it that are of no column"))
        } else if group.bytes + bytes > PRODUCT_BYTES {
            Some(Fault::column("slug", too_long()))
        } else if let Some(first) = by_sku.get(&sku) {
            Some(Fault::column("sku", format!("stands in row {first} already")))
        } else if group.open >= MAX_SKUS {
            Some(Fault::column("sku", format!("is one more than the {MAX_SKUS} that a product has at most")))
        } else {
            None
        };
        let content = match fault {
            Some(fault) => {
                group.first_failed |= group.rows.is_empty();
                failed(number, Some(&slug), Some(&sku), fault)
            }
            None => {
                group.open += 1;
                if !sku.is_empty() {
                    by_sku.insert(sku, number);
                }
                group.bytes += bytes;
                Content::Cells(record.iter().map(ToOwned::to_owned).collect())
            }
        };
        group.rows.push(Row { number, content });
    }
    Ok((header, groups))
}

/// Whether quoted cells end where they should (RFC 4180, section 2). The reader takes whatever comes: a quote that is never closed
/// would make all rows behind it the text of one cell.
fn quotes_close(text: &str) -> Result<(), String> {
    enum At {
        Begin,
        Plain,
        /// In quotes, which opened in this line.
        Quoted(usize),
        /// Behind a quote in quotes, which ends them unless another follows.
        Ended(usize),
    }

    let (mut at, mut line) = (At::Begin, 1);
    for byte in text.bytes() {
        at = match (at, byte) {
            (At::Quoted(opened), b'"') => At::Ended(opened),
            (At::Quoted(opened), _) => At::Quoted(opened),
            (At::Ended(opened), b'"') => At::Quoted(opened),
            (_, b',' | b'\n' | b'\r') => At::Begin,
            (At::Ended(_), _) => return Err(format!("in line {line} a cell goes on behind its closing quote")),
            (At::Begin, b'"') => At::Quoted(line),
            (At::Begin | At::Plain, _) => At::Plain,
        };
        line += usize::from(byte == b'\n');
    }
    match at {
        At::Quoted(opened) => Err(format!("the quote that opens in line {opened} is never closed")),
        At::Begin | At::Plain | At::Ended(_) => Ok(()),
    }
}

fn line_groups(text: &str) -> Result<Vec<Group>, Problem> {
    /// All that matters here of a line.
    #[derive(Deserialize)]
    struct Named {
        slug: String,
    }

    let mut by_slug = HashMap::<String, u32>::new();
    let lines = || (1..).zip(text.lines()).filter(|(_, line)| !line.trim().is_empty());
    if lines().nth(MAX_ROWS).is_some() {
        return Err(too_many());
    }
    let groups = lines().map(|(number, line)| {
        let slug = serde_json::from_str(line).ok().map(|Named { slug }| slug);
        let first = slug.as_ref().and_then(|slug| by_slug.get(slug));
        let content = if line.len() > PRODUCT_BYTES {
            failed(number, slug.as_deref(), None, Fault::pointer("", too_long()))
        } else if let Some(first) = first {
            let detail = format!("stands in line {first} already, which has to hold all SKUs of the product");
            failed(number, slug.as_deref(), None, Fault::pointer("/slug", detail))
        } else {
            by_slug.extend(slug.map(|slug| (slug, number)));
            Content::Line(line.to_owned())
        };
        let bytes = if matches!(content, Content::Line(_)) { line.len() } else { 0 };
        Group { rows: vec![Row { number, content }], bytes, ..Group::default() }
    });
    Ok(groups.collect())
}

fn too_long() -> String {
    format!("has more to it than the {PRODUCT_BYTES} bytes of a product")
}

fn failed(row: u32, slug: Option<&str>, sku: Option<&str>, fault: Fault) -> Content {
    let told = |text: Option<&str>| text.filter(|text| !text.is_empty()).map(shortened);
    Content::Failed(Failure { row, slug: told(slug), sku: told(sku), errors: vec![fault] })
}

fn is_open(row: &Row) -> bool {
    !matches!(row.content, Content::Failed(_))
}

/// Puts products together into parts.
fn packed(groups: Vec<Group>) -> Vec<Vec<Row>> {
    let mut parts: Vec<Vec<Row>> = Vec::new();
    let mut bytes = 0;
    for group in groups {
        // Rows that have failed may stand anywhere.
        let (open, failed): (Vec<_>, Vec<_>) = group.rows.into_iter().partition(is_open);
        let fits = |part: &Vec<Row>| part.len() + open.len() <= PART_ROWS && bytes + group.bytes <= PART_BYTES;
        if !parts.last().is_some_and(fits) {
            parts.push(Vec::new());
            bytes = 0;
        }
        bytes += group.bytes;
        parts.last_mut().into_iter().for_each(|part| part.extend(open.iter().cloned()));
        for row in failed {
            if parts.last().is_none_or(|part| part.len() >= PART_ROWS) {
                parts.push(Vec::new());
                bytes = 0;
            }
            parts.last_mut().into_iter().for_each(|part| part.push(row.clone()));
        }
    }
    parts.retain(|part| !part.is_empty());
    parts
}

#[cfg(test)]
mod tests {
    use super::*;

    fn csv(rows: &[&str]) -> Upload {
        split(Format::Csv, format!("slug,sku,title\n{}\n", rows.join("\n")).as_bytes()).unwrap()
    }

    fn numbers(upload: &Upload) -> Vec<Vec<u32>> {
        upload.parts.iter().map(|part| part.iter().map(|row| row.number).collect()).collect()
    }

    /// Rows that have failed, and where.
    fn failed(upload: &Upload) -> Vec<String> {
        let failures = upload.parts.iter().flatten().filter_map(|row| match &row.content {
            Content::Failed(failure) => Some(failure),
            _ => None,
        });
        failures
            .map(|failure| format!("{}: {:?} {}", failure.row, failure.errors[0].at, failure.errors[0].detail))
            .collect()
    }

    #[test]
    fn rows_of_one_product_stay_together_wherever_they_stand() {
        let upload = csv(&["tea,A,Tea", "cup,B,Cup", ",C,x", "tea,D,Tea", ",E,x"]);
        assert_eq!(numbers(&upload), [[2, 5, 3, 4, 6]]);
        let many: Vec<_> = (0..100).map(|number| format!("p-{},S{number},x", number / 30)).collect();
        let upload = csv(&many.iter().map(String::as_str).collect::<Vec<_>>());
        assert_eq!(upload.parts.iter().map(Vec::len).collect::<Vec<_>>(), [60, 40]);
        assert_eq!(upload.rows, 100);
    }

    #[test]
    fn what_cannot_be_a_row_has_failed_before_anything_is_looked_at() {
        let mut rows =
            vec!["tea,A,Tea".to_owned(), "tea,A,Tea".into(), "tea,B".into(), "tea,C,Tea,more".into(), ",,".into()];
        rows.extend((0..MAX_SKUS).map(|number| format!("many,M{number},x")));
        rows.push("many,LAST,x".into());
        let upload = csv(&rows.iter().map(String::as_str).collect::<Vec<_>>());
        let too_many = format!("is one more than the {MAX_SKUS} that a product has at most");
        let last = format!("{}: Column(\"sku\") {too_many}", 7 + MAX_SKUS);
        assert_eq!(
            failed(&upload),
            [
                "3: Column(\"sku\") stands in row 2 already",
                "4: Column(\"title\") has no cell in this row",
                "5: Column(\"title\") has cells behind it that are of no column",
                last.as_str(),
            ]
        );
        assert_eq!(upload.rows as usize, 5 + MAX_SKUS);
    }

    #[test]
    fn rows_that_leave_it_to_one_that_failed_to_tell_of_their_product_fail_too() {
        let upload = csv(&["other,A,Other", "tea,A,Tea", "tea,B,", "tea,C,", "cup,D,Cup"]);
        let first = "is that of a product whose first row failed";
        assert_eq!(
            failed(&upload),
            [
                "3: Column(\"sku\") stands in row 2 already".to_owned(),
                format!("4: Column(\"slug\") {first}"),
                format!("5: Column(\"slug\") {first}"),
            ]
        );
    }

    #[test]
    fn a_header_of_more_columns_than_there_are_is_refused_at_once() {
        let header = vec!["x"; COLUMNS.len() + 1].join(",");
        assert!(split(Format::Csv, header.as_bytes()).unwrap_err().detail().contains("columns"));
    }

    #[test]
    fn a_quote_that_is_not_closed_where_a_cell_ends_is_no_csv() {
        for (rows, wrong) in [
            ("tea,A,\"Tea\ncup,B,Cup\n", "the quote that opens in line 2 is never closed"),
            ("tea,A,\"Te\"\"a\n\n", "the quote that opens in line 2 is never closed"),
            ("tea,A,Tea\ncup,B,\"Cup\" of tea\n", "in line 3 a cell goes on behind its closing quote"),
            ("tea,A,\"Tea\ncup,B,\"Cup\"\n", "in line 3 a cell goes on behind its closing quote"),
        ] {
            let refused = split(Format::Csv, format!("slug,sku,title\n{rows}").as_bytes()).unwrap_err();
            assert_eq!(refused.detail(), format!("The upload is not a CSV: {wrong}."), "{rows}");
        }
        for rows in [
            "tea,A,\"Te\"\"a\"",
            "tea,A,\"T\r\n,e\na\"\r\n",
            "tea,A,\"\"\"\"",
            "tea,A,a 5\" pipe",
            "\"tea\",\"A\",\"\"",
        ] {
            assert!(split(Format::Csv, format!("slug,sku,title\n{rows}").as_bytes()).is_ok(), "{rows}");
        }
    }

    #[test]
    fn lines_are_products_each_once() {
        let lines = "\u{feff}{\"slug\": \"tea\"}\n\n{\"slug\": \"cup\"}\r\nnot json\n{\"slug\": \"tea\"}";
        let upload = split(Format::JsonLines, lines.as_bytes()).unwrap();
        assert_eq!((numbers(&upload), upload.rows), (vec![vec![1, 3, 4, 5]], 4));
        let twice = "stands in line 1 already, which has to hold all SKUs of the product";
        assert_eq!(failed(&upload), [format!("5: Pointer(\"/slug\") {twice}")]);
    }

    #[test]
    fn a_part_is_held_to_its_bytes_and_a_product_to_its_own() {
        let line = |length: usize| format!("{{\"slug\": \"{length}\", \"x\": \"{}\"}}", "ä".repeat(length / 2 - 20));
        let lines = [PRODUCT_BYTES, PRODUCT_BYTES / 2, PRODUCT_BYTES / 2 + 2, 2 * PRODUCT_BYTES].map(line).join("\n");
        let upload = split(Format::JsonLines, lines.as_bytes()).unwrap();
        assert_eq!(numbers(&upload), [vec![1, 2], vec![3, 4]]);
        assert_eq!(failed(&upload).len(), 1);
    }

    #[test]
    fn an_upload_has_some_rows_and_not_too_many() {
        let rows = |count: usize| (0..count).map(|number| format!("p-{number},S{number}\n")).collect::<String>();
        assert!(split(Format::Csv, format!("slug,sku\n{}", rows(MAX_ROWS)).as_bytes()).is_ok());
        assert!(split(Format::Csv, format!("slug,sku\n{}", rows(MAX_ROWS + 1)).as_bytes()).is_err());
        for nothing in ["", "slug,sku\n", "slug,sku\n,,\n", "sku\nA", "slug;sku\na;A"] {
            assert!(split(Format::Csv, nothing.as_bytes()).is_err(), "{nothing:?}");
        }
        assert!(split(Format::JsonLines, b"\n \n").is_err());
        assert!(split(Format::Csv, b"slug,sku\n\xff").is_err());
    }
}
