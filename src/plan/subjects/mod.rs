//! Subjects in a place: who is declared, who is there, who goes in and who goes out.
//!
//! A pure function of the claims of all live resources and of what is observed. Each resource writes only what is
//! attributed to it: an addition belongs to the oldest claim whose mode allows it; a removal to the resource whose
//! inventory holds the subject, or to the Exclusive one, and only if no live claim of any policy holds it.

mod pass;
mod place;
mod removals;
mod report;
#[cfg(test)]
mod tests;
mod union;

use crate::{
    api::{Mode, Reason, common::Policy, membership::SubjectsDeletionPolicy, status::DriftKind},
    pluvo::model::{Id, User},
};

use super::{Decision, Difference, Observed, Subject, Verdict, claims::Claim, object, observed::Place};

use pass::Pass;
pub use place::{Declared, Found, Room, plan_place};
use union::Union;

/// The place that subjects are put into, and how.
struct Target<'a> {
    /// What people call it, such as `group dept-rnd`.
    title: String,
    /// The place in Pluvo.
    place: Place,
    /// Its id.
    id: Id,
    /// How many more it takes; `None`: no limit that is known.
    room: Option<Room>,
    /// All claims for the place, the oldest first.
    claims: &'a [Claim],
    /// Groups whose participants are declared, and that do not exist.
    missing: Vec<Missing>,
    /// What is declared about it.
    declared: &'a Declared<'a>,
    /// Whether removals must wait: a watch or a resource is not known completely.
    unknown_claims: bool,
    /// Whether a user is never a subject, by what is declared.
    is_excluded: &'a dyn Fn(&str) -> bool,
    /// Whether a live resource declares the user, so that a missing account is about to be made.
    is_declared_user: &'a dyn Fn(&str) -> bool,
}

/// Something that is referred to and does not exist in Pluvo (yet).
struct Missing {
    /// Where the spec names it.
    path: String,
    /// A sentence about it.
    message: String,
    /// Whether a live resource is about to make it.
    is_declared: bool,
}

/// Plans the subjects of one live resource.
fn plan(target: &Target<'_>, subject: &Subject<'_>, observed: &impl Observed) -> Decision {
    let unobserved = || Decision::unobserved(observed.available());
    let Some(union) = Union::of(target.claims, subject.key, observed) else {
        return unobserved();
    };
    if let Some(rival) = union.rival() {
        let message = format!("{rival} already claims {} exclusively; only one may", target.title);
        return object::known(Verdict::stalled(Reason::TargetConflict, message));
    }
    let Some(declared) = union.declared() else {
        return unobserved();
    };
    let mut pass = Pass::new(target, &union, subject, observed);
    let Some(people) = pass.look_up(&declared) else {
        return unobserved();
    };
    pass.additions(&people);
    if pass.removals(&declared).is_none() {
        return unobserved();
    }
    if people.is_empty() && !target.declared.allow_empty && pass.leavers() > 0 {
        let message = format!(
            "nobody is selected any more, and {} would be removed from {}; nobody is removed. Set allowEmpty: true if that is meant",
            pass.leavers(),
            target.title
        );
        return object::known(Verdict::stalled(Reason::EmptySelection, message));
    }
    pass.finish()
}

/// Plans the end of one resource: what it added and nobody else declares goes.
fn plan_deletion(target: &Target<'_>, subject: &Subject<'_>, observed: &impl Observed) -> Decision {
    let Some(union) = Union::of(target.claims, subject.key, observed) else {
        return Decision::release("everybody stays");
    };
    let mine = union.mine();
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
    Pass::new(target, &union, subject, observed).withdraw()
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
