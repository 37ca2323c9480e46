//! A Pluvo that does not show its schema, or lacks a part of it.

use anyhow::{Context, ensure};
use rstest::rstest;
use serde_json::{Value, json};

use crate::support::{Result, World, condition};

/// What nobody needs: where it is absent, less is known.
const NICE_TO_HAVE: [&str; 4] = [
    "Group.userCount",
    "Group.managerCount",
    "ExtraCategory.ref",
    "Training.archived",
];

#[rstest]
#[tokio::test]
async fn without_what_nobody_needs_everything_works(#[values(false, true)] introspection_off: bool) -> Result {
    let world = World::shared().await?;
    let tenant = world.tenant("bare", json!({})).await?;
    // Nobody has talked to this organization yet.
    let name = format!("{}-bare", tenant.namespace);
    let organization = world.sandbox.organization(&name);
    organization
        .faults(&json!({"introspectionOff": introspection_off, "absent": NICE_TO_HAVE}))
        .await?;
    tenant
        .declare(
            "PluvoConnection",
            "bare",
            json!({
                "organization": name, "interval": "1s",
                "credentialsSecretRef": {"name": "pluvo-credentials"},
                "limits": {"requestsPerSecond": 100, "burst": 100},
            }),
        )
        .await?;
    let on = |mut spec: Value| {
        spec["connectionRef"] = json!({"name": "bare"});
        spec
    };
    let fields = json!([{"ref": "department", "text": "Research"}, {"ref": "first-aider", "bool": true}]);
    let user = json!({"ref": "EMP-1", "email": "emp-1@example.com", "name": "Somebody", "customFields": fields});
    tenant.declare("PluvoUser", "jane", on(user)).await?;
    let group = json!({"ref": "rnd", "name": "R&D", "maxUsers": 30});
    tenant.declare("PluvoGroup", "rnd", on(group)).await?;
    let membership = json!({"group": {"ref": "rnd"}, "users": ["EMP-1"]});
    tenant.declare("PluvoGroupMembership", "rnd", on(membership)).await?;
    let assignment = json!({"training": {"ref": "safety-2026"}, "groups": ["rnd"]});
    tenant.declare("TrainingAssignment", "safety", on(assignment)).await?;
    for (kind, name) in [
        ("PluvoUser", "jane"),
        ("PluvoGroup", "rnd"),
        ("PluvoGroupMembership", "rnd"),
        ("TrainingAssignment", "safety"),
    ] {
        tenant
            .ready(kind, name)
            .await
            .with_context(|| format!("{kind} with introspection off: {introspection_off}"))?;
    }
    // What is learned from errors is reported at the end of the next sweep.
    let told = tenant.until("PluvoConnection", "bare", "says what is missing", |connection| {
        let unsupported = &connection["status"]["schema"]["unsupported"];
        let all = unsupported.as_array().context("nothing")?;
        ensure!(
            NICE_TO_HAVE.iter().all(|part| all.contains(&json!(part))),
            "{unsupported}"
        );
        Ok(())
    });
    let connection = told.await?;
    println!(
        "introspection off: {introspection_off}; unsupported: {}",
        connection["status"]["schema"]["unsupported"]
    );
    ensure!(
        condition(&connection, "Ready").is_some_and(|ready| ready["status"] == "True"),
        "{}",
        connection["status"]
    );
    ensure!(condition(&connection, "Stalled").is_none(), "{}", connection["status"]);
    Ok(())
}
