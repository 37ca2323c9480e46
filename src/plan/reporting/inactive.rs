//! Which accounts nobody uses, and what becomes of them.

use std::{
    collections::{BTreeMap, HashMap, HashSet},
    sync::Arc,
    time::Duration,
};

use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use kube::core::{ParseExpressionError, Selector};

use crate::{
    api::{
        InactiveUserReport, InactiveUserReportSpec, Kind, Reason,
        findings::{InactiveFindings, MAX_ROWS, Noticed, Proposed},
        inactive::{Exclusions, InactiveAction},
    },
    plan::{
        Action, Call, Cause, ConnectionKey, Decision, Observed, Registry, Subject, Verdict, Write,
        call::{Destruction, Origin},
        ceiling::Ceiling,
        object,
        observed::{Lookup, Outcome},
        resource::Plan,
        scope::Scope,
        survey::{LoginFilter, Reading, Survey},
        value,
    },
    pluvo::{
        model::{LastLogin, User},
        request::{Mutation, UserInput},
    },
};

use super::{About, Meaning, Report, count};

/// So many accounts are noticed at a time, at most; the others follow when these are archived.
const NOTICED: usize = 2000;

impl Plan for InactiveUserReport {
    fn plan(&self, subject: &Subject<'_>, scope: &Scope<'_>, observed: &impl Observed) -> Decision {
        let filter = LoginFilter {
            unused_for: self.spec.inactive_for.into(),
            never_used: self.spec.include_never_logged_in,
        };
        let report = Report {
            reporting: &self.spec.reporting,
            subject,
            scope,
            acts: self.spec.action == InactiveAction::Archive,
        };
        let excluded = match excluded(&self.spec.exclude, scope.connection, scope.registry) {
            Ok(excluded) => excluded,
            Err(error) => {
                let message = format!("spec.exclude.userSelector: {error}");
                return object::known(Verdict::stalled(Reason::InvalidSpec, message));
            }
        };
        let reading = observed.last_logins(&filter);
        report.decide(Survey::LastLogins(filter), reading, observed, |reading| {
            let judged = Judged::new(reading, &excluded);
            if self.spec.action == InactiveAction::Report {
                return About::Inactive(judged.findings()).into();
            }
            archive(&self.spec, &judged, subject, scope, observed)
        })
    }

    fn plan_deletion(&self, _: &Subject<'_>, _: &Scope<'_>, _: &impl Observed) -> Decision {
        Decision::release("a report leaves nothing behind")
    }
}

/// The accounts of a reading, sorted out.
struct Judged<'a> {
    at: Timestamp,
    /// The longest unused first.
    counted: Vec<&'a LastLogin>,
    excluded: usize,
}

impl<'a> Judged<'a> {
    fn new(reading: &'a Reading<Vec<LastLogin>>, excluded: &HashSet<String>) -> Self {
        let is_excluded = |login: &LastLogin| login.user.reference.as_deref().is_some_and(|it| excluded.contains(it));
        let mut counted: Vec<_> = reading.content.iter().filter(|login| !is_excluded(login)).collect();
        counted.sort_by_key(|login| (login.at(), login.user.reference.clone(), login.user.id.clone()));
        Self {
            at: reading.at,
            excluded: reading.content.len() - counted.len(),
            counted,
        }
    }

    fn findings(&self) -> InactiveFindings {
        let never = self.counted.iter().filter(|login| login.last_login.is_none());
        InactiveFindings {
            count: count(self.counted.len()),
            never_logged_in: count(never.count()),
            excluded: count(self.excluded),
            refs: self.counted.iter().take(MAX_ROWS).map(|login| name(login)).collect(),
            ..InactiveFindings::default()
        }
    }
}

/// The refs of those who are never counted.
///
/// # Errors
///
/// The selector cannot be understood: somebody may be meant who is not known.
pub fn excluded(
    exclude: &Exclusions,
    connection: &ConnectionKey,
    registry: &Registry,
) -> Result<HashSet<String>, ParseExpressionError> {
    let selector = exclude.user_selector.clone().map(Selector::try_from).transpose()?;
    let selected = selector.map(|selector| registry.select(connection, &selector));
    let named = exclude.users.iter().cloned();
    Ok(named.chain(selected.into_iter().flatten()).collect())
}

fn name(login: &LastLogin) -> String {
    login.user.reference.as_deref().unwrap_or(&login.user.id.0).to_owned()
}

/// Archives whoever was noticed a grace period ago and is still not used: no user that is declared, none that may be, and
/// none that the connection protects.
fn archive(
    spec: &InactiveUserReportSpec,
    judged: &Judged<'_>,
    subject: &Subject<'_>,
    scope: &Scope<'_>,
    observed: &impl Observed,
) -> Meaning {
    let grace = Duration::from(spec.grace_period);
    let noticed = noticed_before(subject);
    let emails = scope.registry.declared_emails(scope.connection);
    // A claim of unknown extent may declare anybody.
    let acts = subject.writes(Cause::Change) && !scope.registry.has_unknown_claims(scope.connection);
    let mut sorted = Sorted::default();
    for login in &judged.counted {
        let reference = login.user.reference.as_deref();
        if reference.is_some_and(|it| scope.registry.owner_of(scope.connection, Kind::User, it).is_some()) {
            sorted.proposed.push(name(login));
            continue;
        }
        let since = noticed.get(&*login.user.id.0).copied();
        let is_due = since.is_some_and(|since| since.checked_add(grace).is_ok_and(|due| due <= judged.at));
        if is_due && acts {
            sorted.sort(login, &emails, scope, observed);
        }
        if sorted.noticed < NOTICED {
            sorted.noticed += 1;
            let ids = sorted.since.entry(since.unwrap_or(judged.at)).or_default();
            ids.push(login.user.id.0.to_string());
        }
    }
    sorted.into_meaning(judged, subject, observed)
}

/// When accounts were noticed, by id.
fn noticed_before<'a>(subject: &Subject<'a>) -> HashMap<&'a str, Timestamp> {
    let findings = subject.status.and_then(|status| status.inactive.as_ref());
    let all = findings.into_iter().flat_map(|findings| &findings.noticed);
    all.flat_map(|noticed| noticed.ids.iter().map(|id| (id.as_str(), noticed.since.0)))
        .collect()
}

/// What becomes of accounts that nobody uses.
#[derive(Default)]
struct Sorted {
    proposed: Vec<String>,
    protected: usize,
    since: BTreeMap<Timestamp, Vec<String>>,
    noticed: usize,
    to_archive: Vec<(String, Arc<User>)>,
    unknown: bool,
}

impl Sorted {
    /// An account whose grace period is over.
    fn sort(&mut self, login: &LastLogin, emails: &HashSet<String>, scope: &Scope<'_>, observed: &impl Observed) {
        match observed.user_by_id(&login.user.id) {
            Lookup::Unknown => self.unknown = true,
            Lookup::Found(user) if !user.archived => {
                let email = user.email.as_deref().map(value::email);
                if email.is_some_and(|email| emails.contains(&email)) {
                    self.proposed.push(name(login));
                } else if Ceiling::of(scope).is_none_or(|ceiling| ceiling.protects(&user).is_some()) {
                    self.protected += 1;
                } else {
                    self.to_archive.push((name(login), user));
                }
            }
            Lookup::Found(_) | Lookup::Absent => {}
        }
    }

    fn into_meaning(self, judged: &Judged<'_>, subject: &Subject<'_>, observed: &impl Observed) -> Meaning {
        let (mut calls, mut refused) = (Vec::new(), Vec::new());
        for (name, user) in &self.to_archive {
            let write = Write::of(subject.uid, &format!("users[{name}].archived"), "true");
            match observed.outcome(&write.fingerprint) {
                Some(Outcome::Refused(message)) => refused.push((name, message)),
                Some(_) => {}
                None => calls.push(call(user, write)),
            }
        }
        let verdict = if let Some((name, message)) = refused.first() {
            let message = format!("Pluvo refuses to archive {name}: {message} ({} in all)", refused.len());
            Some(Verdict::stalled(Reason::ApiRejected, message))
        } else if !calls.is_empty() {
            let message = format!("archiving {} accounts that nobody uses", calls.len());
            Some(Verdict::fleeting(Reason::Pending, message))
        } else {
            let message = "accounts whose grace period is over are looked at once more";
            self.unknown.then(|| Verdict::fleeting(Reason::Pending, message))
        };
        let since = |(since, ids)| Noticed {
            since: Time(since),
            ids,
        };
        let findings = InactiveFindings {
            proposed: Some(Proposed {
                count: count(self.proposed.len()),
                refs: self.proposed.into_iter().take(MAX_ROWS).collect(),
            }),
            protected: Some(count(self.protected)),
            noticed: self.since.into_iter().map(since).collect(),
            ..judged.findings()
        };
        Meaning {
            about: About::Inactive(findings),
            calls,
            verdict,
        }
    }
}

fn call(user: &User, write: Write) -> Call {
    let mutation = Mutation::UpdateUser {
        id: user.id.clone(),
        user: UserInput {
            archived: Some(true),
            ..UserInput::default()
        },
    };
    Call {
        destruction: Destruction::of(&mutation, false),
        action: Action::Mutate(mutation),
        cause: Cause::Change,
        mails: Vec::new(),
        writes: vec![write],
        origin: Origin::default(),
    }
}
