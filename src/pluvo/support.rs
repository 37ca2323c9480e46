//! What the server at hand does not know of the documented schema.

use std::{collections::BTreeSet, fmt};

/// The parts of the schema that a server does not have, each as an owner and a name.
///
/// | part | owner | name |
/// |---|---|---|
/// | field of a type | `ExtraCategory` | `ref` |
/// | root field | `Mutation` | `removeUsersFromTraining` |
/// | argument | `updateUser` | `id` |
/// | field of an inline input object | `updateGroup.group` | `maxUsers` |
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Unsupported(BTreeSet<(String, String)>);

impl Unsupported {
    /// Adds a part; whether it is new.
    pub fn insert(&mut self, owner: impl Into<String>, name: impl Into<String>) -> bool {
        self.0.insert((owner.into(), name.into()))
    }

    /// Whether the server lacks this part.
    #[must_use]
    pub fn contains(&self, owner: &str, name: &str) -> bool {
        self.0.iter().any(|part| part.0 == owner && part.1 == name)
    }

    /// Whether nothing is known to be missing.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Each part as `owner.name`, in order: for the status of a connection.
    pub fn names(&self) -> impl Iterator<Item = String> {
        self.0.iter().map(|(owner, name)| format!("{owner}.{name}"))
    }
}

impl fmt::Display for Unsupported {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.names().collect::<Vec<_>>().join(", "))
    }
}
