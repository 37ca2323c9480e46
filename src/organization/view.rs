//! The mirror as one resource sees it during one pass: it notes which keys the pass read, misses included, so that a
//! change at any of them wakes the resource, and nothing else does.

use std::{
    cell::RefCell,
    collections::{HashMap, HashSet},
    sync::Arc,
};

use jiff::Timestamp;
use tokio::time::Instant;

use crate::{
    plan::{
        Call, ResourceKey,
        index::Index,
        observed::{Key, Lookup, Observed, Outcome, Place, Presence, Unavailable, Unreadable},
        survey::{LoginFilter, Portfolio, Reading, Survey},
        value,
    },
    pluvo::{
        model::{CustomField, Group, Id, LastLogin, OfferEvent, Standing, Training, User},
        operation::Operation,
        request::{ContentType, PortfolioFilter, Query},
        support::Unsupported,
    },
};

use super::{mirror::Mirror, queue::Queue, reads, state::Moment};

/// What became of the writes of one resource, by fingerprint.
pub type Outcomes = HashMap<Arc<str>, Outcome>;

/// The mirror, seen by one resource at one moment.
pub struct View<'a> {
    pub(super) mirror: &'a Mirror,
    pub(super) outcomes: Option<&'a Outcomes>,
    pub(super) refused_reads: &'a HashMap<Key, Arc<str>>,
    /// Whether a sweep has ended: what is not known then takes a read of its own.
    pub(super) was_swept: bool,
    pub(super) queue: &'a Queue,
    pub(super) resource: ResourceKey,
    pub(super) unsupported: Arc<Unsupported>,
    pub(super) unavailable: Option<Unavailable>,
    pub(super) now: Instant,
    pub(super) moment: Moment,
    /// Whether what reports are made of is read here.
    pub(super) surveys: bool,
    pub(super) read: RefCell<ReadKeys>,
}

/// What a pass read.
#[derive(Debug, Default)]
pub struct ReadKeys {
    /// All keys.
    pub keys: HashSet<Key>,
    /// Those whose answer was Unknown.
    pub unknown: HashSet<Key>,
    /// Fingerprints that were asked about.
    pub fingerprints: HashSet<Arc<str>>,
    /// What is to be read again, and when.
    pub asked: HashMap<Survey, Option<Timestamp>>,
}

impl View<'_> {
    /// When this is: what is decided by it is submitted as of this moment.
    #[must_use]
    pub fn moment(&self) -> Moment {
        self.moment
    }

    fn note<T>(&self, key: Key, answer: Lookup<T>) -> Lookup<T> {
        let mut read = self.read.borrow_mut();
        if matches!(answer, Lookup::Unknown) {
            read.unknown.insert(key.clone());
        }
        read.keys.insert(key);
        answer
    }

    fn user(&self, key: Key) -> Lookup<Arc<User>> {
        let answer = self.mirror.user(&key);
        self.note(key, answer)
    }

    fn group(&self, key: Key) -> Lookup<Arc<Group>> {
        let answer = self.mirror.group(&key);
        self.note(key, answer)
    }

    fn offer_event(&self, key: Key) -> Lookup<Arc<OfferEvent>> {
        let answer = self.mirror.offer_event(&key);
        match (&answer, &key) {
            // Only the list of all can tell of an event that is not known by its ref.
            (Lookup::Absent | Lookup::Unknown, Key::OfferEventRef(_)) => {
                let by_list = self.mirror.object(&key).unwrap_or(Key::OfferEvents);
                self.read.borrow_mut().keys.insert(key);
                self.note(by_list, answer)
            }
            _ => self.note(key, answer),
        }
    }

    fn survey<T>(&self, survey: Survey, known: impl FnOnce() -> Lookup<T>) -> Lookup<T> {
        if self.surveys {
            self.note(Key::Survey(survey.into()), known())
        } else {
            Lookup::Absent
        }
    }

    fn training(&self, key: Key) -> Lookup<Arc<Training>> {
        let answer = self.mirror.training(&key);
        self.note(key, answer)
    }
}

impl Observed for View<'_> {
    fn user_by_id(&self, id: &Id) -> Lookup<Arc<User>> {
        self.user(Key::UserId(id.clone()))
    }

    fn user_by_ref(&self, reference: &str) -> Lookup<Arc<User>> {
        self.user(Key::UserRef(reference.into()))
    }

    fn user_by_email(&self, email: &str) -> Lookup<Arc<User>> {
        self.user(Key::UserEmail(value::email(email).into()))
    }

    fn group_by_id(&self, id: &Id) -> Lookup<Arc<Group>> {
        self.group(Key::GroupId(id.clone()))
    }

    fn group_by_ref(&self, reference: &str) -> Lookup<Arc<Group>> {
        self.group(Key::GroupRef(reference.into()))
    }

    fn training_by_id(&self, id: &Id) -> Lookup<Arc<Training>> {
        self.training(Key::TrainingId(id.clone()))
    }

    fn training_by_ref(&self, reference: &str) -> Lookup<Arc<Training>> {
        self.training(Key::TrainingRef(reference.into()))
    }

    fn offer_event_by_id(&self, id: &Id) -> Lookup<Arc<OfferEvent>> {
        self.offer_event(Key::OfferEventId(id.clone()))
    }

    fn offer_event_by_ref(&self, reference: &str) -> Lookup<Arc<OfferEvent>> {
        self.offer_event(Key::OfferEventRef(reference.into()))
    }

    fn standing(&self, event: &Id, user: &Id) -> Lookup<Standing> {
        let key = Key::Enrollment(event.clone(), user.clone());
        self.note(key, self.mirror.standing(event, user))
    }

    fn presence(&self, place: &Place, user: &Id) -> Presence {
        // What is read where it is not known, and whose change is one of the presence.
        let (asked, told) = match place {
            Place::Group(..) => (Key::UserId(user.clone()), Key::GroupsOf(user.clone())),
            Place::Training(_) => (place.key(), place.key()),
            Place::OfferEvent(event) => {
                if self.lacks(&enrollment(&event.id, user)).is_some() {
                    return Presence::Unobservable;
                }
                let key = Key::Enrollment(event.id.clone(), user.clone());
                (key.clone(), key)
            }
        };
        let presence = self.mirror.presence(place, user, self.now);
        let mut read = self.read.borrow_mut();
        if presence == Presence::Unknown {
            read.unknown.insert(asked);
        }
        read.keys.insert(told);
        presence
    }

    fn everybody(&self, place: &Place) -> Lookup<Vec<Arc<User>>> {
        self.note(place.key(), self.mirror.everybody(place))
    }

    fn custom_fields(&self, of: ContentType) -> Lookup<Arc<Vec<CustomField>>> {
        self.note(Key::CustomFields(of), self.mirror.custom_fields(of))
    }

    fn portfolio(&self, filter: &PortfolioFilter) -> Lookup<Arc<Reading<Portfolio>>> {
        self.survey(Survey::Portfolio(filter.clone()), || self.mirror.portfolio(filter))
    }

    fn last_logins(&self, filter: &LoginFilter) -> Lookup<Arc<Reading<Vec<LastLogin>>>> {
        self.survey(Survey::LastLogins(*filter), || self.mirror.last_logins(filter))
    }

    fn ask_by(&self, survey: Survey, at: Option<Timestamp>) {
        if self.surveys {
            self.read.borrow_mut().asked.insert(survey, at);
        }
    }

    fn near_matches(&self, key: &Key) -> Vec<String> {
        self.mirror.near_matches(key)
    }

    fn outcome(&self, fingerprint: &str) -> Option<Outcome> {
        self.read.borrow_mut().fingerprints.insert(fingerprint.into());
        self.outcomes?.get(fingerprint).cloned()
    }

    fn mail_is_unsent(&self, reference: &str) -> bool {
        self.queue.mail_is_unsent(&self.resource, reference)
    }

    fn mails_to_record(&self, call: &Call) -> Vec<String> {
        if call.mails.is_empty() {
            return Vec::new();
        }
        let admitted = self.queue.guard.admit(&self.resource, call);
        admitted.map(|call| call.mails).unwrap_or_default()
    }

    fn is_held(&self, call: &Call) -> bool {
        self.queue.guard.holds(&self.resource, call)
    }

    fn unreadable(&self) -> Option<Unreadable> {
        let read = self.read.borrow();
        let refused = |key| self.refused_reads.get(key).cloned().map(Unreadable::Refused);
        let lacking = |key| reads::lacks(key, &self.unsupported).map(Unreadable::Unsupported);
        let mut unknown = read.unknown.iter();
        unknown.find_map(|key| refused(key).or_else(|| lacking(key).filter(|_| self.was_swept)))
    }

    fn lacks(&self, operation: &Operation) -> Option<String> {
        self.unsupported.blocks(operation)
    }

    fn unavailable(&self) -> Option<Unavailable> {
        self.unavailable
    }
}

fn enrollment(event: &Id, user: &Id) -> Operation {
    let (event, user) = (event.clone(), user.clone());
    Query::Enrollment { event, user }.operation()
}

/// Who read what. A change at a key wakes its readers.
#[derive(Debug, Default)]
pub struct Readers {
    by_key: Index<Key>,
    by_resource: HashMap<ResourceKey, Box<[Key]>>,
    /// Resources that met something unknown.
    uncertain: HashSet<ResourceKey>,
}

impl Readers {
    /// Replaces what a resource is known to have read.
    pub fn register(&mut self, resource: &ResourceKey, read: &ReadKeys) {
        self.forget(resource);
        for key in &read.keys {
            self.by_key.insert(key.clone(), resource.clone());
        }
        if !read.unknown.is_empty() {
            self.uncertain.insert(resource.clone());
        }
        self.by_resource
            .insert(resource.clone(), read.keys.iter().cloned().collect());
    }

    /// A resource is gone.
    pub fn forget(&mut self, resource: &ResourceKey) {
        self.uncertain.remove(resource);
        for key in self.by_resource.remove(resource).into_iter().flatten() {
            self.by_key.remove(key, resource);
        }
    }

    /// Who read a key.
    pub fn of(&self, key: &Key) -> impl Iterator<Item = &ResourceKey> {
        self.by_key.of(key.clone())
    }

    /// Who met something unknown.
    pub fn uncertain(&self) -> impl Iterator<Item = &ResourceKey> {
        self.uncertain.iter()
    }

    /// The trainings that somebody reads about.
    pub fn trainings(&self) -> impl Iterator<Item = &Id> {
        self.by_key.keys().filter_map(|key| match key {
            Key::Participants(training) => Some(training),
            _ => None,
        })
    }

    /// What a resource reads at intervals.
    pub fn surveys(&self, resource: &ResourceKey) -> impl Iterator<Item = Survey> {
        let keys = self.by_resource.get(resource).into_iter().flatten();
        keys.filter_map(|key| match key {
            Key::Survey(survey) => Some((**survey).clone()),
            _ => None,
        })
    }

    /// All keys that somebody reads.
    pub fn keys(&self) -> impl Iterator<Item = &Key> {
        self.by_key.keys()
    }
}
