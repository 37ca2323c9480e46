//! The bodies of webhooks, as documented ("Webhooks"). Where a page is cut off, or names an event without its body, the
//! fields are those of its neighbours.

use jiff::Timestamp;
use serde::Deserialize;
use serde_json::{Map, Value, json};
use uuid::Uuid;

use crate::{
    clock::format_moment,
    store::{
        Enrollment, EnrollmentChange, Event, Group, News, PortfolioItem, Refusal, Store, Touch, Training, User, day,
    },
};

/// A body that is to be delivered.
#[derive(Clone, Debug)]
pub struct Body {
    /// `USER_CREATED` and the like.
    pub event: String,
    /// What is sent.
    pub json: Value,
}

/// Something that no operation brings about and that a person asks to be told.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Announcement {
    /// Which event.
    event: Announced,
    /// The ref of the training that it is about.
    training: String,
    /// The ref of the user whom it is about.
    user: String,
}

/// Events about what the sandbox does not have: modules, courses and files.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
enum Announced {
    EventConditionsFulfilled,
    EventFileUploaded,
    CourseFinished,
}

/// The bodies that tell of something that happened.
pub fn bodies(news: &News, store: &Store, now: Timestamp) -> Vec<Body> {
    let sent = sent_date(now);
    match news {
        News::User(touch, user) => vec![body("USER", *touch, with(user_fields(user, store), &sent))],
        News::Group(touch, group) => vec![body("GROUP", *touch, with(group_fields(group), &sent))],
        News::Training(touch, training) => {
            vec![body("TRAINING", *touch, with(training_fields(training), &sent))]
        }
        News::Enrollment(change, enrollment) => {
            enrollment_body(*change, enrollment, store, &sent).into_iter().collect()
        }
        News::Portfolio(touch, item) => portfolio_bodies(*touch, item, store, &sent),
        News::Finished { training, user } => finished("TRAINING_FINISHED", *training, *user, store, &sent)
            .into_iter()
            .collect(),
    }
}

/// The body of something that a person asks to be told.
pub fn announced(announcement: &Announcement, store: &Store, now: Timestamp) -> Result<Body, Refusal> {
    let training = store.trainings().expect_ref(&announcement.training)?;
    let user = store.users().expect_ref(&announcement.user)?;
    let sent = sent_date(now);
    let module = |event: &str, more: Value| {
        let mut json = json!({
            "id": training.id, "ref": training.reference, "training": training_fields(training),
            "user": user_fields(user, store), "sentDate": sent,
        });
        merge(&mut json, more);
        named(event, json)
    };
    Ok(match announcement.event {
        Announced::EventConditionsFulfilled => module(
            "EVENT_CONDITIONS_FULFILLED",
            json!({"conditions": [{"type": "AbsoluteDateCondition", "date": sent}]}),
        ),
        Announced::EventFileUploaded => module(
            "EVENT_FILE_UPLOADED",
            json!({"conditions": [], "file": "https://files.example.com/assignment.pdf"}),
        ),
        Announced::CourseFinished => finished("COURSE_FINISHED", training.id, user.id, store, &sent)
            .ok_or_else(|| Refusal::not_found("This user"))?,
    })
}

/// As the page writes it: milliseconds, in UTC.
fn sent_date(now: Timestamp) -> String {
    now.strftime("%Y-%m-%dT%H:%M:%S%.3fZ").to_string()
}

fn body(kind: &str, touch: Touch, json: Value) -> Body {
    let what = match touch {
        Touch::Created => "CREATED",
        Touch::Updated => "UPDATED",
        Touch::Deleted => "DELETED",
    };
    named(&format!("{kind}_{what}"), json)
}

fn named(event: &str, mut json: Value) -> Body {
    json["event"] = event.into();
    Body {
        event: event.to_owned(),
        json,
    }
}

fn with(mut json: Value, sent: &str) -> Value {
    json["sentDate"] = sent.into();
    json
}

fn merge(into: &mut Value, more: Value) {
    if let (Value::Object(into), Value::Object(more)) = (into, more) {
        into.extend(more);
    }
}

/// `extraFields` has values by what people see.
fn user_fields(user: &User, store: &Store) -> Value {
    let values = store.values(user.id);
    let extra: Map<_, _> = values
        .map(|(field, value)| (field.title.to_string(), value.plain(field)))
        .collect();
    json!({
        "id": user.id, "ref": user.reference, "name": user.name, "email": user.email,
        "isActive": !user.archived(), "extraFields": extra,
    })
}

fn group_fields(group: &Group) -> Value {
    json!({"id": group.id, "ref": group.reference, "name": group.name, "enableChat": group.enable_chat})
}

fn training_fields(training: &Training) -> Value {
    json!({
        "id": training.id, "ref": training.reference, "title": training.title, "subtitle": training.subtitle,
        "introduction": training.introduction, "startDate": training.start_date,
        "endDate": training.end_date, "isActive": training.is_active,
    })
}

fn enrollment_body(change: EnrollmentChange, enrollment: &Enrollment, store: &Store, sent: &str) -> Option<Body> {
    let user = store.users().get(enrollment.user)?;
    let event = store.events().get(enrollment.event)?;
    let json = json!({
        "id": enrollment.id, "user": user_fields(user, store), "status": enrollment.status,
        "offer_event": event_fields(event), "sentDate": sent,
    });
    Some(named(
        match change {
            EnrollmentChange::Enrolled => "OFFER_EVENT_ENROLLED",
            EnrollmentChange::Status => "OFFER_EVENT_ENROLLMENT_STATUS_UPDATED",
            EnrollmentChange::Unenrolled => "OFFER_EVENT_UNENROLLED",
        },
        json,
    ))
}

/// Snake case, `kind` instead of `type`, and a price that is a text.
fn event_fields(event: &Event) -> Value {
    json!({
        "id": event.id, "ref": event.reference, "title": event.title,
        "price": event.price.as_deref().unwrap_or("0.00"), "max_subscriptions": event.max_subscriptions,
        "cancelled": event.cancelled, "kind": event.kind,
    })
}

fn portfolio_bodies(touch: Touch, item: &PortfolioItem, store: &Store, sent: &str) -> Vec<Body> {
    let Some(user) = store.users().get(item.user) else {
        return Vec::new();
    };
    let json = json!({
        "id": item.id, "title": item.title, "description": item.description, "startDate": format_moment(item.start),
        "endDate": item.end.map(format_moment), "files": item.files, "user": user_fields(user, store),
        "sentDate": sent,
    });
    let about_item = body("PORTFOLIO_ITEM", touch, json);
    let event = match (item.certificate, touch) {
        (Some(_), Touch::Created) => "EVENT_CERTIFICATE_ACHIEVED",
        (Some(_), Touch::Updated) => "EVENT_CERTIFICATE_STATUS_CHANGED",
        _ => return vec![about_item],
    };
    let training = item.certificate.and_then(|(_, training)| training);
    let training = training.and_then(|training| store.trainings().get(training));
    // Neither an id nor a date of sending: that is how the page has it.
    let certificate = json!({
        "user": {"id": user.id, "name": user.name, "ref": user.reference}, "title": item.title,
        "training": training.map(|training| json!({"id": training.id, "title": training.title})),
        "creationDate": day(item.start),
        "expiryDate": item.end.map(day),
    });
    vec![about_item, named(event, certificate)]
}

fn finished(event: &str, training: Uuid, user: Uuid, store: &Store, sent: &str) -> Option<Body> {
    let user = store.users().get(user)?;
    let mut json = training_fields(store.trainings().get(training)?);
    let progress = store.portfolios().progress(training, user.id);
    merge(
        &mut json,
        json!({"user": user_fields(user, store), "progress": progress.done, "score": progress.score, "sentDate": sent}),
    );
    Some(named(event, json))
}
