//! One organization as it is known: mirror, sweep, point reads, queue and batches, shared by all resources on it.
//!
//! Nobody waits here for Pluvo. A pass looks at the mirror through a view, submits what it wants, and ends; a change at
//! what it read, or what became of its calls, wakes it.

mod audit;
mod batch;
mod breaker;
mod driver;
pub mod guard;
pub mod health;
mod hints;
pub mod hold;
mod mirror;
mod outcome;
pub mod pages;
mod queue;
mod reading;
mod reads;
mod schedule;
pub mod settings;
pub mod state;
mod surveys;
pub mod sweep;
#[cfg(test)]
mod tests;
pub mod view;

use std::{collections::BTreeSet, sync::Arc};

use parking_lot::Mutex;
use tokio::{sync::Notify, task::JoinHandle, time::Instant};

use crate::{
    plan::{Call, ResourceKey},
    pluvo::{Traffic, client::Client, webhook::Notice},
    supervise::Supervisor,
};

use guard::{GuardRecord, GuardReport};
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
    /// What the audit log calls it.
    name: Arc<str>,
    state: Mutex<State>,
    client: Client,
    /// Something was submitted, wanted or changed: the tasks look again.
    reading: Notify,
    writing: Notify,
    stopping: tokio::sync::watch::Sender<bool>,
    wakes: Wakes,
    passes: Box<dyn Passes>,
}

/// Whoever is told whom to wake. It must not wait, nor ask the organization anything.
pub type Wakes = Box<dyn Fn(Wake) + Send + Sync>;

/// What an organization is started with.
pub struct Start {
    /// What the audit log calls it.
    pub name: Arc<str>,
    /// The way there.
    pub client: Client,
    /// How it is read and written.
    pub settings: Settings,
    /// Where the guard goes on: see [`Organization::guard_recorded`].
    pub record: GuardRecord,
    /// When the first sweep is due.
    pub first_sweep: Instant,
}

/// What an organization asks about those who submit calls.
pub trait Passes: Send + Sync {
    /// Whether more calls are about to be submitted, so that a document that is not full waits a little longer for
    /// them.
    fn are_to_come(&self) -> bool;
    /// Whether a resource is about to be looked at anew, so that what it wanted may be outdated.
    fn are_to_come_over(&self, resource: &ResourceKey) -> bool;
}

/// Whoever submits calls has submitted all of them.
pub struct NoPasses;

impl Passes for NoPasses {
    fn are_to_come(&self) -> bool {
        false
    }

    fn are_to_come_over(&self, _: &ResourceKey) -> bool {
        false
    }
}

impl Organization {
    /// Starts to read and write an organization. `wakes` is told whom to wake.
    #[must_use]
    pub fn start(start: Start, wakes: Wakes, passes: Box<dyn Passes>, supervisor: &Supervisor) -> Self {
        let state = State::new(start.settings, start.record, start.first_sweep);
        let organization = Self::begin(start.name, start.client, state, wakes, passes, supervisor);
        let shared = &organization.shared;
        let writing = shared.spawn("writes", driver::write(shared.clone()), supervisor);
        organization.tasks.lock().push(writing);
        organization
    }

    /// Starts to read an organization. Nothing is ever written: nobody is there who would send what is submitted.
    #[must_use]
    pub fn start_reading(
        client: Client,
        settings: Settings,
        first_sweep: Instant,
        wakes: Wakes,
        supervisor: &Supervisor,
    ) -> Self {
        let state = State::new(settings, GuardRecord::default(), first_sweep);
        Self::begin("".into(), client, state, wakes, Box::new(NoPasses), supervisor)
    }

    fn begin(
        name: Arc<str>,
        client: Client,
        state: State,
        wakes: Wakes,
        passes: Box<dyn Passes>,
        supervisor: &Supervisor,
    ) -> Self {
        let shared = Arc::new(Shared {
            name,
            state: Mutex::new(state),
            client,
            reading: Notify::new(),
            writing: Notify::new(),
            stopping: tokio::sync::watch::Sender::new(false),
            wakes,
            passes,
        });
        let reading = shared.spawn("reads", driver::read(shared.clone()), supervisor);
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

    /// The status of a resource records mails to these refs. No mail leaves before it is recorded, and none twice.
    pub fn record_mails(&self, resource: &ResourceKey, mails: Vec<String>) {
        self.shared.state.lock().queue.record_mails(resource, mails);
    }

    /// Takes back whatever a resource has asked for and was not sent, and what a pass that is under way is about to ask
    /// for. Nothing wakes the resource until it is looked at again.
    pub fn withdraw(&self, resource: &ResourceKey) {
        self.shared.state.lock().withdraw(resource, Instant::now());
    }

    /// A resource is gone.
    pub fn forget(&self, resource: &ResourceKey) {
        self.shared.state.lock().forget(resource, Instant::now());
    }

    /// Makes a sweep due now, for a resource or for the connection itself. Returns how many sweeps must have ended for
    /// it to be over; its end wakes who asked.
    pub fn request_sweep(&self, resource: Option<&ResourceKey>) -> u64 {
        let needed = self.shared.state.lock().request_sweep(resource, Instant::now());
        self.shared.reading.notify_one();
        needed
    }

    /// Whether a report that was asked for anew is still to be read for a resource.
    #[must_use]
    pub fn is_surveying(&self, resource: &ResourceKey) -> bool {
        self.shared.state.lock().is_surveying(resource)
    }

    /// Pluvo says that something has changed: whatever of it is needed is read again. Returns whether anything is.
    pub fn hint(&self, notice: &Notice) -> bool {
        let needed = self.shared.state.lock().hint(notice, Instant::now());
        if needed {
            self.shared.wake();
            self.shared.reading.notify_one();
        }
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

    /// What the guard wants to have recorded and told. Nothing that it let through leaves before
    /// [`Self::guard_recorded`] was told so.
    #[must_use]
    pub fn guard(&self) -> GuardReport {
        self.shared.state.lock().queue.guard.report()
    }

    /// What the guard would say if all of these calls were wanted at once.
    pub fn foresee<'a>(&self, calls: impl Iterator<Item = (&'a ResourceKey, &'a [Call])>) -> GuardReport {
        self.shared.state.lock().queue.guard.foresee(calls)
    }

    /// The resources whose destructive calls leave as soon as the guard's record is written.
    #[must_use]
    pub fn about_to_leave(&self) -> BTreeSet<ResourceKey> {
        self.shared.state.lock().queue.guard.about_to_leave()
    }

    /// The guard's record was written in this revision, where a restart finds it.
    pub fn guard_recorded(&self, revision: u64) {
        self.shared.state.lock().guard_recorded(revision, Instant::now());
        self.shared.wake();
        self.shared.writing.notify_one();
    }

    /// Releases the set that the guard holds, if it is exactly the one with this digest. Returns whether it was.
    pub fn approve(&self, digest: &str) -> bool {
        let approved = self.shared.state.lock().queue.guard.approve(digest, Instant::now());
        self.shared.writing.notify_one();
        approved
    }

    /// Whether nothing is being written, and nothing can be before somebody approves it.
    #[must_use]
    pub fn is_queue_at_rest(&self) -> bool {
        self.shared.state.lock().queue.is_at_rest()
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
        if connection {
            (self.wakes)(Wake::Connection);
        }
        if !resources.is_empty() {
            (self.wakes)(Wake::Resources(resources));
        }
    }

    /// Starts a task that goes on until the organization is stopped.
    fn spawn(
        &self,
        what: &str,
        task: impl Future<Output = ()> + Send + 'static,
        supervisor: &Supervisor,
    ) -> JoinHandle<()> {
        let name = format!("{what} of {}", self.name);
        supervisor.spawn(&name, self.stopping.subscribe(), task)
    }
}
