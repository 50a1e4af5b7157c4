//! What lies between the functions of a simulated shop: their calls of AWS and of Stripe, answered in this process after
//! whatever goes wrong with them by the seed; and the killing of functions between any two calls.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::atomic::{AtomicU32, Ordering::Relaxed};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use aws_credential_types::Credentials;
use aws_smithy_runtime_api::client::http::{HttpConnector, HttpConnectorFuture, SharedHttpConnector};
use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse};
use aws_smithy_runtime_api::client::result::ConnectorError;
use aws_smithy_types::body::SdkBody;
use axum::Router;
use axum::body::{Body, Bytes, to_bytes};
use http::{Request, Response};
use serde_json::{Value, json};
use tokio::sync::Notify;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::time::{Instant, sleep, timeout};
use tower::ServiceExt;
use waybill_aws::Client;
use waybill_local::stripe::InProcess;
use waybill_local::{FaultSwitch, Faults};
use waybill_tests::Dice;

use super::engine::Engine;

/// What is on its way to a function.
#[derive(Clone, Debug)]
pub enum Post {
    /// A record of the table's stream.
    Record(Value),
    /// A message on a queue.
    Message { queue: String, body: String },
    /// An event of Stripe's.
    Event(Value),
}

/// How long Lambda lets an invocation run.
const LONGEST: Duration = Duration::from_secs(30);
/// In percent of all invocations: those that are killed, if they make as many calls.
const DEATHS: u64 = 10;
/// No invocation is killed later than at this call: most make fewer.
const LAST_CALL: u64 = 14;

tokio::task_local! {
    static LIFE: Arc<Life>;
}

/// An invocation.
struct Life {
    /// The step at which it is killed. Each call has two: before it, and after it before its answer is heard.
    dies_at: Option<u32>,
    steps: AtomicU32,
    end: Notify,
    /// The message that it works off, or what else it is about.
    about: String,
}

/// Clones are the same wire.
#[derive(Clone)]
pub struct Wire(Arc<Inner>);

struct Inner {
    table: Router,
    faults: FaultSwitch,
    stripe: InProcess,
    post: UnboundedSender<Post>,
    begin: Instant,
    state: Mutex<State>,
}

struct State {
    dice: Dice,
    is_rough: bool,
    trace: DefaultHasher,
    calls: u64,
    /// Whether each call is told on standard error.
    is_told: bool,
    seen: Seen,
}

/// What reached the world outside.
#[derive(Clone, Debug, Default)]
pub struct Seen {
    /// The messages of the mails that went out.
    pub mails: Vec<String>,
    /// Messages whose run broke off after the mail and before its note.
    pub unnoted: Vec<String>,
    /// The ids of the updates that browsers got.
    pub updates: Vec<String>,
    /// The pages that Stripe has made for each order.
    pub pages: BTreeMap<String, BTreeSet<String>>,
}

impl Seen {
    /// How often a mail's note was missed.
    pub fn unnoted(&self, message: &str) -> usize {
        self.unnoted.iter().filter(|unnoted| *unnoted == message).count()
    }
}

impl Wire {
    /// A wire on which nothing goes wrong yet, and what comes over it.
    pub fn new(seed: u64, stripe: InProcess, is_told: bool) -> (Wire, UnboundedReceiver<Post>) {
        let (post, arriving) = unbounded_channel();
        let faults = FaultSwitch::default();
        let table = Engine::new(post.clone()).routes(faults.clone());
        let (dice, trace) = (Dice::new(seed), DefaultHasher::new());
        let state = State { dice, is_rough: false, trace, calls: 0, is_told, seen: Seen::default() };
        let inner = Inner { table, faults, stripe, post, begin: Instant::now(), state: Mutex::new(state) };
        (Wire(Arc::new(inner)), arriving)
    }

    /// From now on things go wrong, or nothing does.
    pub fn set_rough(&self, seed: Option<u64>) {
        let longest_delay = Duration::from_millis(40);
        let faults = |seed| Faults { seed, conflicts: 20, throttles: 5, lost_replies: 5, longest_delay };
        self.0.faults.set(seed.map(faults));
        self.0.state.lock().unwrap().is_rough = seed.is_some();
    }

    pub fn seen(&self) -> Seen {
        self.0.state.lock().unwrap().seen.clone()
    }

    /// How often the mail of a message went out.
    pub fn mailed(&self, message: &str) -> usize {
        let mails = &self.0.state.lock().unwrap().seen.mails;
        mails.iter().filter(|mailed| *mailed == message).count()
    }

    /// The run that sent the mail of a message broke off before its note.
    pub fn note_unnoted(&self, message: &str) {
        self.0.state.lock().unwrap().seen.unnoted.push(message.to_owned());
    }

    /// Forgets what has reached the world so far.
    pub fn forget(&self) {
        self.0.state.lock().unwrap().seen = Seen::default();
    }

    /// A number that two histories have in common only if the same calls got the same answers at the same times; and how
    /// many there were.
    pub fn trace(&self) -> (u64, u64) {
        let state = self.0.state.lock().unwrap();
        (state.trace.finish(), state.calls)
    }

    /// A client of a service, by the name that it is signed for.
    pub fn client(&self, service: &'static str) -> Client {
        let connector = SharedHttpConnector::new(Connector(self.clone()));
        let credentials = Credentials::new("key", "secret", None, None, "simulated");
        Client::new(connector, service, "us-east-1", "http://aws.example.com", credentials)
    }

    /// Invokes a function; None if it was killed or took too long.
    pub async fn invoke<T>(&self, about: &str, work: impl Future<Output = T>) -> Option<T> {
        let life = {
            let mut state = self.0.state.lock().unwrap();
            let (dies, at) = (state.dice.comes(DEATHS), 1 + state.dice.roll(2 * LAST_CALL));
            let dies_at = (dies && state.is_rough).then_some(at as u32);
            Arc::new(Life { dies_at, steps: AtomicU32::new(0), end: Notify::new(), about: about.to_owned() })
        };
        let done = tokio::select! {
            biased;
            () = life.end.notified() => None,
            done = LIFE.scope(life.clone(), timeout(LONGEST, work)) => done.ok(),
        };
        self.note(about, if done.is_some() { "done" } else { "killed" }, 0);
        done
    }

    /// What a call of AWS is answered.
    async fn call(&self, request: HttpRequest) -> Result<HttpResponse, ConnectorError> {
        let target = request.headers().get("x-amz-target").unwrap_or(request.uri()).to_owned();
        let body = Bytes::copy_from_slice(request.body().bytes().unwrap_or_default());
        let size = body.len();
        step().await;
        let answered = match target.split_once('.') {
            Some(("DynamoDB_20120810", _)) => self.table(&target, body).await,
            Some(("AmazonSQS", "SendMessageBatch")) => self.enqueue(&body).await,
            None | Some(_) if target.ends_with("/v2/email/outbound-emails") => self.send_mail().await,
            None | Some(_) if target.contains("/@connections/") => self.update_browser(&body).await,
            None | Some(_) => panic!("the simulated AWS does not know {target}"),
        };
        match &answered {
            Ok((status, _)) => self.note(&target, status, size),
            Err(_) => self.note(&target, "lost", size),
        }
        step().await;
        let (status, body) = answered.map_err(|error| ConnectorError::io(error.into()))?;
        Ok(HttpResponse::new(status.try_into().unwrap(), SdkBody::from(body)))
    }

    async fn table(&self, target: &str, body: Bytes) -> Result<(u16, Bytes), String> {
        let request = Request::post("/").header("x-amz-target", target).body(Body::from(body)).unwrap();
        let answer = self.0.table.clone().oneshot(request).await.unwrap();
        let status = answer.status().as_u16();
        let body = to_bytes(answer.into_body(), usize::MAX).await.map_err(|error| error.to_string())?;
        Ok((status, body))
    }

    /// SQS takes all of a batch, some of it or nothing, or takes it and does not say so.
    async fn enqueue(&self, body: &[u8]) -> Result<(u16, Bytes), String> {
        self.delay(30).await;
        let fate = self.fate();
        if fate < 3 {
            return Ok(down());
        }
        let batch: Value = serde_json::from_slice(body).unwrap();
        let (mut taken, mut failed) = (Vec::new(), Vec::new());
        for entry in batch["Entries"].as_array().unwrap() {
            if self.fate() < 3 {
                failed.push(json!({ "Id": entry["Id"], "Code": "InternalError", "SenderFault": false }));
                continue;
            }
            let (queue, body) = (batch["QueueUrl"].as_str().unwrap(), entry["MessageBody"].as_str().unwrap());
            let _ = self.0.post.send(Post::Message { queue: queue.to_owned(), body: body.to_owned() });
            taken.push(json!({ "Id": entry["Id"], "MessageId": "", "MD5OfMessageBody": "" }));
        }
        if fate < 6 {
            return Err("the reply of SQS is lost".into());
        }
        Ok((200, json!({ "Successful": taken, "Failed": failed }).to_string().into()))
    }

    /// SES takes a mail or not. Its replies are never lost: it has no key that a mail could be sent again under.
    async fn send_mail(&self) -> Result<(u16, Bytes), String> {
        self.delay(200).await;
        if self.fate() < 4 {
            return Ok(down());
        }
        let message = LIFE.with(|life| life.about.clone());
        self.0.state.lock().unwrap().seen.mails.push(message);
        Ok((200, json!({ "MessageId": "ses" }).to_string().into()))
    }

    async fn update_browser(&self, body: &[u8]) -> Result<(u16, Bytes), String> {
        self.delay(30).await;
        if self.fate() < 4 {
            return Ok(down());
        }
        let update: Value = serde_json::from_slice(body).unwrap();
        self.0.state.lock().unwrap().seen.updates.push(update["id"].as_str().unwrap().to_owned());
        Ok((200, Bytes::new()))
    }

    /// Stripe, as `payments` asks it.
    pub fn stripe(&self) -> payments::Counter {
        let wire = self.clone();
        Arc::new(move |request| {
            let wire = wire.clone();
            Box::pin(async move { wire.ask_stripe(request).await })
        })
    }

    async fn ask_stripe(&self, request: Request<Bytes>) -> Result<Response<Bytes>, String> {
        let asked = format!("{} {}", request.method(), request.uri().path());
        step().await;
        self.delay(600).await;
        let answered = match self.fate() {
            0..3 => {
                self.0.stripe.set_failing(true);
                let answer = self.0.stripe.routes().oneshot(request.map(Body::from)).await.unwrap();
                self.0.stripe.set_failing(false);
                read(answer).await
            }
            3 => Ok(refused(429, "rate_limit_error")),
            4 => Ok(refused(409, "idempotency_error")),
            5..7 => Err("nobody listens".to_owned()),
            fate => {
                let answer = self.0.stripe.routes().oneshot(request.map(Body::from)).await.unwrap();
                self.tell_events();
                self.delay(200).await;
                let answer = read(answer).await?;
                let makes = ["POST /v1/checkout/sessions", "POST /v1/payment_intents"].contains(&asked.as_str());
                if makes && answer.status().is_success() {
                    self.note_page(answer.body());
                }
                match fate {
                    7..11 => Err("the reply is lost".to_owned()),
                    _ => Ok(answer),
                }
            }
        };
        match &answered {
            Ok(answer) => self.note(&asked, answer.status().as_str(), 0),
            Err(_) => self.note(&asked, "lost", 0),
        }
        step().await;
        // Now and then it hangs, after all that it did.
        if self.fate() < 1 {
            sleep(Duration::from_secs(20)).await;
        }
        answered
    }

    fn note_page(&self, session: &[u8]) {
        let session: Value = serde_json::from_slice(session).unwrap();
        let order = session.get("client_reference_id").unwrap_or(&session["metadata"]["order_id"]);
        let text = |value: &Value| value.as_str().unwrap().to_owned();
        let mut state = self.0.state.lock().unwrap();
        state.seen.pages.entry(text(order)).or_default().insert(text(&session["id"]));
    }

    /// What is done at Stripe by others than the shop: on its pages, and in its dashboard.
    pub async fn control_stripe(&self, path: &str, body: Value) -> (u16, Value) {
        self.delay(500).await;
        let request = Request::post(format!("/_control/{path}")).header("content-type", "application/json");
        let request = request.body(Body::from(body.to_string())).unwrap();
        let answer = self.0.stripe.routes().oneshot(request).await.unwrap();
        self.tell_events();
        let status = answer.status().as_u16();
        let body = to_bytes(answer.into_body(), usize::MAX).await.unwrap();
        self.note(path, status, 0);
        (status, serde_json::from_slice(&body).unwrap_or_default())
    }

    fn tell_events(&self) {
        for event in self.0.stripe.take_events().unwrap() {
            let _ = self.0.post.send(Post::Event(event));
        }
    }

    /// From 0 to 99: the lower, the worse.
    fn fate(&self) -> u64 {
        let mut state = self.0.state.lock().unwrap();
        let fate = state.dice.roll(100);
        if state.is_rough { fate } else { 99 }
    }

    async fn delay(&self, longest: u64) {
        let milliseconds = self.0.state.lock().unwrap().dice.roll(longest);
        sleep(Duration::from_millis(milliseconds)).await;
    }

    fn note(&self, what: &str, how: impl fmt::Display, size: usize) {
        let mut state = self.0.state.lock().unwrap();
        let line = format!("{:9.3} {what} {how} {size}", self.0.begin.elapsed().as_secs_f64());
        line.hash(&mut state.trace);
        state.calls += 1;
        if state.is_told {
            eprintln!("{line}");
        }
    }
}

/// Where an invocation may be killed: nothing more is heard of it.
async fn step() {
    let dies = LIFE.try_with(|life| Some(life.steps.fetch_add(1, Relaxed) + 1) == life.dies_at).unwrap_or(false);
    if dies {
        LIFE.with(|life| life.end.notify_one());
        std::future::pending::<()>().await;
    }
}

fn down() -> (u16, Bytes) {
    (503, json!({ "__type": "ServiceUnavailable", "message": "not now" }).to_string().into())
}

async fn read(answer: Response<Body>) -> Result<Response<Bytes>, String> {
    let (head, body) = answer.into_parts();
    let body = to_bytes(body, usize::MAX).await.map_err(|error| error.to_string())?;
    Ok(Response::from_parts(head, body))
}

fn refused(status: u16, kind: &str) -> Response<Bytes> {
    let code = (status == 409).then_some("idempotency_key_in_use");
    let body = json!({ "error": { "type": kind, "code": code, "message": "not now" } });
    Response::builder().status(status).body(body.to_string().into()).unwrap()
}

struct Connector(Wire);

impl fmt::Debug for Connector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Connector")
    }
}

impl HttpConnector for Connector {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let wire = self.0.clone();
        HttpConnectorFuture::new(async move { wire.call(request).await })
    }
}
