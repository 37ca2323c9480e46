//! One read of an organization: of complete lists, page by page, or of the objects that somebody reads, one by one.
//! Several lists, or many objects, travel as aliases of one request.

use std::collections::HashSet;

use tokio::time::Instant;

use crate::{
    plan::observed::Key,
    pluvo::{
        model::{Id, Page},
        request::Query,
    },
};

use super::pages::Pages;

/// Rows on one page (developers/pagination).
const PAGE: usize = 50;

/// A list that is read page by page.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ListKey {
    /// Users that are not archived.
    ActiveUsers,
    /// Archived users.
    ArchivedUsers,
    /// Groups.
    Groups,
    /// The participants of one training.
    Participants(Id),
    /// The members of one group.
    Members(Id),
}

/// How far one list has been read.
#[derive(Debug)]
pub struct ListRead {
    /// Which list.
    pub key: ListKey,
    pages: Pages,
    seen: HashSet<Id>,
}

impl ListRead {
    fn new(key: ListKey) -> Self {
        Self {
            key,
            pages: Pages::default(),
            seen: HashSet::new(),
        }
    }

    /// Notes one page.
    fn page<T>(&mut self, page: &Page<T>, id: impl Fn(&T) -> &Id) {
        self.pages.note(page);
        self.seen.extend(page.rows.iter().map(|row| id(row).clone()));
    }

    /// Whether the list was read to its end.
    #[must_use]
    pub fn finished(&self) -> bool {
        self.pages.finished()
    }

    /// Whether whoever is not in it does not exist.
    #[must_use]
    pub fn complete(&self) -> bool {
        self.pages.complete(self.seen.len())
    }

    /// Everybody who was seen.
    #[must_use]
    pub fn seen(&self) -> &HashSet<Id> {
        &self.seen
    }

    fn query(&self) -> Query {
        let page = self.pages.next();
        match &self.key {
            ListKey::ActiveUsers => Query::Users { archived: false, page },
            ListKey::ArchivedUsers => Query::Users { archived: true, page },
            ListKey::Groups => Query::Groups { page },
            ListKey::Participants(training) => Query::TrainingParticipants {
                training: training.clone(),
                page,
            },
            ListKey::Members(group) => Query::GroupMembers {
                group: group.clone(),
                page,
            },
        }
    }
}

/// How an organization is read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Strategy {
    /// Complete lists, page by page.
    #[default]
    Lists,
    /// The objects that somebody reads, many in one request.
    PointReads,
}

/// A read of several lists and objects at once.
#[derive(Debug)]
pub struct Sweep {
    /// When it began: whoever was not seen has been unseen since then.
    pub started: Instant,
    /// The lists.
    pub lists: Vec<ListRead>,
    /// Requests so far.
    pub requests: u32,
    /// How the organization is read; `None`: only who is in some places.
    pub strategy: Option<Strategy>,
    /// Objects whose direct read has not been answered yet.
    points: HashSet<Key>,
    /// Whether a direct read was answered with an error.
    point_failed: bool,
    under_way: bool,
}

impl Sweep {
    /// A read of all users and groups, of the participants of `trainings`, and of single objects that no list holds.
    pub fn of_lists(now: Instant, trainings: impl IntoIterator<Item = Id>, points: HashSet<Key>) -> Self {
        let lists = [ListKey::ActiveUsers, ListKey::ArchivedUsers, ListKey::Groups].into_iter();
        let lists = lists.chain(trainings.into_iter().map(ListKey::Participants));
        Self::new(now, Some(Strategy::Lists), lists, points)
    }

    /// A read of single objects, and of the participants of `trainings`.
    pub fn of_points(now: Instant, trainings: impl IntoIterator<Item = Id>, points: HashSet<Key>) -> Self {
        let lists = trainings.into_iter().map(ListKey::Participants);
        Self::new(now, Some(Strategy::PointReads), lists, points)
    }

    /// A read of the participants of some trainings, and of the members of some groups.
    pub fn of_places(
        now: Instant,
        trainings: impl IntoIterator<Item = Id>,
        groups: impl IntoIterator<Item = Id>,
    ) -> Self {
        let trainings = trainings.into_iter().map(ListKey::Participants);
        let lists = trainings.chain(groups.into_iter().map(ListKey::Members));
        Self::new(now, None, lists, HashSet::new())
    }

    fn new(
        now: Instant,
        strategy: Option<Strategy>,
        lists: impl Iterator<Item = ListKey>,
        points: HashSet<Key>,
    ) -> Self {
        Self {
            started: now,
            lists: lists.map(ListRead::new).collect(),
            requests: 0,
            strategy,
            points,
            point_failed: false,
            under_way: false,
        }
    }

    /// What the server does not understand is not read, though this may have been learned only after the sweep began:
    /// nobody answers such a read, and a sweep that waits for an answer would be the last one.
    pub fn skip(&mut self, may_ask: impl Fn(&Key) -> bool, is_blocked: impl Fn(&Query) -> bool) {
        self.points.retain(may_ask);
        for list in self.lists.iter_mut().filter(|list| list.pages.is_open()) {
            if is_blocked(&list.query()) {
                list.pages.fail();
            }
        }
    }

    /// The next pages, at most `limit`, each with the index of its list; none while the last ones are under way.
    pub fn next(&mut self, limit: usize) -> Vec<(usize, Query)> {
        if self.under_way {
            return Vec::new();
        }
        let lists = self.lists.iter().enumerate();
        let open = lists.filter(|(_, list)| list.pages.is_open());
        let pages: Vec<_> = open.map(|(index, list)| (index, list.query())).take(limit).collect();
        self.under_way = !pages.is_empty();
        pages
    }

    /// Direct reads that have not been answered yet.
    pub fn points(&self) -> impl Iterator<Item = &Key> {
        self.points.iter()
    }

    /// An answer has come, or none will: lists go on where their pages end.
    pub fn returned(&mut self) {
        self.requests += 1;
        self.under_way = false;
    }

    /// Notes a page of the list at `index`.
    pub fn page<T>(&mut self, index: usize, page: &Page<T>, id: impl Fn(&T) -> &Id) {
        if let Some(list) = self.lists.get_mut(index) {
            list.page(page, id);
        }
    }

    /// A page could not be read: its list says nothing about who is absent.
    pub fn fail(&mut self, index: usize) {
        if let Some(list) = self.lists.get_mut(index) {
            list.pages.fail();
        }
    }

    /// Notes direct reads that came back in one request. Those that were sent before the sweep began do not count.
    pub fn points_answered<'a>(&mut self, answered: impl Iterator<Item = (&'a Key, bool)>, sent: Instant) {
        if sent < self.started {
            return;
        }
        let mut concerned = false;
        for (key, succeeded) in answered {
            if self.points.remove(key) {
                concerned = true;
                self.point_failed |= !succeeded;
            }
        }
        self.requests += u32::from(concerned);
    }

    /// Whether every list was read to its end or has failed, and every direct read was answered.
    #[must_use]
    pub fn is_over(&self) -> bool {
        !self.under_way && self.points.is_empty() && self.lists.iter().all(|list| !list.pages.is_open())
    }

    /// Whether everything was read that was to be read.
    #[must_use]
    pub fn is_complete(&self) -> bool {
        !self.point_failed
            && match self.strategy {
                Some(Strategy::Lists) => {
                    self.users(ListRead::complete) && self.list(&ListKey::Groups).is_some_and(ListRead::complete)
                }
                Some(Strategy::PointReads) | None => true,
            }
    }

    /// How many pages the longest list of users or groups had: they travel together.
    #[must_use]
    pub fn pages(&self) -> usize {
        let lists = self.lists.iter();
        let lists = lists.filter(|list| !matches!(list.key, ListKey::Participants(_) | ListKey::Members(_)));
        lists
            .map(|list| list.pages.rows.div_ceil(PAGE))
            .max()
            .unwrap_or_default()
    }

    /// The list of a key.
    #[must_use]
    pub fn list(&self, key: &ListKey) -> Option<&ListRead> {
        self.lists.iter().find(|list| list.key == *key)
    }

    /// Whether both lists of users, and the one of groups, satisfy a condition.
    #[must_use]
    pub fn users(&self, condition: impl Fn(&ListRead) -> bool) -> bool {
        [ListKey::ActiveUsers, ListKey::ArchivedUsers]
            .iter()
            .all(|key| self.list(key).is_some_and(&condition))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn page(ids: &[&str], next: Option<&str>, count: u64) -> Page<Id> {
        Page {
            rows: ids.iter().map(|id| Id::from(*id)).collect(),
            nulls: 0,
            next: next.map(Into::into),
            count: Some(count),
        }
    }

    fn read(pages: &[Page<Id>]) -> ListRead {
        let mut list = ListRead::new(ListKey::ActiveUsers);
        for page in pages {
            list.page(page, |id| id);
        }
        list
    }

    #[test]
    fn a_sweep_does_not_wait_for_what_the_server_does_not_understand() {
        let now = Instant::now();
        let points = HashSet::from([Key::OfferEvents, Key::TrainingRef("safety".into())]);
        let mut sweep = Sweep::of_points(now, [], points);
        sweep.skip(|key| *key != Key::OfferEvents, |_| false);
        assert!(!sweep.is_over(), "the training is still asked for");
        sweep.points_answered([(&Key::TrainingRef("safety".into()), true)].into_iter(), now);
        assert!(sweep.is_over() && sweep.is_complete());
    }

    #[test]
    fn a_list_is_complete_only_if_everything_fits() {
        assert!(read(&[page(&["a", "b"], Some("2"), 3), page(&["c"], None, 3)]).complete());
        assert!(
            !read(&[page(&["a", "b"], Some("2"), 3)]).finished(),
            "the last page is missing"
        );
        assert!(
            !read(&[page(&["a", "b"], Some("2"), 3), page(&["b"], None, 3)]).complete(),
            "a row was seen twice, so one was missed"
        );
        assert!(
            !read(&[page(&["a", "b"], Some("2"), 3), page(&["c"], None, 4)]).complete(),
            "the count moved"
        );
        let nulls = Page {
            nulls: 1,
            ..page(&["a"], None, 1)
        };
        assert!(!read(&[nulls]).complete(), "a row came as null");
        let still = read(&[page(&["a"], Some("2"), 3), page(&["b"], Some("2"), 3)]);
        assert!(
            !still.pages.is_open() && !still.finished(),
            "the cursor does not move on"
        );
    }
}
