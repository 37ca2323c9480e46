//! What a guard is told, what it remembers, and what it says.

use std::time::Duration;

use jiff::Timestamp;

use super::item::Item;

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
    /// How much.
    pub amounts: Amounts,
}

/// A part of the window: what is let through within it is remembered together, as if all of it had passed at its last
/// second.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Part {
    number: i64,
    length: Duration,
}

impl Part {
    /// The one in which something passes that is let through now.
    pub fn now(wall: Timestamp, length: Duration) -> Self {
        Self::of(second_after(wall), length)
    }

    fn of(at: Timestamp, length: Duration) -> Self {
        let millis = i64::try_from(length.as_millis()).unwrap_or(i64::MAX).max(1);
        Self {
            number: at.as_millisecond().div_euclid(millis),
            length,
        }
    }

    fn contains(self, passed: &Passed) -> bool {
        Self::of(passed.at, self.length) == self
    }
}

/// As Kubernetes stores it; the later second, so that nothing counts for less than the window.
fn second_after(wall: Timestamp) -> Timestamp {
    Timestamp::from_second(wall.as_second().saturating_add(1)).unwrap_or(wall)
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
            destructive: sum.destructive.saturating_add(passed.amounts.destructive),
            mails: sum.mails.saturating_add(passed.amounts.mails),
        })
    }

    /// Something is let through now, in this part of the window.
    pub(super) fn note(&mut self, amounts: Amounts, wall: Timestamp, part: Part) {
        let at = second_after(wall);
        match self.passed.last_mut() {
            Some(last) if part.contains(last) => {
                last.at = at;
                last.amounts.destructive = last.amounts.destructive.saturating_add(amounts.destructive);
                last.amounts.mails = last.amounts.mails.saturating_add(amounts.mails);
            }
            _ => self.passed.push(Passed { at, amounts }),
        }
    }

    /// What was let through and has not left counts no longer, because it will not leave as it was let through.
    pub(super) fn give_back(&mut self, item: &Item) {
        let Some(part) = item.state.counted() else { return };
        if let Some(passed) = self.passed.iter_mut().find(|passed| part.contains(passed)) {
            passed.amounts.remove(item.kind);
        }
        self.passed.retain(|passed| passed.amounts != Amounts::default());
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
