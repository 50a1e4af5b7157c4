//! Changing an order by one command.

use axum::Json;
use serde::Serialize;
use waybill_domain::id::{AccountId, OrderId};
use waybill_domain::message::Actor;
use waybill_domain::order::refund::Request;
use waybill_domain::order::{Command, Order, Refusal};
use waybill_domain::text::IdempotencyKey;
use waybill_lambda::{clock, random};
use waybill_storage::Table;
use waybill_storage::orders::Unchanged;
use waybill_web::{Caller, Problem};

use crate::view::OrderView;

/// The order after the command, now or by an earlier request.
pub async fn change(table: &Table, id: &str, command: Command, by: Actor) -> Result<Json<OrderView>, Problem> {
    let id = id.parse().map_err(|_| Problem::not_found("order"))?;
    let (order, _) = decide(table, id, command, by).await?;
    Ok(Json(order.into()))
}

/// The same, and whether an earlier request did it.
pub async fn decide(table: &Table, id: OrderId, command: Command, by: Actor) -> Result<(Order, bool), Problem> {
    let now = clock::now();
    match table.change_order(id, None, |order| order.decide(command.clone(), by, now)).await {
        Ok(order) => Ok((order, false)),
        Err(Unchanged::Refused(Refusal::Done)) => {
            let order = table.order(id).await?.ok_or_else(|| Problem::not_found("order"))?;
            Ok((order, true))
        }
        Err(refused) => Err(refused.into()),
    }
}

/// By what a request that asks for something of an order knows itself when it comes again: who sends it with which key, and
/// what `body` asks for.
pub fn request(by: AccountId, key: &IdempotencyKey, body: &impl Serialize) -> Result<Request, Problem> {
    let fingerprint = random::hash(&serde_json::to_string(body).map_err(Problem::internal)?);
    Ok(Request { key: random::hash(&format!("{by}/{}", key.as_str())), fingerprint })
}

/// An order of the caller's. Somebody else's is as unknown as one that does not exist.
pub async fn own_order(table: &Table, caller: &Caller, id: &str) -> Result<Order, Problem> {
    let unknown = || Problem::not_found("order");
    let order = table.order(id.parse().map_err(|_| unknown())?).await?;
    order.filter(|order| order.buyer == caller.account).ok_or_else(unknown)
}

/// The number of something that belongs to an order.
pub fn number(segment: &str, of: &str) -> Result<u32, Problem> {
    segment.parse().map_err(|_| Problem::not_found(of))
}
