//! Everything that is known about one organization and wanted of it, without I/O and without a clock: the driver asks
//! what to send next and says what came back. That makes every interleaving a test that needs no network.

use std::collections::{BTreeSet, HashMap};

use jiff::Timestamp;
use tokio::time::Instant;

use crate::{
    plan::{
        Call, ResourceKey,
        observed::{Key, Place},
    },
    pluvo::{
        model::{Id, Page, User},
        request::{Query, QueryAnswer},
        response::EntryError,
    },
};

use super::{
    batch::Batch,
    health::Health,
    mirror::Mirror,
    queue::Queue,
    reads::{Question, Reads},
    settings::Settings,
    sweep::{ListKey, ListRead, Part, Sweep},
    view::{Outcomes, ReadKeys, Readers, View},
};

/// Sweeps that follow at once on one that was not complete.
const RETRIES: u32 = 1;

/// One organization as it is known, with everything that is wanted of it.
#[derive(Debug)]
pub struct State {
    pub(super) settings: Settings,
    pub(super) mirror: Mirror,
    pub(super) readers: Readers,
    pub(super) queue: Queue,
    pub(super) outcomes: HashMap<ResourceKey, Outcomes>,
    moments: HashMap<ResourceKey, Moment>,
    pub(super) reads: Reads,
    sweep: Option<Sweep>,
    sweep_at: Instant,
    retries: u32,
    wanted_trainings: BTreeSet<Id>,
    /// When to look again at trainings whose acknowledged memberships are not visible yet.
    trainings_at: Option<(Instant, u32)>,
    pub(super) retry_at: Option<Instant>,
    /// Whether, how and how well the organization is known.
    pub health: Health,
    woken: BTreeSet<ResourceKey>,
    connection_woken: bool,
    /// Resources that asked for a sweep: its end wakes them.
    sweep_waiters: BTreeSet<ResourceKey>,
    /// A sweep was asked for while one was under way.
    sweep_requested: bool,
    /// A sweep has begun, and the credentials were not read since.
    reread_credentials: bool,
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
    /// Pages of a sweep.
    Pages(Vec<(Part, Query)>),
    /// Point reads.
    Points(Vec<(Question, Query)>),
}

impl Inquiry {
    /// The queries, in order.
    pub fn queries(&self) -> impl Iterator<Item = &Query> {
        let (pages, points): (&[_], &[_]) = match self {
            Self::Pages(pages) => (pages, &[]),
            Self::Points(points) => (&[], points),
        };
        pages
            .iter()
            .map(|(_, query)| query)
            .chain(points.iter().map(|(_, query)| query))
    }
}

/// The answers to a document of questions, in order.
pub type Answers = Vec<Result<QueryAnswer, EntryError>>;

impl State {
    /// Nothing is known and nothing is wanted. The first sweep is due at `first_sweep`.
    #[must_use]
    pub fn new(settings: Settings, first_sweep: Instant) -> Self {
        Self {
            mirror: Mirror::new(settings.visibility_timeout),
            queue: Queue::new(settings.linger, settings.operations_per_request),
            settings,
            readers: Readers::default(),
            outcomes: HashMap::new(),
            moments: HashMap::new(),
            reads: Reads::default(),
            sweep: None,
            sweep_at: first_sweep,
            retries: 0,
            wanted_trainings: BTreeSet::new(),
            trainings_at: None,
            retry_at: None,
            health: Health::default(),
            woken: BTreeSet::new(),
            connection_woken: false,
            sweep_waiters: BTreeSet::new(),
            sweep_requested: false,
            reread_credentials: false,
        }
    }

    /// What is known, as one resource sees it.
    #[must_use]
    pub fn view(&self, resource: &ResourceKey, now: Instant) -> View<'_> {
        View {
            mirror: &self.mirror,
            outcomes: self.outcomes.get(resource),
            unsent_mails: self.queue.unsent_mails(resource),
            available: self.health.is_available(),
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

    /// A resource is gone: nothing of it is sent any more, and nothing wakes it.
    pub fn forget(&mut self, resource: &ResourceKey) {
        self.queue.forget(resource);
        self.moments.remove(resource);
        self.readers.forget(resource);
        self.outcomes.remove(resource);
    }

    /// Makes a sweep due now, for a resource or for the connection itself. Returns how many sweeps must have ended for
    /// it to be over: one that is under way began too early.
    pub fn request_sweep(&mut self, resource: Option<&ResourceKey>, now: Instant) -> u64 {
        self.sweep_at = self.sweep_at.min(now);
        self.sweep_waiters.extend(resource.cloned());
        let under_way = self.sweep.as_ref().is_some_and(|sweep| sweep.full);
        self.sweep_requested |= under_way;
        self.health.sweep.count + 1 + u64::from(under_way)
    }

    /// Whether a sweep has begun since this was last asked.
    pub fn take_reread_credentials(&mut self) -> bool {
        std::mem::take(&mut self.reread_credentials)
    }

    /// Takes over changed settings.
    pub fn reconfigure(&mut self, settings: Settings, now: Instant) {
        self.mirror.set_visibility_timeout(settings.visibility_timeout);
        self.queue.limit = settings.operations_per_request;
        if settings.interval < self.settings.interval {
            self.sweep_at = self.sweep_at.min(now + settings.interval);
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
                self.wanted_trainings.insert(training);
            }
            key => self.reads.want_anew(key, now),
        }
    }

    fn want(&mut self, key: Key, for_a_pass: bool, now: Instant) {
        match key {
            Key::Participants(training) => {
                self.wanted_trainings.insert(training);
            }
            // Lists answer these; before the first sweep a direct read is asked for only where a sweep is not near.
            Key::UserId(_)
            | Key::UserRef(_)
            | Key::UserEmail(_)
            | Key::GroupId(_)
            | Key::GroupRef(_)
            | Key::CustomFields(_)
                if self.health.sweep.count == 0 && (!for_a_pass || self.sweep.is_some() || self.sweep_at <= now) => {}
            key if !self.mirror.is_negative(&key) => self.reads.want(key, now),
            _ => {}
        }
    }
}

/// Reading.
impl State {
    /// The next questions. Nothing leaves while Pluvo is given time to recover.
    pub fn next_inquiry(&mut self, now: Instant) -> Next<Inquiry> {
        if let Some(retry_at) = self.retry_at.filter(|at| *at > now) {
            return Next::At(retry_at);
        }
        let expiry = self.mirror.expire_acknowledgements(now);
        self.note_woken();
        self.watch_visibility(now);
        self.start_sweep(now);
        if let Some(sweep) = &mut self.sweep {
            let pages = sweep.next(self.settings.operations_per_request);
            if !pages.is_empty() {
                return Next::Send(Inquiry::Pages(pages));
            }
        }
        let reads = self.reads.due(now, self.settings.linger / 4);
        if reads.is_some_and(|due| due <= now) {
            let questions = self.reads.compose(now);
            if !questions.is_empty() {
                return Next::Send(Inquiry::Points(questions));
            }
        }
        let sweep = self.sweep.is_none().then_some(self.sweep_at.max(self.held_sweep(now)));
        let trainings = self.trainings_at.map(|(at, _)| at);
        reads
            .into_iter()
            .chain(sweep)
            .chain(expiry)
            .chain(trainings)
            .min()
            .map_or(Next::Nothing, |at| {
                Next::At(at.max(now + std::time::Duration::from_millis(1)))
            })
    }

    /// A sweep that is due waits while writes are queued, one interval at most.
    fn held_sweep(&self, now: Instant) -> Instant {
        let is_first = self.health.sweep.count == 0;
        if is_first || self.queue.is_empty() {
            now
        } else {
            self.sweep_at + self.settings.interval
        }
    }

    fn start_sweep(&mut self, now: Instant) {
        if self.sweep.is_some() {
            return;
        }
        if self.sweep_at.max(self.held_sweep(now)) <= now {
            let trainings = self.readers.trainings().cloned().collect::<Vec<_>>();
            self.wanted_trainings.clear();
            self.sweep = Some(Sweep::full(now, trainings));
            self.health.sweep.started_at = Some(Timestamp::now());
            self.reread_credentials = true;
            self.connection_woken |= self.health.sweep.count == 0;
        } else if !self.wanted_trainings.is_empty() {
            self.sweep = Some(Sweep::of_trainings(now, std::mem::take(&mut self.wanted_trainings)));
        }
    }

    /// While acknowledged memberships are not visible, groups are asked for their size and trainings read again.
    fn watch_visibility(&mut self, now: Instant) {
        let places = self.mirror.waiting_places();
        self.reads.watch_sizes(&places, now);
        let trainings: Vec<_> = places
            .into_iter()
            .filter_map(|place| {
                if let Place::Training(training) = place {
                    Some(training)
                } else {
                    None
                }
            })
            .collect();
        match (trainings.is_empty(), self.trainings_at) {
            (true, _) => self.trainings_at = None,
            (false, Some((at, _))) if at > now => {}
            (false, previous) => {
                let asked = previous.map_or(0, |(_, asked)| asked + 1);
                self.trainings_at = Some((now + std::time::Duration::from_secs(1 << asked.min(6)), asked));
                self.wanted_trainings.extend(trainings);
            }
        }
    }

    /// Questions came back without an answer.
    pub fn inquiry_failed(&mut self, inquiry: &Inquiry) {
        match inquiry {
            Inquiry::Pages(_) => {
                if let Some(sweep) = &mut self.sweep {
                    sweep.unanswered();
                }
            }
            Inquiry::Points(questions) => {
                self.reads.finish(questions.iter().map(|(question, _)| question));
                for (question, _) in questions {
                    if let Question::Object(key) = question {
                        self.reads.want(key.clone(), self.retry_at.unwrap_or_else(Instant::now));
                    }
                }
            }
        }
    }

    /// Questions were answered. `sent`: when they were asked.
    pub fn inquiry_answered(&mut self, inquiry: Inquiry, answers: Answers, sent: Instant, now: Instant) {
        match inquiry {
            Inquiry::Pages(parts) => {
                for ((part, _), answer) in parts.into_iter().zip(answers) {
                    self.page(part, answer, sent);
                }
                if let Some(sweep) = &mut self.sweep {
                    sweep.answered();
                }
                self.finish_sweep(now);
            }
            Inquiry::Points(questions) => {
                self.reads.finish(questions.iter().map(|(question, _)| question));
                for ((question, _), answer) in questions.into_iter().zip(answers) {
                    self.point(question, answer, sent, now);
                }
            }
        }
        self.note_woken();
    }

    fn page(&mut self, part: Part, answer: Result<QueryAnswer, EntryError>, sent: Instant) {
        match (part, answer) {
            (Part::Catalogue(of), Ok(QueryAnswer::CustomFields(fields))) => self.mirror.merge_custom_fields(of, fields),
            (Part::Catalogue(_), _) => {}
            (Part::List(index), Ok(QueryAnswer::Users(page))) => {
                self.note_page(index, &page, |user: &User| &user.id);
                page.rows
                    .into_iter()
                    .for_each(|user| self.mirror.merge_user(user, sent));
            }
            (Part::List(index), Ok(QueryAnswer::Groups(page))) => {
                self.note_page(index, &page, |group| &group.id);
                page.rows
                    .into_iter()
                    .for_each(|group| self.mirror.merge_group(group, sent));
            }
            (Part::List(index), Ok(QueryAnswer::Ids(page))) => self.note_page(index, &page, |id| id),
            (Part::List(index), _) => {
                if let Some(sweep) = &mut self.sweep {
                    sweep.fail(index);
                }
            }
        }
    }

    fn note_page<T>(&mut self, index: usize, page: &Page<T>, id: impl Fn(&T) -> &Id) {
        if let Some(sweep) = &mut self.sweep {
            sweep.page(index, page, id);
        }
    }

    fn point(&mut self, question: Question, answer: Result<QueryAnswer, EntryError>, sent: Instant, now: Instant) {
        match (question, answer) {
            (Question::Object(_), Ok(QueryAnswer::User(Some(user)))) => self.mirror.merge_user(*user, sent),
            (Question::Object(_), Ok(QueryAnswer::Group(Some(group)))) => self.mirror.merge_group(*group, sent),
            (Question::Object(_), Ok(QueryAnswer::Training(Some(training)))) => {
                self.mirror.merge_training(training, sent);
            }
            (Question::Object(Key::CustomFields(of)), Ok(QueryAnswer::CustomFields(fields))) => {
                self.mirror.merge_custom_fields(of, fields);
            }
            (
                Question::Object(key),
                Ok(QueryAnswer::User(None) | QueryAnswer::Group(None) | QueryAnswer::Training(None)),
            ) => {
                self.mirror.merge_absence(&key, sent);
            }
            (Question::Size(group, role), Ok(QueryAnswer::GroupSize(Some(size)))) => {
                let shown = match role {
                    crate::pluvo::request::GroupRole::Participant => size.users,
                    crate::pluvo::request::GroupRole::Manager => size.managers,
                };
                let expected = u64::try_from(self.mirror.expected_size(&group, role)).ok();
                // A server that does not tell is asked for the members at once.
                if shown.is_none() || shown == expected {
                    for user in self.mirror.waiting_users(&Place::Group(group, role)) {
                        self.reads.want(Key::UserId(user), now);
                    }
                }
            }
            (question, answer) => tracing::debug!(?question, error = ?answer.err(), "a read was not answered"),
        }
    }

    fn finish_sweep(&mut self, now: Instant) {
        let Some(sweep) = self.sweep.take_if(|sweep| sweep.is_over()) else {
            return;
        };
        for list in &sweep.lists {
            if let ListKey::Participants(training) = &list.key
                && list.finished()
            {
                self.mirror
                    .participants_listed(training, list.seen().clone(), sweep.started, list.complete());
            }
        }
        if sweep.full {
            self.finish_full_sweep(&sweep, now);
        }
    }

    fn finish_full_sweep(&mut self, sweep: &Sweep, now: Instant) {
        let mut doubted = Vec::new();
        if sweep.users(ListRead::finished) {
            doubted.extend(self.mirror.users_listed(sweep.started, sweep.users(ListRead::complete)));
        }
        let groups = sweep.list(&ListKey::Groups);
        if groups.is_some_and(ListRead::finished) {
            doubted.extend(
                self.mirror
                    .groups_listed(sweep.started, groups.is_some_and(ListRead::complete)),
            );
        }
        self.health.sweep.count += 1;
        self.health.sweep.requests = sweep.requests;
        self.health.sweep.users = self.mirror.user_count();
        let complete = sweep.users(ListRead::complete) && groups.is_some_and(ListRead::complete);
        if complete {
            self.health.sweep.completed_at = Some(Timestamp::now());
        }
        let again =
            !complete && self.retries < RETRIES && self.mirror.users_read() != super::mirror::ListState::Complete;
        self.retries = if again { self.retries + 1 } else { 0 };
        let pause = if again {
            std::time::Duration::from_secs(1).min(self.settings.interval)
        } else {
            jittered(self.settings.interval)
        };
        self.sweep_at = sweep
            .started
            .max(now.checked_sub(self.settings.interval).unwrap_or(now))
            + pause;
        if std::mem::take(&mut self.sweep_requested) {
            self.sweep_at = now;
        } else {
            self.woken.append(&mut self.sweep_waiters);
        }
        self.health.next_sweep = Timestamp::now()
            .checked_add(self.sweep_at.saturating_duration_since(now))
            .ok();
        self.woken.extend(self.readers.uncertain().cloned());
        self.connection_woken = true;
        for key in doubted {
            self.want(key, true, now);
        }
    }

    /// Whether a document is to be sent. One that is not full leaves when its first call has lingered; while more calls
    /// are about to be submitted, it waits for them, ten times as long at most.
    #[must_use]
    pub fn writes_due(&self, expects_more: bool, now: Instant) -> Next<()> {
        let Some(due) = self.queue.due(now) else {
            return Next::Nothing;
        };
        let patient = due + self.settings.linger * 9;
        let due = match self.retry_at {
            Some(retry_at) if retry_at > now => retry_at,
            _ if expects_more && !self.queue.is_full() => patient.min(due.max(now + self.settings.linger / 10)),
            _ => due,
        };
        if due <= now { Next::Send(()) } else { Next::At(due) }
    }

    /// A document is to be sent: the calls that waited longest, if they have waited long enough.
    pub fn next_batch(&mut self, now: Instant) -> Next<Batch> {
        if let Some(retry_at) = self.retry_at.filter(|at| *at > now) {
            return if self.queue.is_empty() {
                Next::Nothing
            } else {
                Next::At(retry_at)
            };
        }
        match self.queue.due(now) {
            None => Next::Nothing,
            Some(due) if due > now => Next::At(due),
            Some(_) => self.queue.compose().map_or(Next::Nothing, Next::Send),
        }
    }

    /// A request succeeded.
    pub fn succeeded(&mut self) {
        self.retry_at = None;
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
        let was_available = self.health.is_available();
        self.retry_at = Some(self.health.failed(error, now, fastrand::f64()));
        self.connection_woken = true;
        if was_available {
            self.wake_waiting();
        }
    }
}

/// Sweeps of many organizations shall not fall on one moment.
fn jittered(interval: std::time::Duration) -> std::time::Duration {
    interval.mul_f64(0.95 + fastrand::f64() / 10.0)
}
