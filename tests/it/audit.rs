//! The audit log of the operator and the log of Pluvo tell the same, in every test.

use std::{
    collections::BTreeMap,
    env, fs,
    path::{Path, PathBuf},
};

use anyhow::{Context, ensure};
use serde_json::Value;

use crate::support::{PERSON, Result};

/// Mutations of one organization, by operation.
#[derive(Default)]
struct Told {
    /// What Pluvo did or refused, on behalf of the operator.
    done: BTreeMap<String, usize>,
    /// What the operator says was done or refused.
    certain: BTreeMap<String, usize>,
    /// Where it does not know.
    unknown: BTreeMap<String, usize>,
}

/// What may be under way when a process is killed: two documents of fifty.
const IN_FLIGHT: usize = 100;

/// `tests/run.sh` runs this by name behind all other tests: what it compares is what they have logged.
#[test]
#[ignore = "compares what all other tests logged; `make test` runs it behind them"]
fn audit_lines_equal_what_pluvo_logged() -> Result {
    let directory = env::var_os("PLUVO_TEST_DIR").context("PLUVO_TEST_DIR must name the directory of a full run")?;
    let (mut organizations, mut kills) = (BTreeMap::<String, Told>::new(), BTreeMap::<String, usize>::new());
    for log in logs(Path::new(&directory), "sandbox.log")? {
        journal(&fs::read_to_string(log)?, &mut organizations)?;
    }
    for log in logs(Path::new(&directory), "operator.log")? {
        lines(&fs::read_to_string(log)?, &mut organizations, &mut kills)?;
    }
    // Others were written to by commands, which have no log.
    organizations.retain(|organization, _| kills.contains_key(organization));
    let (mut mutations, mut lost, mut wrong) = (0, 0, Vec::new());
    for (organization, told) in &organizations {
        let killed = kills.get(organization).copied().unwrap_or_default();
        let mut surplus = 0;
        for (operation, done) in &told.done {
            let of = |counts: &BTreeMap<String, usize>| counts.get(operation).copied().unwrap_or_default();
            mutations += done;
            surplus += done.saturating_sub(of(&told.certain) + of(&told.unknown));
        }
        for (operation, certain) in &told.certain {
            if *certain > told.done.get(operation).copied().unwrap_or_default() {
                wrong.push(format!(
                    "{organization}: {certain} {operation} were told and fewer were done"
                ));
            }
        }
        lost += surplus;
        if surplus > killed * IN_FLIGHT {
            wrong.push(format!(
                "{organization}: {surplus} mutations were not told, {killed} kills"
            ));
        }
    }
    println!(
        "{mutations} mutations in {} organizations; {lost} were in flight at a kill",
        organizations.len()
    );
    ensure!(mutations > 1000, "only {mutations} mutations were logged");
    ensure!(wrong.is_empty(), "{}", wrong.join("\n"));
    Ok(())
}

fn logs(directory: &Path, name: &str) -> Result<Vec<PathBuf>> {
    let folders = fs::read_dir(directory)?.map(|entry| Ok(entry?.path().join(name)));
    let all: Result<Vec<_>> = folders.collect();
    Ok(all?.into_iter().filter(|path| path.exists()).collect())
}

/// What a sandbox wrote: where it listens, and every mutation.
fn journal(log: &str, organizations: &mut BTreeMap<String, Told>) -> Result {
    let url = log
        .lines()
        .find_map(|line| line.strip_prefix("pluvo-sandbox listens on "));
    for line in log.lines() {
        let Some((_, rest)) = line.split_once(" journal: ") else {
            continue;
        };
        let (entry, name) = rest.rsplit_once(" organization=").context("no organization")?;
        let entry: Value = serde_json::from_str(entry).with_context(|| entry.to_owned())?;
        if entry["client"] == PERSON.0 {
            continue;
        }
        let organization = format!("{}/{}", url.context("no address")?, name.trim_matches('"'));
        let operation = entry["operation"].as_str().context("no operation")?.to_owned();
        *organizations
            .entry(organization)
            .or_default()
            .done
            .entry(operation)
            .or_default() += 1;
    }
    Ok(())
}

/// What an operator wrote.
fn lines(log: &str, organizations: &mut BTreeMap<String, Told>, kills: &mut BTreeMap<String, usize>) -> Result {
    let mut seen = std::collections::BTreeSet::new();
    let count = |message: &str| log.lines().filter(|line| line.contains(message)).count();
    for line in log.lines().filter(|line| line.contains(r#""target":"audit""#)) {
        let line: Value = serde_json::from_str(line).with_context(|| line.to_owned())?;
        let text = |field: &str| line[field].as_str().unwrap_or_default().to_owned();
        let told = organizations.entry(text("organization")).or_default();
        seen.insert(text("organization"));
        let counts = match &*text("outcome") {
            "acknowledged" | "refused" => &mut told.certain,
            "unknown" => &mut told.unknown,
            _ => continue,
        };
        *counts.entry(text("operation")).or_default() += 1;
    }
    let unclean = count("all watches are complete").saturating_sub(count(r#""message":"stopped""#));
    for organization in seen {
        *kills.entry(organization).or_default() += unclean;
    }
    Ok(())
}
