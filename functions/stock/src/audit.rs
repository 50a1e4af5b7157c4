//! Comparing the stock with its ledger. Not a route: it takes the right to invoke the function itself.
//!
//! `aws lambda invoke --function-name … --payload '{"check_stock": {}}'` looks at SKUs for some seconds. Where `next` is
//! not null, the SKUs after it are still to be looked at: `{"check_stock": {"after": "…"}}`.

use serde::{Deserialize, Serialize};
use serde_json::Value;
use waybill_domain::product::ProductState;
use waybill_domain::{SignedDuration, Timestamp};
use waybill_lambda::{Error, clock};
use waybill_storage::stock::Finding;
use waybill_storage::{Cursor, Table};

/// How long one invocation looks, well below the function's timeout.
const LONGEST: SignedDuration = SignedDuration::from_secs(15);
/// Products that are looked at between two looks at the clock.
const TOGETHER: u8 = 10;
/// Findings that one answer has, and those of one more step.
const MOST: usize = 1_000;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Command {
    check_stock: Wanted,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Wanted {
    after: Option<String>,
}

#[derive(Debug, Serialize)]
struct Answer {
    /// SKUs that were looked at.
    skus: usize,
    findings: Vec<Finding>,
    next: Option<String>,
}

impl Command {
    /// Reads a payload that asks for an audit; None for any other.
    pub fn read(payload: &Value) -> Option<Result<Command, Error>> {
        payload.get("check_stock")?;
        Some(Command::deserialize(payload).map_err(Into::into))
    }

    pub async fn run(self, table: &Table, begun_at: Timestamp) -> Result<Value, Error> {
        let (mut state, mut cursor) = match &self.check_stock.after {
            None => (ProductState::ALL[0], None),
            Some(place) => read(place).ok_or("after must be the next of an earlier answer")?,
        };
        let mut answer = Answer { skus: 0, findings: Vec::new(), next: None };
        loop {
            let audit = table.audit(state, cursor.take(), TOGETHER).await?;
            answer.skus += audit.skus;
            answer.findings.extend(audit.findings);
            (state, cursor) = match (audit.next, following(state)) {
                (Some(next), _) => (state, Some(next)),
                (None, Some(state)) => (state, None),
                (None, None) => break,
            };
            if clock::now().duration_since(begun_at) > LONGEST || answer.findings.len() >= MOST {
                answer.next = Some(written(state, cursor.as_ref()));
                break;
            }
        }
        tracing::info!(skus = answer.skus, findings = answer.findings.len(), "the stock was compared with its ledger");
        Ok(serde_json::to_value(answer)?)
    }
}

fn following(state: ProductState) -> Option<ProductState> {
    ProductState::ALL.into_iter().skip_while(|other| *other != state).nth(1)
}

/// Where to go on: the state of products, and the place among them.
fn written(state: ProductState, cursor: Option<&Cursor>) -> String {
    let place = cursor.map(ToString::to_string).unwrap_or_default();
    format!("{} {place}", state.as_str())
}

fn read(place: &str) -> Option<(ProductState, Option<Cursor>)> {
    let (state, cursor) = place.split_once(' ')?;
    let cursor = match cursor {
        "" => None,
        cursor => Some(Cursor::among_products(cursor)?),
    };
    Some((state.parse().ok()?, cursor))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_state_of_products_has_its_turn_and_a_place_is_read_as_it_was_written() {
        let mut states = vec![ProductState::ALL[0]];
        states.extend(std::iter::successors(following(ProductState::ALL[0]), |state| following(*state)));
        assert_eq!(states, ProductState::ALL);
        let cursor = Cursor::among_products("prd_00000000000000000000000001");
        for cursor in [None, cursor] {
            let place = written(ProductState::Active, cursor.as_ref());
            assert_eq!(read(&place), Some((ProductState::Active, cursor)));
        }
        for strange in ["", "active", "sold ", "active prd_1"] {
            assert_eq!(read(strange), None, "{strange}");
        }
    }
}
