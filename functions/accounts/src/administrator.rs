//! Making an administrator. Not a route: it takes the right to invoke the function itself, which is the right to deploy.
//!
//! `aws lambda invoke --function-name … --payload '{"create_administrator": {"email": "…", "password": "…"}}'`

use serde::Deserialize;
use serde_json::{Value, json};
use waybill_domain::Timestamp;
use waybill_domain::account::{Password, Role};
use waybill_domain::id::AccountId;
use waybill_domain::text::Email;
use waybill_lambda::{Error, random};
use waybill_storage::accounts::{Credentials, Holder};
use waybill_storage::{Refused, Table};

use crate::passwords;

/// An invocation that is not a request.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Command {
    create_administrator: Wanted,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Wanted {
    email: String,
    password: String,
}

impl Command {
    /// Reads a payload that asks for an administrator; None for any other.
    pub fn read(payload: &Value) -> Option<Result<Command, serde_json::Error>> {
        payload.get("create_administrator")?;
        Some(Command::deserialize(payload))
    }

    /// Makes the account and answers its id. It has no rights until its holder has set up a second factor. An address that is taken is an error, whoever has it.
    pub async fn run(self, table: &Table, shop: &str, now: Timestamp) -> Result<Value, Error> {
        let wanted = self.create_administrator;
        let email: Email = wanted.email.parse().map_err(|invalid| format!("email {invalid}"))?;
        let password: Password = wanted.password.parse().map_err(|invalid| format!("password {invalid}"))?;
        passwords::check_new(&password, &email, shop).map_err(|invalid| format!("password {invalid}"))?;
        let holder = Holder::new(AccountId::new(random::uuid_at(now)), email, Role::Administrator, now);
        let credentials = Credentials::new(holder.id, passwords::hash(&password)?, now);
        match table.create_administrator(&holder, &credentials).await {
            Ok(()) => {
                tracing::info!(account.id = %holder.id, "an administrator was made");
                Ok(json!({ "account_id": holder.id }))
            }
            Err(Refused::By(_)) => Err("the address belongs to an account already".into()),
            Err(Refused::Failed(error)) => Err(error.into()),
        }
    }
}
