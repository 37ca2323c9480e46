//! What a guard is told, what it remembers, and what it says.

use std::time::Duration;

use jiff::Timestamp;

/// How much may be destroyed and told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GuardSettings {
    /// How long an operation waits before it is judged together with what came meanwhile.
    pub settle: Duration,
    /// So many destructive operations within a window, or
    pub count: usize,
    /// so many percent of the active users, if that is more.
    pub percent: usize,
    /// How long an operation counts.
    pub window: Duration,
    /// So many mails within a window.
    pub max_mails: usize,
}

impl Default for GuardSettings {
    fn default() -> Self {
        Self {
            settle: Duration::from_secs(10),
            count: 10,
            percent: 5,
            window: Duration::from_hours(1),
            max_mails: 50,
        }
    }
}

/// What was let through at one time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Passed {
    /// When.
    pub at: Timestamp,
    /// Destructive operations.
    pub destructive: usize,
    /// Mails.
    pub mails: usize,
}

/// What outlives a process.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct GuardRecord {
    /// What was let through within the window, the oldest first.
    pub passed: Vec<Passed>,
    /// The digest of the last set that was approved.
    pub approved: Option<String>,
}

impl GuardRecord {
    /// What was let through within the window.
    #[must_use]
    pub fn sum(&self) -> Amounts {
        self.passed.iter().fold(Amounts::default(), |sum, passed| Amounts {
            destructive: sum.destructive + passed.destructive,
            mails: sum.mails + passed.mails,
        })
    }
}

/// Destructive operations and mails, each against a limit of its own.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Amounts {
    /// Destructive operations.
    pub destructive: usize,
    /// Mails.
    pub mails: usize,
}

/// What the guard says about itself.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct GuardReport {
    /// To be recorded before anything leaves.
    pub record: GuardRecord,
    /// Which state of the record this is; see [`Guard::recorded`].
    pub revision: u64,
    /// Whether everything was read once: before that, what an earlier process said about the guard stands.
    pub judging: bool,
    /// The limits.
    pub limit: Amounts,
    /// What is held because it goes over a limit.
    pub held: Option<Held>,
}

impl GuardReport {
    /// What is held, or else what was let through.
    #[must_use]
    pub fn amounts(&self) -> Amounts {
        match &self.held {
            Some(held) => held.amounts,
            None => self.record.sum(),
        }
    }
}

/// A set that is held.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Held {
    /// How much it is.
    pub amounts: Amounts,
    /// Names exactly this set.
    pub digest: String,
    /// The first operations of it.
    pub examples: Vec<String>,
}
