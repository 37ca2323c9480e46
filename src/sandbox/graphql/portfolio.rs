//! Portfolio items, and the report about trainings and certificates.

use async_graphql::{Context, Enum, ID, InputObject, Object, Result, SimpleObject};

use super::{
    caller::{look, require, try_look, write},
    pages::{Connection, Edge, PageArguments, Window},
    scalars::{Date, DateTime, Uuid},
    users::UserNode,
};
use crate::{
    scope::Scope,
    store::{PortfolioDraft, PortfolioItem, ReportFilter, ReportRow, Store},
};

/// `PortfolioItem`
#[derive(SimpleObject)]
#[graphql(name = "PortfolioItem")]
pub struct ItemNode {
    id: ID,
    user: UserNode,
    title: String,
    description: Option<String>,
    start_date: DateTime,
    end_date: Option<DateTime>,
    files: Option<Vec<String>>,
    created_at: Option<DateTime>,
    updated_at: Option<DateTime>,
}

impl ItemNode {
    fn of(store: &Store, item: &PortfolioItem) -> Option<Self> {
        Some(Self {
            id: item.id.into(),
            user: UserNode(store.users().get(item.user)?.clone()),
            title: item.title.to_string(),
            description: item.description.as_deref().map(str::to_owned),
            start_date: DateTime(item.start),
            end_date: item.end.map(DateTime),
            files: Some(item.files.clone()),
            created_at: Some(DateTime(item.created_at)),
            updated_at: Some(DateTime(item.updated_at)),
        })
    }
}

/// What a report is about.
#[derive(Enum, Clone, Copy, PartialEq, Eq)]
enum RelatedObjectType {
    Training,
    Certificate,
}

/// `TimeSpent`, in the two parts of a Python timedelta.
#[derive(SimpleObject)]
struct TimeSpent {
    days: Option<i64>,
    seconds: Option<i64>,
}

/// `PortfolioReportItem`
pub struct ReportNode(ReportRow);

#[Object(name = "PortfolioReportItem")]
impl ReportNode {
    async fn user(&self) -> UserNode {
        UserNode(self.0.user.clone())
    }

    async fn title(&self) -> Option<&str> {
        Some(&self.0.title)
    }

    async fn progress(&self) -> Option<f64> {
        self.0.progress
    }

    async fn score(&self) -> Option<f64> {
        self.0.score
    }

    async fn completion_date(&self) -> Option<Date> {
        self.0.completion_date.map(Date)
    }

    async fn end_date(&self) -> Option<Date> {
        self.0.end_date.map(Date)
    }

    async fn time_spent(&self) -> Option<TimeSpent> {
        const DAY: i64 = 24 * 60 * 60;
        let seconds = self.0.time_spent?.as_secs();
        Some(TimeSpent {
            days: Some(seconds / DAY),
            seconds: Some(seconds % DAY),
        })
    }
}

/// Portfolio queries.
#[derive(Default)]
pub struct PortfolioQuery;

#[Object]
impl PortfolioQuery {
    async fn portfolio_item(&self, ctx: &Context<'_>, id: Uuid) -> Result<Option<ItemNode>> {
        require(ctx, Scope::TrainingsRead)?;
        Ok(look(ctx, |store, _| ItemNode::of(store, store.portfolios().get(id.0)?)))
    }

    async fn portfolio_items(&self, ctx: &Context<'_>, user_id: Option<Uuid>) -> Result<Vec<ItemNode>> {
        require(ctx, Scope::TrainingsRead)?;
        Ok(look(ctx, |store, _| {
            let items = store.portfolios().of(user_id.map(|id| id.0)).into_iter();
            items.filter_map(|item| ItemNode::of(store, item)).collect()
        }))
    }

    #[allow(clippy::too_many_arguments, reason = "the documented arguments")]
    async fn portfolio_report(
        &self,
        ctx: &Context<'_>,
        user_group_ids: Option<Vec<Uuid>>,
        related_object_types: Option<Vec<RelatedObjectType>>,
        completion_date_from: Option<Date>,
        completion_date_to: Option<Date>,
        first: Option<i32>,
        after: Option<String>,
        offset: Option<i32>,
    ) -> Result<Option<Connection<Edge<ReportNode>>>> {
        require(ctx, Scope::TrainingsRead)?;
        let types = related_object_types;
        let about = |of: RelatedObjectType| types.as_ref().is_none_or(|types| types.contains(&of));
        let filter = ReportFilter {
            groups: user_group_ids.map(|ids| ids.into_iter().map(|id| id.0).collect()),
            trainings: about(RelatedObjectType::Training),
            certificates: about(RelatedObjectType::Certificate),
            from: completion_date_from.map(|day| day.0),
            to: completion_date_to.map(|day| day.0),
        };
        let page = PageArguments {
            first,
            after,
            offset,
            ..PageArguments::default()
        };
        try_look(ctx, |store, settings| {
            let mut shown = Window::default();
            let (total, rows) = store.report(&filter, |total| {
                shown = page.window(total, settings)?;
                Ok((shown.start, shown.len))
            })?;
            Ok(Some(Connection::new(total, shown, rows.into_iter().map(ReportNode))))
        })
    }
}

#[derive(InputObject)]
struct CreatePortfolioItemInput {
    user_id: Uuid,
    title: String,
    description: Option<String>,
    start_date: DateTime,
    end_date: Option<DateTime>,
    files: Option<Vec<String>>,
}

#[derive(InputObject)]
struct UpdatePortfolioItemInput {
    title: Option<String>,
    description: Option<String>,
    start_date: Option<DateTime>,
    end_date: Option<DateTime>,
    files: Option<Vec<String>>,
}

impl From<UpdatePortfolioItemInput> for PortfolioDraft {
    fn from(input: UpdatePortfolioItemInput) -> Self {
        Self {
            title: input.title,
            description: input.description,
            start: input.start_date.map(|moment| moment.0),
            end: input.end_date.map(|moment| moment.0),
            files: input.files,
            ..Self::default()
        }
    }
}

#[derive(SimpleObject)]
struct PortfolioItemPayload {
    portfolio_item: Option<ItemNode>,
}

#[derive(SimpleObject)]
struct DeletePortfolioItemPayload {
    success: Option<bool>,
}

/// Portfolio mutations.
#[derive(Default)]
pub struct PortfolioMutation;

#[Object]
impl PortfolioMutation {
    async fn create_portfolio_item(
        &self,
        ctx: &Context<'_>,
        input: CreatePortfolioItemInput,
    ) -> Result<Option<PortfolioItemPayload>> {
        let user = input.user_id.0;
        let draft = PortfolioDraft::from(UpdatePortfolioItemInput {
            title: Some(input.title),
            description: input.description,
            start_date: Some(input.start_date),
            end_date: input.end_date,
            files: input.files,
        });
        write(ctx, Scope::TrainingsWrite, |writing| {
            let item = writing.store.create_portfolio_item(user, &draft, writing.now)?;
            Ok(PortfolioItemPayload {
                portfolio_item: ItemNode::of(writing.store, &item),
            })
        })
    }

    async fn update_portfolio_item(
        &self,
        ctx: &Context<'_>,
        id: Uuid,
        input: UpdatePortfolioItemInput,
    ) -> Result<Option<PortfolioItemPayload>> {
        let draft = input.into();
        write(ctx, Scope::TrainingsWrite, |writing| {
            let item = writing.store.update_portfolio_item(id.0, &draft, writing.now)?;
            Ok(PortfolioItemPayload {
                portfolio_item: ItemNode::of(writing.store, &item),
            })
        })
    }

    async fn delete_portfolio_item(&self, ctx: &Context<'_>, id: Uuid) -> Result<Option<DeletePortfolioItemPayload>> {
        write(ctx, Scope::TrainingsWrite, |writing| {
            Ok(DeletePortfolioItemPayload {
                success: Some(writing.store.delete_portfolio_item(id.0)),
            })
        })
    }
}
