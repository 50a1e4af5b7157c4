//! Counting everything again. Not a route: it takes the right to invoke the function itself.
//!
//! `aws lambda invoke --function-name … --payload '{"recount": {}}'` begins and goes on for some minutes. Where `next` is not
//! null, `{"recount": {"from": …}}` with what it is goes on; until then reports read what was counted before.

use serde::{Deserialize, Serialize};
use serde_json::Value;
use waybill_domain::Timestamp;
use waybill_lambda::{Error, clock};
use waybill_storage::tallies::{Counting, Place};
use waybill_storage::{Refused, Table};

use crate::LONGEST;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Command {
    recount: Wanted,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Wanted {
    /// The `next` of an earlier run.
    from: Option<Going>,
}

/// A recount that goes on.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Going {
    recount: u32,
    place: Option<Place>,
}

/// What a run came to.
#[derive(Serialize)]
struct Answer {
    /// Orders, carts and accounts that were looked at.
    looked_at: usize,
    /// Whether reports read the new counts by now.
    in_force: bool,
    /// Where there was no time for all: what to go on with.
    next: Option<Going>,
}

impl Command {
    /// Reads a payload that asks for a recount; None for any other.
    pub fn read(payload: &Value) -> Option<Result<Command, Error>> {
        payload.get("recount")?;
        Some(Command::deserialize(payload).map_err(Into::into))
    }

    pub async fn run(self, table: &Table, shop: &Counting) -> Result<Value, Error> {
        let until = clock::now() + LONGEST;
        let Going { recount, mut place } = match self.recount.from {
            Some(going) => going,
            None => match begin(table, shop, until).await? {
                Some(recount) => Going { recount, place: None },
                None => return Err("there was no time to begin, for much is still to be deleted: ask again".into()),
            },
        };
        let mut looked_at = 0;
        let (in_force, next) = loop {
            let Some(step) = table.recount(place.as_ref(), shop, clock::now()).await? else {
                return Err("this recount has ended, or another one was begun since".into());
            };
            looked_at += step.looked_at;
            place = step.next;
            if place.is_none() {
                table.end_recount(recount, shop, clock::now()).await.map_err(told)?;
                break (true, None);
            }
            if clock::now() > until {
                break (false, Some(Going { recount, place }));
            }
        };
        tracing::info!(looked_at, in_force, "everything was counted again");
        Ok(serde_json::to_value(Answer { looked_at, in_force, next })?)
    }
}

/// Deletes what earlier recounts have left, and begins; None where that took all the time.
async fn begin(table: &Table, shop: &Counting, until: Timestamp) -> Result<Option<u32>, Error> {
    if !table.forget_old_tallies(shop, clock::now, until).await? && clock::now() > until {
        return Ok(None);
    }
    Ok(Some(table.begin_recount(shop, clock::now()).await.map_err(told)?))
}

fn told(refused: Refused<waybill_storage::tallies::NotBegun>) -> Error {
    match refused.first() {
        Ok(reason) => reason.into(),
        Err(error) => error.into(),
    }
}
