//! Promotions, as the shop sets them up.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::BasketLine;
use crate::cart::Quantity;
use crate::id::{CategoryId, ProductId, PromotionId};
use crate::money::Money;
use crate::product::Title;
use crate::schema::{self, described};
use crate::text::{Invalid, PromotionCode, Sku};

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Promotion {
    pub id: PromotionId,
    pub title: Title,
    pub trigger: Trigger,
    pub effect: Effect,
    pub scope: Scope,
    /// What the lines in scope must come to before any discount.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub minimum: Option<Money>,
    /// In force from this moment on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub from: Option<Timestamp>,
    /// In force before this moment.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub until: Option<Timestamp>,
    pub stacking: Stacking,
    /// How many orders may have it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub limit: Option<UseLimit>,
    /// How many orders of one customer may have it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub limit_per_customer: Option<UseLimit>,
}

/// So many uses and no more: 1 to [`MAX_USES`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(into = "u32", try_from = "i64")]
pub struct UseLimit(u32);

pub const MAX_USES: u32 = 1_000_000_000;

described!(UseLimit, schema::number("How often something may be used.", 1, MAX_USES as i64, 100));

impl UseLimit {
    pub fn get(self) -> u32 {
        self.0
    }
}

impl TryFrom<i64> for UseLimit {
    type Error = Invalid;

    fn try_from(uses: i64) -> Result<Self, Invalid> {
        match u32::try_from(uses) {
            Ok(uses) if (1..=MAX_USES).contains(&uses) => Ok(UseLimit(uses)),
            _ => Err(Invalid::new(format!("must be from 1 to {MAX_USES}"))),
        }
    }
}

impl From<UseLimit> for u32 {
    fn from(limit: UseLimit) -> u32 {
        limit.0
    }
}

/// What brings a promotion into a cart.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Trigger {
    Automatic,
    Code { code: PromotionCode },
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Effect {
    /// Of all the units in scope, of each `buy + get` the `get` cheapest cost less by `off`.
    BuyXGetY { buy: Quantity, get: Quantity, off: BasisPoints },
    /// Off what is left of the lines in scope.
    Percentage { off: BasisPoints },
    /// Off what is left of the lines in scope, and no more than that.
    Fixed { off: Money },
    /// All of the shipping, once a line is in scope.
    FreeShipping,
}

/// Which lines a promotion is about.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Scope {
    Everything,
    /// Products that stand in one of these categories or below it.
    Categories {
        #[schema(min_items = 1, max_items = 100)]
        category_ids: Vec<CategoryId>,
    },
    Products {
        #[schema(min_items = 1, max_items = 100)]
        product_ids: Vec<ProductId>,
    },
    Skus {
        #[schema(min_items = 1, max_items = 100)]
        skus: Vec<Sku>,
    },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Stacking {
    /// With all others that stack.
    Stacks,
    /// Without any other.
    Alone,
}

/// A part of an amount in hundredths of a percent: 1 to 10,000, which is all of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(into = "u16", try_from = "i64")]
pub struct BasisPoints(u16);

described!(BasisPoints, schema::number("Hundredths of a percent: 1,000 is 10 %.", 1, 10_000, 1_000));

impl BasisPoints {
    pub fn get(self) -> u16 {
        self.0
    }
}

impl TryFrom<i64> for BasisPoints {
    type Error = Invalid;

    fn try_from(points: i64) -> Result<Self, Invalid> {
        match u16::try_from(points) {
            Ok(points) if (1..=10_000).contains(&points) => Ok(BasisPoints(points)),
            _ => Err(Invalid::new("must be from 1 to 10000 basis points")),
        }
    }
}

impl From<BasisPoints> for u16 {
    fn from(points: BasisPoints) -> u16 {
        points.0
    }
}

impl Promotion {
    pub fn code(&self) -> Option<&PromotionCode> {
        match &self.trigger {
            Trigger::Automatic => None,
            Trigger::Code { code } => Some(code),
        }
    }

    /// Whether it may be used so often only.
    pub fn is_limited(&self) -> bool {
        self.limit.is_some() || self.limit_per_customer.is_some()
    }

    /// Where it stands in the order in which promotions are applied.
    pub(super) fn turn(&self) -> (u8, PromotionId) {
        let kind = match self.effect {
            Effect::BuyXGetY { .. } => 0,
            Effect::Percentage { .. } => 1,
            Effect::Fixed { .. } => 2,
            Effect::FreeShipping => 3,
        };
        (kind, self.id)
    }
}

impl Scope {
    /// Whether it depends on where products stand.
    pub fn is_by_category(&self) -> bool {
        matches!(self, Scope::Categories { .. })
    }

    pub fn includes(&self, line: &BasketLine) -> bool {
        match self {
            Scope::Everything => true,
            Scope::Categories { category_ids } => category_ids.iter().any(|id| line.category_ids.contains(id)),
            Scope::Products { product_ids } => product_ids.contains(&line.product_id),
            Scope::Skus { skus } => skus.contains(&line.sku),
        }
    }
}
