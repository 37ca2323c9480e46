//! Who goes out: whom this resource added and nobody declares any more; of an Exclusive one, everybody whom nobody
//! declares.

use std::collections::BTreeSet;

use crate::{
    api::{Mode, Reason, common::Policy, status::DriftKind},
    pluvo::model::User,
};

use super::{
    super::{
        Cause, Decision, Observed, Verdict, Write, object,
        observed::{Lookup, Outcome, Presence},
    },
    difference, name,
    pass::{Pass, Step},
    path,
    report::{EXCLUSIVE, few},
    union::{has_taken_over, successor},
};

impl<O: Observed> Pass<'_, O> {
    /// Takes out whoever has to go; `None` where it is not known where somebody is who was added.
    pub(super) fn removals(&mut self, declared: &BTreeSet<String>) -> Option<()> {
        if self.mine.policy == Policy::Additive {
            return Some(());
        }
        let mine = self.mine;
        let undeclared = mine.inventory.iter().filter(|reference| !declared.contains(*reference));
        if !self.target.missing.is_empty() {
            // A group that does not exist selects nobody, and so nobody goes because of it.
            self.out.inventory.extend(undeclared.cloned());
            return Some(());
        }
        for reference in undeclared {
            if self.is_handed_on(reference) {
                continue;
            }
            self.undeclared(reference, Cause::Change)?;
        }
        if mine.policy == Policy::Exclusive {
            self.unexpected();
        }
        Some(())
    }

    /// How many would be taken out now, or as soon as all claims are known.
    pub(super) fn leavers(&self) -> usize {
        let removals = self.out.calls.iter().filter(|((step, ..), _)| *step == Step::Remove);
        removals.map(|(_, addressees)| addressees.users.len()).sum::<usize>() + self.out.blocked
    }

    /// Whether somebody else declares a subject that this resource added. It stays in this inventory until a sibling
    /// has taken it into its own.
    fn is_handed_on(&mut self, reference: &str) -> bool {
        let holders = self.union.holders(reference);
        if !holders.is_empty() && !has_taken_over(&holders, reference) {
            self.out.inventory.insert(reference.to_owned());
        }
        !holders.is_empty()
    }

    /// A subject that this resource added, and that nobody declares. It stays in the inventory until it is gone.
    fn undeclared(&mut self, reference: &str, cause: Cause) -> Option<()> {
        let user = match self.observed.user_by_ref(reference) {
            Lookup::Unknown => return None,
            Lookup::Absent => return Some(()),
            Lookup::Found(user) => user,
        };
        match self.observed.presence(&self.target.place, &user.id) {
            Presence::Unknown => return None,
            Presence::Absent | Presence::Declined => {}
            Presence::Unobservable => self.undeclared_unseen(reference, &user, cause),
            Presence::Present | Presence::Arriving => {
                self.out.inventory.insert(reference.to_owned());
                self.remove(reference, &user, cause);
            }
            Presence::Leaving => {
                self.out.inventory.insert(reference.to_owned());
                self.out.moving += 1;
            }
        }
        Some(())
    }

    /// The same where Pluvo does not say who is there: that it was acknowledged is all that will be known.
    fn undeclared_unseen(&mut self, reference: &str, user: &User, cause: Cause) {
        let write = Write::of(self.subject.uid, &path(reference), "out");
        if self.observed.outcome(&write.fingerprint) != Some(Outcome::Acknowledged) {
            self.out.inventory.insert(reference.to_owned());
            self.remove(reference, user, cause);
        }
    }

    fn unexpected(&mut self) {
        let in_sync = Write::of(self.subject.uid, EXCLUSIVE, "Exclusive");
        let was_in_sync = self.subject.applied(EXCLUSIVE) == Some(&*in_sync.fingerprint);
        let cause = if was_in_sync || self.subject.mode == Mode::Observe {
            Cause::Drift
        } else {
            Cause::Change
        };
        let everybody = self.observed.everybody(&self.target.place).found();
        self.out.unlisted = everybody.is_none();
        let mut strangers = false;
        for user in everybody.into_iter().flatten().filter(|user| !user.archived) {
            let name = name(&user);
            if self.mine.inventory.contains(&name) || self.union.is_held(&name) {
                continue;
            }
            match self.observed.presence(&self.target.place, &user.id) {
                Presence::Leaving => self.out.moving += 1,
                Presence::Unknown => self.out.unlisted = true,
                Presence::Absent | Presence::Declined | Presence::Unobservable => {}
                Presence::Present | Presence::Arriving => {
                    strangers = true;
                    self.remove(&name, &user, cause);
                }
            }
        }
        self.out.exclusive_in_sync = was_in_sync || !strangers && !self.out.unlisted;
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
        } else if self.subject.writes(cause) && self.target.unknown_claims {
            self.out.blocked += 1;
        } else if self.subject.writes(cause) {
            self.call(Step::Remove, cause, false, reference, user, write);
        }
    }

    /// The end of the resource: everybody whom it added and nobody else declares goes.
    pub(super) fn withdraw(&mut self) -> Decision {
        let title = &self.target.title;
        let mut heir = None;
        for reference in &self.mine.inventory {
            let holders = self.union.holders(reference);
            if !holders.is_empty() {
                // Whom a sibling declares stays. One that can take over does so before this resource goes.
                if !has_taken_over(&holders, reference) {
                    heir = heir.or(successor(&holders));
                }
            } else if self.undeclared(reference, Cause::Deletion).is_none() {
                return object::end_unobserved(title, "left", self.observed);
            }
        }
        let calls = self.calls();
        if !self.out.refused.is_empty() {
            let message = self.refusal();
            return Decision {
                calls,
                deletion_blocked: Some(message.clone()),
                ..object::known(Verdict::stalled(Reason::ApiRejected, message))
            };
        }
        if calls.is_empty() && heir.is_none() {
            return Decision::release("everybody whom it added is gone");
        }
        let leave: usize = calls.iter().map(|call| call.writes.len()).sum();
        let blocked = match heir {
            Some(heir) => Some(format!(
                "{heir} declares some of the users too, and takes them over first"
            )),
            None if self.observed.available() => None,
            None => Some(format!(
                "{leave} users are to leave {title}, and Pluvo cannot be reached"
            )),
        };
        Decision {
            calls,
            changes: std::mem::take(&mut self.out.changes),
            deletion_blocked: blocked,
            ..Decision::only(Verdict::deleting(format!("{leave} users leave {title}")))
        }
    }

    pub(super) fn refusal(&self) -> String {
        let why = self.out.refusal.as_deref().unwrap_or("no reason was given");
        format!(
            "Pluvo refuses {} of {}: {}: {why}",
            self.out.refused.len(),
            self.target.title,
            few(&self.out.refused)
        )
    }
}
