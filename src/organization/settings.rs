//! What a connection says about its organization.

use std::time::Duration;

use crate::{api::PluvoConnectionSpec, pluvo::limiter::Limits};

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
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            interval: Duration::from_mins(5),
            visibility_timeout: Duration::from_mins(15),
            operations_per_request: 50,
            linger: Duration::from_millis(500),
            limits: Limits::default(),
        }
    }
}

impl From<&PluvoConnectionSpec> for Settings {
    fn from(spec: &PluvoConnectionSpec) -> Self {
        let limits = &spec.limits;
        let at_least_one = |value: i32| usize::try_from(value).unwrap_or(1).max(1);
        Self {
            interval: Duration::from(spec.interval).max(Duration::from_secs(1)),
            visibility_timeout: limits.visibility_timeout.into(),
            operations_per_request: at_least_one(limits.operations_per_request),
            linger: Self::default().linger,
            limits: Limits {
                requests_per_second: f64::from(limits.requests_per_second.max(1)),
                burst: u32::try_from(limits.burst).unwrap_or(1),
                in_flight: at_least_one(limits.in_flight),
                writing: at_least_one(limits.writing),
            },
        }
    }
}
