//! One organization: its data, and everything that is kept about the requests to it.

use std::sync::Arc;

use parking_lot::{Mutex, RwLock};

use super::{
    clock::Clock,
    faults::Faults,
    gate::Gate,
    journal::{Journal, Mark},
    scope::Client,
    settings::Settings,
    stats::Meter,
    store::{Refusal, Store},
    tokens::Tokens,
};

/// What an organization is when it springs into existence, and after a reset.
#[derive(Clone, Debug)]
pub struct Origin {
    /// Who may ask for tokens.
    pub clients: Vec<Client>,
    /// How it answers.
    pub settings: Settings,
    /// What exists.
    pub store: Store,
}

/// One organization.
///
/// Of the locks, `documents` is taken first and for a whole GraphQL document; the others only for a moment each.
#[derive(Debug)]
pub struct Organization {
    /// What it is called in addresses.
    name: Arc<str>,
    origin: Arc<Origin>,
    /// Its time.
    pub clock: Clock,
    /// Its data.
    pub store: RwLock<Store>,
    /// How it answers.
    pub settings: RwLock<Settings>,
    /// Tokens that were issued.
    pub tokens: Tokens,
    /// Mutations and mails.
    pub journal: Mutex<Journal>,
    /// Counters.
    pub meter: Meter,
    /// What is to go wrong.
    pub faults: Mutex<Faults>,
    /// Where requests wait that a fault holds.
    pub gate: Gate,
    /// Taken exclusively by a document of mutations, so that a document that is rolled back takes no other along and
    /// nobody reads what is not going to stay.
    pub documents: tokio::sync::RwLock<()>,
}

impl Organization {
    /// A new organization.
    pub fn new(name: &str, origin: Arc<Origin>) -> Self {
        Self {
            name: name.into(),
            clock: Clock::default(),
            store: RwLock::new(origin.store.clone()),
            settings: RwLock::new(origin.settings.clone()),
            tokens: Tokens::new(origin.clients.clone()),
            journal: Mutex::default(),
            meter: Meter::default(),
            faults: Mutex::default(),
            gate: Gate::default(),
            documents: tokio::sync::RwLock::default(),
            origin,
        }
    }

    /// Logs what a document did, on target `journal`: it stays when the process is gone.
    pub fn log_since(&self, mark: Mark) {
        for entry in self.journal.lock().since(mark) {
            // What is made of strings can always be written.
            let entry = serde_json::to_string(entry).unwrap_or_default();
            tracing::debug!(target: "journal", organization = &*self.name, "{entry}");
        }
    }

    /// Makes visible what has waited long enough. Whoever reads memberships calls it first.
    pub fn settle(&self) {
        if !self.store.read().is_settled() {
            let delay = self.settings.read().visibility_delay;
            self.store.write().settle(self.clock.now(), delay);
        }
    }

    /// Changes the data in a way that no operation can: everything that `change` does or, if it refuses, nothing.
    pub async fn change<T>(&self, change: impl FnOnce(&mut Store) -> Result<T, Refusal>) -> Result<T, Refusal> {
        let _alone = self.documents.write().await;
        let mut changed = self.store.read().clone();
        let result = change(&mut changed)?;
        *self.store.write() = changed;
        Ok(result)
    }

    /// As it was at first. Tokens stay valid, so that running clients go on.
    pub async fn reset(&self) {
        let _alone = self.documents.write().await;
        *self.store.write() = self.origin.store.clone();
        *self.settings.write() = self.origin.settings.clone();
        *self.journal.lock() = Journal::default();
        *self.faults.lock() = Faults::default();
        self.gate.release();
        self.meter.reset();
        self.clock.reset();
    }
}
