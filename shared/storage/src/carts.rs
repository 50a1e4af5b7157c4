//! Carts. A line is changed by itself, so devices that change different lines at once never lose one.

use aws_sdk_dynamodb::types::AttributeValue;
use waybill_domain::Timestamp;
use waybill_domain::cart::{self, Cart, CartLine, MAX_LINES, Quote};
use waybill_domain::id::{AccountId, CartId, DraftId, ShippingMethodId};
use waybill_domain::money::Currency;
use waybill_domain::text::{PromotionCode, Sku};
use waybill_domain::totals::Place;

use crate::keys::{self, EXPIRES_AT, Item, Key};
use crate::table::{StorageError, Table, back_off, from_item, to_item, to_value};
use crate::transaction::{Refused, Transaction, Write};

/// How often a line is put into a cart that others begin and end at the same time.
const TRIES: u32 = 8;

/// Why a cart stayed as it was.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CartRefused {
    /// It holds [`MAX_LINES`] other SKUs already.
    Full,
    /// The draft was ordered or deleted, or never begun: no change begins one by the way.
    NoDraft,
}

/// Whose a cart is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CartOwner {
    Account(AccountId),
    /// Somebody who is not logged in and knows this cart.
    Guest(CartId),
    /// Staff, for a customer.
    Draft(DraftId),
}

impl CartOwner {
    /// Whether a change begins a cart where there is none.
    fn begins_by_the_way(self) -> bool {
        match self {
            CartOwner::Account(_) | CartOwner::Guest(_) => true,
            CartOwner::Draft(_) => false,
        }
    }
}

/// Whose the cart is that a quote was made of.
impl From<&Quote> for CartOwner {
    fn from(quote: &Quote) -> Self {
        match quote.draft {
            Some(draft) => CartOwner::Draft(draft.id),
            None => CartOwner::Account(quote.buyer),
        }
    }
}

impl From<AccountId> for CartOwner {
    fn from(account: AccountId) -> Self {
        CartOwner::Account(account)
    }
}

impl From<DraftId> for CartOwner {
    fn from(draft: DraftId) -> Self {
        CartOwner::Draft(draft)
    }
}

impl From<CartId> for CartOwner {
    fn from(cart: CartId) -> Self {
        CartOwner::Guest(cart)
    }
}

/// What a cart begins with.
#[derive(Clone, Copy, Debug)]
pub struct NewCart {
    /// Another one for each filling, also of a guest's cart, by which one filling is told from the next.
    pub id: CartId,
    pub currency: Currency,
    pub now: Timestamp,
}

/// What is to change in a cart beside its lines. What is None stays, and what is `Some(None)` is taken out.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CartWishes {
    pub codes: Option<Vec<PromotionCode>>,
    pub destination: Option<Option<Place>>,
    pub shipping_method_id: Option<Option<ShippingMethodId>>,
}

/// Seconds that a cart is kept after its last use: 30 days.
pub const LIFETIME: i64 = 30 * 24 * 60 * 60;
/// Seconds of its life that a cart may have lost before looking at it renews it: a day.
const RENEWED_AFTER: i64 = 24 * 60 * 60;

impl Table {
    pub async fn cart(&self, owner: impl Into<CartOwner>) -> Result<Option<Cart>, StorageError> {
        self.get(&keys::cart(owner.into()), true).await?.map(from_item).transpose()
    }

    /// Looking at a cart is using it: once a day it costs a write.
    pub async fn renew_cart(
        &self,
        owner: impl Into<CartOwner>,
        cart: &Cart,
        now: Timestamp,
    ) -> Result<(), StorageError> {
        if cart.expires_at > now.as_second() + LIFETIME - RENEWED_AFTER {
            return Ok(());
        }
        let write = Write::update(&keys::cart(owner.into()), format!("SET {EXPIRES_AT} = :until"))
            .only_if("attribute_exists(pk)")
            .number(":until", now.as_second() + LIFETIME);
        self.update(&write).await.map(drop)
    }

    /// Puts all lines and codes of a guest's cart into an account's, and ends it; where it goes, the guest says. Answers the account's cart as it is then; once
    /// the guest's is gone, merging it again changes nothing. Refused when the two have more than [`MAX_LINES`] SKUs.
    pub async fn merge_carts(
        &self,
        guest: CartId,
        account: AccountId,
        now: Timestamp,
    ) -> Result<Option<Cart>, Refused<CartRefused>> {
        for attempt in 0..TRIES {
            let (from, into) = tokio::try_join!(self.cart(guest), self.cart(account))?;
            let Some(from) = from else { return Ok(into) };
            let lines = match &into {
                Some(into) => cart::merged(into, &from),
                None => from.lines.clone(),
            };
            if lines.len() > MAX_LINES {
                return Err(Refused::By(vec![CartRefused::Full]));
            }
            let seen = into.as_ref().map(|into| into.version);
            let base = into.unwrap_or_else(|| from.clone());
            let (destination, shipping_method_id) = cart::merged_shipping(&base, &from);
            let after = Cart {
                version: seen.unwrap_or_default() + 1,
                lines,
                codes: cart::merged_codes(&base, &from),
                destination,
                shipping_method_id,
                expires_at: now.as_second() + LIFETIME,
                ..base
            };
            let mut item = to_item(&after)?;
            item.extend(keys::cart(account.into()).item());
            let put = match seen {
                None => Write::put(item).only_if_new(),
                Some(seen) => on_version(Write::put(item), after.id, seen),
            };
            let end = on_version(Write::delete(&keys::cart(guest.into())), from.id, from.version);
            match Transaction::new().write(put, |_| Ok(())).write(end, |_| Ok(())).commit(self).await {
                Ok(()) => return Ok(Some(after)),
                Err(Refused::By(_)) => back_off(attempt).await,
                Err(Refused::Failed(error)) => return Err(error.into()),
            }
        }
        Err(StorageError::Busy("two carts changed again and again".into()).into())
    }

    /// Begins a cart with its first line: for whoever has just seen that there is none, one write where
    /// [`set_cart_line`](Table::set_cart_line) would take two. None where there is one after all, and for a draft, which is
    /// never begun by the way.
    pub async fn begin_cart(
        &self,
        owner: impl Into<CartOwner>,
        sku: &Sku,
        line: CartLine,
        fresh: NewCart,
    ) -> Result<Option<Cart>, StorageError> {
        let owner = owner.into();
        if !owner.begins_by_the_way() {
            return Ok(None);
        }
        let lines = AttributeValue::M([(sku.to_string(), AttributeValue::M(to_item(&line)?))].into());
        let set = "SET id = :id, #currency = :currency, #lines = :lines, #version = :one";
        let begin = Write::update(&keys::cart(owner), format!("{set}, {EXPIRES_AT} = :until"))
            .only_if_new()
            .name("#lines", "lines")
            .name("#version", "version")
            .name("#currency", "currency")
            .text(":id", fresh.id)
            .text(":currency", fresh.currency)
            .number(":until", fresh.now.as_second() + LIFETIME)
            .value(":lines", lines)
            .number(":one", 1);
        Ok(self.changed_cart(begin).await?.ok())
    }

    /// Puts a line into the cart, or changes its quantity, and answers the cart as it is then. `fresh` is what
    /// it begins with when there is none yet; a draft has to be there.
    pub async fn set_cart_line(
        &self,
        owner: impl Into<CartOwner>,
        sku: &Sku,
        line: CartLine,
        fresh: NewCart,
    ) -> Result<Cart, Refused<CartRefused>> {
        let owner = owner.into();
        let key = keys::cart(owner);
        let until = fresh.now.as_second() + LIFETIME;
        let value = AttributeValue::M(to_item(&line)?);
        for _ in 0..TRIES {
            let change =
                Write::update(&key, format!("SET #lines.#sku = :line, {EXPIRES_AT} = :until ADD #version :one"))
                    .only_if("attribute_exists(pk) AND (attribute_exists(#lines.#sku) OR size(#lines) < :most)")
                    .name("#lines", "lines")
                    .name("#sku", sku.as_str())
                    .name("#version", "version")
                    .value(":line", value.clone())
                    .number(":one", 1)
                    .number(":until", until)
                    .number(":most", MAX_LINES as i64);
            match self.changed_cart(change).await? {
                Ok(cart) => return Ok(cart),
                Err(Some(_)) => return Err(Refused::By(vec![CartRefused::Full])),
                Err(None) if !owner.begins_by_the_way() => return Err(Refused::By(vec![CartRefused::NoDraft])),
                Err(None) => {}
            }
            // Where another device has begun a cart in between, the line goes into that one.
            if let Some(cart) = self.begin_cart(owner, sku, line, fresh).await? {
                return Ok(cart);
            }
        }
        Err(StorageError::Busy("a cart was begun and ended again and again".into()).into())
    }

    /// Changes what a cart says beside its lines, and answers it as it is then; `fresh` is what it begins with when there
    /// is none yet. A draft has to be there.
    pub async fn wish_in_cart(
        &self,
        owner: impl Into<CartOwner>,
        wishes: &CartWishes,
        fresh: NewCart,
    ) -> Result<Cart, Refused<CartRefused>> {
        let owner = owner.into();
        let key = keys::cart(owner);
        for _ in 0..TRIES {
            let change =
                |set: &str, more: &str| wish(&key, wishes, &format!("{set}{EXPIRES_AT} = :until"), more, fresh);
            let present = change("", " ADD #version :one")?.only_if("attribute_exists(pk)");
            if let Ok(cart) = self.changed_cart(present).await? {
                return Ok(cart);
            }
            if !owner.begins_by_the_way() {
                return Err(Refused::By(vec![CartRefused::NoDraft]));
            }
            let set = "id = :id, #currency = :currency, #lines = :lines, #version = :one, ";
            let begin = change(set, "")?
                .only_if_new()
                .name("#lines", "lines")
                .name("#currency", "currency")
                .text(":id", fresh.id)
                .text(":currency", fresh.currency)
                .value(":lines", AttributeValue::M(Item::new()));
            // Where another device began a cart in between, the wishes go into that one.
            if let Ok(cart) = self.changed_cart(begin).await? {
                return Ok(cart);
            }
        }
        Err(StorageError::Busy("a cart was begun and ended again and again".into()).into())
    }

    /// Takes a line out; one that is not there is out already. None when there is no cart.
    pub async fn remove_cart_line(&self, owner: impl Into<CartOwner>, sku: &Sku) -> Result<Option<Cart>, StorageError> {
        let write = Write::update(&keys::cart(owner.into()), "REMOVE #lines.#sku ADD #version :one")
            .only_if("attribute_exists(#lines.#sku)")
            .name("#lines", "lines")
            .name("#sku", sku.as_str())
            .name("#version", "version")
            .number(":one", 1);
        Ok(match self.changed_cart(write).await? {
            Ok(cart) => Some(cart),
            Err(present) => present,
        })
    }

    pub async fn clear_cart(&self, owner: impl Into<CartOwner>) -> Result<(), StorageError> {
        let write = Write::delete(&keys::cart(owner.into()));
        Transaction::<()>::new().write(write, |_| Ok(())).commit(self).await.or_else(|refused| refused.first())
    }

    /// Updates a cart and answers it as it is then; or, when the condition does not hold, as it is.
    async fn changed_cart(&self, write: Write) -> Result<Result<Cart, Option<Cart>>, StorageError> {
        Ok(match self.update(&write).await? {
            Ok(item) => Ok(from_item(item)?),
            Err(item) if item.is_empty() => Err(None),
            Err(item) => Err(Some(from_item(item)?)),
        })
    }
}

/// An update of a cart that sets what `set` says, and the wishes.
fn wish(key: &Key, wishes: &CartWishes, set: &str, more: &str, fresh: NewCart) -> Result<Write, StorageError> {
    let codes = wishes.codes.as_ref().map(|codes| (!codes.is_empty()).then(|| to_value(codes)).transpose());
    let destination = wishes.destination.as_ref().map(|place| place.as_ref().map(to_value).transpose());
    let method = wishes.shipping_method_id.map(|method| method.as_ref().map(to_value).transpose());
    let (mut set, mut remove, mut named) = (set.to_owned(), Vec::new(), Vec::new());
    for (name, wished) in [("codes", codes), ("destination", destination), ("shipping_method_id", method)] {
        match wished.transpose()? {
            None => continue,
            Some(Some(value)) => {
                set += &format!(", #{name} = :{name}");
                named.push((name, Some(value)));
            }
            Some(None) => {
                remove.push(format!("#{name}"));
                named.push((name, None));
            }
        }
    }
    let remove = if remove.is_empty() { String::new() } else { format!(" REMOVE {}", remove.join(", ")) };
    let write = Write::update(key, format!("SET {set}{remove}{more}"))
        .name("#version", "version")
        .number(":one", 1)
        .number(":until", fresh.now.as_second() + LIFETIME);
    Ok(named.into_iter().fold(write, |write, (name, value)| {
        let write = write.name(&format!("#{name}"), name);
        match value {
            Some(value) => write.value(&format!(":{name}"), value),
            None => write,
        }
    }))
}

fn on_version(write: Write, id: CartId, version: u64) -> Write {
    write
        .only_if("id = :cart AND #version = :seen")
        .name("#version", "version")
        .text(":cart", id)
        .number(":seen", i64::try_from(version).unwrap_or(i64::MAX))
}
