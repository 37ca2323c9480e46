//! How to reach one organization, and the ceiling of what may be done there.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::{Condition, Time};
use kube::{CustomResource, KubeSchema};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{
    common::{Adoption, Mode},
    duration::{self, Duration},
    user::Role,
};

/// The connection to one organization. There is one per organization; others share it through `allowedNamespaces`.
#[derive(CustomResource, KubeSchema, Clone, Debug, PartialEq, Serialize, Deserialize)]
#[kube(
    group = "pluvo.dev",
    version = "v1alpha1",
    kind = "PluvoConnection",
    namespaced,
    status = "PluvoConnectionStatus",
    derive = "PartialEq",
    shortname = "pvconn",
    category = "pluvo",
    printcolumn(name = "Organization", type_ = "string", json_path = ".spec.organization"),
    printcolumn(name = "Mode", type_ = "string", json_path = ".spec.mode"),
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
    printcolumn(name = "Last sweep", type_ = "date", json_path = ".status.lastSweep.completedAt"),
    printcolumn(name = "Age", type_ = "date", json_path = ".metadata.creationTimestamp"),
    printcolumn(
        name = "Message",
        type_ = "string",
        json_path = ".status.conditions[?(@.type==\"Ready\")].message",
        priority = 1
    )
)]
#[x_kube(
    validation = Rule::new("has(self.organization) != has(self.endpoint)").message("exactly one of organization, endpoint is required"),
    validation = Rule::new("has(self.organization) == has(oldSelf.organization) && (!has(self.organization) || self.organization == oldSelf.organization)").message("organization is immutable; create a new PluvoConnection for another organization"),
    validation = Rule::new("has(self.endpoint) == has(oldSelf.endpoint) && (!has(self.endpoint) || self.endpoint == oldSelf.endpoint)").message("endpoint is immutable; create a new PluvoConnection for another organization")
)]
#[serde(rename_all = "camelCase")]
pub struct PluvoConnectionSpec {
    /// The organization's name: the first label of its host, `https://<organization>.pluvo.com`. Immutable.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 63), regex(pattern = "^[a-z0-9]([a-z0-9-]*[a-z0-9])?$"))]
    pub organization: Option<String>,
    /// The organization's address, where it is not `https://<organization>.pluvo.com`. Immutable. The operator must
    /// have been started with its host among the allowed ones.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 2048), regex(pattern = "^https?://[^/?#]+(/[^?#]*)?$"))]
    pub endpoint: Option<String>,
    /// The Secret with `client-id` and `client-secret`, in the connection's namespace.
    pub credentials_secret_ref: SecretRef,
    /// The ceiling for the mode of every resource on this connection.
    #[serde(default)]
    pub mode: Mode,
    /// How often Pluvo is read completely.
    #[serde(default = "five_minutes")]
    #[schemars(schema_with = "duration::sweep_interval")]
    pub interval: Duration,
    /// Which other namespaces may refer to this connection: none, unless they are named.
    #[serde(default)]
    pub allowed_namespaces: AllowedNamespaces,
    /// The ceiling of what resources may ask for.
    #[serde(default)]
    pub permit: Permit,
    /// How much may be destroyed at once before somebody is asked.
    #[serde(default)]
    pub guard: Guard,
    /// How hard Pluvo may be asked.
    #[serde(default)]
    pub limits: Limits,
    /// Certificates in PEM that are trusted on top of the compiled-in roots.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 131_072))]
    pub ca_bundle: Option<String>,
    /// Whether e-mail addresses and custom-field values may appear in statuses.
    #[serde(default)]
    pub show_personal_data: bool,
}

fn five_minutes() -> Duration {
    std::time::Duration::from_mins(5).into()
}

/// Names a Secret in the same namespace.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct SecretRef {
    /// Name of the Secret.
    #[schemars(length(min = 1, max = 253))]
    pub name: String,
}

/// Namespaces by name.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct AllowedNamespaces {
    /// The namespaces that may refer to the connection besides its own.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 1000), inner(length(min = 1, max = 63)), extend("x-kubernetes-list-type" = "set"))]
    pub names: Vec<String>,
}

/// The ceiling of what resources may ask for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Permit {
    /// The roles that users may be given. Existing accounts with any other role are reported and never changed.
    #[serde(default = "participant")]
    #[schemars(length(max = 8), extend("x-kubernetes-list-type" = "set"))]
    pub roles: Vec<Role>,
    /// Whether `policy: Exclusive` may be used, which removes whoever is not declared.
    #[serde(default)]
    pub exclusive: bool,
    /// The most that a PluvoUser's `adoption` may be.
    #[serde(default)]
    pub adoption: Adoption,
    /// The domains that e-mail addresses may be in, such as `example.com`. None: any.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 100), inner(length(min = 1, max = 253)), extend("x-kubernetes-list-type" = "set"))]
    pub email_domains: Vec<String>,
}

impl Default for Permit {
    fn default() -> Self {
        Self {
            roles: participant(),
            exclusive: false,
            adoption: Adoption::default(),
            email_domains: Vec::new(),
        }
    }
}

fn participant() -> Vec<Role> {
    vec![Role::Participant]
}

/// How much may be destroyed before somebody is asked: archive, un-archive, remove, delete, and a change of ref, e-mail
/// address or roles on what exists, whatever the cause. What would go over a limit is held as a whole until the
/// annotation `pluvo.dev/approve` names its digest.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Guard {
    /// How long a destructive operation, or one that sends mail, waits before it is judged together with what came
    /// meanwhile; `0s`: not at all.
    #[serde(default = "settle")]
    pub settle: Duration,
    /// How many destructive operations there may be.
    #[serde(default)]
    pub max_destructive: MaxDestructive,
    /// How many mails may be sent within the same window.
    #[serde(default = "max_mails")]
    #[schemars(range(min = 0, max = 1_000_000))]
    pub max_mails: i32,
}

impl Default for Guard {
    fn default() -> Self {
        Self {
            settle: settle(),
            max_destructive: MaxDestructive::default(),
            max_mails: max_mails(),
        }
    }
}

/// How many destructive operations there may be within a sliding window: the larger of `count` and `percent`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct MaxDestructive {
    /// So many.
    #[serde(default = "destructive_count")]
    #[schemars(range(min = 0, max = 1_000_000))]
    pub count: i32,
    /// So many percent of the organization's active users.
    #[serde(default = "destructive_percent")]
    #[schemars(range(min = 0, max = 100))]
    pub percent: i32,
    /// How long an operation counts.
    #[serde(default = "destructive_window")]
    #[schemars(schema_with = "duration::from_a_second")]
    pub window: Duration,
}

impl Default for MaxDestructive {
    fn default() -> Self {
        Self {
            count: destructive_count(),
            percent: destructive_percent(),
            window: destructive_window(),
        }
    }
}

fn settle() -> Duration {
    std::time::Duration::from_secs(10).into()
}

fn max_mails() -> i32 {
    50
}

fn destructive_count() -> i32 {
    10
}

fn destructive_percent() -> i32 {
    5
}

fn destructive_window() -> Duration {
    std::time::Duration::from_hours(1).into()
}

/// How hard Pluvo may be asked. Pluvo's own limits are not documented.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Limits {
    /// Requests per second.
    #[serde(default = "requests_per_second")]
    #[schemars(range(min = 1, max = 1000))]
    pub requests_per_second: i32,
    /// Requests that may follow one another at once after a pause.
    #[serde(default = "burst")]
    #[schemars(range(min = 1, max = 1000))]
    pub burst: i32,
    /// Requests under way at once.
    #[serde(default = "in_flight")]
    #[schemars(range(min = 1, max = 64))]
    pub in_flight: i32,
    /// How many of them may write.
    #[serde(default = "writing")]
    #[schemars(range(min = 1, max = 64))]
    pub writing: i32,
    /// Operations in one request, at most.
    #[serde(default = "operations_per_request")]
    #[schemars(range(min = 1, max = 50))]
    pub operations_per_request: i32,
    /// How long an acknowledged membership may stay invisible before it counts as drift; `0s`: not at all.
    #[serde(default = "visibility_timeout")]
    pub visibility_timeout: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            requests_per_second: requests_per_second(),
            burst: burst(),
            in_flight: in_flight(),
            writing: writing(),
            operations_per_request: operations_per_request(),
            visibility_timeout: visibility_timeout(),
        }
    }
}

fn requests_per_second() -> i32 {
    5
}

fn burst() -> i32 {
    10
}

fn in_flight() -> i32 {
    4
}

fn writing() -> i32 {
    2
}

fn operations_per_request() -> i32 {
    50
}

fn visibility_timeout() -> Duration {
    std::time::Duration::from_mins(15).into()
}

/// What the operator knows about the organization.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct PluvoConnectionStatus {
    /// The generation of the spec that this status is about.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub observed_generation: Option<i64>,
    /// The last complete read of the organization.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_sweep: Option<LastSweep>,
    /// When the next one is due.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next_sweep_at: Option<Time>,
    /// What the server does not support.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub schema: Option<SchemaStatus>,
    /// What the guard has let through, and what it holds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub guard: Option<GuardStatus>,
    /// The access token in use.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub token: Option<TokenStatus>,
    /// How many resources of each kind use this connection.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(extend("x-kubernetes-list-type" = "map", "x-kubernetes-list-map-keys" = ["kind"]))]
    pub managed: Vec<ManagedCount>,
    /// Ready, Available and Fresh; Reconciling and Stalled only while true.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(extend("x-kubernetes-list-type" = "map", "x-kubernetes-list-map-keys" = ["type"]))]
    pub conditions: Vec<Condition>,
    /// The last handled value of the annotation `pluvo.dev/reconcile-requested-at`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_handled_reconcile_at: Option<String>,
}

/// One complete read of the organization.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct LastSweep {
    /// When it began; written before the first one of a process.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub started_at: Option<Time>,
    /// When the last complete one ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub completed_at: Option<Time>,
    /// API requests that it took.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub requests: Option<i64>,
    /// How it read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub strategy: Option<Strategy>,
    /// Users that it saw, active and archived.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub users: Option<i64>,
}

/// How an organization is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum Strategy {
    /// Complete lists, page by page.
    Lists,
    /// The managed objects alone, many in one request.
    PointReads,
}

/// What the server does not support.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct SchemaStatus {
    /// `Type.field`, sorted.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub unsupported: Vec<String>,
}

/// The access token in use.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct TokenStatus {
    /// When it ends; it is renewed before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires_at: Option<Time>,
}

/// What the guard has let through, and what it holds.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct GuardStatus {
    /// How much may be let through within the window.
    pub limit: GuardAmounts,
    /// What was let through within the window, approved sets apart; written before it is sent.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(extend("x-kubernetes-list-type" = "atomic"))]
    pub window: Vec<GuardPassed>,
    /// What is held.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pending: Option<GuardAmounts>,
    /// Names exactly the set that is held: the annotation `pluvo.dev/approve` with this value releases it, once.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub digest: Option<String>,
    /// The first operations of the set that is held.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(extend("x-kubernetes-list-type" = "atomic"))]
    pub examples: Vec<String>,
    /// The digest that was last approved.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub approved: Option<String>,
}

/// Destructive operations and mails.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct GuardAmounts {
    /// Destructive operations.
    pub destructive: i64,
    /// Mails.
    pub mails: i64,
}

/// What was let through at one time.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct GuardPassed {
    /// When.
    pub at: Time,
    /// Destructive operations.
    pub destructive: i64,
    /// Mails.
    pub mails: i64,
}

/// How many resources of one kind use the connection.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ManagedCount {
    /// The kind.
    pub kind: String,
    /// How many there are.
    pub count: i64,
    /// How many of them have drifted.
    pub drifted: i64,
}
