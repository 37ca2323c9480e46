//! Point reads: questions about single objects, which collect as writes do.

use std::collections::{BTreeMap, HashMap, HashSet};

use tokio::time::Instant;

use crate::{
    plan::observed::{Key, Place},
    pluvo::{
        model::Id,
        request::{GroupRole, Query, Selector},
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
}

/// What one point read is about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Question {
    /// The object at a key.
    Object(Key),
    /// How many belong to a group.
    Size(Id, GroupRole),
}

impl Question {
    /// The key of the object.
    #[must_use]
    pub fn key(&self) -> Option<&Key> {
        match self {
            Self::Object(key) => Some(key),
            Self::Size(..) => None,
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

    /// Whether a direct read can answer a key, and the server understands it.
    #[must_use]
    pub fn may_ask(key: &Key, unsupported: &Unsupported) -> bool {
        query(key).is_some_and(|query| unsupported.blocks(&query.operation()).is_none())
    }

    /// Whether nothing waits or is under way.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.wanted.is_empty() && self.under_way.is_empty() && self.sizes.is_empty()
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

    /// When the next request is to leave; `linger` lets questions collect, at most `limit`.
    #[must_use]
    pub fn due(&self, now: Instant, linger: std::time::Duration, limit: usize) -> Option<Instant> {
        let objects = if self.wanted.len() >= limit {
            Some(now)
        } else {
            self.wanted.values().min().map(|since| *since + linger)
        };
        let sizes = self.sizes.values().map(|(at, _)| *at).min();
        objects.into_iter().chain(sizes).min()
    }

    /// The next questions, at most `limit`, without those that this server does not understand.
    pub fn compose(&mut self, now: Instant, limit: usize, unsupported: &Unsupported) -> Vec<(Question, Query)> {
        let mut questions = Vec::new();
        let due = self.sizes.iter_mut().filter(|(_, (at, _))| *at <= now);
        for ((group, role), (at, asked)) in due.take(limit) {
            *asked += 1;
            *at = now + std::time::Duration::from_secs(1 << (*asked).min(6));
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
        questions
    }

    /// Questions have come back, answered or not.
    pub fn finish<'a>(&mut self, questions: impl Iterator<Item = &'a Question>) {
        for key in questions.filter_map(Question::key) {
            self.under_way.remove(key);
        }
    }
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
        Key::GroupsOf(_) | Key::Members(..) | Key::Participants(_) | Key::OfferEventRef(_) | Key::Availability => {
            return None;
        }
    })
}
