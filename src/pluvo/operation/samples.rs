//! One operation of every form that this client can send: what the schema check compares with the server, what the tests
//! validate, and whose answers the fuzz targets make up.

use std::sync::Arc;

use super::Operation;
use crate::pluvo::{
    model::Id,
    request::{
        ContentType, FieldInput, GroupInput, GroupRole, Keys, MembershipChange, Mutation, PageRequest, Persons,
        PortfolioFilter, Query, Selector, UserInput,
    },
};

/// Every query and mutation with everything set, with every selector.
#[must_use]
pub fn operations() -> Vec<Operation> {
    let queries = queries().into_iter().map(|query| query.operation());
    queries
        .chain(mutations().into_iter().map(|mutation| mutation.operation()))
        .collect()
}

fn id() -> Id {
    "00000000-0000-4000-8000-000000000000".into()
}

fn keys() -> Keys {
    Keys {
        id: id(),
        reference: text(),
    }
}

fn text() -> Arc<str> {
    "text".into()
}

/// Every query.
#[must_use]
pub fn queries() -> Vec<Query> {
    let page = || PageRequest { after: Some(text()) };
    let reports = [Persons::Accounts, Persons::Named].into_iter().flat_map(|persons| {
        [
            Query::Portfolio {
                filter: PortfolioFilter {
                    groups: [id()].into(),
                    types: ["TRAINING".into(), "CERTIFICATE".into()].into(),
                },
                persons,
                page: page(),
            },
            Query::LastLogins {
                before: Some(jiff::Timestamp::UNIX_EPOCH),
                persons,
                page: page(),
            },
        ]
    });
    let mut queries = vec![
        Query::Users {
            archived: false,
            page: page(),
        },
        Query::GroupMembers {
            group: id(),
            page: page(),
        },
        Query::TrainingParticipants {
            training: id(),
            page: page(),
        },
        Query::Groups { page: page() },
        Query::Trainings { page: page() },
        Query::CustomFields(ContentType::User),
        Query::CustomFields(ContentType::Group),
        Query::User(Selector::Id(id())),
        Query::User(Selector::Ref(text())),
        Query::UserByEmail(text()),
        Query::Group(Selector::Id(id())),
        Query::Group(Selector::Ref(text())),
        Query::Training(Selector::Id(id())),
        Query::Training(Selector::Ref(text())),
        Query::GroupSize(id()),
        Query::OfferEvent(id()),
        Query::OfferEvents,
        Query::Enrollment {
            event: id(),
            user: id(),
        },
    ];
    queries.extend(reports);
    queries
}

/// Every mutation.
#[must_use]
pub fn mutations() -> Vec<Mutation> {
    let mut mutations = vec![
        Mutation::CreateUser {
            reference: text(),
            user: user(),
            send_invite: false,
        },
        Mutation::UpdateUser { id: id(), user: user() },
        Mutation::CreateGroup(group()),
        Mutation::UpdateGroup {
            id: id(),
            group: group(),
        },
        Mutation::DeleteGroup(id()),
        Mutation::AddToTraining {
            training: id(),
            role: "PARTICIPANT".into(),
            users: vec![id()],
            send_invites: false,
        },
        Mutation::RemoveFromTraining {
            training: id(),
            users: vec![id()],
        },
        Mutation::Enroll {
            event: keys(),
            users: vec![keys(), keys()],
            send_mail: false,
        },
        Mutation::Unenroll {
            event: keys(),
            user: keys(),
        },
    ];
    for object in [Selector::Id(id()), Selector::Ref(text())] {
        for content_type in [ContentType::User, ContentType::Group] {
            mutations.push(Mutation::SetCustomFields {
                content_type,
                object: object.clone(),
                values: values(),
            });
        }
    }
    for role in [GroupRole::Participant, GroupRole::Manager] {
        for change in [MembershipChange::Add, MembershipChange::Remove] {
            mutations.push(Mutation::GroupMembers {
                group: id(),
                role,
                change,
                users: vec![id(), id()],
            });
        }
    }
    mutations
}

fn user() -> UserInput {
    UserInput {
        reference: Some(text()),
        email: Some(text()),
        name: Some(text()),
        roles: Some(vec!["PARTICIPANT".into(), "MANAGER".into()]),
        language: Some("NL".into()),
        archived: Some(false),
    }
}

fn group() -> GroupInput {
    GroupInput {
        reference: Some(text()),
        name: Some(text()),
        max_users: Some(30),
        enable_chat: Some(true),
        is_editable: Some(true),
    }
}

fn values() -> std::collections::BTreeMap<Arc<str>, FieldInput> {
    [
        ("text", FieldInput::Text(text())),
        ("date", FieldInput::DateTime("2026-09-01T00:00:00+02:00".into())),
        ("bool", FieldInput::Bool(true)),
        ("choice", FieldInput::Choices(vec![text()])),
        ("choices", FieldInput::Choices(vec![text(), text()])),
    ]
    .map(|(field, value)| (field.into(), value))
    .into()
}
