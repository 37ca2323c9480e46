//! Point reads: questions about single objects, which collect as writes do.

use std::{
    collections::{BTreeMap, HashMap, HashSet},
    time::Duration,
};

use jiff::Timestamp;
use tokio::time::Instant;

use crate::{
    clock::SaturatingAdd,
    plan::observed::{Key, Place},
    pluvo::{
        model::Id,
        request::{GroupRole, PageRequest, Persons, Query, Selector},
        support::Unsupported,
    },
};

/// Questions that wait, and those under way.
#[derive(Debug, Default)]
pub struct Reads {
    wanted: BTreeMap<Key, Instant>,
    under_way: HashSet<Key>,
    /// When to ask next whether the memberships of a group became visible, and how often that was asked.
    sizes: HashMap<(Id, GroupRole), (Instant, u32)>,
    /// What webhooks have told of, and when.
    hinted: BTreeMap<Question, Instant>,
    /// Before this no request leaves because of hints.
    hints_wait: Option<Instant>,
}

/// How questions become requests.
#[derive(Clone, Copy, Debug)]
pub struct Pace {
    /// How long the first of a request waits for others.
    pub linger: Duration,
    /// Questions in a request, at most.
    pub limit: usize,
    /// The time between two requests because of hints, at least: they take half of what Pluvo may be asked.
    pub between_hints: Duration,
}

/// What one point read is about.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Question {
    /// The object at a key.
    Object(Key),
    /// How many belong to a group in which memberships are to become visible.
    Size(Id, GroupRole),
    /// How many belong to a group that is said to have changed.
    Changed(Id),
}

impl Question {
    /// The key of the object.
    #[must_use]
    pub fn key(&self) -> Option<&Key> {
        match self {
            Self::Object(key) => Some(key),
            Self::Size(..) | Self::Changed(_) => None,
        }
    }
}

impl Reads {
    /// Wants the object at a key to be read; a read that is under way suffices. Keys that no direct read can answer are
    /// passed over.
    pub fn want(&mut self, key: Key, now: Instant) {
        if !self.under_way.contains(&key) {
            self.want_anew(key, now);
        }
    }

    /// Wants the object at a key to be read from now on: a read that is under way was sent too early.
    pub fn want_anew(&mut self, key: Key, now: Instant) {
        if query(&key).is_some() {
            self.wanted.entry(key).or_insert(now);
        }
    }

    /// Something is said to have changed: it is asked for, however often that is said meanwhile. A read that is under way
    /// was sent too early.
    pub fn hint(&mut self, question: Question, now: Instant) {
        self.hinted.entry(question).or_insert(now);
    }

    /// Whether a direct read can answer a key, and the server understands it.
    #[must_use]
    pub fn may_ask(key: &Key, unsupported: &Unsupported) -> bool {
        query(key).is_some_and(|query| unsupported.blocks(&query.operation()).is_none())
    }

    /// Whether nothing waits or is under way.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.wanted.is_empty() && self.under_way.is_empty() && self.sizes.is_empty() && self.hinted.is_empty()
    }

    /// Asks about a group's size while memberships wait to become visible: at once, then at growing intervals.
    pub fn watch_sizes(&mut self, places: &[Place], now: Instant) {
        let groups: HashSet<_> = places
            .iter()
            .filter_map(|place| match place {
                Place::Group(group, role) => Some((group.clone(), *role)),
                Place::Training(_) | Place::OfferEvent(_) => None,
            })
            .collect();
        self.sizes.retain(|group, _| groups.contains(group));
        for group in groups {
            self.sizes.entry(group).or_insert((now, 0));
        }
    }

    /// When the next request is to leave.
    #[must_use]
    pub fn due(&self, now: Instant, pace: Pace) -> Option<Instant> {
        let objects = if self.wanted.len() >= pace.limit {
            Some(now)
        } else {
            self.wanted
                .values()
                .min()
                .map(|since| since.saturating_add(pace.linger))
        };
        let sizes = self.sizes.values().map(|(at, _)| *at).min();
        let hints = self.hints_due(pace);
        objects.into_iter().chain(sizes).chain(hints).min()
    }

    fn hints_due(&self, pace: Pace) -> Option<Instant> {
        let since = self.hinted.values().min()?;
        Some(since.saturating_add(pace.linger).max(self.hints_wait.unwrap_or(*since)))
    }

    /// The next questions, without those that this server does not understand.
    pub fn compose(&mut self, now: Instant, pace: Pace, unsupported: &Unsupported) -> Vec<(Question, Query)> {
        let limit = pace.limit;
        let mut questions = Vec::new();
        let due = self.sizes.iter_mut().filter(|(_, (at, _))| *at <= now);
        for ((group, role), (at, asked)) in due.take(limit) {
            *asked += 1;
            *at = now.saturating_add(Duration::from_secs(1 << (*asked).min(6)));
            questions.push((Question::Size(group.clone(), *role), Query::GroupSize(group.clone())));
        }
        let keys: Vec<_> = self.wanted.keys().take(limit - questions.len()).cloned().collect();
        for key in keys {
            self.wanted.remove(&key);
            if let Some(query) = query(&key).filter(|query| unsupported.blocks(&query.operation()).is_none()) {
                self.under_way.insert(key.clone());
                questions.push((Question::Object(key), query));
            }
        }
        if self.hints_due(pace).is_some_and(|due| due <= now) {
            self.compose_hints(&mut questions, now, pace, unsupported);
        }
        questions
    }

    fn compose_hints(
        &mut self,
        questions: &mut Vec<(Question, Query)>,
        now: Instant,
        pace: Pace,
        unsupported: &Unsupported,
    ) {
        let before = questions.len();
        while questions.len() < pace.limit
            && let Some((question, _)) = self.hinted.pop_first()
        {
            let query = match &question {
                // It is asked for in this very request.
                question if questions.iter().any(|(asked, _)| asked == question) => continue,
                Question::Object(key) => query(key),
                Question::Changed(group) => Some(Query::GroupSize(group.clone())),
                Question::Size(..) => None,
            };
            if let Some(query) = query.filter(|query| unsupported.blocks(&query.operation()).is_none()) {
                self.under_way.extend(question.key().cloned());
                questions.push((question, query));
            }
        }
        if questions.len() > before {
            self.hints_wait = Some(now.saturating_add(pace.between_hints));
        }
    }

    /// Questions have come back, answered or not.
    pub fn finish<'a>(&mut self, questions: impl Iterator<Item = &'a Question>) {
        for key in questions.filter_map(Question::key) {
            self.under_way.remove(key);
        }
    }
}

/// The part of the schema that the server lacks and without which a key is not told.
pub fn lacks(key: &Key, unsupported: &Unsupported) -> Option<String> {
    let by_list = || match key {
        Key::Participants(training) => Some(Query::TrainingParticipants {
            training: training.clone(),
            page: PageRequest::default(),
        }),
        Key::Survey(survey) => Some(survey.query(Persons::Accounts, PageRequest::default(), Timestamp::now())),
        _ => None,
    };
    let query = query(key).or_else(by_list)?;
    unsupported.blocks(&query.operation())
}

fn query(key: &Key) -> Option<Query> {
    Some(match key {
        Key::UserId(id) => Query::User(Selector::Id(id.clone())),
        Key::UserRef(reference) => Query::User(Selector::Ref(reference.clone())),
        Key::UserEmail(email) => Query::UserByEmail(email.clone()),
        Key::GroupId(id) => Query::Group(Selector::Id(id.clone())),
        Key::GroupRef(reference) => Query::Group(Selector::Ref(reference.clone())),
        Key::TrainingId(id) => Query::Training(Selector::Id(id.clone())),
        Key::TrainingRef(reference) => Query::Training(Selector::Ref(reference.clone())),
        Key::OfferEventId(id) => Query::OfferEvent(id.clone()),
        Key::OfferEvents => Query::OfferEvents,
        Key::Enrollment(event, user) => Query::Enrollment {
            event: event.clone(),
            user: user.clone(),
        },
        Key::CustomFields(of) => Query::CustomFields(*of),
        Key::GroupsOf(_)
        | Key::Members(..)
        | Key::Participants(_)
        | Key::OfferEventRef(_)
        | Key::Survey(_)
        | Key::Availability => return None,
    })
}
