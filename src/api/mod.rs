//! What people write: the resources of group `pluvo.dev`, their status, conditions and reasons. No I/O.
//!
//! Shapes follow the Kubernetes API conventions; enum values of Pluvo are written as Pluvo writes them, ours in
//! CamelCase.

pub mod annotations;
pub mod assignment;
pub mod certificates;
pub mod common;
pub mod connection;
pub mod duration;
pub mod enrollment;
pub mod findings;
pub mod group;
pub mod inactive;
pub mod membership;
pub mod progress;
pub mod reason;
pub mod reporting;
mod selector;
pub mod status;
pub mod subjects;
pub mod user;

mod crds;
#[cfg(test)]
mod tests;

use std::borrow::Cow;

use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use kube::CustomResourceExt;

pub use assignment::{TrainingAssignment, TrainingAssignmentSpec};
pub use certificates::{CertificateMonitor, CertificateMonitorSpec};
pub use common::{ConnectionRef, Management, Mode};
pub use connection::{PluvoConnection, PluvoConnectionSpec, PluvoConnectionStatus};
pub use crds::{crd_file_name, crd_names, crds};
pub use duration::Duration;
pub use enrollment::{EventEnrollment, EventEnrollmentSpec};
pub use group::{PluvoGroup, PluvoGroupSpec};
pub use inactive::{InactiveUserReport, InactiveUserReportSpec};
pub use membership::{PluvoGroupMembership, PluvoGroupMembershipSpec};
pub use progress::{ProgressReport, ProgressReportSpec};
pub use reason::Reason;
pub use reporting::Reported;
pub use status::Status;
pub use subjects::DeclaredSubjects;
pub use user::{PluvoUser, PluvoUserSpec};

/// The API group of all our resources.
pub const GROUP: &str = "pluvo.dev";
/// The one version that is served.
pub const VERSION: &str = "v1alpha1";
/// The finalizer of resources that have something to undo in Pluvo.
pub const FINALIZER: &str = "pluvo.dev/finalizer";
/// The one field manager of server-side apply.
pub const FIELD_MANAGER: &str = "pluvo-operator";

/// Calls a macro with all managed kinds: what the code calls each, and its type. A kind is registered here and nowhere
/// else; they stand in the order in which they depend on one another.
macro_rules! for_each_kind {
    ($macro:ident) => {
        $macro! {
            User => PluvoUser,
            Group => PluvoGroup,
            Membership => PluvoGroupMembership,
            Assignment => TrainingAssignment,
            Enrollment => EventEnrollment,
            Progress => ProgressReport,
            Certificates => CertificateMonitor,
            Inactive => InactiveUserReport,
        }
    };
}
pub(crate) use for_each_kind;

macro_rules! kinds {
    ($($kind:ident => $type:ident),* $(,)?) => {
        /// The kinds that declare something in Pluvo. `PluvoConnection` is not among them: it says how to reach Pluvo.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub enum Kind {
            $(#[doc = concat!("[`", stringify!($type), "`]")] $kind),*
        }

        impl Kind {
            /// Every managed kind, in the order in which they depend on one another.
            pub const ALL: &[Self] = &[$(Self::$kind),*];

            /// The kind as manifests name it.
            #[must_use]
            pub fn name(self) -> &'static str {
                match self { $(Self::$kind => stringify!($type)),* }
            }

            /// What a resource of this kind is about, in Pluvo's words.
            #[must_use]
            pub fn noun(self) -> &'static str {
                match self { $(Self::$kind => $type::NOUN),* }
            }

            /// Whether resources of this kind declare who belongs somewhere, and not an object of their own.
            #[must_use]
            pub fn has_subjects(self) -> bool {
                match self { $(Self::$kind => $type::HAS_SUBJECTS),* }
            }

            /// The definition of the kind, with the status that all kinds share.
            fn crd(self) -> CustomResourceDefinition {
                match self { $(Self::$kind => $type::crd()),* }
            }

            /// The name of its definition.
            fn crd_name(self) -> &'static str {
                match self { $(Self::$kind => $type::crd_name()),* }
            }

            /// The parts of the status that not every kind has, and this one does.
            fn status_parts(self) -> &'static [&'static str] {
                match self { $(Self::$kind => $type::STATUS_PARTS),* }
            }
        }
    };
}
for_each_kind!(kinds);

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
    /// What a resource of this kind is about, in Pluvo's words.
    const NOUN: &'static str;
    /// Whether [`Self::subjects`] are what it declares.
    const HAS_SUBJECTS: bool = false;
    /// Those of [`status::PARTS`] that resources of this kind have.
    const STATUS_PARTS: &'static [&'static str];

    /// The settings that every kind has. What never writes has mode Observe.
    fn management(&self) -> Cow<'_, Management>;
    /// The last written status.
    fn status(&self) -> Option<&Status>;
    /// Its ref in Pluvo, where it declares an object of its own.
    fn reference(&self) -> Option<&str> {
        None
    }
    /// Who belongs where, where it declares that.
    fn subjects(&self) -> Option<DeclaredSubjects<'_>> {
        None
    }
    /// What it reports about, where it reports.
    fn reported(&self) -> Option<Reported<'_>> {
        None
    }
    /// Whether what is decided about it may be another matter when a user is declared, or is not any more; subjects
    /// apart.
    fn depends_on_users(&self) -> bool {
        false
    }
}
