//! Which certificates were achieved and which expire.

use std::time::Duration;

use jiff::{civil::Date, tz::TimeZone};

use crate::{
    api::{
        CertificateMonitor, CertificateMonitorSpec,
        findings::{CertificateCount, CertificateFindings, MAX_ROWS},
        progress::ObjectType,
    },
    plan::{
        Decision, Observed, Subject,
        resource::Plan,
        scope::Scope,
        survey::{Portfolio, Reading, Title},
    },
};

use super::{About, Report, count, is_meant};

impl Plan for CertificateMonitor {
    fn plan(&self, subject: &Subject<'_>, scope: &Scope<'_>, observed: &impl Observed) -> Decision {
        let spec = &self.spec;
        let report = Report {
            reporting: &spec.reporting,
            subject,
            scope,
            acts: false,
        };
        report.decide_by_portfolio(&spec.groups, &[ObjectType::Certificate], observed, |reading| {
            About::Certificates(findings(spec, reading))
        })
    }

    fn plan_deletion(&self, _: &Subject<'_>, _: &Scope<'_>, _: &impl Observed) -> Decision {
        Decision::release("a monitor leaves nothing behind")
    }
}

/// Judged by the day on which it was read.
fn findings(spec: &CertificateMonitorSpec, reading: &Reading<Portfolio>) -> CertificateFindings {
    let today = reading.at.to_zoned(TimeZone::UTC).date();
    let until = today.saturating_add(Duration::from(spec.expiring_within));
    let all = reading.content.titles.iter();
    let counts: Vec<_> = all
        .filter(|(title, _)| is_meant(&spec.titles, title))
        .map(|(name, title)| counted(name, title, today, until))
        .collect();
    CertificateFindings {
        achieved: counts.iter().map(|count| count.achieved).sum(),
        expiring: counts.iter().map(|count| count.expiring).sum(),
        expired: counts.iter().map(|count| count.expired).sum(),
        titles: count(counts.len()),
        by_certificate: counts.into_iter().take(MAX_ROWS).collect(),
    }
}

/// A certificate counts on the day on which it ends.
fn counted(name: &str, title: &Title, today: Date, until: Date) -> CertificateCount {
    CertificateCount {
        title: name.to_owned(),
        achieved: title.rows,
        expiring: title.ends.range(today..=until).map(|(_, count)| count).sum(),
        expired: title.ends.range(..today).map(|(_, count)| count).sum(),
    }
}
