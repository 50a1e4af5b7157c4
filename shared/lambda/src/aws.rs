//! Clients of AWS, from what Lambda puts into the environment and nothing else.
//!
//! The SDK's own loader would look for profiles, single sign-on and instance metadata, none of which a function has;
//! leaving it out makes the start faster and the binaries smaller.

use aws_credential_types::Credentials;
use aws_smithy_runtime_api::client::http::SharedHttpConnector;
use waybill_aws::{Client, Connections};
use waybill_storage::Table;

use crate::bucket::Bucket;
use crate::settings::{self, Missing};

/// Where the clients of one function come from.
pub struct Aws {
    region: String,
    credentials: Credentials,
    /// What stands in for AWS's own endpoints.
    endpoint: Option<String>,
    connections: SharedHttpConnector,
}

impl Aws {
    pub fn from_environment() -> Result<Aws, Missing> {
        let (region, credentials) = settings::read(|variables| {
            let region = variables.text("AWS_REGION");
            let key = variables.text("AWS_ACCESS_KEY_ID");
            let secret = variables.text("AWS_SECRET_ACCESS_KEY");
            let session = settings::optional("AWS_SESSION_TOKEN");
            (region, Credentials::new(key, secret, session, None, "environment"))
        })?;
        let connections = SharedHttpConnector::new(Connections::default());
        Ok(Aws { region, credentials, endpoint: settings::optional("AWS_ENDPOINT_URL"), connections })
    }

    /// The bucket of this name.
    pub fn bucket(&self, name: &str) -> Bucket {
        Bucket::new(name, self.region.clone(), self.credentials.clone(), self.endpoint.as_deref())
    }

    /// The shop's table, `TABLE_NAME`.
    pub fn table(&self) -> Result<Table, Missing> {
        let name = settings::read(|variables| variables.text("TABLE_NAME"))?;
        let client = match settings::optional("AWS_ENDPOINT_URL_DYNAMODB") {
            Some(endpoint) => self.at("dynamodb", endpoint),
            None => self.service("dynamodb", "dynamodb"),
        };
        Ok(Table::new(client, name))
    }

    pub fn queues(&self) -> Client {
        self.service("sqs", "sqs")
    }

    pub fn mail(&self) -> Client {
        self.service("ses", "email")
    }

    /// The browsers at the WebSocket API of this endpoint.
    #[cfg(feature = "aws-sdk-apigatewaymanagement")]
    pub fn browsers(&self, endpoint: &str) -> crate::browsers::Browsers {
        crate::browsers::Browsers::new(self.at("execute-api", endpoint))
    }

    /// The value of a secret, by its ARN.
    #[cfg(feature = "aws-sdk-secretsmanager")]
    pub async fn secret(&self, arn: &str) -> Result<String, crate::Error> {
        use aws_sdk_secretsmanager::error::DisplayErrorContext;
        use aws_sdk_secretsmanager::operation::get_secret_value::{
            GetSecretValue, GetSecretValueError, GetSecretValueInput, GetSecretValueOutput,
        };
        use waybill_aws::{Operation, RuntimePlugin};

        static GET_SECRET_VALUE: Operation<GetSecretValueInput, GetSecretValueOutput, GetSecretValueError> =
            Operation::new(|| GetSecretValue::new().config());

        let client = self.service("secretsmanager", "secretsmanager");
        let answer = client.call(&GET_SECRET_VALUE, GetSecretValueInput::builder().secret_id(arn).build()).await;
        let answer = answer.map_err(|error| format!("secret {arn}: {}", DisplayErrorContext(error)))?;
        answer.secret_string.ok_or_else(|| format!("secret {arn} is not text").into())
    }

    /// A client of a service, by the name that it is signed for and the one of its endpoint, in AWS's partitions for
    /// everybody and for China; elsewhere `AWS_ENDPOINT_URL` has to say.
    fn service(&self, name: &'static str, host: &str) -> Client {
        let suffix = if self.region.starts_with("cn-") { "amazonaws.com.cn" } else { "amazonaws.com" };
        let of_region = || format!("https://{host}.{}.{suffix}", self.region);
        self.at(name, self.endpoint.clone().unwrap_or_else(of_region))
    }

    fn at(&self, name: &'static str, endpoint: impl Into<String>) -> Client {
        Client::new(self.connections.clone(), name, &self.region, endpoint, self.credentials.clone())
    }
}
