//! Whoever may write a resource in a namespace gets no more than its connection permits.

use anyhow::ensure;
use serde_json::json;

use crate::support::{Result, World, condition, object};

#[tokio::test]
async fn what_the_connection_does_not_permit_is_refused_with_the_reason() -> Result {
    let world = World::shared().await?;
    let theirs = world.cluster.namespace("ceiling-of").await?;
    let permit = json!({"roles": ["PARTICIPANT"], "exclusive": false, "emailDomains": ["example.com"]});
    let spec = json!({"permit": permit, "allowedNamespaces": {"names": [theirs]}});
    let tenant = world.tenant("ceiling", spec).await?;
    let seed = json!({
        "users": [
            {"email": "boss@example.com", "name": "Boss", "roles": ["MANAGER"]},
            {"ref": "EMP-1", "email": "jane@example.com", "name": "Jane"},
        ],
        "groups": [{"ref": "rnd", "name": "R&D", "users": ["EMP-1"]}],
    });
    tenant.organization.seed(&seed).await?;
    tenant.sweeps(1).await?;
    let connection = json!({"name": "default", "namespace": tenant.namespace});
    let asked = [
        (
            "PluvoUser",
            "manager",
            json!({"ref": "EMP-2", "email": "m@example.com", "name": "M", "roles": ["MANAGER"]}),
            (
                "NotPermitted",
                "role MANAGER is not among the permitted ones (PARTICIPANT)",
            ),
        ),
        (
            "PluvoUser",
            "elsewhere",
            json!({"ref": "EMP-3", "email": "x@example.org", "name": "X"}),
            ("NotPermitted", "e-mail addresses are permitted in example.com only"),
        ),
        (
            "PluvoUser",
            "boss",
            json!({"ref": "EMP-4", "email": "boss@example.com", "name": "Mine"}),
            ("Protected", "holds role MANAGER"),
        ),
        (
            "PluvoGroupMembership",
            "managers",
            json!({"group": {"ref": "rnd"}, "role": "Manager", "users": ["EMP-1"]}),
            ("NotPermitted", "role MANAGER"),
        ),
        (
            "PluvoGroupMembership",
            "exclusive",
            json!({"group": {"ref": "rnd"}, "policy": "Exclusive", "users": []}),
            ("NotPermitted", "policy Exclusive is not permitted"),
        ),
    ];
    let before = tenant.organization.state().await?;
    // From the connection's own namespace, and from one that it allows.
    for namespace in [&tenant.namespace, &theirs] {
        for (kind, name, spec, _) in &asked {
            let mut spec = spec.clone();
            spec["connectionRef"] = connection.clone();
            let suffix = if *namespace == theirs { "-2" } else { "" };
            if let Some(reference) = spec.get_mut("ref") {
                *reference = json!(format!("{}{suffix}", reference.as_str().unwrap_or_default()));
            }
            world
                .cluster
                .apply(namespace, &object(kind, name, spec).to_string())
                .await?;
        }
        for (kind, name, _, (reason, message)) in &asked {
            crate::support::eventually(&format!("{kind} {name} is refused"), async || {
                let found = world.cluster.get(kind, namespace, name).await?;
                let ready = condition(&found, "Ready").cloned().unwrap_or_default();
                ensure!(ready["reason"] == *reason, "{ready}");
                ensure!(
                    ready["message"].as_str().is_some_and(|told| told.contains(message)),
                    "{ready}"
                );
                ensure!(condition(&found, "Stalled").is_some());
                Ok(())
            })
            .await?;
        }
    }
    tenant.sweeps(3).await?;
    ensure!(tenant.mutations().await?.is_empty(), "{:?}", tenant.mutations().await?);
    ensure!(tenant.organization.state().await? == before);

    // Somebody else's connection is nobody's business.
    let foreign = world.cluster.namespace("ceiling-foreign").await?;
    let spec = json!({"connectionRef": connection, "ref": "EMP-9", "email": "n@example.com", "name": "N"});
    world
        .cluster
        .apply(&foreign, &object("PluvoUser", "foreign", spec).to_string())
        .await?;
    crate::support::eventually("a foreign namespace is refused", async || {
        let found = world.cluster.get("PluvoUser", &foreign, "foreign").await?;
        let ready = condition(&found, "Ready").cloned().unwrap_or_default();
        ensure!(ready["reason"] == "NotPermitted", "{ready}");
        Ok(())
    })
    .await?;
    ensure!(tenant.mutations().await?.is_empty());
    Ok(())
}
