//! Lists of users: which, and in which order.

use std::{borrow::Cow, collections::BTreeSet, sync::Arc};

use jiff::Timestamp;
use uuid::Uuid;

use super::{
    Refusal, Selector, Store, ValueDraft,
    links::{Seat, SeatRole},
    table::NameKey,
    users::{Role, User},
    values::Value,
};
use crate::{
    ordered::Ordered,
    settings::{NeverLoggedIn, Settings},
};

/// Which users a list shows.
#[derive(Clone, Debug, Default)]
pub struct UserFilter {
    /// Part of the name or of the e-mail address.
    pub q: Option<String>,
    /// Without it both.
    pub archived: Option<bool>,
    /// Users with any of these.
    pub roles: Option<Vec<Role>>,
    /// Participants of any of these.
    pub groups: Option<Vec<Uuid>>,
    /// Those who are in any of these.
    pub trainings: Option<Vec<Uuid>>,
    /// All of these.
    pub fields: Vec<FieldFilter>,
    /// Last seen after.
    pub last_login_after: Option<Timestamp>,
    /// Last seen before.
    pub last_login_before: Option<Timestamp>,
}

/// A custom field and the value it must have.
#[derive(Clone, Debug)]
#[allow(missing_docs, reason = "the two halves of the schema's ExtraCategoryFilterInput")]
pub struct FieldFilter {
    pub field: Selector,
    pub value: ValueDraft,
}

/// In which order.
#[derive(Clone, Copy, Debug, Default)]
#[allow(missing_docs, reason = "the fields of the schema's UserSortByInput")]
pub struct UserOrder {
    pub by: UserSort,
    pub descending: bool,
}

/// What users are sorted by; ties by id.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, async_graphql::Enum)]
#[graphql(name = "UserSortField")]
#[allow(missing_docs, reason = "the names say it")]
pub enum UserSort {
    #[default]
    Name,
    Email,
    LastLogin,
}

impl UserFilter {
    /// Whether the users that groups and `archived` let through must be looked at one by one.
    fn needs_a_scan(&self) -> bool {
        self.q.is_some()
            || self.roles.is_some()
            || self.last_login_after.is_some()
            || self.last_login_before.is_some()
            || !self.fields.is_empty()
    }
}

impl Store {
    /// How many users a filter lets through, and those of them at the positions that `window` picks for that number.
    ///
    /// A list by name of all users, of one group or of one training, with or without `archived`, costs no more in a
    /// big organization than in a small one. Anything else looks at every candidate.
    pub fn find_users(
        &self,
        filter: &UserFilter,
        order: UserOrder,
        settings: &Settings,
        window: impl FnOnce(usize) -> Result<(usize, usize), Refusal>,
    ) -> Result<(usize, Vec<Arc<User>>), Refusal> {
        let candidates = self.candidates(filter, settings);
        if order.by == UserSort::Name && !order.descending && !filter.needs_a_scan() {
            let (start, len) = window(candidates.len())?;
            let page = candidates
                .starting_at(start)
                .take(len)
                .filter_map(|(_, id)| self.users.get(*id).cloned());
            return Ok((candidates.len(), page.collect()));
        }
        let fields = self.resolve_fields(filter)?;
        let q = filter.q.as_deref().map(str::to_lowercase);
        let mut users: Vec<_> = candidates.iter().filter_map(|(_, id)| self.users.get(*id)).collect();
        users.retain(|user| self.passes(user, filter, q.as_deref(), &fields, settings));
        match order.by {
            UserSort::Name => {}
            UserSort::Email => users.sort_by_key(|user| user.email.as_ref().map(|email| email.to_lowercase())),
            UserSort::LastLogin => users.sort_by_key(|user| user.last_login),
        }
        if order.descending {
            users.reverse();
        }
        let (start, len) = window(users.len())?;
        Ok((users.len(), users.into_iter().skip(start).take(len).cloned().collect()))
    }

    /// Some users by position in the order of their names.
    pub fn users_at(&self, order: &Ordered<NameKey>, start: usize, len: usize) -> Vec<Arc<User>> {
        order
            .starting_at(start)
            .take(len)
            .filter_map(|(_, id)| self.users.get(*id).cloned())
            .collect()
    }

    /// The members of a group who can be read.
    pub fn members(&self, group: Uuid, role: SeatRole) -> &Ordered<NameKey> {
        self.links.visible(Seat { role, target: group }).with(None)
    }

    /// Those who can be read to be in a training in a role.
    pub fn attendees(&self, training: Uuid, role: SeatRole) -> &Ordered<NameKey> {
        match role {
            SeatRole::TrainingParticipant => self.links.participants(training).with(None),
            role => self.links.visible(Seat { role, target: training }).with(None),
        }
    }

    /// The groups in which a user can be read to have a seat.
    pub fn groups_of(&self, user: Uuid, role: SeatRole) -> Vec<Arc<super::Group>> {
        let seats = self.links.visible_seats(user).filter(|seat| seat.role == role);
        let mut groups: Vec<_> = seats.filter_map(|seat| self.groups.get(seat.target).cloned()).collect();
        groups.sort_by_cached_key(|group| super::table::name_key(&**group));
        groups
    }

    /// The groups linked to a training.
    pub fn groups_of_training(&self, training: Uuid) -> Vec<Arc<super::Group>> {
        self.links
            .leading_to(training)
            .filter_map(|group| self.groups.get(group).cloned())
            .collect()
    }

    /// The trainings that a group is linked to.
    pub fn trainings_of_group(&self, group: Uuid) -> Vec<Arc<super::Training>> {
        self.links
            .trainings_through(group)
            .filter_map(|training| self.trainings.get(training).cloned())
            .collect()
    }

    /// The users of the groups and trainings that are asked for, or everybody.
    fn candidates(&self, filter: &UserFilter, settings: &Settings) -> Cow<'_, Ordered<NameKey>> {
        let of_group = |group: &Uuid| {
            self.links
                .visible(Seat {
                    role: SeatRole::GroupParticipant,
                    target: *group,
                })
                .with(filter.archived)
        };
        let of_training = |training: &Uuid| {
            let index = if settings.training_ids_count_trainers {
                self.links.attendees(*training)
            } else {
                self.links.participants(*training)
            };
            index.with(filter.archived)
        };
        let groups = filter.groups.as_ref().map(|groups| union(groups.iter().map(of_group)));
        let trainings = filter
            .trainings
            .as_ref()
            .map(|trainings| union(trainings.iter().map(of_training)));
        match (groups, trainings) {
            (None, None) => Cow::Borrowed(self.users.index().with(filter.archived)),
            (Some(only), None) | (None, Some(only)) => only,
            (Some(groups), Some(trainings)) => {
                let mut both = Ordered::default();
                groups
                    .iter()
                    .filter(|key| trainings.contains(key))
                    .for_each(|key| _ = both.insert(key.clone()));
                Cow::Owned(both)
            }
        }
    }

    fn resolve_fields<'a>(&self, filter: &'a UserFilter) -> Result<Vec<(Uuid, &'a ValueDraft)>, Refusal> {
        filter
            .fields
            .iter()
            .map(|wanted| Ok((self.fields.expect(&wanted.field)?.id, &wanted.value)))
            .collect()
    }

    fn passes(
        &self,
        user: &User,
        filter: &UserFilter,
        q: Option<&str>,
        fields: &[(Uuid, &ValueDraft)],
        settings: &Settings,
    ) -> bool {
        let names = |q: &str| {
            user.name.to_lowercase().contains(q)
                || user
                    .email
                    .as_ref()
                    .is_some_and(|email| email.to_lowercase().contains(q))
        };
        let never = settings.never_logged_in == NeverLoggedIn::Include;
        q.is_none_or(names)
            && filter
                .roles
                .as_ref()
                .is_none_or(|roles| user.roles.iter().any(|role| roles.contains(role)))
            && filter
                .last_login_after
                .is_none_or(|after| user.last_login.is_some_and(|seen| seen > after))
            && filter
                .last_login_before
                .is_none_or(|before| user.last_login.map_or(never, |seen| seen < before))
            && fields
                .iter()
                .all(|(field, wanted)| self.has_value(user.id, *field, wanted))
    }

    fn has_value(&self, user: Uuid, field: Uuid, wanted: &ValueDraft) -> bool {
        match self.value(user, field) {
            None => false,
            Some(Value::Text(text)) => wanted.text.as_deref() == Some(&**text),
            Some(Value::Moment(moment)) => wanted.moment == Some(*moment),
            Some(Value::Flag(flag)) => wanted.flag == Some(*flag),
            Some(value @ Value::Choices(_)) => {
                let Some(field) = self.fields.get(field) else {
                    return false;
                };
                let chosen: BTreeSet<_> = value.chosen(field).into_iter().map(|option| &*option.text).collect();
                let picks = wanted.choices.as_deref().unwrap_or_default();
                picks
                    .iter()
                    .filter_map(|pick| pick.text.as_deref())
                    .any(|text| chosen.contains(text))
                    || wanted.text.as_deref().is_some_and(|text| chosen.contains(text))
            }
        }
    }
}

/// Everybody who is in one of the lists; without a copy if there is one list.
fn union<'a>(lists: impl Iterator<Item = &'a Ordered<NameKey>>) -> Cow<'a, Ordered<NameKey>> {
    let mut union: Option<Cow<'a, Ordered<NameKey>>> = None;
    for list in lists {
        match &mut union {
            None => union = Some(Cow::Borrowed(list)),
            Some(union) => list.iter().for_each(|key| _ = union.to_mut().insert(key.clone())),
        }
    }
    union.unwrap_or_default()
}
