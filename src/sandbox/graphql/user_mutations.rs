//! What creates and changes users.

use std::sync::Arc;

use async_graphql::{Context, InputObject, Object, Result, SimpleObject};

use super::{
    BulkAction,
    caller::{Writing, write},
    scalars::Uuid,
    users::UserNode,
};
use crate::{
    scope::Scope,
    settings::Settings,
    store::{Group, Language, Refusal, Role, SeatRole, Selector, Store, User, UserDraft},
};

#[derive(InputObject)]
struct UserInput {
    email: Option<String>,
    name: Option<String>,
    #[graphql(name = "ref")]
    reference: Option<String>,
    roles: Option<Vec<Role>>,
    language: Option<Language>,
    archived: Option<bool>,
    add_participant_groups: Option<Vec<Uuid>>,
    remove_participant_groups: Option<Vec<Uuid>>,
    add_manager_groups: Option<Vec<Uuid>>,
    remove_manager_groups: Option<Vec<Uuid>>,
    afas_employee_id: Option<String>,
    afas_person_id: Option<String>,
    is_active: Option<bool>,
}

/// The groups that a user comes into and leaves with a call.
type Moves = Vec<(Arc<Group>, SeatRole, bool)>;

impl UserInput {
    fn draft(&self, settings: &Settings) -> UserDraft {
        UserDraft {
            reference: self.reference.clone(),
            email: self.email.clone(),
            name: self.name.clone().map(|name| settings.texts.stored(name)),
            roles: self.roles.clone(),
            language: self.language,
            archived: self.archived.or(self.is_active.map(|active| !active)),
            afas_employee_id: self.afas_employee_id.clone(),
            afas_person_id: self.afas_person_id.clone(),
            ..UserDraft::default()
        }
    }

    /// Looked up before anything is written, so that an unknown or full group refuses the whole call.
    fn moves(&self, store: &Store, user: Option<uuid::Uuid>) -> Result<Moves, Refusal> {
        let lists = [
            (&self.add_participant_groups, SeatRole::GroupParticipant, true),
            (&self.remove_participant_groups, SeatRole::GroupParticipant, false),
            (&self.add_manager_groups, SeatRole::GroupManager, true),
            (&self.remove_manager_groups, SeatRole::GroupManager, false),
        ];
        let mut moves = Vec::new();
        for (ids, role, added) in lists {
            for id in ids.iter().flatten() {
                let group = store.groups().expect(&Selector::Id(id.0))?;
                if added && !store.has_room_for(group, role, user) {
                    return Err(Refusal::invalid("The group is full."));
                }
                moves.push((group.clone(), role, added));
            }
        }
        Ok(moves)
    }
}

fn carry_out(writing: &mut Writing<'_>, moves: Moves, user: &User) {
    for (group, role, added) in moves {
        writing.store.move_user(&group, role, user.id, added, writing.now);
    }
}

#[derive(SimpleObject)]
struct CreateUser {
    user: Option<UserNode>,
    created: Option<bool>,
}

#[derive(SimpleObject)]
struct UpdateUser {
    user: Option<UserNode>,
}

#[derive(SimpleObject)]
struct UpdateOrCreateUser {
    user: Option<UserNode>,
    created: Option<bool>,
}

#[derive(SimpleObject)]
struct ArchiveUsers {
    response: Option<BulkAction>,
}

/// User mutations.
#[derive(Default)]
pub struct UserMutation;

#[Object]
impl UserMutation {
    async fn create_user(
        &self,
        ctx: &Context<'_>,
        #[graphql(default_with = "Some(true)")] send_invite: Option<bool>,
        user: UserInput,
    ) -> Result<Option<CreateUser>> {
        write(ctx, Scope::UsersWrite, |writing| {
            let created = create(
                writing,
                &user.draft(writing.settings),
                &user,
                send_invite.unwrap_or(true),
            )?;
            Ok(CreateUser {
                user: Some(UserNode(created)),
                created: Some(true),
            })
        })
    }

    async fn update_user(
        &self,
        ctx: &Context<'_>,
        id: Option<Uuid>,
        #[graphql(name = "ref")] reference: Option<String>,
        user: UserInput,
    ) -> Result<Option<UpdateUser>> {
        write(ctx, Scope::UsersWrite, |writing| {
            let selector = Selector::exactly_one(id.map(|id| id.0), reference)?;
            let known = writing.store.users().expect(&selector)?.id;
            Ok(UpdateUser {
                user: Some(UserNode(update(writing, known, &user)?)),
            })
        })
    }

    async fn update_or_create_user(
        &self,
        ctx: &Context<'_>,
        #[graphql(name = "ref")] reference: Option<String>,
        email: Option<String>,
        send_invite: Option<bool>,
        user: UserInput,
    ) -> Result<Option<UpdateOrCreateUser>> {
        write(ctx, Scope::UsersWrite, |writing| {
            if reference.is_none() && email.is_none() {
                return Err(Refusal::invalid("Give a ref or an email to look up."));
            }
            let users = writing.store.users();
            let by_ref = reference
                .clone()
                .and_then(|reference| users.find(&Selector::Ref(reference)));
            let known = by_ref.or_else(|| email.as_deref().and_then(|email| users.by_email(email)));
            if let Some(known) = known.map(|user| user.id) {
                let user = update(writing, known, &user)?;
                return Ok(UpdateOrCreateUser {
                    user: Some(UserNode(user)),
                    created: Some(false),
                });
            }
            let mut draft = user.draft(writing.settings);
            draft.reference = draft.reference.or(reference);
            draft.email = draft.email.or(email);
            let created = create(writing, &draft, &user, send_invite.unwrap_or(false))?;
            Ok(UpdateOrCreateUser {
                user: Some(UserNode(created)),
                created: Some(true),
            })
        })
    }

    async fn archive_users(&self, ctx: &Context<'_>, archive: bool, ids: Vec<Uuid>) -> Result<Option<ArchiveUsers>> {
        write(ctx, Scope::UsersWrite, |writing| {
            let draft = UserDraft {
                archived: Some(archive),
                ..UserDraft::default()
            };
            let response = BulkAction::of(&ids, |id| writing.store.update_user(id, &draft, writing.now).is_ok());
            Ok(ArchiveUsers {
                response: Some(response),
            })
        })
    }
}

fn create(writing: &mut Writing<'_>, draft: &UserDraft, input: &UserInput, invite: bool) -> Result<Arc<User>, Refusal> {
    let moves = input.moves(writing.store, None)?;
    let mut user = writing.store.create_user(draft, writing.settings, writing.now)?;
    if invite {
        user = writing.invite(&user);
    }
    carry_out(writing, moves, &user);
    Ok(user)
}

fn update(writing: &mut Writing<'_>, id: uuid::Uuid, input: &UserInput) -> Result<Arc<User>, Refusal> {
    let moves = input.moves(writing.store, Some(id))?;
    let user = writing
        .store
        .update_user(id, &input.draft(writing.settings), writing.now)?;
    carry_out(writing, moves, &user);
    Ok(user)
}
