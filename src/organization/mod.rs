//! One organization as it is known: mirror, sweep, point reads, queue and batches, shared by all resources on it.
//!
//! Nobody waits here for Pluvo. A pass looks at the mirror through a view, submits what it wants, and ends; a change at
//! what it read, or what became of its calls, wakes it.

mod batch;
mod driver;
pub mod health;
pub mod hold;
mod mirror;
mod outcome;
mod queue;
mod reads;
pub mod settings;
pub mod state;
mod sweep;
#[cfg(test)]
mod tests;
pub mod view;

use std::{collections::BTreeSet, sync::Arc};

use parking_lot::Mutex;
use tokio::{
    sync::{Notify, mpsc::UnboundedSender},
    task::JoinHandle,
    time::Instant,
};

use crate::{
    plan::{Call, ResourceKey},
    pluvo::{Traffic, client::Client},
};

use health::Health;
use settings::Settings;
use state::{Moment, State};
use view::View;

/// Something changed that concerns somebody.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Wake {
    /// These resources shall look again.
    Resources(BTreeSet<ResourceKey>),
    /// The connection shall look at the organization's health.
    Connection,
}

/// One organization, with the tasks that read and write it.
pub struct Organization {
    shared: Arc<Shared>,
    tasks: Mutex<Vec<JoinHandle<()>>>,
}

/// What the tasks and the passes share. The lock is never held over an await.
struct Shared {
    state: Mutex<State>,
    client: Client,
    /// Something was submitted, wanted or changed: the tasks look again.
    reading: Notify,
    writing: Notify,
    stopping: tokio::sync::watch::Sender<bool>,
    wakes: UnboundedSender<Wake>,
    expects_more: ExpectsMore,
}

/// Whether more calls are about to be submitted, so that a document that is not full waits a little longer for them.
pub type ExpectsMore = Box<dyn Fn() -> bool + Send + Sync>;

impl Organization {
    /// Starts to read and write an organization. The first sweep is due at `first_sweep`; `wakes` is told whom to wake;
    /// `expects_more` says whether calls are about to be submitted that a document had better wait for.
    #[must_use]
    pub fn start(
        client: Client,
        settings: Settings,
        first_sweep: Instant,
        wakes: UnboundedSender<Wake>,
        expects_more: ExpectsMore,
    ) -> Self {
        let organization = Self::begin(client, settings, first_sweep, wakes, expects_more);
        let writing = tokio::spawn(driver::write(organization.shared.clone()));
        organization.tasks.lock().push(writing);
        organization
    }

    /// Starts to read an organization. Nothing is ever written: nobody is there who would send what is submitted.
    #[must_use]
    pub fn start_reading(
        client: Client,
        settings: Settings,
        first_sweep: Instant,
        wakes: UnboundedSender<Wake>,
    ) -> Self {
        Self::begin(client, settings, first_sweep, wakes, Box::new(|| false))
    }

    fn begin(
        client: Client,
        settings: Settings,
        first_sweep: Instant,
        wakes: UnboundedSender<Wake>,
        expects_more: ExpectsMore,
    ) -> Self {
        let shared = Arc::new(Shared {
            state: Mutex::new(State::new(settings, first_sweep)),
            client,
            reading: Notify::new(),
            writing: Notify::new(),
            stopping: tokio::sync::watch::Sender::new(false),
            wakes,
            expects_more,
        });
        let reading = tokio::spawn(driver::read(shared.clone()));
        Self {
            shared,
            tasks: Mutex::new(vec![reading]),
        }
    }

    /// Looks at the organization for one resource: `look` decides what to submit. What it read is noted, so that a
    /// change wakes the resource. `wants_reads`: whether what was unknown is to be read for its sake.
    pub fn observe<T>(&self, resource: &ResourceKey, wants_reads: bool, look: impl FnOnce(&View<'_>) -> T) -> T {
        let now = Instant::now();
        let mut state = self.shared.state.lock();
        let view = state.view(resource, now);
        let result = look(&view);
        let read = view.read.take();
        state.register(resource, read, wants_reads, now);
        drop(state);
        self.shared.reading.notify_one();
        result
    }

    /// Replaces everything of a resource that was not sent, unless something that it read has changed since `as_of`:
    /// then it was woken and decides anew. Returns whether it was taken.
    pub fn submit(&self, resource: &ResourceKey, calls: Vec<Call>, as_of: Moment) -> bool {
        let taken = self.shared.state.lock().submit(resource, calls, as_of, Instant::now());
        self.shared.writing.notify_one();
        taken
    }

    /// A resource is gone.
    pub fn forget(&self, resource: &ResourceKey) {
        self.shared.state.lock().forget(resource);
    }

    /// Makes a sweep due now, for a resource or for the connection itself. Returns how many sweeps must have ended for
    /// it to be over; its end wakes who asked.
    pub fn request_sweep(&self, resource: Option<&ResourceKey>) -> u64 {
        let needed = self.shared.state.lock().request_sweep(resource, Instant::now());
        self.shared.reading.notify_one();
        needed
    }

    /// Takes over changed settings. Limits of the client need a new organization.
    pub fn reconfigure(&self, settings: Settings) {
        self.shared.state.lock().reconfigure(settings, Instant::now());
        self.shared.reading.notify_one();
    }

    /// How well the organization is known, and whether it can be reached.
    #[must_use]
    pub fn health(&self) -> Health {
        let mut health = self.shared.state.lock().health.clone();
        health.token_expires_at = self.shared.client.token().map(|token| token.expires_at);
        health.unsupported = self.shared.client.unsupported().names().collect();
        health
    }

    /// Whether nothing waits to be written or is being written.
    #[must_use]
    pub fn is_queue_empty(&self) -> bool {
        self.shared.state.lock().queue.is_empty()
    }

    /// Whether nothing is queued, under way or wanted.
    #[must_use]
    pub fn is_idle(&self) -> bool {
        let state = self.shared.state.lock();
        state.queue.is_empty() && state.reads.is_empty()
    }

    /// What was sent and received so far.
    #[must_use]
    pub fn traffic(&self) -> Traffic {
        self.shared.client.counters().read()
    }

    /// Sends no new documents, waits for those under way and delivers what became of them. What was not sent is
    /// dropped: nothing is lost, because the next process decides it anew.
    pub async fn stop(&self) {
        self.shared.stopping.send_replace(true);
        let tasks = std::mem::take(&mut *self.tasks.lock());
        for task in tasks {
            if let Err(error) = task.await {
                tracing::error!(%error, "a task of the organization failed");
            }
        }
    }
}

impl Shared {
    /// Tells whom the last changes concern. Called after every change, outside of the lock.
    fn wake(&self) {
        let (resources, connection) = self.state.lock().take_woken();
        // Nobody listens any more only while the process ends.
        if connection {
            let _ = self.wakes.send(Wake::Connection);
        }
        if !resources.is_empty() {
            let _ = self.wakes.send(Wake::Resources(resources));
        }
    }
}
