//! Who has not logged in for a while. Recipe 6 of the Pluvo documentation.

use std::borrow::Cow;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::LabelSelector;
use kube::{CustomResource, KubeSchema};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{
    Kind, Managed,
    common::{Management, Mode},
    duration::{self, Duration},
    reporting::{Reported, Reporting},
    selector::user_selector,
    status::Status,
};

/// Accounts that nobody has used for a while. They are reported; archived only where that is asked for, after a grace
/// period, and never where a PluvoUser declares them.
#[derive(CustomResource, KubeSchema, Clone, Debug, PartialEq, Serialize, Deserialize)]
#[kube(
    group = "pluvo.dev",
    version = "v1alpha1",
    kind = "InactiveUserReport",
    namespaced,
    status = "Status",
    derive = "PartialEq",
    shortname = "pvir",
    category = "pluvo",
    selectable = ".spec.action",
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
    printcolumn(name = "Action", type_ = "string", json_path = ".spec.action"),
    printcolumn(name = "Inactive", type_ = "integer", json_path = ".status.inactive.count"),
    printcolumn(name = "Proposed", type_ = "integer", json_path = ".status.inactive.proposed.count"),
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
pub struct InactiveUserReportSpec {
    /// The connection and timing.
    #[serde(flatten)]
    pub reporting: Reporting,
    /// For how long nobody has logged in to an account that counts as inactive.
    #[schemars(schema_with = "duration::from_a_day")]
    pub inactive_for: Duration,
    /// Who is never counted.
    #[serde(default)]
    pub exclude: Exclusions,
    /// Whether accounts count that were never used. Since when they are there, Pluvo does not say.
    #[serde(default)]
    pub include_never_logged_in: bool,
    /// What happens to them.
    #[serde(default)]
    pub action: InactiveAction,
    /// How long an account stands in the status before it is archived; `0s`: until the next reading.
    #[serde(default = "two_weeks")]
    pub grace_period: Duration,
}

/// Who is never counted.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Exclusions {
    /// Refs of users.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 2000), inner(length(min = 1, max = 128)), extend("x-kubernetes-list-type" = "set"))]
    pub users: Vec<String>,
    /// Selects `PluvoUsers` on the same connection, in all namespaces, by their labels.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "user_selector")]
    pub user_selector: Option<LabelSelector>,
}

/// What happens to accounts that nobody uses.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
pub enum InactiveAction {
    /// They are reported.
    #[default]
    Report,
    /// They are archived after the grace period, unless a PluvoUser declares them.
    Archive,
}

fn two_weeks() -> Duration {
    std::time::Duration::from_hours(14 * 24).into()
}

impl Managed for InactiveUserReport {
    const KIND: Kind = Kind::Inactive;
    const NOUN: &'static str = "report";
    const STATUS_PARTS: &'static [&'static str] = &["read", "cost", "inactive"];

    fn management(&self) -> Cow<'_, Management> {
        let mode = match self.spec.action {
            InactiveAction::Report => Mode::Observe,
            InactiveAction::Archive => Mode::Correct,
        };
        Cow::Owned(self.spec.reporting.management(mode))
    }

    fn status(&self) -> Option<&Status> {
        self.status.as_ref()
    }

    fn reported(&self) -> Option<Reported<'_>> {
        Some(Reported::LastLogins {
            unused_for: self.spec.inactive_for.into(),
            never_used: self.spec.include_never_logged_in,
            exclude: &self.spec.exclude,
        })
    }

    fn depends_on_users(&self) -> bool {
        self.spec.action == InactiveAction::Archive || self.spec.exclude.user_selector.is_some()
    }
}
