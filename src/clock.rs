//! Arithmetic on times and durations that ends at the farthest one and never in a panic.
//!
//! What is added may come from a spec, a header or a clock that is wrong. Clippy refuses `+` and `*` on times and
//! durations everywhere else (`arithmetic_side_effects`), and the methods of the standard library that panic
//! (`clippy.toml`).

use std::time::Duration;

use tokio::time::Instant;

/// Later than anything that is waited for. Further additions to it still fit.
const FAR: Duration = Duration::from_hours(50 * 365 * 24);

/// Adds what may be too long.
pub trait SaturatingAdd {
    /// So much later; what no clock can show becomes a time in fifty years, and that time itself stays.
    #[must_use]
    fn saturating_add(self, duration: Duration) -> Self;
}

impl SaturatingAdd for Instant {
    fn saturating_add(self, duration: Duration) -> Self {
        let later = self.checked_add(duration.min(FAR));
        later.unwrap_or(self)
    }
}

/// A part or a multiple of a duration; the longest one if that does not fit, and none of what is not a number.
#[must_use]
pub fn scaled(duration: Duration, factor: f64) -> Duration {
    seconds(duration.as_secs_f64() * factor)
}

/// So many seconds; the longest duration if they do not fit, and none if they are negative or not a number.
#[must_use]
pub fn seconds(seconds: f64) -> Duration {
    let longest = if seconds > 0.0 { Duration::MAX } else { Duration::ZERO };
    Duration::try_from_secs_f64(seconds).unwrap_or(longest)
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[test]
    fn what_is_too_long_ends_far_away() {
        let now = Instant::now();
        assert_eq!(now.saturating_add(Duration::from_secs(3)), now + Duration::from_secs(3));
        let far = now.saturating_add(Duration::MAX);
        assert!(far > now + Duration::from_hours(24 * 365 * 10));
        let mut farther = far;
        for _ in 0..1000 {
            farther = farther.saturating_add(Duration::MAX);
        }
        assert!(farther >= far);
    }

    #[rstest]
    #[case(0.5, Duration::from_millis(500))]
    #[case(f64::NAN, Duration::ZERO)]
    #[case(-1.0, Duration::ZERO)]
    #[case(f64::INFINITY, Duration::MAX)]
    fn factors_are_whatever_they_are(#[case] factor: f64, #[case] expected: Duration) {
        assert_eq!(scaled(Duration::from_secs(1), factor), expected);
    }

    #[test]
    fn the_longest_duration_can_be_scaled() {
        assert_eq!(scaled(Duration::MAX, 1.05), Duration::MAX);
    }
}
