//! CloudFormation's YAML as JSON: its short tags become the long functions (`!Ref X` is `{"Ref": "X"}`).

use saphyr::{LoadableYamlNode, ScalarOwned, YamlOwned};
use serde_json::{Map, Value, json};

pub fn read(text: &str) -> Result<Value, String> {
    let documents = YamlOwned::load_from_str(text).map_err(|error| error.to_string())?;
    match documents.as_slice() {
        [document] => json(document),
        _ => Err(format!("it holds {} documents instead of one", documents.len())),
    }
}

fn json(node: &YamlOwned) -> Result<Value, String> {
    match node {
        YamlOwned::Value(scalar) => Ok(self::scalar(scalar)),
        YamlOwned::Sequence(items) => items.iter().map(json).collect(),
        YamlOwned::Mapping(pairs) => {
            let mut object = Map::new();
            for (key, value) in pairs {
                let key = match json(key)? {
                    Value::String(key) => key,
                    other => other.to_string(),
                };
                if object.insert(key.clone(), json(value)?).is_some() {
                    return Err(format!("{key} stands twice"));
                }
            }
            Ok(Value::Object(object))
        }
        YamlOwned::Tagged(tag, value) if tag.handle == "!" => function(&tag.suffix, json(value)?),
        YamlOwned::Tagged(tag, _) => Err(format!("the tag {}{} is not known", tag.handle, tag.suffix)),
        YamlOwned::Representation(..) | YamlOwned::Alias(_) | YamlOwned::BadValue => {
            Err("it uses YAML that CloudFormation does not know".into())
        }
    }
}

fn scalar(scalar: &ScalarOwned) -> Value {
    match scalar {
        ScalarOwned::Null => Value::Null,
        ScalarOwned::Boolean(value) => json!(value),
        ScalarOwned::Integer(value) => json!(value),
        ScalarOwned::FloatingPoint(value) => json!(value.into_inner()),
        ScalarOwned::String(value) => json!(value),
    }
}

fn function(tag: &str, value: Value) -> Result<Value, String> {
    let value = match (tag, value) {
        ("GetAtt", Value::String(path)) => match path.split_once('.') {
            Some((resource, attribute)) => json!([resource, attribute]),
            None => return Err(format!("!GetAtt {path} names no attribute")),
        },
        (_, value) => value,
    };
    let name = match tag {
        "Ref" | "Condition" => tag.to_owned(),
        "GetAtt" | "Sub" | "If" | "Equals" | "Not" | "And" | "Or" | "Join" => format!("Fn::{tag}"),
        _ => return Err(format!("the tag !{tag} is not known")),
    };
    Ok(json!({ name: value }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn short_tags_become_the_long_functions() {
        let read =
            read("A: !Ref B\nC: !GetAtt D.E.F\nG: [!Sub 'x-${H}', !If [I, 1, !Ref 'AWS::NoValue']]\nJ: \"1\"").unwrap();
        let expected = json!({
            "A": { "Ref": "B" },
            "C": { "Fn::GetAtt": ["D", "E.F"] },
            "G": [{ "Fn::Sub": "x-${H}" }, { "Fn::If": ["I", 1, { "Ref": "AWS::NoValue" }] }],
            "J": "1",
        });
        assert_eq!(read, expected);
    }

    #[test]
    fn what_is_not_known_is_an_error() {
        for bad in ["A: !Import B", "A: 1\nA: 2", "A: !GetAtt B", "--- 1\n--- 2", "A: ["] {
            assert!(read(bad).is_err(), "{bad}");
        }
    }
}
