//! Who goes in, who goes out, and what is said about whom.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use crate::{
    api::{
        Mode, Reason,
        common::Policy,
        status::{DriftKind, Subjects},
    },
    pluvo::model::{Id, User},
};

use super::{
    super::{
        Cause, Decision, Difference, Observed, Subject, Verdict, Write,
        claims::Claim,
        near, object,
        observed::{Key, Lookup, Outcome, Presence},
    },
    Person, Target, difference, expand, name, path,
    report::{EXCLUSIVE, SHOWN},
};

#[derive(Default)]
pub(super) struct Outcomes {
    pub(super) counts: Subjects,
    pub(super) inventory: BTreeSet<String>,
    pub(super) found: BTreeSet<String>,
    pub(super) pending: BTreeSet<String>,
    pub(super) mailed: BTreeSet<String>,
    pub(super) drift: Vec<Difference>,
    pub(super) changes: Vec<Difference>,
    pub(super) waiting: Vec<Difference>,
    pub(super) calls: BTreeMap<(Step, Cause, bool), Addressees>,
    pub(super) refused: Vec<String>,
    pub(super) refusal: Option<Arc<str>>,
    pub(super) missing: Vec<String>,
    pub(super) arriving: i64,
    pub(super) linked: Vec<String>,
    pub(super) awaited: usize,
    pub(super) waits_for_sibling: i64,
    pub(super) exclusive_in_sync: bool,
}

/// Whom one call is about.
#[derive(Default)]
pub(super) struct Addressees {
    pub(super) users: Vec<Id>,
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
    pub(super) mine: &'a Claim,
    pub(super) subject: &'a Subject<'a>,
    pub(super) observed: &'a O,
    pub(super) out: Outcomes,
}

impl<O: Observed> Pass<'_, O> {
    /// Everybody who is declared and not excluded, with where they are.
    pub(super) fn look_up(&mut self, declared: &BTreeSet<String>) -> BTreeMap<String, Person> {
        let mut people = BTreeMap::new();
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
            people.insert(reference.clone(), Person { user, presence });
        }
        self.out.counts.declared = i64::try_from(people.len()).unwrap_or(i64::MAX);
        people
    }

    fn keep_lists(&mut self, reference: &str) {
        if self.mine.inventory.contains(reference) {
            self.out.inventory.insert(reference.to_owned());
        }
        if self.mine.found.contains(reference) {
            self.out.found.insert(reference.to_owned());
        }
    }

    pub(super) fn additions(&mut self, people: &BTreeMap<String, Person>) {
        self.out.mailed = self
            .subject
            .status
            .map(|status| status.mailed.iter().cloned().collect())
            .unwrap_or_default();
        for (reference, person) in people {
            self.keep_lists(reference);
            self.take_over(reference);
            match (&person.user, person.presence) {
                (Lookup::Found(_), Presence::Present | Presence::Leaving) => self.is_there(reference),
                (Lookup::Found(_), Presence::Arriving) => {
                    self.out.counts.waiting += 1;
                    self.out.arriving += 1;
                    self.out.pending.extend(self.mine.pending.get(reference).cloned());
                }
                (Lookup::Found(user), _) => self.is_missing(reference, user),
                _ => self.does_not_exist(reference),
            }
        }
    }

    fn is_there(&mut self, reference: &str) {
        self.out.counts.applied += 1;
        if !self.out.inventory.contains(reference) {
            self.out.found.insert(reference.to_owned());
        }
    }

    /// A subject that a sibling added and no longer declares becomes ours, so that somebody answers for the removal.
    fn take_over(&mut self, reference: &str) {
        let abandoned = self.target.claims.iter().any(|claim| {
            claim.key != self.mine.key
                && claim.inventory.contains(reference)
                && (claim.deleting || !claim.declared.contains(reference))
        });
        if abandoned {
            self.out.found.remove(reference);
            self.out.inventory.insert(reference.to_owned());
        }
    }

    fn does_not_exist(&mut self, reference: &str) {
        self.out.counts.waiting += 1;
        let declared = (self.target.is_declared_user)(reference);
        self.out.awaited += usize::from(declared);
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

    fn is_missing(&mut self, reference: &str, user: &User) {
        let known = self.mine.inventory.contains(reference) || self.mine.found.contains(reference);
        let drifted = (known && !self.mine.pending.contains(reference)) || self.subject.mode == Mode::Observe;
        let cause = if drifted { Cause::Drift } else { Cause::Change };
        let write = Write::of(self.subject.uid, &path(reference), "in");
        if drifted {
            self.out.drift.push(difference(reference, DriftKind::Missing));
        } else {
            self.out.changes.push(difference(reference, DriftKind::Missing));
        }
        if let Some(Outcome::Refused(message)) = self.observed.outcome(&write.fingerprint) {
            self.out.counts.refused += 1;
            self.out.inventory.remove(reference);
            self.out.refused.push(reference.to_owned());
            self.out.refusal = Some(message);
            return;
        }
        self.out.counts.waiting += 1;
        let first = self
            .target
            .claims
            .iter()
            .find(|claim| claim.declared.contains(reference) && claim.may_add(reference));
        let ours = first.is_none_or(|claim| claim.key == self.mine.key);
        if !ours {
            self.out.waits_for_sibling += 1;
        } else if self.subject.writes(cause) {
            self.add(reference, user, write, cause);
        }
    }

    fn add(&mut self, reference: &str, user: &User, write: Write, cause: Cause) {
        if !self.out.found.contains(reference) {
            self.out.inventory.insert(reference.to_owned());
            if cause == Cause::Change {
                self.out.pending.insert(reference.to_owned());
            }
        }
        let asked = self.out.mailed.contains(reference) && !self.observed.mail_is_unsent(reference);
        let mail = self.target.mail && cause == Cause::Change && !asked;
        if mail {
            self.out.mailed.insert(reference.to_owned());
        }
        self.call(Step::Add, cause, mail, reference, user, write);
    }

    fn call(&mut self, step: Step, cause: Cause, mail: bool, reference: &str, user: &User, write: Write) {
        let addressees = self.out.calls.entry((step, cause, mail)).or_default();
        addressees.users.push(user.id.clone());
        addressees.refs.push(reference.to_owned());
        addressees.writes.push(write);
    }

    /// Takes out whom this resource added and nobody declares any more; if it is Exclusive, everybody whom nobody declares.
    pub(super) fn removals(&mut self, declared: &BTreeSet<String>) {
        let undeclared: Vec<_> = self
            .mine
            .inventory
            .iter()
            .filter(|reference| !declared.contains(*reference))
            .cloned()
            .collect();
        if self.mine.policy == Policy::Additive {
            return;
        }
        for reference in undeclared {
            self.undeclared(&reference, Cause::Change);
        }
        if self.mine.policy == Policy::Exclusive {
            self.unexpected();
        }
    }

    fn undeclared(&mut self, reference: &str, cause: Cause) {
        let others = self
            .target
            .claims
            .iter()
            .filter(|claim| claim.key != self.mine.key && !claim.deleting);
        let holders: Vec<_> = others.filter(|claim| self.claims_subject(claim, reference)).collect();
        if !holders.is_empty() {
            if !holders.iter().any(|claim| claim.inventory.contains(reference)) {
                self.out.inventory.insert(reference.to_owned());
            }
            return;
        }
        let Lookup::Found(user) = self.observed.user_by_ref(reference) else {
            return;
        };
        if matches!(
            self.observed.presence(&self.target.place, &user.id),
            Presence::Present | Presence::Arriving
        ) {
            self.out.inventory.insert(reference.to_owned());
            self.remove(reference, &user, cause);
        }
    }

    /// Whether a claim holds a subject, by name, labels or group; a group that is not known holds everybody.
    fn claims_subject(&self, claim: &Claim, reference: &str) -> bool {
        claim.declared.contains(reference)
            || (!claim.groups.is_empty() && expand(claim, self.observed).is_none_or(|all| all.contains(reference)))
    }

    fn unexpected(&mut self) {
        let Lookup::Found(everybody) = self.observed.everybody(&self.target.place) else {
            return;
        };
        let was_in_sync =
            self.subject.applied(EXCLUSIVE) == Some(&*Write::of(self.subject.uid, EXCLUSIVE, "Exclusive").fingerprint);
        let cause = if was_in_sync || self.subject.mode == Mode::Observe {
            Cause::Drift
        } else {
            Cause::Change
        };
        let live: Vec<_> = self.target.claims.iter().filter(|claim| !claim.deleting).collect();
        let strangers: Vec<_> = everybody
            .into_iter()
            .filter(|user| !user.archived)
            .filter(|user| {
                let name = name(user);
                !self.mine.inventory.contains(&name) && !live.iter().any(|claim| self.claims_subject(claim, &name))
            })
            .collect();
        self.out.exclusive_in_sync = strangers.is_empty() || was_in_sync;
        for user in strangers {
            let name = name(&user);
            self.remove(&name, &user, cause);
        }
    }

    fn remove(&mut self, reference: &str, user: &User, cause: Cause) {
        let write = Write::of(self.subject.uid, &path(reference), "out");
        let linked = match self.observed.outcome(&write.fingerprint) {
            Some(Outcome::Refused(message)) => {
                self.out.counts.refused += 1;
                self.out.refused.push(reference.to_owned());
                self.out.refusal = Some(message);
                return;
            }
            Some(Outcome::LinkedViaObject) => true,
            Some(Outcome::Acknowledged) | None => false,
        };
        let unexpected = difference(reference, DriftKind::Unexpected);
        if linked || cause == Cause::Drift {
            self.out.drift.push(unexpected);
        } else {
            self.out.changes.push(unexpected);
        }
        if linked {
            self.out.linked.push(reference.to_owned());
        } else if self.subject.writes(cause) && !self.target.unknown_claims {
            self.call(Step::Remove, cause, false, reference, user, write);
        }
    }

    pub(super) fn withdraw(&mut self) -> Decision {
        let mut kept = 0;
        for reference in &self.mine.inventory {
            if matches!(self.observed.user_by_ref(reference), Lookup::Unknown) {
                return object::end_unobserved(&self.target.title, "left", self.observed);
            }
            self.undeclared(reference, Cause::Deletion);
        }
        kept += self.out.inventory.len();
        let calls = self.calls();
        if !self.out.refused.is_empty() {
            let message = self.refusal();
            return Decision {
                calls,
                deletion_blocked: Some(message.clone()),
                ..object::known(Verdict::stalled(Reason::ApiRejected, message))
            };
        }
        if kept == 0 || !self.out.linked.is_empty() && calls.is_empty() {
            return Decision::release("everybody whom it added is gone");
        }
        let blocked = (!self.observed.available()).then(|| {
            format!(
                "{kept} users are to leave {}, and Pluvo cannot be reached",
                self.target.title
            )
        });
        Decision {
            calls,
            deletion_blocked: blocked,
            ..Decision::only(Verdict::deleting(format!("{kept} users leave {}", self.target.title)))
        }
    }
}
