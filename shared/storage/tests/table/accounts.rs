//! Accounts, and what is refused of them.

use waybill_domain::account::Role;
use waybill_domain::id::{AccountId, LetterId};
use waybill_domain::message::AccountEvent;
use waybill_domain::text::Email;
use waybill_storage::accounts::{Credentials, EmailTaken, Holder, LinkRefused, NotChanged};
use waybill_storage::letters::Letter;

use crate::shop::{Shop, at, customer, reasons, session_id, uuid};

pub const MAILBOX: &str = "0123456789abcdef0123456789abcdef";

pub fn letter(to: &str, event: AccountEvent, written_at: i64) -> Letter {
    Letter::new(LetterId::new(uuid()), MAILBOX.into(), to.parse().unwrap(), event, at(written_at))
}

fn credentials(account: AccountId, hash: &str) -> Credentials {
    Credentials::new(account, hash.into(), at(0))
}

/// An account that signed up at the start of time.
pub async fn ann(shop: &Shop) -> Holder {
    signed_up(shop, "ann@example.com").await.unwrap()
}

pub async fn bob(shop: &Shop) -> Holder {
    signed_up(shop, "bob@example.com").await.unwrap()
}

async fn signed_up(shop: &Shop, email: &str) -> Result<Holder, Vec<LinkRefused>> {
    let letter = letter(email, AccountEvent::SignUpRequested, 0);
    shop.table.write_letter(&letter).await.unwrap();
    let holder = Holder::new(customer(), letter.to.clone(), Role::Customer, at(0));
    match shop.table.confirm_sign_up(&letter, &holder, &credentials(holder.id, "$hash"), at(1)).await {
        Ok(()) => Ok(holder),
        refused => Err(reasons(refused)),
    }
}

async fn administrator(shop: &Shop, email: &str) -> Holder {
    let holder = Holder::new(customer(), email.parse().unwrap(), Role::Administrator, at(0));
    shop.table.create_administrator(&holder, &credentials(holder.id, "$hash")).await.unwrap();
    holder
}

async fn hash_of(shop: &Shop, email: &Email) -> Option<String> {
    shop.table.credentials(email).await.unwrap().map(|known| known.password_hash)
}

#[tokio::test]
async fn an_account_is_found_by_its_id_and_its_address() {
    let shop = Shop::open().await;
    let ann = ann(&shop).await;
    assert_eq!(shop.table.holder(ann.id).await.unwrap().unwrap().account(), ann.account());
    let known = shop.table.credentials(&"Ann@Example.com".parse().unwrap()).await.unwrap().unwrap();
    assert_eq!((known.account_id, known.password_hash.as_str()), (ann.id, "$hash"));
    assert!(shop.table.holder(customer()).await.unwrap().is_none());
    assert!(shop.table.credentials(&"bob@example.com".parse().unwrap()).await.unwrap().is_none());
}

#[tokio::test]
async fn a_link_makes_one_account_and_is_then_dead() {
    let shop = Shop::open().await;
    let letter = letter("ann@example.com", AccountEvent::SignUpRequested, 0);
    shop.table.write_letter(&letter).await.unwrap();
    assert_eq!(shop.table.letter(MAILBOX, letter.id, at(1)).await.unwrap(), Some(letter.clone()));
    let make = async |now| {
        let holder = Holder::new(customer(), letter.to.clone(), Role::Customer, at(0));
        shop.table.confirm_sign_up(&letter, &holder, &credentials(holder.id, "$hash"), now).await
    };
    assert_eq!(reasons(make(at(24 * 60 * 60)).await), [LinkRefused::Dead]);
    make(at(1)).await.unwrap();
    assert!(reasons(make(at(2)).await).contains(&LinkRefused::Dead));
    assert_eq!(shop.table.letter(MAILBOX, letter.id, at(1)).await.unwrap(), None);
}

#[tokio::test]
async fn an_address_belongs_to_one_account() {
    let shop = Shop::open().await;
    let first = ann(&shop).await;
    assert_eq!(signed_up(&shop, "ann@example.com").await.unwrap_err(), [LinkRefused::EmailTaken]);
    let second = Holder::new(customer(), first.email.clone(), Role::Administrator, at(0));
    let made = shop.table.create_administrator(&second, &credentials(second.id, "$second")).await;
    assert_eq!(reasons(made), [EmailTaken]);
    assert!(shop.table.holder(second.id).await.unwrap().is_none());
    assert_eq!(hash_of(&shop, &first.email).await.as_deref(), Some("$hash"));
}

#[tokio::test(flavor = "multi_thread")]
async fn of_many_who_want_an_address_at_once_one_gets_it() {
    let shop = std::sync::Arc::new(Shop::open().await);
    let tries: Vec<_> = (0..20)
        .map(|_| {
            let shop = shop.clone();
            tokio::spawn(async move { signed_up(&shop, "ann@example.com").await.is_ok() })
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
    let ann = ann(&shop).await;
    shop.table.replace_password_hash(&ann.email, "$hash", "$new").await.unwrap();
    shop.table.replace_password_hash(&ann.email, "$hash", "$late").await.unwrap();
    assert_eq!(hash_of(&shop, &ann.email).await.as_deref(), Some("$new"));
    let unknown = "bob@example.com".parse().unwrap();
    shop.table.replace_password_hash(&unknown, "$old", "$new").await.unwrap();
    assert_eq!(hash_of(&shop, &unknown).await, None);
}

#[tokio::test]
async fn a_reset_sets_the_password_once_and_kills_what_was_asked_for_before() {
    let shop = Shop::open().await;
    let ann = ann(&shop).await;
    let letters = [2, 3].map(|second| letter("ann@example.com", AccountEvent::PasswordResetRequested, second));
    for letter in &letters {
        shop.table.write_letter(letter).await.unwrap();
    }
    let known = shop.table.credentials(&ann.email).await.unwrap().unwrap();
    let notice = letter("ann@example.com", AccountEvent::PasswordChanged, 4);
    shop.table.reset_password(&letters[0], &known, "$new", &notice, at(4)).await.unwrap();
    assert_eq!(hash_of(&shop, &ann.email).await.as_deref(), Some("$new"));
    assert!(shop.table.letter(MAILBOX, notice.id, at(5)).await.unwrap().is_some());
    let late = shop.table.reset_password(&letters[1], &known, "$late", &notice, at(5)).await;
    assert_eq!(reasons(late), [LinkRefused::Dead]);
    assert_eq!(hash_of(&shop, &ann.email).await.as_deref(), Some("$new"));
}

#[tokio::test]
async fn an_address_changes_hands_whole_or_not_at_all() {
    let shop = Shop::open().await;
    let ann = ann(&shop).await;
    signed_up(&shop, "bob@example.com").await.unwrap();
    let change = async |to: &str| {
        let letter = letter(to, AccountEvent::EmailChangeRequested, 2);
        shop.table.write_letter(&letter).await.unwrap();
        let known = shop.table.credentials(&ann.email).await.unwrap().unwrap();
        let notice = crate::accounts::letter("ann@example.com", AccountEvent::EmailChanged, 3);
        shop.table.change_email(&letter, &ann, &known, &notice, at(3)).await
    };
    assert_eq!(reasons(change("bob@example.com").await), [LinkRefused::EmailTaken]);
    assert_eq!(hash_of(&shop, &ann.email).await.as_deref(), Some("$hash"));
    change("anne@example.com").await.unwrap();
    let now = shop.table.holder(ann.id).await.unwrap().unwrap();
    assert_eq!(now.email.as_str(), "anne@example.com");
    assert_eq!(hash_of(&shop, &now.email).await.as_deref(), Some("$hash"));
    assert_eq!(hash_of(&shop, &ann.email).await, None);
}

#[tokio::test]
async fn the_last_administrator_stays_one() {
    let shop = Shop::open().await;
    let (first, second) = (administrator(&shop, "a@example.com").await, administrator(&shop, "b@example.com").await);
    shop.table.change_role(&first, Role::Customer).await.unwrap();
    assert_eq!(reasons(shop.table.change_role(&second, Role::Manager).await), [NotChanged::LastAdministrator]);
    let leaving = shop.table.begin_to_leave(second.id, at(1)).await.unwrap().unwrap();
    assert_eq!(reasons(shop.table.leave(&leaving, at(3)).await), [NotChanged::LastAdministrator]);
    let ids: Vec<_> = shop.table.administrators().await.unwrap().iter().map(|holder| holder.id).collect();
    assert_eq!(ids, [second.id]);
    let first = shop.table.holder(first.id).await.unwrap().unwrap();
    assert_eq!(first.role, Role::Customer);
    shop.table.change_role(&first, Role::Administrator).await.unwrap();
    assert_eq!(shop.table.administrators().await.unwrap().len(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn of_two_administrators_who_remove_each_other_at_once_one_stays() {
    for _ in 0..10 {
        let shop = Shop::open().await;
        let (first, second) =
            (administrator(&shop, "a@example.com").await, administrator(&shop, "b@example.com").await);
        let (one, two) = tokio::join!(
            shop.table.change_role(&first, Role::Customer),
            shop.table.change_role(&second, Role::Customer)
        );
        assert!(one.is_ok() != two.is_ok(), "{one:?} {two:?}");
        assert_eq!(shop.table.administrators().await.unwrap().len(), 1);
    }
}

#[tokio::test]
async fn who_leaves_takes_everything_along_and_frees_the_address() {
    let shop = Shop::open().await;
    let ann = ann(&shop).await;
    let tea = shop.sells("TEA", 450, 5).await;
    shop.set_line(ann.id, &tea, 1).await;
    shop.table.issue_ticket(ann.id, session_id(), "hash", at(100)).await.unwrap();
    shop.table.write_letter(&letter("ann@example.com", AccountEvent::PasswordResetRequested, 2)).await.unwrap();
    let leaving = shop.table.begin_to_leave(ann.id, at(3)).await.unwrap().unwrap();
    assert_eq!(leaving.leaving_since, Some(at(3)));
    shop.table.clear_out(&leaving, MAILBOX).await.unwrap();
    shop.table.leave(&leaving, at(3)).await.unwrap();
    let left = shop.items().await;
    assert!(!left.to_string().contains("ann@"), "{left}");
    let named: Vec<_> =
        left.as_array().unwrap().iter().filter(|item| item.to_string().contains(&ann.id.to_string())).collect();
    let [departure] = named[..] else { panic!("{named:?}") };
    assert_eq!(departure["pk"]["S"], format!("LEFT#{}", ann.id), "what tells others that the account has gone");
    assert!(signed_up(&shop, "ann@example.com").await.is_ok());
    // Once more changes nothing.
    assert_eq!(shop.table.begin_to_leave(ann.id, at(4)).await.unwrap().map(|holder| holder.id), None);
}
