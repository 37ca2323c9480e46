//! Waiting for conditions.

use std::time::Duration;

use anyhow::bail;
use tokio::time::{Instant, sleep, timeout_at};

use super::Result;

/// How long and how often a test looks at something that stands still.
#[derive(Clone, Copy)]
pub struct Patience {
    /// So long at least.
    pub time: Duration,
    /// So many looks at least. A look goes through the same API server or sandbox as what is waited for, so that looks
    /// that take long say how slow the machine is.
    pub looks: u32,
}

/// What suits everything that the operator does by itself.
pub const PATIENCE: Patience = Patience {
    time: Duration::from_mins(3),
    looks: 120,
};

/// What keeps changing for so many times the patience will not come about.
const RENEWALS: u32 = 6;
const PAUSE: Duration = Duration::from_millis(50);

/// Calls `probe` until it succeeds, for as long as what it sees instead moves. Its errors say what it saw: the last one
/// is in the error when it gives up.
///
/// ```ignore
/// eventually("the user is Ready", async || {
///     let user = api.get("jane").await?;
///     ensure!(is_ready(&user), "its status is {:?}", user.status);
///     Ok(user)
/// }).await?
/// ```
pub async fn eventually<T>(what: &str, probe: impl AsyncFnMut() -> Result<T>) -> Result<T> {
    patiently(what, PATIENCE, probe).await
}

/// [`eventually`] with another patience.
pub async fn patiently<T>(what: &str, patience: Patience, mut probe: impl AsyncFnMut() -> Result<T>) -> Result<T> {
    let begin = Instant::now();
    let mut standstill = Standstill::new(patience);
    loop {
        let asked = Instant::now();
        // A probe that hangs is a condition that does not hold. What it said before, if anything, tells more.
        match timeout_at(asked + patience.time, probe()).await {
            Ok(Ok(value)) => return Ok(value),
            Ok(Err(error)) => standstill.see(format!("{error:#}")),
            Err(_) => standstill.look(),
        }
        if standstill.is_final() || begin.elapsed() >= RENEWALS * patience.time {
            bail!(
                "gave up after {:?} waiting until {what}; nothing has moved for {:?}; last seen: {}",
                begin.elapsed(),
                standstill.since.elapsed(),
                standstill.seen
            );
        }
        // Whoever waits must not be what the machine is busy with.
        sleep((3 * asked.elapsed()).clamp(PAUSE, 20 * PAUSE)).await;
    }
}

/// What a test keeps seeing.
struct Standstill {
    patience: Patience,
    seen: String,
    since: Instant,
    looks: u32,
}

impl Standstill {
    fn new(patience: Patience) -> Self {
        Self {
            patience,
            seen: "no answer".to_owned(),
            since: Instant::now(),
            looks: 0,
        }
    }

    fn see(&mut self, seen: String) {
        self.looks += 1;
        if seen != self.seen {
            (self.seen, self.since, self.looks) = (seen, Instant::now(), 0);
        }
    }

    fn look(&mut self) {
        self.looks += 1;
    }

    fn is_final(&self) -> bool {
        self.since.elapsed() >= self.patience.time && self.looks >= self.patience.looks
    }
}
