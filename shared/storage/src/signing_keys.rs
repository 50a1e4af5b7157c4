//! The public halves of the keys that access tokens are signed with. `accounts` publishes them, everyone reads them.

use serde::{Deserialize, Serialize};

use crate::keys;
use crate::table::{StorageError, Table, from_item, to_item};
use crate::transaction::{Transaction, Write};

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SigningKey {
    /// The key's name in a token's header.
    pub kid: String,
    /// The Ed25519 public key, base64url.
    pub x: String,
}

#[derive(Serialize, Deserialize)]
struct Published {
    signing_keys: Vec<SigningKey>,
}

impl Table {
    pub async fn signing_keys(&self) -> Result<Vec<SigningKey>, StorageError> {
        let item = self.get(&keys::signing_keys(), true).await?;
        Ok(item.map(from_item::<Published>).transpose()?.map_or(Vec::new(), |published| published.signing_keys))
    }

    pub async fn publish_signing_keys(&self, signing_keys: Vec<SigningKey>) -> Result<(), StorageError> {
        let mut item = to_item(&Published { signing_keys })?;
        item.extend(keys::signing_keys().item());
        Transaction::<()>::new()
            .write(Write::put(item), |_| Ok(()))
            .commit(self)
            .await
            .or_else(|refused| refused.first())
    }
}
