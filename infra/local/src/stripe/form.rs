//! Stripe's request parameters: form-encoded, nested by brackets, every one of them understood or refused.

use std::collections::BTreeMap;

use super::encoding::pairs;
use super::refusal::Refusal;

/// The parameters at one level of a request. What is taken is understood; `finish` refuses what is left.
#[derive(Debug, Default)]
pub struct Parameters {
    path: String,
    fields: BTreeMap<String, Field>,
}

#[derive(Debug)]
enum Field {
    Text(String),
    Nested(BTreeMap<String, Field>),
}

impl Parameters {
    /// Reads `a=1&b[c]=2&d[0][e]=3` (a body or a query); brackets may be percent-encoded.
    pub fn read(encoded: &[u8]) -> Result<Parameters, Refusal> {
        let mut fields = BTreeMap::new();
        for (name, value) in pairs(encoded)? {
            insert(&mut fields, &name, value)?;
        }
        Ok(Parameters { path: String::new(), fields })
    }

    /// The name of a field as Stripe's errors write it: `line_items[0][quantity]`.
    pub fn name_of(&self, field: &str) -> String {
        if self.path.is_empty() { field.to_owned() } else { format!("{}[{field}]", self.path) }
    }

    /// A text of 1 to `longest` characters, if the field was given.
    pub fn text(&mut self, field: &str, longest: usize) -> Result<Option<String>, Refusal> {
        let name = self.name_of(field);
        match self.fields.remove(field) {
            None => Ok(None),
            Some(Field::Nested(_)) => Err(Refusal::invalid(format!("Invalid string: {name}"), &name)),
            Some(Field::Text(text)) if text.is_empty() => Err(Refusal::empty(&name)),
            Some(Field::Text(text)) if text.chars().count() > longest => Err(Refusal::invalid(
                format!(
                    "Invalid string: {}…; must be at most {longest} characters",
                    text.chars().take(20).collect::<String>()
                ),
                &name,
            )),
            Some(Field::Text(text)) => Ok(Some(text)),
        }
    }

    /// Like `text`, for a field that must be there.
    pub fn required_text(&mut self, field: &str, longest: usize) -> Result<String, Refusal> {
        self.text(field, longest)?.ok_or_else(|| Refusal::missing(&self.name_of(field)))
    }

    /// One of the known texts, of which there are several, if the field was given.
    pub fn one_of(&mut self, field: &str, known: &[&str]) -> Result<Option<String>, Refusal> {
        let name = self.name_of(field);
        match (self.text(field, 100)?, known) {
            (Some(other), [first @ .., last]) if !known.contains(&other.as_str()) => {
                Err(Refusal::invalid(format!("Must be one of {}, or {last}.", first.join(", ")), &name))
            }
            (value, _) => Ok(value),
        }
    }

    /// A whole number, if the field was given.
    pub fn integer(&mut self, field: &str) -> Result<Option<i64>, Refusal> {
        let Some(text) = self.text(field, 5000)? else {
            return Ok(None);
        };
        match text.parse() {
            Ok(number) => Ok(Some(number)),
            Err(_) => Err(Refusal::not_an_integer(&text, &self.name_of(field))),
        }
    }

    /// The parameters nested under a field, if it was given.
    pub fn nested(&mut self, field: &str) -> Result<Option<Parameters>, Refusal> {
        let path = self.name_of(field);
        match self.fields.remove(field) {
            None => Ok(None),
            Some(Field::Nested(fields)) => Ok(Some(Parameters { path, fields })),
            Some(Field::Text(_)) => Err(Refusal::invalid("Invalid object", &path)),
        }
    }

    /// The nested parameters of a list, in the order of their indexes; empty if the field was not given.
    pub fn list(&mut self, field: &str) -> Result<Vec<Parameters>, Refusal> {
        let path = self.name_of(field);
        let items = self.items(field)?;
        let nested = items.into_iter().map(|(index, item)| match item {
            Field::Nested(fields) => Ok(Parameters { path: format!("{path}[{index}]"), fields }),
            Field::Text(_) => Err(Refusal::invalid("Invalid object", &format!("{path}[{index}]"))),
        });
        nested.collect()
    }

    /// A list of texts; empty if the field was not given.
    pub fn texts(&mut self, field: &str) -> Result<Vec<String>, Refusal> {
        let path = self.name_of(field);
        let items = self.items(field)?;
        let texts = items.into_iter().map(|(index, item)| match item {
            Field::Text(text) => Ok(text),
            Field::Nested(_) => Err(Refusal::invalid("Invalid string", &format!("{path}[{index}]"))),
        });
        texts.collect()
    }

    /// Stripe's metadata: up to 50 keys of 40 characters, values of 500; an empty value counts as not given.
    pub fn metadata(&mut self) -> Result<BTreeMap<String, String>, Refusal> {
        let Some(given) = self.nested("metadata")? else {
            return Ok(BTreeMap::new());
        };
        let path = given.path.clone();
        if given.fields.len() > 50 {
            return Err(Refusal::invalid("You can have up to 50 metadata keys on an object.", &path));
        }
        let mut metadata = BTreeMap::new();
        for (key, value) in given.fields {
            let name = format!("{path}[{key}]");
            let Field::Text(value) = value else {
                return Err(Refusal::invalid("Metadata values must be strings.", &name));
            };
            if key.chars().count() > 40 {
                return Err(Refusal::invalid("Metadata key names can have up to 40 characters.", &name));
            }
            if value.chars().count() > 500 {
                return Err(Refusal::invalid(
                    format!(
                        "Metadata values can have up to 500 characters, but you passed in a value that is {} characters.",
                        value.chars().count()
                    ),
                    &name,
                ));
            }
            if !value.is_empty() {
                metadata.insert(key, value);
            }
        }
        Ok(metadata)
    }

    /// Refuses whatever was not taken.
    pub fn finish(self) -> Result<(), Refusal> {
        match self.fields.keys().next() {
            None => Ok(()),
            Some(field) => Err(Refusal::unknown_parameter(&self.name_of(field))),
        }
    }

    fn items(&mut self, field: &str) -> Result<Vec<(usize, Field)>, Refusal> {
        let path = self.name_of(field);
        let fields = match self.fields.remove(field) {
            None => return Ok(Vec::new()),
            Some(Field::Text(_)) => return Err(Refusal::invalid("Invalid array", &path)),
            Some(Field::Nested(fields)) => fields,
        };
        let mut items = Vec::with_capacity(fields.len());
        for (index, item) in fields {
            let position = index.parse().map_err(|_| Refusal::invalid("Invalid array", &path))?;
            items.push((position, item));
        }
        items.sort_by_key(|(position, _)| *position);
        Ok(items)
    }
}

fn insert(fields: &mut BTreeMap<String, Field>, name: &str, value: String) -> Result<(), Refusal> {
    let malformed = || Refusal::invalid(format!("Invalid parameter name: {name}"), name);
    let (first, mut rest) = name.split_once('[').map_or((name, ""), |(first, rest)| (first, rest));
    let mut key = first.to_owned();
    let mut level = fields;
    while !rest.is_empty() {
        let (inner, after) = rest.split_once(']').ok_or_else(malformed)?;
        let nested = level.entry(key).or_insert_with(|| Field::Nested(BTreeMap::new()));
        let Field::Nested(nested) = nested else {
            return Err(malformed());
        };
        // `expand[]=a&expand[]=b` counts up.
        key = if inner.is_empty() { nested.len().to_string() } else { inner.to_owned() };
        level = nested;
        rest = match after {
            "" => "",
            after => after.strip_prefix('[').ok_or_else(malformed)?,
        };
    }
    match level.insert(key, Field::Text(value)) {
        None => Ok(()),
        Some(_) => Err(malformed()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nested_names_read_the_same_with_plain_and_with_encoded_brackets() {
        for body in [
            "line_items[0][price_data][currency]=usd&x=a+b%21",
            "line_items%5B0%5D%5Bprice_data%5D%5Bcurrency%5D=usd&x=a%20b!",
        ] {
            let mut read = Parameters::read(body.as_bytes()).unwrap();
            let mut line = read.list("line_items").unwrap().remove(0);
            let mut price = line.nested("price_data").unwrap().unwrap();
            assert_eq!(price.text("currency", 3).unwrap().as_deref(), Some("usd"));
            assert_eq!(read.text("x", 10).unwrap().as_deref(), Some("a b!"));
            assert!(read.finish().is_ok() && line.finish().is_ok() && price.finish().is_ok());
        }
    }

    #[test]
    fn a_list_keeps_the_order_of_its_indexes_past_nine() {
        let body: Vec<String> = (0..12).map(|at| format!("line_items[{at}][n]={at}")).collect();
        let mut read = Parameters::read(body.join("&").as_bytes()).unwrap();
        let lines = read.list("line_items").unwrap();
        let numbers: Vec<_> = lines.into_iter().map(|mut line| line.integer("n").unwrap().unwrap()).collect();
        assert_eq!(numbers, (0..12).collect::<Vec<_>>());
    }

    #[test]
    fn what_nobody_takes_is_refused_by_its_full_name() {
        let mut read = Parameters::read(b"line_items[0][colour]=red").unwrap();
        let refusal = read.list("line_items").unwrap().remove(0).finish().unwrap_err();
        assert_eq!(refusal.param.as_deref(), Some("line_items[0][colour]"));
        assert_eq!(refusal.code, Some("parameter_unknown"));
    }

    #[test]
    fn broken_encodings_and_names_are_refused() {
        for body in ["a=%4", "a=%zz", "a=%ff", "a[b=1", "a[b]c=1", "a=1&a=2", "a=1&a[b]=2", "a[b]=1&a=2"] {
            assert!(Parameters::read(body.as_bytes()).is_err(), "{body}");
        }
    }

    #[test]
    fn metadata_holds_fifty_keys_of_five_hundred_characters() {
        let body = |keys: usize, length: usize| {
            let pairs: Vec<String> = (0..keys).map(|at| format!("metadata[k{at}]={}", "v".repeat(length))).collect();
            Parameters::read(pairs.join("&").as_bytes()).unwrap().metadata()
        };
        assert_eq!(body(50, 500).unwrap().len(), 50);
        assert!(body(51, 1).is_err());
        assert!(body(1, 501).is_err());
        assert!(body(1, 0).unwrap().is_empty());
    }
}
