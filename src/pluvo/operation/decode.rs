//! From the JSON under an alias to the types of [`model`](crate::pluvo::model).

use std::sync::Arc;

use serde::{Deserialize, de::DeserializeOwned};
use serde_json::Value;

use crate::pluvo::model::{Id, MembershipResult, Page, null_as_default};

/// An answer that does not have the documented shape. Names the operation and the field, never a value.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("Pluvo's answer to {field} is not what its documentation says ({what}); this operator may be too old for it")]
pub struct DecodeError {
    /// The root field.
    pub field: &'static str,
    /// What is wrong, in words that hold no data.
    pub what: String,
}

/// The value under one alias, with the name of its root field for errors.
pub(super) struct Answer {
    field: &'static str,
    value: Value,
}

impl Answer {
    pub fn new(field: &'static str, value: Value) -> Self {
        Self { field, value }
    }

    /// The whole value.
    pub fn value<T: DeserializeOwned>(self) -> Result<T, DecodeError> {
        serde_json::from_value(self.value).map_err(|error| DecodeError {
            field: self.field,
            what: describe(&error),
        })
    }

    /// One member of a mutation's payload, which must be there.
    pub fn member<T: DeserializeOwned>(mut self, name: &str) -> Result<T, DecodeError> {
        match self.value.get_mut(name).map(Value::take) {
            None | Some(Value::Null) => Err(self.error(format!("no `{name}`"))),
            Some(value) => Self { value, ..self }.value(),
        }
    }

    /// A Relay connection.
    pub fn page<T: DeserializeOwned>(self) -> Result<Page<T>, DecodeError> {
        let field = self.field;
        let connection: Connection<T> = self.value()?;
        let PageInfo {
            has_next_page,
            end_cursor,
        } = connection.page_info;
        if has_next_page && end_cursor.is_none() {
            return Err(DecodeError {
                field,
                what: "another page, but no `endCursor`".to_owned(),
            });
        }
        let edges = connection.edges.len();
        let rows: Vec<T> = connection.edges.into_iter().filter_map(|edge| edge?.node).collect();
        Ok(Page {
            nulls: edges - rows.len(),
            rows,
            next: end_cursor.filter(|_| has_next_page),
            count: connection.count,
        })
    }

    /// The answer of any of the membership mutations.
    pub fn membership(self) -> Result<MembershipResult, DecodeError> {
        let lists: Membership = self.value()?;
        Ok(MembershipResult {
            done: [lists.added_ids, lists.removed_ids, lists.response.succeeded_ids].concat(),
            already: [lists.already_added_ids, lists.already_removed_ids].concat(),
            linked_via_object: lists.ids_linked_via_object,
        })
    }

    fn error(&self, what: String) -> DecodeError {
        DecodeError {
            field: self.field,
            what,
        }
    }
}

/// What serde says, if it can be repeated: its other messages quote the value, which may be personal data.
fn describe(error: &serde_json::Error) -> String {
    let text = error.to_string();
    if text.starts_with("missing field") {
        text
    } else {
        "a value of another type".to_owned()
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Connection<T> {
    edges: Vec<Option<Edge<T>>>,
    page_info: PageInfo,
    count: Option<u64>,
}

#[derive(Deserialize)]
struct Edge<T> {
    node: Option<T>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct PageInfo {
    has_next_page: bool,
    end_cursor: Option<Arc<str>>,
}

/// The lists of all membership mutations; each answers some of them.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Membership {
    #[serde(default, deserialize_with = "null_as_default")]
    added_ids: Vec<Id>,
    #[serde(default, deserialize_with = "null_as_default")]
    already_added_ids: Vec<Id>,
    #[serde(default, deserialize_with = "null_as_default")]
    removed_ids: Vec<Id>,
    #[serde(default, deserialize_with = "null_as_default")]
    already_removed_ids: Vec<Id>,
    #[serde(default, deserialize_with = "null_as_default")]
    ids_linked_via_object: Vec<Id>,
    #[serde(default, deserialize_with = "null_as_default")]
    response: BulkAction,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase")]
struct BulkAction {
    #[serde(default, deserialize_with = "null_as_default")]
    succeeded_ids: Vec<Id>,
}
