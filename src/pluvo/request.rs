//! Requests as values: everything the operator asks of Pluvo, each with its answer.
//!
//! How a request becomes GraphQL is in [`operation`](super::operation).

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use jiff::Timestamp;
use serde::Deserialize;

use super::model::{
    CustomField, CustomFieldValue, Enrollment, EnumValue, Group, Id, LastLogin, MembershipResult, OfferEvent, Page,
    PortfolioRow, Standing, Training, User,
};

/// Names one object.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Selector {
    /// By Pluvo's key.
    Id(Id),
    /// By the integrator's key.
    Ref(Arc<str>),
}

/// An object by both of its keys: which of them a mutation takes is not the same everywhere.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Keys {
    /// Pluvo's key.
    pub id: Id,
    /// The integrator's key.
    pub reference: Arc<str>,
}

/// One page of a list: at most 50 rows after `after`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PageRequest {
    /// The opaque `endCursor` of the page before.
    pub after: Option<Arc<str>>,
}

/// Whose custom fields, in Pluvo's words (`ContentType`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum ContentType {
    /// Fields of users.
    User,
    /// Fields of groups.
    Group,
}

/// In what way a user belongs to a group.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum GroupRole {
    /// `Group.users`
    Participant,
    /// `Group.managers`
    Manager,
}

/// Which rows of the portfolios of an organization.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct PortfolioFilter {
    /// Of the participants of these groups; of everybody if there are none.
    pub groups: BTreeSet<Id>,
    /// About objects of these types (`RelatedObjectType`).
    pub types: BTreeSet<EnumValue>,
}

/// How much is asked about those whom a report is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Persons {
    /// Which account it is, and nothing else.
    Accounts,
    /// Name and e-mail address as well.
    Named,
}

/// A read. Reads may be repeated at will.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Query {
    /// `paginatedUsers(archived:)`, with groups and custom fields on each row.
    Users {
        /// Active or archived accounts: whether the list without the argument holds both is not documented.
        archived: bool,
        /// Which page.
        page: PageRequest,
    },
    /// `paginatedUsers(groupIds:)`
    GroupMembers {
        /// The group.
        group: Id,
        /// Which page.
        page: PageRequest,
    },
    /// `paginatedUsers(trainingIds:)`, ids only.
    TrainingParticipants {
        /// The training.
        training: Id,
        /// Which page.
        page: PageRequest,
    },
    /// `paginatedGroups`
    Groups {
        /// Which page.
        page: PageRequest,
    },
    /// `paginatedTrainings`, for `list` and for near matches.
    Trainings {
        /// Which page.
        page: PageRequest,
    },
    /// `extraCategories(contentType:)`
    CustomFields(ContentType),
    /// `user(id:)` or `user(ref:)`
    User(Selector),
    /// `user(email:)`
    UserByEmail(Arc<str>),
    /// `group(...)`
    Group(Selector),
    /// `training(...)`
    Training(Selector),
    /// `offerEvent(id:)`
    OfferEvent(Id),
    /// `offers { offerEvents }`: the documented way from an event's ref to its id. That `offerEvent` takes a ref is
    /// likely and documented nowhere.
    OfferEvents,
    /// `enrollment(userId:, offerEventId:)`: there is no list of those who are enrolled in an event.
    Enrollment {
        /// Where.
        event: Id,
        /// Who.
        user: Id,
    },
    /// `portfolioReport`
    Portfolio {
        /// Which rows.
        filter: PortfolioFilter,
        /// How much about whom.
        persons: Persons,
        /// Which page.
        page: PageRequest,
    },
    /// `paginatedUsers(archived: false, lastLogin_Lt:)`
    LastLogins {
        /// Those of accounts that were not used since. Whether that holds accounts that were never used is not
        /// documented. `None`: all accounts.
        before: Option<Timestamp>,
        /// How much about whom.
        persons: Persons,
        /// Which page.
        page: PageRequest,
    },
    /// `group(id:) { userCount managerCount }`: the cheap question whether memberships became visible.
    GroupSize(Id),
}

/// What a [`Query`] answers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum QueryAnswer {
    /// Of `Users` and `GroupMembers`.
    Users(Page<User>),
    /// Of `TrainingParticipants`.
    Ids(Page<Id>),
    /// Of `Groups`.
    Groups(Page<Group>),
    /// Of `Trainings`.
    Trainings(Page<Training>),
    /// Of `CustomFields`.
    CustomFields(Vec<CustomField>),
    /// Of `User` and `UserByEmail`; `None`: Pluvo answered null.
    User(Option<Box<User>>),
    /// Of `Group`.
    Group(Option<Box<Group>>),
    /// Of `Training`.
    Training(Option<Training>),
    /// Of `OfferEvent`.
    OfferEvent(Option<OfferEvent>),
    /// Of `OfferEvents`: those of all offers.
    OfferEvents(Vec<OfferEvent>),
    /// Of `Enrollment`; `None`: there is none.
    Enrollment(Option<Standing>),
    /// Of `Portfolio`.
    Portfolio(Page<PortfolioRow>),
    /// Of `LastLogins`.
    LastLogins(Page<LastLogin>),
    /// Of `GroupSize`; `None`: no such group, or not readable.
    GroupSize(Option<GroupSize>),
}

/// How many belong to a group.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
pub struct GroupSize {
    /// Participants; null where the server does not say.
    #[serde(rename = "userCount")]
    pub users: Option<u64>,
    /// Managers; null where the server does not say.
    #[serde(rename = "managerCount")]
    pub managers: Option<u64>,
}

/// The attributes of a user that a mutation sets; what is `None` is left out, never sent as null (null may clear).
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct UserInput {
    /// The integrator's key.
    pub reference: Option<Arc<str>>,
    /// E-mail address.
    pub email: Option<Arc<str>>,
    /// Display name.
    pub name: Option<Arc<str>>,
    /// Replaces the roles.
    pub roles: Option<Vec<EnumValue>>,
    /// Language of the user interface.
    pub language: Option<EnumValue>,
    /// Archives or brings back.
    pub archived: Option<bool>,
}

/// The attributes of a group that a mutation sets; what is `None` is left out.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct GroupInput {
    /// The integrator's key.
    pub reference: Option<Arc<str>>,
    /// Display name; required for a creation.
    pub name: Option<Arc<str>>,
    /// Largest number of members.
    pub max_users: Option<i64>,
    /// Whether members can chat.
    pub enable_chat: Option<bool>,
    /// Whether the group can be edited in Pluvo's own user interface.
    pub is_editable: Option<bool>,
}

/// The value that a custom field is set to.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum FieldInput {
    /// `stringValue`
    Text(Arc<str>),
    /// `datetimeValue`, ISO 8601.
    DateTime(Arc<str>),
    /// `booleanValue`
    Bool(bool),
    /// `choiceValues`, by what people see; one element for a single choice.
    Choices(Vec<Arc<str>>),
}

/// A write.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Mutation {
    /// `updateOrCreateUser(ref:)`: the account of this ref, made where it does not exist.
    CreateUser {
        /// The selector; also the new account's ref.
        reference: Arc<str>,
        /// Everything else; `reference` stays `None`.
        user: UserInput,
        /// Always sent explicitly.
        send_invite: bool,
    },
    /// `updateUser(id:)`
    UpdateUser {
        /// The account.
        id: Id,
        /// Only what changes.
        user: UserInput,
    },
    /// `updateExtraCategoryValues`; fields that are not named stay untouched.
    SetCustomFields {
        /// Whose.
        content_type: ContentType,
        /// By id, or by ref right after a creation in the same list of calls.
        object: Selector,
        /// By the field's ref (`categoryRef`).
        values: BTreeMap<Arc<str>, FieldInput>,
    },
    /// `createGroup`: not idempotent, so it is read before it is repeated.
    CreateGroup(GroupInput),
    /// `updateGroup(id:)`
    UpdateGroup {
        /// The group.
        id: Id,
        /// Only what changes.
        group: GroupInput,
    },
    /// `deleteGroup(id:)`
    DeleteGroup(Id),
    /// `addUsersToGroup`, `removeUsersFromGroup`, `addManagersToGroup`, `removeManagersFromGroup`
    GroupMembers {
        /// The group.
        group: Id,
        /// Participants or managers.
        role: GroupRole,
        /// Add or remove.
        change: MembershipChange,
        /// At most 200.
        users: Vec<Id>,
    },
    /// `addUsersToTraining`
    AddToTraining {
        /// The training.
        training: Id,
        /// `TrainingRole`
        role: EnumValue,
        /// At most 200.
        users: Vec<Id>,
        /// Always sent explicitly: Pluvo's default is true.
        send_invites: bool,
    },
    /// `removeUsersFromTraining`
    RemoveFromTraining {
        /// The training.
        training: Id,
        /// At most 200.
        users: Vec<Id>,
    },
    /// `createOfferEventEnrollments`, which is documented with refs alone.
    Enroll {
        /// The event.
        event: Keys,
        /// At most 200.
        users: Vec<Keys>,
        /// Always sent explicitly: Pluvo's default is not documented.
        send_mail: bool,
    },
    /// `unenrollUserFromOfferEvent`, which takes one user.
    Unenroll {
        /// The event.
        event: Keys,
        /// Who.
        user: Keys,
    },
}

/// The two directions of a membership call.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum MembershipChange {
    /// Bring in.
    Add,
    /// Take out.
    Remove,
}

/// What a [`Mutation`] answers when it succeeded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum MutationAnswer {
    /// Of `CreateUser` and `UpdateUser`: the account as it is now.
    User(Box<User>),
    /// Of `CreateGroup` and `UpdateGroup`: the group as it is now.
    Group(Box<Group>),
    /// Of `SetCustomFields`. Whether these are all values of the object or those just sent is not documented.
    CustomFields(Vec<CustomFieldValue>),
    /// Of `DeleteGroup`: `ok`.
    Deleted(bool),
    /// Of `Enroll`. Whether it holds those who were enrolled before is not documented, and it has no list of failures.
    Enrolled(Vec<Enrollment>),
    /// Of `Unenroll`: `success`.
    Unenrolled(bool),
    /// Of the membership calls. The manager calls tell done and already-so not apart: all are `done`.
    Membership(MembershipResult),
}
