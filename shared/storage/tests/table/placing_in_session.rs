//! Placing an order in a session of its buyer, which the placing transaction itself asks after.

use waybill_domain::cart::{Quote, QuotedContact};
use waybill_domain::id::SessionId;
use waybill_domain::order::Order;
use waybill_domain::product::Offer;
use waybill_storage::Refused;
use waybill_storage::accounts::{Holder, ProfileChange};
use waybill_storage::placing::NotPlaced;
use waybill_storage::sessions::MAX_AGE;

use crate::accounts::bob;
use crate::sessions::{opened, session};
use crate::shop::{Shop, at, order, reasons};

/// A customer who is logged in and has a tea in the cart.
struct Buyer {
    shop: Shop,
    tea: Offer,
    holder: Holder,
    session: SessionId,
    quote: Quote,
    order: Order,
}

impl Buyer {
    async fn new() -> Buyer {
        let shop = Shop::open().await;
        let (tea, (holder, session)) = (shop.sells("TEA", 450, 5).await, opened(&shop).await);
        Buyer::of(shop, tea, holder, session, 1).await
    }

    async fn of(shop: Shop, tea: Offer, holder: Holder, session: SessionId, units: i64) -> Buyer {
        shop.set_line(holder.id, &tea, units).await;
        let contact = QuotedContact { email: holder.email.clone(), language: holder.language.clone() };
        let quote = Quote { contact: Some(contact), ..shop.quote(holder.id).await };
        let order = order("key", &quote, at(2));
        Buyer { shop, tea, holder, session, quote, order }
    }

    async fn places_at(&self, seconds: i64) -> Result<(), Refused<NotPlaced>> {
        let order = Order { placed_at: at(seconds), ..self.order.clone() };
        self.shop.table.place_in_session(&order, &self.quote, "fingerprint", self.session).await
    }

    async fn places(&self) -> Result<(), Refused<NotPlaced>> {
        self.places_at(2).await
    }

    async fn speaks(&self, language: Option<&str>) {
        let language = Some(language.map(|language| language.parse().unwrap()));
        let change = ProfileChange { name: None, language };
        self.shop.table.change_profile(self.holder.id, &change).await.unwrap().unwrap();
    }
}

#[tokio::test]
async fn it_is_one_call_and_two_units_more_than_without() {
    let buyer = Buyer::new().await;
    buyer.shop.wire.calls();
    buyer.shop.wire.units();
    buyer.places().await.unwrap();
    assert_eq!(buyer.shop.wire.calls(), ["TransactWriteItems"]);
    // The session, the offer, the cart, the order of 2 KB and its two places.
    let units = buyer.shop.wire.units();
    assert!(buyer.shop.is_elsewhere() || units == 2.0 + 2.0 + 2.0 + (4.0 + 2.0), "{units}");
    assert_eq!(buyer.shop.offer(&buyer.tea).await.available, 4);
}

#[tokio::test]
async fn a_session_that_has_ended_places_nothing_and_is_told_of_nothing() {
    let buyer = Buyer::new().await;
    let table = &buyer.shop.table;
    // It ends by itself, too; and goes on to its last second.
    assert!(matches!(reasons(buyer.places_at(100).await)[..], [NotPlaced::SessionEnded]));
    let other = SessionId::new(uuid::Uuid::from_u128(7));
    let strange = table.place_in_session(&buyer.order, &buyer.quote, "fingerprint", other).await;
    assert!(matches!(reasons(strange)[..], [NotPlaced::SessionEnded]));
    buyer.places_at(99).await.unwrap();
    let again = reasons(buyer.places_at(99).await);
    assert!(matches!(&again[..], [NotPlaced::AlreadyPlaced { .. }, NotPlaced::CartChanged]), "{again:?}");
    table.end_session(buyer.holder.id, buyer.session).await.unwrap();
    let ended = reasons(buyer.places().await);
    assert!(matches!(ended[0], NotPlaced::SessionEnded), "{ended:?}");
}

#[tokio::test]
async fn a_session_that_is_too_old_places_nothing_however_lately_it_was_used() {
    let shop = Shop::open().await;
    let (tea, (holder, id)) = (shop.sells("TEA", 450, 5).await, opened(&shop).await);
    let age = MAX_AGE.as_secs();
    assert_eq!(session(0).created_at, at(0));
    shop.table.rotate_session(holder.id, id, "first", "second", at(2 * age).as_second(), at(1)).await.unwrap();
    let buyer = Buyer::of(shop, tea, holder, id, 1).await;
    assert!(matches!(reasons(buyer.places_at(age).await)[..], [NotPlaced::SessionEnded]));
    buyer.places_at(age - 1).await.unwrap();
}

#[tokio::test]
async fn nobody_places_in_somebody_elses_session() {
    let buyer = Buyer::new().await;
    let bob = bob(&buyer.shop).await;
    let theirs = Quote { buyer: bob.id, ..buyer.quote.clone() };
    let placed = buyer.shop.table.place_in_session(&buyer.order, &theirs, "fingerprint", buyer.session).await;
    assert!(matches!(reasons(placed)[0], NotPlaced::SessionEnded));
    assert_eq!(buyer.shop.offer(&buyer.tea).await.available, 5);
}

#[tokio::test]
async fn who_has_begun_to_leave_places_nothing_more() {
    let buyer = Buyer::new().await;
    buyer.shop.table.begin_to_leave(buyer.holder.id, at(1)).await.unwrap().unwrap();
    let refused = reasons(buyer.places().await);
    assert!(matches!(refused[..], [NotPlaced::Leaving]), "{refused:?}");
    assert_eq!(buyer.shop.offer(&buyer.tea).await.available, 5);
}

#[tokio::test]
async fn what_is_placed_is_mailed_where_and_as_the_account_says_at_that_moment() {
    let buyer = Buyer::new().await;
    buyer.speaks(Some("de")).await;
    let refused = reasons(buyer.places().await);
    assert!(matches!(refused[..], [NotPlaced::ContactChanged]), "{refused:?}");
    let language = Some("de".parse().unwrap());
    let in_german = QuotedContact { language, ..buyer.quote.contact.clone().unwrap() };
    let quote = Quote { contact: Some(in_german.clone()), ..buyer.quote.clone() };
    let elsewhere = QuotedContact { email: "old@example.com".parse().unwrap(), ..in_german };
    let stale = Quote { contact: Some(elsewhere), ..quote.clone() };
    let place =
        async |quote| buyer.shop.table.place_in_session(&buyer.order, quote, "fingerprint", buyer.session).await;
    assert!(matches!(reasons(place(&stale).await)[..], [NotPlaced::ContactChanged]));
    assert_eq!(buyer.shop.offer(&buyer.tea).await.available, 5);
    place(&quote).await.unwrap();
    // What was placed stays placed, whatever becomes of the account.
    buyer.speaks(None).await;
    let again = reasons(place(&quote).await);
    assert!(
        matches!(
            &again[..],
            [NotPlaced::ContactChanged, NotPlaced::AlreadyPlaced { order, .. }, NotPlaced::CartChanged]
                if order.id == buyer.order.id
        ),
        "{again:?}"
    );
}

#[tokio::test]
async fn an_ended_session_is_told_of_no_order_where_stock_was_looked_at_first() {
    let shop = Shop::open().await;
    let (tea, (holder, session)) = (shop.sells("TEA", 450, 20).await, opened(&shop).await);
    shop.spreads(&tea, Some(16)).await;
    let buyer = Buyer::of(shop, tea, holder, session, 20).await;
    buyer.places().await.unwrap();
    // All is gone, which this process knows: it looks before it writes.
    let again = reasons(buyer.places().await);
    assert!(matches!(&again[..], [NotPlaced::AlreadyPlaced { .. }]), "{again:?}");
    buyer.shop.table.end_session(buyer.holder.id, session).await.unwrap();
    let ended = reasons(buyer.places().await);
    assert!(matches!(ended[..], [NotPlaced::SessionEnded]), "{ended:?}");
}
