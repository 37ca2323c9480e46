//! Answers: what came back for a document, and whom its errors concern.

use std::collections::BTreeSet;

use serde::{Deserialize, Deserializer};
use serde_json::{Map, Value};

use super::{
    document::alias,
    operation::{Access, DecodeError},
};

/// The answer to a [`Document`](super::document::Document).
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
pub struct Response {
    /// The answers by alias. `None`: the server says nothing about any of them.
    #[serde(default)]
    pub data: Option<Map<String, Value>>,
    /// In Pluvo's order.
    #[serde(default, deserialize_with = "super::model::null_as_default")]
    pub errors: Vec<GraphqlError>,
}

/// One element of `errors`. The message is the server's: it may quote what was sent, so it belongs in no status.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct GraphqlError {
    /// For the log of whoever debugs.
    #[serde(default)]
    pub message: String,
    /// `extensions.code`; the only documented one contains `Auth`.
    #[serde(default, rename = "extensions", deserialize_with = "code")]
    pub code: Option<String>,
    /// From the alias inwards; empty where the server names no place.
    #[serde(default, deserialize_with = "super::model::null_as_default")]
    pub path: Vec<PathStep>,
}

/// A step of an error's path.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(untagged)]
pub enum PathStep {
    /// Into a member of an object.
    Field(String),
    /// Into an element of a list.
    Index(usize),
}

/// Why one operation of a document has no answer while the document as a whole has one.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum EntryError {
    /// Errors name it, or name no place and so concern every operation of the document.
    #[error("Pluvo refused it{}", codes(.0))]
    Refused(Vec<GraphqlError>),
    /// Neither an answer nor an error.
    #[error("Pluvo left it unanswered")]
    Unanswered,
    /// The answer has another shape than documented.
    #[error(transparent)]
    Decode(#[from] DecodeError),
}

impl GraphqlError {
    /// The index of the operation that the error is about; `None`: it names none, so it may be about any.
    #[must_use]
    pub fn entry(&self) -> Option<usize> {
        match self.path.first()? {
            PathStep::Field(alias) => alias.strip_prefix(['q', 'm'])?.parse().ok(),
            PathStep::Index(_) => None,
        }
    }

    /// The row of a page within that operation that the error is about (`q0.edges.3.node...`).
    fn row(&self) -> Option<usize> {
        match &self.path[..] {
            [_, PathStep::Field(edges), PathStep::Index(row), ..] if edges == "edges" => Some(*row),
            _ => None,
        }
    }

    /// Whether it says that the token is not (or no longer) accepted (developers/getting-started, Request data).
    #[must_use]
    pub fn is_auth(&self) -> bool {
        self.code.as_ref().is_some_and(|code| code.contains("Auth"))
    }
}

impl Response {
    /// Whether the document was rejected as a whole before anything was executed.
    ///
    /// Servers differ in whether `data` is then absent or null, so an error with a path tells: it comes from a
    /// resolver, which ran.
    #[must_use]
    pub fn rejected(&self) -> bool {
        self.data.is_none() && !self.errors.is_empty() && self.errors.iter().all(|error| error.path.is_empty())
    }

    /// Whether everything was refused for want of a valid token, and nothing was executed.
    #[must_use]
    pub fn unauthorized(&self) -> bool {
        let nothing = self.data.as_ref().is_none_or(|data| data.values().all(Value::is_null));
        nothing && !self.errors.is_empty() && self.errors.iter().all(GraphqlError::is_auth)
    }

    /// What stands under the alias of the operation at `index`, null included.
    #[must_use]
    pub fn answer(&self, index: usize) -> Option<&Value> {
        self.data.as_ref()?.get(&self.alias(index)?)
    }

    /// The errors that name the operation at `index`.
    pub fn errors_of(&self, index: usize) -> impl Iterator<Item = &GraphqlError> {
        self.errors.iter().filter(move |error| error.entry() == Some(index))
    }

    /// The errors that name no operation.
    pub fn errors_without_entry(&self) -> impl Iterator<Item = &GraphqlError> {
        self.errors.iter().filter(|error| error.entry().is_none())
    }

    /// Takes the answer of the operation at `index` out, as far as it can be relied on: rows of a page that an error
    /// points into become null, because a field that failed reads as empty. Any other error that is, or may be, about
    /// the operation fails it.
    ///
    /// This judges reads. After mutations more may be in doubt: a server may roll back a whole document for one error.
    ///
    /// # Errors
    ///
    /// [`EntryError::Refused`] and [`EntryError::Unanswered`].
    pub fn take(&mut self, index: usize) -> Result<Value, EntryError> {
        let errors: Vec<_> = self
            .errors_without_entry()
            .chain(self.errors_of(index))
            .cloned()
            .collect();
        let Some(rows) = errors.iter().map(GraphqlError::row).collect::<Option<Vec<_>>>() else {
            return Err(EntryError::Refused(errors));
        };
        let alias = self.alias(index).ok_or(EntryError::Unanswered)?;
        let answer = self.data.as_mut().and_then(|data| data.get_mut(&alias));
        let mut answer = answer.map(Value::take).ok_or(EntryError::Unanswered)?;
        for row in rows {
            if let Some(edge) = answer.pointer_mut(&format!("/edges/{row}")) {
                edge.take();
            }
        }
        if answer.is_null() && !errors.is_empty() {
            Err(EntryError::Refused(errors))
        } else {
            Ok(answer)
        }
    }
}

impl Response {
    /// The alias of the operation at `index`, if it was answered: a document holds one kind, and so one of the two.
    fn alias(&self, index: usize) -> Option<String> {
        let data = self.data.as_ref()?;
        [Access::Read, Access::Write]
            .into_iter()
            .map(|kind| alias(kind, index))
            .find(|alias| data.contains_key(alias))
    }
}

/// The codes of errors for a message, ` (code X, Y)`, as far as they look like codes; else nothing.
pub(super) fn codes(errors: &[GraphqlError]) -> String {
    let is_code = |code: &&str| {
        (1..=64).contains(&code.len()) && code.chars().all(|c| c.is_ascii_alphanumeric() || "_-.".contains(c))
    };
    let codes: BTreeSet<_> = errors
        .iter()
        .filter_map(|error| error.code.as_deref())
        .filter(is_code)
        .collect();
    if codes.is_empty() {
        String::new()
    } else {
        format!(" (code {})", Vec::from_iter(codes).join(", "))
    }
}

fn code<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<String>, D::Error> {
    let extensions = Value::deserialize(deserializer)?;
    Ok(extensions.get("code").and_then(Value::as_str).map(str::to_owned))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn response(json: Value) -> Response {
        serde_json::from_value(json).unwrap()
    }

    #[test]
    fn rejected_before_execution_is_told_from_failed_during_it() {
        let unknown = json!({"message": "Cannot query field", "locations": [{"line": 1, "column": 2}]});
        let at = json!({"message": "x", "path": ["m0", "user"]});
        let cases = [
            (json!({"errors": [unknown]}), true),
            (json!({"data": null, "errors": [unknown]}), true),
            (json!({"data": null, "errors": [at]}), false),
            (json!({"data": null, "errors": [unknown, at]}), false),
            (json!({"data": {"m0": null}, "errors": [unknown]}), false),
            (json!({"data": {"m0": {}}, "errors": null}), false),
        ];
        for (body, rejected) in cases {
            assert_eq!(response(body.clone()).rejected(), rejected, "{body}");
        }
    }

    #[test]
    fn errors_name_their_entry_or_none() {
        let response = response(json!({
            "data": {"m0": {"user": {}}, "m1": null, "m11": {}},
            "errors": [
                {"message": "a", "path": ["m1", "user", 0], "extensions": {"code": "X"}},
                {"message": "b", "path": null},
                {"message": "c", "path": ["m11"], "extensions": null},
                {"path": ["somethingElse"]},
            ],
        }));
        let of = |index| {
            response
                .errors_of(index)
                .map(|error| error.message.as_str())
                .collect::<Vec<_>>()
        };
        assert_eq!((of(0), of(1), of(11)), (vec![], vec!["a"], vec!["c"]));
        assert_eq!(response.errors_without_entry().count(), 2);
        assert_eq!(response.answer(1), Some(&Value::Null));
        assert_eq!(response.answer(2), None);
    }

    #[test]
    fn only_a_refusal_of_everything_is_a_refused_token() {
        let auth = json!({"message": "x", "extensions": {"code": "AuthenticationFailed"}});
        let other = json!({"message": "x", "extensions": {"code": "Forbidden"}});
        let cases = [
            (json!({"errors": [auth]}), true),
            (json!({"data": {"q0": null}, "errors": [auth]}), true),
            (json!({"data": {"q0": null}, "errors": [auth, other]}), false),
            (json!({"data": {"q0": null, "q1": {}}, "errors": [auth]}), false),
            (json!({"data": {"q0": null}}), false),
        ];
        for (body, unauthorized) in cases {
            assert_eq!(response(body.clone()).unauthorized(), unauthorized, "{body}");
        }
    }

    #[test]
    fn a_row_with_an_error_becomes_null_and_the_page_survives() {
        let mut response = response(json!({
            "data": {
                "q0": {"edges": [{"node": {"id": "a"}}, {"node": {"id": "b", "participantGroups": null}}]},
                "q1": {"id": "c", "participantGroups": null},
                "q2": null,
            },
            "errors": [
                {"message": "x", "path": ["q0", "edges", 1, "node", "participantGroups"]},
                {"message": "x", "path": ["q1", "participantGroups"]},
            ],
        }));
        assert_eq!(
            response.take(0).unwrap(),
            json!({"edges": [{"node": {"id": "a"}}, null]})
        );
        assert!(matches!(response.take(1), Err(EntryError::Refused(errors)) if errors.len() == 1));
        assert_eq!(response.take(2), Ok(Value::Null));
        assert_eq!(response.take(3), Err(EntryError::Unanswered));
    }

    #[test]
    fn an_error_without_a_place_fails_every_query() {
        let mut response = response(json!({"data": {"q0": {"id": "a"}}, "errors": [{"message": "x"}]}));
        assert!(matches!(response.take(0), Err(EntryError::Refused(_))));
    }

    #[test]
    fn a_message_shows_codes_and_nothing_that_was_sent() {
        let errors = [
            GraphqlError {
                message: "jane@example.com exists".into(),
                code: Some("UNIQUE".into()),
                path: vec![],
            },
            GraphqlError {
                message: "m".into(),
                code: Some("jane@example.com is taken".into()),
                path: vec![],
            },
        ];
        assert_eq!(
            EntryError::Refused(errors.into()).to_string(),
            "Pluvo refused it (code UNIQUE)"
        );
    }
}
