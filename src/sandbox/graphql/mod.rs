//! The schema that is served: one file per entity, each with its part of the queries and mutations.
//!
//! Types carry the names of the public schema; a test compares the two. Resolvers translate between GraphQL and
//! [`store`](super::store) and decide nothing themselves.

#![allow(clippy::unused_async, reason = "resolvers are futures to the library")]

mod absent;
mod caller;
mod certificates;
mod custom_fields;
mod enrollments;
mod event_mutations;
mod events;
mod groups;
mod memberships;
mod offers;
mod pages;
mod portfolio;
mod scalars;
mod trainings;
mod user_mutations;
mod users;
mod values;

use async_graphql::{EmptySubscription, MergedObject, SimpleObject};

use self::scalars::Uuid;
pub use self::{
    absent::Absent,
    caller::{Caller, Interference},
};
use super::store::Tally;

/// The schema.
pub type Schema = async_graphql::Schema<Query, Mutation, EmptySubscription>;

/// Builds the schema.
pub fn schema() -> Schema {
    Schema::build(Query::default(), Mutation::default(), EmptySubscription).finish()
}

/// All queries.
#[derive(MergedObject, Default)]
pub struct Query(
    users::UserQuery,
    groups::GroupQuery,
    trainings::TrainingQuery,
    offers::OfferQuery,
    events::EventQuery,
    enrollments::EnrollmentQuery,
    portfolio::PortfolioQuery,
    certificates::CertificateQuery,
    custom_fields::FieldQuery,
);

/// All mutations.
#[derive(MergedObject, Default)]
pub struct Mutation(
    user_mutations::UserMutation,
    groups::GroupMutation,
    memberships::MembershipMutation,
    trainings::TrainingMutation,
    offers::OfferMutation,
    event_mutations::EventMutation,
    enrollments::EnrollmentMutation,
    portfolio::PortfolioMutation,
    certificates::CertificateMutation,
    custom_fields::FieldMutation,
    values::ValueMutation,
);

/// The result of an operation on many objects that says of each only whether it worked.
#[derive(SimpleObject)]
struct BulkAction {
    succeeded_ids: Vec<Uuid>,
    failed_ids: Vec<Uuid>,
}

impl BulkAction {
    /// Sorts ids by whether an operation worked on them.
    fn of(ids: &[Uuid], mut works: impl FnMut(uuid::Uuid) -> bool) -> Self {
        let (succeeded_ids, failed_ids) = ids.iter().copied().partition(|id| works(id.0));
        Self {
            succeeded_ids,
            failed_ids,
        }
    }
}

impl From<Tally> for BulkAction {
    fn from(tally: Tally) -> Self {
        let worked = tally.done.iter().chain(&tally.already);
        let failed = tally.refused.iter().map(|user| user.id).chain(tally.unknown_ids);
        Self {
            succeeded_ids: worked.map(|user| Uuid(user.id)).collect(),
            failed_ids: failed.map(Uuid).collect(),
        }
    }
}

#[cfg(test)]
mod tests;
