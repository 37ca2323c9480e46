//! The operator is killed in the middle of its work, again and again.

use anyhow::ensure;
use serde_json::{Value, json};

use crate::support::{Result, SEED, Tenant, World, eventually, is_soak, object, seed};

const USERS: usize = 200;
/// What every run sends, whatever its moments: each user is made and gets a custom field. How many calls it takes to
/// bring them into the group and the training depends on who is there when.
const CERTAIN: usize = 2 * USERS;

fn kills() -> usize {
    if is_soak() { 20 } else { 5 }
}

async fn declare(tenant: &Tenant<'_>) -> Result {
    tenant.declare_everybody().await?;
    tenant
        .declare(
            "TrainingAssignment",
            "all",
            json!({"training": {"ref": "safety-2026"}, "groups": ["all"]}),
        )
        .await?;
    let users: Vec<_> = (0..USERS)
        .map(|number| {
            let spec = json!({
                "ref": format!("EMP-{number}"), "email": format!("emp-{number}@example.com"), "name": format!("User {number}"),
                "customFields": [{"ref": "site", "choice": "Delft"}],
            });
            let mut user = object("PluvoUser", &format!("emp-{number}"), spec);
            user["metadata"]["labels"] = json!({"team": "all"});
            user
        })
        .collect();
    tenant
        .apply(&json!({"apiVersion": "v1", "kind": "List", "items": users}).to_string())
        .await
}

async fn finished(tenant: &Tenant<'_>) -> Result<Value> {
    tenant.users_ready(USERS).await?;
    for (kind, name) in [
        ("PluvoGroup", "all"),
        ("PluvoGroupMembership", "all"),
        ("TrainingAssignment", "all"),
    ] {
        tenant.ready(kind, name).await?;
    }
    // An assignment is in sync with whoever was in its group when that was last read.
    let everybody = |state: &Value| {
        let participants = state["trainings"]["safety-2026"]["participants"].as_array();
        participants.is_some_and(|participants| participants.len() == USERS)
    };
    tenant.pluvo("everybody follows the training", everybody).await
}

/// Small documents, so that there are many moments between two of them.
fn connection() -> Value {
    json!({"limits": {"requestsPerSecond": 50, "burst": 50, "operationsPerRequest": 5}, "interval": "2s"})
}

#[tokio::test]
async fn killed_at_random_moments_it_comes_to_the_same_end() -> Result {
    let mut random = fastrand::Rng::with_seed(seed("CRASH_SEED")?);
    let world = World::prepare(SEED, &[]).await?;

    let undisturbed = world.tenant("calm", connection()).await?;
    declare(&undisturbed).await?;
    world.operator.lock().await.start().await?;
    let expected = finished(&undisturbed).await?;
    let mutations = undisturbed.mutations().await?.len();
    world.operator.lock().await.terminate().await?;

    let tenant = world.tenant("crash", connection()).await?;
    tenant.organization.faults(&json!({"latencyMs": 50})).await?;
    declare(&tenant).await?;
    // Each kill falls between two numbers of mutations, spread over the whole sync.
    let kills = kills();
    let moments: Vec<_> = (0..kills)
        .map(|kill| 1 + random.usize(kill * (CERTAIN - 1) / kills..(kill + 1) * (CERTAIN - 1) / kills))
        .collect();
    let mut done = 0;
    for moment in moments {
        let mut operator = world.operator.lock().await;
        operator.start_unready().await?;
        let seen = eventually("the next moment to be killed", async || {
            let seen = tenant.mutations().await?.len();
            ensure!(seen >= moment, "{seen} of {moment} mutations");
            Ok(seen)
        })
        .await?;
        operator.kill_9().await?;
        println!("killed after {seen} mutations (wanted {moment})");
        done += usize::from(seen < mutations);
    }
    println!("{done} of {kills} kills fell between 1 and {mutations} mutations");
    tenant.organization.faults(&json!({})).await?;
    world.operator.lock().await.start().await?;
    assert_eq!(finished(&tenant).await?, expected, "another end state");
    ensure!(tenant.organization.outbox().await?.is_empty(), "mails were sent");
    Ok(())
}
