//! Users.

use std::sync::Arc;

use async_graphql::{Context, Enum, ID, InputObject, Object, Result};

use super::{
    caller::{look, require, try_look},
    groups::GroupNode,
    pages::{Connection, Edge, PageArguments, Window},
    scalars::{DateTime, File, JsonString, UserVia, Uuid},
    values::{ChoiceInput, ValueNode, choices_of, values_of},
};
use crate::{
    scope::Scope,
    store::{
        FieldFilter, Language, Refusal, Role, SeatRole, Selector, Store, User, UserFilter, UserOrder, UserSort,
        ValueDraft,
    },
};

/// `User`
pub struct UserNode(pub Arc<User>);

#[Object(name = "User")]
impl UserNode {
    async fn id(&self) -> Uuid {
        Uuid(self.0.id)
    }

    #[graphql(name = "ref")]
    async fn reference(&self) -> Option<&str> {
        Some(&self.0.reference)
    }

    async fn email(&self) -> Option<&str> {
        self.0.email.as_deref()
    }

    async fn name(&self) -> &str {
        &self.0.name
    }

    async fn archived(&self) -> Option<bool> {
        Some(self.0.archived())
    }

    async fn roles(&self) -> Option<Vec<Option<Role>>> {
        Some(self.0.roles.iter().copied().map(Some).collect())
    }

    async fn language(&self) -> Language {
        self.0.language
    }

    async fn participant_groups(&self, ctx: &Context<'_>) -> Option<Vec<GroupNode>> {
        Some(self.groups(ctx, SeatRole::GroupParticipant))
    }

    async fn manager_groups(&self, ctx: &Context<'_>) -> Option<Vec<GroupNode>> {
        Some(self.groups(ctx, SeatRole::GroupManager))
    }

    async fn extra_category_values(&self, ctx: &Context<'_>) -> Option<Vec<ValueNode>> {
        Some(values_of(ctx, self.0.id))
    }

    async fn last_login(&self) -> Option<DateTime> {
        self.0.last_login.map(DateTime)
    }

    async fn invited_on(&self) -> Option<DateTime> {
        self.0.invited_on.map(DateTime)
    }

    async fn group_count(&self, ctx: &Context<'_>) -> Option<usize> {
        Some(self.groups(ctx, SeatRole::GroupParticipant).len())
    }

    async fn has_password(&self) -> Option<bool> {
        Some(self.0.last_login.is_some())
    }

    async fn profile_image(&self) -> Option<File> {
        None
    }

    async fn archived_at(&self) -> Option<DateTime> {
        self.0.archived_at.map(DateTime)
    }

    async fn user_via(&self) -> Option<Vec<UserVia>> {
        None
    }

    async fn afas_person_id(&self) -> Option<&str> {
        self.0.afas_person_id.as_deref()
    }

    async fn afas_employee_id(&self) -> Option<&str> {
        self.0.afas_employee_id.as_deref()
    }

    async fn afas_contact_id(&self) -> Option<&str> {
        None
    }

    async fn afas_connection_id(&self) -> Option<ID> {
        None
    }

    #[graphql(deprecation = "old pages; use archived")]
    async fn is_active(&self) -> Option<bool> {
        Some(!self.0.archived())
    }

    #[graphql(deprecation = "old users page")]
    async fn model_id(&self) -> Option<ID> {
        Some(self.0.id.into())
    }

    #[graphql(deprecation = "old pages; use extraCategoryValues")]
    async fn extra_fields(&self, ctx: &Context<'_>) -> Option<JsonString> {
        let plain = look(ctx, |store, _| store.plain_values(self.0.id));
        serde_json::to_string(&plain).ok().map(JsonString)
    }

    #[graphql(deprecation = "old users page")]
    async fn extra_fields_profile(&self) -> Option<JsonString> {
        None
    }
}

impl UserNode {
    fn groups(&self, ctx: &Context<'_>, role: SeatRole) -> Vec<GroupNode> {
        look(ctx, |store, _| store.groups_of(self.0.id, role))
            .into_iter()
            .map(GroupNode)
            .collect()
    }
}

#[derive(InputObject)]
struct UserSortByInput {
    #[graphql(default_with = "Some(UserSort::Name)")]
    field: Option<UserSort>,
    #[graphql(default_with = "Some(SortDirection::Asc)")]
    direction: Option<SortDirection>,
}

#[derive(Enum, Clone, Copy, PartialEq, Eq)]
pub enum SortDirection {
    Asc,
    Desc,
}

#[derive(InputObject)]
struct ExtraCategoryFilterInput {
    category_id: Option<Uuid>,
    category_ref: Option<String>,
    string_value: Option<String>,
    boolean_value: Option<bool>,
    datetime_value: Option<DateTime>,
    choice_values: Option<Vec<ChoiceInput>>,
}

impl ExtraCategoryFilterInput {
    fn into_filter(self) -> Result<FieldFilter, Refusal> {
        let field = Selector::exactly_one(self.category_id.map(|id| id.0), self.category_ref)?;
        let value = ValueDraft {
            text: self.string_value,
            moment: self.datetime_value.map(|moment| moment.0),
            flag: self.boolean_value,
            choices: self.choice_values.map(choices_of),
        };
        Ok(FieldFilter { field, value })
    }
}

/// User queries.
#[derive(Default)]
pub struct UserQuery;

#[Object]
impl UserQuery {
    async fn user(
        &self,
        ctx: &Context<'_>,
        id: Option<Uuid>,
        #[graphql(name = "ref")] reference: Option<String>,
        email: Option<String>,
    ) -> Result<Option<UserNode>> {
        require(ctx, Scope::UsersRead)?;
        try_look(ctx, |store, _| {
            let found = match (id, reference, email) {
                (None, None, Some(email)) => store.users().by_email(&email),
                (id, reference, None) => store
                    .users()
                    .find(&Selector::exactly_one(id.map(|id| id.0), reference)?),
                _ => return Err(Refusal::invalid("Give one of id, ref and email.")),
            };
            Ok(found.cloned().map(UserNode))
        })
    }

    #[allow(clippy::too_many_arguments, reason = "the documented arguments")]
    async fn paginated_users(
        &self,
        ctx: &Context<'_>,
        q: Option<String>,
        archived: Option<bool>,
        user_roles: Option<Vec<Role>>,
        group_ids: Option<Vec<Uuid>>,
        training_ids: Option<Vec<Uuid>>,
        extra_categories: Option<Vec<Option<ExtraCategoryFilterInput>>>,
        #[graphql(name = "lastLogin_Gt")] seen_after: Option<DateTime>,
        #[graphql(name = "lastLogin_Lt")] seen_before: Option<DateTime>,
        sort_by: Option<UserSortByInput>,
        first: Option<i32>,
        after: Option<String>,
        offset: Option<i32>,
    ) -> Result<Option<Connection<Edge<UserNode>>>> {
        require(ctx, Scope::UsersRead)?;
        let ids = |ids: Vec<Uuid>| ids.into_iter().map(|id| id.0).collect();
        let page = PageArguments {
            first,
            after,
            offset,
            ..PageArguments::default()
        };
        let order = sort_by.map_or_else(UserOrder::default, |sort| UserOrder {
            by: sort.field.unwrap_or_default(),
            descending: sort.direction == Some(SortDirection::Desc),
        });
        try_look(ctx, |store, settings| {
            let filters = extra_categories.into_iter().flatten().flatten();
            let filter = UserFilter {
                q,
                archived,
                roles: user_roles,
                groups: group_ids.map(ids),
                trainings: training_ids.map(ids),
                fields: filters
                    .map(ExtraCategoryFilterInput::into_filter)
                    .collect::<Result<_, _>>()?,
                last_login_after: seen_after.map(|moment| moment.0),
                last_login_before: seen_before.map(|moment| moment.0),
            };
            let mut window = Window::default();
            let (total, users) = store.find_users(&filter, order, settings, |total| {
                window = page.window(total, settings)?;
                Ok((window.start, window.len))
            })?;
            Ok(Some(Connection::new(total, window, users.into_iter().map(UserNode))))
        })
    }

    #[graphql(deprecation = "old pages; use paginatedUsers")]
    async fn users(&self, ctx: &Context<'_>, active: Option<bool>) -> Result<Option<Vec<UserNode>>> {
        require(ctx, Scope::UsersRead)?;
        let all = |store: &Store| {
            let order = store.users().index().with(active.map(|active| !active));
            store.users_at(order, 0, order.len())
        };
        Ok(Some(
            look(ctx, |store, _| all(store)).into_iter().map(UserNode).collect(),
        ))
    }
}
