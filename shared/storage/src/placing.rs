//! Orders are placed in one transaction without a read. Only where stock is spread and too little lies where it was looked for,
//! a look at all of it comes in between.

use aws_sdk_dynamodb::types::AttributeValue;
use waybill_domain::Timestamp;
use waybill_domain::cart::{PricedLine, Quote, QuotedContact};
use waybill_domain::id::SessionId;
use waybill_domain::message::Actor;
use waybill_domain::order::{Command, Exchange, Order, Refusal, returns};
use waybill_domain::product::Offer;
use waybill_domain::text::Sku;
use waybill_domain::totals::UseLimit;

use crate::accounts::Holder;
use crate::drafts::stays;
use crate::keys::{self, Key};
use crate::orders::{CHANGES, counters, order_item, replaced};
use crate::random;
use crate::sessions::MAX_AGE;
use crate::table::{StorageError, Table, back_off, from_item};
use crate::transaction::{Outcome, Refused, Transaction, Write};

/// Why an order was not placed.
#[derive(Clone, Debug)]
pub enum NotPlaced {
    /// The same buyer used the same idempotency key before: this is the order it made, and the fingerprint of the
    /// request that did.
    AlreadyPlaced { order: Box<Order>, fingerprint: String },
    /// Another order has the number that the key would have led to. Another key leads to another.
    NumberTaken,
    /// The cart is not the quoted one any more: changed, emptied or ordered.
    CartChanged,
    /// A line cannot be had as quoted; the offer as it is now, or None if there is none.
    LineRefused { line: usize, sku: Sku, offer: Option<Offer> },
    /// The goods that it is in exchange for are not to be had back, or something else goes out for them already.
    NotExchanged(Refusal),
    /// The buyer of a draft has deleted their account, or is about to.
    BuyerLeft,
    /// The session that it was to be placed in has ended.
    SessionEnded,
    /// Whose session it is has begun to delete their account.
    Leaving,
    /// The buyer's address or language are not the quoted ones any more.
    ContactChanged,
    /// A promotion of the quote, by the name that its customer knows it by, has been used as often as it may be.
    PromotionUsedUp(String),
}

/// What stood in the way of one try.
enum InTheWay {
    ForGood(Box<NotPlaced>),
    /// Too little of this line lies where it was to come from; the rest of it may lie elsewhere.
    Short(usize),
    /// The order whose goods come back is not as it was read.
    ExchangedMeanwhile,
}

fn for_good(reason: NotPlaced) -> InTheWay {
    InTheWay::ForGood(Box::new(reason))
}

/// A place that units of a SKU lie at: one of its buckets, or its offer.
type Place = Option<u16>;

/// What is known of where a line can come from.
enum Source {
    Offer,
    /// One of so many buckets, whichever.
    AnyOf(u16),
    /// What was found at each place.
    Found(Vec<(Place, u64)>),
}

/// What DynamoDB takes in one transaction.
const MAX_WRITES: usize = 100;
/// Beside stock and counters: the order, its cart, its buyer, and the order that it is in exchange for.
const OTHERS: usize = 4;

impl Table {
    /// Places an order in a session of its buyer: takes the stock of every line at its quoted price, ends the cart, writes the
    /// order; if the session stands at that moment, and mails still go where the quote says. One transaction, no read; 2 write
    /// units for each line and 6 for the rest, one for each of two index entries, and 2 for each limit of a promotion.
    pub async fn place_in_session(
        &self,
        order: &Order,
        quote: &Quote,
        fingerprint: &str,
        session: SessionId,
    ) -> Result<(), Refused<NotPlaced>> {
        self.placed(order, quote, fingerprint, Some(session)).await
    }

    /// Places an order as [`Table::place_in_session`] does, for somebody of whom no more is to be asked: 2 units less. From
    /// a draft it is the same, and 4 more: that the buyer is still there, and the draft's places in two lists. In exchange
    /// for what comes back of another order, it is that order's change as well, which is read before: both are kept or
    /// neither, and again from the start when somebody else changed it in between. A line whose stock is spread takes from
    /// any bucket; from another when that one is being taken from at the moment; and when too little is left in it, from
    /// wherever it lies, after a look (one read, and a query for each 64 buckets).
    pub async fn place_order(&self, order: &Order, quote: &Quote, fingerprint: &str) -> Result<(), Refused<NotPlaced>> {
        self.placed(order, quote, fingerprint, None).await
    }

    async fn placed(
        &self,
        order: &Order,
        quote: &Quote,
        fingerprint: &str,
        session: Option<SessionId>,
    ) -> Result<(), Refused<NotPlaced>> {
        let source = |line: &PricedLine| quote.buckets.get(&line.sku).map_or(Source::Offer, |n| Source::AnyOf(*n));
        let mut sources: Vec<_> = order.lines.iter().map(source).collect();
        self.look_ahead(order, session, &mut sources).await?;
        let mut cause = String::new();
        for attempt in 0..CHANGES {
            let mut transaction = placing(order, quote, fingerprint, session, &chosen(order, &sources)?)?;
            // Where there is no change to make, this very order is in exchange for them: it was placed before.
            if let Some(exchange) = order.exchange_for
                && let Some(change) = self.exchanging(order, exchange).await?
            {
                transaction = transaction.write(change, |_| Ok(InTheWay::ExchangedMeanwhile));
            }
            // Another bucket is sooner free than the same one.
            let is_spread = sources.iter().any(|source| !matches!(source, Source::Offer));
            let placed = match is_spread {
                true => transaction.attempt(self).await,
                false => transaction.commit(self).await.map_err(Outcome::Refused),
            };
            let reasons = match placed {
                Ok(()) => return Ok(()),
                Err(Outcome::Refused(Refused::By(reasons))) => reasons,
                Err(Outcome::Refused(Refused::Failed(error))) => return Err(error.into()),
                Err(Outcome::Busy(busy)) => {
                    cause = busy;
                    back_off(attempt).await;
                    // What was found may be what somebody else is just taking.
                    let found = (0..sources.len()).filter(|line| matches!(sources[*line], Source::Found(_)));
                    let found: Vec<_> = found.collect();
                    self.look_again(order, session, &mut sources, &found).await?;
                    continue;
                }
            };
            let (mut for_good, mut short) = (Vec::new(), Vec::new());
            for reason in reasons {
                match reason {
                    InTheWay::ForGood(reason) => for_good.push(*reason),
                    InTheWay::Short(index) => {
                        self.scarce.note(order.lines[index].product_id, &order.lines[index].sku);
                        short.push(index);
                    }
                    InTheWay::ExchangedMeanwhile => cause = "the order that it is in exchange for changed".to_owned(),
                }
            }
            if !for_good.is_empty() {
                return Err(Refused::By(for_good));
            }
            let is_moving = self.look_again(order, session, &mut sources, &short).await?;
            if is_moving || short.is_empty() {
                back_off(attempt).await;
            }
        }
        Err(StorageError::Busy(format!("order {} was tried {CHANGES} times: {cause}", order.id)).into())
    }

    /// Looks where there are units of the lines of which little is left, for all that this process knows.
    async fn look_ahead(
        &self,
        order: &Order,
        session: Option<SessionId>,
        sources: &mut [Source],
    ) -> Result<(), Refused<NotPlaced>> {
        let lines = order.lines.iter().zip(&*sources).enumerate();
        let scarce = lines.filter(|(_, (line, source))| {
            matches!(source, Source::AnyOf(_)) && self.scarce.knows(line.product_id, &line.sku)
        });
        let scarce: Vec<_> = scarce.map(|(index, _)| index).collect();
        self.look_again(order, session, sources, &scarce).await.map(drop)
    }

    /// Looks for units of the lines that were short. Refused when there are too few of one; true when so many are on their way
    /// from one place to another that there may be enough in a moment.
    async fn look_again(
        &self,
        order: &Order,
        session: Option<SessionId>,
        sources: &mut [Source],
        short: &[usize],
    ) -> Result<bool, Refused<NotPlaced>> {
        let (mut refused, mut is_moving) = (Vec::new(), false);
        for &index in short {
            let line = &order.lines[index];
            let found = self.found(line.product_id, &line.sku, line.quantity.get().into(), order.placed_at).await?;
            let refuse = |offer| NotPlaced::LineRefused { line: index, sku: line.sku.clone(), offer };
            match found {
                None => refused.push(refuse(None)),
                Some(found)
                    if !found.offer.active
                        || found.offer.price_in(line.unit_price.currency) != Some(line.unit_price) =>
                {
                    refused.push(refuse(Some(found.offer)));
                }
                Some(found) if found.units() >= u64::from(line.quantity.get()) => {
                    sources[index] = Source::Found(found.places)
                }
                Some(found) if found.is_moving => is_moving = true,
                Some(found) => refused.push(refuse(Some(found.offer))),
            }
        }
        if !refused.is_empty() {
            // Perhaps no write has asked after the session yet, and what was placed only its buyer is told.
            if let Some(session) = session
                && let Some(gone) = gone(self.holder(order.buyer).await?.as_ref(), session, order.placed_at)
            {
                return Err(Refused::By(vec![gone]));
            }
            // It may be this very order, placed by the same request a moment ago, that took the last ones.
            let placed = self
                .placed_order(order.id)
                .await?
                .map(|(order, fingerprint)| vec![NotPlaced::AlreadyPlaced { order: Box::new(order), fingerprint }]);
            return Err(Refused::By(placed.unwrap_or(refused)));
        }
        let places: usize = chosen(order, sources)?.iter().map(Vec::len).sum();
        if places + counters(order).len() + OTHERS > MAX_WRITES {
            // Crumbs: they are put together first.
            for &index in short {
                let line = &order.lines[index];
                self.gather(line.product_id, &line.sku).await?;
                sources[index] = Source::Offer;
            }
        }
        Ok(is_moving)
    }

    /// The change of the order of whose goods a new one is in exchange; None where it was made.
    async fn exchanging(&self, order: &Order, exchange: Exchange) -> Result<Option<Write>, Refused<NotPlaced>> {
        let Exchange { order_id, return_number: number } = exchange;
        let refused = |refusal| Refused::By(vec![NotPlaced::NotExchanged(refusal)]);
        let before = self.order(order_id).await?;
        let before = before.ok_or_else(|| refused(returns::Refused::Unknown.into()))?;
        // With the same words in the timelines of both.
        let (by, now) = (order.timeline.first().map_or(Actor::Shop, |entry| entry.actor), order.placed_at);
        match before.decide(Command::Return(returns::Command::Exchange { number, by: order.id }), by, now) {
            Ok(after) => Ok(Some(replaced(&before, &after)?.0)),
            Err(Refusal::Done) => Ok(None),
            Err(refusal) => Err(refused(refusal)),
        }
    }
}

/// Where each line is taken from this time, and how many of it.
type Chosen = Vec<Vec<(Place, u32)>>;

fn chosen(order: &Order, sources: &[Source]) -> Result<Chosen, StorageError> {
    let lines = order.lines.iter().zip(sources);
    lines.map(|(line, source)| source.choose(line.quantity.get())).collect()
}

impl Source {
    fn choose(&self, units: u32) -> Result<Vec<(Place, u32)>, StorageError> {
        let any = |count: usize| -> Result<usize, StorageError> {
            Ok(usize::try_from(random::fresh()? % count.max(1) as u64).unwrap_or_default())
        };
        match self {
            Source::Offer => Ok(vec![(None, units)]),
            Source::AnyOf(buckets) => Ok(vec![(Some(any(usize::from(*buckets))? as u16), units)]),
            Source::Found(places) => {
                let enough: Vec<_> = places.iter().filter(|(_, there)| *there >= u64::from(units)).collect();
                if !enough.is_empty() {
                    return Ok(vec![(enough[any(enough.len())?].0, units)]);
                }
                let mut fullest = places.clone();
                fullest.sort_by_key(|(_, there)| std::cmp::Reverse(*there));
                let (mut due, mut taken) = (units, Vec::new());
                for (place, there) in fullest {
                    let some = due.min(u32::try_from(there).unwrap_or(u32::MAX));
                    if some > 0 {
                        taken.push((place, some));
                        due -= some;
                    }
                }
                Ok(taken)
            }
        }
    }
}

/// All that an order takes, ends and makes.
fn placing(
    order: &Order,
    quote: &Quote,
    fingerprint: &str,
    session: Option<SessionId>,
    chosen: &Chosen,
) -> Result<Transaction<InTheWay>, StorageError> {
    let mut transaction = Transaction::new();
    if let Some(session) = session {
        let now = order.placed_at;
        transaction = transaction.write(is_there(quote, session, now), move |item| {
            let holder: Option<Holder> = if item.is_empty() { None } else { Some(from_item(item)?) };
            Ok(for_good(gone(holder.as_ref(), session, now).unwrap_or(NotPlaced::ContactChanged)))
        });
    }
    let mut item = order_item(order)?;
    item.insert("fingerprint".into(), AttributeValue::S(fingerprint.to_owned()));
    // The order comes before the rest: where it exists already, whatever else stands in the way is of its own making.
    let id = order.id;
    transaction = transaction.write(Write::put(item).only_if_new(), move |mut item| {
        let fingerprint = match item.remove("fingerprint") {
            Some(AttributeValue::S(fingerprint)) => fingerprint,
            _ => return Err(StorageError::Broken("an order has no fingerprint".into())),
        };
        let order: Order = from_item(item)?;
        Ok(for_good(match order.id == id {
            true => NotPlaced::AlreadyPlaced { order: Box::new(order), fingerprint },
            false => NotPlaced::NumberTaken,
        }))
    });
    for (index, (line, places)) in order.lines.iter().zip(chosen).enumerate() {
        for &(place, units) in places {
            let sku = line.sku.clone();
            transaction = transaction.write(take_stock(line, place, units), move |item| {
                // What a bucket lacks may lie in another one, or with the offer.
                if place.is_some() {
                    return Ok(InTheWay::Short(index));
                }
                let offer: Option<Offer> = if item.is_empty() { None } else { Some(from_item(item)?) };
                Ok(match offer {
                    Some(offer) if offer.is_dealt() => InTheWay::Short(index),
                    offer => for_good(NotPlaced::LineRefused { line: index, sku: sku.clone(), offer }),
                })
            });
        }
    }
    for (counter, limit, name) in counters(order) {
        let used_up = move |_| Ok(for_good(NotPlaced::PromotionUsedUp(name.clone())));
        transaction = transaction.write(use_once_more(&counter, limit), used_up);
    }
    if quote.draft.is_some() {
        // A buyer who orders is there; whom staff order for may leave meanwhile, and nothing of theirs comes after that.
        transaction = transaction.write(stays(order.buyer), |_| Ok(for_good(NotPlaced::BuyerLeft)));
    }
    let end_cart = Write::delete(&keys::cart(quote.into()))
        .only_if("id = :cart AND #version = :version")
        .name("#version", "version")
        .text(":cart", quote.cart_id)
        .number(":version", i64::try_from(quote.cart_version).unwrap_or(i64::MAX));
    Ok(transaction.write(end_cart, |_| Ok(for_good(NotPlaced::CartChanged))))
}

/// That the session stands, and mails go where they did when it was quoted.
fn is_there(quote: &Quote, session: SessionId, now: Timestamp) -> Write {
    let stands = "attribute_not_exists(leaving_since) AND #sessions.#session.expires_at > :now \
                  AND #sessions.#session.created_at > :oldest";
    let write = Write::check(&keys::account(quote.buyer), stands)
        .name("#sessions", "sessions")
        .name("#session", &session.to_string())
        .number(":now", now.as_second())
        .text(":oldest", now - MAX_AGE);
    let Some(QuotedContact { email, language }) = &quote.contact else { return write };
    let write = write.name("#email", "email").name("#language", "language").text(":email", email);
    let stands = format!("{stands} AND #email = :email");
    match language {
        None => write.only_if(format!("{stands} AND attribute_not_exists(#language)")),
        Some(language) => write.only_if(format!("{stands} AND #language = :language")).text(":language", language),
    }
}

/// Why nothing is placed in the session of an account.
fn gone(holder: Option<&Holder>, session: SessionId, now: Timestamp) -> Option<NotPlaced> {
    match holder.filter(|holder| holder.session(session, now).is_some()) {
        None => Some(NotPlaced::SessionEnded),
        Some(holder) => holder.leaving_since.map(|_| NotPlaced::Leaving),
    }
}

fn take_stock(line: &PricedLine, place: Place, units: u32) -> Write {
    let key = match place {
        None => keys::offer(line.product_id, &line.sku),
        Some(bucket) => keys::bucket(line.product_id, &line.sku, bucket),
    };
    Write::update(&key, "SET available = available - :units ADD #ordered :units")
        .name("#ordered", "ordered")
        .only_if("active = :yes AND available >= :units AND prices.#currency.amount = :amount")
        .name("#currency", line.unit_price.currency.code())
        .value(":yes", AttributeValue::Bool(true))
        .number(":units", i64::from(units))
        .number(":amount", line.unit_price.amount)
}

fn use_once_more(counter: &Key, limit: UseLimit) -> Write {
    Write::update(counter, "ADD uses :one")
        .only_if("attribute_not_exists(pk) OR uses < :limit")
        .number(":one", 1)
        .number(":limit", i64::from(limit.get()))
}
