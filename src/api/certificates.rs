//! Which certificates were achieved and which expire. Recipe 4 of the Pluvo documentation.

use std::borrow::Cow;

use kube::{CustomResource, KubeSchema};
use serde::{Deserialize, Serialize};

use super::{
    Kind, Managed,
    common::{Management, Mode, REF_PATTERN},
    duration::{self, Duration},
    progress::ObjectType,
    reporting::{Reported, Reporting},
    status::Status,
};

/// Counts the certificates of an organization: achieved, about to expire, expired. What Pluvo tells by webhook counts at
/// once, and once.
#[derive(CustomResource, KubeSchema, Clone, Debug, PartialEq, Serialize, Deserialize)]
#[kube(
    group = "pluvo.dev",
    version = "v1alpha1",
    kind = "CertificateMonitor",
    namespaced,
    status = "Status",
    derive = "PartialEq",
    shortname = "pvcm",
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
    printcolumn(name = "Achieved", type_ = "integer", json_path = ".status.certificates.achieved"),
    printcolumn(name = "Expiring", type_ = "integer", json_path = ".status.certificates.expiring"),
    printcolumn(name = "Expired", type_ = "integer", json_path = ".status.certificates.expired"),
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
pub struct CertificateMonitorSpec {
    /// The connection and timing.
    #[serde(flatten)]
    pub reporting: Reporting,
    /// Refs of groups in Pluvo whose participants' certificates count; everybody's where there are none.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 100), inner(length(min = 1, max = 128), regex(pattern = REF_PATTERN)), extend("x-kubernetes-list-type" = "set"))]
    pub groups: Vec<String>,
    /// Titles of certificates that it is about, in any case; all of them where there are none. Pluvo has no other key here.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 100), inner(length(min = 1, max = 255)), extend("x-kubernetes-list-type" = "set"))]
    pub titles: Vec<String>,
    /// How long before its end a certificate counts as expiring; `0s`: on its last day. Days begin at midnight, UTC.
    #[serde(default = "thirty_days")]
    #[schemars(schema_with = "duration::up_to_ten_years")]
    pub expiring_within: Duration,
}

fn thirty_days() -> Duration {
    std::time::Duration::from_hours(30 * 24).into()
}

impl Managed for CertificateMonitor {
    const KIND: Kind = Kind::Certificates;
    const NOUN: &'static str = "monitor";
    const STATUS_PARTS: &'static [&'static str] = &["read", "cost", "certificates"];

    fn management(&self) -> Cow<'_, Management> {
        Cow::Owned(self.spec.reporting.management(Mode::Observe))
    }

    fn status(&self) -> Option<&Status> {
        self.status.as_ref()
    }

    fn reported(&self) -> Option<Reported<'_>> {
        Some(Reported::Portfolio {
            groups: &self.spec.groups,
            types: vec![ObjectType::Certificate],
            titles: &self.spec.titles,
        })
    }
}
