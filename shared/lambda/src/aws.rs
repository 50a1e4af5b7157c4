//! Clients of AWS, from what Lambda puts into the environment and nothing else.
//!
//! The SDK's own loader would look for profiles, single sign-on and instance metadata, none of which a function has;
//! leaving it out makes the start faster and the binaries smaller.

use std::time::Duration;

use aws_credential_types::Credentials;
use aws_credential_types::provider::SharedCredentialsProvider;
use aws_smithy_runtime_api::client::behavior_version::BehaviorVersion;
use aws_smithy_runtime_api::client::stalled_stream_protection::StalledStreamProtectionConfig;
use aws_smithy_types::timeout::TimeoutConfig;
use aws_types::SdkConfig;
use aws_types::region::Region;
#[cfg(feature = "aws-sdk-dynamodb")]
use waybill_storage::Table;

use crate::bucket::Bucket;
use crate::connections::Connections;
use crate::settings::{self, Missing};

/// Where the clients of one function come from.
pub struct Aws {
    shared: SdkConfig,
    credentials: Credentials,
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
        let patience = TimeoutConfig::builder()
            .operation_attempt_timeout(Duration::from_secs(3))
            .operation_timeout(Duration::from_secs(8))
            .build();
        let mut shared = SdkConfig::builder()
            .behavior_version(BehaviorVersion::latest())
            .region(Region::new(region))
            .credentials_provider(SharedCredentialsProvider::new(credentials.clone()))
            .http_client(Connections::new())
            .stalled_stream_protection(StalledStreamProtectionConfig::disabled())
            .timeout_config(patience);
        shared.set_endpoint_url(settings::optional("AWS_ENDPOINT_URL"));
        Ok(Aws { shared: shared.build(), credentials })
    }

    /// The bucket of this name.
    pub fn bucket(&self, name: &str) -> Bucket {
        let region = self.shared.region().map(ToString::to_string).unwrap_or_default();
        Bucket::new(name, region, self.credentials.clone(), self.shared.endpoint_url())
    }

    /// The shop's table, `TABLE_NAME`.
    #[cfg(feature = "aws-sdk-dynamodb")]
    pub fn table(&self) -> Result<Table, Missing> {
        let name = settings::read(|variables| variables.text("TABLE_NAME"))?;
        let mut config = aws_sdk_dynamodb::Config::from(&self.shared).to_builder().interceptor(crate::plain::Plain);
        if let Some(endpoint) = settings::optional("AWS_ENDPOINT_URL_DYNAMODB") {
            config.set_endpoint_url(Some(endpoint));
        }
        Ok(Table::new(aws_sdk_dynamodb::Client::from_conf(config.build()), name))
    }

    #[cfg(feature = "aws-sdk-sqs")]
    pub fn queues(&self) -> aws_sdk_sqs::Client {
        aws_sdk_sqs::Client::new(&self.shared)
    }

    #[cfg(feature = "aws-sdk-sesv2")]
    pub fn mail(&self) -> aws_sdk_sesv2::Client {
        aws_sdk_sesv2::Client::new(&self.shared)
    }

    /// Posts to the WebSocket API at `endpoint`.
    #[cfg(feature = "aws-sdk-apigatewaymanagement")]
    pub fn websockets(&self, endpoint: &str) -> aws_sdk_apigatewaymanagement::Client {
        let config = aws_sdk_apigatewaymanagement::Config::from(&self.shared).to_builder().endpoint_url(endpoint);
        aws_sdk_apigatewaymanagement::Client::from_conf(config.build())
    }

    /// The value of a secret, by its ARN.
    #[cfg(feature = "aws-sdk-secretsmanager")]
    pub async fn secret(&self, arn: &str) -> Result<String, crate::Error> {
        let client = aws_sdk_secretsmanager::Client::new(&self.shared);
        let answer =
            client.get_secret_value().secret_id(arn).send().await.map_err(|error| {
                format!("secret {arn}: {}", aws_sdk_secretsmanager::error::DisplayErrorContext(error))
            })?;
        answer.secret_string.ok_or_else(|| format!("secret {arn} is not text").into())
    }
}
