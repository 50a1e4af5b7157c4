//! For tests: the real SDKs' clients against an endpoint of this program.

use std::path::Path;

use aws_credential_types::Credentials;
use axum::Router;
use tokio::net::TcpListener;

use crate::aws::{Aws, router};
use crate::lambda::Invoke;
use crate::template::Template;

pub(crate) struct Endpoint {
    pub url: String,
    pub aws: Aws,
}

macro_rules! client {
    ($name:ident, $sdk:ident) => {
        pub fn $name(&self) -> $sdk::Client {
            let http = aws_smithy_http_client::Builder::new().build_http();
            let config = $sdk::Config::builder()
                .behavior_version($sdk::config::BehaviorVersion::latest())
                .region($sdk::config::Region::new("us-east-1"))
                .credentials_provider(Credentials::new("local", "local", None, None, "test"))
                .http_client(http)
                .endpoint_url(&self.url);
            $sdk::Client::from_conf(config.build())
        }
    };
}

impl Endpoint {
    pub async fn open(template: &Template, folder: Option<&Path>, invoke: Invoke) -> Endpoint {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let url = format!("http://{}", listener.local_addr().expect("bound"));
        let aws = Aws::open(template, &url, folder, invoke).expect("opens");
        let app = router(aws.clone(), Router::new());
        tokio::spawn(async move { axum::serve(listener, app).await });
        Endpoint { url, aws }
    }

    client!(sqs, aws_sdk_sqs);
    client!(ses, aws_sdk_sesv2);
    client!(secrets, aws_sdk_secretsmanager);
}

/// A function that nothing invokes.
pub(crate) fn idle() -> Invoke {
    Invoke::with(|function, _| async move { Err(crate::functions::InvokeError::Unknown(function)) })
}

/// A folder of the test's own, gone when the test has ended.
pub(crate) struct Folder(std::path::PathBuf);

impl Folder {
    pub fn new() -> Folder {
        let path = std::env::temp_dir().join(format!("waybill-{}", uuid::Uuid::new_v4()));
        std::fs::create_dir(&path).expect("a folder");
        Folder(path)
    }
}

impl std::ops::Deref for Folder {
    type Target = Path;
    fn deref(&self) -> &Path {
        &self.0
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}
