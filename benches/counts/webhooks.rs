//! Webhooks: how soon a change in Pluvo is in a status, and what a million deliveries cost.

use std::time::Instant;

use anyhow::ensure;
use serde_json::json;

use crate::{
    figures::{Figures, count},
    support::{Result, SEED, Tenant, World, eventually, flood_of},
};

const KEY: &str = "webhook-key";
const CHANGES: usize = 100;
const DELIVERIES: usize = 1_000_000;
/// After so many the memory is looked at for the first time.
const WARM: usize = 10_000;

/// Measures both, with the limits that a connection has by default.
pub async fn run(figures: &mut Figures) -> Result {
    let world = World::start_with(SEED, &[]).await?;
    let limits = json!({"requestsPerSecond": 5, "burst": 10});
    let spec = json!({"interval": "24h", "mode": "Observe", "limits": limits});
    let tenant = world.tenant("latency", spec).await?;
    tenant.takes_webhooks(json!({"webhook-key": KEY})).await?;
    latency(&tenant, figures).await?;

    let tenant = world
        .tenant("flood", json!({"interval": "24h", "limits": limits}))
        .await?;
    tenant.takes_webhooks(json!({"webhook-key": KEY})).await?;
    flood_of(&tenant, KEY, DELIVERIES, WARM, |what, value, most| {
        figures.at_most(format!("a million deliveries: {what}"), value, most);
    })
    .await
}

/// From the change in Pluvo to the status that says so. The times are of this machine: they are told, and bound nothing.
async fn latency(tenant: &Tenant<'_>, figures: &mut Figures) -> Result {
    let user = json!({"ref": "A", "email": "a@example.com", "name": "A"});
    tenant.organization.seed(&json!({"users": [user]})).await?;
    tenant.sweep().await?;
    tenant.declare("PluvoUser", "a", user).await?;
    tenant.ready("PluvoUser", "a").await?;
    tenant.subscribe(KEY).await?;
    let mut times = Vec::with_capacity(CHANGES);
    for number in 0..CHANGES {
        let name = format!("Name {number}");
        tenant
            .organization
            .change(&json!({"users": {"A": {"name": name}}}))
            .await?;
        let begin = Instant::now();
        let seen = eventually("the status says so", async || {
            let status = tenant.get("PluvoUser", "a").await?["status"].clone();
            ensure!(status["drift"]["entries"][0]["observed"] == name, "{status}");
            Ok(begin.elapsed())
        });
        times.push(seen.await?.as_millis());
    }
    times.sort_unstable();
    let at = |percent: usize| {
        count(usize::try_from(times[(CHANGES * percent / 100).min(CHANGES - 1)]).unwrap_or(usize::MAX))
    };
    figures.note("milliseconds from a change in Pluvo to the status, p50", at(50));
    figures.note("milliseconds from a change in Pluvo to the status, p99", at(99));
    Ok(())
}
