//! Clients of the API and what they may do.

use std::{fmt, str::FromStr};

use serde::Deserialize;

/// A right that a token carries.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
#[allow(missing_docs, reason = "the names say it")]
pub enum Scope {
    UsersRead,
    UsersWrite,
    TrainingsRead,
    TrainingsWrite,
    GroupsRead,
    GroupsWrite,
    EventsRead,
    EventsWrite,
    ExtraCategoriesWrite,
}

impl Scope {
    /// Every scope there is.
    pub const ALL: [Self; 9] = [
        Self::UsersRead,
        Self::UsersWrite,
        Self::TrainingsRead,
        Self::TrainingsWrite,
        Self::GroupsRead,
        Self::GroupsWrite,
        Self::EventsRead,
        Self::EventsWrite,
        Self::ExtraCategoriesWrite,
    ];

    fn as_str(self) -> &'static str {
        match self {
            Self::UsersRead => "users.read",
            Self::UsersWrite => "users.write",
            Self::TrainingsRead => "trainings.read",
            Self::TrainingsWrite => "trainings.write",
            Self::GroupsRead => "groups.read",
            Self::GroupsWrite => "groups.write",
            Self::EventsRead => "events.read",
            Self::EventsWrite => "events.write",
            Self::ExtraCategoriesWrite => "extra_categories.write",
        }
    }
}

impl fmt::Display for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for Scope {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        Self::ALL
            .into_iter()
            .find(|scope| scope.as_str() == text)
            .ok_or_else(|| format!("There is no scope {text:?}"))
    }
}

impl TryFrom<String> for Scope {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        text.parse()
    }
}

/// Who may ask for tokens.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Client {
    /// `client_id`
    pub id: String,
    /// `client_secret`
    pub secret: String,
    /// What its tokens may carry; everything where it is left out.
    #[serde(default = "all")]
    pub scopes: Vec<Scope>,
}

impl Client {
    /// A client that may do everything.
    #[must_use]
    pub fn with_all_scopes(id: &str, secret: &str) -> Self {
        Self {
            id: id.to_owned(),
            secret: secret.to_owned(),
            scopes: all(),
        }
    }
}

fn all() -> Vec<Scope> {
    Scope::ALL.to_vec()
}
