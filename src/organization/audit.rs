//! The audit log: one line per mutation, on log target `audit`. It says who asked for it and why, what it was about and
//! what became of it. It names fields and refs, never values. `docs/audit.md` describes the lines.

use std::collections::BTreeSet;

use serde::Serialize;

use crate::{
    plan::{Cause, observed::Key},
    pluvo::request::{Mutation, Selector},
};

use super::{
    batch::{Batch, Entry},
    state::State,
};

/// What became of one mutation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum Fate {
    /// Pluvo did it.
    Acknowledged,
    /// Pluvo refused it.
    Refused,
    /// It never came to be executed: not sent, or its document was rejected before.
    NotExecuted,
    /// No answer, or one that cannot be believed: it is read before anything is decided.
    Unknown,
}

/// One line.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Line<'a> {
    connection: &'a str,
    organization: &'a str,
    operation: &'static str,
    object: String,
    fields: BTreeSet<String>,
    mail: bool,
    outcome: Fate,
    resources: Vec<Asker<'a>>,
}

/// A resource that asked for it.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Asker<'a> {
    kind: &'static str,
    namespace: &'a str,
    name: &'a str,
    uid: &'a str,
    generation: i64,
    cause: &'static str,
}

/// The lines for a document, one per mutation, as JSON objects.
#[must_use]
pub fn lines(connection: &str, organization: &str, batch: &Batch, fates: &[Fate], state: &State) -> Vec<String> {
    let entries = batch.entries.iter().zip(fates);
    let lines = entries.map(|(entry, fate)| Line {
        connection,
        organization,
        operation: entry.mutation.field(),
        object: object(&entry.mutation, state),
        fields: fields(entry),
        mail: entry.parts.iter().any(|(_, call)| !call.mails.is_empty()),
        outcome: *fate,
        resources: askers(entry),
    });
    // Strings and numbers can always be written.
    lines.filter_map(|line| serde_json::to_string(&line).ok()).collect()
}

/// Writes lines. Nothing is written while the state is locked.
pub fn write(lines: &[String]) {
    for line in lines {
        tracing::info!(target: "audit", "{line}");
    }
}

fn askers(entry: &Entry) -> Vec<Asker<'_>> {
    let parts = entry.parts.iter();
    let askers = parts.map(|(resource, call)| Asker {
        kind: resource.kind.name(),
        namespace: &resource.namespace,
        name: &resource.name,
        uid: &call.origin.uid,
        generation: call.origin.generation,
        cause: match call.cause {
            Cause::Change => "change",
            Cause::Drift => "drift",
            Cause::Deletion => "deletion",
        },
    });
    askers.collect()
}

/// Paths in the spec. A creation writes everything that it names.
fn fields(entry: &Entry) -> BTreeSet<String> {
    match &entry.mutation {
        Mutation::CreateUser { .. } | Mutation::CreateGroup(_) => {
            let arguments = entry.mutation.operation().arguments_as_json();
            let inputs = arguments.values().filter_map(serde_json::Value::as_object);
            inputs.flat_map(serde_json::Map::keys).cloned().collect()
        }
        _ => {
            let writes = entry.parts.iter().flat_map(|(_, call)| &call.writes);
            writes.map(|write| write.path.to_string()).collect()
        }
    }
}

/// What the mutation is about, by ref where that is known.
fn object(mutation: &Mutation, state: &State) -> String {
    match mutation {
        Mutation::GroupMembers { group, .. } => name(&Key::GroupId(group.clone()), state),
        Mutation::AddToTraining { training, .. } | Mutation::RemoveFromTraining { training, .. } => {
            name(&Key::TrainingId(training.clone()), state)
        }
        // Its row is in doubt until it was read again.
        Mutation::Enroll { event, .. } | Mutation::Unenroll { event, .. } => format!("event {}", event.reference),
        Mutation::SetCustomFields {
            object: Selector::Ref(reference),
            content_type,
            ..
        } => {
            let kind = if *content_type == crate::pluvo::request::ContentType::User {
                "user"
            } else {
                "group"
            };
            format!("{kind} {reference}")
        }
        mutation => name(&super::batch::object_of(mutation), state),
    }
}

fn name(key: &Key, state: &State) -> String {
    let named = |kind: &str, reference: Option<&str>, id: &str| format!("{kind} {}", reference.unwrap_or(id));
    match key {
        Key::UserRef(reference) => format!("user {reference}"),
        Key::GroupRef(reference) => format!("group {reference}"),
        Key::UserId(id) => {
            let user = state.mirror.user(key).found();
            named("user", user.as_ref().and_then(|user| user.reference.as_deref()), &id.0)
        }
        Key::GroupId(id) => {
            let group = state.mirror.group(key).found();
            named(
                "group",
                group.as_ref().and_then(|group| group.reference.as_deref()),
                &id.0,
            )
        }
        Key::TrainingId(id) => {
            let training = state.mirror.training(key).found();
            named(
                "training",
                training.as_ref().and_then(|training| training.reference.as_deref()),
                &id.0,
            )
        }
        Key::TrainingRef(_)
        | Key::OfferEventId(_)
        | Key::OfferEventRef(_)
        | Key::OfferEvents
        | Key::Enrollment(..)
        | Key::UserEmail(_)
        | Key::GroupsOf(_)
        | Key::Members(..)
        | Key::Participants(_)
        | Key::CustomFields(_)
        | Key::Survey(_)
        | Key::Availability => String::new(),
    }
}
