//! Finds the translations: each file in `translations/` is one, so that a further language needs no line of code.

use std::path::{Path, PathBuf};
use std::{env, fs, io};

#[expect(clippy::disallowed_methods, reason = "cargo tells a build script where to write by a variable")]
fn main() -> Result<(), Box<dyn std::error::Error>> {
    println!("cargo::rerun-if-changed=translations");
    let folder = Path::new(&env::var("CARGO_MANIFEST_DIR")?).join("translations");
    let found = fs::read_dir(&folder)?.map(|entry| Ok(entry?.path())).collect::<io::Result<Vec<PathBuf>>>()?;
    let mut files: Vec<_> = found.into_iter().filter(|path| path.extension().is_some_and(|end| end == "ftl")).collect();
    files.sort();
    let named = |path: &PathBuf| {
        let language = path.file_stem()?.to_str()?;
        Some(format!("({language:?}, include_str!({:?})),", path.to_str()?))
    };
    let list = files.iter().map(named).collect::<Option<String>>().ok_or("a translation's name is not UTF-8")?;
    fs::write(Path::new(&env::var("OUT_DIR")?).join("translations.rs"), format!("&[{list}]"))?;
    Ok(())
}
