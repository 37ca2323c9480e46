//! Answers as Pluvo gives them, from an organization made of test data.

use serde_json::{Map, Value, json};

use crate::{
    organization::{
        batch::{Batch, Entry},
        state::{Answers, Inquiry},
    },
    plan::{
        observed::{Outcome, Place},
        testing::Pluvo,
    },
    pluvo::{
        model::{Id, Page},
        request::{
            ContentType, GroupRole, GroupSize, Keys, MembershipChange, Mutation, PageRequest, Query, QueryAnswer,
            Selector,
        },
        response::{GraphqlError, PathStep, Response},
    },
};

/// The answers to a document of questions.
pub fn answers(pluvo: &Pluvo, inquiry: &Inquiry) -> Answers {
    inquiry.queries().map(|query| Ok(answer(pluvo, query))).collect()
}

fn answer(pluvo: &Pluvo, query: &Query) -> QueryAnswer {
    match query {
        Query::Users { archived, page } => {
            let mut users: Vec<_> = pluvo.users.values().filter(|user| user.archived == *archived).collect();
            // As Pluvo sorts: by name. A rename moves a row to another page.
            users.sort_by(|one, other| (&one.name, &one.id).cmp(&(&other.name, &other.id)));
            QueryAnswer::Users(page_of(users.into_iter().cloned().collect(), page))
        }
        Query::Groups { page } => QueryAnswer::Groups(page_of(pluvo.groups.values().cloned().collect(), page)),
        Query::TrainingParticipants { training, page } => {
            let users = pluvo.participants.get(training).into_iter().flatten();
            QueryAnswer::Ids(page_of(users.cloned().collect(), page))
        }
        Query::CustomFields(ContentType::User | ContentType::Group) => {
            QueryAnswer::CustomFields(pluvo.catalogue.clone())
        }
        Query::User(Selector::Id(id)) => QueryAnswer::User(pluvo.users.get(id).cloned().map(Box::new)),
        Query::User(Selector::Ref(reference)) => QueryAnswer::User(pluvo.by_ref(reference).cloned().map(Box::new)),
        Query::UserByEmail(email) => {
            let mut users = pluvo.users.values();
            let found = users.find(|user| user.email.as_ref() == Some(email));
            QueryAnswer::User(found.cloned().map(Box::new))
        }
        Query::Group(Selector::Id(id)) => QueryAnswer::Group(pluvo.groups.get(id).cloned().map(Box::new)),
        Query::Group(Selector::Ref(reference)) => {
            let mut groups = pluvo.groups.values();
            let found = groups.find(|group| group.reference.as_ref() == Some(reference));
            QueryAnswer::Group(found.cloned().map(Box::new))
        }
        Query::Training(Selector::Id(id)) => QueryAnswer::Training(pluvo.trainings.get(id).cloned()),
        Query::Training(Selector::Ref(reference)) => {
            let mut trainings = pluvo.trainings.values();
            QueryAnswer::Training(
                trainings
                    .find(|known| known.reference.as_ref() == Some(reference))
                    .cloned(),
            )
        }
        Query::GroupSize(group) => QueryAnswer::GroupSize(Some(GroupSize {
            users: Some(count(pluvo, group, GroupRole::Participant)),
            managers: Some(count(pluvo, group, GroupRole::Manager)),
        })),
        Query::OfferEvent(id) => QueryAnswer::OfferEvent(pluvo.offer_events.get(id).cloned()),
        Query::OfferEvents => QueryAnswer::OfferEvents(pluvo.offer_events.values().cloned().collect()),
        Query::Enrollment { event, user } => {
            QueryAnswer::Enrollment(pluvo.enrollments.get(&(event.clone(), user.clone())).cloned())
        }
        Query::GroupMembers { group, page } => {
            let members = pluvo.members(&Place::Group(group.clone(), GroupRole::Participant));
            let users = members.iter().filter_map(|reference| pluvo.by_ref(reference).cloned());
            QueryAnswer::Users(page_of(users.collect(), page))
        }
        Query::Portfolio { filter, page, .. } => {
            let rows = pluvo.rows.iter().filter(|(of, _)| filter.types.contains(of));
            QueryAnswer::Portfolio(page_of(rows.map(|(_, row)| row.clone()).collect(), page))
        }
        Query::LastLogins { .. } | Query::Trainings { .. } => unreachable!("nobody asks {query:?} here"),
    }
}

fn count(pluvo: &Pluvo, group: &Id, role: GroupRole) -> u64 {
    pluvo.members(&Place::Group(group.clone(), role)).len() as u64
}

/// A page; its cursor is a position.
fn page_of<T>(rows: Vec<T>, page: &PageRequest) -> Page<T> {
    let start = page.after.as_deref().map_or(0, |after| after.parse().unwrap());
    let count = rows.len();
    let rows: Vec<_> = rows.into_iter().skip(start).take(50).collect();
    let end = start + rows.len();
    Page {
        nulls: 0,
        next: (end < count).then(|| end.to_string().into()),
        count: Some(count as u64),
        rows,
    }
}

/// Carries out a document of mutations, each on its own.
pub fn execute(pluvo: &mut Pluvo, batch: &Batch) -> Response {
    let mut response = Response {
        data: Some(Map::new()),
        errors: Vec::new(),
    };
    for (index, entry) in batch.entries.iter().enumerate() {
        let alias = format!("m{index}");
        let answer = carry_out(pluvo, entry);
        if answer.is_none() {
            response.errors.push(error(&[&alias]));
        }
        let data = response.data.as_mut().unwrap();
        data.insert(alias, answer.unwrap_or_default());
    }
    response
}

/// An error at a path.
pub fn error(path: &[&str]) -> GraphqlError {
    GraphqlError {
        message: "no".into(),
        code: Some("REFUSED".into()),
        path: path.iter().map(|step| PathStep::Field((*step).into())).collect(),
    }
}

/// Only those who have a place or wait for one are named.
fn enrollments(pluvo: &Pluvo, event: &Keys, users: &[Id], change: MembershipChange) -> Value {
    let standing = |user: &Id| {
        let standing = pluvo.enrollments.get(&(event.id.clone(), user.clone()))?;
        Some(json!({"user": {"id": user}, "status": standing}))
    };
    match change {
        MembershipChange::Add => users.iter().filter_map(standing).collect(),
        MembershipChange::Remove => json!({"success": true}),
    }
}

fn carry_out(pluvo: &mut Pluvo, entry: &Entry) -> Option<Value> {
    if let Some((place, change)) = entry.membership() {
        let done: Vec<_> = entry.users().into_iter().cloned().collect();
        let outcomes = done.iter().map(|user| pluvo.change_membership(&place, user, change));
        let accepted: Vec<_> = outcomes.map(|outcome| outcome == Outcome::Acknowledged).collect();
        let mut accepted = accepted.into_iter();
        let done: Vec<_> = done.into_iter().filter(|_| accepted.next().unwrap()).collect();
        if let Place::OfferEvent(event) = &place {
            return Some(enrollments(pluvo, event, &done, change));
        }
        return Some(match change {
            MembershipChange::Add => json!({"addedIds": done}),
            MembershipChange::Remove => json!({"removedIds": done}),
        });
    }
    pluvo.mutate(&entry.mutation).ok()?;
    Some(match &entry.mutation {
        Mutation::CreateUser { reference, .. } => json!({"user": pluvo.by_ref(reference).unwrap()}),
        Mutation::UpdateUser { id, .. } => json!({"user": pluvo.users[id]}),
        Mutation::UpdateGroup { id, .. } => json!({"group": pluvo.groups[id]}),
        other => unreachable!("no test asks for {other:?}"),
    })
}
