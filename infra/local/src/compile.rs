//! Builds the function binaries with the same cargo, profile and target folder that built this program.

use std::env;
use std::io;
use std::path::{Path, PathBuf};
use std::process::Command;

#[derive(Debug, thiserror::Error)]
pub enum BuildError {
    #[error("cargo was not found; install the Rust toolchain from https://rustup.rs and try again")]
    NoCargo,
    #[error("cargo did not start: {0}")]
    NotStarted(io::Error),
    #[error("the functions did not build; cargo says why above")]
    Failed,
    #[error("it is not known where this program lies: {0}")]
    NoPlace(io::Error),
}

/// The workspace that this program was built from.
pub fn workspace() -> PathBuf {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    here.ancestors().nth(2).unwrap_or(here).to_owned()
}

/// The folder of the binaries: where this program lies, or above it when it is a test.
pub fn binaries() -> Result<PathBuf, BuildError> {
    let program = env::current_exe().map_err(BuildError::NoPlace)?;
    let folder = program.parent().unwrap_or(Path::new("."));
    let above_tests = folder.file_name().is_some_and(|name| name == "deps");
    Ok(if above_tests { folder.parent().unwrap_or(folder) } else { folder }.to_owned())
}

/// Builds every binary of the workspace; cargo shows its progress. Does nothing, quickly, when all are built.
pub fn build_functions() -> Result<PathBuf, BuildError> {
    let binaries = binaries()?;
    let cargo = env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut command = Command::new(cargo);
    command.current_dir(workspace()).args(["build", "--workspace", "--bins"]);
    if binaries.file_name().is_some_and(|name| name == "release") {
        command.arg("--release");
    }
    if let Some(target) = binaries.parent() {
        command.arg("--target-dir").arg(target);
    }
    match command.status() {
        Ok(status) if status.success() => Ok(binaries),
        Ok(_) => Err(BuildError::Failed),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Err(BuildError::NoCargo),
        Err(error) => Err(BuildError::NotStarted(error)),
    }
}
