//! Durations as people write them in a spec, such as `1h30m`.
//!
//! kube's type panics on a value that its arithmetic cannot hold, and an API server that checks a pattern alone accepts
//! such values. Here they are refused twice: by a rule in the definitions, in words, and when an object is decoded.

use std::{borrow::Cow, fmt, str::FromStr, time};

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

/// The form of a duration. The numbers are short enough for the sum of all that fit into [`MAX_LENGTH`] characters to be
/// one that the rules' `duration()` can hold; otherwise the API server would answer with an error of its own.
const FORM: &str =
    r"^([0-9]{1,5}(\.[0-9]+)?h|[0-9]{1,7}(\.[0-9]+)?m|[0-9]{1,9}(\.[0-9]+)?s|[0-9]{1,12}(\.[0-9]+)?ms)+$";
/// Characters of a duration, at most.
const MAX_LENGTH: u32 = 32;
const YEAR: &str = "8760h";
const TEN_YEARS: &str = "87600h";

/// A duration between zero and [`Duration::MAX`], in whole milliseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Duration(time::Duration);

/// Why a text is no duration.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ParseDurationError {
    /// It has another form.
    #[error("a duration is a number with its unit (h, m, s or ms), or several of them, such as 90s or 1h30m")]
    Form,
    /// It is longer than [`Duration::MAX`].
    #[error("a duration is at most {TEN_YEARS} (ten years)")]
    TooLong,
}

impl Duration {
    /// The longest one: ten years. So none is too long to be added to a time.
    pub const MAX: Self = Self(time::Duration::from_hours(87_600));
}

impl FromStr for Duration {
    type Err = ParseDurationError;

    fn from_str(text: &str) -> Result<Self, ParseDurationError> {
        if text.is_empty() {
            return Err(ParseDurationError::Form);
        }
        let (mut total, mut rest) = (0_u64, text);
        while !rest.is_empty() {
            let (millis, behind) = term(rest)?;
            total = total.checked_add(millis).ok_or(ParseDurationError::TooLong)?;
            rest = behind;
        }
        let duration = Self(time::Duration::from_millis(total));
        if duration <= Self::MAX {
            Ok(duration)
        } else {
            Err(ParseDurationError::TooLong)
        }
    }
}

/// The milliseconds of the first number with its unit, and the text behind them. What is finer is cut off.
fn term(text: &str) -> Result<(u64, &str), ParseDurationError> {
    let (whole, rest) = digits(text);
    let (fraction, rest) = rest.strip_prefix('.').map_or((None, rest), |rest| {
        let (fraction, rest) = digits(rest);
        (Some(fraction), rest)
    });
    if whole.is_empty() || fraction.is_some_and(str::is_empty) {
        return Err(ParseDurationError::Form);
    }
    let (unit, rest) = unit(rest).ok_or(ParseDurationError::Form)?;
    let whole = whole.parse().ok().and_then(|number: u64| number.checked_mul(unit));
    let whole = whole.ok_or(ParseDurationError::TooLong)?;
    let millis = whole.checked_add(part_of(unit, fraction.unwrap_or_default()));
    Ok((millis.ok_or(ParseDurationError::TooLong)?, rest))
}

/// The milliseconds of a unit that the digits behind the point stand for.
fn part_of(unit: u64, fraction: &str) -> u64 {
    // Further digits say less than a millisecond, even of an hour.
    let (mut millis, mut place) = (0_u64, 1_u64);
    for digit in fraction.chars().take(9).filter_map(|digit| digit.to_digit(10)) {
        millis = millis.saturating_mul(10).saturating_add(digit.into());
        place = place.saturating_mul(10);
    }
    millis.saturating_mul(unit).checked_div(place).unwrap_or_default()
}

fn digits(text: &str) -> (&str, &str) {
    let end = text.find(|letter: char| !letter.is_ascii_digit()).unwrap_or(text.len());
    text.split_at(end)
}

/// The milliseconds of the unit that a text begins with, and what is behind it.
fn unit(text: &str) -> Option<(u64, &str)> {
    let units = [("ms", 1), ("s", 1000), ("m", 60_000), ("h", 3_600_000)];
    units
        .into_iter()
        .find_map(|(name, millis)| Some((millis, text.strip_prefix(name)?)))
}

impl fmt::Display for Duration {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // The standard library writes `0ns`.
        if self.0.is_zero() {
            f.write_str("0s")
        } else {
            fmt::Debug::fmt(&self.0, f)
        }
    }
}

impl From<Duration> for time::Duration {
    fn from(duration: Duration) -> Self {
        duration.0
    }
}

/// The longest one if it is longer than that.
impl From<time::Duration> for Duration {
    fn from(duration: time::Duration) -> Self {
        let millis = u64::try_from(duration.as_millis()).unwrap_or(u64::MAX);
        Self(time::Duration::from_millis(millis)).min(Self::MAX)
    }
}

impl Serialize for Duration {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Duration {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = Cow::<'_, str>::deserialize(deserializer)?;
        text.parse().map_err(de::Error::custom)
    }
}

/// From zero to a year: what most fields take.
impl JsonSchema for Duration {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        "Duration".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        bounded("0s", YEAR, "")
    }
}

/// From zero to ten years.
pub(super) fn up_to_ten_years(_: &mut SchemaGenerator) -> Schema {
    bounded("0s", TEN_YEARS, "")
}

/// From a second to a year.
pub(super) fn from_a_second(_: &mut SchemaGenerator) -> Schema {
    bounded("1s", YEAR, "")
}

/// From a second to a year, for how often an organization is read.
pub(super) fn sweep_interval(_: &mut SchemaGenerator) -> Schema {
    let advice = "; where webhooks tell of changes, let it be long: it cannot be 0, because deliveries get lost";
    bounded("1s", YEAR, advice)
}

/// From a minute to a year.
pub(super) fn from_a_minute(_: &mut SchemaGenerator) -> Schema {
    bounded("1m", YEAR, "")
}

/// From a day to ten years.
pub(super) fn from_a_day(_: &mut SchemaGenerator) -> Schema {
    bounded("24h", TEN_YEARS, "")
}

/// The schema of a field; what is refused is told in words, with some advice behind them.
fn bounded(least: &str, most: &str, advice: &str) -> Schema {
    let rule = format!(
        "self.matches('{}') && duration(self) >= duration('{least}') && duration(self) <= duration('{most}')",
        FORM.replace('\\', r"\\")
    );
    json_schema!({
        "type": "string",
        "maxLength": MAX_LENGTH,
        "x-kubernetes-validations": [{
            "rule": rule,
            "message": format!("must be a duration from {least} to {most}, such as 90s or 1h30m{advice}"),
        }],
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use rstest::rstest;

    use super::*;

    fn millis(text: &str) -> Result<u128, ParseDurationError> {
        let parsed: Duration = text.parse()?;
        Ok(time::Duration::from(parsed).as_millis())
    }

    #[rstest]
    #[case("0s", 0)]
    #[case("0h0m0s", 0)]
    #[case("200ms", 200)]
    #[case("1h30m", 5_400_000)]
    #[case("1.5h", 5_400_000)]
    #[case("1m30.25s", 90_250)]
    #[case("0.9ms", 0)]
    #[case("0.99999999999999999999h", 3_599_999)]
    #[case("87600h", 315_360_000_000)]
    fn what_people_write_is_read(#[case] text: &str, #[case] expected: u128) {
        assert_eq!(millis(text), Ok(expected));
    }

    #[rstest]
    #[case("")]
    #[case("5")]
    #[case("-5s")]
    #[case("5 s")]
    #[case("1.s")]
    #[case(".5s")]
    #[case("5d")]
    #[case("1e3s")]
    #[case("s")]
    #[case("٣s")]
    fn what_is_none_is_refused(#[case] text: &str) {
        assert_eq!(millis(text), Err(ParseDurationError::Form));
    }

    #[rstest]
    #[case("87600h1ms")]
    #[case("5000000000000000h")]
    #[case("99999999999999999999h")]
    #[case("18446744073709551615ms1ms")]
    #[case("18446744073709551615h")]
    fn what_no_time_can_be_added_to_is_refused(#[case] text: &str) {
        assert_eq!(millis(text), Err(ParseDurationError::TooLong));
    }

    proptest! {
        #[test]
        fn whatever_is_read_is_written_and_read_as_the_same(text in r"([0-9]{1,12}(\.[0-9]{1,12})?(ms|s|m|h)){1,3}") {
            if let Ok(duration) = text.parse::<Duration>() {
                prop_assert_eq!(duration.to_string().parse(), Ok(duration));
                prop_assert!(duration <= Duration::MAX);
            }
        }

        #[test]
        fn nothing_makes_it_panic(text in r"[0-9.hms+e -]{0,40}") {
            let _ = text.parse::<Duration>();
        }
    }

    #[test]
    fn what_is_longer_than_the_longest_becomes_it() {
        assert_eq!(Duration::from(time::Duration::MAX), Duration::MAX);
    }
}
