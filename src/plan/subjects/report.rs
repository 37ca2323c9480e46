//! Turns what a pass found into calls, lists and a verdict.

use std::collections::{BTreeMap, BTreeSet};

use crate::{
    api::{Mode, Reason, common::Policy, membership::SubjectsDeletionPolicy},
    pluvo::request::MembershipChange,
};

use super::super::call::{Destruction, Origin};
use super::{
    super::{
        Action, Call, Cause, Decision, Finalizer, Identity, Observed, Verdict, Write, decision::SubjectsReport, object,
    },
    pass::{Addressees, Pass, Step},
};

/// The lists of one status may not hold more than this, in bytes.
const MAX_LISTED: usize = 512 * 1024;
/// How many names a message holds.
pub(super) const SHOWN: usize = 5;
/// The path whose fingerprint says that an Exclusive membership was in sync once.
pub(super) const EXCLUSIVE: &str = "policy";

impl<O: Observed> Pass<'_, O> {
    pub(super) fn calls(&mut self) -> Vec<Call> {
        let calls = std::mem::take(&mut self.out.calls).into_iter();
        let held = self.out.awaited > 0 && !self.subject.hold_is_over;
        calls
            .filter(|((step, cause, _), _)| !(held && *step == Step::Add && *cause == Cause::Change))
            .map(|((step, cause, mail), Addressees { users, refs, writes })| {
                let change = if step == Step::Add {
                    MembershipChange::Add
                } else {
                    MembershipChange::Remove
                };
                let action = Action::Subjects {
                    place: self.target.place.clone(),
                    change,
                    users,
                    mail,
                };
                Call {
                    action,
                    cause,
                    mails: if mail { refs } else { Vec::new() },
                    writes,
                    destruction: (step == Step::Remove).then_some(Destruction::Remove),
                    origin: Origin::default(),
                }
            })
            .collect()
    }

    pub(super) fn finish(mut self) -> Decision {
        let listed: usize = [
            &self.out.inventory,
            &self.out.found,
            &self.out.pending,
            &self.out.mailed,
        ]
        .iter()
        .flat_map(|list| list.iter())
        .map(|reference| reference.len() + 3)
        .sum();
        if listed > MAX_LISTED {
            let message = format!(
                "{} users in {} are more than one status can hold; split the resource",
                self.out.counts.declared, self.target.title
            );
            return object::known(Verdict::stalled(Reason::TooManySubjects, message));
        }
        let held = self.out.awaited > 0 && !self.subject.hold_is_over;
        let calls = self.calls();
        let verdict = self.verdict(&calls);
        let mut applied = BTreeMap::new();
        if self.mine.policy == Policy::Exclusive && self.out.exclusive_in_sync {
            applied.insert(
                EXCLUSIVE.to_owned(),
                Write::of(self.subject.uid, EXCLUSIVE, "Exclusive")
                    .fingerprint
                    .to_string(),
            );
        }
        let finalizer =
            if self.mine.deletion_policy == SubjectsDeletionPolicy::Remove && self.subject.mode != Mode::Observe {
                Finalizer::Require
            } else {
                Finalizer::Release
            };
        let out = self.out;
        // Whoever is held back is not added yet.
        let (inventory, pending) = if held {
            let status = self.subject.status;
            let written = |list: fn(&crate::api::Status) -> &Vec<String>| {
                status.map(|status| list(status).clone()).unwrap_or_default()
            };
            (written(|status| &status.inventory), written(|status| &status.pending))
        } else {
            (list(out.inventory), list(out.pending))
        };
        let subjects = SubjectsReport {
            counts: out.counts,
            inventory,
            found: list(out.found),
            pending,
            standings: out.standings,
            unobservable: out.unobservable,
        };
        Decision {
            calls,
            drift: out.drift,
            changes: out.changes,
            waiting: out.waiting,
            applied,
            identity: Identity {
                id: Some(self.target.id.clone()),
                adopted: None,
            },
            subjects: Some(subjects),
            finalizer,
            awaited: if held { out.awaited } else { 0 },
            ..object::compared(verdict)
        }
    }

    fn in_sync(&self) -> String {
        let (applied, title, declined) = (self.out.counts.applied, &self.target.title, self.out.declined);
        if self.out.unobservable {
            return format!("{applied} brought into {title}; Pluvo does not say who is there");
        }
        match declined {
            0 => format!("{applied} in {title} as declared"),
            _ => {
                format!("{applied} in {title} as declared; {declined} have cancelled or declined, which is up to them")
            }
        }
    }

    fn verdict(&self, calls: &[Call]) -> Verdict {
        let title = &self.target.title;
        let out = &self.out;
        if !out.refused.is_empty() {
            return Verdict::stalled(Reason::ApiRejected, self.refusal());
        }
        if calls.iter().any(|call| call.cause == Cause::Drift) {
            let paths: Vec<_> = out.drift.iter().map(|difference| difference.path.clone()).collect();
            return Verdict::reconciling(Reason::Correcting, format!("putting right {} in {title}", few(&paths)));
        }
        if let Some(room) = self.target.room
            && calls.is_empty()
            && !out.crowded.is_empty()
        {
            let message = format!(
                "{title} is full: {} wait for a place: {}; make room or a waiting list in Pluvo, or declare fewer",
                out.crowded.len(),
                few(&out.crowded)
            );
            return Verdict::stalled(room.when_full, message);
        }
        if !out.missing.is_empty() {
            let verdict = Verdict::reconciling(
                Reason::DependencyNotReady,
                format!("{title} waits for {}: {}", out.missing.len(), few(&out.missing)),
            );
            return Verdict {
                fleeting: out.unmade == 0,
                ..verdict
            };
        }
        if !calls.is_empty() || out.waits_for_sibling > 0 {
            return Verdict::fleeting(Reason::Pending, format!("bringing {title} up to date"));
        }
        if out.moving > 0 {
            let message = format!(
                "{} moves into or out of {title} are accepted and not visible yet",
                out.moving
            );
            return Verdict::fleeting(Reason::Pending, message);
        }
        if out.blocked > 0 {
            let message = format!(
                "{} leave {title} as soon as everything that may declare them is known",
                out.blocked
            );
            return Verdict::reconciling(Reason::Pending, message);
        }
        if out.unlisted {
            return Verdict::fleeting(Reason::Pending, format!("it is not known yet who else is in {title}"));
        }
        if !out.linked.is_empty() && out.drift.len() == out.linked.len() {
            return Verdict::done(
                Reason::LinkedViaObject,
                format!(
                    "{} cannot be taken out of {title}: they are in it through a group or an enrollment",
                    few(&out.linked)
                ),
            );
        }
        if !out.drift.is_empty() {
            let paths: Vec<_> = out.drift.iter().map(|difference| difference.path.clone()).collect();
            return Verdict::done(
                Reason::DriftReported,
                format!("Pluvo differs at {} of {title}", few(&paths)),
            );
        }
        Verdict::done(Reason::InSync, self.in_sync())
    }
}

fn list(set: BTreeSet<String>) -> Vec<String> {
    set.into_iter().collect()
}

pub(super) fn few(names: &[String]) -> String {
    let shown = names
        .iter()
        .take(SHOWN)
        .map(String::as_str)
        .collect::<Vec<_>>()
        .join(", ");
    if names.len() > SHOWN {
        format!("{shown} and {} more", names.len() - SHOWN)
    } else {
        shown
    }
}
