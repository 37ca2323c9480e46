//! The reads.

use serde::Deserialize;
use serde_json::Value;

use super::{Access, Argument, DecodeError, Operation, Select, decode::Answer, selection};
use crate::pluvo::{
    model::{CustomField, Linked, OfferEvent, Page, Standing, without_nulls},
    request::{ContentType, PageRequest, Persons, PortfolioFilter, Query, QueryAnswer},
};

/// The most that Pluvo gives in one page (developers/pagination).
const PAGE_SIZE: i32 = 50;

/// A row of `offers`.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Offer {
    #[serde(default, deserialize_with = "without_nulls")]
    offer_events: Vec<OfferEvent>,
}

/// The answer of `enrollment`.
#[derive(Deserialize)]
struct Enrollment {
    status: Standing,
}

type Arguments = Vec<(&'static str, Argument)>;

impl Query {
    /// The root field, also the name of the operation in metrics.
    #[must_use]
    pub fn field(&self) -> &'static str {
        match self {
            Self::Users { .. }
            | Self::GroupMembers { .. }
            | Self::TrainingParticipants { .. }
            | Self::LastLogins { .. } => "paginatedUsers",
            Self::Portfolio { .. } => "portfolioReport",
            Self::Groups { .. } => "paginatedGroups",
            Self::Trainings { .. } => "paginatedTrainings",
            Self::CustomFields(_) => "extraCategories",
            Self::User(_) | Self::UserByEmail(_) => "user",
            Self::Group(_) | Self::GroupSize(_) => "group",
            Self::Training(_) => "training",
            Self::OfferEvent(_) => "offerEvent",
            Self::OfferEvents => "offers",
            Self::Enrollment { .. } => "enrollment",
        }
    }

    /// What is sent (developers/users, groups, learning-journeys, extracategory, offer, offerevent-date, enrollments,
    /// pagination).
    #[must_use]
    pub fn operation(&self) -> Operation {
        let (arguments, selection): (Arguments, &'static [Select]) = match self {
            Self::Users { archived, page } => (
                paged([("archived", Argument::bool(*archived))], page),
                selection::USER_PAGE,
            ),
            Self::GroupMembers { group, page } => (
                paged([("groupIds", Argument::ids([group]))], page),
                selection::USER_PAGE,
            ),
            Self::TrainingParticipants { training, page } => (
                paged([("trainingIds", Argument::ids([training]))], page),
                selection::ID_PAGE,
            ),
            Self::Groups { page } => (paged([], page), selection::GROUP_PAGE),
            Self::Trainings { page } => (paged([], page), selection::TRAINING_PAGE),
            Self::CustomFields(of) => (vec![("contentType", of.argument())], selection::CUSTOM_FIELD),
            Self::User(user) => (vec![user.argument("id", "ref")], selection::USER),
            Self::UserByEmail(email) => (vec![("email", Argument::text(email))], selection::USER),
            Self::Group(group) => (vec![group.argument("id", "ref")], selection::GROUP),
            Self::Training(training) => (vec![training.argument("id", "ref")], selection::TRAINING),
            Self::OfferEvent(event) => (vec![("id", Argument::id(event))], selection::OFFER_EVENT),
            Self::OfferEvents => (Vec::new(), selection::OFFER_EVENTS),
            Self::Enrollment { event, user } => (
                vec![("userId", Argument::id(user)), ("offerEventId", Argument::id(event))],
                selection::ENROLLMENT,
            ),
            Self::Portfolio { filter, persons, page } => (
                paged(portfolio(filter), page),
                match persons {
                    Persons::Accounts => selection::PORTFOLIO_PAGE,
                    Persons::Named => selection::NAMED_PORTFOLIO_PAGE,
                },
            ),
            Self::LastLogins { before, persons, page } => {
                let before = before.map(|before| ("lastLogin_Lt", Argument::moment(before)));
                let filter = std::iter::once(("archived", Argument::bool(false))).chain(before);
                (
                    paged(filter, page),
                    match persons {
                        Persons::Accounts => selection::LOGIN_PAGE,
                        Persons::Named => selection::NAMED_LOGIN_PAGE,
                    },
                )
            }
            Self::GroupSize(group) => (vec![("id", Argument::id(group))], selection::GROUP_SIZE),
        };
        Operation {
            kind: Access::Read,
            field: self.field(),
            arguments,
            selection,
        }
    }

    /// Reads the answer to this query: the value that stands under its alias.
    ///
    /// # Errors
    ///
    /// The value does not have the documented shape.
    pub fn decode(&self, answer: Value) -> Result<QueryAnswer, DecodeError> {
        let answer = Answer::new(self.field(), answer);
        Ok(match self {
            Self::Users { .. } | Self::GroupMembers { .. } => QueryAnswer::Users(answer.page()?),
            Self::TrainingParticipants { .. } => QueryAnswer::Ids(ids(answer.page()?)),
            Self::Groups { .. } => QueryAnswer::Groups(answer.page()?),
            Self::Trainings { .. } => QueryAnswer::Trainings(answer.page()?),
            Self::CustomFields(_) => {
                let fields: Vec<Option<CustomField>> = answer.value()?;
                QueryAnswer::CustomFields(fields.into_iter().flatten().collect())
            }
            Self::User(_) | Self::UserByEmail(_) => QueryAnswer::User(answer.value()?),
            Self::Group(_) => QueryAnswer::Group(answer.value()?),
            Self::Training(_) => QueryAnswer::Training(answer.value()?),
            Self::OfferEvent(_) => QueryAnswer::OfferEvent(answer.value()?),
            Self::OfferEvents => {
                let offers: Vec<Option<Offer>> = answer.value()?;
                let events = offers.into_iter().flatten().flat_map(|offer| offer.offer_events);
                QueryAnswer::OfferEvents(events.collect())
            }
            Self::Enrollment { .. } => {
                let enrollment: Option<Enrollment> = answer.value()?;
                QueryAnswer::Enrollment(enrollment.map(|enrollment| enrollment.status))
            }
            Self::Portfolio { .. } => QueryAnswer::Portfolio(answer.page()?),
            Self::LastLogins { .. } => QueryAnswer::LastLogins(answer.page()?),
            Self::GroupSize(_) => QueryAnswer::GroupSize(answer.value()?),
        })
    }
}

impl ContentType {
    pub(super) fn argument(self) -> Argument {
        Argument::Enum(match self {
            Self::User => "USER".into(),
            Self::Group => "GROUP".into(),
        })
    }
}

/// A report of everybody, or about everything, is asked for by leaving the argument out.
fn portfolio(filter: &PortfolioFilter) -> Arguments {
    let groups = (!filter.groups.is_empty()).then(|| ("userGroupIds", Argument::ids(&filter.groups)));
    let types = (!filter.types.is_empty()).then(|| ("relatedObjectTypes", Argument::enums(&filter.types)));
    groups.into_iter().chain(types).collect()
}

fn paged(filter: impl IntoIterator<Item = (&'static str, Argument)>, page: &PageRequest) -> Arguments {
    let after = page.after.as_ref().map(|cursor| ("after", Argument::text(cursor)));
    filter
        .into_iter()
        .chain([("first", Argument::Int(PAGE_SIZE))])
        .chain(after)
        .collect()
}

fn ids(page: Page<Linked>) -> Page<crate::pluvo::model::Id> {
    Page {
        rows: page.rows.into_iter().map(|row| row.id).collect(),
        nulls: page.nulls,
        next: page.next,
        count: page.count,
    }
}
