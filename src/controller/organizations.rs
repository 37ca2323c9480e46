//! One organization, one owner: the organizations of all connections, by connection and by endpoint.

use std::{collections::HashMap, sync::Arc};

use parking_lot::Mutex;

use crate::{
    organization::{Organization, Start, Wake},
    plan::ConnectionKey,
    supervise::Supervisor,
};

use super::{secret::SecretSource, wake::Wakes};

/// The organizations of all connections.
pub struct Organizations {
    running: Mutex<HashMap<ConnectionKey, Running>>,
    wakes: Wakes,
    supervisor: Supervisor,
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
    /// None yet. What they tell becomes passes through `wakes`.
    pub fn new(wakes: Wakes, supervisor: Supervisor) -> Self {
        Self {
            running: Mutex::default(),
            wakes,
            supervisor,
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
        let (wakes, woken) = (self.wakes.clone(), connection.clone());
        let wake = move |wake| match wake {
            Wake::Connection => wakes.connection(&woken),
            Wake::Resources(resources) => wakes.resources(&resources),
        };
        let passes = Box::new(self.wakes.awaited.clone());
        let organization = Organization::start(start, Box::new(wake), passes, &self.supervisor);
        let organization = Arc::new(organization);
        self.running.lock().insert(
            connection.clone(),
            Running {
                organization,
                identity,
                secret,
            },
        );
    }

    /// Stops the organization of a connection. It is not the connection's any more before this is first awaited, so that
    /// whoever comes after finds none.
    pub fn stop(&self, connection: &ConnectionKey) -> impl Future<Output = ()> + use<> {
        let running = self.running.lock().remove(connection);
        async move {
            if let Some(running) = running {
                running.organization.stop().await;
            }
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
