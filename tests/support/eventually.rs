//! Waiting for conditions.

use std::time::Duration;

use anyhow::bail;
use tokio::time::{Instant, sleep, timeout_at};

use super::Result;

/// How long anything may take that the operator does by itself.
pub const PATIENCE: Duration = Duration::from_mins(3);

const PAUSE: Duration = Duration::from_millis(50);

/// Calls `probe` until it succeeds. Its errors say what it saw instead: the last one is in the error of a time-out.
///
/// ```ignore
/// eventually("the user is Ready", minute, async || {
///     let user = api.get("jane").await?;
///     ensure!(is_ready(&user), "its status is {:?}", user.status);
///     Ok(user)
/// }).await?
/// ```
pub async fn eventually<T>(what: &str, timeout: Duration, probe: impl AsyncFnMut() -> Result<T>) -> Result<T> {
    let deadline = Instant::now() + timeout;
    until(what, |_| deadline, probe).await
}

/// [`eventually`] for what takes the longer the busier the machine is: it gives up when what is seen instead has not
/// changed for as long as [`PATIENCE`], or has changed for five times as long.
pub async fn progressing<T>(what: &str, probe: impl AsyncFnMut() -> Result<T>) -> Result<T> {
    let longest = Instant::now() + 5 * PATIENCE;
    let mut before = String::new();
    let mut deadline = Instant::now() + PATIENCE;
    let renewed = |seen: &str| {
        if seen != before {
            seen.clone_into(&mut before);
            deadline = longest.min(Instant::now() + PATIENCE);
        }
        deadline
    };
    until(what, renewed, probe).await
}

/// Calls `probe` until it succeeds, or until the time that comes of what it saw last.
async fn until<T>(
    what: &str,
    mut deadline: impl FnMut(&str) -> Instant,
    mut probe: impl AsyncFnMut() -> Result<T>,
) -> Result<T> {
    let begin = Instant::now();
    let mut seen = "no answer".to_owned();
    loop {
        let (asked, until) = (Instant::now(), deadline(&seen));
        // A probe that hangs is a condition that does not hold.
        match timeout_at(until.max(Instant::now() + PAUSE), probe()).await {
            Ok(Ok(value)) => return Ok(value),
            Ok(Err(error)) => seen = format!("{error:#}"),
            // What it said before, if anything, tells more.
            Err(_) => {}
        }
        if Instant::now() >= deadline(&seen) {
            bail!(
                "gave up after {:?} waiting until {what}; last seen: {seen}",
                begin.elapsed()
            );
        }
        // Whoever waits must not be what the machine is busy with, and must have time to look once more.
        let left = deadline(&seen).saturating_duration_since(Instant::now());
        sleep((3 * asked.elapsed()).min(left / 2).max(PAUSE)).await;
    }
}

/// [`eventually`] with the patience that suits most conditions, on a machine that is busy.
pub async fn soon<T>(what: &str, probe: impl AsyncFnMut() -> Result<T>) -> Result<T> {
    eventually(what, Duration::from_mins(1), probe).await
}
