//! One process of a function, and the Lambda Runtime API that it speaks to.

use std::process::Stdio;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::{DefaultBodyLimit, Path, State};
use axum::http::{Response, StatusCode};
use axum::response::IntoResponse;
use axum::routing::{get, post};
use tokio::io::{AsyncBufReadExt, AsyncRead, BufReader};
use tokio::net::TcpListener;
use tokio::process::{Child, Command};
use tokio::sync::{Mutex, mpsc, oneshot};
use tokio::task::JoinHandle;
use uuid::Uuid;

use super::{InvokeError, Logs, Settings};
use crate::template::Function;

/// Lambda gives a process this long to ask for its first invocation.
const INIT: Duration = Duration::from_secs(10);
/// Bytes of an answer: Lambda's limit of 6 MB, and some room for its envelope.
const MAX_ANSWER: usize = 7 * 1024 * 1024;

pub struct Worker {
    jobs: mpsc::Sender<Job>,
    child: Child,
    api: JoinHandle<()>,
}

type Outcome = Result<Vec<u8>, InvokeError>;

struct Job {
    id: String,
    payload: Vec<u8>,
    timeout: Duration,
    /// Told when the process has asked for the invocation.
    taken: oneshot::Sender<()>,
    answer: oneshot::Sender<Outcome>,
}

/// What the Runtime API of one process knows.
struct Api {
    jobs: Mutex<mpsc::Receiver<Job>>,
    /// The invocation that the process is serving: its id, and who waits for its answer.
    current: Mutex<Option<(String, oneshot::Sender<Outcome>)>>,
    function: String,
    logs: Logs,
}

impl Worker {
    pub async fn start(function: &Function, settings: &Settings) -> Result<Worker, InvokeError> {
        let crashed =
            |error: std::io::Error| InvokeError::Crashed(format!("{} does not start: {error}", function.binary));
        let listener = TcpListener::bind("127.0.0.1:0").await.map_err(crashed)?;
        let address = listener.local_addr().map_err(crashed)?;
        let (jobs, queue) = mpsc::channel(1);
        let api = Arc::new(Api {
            jobs: Mutex::new(queue),
            current: Mutex::default(),
            function: function.name.clone(),
            logs: settings.logs.clone(),
        });
        let routes = router(api);
        let api = tokio::spawn(async move {
            // It ends with the worker; until then nothing can make it fail.
            let _ = axum::serve(listener, routes).await;
        });
        let mut command = Command::new(settings.binaries.join(&function.binary));
        command
            .env_clear()
            .envs(&function.environment)
            .envs(&settings.environment)
            // Each signs with a key of its own, so that its calls can be held against its role.
            .env("AWS_ACCESS_KEY_ID", &function.name)
            .env("AWS_LAMBDA_RUNTIME_API", address.to_string())
            .env("AWS_LAMBDA_FUNCTION_NAME", &function.name)
            .env("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", function.memory_mb.to_string())
            .env("AWS_LAMBDA_FUNCTION_VERSION", "$LATEST")
            .env("AWS_LAMBDA_INITIALIZATION_TYPE", "on-demand")
            .env("AWS_LAMBDA_LOG_GROUP_NAME", format!("/aws/lambda/{}", function.name))
            .env("AWS_LAMBDA_LOG_STREAM_NAME", Uuid::new_v4().simple().to_string())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true);
        // A Ctrl-C in the terminal is the host's to handle: it lets running invocations end first.
        #[cfg(unix)]
        command.process_group(0);
        let started = command.spawn();
        let mut child = match started {
            Ok(child) => child,
            Err(error) => {
                api.abort();
                return Err(crashed(error));
            }
        };
        if let Some(output) = child.stdout.take() {
            tokio::spawn(follow(output, function.name.clone(), settings.logs.clone()));
        }
        if let Some(output) = child.stderr.take() {
            tokio::spawn(follow(output, function.name.clone(), settings.logs.clone()));
        }
        Ok(Worker { jobs, child, api })
    }

    pub fn is_alive(&mut self) -> bool {
        matches!(self.child.try_wait(), Ok(None))
    }

    /// Serves one invocation. After any error but `Failed` the process is of no more use.
    pub async fn serve(&mut self, payload: Vec<u8>, timeout: Duration) -> Result<Vec<u8>, InvokeError> {
        let ended = || InvokeError::Crashed("its Runtime API has gone".into());
        let (taken, was_taken) = oneshot::channel();
        let (answer, mut answered) = oneshot::channel();
        let job = Job { id: Uuid::new_v4().to_string(), payload, timeout, taken, answer };
        self.jobs.send(job).await.map_err(|_| ended())?;
        tokio::select! {
            _ = was_taken => {}
            status = self.child.wait() => return Err(exited(status)),
            () = tokio::time::sleep(INIT) => return Err(InvokeError::TimedOut(INIT)),
        }
        tokio::select! {
            biased;
            answer = &mut answered => answer.map_err(|_| ended())?,
            status = self.child.wait() => answered.try_recv().unwrap_or_else(|_| Err(exited(status))),
            () = tokio::time::sleep(timeout) => Err(InvokeError::TimedOut(timeout)),
        }
    }

    pub async fn end(mut self) {
        // A process that has ended already cannot be ended again, which is just as well.
        let _ = self.child.kill().await;
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        self.api.abort();
    }
}

fn exited(status: std::io::Result<std::process::ExitStatus>) -> InvokeError {
    InvokeError::Crashed(match status {
        Ok(status) => status.to_string(),
        Err(error) => error.to_string(),
    })
}

async fn follow(output: impl AsyncRead + Unpin, function: String, logs: Logs) {
    let mut lines = BufReader::new(output).lines();
    while let Ok(Some(line)) = lines.next_line().await {
        logs(&function, &line);
    }
}

fn router(api: Arc<Api>) -> Router {
    let base = "/2018-06-01/runtime";
    Router::new()
        .route(&format!("{base}/invocation/next"), get(next))
        .route(&format!("{base}/invocation/{{id}}/response"), post(respond))
        .route(&format!("{base}/invocation/{{id}}/error"), post(fail))
        .route(&format!("{base}/init/error"), post(fail_init))
        .layer(DefaultBodyLimit::max(MAX_ANSWER))
        .with_state(api)
}

async fn next(State(api): State<Arc<Api>>) -> Response<Body> {
    let Some(job) = api.jobs.lock().await.recv().await else {
        return StatusCode::GONE.into_response();
    };
    let deadline = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default() + job.timeout;
    let trace = job.id.replace('-', "");
    let answer = Response::builder()
        .header("content-type", "application/json")
        .header("lambda-runtime-aws-request-id", &job.id)
        .header("lambda-runtime-deadline-ms", deadline.as_millis().to_string())
        .header(
            "lambda-runtime-invoked-function-arn",
            format!("arn:aws:lambda:us-east-1:000000000000:function:{}", api.function),
        )
        .header("lambda-runtime-trace-id", format!("Root=1-{}-{};Sampled=0", &trace[..8], &trace[8..]))
        .body(Body::from(job.payload))
        .expect("an id and a name are legal in headers");
    *api.current.lock().await = Some((job.id, job.answer));
    // Whoever waited may be gone; the invocation goes on.
    let _ = job.taken.send(());
    answer
}

async fn respond(State(api): State<Arc<Api>>, Path(id): Path<String>, body: Bytes) -> StatusCode {
    settle(&api, &id, Ok(body.to_vec())).await
}

async fn fail(State(api): State<Arc<Api>>, Path(id): Path<String>, body: Bytes) -> StatusCode {
    settle(&api, &id, Err(InvokeError::Failed(body.to_vec()))).await
}

async fn fail_init(State(api): State<Arc<Api>>, body: Bytes) -> StatusCode {
    (api.logs)(&api.function, &format!("ERROR its start failed: {}", String::from_utf8_lossy(&body)));
    StatusCode::ACCEPTED
}

async fn settle(api: &Api, id: &str, outcome: Outcome) -> StatusCode {
    let mut current = api.current.lock().await;
    match current.take() {
        Some((running, answer)) if running == id => {
            let _ = answer.send(outcome);
            StatusCode::ACCEPTED
        }
        other => {
            *current = other;
            StatusCode::BAD_REQUEST
        }
    }
}
