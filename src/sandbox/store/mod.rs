//! The data of one organization, and the rules it obeys. Knows neither GraphQL nor HTTP.
//!
//! One file per entity; each holds the entity, the draft that creates or changes it, and its operations on [`Store`].
//! An operation checks everything before it writes anything, so a refusal leaves the store as it was.

mod certificates;
mod change;
mod custom_fields;
mod enrollments;
mod events;
mod find_users;
mod groups;
mod links;
mod memberships;
mod news;
mod offers;
mod portfolio;
mod refusal;
mod state;
mod table;
#[cfg(test)]
mod tests;
mod trainings;
mod users;
mod values;

use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use uuid::Uuid;

pub use self::{
    certificates::{Certificate, CertificateDraft, Issue},
    change::Change,
    custom_fields::{ContentType, CustomField, CustomFieldDraft, FieldOption, FieldType, OptionDraft},
    enrollments::{Enrollment, EnrollmentChange, EnrollmentStatus},
    events::{DateDraft, Event, EventDate, EventDraft, EventType},
    find_users::{FieldFilter, UserFilter, UserOrder, UserSort},
    groups::{Group, GroupDraft},
    links::SeatRole,
    memberships::{People, Tally},
    news::News,
    offers::{Offer, OfferDraft},
    portfolio::{PortfolioDraft, PortfolioItem, Progress, ReportFilter, ReportRow, day},
    refusal::{Code, Refusal},
    table::{Selector, Touch},
    trainings::{Training, TrainingDraft, TrainingFilter},
    users::{Language, Role, User, UserDraft},
    values::{OptionPick, Value, ValueDraft},
};
use self::{enrollments::Enrollments, links::Links, portfolio::Portfolios, table::Table, users::Users, values::Values};

/// Everything that exists in one organization.
#[derive(Clone, Debug, Default)]
pub struct Store {
    users: Users,
    groups: Table<Group>,
    trainings: Table<Training>,
    offers: Table<Offer>,
    events: Table<Event>,
    enrollments: Enrollments,
    certificates: Table<Certificate>,
    portfolios: Portfolios,
    fields: Table<CustomField>,
    values: Values,
    links: Links,
}

impl Store {
    /// Makes memberships visible that were accepted at least `delay` ago.
    pub fn settle(&mut self, now: Timestamp, delay: SignedDuration) {
        self.links
            .settle(&self.users, |accepted| now.duration_since(accepted) >= delay);
    }

    /// Whether [`settle`](Self::settle) has anything to look at.
    pub fn is_settled(&self) -> bool {
        self.links.is_settled()
    }
}

/// What a draft sets, or what stands there already.
fn or_kept(new: Option<&str>, kept: &Arc<str>) -> Arc<str> {
    new.map_or_else(|| kept.clone(), Arc::from)
}

/// Reads an id that somebody wrote into a seed.
fn parse_id(text: Option<&str>) -> Result<Option<Uuid>, Refusal> {
    text.map(|text| Uuid::parse_str(text).map_err(|_| Refusal::invalid(format!("{text:?} is not a UUID"))))
        .transpose()
}
