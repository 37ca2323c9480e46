//! What would happen: every resource is planned, what would be sent is carried out in memory, and everything is planned
//! again, until nothing is left to send.

use std::collections::{BTreeMap, HashSet};

use anyhow::Result;

use crate::{
    api::Mode,
    organization::guard::GuardReport,
    plan::{
        Action, Call, Decision, Difference, Finalizer, ResourceKey, Verdict, call::subjects_per_call,
        prediction::Prediction, resource,
    },
};

use super::{
    session::Session,
    workspace::{Resource, Workspace},
};

/// More rounds than any chain of dependencies has: user or group, membership, assignment of a group's members.
const ROUNDS: usize = 20;

/// What would happen to all resources.
pub struct Forecast {
    /// One element for each resource of the workspace, in its order.
    pub resources: Vec<Outlook>,
    /// About how many requests would write it.
    pub requests: usize,
    /// What the guard says of it.
    pub guard: GuardReport,
}

/// What would happen to one resource.
pub struct Outlook {
    /// Where Pluvo differs now, or will differ once what the resource depends on is there.
    pub differences: Vec<Difference>,
    /// What would be sent, in order.
    pub calls: Vec<Call>,
    /// Whether an account or a group that is there already is taken over.
    pub adopted: bool,
    /// The mode in effect.
    pub mode: Mode,
    /// What is left to say when all of this was sent.
    pub verdict: Verdict,
    /// What a deletion would wait for.
    pub deletion_blocked: Option<String>,
    /// Whether a deletion has nothing left to wait for.
    pub released: bool,
}

/// Waits until everything is known that the plans need, and returns them.
pub async fn forecast(session: &mut Session, workspace: &Workspace, operations_per_request: usize) -> Result<Forecast> {
    session.first_sweep().await?;
    loop {
        if let Some(forecast) = attempt(session, workspace, operations_per_request) {
            return Ok(forecast);
        }
        if !session.news(None).await? {
            session.too_late()?;
        }
    }
}

/// `None`: something is not known yet.
fn attempt(session: &Session, workspace: &Workspace, operations_per_request: usize) -> Option<Forecast> {
    let mut prediction = Prediction::default();
    let mut outlooks: Vec<_> = workspace
        .resources
        .iter()
        .map(|resource| Outlook::nothing(workspace, resource))
        .collect();
    let (mut hold_is_over, mut requests) = (false, 0);
    for _ in 0..ROUNDS {
        let decisions = decide(session, workspace, &prediction, hold_is_over)?;
        // As the operator does: of each resource the first call is sent, and then it is planned anew.
        let heads: Vec<_> = decisions
            .iter()
            .filter_map(|(key, decision)| Some((*key, decision.calls.first()?.clone())))
            .collect();
        let held = decisions.values().any(|decision| decision.awaited > 0);
        requests += documents(heads.iter().map(|(_, call)| call), operations_per_request);
        for (resource, outlook) in workspace.resources.iter().zip(&mut outlooks) {
            if let Some(decision) = decisions.get(&resource.key) {
                outlook.add(decision, 1);
            }
        }
        if heads.is_empty() && (hold_is_over || !held) {
            break;
        }
        hold_is_over = heads.is_empty();
        for (key, call) in heads {
            session.observe(key, |view| prediction.carry_out(&call, view));
        }
    }
    let calls = workspace.resources.iter().zip(&outlooks);
    let guard = session.foresee(calls.map(|(resource, outlook)| (&resource.key, outlook.calls.as_slice())));
    Some(Forecast {
        resources: outlooks,
        requests,
        guard,
    })
}

/// Plans every resource. `None`: for at least one of them something is not known yet; everything that is not is asked.
fn decide<'a>(
    session: &Session,
    workspace: &'a Workspace,
    prediction: &Prediction,
    hold_is_over: bool,
) -> Option<BTreeMap<&'a ResourceKey, Decision>> {
    let mut known = true;
    let mut decisions = BTreeMap::new();
    for resource in workspace.resources.iter().filter(|resource| resource.blocked.is_none()) {
        let decision = session.observe(&resource.key, |view| {
            let seen = prediction.over(view);
            let decision = resource::plan(&resource.object, &workspace.registry, &seen, hold_is_over);
            known &= !seen.met_unknown();
            decision
        });
        decisions.insert(&resource.key, decision);
    }
    known.then_some(decisions)
}

/// About how many documents it takes to send the calls of one round: memberships of one place travel as one, many of them
/// apart from calls on objects, and mail travels alone.
fn documents<'a>(calls: impl Iterator<Item = &'a Call>, operations_per_request: usize) -> usize {
    let (mut single, mut mails, mut places) = (0, 0, BTreeMap::<_, usize>::new());
    for call in calls {
        match &call.action {
            _ if !call.mails.is_empty() => mails += call.action.mutations().len(),
            Action::Mutate(_) => single += 1,
            Action::Subjects {
                place, change, users, ..
            } => *places.entry((place, change)).or_default() += users.len(),
        }
    }
    let memberships: usize = places
        .iter()
        .map(|((place, change), users)| users.div_ceil(subjects_per_call(place, **change)))
        .sum();
    let limit = operations_per_request.max(1);
    let written = if places.values().sum::<usize>() <= limit {
        (single + memberships).div_ceil(limit)
    } else {
        single.div_ceil(limit) + memberships.div_ceil(limit)
    };
    written + mails
}

impl Outlook {
    /// Nothing yet, or why nothing will be.
    pub fn nothing(workspace: &Workspace, resource: &Resource) -> Self {
        let verdict = resource.blocked.clone();
        Self {
            differences: Vec::new(),
            calls: Vec::new(),
            adopted: false,
            mode: workspace.registry.mode(&resource.object),
            verdict: verdict.unwrap_or_else(|| Verdict::done(crate::api::Reason::InSync, "")),
            deletion_blocked: None,
            released: false,
        }
    }

    /// Takes in what one round decided, of its calls the first `calls`. Nothing is told twice.
    pub fn add(&mut self, decision: &Decision, calls: usize) {
        let told: HashSet<_> = self.differences.iter().map(|known| known.path.clone()).collect();
        let all = decision.changes.iter().chain(&decision.drift);
        self.differences
            .extend(all.filter(|difference| !told.contains(&difference.path)).cloned());
        for call in decision.calls.iter().take(calls) {
            if !self.calls.contains(call) {
                self.calls.push(call.clone());
            }
        }
        self.adopted |= decision.identity.adopted.is_some();
        self.verdict = decision.verdict.clone();
        self.deletion_blocked.clone_from(&decision.deletion_blocked);
        self.released = decision.finalizer == Finalizer::Release;
    }
}

#[cfg(test)]
mod tests {
    use super::documents;
    use crate::{
        plan::testing::{add, participants, rename},
        pluvo::model::Id,
    };

    #[test]
    fn many_subjects_travel_apart_from_calls_on_objects() {
        let ids: Vec<_> = (0..51).map(|number| Id::from(format!("u{number}").as_str())).collect();
        let requests = |subjects: usize| {
            let calls = [
                rename(&ids[0], "New"),
                add(&participants(&"g".into()), &ids[..subjects]),
            ];
            documents(calls.iter(), 50)
        };
        assert_eq!([requests(0), requests(50), requests(51)], [1, 1, 2]);
    }
}
