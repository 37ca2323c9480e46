//! Who is in one training. Pluvo tells this only as a list.

use std::collections::HashSet;

use tokio::time::Instant;

use crate::pluvo::model::Id;

/// The participants of one training.
#[derive(Debug, Default)]
pub(super) struct Participants {
    users: HashSet<Id>,
    /// Whether the list was complete; if not, whoever is not in it is unknown.
    complete: bool,
    /// When the list was begun.
    read: Option<Instant>,
    /// A write was lost on the way at this time.
    doubted: Option<Instant>,
}

impl Participants {
    /// Whether a user is in the training; `None` where that is not known.
    pub(super) fn contains(&self, user: &Id) -> Option<bool> {
        if self.doubted.is_some() {
            return None;
        }
        let listed = self.users.contains(user);
        (listed || self.complete).then_some(listed)
    }

    /// Everybody, if the list is complete.
    pub(super) fn everybody(&self) -> Option<&HashSet<Id>> {
        (self.complete && self.doubted.is_none()).then_some(&self.users)
    }

    /// A write was lost on the way.
    pub(super) fn doubt(&mut self, now: Instant) {
        self.doubted = Some(now);
    }

    /// Takes in a list that was read to its end. Returns whether it says something new.
    pub(super) fn merge(&mut self, users: HashSet<Id>, started: Instant, complete: bool) -> bool {
        if self.read.is_some_and(|read| read > started) {
            return false;
        }
        self.read = Some(started);
        let cleared = self.doubted.is_some_and(|doubted| doubted < started);
        if cleared {
            self.doubted = None;
        }
        // A list that moved while it was read may lack somebody: it adds, and takes nobody away.
        let users = if complete {
            users
        } else {
            self.users.union(&users).cloned().collect()
        };
        let complete = complete || self.complete;
        let news = cleared || self.users != users || self.complete != complete;
        (self.users, self.complete) = (users, complete);
        news
    }
}
