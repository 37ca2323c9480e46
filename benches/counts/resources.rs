//! Ten thousand users as resources, all in one group: their first sync, idling, one change, a restart, and the memory that
//! it takes to list them all once more.

use std::collections::{BTreeMap, HashMap};

use anyhow::{Context, ensure};
use pluvo_operator::api::PluvoUser;
use serde_json::{Value, json};

use crate::{
    figures::{Figures, count},
    support::{Proxy, Result, SEED, Tenant, World, create_all, eventually, people},
};

const USERS: usize = 10_000;
/// The documentation's recipe: create or update, custom fields, group.
const REQUESTS_OF_THE_RECIPE: usize = 3;
const MIB: f64 = 1024.0 * 1024.0;
/// 150 MB, in MiB.
const MOST_MEMORY: f64 = 150e6 / MIB;

/// Measures everything about ten thousand resources.
pub async fn run(figures: &mut Figures) -> Result {
    let (world, proxy) = World::behind_a_proxy_unrecorded(SEED).await?;
    let limits = json!({"requestsPerSecond": 200, "burst": 200});
    eprintln!("the connection allows 200 requests a second instead of 5, to be done sooner");
    let tenant = world
        .tenant("bench", json!({"interval": "12h", "limits": limits}))
        .await?;
    first_sync(&world, &tenant, figures).await?;
    idle(&world, &tenant, figures).await?;
    let peak = world.operator.lock().await.peak_memory()?;
    figures.at_most("peak memory of the first sync, MiB", mebibytes(peak), MOST_MEMORY);
    restart(&world, &tenant, figures).await?;
    relist(&world, &tenant, &proxy).await?;
    let peak = world.operator.lock().await.peak_memory()?;
    figures.at_most(
        "peak memory after a restart and a forced relist, MiB",
        mebibytes(peak),
        MOST_MEMORY,
    );
    Ok(())
}

fn mebibytes(bytes: u64) -> f64 {
    count(usize::try_from(bytes / 1024).unwrap_or(usize::MAX)) * 1024.0 / MIB
}

async fn first_sync(world: &World, tenant: &Tenant<'_>, figures: &mut Figures) -> Result {
    tenant.declare_everybody().await?;
    create_all(&tenant.api_of::<PluvoUser>(), people(0..USERS)?).await?;
    let mark = world.cluster.audit().mark().await?;
    world.operator.lock().await.start().await?;
    let done = "everybody is in the group, and every resource says so";
    eventually(done, async || {
        let membership = tenant.get("PluvoGroupMembership", "all").await?;
        let subjects = &membership["status"]["subjects"];
        ensure!(subjects["applied"] == USERS, "{subjects}");
        Ok(())
    })
    .await?;
    tenant.users_ready(USERS).await?;
    let stats = tenant.organization.stats().await?;
    let requests = stats["httpRequests"].as_f64().context("no httpRequests")?;
    figures.at_most(
        "requests of a first sync of 10,000 users with a field each, in one group",
        requests,
        1000.0,
    );
    figures.note(
        "the same as a share of those of the documented recipe",
        requests / count(USERS * REQUESTS_OF_THE_RECIPE),
    );
    let most = stats["maxOperationsPerDocument"].as_f64().context("no count")?;
    figures.at_most("operations in one document", most, 50.0);
    let mutations = |name: &str| stats["operations"][name].as_f64().unwrap_or_default() - count(USERS);
    figures.at_most("creations beyond one a user", mutations("updateOrCreateUser"), 0);
    figures.at_most(
        "writes of fields beyond one a user",
        mutations("updateExtraCategoryValues"),
        0,
    );
    let writes = writes(world, tenant, mark).await?;
    let of_a_user = writes.iter().filter(|(name, _)| name.starts_with("pluvousers"));
    let most = of_a_user.map(|(_, count)| *count).max().unwrap_or_default();
    figures.at_most("writes to Kubernetes for one user", count(most), 3);
    // Finalizer, inventory and result; and how far it is, once a minute.
    let membership = writes
        .iter()
        .find(|(name, _)| name.starts_with("pluvogroupmemberships"));
    figures.note(
        "writes to Kubernetes for the membership",
        count(membership.map_or(0, |(_, count)| *count)),
    );
    figures.note("writes to Kubernetes in all", count(writes.values().sum()));
    Ok(())
}

/// How often the operator wrote to each managed resource since a mark.
async fn writes(world: &World, tenant: &Tenant<'_>, mark: u64) -> Result<HashMap<String, usize>> {
    let operator = world.operator.lock().await.user();
    let ours = |entry: &crate::support::Entry| {
        entry.user() == operator
            && entry.writes()
            && entry.object_ref.namespace == tenant.namespace
            && !entry.resource().starts_with("pluvoconnections")
    };
    let mut writes = HashMap::new();
    for entry in world.cluster.audit().since(mark, ours).await? {
        let object = entry.object_ref;
        *writes
            .entry(format!("{} {}", object.resource, object.name))
            .or_default() += 1;
    }
    Ok(writes)
}

async fn idle(world: &World, tenant: &Tenant<'_>, figures: &mut Figures) -> Result {
    let (before, mark) = (passes(world).await?, world.cluster.audit().mark().await?);
    let mutations = tenant.mutations().await?.len();
    for _ in 0..10 {
        tenant.sweep().await?;
    }
    figures.at_most("passes in ten idle sweeps", count(passes(world).await? - before), 0);
    figures.at_most(
        "mutations in them",
        count(tenant.mutations().await?.len() - mutations),
        0,
    );
    figures.at_most(
        "writes to managed resources in them",
        count(writes(world, tenant, mark).await?.len()),
        0,
    );
    figures.note("requests of one of them", last_sweep(tenant).await?);

    let before = passes(world).await?;
    let rename = json!({"users": {"EMP-00007": {"name": "Somebody else"}}});
    tenant.organization.change(&rename).await?;
    tenant.sweep().await?;
    let corrected = |user: &Value| {
        ensure!(user["status"]["lastCorrection"]["count"] == 1);
        Ok(())
    };
    tenant.until("PluvoUser", "emp-00007", "put right", corrected).await?;
    // The user and the membership read it, before and after the correction.
    figures.at_most(
        "passes after one user was changed in Pluvo",
        count(passes(world).await? - before),
        8,
    );
    Ok(())
}

async fn last_sweep(tenant: &Tenant<'_>) -> Result<f64> {
    let connection = tenant.get("PluvoConnection", "default").await?;
    connection["status"]["lastSweep"]["requests"]
        .as_f64()
        .context("no requests")
}

/// How many passes there were.
async fn passes(world: &World) -> Result<usize> {
    let passes = world.operator.lock().await.passes().await?;
    Ok(usize::try_from(passes.values().sum::<u64>())?)
}

async fn restart(world: &World, tenant: &Tenant<'_>, figures: &mut Figures) -> Result {
    let mark = world.cluster.audit().mark().await?;
    let mutations = tenant.mutations().await?.len();
    world.operator.lock().await.restart().await?;
    tenant.sweep().await?;
    figures.at_most(
        "mutations after a restart",
        count(tenant.mutations().await?.len() - mutations),
        0,
    );
    figures.at_most(
        "writes to managed resources after it",
        count(writes(world, tenant, mark).await?.len()),
        0,
    );
    Ok(())
}

/// Makes every watch list anew, and waits until all of them have.
async fn relist(world: &World, tenant: &Tenant<'_>, proxy: &Proxy) -> Result {
    let mark = world.cluster.audit().mark().await?;
    proxy.expire_watch_of("pluvousers");
    let operator = world.operator.lock().await.user();
    eventually("users were listed and are watched again", async || {
        let users = |entry: &crate::support::Entry| entry.user() == operator && entry.resource() == "pluvousers";
        let entries = world.cluster.audit().since(mark, users).await?;
        let verbs: BTreeMap<_, _> = entries
            .iter()
            .enumerate()
            .map(|(at, entry)| (entry.verb.clone(), at))
            .collect();
        let (listed, watched) = (verbs.get("list"), verbs.get("watch"));
        ensure!(listed.is_some() && listed < watched, "{verbs:?}");
        Ok(())
    })
    .await?;
    // What the list held has gone through the caches once a later edit has.
    let renamed = json!({
        "ref": "EMP-00001", "email": "emp-00001@example.com", "name": "After the list",
        "customFields": [{"ref": "department", "text": "D1"}],
    });
    tenant
        .declare_labelled("PluvoUser", "emp-00001", json!({"team": "all"}), renamed)
        .await?;
    tenant
        .pluvo("the edit is written", |state| {
            state["users"]["EMP-00001"]["name"] == "After the list"
        })
        .await?;
    Ok(())
}
