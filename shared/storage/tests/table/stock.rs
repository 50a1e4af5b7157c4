//! The ledger: what each movement writes, that each cause moves stock once, and that it explains the stock at any time.

use waybill_domain::id::{LocationId, MovementId};
use waybill_domain::message::Actor;
use waybill_domain::order::Order;
use waybill_domain::product::{Offer, ProductState};
use waybill_domain::stock::{Change, Difference, MovementKind, Refusal, Selling, WITHOUT_END};
use waybill_storage::Cursor;
use waybill_storage::locations::LocationRefused;
use waybill_storage::outbox::{Announcement, announcement};
use waybill_storage::placing::NotPlaced;
use waybill_storage::stock::{Done, Finding, NotMoved, SkuStock, Terms, Wanted};

use crate::shop::{STAFF, Shop, at, category, customer, listing, number, offer, order, product, reasons, uuid};

fn depot() -> LocationId {
    LocationId::new(uuid::Uuid::from_u128(7))
}

pub fn wanted(change: Change) -> Wanted {
    let id = MovementId::new(uuid());
    Wanted { id, change, by: STAFF, reason: None, order_id: None, at: at(1) }
}

pub fn receive(units: u32) -> Wanted {
    wanted(Change::Receive { at: LocationId::MAIN, units })
}

pub fn correct(units: i64) -> Wanted {
    wanted(Change::Correct { at: LocationId::MAIN, units })
}

/// What is to be taken off the shelf for a paid order's first line.
pub fn sale(order: &Order) -> Wanted {
    let line = &order.lines[0];
    Wanted {
        id: MovementId::sold(order.id, &line.sku),
        change: Change::Sell { units: line.quantity.get() },
        by: Actor::Customer,
        reason: None,
        order_id: Some(order.id),
        at: at(2),
    }
}

/// What a cancelled order's first line gives back.
pub fn release(order: &Order) -> Wanted {
    let line = &order.lines[0];
    Wanted {
        id: MovementId::released(order.id, &line.sku),
        change: Change::Release { units: line.quantity.get() },
        ..sale(order)
    }
}

impl Shop {
    pub async fn moves(&self, offer: &Offer, wanted: &Wanted) -> Result<Done, NotMoved> {
        self.table.move_stock(&offer.sku, wanted).await
    }

    async fn stock(&self, offer: &Offer) -> SkuStock {
        self.table.stock(&offer.sku).await.unwrap().unwrap()
    }

    /// On hand, reserved, available.
    pub async fn levels(&self, offer: &Offer) -> (i64, i64, u64) {
        let SkuStock { stock, .. } = self.stock(offer).await;
        (stock.total(), stock.reserved(), stock.available)
    }

    pub async fn sold_as(&self, offer: &Offer, selling: Selling) -> Result<SkuStock, NotMoved> {
        let terms = Terms { selling: Some(selling), low_stock_at: None, buckets: None };
        self.table.sell_on(&offer.sku, terms, at(1)).await
    }

    async fn ledger(&self, offer: &Offer) -> Vec<(MovementKind, i64)> {
        let page = self.table.movements(offer.product_id, &offer.sku, 100, None).await.unwrap();
        page.items.iter().map(|movement| (movement.kind, movement.units)).collect()
    }

    pub async fn findings(&self) -> Vec<Finding> {
        self.table.audit(ProductState::Active, None, 100).await.unwrap().findings
    }

    pub async fn orders(&self, offer: &Offer, units: i64) -> Result<Order, Vec<NotPlaced>> {
        let buyer = customer();
        self.set_line(buyer, offer, units).await;
        let quote = self.quote(buyer).await;
        let order = order(&format!("key-{}", number()), &quote, at(0));
        match self.table.place_order(&order, &quote, "fingerprint").await {
            Ok(()) => Ok(order),
            refused => Err(reasons(refused)),
        }
    }
}

#[track_caller]
fn refusal(result: Result<Done, NotMoved>) -> Refusal {
    match result {
        Err(NotMoved::Refused(refusal)) => refusal,
        other => panic!("not refused: {other:?}"),
    }
}

#[tokio::test]
async fn what_a_product_is_made_with_is_received_by_who_makes_it() {
    let shop = Shop::open().await;
    let (tea, cup) = (shop.sells("TEA", 450, 5).await, shop.sells("CUP", 900, 0).await);
    assert_eq!(shop.levels(&tea).await, (5, 0, 5));
    let opening = shop.table.movements(tea.product_id, &tea.sku, 10, None).await.unwrap().items;
    assert_eq!(opening.len(), 1);
    assert_eq!((opening[0].kind, opening[0].units, opening[0].by), (MovementKind::Received, 5, STAFF));
    assert_eq!(shop.ledger(&cup).await, []);
    assert_eq!(shop.levels(&cup).await, (0, 0, 0));
    assert_eq!(shop.findings().await, []);
}

#[tokio::test]
async fn a_product_may_be_made_with_as_many_skus_and_categories_as_it_can_have() {
    use waybill_domain::product::{MAX_CATEGORIES, MAX_SKUS};
    let shop = Shop::open().await;
    let mut categories = Vec::new();
    for number in 0..MAX_CATEGORIES {
        let category = category(&format!("category-{number}"));
        shop.table.create_category(&category).await.unwrap();
        categories.push(category.id);
    }
    let mut product = product(categories[0], "tea");
    product.category_ids = categories;
    let offers: Vec<_> = (0..MAX_SKUS).map(|sku| offer(&product, &format!("TEA-{sku}"), 450, 1)).collect();
    shop.table.create_product(&listing(&product, offers), STAFF).await.unwrap();
    assert_eq!(shop.table.audit(ProductState::Active, None, 10).await.unwrap().skus, MAX_SKUS);
}

#[tokio::test]
async fn goods_come_are_ordered_sold_corrected_and_returned_and_the_ledger_says_so() {
    let shop = Shop::open().await;
    let tea = shop.sells("TEA", 450, 5).await;
    shop.moves(&tea, &wanted(Change::Receive { at: depot(), units: 4 })).await.unwrap();
    assert_eq!(shop.levels(&tea).await, (9, 0, 9));
    let order = shop.orders(&tea, 6).await.unwrap();
    assert_eq!(shop.levels(&tea).await, (9, 6, 3));
    let Done::Now(sold) = shop.moves(&tea, &sale(&order)).await.unwrap() else { panic!("it was sold before") };
    assert_eq!((sold.order_id, sold.units, sold.places.len()), (Some(order.id), -6, 2));
    assert_eq!(shop.levels(&tea).await, (3, 0, 3));
    shop.moves(&tea, &wanted(Change::Return { at: LocationId::MAIN, units: 2 })).await.unwrap();
    shop.moves(&tea, &correct(-1)).await.unwrap();
    assert_eq!(shop.levels(&tea).await, (4, 0, 4));
    let expected = [
        (MovementKind::Corrected, -1),
        (MovementKind::Returned, 2),
        (MovementKind::Sold, -6),
        (MovementKind::Received, 4),
        (MovementKind::Received, 5),
    ];
    assert_eq!(shop.ledger(&tea).await, expected);
    assert_eq!(shop.findings().await, []);
}

#[tokio::test]
async fn the_ledger_is_read_by_the_page_both_ways() {
    let shop = Shop::open().await;
    let tea = shop.sells("TEA", 450, 1).await;
    for units in 2..=5 {
        shop.moves(&tea, &receive(units)).await.unwrap();
    }
    let page = async |cursor: Option<Cursor>| shop.table.movements(tea.product_id, &tea.sku, 2, cursor).await.unwrap();
    let read = |cursor: Option<Cursor>| {
        Cursor::among_movements(tea.product_id, &tea.sku, &cursor.unwrap().to_string()).unwrap()
    };
    let units = |page: &waybill_storage::Page<waybill_domain::stock::Movement>| {
        page.items.iter().map(|movement| movement.units).collect::<Vec<_>>()
    };
    let first = page(None).await;
    let second = page(Some(read(first.next.clone()))).await;
    let third = page(Some(read(second.next.clone()))).await;
    assert_eq!([units(&first), units(&second), units(&third)], [vec![5, 4], vec![3, 2], vec![1]]);
    assert_eq!((first.previous, third.next), (None, None));
    assert_eq!(units(&page(Some(read(third.previous.clone()))).await), [3, 2]);
    for strange in ["", "1", "x.mov_1", "1.mov_1"] {
        assert!(Cursor::among_movements(tea.product_id, &tea.sku, strange).is_none(), "{strange}");
    }
}

#[tokio::test]
async fn the_same_cause_moves_stock_once_even_where_it_would_be_refused_by_now() {
    let shop = Shop::open().await;
    let tea = shop.sells("TEA", 450, 5).await;
    let correction = correct(-4);
    let Done::Now(first) = shop.moves(&tea, &correction).await.unwrap() else { panic!("it was done before") };
    for _ in 0..2 {
        assert_eq!(shop.moves(&tea, &correction).await.unwrap(), Done::Before(first.clone()));
    }
    let small = correct(-1);
    let Done::Now(first) = shop.moves(&tea, &small).await.unwrap() else { panic!("it was done before") };
    assert_eq!(shop.moves(&tea, &small).await.unwrap(), Done::Before(first));
    assert_eq!(shop.levels(&tea).await, (0, 0, 0));
    assert_eq!(shop.findings().await, []);
}

#[tokio::test]
async fn a_paid_order_that_is_told_of_twice_and_late_is_sold_once() {
    let shop = Shop::open().await;
    let tea = shop.sells("TEA", 450, 5).await;
    let (one, two) = (shop.orders(&tea, 2).await.unwrap(), shop.orders(&tea, 3).await.unwrap());
    for order in [&two, &one, &two, &one] {
        shop.moves(&tea, &sale(order)).await.unwrap();
    }
    assert_eq!(shop.levels(&tea).await, (0, 0, 0));
    assert_eq!(shop.ledger(&tea).await.len(), 3);
    assert_eq!(shop.findings().await, []);
}

#[tokio::test]
async fn a_cancelled_order_that_is_told_of_twice_gives_back_what_it_held_once() {
    let shop = Shop::open().await;
    let tea = shop.sells("TEA", 450, 5).await;
    let order = shop.orders(&tea, 4).await.unwrap();
    assert_eq!(shop.levels(&tea).await, (5, 4, 1));
    let release = Wanted {
        id: MovementId::released(order.id, &tea.sku),
        change: Change::Release { units: 4 },
        by: Actor::Customer,
        ..sale(&order)
    };
    for _ in 0..2 {
        shop.moves(&tea, &release).await.unwrap();
    }
    assert_eq!(shop.levels(&tea).await, (5, 0, 5));
    assert_eq!(shop.ledger(&tea).await, [(MovementKind::Released, 4), (MovementKind::Received, 5)]);
    assert_eq!(shop.findings().await, []);
}

#[tokio::test]
async fn nothing_is_corrected_away_that_somebody_has_ordered() {
    let shop = Shop::open().await;
    let tea = shop.sells("TEA", 450, 5).await;
    shop.orders(&tea, 3).await.unwrap();
    assert_eq!(refusal(shop.moves(&tea, &correct(-3)).await), Refusal::Ordered { available: 2 });
    assert_eq!(refusal(shop.moves(&tea, &correct(-6)).await), Refusal::NotOnHand { on_hand: 5 });
    shop.moves(&tea, &correct(-2)).await.unwrap();
    assert_eq!(shop.levels(&tea).await, (3, 3, 0));
    let unknown = Offer { sku: "UNKNOWN".parse().unwrap(), ..tea };
    assert!(matches!(shop.moves(&unknown, &receive(1)).await, Err(NotMoved::UnknownSku)));
}

#[tokio::test]
async fn more_is_ordered_than_there_is_where_a_sku_allows_it_and_owed_until_it_comes() {
    let shop = Shop::open().await;
    let tea = shop.sells("TEA", 450, 2).await;
    shop.orders(&tea, 3).await.unwrap_err();
    shop.sold_as(&tea, Selling::Backorder { up_to: 4 }).await.unwrap();
    let order = shop.orders(&tea, 5).await.unwrap();
    assert_eq!(shop.levels(&tea).await, (2, 5, 1));
    shop.orders(&tea, 2).await.unwrap_err();
    shop.moves(&tea, &sale(&order)).await.unwrap();
    assert_eq!(shop.levels(&tea).await, (-3, 0, 1));
    let refused = shop.sold_as(&tea, Selling::Stock).await;
    assert!(matches!(refused, Err(NotMoved::Refused(Refusal::Ordered { available: 1 }))), "{refused:?}");
    shop.moves(&tea, &receive(5)).await.unwrap();
    assert_eq!(shop.levels(&tea).await, (2, 0, 6));
    shop.sold_as(&tea, Selling::Stock).await.unwrap();
    assert_eq!(shop.levels(&tea).await, (2, 0, 2));
    assert_eq!(shop.findings().await, []);
}

#[tokio::test]
async fn a_sku_that_is_not_counted_can_always_be_had_and_counted_again_later() {
    let shop = Shop::open().await;
    let tea = shop.sells("TEA", 450, 2).await;
    shop.sold_as(&tea, Selling::Untracked).await.unwrap();
    let mut orders = Vec::new();
    for _ in 0..3 {
        orders.push(shop.orders(&tea, 900).await.unwrap());
    }
    let refused = shop.sold_as(&tea, Selling::Stock).await;
    assert!(matches!(refused, Err(NotMoved::Refused(Refusal::Ordered { .. }))), "{refused:?}");
    for order in &orders {
        shop.moves(&tea, &sale(order)).await.unwrap();
        shop.moves(&tea, &sale(order)).await.unwrap();
    }
    assert_eq!(shop.levels(&tea).await, (2, 0, WITHOUT_END + 2));
    assert_eq!(shop.findings().await, []);
    shop.sold_as(&tea, Selling::Stock).await.unwrap();
    assert_eq!(shop.levels(&tea).await, (2, 0, 2));
    assert_eq!(shop.findings().await, []);
}

#[tokio::test]
async fn how_a_sku_is_sold_outlives_a_change_of_its_product_and_stays_small() {
    let shop = Shop::open().await;
    let tea = shop.sells("TEA", 450, 2).await;
    let selling = Selling::Preorder { up_to: 1_000_000, ships_from: "2027-03-01".parse().unwrap() };
    let terms = Terms { selling: Some(selling), low_stock_at: Some(Some(7)), buckets: None };
    let sold = shop.table.sell_on(&tea.sku, terms, at(1)).await.unwrap();
    assert_eq!((sold.offer.selling, sold.offer.low_stock_at, sold.offer.available), (selling, Some(7), 1_000_002));
    shop.change_offer(&tea, |offer| offer.weight = 7).await;
    let offer = shop.offer(&tea).await;
    assert_eq!((offer.selling, offer.low_stock_at, offer.weight, offer.available), (selling, Some(7), 7, 1_000_002));
    let terms = Terms { selling: Some(Selling::Stock), low_stock_at: Some(None), buckets: None };
    shop.table.sell_on(&tea.sku, terms, at(1)).await.unwrap();
    assert_eq!(shop.offer(&tea).await, Offer { weight: 7, ..tea.clone() });
    shop.wire.calls();
    shop.table.sell_on(&tea.sku, terms, at(1)).await.unwrap();
    assert_eq!(shop.wire.calls(), ["GetItem", "GetItem"], "nothing is written where nothing changes");
}

#[tokio::test]
async fn an_audit_finds_what_was_changed_behind_the_ledgers_back() {
    let shop = Shop::open().await;
    let (tea, cup) = (shop.sells("TEA", 450, 5).await, shop.sells("CUP", 900, 5).await);
    shop.orders(&cup, 1).await.unwrap();
    let main = LocationId::MAIN;
    shop.set_number("SKU#TEA", "SKU", &format!("on_hand.{main}"), 4).await;
    shop.set_number(&format!("PRODUCT#{}", cup.product_id), "SKU#CUP", "available", 5).await;
    let mut findings = shop.findings().await;
    findings.sort_by(|one, other| other.sku.cmp(&one.sku));
    let found: Vec<_> = findings.iter().map(|finding| (finding.sku.as_str(), finding.differences.as_slice())).collect();
    assert_eq!(
        found,
        [
            (
                "TEA",
                &[
                    Difference::OnHand { location_id: main, on_hand: 4, moved: 5 },
                    Difference::Reserved { reserved: -1, ordered: 0 }
                ][..]
            ),
            ("CUP", &[Difference::Reserved { reserved: 0, ordered: 1 }]),
        ]
    );
    assert_eq!(tea.available, 5);
}

#[tokio::test]
async fn a_sku_of_the_same_name_begins_a_ledger_of_its_own() {
    let shop = Shop::open().await;
    let old = shop.sells("TEA", 450, 5).await;
    shop.moves(&old, &receive(3)).await.unwrap();
    let made = shop.table.product(old.product_id, true).await.unwrap().unwrap();
    shop.table.delete_product(&made).await.unwrap();
    assert!(matches!(shop.moves(&old, &receive(3)).await, Err(NotMoved::UnknownSku)));
    let new = shop.sells("TEA", 450, 2).await;
    assert_eq!(shop.ledger(&new).await, [(MovementKind::Received, 2)]);
    assert_eq!(shop.findings().await, []);
}

#[tokio::test]
async fn orders_and_corrections_at_once_never_oversell_and_the_ledger_explains_every_moment() {
    let shop = std::sync::Arc::new(Shop::open().await);
    let tea = shop.sells("TEA", 450, 40).await;
    let mut work = tokio::task::JoinSet::new();
    for worker in 0..8_u32 {
        let (shop, tea) = (shop.clone(), tea.clone());
        work.spawn(async move {
            let (mut ordered, mut corrected) = (0, 0);
            for round in 0..6 {
                match worker % 4 {
                    0 => {
                        if let Ok(order) = shop.orders(&tea, 2).await {
                            ordered += 2;
                            shop.moves(&tea, &sale(&order)).await.unwrap();
                            shop.moves(&tea, &sale(&order)).await.unwrap();
                        }
                    }
                    1 => ordered += shop.orders(&tea, 3).await.map_or(0, |_| 3),
                    2 => match shop.moves(&tea, &correct(-3)).await {
                        Ok(_) => corrected -= 3,
                        Err(NotMoved::Refused(_)) => {}
                        Err(other) => panic!("{other:?}"),
                    },
                    _ if round % 2 == 0 => {
                        shop.moves(&tea, &receive(1)).await.unwrap();
                        corrected += 1;
                    }
                    _ => assert_eq!(shop.findings().await, []),
                }
            }
            (ordered, corrected)
        });
    }
    let (mut ordered, mut corrected) = (0, 0);
    while let Some(done) = work.join_next().await {
        let (more_ordered, more_corrected) = done.unwrap();
        ordered += more_ordered;
        corrected += more_corrected;
    }
    let SkuStock { stock, offer, .. } = shop.stock(&tea).await;
    assert_eq!(offer.ordered, ordered);
    assert_eq!(stock.available as i64, 40 + corrected - ordered as i64);
    assert!(stock.on_hand.values().all(|units| *units >= 0));
    assert_eq!(shop.findings().await, []);
}

#[tokio::test]
async fn what_changes_what_can_be_ordered_is_announced_and_what_is_sold_is_not() {
    let shop = Shop::open().await;
    let tea = shop.sells("TEA", 450, 5).await;
    let order = shop.orders(&tea, 2).await.unwrap();
    shop.moves(&tea, &sale(&order)).await.unwrap();
    shop.moves(&tea, &receive(1)).await.unwrap();
    shop.sold_as(&tea, Selling::Untracked).await.unwrap();
    shop.change_offer(&tea, |offer| offer.active = false).await;
    shop.change_offer(&tea, |offer| offer.active = true).await;
    let announced = shop.images().await.into_iter().filter_map(|image| match announcement(image).unwrap() {
        Some(Announcement::Stock(message)) => Some(message.id),
        _ => None,
    });
    let id = |version: u32| format!("TEA/{}/{version}", tea.product_id);
    // The first is the making, which template.yaml leaves out; the second was the sale.
    assert_eq!(announced.collect::<Vec<_>>(), [id(1), id(3), id(4), id(5)]);
}

#[tokio::test]
async fn a_shop_has_a_main_place_and_up_to_nineteen_others_of_different_names() {
    let shop = Shop::open().await;
    let table = &shop.table;
    let names =
        async || table.locations().await.unwrap().names.into_values().map(|name| name.to_string()).collect::<Vec<_>>();
    assert_eq!(names().await, ["Main"]);
    let name = |name: &str| name.parse().unwrap();
    table.add_location(depot(), name("Depot")).await.unwrap();
    assert_eq!(reasons(table.add_location(LocationId::new(uuid()), name("Depot")).await), [LocationRefused::NameTaken]);
    assert_eq!(reasons(table.rename_location(LocationId::MAIN, name("Depot")).await), [LocationRefused::NameTaken]);
    table.rename_location(LocationId::MAIN, name("Shop")).await.unwrap();
    table.rename_location(LocationId::MAIN, name("Shop")).await.unwrap();
    assert_eq!(names().await, ["Shop", "Depot"]);
    let unknown = LocationId::new(uuid::Uuid::from_u128(99));
    assert_eq!(reasons(table.rename_location(unknown, name("Nowhere")).await), [LocationRefused::Unknown]);
    let at_once = (2..25).map(|number| {
        let (table, name) = (table.clone(), name(&format!("Shelf {number}")));
        tokio::spawn(async move { table.add_location(LocationId::new(uuid()), name).await.is_ok() })
    });
    let at_once: Vec<_> = at_once.collect();
    for made in at_once {
        made.await.unwrap();
    }
    for number in 0..20 {
        table.add_location(LocationId::new(uuid()), name(&format!("More {number}"))).await.ok();
    }
    assert_eq!(names().await.len(), 20);
    assert_eq!(
        reasons(table.add_location(LocationId::new(uuid()), name("One more")).await),
        [LocationRefused::TooMany]
    );
}
