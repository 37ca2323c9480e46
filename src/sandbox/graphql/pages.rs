//! Pages: at most 50 rows, with opaque cursors that are positions.

use std::fmt::Write;

use async_graphql::{OutputType, SimpleObject};

use super::{
    certificates::CertificateNode, groups::GroupNode, portfolio::ReportNode, trainings::TrainingNode, users::UserNode,
};
use crate::{
    settings::{PageTooLarge, Settings},
    store::Refusal,
};

const MOST_ROWS: usize = 50;

/// Which page.
#[derive(Default)]
pub struct PageArguments {
    pub first: Option<i32>,
    pub after: Option<String>,
    pub offset: Option<i32>,
    pub last: Option<i32>,
    pub before: Option<String>,
}

/// A stretch of a list.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Window {
    pub start: usize,
    pub len: usize,
}

impl PageArguments {
    /// The stretch of a list of `total` rows that the page is.
    pub fn window(&self, total: usize, settings: &Settings) -> Result<Window, Refusal> {
        let start = match &self.after {
            Some(cursor) => position_of(cursor)? + 1,
            None => 0,
        };
        let end = match &self.before {
            Some(cursor) => position_of(cursor)?.min(total),
            None => total,
        };
        let start = (start + count(self.offset)?.unwrap_or(0)).min(end);
        let first = row_count(self.first, settings)?;
        let last = row_count(self.last, settings)?;
        let len = (end - start).min(first.or(last).unwrap_or(MOST_ROWS));
        let start = if first.is_none() && last.is_some() {
            end - len
        } else {
            start
        };
        Ok(Window { start, len })
    }
}

fn row_count(asked: Option<i32>, settings: &Settings) -> Result<Option<usize>, Refusal> {
    match (count(asked)?, settings.page_too_large) {
        (Some(rows), PageTooLarge::Error) if rows > MOST_ROWS => {
            Err(Refusal::invalid(format!("A page has at most {MOST_ROWS} rows.")))
        }
        (rows, _) => Ok(rows.map(|rows| rows.min(MOST_ROWS))),
    }
}

fn count(number: Option<i32>) -> Result<Option<usize>, Refusal> {
    number
        .map(|number| usize::try_from(number).map_err(|_| Refusal::invalid("A count is 0 or more.")))
        .transpose()
}

fn cursor(position: usize) -> String {
    let mut cursor = String::new();
    for byte in format!("row:{position}").bytes() {
        // Writing to a text cannot fail.
        let _ = write!(cursor, "{byte:02x}");
    }
    cursor
}

fn position_of(cursor: &str) -> Result<usize, Refusal> {
    let bytes: Option<Vec<u8>> = (0..cursor.len() / 2)
        .map(|at| {
            cursor
                .get(2 * at..2 * at + 2)
                .and_then(|digits| u8::from_str_radix(digits, 16).ok())
        })
        .collect();
    let text = bytes.and_then(|bytes| String::from_utf8(bytes).ok());
    text.and_then(|text| text.strip_prefix("row:")?.parse().ok())
        .ok_or_else(|| Refusal::invalid("This is not a cursor."))
}

/// `pageInfo`
#[derive(SimpleObject)]
pub struct PageInfo {
    has_next_page: bool,
    has_previous_page: bool,
    start_cursor: Option<String>,
    end_cursor: Option<String>,
}

/// A page.
#[derive(SimpleObject)]
#[graphql(
    concrete(name = "UserConnection", params("Edge<UserNode>")),
    concrete(name = "GroupConnection", params("Edge<GroupNode>")),
    concrete(name = "TrainingConnection", params("Edge<TrainingNode>")),
    concrete(name = "TrainingUserConnection", params("TrainingUserEdge")),
    concrete(name = "PortfolioReportConnection", params("Edge<ReportNode>")),
    concrete(name = "CertificateConnection", params("Edge<CertificateNode>"))
)]
pub struct Connection<E: OutputType> {
    page_info: PageInfo,
    edges: Vec<Option<E>>,
    count: Option<i32>,
}

/// A row of a page.
#[derive(SimpleObject)]
#[graphql(
    concrete(name = "UserEdge", params(UserNode)),
    concrete(name = "GroupEdge", params(GroupNode)),
    concrete(name = "TrainingEdge", params(TrainingNode)),
    concrete(name = "PortfolioReportEdge", params(ReportNode)),
    concrete(name = "CertificateEdge", params(CertificateNode))
)]
pub struct Edge<N: OutputType> {
    node: Option<N>,
    cursor: String,
}

/// A row of a training's participants.
#[derive(SimpleObject)]
pub struct TrainingUserEdge {
    node: Option<UserNode>,
    cursor: String,
}

impl<N: OutputType> From<(N, String)> for Edge<N> {
    fn from((node, cursor): (N, String)) -> Self {
        Self {
            node: Some(node),
            cursor,
        }
    }
}

impl From<(UserNode, String)> for TrainingUserEdge {
    fn from((node, cursor): (UserNode, String)) -> Self {
        Self {
            node: Some(node),
            cursor,
        }
    }
}

impl<E: OutputType> Connection<E> {
    /// A page with the rows that stand at the window.
    pub fn new<N>(total: usize, window: Window, rows: impl IntoIterator<Item = N>) -> Self
    where
        E: From<(N, String)>,
    {
        let Window { start, len } = window;
        let edge = |(at, node)| Some(E::from((node, cursor(start + at))));
        Self {
            page_info: PageInfo {
                has_next_page: start + len < total,
                has_previous_page: start > 0,
                start_cursor: (len > 0).then(|| cursor(start)),
                end_cursor: (len > 0).then(|| cursor(start + len - 1)),
            },
            edges: rows.into_iter().enumerate().map(edge).collect(),
            count: i32::try_from(total).ok(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn window(page: &PageArguments, total: usize) -> (usize, usize) {
        let Window { start, len } = page.window(total, &Settings::default()).expect("a page");
        (start, len)
    }

    #[test]
    fn pages_follow_each_other() {
        let none = PageArguments::default();
        assert_eq!(window(&none, 120), (0, 50));
        assert_eq!(
            window(
                &PageArguments {
                    after: Some(cursor(49)),
                    ..none
                },
                120
            ),
            (50, 50)
        );
        let third = PageArguments {
            after: Some(cursor(99)),
            first: Some(1_000),
            ..PageArguments::default()
        };
        assert_eq!(window(&third, 120), (100, 20));
        assert_eq!(window(&third, 30), (30, 0));
    }

    #[test]
    fn offset_and_backwards() {
        let page = PageArguments {
            offset: Some(10),
            first: Some(5),
            ..PageArguments::default()
        };
        assert_eq!(window(&page, 12), (10, 2));
        let page = PageArguments {
            last: Some(5),
            before: Some(cursor(20)),
            ..PageArguments::default()
        };
        assert_eq!(window(&page, 120), (15, 5));
    }

    #[test]
    fn nonsense_is_refused() {
        for cursor in ["", "zz", "row:1", "é", "726f773a"] {
            let page = PageArguments {
                after: Some(cursor.to_owned()),
                ..PageArguments::default()
            };
            assert!(page.window(1, &Settings::default()).is_err(), "{cursor}");
        }
        let page = PageArguments {
            first: Some(-1),
            ..PageArguments::default()
        };
        assert!(page.window(1, &Settings::default()).is_err());
    }
}
