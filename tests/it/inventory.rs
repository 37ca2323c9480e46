//! What a resource has added is known to it, whatever happens between the call and the status.

use anyhow::ensure;
use rstest::rstest;
use serde_json::{Value, json};

use crate::support::{Result, SEED, Tenant, World, eventually};

async fn people(tenant: &Tenant<'_>, users: &[&str]) -> Result {
    let people: Vec<_> = users
        .iter()
        .map(|user| json!({"ref": user, "email": format!("{user}@example.com").to_lowercase(), "name": user}))
        .collect();
    tenant.organization.seed(&json!({"users": people})).await
}

async fn group(tenant: &Tenant<'_>) -> Result {
    tenant
        .organization
        .seed(&json!({"groups": [{"ref": "g", "name": "G"}]}))
        .await
}

/// A resource that puts users somewhere, where they show in Pluvo, and the operation that puts them there.
struct Place {
    kind: &'static str,
    target: Value,
    shows: &'static str,
    operation: &'static str,
}

impl Place {
    fn of(kind: &'static str) -> Self {
        match kind {
            "PluvoGroupMembership" => Self {
                kind,
                target: json!({"group": {"ref": "g"}}),
                shows: "/groups/g/users",
                operation: "addUsersToGroup",
            },
            _ => Self {
                kind,
                target: json!({"training": {"ref": "safety-2026"}, "deletionPolicy": "Remove"}),
                shows: "/trainings/safety-2026/participants",
                operation: "addUsersToTraining",
            },
        }
    }

    async fn declare(&self, tenant: &Tenant<'_>, users: &[&str]) -> Result {
        let mut spec = json!({"policy": "Owned", "users": users});
        crate::support::merge(&mut spec, self.target.clone());
        tenant.declare(self.kind, "m", spec).await
    }

    fn holds(&self, state: &Value, users: &[&str]) -> bool {
        state.pointer(self.shows) == Some(&json!(users))
    }
}

/// The operator dies while Pluvo has added somebody and has not said so. Nobody told the next process, but the status did.
#[rstest]
#[tokio::test]
async fn who_was_added_before_a_crash_is_removed_when_undeclared(
    #[values("PluvoGroupMembership", "TrainingAssignment")] kind: &'static str,
) -> Result {
    let world = World::prepare(SEED, &[]).await?;
    let tenant = world.tenant("inventory", json!({})).await?;
    people(&tenant, &["A", "B"]).await?;
    group(&tenant).await?;
    let place = Place::of(kind);
    let hold = json!({"next": [{"fault": "holdAfterCommit", "operation": place.operation}]});
    tenant.organization.faults(&hold).await?;
    place.declare(&tenant, &["A", "B"]).await?;
    world.operator.lock().await.start().await?;
    eventually("the addition is done and not answered", async || {
        let stats = tenant.organization.stats().await?;
        ensure!(stats["held"] == 1, "{stats}");
        Ok(())
    })
    .await?;
    ensure!(place.holds(&tenant.organization.state().await?, &["A", "B"]));
    world.operator.lock().await.kill_9().await?;
    tenant.organization.release().await?;

    place.declare(&tenant, &["A"]).await?;
    world.operator.lock().await.start().await?;
    tenant
        .pluvo("B is out again", |state| place.holds(state, &["A"]))
        .await?;
    tenant.ready(kind, "m").await?;
    Ok(())
}

#[tokio::test]
async fn in_mode_apply_a_joiner_is_added_and_a_lost_member_is_only_reported() -> Result {
    let world = World::shared().await?;
    let tenant = world
        .tenant("apply", json!({"mode": "Apply", "interval": "1h"}))
        .await?;
    people(&tenant, &["A", "B"]).await?;
    group(&tenant).await?;
    tenant.sweep().await?;
    let membership = Place::of("PluvoGroupMembership");
    membership.declare(&tenant, &["A", "B", "C"]).await?;
    tenant
        .pluvo("who exists is in", |state| membership.holds(state, &["A", "B"]))
        .await?;
    let seen = "both are seen, the third is waited for";
    tenant
        .until("PluvoGroupMembership", "m", seen, |membership| {
            let status = &membership["status"];
            ensure!(status["subjects"]["applied"] == 2 && status["subjects"]["waiting"] == 1);
            Ok(())
        })
        .await?;

    // One sweep shows both: somebody comes into existence, somebody else has left the group.
    people(&tenant, &["C"]).await?;
    let lost = json!({"groups": {"g": {"removeUsers": ["B"]}}});
    tenant.organization.change(&lost).await?;
    tenant.sweep().await?;
    tenant
        .pluvo("the joiner is in, the lost one is not", |state| {
            membership.holds(state, &["A", "C"])
        })
        .await?;
    let reported = tenant
        .reports("PluvoGroupMembership", "m", "Ready", "True", "DriftReported")
        .await?;
    let drift = &reported["status"]["drift"];
    ensure!(
        drift["count"] == 1 && drift["entries"][0]["path"] == "users[B]" && drift["entries"][0]["kind"] == "Missing",
        "{drift}"
    );
    tenant.sweep().await?;
    ensure!(membership.holds(&tenant.organization.state().await?, &["A", "C"]));
    Ok(())
}
