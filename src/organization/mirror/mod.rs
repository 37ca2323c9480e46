//! The observed state of one organization, in memory: the only thing that plans read.
//!
//! Every entry is a value, absent or unknown. [`Mirror`]'s merges are the only way in; they note which keys changed,
//! and nothing else wakes anybody.

mod acknowledgements;
mod enrollments;
mod interner;
mod merge;
mod participants;
mod surveys;
mod table;

use std::{
    collections::{HashMap, HashSet},
    sync::Arc,
    time::Duration,
};

use tokio::time::Instant;

use crate::{
    plan::observed::{Key, Lookup, Place, Presence},
    pluvo::{
        model::{CustomField, Group, Id, OfferEvent, Standing, Training, User},
        request::{ContentType, GroupRole, MembershipChange},
    },
};

use acknowledgements::Acknowledgements;
use enrollments::Enrollments;
use interner::Interner;
use participants::Participants;
use surveys::Surveys;
use table::{Known, Table};

/// The observed state of one organization.
#[derive(Debug)]
pub struct Mirror {
    users: Table<User>,
    groups: Table<Group>,
    trainings: Table<Training>,
    participants: HashMap<Id, Participants>,
    offer_events: Table<OfferEvent>,
    /// Whether the events of all offers were ever read: who is not known does not exist, until they are read again.
    offer_events_listed: bool,
    enrollments: Enrollments,
    surveys: Surveys,
    catalogue: HashMap<ContentType, Arc<Vec<CustomField>>>,
    members: HashMap<(Id, GroupRole), HashSet<Id>>,
    acknowledged: Acknowledgements,
    /// Direct reads that answered null, with when they were sent.
    negatives: HashMap<Key, Instant>,
    /// Keys that a lost creation may have brought to life.
    doubtful: HashMap<Key, Instant>,
    users_read: ListState,
    groups_read: ListState,
    interner: Interner,
    changed: Vec<Key>,
    altered: Vec<Key>,
}

/// How far a list was ever read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum ListState {
    /// Never to its end.
    #[default]
    Unread,
    /// To its end, but it moved meanwhile, or that was long ago: rows may have been missed.
    Finished,
    /// Completely.
    Complete,
}

impl Mirror {
    /// An empty mirror. `visibility_timeout`: how long an acknowledged membership may stay invisible.
    #[must_use]
    pub fn new(visibility_timeout: Duration) -> Self {
        Self {
            users: Table::default(),
            groups: Table::default(),
            trainings: Table::default(),
            participants: HashMap::new(),
            offer_events: Table::default(),
            offer_events_listed: false,
            enrollments: Enrollments::default(),
            surveys: Surveys::default(),
            catalogue: HashMap::new(),
            members: HashMap::new(),
            acknowledged: Acknowledgements::new(visibility_timeout),
            negatives: HashMap::new(),
            doubtful: HashMap::new(),
            users_read: ListState::Unread,
            groups_read: ListState::Unread,
            interner: Interner::default(),
            changed: Vec::new(),
            altered: Vec::new(),
        }
    }

    /// Changes how long an acknowledged membership may stay invisible.
    pub fn set_visibility_timeout(&mut self, timeout: Duration) {
        self.acknowledged.set_timeout(timeout);
    }

    /// The keys whose answers changed since this was last asked.
    pub fn take_changed(&mut self) -> Vec<Key> {
        std::mem::take(&mut self.changed)
    }

    /// The keys at which a read, not an answer to a write of ours, brought another value: what was refused or did not
    /// stick there may be tried again.
    pub fn take_altered(&mut self) -> Vec<Key> {
        std::mem::take(&mut self.altered)
    }

    /// How many users there are, active and archived.
    #[must_use]
    pub fn user_count(&self) -> usize {
        self.users.len()
    }

    /// How many of them are not archived.
    #[must_use]
    pub fn active_user_count(&self) -> usize {
        self.users.iter().filter(|user| !user.archived).count()
    }

    /// All users that are known, certain or not.
    #[cfg(test)]
    pub fn users(&self) -> impl Iterator<Item = &Arc<User>> {
        self.users.iter()
    }

    /// Whether the lists of users have been read to their end at least once.
    #[must_use]
    pub fn users_read(&self) -> ListState {
        self.users_read
    }
}

/// Reading.
impl Mirror {
    pub(super) fn user(&self, key: &Key) -> Lookup<Arc<User>> {
        let known = match key {
            Key::UserId(id) => self.users.by_id(id),
            Key::UserRef(reference) => self.users.by_ref(reference),
            Key::UserEmail(email) => self.users.by_email(email),
            _ => Known::Nothing,
        };
        self.answer(known, key, self.users_read)
    }

    pub(super) fn group(&self, key: &Key) -> Lookup<Arc<Group>> {
        let known = match key {
            Key::GroupId(id) => self.groups.by_id(id),
            Key::GroupRef(reference) => self.groups.by_ref(reference),
            _ => Known::Nothing,
        };
        self.answer(known, key, self.groups_read)
    }

    /// Trainings are not listed: a direct read suffices.
    pub(super) fn training(&self, key: &Key) -> Lookup<Arc<Training>> {
        let known = match key {
            Key::TrainingId(id) => self.trainings.by_id(id),
            Key::TrainingRef(reference) => self.trainings.by_ref(reference),
            _ => Known::Nothing,
        };
        match known {
            Known::Certain(training) => Lookup::Found(training),
            Known::Nothing if self.negatives.contains_key(key) => Lookup::Absent,
            Known::Nothing | Known::Uncertain => Lookup::Unknown,
        }
    }

    /// An event that is named by its ref is looked for among those of all offers.
    pub(super) fn offer_event(&self, key: &Key) -> Lookup<Arc<OfferEvent>> {
        let (known, listed) = match key {
            Key::OfferEventId(id) => (self.offer_events.by_id(id), self.negatives.contains_key(key)),
            Key::OfferEventRef(reference) => (self.offer_events.by_ref(reference), self.offer_events_listed),
            _ => (Known::Nothing, false),
        };
        match known {
            Known::Certain(event) => Lookup::Found(event),
            Known::Nothing if listed => Lookup::Absent,
            Known::Nothing | Known::Uncertain => Lookup::Unknown,
        }
    }

    pub(super) fn standing(&self, event: &Id, user: &Id) -> Lookup<Standing> {
        self.enrollments.standing(event, user)
    }

    /// Something is absent if complete lists do not hold it. For an object that was known by its id a direct read must
    /// have answered null as well. Where a list moved while it was read, or was read long ago, the direct read suffices
    /// for a key that nobody was known by.
    fn answer<T>(&self, known: Known<T>, key: &Key, list: ListState) -> Lookup<Arc<T>> {
        match known {
            Known::Certain(value) => Lookup::Found(value),
            Known::Uncertain => Lookup::Unknown,
            Known::Nothing if self.doubtful.contains_key(key) => Lookup::Unknown,
            Known::Nothing => {
                let by_id = matches!(key, Key::UserId(_) | Key::GroupId(_));
                let suffices = match list {
                    ListState::Unread => false,
                    ListState::Finished => !by_id && self.negatives.contains_key(key),
                    ListState::Complete => !by_id || self.negatives.contains_key(key),
                };
                if suffices { Lookup::Absent } else { Lookup::Unknown }
            }
        }
    }

    pub(super) fn custom_fields(&self, of: ContentType) -> Lookup<Arc<Vec<CustomField>>> {
        self.catalogue
            .get(&of)
            .map_or(Lookup::Unknown, |fields| Lookup::Found(fields.clone()))
    }

    pub(super) fn presence(&self, place: &Place, user: &Id, now: Instant) -> Presence {
        if let Place::OfferEvent(event) = place {
            return match self.standing(&event.id, user) {
                Lookup::Unknown => Presence::Unknown,
                Lookup::Absent => Presence::Absent,
                Lookup::Found(Standing::Cancelled | Standing::Declined) => Presence::Declined,
                Lookup::Found(Standing::Enrolled | Standing::Waitlisted | Standing::Other(_)) => Presence::Present,
            };
        }
        let shown = self.shown(place, user);
        match (shown, self.acknowledged.change(place, user, now)) {
            (None, _) => Presence::Unknown,
            (Some(true), Some(MembershipChange::Remove)) => Presence::Leaving,
            (Some(false), Some(MembershipChange::Add)) => Presence::Arriving,
            (Some(true), _) => Presence::Present,
            (Some(false), _) => Presence::Absent,
        }
    }

    /// Whether reads show a user in a place; `None` where that is not known.
    fn shown(&self, place: &Place, user: &Id) -> Option<bool> {
        match place {
            Place::Group(group, role) => match self.users.by_id(user) {
                Known::Certain(user) => Some(groups_of(&user, *role).any(|id| id == group)),
                Known::Uncertain | Known::Nothing => None,
            },
            Place::Training(training) => self.participants.get(training)?.contains(user),
            Place::OfferEvent(_) => None,
        }
    }

    pub(super) fn everybody(&self, place: &Place) -> Lookup<Vec<Arc<User>>> {
        let ids = match place {
            Place::Group(group, role) => {
                if self.users_read != ListState::Complete {
                    return Lookup::Unknown;
                }
                self.members.get(&(group.clone(), *role))
            }
            Place::Training(training) => match self.participants.get(training).and_then(Participants::everybody) {
                Some(ids) => Some(ids),
                None => return Lookup::Unknown,
            },
            Place::OfferEvent(_) => return Lookup::Unknown,
        };
        let users: Option<Vec<_>> = ids
            .into_iter()
            .flatten()
            .map(|id| self.users.last(id).cloned())
            .collect();
        users.map_or(Lookup::Unknown, Lookup::Found)
    }

    /// Refs of the same kind that resemble the one of a key, the most similar first.
    pub(super) fn near_matches(&self, key: &Key) -> Vec<String> {
        fn near<'a>(wanted: &str, known: impl Iterator<Item = &'a str>) -> Vec<String> {
            let mut scored: Vec<_> = known
                .map(|name| (strsim::jaro_winkler(wanted, name), name))
                .filter(|(score, _)| *score > 0.85)
                .collect();
            scored.sort_by(|a, b| b.0.total_cmp(&a.0).then(a.1.cmp(b.1)));
            scored.into_iter().take(3).map(|(_, name)| name.to_owned()).collect()
        }
        match key {
            Key::UserRef(wanted) => near(wanted, self.users.iter().filter_map(|user| user.reference.as_deref())),
            Key::GroupRef(wanted) => near(
                wanted,
                self.groups.iter().filter_map(|group| group.reference.as_deref()),
            ),
            Key::TrainingRef(wanted) => near(
                wanted,
                self.trainings
                    .iter()
                    .filter_map(|training| training.reference.as_deref()),
            ),
            Key::OfferEventRef(wanted) => near(
                wanted,
                self.offer_events.iter().filter_map(|event| event.reference.as_deref()),
            ),
            Key::CustomFields(of) => self
                .catalogue
                .get(of)
                .map(|fields| {
                    fields
                        .iter()
                        .filter_map(|field| field.reference.as_deref().map(str::to_owned))
                        .collect()
                })
                .unwrap_or_default(),
            _ => Vec::new(),
        }
    }

    pub(super) fn is_negative(&self, key: &Key) -> bool {
        self.negatives.contains_key(key)
    }

    /// The key by which an object is read again: its id, once it is known. `None` for what only lists can tell.
    pub(super) fn object(&self, key: &Key) -> Option<Key> {
        let by_id = match key {
            Key::UserRef(reference) => self.users.id_of_ref(reference).cloned().map(Key::UserId),
            Key::UserEmail(email) => self.users.id_of_email(email).cloned().map(Key::UserId),
            Key::GroupRef(reference) => self.groups.id_of_ref(reference).cloned().map(Key::GroupId),
            Key::GroupsOf(id) => Some(Key::UserId(id.clone())),
            Key::Members(..) | Key::Participants(_) | Key::Survey(_) | Key::Availability => return None,
            Key::OfferEventRef(reference) => {
                let id = self.offer_events.id_of_ref(reference).cloned();
                Some(id.map_or(Key::OfferEvents, Key::OfferEventId))
            }
            Key::UserId(_)
            | Key::GroupId(_)
            | Key::TrainingId(_)
            | Key::TrainingRef(_)
            | Key::OfferEventId(_)
            | Key::OfferEvents
            | Key::Enrollment(..)
            | Key::CustomFields(_) => None,
        };
        Some(by_id.unwrap_or_else(|| key.clone()))
    }

    /// Whether there is a user or group at an id, certain or not.
    pub(super) fn holds(&self, key: &Key) -> bool {
        match key {
            Key::UserId(id) => self.users.by_id(id) != Known::Nothing,
            Key::GroupId(id) => self.groups.by_id(id) != Known::Nothing,
            _ => false,
        }
    }

    /// Whether there is a user or group at an id for certain.
    pub(super) fn is_certain(&self, key: &Key) -> bool {
        match key {
            Key::UserId(id) => matches!(self.users.by_id(id), Known::Certain(_)),
            Key::GroupId(id) => matches!(self.groups.by_id(id), Known::Certain(_)),
            _ => false,
        }
    }
}

fn groups_of(user: &User, role: GroupRole) -> impl Iterator<Item = &Id> {
    let groups = match role {
        GroupRole::Participant => &user.participant_groups,
        GroupRole::Manager => &user.manager_groups,
    };
    groups.iter().map(|group| &group.id)
}
