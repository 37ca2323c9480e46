//! An organization made of test data. Plans read it, and it carries out what they ask for.

use std::{
    cell::RefCell,
    collections::{BTreeMap, BTreeSet, HashMap, HashSet},
    sync::Arc,
};

use jiff::Timestamp;
use serde_json::{Value, json};

use crate::{
    plan::{
        Action, Call, Write,
        observed::{Key, Lookup, Outcome, Place, Unavailable, Unreadable},
        survey::{LoginFilter, Portfolio, Reading, Survey},
        value,
    },
    pluvo::{
        model::{
            CustomField, CustomFieldValue, EnumValue, FieldValue, Group, Id, LastLogin, Linked, OfferEvent,
            PortfolioRow, Standing, Training, User,
        },
        request::{
            FieldInput, GroupInput, GroupRole, Keys, MembershipChange, Mutation, PortfolioFilter, Selector, UserInput,
        },
    },
};

/// An organization at one moment, and what became of what was asked of it.
#[derive(Clone, Debug, Default)]
pub struct Pluvo {
    pub users: BTreeMap<Id, User>,
    pub groups: BTreeMap<Id, Group>,
    pub trainings: BTreeMap<Id, Training>,
    pub participants: BTreeMap<Id, BTreeSet<Id>>,
    pub offer_events: BTreeMap<Id, OfferEvent>,
    /// By event and user.
    pub enrollments: BTreeMap<(Id, Id), Standing>,
    pub catalogue: Vec<CustomField>,
    /// Rows of portfolios, each with what it is about.
    pub rows: Vec<(EnumValue, PortfolioRow)>,
    pub portfolios: HashMap<PortfolioFilter, Arc<Reading<Portfolio>>>,
    pub last_logins: HashMap<LoginFilter, Arc<Reading<Vec<LastLogin>>>>,
    /// What is to be read at intervals, and when.
    pub asked: RefCell<HashMap<Survey, Option<Timestamp>>>,
    /// Keys about which nothing is known.
    pub unknown: HashSet<Key>,
    /// Memberships that were acknowledged and are not shown: in or out.
    pub hidden: HashMap<(Place, Id), MembershipChange>,
    /// Whether memberships stay hidden until [`Pluvo::show`].
    pub slow: bool,
    /// Users whom no place takes in or lets go, by ref.
    pub unwanted: HashSet<String>,
    /// Users who are in a training through a group, by ref.
    pub linked: HashSet<String>,
    /// Values that a write of is refused, wherever they stand.
    pub refused: HashSet<String>,
    /// Values that are acknowledged and not kept.
    pub ignored: HashSet<String>,
    /// Why it does not tell what is unknown.
    pub unreadable: Option<Unreadable>,
    /// Root fields that the server lacks.
    pub lacking: HashSet<&'static str>,
    pub outcomes: HashMap<String, Outcome>,
    pub unsent_mails: HashSet<String>,
    pub unavailable: Option<Unavailable>,
    /// Refs of those who were told by mail, once per mail.
    pub outbox: Vec<String>,
    made: usize,
}

impl Pluvo {
    /// There is a user; `more` replaces what a plain user has. Returns the id.
    pub fn has_user(&mut self, reference: &str, more: Value) -> Id {
        let id = self.new_id("u");
        let mut user = json!({
            "id": id, "ref": reference, "email": format!("{}@example.com", reference.to_lowercase()),
            "name": reference, "roles": ["PARTICIPANT"], "language": "NL",
        });
        merge(&mut user, more);
        self.users.insert(id.clone(), serde_json::from_value(user).unwrap());
        id
    }

    /// There is a group; `more` replaces what a plain group has. Returns the id.
    pub fn has_group(&mut self, reference: &str, more: Value) -> Id {
        let id = self.new_id("g");
        let mut group = json!({
            "id": id, "ref": reference, "name": reference, "maxUsers": 0, "enableChat": false, "isEditable": true,
        });
        merge(&mut group, more);
        self.groups.insert(id.clone(), serde_json::from_value(group).unwrap());
        id
    }

    /// There is a training. Returns its id.
    pub fn has_training(&mut self, reference: &str) -> Id {
        let id = self.new_id("t");
        let training = json!({"id": id, "ref": reference, "title": reference});
        self.trainings
            .insert(id.clone(), serde_json::from_value(training).unwrap());
        id
    }

    /// There is an offer event; `more` replaces what a plain event has. Returns its id.
    pub fn has_offer_event(&mut self, reference: &str, more: Value) -> Id {
        let id = self.new_id("e");
        let mut event = json!({"id": id, "ref": reference, "spotsAvailable": null, "waitingList": false});
        merge(&mut event, more);
        self.offer_events
            .insert(id.clone(), serde_json::from_value(event).unwrap());
        id
    }

    /// There is a custom field for users and groups, with a ref that can be read.
    pub fn has_custom_field(&mut self, reference: &str) {
        let field = json!({"id": format!("field-{reference}"), "ref": reference, "title": reference});
        self.catalogue.push(serde_json::from_value(field).unwrap());
    }

    /// Somebody changes a user behind the operator's back.
    pub fn change_user(&mut self, reference: &str, change: impl FnOnce(&mut User)) {
        let user = self
            .users
            .values_mut()
            .find(|user| user.reference.as_deref() == Some(reference));
        change(user.unwrap());
        self.outcomes.clear();
    }

    /// Somebody changes a group behind the operator's back.
    pub fn change_group(&mut self, reference: &str, change: impl FnOnce(&mut Group)) {
        let group = self
            .groups
            .values_mut()
            .find(|group| group.reference.as_deref() == Some(reference));
        change(group.unwrap());
        self.outcomes.clear();
    }

    /// Somebody puts a user into a place, or takes one out.
    pub fn move_user(&mut self, place: &Place, reference: &str, into: bool) {
        let id = self.id_of(reference);
        self.set_membership(place, &id, into);
        self.outcomes.clear();
    }

    /// The id of the user with a ref.
    pub fn id_of(&self, reference: &str) -> Id {
        let user = self.by_ref(reference);
        user.unwrap_or_else(|| panic!("no user {reference}")).id.clone()
    }

    /// The user with a ref.
    pub fn by_ref(&self, reference: &str) -> Option<&User> {
        self.users
            .values()
            .find(|user| user.reference.as_deref() == Some(reference))
    }

    /// The refs of everybody in a place.
    pub fn members(&self, place: &Place) -> BTreeSet<String> {
        let users = self.users.values().filter(|user| self.is_in(place, &user.id));
        users
            .map(|user| user.reference.as_deref().unwrap_or(&user.id.0).to_owned())
            .collect()
    }

    /// Shows all memberships that were acknowledged.
    pub fn show(&mut self) {
        for ((place, user), change) in std::mem::take(&mut self.hidden) {
            self.set_membership(&place, &user, change == MembershipChange::Add);
        }
    }

    /// Carries out one call and notes what became of it, as the organization does.
    pub fn execute(&mut self, call: &Call) {
        match &call.action {
            Action::Mutate(mutation) => match self.mutate(mutation) {
                Ok(()) => call
                    .writes
                    .iter()
                    .for_each(|write| self.note(&write.fingerprint, Outcome::Acknowledged)),
                Err(message) => self.note(&Write::of_all(&call.writes), Outcome::Refused(message)),
            },
            Action::Subjects {
                place, change, users, ..
            } => {
                for (user, write) in users.iter().zip(&call.writes) {
                    let outcome = self.change_membership(place, &user.id, *change);
                    self.note(&write.fingerprint, outcome);
                }
            }
        }
        self.outbox.extend(call.mails.iter().cloned());
    }

    fn note(&mut self, fingerprint: &str, outcome: Outcome) {
        self.outcomes.insert(fingerprint.to_owned(), outcome);
    }

    /// Brings a user into a place or takes them out of it.
    pub fn change_membership(&mut self, place: &Place, user: &Id, change: MembershipChange) -> Outcome {
        let reference = self.users.get(user).and_then(|user| user.reference.clone());
        let is_in = |set: &HashSet<String>| reference.as_deref().is_some_and(|reference| set.contains(reference));
        if is_in(&self.unwanted) {
            return Outcome::Refused("no reason".into());
        }
        if is_in(&self.linked) && change == MembershipChange::Remove {
            return Outcome::LinkedViaObject;
        }
        if self.slow {
            self.hidden.insert((place.clone(), user.clone()), change);
        } else {
            self.set_membership(place, user, change == MembershipChange::Add);
        }
        Outcome::Acknowledged
    }

    fn set_membership(&mut self, place: &Place, user: &Id, into: bool) {
        match place {
            Place::Training(training) => {
                let users = self.participants.entry(training.clone()).or_default();
                users.remove(user);
                users.extend(into.then(|| user.clone()));
            }
            Place::OfferEvent(event) => self.set_enrollment(event, user, into),
            Place::Group(group, role) => {
                let user = self.users.get_mut(user).unwrap();
                let groups = match role {
                    GroupRole::Participant => &mut user.participant_groups,
                    GroupRole::Manager => &mut user.manager_groups,
                };
                groups.retain(|linked| linked.id != *group);
                groups.extend(into.then(|| Linked { id: group.clone() }));
            }
        }
    }

    /// An event that is full and has no waiting list passes over whoever comes too late.
    fn set_enrollment(&mut self, event: &Keys, user: &Id, into: bool) {
        let key = (event.id.clone(), user.clone());
        let event = self.offer_events.get_mut(&event.id).unwrap();
        if !into {
            let before = self.enrollments.remove(&key);
            let freed = before == Some(Standing::Enrolled);
            event.spots_available = event.spots_available.map(|spots| spots + i64::from(freed));
            return;
        }
        let standing = match event.spots_available {
            Some(0) if event.waiting_list => Standing::Waitlisted,
            Some(0) => return,
            _ => Standing::Enrolled,
        };
        let taken = standing == Standing::Enrolled;
        event.spots_available = event.spots_available.map(|spots| spots - i64::from(taken));
        self.enrollments.insert(key, standing);
    }

    pub(super) fn is_in(&self, place: &Place, user: &Id) -> bool {
        match place {
            Place::OfferEvent(event) => {
                let standing = self.enrollments.get(&(event.id.clone(), user.clone()));
                matches!(standing, Some(Standing::Enrolled | Standing::Waitlisted))
            }
            Place::Training(training) => self.participants.get(training).is_some_and(|all| all.contains(user)),
            Place::Group(group, role) => self.users.get(user).is_some_and(|user| {
                let groups = match role {
                    GroupRole::Participant => &user.participant_groups,
                    GroupRole::Manager => &user.manager_groups,
                };
                groups.iter().any(|linked| linked.id == *group)
            }),
        }
    }

    /// Carries out a mutation of one object.
    pub fn mutate(&mut self, mutation: &Mutation) -> Result<(), Arc<str>> {
        match mutation {
            Mutation::CreateUser { reference, user, .. } => {
                let known = self
                    .users
                    .values()
                    .find(|known| known.reference.as_ref() == Some(reference));
                let id = known.map(|known| known.id.clone());
                let id = if let Some(id) = id {
                    id
                } else {
                    self.check(user, None)?;
                    self.has_user(reference, json!({"email": null, "roles": []}))
                };
                self.update_user(&id, user)
            }
            Mutation::UpdateUser { id, user } => self.update_user(id, user),
            Mutation::CreateGroup(group) => {
                let id = self.has_group(group.reference.as_deref().unwrap(), json!({}));
                self.update_group(&id, group)
            }
            Mutation::UpdateGroup { id, group } => self.update_group(id, group),
            Mutation::DeleteGroup(id) => self.groups.remove(id).map(drop).ok_or_else(|| "no such group".into()),
            Mutation::SetCustomFields { object, values, .. } => self.set_fields(object, values),
            Mutation::GroupMembers { .. }
            | Mutation::AddToTraining { .. }
            | Mutation::RemoveFromTraining { .. }
            | Mutation::Enroll { .. }
            | Mutation::Unenroll { .. } => {
                panic!("plans ask for subjects, not for {mutation:?}")
            }
        }
    }

    /// Refs and addresses are unique.
    fn check(&self, input: &UserInput, id: Option<&Id>) -> Result<(), Arc<str>> {
        let refused = |text: &Option<Arc<str>>| text.as_deref().is_some_and(|text| self.refused.contains(text));
        let others = || self.users.values().filter(|user| Some(&user.id) != id);
        let same_email =
            |user: &User| input.email.is_some() && normalized(user.email.as_ref()) == normalized(input.email.as_ref());
        if others().any(same_email) {
            return Err("the address is taken".into());
        }
        if input.reference.is_some() && others().any(|user| user.reference == input.reference) {
            return Err("the ref is taken".into());
        }
        if [&input.email, &input.name, &input.reference].into_iter().any(refused) {
            return Err("a value is refused".into());
        }
        Ok(())
    }

    fn update_user(&mut self, id: &Id, input: &UserInput) -> Result<(), Arc<str>> {
        self.check(input, Some(id))?;
        let keep = |text: &Option<Arc<str>>| text.clone().filter(|text| !self.ignored.contains(&**text));
        let (reference, email, name) = (keep(&input.reference), keep(&input.email), keep(&input.name));
        let user = self.users.get_mut(id).ok_or("no such user")?;
        user.reference = reference.or(user.reference.take());
        user.email = email.or(user.email.take());
        user.name = name.unwrap_or_else(|| user.name.clone());
        user.roles = input.roles.clone().unwrap_or_else(|| user.roles.clone());
        user.language = input.language.clone().unwrap_or_else(|| user.language.clone());
        user.archived = input.archived.unwrap_or(user.archived);
        Ok(())
    }

    fn update_group(&mut self, id: &Id, input: &GroupInput) -> Result<(), Arc<str>> {
        if input.name.as_deref().is_some_and(|name| self.refused.contains(name)) {
            return Err("a value is refused".into());
        }
        let group = self.groups.get_mut(id).ok_or("no such group")?;
        group.reference = input.reference.clone().or(group.reference.take());
        group.name = input.name.clone().unwrap_or_else(|| group.name.clone());
        group.max_users = input.max_users.unwrap_or(group.max_users);
        group.enable_chat = input.enable_chat.unwrap_or(group.enable_chat);
        group.is_editable = input.is_editable.unwrap_or(group.is_editable);
        Ok(())
    }

    fn set_fields(&mut self, object: &Selector, values: &BTreeMap<Arc<str>, FieldInput>) -> Result<(), Arc<str>> {
        let is = |id: &Id, reference: &Option<Arc<str>>| match object {
            Selector::Id(wanted) => id == wanted,
            Selector::Ref(wanted) => reference.as_ref() == Some(wanted),
        };
        let user = self.users.values_mut().find(|user| is(&user.id, &user.reference));
        let group = self.groups.values_mut().find(|group| is(&group.id, &group.reference));
        let held = user
            .map(|user| &mut user.extra_category_values)
            .or(group.map(|group| &mut group.extra_category_values))
            .ok_or("no such object")?;
        for (field, input) in values {
            let category = Linked {
                id: Id::from(format!("field-{field}").as_str()),
            };
            held.retain(|value| value.category != category);
            held.extend(field_values(input).into_iter().map(|value| CustomFieldValue {
                category: category.clone(),
                value,
            }));
        }
        Ok(())
    }

    fn new_id(&mut self, prefix: &str) -> Id {
        self.made += 1;
        Id::from(format!("{prefix}{}", self.made).as_str())
    }

    pub(super) fn look<T: Clone>(&self, key: &Key, found: Option<&T>) -> Lookup<Arc<T>> {
        if self.unknown.contains(key) {
            return Lookup::Unknown;
        }
        found.map_or(Lookup::Absent, |value| Lookup::Found(Arc::new(value.clone())))
    }
}

pub(super) fn normalized(email: Option<&Arc<str>>) -> Option<String> {
    email.map(|email| &**email).map(value::email)
}

fn field_values(input: &FieldInput) -> Vec<FieldValue> {
    match input {
        FieldInput::Text(text) => vec![FieldValue::Text(text.clone())],
        FieldInput::DateTime(time) => vec![FieldValue::DateTime(time.clone())],
        FieldInput::Bool(flag) => vec![FieldValue::Bool(*flag)],
        FieldInput::Choices(choices) => choices.iter().map(|choice| choice_value(choice)).collect(),
    }
}

/// A chosen option.
pub fn choice_value(text: &str) -> FieldValue {
    FieldValue::Choice(crate::pluvo::model::Choice {
        id: Id::from(format!("option-{text}").as_str()),
        string_value: text.into(),
    })
}

/// Puts the members of one object into another.
pub fn merge(into: &mut Value, more: Value) {
    let (Value::Object(into), Value::Object(more)) = (into, more) else {
        panic!("both must be objects")
    };
    into.extend(more);
}
