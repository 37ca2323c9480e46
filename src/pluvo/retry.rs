//! Whether a request that failed is made again, and when: a pure decision.

use std::time::Duration;

use crate::clock::scaled;

use super::{error::Error, operation::Access};

/// How persistent the client is within one call. What outlasts it is for the caller, who knows more: whether the
/// request is still wanted, and whether everything else fails as well.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Policy {
    /// Attempts in all.
    pub attempts: u32,
    /// The longest wait after the first failure; doubles with every further one.
    pub base: Duration,
    /// The longest wait.
    pub ceiling: Duration,
    /// The longest `Retry-After` that a read waits for.
    pub read_patience: Duration,
    /// The longest `Retry-After` that a write waits for: what it says may be outdated soon.
    pub write_patience: Duration,
}

impl Default for Policy {
    fn default() -> Self {
        Self {
            attempts: 4,
            base: Duration::from_millis(500),
            ceiling: Duration::from_secs(20),
            read_patience: Duration::from_mins(1),
            write_patience: Duration::from_secs(5),
        }
    }
}

/// What to do after a failure.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Decision {
    /// Wait this long, then try again.
    After(Duration),
    /// Return the error.
    GiveUp,
}

/// Decides after the failure of attempt number `attempt` (from 1). `random` in `0.0..1.0` spreads the waiting (full
/// jitter). A write is repeated only if it is certain that nothing was executed.
#[must_use]
pub fn decide(policy: &Policy, attempt: u32, error: &Error, access: Access, random: f64) -> Decision {
    let repeatable = error.is_retryable() && (access == Access::Read || !error.outcome_unknown());
    let patience = match access {
        Access::Read => policy.read_patience,
        Access::Write => policy.write_patience,
    };
    let asked = error.retry_after().unwrap_or_default();
    if !repeatable || attempt >= policy.attempts || asked > patience {
        return Decision::GiveUp;
    }
    let doublings = attempt.saturating_sub(1).min(16);
    let backoff = policy.base.saturating_mul(1 << doublings).min(policy.ceiling);
    Decision::After(asked.saturating_add(scaled(backoff, random.clamp(0.0, 1.0))))
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;
    use crate::pluvo::{
        error::{CredentialsError, TransportError},
        operation::DecodeError,
    };

    fn http(status: u16, retry_after: Option<u64>) -> Error {
        Error::Http {
            status,
            retry_after: retry_after.map(Duration::from_secs),
        }
    }

    fn throttled(retry_after: Option<u64>) -> Error {
        Error::Throttled {
            retry_after: retry_after.map(Duration::from_secs),
        }
    }

    fn token(error: Error) -> Error {
        Error::Token(Box::new(error))
    }

    /// With `random` 1: the longest wait in milliseconds, for reads and for writes; none: it gives up.
    #[rstest]
    #[case::connection_refused(TransportError::NotSent("x".into()).into(), Some(500), Some(500))]
    #[case::timeout(TransportError::Timeout.into(), Some(500), None)]
    #[case::connection_lost(TransportError::Lost("x".into()).into(), Some(500), None)]
    #[case::too_large(TransportError::TooLarge(1).into(), None, None)]
    #[case::server_error(http(500, None), Some(500), None)]
    #[case::bad_gateway(http(502, None), Some(500), None)]
    #[case::maintenance(http(503, Some(7)), Some(7500), None)]
    #[case::request_timeout(http(408, None), Some(500), None)]
    #[case::redirect(http(301, None), None, None)]
    #[case::forbidden(http(403, None), None, None)]
    #[case::not_found(http(404, None), None, None)]
    #[case::throttled(throttled(None), Some(500), Some(500))]
    #[case::throttled_briefly(throttled(Some(2)), Some(2500), Some(2500))]
    #[case::throttled_for_long(throttled(Some(30)), Some(30500), None)]
    #[case::throttled_for_too_long(throttled(Some(3600)), None, None)]
    #[case::unauthorized(Error::Unauthorized, None, None)]
    #[case::wrong_credentials(CredentialsError::InvalidClient.into(), None, None)]
    #[case::no_token_timeout(token(TransportError::Timeout.into()), Some(500), Some(500))]
    #[case::no_token_server_error(token(http(500, None)), Some(500), Some(500))]
    #[case::no_token_redirect(token(http(302, None)), None, None)]
    #[case::document(Error::Document(vec![]), None, None)]
    #[case::decode(Error::Decode(DecodeError { field: "user", what: "x".into() }), None, None)]
    fn table(#[case] error: Error, #[case] read: Option<u64>, #[case] write: Option<u64>) {
        let decision =
            |millis: Option<u64>| millis.map_or(Decision::GiveUp, |m| Decision::After(Duration::from_millis(m)));
        assert_eq!(
            decide(&Policy::default(), 1, &error, Access::Read, 1.0),
            decision(read),
            "reading"
        );
        assert_eq!(
            decide(&Policy::default(), 1, &error, Access::Write, 1.0),
            decision(write),
            "writing"
        );
    }

    #[test]
    fn waits_double_up_to_the_ceiling_and_are_spread_over_all_of_it() {
        let policy = Policy {
            attempts: 40,
            ..Policy::default()
        };
        let wait = |attempt, random| decide(&policy, attempt, &throttled(None), Access::Read, random);
        let millis = |millis| Decision::After(Duration::from_millis(millis));
        assert_eq!(
            [1, 2, 3, 6, 7, 39].map(|n| wait(n, 1.0)),
            [500, 1000, 2000, 16000, 20000, 20000].map(millis)
        );
        assert_eq!((wait(3, 0.0), wait(3, 0.5)), (millis(0), millis(1000)));
        assert_eq!(wait(40, 0.5), Decision::GiveUp);
    }
}
