//! Users in one group. Recipe 1 of the Pluvo documentation.

use std::borrow::Cow;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::LabelSelector;
use kube::{CustomResource, KubeSchema};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{
    DeclaredSubjects, Kind, Managed,
    common::{Management, Policy, Target},
    selector::user_selector,
    status::Status,
};

/// Users in one group, as participants or as managers. Several memberships of one group add up.
#[derive(CustomResource, KubeSchema, Clone, Debug, PartialEq, Serialize, Deserialize)]
#[kube(
    group = "pluvo.dev",
    version = "v1alpha1",
    kind = "PluvoGroupMembership",
    namespaced,
    status = "Status",
    derive = "PartialEq",
    shortname = "pvgm",
    category = "pluvo",
    selectable = ".spec.group.ref",
    selectable = ".status.drift.state",
    printcolumn(name = "Group", type_ = "string", json_path = ".spec.group.ref"),
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
    validation = Rule::new("has(self.group.ref) != has(self.group.id)").message("group needs exactly one of ref, id"),
    validation = Rule::new("has(self.users) || has(self.userSelector) || self.allowEmpty").message("at least one of users, userSelector is required, unless allowEmpty is true"),
    validation = Rule::new("self.policy != 'Additive' || !has(self.deletionPolicy) || self.deletionPolicy == 'Orphan'").message("policy Additive never removes anybody, so deletionPolicy cannot be Remove"),
    validation = Rule::new("self.group == oldSelf.group && self.role == oldSelf.role").message("group and role are immutable; create a new resource for another group or role"),
    validation = Rule::new("self.connectionRef == oldSelf.connectionRef").message("connectionRef is immutable; create a new resource for another organization")
)]
#[serde(rename_all = "camelCase")]
pub struct PluvoGroupMembershipSpec {
    /// The connection, mode and timing.
    #[serde(flatten)]
    pub management: Management,
    /// The group in Pluvo, by ref or by id. Immutable.
    pub group: Target,
    /// In what way the users belong to the group. Immutable.
    #[serde(default)]
    pub role: GroupRole,
    /// What happens to members who are not declared.
    #[serde(default = "owned")]
    pub policy: Policy,
    /// Refs of users; for more than 2,000 use userSelector.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 2000), inner(length(min = 1, max = 128)), extend("x-kubernetes-list-type" = "set"))]
    pub users: Option<Vec<String>>,
    /// Selects `PluvoUsers` on the same connection, in all namespaces, by their labels.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "user_selector")]
    pub user_selector: Option<LabelSelector>,
    /// Whether a selection that resolves to nobody may remove everybody whom this resource added. With it, a spec that
    /// names nobody is accepted: server-side apply leaves out an empty list.
    #[serde(default)]
    pub allow_empty: bool,
    /// What happens in Pluvo when this resource is deleted. Remove, unless the policy is Additive.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub deletion_policy: Option<SubjectsDeletionPolicy>,
}

impl Managed for PluvoGroupMembership {
    const KIND: Kind = Kind::Membership;
    const NOUN: &'static str = "group";
    const HAS_SUBJECTS: bool = true;
    const STATUS_PARTS: &'static [&'static str] = &["subjects", "inventory", "found", "pending"];

    fn management(&self) -> Cow<'_, Management> {
        Cow::Borrowed(&self.spec.management)
    }

    fn status(&self) -> Option<&Status> {
        self.status.as_ref()
    }

    fn subjects(&self) -> Option<DeclaredSubjects<'_>> {
        let spec = &self.spec;
        let by_policy = match spec.policy {
            Policy::Additive => SubjectsDeletionPolicy::Orphan,
            Policy::Owned | Policy::Exclusive => SubjectsDeletionPolicy::Remove,
        };
        Some(DeclaredSubjects {
            target: &spec.group,
            role: spec.role,
            policy: spec.policy,
            users: spec.users.as_deref().unwrap_or_default(),
            selector: spec.user_selector.as_ref(),
            groups: &[],
            deletion_policy: spec.deletion_policy.unwrap_or(by_policy),
        })
    }
}

fn owned() -> Policy {
    Policy::Owned
}

/// In what way users belong to a group.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
pub enum GroupRole {
    /// They take part.
    #[default]
    Participant,
    /// They manage the group.
    Manager,
}

/// What happens to the subjects that a resource added when it is deleted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
pub enum SubjectsDeletionPolicy {
    /// Those whom it added and nobody else declares are removed.
    Remove,
    /// Everybody stays.
    Orphan,
}
