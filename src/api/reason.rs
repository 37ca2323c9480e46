//! Every reason of every condition, and what each of them means for the conditions: the state table as code.
//!
//! ARCHITECTURE.md prints [`TABLE`]; a test holds the two together, and a full test run must have seen every row.

use std::fmt;

/// Condition types. Ready, Synced and Drifted are always present; the others only while true.
pub mod condition {
    /// Accepted, known in Pluvo, and nothing left to do in the effective mode.
    pub const READY: &str = "Ready";
    /// The last pass succeeded.
    pub const SYNCED: &str = "Synced";
    /// Drift stands between spec and Pluvo.
    pub const DRIFTED: &str = "Drifted";
    /// Work is under way (kstatus).
    pub const RECONCILING: &str = "Reconciling";
    /// A human must act (kstatus).
    pub const STALLED: &str = "Stalled";
    /// `spec.suspend` is set.
    pub const SUSPENDED: &str = "Suspended";
    /// The finalizer waits for something.
    pub const DELETION_BLOCKED: &str = "DeletionBlocked";
    /// Connection: Pluvo answers.
    pub const AVAILABLE: &str = "Available";
    /// Connection: the guard holds what would destroy too much.
    pub const GUARD_TRIPPED: &str = "GuardTripped";
    /// Connection: the last complete sweep is not older than three intervals.
    pub const FRESH: &str = "Fresh";
}

/// Whether kstatus shall read a state as finished, as under way, or as failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Progress {
    /// Nothing to do: `Current`.
    Done,
    /// `Reconciling` is true: `InProgress`.
    Reconciling,
    /// `Stalled` is true: `Failed`.
    Stalled,
    /// Only `deletionTimestamp` speaks: `Terminating`.
    Terminating,
    /// Nobody works on it and nobody must act: `InProgress`, because it is not applied.
    Idle,
}

macro_rules! reasons {
    ($($(#[$doc:meta])* $name:ident),* $(,)?) => {
        /// Why a condition is as it is.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub enum Reason { $($(#[$doc])* $name),* }

        impl Reason {
            /// The reason as it stands in a condition.
            #[must_use]
            pub fn as_str(self) -> &'static str {
                match self { $(Self::$name => stringify!($name)),* }
            }

            /// The reason of this name.
            #[must_use]
            pub fn parse(text: &str) -> Option<Self> {
                match text { $(stringify!($name) => Some(Self::$name),)* _ => None }
            }
        }
    };
}

reasons! {
    /// Pluvo says what the spec says.
    InSync,
    /// A report was read, and its findings stand in the status.
    Reported,
    /// Pluvo differs, and the mode only reports it.
    DriftReported,
    /// A user is in a training through a group, so that Pluvo refuses the removal.
    LinkedViaObject,
    /// Drift is being put right.
    Correcting,
    /// Accepted by Pluvo, not visible yet.
    Pending,
    /// Destructive, or about to send mail: it waits to be counted together with what comes meanwhile.
    Settling,
    /// The connection's guard holds it until somebody approves it.
    HeldByGuard,
    /// Something that is referred to does not exist yet.
    DependencyNotReady,
    /// The mode is Observe and the object does not exist.
    NotFound,
    /// An offer event takes nobody any more, and has no waiting list.
    EventFull,
    /// Pluvo refuses for good.
    ApiRejected,
    /// Pluvo accepts the value and keeps another one.
    ValueNotAccepted,
    /// Somebody else changes the value back again and again.
    Contested,
    /// The ref or the e-mail address belongs to another account.
    IdentityConflict,
    /// Another resource claims the target exclusively.
    TargetConflict,
    /// An older resource declares the same ref.
    OwnedByOther,
    /// The spec says something that cannot be.
    InvalidSpec,
    /// Nobody is selected any more, and that would remove everybody.
    EmptySelection,
    /// More subjects than a status can hold.
    TooManySubjects,
    /// The object was known and is gone.
    DeletedRemotely,
    /// The connection does not permit it.
    NotPermitted,
    /// The account holds a role that the connection does not permit, and is never changed.
    Protected,
    /// The server lacks a part of the schema.
    Unsupported,
    /// Pluvo cannot be reached.
    ApiUnavailable,
    /// The connection does not exist or is not ready.
    ConnectionNotReady,
    /// `spec.suspend` is set.
    Suspended,
    /// The resource is being deleted.
    Deleting,
    /// Connection: credentials and schema are good, and a first sweep is complete.
    Connected,
    /// Connection: under way.
    Connecting,
    /// Connection: the Secret does not exist or cannot be read.
    SecretNotFound,
    /// Connection: the Secret lacks a key.
    SecretInvalid,
    /// Connection: Pluvo refuses the credentials.
    CredentialsRejected,
    /// Connection: the operator may not talk to this host.
    EndpointNotAllowed,
    /// Connection: an older connection serves this organization.
    OrganizationAlreadyConnected,
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// What a row of the state table is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Part {
    /// The managed kinds.
    Managed,
    /// PluvoConnection.
    Connection,
}

/// One row of the state table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Row {
    /// Managed kinds or connection.
    pub part: Part,
    /// The reason of `Ready`.
    pub reason: Reason,
    /// The status of `Ready`.
    pub ready: &'static str,
    /// The status of `Synced` (managed) or `Available` (connection); several are possible where the cell is `as known`.
    pub synced: &'static [&'static str],
    /// The status of `Drifted` (managed) or `Fresh` (connection).
    pub drifted: &'static [&'static str],
    /// What kstatus makes of it.
    pub progress: Progress,
    /// In words.
    pub situation: &'static str,
}

const TRUE: &[&str] = &["True"];
const FALSE: &[&str] = &["False"];
const FALSE_OR_UNKNOWN: &[&str] = &["False", "Unknown"];
const TRUE_OR_FALSE: &[&str] = &["True", "False"];
const UNKNOWN: &[&str] = &["Unknown"];
const ANY: &[&str] = &["True", "False", "Unknown"];

const fn row(
    reason: Reason,
    ready: &'static str,
    synced: &'static [&'static str],
    drifted: &'static [&'static str],
    progress: Progress,
    situation: &'static str,
) -> Row {
    Row {
        part: Part::Managed,
        reason,
        ready,
        synced,
        drifted,
        progress,
        situation,
    }
}

const fn connection(
    reason: Reason,
    ready: &'static str,
    available: &'static [&'static str],
    fresh: &'static [&'static str],
    progress: Progress,
    situation: &'static str,
) -> Row {
    Row {
        part: Part::Connection,
        reason,
        ready,
        synced: available,
        drifted: fresh,
        progress,
        situation,
    }
}

/// The state table: every state in which a resource may be seen, and no other.
pub const TABLE: &[Row] = &[
    row(
        Reason::InSync,
        "True",
        TRUE,
        FALSE_OR_UNKNOWN,
        Progress::Done,
        "in sync; `Unknown` where Pluvo does not tell who is enrolled",
    ),
    row(
        Reason::Reported,
        "True",
        TRUE,
        FALSE,
        Progress::Done,
        "a report was read; what it has found is in its status",
    ),
    row(
        Reason::DriftReported,
        "True",
        TRUE,
        TRUE,
        Progress::Done,
        "drift, reported only (Observe, Apply)",
    ),
    row(
        Reason::LinkedViaObject,
        "True",
        TRUE,
        TRUE,
        Progress::Done,
        "linked through a group, so that a removal is refused",
    ),
    row(
        Reason::Correcting,
        "False",
        TRUE,
        TRUE,
        Progress::Reconciling,
        "drift being corrected",
    ),
    row(
        Reason::Pending,
        "False",
        TRUE,
        ANY,
        Progress::Reconciling,
        "accepted by Pluvo or under way, not visible yet",
    ),
    row(
        Reason::Settling,
        "False",
        TRUE,
        ANY,
        Progress::Reconciling,
        "destructive, settling before it is counted and sent",
    ),
    row(
        Reason::HeldByGuard,
        "False",
        TRUE,
        ANY,
        Progress::Reconciling,
        "held by the connection's guard until somebody approves it",
    ),
    row(
        Reason::DependencyNotReady,
        "False",
        TRUE,
        ANY,
        Progress::Reconciling,
        "some subjects, the group, the training or a custom field do not exist yet; the rest is applied",
    ),
    row(
        Reason::DependencyNotReady,
        "False",
        TRUE,
        ANY,
        Progress::Stalled,
        "the same, after `dependencyTimeout`",
    ),
    row(
        Reason::NotFound,
        "False",
        TRUE,
        TRUE,
        Progress::Stalled,
        "Observe, and the object is missing",
    ),
    row(
        Reason::EventFull,
        "False",
        TRUE,
        ANY,
        Progress::Stalled,
        "the event is full and has no waiting list; tried again when it has room",
    ),
    row(
        Reason::ApiRejected,
        "False",
        FALSE,
        ANY,
        Progress::Stalled,
        "Pluvo refuses for good",
    ),
    row(
        Reason::ValueNotAccepted,
        "False",
        TRUE,
        TRUE,
        Progress::Stalled,
        "a value does not stick",
    ),
    row(
        Reason::Contested,
        "False",
        TRUE,
        TRUE,
        Progress::Stalled,
        "a value is changed back again and again",
    ),
    row(
        Reason::IdentityConflict,
        "False",
        TRUE,
        ANY,
        Progress::Stalled,
        "the ref or the e-mail address belongs to another account",
    ),
    row(
        Reason::TargetConflict,
        "False",
        TRUE,
        ANY,
        Progress::Stalled,
        "another resource claims the target exclusively",
    ),
    row(
        Reason::OwnedByOther,
        "False",
        TRUE,
        ANY,
        Progress::Stalled,
        "an older resource declares the same ref",
    ),
    row(
        Reason::InvalidSpec,
        "False",
        ANY,
        ANY,
        Progress::Stalled,
        "the spec says something that cannot be",
    ),
    row(
        Reason::EmptySelection,
        "False",
        TRUE,
        ANY,
        Progress::Stalled,
        "nobody is selected any more, and that would remove everybody",
    ),
    row(
        Reason::TooManySubjects,
        "False",
        TRUE,
        ANY,
        Progress::Stalled,
        "more subjects than a status can hold",
    ),
    row(
        Reason::DeletedRemotely,
        "False",
        TRUE,
        ANY,
        Progress::Stalled,
        "the object was known and is gone",
    ),
    row(
        Reason::NotPermitted,
        "False",
        ANY,
        ANY,
        Progress::Stalled,
        "the connection does not permit it",
    ),
    row(
        Reason::Protected,
        "False",
        TRUE,
        ANY,
        Progress::Stalled,
        "the account holds a role outside of the permit, and differs",
    ),
    row(
        Reason::Unsupported,
        "False",
        TRUE,
        ANY,
        Progress::Stalled,
        "the server lacks a part of the schema that this needs",
    ),
    row(
        Reason::ApiUnavailable,
        "False",
        FALSE,
        ANY,
        Progress::Reconciling,
        "a new generation that cannot be applied: Pluvo unreachable",
    ),
    row(
        Reason::ConnectionNotReady,
        "False",
        FALSE,
        ANY,
        Progress::Reconciling,
        "the connection does not exist or is not ready",
    ),
    row(
        Reason::Suspended,
        "Unknown",
        ANY,
        ANY,
        Progress::Idle,
        "created suspended",
    ),
    row(
        Reason::Deleting,
        "False",
        ANY,
        ANY,
        Progress::Terminating,
        "being deleted, the finalizer waits for Pluvo",
    ),
    connection(
        Reason::Connected,
        "True",
        TRUE,
        TRUE_OR_FALSE,
        Progress::Done,
        "Pluvo answers, and a sweep is complete; after an outage it may be an old one",
    ),
    connection(
        Reason::Connecting,
        "False",
        ANY,
        ANY,
        Progress::Reconciling,
        "the first sweep is under way",
    ),
    connection(
        Reason::ApiUnavailable,
        "False",
        FALSE,
        ANY,
        Progress::Reconciling,
        "Pluvo cannot be reached",
    ),
    connection(
        Reason::SecretNotFound,
        "False",
        ANY,
        ANY,
        Progress::Reconciling,
        "the Secret does not exist or cannot be read",
    ),
    connection(
        Reason::SecretInvalid,
        "False",
        ANY,
        ANY,
        Progress::Stalled,
        "the Secret lacks a key",
    ),
    connection(
        Reason::CredentialsRejected,
        "False",
        FALSE,
        ANY,
        Progress::Stalled,
        "Pluvo refuses the credentials",
    ),
    connection(
        Reason::EndpointNotAllowed,
        "False",
        UNKNOWN,
        FALSE,
        Progress::Stalled,
        "the operator may not talk to this host",
    ),
    connection(
        Reason::OrganizationAlreadyConnected,
        "False",
        UNKNOWN,
        FALSE,
        Progress::Stalled,
        "an older connection serves this organization",
    ),
    connection(
        Reason::InvalidSpec,
        "False",
        UNKNOWN,
        FALSE,
        Progress::Stalled,
        "the spec says something that cannot be",
    ),
];
