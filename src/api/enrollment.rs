//! Users in one offer event. Recipe 3 of the Pluvo documentation.

use std::borrow::Cow;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::LabelSelector;
use kube::{CustomResource, KubeSchema};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{
    DeclaredSubjects, Kind, Managed,
    common::{Management, Policy, REF_PATTERN, Target},
    membership::{GroupRole, SubjectsDeletionPolicy},
    selector::user_selector,
    status::Status,
};

/// Users in one event of an offer. Several enrollments in one event add up. Who cancels or declines is not enrolled
/// again, unless that is asked for.
#[derive(CustomResource, KubeSchema, Clone, Debug, PartialEq, Serialize, Deserialize)]
#[kube(
    group = "pluvo.dev",
    version = "v1alpha1",
    kind = "EventEnrollment",
    namespaced,
    status = "Status",
    derive = "PartialEq",
    shortname = "pvee",
    category = "pluvo",
    selectable = ".spec.event.ref",
    selectable = ".status.drift.state",
    printcolumn(name = "Event", type_ = "string", json_path = ".spec.event.ref"),
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
    printcolumn(name = "Declared", type_ = "integer", json_path = ".status.subjects.declared"),
    printcolumn(name = "Enrolled", type_ = "integer", json_path = ".status.enrollments.enrolled"),
    printcolumn(name = "Waitlisted", type_ = "integer", json_path = ".status.enrollments.waitlisted"),
    printcolumn(name = "Drift", type_ = "string", json_path = ".status.drift.state"),
    printcolumn(name = "Age", type_ = "date", json_path = ".metadata.creationTimestamp"),
    printcolumn(
        name = "Message",
        type_ = "string",
        json_path = ".status.conditions[?(@.type==\"Ready\")].message",
        priority = 1
    )
)]
#[x_kube(
    validation = Rule::new("has(self.event.ref) != has(self.event.id)").message("event needs exactly one of ref, id"),
    validation = Rule::new("has(self.users) || has(self.userSelector) || has(self.groups) || self.allowEmpty").message("at least one of users, userSelector, groups is required, unless allowEmpty is true"),
    validation = Rule::new("self.policy != 'Additive' || self.deletionPolicy == 'Orphan'").message("policy Additive never unenrolls anybody, so deletionPolicy cannot be Unenroll"),
    validation = Rule::new("self.event == oldSelf.event").message("event is immutable; create a new resource for another event"),
    validation = Rule::new("self.connectionRef == oldSelf.connectionRef").message("connectionRef is immutable; create a new resource for another organization")
)]
#[serde(rename_all = "camelCase")]
pub struct EventEnrollmentSpec {
    /// The connection, mode and timing.
    #[serde(flatten)]
    pub management: Management,
    /// The event in Pluvo, by ref or by id. Immutable.
    pub event: Target,
    /// What happens to those whom this resource enrolled and no longer declares.
    #[serde(default)]
    pub policy: EnrollmentPolicy,
    /// Refs of users; for more than 2,000 use userSelector or groups.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 2000), inner(length(min = 1, max = 128)), extend("x-kubernetes-list-type" = "set"))]
    pub users: Option<Vec<String>>,
    /// Selects `PluvoUsers` on the same connection, in all namespaces, by their labels.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "user_selector")]
    pub user_selector: Option<LabelSelector>,
    /// Refs of groups in Pluvo: everyone who takes part in them, now and later.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 100), inner(length(min = 1, max = 128), regex(pattern = REF_PATTERN)), extend("x-kubernetes-list-type" = "set"))]
    pub groups: Option<Vec<String>>,
    /// Whether Pluvo tells those who are enrolled by mail, at most once each.
    #[serde(default)]
    pub send_mail: bool,
    /// Whether those who have cancelled or declined are enrolled again.
    #[serde(default)]
    pub reenroll: bool,
    /// Whether a selection that resolves to nobody may unenroll everybody whom this resource enrolled. With it, a spec
    /// that names nobody is accepted: server-side apply leaves out an empty list.
    #[serde(default)]
    pub allow_empty: bool,
    /// What happens in Pluvo when this resource is deleted.
    #[serde(default)]
    pub deletion_policy: EnrollmentDeletionPolicy,
}

impl Managed for EventEnrollment {
    const KIND: Kind = Kind::Enrollment;
    const NOUN: &'static str = "event";
    const HAS_SUBJECTS: bool = true;
    const STATUS_PARTS: &'static [&'static str] = &[
        "subjects",
        "enrollments",
        "membersObserved",
        "inventory",
        "found",
        "pending",
        "mailed",
    ];

    fn management(&self) -> Cow<'_, Management> {
        Cow::Borrowed(&self.spec.management)
    }

    fn status(&self) -> Option<&Status> {
        self.status.as_ref()
    }

    fn subjects(&self) -> Option<DeclaredSubjects<'_>> {
        let spec = &self.spec;
        Some(DeclaredSubjects {
            target: &spec.event,
            role: GroupRole::Participant,
            policy: spec.policy.into(),
            users: spec.users.as_deref().unwrap_or_default(),
            selector: spec.user_selector.as_ref(),
            groups: spec.groups.as_deref().unwrap_or_default(),
            deletion_policy: spec.deletion_policy.into(),
        })
    }
}

/// What happens to those who are enrolled and not declared.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
pub enum EnrollmentPolicy {
    /// Nobody is ever unenrolled, not even on deletion.
    #[default]
    Additive,
    /// Those whom this resource enrolled and no longer declares are unenrolled.
    Owned,
}

impl From<EnrollmentPolicy> for Policy {
    fn from(policy: EnrollmentPolicy) -> Self {
        match policy {
            EnrollmentPolicy::Additive => Self::Additive,
            EnrollmentPolicy::Owned => Self::Owned,
        }
    }
}

/// What happens to enrollments when their resource is deleted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
pub enum EnrollmentDeletionPolicy {
    /// Everybody stays.
    #[default]
    Orphan,
    /// Whom this resource enrolled and nobody else declares is unenrolled.
    Unenroll,
}

impl From<EnrollmentDeletionPolicy> for SubjectsDeletionPolicy {
    fn from(policy: EnrollmentDeletionPolicy) -> Self {
        match policy {
            EnrollmentDeletionPolicy::Orphan => Self::Orphan,
            EnrollmentDeletionPolicy::Unenroll => Self::Remove,
        }
    }
}
