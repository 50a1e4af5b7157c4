//! Compresses the faces that documents are set in, which are a fifth of the function otherwise.

use std::path::Path;
use std::{env, fs, io};

use miniz_oxide::deflate::compress_to_vec_zlib;

#[expect(clippy::disallowed_methods, reason = "cargo tells a build script where to write by a variable")]
fn main() -> io::Result<()> {
    println!("cargo::rerun-if-changed=fonts");
    let folder = env::var("OUT_DIR").map_err(io::Error::other)?;
    for face in ["DejaVuSansCondensed", "DejaVuSansCondensed-Bold"] {
        let font = fs::read(format!("fonts/{face}.ttf"))?;
        fs::write(Path::new(&folder).join(face), compress_to_vec_zlib(&font, 10))?;
    }
    Ok(())
}
