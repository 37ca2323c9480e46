//! One document of mutations: which calls of which resources travel in it, and as what.

use std::collections::{BTreeMap, BTreeSet, HashSet};

use crate::{
    plan::{
        Action, Call, ResourceKey,
        call::{membership_mutations, subjects_per_call},
        observed::{Key, Place},
    },
    pluvo::{
        model::Id,
        request::{Keys, MembershipChange, Mutation, Selector},
    },
};

/// What two calls may not write at the same time.
pub type Lock = Key;

/// The object or place that a call writes.
#[must_use]
pub fn lock_of(call: &Call) -> Lock {
    match &call.action {
        Action::Subjects { place, .. } => place.key(),
        Action::Mutate(mutation) => object_of(mutation),
    }
}

/// The object that a mutation writes.
pub(super) fn object_of(mutation: &Mutation) -> Key {
    match mutation {
        Mutation::CreateUser { reference, .. } => Key::UserRef(reference.clone()),
        Mutation::UpdateUser { id, .. } => Key::UserId(id.clone()),
        Mutation::SetCustomFields {
            content_type, object, ..
        } => match (content_type, object) {
            (crate::pluvo::request::ContentType::User, Selector::Id(id)) => Key::UserId(id.clone()),
            (crate::pluvo::request::ContentType::User, Selector::Ref(reference)) => Key::UserRef(reference.clone()),
            (crate::pluvo::request::ContentType::Group, Selector::Id(id)) => Key::GroupId(id.clone()),
            (crate::pluvo::request::ContentType::Group, Selector::Ref(reference)) => Key::GroupRef(reference.clone()),
        },
        Mutation::CreateGroup(group) => Key::GroupRef(group.reference.clone().unwrap_or_else(|| "".into())),
        Mutation::UpdateGroup { id, .. } | Mutation::DeleteGroup(id) => Key::GroupId(id.clone()),
        Mutation::GroupMembers { group, role, .. } => Key::Members(group.clone(), *role),
        Mutation::AddToTraining { training, .. } | Mutation::RemoveFromTraining { training, .. } => {
            Key::Participants(training.clone())
        }
        Mutation::Enroll { event, .. } | Mutation::Unenroll { event, .. } => Key::OfferEventId(event.id.clone()),
    }
}

/// A document of mutations that is about to leave, or under way.
#[derive(Clone, Debug)]
pub struct Batch {
    /// One element per mutation, in order.
    pub entries: Vec<Entry>,
}

/// One mutation of a document, with the calls that it carries out.
#[derive(Clone, Debug)]
pub struct Entry {
    /// The mutation.
    pub mutation: Mutation,
    /// The calls, each reduced to the users that this mutation is about.
    pub parts: Vec<(ResourceKey, Call)>,
}

impl Batch {
    /// Every call that is under way in this document.
    pub fn calls(&self) -> impl Iterator<Item = (&ResourceKey, &Call)> {
        self.entries
            .iter()
            .flat_map(|entry| entry.parts.iter().map(|(resource, call)| (resource, call)))
    }

    /// The resources whose calls are in this document.
    #[must_use]
    pub fn resources(&self) -> BTreeSet<ResourceKey> {
        self.calls().map(|(resource, _)| resource.clone()).collect()
    }

    /// What nobody else may write meanwhile.
    #[must_use]
    pub fn locks(&self) -> BTreeSet<Lock> {
        self.entries.iter().map(|entry| object_of(&entry.mutation)).collect()
    }
}

impl Entry {
    /// The object or place that this entry writes.
    #[must_use]
    pub fn object(&self) -> Key {
        object_of(&self.mutation)
    }

    /// The users that a membership call is about.
    #[must_use]
    pub fn users(&self) -> Vec<&Id> {
        match &self.mutation {
            Mutation::GroupMembers { users, .. }
            | Mutation::AddToTraining { users, .. }
            | Mutation::RemoveFromTraining { users, .. } => users.iter().collect(),
            Mutation::Enroll { users, .. } => users.iter().map(|user| &user.id).collect(),
            Mutation::Unenroll { user, .. } => vec![&user.id],
            _ => Vec::new(),
        }
    }

    /// The place and direction of a membership call.
    #[must_use]
    pub fn membership(&self) -> Option<(Place, MembershipChange)> {
        match &self.mutation {
            Mutation::GroupMembers {
                group, role, change, ..
            } => Some((Place::Group(group.clone(), *role), *change)),
            Mutation::AddToTraining { training, .. } => {
                Some((Place::Training(training.clone()), MembershipChange::Add))
            }
            Mutation::RemoveFromTraining { training, .. } => {
                Some((Place::Training(training.clone()), MembershipChange::Remove))
            }
            Mutation::Enroll { event, .. } => Some((Place::OfferEvent(event.clone()), MembershipChange::Add)),
            Mutation::Unenroll { event, .. } => Some((Place::OfferEvent(event.clone()), MembershipChange::Remove)),
            _ => None,
        }
    }
}

/// Calls that are alike in this travel as one mutation.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Membership {
    place: Place,
    change: MembershipChange,
    mail: bool,
    users_per_call: usize,
}

/// Collects calls into one document.
#[derive(Debug)]
pub struct Builder {
    limit: usize,
    suspicion: u32,
    alone: bool,
    mutations: Vec<Entry>,
    memberships: BTreeMap<Membership, Vec<(ResourceKey, Call)>>,
}

impl Builder {
    /// An empty document for at most `limit` operations of calls with equal suspicion.
    pub fn new(limit: usize, suspicion: u32) -> Self {
        Self {
            limit: limit.max(1),
            suspicion,
            alone: false,
            mutations: Vec::new(),
            memberships: BTreeMap::new(),
        }
    }

    /// Whether a call fits: one that may send mail travels alone, and so does one that is to travel `alone`. More
    /// subjects than `limit` travel apart from calls on objects: a document that Pluvo undoes for one refused value is
    /// read again, and that takes a read per subject.
    pub fn takes(&self, call: &Call, suspicion: u32, alone: bool) -> bool {
        let is_empty = self.mutations.is_empty() && self.memberships.is_empty();
        is_empty
            || (call.mails.is_empty()
                && !alone
                && !self.alone
                && suspicion == self.suspicion
                && self.len_with(call) <= self.limit
                && (!self.is_mixed_with(call) || self.subjects() + call.action.subjects().len() <= self.limit))
    }

    /// Takes a call in.
    pub fn add(&mut self, resource: ResourceKey, call: Call, singly: bool, alone: bool) {
        self.alone |= alone || !call.mails.is_empty();
        match &call.action {
            Action::Mutate(mutation) => self.mutations.push(Entry {
                mutation: mutation.clone(),
                parts: vec![(resource, call)],
            }),
            Action::Subjects {
                place, change, mail, ..
            } => {
                let users_per_call = if singly { 1 } else { subjects_per_call(place, *change) };
                let membership = Membership {
                    place: place.clone(),
                    change: *change,
                    mail: *mail,
                    users_per_call,
                };
                self.memberships.entry(membership).or_default().push((resource, call));
            }
        }
    }

    /// Whether nothing more fits.
    pub fn is_full(&self) -> bool {
        self.alone || self.len() >= self.limit
    }

    /// The document.
    pub fn build(self) -> Batch {
        let mut entries = self.mutations;
        let room = self.limit.saturating_sub(entries.len()).max(1);
        let memberships = self
            .memberships
            .into_iter()
            .flat_map(|(membership, calls)| split(&membership, &calls));
        // Mail is alone, so that a document that fails never leaves open who was told.
        let room = if self.alone && entries.is_empty() { 1 } else { room };
        entries.extend(memberships.take(room));
        Batch { entries }
    }

    fn len(&self) -> usize {
        self.mutations.len()
            + self
                .memberships
                .iter()
                .map(|(membership, calls)| operations(membership, calls))
                .sum::<usize>()
    }

    /// Whether the document would hold calls on objects and calls on places.
    fn is_mixed_with(&self, call: &Call) -> bool {
        match &call.action {
            Action::Mutate(_) => !self.memberships.is_empty(),
            Action::Subjects { .. } => !self.mutations.is_empty(),
        }
    }

    fn subjects(&self) -> usize {
        self.memberships.values().map(|calls| count_subjects(calls)).sum()
    }

    fn len_with(&self, call: &Call) -> usize {
        match &call.action {
            Action::Mutate(_) => self.len() + 1,
            Action::Subjects {
                place, change, users, ..
            } => self.len() + users.len().div_ceil(subjects_per_call(place, *change)),
        }
    }
}

fn operations(membership: &Membership, calls: &[(ResourceKey, Call)]) -> usize {
    count_subjects(calls).div_ceil(membership.users_per_call)
}

fn count_subjects(calls: &[(ResourceKey, Call)]) -> usize {
    calls.iter().map(|(_, call)| call.action.subjects().len()).sum()
}

/// Calls of several resources for one place, as few mutations.
fn split(membership: &Membership, calls: &[(ResourceKey, Call)]) -> Vec<Entry> {
    let mut known = HashSet::new();
    let users = calls.iter().flat_map(|(_, call)| call.action.subjects());
    let wanted: Vec<Keys> = users.filter(|user| known.insert(&user.id)).cloned().collect();
    let Membership {
        place,
        change,
        mail,
        users_per_call,
    } = membership;
    membership_mutations(place, *change, *mail, &wanted, *users_per_call)
        .into_iter()
        .map(|(mutation, users)| {
            let users: HashSet<_> = users.iter().map(|user| &user.id).collect();
            let parts = calls
                .iter()
                .filter_map(|(resource, call)| Some((resource.clone(), part(call, &|user| users.contains(user))?)))
                .collect();
            Entry { mutation, parts }
        })
        .collect()
}

/// A call, reduced to those users that `keep` names.
pub(super) fn part(call: &Call, keep: &impl Fn(&Id) -> bool) -> Option<Call> {
    let Action::Subjects {
        place,
        change,
        users,
        mail,
    } = &call.action
    else {
        return None;
    };
    let kept: Vec<usize> = users
        .iter()
        .enumerate()
        .filter(|(_, user)| keep(&user.id))
        .map(|(index, _)| index)
        .collect();
    let action = Action::Subjects {
        place: place.clone(),
        change: *change,
        users: kept.iter().filter_map(|index| users.get(*index).cloned()).collect(),
        mail: *mail,
    };
    let writes = kept
        .iter()
        .filter_map(|index| call.writes.get(*index).cloned())
        .collect();
    let mails = kept
        .iter()
        .filter_map(|index| call.mails.get(*index).cloned())
        .collect();
    (!kept.is_empty()).then_some(Call {
        action,
        cause: call.cause,
        mails,
        writes,
        destruction: call.destruction,
        origin: call.origin.clone(),
    })
}
