//! The shop that is asked, and what it answers.

use std::path::PathBuf;
use std::process::Command;
use std::sync::Mutex;
use std::time::{Duration, Instant};

use reqwest::{Method, RequestBuilder};
use serde_json::Value;

/// A token of the administrator lives for a quarter of an hour.
const FRESH: Duration = Duration::from_secs(600);

/// Where the shop is. `infra/tools/with-shop` tells.
#[derive(clap::Args)]
pub struct Shop {
    /// The shop's API.
    #[arg(long, env = "WAYBILL_API")]
    pub api: String,
    /// Its stand-in for Stripe.
    #[arg(long, env = "WAYBILL_STRIPE")]
    pub stripe: String,
    /// The process of its host.
    #[arg(long, env = "WAYBILL_HOST")]
    pub host: u32,
    /// The folder that its data is in.
    #[arg(long, env = "WAYBILL_STORE")]
    pub store: PathBuf,
    /// What prints an access token of the administrator or a customer, when it is run with that word.
    #[arg(long, env = "WAYBILL_TOKEN")]
    token: String,
    #[arg(skip)]
    http: reqwest::Client,
    #[arg(skip)]
    staff: Mutex<Option<(String, Instant)>>,
}

/// What was not answered as it should be, and what was answered instead.
#[derive(Debug)]
pub struct Refused(pub String);

impl Shop {
    /// An access token of somebody who has just signed up.
    pub fn customer(&self) -> String {
        self.token("customer")
    }

    /// An access token of the administrator.
    pub fn staff(&self) -> String {
        let mut kept = self.staff.lock().unwrap();
        match &*kept {
            Some((token, at)) if at.elapsed() < FRESH => token.clone(),
            _ => kept.insert((self.token("administrator"), Instant::now())).0.clone(),
        }
    }

    fn token(&self, who: &str) -> String {
        let command = format!("{} {who}", self.token);
        let said = Command::new("sh").args(["-c", &command]).output().unwrap();
        assert!(said.status.success(), "{command}: {}", String::from_utf8_lossy(&said.stderr));
        String::from_utf8_lossy(&said.stdout).trim().to_owned()
    }

    /// What is asked for as the administrator, once.
    pub fn request(&self, method: Method, path: &str) -> RequestBuilder {
        let request = self.http.request(method, format!("{}{path}", self.api)).bearer_auth(self.staff());
        request.header("idempotency-key", uuid::Uuid::new_v4().to_string())
    }

    pub async fn get(&self, path: &str) -> Value {
        self.sure(self.request(Method::GET, path), path).await
    }

    pub async fn post(&self, path: &str, body: &Value) -> Value {
        self.sure(self.request(Method::POST, path).json(body), path).await
    }

    /// What has to be answered well, or nothing can be measured.
    pub async fn sure(&self, request: RequestBuilder, what: &str) -> Value {
        answer(request).await.unwrap_or_else(|Refused(why)| panic!("{what}: {why}"))
    }
}

pub async fn answer(request: RequestBuilder) -> Result<Value, Refused> {
    let broken = |error: reqwest::Error| Refused(error.to_string());
    let answer = request.send().await.map_err(broken)?;
    let well = answer.status().is_success();
    let body = answer.text().await.map_err(broken)?;
    if well { Ok(serde_json::from_str(&body).unwrap_or_default()) } else { Err(Refused(body)) }
}

pub fn text(value: Value, name: &str) -> Result<String, Refused> {
    value[name].as_str().map(str::to_owned).ok_or_else(|| Refused(format!("no {name}")))
}
