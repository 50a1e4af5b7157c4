//! Rows that a spreadsheet opens.

use std::io;

/// Writes rows of a CSV (RFC 4180) behind what is there. What a spreadsheet might execute in them is the caller's to guard.
pub fn write_rows<R: IntoIterator<Item = T>, T: AsRef<[u8]>>(
    file: &mut Vec<u8>,
    rows: impl IntoIterator<Item = R>,
) -> io::Result<()> {
    // Quoted all of it, so that a spreadsheet that parts cells by semicolons leaves them whole.
    let mut writer = csv::WriterBuilder::new()
        .quote_style(csv::QuoteStyle::Always)
        .terminator(csv::Terminator::CRLF)
        .from_writer(file);
    for row in rows {
        writer.write_record(row)?;
    }
    writer.flush()
}
