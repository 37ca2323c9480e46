//! Calls that wait to be sent: per resource an ordered list of which only the head may leave.

use std::{
    collections::{BTreeSet, HashMap, HashSet, VecDeque},
    time::Duration,
};

use tokio::time::Instant;

use crate::plan::{Action, Call, ResourceKey};

use super::batch::{Batch, Builder, Lock, lock_of};

/// Calls that wait to be sent, and which of them are under way.
#[derive(Debug)]
pub struct Queue {
    lists: HashMap<ResourceKey, List>,
    ready: BTreeSet<(Instant, ResourceKey)>,
    busy: HashSet<Lock>,
    /// How long the first of a document waits for others.
    linger: Duration,
    /// Operations in one document, at most.
    pub limit: usize,
}

#[derive(Debug, Default)]
struct List {
    waiting: VecDeque<Call>,
    /// Since when the head could have left; `None` while a call is under way.
    since: Option<Instant>,
    in_flight: Vec<Call>,
    /// How often a document with a call of this list failed without anybody being named: such documents halve.
    suspicion: u32,
    /// Whether a membership call of many users was refused: then each user is asked for alone, so that the one whom
    /// Pluvo refuses is named.
    singly: bool,
}

impl List {
    fn is_idle(&self) -> bool {
        self.waiting.is_empty() && self.in_flight.is_empty()
    }
}

impl Queue {
    /// An empty queue.
    #[must_use]
    pub fn new(linger: Duration, limit: usize) -> Self {
        Self {
            lists: HashMap::new(),
            ready: BTreeSet::new(),
            busy: HashSet::new(),
            linger,
            limit,
        }
    }

    /// Replaces everything of a resource that was not sent. What is under way already is not queued again.
    pub fn submit(&mut self, resource: &ResourceKey, calls: Vec<Call>, now: Instant) {
        let list = self.lists.entry(resource.clone()).or_default();
        let in_flight = &list.in_flight;
        list.waiting = calls.into_iter().filter_map(|call| without(call, in_flight)).collect();
        let is_idle = list.is_idle();
        self.settle(resource, now);
        if is_idle {
            self.lists.remove(resource);
        }
    }

    /// Whether nothing waits and nothing is under way.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.lists.values().all(List::is_idle)
    }

    /// The resources with calls that wait or are under way.
    pub fn resources(&self) -> impl Iterator<Item = &ResourceKey> {
        self.lists
            .iter()
            .filter(|(_, list)| !list.is_idle())
            .map(|(resource, _)| resource)
    }

    /// A membership call of many users was refused: its resources ask for each user alone from now on.
    pub fn ask_singly(&mut self, resources: impl Iterator<Item = ResourceKey>) {
        for resource in resources {
            self.lists.entry(resource).or_default().singly = true;
        }
    }

    /// Refs to whom a call of this resource that has not left would send mail.
    #[must_use]
    pub fn unsent_mails(&self, resource: &ResourceKey) -> HashSet<String> {
        self.lists
            .get(resource)
            .into_iter()
            .flat_map(|list| &list.waiting)
            .flat_map(|call| call.mails.iter().cloned())
            .collect()
    }

    /// Whether a full document could leave.
    #[must_use]
    pub fn is_full(&self) -> bool {
        self.ready.len() >= self.limit
    }

    /// When the next document is to leave: at once when one is full, else when the first has waited long enough.
    #[must_use]
    pub fn due(&self, now: Instant) -> Option<Instant> {
        let (oldest, _) = self.ready.first()?;
        Some(if self.is_full() { now } else { *oldest + self.linger })
    }

    /// Composes the next document from the heads of all lists, the longest waiting first.
    pub fn compose(&mut self) -> Option<Batch> {
        let mut builder: Option<Builder> = None;
        for (_, resource) in &self.ready {
            let Some(list) = self.lists.get(resource) else { continue };
            let Some(head) = list.waiting.front() else { continue };
            if self.busy.contains(&lock_of(head)) {
                continue;
            }
            let builder =
                builder.get_or_insert_with(|| Builder::new(self.limit >> list.suspicion.min(6), list.suspicion));
            if builder.takes(head, list.suspicion) {
                builder.add(resource.clone(), head.clone(), list.singly);
            }
            if builder.is_full() {
                break;
            }
        }
        let batch = builder?.build();
        for (resource, call) in batch.calls() {
            self.depart(resource, call);
        }
        self.busy.extend(batch.locks());
        Some(batch)
    }

    /// A document has come back, whatever became of it. `suspicious`: it failed without anybody being named.
    pub fn finish(&mut self, batch: &Batch, suspicious: bool, now: Instant) {
        for lock in batch.locks() {
            self.busy.remove(&lock);
        }
        for resource in batch.resources() {
            if let Some(list) = self.lists.get_mut(&resource) {
                list.in_flight.clear();
                list.suspicion = if suspicious { list.suspicion + 1 } else { 0 };
            }
            self.settle(&resource, now);
        }
    }

    /// A resource is gone: nothing of it leaves any more.
    pub fn forget(&mut self, resource: &ResourceKey) {
        self.submit(resource, Vec::new(), Instant::now());
    }

    fn depart(&mut self, resource: &ResourceKey, call: &Call) {
        let Some(list) = self.lists.get_mut(resource) else {
            return;
        };
        if let Some(head) = list.waiting.pop_front()
            && let Some(rest) = without(head, std::slice::from_ref(call))
        {
            list.waiting.push_front(rest);
        }
        list.in_flight.push(call.clone());
        if let Some(since) = list.since.take() {
            self.ready.remove(&(since, resource.clone()));
        }
    }

    /// Brings `ready` in line with a list that changed.
    fn settle(&mut self, resource: &ResourceKey, now: Instant) {
        let Some(list) = self.lists.get_mut(resource) else {
            return;
        };
        let may_leave = list.in_flight.is_empty() && !list.waiting.is_empty();
        match (list.since, may_leave) {
            (None, true) => {
                list.since = Some(now);
                self.ready.insert((now, resource.clone()));
            }
            (Some(since), false) => {
                list.since = None;
                self.ready.remove(&(since, resource.clone()));
            }
            (Some(_), true) | (None, false) => {}
        }
        if list.is_idle() && list.suspicion == 0 && !list.singly {
            self.lists.remove(resource);
        }
    }
}

/// A call without what other calls do already; `None` where nothing is left of it.
fn without(mut call: Call, others: &[Call]) -> Option<Call> {
    for other in others {
        match (&mut call.action, &other.action) {
            // The same values, by whichever key the object is named.
            (Action::Mutate(_), Action::Mutate(_)) if call.writes == other.writes => return None,
            (
                Action::Subjects {
                    place, change, users, ..
                },
                Action::Subjects {
                    place: their_place,
                    change: their_change,
                    users: theirs,
                    ..
                },
            ) if place == their_place && change == their_change => {
                let kept: Vec<bool> = users.iter().map(|user| !theirs.contains(user)).collect();
                let mut keep = kept.iter();
                users.retain(|_| *keep.next().unwrap_or(&true));
                let mut keep = kept.iter();
                call.writes.retain(|_| *keep.next().unwrap_or(&true));
                if call.mails.len() == kept.len() {
                    let mut keep = kept.iter();
                    call.mails.retain(|_| *keep.next().unwrap_or(&true));
                }
                if users.is_empty() {
                    return None;
                }
            }
            _ => {}
        }
    }
    Some(call)
}
