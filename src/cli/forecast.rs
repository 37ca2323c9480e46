//! What would happen: every resource is planned, what would be sent is carried out in memory, and everything is planned
//! again, until nothing is left to send.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use anyhow::Result;

use crate::{
    api::Mode,
    plan::{Action, Call, Decision, Difference, ResourceKey, Verdict, prediction::Prediction, resource},
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
}

/// What would happen to one resource.
pub struct Outlook {
    /// Where Pluvo differs now, or will differ once what the resource depends on is there.
    pub differences: Vec<Difference>,
    /// What would be sent, in order.
    pub calls: Vec<Call>,
    /// The ref that an account had before it is taken over; `Some(None)`: it had none.
    pub adopted: Option<Option<String>>,
    /// The mode in effect.
    pub mode: Mode,
    /// What is left to say when all of this was sent.
    pub verdict: Verdict,
    /// What a deletion would wait for.
    pub deletion_blocked: Option<String>,
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
        let calls: Vec<_> = decisions
            .iter()
            .flat_map(|(key, decision)| decision.calls.iter().map(move |call| (*key, call.clone())))
            .collect();
        let held = decisions.values().any(|decision| decision.holds);
        requests += documents(decisions.values(), operations_per_request);
        for (resource, outlook) in workspace.resources.iter().zip(&mut outlooks) {
            if let Some(decision) = decisions.get(&resource.key) {
                outlook.add(decision);
            }
        }
        if calls.is_empty() && (hold_is_over || !held) {
            break;
        }
        hold_is_over = calls.is_empty();
        for (key, call) in calls {
            session.observe(key, |view| prediction.carry_out(&call, view));
        }
    }
    Some(Forecast {
        resources: outlooks,
        requests,
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

/// About how many documents it takes to send the calls of one round: those of one resource follow one another, those
/// of different resources travel together, memberships of one place as one, and mail alone.
fn documents<'a>(decisions: impl Iterator<Item = &'a Decision>, operations_per_request: usize) -> usize {
    let (mut steps, mut mails) = (HashMap::<usize, BTreeSet<String>>::new(), 0);
    for (resource, decision) in decisions.enumerate() {
        for (step, call) in decision.calls.iter().enumerate() {
            let operations = call.action.mutations().len();
            if !call.mails.is_empty() {
                mails += operations;
                continue;
            }
            let names = (0..operations).map(|index| match &call.action {
                Action::Subjects { place, change, .. } => format!("{place:?} {change:?} {index}"),
                Action::Mutate(_) => format!("{resource} {index}"),
            });
            steps.entry(step).or_default().extend(names);
        }
    }
    let documents: usize = steps
        .values()
        .map(|operations| operations.len().div_ceil(operations_per_request.max(1)))
        .sum();
    documents + mails
}

impl Outlook {
    /// Nothing yet, or why nothing will be.
    pub fn nothing(workspace: &Workspace, resource: &Resource) -> Self {
        let verdict = resource.blocked.clone();
        Self {
            differences: Vec::new(),
            calls: Vec::new(),
            adopted: None,
            mode: workspace.registry.mode(&resource.object),
            verdict: verdict.unwrap_or_else(|| Verdict::done(crate::api::Reason::InSync, "")),
            deletion_blocked: None,
        }
    }

    /// Takes in what one round decided. A path that was to be written is not told twice.
    pub fn add(&mut self, decision: &Decision) {
        for difference in decision.changes.iter().chain(&decision.drift) {
            if !self.differences.iter().any(|known| known.path == difference.path) {
                self.differences.push(difference.clone());
            }
        }
        for call in &decision.calls {
            if !self.calls.contains(call) {
                self.calls.push(call.clone());
            }
        }
        if let Some(adopted) = &decision.identity.adopted {
            self.adopted
                .get_or_insert_with(|| adopted.as_deref().map(str::to_owned));
        }
        self.verdict = decision.verdict.clone();
        self.deletion_blocked.clone_from(&decision.deletion_blocked);
    }
}
