//! The next status of a resource, from the one that stands and from what was decided.
//!
//! Times move only on transitions, so that two statuses with the same meaning are equal, and an equal status is not
//! written. Conditions follow the Kubernetes API conventions and kstatus; see the state table in `api::reason`.

use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{Condition, Time};

use crate::api::{
    Mode, Reason, Status,
    reason::{Part, Progress, TABLE, condition},
    status::{Applied, CorrectedPath, Correction, Drift, DriftEntry, DriftState, MAX_ENTRIES},
};

use super::{
    Decision, Difference, Object, Verdict,
    reporting::{About, Findings},
};

/// The status of a resource after a decision.
#[must_use]
pub fn status(object: &Object, decision: &Decision, mode: Mode, now: Timestamp) -> Status {
    let before = object.status().cloned().unwrap_or_default();
    let mut status = Status {
        observed_generation: object.meta().generation,
        for_uid: object.meta().uid.clone(),
        mode: Some(mode),
        ..before.clone()
    };
    // Whoever was told by mail once is not forgotten, whatever is declared meanwhile.
    status.mailed.extend(decision.mailed.iter().cloned());
    if decision.compared {
        compared(&mut status, &before, decision, now);
    }
    status.conditions = conditions(object, &before, &status, decision, now);
    status
}

/// The status of a suspended resource: as it was, and it says so.
#[must_use]
pub fn suspended(object: &Object, now: Timestamp) -> Status {
    let generation = object.meta().generation;
    let mut status = object.status().cloned().unwrap_or_else(|| Status {
        observed_generation: Some(-1),
        for_uid: object.meta().uid.clone(),
        ..Status::default()
    });
    let before = status.conditions.clone();
    let make =
        |type_, value, message: &str| transition(&before, type_, value, Reason::Suspended, message, generation, now);
    if status.conditions.is_empty() {
        for type_ in [condition::READY, condition::SYNCED, condition::DRIFTED] {
            status.conditions.push(make(
                type_,
                "Unknown",
                "created suspended: nothing was read or written yet",
            ));
        }
    }
    status.conditions.retain(|known| known.type_ != condition::SUSPENDED);
    status.conditions.push(make(
        condition::SUSPENDED,
        "True",
        "spec.suspend is set: nothing is read, written or reported",
    ));
    status
}

fn compared(status: &mut Status, before: &Status, decision: &Decision, now: Timestamp) {
    if let Some(id) = &decision.identity.id {
        status.id = Some(id.0.to_string());
    }
    if let Some(previous) = &decision.identity.adopted {
        status.adopted = Some(true);
        status.previous_ref = previous.as_deref().map(str::to_owned);
    }
    let known = |path: &String, hash: &String| {
        before
            .applied
            .iter()
            .find(|known| known.path == *path && known.hash == *hash)
    };
    let applied = decision.applied.iter().map(|(path, hash)| Applied {
        path: path.clone(),
        hash: hash.clone(),
        corrected: known(path, hash)
            .map(|known| known.corrected.clone())
            .unwrap_or_default(),
    });
    status.applied = applied.collect();
    if let Some(subjects) = &decision.subjects {
        status.subjects = Some(subjects.counts.clone());
        status.inventory.clone_from(&subjects.inventory);
        status.found.clone_from(&subjects.found);
        status.pending.clone_from(&subjects.pending);
        status.enrollments.clone_from(&subjects.standings);
        status.members_observed = subjects.unobservable.then_some(false);
    }
    if let Some(findings) = &decision.findings {
        found(status, findings);
    }
    status.drift = Some(drift(before.drift.as_ref(), decision, now));
    if let Some(correction) = correction(before, decision, now) {
        let paths: Vec<_> = correction.entries.iter().map(|entry| &entry.path).collect();
        for applied in status
            .applied
            .iter_mut()
            .filter(|applied| paths.contains(&&applied.path))
        {
            applied.note_correction(correction.at.clone());
        }
        status.last_correction = Some(correction);
    }
}

fn found(status: &mut Status, findings: &Findings) {
    status.read = Some(findings.read.clone());
    status.cost = Some(findings.cost.clone());
    match &findings.about {
        About::Progress(progress) => status.progress = Some(Box::new(progress.clone())),
        About::Certificates(certificates) => status.certificates = Some(Box::new(certificates.clone())),
        About::Inactive(inactive) => status.inactive = Some(Box::new(inactive.clone())),
    }
}

fn drift(before: Option<&Drift>, decision: &Decision, now: Timestamp) -> Drift {
    let since = |difference: &Difference| {
        let known = before.and_then(|drift| {
            drift
                .entries
                .iter()
                .find(|entry| entry.path == difference.path && entry.kind == difference.kind)
        });
        known.map_or(Time(now), |entry| entry.since.clone())
    };
    let all = decision.drift.iter().chain(&decision.waiting);
    let entries: Vec<_> = all
        .take(MAX_ENTRIES)
        .map(|difference| DriftEntry {
            path: difference.path.clone(),
            kind: difference.kind,
            desired: difference.desired.clone(),
            observed: difference.observed.clone(),
            since: since(difference),
        })
        .collect();
    let drifted = !decision.drift.is_empty();
    let first = before
        .filter(|drift| drift.state == DriftState::Drifted)
        .and_then(|drift| drift.first_detected_at.clone());
    Drift {
        state: match decision.subjects.as_ref().is_some_and(|subjects| subjects.unobservable) {
            _ if drifted => DriftState::Drifted,
            true => DriftState::Unknown,
            false => DriftState::InSync,
        },
        count: i64::try_from(decision.drift.len()).unwrap_or(i64::MAX),
        truncated: decision.drift.len() + decision.waiting.len() > MAX_ENTRIES,
        first_detected_at: drifted.then(|| first.unwrap_or(Time(now))),
        entries,
    }
}

/// What was being corrected when the last status was written, and is right now.
fn correction(before: &Status, decision: &Decision, now: Timestamp) -> Option<Correction> {
    let corrects = [Reason::Correcting, Reason::HeldByGuard].map(Reason::as_str);
    let was_correcting = before
        .conditions
        .iter()
        .any(|known| known.type_ == condition::READY && corrects.contains(&known.reason.as_str()));
    let drift = before.drift.as_ref().filter(|_| was_correcting)?;
    // What is waited for is listed behind the drift, and was never wrong.
    let listed = usize::try_from(drift.count).unwrap_or_default();
    let right: Vec<_> = drift
        .entries
        .iter()
        .take(listed)
        .filter(|entry| is_right(&entry.path, decision))
        .map(|entry| CorrectedPath {
            path: entry.path.clone(),
            kind: entry.kind,
        })
        .collect();
    let left = i64::try_from(decision.drift.len()).unwrap_or(i64::MAX);
    let count = drift.count.saturating_sub(left);
    let listed = i64::try_from(right.len()).unwrap_or(i64::MAX);
    (!right.is_empty()).then(|| Correction {
        at: Time(now),
        count: count.max(listed),
        entries: right,
    })
}

/// Whether a path is as it is declared: not one that differs, is waited for, or is not declared any more.
fn is_right(path: &str, decision: &Decision) -> bool {
    let mut differences = decision.drift.iter().chain(&decision.changes).chain(&decision.waiting);
    let differs = differences.any(|difference| difference.path == path);
    !differs && (decision.subjects.is_some() || decision.applied.contains_key(path))
}

fn conditions(
    object: &Object,
    before: &Status,
    status: &Status,
    decision: &Decision,
    now: Timestamp,
) -> Vec<Condition> {
    let Verdict {
        reason,
        message,
        progress,
        ..
    } = &decision.verdict;
    let generation = object.meta().generation;
    let make = |type_, value, reason, message: &str| {
        transition(&before.conditions, type_, value, reason, message, generation, now)
    };
    let mut conditions = vec![
        make(condition::READY, ready(*progress), *reason, message),
        make(condition::SYNCED, synced(*reason), *reason, message),
    ];
    conditions.push(drifted(before, status, decision, &make));
    match progress {
        Progress::Reconciling => conditions.push(make(condition::RECONCILING, "True", *reason, message)),
        Progress::Stalled => conditions.push(make(condition::STALLED, "True", *reason, message)),
        Progress::Done | Progress::Terminating | Progress::Idle => {}
    }
    if let Some(waits_for) = &decision.deletion_blocked {
        conditions.push(make(condition::DELETION_BLOCKED, "True", Reason::Deleting, waits_for));
    }
    conditions
}

fn drifted(
    before: &Status,
    status: &Status,
    decision: &Decision,
    make: &impl Fn(&'static str, &'static str, Reason, &str) -> Condition,
) -> Condition {
    if !decision.compared {
        let known = before
            .conditions
            .iter()
            .find(|known| known.type_ == condition::DRIFTED)
            .cloned();
        return known.unwrap_or_else(|| {
            make(
                condition::DRIFTED,
                "Unknown",
                decision.verdict.reason,
                "what is declared and what Pluvo holds were not compared yet",
            )
        });
    }
    match status.drift.as_ref().map(|drift| (drift.state, drift.count)) {
        Some((DriftState::Drifted, count)) => {
            let paths: Vec<_> = decision
                .drift
                .iter()
                .take(5)
                .map(|difference| difference.path.as_str())
                .collect();
            make(
                condition::DRIFTED,
                "True",
                Reason::DriftReported,
                &format!("{count} differences: {}", paths.join(", ")),
            )
        }
        Some((DriftState::Unknown, _)) => make(
            condition::DRIFTED,
            "Unknown",
            decision.verdict.reason,
            "Pluvo does not say who is there",
        ),
        _ => make(condition::DRIFTED, "False", Reason::InSync, "no drift"),
    }
}

fn ready(progress: Progress) -> &'static str {
    match progress {
        Progress::Done => "True",
        Progress::Reconciling | Progress::Stalled | Progress::Terminating => "False",
        Progress::Idle => "Unknown",
    }
}

/// Whether the last pass succeeded, as the state table says it for this reason.
fn synced(reason: Reason) -> &'static str {
    let row = TABLE
        .iter()
        .find(|row| row.part == Part::Managed && row.reason == reason);
    row.and_then(|row| row.synced.first()).copied().unwrap_or("Unknown")
}

/// A condition whose transition time moves only when its status does.
#[must_use]
pub fn transition(
    before: &[Condition],
    type_: &'static str,
    value: &str,
    reason: Reason,
    message: &str,
    generation: Option<i64>,
    now: Timestamp,
) -> Condition {
    let known = before
        .iter()
        .find(|known| known.type_ == type_ && known.status == value);
    Condition {
        type_: type_.to_owned(),
        status: value.to_owned(),
        reason: reason.as_str().to_owned(),
        message: message.chars().take(1024).collect(),
        observed_generation: generation,
        last_transition_time: known.map_or(Time(now), |known| known.last_transition_time.clone()),
    }
}

#[cfg(test)]
mod tests;
