//! Trainings.

use std::sync::Arc;

use async_graphql::{Context, ID, InputObject, Object, Result, SimpleObject};
use jiff::tz::TimeZone;

use super::{
    caller::{look, require, try_look, write},
    groups::GroupNode,
    memberships::TrainingRole,
    pages::{Connection, Edge, PageArguments, TrainingUserEdge},
    scalars::{Date, DateTime, File, Uuid},
    users::UserNode,
};
use crate::{
    scope::Scope,
    store::{SeatRole, Selector, Training, TrainingDraft, TrainingFilter},
};

/// `Training`
pub struct TrainingNode {
    training: Arc<Training>,
    /// About whom `userData` is.
    user: Option<uuid::Uuid>,
}

#[Object(name = "Training")]
impl TrainingNode {
    async fn id(&self) -> Uuid {
        Uuid(self.training.id)
    }

    async fn title(&self) -> &str {
        &self.training.title
    }

    async fn subtitle(&self) -> Option<&str> {
        self.training.subtitle.as_deref()
    }

    async fn introduction(&self) -> Option<&str> {
        self.training.introduction.as_deref()
    }

    #[graphql(name = "ref")]
    async fn reference(&self) -> Option<&str> {
        Some(&self.training.reference)
    }

    async fn is_active(&self) -> bool {
        self.training.is_active
    }

    async fn archived(&self) -> bool {
        self.training.archived
    }

    async fn overview_image(&self) -> Option<File> {
        None
    }

    async fn start_date(&self) -> Option<Date> {
        self.training.start_date.map(Date)
    }

    async fn end_date(&self) -> Option<Date> {
        self.training.end_date.map(Date)
    }

    async fn estimated_time_spent(&self) -> Option<&str> {
        None
    }

    async fn show_participants(&self) -> Option<bool> {
        Some(self.training.show_participants)
    }

    async fn show_shared_files(&self) -> Option<bool> {
        Some(self.training.show_shared_files)
    }

    async fn enable_chat(&self) -> Option<bool> {
        Some(self.training.enable_chat)
    }

    async fn participants(
        &self,
        ctx: &Context<'_>,
        first: Option<i32>,
        after: Option<String>,
        last: Option<i32>,
        before: Option<String>,
    ) -> Result<Connection<TrainingUserEdge>> {
        self.people(
            ctx,
            SeatRole::TrainingParticipant,
            &PageArguments {
                first,
                after,
                offset: None,
                last,
                before,
            },
        )
    }

    async fn trainers(
        &self,
        ctx: &Context<'_>,
        first: Option<i32>,
        after: Option<String>,
        last: Option<i32>,
        before: Option<String>,
    ) -> Result<Connection<TrainingUserEdge>> {
        self.people(
            ctx,
            SeatRole::TrainingTrainer,
            &PageArguments {
                first,
                after,
                offset: None,
                last,
                before,
            },
        )
    }

    /// The sandbox has no contents.
    async fn modules(&self) -> Vec<Module> {
        Vec::new()
    }

    #[graphql(deprecation = "old pages; use participants")]
    async fn users(&self, ctx: &Context<'_>) -> Option<Vec<UserNode>> {
        let everybody = look(ctx, |store, _| {
            let order = store.attendees(self.training.id, SeatRole::TrainingParticipant);
            store.users_at(order, 0, order.len())
        });
        Some(everybody.into_iter().map(UserNode).collect())
    }

    #[graphql(deprecation = "notion page")]
    async fn groups(&self, ctx: &Context<'_>) -> Option<Vec<GroupNode>> {
        Some(
            look(ctx, |store, _| store.groups_of_training(self.training.id))
                .into_iter()
                .map(GroupNode)
                .collect(),
        )
    }

    #[graphql(deprecation = "notion page; use overviewImage")]
    async fn image(&self) -> Option<File> {
        None
    }

    /// Nothing but with `paginatedTrainings(userId:)`.
    async fn user_data(&self, ctx: &Context<'_>) -> Option<TrainingUserData> {
        let user = self.user?;
        let found = look(ctx, |store, _| store.portfolios().progress(self.training.id, user));
        Some(TrainingUserData {
            progress: Some(found.done),
        })
    }

    async fn portfolio_item(&self) -> Option<PortfolioItemListItem> {
        None
    }

    /// A client of the API is no user: this and the next three are about the current one.
    #[graphql(deprecation = "notion page")]
    async fn roles_for_current_user(&self) -> Option<Vec<TrainingRole>> {
        None
    }

    #[graphql(deprecation = "notion page")]
    async fn all_conditions_fulfilled(&self) -> Option<bool> {
        None
    }

    #[graphql(deprecation = "notion page")]
    async fn next_event(&self) -> Option<DateTime> {
        None
    }

    #[graphql(deprecation = "notion page")]
    async fn progress(&self) -> Option<f64> {
        None
    }

    /// The sandbox has no conditions.
    #[graphql(deprecation = "notion page")]
    async fn conditions(&self) -> Option<Vec<Condition>> {
        Some(Vec::new())
    }
}

impl TrainingNode {
    /// A training, as it is to nobody in particular.
    pub fn of(training: Arc<Training>) -> Self {
        Self { training, user: None }
    }

    fn people(&self, ctx: &Context<'_>, role: SeatRole, page: &PageArguments) -> Result<Connection<TrainingUserEdge>> {
        try_look(ctx, |store, settings| {
            let people = store.attendees(self.training.id, role);
            let window = page.window(people.len(), settings)?;
            let rows = store.users_at(people, window.start, window.len);
            Ok(Connection::new(people.len(), window, rows.into_iter().map(UserNode)))
        })
    }
}

#[derive(SimpleObject)]
struct TrainingUserData {
    progress: Option<f64>,
}

/// What a training puts into portfolios; nothing in the sandbox.
#[derive(SimpleObject)]
struct PortfolioItemListItem {
    id: ID,
    title: Option<String>,
}

#[derive(SimpleObject)]
struct Condition {
    #[graphql(name = "type")]
    kind: Option<String>,
    date: Option<DateTime>,
}

/// A part of a training's contents.
#[derive(SimpleObject)]
struct Module {
    id: Uuid,
    title: Option<String>,
}

/// A training in a list.
#[derive(SimpleObject)]
pub struct TrainingListItem {
    id: Uuid,
    title: String,
    #[graphql(name = "ref")]
    reference: Option<String>,
    is_active: Option<bool>,
    archived: Option<bool>,
}

impl From<&Training> for TrainingListItem {
    fn from(training: &Training) -> Self {
        Self {
            id: Uuid(training.id),
            title: training.title.to_string(),
            reference: Some(training.reference.to_string()),
            is_active: Some(training.is_active),
            archived: Some(training.archived),
        }
    }
}

/// Training queries.
#[derive(Default)]
pub struct TrainingQuery;

#[Object]
impl TrainingQuery {
    async fn training(
        &self,
        ctx: &Context<'_>,
        id: Option<Uuid>,
        #[graphql(name = "ref")] reference: Option<String>,
    ) -> Result<Option<TrainingNode>> {
        require(ctx, Scope::TrainingsRead)?;
        try_look(ctx, |store, _| {
            let selector = Selector::exactly_one(id.map(|id| id.0), reference)?;
            Ok(store.trainings().find(&selector).cloned().map(TrainingNode::of))
        })
    }

    #[allow(clippy::too_many_arguments, reason = "the documented arguments")]
    async fn paginated_trainings(
        &self,
        ctx: &Context<'_>,
        q: Option<String>,
        active: Option<bool>,
        archived: Option<bool>,
        user_id: Option<Uuid>,
        training_user_roles: Option<Vec<TrainingRole>>,
        first: Option<i32>,
        after: Option<String>,
        offset: Option<i32>,
    ) -> Result<Option<Connection<Edge<TrainingNode>>>> {
        require(ctx, Scope::TrainingsRead)?;
        let roles = training_user_roles.map(|roles| roles.into_iter().map(SeatRole::from).collect());
        let filter = TrainingFilter {
            q,
            active,
            archived,
            user: user_id.map(|id| id.0),
            roles,
        };
        let page = PageArguments {
            first,
            after,
            offset,
            ..PageArguments::default()
        };
        try_look(ctx, |store, settings| {
            let trainings = store.find_trainings(&filter);
            let window = page.window(trainings.len(), settings)?;
            let total = trainings.len();
            let rows = trainings
                .into_iter()
                .skip(window.start)
                .take(window.len)
                .map(|training| TrainingNode {
                    training,
                    user: filter.user,
                });
            Ok(Some(Connection::new(total, window, rows)))
        })
    }

    #[graphql(deprecation = "use paginatedTrainings")]
    async fn trainings(&self, ctx: &Context<'_>, query: Option<String>) -> Result<Option<Vec<TrainingListItem>>> {
        require(ctx, Scope::TrainingsRead)?;
        let filter = TrainingFilter {
            q: query,
            ..TrainingFilter::default()
        };
        let trainings = look(ctx, |store, _| store.find_trainings(&filter));
        Ok(Some(
            trainings
                .iter()
                .map(|training| TrainingListItem::from(&**training))
                .collect(),
        ))
    }
}

#[derive(InputObject)]
struct CreateTrainingInput {
    title: String,
    #[graphql(name = "ref")]
    reference: Option<String>,
    is_active: Option<bool>,
    archived: Option<bool>,
    subtitle: Option<String>,
    introduction: Option<String>,
    start_date: Option<DateTime>,
    end_date: Option<DateTime>,
    show_participants: Option<bool>,
    show_shared_files: Option<bool>,
    enable_chat: Option<bool>,
}

#[derive(InputObject)]
struct UpdateTrainingInput {
    title: Option<String>,
    #[graphql(name = "ref")]
    reference: Option<String>,
    is_active: Option<bool>,
    archived: Option<bool>,
    subtitle: Option<String>,
    introduction: Option<String>,
    start_date: Option<DateTime>,
    end_date: Option<DateTime>,
    show_participants: Option<bool>,
    show_shared_files: Option<bool>,
    enable_chat: Option<bool>,
}

impl From<CreateTrainingInput> for UpdateTrainingInput {
    fn from(input: CreateTrainingInput) -> Self {
        Self {
            title: Some(input.title),
            reference: input.reference,
            is_active: input.is_active,
            archived: input.archived,
            subtitle: input.subtitle,
            introduction: input.introduction,
            start_date: input.start_date,
            end_date: input.end_date,
            show_participants: input.show_participants,
            show_shared_files: input.show_shared_files,
            enable_chat: input.enable_chat,
        }
    }
}

impl From<UpdateTrainingInput> for TrainingDraft {
    fn from(input: UpdateTrainingInput) -> Self {
        // A moment comes in, a day goes out.
        let day = |moment: DateTime| moment.0.to_zoned(TimeZone::UTC).date();
        Self {
            reference: input.reference,
            title: input.title,
            subtitle: input.subtitle,
            introduction: input.introduction,
            is_active: input.is_active,
            archived: input.archived,
            start_date: input.start_date.map(day),
            end_date: input.end_date.map(day),
            show_participants: input.show_participants,
            show_shared_files: input.show_shared_files,
            enable_chat: input.enable_chat,
            ..Self::default()
        }
    }
}

#[derive(SimpleObject)]
struct CreateTraining {
    training: Option<TrainingNode>,
}

#[derive(SimpleObject)]
struct UpdateTraining {
    training: Option<TrainingNode>,
}

/// Training mutations.
#[derive(Default)]
pub struct TrainingMutation;

#[Object]
impl TrainingMutation {
    async fn create_training(
        &self,
        ctx: &Context<'_>,
        training: CreateTrainingInput,
    ) -> Result<Option<CreateTraining>> {
        let draft = UpdateTrainingInput::from(training).into();
        write(ctx, Scope::TrainingsWrite, |writing| {
            Ok(CreateTraining {
                training: Some(TrainingNode::of(writing.store.create_training(&draft)?)),
            })
        })
    }

    async fn update_training(
        &self,
        ctx: &Context<'_>,
        id: Option<Uuid>,
        #[graphql(name = "ref")] reference: Option<String>,
        training: UpdateTrainingInput,
    ) -> Result<Option<UpdateTraining>> {
        let draft = training.into();
        write(ctx, Scope::TrainingsWrite, |writing| {
            let selector = Selector::exactly_one(id.map(|id| id.0), reference)?;
            Ok(UpdateTraining {
                training: Some(TrainingNode::of(writing.store.update_training(&selector, &draft)?)),
            })
        })
    }
}
