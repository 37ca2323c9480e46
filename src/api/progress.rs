//! How far groups are with what they have to learn. Recipe 2 of the Pluvo documentation.

use std::borrow::Cow;

use kube::{CustomResource, KubeSchema};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{
    Kind, Managed,
    common::{Management, Mode, REF_PATTERN},
    reporting::{Reported, Reporting},
    status::Status,
};

/// A progress report of groups, kept up to date. Its status has sums and nobody's name; `pluvo-operator report` prints
/// the rows.
#[derive(CustomResource, KubeSchema, Clone, Debug, PartialEq, Serialize, Deserialize)]
#[kube(
    group = "pluvo.dev",
    version = "v1alpha1",
    kind = "ProgressReport",
    namespaced,
    status = "Status",
    derive = "PartialEq",
    shortname = "pvpr",
    category = "pluvo",
    printcolumn(
        name = "Ready",
        type_ = "string",
        json_path = ".status.conditions[?(@.type==\"Ready\")].status"
    ),
    printcolumn(
        name = "Reason",
        type_ = "string",
        json_path = ".status.conditions[?(@.type==\"Ready\")].reason"
    ),
    printcolumn(name = "Rows", type_ = "integer", json_path = ".status.read.rows"),
    printcolumn(name = "Completed", type_ = "integer", json_path = ".status.progress.completed"),
    printcolumn(name = "Average", type_ = "integer", json_path = ".status.progress.averagePercent"),
    printcolumn(name = "Read", type_ = "date", json_path = ".status.read.at"),
    printcolumn(name = "Age", type_ = "date", json_path = ".metadata.creationTimestamp"),
    printcolumn(
        name = "Message",
        type_ = "string",
        json_path = ".status.conditions[?(@.type==\"Ready\")].message",
        priority = 1
    )
)]
#[x_kube(
    validation = Rule::new("self.connectionRef == oldSelf.connectionRef").message("connectionRef is immutable; create a new resource for another organization")
)]
#[serde(rename_all = "camelCase")]
pub struct ProgressReportSpec {
    /// The connection and timing.
    #[serde(flatten)]
    pub reporting: Reporting,
    /// Refs of groups in Pluvo: whoever takes part in one of them, once.
    #[schemars(length(min = 1, max = 100), inner(length(min = 1, max = 128), regex(pattern = REF_PATTERN)), extend("x-kubernetes-list-type" = "set"))]
    pub groups: Vec<String>,
    /// What it is about.
    #[serde(default = "trainings")]
    #[schemars(length(min = 1, max = 2), extend("x-kubernetes-list-type" = "set"))]
    pub types: Vec<ObjectType>,
    /// Titles of trainings or certificates that it is about, in any case; all of them where there are none. Pluvo has no other key here.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 100), inner(length(min = 1, max = 255)), extend("x-kubernetes-list-type" = "set"))]
    pub titles: Vec<String>,
}

/// What a row of a portfolio is about, in Pluvo's words (`RelatedObjectType`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum ObjectType {
    /// A training that somebody takes part in.
    Training,
    /// A certificate that somebody has achieved.
    Certificate,
}

impl ObjectType {
    /// As Pluvo writes it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Training => "TRAINING",
            Self::Certificate => "CERTIFICATE",
        }
    }
}

fn trainings() -> Vec<ObjectType> {
    vec![ObjectType::Training]
}

impl Managed for ProgressReport {
    const KIND: Kind = Kind::Progress;
    const NOUN: &'static str = "report";
    const STATUS_PARTS: &'static [&'static str] = &["read", "cost", "progress"];

    fn management(&self) -> Cow<'_, Management> {
        Cow::Owned(self.spec.reporting.management(Mode::Observe))
    }

    fn status(&self) -> Option<&Status> {
        self.status.as_ref()
    }

    fn reported(&self) -> Option<Reported<'_>> {
        Some(Reported::Portfolio {
            groups: &self.spec.groups,
            types: self.spec.types.clone(),
            titles: &self.spec.titles,
        })
    }
}
