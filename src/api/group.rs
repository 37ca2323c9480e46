//! One group. Recipe 1 of the Pluvo documentation.

use std::borrow::Cow;

use kube::{CustomResource, KubeSchema};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{
    Kind, Managed,
    common::{CustomField, Management, OnRemoteDeletion, REF_PATTERN},
    status::Status,
};

/// One group of an organization. What is left out is not managed.
#[derive(CustomResource, KubeSchema, Clone, Debug, PartialEq, Serialize, Deserialize)]
#[kube(
    group = "pluvo.dev",
    version = "v1alpha1",
    kind = "PluvoGroup",
    namespaced,
    status = "Status",
    derive = "PartialEq",
    shortname = "pvg",
    category = "pluvo",
    selectable = ".spec.ref",
    selectable = ".status.drift.state",
    printcolumn(name = "Ref", type_ = "string", json_path = ".spec.ref"),
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
    validation = Rule::new("self.ref == oldSelf.ref").message("ref is immutable: it is the anchor in Pluvo; create a new resource for another group"),
    validation = Rule::new("self.connectionRef == oldSelf.connectionRef").message("connectionRef is immutable; create a new resource for another organization")
)]
#[serde(rename_all = "camelCase")]
pub struct PluvoGroupSpec {
    /// The connection, mode and timing.
    #[serde(flatten)]
    pub management: Management,
    /// The group's ref in Pluvo. Immutable, case-sensitive.
    #[serde(rename = "ref")]
    #[schemars(length(min = 1, max = 128), regex(pattern = REF_PATTERN))]
    pub reference: String,
    /// Pluvo's id of an existing group to take over: it gets this ref.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 64))]
    pub adopt_id: Option<String>,
    /// Display name.
    #[schemars(length(min = 1, max = 255))]
    pub name: String,
    /// Largest number of members.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0, max = 1_000_000))]
    pub max_users: Option<i64>,
    /// Whether members can chat.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub enable_chat: Option<bool>,
    /// Whether the group can be edited in Pluvo's own user interface.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub is_editable: Option<bool>,
    /// Custom fields by their ref. Fields that are not named stay untouched.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 100), extend("x-kubernetes-list-type" = "map", "x-kubernetes-list-map-keys" = ["ref"]))]
    pub custom_fields: Vec<CustomField>,
    /// What happens in Pluvo when this resource is deleted.
    #[serde(default)]
    pub deletion_policy: GroupDeletionPolicy,
    /// What happens when Pluvo does not have the group any more.
    #[serde(default)]
    pub on_remote_deletion: OnRemoteDeletion,
}

impl Managed for PluvoGroup {
    const KIND: Kind = Kind::Group;
    const NOUN: &'static str = "group";
    const STATUS_PARTS: &'static [&'static str] = &["adopted", "previousRef"];

    fn management(&self) -> Cow<'_, Management> {
        Cow::Borrowed(&self.spec.management)
    }

    fn status(&self) -> Option<&Status> {
        self.status.as_ref()
    }

    fn reference(&self) -> Option<&str> {
        Some(&self.spec.reference)
    }
}

/// What happens to the group when its resource is deleted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
pub enum GroupDeletionPolicy {
    /// The group stays as it is.
    #[default]
    Orphan,
    /// The group is deleted, for good: Pluvo archives no groups.
    Delete,
}
