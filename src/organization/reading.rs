//! What an organization is asked, and what its answers say: sweeps, point reads, and the choice between them.

use std::{collections::HashSet, time::Duration};

use jiff::Timestamp;
use tokio::time::Instant;

use crate::{
    clock::{SaturatingAdd, scaled},
    plan::{
        observed::{Key, Place},
        survey::Survey,
    },
    pluvo::{
        model::{Id, Page, User},
        request::{ContentType, GroupRole, Query, QueryAnswer},
        response::EntryError,
    },
};

use super::{
    breaker::Sends,
    mirror::ListState,
    reads::{Question, Reads},
    state::{Answers, Inquiry, Next, State},
    sweep::{ListKey, ListRead, Strategy, Sweep},
};

/// Sweeps that follow at once on one that was not complete.
const RETRIES: u32 = 1;

impl State {
    /// The next questions. Nothing leaves while Pluvo is given time to recover.
    pub fn next_inquiry(&mut self, now: Instant) -> Next<Inquiry> {
        match self.breaker.sends(now) {
            Sends::AfterAnswer => return Next::Nothing,
            Sends::At(at) => return Next::At(at),
            Sends::Now => {}
        }
        let next = self.next_questions(now);
        if matches!(next, Next::Send(_)) {
            self.breaker.sending();
        }
        next
    }

    fn next_questions(&mut self, now: Instant) -> Next<Inquiry> {
        let expiry = self.mirror.expire_acknowledgements(now);
        self.note_woken();
        self.watch_visibility(now);
        self.start_sweep(now);
        if let Some(sweep) = &mut self.schedule.sweep {
            let unsupported = &self.unsupported;
            sweep.skip(
                |key| Reads::may_ask(key, unsupported),
                |query| unsupported.blocks(&query.operation()).is_some(),
            );
            self.finish_sweep(now);
            self.note_woken();
        }
        if let Some(sweep) = &mut self.schedule.sweep {
            let pages = sweep.next(self.settings.operations_per_request);
            if !pages.is_empty() {
                return Next::Send(Inquiry::Pages(pages));
            }
        }
        let pace = self.settings.pace();
        let reads = self.reads.due(now, pace);
        if reads.is_some_and(|due| due <= now) {
            let questions = self.reads.compose(now, pace, &self.unsupported);
            if !questions.is_empty() {
                return Next::Send(Inquiry::Points(questions));
            }
        }
        let surveys = self.surveys.next_at(now);
        if surveys.is_some_and(|due| due <= now) {
            // Asked only now, because it looks at every list.
            if !self.queue.is_at_rest() {
                self.surveys.stir(now);
            }
            let pages = self.next_survey_pages(now);
            if !pages.is_empty() {
                return Next::Send(Inquiry::Surveys(pages));
            }
        }
        let sweep = self
            .schedule
            .sweep
            .is_none()
            .then_some(self.schedule.due.max(self.held_sweep(now)));
        let trainings = self.schedule.trainings_at.map(|(at, _)| at);
        reads
            .into_iter()
            .chain(sweep)
            .chain(expiry)
            .chain(trainings)
            .chain(self.surveys.next_at(now))
            .min()
            .map_or(Next::Nothing, |at| {
                Next::At(at.max(now.saturating_add(Duration::from_millis(1))))
            })
    }

    fn next_survey_pages(&mut self, now: Instant) -> Vec<(Survey, Query)> {
        self.drop_surveys();
        let is_blocked = |query: &Query| self.unsupported.blocks(&query.operation()).is_some();
        let limit = self.settings.operations_per_request;
        self.surveys.compose(now, Timestamp::now(), limit, is_blocked)
    }

    /// A sweep that is due waits while writes are queued, one interval at most.
    fn held_sweep(&self, now: Instant) -> Instant {
        let is_first = self.health.sweep.count == 0;
        if is_first || !self.queue.is_stirring() {
            now
        } else {
            self.schedule.due.saturating_add(self.settings.interval)
        }
    }

    fn start_sweep(&mut self, now: Instant) {
        if self.schedule.sweep.is_some() {
            return;
        }
        if self.schedule.due.max(self.held_sweep(now)) <= now {
            self.schedule.trainings.clear();
            let sweep = self.next_sweep(now);
            if sweep.strategy == Some(Strategy::Lists) {
                self.schedule.groups.clear();
            }
            self.schedule.sweep = Some(sweep);
            self.health.sweep.started_at = Some(Timestamp::now());
            self.schedule.reread_credentials = true;
            self.connection_woken |= self.health.sweep.count == 0;
        } else if !self.schedule.trainings.is_empty() || !self.schedule.groups.is_empty() {
            let trainings = std::mem::take(&mut self.schedule.trainings);
            let groups = std::mem::take(&mut self.schedule.groups);
            self.schedule.sweep = Some(Sweep::of_places(now, trainings, groups));
        }
    }

    /// The cheaper way to read everything that somebody reads. Point reads cannot tell who is in a group, nor whether an
    /// e-mail address is free; they need a first look at the lists, and a server whose direct reads find what its lists
    /// hold.
    fn next_sweep(&mut self, now: Instant) -> Sweep {
        let trainings: Vec<_> = self.readers.trainings().cloned().collect();
        let needs_lists = self.health.sweep.completed_at.is_none()
            || self.schedule.direct_reads_deny
            || !self.schedule.denied.is_empty()
            || self
                .readers
                .keys()
                .any(|key| matches!(key, Key::Members(..) | Key::UserEmail(_)));
        let keys = self.readers.keys().filter_map(|key| self.mirror.object(key));
        let mut objects: HashSet<_> = keys.filter(|key| Reads::may_ask(key, &self.unsupported)).collect();
        let requests = objects.len().div_ceil(self.settings.operations_per_request);
        let sweep = if needs_lists || requests * 2 > self.schedule.pages {
            Sweep::of_lists(now, trainings, objects.into_iter().filter(unlisted).collect())
        } else {
            // A sweep of nothing would not notice that Pluvo has gone.
            objects.insert(Key::CustomFields(ContentType::User));
            Sweep::of_points(now, trainings, objects)
        };
        for key in sweep.points() {
            self.reads.want_anew(key.clone(), now);
        }
        sweep
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
        match (trainings.is_empty(), self.schedule.trainings_at) {
            (true, _) => self.schedule.trainings_at = None,
            (false, Some((at, _))) if at > now => {}
            (false, previous) => {
                let asked = previous.map_or(0, |(_, asked)| asked + 1);
                self.schedule.trainings_at = Some((now.saturating_add(Duration::from_secs(1 << asked.min(6))), asked));
                self.schedule.trainings.extend(trainings);
            }
        }
    }

    /// Questions were rejected, and it is known now which of them the server does not understand: the others are asked
    /// again.
    pub fn inquiry_rejected(&mut self, inquiry: &Inquiry, now: Instant) {
        self.succeeded();
        self.returned_unanswered(inquiry, now);
        self.note_woken();
    }

    /// Questions came back without an answer.
    pub fn inquiry_failed(&mut self, inquiry: &Inquiry) {
        self.returned_unanswered(inquiry, self.breaker.open_until().unwrap_or_else(Instant::now));
    }

    fn returned_unanswered(&mut self, inquiry: &Inquiry, ask_at: Instant) {
        match inquiry {
            Inquiry::Pages(_) => {
                if let Some(sweep) = &mut self.schedule.sweep {
                    sweep.returned();
                }
            }
            Inquiry::Surveys(_) => self.surveys.returned(),
            Inquiry::Points(questions) => {
                self.reads.finish(questions.iter().map(|(question, _)| question));
                for (question, _) in questions {
                    match question {
                        Question::Object(key) => self.reads.want(key.clone(), ask_at),
                        Question::Changed(_) => self.reads.hint(question.clone(), ask_at),
                        Question::Size(..) => {}
                    }
                }
            }
        }
    }

    /// Questions were answered. `sent`: when they were asked.
    pub fn inquiry_answered(&mut self, inquiry: Inquiry, answers: Answers, sent: Instant, now: Instant) {
        self.succeeded();
        match inquiry {
            Inquiry::Pages(pages) => {
                for ((index, _), answer) in pages.into_iter().zip(answers) {
                    self.page(index, answer, sent, now);
                }
                if let Some(sweep) = &mut self.schedule.sweep {
                    sweep.returned();
                }
                self.finish_sweep(now);
            }
            Inquiry::Surveys(pages) => self.surveys_answered(pages, answers, now),
            Inquiry::Points(questions) => {
                self.reads.finish(questions.iter().map(|(question, _)| question));
                if let Some(sweep) = &mut self.schedule.sweep {
                    let answered = questions.iter().zip(&answers);
                    let answered =
                        answered.filter_map(|((question, _), answer)| Some((question.key()?, answer.is_ok())));
                    sweep.points_answered(answered, sent);
                }
                for ((question, _), answer) in questions.into_iter().zip(answers) {
                    self.point(question, answer, sent, now);
                }
                self.finish_sweep(now);
            }
        }
        self.note_woken();
    }

    fn page(&mut self, index: usize, answer: Result<QueryAnswer, EntryError>, sent: Instant, now: Instant) {
        match answer {
            Ok(QueryAnswer::Users(page)) => {
                self.note_page(index, &page, |user: &User| &user.id);
                page.rows
                    .into_iter()
                    .for_each(|user| self.mirror.merge_user(user, sent, now));
            }
            Ok(QueryAnswer::Groups(page)) => {
                self.note_page(index, &page, |group| &group.id);
                page.rows
                    .into_iter()
                    .for_each(|group| self.mirror.merge_group(group, sent));
            }
            Ok(QueryAnswer::Ids(page)) => self.note_page(index, &page, |id| id),
            _ => {
                if let Some(sweep) = &mut self.schedule.sweep {
                    sweep.fail(index);
                }
            }
        }
    }

    fn note_page<T>(&mut self, index: usize, page: &Page<T>, id: impl Fn(&T) -> &Id) {
        if let Some(sweep) = &mut self.schedule.sweep {
            sweep.page(index, page, id);
        }
    }

    fn point(&mut self, question: Question, answer: Result<QueryAnswer, EntryError>, sent: Instant, now: Instant) {
        if let (Some(key), Ok(_)) = (question.key(), &answer) {
            self.refused_reads.remove(key);
        }
        match (question, answer) {
            (Question::Object(_), Ok(QueryAnswer::User(Some(user)))) => self.mirror.merge_user(*user, sent, now),
            (Question::Object(_), Ok(QueryAnswer::Group(Some(group)))) => self.mirror.merge_group(*group, sent),
            (Question::Object(_), Ok(QueryAnswer::Training(Some(training)))) => {
                self.mirror.merge_training(training, sent);
            }
            (Question::Object(Key::CustomFields(of)), Ok(QueryAnswer::CustomFields(fields))) => {
                self.mirror.merge_custom_fields(of, fields);
            }
            (Question::Object(_), Ok(QueryAnswer::OfferEvent(Some(event)))) => {
                self.mirror.merge_offer_event(event, sent);
            }
            (Question::Object(_), Ok(QueryAnswer::OfferEvents(events))) => {
                self.mirror.merge_offer_events(events, sent);
            }
            (Question::Object(Key::Enrollment(event, user)), Ok(QueryAnswer::Enrollment(standing))) => {
                self.mirror.merge_standing(&event, &user, standing, sent);
            }
            (
                Question::Object(key),
                Ok(
                    QueryAnswer::User(None)
                    | QueryAnswer::Group(None)
                    | QueryAnswer::Training(None)
                    | QueryAnswer::OfferEvent(None),
                ),
            ) => {
                self.mirror.merge_absence(&key, sent);
                self.note_denial(key, now);
            }
            (Question::Size(group, role), Ok(QueryAnswer::GroupSize(Some(size)))) => {
                let shown = match role {
                    GroupRole::Participant => size.users,
                    GroupRole::Manager => size.managers,
                };
                let expected = u64::try_from(self.mirror.expected_size(&group, role)).ok();
                // A server that does not tell is asked for the members at once.
                if shown.is_none() || shown == expected {
                    for user in self.mirror.waiting_users(&Place::Group(group, role)) {
                        self.reads.want(Key::UserId(user), now);
                    }
                }
            }
            (Question::Changed(group), Ok(QueryAnswer::GroupSize(Some(size)))) => self.members_counted(&group, size),
            (question, answer) => self.read_refused(&question, answer.err()),
        }
    }

    /// A read was not answered as it should be: whoever waits for it is told.
    fn read_refused(&mut self, question: &Question, error: Option<EntryError>) {
        tracing::debug!(?question, ?error, "a read was not answered");
        if let (Some(key), Some(error)) = (question.key(), error) {
            self.note_refused(key, &error.to_string());
        }
    }

    /// A read is refused: whoever waits for it is told, once.
    pub(super) fn note_refused(&mut self, key: &Key, error: &str) {
        let known = self.refused_reads.insert(key.clone(), error.into());
        if known.as_deref() != Some(error) {
            self.woken.extend(self.readers.of(key).cloned());
        }
    }

    fn finish_sweep(&mut self, now: Instant) {
        let Some(sweep) = self.schedule.sweep.take_if(|sweep| sweep.is_over()) else {
            return;
        };
        for list in sweep.lists.iter().filter(|list| list.finished()) {
            match &list.key {
                ListKey::Participants(training) => {
                    self.mirror
                        .participants_listed(training, list.seen().clone(), sweep.started, list.complete());
                }
                // Whoever is known to be in the group and was not seen is asked for.
                ListKey::Members(group) => {
                    for user in self.mirror.members_unseen(group, list.seen()) {
                        self.reads.want_anew(Key::UserId(user), now);
                    }
                }
                ListKey::ActiveUsers | ListKey::ArchivedUsers | ListKey::Groups => {}
            }
        }
        match sweep.strategy {
            Some(Strategy::Lists) => {
                let doubted = self.lists_read(&sweep);
                self.end_sweep(&sweep, now);
                for key in doubted {
                    self.want(key, true, now);
                }
            }
            Some(Strategy::PointReads) => {
                self.mirror.outdate_lists();
                self.end_sweep(&sweep, now);
            }
            None => {}
        }
    }

    /// Takes in what complete lists say about those whom they do not hold. Returns whom to ask for directly.
    fn lists_read(&mut self, sweep: &Sweep) -> Vec<Key> {
        let mut doubted = Vec::new();
        if sweep.users(ListRead::finished) {
            doubted.extend(self.mirror.users_listed(sweep.started, sweep.users(ListRead::complete)));
        }
        if let Some(groups) = sweep.list(&ListKey::Groups).filter(|groups| groups.finished()) {
            doubted.extend(self.mirror.groups_listed(sweep.started, groups.complete()));
        }
        self.schedule.pages = sweep.pages();
        let (mirror, deny) = (&self.mirror, &mut self.schedule.direct_reads_deny);
        self.schedule.denied.retain(|key| {
            *deny |= mirror.is_certain(key);
            mirror.holds(key) && !mirror.is_certain(key)
        });
        self.health.sweep.users = self.mirror.user_count();
        doubted
    }

    fn end_sweep(&mut self, sweep: &Sweep, now: Instant) {
        self.health.sweep.count += 1;
        self.health.sweep.requests = sweep.requests;
        self.health.sweep.strategy = sweep.strategy.unwrap_or_default();
        let complete = sweep.is_complete();
        if complete {
            self.health.sweep.completed_at = Some(Timestamp::now());
            self.queue
                .guard
                .everything_was_read(self.mirror.active_user_count(), now);
        }
        let again = !complete && self.schedule.retries < RETRIES && self.mirror.users_read() != ListState::Complete;
        self.schedule.retries = if again { self.schedule.retries + 1 } else { 0 };
        let pause = if again {
            Duration::from_secs(1).min(self.settings.interval)
        } else {
            jittered(self.settings.interval)
        };
        self.schedule.due = sweep
            .started
            .max(now.checked_sub(self.settings.interval).unwrap_or(now))
            .saturating_add(pause);
        let is_in_doubt = sweep.strategy == Some(Strategy::PointReads) && !self.schedule.denied.is_empty();
        if std::mem::take(&mut self.schedule.requested) || is_in_doubt {
            self.schedule.due = now;
        } else {
            self.woken.append(&mut self.schedule.waiters);
        }
        self.health.next_sweep = Timestamp::now()
            .checked_add(self.schedule.due.saturating_duration_since(now))
            .ok();
        self.drop_surveys();
        let readers = &self.readers;
        self.refused_reads.retain(|key, _| readers.of(key).next().is_some());
        self.woken.extend(self.readers.uncertain().cloned());
        self.connection_woken = true;
    }

    /// A direct read denied an object that is known. That it is gone takes the lists as well, and they are read now:
    /// whether a direct read finds archived users is not documented.
    fn note_denial(&mut self, key: Key, now: Instant) {
        if !self.mirror.holds(&key) {
            self.schedule.denied.remove(&key);
            return;
        }
        self.mirror.doubt(&key, now);
        if self.schedule.denied.insert(key) {
            self.schedule.sweep_by(now);
        }
    }
}

/// Whether the lists of users and groups say nothing about an object.
fn unlisted(key: &Key) -> bool {
    match key {
        Key::TrainingId(_)
        | Key::TrainingRef(_)
        | Key::OfferEventId(_)
        | Key::OfferEvents
        | Key::Enrollment(..)
        | Key::CustomFields(_) => true,
        Key::UserId(_)
        | Key::UserRef(_)
        | Key::UserEmail(_)
        | Key::GroupId(_)
        | Key::GroupRef(_)
        | Key::GroupsOf(_)
        | Key::Members(..)
        | Key::Participants(_)
        | Key::OfferEventRef(_)
        | Key::Survey(_)
        | Key::Availability => false,
    }
}

/// Sweeps of many organizations shall not fall on one moment.
fn jittered(interval: Duration) -> Duration {
    scaled(interval, 0.95 + fastrand::f64() / 10.0)
}
