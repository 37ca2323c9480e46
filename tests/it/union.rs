//! Several resources declare subjects of one target.

use anyhow::ensure;
use serde_json::{Value, json};

use crate::support::{Result, Tenant, World};

async fn group_with_users(tenant: &Tenant<'_>, users: &[&str]) -> Result {
    tenant
        .declare("PluvoGroup", "g", json!({"ref": "g", "name": "G"}))
        .await?;
    for user in users {
        let email = format!("{}@example.com", user.to_lowercase());
        tenant
            .declare(
                "PluvoUser",
                &user.to_lowercase(),
                json!({"ref": user, "email": email, "name": user}),
            )
            .await?;
    }
    Ok(())
}

fn members(users: &[&str], policy: &str) -> Value {
    json!({"group": {"ref": "g"}, "users": users, "policy": policy})
}

fn in_group(users: &'static [&'static str]) -> impl Fn(&Value) -> bool {
    move |state| state["groups"]["g"]["users"] == json!(users)
}

#[tokio::test]
async fn who_is_declared_by_a_sibling_stays_when_an_owner_is_deleted() -> Result {
    let world = World::shared().await?;
    let tenant = world.tenant("union", json!({"interval": "1h"})).await?;
    group_with_users(&tenant, &["A", "B", "C"]).await?;
    tenant
        .declare("PluvoGroupMembership", "first", members(&["A", "B"], "Owned"))
        .await?;
    tenant.ready("PluvoGroupMembership", "first").await?;
    tenant
        .declare("PluvoGroupMembership", "second", members(&["B", "C"], "Owned"))
        .await?;
    tenant.ready("PluvoGroupMembership", "second").await?;
    tenant.delete("PluvoGroupMembership", "first").await?;
    tenant.gone("PluvoGroupMembership", "first").await?;
    tenant.pluvo("A is gone, B and C stay", in_group(&["B", "C"])).await?;

    // B was added by the first; the second has taken it over, and removes it once it is undeclared, and not before.
    tenant.sweep().await?;
    ensure!(in_group(&["B", "C"])(&tenant.organization.state().await?));
    tenant
        .declare("PluvoGroupMembership", "second", members(&["C"], "Owned"))
        .await?;
    tenant.pluvo("B is gone as well", in_group(&["C"])).await?;
    tenant.ready("PluvoGroupMembership", "second").await?;
    Ok(())
}

#[tokio::test]
async fn an_exclusive_membership_spares_whom_others_declare() -> Result {
    let world = World::shared().await?;
    let tenant = world.tenant("exclusive", json!({})).await?;
    group_with_users(&tenant, &["A", "B", "C"]).await?;
    for user in ["a", "b", "c"] {
        tenant.ready("PluvoUser", user).await?;
    }
    tenant
        .organization
        .change(&json!({"groups": {"g": {"users": ["C"]}}}))
        .await?;
    tenant.sweeps(1).await?;
    tenant
        .declare("PluvoGroupMembership", "owned", members(&["A"], "Owned"))
        .await?;
    tenant
        .declare("PluvoGroupMembership", "all", members(&["B"], "Exclusive"))
        .await?;
    tenant
        .pluvo("the stranger C is gone, A and B stay", in_group(&["A", "B"]))
        .await?;
    tenant.ready("PluvoGroupMembership", "all").await?;
    tenant
        .declare("PluvoGroupMembership", "late", members(&["C"], "Exclusive"))
        .await?;
    tenant
        .reports("PluvoGroupMembership", "late", "Stalled", "True", "TargetConflict")
        .await?;
    tenant.delete("PluvoGroupMembership", "late").await?;
    tenant.delete("PluvoGroupMembership", "all").await?;
    tenant.gone("PluvoGroupMembership", "all").await?;
    tenant.pluvo("A stays", in_group(&["A"])).await?;
    Ok(())
}

#[tokio::test]
async fn a_selector_that_matches_nobody_removes_nobody() -> Result {
    let world = World::shared().await?;
    let tenant = world.tenant("nobody", json!({})).await?;
    tenant
        .declare("PluvoGroup", "g", json!({"ref": "g", "name": "G"}))
        .await?;
    let user = json!({"ref": "A", "email": "a@example.com", "name": "A"});
    tenant
        .declare_labelled("PluvoUser", "a", json!({"team": "x"}), user.clone())
        .await?;
    let selector = json!({"group": {"ref": "g"}, "userSelector": {"matchLabels": {"team": "x"}}});
    tenant.declare("PluvoGroupMembership", "m", selector).await?;
    tenant.ready("PluvoGroupMembership", "m").await?;
    tenant
        .declare_labelled("PluvoUser", "a", json!({"team": "y"}), user)
        .await?;
    tenant
        .reports("PluvoGroupMembership", "m", "Stalled", "True", "EmptySelection")
        .await?;
    tenant.sweeps(2).await?;
    ensure!(in_group(&["A"])(&tenant.organization.state().await?));
    Ok(())
}

#[tokio::test]
async fn a_participant_through_a_group_cannot_be_removed_and_that_is_said() -> Result {
    let world = World::shared().await?;
    let tenant = world.tenant("linked", json!({})).await?;
    group_with_users(&tenant, &["A", "B"]).await?;
    let assignment = |users: &[&str]| json!({"training": {"ref": "safety-2026"}, "users": users, "policy": "Owned", "deletionPolicy": "Remove"});
    tenant
        .declare("TrainingAssignment", "t", assignment(&["A", "B"]))
        .await?;
    tenant.ready("TrainingAssignment", "t").await?;
    tenant
        .organization
        .change(&json!({"groups": {"g": {"users": ["B"]}}, "trainings": {"safety-2026": {"groups": ["g"]}}}))
        .await?;
    tenant.sweeps(2).await?;
    tenant.declare("TrainingAssignment", "t", assignment(&["A"])).await?;
    let object = tenant
        .reports("TrainingAssignment", "t", "Ready", "True", "LinkedViaObject")
        .await?;
    ensure!(
        object["status"]["drift"]["entries"][0]["kind"] == "Unexpected",
        "{}",
        object["status"]
    );
    tenant.sweeps(2).await?;
    let removals = tenant
        .mutations()
        .await?
        .iter()
        .filter(|name| *name == "removeUsersFromTraining")
        .count();
    ensure!(removals == 1, "{removals} removals");
    Ok(())
}
