//! The guard of one organization, as the connection tells it: approvals in, the record and what is held out.
//!
//! Nothing that the guard lets through leaves before the record of it was written: a restart finds it there.

use std::collections::HashSet;

use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{Condition, Time};
use kube::ResourceExt;

use crate::{
    api::{
        PluvoConnectionStatus, Reason, annotations,
        connection::{GuardAmounts, GuardPassed, GuardStatus},
        reason::condition,
    },
    organization::{
        Organization,
        guard::{Amounts, GuardRecord, GuardReport, Passed},
    },
    plan::report::transition,
    telemetry::GuardFigures,
};

use super::{super::error::PassError, Pass, count};

/// What an earlier process has recorded.
pub(super) fn record(status: Option<&PluvoConnectionStatus>) -> GuardRecord {
    let Some(guard) = status.and_then(|status| status.guard.as_ref()) else {
        return GuardRecord::default();
    };
    let amount = |value: i64| usize::try_from(value).unwrap_or_default();
    GuardRecord {
        passed: guard
            .window
            .iter()
            .map(|passed| Passed {
                at: passed.at.0,
                amounts: Amounts {
                    destructive: amount(passed.destructive),
                    mails: amount(passed.mails),
                },
            })
            .collect(),
        approved: guard.approved.clone(),
    }
}

impl Pass<'_> {
    /// Takes an approval, takes back what must not leave any more, and returns what is to be recorded.
    pub(super) async fn guard(&self, organization: &Organization) -> Result<GuardReport, PassError> {
        if let Some(digest) = self.connection.annotations().get(annotations::APPROVE)
            && organization.approve(digest)
        {
            tracing::info!(connection = %self.key, digest, "the set that the guard held was approved");
        }
        // What is let through after this report has a later revision, and is looked at in the next pass.
        let report = organization.guard();
        self.count(&report);
        self.take_back(organization).await?;
        Ok(report)
    }

    fn count(&self, report: &GuardReport) {
        let (passed, held) = (
            report.record.sum(),
            report.held.as_ref().map(|held| held.amounts).unwrap_or_default(),
        );
        let figures = GuardFigures {
            held_destructive: held.destructive,
            held_mails: held.mails,
            passed_destructive: passed.destructive,
            passed_mails: passed.mails,
        };
        self.context.metrics.guard(&self.key.namespace, &self.key.name, figures);
    }

    /// Destructive calls of resources whose namespace, definition or connection is on its way out never leave.
    async fn take_back(&self, organization: &Organization) -> Result<(), PassError> {
        let resources = organization.about_to_leave();
        let namespaces: HashSet<_> = resources.iter().map(|resource| resource.namespace.clone()).collect();
        let mut going = HashSet::new();
        for namespace in namespaces {
            if self.context.going.read_namespace(&namespace).await? {
                going.insert(namespace);
            }
        }
        let all = !resources.is_empty()
            && (self.context.going.read_definitions().await? || self.connection.metadata.deletion_timestamp.is_some());
        for resource in resources
            .iter()
            .filter(|resource| all || going.contains(&resource.namespace))
        {
            organization.withdraw(resource);
            self.context.wakes.resource(resource);
        }
        Ok(())
    }

    /// The condition `GuardTripped`.
    pub(super) fn guard_tripped(&self, status: &PluvoConnectionStatus, reason: Reason) -> Condition {
        let before = self
            .connection
            .status
            .as_ref()
            .map(|status| status.conditions.as_slice());
        let make = |value, reason, message: &str| {
            let generation = self.connection.metadata.generation;
            let before = before.unwrap_or_default();
            transition(
                before,
                condition::GUARD_TRIPPED,
                value,
                reason,
                message,
                generation,
                Timestamp::now(),
            )
        };
        let Some(guard) = &status.guard else {
            return make("Unknown", reason, "nothing was judged yet");
        };
        let (Some(pending), Some(digest)) = (&guard.pending, &guard.digest) else {
            return make("False", reason, "nothing is held");
        };
        let message = format!(
            "{} destructive operations and {} mails are held: at most {} and {} may be within {}. See status.guard for \
             examples. If all of it is meant: kubectl annotate pluvoconnection --namespace {} {} --overwrite {}={digest}",
            pending.destructive,
            pending.mails,
            guard.limit.destructive,
            guard.limit.mails,
            self.connection.spec.guard.max_destructive.window,
            self.key.namespace,
            self.key.name,
            annotations::APPROVE,
        );
        make("True", Reason::HeldByGuard, &message)
    }
}

/// What the status says of the guard. Before everything was read, what an earlier process held stands.
pub(super) fn describe(status: &mut PluvoConnectionStatus, report: &GuardReport) {
    let before = status.guard.take().unwrap_or_default();
    let window = report.record.passed.iter().map(|passed| GuardPassed {
        at: Time(passed.at),
        destructive: count(passed.amounts.destructive),
        mails: count(passed.amounts.mails),
    });
    let held = report.held.as_ref();
    let told = if report.judging {
        GuardStatus {
            limit: amounts(report.limit),
            pending: held.map(|held| amounts(held.amounts)),
            digest: held.map(|held| held.digest.clone()),
            examples: held.map(|held| held.examples.clone()).unwrap_or_default(),
            ..GuardStatus::default()
        }
    } else {
        before
    };
    status.guard = Some(GuardStatus {
        window: window.collect(),
        approved: report.record.approved.clone(),
        ..told
    });
}

fn amounts(amounts: Amounts) -> GuardAmounts {
    GuardAmounts {
        destructive: count(amounts.destructive),
        mails: count(amounts.mails),
    }
}
