//! The only way into the mirror: rows that reads bring, and what became of writes. Each notes which keys changed.

use std::{collections::HashSet, sync::Arc};

use tokio::time::Instant;

use crate::{
    plan::observed::{Key, Lookup, Place},
    pluvo::{
        model::{CustomField, CustomFieldValue, Group, Id, OfferEvent, Standing, Training, User},
        request::{ContentType, GroupRole, MembershipChange},
    },
};

use super::{
    ListState, Mirror,
    acknowledgements::expected,
    enrollments::News,
    groups_of,
    table::{Change, Row},
};

/// Merging reads.
impl Mirror {
    /// Takes in a row of a list or of a direct read.
    pub fn merge_user(&mut self, mut user: User, sent: Instant, now: Instant) {
        self.interner.intern_user(&mut user);
        let id = user.id.clone();
        let change = self.users.merge_read(Arc::new(user), sent);
        self.memberships_read(&id, sent, now);
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

    /// Takes in the answer of a direct read.
    pub fn merge_offer_event(&mut self, event: OfferEvent, sent: Instant) {
        let change = self.offer_events.merge_read(Arc::new(event), sent);
        let noted = self.changed.len();
        let is_news = change.as_ref().is_some_and(Change::is_news);
        self.offer_event_changed(change);
        self.note_altered(noted, is_news);
    }

    /// Takes in the events of all offers.
    pub fn merge_offer_events(&mut self, events: Vec<OfferEvent>, sent: Instant) {
        let known = self.offer_events.len();
        for event in events {
            self.merge_offer_event(event, sent);
        }
        let first = !std::mem::replace(&mut self.offer_events_listed, true);
        if first || self.offer_events.len() != known {
            self.changed.push(Key::OfferEvents);
        }
    }

    /// Takes in how a user stands to an event, as a direct read has told; `None`: not at all.
    pub fn merge_standing(&mut self, event: &Id, user: &Id, standing: Option<Standing>, sent: Instant) {
        let news = self.enrollments.merge(event, user, standing, sent);
        let key = Key::Enrollment(event.clone(), user.clone());
        self.altered.extend((news == News::Altered).then(|| key.clone()));
        self.changed.extend((news != News::None).then_some(key));
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
            Key::TrainingId(id) => drop(self.trainings.remove(id)),
            Key::OfferEventId(id) => {
                let change = self.offer_events.remove(id);
                self.offer_event_changed(change);
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
        let doubted = self.groups.doubt_unseen(started, complete);
        if !doubted.is_empty() {
            self.negatives.retain(|key, _| !matches!(key, Key::GroupId(_)));
        }
        doubted.iter().map(|group| Key::GroupId(group.id.clone())).collect()
    }

    /// The lists were not read this time: they say no longer who does not exist.
    pub fn outdate_lists(&mut self) {
        self.users_read = self.users_read.min(ListState::Finished);
        self.groups_read = self.groups_read.min(ListState::Finished);
    }

    /// The participants of a training were read to their end.
    pub fn participants_listed(&mut self, training: &Id, users: HashSet<Id>, started: Instant, complete: bool) {
        let participants = self.participants.entry(training.clone()).or_default();
        let changed = participants.merge(users, started, complete);
        let place = Place::Training(training.clone());
        self.acknowledged
            .read_list(&place, |user| participants.contains(user), started);
        if changed {
            self.changed.push(Key::Participants(training.clone()));
            self.altered.push(Key::Participants(training.clone()));
        }
    }

    /// Those who are known to be in a group, in either role, and are not among `seen`.
    #[must_use]
    pub fn members_unseen(&self, group: &Id, seen: &HashSet<Id>) -> HashSet<Id> {
        let roles = [GroupRole::Participant, GroupRole::Manager].into_iter();
        let members = roles
            .filter_map(|role| self.members.get(&(group.clone(), role)))
            .flatten();
        members.filter(|user| !seen.contains(user)).cloned().collect()
    }

    /// Places with acknowledged memberships that no read has shown yet.
    #[must_use]
    pub fn waiting_places(&self) -> Vec<Place> {
        self.acknowledged.unseen_places()
    }

    /// The users of a place whose acknowledged membership no read has shown yet.
    #[must_use]
    pub fn waiting_users(&self, place: &Place) -> Vec<Id> {
        self.acknowledged.unseen_users(place)
    }

    /// How many users a group has if everything that was acknowledged is visible.
    #[must_use]
    pub fn expected_size(&self, group: &Id, role: GroupRole) -> usize {
        let place = Place::Group(group.clone(), role);
        let shown = self.members.get(&(group.clone(), role));
        expected(shown, &self.acknowledged.changes(&place))
    }

    /// Forgets acknowledgements that stayed invisible for too long; they are drift now. Returns when the next one is due.
    pub fn expire_acknowledgements(&mut self, now: Instant) -> Option<Instant> {
        let (expired, next) = self.acknowledged.expire(now);
        for (place, user) in expired {
            self.changed.push(Key::GroupsOf(user));
            self.changed.push(place.key());
        }
        next
    }

    /// A read of a user says whether acknowledged memberships are visible.
    fn memberships_read(&mut self, user: &Id, sent: Instant, now: Instant) {
        for place in self.acknowledged.places_of(user) {
            if let Some(is_in) = self.shown(&place, user)
                && self.acknowledged.read(&place, user, is_in, sent, now)
            {
                self.changed.push(Key::GroupsOf(user.clone()));
            }
        }
    }
}

/// Merging what became of writes.
impl Mirror {
    /// A write of a user was acknowledged and answered with the account. Its memberships may be older than those that a
    /// read has brought meanwhile, so that they stay as they are known.
    pub fn answer_user(&mut self, mut user: User, sent: Instant, acknowledged: Instant) {
        if let Some(known) = self.users.last(&user.id) {
            user.participant_groups.clone_from(&known.participant_groups);
            user.manager_groups.clone_from(&known.manager_groups);
        }
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
            let mut replaced: Vec<_> = kept.chain(values).cloned().collect();
            // Every user has some, and mostly fewer than a new Vec has room for.
            replaced.shrink_to_fit();
            replaced
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

    /// An enrollment was acknowledged and answered with how the user stands to the event now.
    pub fn answer_standing(&mut self, event: &Id, user: &Id, standing: Standing, acknowledged: Instant) {
        let news = self.enrollments.merge(event, user, Some(standing), acknowledged);
        let key = Key::Enrollment(event.clone(), user.clone());
        self.changed.extend((news != News::None).then_some(key));
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
            self.changed.push(Key::GroupsOf(user.clone()));
            self.acknowledged.note(place, user, change, acknowledged);
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
            Key::OfferEventId(id) => self.offer_events.doubt(id, now),
            Key::Enrollment(event, user) => self.enrollments.doubt(event, user, now),
            _ => {}
        }
    }

    fn user_changed(&mut self, change: Option<Change<User>>) {
        let Some(change) = change else {
            return;
        };
        let (own, groups) = (change.altered(is_same_but_for_groups), change.altered(has_same_groups));
        let Change { before, after, .. } = change;
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
        if let Some(user) = before.as_ref().or(after.as_ref()).filter(|_| groups) {
            self.changed.push(Key::GroupsOf(user.id.clone()));
        }
        if !own {
            return;
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

    fn offer_event_changed(&mut self, change: Option<Change<OfferEvent>>) {
        if let Some(Change { before, after, .. }) = change {
            let (before, after) = (before.as_deref(), after.as_deref());
            self.row_changed(before, after, &Key::OfferEventId, &Key::OfferEventRef);
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

fn is_same_but_for_groups(one: &User, other: &User) -> bool {
    let without_groups = |user: &User| User {
        participant_groups: Vec::new(),
        manager_groups: Vec::new(),
        ..user.clone()
    };
    without_groups(one) == without_groups(other)
}

fn has_same_groups(one: &User, other: &User) -> bool {
    one.participant_groups == other.participant_groups && one.manager_groups == other.manager_groups
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
