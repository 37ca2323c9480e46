//! The time of one organization, which tests can move forward, and how moments are written.

use std::sync::{
    Arc,
    atomic::{AtomicI64, Ordering},
};

use jiff::{SignedDuration, Timestamp, civil::DateTime, tz::TimeZone};
use serde::{Deserialize, Deserializer, de};

/// The wall clock plus what a test has moved it forward: a delay of minutes passes without waiting.
#[derive(Clone, Debug, Default)]
pub struct Clock {
    ahead_millis: Arc<AtomicI64>,
}

impl Clock {
    /// The time now.
    pub fn now(&self) -> Timestamp {
        let ahead = SignedDuration::from_millis(self.ahead_millis.load(Ordering::Relaxed));
        Timestamp::now().checked_add(ahead).unwrap_or(Timestamp::MAX)
    }

    /// Moves the clock forward for good.
    pub fn advance(&self, by: SignedDuration) {
        let millis = i64::try_from(by.as_millis().max(0)).unwrap_or(i64::MAX);
        self.ahead_millis.fetch_add(millis, Ordering::Relaxed);
    }

    /// Back to the wall clock.
    pub fn reset(&self) {
        self.ahead_millis.store(0, Ordering::Relaxed);
    }
}

/// Reads an ISO 8601 date-time or a bare date; what names no zone is UTC.
pub fn parse_moment(text: &str) -> Option<Timestamp> {
    let in_utc = || text.parse::<DateTime>().ok()?.to_zoned(TimeZone::UTC).ok();
    text.parse().ok().or_else(|| Some(in_utc()?.timestamp()))
}

/// [`parse_moment`] for serde.
pub fn moment_or_null<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Timestamp>, D::Error> {
    let Some(text) = Option::<String>::deserialize(deserializer)? else {
        return Ok(None);
    };
    parse_moment(&text)
        .map(Some)
        .ok_or_else(|| de::Error::custom(format!("{text:?} is not an ISO 8601 date-time")))
}

/// A moment as a Django server writes it: UTC with a numeric offset.
pub fn format_moment(moment: Timestamp) -> String {
    moment.strftime("%Y-%m-%dT%H:%M:%S%.f+00:00").to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments_are_read_in_all_documented_forms() {
        let midnight = parse_moment("2026-09-01").expect("a bare date");
        assert_eq!(format_moment(midnight), "2026-09-01T00:00:00+00:00");
        assert_eq!(parse_moment("2026-09-01T02:00:00+02:00"), Some(midnight));
        assert_eq!(parse_moment("2026-09-01T00:00:00"), Some(midnight));
        assert_eq!(parse_moment("2026-09-01T00:00:00Z"), Some(midnight));
        assert_eq!(parse_moment("tomorrow"), None);
    }

    #[test]
    fn the_clock_can_be_moved_forward() {
        let clock = Clock::default();
        let before = clock.now();
        clock.advance(SignedDuration::from_hours(1));
        assert!(clock.now().duration_since(before) >= SignedDuration::from_hours(1));
    }
}
