//! The state table: printed in ARCHITECTURE.md, and kept by every status that any test ever saw.

use std::{
    collections::{BTreeMap, BTreeSet},
    env,
    fmt::Write,
    fs,
    path::Path,
};

use anyhow::{Context, bail, ensure};
use pluvo_operator::api::reason::{Part, Progress, Row, TABLE, condition};

use crate::support::{
    Recorded, Result,
    recorder::{judged, of_run},
};

/// `tests/run.sh` runs this by name behind all other tests, and only if none of them failed: what it judges is what
/// they have recorded.
#[test]
#[ignore = "judges what all other tests recorded; `make test` runs it behind them"]
fn every_status_is_a_row_of_the_state_table_and_every_row_was_seen() -> Result {
    let directory = env::var_os("PLUVO_TEST_DIR").context("PLUVO_TEST_DIR must name the directory of a full run")?;
    let versions = of_run(Path::new(&directory))?;
    ensure!(!versions.is_empty(), "nothing was recorded in {}", directory.display());
    let (mut seen, mut wrong) = (BTreeSet::new(), BTreeMap::new());
    for (version, verdict) in judged(versions)? {
        let Some(state) = State::of(&version) else { continue };
        match state.row() {
            Ok(row) if state.expected(row) == verdict.status() => {
                if state.is_settled() {
                    seen.insert(row);
                }
            }
            Ok(row) => note(
                &mut wrong,
                &version,
                &format!("kstatus says {}, not {}", verdict.status(), state.expected(row)),
            ),
            Err(complaint) => note(&mut wrong, &version, &complaint.to_string()),
        }
    }
    let unseen = (0..TABLE.len()).filter(|row| !seen.contains(row));
    let unseen: Vec<_> = unseen.map(|row| described(&TABLE[row])).collect();
    let wrong: Vec<_> = wrong
        .into_iter()
        .map(|(what, example)| format!("{what}, such as {example}"))
        .collect();
    ensure!(
        wrong.is_empty() && unseen.is_empty(),
        "statuses that are no row of the state table:\n  {}\nrows that no test has ever seen:\n  {}",
        wrong.join("\n  "),
        unseen.join("\n  ")
    );
    Ok(())
}

/// One example of each complaint is enough.
fn note(wrong: &mut BTreeMap<String, String>, version: &Recorded, complaint: &str) {
    let path = [
        "/kind",
        "/metadata/namespace",
        "/metadata/name",
        "/metadata/resourceVersion",
    ];
    let example = path.map(|part| version.text(part)).join("/");
    let ready = version.condition(condition::READY).map(|ready| &ready["reason"]);
    let what = format!("{} {}: {complaint}", version.text("/kind"), ready.unwrap_or_default());
    wrong.entry(what).or_insert(example);
}

/// What a status says, as far as the table is about it.
struct State<'a> {
    version: &'a Recorded,
    part: Part,
}

impl<'a> State<'a> {
    /// `None` before anything was written.
    fn of(version: &'a Recorded) -> Option<Self> {
        let part = match version.text("/kind") {
            "PluvoConnection" => Part::Connection,
            _ => Part::Managed,
        };
        let written = version.object.pointer("/status/conditions").is_some();
        written.then_some(Self { version, part })
    }

    fn status(&self, name: &str) -> Option<&'a str> {
        self.version.condition(name)?["status"].as_str()
    }

    /// The row of this state; `Reconciling` and the like stand only while they are true.
    fn row(&self) -> Result<usize> {
        for name in [
            condition::RECONCILING,
            condition::STALLED,
            condition::SUSPENDED,
            condition::DELETION_BLOCKED,
        ] {
            ensure!(
                matches!(self.status(name), None | Some("True")),
                "{name} stands and is not True"
            );
        }
        let (second, third) = match self.part {
            Part::Managed => (condition::SYNCED, condition::DRIFTED),
            Part::Connection => (condition::AVAILABLE, condition::FRESH),
        };
        let ready = self.version.condition(condition::READY).context("Ready is missing")?;
        let values = [second, third].map(|name| self.status(name));
        let [Some(synced), Some(drifted)] = values else {
            bail!("{second} or {third} is missing");
        };
        let fits = |row: &Row| {
            row.part == self.part
                && ready["reason"] == row.reason.as_str()
                && ready["status"] == row.ready
                && row.synced.contains(&synced)
                && row.drifted.contains(&drifted)
                && self.speaks_of(row.progress)
        };
        TABLE.iter().position(fits).with_context(|| {
            let (reconciling, stalled) = (self.is(condition::RECONCILING), self.is(condition::STALLED));
            format!(
                "Ready {}, {second} {synced}, {third} {drifted}, Reconciling {reconciling}, Stalled {stalled} is no row",
                ready["status"]
            )
        })
    }

    fn speaks_of(&self, progress: Progress) -> bool {
        let expected = match progress {
            Progress::Reconciling => (true, false),
            Progress::Stalled => (false, true),
            Progress::Done | Progress::Terminating | Progress::Idle => (false, false),
        };
        (self.is(condition::RECONCILING), self.is(condition::STALLED)) == expected
    }

    fn is(&self, name: &str) -> bool {
        self.status(name).is_some()
    }

    fn is_deleting(&self) -> bool {
        self.version.object.pointer("/metadata/deletionTimestamp").is_some()
    }

    /// Whether the status is about the spec that stands beside it.
    fn is_current(&self) -> bool {
        let generation = |pointer| self.version.object.pointer(pointer);
        generation("/metadata/generation") == generation("/status/observedGeneration")
    }

    /// Whether it is a state of its own, and not one that a deletion, a new spec or a suspension found.
    fn is_settled(&self) -> bool {
        let blank = self.version.object.pointer("/status/observedGeneration") == Some(&(-1).into());
        let row_is_deleting = self
            .version
            .condition(condition::READY)
            .is_some_and(|ready| ready["reason"] == "Deleting");
        self.is_deleting() == row_is_deleting && (self.is_current() || blank)
    }

    /// What kstatus must say: it looks at the deletion first, then at the generation, then at the conditions.
    fn expected(&self, row: usize) -> &'static str {
        if self.is_deleting() {
            "Terminating"
        } else if self.is_current() {
            verdict_of(TABLE[row].progress)
        } else {
            "InProgress"
        }
    }
}

fn described(row: &Row) -> String {
    format!(
        "{:?}: {} {}: {}",
        row.part,
        row.reason,
        verdict_of(row.progress),
        row.situation
    )
}

/// What kstatus says of a state that is as the table has it.
fn verdict_of(progress: Progress) -> &'static str {
    match progress {
        Progress::Done => "Current",
        Progress::Reconciling | Progress::Idle => "InProgress",
        Progress::Stalled => "Failed",
        Progress::Terminating => "Terminating",
    }
}

#[test]
fn the_state_table_is_printed_as_it_is() -> Result {
    const BEGIN: &str = "<!-- the state table begins -->\n";
    const END: &str = "<!-- the state table ends -->";
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("ARCHITECTURE.md");
    let text = fs::read_to_string(&file)?;
    let (before, rest) = text.split_once(BEGIN).context("ARCHITECTURE.md has no state table")?;
    let (_, after) = rest
        .split_once(END)
        .context("the state table in ARCHITECTURE.md has no end")?;
    let current = format!("{before}{BEGIN}\n{}\n{END}{after}", state_table()?);
    if std::env::var_os("UPDATE_STATE_TABLE").is_some() {
        fs::write(&file, &current)?;
        return Ok(());
    }
    ensure!(
        text == current,
        "the state table in ARCHITECTURE.md is out of date: run \
         `UPDATE_STATE_TABLE=1 cargo test --features sandbox --test it state_table`"
    );
    Ok(())
}

fn state_table() -> Result<String> {
    let mut table = String::new();
    for (part, title, synced, drifted) in [
        (Part::Managed, "Managed kinds", "Synced", "Drifted"),
        (Part::Connection, "PluvoConnection", "Available", "Fresh"),
    ] {
        let gap = if table.is_empty() { "" } else { "\n" };
        writeln!(
            table,
            "{gap}**{title}**\n\n| situation | Ready | {synced} | {drifted} | kstatus |"
        )?;
        writeln!(table, "|---|---|---|---|---|")?;
        for row in TABLE.iter().filter(|row| row.part == part) {
            let Row {
                situation,
                ready,
                reason,
                ..
            } = row;
            let (synced, drifted) = (cell(row.synced), cell(row.drifted));
            let verdict = in_words(row.progress);
            writeln!(
                table,
                "| {situation} | {ready} `{reason}` | {synced} | {drifted} | {verdict} |"
            )?;
        }
    }
    Ok(table)
}

/// All three are possible where the state says nothing about it.
fn cell(values: &[&str]) -> String {
    if values.len() == 3 {
        "as known".to_owned()
    } else {
        values.join(" or ")
    }
}

fn in_words(progress: Progress) -> String {
    let condition = match progress {
        Progress::Reconciling => " (`Reconciling`)",
        Progress::Stalled => " (`Stalled`)",
        Progress::Done | Progress::Terminating | Progress::Idle => "",
    };
    format!("{}{condition}", verdict_of(progress))
}
