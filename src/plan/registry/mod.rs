//! Everything that is declared, in one synchronous structure: derived from the watched objects and never from passes
//! that have run. The controller feeds it from watches, the command line from files.

mod connection;
mod object;
#[cfg(test)]
mod tests;

use std::{
    collections::{BTreeSet, HashMap, HashSet},
    sync::Arc,
};

use crate::api::{Kind, Mode, PluvoConnection, PluvoUser, common::Target};

use super::{
    claims::{Claim, claim},
    index::Index,
    key::{ConnectionKey, ResourceKey},
    value,
};

pub use connection::UndecodableConnection;
pub use object::{Declarable, Object, key_of};

/// All declared resources and connections.
#[derive(Debug, Default)]
pub struct Registry {
    objects: HashMap<ResourceKey, Object>,
    connections: HashMap<ConnectionKey, Arc<PluvoConnection>>,
    undecodable_connections: HashMap<ConnectionKey, UndecodableConnection>,
    on_connection: Index<(ConnectionKey, Kind)>,
    by_ref: Index<(ConnectionKey, Kind, String)>,
    by_target: Index<(ConnectionKey, Kind, Target)>,
    /// By the id of the place in Pluvo, as far as a status or a spec names it: one place can be named by ref and by id.
    by_place: Index<(ConnectionKey, Kind, String)>,
    /// Users that wait for an account that another resource may let go of.
    waiting: Index<ConnectionKey>,
    /// With the connection that each names; `None` if that is not known: it may be any.
    undecodable: HashMap<ResourceKey, Option<ConnectionKey>>,
    incomplete: HashSet<Kind>,
}

impl Registry {
    /// An empty registry in which the watches of all kinds are still to be completed.
    #[must_use]
    pub fn awaiting_watches() -> Self {
        Self {
            incomplete: Kind::ALL.iter().copied().collect(),
            ..Self::default()
        }
    }

    /// All objects of a kind are known now.
    pub fn watch_completed(&mut self, kind: Kind) {
        self.incomplete.remove(&kind);
    }

    /// Whether every kind is known completely. Nothing is removed before.
    #[must_use]
    pub fn is_complete(&self) -> bool {
        self.incomplete.is_empty()
    }

    /// The resource of a name.
    #[must_use]
    pub fn get(&self, key: &ResourceKey) -> Option<&Object> {
        self.objects.get(key)
    }

    /// The names of all resources, those included that cannot be decoded.
    pub fn keys(&self) -> impl Iterator<Item = &ResourceKey> {
        self.objects.keys().chain(self.undecodable.keys())
    }

    /// All resources, in no particular order.
    pub fn objects(&self) -> impl Iterator<Item = &Object> {
        self.objects.values()
    }

    /// A connection.
    #[must_use]
    pub fn connection(&self, key: &ConnectionKey) -> Option<&Arc<PluvoConnection>> {
        self.connections.get(key)
    }

    /// All connections, in no particular order.
    pub fn connections(&self) -> impl Iterator<Item = (&ConnectionKey, &Arc<PluvoConnection>)> {
        self.connections.iter()
    }

    /// The resources on a connection.
    pub fn on_connection(&self, key: &ConnectionKey) -> impl Iterator<Item = &ResourceKey> {
        let kinds = Kind::ALL.iter();
        kinds.flat_map(|kind| self.of_kind(key, *kind))
    }

    /// What is known of a connection that cannot be decoded.
    #[must_use]
    pub fn undecodable_connection(&self, key: &ConnectionKey) -> Option<&UndecodableConnection> {
        self.undecodable_connections.get(key)
    }

    /// All connections that cannot be decoded, in no particular order.
    pub fn undecodable_connections(&self) -> impl Iterator<Item = (&ConnectionKey, &UndecodableConnection)> {
        self.undecodable_connections.iter()
    }

    /// Whether a connection is being deleted; `None` if nothing is known of it.
    #[must_use]
    pub fn is_connection_deleting(&self, key: &ConnectionKey) -> Option<bool> {
        let decoded = self.connections.get(key).map(|connection| &connection.metadata);
        let undecodable = || self.undecodable_connections.get(key).map(|connection| &connection.meta);
        Some(decoded.or_else(undecodable)?.deletion_timestamp.is_some())
    }

    /// Takes in a connection.
    pub fn set_connection(&mut self, key: ConnectionKey, connection: Arc<PluvoConnection>) {
        self.undecodable_connections.remove(&key);
        self.connections.insert(key, connection);
    }

    /// Takes note of a connection that cannot be decoded. What it permits is not known, so that nobody may use it.
    pub fn set_undecodable_connection(&mut self, key: ConnectionKey, connection: UndecodableConnection) {
        self.connections.remove(&key);
        self.undecodable_connections.insert(key, connection);
    }

    /// Forgets a connection.
    pub fn remove_connection(&mut self, key: &ConnectionKey) {
        self.connections.remove(key);
        self.undecodable_connections.remove(key);
    }

    /// Takes in a resource, new or changed. Returns whose plan may be another one now.
    pub fn set(&mut self, object: Object) -> BTreeSet<ResourceKey> {
        let key = object.key();
        let mut woken = self.decoded(&key);
        let before = self.unlink(&key);
        match &before {
            Some(before) if !before.differs_in_meaning(&object) => {
                if before.status().map(|status| &status.inventory) != object.status().map(|status| &status.inventory) {
                    woken.extend(self.siblings(&object));
                }
            }
            _ => {
                woken.insert(key.clone());
                woken.extend(before.iter().flat_map(|before| self.affected(before)));
                woken.extend(self.affected(&object));
            }
        }
        self.link(key, object);
        woken
    }

    /// Forgets a resource. Returns whose plan may be another one now.
    pub fn remove(&mut self, key: &ResourceKey) -> BTreeSet<ResourceKey> {
        let mut woken = self.decoded(key);
        let removed = self.unlink(key);
        woken.extend(removed.iter().flat_map(|object| self.affected(object)));
        woken
    }

    /// Takes note of a resource that cannot be decoded: a claim of unknown extent on a connection, or on all of them
    /// where it is not known which it names. Returns whose plan may be another one now.
    pub fn set_undecodable(&mut self, key: ResourceKey, on: Option<ConnectionKey>) -> BTreeSet<ResourceKey> {
        let before = self.unlink(&key);
        self.undecodable.insert(key, on);
        before.iter().flat_map(|object| self.affected(object)).collect()
    }

    /// A resource can be decoded, or is gone. If it was the last that could not, removals need wait no longer.
    fn decoded(&mut self, key: &ResourceKey) -> BTreeSet<ResourceKey> {
        let Some(on) = self.undecodable.remove(key) else {
            return BTreeSet::new();
        };
        let waited = |object: &Object| {
            let connection = object.connection();
            on.as_ref().is_none_or(|on| *on == connection) && !self.has_unknown_claims(&connection)
        };
        let waiting = self.objects.iter().filter(|(_, object)| {
            let removes = object.subjects().is_some() || object.depends_on_users();
            removes && waited(object)
        });
        waiting.map(|(key, _)| key.clone()).collect()
    }

    /// Whether some resource that may declare subjects or users on a connection cannot be decoded. Nothing is removed
    /// there then.
    #[must_use]
    pub fn has_unknown_claims(&self, connection: &ConnectionKey) -> bool {
        let declares = |kind: Kind| kind == Kind::User || kind.has_subjects();
        let mut claims = self.undecodable.iter().filter(|(key, _)| declares(key.kind));
        !self.is_complete()
            || claims.any(|(key, on)| {
                on.as_ref().is_none_or(|on| on == connection) && self.may_use(connection, &key.namespace)
            })
    }

    /// Who else declares the same ref and comes before this resource: the oldest that is not being deleted.
    #[must_use]
    pub fn owner_before(&self, object: &Object) -> Option<&Object> {
        self.claimants(object)
            .filter(|other| !other.is_deleting() && other.age() < object.age())
            .min_by_key(|other| other.age())
    }

    /// Whether another live resource declares the same ref, so that a deletion hands over.
    #[must_use]
    pub fn is_handed_over(&self, object: &Object) -> bool {
        self.claimants(object).any(|other| !other.is_deleting())
    }

    /// The live resource that declares this ref.
    #[must_use]
    pub fn owner_of(&self, connection: &ConnectionKey, kind: Kind, reference: &str) -> Option<&Object> {
        let claimants = self.by_ref.of((connection.clone(), kind, reference.to_owned()));
        claimants
            .filter_map(|key| self.permitted(key))
            .filter(|object| !object.is_deleting())
            .min_by_key(|object| object.age())
    }

    /// The e-mail address that a live resource declares for a ref; see [`UserContext`](super::user::UserContext).
    #[must_use]
    pub fn declared_email(&self, connection: &ConnectionKey, reference: &str) -> Option<Option<String>> {
        let owner = self.owner_of(connection, Kind::User, reference)?;
        PluvoUser::of(owner).map(|user| user.spec.email.clone())
    }

    /// The e-mail addresses of all live users on a connection, normalized.
    #[must_use]
    pub fn declared_emails(&self, connection: &ConnectionKey) -> HashSet<String> {
        let users = self.of_kind(connection, Kind::User);
        let users = users.filter_map(|key| PluvoUser::of(self.permitted(key)?));
        users
            .filter(|user| user.metadata.deletion_timestamp.is_none())
            .filter_map(|user| user.spec.email.as_deref().map(value::email))
            .collect()
    }

    /// Whether a user is never a subject: archived, or being deleted with the account.
    #[must_use]
    pub fn is_excluded(&self, connection: &ConnectionKey, reference: &str) -> bool {
        let claimants = self.by_ref.of((connection.clone(), Kind::User, reference.to_owned()));
        let mut live = claimants.filter_map(|key| self.permitted(key)).peekable();
        live.peek().is_some()
            && live.all(|object| object.is_deleting() || matches!(object, Object::User(user) if user.spec.archived))
    }

    /// Whether a resource may use its connection: from the connection's own namespace, or from one that it allows.
    /// Nobody else has a say in what happens there.
    #[must_use]
    pub fn may_use_connection(&self, object: &Object) -> bool {
        let namespace = object.meta().namespace.as_deref().unwrap_or_default();
        self.may_use(&object.connection(), namespace)
    }

    fn may_use(&self, key: &ConnectionKey, namespace: &str) -> bool {
        let allowed = |connection: &Arc<PluvoConnection>| {
            let names = &connection.spec.allowed_namespaces.names;
            names.iter().any(|name| name == namespace)
        };
        *key.namespace == *namespace || self.connections.get(key).is_none_or(allowed)
    }

    /// The resource of a name, if it has a say on its connection.
    fn permitted(&self, key: &ResourceKey) -> Option<&Object> {
        self.objects.get(key).filter(|object| self.may_use_connection(object))
    }

    /// What is claimed for a place, by ref and by id, the oldest claim first.
    #[must_use]
    pub fn claims(&self, connection: &ConnectionKey, kind: Kind, targets: &[Target]) -> Vec<Claim> {
        let keys: BTreeSet<_> = targets
            .iter()
            .flat_map(|target| self.by_target.of((connection.clone(), kind, target.clone())))
            .collect();
        let mut objects: Vec<_> = keys.into_iter().filter_map(|key| self.permitted(key)).collect();
        objects.sort_by_key(|object| object.age());
        objects.into_iter().filter_map(|object| claim(object, self)).collect()
    }

    /// The refs of the users on a connection whose labels match.
    #[must_use]
    pub fn select(&self, connection: &ConnectionKey, selector: &kube::core::Selector) -> Vec<String> {
        use kube::core::SelectorExt;
        let users = self
            .of_kind(connection, Kind::User)
            .filter_map(|key| self.permitted(key));
        let matching = users.filter(|user| {
            selector.matches(
                user.meta()
                    .labels
                    .as_ref()
                    .unwrap_or(&std::collections::BTreeMap::new()),
            )
        });
        matching
            .filter_map(|user| user.reference().map(str::to_owned))
            .collect()
    }

    /// The mode in effect: the stricter of the resource's and the connection's.
    #[must_use]
    pub fn mode(&self, object: &Object) -> Mode {
        let ceiling = self
            .connections
            .get(&object.connection())
            .map_or(Mode::Correct, |connection| connection.spec.mode);
        object.management().mode.min(ceiling)
    }

    fn claimants<'a>(&'a self, object: &Object) -> impl Iterator<Item = &'a Object> {
        let key = object.key();
        let of = object
            .reference()
            .map(|reference| (object.connection(), key.kind, reference.to_owned()));
        let claimants = of.into_iter().flat_map(|of| self.by_ref.of(of));
        claimants
            .filter(move |other| **other != key)
            .filter_map(|other| self.permitted(other))
    }

    /// The resources of one kind on a connection.
    fn of_kind(&self, connection: &ConnectionKey, kind: Kind) -> impl Iterator<Item = &ResourceKey> {
        self.on_connection.of((connection.clone(), kind))
    }

    /// Whose plan depends on this object, besides its own.
    fn affected(&self, object: &Object) -> BTreeSet<ResourceKey> {
        let mut affected: BTreeSet<_> = self.claimants(object).map(Object::key).collect();
        affected.extend(self.siblings(object));
        if let Object::User(user) = object {
            let connection = object.connection();
            affected.extend(self.waiting.of(connection.clone()).cloned());
            let others = Kind::ALL.iter().filter(|kind| **kind != Kind::User);
            let depending = others.flat_map(|kind| self.of_kind(&connection, *kind));
            affected.extend(
                depending
                    .filter(|key| {
                        self.objects
                            .get(key)
                            .is_some_and(|object| object.depends_on_users() || super::claims::may_declare(object, user))
                    })
                    .cloned(),
            );
        }
        affected
    }

    fn siblings(&self, object: &Object) -> Vec<ResourceKey> {
        let key = object.key();
        let Some(target) = object.target() else {
            return Vec::new();
        };
        let connection = object.connection();
        let by_target = self.by_target.of((connection.clone(), key.kind, target.clone()));
        let places = object.places().into_iter();
        let by_place = places.flat_map(|place| self.by_place.of((connection.clone(), key.kind, place)));
        let siblings = by_target.chain(by_place);
        siblings.filter(|sibling| **sibling != key).cloned().collect()
    }

    fn link(&mut self, key: ResourceKey, object: Object) {
        let (connection, kind) = (object.connection(), key.kind);
        self.on_connection.insert((connection.clone(), kind), key.clone());
        if let Some(reference) = object.reference() {
            let reference = (connection.clone(), kind, reference.to_owned());
            self.by_ref.insert(reference, key.clone());
        }
        if let Some(target) = object.target() {
            let target = (connection.clone(), kind, target.clone());
            self.by_target.insert(target, key.clone());
        }
        if object.waits_for_account() {
            self.waiting.insert(connection.clone(), key.clone());
        }
        for place in object.places() {
            self.by_place.insert((connection.clone(), kind, place), key.clone());
        }
        self.objects.insert(key, object);
    }

    fn unlink(&mut self, key: &ResourceKey) -> Option<Object> {
        let object = self.objects.remove(key)?;
        let (connection, kind) = (object.connection(), key.kind);
        self.on_connection.remove((connection.clone(), kind), key);
        if let Some(reference) = object.reference() {
            self.by_ref
                .remove((connection.clone(), kind, reference.to_owned()), key);
        }
        if let Some(target) = object.target() {
            self.by_target.remove((connection.clone(), kind, target.clone()), key);
        }
        self.waiting.remove(connection.clone(), key);
        for place in object.places() {
            self.by_place.remove((connection.clone(), kind, place), key);
        }
        Some(object)
    }
}
