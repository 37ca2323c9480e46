//! Counts, with bounded labels.

use std::collections::HashMap;

use parking_lot::Mutex;
use prometheus_client::{
    encoding::{EncodeLabelSet, EncodeLabelValue, LabelValueEncoder, text::encode},
    metrics::{counter::Counter, family::Family, gauge::Gauge},
    registry::Registry,
};

use crate::api::Kind;

/// All metrics of the process.
pub struct Metrics {
    registry: Registry,
    passes: Family<KindLabel, Counter>,
    /// Passes over managed resources that are to come or under way.
    pub awaited_passes: Gauge,
    status_writes: Family<KindLabel, Counter>,
    conflicts: Counter,
    guard_held: Family<HeldLabel, Gauge>,
    guard_passed: Family<HeldLabel, Gauge>,
    webhooks: Family<DeliveryLabel, Counter>,
    findings: [Family<FindingLabel, Gauge>; Figure::ALL.len()],
    /// What stands there for each report, so that it can be taken away.
    found: Mutex<HashMap<ReportName, Vec<(Figure, FindingLabel)>>>,
}

/// Kind, namespace and name of a report.
type ReportName = (Kind, String, String);

/// Something that reports count.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Figure {
    /// Rows of a progress report.
    Rows,
    /// Those of them that are completed.
    Completed,
    /// How much is done on the average.
    AveragePercent,
    /// Certificates that were achieved.
    Achieved,
    /// Certificates that are about to end.
    Expiring,
    /// Certificates that have ended.
    Expired,
    /// Accounts that nobody uses.
    Inactive,
}

impl Figure {
    const ALL: [(Self, &'static str, &'static str); 7] = [
        (Self::Rows, "report_rows", "Rows of a progress report, by title"),
        (
            Self::Completed,
            "report_completed",
            "Rows of a progress report that are completed, by title",
        ),
        (
            Self::AveragePercent,
            "report_average_percent",
            "How much is done on the average, by title",
        ),
        (
            Self::Achieved,
            "certificates_achieved",
            "Certificates that were achieved, by title",
        ),
        (
            Self::Expiring,
            "certificates_expiring",
            "Certificates that are about to end, by title",
        ),
        (
            Self::Expired,
            "certificates_expired",
            "Certificates that have ended, by title",
        ),
        (Self::Inactive, "inactive_accounts", "Accounts that nobody uses"),
    ];
}

/// Something that a report has found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// What was counted.
    pub figure: Figure,
    /// Of which training or certificate; empty where it is not about one.
    pub title: String,
    /// How many.
    pub value: i64,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct FindingLabel {
    namespace: String,
    name: String,
    groups: String,
    title: String,
}

/// What the guard of a connection counts.
#[derive(Clone, Copy, Debug, Default)]
pub struct GuardFigures {
    /// Destructive operations that are held until somebody approves them.
    pub held_destructive: usize,
    /// Mails that are held.
    pub held_mails: usize,
    /// Destructive operations that were let through within the window.
    pub passed_destructive: usize,
    /// Mails that were let through.
    pub passed_mails: usize,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct HeldLabel {
    namespace: String,
    connection: String,
    what: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct DeliveryLabel {
    namespace: String,
    connection: String,
    outcome: &'static str,
}

const DESTRUCTIVE: &str = "destructive";
const MAILS: &str = "mails";

impl HeldLabel {
    fn new(namespace: &str, connection: &str, what: &'static str) -> Self {
        Self {
            namespace: namespace.to_owned(),
            connection: connection.to_owned(),
            what,
        }
    }
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct KindLabel {
    kind: KindName,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct KindName(Kind);

impl EncodeLabelValue for KindName {
    fn encode(&self, encoder: &mut LabelValueEncoder<'_>) -> Result<(), std::fmt::Error> {
        self.0.name().encode(encoder)
    }
}

impl Default for Metrics {
    fn default() -> Self {
        let mut registry = Registry::with_prefix("pluvo_operator");
        let (passes, status_writes, conflicts) = (Family::default(), Family::default(), Counter::default());
        registry.register("reconcile_passes", "Passes over managed resources", passes.clone());
        registry.register(
            "status_writes",
            "Statuses written to managed resources",
            status_writes.clone(),
        );
        registry.register(
            "conflicts",
            "Writes to Kubernetes that were refused because the object had changed",
            conflicts.clone(),
        );
        let awaited_passes = Gauge::default();
        registry.register(
            "awaited_passes",
            "Passes over managed resources that are to come or under way",
            awaited_passes.clone(),
        );
        let (guard_held, guard_passed) = (Family::default(), Family::default());
        registry.register(
            "guard_held",
            "What the guard of a connection holds until somebody approves it",
            guard_held.clone(),
        );
        registry.register(
            "guard_passed",
            "What the guard of a connection let through within its window, approved sets apart",
            guard_passed.clone(),
        );
        let webhooks = Family::default();
        registry.register(
            "webhooks",
            "Deliveries of webhooks by what became of them; without a connection where there is none of that name",
            webhooks.clone(),
        );
        let findings = std::array::from_fn(|_| Family::default());
        for ((_, name, help), family) in Figure::ALL.into_iter().zip(&findings) {
            registry.register(name, help, Family::clone(family));
        }
        Self {
            registry,
            passes,
            awaited_passes,
            status_writes,
            conflicts,
            guard_held,
            guard_passed,
            webhooks,
            findings,
            found: Mutex::default(),
        }
    }
}

impl Metrics {
    /// A pass over a managed resource begins.
    pub fn pass(&self, kind: Kind) {
        self.passes.get_or_create(&KindLabel { kind: KindName(kind) }).inc();
    }

    /// A status of a managed resource was written.
    pub fn status_write(&self, kind: Kind) {
        self.status_writes
            .get_or_create(&KindLabel { kind: KindName(kind) })
            .inc();
    }

    /// What the guard of a connection counts now.
    pub fn guard(&self, namespace: &str, connection: &str, figures: GuardFigures) {
        let set = |family: &Family<HeldLabel, Gauge>, what, value: usize| {
            family
                .get_or_create(&HeldLabel::new(namespace, connection, what))
                .set(i64::try_from(value).unwrap_or(i64::MAX));
        };
        set(&self.guard_held, DESTRUCTIVE, figures.held_destructive);
        set(&self.guard_held, MAILS, figures.held_mails);
        set(&self.guard_passed, DESTRUCTIVE, figures.passed_destructive);
        set(&self.guard_passed, MAILS, figures.passed_mails);
    }

    /// A connection is gone: what its guard held last would stand for ever.
    pub fn forget_guard(&self, namespace: &str, connection: &str) {
        for family in [&self.guard_held, &self.guard_passed] {
            for what in [DESTRUCTIVE, MAILS] {
                family.remove(&HeldLabel::new(namespace, connection, what));
            }
        }
    }

    /// A delivery of a webhook has come. Names are those of connections that exist, else empty: labels stay few.
    pub fn webhook(&self, namespace: &str, connection: &str, outcome: &'static str) {
        let label = DeliveryLabel {
            namespace: namespace.to_owned(),
            connection: connection.to_owned(),
            outcome,
        };
        self.webhooks.get_or_create(&label).inc();
    }

    /// Replaces what a report has found.
    pub fn findings(&self, kind: Kind, namespace: &str, name: &str, groups: &str, findings: Vec<Finding>) {
        let mut found = self.found.lock();
        let report = (kind, namespace.to_owned(), name.to_owned());
        for (figure, label) in found.remove(&report).unwrap_or_default() {
            self.findings[figure as usize].remove(&label);
        }
        if findings.is_empty() {
            return;
        }
        let known = found.entry(report).or_default();
        for Finding { figure, title, value } in findings {
            let label = FindingLabel {
                namespace: namespace.to_owned(),
                name: name.to_owned(),
                groups: groups.to_owned(),
                title,
            };
            self.findings[figure as usize].get_or_create(&label).set(value);
            known.push((figure, label));
        }
    }

    /// A write was refused because the object had changed.
    pub fn conflict(&self) {
        self.conflicts.inc();
    }

    /// All metrics in the `OpenMetrics` text format.
    #[must_use]
    pub fn encode(&self) -> String {
        let mut text = String::new();
        // Writing to a String cannot fail.
        let _ = encode(&mut text, &self.registry);
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_reports_have_found_stands_until_it_is_replaced() {
        let metrics = Metrics::default();
        let found = |values: &[(Figure, i64)]| {
            let finding = |(figure, value): &(Figure, i64)| Finding {
                figure: *figure,
                title: "T".to_owned(),
                value: *value,
            };
            let findings = values.iter().map(finding).collect();
            metrics.findings(Kind::Progress, "ns", "name", "g", findings);
            let lines = metrics.encode();
            let ours = lines.lines().filter(|line| line.contains(r#"title="T""#));
            ours.map(|line| line.replace(r#"{namespace="ns",name="name",groups="g",title="T"}"#, ""))
                .collect::<Vec<_>>()
        };
        let all: Vec<_> = Figure::ALL.iter().map(|(figure, ..)| *figure).zip(1..).collect();
        let expected = [
            "report_rows 1",
            "report_completed 2",
            "report_average_percent 3",
            "certificates_achieved 4",
            "certificates_expiring 5",
            "certificates_expired 6",
            "inactive_accounts 7",
        ];
        let mut told = found(&all);
        told.sort_by_key(|line| line.rsplit(' ').next().map(str::to_owned));
        assert_eq!(told, expected.map(|line| format!("pluvo_operator_{line}")));
        assert_eq!(found(&[(Figure::Rows, 9)]), ["pluvo_operator_report_rows 9"]);
        assert!(found(&[]).is_empty());
    }

    #[test]
    fn the_guard_of_a_connection_that_is_gone_is_not_counted_any_more() {
        let metrics = Metrics::default();
        for connection in ["one", "other"] {
            let figures = GuardFigures {
                held_destructive: 3,
                ..GuardFigures::default()
            };
            metrics.guard("ns", connection, figures);
        }
        metrics.forget_guard("ns", "one");
        let text = metrics.encode();
        assert!(!text.contains(r#"connection="one""#), "{text}");
        assert!(
            text.contains(r#"pluvo_operator_guard_held{namespace="ns",connection="other",what="destructive"} 3"#),
            "{text}"
        );
    }
}
