//! Groups.

use std::sync::Arc;

use async_graphql::{Context, Enum, InputObject, Object, Result, SimpleObject};

use super::{
    BulkAction,
    caller::{look, require, try_look, write},
    pages::{Connection, Edge, PageArguments},
    scalars::{GroupVia, JsonString, Uuid},
    trainings::TrainingListItem,
    users::{SortDirection, UserNode},
    values::{ValueNode, values_of},
};
use crate::{
    scope::Scope,
    store::{Group, GroupDraft, Refusal, SeatRole, Selector},
};

/// `Group`
pub struct GroupNode(pub Arc<Group>);

#[Object(name = "Group")]
impl GroupNode {
    async fn id(&self) -> Uuid {
        Uuid(self.0.id)
    }

    async fn name(&self) -> &str {
        &self.0.name
    }

    #[graphql(name = "ref")]
    async fn reference(&self) -> Option<&str> {
        Some(&self.0.reference)
    }

    async fn max_users(&self) -> u32 {
        self.0.max_users
    }

    async fn enable_chat(&self) -> bool {
        self.0.enable_chat
    }

    async fn is_editable(&self) -> bool {
        self.0.is_editable
    }

    async fn users(
        &self,
        ctx: &Context<'_>,
        first: Option<i32>,
        after: Option<String>,
        offset: Option<i32>,
    ) -> Result<Option<Connection<Edge<UserNode>>>> {
        let page = PageArguments {
            first,
            after,
            offset,
            ..PageArguments::default()
        };
        self.members(ctx, SeatRole::GroupParticipant, &page).map(Some)
    }

    async fn managers(
        &self,
        ctx: &Context<'_>,
        first: Option<i32>,
        after: Option<String>,
        offset: Option<i32>,
    ) -> Result<Option<Connection<Edge<UserNode>>>> {
        let page = PageArguments {
            first,
            after,
            offset,
            ..PageArguments::default()
        };
        self.members(ctx, SeatRole::GroupManager, &page).map(Some)
    }

    async fn trainings(&self, ctx: &Context<'_>) -> Vec<TrainingListItem> {
        let trainings = look(ctx, |store, _| store.trainings_of_group(self.0.id));
        trainings
            .iter()
            .map(|training| TrainingListItem::from(&**training))
            .collect()
    }

    async fn extra_category_values(&self, ctx: &Context<'_>) -> Vec<ValueNode> {
        values_of(ctx, self.0.id)
    }

    async fn user_count(&self, ctx: &Context<'_>) -> Option<usize> {
        Some(look(ctx, |store, _| {
            store.members(self.0.id, SeatRole::GroupParticipant).len()
        }))
    }

    async fn manager_count(&self, ctx: &Context<'_>) -> Option<usize> {
        Some(look(ctx, |store, _| {
            store.members(self.0.id, SeatRole::GroupManager).len()
        }))
    }

    async fn permissions(&self) -> Option<JsonString> {
        None
    }

    async fn skills(&self) -> Option<Vec<SkillListItem>> {
        Some(Vec::new())
    }
}

impl GroupNode {
    fn members(&self, ctx: &Context<'_>, role: SeatRole, page: &PageArguments) -> Result<Connection<Edge<UserNode>>> {
        try_look(ctx, |store, settings| {
            let members = store.members(self.0.id, role);
            let window = page.window(members.len(), settings)?;
            let rows = store.users_at(members, window.start, window.len);
            Ok(Connection::new(members.len(), window, rows.into_iter().map(UserNode)))
        })
    }
}

/// A skill; the sandbox has none.
#[derive(SimpleObject)]
struct SkillListItem {
    id: Uuid,
    title: Option<String>,
}

#[derive(InputObject)]
struct GroupSortByInput {
    #[graphql(default_with = "Some(GroupSortField::Name)")]
    field: Option<GroupSortField>,
    #[graphql(default_with = "Some(SortDirection::Asc)")]
    direction: Option<SortDirection>,
}

#[derive(Enum, Clone, Copy, PartialEq, Eq)]
enum GroupSortField {
    Name,
}

/// Group queries.
#[derive(Default)]
pub struct GroupQuery;

#[Object]
impl GroupQuery {
    async fn group(
        &self,
        ctx: &Context<'_>,
        id: Option<Uuid>,
        #[graphql(name = "ref")] reference: Option<String>,
    ) -> Result<Option<GroupNode>> {
        require(ctx, Scope::GroupsRead)?;
        try_look(ctx, |store, _| {
            let selector = Selector::exactly_one(id.map(|id| id.0), reference)?;
            Ok(store.groups().find(&selector).cloned().map(GroupNode))
        })
    }

    async fn groups(&self, ctx: &Context<'_>, group_via: Option<GroupVia>) -> Result<Option<Vec<GroupNode>>> {
        require(ctx, Scope::GroupsRead)?;
        let _ = group_via;
        Ok(Some(look(ctx, |store, _| {
            store.groups().in_order().cloned().map(GroupNode).collect()
        })))
    }

    async fn paginated_groups(
        &self,
        ctx: &Context<'_>,
        q: Option<String>,
        first: Option<i32>,
        after: Option<String>,
        offset: Option<i32>,
        sort_by: Option<GroupSortByInput>,
    ) -> Result<Option<Connection<Edge<GroupNode>>>> {
        require(ctx, Scope::GroupsRead)?;
        let page = PageArguments {
            first,
            after,
            offset,
            ..PageArguments::default()
        };
        let q = q.unwrap_or_default().to_lowercase();
        let descending = sort_by.is_some_and(|sort| sort.direction == Some(SortDirection::Desc));
        try_look(ctx, |store, settings| {
            let mut groups: Vec<_> = store
                .groups()
                .in_order()
                .filter(|group| group.name.to_lowercase().contains(&q))
                .cloned()
                .collect();
            if descending {
                groups.reverse();
            }
            let window = page.window(groups.len(), settings)?;
            let total = groups.len();
            let rows = groups.into_iter().skip(window.start).take(window.len).map(GroupNode);
            Ok(Some(Connection::new(total, window, rows)))
        })
    }
}

#[derive(InputObject)]
struct CreateGroupInput {
    name: String,
    #[graphql(name = "ref")]
    reference: Option<String>,
    max_users: Option<i32>,
    enable_chat: Option<bool>,
    is_editable: Option<bool>,
}

#[derive(InputObject)]
struct UpdateGroupInput {
    name: Option<String>,
    #[graphql(name = "ref")]
    reference: Option<String>,
    max_users: Option<i32>,
    enable_chat: Option<bool>,
    is_editable: Option<bool>,
}

#[derive(SimpleObject)]
struct CreateGroup {
    group: Option<GroupNode>,
}

#[derive(SimpleObject)]
struct UpdateGroup {
    group: Option<GroupNode>,
}

#[derive(SimpleObject)]
struct DeleteGroup {
    ok: Option<bool>,
}

#[derive(SimpleObject)]
struct DeleteGroups {
    bulk_delete: Option<BulkAction>,
}

/// Group mutations.
#[derive(Default)]
pub struct GroupMutation;

#[Object]
impl GroupMutation {
    async fn create_group(&self, ctx: &Context<'_>, group: CreateGroupInput) -> Result<Option<CreateGroup>> {
        let mut draft = GroupDraft {
            reference: group.reference,
            name: Some(group.name),
            max_users: group.max_users,
            enable_chat: group.enable_chat,
            is_editable: group.is_editable,
            ..GroupDraft::default()
        };
        write(ctx, Scope::GroupsWrite, |writing| {
            draft.name = draft.name.map(|name| writing.settings.texts.stored(name));
            Ok(CreateGroup {
                group: Some(GroupNode(writing.store.create_group(&draft)?)),
            })
        })
    }

    async fn update_group(
        &self,
        ctx: &Context<'_>,
        id: Option<Uuid>,
        #[graphql(name = "ref")] reference: Option<String>,
        group: UpdateGroupInput,
    ) -> Result<Option<UpdateGroup>> {
        let mut draft = GroupDraft {
            reference: group.reference,
            name: group.name,
            max_users: group.max_users,
            enable_chat: group.enable_chat,
            is_editable: group.is_editable,
            ..GroupDraft::default()
        };
        write(ctx, Scope::GroupsWrite, |writing| {
            let selector = Selector::exactly_one(id.map(|id| id.0), reference)?;
            draft.name = draft.name.map(|name| writing.settings.texts.stored(name));
            Ok(UpdateGroup {
                group: Some(GroupNode(writing.store.update_group(&selector, &draft)?)),
            })
        })
    }

    async fn delete_group(&self, ctx: &Context<'_>, id: Uuid) -> Result<Option<DeleteGroup>> {
        write(ctx, Scope::GroupsWrite, |writing| {
            if writing.store.delete_group(id.0) {
                Ok(DeleteGroup { ok: Some(true) })
            } else {
                Err(Refusal::not_found("This group"))
            }
        })
    }

    async fn delete_groups(&self, ctx: &Context<'_>, ids: Option<Vec<Uuid>>) -> Result<Option<DeleteGroups>> {
        write(ctx, Scope::GroupsWrite, |writing| {
            let deleted = BulkAction::of(&ids.unwrap_or_default(), |id| writing.store.delete_group(id));
            Ok(DeleteGroups {
                bulk_delete: Some(deleted),
            })
        })
    }
}
