//! What the kinds that report have found. Nobody is named but by ref, and only where somebody must look at an account.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// At most this many rows or refs are listed; the counts are exact.
pub const MAX_ROWS: usize = 100;

/// What was read for a report.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Read {
    /// When the reading began.
    pub at: Time,
    /// Rows that Pluvo has told.
    pub rows: i64,
    /// False if rows came or went meanwhile, so that some may be missing.
    pub complete: bool,
}

/// What it costs to read anew.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Cost {
    /// As many requests as the last time, if nobody else asks for the same.
    pub predicted_requests: i64,
}

/// How far people are.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ProgressFindings {
    /// Rows that it is about.
    pub rows: i64,
    /// Those that are completed.
    pub completed: i64,
    /// How much is done on the average, where Pluvo says it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub average_percent: Option<i64>,
    /// How many titles there are.
    pub titles: i64,
    /// The same for each title; at most 100.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(extend("x-kubernetes-list-type" = "map", "x-kubernetes-list-map-keys" = ["title"]))]
    pub by_training: Vec<TrainingProgress>,
}

/// How far people are with one training.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct TrainingProgress {
    /// What it is called.
    pub title: String,
    /// Rows about it.
    pub rows: i64,
    /// Those that are completed.
    pub completed: i64,
    /// How much is done on the average, where Pluvo says it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub average_percent: Option<i64>,
}

/// How many certificates there are.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct CertificateFindings {
    /// All that were achieved.
    pub achieved: i64,
    /// Those that end within the time that the spec names.
    pub expiring: i64,
    /// Those that have ended.
    pub expired: i64,
    /// How many titles there are.
    pub titles: i64,
    /// The same for each title; at most 100.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(extend("x-kubernetes-list-type" = "map", "x-kubernetes-list-map-keys" = ["title"]))]
    pub by_certificate: Vec<CertificateCount>,
}

/// How many certificates of one title there are.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct CertificateCount {
    /// What it is called.
    pub title: String,
    /// All that were achieved.
    pub achieved: i64,
    /// Those that end within the time that the spec names.
    pub expiring: i64,
    /// Those that have ended.
    pub expired: i64,
}

/// Which accounts nobody uses.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct InactiveFindings {
    /// Accounts that nobody has used, without those that are excluded.
    pub count: i64,
    /// Those among them that were never used.
    pub never_logged_in: i64,
    /// Accounts that nobody has used and that are excluded.
    pub excluded: i64,
    /// Their refs, and ids where there is none, the longest unused first; at most 100.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(extend("x-kubernetes-list-type" = "atomic"))]
    pub refs: Vec<String>,
    /// Those that a PluvoUser declares: it is up to whoever keeps that manifest.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub proposed: Option<Proposed>,
    /// Those that are never archived, because they hold a role that the connection does not permit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub protected: Option<i64>,
    /// Ids of those whose grace period runs, by when it began; at most 2,000 at a time.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(extend("x-kubernetes-list-type" = "atomic"))]
    pub noticed: Vec<Noticed>,
}

/// Declared accounts that nobody uses.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Proposed {
    /// How many.
    pub count: i64,
    /// Their refs; at most 100.
    #[schemars(extend("x-kubernetes-list-type" = "atomic"))]
    pub refs: Vec<String>,
}

/// Accounts that were found together.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Noticed {
    /// When.
    pub since: Time,
    /// Pluvo's ids of them.
    #[schemars(extend("x-kubernetes-list-type" = "atomic"))]
    pub ids: Vec<String>,
}
