//! CloudFormation's functions and conditions, with what a resource's name or attribute is on localhost.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

pub const REGION: &str = "us-east-1";
pub const ACCOUNT: &str = "000000000000";

/// Everything that a function can refer to.
pub struct Scope {
    pub parameters: BTreeMap<String, Value>,
    pub conditions: Map<String, Value>,
    /// Resource types by logical id.
    pub types: BTreeMap<String, String>,
    /// Where the AWS endpoint is, without a slash at the end.
    pub aws: String,
}

impl Scope {
    /// A value with all functions carried out. A property that is `AWS::NoValue` is left out.
    pub fn resolve(&self, value: &Value) -> Result<Value, String> {
        self.maybe(value)?.ok_or_else(|| "AWS::NoValue stands where a value must be".into())
    }

    fn maybe(&self, value: &Value) -> Result<Option<Value>, String> {
        match value {
            Value::Array(items) => {
                let items = items.iter().map(|item| self.maybe(item)).collect::<Result<Vec<_>, _>>()?;
                Ok(Some(items.into_iter().flatten().collect()))
            }
            Value::Object(object) => match call(object) {
                Some(("Ref", Value::String(name))) if name == "AWS::NoValue" => Ok(None),
                Some(("Ref", Value::String(name))) => self.reference(name).map(Some),
                Some(("Fn::If", arguments)) => {
                    let [condition, yes, no] = list(arguments)?;
                    let name = condition.as_str().ok_or("Fn::If needs a condition's name")?;
                    self.maybe(if self.condition(name)? { yes } else { no })
                }
                Some(("Fn::GetAtt", arguments)) => {
                    let [resource, attribute] = list(arguments)?;
                    let names = resource.as_str().zip(attribute.as_str());
                    let (resource, attribute) = names.ok_or("Fn::GetAtt needs two names")?;
                    self.attribute(resource, attribute).map(|value| Some(value.into()))
                }
                Some(("Fn::Sub", arguments)) => self.substitute(arguments).map(|text| Some(text.into())),
                Some(("Fn::Join", arguments)) => {
                    let [separator, parts] = list(arguments)?;
                    let parts = self.resolve(parts)?;
                    let parts = parts.as_array().ok_or("Fn::Join needs a list")?;
                    let parts = parts.iter().map(text).collect::<Result<Vec<_>, _>>()?;
                    Ok(Some(parts.join(separator.as_str().unwrap_or_default()).into()))
                }
                Some((name, _)) => Err(format!("the function {name} is not known")),
                None => {
                    let mut resolved = Map::new();
                    for (key, value) in object {
                        if let Some(value) = self.maybe(value).map_err(|error| format!("{key}: {error}"))? {
                            resolved.insert(key.clone(), value);
                        }
                    }
                    Ok(Some(Value::Object(resolved)))
                }
            },
            plain => Ok(Some(plain.clone())),
        }
    }

    pub fn condition(&self, name: &str) -> Result<bool, String> {
        self.holds(self.conditions.get(name).ok_or_else(|| format!("there is no condition {name}"))?)
    }

    fn holds(&self, condition: &Value) -> Result<bool, String> {
        match condition.as_object().and_then(call) {
            Some(("Condition", Value::String(name))) => self.condition(name),
            Some(("Fn::Equals", arguments)) => {
                let [left, right] = list(arguments)?;
                Ok(text(&self.resolve(left)?)? == text(&self.resolve(right)?)?)
            }
            Some(("Fn::Not", arguments)) => {
                let [condition] = list(arguments)?;
                Ok(!self.holds(condition)?)
            }
            Some(("Fn::And", Value::Array(all))) => {
                all.iter().try_fold(true, |so_far, condition| Ok(so_far && self.holds(condition)?))
            }
            Some(("Fn::Or", Value::Array(any))) => {
                any.iter().try_fold(false, |so_far, condition| Ok(so_far || self.holds(condition)?))
            }
            _ => Err(format!("{condition} is not a condition")),
        }
    }

    fn reference(&self, name: &str) -> Result<Value, String> {
        if let Some(value) = self.parameters.get(name) {
            return Ok(value.clone());
        }
        Ok(match name {
            "AWS::Region" => json!(REGION),
            "AWS::AccountId" => json!(ACCOUNT),
            "AWS::Partition" => json!("aws"),
            "AWS::URLSuffix" => json!("amazonaws.com"),
            "AWS::StackName" => json!("waybill"),
            resource => json!(match self.type_of(resource)? {
                "AWS::SQS::Queue" => format!("{}/{ACCOUNT}/{resource}", self.aws),
                "AWS::SecretsManager::Secret" => format!("arn:aws:secretsmanager:{REGION}:{ACCOUNT}:secret:{resource}"),
                _ => resource.to_owned(),
            }),
        })
    }

    fn attribute(&self, resource: &str, attribute: &str) -> Result<String, String> {
        let service = |service: &str, name: &str| format!("arn:aws:{service}:{REGION}:{ACCOUNT}:{name}");
        Ok(match (self.type_of(resource)?, attribute) {
            ("AWS::Serverless::Function", "Arn") => service("lambda", &format!("function:{resource}")),
            ("AWS::SQS::Queue", "Arn") => service("sqs", resource),
            ("AWS::SQS::Queue", "QueueName") => resource.to_owned(),
            ("AWS::DynamoDB::Table", "Arn") => service("dynamodb", &format!("table/{resource}")),
            ("AWS::DynamoDB::Table", "StreamArn") => service("dynamodb", &format!("table/{resource}/stream/local")),
            ("AWS::S3::Bucket", "Arn") => format!("arn:aws:s3:::{resource}"),
            ("AWS::IAM::Role", "Arn") => format!("arn:aws:iam::{ACCOUNT}:role/{resource}"),
            ("AWS::Logs::LogGroup", "Arn") => service("logs", &format!("log-group:{resource}:*")),
            ("AWS::ApiGatewayV2::Api", "ApiEndpoint") => format!("{}/{resource}", self.aws),
            (kind, _) => return Err(format!("{resource}.{attribute}: this attribute of {kind} is not known")),
        })
    }

    fn type_of(&self, resource: &str) -> Result<&str, String> {
        self.types.get(resource).map(String::as_str).ok_or_else(|| format!("there is no {resource}"))
    }

    fn substitute(&self, arguments: &Value) -> Result<String, String> {
        let (pattern, own) = match arguments {
            Value::String(pattern) => (pattern.as_str(), None),
            other => {
                let [pattern, own] = list(other)?;
                (pattern.as_str().ok_or("Fn::Sub needs a text")?, own.as_object())
            }
        };
        let mut text = String::new();
        let mut rest = pattern;
        while let Some((before, after)) = rest.split_once("${") {
            let (name, behind) =
                after.split_once('}').ok_or_else(|| format!("{pattern} has a ${{ that does not end"))?;
            text += before;
            text += &match (name.strip_prefix('!'), own.and_then(|own| own.get(name)), name.split_once('.')) {
                (Some(literal), _, _) => format!("${{{literal}}}"),
                (None, Some(value), _) => self::text(&self.resolve(value)?)?,
                (None, None, Some((resource, attribute))) => self.attribute(resource, attribute)?,
                (None, None, None) => self::text(&self.reference(name)?)?,
            };
            rest = behind;
        }
        Ok(text + rest)
    }
}

/// The function that an object calls, if it is a call.
fn call(object: &Map<String, Value>) -> Option<(&str, &Value)> {
    let (name, arguments) = object.iter().next().filter(|_| object.len() == 1)?;
    (name == "Ref" || name == "Condition" || name.starts_with("Fn::")).then_some((name, arguments))
}

fn list<const N: usize>(arguments: &Value) -> Result<&[Value; N], String> {
    let items = arguments.as_array().and_then(|items| items.as_slice().try_into().ok());
    items.ok_or_else(|| format!("{arguments} should be a list of {N}"))
}

fn text(value: &Value) -> Result<String, String> {
    match value {
        Value::String(text) => Ok(text.clone()),
        Value::Number(_) | Value::Bool(_) => Ok(value.to_string()),
        _ => Err(format!("{value} should be a text")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn scope() -> Scope {
        Scope {
            parameters: BTreeMap::from([("Stage".into(), json!("dev")), ("Empty".into(), json!(""))]),
            conditions: json!({
                "IsDev": { "Fn::Equals": [{ "Ref": "Stage" }, "dev"] },
                "HasOwn": { "Fn::Not": [{ "Fn::Equals": [{ "Ref": "Empty" }, ""] }] },
            })
            .as_object()
            .unwrap()
            .clone(),
            types: BTreeMap::from([("Queue".into(), "AWS::SQS::Queue".into())]),
            aws: "http://127.0.0.1:3005".into(),
        }
    }

    #[test]
    fn functions_are_carried_out() {
        let value = json!({
            "url": { "Ref": "Queue" },
            "arn": { "Fn::GetAtt": ["Queue", "Arn"] },
            "text": { "Fn::Sub": "${Stage}-${Queue.Arn}-${!Raw}" },
            "own": { "Fn::Sub": ["${a}/${Stage}", { "a": 1 }] },
            "join": { "Fn::Join": ["-", ["a", { "Ref": "Stage" }]] },
            "yes": { "Fn::If": ["IsDev", 1, 2] },
            "gone": { "Fn::If": ["HasOwn", 1, { "Ref": "AWS::NoValue" }] },
        });
        let expected = json!({
            "url": "http://127.0.0.1:3005/000000000000/Queue",
            "arn": "arn:aws:sqs:us-east-1:000000000000:Queue",
            "text": "dev-arn:aws:sqs:us-east-1:000000000000:Queue-${Raw}",
            "own": "1/dev",
            "join": "a-dev",
            "yes": 1,
        });
        assert_eq!(scope().resolve(&value).unwrap(), expected);
    }

    #[test]
    fn what_is_not_known_is_an_error() {
        for bad in [
            json!({ "Ref": "Nothing" }),
            json!({ "Fn::GetAtt": ["Queue", "Colour"] }),
            json!({ "Fn::Cidr": [] }),
            json!({ "Fn::Sub": "${" }),
            json!({ "Fn::If": ["Nope", 1, 2] }),
        ] {
            assert!(scope().resolve(&bad).is_err(), "{bad}");
        }
    }
}
