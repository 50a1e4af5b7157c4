//! Promotions, for staff.

use axum::Json;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use http::StatusCode;
use http::header::LOCATION;
use serde::Deserialize;
use serde_json::Value;
use utoipa::ToSchema;
use waybill_domain::id::PromotionId;
use waybill_domain::money::Money;
use waybill_domain::pricing::MAX_SCOPE;
use waybill_domain::product::Title;
use waybill_domain::text::Invalid;
use waybill_domain::totals::{Effect, Promotion, Scope, Stacking, Trigger, UseLimit};
use waybill_lambda::{clock, random};
use waybill_storage::Table;
use waybill_web::query::List;
use waybill_web::{Body, Fields, IfMatch, NewMoney, Problem, Segment, Staff, may, version_tag};

use crate::fields::{list, meaningless, needed, one_of, time};

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewPromotion {
    #[schema(value_type = Title, example = "Summer sale")]
    title: String,
    /// Automatic unless it is given.
    #[schema(value_type = Option<Trigger>)]
    trigger: Option<NewTrigger>,
    #[schema(value_type = Effect)]
    effect: NewEffect,
    /// Everything unless it is given.
    #[schema(value_type = Option<Scope>)]
    scope: Option<NewScope>,
    /// What the lines in scope must come to before any discount.
    #[schema(value_type = Option<Money>)]
    minimum: Option<NewMoney>,
    /// In force from this moment on.
    #[schema(value_type = Option<Timestamp>)]
    from: Option<String>,
    /// In force before this moment.
    #[schema(value_type = Option<Timestamp>)]
    until: Option<String>,
    /// `stacks` unless it is given.
    #[schema(value_type = Option<Stacking>)]
    stacking: Option<String>,
    /// How many orders may have it. Those from before there was a limit do not count.
    #[schema(value_type = Option<UseLimit>)]
    limit: Option<i64>,
    /// How many orders of one customer may have it.
    #[schema(value_type = Option<UseLimit>)]
    limit_per_customer: Option<i64>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct NewTrigger {
    kind: String,
    code: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct NewEffect {
    kind: String,
    buy: Option<i64>,
    get: Option<i64>,
    /// Basis points or an amount.
    off: Option<Value>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct NewScope {
    kind: String,
    category_ids: Option<Vec<String>>,
    product_ids: Option<Vec<String>>,
    skus: Option<Vec<String>>,
}

impl NewPromotion {
    fn check(self, id: PromotionId) -> Result<Promotion, Problem> {
        let mut fields = Fields::default();
        let title = fields.take("/title", self.title.parse());
        let trigger = self.trigger.map_or(Some(Trigger::Automatic), |trigger| trigger.check(&mut fields));
        let effect = self.effect.check(&mut fields);
        let scope = self.scope.map_or(Some(Scope::Everything), |scope| scope.check(&mut fields));
        let minimum = self.minimum.and_then(|minimum| minimum.check(&mut fields, "/minimum", 1));
        let from = self.from.and_then(|from| time(&mut fields, "/from", &from));
        let until = self.until.and_then(|until| time(&mut fields, "/until", &until));
        if from.zip(until).is_some_and(|(from, until)| until <= from) {
            fields.refuse("/until", "must be later than from");
        }
        if let (Some(Effect::Fixed { off }), Some(minimum)) = (&effect, minimum)
            && off.currency != minimum.currency
        {
            fields.refuse("/minimum/currency", "must be that of what is taken off");
        }
        let words = [("stacks", Stacking::Stacks), ("alone", Stacking::Alone)];
        let stacking =
            self.stacking.map_or(Some(Stacking::Stacks), |word| one_of(&mut fields, "/stacking", &word, &words));
        let limit = fields.take_optional("/limit", self.limit.map(UseLimit::try_from));
        let limit_per_customer =
            fields.take_optional("/limit_per_customer", self.limit_per_customer.map(UseLimit::try_from));
        fields.finish(|| {
            let (title, trigger, effect, scope, stacking) = (title?, trigger?, effect?, scope?, stacking?);
            Some(Promotion {
                id,
                title,
                trigger,
                effect,
                scope,
                minimum,
                from,
                until,
                stacking,
                limit,
                limit_per_customer,
            })
        })
    }
}

impl NewTrigger {
    fn check(self, fields: &mut Fields) -> Option<Trigger> {
        let (kinds, at) = ([("automatic", false), ("code", true)], "/trigger/code");
        if one_of(fields, "/trigger/kind", &self.kind, &kinds)? {
            let code = needed(fields, at, self.code)?;
            fields.take(at, code.parse()).map(|code| Trigger::Code { code })
        } else {
            meaningless(fields, at, self.code);
            Some(Trigger::Automatic)
        }
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    BuyXGetY,
    Percentage,
    Fixed,
    FreeShipping,
}

impl NewEffect {
    fn check(self, fields: &mut Fields) -> Option<Effect> {
        let kinds = [
            ("buy_x_get_y", Kind::BuyXGetY),
            ("percentage", Kind::Percentage),
            ("fixed", Kind::Fixed),
            ("free_shipping", Kind::FreeShipping),
        ];
        let kind = one_of(fields, "/effect/kind", &self.kind, &kinds)?;
        if kind != Kind::BuyXGetY {
            meaningless(fields, "/effect/buy", self.buy);
            meaningless(fields, "/effect/get", self.get);
        }
        let at = "/effect/off";
        let points = |fields: &mut Fields, off: Option<Value>| {
            let off = needed(fields, at, off)?;
            let points = off.as_i64().ok_or_else(|| Invalid::new("must be a number of basis points"));
            fields.take(at, points.and_then(TryInto::try_into))
        };
        match kind {
            Kind::BuyXGetY => {
                let units = |fields: &mut Fields, at: &str, given| {
                    let units: i64 = needed(fields, at, given)?;
                    fields.take(at, units.try_into())
                };
                let (buy, get) = (units(fields, "/effect/buy", self.buy), units(fields, "/effect/get", self.get));
                let off = points(fields, self.off);
                Some(Effect::BuyXGetY { buy: buy?, get: get?, off: off? })
            }
            Kind::Percentage => points(fields, self.off).map(|off| Effect::Percentage { off }),
            Kind::Fixed => {
                let off = needed(fields, at, self.off)?;
                let off = fields.take(at, NewMoney::of(off))?.check(fields, at, 1)?;
                Some(Effect::Fixed { off })
            }
            Kind::FreeShipping => {
                meaningless(fields, at, self.off);
                Some(Effect::FreeShipping)
            }
        }
    }
}

impl NewScope {
    fn check(self, fields: &mut Fields) -> Option<Scope> {
        let kinds = [("everything", 0), ("categories", 1), ("products", 2), ("skus", 3)];
        let kind = one_of(fields, "/scope/kind", &self.kind, &kinds)?;
        let given =
            [(1, "category_ids", self.category_ids), (2, "product_ids", self.product_ids), (3, "skus", self.skus)];
        let mut names = Vec::new();
        for (of, name, given) in given {
            let at = format!("/scope/{name}");
            if of == kind {
                names = needed(fields, &at, given)?;
            } else {
                meaningless(fields, &at, given);
            }
        }
        Some(match kind {
            0 => Scope::Everything,
            1 => Scope::Categories { category_ids: named(fields, "/scope/category_ids", names) },
            2 => Scope::Products { product_ids: named(fields, "/scope/product_ids", names) },
            _ => Scope::Skus { skus: named(fields, "/scope/skus", names) },
        })
    }
}

fn named<T: std::str::FromStr<Err = Invalid>>(fields: &mut Fields, at: &str, names: Vec<String>) -> Vec<T> {
    list(fields, at, names, MAX_SCOPE, |fields, at, name| fields.take(at, name.parse()))
}

/// List the promotions
#[utoipa::path(
    get,
    path = "/v1/admin/promotions",
    responses((status = 200, description = "All promotions, the oldest first, in one page.", body = List<Promotion>)),
    security(("bearer" = ["pricing:write"])),
)]
pub async fn list_promotions(
    State(table): State<Table>,
    _: Staff<may::WritePricing>,
) -> Result<Json<List<Promotion>>, Problem> {
    Ok(Json(List::whole(table.pricing(true).await?.promotions)))
}

/// Set up a promotion
///
/// Carts have it within seconds. Amounts count in carts of their own currency only.
#[utoipa::path(
    post,
    path = "/v1/admin/promotions",
    request_body = NewPromotion,
    responses((status = 201, description = "The promotion is set up.", body = Promotion, headers(("etag" = String, description = "Its version."), ("location" = String, description = "The path of what was made."))), (status = 409, description = "too-many")),
    security(("bearer" = ["pricing:write"])),
)]
pub async fn create_promotion(
    State(table): State<Table>,
    _: Staff<may::WritePricing>,
    Body(body): Body<NewPromotion>,
) -> Result<Response, Problem> {
    let promotion = body.check(PromotionId::new(random::uuid_at(clock::now())))?;
    table.add_setting(&promotion).await?;
    let location = [(LOCATION, format!("/v1/admin/promotions/{}", promotion.id))];
    Ok((StatusCode::CREATED, location, [version_tag(1)], Json(promotion)).into_response())
}

/// Read a promotion
#[utoipa::path(
    get,
    path = "/v1/admin/promotions/{id}",
    params(("id" = PromotionId, Path)),
    responses((status = 200, description = "The promotion.", body = Promotion, headers(("etag" = String, description = "Its version.")))),
    security(("bearer" = ["pricing:write"])),
)]
pub async fn read_promotion(
    State(table): State<Table>,
    _: Staff<may::WritePricing>,
    Segment(id): Segment,
) -> Result<Response, Problem> {
    let unknown = || Problem::not_found("promotion");
    let kept = table.setting::<Promotion>(id.parse().map_err(|_| unknown())?).await?.ok_or_else(unknown)?;
    Ok(([version_tag(kept.version)], Json(kept.value)).into_response())
}

/// Replace a promotion
///
/// How often it was used stays as it is.
#[utoipa::path(
    put,
    path = "/v1/admin/promotions/{id}",
    params(("id" = PromotionId, Path), ("If-Match" = String, Header, description = "The ETag of what was read.")),
    request_body = NewPromotion,
    responses((status = 200, description = "The promotion as it is now.", body = Promotion, headers(("etag" = String, description = "Its version."))), (status = 412, description = "outdated"), (status = 428, description = "version-needed")),
    security(("bearer" = ["pricing:write"])),
)]
pub async fn replace_promotion(
    State(table): State<Table>,
    _: Staff<may::WritePricing>,
    Segment(id): Segment,
    IfMatch(version): IfMatch,
    Body(body): Body<NewPromotion>,
) -> Result<Response, Problem> {
    let promotion = body.check(id.parse().map_err(|_| Problem::not_found("promotion"))?)?;
    let version = table.replace_setting(&promotion, version).await?;
    Ok(([version_tag(version)], Json(promotion)).into_response())
}

/// Delete a promotion
///
/// Quotes that have it already are honoured for their 15 minutes.
#[utoipa::path(
    delete,
    path = "/v1/admin/promotions/{id}",
    params(("id" = PromotionId, Path)),
    responses((status = 204, description = "The promotion is gone.")),
    security(("bearer" = ["pricing:write"])),
)]
pub async fn delete_promotion(
    State(table): State<Table>,
    _: Staff<may::WritePricing>,
    Segment(id): Segment,
) -> Result<StatusCode, Problem> {
    table.remove_setting::<Promotion>(id.parse().map_err(|_| Problem::not_found("promotion"))?).await?;
    Ok(StatusCode::NO_CONTENT)
}
