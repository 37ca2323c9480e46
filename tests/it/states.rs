//! States that a resource comes into seldom, each brought about for real.

use anyhow::ensure;
use rstest::rstest;
use serde_json::{Value, json};

use crate::{
    bad_input::explained,
    support::{
        Cluster, Operator, OperatorOptions, Result, SEED, Sandbox, Tenant, World, condition, eventually, merge, object,
    },
};

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
    let jane = tenant.ready("PluvoUser", "jane").await?;
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
    let mut again = person("EMP-1");
    again["onRemoteDeletion"] = json!("Recreate");
    tenant.declare("PluvoUser", "jane", again).await?;
    let anew = tenant.ready("PluvoUser", "jane").await?;
    ensure!(anew["status"]["id"] != jane["status"]["id"], "{}", anew["status"]);
    ensure!(tenant.mutations().await? == ["updateOrCreateUser"; 2]);
    Ok(())
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

#[rstest]
#[case::name_of_a_user("PluvoUser", |name: &str| json!({"ref": "x", "email": "x@example.com", "name": name}), &["updateOrCreateUser", "updateUser"])]
#[case::custom_field(
    "PluvoUser",
    |text: &str| json!({"ref": "x", "email": "x@example.com", "name": "X", "customFields": [{"ref": "department", "text": text}]}),
    &["updateOrCreateUser", "updateExtraCategoryValues"]
)]
#[case::name_of_a_group("PluvoGroup", |name: &str| json!({"ref": "x", "name": name}), &["createGroup", "updateGroup"])]
#[tokio::test]
async fn a_value_that_pluvo_changes_on_its_way_in_is_written_once(
    #[case] kind: &str,
    #[case] spec: fn(&str) -> Value,
    #[case] sent: &[&str],
) -> Result {
    let world = World::shared().await?;
    let tenant = world.tenant("tidy", json!({"showPersonalData": true})).await?;
    tenant.organization.settings(&json!({"texts": "upperCase"})).await?;
    tenant.declare(kind, "x", spec("Somebody")).await?;
    let found = tenant.reports(kind, "x", "Stalled", "True", "ValueNotAccepted").await?;
    let observed = &found["status"]["drift"]["entries"][0]["observed"];
    ensure!(*observed == "SOMEBODY", "{}", found["status"]);
    tenant.sweeps(3).await?;
    // At most once more when it had not stuck.
    ensure!(tenant.mutations().await? == sent, "{:?}", tenant.mutations().await?);
    tenant.organization.settings(&json!({"texts": "asGiven"})).await?;
    tenant.declare(kind, "x", spec("Else")).await?;
    tenant.ready(kind, "x").await?;
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
        eventually(&format!("the connection reports {reason}"), async || {
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
    let options = OperatorOptions::default().with(&format!("allowedHosts={{{host}}}"));
    let mut allowed = Operator::install(&cluster, options).await?;
    // A Secret that may not be read is no refusal of Pluvo's.
    let role = cluster
        .kubectl(&["get", "clusterrole", "pluvo-operator", "-o", "json"])
        .await?;
    let mut role: Value = serde_json::from_str(&role)?;
    role["metadata"]["resourceVersion"].take();
    let mut lesser = role.clone();
    if let Some(rules) = lesser["rules"].as_array_mut() {
        rules.retain(|rule| rule["resources"][0] != "secrets");
    }
    let replace = async |role: &Value| cluster.kubectl_with(&["replace", "-f", "-"], &role.to_string()).await;
    replace(&lesser).await?;
    allowed.start().await?;
    reports("SecretNotFound").await?;
    replace(&role).await?;
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
    world.cluster.keep();
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
    eventually("the older definition is served", async || {
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
    eventually("the present definition is served", async || {
        tenant.declare("PluvoUser", "new", person("NEW")).await
    })
    .await?;
    world.operator.lock().await.start().await?;
    tenant.ready("PluvoUser", "new").await?;
    let message = explained(&tenant, &[("PluvoUser", "old", "InvalidSpec", true)]).await?;
    insta::assert_snapshot!(message);
    tenant.ready("PluvoUser", "new").await?;
    ensure!(
        tenant.mutations().await? == ["updateOrCreateUser"],
        "{:?}",
        tenant.mutations().await?
    );
    Ok(())
}

/// Group `g`, and who is in it: EMP-12345, who exists, and whoever else `subjects` mean.
async fn group_of_jane(tenant: &Tenant<'_>, subjects: Value) -> Result {
    let team = json!({"team": "x"});
    tenant
        .declare_labelled("PluvoUser", "jane", team, person("EMP-12345"))
        .await?;
    tenant
        .declare("PluvoGroup", "g", json!({"ref": "g", "name": "G"}))
        .await?;
    // The membership's second of patience is for the others alone.
    tenant.ready("PluvoUser", "jane").await?;
    tenant.ready("PluvoGroup", "g").await?;
    let mut spec = json!({"group": {"ref": "g"}, "dependencyTimeout": "1s"});
    merge(&mut spec, subjects);
    tenant.declare("PluvoGroupMembership", "m", spec).await
}

/// The membership has waited too long for EMP-1234, says so, and has done the rest.
async fn waits_too_long(tenant: &Tenant<'_>) -> Result {
    let stalled = tenant
        .reports("PluvoGroupMembership", "m", "Stalled", "True", "DependencyNotReady")
        .await?;
    let message = condition(&stalled, "Ready").map(|ready| ready["message"].clone());
    let message = message.as_ref().and_then(Value::as_str).unwrap_or_default();
    ensure!(
        message.contains("EMP-1234 does not exist in Pluvo; there is EMP-12345"),
        "{message}"
    );
    let entries = &stalled["status"]["drift"]["entries"];
    ensure!(
        entries[0]["path"] == "users[EMP-1234]" && entries[0]["kind"] == "Missing",
        "{entries}"
    );
    tenant
        .pluvo("who exists is in", |state| {
            state["groups"]["g"]["users"] == json!(["EMP-12345"])
        })
        .await?;
    let one_waits = |membership: &Value| {
        let subjects = &membership["status"]["subjects"];
        ensure!(subjects["applied"] == 1 && subjects["waiting"] == 1, "{subjects}");
        Ok(())
    };
    tenant
        .until("PluvoGroupMembership", "m", "one waits", one_waits)
        .await
        .map(drop)
}

#[tokio::test]
async fn who_does_not_exist_for_too_long_is_named_with_whom_it_resembles() -> Result {
    let world = World::shared().await?;
    let tenant = world.tenant("timeout", json!({})).await?;
    group_of_jane(&tenant, json!({"users": ["EMP-12345", "EMP-1234"]})).await?;
    waits_too_long(&tenant).await?;

    // It goes on as soon as the person is there, whatever had been said.
    tenant.declare("PluvoUser", "late", person("EMP-1234")).await?;
    tenant.ready("PluvoGroupMembership", "m").await?;
    Ok(())
}

#[tokio::test]
async fn whom_a_selector_comes_to_mean_is_waited_for_as_long() -> Result {
    let world = World::shared().await?;
    let tenant = world.tenant("shift", json!({})).await?;
    let late = async |team: &str, mode: &str| {
        let (labels, mut spec) = (json!({"team": team}), person("EMP-1234"));
        spec["mode"] = json!(mode);
        tenant.declare_labelled("PluvoUser", "late", labels, spec).await
    };
    late("y", "Observe").await?;
    group_of_jane(&tenant, json!({"userSelector": {"matchLabels": {"team": "x"}}})).await?;
    tenant.ready("PluvoGroupMembership", "m").await?;

    // A label moves, and means somebody whom the operator may not create.
    late("x", "Observe").await?;
    waits_too_long(&tenant).await?;
    late("x", "Correct").await?;
    tenant.ready("PluvoGroupMembership", "m").await?;
    tenant
        .pluvo("both are in", |state| {
            state["groups"]["g"]["users"] == json!(["EMP-1234", "EMP-12345"])
        })
        .await?;
    Ok(())
}

#[tokio::test]
async fn an_outage_is_one_condition_of_the_connection() -> Result {
    let world = World::shared().await?;
    let tenant = world.tenant("outage", json!({})).await?;
    tenant.declare("PluvoUser", "jane", person("EMP-1")).await?;
    let jane = tenant.ready("PluvoUser", "jane").await?;
    let outage = json!({"next": [{"fault": "dropConnection", "times": 1_000_000}]});
    tenant.organization.faults(&outage).await?;
    tenant
        .reports("PluvoConnection", "default", "Available", "False", "ApiUnavailable")
        .await?;
    let now = tenant.get("PluvoUser", "jane").await?;
    ensure!(
        now["metadata"]["resourceVersion"] == jane["metadata"]["resourceVersion"],
        "it was written: {}",
        now["status"]
    );
    let mut edited = person("EMP-1");
    edited["name"] = json!("Somebody else");
    tenant.declare("PluvoUser", "jane", edited).await?;
    tenant
        .reports("PluvoUser", "jane", "Ready", "False", "ApiUnavailable")
        .await?;
    tenant.organization.faults(&json!({})).await?;
    tenant.ready("PluvoConnection", "default").await?;
    tenant.ready("PluvoUser", "jane").await?;
    Ok(())
}

#[tokio::test]
async fn certificates_that_are_none_are_told() -> Result {
    let world = World::shared().await?;
    let tenant = world
        .tenant("certificates", json!({"caBundle": "no certificate"}))
        .await?;
    let connection = tenant
        .reports("PluvoConnection", "default", "Stalled", "True", "InvalidSpec")
        .await?;
    let message = condition(&connection, "Ready").map(|ready| ready["message"].to_string());
    ensure!(
        message.as_ref().is_some_and(|message| message.contains("caBundle")),
        "{message:?}"
    );
    Ok(())
}
