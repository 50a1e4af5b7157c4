//! The local administrator: made at random for one store, shown once, kept in the store.

use std::path::Path;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use waybill_local::secrets::random_letters;
use waybill_local::{Shop, write_private};

pub const FILE: &str = "administrator.json";
const EMAIL: &str = "admin@waybill.example";

#[derive(Serialize, Deserialize)]
pub struct Administrator {
    pub email: String,
    pub password: String,
}

/// The store's administrator, made now if there is none; and whether it was there before.
pub async fn of(shop: &Shop, store: &Path) -> Result<(Administrator, bool), Box<dyn std::error::Error>> {
    let file = store.join(FILE);
    if file.exists() {
        let administrator = serde_json::from_slice(&std::fs::read(&file)?)?;
        return Ok((administrator, true));
    }
    // The account comes from what is written here, so a start that is cut off in between begins again with it.
    let draft = store.join(format!("{FILE}.new"));
    let administrator = match std::fs::read(&draft) {
        Ok(bytes) => serde_json::from_slice(&bytes)?,
        Err(_) => {
            let new = Administrator { email: EMAIL.into(), password: random_letters(20) };
            write_private(&draft, serde_json::to_string_pretty(&new)?.as_bytes())?;
            new
        }
    };
    shop.make_administrator(&administrator.email, &administrator.password).await?;
    std::fs::rename(&draft, &file)?;
    Ok((administrator, false))
}

impl Administrator {
    /// An access token, by the public API.
    pub async fn log_in(&self, api: &str) -> Result<String, Box<dyn std::error::Error>> {
        let body = json!({ "email": self.email, "password": self.password });
        let answer = reqwest::Client::new().post(format!("{api}/v1/sessions")).json(&body).send().await?;
        let (status, body) = (answer.status(), answer.json::<Value>().await?);
        let token = body["access_token"].as_str();
        Ok(token.ok_or_else(|| format!("the administrator could not log in: {status} {body}"))?.to_owned())
    }
}
