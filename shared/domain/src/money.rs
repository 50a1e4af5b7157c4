//! Money: whole minor units of one currency, with arithmetic that refuses rather than wraps.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::schema::{self, described};
use crate::text::Invalid;

/// An amount of one currency, in minor units (cents for USD, whole yen for JPY).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
pub struct Money {
    /// Minor units, such as cents.
    #[schema(example = 1999)]
    pub amount: i64,
    pub currency: Currency,
}

/// A price of one unit may be at most this many minor units, so that 50 lines of 1,000 units stay far from overflow.
pub const MAX_PRICE: i64 = 100_000_000;

#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum MoneyError {
    #[error("amounts in {0} and {1} cannot be added")]
    CurrencyMismatch(Currency, Currency),
    #[error("the amount is too large")]
    TooLarge,
    #[error("the amount is negative")]
    Negative,
}

impl Money {
    pub fn new(amount: i64, currency: Currency) -> Self {
        Money { amount, currency }
    }

    pub fn zero(currency: Currency) -> Self {
        Money { amount: 0, currency }
    }

    pub fn plus(self, other: Money) -> Result<Money, MoneyError> {
        if self.currency != other.currency {
            return Err(MoneyError::CurrencyMismatch(self.currency, other.currency));
        }
        let amount = self.amount.checked_add(other.amount).ok_or(MoneyError::TooLarge)?;
        Ok(Money { amount, ..self })
    }

    pub fn times(self, quantity: u32) -> Result<Money, MoneyError> {
        let amount = self.amount.checked_mul(i64::from(quantity)).ok_or(MoneyError::TooLarge)?;
        Ok(Money { amount, ..self })
    }

    /// A price that may be asked for one unit: 1 to [`MAX_PRICE`].
    pub fn as_price(self) -> Result<Money, Invalid> {
        if (1..=MAX_PRICE).contains(&self.amount) {
            Ok(self)
        } else {
            Err(Invalid::new(format!("must be from 1 to {MAX_PRICE} minor units")))
        }
    }
}

/// As a person reads it: `19.99 USD`, `1500 JPY`.
impl fmt::Display for Money {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let digits = self.currency.minor_digits();
        let unit = 10_u64.pow(digits);
        let amount = self.amount.unsigned_abs();
        let sign = if self.amount < 0 { "-" } else { "" };
        match digits {
            0 => write!(f, "{sign}{amount} {}", self.currency),
            _ => write!(
                f,
                "{sign}{}.{:0width$} {}",
                amount / unit,
                amount % unit,
                self.currency,
                width = digits as usize
            ),
        }
    }
}

/// An ISO 4217 currency in use, such as `USD`.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub struct Currency([u8; 3]);

/// Those of which Stripe's amounts count other minor units than ISO 4217 does, or are multiples of something:
/// <https://docs.stripe.com/currencies>, on zero-decimal, three-decimal and special cases.
const CHARGED_OTHERWISE: &str = "BHD IQD ISK JOD KWD LYD MGA OMR TND UGX";

/// ISO 4217 list one, without funds, metals and test codes, by number of minor digits.
const NO_DIGITS: &str = "BIF CLP DJF GNF ISK JPY KMF KRW PYG RWF UGX VND VUV XAF XOF XPF";
const THREE_DIGITS: &str = "BHD IQD JOD KWD LYD OMR TND";
const TWO_DIGITS: &str = "AED AFN ALL AMD AOA ARS AUD AWG AZN BAM BBD BDT BGN BMD BND BOB BRL BSD BTN BWP BYN BZD \
    CAD CDF CHF CNY COP CRC CUP CVE CZK DKK DOP DZD EGP ERN ETB EUR FJD FKP GBP GEL GHS GIP GMD GTQ GYD HKD HNL HTG \
    HUF IDR ILS INR IRR JMD KES KGS KHR KPW KYD KZT LAK LBP LKR LRD LSL MAD MDL MGA MKD MMK MNT MOP MRU MUR MVR MWK \
    MXN MYR MZN NAD NGN NIO NOK NPR NZD PAB PEN PGK PHP PKR PLN QAR RON RSD RUB SAR SBD SCR SDG SEK SGD SHP SLE SOS \
    SRD SSP STN SVC SYP SZL THB TJS TMT TOP TRY TTD TWD TZS UAH USD UYU UZS VES WST XCD XCG YER ZAR ZMW ZWG";

described!(Currency, schema::text("An ISO 4217 code.", 3, 3, "^[A-Z]{3}$", "USD"));

impl Currency {
    pub fn code(&self) -> &str {
        std::str::from_utf8(&self.0).expect("a currency is made of ASCII letters")
    }

    /// Whether Stripe takes any amount of it as we count it. A shop can sell in no other.
    pub fn is_charged_as_counted(&self) -> bool {
        !lists(CHARGED_OTHERWISE, self.0)
    }

    /// How many digits stand behind the decimal point: 2 for most, 0 for JPY, 3 for KWD.
    pub fn minor_digits(&self) -> u32 {
        if lists(NO_DIGITS, self.0) {
            0
        } else if lists(THREE_DIGITS, self.0) {
            3
        } else {
            2
        }
    }
}

/// Whether a code is listed; each takes three bytes and a space.
fn lists(codes: &str, code: [u8; 3]) -> bool {
    codes.as_bytes().chunks(4).any(|listed| listed.starts_with(&code))
}

impl FromStr for Currency {
    type Err = Invalid;

    fn from_str(code: &str) -> Result<Self, Invalid> {
        let known = |code| [TWO_DIGITS, NO_DIGITS, THREE_DIGITS].iter().any(|codes| lists(codes, code));
        match <[u8; 3]>::try_from(code.as_bytes()) {
            Ok(code) if known(code) => Ok(Currency(code)),
            _ => Err(Invalid::new("must be an ISO 4217 currency code in capitals, such as USD")),
        }
    }
}

impl TryFrom<String> for Currency {
    type Error = Invalid;

    fn try_from(code: String) -> Result<Self, Invalid> {
        code.parse()
    }
}

impl From<Currency> for String {
    fn from(currency: Currency) -> String {
        currency.code().to_owned()
    }
}

impl fmt::Display for Currency {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.code())
    }
}

impl fmt::Debug for Currency {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.code())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn usd(amount: i64) -> Money {
        Money::new(amount, "USD".parse().unwrap())
    }

    #[test]
    fn what_stripe_counts_otherwise_is_told_apart() {
        let otherwise = |code: &str| !code.parse::<Currency>().unwrap().is_charged_as_counted();
        assert!(["ISK", "UGX", "MGA", "KWD", "BHD"].into_iter().all(otherwise));
        assert!(!["USD", "EUR", "JPY", "KRW"].into_iter().any(otherwise));
    }

    #[test]
    fn money_reads_with_the_digits_of_its_currency() {
        assert_eq!(usd(1999).to_string(), "19.99 USD");
        assert_eq!(usd(-5).to_string(), "-0.05 USD");
        assert_eq!(Money::new(1500, "JPY".parse().unwrap()).to_string(), "1500 JPY");
        assert_eq!(Money::new(1500, "KWD".parse().unwrap()).to_string(), "1.500 KWD");
        assert_eq!(usd(i64::MIN).to_string(), "-92233720368547758.08 USD");
    }

    #[test]
    fn a_currency_is_one_that_iso_4217_lists() {
        for code in ["", "US", "USDX", "usd", "ABC", "XTS", "US ", "€uro"] {
            assert!(code.parse::<Currency>().is_err(), "{code:?}");
        }
    }

    #[test]
    fn different_currencies_are_never_added() {
        let yen = Money::new(1, "JPY".parse().unwrap());
        assert!(matches!(usd(1).plus(yen), Err(MoneyError::CurrencyMismatch(..))));
    }

    proptest! {
        #[test]
        fn arithmetic_is_exact_or_refused(a: i64, b: i64, quantity: u32) {
            let wide = i128::from(a) + i128::from(b);
            prop_assert_eq!(usd(a).plus(usd(b)).ok().map(|m| i128::from(m.amount)), i64::try_from(wide).ok().map(i128::from));
            let wide = i128::from(a) * i128::from(quantity);
            prop_assert_eq!(usd(a).times(quantity).ok().map(|m| i128::from(m.amount)), i64::try_from(wide).ok().map(i128::from));
        }
    }
}
