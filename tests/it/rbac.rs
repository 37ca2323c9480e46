//! Each permission that the chart grants is needed: without it a scenario fails and names it. `make rbac` runs this.

use std::{collections::BTreeSet, time::Instant};

use anyhow::{Context, bail, ensure};
use k8s_openapi::api::authorization::v1::{ResourceAttributes, SubjectAccessReview, SubjectAccessReviewSpec};
use kube::{Api, api::PostParams};
use serde_json::json;

use crate::{
    chart, deletion, events,
    support::{Result, SEED, World, audit::Entry, soon},
};

/// Starts the operator and has it do everything that it does in Kubernetes.
async fn scenario(world: &World) -> Result {
    world.operator.lock().await.start().await?;
    let tenant = world.tenant("rbac", json!({})).await?;
    deletion::declare(&tenant).await?;
    // What is told twice is one Event that is counted.
    for _ in 0..2 {
        let rename = json!({"users": {"EMP-1": {"name": "Janet"}}});
        tenant.organization.change(&rename).await?;
        tenant
            .pluvo("it is put right", |state| state["users"]["EMP-1"]["name"] == "Jane")
            .await?;
        tenant.ready("PluvoUser", "jane").await?;
    }
    soon("corrections are counted", async || {
        let told = events::told(world, &tenant).await?;
        ensure!(told.contains(&"jane Corrected 2".to_owned()), "{told:?}");
        Ok(())
    })
    .await?;
    // A deletion looks at the namespace and at the definitions.
    tenant.delete("PluvoUser", "jane").await?;
    tenant.gone("PluvoUser", "jane").await
}

/// What the API server has refused since `mark`.
async fn refused(world: &World, user: &str, mark: u64) -> Result<BTreeSet<String>> {
    let audit = world.cluster.audit();
    let entries = audit.since(mark, |entry| entry.user() == user && entry.code() == 403);
    Ok(entries.await?.iter().map(Entry::permission).collect())
}

/// Waits until there is something that it has refused.
async fn refusal(world: &World, user: &str, mark: u64) -> Result {
    while refused(world, user, mark).await?.is_empty() {}
    Ok(())
}

/// Gives the operator these permissions (`verb resource.group`) but one alone, and waits until the API server knows it.
async fn grant(world: &World, granted: &BTreeSet<String>, missing: Option<&str>) -> Result {
    let rules: Vec<_> = granted
        .iter()
        .filter(|permission| Some(permission.as_str()) != missing)
        .map(|permission| {
            let (verb, resource, group) = parts(permission)?;
            Ok(json!({"apiGroups": [group], "resources": [resource], "verbs": [verb]}))
        })
        .collect::<Result<_>>()?;
    let patch = json!({"rules": rules}).to_string();
    let args = [
        "patch",
        "clusterrole",
        "pluvo-operator",
        "--type=merge",
        "--patch",
        &patch,
    ];
    world.cluster.kubectl(&args).await?;
    for permission in granted {
        let wanted = Some(permission.as_str()) != missing;
        soon("the API server knows the role", async || {
            ensure!(may(world, permission).await? == wanted, "{permission}");
            Ok(())
        })
        .await?;
    }
    Ok(())
}

async fn may(world: &World, permission: &str) -> Result<bool> {
    let (verb, resource, group) = parts(permission)?;
    let (resource, subresource) = match resource.split_once('/') {
        Some((resource, subresource)) => (resource, Some(subresource)),
        None => (resource, None),
    };
    let review = SubjectAccessReview {
        spec: SubjectAccessReviewSpec {
            user: Some(world.operator.lock().await.user()),
            resource_attributes: Some(ResourceAttributes {
                verb: Some(verb.to_owned()),
                group: Some(group.to_owned()),
                resource: Some(resource.to_owned()),
                subresource: subresource.map(str::to_owned),
                ..ResourceAttributes::default()
            }),
            ..SubjectAccessReviewSpec::default()
        },
        ..SubjectAccessReview::default()
    };
    let api: Api<SubjectAccessReview> = Api::all(world.cluster.client().await?);
    let answer = api.create(&PostParams::default(), &review).await?;
    Ok(answer.status.context("no answer")?.allowed)
}

fn parts(permission: &str) -> Result<(&str, &str, &str)> {
    let (verb, rest) = permission.split_once(' ').context("no verb")?;
    let (resource, group) = rest.split_once('.').context("no group")?;
    Ok((verb, resource, group))
}

/// Runs the scenario without a permission, until it is over or the API server refuses something. Returns what it
/// refused.
async fn without(world: &World, granted: &BTreeSet<String>, missing: Option<&str>) -> Result<BTreeSet<String>> {
    grant(world, granted, missing).await?;
    let (user, mark) = (world.operator.lock().await.user(), world.cluster.audit().mark().await?);
    let outcome = tokio::select! {
        done = scenario(world) => done,
        refused = refusal(world, &user, mark) => refused,
    };
    let mut operator = world.operator.lock().await;
    if operator.started_with().is_ok() {
        // Where it may not list what it manages, it has ended by itself.
        drop(operator.kill_9().await);
    }
    let refused = refused(world, &user, mark).await?;
    if refused.is_empty() {
        outcome?;
    }
    Ok(refused)
}

#[tokio::test]
#[ignore = "takes minutes; `make rbac` runs it"]
async fn without_any_of_its_permissions_a_scenario_fails_and_names_it() -> Result {
    let world = World::prepare(SEED, &[]).await?;
    let granted = chart::granted().await?;
    let began = Instant::now();
    let refused = without(&world, &granted, None).await.context("with all permissions")?;
    ensure!(refused.is_empty(), "with all permissions: {refused:?} was refused");
    println!(
        "with all {} permissions the scenario succeeds ({:.0?})",
        granted.len(),
        began.elapsed()
    );
    let mut wrong = Vec::new();
    for permission in &granted {
        match without(&world, &granted, Some(permission)).await {
            Ok(refused) if refused == [permission.clone()].into() => println!("needed: {permission}"),
            Ok(refused) if refused.is_empty() => wrong.push(format!("{permission} is not needed")),
            Ok(refused) => wrong.push(format!("without {permission}: {refused:?}")),
            Err(error) => wrong.push(format!("without {permission}: {error:#}")),
        }
    }
    if !wrong.is_empty() {
        bail!("{}", wrong.join("\n"));
    }
    Ok(())
}
