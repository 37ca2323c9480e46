//! Events of offers.

use std::sync::Arc;

use async_graphql::{Context, ID, Object, Result, SimpleObject};

use super::{
    caller::{look, require, try_look},
    scalars::{DateTime, Decimal, Uuid},
    trainings::TrainingNode,
    users::UserNode,
};
use crate::{
    scope::Scope,
    store::{ContentType, Event, EventDate, EventType, Selector},
};

/// `OfferEvent`
pub struct EventNode(pub Arc<Event>);

#[Object(name = "OfferEvent")]
impl EventNode {
    async fn id(&self) -> ID {
        self.0.id.into()
    }

    #[graphql(name = "ref")]
    async fn reference(&self) -> Option<&str> {
        Some(&self.0.reference)
    }

    async fn title(&self) -> Option<&str> {
        self.0.title.as_deref()
    }

    #[graphql(name = "type")]
    async fn event_type(&self) -> EventType {
        self.0.kind
    }

    async fn dates(&self) -> Option<Vec<DateNode>> {
        let node = |date: &EventDate| DateNode {
            date: *date,
            event: self.0.id,
        };
        Some(self.0.dates.iter().map(node).collect())
    }

    async fn max_subscriptions(&self) -> Option<u32> {
        self.0.max_subscriptions
    }

    async fn min_subscriptions(&self) -> Option<u32> {
        self.0.min_subscriptions
    }

    async fn enrolled_count(&self, ctx: &Context<'_>) -> Option<usize> {
        Some(look(ctx, |store, _| store.enrollments().enrolled(self.0.id)))
    }

    async fn spots_available(&self, ctx: &Context<'_>) -> Option<usize> {
        look(ctx, |store, _| store.spots(&self.0))
    }

    async fn waiting_list(&self) -> Option<bool> {
        Some(self.0.waiting_list)
    }

    async fn closing_date(&self) -> Option<DateTime> {
        self.0.closing_date.map(DateTime)
    }

    async fn price(&self) -> Option<Decimal> {
        self.0.price.as_deref().map(|price| Decimal(price.to_owned()))
    }

    async fn cancelled(&self) -> Option<bool> {
        Some(self.0.cancelled)
    }

    async fn publish(&self) -> Option<bool> {
        Some(self.0.publish)
    }

    async fn trainers(&self, ctx: &Context<'_>) -> Option<Vec<UserNode>> {
        let users = look(ctx, |store, _| {
            let known = self.0.trainers.iter().filter_map(|id| store.users().get(*id));
            known.cloned().collect::<Vec<_>>()
        });
        Some(users.into_iter().map(UserNode).collect())
    }

    async fn access_trainings(&self, ctx: &Context<'_>) -> Option<Vec<TrainingNode>> {
        let trainings = look(ctx, |store, _| {
            let known = self
                .0
                .access
                .trainings
                .iter()
                .filter_map(|id| store.trainings().get(*id));
            known.cloned().collect::<Vec<_>>()
        });
        Some(trainings.into_iter().map(TrainingNode::of).collect())
    }

    async fn access_courses(&self) -> Option<Vec<Course>> {
        Some(self.0.access.courses.iter().copied().map(Course::of).collect())
    }

    async fn access_external_contents(&self) -> Option<Vec<ExternalContent>> {
        let ids = self.0.access.external_contents.iter().copied();
        Some(ids.map(ExternalContent::of).collect())
    }

    async fn access_scorms(&self) -> Option<Vec<Scorm>> {
        Some(self.0.access.scorms.iter().copied().map(Scorm::of).collect())
    }

    async fn access_videos(&self) -> Option<Vec<Video>> {
        Some(self.0.access.videos.iter().copied().map(Video::of).collect())
    }

    async fn certificate_id(&self) -> Option<Uuid> {
        self.0.certificate_id.map(Uuid)
    }

    async fn score_threshold(&self) -> Option<f64> {
        self.0.score_threshold
    }

    #[graphql(deprecation = "old offerevent-date page")]
    async fn offer_id(&self) -> Option<ID> {
        Some(self.0.offer.into())
    }

    #[graphql(deprecation = "old offerevent-date page; use accessTrainings and its siblings")]
    async fn content_id(&self) -> Option<ID> {
        self.0.content().map(|(_, id)| id.into())
    }

    #[graphql(deprecation = "old offerevent-date page; use type")]
    async fn content_type(&self) -> Option<ContentType> {
        self.0.content().map(|(content_type, _)| content_type)
    }

    #[graphql(deprecation = "old offerevent-date page")]
    async fn content_title(&self, ctx: &Context<'_>) -> Option<String> {
        let (_, id) = self.0.content()?;
        look(ctx, |store, _| Some(store.trainings().get(id)?.title.to_string()))
    }

    #[graphql(deprecation = "old offerevent-date page")]
    async fn is_active(&self) -> Option<bool> {
        Some(self.0.archived_at.is_none())
    }

    #[graphql(deprecation = "old offerevent-date page; use maxSubscriptions")]
    async fn max_participants(&self) -> Option<u32> {
        self.0.max_subscriptions
    }
}

/// `OfferEventDate`
pub struct DateNode {
    /// The date.
    pub date: EventDate,
    /// The event that takes place then.
    pub event: uuid::Uuid,
}

#[Object(name = "OfferEventDate")]
impl DateNode {
    async fn id(&self) -> ID {
        self.date.id.into()
    }

    async fn start_date(&self) -> DateTime {
        DateTime(self.date.start)
    }

    async fn end_date(&self) -> Option<DateTime> {
        self.date.end.map(DateTime)
    }

    #[graphql(deprecation = "old offerevent-date page")]
    async fn offer_event_id(&self) -> Option<ID> {
        Some(self.event.into())
    }

    #[graphql(deprecation = "old offerevent-date page; use startDate")]
    async fn start(&self) -> Option<DateTime> {
        Some(DateTime(self.date.start))
    }

    #[graphql(deprecation = "old offerevent-date page; use endDate")]
    async fn end(&self) -> Option<DateTime> {
        self.date.end.map(DateTime)
    }
}

/// Declares a kind of content of which the sandbox knows the id alone.
macro_rules! content {
    ($($name:ident),*) => {
        $(
            #[doc = concat!("`", stringify!($name), "`, of which the sandbox knows the id alone.")]
            #[derive(SimpleObject)]
            pub struct $name {
                id: Uuid,
                title: Option<String>,
            }

            impl $name {
                fn of(id: uuid::Uuid) -> Self {
                    Self { id: Uuid(id), title: None }
                }
            }
        )*
    };
}
content!(Course, ExternalContent, Scorm, Video);

/// Event queries.
#[derive(Default)]
pub struct EventQuery;

#[Object]
impl EventQuery {
    async fn offer_event(
        &self,
        ctx: &Context<'_>,
        id: Option<Uuid>,
        #[graphql(name = "ref")] reference: Option<String>,
    ) -> Result<Option<EventNode>> {
        require(ctx, Scope::EventsRead)?;
        try_look(ctx, |store, _| {
            let selector = Selector::exactly_one(id.map(|id| id.0), reference)?;
            Ok(store.events().find(&selector).cloned().map(EventNode))
        })
    }
}
