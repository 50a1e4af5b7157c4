//! Accounts: made, found, changed, left. What guards one is in its one item; sessions.rs has the log-ins.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use aws_sdk_dynamodb::types::AttributeValue;
use serde::{Deserialize, Serialize};
use waybill_domain::Timestamp;
use waybill_domain::account::{Account, Role};
use waybill_domain::cart::QuotedContact;
use waybill_domain::id::{AccountId, SessionId};
use waybill_domain::language::Language;
use waybill_domain::text::{Email, Line};

use crate::keys::{self, EXPIRES_AT, Index, Item, SUMMARY};
use crate::letters::Letter;
use crate::order_lists::Placed;
use crate::page::{Cursor, Page, Stretch};
use crate::payers::{Payer, departure};
use crate::second_factor::SecondFactor;
use crate::sessions::Session;
use crate::table::{StorageError, Table, from_item, to_item, to_value};
use crate::transaction::{Refused, Transaction, Write};

/// An account with what guards it. It is one item, so that one read tells of every request whether its session lives
/// and what its holder may do at this moment.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Holder {
    pub id: AccountId,
    pub email: Email,
    pub role: Role,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<Line<1, 120>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub language: Option<Language>,
    pub created_at: Timestamp,
    /// As the credentials have it: when the password or the address was last set, in milliseconds since 1970.
    pub credentials_at: i64,
    pub sessions: BTreeMap<SessionId, Session>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub second_factor: Option<SecondFactor>,
    /// Since when the account is being deleted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub leaving_since: Option<Timestamp>,
    /// Who the holder is at the payment provider, once they have begun to pay.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub payer: Option<Payer>,
}

/// What log-in needs of an account, found by its address.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Credentials {
    pub account_id: AccountId,
    /// A PHC string.
    pub password_hash: String,
    /// When the password or the address was last set, in milliseconds since 1970. Links asked for before are dead.
    pub changed_at: i64,
}

/// What stands in the list of accounts: which, and no more, so that no change of an account writes there.
#[derive(Serialize, Deserialize)]
struct Listed {
    id: AccountId,
}

/// What somebody says of themselves. None leaves a field as it is, and a None inside removes it; one of them is given.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ProfileChange {
    pub name: Option<Option<Line<1, 120>>>,
    pub language: Option<Option<Language>>,
}

/// The address belongs to an account already.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EmailTaken;

/// Why what a link was for did not happen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LinkRefused {
    /// It was used, is too old, or the account has changed since.
    Dead,
    EmailTaken,
}

/// Why an account stayed as it was.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NotChanged {
    /// There is no such account any more, or it has changed since it was read.
    Changed,
    LastAdministrator,
}

impl Holder {
    /// A new account, nobody logged in.
    pub fn new(id: AccountId, email: Email, role: Role, now: Timestamp) -> Self {
        Holder {
            id,
            email,
            role,
            name: None,
            language: None,
            created_at: now,
            credentials_at: now.as_millisecond(),
            sessions: BTreeMap::new(),
            second_factor: None,
            leaving_since: None,
            payer: None,
        }
    }

    pub fn account(&self) -> Account {
        Account {
            id: self.id,
            email: self.email.clone(),
            role: self.role,
            name: self.name.clone(),
            language: self.language.clone(),
            second_factor: self.has_second_factor(),
            created_at: self.created_at,
        }
    }

    /// Whether a log-in takes a code.
    pub fn has_second_factor(&self) -> bool {
        self.second_factor.as_ref().is_some_and(|factor| factor.confirmed_at.is_some())
    }

    /// The session, if it has not ended.
    pub fn session(&self, id: SessionId, now: Timestamp) -> Option<&Session> {
        self.sessions.get(&id).filter(|session| session.lives(now))
    }
}

impl From<Holder> for QuotedContact {
    fn from(Holder { email, language, .. }: Holder) -> Self {
        QuotedContact { email, language }
    }
}

impl Credentials {
    pub fn new(account_id: AccountId, password_hash: String, now: Timestamp) -> Self {
        Credentials { account_id, password_hash, changed_at: now.as_millisecond() }
    }

    fn item(&self, email: &Email) -> Result<Item, StorageError> {
        let mut item = to_item(self)?;
        item.extend(keys::credentials(email).item());
        Ok(item)
    }
}

/// Refused for one reason only.
type Outcome<E> = Result<(), Refused<E>>;

impl Table {
    /// Makes an administrator.
    pub async fn create_administrator(&self, holder: &Holder, credentials: &Credentials) -> Outcome<EmailTaken> {
        let transaction = Transaction::new().write(put_credentials(&holder.email, credentials)?, |_| Ok(EmailTaken));
        transaction
            .write(put_holder(holder)?, |_| Err(StorageError::Broken("an account id was made twice".into())))
            .write(add_administrator(holder.id), |_| {
                Err(StorageError::Broken("an administrator was made twice".into()))
            })
            .commit(self)
            .await
    }

    /// Makes the account that a letter's link confirms.
    pub async fn confirm_sign_up(
        &self,
        letter: &Letter,
        holder: &Holder,
        credentials: &Credentials,
        now: Timestamp,
    ) -> Outcome<LinkRefused> {
        Transaction::new()
            .write(letter.spend(now), |_| Ok(LinkRefused::Dead))
            .write(put_credentials(&holder.email, credentials)?, |_| Ok(LinkRefused::EmailTaken))
            .write(put_holder(holder)?, |_| Err(StorageError::Broken("an account id was made twice".into())))
            .commit(self)
            .await
    }

    /// One consistent read of one unit: a password that was just changed must not be taken any more.
    pub async fn credentials(&self, email: &Email) -> Result<Option<Credentials>, StorageError> {
        self.get(&keys::credentials(email), true).await?.map(from_item).transpose()
    }

    /// The account as it is now: one consistent read, of one unit for each 4 KB (ten sessions are below that).
    pub async fn holder(&self, id: AccountId) -> Result<Option<Holder>, StorageError> {
        self.get(&keys::account(id), true).await?.map(from_item).transpose()
    }

    /// Accounts by their ids: of one the account at this moment, of more as they were a moment ago, one call for each hundred.
    pub async fn holders(&self, ids: &[AccountId]) -> Result<HashMap<AccountId, Holder>, StorageError> {
        let ids: BTreeSet<AccountId> = ids.iter().copied().collect();
        if let (Some(id), 1) = (ids.first(), ids.len()) {
            return Ok(self.holder(*id).await?.into_iter().map(|holder| (holder.id, holder)).collect());
        }
        let keys: Vec<Item> = ids.into_iter().map(|id| keys::account(id).item()).collect();
        let mut holders = HashMap::new();
        for keys in keys.chunks(100) {
            for item in self.batch(keys.to_vec()).await? {
                let holder: Holder = from_item(item)?;
                holders.insert(holder.id, holder);
            }
        }
        Ok(holders)
    }

    /// A page of the accounts that were made then, the newest first: one query, and one call for all of them.
    pub async fn accounts(
        &self,
        made: Placed,
        limit: u8,
        cursor: Option<Cursor>,
    ) -> Result<Page<Account>, StorageError> {
        let stretch = made.stretch();
        if stretch.as_ref().is_some_and(Stretch::is_empty) {
            return Ok(Page::empty());
        }
        let page: Page<Listed> = self.page_of(Index::Gsi1, keys::ACCOUNTS, stretch.as_ref(), limit, cursor).await?;
        let ids: Vec<AccountId> = page.items.iter().map(|listed| listed.id).collect();
        let mut holders = self.holders(&ids).await?;
        let items = ids.iter().filter_map(|id| holders.remove(id)).map(|holder| holder.account());
        Ok(Page { items: items.collect(), next: page.next, previous: page.previous })
    }

    /// Keeps the same password under newer parameters.
    pub async fn replace_password_hash(&self, email: &Email, old: &str, new: &str) -> Result<(), StorageError> {
        let write = Write::update(&keys::credentials(email), "SET password_hash = :new")
            .only_if("password_hash = :old")
            .text(":new", new)
            .text(":old", old);
        // Somebody else may have replaced it in the meantime; theirs is as good.
        self.update(&write).await.map(drop)
    }

    /// Sets a new password, ends every session but `kept`, and writes the letter that tells of it.
    pub async fn change_password(
        &self,
        holder: &Holder,
        kept: SessionId,
        old: &Credentials,
        hash: &str,
        letter: &Letter,
        now: Timestamp,
    ) -> Outcome<NotChanged> {
        Transaction::new()
            .write(set_password(&holder.email, old, hash, now), |_| Ok(NotChanged::Changed))
            .write(keep_sessions(holder, kept, now), |_| Ok(NotChanged::Changed))
            .write(letter.put()?, |_| Ok(NotChanged::Changed))
            .commit(self)
            .await
    }

    /// Sets a new password by a letter's link, and ends every session.
    pub async fn reset_password(
        &self,
        letter: &Letter,
        credentials: &Credentials,
        hash: &str,
        notice: &Letter,
        now: Timestamp,
    ) -> Outcome<LinkRefused> {
        let sessions = AttributeValue::M(Item::new());
        let end_all =
            Write::update(&keys::account(credentials.account_id), "SET #sessions = :none, credentials_at = :now")
                .only_if("attribute_exists(pk)")
                .name("#sessions", "sessions")
                .number(":now", now.as_millisecond())
                .value(":none", sessions);
        Transaction::new()
            .write(letter.spend(now), |_| Ok(LinkRefused::Dead))
            .write(set_password(&letter.to, credentials, hash, now), |_| Ok(LinkRefused::Dead))
            .write(end_all, |_| Ok(LinkRefused::Dead))
            .write(notice.put()?, |_| Ok(LinkRefused::Dead))
            .commit(self)
            .await
    }

    /// Gives an account the address that a letter's link confirms.
    pub async fn change_email(
        &self,
        letter: &Letter,
        holder: &Holder,
        credentials: &Credentials,
        notice: &Letter,
        now: Timestamp,
    ) -> Outcome<LinkRefused> {
        let renewed = Credentials { changed_at: now.as_millisecond(), ..credentials.clone() };
        let release = Write::delete(&keys::credentials(&holder.email))
            .only_if("account_id = :account AND changed_at = :seen")
            .text(":account", holder.id)
            .number(":seen", credentials.changed_at);
        let change = Write::update(&keys::account(holder.id), "SET email = :new, credentials_at = :now")
            .only_if("email = :old AND attribute_not_exists(leaving_since)")
            .number(":now", now.as_millisecond())
            .text(":new", &letter.to)
            .text(":old", &holder.email);
        Transaction::new()
            .write(letter.spend(now), |_| Ok(LinkRefused::Dead))
            .write(put_credentials(&letter.to, &renewed)?, |_| Ok(LinkRefused::EmailTaken))
            .write(release, |_| Ok(LinkRefused::Dead))
            .write(change, |_| Ok(LinkRefused::Dead))
            .write(notice.put()?, |_| Ok(LinkRefused::Dead))
            .commit(self)
            .await
    }

    /// Sets or removes what is given; None when there is no such account.
    pub async fn change_profile(&self, id: AccountId, change: &ProfileChange) -> Result<Option<Holder>, StorageError> {
        let name = change.name.as_ref().map(|name| name.as_ref().map(ToString::to_string));
        let language = change.language.as_ref().map(|language| language.as_ref().map(ToString::to_string));
        let (mut set, mut remove) = (Vec::new(), Vec::new());
        for (field, value) in [("name", &name), ("language", &language)] {
            match value {
                None => {}
                Some(None) => remove.push(format!("#{field}")),
                Some(Some(_)) => set.push(format!("#{field} = :{field}")),
            }
        }
        let clause = |verb: &str, parts: Vec<String>| match parts.is_empty() {
            true => String::new(),
            false => format!("{verb} {} ", parts.join(", ")),
        };
        let expression = clause("SET", set) + &clause("REMOVE", remove);
        let mut write = Write::update(&keys::account(id), expression.trim_end()).only_if("attribute_exists(pk)");
        for (field, value) in [("name", name), ("language", language)] {
            write = if value.is_some() { write.name(&format!("#{field}"), field) } else { write };
            write = match value.flatten() {
                Some(value) => write.text(&format!(":{field}"), value),
                None => write,
            };
        }
        self.update(&write).await?.ok().map(from_item).transpose()
    }

    /// Gives an account another role, from this moment on for all its sessions.
    pub async fn change_role(&self, holder: &Holder, role: Role) -> Outcome<NotChanged> {
        let change = Write::update(&keys::account(holder.id), "SET #role = :new")
            .only_if("#role = :old AND attribute_not_exists(leaving_since)")
            .name("#role", "role")
            .value(":new", role_value(role)?)
            .value(":old", role_value(holder.role)?);
        let mut transaction = Transaction::new().write(change, |_| Ok(NotChanged::Changed));
        if role == Role::Administrator {
            transaction = transaction.write(add_administrator(holder.id), |_| Ok(NotChanged::Changed));
        } else if holder.role == Role::Administrator {
            transaction = transaction.write(remove_administrator(holder.id), |_| Ok(NotChanged::LastAdministrator));
        }
        transaction.commit(self).await
    }

    /// Those who may give and take roles: one read, and one for each of them.
    pub async fn administrators(&self) -> Result<Vec<Holder>, StorageError> {
        let item = self.get(&keys::administrators(), true).await?.unwrap_or_default();
        let mut ids: Vec<AccountId> = item.keys().filter_map(|name| name.parse().ok()).collect();
        ids.sort();
        let mut holders = Vec::new();
        for id in ids {
            holders.extend(self.holder(id).await?);
        }
        Ok(holders)
    }

    /// Begins to delete an account: from now on its holder can log in and go on deleting, and nothing else. Answers
    /// the account; None when it is gone.
    pub async fn begin_to_leave(&self, id: AccountId, now: Timestamp) -> Result<Option<Holder>, StorageError> {
        let since = "SET leaving_since = if_not_exists(leaving_since, :now)";
        let write = Write::update(&keys::account(id), since).only_if("attribute_exists(pk)").text(":now", now);
        self.update(&write).await?.ok().map(from_item).transpose()
    }

    /// Thinks better of it.
    pub async fn stay(&self, id: AccountId) -> Result<(), StorageError> {
        let write = Write::update(&keys::account(id), "REMOVE leaving_since").only_if("attribute_exists(pk)");
        self.update(&write).await.map(drop)
    }

    /// Deletes what an account has beside its orders: cart, addresses, tickets, connections, what its orders
    /// were seen to do, what it waits for, what staff
    /// have drafted for it, letters to its address.
    pub async fn clear_out(&self, holder: &Holder, mailbox: &str) -> Result<(), StorageError> {
        let own = self.partition(&keys::account(holder.id).pk, true).await?;
        let letters = self.partition(&keys::letters_to(mailbox), true).await?;
        for item in own.iter().chain(&letters) {
            let key = keys::of(item).ok_or_else(|| StorageError::Broken("an item without a key".into()))?;
            if key != keys::account(holder.id) {
                self.delete(&key).await?;
            }
        }
        for connection in self.connections_of(holder.id).await? {
            self.disconnect(&connection.id).await?;
        }
        self.forget_feed(holder.id).await?;
        self.end_drafts(holder.id).await?;
        self.end_waits(holder.id, None).await
    }

    /// Deletes the account itself, frees its address, and announces that its holder is to be forgotten elsewhere.
    pub async fn leave(&self, holder: &Holder, now: Timestamp) -> Outcome<NotChanged> {
        let account = Write::delete(&keys::account(holder.id)).only_if("attribute_exists(leaving_since)");
        let credentials = Write::delete(&keys::credentials(&holder.email))
            .only_if("account_id = :account")
            .text(":account", holder.id);
        let mut transaction = Transaction::new()
            .write(account, |_| Ok(NotChanged::Changed))
            .write(credentials, |_| Ok(NotChanged::Changed))
            .write(departure(holder, now)?, |_| Ok(NotChanged::Changed));
        if holder.role == Role::Administrator {
            transaction = transaction.write(remove_administrator(holder.id), |_| Ok(NotChanged::LastAdministrator));
        }
        transaction.commit(self).await
    }

    /// Keeps a ticket that opens one WebSocket for a session, by its hash.
    pub async fn issue_ticket(
        &self,
        account: AccountId,
        session: SessionId,
        hash: &str,
        until: Timestamp,
    ) -> Result<(), StorageError> {
        let mut item = keys::ticket(account, hash).item();
        item.insert("session".into(), AttributeValue::S(session.to_string()));
        item.insert(EXPIRES_AT.into(), AttributeValue::N(until.as_second().to_string()));
        self.write(Write::put(item)).await
    }
}

fn put_holder(holder: &Holder) -> Result<Write, StorageError> {
    let mut item = to_item(holder)?;
    item.extend(keys::account(holder.id).item());
    item.extend(keys::accounts(holder.created_at, holder.id).item());
    item.insert(SUMMARY.into(), to_value(&Listed { id: holder.id })?);
    Ok(Write::put(item).only_if_new())
}

fn put_credentials(email: &Email, credentials: &Credentials) -> Result<Write, StorageError> {
    Ok(Write::put(credentials.item(email)?).only_if_new())
}

/// Only while the credentials are the ones that were read.
fn set_password(email: &Email, seen: &Credentials, hash: &str, now: Timestamp) -> Write {
    Write::update(&keys::credentials(email), "SET password_hash = :hash, changed_at = :now")
        .only_if("account_id = :account AND changed_at = :seen")
        .text(":hash", hash)
        .text(":account", seen.account_id)
        .number(":now", now.as_millisecond())
        .number(":seen", seen.changed_at)
}

/// Ends the sessions that were read, but for one, with the password that they were opened with; refused if they are not
/// the same by now.
fn keep_sessions(holder: &Holder, kept: SessionId, now: Timestamp) -> Write {
    let read: Vec<_> = holder.sessions.keys().collect();
    let ended = (0..read.len()).filter(|number| *read[*number] != kept);
    let ended = ended.map(|number| format!("#sessions.#s{number}")).collect::<Vec<_>>();
    let remove = if ended.is_empty() { String::new() } else { format!(" REMOVE {}", ended.join(", ")) };
    let mut condition = "size(#sessions) = :count".to_owned();
    for number in 0..read.len() {
        condition += &format!(" AND attribute_exists(#sessions.#s{number})");
    }
    let mut write = Write::update(&keys::account(holder.id), format!("SET credentials_at = :now{remove}"))
        .only_if(condition)
        .name("#sessions", "sessions")
        .number(":now", now.as_millisecond())
        .number(":count", i64::try_from(holder.sessions.len()).unwrap_or(i64::MAX));
    for (number, id) in read.iter().enumerate() {
        write = write.name(&format!("#s{number}"), &id.to_string());
    }
    write
}

fn role_value(role: Role) -> Result<AttributeValue, StorageError> {
    serde_dynamo::to_attribute_value(role).map_err(|error| StorageError::Broken(error.to_string()))
}

fn add_administrator(id: AccountId) -> Write {
    Write::update(&keys::administrators(), "SET #id = :is ADD #count :one")
        .only_if("attribute_not_exists(#id)")
        .name("#id", &id.to_string())
        .name("#count", "count")
        .value(":is", AttributeValue::Bool(true))
        .number(":one", 1)
}

fn remove_administrator(id: AccountId) -> Write {
    Write::update(&keys::administrators(), "REMOVE #id ADD #count :minus")
        .only_if("attribute_exists(#id) AND #count > :one")
        .name("#id", &id.to_string())
        .name("#count", "count")
        .number(":one", 1)
        .number(":minus", -1)
}
