//! Which days a report is about: a period that ends today, or from one day to another.

use utoipa::IntoParams;
use waybill_domain::Date;
use waybill_domain::report::{Period, Range};
use waybill_domain::text::Invalid;
use waybill_web::query::Parameters;

/// Which days a report is about.
#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
#[expect(dead_code, reason = "it only tells the document what reports take")]
pub struct Days {
    /// `today`, or up to today the last `7_days`, `30_days` (the default), `90_days` or `year`.
    #[param(value_type = Option<String>, example = "30_days")]
    period: Option<String>,
    /// The first day, in the shop's time zone; instead of a period.
    #[param(value_type = Option<String>, format = Date, example = "2026-11-01")]
    from: Option<String>,
    /// The last day; today unless it is given. Less than 3,660 days, which are ten years, after the first one.
    #[param(value_type = Option<String>, format = Date, example = "2026-11-30")]
    to: Option<String>,
}

/// Takes the days; None where something is wrong with them.
pub fn take(parameters: &mut Parameters, today: Date) -> Option<Range> {
    let period = parameters.take("period", |text| text.parse::<Period>());
    let from = parameters.take("from", date);
    let to = parameters.take("to", date);
    if parameters.has_errors() {
        return None;
    }
    chosen(period, from, to, today).map_err(|(name, detail)| parameters.refuse(name, &detail)).ok()
}

/// A day as it is asked for.
pub fn date(text: &str) -> Result<Date, Invalid> {
    let invalid = || Invalid::new("must be a day such as 2026-11-26");
    if text.len() == 10 { text.parse().map_err(|_| invalid()) } else { Err(invalid()) }
}

/// The days that are meant; or the name of what is wrong, and in what way.
pub fn chosen(
    period: Option<Period>,
    from: Option<Date>,
    to: Option<Date>,
    today: Date,
) -> Result<Range, (&'static str, String)> {
    match (period, from, to) {
        (Some(_), None, None) | (None, None, None) => Ok(period.unwrap_or(Period::Month).until(today)),
        (Some(_), Some(_), _) => Err(("from", "cannot be given together with a period".to_owned())),
        (Some(_), None, Some(_)) => Err(("to", "cannot be given together with a period".to_owned())),
        (None, None, Some(_)) => Err(("from", "must be given where to is".to_owned())),
        (None, Some(from), None) if from > today => Err(("from", "must not be after today".to_owned())),
        (None, Some(from), to) => Range::new(from, to.unwrap_or(today)).map_err(|invalid| ("to", invalid.to_string())),
    }
}
