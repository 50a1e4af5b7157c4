//! Carts. A line is changed by itself, so devices that change different lines at once never lose one.

use aws_sdk_dynamodb::types::AttributeValue;
use waybill_domain::cart::{Cart, CartLine, MAX_LINES};
use waybill_domain::id::{AccountId, CartId};
use waybill_domain::money::Currency;
use waybill_domain::text::Sku;

use crate::keys;
use crate::table::{StorageError, Table, from_item, to_item};
use crate::transaction::{Refused, Transaction, Write};

/// How often a line is put into a cart that others begin and end at the same time.
const TRIES: u32 = 8;

/// The cart holds [`MAX_LINES`] other SKUs already.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CartFull;

impl Table {
    pub async fn cart(&self, buyer: AccountId) -> Result<Option<Cart>, StorageError> {
        self.get(&keys::cart(buyer), true).await?.map(from_item).transpose()
    }

    /// Puts a line into the cart, or changes its quantity, and answers the cart as it is then. `fresh` becomes the
    /// cart's id and currency when there is no cart yet.
    pub async fn set_cart_line(
        &self,
        buyer: AccountId,
        sku: &Sku,
        line: CartLine,
        fresh: (CartId, Currency),
    ) -> Result<Cart, Refused<CartFull>> {
        let line = AttributeValue::M(to_item(&line)?);
        for _ in 0..TRIES {
            let change = Write::update(&keys::cart(buyer), "SET #lines.#sku = :line ADD #version :one")
                .only_if("attribute_exists(pk) AND (attribute_exists(#lines.#sku) OR size(#lines) < :most)")
                .name("#lines", "lines")
                .name("#sku", sku.as_str())
                .name("#version", "version")
                .value(":line", line.clone())
                .number(":one", 1)
                .number(":most", MAX_LINES as i64);
            match self.changed_cart(change).await? {
                Ok(cart) => return Ok(cart),
                Err(Some(_)) => return Err(Refused::By(vec![CartFull])),
                Err(None) => {}
            }
            let lines = AttributeValue::M([(sku.to_string(), line.clone())].into());
            let begin = Write::update(
                &keys::cart(buyer),
                "SET id = :id, #currency = :currency, #lines = :lines, #version = :one",
            )
            .only_if_new()
            .name("#lines", "lines")
            .name("#version", "version")
            .name("#currency", "currency")
            .text(":id", fresh.0)
            .text(":currency", fresh.1)
            .value(":lines", lines)
            .number(":one", 1);
            match self.changed_cart(begin).await? {
                Ok(cart) => return Ok(cart),
                // Another device began a cart in between; the line goes into that one.
                Err(_) => continue,
            }
        }
        Err(StorageError::Busy("a cart was begun and ended again and again".into()).into())
    }

    /// Takes a line out; one that is not there is out already. None when there is no cart.
    pub async fn remove_cart_line(&self, buyer: AccountId, sku: &Sku) -> Result<Option<Cart>, StorageError> {
        let write = Write::update(&keys::cart(buyer), "REMOVE #lines.#sku ADD #version :one")
            .only_if("attribute_exists(#lines.#sku)")
            .name("#lines", "lines")
            .name("#sku", sku.as_str())
            .name("#version", "version")
            .number(":one", 1);
        Ok(match self.changed_cart(write).await? {
            Ok(cart) => Some(cart),
            Err(present) => present,
        })
    }

    pub async fn clear_cart(&self, buyer: AccountId) -> Result<(), StorageError> {
        let write = Write::delete(&keys::cart(buyer));
        Transaction::<()>::new().write(write, |_| Ok(())).commit(self).await.or_else(|refused| refused.first())
    }

    /// Updates a cart and answers it as it is then; or, when the condition does not hold, as it is.
    async fn changed_cart(&self, write: Write) -> Result<Result<Cart, Option<Cart>>, StorageError> {
        Ok(match self.update(&write).await? {
            Ok(item) => Ok(from_item(item)?),
            Err(item) if item.is_empty() => Err(None),
            Err(item) => Err(Some(from_item(item)?)),
        })
    }
}
