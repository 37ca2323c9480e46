//! Waiting for conditions.

use std::time::{Duration, Instant};

use anyhow::bail;

use super::Result;

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
pub async fn eventually<T>(what: &str, timeout: Duration, mut probe: impl AsyncFnMut() -> Result<T>) -> Result<T> {
    let begin = Instant::now();
    let mut seen = "no answer".to_owned();
    loop {
        // A probe that hangs is a condition that does not hold.
        let left = timeout.saturating_sub(begin.elapsed()).max(PAUSE);
        match tokio::time::timeout(left, probe()).await {
            Ok(Ok(value)) => return Ok(value),
            Ok(Err(error)) => seen = format!("{error:#}"),
            // What it said before, if anything, tells more.
            Err(_) => {}
        }
        if begin.elapsed() >= timeout {
            bail!("gave up after {timeout:?} waiting until {what}; last seen: {seen}");
        }
        tokio::time::sleep(PAUSE).await;
    }
}

/// [`eventually`] with the patience that suits most conditions, on a machine that is busy.
pub async fn soon<T>(what: &str, probe: impl AsyncFnMut() -> Result<T>) -> Result<T> {
    eventually(what, Duration::from_mins(1), probe).await
}
