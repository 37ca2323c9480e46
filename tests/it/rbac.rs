//! Each permission that the chart grants is needed: without it a scenario fails and names it. `make rbac` runs this.

use std::{collections::BTreeSet, time::Instant};

use anyhow::{Context, bail, ensure};
use k8s_openapi::api::authorization::v1::{ResourceAttributes, SubjectAccessReview, SubjectAccessReviewSpec};
use kube::{Api, api::PostParams};
use rstest::rstest;
use serde_json::json;

use crate::{
    chart, deletion, events, reports,
    support::{CONFINED, Result, SEED, Tenant, World, audit::Entry, eventually},
};

const DEFINITIONS: &str = "customresourcedefinitions";

/// The two forms of the chart.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Form {
    AllNamespaces,
    OneNamespace,
}

impl Form {
    /// Of the chart, as far as its permissions depend on them.
    fn values(self) -> &'static [&'static str] {
        match self {
            Self::AllNamespaces => &[],
            Self::OneNamespace => &["watchNamespace=team"],
        }
    }

    /// The role that has a permission: what to call it for kubectl.
    async fn role(self, world: &World, tenant: &Tenant<'_>, of_definitions: bool) -> Vec<String> {
        match (self, of_definitions) {
            (_, true) => {
                let release = world.operator.lock().await.release_namespace().to_owned();
                vec![
                    "clusterrole".to_owned(),
                    format!("{release}-pluvo-operator-definitions"),
                ]
            }
            (Self::AllNamespaces, false) => vec!["clusterrole".to_owned(), "pluvo-operator".to_owned()],
            (Self::OneNamespace, false) => {
                let namespace = format!("--namespace={}", tenant.namespace);
                vec!["role".to_owned(), "pluvo-operator".to_owned(), namespace]
            }
        }
    }
}

/// Starts the operator and has it do everything that it does in Kubernetes.
pub async fn scenario(world: &World, tenant: &Tenant<'_>) -> Result {
    world.operator.lock().await.start().await?;
    deletion::declare(tenant).await?;
    reports::declare(tenant).await?;
    // What is told twice is one Event that is counted.
    for _ in 0..2 {
        let rename = json!({"users": {"EMP-1": {"name": "Janet"}}});
        tenant.organization.change(&rename).await?;
        tenant
            .pluvo("it is put right", |state| state["users"]["EMP-1"]["name"] == "Jane")
            .await?;
        tenant.ready("PluvoUser", "jane").await?;
    }
    eventually("corrections are counted", async || {
        let told = events::told(tenant).await?;
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
async fn grant(
    world: &World,
    tenant: &Tenant<'_>,
    form: Form,
    granted: &BTreeSet<String>,
    missing: Option<&str>,
) -> Result {
    for of_definitions in [false, true] {
        let mut rules = Vec::new();
        for permission in granted {
            let (verb, resource, group) = parts(permission)?;
            if (resource == DEFINITIONS) == of_definitions && Some(&**permission) != missing {
                rules.push(json!({"apiGroups": [group], "resources": [resource], "verbs": [verb]}));
            }
        }
        let patch = json!({"rules": rules}).to_string();
        let role = form.role(world, tenant, of_definitions).await;
        let mut args = vec!["patch"];
        args.extend(role.iter().map(String::as_str));
        args.extend(["--type=merge", "--patch", &patch]);
        world.cluster.kubectl(&args).await?;
    }
    for permission in granted {
        let wanted = Some(permission.as_str()) != missing;
        eventually("the API server knows the role", async || {
            ensure!(may(world, tenant, form, permission).await? == wanted, "{permission}");
            Ok(())
        })
        .await?;
    }
    Ok(())
}

/// Whether the API server would allow it: in all namespaces, or in the tenant's.
pub async fn may(world: &World, tenant: &Tenant<'_>, form: Form, permission: &str) -> Result<bool> {
    let (verb, resource, group) = parts(permission)?;
    let (resource, subresource) = match resource.split_once('/') {
        Some((resource, subresource)) => (resource, Some(subresource)),
        None => (resource, None),
    };
    let in_namespace = form == Form::OneNamespace && resource != DEFINITIONS;
    let review = SubjectAccessReview {
        spec: SubjectAccessReviewSpec {
            user: Some(world.operator.lock().await.user()),
            resource_attributes: Some(ResourceAttributes {
                verb: Some(verb.to_owned()),
                group: Some(group.to_owned()),
                resource: Some(resource.to_owned()),
                subresource: subresource.map(str::to_owned),
                namespace: in_namespace.then(|| tenant.namespace.clone()),
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
async fn without(
    world: &World,
    form: Form,
    granted: &BTreeSet<String>,
    missing: Option<&str>,
) -> Result<BTreeSet<String>> {
    let tenant = world.tenant("rbac", json!({})).await?;
    if form == Form::OneNamespace {
        world.confine(&tenant.namespace).await?;
    }
    grant(world, &tenant, form, granted, missing).await?;
    let (user, mark) = (world.operator.lock().await.user(), world.cluster.audit().mark().await?);
    let outcome = tokio::select! {
        done = scenario(world, &tenant) => done,
        refused = refusal(world, &user, mark) => refused,
    };
    let mut operator = world.operator.lock().await;
    if operator.started_with().is_ok() {
        // Where it may not list what it manages, it has ended by itself.
        drop(operator.kill_9().await);
    }
    if form == Form::OneNamespace {
        // Helm does not upgrade roles that were changed behind its back.
        let release = ["uninstall", "pluvo-operator", "--namespace", CONFINED];
        world.cluster.helm(&release).await?;
    }
    let refused = refused(world, &user, mark).await?;
    if refused.is_empty() {
        outcome?;
    }
    Ok(refused)
}

#[rstest]
#[tokio::test]
#[ignore = "takes minutes; `make rbac` runs it"]
async fn without_any_of_its_permissions_a_scenario_fails_and_names_it(
    #[values(Form::AllNamespaces, Form::OneNamespace)] form: Form,
) -> Result {
    let world = World::prepare(SEED, &[]).await?;
    let granted = chart::granted(form.values()).await?;
    let began = Instant::now();
    let refused = without(&world, form, &granted, None)
        .await
        .context("with all permissions")?;
    ensure!(refused.is_empty(), "with all permissions: {refused:?} was refused");
    println!(
        "{form:?}: with all {} permissions the scenario succeeds ({:.0?})",
        granted.len(),
        began.elapsed()
    );
    let mut wrong = Vec::new();
    for permission in &granted {
        match without(&world, form, &granted, Some(permission)).await {
            Ok(refused) if refused == [permission.clone()].into() => println!("{form:?}: needed: {permission}"),
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
