//! What is read at intervals of its own, beside the sweeps: the rows that reports are made of, added up while they come.
//! Nobody's name is kept.

use std::{
    collections::{BTreeMap, HashSet},
    hash::{DefaultHasher, Hash, Hasher},
    sync::Arc,
    time::Duration,
};

use jiff::{Timestamp, civil::Date};
use serde_json::Value;

use crate::pluvo::{
    model::{LastLogin, PortfolioRow, day},
    request::{PageRequest, Persons, PortfolioFilter, Query},
};

/// Something that is read at intervals. Equal ones share one read.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Survey {
    /// Rows of portfolios.
    Portfolio(PortfolioFilter),
    /// Accounts that are not used.
    LastLogins(LoginFilter),
}

/// Which accounts count as not used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct LoginFilter {
    /// For how long nobody has logged in.
    pub unused_for: Duration,
    /// Whether accounts count that were never used. All accounts are read then: whether Pluvo finds these when it is
    /// asked for a time before which the last login was, is not documented.
    pub never_used: bool,
}

impl LoginFilter {
    /// The moment before which the last login was.
    #[must_use]
    pub fn before(&self, now: Timestamp) -> Timestamp {
        now.checked_sub(self.unused_for).unwrap_or(Timestamp::MIN)
    }

    /// Whether an account counts as not used. Of a time that cannot be read nothing is concluded.
    #[must_use]
    pub fn counts(&self, login: &LastLogin, now: Timestamp) -> bool {
        match &login.last_login {
            None => self.never_used,
            Some(_) => login.at().is_some_and(|at| at < self.before(now)),
        }
    }
}

impl Survey {
    /// The query of one page, as it is asked at `now`.
    #[must_use]
    pub fn query(&self, persons: Persons, page: PageRequest, now: Timestamp) -> Query {
        match self {
            Self::Portfolio(filter) => Query::Portfolio {
                filter: filter.clone(),
                persons,
                page,
            },
            Self::LastLogins(filter) => Query::LastLogins {
                before: (!filter.never_used).then(|| filter.before(now)),
                persons,
                page,
            },
        }
    }
}

/// What was read for a survey.
#[derive(Clone, Debug, PartialEq)]
pub struct Reading<T> {
    /// When it began.
    pub at: Timestamp,
    /// Rows that Pluvo has told.
    pub rows: u64,
    /// Requests that it took.
    pub requests: u64,
    /// Whether the rows were as many as Pluvo said, from the first page to the last.
    pub complete: bool,
    /// What the rows say.
    pub content: T,
}

impl<T> Reading<T> {
    /// The same reading of something else.
    #[must_use]
    pub fn with<U>(self, content: U) -> Reading<U> {
        Reading {
            at: self.at,
            rows: self.rows,
            requests: self.requests,
            complete: self.complete,
            content,
        }
    }
}

/// The rows of portfolios, added up by title.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Portfolio {
    /// By title, as it is written in Pluvo.
    pub titles: BTreeMap<Arc<str>, Title>,
    /// Certificates that were counted: fingerprints of account, title and day.
    certificates: HashSet<u64>,
    /// Whether progress is told in parts of 100, not of 1: which of the two is not documented.
    percent: bool,
}

/// What the rows of one title say.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Title {
    /// How many there are.
    pub rows: i64,
    /// Those that are completed.
    pub completed: i64,
    /// By the day on which they end, those that do.
    pub ends: BTreeMap<Date, i64>,
    progress: f64,
    with_progress: u32,
}

/// A certificate, as Pluvo tells of it.
#[derive(Clone, Copy, Debug)]
pub struct Certificate<'a> {
    /// Pluvo's key of whose it is.
    pub user: &'a str,
    /// What it is called.
    pub title: &'a Arc<str>,
    /// When it was achieved.
    pub achieved: Option<Date>,
    /// When it ends.
    pub ends: Option<Date>,
}

impl Certificate<'_> {
    fn fingerprint(&self) -> u64 {
        let mut hasher = DefaultHasher::new();
        (self.user, self.title, self.achieved).hash(&mut hasher);
        hasher.finish()
    }
}

impl Portfolio {
    /// Counts a row.
    pub fn add(&mut self, row: &PortfolioRow) {
        let days = |text: &Option<Arc<str>>| text.as_deref().and_then(day);
        let progress = number(&row.progress);
        self.percent |= progress.is_some_and(|progress| progress > 1.0);
        let certificate = Certificate {
            user: &row.user.id.0,
            title: &row.title,
            achieved: days(&row.completion_date),
            ends: days(&row.end_date),
        };
        self.certificates.insert(certificate.fingerprint());
        let title = self.count(&certificate);
        if let Some(progress) = progress {
            title.progress += progress;
            title.with_progress += 1;
        }
    }

    /// Counts a certificate that was told of otherwise, unless it was counted before. Returns whether it was not.
    pub fn add_certificate(&mut self, certificate: &Certificate<'_>) -> bool {
        let is_new = self.certificates.insert(certificate.fingerprint());
        if is_new {
            self.count(certificate);
        }
        is_new
    }

    fn count(&mut self, row: &Certificate<'_>) -> &mut Title {
        let title = self.titles.entry(row.title.clone()).or_default();
        title.rows += 1;
        title.completed += i64::from(row.achieved.is_some());
        if let Some(end) = row.ends {
            *title.ends.entry(end).or_default() += 1;
        }
        title
    }

    /// How much is done on the average of some titles, in percent; `None` where Pluvo does not say.
    #[must_use]
    pub fn average_percent<'a>(&self, titles: impl Iterator<Item = &'a Title>) -> Option<i64> {
        let (sum, count) = titles.fold((0.0, 0), |(sum, count), title| {
            (sum + title.progress, count + title.with_progress)
        });
        let part = if self.percent { 1.0 } else { 100.0 };
        #[allow(
            clippy::cast_possible_truncation,
            reason = "a percentage; what is out of range is cut"
        )]
        (count > 0).then(|| (sum * part / f64::from(count)).round() as i64)
    }
}

/// A number of Pluvo, which may write it as a text.
fn number(value: &Value) -> Option<f64> {
    value.as_f64().or_else(|| value.as_str()?.parse().ok())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn row(user: &str, title: &str, progress: Value, completed: Option<&str>) -> PortfolioRow {
        let row = json!({"user": {"id": user}, "title": title, "progress": progress, "completionDate": completed});
        serde_json::from_value(row).unwrap()
    }

    #[test]
    fn progress_is_understood_as_a_part_of_one_or_of_a_hundred() {
        for (half, whole) in [
            (json!(0.5), json!(1)),
            (json!(50), json!(100)),
            (json!("0.5"), json!("1.0")),
        ] {
            let mut portfolio = Portfolio::default();
            portfolio.add(&row("a", "T", half, None));
            portfolio.add(&row("b", "T", whole, Some("2026-01-01")));
            portfolio.add(&row("c", "T", Value::Null, None));
            assert_eq!(portfolio.average_percent(portfolio.titles.values()), Some(75));
            let title = &portfolio.titles["T"];
            assert_eq!((title.rows, title.completed), (3, 1));
        }
        assert_eq!(Portfolio::default().average_percent(std::iter::empty()), None);
    }

    #[test]
    fn a_certificate_counts_once_whoever_tells_of_it() {
        let mut portfolio = Portfolio::default();
        portfolio.add(&row("a", "VCA", Value::Null, Some("2026-01-01T10:00:00Z")));
        let title: Arc<str> = "VCA".into();
        let told = |user| Certificate {
            user,
            title: &title,
            achieved: day("2026-01-01"),
            ends: None,
        };
        assert!(!portfolio.add_certificate(&told("a")));
        assert!(portfolio.add_certificate(&told("b")));
        assert!(!portfolio.add_certificate(&told("b")));
        assert_eq!(portfolio.titles["VCA"].rows, 2);
    }

    #[test]
    fn of_a_time_that_cannot_be_read_nothing_is_concluded() {
        let filter = LoginFilter {
            unused_for: Duration::from_hours(24),
            never_used: false,
        };
        let now = "2026-09-03T00:00:00Z".parse().unwrap();
        let login = |at: Value| serde_json::from_value(json!({"id": "a", "lastLogin": at})).unwrap();
        for (at, counts) in [
            (json!("2026-09-01T00:00:00+00:00"), true),
            (json!("2026-09-02T12:00:00Z"), false),
            (json!("yesterday"), false),
            (Value::Null, false),
        ] {
            assert_eq!(filter.counts(&login(at), now), counts);
        }
        let never = LoginFilter {
            never_used: true,
            ..filter
        };
        assert!(never.counts(&login(Value::Null), now));
    }
}
