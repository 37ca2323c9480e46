//! What the watch of connections brings.

use std::sync::Arc;

use kube::{Resource, ResourceExt};

use crate::{
    api::PluvoConnection,
    plan::{ConnectionKey, registry::UndecodableConnection},
    supervise::Current,
};

use super::{
    super::{cache, context::Context, incoming::Undecodable, status},
    endpoint::{Address, rivals},
    key_of,
};

/// What resources on a connection, and rival connections, depend on.
fn terms_of(connection: &PluvoConnection) -> (Option<&str>, Option<i64>, bool) {
    let meta = connection.meta();
    (meta.uid.as_deref(), meta.generation, meta.deletion_timestamp.is_some())
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
        let others = rivals(&registry, &key, Address::from(&*connection));
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
        let decoded = registry.connection(&key).map(|known| Address::from(&**known));
        let address = decoded.or_else(|| registry.undecodable_connection(&key).map(Address::from));
        let others = address
            .map(|address| rivals(&registry, &key, address))
            .unwrap_or_default();
        registry.remove_connection(&key);
        drop(registry);
        let (context, gone) = (self.context.clone(), key.clone());
        let stopped = context.organizations.stop(&gone);
        let stop = async move {
            stopped.await;
            context.metrics.forget_guard(&gone.namespace, &gone.name);
        };
        tokio::spawn(Current::get().run(stop));
        for other in &others {
            self.context.wakes.connection(other);
        }
        self.wake_dependents(&key);
    }

    /// What it permits now is not known, and what it permitted before may have been taken back: nothing is read or
    /// written for it until it can be decoded.
    fn undecodable(&self, object: &Undecodable) {
        let (namespace, name) = (object.meta.namespace.clone(), object.meta.name.clone());
        tracing::warn!(namespace, name, "the PluvoConnection cannot be decoded");
        let key = ConnectionKey::new(&namespace.unwrap_or_default(), &name.unwrap_or_default());
        let known = UndecodableConnection {
            meta: object.meta.clone(),
            organization: object.text("organization").map(str::to_owned),
            endpoint: object.text("endpoint").map(str::to_owned),
        };
        self.context
            .registry
            .lock()
            .set_undecodable_connection(key.clone(), known);
        self.wake_dependents(&key);
        let stopped = self.context.organizations.stop(&key);
        let (client, meta) = (self.context.client.clone(), object.meta.clone());
        let stop = async move {
            let report = status::report_undecodable::<PluvoConnection>(client, &meta, &status::CONNECTION);
            tokio::join!(stopped, report);
        };
        tokio::spawn(Current::get().run(stop));
    }

    fn completed(&self) {}

    fn all(&self) -> Vec<(String, String)> {
        let registry = self.context.registry.lock();
        let decoded = registry.connections().map(|(key, _)| key);
        let undecodable = registry.undecodable_connections().map(|(key, _)| key);
        let all = decoded.chain(undecodable);
        all.map(|key| (key.namespace.to_string(), key.name.to_string()))
            .collect()
    }
}
