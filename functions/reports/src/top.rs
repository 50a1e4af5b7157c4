//! What sells best: products, SKUs and categories, by units and by what the shop keeps of them.

use std::collections::BTreeMap;
use std::str::FromStr;

use axum::extract::State;
use axum::response::Response;
use http::HeaderMap;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use waybill_domain::Date;
use waybill_domain::category::Tree;
use waybill_domain::id::{CategoryId, ProductId};
use waybill_domain::money::{Currency, Money};
use waybill_domain::report::Sale;
use waybill_domain::text::{Invalid, Sku};
use waybill_lambda::clock;
use waybill_storage::Table;
use waybill_storage::tallies::{MAX_SOLD, SkuSales};
use waybill_web::query::Parameters;
use waybill_web::{Problem, Staff, may, unless_known};

use crate::App;
use crate::range::{self, Days};

#[derive(Serialize, ToSchema)]
#[schema(as = TopReport)]
pub struct TopView {
    currency: Currency,
    #[schema(example = "Europe/Berlin")]
    time_zone: String,
    #[schema(value_type = String, format = Date, example = "2026-11-01")]
    from: Date,
    #[schema(value_type = String, format = Date, example = "2026-11-30")]
    to: Date,
    /// The best first.
    items: Vec<SoldView>,
}

/// What sold of a product, a SKU or a category.
#[derive(Serialize, ToSchema)]
#[schema(as = Sold)]
struct SoldView {
    /// Of a product or a SKU.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    product_id: Option<ProductId>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    sku: Option<Sku>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    category_id: Option<CategoryId>,
    /// Left out where a category was deleted.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, example = "Earl Grey")]
    title: Option<String>,
    /// Paid, and neither cancelled nor paid back as units.
    units: i64,
    /// After discounts and refunds, without tax and shipping.
    net: Money,
}

/// What is added up.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = SoldBy)]
pub enum By {
    /// All SKUs of a product together.
    Product,
    Sku,
    /// All products of a category together; one that stands in several counts in each.
    Category,
}

/// What is best.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = SoldSort)]
pub enum Sort {
    Units,
    Net,
}

impl FromStr for By {
    type Err = Invalid;

    fn from_str(name: &str) -> Result<Self, Invalid> {
        match name {
            "product" => Ok(By::Product),
            "sku" => Ok(By::Sku),
            "category" => Ok(By::Category),
            _ => Err(Invalid::new("must be product, sku or category")),
        }
    }
}

impl FromStr for Sort {
    type Err = Invalid;

    fn from_str(name: &str) -> Result<Self, Invalid> {
        match name {
            "units" => Ok(Sort::Units),
            "net" => Ok(Sort::Net),
            _ => Err(Invalid::new("must be units or net")),
        }
    }
}

/// Report on what sells best
///
/// Exact for any range of days. It costs by the months of the range and the SKUs that sold in them, not by orders: 100,000 in all
/// at most. A product counts in the categories that it stood in when it last sold.
#[utoipa::path(
    get,
    path = "/v1/admin/reports/top",
    params(
        Days,
        ("by" = Option<By>, Query, description = "`product` unless it is given."),
        ("sort" = Option<Sort>, Query, description = "`units` unless it is given."),
        ("limit" = Option<u8>, Query, minimum = 1, maximum = 100, description = "20 unless it is given.")
    ),
    responses((status = 200, description = "The best of these days.", body = TopView, headers(("etag" = String, description = "What it is known by."))), (status = 304, description = "You have the newest.")),
    security(("bearer" = ["reports:read"])),
)]
pub async fn read_top(
    State(app): State<App>,
    _: Staff<may::ReadReports>,
    headers: HeaderMap,
    mut parameters: Parameters,
) -> Result<Response, Problem> {
    let now = clock::now();
    let open = app.books.open(now).await?;
    let range = range::take(&mut parameters, open.today(now));
    let by = parameters.take("by", |text| text.parse::<By>()).unwrap_or(By::Product);
    let sort = parameters.take("sort", |text| text.parse::<Sort>()).unwrap_or(Sort::Units);
    let limit = parameters.limit();
    parameters.finish()?;
    let Some(range) = range else { return Err(Problem::internal("a report is about no days")) };
    let sales = match &open.generation {
        Some(generation) => app.table.sales_of(generation, open.currency, range, MAX_SOLD).await?,
        None => Some(Vec::new()),
    };
    let Some(sales) = sales else {
        return Err(Problem::invalid_parameter(
            "from",
            format!("more than {MAX_SOLD} SKUs of a month would have to be added up; ask for fewer months"),
        ));
    };
    let mut best = grouped(sales, by);
    best.sort_by_key(|(_, group)| {
        let (first, second) = match sort {
            Sort::Units => (group.sale.units, group.sale.net),
            Sort::Net => (group.sale.net, group.sale.units),
        };
        std::cmp::Reverse((first, second))
    });
    best.truncate(usize::from(limit));
    let titles = Titles::read(&app.table, by, &best).await?;
    let items = best.into_iter().map(|(of, group)| SoldView {
        title: titles.of(&of).or(group.title),
        product_id: match &of {
            Of::Product(product) | Of::Sku(product, _) => Some(*product),
            Of::Category(_) => None,
        },
        category_id: match &of {
            Of::Category(category) => Some(*category),
            Of::Product(_) | Of::Sku(..) => None,
        },
        sku: match of {
            Of::Sku(_, sku) => Some(sku),
            Of::Product(_) | Of::Category(_) => None,
        },
        units: group.sale.units,
        net: open.money(group.sale.net),
    });
    let report = TopView {
        currency: open.currency,
        from: range.first(),
        to: range.last(),
        items: items.collect(),
        time_zone: open.zone_name,
    };
    unless_known(&headers, &report)
}

#[derive(Clone, PartialEq, Eq, PartialOrd, Ord)]
enum Of {
    Product(ProductId),
    Sku(ProductId, Sku),
    Category(CategoryId),
}

#[derive(Default)]
struct Group {
    sale: Sale,
    /// As it was sold last.
    title: Option<String>,
}

/// In the order of what is grouped, which decides between equals.
fn grouped(sales: Vec<SkuSales>, by: By) -> Vec<(Of, Group)> {
    let mut groups: BTreeMap<Of, Group> = BTreeMap::new();
    for sold in sales.into_iter().filter(|sold| sold.sale != Sale::default()) {
        let (of, title) = match by {
            By::Product => (vec![Of::Product(sold.product_id)], Some(sold.title.to_string())),
            By::Sku => (vec![Of::Sku(sold.product_id, sold.sku)], Some(sold.title.to_string())),
            By::Category => (sold.category_ids.into_iter().map(Of::Category).collect(), None),
        };
        for of in of {
            let group = groups.entry(of).or_default();
            group.sale = group.sale.plus(sold.sale);
            group.title.clone_from(&title);
        }
    }
    groups.into_iter().collect()
}

/// What products and categories are called today.
enum Titles {
    Products(BTreeMap<ProductId, String>),
    Categories(Tree),
    /// As they were sold.
    Skus,
}

impl Titles {
    async fn read(table: &Table, by: By, best: &[(Of, Group)]) -> Result<Titles, Problem> {
        let products = || best.iter().filter_map(|(of, _)| if let Of::Product(id) = of { Some(*id) } else { None });
        Ok(match by {
            By::Sku => Titles::Skus,
            By::Category => Titles::Categories(table.categories(false).await?),
            By::Product => {
                let titles = table.product_titles(&products().collect::<Vec<_>>()).await?;
                Titles::Products(titles.into_iter().map(|(id, title)| (id, title.to_string())).collect())
            }
        })
    }

    fn of(&self, of: &Of) -> Option<String> {
        match (self, of) {
            (Titles::Products(titles), Of::Product(id)) => titles.get(id).cloned(),
            (Titles::Categories(tree), Of::Category(id)) => tree.get(*id).map(|category| category.title.to_string()),
            (Titles::Products(_) | Titles::Categories(_) | Titles::Skus, _) => None,
        }
    }
}
