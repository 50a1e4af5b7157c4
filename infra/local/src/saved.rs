//! The file that queues and stream positions are kept in, so that a restart goes on where it stopped.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use serde::{Deserialize, Serialize};
use tokio::sync::Notify;
use tokio::time::Instant;

use crate::aws::OpenError;
use crate::queues::{self, Queues};

const FILE: &str = "queues.json";

/// How long a change may wait for others before it is written.
const PAUSE: Duration = Duration::from_millis(200);

/// Both in one file: a position that is ahead of the queue it was announced to would lose a message.
#[derive(Default, Serialize, Deserialize)]
pub(crate) struct Held {
    pub positions: BTreeMap<String, Position>,
    pub queues: queues::Held,
}

/// How far a function has read a table's stream.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Position {
    pub stream: String,
    pub sequence_number: String,
}

/// The position of every stream reader, by its name.
#[derive(Clone)]
pub(crate) struct Positions(Arc<Mutex<BTreeMap<String, Position>>>, Changed);

impl Positions {
    pub fn new(positions: BTreeMap<String, Position>, changed: Changed) -> Positions {
        Positions(Arc::new(Mutex::new(positions)), changed)
    }

    pub fn get(&self, reader: &str) -> Option<Position> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).get(reader).cloned()
    }

    pub fn set(&self, reader: &str, position: Position) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).insert(reader.to_owned(), position);
        self.1.tell();
    }
}

/// Says that there is something to write.
#[derive(Clone, Default)]
pub(crate) struct Changed(Arc<Notify>);

impl Changed {
    pub fn tell(&self) {
        self.0.notify_one();
    }
}

/// The file, or nothing when all stays in memory.
#[derive(Clone)]
pub(crate) struct Saved {
    path: Option<PathBuf>,
    changed: Changed,
    /// False once the last word is written: another run may own the file by then.
    is_open: Arc<tokio::sync::Mutex<bool>>,
}

impl Saved {
    pub fn open(folder: Option<&Path>) -> Result<(Saved, Held), OpenError> {
        let path = folder.map(|folder| folder.join(FILE));
        let held = match path.as_deref().map(|path| (path, std::fs::read(path))) {
            Some((path, Ok(bytes))) => serde_json::from_slice(&bytes).map_err(OpenError::damaged(path))?,
            Some((path, Err(error))) if error.kind() != std::io::ErrorKind::NotFound => {
                return Err(OpenError::file(path)(error));
            }
            _ => Held::default(),
        };
        Ok((Saved { path, changed: Changed::default(), is_open: Arc::new(tokio::sync::Mutex::new(true)) }, held))
    }

    pub fn changed(&self) -> Changed {
        self.changed.clone()
    }

    /// Writes after every change, until it is closed or the runtime ends.
    pub fn keep(&self, queues: Queues, positions: Positions) {
        if self.path.is_none() {
            return;
        }
        let saved = self.clone();
        tokio::spawn(async move {
            let mut pause = PAUSE;
            loop {
                saved.changed.0.notified().await;
                tokio::time::sleep(pause).await;
                let start = Instant::now();
                if let Err(error) = saved.write(&queues, &positions).await {
                    eprintln!("the queues cannot be kept: {error}");
                }
                // However long the queues grow, a tenth of the time is the most that goes into writing them.
                pause = PAUSE.max(start.elapsed() * 10);
            }
        });
    }

    /// Writes a last time.
    pub async fn close(&self, queues: &Queues, positions: &Positions) -> Result<(), OpenError> {
        self.write(queues, positions).await?;
        *self.is_open.lock().await = false;
        Ok(())
    }

    async fn write(&self, queues: &Queues, positions: &Positions) -> Result<(), OpenError> {
        let Some(path) = &self.path else {
            return Ok(());
        };
        let is_open = self.is_open.lock().await;
        if !*is_open {
            return Ok(());
        }
        // The positions first: a message that is announced meanwhile is at worst announced again.
        let positions = positions.0.lock().unwrap_or_else(PoisonError::into_inner).clone();
        #[derive(Serialize)]
        struct Holding<'a> {
            positions: BTreeMap<String, Position>,
            queues: &'a queues::Held,
        }
        let bytes = queues
            .with_held(|queues| serde_json::to_vec(&Holding { positions, queues }))
            .map_err(OpenError::damaged(path))?;
        replace(path, &bytes).await.map_err(OpenError::file(path))
    }
}

/// The whole file, or the one before it: never half a file.
async fn replace(path: &Path, bytes: &[u8]) -> std::io::Result<()> {
    let draft = path.with_extension("draft");
    tokio::fs::write(&draft, bytes).await?;
    tokio::fs::rename(&draft, path).await
}
