//! Attributes of one object: which of them differ, which of those are changes and which are drift, and what is written.

use std::collections::BTreeMap;

use crate::api::{Mode, status::DriftKind};

use super::{
    Cause, Subject, Write,
    decision::Difference,
    observed::{Observed, Outcome},
    value::{REDACTED, fingerprint},
};

/// A managed attribute, normalized on both sides.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Attribute {
    /// The path in the spec.
    pub path: String,
    /// What the spec says.
    pub desired: String,
    /// What Pluvo says.
    pub observed: Seen,
    /// Whether it is personal data.
    pub personal: bool,
}

/// What Pluvo says about an attribute.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Seen {
    /// This value.
    Value(String),
    /// No value.
    Nothing,
    /// Pluvo does not tell.
    Unobservable,
}

impl Attribute {
    /// An attribute that everybody may see.
    #[must_use]
    pub fn public(path: &str, desired: String, observed: String) -> Self {
        Self {
            path: path.to_owned(),
            desired,
            observed: Seen::Value(observed),
            personal: false,
        }
    }

    /// An attribute whose value is personal data.
    #[must_use]
    pub fn personal(path: String, desired: String, observed: Seen) -> Self {
        Self {
            path,
            desired,
            observed,
            personal: true,
        }
    }

    /// The difference between the two sides, if there is one, ready to be shown.
    pub(super) fn difference(&self, show_personal_data: bool) -> Option<Difference> {
        let (kind, observed) = match &self.observed {
            Seen::Value(value) if *value == self.desired => return None,
            Seen::Value(value) => (DriftKind::Changed, Some(value)),
            Seen::Nothing => (DriftKind::Missing, None),
            Seen::Unobservable => (DriftKind::Unobservable, None),
        };
        let show = |value: &String| {
            if self.personal && !show_personal_data {
                REDACTED.to_owned()
            } else {
                value.clone()
            }
        };
        Some(Difference {
            path: self.path.clone(),
            kind,
            desired: Some(show(&self.desired)),
            observed: observed.map(show),
        })
    }
}

/// The judgement on all attributes of one object.
#[derive(Clone, Debug, Default)]
pub struct Judgement {
    /// Paths to write, with why.
    pub to_write: Vec<(Write, Cause)>,
    /// Differences that are drift (in mode Observe all of them).
    pub drift: Vec<Difference>,
    /// Differences because the spec is new.
    pub changes: Vec<Difference>,
    /// What Pluvo holds as declared.
    pub applied: BTreeMap<String, String>,
    /// Pluvo refuses these, with its messages.
    pub refused: Vec<(String, String)>,
    /// Pluvo accepted these and holds something else.
    pub not_accepted: Vec<String>,
    /// Somebody else changes these back again and again.
    pub contested: Vec<String>,
}

impl Judgement {
    /// The writes of those paths that `of` names, and the strongest reason for them: drift over change.
    #[must_use]
    pub fn select(&self, of: impl Fn(&str) -> bool) -> Option<(Vec<Write>, Cause)> {
        let selected: Vec<_> = self.to_write.iter().filter(|(write, _)| of(&write.path)).collect();
        let cause = selected.iter().map(|(_, cause)| *cause).max()?;
        Some((selected.into_iter().map(|(write, _)| write.clone()).collect(), cause))
    }
}

/// Judges the attributes of an object: in sync, a change or drift, and whether it is written in the mode in effect.
///
/// A difference is drift if the desired value was acknowledged before at this path; in mode Observe every difference
/// is. What Pluvo refused, or accepted without keeping it, is not written again until either side changes.
pub fn judge(attributes: &[Attribute], subject: &Subject<'_>, observed: &impl Observed) -> Judgement {
    let mut judgement = Judgement::default();
    for attribute in attributes {
        let print = fingerprint(subject.uid, &attribute.path, &attribute.desired);
        let Some(difference) = attribute.difference(subject.show_personal_data) else {
            judgement.applied.insert(attribute.path.clone(), print);
            continue;
        };
        judge_difference(&mut judgement, difference, print, subject, observed);
    }
    judgement
}

fn judge_difference(
    judgement: &mut Judgement,
    difference: Difference,
    print: String,
    subject: &Subject<'_>,
    observed: &impl Observed,
) {
    let outcome = observed.outcome(&print);
    let was_applied = subject.applied(&difference.path) == Some(print.as_str());
    if difference.kind == DriftKind::Unobservable && (was_applied || outcome == Some(Outcome::Acknowledged)) {
        judgement.applied.insert(difference.path, print);
        return;
    }
    if difference.kind == DriftKind::Unobservable && subject.mode == Mode::Observe {
        return;
    }
    let path = difference.path.clone();
    let cause = if was_applied { Cause::Drift } else { Cause::Change };
    if let Some(before) = subject.applied(&path) {
        judgement.applied.insert(path.clone(), before.to_owned());
    }
    match outcome {
        Some(Outcome::Refused(message)) => judgement.refused.push((path, message.to_string())),
        Some(Outcome::Acknowledged) => judgement.not_accepted.push(path),
        _ if cause == Cause::Drift && subject.writes(cause) && subject.is_contested(&path) => {
            judgement.contested.push(path);
        }
        Some(Outcome::LinkedViaObject) | None if subject.writes(cause) => {
            judgement.to_write.push((
                Write {
                    path: path.into(),
                    fingerprint: print.into(),
                },
                cause,
            ));
        }
        Some(Outcome::LinkedViaObject) | None => {}
    }
    if cause == Cause::Drift || subject.mode == Mode::Observe || judgement.not_accepted.last() == Some(&difference.path)
    {
        judgement.drift.push(difference);
    } else {
        judgement.changes.push(difference);
    }
}

#[cfg(test)]
mod tests;
