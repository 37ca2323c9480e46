//! The writes.

use std::{collections::BTreeMap, sync::Arc};

use serde::Deserialize;
use serde_json::Value;

use super::{Access, Argument, DecodeError, Operation, Scalar, Select, decode::Answer, selection};
use crate::pluvo::{
    model::{CustomFieldValue, Enrollment, Id, known_values},
    request::{FieldInput, GroupInput, GroupRole, MembershipChange, Mutation, MutationAnswer, UserInput},
};

/// The payload of `updateExtraCategoryValues`.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Values {
    #[serde(default, deserialize_with = "known_values")]
    extra_category_values: Vec<CustomFieldValue>,
}

type Arguments = Vec<(&'static str, Argument)>;

impl Mutation {
    /// The root field, also the name of the operation in metrics and in the audit log.
    #[must_use]
    pub fn field(&self) -> &'static str {
        match self {
            Self::CreateUser { .. } => "updateOrCreateUser",
            Self::UpdateUser { .. } => "updateUser",
            Self::SetCustomFields { .. } => "updateExtraCategoryValues",
            Self::CreateGroup(_) => "createGroup",
            Self::UpdateGroup { .. } => "updateGroup",
            Self::DeleteGroup(_) => "deleteGroup",
            Self::GroupMembers { role, change, .. } => match (role, change) {
                (GroupRole::Participant, MembershipChange::Add) => "addUsersToGroup",
                (GroupRole::Participant, MembershipChange::Remove) => "removeUsersFromGroup",
                (GroupRole::Manager, MembershipChange::Add) => "addManagersToGroup",
                (GroupRole::Manager, MembershipChange::Remove) => "removeManagersFromGroup",
            },
            Self::AddToTraining { .. } => "addUsersToTraining",
            Self::RemoveFromTraining { .. } => "removeUsersFromTraining",
            Self::Enroll { .. } => "createOfferEventEnrollments",
            Self::Unenroll { .. } => "unenrollUserFromOfferEvent",
        }
    }

    /// What is sent (developers/users, groups, group-user-manager, training-participants, specs-extra-categories,
    /// enrollments, common-recipes).
    #[must_use]
    pub fn operation(&self) -> Operation {
        Operation {
            kind: Access::Write,
            field: self.field(),
            arguments: self.arguments(),
            selection: self.selection(),
        }
    }

    fn arguments(&self) -> Arguments {
        match self {
            // The ref stands in the input as well: that a creation takes it over from the selector is only inferred.
            Self::CreateUser {
                reference,
                user,
                send_invite,
            } => vec![
                ("ref", Argument::text(reference)),
                ("sendInvite", Argument::bool(*send_invite)),
                ("user", user_input(user, Some(reference))),
            ],
            Self::UpdateUser { id, user } => {
                vec![
                    ("id", Argument::id(id)),
                    ("user", user_input(user, user.reference.as_ref())),
                ]
            }
            Self::SetCustomFields {
                content_type,
                object,
                values,
            } => vec![
                ("contentType", content_type.argument()),
                object.argument("modelId", "modelRef"),
                ("values", field_inputs(values)),
            ],
            Self::CreateGroup(group) => vec![("group", group_input(group))],
            Self::UpdateGroup { id, group } => vec![("id", Argument::id(id)), ("group", group_input(group))],
            Self::DeleteGroup(id) => vec![("id", Argument::id(id))],
            Self::GroupMembers { group, users, .. } => members("groupId", group, users),
            Self::AddToTraining {
                training,
                role,
                users,
                send_invites,
            } => {
                let mut arguments = members("trainingId", training, users);
                arguments.push(("sendInvites", Argument::bool(*send_invites)));
                arguments.push(("role", Argument::Enum(role.clone())));
                arguments
            }
            Self::RemoveFromTraining { training, users } => members("trainingId", training, users),
            Self::Enroll {
                event,
                users,
                send_mail,
            } => vec![
                ("offerEventRef", Argument::text(&event.reference)),
                ("userRefs", Argument::refs(users)),
                ("sendMail", Argument::bool(*send_mail)),
            ],
            Self::Unenroll { event, user } => vec![
                ("userId", Argument::id(&user.id)),
                ("offerEventId", Argument::id(&event.id)),
            ],
        }
    }

    fn selection(&self) -> &'static [Select] {
        match self {
            Self::CreateUser { .. } | Self::UpdateUser { .. } => selection::USER_PAYLOAD,
            Self::SetCustomFields { .. } => selection::VALUES_PAYLOAD,
            Self::CreateGroup(_) | Self::UpdateGroup { .. } => selection::GROUP_PAYLOAD,
            Self::DeleteGroup(_) => selection::DELETED,
            Self::GroupMembers {
                role: GroupRole::Manager,
                ..
            } => selection::BULK_RESPONSE,
            Self::GroupMembers {
                change: MembershipChange::Add,
                ..
            }
            | Self::AddToTraining { .. } => selection::ADDED,
            Self::GroupMembers {
                change: MembershipChange::Remove,
                ..
            } => selection::REMOVED,
            Self::RemoveFromTraining { .. } => selection::REMOVED_OR_LINKED,
            Self::Enroll { .. } => selection::ENROLLMENTS,
            Self::Unenroll { .. } => selection::UNENROLLED,
        }
    }

    /// Reads the answer to this mutation: the value that stands under its alias.
    ///
    /// # Errors
    ///
    /// The value does not have the documented shape; what the mutation did is then unknown.
    pub fn decode(&self, answer: Value) -> Result<MutationAnswer, DecodeError> {
        let answer = Answer::new(self.field(), answer);
        Ok(match self {
            Self::CreateUser { .. } | Self::UpdateUser { .. } => MutationAnswer::User(answer.member("user")?),
            Self::SetCustomFields { .. } => {
                let Values { extra_category_values } = answer.value()?;
                MutationAnswer::CustomFields(extra_category_values)
            }
            Self::CreateGroup(_) | Self::UpdateGroup { .. } => MutationAnswer::Group(answer.member("group")?),
            Self::DeleteGroup(_) => MutationAnswer::Deleted(answer.member("ok")?),
            Self::Enroll { .. } => {
                let enrollments: Vec<Option<Enrollment>> = answer.value()?;
                MutationAnswer::Enrolled(enrollments.into_iter().flatten().collect())
            }
            Self::Unenroll { .. } => MutationAnswer::Unenrolled(answer.member("success")?),
            Self::GroupMembers { .. } | Self::AddToTraining { .. } | Self::RemoveFromTraining { .. } => {
                MutationAnswer::Membership(answer.membership()?)
            }
        })
    }
}

fn user_input(user: &UserInput, reference: Option<&Arc<str>>) -> Argument {
    // Taken apart without `..`: a new field that is not sent fails to compile.
    let UserInput {
        reference: _,
        email,
        name,
        roles,
        language,
        archived,
    } = user;
    Argument::object([
        ("ref", reference.map(Argument::text)),
        ("email", email.as_ref().map(Argument::text)),
        ("name", name.as_ref().map(Argument::text)),
        ("roles", roles.as_deref().map(Argument::enums)),
        ("language", language.clone().map(Argument::Enum)),
        ("archived", archived.map(Argument::bool)),
    ])
}

fn group_input(group: &GroupInput) -> Argument {
    let GroupInput {
        reference,
        name,
        max_users,
        enable_chat,
        is_editable,
    } = group;
    Argument::object([
        ("ref", reference.as_ref().map(Argument::text)),
        ("name", name.as_ref().map(Argument::text)),
        ("maxUsers", max_users.map(|most| Argument::scalar(Scalar::Int, most))),
        ("enableChat", enable_chat.map(Argument::bool)),
        ("isEditable", is_editable.map(Argument::bool)),
    ])
}

fn field_inputs(values: &BTreeMap<Arc<str>, FieldInput>) -> Argument {
    let inputs = values.iter().map(|(field, value)| {
        let value = match value {
            FieldInput::Text(text) => ("stringValue", Argument::text(text)),
            FieldInput::DateTime(time) => ("datetimeValue", Argument::scalar(Scalar::DateTime, &**time)),
            FieldInput::Bool(bool) => ("booleanValue", Argument::bool(*bool)),
            FieldInput::Choices(choices) => ("choiceValues", choice_inputs(choices)),
        };
        Argument::Object(vec![("categoryRef", Argument::text(field)), value])
    });
    Argument::List(inputs.collect())
}

fn choice_inputs(choices: &[Arc<str>]) -> Argument {
    Argument::List(
        choices
            .iter()
            .map(|choice| Argument::Object(vec![("stringValue", Argument::text(choice))]))
            .collect(),
    )
}

/// Ids, not refs: an id can stand in the answer's lists, an unknown ref can not.
fn members(target: &'static str, id: &Id, users: &[Id]) -> Arguments {
    vec![(target, Argument::id(id)), ("userIds", Argument::ids(users))]
}
