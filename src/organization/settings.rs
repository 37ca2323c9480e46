//! How an organization is read and written.

use std::time::Duration;

use crate::{clock::seconds, pluvo::limiter::Limits};

use super::{guard::GuardSettings, reads::Pace};

/// How an organization is read and written.
#[derive(Clone, Debug, PartialEq)]
pub struct Settings {
    /// How often everything is read.
    pub interval: Duration,
    /// How long an acknowledged membership may stay invisible.
    pub visibility_timeout: Duration,
    /// Operations in one document, at most.
    pub operations_per_request: usize,
    /// How long the first call of a document waits for others.
    pub linger: Duration,
    /// Requests per second, burst, and how many may be under way.
    pub limits: Limits,
    /// How much may be destroyed.
    pub guard: GuardSettings,
    /// Whether what reports are made of is read.
    pub surveys: bool,
}

impl Settings {
    /// How direct reads become requests. What webhooks tell takes half of the requests at most.
    pub(super) fn pace(&self) -> Pace {
        Pace {
            linger: self.linger.checked_div(4).unwrap_or_default(),
            limit: self.operations_per_request,
            between_hints: seconds(2.0 / self.limits.requests_per_second.max(0.1)),
        }
    }
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            interval: Duration::from_mins(5),
            visibility_timeout: Duration::from_mins(15),
            operations_per_request: 50,
            linger: Duration::from_millis(500),
            limits: Limits::default(),
            guard: GuardSettings::default(),
            surveys: true,
        }
    }
}
