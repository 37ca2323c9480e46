//! What the tests of plans stand on: an organization made of data, resources declared beside it, and the state table.

mod cluster;
mod observed;
mod pluvo;
mod table;

pub use cluster::{Cluster, connection, ready};
pub use pluvo::{Pluvo, choice_value};
pub use table::assert_is_in_table;

use serde_json::Value;

use super::{Action, Call, Cause, Decision, ResourceKey, Write, call::Origin, observed::Place};
use crate::{
    api::Kind,
    pluvo::{
        model::Id,
        request::{GroupRole, Keys, MembershipChange, Mutation, UserInput},
    },
};

/// A resource of some name.
pub fn resource(name: &str) -> ResourceKey {
    ResourceKey::new(Kind::User, "hr", name)
}

/// The participants of a group.
pub fn participants(group: &Id) -> Place {
    Place::Group(group.clone(), GroupRole::Participant)
}

/// Sets a user's name.
pub fn rename(user: &Id, name: &str) -> Call {
    let input = UserInput {
        name: Some(name.into()),
        ..UserInput::default()
    };
    let mutation = Mutation::UpdateUser {
        id: user.clone(),
        user: input,
    };
    Call {
        action: Action::Mutate(mutation),
        cause: Cause::Change,
        mails: Vec::new(),
        writes: vec![Write::of(&user.0, "name", name)],
        destruction: None,
        origin: Origin::default(),
    }
}

/// Both keys of a user; nobody looks at the second.
fn keys(id: &Id) -> Keys {
    Keys {
        id: id.clone(),
        reference: id.0.clone(),
    }
}

/// Brings users into a place.
pub fn add(place: &Place, users: &[Id]) -> Call {
    Call {
        action: Action::Subjects {
            place: place.clone(),
            change: MembershipChange::Add,
            users: users.iter().map(keys).collect(),
            mail: false,
        },
        cause: Cause::Change,
        mails: Vec::new(),
        writes: users.iter().map(|user| Write::of("m", &user.0, "in")).collect(),
        destruction: None,
        origin: Origin::default(),
    }
}

/// What the one call of a decision sets on a user.
pub fn the_update(decision: &Decision) -> &UserInput {
    match decision.calls.as_slice() {
        [
            Call {
                action: Action::Mutate(Mutation::UpdateUser { user, .. }),
                ..
            },
        ] => user,
        calls => panic!("one update of a user was expected, not {calls:#?}"),
    }
}

/// Calls as short words, such as `updateUser for Drift` or `in 2 for Change`.
pub fn words(calls: &[Call]) -> Vec<String> {
    let word = |call: &Call| {
        let what = match &call.action {
            Action::Mutate(mutation) => mutation.field().to_owned(),
            Action::Subjects { change, users, .. } => {
                let change = if *change == MembershipChange::Add { "in" } else { "out" };
                format!("{change} {}", users.len())
            }
        };
        let mail = if call.mails.is_empty() { "" } else { " with mail" };
        match call.cause {
            Cause::Change => format!("{what}{mail}"),
            cause => format!("{what}{mail} for {cause:?}"),
        }
    };
    calls.iter().map(word).collect()
}

/// Paths of drift.
pub fn drift(decision: &Decision) -> Vec<&str> {
    decision
        .drift
        .iter()
        .map(|difference| difference.path.as_str())
        .collect()
}

/// Paths of changes.
pub fn changes(decision: &Decision) -> Vec<&str> {
    decision
        .changes
        .iter()
        .map(|difference| difference.path.as_str())
        .collect()
}

/// So many random cases; a failure prints the case, and no file is written beside the sources.
pub fn cases(cases: u32) -> proptest::test_runner::Config {
    proptest::test_runner::Config {
        cases,
        failure_persistence: None,
        ..Default::default()
    }
}

/// Nothing beside what is needed.
pub fn plain() -> Value {
    serde_json::json!({})
}
