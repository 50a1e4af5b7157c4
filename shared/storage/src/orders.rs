//! Orders, changed one version at a time.

use std::collections::HashMap;

use aws_sdk_dynamodb::types::AttributeValue;
use futures_util::{StreamExt, TryStreamExt, stream};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use waybill_domain::Timestamp;
use waybill_domain::id::{AccountId, OrderId, OrderNumber};
use waybill_domain::money::Money;
use waybill_domain::order::{Contact, FulfilmentStatus, Order, PaymentStatus, Status};
use waybill_domain::pricing::PromotionUse;
use waybill_domain::text::Email;
use waybill_domain::totals::UseLimit;

use crate::keys::{self, EXPIRES_AT, Index, Item, Key, SUMMARY};
use crate::operations::{QUERY, QueryInput};
use crate::order_lists::{Orders, Placed};
use crate::page::{Cursor, Page};
use crate::random;
use crate::table::{StorageError, Table, back_off, from_item, to_item};
use crate::transaction::{Refused, Transaction, Write};

/// A line of an order list.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct OrderSummary {
    pub id: OrderId,
    pub number: OrderNumber,
    /// Left out once the buyer has deleted their account.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub email: Option<Email>,
    pub total: Money,
    pub units: u32,
    pub payment_status: PaymentStatus,
    pub fulfilment_status: FulfilmentStatus,
    pub placed_at: Timestamp,
}

/// Why a changed order was not kept.
#[derive(Clone, Copy, Debug)]
enum NotSaved {
    /// Somebody changed it first.
    Changed,
    /// This very change is kept already: a write is sent again whose reply was lost.
    Saved,
    /// The Stripe event has had its effect before.
    EventSeen,
}

/// Why an order stayed as it was.
#[derive(Debug)]
pub enum Unchanged<E> {
    UnknownOrder,
    /// The decision was against it.
    Refused(E),
    /// The Stripe event has had its effect before.
    EventSeen,
    Failed(StorageError),
}

impl<E> From<StorageError> for Unchanged<E> {
    fn from(error: StorageError) -> Self {
        Unchanged::Failed(error)
    }
}

/// A Stripe event that takes effect with a change, or that could not: the id, and how it ended.
#[derive(Clone, Debug, Serialize)]
pub struct StripeEvent<'a> {
    pub id: &'a str,
    pub kind: &'a str,
    pub outcome: EventOutcome,
    pub received_at: Timestamp,
    /// The event as it came, where somebody has to look at it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub parked: Option<&'a str>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum EventOutcome {
    Applied,
    /// Kept for a person: it names no order that we know, or an amount that is not the order's.
    Parked,
}

/// Stripe delivers an event again for three days; its id is kept for 35.
const STRIPE_EVENT_LIFETIME: i64 = 35 * 24 * 60 * 60;
/// Reads that are under way at once.
const AT_ONCE: usize = 16;
/// How often a change starts again when others were faster.
pub(crate) const CHANGES: u32 = 8;
/// A parked event is kept for 400 days.
const PARKED_LIFETIME: i64 = 400 * 24 * 60 * 60;

impl Table {
    /// The order as it is now: one read, consistent, because what follows is decided on it.
    pub async fn order(&self, id: OrderId) -> Result<Option<Order>, StorageError> {
        Ok(self.order_numbered(id.number()).await?.filter(|order| order.id == id))
    }

    /// The order of this number, read as [`Table::order`] reads.
    pub async fn order_numbered(&self, number: OrderNumber) -> Result<Option<Order>, StorageError> {
        self.get(&keys::order(number), true).await?.map(from_item).transpose()
    }

    /// The order of this id with the fingerprint of the request that placed it.
    pub async fn placed_order(&self, id: OrderId) -> Result<Option<(Order, String)>, StorageError> {
        let Some(mut item) = self.get(&keys::order(id.number()), true).await? else { return Ok(None) };
        let fingerprint = match item.remove("fingerprint") {
            Some(AttributeValue::S(fingerprint)) => fingerprint,
            // Gone with the person behind the order.
            Some(_) | None => String::new(),
        };
        let order: Order = from_item(item)?;
        Ok(Some((order, fingerprint)).filter(|(order, _)| order.id == id))
    }

    /// Reads an order, decides, keeps what was decided; and again from the start when somebody else changed it in
    /// between. `decide` may be asked several times.
    pub async fn change_order<E>(
        &self,
        id: OrderId,
        event: Option<&StripeEvent<'_>>,
        decide: impl Fn(&Order) -> Result<Order, E>,
    ) -> Result<Order, Unchanged<E>> {
        for attempt in 0..CHANGES {
            let before = self.order(id).await?.ok_or(Unchanged::UnknownOrder)?;
            let after = decide(&before).map_err(Unchanged::Refused)?;
            match self.save_order(&before, &after, event).await {
                Ok(()) => return Ok(after),
                Err(refused) => match refused.first()? {
                    NotSaved::Changed => back_off(attempt).await,
                    NotSaved::Saved => return Ok(after),
                    NotSaved::EventSeen => return Err(Unchanged::EventSeen),
                },
            }
        }
        Err(StorageError::Busy(format!("order {id} changed {CHANGES} times while it was being changed")).into())
    }

    /// Keeps an order that was `before` as it is `after` one command; with a Stripe event, that event's id too, so
    /// that it takes effect once.
    async fn save_order(
        &self,
        before: &Order,
        after: &Order,
        event: Option<&StripeEvent<'_>>,
    ) -> Result<(), Refused<NotSaved>> {
        let (write, change) = replaced(before, after)?;
        let mut transaction = Transaction::new();
        if let Some(event) = event {
            let item = event_item(event)?;
            // An event that was parked may take effect after all, once it is delivered again.
            let write =
                Write::put(item).only_if("attribute_not_exists(pk) OR outcome = :parked").text(":parked", "parked");
            transaction = transaction.write(write, |_| Ok(NotSaved::EventSeen));
        }
        let meaning = move |item: Item| match item.get("change") {
            Some(present) if *present == change => Ok(NotSaved::Saved),
            Some(_) | None => Ok(NotSaved::Changed),
        };
        transaction = transaction.write(write, meaning);
        if after.state.status().is_given_up() && !before.state.status().is_given_up() {
            for (counter, _, name) in counters(after) {
                transaction = transaction.write(use_once_less(&counter), move |_| {
                    Err(StorageError::Broken(format!("{name} is given back and was never used")))
                });
            }
        }
        transaction.commit(self).await
    }

    /// Keeps a Stripe event for a person to look at. Doing so again changes nothing.
    pub async fn park_stripe_event(&self, event: &StripeEvent<'_>) -> Result<(), StorageError> {
        let write = Write::put(event_item(event)?).only_if_new();
        match Transaction::new().write(write, |_| Ok(())).commit(self).await {
            Ok(()) | Err(Refused::By(_)) => Ok(()),
            Err(Refused::Failed(error)) => Err(error),
        }
    }

    /// A page of a customer's orders with all that is known of them, the newest first: one query, and one read for each, some
    /// at once.
    pub async fn orders_in_full(
        &self,
        buyer: AccountId,
        limit: u8,
        cursor: Option<Cursor>,
    ) -> Result<Page<Order>, StorageError> {
        let page = self.orders(Orders::Of(buyer), Placed::default(), limit, cursor).await?;
        let read = stream::iter(page.items).map(|summary| self.order(summary.id)).buffered(AT_ONCE);
        let items: Vec<_> = read.try_collect().await?;
        Ok(Page { items: items.into_iter().flatten().collect(), next: page.next, previous: page.previous })
    }

    /// Ids of orders that were placed before a moment and are not paid, the oldest first, `limit` at most, after `from`:
    /// one query of half a read unit for each 4 KB. Where there may be more, also what to begin with for those.
    pub async fn unpaid_orders(
        &self,
        placed_before: Timestamp,
        limit: u8,
        from: Option<Overdue>,
    ) -> Result<(Vec<OrderId>, Option<Overdue>), StorageError> {
        let answer = self
            .client
            .call(
                &QUERY,
                QueryInput::builder()
                    .table_name(&self.name)
                    .index_name(Index::Gsi2.name())
                    .key_condition_expression("gsi2pk = :pending AND gsi2sk < :before")
                    .expression_attribute_values(":pending", AttributeValue::S(keys::orders_with(Status::Pending)))
                    .expression_attribute_values(":before", AttributeValue::S(keys::by_time(placed_before, "")))
                    .limit(i32::from(limit))
                    .set_exclusive_start_key(from.map(|Overdue(key)| key))
                    .build(),
            )
            .await
            .map_err(StorageError::from_sdk)?;
        let ids = answer.items.unwrap_or_default().into_iter().map(|mut item| match item.remove(SUMMARY) {
            Some(AttributeValue::M(summary)) => Ok(from_item::<OrderSummary>(summary)?.id),
            _ => Err(StorageError::Broken("an order in a list has no summary".into())),
        });
        Ok((ids.collect::<Result<_, _>>()?, answer.last_evaluated_key.map(Overdue)))
    }
}

/// Where a look at unpaid orders goes on.
#[derive(Clone, Debug)]
pub struct Overdue(Item);

/// The write that keeps an order that was `before` as it is `after` one command, and by what it knows itself.
pub(crate) fn replaced(before: &Order, after: &Order) -> Result<(Write, AttributeValue), StorageError> {
    // An update, not a put: it leaves alone what only the placing wrote.
    let mut item = order_item(after)?;
    let key = keys::order(after.id.number());
    item.retain(|attribute, _| attribute != "pk" && attribute != "sk");
    // By this a change that is sent again knows itself; a version or a time others may have written as well.
    let change = random::fresh()?;
    let change = AttributeValue::N(change.to_string());
    item.insert("change".into(), change.clone());
    let (mut assignments, mut names, mut values) = (Vec::new(), HashMap::new(), Item::new());
    for (number, (attribute, value)) in item.into_iter().enumerate() {
        assignments.push(format!("#a{number} = :a{number}"));
        names.insert(format!("#a{number}"), attribute);
        values.insert(format!(":a{number}"), value);
    }
    let gone = match after.contact {
        Contact::Known { .. } => "",
        Contact::Forgotten { .. } => " REMOVE fingerprint",
    };
    let mut write = Write::update(&key, format!("SET {}{gone}", assignments.join(", ")))
        .only_if("#version = :before")
        .name("#version", "version")
        .number(":before", i64::from(before.version()));
    for (placeholder, attribute) in &names {
        write = write.name(placeholder, attribute);
    }
    for (placeholder, value) in values {
        write = write.value(&placeholder, value);
    }
    Ok((write, change))
}

/// What counts how often the order's promotions were used: each with how often they may be, and what the customer knows
/// them by.
pub(crate) fn counters(order: &Order) -> Vec<(Key, UseLimit, String)> {
    let of = |used: &PromotionUse| {
        let all = used.limit.map(|limit| (keys::promotion_uses(used.promotion_id), limit, used.name.clone()));
        let own = keys::promotion_uses_by(used.promotion_id, order.buyer);
        all.into_iter().chain(used.limit_per_customer.map(|limit| (own, limit, used.name.clone())))
    };
    order.uses.iter().flat_map(of).collect()
}

fn use_once_less(counter: &Key) -> Write {
    Write::update(counter, "ADD uses :less").only_if("uses > :none").number(":less", -1).number(":none", 0)
}

pub(crate) fn order_item(order: &Order) -> Result<Item, StorageError> {
    let summary = OrderSummary {
        id: order.id,
        number: order.id.number(),
        email: order.contact.email().cloned(),
        total: order.total,
        units: order.lines.iter().map(|line| line.quantity.get()).sum(),
        payment_status: order.payment_status(),
        fulfilment_status: order.fulfilment_status(),
        placed_at: order.placed_at,
    };
    let mut item = to_item(order)?;
    item.extend(keys::order(order.id.number()).item());
    item.extend(keys::own_orders(order.buyer, order.placed_at, order.id).item());
    item.extend(keys::orders_by_status(order.state.status(), order.placed_at, order.id).item());
    item.insert(SUMMARY.into(), AttributeValue::M(to_item(&summary)?));
    item.insert("version".into(), AttributeValue::N(order.version().to_string()));
    Ok(item)
}

fn event_item(event: &StripeEvent<'_>) -> Result<Item, StorageError> {
    let lifetime = match event.outcome {
        EventOutcome::Applied => STRIPE_EVENT_LIFETIME,
        EventOutcome::Parked => PARKED_LIFETIME,
    };
    let expires_at = event.received_at.as_second() + lifetime;
    let mut item = to_item(event)?;
    item.extend(keys::stripe_event(event.id).item());
    item.insert(EXPIRES_AT.into(), AttributeValue::N(expires_at.to_string()));
    Ok(item)
}
