//! The operator may do what it does, and nothing else.

use std::{collections::BTreeSet, env, fs, path::Path};

use anyhow::{Context, ensure};

use crate::{
    chart,
    support::{CONFINED, Result, audit, user},
};

/// `tests/run.sh` runs this by name behind all other tests: what it judges is what the API servers have logged.
#[tokio::test]
#[ignore = "judges what the API servers of all other tests logged; `make test` runs it behind them"]
async fn what_is_granted_is_used_and_nothing_else() -> Result {
    for (namespace, values) in [("pluvo-system", &[][..]), (CONFINED, &["watchNamespace=team"])] {
        judge(&user(namespace), &chart::granted(values).await?)
            .with_context(|| format!("the chart with {values:?}"))?;
    }
    Ok(())
}

/// Compares what an operator did with what one form of the chart grants.
fn judge(user: &str, granted: &BTreeSet<String>) -> Result {
    let directory = env::var_os("PLUVO_TEST_DIR").context("PLUVO_TEST_DIR must name the directory of a full run")?;
    let (mut used, mut refused, mut requests) = (BTreeSet::new(), Vec::new(), 0);
    for folder in fs::read_dir(Path::new(&directory))? {
        let log = folder?.path().join("audit.log");
        if !log.exists() {
            continue;
        }
        let (mut accepted, mut forbidden) = (BTreeSet::new(), BTreeSet::new());
        for entry in audit::read(&log, 0, |entry| entry.user() == user)? {
            let what = entry.permission();
            requests += 1;
            let outcomes = if entry.code() == 403 {
                &mut forbidden
            } else {
                &mut accepted
            };
            outcomes.insert(what);
        }
        // An API server that starts refuses everything until it has read the roles, and one test takes the permission to
        // read Secrets away and gives it back: what the same server accepts at another time is granted.
        refused.extend(
            forbidden
                .difference(&accepted)
                .map(|what| format!("{what} ({})", log.display())),
        );
        used.append(&mut accepted);
    }
    println!("{requests} requests of {user}");
    ensure!(refused.is_empty(), "the API server refused:\n{}", refused.join("\n"));
    let unused: Vec<_> = granted.difference(&used).collect();
    // What everybody may do who is known to the API server: ask for its version, and who oneself is.
    let anybody = |what: &str| what.starts_with("get .") || what == "create selfsubjectreviews.authentication.k8s.io";
    let surplus: Vec<_> = used.difference(granted).filter(|what| !anybody(what)).collect();
    ensure!(unused.is_empty(), "granted and never used: {unused:?}");
    ensure!(surplus.is_empty(), "used and not granted: {surplus:?}");
    Ok(())
}
