//! A list that is read page by page: where it goes on, and whether all of it was seen.

use std::sync::Arc;

use crate::pluvo::{model::Page, request::PageRequest};

/// How far a list has been read.
#[derive(Debug, Default)]
pub struct Pages {
    after: Option<Arc<str>>,
    /// Rows so far.
    pub rows: usize,
    first_count: Option<u64>,
    last_count: Option<u64>,
    nulls: usize,
    ended: bool,
    failed: bool,
}

impl Pages {
    /// Notes one page.
    pub fn note<T>(&mut self, page: &Page<T>) {
        self.rows += page.rows.len();
        self.nulls += page.nulls;
        self.first_count = self.first_count.or(page.count);
        self.last_count = page.count;
        self.ended = page.next.is_none();
        // A cursor that does not move on would be read for ever.
        self.failed |= page.next.is_some() && page.next == self.after;
        self.after.clone_from(&page.next);
    }

    /// A page could not be read, or is not to be.
    pub fn fail(&mut self) {
        self.failed = true;
    }

    /// The next page.
    #[must_use]
    pub fn next(&self) -> PageRequest {
        PageRequest {
            after: self.after.clone(),
        }
    }

    /// Whether there is another page to be read.
    #[must_use]
    pub fn is_open(&self) -> bool {
        !self.ended && !self.failed
    }

    /// Whether the list was read to its end.
    #[must_use]
    pub fn finished(&self) -> bool {
        self.ended && !self.failed
    }

    /// Whether nothing was missed: the last page said so, no row was missing on any page, and there are as many
    /// different ones as the first and the last page claimed.
    #[must_use]
    pub fn complete(&self, different: usize) -> bool {
        let seen = u64::try_from(different).ok();
        self.finished() && self.nulls == 0 && self.first_count == seen && self.last_count == seen
    }
}
