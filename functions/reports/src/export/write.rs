//! Rows as files have them.

use std::io;

use serde_json::{Map, Value};
use waybill_domain::cell::guarded;
use waybill_domain::export::Format;
use waybill_web::spreadsheet::write_rows;

use super::rows::{Cell, Row};

/// Writes what a file begins with.
pub fn begin(file: &mut Vec<u8>, format: Format, columns: &[String]) -> io::Result<()> {
    match format {
        Format::Csv => write_rows(file, [columns]),
        Format::Jsonl => Ok(()),
    }
}

/// Writes rows behind what is there.
pub fn add(file: &mut Vec<u8>, format: Format, columns: &[String], rows: Vec<Row>) -> io::Result<()> {
    match format {
        Format::Csv => write_rows(file, rows.into_iter().map(|row| row.into_iter().map(as_cell).collect::<Vec<_>>())),
        Format::Jsonl => as_lines(file, columns, rows),
    }
}

/// Nothing in it is executed.
fn as_cell(cell: Cell) -> String {
    match cell {
        Cell::Text(text) => guarded(&text).into_owned(),
        Cell::Number(number) => number.to_string(),
        Cell::Decimal(number) => number,
        Cell::Nothing => String::new(),
    }
}

fn as_lines(file: &mut Vec<u8>, columns: &[String], rows: Vec<Row>) -> io::Result<()> {
    for row in rows {
        let values = row.into_iter().map(|cell| match cell {
            Cell::Text(text) | Cell::Decimal(text) => Value::String(text),
            Cell::Number(number) => number.into(),
            Cell::Nothing => Value::Null,
        });
        let line: Map<String, Value> = columns.iter().cloned().zip(values).collect();
        serde_json::to_writer(&mut *file, &line)?;
        file.push(b'\n');
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn whole(format: Format, columns: &[String], rows: Vec<Row>) -> Vec<u8> {
        let mut file = Vec::new();
        begin(&mut file, format, columns).unwrap();
        add(&mut file, format, columns, rows).unwrap();
        file
    }

    /// By the first character of what a spreadsheet looks at, said in another way than the code says it.
    fn begins_a_formula(cell: &str) -> bool {
        let first = cell.chars().find(|c| !(c.is_whitespace() || c.is_control() || "\"\u{feff}".contains(*c)));
        first.is_some_and(|first| "=+-@＝＋－＠".contains(first)) || cell.starts_with(['\t', '\r', '\n'])
    }

    fn texts() -> impl Strategy<Value = Vec<String>> {
        let part = || {
            prop_oneof![
                "[=+@'\" \t\r\n|＝＋－＠\u{feff}\u{a0}\\\\-]{1,3}",
                "[a-z0-9,;äß]{0,4}",
                any::<String>().prop_map(|text| text.chars().take(3).collect()),
            ]
        };
        proptest::collection::vec(proptest::collection::vec(part(), 0..5).prop_map(|parts| parts.concat()), 100)
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(1_000))]

        /// A hundred cells a thousand times.
        #[test]
        fn no_cell_is_executed_and_a_reader_of_rfc_4180_finds_each_where_it_was_put(texts in texts()) {
            let columns: Vec<String> = (0..10).map(|column| column.to_string()).collect();
            let rows: Vec<Row> = texts.chunks(10).map(|row| row.iter().cloned().map(Cell::Text).collect()).collect();
            let csv = whole(Format::Csv, &columns, rows);
            prop_assert!(csv.ends_with(b"\"\r\n"));
            let mut reader = csv::Reader::from_reader(csv.as_slice());
            let cells: Vec<String> =
                reader.records().flat_map(|row| row.unwrap().iter().map(ToOwned::to_owned).collect::<Vec<_>>()).collect();
            prop_assert_eq!(cells.len(), texts.len());
            for (cell, text) in cells.iter().zip(&texts) {
                prop_assert!(!begins_a_formula(cell), "{cell:?}");
                prop_assert_eq!(waybill_domain::cell::unguarded(cell), text.as_str());
            }
        }
    }

    #[test]
    fn a_csv_ends_its_lines_as_rfc_4180_has_it_and_executes_nothing() {
        let row = vec![
            Cell::Text("=HYPERLINK(\"http://x\")".into()),
            Cell::Number(-5),
            Cell::Decimal("-0.05".into()),
            Cell::Nothing,
            Cell::Text("a,\"b\"\r\nc".into()),
        ];
        let columns = ["a", "b", "c", "d", "e"].map(ToOwned::to_owned);
        let csv = whole(Format::Csv, &columns, vec![row.clone()]);
        let expected = "\"a\",\"b\",\"c\",\"d\",\"e\"\r\n\
            \"'=HYPERLINK(\"\"http://x\"\")\",\"-5\",\"-0.05\",\"\",\"a,\"\"b\"\"\r\nc\"\r\n";
        assert_eq!(String::from_utf8(csv).unwrap(), expected);
        let lines = whole(Format::Jsonl, &columns, vec![row]);
        let line: Value = serde_json::from_slice(&lines).unwrap();
        assert_eq!(
            (&line["a"], &line["b"], &line["d"]),
            (&"=HYPERLINK(\"http://x\")".into(), &(-5).into(), &Value::Null)
        );
        assert!(lines.ends_with(b"}\n"));
    }
}
