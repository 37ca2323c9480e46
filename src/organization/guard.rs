//! The guard: how much may be destroyed within a window of time, and how many people may be told by mail. A Git
//! accident must not archive a company.
//!
//! Guarantees: what left within any window is never more than the limit, approved sets apart; what was let through and
//! never left does not count; nothing is let through before it has settled, before everything has been read once, and
//! before it is recorded where a restart finds it; a set that goes over the limit is held as a whole. Assumes that
//! whoever starts it hands over what was recorded, and that nothing leaves without [`Guard::depart`].

mod item;
mod record;

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::Write as _,
    sync::Arc,
    time::Duration,
};

use jiff::{SignedDuration, Timestamp};
use sha2::{Digest, Sha256};
use tokio::time::Instant;

use crate::{
    clock::SaturatingAdd,
    plan::{Action, Call, ResourceKey, Write},
};

use super::batch;

use item::{Item, ItemState, Kind, Tripped, describe, guarded};
use record::Part;

pub use record::{Amounts, GuardRecord, GuardReport, GuardSettings, Held, Passed};

/// Windows are remembered in parts, so many in each.
const PARTS: u32 = 60;
/// Whoever was let through has at least so long to leave: the record is written meanwhile, by an API server that may be
/// slow.
const TO_LEAVE: Duration = Duration::from_secs(15);
/// While a set is held and goes on growing or shrinking, it is told this often at most.
const TELL: Duration = Duration::from_secs(1);
/// Operations that are named as examples.
const EXAMPLES: usize = 10;

/// The guard of one organization.
#[derive(Debug)]
pub struct Guard {
    settings: GuardSettings,
    record: GuardRecord,
    items: BTreeMap<ResourceKey, BTreeMap<Arc<str>, Item>>,
    active_users: usize,
    /// When judging begins: everything was read, and what came of that has settled.
    judges_from: Option<Instant>,
    /// Whether this process has judged. Until then, what an earlier one held stands where it was told.
    has_judged: bool,
    /// Whether destructive operations, and whether mails, are held.
    tripped: Tripped,
    revision: u64,
    recorded: u64,
    /// When there is something to judge.
    due: Option<Instant>,
    told_at: Option<Instant>,
}

/// What a judgement has changed.
#[derive(Debug, Default)]
pub struct Judgement {
    /// Resources whose operations are held, and that have not heard of it.
    pub held: BTreeSet<ResourceKey>,
    /// Whether there is something to record or to tell.
    pub news: bool,
}

impl Guard {
    /// A guard that goes on where the record ends.
    #[must_use]
    pub fn new(settings: GuardSettings, record: GuardRecord) -> Self {
        Self {
            settings,
            record,
            items: BTreeMap::new(),
            active_users: 0,
            judges_from: None,
            has_judged: false,
            tripped: Tripped::default(),
            revision: 0,
            recorded: 0,
            due: None,
            told_at: None,
        }
    }

    /// Takes over changed settings.
    pub fn reconfigure(&mut self, settings: GuardSettings, now: Instant) {
        if self.settings != settings {
            self.settings = settings;
            self.judge_by(now);
        }
    }

    /// Everything was read: so many users are active.
    pub fn everything_was_read(&mut self, active_users: usize, now: Instant) {
        self.active_users = active_users;
        let from = *self.judges_from.get_or_insert(now.saturating_add(self.settings.settle));
        self.judge_by(from.max(now));
    }

    /// Replaces what is known to wait for one resource. What is under way stays as it is.
    pub fn replace<'a>(
        &mut self,
        resource: &ResourceKey,
        waiting: impl Iterator<Item = &'a Call>,
        in_flight: impl Iterator<Item = &'a Call>,
        now: Instant,
    ) {
        let mut known = self.items.remove(resource).unwrap_or_default();
        let mut items = BTreeMap::new();
        for (print, kind, path) in waiting.flat_map(guarded) {
            let mut item = known.remove(&print).unwrap_or(Item {
                kind,
                path,
                since: now,
                state: ItemState::Waiting,
                told: false,
            });
            item.state.ask();
            if let Some(due) = item.due(self.settings.settle) {
                self.judge_by(due.max(now));
            }
            items.insert(print, item);
        }
        for (print, ..) in in_flight.flat_map(guarded) {
            if let Some(item) = known.remove(&print) {
                items.insert(print, item);
            }
        }
        for item in known.values() {
            self.record.give_back(item);
        }
        if !known.is_empty() && self.tripped.any() {
            self.judge_by(self.next_telling(now));
        }
        if !items.is_empty() {
            self.items.insert(resource.clone(), items);
        }
    }

    /// When to judge again.
    #[must_use]
    pub fn due(&self) -> Option<Instant> {
        self.due
    }

    fn judge_by(&mut self, at: Instant) {
        self.due = Some(self.due.map_or(at, |due| due.min(at)));
    }

    fn next_telling(&self, now: Instant) -> Instant {
        self.told_at.map_or(now, |at| at.saturating_add(TELL).max(now))
    }

    /// Judges what has settled: it is let through, or the whole of what waits is held. `wall` is the time of day.
    pub fn judge(&mut self, now: Instant, wall: Timestamp) -> Judgement {
        let mut judgement = Judgement::default();
        if self.due.is_none_or(|due| due > now) {
            return judgement;
        }
        self.due = None;
        match self.judges_from {
            Some(from) if from <= now => {}
            from => {
                self.due = from;
                return judgement;
            }
        }
        self.forget_passed(wall);
        self.take_back(now);
        let (limit, spent, waiting) = (self.limit(), self.record.sum(), self.waiting());
        let before = self.tripped;
        let settled = |kind: fn(Kind) -> bool| {
            self.waiting_items()
                .any(|(_, item)| kind(item.kind) && item.since.saturating_add(self.settings.settle) <= now)
        };
        let trips = |over: bool, was: bool, kind| over && (was || settled(kind));
        self.tripped = Tripped {
            destructive: trips(
                spent.destructive.saturating_add(waiting.destructive) > limit.destructive,
                before.destructive,
                Kind::is_destructive,
            ),
            mails: trips(
                spent.mails.saturating_add(waiting.mails) > limit.mails,
                before.mails,
                Kind::is_mail,
            ),
        };
        // The first judgement is news in any case: it replaces what an earlier process held.
        judgement.news = self.tripped != before || !std::mem::replace(&mut self.has_judged, true);
        self.grant(now, wall, &mut judgement);
        self.tell(now, &mut judgement);
        self.plan_next(now, wall);
        judgement
    }

    /// What was let through and has not left is judged anew.
    fn take_back(&mut self, now: Instant) {
        for item in self.items.values_mut().flat_map(BTreeMap::values_mut) {
            if matches!(item.state, ItemState::Granted { until: Some(until), .. } if until <= now) {
                self.record.give_back(item);
                item.state = ItemState::Waiting;
            }
        }
    }

    /// Lets through what has settled and is not held.
    fn grant(&mut self, now: Instant, wall: Timestamp, judgement: &mut Judgement) {
        let (tripped, settle, revision) = (self.tripped, self.settings.settle, self.revision + 1);
        let (part, until) = (Part::now(wall, self.part()), now.saturating_add(self.to_leave()));
        let mut granted = Amounts::default();
        for item in self.items.values_mut().flat_map(BTreeMap::values_mut) {
            if item.state != ItemState::Waiting || tripped.holds(item) || item.since.saturating_add(settle) > now {
                continue;
            }
            item.state = ItemState::Granted {
                revision,
                until: Some(until),
                counted: Some(part),
            };
            granted.add(item.kind);
        }
        if granted != Amounts::default() {
            self.revision = revision;
            self.record.note(granted, wall, part);
            judgement.news = true;
        }
    }

    /// Notes who has to hear that something is held.
    fn tell(&mut self, now: Instant, judgement: &mut Judgement) {
        if !self.tripped.any() || self.next_telling(now) > now {
            return;
        }
        let tripped = self.tripped;
        for (resource, items) in &mut self.items {
            for item in items.values_mut() {
                if tripped.holds(item) && !item.told {
                    item.told = true;
                    judgement.held.insert(resource.clone());
                }
            }
        }
        judgement.news = true;
        self.told_at = Some(now);
    }

    fn plan_next(&mut self, now: Instant, wall: Timestamp) {
        let settle = self.settings.settle;
        let items = self.items.values().flat_map(BTreeMap::values);
        let next = items.filter_map(|item| item.due(settle)).filter(|due| *due > now).min();
        if let Some(at) = next {
            self.judge_by(at);
        }
        if !self.tripped.any() {
            return;
        }
        // What is held may go when the window has moved on.
        if let Some(oldest) = self.record.passed.first() {
            let age = Duration::try_from(wall.duration_since(oldest.at)).unwrap_or_default();
            let left = self.counts().saturating_sub(age);
            self.judge_by(now.saturating_add(left.saturating_add(Duration::from_millis(1))));
        }
        if self.waiting_items().any(|(_, item)| !item.told) {
            self.judge_by(self.next_telling(now).max(now.saturating_add(Duration::from_millis(1))));
        }
    }

    /// Whether a call of a resource is one that the guard judges.
    #[must_use]
    pub fn is_guarded(&self, call: &Call) -> bool {
        guarded(call).next().is_some()
    }

    /// What of a call may leave now; `None` where it has to wait.
    #[must_use]
    pub fn admit(&self, resource: &ResourceKey, call: &Call) -> Option<Call> {
        if !self.is_guarded(call) {
            return Some(call.clone());
        }
        let items = self.items.get(resource)?;
        let open = |print: &Arc<str>| {
            items.get(print).is_some_and(
                |item| matches!(item.state, ItemState::Granted { revision, .. } if revision <= self.recorded),
            )
        };
        match &call.action {
            Action::Mutate(_) => open(&Write::of_all(&call.writes)).then(|| call.clone()),
            Action::Subjects { users, .. } => {
                let open: BTreeSet<_> = users
                    .iter()
                    .zip(&call.writes)
                    .filter(|(_, write)| open(&write.fingerprint))
                    .map(|(user, _)| &user.id)
                    .collect();
                batch::part(call, &|user| open.contains(user))
            }
        }
    }

    /// A call leaves, or what of it may.
    pub fn depart(&mut self, resource: &ResourceKey, call: &Call) {
        let Some(items) = self.items.get_mut(resource) else {
            return;
        };
        for (print, ..) in guarded(call) {
            if let Some(item) = items.get_mut(&print) {
                item.state.depart();
            }
        }
    }

    /// Whether something of a call is held until somebody approves it.
    #[must_use]
    pub fn holds(&self, resource: &ResourceKey, call: &Call) -> bool {
        let Some(items) = self.items.get(resource) else {
            return false;
        };
        let mut known = guarded(call).filter_map(|(print, ..)| items.get(&print));
        known.any(|item| self.tripped.holds(item))
    }

    /// Releases the set that is held, if it is exactly the one with this digest. Returns whether it was.
    pub fn approve(&mut self, digest: &str, now: Instant) -> bool {
        if self.judges_from.is_none_or(|from| from > now) || self.digest().as_deref() != Some(digest) {
            return false;
        }
        self.revision += 1;
        let (tripped, revision) = (self.tripped, self.revision);
        for item in self.items.values_mut().flat_map(BTreeMap::values_mut) {
            if tripped.holds(item) {
                item.state = ItemState::Granted {
                    revision,
                    until: None,
                    counted: None,
                };
            }
        }
        self.record.approved = Some(digest.to_owned());
        self.tripped = Tripped::default();
        self.judge_by(now);
        true
    }

    /// Names the set that is held. What was approved before is part of it, so that one approval never releases an equal
    /// set later.
    fn digest(&self) -> Option<String> {
        let mut hash = Sha256::new();
        hash.update(self.record.approved.as_deref().unwrap_or_default());
        let mut any = false;
        for (resource, items) in &self.items {
            for (print, _) in items.iter().filter(|(_, item)| self.tripped.holds(item)) {
                any = true;
                hash.update(format!("\n{resource} {print}"));
            }
        }
        let hex = hash.finalize().iter().take(16).fold(String::new(), |mut hex, byte| {
            // Writing to a string does not fail.
            let _ = write!(hex, "{byte:02x}");
            hex
        });
        any.then_some(hex)
    }

    /// What is to be recorded and told.
    #[must_use]
    pub fn report(&self) -> GuardReport {
        GuardReport {
            record: self.record.clone(),
            revision: self.revision,
            judging: self.has_judged,
            limit: self.limit(),
            held: self.digest().map(|digest| self.held(digest)),
        }
    }

    fn held(&self, digest: String) -> Held {
        let mut amounts = Amounts::default();
        let mut examples = Vec::new();
        for (resource, item) in self.waiting_items().filter(|(_, item)| self.tripped.holds(item)) {
            amounts.add(item.kind);
            if examples.len() < EXAMPLES {
                examples.push(describe(resource, item));
            }
        }
        Held {
            amounts,
            digest,
            examples,
        }
    }

    /// What it would say if all of these calls were wanted at once, and nothing had been let through before.
    #[must_use]
    pub fn foresee<'a>(&self, calls: impl Iterator<Item = (&'a ResourceKey, &'a [Call])>) -> GuardReport {
        let now = Instant::now();
        let settings = GuardSettings {
            settle: Duration::ZERO,
            ..self.settings.clone()
        };
        let mut guard = Self::new(settings, GuardRecord::default());
        guard.everything_was_read(self.active_users, now);
        for (resource, calls) in calls {
            guard.replace(resource, calls.iter(), std::iter::empty(), now);
        }
        guard.judge(now, Timestamp::now());
        guard.report()
    }

    /// The resources with operations that leave as soon as `revision` is recorded.
    #[must_use]
    pub fn about_to_leave(&self) -> BTreeSet<ResourceKey> {
        let granted =
            |item: &Item| matches!(item.state, ItemState::Granted { revision, .. } if revision > self.recorded);
        let resources = self.items.iter().filter(|(_, items)| items.values().any(granted));
        resources.map(|(resource, _)| resource.clone()).collect()
    }

    /// The record was written in this revision. Returns whose operations may leave now.
    pub fn recorded(&mut self, revision: u64) -> BTreeSet<ResourceKey> {
        if revision <= self.recorded {
            return BTreeSet::new();
        }
        let (before, known) = (self.recorded, revision.min(self.revision));
        self.recorded = known;
        let opened = |item: &Item| matches!(item.state, ItemState::Granted { revision, .. } if revision > before && revision <= known);
        let resources = self.items.iter().filter(|(_, items)| items.values().any(opened));
        resources.map(|(resource, _)| resource.clone()).collect()
    }

    fn limit(&self) -> Amounts {
        Amounts {
            destructive: self
                .settings
                .count
                .max(self.active_users.saturating_mul(self.settings.percent) / 100),
            mails: self.settings.max_mails,
        }
    }

    fn waiting(&self) -> Amounts {
        let mut sum = Amounts::default();
        self.waiting_items().for_each(|(_, item)| sum.add(item.kind));
        sum
    }

    fn waiting_items(&self) -> impl Iterator<Item = (&ResourceKey, &Item)> {
        let items = self
            .items
            .iter()
            .flat_map(|(resource, items)| items.values().map(move |item| (resource, item)));
        items.filter(|(_, item)| item.state == ItemState::Waiting)
    }

    fn forget_passed(&mut self, wall: Timestamp) {
        let counts = SignedDuration::try_from(self.counts()).unwrap_or(SignedDuration::MAX);
        self.record
            .passed
            .retain(|passed| wall.duration_since(passed.at) < counts);
    }

    fn part(&self) -> Duration {
        self.settings.window.checked_div(PARTS).unwrap_or_default()
    }

    fn to_leave(&self) -> Duration {
        self.part().max(TO_LEAVE)
    }

    /// How long an operation counts from when it was let through: a window from when it left, at the latest.
    fn counts(&self) -> Duration {
        self.settings.window.saturating_add(self.to_leave())
    }
}

#[cfg(test)]
mod tests;
