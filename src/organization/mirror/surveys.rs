//! What was last read at intervals.

use std::{collections::HashMap, sync::Arc};

use crate::{
    plan::survey::{Certificate, LoginFilter, Portfolio, Reading, Survey},
    pluvo::{model::LastLogin, request::PortfolioFilter},
};

use super::{Key, Lookup, Mirror};

/// What was last read at intervals.
#[derive(Debug, Default)]
pub(super) struct Surveys {
    portfolios: HashMap<PortfolioFilter, Arc<Reading<Portfolio>>>,
    last_logins: HashMap<LoginFilter, Arc<Reading<Vec<LastLogin>>>>,
}

impl Mirror {
    /// Rows of portfolios as they were last read.
    pub(in crate::organization) fn portfolio(&self, filter: &PortfolioFilter) -> Lookup<Arc<Reading<Portfolio>>> {
        known(self.surveys.portfolios.get(filter))
    }

    /// Accounts that are not used, as they were last read.
    pub(in crate::organization) fn last_logins(&self, filter: &LoginFilter) -> Lookup<Arc<Reading<Vec<LastLogin>>>> {
        known(self.surveys.last_logins.get(filter))
    }

    pub(in crate::organization) fn merge_portfolio(&mut self, filter: PortfolioFilter, reading: Reading<Portfolio>) {
        self.changed.push(Key::Survey(Survey::Portfolio(filter.clone()).into()));
        self.surveys.portfolios.insert(filter, reading.into());
    }

    pub(in crate::organization) fn merge_last_logins(&mut self, filter: LoginFilter, reading: Reading<Vec<LastLogin>>) {
        self.changed.push(Key::Survey(Survey::LastLogins(filter).into()));
        self.surveys.last_logins.insert(filter, reading.into());
    }

    /// Counts a certificate in what was read, unless it is counted. Returns whether anything was read.
    pub(in crate::organization) fn add_certificate(
        &mut self,
        filter: &PortfolioFilter,
        certificate: &Certificate<'_>,
    ) -> bool {
        let Some(reading) = self.surveys.portfolios.get_mut(filter) else {
            return false;
        };
        if Arc::make_mut(reading).content.add_certificate(certificate) {
            self.changed.push(Key::Survey(Survey::Portfolio(filter.clone()).into()));
        }
        true
    }

    /// Keeps what is read by somebody.
    pub(in crate::organization) fn retain_surveys(&mut self, is_read: impl Fn(&Survey) -> bool) {
        let surveys = &mut self.surveys;
        surveys
            .portfolios
            .retain(|filter, _| is_read(&Survey::Portfolio(filter.clone())));
        surveys
            .last_logins
            .retain(|filter, _| is_read(&Survey::LastLogins(*filter)));
    }
}

fn known<T>(reading: Option<&Arc<T>>) -> Lookup<Arc<T>> {
    reading.cloned().map_or(Lookup::Unknown, Lookup::Found)
}
