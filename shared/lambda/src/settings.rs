//! Settings, read from the environment once, in `main`; all that is missing is told together.

use std::fmt;

/// The environment while settings are read from it.
#[derive(Default)]
pub struct Variables {
    missing: Vec<&'static str>,
}

/// Names of the variables that are not set.
#[derive(Debug)]
pub struct Missing(Vec<&'static str>);

impl Variables {
    /// A variable that must be set; empty counts as not set.
    pub fn text(&mut self, name: &'static str) -> String {
        optional(name).unwrap_or_else(|| {
            self.missing.push(name);
            String::new()
        })
    }
}

/// Reads settings: `settings::read(|variables| Settings { table: variables.text("TABLE_NAME") })`.
pub fn read<T>(take: impl FnOnce(&mut Variables) -> T) -> Result<T, Missing> {
    let mut variables = Variables::default();
    let settings = take(&mut variables);
    if variables.missing.is_empty() { Ok(settings) } else { Err(Missing(variables.missing)) }
}

/// A variable that need not be set.
#[expect(clippy::disallowed_methods, reason = "this is the one place that reads the environment")]
pub fn optional(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|value| !value.is_empty())
}

impl fmt::Display for Missing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "these environment variables must be set: {}", self.0.join(", "))
    }
}

impl std::error::Error for Missing {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_that_is_missing_is_told_together() {
        let missing =
            read(|variables| (variables.text("WAYBILL_ONE"), variables.text("PATH"), variables.text("WAYBILL_TWO")));
        assert_eq!(
            missing.unwrap_err().to_string(),
            "these environment variables must be set: WAYBILL_ONE, WAYBILL_TWO"
        );
    }
}
