//! Ids: a prefix that names the kind, and 128 bits as 26 characters of Crockford's base 32 (`ord_01JC…`).
//!
//! Ids made at a moment are UUIDv7 underneath, so they sort by time. An order's id is made from its buyer and their
//! idempotency key (UUIDv5), so that placing an order needs no separate record of the key.

use std::fmt;
use std::str::FromStr;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::schema::{self, described};
use crate::text::{IdempotencyKey, Invalid, Sku, Slug};

macro_rules! id {
    ($(#[$doc:meta])* $name:ident, $prefix:literal) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
        #[serde(into = "String", try_from = "String")]
        pub struct $name(Uuid);

        impl $name {
            pub const fn new(uuid: Uuid) -> Self {
                $name(uuid)
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, concat!($prefix, "_{}"), encode(self.0))
            }
        }

        described!(
            $name,
            schema::text(
                concat!("An id that starts with `", $prefix, "_`. Opaque."),
                30,
                30,
                concat!("^", $prefix, "_[0-7][0-9A-HJKMNP-TV-Z]{25}$"),
                concat!($prefix, "_01K3ZQ8V5E7N9WJ2R4T6Y8B0CD"),
            )
        );

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(self, f)
            }
        }

        impl FromStr for $name {
            type Err = Invalid;
            fn from_str(text: &str) -> Result<Self, Invalid> {
                text.strip_prefix(concat!($prefix, "_"))
                    .and_then(decode)
                    .map($name)
                    .ok_or_else(|| Invalid::new(concat!("must be an id that starts with ", $prefix, "_")))
            }
        }

        impl TryFrom<String> for $name {
            type Error = Invalid;
            fn try_from(text: String) -> Result<Self, Invalid> {
                text.parse()
            }
        }

        impl From<$name> for String {
            fn from(id: $name) -> String {
                id.to_string()
            }
        }
    };
}

id!(/// A person who can log in.
    AccountId, "acc");
id!(/// One log-in and all the tokens that came of it.
    SessionId, "ses");
id!(/// An address of an account's address book.
    AddressId, "adr");
id!(/// A mail about an account, and the link in it.
    LetterId, "let");
id!(CategoryId, "cat");
id!(ProductId, "prd");
id!(/// One filling of a cart; placing an order ends it.
    CartId, "crt");
id!(/// A cart that staff fill for a customer.
    DraftId, "drf");
id!(OrderId, "ord");
id!(/// Many products that were sent at once.
    ImportId, "imp");
id!(/// Many rows that are written into one file.
    ExportId, "exp");
id!(PromotionId, "pro");
id!(ShippingMethodId, "shm");
id!(/// A place that goods lie at.
    LocationId, "loc");
id!(/// What staff noted about an order.
    NoteId, "not");
id!(/// A line of a SKU's ledger.
    MovementId, "mov");
id!(/// A system of the merchant's that is told of what happens to orders.
    EndpointId, "whk");

impl OrderId {
    /// The id of the order that `buyer` places with `key`: the same for the same two, so a repeated request meets the
    /// order of the first.
    pub fn for_placement(buyer: AccountId, key: &IdempotencyKey) -> Self {
        OrderId(Uuid::new_v5(&buyer.0, key.as_str().as_bytes()))
    }

    /// The id of the order that a member of staff places from a draft with `key`. No key of the buyer's own leads to it.
    pub fn for_draft(draft: DraftId, by: AccountId, key: &IdempotencyKey) -> Self {
        OrderId(Uuid::new_v5(&draft.0, format!("{by}/{}", key.as_str()).as_bytes()))
    }
}

impl DraftId {
    /// The id of the draft that a member of staff begins with `key`.
    pub fn for_request(by: AccountId, key: &IdempotencyKey) -> Self {
        DraftId(Uuid::new_v5(&by.0, format!("draft {}", key.as_str()).as_bytes()))
    }
}

impl NoteId {
    /// The id of the note that a member of staff writes about an order with `key`.
    pub fn for_request(order: OrderId, by: AccountId, key: &IdempotencyKey) -> Self {
        NoteId(Uuid::new_v5(&order.0, format!("{by}/{}", key.as_str()).as_bytes()))
    }

    /// The id of the note that a mail about an order did not arrive: one for each thing that the mail provider tells, however
    /// often it does. No key of a member of staff's leads to it.
    pub fn for_mail(order: OrderId, told: &str) -> Self {
        NoteId(Uuid::new_v5(&order.0, format!("mail/{told}").as_bytes()))
    }
}

/// What is sent to an endpoint: a change of an order, `ord_…-3`, whose message is `ord_…/3`; or a test, `tst_…`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub enum DeliveryId {
    Change { order: OrderId, version: u32 },
    Test(TestId),
}

id!(/// A test of an endpoint.
    TestId, "tst");

described!(
    DeliveryId,
    schema::text(
        "What is sent to an endpoint: a change of an order, or a test.",
        30,
        41,
        "^(ord_[0-7][0-9A-HJKMNP-TV-Z]{25}-[1-9][0-9]*|tst_[0-7][0-9A-HJKMNP-TV-Z]{25})$",
        "ord_01K3ZQ8V5E7N9WJ2R4T6Y8B0CD-3"
    )
);

impl DeliveryId {
    pub fn of(order: OrderId, version: u32) -> Self {
        DeliveryId::Change { order, version }
    }

    pub fn test(uuid: Uuid) -> Self {
        DeliveryId::Test(TestId(uuid))
    }

    pub fn order(self) -> Option<OrderId> {
        match self {
            DeliveryId::Change { order, .. } => Some(order),
            DeliveryId::Test(_) => None,
        }
    }

    /// The id of the message that is sent, by which a receiver knows it again.
    pub fn message(self) -> String {
        match self {
            DeliveryId::Change { order, version } => format!("{order}/{version}"),
            DeliveryId::Test(test) => test.to_string(),
        }
    }
}

impl fmt::Display for DeliveryId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message().replace('/', "-"))
    }
}

impl FromStr for DeliveryId {
    type Err = Invalid;

    fn from_str(text: &str) -> Result<Self, Invalid> {
        if let Ok(test) = text.parse() {
            return Ok(DeliveryId::Test(test));
        }
        let read = || {
            let (order, version) = text.split_once('-')?;
            let id = DeliveryId::of(order.parse().ok()?, version.parse().ok()?);
            // One spelling for each.
            (id.to_string() == text && version != "0").then_some(id)
        };
        read().ok_or_else(|| Invalid::new("must be the id of a delivery, such as ord_…-3"))
    }
}

impl TryFrom<String> for DeliveryId {
    type Error = Invalid;

    fn try_from(text: String) -> Result<Self, Invalid> {
        text.parse()
    }
}

impl From<DeliveryId> for String {
    fn from(id: DeliveryId) -> String {
        id.to_string()
    }
}

/// The number that a buyer and the shop call an order by: `7K3F9-2QX4M`. It is the end of the order's id, and no two orders
/// of a shop have the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub struct OrderNumber(u64);

described!(
    OrderNumber,
    schema::text(
        "What a buyer and the shop call the order by. No two orders have the same.",
        11,
        11,
        "^[0-9A-HJKMNP-TV-Z]{5}-[0-9A-HJKMNP-TV-Z]{5}$",
        "7K3F9-2QX4M"
    )
);

/// Letters and digits of an order's number.
const NUMBER_LENGTH: usize = 10;

impl OrderId {
    pub fn number(self) -> OrderNumber {
        let bits = self.0.as_u128() & ((1 << (5 * NUMBER_LENGTH)) - 1);
        OrderNumber(u64::try_from(bits).unwrap_or_default())
    }
}

impl fmt::Display for OrderNumber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let digit = |place: usize| ALPHABET[(self.0 >> (place * 5)) as usize & 31] as char;
        let text = |places: std::ops::Range<usize>| places.rev().map(digit).collect::<String>();
        write!(f, "{}-{}", text(NUMBER_LENGTH / 2..NUMBER_LENGTH), text(0..NUMBER_LENGTH / 2))
    }
}

impl TryFrom<String> for OrderNumber {
    type Error = Invalid;

    fn try_from(text: String) -> Result<Self, Invalid> {
        text.parse()
    }
}

impl From<OrderNumber> for String {
    fn from(number: OrderNumber) -> String {
        number.to_string()
    }
}

/// As people write it: in small letters, with or without hyphens and spaces, with O for 0 and I or L for 1.
impl FromStr for OrderNumber {
    type Err = Invalid;

    fn from_str(text: &str) -> Result<Self, Invalid> {
        let invalid = || Invalid::new("must be an order number such as 7K3F9-2QX4M");
        let (mut bits, mut length) = (0, 0);
        for letter in text.bytes().filter(|letter| !matches!(letter, b'-' | b' ')) {
            let letter = match letter.to_ascii_uppercase() {
                b'O' => b'0',
                b'I' | b'L' => b'1',
                letter => letter,
            };
            let digit = ALPHABET.iter().position(|known| *known == letter).ok_or_else(invalid)?;
            length += 1;
            if length > NUMBER_LENGTH {
                return Err(invalid());
            }
            bits = bits << 5 | digit as u64;
        }
        if length == NUMBER_LENGTH { Ok(OrderNumber(bits)) } else { Err(invalid()) }
    }
}

impl ImportId {
    /// The id of the import that `account` starts with `key`: a repeated request meets what the first one did.
    pub fn for_upload(account: AccountId, key: &IdempotencyKey) -> Self {
        ImportId(Uuid::new_v5(&account.0, format!("import {}", key.as_str()).as_bytes()))
    }
}

impl ExportId {
    /// The id of the export that `account` starts with `key`: a repeated request meets what the first one did.
    pub fn for_request(account: AccountId, key: &IdempotencyKey) -> Self {
        ExportId(Uuid::new_v5(&account.0, format!("export {}", key.as_str()).as_bytes()))
    }
}

impl ProductId {
    /// The id of the product of this slug that an import makes, however often it comes to it. It sorts by the time that
    /// the import was started, as the ids of other products sort by theirs.
    pub fn for_import(import: ImportId, started_at: Timestamp, slug: &Slug) -> Self {
        let named = Uuid::new_v5(&import.0, slug.as_str().as_bytes());
        let mut distinct = [0; 10];
        distinct.copy_from_slice(&named.as_bytes()[..10]);
        let milliseconds = started_at.as_millisecond().max(0).unsigned_abs();
        ProductId(uuid::Builder::from_unix_timestamp_millis(milliseconds, &distinct).into_uuid())
    }
}

impl LocationId {
    /// The place that every shop has.
    pub const MAIN: LocationId = LocationId(Uuid::nil());
}

/// A movement's id is made from what caused it, so that the same cause moves stock once.
impl MovementId {
    /// What somebody asked for with this key.
    pub fn asked(by: AccountId, sku: &Sku, key: &IdempotencyKey) -> Self {
        MovementId(Uuid::new_v5(&by.0, format!("{sku}/{key}", key = key.as_str()).as_bytes()))
    }

    /// A paid order's line.
    pub fn sold(order: OrderId, sku: &Sku) -> Self {
        MovementId(Uuid::new_v5(&order.0, format!("{sku}/sold").as_bytes()))
    }

    /// A cancelled order's line.
    pub fn released(order: OrderId, sku: &Sku) -> Self {
        MovementId(Uuid::new_v5(&order.0, format!("{sku}/released").as_bytes()))
    }

    /// What a cancelled order's line had taken from a place.
    pub fn returned(order: OrderId, sku: &Sku, from: LocationId) -> Self {
        MovementId(Uuid::new_v5(&order.0, format!("{sku}/returned/{from}").as_bytes()))
    }

    /// What a return brought back.
    pub fn restocked(order: OrderId, number: u32, sku: &Sku) -> Self {
        MovementId(Uuid::new_v5(&order.0, format!("{sku}/restocked/{number}").as_bytes()))
    }

    /// What was there when the SKU was made.
    pub fn opening(product: ProductId, sku: &Sku) -> Self {
        MovementId(Uuid::new_v5(&product.0, format!("{sku}/opening").as_bytes()))
    }
}

const ALPHABET: &[u8; 32] = b"0123456789ABCDEFGHJKMNPQRSTVWXYZ";
const LENGTH: usize = 26;

fn encode(uuid: Uuid) -> String {
    let bits = uuid.as_u128();
    (0..LENGTH).rev().map(|place| ALPHABET[(bits >> (place * 5)) as usize & 31] as char).collect()
}

/// Only what `encode` makes: one spelling per id, so that an id can be a key.
fn decode(text: &str) -> Option<Uuid> {
    let bytes = text.as_bytes();
    if bytes.len() != LENGTH || bytes[0] > b'7' {
        return None;
    }
    let digits = bytes.iter().map(|byte| ALPHABET.iter().position(|letter| letter == byte));
    let bits = digits.into_iter().try_fold(0_u128, |bits, digit| Some(bits << 5 | digit? as u128))?;
    Some(Uuid::from_u128(bits))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_same_buyer_and_key_make_the_same_order_id() {
        let (ann, bob) = (AccountId(Uuid::from_u128(1)), AccountId(Uuid::from_u128(2)));
        let (one, two) = ("one".parse().unwrap(), "two".parse().unwrap());
        assert_eq!(OrderId::for_placement(ann, &one), OrderId::for_placement(ann, &one));
        assert_ne!(OrderId::for_placement(ann, &one), OrderId::for_placement(ann, &two));
        assert_ne!(OrderId::for_placement(ann, &one), OrderId::for_placement(bob, &one));
    }

    #[test]
    fn an_import_makes_the_same_product_of_a_slug_each_time_among_those_of_its_time() {
        let import = ImportId::for_upload(AccountId(Uuid::from_u128(1)), &"one".parse().unwrap());
        let (tea, cup): (Slug, Slug) = ("tea".parse().unwrap(), "cup".parse().unwrap());
        let at = |seconds: i64| Timestamp::from_second(1_800_000_000 + seconds).unwrap();
        let first = ProductId::for_import(import, at(0), &tea);
        assert_eq!(first, ProductId::for_import(import, at(0), &tea));
        assert_ne!(first, ProductId::for_import(import, at(0), &cup));
        assert!(
            first < ProductId::for_import(import, at(1), &cup) && ProductId::for_import(import, at(-1), &cup) < first
        );
    }

    #[test]
    fn the_order_of_a_draft_has_an_id_that_no_other_key_leads_to() {
        let id = |bits| Uuid::from_u128(bits);
        let key = "key".parse().unwrap();
        let (draft, staff, buyer) = (DraftId(id(1)), AccountId(id(2)), AccountId(id(3)));
        let order = OrderId::for_draft(draft, staff, &key);
        assert_eq!(order, OrderId::for_draft(draft, staff, &key));
        for other in [
            OrderId::for_placement(staff, &key),
            OrderId::for_placement(buyer, &key),
            OrderId::for_draft(draft, buyer, &key),
            OrderId::for_draft(DraftId(id(4)), staff, &key),
            OrderId::for_draft(draft, staff, &"other".parse().unwrap()),
        ] {
            assert_ne!(order, other);
        }
    }

    proptest! {
        #[test]
        fn an_id_has_one_spelling(bits: u128, noise in "[0-9A-Za-z_]{0,32}") {
            let id = OrderId(Uuid::from_u128(bits));
            prop_assert_eq!(id.to_string().parse::<OrderId>().unwrap(), id);
            prop_assert!(id.to_string().parse::<AccountId>().is_err());
            if let Ok(parsed) = noise.parse::<OrderId>() {
                prop_assert_eq!(parsed.to_string(), noise);
            }
        }

        #[test]
        fn a_delivery_has_one_spelling_and_its_messages_id(bits: u128, version in 1..u32::MAX) {
            let order = OrderId(Uuid::from_u128(bits));
            let id = DeliveryId::of(order, version);
            prop_assert_eq!(id.message(), format!("{order}/{version}"));
            prop_assert_eq!(id.to_string().parse::<DeliveryId>().unwrap(), id);
            prop_assert_eq!(DeliveryId::test(order.0).to_string().parse::<DeliveryId>().unwrap().order(), None);
            for other in [format!("{order}/{version}"), format!("{order}-0{version}"), format!("{order}-+{version}"), format!("{order}-0")] {
                prop_assert!(other.parse::<DeliveryId>().is_err(), "{}", other);
            }
        }

        #[test]
        fn an_order_number_is_the_end_of_the_id_however_it_is_written(bits: u128, noise in "[0-9A-Za-z -]{0,14}") {
            let id = OrderId(Uuid::from_u128(bits));
            let number = id.number().to_string();
            let plain = number.replace('-', "");
            prop_assert!(id.to_string().ends_with(&plain), "{number}");
            let spoken = format!(" {} {}", plain[..3].to_lowercase(), plain[3..].replace('0', "o").replace('1', "l"));
            for written in [number, plain, spoken] {
                prop_assert_eq!(written.parse::<OrderNumber>().unwrap(), id.number(), "{}", written);
            }
            let _ = noise.parse::<OrderNumber>();
        }

        #[test]
        fn ids_sort_as_their_text(a: u128, b: u128) {
            let (a, b) = (OrderId(Uuid::from_u128(a)), OrderId(Uuid::from_u128(b)));
            prop_assert_eq!(a.cmp(&b), a.to_string().cmp(&b.to_string()));
        }
    }
}
