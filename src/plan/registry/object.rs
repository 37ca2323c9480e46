//! A managed resource of any kind.

use std::{borrow::Cow, sync::Arc};

use kube::Resource;

use serde_json::Value;

use crate::api::{
    self, ConnectionRef, DeclaredSubjects, Kind, Managed, Management, Status, annotations,
    common::Target,
    for_each_kind,
    reason::{Reason, condition},
};

use super::super::key::{ConnectionKey, ResourceKey};

macro_rules! objects {
    ($($kind:ident => $type:ident),* $(,)?) => {
        /// A managed resource of any kind.
        #[derive(Clone, Debug)]
        pub enum Object {
            $(#[doc = concat!("[`", stringify!($type), "`](crate::api::", stringify!($type), ")")] $kind(Arc<api::$type>)),*
        }

        impl Object {
            /// A resource of a kind, from JSON.
            ///
            /// # Errors
            ///
            /// The JSON does not fit the kind's definition.
            pub fn decode(kind: Kind, json: Value) -> serde_json::Result<Self> {
                Ok(match kind { $(Kind::$kind => Self::$kind(Arc::new(serde_json::from_value(json)?))),* })
            }

            /// Names the resource.
            #[must_use]
            pub fn key(&self) -> ResourceKey {
                match self { $(Self::$kind(object) => key_of(&**object)),* }
            }

            /// Its metadata.
            #[must_use]
            pub fn meta(&self) -> &kube::core::ObjectMeta {
                match self { $(Self::$kind(object) => object.meta()),* }
            }

            /// The settings that every kind has.
            #[must_use]
            pub fn management(&self) -> Cow<'_, Management> {
                match self { $(Self::$kind(object) => object.management()),* }
            }

            /// Its ref in Pluvo, where it declares an object of its own.
            #[must_use]
            pub fn reference(&self) -> Option<&str> {
                match self { $(Self::$kind(object) => object.reference()),* }
            }

            /// Who belongs where, where it declares that.
            #[must_use]
            pub fn subjects(&self) -> Option<DeclaredSubjects<'_>> {
                match self { $(Self::$kind(object) => object.subjects()),* }
            }

            /// What it reports about, where it reports.
            #[must_use]
            pub fn reported(&self) -> Option<api::Reported<'_>> {
                match self { $(Self::$kind(object) => object.reported()),* }
            }

            /// Whether what is decided about it may be another matter when a user is declared, or is not any more;
            /// subjects apart.
            #[must_use]
            pub fn depends_on_users(&self) -> bool {
                match self { $(Self::$kind(object) => object.depends_on_users()),* }
            }

            fn written_status(&self) -> Option<&Status> {
                match self { $(Self::$kind(object) => Managed::status(&**object)),* }
            }
        }

        $(impl Declarable for api::$type {
            fn into_object(self: Arc<Self>) -> Object {
                Object::$kind(self)
            }

            fn of(object: &Object) -> Option<&Arc<Self>> {
                if let Object::$kind(object) = object { Some(object) } else { None }
            }
        })*
    };
}
for_each_kind!(objects);

impl Object {
    /// The last written status, unless it is about another object.
    #[must_use]
    pub fn status(&self) -> Option<&Status> {
        self.written_status().filter(|status| status.for_uid == self.meta().uid)
    }

    /// Whether it is being deleted.
    #[must_use]
    pub fn is_deleting(&self) -> bool {
        self.meta().deletion_timestamp.is_some()
    }

    /// The connection that it uses.
    #[must_use]
    pub fn connection(&self) -> ConnectionKey {
        connection_of(&self.management(), self.meta().namespace.as_deref().unwrap_or_default())
    }

    /// The place that it puts subjects into, where it has subjects.
    #[must_use]
    pub fn target(&self) -> Option<&Target> {
        self.subjects().map(|subjects| subjects.target)
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
