//! Where a connection leads, and which of those that lead to one organization serves it: the oldest.

use jiff::Timestamp;
use kube::core::ObjectMeta;

use crate::{
    api::{PluvoConnection, Reason},
    plan::{ConnectionKey, Registry, Verdict, registry::UndecodableConnection},
    pluvo::endpoint::Endpoint,
};

use super::Pass;

/// What a connection says about where it leads, as far as that can be understood.
#[derive(Clone, Copy)]
pub struct Address<'a> {
    organization: Option<&'a str>,
    endpoint: Option<&'a str>,
}

impl<'a> From<&'a PluvoConnection> for Address<'a> {
    fn from(connection: &'a PluvoConnection) -> Self {
        Self {
            organization: connection.spec.organization.as_deref(),
            endpoint: connection.spec.endpoint.as_deref(),
        }
    }
}

impl<'a> From<&'a UndecodableConnection> for Address<'a> {
    fn from(connection: &'a UndecodableConnection) -> Self {
        Self {
            organization: connection.organization.as_deref(),
            endpoint: connection.endpoint.as_deref(),
        }
    }
}

impl Address<'_> {
    /// The organization's own address, whatever serves it.
    fn endpoint(self) -> Result<Endpoint, String> {
        match (self.organization, self.endpoint) {
            (Some(organization), None) => Endpoint::of_organization(organization),
            (None, Some(endpoint)) => Endpoint::parse(endpoint),
            _ => return Err("exactly one of organization, endpoint is required".to_owned()),
        }
        .map_err(|error| error.to_string())
    }

    fn leads_to(self, endpoint: &Endpoint) -> bool {
        self.endpoint().is_ok_and(|own| own.key() == endpoint.key())
    }
}

/// Older connections come first; equal ages are told apart by namespace and name.
fn age<'a>(key: &'a ConnectionKey, meta: &ObjectMeta) -> (Option<Timestamp>, &'a ConnectionKey) {
    (meta.creation_timestamp.as_ref().map(|time| time.0), key)
}

/// The connections that lead to the same organization.
pub fn rivals(registry: &Registry, key: &ConnectionKey, address: Address<'_>) -> Vec<ConnectionKey> {
    let Ok(endpoint) = address.endpoint() else {
        return Vec::new();
    };
    let others = registry.connections().filter(|(other, _)| *other != key);
    let same = others.filter(|(_, other)| Address::from(&***other).leads_to(&endpoint));
    same.map(|(key, _)| key.clone()).collect()
}

impl Pass<'_> {
    /// Where the organization is, if the operator may go there and no older connection does. One that cannot be decoded
    /// keeps its organization: who is the next to serve it is not for a mistake to decide.
    pub(super) fn endpoint(&self) -> Result<Endpoint, Verdict> {
        let own = Address::from(&*self.connection)
            .endpoint()
            .map_err(|message| Verdict::stalled(Reason::InvalidSpec, message))?;
        if let Some(other) = self.older(&own) {
            let message = format!(
                "PluvoConnection {other} serves this organization already; share it through its spec.allowedNamespaces"
            );
            return Err(Verdict::stalled(Reason::OrganizationAlreadyConnected, message));
        }
        if let Some(sandbox) = &self.context.options.sandbox {
            return Endpoint::in_sandbox(sandbox, &sandbox_name(&self.connection, &own))
                .map_err(|error| Verdict::stalled(Reason::InvalidSpec, error.to_string()));
        }
        self.context
            .options
            .allowed_hosts
            .check(&own)
            .map_err(|error| Verdict::stalled(Reason::EndpointNotAllowed, error.to_string()))?;
        Ok(own)
    }

    /// An older connection that leads there.
    fn older(&self, own: &Endpoint) -> Option<ConnectionKey> {
        let registry = self.context.registry.lock();
        let decoded = registry.connections();
        let decoded = decoded.map(|(key, other)| (key, &other.metadata, Address::from(&**other)));
        let undecodable = registry.undecodable_connections();
        let undecodable = undecodable.map(|(key, other)| (key, &other.meta, Address::from(other)));
        let own_age = age(&self.key, &self.connection.metadata);
        let mut others = decoded.chain(undecodable).filter(|(key, ..)| **key != self.key);
        let older = others.find(|(key, meta, address)| age(key, meta) < own_age && address.leads_to(own));
        older.map(|(key, ..)| key.clone())
    }
}

/// The name under which a sandbox serves an organization.
fn sandbox_name(connection: &PluvoConnection, own: &Endpoint) -> String {
    let host = || own.graphql_url().host_str().unwrap_or_default().replace('.', "-");
    connection.spec.organization.clone().unwrap_or_else(host)
}
