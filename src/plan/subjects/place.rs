//! The place that a resource puts subjects into: found in Pluvo, missing, or not known yet.

use std::sync::Arc;

use crate::{
    api::{Kind, Reason, common, membership::GroupRole},
    pluvo::model::Id,
};

use super::{
    super::{
        Decision, Observed, Subject, Verdict, near, object,
        observed::{Key, Lookup, Place},
        scope::Scope,
    },
    Missing, Target, plan, plan_deletion,
};

/// A place as a resource declares it.
pub struct Declared<'a> {
    /// What it is, such as `group`.
    pub noun: &'static str,
    /// By which key it is named.
    pub target: &'a common::Target,
    /// In what role subjects are there; claims of another role are about another place.
    pub role: GroupRole,
    /// Refs of groups whose participants are declared.
    pub groups: &'a [String],
    /// Whether a selection of nobody may remove everybody.
    pub allow_empty: bool,
    /// Whether Pluvo tells those who are added by mail.
    pub mail: bool,
    /// Whether whoever has declined is brought in again.
    pub insists: bool,
    /// The kind of those resources that declare such a place.
    pub kind: Option<Kind>,
}

/// A place as Pluvo knows it.
pub struct Found {
    /// Where it is.
    pub place: Place,
    /// Its id.
    pub id: Id,
    /// Its ref.
    pub reference: Option<Arc<str>>,
    /// How many more it takes; `None`: no limit that is known.
    pub room: Option<Room>,
}

/// The room that is left in a place.
#[derive(Clone, Copy, Debug)]
pub struct Room {
    /// For how many.
    pub spots: usize,
    /// What is said about those who find none.
    pub when_full: Reason,
}

/// Plans the subjects of one resource, alive or on its way out. `key`: under which ref the place is looked for.
pub fn plan_place(
    declared: &Declared<'_>,
    found: Lookup<Found>,
    key: impl Fn(Arc<str>) -> Key,
    deleting: bool,
    subject: &Subject<'_>,
    scope: &Scope<'_>,
    observed: &impl Observed,
) -> Decision {
    let title = format!("{} {}", declared.noun, declared.target.name());
    let found = match found {
        Lookup::Unknown if deleting => return object::end_unobserved(&title, "left", observed),
        Lookup::Unknown => return Decision::unobserved(observed.available()),
        Lookup::Absent if deleting => return Decision::release(&format!("the {} does not exist", declared.noun)),
        Lookup::Absent => {
            let similar = observed.near_matches(&key(declared.target.name().into()));
            return missing(declared, &similar, scope);
        }
        Lookup::Found(found) => found,
    };
    let mut claims = scope.claims(declared.target, found.reference.as_deref(), &found.id);
    claims.retain(|claim| claim.role == declared.role);
    let target = Target {
        title,
        place: found.place,
        id: found.id,
        room: found.room,
        claims: &claims,
        missing: missing_groups(declared.groups, scope, observed),
        declared,
        unknown_claims: scope.registry.has_unknown_claims(scope.connection),
        is_excluded: &|reference| scope.is_excluded(reference),
        is_declared_user: &|reference| scope.is_declared(Kind::User, reference),
    };
    if deleting {
        plan_deletion(&target, subject, observed)
    } else {
        plan(&target, subject, observed)
    }
}

/// The place does not exist in Pluvo (yet).
fn missing(declared: &Declared<'_>, similar: &[String], scope: &Scope<'_>) -> Decision {
    let name = declared.target.name();
    let message = near(declared.noun, name, similar);
    object::known(Verdict {
        fleeting: declared.kind.is_some_and(|kind| scope.is_declared(kind, name)),
        ..Verdict::reconciling(Reason::DependencyNotReady, message)
    })
}

fn missing_groups(groups: &[String], scope: &Scope<'_>, observed: &impl Observed) -> Vec<Missing> {
    let missing = groups
        .iter()
        .filter(|group| matches!(observed.group_by_ref(group), Lookup::Absent));
    missing
        .map(|group| {
            let similar = observed.near_matches(&Key::GroupRef(group.as_str().into()));
            Missing {
                path: format!("groups[{group}]"),
                message: near("group", group, &similar),
                is_declared: scope.is_declared(Kind::Group, group),
            }
        })
        .collect()
}
