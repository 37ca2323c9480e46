//! What a plan may ask about an organization. The mirror answers it; so does a few lines of test data.

use std::sync::Arc;

use jiff::Timestamp;

use crate::pluvo::{
    model::{CustomField, Group, Id, LastLogin, OfferEvent, Standing, Training, User},
    operation::Operation,
    request::{ContentType, GroupRole, Keys, PortfolioFilter},
};

use super::{
    Call,
    survey::{LoginFilter, Portfolio, Reading, Survey},
};

/// The answer to "what is at this key".
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Lookup<T> {
    /// This.
    Found(T),
    /// Nothing, for certain.
    Absent,
    /// Not known (yet, or not any more): a plan decides nothing that depends on it.
    Unknown,
}

impl<T> Lookup<T> {
    /// What was found, as something else.
    pub fn map<U>(self, as_else: impl FnOnce(T) -> U) -> Lookup<U> {
        match self {
            Self::Found(value) => Lookup::Found(as_else(value)),
            Self::Absent => Lookup::Absent,
            Self::Unknown => Lookup::Unknown,
        }
    }

    /// What was found, if something was, to look at.
    pub fn as_found(&self) -> Option<&T> {
        match self {
            Self::Found(value) => Some(value),
            Self::Absent | Self::Unknown => None,
        }
    }

    /// What was found, if something was.
    pub fn found(self) -> Option<T> {
        match self {
            Self::Found(value) => Some(value),
            Self::Absent | Self::Unknown => None,
        }
    }
}

/// Names something that can be observed. A pass is woken when what it read under a key changes.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Key {
    /// A user by Pluvo's id.
    UserId(Id),
    /// A user by ref.
    UserRef(Arc<str>),
    /// A user by e-mail address, lower-case.
    UserEmail(Arc<str>),
    /// A group by Pluvo's id.
    GroupId(Id),
    /// A group by ref.
    GroupRef(Arc<str>),
    /// A training by Pluvo's id.
    TrainingId(Id),
    /// A training by ref.
    TrainingRef(Arc<str>),
    /// The groups that a user is in, by the user's id: whoever joins a group is still the same user.
    GroupsOf(Id),
    /// Everybody in a group.
    Members(Id, GroupRole),
    /// Everybody in a training.
    Participants(Id),
    /// An offer event by Pluvo's id.
    OfferEventId(Id),
    /// An offer event by ref.
    OfferEventRef(Arc<str>),
    /// The offer events of all offers.
    OfferEvents,
    /// How a user stands to an offer event: event and user.
    Enrollment(Id, Id),
    /// What is read at intervals. A large key of which there are few, among small ones of which there are many.
    Survey(Box<Survey>),
    /// The catalogue of custom fields.
    CustomFields(ContentType),
    /// Whether Pluvo can be reached.
    Availability,
}

/// Where subjects can be.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Place {
    /// In a group, in one of its roles.
    Group(Id, GroupRole),
    /// In a training.
    Training(Id),
    /// In an offer event.
    OfferEvent(Keys),
}

impl Place {
    /// The key under which everybody in a place is read. Of an offer event nobody tells who is in it: it is the event.
    #[must_use]
    pub fn key(&self) -> Key {
        match self {
            Self::Group(group, role) => Key::Members(group.clone(), *role),
            Self::Training(training) => Key::Participants(training.clone()),
            Self::OfferEvent(event) => Key::OfferEventId(event.id.clone()),
        }
    }
}

/// Whether a user is somewhere.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Presence {
    /// Yes.
    Present,
    /// No.
    Absent,
    /// Pluvo acknowledged it, and does not show it yet.
    Arriving,
    /// Pluvo acknowledged the removal, and shows the user still.
    Leaving,
    /// Was or could have been, and does not want to.
    Declined,
    /// Pluvo does not say.
    Unobservable,
    /// Not known.
    Unknown,
}

/// What became of a write that this resource asked for, as long as neither side has changed since.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// Pluvo acknowledged it.
    Acknowledged,
    /// Pluvo refuses it; the message is Pluvo's, cut and without values.
    Refused(Arc<str>),
    /// The user is in the training through a group, so that the removal is refused.
    LinkedViaObject,
}

/// Why something is not told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Unreadable {
    /// Pluvo refuses the read; how it did.
    Refused(Arc<str>),
    /// The server lacks this part of the schema.
    Unsupported(String),
}

/// Why nothing can be asked of Pluvo.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unavailable {
    /// Pluvo does not answer, or not as it should.
    Unreachable,
    /// The connection has no credentials that work.
    NoCredentials,
}

/// An organization as it is known at one moment, seen by one resource.
pub trait Observed {
    /// The user at a key.
    fn user_by_id(&self, id: &Id) -> Lookup<Arc<User>>;
    /// The user with this ref.
    fn user_by_ref(&self, reference: &str) -> Lookup<Arc<User>>;
    /// The user with this e-mail address, in any case.
    fn user_by_email(&self, email: &str) -> Lookup<Arc<User>>;
    /// The group with this id.
    fn group_by_id(&self, id: &Id) -> Lookup<Arc<Group>>;
    /// The group with this ref.
    fn group_by_ref(&self, reference: &str) -> Lookup<Arc<Group>>;
    /// The training with this id.
    fn training_by_id(&self, id: &Id) -> Lookup<Arc<Training>>;
    /// The training with this ref.
    fn training_by_ref(&self, reference: &str) -> Lookup<Arc<Training>>;
    /// The offer event with this id.
    fn offer_event_by_id(&self, id: &Id) -> Lookup<Arc<OfferEvent>>;
    /// The offer event with this ref.
    fn offer_event_by_ref(&self, reference: &str) -> Lookup<Arc<OfferEvent>>;
    /// How a user stands to an offer event; absent where they have nothing to do with it.
    fn standing(&self, event: &Id, user: &Id) -> Lookup<Standing>;
    /// Whether a user is in a place.
    fn presence(&self, place: &Place, user: &Id) -> Presence;
    /// Everybody in a place, if the list is complete.
    fn everybody(&self, place: &Place) -> Lookup<Vec<Arc<User>>>;
    /// The catalogue of custom fields, if it is known.
    fn custom_fields(&self, of: ContentType) -> Lookup<Arc<Vec<CustomField>>>;
    /// Rows of portfolios as they were last read; absent where nobody reads reports.
    fn portfolio(&self, filter: &PortfolioFilter) -> Lookup<Arc<Reading<Portfolio>>>;
    /// Accounts that are not used, as they were last read; absent where nobody reads reports.
    fn last_logins(&self, filter: &LoginFilter) -> Lookup<Arc<Reading<Vec<LastLogin>>>>;
    /// Asks for something to be read again at a time, at once if there is none.
    fn ask_by(&self, survey: Survey, at: Option<Timestamp>);
    /// Refs that resemble one that was not found, for messages; at most three.
    fn near_matches(&self, key: &Key) -> Vec<String>;
    /// What became of this resource's write of `fingerprint`.
    fn outcome(&self, fingerprint: &str) -> Option<Outcome>;
    /// Whether it is certain that a mail of this resource to the user with this ref, which its status records, was not
    /// asked for yet.
    fn mail_is_unsent(&self, reference: &str) -> bool;
    /// The refs of a call's mails that may leave as soon as the status records them.
    fn mails_to_record(&self, call: &Call) -> Vec<String>;
    /// Whether the guard holds a call of this resource until somebody approves it.
    fn is_held(&self, call: &Call) -> bool;
    /// Why something that was asked about in this pass is not told, if Pluvo does not tell it at all.
    fn unreadable(&self) -> Option<Unreadable>;
    /// The first part of the schema that the server lacks and without which an operation cannot be sent.
    fn lacks(&self, operation: &Operation) -> Option<String>;
    /// Why Pluvo cannot be asked, if that is so.
    fn unavailable(&self) -> Option<Unavailable>;
    /// Whether Pluvo can be asked.
    fn available(&self) -> bool {
        self.unavailable().is_none()
    }
}
