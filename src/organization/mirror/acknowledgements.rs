//! Memberships that Pluvo has acknowledged and that reads may not show yet: the documentation speaks of minutes.

use std::{
    collections::{HashMap, HashSet},
    time::Duration,
};

use tokio::time::Instant;

use crate::{
    clock::SaturatingAdd,
    plan::observed::Place,
    pluvo::{model::Id, request::MembershipChange},
};

/// Acknowledged memberships, until reads show them for good.
#[derive(Debug)]
pub(super) struct Acknowledgements {
    by_place: HashMap<Place, HashMap<Id, Acknowledged>>,
    timeout: Duration,
}

#[derive(Clone, Copy, Debug)]
struct Acknowledged {
    change: MembershipChange,
    at: Instant,
    /// When a read first showed it. Reads that were sent before that may still arrive and contradict it.
    shown: Option<Instant>,
}

impl Acknowledgements {
    /// None yet. After `timeout` a membership that does not show is none.
    pub fn new(timeout: Duration) -> Self {
        Self {
            by_place: HashMap::new(),
            timeout,
        }
    }

    /// Changes how long an acknowledged membership may stay invisible.
    pub fn set_timeout(&mut self, timeout: Duration) {
        self.timeout = timeout;
    }

    /// Pluvo has acknowledged that a user goes into a place or leaves it.
    pub fn note(&mut self, place: &Place, user: Id, change: MembershipChange, at: Instant) {
        let acknowledged = Acknowledged {
            change,
            at,
            shown: None,
        };
        self.by_place
            .entry(place.clone())
            .or_default()
            .insert(user, acknowledged);
    }

    /// What was acknowledged for a user in a place and is still to be waited for.
    pub fn change(&self, place: &Place, user: &Id, now: Instant) -> Option<MembershipChange> {
        let acknowledged = self.by_place.get(place)?.get(user)?;
        (now < acknowledged.at.saturating_add(self.timeout)).then_some(acknowledged.change)
    }

    /// The changes in a place.
    pub fn changes(&self, place: &Place) -> HashMap<&Id, MembershipChange> {
        let users = self.by_place.get(place).into_iter().flatten();
        users.map(|(user, acknowledged)| (user, acknowledged.change)).collect()
    }

    /// The places in which something was acknowledged for a user.
    pub fn places_of(&self, user: &Id) -> Vec<Place> {
        let places = self.by_place.iter().filter(|(_, users)| users.contains_key(user));
        places.map(|(place, _)| place.clone()).collect()
    }

    /// Places with something that no read has shown yet.
    pub fn unseen_places(&self) -> Vec<Place> {
        let places = self.by_place.iter();
        let unseen = places.filter(|(_, users)| users.values().any(|user| user.shown.is_none()));
        unseen.map(|(place, _)| place.clone()).collect()
    }

    /// The users of a place for whom no read has shown it yet.
    pub fn unseen_users(&self, place: &Place) -> Vec<Id> {
        let users = self.by_place.get(place).into_iter().flatten();
        let unseen = users.filter(|(_, user)| user.shown.is_none());
        unseen.map(|(id, _)| id.clone()).collect()
    }

    /// A read that was sent at `sent` and arrives now says whether a user is in a place. Returns whether that is news.
    pub fn read(&mut self, place: &Place, user: &Id, is_in: bool, sent: Instant, now: Instant) -> bool {
        let Some(users) = self.by_place.get_mut(place) else {
            return false;
        };
        let Some(acknowledged) = users.get_mut(user).filter(|known| known.at < sent) else {
            return false;
        };
        let agrees = is_in == (acknowledged.change == MembershipChange::Add);
        match acknowledged.shown {
            None if agrees => {
                acknowledged.shown = Some(now);
                true
            }
            Some(shown) if shown < sent => {
                users.remove(user);
                !agrees
            }
            None | Some(_) => false,
        }
    }

    /// A list of everybody in a place was read, the first page at `started`.
    pub fn read_list(&mut self, place: &Place, contains: impl Fn(&Id) -> Option<bool>, started: Instant) {
        if let Some(users) = self.by_place.get_mut(place) {
            users.retain(|user, known| {
                known.at >= started || contains(user) != Some(known.change == MembershipChange::Add)
            });
        }
        self.by_place.retain(|_, users| !users.is_empty());
    }

    /// Forgets what stayed invisible for too long. Returns who it was, where, and when the next one is due.
    pub fn expire(&mut self, now: Instant) -> (Vec<(Place, Id)>, Option<Instant>) {
        let (timeout, mut expired) = (self.timeout, Vec::new());
        for (place, users) in &mut self.by_place {
            let late = users.extract_if(|_, user| user.at.saturating_add(timeout) <= now);
            expired.extend(late.map(|(user, _)| (place.clone(), user)));
        }
        self.by_place.retain(|_, users| !users.is_empty());
        let waiting = self.by_place.values().flat_map(HashMap::values);
        (expired, waiting.map(|user| user.at.saturating_add(timeout)).min())
    }
}

/// How many are in a place once all changes are visible.
pub(super) fn expected(shown: Option<&HashSet<Id>>, changes: &HashMap<&Id, MembershipChange>) -> usize {
    let settled = shown.into_iter().flatten().filter(|user| !changes.contains_key(user));
    let arriving = changes.values().filter(|change| **change == MembershipChange::Add);
    settled.count() + arriving.count()
}
