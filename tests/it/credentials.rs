//! Tokens end, credentials change, and nothing fails because of it.

use anyhow::ensure;
use pluvo_operator::api::PluvoUser;
use serde_json::json;

use crate::support::{Result, SEED, World, create_all, eventually, people};

#[tokio::test]
async fn tokens_that_are_revoked_five_times_cost_five_more() -> Result {
    let world = World::shared().await?;
    let limits =
        json!({"inFlight": 8, "writing": 8, "operationsPerRequest": 4, "requestsPerSecond": 200, "burst": 200});
    let tenant = world
        .tenant("revoked", json!({"limits": limits, "interval": "1h"}))
        .await?;
    tenant.ready("PluvoConnection", "default").await?;
    tenant.organization.faults(&json!({"latencyMs": 200})).await?;
    let declare = async { create_all(&tenant.api_of::<PluvoUser>(), people(0..400)?).await };
    let revoke = async {
        for revoked in 1..=5 {
            eventually("the sync goes on", async || {
                let count = tenant.organization.stats().await?["mutations"]
                    .as_u64()
                    .unwrap_or_default();
                ensure!(count >= revoked * 50, "{count} mutations at revocation {revoked}");
                Ok(())
            })
            .await?;
            tenant.organization.revoke_tokens().await?;
        }
        Ok(())
    };
    futures::try_join!(declare, revoke)?;
    tenant.users_ready(400).await?;
    let stats = tenant.organization.stats().await?;
    println!("{stats}");
    // The person who watches here needs no token: the control endpoints take none.
    ensure!(stats["tokensIssued"] == 6, "{stats}");
    ensure!(stats["maxInFlight"] == 8, "{stats}");
    let failed = tenant
        .organization
        .log()
        .await?
        .into_iter()
        .filter(|entry| entry["outcome"] != "ok")
        .count();
    ensure!(failed == 0, "{failed} mutations failed");
    Ok(())
}

#[tokio::test]
async fn rotated_credentials_are_taken_up_by_the_same_process() -> Result {
    let clients = json!([
        {"id": "operator", "secret": "operator-secret"}, {"id": "rotated", "secret": "rotated-secret"}, {"id": "person", "secret": "person-secret"},
    ]);
    let mut seed: serde_json::Value = serde_yaml::from_str(SEED)?;
    seed["clients"] = clients;
    let world = World::start_with(&seed.to_string(), &[]).await?;
    let tenant = world.tenant("rotated", json!({})).await?;
    let users = tenant.api_of::<PluvoUser>();
    create_all(&users, people(0..1)?).await?;
    tenant.ready("PluvoUser", "emp-00000").await?;
    let pid = world.operator.lock().await.process()?.pid();
    tenant.secret("rotated", "rotated-secret").await?;
    tenant.sweeps(2).await?;
    create_all(&users, people(1..2)?).await?;
    tenant.ready("PluvoUser", "emp-00001").await?;
    let clients: Vec<_> = tenant
        .organization
        .log()
        .await?
        .iter()
        .map(|entry| entry["client"].clone())
        .collect();
    ensure!(clients == ["operator", "operator", "rotated", "rotated"], "{clients:?}");
    ensure!(world.operator.lock().await.process()?.pid() == pid);
    Ok(())
}

#[tokio::test]
async fn wrong_credentials_are_one_condition_and_not_a_thousand() -> Result {
    let world = World::start().await?;
    let tenant = world.tenant("wrong", json!({})).await?;
    create_all(&tenant.api_of::<PluvoUser>(), people(0..1000)?).await?;
    tenant.users_ready(1000).await?;
    let mark = world.cluster.audit().mark().await?;
    tenant.secret("operator", "not-the-secret").await?;
    tenant.organization.revoke_tokens().await?;
    tenant
        .reports("PluvoConnection", "default", "Stalled", "True", "CredentialsRejected")
        .await?;
    tenant
        .declare(
            "PluvoUser",
            "new",
            json!({"ref": "NEW", "email": "new@example.com", "name": "New"}),
        )
        .await?;
    tenant
        .reports("PluvoUser", "new", "Ready", "False", "ConnectionNotReady")
        .await?;
    let user = world.operator.lock().await.user();
    let written = world
        .cluster
        .audit()
        .since(mark, |entry| {
            entry.user() == user && entry.writes() && entry.resource().starts_with("pluvousers")
        })
        .await?;
    ensure!(written.len() == 1, "{written:?}");
    tenant.secret("operator", "operator-secret").await?;
    tenant.ready("PluvoConnection", "default").await?;
    tenant.ready("PluvoUser", "new").await?;
    Ok(())
}
