//! Reads what the shop wants to be paid for: the parameters of `POST /v1/checkout/sessions`.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};

use super::checkout::{Order, Saves};
use super::form::Parameters;
use super::ledger::Ledger;
use super::refusal::Refusal;
use super::{currency, customers, lines};

/// Which objects an answer shows in full instead of their ids.
pub type Expand = Vec<String>;

/// The order and what to expand in the answer; refused where Stripe refuses, and where the stand-in does not understand.
pub fn read(body: &[u8], ledger: &Ledger, now: Timestamp) -> Result<(Order, Expand), Refusal> {
    let mut given = Parameters::read(body)?;
    let expand = expand(&mut given)?;
    only(&mut given, "mode", &["payment"], true)?;
    only(&mut given, "ui_mode", &["hosted_page"], false)?;
    if let Some(other) = given.texts("payment_method_types")?.into_iter().find(|method| method != "card") {
        let message = format!("The stand-in for Stripe takes cards only, not {other}.");
        return Err(Refusal::invalid(message, "payment_method_types"));
    }

    let (lines, currency) = lines::read(&mut given)?;
    let total = lines::total(&lines, &currency)?;

    let (payment_metadata, payment_description, is_captured_later) = match given.nested("payment_intent_data")? {
        None => (BTreeMap::new(), None, false),
        Some(mut payment) => {
            let is_captured_later = is_captured_later(&mut payment)?;
            let read = (payment.metadata()?, payment.text("description", 1000)?, is_captured_later);
            payment.finish()?;
            read
        }
    };
    let success_url = match url(&mut given, "success_url")? {
        Some(url) => url,
        None => return Err(Refusal::missing("success_url")),
    };
    let (customer, customer_email) = (given.text("customer", 255)?, email(&mut given)?);
    if customer.is_some() && customer_email.is_some() {
        let message = "You may only specify one of these parameters: customer, customer_email.";
        return Err(Refusal::invalid(message, "customer"));
    }
    let order = Order {
        currency,
        lines,
        total,
        expires_at: expiry(&mut given, now)?,
        success_url,
        cancel_url: url(&mut given, "cancel_url")?,
        client_reference_id: given.text("client_reference_id", 200)?,
        customer_email,
        buyer: customers::buyer(ledger, customer.as_deref())?,
        saves: saves(&mut given)?,
        locale: given.text("locale", 10)?,
        metadata: given.metadata()?,
        payment_description,
        payment_metadata,
        is_captured_later,
        has_no_page: false,
    };
    given.finish()?;
    Ok((order, expand))
}

/// What `POST /v1/payment_intents` is asked for with.
pub fn read_intent(body: &[u8], ledger: &Ledger, now: Timestamp) -> Result<Order, Refusal> {
    let mut given = Parameters::read(body)?;
    let total = given.integer("amount")?.ok_or_else(|| Refusal::missing("amount"))?;
    let currency = given.required_text("currency", 10)?;
    let (least, largest) = (currency::least_charge(&currency), currency::largest_charge(&currency));
    if currency::minor_digits(&currency).is_none() {
        return Err(Refusal::invalid(format!("Invalid currency: {currency}"), "currency"));
    }
    if total < least {
        return Err(Refusal::coded("amount_too_small", "Amount is below the minimum of the currency.", "amount"));
    }
    if total > largest {
        return Err(Refusal::coded("amount_too_large", "Amount is above the maximum of the currency.", "amount"));
    }
    if let Some(mut methods) = given.nested("automatic_payment_methods")? {
        methods.text("enabled", 10)?;
        methods.finish()?;
    }
    let is_captured_later = is_captured_later(&mut given)?;
    let order = Order {
        currency,
        lines: Vec::new(),
        total,
        expires_at: now,
        success_url: String::new(),
        cancel_url: None,
        client_reference_id: None,
        customer_email: None,
        buyer: customers::buyer(ledger, given.text("customer", 255)?.as_deref())?,
        saves: None,
        locale: None,
        metadata: BTreeMap::new(),
        payment_description: given.text("description", 1000)?,
        payment_metadata: given.metadata()?,
        is_captured_later,
        has_no_page: true,
    };
    given.finish()?;
    Ok(order)
}

fn saves(given: &mut Parameters) -> Result<Option<Saves>, Refusal> {
    let Some(mut options) = given.nested("saved_payment_method_options")? else { return Ok(None) };
    const KNOWN: [&str; 2] = ["enabled", "disabled"];
    let saves = Saves {
        save: options.one_of("payment_method_save", &KNOWN)?,
        remove: options.one_of("payment_method_remove", &KNOWN)?,
    };
    options.finish()?;
    Ok(Some(saves))
}

fn is_captured_later(given: &mut Parameters) -> Result<bool, Refusal> {
    let method = given.one_of("capture_method", &["automatic", "automatic_async", "manual"])?;
    Ok(method.as_deref() == Some("manual"))
}

/// Takes `expand[]`; only what a checkout can show in full is understood.
pub fn expand(given: &mut Parameters) -> Result<Expand, Refusal> {
    let expand = given.texts("expand")?;
    const KNOWN: [&str; 4] = ["line_items", "payment_intent", "payment_intent.latest_charge", "latest_charge"];
    match expand.iter().find(|path| !KNOWN.contains(&path.as_str())) {
        None => Ok(expand),
        Some(path) => Err(Refusal::invalid(format!("This property cannot be expanded ({path})."), "expand")),
    }
}

fn only(given: &mut Parameters, field: &str, understood: &[&str], required: bool) -> Result<(), Refusal> {
    match given.text(field, 100)? {
        None if required => Err(Refusal::missing(field)),
        Some(value) if !understood.contains(&value.as_str()) => {
            let message =
                format!("The stand-in for Stripe knows only {} as {field}, not {value}.", understood.join(", "));
            Err(Refusal::invalid(message, field))
        }
        None | Some(_) => Ok(()),
    }
}

fn expiry(given: &mut Parameters, now: Timestamp) -> Result<Timestamp, Refusal> {
    let day = SignedDuration::from_hours(24);
    let Some(seconds) = given.integer("expires_at")? else {
        return Ok(now + day);
    };
    // Seconds only, so the shop's clock and the way here must not make an exact half hour too short.
    let in_time = |at: &Timestamp| {
        let ahead = at.duration_since(now);
        ahead > SignedDuration::from_secs(30 * 60 - 5) && ahead <= day + SignedDuration::from_secs(5)
    };
    Timestamp::from_second(seconds).ok().filter(in_time).ok_or_else(|| {
        let message = "The `expires_at` timestamp must be at least 30 minutes and less than 24 hours from Checkout Session creation.";
        Refusal::invalid(message, "expires_at")
    })
}

fn url(given: &mut Parameters, field: &str) -> Result<Option<String>, Refusal> {
    let Some(url) = given.text(field, 5000)? else {
        return Ok(None);
    };
    match reqwest::Url::parse(&url.replace("{CHECKOUT_SESSION_ID}", "cs")) {
        Ok(parsed) if ["http", "https"].contains(&parsed.scheme()) => Ok(Some(url)),
        Ok(_) | Err(_) => Err(Refusal::coded("url_invalid", "Not a valid URL", field)),
    }
}

fn email(given: &mut Parameters) -> Result<Option<String>, Refusal> {
    let Some(email) = given.text("customer_email", 800)? else {
        return Ok(None);
    };
    let is_plausible = email.split_once('@').is_some_and(|(name, host)| {
        !name.is_empty() && !host.is_empty() && !host.contains('@') && !email.contains(char::is_whitespace)
    });
    if is_plausible {
        Ok(Some(email))
    } else {
        Err(Refusal::coded("email_invalid", format!("Invalid email address: {email}"), "customer_email"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn body(changes: &[(&str, &str)]) -> Vec<u8> {
        let mut fields = BTreeMap::from([
            ("mode", "payment"),
            ("success_url", "https://shop.test/thanks?id={CHECKOUT_SESSION_ID}"),
            ("line_items[0][price_data][currency]", "usd"),
            ("line_items[0][price_data][unit_amount]", "1299"),
            ("line_items[0][price_data][product_data][name]", "Mug"),
            ("line_items[0][quantity]", "2"),
        ]);
        fields.extend(changes.iter().copied());
        let pairs: Vec<String> =
            fields.iter().filter(|(_, value)| **value != "-").map(|(name, value)| format!("{name}={value}")).collect();
        pairs.join("&").into_bytes()
    }

    fn refused(changes: &[(&str, &str)]) -> (Option<&'static str>, Option<String>) {
        let refusal = read(&body(changes), &Ledger::default(), Timestamp::now()).unwrap_err();
        (refusal.code, refusal.param)
    }

    #[test]
    fn lines_add_up_to_the_total() {
        let (order, _) = read(&body(&[]), &Ledger::default(), Timestamp::now()).unwrap();
        assert_eq!((order.total, order.currency.as_str()), (2598, "usd"));
    }

    /// Changed fields, and the code and parameter of the refusal.
    type Case = (&'static [(&'static str, &'static str)], Option<&'static str>, &'static str);

    #[test]
    fn an_order_that_stripe_would_refuse_is_refused() {
        let cases: &[Case] = &[
            (&[("mode", "-")], Some("parameter_missing"), "mode"),
            (&[("mode", "subscription")], None, "mode"),
            (&[("success_url", "-")], Some("parameter_missing"), "success_url"),
            (&[("success_url", "javascript:alert(1)")], Some("url_invalid"), "success_url"),
            (&[("customer_email", "nobody")], Some("email_invalid"), "customer_email"),
            (&[("line_items[0][quantity]", "0")], Some("parameter_invalid_integer"), "line_items[0][quantity]"),
            (&[("line_items[0][quantity]", "two")], Some("parameter_invalid_integer"), "line_items[0][quantity]"),
            (&[("line_items[0][price_data][currency]", "xyz")], None, "line_items[0][price_data][currency]"),
            (&[("line_items[0][price_data][unit_amount]", "24")], Some("amount_too_small"), "line_items"),
            (&[("line_items[0][price_data][unit_amount]", "99999999")], Some("amount_too_large"), "line_items"),
            (
                &[("line_items[0][price_data][unit_amount]", "9223372036854775807")],
                Some("amount_too_large"),
                "line_items",
            ),
            (
                &[("line_items[0][price_data][unit_amount]", "-1")],
                Some("parameter_invalid_integer"),
                "line_items[0][price_data][unit_amount]",
            ),
            (&[("line_items[0][price_data][tax]", "1")], Some("parameter_unknown"), "line_items[0][price_data][tax]"),
            (&[("discounts[0][coupon]", "x")], Some("parameter_unknown"), "discounts"),
            (&[("payment_intent_data[capture_method]", "never")], None, "payment_intent_data[capture_method]"),
            (&[("customer", "cus_1"), ("customer_email", "ann@example.com")], None, "customer"),
            (
                &[("saved_payment_method_options[payment_method_save]", "always")],
                None,
                "saved_payment_method_options[payment_method_save]",
            ),
            (&[("client_reference_id", "")], Some("parameter_invalid_empty"), "client_reference_id"),
            (&[("expand[0]", "customer")], None, "expand"),
        ];
        for (changes, code, param) in cases {
            assert_eq!(refused(changes), (*code, Some((*param).to_owned())), "{changes:?}");
        }
    }

    #[test]
    fn a_session_lives_from_half_an_hour_to_a_day() {
        let now = Timestamp::now();
        let at = |seconds: i64| (now.as_second() + seconds).to_string();
        for (ahead, is_taken) in [(1790, false), (1800, true), (86_400, true), (86_410, false)] {
            let taken = read(&body(&[("expires_at", &at(ahead))]), &Ledger::default(), now).is_ok();
            assert_eq!(taken, is_taken, "{ahead}");
        }
        let (order, _) = read(&body(&[]), &Ledger::default(), now).unwrap();
        assert_eq!(order.expires_at.duration_since(now).as_hours(), 24);
    }

    #[test]
    fn a_hundred_lines_are_taken_and_one_more_is_not() {
        let with = |count: usize| {
            let lines: Vec<String> = (0..count)
                .map(|at| format!("line_items[{at}][price_data][currency]=usd&line_items[{at}][price_data][unit_amount]=100&line_items[{at}][price_data][product_data][name]=n&line_items[{at}][quantity]=1"))
                .collect();
            let body = format!("mode=payment&success_url=https://shop.test&{}", lines.join("&"));
            read(body.as_bytes(), &Ledger::default(), Timestamp::now())
        };
        assert_eq!(with(100).unwrap().0.total, 10_000);
        assert!(with(101).is_err());
    }

    #[test]
    fn three_digit_amounts_end_in_zero() {
        let kwd = ("line_items[0][price_data][currency]", "kwd");
        assert!(
            read(
                &body(&[kwd, ("line_items[0][price_data][unit_amount]", "1290")]),
                &Ledger::default(),
                Timestamp::now()
            )
            .is_ok()
        );
        assert_eq!(refused(&[kwd]).1.as_deref(), Some("line_items[0][price_data][unit_amount]"));
    }
}
