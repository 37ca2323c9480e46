//! One organization, one owner: the organizations of all connections, by connection and by endpoint.

use std::{collections::HashMap, sync::Arc};

use parking_lot::Mutex;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

use crate::{
    organization::{Organization, Start, Wake},
    plan::ConnectionKey,
};

use super::{context::Context, secret::SecretSource, wake::Awaited};

/// Something about an organization changed.
pub type HealthChange = Wake;

/// The organizations of all connections.
pub struct Organizations {
    running: Mutex<HashMap<ConnectionKey, Running>>,
    changes: UnboundedSender<(ConnectionKey, HealthChange)>,
    awaited: Awaited,
}

struct Running {
    organization: Arc<Organization>,
    identity: Identity,
    secret: Arc<SecretSource>,
}

/// What a running organization was started with; a change needs a new one.
#[derive(Clone, Debug, PartialEq)]
pub struct Identity {
    /// The endpoint's key.
    pub endpoint: Arc<str>,
    /// Name of the Secret.
    pub secret: String,
    /// Certificates.
    pub ca_bundle: Option<String>,
    /// Limits of the client.
    pub limits: crate::pluvo::limiter::Limits,
}

impl Organizations {
    /// None yet. `changes` is told whose passes are to run; `awaited` says whether passes are to come.
    pub fn new(changes: UnboundedSender<(ConnectionKey, HealthChange)>, awaited: Awaited) -> Self {
        Self {
            running: Mutex::default(),
            changes,
            awaited,
        }
    }

    /// The organization of a connection, if it runs.
    pub fn get(&self, connection: &ConnectionKey) -> Option<Arc<Organization>> {
        self.running
            .lock()
            .get(connection)
            .map(|running| running.organization.clone())
    }

    /// The organization of a connection with what it was started with.
    pub fn running(&self, connection: &ConnectionKey) -> Option<(Arc<Organization>, Identity, Arc<SecretSource>)> {
        self.running.lock().get(connection).map(|running| {
            (
                running.organization.clone(),
                running.identity.clone(),
                running.secret.clone(),
            )
        })
    }

    /// Starts the organization of a connection.
    pub fn start(&self, connection: &ConnectionKey, identity: Identity, secret: Arc<SecretSource>, start: Start) {
        let (wakes, mut woken) = unbounded_channel();
        let passes = Box::new(self.awaited.clone());
        let organization = Organization::start(start, wakes, passes);
        let organization = Arc::new(organization);
        self.running.lock().insert(
            connection.clone(),
            Running {
                organization,
                identity,
                secret,
            },
        );
        let (changes, connection) = (self.changes.clone(), connection.clone());
        tokio::spawn(async move {
            while let Some(wake) = woken.recv().await {
                // Nobody listens any more only while the process ends.
                let _ = changes.send((connection.clone(), wake));
            }
        });
    }

    /// Stops the organization of a connection.
    pub async fn stop(&self, connection: &ConnectionKey) {
        let running = self.running.lock().remove(connection);
        if let Some(running) = running {
            running.organization.stop().await;
        }
    }

    /// Stops all organizations; they stay where they are, so that passes can read what became of the last calls.
    pub async fn stop_all(&self) {
        let all: Vec<_> = self
            .running
            .lock()
            .values()
            .map(|running| running.organization.clone())
            .collect();
        for organization in all {
            organization.stop().await;
        }
    }
}

/// Turns what organizations tell into passes.
pub async fn forward_wakes(context: Arc<Context>, mut changes: UnboundedReceiver<(ConnectionKey, HealthChange)>) {
    while let Some((connection, change)) = changes.recv().await {
        match change {
            Wake::Connection => context.wakes.connection(&connection),
            Wake::Resources(resources) => context.wakes.resources(&resources),
        }
    }
}
