//! Who is in a group, and who is in a training.

use std::sync::Arc;

use async_graphql::{Context, Enum, Object, Result, SimpleObject};

use super::{BulkAction, caller::write, scalars::Uuid};
use crate::{
    scope::Scope,
    store::{People, Refusal, SeatRole, Selector, Tally, User},
};

/// A role in a training.
#[derive(Enum, Clone, Copy, PartialEq, Eq)]
pub enum TrainingRole {
    Participant,
    Trainer,
    Mentor,
}

impl From<TrainingRole> for SeatRole {
    fn from(role: TrainingRole) -> Self {
        match role {
            TrainingRole::Participant => Self::TrainingParticipant,
            TrainingRole::Trainer => Self::TrainingTrainer,
            TrainingRole::Mentor => Self::TrainingMentor,
        }
    }
}

#[derive(SimpleObject)]
struct AddUsersToGroup {
    added_ids: Option<Vec<Uuid>>,
    already_added_ids: Option<Vec<Uuid>>,
    failed_ids: Option<Vec<Uuid>>,
    added_refs: Option<Vec<String>>,
    already_added_refs: Option<Vec<String>>,
    failed_refs: Option<Vec<String>>,
}

#[derive(SimpleObject)]
struct RemoveUsersFromGroup {
    removed_ids: Option<Vec<Uuid>>,
    already_removed_ids: Option<Vec<Uuid>>,
    failed_ids: Option<Vec<Uuid>>,
    removed_refs: Option<Vec<String>>,
    already_removed_refs: Option<Vec<String>>,
    failed_refs: Option<Vec<String>>,
}

#[derive(SimpleObject)]
struct AddManagersToGroup {
    response: Option<BulkAction>,
}

#[derive(SimpleObject)]
struct RemoveManagersFromGroup {
    response: Option<BulkAction>,
}

#[derive(SimpleObject)]
struct AddUsersToTraining {
    added_ids: Option<Vec<Uuid>>,
    added_refs: Option<Vec<String>>,
    already_added_ids: Option<Vec<Uuid>>,
    already_added_refs: Option<Vec<String>>,
    failed_ids: Option<Vec<Uuid>>,
    failed_refs: Option<Vec<String>>,
}

#[derive(SimpleObject)]
struct RemoveUsersFromTraining {
    removed_ids: Option<Vec<Uuid>>,
    removed_refs: Option<Vec<String>>,
    already_removed_ids: Option<Vec<Uuid>>,
    already_removed_refs: Option<Vec<String>>,
    ids_linked_via_object: Option<Vec<Uuid>>,
    refs_linked_via_object: Option<Vec<String>>,
    failed_ids: Option<Vec<Uuid>>,
    failed_refs: Option<Vec<String>>,
}

fn ids(users: &[Arc<User>]) -> Vec<Uuid> {
    users.iter().map(|user| Uuid(user.id)).collect()
}

fn refs(users: &[Arc<User>]) -> Vec<String> {
    users.iter().map(|user| user.reference.to_string()).collect()
}

/// Known people who were refused, and ids that nobody has. A ref that nobody has is in no list of ids.
fn failed_ids(tally: &Tally) -> Vec<Uuid> {
    let refused = tally.refused.iter().map(|user| user.id);
    refused.chain(tally.unknown_ids.iter().copied()).map(Uuid).collect()
}

fn failed_refs(tally: &Tally) -> Vec<String> {
    let refused = tally.refused.iter().map(|user| user.reference.to_string());
    refused.chain(tally.unknown_refs.iter().cloned()).collect()
}

/// The object and the people that the arguments name.
fn named(
    id: Option<Uuid>,
    reference: Option<String>,
    ids: Option<Vec<Uuid>>,
    refs: Option<Vec<String>>,
) -> Result<(Selector, People), Refusal> {
    let ids = ids.unwrap_or_default().into_iter().map(|id| id.0).collect();
    Ok((
        Selector::exactly_one(id.map(|id| id.0), reference)?,
        People {
            ids,
            refs: refs.unwrap_or_default(),
        },
    ))
}

/// Membership mutations.
#[derive(Default)]
pub struct MembershipMutation;

#[Object]
impl MembershipMutation {
    async fn add_users_to_group(
        &self,
        ctx: &Context<'_>,
        group_id: Option<Uuid>,
        group_ref: Option<String>,
        user_ids: Option<Vec<Uuid>>,
        user_refs: Option<Vec<String>>,
    ) -> Result<Option<AddUsersToGroup>> {
        write(ctx, Scope::GroupsWrite, |writing| {
            let (group, people) = named(group_id, group_ref, user_ids, user_refs)?;
            let role = SeatRole::GroupParticipant;
            let tally = writing
                .store
                .add_to_group(&group, role, &people, writing.settings, writing.now)?;
            Ok(AddUsersToGroup {
                added_ids: Some(ids(&tally.done)),
                already_added_ids: Some(ids(&tally.already)),
                failed_ids: Some(failed_ids(&tally)),
                added_refs: Some(refs(&tally.done)),
                already_added_refs: Some(refs(&tally.already)),
                failed_refs: Some(failed_refs(&tally)),
            })
        })
    }

    async fn remove_users_from_group(
        &self,
        ctx: &Context<'_>,
        group_id: Option<Uuid>,
        group_ref: Option<String>,
        user_ids: Option<Vec<Uuid>>,
        user_refs: Option<Vec<String>>,
    ) -> Result<Option<RemoveUsersFromGroup>> {
        write(ctx, Scope::GroupsWrite, |writing| {
            let (group, people) = named(group_id, group_ref, user_ids, user_refs)?;
            let tally = writing
                .store
                .remove_from_group(&group, SeatRole::GroupParticipant, &people, writing.now)?;
            Ok(RemoveUsersFromGroup {
                removed_ids: Some(ids(&tally.done)),
                already_removed_ids: Some(ids(&tally.already)),
                failed_ids: Some(failed_ids(&tally)),
                removed_refs: Some(refs(&tally.done)),
                already_removed_refs: Some(refs(&tally.already)),
                failed_refs: Some(failed_refs(&tally)),
            })
        })
    }

    async fn add_managers_to_group(
        &self,
        ctx: &Context<'_>,
        group_id: Option<Uuid>,
        group_ref: Option<String>,
        user_ids: Option<Vec<Uuid>>,
        user_refs: Option<Vec<String>>,
    ) -> Result<Option<AddManagersToGroup>> {
        write(ctx, Scope::GroupsWrite, |writing| {
            let (group, people) = named(group_id, group_ref, user_ids, user_refs)?;
            let role = SeatRole::GroupManager;
            let tally = writing
                .store
                .add_to_group(&group, role, &people, writing.settings, writing.now)?;
            Ok(AddManagersToGroup {
                response: Some(tally.into()),
            })
        })
    }

    async fn remove_managers_from_group(
        &self,
        ctx: &Context<'_>,
        group_id: Option<Uuid>,
        group_ref: Option<String>,
        user_ids: Option<Vec<Uuid>>,
        user_refs: Option<Vec<String>>,
    ) -> Result<Option<RemoveManagersFromGroup>> {
        write(ctx, Scope::GroupsWrite, |writing| {
            let (group, people) = named(group_id, group_ref, user_ids, user_refs)?;
            let tally = writing
                .store
                .remove_from_group(&group, SeatRole::GroupManager, &people, writing.now)?;
            Ok(RemoveManagersFromGroup {
                response: Some(tally.into()),
            })
        })
    }

    #[allow(clippy::too_many_arguments, reason = "the documented arguments")]
    async fn add_users_to_training(
        &self,
        ctx: &Context<'_>,
        training_id: Option<Uuid>,
        training_ref: Option<String>,
        user_ids: Option<Vec<Uuid>>,
        user_refs: Option<Vec<String>>,
        #[graphql(default_with = "Some(true)")] send_invites: Option<bool>,
        #[graphql(default_with = "Some(TrainingRole::Participant)")] role: Option<TrainingRole>,
    ) -> Result<Option<AddUsersToTraining>> {
        write(ctx, Scope::TrainingsWrite, |writing| {
            let (selector, people) = named(training_id, training_ref, user_ids, user_refs)?;
            let training = writing.store.trainings().expect(&selector)?.clone();
            let role = role.unwrap_or(TrainingRole::Participant).into();
            let tally = writing
                .store
                .add_to_training(&selector, role, &people, writing.settings, writing.now)?;
            if send_invites.unwrap_or(true) {
                writing.invite_to_training(&tally.done, &training);
            }
            Ok(AddUsersToTraining {
                added_ids: Some(ids(&tally.done)),
                added_refs: Some(refs(&tally.done)),
                already_added_ids: Some(ids(&tally.already)),
                already_added_refs: Some(refs(&tally.already)),
                failed_ids: Some(failed_ids(&tally)),
                failed_refs: Some(failed_refs(&tally)),
            })
        })
    }

    async fn remove_users_from_training(
        &self,
        ctx: &Context<'_>,
        training_id: Option<Uuid>,
        training_ref: Option<String>,
        user_ids: Option<Vec<Uuid>>,
        user_refs: Option<Vec<String>>,
    ) -> Result<Option<RemoveUsersFromTraining>> {
        write(ctx, Scope::TrainingsWrite, |writing| {
            let (training, people) = named(training_id, training_ref, user_ids, user_refs)?;
            let tally = writing.store.remove_from_training(&training, &people, writing.now)?;
            Ok(RemoveUsersFromTraining {
                removed_ids: Some(ids(&tally.done)),
                removed_refs: Some(refs(&tally.done)),
                already_removed_ids: Some(ids(&tally.already)),
                already_removed_refs: Some(refs(&tally.already)),
                ids_linked_via_object: Some(ids(&tally.linked)),
                refs_linked_via_object: Some(refs(&tally.linked)),
                failed_ids: Some(failed_ids(&tally)),
                failed_refs: Some(failed_refs(&tally)),
            })
        })
    }
}
