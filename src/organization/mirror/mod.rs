//! The observed state of one organization, in memory: the only thing that plans read.
//!
//! Every entry is a value, absent or unknown. [`Mirror`]'s merges are the only way in; they note which keys changed,
//! and nothing else wakes anybody.

mod interner;
mod participants;
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
        model::{CustomField, CustomFieldValue, Group, Id, Training, User},
        request::{ContentType, GroupRole, MembershipChange},
    },
};

use interner::Interner;
use participants::Participants;
use table::{Change, Known, Row, Table};

/// A membership that Pluvo acknowledged and that reads may not show yet.
#[derive(Clone, Copy, Debug)]
struct Acknowledged {
    change: MembershipChange,
    at: Instant,
}

/// The observed state of one organization.
#[derive(Debug)]
pub struct Mirror {
    users: Table<User>,
    groups: Table<Group>,
    trainings: Table<Training>,
    participants: HashMap<Id, Participants>,
    catalogue: HashMap<ContentType, Arc<Vec<CustomField>>>,
    members: HashMap<(Id, GroupRole), HashSet<Id>>,
    acknowledged: HashMap<Place, HashMap<Id, Acknowledged>>,
    /// Direct reads that answered null, with when they were sent.
    negatives: HashMap<Key, Instant>,
    /// Keys that a lost creation may have brought to life.
    doubtful: HashMap<Key, Instant>,
    users_read: ListState,
    groups_read: ListState,
    interner: Interner,
    changed: Vec<Key>,
    altered: Vec<Key>,
    visibility_timeout: Duration,
}

/// How far a list was ever read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum ListState {
    /// Never to its end.
    #[default]
    Unread,
    /// To its end, but it moved meanwhile: rows may have been missed.
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
            catalogue: HashMap::new(),
            members: HashMap::new(),
            acknowledged: HashMap::new(),
            negatives: HashMap::new(),
            doubtful: HashMap::new(),
            users_read: ListState::Unread,
            groups_read: ListState::Unread,
            interner: Interner::default(),
            changed: Vec::new(),
            altered: Vec::new(),
            visibility_timeout,
        }
    }

    /// Changes how long an acknowledged membership may stay invisible.
    pub fn set_visibility_timeout(&mut self, timeout: Duration) {
        self.visibility_timeout = timeout;
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

    /// Something is absent if complete lists do not hold it. Where a list moved while it was read, and for an object
    /// that was known by its id, a direct read must have answered null as well.
    fn answer<T>(&self, known: Known<T>, key: &Key, list: ListState) -> Lookup<Arc<T>> {
        match known {
            Known::Certain(value) => Lookup::Found(value),
            Known::Uncertain => Lookup::Unknown,
            Known::Nothing if self.doubtful.contains_key(key) => Lookup::Unknown,
            Known::Nothing => {
                let by_id = matches!(key, Key::UserId(_) | Key::GroupId(_));
                let suffices = match list {
                    ListState::Unread => false,
                    ListState::Finished => self.negatives.contains_key(key),
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
        let shown = self.shown(place, user);
        let waiting = self
            .acknowledged
            .get(place)
            .and_then(|users| users.get(user))
            .filter(|waiting| now < waiting.at + self.visibility_timeout);
        match (shown, waiting.map(|waiting| waiting.change)) {
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
}

/// Merging reads.
impl Mirror {
    /// Takes in a row of a list or of a direct read.
    pub fn merge_user(&mut self, mut user: User, sent: Instant) {
        self.interner.intern_user(&mut user);
        let id = user.id.clone();
        let change = self.users.merge_read(Arc::new(user), sent);
        self.settle_memberships(&id, sent);
        let noted = self.changed.len();
        let is_news = change.as_ref().is_some_and(Change::is_news);
        self.user_changed(change);
        self.note_altered(noted, is_news);
    }

    /// The keys that changed since `noted` have another value than before.
    fn note_altered(&mut self, noted: usize, is_news: bool) {
        if is_news {
            self.altered.extend(self.changed[noted..].iter().cloned());
        }
    }

    /// Takes in a row of a list or of a direct read.
    pub fn merge_group(&mut self, group: Group, sent: Instant) {
        let change = self.groups.merge_read(Arc::new(group), sent);
        let noted = self.changed.len();
        let is_news = change.as_ref().is_some_and(Change::is_news);
        self.group_changed(change);
        self.note_altered(noted, is_news);
    }

    /// Takes in the answer of a direct read.
    pub fn merge_training(&mut self, training: Training, sent: Instant) {
        if let Some(change) = self.trainings.merge_read(Arc::new(training), sent) {
            for training in [change.before, change.after].into_iter().flatten() {
                self.negatives.remove(&Key::TrainingId(training.id.clone()));
                self.changed.push(Key::TrainingId(training.id.clone()));
                if let Some(reference) = &training.reference {
                    self.negatives.remove(&Key::TrainingRef(reference.clone()));
                    self.changed.push(Key::TrainingRef(reference.clone()));
                }
            }
        }
    }

    /// Takes in the catalogue of custom fields.
    pub fn merge_custom_fields(&mut self, of: ContentType, fields: Vec<CustomField>) {
        if self.catalogue.get(&of).is_none_or(|known| **known != fields) {
            self.catalogue.insert(of, Arc::new(fields));
            self.changed.push(Key::CustomFields(of));
            self.altered.push(Key::CustomFields(of));
        }
    }

    /// A direct read answered null.
    pub fn merge_absence(&mut self, key: &Key, sent: Instant) {
        let was_doubtful =
            self.doubtful.get(key).is_some_and(|since| *since < sent) && self.doubtful.remove(key).is_some();
        let is_news = self.negatives.insert(key.clone(), sent).is_none();
        match key {
            Key::UserId(id) => {
                let change = self.users.merge_absence(id, sent);
                self.user_changed(change);
            }
            Key::GroupId(id) => {
                let change = self.groups.merge_absence(id, sent);
                self.group_changed(change);
            }
            Key::TrainingRef(reference) => {
                if let Some(id) = self.trainings.id_of_ref(reference).cloned() {
                    self.trainings.remove(&id);
                    self.changed.push(Key::TrainingId(id));
                }
            }
            _ => {}
        }
        if is_news || was_doubtful {
            self.changed.push(key.clone());
        }
    }

    /// Both lists of users were read to their end. Returns the rows that were known before and that they did not hold.
    pub fn users_listed(&mut self, started: Instant, complete: bool) -> Vec<Key> {
        self.users_read = self.users_read.max(if complete {
            ListState::Complete
        } else {
            ListState::Finished
        });
        let doubted = self.users.doubt_unseen(started, complete);
        if !doubted.is_empty() {
            self.negatives.retain(|key, _| !matches!(key, Key::UserId(_)));
        }
        doubted.iter().map(|user| Key::UserId(user.id.clone())).collect()
    }

    /// The list of groups was read to its end. Returns the rows that were known before and that it did not hold.
    pub fn groups_listed(&mut self, started: Instant, complete: bool) -> Vec<Key> {
        self.groups_read = self.groups_read.max(if complete {
            ListState::Complete
        } else {
            ListState::Finished
        });
        self.groups
            .doubt_unseen(started, complete)
            .iter()
            .map(|group| Key::GroupId(group.id.clone()))
            .collect()
    }

    /// The participants of a training were read to their end.
    pub fn participants_listed(&mut self, training: &Id, users: HashSet<Id>, started: Instant, complete: bool) {
        let participants = self.participants.entry(training.clone()).or_default();
        let changed = participants.merge(users, started, complete);
        if let Some(waiting) = self.acknowledged.get_mut(&Place::Training(training.clone())) {
            waiting.retain(|user, acknowledged| {
                acknowledged.at >= started
                    || participants.contains(user) != Some(acknowledged.change == MembershipChange::Add)
            });
        }
        if changed {
            self.changed.push(Key::Participants(training.clone()));
            self.altered.push(Key::Participants(training.clone()));
        }
    }

    /// Places with acknowledged memberships that no read has shown yet.
    #[must_use]
    pub fn waiting_places(&self) -> Vec<Place> {
        self.acknowledged
            .iter()
            .filter(|(_, users)| !users.is_empty())
            .map(|(place, _)| place.clone())
            .collect()
    }

    /// The users of a place whose acknowledged membership no read has shown yet.
    #[must_use]
    pub fn waiting_users(&self, place: &Place) -> Vec<Id> {
        self.acknowledged
            .get(place)
            .map(|users| users.keys().cloned().collect())
            .unwrap_or_default()
    }

    /// How many users a group has if everything that was acknowledged is visible.
    #[must_use]
    pub fn expected_size(&self, group: &Id, role: GroupRole) -> usize {
        let place = Place::Group(group.clone(), role);
        let waiting = self.acknowledged.get(&place);
        let members = self.members.get(&(group.clone(), role));
        let arriving = |id: &&Id| {
            waiting.is_some_and(|users| users.get(id).is_some_and(|user| user.change == MembershipChange::Add))
        };
        let shown = members
            .into_iter()
            .flatten()
            .filter(|id| !waiting.is_some_and(|users| users.contains_key(id)))
            .count();
        shown + waiting.into_iter().flat_map(HashMap::keys).filter(arriving).count()
    }

    /// Forgets acknowledgements that stayed invisible for too long; they are drift now. Returns when the next one is due.
    pub fn expire_acknowledgements(&mut self, now: Instant) -> Option<Instant> {
        let timeout = self.visibility_timeout;
        for (place, users) in &mut self.acknowledged {
            let expired: Vec<_> = users
                .iter()
                .filter(|(_, user)| user.at + timeout <= now)
                .map(|(id, _)| id.clone())
                .collect();
            for id in expired {
                users.remove(&id);
                self.changed.push(Key::UserId(id));
                self.changed.push(place.key());
            }
        }
        self.acknowledged.retain(|_, users| !users.is_empty());
        self.acknowledged
            .values()
            .flat_map(HashMap::values)
            .map(|user| user.at + timeout)
            .min()
    }

    /// Acknowledged memberships that this read, sent after them, shows as done are done.
    fn settle_memberships(&mut self, user: &Id, sent: Instant) {
        let mut settled = Vec::new();
        for (place, users) in &self.acknowledged {
            let Some(waiting) = users.get(user).filter(|waiting| waiting.at < sent) else {
                continue;
            };
            if self.shown(place, user) == Some(waiting.change == MembershipChange::Add) {
                settled.push(place.clone());
            }
        }
        for place in settled {
            if let Some(users) = self.acknowledged.get_mut(&place) {
                users.remove(user);
            }
            self.changed.push(Key::UserId(user.clone()));
        }
    }
}

/// Merging what became of writes.
impl Mirror {
    /// A write of a user was acknowledged and answered with the account.
    pub fn answer_user(&mut self, mut user: User, sent: Instant, acknowledged: Instant) {
        self.interner.intern_user(&mut user);
        let change = self.users.merge_answer(Arc::new(user), sent, acknowledged);
        self.user_changed(change);
    }

    /// A write of a group was acknowledged and answered with the group.
    pub fn answer_group(&mut self, group: Group, sent: Instant, acknowledged: Instant) {
        let change = self.groups.merge_answer(Arc::new(group), sent, acknowledged);
        self.group_changed(change);
    }

    /// A write of custom fields was acknowledged: the values in the answer replace those of the same fields.
    pub fn answer_custom_fields(
        &mut self,
        key: &Key,
        values: &[CustomFieldValue],
        sent: Instant,
        acknowledged: Instant,
    ) {
        let replaced = |held: &[CustomFieldValue]| {
            let kept = held
                .iter()
                .filter(|value| !values.iter().any(|new| new.category == value.category));
            kept.chain(values).cloned().collect::<Vec<_>>()
        };
        match key {
            Key::UserId(_) | Key::UserRef(_) => {
                if let Lookup::Found(user) = self.user(key) {
                    let user = User {
                        extra_category_values: replaced(&user.extra_category_values),
                        ..(*user).clone()
                    };
                    self.answer_user(user, sent, acknowledged);
                }
            }
            Key::GroupId(_) | Key::GroupRef(_) => {
                if let Lookup::Found(group) = self.group(key) {
                    let group = Group {
                        extra_category_values: replaced(&group.extra_category_values),
                        ..(*group).clone()
                    };
                    self.answer_group(group, sent, acknowledged);
                }
            }
            _ => {}
        }
    }

    /// A group was deleted.
    pub fn answer_group_deleted(&mut self, id: &Id, acknowledged: Instant) {
        self.negatives.insert(Key::GroupId(id.clone()), acknowledged);
        let change = self.groups.remove(id);
        self.group_changed(change);
    }

    /// Memberships were acknowledged; reads show them when they do.
    pub fn answer_memberships(
        &mut self,
        place: &Place,
        change: MembershipChange,
        users: impl IntoIterator<Item = Id>,
        acknowledged: Instant,
    ) {
        for user in users {
            self.changed.push(Key::UserId(user.clone()));
            self.acknowledged.entry(place.clone()).or_default().insert(
                user,
                Acknowledged {
                    change,
                    at: acknowledged,
                },
            );
        }
        self.changed.push(place.key());
    }

    /// A write was lost on the way: what it was about is unknown until it is read again.
    pub fn doubt(&mut self, key: &Key, now: Instant) {
        match key {
            Key::UserId(id) => self.users.doubt(id, now),
            Key::GroupId(id) => self.groups.doubt(id, now),
            Key::UserRef(reference) => match self.users.id_of_ref(reference).cloned() {
                Some(id) => self.users.doubt(&id, now),
                None => drop(self.doubtful.insert(key.clone(), now)),
            },
            Key::UserEmail(_) | Key::GroupRef(_) => drop(self.doubtful.insert(key.clone(), now)),
            Key::Participants(training) => {
                if let Some(participants) = self.participants.get_mut(training) {
                    participants.doubt(now);
                }
            }
            _ => {}
        }
    }

    fn user_changed(&mut self, change: Option<Change<User>>) {
        let Some(Change { before, after, .. }) = change else {
            return;
        };
        for role in [GroupRole::Participant, GroupRole::Manager] {
            for (user, add) in [(&before, false), (&after, true)] {
                let Some(user) = user else { continue };
                for group in groups_of(user, role) {
                    let members = self.members.entry((group.clone(), role)).or_default();
                    if add {
                        members.insert(user.id.clone())
                    } else {
                        members.remove(&user.id)
                    };
                }
            }
            self.changed
                .extend(moved(before.as_deref(), after.as_deref(), role).map(|group| Key::Members(group, role)));
        }
        self.row_changed(before.as_deref(), after.as_deref(), &Key::UserId, &Key::UserRef);
        let emails: HashSet<_> = [&before, &after]
            .into_iter()
            .flatten()
            .filter_map(|user| Row::email(&**user))
            .collect();
        for key in emails.into_iter().map(|email| Key::UserEmail(email.into())) {
            self.negatives.remove(&key);
            self.doubtful.remove(&key);
            self.changed.push(key);
        }
    }

    fn group_changed(&mut self, change: Option<Change<Group>>) {
        if let Some(Change { before, after, .. }) = change {
            self.row_changed(before.as_deref(), after.as_deref(), &Key::GroupId, &Key::GroupRef);
        }
    }

    fn row_changed<T: Row>(
        &mut self,
        before: Option<&T>,
        after: Option<&T>,
        by_id: &impl Fn(Id) -> Key,
        by_ref: &impl Fn(Arc<str>) -> Key,
    ) {
        let mut keys = HashSet::new();
        for row in [before, after].into_iter().flatten() {
            keys.insert(by_id(row.id().clone()));
            keys.extend(row.reference().cloned().map(by_ref));
        }
        for key in keys {
            if after.is_some() {
                self.negatives.remove(&key);
                self.doubtful.remove(&key);
            }
            self.changed.push(key);
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

/// The groups that a user is in before or after, and not both; all of them if the user's own data changed.
fn moved(before: Option<&User>, after: Option<&User>, role: GroupRole) -> impl Iterator<Item = Id> + use<> {
    let ids = |user: Option<&User>| {
        user.map(|user| groups_of(user, role).cloned().collect::<HashSet<_>>())
            .unwrap_or_default()
    };
    let (old, new) = (ids(before), ids(after));
    let archived = before.map(|user| user.archived) != after.map(|user| user.archived);
    let moved: Vec<_> = if archived {
        old.union(&new).cloned().collect()
    } else {
        old.symmetric_difference(&new).cloned().collect()
    };
    moved.into_iter()
}
