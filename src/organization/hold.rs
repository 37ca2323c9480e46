//! How long subjects that can be added wait for others that are being created, so that they travel together.

use std::time::Duration;

use tokio::time::Instant;

use crate::clock::SaturatingAdd;

/// How long to wait for users that are being created: so long as there is progress, and no longer than five
/// minutes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Hold {
    begun: Instant,
    /// How many were missing when that last changed.
    awaited: usize,
    progress: Instant,
}

impl Hold {
    const WITHOUT_PROGRESS: Duration = Duration::from_secs(15);
    const AT_MOST: Duration = Duration::from_mins(5);

    /// The hold after a pass that found `awaited` users missing; `None` where nobody waits.
    #[must_use]
    pub fn next(before: Option<Self>, awaited: usize, now: Instant) -> Option<Self> {
        let begun = before.map_or(now, |hold| hold.begun);
        let progress = before
            .filter(|hold| hold.awaited == awaited)
            .map_or(now, |hold| hold.progress);
        (awaited > 0).then_some(Self {
            begun,
            awaited,
            progress,
        })
    }

    /// When to wait no longer.
    #[must_use]
    pub fn ends(&self) -> Instant {
        let patient = self.begun.saturating_add(Self::AT_MOST);
        patient.min(self.progress.saturating_add(Self::WITHOUT_PROGRESS))
    }
}
