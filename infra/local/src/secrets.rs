//! Secrets Manager's GetSecretValue, over secrets that are made once and kept.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::aws::{ACCOUNT, OpenError, REGION, Refusal, input, output};
use crate::template;

const FILE: &str = "secrets.json";

/// The secrets of the template and those that the host has put. Clones share them.
#[derive(Clone)]
pub struct Secrets(Arc<Inner>);

struct Inner {
    path: Option<PathBuf>,
    kept: Mutex<BTreeMap<String, Secret>>,
}

#[derive(Serialize, Deserialize)]
struct Secret {
    value: String,
    version: String,
    created: Timestamp,
}

impl Secrets {
    /// Makes the values that are missing, and keeps them in a file that only its owner can read.
    pub fn open(wanted: &[template::Secret], folder: Option<&Path>) -> Result<Secrets, OpenError> {
        let path = folder.map(|folder| folder.join(FILE));
        let kept = match path.as_deref().map(|path| (path, std::fs::read(path))) {
            Some((path, Ok(bytes))) => serde_json::from_slice(&bytes).map_err(OpenError::damaged(path))?,
            Some((path, Err(error))) if error.kind() != std::io::ErrorKind::NotFound => {
                return Err(OpenError::file(path)(error));
            }
            _ => BTreeMap::new(),
        };
        let secrets = Secrets(Arc::new(Inner { path, kept: Mutex::new(kept) }));
        for secret in wanted {
            if secrets.value(&secret.name).is_none() {
                secrets.put(&secret.name, &random_letters(secret.length))?;
            }
        }
        Ok(secrets)
    }

    /// Sets a secret's value, as a new version of it.
    pub fn put(&self, name: &str, value: &str) -> Result<(), OpenError> {
        let mut kept = self.kept();
        if kept.get(name).is_some_and(|secret| secret.value == value) {
            return Ok(());
        }
        let secret =
            Secret { value: value.to_owned(), version: uuid::Uuid::new_v4().to_string(), created: Timestamp::now() };
        kept.insert(name.to_owned(), secret);
        let Some(path) = &self.0.path else {
            return Ok(());
        };
        let bytes = serde_json::to_vec_pretty(&*kept).map_err(OpenError::damaged(path))?;
        replace_private(path, &bytes).map_err(OpenError::file(path))
    }

    pub fn value(&self, name: &str) -> Option<String> {
        self.kept().get(name).map(|secret| secret.value.clone())
    }

    fn kept(&self) -> MutexGuard<'_, BTreeMap<String, Secret>> {
        self.0.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Letters and digits from the operating system's randomness.
pub fn random_letters(length: usize) -> String {
    const LETTERS: &[u8; 62] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";
    let mut letters = String::with_capacity(length);
    let mut bytes = [0; 64];
    while letters.len() < length {
        getrandom::fill(&mut bytes).expect("the operating system gives randomness");
        // 248 is the largest multiple of 62 in a byte: above it, the first letters would come up more often.
        let even = bytes.iter().filter(|byte| **byte < 248);
        letters.extend(even.map(|byte| char::from(LETTERS[usize::from(byte % 62)])).take(length - letters.len()));
    }
    letters
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
struct GetSecretValue {
    secret_id: String,
    version_id: Option<String>,
    version_stage: Option<String>,
}

pub(crate) fn call(secrets: &Secrets, action: &str, body: &[u8]) -> Result<Vec<u8>, Refusal> {
    if action != "GetSecretValue" {
        return Err(Refusal::unknown_action(&format!("secretsmanager.{action}")));
    }
    let asked: GetSecretValue = input(body)?;
    let name = asked.secret_id.rsplit_once(":secret:").map_or(asked.secret_id.as_str(), |(_, name)| name);
    let kept = secrets.kept();
    let secret = kept
        .get(name)
        .ok_or_else(|| Refusal::new("ResourceNotFoundException", "Secrets Manager can't find the specified secret."))?;
    let stage = asked.version_stage.as_deref().unwrap_or("AWSCURRENT");
    if stage != "AWSCURRENT" || asked.version_id.is_some_and(|version| version != secret.version) {
        let message = format!("Secrets Manager can't find the specified secret value for staging label: {stage}");
        return Err(Refusal::new("ResourceNotFoundException", message));
    }
    output(&json!({
        "ARN": format!("arn:aws:secretsmanager:{REGION}:{ACCOUNT}:secret:{name}"),
        "Name": name,
        "VersionId": secret.version,
        "SecretString": secret.value,
        "VersionStages": ["AWSCURRENT"],
        "CreatedDate": secret.created.as_millisecond() as f64 / 1000.0,
    }))
}

fn replace_private(path: &Path, bytes: &[u8]) -> std::io::Result<()> {
    use std::io::Write;
    let draft = path.with_extension("draft");
    let mut options = std::fs::OpenOptions::new();
    options.write(true).create(true).truncate(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut file = options.open(&draft)?;
    file.write_all(bytes)?;
    drop(file);
    std::fs::rename(&draft, path)
}

#[cfg(test)]
mod tests {
    use crate::sdk::{Endpoint, Folder, idle};
    use crate::template::{Secret, Template};

    fn template() -> Template {
        Template { secrets: vec![Secret { name: "TokenKey".to_owned(), length: 64 }], ..Template::default() }
    }

    #[tokio::test]
    async fn a_secret_is_made_once_and_found_by_name_and_by_arn() {
        let folder = Folder::new();
        let endpoint = Endpoint::open(&template(), Some(&folder), idle()).await;
        let client = endpoint.secrets();
        let by_name = client.get_secret_value().secret_id("TokenKey").send().await.unwrap();
        let arn = by_name.arn().unwrap();
        let by_arn = client.get_secret_value().secret_id(arn).send().await.unwrap();
        let value = by_name.secret_string().unwrap();
        assert_eq!(by_arn.secret_string(), Some(value));
        assert!(value.len() == 64 && value.chars().all(|letter| letter.is_ascii_alphanumeric()), "{value}");

        let after = Endpoint::open(&template(), Some(&folder), idle()).await;
        assert_eq!(after.aws.secrets.value("TokenKey").as_deref(), Some(value));
    }

    #[tokio::test]
    async fn an_unknown_secret_is_not_found() {
        let endpoint = Endpoint::open(&template(), None, idle()).await;
        let error = endpoint.secrets().get_secret_value().secret_id("Nope").send().await.unwrap_err();
        assert!(error.into_service_error().is_resource_not_found_exception());
        endpoint.aws.secrets.put("Nope", "now it is there").unwrap();
        let found = endpoint.secrets().get_secret_value().secret_id("Nope").send().await.unwrap();
        assert_eq!(found.secret_string(), Some("now it is there"));
    }

    #[cfg(unix)]
    #[tokio::test]
    async fn only_the_owner_reads_the_file() {
        use std::os::unix::fs::PermissionsExt;
        let folder = Folder::new();
        Endpoint::open(&template(), Some(&folder), idle()).await;
        let mode = std::fs::metadata(folder.join(super::FILE)).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
    }
}
