//! What a pass decides: what to ask of Pluvo, and what to say about it.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use crate::{
    api::{
        Mode, Reason,
        reason::Progress,
        status::{Applied, DriftKind, Enrollments, Status, Subjects},
    },
    pluvo::model::Id,
};

use super::{
    Call, Cause,
    key::{ConnectionKey, ResourceKey},
    reporting::Findings,
};

/// What a plan is told about the resource besides its spec.
#[derive(Clone, Debug)]
pub struct Subject<'a> {
    /// The resource.
    pub key: &'a ResourceKey,
    /// Its uid; fingerprints are bound to it.
    pub uid: &'a str,
    /// Its generation.
    pub generation: i64,
    /// The last written status, unless it is about another object.
    pub status: Option<&'a Status>,
    /// The mode in effect.
    pub mode: Mode,
    /// Whether personal data may be shown.
    pub show_personal_data: bool,
    /// Whether subjects that can be added shall wait no longer for those that are being created.
    pub hold_is_over: bool,
}

impl Subject<'_> {
    /// Pluvo's id, if the object was known.
    #[must_use]
    pub fn known_id(&self) -> Option<Id> {
        self.status.and_then(|status| status.id.as_deref()).map(Id::from)
    }

    /// The fingerprint that was last acknowledged at a path.
    #[must_use]
    pub fn applied(&self, path: &str) -> Option<&str> {
        self.at(path).map(|applied| applied.hash.as_str())
    }

    /// Whether the value that was last acknowledged at a path was changed back again and again.
    #[must_use]
    pub fn is_contested(&self, path: &str) -> bool {
        self.at(path).is_some_and(Applied::is_contested)
    }

    fn at(&self, path: &str) -> Option<&Applied> {
        self.status?.applied.iter().find(|applied| applied.path == path)
    }

    /// Whether a difference with this cause is written in the mode in effect.
    #[must_use]
    pub fn writes(&self, cause: Cause) -> bool {
        match self.mode {
            Mode::Observe => false,
            Mode::Apply => cause != Cause::Drift,
            Mode::Correct => true,
        }
    }
}

/// What is the matter with a resource, in one reason and one sentence.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verdict {
    /// The reason of `Ready`.
    pub reason: Reason,
    /// What happened, to which object, what to do.
    pub message: String,
    /// How kstatus shall read it.
    pub progress: Progress,
    /// A state that passes by itself within moments: it is written only if it lasts.
    pub fleeting: bool,
}

impl Verdict {
    /// Nothing left to do.
    #[must_use]
    pub fn done(reason: Reason, message: impl Into<String>) -> Self {
        Self {
            reason,
            message: message.into(),
            progress: Progress::Done,
            fleeting: false,
        }
    }

    /// A human must act.
    #[must_use]
    pub fn stalled(reason: Reason, message: impl Into<String>) -> Self {
        Self {
            reason,
            message: message.into(),
            progress: Progress::Stalled,
            fleeting: false,
        }
    }

    /// The server lacks parts of the schema without which this cannot be done.
    #[must_use]
    pub fn unsupported(parts: &[String]) -> Self {
        let parts = parts.iter().map(String::as_str).collect::<BTreeSet<_>>();
        let parts = parts.into_iter().collect::<Vec<_>>().join(", ");
        Self::stalled(
            Reason::Unsupported,
            format!("this Pluvo server does not have {parts}, without which this cannot be done"),
        )
    }

    /// Work is under way.
    #[must_use]
    pub fn reconciling(reason: Reason, message: impl Into<String>) -> Self {
        Self {
            reason,
            message: message.into(),
            progress: Progress::Reconciling,
            fleeting: false,
        }
    }

    /// The connection is not ready, and says why itself.
    #[must_use]
    pub fn not_ready(connection: &ConnectionKey) -> Self {
        Self::reconciling(
            Reason::ConnectionNotReady,
            format!("PluvoConnection {connection} is not ready; see its status"),
        )
    }

    /// The resource is on its way out: `deletionTimestamp` says so by itself.
    #[must_use]
    pub fn deleting(message: impl Into<String>) -> Self {
        Self {
            progress: Progress::Terminating,
            ..Self::reconciling(Reason::Deleting, message)
        }
    }

    /// Work is under way, and is likely to end before anybody could read about it.
    #[must_use]
    pub fn fleeting(reason: Reason, message: impl Into<String>) -> Self {
        Self {
            fleeting: true,
            ..Self::reconciling(reason, message)
        }
    }
}

/// A difference between spec and Pluvo, ready to be shown.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Difference {
    /// The path in the spec.
    pub path: String,
    /// What kind of difference.
    pub kind: DriftKind,
    /// What the spec says.
    pub desired: Option<String>,
    /// What Pluvo says.
    pub observed: Option<String>,
}

impl Difference {
    /// Something that is declared is not there.
    #[must_use]
    pub fn missing(path: impl Into<String>, desired: Option<String>) -> Self {
        Self {
            path: path.into(),
            kind: DriftKind::Missing,
            desired,
            observed: None,
        }
    }
}

/// What is said about subjects.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SubjectsReport {
    /// How many, and how far.
    pub counts: Subjects,
    /// Refs that this resource added or is about to add.
    pub inventory: Vec<String>,
    /// Refs that were there before.
    pub found: Vec<String>,
    /// Refs in `inventory` whose addition has not been seen yet.
    pub pending: Vec<String>,
    /// How they stand to an offer event, where they are in one.
    pub standings: Option<Enrollments>,
    /// Whether Pluvo does not say who is there.
    pub unobservable: bool,
}

/// What happens to the finalizer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Finalizer {
    /// Leave it as it is.
    #[default]
    Keep,
    /// There is something to undo on deletion: it must be there before the first call.
    Require,
    /// Nothing is left to do, or nothing was ever to be done.
    Release,
}

/// What is known about the object in Pluvo.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Identity {
    /// Pluvo's id.
    pub id: Option<Id>,
    /// Set when an account that was there before is taken over, with the ref that it had.
    pub adopted: Option<Option<Arc<str>>>,
}

/// The outcome of planning one resource.
#[derive(Clone, Debug)]
pub struct Decision {
    /// The state to report.
    pub verdict: Verdict,
    /// What to ask of Pluvo, in order. It replaces everything of this resource that was not sent.
    pub calls: Vec<Call>,
    /// The drift: in mode Observe every difference.
    pub drift: Vec<Difference>,
    /// Differences because the spec is new, for `plan` and for events.
    pub changes: Vec<Difference>,
    /// Fingerprints of what Pluvo holds as declared, by path.
    pub applied: BTreeMap<String, String>,
    /// Whether Pluvo is known well enough for the verdict to be reported.
    pub observed: bool,
    /// Whether spec and Pluvo were compared. If not, the drift, the fingerprints and the subjects that were reported
    /// before stand: a conflict says nothing about them.
    pub compared: bool,
    /// The object in Pluvo.
    pub identity: Identity,
    /// Subjects, where there are any.
    pub subjects: Option<SubjectsReport>,
    /// What a report has found.
    pub findings: Option<Findings>,
    /// Refs of those whom these calls are about to tell by mail, for the first time: the status records them before.
    pub mailed: Vec<String>,
    /// What is waited for, shown beside the drift; never counted as drift.
    pub waiting: Vec<Difference>,
    /// The finalizer.
    pub finalizer: Finalizer,
    /// What the deletion waits for, where it waits.
    pub deletion_blocked: Option<String>,
    /// How many declared users are being created: those who can be added wait for them.
    pub awaited: usize,
}

impl Decision {
    /// A decision that does nothing but say something.
    #[must_use]
    pub fn only(verdict: Verdict) -> Self {
        Self {
            verdict,
            calls: Vec::new(),
            drift: Vec::new(),
            changes: Vec::new(),
            applied: BTreeMap::new(),
            observed: false,
            compared: false,
            identity: Identity::default(),
            subjects: None,
            findings: None,
            mailed: Vec::new(),
            waiting: Vec::new(),
            finalizer: Finalizer::Keep,
            deletion_blocked: None,
            awaited: 0,
        }
    }

    /// The decision to let a resource go.
    #[must_use]
    pub fn release(message: &str) -> Self {
        Self {
            finalizer: Finalizer::Release,
            ..Self::only(Verdict::deleting(message))
        }
    }

    /// Nothing can be decided until Pluvo was read.
    #[must_use]
    pub fn unobserved(available: bool) -> Self {
        Self::only(if available {
            Verdict::fleeting(Reason::Pending, "Pluvo has not been read yet")
        } else {
            Verdict::reconciling(
                Reason::ApiUnavailable,
                "Pluvo cannot be reached; see the connection's status",
            )
        })
    }

    /// Whether the status must be written before the calls are submitted, given the one that stands: drift that is
    /// being corrected, subjects that are about to be added, mails that are about to be sent, an account that is about
    /// to be taken over and does not show afterwards which ref it had.
    #[must_use]
    pub fn status_precedes_calls(&self, status: Option<&Status>) -> bool {
        let lists_change = self.subjects.as_ref().is_some_and(|subjects| {
            let written = |list: fn(&Status) -> &Vec<String>| status.map(list).map(Vec::as_slice).unwrap_or_default();
            subjects.inventory != written(|status| &status.inventory)
                || subjects.pending != written(|status| &status.pending)
        });
        let adopts = self.identity.adopted.is_some() && status.is_none_or(|status| status.adopted != Some(true));
        !self.calls.is_empty()
            && (lists_change
                || !self.mailed.is_empty()
                || adopts
                || self.calls.iter().any(|call| call.cause == Cause::Drift))
    }
}
