//! The stock of one SKU, for staff.

use axum::Json;
use axum::extract::State;
use serde::{Deserialize, Deserializer, Serialize};
use utoipa::ToSchema;
use waybill_domain::id::{LocationId, ProductId};
use waybill_domain::product::{MAX_STOCK, Title};
use waybill_domain::spread::{MAX_BUCKETS, MIN_BUCKETS};
use waybill_domain::stock::{MAX_BEYOND, Refusal, Selling};
use waybill_domain::text::{Invalid, Sku};
use waybill_domain::{Date, Timestamp};
use waybill_lambda::clock;
use waybill_storage::Table;
use waybill_storage::stock::{NotMoved, SkuStock, Terms};
use waybill_web::problem::FieldError;
use waybill_web::{Body, Fields, Kind, Problem, Segment, Staff, may};

/// What is on hand of a SKU, what of it is ordered, and what can be.
#[derive(Serialize, ToSchema)]
#[schema(as = Stock)]
pub struct StockView {
    sku: Sku,
    product_id: ProductId,
    #[schema(example = "Earl Grey, 100 g")]
    title: Title,
    /// At all locations together; below zero where more was sold than there was.
    on_hand: i64,
    /// Ordered, and not yet taken off the shelf because it is not paid.
    reserved: i64,
    /// Units that can still be ordered; null where they are not counted.
    #[schema(required)]
    available: Option<u64>,
    locations: Vec<LocationStock>,
    selling: SellingView,
    /// Staff are told when no more than this is left.
    #[schema(required)]
    low_stock_at: Option<u32>,
    /// Over how many buckets it is spread; null where it is not.
    #[schema(required, example = 64)]
    buckets: Option<u16>,
}

#[derive(Serialize, ToSchema)]
struct LocationStock {
    location_id: LocationId,
    on_hand: i64,
}

/// What a SKU is sold from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
enum SellingKind {
    /// What is on hand.
    Stock,
    /// Also what is still to come.
    Backorder,
    /// What nobody has yet.
    Preorder,
    /// It is not counted.
    Untracked,
}

#[derive(Serialize, ToSchema)]
#[schema(as = Selling)]
struct SellingView {
    kind: SellingKind,
    /// Units that may be ordered beyond what is on hand.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    up_to: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, value_type = Option<String>, format = Date, example = "2027-03-01")]
    ships_from: Option<Date>,
}

impl From<Selling> for SellingView {
    fn from(selling: Selling) -> Self {
        let (kind, up_to, ships_from) = match selling {
            Selling::Stock => (SellingKind::Stock, None, None),
            Selling::Backorder { up_to } => (SellingKind::Backorder, Some(up_to), None),
            Selling::Preorder { up_to, ships_from } => (SellingKind::Preorder, Some(up_to), Some(ships_from)),
            Selling::Untracked => (SellingKind::Untracked, None, None),
        };
        SellingView { kind, up_to, ships_from }
    }
}

impl From<SkuStock> for StockView {
    fn from(SkuStock { offer, stock, .. }: SkuStock) -> Self {
        StockView {
            on_hand: stock.total(),
            reserved: stock.reserved(),
            available: (offer.selling != Selling::Untracked).then_some(offer.orderable()),
            locations: stock
                .on_hand
                .iter()
                .map(|(location_id, on_hand)| LocationStock { location_id: *location_id, on_hand: *on_hand })
                .collect(),
            selling: offer.selling.into(),
            low_stock_at: offer.low_stock_at,
            buckets: offer.spread.map(|spread| spread.buckets),
            sku: offer.sku,
            product_id: offer.product_id,
            title: offer.title,
        }
    }
}

/// Read the stock of a SKU
#[utoipa::path(
    get,
    path = "/v1/admin/skus/{sku}/stock",
    params(("sku" = Sku, Path)),
    responses((status = 200, description = "What is on hand and where.", body = StockView)),
    security(("bearer" = ["stock:read"])),
)]
pub async fn read_stock(
    State(table): State<Table>,
    _: Staff<may::ReadStock>,
    Segment(sku): Segment,
) -> Result<Json<StockView>, Problem> {
    let sku = named(&sku)?;
    Ok(Json(table.stock(&sku).await?.ok_or_else(unknown)?.into()))
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct StockChange {
    /// Null for never.
    #[serde(default, deserialize_with = "given")]
    #[schema(required = false, minimum = 0, maximum = 1_000_000_000, example = 5)]
    low_stock_at: Option<Option<i64>>,
    selling: Option<NewSelling>,
    /// For a SKU that more than some ten people a second order, as in a flash sale: its stock is spread over so many items of the
    /// table. 16 bear 60 orders a second, 256 bear 1,000. Nothing else about it changes. Null for not at all.
    #[serde(default, deserialize_with = "given")]
    #[schema(required = false, minimum = 16, maximum = 256, example = 64)]
    buckets: Option<Option<i64>>,
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct NewSelling {
    kind: SellingKind,
    /// Units that may be ordered beyond what is on hand: with `backorder` and `preorder`, and only there.
    #[schema(minimum = 1, maximum = 1_000_000, example = 100)]
    up_to: Option<i64>,
    /// With `preorder`, and only there.
    #[schema(value_type = Option<String>, format = Date, pattern = "^[0-9]{4}-[0-9]{2}-[0-9]{2}$", example = "2027-03-01")]
    ships_from: Option<String>,
}

/// Tells null from a field that is not there.
fn given<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Option<i64>>, D::Error> {
    Option::deserialize(deserializer).map(Some)
}

impl NewSelling {
    fn check(self, fields: &mut Fields) -> Option<Selling> {
        let ahead = matches!(self.kind, SellingKind::Backorder | SellingKind::Preorder);
        let up_to = match (self.up_to, ahead) {
            (Some(units), true) => {
                let checked = u32::try_from(units).ok().filter(|units| (1..=MAX_BEYOND).contains(units));
                let wrong = || Invalid::new(format!("must be from 1 to {MAX_BEYOND}"));
                fields.take("/selling/up_to", checked.ok_or_else(wrong))
            }
            (None, false) => None,
            (None, true) => {
                fields.refuse("/selling/up_to", "must be given");
                None
            }
            (Some(_), false) => {
                fields.refuse("/selling/up_to", "belongs to a backorder or a preorder only");
                None
            }
        };
        let ships_from = match (self.ships_from, self.kind) {
            (Some(date), SellingKind::Preorder) => fields.take("/selling/ships_from", date_of(&date)),
            (None, SellingKind::Preorder) => {
                fields.refuse("/selling/ships_from", "must be given");
                None
            }
            (Some(_), _) => {
                fields.refuse("/selling/ships_from", "belongs to a preorder only");
                None
            }
            (None, _) => None,
        };
        Some(match self.kind {
            SellingKind::Stock => Selling::Stock,
            SellingKind::Untracked => Selling::Untracked,
            SellingKind::Backorder => Selling::Backorder { up_to: up_to? },
            SellingKind::Preorder => Selling::Preorder { up_to: up_to?, ships_from: ships_from? },
        })
    }
}

/// A day as it is written, and in no other way.
fn date_of(text: &str) -> Result<Date, Invalid> {
    let date = text.parse::<Date>().ok().filter(|date| date.to_string() == text);
    date.ok_or_else(|| Invalid::new("must be a day such as 2027-03-01"))
}

/// Say how a SKU is sold
///
/// What is not given stays. Refused while more is ordered than could be ordered then.
#[utoipa::path(
    patch,
    path = "/v1/admin/skus/{sku}/stock",
    params(("sku" = Sku, Path)),
    request_body = StockChange,
    responses((status = 200, description = "The stock as it is now.", body = StockView), (status = 409, description = "not-enough-stock")),
    security(("bearer" = ["stock:write"])),
)]
pub async fn change_stock(
    State(table): State<Table>,
    _: Staff<may::WriteStock>,
    Segment(sku): Segment,
    Body(body): Body<StockChange>,
) -> Result<Json<StockView>, Problem> {
    let mut fields = Fields::default();
    let selling = body.selling.and_then(|selling| selling.check(&mut fields));
    let low_stock_at = body.low_stock_at.map(|threshold| {
        let checked = threshold.map(|units| {
            let checked = u32::try_from(units).ok().filter(|units| *units <= MAX_STOCK);
            checked.ok_or_else(|| Invalid::new(format!("must be from 0 to {MAX_STOCK}")))
        });
        fields.take_optional("/low_stock_at", checked)
    });
    let buckets = body.buckets.map(|buckets| {
        let checked = buckets.map(|number| {
            let checked = u16::try_from(number).ok().filter(|number| (MIN_BUCKETS..=MAX_BUCKETS).contains(number));
            checked.ok_or_else(|| Invalid::new(format!("must be from {MIN_BUCKETS} to {MAX_BUCKETS}")))
        });
        fields.take_optional("/buckets", checked)
    });
    let terms = fields.finish(|| Some(Terms { selling, low_stock_at, buckets }))?;
    let now: Timestamp = clock::now();
    Ok(Json(table.sell_on(&named(&sku)?, terms, now).await.map_err(not_moved)?.into()))
}

pub fn unknown() -> Problem {
    Problem::not_found("SKU")
}

/// The SKU of a path.
pub fn named(sku: &str) -> Result<Sku, Problem> {
    sku.parse().map_err(|_| unknown())
}

pub fn not_moved(refused: NotMoved) -> Problem {
    match refused {
        NotMoved::UnknownSku => unknown(),
        NotMoved::Failed(error) => error.into(),
        NotMoved::Refused(refusal @ Refusal::TooMany) => {
            Problem::new(Kind::TooMany, refusal.to_string()).with_errors(vec![FieldError::at("/units", "are too many")])
        }
        NotMoved::Refused(refusal @ (Refusal::NotOnHand { .. } | Refusal::Ordered { .. })) => {
            Problem::new(Kind::NotEnoughStock, refusal.to_string())
        }
    }
}
