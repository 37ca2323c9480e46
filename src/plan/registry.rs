//! Everything that is declared, in one synchronous structure: derived from the watched objects and never from passes
//! that have run. The controller feeds it from watches, the command line from files.

use std::{
    collections::{BTreeSet, HashMap, HashSet},
    sync::Arc,
};

use kube::Resource;

use crate::api::{
    ConnectionRef, Kind, Managed, Management, Mode, PluvoConnection, PluvoGroup, PluvoGroupMembership, PluvoUser,
    Status, TrainingAssignment, annotations, common::Target,
};

use super::{
    claims::{Claim, claim},
    key::{ConnectionKey, ResourceKey},
};

/// A managed resource of any kind.
#[derive(Clone, Debug)]
pub enum Object {
    /// A user.
    User(Arc<PluvoUser>),
    /// A group.
    Group(Arc<PluvoGroup>),
    /// Users in a group.
    Membership(Arc<PluvoGroupMembership>),
    /// Users in a training.
    Assignment(Arc<TrainingAssignment>),
}

macro_rules! each {
    ($object:expr, $inner:ident => $body:expr) => {
        match $object {
            Object::User($inner) => $body,
            Object::Group($inner) => $body,
            Object::Membership($inner) => $body,
            Object::Assignment($inner) => $body,
        }
    };
}

impl Object {
    /// Names the resource.
    #[must_use]
    pub fn key(&self) -> ResourceKey {
        each!(self, object => key_of(&**object))
    }

    /// Its metadata.
    #[must_use]
    pub fn meta(&self) -> &kube::core::ObjectMeta {
        each!(self, object => object.meta())
    }

    /// The settings that every kind has.
    #[must_use]
    pub fn management(&self) -> &Management {
        each!(self, object => object.management())
    }

    /// The last written status, unless it is about another object.
    #[must_use]
    pub fn status(&self) -> Option<&Status> {
        let status = each!(self, object => Managed::status(&**object))?;
        (status.for_uid == self.meta().uid).then_some(status)
    }

    /// Whether it is being deleted.
    #[must_use]
    pub fn is_deleting(&self) -> bool {
        self.meta().deletion_timestamp.is_some()
    }

    /// The connection that it uses.
    #[must_use]
    pub fn connection(&self) -> ConnectionKey {
        connection_of(self.management(), self.meta().namespace.as_deref().unwrap_or_default())
    }

    /// Its ref in Pluvo, where it declares an object of its own.
    #[must_use]
    pub fn reference(&self) -> Option<&str> {
        match self {
            Self::User(user) => Some(&user.spec.reference),
            Self::Group(group) => Some(&group.spec.reference),
            Self::Membership(_) | Self::Assignment(_) => None,
        }
    }

    /// The place that it puts subjects into, where it has subjects.
    #[must_use]
    pub fn target(&self) -> Option<&Target> {
        match self {
            Self::Membership(membership) => Some(&membership.spec.group),
            Self::Assignment(assignment) => Some(&assignment.spec.training),
            Self::User(_) | Self::Group(_) => None,
        }
    }

    /// Older objects come first; equal ages are told apart by namespace and name.
    #[must_use]
    pub fn age(&self) -> impl Ord + use<> {
        (self.meta().creation_timestamp.as_ref().map(|time| time.0), self.key())
    }

    /// Whether anything but the status differs between two versions.
    #[must_use]
    pub fn differs_in_meaning(&self, other: &Self) -> bool {
        let ours = |object: &Self| {
            let annotations: Vec<_> = object
                .meta()
                .annotations
                .iter()
                .flatten()
                .filter(|(name, _)| name.starts_with(annotations::PREFIX))
                .map(|(name, value)| (name.clone(), value.clone()))
                .collect();
            let meta = object.meta();
            (
                meta.uid.clone(),
                meta.generation,
                meta.labels.clone(),
                meta.finalizers.clone(),
                meta.deletion_timestamp.is_some(),
                annotations,
            )
        };
        ours(self) != ours(other)
    }
}

/// A managed kind that can stand in the registry.
pub trait Declarable: Managed {
    /// As a resource of any kind.
    fn into_object(self: Arc<Self>) -> Object;
    /// The resource, if it is of this kind.
    fn of(object: &Object) -> Option<&Arc<Self>>;
}

macro_rules! declarable {
    ($($type:ty => $variant:ident),* $(,)?) => {
        $(impl Declarable for $type {
            fn into_object(self: Arc<Self>) -> Object {
                Object::$variant(self)
            }

            fn of(object: &Object) -> Option<&Arc<Self>> {
                if let Object::$variant(object) = object { Some(object) } else { None }
            }
        })*
    };
}

declarable! {
    PluvoUser => User,
    PluvoGroup => Group,
    PluvoGroupMembership => Membership,
    TrainingAssignment => Assignment,
}

/// Names a resource.
#[must_use]
pub fn key_of<K: Managed>(object: &K) -> ResourceKey {
    ResourceKey::new(
        K::KIND,
        object.meta().namespace.as_deref().unwrap_or_default(),
        object.meta().name.as_deref().unwrap_or_default(),
    )
}

fn connection_of(management: &Management, namespace: &str) -> ConnectionKey {
    let ConnectionRef {
        name,
        namespace: elsewhere,
    } = &management.connection_ref;
    ConnectionKey::new(elsewhere.as_deref().unwrap_or(namespace), name)
}

/// All declared resources and connections.
#[derive(Debug, Default)]
pub struct Registry {
    objects: HashMap<ResourceKey, Object>,
    connections: HashMap<ConnectionKey, Arc<PluvoConnection>>,
    on_connection: HashMap<ConnectionKey, BTreeSet<ResourceKey>>,
    by_ref: HashMap<(ConnectionKey, Kind, String), BTreeSet<ResourceKey>>,
    by_target: HashMap<(ConnectionKey, Kind, Target), BTreeSet<ResourceKey>>,
    undecodable: HashSet<ResourceKey>,
    incomplete: HashSet<Kind>,
}

impl Registry {
    /// An empty registry in which the watches of all kinds are still to be completed.
    #[must_use]
    pub fn awaiting_watches() -> Self {
        Self {
            incomplete: Kind::ALL.into(),
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
        self.objects.keys().chain(&self.undecodable)
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
        self.on_connection.get(key).into_iter().flatten()
    }

    /// Takes in a connection.
    pub fn set_connection(&mut self, key: ConnectionKey, connection: Arc<PluvoConnection>) {
        self.connections.insert(key, connection);
    }

    /// Forgets a connection.
    pub fn remove_connection(&mut self, key: &ConnectionKey) {
        self.connections.remove(key);
    }

    /// Takes in a resource, new or changed. Returns whose plan may be another one now.
    pub fn set(&mut self, object: Object) -> BTreeSet<ResourceKey> {
        let key = object.key();
        self.undecodable.remove(&key);
        let before = self.unlink(&key);
        let mut woken = BTreeSet::new();
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
        self.undecodable.remove(key);
        self.unlink(key)
            .map(|object| self.affected(&object))
            .unwrap_or_default()
    }

    /// Takes note of a resource that cannot be decoded: a claim of unknown extent.
    pub fn set_undecodable(&mut self, key: ResourceKey) {
        self.unlink(&key);
        self.undecodable.insert(key);
    }

    /// Whether some resource that may declare subjects cannot be decoded. Nothing is removed then.
    #[must_use]
    pub fn has_unknown_claims(&self) -> bool {
        !self.is_complete() || self.undecodable.iter().any(|key| key.kind != Kind::Group)
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
        let claimants = self.by_ref.get(&(connection.clone(), kind, reference.to_owned()))?;
        claimants
            .iter()
            .filter_map(|key| self.objects.get(key))
            .filter(|object| !object.is_deleting())
            .min_by_key(|object| object.age())
    }

    /// The e-mail address that a live resource declares for a ref; see [`UserContext`](super::user::UserContext).
    #[must_use]
    pub fn declared_email(&self, connection: &ConnectionKey, reference: &str) -> Option<Option<String>> {
        match self.owner_of(connection, Kind::User, reference)? {
            Object::User(user) => Some(user.spec.email.clone()),
            Object::Group(_) | Object::Membership(_) | Object::Assignment(_) => None,
        }
    }

    /// Whether a user is never a subject: archived, or being deleted with the account.
    #[must_use]
    pub fn is_excluded(&self, connection: &ConnectionKey, reference: &str) -> bool {
        let Some(claimants) = self.by_ref.get(&(connection.clone(), Kind::User, reference.to_owned())) else {
            return false;
        };
        let mut live = claimants.iter().filter_map(|key| self.objects.get(key)).peekable();
        live.peek().is_some()
            && live.all(|object| object.is_deleting() || matches!(object, Object::User(user) if user.spec.archived))
    }

    /// What is claimed for a place, by ref and by id, the oldest claim first.
    #[must_use]
    pub fn claims(&self, connection: &ConnectionKey, kind: Kind, targets: &[Target]) -> Vec<Claim> {
        let keys: BTreeSet<_> = targets
            .iter()
            .filter_map(|target| self.by_target.get(&(connection.clone(), kind, target.clone())))
            .flatten()
            .collect();
        let mut objects: Vec<_> = keys.into_iter().filter_map(|key| self.objects.get(key)).collect();
        objects.sort_by_key(|object| object.age());
        objects.into_iter().filter_map(|object| claim(object, self)).collect()
    }

    /// The refs of the users on a connection whose labels match.
    #[must_use]
    pub fn select(&self, connection: &ConnectionKey, selector: &kube::core::Selector) -> Vec<String> {
        use kube::core::SelectorExt;
        let users = self
            .on_connection(connection)
            .filter(|key| key.kind == Kind::User)
            .filter_map(|key| self.objects.get(key));
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
        let claimants = of.and_then(|of| self.by_ref.get(&of)).into_iter().flatten();
        claimants
            .filter(move |other| **other != key)
            .filter_map(|other| self.objects.get(other))
    }

    /// Whose plan depends on this object, besides its own.
    fn affected(&self, object: &Object) -> BTreeSet<ResourceKey> {
        let mut affected: BTreeSet<_> = self.claimants(object).map(Object::key).collect();
        affected.extend(self.siblings(object));
        if let Object::User(user) = object {
            let connection = object.connection();
            let places = self
                .on_connection(&connection)
                .filter(|key| matches!(key.kind, Kind::Membership | Kind::Assignment));
            affected.extend(
                places
                    .filter(|key| {
                        self.objects
                            .get(key)
                            .is_some_and(|place| super::claims::may_declare(place, user))
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
        let siblings = self.by_target.get(&(object.connection(), key.kind, target.clone()));
        siblings
            .into_iter()
            .flatten()
            .filter(|sibling| **sibling != key)
            .cloned()
            .collect()
    }

    fn link(&mut self, key: ResourceKey, object: Object) {
        let connection = object.connection();
        self.on_connection
            .entry(connection.clone())
            .or_default()
            .insert(key.clone());
        if let Some(reference) = object.reference() {
            self.by_ref
                .entry((connection.clone(), key.kind, reference.to_owned()))
                .or_default()
                .insert(key.clone());
        }
        if let Some(target) = object.target() {
            self.by_target
                .entry((connection, key.kind, target.clone()))
                .or_default()
                .insert(key.clone());
        }
        self.objects.insert(key, object);
    }

    fn unlink(&mut self, key: &ResourceKey) -> Option<Object> {
        let object = self.objects.remove(key)?;
        let connection = object.connection();
        remove_from(&mut self.on_connection, connection.clone(), key);
        if let Some(reference) = object.reference() {
            remove_from(
                &mut self.by_ref,
                (connection.clone(), key.kind, reference.to_owned()),
                key,
            );
        }
        if let Some(target) = object.target() {
            remove_from(&mut self.by_target, (connection, key.kind, target.clone()), key);
        }
        Some(object)
    }
}

fn remove_from<I: std::hash::Hash + Eq>(index: &mut HashMap<I, BTreeSet<ResourceKey>>, at: I, key: &ResourceKey) {
    if let std::collections::hash_map::Entry::Occupied(mut entry) = index.entry(at) {
        entry.get_mut().remove(key);
        if entry.get().is_empty() {
            entry.remove();
        }
    }
}
