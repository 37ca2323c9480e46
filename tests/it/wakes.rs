//! Edits on both sides while watches break: in the end everything is known, and nothing is left to do.

use anyhow::{Context, ensure};
use kube::{
    Api,
    api::{DeleteParams, ListParams, Patch, PatchParams, PostParams},
};
use pluvo_operator::api::PluvoUser;
use serde_json::{Value, json};

use crate::{
    cli,
    support::{Proxy, Result, SEED, Tenant, World, condition, eventually, people, seed, subdirectory},
};

const USERS: usize = 40;
const STEPS: usize = 120;
const TEAMS: [&str; 3] = ["a", "b", "c"];

/// People who edit resources, people who edit Pluvo, and a network that breaks.
struct Chaos<'a> {
    random: fastrand::Rng,
    tenant: &'a Tenant<'a>,
    users: Api<PluvoUser>,
    proxy: &'a Proxy,
}

impl Chaos<'_> {
    async fn step(&mut self) -> Result {
        let number = self.random.usize(0..USERS);
        let (name, reference) = (format!("emp-{number:05}"), format!("EMP-{number:05}"));
        let team = TEAMS[self.random.usize(0..TEAMS.len())];
        let (value, flag) = (self.random.u16(..), self.random.bool());
        match self.random.u8(0..11) {
            0 => {
                self.edit(&name, json!({"spec": {"name": format!("Name {value}")}}))
                    .await
            }
            1 | 2 => self.edit(&name, json!({"metadata": {"labels": {"team": team}}})).await,
            3 => self.edit(&name, json!({"spec": {"archived": flag}})).await,
            4 => {
                // Whoever is gone already is fine.
                let _ = self.users.delete(&name, &DeleteParams::default()).await;
                Ok(())
            }
            5 => self.make(number).await,
            6 => {
                self.change(json!({"users": {reference: {"name": format!("Pluvo {value}")}}}))
                    .await
            }
            7 => self.change(json!({"users": {reference: {"archived": flag}}})).await,
            8 => {
                self.change(json!({"groups": {team: {"removeUsers": [reference]}}}))
                    .await
            }
            9 => self.change(json!({"groups": {team: {"users": [reference]}}})).await,
            _ => {
                if flag {
                    self.proxy.cut_watches();
                } else {
                    self.proxy.expire_watches(5);
                }
                Ok(())
            }
        }
    }

    async fn edit(&self, name: &str, patch: Value) -> Result {
        match self
            .users
            .patch(name, &PatchParams::default(), &Patch::Merge(&patch))
            .await
        {
            Ok(_) => Ok(()),
            Err(kube::Error::Api(status)) if status.code == 404 => Ok(()),
            Err(error) => Err(error.into()),
        }
    }

    async fn make(&self, number: usize) -> Result {
        let user = people(number..number + 1)?.remove(0);
        match self.users.create(&PostParams::default(), &user).await {
            Ok(_) => Ok(()),
            Err(kube::Error::Api(status)) if status.code == 409 => Ok(()),
            Err(error) => Err(error.into()),
        }
    }

    /// Somebody whom Pluvo does not know yet cannot be changed there.
    async fn change(&self, change: Value) -> Result {
        let _ = self.tenant.organization.change(&change).await;
        Ok(())
    }
}

async fn declare(tenant: &Tenant<'_>) -> Result {
    for team in TEAMS {
        tenant
            .declare("PluvoGroup", team, json!({"ref": team, "name": team}))
            .await?;
        let policy = if team == "c" { "Exclusive" } else { "Owned" };
        let selector = json!({"matchLabels": {"team": team}});
        let spec = json!({"group": {"ref": team}, "userSelector": selector, "policy": policy, "allowEmpty": true});
        tenant.declare("PluvoGroupMembership", team, spec).await?;
    }
    let assignment = json!({"training": {"ref": "safety-2026"}, "groups": ["a"], "policy": "Owned", "deletionPolicy": "Remove", "allowEmpty": true});
    tenant.declare("TrainingAssignment", "safety", assignment).await?;
    let users = tenant.api_of::<PluvoUser>();
    let mut people = people(0..USERS)?;
    for (number, user) in people.iter_mut().enumerate() {
        let team = TEAMS[number % TEAMS.len()].to_owned();
        user.metadata.labels = Some([("team".to_owned(), team)].into());
    }
    crate::support::create_all(&users, people).await
}

/// All managed resources of the tenant.
async fn resources(tenant: &Tenant<'_>) -> Result<Vec<Value>> {
    let mut resources = Vec::new();
    for kind in ["PluvoUser", "PluvoGroup", "PluvoGroupMembership", "TrainingAssignment"] {
        for object in tenant.api(kind).list(&ListParams::default()).await?.items {
            resources.push(serde_json::to_value(object)?);
        }
    }
    Ok(resources)
}

/// Waits until nothing is under way and two sweeps have changed nothing.
async fn quiescence(tenant: &Tenant<'_>) -> Result<Vec<Value>> {
    eventually("everything has come to rest", async || {
        let (resources_before, before) = (resources(tenant).await?, tenant.mutations().await?.len());
        for object in &resources_before {
            let name = format!("{} {}", object["kind"], object["metadata"]["name"]);
            ensure!(
                object["metadata"].get("deletionTimestamp").is_none(),
                "{name} is on its way out"
            );
            let ready = condition(object, "Ready").with_context(|| name.clone())?;
            ensure!(
                ready["observedGeneration"] == object["metadata"]["generation"],
                "{name}: {ready}"
            );
            ensure!(condition(object, "Reconciling").is_none(), "{name}: {ready}");
        }
        tenant.sweeps(2).await?;
        let after = tenant.mutations().await?.len();
        ensure!(before == after, "{before} mutations became {after}");
        ensure!(resources(tenant).await? == resources_before, "statuses changed");
        Ok(resources_before)
    })
    .await
}

#[tokio::test]
async fn after_edits_on_both_sides_and_broken_watches_nothing_is_left_to_do() -> Result {
    let random = fastrand::Rng::with_seed(seed("CHAOS_SEED")?);
    let (world, proxy) = World::behind_a_proxy(SEED).await?;
    // Who undoes a change before a read has shown it leaves Pluvo as if the change were not visible yet.
    let limits = json!({"requestsPerSecond": 100, "burst": 100, "visibilityTimeout": "2s"});
    let tenant = world.tenant("chaos", json!({"limits": limits})).await?;
    declare(&tenant).await?;
    world.operator.lock().await.start().await?;
    tenant.users_ready(USERS).await?;
    let mut chaos = Chaos {
        random,
        tenant: &tenant,
        users: tenant.api_of(),
        proxy: &proxy,
    };
    for _ in 0..STEPS {
        chaos.step().await?;
    }
    let rested = quiescence(&tenant).await?;

    // A restart finds nothing to say and nothing to do.
    let (mark, mutations) = (world.cluster.audit().mark().await?, tenant.mutations().await?.len());
    world.operator.lock().await.restart().await?;
    tenant.sweeps(2).await?;
    ensure!(
        tenant.mutations().await?.len() == mutations,
        "mutations after a restart"
    );
    let operator = world.operator.lock().await.user();
    let writes = world
        .cluster
        .audit()
        .since(mark, |entry| {
            entry.user() == operator && entry.writes() && !entry.resource().starts_with("pluvoconnections")
        })
        .await?;
    ensure!(writes.is_empty(), "writes after a restart: {writes:?}");
    agrees_with_a_plan(&world, &tenant, rested).await
}

/// A plan, which has no memory and starts from nothing, finds what is in sync in sync.
async fn agrees_with_a_plan(world: &World, tenant: &Tenant<'_>, resources: Vec<Value>) -> Result {
    let in_sync = resources
        .into_iter()
        .filter(|object| condition(object, "Ready").is_some_and(|ready| ready["reason"] == "InSync"));
    let connection = tenant.get("PluvoConnection", "default").await?;
    let manifests: Vec<_> = in_sync
        .chain([connection])
        .map(|object| {
            let metadata = json!({
                "name": object["metadata"]["name"], "namespace": tenant.namespace,
                "labels": object["metadata"].get("labels").cloned().unwrap_or_default(),
            });
            json!({"apiVersion": "pluvo.dev/v1alpha1", "kind": object["kind"], "metadata": metadata, "spec": object["spec"]})
        })
        .collect();
    ensure!(manifests.len() > 2, "nothing is in sync");
    let file = subdirectory("wakes")?.join("cluster.json");
    let list = json!({"apiVersion": "v1", "kind": "List", "items": manifests});
    std::fs::write(&file, list.to_string())?;
    let credentials = [
        ("PLUVO_CLIENT_ID", crate::support::OPERATOR.0),
        ("PLUVO_CLIENT_SECRET", crate::support::OPERATOR.1),
    ];
    let args = ["plan", "-f", &file.to_string_lossy()];
    let planned = cli::run_with(&world.sandbox, &args, &credentials).await?;
    ensure!(planned.code == 0, "{}", planned.all());
    Ok(())
}
