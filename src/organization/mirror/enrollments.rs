//! How users stand to offer events. Pluvo tells this of one user and one event at a time.

use std::collections::HashMap;

use tokio::time::Instant;

use crate::{
    plan::observed::Lookup,
    pluvo::model::{Id, Standing},
};

/// How users stand to offer events, as far as it was read.
#[derive(Debug, Default)]
pub(super) struct Enrollments {
    /// By event and user.
    known: HashMap<(Id, Id), Entry>,
}

/// What a merge changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum News {
    /// Nothing.
    None,
    /// It was not known, or not for certain.
    Known,
    /// It was something else.
    Altered,
}

#[derive(Debug)]
struct Entry {
    /// `None`: the user has nothing to do with the event.
    standing: Option<Standing>,
    /// When the read was sent that brought this, or the write was acknowledged.
    as_of: Instant,
    /// A write was lost on the way: it must be read again.
    uncertain: bool,
}

impl Enrollments {
    /// How a user stands to an event; absent where they have nothing to do with it.
    pub(super) fn standing(&self, event: &Id, user: &Id) -> Lookup<Standing> {
        match self.known.get(&(event.clone(), user.clone())) {
            Some(entry) if !entry.uncertain => entry.standing.clone().map_or(Lookup::Absent, Lookup::Found),
            Some(_) | None => Lookup::Unknown,
        }
    }

    /// Takes in what a read that was sent at `as_of`, or a write that was acknowledged then, has brought. Returns what
    /// that changed.
    pub(super) fn merge(&mut self, event: &Id, user: &Id, standing: Option<Standing>, as_of: Instant) -> News {
        let known = self.known.get(&(event.clone(), user.clone()));
        if known.is_some_and(|known| known.as_of > as_of) {
            return News::None;
        }
        let news = match known {
            Some(known) if known.standing != standing => News::Altered,
            Some(known) if !known.uncertain => News::None,
            Some(_) | None => News::Known,
        };
        let entry = Entry {
            standing,
            as_of,
            uncertain: false,
        };
        self.known.insert((event.clone(), user.clone()), entry);
        news
    }

    /// A write was lost on the way.
    pub(super) fn doubt(&mut self, event: &Id, user: &Id, now: Instant) {
        if let Some(entry) = self.known.get_mut(&(event.clone(), user.clone())) {
            (entry.as_of, entry.uncertain) = (now, true);
        }
    }
}
