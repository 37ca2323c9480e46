//! Events, on transitions only: what a person would want to have been told.

use k8s_openapi::{
    api::core::v1::ObjectReference,
    apimachinery::pkg::apis::meta::v1::{Condition, ObjectMeta},
};
use kube::{
    Resource,
    runtime::events::{Event, EventType, Reporter},
};

use crate::api::{
    Managed, PluvoConnection, Status,
    reason::condition,
    status::{Drift, DriftState},
};

use super::context::Context;

/// Who reports.
pub fn reporter() -> Reporter {
    Reporter {
        controller: "pluvo-operator".to_owned(),
        instance: std::env::var("POD_NAME").ok(),
    }
}

/// What changed between two statuses and deserves an event: its type, reason and note. Notes name paths, never values.
fn transitions(before: Option<&Status>, after: &Status) -> Vec<(EventType, String, String)> {
    let mut events = Vec::new();
    let find = |status: Option<&Status>, type_: &str| {
        status.and_then(|status| status.conditions.iter().find(|known| known.type_ == type_).cloned())
    };
    if let Some(stalled) = find(Some(after), condition::STALLED)
        && find(before, condition::STALLED).is_none_or(|known| known.reason != stalled.reason)
    {
        events.push((EventType::Warning, stalled.reason, stalled.message));
    }
    let was_drifted = before
        .and_then(|status| status.drift.as_ref())
        .is_some_and(|drift| drift.state == DriftState::Drifted);
    if let Some(drift) = after
        .drift
        .as_ref()
        .filter(|drift| drift.state == DriftState::Drifted && !was_drifted)
    {
        events.push((
            EventType::Warning,
            "Drifted".to_owned(),
            format!("Pluvo differs at {}", paths(drift)),
        ));
    }
    if let Some(correction) = &after.last_correction
        && before.is_none_or(|before| before.last_correction.as_ref() != Some(correction))
    {
        let paths: Vec<_> = correction.entries.iter().map(|entry| entry.path.as_str()).collect();
        events.push((
            EventType::Normal,
            "Corrected".to_owned(),
            format!("put right {}", paths.join(", ")),
        ));
    }
    events.extend(certificates(before, after));
    events
}

/// More certificates than before, in words.
fn certificates(before: Option<&Status>, after: &Status) -> Vec<(EventType, String, String)> {
    // Another spec counts others.
    let before = before.filter(|before| before.observed_generation == after.observed_generation);
    // The first reading finds what was achieved over years.
    let (Some(before), Some(after)) = (
        before.and_then(|before| before.certificates.as_ref()),
        &after.certificates,
    ) else {
        return Vec::new();
    };
    let more = [
        (
            EventType::Normal,
            "Achieved",
            "were achieved",
            before.achieved,
            after.achieved,
        ),
        (
            EventType::Warning,
            "Expiring",
            "are about to end",
            before.expiring,
            after.expiring,
        ),
        (
            EventType::Warning,
            "Expired",
            "have ended",
            before.expired,
            after.expired,
        ),
    ];
    let more = more.into_iter().filter(|(_, _, _, before, after)| after > before);
    more.map(|(type_, what, verb, before, after)| {
        let note = format!(
            "{} certificates more than before {verb}, {after} in all",
            after.saturating_sub(before)
        );
        (type_, format!("Certificates{what}"), note)
    })
    .collect()
}

fn paths(drift: &Drift) -> String {
    let named: Vec<_> = drift.entries.iter().map(|entry| entry.path.as_str()).take(5).collect();
    format!("{} ({} in all)", named.join(", "), drift.count)
}

/// Tells that the guard of a connection holds what it did not hold before.
pub async fn guard_tripped(context: &Context, connection: &PluvoConnection, before: &[Condition], after: &[Condition]) {
    let tripped = |conditions: &[Condition]| {
        let mut tripped = conditions
            .iter()
            .filter(|known| known.type_ == condition::GUARD_TRIPPED);
        tripped.find(|known| known.status == "True").cloned()
    };
    if let (None, Some(told)) = (tripped(before), tripped(after)) {
        let about = connection.object_ref(&());
        send(
            context,
            &about,
            EventType::Warning,
            condition::GUARD_TRIPPED.to_owned(),
            &told.message,
        )
        .await;
    }
}

/// Tells that a resource goes and leaves Pluvo as it is, though its policy says otherwise.
pub async fn orphaned<K: Managed>(context: &Context, meta: &ObjectMeta, why: &str) {
    let reference = ObjectReference {
        api_version: Some(K::api_version(&()).into_owned()),
        kind: Some(K::kind(&()).into_owned()),
        namespace: meta.namespace.clone(),
        name: meta.name.clone(),
        uid: meta.uid.clone(),
        ..ObjectReference::default()
    };
    let note = format!("left as it is in Pluvo: {why}");
    send(context, &reference, EventType::Normal, "Orphaned".to_owned(), &note).await;
}

/// Publishes what a status transition is worth telling. An event that cannot be published fails nothing.
pub async fn publish<K: Managed>(context: &Context, object: &K, before: Option<&Status>, after: &Status) {
    for (type_, reason, note) in transitions(before, after) {
        send(context, &object.object_ref(&()), type_, reason, &note).await;
    }
}

async fn send(context: &Context, about: &ObjectReference, type_: EventType, reason: String, note: &str) {
    let event = Event {
        type_,
        reason,
        note: Some(note.chars().take(1000).collect()),
        action: "Reconcile".to_owned(),
        secondary: None,
    };
    if let Err(error) = context.recorder.publish(&event, about).await {
        tracing::debug!(%error, "an event was not published");
    }
}
