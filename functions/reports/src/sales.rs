//! What the shop earned: counts and amounts of a range of days, as a whole and in parts.

use axum::extract::State;
use axum::response::Response;
use http::HeaderMap;
use serde::Serialize;
use utoipa::ToSchema;
use waybill_domain::Date;
use waybill_domain::money::{Currency, Money};
use waybill_domain::report::{Counts, Interval, Range};
use waybill_lambda::clock;
use waybill_web::query::Parameters;
use waybill_web::{Problem, Staff, may, unless_known};

use crate::App;
use crate::books::Open;
use crate::range::{self, Days};

#[derive(Serialize, ToSchema)]
#[schema(as = SalesReport)]
pub struct SalesView {
    currency: Currency,
    /// The shop's, by whose days it is counted.
    #[schema(example = "Europe/Berlin")]
    time_zone: String,
    #[schema(value_type = String, format = Date, example = "2026-11-01")]
    from: Date,
    /// The last day, which is in it.
    #[schema(value_type = String, format = Date, example = "2026-11-30")]
    to: Date,
    total: Figures,
    /// Where `by` was given. The first and the last are cut off where the report begins and ends.
    parts: Vec<PartView>,
}

#[derive(Serialize, ToSchema)]
#[schema(as = SalesReportPart)]
struct PartView {
    #[schema(value_type = String, format = Date, example = "2026-11-01")]
    from: Date,
    #[schema(value_type = String, format = Date, example = "2026-11-07")]
    to: Date,
    #[serde(flatten)]
    #[schema(inline)]
    figures: Figures,
}

/// What some days came to. Everything counts on the day on which it happened: a refund takes from the day on which it was
/// made, not from that of the order.
#[derive(Serialize, ToSchema)]
struct Figures {
    /// Orders that were placed.
    orders_placed: i64,
    /// Orders that were paid, in time: the sales that the amounts are of.
    orders_paid: i64,
    /// What an order that was paid came to; null where none was.
    #[schema(required)]
    average_order: Option<Money>,
    /// Accounts that were made.
    new_customers: i64,
    /// Carts that customers began, logged in or not.
    carts: i64,
    /// Orders that customers placed from carts, for each ten thousand carts that were begun in these days; null where none was.
    /// More than that may have been ordered: some were begun before.
    #[schema(required, example = 312)]
    conversion_basis_points: Option<i64>,
    /// The goods as they are priced, before discounts.
    gross: Money,
    /// What was taken off goods and shipping.
    discounts: Money,
    /// Shipping before discounts.
    shipping: Money,
    /// In the prices or added to them.
    tax: Money,
    /// What buyers paid: gross and shipping without discounts, and tax where prices do not contain it.
    paid: Money,
    /// What went back to buyers, by refunds and by disputes that were lost.
    refunds: Money,
    /// The tax in that.
    refunded_tax: Money,
    /// What the shop keeps: paid without tax, less refunds without theirs.
    net: Money,
}

impl Figures {
    fn of(counts: Counts, open: &Open) -> Figures {
        let money = |amount| open.money(amount);
        Figures {
            orders_placed: counts.placed,
            orders_paid: counts.paid,
            average_order: counts.average_order().map(money),
            new_customers: counts.customers,
            carts: counts.carts,
            conversion_basis_points: counts.conversion(),
            gross: money(counts.gross),
            discounts: money(counts.discounts),
            shipping: money(counts.shipping),
            tax: money(counts.tax),
            paid: money(counts.taken),
            refunds: money(counts.refunds),
            refunded_tax: money(counts.refunded_tax),
            net: money(counts.net()),
        }
    }
}

/// Report on sales
///
/// Orders, revenue, new customers and conversion, by the days of the shop's time zone and in its currency. It follows within
/// seconds, and costs the same however many orders there are.
#[utoipa::path(
    get,
    path = "/v1/admin/reports/sales",
    params(Days, ("by" = Option<Interval>, Query, description = "In parts of a day, of a week from Monday on, or of a month: 400 at most.")),
    responses((status = 200, description = "What these days came to.", body = SalesView, headers(("etag" = String, description = "What it is known by."))), (status = 304, description = "You have the newest.")),
    security(("bearer" = ["reports:read"])),
)]
pub async fn read_sales(
    State(app): State<App>,
    _: Staff<may::ReadReports>,
    headers: HeaderMap,
    mut parameters: Parameters,
) -> Result<Response, Problem> {
    let now = clock::now();
    let open = app.books.open(now).await?;
    let range = range::take(&mut parameters, open.today(now));
    let by = parameters.take("by", |text| text.parse::<Interval>());
    let parts = match range.zip(by).map(|(range, by)| range.by(by)) {
        None => Vec::new(),
        Some(Ok(parts)) => parts,
        Some(Err(invalid)) => {
            parameters.refuse("by", &invalid.to_string());
            Vec::new()
        }
    };
    parameters.finish()?;
    let Some(range) = range else { return Err(Problem::internal("a report is about no days")) };
    let days = match &open.generation {
        Some(generation) => app.table.tally_of(generation, open.currency, range).await?,
        None => Default::default(),
    };
    let sum = |range: &Range| {
        let days = days.range(range.first()..=range.last());
        Figures::of(days.fold(Counts::default(), |sum, (_, counts)| sum.plus(*counts)), &open)
    };
    let part = |part: &Range| PartView { from: part.first(), to: part.last(), figures: sum(part) };
    let report = SalesView {
        currency: open.currency,
        from: range.first(),
        to: range.last(),
        total: sum(&range),
        parts: parts.iter().map(part).collect(),
        time_zone: open.zone_name,
    };
    unless_known(&headers, &report)
}
