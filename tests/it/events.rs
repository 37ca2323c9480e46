//! Events tell of transitions, and of nothing else.

use anyhow::ensure;
use serde_json::{Value, json};

use crate::support::{Result, Tenant, World, soon};

/// Reasons of the events in the tenant's namespace with the names of their objects, and how often each was told.
pub async fn told(world: &World, tenant: &Tenant<'_>) -> Result<Vec<String>> {
    let args = ["get", "events", "--namespace", &tenant.namespace, "-o", "json"];
    let list: Value = serde_json::from_str(&world.cluster.kubectl(&args).await?)?;
    let events = list["items"].as_array().into_iter().flatten();
    let ours = events.filter(|event| event["involvedObject"]["apiVersion"] == "pluvo.dev/v1alpha1");
    let mut told: Vec<_> = ours
        .map(|event| {
            let (name, reason) = (&event["involvedObject"]["name"], &event["reason"]);
            let count = event["series"]["count"].as_u64().unwrap_or(1);
            format!("{name} {reason} {count}").replace('"', "")
        })
        .collect();
    told.sort();
    Ok(told)
}

#[tokio::test]
async fn transitions_are_told_once() -> Result {
    let world = World::shared().await?;
    let tenant = world.tenant("events", json!({"interval": "1h"})).await?;
    let user = |email: &str| json!({"ref": "EMP-1", "email": email, "name": "Jane"});
    tenant.declare("PluvoUser", "jane", user("jane@example.com")).await?;
    tenant.ready("PluvoUser", "jane").await?;
    tenant.declare("PluvoUser", "twin", user("twin@example.com")).await?;
    tenant
        .reports("PluvoUser", "twin", "Stalled", "True", "OwnedByOther")
        .await?;
    let rename = json!({"users": {"EMP-1": {"name": "Janet"}}});
    tenant.organization.change(&rename).await?;
    tenant.sweep().await?;
    tenant
        .pluvo("it is put right", |state| state["users"]["EMP-1"]["name"] == "Jane")
        .await?;
    tenant.ready("PluvoUser", "jane").await?;
    let expected = ["jane Corrected 1", "jane Drifted 1", "twin OwnedByOther 1"];
    soon("all transitions are told", async || {
        let told = told(world, &tenant).await?;
        ensure!(told == expected, "{told:?}");
        Ok(())
    })
    .await?;
    for _ in 0..3 {
        tenant.sweep().await?;
    }
    let told = told(world, &tenant).await?;
    ensure!(told == expected, "{told:?}");
    Ok(())
}
