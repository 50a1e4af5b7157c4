//! The folder that a local shop keeps everything in. One program at a time may have it.

use std::fs::{self, File, TryLockError};
use std::io;
use std::path::{Path, PathBuf};

/// Marks a folder as ours: only such a one is ever emptied.
const MARKER: &str = "waybill.store";
/// It tells how the data is laid out, too: a change that an older store cannot be read after changes the format.
const MARKER_TEXT: &str = "The data of a local Waybill shop, format 2. `cargo run -- --fresh` empties this folder.\n";

/// Where a shop keeps its data.
pub enum Store {
    Folder(Folder),
    /// Gone when the shop stops.
    Memory,
}

/// A store folder that this process holds until it is dropped.
pub struct Folder {
    path: PathBuf,
    _lock: File,
}

#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    #[error("{0} is in use by another Waybill; stop that one, or choose another folder with --store")]
    InUse(String),
    #[error("{0} holds files that are not a Waybill store; choose another folder with --store")]
    NotOurs(String),
    #[error(
        "{0} was made by another version of Waybill; start with --fresh to empty it, or choose another folder with --store"
    )]
    OtherFormat(String),
    #[error("{0}: {1}")]
    File(String, io::Error),
}

impl Store {
    pub fn folder(&self) -> Option<&Path> {
        match self {
            Store::Folder(folder) => Some(&folder.path),
            Store::Memory => None,
        }
    }
}

impl Folder {
    /// Opens or makes the folder; `fresh` empties it first.
    pub fn open(path: &Path, fresh: bool) -> Result<Folder, StoreError> {
        let failed = |error| StoreError::File(path.display().to_string(), error);
        fs::create_dir_all(path).map_err(failed)?;
        let marker = path.join(MARKER);
        let empty = fs::read_dir(path).map_err(failed)?.next().is_none();
        if !marker.exists() && !empty {
            return Err(StoreError::NotOurs(path.display().to_string()));
        }
        let lock = File::options().create(true).truncate(false).write(true).open(&marker).map_err(failed)?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Err(StoreError::InUse(path.display().to_string())),
            Err(TryLockError::Error(error)) => return Err(failed(error)),
        }
        // Empty where it was made a moment ago.
        let text = fs::read_to_string(&marker).map_err(failed)?;
        if !fresh && !text.is_empty() && text != MARKER_TEXT {
            return Err(StoreError::OtherFormat(path.display().to_string()));
        }
        fs::write(&marker, MARKER_TEXT).map_err(failed)?;
        if fresh {
            for entry in fs::read_dir(path).map_err(failed)? {
                let entry = entry.map_err(failed)?.path();
                if entry == marker {
                    continue;
                }
                if entry.is_dir() { fs::remove_dir_all(&entry) } else { fs::remove_file(&entry) }.map_err(failed)?;
            }
        }
        Ok(Folder { path: path.to_owned(), _lock: lock })
    }

    pub fn path(&self) -> &Path {
        &self.path
    }
}

/// Writes a file that only its owner can read.
pub fn write_private(path: &Path, content: &[u8]) -> io::Result<()> {
    use std::io::Write;
    let mut options = File::options();
    options.create(true).write(true).truncate(true);
    #[cfg(unix)]
    {
        use std::os::unix::fs::OpenOptionsExt;
        options.mode(0o600);
    }
    options.open(path)?.write_all(content)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn somewhere() -> PathBuf {
        std::env::temp_dir().join(format!("waybill-store-{}", uuid::Uuid::new_v4()))
    }

    #[test]
    fn a_store_is_held_by_one_and_emptied_only_when_it_is_ours() {
        let path = somewhere();
        let held = Folder::open(&path, false).unwrap();
        fs::write(path.join("data"), "x").unwrap();
        assert!(matches!(Folder::open(&path, true), Err(StoreError::InUse(_))));
        drop(held);
        drop(Folder::open(&path, false).unwrap());
        assert!(path.join("data").exists());
        drop(Folder::open(&path, true).unwrap());
        assert!(!path.join("data").exists());

        fs::write(path.join(MARKER), "The data of a local Waybill shop.").unwrap();
        assert!(matches!(Folder::open(&path, false), Err(StoreError::OtherFormat(_))));
        drop(Folder::open(&path, true).unwrap());
        drop(Folder::open(&path, false).unwrap());

        let foreign = somewhere();
        fs::create_dir(&foreign).unwrap();
        fs::write(foreign.join("thesis.txt"), "x").unwrap();
        assert!(matches!(Folder::open(&foreign, true), Err(StoreError::NotOurs(_))));
        assert!(foreign.join("thesis.txt").exists());
    }
}
