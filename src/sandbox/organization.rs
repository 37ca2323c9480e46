//! One organization: its data, and everything that is kept about the requests to it.

use std::sync::Arc;

use parking_lot::{Mutex, RwLock};
use tokio::sync::watch;

use super::{
    clock::Clock,
    faults::Faults,
    gate::Gate,
    journal::{Journal, Mark},
    scope::Client,
    settings::{GroupNews, Settings},
    stats::Meter,
    store::{Refusal, Store},
    tokens::Tokens,
    webhooks::{Announcement, Webhooks, announced, bodies},
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
    /// Who is told of what.
    pub webhooks: Webhooks,
    /// How often something has happened.
    pub happenings: watch::Sender<u64>,
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
            webhooks: Webhooks::default(),
            happenings: watch::Sender::default(),
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
    pub async fn change<T>(
        self: &Arc<Self>,
        change: impl FnOnce(&mut Store) -> Result<T, Refusal>,
    ) -> Result<T, Refusal> {
        let _alone = self.documents.write().await;
        let mut changed = self.store.read().clone();
        let result = change(&mut changed)?;
        *self.store.write() = changed;
        self.tell();
        Ok(result)
    }

    /// Tells whoever subscribed to it what has happened. Called when it is certain to stay.
    pub fn tell(self: &Arc<Self>) {
        let when_visible = self.settings.read().group_news == GroupNews::Visible;
        let now = self.clock.now();
        let news = self.store.write().take_news(when_visible);
        self.happenings.send_modify(|count| *count += 1);
        if self.webhooks.is_empty() {
            return;
        }
        let store = self.store.read();
        let told = news.iter().flat_map(|news| bodies(news, &store, now)).collect();
        self.webhooks.deliver(told);
        if when_visible && !store.is_settled() {
            self.tell_later();
        }
    }

    /// What was accepted becomes visible by itself, and is told then.
    fn tell_later(self: &Arc<Self>) {
        let (organization, delay) = (self.clone(), self.settings.read().visibility_delay);
        tokio::spawn(async move {
            tokio::time::sleep(delay.unsigned_abs()).await;
            let _alone = organization.documents.write().await;
            organization.settle();
            organization.tell();
        });
    }

    /// Tells of something that no operation brings about.
    pub fn announce(&self, announcements: &[Announcement]) -> Result<(), Refusal> {
        let (store, now) = (self.store.read(), self.clock.now());
        let told = announcements.iter().map(|wanted| announced(wanted, &store, now));
        self.webhooks.deliver(told.collect::<Result<_, _>>()?);
        Ok(())
    }

    /// As it was at first. Tokens stay valid, so that running clients go on.
    pub async fn reset(&self) {
        let _alone = self.documents.write().await;
        *self.store.write() = self.origin.store.clone();
        *self.settings.write() = self.origin.settings.clone();
        *self.journal.lock() = Journal::default();
        *self.faults.lock() = Faults::default();
        self.webhooks.clear();
        self.happenings.send_modify(|count| *count += 1);
        self.gate.release();
        self.meter.reset();
        self.clock.reset();
    }
}
