//! Taking one's data along, and leaving.

use axum::Json;
use axum::extract::State;
use futures_util::future::try_join_all;
use futures_util::{StreamExt, TryStreamExt, stream};
use http::StatusCode;
use orders::OrderView;
use serde::Serialize;
use utoipa::ToSchema;
use waybill_domain::Timestamp;
use waybill_domain::account::{Account, KeptAddress, Role};
use waybill_domain::document::DocumentSummary;
use waybill_domain::id::{AccountId, OrderId};
use waybill_domain::message::Actor;
use waybill_domain::order::{Command, Contact, Order, Refusal, Status};
use waybill_domain::text::{PromotionCode, Sku};
use waybill_domain::totals::Place;
use waybill_lambda::clock;
use waybill_lambda::links::mailbox;
use waybill_storage::accounts::NotChanged;
use waybill_storage::orders::Unchanged;
use waybill_storage::waiting::Wait;
use waybill_storage::{Cursor, Table};
use waybill_web::query::{List, Parameters};
use waybill_web::{Body, Caller, Kind, Leaver, Problem};

use crate::sessions::{self, SessionView};
use crate::{App, Confirmed, last_administrator, not_changed};

/// Orders that one page of an export has: at the 400 KB that an item can have, within the 6 MB of an answer of Lambda's.
const EXPORT_PAGE: u8 = 10;
/// Orders that are listed in one go while an account is deleted.
const ORDERS_PAGE: u8 = 100;
/// Orders that are forgotten at once: of a customer with thousands, within the time that a request has.
const AT_ONCE: usize = 16;

#[derive(Serialize, ToSchema)]
pub struct Export {
    account: Account,
    addresses: Vec<KeptAddress>,
    sessions: Vec<SessionView>,
    cart: Vec<ExportedLine>,
    cart_codes: Vec<PromotionCode>,
    /// Where the cart is to go; null where it does not say.
    #[schema(required)]
    cart_destination: Option<Place>,
    /// Who the caller is at the payment provider, where their saved ways to pay are; null until they first begin to pay.
    #[schema(required)]
    payment_customer: Option<String>,
    /// What the caller waits for to be back in stock.
    stock_subscriptions: Vec<Wait>,
    /// Invoices of the page's orders, and what corrects them.
    documents: Vec<DocumentSummary>,
    /// The newest first, ten on a page.
    orders: Vec<OrderView>,
    /// What to send as `cursor` for more orders; null when there are no more.
    #[schema(required)]
    next: Option<String>,
}

#[derive(Serialize, ToSchema)]
struct ExportedLine {
    sku: Sku,
    quantity: u32,
}

/// Export one's data
///
/// All that the shop keeps of the caller. Orders come by the page.
#[utoipa::path(
    get,
    path = "/v1/account/export",
    params(("cursor" = Option<String>, Query, description = "The `next` of the page before.")),
    responses((status = 200, description = "The caller's data.", body = Export)),
    security(("bearer" = [])),
)]
pub async fn export_account(
    State(app): State<App>,
    caller: Caller,
    mut parameters: Parameters,
) -> Result<Json<Export>, Problem> {
    let list = format!("export of {}", caller.account);
    let list = (&app.guard.cursors, list.as_str());
    let cursor = parameters.cursor(list, Cursor::among_orders);
    parameters.finish()?;
    let orders = async {
        let orders = app.table.orders_in_full(caller.account, EXPORT_PAGE, cursor).await?;
        let documents = try_join_all(orders.items.iter().map(|order| app.table.documents(order.id.number()))).await?;
        Ok((orders, documents))
    };
    let (book, cart, stock_subscriptions, (orders, documents)) = tokio::try_join!(
        app.table.address_book(caller.account),
        app.table.cart(caller.account),
        app.table.all_waits_of(caller.account),
        orders
    )?;
    let (lines, cart_codes, cart_destination) =
        cart.map(|cart| (cart.lines, cart.codes, cart.destination)).unwrap_or_default();
    let List { items: orders, next, .. } = List::<OrderView>::of(orders, list);
    Ok(Json(Export {
        account: caller.holder.account(),
        addresses: book.entries(),
        sessions: sessions::views(&caller.holder, caller.session, clock::now()),
        cart: lines.into_iter().map(|(sku, line)| ExportedLine { sku, quantity: line.quantity.get() }).collect(),
        cart_codes,
        cart_destination,
        payment_customer: caller.holder.payer.as_ref().map(|payer| payer.customer.clone()),
        stock_subscriptions,
        documents: documents.iter().flatten().map(DocumentSummary::from).collect(),
        orders,
        next,
    }))
}

/// Delete one's account
///
/// At once and for good. Orders keep their lines and totals, and lose who they were for; those that were never to be paid are
/// cancelled; saved ways to pay are deleted at the payment provider. Invoices that were issued stay as they are, with name and address, for as long as books have to be kept. Refused while an order is paid and not delivered, or its payment page is open. Should it be interrupted, log in and ask again: it goes on where it was.
#[utoipa::path(
    post,
    path = "/v1/account/deletion",
    request_body = Confirmed,
    responses((status = 204, description = "The account is gone."), (status = 409, description = "open-orders, last-administrator")),
    security(("bearer" = [])),
)]
pub async fn delete_account(
    State(app): State<App>,
    Leaver(caller): Leaver,
    Body(body): Body<Confirmed>,
) -> Result<StatusCode, Problem> {
    let now = clock::now();
    app.reauthenticate(&caller, body, "/password", now).await?;
    let is_last = async || Ok::<_, Problem>(app.table.administrators().await?.len() < 2);
    if caller.holder.role == Role::Administrator && is_last().await? {
        app.table.stay(caller.account).await?;
        return Err(last_administrator());
    }
    // From here on requests that come begin nothing new: no order, no cart, no address.
    let Some(holder) = app.table.begin_to_leave(caller.account, now).await? else { return Ok(StatusCode::NO_CONTENT) };
    if let Err(problem) = forget_orders(&app.table, caller.account, now).await {
        app.table.stay(caller.account).await?;
        return Err(problem);
    }
    // A request that was under way may still have placed an order. It takes the cart away when it does: with the cart
    // gone no more can come, and what came is in the list by the second time.
    app.table.clear_out(&holder, &mailbox(&holder.email)).await?;
    if let Err(problem) = forget_orders(&app.table, caller.account, now).await {
        app.table.stay(caller.account).await?;
        return Err(problem);
    }
    if let Err(refused) = app.table.leave(&holder, now).await {
        if refused.is_by(&NotChanged::LastAdministrator) {
            app.table.stay(caller.account).await?;
        }
        return Err(not_changed(refused));
    }
    tracing::info!(account.id = %caller.account, "an account was deleted");
    Ok(StatusCode::NO_CONTENT)
}

/// Takes the person out of all their orders; none is touched while one is open.
async fn forget_orders(table: &Table, account: AccountId, now: Timestamp) -> Result<(), Problem> {
    let open = || Problem::new(Kind::OpenOrders, "An order is under way, or can still be paid.");
    let mut ids = Vec::new();
    let mut cursor = None;
    loop {
        let page = table.orders_in_full(account, ORDERS_PAGE, cursor).await?;
        for order in page.items {
            let (id, is_pending) = (order.id, order.state.status() == Status::Pending);
            // One that is forgotten may have been broken off in between.
            let is_known = matches!(order.contact, Contact::Known { .. });
            if is_known {
                cancelled(order, now).forget_buyer(now).ok_or_else(open)?;
            }
            ids.push((id, is_known, is_pending));
        }
        match page.next {
            Some(next) => cursor = Some(next),
            None => break,
        }
    }
    let forget = async |(id, is_known, is_pending): (OrderId, bool, bool)| {
        if is_known && is_pending {
            // Told while there is somebody to tell of: what the order holds is given back.
            match table.change_order(id, None, |order| give_up(order, now)).await {
                Ok(_) | Err(Unchanged::Refused(_) | Unchanged::UnknownOrder | Unchanged::EventSeen) => {}
                Err(Unchanged::Failed(error)) => return Err(error.into()),
            }
        }
        if is_known {
            match table.change_order(id, None, |order| order.forget_buyer(now).ok_or(())).await {
                Ok(_) | Err(Unchanged::UnknownOrder | Unchanged::EventSeen) => {}
                Err(Unchanged::Refused(())) => return Err(open()),
                Err(Unchanged::Failed(error)) => return Err(error.into()),
            }
        }
        // What staff noted is about a person too.
        Ok(table.delete_notes(id.number()).await?)
    };
    stream::iter(ids).map(Ok).try_for_each_concurrent(AT_ONCE, forget).await
}

/// The order as it is once its buyer has given up what can be given up.
fn cancelled(order: Order, now: Timestamp) -> Order {
    give_up(&order, now).unwrap_or(order)
}

/// Only what nobody has paid: what was paid meanwhile is not to be cancelled by the way.
fn give_up(order: &Order, now: Timestamp) -> Result<Order, Refusal> {
    if order.state.status() != Status::Pending {
        return Err(Refusal::Done);
    }
    order.decide(Command::Cancel { closed: None, reason: None }, Actor::Customer, now)
}
