//! Cells of a CSV that a spreadsheet may open: nothing in them is a formula.

use std::borrow::Cow;

/// What makes a cell a formula, also in full width (OWASP, "CSV injection").
const FORMULA: [char; 8] = ['=', '+', '-', '@', '＝', '＋', '－', '＠'];
/// What spreadsheets start over at, wherever it begins a cell.
const STARTERS: [char; 3] = ['\t', '\r', '\n'];
/// What makes a cell a text.
const APOSTROPHE: char = '\'';

/// A value as a cell: with an apostrophe before whatever a spreadsheet might execute.
pub fn guarded(value: &str) -> Cow<'_, str> {
    if is_executed(value) { Cow::Owned(format!("{APOSTROPHE}{value}")) } else { Cow::Borrowed(value) }
}

/// A cell's value: without the apostrophe that [`guarded`] puts before it, and with any other.
pub fn unguarded(cell: &str) -> &str {
    cell.strip_prefix(APOSTROPHE).filter(|value| is_executed(value)).unwrap_or(cell)
}

/// A formula may hide behind spaces and quotes. An apostrophe is one of them, so that a value which looks guarded is
/// guarded once more, and comes back as it was.
fn is_executed(value: &str) -> bool {
    let hides = |c: char| c.is_whitespace() || c.is_control() || matches!(c, '"' | APOSTROPHE | '\u{feff}');
    value.trim_start_matches(APOSTROPHE).starts_with(STARTERS) || value.trim_start_matches(hides).starts_with(FORMULA)
}
