//! Every root field, argument and output field of the schema, each with a set-up, an operation, what comes back and what
//! that changed.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::Write,
};

use apollo_compiler::{
    ExecutableDocument, Schema,
    executable::{Selection, SelectionSet},
    schema::ExtendedType,
    validation::Valid,
};
use serde_json::{Value as Json, json};

use super::Pluvo;

const CASES: &str = include_str!("cases.graphql");

/// A case: what it is about, what is changed before, and its operations in order.
struct Case {
    title: &'static str,
    change: Option<&'static str>,
    operations: Vec<&'static str>,
}

fn cases() -> Vec<Case> {
    let cases = CASES.split("\n### ").skip(1).map(|case| {
        let (title, rest) = case.split_once('\n').expect("a title");
        let change = rest.lines().find_map(|line| line.strip_prefix("# change: "));
        let operations = rest.split("\n\n").map(|operation| match change {
            Some(_) if operation.starts_with("# change: ") => operation.split_once('\n').expect("an operation").1,
            _ => operation,
        });
        Case {
            title,
            change,
            operations: operations
                .map(str::trim)
                .filter(|operation| !operation.is_empty())
                .collect(),
        }
    });
    cases.collect()
}

/// An operation with the fragments that it uses, and those that they use.
fn document(operation: &str) -> String {
    let (preamble, _) = CASES.split_once("\n### ").expect("cases");
    let fragments: BTreeMap<_, _> = preamble
        .split("\nfragment ")
        .skip(1)
        .map(|fragment| (fragment.split(' ').next().unwrap_or_default(), fragment.trim()))
        .collect();
    let mut document = operation.to_owned();
    let mut used = BTreeSet::new();
    loop {
        let missing = fragments
            .iter()
            .find(|(name, _)| !used.contains(*name) && document.contains(&format!("...{name} ")));
        let Some((name, fragment)) = missing else {
            return document;
        };
        used.insert(*name);
        write!(document, " fragment {fragment}").expect("a text");
    }
}

/// Replaces `@state/...@` and `@data/...@` by what stands there.
fn resolved(text: &str, state: &Json, data: &Json) -> String {
    let mut parts = text.split('@');
    let mut resolved = parts.next().unwrap_or_default().to_owned();
    while let Some(part) = parts.next() {
        let value = match part.split_once('/') {
            Some(("state", path)) => state.pointer(&format!("/{path}")),
            Some(("data", path)) => data.pointer(&format!("/{path}")),
            // An e-mail address.
            _ => {
                write!(resolved, "@{part}").expect("a text");
                continue;
            }
        };
        let value = value.unwrap_or_else(|| panic!("nothing is at @{part}@"));
        resolved.push_str(value.as_str().unwrap_or_default());
        resolved.push_str(parts.next().unwrap_or_default());
    }
    resolved
}

/// What differs between two states: by path, what was and what is.
fn differences(before: &Json, after: &Json, path: &str, found: &mut BTreeMap<String, Json>) {
    match (before, after) {
        (Json::Object(before), Json::Object(after)) => {
            for key in before.keys().chain(after.keys()).collect::<BTreeSet<_>>() {
                let (one, other) = (before.get(key), after.get(key));
                let path = format!("{path}/{key}");
                differences(one.unwrap_or(&Json::Null), other.unwrap_or(&Json::Null), &path, found);
            }
        }
        _ if before != after => drop(found.insert(path.to_owned(), json!({"before": before, "after": after}))),
        _ => {}
    }
}

#[tokio::test]
async fn every_case_answers_and_changes_what_it_should() {
    let mut pluvo = Pluvo::start().await;
    let base = pluvo.base.clone();
    let mut told = BTreeMap::new();
    for (number, case) in cases().into_iter().enumerate() {
        pluvo.base = format!("{base}/case-{number}");
        pluvo.token = pluvo.new_token("all", "").await;
        if let Some(change) = case.change {
            let change = serde_json::from_str(change).unwrap_or_else(|error| panic!("{}: {error}", case.title));
            pluvo.control("change", change).await;
        }
        let mut steps = Vec::new();
        let mut data = Json::Null;
        for operation in case.operations {
            let before = pluvo.look("state?ids=true").await;
            let operation = resolved(&document(operation), &before, &data);
            let answer = pluvo.ask(&operation).await;
            let mut changed = BTreeMap::new();
            differences(&before, &pluvo.look("state?ids=true").await, "", &mut changed);
            data = answer["data"].clone();
            steps.push(json!({"answer": answer, "changed": changed}));
        }
        told.insert(case.title, json!({"steps": steps, "mails": pluvo.look("outbox").await}));
    }
    // Times are those of the run.
    insta::with_settings!({filters => vec![(r#""\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d+\+00:00""#, "\"(now)\""), (r#""time": "[^"]*""#, "\"time\": \"(now)\"")]}, {
        insta::assert_json_snapshot!("cases", told);
    });
}

/// What of a schema an operation uses: `Type.field` and `Type.field(argument:)`.
fn used(set: &SelectionSet, document: &ExecutableDocument, found: &mut BTreeSet<String>) {
    for selection in &set.selections {
        match selection {
            Selection::Field(field) => {
                found.insert(format!("{}.{}", set.ty, field.name));
                let arguments = field.arguments.iter();
                found.extend(arguments.map(|argument| format!("{}.{}({}:)", set.ty, field.name, argument.name)));
                used(&field.selection_set, document, found);
            }
            Selection::InlineFragment(fragment) => used(&fragment.selection_set, document, found),
            Selection::FragmentSpread(spread) => {
                if let Some(fragment) = document.fragments.get(&spread.fragment_name) {
                    used(&fragment.selection_set, document, found);
                }
            }
        }
    }
}

#[test]
fn every_field_and_argument_has_a_case() {
    let schema: Valid<Schema> =
        Schema::parse_and_validate(include_str!("../../pluvo/schema.graphql"), "schema.graphql").expect("a schema");
    let mut known = BTreeSet::new();
    for (name, ty) in &schema.types {
        if let ExtendedType::Object(object) = ty
            && !name.starts_with("__")
        {
            for (field, definition) in &object.fields {
                known.insert(format!("{name}.{field}"));
                let arguments = definition.arguments.iter();
                known.extend(arguments.map(|argument| format!("{name}.{field}({}:)", argument.name)));
            }
        }
    }
    let mut covered = BTreeSet::new();
    for case in cases() {
        for operation in &case.operations {
            // What is looked up is an id or a cursor.
            let text = document(operation);
            let document = ExecutableDocument::parse_and_validate(&schema, &text, "case.graphql")
                .unwrap_or_else(|error| panic!("{}: {error}", case.title));
            let root = &document
                .operations
                .anonymous
                .as_ref()
                .expect("an operation")
                .selection_set;
            used(root, &document, &mut covered);
        }
    }
    let missing: Vec<_> = known.difference(&covered).collect();
    assert!(missing.is_empty(), "no case has {missing:#?}");
}
