//! Reading documents: of one's own orders, or of any for staff; and the registers of all.

use axum::Json;
use axum::body::Bytes;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use http::header::{CONTENT_DISPOSITION, CONTENT_TYPE};
use orders::own_order;
use serde::Serialize;
use utoipa::ToSchema;
use waybill_domain::document::{DocumentNumber, DocumentSummary, Series};
use waybill_domain::id::{OrderId, OrderNumber};
use waybill_storage::{Cursor, Table};
use waybill_web::openapi::Paging;
use waybill_web::query::{List, Parameters};
use waybill_web::{Caller, Guard, Kind, Problem, Segment, Staff, may};

use crate::pdf;

/// A document of a list.
#[derive(Serialize, ToSchema)]
#[schema(as = Document)]
pub struct DocumentView {
    #[serde(flatten)]
    summary: DocumentSummary,
    /// Where it can be read, as a PDF.
    #[schema(example = "/v1/orders/ord_01K3ZQ8V5E7N9WJ2R4T6Y8B0CD/documents/INV-000001")]
    path: String,
}

impl From<DocumentSummary> for DocumentView {
    fn from(summary: DocumentSummary) -> Self {
        let path = format!("/v1/orders/{}/documents/{}", summary.order_id, summary.number);
        DocumentView { summary, path }
    }
}

impl DocumentView {
    fn for_staff(summary: DocumentSummary) -> Self {
        let path = format!("/v1/admin/orders/{}/documents/{}", summary.order_id, summary.number);
        DocumentView { summary, path }
    }
}

/// List the documents of one's order
///
/// An invoice once it is paid, and a credit note for each refund that has succeeded; each within seconds. Should the bank send a
/// refund back, a reversal takes back its credit note.
#[utoipa::path(
    get,
    path = "/v1/orders/{id}/documents",
    params(("id" = OrderId, Path)),
    responses((status = 200, description = "All of them, in the order in which they were issued.", body = List<DocumentView>)),
    security(("bearer" = [])),
)]
pub async fn list_own_documents(
    State(table): State<Table>,
    caller: Caller,
    Segment(id): Segment,
) -> Result<Json<List<DocumentView>>, Problem> {
    let order = own_order(&table, &caller, &id).await?;
    list(&table, order.id.number(), DocumentView::from).await
}

/// Read a document of one's order
///
/// A document that was issued never changes. It is the same PDF each time.
#[utoipa::path(
    get,
    path = "/v1/orders/{id}/documents/{number}",
    params(("id" = OrderId, Path), ("number" = DocumentNumber, Path)),
    responses((status = 200, description = "The document.", content_type = "application/pdf", body = Vec<u8>, headers(("content-disposition" = String, description = "A name for the file.")))),
    security(("bearer" = [])),
)]
pub async fn read_own_document(
    State(table): State<Table>,
    caller: Caller,
    Segment((id, number)): Segment<(String, String)>,
) -> Result<Response, Problem> {
    // Who asks for a document is not told whether its order is there.
    let order = own_order(&table, &caller, &id).await.map_err(|problem| match problem.kind() {
        Kind::NotFound => Problem::not_found("document"),
        _ => problem,
    })?;
    read(&table, order.id.number(), &number).await
}

/// List the documents of an order
#[utoipa::path(
    get,
    path = "/v1/admin/orders/{id}/documents",
    params(("id" = OrderId, Path)),
    responses((status = 200, description = "All of them, in the order in which they were issued.", body = List<DocumentView>)),
    security(("bearer" = ["orders:read"])),
)]
pub async fn list_order_documents(
    State(table): State<Table>,
    _: Staff<may::ReadOrders>,
    Segment(id): Segment,
) -> Result<Json<List<DocumentView>>, Problem> {
    let order = order(&table, &id).await?;
    list(&table, order, DocumentView::for_staff).await
}

/// Read a document of an order
///
/// Also when its buyer has deleted their account: books are kept.
#[utoipa::path(
    get,
    path = "/v1/admin/orders/{id}/documents/{number}",
    params(("id" = OrderId, Path), ("number" = DocumentNumber, Path)),
    responses((status = 200, description = "The document.", content_type = "application/pdf", body = Vec<u8>, headers(("content-disposition" = String, description = "A name for the file.")))),
    security(("bearer" = ["orders:read"])),
)]
pub async fn read_order_document(
    State(table): State<Table>,
    _: Staff<may::ReadOrders>,
    Segment((id, number)): Segment<(String, String)>,
) -> Result<Response, Problem> {
    let order = order(&table, &id).await?;
    read(&table, order, &number).await
}

/// List a series of documents
///
/// All documents of a kind, whose numbers have no gaps.
#[utoipa::path(
    get,
    path = "/v1/admin/documents",
    params(("series" = Series, Query), Paging),
    responses((status = 200, description = "A page of the series, the last number first.", body = List<DocumentView>)),
    security(("bearer" = ["orders:read"])),
)]
pub async fn list_documents(
    State(table): State<Table>,
    State(guard): State<Guard>,
    _: Staff<may::ReadOrders>,
    mut parameters: Parameters,
) -> Result<Json<List<DocumentView>>, Problem> {
    let names = || Series::ALL.map(Series::as_str).join(", ");
    let known = |text: &str| Series::ALL.into_iter().find(|series| series.as_str() == text);
    let series = parameters.take("series", |text| known(text).ok_or_else(|| format!("must be one of {}", names())));
    if series.is_none() && !parameters.has_errors() {
        parameters.refuse("series", &format!("must be given, as one of {}", names()));
    }
    let name = format!("documents, {}", series.map_or("", Series::as_str));
    let list = (&guard.cursors, name.as_str());
    let limit = parameters.limit();
    let cursor = parameters.cursor(list, Cursor::among_documents);
    parameters.finish()?;
    let series = series.ok_or_else(|| Problem::internal("a list of no series"))?;
    let page = table.documents_in(series, limit, cursor).await?;
    let List { items, next, previous } = List::<DocumentSummary>::of(page, list);
    Ok(Json(List { items: items.into_iter().map(DocumentView::for_staff).collect(), next, previous }))
}

/// The number of an order that is there.
async fn order(table: &Table, id: &str) -> Result<OrderNumber, Problem> {
    let unknown = || Problem::not_found("order");
    let id: OrderId = id.parse().map_err(|_| unknown())?;
    Ok(table.order(id).await?.ok_or_else(unknown)?.id.number())
}

async fn list(
    table: &Table,
    order: OrderNumber,
    view: impl Fn(DocumentSummary) -> DocumentView,
) -> Result<Json<List<DocumentView>>, Problem> {
    let documents = table.documents(order).await?;
    Ok(Json(List::whole(documents.iter().map(|document| view(document.into())).collect())))
}

async fn read(table: &Table, order: OrderNumber, number: &str) -> Result<Response, Problem> {
    let unknown = || Problem::not_found("document");
    let number: DocumentNumber = number.parse().map_err(|_| unknown())?;
    let documents = table.documents(order).await?;
    let document = documents.iter().find(|document| document.number == number).ok_or_else(unknown)?;
    let bytes = pdf::render(document).map_err(Problem::internal)?;
    let file = format!("attachment; filename=\"{number}.pdf\"");
    let headers = [(CONTENT_TYPE, "application/pdf".to_owned()), (CONTENT_DISPOSITION, file)];
    Ok((headers, Bytes::from(bytes)).into_response())
}
