//! What Stripe knows about currencies: which exist, their minor digits, and how much may be charged.

/// How many digits an amount in Stripe's API has after the point; None for a currency that Stripe does not take.
///
/// ISK and UGX have no minor unit, yet Stripe's amounts for them count hundredths.
pub fn minor_digits(currency: &str) -> Option<u32> {
    let listed = |list: &str| list.split(' ').any(|code| code == currency);
    if listed(WITHOUT_MINOR_UNIT) {
        Some(0)
    } else if listed(THOUSANDTHS) {
        Some(3)
    } else {
        listed(HUNDREDTHS).then_some(2)
    }
}

/// Stripe takes only multiples of this: three-digit amounts end in 0, those of ISK and UGX in 00.
pub fn step(currency: &str) -> i64 {
    match currency {
        "isk" | "ugx" => 100,
        _ if minor_digits(currency) == Some(3) => 10,
        _ => 1,
    }
}

/// The least that Stripe charges, in minor units. Currencies without a minimum of their own have 1 here.
pub fn least_charge(currency: &str) -> i64 {
    match currency {
        "usd" | "aud" | "brl" | "cad" | "chf" | "eur" | "inr" | "nzd" | "sgd" => 50,
        "gbp" => 30,
        "aed" | "myr" | "pln" | "ron" => 200,
        "bgn" => 100,
        "czk" => 1500,
        "dkk" => 250,
        "hkd" => 400,
        "huf" => 17500,
        "jpy" => 50,
        "mxn" | "thb" => 1000,
        "nok" | "sek" => 300,
        _ => 1,
    }
}

/// The most that Stripe charges, in minor units: eight digits, for IDR twelve.
pub fn largest_charge(currency: &str) -> i64 {
    if currency == "idr" { 999_999_999_999 } else { 99_999_999 }
}

/// An amount as a buyer reads it: `USD 1,299.00`, `JPY 1,299`, `KWD 1.299`.
pub fn written_out(amount: i64, currency: &str) -> String {
    let digits = minor_digits(currency).unwrap_or(2) as usize;
    let padded = format!("{:0>width$}", amount.unsigned_abs(), width = digits + 1);
    let (whole, minor) = padded.split_at(padded.len() - digits);
    let mut grouped = String::new();
    for (at, digit) in whole.chars().enumerate() {
        if at > 0 && (whole.len() - at).is_multiple_of(3) {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    let sign = if amount < 0 { "-" } else { "" };
    let point = if digits > 0 { "." } else { "" };
    format!("{} {sign}{grouped}{point}{minor}", currency.to_uppercase())
}

const WITHOUT_MINOR_UNIT: &str = "bif clp djf gnf jpy kmf krw mga pyg rwf vnd vuv xaf xof xpf";
const THOUSANDTHS: &str = "bhd jod kwd omr tnd";
const HUNDREDTHS: &str = "aed afn all amd ang aoa ars aud awg azn bam bbd bdt bgn bmd bnd bob brl bsd bwp byn bzd cad cdf chf cny cop crc cve czk dkk dop dzd egp etb eur fjd fkp gbp gel gip gmd gtq gyd hkd hnl htg huf idr ils inr isk jmd kes kgs khr kyd kzt lak lbp lkr lrd lsl mad mdl mkd mmk mnt mop mur mvr mwk mxn myr mzn nad ngn nio nok npr nzd pab pen pgk php pkr pln qar ron rsd rub sar sbd scr sek sgd shp sle sos srd std szl thb tjs top try ttd twd tzs uah ugx usd uyu uzs wst xcd yer zar zmw";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn amounts_are_written_with_their_currencys_own_digits() {
        assert_eq!(written_out(129_900, "usd"), "USD 1,299.00");
        assert_eq!(written_out(5, "usd"), "USD 0.05");
        assert_eq!(written_out(1_234_567, "jpy"), "JPY 1,234,567");
        assert_eq!(written_out(0, "jpy"), "JPY 0");
        assert_eq!(written_out(12_990, "kwd"), "KWD 12.990");
        assert_eq!(written_out(100, "eur"), "EUR 1.00");
    }

    #[test]
    fn every_currency_has_one_number_of_digits() {
        let all: Vec<&str> =
            [WITHOUT_MINOR_UNIT, THOUSANDTHS, HUNDREDTHS].iter().flat_map(|list| list.split(' ')).collect();
        let mut once = all.clone();
        once.sort_unstable();
        once.dedup();
        assert_eq!(all.len(), once.len());
        assert_eq!(minor_digits("xyz"), None);
        assert_eq!(minor_digits("USD"), None);
    }
}
