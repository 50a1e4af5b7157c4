//! The keys that all functions share: the public halves of those that access tokens are signed with, which `accounts`
//! publishes, and the one that cursors are sealed with, which whoever comes first makes up.

use serde::{Deserialize, Serialize};

use crate::keys;
use crate::table::{StorageError, Table, from_item};
use crate::transaction::Write;

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SigningKey {
    /// The key's name in a token's header.
    pub kid: String,
    /// The Ed25519 public key, base64url.
    pub x: String,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SharedKeys {
    #[serde(default)]
    pub signing_keys: Vec<SigningKey>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cursor_key: Option<String>,
}

impl Table {
    pub async fn shared_keys(&self) -> Result<SharedKeys, StorageError> {
        let item = self.get(&keys::signing_keys(), true).await?;
        Ok(item.map(from_item).transpose()?.unwrap_or_default())
    }

    pub async fn publish_signing_keys(&self, signing_keys: Vec<SigningKey>) -> Result<(), StorageError> {
        let signing_keys = serde_dynamo::to_attribute_value(signing_keys)
            .map_err(|error| StorageError::Broken(format!("cannot be written: {error}")))?;
        let write = Write::update(&keys::signing_keys(), "SET signing_keys = :keys").value(":keys", signing_keys);
        self.update(&write).await.map(drop)
    }

    /// The key that cursors are sealed with: this one, unless there is one already.
    pub async fn cursor_key(&self, fresh: &str) -> Result<String, StorageError> {
        let write = Write::update(&keys::signing_keys(), "SET cursor_key = if_not_exists(cursor_key, :fresh)");
        let item = self.update(&write.text(":fresh", fresh)).await?;
        let keys: SharedKeys = from_item(item.unwrap_or_else(|item| item))?;
        keys.cursor_key.ok_or_else(|| StorageError::Broken("there is no key for cursors".into()))
    }
}
