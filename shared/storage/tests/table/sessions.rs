//! Sessions, second factors, limits.

use waybill_domain::id::SessionId;
use waybill_domain::message::AccountEvent;
use waybill_storage::accounts::{Credentials, Holder};
use waybill_storage::second_factor::SecondFactor;
use waybill_storage::sessions::{MAX_AGE, MAX_SESSIONS, Opened, Proof, Rotation, SECOND_FACTOR_AGE, Session};

use crate::accounts::{ann, letter};
use crate::shop::{Shop, at, customer, session_id};

pub fn session(opened_at: i64) -> Session {
    Session {
        token_hash: "first".into(),
        created_at: at(opened_at),
        last_used_at: at(opened_at),
        expires_at: at(100).as_second(),
        device: "a test".into(),
        second_factor_at: None,
    }
}

/// The credentials that an account was made with.
pub fn known(holder: &Holder) -> Credentials {
    Credentials { account_id: holder.id, password_hash: "$hash".into(), changed_at: holder.credentials_at }
}

async fn open(shop: &Shop, holder: &Holder, opened_at: i64, proof: Proof) -> (SessionId, Opened) {
    let id = session_id();
    let opened = shop.table.open_session(&known(holder), id, &session(opened_at), &proof).await.unwrap();
    (id, opened)
}

/// A customer with one session, from the beginning until 100 seconds later.
pub async fn opened(shop: &Shop) -> (Holder, SessionId) {
    let ann = ann(shop).await;
    let (id, opened) = open(shop, &ann, 0, Proof::Password).await;
    assert!(matches!(opened, Opened::Opened(_)), "{opened:?}");
    (ann, id)
}

async fn sessions(shop: &Shop, holder: &Holder) -> Vec<SessionId> {
    shop.table.holder(holder.id).await.unwrap().unwrap().sessions.into_keys().collect()
}

#[tokio::test]
async fn a_session_is_rotated_once_by_the_present_token() {
    let shop = Shop::open().await;
    let (ann, id) = opened(&shop).await;
    let until = at(200).as_second();
    let rotate = async |from, to, now| shop.table.rotate_session(ann.id, id, from, to, until, now).await.unwrap();
    assert!(matches!(rotate("first", "second", at(1)).await, Rotation::Rotated(_)));
    assert!(matches!(rotate("first", "third", at(1)).await, Rotation::Used));
    // The same request again: the client's, or a client's with its idempotency key.
    assert!(matches!(rotate("first", "second", at(60)).await, Rotation::Rotated(_)));
    assert!(matches!(rotate("first", "second", at(61)).await, Rotation::Used));
    let kept = shop.table.holder(ann.id).await.unwrap().unwrap();
    assert_eq!((kept.sessions[&id].token_hash.as_str(), kept.sessions[&id].expires_at), ("second", until));
}

#[tokio::test(flavor = "multi_thread")]
async fn of_many_who_present_a_token_at_once_one_is_served() {
    let shop = Shop::open().await;
    let (ann, id) = opened(&shop).await;
    let tries: Vec<_> = (0..20)
        .map(|number| {
            let (table, account) = (shop.table.clone(), ann.id);
            tokio::spawn(async move {
                let (next, until) = (format!("next-{number}"), at(200).as_second());
                table.rotate_session(account, id, "first", &next, until, at(1)).await.unwrap()
            })
        })
        .collect();
    let mut rotated = 0;
    for try_ in tries {
        rotated += usize::from(matches!(try_.await.unwrap(), Rotation::Rotated(_)));
    }
    assert_eq!(rotated, 1);
}

#[tokio::test]
async fn neither_an_expired_nor_an_ended_session_can_be_rotated() {
    let shop = Shop::open().await;
    let (ann, id) = opened(&shop).await;
    let rotate = async |now| shop.table.rotate_session(ann.id, id, "first", "second", 1000, now).await.unwrap();
    assert!(matches!(rotate(at(100)).await, Rotation::Ended));
    shop.table.end_session(ann.id, id).await.unwrap();
    shop.table.end_session(ann.id, id).await.unwrap();
    assert!(matches!(rotate(at(1)).await, Rotation::Ended));
    assert!(matches!(
        shop.table.rotate_session(customer(), id, "first", "second", 1000, at(1)).await.unwrap(),
        Rotation::Ended
    ));
    assert!(sessions(&shop, &ann).await.is_empty());
}

#[tokio::test]
async fn a_session_ends_in_the_end_however_often_it_is_refreshed() {
    let shop = Shop::open().await;
    let (ann, id) = opened(&shop).await;
    let until = at(1_000_000_000).as_second();
    let rotate = async |from, to, now| shop.table.rotate_session(ann.id, id, from, to, until, now).await.unwrap();
    assert!(matches!(rotate("first", "second", at(1)).await, Rotation::Rotated(_)));
    let (almost, end) = (at(-1) + MAX_AGE, at(0) + MAX_AGE);
    let holder = shop.table.holder(ann.id).await.unwrap().unwrap();
    assert!(holder.session(id, almost).is_some() && holder.session(id, end).is_none());
    assert!(matches!(rotate("second", "third", almost).await, Rotation::Rotated(_)));
    assert!(matches!(rotate("third", "fourth", end).await, Rotation::Ended));
}

#[test]
fn a_code_counts_for_a_working_day() {
    let session = Session { second_factor_at: Some(at(0)), ..session(0) };
    assert!(session.has_second_factor(at(-1) + SECOND_FACTOR_AGE));
    assert!(!session.has_second_factor(at(0) + SECOND_FACTOR_AGE));
}

#[tokio::test]
async fn a_session_too_many_ends_the_one_unused_for_longest() {
    let shop = Shop::open().await;
    let ann = ann(&shop).await;
    let mut ids = Vec::new();
    for number in 0..MAX_SESSIONS {
        ids.push(open(&shop, &ann, number as i64, Proof::Password).await.0);
    }
    // The oldest is used again, so the second is now unused for longest.
    shop.table.rotate_session(ann.id, ids[0], "first", "next", at(100).as_second(), at(50)).await.unwrap();
    let (newest, opened) = open(&shop, &ann, 51, Proof::Password).await;
    assert!(matches!(opened, Opened::Opened(_)), "{opened:?}");
    let left = sessions(&shop, &ann).await;
    assert_eq!(left.len(), MAX_SESSIONS);
    assert!(left.contains(&newest) && left.contains(&ids[0]) && !left.contains(&ids[1]));
}

#[tokio::test]
async fn sessions_end_with_the_password_that_opened_them_and_none_is_opened_with_it_later() {
    let shop = Shop::open().await;
    let (ann, kept) = opened(&shop).await;
    for number in 1..4 {
        open(&shop, &ann, number, Proof::Password).await;
    }
    let read = shop.table.holder(ann.id).await.unwrap().unwrap();
    let old = shop.table.credentials(&ann.email).await.unwrap().unwrap();
    let notice = letter("ann@example.com", AccountEvent::PasswordChanged, 5);
    let change = async |holder: &Holder| shop.table.change_password(holder, kept, &old, "$new", &notice, at(5)).await;
    // As many sessions as were read, but others: nothing is changed.
    shop.table.end_session(ann.id, *read.sessions.keys().last().unwrap()).await.unwrap();
    open(&shop, &ann, 4, Proof::Password).await;
    change(&read).await.unwrap_err();
    assert_eq!(sessions(&shop, &ann).await.len(), 4);
    change(&shop.table.holder(ann.id).await.unwrap().unwrap()).await.unwrap();
    assert_eq!(sessions(&shop, &ann).await, [kept]);
    // A log-in that read the old password before opens nothing after.
    let (_, late) = open(&shop, &ann, 6, Proof::Password).await;
    assert!(matches!(late, Opened::Gone), "{late:?}");
    shop.table.end_sessions(ann.id).await.unwrap();
    assert!(sessions(&shop, &ann).await.is_empty());
    let (_, nobody) = open(&shop, &Holder { id: customer(), ..ann }, 1, Proof::Password).await;
    assert!(matches!(nobody, Opened::Gone), "{nobody:?}");
}

#[tokio::test]
async fn a_second_factor_is_asked_for_once_it_is_confirmed_and_no_code_is_good_twice() {
    let shop = Shop::open().await;
    let (ann, id) = opened(&shop).await;
    shop.table.set_up_second_factor(ann.id, "sealed").await.unwrap();
    assert!(matches!(open(&shop, &ann, 1, Proof::Password).await.1, Opened::Opened(_)));
    let factor = shop.table.holder(ann.id).await.unwrap().unwrap().second_factor.unwrap();
    let other = SecondFactor { sealed: "another".into(), ..factor.clone() };
    let notice = letter("ann@example.com", AccountEvent::SecondFactorChanged, 2);
    let codes = ["one", "two", "four"].map(str::to_owned);
    let new = session_id();
    let confirm = async |factor: SecondFactor| {
        let factor = factor.confirmed(7, codes.clone(), at(2));
        shop.table.confirm_second_factor(ann.id, id, (new, &session(2)), &factor, &notice).await
    };
    confirm(other).await.unwrap_err();
    confirm(factor.clone()).await.unwrap();
    confirm(factor).await.unwrap_err();
    shop.table.set_up_second_factor(ann.id, "late").await.unwrap_err();
    // The session that gave the code is another one from then on.
    let holder = shop.table.holder(ann.id).await.unwrap().unwrap();
    assert!(!holder.sessions.contains_key(&id));
    assert_eq!(holder.sessions[&new].second_factor_at, Some(at(2)));

    assert!(matches!(open(&shop, &ann, 3, Proof::Password).await.1, Opened::SecondFactor(_)));
    for (step, good) in [(7, false), (8, true), (8, false), (7, false), (9, true)] {
        let (id, opened) = open(&shop, &ann, 3, Proof::Code { step }).await;
        assert_eq!(matches!(opened, Opened::Opened(_)), good, "{step}");
        let holder = shop.table.holder(ann.id).await.unwrap().unwrap();
        assert_eq!(holder.sessions.get(&id).and_then(|session| session.second_factor_at), good.then_some(at(3)));
    }
    for (hash, good) in [("one", true), ("one", false), ("three", false), ("two", true)] {
        let (_, opened) = open(&shop, &ann, 4, Proof::RecoveryCode { hash: hash.into() }).await;
        assert_eq!(matches!(opened, Opened::Opened(_)), good, "{hash}");
    }
    let spend = async |proof: Proof| shop.table.spend_code(ann.id, &proof).await.unwrap();
    for (step, good) in [(9, false), (10, true), (10, false)] {
        assert_eq!(spend(Proof::Code { step }).await, good, "{step}");
    }
    for (hash, good) in [("one", false), ("four", true), ("four", false)] {
        assert_eq!(spend(Proof::RecoveryCode { hash: hash.into() }).await, good, "{hash}");
    }
    assert!(!spend(Proof::Password).await);
    let ids = sessions(&shop, &ann).await;
    shop.table.remove_second_factor(ann.id, &ids, false, &notice).await.unwrap();
    let holder = shop.table.holder(ann.id).await.unwrap().unwrap();
    assert!(
        holder.second_factor.is_none() && holder.sessions.values().all(|session| session.second_factor_at.is_none())
    );
    shop.table.remove_second_factor(ann.id, &[], true, &notice).await.unwrap();
    assert!(sessions(&shop, &ann).await.is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn of_many_who_give_the_same_code_at_once_one_gets_in() {
    let shop = Shop::open().await;
    let (ann, id) = opened(&shop).await;
    shop.table.set_up_second_factor(ann.id, "sealed").await.unwrap();
    let factor = shop.table.holder(ann.id).await.unwrap().unwrap().second_factor.unwrap();
    let notice = letter("ann@example.com", AccountEvent::SecondFactorChanged, 2);
    let new = session_id();
    let factor = factor.confirmed(7, [], at(2));
    shop.table.confirm_second_factor(ann.id, id, (new, &session(2)), &factor, &notice).await.unwrap();
    let tries: Vec<_> = (0..8)
        .map(|_| {
            let (table, known) = (shop.table.clone(), known(&ann));
            tokio::spawn(async move {
                table.open_session(&known, session_id(), &session(3), &Proof::Code { step: 8 }).await.unwrap()
            })
        })
        .collect();
    let mut in_ = 0;
    for try_ in tries {
        in_ += usize::from(matches!(try_.await.unwrap(), Opened::Opened(_)));
    }
    assert_eq!(in_, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_limit_counts_to_its_quota_and_no_further_however_many_count_at_once() {
    let shop = Shop::open().await;
    let tries: Vec<_> = (0..30)
        .map(|_| {
            let table = shop.table.clone();
            tokio::spawn(async move { table.count("log-in-email", "ann", 600, 1, 20).await.unwrap() })
        })
        .collect();
    let mut counted = 0;
    for try_ in tries {
        counted += usize::from(try_.await.unwrap());
    }
    assert_eq!(counted, 20);
    assert!(shop.table.count("log-in-email", "bob", 600, 1, 20).await.unwrap());
    assert!(shop.table.count("log-in-email", "ann", 1200, 20, 20).await.unwrap());
    assert!(!shop.table.count("log-in-email", "ann", 1200, 1, 20).await.unwrap());
    assert!(!shop.table.count("log-in-email", "carl", 600, 21, 20).await.unwrap());
    assert!(!shop.table.count("log-in-email", "dora", 600, 1, 0).await.unwrap());
}
