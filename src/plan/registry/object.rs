//! A managed resource of any kind.

use std::sync::Arc;

use kube::Resource;

use crate::api::{
    ConnectionRef, Managed, Management, PluvoGroup, PluvoGroupMembership, PluvoUser, Status, TrainingAssignment,
    annotations,
    common::Target,
    reason::{Reason, condition},
};

use super::super::key::{ConnectionKey, ResourceKey};

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

    /// The ids of that place, as far as spec and status name them.
    pub(super) fn places(&self) -> Vec<String> {
        let Some(target) = self.target() else {
            return Vec::new();
        };
        let seen = self.status().and_then(|status| status.id.clone());
        target.id.iter().cloned().chain(seen).collect()
    }

    /// Whether it waits for an account that another resource may let go of.
    pub(super) fn waits_for_account(&self) -> bool {
        let reasons = [Reason::IdentityConflict.as_str(), Reason::DependencyNotReady.as_str()];
        let conditions = self.status().into_iter().flat_map(|status| &status.conditions);
        let ready = conditions.into_iter().find(|known| known.type_ == condition::READY);
        matches!(self, Self::User(_)) && ready.is_some_and(|ready| reasons.contains(&&*ready.reason))
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
