//! Accounts: who somebody is to the shop, and what they may do.

use std::fmt;
use std::str::FromStr;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use unicode_normalization::UnicodeNormalization;
use utoipa::ToSchema;

use crate::id::{AccountId, AddressId};
use crate::language::Language;
use crate::order::Address;
use crate::schema::{self, described};
use crate::text::{Email, Invalid, Line};

/// How many addresses an account keeps at most.
pub const MAX_ADDRESSES: usize = 20;

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Account {
    pub id: AccountId,
    pub email: Email,
    pub role: Role,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub name: Option<Line<1, 120>>,
    /// What its holder is mailed in; left out for the shop's own language.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub language: Option<Language>,
    /// Whether a log-in takes a code beside the password.
    pub second_factor: bool,
    pub created_at: Timestamp,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    Customer,
    /// Sees every order.
    Support,
    /// Also runs the catalogue and the orders.
    Manager,
    /// Also says who is staff.
    Administrator,
}

impl Role {
    pub const ALL: [Role; 4] = [Role::Customer, Role::Support, Role::Manager, Role::Administrator];

    pub fn is_staff(self) -> bool {
        self != Role::Customer
    }

    pub fn may(self, permission: Permission) -> bool {
        permission.roles().contains(&self)
    }
}

macro_rules! permissions {
    ($($(#[doc = $doc:literal])* $permission:ident = $name:literal: $($role:ident)*;)*) => {
        /// What staff may be allowed to do. Every route of theirs names the one that it needs.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum Permission {
            $($(#[doc = $doc])* $permission,)*
        }

        impl Permission {
            pub const ALL: &'static [Permission] = &[$(Permission::$permission),*];

            /// The name that the API's document has for it.
            pub fn name(self) -> &'static str {
                match self {
                    $(Permission::$permission => $name,)*
                }
            }

            /// Who has it.
            pub fn roles(self) -> &'static [Role] {
                match self {
                    $(Permission::$permission => &[$(Role::$role),*],)*
                }
            }
        }
    };
}

permissions! {
    /// See anybody's orders.
    ReadOrders = "orders:read": Support Manager Administrator;
    /// Note something about orders, for other staff.
    NoteOrders = "orders:note": Support Manager Administrator;
    /// Put orders together for customers, and place them.
    PlaceOrders = "orders:place": Support Manager Administrator;
    /// Move orders on.
    FulfilOrders = "orders:fulfil": Manager Administrator;
    /// Capture what a buyer's bank holds for an order.
    CaptureOrders = "orders:capture": Manager Administrator;
    /// Pay back what was paid for an order.
    RefundOrders = "orders:refund": Manager Administrator;
    /// See what the shop earns.
    ReadReports = "reports:read": Manager Administrator;
    /// Change categories, products, prices.
    WriteCatalog = "catalog:write": Manager Administrator;
    /// See what is on hand, and every movement.
    ReadStock = "stock:read": Support Manager Administrator;
    /// Receive, correct and take back goods; say how SKUs are sold.
    WriteStock = "stock:write": Manager Administrator;
    /// Set up promotions, shipping methods and taxes.
    WritePricing = "pricing:write": Manager Administrator;
    /// Set up webhooks, and see what was sent.
    ManageWebhooks = "webhooks:manage": Administrator;
    /// Find people, give and take roles.
    ManagePeople = "people:manage": Administrator;
}

/// An address of an account's own address book.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct KeptAddress {
    pub id: AddressId,
    /// At most one is.
    pub is_default: bool,
    #[serde(flatten)]
    #[schema(inline)]
    pub address: Address,
}

/// A password as it was typed, in Unicode's form NFC (NIST SP 800-63B-4, 3.1.1.2): 8 to 128 characters, no rule on
/// which.
///
/// It cannot be printed or serialised.
#[derive(Clone)]
pub struct Password(String);

described!(
    Password,
    schema::text(
        "A password: any characters, no rule on which. A new one may not be among the most common. Counted and compared \
         in Unicode's form NFC.",
        8,
        128,
        r"^[\s\S]*$",
        "correct horse battery staple"
    )
);

impl Password {
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl FromStr for Password {
    type Err = Invalid;

    fn from_str(text: &str) -> Result<Self, Invalid> {
        // A character is composed of at most four code points of at most four bytes: longer texts need not be looked at.
        let normal = (text.len() <= 128 * 4 * 4).then(|| text.nfc().collect::<String>());
        match normal {
            Some(normal) if (8..=128).contains(&normal.chars().count()) => Ok(Password(normal)),
            _ => Err(Invalid::new("must be 8 to 128 characters long")),
        }
    }
}

impl fmt::Debug for Password {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Password(…)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_password_has_8_to_128_characters_and_is_never_printed() {
        assert!("1234567".parse::<Password>().is_err());
        assert!("é".repeat(8).parse::<Password>().is_ok());
        assert!("x".repeat(128).parse::<Password>().is_ok());
        assert!("x".repeat(129).parse::<Password>().is_err());
        assert!("\u{1F511}".repeat(128).parse::<Password>().is_ok());
        assert!("x".repeat(1_000_000).parse::<Password>().is_err());
        assert!(!format!("{:?}", "correct horse".parse::<Password>().unwrap()).contains("horse"));
    }

    #[test]
    fn a_password_is_the_same_however_its_characters_are_composed() {
        let typed = |text: &str| text.parse::<Password>().unwrap().reveal().to_owned();
        assert_eq!(typed("caf\u{e9} au lait"), typed("cafe\u{301} au lait"));
        assert_ne!(typed("Correct horse"), typed("correct horse"));
        // Eight code points that are seven characters once composed.
        assert!("abcdefe\u{301}".parse::<Password>().is_err());
    }

    #[test]
    fn who_may_do_what() {
        let line = |permission: &Permission| {
            let roles: Vec<_> = permission.roles().iter().map(|role| format!("{role:?}")).collect();
            format!("{:<16}{}\n", permission.name(), roles.join(" "))
        };
        let table: String = Permission::ALL.iter().map(line).collect();
        assert_eq!(
            table,
            "orders:read     Support Manager Administrator\n\
             orders:note     Support Manager Administrator\n\
             orders:place    Support Manager Administrator\n\
             orders:fulfil   Manager Administrator\n\
             orders:capture  Manager Administrator\n\
             orders:refund   Manager Administrator\n\
             reports:read    Manager Administrator\n\
             catalog:write   Manager Administrator\n\
             stock:read      Support Manager Administrator\n\
             stock:write     Manager Administrator\n\
             pricing:write   Manager Administrator\n\
             webhooks:manage Administrator\n\
             people:manage   Administrator\n"
        );
        assert!(Permission::ALL.iter().all(|permission| !Role::Customer.may(*permission)));
    }
}
