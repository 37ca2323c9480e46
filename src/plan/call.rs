//! What a plan asks of Pluvo: calls as data, each with what it is for.

use std::sync::Arc;

use crate::pluvo::request::{Keys, MembershipChange, Mutation};

use super::{observed::Place, value};

/// Subjects in one membership call, at most. The documentation names no limit.
const SUBJECTS_PER_CALL: usize = 200;

/// Why something is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Cause {
    /// The spec says something new.
    Change,
    /// Somebody changed Pluvo.
    Drift,
    /// The resource is being deleted.
    Deletion,
}

/// One step towards what is declared. The steps of a resource are sent in order, each after the one before it was
/// acknowledged.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Call {
    /// What is asked for.
    pub action: Action,
    /// Why.
    pub cause: Cause,
    /// Refs of those whom Pluvo tells by mail.
    pub mails: Vec<String>,
    /// What the call writes: paths with the fingerprints of their values. Outcomes are kept by these.
    pub writes: Vec<Write>,
    /// What it takes away or overwrites on something that exists, if it does: the guard counts that.
    pub destruction: Option<Destruction>,
    /// Which object asks for it; [`super::resource::plan`] fills it in.
    pub origin: Origin,
}

/// Which object asks for a call.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Origin {
    /// Its uid.
    pub uid: Arc<str>,
    /// The generation that was planned.
    pub generation: i64,
}

/// What a call takes away or overwrites on something that exists.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Destruction {
    /// A user is archived.
    Archive,
    /// An archived user comes back.
    Restore,
    /// An object gets another ref.
    ChangeRef,
    /// A user gets another e-mail address.
    ChangeEmail,
    /// A user gets other roles.
    ChangeRoles,
    /// A user leaves a group, a training or an event.
    Remove,
    /// An object is deleted.
    Delete,
}

impl Destruction {
    /// In words.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Archive => "archive",
            Self::Restore => "un-archive",
            Self::ChangeRef => "change the ref",
            Self::ChangeEmail => "change the e-mail address",
            Self::ChangeRoles => "change the roles",
            Self::Remove => "remove",
            Self::Delete => "delete",
        }
    }

    /// What a mutation takes away or overwrites. `free_ref`: the object has no ref that a person chose.
    #[must_use]
    pub fn of(mutation: &Mutation, free_ref: bool) -> Option<Self> {
        match mutation {
            Mutation::UpdateUser { user, .. } => match user.archived {
                Some(true) => Some(Self::Archive),
                Some(false) => Some(Self::Restore),
                None if user.reference.is_some() && !free_ref => Some(Self::ChangeRef),
                None if user.email.is_some() => Some(Self::ChangeEmail),
                None => user.roles.as_ref().map(|_| Self::ChangeRoles),
            },
            Mutation::UpdateGroup { group, .. } => (group.reference.is_some() && !free_ref).then_some(Self::ChangeRef),
            Mutation::DeleteGroup(_) => Some(Self::Delete),
            Mutation::RemoveFromTraining { .. } | Mutation::Unenroll { .. } => Some(Self::Remove),
            Mutation::GroupMembers { change, .. } => (*change == MembershipChange::Remove).then_some(Self::Remove),
            Mutation::CreateUser { .. }
            | Mutation::CreateGroup(_)
            | Mutation::SetCustomFields { .. }
            | Mutation::AddToTraining { .. }
            | Mutation::Enroll { .. } => None,
        }
    }
}

/// A value that a call writes.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Write {
    /// The path in the spec.
    pub path: Arc<str>,
    /// The fingerprint of the desired value.
    pub fingerprint: Arc<str>,
}

impl Write {
    /// The write of a value at a path of one resource.
    #[must_use]
    pub fn of(uid: &str, path: &str, value: &str) -> Self {
        Self {
            path: path.into(),
            fingerprint: value::fingerprint(uid, path, value).into(),
        }
    }

    /// The fingerprint of several values that are written at once. A refusal is kept under it: which of them Pluvo
    /// minds is not known until each of them was asked for alone.
    #[must_use]
    pub fn of_all(writes: &[Self]) -> Arc<str> {
        if let [write] = writes {
            return write.fingerprint.clone();
        }
        let all: Vec<_> = writes.iter().map(|write| &*write.fingerprint).collect();
        value::fingerprint("", "", &all.join(" ")).into()
    }
}

/// What a call asks for.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Action {
    /// One mutation, as it is.
    Mutate(Mutation),
    /// Subjects into or out of a place. Calls of several resources for one place travel as one mutation.
    Subjects {
        /// Where.
        place: Place,
        /// In or out.
        change: MembershipChange,
        /// Who, with the index of the write that is about them.
        users: Vec<Keys>,
        /// Whether Pluvo tells them by mail.
        mail: bool,
    },
}

impl Action {
    /// Whom it brings into a place or takes out of it.
    #[must_use]
    pub fn subjects(&self) -> &[Keys] {
        match self {
            Self::Mutate(_) => &[],
            Self::Subjects { users, .. } => users,
        }
    }

    /// What would be sent if the call travelled alone.
    #[must_use]
    pub fn mutations(&self) -> Vec<Mutation> {
        match self {
            Self::Mutate(mutation) => vec![mutation.clone()],
            Self::Subjects {
                place,
                change,
                users,
                mail,
            } => {
                let mutations = membership_mutations(place, *change, *mail, users, subjects_per_call(place, *change));
                mutations.into_iter().map(|(mutation, _)| mutation).collect()
            }
        }
    }
}

/// How many subjects one mutation brings into a place or takes out of it, at most.
#[must_use]
pub fn subjects_per_call(place: &Place, change: MembershipChange) -> usize {
    match (place, change) {
        (Place::OfferEvent(_), MembershipChange::Remove) => 1,
        _ => SUBJECTS_PER_CALL,
    }
}

/// The mutations that bring users into a place or take them out of it, each with the users that it is about: at most
/// `at_once`, where it takes several.
#[must_use]
pub fn membership_mutations<'a>(
    place: &Place,
    change: MembershipChange,
    mail: bool,
    users: &'a [Keys],
    at_once: usize,
) -> Vec<(Mutation, &'a [Keys])> {
    let each = |mutation: &dyn Fn(&[Keys]) -> Mutation| {
        let chunks = users.chunks(at_once.max(1));
        chunks.map(|users| (mutation(users), users)).collect()
    };
    let ids = |users: &[Keys]| users.iter().map(|user| user.id.clone()).collect();
    match (place, change) {
        (Place::Group(group, role), change) => each(&|users| Mutation::GroupMembers {
            group: group.clone(),
            role: *role,
            change,
            users: ids(users),
        }),
        (Place::Training(training), MembershipChange::Add) => each(&|users| Mutation::AddToTraining {
            training: training.clone(),
            role: "PARTICIPANT".into(),
            users: ids(users),
            send_invites: mail,
        }),
        (Place::Training(training), MembershipChange::Remove) => each(&|users| Mutation::RemoveFromTraining {
            training: training.clone(),
            users: ids(users),
        }),
        (Place::OfferEvent(event), MembershipChange::Add) => each(&|users| Mutation::Enroll {
            event: event.clone(),
            users: users.to_vec(),
            send_mail: mail,
        }),
        (Place::OfferEvent(event), MembershipChange::Remove) => {
            let unenroll = |user: &'a Keys| {
                let mutation = Mutation::Unenroll {
                    event: event.clone(),
                    user: user.clone(),
                };
                (mutation, std::slice::from_ref(user))
            };
            users.iter().map(unenroll).collect()
        }
    }
}
