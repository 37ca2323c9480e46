//! Events of offers: what users enroll in.

use std::{collections::BTreeMap, sync::Arc};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::{
    ContentType, EnrollmentStatus, Refusal, Selector, Store, or_kept, parse_id,
    table::{Entity, Table, check_title, derived},
};

/// What kind of event it is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, async_graphql::Enum)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
#[graphql(name = "OfferEventType")]
#[allow(missing_docs, reason = "the names say it")]
pub enum EventType {
    #[default]
    Meeting,
    Webinar,
    Training,
    #[graphql(name = "ELEARNING")]
    #[serde(rename = "ELEARNING")]
    ELearning,
    Course,
    Scorm,
    Video,
}

/// When an event takes place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs, reason = "the fields of the schema's OfferEventDate")]
pub struct EventDate {
    pub id: Uuid,
    pub start: Timestamp,
    pub end: Option<Timestamp>,
}

/// To what those who are enrolled have access. The sandbox knows the trainings, and remembers the others' ids.
#[derive(Clone, Debug, Default)]
#[allow(missing_docs, reason = "the fields of the schema's OfferEvent")]
pub struct Access {
    pub trainings: Vec<Uuid>,
    pub courses: Vec<Uuid>,
    pub external_contents: Vec<Uuid>,
    pub scorms: Vec<Uuid>,
    pub videos: Vec<Uuid>,
}

/// An event of an offer. Who is enrolled stands in the enrollments.
#[derive(Clone, Debug)]
#[allow(missing_docs, reason = "the fields of the schema's OfferEvent")]
pub struct Event {
    pub id: Uuid,
    pub reference: Arc<str>,
    pub offer: Uuid,
    pub title: Option<Arc<str>>,
    pub kind: EventType,
    pub dates: Vec<EventDate>,
    pub max_subscriptions: Option<u32>,
    pub min_subscriptions: Option<u32>,
    pub waiting_list: bool,
    pub closing_date: Option<Timestamp>,
    pub price: Option<Arc<str>>,
    pub cancelled: bool,
    pub publish: bool,
    pub trainers: Vec<Uuid>,
    pub access: Access,
    pub certificate_id: Option<Uuid>,
    pub score_threshold: Option<f64>,
    pub archived_at: Option<Timestamp>,
}

impl Event {
    /// What the event is about, as older clients ask for it: the first of what it gives access to.
    pub fn content(&self) -> Option<(ContentType, Uuid)> {
        let contents = [
            (ContentType::Training, &self.access.trainings),
            (ContentType::Course, &self.access.courses),
            (ContentType::Video, &self.access.videos),
        ];
        let mut firsts = contents.into_iter().filter_map(|(of, ids)| Some((of, *ids.first()?)));
        firsts.next()
    }
}

impl EventDraft {
    /// An event about one content, as older clients describe it.
    pub fn with_content(self, content_type: ContentType, id: Uuid) -> Result<Self, Refusal> {
        let (mut draft, only) = (self, Some(vec![id]));
        let kind = match content_type {
            ContentType::Training => {
                draft.access_trainings = only;
                EventType::Training
            }
            ContentType::Course => {
                draft.access_courses = only;
                EventType::Course
            }
            ContentType::Video => {
                draft.access_videos = only;
                EventType::Video
            }
            ContentType::User | ContentType::Group | ContentType::Offer => {
                return Err(Refusal::invalid("An event is about a training, a course or a video."));
            }
        };
        draft.kind = draft.kind.or(Some(kind));
        Ok(draft)
    }
}

impl Entity for Event {
    const KIND: &'static str = "event";
    fn id(&self) -> Uuid {
        self.id
    }
    fn reference(&self) -> &Arc<str> {
        &self.reference
    }
    fn name(&self) -> &str {
        self.title.as_deref().unwrap_or_default()
    }
}

/// When an event is to take place.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct DateDraft {
    /// From.
    pub start_date: Timestamp,
    /// To.
    pub end_date: Option<Timestamp>,
}

/// What a call or a seed sets on an event; what is left out stays as it is.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
#[allow(missing_docs, reason = "the fields of the schema's inputs")]
pub struct EventDraft {
    pub id: Option<String>,
    #[serde(rename = "ref")]
    pub reference: Option<String>,
    pub title: Option<String>,
    /// A meeting, where nothing is said.
    #[serde(rename = "type")]
    pub kind: Option<EventType>,
    /// They replace those that are there; one with the start of an old one keeps its id.
    pub dates: Option<Vec<DateDraft>>,
    pub max_subscriptions: Option<i32>,
    pub min_subscriptions: Option<i32>,
    pub waiting_list: Option<bool>,
    pub closing_date: Option<Timestamp>,
    pub price: Option<String>,
    pub cancelled: Option<bool>,
    pub publish: Option<bool>,
    #[serde(skip)]
    pub trainers: Option<Vec<Uuid>>,
    #[serde(skip)]
    pub access_trainings: Option<Vec<Uuid>>,
    #[serde(skip)]
    pub access_courses: Option<Vec<Uuid>>,
    #[serde(skip)]
    pub access_external_contents: Option<Vec<Uuid>>,
    #[serde(skip)]
    pub access_scorms: Option<Vec<Uuid>>,
    #[serde(skip)]
    pub access_videos: Option<Vec<Uuid>>,
    #[serde(skip)]
    pub certificate_id: Option<Uuid>,
    pub score_threshold: Option<f64>,
    /// Refs of the trainings that the enrolled have access to, for seeds and changes, as is all that follows.
    pub trainings: Option<Vec<String>>,
    /// Who is enrolled, and how, by the refs of the users; null takes somebody out.
    pub enrollments: BTreeMap<String, Option<EnrollmentStatus>>,
}

impl Store {
    /// The events of all offers.
    pub fn events(&self) -> &Table<Event> {
        &self.events
    }

    /// The events of an offer, by title.
    pub fn events_of(&self, offer: Uuid) -> impl Iterator<Item = &Arc<Event>> {
        self.events.in_order().filter(move |event| event.offer == offer)
    }

    /// Creates an event of an offer.
    pub fn create_event(&mut self, offer: &Selector, draft: &EventDraft) -> Result<Arc<Event>, Refusal> {
        let offer = self.offers.expect(offer)?.id;
        self.check_event(draft, None)?;
        let title = draft.title.as_deref().unwrap_or_default();
        let reference = draft
            .reference
            .clone()
            .unwrap_or_else(|| self.events.generated_ref(title));
        let id = self.events.new_id(parse_id(draft.id.as_deref())?, &reference)?;
        let new = Event {
            id,
            reference: reference.into(),
            offer,
            title: None,
            kind: EventType::default(),
            dates: Vec::new(),
            max_subscriptions: None,
            min_subscriptions: None,
            waiting_list: false,
            closing_date: None,
            price: None,
            cancelled: false,
            publish: true,
            trainers: Vec::new(),
            access: Access::default(),
            certificate_id: None,
            score_threshold: None,
            archived_at: None,
        };
        self.put_event(new, draft)
    }

    /// Changes an event.
    pub fn update_event(&mut self, selector: &Selector, draft: &EventDraft) -> Result<Arc<Event>, Refusal> {
        let old = self.events.expect(selector)?.clone();
        self.check_event(draft, Some(old.id))?;
        self.put_event((*old).clone(), draft)
    }

    /// Deletes an event with its enrollments; false if there is none.
    pub fn delete_event(&mut self, id: Uuid) -> bool {
        let deleted = self.events.remove(id).is_some();
        if deleted {
            self.links.forget(&self.users, id);
            self.enrollments.forget_event(id);
        }
        deleted
    }

    /// Archives an event, or brings it back; false if there is none.
    pub fn archive_event(&mut self, id: Uuid, archived: bool, now: Timestamp) -> bool {
        let Some(old) = self.events.get(id).cloned() else {
            return false;
        };
        self.events.put(Event {
            archived_at: archived.then(|| old.archived_at.unwrap_or(now)),
            ..(*old).clone()
        });
        true
    }

    /// Adds a date to an event.
    pub fn add_event_date(&mut self, event: Uuid, date: DateDraft) -> Result<EventDate, Refusal> {
        let old = self.events.expect(&Selector::Id(event))?.clone();
        let mut new = (*old).clone();
        let date = event_date(event, &new.dates, &new.dates, date);
        new.dates.push(date);
        self.events.put(new);
        Ok(date)
    }

    fn check_event(&self, draft: &EventDraft, id: Option<Uuid>) -> Result<(), Refusal> {
        check_title(draft.title.as_deref())?;
        self.events.check_ref(draft.reference.as_deref(), id)?;
        for user in draft.trainers.iter().flatten() {
            self.users.expect(&Selector::Id(*user))?;
        }
        for training in draft.access_trainings.iter().flatten() {
            self.trainings.expect(&Selector::Id(*training))?;
        }
        if draft.price.as_deref().is_some_and(|price| !is_decimal(price)) {
            return Err(Refusal::invalid("A price is a number with a point, as a text."));
        }
        Ok(())
    }

    fn put_event(&mut self, event: Event, draft: &EventDraft) -> Result<Arc<Event>, Refusal> {
        let before = event.access.trainings.clone();
        let event = self.events.put(with_draft(event, draft)?);
        for (trainings, linked) in [(&before, false), (&event.access.trainings, true)] {
            for training in trainings {
                self.links.link(&self.users, event.id, *training, linked);
            }
        }
        Ok(event)
    }
}

fn with_draft(event: Event, draft: &EventDraft) -> Result<Event, Refusal> {
    let count = |number: Option<i32>, kept: Option<u32>| match number {
        Some(number) => u32::try_from(number)
            .map(Some)
            .map_err(|_| Refusal::invalid("A number of subscriptions is 0 or more.")),
        None => Ok(kept),
    };
    let ids = |new: &Option<Vec<Uuid>>, kept: Vec<Uuid>| new.clone().unwrap_or(kept);
    Ok(Event {
        id: event.id,
        offer: event.offer,
        reference: or_kept(draft.reference.as_deref(), &event.reference),
        title: draft.title.as_deref().map(Arc::from).or(event.title),
        kind: draft.kind.unwrap_or(event.kind),
        dates: draft.dates.as_ref().map_or_else(
            || event.dates.clone(),
            |drafts| event_dates(event.id, &event.dates, drafts),
        ),
        max_subscriptions: count(draft.max_subscriptions, event.max_subscriptions)?,
        min_subscriptions: count(draft.min_subscriptions, event.min_subscriptions)?,
        waiting_list: draft.waiting_list.unwrap_or(event.waiting_list),
        closing_date: draft.closing_date.or(event.closing_date),
        price: draft.price.as_deref().map(Arc::from).or(event.price),
        cancelled: draft.cancelled.unwrap_or(event.cancelled),
        publish: draft.publish.unwrap_or(event.publish),
        trainers: ids(&draft.trainers, event.trainers),
        access: Access {
            trainings: ids(&draft.access_trainings, event.access.trainings),
            courses: ids(&draft.access_courses, event.access.courses),
            external_contents: ids(&draft.access_external_contents, event.access.external_contents),
            scorms: ids(&draft.access_scorms, event.access.scorms),
            videos: ids(&draft.access_videos, event.access.videos),
        },
        certificate_id: draft.certificate_id.or(event.certificate_id),
        score_threshold: draft.score_threshold.or(event.score_threshold),
        archived_at: event.archived_at,
    })
}

fn event_dates(event: Uuid, old: &[EventDate], drafts: &[DateDraft]) -> Vec<EventDate> {
    let mut dates = Vec::with_capacity(drafts.len());
    for draft in drafts {
        dates.push(event_date(event, old, &dates, *draft));
    }
    dates
}

/// A date with the id of the one in `old` that it replaces, or a new one that none in `taken` has.
fn event_date(event: Uuid, old: &[EventDate], taken: &[EventDate], draft: DateDraft) -> EventDate {
    let is_taken = |id: &Uuid| taken.iter().any(|date| date.id == *id);
    let kept = old.iter().find(|date| date.start == draft.start_date);
    let id = kept.map(|date| date.id).filter(|id| !is_taken(id));
    EventDate {
        id: id.unwrap_or_else(|| derived("event date", "id", &format!("{event} {}", draft.start_date), is_taken)),
        start: draft.start_date,
        end: draft.end_date,
    }
}

fn is_decimal(text: &str) -> bool {
    text.parse::<f64>().is_ok_and(f64::is_finite) && !text.contains(['e', 'E'])
}
