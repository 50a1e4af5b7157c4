//! Categories: read by anyone, changed by staff.

use std::collections::BTreeMap;

use axum::Json;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use http::header::LOCATION;
use http::{HeaderMap, StatusCode};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use waybill_domain::category::{Category, MAX_POSITION, Tree};
use waybill_domain::id::CategoryId;
use waybill_domain::language::{Language, translated};
use waybill_domain::product::{Description, Title};
use waybill_domain::text::{Invalid, Slug};
use waybill_lambda::{clock, random};
use waybill_storage::Table;
use waybill_web::query::{List, Parameters};
use waybill_web::{Body, Fields, IfMatch, Problem, Segment, Staff, cacheable, may, version_tag};

use crate::fields::{self, NewTexts, given};
use crate::read::{IN_LANGUAGE, KEPT};

/// A category as customers see it.
#[derive(Serialize, ToSchema)]
#[schema(as = CategoryView)]
struct CategoryView<'a> {
    #[schema(value_type = CategoryId)]
    id: CategoryId,
    #[schema(value_type = Slug)]
    slug: &'a Slug,
    #[schema(value_type = Title)]
    title: &'a Title,
    #[schema(value_type = Description)]
    description: &'a Description,
    /// The category above; left out at the top.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    parent_id: Option<CategoryId>,
    /// How many stand above it.
    depth: usize,
}

impl<'a> CategoryView<'a> {
    fn of(category: &'a Category, depth: usize, language: Option<&Language>) -> Self {
        let texts = language.and_then(|language| translated(&category.translations, language));
        let (title, description) =
            texts.map_or((&category.title, &category.description), |texts| (&texts.title, &texts.description));
        let Category { id, slug, parent_id, .. } = category;
        CategoryView { id: *id, slug, title, description, parent_id: *parent_id, depth }
    }
}

/// List the categories
///
/// The whole tree, in the order that it is shown in: each category stands behind the one above it.
#[utoipa::path(
    get,
    path = "/v1/categories",
    params(("language" = Option<Language>, Query, description = "Of the texts. Where there are none in it, those of the shop's own language.")),
    responses((status = 200, description = "All categories, in one page.", body = List<CategoryView>), (status = 304, description = "You have the newest.")),
)]
pub async fn list_categories(
    State(table): State<Table>,
    headers: HeaderMap,
    mut parameters: Parameters,
) -> Result<Response, Problem> {
    let language = parameters.take(IN_LANGUAGE, str::parse::<Language>);
    parameters.finish()?;
    let tree = table.categories(false).await?;
    let items = tree.in_order().into_iter();
    let items = items.map(|(category, depth)| CategoryView::of(category, depth, language.as_ref())).collect();
    cacheable(&headers, KEPT, &List::whole(items))
}

/// Read a category
#[utoipa::path(
    get,
    path = "/v1/categories/{id}",
    params(("id" = String, Path, description = "Its id or its slug."), ("language" = Option<Language>, Query, description = "Of the texts.")),
    responses((status = 200, description = "The category.", body = CategoryView), (status = 304, description = "You have the newest.")),
)]
pub async fn read_category(
    State(table): State<Table>,
    Segment(id): Segment,
    headers: HeaderMap,
    mut parameters: Parameters,
) -> Result<Response, Problem> {
    let language = parameters.take(IN_LANGUAGE, str::parse::<Language>);
    parameters.finish()?;
    let tree = table.categories(false).await?;
    let category = find(&tree, &id).ok_or_else(|| Problem::not_found("category"))?;
    let depth = tree.ancestors(category.id).len();
    cacheable(&headers, KEPT, &CategoryView::of(category, depth, language.as_ref()))
}

/// By id or by slug.
pub fn find<'a>(tree: &'a Tree, id: &str) -> Option<&'a Category> {
    id.parse().ok().and_then(|id| tree.get(id)).or_else(|| tree.by_slug(id))
}

/// Read a category to change it
#[utoipa::path(
    get,
    path = "/v1/admin/categories/{id}",
    params(("id" = CategoryId, Path)),
    responses((status = 200, description = "All of the category.", body = Category, headers(("etag" = String, description = "Its version.")))),
    security(("bearer" = ["catalog:write"])),
)]
pub async fn read_category_to_edit(
    State(table): State<Table>,
    _: Staff<may::WriteCatalog>,
    Segment(id): Segment,
) -> Result<Response, Problem> {
    let unknown = || Problem::not_found("category");
    let id: CategoryId = id.parse().map_err(|_| unknown())?;
    let tree = table.categories(true).await?;
    tree.get(id).map(|category| edited(category.clone())).ok_or_else(unknown)
}

fn edited(category: Category) -> Response {
    ([version_tag(category.version)], Json(category)).into_response()
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewCategory {
    #[schema(value_type = Slug)]
    slug: String,
    #[schema(value_type = Title, example = "Green tea")]
    title: String,
    #[schema(value_type = Description, example = "Fresh and grassy.")]
    description: String,
    /// By language.
    #[serde(default)]
    #[schema(schema_with = fields::translations_schema, required = false)]
    translations: BTreeMap<String, NewTexts>,
    /// The category above.
    #[schema(value_type = Option<CategoryId>)]
    parent_id: Option<String>,
    /// Where it stands among its siblings.
    #[serde(default)]
    #[schema(minimum = 0, maximum = 1_000_000)]
    position: i64,
}

/// Make a category
#[utoipa::path(
    post,
    path = "/v1/admin/categories",
    request_body = NewCategory,
    responses((status = 201, description = "The category is made.", body = Category, headers(("etag" = String, description = "Its version."), ("location" = String, description = "The path of what was made."))), (status = 409, description = "taken, too-many")),
    security(("bearer" = ["catalog:write"])),
)]
pub async fn create_category(
    State(table): State<Table>,
    _: Staff<may::WriteCatalog>,
    Body(body): Body<NewCategory>,
) -> Result<Response, Problem> {
    let mut fields = Fields::default();
    let slug = fields.take("/slug", body.slug.parse());
    let title = fields.take("/title", body.title.parse());
    let description = fields.take("/description", body.description.parse());
    let translations = fields::translations(&mut fields, "/translations", body.translations);
    let parent_id = fields.take_optional("/parent_id", body.parent_id.map(|id| id.parse()));
    let position = position(&mut fields, body.position);
    let id = CategoryId::new(random::uuid_at(clock::now()));
    let category = fields.finish(|| {
        let (slug, title, description, position) = (slug?, title?, description?, position?);
        Some(Category { id, slug, title, description, translations, parent_id, position, version: 1 })
    })?;
    table.create_category(&category).await?;
    let location = [(LOCATION, format!("/v1/categories/{id}"))];
    Ok((StatusCode::CREATED, location, edited(category)).into_response())
}

fn position(fields: &mut Fields, position: i64) -> Option<u32> {
    let checked = u32::try_from(position).ok().filter(|position| *position <= MAX_POSITION);
    fields.take("/position", checked.ok_or_else(|| Invalid::new(format!("must be from 0 to {MAX_POSITION}"))))
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct CategoryChange {
    #[schema(value_type = Option<Slug>)]
    slug: Option<String>,
    #[schema(value_type = Option<Title>, example = "Green tea")]
    title: Option<String>,
    #[schema(value_type = Option<Description>, example = "Fresh and grassy.")]
    description: Option<String>,
    /// All of them, by language.
    #[schema(schema_with = fields::translations_schema, required = false)]
    translations: Option<BTreeMap<String, NewTexts>>,
    /// Null moves it to the top.
    #[serde(default, deserialize_with = "given")]
    #[schema(value_type = Option<CategoryId>, required = false)]
    parent_id: Option<Option<String>>,
    #[schema(minimum = 0, maximum = 1_000_000)]
    position: Option<i64>,
}

/// Change a category
///
/// What is not given stays. Moving one moves what stands below it along.
#[utoipa::path(
    patch,
    path = "/v1/admin/categories/{id}",
    params(("id" = CategoryId, Path), ("If-Match" = String, Header, description = "The ETag of what was read.")),
    request_body = CategoryChange,
    responses((status = 200, description = "The category as it is now.", body = Category, headers(("etag" = String, description = "Its version."))), (status = 409, description = "taken"), (status = 412, description = "outdated"), (status = 428, description = "version-needed")),
    security(("bearer" = ["catalog:write"])),
)]
pub async fn change_category(
    State(table): State<Table>,
    _: Staff<may::WriteCatalog>,
    Segment(id): Segment,
    IfMatch(version): IfMatch,
    Body(body): Body<CategoryChange>,
) -> Result<Response, Problem> {
    let mut fields = Fields::default();
    let slug: Option<Slug> = fields.take_optional("/slug", body.slug.map(|slug| slug.parse()));
    let title: Option<Title> = fields.take_optional("/title", body.title.map(|title| title.parse()));
    let description: Option<Description> =
        fields.take_optional("/description", body.description.map(|text| text.parse()));
    let translations = body.translations.map(|given| fields::translations(&mut fields, "/translations", given));
    let parent_id = body.parent_id.map(|id| fields.take_optional("/parent_id", id.map(|id| id.parse())));
    let position = body.position.and_then(|given| position(&mut fields, given));
    fields.finish(|| Some(()))?;
    let id: CategoryId = id.parse().map_err(|_| Problem::not_found("category"))?;
    let change = |present: Category| Category {
        slug: slug.clone().unwrap_or(present.slug),
        title: title.clone().unwrap_or(present.title),
        description: description.clone().unwrap_or(present.description),
        translations: translations.clone().unwrap_or(present.translations),
        parent_id: parent_id.unwrap_or(present.parent_id),
        position: position.unwrap_or(present.position),
        ..present
    };
    Ok(edited(table.change_category(id, version, change).await?))
}

/// Delete a category
///
/// Only one that nothing stands in or below.
#[utoipa::path(
    delete,
    path = "/v1/admin/categories/{id}",
    params(("id" = CategoryId, Path)),
    responses((status = 204, description = "The category is gone."), (status = 409, description = "in-use")),
    security(("bearer" = ["catalog:write"])),
)]
pub async fn delete_category(
    State(table): State<Table>,
    _: Staff<may::WriteCatalog>,
    Segment(id): Segment,
) -> Result<StatusCode, Problem> {
    table.delete_category(id.parse().map_err(|_| Problem::not_found("category"))?).await?;
    Ok(StatusCode::NO_CONTENT)
}
