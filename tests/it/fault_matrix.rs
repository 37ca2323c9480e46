//! Every fault at every mutation: with the real operator, one organization a cell, the end state is as without faults.

use std::collections::BTreeSet;

use anyhow::{Context, bail, ensure};
use futures::{StreamExt, TryStreamExt, stream};
use serde_json::{Value, json};

use crate::{
    mutations::{KINDS, Kind, settled, state, user},
    support::{OPERATOR, Result, SEED, Tenant, World, eventually, sample},
};

/// Cells at a time.
const CONCURRENCY: usize = 12;
/// Cells in `make test`; `make soak` tries all 182.
const SAMPLE: usize = 36;
/// How often a cell tries to bring two mutations into one document.
const ATTEMPTS: usize = 5;

/// What goes wrong with the first document that holds a certain mutation.
struct Fault {
    name: &'static str,
    /// What is planned in the sandbox.
    plan: fn() -> Value,
    document: Document,
}

/// What else is in the document.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Document {
    /// Nothing.
    Single,
    /// A mutation of another resource.
    Shared,
    /// A mutation of another resource, and Pluvo executes both or none.
    Atomic,
}

const fn single(name: &'static str, plan: fn() -> Value) -> Fault {
    let document = Document::Single;
    Fault { name, plan, document }
}

static FAULTS: [Fault; 13] = [
    single("401", || json!("unauthorized")),
    single("429", || json!({"tooManyRequests": {"retryAfter": 1}})),
    single(
        "429 without a time",
        || json!({"tooManyRequests": {"retryAfter": null}}),
    ),
    single("500", || json!({"serverError": {"status": 500}})),
    single("503", || json!({"serverError": {"status": 503}})),
    single("connection dropped", || json!("dropConnection")),
    single("dropped after the commit", || json!("dropAfterCommit")),
    single("error with path", || json!({"mutationError": {"path": true}})),
    single("error without path", || json!({"mutationError": {"path": false}})),
    single("data without what was done", || json!("partialData")),
    Fault {
        name: "one committed, then errors",
        plan: || json!({"commitFirst": {"count": 1}}),
        document: Document::Shared,
    },
    Fault {
        name: "error of one of two without path",
        plan: || json!({"mutationError": {"path": false}}),
        document: Document::Shared,
    },
    Fault {
        name: "two rolled back",
        plan: || json!({"mutationError": {"path": true}}),
        document: Document::Atomic,
    },
];

/// The users of other resources: the one whose change shares the document, and two whose held changes keep both
/// writers of the operator busy until that document is complete.
const OTHERS: [&str; 3] = ["peer", "busy-1", "busy-2"];

/// Applies a kind's change, with a fault at its mutation or without, and returns what Pluvo holds in the end.
async fn cell(world: &World, kind: &Kind, document: Document, fault: Option<&Fault>) -> Result<Value> {
    for _ in 0..ATTEMPTS {
        if let Some(end) = attempt(world, kind, document, fault).await? {
            return Ok(end);
        }
    }
    bail!("the two mutations never shared a document")
}

/// `None`: on a slow machine the two mutations did not share a document, so that the fault is still planned.
async fn attempt(world: &World, kind: &Kind, document: Document, fault: Option<&Fault>) -> Result<Option<Value>> {
    let tenant = world.tenant("cell", json!({})).await?;
    kind.prepare(&tenant).await?;
    if document != Document::Single {
        for name in OTHERS {
            tenant.declare("PluvoUser", name, user(name, json!({}))).await?;
            tenant.ready("PluvoUser", name).await?;
        }
    }
    let before = tenant.mutations().await?.len();
    let least = if document == Document::Single { 1 } else { 2 };
    let planned =
        fault.map(|fault| json!({"fault": (fault.plan)(), "operation": kind.mutation, "leastOperations": least}));
    apply(&tenant, kind, document, planned).await?;
    if !kind.is_done(&tenant).await? {
        // A refusal stands until either side changes, or somebody asks once more.
        let (what, name, _) = (kind.change)();
        ask_again(&tenant, what, name).await?;
        let again = eventually("it is asked for once more", async || {
            ensure!(kind.is_done(&tenant).await?, "still refused");
            Ok(())
        });
        again.await?;
    }
    if document != Document::Single {
        if !settled(&tenant, "PluvoUser", OTHERS[0], true).await? {
            ask_again(&tenant, "PluvoUser", OTHERS[0]).await?;
        }
        for name in OTHERS {
            tenant.ready("PluvoUser", name).await?;
        }
    }
    let left = tenant.organization.planned_faults().await?;
    if left["next"] != json!([]) {
        ensure!(document != Document::Single, "the fault was not used: {left}");
        return Ok(None);
    }
    tenant.sweeps(2).await?;
    let log = tenant.organization.log().await?;
    let done = log
        .iter()
        .filter(|entry| entry["client"] == OPERATOR.0 && entry["outcome"] == "ok")
        .count();
    let most = if document == Document::Single {
        3
    } else {
        3 + 2 * OTHERS.len()
    };
    ensure!(done <= before + most, "{done} mutations, {before} of them before");
    state(&tenant).await.map(Some)
}

/// Applies a kind's change with a fault that is planned for its mutation.
async fn apply(tenant: &Tenant<'_>, kind: &Kind, document: Document, planned: Option<Value>) -> Result {
    if document == Document::Single {
        tenant
            .organization
            .faults(&json!({"next": Vec::from_iter(planned)}))
            .await?;
        return kind.apply(tenant).await;
    }
    let hold = json!({"fault": "holdBeforeCommit", "operation": "updateUser", "times": 2});
    let next: Vec<_> = [hold].into_iter().chain(planned).collect();
    let faults = json!({"next": next, "atomicDocuments": document == Document::Atomic});
    tenant.organization.faults(&faults).await?;
    for (held, name) in OTHERS[1..].iter().enumerate() {
        let renamed = user(name, json!({"name": "Renamed"}));
        tenant.declare("PluvoUser", name, renamed).await?;
        eventually("its change is held", async || {
            let stats = tenant.organization.stats().await?;
            ensure!(stats["held"] == held + 1, "{stats}");
            Ok(())
        })
        .await?;
    }
    // What destroys settles and is counted before it leaves, so that what leaves with it must be counted as well.
    let change = if kind.destroys() {
        json!({"archived": true})
    } else {
        json!({"name": "Renamed"})
    };
    let peer = user(OTHERS[0], change);
    tokio::try_join!(kind.apply(tenant), tenant.declare("PluvoUser", OTHERS[0], peer))?;
    if kind.destroys() {
        let counted = tenant.until("PluvoConnection", "default", "both are counted", |connection| {
            let window = connection["status"]["guard"]["window"]
                .as_array()
                .context("no window")?;
            let counts = window.iter().filter_map(|passed| passed["destructive"].as_u64());
            ensure!(counts.sum::<u64>() == 2, "{window:?}");
            Ok(())
        });
        counted.await?;
    }
    tenant.organization.release().await
}

async fn ask_again(tenant: &Tenant<'_>, what: &str, name: &str) -> Result {
    tenant
        .annotate(what, name, "pluvo.dev/reconcile-requested-at", "again")
        .await
}

/// What a kind ends with when nothing goes wrong, alone in its document or beside another one.
async fn undisturbed(
    world: &World,
    cells: &[(&'static Fault, &'static Kind)],
) -> Result<Vec<(bool, &'static str, Value)>> {
    let mut wanted: Vec<_> = cells
        .iter()
        .map(|(fault, kind)| (fault.document == Document::Single, *kind))
        .collect();
    wanted.sort_by_key(|(single, kind)| (*single, kind.mutation));
    wanted.dedup_by_key(|(single, kind)| (*single, kind.mutation));
    stream::iter(wanted)
        .map(|(single, kind)| async move {
            let document = if single { Document::Single } else { Document::Shared };
            let end = cell(world, kind, document, None).await.context("without a fault")?;
            Ok((single, kind.mutation, end))
        })
        .buffer_unordered(CONCURRENCY)
        .try_collect()
        .await
}

#[tokio::test]
async fn every_fault_at_every_mutation_has_the_same_end() -> Result {
    let world = World::start_with(SEED, &[]).await?;
    let cells = FAULTS
        .iter()
        .flat_map(|fault| KINDS.iter().map(move |kind| (fault, kind)))
        .collect();
    let cells = sample("FAULT_SEED", cells, SAMPLE)?;
    let ends = undisturbed(&world, &cells).await?;
    let end_of = |fault: &Fault, kind: &Kind| {
        let wanted = (fault.document == Document::Single, kind.mutation);
        ends.iter().find(|(single, mutation, _)| (*single, *mutation) == wanted)
    };
    let cells: Vec<_> = cells
        .into_iter()
        .filter_map(|(fault, kind)| Some((fault, kind, &end_of(fault, kind)?.2)))
        .collect();
    let outcomes: Vec<_> = stream::iter(cells)
        .map(|(fault, kind, end)| {
            let world = &world;
            async move {
                let outcome = match cell(world, kind, fault.document, Some(fault)).await {
                    Ok(found) if found == *end => Ok(()),
                    Ok(found) => Err(format!("{found} instead of {end}")),
                    Err(error) => Err(format!("{error:#}")),
                };
                (fault.name, kind.mutation, outcome)
            }
        })
        .buffer_unordered(CONCURRENCY)
        .collect()
        .await;
    print(&outcomes);
    let wrong: BTreeSet<_> = outcomes
        .iter()
        .filter_map(|(fault, mutation, outcome)| Some(format!("{fault} at {mutation}: {}", outcome.as_ref().err()?)))
        .collect();
    ensure!(
        wrong.is_empty(),
        "{}",
        wrong.into_iter().collect::<Vec<_>>().join("\n\n")
    );
    Ok(())
}

/// The matrix: faults down, mutations across.
fn print(outcomes: &[(&str, &str, Result<(), String>)]) {
    for (column, kind) in KINDS.iter().enumerate() {
        println!("{:>3} {}", column + 1, kind.mutation);
    }
    for Fault { name: fault, .. } in &FAULTS {
        let of = |kind: &Kind| {
            let found = outcomes
                .iter()
                .find(|(name, mutation, _)| name == fault && *mutation == kind.mutation);
            match found {
                Some((_, _, Ok(()))) => "ok",
                Some(_) => "WRONG",
                None => "-",
            }
        };
        let cells: Vec<_> = KINDS.iter().map(|kind| format!("{:>5}", of(kind))).collect();
        println!("{fault:<34}{}", cells.concat());
    }
    println!("{} cells", outcomes.len());
}
