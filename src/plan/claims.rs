//! Who claims whom for a place. For one (organization, place) the desired subjects are the union over all live claims.

use std::collections::BTreeSet;

use kube::core::{Selector, SelectorExt};

use crate::api::{
    DeclaredSubjects, Mode, PluvoUser,
    common::Policy,
    membership::{GroupRole, SubjectsDeletionPolicy},
};

use super::{
    key::ResourceKey,
    registry::{Object, Registry},
};

/// What one resource claims for a place.
#[derive(Clone, Debug)]
pub struct Claim {
    /// The resource.
    pub key: ResourceKey,
    /// What happens to those who are not declared.
    pub policy: Policy,
    /// In what role; claims of another role are about another place.
    pub role: GroupRole,
    /// The mode in effect.
    pub mode: Mode,
    /// `spec.suspend`
    pub suspended: bool,
    /// Whether the resource is being deleted: then it claims nobody.
    pub deleting: bool,
    /// Refs that are declared by name or by labels.
    pub declared: BTreeSet<String>,
    /// Refs of groups whose participants are declared.
    pub groups: Vec<String>,
    /// `status.inventory`
    pub inventory: BTreeSet<String>,
    /// `status.found`
    pub found: BTreeSet<String>,
    /// `status.pending`
    pub pending: BTreeSet<String>,
    /// What happens on deletion.
    pub deletion_policy: SubjectsDeletionPolicy,
}

impl Claim {
    /// Whether this resource may add a subject in its mode. What it added before and is missing is drift.
    #[must_use]
    pub fn may_add(&self, reference: &str) -> bool {
        let drift =
            !self.pending.contains(reference) && (self.inventory.contains(reference) || self.found.contains(reference));
        let allowed = match self.mode {
            Mode::Observe => false,
            Mode::Apply => !drift,
            Mode::Correct => true,
        };
        allowed && !self.suspended && !self.deleting
    }
}

/// The claim of a resource that has subjects.
pub(super) fn claim(object: &Object, registry: &Registry) -> Option<Claim> {
    let subjects = object.subjects()?;
    let mut declared: BTreeSet<String> = subjects.users.iter().cloned().collect();
    if let Some(selector) = selector(&subjects) {
        declared.extend(registry.select(&object.connection(), &selector));
    }
    let set = |list: fn(&crate::api::Status) -> &Vec<String>| {
        object
            .status()
            .map(|status| list(status).iter().cloned().collect())
            .unwrap_or_default()
    };
    Some(Claim {
        key: object.key(),
        policy: subjects.policy,
        role: subjects.role,
        mode: registry.mode(object),
        suspended: object.management().suspend,
        deleting: object.is_deleting(),
        declared,
        groups: subjects.groups.to_vec(),
        inventory: set(|status| &status.inventory),
        found: set(|status| &status.found),
        pending: set(|status| &status.pending),
        deletion_policy: subjects.deletion_policy,
    })
}

/// Whether a resource with subjects may declare a user, by name or by labels.
pub(super) fn may_declare(object: &Object, user: &PluvoUser) -> bool {
    let Some(subjects) = object.subjects() else {
        return false;
    };
    let empty = std::collections::BTreeMap::new();
    let labels = user.metadata.labels.as_ref().unwrap_or(&empty);
    subjects.users.contains(&user.spec.reference)
        || selector(&subjects).is_some_and(|selector| selector.matches(labels))
}

/// A selector that cannot be understood selects nobody; the API server refuses those.
fn selector(subjects: &DeclaredSubjects<'_>) -> Option<Selector> {
    Selector::try_from(subjects.selector?.clone()).ok()
}
