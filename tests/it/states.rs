//! States that a resource comes into seldom, each brought about for real.

use anyhow::ensure;
use serde_json::{Value, json};

use crate::support::{Cluster, Operator, OperatorOptions, Result, SEED, Sandbox, World, condition, object, soon};

fn person(reference: &str) -> Value {
    json!({"ref": reference, "email": format!("{}@example.com", reference.to_lowercase()), "name": "Somebody"})
}

#[tokio::test]
async fn observe_creates_nothing_and_says_what_is_missing() -> Result {
    let world = World::shared().await?;
    let tenant = world.tenant("observe", json!({"mode": "Observe"})).await?;
    tenant.declare("PluvoUser", "jane", person("EMP-1")).await?;
    let jane = tenant
        .reports("PluvoUser", "jane", "Stalled", "True", "NotFound")
        .await?;
    ensure!(
        jane["status"]["drift"]["entries"][0]["kind"] == "Missing",
        "{}",
        jane["status"]
    );
    tenant.sweeps(2).await?;
    ensure!(tenant.mutations().await?.is_empty());
    Ok(())
}

#[tokio::test]
async fn an_account_that_was_erased_is_not_made_again() -> Result {
    let world = World::shared().await?;
    let tenant = world.tenant("erased", json!({})).await?;
    tenant.declare("PluvoUser", "jane", person("EMP-1")).await?;
    tenant.ready("PluvoUser", "jane").await?;
    tenant.organization.change(&json!({"users": {"EMP-1": null}})).await?;
    tenant
        .reports("PluvoUser", "jane", "Stalled", "True", "DeletedRemotely")
        .await?;
    tenant.sweeps(2).await?;
    ensure!(
        tenant.mutations().await? == ["updateOrCreateUser"],
        "{:?}",
        tenant.mutations().await?
    );
    tenant.delete("PluvoUser", "jane").await?;
    tenant.gone("PluvoUser", "jane").await
}

#[tokio::test]
async fn a_suspended_resource_is_left_alone() -> Result {
    let world = World::shared().await?;
    let tenant = world.tenant("suspend", json!({})).await?;
    let suspended =
        |value: bool, name: &str| json!({"ref": "EMP-1", "email": "jane@example.com", "name": name, "suspend": value});
    tenant.declare("PluvoUser", "jane", suspended(true, "Jane")).await?;
    tenant
        .reports("PluvoUser", "jane", "Ready", "Unknown", "Suspended")
        .await?;
    tenant.sweeps(1).await?;
    ensure!(tenant.mutations().await?.is_empty());
    tenant.declare("PluvoUser", "jane", suspended(false, "Jane")).await?;
    let jane = tenant.ready("PluvoUser", "jane").await?;
    ensure!(condition(&jane, "Suspended").is_none(), "{}", jane["status"]);
    tenant.declare("PluvoUser", "jane", suspended(true, "Janet")).await?;
    let jane = tenant
        .until("PluvoUser", "jane", "suspended", |jane| {
            ensure!(condition(jane, "Suspended").is_some());
            Ok(())
        })
        .await?;
    ensure!(
        jane["status"]["observedGeneration"] != jane["metadata"]["generation"],
        "an unapplied spec is not current"
    );
    tenant.sweeps(1).await?;
    tenant.delete("PluvoUser", "jane").await?;
    tenant.gone("PluvoUser", "jane").await?;
    ensure!(tenant.organization.state().await?["users"]["EMP-1"]["archived"] == false);
    ensure!(tenant.mutations().await? == ["updateOrCreateUser"]);
    Ok(())
}

#[tokio::test]
async fn a_value_that_pluvo_changes_on_its_way_in_is_written_once() -> Result {
    let world = World::shared().await?;
    let tenant = world.tenant("tidy", json!({})).await?;
    tenant.organization.settings(&json!({"names": "upperCase"})).await?;
    tenant.declare("PluvoUser", "jane", person("EMP-1")).await?;
    let jane = tenant
        .reports("PluvoUser", "jane", "Stalled", "True", "ValueNotAccepted")
        .await?;
    ensure!(
        jane["status"]["drift"]["entries"][0]["observed"] == "SOMEBODY",
        "{}",
        jane["status"]
    );
    tenant.sweeps(3).await?;
    ensure!(
        tenant.mutations().await? == ["updateOrCreateUser", "updateUser"],
        "{:?}",
        tenant.mutations().await?
    );
    tenant.organization.settings(&json!({"names": "asGiven"})).await?;
    tenant
        .declare(
            "PluvoUser",
            "jane",
            json!({"ref": "EMP-1", "email": "emp-1@example.com", "name": "Jane"}),
        )
        .await?;
    tenant.ready("PluvoUser", "jane").await?;
    Ok(())
}

#[tokio::test]
async fn another_namespace_must_be_allowed() -> Result {
    let world = World::shared().await?;
    let tenant = world.tenant("allowed", json!({})).await?;
    let other = world.tenant("not-allowed", json!({})).await?;
    let mut spec = person("EMP-1");
    spec["connectionRef"] = json!({"name": "default", "namespace": tenant.namespace});
    other.declare("PluvoUser", "jane", spec).await?;
    other
        .reports("PluvoUser", "jane", "Stalled", "True", "NotPermitted")
        .await?;
    ensure!(tenant.mutations().await?.is_empty());
    Ok(())
}

#[tokio::test]
async fn more_subjects_than_a_status_holds_are_refused_before_any_write() -> Result {
    let world = World::shared().await?;
    let tenant = world.tenant("many", json!({"interval": "1h"})).await?;
    let references: Vec<_> = (0..5000).map(|number| format!("{number:0>120}")).collect();
    let users: Vec<_> = references
        .iter()
        .enumerate()
        .map(|(number, reference)| json!({"ref": reference, "email": format!("u{number}@example.com"), "name": "U"}))
        .collect();
    tenant
        .organization
        .seed(&json!({"users": users, "groups": [{"ref": "all", "name": "All", "users": references}]}))
        .await?;
    let everybody = json!({"training": {"ref": "safety-2026"}, "groups": ["all"]});
    tenant.declare("TrainingAssignment", "all", everybody).await?;
    // The list of users may have been read before they were there.
    tenant
        .annotate("PluvoConnection", "default", "pluvo.dev/reconcile-requested-at", "now")
        .await?;
    tenant
        .reports("TrainingAssignment", "all", "Stalled", "True", "TooManySubjects")
        .await?;
    ensure!(tenant.mutations().await?.is_empty());
    Ok(())
}

#[tokio::test]
async fn nothing_is_sent_to_a_host_that_is_not_allowed() -> Result {
    let cluster = Cluster::start().await?;
    let sandbox = Sandbox::start(SEED).await?;
    let organization = sandbox.organization("acme");
    let mut operator = Operator::run(&cluster, OperatorOptions::default()).await?;
    let secret = json!({
        "apiVersion": "v1", "kind": "Secret", "metadata": {"name": "pluvo-credentials"},
        "stringData": {"client-id": "operator", "client-secret": ""},
    });
    let connection = object(
        "PluvoConnection",
        "default",
        json!({"endpoint": organization.url(), "credentialsSecretRef": {"name": "pluvo-credentials"}}),
    );
    cluster.apply("default", &secret.to_string()).await?;
    cluster.apply("default", &connection.to_string()).await?;
    let reports = async |reason: &str| {
        soon(&format!("the connection reports {reason}"), async || {
            let found = cluster.get("PluvoConnection", "default", "default").await?;
            let ready = condition(&found, "Ready").cloned().unwrap_or_default();
            ensure!(ready["reason"] == reason, "{ready}");
            Ok(())
        })
        .await
    };
    reports("EndpointNotAllowed").await?;
    ensure!(organization.stats().await?["httpRequests"] == 0);
    operator.terminate().await?;

    let host = sandbox.url().trim_start_matches("http://").to_owned();
    let _allowed = Operator::run(
        &cluster,
        OperatorOptions::default().with(&format!("allowedHosts={{{host}}}")),
    )
    .await?;
    reports("SecretInvalid").await?;
    ensure!(organization.stats().await?["httpRequests"] == 0);
    let mut secret = secret;
    secret["stringData"]["client-secret"] = json!("operator-secret");
    cluster.apply("default", &secret.to_string()).await?;
    reports("Connected").await
}

#[tokio::test]
async fn what_no_longer_decodes_is_said_and_does_not_stop_its_neighbours() -> Result {
    let world = World::prepare(SEED, &[]).await?;
    let tenant = world.tenant("decode", json!({})).await?;
    let crd = "pluvousers.pluvo.dev";
    let definition = world.cluster.kubectl(&["get", "crd", crd, "-o", "json"]).await?;
    let mut older: Value = serde_json::from_str(&definition)?;
    let schema = &mut older["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"]["spec"];
    schema["x-kubernetes-validations"].take();
    schema["properties"]["archived"] = json!({"type": "string"});
    world
        .cluster
        .kubectl_with(&["replace", "-f", "-"], &older.to_string())
        .await?;
    let mut spec = person("OLD");
    spec["archived"] = json!("no");
    soon("the older definition is served", async || {
        tenant.declare("PluvoUser", "old", spec.clone()).await
    })
    .await?;
    // What is in force is given back; what was stored in between stays as it was.
    let mut present: Value = serde_json::from_str(&definition)?;
    present["metadata"]
        .as_object_mut()
        .into_iter()
        .for_each(|meta| drop(meta.remove("resourceVersion")));
    world
        .cluster
        .kubectl_with(&["replace", "-f", "-"], &present.to_string())
        .await?;
    soon("the present definition is served", async || {
        tenant.declare("PluvoUser", "new", person("NEW")).await
    })
    .await?;
    world.operator.lock().await.start().await?;
    tenant
        .reports("PluvoUser", "old", "Stalled", "True", "InvalidSpec")
        .await?;
    tenant.ready("PluvoUser", "new").await?;
    Ok(())
}

#[tokio::test]
async fn drift_outlives_a_restart_with_its_time() -> Result {
    let world = World::start().await?;
    let tenant = world.tenant("since", json!({"mode": "Observe"})).await?;
    tenant
        .organization
        .seed(&json!({"users": [{"ref": "EMP-1", "email": "emp-1@example.com", "name": "Else"}]}))
        .await?;
    tenant.declare("PluvoUser", "jane", person("EMP-1")).await?;
    let before = tenant
        .reports("PluvoUser", "jane", "Drifted", "True", "DriftReported")
        .await?["status"]["drift"]
        .take();
    world.operator.lock().await.restart().await?;
    tenant.sweeps(3).await?;
    let after = tenant.get("PluvoUser", "jane").await?["status"]["drift"].take();
    ensure!(
        before == after && before["entries"][0]["path"] == "name",
        "{before} became {after}"
    );
    let selected = world
        .cluster
        .kubectl(&[
            "get",
            "pvu",
            "-A",
            "--field-selector",
            "status.drift.state=Drifted",
            "-o",
            "name",
        ])
        .await?;
    ensure!(selected.trim() == "pluvouser.pluvo.dev/jane", "{selected}");
    Ok(())
}
