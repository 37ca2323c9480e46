//! All claims for one place, each with everybody whom it declares.

use std::{borrow::Cow, collections::BTreeSet};

use crate::{api::common::Policy, pluvo::request::GroupRole};

use super::super::{
    Observed, ResourceKey,
    claims::Claim,
    observed::{Lookup, Place},
};

/// The claims for one place, the oldest first.
pub(super) struct Union<'a> {
    claims: Vec<Declared<'a>>,
    mine: usize,
}

/// A claim with everybody whom it declares.
pub(super) struct Declared<'a> {
    pub(super) claim: &'a Claim,
    /// By name, by labels and through groups; `None` where a group's list is not complete.
    all: Option<Cow<'a, BTreeSet<String>>>,
    /// The older claim that has the place to itself.
    rival: Option<&'a ResourceKey>,
}

impl Declared<'_> {
    /// Whether somebody is declared. A group that is not known may hold everybody.
    fn may_hold(&self, reference: &str) -> bool {
        self.all.as_ref().is_none_or(|all| all.contains(reference))
    }

    fn declares(&self, reference: &str) -> bool {
        self.all.as_ref().is_some_and(|all| all.contains(reference))
    }

    /// Whether its passes take over whom others leave behind.
    fn takes_over(&self) -> bool {
        !self.claim.suspended && self.rival.is_none()
    }
}

impl<'a> Union<'a> {
    /// The union of all claims, seen by one of them.
    pub(super) fn of(claims: &'a [Claim], key: &ResourceKey, observed: &impl Observed) -> Option<Self> {
        let mine = claims.iter().position(|claim| claim.key == *key)?;
        let exclusive = |claim: &&Claim| claim.policy == Policy::Exclusive && !claim.deleting;
        let declared = |(index, claim): (usize, &'a Claim)| Declared {
            claim,
            all: expand(claim, observed),
            rival: claims[..index]
                .iter()
                .find(|older| exclusive(older) && exclusive(&claim))
                .map(|older| &older.key),
        };
        Some(Self {
            claims: claims.iter().enumerate().map(declared).collect(),
            mine,
        })
    }

    /// The claim from which this is seen.
    pub(super) fn mine(&self) -> &'a Claim {
        self.claims[self.mine].claim
    }

    /// The older claim that has the place to itself, where mine wants the same.
    pub(super) fn rival(&self) -> Option<&'a ResourceKey> {
        self.claims[self.mine].rival
    }

    /// Everybody whom mine declares; `None` where that is not known.
    pub(super) fn declared(&self) -> Option<BTreeSet<String>> {
        self.claims[self.mine].all.clone().map(Cow::into_owned)
    }

    /// The claim that is to bring somebody in: the oldest that declares them and whose mode allows it.
    pub(super) fn adder(&self, reference: &str) -> Option<&'a ResourceKey> {
        self.claims
            .iter()
            .find(|known| known.rival.is_none() && known.declares(reference) && known.claim.may_add(reference))
            .map(|known| &known.claim.key)
    }

    /// Other live claims that hold somebody.
    pub(super) fn holders(&self, reference: &str) -> Vec<&Declared<'a>> {
        let others = self.others().filter(|known| !known.claim.deleting);
        others.filter(|known| known.may_hold(reference)).collect()
    }

    /// Whether any live claim, mine included, holds somebody.
    pub(super) fn is_held(&self, reference: &str) -> bool {
        let live = self.claims.iter().filter(|known| !known.claim.deleting);
        live.into_iter().any(|known| known.may_hold(reference))
    }

    /// Whether another claim added somebody and declares them no longer.
    pub(super) fn is_abandoned(&self, reference: &str) -> bool {
        self.others().any(|known| {
            known.claim.inventory.contains(reference) && (known.claim.deleting || !known.may_hold(reference))
        })
    }

    fn others(&self) -> impl Iterator<Item = &Declared<'a>> {
        let mine = self.mine;
        let others = self.claims.iter().enumerate().filter(move |(index, _)| *index != mine);
        others.map(|(_, known)| known)
    }
}

/// Whether one of those who hold somebody has them in its own inventory, so that it answers for the removal.
pub(super) fn has_taken_over(holders: &[&Declared<'_>], reference: &str) -> bool {
    holders.iter().any(|known| known.claim.inventory.contains(reference))
}

/// The first of those who hold somebody whose passes will take them over.
pub(super) fn successor<'a>(holders: &[&Declared<'a>]) -> Option<&'a ResourceKey> {
    holders
        .iter()
        .find(|known| known.takes_over())
        .map(|known| &known.claim.key)
}

/// Declared refs, with everybody who takes part in the declared groups; `None` where a group's list is not complete.
fn expand<'a>(claim: &'a Claim, observed: &impl Observed) -> Option<Cow<'a, BTreeSet<String>>> {
    let mut declared = Cow::Borrowed(&claim.declared);
    for group in &claim.groups {
        let group = match observed.group_by_ref(group) {
            Lookup::Unknown => return None,
            Lookup::Absent => continue,
            Lookup::Found(group) => group,
        };
        let members = observed.everybody(&Place::Group(group.id.clone(), GroupRole::Participant));
        let refs = members.found()?.into_iter().filter_map(|user| user.reference.clone());
        declared.to_mut().extend(refs.map(|reference| reference.to_string()));
    }
    Some(declared)
}
