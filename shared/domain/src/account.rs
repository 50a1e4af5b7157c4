//! People who can log in.

use std::fmt;
use std::str::FromStr;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::id::AccountId;
use crate::schema::{self, described};
use crate::text::{Email, Invalid};

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Account {
    pub id: AccountId,
    pub email: Email,
    pub role: Role,
    pub created_at: Timestamp,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    Customer,
    Administrator,
}

impl Role {
    /// Whether the holder may use the routes under `/v1/admin` and read every order.
    pub fn is_staff(self) -> bool {
        match self {
            Role::Customer => false,
            Role::Administrator => true,
        }
    }
}

/// A password as it was typed: 8 to 128 characters, no rule on which (NIST SP 800-63B 3.1.1.2).
///
/// It cannot be printed or serialised.
#[derive(Clone)]
pub struct Password(String);

described!(
    Password,
    schema::text("A password: any characters, no rule on which.", 8, 128, r"^[\s\S]*$", "correct horse battery staple")
);

impl Password {
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl FromStr for Password {
    type Err = Invalid;

    fn from_str(text: &str) -> Result<Self, Invalid> {
        if (8..=128).contains(&text.chars().count()) {
            Ok(Password(text.to_owned()))
        } else {
            Err(Invalid::new("must be 8 to 128 characters long"))
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
        assert!(!format!("{:?}", "correct horse".parse::<Password>().unwrap()).contains("horse"));
    }
}
