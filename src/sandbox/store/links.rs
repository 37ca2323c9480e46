//! Who is in what: members and managers of groups, participants of trainings and of events, and the groups and events
//! whose participants are in trainings.
//!
//! Every seat has two sets: who was *accepted*, which decides about "added" and "already added", and who is *visible*
//! in reads. An accepted change becomes visible when [`Links::settle`] finds it old enough.

use std::collections::{BTreeMap, BTreeSet, HashMap, VecDeque};

use jiff::Timestamp;
use uuid::Uuid;

use super::{
    table::Entity,
    users::{User, UserIndex, Users},
};

/// In what way somebody belongs to a group, a training or an event.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[allow(missing_docs, reason = "the names say it")]
pub enum SeatRole {
    GroupParticipant,
    GroupManager,
    TrainingParticipant,
    TrainingTrainer,
    TrainingMentor,
    EventParticipant,
}

impl SeatRole {
    /// The ways to belong to a training.
    pub const OF_TRAININGS: [Self; 3] = [Self::TrainingParticipant, Self::TrainingTrainer, Self::TrainingMentor];
    /// The ways to be in trainings through something else.
    pub const LEADING_ON: [Self; 2] = [Self::GroupParticipant, Self::EventParticipant];
}

/// One way to belong to one group, training or event.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Seat {
    /// In what way.
    pub role: SeatRole,
    /// The group, training or event.
    pub target: Uuid,
}

#[derive(Clone, Debug, Default)]
struct Roster {
    accepted: BTreeSet<Uuid>,
    visible: UserIndex,
}

#[derive(Clone, Debug)]
struct Pending {
    accepted_at: Timestamp,
    seat: Seat,
    user: Uuid,
    added: bool,
}

/// Who can be read to be in a training, whether directly or through something else.
#[derive(Clone, Debug, Default)]
struct Attendance {
    everyone: UserIndex,
    participants: UserIndex,
}

/// All links of an organization.
#[derive(Clone, Debug, Default)]
pub struct Links {
    rosters: HashMap<Seat, Roster>,
    visible_seats: HashMap<Uuid, BTreeSet<Seat>>,
    pending: VecDeque<Pending>,
    /// By the group or event that leads there.
    trainings_through: BTreeMap<Uuid, BTreeSet<Uuid>>,
    attendance: HashMap<Uuid, Attendance>,
    nobody: UserIndex,
    /// Where somebody was accepted or taken out, and where that became visible.
    moved: Moved,
}

/// Groups, trainings and events whose seats have changed.
#[derive(Clone, Debug, Default)]
pub struct Moved {
    /// Somebody was accepted or taken out.
    pub accepted: BTreeSet<Uuid>,
    /// That became visible.
    pub visible: BTreeSet<Uuid>,
}

impl Links {
    /// Whether somebody was accepted, visible or not.
    pub fn holds(&self, seat: Seat, user: Uuid) -> bool {
        self.rosters
            .get(&seat)
            .is_some_and(|roster| roster.accepted.contains(&user))
    }

    /// Everybody who was accepted, visible or not.
    pub fn accepted(&self, seat: Seat) -> impl Iterator<Item = Uuid> + '_ {
        self.rosters
            .get(&seat)
            .into_iter()
            .flat_map(|roster| roster.accepted.iter().copied())
    }

    /// How many were accepted, visible or not.
    pub fn accepted_count(&self, seat: Seat) -> usize {
        self.rosters.get(&seat).map_or(0, |roster| roster.accepted.len())
    }

    /// Everybody who can be read.
    pub fn visible(&self, seat: Seat) -> &UserIndex {
        self.rosters.get(&seat).map_or(&self.nobody, |roster| &roster.visible)
    }

    /// What somebody can be read to belong to directly.
    pub fn visible_seats(&self, user: Uuid) -> impl Iterator<Item = Seat> + '_ {
        self.visible_seats.get(&user).into_iter().flatten().copied()
    }

    /// Everybody who can be read to be in a training, directly or through something else.
    pub fn attendees(&self, training: Uuid) -> &UserIndex {
        self.attendance
            .get(&training)
            .map_or(&self.nobody, |attendance| &attendance.everyone)
    }

    /// Those of them who take part.
    pub fn participants(&self, training: Uuid) -> &UserIndex {
        self.attendance
            .get(&training)
            .map_or(&self.nobody, |attendance| &attendance.participants)
    }

    /// The trainings that somebody can be read to be in, and as what.
    pub fn trainings_of(&self, user: Uuid) -> BTreeSet<(Uuid, SeatRole)> {
        let mut trainings = BTreeSet::new();
        for seat in self.visible_seats(user) {
            match seat.role {
                role if SeatRole::LEADING_ON.contains(&role) => {
                    let linked = self.trainings_through(seat.target);
                    trainings.extend(linked.map(|training| (training, SeatRole::TrainingParticipant)));
                }
                SeatRole::GroupManager => {}
                role => _ = trainings.insert((seat.target, role)),
            }
        }
        trainings
    }

    /// The trainings that a group or an event leads to.
    pub fn trainings_through(&self, target: Uuid) -> impl Iterator<Item = Uuid> + '_ {
        self.trainings_through.get(&target).into_iter().flatten().copied()
    }

    /// The groups and events that lead to a training.
    pub fn leading_to(&self, training: Uuid) -> impl Iterator<Item = Uuid> + '_ {
        self.trainings_through
            .iter()
            .filter(move |(_, trainings)| trainings.contains(&training))
            .map(|(target, _)| *target)
    }

    /// Whether somebody was accepted into a group or an event that leads to the training.
    pub fn in_through_object(&self, training: Uuid, user: Uuid) -> bool {
        let holds = |target| {
            SeatRole::LEADING_ON
                .into_iter()
                .any(|role| self.holds(Seat { role, target }, user))
        };
        self.leading_to(training).any(holds)
    }

    /// Accepts somebody, or takes somebody out; visible once it has settled. False if it was so already.
    pub fn set(&mut self, seat: Seat, user: Uuid, added: bool, now: Timestamp) -> bool {
        let accepted = &mut self.rosters.entry(seat).or_default().accepted;
        let changed = if added {
            accepted.insert(user)
        } else {
            accepted.remove(&user)
        };
        if changed {
            self.moved.accepted.insert(seat.target);
            self.pending.push_back(Pending {
                accepted_at: now,
                seat,
                user,
                added,
            });
        }
        changed
    }

    /// The same, visible at once: what seeds and changes do.
    pub fn set_at_once(&mut self, seat: Seat, user: &User, added: bool) {
        let accepted = &mut self.rosters.entry(seat).or_default().accepted;
        let changed = if added {
            accepted.insert(user.id())
        } else {
            accepted.remove(&user.id())
        };
        if changed {
            self.moved.accepted.insert(seat.target);
        }
        self.show(seat, user, added);
    }

    /// What has changed since this was last asked.
    pub fn take_moved(&mut self) -> Moved {
        std::mem::take(&mut self.moved)
    }

    /// Whether nothing waits to become visible.
    pub fn is_settled(&self) -> bool {
        self.pending.is_empty()
    }

    /// Makes visible what was accepted early enough.
    pub fn settle(&mut self, users: &Users, is_due: impl Fn(Timestamp) -> bool) {
        while let Some(next) = self.pending.pop_front_if(|next| is_due(next.accepted_at)) {
            if let Some(user) = users.get(next.user) {
                self.show(next.seat, user, next.added);
            }
        }
    }

    /// Links a group or an event to a training, or unlinks it, with effect on its participants at once.
    pub fn link(&mut self, users: &Users, target: Uuid, training: Uuid, linked: bool) {
        let trainings = self.trainings_through.entry(target).or_default();
        let changed = if linked {
            trainings.insert(training)
        } else {
            trainings.remove(&training)
        };
        if changed {
            let seats = SeatRole::LEADING_ON.map(|role| Seat { role, target });
            let members: Vec<_> = seats
                .iter()
                .flat_map(|seat| self.visible(*seat).with(None).iter())
                .filter_map(|(_, id)| users.get(*id).cloned())
                .collect();
            for user in &members {
                self.refresh_attendance(training, user);
            }
        }
    }

    /// Forgets a group or an event that is deleted.
    pub fn forget(&mut self, users: &Users, target: Uuid) {
        let trainings: Vec<_> = self.trainings_through(target).collect();
        for training in trainings {
            self.link(users, target, training, false);
        }
        self.trainings_through.remove(&target);
        for role in [
            SeatRole::GroupParticipant,
            SeatRole::GroupManager,
            SeatRole::EventParticipant,
        ] {
            let seat = Seat { role, target };
            self.pending.retain(|pending| pending.seat != seat);
            let Some(roster) = self.rosters.remove(&seat) else {
                continue;
            };
            for (_, id) in roster.visible.with(None).iter() {
                if let Some(seats) = self.visible_seats.get_mut(id) {
                    seats.remove(&seat);
                }
            }
        }
    }

    /// Moves a user who was renamed or archived to the new place in all lists.
    pub fn user_changed(&mut self, old: &User, new: &User) {
        if old.name == new.name && old.archived() == new.archived() {
            return;
        }
        self.for_each_list(old, |list| list.replace(Some(old), Some(new)));
    }

    /// Takes a user out of all lists.
    pub fn user_erased(&mut self, user: &User) {
        self.for_each_list(user, |list| list.remove(user));
        self.visible_seats.remove(&user.id());
        self.rosters
            .values_mut()
            .for_each(|roster| _ = roster.accepted.remove(&user.id()));
        self.pending.retain(|pending| pending.user != user.id());
    }

    /// Every list that shows the user, once.
    fn for_each_list(&mut self, user: &User, mut change: impl FnMut(&mut UserIndex)) {
        let trainings: BTreeSet<_> = self
            .trainings_of(user.id())
            .into_iter()
            .map(|(training, _)| training)
            .collect();
        for seat in self.visible_seats.get(&user.id()).into_iter().flatten() {
            if let Some(roster) = self.rosters.get_mut(seat) {
                change(&mut roster.visible);
            }
        }
        for training in trainings {
            if let Some(attendance) = self.attendance.get_mut(&training) {
                for list in [&mut attendance.everyone, &mut attendance.participants] {
                    if list.contains(user) {
                        change(list);
                    }
                }
            }
        }
    }

    fn show(&mut self, seat: Seat, user: &User, added: bool) {
        self.moved.visible.insert(seat.target);
        let roster = self.rosters.entry(seat).or_default();
        let seats = self.visible_seats.entry(user.id()).or_default();
        if added {
            roster.visible.insert(user);
            seats.insert(seat);
        } else {
            roster.visible.remove(user);
            seats.remove(&seat);
        }
        match seat.role {
            SeatRole::GroupManager => {}
            role if SeatRole::LEADING_ON.contains(&role) => {
                let trainings: Vec<_> = self.trainings_through(seat.target).collect();
                for training in trainings {
                    self.refresh_attendance(training, user);
                }
            }
            _ => self.refresh_attendance(seat.target, user),
        }
    }

    /// Puts a user into the lists of a training, or takes the user out, whichever the seats say.
    fn refresh_attendance(&mut self, training: Uuid, user: &User) {
        let roles: Vec<_> = self
            .trainings_of(user.id())
            .into_iter()
            .filter(|(id, _)| *id == training)
            .map(|(_, role)| role)
            .collect();
        let attendance = self.attendance.entry(training).or_default();
        let takes_part = roles.contains(&SeatRole::TrainingParticipant);
        for (list, inside) in [
            (&mut attendance.everyone, !roles.is_empty()),
            (&mut attendance.participants, takes_part),
        ] {
            if inside {
                list.insert(user);
            } else {
                list.remove(user);
            }
        }
    }
}
