//! The watch shows the operator's own writes long after they were made.

use std::time::Duration;

use anyhow::ensure;
use pluvo_operator::api::PluvoUser;
use serde_json::{Value, json};

use crate::support::{Result, SEED, World, condition, create_all, people};

const DRIFTED: usize = 200;
const NEW: usize = 1000;

#[tokio::test]
async fn corrections_and_a_first_sync_under_a_late_watch() -> Result {
    let (world, proxy) = World::behind_a_proxy(SEED).await?;
    proxy.delay_watches(Duration::from_secs(2));
    let tenant = world.tenant("stale", json!({"interval": "1h"})).await?;
    let users = tenant.api_of::<PluvoUser>();
    create_all(&users, people(0..DRIFTED)?).await?;
    let mark = world.cluster.audit().mark().await?;
    world.operator.lock().await.start().await?;
    tenant.users_ready(DRIFTED).await?;

    let renamed: serde_json::Map<_, _> = (0..DRIFTED)
        .map(|number| (format!("EMP-{number:05}"), json!({"name": "Somebody else"})))
        .collect();
    tenant.organization.change(&json!({"users": renamed})).await?;
    tenant.sweep().await?;
    create_all(&users, people(DRIFTED..DRIFTED + NEW)?).await?;
    tenant.users_ready(DRIFTED + NEW).await?;
    for number in 0..DRIFTED {
        let user = tenant.ready("PluvoUser", &format!("emp-{number:05}")).await?;
        let drifted = condition(&user, "Drifted").map(|drifted| drifted["status"].clone());
        ensure!(drifted == Some(json!("False")), "{}", user["status"]);
        ensure!(user["status"]["lastCorrection"]["count"] == 1, "{}", user["status"]);
    }

    let log = tenant.organization.log().await?;
    let count = |operation: &str| log.iter().filter(|entry| entry["operation"] == operation).count();
    let counts = ["updateOrCreateUser", "updateExtraCategoryValues", "updateUser"].map(count);
    ensure!(
        counts == [DRIFTED + NEW, DRIFTED + NEW, DRIFTED],
        "a mutation was sent twice: {counts:?}"
    );
    let operator = world.operator.lock().await.user();
    let writes = world
        .cluster
        .audit()
        .since(mark, |entry| entry.user() == operator && entry.writes())
        .await?;
    let conflicts = writes.iter().filter(|entry| entry.code() == 409).count();
    println!("{conflicts} conflicts in {} writes", writes.len());
    ensure!(conflicts * 100 < writes.len(), "{conflicts} of {}", writes.len());
    let state = tenant.organization.state().await?;
    let wrong = state["users"].as_object().into_iter().flatten();
    let wrong: Vec<(&String, &Value)> = wrong.filter(|(_, user)| user["name"] == "Somebody else").collect();
    ensure!(wrong.is_empty(), "{wrong:?}");
    Ok(())
}
