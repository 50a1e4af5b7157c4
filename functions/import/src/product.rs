//! One product of an import: read, compared, and made or changed, however often and beside whomever.

use std::collections::BTreeSet;

use catalog::bulk::merge::{Draft, DraftSku, Merged, Outcome, Wrong, merge};
use waybill_domain::id::ProductId;
use waybill_domain::import::Import;
use waybill_domain::message::Actor;
use waybill_domain::product::Product;
use waybill_domain::text::{Sku, Slug};
use waybill_storage::catalog::{Listing, ProductRefused};
use waybill_storage::{Refused, StorageError};
use waybill_web::Problem;

use crate::Shop;

/// How often a product is looked at again when others were faster.
const TRIES: u32 = 8;

/// What came of a row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Came {
    Created,
    Changed,
    Unchanged,
}

/// What came of a product.
#[derive(Debug)]
pub struct CameOf {
    pub of_product: Came,
    product_changed: bool,
    created: BTreeSet<Sku>,
    changed: BTreeSet<Sku>,
}

impl CameOf {
    /// What came of one SKU of a draft; the first row tells of the product, too.
    pub fn of_row(&self, sku: &DraftSku, first: usize) -> Came {
        let named = |skus: &BTreeSet<Sku>| skus.iter().any(|known| sku.fields["sku"] == known.as_str());
        if named(&self.created) {
            Came::Created
        } else if named(&self.changed) || (self.product_changed && sku.place == first) {
            Came::Changed
        } else {
            Came::Unchanged
        }
    }
}

/// Makes a product what the draft says. The refusals are the draft's; anything else is worth another try of the part.
pub async fn bring_in(shop: &Shop, import: &Import, draft: &Draft) -> Result<Result<CameOf, Vec<Wrong>>, StorageError> {
    let slug = draft.product.get("slug").and_then(|slug| slug.as_str()).unwrap_or_default();
    let slug: Result<Slug, _> = slug.parse();
    let by = Actor::Staff { account_id: import.started_by };
    for _ in 0..TRIES {
        let present = match &slug {
            Ok(slug) => shop.table.product_of(slug).await?,
            // Then it is refused for it.
            Err(_) => None,
        };
        let merged = match merge(draft, present.as_ref(), shop.currency) {
            Ok(merged) => merged,
            Err(wrong) => return Ok(Err(wrong)),
        };
        let written = match (&merged.outcome, &present) {
            (Outcome::New(listing), _) => shop.table.create_product(&named(import, listing), by).await,
            (Outcome::Changed(after), Some(before)) => shop.table.save_product(before, after, by).await,
            (Outcome::Changed(_), None) => Err(StorageError::Broken("a change of nothing".into()).into()),
            (Outcome::Same, _) => Ok(()),
        };
        match written {
            Ok(()) => return Ok(Ok(came_of(import, present.as_ref(), merged))),
            // Products of one category meet at it. Whoever loses each time has others to wait for, not the whole part.
            Err(Refused::Failed(StorageError::Busy(_))) => {}
            Err(Refused::Failed(error)) => return Err(error),
            Err(Refused::By(reasons)) => {
                // Somebody was faster, with the product or with its slug: it is looked at once more.
                let overtaken =
                    |reason: &ProductRefused| matches!(reason, ProductRefused::Changed | ProductRefused::SlugTaken);
                if !reasons.iter().any(overtaken) {
                    return Ok(Err(reasons.into_iter().flat_map(|reason| refused(&merged, reason)).collect()));
                }
            }
        }
    }
    Err(StorageError::Busy("a product changed again and again".into()))
}

/// A new product under the id that it has however often the import comes to it.
fn named(import: &Import, Listing { product, offers }: &Listing) -> Listing {
    let id = ProductId::for_import(import.id, import.started_at, &product.slug);
    let offers = offers.iter().map(|offer| waybill_domain::product::Offer { product_id: id, ..offer.clone() });
    Listing { offers: offers.collect(), product: Product { id, ..product.clone() } }
}

fn refused(merged: &Merged, reason: ProductRefused) -> Vec<Wrong> {
    match reason {
        ProductRefused::SkuTaken(sku) => {
            let place = merged.place_of(&sku);
            let pointer = place.map_or_else(|| "/skus".to_owned(), |place| format!("/skus/{place}/sku"));
            vec![Wrong { place, pointer, detail: format!("{sku} belongs to another product") }]
        }
        reason => merged.refused(&Problem::from(reason)),
    }
}

/// A part that broke off is worked off once more, and finds what it did before. That counts as done now: a product under
/// the import's own id was made by it, and a product that it wanted and that has changed since it began was changed by it.
fn came_of(import: &Import, present: Option<&Listing>, merged: Merged) -> CameOf {
    let Merged { outcome, mut created, mut changed, mut product_changed, .. } = merged;
    let product = present.map(|present| &present.product);
    let is_own =
        product.is_some_and(|product| product.id == ProductId::for_import(import.id, import.started_at, &product.slug));
    let is_recent = product.is_some_and(|product| product.updated_at >= import.started_at);
    let mut of_product = match outcome {
        Outcome::New(_) => Came::Created,
        Outcome::Changed(_) => Came::Changed,
        Outcome::Same => Came::Unchanged,
    };
    let skus = product.into_iter().flat_map(|product| product.variants.iter().map(|variant| variant.sku.clone()));
    if is_own {
        of_product = Came::Created;
        created.extend(skus);
    } else if of_product == Came::Unchanged && is_recent {
        (of_product, product_changed) = (Came::Changed, true);
        changed.extend(skus);
    }
    CameOf { of_product, product_changed, created, changed }
}
