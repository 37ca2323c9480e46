//! Creating, changing and ending events of offers.

use async_graphql::{Context, InputObject, Object, Result, SimpleObject};

use super::{
    BulkAction,
    caller::write,
    events::{DateNode, EventNode},
    scalars::{DateTime, Decimal, Uuid},
};
use crate::{
    journal::MailKind,
    scope::Scope,
    store::{ContentType, DateDraft, EnrollmentStatus, EventDraft, EventType, Refusal, Selector},
};

#[derive(InputObject)]
struct OfferEventDateInput {
    start_date: DateTime,
    end_date: Option<DateTime>,
}

impl From<OfferEventDateInput> for DateDraft {
    fn from(input: OfferEventDateInput) -> Self {
        Self {
            start_date: input.start_date.0,
            end_date: input.end_date.map(|end| end.0),
        }
    }
}

#[derive(InputObject)]
struct UpdateOfferEventInput {
    title: Option<String>,
    #[graphql(name = "ref")]
    reference: Option<String>,
    #[graphql(name = "type")]
    event_type: Option<EventType>,
    dates: Option<Vec<OfferEventDateInput>>,
    max_subscriptions: Option<i32>,
    min_subscriptions: Option<i32>,
    waiting_list: Option<bool>,
    closing_date: Option<DateTime>,
    price: Option<Decimal>,
    cancelled: Option<bool>,
    publish: Option<bool>,
    trainers: Option<Vec<Uuid>>,
    access_trainings: Option<Vec<Uuid>>,
    access_courses: Option<Vec<Uuid>>,
    access_external_contents: Option<Vec<Uuid>>,
    access_scorms: Option<Vec<Uuid>>,
    access_videos: Option<Vec<Uuid>>,
    certificate_id: Option<Uuid>,
    score_threshold: Option<f64>,
    max_participants: Option<i32>,
}

/// The same, and what older clients say.
#[derive(InputObject)]
struct CreateOfferEventInput {
    #[graphql(flatten)]
    event: UpdateOfferEventInput,
    offer_id: Option<Uuid>,
    content_id: Option<Uuid>,
    content_type: Option<ContentType>,
}

impl From<UpdateOfferEventInput> for EventDraft {
    fn from(input: UpdateOfferEventInput) -> Self {
        let ids = |ids: Option<Vec<Uuid>>| ids.map(|ids| ids.into_iter().map(|id| id.0).collect());
        Self {
            reference: input.reference,
            title: input.title,
            kind: input.event_type,
            dates: input
                .dates
                .map(|dates| dates.into_iter().map(DateDraft::from).collect()),
            max_subscriptions: input.max_subscriptions.or(input.max_participants),
            min_subscriptions: input.min_subscriptions,
            waiting_list: input.waiting_list,
            closing_date: input.closing_date.map(|date| date.0),
            price: input.price.map(|price| price.0),
            cancelled: input.cancelled,
            publish: input.publish,
            trainers: ids(input.trainers),
            access_trainings: ids(input.access_trainings),
            access_courses: ids(input.access_courses),
            access_external_contents: ids(input.access_external_contents),
            access_scorms: ids(input.access_scorms),
            access_videos: ids(input.access_videos),
            certificate_id: input.certificate_id.map(|id| id.0),
            score_threshold: input.score_threshold,
            ..Self::default()
        }
    }
}

impl CreateOfferEventInput {
    /// The offer that the old form names in the input.
    fn offer(&self) -> Option<uuid::Uuid> {
        self.offer_id.map(|id| id.0)
    }

    fn draft(self) -> Result<EventDraft, Refusal> {
        let draft = EventDraft::from(self.event);
        match (self.content_type, self.content_id) {
            (None, None) => Ok(draft),
            (Some(content_type), Some(id)) => draft.with_content(content_type, id.0),
            _ => Err(Refusal::invalid("contentId and contentType come together.")),
        }
    }
}

#[derive(InputObject)]
struct CreateOfferEventDateInput {
    offer_event_id: Uuid,
    start: DateTime,
    end: Option<DateTime>,
}

#[derive(SimpleObject)]
struct CreateOfferEvent {
    offer_event: Option<EventNode>,
}

#[derive(SimpleObject)]
struct UpdateOfferEvent {
    offer_event: Option<EventNode>,
}

#[derive(SimpleObject)]
struct DeleteOfferEvent {
    ok: Option<bool>,
}

#[derive(SimpleObject)]
struct ArchiveOfferEventsPayload {
    response: Option<BulkAction>,
}

#[derive(SimpleObject)]
struct CreateOfferEventDatePayload {
    offer_event_date: Option<DateNode>,
}

/// Event mutations.
#[derive(Default)]
pub struct EventMutation;

#[Object]
impl EventMutation {
    async fn create_offer_event(
        &self,
        ctx: &Context<'_>,
        offer_id: Option<Uuid>,
        offer_ref: Option<String>,
        offer_event: CreateOfferEventInput,
    ) -> Result<Option<CreateOfferEvent>> {
        let offer = offer_id.map(|id| id.0).or(offer_event.offer());
        write(ctx, Scope::EventsWrite, |writing| {
            let offer = Selector::exactly_one(offer, offer_ref)?;
            let event = writing.store.create_event(&offer, &offer_event.draft()?)?;
            Ok(CreateOfferEvent {
                offer_event: Some(EventNode(event)),
            })
        })
    }

    async fn update_offer_event(
        &self,
        ctx: &Context<'_>,
        id: Option<Uuid>,
        #[graphql(name = "ref")] reference: Option<String>,
        offer_event: UpdateOfferEventInput,
        #[graphql(default_with = "Some(true)")] send_notification: Option<bool>,
    ) -> Result<Option<UpdateOfferEvent>> {
        let draft = EventDraft::from(offer_event);
        write(ctx, Scope::EventsWrite, |writing| {
            let selector = Selector::exactly_one(id.map(|id| id.0), reference)?;
            let event = writing.store.update_event(&selector, &draft)?;
            if send_notification.unwrap_or(true) {
                let mut told = writing.store.enrollments().of_event(event.id);
                told.retain(|enrollment| enrollment.status == EnrollmentStatus::Enrolled);
                writing.tell_enrolled(MailKind::EventChanged, &event, &told);
            }
            Ok(UpdateOfferEvent {
                offer_event: Some(EventNode(event)),
            })
        })
    }

    async fn delete_offer_event(&self, ctx: &Context<'_>, id: Uuid) -> Result<Option<DeleteOfferEvent>> {
        write(ctx, Scope::EventsWrite, |writing| {
            Ok(DeleteOfferEvent {
                ok: Some(writing.store.delete_event(id.0)),
            })
        })
    }

    async fn archive_offer_events(
        &self,
        ctx: &Context<'_>,
        archive: bool,
        ids: Vec<Uuid>,
    ) -> Result<Option<ArchiveOfferEventsPayload>> {
        write(ctx, Scope::EventsWrite, |writing| {
            let response = BulkAction::of(&ids, |id| writing.store.archive_event(id, archive, writing.now));
            Ok(ArchiveOfferEventsPayload {
                response: Some(response),
            })
        })
    }

    async fn create_offer_event_date(
        &self,
        ctx: &Context<'_>,
        offer_event_date: CreateOfferEventDateInput,
    ) -> Result<Option<CreateOfferEventDatePayload>> {
        let event = offer_event_date.offer_event_id.0;
        let draft = DateDraft {
            start_date: offer_event_date.start.0,
            end_date: offer_event_date.end.map(|end| end.0),
        };
        write(ctx, Scope::EventsWrite, |writing| {
            let date = writing.store.add_event_date(event, draft)?;
            Ok(CreateOfferEventDatePayload {
                offer_event_date: Some(DateNode { date, event }),
            })
        })
    }
}
