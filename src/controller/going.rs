//! Whether a namespace, a definition or a connection is being deleted or gone, read from the API server: with them
//! everything goes that needs them, and nobody meant to archive a company by that.

use std::{collections::HashMap, sync::Arc, time::Duration};

use futures::future::try_join_all;
use k8s_openapi::{
    api::core::v1::Namespace, apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition,
    apimachinery::pkg::apis::meta::v1::ObjectMeta,
};
use kube::{Api, Client, api::ListParams, core::PartialObjectMeta};
use parking_lot::Mutex;
use tokio::time::Instant;

use crate::{
    api::{self, PluvoConnection},
    plan::ConnectionKey,
};

use super::error::PassError;

/// Many objects that are deleted together ask once.
const KEEP: Duration = Duration::from_secs(1);

/// Reads whether namespaces and definitions are on their way out.
pub struct Going {
    client: Client,
    /// Held by whoever asks on behalf of all who want to know.
    asking: tokio::sync::Mutex<()>,
    /// By namespace, or by namespace and name of a connection; the empty name stands for our definitions.
    known: Mutex<HashMap<Arc<str>, (Instant, bool)>>,
}

impl Going {
    /// Nothing is known yet.
    pub fn new(client: Client) -> Self {
        Self {
            client,
            asking: tokio::sync::Mutex::default(),
            known: Mutex::default(),
        }
    }

    /// Whether a namespace is being deleted, as of a second ago at most.
    pub async fn namespace(&self, name: &str) -> Result<bool, PassError> {
        self.share(name, self.read_namespace(name)).await
    }

    /// Whether one of our definitions is being deleted, as of a second ago at most.
    pub async fn definitions(&self) -> Result<bool, PassError> {
        self.share("", self.read_definitions()).await
    }

    /// Whether a connection is being deleted or gone, as of a second ago at most. That a watch does not show it proves
    /// nothing.
    pub async fn connection(&self, key: &ConnectionKey) -> Result<bool, PassError> {
        self.share(&key.to_string(), self.read_connection(key)).await
    }

    async fn read_connection(&self, key: &ConnectionKey) -> Result<bool, PassError> {
        let connections = Api::<PluvoConnection>::namespaced(self.client.clone(), &key.namespace);
        // A list of one: nothing else here needs the permission to get.
        let one = ListParams::default().fields(&format!("metadata.name={}", key.name));
        let found = connections.list_metadata(&one).await?.items.pop();
        Ok(self.note(&key.to_string(), is_going(found)))
    }

    /// What is known of a name, or else is read once for all who ask at the same time.
    async fn share(&self, name: &str, read: impl Future<Output = Result<bool, PassError>>) -> Result<bool, PassError> {
        if let Some(known) = self.known(name) {
            return Ok(known);
        }
        let _asking = self.asking.lock().await;
        match self.known(name) {
            Some(known) => Ok(known),
            None => read.await,
        }
    }

    /// The same, as of now.
    pub async fn read_namespace(&self, name: &str) -> Result<bool, PassError> {
        let namespace = Api::<Namespace>::all(self.client.clone())
            .get_metadata_opt(name)
            .await?;
        Ok(self.note(name, is_going(namespace)))
    }

    /// The same, as of now.
    pub async fn read_definitions(&self) -> Result<bool, PassError> {
        let definitions = Api::<CustomResourceDefinition>::all(self.client.clone());
        let read = try_join_all(api::crd_names().map(|name| definitions.get_metadata_opt(name)));
        let going = read.await?.into_iter().any(is_going);
        Ok(self.note("", going))
    }

    fn known(&self, name: &str) -> Option<bool> {
        let known = self.known.lock();
        let (at, going) = known.get(name)?;
        (at.elapsed() < KEEP).then_some(*going)
    }

    fn note(&self, name: &str, going: bool) -> bool {
        let mut known = self.known.lock();
        known.retain(|_, (at, _)| at.elapsed() < KEEP);
        known.insert(name.into(), (Instant::now(), going));
        going
    }
}

fn is_going<K>(object: Option<PartialObjectMeta<K>>) -> bool {
    let meta: Option<ObjectMeta> = object.map(|object| object.metadata);
    meta.is_none_or(|meta| meta.deletion_timestamp.is_some())
}

#[cfg(test)]
mod tests;
