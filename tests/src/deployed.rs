//! A stack that was deployed to an AWS endpoint on this machine, in the place of infra/local.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use reqwest::Client;
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::sync::{Mutex, OwnedMutexGuard};
use waybill_local::Addresses;
use waybill_local::stripe::{self, StandIn};

/// What `infra/tools/ministack deploy` writes down of a stack. The variable `WAYBILL_STACK` names the file.
#[derive(Deserialize)]
struct Stack {
    /// Of all services, without a slash at the end.
    endpoint: String,
    /// The port that the parameter StripeApiUrl points to.
    stripe_port: u16,
    /// Names, URLs and ARNs by logical id, as `Ref` answers them.
    resources: BTreeMap<String, String>,
}

/// The stack while one test has it for itself, emptied of what others left.
pub struct Deployed {
    stack: Stack,
    http: Client,
    addresses: Addresses,
    stand_in: StandIn,
    _alone: OwnedMutexGuard<()>,
}

/// Whether tests are to use a deployed stack.
pub fn is_wanted() -> bool {
    std::env::var_os("WAYBILL_STACK").is_some()
}

impl Deployed {
    pub async fn open() -> Deployed {
        static ONE_AT_A_TIME: LazyLock<std::sync::Arc<Mutex<()>>> = LazyLock::new(Default::default);
        let alone = ONE_AT_A_TIME.clone().lock_owned().await;
        let file = std::env::var("WAYBILL_STACK").expect("WAYBILL_STACK names a file");
        let stack: Stack = serde_json::from_slice(&std::fs::read(file).unwrap()).unwrap();
        let local = ["http://127.0.0.1:", "http://localhost:"].iter().any(|local| stack.endpoint.starts_with(local));
        assert!(local, "tests empty the table: never anything but an endpoint on this machine");
        let gateway =
            |api: &str, stage: &str| format!("{}/_aws/execute-api/{}/{stage}", stack.endpoint, stack.resources[api]);
        let stripe_url = format!("http://127.0.0.1:{}", stack.stripe_port);
        let addresses = Addresses {
            api: gateway("HttpApi", "$default"),
            websocket: gateway("WebSocketApi", "live").replace("http://", "ws://"),
            mail: stack.endpoint.clone(),
            stripe: Some(stripe_url.clone()),
            dynamodb: stack.endpoint.clone(),
            aws: stack.endpoint.clone(),
        };
        let http = Client::new();
        let settings = stripe::Settings {
            secret_key: secret(&http, &stack, "StripeApiKey").await,
            webhook_secret: secret(&http, &stack, "StripeWebhookKey").await,
            webhook_url: format!("{}/v1/stripe/events", addresses.api),
            store: None,
            public_url: stripe_url,
        };
        let listener = tokio::net::TcpListener::bind(("127.0.0.1", stack.stripe_port)).await.unwrap();
        let stand_in = stripe::start(listener, settings).unwrap();
        let deployed = Deployed { stack, http, addresses, stand_in, _alone: alone };
        deployed.empty().await;
        deployed
    }

    pub fn addresses(&self) -> &Addresses {
        &self.addresses
    }

    pub async fn stop(self) {
        self.stand_in.stop().await;
    }

    pub async fn make_administrator(&self, email: &str, password: &str) {
        let function = &self.stack.resources["AccountsFunction"];
        let url = format!("{}/2015-03-31/functions/{function}/invocations", self.stack.endpoint);
        let command = json!({ "create_administrator": { "email": email, "password": password } });
        let request = self.http.post(url).header("authorization", authorization("lambda")).json(&command);
        let answer = request.send().await.unwrap();
        let failed = answer.headers().get("x-amz-function-error").is_some() || !answer.status().is_success();
        let text = answer.text().await.unwrap();
        assert!(!failed, "{text}");
    }

    /// The mails to an address, the oldest first, with the fields that infra/local's outbox has too.
    pub async fn mails_to(&self, email: &str) -> Vec<Value> {
        let url = format!("{}/_ministack/ses/messages", self.stack.endpoint);
        let answer = self.http.get(url).send().await.unwrap();
        if answer.status() == 404 {
            return self.localstack_mails_to(email).await;
        }
        let answer: Value = answer.json().await.unwrap();
        let accounts = answer["messages"].as_object().cloned().unwrap_or_default();
        let mails = accounts.values().filter_map(Value::as_array).flatten();
        let theirs = mails.filter(|mail| names(&mail["To"], email));
        let shown = theirs.map(|mail| {
            json!({ "from": mail["Source"], "subject": mail["Subject"], "text": mail["BodyText"], "html": mail["BodyHtml"] })
        });
        shown.collect()
    }

    /// https://docs.localstack.cloud/aws/services/ses/
    async fn localstack_mails_to(&self, email: &str) -> Vec<Value> {
        let url = format!("{}/_aws/ses", self.stack.endpoint);
        let answer: Value = self.http.get(url).send().await.unwrap().json().await.unwrap();
        let mails = answer["messages"].as_array().cloned().unwrap_or_default();
        let theirs = mails.iter().filter(|mail| names(&mail["Destination"]["ToAddresses"], email));
        let shown = theirs.map(|mail| {
            let body = &mail["Body"];
            json!({ "from": mail["Source"], "subject": mail["Subject"], "text": body["text_part"], "html": body["html_part"] })
        });
        shown.collect()
    }

    /// Calls SQS about a queue of the template.
    pub async fn sqs(&self, action: &str, queue: &str, more: Value) -> Value {
        let mut asked = json!({ "QueueUrl": self.stack.resources[queue] });
        asked.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        call(&self.http, &self.stack.endpoint, &format!("AmazonSQS.{action}"), &asked).await
    }

    pub async fn secret(&self, name: &str) -> String {
        secret(&self.http, &self.stack, name).await
    }

    /// Scans the table, or an index of it.
    pub async fn scan(&self, mut scan: Value) -> Value {
        scan["TableName"] = json!(self.stack.resources["Table"]);
        call(&self.http, &self.stack.endpoint, "DynamoDB_20120810.Scan", &scan).await
    }

    /// All but the signing keys: running functions hold their halves of them.
    async fn empty(&self) {
        for queue in [
            "MailQueue",
            "PushQueue",
            "ImportQueue",
            "ExportQueue",
            "MailDeadLetters",
            "PushDeadLetters",
            "ImportDeadLetters",
            "ExportDeadLetters",
            "AnnounceDeadLetters",
        ] {
            self.sqs("PurgeQueue", queue, json!({})).await;
        }
        let table = &self.stack.resources["Table"];
        let dynamodb = async |action: &str, asked: &Value| {
            call(&self.http, &self.stack.endpoint, &format!("DynamoDB_20120810.{action}"), asked).await
        };
        loop {
            let scan = json!({
                "TableName": table,
                "ProjectionExpression": "pk, sk",
                "FilterExpression": "pk <> :keys",
                "ExpressionAttributeValues": { ":keys": { "S": "SIGNING_KEYS" } },
                "ConsistentRead": true,
            });
            let found = dynamodb("Scan", &scan).await;
            let items = found["Items"].as_array().unwrap_or_else(|| panic!("{found}"));
            if items.is_empty() {
                return;
            }
            for keys in items.chunks(25) {
                let deletes: Vec<_> = keys.iter().map(|key| json!({ "DeleteRequest": { "Key": key } })).collect();
                dynamodb("BatchWriteItem", &json!({ "RequestItems": { table.as_str(): deletes } })).await;
            }
        }
    }
}

async fn secret(http: &Client, stack: &Stack, name: &str) -> String {
    let asked = json!({ "SecretId": stack.resources[name] });
    let answer = call(http, &stack.endpoint, "secretsmanager.GetSecretValue", &asked).await;
    answer["SecretString"].as_str().unwrap_or_else(|| panic!("no secret {name}: {answer}")).to_owned()
}

fn names(addresses: &Value, email: &str) -> bool {
    addresses.as_array().is_some_and(|addresses| addresses.contains(&json!(email)))
}

/// A call in one of AWS's JSON protocols. An endpoint on localhost reads the service from the signature's scope and
/// does not check the rest.
async fn call(http: &Client, endpoint: &str, target: &str, body: &Value) -> Value {
    let service = match target.split(['.', '_']).next().unwrap_or_default() {
        "AmazonSQS" => "sqs",
        "DynamoDB" => "dynamodb",
        service => service,
    };
    let request = http
        .post(format!("{endpoint}/"))
        .header("x-amz-target", target)
        .header("content-type", "application/x-amz-json-1.0")
        .header("authorization", authorization(service))
        .body(body.to_string());
    let answer = request.send().await.unwrap();
    let (status, text) = (answer.status(), answer.text().await.unwrap());
    assert!(status.is_success(), "{target}: {status}: {text}");
    serde_json::from_str(&text).unwrap_or_default()
}

fn authorization(service: &str) -> String {
    format!(
        "AWS4-HMAC-SHA256 Credential=test/20260101/us-east-1/{service}/aws4_request, SignedHeaders=host, Signature=0"
    )
}
