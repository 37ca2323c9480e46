//! What a connection says about its organization, which itself knows nothing of connections.

use std::time::Duration;

use crate::{
    api::{PluvoConnectionSpec, connection::Guard},
    organization::{guard::GuardSettings, settings::Settings},
    pluvo::limiter::Limits,
};

impl From<&PluvoConnectionSpec> for Settings {
    fn from(spec: &PluvoConnectionSpec) -> Self {
        let limits = &spec.limits;
        let at_least_one = |value: i32| usize::try_from(value).unwrap_or(1).max(1);
        Self {
            interval: Duration::from(spec.interval).max(Duration::from_secs(1)),
            visibility_timeout: limits.visibility_timeout.into(),
            operations_per_request: at_least_one(limits.operations_per_request),
            linger: Self::default().linger,
            guard: guard(&spec.guard),
            surveys: true,
            limits: Limits {
                requests_per_second: f64::from(limits.requests_per_second.max(1)),
                burst: u32::try_from(limits.burst).unwrap_or(1),
                in_flight: at_least_one(limits.in_flight),
                writing: at_least_one(limits.writing),
            },
        }
    }
}

fn guard(spec: &Guard) -> GuardSettings {
    let amount = |value: i32| usize::try_from(value).unwrap_or_default();
    GuardSettings {
        settle: spec.settle.into(),
        count: amount(spec.max_destructive.count),
        percent: amount(spec.max_destructive.percent),
        window: Duration::from(spec.max_destructive.window).max(Duration::from_secs(1)),
        max_mails: amount(spec.max_mails),
    }
}
