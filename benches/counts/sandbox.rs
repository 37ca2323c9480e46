//! A page of users costs about the same whatever the size of the organization.

use anyhow::{Context, ensure};
use serde_json::Value;

use crate::{
    figures::{Figures, count},
    support::Result,
};

const SMALL: usize = 1_000;
const LARGE: usize = 100_000;

/// Measures pages in a small and in a large organization, in one run of the sandbox.
pub async fn run(figures: &mut Figures) -> Result {
    let mut command = tokio::process::Command::new(env!("CARGO_BIN_EXE_pluvo-sandbox"));
    command.arg("measure");
    for users in [SMALL, LARGE] {
        command.args(["--users", &users.to_string()]);
    }
    let output = command.kill_on_drop(true).output().await?;
    ensure!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let measured: Vec<Value> = serde_json::from_slice(&output.stdout)?;
    let time = |users: usize, page: &str| {
        let row = measured.iter().find(|row| row["users"] == users);
        row.and_then(|row| row[page].as_f64())
            .with_context(|| format!("no {page} at {users} users"))
    };
    for (page, what) in [
        ("first", "the first page"),
        ("last", "the last page"),
        ("ofGroup", "a page of a group"),
    ] {
        let ratio = time(LARGE, page)? / time(SMALL, page)?;
        figures.at_most(
            format!("{what} at {LARGE} users, as a multiple of one at {SMALL}"),
            ratio,
            3.0,
        );
    }
    figures.note("users in the sandbox", count(LARGE));
    Ok(())
}
