//! The examples, as a newcomer applies them.

use std::fs;

use anyhow::ensure;
use serde_json::Value;

use crate::support::{Cluster, Operator, OperatorOptions, Organization, Result, Sandbox, eventually};

const EXAMPLES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/examples");

/// Waits until everything in the cluster is Ready, and says what is there.
pub async fn all_ready(cluster: &Cluster) -> Result<Vec<String>> {
    eventually("everything is Ready", async || {
        let list: Value = serde_json::from_str(&cluster.kubectl(&["get", "pluvo", "-A", "-o", "json"]).await?)?;
        let objects = list["items"].as_array().cloned().unwrap_or_default();
        for object in &objects {
            let ready = crate::support::condition(object, "Ready").cloned().unwrap_or_default();
            ensure!(
                ready["status"] == "True" && ready["observedGeneration"] == object["metadata"]["generation"],
                "{} {}: {ready}",
                object["kind"],
                object["metadata"]["name"]
            );
        }
        Ok(objects
            .iter()
            .map(|object| format!("{}/{}", object["kind"], object["metadata"]["name"]).replace('"', ""))
            .collect())
    })
    .await
}

/// The mails, without their times.
async fn mails(organization: &Organization) -> Result<Vec<String>> {
    let outbox = organization.outbox().await?;
    Ok(outbox
        .iter()
        .map(|mail| format!("{} to {} for {}", mail["kind"], mail["to"], mail["training"]).replace('"', ""))
        .collect())
}

#[tokio::test]
async fn the_examples_become_ready_and_say_what_they_do() -> Result {
    let cluster = Cluster::start().await?;
    let seed = fs::read_to_string(format!("{EXAMPLES}/sandbox.seed"))?;
    let sandbox = Sandbox::start_with(&seed, &["--client-id", "sandbox", "--client-secret", "sandbox-secret"]).await?;
    let mut operator = Operator::run(&cluster, OperatorOptions::sandbox(sandbox.url())).await?;
    let apply = async || cluster.kubectl(&["apply", "-R", "-f", EXAMPLES]).await;
    apply().await?;
    let objects = all_ready(&cluster).await?;
    let organization = sandbox.organization("acme");
    let (state, outbox) = (organization.state().await?, mails(&organization).await?);
    insta::assert_json_snapshot!("examples_state", state);
    insta::assert_snapshot!("examples_objects", objects.join("\n"));
    insta::assert_snapshot!("examples_outbox", outbox.join("\n"));
    let report = [
        "get",
        "progressreport",
        "rnd-progress",
        "-o",
        "jsonpath={.status.progress}",
    ];
    let report: Value = serde_json::from_str(&cluster.kubectl(&report).await?)?;
    insta::assert_json_snapshot!("examples_progress", report);

    apply().await?;
    all_ready(&cluster).await?;
    operator.restart().await?;
    // What a process finds is told by its first look at Pluvo, not by the statuses of the process before it.
    cluster.sweep("default").await?;
    all_ready(&cluster).await?;
    ensure!(
        organization.state().await? == state && mails(&organization).await? == outbox,
        "a second apply or a restart changed something"
    );
    Ok(())
}
