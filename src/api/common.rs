//! What several kinds have in common.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::duration::Duration;

/// A ref of Pluvo: 1 to 128 printable characters; spaces and slashes are allowed, outer white space is not.
pub const REF_PATTERN: &str = r"^[^\s\pC]([^\pC]*[^\s\pC])?$";

/// What every managed kind has.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Management {
    /// The connection to the organization that this resource is about. Immutable.
    #[serde(default)]
    pub connection_ref: ConnectionRef,
    /// How far the operator goes; the stricter of this and the connection's mode counts.
    #[serde(default)]
    pub mode: Mode,
    /// While true nothing is read, written or reported for this resource.
    #[serde(default)]
    pub suspend: bool,
    /// How long to wait for what does not exist yet before a human is asked for; `0s`: not at all.
    #[serde(default = "ten_minutes")]
    pub dependency_timeout: Duration,
}

impl Default for Management {
    fn default() -> Self {
        Self {
            connection_ref: ConnectionRef::default(),
            mode: Mode::Correct,
            suspend: false,
            dependency_timeout: ten_minutes(),
        }
    }
}

pub(super) fn ten_minutes() -> Duration {
    std::time::Duration::from_mins(10).into()
}

/// Names a PluvoConnection.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
pub struct ConnectionRef {
    /// Name of the PluvoConnection.
    #[serde(default = "default_name")]
    #[schemars(length(min = 1, max = 253))]
    pub name: String,
    /// Its namespace, where it is another one; that connection's `allowedNamespaces` must name ours.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 63))]
    pub namespace: Option<String>,
}

impl Default for ConnectionRef {
    fn default() -> Self {
        Self {
            name: default_name(),
            namespace: None,
        }
    }
}

fn default_name() -> String {
    "default".to_owned()
}

/// How far the operator goes. Ordered from the strictest.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
pub enum Mode {
    /// Nothing is written to Pluvo; every difference is reported as drift.
    Observe,
    /// Changes of the spec are written; drift is only reported.
    Apply,
    /// Changes of the spec and drift are written.
    #[default]
    Correct,
}

/// How an existing account may become ours. Ordered from the strictest.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
pub enum Adoption {
    /// Only an account that already has this ref.
    Never,
    /// Also one with this e-mail address that has no ref, or one that Pluvo generated.
    #[default]
    Safe,
    /// Also one with this e-mail address under a ref that a person chose (a rehire under a new number).
    ByEmail,
}

/// What happens when an object that was known is gone from Pluvo.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
pub enum OnRemoteDeletion {
    /// It is reported and not made again: an erasure is not undone.
    #[default]
    Stall,
    /// It is made anew.
    Recreate,
}

/// An object of Pluvo, by exactly one of its two keys.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
pub struct Target {
    /// The integrator's key.
    #[serde(rename = "ref", default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 128), regex(pattern = REF_PATTERN))]
    pub reference: Option<String>,
    /// Pluvo's key.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 64))]
    pub id: Option<String>,
}

impl Target {
    /// What people call the target: its ref, else its id.
    #[must_use]
    pub fn name(&self) -> &str {
        self.reference.as_deref().or(self.id.as_deref()).unwrap_or_default()
    }
}

/// What happens to subjects that are not declared.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
pub enum Policy {
    /// Nobody is ever removed, not even on deletion.
    Additive,
    /// Those whom this resource added and no longer declares are removed.
    Owned,
    /// Whoever is declared by no resource is removed.
    Exclusive,
}

/// The value of one custom field; exactly one of the members beside `ref`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(extend("x-kubernetes-validations" = [{
    "rule": "[has(self.text), has(self.dateTime), has(self.bool), has(self.choice), has(self.choices)].filter(set, set).size() == 1",
    "message": "a custom field needs exactly one of text, dateTime, bool, choice, choices",
}]))]
pub struct CustomField {
    /// The field's ref in Pluvo.
    #[serde(rename = "ref")]
    #[schemars(length(min = 1, max = 128), regex(pattern = REF_PATTERN))]
    pub reference: String,
    /// The value of a text field.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 4096))]
    pub text: Option<String>,
    /// The value of a date field: a point in time with its offset, such as 2026-09-01T00:00:00+02:00.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 64), extend("format" = "date-time"))]
    pub date_time: Option<String>,
    /// The value of a yes/no field.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bool: Option<bool>,
    /// The chosen option of a single choice.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 255))]
    pub choice: Option<String>,
    /// The chosen options of a multiple choice, in any order.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 64), inner(length(min = 1, max = 255)), extend("x-kubernetes-list-type" = "set"))]
    pub choices: Option<Vec<String>>,
}
