//! The harness does what its documentation says.

use std::{fs, os::unix::fs::PermissionsExt, time::Duration};

use anyhow::{Context, bail, ensure};
use k8s_openapi::api::core::v1::ConfigMap;
use kube::{Api, api::ListParams};
use pluvo_operator::api::crds;
use serde_json::{Value, json};

use crate::support::{
    Cluster, Operator, OperatorOptions, PERSON, Patience, Result, Sandbox, create_all, create_paced, directory,
    eventually, patiently,
};

#[tokio::test]
async fn giving_up_names_what_was_awaited_and_what_was_seen() -> Result {
    let patience = Patience {
        time: Duration::from_millis(120),
        looks: 4,
    };
    for moves in [false, true] {
        let mut looks = 0;
        let error = patiently("pigs fly", patience, async || -> Result {
            looks += 1;
            bail!("{} on the ground", if moves { looks } else { 3 })
        })
        .await
        .expect_err("they do not");
        let message = error.to_string();
        assert!(
            message.contains("waiting until pigs fly; nothing has moved for ") && message.ends_with("on the ground"),
            "{message}"
        );
        // It waits as long as something moves, but not for ever.
        assert!(looks > patience.looks, "{looks} looks");
    }

    let error = patiently("it answers", patience, async || std::future::pending::<Result>().await).await;
    assert!(error.is_err_and(|error| error.to_string().ends_with("last seen: no answer")));
    Ok(())
}

#[tokio::test]
async fn many_objects_are_made_at_once_and_at_a_pace() -> Result {
    let cluster = Cluster::shared().await?;
    let namespace = cluster.namespace("many").await?;
    let api: Api<ConfigMap> = Api::namespaced(cluster.client().await?, &namespace);
    let objects = |prefix: &str, count| {
        let names = (0..count).map(|n| json!({"metadata": {"name": format!("{prefix}-{n}")}}));
        names
            .map(serde_json::from_value::<ConfigMap>)
            .collect::<Result<Vec<_>, _>>()
    };
    create_all(&api, objects("fast", 100)?).await?;
    let begin = std::time::Instant::now();
    create_paced(&api, objects("slow", 11)?, 20).await?;
    assert!(begin.elapsed() >= Duration::from_millis(500));
    let found = api.list(&ListParams::default()).await?;
    assert_eq!(found.items.len(), 111);
    Ok(())
}

#[tokio::test]
async fn the_recorder_keeps_every_version_of_our_objects() -> Result {
    let cluster = Cluster::start().await?;
    for crd in crds() {
        cluster
            .kubectl_with(&["create", "-f", "-"], &serde_json::to_string(&crd)?)
            .await?;
    }
    cluster
        .kubectl(&["wait", "--for=condition=Established", "crd", "--all"])
        .await?;
    let manifest = |name: &str| {
        let metadata = json!({"name": "g", "namespace": "default"});
        let spec = json!({"ref": "g", "name": name});
        json!({"apiVersion": "pluvo.dev/v1alpha1", "kind": "PluvoGroup", "metadata": metadata, "spec": spec})
            .to_string()
    };
    cluster.apply("default", &manifest("first")).await?;
    assert_eq!(
        cluster.get("PluvoGroup", "default", "g").await?["spec"]["name"],
        "first"
    );
    let recorder = cluster.recorder()?;
    eventually("the first version is seen", async || {
        ensure!(recorder.recorded()?.len() == 1);
        Ok(())
    })
    .await?;
    cluster.apply("default", &manifest("second")).await?;
    cluster.kubectl(&["delete", "pluvogroup", "g"]).await?;
    let judged = eventually("the deletion is seen", async || {
        let judged = recorder.judged()?;
        ensure!(
            judged.iter().any(|(recorded, _)| recorded.deleted),
            "{} versions",
            judged.len()
        );
        Ok(judged)
    })
    .await?;
    let seen: Vec<_> = judged
        .iter()
        .map(|(recorded, verdict)| (recorded.text("/spec/name"), verdict.status()))
        .collect();
    assert_eq!(
        seen,
        [
            ("first", "InProgress"),
            ("second", "InProgress"),
            ("second", "InProgress")
        ]
    );
    assert!(
        judged
            .iter()
            .all(|(recorded, _)| recorded.is("PluvoGroup", "default", "g"))
    );
    Ok(())
}

#[tokio::test]
async fn the_operator_runs_as_the_chart_says() -> Result {
    let cluster = Cluster::start().await?;
    let namespace = "pluvo-system";
    let options = OperatorOptions {
        binary: stand_in()?.into(),
        ..OperatorOptions::sandbox("http://127.0.0.1:1")
    }
    .with("extraEnv[0].name=GREETING")
    .with("extraEnv[0].value=hello");
    let mut operator = Operator::install(&cluster, options).await?;
    let run = operator.start_unready().await?;

    let deployment = cluster
        .kubectl(&["get", "deployment", "--namespace", namespace, "-o", "json"])
        .await?;
    let deployment: Value = serde_json::from_str(&deployment)?;
    let container = &deployment["items"][0]["spec"]["template"]["spec"]["containers"][0];
    assert_eq!(json!(run.args[1..]), container["args"]);
    assert!(
        run.args.contains(&"--sandbox=http://127.0.0.1:1".to_owned()),
        "{:?}",
        run.args
    );
    assert!(run.env.contains(&"GREETING=hello".to_owned()), "{:?}", run.env);
    assert!(
        run.env.iter().all(|variable| !variable.starts_with("PATH=")),
        "{:?}",
        run.env
    );

    let kubeconfig = run
        .env
        .iter()
        .find_map(|variable| variable.strip_prefix("KUBECONFIG="))
        .context("no KUBECONFIG")?;
    let who = cluster
        .kubectl(&["auth", "whoami", "-o", "json", "--kubeconfig", kubeconfig])
        .await?;
    let who: Value = serde_json::from_str(&who)?;
    assert_eq!(who["status"]["userInfo"]["username"], operator.user());

    operator.kill_9().await?;
    let ready = directory()?.join("stand-in.sh.ready");
    fs::remove_file(&ready).ok();
    operator.start_unready().await?;
    eventually("the stand-in listens to signals", async || {
        Ok(fs::metadata(&ready).map(drop)?)
    })
    .await?;
    let status = operator.terminate().await?;
    assert_eq!(status.code(), Some(7), "{}", operator.log()?);

    let options = OperatorOptions {
        binary: "/bin/false".into(),
        ..OperatorOptions::default()
    };
    let error = Operator::run(&cluster, options).await.err().context("it was ready")?;
    let message = format!("{error:#}");
    assert!(
        message.contains("operator /bin/false ended (exit status: 1)"),
        "{message}"
    );
    Ok(())
}

/// Something that lives until it is asked to end.
fn stand_in() -> Result<std::path::PathBuf> {
    let path = directory()?.join("stand-in.sh");
    fs::write(
        &path,
        "#!/bin/sh\ntrap 'exit 7' TERM\n: > \"$0.ready\"\nwhile :; do /bin/sleep 0.1; done\n",
    )?;
    fs::set_permissions(&path, fs::Permissions::from_mode(0o755))?;
    Ok(path)
}

#[tokio::test]
async fn organizations_of_a_sandbox_are_apart_and_a_person_may_change_them() -> Result {
    let sandbox = Sandbox::start("users: [{ref: EMP-1, email: jane@example.com, name: Jane}]").await?;
    let (acme, other) = (sandbox.organization("acme"), sandbox.organization("other"));
    let rename =
        "mutation($name: String!) { updateOrCreateUser(ref: \"EMP-1\", user: {name: $name}) { user { name } } }";
    let answer = acme.graphql(rename, json!({"name": "Jane Doe"})).await?;
    assert_eq!(answer["updateOrCreateUser"]["user"]["name"], "Jane Doe");
    assert_eq!(acme.log().await?[0]["client"], PERSON.0);
    assert_eq!(acme.stats().await?["operations"]["updateOrCreateUser"], 1);
    assert_eq!(other.log().await?, [] as [Value; 0]);
    assert_ne!(acme.state().await?, other.state().await?);

    acme.revoke_tokens().await?;
    acme.graphql(rename, json!({"name": "Jane"})).await?;
    assert_eq!(acme.state().await?, other.state().await?);
    acme.graphql("{ nonsense }", json!({}))
        .await
        .expect_err("there is no such field");

    acme.change(&json!({"users": {"EMP-1": {"lastLogin": "2026-01-31"}}}))
        .await?;
    acme.faults(&json!({"latencyMs": 1})).await?;
    acme.settings(&json!({"visibilityDelay": "1s"})).await?;
    acme.seed(&json!({"groups": [{"ref": "g", "name": "G"}]})).await?;
    assert_ne!(acme.state().await?, other.state().await?);
    assert_eq!(acme.outbox().await?, [] as [Value; 0]);
    acme.reset().await?;
    assert_eq!(acme.state().await?, other.state().await?);
    Ok(())
}
