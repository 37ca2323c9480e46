//! Whether an organization can be reached, and how well it is known: what the connection's status says.

use std::time::Duration;

use jiff::Timestamp;
use tokio::time::Instant;

use crate::{
    clock::{SaturatingAdd, scaled},
    plan::observed::Unavailable,
    pluvo::error::Error,
};

use super::sweep::Strategy;

/// The longest time between two attempts while Pluvo cannot be reached.
const MAX_BACKOFF: Duration = Duration::from_mins(1);

/// Whether an organization can be reached, and how well it is known.
#[derive(Clone, Debug, Default)]
pub struct Health {
    /// Why the last request failed; `None` while requests succeed.
    pub failure: Option<Error>,
    /// Whether any request has ever succeeded.
    pub reached: bool,
    /// Failures in a row.
    pub failures: u32,
    /// The last sweep.
    pub sweep: SweepReport,
    /// When the next one is due.
    pub next_sweep: Option<Timestamp>,
    /// When the token ends.
    pub token_expires_at: Option<Timestamp>,
    /// What the server does not support.
    pub unsupported: Vec<String>,
}

/// What is told about sweeps.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SweepReport {
    /// When the last one began.
    pub started_at: Option<Timestamp>,
    /// When the last one that was complete ended.
    pub completed_at: Option<Timestamp>,
    /// How many ended, complete or not.
    pub count: u64,
    /// Requests of the last one.
    pub requests: u32,
    /// How the last one read.
    pub strategy: Strategy,
    /// Users that are known.
    pub users: usize,
}

impl Health {
    /// A request failed. Returns until when nothing is to be tried: exponential backoff with full jitter.
    pub fn failed(&mut self, error: Error, now: Instant, random: f64) -> Instant {
        let wait = Duration::from_millis(500)
            .saturating_mul(1 << self.failures.min(10))
            .min(MAX_BACKOFF);
        let asked = error.retry_after().unwrap_or_default();
        self.failures = self.failures.saturating_add(1);
        self.failure = Some(error);
        now.saturating_add(asked.saturating_add(scaled(wait, 0.5 + random / 2.0)))
    }

    /// A request succeeded. Returns whether that is news.
    pub fn succeeded(&mut self) -> bool {
        self.failures = 0;
        let news = self.failure.take().is_some() || !self.reached;
        self.reached = true;
        news
    }

    /// Why Pluvo cannot be asked, as far as is known.
    #[must_use]
    pub fn unavailable(&self) -> Option<Unavailable> {
        self.failure.as_ref().map(|failure| match failure {
            Error::Credentials(_) | Error::Unauthorized => Unavailable::NoCredentials,
            _ => Unavailable::Unreachable,
        })
    }
}
