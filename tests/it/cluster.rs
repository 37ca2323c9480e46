//! The test cluster is a cluster, and leaves nothing behind.

use std::{path::Path, sync::Arc};

use anyhow::{Context, ensure};
use serde_json::{Value, json};

use crate::support::{Cluster, Result, eventually, kstatus};

const PROCESSES: [&str; 4] = ["testcluster", "etcd", "kube-apiserver", "controllers"];

#[tokio::test]
async fn kubectl_and_server_have_the_pinned_version() -> Result {
    let cluster = Cluster::shared().await?;
    let pinned = include_str!("../cluster/go.mod")
        .lines()
        .find_map(|line| line.strip_prefix("require k8s.io/kubernetes "))
        .context("go.mod pins no Kubernetes")?;
    let version: Value = serde_json::from_str(&cluster.kubectl(&["version", "-o", "json"]).await?)?;
    assert_eq!(version["clientVersion"]["gitVersion"], pinned);
    assert_eq!(version["serverVersion"]["gitVersion"], pinned);
    Ok(())
}

#[tokio::test]
async fn a_namespace_goes_with_what_is_in_it() -> Result {
    let cluster = Cluster::shared().await?;
    let namespace = cluster.namespace("doomed").await?;
    cluster
        .kubectl(&["create", "configmap", "x", "--namespace", &namespace])
        .await?;
    cluster
        .kubectl(&["delete", "namespace", &namespace, "--timeout=60s"])
        .await?;
    let left = cluster
        .kubectl(&["get", "configmap", "x", "--namespace", &namespace, "--ignore-not-found"])
        .await?;
    assert_eq!(left, "");
    Ok(())
}

#[tokio::test]
async fn a_token_carries_the_permissions_of_its_service_account() -> Result {
    let cluster = Cluster::shared().await?;
    let namespace = cluster.namespace("tokens").await?;
    cluster
        .kubectl(&["create", "serviceaccount", "nobody", "--namespace", &namespace])
        .await?;
    let token = cluster
        .kubectl(&["create", "token", "nobody", "--namespace", &namespace])
        .await?;
    let args = ["auth", "can-i", "list", "secrets", "--token", token.trim()];
    let refusal = cluster.kubectl(&args).await.expect_err("nobody may list Secrets");
    assert!(refusal.to_string().contains("exit status: 1"), "{refusal}");
    Ok(())
}

#[tokio::test]
async fn the_audit_log_has_each_request_once() -> Result {
    let cluster = Cluster::shared().await?;
    let namespace = cluster.namespace("audited").await?;
    let mark = cluster.audit().mark().await?;
    cluster
        .kubectl(&["create", "configmap", "x", "--namespace", &namespace])
        .await?;
    cluster
        .kubectl(&["get", "configmap", "x", "--namespace", &namespace])
        .await?;
    let entries = cluster
        .audit()
        .since(mark, |entry| {
            entry.object_ref.namespace == namespace && entry.user() == "admin"
        })
        .await?;
    let seen: Vec<_> = entries
        .iter()
        .map(|entry| (&*entry.verb, entry.resource(), entry.code()))
        .collect();
    assert_eq!(
        seen,
        [
            ("create", "configmaps".to_owned(), 201),
            ("get", "configmaps".to_owned(), 200)
        ]
    );
    assert!(entries[0].writes() && !entries[1].writes());
    Ok(())
}

#[tokio::test]
async fn kstatus_judges_every_line_and_goes_on_after_a_broken_one() -> Result {
    let object = |generation: u32, conditions: Value| {
        json!({
            "apiVersion": "pluvo.dev/v1alpha1", "kind": "PluvoUser", "metadata": {"name": "x", "generation": 2},
            "status": {"observedGeneration": generation, "conditions": conditions},
        })
    };
    let ready = json!([{"type": "Ready", "status": "True"}]);
    let stalled = json!([{"type": "Ready", "status": "False"}, {"type": "Stalled", "status": "True"}]);
    let verdicts = kstatus::judge(&[
        object(2, ready.clone()),
        object(1, ready),
        json!({}),
        object(2, stalled),
    ])?;
    let statuses: Vec<_> = verdicts.iter().map(kstatus::Verdict::status).collect();
    assert_eq!(
        [statuses[0], statuses[1], statuses[3]],
        ["Current", "InProgress", "Failed"]
    );
    assert!(
        matches!(verdicts[2], kstatus::Verdict::Invalid { .. }),
        "{:?}",
        verdicts[2]
    );
    Ok(())
}

#[tokio::test]
async fn the_api_server_can_go_and_come_back() -> Result {
    let cluster = Arc::new(Cluster::start().await?);
    let namespace = cluster.namespace("kept").await?;
    cluster.stop("kube-apiserver").await?;
    cluster
        .kubectl(&["get", "namespaces"])
        .await
        .expect_err("there is no API server");
    cluster.pid("kube-apiserver").expect_err("it does not run");
    cluster.restart("kube-apiserver").await?;
    cluster.kubectl(&["get", "namespace", &namespace]).await?;

    cluster.signal("kube-apiserver", "STOP")?;
    cluster
        .kubectl(&["get", "namespaces", "--request-timeout=1s"])
        .await
        .expect_err("it hangs");
    cluster.signal("kube-apiserver", "CONT")?;
    cluster.kubectl(&["get", "namespace", &namespace]).await?;
    Ok(())
}

#[tokio::test]
async fn nothing_outlives_a_cluster_however_it_ends() -> Result {
    for killed in [false, true] {
        let cluster = Cluster::start().await?;
        let pids = PROCESSES
            .map(|process| cluster.pid(process))
            .into_iter()
            .collect::<Result<Vec<_>>>()?;
        if killed {
            cluster.signal("testcluster", "KILL")?;
        }
        drop(cluster);
        eventually("all its processes have ended", async || {
            let running: Vec<_> = pids.iter().filter(|pid| runs(**pid)).collect();
            ensure!(running.is_empty(), "{running:?} still run");
            Ok(())
        })
        .await?;
    }
    Ok(())
}

/// A zombie does not run.
fn runs(pid: u32) -> bool {
    let stat = Path::new("/proc").join(pid.to_string()).join("stat");
    std::fs::read_to_string(stat).is_ok_and(|stat| !stat.contains(") Z "))
}
