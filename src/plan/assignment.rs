//! Users in one training.

use crate::{
    api::{Kind, TrainingAssignment, TrainingAssignmentSpec},
    pluvo::model::Id,
};

use super::{
    Decision, Observed, Subject,
    ceiling::Ceiling,
    near, object,
    observed::{Key, Lookup, Place},
    resource::Plan,
    scope::Scope,
    subjects,
};

impl Plan for TrainingAssignment {
    fn plan(&self, subject: &Subject<'_>, scope: &Scope<'_>, observed: &impl Observed) -> Decision {
        if let Some(ceiling) = Ceiling::of(scope)
            && let Err(refusal) = ceiling.policy(self.spec.policy)
        {
            return *refusal;
        }
        plan(&self.spec, false, subject, scope, observed)
    }

    fn plan_deletion(&self, subject: &Subject<'_>, scope: &Scope<'_>, observed: &impl Observed) -> Decision {
        plan(&self.spec, true, subject, scope, observed)
    }
}

fn plan(
    spec: &TrainingAssignmentSpec,
    deleting: bool,
    subject: &Subject<'_>,
    scope: &Scope<'_>,
    observed: &impl Observed,
) -> Decision {
    let name = spec.training.name();
    let training = match (&spec.training.reference, &spec.training.id) {
        (Some(reference), _) => observed.training_by_ref(reference),
        (None, Some(id)) => observed.training_by_id(&Id::from(id.as_str())),
        (None, None) => Lookup::Absent,
    };
    let training = match training {
        Lookup::Unknown if deleting => return object::end_unobserved(&format!("training {name}"), "left", observed),
        Lookup::Unknown => return Decision::unobserved(observed.available()),
        Lookup::Absent if deleting => return Decision::release("the training does not exist"),
        Lookup::Absent => {
            let similar = observed.near_matches(&Key::TrainingRef(name.into()));
            return subjects::missing_place("training", name, &similar, false);
        }
        Lookup::Found(training) => training,
    };
    let claims = scope.claims(&spec.training, training.reference.as_deref(), &training.id);
    let target = subjects::Target {
        title: format!("training {name}"),
        place: Place::Training(training.id.clone()),
        id: training.id.clone(),
        claims: &claims,
        missing: missing_groups(spec, scope, observed),
        allow_empty: spec.allow_empty,
        mail: spec.send_invites,
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

fn missing_groups(
    spec: &TrainingAssignmentSpec,
    scope: &Scope<'_>,
    observed: &impl Observed,
) -> Vec<subjects::Missing> {
    let groups = spec.groups.iter().flatten();
    let missing = groups.filter(|group| matches!(observed.group_by_ref(group), Lookup::Absent));
    missing
        .map(|group| {
            let similar = observed.near_matches(&Key::GroupRef(group.as_str().into()));
            subjects::Missing {
                path: format!("groups[{group}]"),
                message: near("group", group, &similar),
                is_declared: scope.is_declared(Kind::Group, group),
            }
        })
        .collect()
}
