//! Whether requests are worth sending: none while Pluvo is given time to recover, then a single one, which tells.

use tokio::time::Instant;

/// Closed while Pluvo answers; open after a failure; half open while one request finds out whether it has recovered.
#[derive(Debug, Default)]
pub enum Breaker {
    /// Everything is sent.
    #[default]
    Closed,
    /// Nothing is sent before this.
    Open(Instant),
    /// One request is under way, and nothing else is sent.
    HalfOpen,
}

/// From when something may be sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sends {
    /// Now.
    Now,
    /// Then.
    At(Instant),
    /// When what is under way has come back.
    AfterAnswer,
}

impl Breaker {
    /// From when a request may be sent.
    #[must_use]
    pub fn sends(&self, now: Instant) -> Sends {
        match self {
            Self::Open(until) if *until > now => Sends::At(*until),
            Self::Closed | Self::Open(_) => Sends::Now,
            Self::HalfOpen => Sends::AfterAnswer,
        }
    }

    /// Until when Pluvo is given time.
    #[must_use]
    pub fn open_until(&self) -> Option<Instant> {
        match self {
            Self::Open(until) => Some(*until),
            Self::Closed | Self::HalfOpen => None,
        }
    }

    /// Whether one request finds out: there is no sense in repeating it.
    #[must_use]
    pub fn is_half_open(&self) -> bool {
        matches!(self, Self::HalfOpen)
    }

    /// A request is being sent.
    pub fn sending(&mut self) {
        if matches!(self, Self::Open(_)) {
            *self = Self::HalfOpen;
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn after_a_failure_one_request_tells() {
        let start = Instant::now();
        let until = start + Duration::from_secs(3);
        let mut breaker = Breaker::default();
        breaker.sending();
        assert_eq!(breaker.sends(start), Sends::Now, "many at a time");
        breaker = Breaker::Open(until);
        assert_eq!(breaker.sends(start), Sends::At(until));
        assert_eq!(breaker.sends(until), Sends::Now);
        breaker.sending();
        assert!(breaker.is_half_open());
        assert_eq!(breaker.sends(until), Sends::AfterAnswer);
    }
}
