//! Credentials from a Secret, read with `get` whenever they are needed: a rotation takes effect without a restart.

use std::{collections::BTreeMap, time::Duration};

use futures::future::BoxFuture;
use k8s_openapi::{ByteString, api::core::v1::Secret};
use kube::{Api, Client};
use parking_lot::Mutex;
use secrecy::SecretString;
use tokio::time::Instant;

use crate::{
    api::Reason,
    pluvo::{
        error::CredentialsError,
        token::{CredentialSource, Credentials},
        webhook::WebhookKeys,
    },
};

/// The Secret of one connection.
pub struct SecretSource {
    api: Api<Secret>,
    name: String,
    problem: Mutex<Option<Reason>>,
    webhook: Mutex<Webhook>,
}

/// What the Secret holds for webhooks, as it was last read.
#[derive(Default)]
struct Webhook {
    keys: WebhookKeys,
    read: Option<Instant>,
}

/// Entries with keys of webhooks: the present one, and during a rotation the one before.
const WEBHOOK_KEYS: [&str; 2] = ["webhook-key", "webhook-key-previous"];
/// After this a delivery that is signed with no known key makes the Secret be read.
const REREAD: Duration = Duration::from_secs(10);

impl SecretSource {
    /// The Secret of a name in a namespace.
    pub fn new(client: Client, namespace: &str, name: &str) -> Self {
        Self {
            api: Api::namespaced(client, namespace),
            name: name.to_owned(),
            problem: Mutex::default(),
            webhook: Mutex::default(),
        }
    }

    /// The keys of webhooks, as they were last read; `None`: there are none.
    pub fn webhook_keys(&self) -> Option<WebhookKeys> {
        let keys = self.webhook.lock().keys.clone();
        (!keys.is_empty()).then_some(keys)
    }

    /// The same, read anew unless that was done shortly before.
    pub async fn reread_webhook_keys(&self) -> Option<WebhookKeys> {
        {
            let mut webhook = self.webhook.lock();
            if webhook.read.is_some_and(|read| read.elapsed() < REREAD) {
                return None;
            }
            webhook.read = Some(Instant::now());
        }
        // What is wrong with the rest of the Secret is told where it is needed.
        let _ = self.get().await;
        self.webhook_keys()
    }

    /// What was wrong with the Secret when it was last read.
    pub fn problem(&self) -> Option<Reason> {
        *self.problem.lock()
    }

    async fn get(&self) -> Result<Credentials, (Reason, String)> {
        let name = &self.name;
        let secret = match self.api.get_opt(name).await {
            Ok(Some(secret)) => secret,
            Ok(None) => {
                return Err((
                    Reason::SecretNotFound,
                    format!("Secret {name} does not exist in the connection's namespace"),
                ));
            }
            Err(error) => {
                let why = match error {
                    kube::Error::Api(status) => status.message,
                    other => other.to_string(),
                };
                return Err((Reason::SecretNotFound, format!("Secret {name} cannot be read: {why}")));
            }
        };
        let data = secret.data.unwrap_or_default();
        self.note_webhook_keys(&data);
        let text = |key: &str| {
            let bytes = data.get(key).filter(|bytes| !bytes.0.is_empty());
            let text = bytes
                .and_then(|bytes| std::str::from_utf8(&bytes.0).ok())
                .map(str::trim)
                .filter(|text| !text.is_empty());
            text.map(str::to_owned).ok_or_else(|| {
                (
                    Reason::SecretInvalid,
                    format!("Secret {name} has no text under key {key}; it needs client-id and client-secret"),
                )
            })
        };
        Ok(Credentials {
            client_id: text("client-id")?,
            client_secret: text("client-secret")?.into(),
        })
    }
}

impl SecretSource {
    fn note_webhook_keys(&self, data: &BTreeMap<String, ByteString>) {
        let texts = WEBHOOK_KEYS
            .iter()
            .filter_map(|key| std::str::from_utf8(&data.get(*key)?.0).ok());
        let keys = texts
            .map(str::trim)
            .filter(|text| !text.is_empty())
            .map(SecretString::from);
        *self.webhook.lock() = Webhook {
            keys: keys.collect(),
            read: Some(Instant::now()),
        };
    }
}

impl CredentialSource for SecretSource {
    fn read(&self) -> BoxFuture<'_, Result<Credentials, CredentialsError>> {
        Box::pin(async {
            match self.get().await {
                Ok(credentials) => {
                    *self.problem.lock() = None;
                    Ok(credentials)
                }
                Err((problem, message)) => {
                    *self.problem.lock() = Some(problem);
                    Err(CredentialsError::Unreadable(message))
                }
            }
        })
    }
}
