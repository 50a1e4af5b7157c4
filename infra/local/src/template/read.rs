//! Reads template.yaml. Whatever stands in it that localhost does not know how to play is an error.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::time::Duration;

use serde::de::DeserializeOwned;
use serde_json::{Map, Value, json};

use super::intrinsics::Scope;
use super::resources as r;
use super::{
    Cors, DeadLetters, Function, Permission, Queue, QueueMapping, Role, Route, Schedule, Secret, StreamMapping, Table,
};
use super::{Template, WebSocketApi, yaml};

#[derive(Debug, thiserror::Error)]
pub enum TemplateError {
    #[error("{0} cannot be read: {1}")]
    File(String, std::io::Error),
    #[error("template.yaml: {0}")]
    Content(String),
}

impl Template {
    /// Reads a template. `parameters` stand in for its defaults; `aws` is where the local AWS endpoint listens.
    pub fn read(path: &Path, parameters: &BTreeMap<String, String>, aws: &str) -> Result<Template, TemplateError> {
        let text = std::fs::read_to_string(path);
        let text = text.map_err(|error| TemplateError::File(path.display().to_string(), error))?;
        parse(&text, parameters, aws).map_err(TemplateError::Content)
    }
}

pub(super) fn parse(text: &str, given: &BTreeMap<String, String>, aws: &str) -> Result<Template, String> {
    let document = yaml::read(text)?;
    let document = document.as_object().ok_or("it is not a mapping")?;
    const SECTIONS: [&str; 8] = [
        "AWSTemplateFormatVersion",
        "Transform",
        "Description",
        "Parameters",
        "Conditions",
        "Globals",
        "Resources",
        "Outputs",
    ];
    if let Some(unknown) = document.keys().find(|key| !SECTIONS.contains(&key.as_str())) {
        return Err(format!("the section {unknown} is not known"));
    }
    let section = |name: &str| document.get(name).and_then(Value::as_object).cloned().unwrap_or_default();
    let resources = section("Resources");
    let kind = |resource: &Value| resource["Type"].as_str().unwrap_or_default().to_owned();
    let scope = Scope {
        parameters: parameters(&section("Parameters"), given)?,
        conditions: section("Conditions"),
        types: resources.iter().map(|(id, resource)| (id.clone(), kind(resource))).collect(),
        aws: aws.trim_end_matches('/').to_owned(),
    };
    let globals = section("Globals").remove("Function").unwrap_or_else(|| json!({}));
    let mut reading = Reading {
        scope: &scope,
        template: Template::default(),
        apis: BTreeMap::new(),
        routes_with_settings: Vec::new(),
        integrations: BTreeMap::new(),
    };
    let mut routes = Vec::new();
    for (id, resource) in &resources {
        if let Some(condition) = resource["Condition"].as_str()
            && !scope.condition(condition)?
        {
            continue;
        }
        reading
            .take(id, &kind(resource), &resource["Properties"], &globals, &mut routes)
            .map_err(|error| format!("{id}: {error}"))?;
    }
    for (id, route) in routes {
        reading.add_route(route).map_err(|error| format!("{id}: {error}"))?;
    }
    reading.finish()
}

fn parameters(
    declared: &Map<String, Value>,
    given: &BTreeMap<String, String>,
) -> Result<BTreeMap<String, Value>, String> {
    if let Some(unknown) = given.keys().find(|name| !declared.contains_key(*name)) {
        return Err(format!("there is no parameter {unknown}"));
    }
    let value = |(name, parameter): (&String, &Value)| {
        let value = given.get(name).map(|value| json!(value)).or_else(|| parameter.get("Default").cloned());
        let value = value.map(|value| match value.as_str() {
            Some(list) if parameter["Type"] == "CommaDelimitedList" => list.split(',').map(str::trim).collect(),
            _ => value,
        });
        let value = value.ok_or_else(|| format!("the parameter {name} must be given"))?;
        match parameter["AllowedValues"].as_array() {
            Some(allowed) if given.contains_key(name) && !allowed.iter().any(|one| text(one) == text(&value)) => {
                let allowed: Vec<_> = allowed.iter().map(text).collect();
                Err(format!("the parameter {name} must be one of {}", allowed.join(", ")))
            }
            _ => Ok((name.clone(), value)),
        }
    };
    declared.iter().map(value).collect()
}

/// A value as the command line of a deployment has it.
fn text(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), ToOwned::to_owned)
}

struct Reading<'a> {
    scope: &'a Scope,
    template: Template,
    /// Protocols by logical id.
    apis: BTreeMap<String, String>,
    routes_with_settings: Vec<String>,
    /// Functions by integration.
    integrations: BTreeMap<String, String>,
}

impl Reading<'_> {
    fn take(
        &mut self,
        id: &str,
        kind: &str,
        properties: &Value,
        globals: &Value,
        routes: &mut Vec<(String, r::Route)>,
    ) -> Result<(), String> {
        match kind {
            "AWS::Serverless::Function" => self.function(id, &merged(globals, properties))?,
            "AWS::DynamoDB::Table" => self.table(id, self.properties(properties)?)?,
            "AWS::SQS::Queue" => {
                let queue: r::Queue = self.properties(properties)?;
                self.template.queues.push(Queue {
                    name: id.to_owned(),
                    visibility_timeout: Duration::from_secs(queue.visibility_timeout),
                    retention: Duration::from_secs(queue.message_retention_period),
                    dead_letters: queue.redrive_policy.map(|policy| DeadLetters {
                        queue: last(&policy.dead_letter_target_arn, ':'),
                        max_receive_count: policy.max_receive_count,
                    }),
                });
            }
            "AWS::SecretsManager::Secret" => {
                let secret: r::Secret = self.properties(properties)?;
                let length = secret.generate_secret_string.password_length;
                self.template.secrets.push(Secret { name: id.to_owned(), length });
            }
            "AWS::S3::Bucket" => {
                let _: r::Bucket = self.properties(properties)?;
                self.template.buckets.push(id.to_owned());
            }
            "AWS::ApiGatewayV2::Api" => self.api(id, self.properties(properties)?)?,
            "AWS::ApiGatewayV2::Stage" => {
                let stage: r::Stage = self.properties(properties)?;
                let websocket = self.template.websocket.get_or_insert(WebSocketApi {
                    name: String::new(),
                    stage: String::new(),
                    routes: Vec::new(),
                });
                // An HTTP API is served at its root whatever its stage; the template's is `$default`.
                if stage.stage_name != "$default" {
                    websocket.stage = stage.stage_name;
                    websocket.name = stage.api_id;
                } else {
                    self.routes_with_settings.extend(stage.route_settings.into_keys());
                }
            }
            "AWS::ApiGatewayV2::Integration" => {
                let integration: r::Integration = self.properties(properties)?;
                if integration.integration_type != "AWS_PROXY" {
                    return Err(format!("integrations of type {} are not known", integration.integration_type));
                }
                if integration.payload_format_version.is_some_and(|version| version != "2.0") {
                    return Err("only payload format 2.0 is known".into());
                }
                let function = integration.integration_uri.rsplit_once(":function:");
                let function = function.map(|(_, rest)| rest.split('/').next().unwrap_or(rest));
                let function = function.ok_or("its IntegrationUri names no function")?;
                self.integrations.insert(id.to_owned(), function.to_owned());
            }
            "AWS::ApiGatewayV2::Route" => routes.push((id.to_owned(), self.properties(properties)?)),
            // Who may invoke a function or send to a queue, and by which ways a bucket is reached, is AWS's to enforce.
            "AWS::Lambda::Permission" | "AWS::SQS::QueuePolicy" | "AWS::S3::BucketPolicy" => {}
            "AWS::Events::Rule" => {
                let rule: r::Rule = self.properties(properties)?;
                if rule.event_pattern.source != ["aws.ses"] || self.template.mail_feedback.is_some() {
                    return Err("only one rule, for events of aws.ses, is known".into());
                }
                let [r::Target { arn, input_path: Some(path), .. }] = rule.targets.as_slice() else {
                    return Err("only one target, of $.detail, is known".into());
                };
                if path != "$.detail" || !arn.contains(":sqs:") {
                    return Err(format!("the target {arn} of {path} is not known: only a queue, of $.detail"));
                }
                self.template.mail_feedback = Some(last(arn, ':'));
            }
            "AWS::IAM::Role" => {
                let role: r::Role = self.properties(properties)?;
                let statements: Vec<_> =
                    role.policies.into_iter().flat_map(|policy| policy.policy_document.statement).collect();
                if statements.iter().any(|statement| statement.effect != "Allow") {
                    return Err("only statements that allow something are known".into());
                }
                let permissions = statements.iter().flat_map(|statement| {
                    let on = |action: &String, resource: &String| Permission {
                        action: action.clone(),
                        resource: resource.clone(),
                    };
                    statement
                        .action
                        .iter()
                        .flat_map(move |action| statement.resource.iter().map(move |resource| on(action, resource)))
                });
                self.template.roles.push(Role { name: id.to_owned(), permissions: permissions.collect() });
            }
            // What is watched, logged and mailed from in AWS only.
            "AWS::CloudWatch::Alarm"
            | "AWS::CloudWatch::Dashboard"
            | "AWS::IAM::ManagedPolicy"
            | "AWS::Logs::LogGroup"
            | "AWS::Logs::MetricFilter"
            | "AWS::SES::ConfigurationSet"
            | "AWS::SES::ConfigurationSetEventDestination"
            | "AWS::SES::EmailIdentity"
            | "AWS::SNS::Subscription"
            | "AWS::SNS::Topic" => {}
            _ => return Err(format!("resources of type {kind} are not known")),
        }
        Ok(())
    }

    fn properties<T: DeserializeOwned>(&self, properties: &Value) -> Result<T, String> {
        serde_json::from_value(self.scope.resolve(properties)?).map_err(|error| error.to_string())
    }

    fn function(&mut self, id: &str, properties: &Value) -> Result<(), String> {
        let function: r::Function = self.properties(properties)?;
        if function.runtime != "provided.al2023" {
            return Err(format!("the runtime {} is not known", function.runtime));
        }
        for (name, event) in function.events {
            self.event(id, event).map_err(|error| format!("{name}: {error}"))?;
        }
        let variables = function.environment.variables.into_iter().map(|(name, value)| match value {
            Value::String(value) => Ok((name, value)),
            Value::Number(_) | Value::Bool(_) => Ok((name, value.to_string())),
            _ => Err(format!("the variable {name} is not a text")),
        });
        self.template.functions.push(Function {
            name: id.to_owned(),
            binary: last(function.code_uri.trim_end_matches('/'), '/'),
            memory_mb: function.memory_size,
            timeout: Duration::from_secs(function.timeout),
            environment: variables.collect::<Result<_, _>>()?,
            role: function.role.map(|arn| last(&arn, '/')),
        });
        Ok(())
    }

    fn event(&mut self, function: &str, event: r::Event) -> Result<(), String> {
        let function = function.to_owned();
        match event {
            r::Event::Sqs(event) => self.template.queue_mappings.push(QueueMapping {
                function,
                queue: last(&event.queue, ':'),
                batch_size: event.batch_size,
                window: Duration::from_secs(event.maximum_batching_window_in_seconds),
                reports_item_failures: reports(&event.function_response_types)?,
                at_once: event.scaling_config.map(|config| config.maximum_concurrency),
            }),
            r::Event::DynamoDb(event) => {
                if event.starting_position != "TRIM_HORIZON" {
                    return Err(format!("the starting position {} is not known", event.starting_position));
                }
                let filters = event.filter_criteria.filters.iter().map(|filter| serde_json::from_str(&filter.pattern));
                let on_failure = event.destination_config.map(|config| config.on_failure);
                if let Some(other) = on_failure.as_ref().filter(|destination| destination.r#type != "SQS") {
                    return Err(format!("a destination of type {} is not known", other.r#type));
                }
                self.template.stream_mappings.push(StreamMapping {
                    function,
                    table: event.stream.split('/').nth(1).unwrap_or_default().to_owned(),
                    batch_size: event.batch_size,
                    filters: filters.collect::<Result<_, _>>().map_err(|error| format!("a filter: {error}"))?,
                    reports_item_failures: reports(&event.function_response_types)?,
                    bisects: event.bisect_batch_on_function_error,
                    max_retries: event.maximum_retry_attempts,
                    max_age: event.maximum_record_age_in_seconds,
                    on_failure: on_failure.map(|destination| last(&destination.destination, ':')),
                });
            }
            r::Event::Schedule(event) => {
                let input = event.input.map(|input| serde_json::from_str(&input)).transpose();
                let input = input.map_err(|error| format!("its input: {error}"))?;
                let every =
                    rate(&event.schedule).ok_or_else(|| format!("the schedule {} is not known", event.schedule))?;
                self.template.schedules.push(Schedule { function, every, input: input.unwrap_or(Value::Null) });
            }
        }
        Ok(())
    }

    fn table(&mut self, id: &str, table: r::Table) -> Result<(), String> {
        let mut create = json!({
            "TableName": id,
            "BillingMode": table.billing_mode,
            "AttributeDefinitions": table.attribute_definitions,
            "KeySchema": table.key_schema,
        });
        if let Some(indexes) = table.global_secondary_indexes {
            create["GlobalSecondaryIndexes"] = indexes;
        }
        if let Some(stream) = table.stream_specification {
            create["StreamSpecification"] = json!({ "StreamEnabled": true, "StreamViewType": stream.stream_view_type });
        }
        let ttl_attribute = table.time_to_live_specification.filter(|ttl| ttl.enabled).map(|ttl| ttl.attribute_name);
        self.template.tables.push(Table { name: id.to_owned(), create, ttl_attribute });
        Ok(())
    }

    fn api(&mut self, id: &str, api: r::Api) -> Result<(), String> {
        match (api.protocol_type.as_str(), api.route_selection_expression.as_deref()) {
            ("HTTP", None) => {}
            ("WEBSOCKET", Some("$request.body.action")) => {}
            (protocol, selection) => return Err(format!("{protocol} APIs with routes by {selection:?} are not known")),
        }
        if let Some(cors) = api.cors_configuration {
            self.template.http.cors = Some(Cors {
                allow_origins: cors.allow_origins,
                allow_methods: cors.allow_methods,
                allow_headers: cors.allow_headers,
                expose_headers: cors.expose_headers,
                max_age: cors.max_age,
                allow_credentials: cors.allow_credentials,
            });
        }
        if self.apis.values().any(|protocol| *protocol == api.protocol_type) {
            return Err(format!("a second {} API is not known", api.protocol_type));
        }
        self.apis.insert(id.to_owned(), api.protocol_type);
        Ok(())
    }

    fn add_route(&mut self, route: r::Route) -> Result<(), String> {
        let integration = route.target.strip_prefix("integrations/").ok_or("its target is not an integration")?;
        let function =
            self.integrations.get(integration).ok_or_else(|| format!("there is no integration {integration}"))?;
        let key = Route { key: route.route_key, function: function.clone() };
        match self.apis.get(&route.api_id).map(String::as_str) {
            Some("HTTP") => self.template.http.routes.push(key),
            Some(_) => match &mut self.template.websocket {
                Some(websocket) => websocket.routes.push(key),
                None => return Err("its API has no stage".into()),
            },
            None => return Err(format!("there is no API {}", route.api_id)),
        }
        Ok(())
    }

    fn finish(self) -> Result<Template, String> {
        let mut template = self.template;
        if !self.apis.values().any(|protocol| protocol == "WEBSOCKET") {
            template.websocket = None;
        }
        let routes: BTreeSet<_> = template.http.routes.iter().map(|route| &route.key).collect();
        if let Some(unknown) = self.routes_with_settings.iter().find(|route| !routes.contains(route)) {
            return Err(format!("the stage has settings for {unknown}, which is no route"));
        }
        let queues: BTreeSet<_> = template.queues.iter().map(|queue| &queue.name).collect();
        let named = template.queues.iter().filter_map(|queue| queue.dead_letters.as_ref().map(|dead| &dead.queue));
        let named = named.chain(template.queue_mappings.iter().map(|mapping| &mapping.queue));
        let named = named.chain(&template.mail_feedback);
        let mut named = named.chain(template.stream_mappings.iter().filter_map(|mapping| mapping.on_failure.as_ref()));
        if let Some(unknown) = named.find(|queue| !queues.contains(queue)) {
            return Err(format!("there is no queue {unknown}"));
        }
        Ok(template)
    }
}

/// SAM's rule: a function's own properties go before the globals, environments are joined.
fn merged(globals: &Value, own: &Value) -> Value {
    match (globals, own) {
        (Value::Object(globals), Value::Object(own)) => {
            let mut both = globals.clone();
            for (key, value) in own {
                let value = both.get(key).map_or_else(|| value.clone(), |global| merged(global, value));
                both.insert(key.clone(), value);
            }
            Value::Object(both)
        }
        (_, own) => own.clone(),
    }
}

fn reports(response_types: &[String]) -> Result<bool, String> {
    match response_types {
        [] => Ok(false),
        [one] if one == "ReportBatchItemFailures" => Ok(true),
        _ => Err(format!("the response types {response_types:?} are not known")),
    }
}

/// `rate(5 minutes)`.
fn rate(expression: &str) -> Option<Duration> {
    let (number, unit) = expression.strip_prefix("rate(")?.strip_suffix(')')?.split_once(' ')?;
    let unit = match unit.trim_end_matches('s') {
        "minute" => 60,
        "hour" => 60 * 60,
        "day" => 24 * 60 * 60,
        _ => return None,
    };
    Some(Duration::from_secs(number.parse::<u64>().ok()? * unit))
}

fn last(text: &str, separator: char) -> String {
    text.rsplit(separator).next().unwrap_or(text).to_owned()
}
