//! How far groups are.

use crate::{
    api::{
        ProgressReport, ProgressReportSpec,
        findings::{MAX_ROWS, ProgressFindings, TrainingProgress},
    },
    plan::{Decision, Observed, Subject, resource::Plan, scope::Scope, survey::Portfolio},
};

use super::{About, Report, count, is_meant};

impl Plan for ProgressReport {
    fn plan(&self, subject: &Subject<'_>, scope: &Scope<'_>, observed: &impl Observed) -> Decision {
        let spec = &self.spec;
        let report = Report {
            reporting: &spec.reporting,
            subject,
            scope,
            acts: false,
        };
        report.decide_by_portfolio(&spec.groups, &spec.types, observed, |reading| {
            About::Progress(findings(spec, &reading.content))
        })
    }

    fn plan_deletion(&self, _: &Subject<'_>, _: &Scope<'_>, _: &impl Observed) -> Decision {
        Decision::release("a report leaves nothing behind")
    }
}

fn findings(spec: &ProgressReportSpec, portfolio: &Portfolio) -> ProgressFindings {
    let titles = || {
        portfolio
            .titles
            .iter()
            .filter(|(title, _)| is_meant(&spec.titles, title))
    };
    let by_training = titles().take(MAX_ROWS).map(|(name, title)| TrainingProgress {
        title: name.to_string(),
        rows: title.rows,
        completed: title.completed,
        average_percent: portfolio.average_percent(std::iter::once(title)),
    });
    ProgressFindings {
        rows: titles().map(|(_, title)| title.rows).sum(),
        completed: titles().map(|(_, title)| title.completed).sum(),
        average_percent: portfolio.average_percent(titles().map(|(_, title)| title)),
        titles: count(titles().count()),
        by_training: by_training.collect(),
    }
}
