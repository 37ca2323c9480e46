//! What Pluvo would say after calls that nobody has sent: a plan on top of a plan.
//!
//! A membership cannot be planned while its group does not exist. A prediction carries out the calls of one round in
//! memory, so that the next round plans as if Pluvo had acknowledged them. What is made up that way has ids that begin
//! with [`PREDICTED`].

use std::{
    cell::Cell,
    collections::{HashMap, HashSet},
    sync::Arc,
};

use jiff::Timestamp;

use crate::pluvo::{
    model::{
        Choice, CustomField, CustomFieldValue, FieldValue, Group, Id, LastLogin, Linked, OfferEvent, Standing,
        Training, User,
    },
    operation::Operation,
    request::{ContentType, FieldInput, GroupInput, MembershipChange, Mutation, PortfolioFilter, Selector, UserInput},
};

use super::{
    Action, Call, Observed,
    observed::{Key, Lookup, Outcome, Place, Presence, Unavailable, Unreadable},
    survey::{LoginFilter, Portfolio, Reading, Survey},
    value,
};

/// What the ids of objects begin with that do not exist yet: `new:user:EMP-001`, `new:group:all-employees`.
pub const PREDICTED: &str = "new:";

/// The effect of calls that were not sent.
#[derive(Debug, Default)]
pub struct Prediction {
    users: HashMap<Id, Arc<User>>,
    by_ref: HashMap<Arc<str>, Id>,
    by_email: HashMap<String, Id>,
    /// `None`: deleted.
    groups: HashMap<Id, Option<Arc<Group>>>,
    memberships: HashMap<Place, HashMap<Id, MembershipChange>>,
    acknowledged: HashSet<Arc<str>>,
}

/// An organization as it would be.
pub struct Predicted<'a, O> {
    prediction: &'a Prediction,
    observed: &'a O,
    met_unknown: Cell<bool>,
}

impl Prediction {
    /// What is observed, with the effect of the calls so far.
    pub fn over<'a, O: Observed>(&'a self, observed: &'a O) -> Predicted<'a, O> {
        Predicted {
            prediction: self,
            observed,
            met_unknown: Cell::new(false),
        }
    }

    /// Takes in the effect of a call, as if Pluvo had acknowledged it.
    pub fn carry_out(&mut self, call: &Call, observed: &impl Observed) {
        match &call.action {
            Action::Mutate(mutation) => self.mutate(mutation, observed),
            Action::Subjects {
                place, change, users, ..
            } => {
                let memberships = self.memberships.entry(place.clone()).or_default();
                memberships.extend(users.iter().map(|user| (user.id.clone(), *change)));
            }
        }
        self.acknowledged
            .extend(call.writes.iter().map(|write| write.fingerprint.clone()));
    }

    fn mutate(&mut self, mutation: &Mutation, observed: &impl Observed) {
        match mutation {
            Mutation::CreateUser { reference, user, .. } => {
                self.set_user(changed_user(new_user(reference), user));
            }
            Mutation::UpdateUser { id, user } => {
                if let Lookup::Found(known) = self.over(observed).user_by_id(id) {
                    self.set_user(changed_user((*known).clone(), user));
                }
            }
            Mutation::CreateGroup(group) => {
                let reference = group.reference.clone().unwrap_or_default();
                let created = changed_group(new_group(&reference), group);
                self.groups.insert(created.id.clone(), Some(Arc::new(created)));
            }
            Mutation::UpdateGroup { id, group } => {
                if let Lookup::Found(known) = self.over(observed).group_by_id(id) {
                    let changed = changed_group((*known).clone(), group);
                    self.groups.insert(id.clone(), Some(Arc::new(changed)));
                }
            }
            Mutation::DeleteGroup(id) => drop(self.groups.insert(id.clone(), None)),
            Mutation::SetCustomFields {
                content_type: ContentType::User,
                object,
                values,
            } => {
                let seen = self.over(observed);
                let user = match object {
                    Selector::Id(id) => seen.user_by_id(id),
                    Selector::Ref(reference) => seen.user_by_ref(reference),
                };
                if let Lookup::Found(user) = user {
                    let mut user = (*user).clone();
                    set_fields(
                        &mut user.extra_category_values,
                        values,
                        &fields(&seen, ContentType::User),
                    );
                    self.set_user(user);
                }
            }
            Mutation::SetCustomFields {
                content_type: ContentType::Group,
                object,
                values,
            } => {
                let seen = self.over(observed);
                let group = match object {
                    Selector::Id(id) => seen.group_by_id(id),
                    Selector::Ref(reference) => seen.group_by_ref(reference),
                };
                if let Lookup::Found(group) = group {
                    let mut group = (*group).clone();
                    set_fields(
                        &mut group.extra_category_values,
                        values,
                        &fields(&seen, ContentType::Group),
                    );
                    self.groups.insert(group.id.clone(), Some(Arc::new(group)));
                }
            }
            // Plans ask for these as `Action::Subjects`.
            Mutation::GroupMembers { .. }
            | Mutation::AddToTraining { .. }
            | Mutation::RemoveFromTraining { .. }
            | Mutation::Enroll { .. }
            | Mutation::Unenroll { .. } => {}
        }
    }

    fn set_user(&mut self, user: User) {
        if let Some(before) = self.users.remove(&user.id) {
            before
                .reference
                .iter()
                .for_each(|reference| drop(self.by_ref.remove(reference)));
            before
                .email
                .iter()
                .for_each(|email| drop(self.by_email.remove(&value::email(email))));
        }
        self.by_ref
            .extend(user.reference.clone().map(|reference| (reference, user.id.clone())));
        self.by_email.extend(
            user.email
                .as_deref()
                .map(|email| (value::email(email), user.id.clone())),
        );
        self.users.insert(user.id.clone(), Arc::new(user));
    }
}

impl<O: Observed> Predicted<'_, O> {
    /// Whether something was asked for that is not known, so that what was decided may change once it is.
    pub fn met_unknown(&self) -> bool {
        self.met_unknown.get()
    }

    fn note<T>(&self, answer: Lookup<T>) -> Lookup<T> {
        if matches!(answer, Lookup::Unknown) {
            self.met_unknown.set(true);
        }
        answer
    }

    /// The user that the calls made or changed; else the observed one, unless the calls took the key away from it.
    fn user(&self, predicted: Option<&Id>, observed: Lookup<Arc<User>>) -> Lookup<Arc<User>> {
        if let Some(user) = predicted.and_then(|id| self.prediction.users.get(id)) {
            return Lookup::Found(user.clone());
        }
        let answer = match observed {
            Lookup::Found(user) if self.prediction.users.contains_key(&user.id) => Lookup::Absent,
            other => other,
        };
        self.note(answer)
    }

    fn group(&self, is: impl Fn(&Group) -> bool, observed: Lookup<Arc<Group>>) -> Lookup<Arc<Group>> {
        if let Some(group) = self.prediction.groups.values().flatten().find(|group| is(group)) {
            return Lookup::Found(group.clone());
        }
        let answer = match observed {
            Lookup::Found(group) if self.prediction.groups.contains_key(&group.id) => Lookup::Absent,
            other => other,
        };
        self.note(answer)
    }

    fn membership(&self, place: &Place, user: &Id) -> Option<MembershipChange> {
        self.prediction.memberships.get(place)?.get(user).copied()
    }
}

impl<O: Observed> Observed for Predicted<'_, O> {
    fn user_by_id(&self, id: &Id) -> Lookup<Arc<User>> {
        if let Some(user) = self.prediction.users.get(id) {
            return Lookup::Found(user.clone());
        }
        self.note(self.observed.user_by_id(id))
    }

    fn user_by_ref(&self, reference: &str) -> Lookup<Arc<User>> {
        self.user(
            self.prediction.by_ref.get(reference),
            self.observed.user_by_ref(reference),
        )
    }

    fn user_by_email(&self, email: &str) -> Lookup<Arc<User>> {
        let predicted = self.prediction.by_email.get(&value::email(email));
        self.user(predicted, self.observed.user_by_email(email))
    }

    fn group_by_id(&self, id: &Id) -> Lookup<Arc<Group>> {
        match self.prediction.groups.get(id) {
            Some(Some(group)) => Lookup::Found(group.clone()),
            Some(None) => Lookup::Absent,
            None => self.note(self.observed.group_by_id(id)),
        }
    }

    fn group_by_ref(&self, reference: &str) -> Lookup<Arc<Group>> {
        self.group(
            |group| group.reference.as_deref() == Some(reference),
            self.observed.group_by_ref(reference),
        )
    }

    fn training_by_id(&self, id: &Id) -> Lookup<Arc<Training>> {
        self.note(self.observed.training_by_id(id))
    }

    fn training_by_ref(&self, reference: &str) -> Lookup<Arc<Training>> {
        self.note(self.observed.training_by_ref(reference))
    }

    fn offer_event_by_id(&self, id: &Id) -> Lookup<Arc<OfferEvent>> {
        self.note(self.observed.offer_event_by_id(id))
    }

    fn offer_event_by_ref(&self, reference: &str) -> Lookup<Arc<OfferEvent>> {
        self.note(self.observed.offer_event_by_ref(reference))
    }

    fn portfolio(&self, filter: &PortfolioFilter) -> Lookup<Arc<Reading<Portfolio>>> {
        self.note(self.observed.portfolio(filter))
    }

    fn last_logins(&self, filter: &LoginFilter) -> Lookup<Arc<Reading<Vec<LastLogin>>>> {
        self.note(self.observed.last_logins(filter))
    }

    fn ask_by(&self, survey: Survey, at: Option<Timestamp>) {
        self.observed.ask_by(survey, at);
    }

    fn standing(&self, event: &Id, user: &Id) -> Lookup<Standing> {
        if user.0.starts_with(PREDICTED) {
            return Lookup::Absent;
        }
        self.note(self.observed.standing(event, user))
    }

    fn presence(&self, place: &Place, user: &Id) -> Presence {
        match self.membership(place, user) {
            Some(MembershipChange::Add) => return Presence::Present,
            Some(MembershipChange::Remove) => return Presence::Absent,
            None => {}
        }
        let is_new = |id: &Id| id.0.starts_with(PREDICTED);
        let place_is_new = matches!(place, Place::Group(group, _) if is_new(group));
        if place_is_new || is_new(user) && !matches!(place, Place::Training(_)) {
            return Presence::Absent;
        }
        let presence = self.observed.presence(place, user);
        if presence == Presence::Unknown {
            self.met_unknown.set(true);
        }
        presence
    }

    fn everybody(&self, place: &Place) -> Lookup<Vec<Arc<User>>> {
        let is_new = matches!(place, Place::Group(group, _) if group.0.starts_with(PREDICTED));
        let observed = if is_new {
            Lookup::Found(Vec::new())
        } else {
            self.note(self.observed.everybody(place))
        };
        let Lookup::Found(observed) = observed else {
            return observed;
        };
        let there: HashSet<_> = observed.iter().map(|user| user.id.clone()).collect();
        let moved = self.prediction.memberships.get(place).into_iter().flatten();
        let joining = moved.filter(|(id, change)| **change == MembershipChange::Add && !there.contains(*id));
        let joining: Vec<_> = joining.filter_map(|(id, _)| self.user_by_id(id).found()).collect();
        let staying = observed
            .into_iter()
            .filter(|user| self.membership(place, &user.id) != Some(MembershipChange::Remove))
            .map(|user| self.prediction.users.get(&user.id).cloned().unwrap_or(user));
        Lookup::Found(staying.chain(joining).collect())
    }

    fn custom_fields(&self, of: ContentType) -> Lookup<Arc<Vec<CustomField>>> {
        self.note(self.observed.custom_fields(of))
    }

    fn near_matches(&self, key: &Key) -> Vec<String> {
        self.observed.near_matches(key)
    }

    fn outcome(&self, fingerprint: &str) -> Option<Outcome> {
        if self.prediction.acknowledged.contains(fingerprint) {
            Some(Outcome::Acknowledged)
        } else {
            self.observed.outcome(fingerprint)
        }
    }

    fn mail_is_unsent(&self, reference: &str) -> bool {
        self.observed.mail_is_unsent(reference)
    }

    fn mails_to_record(&self, call: &Call) -> Vec<String> {
        call.mails.clone()
    }

    fn is_held(&self, call: &Call) -> bool {
        self.observed.is_held(call)
    }

    fn unreadable(&self) -> Option<Unreadable> {
        self.observed.unreadable()
    }

    fn lacks(&self, operation: &Operation) -> Option<String> {
        self.observed.lacks(operation)
    }

    fn unavailable(&self) -> Option<Unavailable> {
        self.observed.unavailable()
    }
}

fn new_user(reference: &Arc<str>) -> User {
    User {
        id: Id(format!("{PREDICTED}user:{reference}").into()),
        reference: Some(reference.clone()),
        email: None,
        name: "".into(),
        archived: false,
        roles: Vec::new(),
        language: "".into(),
        participant_groups: Vec::new(),
        manager_groups: Vec::new(),
        extra_category_values: Vec::new(),
    }
}

fn changed_user(user: User, input: &UserInput) -> User {
    let UserInput {
        reference,
        email,
        name,
        roles,
        language,
        archived,
    } = input.clone();
    User {
        reference: reference.or(user.reference),
        email: email.or(user.email),
        name: name.unwrap_or(user.name),
        roles: roles.unwrap_or(user.roles),
        language: language.unwrap_or(user.language),
        archived: archived.unwrap_or(user.archived),
        ..user
    }
}

fn new_group(reference: &Arc<str>) -> Group {
    Group {
        id: Id(format!("{PREDICTED}group:{reference}").into()),
        reference: Some(reference.clone()),
        name: "".into(),
        max_users: 0,
        enable_chat: false,
        is_editable: true,
        extra_category_values: Vec::new(),
    }
}

fn changed_group(group: Group, input: &GroupInput) -> Group {
    let GroupInput {
        reference,
        name,
        max_users,
        enable_chat,
        is_editable,
    } = input.clone();
    Group {
        reference: reference.or(group.reference),
        name: name.unwrap_or(group.name),
        max_users: max_users.unwrap_or(group.max_users),
        enable_chat: enable_chat.unwrap_or(group.enable_chat),
        is_editable: is_editable.unwrap_or(group.is_editable),
        ..group
    }
}

fn fields(seen: &impl Observed, of: ContentType) -> Vec<CustomField> {
    seen.custom_fields(of)
        .found()
        .map(|fields| fields.to_vec())
        .unwrap_or_default()
}

/// Sets fields whose refs the catalogue shows. The others cannot be read back either; that they were acknowledged is
/// all that is known of them.
fn set_fields(
    held: &mut Vec<CustomFieldValue>,
    inputs: &std::collections::BTreeMap<Arc<str>, FieldInput>,
    catalogue: &[CustomField],
) {
    for (reference, input) in inputs {
        let Some(field) = catalogue
            .iter()
            .find(|field| field.reference.as_ref() == Some(reference))
        else {
            continue;
        };
        let choice = |text: &Arc<str>| {
            FieldValue::Choice(Choice {
                id: Id::from(""),
                string_value: text.clone(),
            })
        };
        let values = match input {
            FieldInput::Text(text) => vec![FieldValue::Text(text.clone())],
            FieldInput::DateTime(time) => vec![FieldValue::DateTime(time.clone())],
            FieldInput::Bool(flag) => vec![FieldValue::Bool(*flag)],
            FieldInput::Choices(choices) => choices.iter().map(choice).collect(),
        };
        held.retain(|value| value.category.id != field.id);
        held.extend(values.into_iter().map(|value| CustomFieldValue {
            category: Linked { id: field.id.clone() },
            value,
        }));
    }
}
