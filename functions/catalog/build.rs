//! Compresses the API's document, which is a tenth of the function otherwise.

use std::path::Path;
use std::{env, fs, io};

use miniz_oxide::deflate::compress_to_vec_zlib;

const DOCUMENT: &str = "../../infra/openapi.json";

#[expect(clippy::disallowed_methods, reason = "cargo tells a build script where to write by a variable")]
fn main() -> io::Result<()> {
    println!("cargo::rerun-if-changed={DOCUMENT}");
    let folder = env::var("OUT_DIR").map_err(io::Error::other)?;
    fs::write(Path::new(&folder).join("openapi.json"), compress_to_vec_zlib(&fs::read(DOCUMENT)?, 10))
}
