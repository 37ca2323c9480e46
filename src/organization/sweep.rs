//! One read of complete lists, page by page. Several lists travel as aliases of one request.

use std::{collections::HashSet, sync::Arc};

use tokio::time::Instant;

use crate::pluvo::{
    model::{Id, Page},
    request::{ContentType, PageRequest, Query},
};

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
}

/// How far one list has been read.
#[derive(Debug)]
pub struct ListRead {
    /// Which list.
    pub key: ListKey,
    after: Option<Arc<str>>,
    seen: HashSet<Id>,
    rows: usize,
    first_count: Option<u64>,
    last_count: Option<u64>,
    nulls: usize,
    ended: bool,
    failed: bool,
}

impl ListRead {
    fn new(key: ListKey) -> Self {
        Self {
            key,
            after: None,
            seen: HashSet::new(),
            rows: 0,
            first_count: None,
            last_count: None,
            nulls: 0,
            ended: false,
            failed: false,
        }
    }

    /// Notes one page.
    fn page<T>(&mut self, page: &Page<T>, id: impl Fn(&T) -> &Id) {
        self.rows += page.rows.len();
        self.seen.extend(page.rows.iter().map(|row| id(row).clone()));
        self.nulls += page.nulls;
        self.first_count = self.first_count.or(page.count);
        self.last_count = page.count;
        self.ended = page.next.is_none();
        // A cursor that does not move on would be read for ever.
        self.failed |= page.next.is_some() && page.next == self.after;
        self.after.clone_from(&page.next);
    }

    /// Whether the list was read to its end.
    #[must_use]
    pub fn finished(&self) -> bool {
        self.ended && !self.failed
    }

    /// Whether whoever is not in it does not exist: the last page said so, no row was missing on any page, and there
    /// are as many rows as the first and the last page claimed.
    #[must_use]
    pub fn complete(&self) -> bool {
        let seen = u64::try_from(self.seen.len()).ok();
        self.finished() && self.nulls == 0 && self.first_count == seen && self.last_count == seen
    }

    /// Everybody who was seen.
    #[must_use]
    pub fn seen(&self) -> &HashSet<Id> {
        &self.seen
    }

    fn query(&self) -> Query {
        let page = PageRequest {
            after: self.after.clone(),
        };
        match &self.key {
            ListKey::ActiveUsers => Query::Users { archived: false, page },
            ListKey::ArchivedUsers => Query::Users { archived: true, page },
            ListKey::Groups => Query::Groups { page },
            ListKey::Participants(training) => Query::TrainingParticipants {
                training: training.clone(),
                page,
            },
        }
    }
}

/// A read of several lists at once.
#[derive(Debug)]
pub struct Sweep {
    /// When it began: whoever was not seen has been unseen since then.
    pub started: Instant,
    /// The lists.
    pub lists: Vec<ListRead>,
    /// Requests so far.
    pub requests: u32,
    /// Whether everything is read, and not only some trainings.
    pub full: bool,
    catalogue_read: bool,
    under_way: bool,
}

/// What one question of a sweep is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// The list at this index.
    List(usize),
    /// The catalogue of custom fields.
    Catalogue(ContentType),
}

impl Sweep {
    /// A read of everything: users, groups, custom fields and the participants of `trainings`.
    pub fn full(now: Instant, trainings: impl IntoIterator<Item = Id>) -> Self {
        let lists = [ListKey::ActiveUsers, ListKey::ArchivedUsers, ListKey::Groups].into_iter();
        let lists = lists
            .chain(trainings.into_iter().map(ListKey::Participants))
            .map(ListRead::new)
            .collect();
        Self {
            started: now,
            lists,
            requests: 0,
            full: true,
            catalogue_read: false,
            under_way: false,
        }
    }

    /// A read of the participants of some trainings.
    pub fn of_trainings(now: Instant, trainings: impl IntoIterator<Item = Id>) -> Self {
        let lists = trainings
            .into_iter()
            .map(ListKey::Participants)
            .map(ListRead::new)
            .collect();
        Self {
            started: now,
            lists,
            requests: 0,
            full: false,
            catalogue_read: true,
            under_way: false,
        }
    }

    /// The next questions, at most `limit`; none while the last ones are under way.
    pub fn next(&mut self, limit: usize) -> Vec<(Part, Query)> {
        if self.under_way {
            return Vec::new();
        }
        let mut questions = Vec::new();
        if !self.catalogue_read {
            for of in [ContentType::User, ContentType::Group] {
                questions.push((Part::Catalogue(of), Query::CustomFields(of)));
            }
        }
        let open = self
            .lists
            .iter()
            .enumerate()
            .filter(|(_, list)| !list.ended && !list.failed);
        questions.extend(
            open.map(|(index, list)| (Part::List(index), list.query()))
                .take(limit.saturating_sub(questions.len())),
        );
        self.under_way = !questions.is_empty();
        questions
    }

    /// An answer has come: the catalogue needs no second one, lists go on where their pages end.
    pub fn answered(&mut self) {
        self.catalogue_read = true;
        self.requests += 1;
        self.under_way = false;
    }

    /// No answer has come: the same questions are asked again.
    pub fn unanswered(&mut self) {
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
            list.failed = true;
        }
    }

    /// Whether every list was read to its end or has failed.
    #[must_use]
    pub fn is_over(&self) -> bool {
        !self.under_way && self.catalogue_read && self.lists.iter().all(|list| list.ended || list.failed)
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
        assert!(still.failed, "the cursor does not move on");
    }
}
