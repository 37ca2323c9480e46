//! Adding people to groups and trainings, and taking them out, with results in three ways.

use std::{collections::HashSet, sync::Arc};

use jiff::Timestamp;
use uuid::Uuid;

use super::{
    Group, Refusal, Selector, Store,
    links::{Seat, SeatRole},
    users::User,
};
use crate::settings::{Answer, Settings};

/// The people that a call names.
#[derive(Clone, Debug, Default)]
pub struct People {
    /// By the sandbox's key.
    pub ids: Vec<Uuid>,
    /// By the integrator's key.
    pub refs: Vec<String>,
}

/// What became of each of them.
#[derive(Clone, Debug, Default)]
pub struct Tally {
    /// Added or removed.
    pub done: Vec<Arc<User>>,
    /// Nothing was to be done.
    pub already: Vec<Arc<User>>,
    /// Not removed, because they are in through a group or an event.
    pub linked: Vec<Arc<User>>,
    /// Known, and refused: the group is full.
    pub refused: Vec<Arc<User>>,
    /// Ids that nobody has.
    pub unknown_ids: Vec<Uuid>,
    /// Refs that nobody has.
    pub unknown_refs: Vec<String>,
}

impl Store {
    /// Adds people to a group. A group with `maxUsers` takes no more participants than that.
    pub fn add_to_group(
        &mut self,
        group: &Selector,
        role: SeatRole,
        people: &People,
        settings: &Settings,
        now: Timestamp,
    ) -> Result<Tally, Refusal> {
        let group = self.groups.expect(group)?.clone();
        let seat = Seat { role, target: group.id };
        let (users, mut tally) = self.resolve(people);
        for user in users {
            if self.links.holds(seat, user.id) {
                let visible = self.links.visible(seat).contains(&user);
                let answer = if visible {
                    Answer::AlreadyAdded
                } else {
                    settings.second_add
                };
                tally.list(answer).push(user);
            } else if !self.has_room_for(&group, role, Some(user.id)) {
                tally.refused.push(user);
            } else {
                self.links.set(seat, user.id, true, now);
                tally.done.push(user);
            }
        }
        Ok(tally)
    }

    /// Takes people out of a group.
    pub fn remove_from_group(
        &mut self,
        group: &Selector,
        role: SeatRole,
        people: &People,
        now: Timestamp,
    ) -> Result<Tally, Refusal> {
        let seat = Seat {
            role,
            target: self.groups.expect(group)?.id,
        };
        let (users, mut tally) = self.resolve(people);
        for user in users {
            let removed = self.links.set(seat, user.id, false, now);
            if removed { &mut tally.done } else { &mut tally.already }.push(user);
        }
        Ok(tally)
    }

    /// Adds people to a training, each role on its own.
    pub fn add_to_training(
        &mut self,
        training: &Selector,
        role: SeatRole,
        people: &People,
        settings: &Settings,
        now: Timestamp,
    ) -> Result<Tally, Refusal> {
        let training = self.trainings.expect(training)?.id;
        let seat = Seat { role, target: training };
        let (users, mut tally) = self.resolve(people);
        for user in users {
            let through_object =
                role == SeatRole::TrainingParticipant && self.links.in_through_object(training, user.id);
            let answer = if self.links.holds(seat, user.id) {
                let visible = self.links.visible(seat).contains(&user);
                if visible {
                    Answer::AlreadyAdded
                } else {
                    settings.second_add
                }
            } else {
                self.links.set(seat, user.id, true, now);
                if through_object {
                    settings.add_through_group
                } else {
                    Answer::Added
                }
            };
            tally.list(answer).push(user);
        }
        Ok(tally)
    }

    /// Takes people out of a training, whatever their role. Who is in through a group or an event stays as they are.
    pub fn remove_from_training(
        &mut self,
        training: &Selector,
        people: &People,
        now: Timestamp,
    ) -> Result<Tally, Refusal> {
        let training = self.trainings.expect(training)?.id;
        let (users, mut tally) = self.resolve(people);
        for user in users {
            if self.links.in_through_object(training, user.id) {
                tally.linked.push(user);
                continue;
            }
            let mut removed = false;
            for role in SeatRole::OF_TRAININGS {
                removed |= self.links.set(Seat { role, target: training }, user.id, false, now);
            }
            if removed { &mut tally.done } else { &mut tally.already }.push(user);
        }
        Ok(tally)
    }

    /// Whether a group can take somebody, who may be in it already.
    pub fn has_room_for(&self, group: &Group, role: SeatRole, user: Option<Uuid>) -> bool {
        let seat = Seat { role, target: group.id };
        role != SeatRole::GroupParticipant
            || group.max_users == 0
            || self.links.accepted_count(seat) < group.max_users as usize
            || user.is_some_and(|user| self.links.holds(seat, user))
    }

    /// Puts one user into a group, or takes the user out.
    pub fn move_user(&mut self, group: &Group, role: SeatRole, user: Uuid, added: bool, now: Timestamp) {
        self.links.set(Seat { role, target: group.id }, user, added, now);
    }

    /// The users, each once, in the order of the call; and who is unknown.
    pub(super) fn resolve(&self, people: &People) -> (Vec<Arc<User>>, Tally) {
        let mut tally = Tally::default();
        let mut users = Vec::with_capacity(people.ids.len() + people.refs.len());
        for id in &people.ids {
            match self.users.get(*id) {
                Some(user) => users.push(user.clone()),
                None => tally.unknown_ids.push(*id),
            }
        }
        for reference in &people.refs {
            match self.users.find(&Selector::Ref(reference.clone())) {
                Some(user) => users.push(user.clone()),
                None => tally.unknown_refs.push(reference.clone()),
            }
        }
        let mut seen = HashSet::new();
        users.retain(|user| seen.insert(user.id));
        (users, tally)
    }
}

impl Tally {
    fn list(&mut self, answer: Answer) -> &mut Vec<Arc<User>> {
        match answer {
            Answer::Added => &mut self.done,
            Answer::AlreadyAdded => &mut self.already,
        }
    }
}
