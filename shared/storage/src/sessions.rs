//! Log-ins. They live in their account's item, so that whatever ends one ends it for the very next request.

use aws_sdk_dynamodb::types::AttributeValue;
use serde::{Deserialize, Serialize};
use waybill_domain::id::{AccountId, SessionId};
use waybill_domain::{SignedDuration, Timestamp};

use crate::accounts::{Credentials, Holder};
use crate::keys::{self, Item};
use crate::table::{StorageError, Table, from_item, to_item};
use crate::transaction::Write;

/// Sessions that an account has at most; a log-in more ends the one unused for longest.
pub const MAX_SESSIONS: usize = 10;
/// However often it is refreshed, a session ends then (NIST SP 800-63B, level 1).
pub const MAX_AGE: SignedDuration = SignedDuration::from_hours(30 * 24);
/// How long a code that was given counts as a second factor: a working day.
pub const SECOND_FACTOR_AGE: SignedDuration = SignedDuration::from_hours(12);
/// Seconds within which a refresh that is sent again with the same idempotency key is answered again.
pub const GRACE: i64 = 60;
/// How often a write is tried that others of the same account are faster than.
const TRIES: u32 = 8;

/// One log-in. Its refresh token changes at each use; only hashes are kept.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Session {
    pub token_hash: String,
    pub created_at: Timestamp,
    pub last_used_at: Timestamp,
    /// Seconds since 1970.
    pub expires_at: i64,
    /// What the client calls itself.
    pub device: String,
    /// When a code was given in it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub second_factor_at: Option<Timestamp>,
}

impl Session {
    /// Whether it goes on: it was refreshed in time, and is not older than [`MAX_AGE`].
    pub fn lives(&self, now: Timestamp) -> bool {
        self.expires_at > now.as_second() && self.created_at > now - MAX_AGE
    }

    /// When it ends, if it is not refreshed before.
    pub fn ends_at(&self) -> Timestamp {
        let unused = Timestamp::from_second(self.expires_at).unwrap_or(Timestamp::MAX);
        unused.min(self.created_at + MAX_AGE)
    }

    /// Whether a code was given in it within [`SECOND_FACTOR_AGE`].
    pub fn has_second_factor(&self, now: Timestamp) -> bool {
        self.second_factor_at.is_some_and(|at| at > now - SECOND_FACTOR_AGE)
    }
}

/// What somebody who logs in has proven.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Proof {
    Password,
    /// The password, and the code of a time step (30 seconds each since 1970).
    Code {
        step: u64,
    },
    /// The password, and a recovery code of this hash.
    RecoveryCode {
        hash: String,
    },
}

/// What came of opening a session.
#[derive(Clone, Debug)]
pub enum Opened {
    Opened(Box<Holder>),
    /// The account asks for a second factor, and has none of this: the code was used before, or none was given.
    SecondFactor(Box<Holder>),
    /// There is no such account any more, or the credentials are not those that were proven.
    Gone,
}

/// What came of presenting a refresh token.
#[derive(Clone, Debug)]
pub enum Rotation {
    /// The session goes on with the new token, now or since an earlier try of this very request.
    Rotated(Box<Holder>),
    /// The token was used before; the session lives with a newer one.
    Used,
    /// The session has ended.
    Ended,
}

impl Table {
    /// Opens a session: one write, and the account as it is then. One more where the account has a second factor or
    /// [`MAX_SESSIONS`] sessions.
    pub async fn open_session(
        &self,
        credentials: &Credentials,
        id: SessionId,
        session: &Session,
        proof: &Proof,
    ) -> Result<Opened, StorageError> {
        let mut seen: Option<Holder> = None;
        for _ in 0..TRIES {
            let item = match self.update(&opening(credentials, id, session, proof, seen.as_ref())?).await? {
                Ok(item) => return Ok(Opened::Opened(Box::new(from_item(item)?))),
                Err(item) if item.is_empty() => return Ok(Opened::Gone),
                Err(item) => item,
            };
            let present: Holder = from_item(item)?;
            // Our own: a write is sent again whose reply was lost.
            if present.sessions.get(&id).is_some_and(|there| there.token_hash == session.token_hash) {
                return Ok(Opened::Opened(Box::new(present)));
            }
            if present.credentials_at != credentials.changed_at {
                return Ok(Opened::Gone);
            }
            if !fits(&present, proof) {
                return Ok(Opened::SecondFactor(Box::new(present)));
            }
            seen = Some(present);
        }
        Err(StorageError::Busy("sessions were opened and ended again and again".into()))
    }

    /// Exchanges a session's token: one write. Of several that present the same one, one is served.
    pub async fn rotate_session(
        &self,
        account: AccountId,
        id: SessionId,
        token_hash: &str,
        next_hash: &str,
        expires_at: i64,
        now: Timestamp,
    ) -> Result<Rotation, StorageError> {
        let write = Write::update(
            &keys::account(account),
            "SET #sessions.#id.token_hash = :next, #sessions.#id.last_used_at = :used, \
             #sessions.#id.expires_at = :until",
        )
        .only_if(
            "#sessions.#id.token_hash = :present AND #sessions.#id.expires_at > :now \
             AND #sessions.#id.created_at > :oldest",
        )
        .name("#sessions", "sessions")
        .name("#id", &id.to_string())
        .text(":present", token_hash)
        .text(":next", next_hash)
        .text(":used", now)
        .text(":oldest", now - MAX_AGE)
        .number(":until", expires_at)
        .number(":now", now.as_second());
        let item = match self.update(&write).await? {
            Ok(item) => return Ok(Rotation::Rotated(Box::new(from_item(item)?))),
            Err(item) if item.is_empty() => return Ok(Rotation::Ended),
            Err(item) => item,
        };
        let holder: Holder = from_item(item)?;
        let Some(session) = holder.session(id, now) else { return Ok(Rotation::Ended) };
        // The next token in the way is our own: of a write that is sent again because its reply was lost, or of a
        // client that does, and whom the same next token is made for within the grace.
        let is_ours = session.token_hash == next_hash && now.duration_since(session.last_used_at).as_secs() < GRACE;
        Ok(if is_ours { Rotation::Rotated(Box::new(holder)) } else { Rotation::Used })
    }

    /// Ends a session; ending one that has ended is no error.
    pub async fn end_session(&self, account: AccountId, id: SessionId) -> Result<(), StorageError> {
        let write = Write::update(&keys::account(account), "REMOVE #sessions.#id")
            .only_if("attribute_exists(#sessions.#id)")
            .name("#sessions", "sessions")
            .name("#id", &id.to_string());
        self.update(&write).await.map(drop)
    }

    /// Ends every session of an account.
    pub async fn end_sessions(&self, account: AccountId) -> Result<(), StorageError> {
        let write = Write::update(&keys::account(account), "SET #sessions = :none")
            .only_if("attribute_exists(pk)")
            .name("#sessions", "sessions")
            .value(":none", AttributeValue::M(Item::new()));
        self.update(&write).await.map(drop)
    }
}

/// Whether the proof is what the account asks for.
fn fits(holder: &Holder, proof: &Proof) -> bool {
    let factor = holder.second_factor.as_ref().filter(|factor| factor.confirmed_at.is_some());
    match (factor, proof) {
        (None, _) => true,
        (Some(_), Proof::Password) => false,
        (Some(factor), Proof::Code { step }) => factor.last_step < *step,
        (Some(factor), Proof::RecoveryCode { hash }) => factor.recovery_codes.contains_key(hash),
    }
}

/// The write that opens a session, on an account as it was `seen`: those that make room for it go.
fn opening(
    credentials: &Credentials,
    id: SessionId,
    session: &Session,
    proof: &Proof,
    seen: Option<&Holder>,
) -> Result<Write, StorageError> {
    let leaving = seen.map_or(Vec::new(), |holder| making_room(holder, id));
    let has_factor = seen.is_some_and(Holder::has_second_factor);
    let mut set = "SET #sessions.#id = :session".to_owned();
    let mut remove: Vec<String> = (0..leaving.len()).map(|number| format!("#sessions.#s{number}")).collect();
    // A password that was changed since it was read opens nothing.
    let mut condition = "credentials_at = :credentials".to_owned();
    let mut write_proof: Box<dyn FnOnce(Write) -> Write> = Box::new(|write| write);
    match (has_factor, proof) {
        (false, _) => condition += " AND attribute_not_exists(second_factor.confirmed_at)",
        (true, Proof::Password) => return Err(StorageError::Broken("a session without its second factor".into())),
        (true, Proof::Code { step }) => {
            set += ", second_factor.last_step = :step";
            condition += " AND second_factor.last_step < :step";
            let step = i64::try_from(*step).unwrap_or(i64::MAX);
            write_proof = Box::new(move |write| write.number(":step", step));
        }
        (true, Proof::RecoveryCode { hash }) => {
            remove.push("second_factor.recovery_codes.#code".to_owned());
            condition += " AND attribute_exists(second_factor.recovery_codes.#code)";
            let hash = hash.clone();
            write_proof = Box::new(move |write| write.name("#code", &hash));
        }
    }
    // After those that leave, there is room for one.
    condition += " AND size(#sessions) < :most";
    let most = MAX_SESSIONS + leaving.len();
    for number in 0..leaving.len() {
        condition += &format!(" AND attribute_exists(#sessions.#s{number})");
    }
    let remove = if remove.is_empty() { String::new() } else { format!(" REMOVE {}", remove.join(", ")) };
    let session = Session { second_factor_at: has_factor.then_some(session.created_at), ..session.clone() };
    let mut write = Write::update(&keys::account(credentials.account_id), set + &remove)
        .only_if(condition)
        .number(":credentials", credentials.changed_at)
        .name("#sessions", "sessions")
        .name("#id", &id.to_string())
        .value(":session", AttributeValue::M(to_item(&session)?))
        .number(":most", i64::try_from(most).unwrap_or(i64::MAX));
    for (number, id) in leaving.iter().enumerate() {
        write = write.name(&format!("#s{number}"), &id.to_string());
    }
    Ok(write_proof(write))
}

/// The sessions that end so that one more finds room: those unused for longest.
fn making_room(holder: &Holder, new: SessionId) -> Vec<SessionId> {
    let mut others: Vec<_> = holder.sessions.iter().filter(|(id, _)| **id != new).collect();
    others.sort_by_key(|(_, session)| session.last_used_at);
    let too_many = (others.len() + 1).saturating_sub(MAX_SESSIONS);
    others.into_iter().take(too_many).map(|(id, _)| *id).collect()
}
