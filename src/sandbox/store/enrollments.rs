//! Who is enrolled in which event.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    sync::Arc,
};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::{
    Event, People, Refusal, Store, User,
    links::{Seat, SeatRole},
    table::derived,
};
use crate::settings::{FullEvent, Settings, Unenrolled};

/// How somebody stands to an event.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, async_graphql::Enum)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
#[allow(missing_docs, reason = "the names say it")]
pub enum EnrollmentStatus {
    Enrolled,
    Waitlisted,
    Cancelled,
    Declined,
}

impl EnrollmentStatus {
    /// Whether a place is taken, or waited for.
    pub fn is_live(self) -> bool {
        matches!(self, Self::Enrolled | Self::Waitlisted)
    }
}

/// One user in one event.
#[derive(Clone, Copy, Debug)]
#[allow(missing_docs, reason = "the fields of the schema's Enrollment")]
pub struct Enrollment {
    pub id: Uuid,
    pub user: Uuid,
    pub event: Uuid,
    pub status: EnrollmentStatus,
    pub enrolled_at: Timestamp,
}

/// All enrollments, at most one for a user and an event.
#[derive(Clone, Debug, Default)]
pub struct Enrollments {
    by_event: BTreeMap<Uuid, BTreeMap<Uuid, Enrollment>>,
    by_user: HashMap<Uuid, BTreeSet<Uuid>>,
    enrolled: HashMap<Uuid, usize>,
    changed: Vec<(EnrollmentChange, Enrollment)>,
}

/// What happened to an enrollment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EnrollmentChange {
    /// It is new.
    Enrolled,
    /// Its status is another one.
    Status,
    /// It was ended.
    Unenrolled,
}

impl Enrollments {
    /// What has happened since this was last asked, in order.
    pub fn take_changed(&mut self) -> Vec<(EnrollmentChange, Enrollment)> {
        std::mem::take(&mut self.changed)
    }

    /// Of one user in one event.
    pub fn get(&self, event: Uuid, user: Uuid) -> Option<Enrollment> {
        self.by_event.get(&event)?.get(&user).copied()
    }

    /// Of all users in one event.
    pub fn of_event(&self, event: Uuid) -> Vec<Enrollment> {
        let all = self.by_event.get(&event).into_iter().flat_map(BTreeMap::values);
        all.copied().collect()
    }

    /// Of one user, or of all.
    pub fn of(&self, user: Option<Uuid>) -> Vec<Enrollment> {
        match user {
            Some(user) => {
                let events = self.by_user.get(&user).into_iter().flatten();
                events.filter_map(|event| self.get(*event, user)).collect()
            }
            None => self.by_event.values().flat_map(BTreeMap::values).copied().collect(),
        }
    }

    /// How many have a place in an event.
    pub fn enrolled(&self, event: Uuid) -> usize {
        self.enrolled.get(&event).copied().unwrap_or_default()
    }

    /// An event is gone.
    pub fn forget_event(&mut self, event: Uuid) {
        for user in self.by_event.remove(&event).unwrap_or_default().into_keys() {
            if let Some(events) = self.by_user.get_mut(&user) {
                events.remove(&event);
            }
        }
        self.enrolled.remove(&event);
    }

    /// A user is gone.
    pub fn forget(&mut self, user: Uuid) {
        for event in self.by_user.remove(&user).unwrap_or_default() {
            self.remove(event, user);
        }
    }

    fn note(&mut self, change: EnrollmentChange, enrollment: Enrollment) {
        self.changed.push((change, enrollment));
    }

    fn put(&mut self, enrollment: Enrollment) {
        self.remove(enrollment.event, enrollment.user);
        if enrollment.status == EnrollmentStatus::Enrolled {
            *self.enrolled.entry(enrollment.event).or_default() += 1;
        }
        self.by_user
            .entry(enrollment.user)
            .or_default()
            .insert(enrollment.event);
        self.by_event
            .entry(enrollment.event)
            .or_default()
            .insert(enrollment.user, enrollment);
    }

    fn remove(&mut self, event: Uuid, user: Uuid) -> Option<Enrollment> {
        let old = self.by_event.get_mut(&event)?.remove(&user)?;
        if let Some(count) = self
            .enrolled
            .get_mut(&event)
            .filter(|_| old.status == EnrollmentStatus::Enrolled)
        {
            *count -= 1;
        }
        if let Some(events) = self.by_user.get_mut(&user) {
            events.remove(&event);
        }
        Some(old)
    }
}

/// What became of those who were to be enrolled.
#[derive(Clone, Debug, Default)]
pub struct Enrolled {
    /// They have a place now, or wait for one.
    pub done: Vec<Enrollment>,
    /// They had a place already, or waited for one.
    pub already: Vec<Enrollment>,
}

impl Store {
    /// The enrollments.
    pub fn enrollments(&self) -> &Enrollments {
        &self.enrollments
    }

    /// How many more an event takes; `None` where there is no limit.
    pub fn spots(&self, event: &Event) -> Option<usize> {
        let max = event.max_subscriptions? as usize;
        Some(max.saturating_sub(self.enrollments.enrolled(event.id)))
    }

    /// Enrolls people in an event, or lets them wait where it is full and has a waiting list. Whoever is unknown is left
    /// out; whoever has cancelled or declined is enrolled anew.
    pub fn enroll(
        &mut self,
        event: &Event,
        people: &People,
        settings: &Settings,
        now: Timestamp,
    ) -> Result<Enrolled, Refusal> {
        let (users, _) = self.resolve(people);
        let (already, new): (Vec<_>, Vec<_>) = users.into_iter().partition(|user| {
            let known = self.enrollments.get(event.id, user.id);
            known.is_some_and(|known| known.status.is_live())
        });
        let lacks = self.spots(event).is_some_and(|spots| spots < new.len()) && !event.waiting_list;
        if lacks && settings.full_event == FullEvent::Refuse {
            return Err(Refusal::invalid("This event is full."));
        }
        let known = already
            .iter()
            .filter_map(|user| self.enrollments.get(event.id, user.id));
        let mut enrolled = Enrolled {
            already: known.collect(),
            ..Enrolled::default()
        };
        for user in new {
            let status = match self.spots(event) {
                Some(0) if event.waiting_list => EnrollmentStatus::Waitlisted,
                Some(0) => continue,
                _ => EnrollmentStatus::Enrolled,
            };
            enrolled.done.push(self.set_enrollment(event, &user, status, now));
        }
        Ok(enrolled)
    }

    /// Gives an enrollment a status, whether or not there is room.
    pub fn set_enrollment(
        &mut self,
        event: &Event,
        user: &Arc<User>,
        status: EnrollmentStatus,
        now: Timestamp,
    ) -> Enrollment {
        let old = self.enrollments.get(event.id, user.id);
        let enrollment = Enrollment {
            id: old.map_or_else(|| enrollment_id(event.id, user.id), |old| old.id),
            user: user.id,
            event: event.id,
            status,
            enrolled_at: old.map_or(now, |old| old.enrolled_at),
        };
        self.enrollments.put(enrollment);
        match old {
            None => self.enrollments.note(EnrollmentChange::Enrolled, enrollment),
            Some(old) if old.status != status => self.enrollments.note(EnrollmentChange::Status, enrollment),
            Some(_) => {}
        }
        self.show_enrollment(event.id, user, status == EnrollmentStatus::Enrolled);
        enrollment
    }

    /// Ends an enrollment: what becomes of it is open in the documentation. False if there was none that is live.
    pub fn end_enrollment(&mut self, event: Uuid, user: Uuid, settings: &Settings, now: Timestamp) -> bool {
        let found = self.events.get(event).cloned().zip(self.users.get(user).cloned());
        let Some((event, user)) = found else { return false };
        let live = self.enrollments.get(event.id, user.id);
        if !live.is_some_and(|live| live.status.is_live()) {
            return false;
        }
        match settings.unenrolled {
            Unenrolled::Cancelled => {
                let ended = self.set_enrollment(&event, &user, EnrollmentStatus::Cancelled, now);
                // Nobody changed its status: it was ended.
                self.enrollments.changed.retain(|(_, known)| known.id != ended.id);
                self.enrollments.note(EnrollmentChange::Unenrolled, ended);
            }
            Unenrolled::Removed => self.unenroll(event.id, user.id),
        }
        true
    }

    /// Takes an enrollment out for good.
    pub fn unenroll(&mut self, event: Uuid, user: Uuid) {
        if let Some(gone) = self.enrollments.remove(event, user) {
            self.enrollments.note(EnrollmentChange::Unenrolled, gone);
        }
        if let Some(user) = self.users.get(user).cloned() {
            self.show_enrollment(event, &user, false);
        }
    }

    /// Whoever has a place is in the trainings of the event.
    fn show_enrollment(&mut self, event: Uuid, user: &User, enrolled: bool) {
        let seat = Seat {
            role: SeatRole::EventParticipant,
            target: event,
        };
        self.links.set_at_once(seat, user, enrolled);
    }
}

fn enrollment_id(event: Uuid, user: Uuid) -> Uuid {
    derived("enrollment", "id", &format!("{event} {user}"), |_| false)
}
