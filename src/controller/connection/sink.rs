//! What the watch of connections brings.

use std::sync::Arc;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use kube::{Resource, ResourceExt};

use crate::{
    api::PluvoConnection,
    plan::{ConnectionKey, Registry},
};

use super::{
    super::{cache, context::Context},
    key_of, own_endpoint,
};

/// What resources on a connection, and rival connections, depend on.
fn terms_of(connection: &PluvoConnection) -> (Option<&str>, Option<i64>, bool) {
    let meta = connection.meta();
    (meta.uid.as_deref(), meta.generation, meta.deletion_timestamp.is_some())
}

/// The other connections to the same organization.
fn rivals(registry: &Registry, connection: &PluvoConnection) -> Vec<ConnectionKey> {
    let Ok(endpoint) = own_endpoint(connection) else {
        return Vec::new();
    };
    let key = key_of(connection);
    let others = registry.connections().filter(|(other, _)| **other != key);
    let same = others.filter(|(_, other)| own_endpoint(other).is_ok_and(|other| other.key() == endpoint.key()));
    same.map(|(key, _)| key.clone()).collect()
}

/// Takes connections into the registry. A change of a spec wakes everything on the connection.
pub struct Sink {
    context: Arc<Context>,
}

impl Sink {
    /// A sink.
    pub fn new(context: Arc<Context>) -> Self {
        Self { context }
    }

    fn wake_dependents(&self, key: &ConnectionKey) {
        let registry = self.context.registry.lock();
        registry
            .on_connection(key)
            .for_each(|resource| self.context.wakes.resource(resource));
    }
}

impl cache::Sink<PluvoConnection> for Sink {
    fn known(&self, namespace: &str, name: &str) -> Option<Arc<PluvoConnection>> {
        self.context
            .registry
            .lock()
            .connection(&ConnectionKey::new(namespace, name))
            .cloned()
    }

    fn set(&self, connection: Arc<PluvoConnection>) {
        let key = key_of(&connection);
        let mut registry = self.context.registry.lock();
        let known = registry.connection(&key).cloned();
        registry.set_connection(key.clone(), connection.clone());
        let others = rivals(&registry, &connection);
        drop(registry);
        if known
            .as_deref()
            .is_none_or(|known| terms_of(known) != terms_of(&connection))
        {
            self.context.wakes.connection(&key);
            // The oldest of those to one organization serves it.
            for other in &others {
                self.context.wakes.connection(other);
            }
            self.wake_dependents(&key);
        } else if known.is_some_and(|known| known.annotations() != connection.annotations()) {
            self.context.wakes.connection(&key);
        }
    }

    fn remove(&self, namespace: &str, name: &str) {
        let key = ConnectionKey::new(namespace, name);
        let mut registry = self.context.registry.lock();
        let known = registry.connection(&key).cloned();
        registry.remove_connection(&key);
        let others = known.map(|known| rivals(&registry, &known)).unwrap_or_default();
        drop(registry);
        let (context, gone) = (self.context.clone(), key.clone());
        tokio::spawn(async move {
            context.organizations.stop(&gone).await;
            context.metrics.forget_guard(&gone.namespace, &gone.name);
        });
        for other in &others {
            self.context.wakes.connection(other);
        }
        self.wake_dependents(&key);
    }

    fn undecodable(&self, meta: &ObjectMeta) {
        tracing::warn!(
            namespace = meta.namespace,
            name = meta.name,
            "the PluvoConnection cannot be decoded"
        );
    }

    fn completed(&self) {}

    fn all(&self) -> Vec<(String, String)> {
        let registry = self.context.registry.lock();
        registry
            .connections()
            .map(|(key, _)| (key.namespace.to_string(), key.name.to_string()))
            .collect()
    }
}
