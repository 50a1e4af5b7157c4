//! A simulated shop: the functions' own code, and what brings them requests, messages, records and events. All of it runs
//! on one thread, whose time stands still while anybody has something to do.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::rc::Rc;
use std::time::Duration;

use aws_lambda_events::sqs::SqsEvent;
use axum::Router;
use axum::body::{Body, to_bytes};
use http::{Method, Request};
use payments::{Capture, Stripe};
use serde_json::{Value, json};
use tokio::sync::mpsc::UnboundedReceiver;
use tokio::task::spawn_local;
use tokio::time::sleep;
use tower::ServiceExt;
use waybill_aws::Client;
use waybill_domain::SignedDuration;
use waybill_domain::document::{Letterhead, Seller};
use waybill_domain::report::{Counts, Range, steps};
use waybill_lambda::browsers::Browsers;
use waybill_lambda::links::Links;
use waybill_lambda::stream::Record;
use waybill_lambda::{batch, clock};
use waybill_local::stripe::{InProcess, Settings};
use waybill_storage::Table;
use waybill_storage::pricing::Shelf;
use waybill_storage::tallies::Counting;
use waybill_tests::{Answer, Dice, sign};
use waybill_web::Guard;
use waybill_web::quote::Seal;

use super::engine::TABLE;
use super::wire::{Post, Wire};

const WEBHOOK_SECRET: &str = "whsec_simulated";
const STRIPE_KEY: &str = "sk_test_simulated";
/// How long an order may be unpaid.
pub const DEADLINE: Duration = Duration::from_secs(30 * 60);
/// After how long a queue brings a message again that was not worked off.
const VISIBILITY: Duration = Duration::from_secs(60);
/// After so many tries a message is taken for lost: on AWS a dead letter, long before.
const MOST_TRIES: u32 = 100;
/// Records that a reader gets together.
const BATCH: usize = 10;
/// How often a client asks again whose request came to nothing.
const TRIES: usize = 100;
const QUEUES: [&str; 8] = ["mail", "push", "stock", "import", "refund", "document", "export", "webhook"];

pub struct House {
    /// Whether banks hold payments until staff capture them.
    pub is_captured_later: bool,
    pub wire: Wire,
    pub table: Table,
    pub guard: Guard,
    api: Router,
    webhook: Router,
    stripe: Stripe,
    sweep: sweep::Shop,
    sqs: Client,
    queues: announce::Queues,
    endpoints: announce::Endpoints,
    mail: email::Sender,
    letterhead: (email::Shop, Links),
    /// What invoices say of the shop.
    seller: Letterhead,
    browsers: Browsers,
    dice: RefCell<Dice>,
    /// What is still on its way.
    under_way: Cell<usize>,
    records: RefCell<VecDeque<Value>>,
    /// Those that `tally` counts, which reads the stream by itself.
    to_tally: RefCell<VecDeque<Value>>,
    /// All that was told, to be told again.
    told: RefCell<Vec<Post>>,
    /// What is wrong already, whatever the books say in the end.
    wrong: RefCell<Vec<String>>,
}

impl House {
    /// An empty shop in which nothing goes wrong yet. `guard` says who may come in.
    pub async fn open(seed: u64, is_told: bool, guard: impl AsyncFnOnce(&Table) -> Guard) -> Rc<House> {
        let settings = Settings {
            secret_key: STRIPE_KEY.into(),
            webhook_secret: WEBHOOK_SECRET.into(),
            webhook_url: String::new(),
            store: None,
            public_url: "https://pay.example.com".into(),
        };
        let stand_in = InProcess::new(settings).unwrap();
        let (wire, arriving) = Wire::new(seed, stand_in, is_told);
        let table = Table::new(wire.client("dynamodb"), TABLE);
        let guard = guard(&table).await;
        let is_captured_later = seed.is_multiple_of(3);
        let capture = if is_captured_later { Capture::Manual } else { Capture::Automatic };
        let stripe = Stripe::in_process(STRIPE_KEY, wire.stripe(), "https://shop.example.com").unwrap();
        let stripe = stripe.with_capture(capture);
        let browsers = Browsers::new(wire.client("execute-api"));
        let [mail, push, stock, import, refund, document, export, webhook] = QUEUES.map(ToOwned::to_owned);
        let house = Rc::new(House {
            is_captured_later,
            api: api(&table, &guard, &stripe),
            webhook: waybill_web::app(
                stripe_webhook_function::routes(stripe_webhook_function::App {
                    table: table.clone(),
                    stripe: stripe.clone(),
                    secret: WEBHOOK_SECRET.into(),
                }),
                None,
            ),
            sweep: sweep::Shop {
                table: table.clone(),
                stripe: stripe.clone(),
                deadline: SignedDuration::try_from(DEADLINE).unwrap(),
            },
            sqs: wire.client("sqs"),
            queues: announce::Queues {
                mail,
                push,
                stock,
                import,
                refund,
                document,
                export,
                webhook,
                // Nothing may ever go there.
                dead_letters: String::new(),
            },
            endpoints: announce::Endpoints::new(SignedDuration::from_secs(30)),
            mail: email::Sender {
                client: wire.client("ses"),
                table: table.clone(),
                from: "shop@example.com".into(),
                configuration_set: "mails".into(),
            },
            letterhead: (
                email::Shop {
                    name: "Shop".into(),
                    url: "https://shop.example.com".into(),
                    colour: "#1f6feb".parse().unwrap(),
                    logo: None,
                    return_address: Vec::new(),
                    languages: email::Languages::read(&"en".parse().unwrap()).unwrap(),
                },
                Links::new("simulated"),
            ),
            seller: letterhead(),
            browsers,
            dice: RefCell::new(Dice::new(seed ^ (1 << 40))),
            under_way: Cell::new(0),
            records: RefCell::default(),
            to_tally: RefCell::default(),
            told: RefCell::default(),
            wrong: RefCell::default(),
            wire,
            table,
            guard,
            stripe,
        });
        spawn_local(house.clone().hand_out(arriving));
        spawn_local(house.clone().relay());
        spawn_local(house.clone().tally());
        house
    }

    /// Asks until it is answered, as a client does: with the same key, while nobody could do it or no answer came.
    pub async fn ask(&self, token: &str, method: Method, path: &str, key: &str, body: Value) -> Answer {
        let mut last = None;
        for _ in 0..TRIES {
            let request = Request::builder().method(method.clone()).uri(path);
            let request = request.header("content-type", "application/json").header("idempotency-key", key);
            let request = request.header("authorization", format!("Bearer {token}"));
            let request = request.body(Body::from(body.to_string())).unwrap();
            let answer = self.wire.invoke(path, self.api.clone().oneshot(request)).await;
            // Sometimes it is lost on the way back.
            let answer = answer.filter(|_| !self.comes(3)).map(Result::unwrap);
            if let Some(answer) = answer {
                let (head, body) = answer.into_parts();
                let body = to_bytes(body, usize::MAX).await.unwrap();
                let body = serde_json::from_slice(&body).unwrap_or_default();
                let answer = Answer { status: head.status.as_u16(), headers: head.headers, body };
                // 500 too: where every reply of the table was lost, nobody knows what became of the request.
                if answer.status < 500 && answer.status != 429 {
                    return answer;
                }
                last = Some(answer.body);
            }
            self.pause(2_000).await;
        }
        panic!("{method} {path} never came to anything: {last:?}");
    }

    /// Waits for up to so many milliseconds.
    pub async fn pause(&self, longest: u64) {
        let milliseconds = self.roll(longest);
        sleep(Duration::from_millis(milliseconds)).await;
    }

    /// Gives up what was not paid in time.
    pub async fn sweep(&self) {
        // It may be killed; then the next one goes on.
        self.wire.invoke("sweep", self.sweep.sweep(sweep::Wanted { older_than_minutes: None })).await;
    }

    /// What Stripe's books and the orders do not agree in. Where all has come to its end there is nothing to repair either.
    pub async fn differences(&self) -> Result<(), String> {
        let wanted = sweep::reconcile::Wanted { settled_after_minutes: Some(0), ..Default::default() };
        let compared = self.sweep.reconcile(wanted).await.map_err(|error| error.to_string())?;
        let compared = serde_json::to_value(compared).unwrap();
        let is_well =
            compared["repaired"] == 0 && compared["differences"] == json!([]) && compared["is_complete"] == true;
        if is_well { Ok(()) } else { Err(format!("the books differ: {compared}")) }
    }

    /// Waits until nothing is under way any more.
    pub async fn rest(&self) {
        while self.under_way.get() > 0 || !self.is_read() {
            sleep(Duration::from_secs(5)).await;
        }
    }

    /// Whether no reader of the stream is behind it.
    fn is_read(&self) -> bool {
        [&self.records, &self.to_tally].into_iter().all(|records| records.borrow().is_empty())
    }

    /// That the counts behind reports are the sum of what these orders say of themselves.
    pub async fn reported(&self, orders: impl Iterator<Item = &str>) -> Result<(), String> {
        let mut expected = Counts::default();
        for id in orders {
            let order = self.table.order(id.parse().unwrap()).await.unwrap().unwrap();
            expected = steps(&order).into_iter().fold(expected, |sum, step| sum.plus(step.counts));
        }
        let always = Range::new("2020-01-01".parse().unwrap(), "2029-12-31".parse().unwrap()).unwrap();
        let mut counted = Counts::default();
        if let Some(generation) = self.table.current_tally().await.unwrap() {
            let days = self.table.tally_of(&generation, counting().currency, always).await.unwrap();
            counted = days.into_values().fold(counted, Counts::plus);
        }
        // Of those nobody tells in these histories.
        let counted = Counts { carts: 0, customers: 0, ..counted };
        if counted == expected { Ok(()) } else { Err(format!("reports say {counted:?}, not {expected:?}")) }
    }

    /// Brings everything that was ever told once more.
    pub fn tell_again(self: &Rc<Self>) {
        let told = self.told.borrow().clone();
        for post in told {
            self.clone().take(post);
        }
    }

    /// What Stripe has told.
    pub fn events(&self) -> Vec<Value> {
        let told = self.told.borrow();
        let events = told.iter().filter_map(|post| if let Post::Event(event) = post { Some(event) } else { None });
        events.cloned().collect()
    }

    pub fn wrong(&self) -> Result<(), String> {
        self.wrong.borrow().first().map_or(Ok(()), |wrong| Err(wrong.clone()))
    }

    /// Forgets what happened so far.
    pub fn forget(&self) {
        self.told.borrow_mut().clear();
        self.wire.forget();
    }

    async fn hand_out(self: Rc<Self>, mut arriving: UnboundedReceiver<Post>) {
        while let Some(post) = arriving.recv().await {
            self.told.borrow_mut().push(post.clone());
            self.clone().take(post);
        }
    }

    fn take(self: Rc<Self>, post: Post) {
        match post {
            Post::Record(record) => {
                // As template.yaml filters them.
                if record["dynamodb"]["Keys"]["sk"]["S"] == "ORDER" {
                    self.to_tally.borrow_mut().push_back(record.clone());
                }
                self.records.borrow_mut().push_back(record);
            }
            // Some come twice.
            Post::Message { queue, body } => {
                for _ in 0..if self.comes(10) { 2 } else { 1 } {
                    spawn_local(self.clone().carry(queue.clone(), body.clone()));
                }
            }
            Post::Event(event) => {
                for _ in 0..if self.comes(20) { 2 } else { 1 } {
                    spawn_local(self.clone().deliver(event.clone()));
                }
            }
        }
    }

    /// Brings the table's records to announce.
    async fn relay(self: Rc<Self>) {
        self.read(&self.records, "announce", |records| {
            announce::relay(&self.sqs, &self.table, &self.queues, &self.endpoints, records, clock::now())
        })
        .await;
    }

    /// Brings orders as they change to who counts them.
    async fn tally(self: Rc<Self>) {
        let shop = counting();
        let tally = |records| tally::follow(&self.table, &shop, records, clock::now());
        self.read(&self.to_tally, "tally", tally).await;
    }

    /// Brings records to a reader of the stream, in order; what it could not do, and all of a run that was killed, comes again,
    /// and sometimes what was done.
    async fn read(
        &self,
        waiting: &RefCell<VecDeque<Value>>,
        reader: &str,
        work: impl AsyncFn(Vec<Record>) -> Result<(), String>,
    ) {
        loop {
            self.pause(400).await;
            let records: Vec<Value> = waiting.borrow().iter().take(BATCH).cloned().collect();
            if records.is_empty() {
                continue;
            }
            let number = |record: &Value| record["dynamodb"]["SequenceNumber"].as_str().unwrap().to_owned();
            let batch = records.iter().map(|record| Record {
                sequence_number: number(record),
                keys: record["dynamodb"]["Keys"].clone(),
                content: serde_json::from_value(record.clone()).map(Box::new),
            });
            let done = match self.wire.invoke(reader, work(batch.collect())).await {
                Some(Ok(())) if self.comes(5) => 0,
                Some(Ok(())) => records.len(),
                Some(Err(failed)) => records.iter().position(|record| number(record) == failed).unwrap_or_default(),
                None => 0,
            };
            waiting.borrow_mut().drain(..done);
        }
    }

    /// Brings a message to who works off its queue, soon or later, until it is worked off.
    async fn carry(self: Rc<Self>, queue: String, body: String) {
        self.begin();
        let longest = if self.comes(5) { 5 * 60_000 } else { 3_000 };
        self.pause(longest).await;
        for tried in 0.. {
            if tried == MOST_TRIES {
                self.wrong.borrow_mut().push(format!("a dead letter on {queue}: {body}"));
                break;
            }
            if self.work_off(&queue, &body).await {
                break;
            }
            sleep(VISIBILITY).await;
        }
        self.end();
    }

    async fn work_off(&self, queue: &str, body: &str) -> bool {
        let event: SqsEvent =
            serde_json::from_value(json!({ "Records": [{ "messageId": "m", "body": body }] })).unwrap();
        let (table, now) = (&self.table, clock::now());
        let (shop, links) = &self.letterhead;
        let work = async {
            match queue {
                "mail" => {
                    batch::work_off(&|message| email::work_off(&self.mail, shop, links, None, message), event).await
                }
                "push" => batch::work_off(&|message| push::push(&self.browsers, table, message), event).await,
                "stock" => batch::work_off(&|message| stock::work::act(table, message, now), event).await,
                "refund" => {
                    let stripe = &self.stripe;
                    batch::work_off(&|message| payments::work::act(table, stripe, message, now), event).await
                }
                "document" => {
                    let seller = &self.seller;
                    batch::work_off(&|message| documents::work::issue(table, seller, message, now), event).await
                }
                other => panic!("nobody works off {other}"),
            }
        };
        let message = id(body);
        let before = self.wire.mailed(&message);
        let done = self.wire.invoke(&message, work).await;
        let is_done = done.is_some_and(|answer| answer.batch_item_failures.is_empty());
        if !is_done && queue == "mail" && self.wire.mailed(&message) > before {
            self.wire.note_unnoted(&message);
        }
        is_done
    }

    /// Delivers an event of Stripe's, soon or much later, until the shop takes it.
    async fn deliver(self: Rc<Self>, event: Value) {
        self.begin();
        let longest = match self.roll(10) {
            0 => 40 * 60_000,
            1..4 => 60_000,
            _ => 2_000,
        };
        self.pause(longest).await;
        // As Stripe does; the signature is of the bytes.
        let body = serde_json::to_string_pretty(&event).unwrap();
        for tried in 0.. {
            let signature = sign(WEBHOOK_SECRET, clock::now().as_second(), &body);
            let request = Request::post("/v1/stripe/events").header("stripe-signature", signature);
            let request = request.header("content-type", "application/json").body(Body::from(body.clone())).unwrap();
            let answer = self.wire.invoke("webhook", self.webhook.clone().oneshot(request)).await;
            match answer.map(|answer| answer.unwrap().status().as_u16()) {
                Some(200..300) => break,
                Some(status @ 400..500) => {
                    self.wrong.borrow_mut().push(format!("{status} to an event of Stripe's: {event}"));
                    break;
                }
                Some(_) | None => sleep(Duration::from_secs(1 << tried.min(8))).await,
            }
        }
        self.end();
    }

    fn begin(&self) {
        self.under_way.set(self.under_way.get() + 1);
    }

    fn end(&self) {
        self.under_way.set(self.under_way.get() - 1);
    }

    fn roll(&self, sides: u64) -> u64 {
        self.dice.borrow_mut().roll(sides)
    }

    fn comes(&self, percent: u64) -> bool {
        self.dice.borrow_mut().comes(percent)
    }
}

fn letterhead() -> Letterhead {
    let [invoices, credit_notes, reversals] = ["INV-", "CN-", "RV-"].map(|prefix| prefix.parse().unwrap());
    Letterhead { seller: Seller::new("Shop", "1 Main St", "").unwrap(), invoices, credit_notes, reversals }
}

fn api(table: &Table, guard: &Guard, stripe: &Stripe) -> Router {
    let (table, guard, seal) = (table.clone(), guard.clone(), Seal::new("simulated"));
    let limits = Some(guard.limits.clone());
    // What the shop asks once and keeps for an hour is kept for the history, which has no other clock for it.
    let shelf = Shelf::new(table.clone(), Duration::from_secs(3_600));
    let carts = carts::App {
        table: table.clone(),
        guard: guard.clone(),
        seal: seal.clone(),
        currency: "USD".parse().unwrap(),
        owners: carts::Owners::default(),
        shelf,
    };
    let orders = orders::App { table: table.clone(), guard: guard.clone(), seal };
    let payments = payments::App { table: table.clone(), guard: guard.clone(), stripe: stripe.clone() };
    let documents = documents::App { table: table.clone(), guard: guard.clone() };
    let routes = orders::routes(orders).merge(carts::routes(carts)).merge(payments::routes(payments));
    let routes = routes.merge(documents::routes(documents));
    waybill_web::app(routes.merge(stock::routes(stock::App { table, guard })), limits)
}

/// As functions have it, over the wire of the simulation.
/// A message's own id.
fn id(body: &str) -> String {
    let message: Value = serde_json::from_str(body).unwrap_or_else(|_| json!({}));
    message["id"].as_str().unwrap_or_default().to_owned()
}

/// How the shop counts for reports.
fn counting() -> Counting {
    Counting { currency: "USD".parse().unwrap(), zone: "Asia/Kathmandu".into() }
}
