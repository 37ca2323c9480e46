//! Who belongs where, the same for all kinds that declare it.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::LabelSelector;

use super::{
    common::{Policy, Target},
    membership::{GroupRole, SubjectsDeletionPolicy},
};

/// Who belongs where, as a resource declares it.
#[derive(Clone, Copy, Debug)]
pub struct DeclaredSubjects<'a> {
    /// Where.
    pub target: &'a Target,
    /// In what role; who is declared in another role is declared for another place.
    pub role: GroupRole,
    /// What happens to those who are not declared.
    pub policy: Policy,
    /// Refs of users.
    pub users: &'a [String],
    /// Labels of users.
    pub selector: Option<&'a LabelSelector>,
    /// Refs of groups whose participants are declared.
    pub groups: &'a [String],
    /// What happens on deletion.
    pub deletion_policy: SubjectsDeletionPolicy,
}
