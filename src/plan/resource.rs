//! Plans one resource of any kind. The controller and the command line share it.

use crate::api::{Kind, Reason, reason::Progress};

use super::{
    Cause, Decision, Finalizer, Object, Observed, Registry, Subject, Verdict, assignment, group, membership, object,
    scope::Scope,
    user::{self, UserContext},
};

/// Plans a resource whose connection is in the registry, against what is observed. Suspension is the caller's
/// business: a suspended resource is not planned.
pub fn plan(resource: &Object, registry: &Registry, observed: &impl Observed, hold_is_over: bool) -> Decision {
    let decision = plan_reachable(resource, registry, observed, hold_is_over);
    if observed.available() {
        decision
    } else {
        unreachable(decision)
    }
}

/// A change of the spec that cannot be sent now is no passing matter.
fn unreachable(mut decision: Decision) -> Decision {
    let only_changes = decision.calls.iter().all(|call| call.cause == Cause::Change);
    if !decision.calls.is_empty() && only_changes && decision.verdict.progress == Progress::Reconciling {
        let message =
            "Pluvo cannot be reached; what is declared will be applied when it can. See the connection's status";
        decision.verdict = Verdict::reconciling(Reason::ApiUnavailable, message);
        decision.finalizer = Finalizer::Keep;
    }
    decision
}

fn plan_reachable(resource: &Object, registry: &Registry, observed: &impl Observed, hold_is_over: bool) -> Decision {
    let (key, connection) = (resource.key(), resource.connection());
    let terms = registry.connection(&connection);
    let subject = Subject {
        key: &key,
        uid: resource.meta().uid.as_deref().unwrap_or_default(),
        generation: resource.meta().generation.unwrap_or_default(),
        status: resource.status(),
        mode: registry.mode(resource),
        show_personal_data: terms.is_some_and(|connection| connection.spec.show_personal_data),
        hold_is_over,
    };
    let deleting = resource.is_deleting();
    if !deleting && let Some(owner) = registry.owner_before(resource) {
        let owner = owner.key();
        let message = format!(
            "{owner} declares {} already and is older; delete one of the two",
            resource.reference().unwrap_or_default()
        );
        return object::known(Verdict::stalled(Reason::OwnedByOther, message));
    }
    let scope = Scope {
        registry,
        connection: &connection,
        key: &key,
    };
    match resource {
        Object::User(user) if deleting => {
            user::plan_deletion(&user.spec, &subject, registry.is_handed_over(resource), observed)
        }
        Object::Group(group) if deleting => {
            group::plan_deletion(&group.spec, &subject, registry.is_handed_over(resource), observed)
        }
        Object::User(user) => {
            let context = UserContext {
                adoption_ceiling: terms
                    .map(|connection| connection.spec.permit.adoption)
                    .unwrap_or_default(),
                declared_email: &|reference| registry.declared_email(&connection, reference),
            };
            user::plan(&user.spec, &subject, &context, observed)
        }
        Object::Group(group) => {
            let is_declared = |reference: &str| registry.owner_of(&connection, Kind::Group, reference).is_some();
            group::plan(&group.spec, &subject, &is_declared, observed)
        }
        Object::Membership(membership) => membership::plan(&membership.spec, deleting, &subject, &scope, observed),
        Object::Assignment(assignment) => assignment::plan(&assignment.spec, deleting, &subject, &scope, observed),
    }
}
