//! Reads at intervals of their own, behind everything else: nothing waits for a report. Those that are due at a time travel
//! together, a page of each in one request.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    time::Duration,
};

use jiff::Timestamp;
use tokio::time::Instant;

use crate::{
    clock::SaturatingAdd,
    plan::{
        ResourceKey,
        observed::Key,
        survey::{Certificate, LoginFilter, Portfolio, Reading, Survey},
    },
    pluvo::{
        model::LastLogin,
        request::{PageRequest, Persons, PortfolioFilter, Query, QueryAnswer},
        response::EntryError,
        webhook::Achieved,
    },
};

use super::{mirror::Mirror, pages::Pages, state::State};

/// A survey that is due begins when nothing was written, and nothing was about to be, for so long: what is declared together
/// with a report is in Pluvo by then, so that it does not look for a whole interval as if nobody were assigned.
pub(super) const QUIET: Duration = Duration::from_secs(5);
/// How long a survey that is due waits for that.
pub(super) const PATIENCE: Duration = Duration::from_mins(5);

/// Which surveys are wanted when, and those that are being read.
#[derive(Debug, Default)]
pub struct Surveys {
    due: BTreeMap<Survey, BTreeMap<ResourceKey, Instant>>,
    /// Wanted now, whenever they are due.
    requested: BTreeSet<Survey>,
    reads: Vec<Read>,
    is_asked: bool,
    /// When something was written last, or seen to be about to.
    stirred_at: Option<Instant>,
}

/// A survey that is being read.
#[derive(Debug)]
struct Read {
    at: Timestamp,
    pages: Pages,
    requests: u64,
    content: Content,
    /// Certificates that were told of meanwhile: a page that was read before lacks them.
    told: Vec<Achieved>,
}

/// What its rows say so far.
#[derive(Debug)]
enum Content {
    Portfolio(PortfolioFilter, Portfolio),
    LastLogins(LoginFilter, Vec<LastLogin>),
}

impl Surveys {
    /// Replaces what a resource asks for. What was due already has waited since then.
    pub fn ask(&mut self, resource: &ResourceKey, asked: HashMap<Survey, Instant>, now: Instant) {
        let since = |survey: &Survey| self.due.get(survey).and_then(|by| by.get(resource)).copied();
        let waited = |(survey, at): (Survey, Instant)| {
            let since = since(&survey).filter(|_| at <= now);
            (survey, since.map_or(at, |since| since.min(at)))
        };
        let asked: Vec<_> = asked.into_iter().map(waited).collect();
        self.forget(resource);
        for (survey, at) in asked {
            self.due.entry(survey).or_default().insert(resource.clone(), at);
        }
    }

    /// A resource asks for nothing any more.
    pub fn forget(&mut self, resource: &ResourceKey) {
        self.due.retain(|_, by| {
            by.remove(resource);
            !by.is_empty()
        });
    }

    /// Something is being written, or about to be.
    pub fn stir(&mut self, now: Instant) {
        self.stirred_at = Some(now);
    }

    /// When everything begins that is due by then.
    fn begin_at(&self) -> Option<Instant> {
        let due = *self.due.values().flat_map(BTreeMap::values).min()?;
        let quiet = self.stirred_at.map_or(due, |at| at.max(due)).saturating_add(QUIET);
        Some(quiet.min(due.saturating_add(PATIENCE)))
    }

    /// When the next request is to leave.
    #[must_use]
    pub fn next_at(&self, now: Instant) -> Option<Instant> {
        if self.is_asked {
            return None;
        }
        if !self.reads.is_empty() || !self.requested.is_empty() {
            return Some(now);
        }
        self.begin_at()
    }

    /// What begins by now, whoever asks for it.
    fn due_by(&self, now: Instant) -> BTreeSet<Survey> {
        let begin = self.begin_at().is_some_and(|at| at <= now);
        let is_due = |by: &BTreeMap<ResourceKey, Instant>| begin && by.values().any(|at| *at <= now);
        let due = self.due.iter().filter(|(_, by)| is_due(by)).map(|(survey, _)| survey);
        due.chain(&self.requested).cloned().collect()
    }

    /// The next page of each survey that is being read or due, `limit` at most; none while the last ones are under way.
    /// What `is_blocked` is not read.
    pub fn compose(
        &mut self,
        now: Instant,
        at: Timestamp,
        limit: usize,
        is_blocked: impl Fn(&Query) -> bool,
    ) -> Vec<(Survey, Query)> {
        if self.is_asked {
            return Vec::new();
        }
        self.reads.retain(|read| !is_blocked(&read.query()));
        for survey in self.due_by(now) {
            if is_blocked(&survey.query(Persons::Accounts, PageRequest::default(), at)) {
                self.settle(&survey);
            } else if !self.reads.iter().any(|read| read.survey() == survey) {
                self.reads.push(Read::new(survey, at));
            }
        }
        let pages = self.reads.iter().take(limit);
        let pages: Vec<_> = pages.map(|read| (read.survey(), read.query())).collect();
        self.is_asked = !pages.is_empty();
        pages
    }

    /// Nobody waits for a survey any more.
    fn settle(&mut self, survey: &Survey) {
        self.due.remove(survey);
        self.requested.remove(survey);
    }

    /// An answer has come, or none will.
    pub fn returned(&mut self) {
        self.is_asked = false;
    }

    /// Notes the next page of a survey. Returns what was read, if that was the last.
    fn page(&mut self, survey: &Survey, answer: QueryAnswer) -> Option<Read> {
        let index = self.reads.iter().position(|read| read.survey() == *survey)?;
        let is_open = self.reads.get_mut(index)?.page(answer);
        if is_open {
            return None;
        }
        self.settle(survey);
        Some(self.reads.remove(index))
    }

    /// A survey cannot be read: it is tried again after `pause`.
    fn fail(&mut self, survey: &Survey, now: Instant, pause: Duration) {
        self.reads.retain(|read| read.survey() != *survey);
        self.requested.remove(survey);
        for at in self.due.get_mut(survey).into_iter().flat_map(BTreeMap::values_mut) {
            *at = now.saturating_add(pause);
        }
    }
}

impl Read {
    fn new(survey: Survey, at: Timestamp) -> Self {
        Self {
            at,
            pages: Pages::default(),
            requests: 0,
            content: match survey {
                Survey::Portfolio(filter) => Content::Portfolio(filter, Portfolio::default()),
                Survey::LastLogins(filter) => Content::LastLogins(filter, Vec::new()),
            },
            told: Vec::new(),
        }
    }

    fn survey(&self) -> Survey {
        match &self.content {
            Content::Portfolio(filter, _) => Survey::Portfolio(filter.clone()),
            Content::LastLogins(filter, _) => Survey::LastLogins(*filter),
        }
    }

    /// The query of the next page. All pages are asked as of the same moment.
    fn query(&self) -> Query {
        self.survey().query(Persons::Accounts, self.pages.next(), self.at)
    }

    /// Returns whether there is another page.
    fn page(&mut self, answer: QueryAnswer) -> bool {
        self.requests += 1;
        match (answer, &mut self.content) {
            (QueryAnswer::Portfolio(page), Content::Portfolio(_, portfolio)) => {
                self.pages.note(&page);
                page.rows.iter().for_each(|row| portfolio.add(row));
            }
            (QueryAnswer::LastLogins(page), Content::LastLogins(filter, logins)) => {
                self.pages.note(&page);
                logins.extend(page.rows.into_iter().filter(|login| filter.counts(login, self.at)));
            }
            _ => self.pages.fail(),
        }
        self.pages.is_open()
    }

    fn merge(self, mirror: &mut Mirror) {
        let Self {
            at,
            pages,
            requests,
            content,
            told,
        } = self;
        let reading = Reading {
            at,
            rows: pages.rows.try_into().unwrap_or(u64::MAX),
            requests,
            complete: pages.complete(pages.rows),
            content: (),
        };
        match content {
            Content::Portfolio(filter, mut portfolio) => {
                for told in &told {
                    portfolio.add_certificate(&certificate(told));
                }
                mirror.merge_portfolio(filter, reading.with(portfolio));
            }
            Content::LastLogins(filter, logins) => mirror.merge_last_logins(filter, reading.with(logins)),
        }
    }
}

fn certificate(told: &Achieved) -> Certificate<'_> {
    Certificate {
        user: &told.user.0,
        title: &told.title,
        achieved: told.on,
        ends: told.ends,
    }
}

impl State {
    /// Pages of surveys were answered.
    pub(super) fn surveys_answered(
        &mut self,
        pages: Vec<(Survey, Query)>,
        answers: Vec<Result<QueryAnswer, EntryError>>,
        now: Instant,
    ) {
        self.surveys.returned();
        for ((survey, _), answer) in pages.into_iter().zip(answers) {
            let key = Key::Survey(survey.clone().into());
            match answer {
                Ok(answer) => {
                    self.refused_reads.remove(&key);
                    if let Some(read) = self.surveys.page(&survey, answer) {
                        read.merge(&mut self.mirror);
                    }
                }
                Err(error) => {
                    self.surveys.fail(&survey, now, self.settings.interval);
                    self.note_refused(&key, &error.to_string());
                }
            }
        }
    }

    /// What nobody reads any more is neither read nor kept.
    pub(super) fn drop_surveys(&mut self) {
        let readers = &self.readers;
        let is_read = |survey: &Survey| readers.of(&Key::Survey(survey.clone().into())).next().is_some();
        self.surveys.reads.retain(|read| is_read(&read.survey()));
        self.surveys.requested.retain(is_read);
        self.mirror.retain_surveys(is_read);
    }

    /// What a resource reads at intervals is read now.
    pub(super) fn request_surveys(&mut self, resource: &ResourceKey) {
        let surveys = self.readers.surveys(resource);
        self.surveys.requested.extend(surveys);
    }

    /// Whether something that was asked for anew is still to be read for a resource.
    #[must_use]
    pub fn is_surveying(&self, resource: &ResourceKey) -> bool {
        self.readers
            .surveys(resource)
            .any(|survey| self.surveys.requested.contains(&survey))
    }

    /// Somebody has achieved a certificate. It counts in what was read; where nothing is known that it could be added to,
    /// that is read. Returns whether anybody counts it.
    pub(super) fn certificate_achieved(&mut self, told: &Achieved) -> bool {
        let keys = self.readers.keys();
        let concerned = keys.filter_map(|key| match key {
            Key::Survey(survey) => match &**survey {
                Survey::Portfolio(filter) if self.is_concerned(filter, told) => Some(filter.clone()),
                _ => None,
            },
            _ => None,
        });
        let concerned: Vec<_> = concerned.collect();
        for filter in &concerned {
            let survey = Survey::Portfolio(filter.clone());
            let reading = self.surveys.reads.iter_mut().find(|read| read.survey() == survey);
            let is_read = reading.is_some();
            if let Some(read) = reading {
                read.told.push(told.clone());
            }
            if !self.mirror.add_certificate(filter, &certificate(told)) && !is_read {
                self.surveys.requested.insert(survey);
            }
        }
        !concerned.is_empty()
    }

    /// Whether a survey is about certificates alone, and about this user's as far as is known.
    fn is_concerned(&self, filter: &PortfolioFilter, told: &Achieved) -> bool {
        let certificates = filter.types.len() == 1 && filter.types.iter().all(|of| &*of.0 == "CERTIFICATE");
        let user = self.mirror.user(&Key::UserId(told.user.clone())).found();
        let groups = user.iter().flat_map(|user| &user.participant_groups);
        certificates && (filter.groups.is_empty() || groups.into_iter().any(|group| filter.groups.contains(&group.id)))
    }
}
