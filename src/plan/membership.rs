//! Users in one group.

use crate::{
    api::{Kind, PluvoGroupMembership, PluvoGroupMembershipSpec, membership::GroupRole, user::Role},
    pluvo::{model::Id, request::GroupRole as PluvoGroupRole},
};

use super::{
    Decision, Observed, Subject,
    ceiling::Ceiling,
    observed::{Key, Lookup, Place},
    resource::Plan,
    scope::Scope,
    subjects::{self, Found},
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
    let group = match (&spec.group.reference, &spec.group.id) {
        (Some(reference), _) => observed.group_by_ref(reference),
        (None, Some(id)) => observed.group_by_id(&Id::from(id.as_str())),
        (None, None) => Lookup::Absent,
    };
    let role = match spec.role {
        GroupRole::Participant => PluvoGroupRole::Participant,
        GroupRole::Manager => PluvoGroupRole::Manager,
    };
    let found = group.map(|group| Found {
        place: Place::Group(group.id.clone(), role),
        id: group.id.clone(),
        reference: group.reference.clone(),
        room: None,
    });
    let declared = subjects::Declared {
        noun: "group",
        target: &spec.group,
        role: spec.role,
        groups: &[],
        allow_empty: spec.allow_empty,
        mail: false,
        insists: false,
        kind: Some(Kind::Group),
    };
    subjects::plan_place(&declared, found, Key::GroupRef, deleting, subject, scope, observed)
}
