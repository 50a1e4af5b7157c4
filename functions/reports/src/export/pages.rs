//! What is exported, page by page, the newest first: the same pages whoever asks for them, and in whichever format.

use waybill_domain::export::Dated;
use waybill_domain::order::{Order, Refund};
use waybill_storage::order_lists::{Orders, Placed};
use waybill_storage::{Cursor, StorageError, Table};

use super::rows::{self, Row};

pub use super::rows::columns;

/// Orders, accounts or movements of a page, at most. Orders with fifty lines each stay far below the 6 MB that Lambda answers.
pub const MOST: u8 = 100;

/// The rows of a page.
pub struct Rows {
    pub rows: Vec<Row>,
    /// None at the end.
    pub next: Option<Cursor>,
}

/// A page of what was placed, made or moved then.
pub async fn page(
    table: &Table,
    of: Dated,
    then: Placed,
    limit: u8,
    cursor: Option<Cursor>,
) -> Result<Rows, StorageError> {
    match of {
        Dated::Orders | Dated::Lines | Dated::Refunds => {
            let page = table.orders(Orders::All, then, limit, cursor).await?;
            let ids: Vec<_> = page.items.iter().map(|order| order.id).collect();
            let orders = table.whole_orders(&ids).await?;
            Ok(Rows { rows: orders.iter().flat_map(|order| of_order(of, order)).collect(), next: page.next })
        }
        Dated::Customers => {
            let page = table.accounts(then, limit, cursor).await?;
            Ok(Rows { rows: page.items.iter().map(rows::of_customer).collect(), next: page.next })
        }
        Dated::StockMovements => {
            let page = table.ledgers(then, limit, cursor).await?;
            Ok(Rows { rows: page.items.iter().map(rows::of_movement).collect(), next: page.next })
        }
    }
}

fn of_order(of: Dated, order: &Order) -> Vec<Row> {
    match of {
        Dated::Orders => vec![rows::of_order(order)],
        Dated::Lines => order.lines.iter().map(|line| rows::of_line(order, line)).collect(),
        Dated::Refunds => {
            let refunds = order.state.payment().map(|payment| payment.refunds.clone()).unwrap_or_default();
            refunds.iter().map(|refund: &Refund| rows::of_refund(order, refund)).collect()
        }
        Dated::Customers | Dated::StockMovements => Vec::new(),
    }
}

/// Reads a cursor of these pages.
pub fn cursor(of: Dated, text: &str) -> Option<Cursor> {
    match of {
        Dated::Orders | Dated::Lines | Dated::Refunds => Cursor::among_orders(text),
        Dated::Customers => Cursor::among_accounts(text),
        Dated::StockMovements => Cursor::among_ledgers(text),
    }
}
