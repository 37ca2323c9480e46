//! People come, move, change their address, leave and come back.

use anyhow::ensure;
use serde_json::{Value, json};

use crate::support::{Result, World};

fn person(reference: &str, email: &str) -> Value {
    json!({"ref": reference, "email": email, "name": "Somebody"})
}

/// A sweep that is an hour away: what happens within a test happens without one.
fn without_sweeps() -> Value {
    json!({"interval": "1h"})
}

#[tokio::test]
async fn an_account_with_a_generated_ref_is_adopted_by_email() -> Result {
    let world = World::shared().await?;
    let tenant = world.tenant("adopt", json!({})).await?;
    tenant
        .organization
        .seed(&json!({"users": [{"email": "Jane@Example.com", "name": "Jane"}]}))
        .await?;
    tenant.sweeps(1).await?;
    tenant
        .declare("PluvoUser", "jane", person("EMP-1", "jane@example.com"))
        .await?;
    let jane = tenant.ready("PluvoUser", "jane").await?;
    ensure!(jane["status"]["adopted"] == true, "{}", jane["status"]);
    let previous = jane["status"]["previousRef"].as_str().unwrap_or_default();
    ensure!(previous.len() == 36, "not a generated ref: {previous}");
    let state = tenant.organization.state().await?;
    ensure!(
        state["users"].as_object().is_some_and(|users| users.len() == 1),
        "{}",
        state["users"]
    );
    ensure!(tenant.mutations().await? == ["updateUser"]);
    Ok(())
}

#[tokio::test]
async fn a_group_is_taken_over_by_its_id() -> Result {
    let world = World::shared().await?;
    let tenant = world.tenant("adopt-group", json!({})).await?;
    tenant
        .organization
        .seed(&json!({"groups": [{"name": "Research"}]}))
        .await?;
    tenant.sweeps(1).await?;
    let groups = tenant
        .organization
        .control(reqwest::Method::GET, "state?ids=true", None)
        .await?;
    let (previous, id) = groups["groups"]
        .as_object()
        .and_then(|groups| groups.iter().next())
        .map(|(reference, group)| (reference.clone(), group["id"].clone()))
        .unwrap_or_default();
    let spec = json!({"ref": "rnd", "name": "R&D", "adoptId": id});
    tenant.declare("PluvoGroup", "rnd", spec).await?;
    let group = tenant.ready("PluvoGroup", "rnd").await?;
    ensure!(
        group["status"]["adopted"] == true && group["status"]["previousRef"] == previous,
        "{}",
        group["status"]
    );
    let state = tenant.organization.state().await?;
    ensure!(
        state["groups"].as_object().is_some_and(|groups| groups.len() == 1) && state["groups"]["rnd"]["name"] == "R&D",
        "{}",
        state["groups"]
    );
    ensure!(
        tenant.mutations().await? == ["updateGroup"],
        "{:?}",
        tenant.mutations().await?
    );
    Ok(())
}

#[tokio::test]
async fn an_account_under_another_persons_ref_is_left_alone() -> Result {
    let world = World::shared().await?;
    let tenant = world.tenant("conflict", json!({})).await?;
    tenant
        .organization
        .seed(&json!({"users": [{"ref": "EMP-9", "email": "jane@example.com", "name": "Jane"}]}))
        .await?;
    tenant.sweeps(1).await?;
    let before = tenant.organization.state().await?;
    tenant
        .declare("PluvoUser", "jane", person("EMP-1", "jane@example.com"))
        .await?;
    let jane = tenant
        .reports("PluvoUser", "jane", "Stalled", "True", "IdentityConflict")
        .await?;
    let message = jane["status"]["conditions"][0]["message"].as_str().unwrap_or_default();
    ensure!(message.contains("EMP-9"), "{message}");
    tenant.sweeps(2).await?;
    ensure!(tenant.organization.state().await? == before);

    // ByEmail would take it over, but not where the connection permits Safe at most.
    let by_email = json!({"ref": "EMP-1", "email": "jane@example.com", "name": "Jane", "adoption": "ByEmail"});
    tenant.declare("PluvoUser", "jane", by_email).await?;
    tenant
        .reports("PluvoUser", "jane", "Stalled", "True", "IdentityConflict")
        .await?;
    ensure!(tenant.organization.state().await? == before);
    tenant.reconnect(json!({"permit": {"adoption": "ByEmail"}})).await?;
    let jane = tenant.ready("PluvoUser", "jane").await?;
    ensure!(jane["status"]["previousRef"] == "EMP-9", "{}", jane["status"]);
    Ok(())
}

#[tokio::test]
async fn a_rename_or_a_move_archives_nobody() -> Result {
    let world = World::shared().await?;
    let tenant = world.tenant("rename", json!({})).await?;
    tenant
        .declare("PluvoUser", "jane", person("EMP-1", "jane@example.com"))
        .await?;
    tenant.ready("PluvoUser", "jane").await?;
    tenant
        .declare("PluvoUser", "jane-doe", person("EMP-1", "jane@example.com"))
        .await?;
    tenant
        .reports("PluvoUser", "jane-doe", "Stalled", "True", "OwnedByOther")
        .await?;
    tenant.delete("PluvoUser", "jane").await?;
    tenant.gone("PluvoUser", "jane").await?;
    tenant.ready("PluvoUser", "jane-doe").await?;

    let elsewhere = world.cluster.namespace("rename-to").await?;
    tenant
        .reconnect(json!({"allowedNamespaces": {"names": [elsewhere]}}))
        .await?;
    let mut spec = person("EMP-1", "jane@example.com");
    spec["connectionRef"] = json!({"name": "default", "namespace": tenant.namespace});
    let moved = crate::support::object("PluvoUser", "moved", spec);
    world.cluster.apply(&elsewhere, &moved.to_string()).await?;
    tenant.delete("PluvoUser", "jane-doe").await?;
    tenant.gone("PluvoUser", "jane-doe").await?;
    tenant.sweeps(2).await?;
    let state = tenant.organization.state().await?;
    ensure!(state["users"]["EMP-1"]["archived"] == false, "{}", state["users"]);
    ensure!(
        tenant.mutations().await? == ["updateOrCreateUser"],
        "{:?}",
        tenant.mutations().await?
    );
    Ok(())
}

#[tokio::test]
async fn a_mover_changes_groups_by_its_labels() -> Result {
    let world = World::shared().await?;
    let tenant = world.tenant("mover", without_sweeps()).await?;
    for group in ["a", "b"] {
        tenant
            .declare("PluvoGroup", group, json!({"ref": group, "name": group}))
            .await?;
        let selector =
            json!({"group": {"ref": group}, "userSelector": {"matchLabels": {"team": group}}, "allowEmpty": true});
        tenant.declare("PluvoGroupMembership", group, selector).await?;
    }
    let labelled = async |team: &str| {
        let labels = json!({"team": team});
        tenant
            .declare_labelled("PluvoUser", "jane", labels, person("EMP-1", "jane@example.com"))
            .await
    };
    labelled("a").await?;
    tenant
        .pluvo("Jane is in group a", |state| {
            state["users"]["EMP-1"]["groups"] == json!(["a"])
        })
        .await?;
    labelled("b").await?;
    tenant
        .pluvo("Jane is in group b alone", |state| {
            state["users"]["EMP-1"]["groups"] == json!(["b"])
        })
        .await?;
    for group in ["a", "b"] {
        tenant.ready("PluvoGroupMembership", group).await?;
    }
    Ok(())
}

#[tokio::test]
async fn a_leaver_is_archived_and_a_rehire_comes_back() -> Result {
    let world = World::shared().await?;
    let tenant = world.tenant("leaver", without_sweeps()).await?;
    tenant
        .declare("PluvoUser", "jane", person("EMP-1", "jane@example.com"))
        .await?;
    tenant.ready("PluvoUser", "jane").await?;
    let archived = |wanted: bool| move |state: &Value| state["users"]["EMP-1"]["archived"] == wanted;
    tenant
        .declare("PluvoUser", "jane", json!({"ref": "EMP-1", "archived": true}))
        .await?;
    tenant.pluvo("the leaver is archived", archived(true)).await?;
    tenant.ready("PluvoUser", "jane").await?;
    tenant
        .declare("PluvoUser", "jane", person("EMP-1", "jane@example.com"))
        .await?;
    tenant.pluvo("the rehire is back", archived(false)).await?;
    tenant.delete("PluvoUser", "jane").await?;
    tenant.gone("PluvoUser", "jane").await?;
    tenant
        .pluvo("whose resource was deleted is archived", archived(true))
        .await?;
    tenant
        .declare("PluvoUser", "jane", person("EMP-1", "jane@example.com"))
        .await?;
    tenant.pluvo("and comes back with it", archived(false)).await?;
    tenant
        .declare("PluvoUser", "never-there", json!({"ref": "EMP-404", "archived": true}))
        .await?;
    tenant.ready("PluvoUser", "never-there").await?;
    ensure!(tenant.organization.state().await?["users"].get("EMP-404").is_none());
    Ok(())
}

#[tokio::test]
async fn an_address_is_given_up_by_one_person_and_taken_by_another() -> Result {
    let world = World::shared().await?;
    let tenant = world.tenant("address", without_sweeps()).await?;
    tenant
        .declare("PluvoUser", "old", person("EMP-1", "info@example.com"))
        .await?;
    tenant.ready("PluvoUser", "old").await?;
    let both = [
        ("old", person("EMP-1", "jane@example.com")),
        ("new", person("EMP-2", "info@example.com")),
    ];
    let list: Vec<_> = both
        .into_iter()
        .map(|(name, spec)| crate::support::object("PluvoUser", name, spec))
        .collect();
    tenant
        .apply(&json!({"apiVersion": "v1", "kind": "List", "items": list}).to_string())
        .await?;
    for name in ["old", "new"] {
        tenant.ready("PluvoUser", name).await?;
    }
    let state = tenant.organization.state().await?;
    ensure!(
        state["users"]["EMP-1"]["email"] == "jane@example.com"
            && state["users"]["EMP-2"]["email"] == "info@example.com",
        "{}",
        state["users"]
    );
    ensure!(state["users"].as_object().is_some_and(|users| users.len() == 2));
    Ok(())
}
