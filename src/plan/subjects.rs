//! Subjects in a place: who is declared, who is there, who goes in and who goes out.
//!
//! A pure function of the claims of all live resources and of what is observed. Each resource writes only what is
//! attributed to it: an addition belongs to the oldest claim whose mode allows it; a removal to the resource whose
//! inventory holds the subject, or to the Exclusive one, and only if no live claim of any policy holds it.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use crate::{
    api::{
        Mode, Reason,
        common::Policy,
        membership::SubjectsDeletionPolicy,
        status::{DriftKind, Subjects},
    },
    pluvo::{
        model::{Id, User},
        request::MembershipChange,
    },
};

use super::{
    Action, Call, Cause, Decision, Difference, Finalizer, Identity, Observed, Subject, Verdict, Write,
    claims::Claim,
    decision::SubjectsReport,
    object,
    observed::{Key, Lookup, Outcome, Place, Presence},
};

/// The lists of one status may not hold more than this, in bytes.
const MAX_LISTED: usize = 512 * 1024;
/// How many names a message holds.
const SHOWN: usize = 5;
/// The path whose fingerprint says that an Exclusive membership was in sync once.
const EXCLUSIVE: &str = "policy";

/// The place that subjects are put into, and how.
pub struct Target<'a> {
    /// What people call it, such as `group dept-rnd`.
    pub title: String,
    /// The place in Pluvo.
    pub place: Place,
    /// Its id.
    pub id: Id,
    /// All claims for the place, the oldest first.
    pub claims: &'a [Claim],
    /// Whether a selection of nobody may remove everybody.
    pub allow_empty: bool,
    /// Whether Pluvo tells those who are added by mail.
    pub mail: bool,
    /// Whether removals must wait: a watch or a resource is not known completely.
    pub unknown_claims: bool,
    /// Whether a user is never a subject, by what is declared.
    pub is_excluded: &'a dyn Fn(&str) -> bool,
    /// Whether a live resource declares the user, so that a missing account is about to be made.
    pub is_declared_user: &'a dyn Fn(&str) -> bool,
}

/// A declared person.
struct Person {
    user: Lookup<Arc<User>>,
    presence: Presence,
}

/// Plans the subjects of one live resource.
pub fn plan(target: &Target<'_>, subject: &Subject<'_>, observed: &impl Observed) -> Decision {
    let Some(mine) = target.claims.iter().find(|claim| claim.key == *subject.key) else {
        return Decision::unobserved(observed.available());
    };
    if let Some(decision) = refuse(target, mine) {
        return decision;
    }
    let Some(declared) = expand(mine, observed) else {
        return Decision::unobserved(observed.available());
    };
    let mut pass = Pass {
        target,
        mine,
        subject,
        observed,
        out: Outcomes::default(),
    };
    let people = pass.look_up(&declared);
    if people
        .values()
        .any(|person| matches!(person.user, Lookup::Unknown) || person.presence == Presence::Unknown)
    {
        return Decision::unobserved(observed.available());
    }
    if mine.policy != Policy::Additive && pass.has_unknown(mine.inventory.difference(&declared)) {
        return Decision::unobserved(observed.available());
    }
    if people.is_empty() && !mine.inventory.is_empty() && !target.allow_empty && mine.policy != Policy::Additive {
        let message = format!(
            "nobody is selected any more, and {} who were added to {} would be removed; nobody is removed. Set allowEmpty: true if that is meant",
            mine.inventory.len(),
            target.title
        );
        return object::known(Verdict::stalled(Reason::EmptySelection, message));
    }
    pass.additions(&people);
    pass.removals(&declared);
    pass.finish()
}

/// Plans the end of one resource: what it added and nobody else declares goes.
pub fn plan_deletion(target: &Target<'_>, subject: &Subject<'_>, observed: &impl Observed) -> Decision {
    let Some(mine) = target.claims.iter().find(|claim| claim.key == *subject.key) else {
        return Decision::release("everybody stays");
    };
    if mine.deletion_policy == SubjectsDeletionPolicy::Orphan
        || mine.policy == Policy::Additive
        || subject.mode == Mode::Observe
        || mine.inventory.is_empty()
    {
        return Decision::release("everybody stays");
    }
    if target.unknown_claims {
        let message = "waits until everything that may declare subjects is known".to_owned();
        return Decision {
            deletion_blocked: Some(message),
            ..Decision::unobserved(observed.available())
        };
    }
    let mut pass = Pass {
        target,
        mine,
        subject,
        observed,
        out: Outcomes::default(),
    };
    pass.withdraw()
}

/// The place does not exist in Pluvo (yet). `is_declared`: a live resource is about to make it.
#[must_use]
pub fn missing_place(kind: &str, name: &str, near: &[String], is_declared: bool) -> Decision {
    let verdict = Verdict::reconciling(Reason::DependencyNotReady, super::near(kind, name, near));
    object::known(Verdict {
        fleeting: is_declared,
        ..verdict
    })
}

fn refuse(target: &Target<'_>, mine: &Claim) -> Option<Decision> {
    let rival = target
        .claims
        .iter()
        .take_while(|claim| claim.key != mine.key)
        .find(|claim| claim.policy == Policy::Exclusive && !claim.deleting);
    if let (Policy::Exclusive, Some(rival)) = (mine.policy, rival) {
        let message = format!(
            "{} already claims {} exclusively; only one may",
            rival.key, target.title
        );
        return Some(object::known(Verdict::stalled(Reason::TargetConflict, message)));
    }
    None
}

/// Declared refs, with everybody who takes part in the declared groups; `None` where a group's list is not complete.
fn expand(claim: &Claim, observed: &impl Observed) -> Option<BTreeSet<String>> {
    let mut declared = claim.declared.clone();
    for group in &claim.groups {
        match observed.group_by_ref(group) {
            Lookup::Unknown => return None,
            Lookup::Absent => {}
            Lookup::Found(group) => {
                let members = match observed.everybody(&Place::Group(
                    group.id.clone(),
                    crate::pluvo::request::GroupRole::Participant,
                )) {
                    Lookup::Found(members) => members,
                    Lookup::Absent | Lookup::Unknown => return None,
                };
                declared.extend(
                    members
                        .iter()
                        .filter_map(|user| user.reference.as_deref().map(str::to_owned)),
                );
            }
        }
    }
    Some(declared)
}

#[derive(Default)]
struct Outcomes {
    counts: Subjects,
    inventory: BTreeSet<String>,
    found: BTreeSet<String>,
    pending: BTreeSet<String>,
    mailed: BTreeSet<String>,
    drift: Vec<Difference>,
    changes: Vec<Difference>,
    waiting: Vec<Difference>,
    calls: BTreeMap<(Step, Cause, bool), Addressees>,
    refused: Vec<String>,
    refusal: Option<Arc<str>>,
    missing: Vec<String>,
    arriving: i64,
    linked: Vec<String>,
    awaited: usize,
    waits_for_sibling: i64,
    exclusive_in_sync: bool,
}

/// Whom one call is about.
#[derive(Default)]
struct Addressees {
    users: Vec<Id>,
    refs: Vec<String>,
    writes: Vec<Write>,
}

/// Additions are sent before removals.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Step {
    Add,
    Remove,
}

struct Pass<'a, O> {
    target: &'a Target<'a>,
    mine: &'a Claim,
    subject: &'a Subject<'a>,
    observed: &'a O,
    out: Outcomes,
}

impl<O: Observed> Pass<'_, O> {
    /// Everybody who is declared and not excluded, with where they are.
    fn look_up(&mut self, declared: &BTreeSet<String>) -> BTreeMap<String, Person> {
        let mut people = BTreeMap::new();
        for reference in declared {
            let user = self.observed.user_by_ref(reference);
            let archived = matches!(&user, Lookup::Found(user) if user.archived);
            if archived || (self.target.is_excluded)(reference) {
                self.out.counts.excluded += 1;
                self.keep_lists(reference);
                continue;
            }
            let presence = match &user {
                Lookup::Found(user) => self.observed.presence(&self.target.place, &user.id),
                Lookup::Absent => Presence::Absent,
                Lookup::Unknown => Presence::Unknown,
            };
            people.insert(reference.clone(), Person { user, presence });
        }
        self.out.counts.declared = i64::try_from(people.len()).unwrap_or(i64::MAX);
        people
    }

    fn keep_lists(&mut self, reference: &str) {
        if self.mine.inventory.contains(reference) {
            self.out.inventory.insert(reference.to_owned());
        }
        if self.mine.found.contains(reference) {
            self.out.found.insert(reference.to_owned());
        }
    }

    fn additions(&mut self, people: &BTreeMap<String, Person>) {
        self.out.mailed = self
            .subject
            .status
            .map(|status| status.mailed.iter().cloned().collect())
            .unwrap_or_default();
        for (reference, person) in people {
            self.keep_lists(reference);
            self.take_over(reference);
            match (&person.user, person.presence) {
                (Lookup::Found(_), Presence::Present | Presence::Leaving) => self.is_there(reference),
                (Lookup::Found(_), Presence::Arriving) => {
                    self.out.counts.waiting += 1;
                    self.out.arriving += 1;
                    self.out.pending.extend(self.mine.pending.get(reference).cloned());
                }
                (Lookup::Found(user), _) => self.is_missing(reference, user),
                _ => self.does_not_exist(reference),
            }
        }
    }

    fn is_there(&mut self, reference: &str) {
        self.out.counts.applied += 1;
        if !self.out.inventory.contains(reference) {
            self.out.found.insert(reference.to_owned());
        }
    }

    /// A subject that a sibling added and no longer declares becomes ours, so that somebody answers for the removal.
    fn take_over(&mut self, reference: &str) {
        let abandoned = self.target.claims.iter().any(|claim| {
            claim.key != self.mine.key
                && claim.inventory.contains(reference)
                && (claim.deleting || !claim.declared.contains(reference))
        });
        if abandoned {
            self.out.found.remove(reference);
            self.out.inventory.insert(reference.to_owned());
        }
    }

    fn does_not_exist(&mut self, reference: &str) {
        self.out.counts.waiting += 1;
        let declared = (self.target.is_declared_user)(reference);
        self.out.awaited += usize::from(declared);
        // Looking for what resembles a name reads every user: only for those who are named in the message.
        let named = !declared && self.out.missing.len() < SHOWN;
        let near = if named {
            self.observed.near_matches(&Key::UserRef(reference.into()))
        } else {
            Vec::new()
        };
        self.out.missing.push(super::near("user", reference, &near));
        self.out.waiting.push(difference(reference, DriftKind::Missing));
    }

    fn is_missing(&mut self, reference: &str, user: &User) {
        let known = self.mine.inventory.contains(reference) || self.mine.found.contains(reference);
        let drifted = (known && !self.mine.pending.contains(reference)) || self.subject.mode == Mode::Observe;
        let cause = if drifted { Cause::Drift } else { Cause::Change };
        let write = Write::of(self.subject.uid, &path(reference), "in");
        if drifted {
            self.out.drift.push(difference(reference, DriftKind::Missing));
        } else {
            self.out.changes.push(difference(reference, DriftKind::Missing));
        }
        if let Some(Outcome::Refused(message)) = self.observed.outcome(&write.fingerprint) {
            self.out.counts.refused += 1;
            self.out.inventory.remove(reference);
            self.out.refused.push(reference.to_owned());
            self.out.refusal = Some(message);
            return;
        }
        self.out.counts.waiting += 1;
        let first = self
            .target
            .claims
            .iter()
            .find(|claim| claim.declared.contains(reference) && claim.may_add(reference));
        let ours = first.is_none_or(|claim| claim.key == self.mine.key);
        if !ours {
            self.out.waits_for_sibling += 1;
        } else if self.subject.writes(cause) {
            self.add(reference, user, write, cause);
        }
    }

    fn add(&mut self, reference: &str, user: &User, write: Write, cause: Cause) {
        if !self.out.found.contains(reference) {
            self.out.inventory.insert(reference.to_owned());
            if cause == Cause::Change {
                self.out.pending.insert(reference.to_owned());
            }
        }
        let asked = self.out.mailed.contains(reference) && !self.observed.mail_is_unsent(reference);
        let mail = self.target.mail && cause == Cause::Change && !asked;
        if mail {
            self.out.mailed.insert(reference.to_owned());
        }
        self.call(Step::Add, cause, mail, reference, user, write);
    }

    fn call(&mut self, step: Step, cause: Cause, mail: bool, reference: &str, user: &User, write: Write) {
        let addressees = self.out.calls.entry((step, cause, mail)).or_default();
        addressees.users.push(user.id.clone());
        addressees.refs.push(reference.to_owned());
        addressees.writes.push(write);
    }

    /// Takes out whom this resource added and nobody declares any more; if it is Exclusive, everybody whom nobody declares.
    fn removals(&mut self, declared: &BTreeSet<String>) {
        let undeclared: Vec<_> = self
            .mine
            .inventory
            .iter()
            .filter(|reference| !declared.contains(*reference))
            .cloned()
            .collect();
        if self.mine.policy == Policy::Additive {
            return;
        }
        for reference in undeclared {
            self.undeclared(&reference, Cause::Change);
        }
        if self.mine.policy == Policy::Exclusive {
            self.unexpected();
        }
    }

    fn undeclared(&mut self, reference: &str, cause: Cause) {
        let others = self
            .target
            .claims
            .iter()
            .filter(|claim| claim.key != self.mine.key && !claim.deleting);
        let holders: Vec<_> = others.filter(|claim| self.claims_subject(claim, reference)).collect();
        if !holders.is_empty() {
            if !holders.iter().any(|claim| claim.inventory.contains(reference)) {
                self.out.inventory.insert(reference.to_owned());
            }
            return;
        }
        let Lookup::Found(user) = self.observed.user_by_ref(reference) else {
            return;
        };
        if matches!(
            self.observed.presence(&self.target.place, &user.id),
            Presence::Present | Presence::Arriving
        ) {
            self.out.inventory.insert(reference.to_owned());
            self.remove(reference, &user, cause);
        }
    }

    /// Whether it is not known where one of them is: whoever was added must not be forgotten for that.
    fn has_unknown<'r>(&self, mut references: impl Iterator<Item = &'r String>) -> bool {
        references.any(|reference| match self.observed.user_by_ref(reference) {
            Lookup::Found(user) => self.observed.presence(&self.target.place, &user.id) == Presence::Unknown,
            Lookup::Unknown => true,
            Lookup::Absent => false,
        })
    }

    /// Whether a claim holds a subject, by name, labels or group; a group that is not known holds everybody.
    fn claims_subject(&self, claim: &Claim, reference: &str) -> bool {
        claim.declared.contains(reference)
            || (!claim.groups.is_empty() && expand(claim, self.observed).is_none_or(|all| all.contains(reference)))
    }

    fn unexpected(&mut self) {
        let Lookup::Found(everybody) = self.observed.everybody(&self.target.place) else {
            return;
        };
        let was_in_sync =
            self.subject.applied(EXCLUSIVE) == Some(&*Write::of(self.subject.uid, EXCLUSIVE, "Exclusive").fingerprint);
        let cause = if was_in_sync || self.subject.mode == Mode::Observe {
            Cause::Drift
        } else {
            Cause::Change
        };
        let live: Vec<_> = self.target.claims.iter().filter(|claim| !claim.deleting).collect();
        let strangers: Vec<_> = everybody
            .into_iter()
            .filter(|user| !user.archived)
            .filter(|user| {
                let name = name(user);
                !self.mine.inventory.contains(&name) && !live.iter().any(|claim| self.claims_subject(claim, &name))
            })
            .collect();
        self.out.exclusive_in_sync = strangers.is_empty() || was_in_sync;
        for user in strangers {
            let name = name(&user);
            self.remove(&name, &user, cause);
        }
    }

    fn remove(&mut self, reference: &str, user: &User, cause: Cause) {
        let write = Write::of(self.subject.uid, &path(reference), "out");
        let linked = match self.observed.outcome(&write.fingerprint) {
            Some(Outcome::Refused(message)) => {
                self.out.counts.refused += 1;
                self.out.refused.push(reference.to_owned());
                self.out.refusal = Some(message);
                return;
            }
            Some(Outcome::LinkedViaObject) => true,
            Some(Outcome::Acknowledged) | None => false,
        };
        let unexpected = difference(reference, DriftKind::Unexpected);
        if linked || cause == Cause::Drift {
            self.out.drift.push(unexpected);
        } else {
            self.out.changes.push(unexpected);
        }
        if linked {
            self.out.linked.push(reference.to_owned());
        } else if self.subject.writes(cause) && !self.target.unknown_claims {
            self.call(Step::Remove, cause, false, reference, user, write);
        }
    }

    fn withdraw(&mut self) -> Decision {
        let mut kept = 0;
        if self.has_unknown(self.mine.inventory.iter()) {
            return object::end_unobserved(&self.target.title, "left", self.observed);
        }
        for reference in &self.mine.inventory {
            self.undeclared(reference, Cause::Deletion);
        }
        kept += self.out.inventory.len();
        let calls = self.calls();
        if !self.out.refused.is_empty() {
            let message = self.refusal();
            return Decision {
                calls,
                deletion_blocked: Some(message.clone()),
                ..object::known(Verdict::stalled(Reason::ApiRejected, message))
            };
        }
        if kept == 0 || !self.out.linked.is_empty() && calls.is_empty() {
            return Decision::release("everybody whom it added is gone");
        }
        let blocked = (!self.observed.available()).then(|| {
            format!(
                "{kept} users are to leave {}, and Pluvo cannot be reached",
                self.target.title
            )
        });
        Decision {
            calls,
            changes: std::mem::take(&mut self.out.changes),
            deletion_blocked: blocked,
            ..Decision::only(Verdict::deleting(format!("{kept} users leave {}", self.target.title)))
        }
    }

    fn calls(&mut self) -> Vec<Call> {
        let calls = std::mem::take(&mut self.out.calls).into_iter();
        let held = self.out.awaited > 0 && !self.subject.hold_is_over;
        calls
            .filter(|((step, cause, _), _)| !(held && *step == Step::Add && *cause == Cause::Change))
            .map(|((step, cause, mail), Addressees { users, refs, writes })| {
                let change = if step == Step::Add {
                    MembershipChange::Add
                } else {
                    MembershipChange::Remove
                };
                let action = Action::Subjects {
                    place: self.target.place.clone(),
                    change,
                    users,
                    mail,
                };
                Call {
                    action,
                    cause,
                    mails: if mail { refs } else { Vec::new() },
                    writes,
                }
            })
            .collect()
    }

    fn refusal(&self) -> String {
        let why = self.out.refusal.as_deref().unwrap_or("no reason was given");
        format!(
            "Pluvo refuses {} of {}: {}: {why}",
            self.out.refused.len(),
            self.target.title,
            few(&self.out.refused)
        )
    }

    fn finish(mut self) -> Decision {
        let listed: usize = [
            &self.out.inventory,
            &self.out.found,
            &self.out.pending,
            &self.out.mailed,
        ]
        .iter()
        .flat_map(|list| list.iter())
        .map(|reference| reference.len() + 3)
        .sum();
        if listed > MAX_LISTED {
            let message = format!(
                "{} users in {} are more than one status can hold; split the resource",
                self.out.counts.declared, self.target.title
            );
            return object::known(Verdict::stalled(Reason::TooManySubjects, message));
        }
        let held = self.out.awaited > 0 && !self.subject.hold_is_over;
        let calls = self.calls();
        let verdict = self.verdict(&calls);
        let mut applied = BTreeMap::new();
        if self.mine.policy == Policy::Exclusive && self.out.exclusive_in_sync {
            applied.insert(
                EXCLUSIVE.to_owned(),
                Write::of(self.subject.uid, EXCLUSIVE, "Exclusive")
                    .fingerprint
                    .to_string(),
            );
        }
        let finalizer =
            if self.mine.deletion_policy == SubjectsDeletionPolicy::Remove && self.subject.mode != Mode::Observe {
                Finalizer::Require
            } else {
                Finalizer::Release
            };
        let out = self.out;
        // Whoever is held back is neither added nor mailed yet.
        let (inventory, pending, mailed) = if held {
            let status = self.subject.status;
            let written = |list: fn(&crate::api::Status) -> &Vec<String>| {
                status.map(|status| list(status).clone()).unwrap_or_default()
            };
            (
                written(|status| &status.inventory),
                written(|status| &status.pending),
                written(|status| &status.mailed),
            )
        } else {
            (list(out.inventory), list(out.pending), list(out.mailed))
        };
        let subjects = SubjectsReport {
            counts: out.counts,
            inventory,
            found: list(out.found),
            pending,
        };
        Decision {
            calls,
            drift: out.drift,
            changes: out.changes,
            waiting: out.waiting,
            applied,
            identity: Identity {
                id: Some(self.target.id.clone()),
                adopted: None,
            },
            subjects: Some(subjects),
            mailed,
            finalizer,
            awaited: if held { out.awaited } else { 0 },
            ..object::compared(verdict)
        }
    }

    fn verdict(&self, calls: &[Call]) -> Verdict {
        let title = &self.target.title;
        let out = &self.out;
        if !out.refused.is_empty() {
            return Verdict::stalled(Reason::ApiRejected, self.refusal());
        }
        if calls.iter().any(|call| call.cause == Cause::Drift) {
            let paths: Vec<_> = out.drift.iter().map(|difference| difference.path.clone()).collect();
            return Verdict::reconciling(Reason::Correcting, format!("putting right {} in {title}", few(&paths)));
        }
        if !out.missing.is_empty() {
            let verdict = Verdict::reconciling(
                Reason::DependencyNotReady,
                format!("{title} waits for {}: {}", out.missing.len(), few(&out.missing)),
            );
            return Verdict {
                fleeting: out.awaited == out.missing.len(),
                ..verdict
            };
        }
        if !calls.is_empty() || out.waits_for_sibling > 0 {
            return Verdict::fleeting(Reason::Pending, format!("bringing {title} up to date"));
        }
        if out.arriving > 0 {
            return Verdict::fleeting(
                Reason::Pending,
                format!("{} are accepted into {title} and not visible there yet", out.arriving),
            );
        }
        if !out.linked.is_empty() && out.drift.len() == out.linked.len() {
            return Verdict::done(
                Reason::LinkedViaObject,
                format!(
                    "{} cannot be taken out of {title}: they are in it through a group or an enrollment",
                    few(&out.linked)
                ),
            );
        }
        if !out.drift.is_empty() {
            let paths: Vec<_> = out.drift.iter().map(|difference| difference.path.clone()).collect();
            return Verdict::done(
                Reason::DriftReported,
                format!("Pluvo differs at {} of {title}", few(&paths)),
            );
        }
        Verdict::done(Reason::InSync, format!("{} in {title} as declared", out.counts.applied))
    }
}

fn difference(reference: &str, kind: DriftKind) -> Difference {
    Difference {
        path: path(reference),
        kind,
        desired: None,
        observed: None,
    }
}

fn path(reference: &str) -> String {
    format!("users[{reference}]")
}

/// A user's ref; Pluvo makes one where none is given, so the id is a mere precaution.
fn name(user: &User) -> String {
    user.reference.as_deref().unwrap_or(&user.id.0).to_owned()
}

fn list(set: BTreeSet<String>) -> Vec<String> {
    set.into_iter().collect()
}

fn few(names: &[String]) -> String {
    let shown = names
        .iter()
        .take(SHOWN)
        .map(String::as_str)
        .collect::<Vec<_>>()
        .join(", ");
    if names.len() > SHOWN {
        format!("{shown} and {} more", names.len() - SHOWN)
    } else {
        shown
    }
}
