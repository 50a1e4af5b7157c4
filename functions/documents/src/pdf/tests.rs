//! PDFs as others read them.

use lopdf::Document as Read;

use super::*;
use crate::samples::{credit_note, invoice, longest, reversal};

fn said(bytes: &[u8]) -> String {
    let read = Read::load_mem(bytes).unwrap();
    let pages: Vec<u32> = read.get_pages().keys().copied().collect();
    read.extract_text(&pages).unwrap()
}

#[test]
fn a_document_is_the_same_bytes_each_time_and_small() {
    for document in [invoice(), credit_note(), reversal(), longest()] {
        let bytes = render(&document).unwrap();
        assert!(bytes.starts_with(b"%PDF-1."));
        assert!(bytes == render(&document).unwrap(), "{}", document.number);
        assert!(bytes.len() < 120_000, "{} bytes", bytes.len());
    }
    assert!(render(&invoice()).unwrap() != render(&credit_note()).unwrap());
}

#[test]
fn another_program_reads_what_it_says_in_every_script() {
    let text = said(&render(&invoice()).unwrap());
    for wanted in ["INVOICE", "INV-000042", "Łukasz Żółć", "1,185.10"] {
        assert!(text.contains(wanted), "{wanted:?} is not in {text}");
    }
    let text = said(&render(&longest()).unwrap());
    for wanted in ["Ĉiuĵaŭde", "Ελληνικά", "Київ"] {
        assert!(text.contains(wanted), "{wanted:?} is not in {text}");
    }
    let read = Read::load_mem(&render(&credit_note()).unwrap()).unwrap();
    let about = read.trailer.get(b"Info").and_then(|info| read.get_object(info.as_reference()?)).unwrap();
    let title = about.as_dict().unwrap().get(b"Title").unwrap().as_str().unwrap();
    assert_eq!(title, b"Credit note CN-000007");
}

/// `cargo test -p documents -- --ignored samples` writes into the folder `WAYBILL_SAMPLES`.
#[test]
#[ignore = "for somebody to look at"]
#[allow(clippy::disallowed_methods)] // Who runs it says where to.
fn samples() {
    let folder = std::path::PathBuf::from(std::env::var("WAYBILL_SAMPLES").unwrap());
    for document in [invoice(), credit_note(), reversal(), longest()] {
        std::fs::write(folder.join(format!("{}.pdf", document.number)), render(&document).unwrap()).unwrap();
    }
}
