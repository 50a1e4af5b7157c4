//! Promotions, shipping methods and taxes: kept by version, counted, and used as often as they may be.

use waybill_domain::cart::MAX_CODES;
use waybill_domain::id::{AccountId, PromotionId, ShippingMethodId};
use waybill_domain::message::Actor;
use waybill_domain::order::{Command, Order, Refusal};
use waybill_domain::pricing::{MAX_CONSIDERED, MAX_METHODS, MAX_PROMOTIONS, Uses};
use waybill_domain::totals::{
    Effect, Place, Promotion, Scope, ShippingMethod, Stacking, Tariff, Taxes, Trigger, WeightBand,
};
use waybill_storage::carts::CartWishes;
use waybill_storage::orders::Unchanged;
use waybill_storage::placing::NotPlaced;
use waybill_storage::pricing::{SettingRefused, Versioned};

use crate::shop::{Shop, at, cart_id, category, customer, fresh_cart, order, reasons, usd, uuid};

/// Ten per cent off everything, by a code.
pub fn promotion(code: &str, limit: Option<i64>, limit_per_customer: Option<i64>) -> Promotion {
    let uses = |limit: Option<i64>| limit.map(|limit| limit.try_into().unwrap());
    Promotion {
        id: PromotionId::new(uuid()),
        title: "Summer sale".parse().unwrap(),
        trigger: Trigger::Code { code: code.parse().unwrap() },
        effect: Effect::Percentage { off: 1_000.try_into().unwrap() },
        scope: Scope::Everything,
        minimum: None,
        from: None,
        until: None,
        stacking: Stacking::Stacks,
        limit: uses(limit),
        limit_per_customer: uses(limit_per_customer),
    }
}

pub fn method() -> ShippingMethod {
    ShippingMethod {
        id: ShippingMethodId::new(uuid()),
        title: "Parcel".parse().unwrap(),
        places: vec![place("US")],
        tariff: Tariff::Weight { bands: vec![WeightBand { up_to_grams: 1_000, price: usd(490) }] },
    }
}

fn place(country: &str) -> Place {
    Place { country: country.parse().unwrap(), region: None }
}

/// Enters a code into a cart.
pub async fn enter(shop: &Shop, buyer: AccountId, code: &str) {
    let wishes = CartWishes { codes: Some(vec![code.parse().unwrap()]), ..CartWishes::default() };
    shop.table.wish_in_cart(buyer, &wishes, fresh_cart()).await.unwrap();
}

#[tokio::test]
async fn settings_are_kept_changed_by_version_and_taken_away() {
    let shop = Shop::open().await;
    assert_eq!(shop.table.pricing(true).await.unwrap(), Default::default());
    let (before, parcel) = (promotion("SUMMER-10", Some(5), None), method());
    shop.table.add_setting(&before).await.unwrap();
    shop.table.add_setting(&parcel).await.unwrap();
    let after = Promotion { scope: Scope::Skus { skus: vec!["TEA".parse().unwrap()] }, ..before.clone() };
    assert_eq!(shop.table.replace_setting(&after, 1).await.unwrap(), 2);
    assert_eq!(reasons(shop.table.replace_setting(&before, 1).await), [SettingRefused::Changed]);
    let kept = shop.table.setting::<Promotion>(before.id).await.unwrap();
    assert_eq!(kept, Some(Versioned { value: after.clone(), version: 2 }));

    let taxes = Taxes::default();
    assert_eq!(shop.table.taxes().await.unwrap(), Versioned { value: taxes.clone(), version: 0 });
    assert_eq!(shop.table.set_taxes(&taxes, 0).await.unwrap(), 1);
    assert_eq!(reasons(shop.table.set_taxes(&taxes, 7).await), [SettingRefused::Changed]);
    assert_eq!(shop.table.set_taxes(&taxes, 1).await.unwrap(), 2);

    let pricing = shop.table.pricing(true).await.unwrap();
    assert_eq!((pricing.promotions, pricing.methods, pricing.taxes), (vec![after.clone()], vec![parcel], taxes));
    shop.table.remove_setting::<Promotion>(before.id).await.unwrap();
    assert_eq!(reasons(shop.table.remove_setting::<Promotion>(before.id).await), [SettingRefused::Unknown]);
    assert_eq!(reasons(shop.table.replace_setting(&after, 2).await), [SettingRefused::Unknown]);
    assert_eq!(shop.table.setting::<Promotion>(before.id).await.unwrap(), None);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_shop_has_as_many_promotions_and_methods_as_it_may_have_however_many_are_made_at_once() {
    let shop = Shop::open().await;
    let add = |_| {
        let table = shop.table.clone();
        tokio::spawn(async move { table.add_setting(&promotion("CODE", None, None)).await })
    };
    let mut kept = 0;
    for added in (0..MAX_PROMOTIONS + 5).map(add).collect::<Vec<_>>() {
        match added.await.unwrap() {
            Ok(()) => kept += 1,
            refused => assert_eq!(reasons(refused), [SettingRefused::TooMany(MAX_PROMOTIONS)]),
        }
    }
    assert_eq!((kept, shop.table.pricing(true).await.unwrap().promotions.len()), (MAX_PROMOTIONS, MAX_PROMOTIONS));
    for _ in 0..MAX_METHODS {
        shop.table.add_setting(&method()).await.unwrap();
    }
    assert_eq!(reasons(shop.table.add_setting(&method()).await), [SettingRefused::TooMany(MAX_METHODS)]);
    // One that goes makes room for another.
    let gone = shop.table.pricing(true).await.unwrap().methods.remove(0);
    shop.table.remove_setting::<ShippingMethod>(gone.id).await.unwrap();
    shop.table.add_setting(&method()).await.unwrap();
}

#[tokio::test]
async fn what_a_cart_says_beside_its_lines_is_changed_one_by_one() {
    let (shop, ann) = (Shop::open().await, customer());
    let method = ShippingMethodId::new(uuid());
    let wish = async |wishes: CartWishes| shop.table.wish_in_cart(ann, &wishes, fresh_cart()).await.unwrap();
    let nothing = CartWishes::default;
    let begun = wish(CartWishes { destination: Some(Some(place("US"))), ..nothing() }).await;
    assert_eq!((begun.version, begun.destination.clone(), begun.lines.len()), (1, Some(place("US")), 0));
    let codes = vec!["ONE".parse().unwrap(), "TWO".parse().unwrap()];
    wish(CartWishes { codes: Some(codes.clone()), ..nothing() }).await;
    let full = wish(CartWishes { shipping_method_id: Some(Some(method)), ..nothing() }).await;
    assert_eq!((full.version, full.codes.clone(), full.shipping_method_id), (3, codes, Some(method)));
    assert_eq!((full.id, full.destination.clone()), (begun.id, Some(place("US"))));
    let cleared =
        wish(CartWishes { codes: Some(Vec::new()), destination: Some(None), shipping_method_id: Some(None) }).await;
    assert_eq!((cleared.codes.len(), cleared.destination.clone(), cleared.shipping_method_id), (0, None, None));
    assert_eq!(shop.table.cart(ann).await.unwrap(), Some(cleared));
    // Devices that change different things at once lose nothing, nor does a line that is set meanwhile.
    let tea = shop.sells("TEA", 450, 5).await;
    tokio::join!(
        wish(CartWishes { destination: Some(Some(place("DE"))), ..nothing() }),
        wish(CartWishes { codes: Some(vec!["ONE".parse().unwrap()]), ..nothing() }),
        shop.set_line(ann, &tea, 2),
    );
    let cart = shop.table.cart(ann).await.unwrap().unwrap();
    assert_eq!((cart.lines.len(), cart.codes.len(), cart.destination), (1, 1, Some(place("DE"))));
}

#[tokio::test]
async fn a_guests_cart_takes_its_codes_and_its_destination_along() {
    let (shop, ann, guest) = (Shop::open().await, customer(), cart_id());
    enter(&shop, ann, "ONE").await;
    let wishes = CartWishes {
        codes: Some(vec!["TWO".parse().unwrap()]),
        destination: Some(Some(place("DE"))),
        ..CartWishes::default()
    };
    shop.table.wish_in_cart(guest, &wishes, fresh_cart()).await.unwrap();
    for _ in 0..2 {
        let merged = shop.table.merge_carts(guest, ann, at(0)).await.unwrap().unwrap();
        let codes: Vec<_> = merged.codes.iter().map(|code| code.as_str()).collect();
        assert_eq!((codes, merged.destination), (vec!["ONE", "TWO"], Some(place("DE"))));
    }
}

#[tokio::test]
async fn placing_uses_a_code_once_and_the_same_key_again_does_not() {
    let shop = Shop::open().await;
    let (tea, ann) = (shop.sells("TEA", 450, 9).await, customer());
    let code = promotion("TWICE", Some(9), Some(2));
    shop.table.add_setting(&code).await.unwrap();
    let used = async || shop.table.promotion_uses(&[code.id], Some(ann)).await.unwrap().remove(&code.id);
    assert_eq!(used().await, None);
    for time in 1..=2 {
        shop.set_line(ann, &tea, 2).await;
        enter(&shop, ann, "TWICE").await;
        let quote = shop.quote(ann).await;
        assert_eq!(quote.totals.total, usd(810));
        let order = order(&format!("key-{time}"), &quote, at(0));
        shop.table.place_order(&order, &quote, "fingerprint").await.unwrap();
        let again = reasons(shop.table.place_order(&order, &quote, "fingerprint").await);
        assert!(matches!(again[0], NotPlaced::AlreadyPlaced { .. }), "{again:?}");
        assert_eq!(used().await, Some(Uses { in_all: time, by_customer: time }));
    }
    // The third time it brings nothing, and a quote from before that is refused.
    shop.set_line(ann, &tea, 2).await;
    enter(&shop, ann, "TWICE").await;
    let mut quote = shop.quote(ann).await;
    assert_eq!((quote.totals.total, quote.uses.len()), (usd(900), 0));
    quote.uses = vec![waybill_domain::pricing::PromotionUse {
        promotion_id: code.id,
        name: "TWICE".into(),
        limit: code.limit,
        limit_per_customer: code.limit_per_customer,
    }];
    let refused = reasons(shop.table.place_order(&order("key-3", &quote, at(0)), &quote, "fingerprint").await);
    assert!(matches!(&refused[..], [NotPlaced::PromotionUsedUp(name)] if name == "TWICE"), "{refused:?}");
    assert_eq!(used().await, Some(Uses { in_all: 2, by_customer: 2 }));
    assert_eq!(shop.offer(&tea).await.available, 5);
}

#[tokio::test(flavor = "multi_thread")]
async fn of_50_buyers_at_once_with_a_code_for_10_exactly_10_have_it() {
    let shop = Shop::open().await;
    let tea = shop.sells("TEA", 450, 100).await;
    let code = promotion("FIRST-10", Some(10), Some(1));
    shop.table.add_setting(&code).await.unwrap();
    let mut quotes = Vec::new();
    for _ in 0..50 {
        let buyer = customer();
        shop.set_line(buyer, &tea, 1).await;
        enter(&shop, buyer, "FIRST-10").await;
        quotes.push(shop.quote(buyer).await);
    }
    let place = |quote: waybill_domain::cart::Quote| {
        let table = shop.table.clone();
        tokio::spawn(async move {
            let order = order("key", &quote, at(0));
            (table.place_order(&order, &quote, "fingerprint").await, table.order(order.id).await.unwrap())
        })
    };
    let mut placed = 0;
    for buyer in quotes.into_iter().map(place).collect::<Vec<_>>() {
        match buyer.await.unwrap() {
            (Ok(()), Some(_)) => placed += 1,
            (refused, None) => {
                assert!(matches!(&reasons(refused)[..], [NotPlaced::PromotionUsedUp(name)] if name == "FIRST-10"));
            }
            other => panic!("neither placed nor refused: {other:?}"),
        }
    }
    let uses = shop.table.promotion_uses(&[code.id], None).await.unwrap();
    assert_eq!((placed, uses[&code.id].in_all, shop.offer(&tea).await.available), (10, 10, 90));
}

#[tokio::test]
async fn an_order_that_is_cancelled_gives_back_its_uses_once() {
    let shop = Shop::open().await;
    let (tea, ann) = (shop.sells("TEA", 450, 9).await, customer());
    let code = promotion("BACK", Some(9), Some(1));
    shop.table.add_setting(&code).await.unwrap();
    let used = async || shop.table.promotion_uses(&[code.id], Some(ann)).await.unwrap()[&code.id];
    for time in 1..=2 {
        shop.set_line(ann, &tea, 1).await;
        enter(&shop, ann, "BACK").await;
        let quote = shop.quote(ann).await;
        let order = order(&format!("key-{time}"), &quote, at(0));
        shop.table.place_order(&order, &quote, "fingerprint").await.unwrap();
        assert_eq!(used().await, Uses { in_all: 1, by_customer: 1 });
        let command = || Command::Cancel { closed: None, reason: None };
        // Cancelled by two at once, whose replies are lost, it is cancelled once.
        let cancel = async || {
            let decide = |order: &Order| order.decide(command(), Actor::Customer, at(1));
            shop.table.change_order(order.id, None, decide).await
        };
        shop.wire.lose_next_reply();
        let (one, other) = tokio::join!(cancel(), cancel());
        assert!(one.is_ok() || other.is_ok());
        for cancelled in [one, other] {
            assert!(matches!(cancelled, Ok(_) | Err(Unchanged::Refused(Refusal::Done))), "{cancelled:?}");
        }
        assert_eq!(used().await, Uses { in_all: 0, by_customer: 0 });
        assert!(matches!(cancel().await, Err(Unchanged::Refused(_))));
    }
}

#[tokio::test]
async fn a_promotion_that_is_deleted_after_the_quote_is_honoured() {
    let shop = Shop::open().await;
    let (tea, ann) = (shop.sells("TEA", 450, 9).await, customer());
    let code = promotion("GONE", Some(1), None);
    shop.table.add_setting(&code).await.unwrap();
    shop.set_line(ann, &tea, 2).await;
    enter(&shop, ann, "GONE").await;
    let quote = shop.quote(ann).await;
    shop.table.remove_setting::<Promotion>(code.id).await.unwrap();
    let order = order("key", &quote, at(0));
    shop.table.place_order(&order, &quote, "fingerprint").await.unwrap();
    let placed = shop.table.order(order.id).await.unwrap().unwrap();
    assert_eq!((placed.total, placed.uses), (usd(810), quote.uses));
}

#[tokio::test]
async fn the_dearest_order_there_can_be_fits_into_one_transaction_and_one_item() {
    let shop = Shop::open().await;
    let ann = customer();
    for number in 0..MAX_CONSIDERED {
        let by_code = promotion(&format!("CODE-{number}"), Some(9), Some(9));
        let automatic = Promotion { trigger: Trigger::Automatic, ..by_code.clone() };
        shop.table.add_setting(if number < MAX_CODES { &by_code } else { &automatic }).await.unwrap();
    }
    for number in 0..50 {
        let offer = shop.sells(&format!("{}-{number}", "S".repeat(37)), 100_000_000, 1_000).await;
        shop.set_line(ann, &offer, 1_000).await;
    }
    let codes = (0..MAX_CODES).map(|number| format!("CODE-{number}").parse().unwrap()).collect();
    let wishes = CartWishes { codes: Some(codes), ..CartWishes::default() };
    shop.table.wish_in_cart(ann, &wishes, fresh_cart()).await.unwrap();
    let quote = shop.quote(ann).await;
    assert_eq!((quote.uses.len(), quote.lines.len()), (MAX_CONSIDERED, 50));
    let order = order("key", &quote, at(0));
    shop.table.place_order(&order, &quote, "fingerprint").await.unwrap();
    let bytes = serde_json::to_vec(&order).unwrap().len();
    println!("{bytes} bytes");
    // With a full timeline of 200 KB it stays below 400 KB.
    assert!(bytes < 190_000, "{bytes}");
}

#[tokio::test]
async fn a_scope_by_category_counts_those_below_it() {
    let shop = Shop::open().await;
    let (tea, ann) = (shop.sells("TEA", 450, 9).await, customer());
    let above = category("drinks");
    shop.table.create_category(&above).await.unwrap();
    let moved = |category| waybill_domain::category::Category { parent_id: Some(above.id), ..category };
    shop.table.change_category(tea.category_ids[0], 1, moved).await.unwrap();
    let automatic = Promotion { trigger: Trigger::Automatic, ..promotion("NONE", None, None) };
    shop.table
        .add_setting(&Promotion { scope: Scope::Categories { category_ids: vec![above.id] }, ..automatic })
        .await
        .unwrap();
    shop.set_line(ann, &tea, 2).await;
    assert_eq!(shop.quote(ann).await.totals.total, usd(810));
}
