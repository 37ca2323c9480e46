//! The status of managed resources: the product's promise. See the state table in ARCHITECTURE.md.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::{Condition, Time};
use kube::KubeSchema;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{
    Mode,
    findings::{CertificateFindings, Cost, InactiveFindings, ProgressFindings, Read},
};

/// At most this many entries of drift, corrections or waiting subjects are listed; the counts are exact.
pub const MAX_ENTRIES: usize = 20;

/// The parts of a status that not every kind has. A definition holds those of its kind alone.
pub(super) const PARTS: &[&str] = &[
    "adopted",
    "previousRef",
    "subjects",
    "enrollments",
    "membersObserved",
    "inventory",
    "found",
    "pending",
    "mailed",
    "read",
    "cost",
    "progress",
    "certificates",
    "inactive",
];

/// What the operator knows about one managed resource.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct Status {
    /// The generation of the spec that this status is about.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub observed_generation: Option<i64>,
    /// The uid of the object that was judged; a status that was copied to another object is void.
    #[serde(rename = "forUID", default, skip_serializing_if = "Option::is_none")]
    pub for_uid: Option<String>,
    /// Pluvo's id of the object, or of the target where there are subjects.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
    /// The mode in effect: the stricter of the resource's and the connection's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mode: Option<Mode>,
    /// Whether the object was there before and was taken over.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub adopted: Option<bool>,
    /// The ref that an adopted object had before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub previous_ref: Option<String>,
    /// What was last acknowledged at each path, as fingerprints: this tells a change from drift.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(extend("x-kubernetes-list-type" = "map", "x-kubernetes-list-map-keys" = ["path"]))]
    pub applied: Vec<Applied>,
    /// How many subjects there are, where a resource has subjects.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub subjects: Option<Subjects>,
    /// How the subjects stand to the event, whoever enrolled them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub enrollments: Option<Enrollments>,
    /// False where Pluvo does not say who is there: everybody is brought in once, and drift is not known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub members_observed: Option<bool>,
    /// Refs of subjects that this resource added, or is about to add.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(extend("x-kubernetes-list-type" = "atomic"))]
    pub inventory: Vec<String>,
    /// Refs of subjects that this resource declares and that were there before.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(extend("x-kubernetes-list-type" = "atomic"))]
    pub found: Vec<String>,
    /// Refs in `inventory` whose addition has not been seen in Pluvo yet: missing, they are no drift.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(extend("x-kubernetes-list-type" = "atomic"))]
    pub pending: Vec<String>,
    /// Refs of subjects for whom a mail was asked for; written before the call, so that none is sent twice.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(extend("x-kubernetes-list-type" = "atomic"))]
    pub mailed: Vec<String>,
    /// What was read for a report.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub read: Option<Read>,
    /// What it costs to read that anew.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cost: Option<Cost>,
    // What few resources have takes no place in the many that have it not: ten thousand statuses are kept.
    /// How far people are.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub progress: Option<Box<ProgressFindings>>,
    /// How many certificates there are.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub certificates: Option<Box<CertificateFindings>>,
    /// Which accounts nobody uses.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub inactive: Option<Box<InactiveFindings>>,
    /// Where Pluvo differs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub drift: Option<Drift>,
    /// What the operator last put right.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_correction: Option<Correction>,
    /// The last handled value of the annotation `pluvo.dev/reconcile-requested-at`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_handled_reconcile_at: Option<String>,
    /// Ready, Synced and Drifted always; Reconciling, Stalled, Suspended and `DeletionBlocked` only while true.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(extend("x-kubernetes-list-type" = "map", "x-kubernetes-list-map-keys" = ["type"]))]
    pub conditions: Vec<Condition>,
}

/// A path whose value Pluvo acknowledged.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Applied {
    /// The path in the spec, such as `name` or `customFields[department]`.
    pub path: String,
    /// A fingerprint of uid, path and value.
    pub hash: String,
    /// When this value was last put right; at most three times.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 3), extend("x-kubernetes-list-type" = "atomic"))]
    pub corrected: Vec<Time>,
}

impl Applied {
    const CORRECTIONS: usize = 3;

    /// Notes that the value was put right.
    pub fn note_correction(&mut self, at: Time) {
        self.corrected.push(at);
        let superfluous = self.corrected.len().saturating_sub(Self::CORRECTIONS);
        self.corrected.drain(..superfluous);
    }

    /// Whether the value was put right three times within a day: whoever changes it back will do so again.
    #[must_use]
    pub fn is_contested(&self) -> bool {
        let (Some(first), Some(last)) = (self.corrected.first(), self.corrected.last()) else {
            return false;
        };
        let within_a_day = last.0.duration_since(first.0).as_hours() < 24;
        self.corrected.len() >= Self::CORRECTIONS && within_a_day
    }
}

/// How many subjects a resource has, and how far they are.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Subjects {
    /// Declared, without those that are excluded.
    pub declared: i64,
    /// Present in Pluvo.
    pub applied: i64,
    /// Not there yet: the user or the target does not exist, or the call is under way or not visible yet.
    pub waiting: i64,
    /// Refused by Pluvo.
    pub refused: i64,
    /// Archived, or being deleted: never subjects.
    pub excluded: i64,
}

/// How many subjects stand how to an offer event.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Enrollments {
    /// They have a place.
    pub enrolled: i64,
    /// They wait for one.
    pub waitlisted: i64,
    /// They have given it up.
    pub cancelled: i64,
    /// They never wanted it.
    pub declined: i64,
}

/// Where Pluvo differs from the spec.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Drift {
    /// The short answer; selectable with `--field-selector status.drift.state=Drifted`.
    pub state: DriftState,
    /// The true number of differences.
    pub count: i64,
    /// Whether `entries` holds only the first of them.
    pub truncated: bool,
    /// When the oldest of the differences was first seen.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub first_detected_at: Option<Time>,
    /// The differences, by path; at most 20.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(extend("x-kubernetes-list-type" = "map", "x-kubernetes-list-map-keys" = ["path"]))]
    pub entries: Vec<DriftEntry>,
}

/// Whether Pluvo differs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum DriftState {
    /// It does not.
    InSync,
    /// It does.
    Drifted,
    /// Not known yet.
    #[default]
    Unknown,
}

/// One difference.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct DriftEntry {
    /// The path in the spec, such as `name` or `users[EMP-002]`.
    pub path: String,
    /// What kind of difference.
    pub kind: DriftKind,
    /// What the spec says.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub desired: Option<String>,
    /// What Pluvo says; `<redacted>` where it is personal data.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub observed: Option<String>,
    /// When it was first seen.
    pub since: Time,
}

/// A kind of difference.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
pub enum DriftKind {
    /// The value is another one.
    Changed,
    /// What is declared is not there.
    Missing,
    /// What is there is not declared.
    Unexpected,
    /// Pluvo does not say; written once per change, never drift.
    Unobservable,
}

/// What the operator put right.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Correction {
    /// When Pluvo was seen to be right again.
    pub at: Time,
    /// The true number of corrections.
    pub count: i64,
    /// The paths; at most 20.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(extend("x-kubernetes-list-type" = "map", "x-kubernetes-list-map-keys" = ["path"]))]
    pub entries: Vec<CorrectedPath>,
}

/// A path that was put right.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct CorrectedPath {
    /// The path in the spec.
    pub path: String,
    /// What kind of difference it was.
    pub kind: DriftKind,
}
