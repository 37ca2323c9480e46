//! A first sync of many users at once: few requests, few writes, nobody twice.

use std::collections::HashMap;

use anyhow::ensure;
use kube::core::ObjectMeta;
use pluvo_operator::api::{PluvoUser, PluvoUserSpec};
use serde_json::{Value, json};

use crate::support::{Result, SEED, Tenant, World, create_all, create_paced};

const USERS: usize = 1000;

fn users(count: usize) -> Result<Vec<PluvoUser>> {
    (0..count)
        .map(|number| {
            let spec: PluvoUserSpec = serde_json::from_value(json!({
                "ref": format!("EMP-{number:05}"), "email": format!("emp-{number:05}@example.com"),
                "name": format!("User {number:05}"), "customFields": [{"ref": "department", "text": format!("D{}", number % 7)}],
            }))?;
            let metadata = ObjectMeta {
                name: Some(format!("emp-{number:05}")),
                labels: Some([("team".to_owned(), "all".to_owned())].into()),
                ..ObjectMeta::default()
            };
            Ok(PluvoUser { metadata, spec, status: None })
        })
        .collect()
}

/// A tenant with Pluvo's default limits, a group, and a membership of everybody.
async fn tenant<'a>(world: &'a World, prefix: &str) -> Result<Tenant<'a>> {
    let limits = json!({"requestsPerSecond": 5, "burst": 10});
    let tenant = world
        .tenant(prefix, json!({"interval": "1h", "limits": limits}))
        .await?;
    tenant
        .declare("PluvoGroup", "all", json!({"ref": "all", "name": "Everybody"}))
        .await?;
    let everybody = json!({"group": {"ref": "all"}, "userSelector": {"matchLabels": {"team": "all"}}});
    tenant.declare("PluvoGroupMembership", "all", everybody).await?;
    Ok(tenant)
}

async fn synced(tenant: &Tenant<'_>, count: usize) -> Result<Value> {
    tenant.users_ready(count).await?;
    let membership = tenant.ready("PluvoGroupMembership", "all").await?;
    ensure!(
        membership["status"]["subjects"]["applied"] == count,
        "{}",
        membership["status"]["subjects"]
    );
    let state = tenant.organization.state().await?;
    ensure!(
        state["users"].as_object().is_some_and(|users| users.len() == count),
        "not exactly the declared users"
    );
    ensure!(
        state["groups"]["all"]["users"]
            .as_array()
            .is_some_and(|members| members.len() == count)
    );
    tenant.organization.stats().await
}

/// How often the operator wrote to each resource in a namespace.
async fn writes(world: &World, mark: u64, namespace: &str) -> Result<HashMap<String, usize>> {
    let user = world.operator.lock().await.user();
    let entries = world
        .cluster
        .audit()
        .since(mark, |entry| entry.user() == user && entry.writes())
        .await?;
    let mut writes = HashMap::new();
    for entry in entries {
        let object = &entry.object_ref;
        if object.namespace == namespace {
            *writes
                .entry(format!("{}/{}", object.resource, object.name))
                .or_default() += 1;
        }
    }
    Ok(writes)
}

#[tokio::test]
async fn a_thousand_users_that_are_there_before_the_operator() -> Result {
    let world = World::prepare(SEED, &[]).await?;
    let tenant = tenant(&world, "first").await?;
    let api = tenant.api_of::<PluvoUser>();
    create_all(&api, users(USERS)?).await?;
    let mark = world.cluster.audit().mark().await?;
    world.operator.lock().await.start().await?;
    let stats = synced(&tenant, USERS).await?;
    println!("first sync of {USERS} users: {stats}");
    ensure!(
        stats["httpRequests"].as_u64().is_some_and(|requests| requests <= 100),
        "{stats}"
    );
    ensure!(
        stats["maxOperationsPerDocument"]
            .as_u64()
            .is_some_and(|most| most <= 50),
        "{stats}"
    );
    ensure!(
        stats["operations"]["updateOrCreateUser"] == USERS && stats["operations"]["updateExtraCategoryValues"] == USERS,
        "{stats}"
    );
    let writes = writes(&world, mark, &tenant.namespace).await?;
    let most = writes
        .iter()
        .filter(|(name, _)| !name.starts_with("pluvoconnections/"))
        .max_by_key(|(_, count)| **count);
    println!("most writes to one resource: {most:?}");
    ensure!(most.is_some_and(|(_, count)| *count <= 3), "{most:?}");

    // Idle sweeps, and a restart: no mutation, no write but to the connection, no pass.
    let passes = async || Ok::<_, anyhow::Error>(passes(&world.operator.lock().await.get("/metrics").await?));
    let (before, mark, log) = (
        passes().await?,
        world.cluster.audit().mark().await?,
        tenant.mutations().await?.len(),
    );
    for sweep in 1..=10 {
        request_sweep(&tenant).await?;
        let now = passes().await?;
        ensure!(now == before, "after idle sweep {sweep}: {before:?} became {now:?}");
    }
    world.operator.lock().await.restart().await?;
    request_sweep(&tenant).await?;
    ensure!(
        tenant.mutations().await?.len() == log,
        "mutations in idle sweeps or after a restart"
    );
    let written = self::writes(&world, mark, &tenant.namespace).await?;
    ensure!(
        written.keys().all(|name| name.starts_with("pluvoconnections/")),
        "{written:?}"
    );
    Ok(())
}

/// Asks for a sweep, and waits for its end.
async fn request_sweep(tenant: &Tenant<'_>) -> Result {
    let at = format!("{:?}", std::time::SystemTime::now());
    let mut connection = tenant.get("PluvoConnection", "default").await?;
    let spec = connection["spec"].take();
    let mut object = crate::support::object("PluvoConnection", "default", spec);
    object["metadata"]["annotations"] = json!({"pluvo.dev/reconcile-requested-at": at});
    tenant.apply(&object.to_string()).await?;
    tenant
        .until(
            "PluvoConnection",
            "default",
            "the requested sweep has ended",
            |object| {
                ensure!(object["status"]["lastHandledReconcileAt"] == at);
                Ok(())
            },
        )
        .await
        .map(drop)
}

/// How many passes there were, by kind.
fn passes(metrics: &str) -> Vec<String> {
    let is_pass = |line: &&str| line.starts_with("pluvo_operator_reconcile_passes_total");
    let mut passes: Vec<_> = metrics.lines().filter(is_pass).map(str::to_owned).collect();
    passes.sort();
    passes
}

#[tokio::test]
async fn a_thousand_users_that_come_at_fifty_a_second() -> Result {
    let world = World::start().await?;
    let tenant = tenant(&world, "paced").await?;
    let api = tenant.api_of::<PluvoUser>();
    let mark = world.cluster.audit().mark().await?;
    create_paced(&api, users(USERS)?, 50).await?;
    let stats = synced(&tenant, USERS).await?;
    println!("{USERS} users at 50 a second: {stats}");
    ensure!(
        stats["httpRequests"].as_u64().is_some_and(|requests| requests <= 140),
        "{stats}"
    );
    ensure!(
        stats["maxOperationsPerDocument"]
            .as_u64()
            .is_some_and(|most| most <= 50),
        "{stats}"
    );
    let writes = writes(&world, mark, &tenant.namespace).await?;
    let most = writes
        .iter()
        .filter(|(name, _)| !name.starts_with("pluvoconnections/"))
        .max_by_key(|(_, count)| **count);
    println!("most writes to one resource: {most:?}");
    ensure!(most.is_some_and(|(_, count)| *count <= 3), "{most:?}");
    Ok(())
}
