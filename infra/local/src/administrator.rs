//! The local administrator: made at random for one store, shown once, kept in the store. And tokens for developers.

use std::path::Path;
use std::time::Duration;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use waybill_local::authenticator::{self, STEP};
use waybill_local::secrets::random_letters;
use waybill_local::{Shop, write_private};

pub const FILE: &str = "administrator.json";
const EMAIL: &str = "admin@waybill.example";

type Failure = Box<dyn std::error::Error>;

#[derive(Serialize, Deserialize)]
pub struct Administrator {
    pub email: String,
    pub password: String,
    /// Of the second factor, in base32.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub totp_secret: Option<String>,
    /// Of the session that set it up.
    #[serde(skip)]
    token: Option<String>,
}

/// The store's administrator, made now if there is none; and whether it was there before.
pub async fn of(shop: &Shop, store: &Path) -> Result<(Administrator, bool), Failure> {
    let file = store.join(FILE);
    if file.exists() {
        return Ok((kept(store)?, true));
    }
    // The account comes from what is written here, so a start that is cut off in between begins again with it.
    let draft = store.join(format!("{FILE}.new"));
    let mut administrator = match std::fs::read(&draft) {
        Ok(bytes) => serde_json::from_slice(&bytes)?,
        Err(_) => {
            let (email, password) = (EMAIL.to_owned(), random_letters(20));
            let new = Administrator { email, password, totp_secret: None, token: None };
            new.write(&draft)?;
            new
        }
    };
    shop.make_administrator(&administrator.email, &administrator.password).await?;
    administrator.set_up_second_factor(&shop.addresses().api, &draft).await?;
    std::fs::rename(&draft, &file)?;
    Ok((administrator, false))
}

/// The administrator of a store that was opened before.
pub fn kept(store: &Path) -> Result<Administrator, Failure> {
    let file = store.join(FILE);
    let bytes = std::fs::read(&file).map_err(|error| format!("{}: {error}", file.display()))?;
    Ok(serde_json::from_slice(&bytes)?)
}

impl Administrator {
    fn write(&self, file: &Path) -> Result<(), Failure> {
        write_private(file, serde_json::to_string_pretty(self)?.as_bytes())?;
        Ok(())
    }

    /// Unless it was set up by an earlier start that got no further.
    async fn set_up_second_factor(&mut self, api: &str, draft: &Path) -> Result<(), Failure> {
        let body = json!({ "email": self.email, "password": self.password });
        let (status, answer) = post(api, "/v1/sessions", None, &body).await?;
        if is_about_the_code(&answer) {
            return Ok(());
        }
        let token = text(&answer, "access_token").ok_or_else(|| failed("log in", status, &answer))?;
        let body = json!({ "password": self.password });
        let (status, answer) = post(api, "/v1/account/totp", Some(&token), &body).await?;
        let secret = text(&answer, "secret").ok_or_else(|| failed("set up a second factor", status, &answer))?;
        // Written down before it is in force.
        self.totp_secret = Some(secret.clone());
        self.write(draft)?;
        let code = authenticator::code(&secret, Timestamp::now().as_second()).unwrap_or_default();
        let (status, answer) = post(api, "/v1/account/totp/confirm", Some(&token), &json!({ "code": code })).await?;
        let token = answer.get("tokens").and_then(|tokens| text(tokens, "access_token"));
        self.token = Some(token.ok_or_else(|| failed("confirm the second factor", status, &answer))?);
        Ok(())
    }

    fn secret(&self) -> Result<&str, Failure> {
        Ok(self.totp_secret.as_deref().ok_or("the administrator has no second factor; start with --fresh")?)
    }

    /// A code of the second factor as an authenticator app shows it: that of the next half minute, which is taken already
    /// and stays good for longest.
    pub fn code(&self) -> Result<String, Failure> {
        let code = authenticator::code(self.secret()?, Timestamp::now().as_second() + STEP);
        Ok(code.ok_or("the secret of the second factor is none")?)
    }

    /// An access token, by the public API. A code is good once: when those of this moment were used, waits for the next.
    pub async fn log_in(&self, api: &str) -> Result<String, Failure> {
        if let Some(token) = &self.token {
            return Ok(token.clone());
        }
        let secret = self.secret()?;
        for _ in 0..4 {
            let now = Timestamp::now().as_second();
            for at in [now, now + STEP] {
                let code = authenticator::code(secret, at);
                let body = json!({ "email": self.email, "password": self.password, "code": code });
                let (status, answer) = post(api, "/v1/sessions", None, &body).await?;
                match text(&answer, "access_token") {
                    Some(token) => return Ok(token),
                    None if is_about_the_code(&answer) => {}
                    None => return Err(failed("log in", status, &answer)),
                }
            }
            let wait = STEP - now % STEP;
            eprintln!("The codes of this moment were used; waiting {wait} seconds for the next");
            tokio::time::sleep(Duration::from_secs(wait.unsigned_abs())).await;
        }
        Err("the administrator's codes are refused".into())
    }
}

/// An access token of somebody who has just signed up, for whom the mail outbox at `mail` was looked into.
pub async fn new_customer(api: &str, mail: &str) -> Result<String, Failure> {
    let (email, password) = (format!("{}@example.com", random_letters(12).to_lowercase()), "correct horse");
    let credentials = json!({ "email": email, "password": password });
    let (status, answer) = post(api, "/v1/accounts", None, &credentials).await?;
    if status != 202 {
        return Err(failed("sign up", status, &answer));
    }
    for _ in 0..100 {
        let mails: Value = reqwest::get(format!("{mail}/api/mails?to={email}")).await?.json().await?;
        let words = mails["items"][0]["text"].as_str().unwrap_or_default();
        let token = words.split_once("#token=").and_then(|(_, rest)| rest.split_whitespace().next());
        if let Some(token) = token {
            let body = json!({ "token": token, "password": password });
            let (status, answer) = post(api, "/v1/accounts/confirm", None, &body).await?;
            return text(&answer, "access_token").ok_or_else(|| failed("confirm the sign-up", status, &answer));
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    Err("no mail came within ten seconds".into())
}

async fn post(api: &str, path: &str, token: Option<&str>, body: &Value) -> Result<(u16, Value), Failure> {
    let mut request = reqwest::Client::new().post(format!("{api}{path}")).json(body);
    if let Some(token) = token {
        request = request.bearer_auth(token);
    }
    let answer = request.send().await?;
    Ok((answer.status().as_u16(), answer.json().await?))
}

fn text(answer: &Value, field: &str) -> Option<String> {
    answer[field].as_str().map(str::to_owned)
}

fn is_about_the_code(answer: &Value) -> bool {
    answer["type"] == "urn:waybill:problem:second-factor"
}

fn failed(what: &str, status: u16, answer: &Value) -> Failure {
    format!("could not {what}: {status} {answer}").into()
}
