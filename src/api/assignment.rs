//! Users in one training. Recipe 5 of the Pluvo documentation.

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

/// Users in one training, directly assigned. Several assignments of one training add up.
#[derive(CustomResource, KubeSchema, Clone, Debug, PartialEq, Serialize, Deserialize)]
#[kube(
    group = "pluvo.dev",
    version = "v1alpha1",
    kind = "TrainingAssignment",
    namespaced,
    status = "Status",
    derive = "PartialEq",
    shortname = "pvta",
    category = "pluvo",
    selectable = ".spec.training.ref",
    selectable = ".status.drift.state",
    printcolumn(name = "Training", type_ = "string", json_path = ".spec.training.ref"),
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
    printcolumn(name = "Applied", type_ = "integer", json_path = ".status.subjects.applied"),
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
    validation = Rule::new("has(self.training.ref) != has(self.training.id)").message("training needs exactly one of ref, id"),
    validation = Rule::new("has(self.users) || has(self.userSelector) || has(self.groups) || self.allowEmpty").message("at least one of users, userSelector, groups is required, unless allowEmpty is true"),
    validation = Rule::new("self.policy != 'Additive' || self.deletionPolicy == 'Orphan'").message("policy Additive never removes anybody, so deletionPolicy cannot be Remove"),
    validation = Rule::new("self.training == oldSelf.training && self.role == oldSelf.role").message("training and role are immutable; create a new resource for another training or role"),
    validation = Rule::new("self.connectionRef == oldSelf.connectionRef").message("connectionRef is immutable; create a new resource for another organization")
)]
#[serde(rename_all = "camelCase")]
pub struct TrainingAssignmentSpec {
    /// The connection, mode and timing.
    #[serde(flatten)]
    pub management: Management,
    /// The training in Pluvo, by ref or by id. Immutable.
    pub training: Target,
    /// The role in the training. Immutable.
    #[serde(default)]
    pub role: TrainingRole,
    /// What happens to participants who are not declared. Removing somebody may cost progress.
    #[serde(default = "additive")]
    pub policy: Policy,
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
    /// Whether Pluvo tells those who are added by mail, at most once each.
    #[serde(default)]
    pub send_invites: bool,
    /// Whether a selection that resolves to nobody may remove everybody whom this resource added. With it, a spec that
    /// names nobody is accepted: server-side apply leaves out an empty list.
    #[serde(default)]
    pub allow_empty: bool,
    /// What happens in Pluvo when this resource is deleted.
    #[serde(default = "orphan")]
    pub deletion_policy: SubjectsDeletionPolicy,
}

impl Managed for TrainingAssignment {
    const KIND: Kind = Kind::Assignment;
    const NOUN: &'static str = "training";
    const HAS_SUBJECTS: bool = true;
    const STATUS_PARTS: &'static [&'static str] = &["subjects", "inventory", "found", "pending", "mailed"];

    fn management(&self) -> Cow<'_, Management> {
        Cow::Borrowed(&self.spec.management)
    }

    fn status(&self) -> Option<&Status> {
        self.status.as_ref()
    }

    fn subjects(&self) -> Option<DeclaredSubjects<'_>> {
        let spec = &self.spec;
        Some(DeclaredSubjects {
            target: &spec.training,
            role: GroupRole::Participant,
            policy: spec.policy,
            users: spec.users.as_deref().unwrap_or_default(),
            selector: spec.user_selector.as_ref(),
            groups: spec.groups.as_deref().unwrap_or_default(),
            deletion_policy: spec.deletion_policy,
        })
    }
}

fn additive() -> Policy {
    Policy::Additive
}

fn orphan() -> SubjectsDeletionPolicy {
    SubjectsDeletionPolicy::Orphan
}

/// A role in a training, as Pluvo writes it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "UPPERCASE")]
pub enum TrainingRole {
    /// Follows the training.
    #[default]
    Participant,
}

impl TrainingRole {
    /// The role as Pluvo writes it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Participant => "PARTICIPANT",
        }
    }
}
