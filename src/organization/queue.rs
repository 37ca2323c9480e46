//! Calls that wait to be sent: per resource an ordered list of which only the head may leave.

use std::{
    collections::{BTreeSet, HashMap, HashSet, VecDeque},
    sync::Arc,
    time::Duration,
};

use jiff::Timestamp;
use tokio::time::Instant;

use crate::{
    clock::SaturatingAdd,
    plan::{Action, Call, ResourceKey},
};

use super::{
    batch::{self, Batch, Builder, Lock, lock_of},
    guard::{Guard, Judgement},
};

/// Calls that wait to be sent, and which of them are under way.
#[derive(Debug)]
pub struct Queue {
    lists: HashMap<ResourceKey, List>,
    ready: BTreeSet<(Instant, ResourceKey)>,
    busy: HashSet<Lock>,
    /// Holds what would destroy too much, or tell too many.
    pub guard: Guard,
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
    /// Refs of those to whom a mail is recorded and was certainly not asked for. No mail leaves that is not recorded.
    recorded_mails: HashSet<String>,
    /// How often a document with a call of this list failed without anybody being named: such documents halve.
    suspicion: u32,
    /// Whether a membership call of many users was refused: then each user is asked for alone, so that the one whom
    /// Pluvo refuses is named, until all that was wanted is done.
    singly: bool,
    /// Fingerprints of writes that Pluvo has refused: they travel alone, and fail nobody else.
    refused: HashSet<Arc<str>>,
}

impl List {
    fn is_idle(&self) -> bool {
        self.waiting.is_empty() && self.in_flight.is_empty()
    }

    /// Whether nothing is to be remembered.
    fn is_blank(&self) -> bool {
        self.is_idle()
            && self.recorded_mails.is_empty()
            && self.suspicion == 0
            && !self.singly
            && self.refused.is_empty()
    }

    /// What of a call that the guard lets through may leave: mails only as far as they are recorded.
    fn admit(&self, call: Call) -> Option<Call> {
        match &call.action {
            _ if call.mails.is_empty() => Some(call),
            Action::Mutate(_) => call
                .mails
                .iter()
                .all(|mail| self.recorded_mails.contains(mail))
                .then_some(call),
            Action::Subjects { users, .. } => {
                let told = users.iter().zip(&call.mails);
                let recorded = told.filter(|(_, mail)| self.recorded_mails.contains(*mail));
                let recorded: HashSet<_> = recorded.map(|(user, _)| user.id.clone()).collect();
                batch::part(&call, &|user| recorded.contains(user))
            }
        }
    }

    fn was_refused(&self, call: &Call) -> bool {
        call.writes
            .iter()
            .any(|write| self.refused.contains(&write.fingerprint))
    }
}

impl Queue {
    /// An empty queue.
    #[must_use]
    pub fn new(linger: Duration, limit: usize, guard: Guard) -> Self {
        Self {
            lists: HashMap::new(),
            ready: BTreeSet::new(),
            busy: HashSet::new(),
            guard,
            linger,
            limit,
        }
    }

    /// Replaces everything of a resource that was not sent. What is under way already is not queued again.
    pub fn submit(&mut self, resource: &ResourceKey, calls: Vec<Call>, now: Instant) {
        let list = self.lists.entry(resource.clone()).or_default();
        let in_flight = &list.in_flight;
        list.waiting = calls.into_iter().filter_map(|call| without(call, in_flight)).collect();
        self.guard.replace(resource, list.waiting.iter(), in_flight.iter(), now);
        self.settle(resource, now);
    }

    /// Whether nothing waits and nothing is under way.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.lists.values().all(List::is_idle)
    }

    /// Whether nothing is under way, and nothing can leave before somebody approves it.
    #[must_use]
    pub fn is_at_rest(&self) -> bool {
        let rests = |(resource, list): (&ResourceKey, &List)| {
            list.in_flight.is_empty() && list.waiting.front().is_none_or(|head| self.guard.holds(resource, head))
        };
        self.lists.iter().all(rests)
    }

    /// Whether something is under way or about to leave: not what waits for the guard.
    #[must_use]
    pub fn is_stirring(&self) -> bool {
        !self.ready.is_empty() || !self.busy.is_empty()
    }

    /// Judges what has settled. Returns what that changed.
    pub fn judge(&mut self, now: Instant, wall: Timestamp) -> Judgement {
        self.guard.judge(now, wall)
    }

    /// The guard's record was written in this revision: what it let through may leave. Returns whose mails wait to be
    /// recorded now.
    pub fn guard_recorded(&mut self, revision: u64, now: Instant) -> BTreeSet<ResourceKey> {
        let resources = self.guard.recorded(revision);
        for resource in &resources {
            self.settle(resource, now);
        }
        let waits = |resource: &&ResourceKey| {
            let list = self.lists.get(*resource);
            let mut mailing = list.into_iter().flat_map(|list| &list.waiting);
            mailing.any(|call| !call.mails.is_empty())
        };
        resources.iter().filter(waits).cloned().collect()
    }

    /// The status of a resource records mails to these refs: they may leave, once.
    pub fn record_mails(&mut self, resource: &ResourceKey, mails: Vec<String>) {
        if mails.is_empty() {
            return;
        }
        let list = self.lists.entry(resource.clone()).or_default();
        list.recorded_mails.extend(mails);
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

    /// Pluvo has refused a write of a resource: if it is asked for again, it travels alone.
    pub fn note_refused(&mut self, resource: &ResourceKey, fingerprint: Arc<str>) {
        self.lists
            .entry(resource.clone())
            .or_default()
            .refused
            .insert(fingerprint);
    }

    /// Whether a mail of a resource to this ref is recorded and was certainly not asked for.
    #[must_use]
    pub fn mail_is_unsent(&self, resource: &ResourceKey, reference: &str) -> bool {
        let list = self.lists.get(resource);
        list.is_some_and(|list| list.recorded_mails.contains(reference))
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
        Some(if self.is_full() {
            now
        } else {
            oldest.saturating_add(self.linger)
        })
    }

    /// Composes the next document from the heads of all lists, the longest waiting first. Of resources that are
    /// `awaited`, because a pass will look at them anew, nothing leaves that the guard judges.
    pub fn compose(&mut self, awaited: &dyn Fn(&ResourceKey) -> bool) -> Option<Batch> {
        let mut builder: Option<Builder> = None;
        for (_, resource) in &self.ready {
            let Some(list) = self.lists.get(resource) else { continue };
            let Some(head) = list.waiting.front() else { continue };
            if self.busy.contains(&lock_of(head)) || (self.guard.is_guarded(head) && awaited(resource)) {
                continue;
            }
            let Some(head) = self.guard.admit(resource, head).and_then(|head| list.admit(head)) else {
                continue;
            };
            let builder =
                builder.get_or_insert_with(|| Builder::new(self.limit >> list.suspicion.min(6), list.suspicion));
            let alone = list.was_refused(&head);
            if builder.takes(&head, list.suspicion, alone) {
                builder.add(resource.clone(), head, list.singly, alone);
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

    /// A document has come back, whatever became of it. `suspicious`: it failed without anybody being named. `failed`:
    /// resources whose call was not acknowledged; what was to follow it is taken back, and they decide anew.
    pub fn finish(&mut self, batch: &Batch, suspicious: bool, failed: &BTreeSet<ResourceKey>, now: Instant) {
        for lock in batch.locks() {
            self.busy.remove(&lock);
        }
        for resource in batch.resources() {
            if let Some(list) = self.lists.get_mut(&resource) {
                list.in_flight.clear();
                if failed.contains(&resource) {
                    list.waiting.clear();
                } else if list.waiting.is_empty() {
                    list.singly = false;
                }
                list.suspicion = if suspicious { list.suspicion + 1 } else { 0 };
                // What failed was counted, and is not counted again if it is asked for once more.
                if !failed.contains(&resource) {
                    self.guard
                        .replace(&resource, list.waiting.iter(), std::iter::empty(), now);
                }
            }
            self.settle(&resource, now);
        }
    }

    /// A resource is gone: nothing is remembered of it.
    pub fn forget(&mut self, resource: &ResourceKey, now: Instant) {
        if let Some(list) = self.lists.get_mut(resource) {
            list.refused.clear();
            list.recorded_mails.clear();
            (list.singly, list.suspicion) = (false, 0);
            self.settle(resource, now);
        }
    }

    fn depart(&mut self, resource: &ResourceKey, call: &Call) {
        let Some(list) = self.lists.get_mut(resource) else {
            return;
        };
        self.guard.depart(resource, call);
        if let Some(head) = list.waiting.pop_front()
            && let Some(rest) = without(head, std::slice::from_ref(call))
        {
            list.waiting.push_front(rest);
        }
        list.recorded_mails.retain(|mail| !call.mails.contains(mail));
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
        let head = list.waiting.front().filter(|_| list.in_flight.is_empty());
        let admitted = head.and_then(|head| self.guard.admit(resource, head));
        let may_leave = admitted.and_then(|head| list.admit(head)).is_some();
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
        if list.is_blank() {
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
