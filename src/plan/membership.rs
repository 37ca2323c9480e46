//! Users in one group.

use crate::{
    api::{Kind, PluvoGroupMembership, PluvoGroupMembershipSpec, membership::GroupRole, user::Role},
    pluvo::{model::Id, request::GroupRole as PluvoGroupRole},
};

use super::{
    Decision, Observed, Subject,
    ceiling::Ceiling,
    object,
    observed::{Key, Lookup, Place},
    resource::Plan,
    scope::Scope,
    subjects,
};

impl Plan for PluvoGroupMembership {
    fn plan(&self, subject: &Subject<'_>, scope: &Scope<'_>, observed: &impl Observed) -> Decision {
        if let Some(ceiling) = Ceiling::of(scope)
            && let Err(refusal) = permitted(&self.spec, &ceiling)
        {
            return *refusal;
        }
        plan(&self.spec, false, subject, scope, observed)
    }

    fn plan_deletion(&self, subject: &Subject<'_>, scope: &Scope<'_>, observed: &impl Observed) -> Decision {
        plan(&self.spec, true, subject, scope, observed)
    }
}

fn permitted(spec: &PluvoGroupMembershipSpec, ceiling: &Ceiling<'_>) -> Result<(), Box<Decision>> {
    if spec.role == GroupRole::Manager {
        ceiling.roles(&[Role::Manager])?;
    }
    ceiling.policy(spec.policy)
}

fn plan(
    spec: &PluvoGroupMembershipSpec,
    deleting: bool,
    subject: &Subject<'_>,
    scope: &Scope<'_>,
    observed: &impl Observed,
) -> Decision {
    let name = spec.group.name();
    let group = match (&spec.group.reference, &spec.group.id) {
        (Some(reference), _) => observed.group_by_ref(reference),
        (None, Some(id)) => observed.group_by_id(&Id::from(id.as_str())),
        (None, None) => Lookup::Absent,
    };
    let group = match group {
        Lookup::Unknown if deleting => return object::end_unobserved(&format!("group {name}"), "left", observed),
        Lookup::Unknown => return Decision::unobserved(observed.available()),
        Lookup::Absent if deleting => return Decision::release("the group does not exist"),
        Lookup::Absent => {
            let near = observed.near_matches(&Key::GroupRef(name.into()));
            return subjects::missing_place("group", name, &near, scope.is_declared(Kind::Group, name));
        }
        Lookup::Found(group) => group,
    };
    let role = match spec.role {
        GroupRole::Participant => PluvoGroupRole::Participant,
        GroupRole::Manager => PluvoGroupRole::Manager,
    };
    let mut claims = scope.claims(&spec.group, group.reference.as_deref(), &group.id);
    claims.retain(|claim| claim.role == spec.role);
    let target = subjects::Target {
        title: format!("group {name}"),
        place: Place::Group(group.id.clone(), role),
        id: group.id.clone(),
        claims: &claims,
        missing: Vec::new(),
        allow_empty: spec.allow_empty,
        mail: false,
        unknown_claims: scope.registry.has_unknown_claims(),
        is_excluded: &|reference| scope.is_excluded(reference),
        is_declared_user: &|reference| scope.is_declared(Kind::User, reference),
    };
    if deleting {
        subjects::plan_deletion(&target, subject, observed)
    } else {
        subjects::plan(&target, subject, observed)
    }
}
