//! What it takes to read an organization, and what is known after it: undisturbed, and while it changes between the pages.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
    time::Duration,
};

use anyhow::{Context, ensure};
use pluvo_operator::{
    api::Kind,
    organization::{Organization, settings::Settings},
    plan::{Observed, ResourceKey, observed::Lookup},
    pluvo::{
        client::{Client, ClientConfig},
        endpoint::Endpoint,
        limiter::Limits,
        model::{FieldValue, User},
        token::Credentials,
    },
    supervise::Supervisor,
};
use reqwest::Method;
use serde_json::{Value, json};
use tokio::time::Instant;

use crate::{
    figures::{Figures, count},
    support::{self, Result, Sandbox, eventually},
};

const USERS: usize = 10_000;
const ARCHIVED: usize = 2_000;
const GROUPS: usize = 50;
/// Requests of one sweep: a page of users each, and five for the rest.
const BOUND: usize = USERS / 50 + 5;
/// Users that resources read.
const MANAGED: usize = 200;

/// Measures an undisturbed sweep, a disturbed one and the next.
pub async fn run(figures: &mut Figures) -> Result {
    let seed = json!({
        "generate": {"users": USERS, "archived": ARCHIVED, "groups": GROUPS},
        "customFields": [{"ref": "department", "title": "Department", "type": "TEXT", "for": ["USER"]}],
    });
    let sandbox = Sandbox::start(&seed.to_string()).await?;
    let acme = sandbox.organization("acme");
    let departments: serde_json::Map<_, _> = (1..=USERS)
        .step_by(97)
        .map(|number| {
            (
                reference(number),
                json!({"customFields": {"department": format!("D{number}")}}),
            )
        })
        .collect();
    acme.change(&json!({"users": departments})).await?;
    let mirror = Mirror::start(acme.url())?;
    mirror.swept(1).await?;
    figures.at_most(
        "requests of a sweep of 10,000 users, 2,000 archived, 50 groups",
        requests(&acme).await?,
        count(BOUND),
    );
    figures.at_most(
        "rows that differ from Pluvo after it",
        count(mirror.differences(&acme).await?.len()),
        0,
    );

    mirror.sweep().await?;
    let health = mirror.organization.health();
    figures.at_most(
        "requests of a sweep where 200 of them are declared, and nobody needs lists",
        health.sweep.requests,
        5,
    );
    mirror.need_lists();
    let before = requests(&acme).await?;
    let (changed, absences) = disturbed(&mirror, &acme).await?;
    let spent = requests(&acme).await? - before;
    figures.at_most(
        "requests of a sweep during which rows are inserted, renamed and archived",
        spent,
        count(2 * BOUND),
    );
    figures.note("rows that were changed meanwhile", count(changed.len()));
    figures.at_most("reads that took somebody for absent who was there", count(absences), 0);
    let wrong = mirror.differences(&acme).await?;
    let wrong = wrong.difference(&changed).count();
    figures.at_most("rows that did not change and differ after it", count(wrong), 0);

    mirror.sweep().await?;
    figures.at_most(
        "rows that differ after the next undisturbed sweep",
        count(mirror.differences(&acme).await?.len()),
        0,
    );
    Ok(())
}

fn reference(number: usize) -> String {
    format!("user-{number:06}")
}

async fn requests(organization: &support::Organization) -> Result<f64> {
    let stats = organization.stats().await?;
    stats["httpRequests"].as_f64().context("no httpRequests")
}

/// People change others than the managed users until a sweep is over. Returns whom they changed, and how often somebody
/// who was there all the time read as absent.
async fn disturbed(mirror: &Mirror, acme: &support::Organization) -> Result<(BTreeSet<String>, usize)> {
    let mut random = fastrand::Rng::with_seed(support::seed("SWEEP_SEED")?);
    let (mut changed, mut absences) = (BTreeSet::new(), 0);
    let needed = mirror.organization.request_sweep(None);
    while mirror.organization.health().sweep.count < needed {
        let number = random.usize(MANAGED + 1..=USERS);
        let (kind, name) = (random.u8(0..3), format!("{} {}", random.alphabetic(), random.u32(..)));
        let who = if kind == 0 {
            format!("new-{}", random.u64(..))
        } else {
            reference(number)
        };
        match kind {
            0 => {
                let user = json!({"ref": who, "email": format!("{who}@example.com"), "name": name});
                acme.seed(&json!({"users": [user]})).await?;
            }
            1 => {
                let renamed = json!({"users": {&who: {"name": name}}});
                acme.change(&renamed).await?;
            }
            _ => {
                let archived = json!({"users": {&who: {"archived": random.bool()}}});
                acme.change(&archived).await?;
            }
        }
        changed.insert(who);
        absences += mirror.absent();
    }
    eventually("whoever was not seen has been asked for", async || {
        ensure!(mirror.organization.is_idle(), "reads are under way");
        Ok(())
    })
    .await?;
    absences += mirror.absent();
    Ok((changed, absences))
}

/// An organization as the operator knows it.
struct Mirror {
    organization: Organization,
}

impl Mirror {
    fn start(url: &str) -> Result<Self> {
        let limits = Limits {
            requests_per_second: 500.0,
            burst: 500,
            ..Limits::default()
        };
        let credentials = Credentials {
            client_id: support::OPERATOR.0.to_owned(),
            client_secret: support::OPERATOR.1.to_owned().into(),
        };
        let config = ClientConfig {
            limits,
            ..ClientConfig::new(Endpoint::parse(url)?, Arc::new(credentials))
        };
        let settings = Settings {
            interval: Duration::from_hours(1),
            limits,
            ..Settings::default()
        };
        let (client, supervisor) = (Client::new(config)?, Supervisor::default());
        let nobody = Box::new(|_| {});
        let mirror = Self {
            organization: Organization::start_reading(client, settings, Instant::now(), nobody, &supervisor),
        };
        mirror.absent();
        Ok(mirror)
    }

    async fn swept(&self, needed: u64) -> Result {
        eventually("a sweep is over", async || {
            let health = self.organization.health();
            ensure!(
                health.sweep.count >= needed && self.organization.is_idle(),
                "{:?}",
                health.failure
            );
            Ok(())
        })
        .await
    }

    async fn sweep(&self) -> Result {
        let needed = self.organization.request_sweep(None);
        self.swept(needed).await
    }

    /// Somebody reads what lists alone can tell: whether an address is free.
    fn need_lists(&self) {
        let key = ResourceKey::new(Kind::User, "bench", "joiner");
        self.organization
            .observe(&key, true, |view| drop(view.user_by_email("joiner@example.com")));
    }

    /// How many managed users read as absent.
    fn absent(&self) -> usize {
        let managed = 1..=MANAGED;
        managed
            .filter(|number| matches!(self.user(&reference(*number)), Lookup::Absent))
            .count()
    }

    /// A user as a resource of its own reads it.
    fn user(&self, reference: &str) -> Lookup<Arc<User>> {
        let key = ResourceKey::new(Kind::User, "bench", reference);
        self.organization
            .observe(&key, true, |view| view.user_by_ref(reference))
    }

    /// The refs of users who are not known as they are.
    async fn differences(&self, acme: &support::Organization) -> Result<BTreeSet<String>> {
        let state = acme.control(Method::GET, "state?ids=true", None).await?;
        let groups = state["groups"].as_object().context("no groups")?;
        let groups: BTreeMap<_, _> = groups
            .iter()
            .filter_map(|(name, group)| Some((group["id"].as_str()?, name.as_str())))
            .collect();
        let field = state["customFields"]["department"]["id"].as_str().context("no field")?;
        let users = state["users"].as_object().context("no users")?;
        let wrong = users.iter().filter(|(reference, there)| {
            let Lookup::Found(known) = self.look(reference) else {
                return true;
            };
            described(&known, &groups, field) != expected(there)
        });
        Ok(wrong.map(|(reference, _)| reference.clone()).collect())
    }

    /// A user, read by somebody who reads one after the other, so that nobody else counts as managed.
    fn look(&self, reference: &str) -> Lookup<Arc<User>> {
        let key = ResourceKey::new(Kind::Group, "bench", "auditor");
        self.organization
            .observe(&key, false, |view| view.user_by_ref(reference))
    }
}

fn described(user: &User, groups: &BTreeMap<&str, &str>, field: &str) -> Value {
    let values = user
        .extra_category_values
        .iter()
        .filter(|value| &*value.category.id.0 == field);
    let department = values.filter_map(|value| match &value.value {
        FieldValue::Text(text) => Some(text.to_string()),
        _ => None,
    });
    let members: BTreeSet<_> = user
        .participant_groups
        .iter()
        .map(|group| groups.get(&*group.id.0))
        .collect();
    json!({
        "email": user.email, "name": user.name, "archived": user.archived, "roles": user.roles,
        "language": user.language, "groups": members, "department": department.collect::<Vec<_>>().first(),
    })
}

fn expected(user: &Value) -> Value {
    json!({
        "email": user["email"], "name": user["name"], "archived": user["archived"], "roles": user["roles"],
        "language": user["language"], "groups": user["groups"], "department": user["customFields"].get("department"),
    })
}
