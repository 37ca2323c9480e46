//! Events tell of transitions, and of nothing else.

use anyhow::ensure;
use k8s_openapi::api::events::v1::Event;
use kube::api::ListParams;
use serde_json::json;

use crate::support::{Result, Tenant, World, eventually};

/// Reasons of the events in the tenant's namespace with the names of their objects, and how often each was told.
pub async fn told(tenant: &Tenant<'_>) -> Result<Vec<String>> {
    let events = tenant.api_of::<Event>().list(&ListParams::default()).await?;
    let ours = events.items.into_iter().filter_map(|event| {
        let about = event
            .regarding
            .filter(|about| about.api_version.as_deref() == Some("pluvo.dev/v1alpha1"))?;
        let count = event.series.map_or(1, |series| series.count);
        Some(format!(
            "{} {} {count}",
            about.name.unwrap_or_default(),
            event.reason.unwrap_or_default()
        ))
    });
    let mut told: Vec<_> = ours.collect();
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
    eventually("all transitions are told", async || {
        let told = told(&tenant).await?;
        ensure!(told == expected, "{told:?}");
        Ok(())
    })
    .await?;
    for _ in 0..3 {
        tenant.sweep().await?;
    }
    let told = told(&tenant).await?;
    ensure!(told == expected, "{told:?}");
    Ok(())
}
