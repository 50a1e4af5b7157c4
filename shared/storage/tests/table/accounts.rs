//! Accounts, sessions and their refusals.

use waybill_domain::account::{Account, Role};
use waybill_domain::id::AccountId;
use waybill_storage::accounts::{EmailTaken, Rotation, Session};

use crate::shop::{Shop, at, customer, reasons, session_id};

fn account(email: &str) -> Account {
    Account { id: customer(), email: email.parse().unwrap(), role: Role::Customer, created_at: at(0) }
}

pub fn session(account_id: AccountId) -> Session {
    Session {
        id: session_id(),
        account_id,
        token_hash: "first".into(),
        created_at: at(0),
        expires_at: at(100).as_second(),
    }
}

#[tokio::test]
async fn an_account_is_found_by_its_id_and_its_address() {
    let shop = Shop::open().await;
    let ann = account("ann@example.com");
    shop.table.create_account(&ann, "$hash").await.unwrap();
    assert_eq!(shop.table.account(ann.id).await.unwrap(), Some(ann.clone()));
    let credentials = shop.table.credentials(&"Ann@Example.com".parse().unwrap()).await.unwrap().unwrap();
    assert_eq!((credentials.account(), credentials.password_hash.as_str()), (ann, "$hash"));
    assert_eq!(shop.table.account(customer()).await.unwrap(), None);
    assert!(shop.table.credentials(&"bob@example.com".parse().unwrap()).await.unwrap().is_none());
}

#[tokio::test]
async fn an_address_belongs_to_one_account() {
    let shop = Shop::open().await;
    let (first, second) = (account("ann@example.com"), account("ann@example.com"));
    shop.table.create_account(&first, "$first").await.unwrap();
    assert_eq!(reasons(shop.table.create_account(&second, "$second").await), [EmailTaken]);
    assert_eq!(shop.table.account(second.id).await.unwrap(), None);
    let kept = shop.table.credentials(&first.email).await.unwrap().unwrap();
    assert_eq!((kept.account_id, kept.password_hash.as_str()), (first.id, "$first"));
}

#[tokio::test(flavor = "multi_thread")]
async fn of_many_who_want_an_address_at_once_one_gets_it() {
    let shop = Shop::open().await;
    let tries: Vec<_> = (0..20)
        .map(|_| {
            let table = shop.table.clone();
            tokio::spawn(async move { table.create_account(&account("ann@example.com"), "$hash").await.is_ok() })
        })
        .collect();
    let mut made = 0;
    for try_ in tries {
        made += usize::from(try_.await.unwrap());
    }
    assert_eq!(made, 1);
}

#[tokio::test]
async fn a_password_hash_gives_way_only_to_who_knew_it() {
    let shop = Shop::open().await;
    let ann = account("ann@example.com");
    shop.table.create_account(&ann, "$old").await.unwrap();
    shop.table.replace_password_hash(&ann.email, "$old", "$new").await.unwrap();
    shop.table.replace_password_hash(&ann.email, "$old", "$late").await.unwrap();
    assert_eq!(shop.table.credentials(&ann.email).await.unwrap().unwrap().password_hash, "$new");
}

#[tokio::test]
async fn no_account_comes_of_replacing_the_hash_of_an_unknown_address() {
    let shop = Shop::open().await;
    let unknown = "bob@example.com".parse().unwrap();
    shop.table.replace_password_hash(&unknown, "$old", "$new").await.unwrap();
    assert!(shop.table.credentials(&unknown).await.unwrap().is_none());
}

#[tokio::test]
async fn a_session_is_rotated_once_by_the_present_token() {
    let shop = Shop::open().await;
    let session = session(customer());
    shop.table.open_session(&session).await.unwrap();
    let until = at(200).as_second();
    let rotated = shop.table.rotate_session(&session, "second", until, at(1)).await.unwrap();
    assert!(matches!(rotated, Rotation::Rotated));
    let again = shop.table.rotate_session(&session, "third", until, at(1)).await.unwrap();
    assert!(matches!(again, Rotation::Refused));
    let kept = shop.table.session(session.account_id, session.id).await.unwrap().unwrap();
    assert_eq!((kept.token_hash.as_str(), kept.expires_at), ("second", until));
}

#[tokio::test(flavor = "multi_thread")]
async fn of_many_who_present_a_token_at_once_one_is_served() {
    let shop = Shop::open().await;
    let session = session(customer());
    shop.table.open_session(&session).await.unwrap();
    let tries: Vec<_> = (0..20)
        .map(|number| {
            let (table, session) = (shop.table.clone(), session.clone());
            tokio::spawn(async move {
                table.rotate_session(&session, &format!("next-{number}"), at(200).as_second(), at(1)).await.unwrap()
            })
        })
        .collect();
    let mut rotated = 0;
    for try_ in tries {
        rotated += usize::from(matches!(try_.await.unwrap(), Rotation::Rotated));
    }
    assert_eq!(rotated, 1);
}

#[tokio::test]
async fn an_expired_session_cannot_be_rotated_even_while_its_item_is_there() {
    let shop = Shop::open().await;
    let session = session(customer());
    shop.table.open_session(&session).await.unwrap();
    for (now, served) in [(at(100), false), (at(99), true)] {
        let rotation = shop.table.rotate_session(&session, "second", at(200).as_second(), now).await.unwrap();
        assert_eq!(matches!(rotation, Rotation::Rotated), served, "{now}");
    }
}

#[tokio::test]
async fn an_ended_session_cannot_be_rotated() {
    let shop = Shop::open().await;
    let session = session(customer());
    shop.table.open_session(&session).await.unwrap();
    shop.table.end_session(session.account_id, session.id).await.unwrap();
    shop.table.end_session(session.account_id, session.id).await.unwrap();
    let rotation = shop.table.rotate_session(&session, "second", at(200).as_second(), at(1)).await.unwrap();
    assert!(matches!(rotation, Rotation::Refused));
    assert!(shop.table.session(session.account_id, session.id).await.unwrap().is_none());
}
