//! What is in the basket: the `line_items` of a checkout session, and Stripe's limits for them.

use super::checkout::Line;
use super::form::Parameters;
use super::refusal::Refusal;
use super::{currency, objects};

/// The lines of `line_items` and their one currency.
pub fn read(given: &mut Parameters) -> Result<(Vec<Line>, String), Refusal> {
    let items = given.list("line_items")?;
    if items.is_empty() {
        return Err(Refusal::missing("line_items"));
    }
    if items.len() > 100 {
        return Err(Refusal::invalid("You can have up to 100 line items.", "line_items"));
    }
    let mut lines = Vec::with_capacity(items.len());
    let mut currency: Option<String> = None;
    for item in items {
        let name = item.name_of("price_data");
        let (line, its_currency) = line(item)?;
        if currency.get_or_insert_with(|| its_currency.clone()) != &its_currency {
            return Err(Refusal::invalid("All line items must have the same currency.", &format!("{name}[currency]")));
        }
        lines.push(line);
    }
    currency.map(|currency| (lines, currency)).ok_or_else(|| Refusal::missing("line_items"))
}

/// What the lines add up to, if Stripe would charge it.
pub fn total(lines: &[Line], currency: &str) -> Result<i64, Refusal> {
    let total = lines.iter().try_fold(0_i64, |sum, line| sum.checked_add(line.total));
    let least = currency::least_charge(currency);
    match total {
        Some(total) if total < least => Err(Refusal::coded(
            "amount_too_small",
            format!(
                "The Checkout Session's total amount due must add up to at least {}",
                currency::written_out(least, currency)
            ),
            "line_items",
        )),
        Some(total) if total <= currency::largest_charge(currency) => Ok(total),
        Some(_) | None => Err(too_large(currency)),
    }
}

fn line(mut item: Parameters) -> Result<(Line, String), Refusal> {
    let mut price = item.nested("price_data")?.ok_or_else(|| Refusal::missing(&item.name_of("price_data")))?;
    let mut product = price.nested("product_data")?.ok_or_else(|| Refusal::missing(&price.name_of("product_data")))?;

    let currency = price.required_text("currency", 5000)?.to_lowercase();
    if currency::minor_digits(&currency).is_none() {
        return Err(Refusal::invalid(format!("Invalid currency: {currency}."), &price.name_of("currency")));
    }
    let unit_amount = at_least(0, &mut price, "unit_amount")?;
    let step = currency::step(&currency);
    if unit_amount % step != 0 {
        let message = format!("Invalid amount: amounts in {currency} must be divisible by {step}.");
        return Err(Refusal::invalid(message, &price.name_of("unit_amount")));
    }
    let quantity = at_least(1, &mut item, "quantity")?;
    let total = unit_amount.checked_mul(quantity).ok_or_else(|| too_large(&currency))?;

    let line = Line {
        id: objects::new_id("li_1", 23),
        price: objects::new_id("price_1", 23),
        product: objects::new_id("prod_", 14),
        name: product.required_text("name", 5000)?,
        description: product.text("description", 40000)?,
        images: product.texts("images")?,
        product_metadata: product.metadata()?,
        metadata: item.metadata()?,
        unit_amount,
        quantity,
        total,
    };
    if line.images.len() > 8 {
        return Err(Refusal::invalid("You can have up to 8 images.", &product.name_of("images")));
    }
    product.finish()?;
    price.finish()?;
    item.finish()?;
    Ok((line, currency))
}

fn at_least(least: i64, given: &mut Parameters, field: &str) -> Result<i64, Refusal> {
    let name = given.name_of(field);
    let number = given.integer(field)?.ok_or_else(|| Refusal::missing(&name))?;
    if number < least {
        let message = format!("This value must be greater than or equal to {least}.");
        return Err(Refusal::coded("parameter_invalid_integer", message, &name));
    }
    Ok(number)
}

fn too_large(currency: &str) -> Refusal {
    let largest = currency::written_out(currency::largest_charge(currency), currency);
    let message = format!("The Checkout Session's total amount due must be no more than {largest}");
    Refusal::coded("amount_too_large", message, "line_items")
}
