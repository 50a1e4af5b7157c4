//! A whole shop on localhost: its servers, its functions and what connects them.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use axum::Router;
use axum::middleware::from_fn_with_state;
use dynoxide::Database;
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinSet;

use crate::access::{self, Access, Use};
use crate::aws::{self, Aws, OpenError};
use crate::engine;
use crate::event_sources::{EventSources, Report, SourceError};
use crate::faults::{FaultSwitch, Faults};
use crate::functions::{self, Functions, InvokeError, Logs};
use crate::mail;
use crate::meter::{Meter, Usage};
use crate::secrets::random_letters;
use crate::store::Store;
use crate::stripe::{self, StandIn};
use crate::template::{REGION, Template, TemplateError};
use crate::websocket::{self, Connections};
use crate::{gateway, staff, tables};

/// How long requests that are under way may take to end when the shop stops.
const PATIENCE: Duration = Duration::from_secs(5);

pub struct Options {
    pub template: PathBuf,
    /// The folder of the function binaries.
    pub binaries: PathBuf,
    pub store: Store,
    pub ports: Ports,
    /// The template's parameters, where its defaults and this program's own are not wanted.
    pub parameters: BTreeMap<String, String>,
    pub payments: Payments,
    /// Processes of one function at once.
    pub workers_per_function: usize,
    /// Whether a call that a function's role does not allow is refused, as AWS does. It costs a hop for each call.
    pub holds_to_roles: bool,
    /// Takes each line that a function logs.
    pub logs: Logs,
    /// Takes a line for each thing that went wrong between the functions.
    pub report: Report,
}

/// Who takes the payments.
#[derive(Clone)]
pub enum Payments {
    /// A program of our own that speaks like Stripe.
    StandIn,
    /// Stripe itself, with keys of an account.
    Stripe { secret_key: String, webhook_secret: String },
}

/// Where to listen; 0 is any port that is free.
#[derive(Clone, Copy, Debug, Default)]
pub struct Ports {
    pub api: u16,
    pub websocket: u16,
    pub mail: u16,
    pub stripe: u16,
    pub dynamodb: u16,
    pub aws: u16,
}

impl Ports {
    /// Six ports in a row; any free ones after 0.
    pub fn from(first: u16) -> Option<Ports> {
        let port = |offset: u16| if first == 0 { Some(0) } else { first.checked_add(offset) };
        Some(Ports {
            api: port(0)?,
            websocket: port(1)?,
            mail: port(2)?,
            stripe: port(3)?,
            dynamodb: port(4)?,
            aws: port(5)?,
        })
    }
}

/// Where everything is, as URLs without a slash at the end.
#[derive(Clone, Debug)]
pub struct Addresses {
    pub api: String,
    /// `ws://…`
    pub websocket: String,
    pub mail: String,
    /// None when payments go to Stripe itself.
    pub stripe: Option<String>,
    pub dynamodb: String,
    pub aws: String,
}

#[derive(Debug, thiserror::Error)]
pub enum StartError {
    #[error("port {0} is taken; choose others with --port, such as --port {1}")]
    PortTaken(u16, u16),
    #[error("port {0} cannot be listened on: {1}")]
    Port(u16, io::Error),
    #[error(transparent)]
    Template(#[from] TemplateError),
    #[error("template.yaml has no WebSocket API")]
    NoWebSocket,
    #[error(transparent)]
    Open(#[from] OpenError),
    #[error(transparent)]
    Tables(#[from] tables::TableError),
    #[error(transparent)]
    Streams(#[from] SourceError),
    #[error(transparent)]
    Stripe(#[from] stripe::StoreError),
}

/// A running shop. Stop it with [`Shop::stop`]; dropped, it ends at once.
pub struct Shop {
    addresses: Addresses,
    aws: Aws,
    functions: Functions,
    connections: Connections,
    access: Access,
    faults: FaultSwitch,
    meter: Meter,
    sources: EventSources,
    stand_in: Option<StandIn>,
    servers: JoinSet<()>,
    /// What callers knock at. Closed first.
    doors: watch::Sender<bool>,
    /// What the functions need to end what they have begun. Closed last.
    services: watch::Sender<bool>,
    _store: Store,
}

impl Shop {
    pub async fn start(options: Options) -> Result<Shop, StartError> {
        let ports = options.ports;
        let [api, websockets, mails, payments, dynamodb, aws] = [
            listen(ports.api).await?,
            listen(ports.websocket).await?,
            listen(ports.mail).await?,
            listen(ports.stripe).await?,
            listen(ports.dynamodb).await?,
            listen(ports.aws).await?,
        ];
        let stand_in = matches!(options.payments, Payments::StandIn);
        let addresses = Addresses {
            api: url(&api, "http"),
            websocket: url(&websockets, "ws"),
            mail: url(&mails, "http"),
            stripe: stand_in.then(|| url(&payments, "http")),
            dynamodb: url(&dynamodb, "http"),
            aws: url(&aws, "http"),
        };
        let template = Template::read(&options.template, &parameters(&options.parameters, &addresses), &addresses.aws)?;
        let websocket = template.websocket.clone().ok_or(StartError::NoWebSocket)?;
        let folder = options.store.folder();
        let database = tables::open(&template.tables, folder)?;
        let access = Access::new(&template, options.report.clone());
        let faults = FaultSwitch::default();
        let meter = Meter::default();
        let guard = match options.holds_to_roles {
            true => Some(listen(0).await?),
            false => None,
        };
        let tables_url = guard.as_ref().map_or_else(|| addresses.dynamodb.clone(), |guard| url(guard, "http"));
        let settings = functions::Settings {
            binaries: options.binaries,
            environment: environment(&tables_url),
            workers_per_function: options.workers_per_function,
            logs: options.logs,
            meter: meter.clone(),
        };
        let functions = Functions::new(&template.functions, settings);
        let state = Aws::open(&template, &addresses.aws, folder, functions.clone())?;
        let (secret_key, webhook_secret) = keys(&options.payments, &state);
        state.secrets.put("StripeApiKey", &secret_key)?;
        state.secrets.put("StripeWebhookKey", &webhook_secret)?;

        let connections = Connections::default();
        let ((doors, door), (services, service)) = (watch::channel(false), watch::channel(false));
        let mut servers = JoinSet::new();
        let engine = listen(0).await?;
        let tables = engine::router(database.clone(), url(&engine, "http"));
        servers.spawn(engine_server(engine, database.clone(), service.clone()));
        servers.spawn(server(dynamodb, tables.clone(), service.clone()));
        if let Some(guard) = guard {
            let guarded = access::in_front_of(tables, access.clone(), faults.clone(), meter.clone());
            servers.spawn(server(guard, guarded, service.clone()));
        }
        let mut endpoint = aws::router(state.clone(), websocket::connections_router(connections.clone()));
        if options.holds_to_roles {
            endpoint = endpoint.layer(from_fn_with_state(meter.clone(), Meter::count));
            endpoint = endpoint.layer(from_fn_with_state(access.clone(), Access::check));
        }
        servers.spawn(server(aws, endpoint, service));
        servers.spawn(server(mails, mail::page(state.outbox.clone()), door.clone()));
        let sockets = websocket::router(&websocket, functions.clone(), connections.clone());
        servers.spawn(server(websockets, sockets, door.clone()));
        let front = staff::router(&addresses).merge(gateway::router(&template.http, functions.clone()));
        servers.spawn(server(api, front, door));
        let stand_in = match &addresses.stripe {
            Some(public_url) => Some(stripe::start(
                payments,
                stripe::Settings {
                    secret_key,
                    webhook_secret,
                    webhook_url: format!("{}/v1/stripe/events", addresses.api),
                    store: folder.map(ToOwned::to_owned),
                    public_url: public_url.clone(),
                },
            )?),
            None => None,
        };
        let sources = EventSources::start(&template, &state, &database, options.report)?;
        servers.spawn(tables::expire(database, template.tables));
        Ok(Shop {
            addresses,
            aws: state,
            functions,
            connections,
            access,
            faults,
            meter,
            sources,
            stand_in,
            servers,
            doors,
            services,
            _store: options.store,
        })
    }

    pub fn addresses(&self) -> &Addresses {
        &self.addresses
    }

    /// The permissions that functions have used so far, where they are held to their roles.
    pub fn permissions_used(&self) -> BTreeSet<Use> {
        self.access.used()
    }

    /// What functions have used since this was asked before, or nothing the first time; where they are held to their roles.
    pub fn used(&self) -> Usage {
        self.meter.read()
    }

    /// From now on this goes wrong between the functions and the table, or nothing; where functions are held to their roles.
    pub fn set_faults(&self, faults: Option<Faults>) {
        self.faults.set(faults);
    }

    /// Invokes a function as `aws lambda invoke` does, by its logical id or its binary's name.
    pub async fn invoke(&self, function: &str, payload: &Value) -> Result<Value, InvokeError> {
        let answer = self.functions.invoke(function, payload.to_string().into_bytes()).await?;
        Ok(serde_json::from_slice(&answer).unwrap_or(Value::Null))
    }

    /// The value of a secret of the template, as functions get it.
    pub fn secret(&self, name: &str) -> Option<String> {
        self.aws.secrets.value(name)
    }

    /// Makes an administrator. Ok too when the address has an account already, whosever it is.
    pub async fn make_administrator(&self, email: &str, password: &str) -> Result<(), InvokeError> {
        let command = json!({ "create_administrator": { "email": email, "password": password } });
        match self.invoke("accounts", &command).await {
            Err(InvokeError::Failed(error)) if String::from_utf8_lossy(&error).contains("account already") => Ok(()),
            answer => answer.map(drop),
        }
    }

    /// Lets what is under way end, keeps what is queued, and leaves no process behind.
    pub async fn stop(mut self) {
        self.doors.send_replace(true);
        self.connections.close_all();
        self.sources.stop().await;
        self.functions.stop(PATIENCE).await;
        if let Some(stand_in) = self.stand_in.take() {
            stand_in.stop().await;
        }
        self.services.send_replace(true);
        let quiet = async { while self.servers.join_next().await.is_some() {} };
        let _ = tokio::time::timeout(Duration::from_millis(500), quiet).await;
        self.servers.shutdown().await;
        if let Err(error) = self.aws.close().await {
            eprintln!("What was queued could not be kept: {error}");
        }
    }
}

async fn listen(port: u16) -> Result<TcpListener, StartError> {
    TcpListener::bind(("127.0.0.1", port)).await.map_err(|error| match error.kind() {
        io::ErrorKind::AddrInUse => StartError::PortTaken(port, if port < 4000 { 4000 } else { 3000 }),
        _ => StartError::Port(port, error),
    })
}

fn url(listener: &TcpListener, scheme: &str) -> String {
    let port = listener.local_addr().map(|address| address.port()).unwrap_or_default();
    format!("{scheme}://127.0.0.1:{port}")
}

fn parameters(given: &BTreeMap<String, String>, addresses: &Addresses) -> BTreeMap<String, String> {
    let mut parameters = BTreeMap::from([
        ("Architecture".to_owned(), "x86_64".to_owned()),
        ("ShopName".to_owned(), "Waybill Demo Shop".to_owned()),
        ("ShopUrl".to_owned(), "http://localhost:5173".to_owned()),
        ("Origins".to_owned(), "http://localhost:5173".to_owned()),
        ("AwsEndpointUrl".to_owned(), addresses.aws.clone()),
        ("WebhookTestHosts".to_owned(), "localhost,127.0.0.1".to_owned()),
    ]);
    if let Some(stripe) = &addresses.stripe {
        parameters.insert("StripeApiUrl".to_owned(), format!("{stripe}/"));
    }
    parameters.extend(given.clone());
    // The staff page comes from the API's own address, by whichever name of it.
    let staff = format!("{0},{1}", addresses.api, addresses.api.replace("127.0.0.1", "localhost"));
    parameters.entry("Origins".to_owned()).and_modify(|origins| *origins += &format!(",{staff}"));
    parameters
}

/// What Lambda gives to every process.
fn environment(tables_url: &str) -> BTreeMap<String, String> {
    let variables = [
        ("AWS_REGION", REGION),
        ("AWS_DEFAULT_REGION", REGION),
        ("AWS_SECRET_ACCESS_KEY", functions::SECRET),
        ("AWS_ENDPOINT_URL_DYNAMODB", tables_url),
        ("AWS_EXECUTION_ENV", "AWS_Lambda_provided.al2023"),
        ("_HANDLER", "bootstrap"),
        ("LAMBDA_TASK_ROOT", "/var/task"),
        ("TZ", ":UTC"),
    ];
    variables.map(|(name, value)| (name.to_owned(), value.to_owned())).into()
}

/// The stand-in's keys are made once and kept, so that pages that are open survive a restart.
fn keys(payments: &Payments, aws: &Aws) -> (String, String) {
    let kept = |name: &str, prefix: &str| {
        let value = aws.secrets.value(name).filter(|value| value.starts_with(prefix));
        value.unwrap_or_else(|| format!("{prefix}{}", random_letters(32)))
    };
    match payments {
        Payments::StandIn => (kept("StripeApiKey", "sk_test_local"), kept("StripeWebhookKey", "whsec_local")),
        Payments::Stripe { secret_key, webhook_secret } => (secret_key.clone(), webhook_secret.clone()),
    }
}

/// Serves until the shop stops, and then until what is under way has ended.
async fn server(listener: TcpListener, router: Router, mut stopping: watch::Receiver<bool>) {
    let app = router.into_make_service_with_connect_info::<SocketAddr>();
    let stop = async move {
        // An error means that the shop is gone, which is a stop too.
        let _ = stopping.wait_for(|stop| *stop).await;
    };
    if let Err(error) = axum::serve(listener, app).with_graceful_shutdown(stop).await {
        eprintln!("A server stopped: {error}");
    }
}

async fn engine_server(listener: TcpListener, database: Database, mut stopping: watch::Receiver<bool>) {
    let stop = async move {
        let _ = stopping.wait_for(|stop| *stop).await;
    };
    if let Err(error) = dynoxide::server::serve_with_shutdown(listener, database, stop).await {
        eprintln!("DynamoDB stopped: {error}");
    }
}
