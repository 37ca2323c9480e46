//! What users and groups have in common: an object with attributes and custom fields that is made, changed and ended.

use crate::{
    api::Reason,
    pluvo::request::{ContentType, Mutation, Selector},
};

use super::{
    Action, Call, Cause, Decision, Difference, Identity, Observed, Subject, Verdict, Write,
    attributes::{self, Attribute, Judgement},
    call::{Destruction, Origin},
    custom_fields::{CustomFields, is_custom_field},
    observed::Outcome,
    value,
};

/// An object of Pluvo that a resource declares.
pub struct Declared<'a> {
    /// What people call it, such as `user EMP-1`.
    pub title: &'a str,
    /// Whose custom fields it carries.
    pub content_type: ContentType,
    /// Its own attributes, against what Pluvo holds.
    pub attributes: Vec<Attribute>,
    /// Its custom fields, against what Pluvo holds.
    pub fields: CustomFields,
}

/// Plans an object that does not exist: one creation, then its custom fields. The creation is one write of path `ref`,
/// so that whatever Pluvo refuses about it is tried again as soon as any attribute changes.
pub fn create(
    declared: Declared<'_>,
    mutation: Mutation,
    object: &Selector,
    subject: &Subject<'_>,
    observed: &impl Observed,
) -> Decision {
    let Declared {
        title,
        content_type,
        attributes,
        fields,
    } = declared;
    // Where one is made anew, it is another write than that of the one before.
    let before = subject.known_id();
    let values: Vec<_> = attributes
        .iter()
        .map(|attribute| attribute.desired.as_str())
        .chain(before.as_ref().map(|id| &*id.0))
        .collect();
    let write = Write::of(subject.uid, "ref", &values.join("\u{0}"));
    match observed.outcome(&write.fingerprint) {
        Some(Outcome::Refused(message)) => {
            return compared(Verdict::stalled(
                Reason::ApiRejected,
                format!("Pluvo refuses to create {title}: {message}"),
            ));
        }
        Some(Outcome::Acknowledged) => {
            let message = format!("Pluvo acknowledged {title} and does not show it under its ref");
            return Decision {
                drift: vec![Difference::missing("ref", None)],
                ..compared(Verdict::stalled(Reason::ValueNotAccepted, message))
            };
        }
        Some(Outcome::LinkedViaObject) | None => {}
    }
    let creation = Call {
        mails: mails(&mutation),
        action: Action::Mutate(mutation),
        cause: Cause::Change,
        writes: vec![write],
        destruction: None,
        origin: Origin::default(),
    };
    let mut judgement = attributes::judge(&fields.attributes, &unknown(subject), observed);
    judgement.changes = attributes
        .iter()
        .chain(&fields.attributes)
        .filter_map(|attribute| attribute.difference(subject.show_personal_data))
        .collect();
    let mut calls = vec![creation];
    calls.extend(custom_field_calls(content_type, object, &judgement, &fields, observed));
    decide(judgement, calls, &fields.missing, Identity::default(), title)
}

/// A resource whose object is another one than before: what was acknowledged was acknowledged of that.
fn unknown<'a>(subject: &Subject<'a>) -> Subject<'a> {
    Subject {
        status: None,
        ..subject.clone()
    }
}

fn mails(mutation: &Mutation) -> Vec<String> {
    match mutation {
        Mutation::CreateUser {
            reference,
            send_invite: true,
            ..
        } => vec![reference.to_string()],
        _ => Vec::new(),
    }
}

/// Plans an object that exists: one call for its attributes, one for its custom fields. `mutation` is told which
/// paths it writes.
pub fn update(
    declared: Declared<'_>,
    mutation: impl Fn(&dyn Fn(&str) -> bool) -> Mutation,
    object: &Selector,
    identity: Identity,
    subject: &Subject<'_>,
    observed: &impl Observed,
) -> Decision {
    let Declared {
        title,
        content_type,
        attributes,
        fields,
    } = declared;
    let all: Vec<_> = attributes
        .into_iter()
        .chain(fields.attributes.iter().cloned())
        .collect();
    let anew = subject
        .known_id()
        .is_some_and(|known| identity.id.as_ref() != Some(&known));
    let fresh = anew.then(|| unknown(subject));
    let judgement = attributes::judge(&all, fresh.as_ref().unwrap_or(subject), observed);
    let previous_ref = identity.adopted.as_ref().map(|previous| previous.as_deref());
    let free_ref = previous_ref.is_some_and(|previous| previous.is_none_or(value::is_generated_ref));
    let mut calls = calls(&judgement, |path| !is_custom_field(path), free_ref, observed, mutation);
    calls.extend(custom_field_calls(content_type, object, &judgement, &fields, observed));
    decide(judgement, calls, &fields.missing, identity, title)
}

/// Plans the end of an object: `verb` is what happens to it, such as `archived`.
pub fn end(title: &str, verb: &str, mutation: Mutation, subject: &Subject<'_>, observed: &impl Observed) -> Decision {
    let write = Write::of(subject.uid, "ref", verb);
    if let Some(Outcome::Refused(message)) = observed.outcome(&write.fingerprint) {
        let message = format!("{title} is to be {verb}, and Pluvo refuses: {message}");
        return Decision {
            deletion_blocked: Some(message.clone()),
            ..known(Verdict::stalled(Reason::ApiRejected, message))
        };
    }
    Decision {
        calls: vec![Call {
            destruction: Destruction::of(&mutation, false),
            action: Action::Mutate(mutation),
            cause: Cause::Deletion,
            mails: Vec::new(),
            writes: vec![write],
            origin: Origin::default(),
        }],
        deletion_blocked: (!observed.available())
            .then(|| format!("{title} is to be {verb}, and Pluvo cannot be reached")),
        ..Decision::only(Verdict::deleting(format!("{title} is being {verb}")))
    }
}

/// The end of an object waits until Pluvo was read.
pub fn end_unobserved(title: &str, verb: &str, observed: &impl Observed) -> Decision {
    Decision {
        deletion_blocked: Some(format!("{title} is to be {verb}, and Pluvo has not been read yet")),
        ..Decision::unobserved(observed.available())
    }
}

/// A decision of somebody who has seen Pluvo and has nothing to report but this.
#[must_use]
pub fn known(verdict: Verdict) -> Decision {
    Decision {
        observed: true,
        ..Decision::only(verdict)
    }
}

/// A decision of somebody who has compared everything that is declared.
#[must_use]
pub fn compared(verdict: Verdict) -> Decision {
    Decision {
        compared: true,
        ..known(verdict)
    }
}

fn custom_field_calls(
    content_type: ContentType,
    object: &Selector,
    judgement: &Judgement,
    fields: &CustomFields,
    observed: &impl Observed,
) -> Vec<Call> {
    calls(judgement, is_custom_field, false, observed, |writes| {
        Mutation::SetCustomFields {
            content_type,
            object: object.clone(),
            values: fields.values(writes),
        }
    })
}

/// One call for all values, or one for each of them where Pluvo refused them together or lacks one: a value that Pluvo minds must
/// not hold back the others.
fn calls(
    judgement: &Judgement,
    of: impl Fn(&str) -> bool,
    free_ref: bool,
    observed: &impl Observed,
    mutation: impl Fn(&dyn Fn(&str) -> bool) -> Mutation,
) -> Vec<Call> {
    let Some((writes, cause)) = judgement.select(of) else {
        return Vec::new();
    };
    let refused = matches!(observed.outcome(&Write::of_all(&writes)), Some(Outcome::Refused(_)));
    let together = mutation(&|path| writes.iter().any(|write| &*write.path == path)).operation();
    let singly = refused || observed.lacks(&together).is_some();
    let at_once = if singly { 1 } else { writes.len() };
    let call = |writes: &[Write]| {
        let mutation = mutation(&|path| writes.iter().any(|write| &*write.path == path));
        Call {
            destruction: Destruction::of(&mutation, free_ref),
            action: Action::Mutate(mutation),
            cause,
            mails: Vec::new(),
            writes: writes.to_vec(),
            origin: Origin::default(),
        }
    };
    writes.chunks(at_once).map(call).collect()
}

fn decide(judgement: Judgement, calls: Vec<Call>, missing: &[String], identity: Identity, title: &str) -> Decision {
    let verdict = verdict(&judgement, &calls, missing, title, observed_paths(&judgement));
    Decision {
        calls,
        drift: judgement.drift,
        changes: judgement.changes,
        applied: judgement.applied,
        identity,
        ..compared(verdict)
    }
}

fn observed_paths(judgement: &Judgement) -> String {
    let paths: Vec<_> = judgement.to_write.iter().map(|(write, _)| &*write.path).collect();
    paths.join(", ")
}

fn verdict(judgement: &Judgement, calls: &[Call], missing: &[String], title: &str, paths: String) -> Verdict {
    if let Some((_, message)) = judgement.refused.first() {
        let paths: Vec<_> = judgement.refused.iter().map(|(path, _)| path.as_str()).collect();
        return Verdict::stalled(
            Reason::ApiRejected,
            format!("Pluvo refuses {} of {title}: {message}", paths.join(", ")),
        );
    }
    if !judgement.not_accepted.is_empty() {
        let message = format!(
            "Pluvo acknowledged {} of {title} and keeps another value; change the spec or Pluvo",
            judgement.not_accepted.join(", ")
        );
        return Verdict::stalled(Reason::ValueNotAccepted, message);
    }
    if !judgement.contested.is_empty() {
        let message = format!(
            "{} of {title} was put right three times within a day and changed back; it is only reported until the spec \
             changes. Find out who else writes it",
            judgement.contested.join(", ")
        );
        return Verdict::stalled(Reason::Contested, message);
    }
    if calls.iter().any(|call| call.cause == Cause::Drift) {
        return Verdict::reconciling(Reason::Correcting, format!("putting right {paths} of {title}"));
    }
    if !missing.is_empty() {
        return Verdict::reconciling(Reason::DependencyNotReady, missing.join("; "));
    }
    if !calls.is_empty() {
        let what = if paths.is_empty() {
            "everything".to_owned()
        } else {
            paths
        };
        return Verdict::fleeting(Reason::Pending, format!("applying {what} of {title}"));
    }
    if !judgement.drift.is_empty() {
        let paths: Vec<_> = judgement
            .drift
            .iter()
            .take(5)
            .map(|difference| difference.path.as_str())
            .collect();
        return Verdict::done(
            Reason::DriftReported,
            format!("Pluvo differs at {} of {title}", paths.join(", ")),
        );
    }
    Verdict::done(Reason::InSync, format!("Pluvo holds {title} as declared"))
}
