//! What is told of an order, a cart or an account, and what of it counts.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};
use waybill_domain::Timestamp;
use waybill_domain::account::Role;
use waybill_domain::cart::Cart;
use waybill_domain::id::{AccountId, CartId, OrderId};
use waybill_domain::money::Currency;
use waybill_domain::order::Order;
use waybill_domain::report::{Counts, Step, steps};
use waybill_domain::text::Sku;

use crate::carts::LIFETIME;
use crate::keys;
use crate::order_counts::Standing;
use crate::table::StorageError;

/// What was told of an order, a cart or an account.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Told {
    pub(super) subject: String,
    /// None for the shop's.
    pub(super) currency: Option<Currency>,
    /// The longer ones begin with the shorter ones: nothing that is told later changes what was told before.
    pub(super) steps: Vec<Step>,
    /// Of an order.
    pub(super) ordered: Option<Ordered>,
    /// For what may be gone when it is counted again.
    pub(super) kept: Option<Kept>,
}

/// Where an order stands, and what it is found by.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Ordered {
    pub(super) id: OrderId,
    pub(super) placed_at: Timestamp,
    pub(super) skus: BTreeSet<Sku>,
    pub(super) standing: Standing,
}

/// What is noted of a cart and of an account, beside that it was counted: enough to count it again.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Kept {
    subject: String,
    pub(super) kind: Kind,
    at: Timestamp,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Kind {
    Cart,
    Customer,
}

/// What an account has to say of when it was made.
#[derive(Deserialize)]
pub(super) struct Made {
    id: AccountId,
    role: Role,
    created_at: Timestamp,
}

impl Made {
    /// Whether somebody signed up, and was not made an administrator right away.
    pub(super) fn customer(self) -> Option<Told> {
        (self.role == Role::Customer).then(|| Told::customer(self.id, self.created_at))
    }
}

impl From<&Order> for Told {
    fn from(order: &Order) -> Self {
        Told {
            subject: order.id.number().to_string(),
            currency: Some(order.total.currency),
            steps: steps(order),
            ordered: Some(Ordered {
                id: order.id,
                placed_at: order.placed_at,
                skus: order.lines.iter().map(|line| line.sku.clone()).collect(),
                standing: Standing::from(order),
            }),
            kept: None,
        }
    }
}

impl From<Kept> for Told {
    fn from(kept: Kept) -> Self {
        let counts = match kept.kind {
            Kind::Cart => Counts { carts: 1, ..Counts::default() },
            Kind::Customer => Counts { customers: 1, ..Counts::default() },
        };
        let step = Step { at: kept.at, counts, sales: Vec::new() };
        Told { subject: kept.subject.clone(), currency: None, steps: vec![step], ordered: None, kept: Some(kept) }
    }
}

impl Told {
    /// Of a cart and of an account there is one only.
    fn version(&self) -> u32 {
        self.ordered.as_ref().map_or(0, |order| order.standing.version)
    }

    /// A cart that was begun.
    pub fn cart(id: CartId, begun_at: Timestamp) -> Told {
        Kept { subject: id.to_string(), kind: Kind::Cart, at: begun_at }.into()
    }

    /// An account that was made.
    pub fn customer(id: AccountId, created_at: Timestamp) -> Told {
        Kept { subject: id.to_string(), kind: Kind::Customer, at: created_at }.into()
    }

    /// What a new item of the table's stream tells; None for one that does not count. A cart tells when it was begun only
    /// as long as it is new.
    pub fn of(image: &serde_dynamo::Item) -> Option<Result<Told, StorageError>> {
        let sk = match image.get("sk") {
            Some(serde_dynamo::AttributeValue::S(sk)) => sk.as_str(),
            _ => return None,
        };
        let image = || image.clone();
        let told = match sk {
            keys::ORDER => serde_dynamo::from_item(image()).map(|order: Order| Some(Told::from(&order))),
            keys::ACCOUNT => serde_dynamo::from_item(image()).map(Made::customer),
            keys::CART => serde_dynamo::from_item(image()).map(|cart: Cart| {
                let begun_at = Timestamp::from_second(cart.expires_at - LIFETIME).ok()?;
                Some(Told::cart(cart.id, begun_at))
            }),
            _ => return None,
        };
        let unreadable = |error| StorageError::Broken(format!("what is to be counted cannot be read: {error}"));
        told.map_err(unreadable).transpose()
    }
}

/// The latest of what was told of each.
pub(super) fn latest(told: impl IntoIterator<Item = Told>) -> Vec<Told> {
    let mut latest: BTreeMap<String, Told> = BTreeMap::new();
    for told in told {
        match latest.get_mut(&told.subject) {
            Some(known) if known.version() >= told.version() => {}
            Some(known) => *known = told,
            None => drop(latest.insert(told.subject.clone(), told)),
        }
    }
    latest.into_values().collect()
}
