//! Plans one resource of any kind. The controller and the command line share it.

use std::collections::HashSet;

use crate::{
    api::{Managed, Reason, for_each_kind, reason::Progress},
    pluvo::request::Mutation,
};

use super::{
    Action, Call, Cause, ConnectionKey, Decision, Finalizer, Object, Observed, Registry, Subject, Verdict,
    call::Origin,
    object,
    observed::{Unavailable, Unreadable},
    scope::Scope,
};

/// What a kind says about itself: how one of its resources is planned, alive and on its way out.
pub trait Plan: Managed {
    /// Plans a live resource.
    fn plan(&self, subject: &Subject<'_>, scope: &Scope<'_>, observed: &impl Observed) -> Decision;
    /// Plans the deletion of a resource.
    fn plan_deletion(&self, subject: &Subject<'_>, scope: &Scope<'_>, observed: &impl Observed) -> Decision;
}

/// Plans a resource whose connection is in the registry, against what is observed. Suspension is the caller's
/// business: a suspended resource is not planned.
pub fn plan(resource: &Object, registry: &Registry, observed: &impl Observed, hold_is_over: bool) -> Decision {
    let decision = plan_reachable(resource, registry, observed, hold_is_over);
    let decision = unsupported(unreadable(decision, observed), observed);
    let mut decision = guarded(decision, &resource.connection(), observed);
    let origin = origin(resource);
    decision.calls.iter_mut().for_each(|call| call.origin = origin.clone());
    decision.mailed = first_mails(resource, &decision.calls, observed);
    let Some(why) = observed.unavailable() else {
        return decision;
    };
    let mut decision = unreachable(decision);
    if why == Unavailable::NoCredentials && decision.verdict.reason == Reason::ApiUnavailable {
        decision.verdict = Verdict::not_ready(&resource.connection());
    }
    decision
}

/// What Pluvo does not tell is not waited for in silence.
fn unreadable(mut decision: Decision, observed: &impl Observed) -> Decision {
    if decision.observed || decision.verdict.reason != Reason::Pending {
        return decision;
    }
    match observed.unreadable() {
        Some(Unreadable::Refused(why)) => {
            let message = format!("Pluvo cannot be asked what is needed: {why}; does the API client have all scopes?");
            decision.verdict = Verdict::stalled(Reason::ApiRejected, message);
        }
        Some(Unreadable::Unsupported(part)) => decision.verdict = Verdict::unsupported(&[part]),
        None => {}
    }
    decision
}

/// A call that the server does not understand is not sent. What is to follow a creation falls with it.
fn unsupported(mut decision: Decision, observed: &impl Observed) -> Decision {
    let lacks = |call: &Call| {
        let mutations = call.action.mutations().into_iter();
        mutations
            .take(1)
            .find_map(|mutation| observed.lacks(&mutation.operation()))
    };
    let creates = |call: &Call| {
        matches!(
            call.action,
            Action::Mutate(Mutation::CreateUser { .. } | Mutation::CreateGroup(_))
        )
    };
    let ends = decision.verdict.progress == Progress::Terminating;
    let (mut kept, mut lacking) = (Vec::new(), Vec::new());
    for call in std::mem::take(&mut decision.calls) {
        match lacks(&call) {
            None => kept.push(call),
            Some(part) => {
                lacking.push(part);
                if creates(&call) {
                    break;
                }
            }
        }
    }
    if kept.is_empty() && !lacking.is_empty() {
        decision.verdict = Verdict::unsupported(&lacking);
        if ends {
            decision.deletion_blocked = Some(decision.verdict.message.clone());
        }
    }
    decision.calls = kept;
    decision
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

/// Those whom calls are about to tell by mail and the status does not record.
fn first_mails(resource: &Object, calls: &[Call], observed: &impl Observed) -> Vec<String> {
    let recorded: HashSet<_> = resource
        .status()
        .into_iter()
        .flat_map(|status| &status.mailed)
        .collect();
    let mails = calls.iter().flat_map(|call| observed.mails_to_record(call));
    mails.filter(|mail| !recorded.contains(mail)).collect()
}

fn origin(resource: &Object) -> Origin {
    let meta = resource.meta();
    Origin {
        uid: meta.uid.as_deref().unwrap_or_default().into(),
        generation: meta.generation.unwrap_or_default(),
    }
}

/// What the guard holds is said; what only waits to be counted passes by itself.
fn guarded(mut decision: Decision, connection: &ConnectionKey, observed: &impl Observed) -> Decision {
    let judged = |call: &&Call| call.destruction.is_some() || !call.mails.is_empty();
    if !decision.calls.iter().any(|call| judged(&call)) {
        return decision;
    }
    if decision.calls.iter().any(|call| observed.is_held(call)) {
        let message = format!("held by the guard of PluvoConnection {connection}: see its condition GuardTripped");
        match decision.verdict.progress {
            Progress::Terminating => decision.deletion_blocked = Some(message),
            Progress::Reconciling => decision.verdict = Verdict::reconciling(Reason::HeldByGuard, message),
            Progress::Done | Progress::Stalled | Progress::Idle => {}
        }
    } else if decision.verdict.reason == Reason::Pending && decision.verdict.fleeting {
        decision.verdict.reason = Reason::Settling;
    } else if decision.verdict.progress == Progress::Terminating && decision.deletion_blocked.is_none() {
        let message = format!("waits until the guard of PluvoConnection {connection} has counted it");
        decision.deletion_blocked = Some(message);
        decision.verdict.fleeting = true;
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
    if !resource.is_deleting()
        && let Some(owner) = registry.owner_before(resource)
    {
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
    plan_kind(resource, &subject, &scope, observed)
}

macro_rules! plan_kind {
    ($($kind:ident => $type:ident),* $(,)?) => {
        fn plan_kind(resource: &Object, subject: &Subject<'_>, scope: &Scope<'_>, observed: &impl Observed) -> Decision {
            match resource {
                $(Object::$kind(object) if resource.is_deleting() => object.plan_deletion(subject, scope, observed),)*
                $(Object::$kind(object) => object.plan(subject, scope, observed),)*
            }
        }
    };
}
for_each_kind!(plan_kind);
