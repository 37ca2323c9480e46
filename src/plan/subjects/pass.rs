//! One pass over everybody who is declared: who is there, who goes in, and what is said about whom.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use crate::{
    api::{
        Mode,
        status::{DriftKind, Enrollments, Subjects},
    },
    pluvo::{
        model::{Standing, User},
        request::Keys,
    },
};

use super::{
    super::{
        Cause, Difference, Observed, Subject, Write,
        claims::Claim,
        near,
        observed::{Key, Lookup, Outcome, Place, Presence},
    },
    Target, difference, path,
    report::SHOWN,
    union::Union,
};

/// A declared person: the account, if there is one, and whether it is in the place.
pub(super) struct Person {
    user: Option<Arc<User>>,
    presence: Presence,
}

/// What a pass has found so far.
#[derive(Default)]
pub(super) struct Outcomes {
    pub(super) counts: Subjects,
    pub(super) inventory: BTreeSet<String>,
    pub(super) found: BTreeSet<String>,
    pub(super) pending: BTreeSet<String>,
    /// To whom mails are recorded, or are about to be.
    pub(super) mailed: BTreeSet<String>,
    pub(super) drift: Vec<Difference>,
    pub(super) changes: Vec<Difference>,
    pub(super) waiting: Vec<Difference>,
    pub(super) calls: BTreeMap<(Step, Cause, bool), Addressees>,
    pub(super) refused: Vec<String>,
    pub(super) refusal: Option<Arc<str>>,
    /// Sentences about who or what does not exist.
    pub(super) missing: Vec<String>,
    /// How many of these nobody is about to make.
    pub(super) unmade: usize,
    /// Users who are about to be made.
    pub(super) awaited: usize,
    /// Moves that Pluvo acknowledged and does not show yet.
    pub(super) moving: i64,
    /// Those whom Pluvo does not let go, because they are there through something else.
    pub(super) linked: Vec<String>,
    /// Those whom the place does not take, because it is full.
    pub(super) crowded: Vec<String>,
    /// How many more the place takes.
    pub(super) room: Option<usize>,
    /// How many have declined.
    pub(super) declined: usize,
    /// How users stand to an offer event.
    pub(super) standings: Option<Enrollments>,
    /// Whether Pluvo does not say who is there.
    pub(super) unobservable: bool,
    pub(super) waits_for_sibling: i64,
    /// Removals that wait until all claims are known.
    pub(super) blocked: usize,
    /// Whether it is not known who else is there.
    pub(super) unlisted: bool,
    pub(super) exclusive_in_sync: bool,
}

/// Whom one call is about.
#[derive(Default)]
pub(super) struct Addressees {
    pub(super) users: Vec<Keys>,
    pub(super) refs: Vec<String>,
    pub(super) writes: Vec<Write>,
}

/// Additions are sent before removals.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Step {
    Add,
    Remove,
}

pub(super) struct Pass<'a, O> {
    pub(super) target: &'a Target<'a>,
    pub(super) union: &'a Union<'a>,
    pub(super) mine: &'a Claim,
    pub(super) subject: &'a Subject<'a>,
    pub(super) observed: &'a O,
    pub(super) out: Outcomes,
}

impl<'a, O: Observed> Pass<'a, O> {
    /// Nothing is found yet.
    pub(super) fn new(target: &'a Target<'a>, union: &'a Union<'a>, subject: &'a Subject<'a>, observed: &'a O) -> Self {
        let mailed = subject.status.map(|status| status.mailed.iter().cloned().collect());
        Self {
            target,
            union,
            mine: union.mine(),
            subject,
            observed,
            out: Outcomes {
                mailed: mailed.unwrap_or_default(),
                room: target.room.map(|room| room.spots),
                ..Outcomes::default()
            },
        }
    }

    /// Everybody who is declared and not excluded, with where they are; `None` where that is not known of somebody.
    pub(super) fn look_up(&mut self, declared: &BTreeSet<String>) -> Option<BTreeMap<String, Person>> {
        let mut people = BTreeMap::new();
        let mut unknown = false;
        for reference in declared {
            let user = self.observed.user_by_ref(reference);
            let archived = matches!(&user, Lookup::Found(user) if user.archived);
            if archived || (self.target.is_excluded)(reference) {
                self.out.counts.excluded += 1;
                self.keep_lists(reference);
                continue;
            }
            let presence = match &user {
                Lookup::Found(user) => self.observed.presence(&self.target.place, &user.id),
                Lookup::Absent => Presence::Absent,
                Lookup::Unknown => Presence::Unknown,
            };
            unknown |= presence == Presence::Unknown;
            self.count_standing(user.as_found());
            let user = user.found();
            people.insert(reference.clone(), Person { user, presence });
        }
        self.out.counts.declared = i64::try_from(people.len()).unwrap_or(i64::MAX);
        (!unknown).then_some(people)
    }

    fn keep_lists(&mut self, reference: &str) {
        if self.mine.inventory.contains(reference) {
            self.out.inventory.insert(reference.to_owned());
        }
        if self.mine.found.contains(reference) {
            self.out.found.insert(reference.to_owned());
        }
    }

    /// Brings in whoever is declared and not there.
    pub(super) fn additions(&mut self, people: &BTreeMap<String, Person>) {
        for missing in &self.target.missing {
            self.out.missing.push(missing.message.clone());
            self.out.unmade += usize::from(!missing.is_declared);
            self.out.waiting.push(Difference::missing(&*missing.path, None));
        }
        for (reference, person) in people {
            self.keep_lists(reference);
            self.take_over(reference);
            match (&person.user, person.presence) {
                (None, _) => self.does_not_exist(reference),
                (Some(_), Presence::Present) => self.is_there(reference),
                (Some(_), Presence::Arriving) => {
                    self.out.counts.waiting += 1;
                    self.out.moving += 1;
                    self.out.pending.extend(self.mine.pending.get(reference).cloned());
                }
                (Some(_), Presence::Declined) if !self.target.declared.insists => self.out.declined += 1,
                (Some(user), Presence::Unobservable) => self.is_unobservable(reference, user),
                // Whoever is declared again while leaving is brought in again.
                (Some(user), presence) => self.is_missing(reference, user, presence == Presence::Leaving),
            }
        }
    }

    fn is_there(&mut self, reference: &str) {
        self.out.counts.applied += 1;
        if !self.out.inventory.contains(reference) {
            self.out.found.insert(reference.to_owned());
        }
    }

    /// How somebody stands to an event is counted, whoever brought it about.
    fn count_standing(&mut self, user: Option<&Arc<User>>) {
        let Place::OfferEvent(event) = &self.target.place else {
            return;
        };
        let counts = self.out.standings.get_or_insert_default();
        let standing = user.map(|user| self.observed.standing(&event.id, &user.id));
        match standing.and_then(Lookup::found) {
            Some(Standing::Enrolled | Standing::Other(_)) => counts.enrolled += 1,
            Some(Standing::Waitlisted) => counts.waitlisted += 1,
            Some(Standing::Cancelled) => counts.cancelled += 1,
            Some(Standing::Declined) => counts.declined += 1,
            None => {}
        }
    }

    /// Where Pluvo does not say who is there, everybody is brought in once: whom the inventory holds is taken to be there.
    fn is_unobservable(&mut self, reference: &str, user: &User) {
        self.out.unobservable = true;
        let write = Write::of(self.subject.uid, &path(reference), "in");
        let acknowledged = self.observed.outcome(&write.fingerprint) == Some(Outcome::Acknowledged);
        let brought_in = self.out.inventory.contains(reference) && !self.mine.pending.contains(reference);
        if acknowledged || brought_in || self.out.found.contains(reference) {
            self.out.counts.applied += 1;
        } else if self.subject.mode != Mode::Observe {
            self.is_missing(reference, user, false);
        }
    }

    /// A subject that a sibling added and no longer declares becomes ours, so that somebody answers for the removal.
    fn take_over(&mut self, reference: &str) {
        if self.union.is_abandoned(reference) {
            self.out.found.remove(reference);
            self.out.inventory.insert(reference.to_owned());
        }
    }

    fn does_not_exist(&mut self, reference: &str) {
        self.out.counts.waiting += 1;
        let declared = (self.target.is_declared_user)(reference);
        self.out.awaited += usize::from(declared);
        self.out.unmade += usize::from(!declared);
        // Looking for what resembles a name reads every user: only for those who are named in the message.
        let named = !declared && self.out.missing.len() < SHOWN;
        let similar = if named {
            self.observed.near_matches(&Key::UserRef(reference.into()))
        } else {
            Vec::new()
        };
        self.out.missing.push(near("user", reference, &similar));
        self.out.waiting.push(difference(reference, DriftKind::Missing));
    }

    fn is_missing(&mut self, reference: &str, user: &User, leaving: bool) {
        let known = self.mine.inventory.contains(reference) || self.mine.found.contains(reference);
        let was_there = known && !leaving && !self.mine.pending.contains(reference);
        let drifted = was_there || self.subject.mode == Mode::Observe;
        let cause = if drifted { Cause::Drift } else { Cause::Change };
        let write = Write::of(self.subject.uid, &path(reference), "in");
        if drifted {
            self.out.drift.push(difference(reference, DriftKind::Missing));
        } else {
            self.out.changes.push(difference(reference, DriftKind::Missing));
        }
        if let Some(Outcome::Refused(message)) = self.observed.outcome(&write.fingerprint) {
            self.out.counts.refused += 1;
            if !drifted {
                self.out.inventory.remove(reference);
            }
            self.out.refused.push(reference.to_owned());
            self.out.refusal = Some(message);
            return;
        }
        self.out.counts.waiting += 1;
        let ours = self.union.adder(reference).is_none_or(|key| *key == self.mine.key);
        if !ours {
            self.out.waits_for_sibling += 1;
        } else if self.subject.writes(cause) {
            self.add(reference, user, write, cause);
        }
    }

    fn add(&mut self, reference: &str, user: &User, write: Write, cause: Cause) {
        if self.out.room == Some(0) {
            self.out.crowded.push(reference.to_owned());
            self.out
                .waiting
                .extend((cause == Cause::Change).then(|| difference(reference, DriftKind::Missing)));
            return;
        }
        self.out.room = self.out.room.map(|room| room - 1);
        if !self.out.found.contains(reference) {
            self.out.inventory.insert(reference.to_owned());
            if cause == Cause::Change {
                self.out.pending.insert(reference.to_owned());
            }
        }
        let asked = self.out.mailed.contains(reference) && !self.observed.mail_is_unsent(reference);
        let mail = self.target.declared.mail && cause == Cause::Change && !asked;
        if mail {
            self.out.mailed.insert(reference.to_owned());
        }
        self.call(Step::Add, cause, mail, reference, user, write);
    }

    pub(super) fn call(&mut self, step: Step, cause: Cause, mail: bool, reference: &str, user: &User, write: Write) {
        let addressees = self.out.calls.entry((step, cause, mail)).or_default();
        addressees.users.push(Keys {
            id: user.id.clone(),
            reference: reference.into(),
        });
        addressees.refs.push(reference.to_owned());
        addressees.writes.push(write);
    }
}
