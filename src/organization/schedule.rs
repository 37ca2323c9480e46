//! When an organization is read next, and how.

use std::collections::{BTreeSet, HashSet};

use tokio::time::Instant;

use crate::{
    plan::{ResourceKey, observed::Key},
    pluvo::model::Id,
};

use super::sweep::Sweep;

/// When an organization is read next, and how.
#[derive(Debug)]
pub struct Schedule {
    /// The sweep that is under way.
    pub sweep: Option<Sweep>,
    /// When the next one is due.
    pub due: Instant,
    /// Sweeps that followed at once on one that was not complete.
    pub retries: u32,
    /// How many pages the lists had when they were last read.
    pub pages: usize,
    /// Known objects that a direct read denied: the lists must say whether they are gone.
    pub denied: HashSet<Key>,
    /// Whether direct reads deny objects that lists hold: then they are no way to read everything.
    pub direct_reads_deny: bool,
    /// Trainings whose participants are to be read before the next sweep.
    pub trainings: BTreeSet<Id>,
    /// Groups whose members are to be read before the next sweep of lists.
    pub groups: BTreeSet<Id>,
    /// When to look again at trainings whose acknowledged memberships are not visible yet, and how often that was done.
    pub trainings_at: Option<(Instant, u32)>,
    /// Resources that asked for a sweep: its end wakes them.
    pub waiters: BTreeSet<ResourceKey>,
    /// A sweep was asked for while one was under way.
    pub requested: bool,
    /// A sweep has begun, and the credentials were not read since.
    pub reread_credentials: bool,
}

impl Schedule {
    /// The first sweep is due at `first_sweep`.
    #[must_use]
    pub fn new(first_sweep: Instant) -> Self {
        Self {
            sweep: None,
            due: first_sweep,
            retries: 0,
            pages: 0,
            denied: HashSet::new(),
            direct_reads_deny: false,
            trainings: BTreeSet::new(),
            groups: BTreeSet::new(),
            trainings_at: None,
            waiters: BTreeSet::new(),
            requested: false,
            reread_credentials: false,
        }
    }

    /// A sweep is due at this time at the latest.
    pub fn sweep_by(&mut self, at: Instant) {
        self.due = self.due.min(at);
    }

    /// Makes a sweep due now; its end wakes `resource`. Returns whether one is under way that began too early.
    pub fn request(&mut self, resource: Option<&ResourceKey>, now: Instant) -> bool {
        self.sweep_by(now);
        self.waiters.extend(resource.cloned());
        let under_way = self.sweep.as_ref().is_some_and(|sweep| sweep.strategy.is_some());
        self.requested |= under_way;
        under_way
    }
}
