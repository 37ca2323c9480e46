//! A release of the chart that watches one namespace: it does everything there, and nothing anywhere else.

use anyhow::ensure;
use serde_json::json;

use crate::{
    rbac::{self, Form},
    support::{Result, SEED, World, condition},
};

#[tokio::test]
async fn an_operator_of_one_namespace_leaves_all_others_alone() -> Result {
    let world = World::prepare(SEED, &[]).await?;
    let (inside, outside) = (
        world.tenant("inside", json!({})).await?,
        world.tenant("outside", json!({})).await?,
    );
    let user = json!({"ref": "EMP-2", "email": "joan@example.com", "name": "Joan"});
    outside.declare("PluvoUser", "joan", user).await?;
    world.confine(&inside.namespace).await?;

    rbac::scenario(&world, &inside).await?;
    for (kind, name) in [("PluvoUser", "joan"), ("PluvoConnection", "default")] {
        let status = &outside.get(kind, name).await?["status"];
        // What the definition gives to what nobody has looked at.
        ensure!(*status == json!({"observedGeneration": -1}), "{kind} {name}: {status}");
    }
    let stats = outside.organization.stats().await?;
    ensure!(stats["httpRequests"] == 0, "{stats}");
    for (tenant, allowed) in [(&inside, true), (&outside, false)] {
        let may = rbac::may(&world, tenant, Form::OneNamespace, "get secrets.").await?;
        ensure!(may == allowed, "Secrets of {}", tenant.namespace);
    }

    let elsewhere = json!({
        "ref": "EMP-3", "email": "june@example.com", "name": "June",
        "connectionRef": {"name": "default", "namespace": outside.namespace},
    });
    inside.declare("PluvoUser", "june", elsewhere).await?;
    let june = inside
        .reports("PluvoUser", "june", "Stalled", "True", "NotPermitted")
        .await?;
    let told = condition(&june, "Stalled").map(|stalled| stalled["message"].to_string());
    let told = told.unwrap_or_default();
    ensure!(
        told.contains(&format!("looks at namespace {} alone", inside.namespace)),
        "{told}"
    );
    // Nothing was done for it, so nothing stands in its way.
    inside.delete("PluvoUser", "june").await?;
    inside.gone("PluvoUser", "june").await
}
