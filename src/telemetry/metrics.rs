//! Counts, with bounded labels.

use prometheus_client::{
    encoding::{EncodeLabelSet, EncodeLabelValue, LabelValueEncoder, text::encode},
    metrics::{counter::Counter, family::Family},
    registry::Registry,
};

use crate::api::Kind;

/// All metrics of the process.
pub struct Metrics {
    registry: Registry,
    passes: Family<KindLabel, Counter>,
    status_writes: Family<KindLabel, Counter>,
    conflicts: Counter,
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
        Self {
            registry,
            passes,
            status_writes,
            conflicts,
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
