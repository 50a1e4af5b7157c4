//! Which part of an invoice, and of its tax, an amount is: of all credit notes together exactly the invoice's, to the cent.

use crate::document::{Document, DocumentLine, Series};
use crate::money::{Money, MoneyError};
use crate::totals::rounding::{part, spread};
use crate::totals::{RateTax, TaxRate};

/// What is left of the invoice at one rate, in minor units; None for what no tax is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Left {
    rate: Option<TaxRate>,
    /// With tax.
    gross: i64,
    tax: i64,
}

/// What of an invoice no credit note is about, by rate.
#[derive(Clone, Debug)]
pub(super) struct Credit(Vec<Left>);

impl Credit {
    /// What is left of the first of these documents, which is the invoice of the others.
    pub fn left(issued: &[Document]) -> Result<Credit, MoneyError> {
        let mut left: Vec<Left> = Vec::new();
        for document in issued {
            let way = match document.subject.series() {
                Series::Invoice | Series::Reversal => 1,
                Series::CreditNote => -1,
            };
            for part in parts(document)? {
                let known = match left.iter_mut().find(|known| known.rate == part.rate) {
                    Some(known) => known,
                    None => {
                        left.push(Left { rate: part.rate, gross: 0, tax: 0 });
                        left.last_mut().ok_or(MoneyError::TooLarge)?
                    }
                };
                known.gross = known.gross.checked_add(way * part.gross).ok_or(MoneyError::TooLarge)?;
                known.tax = known.tax.checked_add(way * part.tax).ok_or(MoneyError::TooLarge)?;
            }
        }
        Ok(Credit(left))
    }

    pub fn amount(&self) -> i64 {
        self.0.iter().map(|left| left.gross).sum()
    }

    /// The taxes in `amount`, which is at most what is left. Lines whose rate is known are of that rate, as far as something
    /// is left of it; the rest is of all rates, in proportion to what is left of each. At each rate the tax is in proportion
    /// to what is left of it, so that the last cent of an invoice comes with the last of its tax.
    pub fn taxes(&self, amount: Money, lines: &[DocumentLine]) -> Result<Vec<RateTax>, MoneyError> {
        let mut taken = vec![0_i64; self.0.len()];
        for line in lines {
            let place = self.0.iter().position(|left| line.rate.is_some() && left.rate == line.rate);
            if let Some(place) = place {
                taken[place] += line.total.amount.min(self.0[place].gross - taken[place]);
            }
        }
        let rest = amount.amount - taken.iter().sum::<i64>();
        let weights: Vec<_> = self.0.iter().zip(&taken).map(|(left, taken)| left.gross - taken).collect();
        for (taken, more) in taken.iter_mut().zip(spread(rest, &weights)?) {
            *taken += more;
        }
        let taxed = self.0.iter().zip(taken).filter_map(|(left, taken)| Some((left.rate?, left, taken)));
        let taxed = taxed.filter(|(_, _, taken)| *taken > 0).map(|(rate, left, taken)| {
            let tax = part(left.tax, taken, left.gross)?;
            let money = |minor| Money::new(minor, amount.currency);
            Ok(RateTax { rate, net: money(taken - tax), amount: money(tax) })
        });
        let mut taxed = taxed.collect::<Result<Vec<_>, _>>()?;
        taxed.sort_by_key(|tax| tax.rate);
        Ok(taxed)
    }
}

/// A document by rate, the last part what no tax is about.
fn parts(document: &Document) -> Result<Vec<Left>, MoneyError> {
    let mut parts = Vec::new();
    let mut untaxed = document.total;
    for RateTax { rate, net, amount } in &document.taxes {
        let gross = net.plus(*amount)?;
        untaxed = untaxed.plus(Money::new(-gross.amount, gross.currency))?;
        parts.push(Left { rate: Some(*rate), gross: gross.amount, tax: amount.amount });
    }
    parts.push(Left { rate: None, gross: untaxed.amount, tax: 0 });
    Ok(parts)
}
