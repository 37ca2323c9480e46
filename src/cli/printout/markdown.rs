//! A plan for a pull request.

use std::fmt::Write;

use crate::api::status::DriftKind;

use super::{Entry, Printout, Verb, human, style};

/// The whole plan. What would happen stands in a table; the values of each resource can be unfolded.
pub fn render(printout: &Printout) -> String {
    let told: Vec<_> = printout
        .resources
        .iter()
        .filter(|entry| entry.verb != Verb::Keep)
        .collect();
    let mut out = format!("### Pluvo plan for `{}`\n\n", printout.organization);
    let summary = &printout.summary;
    if told.is_empty() {
        let _ = writeln!(
            out,
            "Pluvo holds everything as declared: {}.",
            human::plural(summary.resources, "resource")
        );
        return out;
    }
    out.push_str("| | what | resource | note |\n|---|---|---|---|\n");
    for entry in &told {
        let (_, verb, _) = style::of(entry.verb);
        let note = notes(entry).join("; ");
        let _ = writeln!(
            out,
            "| **{verb}** | {} | {} | {} |",
            escape(&human::headline(entry)),
            escape(&entry.resource()),
            escape(&note)
        );
    }
    let kept = summary.resources - told.len();
    let _ = writeln!(
        out,
        "\n{kept} as declared; {}; about {} to write.",
        human::plural(summary.mails, "mail"),
        human::plural(summary.requests.write, "request")
    );
    if let Some(verdict) = human::guard(summary) {
        let _ = writeln!(out, "\n**{verdict}.**");
    }
    for entry in told.iter().filter(|entry| !entry.differences.is_empty()) {
        details(entry, &mut out);
    }
    out
}

fn notes(entry: &Entry) -> Vec<String> {
    let mails = (!entry.mails.is_empty()).then(|| format!("mail to {}", human::few(&entry.mails)));
    let left = entry.has_more_to_say().then(|| human::left(entry));
    mails.into_iter().chain(left).collect()
}

fn details(entry: &Entry, out: &mut String) {
    let (members, values): (Vec<_>, Vec<_>) = entry
        .differences
        .iter()
        .partition(|differs| differs.path.starts_with("users["));
    let _ = writeln!(out, "\n<details><summary>{}</summary>\n", html(&entry.resource()));
    if !values.is_empty() {
        out.push_str("| path | Pluvo | manifest |\n|---|---|---|\n");
    }
    for differs in values {
        let observed = match differs.kind {
            DriftKind::Unobservable => "(not told)",
            _ => differs.observed.as_deref().unwrap_or(""),
        };
        let desired = differs.desired.as_deref().unwrap_or("");
        let _ = writeln!(
            out,
            "| {} | {} | {} |",
            code(&differs.path),
            code(observed),
            code(desired)
        );
    }
    for (what, kind) in [("added", DriftKind::Missing), ("removed", DriftKind::Unexpected)] {
        let names = human::names(&members, kind);
        if !names.is_empty() {
            let _ = writeln!(out, "{what}: {}", escape(&human::few(&names)));
        }
    }
    out.push_str("\n</details>\n");
}

/// A value as code; what would end it is taken out.
fn code(text: &str) -> String {
    if text.is_empty() {
        String::new()
    } else {
        format!("`{}`", text.replace('`', "'").replace('|', "\\|").replace('\n', " "))
    }
}

/// Text from manifests and Pluvo must not become markup.
fn escape(text: &str) -> String {
    let mut out = String::new();
    for c in html(text).replace('\n', " ").chars() {
        if "\\`*_|[]#".contains(c) {
            out.push('\\');
        }
        out.push(c);
    }
    out
}

fn html(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}
