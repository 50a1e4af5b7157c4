//! Order updates to the open WebSockets of the buyer, and of staff who follow the order or all orders.

use std::collections::{BTreeMap, HashMap};

use futures_util::future::try_join3;
use futures_util::{StreamExt, TryStreamExt, stream};
use serde_json::json;
use waybill_domain::account::Permission;
use waybill_domain::id::AccountId;
use waybill_domain::message::Message;
use waybill_domain::update::{Feed, Places, Shown, Update};
use waybill_domain::{SignedDuration, Timestamp};
use waybill_lambda::browsers::{Browsers, NotReached};
use waybill_lambda::clock;
use waybill_storage::accounts::Holder;
use waybill_storage::connections::Listener;
use waybill_storage::{StorageError, Table};

/// API Gateway calls a connection gone also while it is being opened, which its $connect may take up to 29 s for. Such
/// a one misses this update and must not miss the next.
const OPENING: SignedDuration = SignedDuration::from_secs(30);
/// How many connections are posted to at once.
const AT_ONCE: usize = 64;

#[derive(Debug, thiserror::Error)]
pub enum PushError {
    #[error(transparent)]
    Storage(#[from] StorageError),
    #[error("an update cannot be written: {0}")]
    Json(#[from] serde_json::Error),
    #[error("{0} of the connections could not be reached")]
    Unreached(usize),
}

/// One connection, however many ways lead to it.
struct Target {
    listener: Listener,
    positions: BTreeMap<String, u64>,
    /// Whether it follows something that is not its own.
    as_staff: Vec<Listener>,
    is_buyer: bool,
}

/// Why a connection is sent nothing.
enum Silent {
    Ended(&'static str),
    NotPermitted,
}

/// Tells the browsers that follow the order of a message. Where one was not reached, all are told again when the message
/// comes back, which they notice by its position.
pub async fn push(browsers: &Browsers, table: &Table, message: Message) -> Result<(), PushError> {
    let (buyer, order) = (message.order.account_id, message.order.id);
    let own = table.connections_of(buyer);
    let found = try_join3(own, table.followers_of(order), table.followers_of_all()).await?;
    let targets = targets(&message, found);
    if targets.is_empty() {
        return Ok(());
    }
    // Who has logged out since hears nothing more, and is hung up on; and whoever is staff no longer follows nothing.
    let accounts: Vec<AccountId> = targets.iter().map(|target| target.listener.account).collect();
    let (holders, now) = (table.holders(&accounts).await?, clock::now());
    let update = Update::of(&message);
    let told = stream::iter(targets.iter().map(|target| tell(browsers, table, &update, target, &holders, now)));
    let reached: Vec<bool> = told.buffer_unordered(AT_ONCE).try_collect().await?;
    match reached.iter().filter(|reached| !**reached).count() {
        0 => Ok(()),
        unreached => Err(PushError::Unreached(unreached)),
    }
}

fn targets(message: &Message, (own, of_order, of_all): (Vec<Listener>, Vec<Listener>, Vec<Listener>)) -> Vec<Target> {
    // Who listens to what had no feed yet reads the order as it is by now, and is not to be shown again what it was.
    let had_none = |place: fn(Places) -> Option<u64>| message.places.is_some_and(|places| place(places).is_none());
    let own = if had_none(|places| places.own) { Vec::new() } else { own };
    let of_all = if had_none(|places| places.all) { Vec::new() } else { of_all };
    let mut targets: HashMap<String, Target> = HashMap::new();
    let mut target = |listener: &Listener, feed: Option<(String, u64)>, is_own: bool| {
        let target = targets.entry(listener.id.clone()).or_insert_with(|| Target {
            listener: listener.clone(),
            positions: BTreeMap::new(),
            as_staff: Vec::new(),
            is_buyer: false,
        });
        target.positions.extend(feed);
        match is_own {
            true => target.is_buyer = true,
            false => target.as_staff.push(listener.clone()),
        }
    };
    let own_place = message.places.and_then(|places| Some((Feed::Of(message.order.account_id).name(), places.own?)));
    let all_place = message.places.and_then(|places| Some((Feed::all_with(message.order.id).name(), places.all?)));
    let order_place = (message.order.id.to_string(), u64::from(message.order.version));
    own.iter().for_each(|listener| target(listener, own_place.clone(), true));
    of_order.iter().for_each(|listener| target(listener, Some(order_place.clone()), false));
    of_all.iter().for_each(|listener| target(listener, all_place.clone(), false));
    targets.into_values().collect()
}

/// Whether a connection need not be told again.
async fn tell(
    browsers: &Browsers,
    table: &Table,
    update: &Update,
    target: &Target,
    holders: &HashMap<AccountId, Holder>,
    now: Timestamp,
) -> Result<bool, PushError> {
    let Target { listener, positions, as_staff, is_buyer } = target;
    let mut positions = positions.clone();
    match silent(listener, as_staff, holders, now) {
        None => {}
        Some(Silent::Ended(reason)) => {
            hang_up(browsers, table, listener, reason).await?;
            return Ok(true);
        }
        Some(Silent::NotPermitted) => {
            for listener in as_staff {
                table.silence(listener).await?;
            }
            if !is_buyer {
                return Ok(true);
            }
            positions.retain(|feed, _| *feed == Feed::Of(listener.account).name());
        }
    }
    let shown = serde_json::to_vec(&Shown { update, positions })?;
    match browsers.tell(&listener.id, shown).await {
        Ok(()) => Ok(true),
        Err(NotReached::Gone) => {
            table.forget_gone(listener, clock::now() - OPENING).await?;
            Ok(true)
        }
        Err(NotReached::Failed(error)) => {
            let connection = &listener.id;
            tracing::warn!(connection, error, "a connection could not be reached");
            Ok(false)
        }
    }
}

fn silent(
    listener: &Listener,
    as_staff: &[Listener],
    holders: &HashMap<AccountId, Holder>,
    now: Timestamp,
) -> Option<Silent> {
    let holder = holders.get(&listener.account);
    let Some((holder, session)) = holder.and_then(|holder| Some((holder, holder.session(listener.session, now)?)))
    else {
        return Some(Silent::Ended("session_ended"));
    };
    if listener.ends_at <= now {
        return Some(Silent::Ended("time_is_up"));
    }
    let may = session.has_second_factor(now) && holder.role.may(Permission::ReadOrders);
    (!as_staff.is_empty() && !may).then_some(Silent::NotPermitted)
}

/// Says why and closes a connection. One that cannot be closed is at least sent nothing.
async fn hang_up(browsers: &Browsers, table: &Table, listener: &Listener, reason: &str) -> Result<(), PushError> {
    let goodbye = serde_json::to_vec(&json!({ "type": "goodbye", "reason": reason }))?;
    let connection = &listener.id;
    // It may be gone already, and will hear the same when it comes back.
    let _ = browsers.tell(connection, goodbye).await;
    if let Err(NotReached::Failed(error)) = browsers.close(connection).await {
        tracing::warn!(connection, error, "a connection could not be closed");
    }
    table.disconnect(connection).await?;
    // Of a connection that has disconnected while it began to follow.
    Ok(table.silence(listener).await?)
}
