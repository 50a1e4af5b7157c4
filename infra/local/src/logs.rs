//! What the functions log: a file for each, and what somebody should see on the terminal.

use std::collections::HashMap;
use std::fs::File;
use std::io::{self, Write};
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use serde_json::Value;
use waybill_local::functions::Logs;

/// Files are begun anew at each start.
pub fn into_files(folder: PathBuf) -> io::Result<Logs> {
    std::fs::create_dir_all(&folder)?;
    let files: Mutex<HashMap<String, File>> = Mutex::default();
    Ok(Arc::new(move |function, line| {
        let mut files = files.lock().unwrap_or_else(PoisonError::into_inner);
        if !files.contains_key(function)
            && let Ok(file) = File::create(folder.join(format!("{function}.log")))
        {
            files.insert(function.to_owned(), file);
        }
        // A full disk must not stop the shop.
        if let Some(file) = files.get_mut(function) {
            let _ = writeln!(file, "{line}");
        }
        if let Some(text) = alarming(line) {
            eprintln!("{function}: {text}");
        }
    }))
}

/// A warning, an error, or something that is no log line at all, such as a panic's own words.
fn alarming(line: &str) -> Option<String> {
    match serde_json::from_str::<Value>(line) {
        Ok(Value::Object(entry)) => match entry.get("level").and_then(Value::as_str) {
            Some("WARN" | "ERROR") => Some(line.to_owned()),
            _ => None,
        },
        _ if line.trim().is_empty() => None,
        _ => Some(line.to_owned()),
    }
}
