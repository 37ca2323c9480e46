//! Documents fill up, whether Kubernetes or Pluvo is slow, and however many passes run at a time.

use std::time::Duration;

use anyhow::ensure;
use pluvo_operator::api::PluvoUser;
use rstest::rstest;
use serde_json::{Value, json};

use crate::support::{Result, SEED, World, create_all, eventually, people};

/// Operations in a document.
const FULL: usize = 50;

/// One first sync of users with a custom field each, all in one group.
struct Cell {
    users: usize,
    /// How much longer a write to Kubernetes takes, and a request to Pluvo, in milliseconds.
    kubernetes: u64,
    pluvo: u64,
    concurrency: u16,
    visibility: &'static str,
    /// Whether every document of custom fields has one that Pluvo refuses, and is undone as a whole for it.
    refused: bool,
}

const USUAL: Cell = Cell {
    users: 1000,
    kubernetes: 20,
    pluvo: 50,
    concurrency: 16,
    visibility: "0s",
    refused: false,
};

impl Cell {
    fn bad(&self) -> usize {
        if self.refused { self.users / FULL } else { 0 }
    }

    /// Documents of users, of their fields and of members if all are full, twice that for those that are not, and ten
    /// for reads and the token. A document with a refused entry is read, and its rest is sent once more.
    fn most_requests(&self) -> usize {
        let full = 2 * self.users.div_ceil(FULL) + self.users.div_ceil(200);
        2 * full + 10 + 3 * self.bad()
    }

    fn objects(&self) -> Result<Vec<PluvoUser>> {
        let mut users = people(0..self.users)?;
        for user in users.iter_mut().step_by(FULL).take(self.bad()) {
            let fields = json!([{"ref": "site", "choice": "Atlantis"}]);
            user.spec.custom_fields = serde_json::from_value(fields)?;
        }
        Ok(users)
    }
}

#[rstest]
#[case::usual(USUAL)]
#[case::slow_kubernetes(Cell { kubernetes: 100, concurrency: 64, ..USUAL })]
#[case::slow_pluvo(Cell { pluvo: 1000, concurrency: 64, ..USUAL })]
#[case::one_pass_at_a_time(Cell { users: 100, kubernetes: 100, pluvo: 1000, concurrency: 1, ..USUAL })]
#[case::late_memberships(Cell { visibility: "5s", ..USUAL })]
#[case::refused_entries(Cell { refused: true, ..USUAL })]
#[tokio::test]
async fn a_first_sync(#[case] cell: Cell) -> Result {
    let (world, proxy) =
        World::behind_a_proxy_with(SEED, &[&format!("PLUVO_CONCURRENCY={}", cell.concurrency)]).await?;
    proxy.delay_writes(Duration::from_millis(cell.kubernetes));
    let tenant = world.tenant("full", json!({"interval": "1h"})).await?;
    let organization = &tenant.organization;
    organization
        .faults(&json!({"latencyMs": cell.pluvo, "atomicDocuments": cell.refused}))
        .await?;
    organization
        .settings(&json!({"visibilityDelay": cell.visibility}))
        .await?;
    tenant.declare_everybody().await?;
    create_all(&tenant.api_of::<PluvoUser>(), cell.objects()?).await?;
    world.operator.lock().await.start().await?;

    let good = cell.users - cell.bad();
    let state = eventually("everybody is there", async || {
        let state = organization.state().await?;
        let users = state["users"].as_object().into_iter().flatten();
        let complete = users
            .filter(|(_, user)| user["customFields"]["department"].is_string())
            .count();
        ensure!(complete == good, "{complete} of {good} users have their field");
        let members = state["groups"]["all"]["users"].as_array().map(Vec::len);
        ensure!(members == Some(cell.users), "{members:?} members");
        Ok(state)
    })
    .await?;
    ensure!(
        state["users"]
            .as_object()
            .is_some_and(|users| users.len() == cell.users)
    );
    tenant.ready("PluvoGroupMembership", "all").await?;
    let stats: Value = organization.stats().await?;
    let (requests, most) = (stats["httpRequests"].as_u64(), cell.most_requests());
    println!(
        "{} users, Kubernetes {} ms, Pluvo {} ms, {} at a time, visible after {}, {} refused: {} requests, at most {most}",
        cell.users,
        cell.kubernetes,
        cell.pluvo,
        cell.concurrency,
        cell.visibility,
        cell.bad(),
        stats["httpRequests"],
    );
    ensure!(
        requests.is_some_and(|requests| requests <= u64::try_from(most).unwrap_or_default()),
        "more than {most}: {stats}"
    );
    Ok(())
}
