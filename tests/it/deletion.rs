//! What is deleted with its namespace, its definition or its connection, or before an uninstall, leaves Pluvo as it is.

use anyhow::ensure;
use rstest::rstest;
use serde_json::{Value, json};

use crate::{
    cli,
    support::{Result, Tenant, World, condition, eventually, merge},
};

/// All kinds, each with something to undo, and in sync.
pub async fn declare(tenant: &Tenant<'_>) -> Result {
    let user = json!({"ref": "EMP-1", "email": "jane@example.com", "name": "Jane"});
    tenant.declare("PluvoUser", "jane", user).await?;
    let group = json!({"ref": "rnd", "name": "R&D", "deletionPolicy": "Delete"});
    tenant.declare("PluvoGroup", "rnd", group).await?;
    let membership = json!({"group": {"ref": "rnd"}, "users": ["EMP-1"]});
    tenant.declare("PluvoGroupMembership", "rnd", membership).await?;
    let assignment = json!({
        "training": {"ref": "safety-2026"}, "users": ["EMP-1"], "policy": "Owned", "deletionPolicy": "Remove",
    });
    tenant.declare("TrainingAssignment", "safety", assignment).await?;
    let enrollment = json!({
        "event": {"ref": "first-aid-sept"}, "users": ["EMP-1"], "policy": "Owned", "deletionPolicy": "Unenroll",
    });
    tenant.declare("EventEnrollment", "first-aid", enrollment).await?;
    for (kind, name) in KINDS {
        tenant.ready(kind, name).await?;
    }
    Ok(())
}

const KINDS: [(&str, &str); 5] = [
    ("PluvoUser", "jane"),
    ("PluvoGroup", "rnd"),
    ("PluvoGroupMembership", "rnd"),
    ("TrainingAssignment", "safety"),
    ("EventEnrollment", "first-aid"),
];

/// What Pluvo holds, and what the operator did so far.
async fn held(tenant: &Tenant<'_>) -> Result<(Value, Vec<String>)> {
    Ok((tenant.organization.state().await?, tenant.mutations().await?))
}

async fn exists(world: &World, kind: &str) -> Result<bool> {
    let known = world.cluster.kubectl(&["get", kind, "-o", "name"]).await?;
    Ok(!known.is_empty())
}

#[rstest]
#[tokio::test]
async fn a_namespace_that_is_deleted_takes_nobody_with_it(
    #[values("Observe", "Apply", "Correct")] mode: &str,
    #[values(false, true)] secret_first: bool,
) -> Result {
    let world = World::shared().await?;
    let tenant = world.tenant("leave", json!({})).await?;
    declare(&tenant).await?;
    let patch = json!({"spec": {"mode": mode}}).to_string();
    let namespace = &tenant.namespace;
    let args = [
        "patch",
        "pluvoconnection",
        "default",
        "-n",
        namespace,
        "--type=merge",
        "-p",
        &patch,
    ];
    world.cluster.kubectl(&args).await?;
    for (kind, name) in KINDS {
        let in_mode = tenant.until(kind, name, "the mode is in effect", |object| {
            ensure!(object["status"]["mode"] == mode);
            Ok(())
        });
        in_mode.await?;
    }
    let before = held(&tenant).await?;
    if secret_first {
        world
            .cluster
            .kubectl(&["delete", "secret", "pluvo-credentials", "-n", namespace])
            .await?;
    }
    world
        .cluster
        .kubectl(&["delete", "namespace", namespace, "--timeout=90s"])
        .await?;
    ensure!(held(&tenant).await? == before);
    Ok(())
}

#[tokio::test]
async fn what_settles_when_its_namespace_or_connection_is_deleted_never_leaves() -> Result {
    let world = World::shared().await?;
    let guard = json!({"settle": "85s"});
    let owner = world.tenant("owner", json!({})).await?;
    let guest = world.tenant("guest", json!({})).await?;
    let leaver = world.tenant("leaver", json!({"guard": guard})).await?;
    let allowed = json!({"guard": guard, "allowedNamespaces": {"names": [guest.namespace]}});
    owner.reconnect(allowed).await?;
    let jane = json!({"ref": "EMP-1", "email": "jane@example.com", "name": "Jane"});
    let elsewhere = json!({"connectionRef": {"name": "default", "namespace": owner.namespace}});
    let user = |more: &[&Value]| {
        let mut spec = jane.clone();
        for more in more {
            merge(&mut spec, (*more).clone());
        }
        spec
    };
    let archived = json!({"archived": true});
    guest.declare("PluvoUser", "jane", user(&[&elsewhere])).await?;
    guest.ready("PluvoUser", "jane").await?;
    declare(&leaver).await?;
    let before = (held(&owner).await?, held(&leaver).await?);

    guest
        .declare("PluvoUser", "jane", user(&[&elsewhere, &archived]))
        .await?;
    leaver.declare("PluvoUser", "jane", user(&[&archived])).await?;
    for (kind, name) in &KINDS[1..] {
        leaver.delete(kind, name).await?;
    }
    tokio::try_join!(
        guest.reports("PluvoUser", "jane", "Ready", "False", "Settling"),
        leaver.reports("PluvoUser", "jane", "Ready", "False", "Settling"),
    )?;
    leaver.delete("PluvoConnection", "default").await?;
    leaver.delete("PluvoUser", "jane").await?;
    for (kind, name) in KINDS {
        leaver.gone(kind, name).await?;
    }
    leaver.reconnect(json!({})).await?;
    let namespace = ["delete", "namespace", &guest.namespace, "--timeout=90s"];
    world.cluster.kubectl(&namespace).await?;
    // More seconds than are left of the settle time.
    owner.sweeps(25).await?;
    leaver.sweeps(2).await?;
    ensure!(held(&owner).await? == before.0, "what the namespace held");
    ensure!(held(&leaver).await? == before.1, "what used the connection");
    Ok(())
}

#[rstest]
#[tokio::test]
async fn what_was_counted_and_has_not_left_is_taken_back(#[values("namespace", "connection")] deleted: &str) -> Result {
    let world = World::shared().await?;
    let owner = world.tenant("owner", json!({})).await?;
    let guest = world.tenant("guest", json!({})).await?;
    let one_writes = json!({"limits": {"writing": 1}, "allowedNamespaces": {"names": [guest.namespace]}});
    owner.reconnect(one_writes.clone()).await?;
    let john = |name: &str| json!({"ref": "EMP-1", "email": "john@example.com", "name": name});
    let jane = |archived: bool| {
        json!({
            "ref": "EMP-2", "email": "jane@example.com", "name": "Jane", "archived": archived,
            "connectionRef": {"name": "default", "namespace": owner.namespace},
        })
    };
    owner.declare("PluvoUser", "john", john("John")).await?;
    guest.declare("PluvoUser", "jane", jane(false)).await?;
    owner.ready("PluvoUser", "john").await?;
    guest.ready("PluvoUser", "jane").await?;

    // The only slot for writes is taken while the guard counts.
    let hold = json!({"next": [{"fault": "holdBeforeCommit", "operation": "updateUser"}]});
    owner.organization.faults(&hold).await?;
    owner.declare("PluvoUser", "john", john("John Doe")).await?;
    eventually("a write is held", async || {
        let stats = owner.organization.stats().await?;
        ensure!(stats["held"] == 1, "{stats}");
        Ok(())
    })
    .await?;
    guest.declare("PluvoUser", "jane", jane(true)).await?;
    owner
        .until(
            "PluvoConnection",
            "default",
            "what may leave is counted",
            |connection| {
                let window = &connection["status"]["guard"]["window"];
                ensure!(window[0]["destructive"] == 1, "{window}");
                Ok(())
            },
        )
        .await?;
    if deleted == "namespace" {
        let namespace = ["delete", "namespace", &guest.namespace, "--timeout=90s"];
        world.cluster.kubectl(&namespace).await?;
    } else {
        owner.delete("PluvoConnection", "default").await?;
        guest.declare("PluvoUser", "jane", jane(false)).await?;
    }
    owner.organization.release().await?;
    if deleted == "connection" {
        owner.reconnect(one_writes).await?;
        guest.ready("PluvoUser", "jane").await?;
    }
    owner.ready("PluvoUser", "john").await?;
    owner.sweeps(2).await?;
    let (state, sent) = held(&owner).await?;
    ensure!(state["users"]["EMP-1"]["name"] == "John Doe", "{state}");
    ensure!(state["users"]["EMP-2"]["archived"] == false, "{state}");
    let updates = sent.iter().filter(|sent| *sent == "updateUser").count();
    ensure!(updates == 1, "{sent:?}");
    Ok(())
}

#[tokio::test]
async fn a_deletion_that_settles_for_long_says_so() -> Result {
    let world = World::shared().await?;
    let tenant = world.tenant("slow", json!({"guard": {"settle": "75s"}})).await?;
    let user = json!({"ref": "EMP-1", "email": "jane@example.com", "name": "Jane"});
    tenant.declare("PluvoUser", "jane", user).await?;
    tenant.ready("PluvoUser", "jane").await?;
    tenant.delete("PluvoUser", "jane").await?;
    let jane = tenant
        .reports("PluvoUser", "jane", "DeletionBlocked", "True", "Deleting")
        .await?;
    let blocked = condition(&jane, "DeletionBlocked").map(|blocked| blocked["message"].to_string());
    ensure!(
        blocked.is_some_and(|told| told.contains("until the guard")),
        "{}",
        jane["status"]
    );
    tenant.gone("PluvoUser", "jane").await?;
    ensure!(tenant.organization.state().await?["users"]["EMP-1"]["archived"] == true);
    Ok(())
}

#[tokio::test]
async fn a_single_user_that_is_deleted_is_archived_and_an_orphan_is_not() -> Result {
    let world = World::shared().await?;
    let tenant = world.tenant("single", json!({})).await?;
    for name in ["jane", "john"] {
        let user = json!({"ref": name, "email": format!("{name}@example.com"), "name": name});
        tenant.declare("PluvoUser", name, user).await?;
        tenant.ready("PluvoUser", name).await?;
    }
    tenant.annotate("PluvoUser", "john", "pluvo.dev/orphan", "true").await?;
    for name in ["jane", "john"] {
        tenant.delete("PluvoUser", name).await?;
        tenant.gone("PluvoUser", name).await?;
    }
    let state = tenant.organization.state().await?;
    ensure!(state["users"]["jane"]["archived"] == true, "the leaver");
    ensure!(state["users"]["john"]["archived"] == false, "the orphan");
    let args = ["get", "events", "-n", &tenant.namespace, "-o", "json"];
    eventually("the orphan is told about", async || {
        let events = world.cluster.kubectl(&args).await?;
        ensure!(events.contains("the annotation pluvo.dev/orphan is set"), "{events}");
        Ok(())
    })
    .await
}

#[tokio::test]
async fn definitions_that_are_deleted_take_nobody_with_them() -> Result {
    let world = World::start().await?;
    world.cluster.keep();
    let tenant = world.tenant("definitions", json!({})).await?;
    declare(&tenant).await?;
    let before = held(&tenant).await?;
    let users = ["delete", "crd", "pluvousers.pluvo.dev", "--timeout=90s"];
    world.cluster.kubectl(&users).await?;
    ensure!(held(&tenant).await? == before, "the definition of users");
    let rest = [
        "delete",
        "crd",
        "pluvogroups.pluvo.dev",
        "pluvogroupmemberships.pluvo.dev",
        "trainingassignments.pluvo.dev",
        "pluvoconnections.pluvo.dev",
        "--timeout=90s",
    ];
    world.cluster.kubectl(&rest).await?;
    ensure!(held(&tenant).await? == before, "all definitions");
    Ok(())
}

/// As the chart's notes say it.
#[tokio::test]
async fn after_a_release_everything_can_be_removed_without_the_operator() -> Result {
    let world = World::start().await?;
    world.cluster.keep();
    let tenant = world.tenant("uninstall", json!({})).await?;
    declare(&tenant).await?;
    let before = held(&tenant).await?;
    let kubeconfig = world.cluster.kubeconfig();
    let env = [("KUBECONFIG", &*kubeconfig.to_string_lossy())];
    let said = cli::run_with(&world.sandbox, &["release", "--namespace", &tenant.namespace], &env).await?;
    ensure!(said.code == 0, "{}", said.all());
    ensure!(
        said.all().starts_with(&format!(
            "released {} resources in namespace {}",
            KINDS.len(),
            tenant.namespace
        )),
        "{}",
        said.all()
    );
    // The operator still runs, and takes none of them back.
    tenant.sweeps(2).await?;
    for (kind, name) in KINDS {
        let object = tenant.get(kind, name).await?;
        ensure!(
            object["metadata"].get("finalizers").is_none(),
            "{kind} {name} has a finalizer"
        );
    }
    world.operator.lock().await.terminate().await?;
    world
        .cluster
        .helm(&["uninstall", "pluvo-operator", "--namespace", "pluvo-system", "--wait"])
        .await?;
    ensure!(exists(&world, "crd").await?, "helm uninstall keeps the definitions");
    let definitions = world.cluster.kubectl(&["get", "crd", "-o", "name"]).await?;
    let ours = definitions.lines().filter(|name| name.ends_with(".pluvo.dev"));
    let ours: Vec<_> = ours.collect();
    ensure!(ours.len() == pluvo_operator::api::crds().len(), "{ours:?}");
    let args = [&["delete", "--timeout=60s"], &ours[..]].concat();
    world.cluster.kubectl(&args).await?;
    ensure!(held(&tenant).await? == before);
    Ok(())
}
