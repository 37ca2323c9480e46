//! What people write: the resources of group `pluvo.dev`, their status, conditions and reasons. No I/O.
//!
//! Shapes follow the Kubernetes API conventions; enum values of Pluvo are written as Pluvo writes them, ours in
//! CamelCase.

pub mod annotations;
pub mod assignment;
pub mod common;
pub mod connection;
pub mod group;
pub mod membership;
pub mod reason;
pub mod status;
pub mod user;

mod crds;
#[cfg(test)]
mod tests;

pub use assignment::{TrainingAssignment, TrainingAssignmentSpec};
pub use common::{ConnectionRef, Management, Mode};
pub use connection::{PluvoConnection, PluvoConnectionSpec, PluvoConnectionStatus};
pub use crds::{crd_file_name, crds};
pub use group::{PluvoGroup, PluvoGroupSpec};
pub use membership::{PluvoGroupMembership, PluvoGroupMembershipSpec};
pub use reason::Reason;
pub use status::Status;
pub use user::{PluvoUser, PluvoUserSpec};

/// The API group of all our resources.
pub const GROUP: &str = "pluvo.dev";
/// The one version that is served.
pub const VERSION: &str = "v1alpha1";
/// The finalizer of resources that have something to undo in Pluvo.
pub const FINALIZER: &str = "pluvo.dev/finalizer";
/// The one field manager of server-side apply.
pub const FIELD_MANAGER: &str = "pluvo-operator";

/// The kinds that declare something in Pluvo. `PluvoConnection` is not among them: it says how to reach Pluvo.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Kind {
    /// [`PluvoUser`]
    User,
    /// [`PluvoGroup`]
    Group,
    /// [`PluvoGroupMembership`]
    Membership,
    /// [`TrainingAssignment`]
    Assignment,
}

impl Kind {
    /// Every managed kind, in the order in which they depend on one another.
    pub const ALL: [Self; 4] = [Self::User, Self::Group, Self::Membership, Self::Assignment];

    /// The kind as manifests name it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::User => "PluvoUser",
            Self::Group => "PluvoGroup",
            Self::Membership => "PluvoGroupMembership",
            Self::Assignment => "TrainingAssignment",
        }
    }
}

/// A resource that declares something in Pluvo. Everything that is the same for all kinds goes through this trait.
pub trait Managed:
    kube::Resource<DynamicType = (), Scope = kube::core::NamespaceResourceScope>
    + serde::Serialize
    + serde::de::DeserializeOwned
    + Clone
    + std::fmt::Debug
    + Send
    + Sync
    + 'static
{
    /// Which kind this is.
    const KIND: Kind;

    /// The settings that every kind has.
    fn management(&self) -> &Management;
    /// The last written status.
    fn status(&self) -> Option<&Status>;
}

macro_rules! managed {
    ($type:ty, $kind:expr) => {
        impl Managed for $type {
            const KIND: Kind = $kind;

            fn management(&self) -> &Management {
                &self.spec.management
            }

            fn status(&self) -> Option<&Status> {
                self.status.as_ref()
            }
        }
    };
}

managed!(PluvoUser, Kind::User);
managed!(PluvoGroup, Kind::Group);
managed!(PluvoGroupMembership, Kind::Membership);
managed!(TrainingAssignment, Kind::Assignment);
