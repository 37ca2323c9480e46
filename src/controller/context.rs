//! What all passes share.

use std::{sync::Arc, time::Duration};

use kube::{Client, runtime::events::Recorder};
use parking_lot::Mutex;
use tokio::{sync::watch, time::Instant};

use crate::{
    clock::SaturatingAdd,
    plan::{Object, Registry, ResourceKey},
    supervise::Supervisor,
    telemetry::Metrics,
};

use super::{
    Base, Options, Readiness, events, figures, going::Going, memory::Memories, organizations::Organizations,
    wake::Wakes,
};

/// What all passes share.
pub struct Context {
    /// Kubernetes.
    pub client: Client,
    /// What the operator was started with.
    pub options: Options,
    /// Everything that is declared.
    pub registry: Mutex<Registry>,
    /// The organizations of all connections.
    pub organizations: Organizations,
    /// What is remembered between passes.
    pub memories: Memories,
    /// Asks for passes.
    pub wakes: Wakes,
    /// What is being deleted with everything in it.
    pub going: Going,
    /// Publishes events.
    pub recorder: Recorder,
    /// Counts.
    pub metrics: Arc<Metrics>,
    /// How far the watches are.
    pub readiness: Arc<Readiness>,
    /// Looks after the tasks.
    pub supervisor: Supervisor,
    /// Becomes true when everything is to end.
    pub stop: watch::Receiver<bool>,
    last_pass: Mutex<Instant>,
    started: watch::Sender<bool>,
}

impl Context {
    /// Nothing is known yet.
    pub fn new(base: Base, options: Options, wakes: Wakes) -> Self {
        let Base {
            client,
            metrics,
            readiness,
            supervisor,
            stop,
        } = base;
        Self {
            recorder: Recorder::new(client.clone(), events::reporter()),
            going: Going::new(client.clone()),
            client,
            options,
            registry: Mutex::new(Registry::awaiting_watches()),
            organizations: Organizations::new(wakes.clone(), supervisor.clone()),
            memories: Memories::default(),
            wakes,
            metrics,
            readiness,
            supervisor,
            stop,
            last_pass: Mutex::new(Instant::now()),
            started: watch::Sender::new(false),
        }
    }

    /// All watches are complete: passes may begin.
    pub fn start_passes(&self) {
        self.started.send_replace(true);
    }

    /// Waits until passes may begin.
    pub async fn passes_started(&self) {
        // The sender lives as long as we do.
        let _ = self.started.subscribe().wait_for(|started| *started).await;
    }

    /// A pass begins.
    pub fn note_pass(&self) {
        *self.last_pass.lock() = Instant::now();
    }

    /// Waits until no pass has begun for a moment, so that what the last answers woke is written; at most `limit`.
    pub async fn settle(&self, limit: Duration) {
        const QUIET: Duration = Duration::from_millis(250);
        let end = Instant::now().saturating_add(limit);
        loop {
            let quiet_at = self.last_pass.lock().saturating_add(QUIET);
            if quiet_at <= Instant::now() || end <= Instant::now() {
                return;
            }
            tokio::time::sleep_until(quiet_at.min(end)).await;
        }
    }
}

/// Logs what became of a pass. Its errors were logged where they happened.
pub fn log_result<T, E: std::error::Error>(result: Result<T, E>) {
    if let Err(error) = result {
        tracing::debug!(%error, "a pass ended with an error");
    }
}

impl Context {
    /// A resource is gone: nothing of it is sent any more, and whoever depends on it looks again.
    pub fn forget(&self, key: &ResourceKey) {
        self.forget_calls(key);
        self.wakes.awaited.forget(key);
        figures::forget(self, key);
        let mut registry = self.registry.lock();
        if let Some(uid) = registry.get(key).and_then(|object| object.meta().uid.clone()) {
            self.memories.forget(&uid);
        }
        let woken = registry.remove(key);
        drop(registry);
        self.wakes.resources(&woken);
    }

    /// Takes back whatever a resource has asked for and was not sent.
    pub fn forget_calls(&self, key: &ResourceKey) {
        let connection = self.registry.lock().get(key).map(Object::connection);
        if let Some(organization) = connection.and_then(|connection| self.organizations.get(&connection)) {
            organization.forget(key);
        }
    }
}
