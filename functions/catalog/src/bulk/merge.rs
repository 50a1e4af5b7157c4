//! What a row says, laid over what is there: what it does not mention stays. The whole is then checked as the staff's own
//! routes check a new product.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value, json};
use waybill_domain::money::Currency;
use waybill_domain::product::{Offer, Product, Variant};
use waybill_domain::text::Sku;
use waybill_storage::catalog::Listing;
use waybill_web::problem::Place;
use waybill_web::{Problem, body};

use super::written::line;
use crate::products::{NewProduct, renewed};

/// What rows say of one product: fields of `POST /v1/admin/products`, of which null clears one.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Draft {
    /// But for `skus`.
    pub product: Map<String, Value>,
    pub skus: Vec<DraftSku>,
    /// Names of options in the order that rows have them, where the product's options are to be those of its SKUs: a CSV
    /// does not list them.
    pub option_names: Option<Vec<String>>,
}

#[derive(Clone, Debug, PartialEq)]
pub struct DraftSku {
    /// Where the row, or the line, has it.
    pub place: usize,
    pub fields: Value,
    /// Of a CSV, which has prices in three columns.
    pub prices: Option<PriceCells>,
}

/// Of each column whether there is one, and what its cell says.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct PriceCells {
    pub price: Option<Option<i64>>,
    pub compare_at: Option<Option<i64>>,
    /// In other currencies.
    pub others: Option<Vec<Value>>,
}

impl PriceCells {
    pub const COLUMNS: [&str; 3] = ["price", "compare_at", "prices"];
}

/// What is wrong with a draft: the field, as a pointer into the product, and the place of the SKU that it is about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wrong {
    pub place: Option<usize>,
    pub pointer: String,
    pub detail: String,
}

/// What a draft comes to.
#[derive(Debug)]
pub enum Outcome {
    New(Listing),
    Changed(Listing),
    Same,
}

/// A draft laid over what is there.
#[derive(Debug)]
pub struct Merged {
    pub outcome: Outcome,
    /// SKUs that are new.
    pub created: BTreeSet<Sku>,
    /// SKUs of which something changed.
    pub changed: BTreeSet<Sku>,
    /// Whether something changed that is not of a SKU.
    pub product_changed: bool,
    whole: Whole,
}

/// The product that rows make of what is there, and whose place in it is whose.
#[derive(Debug)]
struct Whole {
    fields: Map<String, Value>,
    /// Of each SKU, its place in the draft.
    places: Vec<Option<usize>>,
}

impl Merged {
    /// What a refusal of the table means to the draft.
    pub fn refused(&self, problem: &Problem) -> Vec<Wrong> {
        self.whole.wrong(problem)
    }

    /// The place in the draft of a SKU.
    pub fn place_of(&self, sku: &Sku) -> Option<usize> {
        self.whole.place_of(sku)
    }
}

/// Lays a draft over the product as it is.
pub fn merge(draft: &Draft, present: Option<&Listing>, shop: Currency) -> Result<Merged, Vec<Wrong>> {
    let mut whole = lay(draft, present, shop);
    if let Some(names) = &draft.option_names {
        let options = options(&whole.fields, names);
        whole.fields.insert("options".into(), options);
    }
    let text = serde_json::to_vec(&whole.fields).unwrap_or_default();
    let checked = body::parse::<NewProduct>(&text).and_then(|new| new.check(shop));
    let checked = checked.map_err(|problem| whole.wrong(&problem))?;
    let Some(present) = present else {
        let created = checked.offers.iter().map(|offer| offer.sku.clone()).collect();
        let (changed, product_changed) = (BTreeSet::new(), true);
        return Ok(Merged { outcome: Outcome::New(checked), created, changed, product_changed, whole });
    };
    let (product, offers) = grafted(present, checked);
    let before: BTreeMap<_, _> = present.offers.iter().map(|offer| (&offer.sku, offer)).collect();
    let (mut created, mut changed) = (BTreeSet::new(), BTreeSet::new());
    for offer in &offers {
        let is_same =
            |before: &&Offer| *before == offer && present.product.variant(&offer.sku) == product.variant(&offer.sku);
        match before.get(&offer.sku) {
            None => drop(created.insert(offer.sku.clone())),
            Some(before) if !is_same(before) => drop(changed.insert(offer.sku.clone())),
            Some(_) => {}
        }
    }
    let before = &present.product;
    let product_changed =
        Product { variants: before.variants.clone(), lowest: before.lowest.clone(), ..product.clone() } != *before;
    let outcome = match product_changed || !created.is_empty() || !changed.is_empty() {
        false => Outcome::Same,
        true => match renewed(present, product, offers) {
            Some(after) => Outcome::Changed(after),
            None => return Err(whole.wrong(&Problem::internal("a product has no offers"))),
        },
    };
    Ok(Merged { outcome, created, changed, product_changed, whole })
}

fn lay(draft: &Draft, present: Option<&Listing>, shop: Currency) -> Whole {
    let mut fields = present.map(|present| line(present, shop)).unwrap_or_default();
    let mut skus: Vec<Value> = match fields.remove("skus") {
        Some(Value::Array(skus)) => skus,
        _ => Vec::new(),
    };
    overlay(&mut fields, &draft.product);
    let mut places = vec![None; skus.len()];
    for DraftSku { place, fields, prices } in &draft.skus {
        let named = fields.get("sku").filter(|sku| sku.is_string());
        let known = skus.iter().position(|sku| sku.get("sku") == named && named.is_some());
        // One that the draft has twice stands there twice, and is refused for it.
        let at = match known.filter(|at| places[*at].is_none()) {
            Some(at) => at,
            None => {
                skus.push(if prices.is_some() { json!({ "stock": 0 }) } else { json!({}) });
                places.push(None);
                skus.len() - 1
            }
        };
        places[at] = Some(*place);
        match (&mut skus[at], fields) {
            (Value::Object(present), Value::Object(given)) => overlay_sku(present, given, prices.as_ref(), shop),
            (present, given) => *present = given.clone(),
        }
    }
    if draft.skus.iter().any(|sku| sku.prices.is_some()) && !fields.contains_key("description") {
        fields.insert("description".into(), json!(""));
    }
    // A line may say what is no list; then that is what is looked at.
    if !fields.contains_key("skus") {
        fields.insert("skus".into(), Value::Array(skus));
    }
    Whole { fields, places }
}

/// Null clears a field.
fn overlay(present: &mut Map<String, Value>, given: &Map<String, Value>) {
    for (name, value) in given {
        match value {
            Value::Null => drop(present.remove(name)),
            value => drop(present.insert(name.clone(), value.clone())),
        }
    }
}

fn overlay_sku(
    present: &mut Map<String, Value>,
    given: &Map<String, Value>,
    prices: Option<&PriceCells>,
    shop: Currency,
) {
    let is_csv = prices.is_some();
    overlay(present, given);
    if is_csv && !present.contains_key("stock") {
        present.insert("stock".into(), json!(0));
    }
    let Some(PriceCells { price, compare_at, others }) = prices else { return };
    let known = present.get("prices").and_then(Value::as_array).cloned().unwrap_or_default();
    let (own, known): (Vec<_>, Vec<_>) = known.into_iter().partition(|price| price["currency"] == json!(shop));
    let own = own.into_iter().next();
    let of_own = |field: &str| own.as_ref().and_then(|own| own.get(field)?.as_i64());
    let amount = price.unwrap_or_else(|| of_own("amount"));
    let compare_at = compare_at.unwrap_or_else(|| of_own("compare_at"));
    let own = amount.map(|amount| match compare_at {
        None => json!({ "amount": amount, "currency": shop }),
        Some(compare_at) => json!({ "amount": amount, "currency": shop, "compare_at": compare_at }),
    });
    let all: Vec<Value> = own.into_iter().chain(others.clone().unwrap_or(known)).collect();
    present.insert("prices".into(), Value::Array(all));
}

/// What the SKUs differ in: names and values as the product has them, and behind them those that are new.
fn options(fields: &Map<String, Value>, names: &[String]) -> Value {
    let skus = || fields.get("skus").and_then(Value::as_array).into_iter().flatten();
    let used = |name: &str| skus().filter_map(|sku| sku.get("options")?.get(name)).cloned().collect::<Vec<_>>();
    let present = fields.get("options").and_then(Value::as_array).cloned().unwrap_or_default();
    let known = |name: &str| present.iter().find(|option| option["name"] == name);
    let present_names = present.iter().filter_map(|option| option["name"].as_str());
    let new_names = names.iter().map(String::as_str).filter(|name| known(name).is_none());
    let option = |name: &str| {
        let mut values = known(name).and_then(|option| option["values"].as_array()).cloned().unwrap_or_default();
        for value in used(name) {
            if !values.contains(&value) {
                values.push(value);
            }
        }
        json!({ "name": name, "values": values })
    };
    present_names.chain(new_names).filter(|name| !used(name).is_empty()).map(option).collect()
}

/// The product that is there, with what was checked in place of what an import may say.
fn grafted(present: &Listing, checked: Listing) -> (Product, Vec<Offer>) {
    let id = present.product.id;
    let variants = checked.product.variants.into_iter().map(|checked| match present.product.variant(&checked.sku) {
        None => checked,
        Some(present) => {
            let Variant { variant, options, barcode, image, active, .. } = checked;
            Variant { variant, options, barcode, image, active, ..present.clone() }
        }
    });
    let offers = checked.offers.into_iter().map(|checked| {
        let known = present.offers.iter().find(|offer| offer.sku == checked.sku);
        match known {
            None => Offer { product_id: id, ..checked },
            Some(present) => {
                let Offer { title, prices, active, weight, tax_class, category_ids, .. } = checked;
                Offer { title, prices, active, weight, tax_class, category_ids, ..present.clone() }
            }
        }
    });
    let Product { state, title, description, translations, category_ids, images, attributes, tags, options, .. } =
        checked.product;
    let product = Product {
        state,
        title,
        description,
        translations,
        category_ids,
        images,
        attributes,
        tags,
        options,
        variants: variants.collect(),
        ..present.product.clone()
    };
    (product, offers.collect())
}

impl Whole {
    fn place_of(&self, sku: &Sku) -> Option<usize> {
        let skus = self.fields.get("skus")?.as_array()?;
        let at = skus.iter().position(|known| known["sku"] == json!(sku))?;
        self.places[at]
    }

    /// A problem's fields in the draft's own terms: a SKU stands elsewhere in it than in the whole.
    fn wrong(&self, problem: &Problem) -> Vec<Wrong> {
        let errors = problem.errors().iter().map(|error| {
            let pointer = match &error.place {
                Place::Pointer(pointer) => pointer.as_str(),
                Place::Parameter(_) | Place::Header(_) | Place::Column(_) => "",
            };
            let mut steps = pointer.splitn(4, '/').skip(2);
            let at = steps.next().filter(|_| pointer.starts_with("/skus/")).and_then(|at| at.parse::<usize>().ok());
            match at.and_then(|at| *self.places.get(at)?) {
                None => {
                    let pointer = if at.is_some() { "/skus" } else { pointer };
                    let of = at.and_then(|at| self.fields.get("skus")?.get(at)?.get("sku")?.as_str());
                    let of = of.map(|sku| format!(" (of {sku}, which is there already)")).unwrap_or_default();
                    Wrong { place: None, pointer: pointer.to_owned(), detail: format!("{}{of}", error.detail) }
                }
                Some(place) => {
                    let field = steps.next().map(|field| format!("/{field}")).unwrap_or_default();
                    Wrong { place: Some(place), pointer: format!("/skus/{place}{field}"), detail: error.detail.clone() }
                }
            }
        });
        let errors: Vec<_> = errors.collect();
        match errors.is_empty() {
            true => vec![Wrong { place: None, pointer: String::new(), detail: problem.detail().to_owned() }],
            false => errors,
        }
    }
}
