//! What a plan may ask about other resources on the same connection.

use crate::{
    api::{Kind, PluvoConnectionSpec, common::Target},
    pluvo::model::Id,
};

use super::{
    claims::Claim,
    key::{ConnectionKey, ResourceKey},
    registry::Registry,
};

/// The other resources on a connection, seen by one resource.
pub struct Scope<'a> {
    /// Everything that is declared.
    pub registry: &'a Registry,
    /// On which connection.
    pub connection: &'a ConnectionKey,
    /// Who asks.
    pub key: &'a ResourceKey,
}

impl<'a> Scope<'a> {
    /// All claims for a place, whether they name it by ref or by id.
    #[must_use]
    pub fn claims(&self, named: &Target, reference: Option<&str>, id: &Id) -> Vec<Claim> {
        let by_ref = Target {
            reference: reference.map(str::to_owned),
            id: None,
        };
        let by_id = Target {
            reference: None,
            id: Some(id.0.to_string()),
        };
        self.registry
            .claims(self.connection, self.key.kind, &[named.clone(), by_ref, by_id])
    }

    /// The connection itself.
    #[must_use]
    pub fn terms(&self) -> Option<&'a PluvoConnectionSpec> {
        self.registry
            .connection(self.connection)
            .map(|connection| &connection.spec)
    }

    /// Whether another live resource declares the same ref, so that a deletion hands over.
    #[must_use]
    pub fn is_handed_over(&self) -> bool {
        self.registry
            .get(self.key)
            .is_some_and(|object| self.registry.is_handed_over(object))
    }

    /// Whether a user is never a subject, by what is declared.
    #[must_use]
    pub fn is_excluded(&self, reference: &str) -> bool {
        self.registry.is_excluded(self.connection, reference)
    }

    /// Whether a live resource that nothing stands in the way of declares the object of this ref.
    #[must_use]
    pub fn is_declared(&self, kind: Kind, reference: &str) -> bool {
        let owner = self.registry.owner_of(self.connection, kind, reference);
        owner.is_some_and(|owner| {
            let stalled = owner.status().is_some_and(|status| {
                status
                    .conditions
                    .iter()
                    .any(|condition| condition.type_ == crate::api::reason::condition::STALLED)
            });
            !stalled && !owner.management().suspend
        })
    }
}
