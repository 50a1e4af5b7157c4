//! The properties of each type of resource that localhost plays. A property that is not listed is an error.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde::de::IgnoredAny;
use serde_json::Value;

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "PascalCase")]
pub struct Function {
    pub code_uri: String,
    pub runtime: String,
    pub memory_size: u32,
    pub timeout: u64,
    #[serde(default)]
    pub environment: Environment,
    #[serde(default)]
    pub events: BTreeMap<String, Event>,
    #[serde(rename = "Handler")]
    _handler: IgnoredAny,
    #[serde(rename = "Architectures")]
    _architectures: IgnoredAny,
    #[serde(rename = "Description")]
    _description: Option<IgnoredAny>,
    pub role: Option<String>,
    /// What is watched in AWS only.
    #[serde(rename = "Tracing")]
    _tracing: Option<IgnoredAny>,
    #[serde(rename = "LoggingConfig")]
    _logging: Option<IgnoredAny>,
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "PascalCase")]
pub struct Environment {
    pub variables: BTreeMap<String, Value>,
}

#[derive(Deserialize)]
#[serde(tag = "Type", content = "Properties")]
pub enum Event {
    #[serde(rename = "SQS")]
    Sqs(QueueEvent),
    #[serde(rename = "DynamoDB")]
    DynamoDb(Box<StreamEvent>),
    Schedule(ScheduleEvent),
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "PascalCase")]
pub struct QueueEvent {
    pub queue: String,
    #[serde(default = "ten")]
    pub batch_size: usize,
    #[serde(default)]
    pub maximum_batching_window_in_seconds: u64,
    #[serde(default)]
    pub function_response_types: Vec<String>,
    pub scaling_config: Option<ScalingConfig>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "PascalCase")]
pub struct ScalingConfig {
    pub maximum_concurrency: usize,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "PascalCase")]
pub struct StreamEvent {
    pub stream: String,
    #[serde(default = "hundred")]
    pub batch_size: usize,
    #[serde(default)]
    pub bisect_batch_on_function_error: bool,
    #[serde(default)]
    pub function_response_types: Vec<String>,
    pub maximum_retry_attempts: Option<u32>,
    pub maximum_record_age_in_seconds: Option<i64>,
    pub destination_config: Option<DestinationConfig>,
    #[serde(default)]
    pub filter_criteria: FilterCriteria,
    /// Always the oldest record that there is.
    pub starting_position: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "PascalCase")]
pub struct DestinationConfig {
    pub on_failure: OnFailure,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "PascalCase")]
pub struct OnFailure {
    pub r#type: String,
    pub destination: String,
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "PascalCase")]
pub struct FilterCriteria {
    pub filters: Vec<Filter>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "PascalCase")]
pub struct Filter {
    pub pattern: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "PascalCase")]
pub struct ScheduleEvent {
    pub schedule: String,
    pub input: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "PascalCase")]
pub struct Api {
    pub protocol_type: String,
    pub cors_configuration: Option<Cors>,
    pub route_selection_expression: Option<String>,
    #[serde(rename = "Name")]
    _name: IgnoredAny,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "PascalCase")]
pub struct Cors {
    #[serde(default)]
    pub allow_origins: Vec<String>,
    #[serde(default)]
    pub allow_methods: Vec<String>,
    #[serde(default)]
    pub allow_headers: Vec<String>,
    #[serde(default)]
    pub expose_headers: Vec<String>,
    pub max_age: Option<u64>,
    #[serde(default)]
    pub allow_credentials: bool,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "PascalCase")]
pub struct Stage {
    pub api_id: String,
    pub stage_name: String,
    /// Routes with settings of their own must be there; that is all that localhost makes of them.
    #[serde(default)]
    pub route_settings: BTreeMap<String, IgnoredAny>,
    #[serde(rename = "AutoDeploy")]
    _auto_deploy: IgnoredAny,
    /// Nobody is throttled on localhost.
    #[serde(rename = "DefaultRouteSettings")]
    _default_route_settings: Option<IgnoredAny>,
    #[serde(rename = "AccessLogSettings")]
    _access_log: Option<IgnoredAny>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "PascalCase")]
pub struct Integration {
    pub integration_type: String,
    pub integration_uri: String,
    pub payload_format_version: Option<String>,
    #[serde(rename = "ApiId")]
    _api_id: IgnoredAny,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "PascalCase")]
pub struct Route {
    pub api_id: String,
    pub route_key: String,
    pub target: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "PascalCase")]
pub struct Table {
    pub billing_mode: Value,
    pub attribute_definitions: Value,
    pub key_schema: Value,
    pub global_secondary_indexes: Option<Value>,
    pub stream_specification: Option<StreamSpecification>,
    pub time_to_live_specification: Option<TimeToLive>,
    #[serde(rename = "PointInTimeRecoverySpecification")]
    _recovery: Option<IgnoredAny>,
    #[serde(rename = "SSESpecification")]
    _encryption: Option<IgnoredAny>,
    #[serde(rename = "DeletionProtectionEnabled")]
    _deletion_protection: Option<IgnoredAny>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "PascalCase")]
pub struct StreamSpecification {
    pub stream_view_type: Value,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "PascalCase")]
pub struct TimeToLive {
    pub attribute_name: String,
    pub enabled: bool,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "PascalCase")]
pub struct Queue {
    /// CloudFormation's default is 30 s.
    #[serde(default = "thirty")]
    pub visibility_timeout: u64,
    /// CloudFormation's default is four days.
    #[serde(default = "four_days")]
    pub message_retention_period: u64,
    pub redrive_policy: Option<RedrivePolicy>,
    #[serde(rename = "SqsManagedSseEnabled")]
    _encryption: Option<IgnoredAny>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct RedrivePolicy {
    pub dead_letter_target_arn: String,
    pub max_receive_count: u32,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "PascalCase")]
pub struct Rule {
    pub event_pattern: EventPattern,
    pub targets: Vec<Target>,
    #[serde(rename = "Description")]
    _description: Option<IgnoredAny>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EventPattern {
    pub source: Vec<String>,
    /// There is one configuration set here, so all of SES's events are its own.
    #[serde(rename = "detail")]
    _detail: Option<IgnoredAny>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "PascalCase")]
pub struct Target {
    pub arn: String,
    pub input_path: Option<String>,
    #[serde(rename = "Id")]
    _id: IgnoredAny,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "PascalCase")]
pub struct Secret {
    pub generate_secret_string: GenerateSecretString,
    #[serde(rename = "Description")]
    _description: Option<IgnoredAny>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "PascalCase")]
pub struct GenerateSecretString {
    pub password_length: usize,
    /// Local ones are letters and digits, whatever is asked.
    #[serde(rename = "ExcludePunctuation")]
    _exclude_punctuation: Option<IgnoredAny>,
}

/// Files of a local bucket stay as long as its store does, and whoever reads the disk reads them.
#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "PascalCase")]
pub struct Bucket {
    #[serde(rename = "BucketEncryption")]
    _encryption: Option<IgnoredAny>,
    #[serde(rename = "LifecycleConfiguration")]
    _lifecycle: Option<IgnoredAny>,
    #[serde(rename = "OwnershipControls")]
    _ownership: Option<IgnoredAny>,
    #[serde(rename = "PublicAccessBlockConfiguration")]
    _public_access: Option<IgnoredAny>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "PascalCase")]
pub struct Role {
    pub policies: Vec<Policy>,
    #[serde(rename = "AssumeRolePolicyDocument")]
    _trust: IgnoredAny,
    /// Logs and traces, which localhost does not send to AWS.
    #[serde(rename = "ManagedPolicyArns")]
    _managed: Option<IgnoredAny>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "PascalCase")]
pub struct Policy {
    pub policy_document: PolicyDocument,
    #[serde(rename = "PolicyName")]
    _name: IgnoredAny,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "PascalCase")]
pub struct PolicyDocument {
    pub statement: Vec<Statement>,
    #[serde(rename = "Version")]
    _version: IgnoredAny,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "PascalCase")]
pub struct Statement {
    pub effect: String,
    pub action: Vec<String>,
    pub resource: Vec<String>,
}

fn ten() -> usize {
    10
}

fn hundred() -> usize {
    100
}

fn thirty() -> u64 {
    30
}

fn four_days() -> u64 {
    4 * 24 * 60 * 60
}
