//! Lists, a page at a time, and the text of their cursors.

use waybill_domain::id::ProductId;
use waybill_domain::order::{Command, FulfilmentStatus, Parcel, PaymentStatus, Status};
use waybill_domain::product::ProductState;
use waybill_storage::Cursor;
use waybill_storage::catalog::Products;
use waybill_storage::order_lists::{Orders, Placed};

use crate::shop::{STAFF, Shop, at, category, customer, listing, offer, pay, product};

const ACTIVE: Products = Products::Of(ProductState::Active);

#[tokio::test]
async fn products_are_listed_newest_first_without_doubles_or_gaps() {
    let shop = Shop::open().await;
    let (tea, cups) = (category("tea"), category("cups"));
    shop.table.create_category(&tea).await.unwrap();
    shop.table.create_category(&cups).await.unwrap();
    let mut summaries = Vec::new();
    for number in 0..8 {
        let category = if number % 4 == 0 { &cups } else { &tea };
        let product = product(category.id, &format!("product-{number}"));
        let made = listing(&product, [offer(&product, &format!("SKU-{number}"), 450, 1)]);
        shop.table.create_product(&made, STAFF).await.unwrap();
        summaries.insert(0, made.product.summary());
    }
    let (mut listed, mut lengths, mut cursor) = (Vec::new(), Vec::new(), None);
    loop {
        let page = shop.table.products(ACTIVE, 3, cursor).await.unwrap();
        lengths.push(page.items.len());
        listed.extend(page.items);
        // As a client brings it back.
        match page.next {
            Some(next) => cursor = Some(Cursor::among_products(&next.to_string()).unwrap()),
            None => break,
        }
    }
    assert_eq!((listed, lengths), (summaries.clone(), vec![3, 3, 2]));

    let page = shop.table.products(Products::In(tea.id), 4, None).await.unwrap();
    let cursor = Cursor::among_products(&page.next.unwrap().to_string());
    let rest = shop.table.products(Products::In(tea.id), 4, cursor).await.unwrap();
    let in_tea: Vec<_> = page.items.into_iter().chain(rest.items).map(|product| product.slug.to_string()).collect();
    assert_eq!(in_tea, [7, 6, 5, 3, 2, 1].map(|number| format!("product-{number}")));
    assert_eq!(rest.next, None);
}

#[tokio::test]
async fn an_empty_list_is_one_empty_page() {
    let shop = Shop::open().await;
    let products = shop.table.products(ACTIVE, 3, None).await.unwrap();
    assert_eq!((products.items, products.next), (vec![], None));
    let orders = shop.table.orders(Orders::With(Status::Paid), Placed::default(), 3, None).await.unwrap();
    assert_eq!((orders.items, orders.next), (vec![], None));
}

#[tokio::test]
async fn a_customers_orders_are_listed_newest_first_without_doubles_or_gaps() {
    let shop = Shop::open().await;
    let tea = shop.sells("TEA", 450, 50).await;
    let (ann, bob) = (customer(), customer());
    let mut placed = Vec::new();
    for number in 0..8 {
        // Two in each second: the id decides between them.
        placed.push(shop.placed_by(ann, &tea, at(number / 2)).await);
        shop.placed_by(bob, &tea, at(number)).await;
    }
    placed.sort_by_key(|order| (order.placed_at, order.id.to_string()));
    placed.reverse();
    let (mut listed, mut lengths, mut cursor) = (Vec::new(), Vec::new(), None);
    loop {
        let page = shop.table.orders(Orders::Of(ann), Placed::default(), 3, cursor).await.unwrap();
        lengths.push(page.items.len());
        listed.extend(page.items.iter().map(|order| order.id));
        match page.next {
            Some(next) => cursor = Some(Cursor::among_orders(&next.to_string()).unwrap()),
            None => break,
        }
    }
    assert_eq!(listed, placed.iter().map(|order| order.id).collect::<Vec<_>>());
    assert_eq!(lengths, [3, 3, 2]);
}

#[tokio::test]
async fn somebody_elses_cursor_opens_only_ones_own_list() {
    let shop = Shop::open().await;
    let tea = shop.sells("TEA", 450, 50).await;
    let (ann, bob) = (customer(), customer());
    for seconds in 0..3 {
        shop.placed_by(ann, &tea, at(seconds)).await;
        shop.placed_by(bob, &tea, at(seconds)).await;
    }
    let cursor = shop.table.orders(Orders::Of(ann), Placed::default(), 1, None).await.unwrap().next;
    let page = shop.table.orders(Orders::Of(bob), Placed::default(), 10, cursor).await.unwrap();
    for summary in page.items {
        assert_eq!(shop.table.order(summary.id).await.unwrap().unwrap().buyer, bob);
    }
}

#[tokio::test]
async fn an_order_moves_between_the_lists_of_its_statuses() {
    let shop = Shop::open().await;
    let tea = shop.sells("TEA", 450, 50).await;
    let order = shop.placed(&tea).await;
    let ship =
        Command::Ship(Parcel { carrier: "UPS".parse().unwrap(), tracking_number: "1Z".parse().unwrap(), units: None });
    let steps = [
        (Status::Paid, pay(&order), FulfilmentStatus::Unfulfilled),
        (Status::Processing, Command::Process, FulfilmentStatus::Processing),
        (Status::Shipped, ship, FulfilmentStatus::Shipped),
        (Status::Delivered, Command::Deliver { shipment: None }, FulfilmentStatus::Delivered),
    ];
    assert_eq!(
        shop.table.orders(Orders::With(Status::Pending), Placed::default(), 10, None).await.unwrap().items.len(),
        1
    );
    for (status, command, fulfilment) in steps {
        shop.command(&order, command).await;
        for other in Status::ALL {
            let listed = shop.table.orders(Orders::With(other), Placed::default(), 10, None).await.unwrap().items;
            assert_eq!(listed.len(), usize::from(other == status), "{other:?} after {status:?}");
            if let Some(summary) = listed.first() {
                assert_eq!((summary.id, summary.total, summary.units), (order.id, order.total, 1));
                assert_eq!((summary.payment_status, summary.fulfilment_status), (PaymentStatus::Paid, fulfilment));
            }
        }
        let own = shop.table.orders(Orders::Of(order.buyer), Placed::default(), 10, None).await.unwrap().items;
        assert_eq!((own.len(), own[0].fulfilment_status), (1, fulfilment));
    }
}

#[tokio::test]
async fn a_cursor_is_text_that_is_safe_in_a_url_and_reads_as_itself() {
    let shop = Shop::open().await;
    let tea = shop.sells("TEA", 450, 50).await;
    shop.sells("CUP", 450, 50).await;
    let ann = customer();
    shop.placed_by(ann, &tea, at(0)).await;
    shop.placed_by(ann, &tea, at(1)).await;
    let safe = |text: &str| text.bytes().all(|c| c.is_ascii_alphanumeric() || matches!(c, b'.' | b'_' | b'-'));
    let products = shop.table.products(ACTIVE, 1, None).await.unwrap().next.unwrap();
    assert!(safe(&products.to_string()), "{products}");
    assert_eq!(Cursor::among_products(&products.to_string()), Some(products.clone()));
    let orders = shop.table.orders(Orders::Of(ann), Placed::default(), 1, None).await.unwrap().next.unwrap();
    assert!(safe(&orders.to_string()), "{orders}");
    assert_eq!(Cursor::among_orders(&orders.to_string()), Some(orders.clone()));
    assert_eq!(Cursor::among_orders(&products.to_string()), None);
    assert_eq!(Cursor::among_products(&orders.to_string()), None);
}

#[test]
fn text_that_no_list_gave_out_is_no_cursor() {
    let product: ProductId = "prd_00000000000000000000000001".parse().unwrap();
    let order = "ord_00000000000000000000000001";
    let lower = product.to_string().to_lowercase();
    for text in
        ["", ".", "..", "prd_", "x", "PRODUCTS", &format!("{product} "), &lower[..29], "ord_00000000000000000000000001"]
    {
        assert_eq!(Cursor::among_products(text), None, "{text:?}");
    }
    let texts =
        ["", ".", "..", "1", order, &format!("{order}.1"), &format!("x.{order}"), &format!("1.{order}.1"), "1.prd_1"];
    for text in texts {
        assert_eq!(Cursor::among_orders(text), None, "{text:?}");
    }
    for at in [i64::MIN, i64::MAX] {
        assert_eq!(Cursor::among_orders(&format!("{at}.{order}")), None);
    }
    assert!(Cursor::among_products(&product.to_string()).is_some());
    assert!(Cursor::among_orders(&format!("1800000000000.{order}")).is_some());
}

#[tokio::test]
async fn the_list_of_all_orders_is_one_list_both_ways_whatever_their_statuses() {
    let shop = Shop::open().await;
    let tea = shop.sells("TEA", 450, 20).await;
    let mut placed = Vec::new();
    for number in 0..9 {
        let order = shop.placed_by(customer(), &tea, at(number)).await;
        // Every third one is paid, every third one cancelled.
        let command = match number % 3 {
            0 => None,
            1 => Some(pay(&order)),
            _ => Some(Command::Cancel { closed: None, reason: None }),
        };
        if let Some(command) = command {
            shop.command(&order, command).await;
        }
        placed.push(order);
    }
    placed.sort_by_key(|order| std::cmp::Reverse((order.placed_at, order.id)));
    let expected: Vec<_> = placed.iter().map(|order| order.id).collect();
    for limit in [1, 2, 4, 9, 10] {
        let (mut forth, mut back, mut cursor) = (Vec::new(), Vec::new(), None);
        let mut last = None;
        loop {
            let page = shop.table.orders(Orders::All, Placed::default(), limit, cursor).await.unwrap();
            assert!(page.items.len() <= limit.into());
            forth.extend(page.items.iter().map(|item| item.id));
            cursor = page.next.clone();
            // A list that ends with a full page ends with an empty one.
            last = if page.items.is_empty() { last } else { Some(page) };
            if cursor.is_none() {
                break;
            }
        }
        assert_eq!(forth, expected, "by {limit}");
        let last = last.unwrap();
        back.extend(last.items.iter().rev().map(|item| item.id));
        let mut cursor = last.previous;
        while let Some(before) = cursor {
            let page = shop.table.orders(Orders::All, Placed::default(), limit, Some(before)).await.unwrap();
            back.extend(page.items.iter().rev().map(|item| item.id));
            cursor = page.previous;
        }
        back.reverse();
        assert_eq!(back, expected, "back by {limit}");
    }
    let middle = placed[4].placed_at;
    let since = Placed { from: Some(middle), before: None };
    let listed = shop.table.orders(Orders::All, since, 10, None).await.unwrap().items;
    assert!(listed.iter().all(|item| item.placed_at >= middle), "{listed:?}");
    let before = Placed { from: None, before: Some(middle) };
    let earlier = shop.table.orders(Orders::All, before, 10, None).await.unwrap().items;
    assert_eq!(listed.len() + earlier.len(), placed.len());
}
