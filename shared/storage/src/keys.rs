//! Every key of the table and of its two indexes. infra/decisions/table.md lists them beside the access patterns.

use std::collections::HashMap;

use aws_sdk_dynamodb::types::AttributeValue;
use waybill_domain::document::Series;
use waybill_domain::id::{
    AccountId, CategoryId, DeliveryId, DraftId, EndpointId, ExportId, ImportId, LetterId, MovementId, NoteId, OrderId,
    OrderNumber, ProductId, PromotionId, ShippingMethodId,
};
use waybill_domain::money::Currency;
use waybill_domain::order::Status;
use waybill_domain::product::ProductState;
use waybill_domain::text::{Email, Sku, Slug};
use waybill_domain::update::Feed;
use waybill_domain::webhook::DeliveryStatus;
use waybill_domain::{Date, Timestamp};

use crate::carts::CartOwner;
use crate::connections::Topic;

/// An item as DynamoDB has it.
pub type Item = HashMap<String, AttributeValue>;

/// The primary key of an item.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Key {
    pub pk: String,
    pub sk: String,
}

/// Where an item stands in an index.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    pub index: Index,
    pub pk: String,
    pub sk: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Index {
    Gsi1,
    Gsi2,
}

/// The attribute that DynamoDB deletes items by, in seconds since 1970.
pub const EXPIRES_AT: &str = "expires_at";
/// What the indexes carry beside the keys: the line that a list shows.
pub const SUMMARY: &str = "summary";

impl Key {
    pub fn item(&self) -> Item {
        HashMap::from([
            ("pk".to_owned(), AttributeValue::S(self.pk.clone())),
            ("sk".to_owned(), AttributeValue::S(self.sk.clone())),
        ])
    }
}

/// The key of an item that was read.
pub fn of(item: &Item) -> Option<Key> {
    let text = |name| item.get(name).and_then(|value: &AttributeValue| value.as_s().ok()).cloned();
    Some(Key { pk: text("pk")?, sk: text("sk")? })
}

impl Index {
    pub fn name(self) -> &'static str {
        match self {
            Index::Gsi1 => "gsi1",
            Index::Gsi2 => "gsi2",
        }
    }
}

impl Place {
    pub fn item(&self) -> Item {
        let name = self.index.name();
        HashMap::from([
            (format!("{name}pk"), AttributeValue::S(self.pk.clone())),
            (format!("{name}sk"), AttributeValue::S(self.sk.clone())),
        ])
    }
}

/// The sort key of every account; template.yaml's stream filter names it too.
pub const ACCOUNT: &str = "ACCOUNT";

pub fn account(id: AccountId) -> Key {
    Key { pk: format!("ACCOUNT#{id}"), sk: ACCOUNT.into() }
}

pub const ACCOUNTS: &str = "ACCOUNTS";

/// All accounts, by when they were made.
pub fn accounts(created_at: Timestamp, id: AccountId) -> Place {
    Place { index: Index::Gsi1, pk: ACCOUNTS.into(), sk: by_time(created_at, id) }
}

/// Makes an address unique and holds what log-in needs, so that it is one read.
pub fn credentials(email: &Email) -> Key {
    Key { pk: format!("EMAIL#{email}"), sk: "EMAIL".into() }
}

/// Who administrates: an attribute for each, and their number.
pub fn administrators() -> Key {
    Key { pk: "ADMINISTRATORS".into(), sk: "ADMINISTRATORS".into() }
}

pub fn address_book(account: AccountId) -> Key {
    Key { pk: format!("ACCOUNT#{account}"), sk: "ADDRESSES".into() }
}

/// The sort key of what is left of an account; template.yaml's stream filter names it too.
pub const LEFT: &str = "LEFT";

pub fn left(account: AccountId) -> Key {
    Key { pk: format!("LEFT#{account}"), sk: LEFT.into() }
}

/// What every sort key of a letter begins with; template.yaml's stream filter names it too.
pub const LETTER: &str = "LETTER#";

/// Letters to one address, which the key does not tell.
pub fn letters_to(mailbox: &str) -> String {
    format!("LETTERS#{mailbox}")
}

pub fn letter(mailbox: &str, id: LetterId) -> Key {
    Key { pk: letters_to(mailbox), sk: format!("{LETTER}{id}") }
}

/// How often a subject has used a limit in the window that ends at `until`.
pub fn limit(name: &str, subject: &str, until: i64) -> Key {
    Key { pk: format!("LIMIT#{name}#{subject}"), sk: format!("LIMIT#{until}") }
}

/// The sort key of every cart; template.yaml's stream filter names it too.
pub const CART: &str = "CART";

pub fn cart(owner: CartOwner) -> Key {
    let pk = match owner {
        CartOwner::Account(account) => format!("ACCOUNT#{account}"),
        CartOwner::Guest(cart) => format!("CART#{cart}"),
        CartOwner::Draft(draft) => format!("DRAFT#{draft}"),
    };
    Key { pk, sk: CART.into() }
}

pub const DRAFTS: &str = "DRAFTS";

pub fn drafts(created_at: Timestamp, id: DraftId) -> Place {
    Place { index: Index::Gsi2, pk: DRAFTS.into(), sk: by_time(created_at, id) }
}

/// The drafts for an account.
pub fn drafts_for(account: AccountId) -> String {
    format!("ACCOUNT#{account}#DRAFTS")
}

pub fn drafted_for(account: AccountId, created_at: Timestamp, id: DraftId) -> Place {
    Place { index: Index::Gsi1, pk: drafts_for(account), sk: by_time(created_at, id) }
}

/// A ticket is stored by its hash; whoever reads the table cannot use it.
pub fn ticket(account: AccountId, hash: &str) -> Key {
    Key { pk: format!("ACCOUNT#{account}"), sk: format!("TICKET#{hash}") }
}

pub fn connection(id: &str) -> Key {
    Key { pk: format!("CONNECTION#{id}"), sk: "CONNECTION".into() }
}

/// Connections that follow the same.
pub fn listeners(topic: Topic) -> String {
    match topic {
        Topic::Of(account) => format!("LISTENERS#{account}"),
        Topic::Order(order) => format!("LISTENERS#{order}"),
        Topic::All => "LISTENERS#ALL".into(),
    }
}

pub fn listener(topic: Topic, connection: &str) -> Key {
    Key { pk: listeners(topic), sk: connection.to_owned() }
}

/// The updates of a feed.
pub fn feed(feed: Feed) -> String {
    match feed {
        Feed::Of(account) => format!("FEED#{account}"),
        Feed::All(part) => format!("FEED#ALL#{part}"),
    }
}

/// That a feed is kept. No number comes behind it.
pub fn feed_mark(feed: Feed) -> Key {
    Key { pk: self::feed(feed), sk: "KEPT".into() }
}

/// Updates that were appended together, by the number of the first.
pub fn feed_entry(feed: Feed, first: u64) -> Key {
    Key { pk: self::feed(feed), sk: by_place(first) }
}

/// Fixed width, so that text sorts as numbers do.
pub fn by_place(number: u64) -> String {
    format!("{number:016}")
}

pub const CATEGORIES: &str = "CATEGORIES";

/// Categories share a partition: the whole tree is one query.
pub fn category(id: CategoryId) -> Key {
    Key { pk: CATEGORIES.into(), sk: format!("CATEGORY#{id}") }
}

/// Counts the changes of the tree, so that two at once cannot make a ring of it.
pub fn category_tree() -> Key {
    Key { pk: CATEGORIES.into(), sk: "TREE".into() }
}

/// Makes a category's slug unique.
pub fn category_slug(slug: &Slug) -> Key {
    Key { pk: format!("CATEGORY_SLUG#{slug}"), sk: "CATEGORY_SLUG".into() }
}

/// A product and its offers share a partition: the product page is one query.
pub fn product(id: ProductId) -> Key {
    Key { pk: format!("PRODUCT#{id}"), sk: "PRODUCT".into() }
}

pub fn offer(product: ProductId, sku: &Sku) -> Key {
    Key { pk: format!("PRODUCT#{product}"), sk: format!("SKU#{sku}") }
}

/// Buckets of one SKU that share a partition: one takes 1,000 write units a second, and an order costs a bucket two.
pub const BUCKETS_TOGETHER: u16 = 64;

/// A part of the buckets that the stock of a SKU is spread over; the first is 0.
pub fn buckets(product: ProductId, sku: &Sku, part: u16) -> String {
    format!("BUCKETS#{product}#{sku}#{part}")
}

pub fn bucket(product: ProductId, sku: &Sku, number: u16) -> Key {
    Key { pk: buckets(product, sku, number / BUCKETS_TOGETHER), sk: format!("BUCKET#{number:03}") }
}

/// The sort key of every SKU; template.yaml's stream filters name it too.
pub const SKU: &str = "SKU";

/// Makes a SKU unique, says whose it is and what of it is on hand.
pub fn sku(sku: &Sku) -> Key {
    Key { pk: format!("SKU#{sku}"), sk: SKU.into() }
}

/// Whose SKU an item is, by its key.
pub fn sku_of(pk: &str) -> Option<Sku> {
    pk.strip_prefix("SKU#")?.parse().ok()
}

/// The ledger of a SKU, and those who watch it. A SKU of the same name in another product has its own.
pub fn stock_of(product: ProductId, sku: &Sku) -> String {
    format!("STOCK#{product}#{sku}")
}

/// What the sort key of every movement begins with.
pub const MOVEMENT: &str = "MOVEMENT#";

pub fn movement(product: ProductId, sku: &Sku, id: MovementId) -> Key {
    Key { pk: stock_of(product, sku), sk: format!("{MOVEMENT}{id}") }
}

/// The ledger in the order in which it was written.
pub fn ledger(product: ProductId, sku: &Sku, number: u64, id: MovementId) -> Place {
    Place { index: Index::Gsi1, pk: stock_of(product, sku), sk: by_number(number, id) }
}

pub fn by_number(number: u64, id: MovementId) -> String {
    format!("{number:012}#{id}")
}

/// The ledgers of all SKUs.
pub const MOVEMENTS: &str = "MOVEMENTS";

/// All movements, by when they were made.
pub fn movements(at: Timestamp, product: ProductId, sku: &Sku, id: MovementId) -> Place {
    Place { index: Index::Gsi2, pk: MOVEMENTS.into(), sk: by_time(at, in_ledgers(product, sku, id)) }
}

pub fn in_ledgers(product: ProductId, sku: &Sku, id: MovementId) -> String {
    format!("{product}#{id}#{sku}")
}

/// The number of a movement that was read whole: the version of its SKU that it made.
pub fn number_of(movement: &Item) -> Option<u64> {
    let place = movement.get("gsi1sk")?.as_s().ok()?;
    place.split_once('#')?.0.parse().ok()
}

/// What the sort keys of all that waits for a change of a SKU's stock begin with.
pub const WATCH: &str = "WATCH#";
/// The sort key of the note that little is left; template.yaml's stream filter names it too.
pub const LOW: &str = "WATCH#LOW";
/// What the sort key of everybody who waits begins with; template.yaml's stream filter names it too.
pub const WAITING: &str = "WATCH#ACCOUNT#";

/// That staff were told that little is left.
pub fn low(product: ProductId, sku: &Sku) -> Key {
    Key { pk: stock_of(product, sku), sk: LOW.into() }
}

/// All SKUs of which staff were told so, by when.
pub const LOW_STOCK: &str = "LOW_STOCK";

pub fn low_since(at: Timestamp, product: ProductId, sku: &Sku) -> Place {
    Place { index: Index::Gsi1, pk: LOW_STOCK.into(), sk: by_time(at, by_sku(product, sku)) }
}

/// Somebody who waits for a SKU.
pub fn waiting(product: ProductId, sku: &Sku, account: AccountId) -> Key {
    Key { pk: stock_of(product, sku), sk: format!("{WAITING}{account}") }
}

/// What an account waits for.
pub fn waits_of(account: AccountId) -> String {
    format!("ACCOUNT#{account}#WAITS")
}

pub fn waited_for(account: AccountId, product: ProductId, sku: &Sku) -> Place {
    Place { index: Index::Gsi1, pk: waits_of(account), sk: by_sku(product, sku) }
}

pub fn by_sku(product: ProductId, sku: &Sku) -> String {
    format!("{product}#{sku}")
}

/// The places that goods lie at.
pub fn locations() -> Key {
    Key { pk: "LOCATIONS".into(), sk: "LOCATIONS".into() }
}

/// Makes a product's slug unique.
pub fn product_slug(slug: &Slug) -> Key {
    Key { pk: format!("PRODUCT_SLUG#{slug}"), sk: "PRODUCT_SLUG".into() }
}

pub fn products_that_are(state: ProductState) -> String {
    format!("PRODUCTS#{}", state.as_str())
}

pub fn products_in(category: CategoryId) -> String {
    format!("PRODUCTS#{category}")
}

/// Product ids sort by the time they were made, so they are the order of the lists.
pub fn products_by_state(state: ProductState, id: ProductId) -> Place {
    Place { index: Index::Gsi1, pk: products_that_are(state), sk: id.to_string() }
}

pub fn category_products(category: CategoryId, id: ProductId) -> Place {
    Place { index: Index::Gsi2, pk: products_in(category), sk: id.to_string() }
}

/// The sort key of every import; template.yaml's stream filter names it too.
pub const IMPORT: &str = "IMPORT";
pub const IMPORTS: &str = "IMPORTS";
/// What every sort key of a row that failed begins with.
pub const FAILURE: &str = "FAILURE#";

pub fn import(id: ImportId) -> Key {
    Key { pk: format!("IMPORT#{id}"), sk: IMPORT.into() }
}

pub fn imports(started_at: Timestamp, id: ImportId) -> Place {
    Place { index: Index::Gsi1, pk: IMPORTS.into(), sk: by_time(started_at, id) }
}

pub fn import_progress(id: ImportId) -> Key {
    Key { pk: format!("IMPORT#{id}"), sk: "PROGRESS".into() }
}

/// That a part is worked off.
pub fn import_part_done(id: ImportId, part: u32) -> Key {
    Key { pk: format!("IMPORT#{id}"), sk: format!("DONE#{part:04}") }
}

/// Fixed width, so that text sorts as rows do.
pub fn import_failure(id: ImportId, row: u32) -> Key {
    Key { pk: format!("IMPORT#{id}"), sk: format!("{FAILURE}{row:06}") }
}

/// Rows of an import. Each part has a partition of its own, for together they are some thousand write units; and parts
/// of two uploads under one id never mix.
pub fn import_part(id: ImportId, fingerprint: &str, part: u32) -> Key {
    Key { pk: format!("IMPORT_PART#{id}#{fingerprint}#{part:04}"), sk: "IMPORT_PART".into() }
}

/// The sort key of every export; template.yaml's stream filter names it too.
pub const EXPORT: &str = "EXPORT";
pub const EXPORTS: &str = "EXPORTS";

pub fn export(id: ExportId) -> Key {
    Key { pk: format!("EXPORT#{id}"), sk: EXPORT.into() }
}

pub fn exports(started_at: Timestamp, id: ExportId) -> Place {
    Place { index: Index::Gsi1, pk: EXPORTS.into(), sk: by_time(started_at, id) }
}

/// How often a step of an export was begun.
pub fn export_claims(id: ExportId) -> Key {
    Key { pk: format!("EXPORT#{id}"), sk: "CLAIMS".into() }
}

/// Promotions, shipping methods and taxes share a partition: all that carts are reckoned by is one query.
pub const PRICING: &str = "PRICING";
pub const PROMOTION: &str = "PROMOTION#";
pub const SHIPPING_METHOD: &str = "SHIPPING_METHOD#";

pub fn promotion(id: PromotionId) -> Key {
    Key { pk: PRICING.into(), sk: format!("{PROMOTION}{id}") }
}

pub fn shipping_method(id: ShippingMethodId) -> Key {
    Key { pk: PRICING.into(), sk: format!("{SHIPPING_METHOD}{id}") }
}

pub fn taxes() -> Key {
    Key { pk: PRICING.into(), sk: "TAXES".into() }
}

/// How many promotions and shipping methods there are.
pub fn pricing_count() -> Key {
    Key { pk: PRICING.into(), sk: "COUNT".into() }
}

/// How often a promotion was used. It outlives the promotion.
pub fn promotion_uses(id: PromotionId) -> Key {
    Key { pk: format!("{PROMOTION}{id}"), sk: "USES".into() }
}

pub fn promotion_uses_by(id: PromotionId, customer: AccountId) -> Key {
    Key { pk: format!("{PROMOTION}{id}"), sk: format!("USES#{customer}") }
}

/// The sort key of every order; template.yaml's stream filters name it too.
pub const ORDER: &str = "ORDER";

/// An order lies at its number, which is the end of its id: so a number leads to its order without an index, and no two
/// orders ever have the same.
pub fn order(number: OrderNumber) -> Key {
    Key { pk: format!("ORDER#{number}"), sk: ORDER.into() }
}

/// How many orders stand where.
pub fn order_counts() -> Key {
    Key { pk: "ORDER_COUNTS".into(), sk: "ORDER_COUNTS".into() }
}

/// Which generation of the counts behind reports is in force, and which is being made.
pub fn generations() -> Key {
    Key { pk: "TALLY".into(), sk: "TALLY".into() }
}

/// The sort key of every note of what was counted.
pub const TALLIED: &str = "TALLIED";

/// What of an order, a cart or an account was counted.
pub fn tallied(subject: &str) -> Key {
    Key { pk: format!("{TALLIED}#{subject}"), sk: TALLIED.into() }
}

/// The days of a generation share a partition: a stretch of them is one query.
pub fn tally(generation: u32) -> String {
    format!("TALLY#{generation}")
}

pub fn tally_of_day(generation: u32, currency: Currency, day: Date) -> Key {
    Key { pk: tally(generation), sk: by_day(currency, day) }
}

pub fn by_day(currency: Currency, day: Date) -> String {
    format!("{currency}#{day}")
}

/// The SKUs that sold in a month.
pub fn sales_in(generation: u32, currency: Currency, month: Date) -> String {
    format!("SALES#{generation}#{currency}#{}", month.strftime("%Y-%m"))
}

pub fn sales_of(generation: u32, currency: Currency, month: Date, product: ProductId, sku: &Sku) -> Key {
    Key { pk: sales_in(generation, currency, month), sk: by_sku(product, sku) }
}

/// What the sort key of every note about an order begins with.
pub const NOTE: &str = "NOTE#";

pub fn note(order: OrderNumber, note: NoteId) -> Key {
    Key { sk: format!("{NOTE}{note}"), ..self::order(order) }
}

/// The notes about an order.
pub fn notes_of(order: OrderNumber) -> String {
    format!("ORDER#{order}#NOTES")
}

pub fn noted(order: OrderNumber, at: Timestamp, note: NoteId) -> Place {
    Place { index: Index::Gsi1, pk: notes_of(order), sk: by_time(at, note) }
}

pub fn orders_of(buyer: AccountId) -> String {
    format!("ACCOUNT#{buyer}#ORDERS")
}

pub fn orders_with(status: Status) -> String {
    format!("ORDERS#{}", status.as_str())
}

pub fn orders_selling(sku: &Sku) -> String {
    format!("SKU#{sku}#ORDERS")
}

pub fn selling(sku: &Sku, placed_at: Timestamp, id: OrderId) -> Key {
    Key { pk: orders_selling(sku), sk: by_time(placed_at, id) }
}

pub fn own_orders(buyer: AccountId, placed_at: Timestamp, id: OrderId) -> Place {
    Place { index: Index::Gsi1, pk: orders_of(buyer), sk: by_time(placed_at, id) }
}

pub fn orders_by_status(status: Status, placed_at: Timestamp, id: OrderId) -> Place {
    Place { index: Index::Gsi2, pk: orders_with(status), sk: by_time(placed_at, id) }
}

/// Milliseconds of fixed width, so that text sorts as time does; a time outside of 1970 to 2286 as the nearest within.
pub fn by_time(at: Timestamp, id: impl std::fmt::Display) -> String {
    format!("{:013}#{id}", at.as_millisecond().clamp(0, 9_999_999_999_999))
}

/// How far a series of documents has come.
pub fn series(series: Series) -> Key {
    Key { pk: format!("SERIES#{}", series.as_str()), sk: "SERIES".into() }
}

/// What the sort key of every document begins with.
pub const DOCUMENT: &str = "DOCUMENT#";

/// The documents of an order. They have a partition of their own, for they outlive what is known of the buyer.
pub fn documents_of(order: OrderNumber) -> String {
    format!("DOCUMENTS#{order}")
}

/// The place of a document among its order's, 0 for the first. Fixed width, so that text sorts as numbers do.
pub fn document(order: OrderNumber, place: usize) -> Key {
    Key { pk: documents_of(order), sk: format!("{DOCUMENT}{place:04}") }
}

pub fn documents_in(series: Series) -> String {
    format!("DOCUMENTS#{}", series.as_str())
}

pub fn document_by_number(series: Series, serial: u64, order: OrderNumber, place: usize) -> Place {
    Place { index: Index::Gsi2, pk: documents_in(series), sk: by_serial(serial, order, place) }
}

pub fn by_serial(serial: u64, order: OrderNumber, place: usize) -> String {
    format!("{serial:012}#{order}#{place:04}")
}

pub fn stripe_event(id: &str) -> Key {
    Key { pk: format!("STRIPE_EVENT#{id}"), sk: "STRIPE_EVENT".into() }
}

pub fn mail(message: &str) -> Key {
    Key { pk: format!("MAIL#{message}"), sk: "MAIL".into() }
}

/// Endpoints share a partition: all of them are one query.
pub const WEBHOOKS: &str = "WEBHOOKS";
/// What the sort key of every endpoint begins with.
pub const ENDPOINT: &str = "ENDPOINT#";

pub fn endpoint(id: EndpointId) -> Key {
    Key { pk: WEBHOOKS.into(), sk: format!("{ENDPOINT}{id}") }
}

/// What an endpoint's requests are signed with. An item of its own, so that who lists endpoints never reads it.
pub fn endpoint_secrets(id: EndpointId) -> Key {
    Key { pk: WEBHOOKS.into(), sk: format!("SECRETS#{id}") }
}

/// How many endpoints there are.
pub fn endpoint_count() -> Key {
    Key { pk: WEBHOOKS.into(), sk: "COUNT".into() }
}

/// What the sort key of every delivery begins with; template.yaml's stream filter names it too.
pub const DELIVERY: &str = "DELIVERY#";

/// What an order's changes became at an endpoint. None for the tests of the endpoint.
pub fn deliveries_about(endpoint: EndpointId, order: Option<OrderNumber>) -> String {
    match order {
        Some(order) => format!("DELIVERIES#{endpoint}#{order}"),
        None => format!("DELIVERIES#{endpoint}#TESTS"),
    }
}

pub fn delivery(endpoint: EndpointId, id: DeliveryId) -> Key {
    let sk = match id {
        // Fixed width, so that text sorts as numbers do.
        DeliveryId::Change { version, .. } => format!("{DELIVERY}{version:010}"),
        DeliveryId::Test(test) => format!("{DELIVERY}{test}"),
    };
    Key { pk: deliveries_about(endpoint, id.order().map(OrderId::number)), sk }
}

pub fn deliveries_to(endpoint: EndpointId) -> String {
    format!("WEBHOOK#{endpoint}")
}

pub fn deliveries_that_are(endpoint: EndpointId, status: DeliveryStatus) -> String {
    format!("WEBHOOK#{endpoint}#{}", status.as_str())
}

pub fn delivered_to(endpoint: EndpointId, at: Timestamp, id: DeliveryId) -> Place {
    Place { index: Index::Gsi1, pk: deliveries_to(endpoint), sk: by_time(at, id) }
}

pub fn deliveries_by_status(endpoint: EndpointId, status: DeliveryStatus, at: Timestamp, id: DeliveryId) -> Place {
    Place { index: Index::Gsi2, pk: deliveries_that_are(endpoint, status), sk: by_time(at, id) }
}

pub fn signing_keys() -> Key {
    Key { pk: "SIGNING_KEYS".into(), sk: "SIGNING_KEYS".into() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_sort_as_they_follow_each_other_however_far_off() {
        let far = ["0001-01-01T00:00:00Z", "1970-01-01T00:00:01Z", "2026-11-27T00:00:00.001Z", "2286-11-20T17:46:39Z"];
        let times: Vec<Timestamp> = far.iter().map(|text| text.parse().unwrap()).collect();
        let sorted: Vec<_> = times.iter().map(|time| by_time(*time, "")).collect();
        assert!(sorted.is_sorted(), "{sorted:?}");
        for end in [Timestamp::MAX, "2286-11-20T17:46:40Z".parse().unwrap()] {
            assert!(by_time(end, "") >= *sorted.last().unwrap(), "{end}");
        }
    }
}
