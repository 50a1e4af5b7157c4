//! Which days a report is about: a period that ends today, or from one day to another.

use utoipa::IntoParams;
use waybill_domain::Date;
use waybill_domain::report::{Period, Range};
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
    /// The last day; today unless it is given. At most ten years after the first one.
    #[param(value_type = Option<String>, format = Date, example = "2026-11-30")]
    to: Option<String>,
}

/// Takes the days; None where something is wrong with them.
pub fn take(parameters: &mut Parameters, today: Date) -> Option<Range> {
    let date = |text: &str| match text.len() {
        10 => text.parse::<Date>().map_err(|_| "must be a day such as 2026-11-26"),
        _ => Err("must be a day such as 2026-11-26"),
    };
    let period = parameters.take("period", |text| text.parse::<Period>());
    let from = parameters.take("from", date);
    let to = parameters.take("to", date);
    if parameters.has_errors() {
        return None;
    }
    match (period, from, to) {
        (Some(_), None, None) | (None, None, None) => Some(period.unwrap_or(Period::Month).until(today)),
        (Some(_), Some(_), _) => refuse(parameters, "from", "cannot be given together with a period"),
        (Some(_), None, Some(_)) => refuse(parameters, "to", "cannot be given together with a period"),
        (None, None, Some(_)) => refuse(parameters, "from", "must be given where to is"),
        (None, Some(from), None) if from > today => refuse(parameters, "from", "must not be after today"),
        (None, Some(from), to) => match Range::new(from, to.unwrap_or(today)) {
            Ok(range) => Some(range),
            Err(invalid) => refuse(parameters, "to", &invalid.to_string()),
        },
    }
}

fn refuse(parameters: &mut Parameters, name: &str, detail: &str) -> Option<Range> {
    parameters.refuse(name, detail);
    None
}
