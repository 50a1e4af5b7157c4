//! Products as an import takes them again.

use serde_json::{Map, Value, json};
use waybill_domain::category::Tree;
use waybill_domain::money::Currency;
use waybill_domain::product::{MAX_STOCK, Offer, Price, Product, Variant};
use waybill_storage::catalog::Listing;

use super::cells::{guarded, joined, joined_by_name};
use super::columns::COLUMNS;

/// A product in the shape that `POST /v1/admin/products` takes, with what is left in stock. The price in the shop's
/// currency is the first of a SKU's.
pub fn line(Listing { product, offers }: &Listing, shop: Currency) -> Map<String, Value> {
    let skus = product.variants.iter().filter_map(|variant| {
        let offer = offers.iter().find(|offer| offer.sku == variant.sku)?;
        Some(sku(variant, offer, shop))
    });
    let fields = [
        ("slug", json!(product.slug)),
        ("state", json!(product.state)),
        ("title", json!(product.title)),
        ("description", json!(product.description)),
        ("translations", json!(product.translations)),
        ("category_ids", json!(product.category_ids)),
        ("images", json!(product.images)),
        ("attributes", json!(product.attributes)),
        ("tags", json!(product.tags)),
        ("options", json!(product.options)),
        ("skus", skus.collect()),
    ];
    fields.map(|(name, value)| (name.to_owned(), value)).into_iter().collect()
}

/// Units that are there, as a new SKU would begin with them.
fn left(offer: &Offer) -> u64 {
    offer.left().min(MAX_STOCK.into())
}

fn sku(variant: &Variant, offer: &Offer, shop: Currency) -> Value {
    let fields = [
        ("sku", json!(variant.sku)),
        ("variant", json!(variant.variant)),
        ("options", json!(variant.options)),
        ("prices", prices(offer, shop).map(|(currency, price)| price_field(currency, price)).collect()),
        ("stock", json!(left(offer))),
        ("weight", json!(offer.weight)),
        ("tax_class", json!(offer.tax_class)),
        ("barcode", json!(variant.barcode)),
        ("image", json!(variant.image)),
        ("active", json!(variant.active)),
    ];
    fields.map(|(name, value)| (name.to_owned(), value)).into_iter().filter(|(_, value)| !value.is_null()).collect()
}

fn price_field(currency: Currency, price: Price) -> Value {
    match price.compare_at {
        None => json!({ "amount": price.amount, "currency": currency }),
        Some(compare_at) => json!({ "amount": price.amount, "currency": currency, "compare_at": compare_at }),
    }
}

/// The shop's own first.
fn prices(offer: &Offer, shop: Currency) -> impl Iterator<Item = (Currency, Price)> {
    let own = offer.prices.get(&shop).map(|price| (shop, *price));
    let others = offer.prices.iter().filter(move |(currency, _)| **currency != shop);
    own.into_iter().chain(others.map(|(currency, price)| (*currency, *price)))
}

/// A row for each SKU, with its cells as they stand in a CSV.
pub fn rows(Listing { product, offers }: &Listing, shop: Currency, categories: &Tree) -> Vec<Vec<String>> {
    let variants = product.variants.iter();
    let sold = variants.filter_map(|variant| Some((variant, offers.iter().find(|offer| offer.sku == variant.sku)?)));
    sold.map(|(variant, offer)| {
        let cell = |(name, _)| {
            let cell =
                product_cell(name, product, categories).or_else(|| sku_cell(name, product, variant, offer, shop));
            guarded(&cell.unwrap_or_default()).into_owned()
        };
        COLUMNS.map(cell).into()
    })
    .collect()
}

fn product_cell(name: &str, product: &Product, categories: &Tree) -> Option<String> {
    Some(match name {
        "slug" => product.slug.to_string(),
        "state" => product.state.as_str().to_owned(),
        "title" => product.title.to_string(),
        "description" => product.description.to_string(),
        "translations" if product.translations.is_empty() => String::new(),
        "translations" => json!(product.translations).to_string(),
        "categories" => joined(product.category_ids.iter().filter_map(|id| Some(categories.get(*id)?.slug.as_str()))),
        "images" => joined(product.images.iter().map(|image| match &image.alt {
            None => image.url.as_str().to_owned(),
            Some(alt) => format!("{} {alt}", image.url.as_str()),
        })),
        "attributes" => {
            let values = product.attributes.iter();
            let values =
                values.flat_map(|(name, values)| values.iter().map(move |value| (name.as_str(), value.as_str())));
            joined_by_name(values)
        }
        "tags" => joined(product.tags.iter().map(|tag| tag.as_str())),
        _ => return None,
    })
}

fn sku_cell(name: &str, product: &Product, variant: &Variant, offer: &Offer, shop: Currency) -> Option<String> {
    let own = offer.prices.get(&shop);
    Some(match name {
        "sku" => variant.sku.to_string(),
        "variant" => variant.variant.as_ref()?.to_string(),
        "options" => {
            // In the order of the product's.
            let options = product.options.iter().map(|option| option.name.as_str());
            joined_by_name(options.filter_map(|name| Some((name, variant.options.get(name)?.as_str()))))
        }
        "price" => own?.amount.to_string(),
        "compare_at" => own?.compare_at?.to_string(),
        "prices" => {
            let others = prices(offer, shop).filter(|(currency, _)| *currency != shop);
            joined_by_name(others.map(|(currency, price)| match price.compare_at {
                None => (currency.code().to_owned(), price.amount.to_string()),
                Some(compare_at) => (currency.code().to_owned(), format!("{}/{compare_at}", price.amount)),
            }))
        }
        "stock" => left(offer).to_string(),
        "weight" => offer.weight.to_string(),
        "tax_class" => offer.tax_class.to_string(),
        "barcode" => variant.barcode.as_ref()?.as_str().to_owned(),
        "image" => variant.image.as_ref()?.as_str().to_owned(),
        "active" => variant.active.to_string(),
        _ => return None,
    })
}
