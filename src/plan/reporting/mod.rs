//! Resources that read Pluvo at intervals and say what they have found.

mod certificates;
mod inactive;
mod progress;
#[cfg(test)]
mod tests;

use std::{collections::BTreeSet, sync::Arc, time::Duration};

use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;

use crate::{
    api::{
        Reason, Status,
        findings::{CertificateFindings, Cost, InactiveFindings, ProgressFindings, Read},
        progress::ObjectType,
        reporting::Reporting,
    },
    pluvo::{model::Id, request::PortfolioFilter},
};

use super::{
    Call, Decision, Observed, Subject, Verdict, near, object,
    observed::{Key, Lookup},
    scope::Scope,
    survey::{Portfolio, Reading, Survey},
};

pub use inactive::excluded;

/// What a report has found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Findings {
    /// What was read.
    pub read: Read,
    /// What it costs to read it anew.
    pub cost: Cost,
    /// What that says.
    pub about: About,
}

/// What was found, by kind.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum About {
    /// How far people are.
    Progress(ProgressFindings),
    /// How many certificates there are.
    Certificates(CertificateFindings),
    /// Which accounts nobody uses.
    Inactive(InactiveFindings),
}

/// What a reading means.
struct Meaning {
    about: About,
    calls: Vec<Call>,
    /// What is said; `None`: what was read.
    verdict: Option<Verdict>,
}

impl From<About> for Meaning {
    fn from(about: About) -> Self {
        Self {
            about,
            calls: Vec::new(),
            verdict: None,
        }
    }
}

/// A report that is planned.
struct Report<'a> {
    reporting: &'a Reporting,
    subject: &'a Subject<'a>,
    scope: &'a Scope<'a>,
    /// Whether what was read is needed for more than the status, so that it is read again after a restart.
    acts: bool,
}

impl Report<'_> {
    /// Decides by the rows of the portfolios of groups.
    fn decide_by_portfolio(
        &self,
        groups: &[String],
        types: &[ObjectType],
        observed: &impl Observed,
        meaning: impl FnOnce(&Reading<Portfolio>) -> About,
    ) -> Decision {
        let filter = match ids(groups, observed) {
            Ok(ids) => portfolio_filter(ids, types),
            Err(decision) => return *decision,
        };
        let reading = observed.portfolio(&filter);
        let survey = Survey::Portfolio(filter);
        self.decide(survey, reading, observed, |reading| meaning(reading).into())
    }

    /// Decides by what was read last, and asks for it to be read again when it is due.
    fn decide<T>(
        &self,
        survey: Survey,
        reading: Lookup<Arc<Reading<T>>>,
        observed: &impl Observed,
        meaning: impl FnOnce(&Reading<T>) -> Meaning,
    ) -> Decision {
        let last = match &reading {
            Lookup::Found(reading) => Some((reading.at, count(reading.requests))),
            Lookup::Absent | Lookup::Unknown => self.told(),
        };
        let refusal = last.and_then(|(_, requests)| self.too_often(requests));
        if refusal.is_none() {
            let last = last.filter(|_| !self.acts || reading.as_found().is_some());
            let interval = Duration::from(self.reporting.interval);
            observed.ask_by(survey, last.and_then(|(at, _)| at.checked_add(interval).ok()));
        }
        let mut decision = match reading {
            Lookup::Found(reading) => found(&reading, meaning(&reading)),
            Lookup::Absent => object::known(Verdict::done(Reason::Reported, "the operator reads it at its interval")),
            // What was told before a restart stands until it is read again.
            Lookup::Unknown => match self.status().and_then(|status| status.read.as_ref()) {
                Some(read) => object::known(Verdict::done(Reason::Reported, summary(read))),
                None => unread(observed.available()),
            },
        };
        if let Some(refusal) = refusal {
            decision.verdict = refusal;
            decision.calls.clear();
        }
        decision
    }

    /// The status that is about this very spec.
    fn status(&self) -> Option<&Status> {
        self.subject
            .status
            .filter(|status| status.observed_generation == Some(self.subject.generation))
    }

    /// When the status was read, and what that has cost.
    fn told(&self) -> Option<(Timestamp, i64)> {
        let status = self.status()?;
        Some((status.read.as_ref()?.at.0, status.cost.as_ref()?.predicted_requests))
    }

    /// Refuses an interval that is shorter than twice the reading: Pluvo would be asked without a pause.
    fn too_often(&self, requests: i64) -> Option<Verdict> {
        let rate = i64::from(self.scope.terms()?.limits.requests_per_second.max(1));
        let (interval, least) = (
            Duration::from(self.reporting.interval),
            requests.saturating_mul(2).saturating_add(rate - 1) / rate,
        );
        if interval.as_secs_f64() >= f64::from(u32::try_from(least).unwrap_or(u32::MAX)) {
            return None;
        }
        let message = format!(
            "interval is {interval:?}, and reading takes {requests} requests, at {rate} in a second; twice that is \
             {least}s, and interval must be no less. It is not read again until the spec or the limits of \
             PluvoConnection {} change",
            self.scope.connection
        );
        Some(Verdict::stalled(Reason::InvalidSpec, message))
    }
}

/// It was never read, and is not at once: that is said, whatever was said before.
fn unread(available: bool) -> Decision {
    if !available {
        return Decision::unobserved(available);
    }
    let message = "it is read when everything that was declared is written";
    Decision::only(Verdict::reconciling(Reason::Pending, message))
}

fn found<T>(reading: &Reading<T>, meaning: Meaning) -> Decision {
    let read = Read {
        at: Time(reading.at),
        rows: count(reading.rows),
        complete: reading.complete,
    };
    let verdict = meaning
        .verdict
        .unwrap_or_else(|| Verdict::done(Reason::Reported, summary(&read)));
    Decision {
        calls: meaning.calls,
        findings: Some(Findings {
            read,
            cost: Cost {
                predicted_requests: count(reading.requests),
            },
            about: meaning.about,
        }),
        ..object::compared(verdict)
    }
}

/// What was read, in words that stay the same until it is read again.
fn summary(read: &Read) -> String {
    let rows = read.rows;
    if read.complete {
        format!("rows read: {rows}")
    } else {
        format!("rows read: {rows}, while some came or went: a few may be missing or counted twice")
    }
}

/// The ids of groups, by their refs.
///
/// # Errors
///
/// Some of them do not exist, or are not known yet.
fn ids(refs: &[String], observed: &impl Observed) -> Result<BTreeSet<Id>, Box<Decision>> {
    let (mut ids, mut missing) = (BTreeSet::new(), Vec::new());
    for reference in refs {
        match observed.group_by_ref(reference) {
            Lookup::Found(group) => drop(ids.insert(group.id.clone())),
            Lookup::Absent => {
                let resembling = observed.near_matches(&Key::GroupRef(reference.as_str().into()));
                missing.push(near("group", reference, &resembling));
            }
            Lookup::Unknown => return Err(Box::new(Decision::unobserved(observed.available()))),
        }
    }
    if missing.is_empty() {
        return Ok(ids);
    }
    let verdict = Verdict::reconciling(Reason::DependencyNotReady, missing.join("; "));
    Err(Box::new(object::known(verdict)))
}

/// Which rows of portfolios a report is about; without groups, everybody's.
#[must_use]
pub fn portfolio_filter(groups: BTreeSet<Id>, types: &[ObjectType]) -> PortfolioFilter {
    PortfolioFilter {
        groups,
        types: types.iter().map(|of| of.as_str().into()).collect(),
    }
}

/// Whether a title is among those that a spec names; every title is if it names none.
#[must_use]
pub fn is_meant(titles: &[String], title: &str) -> bool {
    titles.is_empty()
        || titles
            .iter()
            .any(|wanted| wanted.to_lowercase() == title.to_lowercase())
}

fn count(number: impl TryInto<i64>) -> i64 {
    number.try_into().unwrap_or(i64::MAX)
}
