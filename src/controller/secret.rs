//! Credentials from a Secret, read with `get` whenever they are needed: a rotation takes effect without a restart.

use futures::future::BoxFuture;
use k8s_openapi::api::core::v1::Secret;
use kube::{Api, Client};
use parking_lot::Mutex;

use crate::{
    api::Reason,
    pluvo::{
        error::CredentialsError,
        token::{CredentialSource, Credentials},
    },
};

/// The Secret of one connection.
pub struct SecretSource {
    api: Api<Secret>,
    name: String,
    problem: Mutex<Option<Reason>>,
}

impl SecretSource {
    /// The Secret of a name in a namespace.
    pub fn new(client: Client, namespace: &str, name: &str) -> Self {
        Self {
            api: Api::namespaced(client, namespace),
            name: name.to_owned(),
            problem: Mutex::default(),
        }
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
