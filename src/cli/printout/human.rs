//! A plan for people, in a terminal or a log.

use std::fmt::Write;

use crate::api::status::DriftKind;

use super::{Differs, Entry, Printout, State, Summary, Verb, style};

/// How many members are named.
const SHOWN: usize = 10;

/// The whole plan.
pub fn render(printout: &Printout) -> String {
    let mut out = String::new();
    let _ = writeln!(out, "Plan for {}\n", printout.organization);
    resources(printout, &mut out);
    summary(&printout.summary, &mut out);
    out
}

fn resources(printout: &Printout, out: &mut String) {
    let told: Vec<_> = printout
        .resources
        .iter()
        .filter(|entry| entry.verb != Verb::Keep)
        .collect();
    for entry in &told {
        resource(entry, out);
    }
    if !told.is_empty() {
        out.push('\n');
    }
}

/// What an apply did: the verbs have happened, and what is left is left.
pub fn render_applied(printout: &Printout, mutations: u64) -> String {
    let mut out = String::new();
    resources(printout, &mut out);
    let counts: Vec<_> = printout
        .summary
        .verbs
        .iter()
        .map(|(verb, count)| format!("{count} {}", participle(*verb)))
        .collect();
    let requests = usize::try_from(printout.summary.requests.read).unwrap_or(usize::MAX);
    let mutations = usize::try_from(mutations).unwrap_or(usize::MAX);
    if let Some(digest) = &printout.summary.guard.digest {
        let _ = writeln!(
            out,
            "The guard holds {}, where {} may be at once. If all of it is meant, apply again with --approve {digest}",
            plural(printout.summary.guard.destructive, "destructive operation"),
            printout.summary.guard.max_destructive,
        );
    }
    let _ = writeln!(
        out,
        "{}: {}.\n{} with {}.",
        printout.organization,
        counts.join(", "),
        plural(requests, "request"),
        plural(mutations, "mutation")
    );
    out
}

fn participle(verb: Verb) -> &'static str {
    match verb {
        Verb::Create => "created",
        Verb::Adopt => "adopted",
        Verb::Change => "changed",
        Verb::Add => "got members",
        Verb::Remove => "lost members",
        Verb::Archive => "archived",
        Verb::Restore => "restored",
        Verb::Delete => "deleted",
        Verb::Orphan => "let go",
        Verb::Report => "reported only",
        Verb::Unobservable => "written without comparing",
        Verb::Wait => "waiting",
        Verb::Stall => "stalled",
        Verb::Suspend => "suspended",
        Verb::Keep => "as declared before",
    }
}

fn resource(entry: &Entry, out: &mut String) {
    let (sign, verb, style) = style::of(entry.verb);
    let _ = writeln!(
        out,
        "{style}{sign} {verb:<9}{style:#} {}   ({})",
        headline(entry),
        entry.resource()
    );
    let (members, values): (Vec<_>, Vec<_>) = entry
        .differences
        .iter()
        .partition(|differs| differs.path.starts_with("users["));
    for differs in values {
        let _ = writeln!(out, "              {}", difference(differs));
    }
    for (sign, kind) in [("+", DriftKind::Missing), ("-", DriftKind::Unexpected)] {
        let names = names(&members, kind);
        if !names.is_empty() {
            let _ = writeln!(out, "              {sign} {}", few(&names));
        }
    }
    if !entry.mails.is_empty() {
        let _ = writeln!(out, "              mail to {}", few(&entry.mails));
    }
    if entry.has_more_to_say() {
        let _ = writeln!(out, "              {}", left(entry));
    }
}

/// What happens to whom, after the verb.
pub fn headline(entry: &Entry) -> String {
    let what = who(entry);
    if entry.deleted {
        format!("{what}: its manifest is gone")
    } else {
        what
    }
}

fn who(entry: &Entry) -> String {
    let count = |kind| {
        let of_kind = entry.differences.iter().filter(|differs| differs.kind == kind);
        of_kind.filter(|differs| differs.path.starts_with("users[")).count()
    };
    match (entry.verb, count(DriftKind::Missing), count(DriftKind::Unexpected)) {
        (Verb::Add, added, _) => format!("{} to {}", users(added), entry.subject),
        (Verb::Remove, _, removed) => format!("{} from {}", users(removed), entry.subject),
        _ => entry.subject.clone(),
    }
}

fn users(count: usize) -> String {
    plural(count, "user")
}

/// A number and a noun.
pub fn plural(count: usize, noun: &str) -> String {
    format!("{count} {noun}{}", if count == 1 { "" } else { "s" })
}

/// Names, at most [`SHOWN`] of them.
pub fn few(names: &[String]) -> String {
    let shown = names
        .iter()
        .take(SHOWN)
        .map(String::as_str)
        .collect::<Vec<_>>()
        .join(", ");
    match names.len().saturating_sub(SHOWN) {
        0 => shown,
        more => format!("{shown} and {more} more"),
    }
}

/// The refs of members with one kind of difference.
pub fn names(members: &[&Differs], kind: DriftKind) -> Vec<String> {
    let of_kind = members.iter().filter(|differs| differs.kind == kind);
    let mut names: Vec<_> = of_kind
        .map(|differs| {
            differs
                .path
                .trim_start_matches("users[")
                .trim_end_matches(']')
                .to_owned()
        })
        .collect();
    names.sort();
    names
}

fn difference(differs: &Differs) -> String {
    let Differs {
        path,
        kind,
        desired,
        observed,
    } = differs;
    let desired = desired.as_deref().unwrap_or("(nothing)");
    match (kind, observed) {
        (DriftKind::Changed, Some(observed)) if observed.is_empty() => format!("{path}: (none) -> {desired}"),
        (DriftKind::Changed, Some(observed)) => format!("{path}: {observed} -> {desired}"),
        (DriftKind::Unobservable, _) => format!("{path}: {desired} (Pluvo does not tell what it is now)"),
        _ => format!("{path}: {desired}"),
    }
}

/// What is left to do, and for whom.
pub fn left(entry: &Entry) -> String {
    let after = &entry.after;
    match after.state {
        State::Done => after.message.clone(),
        State::Waiting => format!("waits: {}", after.message),
        State::Stalled => format!("stalled, {}: {}", after.reason, after.message),
    }
}

fn summary(summary: &Summary, out: &mut String) {
    let counts: Vec<_> = summary
        .verbs
        .iter()
        .filter(|(verb, _)| **verb != Verb::Keep)
        .map(|(verb, count)| format!("{count} to {}", phrase(*verb)))
        .collect();
    let kept = summary.verbs.get(&Verb::Keep).copied().unwrap_or_default();
    if counts.is_empty() {
        let _ = writeln!(out, "Pluvo holds everything as declared: {}.", plural(kept, "resource"));
    } else {
        let _ = writeln!(out, "{}; {kept} as declared.", counts.join(", "));
    }
    if summary.mails > 0 {
        let _ = writeln!(out, "Pluvo would send {}.", plural(summary.mails, "mail"));
    }
    if let Some(verdict) = guard(summary) {
        let _ = writeln!(out, "{verdict}.");
    }
    let read = usize::try_from(summary.requests.read).unwrap_or(usize::MAX);
    let _ = match summary.requests.write {
        0 => writeln!(out, "The plan took {}.", plural(read, "request")),
        write => writeln!(
            out,
            "The plan took {}; writing would take about {write}.",
            plural(read, "request")
        ),
    };
}

/// What the guard says, where it is asked.
pub fn guard(summary: &Summary) -> Option<String> {
    let guard = &summary.guard;
    let operations = plural(guard.destructive, "destructive operation");
    if guard.held {
        let mails = plural(summary.mails, "mail");
        return Some(format!(
            "The guard would hold it: {operations} and {mails}, where {} and {} may be at once",
            guard.max_destructive, guard.max_mails
        ));
    }
    (guard.destructive > 0).then(|| {
        format!(
            "The guard lets it through: {operations} of at most {}",
            guard.max_destructive
        )
    })
}

fn phrase(verb: Verb) -> &'static str {
    match verb {
        Verb::Create => "create",
        Verb::Adopt => "adopt",
        Verb::Change => "change",
        Verb::Add => "get members",
        Verb::Remove => "lose members",
        Verb::Archive => "archive",
        Verb::Restore => "restore",
        Verb::Delete => "delete",
        Verb::Orphan => "let go",
        Verb::Report => "report only",
        Verb::Unobservable => "write without comparing",
        Verb::Wait => "wait for",
        Verb::Stall => "look at (stalled)",
        Verb::Suspend => "skip (suspended)",
        Verb::Keep => "keep",
    }
}
