//! Secrets and personal data are in no log, status, Event or metric, and in nothing that a command says.

use std::{env, fs, path::Path};

use anyhow::{Context, ensure};

use crate::{
    cli::SAID,
    support::{
        OPERATOR, PERSON, Result, SERVED,
        recorder::{Recorded, events_of_run, of_run},
    },
};

/// What tests plant: client secrets, tokens, e-mail addresses, values of custom fields.
const PLANTED: [&str; 6] = [
    OPERATOR.1,
    PERSON.1,
    "sandbox-secret",
    "sandbox-token-",
    "@example.com",
    "planted-department",
];

/// The planted texts that stand in a text.
fn found(text: &str) -> Vec<&'static str> {
    PLANTED.into_iter().filter(|planted| text.contains(planted)).collect()
}

#[test]
fn a_planted_leak_is_found() {
    assert_eq!(found("nothing to see"), [""; 0]);
    assert_eq!(found(r#"{"error":"jane@example.com is taken"}"#), ["@example.com"]);
    assert_eq!(found("client_secret=operator-secret"), ["operator-secret"]);
    assert_eq!(found("Bearer sandbox-token-5f2a"), ["sandbox-token-"]);
    assert_eq!(found("department: planted-department-3"), ["planted-department"]);
}

/// A sentence for each planted text in a text.
fn leaks(text: &str, place: &str) -> Vec<String> {
    let found = found(text).into_iter();
    found.map(|planted| format!("{planted} in {place}: {text}")).collect()
}

/// `tests/run.sh` runs this by name behind all other tests: what it searches is what they have left.
#[test]
#[ignore = "searches what all other tests left; `make test` runs it behind them"]
fn nothing_that_was_planted_is_anywhere_where_others_read() -> Result {
    let directory = env::var_os("PLUVO_TEST_DIR").context("PLUVO_TEST_DIR must name the directory of a full run")?;
    let directory = Path::new(&directory);
    let (mut lines, mut metrics, mut said, mut all) = (0, 0, 0, Vec::new());
    for folder in fs::read_dir(directory)? {
        let folder = folder?.path();
        for (name, count) in [("operator.log", &mut lines), (SERVED, &mut metrics), (SAID, &mut said)] {
            let path = folder.join(name);
            if path.exists() {
                for line in fs::read_to_string(&path)?.lines() {
                    *count += 1;
                    all.extend(leaks(line, &path.display().to_string()));
                }
            }
        }
    }
    let (versions, events) = (of_run(directory)?, events_of_run(directory)?);
    let ours = |event: &&Recorded| event.text("/regarding/apiVersion").starts_with("pluvo.dev/");
    let events: Vec<_> = events.iter().filter(ours).collect();
    for version in &versions {
        let place = format!("the status of {}", version.text("/metadata/name"));
        all.extend(leaks(&version.object["status"].to_string(), &place));
    }
    for event in &events {
        let place = format!("an Event about {}", event.text("/regarding/name"));
        all.extend(leaks(event.text("/note"), &place));
    }
    println!(
        "searched: {lines} lines of logs, {} statuses, {} Events, {metrics} lines of metrics, {said} lines of commands",
        versions.len(),
        events.len()
    );
    ensure!(
        lines > 1000 && versions.len() > 1000 && events.len() > 100 && metrics > 10 && said > 100,
        "there was hardly anything to search"
    );
    all.truncate(10);
    ensure!(all.is_empty(), "leaks:\n{}", all.join("\n"));
    Ok(())
}
