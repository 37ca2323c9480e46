//! One user: who it is, and what is managed about it. Recipe 1 of the Pluvo documentation.

use std::borrow::Cow;

use kube::{CustomResource, KubeSchema};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{
    Kind, Managed,
    common::{Adoption, CustomField, Management, OnRemoteDeletion, REF_PATTERN},
    status::Status,
};

/// One user of an organization. What is left out is not managed, unless a default is named.
#[derive(CustomResource, KubeSchema, Clone, Debug, PartialEq, Serialize, Deserialize)]
#[kube(
    group = "pluvo.dev",
    version = "v1alpha1",
    kind = "PluvoUser",
    namespaced,
    status = "Status",
    derive = "PartialEq",
    shortname = "pvu",
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
    validation = Rule::new("has(self.email) || self.archived").message("email is required unless archived is true"),
    validation = Rule::new("self.ref == oldSelf.ref").message("ref is immutable: it is the anchor in Pluvo; create a new resource for another person"),
    validation = Rule::new("self.connectionRef == oldSelf.connectionRef").message("connectionRef is immutable; create a new resource for another organization")
)]
#[serde(rename_all = "camelCase")]
pub struct PluvoUserSpec {
    /// The connection, mode and timing.
    #[serde(flatten)]
    pub management: Management,
    /// The user's ref in Pluvo, such as a personnel number. Immutable, case-sensitive.
    #[serde(rename = "ref")]
    #[schemars(length(min = 1, max = 128), regex(pattern = REF_PATTERN))]
    pub reference: String,
    /// E-mail address, unique in the organization. Required unless archived.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 254))]
    #[x_kube(validation = Rule::new("self.matches('^[^@ \\\\t\\\\r\\\\n]+@[^@ \\\\t\\\\r\\\\n]+[.][^@ \\\\t\\\\r\\\\n.]+$')").message("email must be an address such as jane.doe@example.com"))]
    pub email: Option<String>,
    /// Display name. Required for a user that Pluvo does not know yet.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 255))]
    pub name: Option<String>,
    /// Roles. Left out: PARTICIPANT for a new user, untouched for an existing one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 8), extend("x-kubernetes-list-type" = "set"))]
    pub roles: Option<Vec<Role>>,
    /// Language of the user interface, as Pluvo writes it; only NL is documented.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 8), regex(pattern = "^[A-Z]{2}$"))]
    pub language: Option<String>,
    /// Whether the user has left. Archiving is reversible; a rehire comes back.
    #[serde(default)]
    pub archived: bool,
    /// Custom fields by their ref. Fields that are not named stay untouched.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 100), extend("x-kubernetes-list-type" = "map", "x-kubernetes-list-map-keys" = ["ref"]))]
    pub custom_fields: Vec<CustomField>,
    /// How an existing account may become this user; the connection's permit is the ceiling.
    #[serde(default)]
    pub adoption: Adoption,
    /// Whether Pluvo invites a new user by mail, at most once.
    #[serde(default)]
    pub send_invite: bool,
    /// What happens in Pluvo when this resource is deleted.
    #[serde(default)]
    pub deletion_policy: UserDeletionPolicy,
    /// What happens when Pluvo does not have the account any more.
    #[serde(default)]
    pub on_remote_deletion: OnRemoteDeletion,
}

impl Managed for PluvoUser {
    const KIND: Kind = Kind::User;
    const NOUN: &'static str = "user";
    const STATUS_PARTS: &'static [&'static str] = &["adopted", "previousRef", "mailed"];

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

/// A role in the organization, as Pluvo writes it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "UPPERCASE")]
pub enum Role {
    /// Takes part in trainings.
    Participant,
    /// Gives trainings.
    Trainer,
    /// Administers the organization.
    Manager,
}

impl Role {
    /// The role as Pluvo writes it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Participant => "PARTICIPANT",
            Self::Trainer => "TRAINER",
            Self::Manager => "MANAGER",
        }
    }
}

/// What happens to the account when its resource is deleted. Pluvo deletes no users.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
pub enum UserDeletionPolicy {
    /// The account is archived.
    #[default]
    Archive,
    /// The account stays as it is.
    Orphan,
}
