//! Pluvo goes away and comes back, and so does the API server.

use std::{sync::Arc, time::Duration};

use anyhow::ensure;
use pluvo_operator::api::PluvoUser;
use serde_json::{Value, json};

use crate::support::{Result, Tenant, World, create_all, people};

/// The operator's writes since a mark, to anything but the connection.
async fn writes(world: &World, mark: u64) -> Result<Vec<String>> {
    let operator = world.operator.lock().await.user();
    let audit = world.cluster.audit();
    let entries = audit.since(mark, |entry| {
        entry.user() == operator && entry.writes() && !entry.resource().starts_with("pluvoconnections")
    });
    Ok(entries
        .await?
        .into_iter()
        .map(|entry| format!("{} {}", entry.verb, entry.uri))
        .collect())
}

async fn in_sync(tenant: &Tenant<'_>, users: usize) -> Result {
    create_all(&tenant.api_of::<PluvoUser>(), people(0..users)?).await?;
    tenant.declare_everybody().await?;
    tenant.users_ready(users).await?;
    tenant.ready("PluvoGroupMembership", "all").await.map(drop)
}

#[tokio::test]
async fn an_outage_of_four_intervals_is_one_condition_and_few_requests() -> Result {
    const INTERVAL: Duration = Duration::from_secs(5);
    let world = World::start().await?;
    let tenant = world.tenant("outage", json!({"interval": "5s"})).await?;
    in_sync(&tenant, 1000).await?;
    tenant.sweeps(1).await?;
    let (mark, mutations) = (world.cluster.audit().mark().await?, tenant.mutations().await?.len());
    let requests = async || {
        Ok::<_, anyhow::Error>(
            tenant.organization.stats().await?["httpRequests"]
                .as_u64()
                .unwrap_or_default(),
        )
    };

    let before = requests().await?;
    let outage = json!({"next": [{"fault": "dropConnection", "times": 1_000_000}]});
    tenant.organization.faults(&outage).await?;
    tenant
        .reports("PluvoConnection", "default", "Available", "False", "ApiUnavailable")
        .await?;
    tokio::time::sleep(INTERVAL * 4).await; // the outage itself: there is nothing to wait for
    let during = requests().await? - before;
    println!("{during} requests in an outage of four intervals");
    ensure!(during <= 20, "{during} requests: they do not back off");
    // The connection says how old what is known has become.
    tenant
        .reports("PluvoConnection", "default", "Fresh", "False", "ApiUnavailable")
        .await?;
    let told = writes(&world, mark).await?;
    ensure!(told.is_empty(), "{told:?}");

    tenant.organization.faults(&json!({})).await?;
    tenant
        .reports("PluvoConnection", "default", "Available", "True", "Connected")
        .await?;
    tenant
        .reports("PluvoConnection", "default", "Fresh", "True", "Connected")
        .await?;
    tenant.sweeps(1).await?;
    let told = writes(&world, mark).await?;
    ensure!(told.is_empty(), "after the outage: {told:?}");
    ensure!(tenant.mutations().await?.len() == mutations, "nothing was missing");
    Ok(())
}

#[tokio::test]
async fn an_api_server_that_is_gone_for_a_minute_is_survived() -> Result {
    let world = World::start().await?;
    let tenant = world.tenant("gone", json!({})).await?;
    in_sync(&tenant, 200).await?;
    let mutations = tenant.mutations().await?.len();
    let cluster = Arc::clone(&world.cluster);
    cluster.stop("kube-apiserver").await?;
    // Somebody changes Pluvo meanwhile.
    let renamed: serde_json::Map<String, Value> = (0..20)
        .map(|number| (format!("EMP-{number:05}"), json!({"name": "Somebody else"})))
        .collect();
    tenant.organization.change(&json!({"users": renamed})).await?;
    tokio::time::sleep(Duration::from_mins(1)).await; // the outage itself
    cluster.restart("kube-apiserver").await?;
    for number in 0..20 {
        let name = format!("emp-{number:05}");
        let corrected = tenant.until("PluvoUser", &name, "it is put right", |user| {
            ensure!(user["status"]["lastCorrection"]["count"] == 1);
            Ok(())
        });
        corrected.await?;
    }
    tenant.users_ready(200).await?;
    tenant.sweeps(3).await?;
    let more = tenant.mutations().await?.split_off(mutations);
    ensure!(more == vec!["updateUser"; 20], "{more:?}");
    Ok(())
}
