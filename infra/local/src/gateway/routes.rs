//! Which route serves a request: the most exact one that fits, as API Gateway chooses.

use std::collections::BTreeMap;

use http::Method;

use crate::template::Route;

pub struct Routes(Vec<Pattern>);

struct Pattern {
    key: String,
    function: String,
    /// None for ANY.
    method: Option<String>,
    segments: Vec<Segment>,
}

#[derive(Clone, PartialEq, Eq, PartialOrd, Ord)]
enum Segment {
    // The order is that of preference.
    Exact(String),
    Parameter(String),
    /// `{proxy+}`: the rest of the path.
    Rest(String),
}

/// A route that fits, with the parts of the path that it names.
#[derive(Debug, PartialEq, Eq)]
pub struct Found<'a> {
    pub key: &'a str,
    pub function: &'a str,
    pub parameters: BTreeMap<String, String>,
}

const DEFAULT: &str = "$default";

impl Routes {
    pub fn new(routes: &[Route]) -> Routes {
        Routes(routes.iter().map(Pattern::new).collect())
    }

    pub fn find(&self, method: &Method, path: &str) -> Option<Found<'_>> {
        let wanted: Vec<&str> = path.split('/').skip(1).collect();
        let fitting = self.0.iter().filter_map(|pattern| Some((pattern, pattern.fit(method, &wanted)?)));
        let best = fitting.min_by(|(one, _), (other, _)| one.preference().cmp(&other.preference()));
        let fallback =
            || self.0.iter().find(|pattern| pattern.key == DEFAULT).map(|pattern| (pattern, BTreeMap::new()));
        let (pattern, parameters) = best.or_else(fallback)?;
        Some(Found { key: &pattern.key, function: &pattern.function, parameters })
    }
}

impl Pattern {
    fn new(route: &Route) -> Pattern {
        let (method, path) = route.key.split_once(' ').unwrap_or(("ANY", ""));
        let segment = |text: &str| match text.strip_prefix('{').and_then(|text| text.strip_suffix('}')) {
            Some(name) => match name.strip_suffix('+') {
                Some(name) => Segment::Rest(name.to_owned()),
                None => Segment::Parameter(name.to_owned()),
            },
            None => Segment::Exact(text.to_owned()),
        };
        Pattern {
            key: route.key.clone(),
            function: route.function.clone(),
            method: (method != "ANY").then(|| method.to_owned()),
            segments: path.split('/').skip(1).map(segment).collect(),
        }
    }

    fn preference(&self) -> (&[Segment], bool) {
        (&self.segments, self.method.is_none())
    }

    fn fit(&self, method: &Method, wanted: &[&str]) -> Option<BTreeMap<String, String>> {
        if self.key == DEFAULT || self.method.as_ref().is_some_and(|own| own != method.as_str()) {
            return None;
        }
        let mut parameters = BTreeMap::new();
        for (place, segment) in self.segments.iter().enumerate() {
            match (segment, wanted.get(place)) {
                (Segment::Exact(text), Some(given)) if text == given => {}
                (Segment::Parameter(name), Some(given)) if !given.is_empty() => {
                    parameters.insert(name.clone(), decode(given));
                }
                (Segment::Rest(name), Some(_)) => {
                    parameters.insert(name.clone(), decode(&wanted[place..].join("/")));
                    return Some(parameters);
                }
                _ => return None,
            }
        }
        (self.segments.len() == wanted.len()).then_some(parameters)
    }
}

/// Percent-decodes; what is not UTF-8 afterwards stays as it was.
pub fn decode(text: &str) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((&byte, behind)) = rest.split_first() {
        let digits =
            (byte == b'%').then(|| behind.get(..2)).flatten().and_then(|digits| std::str::from_utf8(digits).ok());
        match digits.and_then(|digits| u8::from_str_radix(digits, 16).ok()) {
            Some(decoded) => {
                bytes.push(decoded);
                rest = &behind[2..];
            }
            None => {
                bytes.push(byte);
                rest = behind;
            }
        }
    }
    String::from_utf8(bytes).unwrap_or_else(|_| text.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_most_exact_route_serves() {
        let route = |key: &str| Route { key: key.into(), function: "F".into() };
        let routes =
            ["$default", "ANY /a/{rest+}", "GET /a/{id}", "GET /a/me", "POST /a/{id}/b", "ANY /a/{id}"].map(route);
        let routes = Routes::new(&routes);
        let key = |method: Method, path: &str| routes.find(&method, path).unwrap().key.to_owned();
        assert_eq!(key(Method::GET, "/a/me"), "GET /a/me");
        assert_eq!(key(Method::GET, "/a/x"), "GET /a/{id}");
        assert_eq!(key(Method::PUT, "/a/x"), "ANY /a/{id}");
        assert_eq!(key(Method::POST, "/a/x/b"), "POST /a/{id}/b");
        assert_eq!(key(Method::GET, "/a/x/b"), "ANY /a/{rest+}");
        assert_eq!(key(Method::GET, "/"), "$default");
        let found = routes.find(&Method::GET, "/a/b%20%C3%A9%").unwrap();
        assert_eq!(found.parameters["id"], "b é%");
    }
}
