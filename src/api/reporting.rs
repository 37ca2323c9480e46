//! What the kinds have in common that read Pluvo at intervals and declare nothing there.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{
    common::{ConnectionRef, Management, Mode, ten_minutes},
    duration::{self, Duration},
    inactive::Exclusions,
    progress::ObjectType,
};

/// What every kind has that reports.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Reporting {
    /// The connection to the organization that this resource is about. Immutable.
    #[serde(default)]
    pub connection_ref: ConnectionRef,
    /// While true nothing is read or reported for this resource.
    #[serde(default)]
    pub suspend: bool,
    /// How often Pluvo is read for this; resources that ask for the same share one read. At least twice as long as the
    /// reading takes.
    #[serde(default = "a_day")]
    #[schemars(schema_with = "duration::from_a_minute")]
    pub interval: Duration,
    /// How long to wait for what does not exist yet before a human is asked for; `0s`: not at all.
    #[serde(default = "ten_minutes")]
    pub dependency_timeout: Duration,
}

/// What a report is about, the same for all kinds that report.
#[derive(Clone, Debug)]
pub enum Reported<'a> {
    /// Rows of portfolios.
    Portfolio {
        /// Refs of groups; none of them: of everybody.
        groups: &'a [String],
        /// About what.
        types: Vec<ObjectType>,
        /// Titles; none of them: all.
        titles: &'a [String],
    },
    /// Accounts that nobody uses.
    LastLogins {
        /// For how long nobody has.
        unused_for: std::time::Duration,
        /// Whether accounts count that were never used.
        never_used: bool,
        /// Who does not count.
        exclude: &'a Exclusions,
    },
}

impl Reported<'_> {
    /// Refs of the groups that it is about; none of them: everybody.
    #[must_use]
    pub fn groups(&self) -> &[String] {
        match self {
            Self::Portfolio { groups, .. } => groups,
            Self::LastLogins { .. } => &[],
        }
    }
}

impl Reporting {
    /// The same as the settings that every kind has.
    #[must_use]
    pub fn management(&self, mode: Mode) -> Management {
        Management {
            connection_ref: self.connection_ref.clone(),
            mode,
            suspend: self.suspend,
            dependency_timeout: self.dependency_timeout,
        }
    }
}

fn a_day() -> Duration {
    std::time::Duration::from_hours(24).into()
}
