//! Everything that exists, as JSON that is easy to compare: by ref, in a stable order, without generated ids.
//!
//! Memberships are those that were accepted, whether or not they can be read yet.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    sync::Arc,
};

use jiff::civil::Date;
use serde::Serialize;
use serde_json::Value as Json;
use uuid::Uuid;

use super::{
    Certificate, ContentType, EnrollmentStatus, Event, EventDate, EventType, FieldType, Language, Offer, PortfolioItem,
    Progress, Role, Store,
    custom_fields::CustomField,
    groups::Group,
    links::{Seat, SeatRole},
    table::{Entity, Table},
    trainings::Training,
    users::User,
};
use crate::clock::format_moment;

/// Everything that exists, by ref.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub struct State<'a> {
    users: BTreeMap<&'a str, UserState<'a>>,
    groups: BTreeMap<&'a str, GroupState<'a>>,
    trainings: BTreeMap<&'a str, TrainingState<'a>>,
    offers: BTreeMap<&'a str, OfferState<'a>>,
    certificates: BTreeMap<&'a str, CertificateState<'a>>,
    custom_fields: BTreeMap<&'a str, FieldState<'a>>,
}

type Refs<'a> = BTreeSet<&'a str>;
type Plain = BTreeMap<String, Json>;

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct UserState<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    id: Option<String>,
    #[serde(rename = "ref")]
    reference: &'a str,
    email: Option<&'a str>,
    name: &'a str,
    archived: bool,
    roles: &'a [Role],
    language: Language,
    last_login: Option<String>,
    portfolio: Vec<ItemState<'a>>,
    groups: Refs<'a>,
    manager_of: Refs<'a>,
    custom_fields: Plain,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct GroupState<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    id: Option<String>,
    #[serde(rename = "ref")]
    reference: &'a str,
    name: &'a str,
    max_users: u32,
    enable_chat: bool,
    is_editable: bool,
    users: Refs<'a>,
    managers: Refs<'a>,
    trainings: Refs<'a>,
    custom_fields: Plain,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct TrainingState<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    id: Option<String>,
    #[serde(rename = "ref")]
    reference: &'a str,
    title: &'a str,
    subtitle: Option<&'a str>,
    introduction: Option<&'a str>,
    is_active: bool,
    archived: bool,
    start_date: Option<Date>,
    end_date: Option<Date>,
    participants: Refs<'a>,
    trainers: Refs<'a>,
    mentors: Refs<'a>,
    groups: Refs<'a>,
    progress: BTreeMap<&'a str, &'a Progress>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct ItemState<'a> {
    title: &'a str,
    start_date: String,
    end_date: Option<String>,
    certificate: Option<&'a str>,
    training: Option<&'a str>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct CertificateState<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    id: Option<String>,
    #[serde(rename = "ref")]
    reference: &'a str,
    name: &'a str,
    title: Option<&'a str>,
    valid_days: Option<u32>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct OfferState<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    id: Option<String>,
    #[serde(rename = "ref")]
    reference: &'a str,
    title: &'a str,
    description: Option<&'a str>,
    is_active: bool,
    archived: bool,
    events: BTreeMap<&'a str, EventState<'a>>,
    custom_fields: Plain,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
#[allow(clippy::struct_excessive_bools, reason = "the fields of the schema's OfferEvent")]
struct EventState<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    id: Option<String>,
    #[serde(rename = "ref")]
    reference: &'a str,
    title: Option<&'a str>,
    r#type: EventType,
    dates: Vec<[Option<String>; 2]>,
    max_subscriptions: Option<u32>,
    min_subscriptions: Option<u32>,
    waiting_list: bool,
    closing_date: Option<String>,
    price: Option<&'a str>,
    cancelled: bool,
    publish: bool,
    archived: bool,
    trainers: Refs<'a>,
    trainings: Refs<'a>,
    enrollments: BTreeMap<&'a str, EnrollmentStatus>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct FieldState<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    id: Option<String>,
    #[serde(rename = "ref")]
    reference: &'a str,
    title: &'a str,
    r#type: FieldType,
    r#for: &'a [ContentType],
    options: Vec<&'a str>,
    archived: bool,
}

impl Store {
    /// Everything that exists; `ids` puts the generated ids beside the refs.
    pub fn state(&self, ids: bool) -> State<'_> {
        let mut seats: HashMap<Uuid, BTreeSet<Seat>> = HashMap::new();
        for group in self.groups.in_order() {
            for role in [SeatRole::GroupParticipant, SeatRole::GroupManager] {
                let seat = Seat { role, target: group.id };
                self.links
                    .accepted(seat)
                    .for_each(|user| _ = seats.entry(user).or_default().insert(seat));
            }
        }
        let id_of = |id: Uuid| ids.then(|| id.to_string());
        State {
            users: by_ref(&self.users, |user| {
                self.user_state(user, id_of(user.id), seats.get(&user.id))
            }),
            groups: by_ref(&self.groups, |group| self.group_state(group, id_of(group.id))),
            trainings: by_ref(&self.trainings, |training| {
                self.training_state(training, id_of(training.id))
            }),
            offers: by_ref(&self.offers, |offer| self.offer_state(offer, ids)),
            certificates: by_ref(&self.certificates, |certificate| {
                certificate_state(certificate, id_of(certificate.id))
            }),
            custom_fields: by_ref(&self.fields, |field| field_state(field, id_of(field.id))),
        }
    }

    fn user_state<'a>(&'a self, user: &'a User, id: Option<String>, seats: Option<&BTreeSet<Seat>>) -> UserState<'a> {
        let groups = |role| {
            let targets = seats
                .into_iter()
                .flatten()
                .filter(move |seat| seat.role == role)
                .map(|seat| seat.target);
            refs(&self.groups, targets)
        };
        UserState {
            id,
            reference: &user.reference,
            email: user.email.as_deref(),
            name: &user.name,
            archived: user.archived(),
            roles: &user.roles,
            language: user.language,
            last_login: user.last_login.map(format_moment),
            portfolio: self
                .portfolios
                .of(Some(user.id))
                .into_iter()
                .map(|item| self.item_state(item))
                .collect(),
            groups: groups(SeatRole::GroupParticipant),
            manager_of: groups(SeatRole::GroupManager),
            custom_fields: self.plain_values(user.id),
        }
    }

    fn group_state<'a>(&'a self, group: &'a Group, id: Option<String>) -> GroupState<'a> {
        let members = |role| refs(&self.users, self.links.accepted(Seat { role, target: group.id }));
        GroupState {
            id,
            reference: &group.reference,
            name: &group.name,
            max_users: group.max_users,
            enable_chat: group.enable_chat,
            is_editable: group.is_editable,
            users: members(SeatRole::GroupParticipant),
            managers: members(SeatRole::GroupManager),
            trainings: refs(&self.trainings, self.links.trainings_through(group.id)),
            custom_fields: self.plain_values(group.id),
        }
    }

    fn training_state<'a>(&'a self, training: &'a Training, id: Option<String>) -> TrainingState<'a> {
        let direct = |role| {
            refs(
                &self.users,
                self.links.accepted(Seat {
                    role,
                    target: training.id,
                }),
            )
        };
        TrainingState {
            id,
            reference: &training.reference,
            title: &training.title,
            subtitle: training.subtitle.as_deref(),
            introduction: training.introduction.as_deref(),
            is_active: training.is_active,
            archived: training.archived,
            start_date: training.start_date,
            end_date: training.end_date,
            participants: direct(SeatRole::TrainingParticipant),
            trainers: direct(SeatRole::TrainingTrainer),
            mentors: direct(SeatRole::TrainingMentor),
            groups: refs(&self.groups, self.links.leading_to(training.id)),
            progress: self.progress_state(training.id),
        }
    }

    fn progress_state(&self, training: Uuid) -> BTreeMap<&str, &Progress> {
        let set = self.portfolios.progress_in(training);
        set.filter_map(|(user, progress)| Some((&*self.users.get(user)?.reference, progress)))
            .collect()
    }

    fn item_state<'a>(&'a self, item: &'a PortfolioItem) -> ItemState<'a> {
        let (certificate, training) = item.certificate.unzip();
        let reference = |training: Uuid| self.trainings.get(training).map(|found| &*found.reference);
        ItemState {
            title: &item.title,
            start_date: format_moment(item.start),
            end_date: item.end.map(format_moment),
            certificate: certificate
                .and_then(|id| self.certificates.get(id))
                .map(|found| &*found.reference),
            training: training.flatten().and_then(reference),
        }
    }
}

impl Store {
    fn offer_state<'a>(&'a self, offer: &'a Offer, ids: bool) -> OfferState<'a> {
        let events = self.events_of(offer.id);
        OfferState {
            id: ids.then(|| offer.id.to_string()),
            reference: &offer.reference,
            title: &offer.title,
            description: offer.description.as_deref(),
            is_active: offer.is_active,
            archived: offer.archived_at.is_some(),
            events: events
                .map(|event| (&*event.reference, self.event_state(event, ids)))
                .collect(),
            custom_fields: self.plain_values(offer.id),
        }
    }

    fn event_state<'a>(&'a self, event: &'a Event, ids: bool) -> EventState<'a> {
        let moment = |date: &EventDate| [Some(format_moment(date.start)), date.end.map(format_moment)];
        let enrollments = self.enrollments.of_event(event.id).into_iter();
        let enrollments = enrollments.filter_map(|enrollment| {
            let user = self.users.get(enrollment.user)?;
            Some((&*user.reference, enrollment.status))
        });
        EventState {
            id: ids.then(|| event.id.to_string()),
            reference: &event.reference,
            title: event.title.as_deref(),
            r#type: event.kind,
            dates: event.dates.iter().map(moment).collect(),
            max_subscriptions: event.max_subscriptions,
            min_subscriptions: event.min_subscriptions,
            waiting_list: event.waiting_list,
            closing_date: event.closing_date.map(format_moment),
            price: event.price.as_deref(),
            cancelled: event.cancelled,
            publish: event.publish,
            archived: event.archived_at.is_some(),
            trainers: refs(&self.users, event.trainers.iter().copied()),
            trainings: refs(&self.trainings, event.access.trainings.iter().copied()),
            enrollments: enrollments.collect(),
        }
    }
}

fn certificate_state(certificate: &Certificate, id: Option<String>) -> CertificateState<'_> {
    CertificateState {
        id,
        reference: &certificate.reference,
        name: &certificate.name,
        title: certificate.title.as_deref(),
        valid_days: certificate.valid_days,
    }
}

fn field_state(field: &CustomField, id: Option<String>) -> FieldState<'_> {
    FieldState {
        id,
        reference: &field.reference,
        title: &field.title,
        r#type: field.field_type,
        r#for: &field.content_types,
        options: field.options.iter().map(|option| &*option.text).collect(),
        archived: field.archived_at.is_some(),
    }
}

fn by_ref<'a, T: Entity, S>(table: &'a Table<T>, state: impl Fn(&'a T) -> S) -> BTreeMap<&'a str, S> {
    table
        .in_order()
        .map(|entity: &Arc<T>| (&**entity.reference(), state(entity)))
        .collect()
}

fn refs<T: Entity>(table: &Table<T>, ids: impl Iterator<Item = Uuid>) -> Refs<'_> {
    ids.filter_map(|id| table.get(id))
        .map(|entity| &**entity.reference())
        .collect()
}
