//! Lambda's FilterCriteria: which records of a stream a function wants to see.

use serde_json::{Map, Value};

/// The patterns of one mapping. A record passes when one of them matches, or when there is none.
#[derive(Debug)]
pub(super) struct Filter(Vec<Node>);

#[derive(Debug, thiserror::Error)]
#[error("filter pattern: {at}: {what}")]
pub struct PatternError {
    at: String,
    what: String,
}

#[derive(Debug)]
enum Node {
    /// Every field has to match.
    Fields(Vec<(String, Node)>),
    /// One of them has to match.
    AnyOf(Vec<Test>),
}

#[derive(Debug)]
enum Test {
    Is(Value),
    IsIgnoringCase(String),
    Prefix(String),
    Suffix(String),
    Exists(bool),
    NotOneOf(Vec<Value>),
    NotPrefix(String),
    Within(Vec<(Comparison, f64)>),
}

#[derive(Clone, Copy, Debug)]
enum Comparison {
    Equal,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
}

impl Filter {
    /// A pattern may be given as JSON or, as the template has it, as a text that holds JSON.
    pub(super) fn new(patterns: &[Value]) -> Result<Filter, PatternError> {
        let nodes = patterns.iter().map(|pattern| match pattern {
            Value::String(text) => {
                let pattern = serde_json::from_str(text).map_err(|error| wrong("$", format!("not JSON: {error}")))?;
                node(&pattern, "$")
            }
            pattern => node(pattern, "$"),
        });
        nodes.collect::<Result<_, _>>().map(Filter)
    }

    pub(super) fn passes(&self, record: &Value) -> bool {
        self.0.is_empty() || self.0.iter().any(|node| node.matches(Some(record)))
    }
}

impl Node {
    fn matches(&self, value: Option<&Value>) -> bool {
        match (self, value) {
            (Node::Fields(fields), value) => {
                fields.iter().all(|(name, node)| node.matches(value.and_then(|value| value.get(name))))
            }
            // Of a list in the record, one element has to match.
            (Node::AnyOf(tests), Some(Value::Array(values))) => {
                tests.iter().any(|test| values.iter().any(|value| test.matches(Some(value))))
            }
            (Node::AnyOf(tests), value) => tests.iter().any(|test| test.matches(value)),
        }
    }
}

impl Test {
    fn matches(&self, value: Option<&Value>) -> bool {
        let Some(value) = value else {
            return matches!(self, Test::Exists(false));
        };
        let text = value.as_str();
        match self {
            Test::Exists(wanted) => *wanted,
            Test::Is(wanted) => same(wanted, value),
            Test::IsIgnoringCase(wanted) => text.is_some_and(|text| text.to_lowercase() == *wanted),
            Test::Prefix(prefix) => text.is_some_and(|text| text.starts_with(prefix.as_str())),
            Test::Suffix(suffix) => text.is_some_and(|text| text.ends_with(suffix.as_str())),
            Test::NotOneOf(unwanted) => !unwanted.iter().any(|unwanted| same(unwanted, value)),
            Test::NotPrefix(prefix) => !text.is_some_and(|text| text.starts_with(prefix.as_str())),
            // As in AWS, a DynamoDB number is a text in the record and is within no range.
            Test::Within(bounds) => value
                .as_f64()
                .is_some_and(|value| bounds.iter().all(|(comparison, bound)| comparison.holds(value, *bound))),
        }
    }
}

impl Comparison {
    fn holds(self, value: f64, bound: f64) -> bool {
        match self {
            Comparison::Equal => value == bound,
            Comparison::Less => value < bound,
            Comparison::LessOrEqual => value <= bound,
            Comparison::Greater => value > bound,
            Comparison::GreaterOrEqual => value >= bound,
        }
    }
}

fn same(wanted: &Value, value: &Value) -> bool {
    match (wanted.as_f64(), value.as_f64()) {
        (Some(wanted), Some(value)) => wanted == value,
        _ => wanted == value,
    }
}

fn node(pattern: &Value, at: &str) -> Result<Node, PatternError> {
    match pattern {
        Value::Object(fields) if fields.is_empty() => Err(wrong(at, "an empty object")),
        Value::Object(fields) => {
            let fields = fields.iter().map(|(name, pattern)| {
                let at = format!("{at}.{name}");
                if name.starts_with('$') {
                    return Err(wrong(&at, "is not played here"));
                }
                Ok((name.clone(), node(pattern, &at)?))
            });
            Ok(Node::Fields(fields.collect::<Result<_, _>>()?))
        }
        Value::Array(tests) if tests.is_empty() => Err(wrong(at, "an empty list matches nothing")),
        Value::Array(tests) => tests.iter().map(|pattern| test(pattern, at)).collect::<Result<_, _>>().map(Node::AnyOf),
        _ => Err(wrong(at, "a value has to stand in a list")),
    }
}

fn test(pattern: &Value, at: &str) -> Result<Test, PatternError> {
    let Value::Object(operator) = pattern else {
        return match pattern {
            Value::Array(_) => Err(wrong(at, "a list in a list")),
            literal => Ok(Test::Is(literal.clone())),
        };
    };
    let (name, operand) = only(operator).ok_or_else(|| wrong(at, "an operator has exactly one name"))?;
    let at = format!("{at}.{name}");
    let text = || operand.as_str().map(str::to_owned).ok_or_else(|| wrong(&at, "takes a text"));
    match name {
        "prefix" => text().map(Test::Prefix),
        "suffix" => text().map(Test::Suffix),
        "equals-ignore-case" => text().map(|text| Test::IsIgnoringCase(text.to_lowercase())),
        "exists" => operand.as_bool().map(Test::Exists).ok_or_else(|| wrong(&at, "takes true or false")),
        "anything-but" => match operand {
            Value::Object(inner) => match only(inner) {
                Some(("prefix", Value::String(prefix))) => Ok(Test::NotPrefix(prefix.clone())),
                _ => Err(wrong(&at, "of an operator other than prefix is not played here")),
            },
            Value::Array(unwanted) if unwanted.iter().all(|value| value.is_string() || value.is_number()) => {
                Ok(Test::NotOneOf(unwanted.clone()))
            }
            Value::String(_) | Value::Number(_) => Ok(Test::NotOneOf(vec![operand.clone()])),
            _ => Err(wrong(&at, "takes texts or numbers")),
        },
        "numeric" => bounds(operand)
            .map(Test::Within)
            .ok_or_else(|| wrong(&at, "takes a comparison and a number, once or twice")),
        _ => Err(wrong(&at, "is not played here")),
    }
}

fn bounds(operand: &Value) -> Option<Vec<(Comparison, f64)>> {
    let parts = operand.as_array().filter(|parts| parts.len() == 2 || parts.len() == 4)?;
    let bound = |pair: &[Value]| {
        let comparison = match pair[0].as_str()? {
            "=" => Comparison::Equal,
            "<" => Comparison::Less,
            "<=" => Comparison::LessOrEqual,
            ">" => Comparison::Greater,
            ">=" => Comparison::GreaterOrEqual,
            _ => return None,
        };
        Some((comparison, pair[1].as_f64()?))
    };
    parts.chunks_exact(2).map(bound).collect()
}

fn only(object: &Map<String, Value>) -> Option<(&str, &Value)> {
    let mut entries = object.iter();
    let (name, value) = entries.next()?;
    entries.next().is_none().then_some((name.as_str(), value))
}

fn wrong(at: &str, what: impl Into<String>) -> PatternError {
    PatternError { at: at.to_owned(), what: what.into() }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn passes(pattern: Value, record: Value) -> bool {
        Filter::new(&[pattern]).expect("a pattern").passes(&record)
    }

    #[test]
    fn the_templates_pattern_passes_changes_of_orders_only() {
        let pattern = json!(
            r#"{"eventName": ["INSERT", "MODIFY"], "dynamodb": {"Keys": {"pk": {"S": [{"prefix": "ORDER#"}]}}}}"#
        );
        let record = |name: &str, pk: &str| json!({ "eventName": name, "dynamodb": { "Keys": { "pk": { "S": pk } } } });
        assert!(passes(pattern.clone(), record("INSERT", "ORDER#1")));
        assert!(passes(pattern.clone(), record("MODIFY", "ORDER#1")));
        assert!(!passes(pattern.clone(), record("REMOVE", "ORDER#1")));
        assert!(!passes(pattern, record("INSERT", "SKU#1")));
    }

    #[test]
    fn each_operator_means_what_it_means_in_aws() {
        let cases = [
            (json!([{ "exists": true }]), json!({ "a": 1 }), true),
            (json!([{ "exists": true }]), json!({}), false),
            (json!([{ "exists": false }]), json!({}), true),
            (json!([{ "exists": false }]), json!({ "a": 1 }), false),
            (json!([{ "anything-but": ["x", "y"] }]), json!({ "a": "z" }), true),
            (json!([{ "anything-but": ["x", "y"] }]), json!({ "a": "x" }), false),
            (json!([{ "anything-but": "x" }]), json!({}), false),
            (json!([{ "anything-but": { "prefix": "x" } }]), json!({ "a": "xy" }), false),
            (json!([{ "numeric": [">", 1, "<=", 3] }]), json!({ "a": 3 }), true),
            (json!([{ "numeric": [">", 1, "<=", 3] }]), json!({ "a": 1 }), false),
            (json!([{ "numeric": ["=", 1] }]), json!({ "a": "1" }), false),
            (json!([{ "suffix": "z" }]), json!({ "a": "xyz" }), true),
            (json!([{ "equals-ignore-case": "ORDER" }]), json!({ "a": "order" }), true),
            (json!([null]), json!({ "a": null }), true),
            (json!([null]), json!({}), false),
            (json!([1, "x"]), json!({ "a": ["y", "x"] }), true),
            (json!({ "b": [1] }), json!({ "a": "no object" }), false),
        ];
        for (pattern, record, wanted) in cases {
            assert_eq!(passes(json!({ "a": pattern }), record.clone()), wanted, "{pattern} on {record}");
        }
    }

    #[test]
    fn what_a_pattern_says_that_is_not_understood_is_an_error() {
        let cases = [
            json!("no JSON"),
            json!({ "a": "x" }),
            json!({ "a": [] }),
            json!({ "$or": [{ "a": [1] }] }),
            json!({ "a": [{ "wildcard": "x*" }] }),
            json!({ "a": [{ "numeric": ["~", 1] }] }),
            json!({ "a": [{ "prefix": 1 }] }),
        ];
        for pattern in cases {
            assert!(Filter::new(std::slice::from_ref(&pattern)).is_err(), "{pattern}");
        }
    }

    #[test]
    fn one_of_several_patterns_is_enough_and_none_lets_everything_pass() {
        let either = Filter::new(&[json!({ "a": [1] }), json!({ "a": [2] })]).expect("patterns");
        assert!(either.passes(&json!({ "a": 2 })));
        assert!(!either.passes(&json!({ "a": 3 })));
        assert!(Filter::new(&[]).expect("no pattern").passes(&json!({})));
    }
}
