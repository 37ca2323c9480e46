//! Users in one training.

use crate::{
    api::{TrainingAssignment, TrainingAssignmentSpec, membership::GroupRole},
    pluvo::model::Id,
};

use super::{
    Decision, Observed, Subject,
    ceiling::Ceiling,
    observed::{Key, Lookup, Place},
    resource::Plan,
    scope::Scope,
    subjects::{self, Found},
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
    let training = match (&spec.training.reference, &spec.training.id) {
        (Some(reference), _) => observed.training_by_ref(reference),
        (None, Some(id)) => observed.training_by_id(&Id::from(id.as_str())),
        (None, None) => Lookup::Absent,
    };
    let found = training.map(|training| Found {
        place: Place::Training(training.id.clone()),
        id: training.id.clone(),
        reference: training.reference.clone(),
        room: None,
    });
    let declared = subjects::Declared {
        noun: "training",
        target: &spec.training,
        role: GroupRole::Participant,
        groups: spec.groups.as_deref().unwrap_or_default(),
        allow_empty: spec.allow_empty,
        mail: spec.send_invites,
        insists: false,
        kind: None,
    };
    subjects::plan_place(&declared, found, Key::TrainingRef, deleting, subject, scope, observed)
}
