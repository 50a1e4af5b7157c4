//! Cells of a CSV that a spreadsheet may open: nothing in them is a formula, and several values fit into one.

pub use waybill_domain::cell::{guarded, unguarded};

/// Between the values of a list.
const BETWEEN: char = '|';
/// Before a value, behind its name.
const NAMED: char = '=';
/// Before a character that stands for itself.
const ESCAPE: char = '\\';

/// A value of a list, and the name before it where there is one.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Entry {
    pub name: Option<String>,
    pub value: String,
}

/// The values of a cell, trimmed; empty ones are none.
pub fn list(cell: &str) -> Vec<String> {
    entries(cell, false).into_iter().map(|entry| entry.value).collect()
}

/// The values of a cell that have names.
pub fn named(cell: &str) -> Vec<Entry> {
    entries(cell, true)
}

fn entries(cell: &str, has_names: bool) -> Vec<Entry> {
    let mut all = vec![Entry::default()];
    let mut letters = cell.chars();
    while let Some(letter) = letters.next() {
        let Some(entry) = all.last_mut() else { continue };
        match letter {
            ESCAPE => entry.value.push(letters.next().unwrap_or(ESCAPE)),
            BETWEEN => all.push(Entry::default()),
            NAMED if has_names && entry.name.is_none() => {
                entry.name = Some(std::mem::take(&mut entry.value).trim().to_owned());
            }
            letter => entry.value.push(letter),
        }
    }
    let trimmed = all.into_iter().map(|entry| Entry { value: entry.value.trim().to_owned(), ..entry });
    trimmed.filter(|entry| entry.name.is_some() || !entry.value.is_empty()).collect()
}

/// Values as one cell.
pub fn joined<T: AsRef<str>>(values: impl IntoIterator<Item = T>) -> String {
    let values: Vec<_> = values.into_iter().map(|value| escaped(value.as_ref(), &[])).collect();
    values.join("|")
}

/// Values with names as one cell.
pub fn joined_by_name<N: AsRef<str>, T: AsRef<str>>(values: impl IntoIterator<Item = (N, T)>) -> String {
    let values = values.into_iter();
    let values: Vec<_> = values
        .map(|(name, value)| format!("{}{NAMED}{}", escaped(name.as_ref(), &[NAMED]), escaped(value.as_ref(), &[])))
        .collect();
    values.join("|")
}

fn escaped(value: &str, also: &[char]) -> String {
    let mut text = String::with_capacity(value.len());
    for letter in value.chars() {
        if matches!(letter, BETWEEN | ESCAPE) || also.contains(&letter) {
            text.push(ESCAPE);
        }
        text.push(letter);
    }
    text
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Cells that are made of what is dangerous, more often than not.
    fn cell() -> impl Strategy<Value = String> {
        let part = prop_oneof![
            "[=+@'\" \t\r\n|＝＋－＠\u{feff}\u{a0}\\\\-]{1,3}",
            "[a-z0-9,;äß]{0,4}",
            any::<String>().prop_map(|text| text.chars().take(3).collect()),
        ];
        proptest::collection::vec(part, 0..5).prop_map(|parts| parts.concat())
    }

    /// By the first character of what a spreadsheet looks at, said in another way than the code says it.
    fn begins_a_formula(cell: &str) -> bool {
        let first = cell.chars().find(|c| !(c.is_whitespace() || c.is_control() || "\"\u{feff}".contains(*c)));
        first.is_some_and(|first| "=+-@＝＋－＠".contains(first)) || cell.starts_with(['\t', '\r', '\n'])
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(10_000))]

        #[test]
        fn no_cell_is_executed_and_each_comes_back_through_a_csv_as_it_was(value in cell()) {
            let guarded = guarded(&value);
            prop_assert!(!begins_a_formula(&guarded), "{guarded:?}");
            let mut writer = csv::Writer::from_writer(Vec::new());
            writer.write_record(["first", &*guarded]).unwrap();
            let text = writer.into_inner().unwrap();
            let mut reader = csv::ReaderBuilder::new().has_headers(false).from_reader(text.as_slice());
            let record = reader.records().next().unwrap().unwrap();
            prop_assert_eq!(unguarded(&record[1]), value);
        }

        #[test]
        fn values_come_back_out_of_their_cell(
            values in proptest::collection::vec("[a-c=|\\\\'ä-]{1,6}", 0..5),
            names in proptest::collection::vec("[a-c=|\\\\ä]{1,6}", 5),
        ) {
            prop_assert_eq!(list(&joined(&values)), values.clone());
            let pairs: Vec<_> = names.iter().zip(&values).collect();
            let back: Vec<_> = named(&joined_by_name(pairs.clone()));
            let back: Vec<_> = back.iter().map(|entry| (entry.name.as_ref().unwrap(), &entry.value)).collect();
            prop_assert_eq!(back, pairs);
        }
    }

    #[test]
    fn what_a_spreadsheet_would_execute_gets_an_apostrophe_and_nothing_else_does() {
        for formula in
            ["=1+1", "+1", "-5 %", "@SUM(A1)", "\t=1", "\rx", "\nx", "＝1", " =1", "\"=1", "'=1", "''+1", "\u{feff}=1"]
        {
            assert_eq!(guarded(formula), format!("'{formula}"), "{formula:?}");
        }
        for harmless in ["", "Tea", "'", "'Tea'", "3 - 2", "a=b", "Ä", "1999", "l'eau"] {
            assert_eq!(guarded(harmless), harmless);
            assert_eq!(unguarded(harmless), harmless);
        }
        // Somebody's own apostrophe stays.
        assert_eq!(unguarded("'90s mug"), "'90s mug");
    }

    #[test]
    fn a_list_is_read_without_empty_values_and_spaces_around_them() {
        assert_eq!(list(" a | b||c\\|d |"), ["a", "b", "c|d"]);
        assert_eq!(list(" "), Vec::<String>::new());
        let entry = |name: Option<&str>, value: &str| Entry { name: name.map(ToOwned::to_owned), value: value.into() };
        assert_eq!(
            named("Size=M|Note = a=b |plain"),
            [entry(Some("Size"), "M"), entry(Some("Note"), "a=b"), entry(None, "plain")]
        );
    }
}
