//! Who claims whom for a place. For one (organization, place) the desired subjects are the union over all live claims.

use std::collections::BTreeSet;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::LabelSelector;
use kube::core::{Selector, SelectorExt};

use crate::api::{
    Mode, PluvoUser,
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
    let parts = Parts::of(object)?;
    let mut declared: BTreeSet<String> = parts.users.iter().cloned().collect();
    if let Some(selector) = parts.selector() {
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
        policy: parts.policy,
        role: parts.role,
        mode: registry.mode(object),
        suspended: object.management().suspend,
        deleting: object.is_deleting(),
        declared,
        groups: parts.groups.to_vec(),
        inventory: set(|status| &status.inventory),
        found: set(|status| &status.found),
        pending: set(|status| &status.pending),
        deletion_policy: parts.deletion_policy,
    })
}

/// Whether a resource with subjects may declare a user, by name or by labels.
pub(super) fn may_declare(object: &Object, user: &PluvoUser) -> bool {
    let Some(parts) = Parts::of(object) else { return false };
    let empty = std::collections::BTreeMap::new();
    let labels = user.metadata.labels.as_ref().unwrap_or(&empty);
    parts.users.contains(&user.spec.reference) || parts.selector().is_some_and(|selector| selector.matches(labels))
}

struct Parts<'a> {
    users: &'a [String],
    selector: Option<&'a LabelSelector>,
    groups: &'a [String],
    policy: Policy,
    role: GroupRole,
    deletion_policy: SubjectsDeletionPolicy,
}

impl<'a> Parts<'a> {
    fn of(object: &'a Object) -> Option<Self> {
        match object {
            Object::Membership(membership) => Some(Self {
                users: membership.spec.users.as_deref().unwrap_or_default(),
                selector: membership.spec.user_selector.as_ref(),
                groups: &[],
                policy: membership.spec.policy,
                role: membership.spec.role,
                deletion_policy: membership.spec.deletion_policy.unwrap_or(
                    if membership.spec.policy == Policy::Additive {
                        SubjectsDeletionPolicy::Orphan
                    } else {
                        SubjectsDeletionPolicy::Remove
                    },
                ),
            }),
            Object::Assignment(assignment) => Some(Self {
                users: assignment.spec.users.as_deref().unwrap_or_default(),
                selector: assignment.spec.user_selector.as_ref(),
                groups: assignment.spec.groups.as_deref().unwrap_or_default(),
                policy: assignment.spec.policy,
                role: GroupRole::Participant,
                deletion_policy: assignment.spec.deletion_policy,
            }),
            Object::User(_) | Object::Group(_) => None,
        }
    }

    /// A selector that cannot be understood selects nobody; the API server refuses most of them.
    fn selector(&self) -> Option<Selector> {
        Selector::try_from(self.selector?.clone()).ok()
    }
}
