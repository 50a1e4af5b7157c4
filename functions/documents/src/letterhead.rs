//! What documents say of the shop: its settings.

use std::fmt::Display;

use waybill_domain::document::{Letterhead, Seller};
use waybill_lambda::{Error, settings};

/// Reads who sells and how documents are numbered.
pub fn read() -> Result<Letterhead, Error> {
    let (name, address, prefixes) = settings::read(|variables| {
        let prefixes = ["INVOICE_PREFIX", "CREDIT_NOTE_PREFIX", "REVERSAL_PREFIX"];
        (variables.text("SELLER_NAME"), variables.text("SELLER_ADDRESS"), prefixes.map(|name| variables.text(name)))
    })?;
    let tax_id = settings::optional("SELLER_TAX_ID").unwrap_or_default();
    let seller =
        Seller::new(&name, &address, &tax_id).map_err(|wrong| refused("SELLER_NAME, _ADDRESS or _TAX_ID", wrong))?;
    let [invoices, credit_notes, reversals] =
        prefixes.map(|prefix| prefix.parse().map_err(|wrong| refused(&format!("the prefix {prefix:?}"), wrong)));
    let letterhead = Letterhead { seller, invoices: invoices?, credit_notes: credit_notes?, reversals: reversals? };
    letterhead.check().map_err(|wrong| refused("INVOICE_PREFIX, CREDIT_NOTE_PREFIX and REVERSAL_PREFIX", wrong))
}

fn refused(what: &str, wrong: impl Display) -> Error {
    format!("{what}: {wrong}").into()
}
