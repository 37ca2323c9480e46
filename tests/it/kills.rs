//! The operator is killed at the worst moments of every mutation: the end is as if nothing had happened, and nobody is told
//! twice.

use anyhow::{Context, ensure};
use futures::{StreamExt, TryStreamExt, stream};
use rstest::rstest;
use serde_json::{Value, json};

use crate::{
    mutations::{KINDS, Kind, MAILING, state},
    support::{Result, Tenant, World, eventually, sample},
};

/// Before what the operator is killed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Moment {
    /// Pluvo has the request, and carries it out when the operator is dead already.
    Commit,
    /// Pluvo has carried it out and has not answered.
    Answer,
    /// Pluvo has answered, and the API server does not take the status.
    Status,
}

/// Mutations in `make test`; `make soak` tries all.
const SAMPLE: usize = 7;

fn kinds() -> Result<Vec<&'static Kind>> {
    sample("KILLS_SEED", KINDS.iter().chain(&MAILING).collect(), SAMPLE)
}

/// An organization for each kind, with everything in it that comes before the mutation.
async fn prepare<'a>(world: &'a World, kinds: &[&'static Kind]) -> Result<Vec<(&'static Kind, Tenant<'a>)>> {
    stream::iter(kinds)
        .map(|kind| async move {
            let tenant = world.tenant("killed", json!({})).await?;
            tenant.organization.settings(&json!({"visibilityDelay": "1s"})).await?;
            kind.prepare(&tenant).await?;
            Ok((*kind, tenant))
        })
        .buffered(8)
        .try_collect()
        .await
}

/// What Pluvo holds when everything is done, and to whom it wrote.
async fn end(kind: &Kind, tenant: &Tenant<'_>) -> Result<(Value, usize)> {
    ensure!(kind.is_done(tenant).await?, "{} was refused", kind.mutation);
    Ok((state(tenant).await?, tenant.organization.outbox().await?.len()))
}

#[rstest]
#[tokio::test]
async fn killed_at_every_mutation_it_comes_to_the_same_end(
    #[values(Moment::Commit, Moment::Answer, Moment::Status)] moment: Moment,
) -> Result {
    let world = World::start().await?;
    let kinds = kinds()?;
    let mut undisturbed = Vec::new();
    for (kind, tenant) in &prepare(&world, &kinds).await? {
        kind.apply(tenant).await?;
        let end = end(kind, tenant).await.context(kind.mutation)?;
        let mails = usize::from(MAILING.iter().any(|mailing| std::ptr::eq(mailing, *kind)));
        ensure!(end.1 == mails, "{}: {} mails, not {mails}", kind.mutation, end.1);
        undisturbed.push(end);
    }
    let tenants = prepare(&world, &kinds).await?;
    let fault = if moment == Moment::Commit {
        "holdBeforeCommit"
    } else {
        "holdAfterCommit"
    };
    for (kind, tenant) in &tenants {
        let next = json!([{"fault": fault, "operation": kind.mutation}]);
        tenant.organization.faults(&json!({"next": next})).await?;
        kind.apply(tenant).await?;
    }
    for (kind, tenant) in &tenants {
        eventually(&format!("{} is held", kind.mutation), async || {
            let stats = tenant.organization.stats().await?;
            ensure!(stats["held"] == 1, "{stats}");
            Ok(())
        })
        .await?;
    }
    let release = async || {
        for (_, tenant) in &tenants {
            tenant.organization.release().await?;
        }
        Ok::<_, anyhow::Error>(())
    };
    if moment == Moment::Status {
        world.cluster.signal("kube-apiserver", "STOP")?;
        release().await?;
        eventually("the operator knows all answers", async || {
            let log = world.operator.lock().await.log()?;
            for (kind, tenant) in &tenants {
                let told = |line: &&str| {
                    line.contains(r#""target":"audit""#)
                        && line.contains(&format!("\"{}/default\"", tenant.namespace))
                        && line.contains(&format!("\"{}\"", kind.mutation))
                };
                ensure!(
                    log.lines().any(|line| told(&line)),
                    "{} was not answered",
                    kind.mutation
                );
            }
            Ok(())
        })
        .await?;
    }
    world.operator.lock().await.kill_9().await?;
    if moment == Moment::Status {
        world.cluster.signal("kube-apiserver", "CONT")?;
    } else {
        release().await?;
    }
    world.operator.lock().await.start().await?;
    for ((kind, tenant), (state, mails)) in tenants.iter().zip(undisturbed) {
        let (found, told) = end(kind, tenant).await.context(kind.mutation)?;
        ensure!(found == state, "{}: {found} instead of {state}", kind.mutation);
        ensure!(
            told <= mails,
            "{}: {told} mails instead of at most {mails}",
            kind.mutation
        );
        tenant.sweeps(1).await?;
    }
    Ok(())
}
