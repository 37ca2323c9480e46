//! A first sync of many users at once: few requests, few writes, nobody twice.

use std::collections::{BTreeMap, HashMap};

use anyhow::ensure;
use pluvo_operator::api::PluvoUser;
use serde_json::{Value, json};

use crate::support::{Result, SEED, Tenant, World, create_all, create_paced, eventually, people};

const USERS: usize = 1000;

/// A tenant with Pluvo's default limits.
async fn tenant<'a>(world: &'a World, prefix: &str) -> Result<Tenant<'a>> {
    let limits = json!({"requestsPerSecond": 5, "burst": 10});
    world.tenant(prefix, json!({"interval": "1h", "limits": limits})).await
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
    tenant.declare_everybody().await?;
    let api = tenant.api_of::<PluvoUser>();
    create_all(&api, people(0..USERS)?).await?;
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
    let passes = async || world.operator.lock().await.passes().await;
    let (before, mark, log) = (
        passes().await?,
        world.cluster.audit().mark().await?,
        tenant.mutations().await?.len(),
    );
    for sweep in 1..=10 {
        tenant.sweep().await?;
        let now = passes().await?;
        ensure!(now == before, "after idle sweep {sweep}: {before:?} became {now:?}");
    }
    world.operator.lock().await.restart().await?;
    tenant.sweep().await?;
    ensure!(
        tenant.mutations().await?.len() == log,
        "mutations in idle sweeps or after a restart"
    );
    let written = self::writes(&world, mark, &tenant.namespace).await?;
    ensure!(
        written.keys().all(|name| name.starts_with("pluvoconnections/")),
        "{written:?}"
    );

    // One user is changed in Pluvo: passes of those who read it, the user and the membership.
    let before = passes().await?;
    let rename = json!({"users": {"EMP-00007": {"name": "Somebody else"}}});
    tenant.organization.change(&rename).await?;
    tenant.sweep().await?;
    let corrected = tenant.until("PluvoUser", "emp-00007", "put right", |user| {
        ensure!(user["status"]["lastCorrection"]["count"] == 1);
        Ok(())
    });
    corrected.await?;
    let more = difference(&before, &passes().await?);
    ensure!(
        more.keys()
            .all(|kind| ["PluvoUser", "PluvoGroupMembership"].contains(&&**kind)),
        "{more:?}"
    );
    ensure!(more.values().all(|count| *count <= 4), "{more:?}");
    Ok(())
}

/// The kinds with more passes than before, and how many more.
fn difference(before: &BTreeMap<String, u64>, after: &BTreeMap<String, u64>) -> BTreeMap<String, u64> {
    let more = |(kind, count): (&String, &u64)| {
        let more = count - before.get(kind).copied().unwrap_or_default();
        (more > 0).then(|| (kind.clone(), more))
    };
    after.iter().filter_map(more).collect()
}

#[tokio::test]
async fn a_thousand_users_that_come_at_fifty_a_second() -> Result {
    let world = World::start().await?;
    let tenant = tenant(&world, "paced").await?;
    let api = tenant.api_of::<PluvoUser>();
    let mark = world.cluster.audit().mark().await?;
    // The group comes while users come. Before the first, it would be in sync with nobody for a moment, or not; after a
    // pause, with those who are there: one write more, or not.
    let group = async {
        eventually("the first user is declared", async || Ok(api.get("emp-00000").await?)).await?;
        tenant.declare_everybody().await
    };
    tokio::try_join!(create_paced(&api, people(0..USERS)?, 50), group)?;
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
