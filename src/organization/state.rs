//! Everything that is known about one organization and wanted of it, without I/O and without a clock: the driver asks
//! what to send next and says what came back. That makes every interleaving a test that needs no network.

use std::{
    collections::{BTreeSet, HashMap},
    sync::Arc,
    time::Duration,
};

use jiff::Timestamp;
use tokio::time::Instant;

use crate::{
    clock::{SaturatingAdd, scaled},
    plan::{Call, ResourceKey, observed::Key, survey::Survey},
    pluvo::{
        request::{Query, QueryAnswer},
        response::EntryError,
        support::Unsupported,
    },
};

use super::{
    batch::Batch,
    breaker::{Breaker, Sends},
    guard::{Guard, GuardRecord},
    health::Health,
    mirror::Mirror,
    queue::Queue,
    reads::{Question, Reads},
    schedule::Schedule,
    settings::Settings,
    surveys::Surveys,
    sweep::Strategy,
    view::{Outcomes, ReadKeys, Readers, View},
};

/// One organization as it is known, with everything that is wanted of it.
#[derive(Debug)]
pub struct State {
    pub(super) settings: Settings,
    /// What the server lacks of the documented schema, as far as is known.
    pub(super) unsupported: Arc<Unsupported>,
    pub(super) mirror: Mirror,
    pub(super) readers: Readers,
    pub(super) queue: Queue,
    pub(super) outcomes: HashMap<ResourceKey, Outcomes>,
    moments: HashMap<ResourceKey, Moment>,
    pub(super) reads: Reads,
    /// Direct reads that Pluvo refuses, and how.
    pub(super) refused_reads: HashMap<Key, Arc<str>>,
    pub(super) schedule: Schedule,
    pub(super) surveys: Surveys,
    pub(super) breaker: Breaker,
    /// Whether, how and how well the organization is known.
    pub health: Health,
    pub(super) woken: BTreeSet<ResourceKey>,
    pub(super) connection_woken: bool,
}

/// A point in the history of what one resource has read: it moves on whenever the resource is woken.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Moment(u64);

/// What to send next, or when to ask again.
#[derive(Debug)]
pub enum Next<T> {
    /// This, now.
    Send(T),
    /// Nothing before this time, unless something happens.
    At(Instant),
    /// Nothing, until something happens.
    Nothing,
}

/// A document of questions.
#[derive(Clone, Debug, PartialEq)]
pub enum Inquiry {
    /// Pages of a sweep, each with the index of its list.
    Pages(Vec<(usize, Query)>),
    /// Point reads.
    Points(Vec<(Question, Query)>),
    /// Pages of surveys.
    Surveys(Vec<(Survey, Query)>),
}

impl Inquiry {
    /// The queries, in order.
    pub fn queries(&self) -> impl Iterator<Item = &Query> {
        let (pages, points, surveys): (&[_], &[_], &[_]) = match self {
            Self::Pages(pages) => (pages, &[], &[]),
            Self::Points(points) => (&[], points, &[]),
            Self::Surveys(surveys) => (&[], &[], surveys),
        };
        let pages = pages.iter().map(|(_, query)| query);
        pages
            .chain(points.iter().map(|(_, query)| query))
            .chain(surveys.iter().map(|(_, query)| query))
    }
}

/// The answers to a document of questions, in order.
pub type Answers = Vec<Result<QueryAnswer, EntryError>>;

impl State {
    /// Nothing is known and nothing is wanted. The first sweep is due at `first_sweep`; the guard goes on where `record`
    /// ends.
    #[must_use]
    pub fn new(settings: Settings, record: GuardRecord, first_sweep: Instant) -> Self {
        let guard = Guard::new(settings.guard.clone(), record);
        Self {
            mirror: Mirror::new(settings.visibility_timeout),
            queue: Queue::new(settings.linger, settings.operations_per_request, guard),
            settings,
            unsupported: Arc::default(),
            readers: Readers::default(),
            outcomes: HashMap::new(),
            moments: HashMap::new(),
            reads: Reads::default(),
            refused_reads: HashMap::new(),
            schedule: Schedule::new(first_sweep),
            surveys: Surveys::default(),
            breaker: Breaker::default(),
            health: Health::default(),
            woken: BTreeSet::new(),
            connection_woken: false,
        }
    }

    /// What is known, as one resource sees it.
    #[must_use]
    pub fn view(&self, resource: &ResourceKey, now: Instant) -> View<'_> {
        View {
            mirror: &self.mirror,
            outcomes: self.outcomes.get(resource),
            refused_reads: &self.refused_reads,
            was_swept: self.health.sweep.count > 0,
            queue: &self.queue,
            resource: resource.clone(),
            unsupported: self.unsupported.clone(),
            unavailable: self.health.unavailable(),
            surveys: self.settings.surveys,
            now,
            moment: self.moment(resource),
            read: ReadKeys::default().into(),
        }
    }

    /// Notes what a pass read: a change at any of it wakes the resource. `wants_reads`: whether what was unknown is to
    /// be read for its sake.
    pub fn register(&mut self, resource: &ResourceKey, read: ReadKeys, wants_reads: bool, now: Instant) {
        self.readers.register(resource, &read);
        // A pass that met something unknown has not come to the point of asking what became of its writes.
        if read.unknown.is_empty()
            && let Some(outcomes) = self.outcomes.get_mut(resource)
        {
            outcomes.retain(|fingerprint, _| read.fingerprints.contains(fingerprint));
            if outcomes.is_empty() {
                self.outcomes.remove(resource);
            }
        }
        let until = |at: Option<Timestamp>| {
            at.map_or(Duration::ZERO, |at| {
                at.duration_since(Timestamp::now()).try_into().unwrap_or_default()
            })
        };
        let asked = read
            .asked
            .into_iter()
            .map(|(survey, at)| (survey, now.saturating_add(until(at))));
        self.surveys.ask(resource, asked.collect(), now);
        for key in read.unknown {
            self.want(key, wants_reads, now);
        }
    }

    /// Replaces everything of a resource that was not sent, unless something that the resource read has changed since
    /// `as_of`: then it was woken, and decides anew. Returns whether it was taken.
    pub fn submit(&mut self, resource: &ResourceKey, calls: Vec<Call>, as_of: Moment, now: Instant) -> bool {
        let is_current = self.moment(resource) == as_of;
        if is_current {
            self.queue.submit(resource, calls, now);
        }
        is_current
    }

    fn moment(&self, resource: &ResourceKey) -> Moment {
        self.moments.get(resource).copied().unwrap_or_default()
    }

    /// Nothing of a resource is sent any more, not even of a pass that is under way, and nothing wakes it until it is
    /// looked at again.
    pub fn withdraw(&mut self, resource: &ResourceKey, now: Instant) {
        self.queue.submit(resource, Vec::new(), now);
        self.moments.entry(resource.clone()).or_default().0 += 1;
        self.readers.forget(resource);
        self.surveys.forget(resource);
        self.outcomes.remove(resource);
    }

    /// A resource is gone.
    pub fn forget(&mut self, resource: &ResourceKey, now: Instant) {
        self.withdraw(resource, now);
        self.queue.forget(resource, now);
        self.moments.remove(resource);
    }

    /// The guard's record was written in this revision: what it let through may leave, and whoever is to record mails
    /// before is woken.
    pub fn guard_recorded(&mut self, revision: u64, now: Instant) {
        let mailing = self.queue.guard_recorded(revision, now);
        self.woken.extend(mailing);
        self.note_woken();
    }

    /// Makes a sweep due now, for a resource or for the connection itself. Returns how many sweeps must have ended for
    /// it to be over: one that is under way began too early.
    pub fn request_sweep(&mut self, resource: Option<&ResourceKey>, now: Instant) -> u64 {
        if let Some(resource) = resource {
            // Whoever asks for a resource asks for what was refused as well.
            self.outcomes.remove(resource);
            self.request_surveys(resource);
        }
        let too_early = self.schedule.request(resource, now);
        self.health.sweep.count + 1 + u64::from(too_early)
    }

    /// Whether a sweep has begun since this was last asked.
    pub fn take_reread_credentials(&mut self) -> bool {
        std::mem::take(&mut self.schedule.reread_credentials)
    }

    /// Takes note of what the server lacks. Whoever met something unknown looks again: it may never be known. Returns
    /// whether it is news.
    pub fn learn(&mut self, unsupported: Arc<Unsupported>) -> bool {
        let news = *self.unsupported != *unsupported;
        if news {
            self.unsupported = unsupported;
            self.connection_woken = true;
            self.wake_waiting();
        }
        news
    }

    /// Takes over changed settings.
    pub fn reconfigure(&mut self, settings: Settings, now: Instant) {
        self.mirror.set_visibility_timeout(settings.visibility_timeout);
        self.queue.limit = settings.operations_per_request;
        self.queue.guard.reconfigure(settings.guard.clone(), now);
        if settings.interval < self.settings.interval {
            self.schedule.sweep_by(now.saturating_add(settings.interval));
        }
        self.settings = settings;
    }

    /// Whom to wake, and whether the connection is among them.
    pub fn take_woken(&mut self) -> (BTreeSet<ResourceKey>, bool) {
        (
            std::mem::take(&mut self.woken),
            std::mem::take(&mut self.connection_woken),
        )
    }

    /// Notes whom the last changes concern. Called at the end of whatever changes something, before anybody else can
    /// look: what was decided before is outdated for them from then on.
    pub(super) fn note_woken(&mut self) {
        for key in self.mirror.take_altered() {
            for reader in self.readers.of(&key) {
                self.outcomes.remove(reader);
            }
        }
        for key in self.mirror.take_changed() {
            self.woken.extend(self.readers.of(&key).cloned());
        }
        for resource in &self.woken {
            self.moments.entry(resource.clone()).or_default().0 += 1;
        }
    }

    pub(super) fn wake(&mut self, resource: ResourceKey) {
        self.woken.insert(resource);
    }

    /// What is known at a key is in doubt: it is read whatever was known before.
    pub(super) fn read_again(&mut self, key: Key, now: Instant) {
        match key {
            Key::Participants(training) => {
                self.schedule.trainings.insert(training);
            }
            key => self.reads.want_anew(key, now),
        }
    }

    pub(super) fn want(&mut self, key: Key, for_a_pass: bool, now: Instant) {
        match key {
            Key::Participants(training) => {
                self.schedule.trainings.insert(training);
            }
            // Who is in a group is told by the lists alone.
            Key::Members(..) if self.health.sweep.strategy == Strategy::PointReads => {
                self.schedule.sweep_by(now);
            }
            // Lists answer these; before the first sweep a direct read is asked for only where a sweep is not near.
            Key::UserId(_)
            | Key::UserRef(_)
            | Key::UserEmail(_)
            | Key::GroupId(_)
            | Key::GroupRef(_)
            | Key::Enrollment(..)
                if self.health.sweep.count == 0
                    && (!for_a_pass || self.schedule.sweep.is_some() || self.schedule.due <= now) => {}
            Key::Survey(_) => {}
            key if !self.mirror.is_negative(&key) => self.reads.want(key, now),
            _ => {}
        }
    }
}

/// Writing.
impl State {
    /// Whether a document is to be sent. One that is not full leaves when its first call has lingered; while more calls
    /// are about to be submitted, it waits for them, ten times as long at most.
    #[must_use]
    pub fn writes_due(&mut self, expects_more: bool, now: Instant) -> Next<()> {
        self.judge(now);
        let judged = self.queue.guard.due().map_or(Next::Nothing, Next::At);
        let Some(due) = self.queue.due(now) else {
            return judged;
        };
        let patient = due.saturating_add(self.settings.linger.saturating_mul(9));
        let due = match self.breaker.sends(now) {
            Sends::AfterAnswer => return judged,
            Sends::At(at) => at,
            Sends::Now if expects_more && !self.queue.is_full() => {
                patient.min(due.max(now.saturating_add(scaled(self.settings.linger, 0.1))))
            }
            Sends::Now => due,
        };
        match judged {
            _ if due <= now => Next::Send(()),
            Next::At(judged) => Next::At(due.min(judged)),
            _ => Next::At(due),
        }
    }

    /// Has the guard judge what has settled, and tells whom it concerns.
    fn judge(&mut self, now: Instant) {
        let judgement = self.queue.judge(now, Timestamp::now());
        self.connection_woken |= judgement.news;
        if !judgement.held.is_empty() {
            self.woken.extend(judgement.held);
            self.note_woken();
        }
    }

    /// A document is to be sent: the calls that waited longest, if they have waited long enough.
    ///
    /// `awaited`: whether a pass will look at a resource anew.
    pub fn next_batch(&mut self, awaited: &dyn Fn(&ResourceKey) -> bool, now: Instant) -> Next<Batch> {
        let Some(due) = self.queue.due(now) else {
            return Next::Nothing;
        };
        match self.breaker.sends(now) {
            Sends::AfterAnswer => return Next::Nothing,
            Sends::At(at) => return Next::At(at),
            Sends::Now if due > now => return Next::At(due),
            Sends::Now => {}
        }
        let Some(batch) = self.queue.compose(awaited) else {
            return Next::Nothing;
        };
        self.breaker.sending();
        Next::Send(batch)
    }
}

/// Whether Pluvo can be reached.
impl State {
    /// A request succeeded.
    pub fn succeeded(&mut self) {
        self.breaker = Breaker::Closed;
        if self.health.succeeded() {
            self.connection_woken = true;
            self.wake_waiting();
        }
    }

    /// Whoever has calls queued or met something unknown looks again.
    fn wake_waiting(&mut self) {
        let waiting: Vec<_> = self
            .queue
            .resources()
            .chain(self.readers.uncertain())
            .cloned()
            .collect();
        self.woken.extend(waiting);
        self.note_woken();
    }

    /// A request failed, and not because of what it asked.
    pub fn failed(&mut self, error: crate::pluvo::error::Error, now: Instant) {
        let before = self.health.unavailable();
        self.breaker = Breaker::Open(self.health.failed(error, now, fastrand::f64()));
        self.connection_woken = true;
        if self.health.unavailable() != before {
            self.wake_waiting();
        }
    }
}
