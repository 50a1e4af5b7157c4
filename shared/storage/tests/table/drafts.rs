//! Drafts: begun once, filled as carts are, placed once, and never taken for anybody's cart.

use waybill_domain::cart::{Quote, QuotedDraft};
use waybill_domain::id::{AccountId, CartId, DraftId, OrderId};
use waybill_domain::message::Message;
use waybill_domain::order::{self, Order};
use waybill_domain::pricing::Uses;
use waybill_domain::product::Offer;
use waybill_storage::Cursor;
use waybill_storage::carts::{CartRefused, CartWishes, LIFETIME};
use waybill_storage::drafts::{Draft, NotBegun};
use waybill_storage::placing::NotPlaced;

use crate::accounts::{MAILBOX, ann, bob};
use crate::pricing::{enter, promotion};
use crate::shop::{STAFF, Shop, address, at, customer, fresh_cart, line, number, reasons, uuid};

pub fn draft(account_id: AccountId, seconds: i64) -> Draft {
    let (email, note) = ("ann@example.com".parse().unwrap(), Some("Called".parse().unwrap()));
    Draft { id: DraftId::new(uuid()), account_id, email, note, exchange: None, by: customer(), created_at: at(seconds) }
}

/// A draft with so many units of an offer.
pub async fn filled(shop: &Shop, account: AccountId, offer: &Offer, units: i64) -> Draft {
    let draft = draft(account, 0);
    shop.table.begin_draft(&draft, fresh_cart()).await.unwrap();
    shop.table.set_cart_line(draft.id, &offer.sku, line(offer, units), fresh_cart()).await.unwrap();
    draft
}

/// What staff see of it.
pub async fn quote(shop: &Shop, draft: &Draft) -> Quote {
    let (_, cart) = shop.table.draft(draft.id).await.unwrap().unwrap();
    let quoted = QuotedDraft { id: draft.id, exchange: draft.exchange };
    Quote { draft: Some(quoted), ..shop.quote_of(&cart, draft.account_id).await }
}

/// The order that staff place from it with a key.
pub fn order(key: &str, quote: &Quote) -> Order {
    let id = OrderId::for_draft(quote.draft.unwrap().id, AccountId::new(Default::default()), &key.parse().unwrap());
    order::place(id, quote.clone(), "ann@example.com".parse().unwrap(), address(), STAFF, at(0))
}

#[tokio::test]
async fn a_draft_is_begun_once_for_somebody_who_is_there() {
    let shop = Shop::open().await;
    let ann = ann(&shop).await;
    let (begun, cart) = (draft(ann.id, 0), fresh_cart());
    let cart = shop.table.begin_draft(&begun, cart).await.unwrap();
    assert_eq!((cart.version, cart.lines.len(), cart.expires_at), (1, 0, at(0).as_second() + LIFETIME));
    assert_eq!(shop.table.draft(begun.id).await.unwrap(), Some((begun.clone(), cart.clone())));
    let again = reasons(shop.table.begin_draft(&Draft { created_at: at(9), ..begun.clone() }, fresh_cart()).await);
    assert_eq!(again, [NotBegun::Begun(Box::new((begun, cart)))]);
    for nobody in [customer(), bob(&shop).await.id] {
        // There is none; and that one is leaving.
        shop.table.begin_to_leave(nobody, at(1)).await.unwrap();
        let draft = draft(nobody, 1);
        assert_eq!(reasons(shop.table.begin_draft(&draft, fresh_cart()).await), [NotBegun::NoCustomer]);
        assert_eq!(shop.table.draft(draft.id).await.unwrap(), None);
    }
}

#[tokio::test]
async fn drafts_are_listed_the_newest_first() {
    let shop = Shop::open().await;
    let ann = ann(&shop).await;
    let mut drafts: Vec<_> = (0..5).map(|seconds| draft(ann.id, seconds)).collect();
    for draft in &drafts {
        shop.table.begin_draft(draft, fresh_cart()).await.unwrap();
    }
    drafts.reverse();
    let first = shop.table.drafts(3, None).await.unwrap();
    // As a client brings it back.
    let cursor = Cursor::among_drafts(&first.next.unwrap().to_string());
    let rest = shop.table.drafts(3, Some(cursor.unwrap())).await.unwrap();
    let back = shop.table.drafts(3, rest.previous.clone()).await.unwrap();
    assert_eq!((back.items, rest.next), (first.items.clone(), None));
    assert_eq!([first.items, rest.items].concat(), drafts);
}

#[tokio::test]
async fn a_draft_that_is_gone_is_not_begun_by_a_change() {
    let shop = Shop::open().await;
    let (tea, ann) = (shop.sells("TEA", 450, 5).await, ann(&shop).await);
    let draft = filled(&shop, ann.id, &tea, 1).await;
    shop.table.clear_cart(draft.id).await.unwrap();
    let set = shop.table.set_cart_line(draft.id, &tea.sku, line(&tea, 1), fresh_cart()).await;
    assert_eq!(reasons(set), [CartRefused::NoDraft]);
    let wish = shop.table.wish_in_cart(draft.id, &CartWishes::default(), fresh_cart()).await;
    assert_eq!(reasons(wish), [CartRefused::NoDraft]);
    assert_eq!(shop.table.remove_cart_line(draft.id, &tea.sku).await.unwrap(), None);
    assert_eq!(shop.table.draft(draft.id).await.unwrap(), None);
    assert_eq!(shop.table.drafts(9, None).await.unwrap().items, []);
}

#[tokio::test]
async fn a_draft_is_nobodys_cart_and_no_cart_a_draft() {
    let shop = Shop::open().await;
    let (tea, ann) = (shop.sells("TEA", 450, 5).await, ann(&shop).await);
    let draft = filled(&shop, ann.id, &tea, 3).await;
    let (_, cart) = shop.table.draft(draft.id).await.unwrap().unwrap();
    assert_eq!(shop.table.cart(ann.id).await.unwrap(), None);
    let bits = draft.id.to_string().replace("drf_", "");
    let guest: CartId = format!("crt_{bits}").parse().unwrap();
    for known in [guest, cart.id] {
        assert_eq!(shop.table.cart(known).await.unwrap(), None);
    }
    shop.table.set_cart_line(guest, &tea.sku, line(&tea, 1), fresh_cart()).await.unwrap();
    shop.set_line(ann.id, &tea, 2).await;
    shop.table.merge_carts(guest, ann.id, at(1)).await.unwrap();
    shop.table.clear_cart(ann.id).await.unwrap();
    assert_eq!(shop.table.draft(draft.id).await.unwrap(), Some((draft.clone(), cart)));
}

#[tokio::test]
async fn placing_a_draft_ends_it_and_leaves_the_customers_own_cart_alone() {
    let shop = Shop::open().await;
    let (tea, ann) = (shop.sells("TEA", 450, 5).await, ann(&shop).await);
    let own = shop.set_line(ann.id, &tea, 1).await;
    let draft = filled(&shop, ann.id, &tea, 3).await;
    let quote = quote(&shop, &draft).await;
    let placed = order("key", &quote);
    shop.table.place_order(&placed, &quote, "fingerprint").await.unwrap();
    assert_eq!(shop.table.order(placed.id).await.unwrap(), Some(placed.clone()));
    assert_eq!((placed.buyer, placed.timeline[0].actor), (ann.id, STAFF));
    assert!(Message::latest(&placed).unwrap().order.placed_by_staff);
    assert_eq!(shop.offer(&tea).await.available, 2);
    assert_eq!((shop.table.draft(draft.id).await.unwrap(), shop.table.cart(ann.id).await.unwrap()), (None, Some(own)));
    assert_eq!(shop.table.drafts(9, None).await.unwrap().items, []);
    // Again, by the same key: what else is not as it was comes of it.
    let again = reasons(shop.table.place_order(&placed, &quote, "fingerprint").await);
    assert!(matches!(&again[0], NotPlaced::AlreadyPlaced { order, .. } if **order == placed), "{again:?}");
    // The customer's own cart, with the quote of a draft that has ended.
    let other = reasons(shop.table.place_order(&order("other", &quote), &quote, "fingerprint").await);
    assert!(matches!(other[..], [NotPlaced::LineRefused { .. }, NotPlaced::CartChanged]), "{other:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_draft_that_many_place_at_once_becomes_one_order() {
    let shop = Shop::open().await;
    let (tea, ann) = (shop.sells("TEA", 450, 50).await, ann(&shop).await);
    let draft = filled(&shop, ann.id, &tea, 2).await;
    let quote = quote(&shop, &draft).await;
    let requests: Vec<_> = (0..8)
        .map(|_| {
            let (table, quote) = (shop.table.clone(), quote.clone());
            let order = order(&format!("key-{}", number()), &quote);
            tokio::spawn(async move { table.place_order(&order, &quote, "fingerprint").await })
        })
        .collect();
    let mut placed = 0;
    for request in requests {
        match request.await.unwrap() {
            Ok(()) => placed += 1,
            refused => assert!(matches!(reasons(refused)[..], [NotPlaced::CartChanged])),
        }
    }
    assert_eq!((placed, shop.offer(&tea).await.available), (1, 48));
}

#[tokio::test]
async fn nothing_is_ordered_for_somebody_who_leaves() {
    let shop = Shop::open().await;
    let (tea, ann) = (shop.sells("TEA", 450, 5).await, ann(&shop).await);
    let draft = filled(&shop, ann.id, &tea, 1).await;
    let quote = quote(&shop, &draft).await;
    let leaving = shop.table.begin_to_leave(ann.id, at(1)).await.unwrap().unwrap();
    let refused = reasons(shop.table.place_order(&order("key", &quote), &quote, "fingerprint").await);
    assert!(matches!(refused[..], [NotPlaced::BuyerLeft]), "{refused:?}");
    shop.table.clear_out(&leaving, MAILBOX).await.unwrap();
    shop.table.leave(&leaving, at(9)).await.unwrap();
    let refused = reasons(shop.table.place_order(&order("key", &quote), &quote, "fingerprint").await);
    assert!(matches!(refused[..], [NotPlaced::BuyerLeft, NotPlaced::CartChanged]), "{refused:?}");
    assert_eq!(shop.offer(&tea).await.available, 5);
    assert_eq!(shop.table.draft(draft.id).await.unwrap(), None, "it left with its customer");
    assert!(!shop.items().await.to_string().contains("ann@example.com"));
}

#[tokio::test]
async fn what_a_customer_may_use_once_they_use_once_by_their_cart_or_by_a_draft() {
    let shop = Shop::open().await;
    let (tea, ann) = (shop.sells("TEA", 450, 5).await, ann(&shop).await);
    let code = promotion("ONCE", None, Some(1));
    shop.table.add_setting(&code).await.unwrap();
    let draft = filled(&shop, ann.id, &tea, 1).await;
    let wishes = CartWishes { codes: Some(vec!["ONCE".parse().unwrap()]), ..CartWishes::default() };
    shop.table.wish_in_cart(draft.id, &wishes, fresh_cart()).await.unwrap();
    let quote = quote(&shop, &draft).await;
    assert_eq!(quote.uses.len(), 1);
    shop.set_line(ann.id, &tea, 1).await;
    enter(&shop, ann.id, "ONCE").await;
    let own = shop.quote(ann.id).await;
    shop.table.place_order(&crate::shop::order("own", &own, at(0)), &own, "fingerprint").await.unwrap();
    let refused = reasons(shop.table.place_order(&order("key", &quote), &quote, "fingerprint").await);
    assert!(matches!(&refused[..], [NotPlaced::PromotionUsedUp(name)] if name == "ONCE"), "{refused:?}");
    let uses = shop.table.promotion_uses(&[code.id], Some(ann.id)).await.unwrap();
    assert_eq!(uses[&code.id], Uses { in_all: 0, by_customer: 1 });
    assert!(shop.table.draft(draft.id).await.unwrap().is_some());
}
