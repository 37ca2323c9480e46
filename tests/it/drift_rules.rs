//! What counts as drift, and what does not.

use anyhow::ensure;
use serde_json::{Value, json};

use crate::{
    events::told,
    support::{Result, SEED, Tenant, World, eventually},
};

fn user(name: &str, language: &str) -> Value {
    json!({"ref": "EMP-1", "email": "jane@example.com", "name": name, "language": language})
}

/// Reads happen when a test asks for them.
fn without_sweeps(mode: &str) -> Value {
    json!({"interval": "1h", "mode": mode})
}

async fn set_mode(tenant: &Tenant<'_>, mode: &str) -> Result {
    let mut spec = tenant.get("PluvoConnection", "default").await?["spec"].take();
    spec["mode"] = json!(mode);
    tenant.declare("PluvoConnection", "default", spec).await
}

/// The paths of an object's drift.
fn drift(object: &Value) -> Vec<&str> {
    let entries = object["status"]["drift"]["entries"].as_array().into_iter().flatten();
    entries.filter_map(|entry| entry["path"].as_str()).collect()
}

#[tokio::test]
async fn what_is_not_declared_is_left_alone() -> Result {
    let world = World::shared().await?;
    let tenant = world.tenant("undeclared", without_sweeps("Correct")).await?;
    let plain = json!({"ref": "EMP-1", "email": "jane@example.com", "name": "Jane"});
    tenant.declare("PluvoUser", "jane", plain).await?;
    tenant
        .declare("PluvoGroup", "rnd", json!({"ref": "rnd", "name": "R&D"}))
        .await?;
    let jane = tenant.ready("PluvoUser", "jane").await?;
    let group = tenant.ready("PluvoGroup", "rnd").await?;
    let before = tenant.mutations().await?;
    let change = json!({
        "users": {"EMP-1": {"roles": ["MANAGER"], "language": "EN", "customFields": {"site": "Delft"}}},
        "groups": {"rnd": {
            "maxUsers": 5, "enableChat": true, "isEditable": false, "users": ["EMP-1"], "customFields": {"department": "HR"},
        }},
    });
    tenant.organization.change(&change).await?;
    tenant.sweep().await?;
    tenant.sweep().await?;
    ensure!(tenant.mutations().await? == before, "{:?}", tenant.mutations().await?);
    for (kind, name, known) in [("PluvoUser", "jane", jane), ("PluvoGroup", "rnd", group)] {
        let now = tenant.get(kind, name).await?;
        ensure!(
            now["metadata"]["resourceVersion"] == known["metadata"]["resourceVersion"],
            "{kind} was written: {}",
            now["status"]
        );
    }
    Ok(())
}

#[tokio::test]
async fn a_changed_spec_leaves_the_drift_of_another_field_what_it_is() -> Result {
    let world = World::shared().await?;
    let tenant = world.tenant("edit", without_sweeps("Apply")).await?;
    tenant.declare("PluvoUser", "jane", user("Jane", "NL")).await?;
    tenant.ready("PluvoUser", "jane").await?;
    tenant
        .organization
        .change(&json!({"users": {"EMP-1": {"name": "Janet"}}}))
        .await?;
    tenant.sweep().await?;
    tenant.declare("PluvoUser", "jane", user("Jane", "EN")).await?;
    tenant
        .pluvo("the edited field is written", |state| {
            state["users"]["EMP-1"]["language"] == "EN"
        })
        .await?;
    let jane = tenant
        .reports("PluvoUser", "jane", "Ready", "True", "DriftReported")
        .await?;
    ensure!(drift(&jane) == ["name"], "{}", jane["status"]["drift"]);
    ensure!(tenant.organization.state().await?["users"]["EMP-1"]["name"] == "Janet");

    set_mode(&tenant, "Correct").await?;
    let jane = tenant.ready("PluvoUser", "jane").await?;
    let correction = &jane["status"]["lastCorrection"];
    ensure!(
        correction["count"] == 1 && correction["entries"][0]["path"] == "name",
        "{correction}"
    );
    Ok(())
}

#[tokio::test]
async fn a_field_selector_finds_exactly_the_drifted() -> Result {
    let world = World::shared().await?;
    let tenant = world.tenant("select", without_sweeps("Observe")).await?;
    let users =
        ["a", "b", "c", "d"].map(|name| json!({"ref": name, "email": format!("{name}@example.com"), "name": name}));
    tenant.organization.seed(&json!({"users": users})).await?;
    tenant.sweep().await?;
    for user in &users {
        let name = user["ref"].as_str().unwrap_or_default();
        tenant.declare("PluvoUser", name, user.clone()).await?;
        tenant.ready("PluvoUser", name).await?;
    }
    let change = json!({"users": {"b": {"name": "x"}, "d": {"name": "x"}}});
    tenant.organization.change(&change).await?;
    tenant.sweep().await?;
    for name in ["b", "d"] {
        tenant
            .reports("PluvoUser", name, "Drifted", "True", "DriftReported")
            .await?;
    }
    let selector = ["--field-selector", "status.drift.state=Drifted", "-o", "name"];
    let args = [&["get", "pvu", "--namespace", &tenant.namespace], &selector[..]].concat();
    let found = world.cluster.kubectl(&args).await?;
    let found: Vec<_> = found.lines().collect();
    ensure!(found == ["pluvouser.pluvo.dev/b", "pluvouser.pluvo.dev/d"], "{found:?}");
    Ok(())
}

#[tokio::test]
async fn since_when_it_stands_outlives_sweeps_and_a_restart_and_is_told_once() -> Result {
    const ALL: [(&str, &str); 4] = [
        ("PluvoUser", "jane"),
        ("PluvoGroup", "rnd"),
        ("PluvoGroupMembership", "rnd"),
        ("TrainingAssignment", "safety"),
    ];
    let world = World::prepare(SEED, &[]).await?;
    world.operator.lock().await.start().await?;
    let tenant = world.tenant("since", without_sweeps("Correct")).await?;
    tenant.declare("PluvoUser", "jane", user("Jane", "NL")).await?;
    tenant
        .declare("PluvoGroup", "rnd", json!({"ref": "rnd", "name": "R&D"}))
        .await?;
    let membership = json!({"group": {"ref": "rnd"}, "users": ["EMP-1"]});
    tenant.declare("PluvoGroupMembership", "rnd", membership).await?;
    let assignment = json!({"training": {"ref": "safety-2026"}, "users": ["EMP-1"]});
    tenant.declare("TrainingAssignment", "safety", assignment).await?;
    for (kind, name) in ALL {
        tenant.ready(kind, name).await?;
    }
    set_mode(&tenant, "Observe").await?;
    let change = json!({
        "users": {"EMP-1": {"name": "Janet"}},
        "groups": {"rnd": {"name": "Research", "removeUsers": ["EMP-1"]}},
        "trainings": {"safety-2026": {"removeParticipants": ["EMP-1"]}},
    });
    tenant.organization.change(&change).await?;
    tenant.sweep().await?;
    let mut before = Vec::new();
    for (kind, name) in ALL {
        let drifted = tenant.reports(kind, name, "Drifted", "True", "DriftReported").await?;
        before.push(drifted["status"]["drift"].clone());
    }
    let expected = ["jane Drifted 1", "rnd Drifted 1", "rnd Drifted 1", "safety Drifted 1"];
    eventually("all drift is told", async || {
        let told = told(&tenant).await?;
        ensure!(told == expected, "{told:?}");
        Ok(())
    })
    .await?;
    for _ in 0..3 {
        tenant.sweep().await?;
    }
    world.operator.lock().await.restart().await?;
    tenant.sweep().await?;
    for ((kind, name), before) in ALL.iter().zip(before) {
        let after = tenant.get(kind, name).await?["status"]["drift"].take();
        ensure!(
            before == after && before["count"] == 1,
            "{kind}: {before} became {after}"
        );
    }
    let told = told(&tenant).await?;
    ensure!(told == expected, "{told:?}");
    Ok(())
}

#[tokio::test]
async fn a_value_that_somebody_keeps_changing_back_is_contested() -> Result {
    let world = World::shared().await?;
    let tenant = world.tenant("contested", json!({})).await?;
    let user = |name: &str| json!({"ref": "EMP-1", "email": "jane@example.com", "name": name});
    tenant.declare("PluvoUser", "jane", user("Jane")).await?;
    tenant.ready("PluvoUser", "jane").await?;
    let rename = json!({"users": {"EMP-1": {"name": "Janet"}}});
    for round in 1..=3 {
        tenant.organization.change(&rename).await?;
        let corrected = tenant.until("PluvoUser", "jane", "it is put right", |user| {
            let applied = user["status"]["applied"].as_array().into_iter().flatten();
            let name = applied
                .into_iter()
                .find(|applied| applied["path"] == "name")
                .cloned()
                .unwrap_or_default();
            ensure!(
                name["corrected"].as_array().is_some_and(|times| times.len() == round),
                "{name}"
            );
            Ok(())
        });
        corrected.await?;
    }
    let before = tenant.mutations().await?;
    ensure!(before.len() == 4, "{before:?}");
    tenant.organization.change(&rename).await?;
    let contested = tenant
        .reports("PluvoUser", "jane", "Stalled", "True", "Contested")
        .await?;
    ensure!(
        contested["status"]["drift"]["entries"][0]["path"] == "name",
        "{}",
        contested["status"]
    );
    tenant.sweeps(10).await?;
    ensure!(tenant.mutations().await? == before, "it is only reported");
    tenant.declare("PluvoUser", "jane", user("Jane Doe")).await?;
    tenant.ready("PluvoUser", "jane").await?;
    ensure!(tenant.mutations().await?.len() == 5, "the spec has changed");
    Ok(())
}
