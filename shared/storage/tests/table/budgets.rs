//! How many calls each use of the table makes. A call more is money and time on every request.

use waybill_domain::document::Series;
use waybill_domain::id::NoteId;
use waybill_domain::import::Counts;
use waybill_domain::message::Actor;
use waybill_domain::order::{Command, Order, Status};
use waybill_domain::product::ProductState;
use waybill_domain::totals::Promotion;
use waybill_storage::carts::CartWishes;
use waybill_storage::catalog::Products;
use waybill_storage::notes::{NotNoted, Note};
use waybill_storage::order_lists::{Orders, Placed};
use waybill_storage::sessions::Proof;
use waybill_storage::stock::Terms;
use waybill_storage::tallies::Told;
use waybill_storage::waiting::Wait;

use crate::accounts::ann;
use crate::changing::stripe_event;
use crate::documents::{letterhead, paid};
use crate::drafts;
use crate::imports::{import, parts};
use crate::pricing::promotion;
use crate::sessions::{known, session};
use crate::shop::{
    STAFF, Shop, at, cart_id, category, customer, fresh_cart, line, listing, offer, order, pay, product, session_id,
};
use crate::stock::{receive, sale};
use crate::tallies::counting;

fn decline(order: &Order) -> Result<Order, waybill_domain::order::Refusal> {
    order.decide(Command::DeclinePayment, Actor::Stripe, at(1))
}

#[tokio::test]
async fn placing_an_order_is_one_transaction_and_no_read_placed_or_refused() {
    let shop = Shop::open().await;
    let offers = [shop.sells("TEA", 450, 5).await, shop.sells("CUP", 900, 5).await];
    let ann = customer();
    for offer in &offers {
        shop.set_line(ann, offer, 2).await;
    }
    let quote = shop.quote(ann).await;
    let order = order("key", &quote, at(0));
    shop.wire.calls();
    shop.table.place_order(&order, &quote, "fingerprint").await.unwrap();
    assert_eq!(shop.wire.calls(), ["TransactWriteItems"]);
    shop.table.place_order(&order, &quote, "fingerprint").await.unwrap_err();
    assert_eq!(shop.wire.calls(), ["TransactWriteItems"]);
}

#[tokio::test]
async fn a_draft_is_one_call_to_begin_to_list_to_look_at_and_to_place() {
    let shop = Shop::open().await;
    let (tea, ann) = (shop.sells("TEA", 450, 5).await, ann(&shop).await);
    let draft = drafts::draft(ann.id, 0);
    shop.wire.calls();
    shop.table.begin_draft(&draft, fresh_cart()).await.unwrap();
    shop.table.drafts(20, None).await.unwrap();
    shop.table.draft(draft.id).await.unwrap();
    shop.table.set_cart_line(draft.id, &tea.sku, line(&tea, 1), fresh_cart()).await.unwrap();
    assert_eq!(shop.wire.calls(), ["TransactWriteItems", "Query", "GetItem", "UpdateItem"]);
    let quote = drafts::quote(&shop, &draft).await;
    shop.wire.calls();
    shop.wire.units();
    shop.table.place_order(&drafts::order("key", &quote), &quote, "fingerprint").await.unwrap();
    assert_eq!(shop.wire.calls(), ["TransactWriteItems"]);
    // The offer, the draft and its two places, the account, the order of 2 KB and its two.
    let units = shop.wire.units();
    assert!(shop.is_elsewhere() || units == 2.0 + (2.0 + 2.0) + 2.0 + (4.0 + 2.0), "{units}");
}

#[tokio::test]
async fn a_note_is_one_call_to_write_to_list_and_to_delete() {
    let shop = Shop::open().await;
    let tea = shop.sells("TEA", 450, 5).await;
    let placed = shop.placed(&tea).await;
    let order = placed.id.number();
    let by = customer();
    let id = NoteId::for_request(placed.id, by, &"key".parse().unwrap());
    let note = Note { id, text: "Called".parse().unwrap(), by: Some(by), at: at(1) };
    shop.wire.calls();
    shop.table.write_note(order, &note).await.unwrap();
    assert_eq!(shop.table.notes(order, 20, None).await.unwrap().items, std::slice::from_ref(&note));
    let refused = shop.table.write_note(order, &note).await.unwrap_err().first().unwrap();
    assert_eq!(refused, NotNoted::Written(Box::new(note)));
    shop.table.delete_note(order, id).await.unwrap();
    assert_eq!(shop.wire.calls(), ["TransactWriteItems", "Query", "TransactWriteItems", "DeleteItem"]);
}

#[tokio::test]
async fn a_document_is_a_query_two_reads_and_a_transaction_and_none_only_the_query_and_a_read() {
    let shop = Shop::open().await;
    let order = paid(&shop).await;
    shop.wire.calls();
    assert_eq!(shop.table.issue_documents(order.id, &letterhead(), at(2)).await.unwrap().len(), 1);
    assert_eq!(shop.wire.calls(), ["Query", "GetItem", "GetItem", "TransactWriteItems"]);
    assert_eq!(shop.table.issue_documents(order.id, &letterhead(), at(3)).await.unwrap(), []);
    assert_eq!(shop.wire.calls(), ["Query", "GetItem"]);
    shop.table.documents(order.id.number()).await.unwrap();
    shop.table.documents_in(Series::Invoice, 20, None).await.unwrap();
    assert_eq!(shop.wire.calls(), ["Query"; 2]);
}

#[tokio::test]
async fn changing_an_order_is_a_read_and_a_write() {
    let shop = Shop::open().await;
    let tea = shop.sells("TEA", 450, 5).await;
    let placed = shop.placed(&tea).await;
    shop.wire.calls();
    shop.command(&placed, pay(&placed)).await;
    assert_eq!(shop.wire.calls(), ["GetItem", "UpdateItem"]);
}

#[tokio::test]
async fn a_stripe_event_is_a_read_and_a_transaction_and_a_refused_one_only_the_read() {
    let shop = Shop::open().await;
    let tea = shop.sells("TEA", 450, 5).await;
    let placed = shop.placed(&tea).await;
    shop.wire.calls();
    shop.table.change_order(placed.id, Some(&stripe_event("evt_1")), decline).await.unwrap();
    assert_eq!(shop.wire.calls(), ["GetItem", "TransactWriteItems"]);
    shop.table.change_order(placed.id, Some(&stripe_event("evt_1")), decline).await.unwrap_err();
    assert_eq!(shop.wire.calls(), ["GetItem", "TransactWriteItems"]);
    shop.command(&placed, pay(&placed)).await;
    shop.wire.calls();
    shop.table.change_order(placed.id, Some(&stripe_event("evt_2")), decline).await.unwrap_err();
    assert_eq!(shop.wire.calls(), ["GetItem"]);
}

#[tokio::test]
async fn a_page_of_any_list_is_one_query() {
    let shop = Shop::open().await;
    let tea = shop.sells("TEA", 450, 5).await;
    let order = shop.placed(&tea).await;
    let category = tea.category_ids[0];
    shop.wire.calls();
    shop.table.products(Products::Of(ProductState::Active), 20, None).await.unwrap();
    shop.table.products(Products::In(category), 20, None).await.unwrap();
    shop.table.product(tea.product_id, false).await.unwrap();
    shop.table.categories(false).await.unwrap();
    shop.table.orders(Orders::Of(order.buyer), Placed::default(), 20, None).await.unwrap();
    shop.table.orders(Orders::With(Status::Pending), Placed::default(), 20, None).await.unwrap();
    shop.table.connections_of(order.buyer).await.unwrap();
    let (unpaid, next) = shop.table.unpaid_orders(at(1_000_000), 20, None).await.unwrap();
    assert_eq!((unpaid, next.is_none()), (vec![order.id], true));
    assert_eq!(shop.wire.calls(), ["Query"; 8]);
}

#[tokio::test]
async fn a_cart_is_one_read_and_a_line_one_write_but_for_the_first() {
    let shop = Shop::open().await;
    let (tea, cup) = (shop.sells("TEA", 450, 5).await, shop.sells("CUP", 900, 5).await);
    let ann = customer();
    shop.wire.calls();
    shop.set_line(ann, &tea, 1).await;
    assert_eq!(shop.wire.calls(), ["UpdateItem", "UpdateItem"]);
    shop.set_line(ann, &cup, 1).await;
    assert_eq!(shop.wire.calls(), ["UpdateItem"]);
    shop.table.cart(ann).await.unwrap();
    assert_eq!(shop.wire.calls(), ["GetItem"]);
    shop.table.remove_cart_line(ann, &cup.sku).await.unwrap();
    assert_eq!(shop.wire.calls(), ["UpdateItem"]);
    shop.table.offers(&[&tea, &cup].map(|offer| (offer.sku.clone(), offer.product_id))).await.unwrap();
    assert_eq!(shop.wire.calls(), ["BatchGetItem"]);
    shop.table.clear_cart(ann).await.unwrap();
    assert_eq!(shop.wire.calls(), ["DeleteItem"]);
}

#[tokio::test]
async fn settings_are_one_query_a_change_of_one_is_one_write_and_uses_are_one_read() {
    let shop = Shop::open().await;
    let promotion = promotion("SUMMER-10", Some(3), Some(1));
    shop.wire.calls();
    shop.table.add_setting(&promotion).await.unwrap();
    assert_eq!(shop.wire.calls(), ["TransactWriteItems"]);
    shop.table.setting::<Promotion>(promotion.id).await.unwrap();
    assert_eq!(shop.wire.calls(), ["GetItem"]);
    shop.table.replace_setting(&promotion, 1).await.unwrap();
    assert_eq!(shop.wire.calls(), ["PutItem"]);
    shop.table.pricing(false).await.unwrap();
    assert_eq!(shop.wire.calls(), ["Query"]);
    shop.table.promotion_uses(&[promotion.id], Some(customer())).await.unwrap();
    assert_eq!(shop.wire.calls(), ["BatchGetItem"]);
    shop.table.promotion_uses(&[], Some(customer())).await.unwrap();
    assert_eq!(shop.wire.calls(), [""; 0]);
    shop.table.remove_setting::<Promotion>(promotion.id).await.unwrap();
    assert_eq!(shop.wire.calls(), ["TransactWriteItems"]);
    shop.table.set_taxes(&shop.table.taxes().await.unwrap().value, 0).await.unwrap();
    assert_eq!(shop.wire.calls(), ["GetItem", "PutItem"]);
}

#[tokio::test]
async fn a_cart_with_wishes_is_one_write_but_for_the_first_and_an_order_with_a_code_is_one_transaction() {
    let shop = Shop::open().await;
    let tea = shop.sells("TEA", 450, 5).await;
    shop.table.add_setting(&promotion("SUMMER-10", Some(3), Some(1))).await.unwrap();
    let ann = customer();
    let wishes = CartWishes { codes: Some(vec!["SUMMER-10".parse().unwrap()]), ..CartWishes::default() };
    shop.wire.calls();
    shop.table.wish_in_cart(ann, &wishes, fresh_cart()).await.unwrap();
    assert_eq!(shop.wire.calls(), ["UpdateItem", "UpdateItem"]);
    shop.table.wish_in_cart(ann, &wishes, fresh_cart()).await.unwrap();
    assert_eq!(shop.wire.calls(), ["UpdateItem"]);
    shop.set_line(ann, &tea, 2).await;
    let quote = shop.quote(ann).await;
    assert_eq!(quote.uses.len(), 1);
    let order = order("key", &quote, at(0));
    shop.wire.calls();
    shop.table.place_order(&order, &quote, "fingerprint").await.unwrap();
    assert_eq!(shop.wire.calls(), ["TransactWriteItems"]);
}

#[tokio::test]
async fn a_product_is_made_and_changed_and_deleted_in_one_transaction() {
    let shop = Shop::open().await;
    let category = category("tea");
    shop.table.create_category(&category).await.unwrap();
    let product = product(category.id, "earl-grey");
    let offers = ["A", "B"].map(|sku| offer(&product, sku, 1, 1));
    shop.wire.calls();
    let before = listing(&product, offers);
    shop.table.create_product(&before, STAFF).await.unwrap();
    assert_eq!(shop.wire.calls(), ["TransactWriteItems"]);
    shop.table.product_by_slug(&product.slug).await.unwrap();
    assert_eq!(shop.wire.calls(), ["GetItem"]);
    let mut after = before.clone();
    (after.product.version, after.offers[0].active) = (2, false);
    shop.table.save_product(&before, &after, STAFF).await.unwrap();
    assert_eq!(shop.wire.calls(), ["TransactWriteItems"]);
    shop.table.delete_product(&after).await.unwrap();
    assert_eq!(shop.wire.calls(), ["TransactWriteItems"]);
}

#[tokio::test]
async fn stock_is_two_reads_and_moves_in_one_transaction() {
    let shop = Shop::open().await;
    let tea = shop.sells("TEA", 450, 5).await;
    let order = shop.placed(&tea).await;
    shop.wire.calls();
    shop.table.stock(&tea.sku).await.unwrap();
    assert_eq!(shop.wire.calls(), ["GetItem", "GetItem"]);
    let moved = ["GetItem", "GetItem", "TransactWriteItems"];
    shop.table.move_stock(&tea.sku, &receive(3)).await.unwrap();
    assert_eq!(shop.wire.calls(), moved);
    for _ in 0..2 {
        shop.table.move_stock(&tea.sku, &sale(&order)).await.unwrap();
        assert_eq!(shop.wire.calls(), moved, "told again, it costs no more");
    }
    shop.table.movements(tea.product_id, &tea.sku, 20, None).await.unwrap();
    assert_eq!(shop.wire.calls(), ["Query"]);
    shop.table.warn_if_low(tea.product_id, &tea.sku, at(1)).await.unwrap();
    assert_eq!(shop.wire.calls(), ["GetItem"]);
    let terms = Terms { selling: None, low_stock_at: Some(Some(100)), buckets: None };
    shop.table.sell_on(&tea.sku, terms, at(1)).await.unwrap();
    assert_eq!(shop.wire.calls(), ["GetItem", "GetItem", "TransactWriteItems", "GetItem", "GetItem"]);
    shop.table.warn_if_low(tea.product_id, &tea.sku, at(1)).await.unwrap();
    assert_eq!(shop.wire.calls(), ["GetItem", "GetItem", "TransactWriteItems"]);
    shop.table.warn_if_low(tea.product_id, &tea.sku, at(1)).await.unwrap();
    assert_eq!(shop.wire.calls(), ["GetItem", "GetItem"]);
    shop.table.tell_waiting(tea.product_id, &tea.sku, at(1)).await.unwrap();
    assert_eq!(shop.wire.calls(), ["GetItem", "Query"]);
    shop.findings().await;
    assert_eq!(shop.wire.calls(), ["Query", "Query", "TransactGetItems", "Query"], "the list, the product, the SKU");
}

#[tokio::test]
async fn waiting_is_one_transaction_and_who_is_told_costs_a_read_and_a_write() {
    let shop = Shop::open().await;
    let (tea, ann) = (shop.sells("TEA", 450, 0).await, ann(&shop).await);
    let wait = Wait { sku: tea.sku.clone(), product_id: tea.product_id, since: at(0) };
    shop.wire.calls();
    shop.table.wait_for(ann.id, &wait).await.unwrap();
    assert_eq!(shop.wire.calls(), ["TransactWriteItems"]);
    shop.table.waits_of(ann.id, 20, None).await.unwrap();
    assert_eq!(shop.wire.calls(), ["Query"]);
    shop.table.move_stock(&tea.sku, &receive(3)).await.unwrap();
    shop.wire.calls();
    shop.table.tell_waiting(tea.product_id, &tea.sku, at(1)).await.unwrap();
    assert_eq!(shop.wire.calls(), ["GetItem", "Query", "GetItem", "UpdateItem"]);
    shop.table.wait_no_longer(ann.id, tea.product_id, &tea.sku).await.unwrap();
    assert_eq!(shop.wire.calls(), ["DeleteItem"]);
}

#[tokio::test]
async fn logging_in_is_a_read_and_a_write_a_refresh_one_write_and_every_request_one_read() {
    let shop = Shop::open().await;
    let (ann, id) = (ann(&shop).await, session_id());
    shop.wire.calls();
    shop.table.credentials(&ann.email).await.unwrap();
    shop.table.open_session(&known(&ann), id, &session(0), &Proof::Password).await.unwrap();
    assert_eq!(shop.wire.calls(), ["GetItem", "UpdateItem"]);
    shop.table.rotate_session(ann.id, id, "first", "second", at(200).as_second(), at(1)).await.unwrap();
    assert_eq!(shop.wire.calls(), ["UpdateItem"]);
    shop.table.holder(ann.id).await.unwrap();
    assert_eq!(shop.wire.calls(), ["GetItem"]);
    shop.table.count("log-in-email", "ann", 600, 1, 20).await.unwrap();
    assert_eq!(shop.wire.calls(), ["UpdateItem"]);
}

#[tokio::test]
async fn a_mail_costs_two_writes() {
    let shop = Shop::open().await;
    shop.table.claim_mail("ord_1/1", at(0)).await.unwrap();
    shop.table.mail_sent("ord_1/1", "ses-1", at(1)).await.unwrap();
    assert_eq!(shop.wire.calls(), ["UpdateItem", "UpdateItem"]);
}

#[tokio::test]
async fn an_import_is_a_write_for_each_part_and_one_more_and_a_part_three_reads_and_a_write() {
    let shop = Shop::open().await;
    let import = import(2);
    shop.table.start_import(&import, parts(2)).await.unwrap();
    assert_eq!(shop.wire.calls(), ["PutItem", "PutItem", "TransactWriteItems"]);
    let import = shop.table.import(import.id).await.unwrap().unwrap();
    shop.table.import_part(&import, 1).await.unwrap();
    shop.table.end_import_part(&import, 1, Counts::default(), &[], at(1)).await.unwrap();
    assert_eq!(shop.wire.calls(), ["GetItem", "GetItem", "GetItem", "TransactWriteItems"]);
    shop.table.import_progress(import.id).await.unwrap();
    assert_eq!(shop.wire.calls(), ["GetItem", "GetItem"]);
    shop.table.imports(20, None).await.unwrap();
    shop.table.import_failures(import.id, 20, None).await.unwrap();
    assert_eq!(shop.wire.calls(), ["Query", "Query"]);
}

#[tokio::test]
async fn a_page_of_an_export_is_a_query_a_read_of_all_its_products_and_one_for_each_hundred_offers() {
    let shop = Shop::open().await;
    let tea = shop.sells("TEA", 450, 5).await;
    let mut ids = vec![tea.product_id];
    for number in 0..4 {
        let product = product(tea.category_ids[0], &format!("cups-{number}"));
        let offers = (10..40).map(|place| offer(&product, &format!("CUP-{number}-{place}"), 100, 1));
        shop.table.create_product(&listing(&product, offers), STAFF).await.unwrap();
        ids.push(product.id);
    }
    shop.wire.calls();
    shop.table.products(Products::Of(ProductState::Active), 100, None).await.unwrap();
    assert_eq!(shop.table.listings(&ids).await.unwrap().len(), 5);
    assert_eq!(shop.wire.calls(), ["Query", "BatchGetItem", "BatchGetItem", "BatchGetItem"]);
    shop.table.product_of(&"cups-1".parse().unwrap()).await.unwrap();
    shop.table.product_of(&"nothing".parse().unwrap()).await.unwrap();
    assert_eq!(shop.wire.calls(), ["GetItem", "Query", "GetItem"]);
}

/// Write units as DynamoDB bills them: a transaction's writes count twice, each begun KB of an item and each index entry by
/// itself. An order has its lines and what they come to, so it is 2 KB with one line and 4 KB with ten.
#[tokio::test]
async fn each_operation_takes_the_units_of_its_budget() {
    let shop = Shop::open().await;
    let mut offers = Vec::new();
    for number in 0..20 {
        offers.push(shop.sells(&format!("SKU-{number:02}"), 450, 50).await);
    }
    let ann = customer();
    shop.set_line(ann, &offers[0], 1).await;
    let units = || shop.wire.units();
    units();
    if shop.is_elsewhere() {
        return println!("not asked: other engines count the units of transactions otherwise, or not at all");
    }
    assert_eq!(shop.table.products(Products::Of(ProductState::Active), 20, None).await.unwrap().items.len(), 20);
    assert_eq!(units(), 0.5, "a list of 20 products");
    shop.table.product(offers[0].product_id, false).await.unwrap();
    assert_eq!(units(), 0.5, "a product");
    shop.set_line(ann, &offers[0], 2).await;
    assert_eq!(units(), 1.0, "a line of a cart");
    shop.table.cart(ann).await.unwrap();
    assert_eq!(units(), 1.0, "a cart");
    for (lines, order_kb) in [(1, 2.0), (2, 2.0), (10, 4.0)] {
        let buyer = customer();
        for offer in &offers[..lines] {
            shop.set_line(buyer, offer, 1).await;
        }
        let quote = shop.quote(buyer).await;
        let order = order("key", &quote, at(0));
        units();
        shop.table.place_order(&order, &quote, "fingerprint").await.unwrap();
        let (of_offers, of_cart, of_order, of_indexes) = (2.0 * lines as f64, 2.0, 2.0 * order_kb, 2.0);
        assert_eq!(units(), of_offers + of_cart + of_order + of_indexes, "placing {lines} lines");
        shop.table.orders(Orders::Of(buyer), Placed::default(), 20, None).await.unwrap();
        assert_eq!(units(), 0.5, "one's own orders");
        shop.table.orders(Orders::All, Placed::default(), 20, None).await.unwrap();
        assert_eq!(units(), 0.5 * Status::ALL.len() as f64, "everybody's orders");
        shop.command(&order, pay(&order)).await;
        // It leaves its place in the list by status for another, and its line in the buyer's list is another.
        let (of_reading, of_writing, of_indexes) = (1.0, order_kb, 3.0);
        assert_eq!(units(), of_reading + of_writing + of_indexes, "a change of an order of {lines} lines");
    }
}

#[tokio::test]
async fn counting_orders_is_two_reads_and_a_transaction_and_looking_at_the_counts_one_small_read() {
    let shop = Shop::open().await;
    let tea = shop.sells("TEA", 450, 5).await;
    let [one, other] = [shop.placed(&tea).await, shop.placed(&tea).await];
    let told = [&one, &other].map(Told::from);
    shop.table.tally([Told::cart(cart_id(), at(0))], &counting(), at(0)).await.unwrap();
    // Other engines count otherwise, and none of them is the one that is paid for.
    let units = |expected: f64| {
        let units = shop.wire.units();
        assert!(shop.is_elsewhere() || units == expected, "{units}, not {expected}");
    };
    shop.wire.calls();
    shop.wire.units();
    shop.table.tally(told.clone(), &counting(), at(0)).await.unwrap();
    assert_eq!(shop.wire.calls(), ["GetItem", "BatchGetItem", "PutItem", "PutItem", "TransactWriteItems"]);
    // To look at the generations and at each, for its one SKU, for each, their day and the counts.
    units(1.0 + 1.0 + 2.0 + 2.0 * 4.0);
    shop.table.tally(told, &counting(), at(0)).await.unwrap();
    assert_eq!(shop.wire.calls(), ["GetItem", "BatchGetItem"], "told again, nothing is written");
    let process = |order: &Order| order.decide(pay(order), Actor::Stripe, at(1));
    let paid = shop.table.change_order(one.id, None, process).await.unwrap();
    shop.wire.calls();
    shop.wire.units();
    shop.table.tally([Told::from(&paid)], &counting(), at(0)).await.unwrap();
    assert_eq!(shop.wire.calls(), ["GetItem", "BatchGetItem", "BatchGetItem", "TransactWriteItems"]);
    // With what is sold, whose category is looked up; and its SKU.
    units(1.0 + 0.5 + 0.5 + 2.0 * 4.0);
    let processed = shop.command(&paid, Command::Process).await;
    shop.wire.units();
    shop.table.tally([Told::from(&processed)], &counting(), at(0)).await.unwrap();
    units(1.0 + 0.5 + 2.0 * 2.0);
    shop.wire.calls();
    shop.table.orders(Orders::Selling(tea.sku.clone()), Placed::default(), 20, None).await.unwrap();
    assert_eq!(shop.wire.calls(), ["Query", "BatchGetItem"]);
    shop.wire.units();
    shop.table.order_counts().await.unwrap();
    assert_eq!(shop.wire.calls(), ["GetItem"]);
    units(0.5);
}
