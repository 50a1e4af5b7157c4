//! Runs the function binaries as Lambda does: a process serves one invocation at a time, and another one is started
//! when none is idle.

use std::collections::{BTreeMap, HashMap};
use std::path::PathBuf;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use tokio::sync::Semaphore;

use crate::meter::Meter;
use crate::template::Function;

mod worker;

use worker::Worker;

/// What every function signs with.
pub const SECRET: &str = "local";

/// An idle process is ended after this.
const IDLE: Duration = Duration::from_secs(60);
/// Invocations of one function that may wait for a process; more are refused.
const WAITING: usize = 2_000;

/// Where processes come from and what they are told.
pub struct Settings {
    /// The folder of the binaries.
    pub binaries: PathBuf,
    /// Given to every process, beside the template's own variables.
    pub environment: BTreeMap<String, String>,
    /// Processes of one function at once.
    pub workers_per_function: usize,
    pub logs: Logs,
    /// Counts invocations.
    pub meter: Meter,
}

/// Takes each line that a function writes: the function's name, the line.
pub type Logs = Arc<dyn Fn(&str, &str) + Send + Sync>;

/// All functions of the template. Cheap to clone.
#[derive(Clone)]
pub struct Functions(Arc<Inner>);

struct Inner {
    pools: HashMap<String, Arc<Pool>>,
}

/// The processes of one function.
struct Pool {
    function: Function,
    settings: Arc<Settings>,
    idle: Mutex<Vec<(Worker, Instant)>>,
    slots: Arc<Semaphore>,
    waiting: AtomicUsize,
}

#[derive(Debug, thiserror::Error)]
pub enum InvokeError {
    #[error("there is no function {0}")]
    Unknown(String),
    #[error("the function answered an error: {}", String::from_utf8_lossy(.0))]
    Failed(Vec<u8>),
    #[error("the function's process ended: {0}")]
    Crashed(String),
    #[error("the function ran past its {} s", .0.as_secs_f32())]
    TimedOut(Duration),
    #[error("too many invocations are waiting")]
    Busy,
}

impl Functions {
    pub fn new(functions: &[Function], settings: Settings) -> Self {
        let settings = Arc::new(settings);
        let pool = |function: &Function| Pool {
            function: function.clone(),
            settings: settings.clone(),
            idle: Mutex::default(),
            slots: Arc::new(Semaphore::new(settings.workers_per_function)),
            waiting: AtomicUsize::new(0),
        };
        let pools = functions.iter().map(|function| (function.name.clone(), Arc::new(pool(function)))).collect();
        let functions = Functions(Arc::new(Inner { pools }));
        tokio::spawn(reap(Arc::downgrade(&functions.0)));
        functions
    }

    /// Invokes a function, by its logical id or its binary's name, and waits for its answer. Goes on to the end even
    /// if the caller goes away, as Lambda does.
    pub async fn invoke(&self, function: &str, payload: Vec<u8>) -> Result<Vec<u8>, InvokeError> {
        let pools = &self.0.pools;
        let pool = pools.get(function).or_else(|| pools.values().find(|pool| pool.function.binary == function));
        let pool = pool.cloned().ok_or_else(|| InvokeError::Unknown(function.to_owned()))?;
        let invocation = tokio::spawn(async move { pool.invoke(payload).await });
        invocation.await.unwrap_or_else(|error| Err(InvokeError::Crashed(error.to_string())))
    }

    /// How many processes are running now, for those who watch.
    pub fn idle_processes(&self) -> usize {
        self.0.pools.values().map(|pool| pool.idle().len()).sum()
    }

    /// Lets running invocations end, for as long as `patience`, and then ends every process.
    pub async fn stop(&self, patience: Duration) {
        let until = tokio::time::Instant::now() + patience;
        for pool in self.0.pools.values() {
            let all = u32::try_from(pool.settings.workers_per_function).unwrap_or(u32::MAX);
            let quiet = tokio::time::timeout_at(until, pool.slots.acquire_many(all)).await;
            pool.slots.close();
            drop(quiet);
            let workers = std::mem::take(&mut *pool.idle());
            for (worker, _) in workers {
                worker.end().await;
            }
        }
    }
}

impl Pool {
    async fn invoke(&self, payload: Vec<u8>) -> Result<Vec<u8>, InvokeError> {
        if self.waiting.fetch_add(1, Ordering::Relaxed) >= WAITING {
            self.waiting.fetch_sub(1, Ordering::Relaxed);
            return Err(InvokeError::Busy);
        }
        let slot = self.slots.acquire().await;
        self.waiting.fetch_sub(1, Ordering::Relaxed);
        let _slot = slot.map_err(|_| InvokeError::Crashed("the host is stopping".into()))?;
        let mut worker = match self.take_idle() {
            Some(worker) => worker,
            None => Worker::start(&self.function, &self.settings).await?,
        };
        self.settings.meter.invoked(&self.function.name);
        let outcome = worker.serve(payload, self.function.timeout).await;
        match &outcome {
            Ok(_) | Err(InvokeError::Failed(_)) => self.idle().push((worker, Instant::now())),
            Err(_) => worker.end().await,
        }
        outcome
    }

    /// The process that was idle for the shortest time, so that those that are not needed any more grow old.
    fn take_idle(&self) -> Option<Worker> {
        loop {
            let (mut worker, _) = self.idle().pop()?;
            if worker.is_alive() {
                return Some(worker);
            }
        }
    }

    fn idle(&self) -> std::sync::MutexGuard<'_, Vec<(Worker, Instant)>> {
        self.idle.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
    }
}

async fn reap(functions: std::sync::Weak<Inner>) {
    loop {
        tokio::time::sleep(IDLE / 6).await;
        let Some(inner) = functions.upgrade() else { return };
        for pool in inner.pools.values() {
            let mut idle = pool.idle();
            idle.retain(|(_, since)| since.elapsed() < IDLE);
        }
    }
}

#[cfg(test)]
mod tests;
