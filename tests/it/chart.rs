//! The chart: what it grants, how it starts the operator, how little its Pod may do.

use std::{collections::BTreeSet, fs, path::Path};

use anyhow::{Context, ensure};
use pluvo_operator::api::crds;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::support::{Cluster, Result, Tools, eventually};

const CHART: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/charts/pluvo-operator");

async fn render(set: &[&str]) -> Result<Vec<Value>> {
    let mut args = vec!["template", "pluvo-operator", CHART, "--namespace", "pluvo-system"];
    args.extend(set.iter().flat_map(|value| ["--set", value]));
    let text = Tools::get()?.run("helm", &args, None, "").await?;
    let documents = serde_yaml::Deserializer::from_str(&text).map(Value::deserialize);
    let documents = documents.collect::<Result<Vec<_>, _>>()?;
    Ok(documents.into_iter().filter(|document| !document.is_null()).collect())
}

fn only<'a>(documents: &'a [Value], kind: &str) -> Result<&'a Value> {
    let mut found = documents.iter().filter(|document| document["kind"] == kind);
    let one = found.next().with_context(|| format!("there is no {kind}"))?;
    ensure!(found.next().is_none(), "there are several {kind}s");
    Ok(one)
}

fn pod(documents: &[Value]) -> Result<&Value> {
    Ok(&only(documents, "Deployment")?["spec"]["template"]["spec"])
}

#[tokio::test]
async fn it_lints() -> Result {
    Tools::get()?
        .run("helm", &["lint", "--strict", CHART], None, "")
        .await?;
    Ok(())
}

#[tokio::test]
async fn one_operator_at_a_time() -> Result {
    let documents = render(&[]).await?;
    let spec = &only(&documents, "Deployment")?["spec"];
    assert_eq!(
        (&spec["replicas"], &spec["strategy"]["type"]),
        (&json!(1), &json!("Recreate"))
    );
    Ok(())
}

#[tokio::test]
async fn arguments_follow_the_values() -> Result {
    let plain = render(&[]).await?;
    let usual = ["run", "--listen=0.0.0.0:8080", "--log-level=info", "--log-format=json"];
    assert_eq!(pod(&plain)?["containers"][0]["args"], json!(usual));

    let set = [
        "sandboxUrl=http://sandbox:80",
        "allowedHosts={a.example,b.example:8443}",
        "metrics.port=9000",
    ];
    let documents = render(&set).await?;
    let args = [
        "run",
        "--listen=0.0.0.0:9000",
        "--log-level=info",
        "--log-format=json",
        "--sandbox=http://sandbox:80",
        "--allowed-hosts=a.example,b.example:8443",
    ];
    let container = &pod(&documents)?["containers"][0];
    assert_eq!(container["args"], json!(args));
    assert_eq!(container["ports"][0]["containerPort"], 9000);
    assert!(!documents.iter().any(|document| document["kind"] == "Service"));

    let documents = render(&["webhooks.enabled=true", "webhooks.port=9001"]).await?;
    let container = &pod(&documents)?["containers"][0];
    assert_eq!(container["args"][2], "--webhook-listen=0.0.0.0:9001");
    assert_eq!(
        container["ports"][1],
        json!({"name": "webhooks", "containerPort": 9001})
    );
    let services = documents.iter().filter(|document| document["kind"] == "Service");
    let ports: Vec<_> = services
        .map(|service| &service["spec"]["ports"][0]["targetPort"])
        .collect();
    assert_eq!(ports, ["webhooks"]);
    Ok(())
}

#[tokio::test]
async fn values_that_would_be_ignored_are_refused() -> Result {
    for value in [
        "sandboxURL=http://x",
        "metrics.prot=1",
        "logFormat=xml",
        "sandboxUrl=localhost:80",
        "replicas=2",
        "watchNamespace=a/b",
        "crds.instal=false",
    ] {
        let error = render(&[value])
            .await
            .err()
            .with_context(|| format!("{value} was accepted"))?;
        assert!(error.to_string().contains("values don't meet"), "{error}");
    }
    Ok(())
}

/// What the chart grants: `verb resource.group`.
pub async fn granted(set: &[&str]) -> Result<BTreeSet<String>> {
    let documents = render(set).await?;
    let rules = roles(&documents).filter_map(|role| role["rules"].as_array()).flatten();
    let triples = rules.flat_map(triples);
    Ok(triples
        .map(|(group, resource, verb)| format!("{verb} {resource}.{group}"))
        .collect())
}

fn roles(documents: &[Value]) -> impl Iterator<Item = &Value> {
    documents
        .iter()
        .filter(|document| document["kind"] == "ClusterRole" || document["kind"] == "Role")
}

/// `kind namespace`, for each role and its binding.
fn scopes(documents: &[Value]) -> Vec<String> {
    let of_roles = documents
        .iter()
        .filter(|document| document["kind"].as_str().is_some_and(|kind| kind.contains("Role")));
    of_roles
        .map(|role| {
            let namespace = role["metadata"]["namespace"].as_str().unwrap_or("-");
            format!("{} {namespace}", role["kind"].as_str().unwrap_or_default())
        })
        .collect()
}

#[tokio::test]
async fn one_namespace_is_enough_if_it_is_told_so() -> Result {
    let (everywhere, there) = (render(&[]).await?, render(&["watchNamespace=team"]).await?);
    let cluster_wide = [
        "ClusterRole -",
        "ClusterRole -",
        "ClusterRoleBinding -",
        "ClusterRoleBinding -",
    ];
    let mut scopes_everywhere = scopes(&everywhere);
    scopes_everywhere.sort();
    assert_eq!(scopes_everywhere, cluster_wide);
    let mut scopes_there = scopes(&there);
    scopes_there.sort();
    assert_eq!(
        scopes_there,
        ["ClusterRole -", "ClusterRoleBinding -", "Role team", "RoleBinding team"]
    );
    for role in roles(&there).filter(|role| role["kind"] == "ClusterRole") {
        assert_eq!(role["rules"][0]["resources"], json!(["customresourcedefinitions"]));
        assert_eq!(role["rules"].as_array().map(Vec::len), Some(1));
    }
    let args = pod(&there)?["containers"][0]["args"]
        .as_array()
        .context("no arguments")?;
    assert!(args.contains(&json!("--watch-namespace=team")), "{args:?}");
    Ok(())
}

#[tokio::test]
async fn only_one_release_needs_the_definitions() -> Result {
    let documents = render(&["crds.install=false"]).await?;
    assert!(
        documents
            .iter()
            .all(|document| document["kind"] != "CustomResourceDefinition")
    );
    Ok(())
}

/// Kinds that have nothing to undo in Pluvo.
const WITHOUT_FINALIZER: [&str; 4] = [
    "pluvoconnections",
    "progressreports",
    "certificatemonitors",
    "inactiveuserreports",
];

#[tokio::test]
async fn permissions_are_no_more_than_these() -> Result {
    let granted = granted(&[]).await?;
    assert_eq!(
        granted,
        self::granted(&["watchNamespace=team"]).await?,
        "in one namespace"
    );
    let mut wanted: BTreeSet<_> = [
        "get secrets.",
        "get namespaces.",
        "get customresourcedefinitions.apiextensions.k8s.io",
        "create events.events.k8s.io",
        "patch events.events.k8s.io",
    ]
    .map(str::to_owned)
    .into();
    for plural in crds().into_iter().map(|crd| crd.spec.names.plural) {
        wanted.extend(["list", "watch"].map(|verb| format!("{verb} {plural}.pluvo.dev")));
        if !WITHOUT_FINALIZER.contains(&plural.as_str()) {
            wanted.insert(format!("patch {plural}.pluvo.dev"));
        }
        wanted.insert(format!("patch {plural}/status.pluvo.dev"));
    }
    assert_eq!(granted, wanted);
    Ok(())
}

fn triples(rule: &Value) -> Vec<(&str, &str, &str)> {
    let texts = |field: &str| {
        rule[field]
            .as_array()
            .into_iter()
            .flatten()
            .filter_map(Value::as_str)
            .collect::<Vec<_>>()
    };
    let mut triples = Vec::new();
    for group in texts("apiGroups") {
        for resource in texts("resources") {
            triples.extend(texts("verbs").into_iter().map(|verb| (group, resource, verb)));
        }
    }
    triples
}

#[tokio::test]
async fn definitions_are_upgraded_and_kept() -> Result {
    let documents = render(&[]).await?;
    let rendered: Vec<_> = documents
        .into_iter()
        .filter(|document| document["kind"] == "CustomResourceDefinition")
        .collect();
    let wanted = crds().into_iter().map(|crd| {
        let mut crd = serde_json::to_value(crd)?;
        crd["metadata"]["annotations"] = json!({"helm.sh/resource-policy": "keep"});
        Ok((crd["metadata"]["name"].to_string(), crd))
    });
    let mut wanted = wanted.collect::<Result<Vec<_>>>()?;
    wanted.sort_by(|one, other| one.0.cmp(&other.0));
    let mut rendered: Vec<_> = rendered
        .into_iter()
        .map(|crd| (crd["metadata"]["name"].to_string(), crd))
        .collect();
    rendered.sort_by(|one, other| one.0.cmp(&other.0));
    assert_eq!(rendered, wanted);
    Ok(())
}

/// The API server's own admission is the judge.
#[tokio::test]
async fn the_pod_is_admitted_where_only_restricted_ones_are() -> Result {
    let cluster = Cluster::start().await?;
    let namespace = cluster.namespace("restricted").await?;
    let label = "pod-security.kubernetes.io/enforce=restricted";
    cluster.kubectl(&["label", "namespace", &namespace, label]).await?;
    cluster
        .helm(&["upgrade", "--install", "restricted", CHART, "--namespace", &namespace])
        .await?;
    eventually("the ReplicaSet has its Pod", async || {
        let sets = cluster
            .kubectl(&["get", "replicasets", "--namespace", &namespace, "-o", "json"])
            .await?;
        let sets: Value = serde_json::from_str(&sets)?;
        let status = &sets["items"][0]["status"];
        ensure!(status["replicas"] == 1, "its status is {status}");
        Ok(())
    })
    .await?;
    let documents = render(&[]).await?;
    assert_eq!(
        pod(&documents)?["containers"][0]["securityContext"]["readOnlyRootFilesystem"],
        true
    );
    Ok(())
}

#[test]
fn every_value_is_documented() -> Result {
    let read = |name: &str| fs::read_to_string(Path::new(CHART).join(name));
    let (values, readme) = (
        serde_yaml::from_str::<Value>(&read("values.yaml")?)?,
        read("README.md")?,
    );
    for (name, value) in values.as_object().context("values.yaml is not a mapping")? {
        let nested = value
            .as_object()
            .filter(|fields| !fields.is_empty() && name != "resources");
        let keys = nested.map_or(vec![name.clone()], |fields| {
            fields.keys().map(|key| format!("{name}.{key}")).collect()
        });
        for key in keys {
            ensure!(
                readme.contains(&format!("| `{key}` |")),
                "README.md has no row for {key}"
            );
        }
    }
    Ok(())
}
