//! What reports have found, as metrics: how many and how far, by group and title, and nobody's name.

use crate::{
    api::Status,
    plan::{Object, ResourceKey},
    telemetry::{Figure, Finding},
};

use super::context::Context;

/// Replaces the metrics of a report by what its status says.
pub fn publish(context: &Context, object: &Object, status: &Status) {
    let Some(groups) = object.reported() else {
        return;
    };
    let groups = groups.groups().join(",");
    let key = object.key();
    context
        .metrics
        .findings(key.kind, &key.namespace, &key.name, &groups, findings(status));
}

/// A resource is gone: what it found last would stand for ever.
pub fn forget(context: &Context, key: &ResourceKey) {
    context
        .metrics
        .findings(key.kind, &key.namespace, &key.name, "", Vec::new());
}

fn findings(status: &Status) -> Vec<Finding> {
    let mut findings = Vec::new();
    let mut note = |figure, title: &str, value| {
        findings.push(Finding {
            figure,
            title: title.to_owned(),
            value,
        });
    };
    for training in status.progress.iter().flat_map(|progress| &progress.by_training) {
        note(Figure::Rows, &training.title, training.rows);
        note(Figure::Completed, &training.title, training.completed);
        if let Some(average) = training.average_percent {
            note(Figure::AveragePercent, &training.title, average);
        }
    }
    for certificate in status.certificates.iter().flat_map(|found| &found.by_certificate) {
        note(Figure::Achieved, &certificate.title, certificate.achieved);
        note(Figure::Expiring, &certificate.title, certificate.expiring);
        note(Figure::Expired, &certificate.title, certificate.expired);
    }
    if let Some(inactive) = &status.inactive {
        note(Figure::Inactive, "", inactive.count);
    }
    findings
}
