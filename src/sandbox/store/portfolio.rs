//! Portfolios: what users have acquired, how far they are in their trainings, and the report about both.

use std::{
    collections::{BTreeMap, HashMap, HashSet},
    sync::Arc,
};

use jiff::{SignedDuration, Timestamp, civil::Date, tz::TimeZone};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::{
    Refusal, SeatRole, Selector, Store, User, or_kept,
    table::{Touch, check_title, derived},
};

/// Something that a user has acquired.
#[derive(Clone, Debug)]
#[allow(missing_docs, reason = "the fields of the schema's PortfolioItem")]
pub struct PortfolioItem {
    pub id: Uuid,
    pub user: Uuid,
    pub title: Arc<str>,
    pub description: Option<Arc<str>>,
    pub start: Timestamp,
    pub end: Option<Timestamp>,
    pub files: Vec<String>,
    pub created_at: Timestamp,
    pub updated_at: Timestamp,
    /// Of which certificate, and for which training, where one was issued.
    pub certificate: Option<(Uuid, Option<Uuid>)>,
}

/// What a call sets on a portfolio item; what is left out stays as it is.
#[derive(Clone, Debug, Default)]
#[allow(missing_docs, reason = "the fields of the schema's inputs")]
pub struct PortfolioDraft {
    pub title: Option<String>,
    pub description: Option<String>,
    pub start: Option<Timestamp>,
    pub end: Option<Timestamp>,
    pub files: Option<Vec<String>>,
    pub certificate: Option<(Uuid, Option<Uuid>)>,
}

/// How far a user is in a training. No operation sets it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct Progress {
    /// In the unit of whoever set it: the documentation names none.
    #[serde(rename = "progress")]
    pub done: f64,
    /// Likewise.
    pub score: Option<f64>,
    /// When it was completed.
    pub completion_date: Option<Date>,
    /// Until when that counts.
    pub end_date: Option<Date>,
    /// How long it took.
    pub time_spent: SignedDuration,
}

/// All portfolios.
#[derive(Clone, Debug, Default)]
pub struct Portfolios {
    items: HashMap<Uuid, PortfolioItem>,
    by_user: HashMap<Uuid, Vec<Uuid>>,
    progress: BTreeMap<(Uuid, Uuid), Progress>,
    touched: Vec<(Touch, PortfolioItem)>,
    /// Who has completed which training.
    finished: Vec<(Uuid, Uuid)>,
}

/// Which rows a report has.
#[derive(Clone, Debug, Default)]
pub struct ReportFilter {
    /// Of whom: the participants of these groups, or everybody.
    pub groups: Option<Vec<Uuid>>,
    /// Whether there are rows about trainings.
    pub trainings: bool,
    /// Whether there are rows about certificates.
    pub certificates: bool,
    /// Completed on this day or later, in UTC.
    pub from: Option<Date>,
    /// Completed on this day or earlier.
    pub to: Option<Date>,
}

/// What a row of a report is about.
#[derive(Clone, Copy, Debug)]
enum Row {
    Training { training: Uuid, user: Uuid },
    Certificate(Uuid),
}

/// A row of a report.
#[derive(Clone, Debug)]
#[allow(missing_docs, reason = "the fields of the schema's PortfolioReportItem")]
pub struct ReportRow {
    pub user: Arc<User>,
    pub title: Arc<str>,
    pub progress: Option<f64>,
    pub score: Option<f64>,
    pub completion_date: Option<Date>,
    pub end_date: Option<Date>,
    pub time_spent: Option<SignedDuration>,
}

impl Portfolios {
    /// One item.
    pub fn get(&self, id: Uuid) -> Option<&PortfolioItem> {
        self.items.get(&id)
    }

    /// The items of one user, or of all, by when they were acquired.
    pub fn of(&self, user: Option<Uuid>) -> Vec<&PortfolioItem> {
        let mut items: Vec<_> = match user {
            Some(user) => {
                let ids = self.by_user.get(&user).into_iter().flatten();
                ids.filter_map(|id| self.get(*id)).collect()
            }
            None => self.items.values().collect(),
        };
        items.sort_by_key(|item| (item.start, item.id));
        items
    }

    /// How far a user is in a training.
    pub fn progress(&self, training: Uuid, user: Uuid) -> Progress {
        self.progress.get(&(training, user)).copied().unwrap_or_default()
    }

    /// How far users are in a training, where that was set.
    pub fn progress_in(&self, training: Uuid) -> impl Iterator<Item = (Uuid, &Progress)> {
        let all = (training, Uuid::nil())..=(training, Uuid::max());
        self.progress.range(all).map(|((_, user), progress)| (*user, progress))
    }

    /// A user is gone.
    pub fn forget(&mut self, user: Uuid) {
        for id in self.by_user.remove(&user).unwrap_or_default() {
            self.items.remove(&id);
        }
        self.progress.retain(|(_, of), _| *of != user);
    }

    fn put(&mut self, item: PortfolioItem) {
        let of_user = self.by_user.entry(item.user).or_default();
        if !of_user.contains(&item.id) {
            of_user.push(item.id);
        }
        let old = self.items.insert(item.id, item.clone());
        let touch = if old.is_some() { Touch::Updated } else { Touch::Created };
        self.touched.push((touch, item));
    }

    /// What has happened to which items since this was last asked.
    pub fn take_touched(&mut self) -> Vec<(Touch, PortfolioItem)> {
        std::mem::take(&mut self.touched)
    }

    /// Who has completed which training since this was last asked: training and user.
    pub fn take_finished(&mut self) -> Vec<(Uuid, Uuid)> {
        std::mem::take(&mut self.finished)
    }
}

impl Store {
    /// The portfolios.
    pub fn portfolios(&self) -> &Portfolios {
        &self.portfolios
    }

    /// Adds an item to the portfolio of a user. It must have a title and a beginning.
    pub fn create_portfolio_item(
        &mut self,
        user: Uuid,
        draft: &PortfolioDraft,
        now: Timestamp,
    ) -> Result<PortfolioItem, Refusal> {
        let user = self.users.expect(&Selector::Id(user))?.id;
        check_title(draft.title.as_deref())?;
        let (Some(title), Some(start)) = (&draft.title, draft.start) else {
            return Err(Refusal::invalid("A portfolio item needs a title and a start date."));
        };
        let taken = |id: &Uuid| self.portfolios.items.contains_key(id);
        let item = PortfolioItem {
            id: derived("portfolio item", "id", &format!("{user} {title} {start}"), taken),
            user,
            title: title.as_str().into(),
            description: draft.description.as_deref().map(Arc::from),
            start,
            end: draft.end,
            files: draft.files.clone().unwrap_or_default(),
            created_at: now,
            updated_at: now,
            certificate: draft.certificate,
        };
        self.portfolios.put(item.clone());
        Ok(item)
    }

    /// Changes an item of a portfolio.
    pub fn update_portfolio_item(
        &mut self,
        id: Uuid,
        draft: &PortfolioDraft,
        now: Timestamp,
    ) -> Result<PortfolioItem, Refusal> {
        check_title(draft.title.as_deref())?;
        let old = self.portfolios.get(id);
        let old = old.ok_or_else(|| Refusal::not_found("This portfolio item"))?.clone();
        let item = PortfolioItem {
            title: or_kept(draft.title.as_deref(), &old.title),
            description: draft.description.as_deref().map(Arc::from).or(old.description),
            start: draft.start.unwrap_or(old.start),
            end: draft.end.or(old.end),
            files: draft.files.clone().unwrap_or(old.files),
            updated_at: now,
            ..old
        };
        self.portfolios.put(item.clone());
        Ok(item)
    }

    /// Takes an item out for good; false if there is none.
    pub fn delete_portfolio_item(&mut self, id: Uuid) -> bool {
        let Some(item) = self.portfolios.items.remove(&id) else {
            return false;
        };
        if let Some(items) = self.portfolios.by_user.get_mut(&item.user) {
            items.retain(|of_user| *of_user != id);
        }
        self.portfolios.touched.push((Touch::Deleted, item));
        true
    }

    /// Says how far users are in a training, by their refs.
    pub fn set_progress(&mut self, training: Uuid, progress: &BTreeMap<String, Progress>) -> Result<(), Refusal> {
        for (reference, progress) in progress {
            let user = self.users.expect_ref(reference)?.id;
            let old = self.portfolios.progress.insert((training, user), *progress);
            let was_complete = old.is_some_and(|old| old.completion_date.is_some());
            if progress.completion_date.is_some() && !was_complete {
                self.portfolios.finished.push((training, user));
            }
        }
        Ok(())
    }

    /// How many rows a report has, and those at the positions that `window` picks for that number: trainings by title,
    /// in each the participants by name; then certificates by when they were issued.
    pub fn report(
        &self,
        filter: &ReportFilter,
        window: impl FnOnce(usize) -> Result<(usize, usize), Refusal>,
    ) -> Result<(usize, Vec<ReportRow>), Refusal> {
        let rows = self.report_rows(filter);
        let (start, len) = window(rows.len())?;
        let page = rows.iter().skip(start).take(len);
        Ok((rows.len(), page.filter_map(|row| self.report_row(*row)).collect()))
    }

    fn report_rows(&self, filter: &ReportFilter) -> Vec<Row> {
        let members: Option<HashSet<Uuid>> = filter.groups.as_ref().map(|groups| {
            let of_group = |group: &Uuid| self.members(*group, SeatRole::GroupParticipant).iter();
            groups.iter().flat_map(of_group).map(|(_, id)| *id).collect()
        });
        let asked_for = |user: Uuid| members.as_ref().is_none_or(|members| members.contains(&user));
        let bounded = filter.from.is_some() || filter.to.is_some();
        let in_time = |day: Option<Date>| match day {
            Some(day) => filter.from.is_none_or(|from| from <= day) && filter.to.is_none_or(|to| day <= to),
            None => !bounded,
        };
        let mut rows = Vec::new();
        for training in self.trainings.in_order().filter(|_| filter.trainings) {
            let participants = self.attendees(training.id, SeatRole::TrainingParticipant).iter();
            let participants = participants.map(|(_, user)| *user).filter(|user| asked_for(*user));
            let completed = |user: Uuid| self.portfolios.progress(training.id, user).completion_date;
            rows.extend(
                participants
                    .filter(|user| in_time(completed(*user)))
                    .map(|user| Row::Training {
                        training: training.id,
                        user,
                    }),
            );
        }
        if filter.certificates {
            let issued = self.portfolios.of(None).into_iter();
            let issued = issued.filter(|item| item.certificate.is_some() && asked_for(item.user));
            rows.extend(
                issued
                    .filter(|item| in_time(Some(day(item.start))))
                    .map(|item| Row::Certificate(item.id)),
            );
        }
        rows
    }

    fn report_row(&self, row: Row) -> Option<ReportRow> {
        match row {
            Row::Training { training, user } => {
                let progress = self.portfolios.progress(training, user);
                Some(ReportRow {
                    user: self.users.get(user)?.clone(),
                    title: self.trainings.get(training)?.title.clone(),
                    progress: Some(progress.done),
                    score: progress.score,
                    completion_date: progress.completion_date,
                    end_date: progress.end_date,
                    time_spent: Some(progress.time_spent),
                })
            }
            Row::Certificate(id) => {
                let item = self.portfolios.get(id)?;
                Some(ReportRow {
                    user: self.users.get(item.user)?.clone(),
                    title: item.title.clone(),
                    progress: None,
                    score: None,
                    completion_date: Some(day(item.start)),
                    end_date: item.end.map(day),
                    time_spent: None,
                })
            }
        }
    }
}

/// The day of a moment, in UTC.
pub fn day(moment: Timestamp) -> Date {
    moment.to_zoned(TimeZone::UTC).date()
}
