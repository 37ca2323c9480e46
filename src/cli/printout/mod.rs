//! A plan as data: what `-o json` and `-o yaml` print, and what the other forms are made of.
//!
//! The structure is stable within [`FORMAT`]: members may be added, none is taken away or changes its meaning.

mod human;
mod markdown;
mod style;

use std::collections::BTreeMap;

use serde::Serialize;
use serde_json::{Map, Value};

use crate::{
    api::{Mode, Reason, reason::Progress, status::DriftKind},
    organization::guard::GuardReport,
    plan::{Action, Call, value::REDACTED},
    pluvo::request::{MembershipChange, Mutation},
};

use super::{
    forecast::{Forecast, Outlook},
    workspace::{Resource, Workspace},
};

/// What the structure is called.
pub const FORMAT: &str = "pluvo.dev/plan/v1";

/// Without a memory there is no drift.
const DIFFERS: &str = "Differs";

/// A plan.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Printout {
    /// Always [`FORMAT`].
    pub format: &'static str,
    /// The address of the organization.
    pub organization: String,
    /// What it comes to.
    pub summary: Summary,
    /// Every resource, also those with nothing to do.
    pub resources: Vec<Entry>,
}

/// What a plan comes to.
#[derive(Clone, Debug, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Summary {
    /// How many resources there are.
    pub resources: usize,
    /// How many of them have which verb.
    pub verbs: BTreeMap<Verb, usize>,
    /// Resources of which a part waits for something that does not exist.
    pub waiting: usize,
    /// Resources for which a human must act.
    pub stalled: usize,
    /// Mutations that would be sent, before those for one place are put together.
    pub mutations: usize,
    /// Mails that Pluvo would send.
    pub mails: usize,
    /// API requests.
    pub requests: Requests,
    /// What the guard says.
    pub guard: Guard,
}

/// What the guard says of a plan, if it had let nothing through before.
#[derive(Clone, Debug, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Guard {
    /// Destructive operations.
    pub destructive: usize,
    /// So many may be within the guard's window.
    pub max_destructive: usize,
    /// So many mails may be within the guard's window.
    pub max_mails: usize,
    /// Whether it would hold them.
    pub held: bool,
    /// Names exactly the set that is held, for `apply --approve`. The operator names its own.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub digest: Option<String>,
}

impl Guard {
    fn new(report: &GuardReport) -> Self {
        Self {
            destructive: report.amounts().destructive,
            max_destructive: report.limit.destructive,
            max_mails: report.limit.mails,
            held: report.held.is_some(),
            digest: report.held.as_ref().map(|held| held.digest.clone()),
        }
    }
}

/// API requests.
#[derive(Clone, Copy, Debug, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Requests {
    /// That this plan took.
    pub read: u64,
    /// That it would take to write it, about.
    pub write: usize,
}

/// What would happen to a resource.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum Verb {
    /// An object is made.
    Create,
    /// An account that is there already is taken over.
    Adopt,
    /// Values or members change.
    Change,
    /// Users join a group or a training.
    Add,
    /// Users leave a group or a training.
    Remove,
    /// An account is archived.
    Archive,
    /// An archived account comes back.
    Restore,
    /// An object is deleted for good.
    Delete,
    /// The manifest is gone, and everything in Pluvo stays.
    Orphan,
    /// Pluvo differs, and the mode only reports it.
    Report,
    /// Pluvo does not tell some values, so that they cannot be compared; all others are as declared.
    Unobservable,
    /// Nothing can be done before something else exists.
    Wait,
    /// Nothing can be done before a human acts.
    Stall,
    /// The resource is suspended.
    Suspend,
    /// Pluvo holds everything as declared.
    Keep,
}

/// What would happen to one resource.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Entry {
    /// Its kind.
    pub kind: &'static str,
    /// Its namespace.
    pub namespace: String,
    /// Its name.
    pub name: String,
    /// Where it is written: file, line and document.
    pub source: String,
    /// What it is about, such as `user EMP-1`.
    pub subject: String,
    /// Whether its manifest is gone since `--base`.
    pub deleted: bool,
    /// What would happen.
    pub verb: Verb,
    /// The mode in effect.
    pub mode: Mode,
    /// Where Pluvo differs.
    pub differences: Vec<Differs>,
    /// What would be sent, in order.
    pub mutations: Vec<Sent>,
    /// Refs of those whom Pluvo would tell by mail.
    pub mails: Vec<String>,
    /// What is left when all of this was sent.
    pub after: After,
}

/// A difference.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Differs {
    /// The path in the spec, such as `name` or `users[EMP-1]`.
    pub path: String,
    /// What kind of difference.
    pub kind: DriftKind,
    /// What the manifest says; `<redacted>` where it is personal data.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub desired: Option<String>,
    /// What Pluvo says; `<redacted>` where it is personal data.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub observed: Option<String>,
}

/// A mutation as it would be sent. Ids of objects that do not exist yet read `new:user:<ref>` and `new:group:<ref>`.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Sent {
    /// The root field.
    pub operation: &'static str,
    /// Its arguments; personal data reads `<redacted>`.
    pub arguments: Map<String, Value>,
}

/// What is left to say.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct After {
    /// In one word.
    pub state: State,
    /// The reason that the resource's condition Ready would have, and `Differs` for what is only reported.
    pub reason: String,
    /// What happened and what to do.
    pub message: String,
}

/// How a resource ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum State {
    /// Nothing is left to do.
    Done,
    /// It waits for something.
    Waiting,
    /// A human must act.
    Stalled,
}

impl Printout {
    /// The plan as data. `read`: requests that it took.
    pub fn new(
        organization: String,
        workspace: &Workspace,
        forecast: &Forecast,
        read: u64,
        show_personal_data: bool,
    ) -> Self {
        let resources: Vec<_> = workspace
            .resources
            .iter()
            .zip(&forecast.resources)
            .map(|(resource, outlook)| Entry::new(resource, outlook, show_personal_data))
            .collect();
        let count = |state| resources.iter().filter(|entry| entry.after.state == state).count();
        let mut verbs = BTreeMap::new();
        for entry in &resources {
            *verbs.entry(entry.verb).or_default() += 1;
        }
        let summary = Summary {
            resources: resources.len(),
            verbs,
            waiting: count(State::Waiting),
            stalled: count(State::Stalled),
            mutations: resources.iter().map(|entry| entry.mutations.len()).sum(),
            mails: resources.iter().map(|entry| entry.mails.len()).sum(),
            requests: Requests {
                read,
                write: forecast.requests,
            },
            guard: Guard::new(&forecast.guard),
        };
        Self {
            format: FORMAT,
            organization,
            summary,
            resources,
        }
    }

    /// Whether Pluvo holds everything as declared, as far as it tells.
    pub fn is_empty(&self) -> bool {
        self.resources.iter().all(Entry::is_settled)
    }

    /// Whether nothing waits and nothing is stalled.
    pub fn is_applied(&self) -> bool {
        self.resources.iter().all(|entry| entry.after.state == State::Done)
    }

    /// What was done, for people.
    pub fn to_applied(&self, mutations: u64) -> String {
        human::render_applied(self, mutations)
    }

    /// For people.
    pub fn to_human(&self) -> String {
        human::render(self)
    }

    /// For pull requests.
    pub fn to_markdown(&self) -> String {
        markdown::render(self)
    }
}

impl Entry {
    fn new(resource: &Resource, outlook: &Outlook, show_personal_data: bool) -> Self {
        let deleting = resource.object.is_deleting();
        let after = After::new(outlook, deleting);
        let mutations = outlook.calls.iter().flat_map(|call| call.action.mutations());
        Self {
            kind: resource.key.kind.name(),
            namespace: resource.key.namespace.to_string(),
            name: resource.key.name.to_string(),
            source: resource.origin.to_string(),
            subject: resource.subject(),
            deleted: deleting,
            verb: verb(outlook, deleting, after.state),
            mode: outlook.mode,
            differences: outlook
                .differences
                .iter()
                .map(|difference| Differs {
                    path: difference.path.clone(),
                    kind: difference.kind,
                    desired: difference.desired.clone(),
                    observed: difference.observed.clone(),
                })
                .collect(),
            mutations: mutations
                .map(|mutation| Sent::new(&mutation, show_personal_data))
                .collect(),
            mails: outlook
                .calls
                .iter()
                .flat_map(|call| call.mails.iter().cloned())
                .collect(),
            after,
        }
    }

    /// Whether there is nothing to do and nothing to say.
    pub fn is_settled(&self) -> bool {
        matches!(
            self.verb,
            Verb::Keep | Verb::Orphan | Verb::Unobservable | Verb::Suspend
        ) && self.after.state == State::Done
    }

    /// Whether something is to be said besides the differences.
    pub fn has_more_to_say(&self) -> bool {
        self.after.state != State::Done
            || self.after.reason == DIFFERS
            || matches!(self.verb, Verb::Orphan | Verb::Suspend)
    }

    /// The resource as people name it.
    pub fn resource(&self) -> String {
        format!("{} {}/{}", self.kind, self.namespace, self.name)
    }
}

impl After {
    fn new(outlook: &Outlook, deleting: bool) -> Self {
        let verdict = &outlook.verdict;
        let state = match verdict.progress {
            Progress::Stalled => State::Stalled,
            Progress::Reconciling if deleting && outlook.deletion_blocked.is_none() => State::Done,
            Progress::Reconciling => State::Waiting,
            Progress::Done | Progress::Terminating | Progress::Idle => State::Done,
        };
        let reason = match verdict.reason {
            Reason::DriftReported => DIFFERS.to_owned(),
            reason => reason.to_string(),
        };
        let message = match &outlook.deletion_blocked {
            Some(blocked) => blocked.clone(),
            // A resource that ends hands over to those that go on, and waits for them to note it down.
            None if deleting && outlook.calls.is_empty() && !outlook.released => {
                "nobody leaves: other resources declare them".to_owned()
            }
            None if verdict.reason == Reason::DriftReported && outlook.mode == Mode::Observe => {
                "mode Observe only reports this".to_owned()
            }
            None => verdict.message.clone(),
        };
        Self { state, reason, message }
    }
}

impl Sent {
    fn new(mutation: &Mutation, show_personal_data: bool) -> Self {
        let operation = mutation.operation();
        let mut arguments = operation.arguments_as_json();
        if !show_personal_data {
            redact(&mut arguments);
        }
        Self {
            operation: operation.field,
            arguments,
        }
    }
}

/// Hides e-mail addresses and the values of custom fields, under whatever they are nested.
fn redact(members: &mut Map<String, Value>) {
    const PERSONAL: [&str; 5] = ["email", "stringValue", "datetimeValue", "booleanValue", "choiceValues"];
    for (name, value) in members {
        if PERSONAL.contains(&name.as_str()) {
            *value = REDACTED.into();
            continue;
        }
        match value {
            Value::Object(members) => redact(members),
            Value::Array(items) => items.iter_mut().filter_map(Value::as_object_mut).for_each(redact),
            _ => {}
        }
    }
}

fn verb(outlook: &Outlook, deleting: bool, state: State) -> Verb {
    let observable = |outlook: &Outlook| {
        outlook
            .differences
            .iter()
            .any(|difference| difference.kind != DriftKind::Unobservable)
    };
    match () {
        () if outlook.verdict.progress == Progress::Idle => Verb::Suspend,
        () if outlook.adopted && !outlook.calls.is_empty() => Verb::Adopt,
        () if !outlook.calls.is_empty() && (deleting || observable(outlook)) => verb_of(&outlook.calls),
        () if deleting && state == State::Done => Verb::Orphan,
        () if state == State::Stalled => Verb::Stall,
        () if state == State::Waiting => Verb::Wait,
        () if observable(outlook) => Verb::Report,
        () if !outlook.differences.is_empty() => Verb::Unobservable,
        () => Verb::Keep,
    }
}

fn verb_of(calls: &[Call]) -> Verb {
    let mut verbs: Vec<_> = calls
        .iter()
        .map(|call| match &call.action {
            Action::Mutate(Mutation::CreateUser { .. } | Mutation::CreateGroup(_)) => Verb::Create,
            Action::Mutate(Mutation::DeleteGroup(_)) => Verb::Delete,
            Action::Mutate(Mutation::UpdateUser { user, .. }) => match user.archived {
                Some(true) => Verb::Archive,
                Some(false) => Verb::Restore,
                None => Verb::Change,
            },
            Action::Mutate(_) => Verb::Change,
            Action::Subjects { change, .. } => match change {
                MembershipChange::Add => Verb::Add,
                MembershipChange::Remove => Verb::Remove,
            },
        })
        .collect();
    let first = verbs.first().copied().unwrap_or(Verb::Keep);
    verbs.retain(|verb| *verb != first);
    let mixed = matches!(first, Verb::Add | Verb::Remove) && !verbs.is_empty();
    if mixed { Verb::Change } else { first }
}
