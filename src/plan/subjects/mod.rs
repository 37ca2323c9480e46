//! Subjects in a place: who is declared, who is there, who goes in and who goes out.
//!
//! A pure function of the claims of all live resources and of what is observed. Each resource writes only what is
//! attributed to it: an addition belongs to the oldest claim whose mode allows it; a removal to the resource whose
//! inventory holds the subject, or to the Exclusive one, and only if no live claim of any policy holds it.

mod pass;
mod report;

use std::{collections::BTreeSet, sync::Arc};

use crate::{
    api::{Mode, Reason, common::Policy, membership::SubjectsDeletionPolicy, status::DriftKind},
    pluvo::model::{Id, User},
};

use super::{
    Decision, Difference, Observed, Subject, Verdict,
    claims::Claim,
    object,
    observed::{Lookup, Place, Presence},
};

use pass::{Outcomes, Pass};

/// The place that subjects are put into, and how.
pub struct Target<'a> {
    /// What people call it, such as `group dept-rnd`.
    pub title: String,
    /// The place in Pluvo.
    pub place: Place,
    /// Its id.
    pub id: Id,
    /// All claims for the place, the oldest first.
    pub claims: &'a [Claim],
    /// Whether a selection of nobody may remove everybody.
    pub allow_empty: bool,
    /// Whether Pluvo tells those who are added by mail.
    pub mail: bool,
    /// Whether removals must wait: a watch or a resource is not known completely.
    pub unknown_claims: bool,
    /// Whether a user is never a subject, by what is declared.
    pub is_excluded: &'a dyn Fn(&str) -> bool,
    /// Whether a live resource declares the user, so that a missing account is about to be made.
    pub is_declared_user: &'a dyn Fn(&str) -> bool,
}

/// A declared person.
struct Person {
    user: Lookup<Arc<User>>,
    presence: Presence,
}

/// Plans the subjects of one live resource.
pub fn plan(target: &Target<'_>, subject: &Subject<'_>, observed: &impl Observed) -> Decision {
    let Some(mine) = target.claims.iter().find(|claim| claim.key == *subject.key) else {
        return Decision::unobserved(observed.available());
    };
    if let Some(decision) = refuse(target, mine) {
        return decision;
    }
    let Some(declared) = expand(mine, observed) else {
        return Decision::unobserved(observed.available());
    };
    let mut pass = Pass {
        target,
        mine,
        subject,
        observed,
        out: Outcomes::default(),
    };
    let people = pass.look_up(&declared);
    if people
        .values()
        .any(|person| matches!(person.user, Lookup::Unknown) || person.presence == Presence::Unknown)
    {
        return Decision::unobserved(observed.available());
    }
    if people.is_empty() && !mine.inventory.is_empty() && !target.allow_empty && mine.policy != Policy::Additive {
        let message = format!(
            "nobody is selected any more, and {} who were added to {} would be removed; nobody is removed. Set allowEmpty: true if that is meant",
            mine.inventory.len(),
            target.title
        );
        return object::known(Verdict::stalled(Reason::EmptySelection, message));
    }
    pass.additions(&people);
    pass.removals(&declared);
    pass.finish()
}

/// Plans the end of one resource: what it added and nobody else declares goes.
pub fn plan_deletion(target: &Target<'_>, subject: &Subject<'_>, observed: &impl Observed) -> Decision {
    let Some(mine) = target.claims.iter().find(|claim| claim.key == *subject.key) else {
        return Decision::release("everybody stays");
    };
    if mine.deletion_policy == SubjectsDeletionPolicy::Orphan
        || mine.policy == Policy::Additive
        || subject.mode == Mode::Observe
        || mine.inventory.is_empty()
    {
        return Decision::release("everybody stays");
    }
    if target.unknown_claims {
        let message = "waits until everything that may declare subjects is known".to_owned();
        return Decision {
            deletion_blocked: Some(message),
            ..Decision::unobserved(observed.available())
        };
    }
    let mut pass = Pass {
        target,
        mine,
        subject,
        observed,
        out: Outcomes::default(),
    };
    pass.withdraw()
}

/// The place does not exist in Pluvo (yet). `is_declared`: a live resource is about to make it.
pub fn missing_place(kind: &str, name: &str, near: &[String], is_declared: bool) -> Decision {
    let verdict = Verdict::reconciling(Reason::DependencyNotReady, super::near(kind, name, near));
    object::known(Verdict {
        fleeting: is_declared,
        ..verdict
    })
}

fn refuse(target: &Target<'_>, mine: &Claim) -> Option<Decision> {
    let rival = target
        .claims
        .iter()
        .take_while(|claim| claim.key != mine.key)
        .find(|claim| claim.policy == Policy::Exclusive && !claim.deleting);
    if let (Policy::Exclusive, Some(rival)) = (mine.policy, rival) {
        let message = format!(
            "{} already claims {} exclusively; only one may",
            rival.key, target.title
        );
        return Some(object::known(Verdict::stalled(Reason::TargetConflict, message)));
    }
    None
}

/// Declared refs, with everybody who takes part in the declared groups; `None` where a group's list is not complete.
fn expand(claim: &Claim, observed: &impl Observed) -> Option<BTreeSet<String>> {
    let mut declared = claim.declared.clone();
    for group in &claim.groups {
        match observed.group_by_ref(group) {
            Lookup::Unknown => return None,
            Lookup::Absent => {}
            Lookup::Found(group) => {
                let members = match observed.everybody(&Place::Group(
                    group.id.clone(),
                    crate::pluvo::request::GroupRole::Participant,
                )) {
                    Lookup::Found(members) => members,
                    Lookup::Absent | Lookup::Unknown => return None,
                };
                declared.extend(
                    members
                        .iter()
                        .filter_map(|user| user.reference.as_deref().map(str::to_owned)),
                );
            }
        }
    }
    Some(declared)
}

fn difference(reference: &str, kind: DriftKind) -> Difference {
    Difference {
        path: path(reference),
        kind,
        desired: None,
        observed: None,
    }
}

fn path(reference: &str) -> String {
    format!("users[{reference}]")
}

/// A user's ref; Pluvo makes one where none is given, so the id is a mere precaution.
fn name(user: &User) -> String {
    user.reference.as_deref().unwrap_or(&user.id.0).to_owned()
}
