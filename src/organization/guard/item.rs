//! The operations that a guard judges.

use std::{sync::Arc, time::Duration};

use tokio::time::Instant;

use crate::{
    clock::SaturatingAdd,
    plan::{Action, Call, ResourceKey, Write, call::Destruction},
};

use super::{Amounts, record::Part};

/// What an operation counts as.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// It takes something away or overwrites it.
    Destructive(Destruction),
    /// It tells somebody by mail.
    Mail,
}

/// One operation that waits to leave, or is under way.
#[derive(Clone, Debug)]
pub struct Item {
    /// What it counts as.
    pub kind: Kind,
    /// What it writes.
    pub path: Arc<str>,
    /// Since when it waits.
    pub since: Instant,
    /// How far it is.
    pub state: ItemState,
    /// Whether its resource knows that it is held.
    pub told: bool,
}

impl Item {
    /// When it is to be judged, if it settles for so long.
    pub fn due(&self, settle: Duration) -> Option<Instant> {
        match self.state {
            ItemState::Waiting => Some(self.since.saturating_add(settle)),
            ItemState::Granted { until, .. } => until,
            ItemState::Left { .. } => None,
        }
    }
}

/// How far an operation is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ItemState {
    /// It settles, or is held.
    Waiting,
    /// Let through as soon as this revision of the record is written.
    Granted {
        /// Of the record.
        revision: u64,
        /// Whoever has not left by then is judged anew: it would count for less than a window after it was sent.
        until: Option<Instant>,
        /// Where it counts, and does not if it never leaves; `None` for what was approved, or has left before.
        counted: Option<Part>,
    },
    /// Under way. If it fails, it may leave once more as it was let through.
    Left {
        /// Of the record.
        revision: u64,
        /// As it was let through.
        until: Option<Instant>,
    },
}

impl Amounts {
    /// One more of a kind.
    pub fn add(&mut self, kind: Kind) {
        *self.of(kind) += 1;
    }

    /// One less of a kind.
    pub fn remove(&mut self, kind: Kind) {
        let amount = self.of(kind);
        *amount = amount.saturating_sub(1);
    }

    fn of(&mut self, kind: Kind) -> &mut usize {
        match kind {
            Kind::Destructive(_) => &mut self.destructive,
            Kind::Mail => &mut self.mails,
        }
    }
}

impl ItemState {
    /// It leaves now.
    pub fn depart(&mut self) {
        if let Self::Granted { revision, until, .. } = *self {
            *self = Self::Left { revision, until };
        }
    }

    /// It is asked for: once more, if it has left.
    pub fn ask(&mut self) {
        if let Self::Left { revision, until } = *self {
            *self = Self::Granted {
                revision,
                until,
                counted: None,
            };
        }
    }

    /// Where it counts although it has not left.
    pub fn counted(&self) -> Option<Part> {
        match self {
            Self::Granted { counted, .. } => *counted,
            Self::Waiting | Self::Left { .. } => None,
        }
    }
}

/// Which operations are held until somebody approves them: each kind has a limit of its own.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tripped {
    /// Destructive ones.
    pub destructive: bool,
    /// Mails.
    pub mails: bool,
}

impl Tripped {
    /// Whether anything is held.
    pub fn any(self) -> bool {
        self.destructive || self.mails
    }

    /// Whether an operation is: one that was let through before is not.
    pub fn holds(self, item: &Item) -> bool {
        let kind = if item.kind.is_mail() {
            self.mails
        } else {
            self.destructive
        };
        kind && item.state == ItemState::Waiting
    }
}

impl Kind {
    /// Whether it takes something away or overwrites it.
    pub fn is_destructive(self) -> bool {
        matches!(self, Self::Destructive(_))
    }

    /// Whether it tells somebody by mail.
    pub fn is_mail(self) -> bool {
        self == Self::Mail
    }
}

/// One line about an operation, without values.
pub fn describe(resource: &ResourceKey, item: &Item) -> String {
    let Item { kind, path, .. } = item;
    match kind {
        Kind::Destructive(Destruction::Remove) => format!("{resource}: remove {path}"),
        Kind::Destructive(destruction) => format!("{resource}: {}", destruction.as_str()),
        Kind::Mail if &**path == "ref" => format!("{resource}: mail"),
        Kind::Mail => format!("{resource}: mail to {path}"),
    }
}

/// The operations of a call that are judged, each with the fingerprint that names it.
pub fn guarded(call: &Call) -> impl Iterator<Item = (Arc<str>, Kind, Arc<str>)> + '_ {
    let kind = match call.destruction {
        Some(destruction) => Some(Kind::Destructive(destruction)),
        None if call.mails.is_empty() => None,
        None => Some(Kind::Mail),
    };
    let whole = kind.filter(|_| matches!(call.action, Action::Mutate(_))).map(|kind| {
        let path = call
            .writes
            .first()
            .map_or_else(|| "".into(), |write| write.path.clone());
        (Write::of_all(&call.writes), kind, path)
    });
    let each = kind
        .filter(|_| matches!(call.action, Action::Subjects { .. }))
        .into_iter()
        .flat_map(|kind| {
            call.writes
                .iter()
                .map(move |write| (write.fingerprint.clone(), kind, write.path.clone()))
        });
    whole.into_iter().chain(each)
}
