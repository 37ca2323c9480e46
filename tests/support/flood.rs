//! Deliveries of webhooks of all kinds, as many as wanted: genuine ones, and what comes beside them from a hostile network.

use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};

use anyhow::{Context, ensure};
use futures::{StreamExt, TryStreamExt, stream};
use serde_json::{Value, json};

use super::{Result, Tenant, signature};

/// Deliveries at a time.
const CONCURRENCY: usize = 64;
/// One in so many is larger than anything that is read.
const LARGE: usize = 1000;
/// How long hints are collected for one read, at five requests a second: they take half of them.
const WINDOW: Duration = Duration::from_millis(400);
/// Users whom deliveries are about.
const USERS: usize = 20;

/// What deliveries are about, and what signs them.
struct Flood {
    /// Where they go.
    url: String,
    /// The key of the connection.
    key: String,
    /// Ids of users that are declared.
    users: Vec<String>,
    /// The id of a group that is declared.
    group: String,
}

/// One delivery.
struct Delivery {
    salt: String,
    signature: String,
    body: Vec<u8>,
    outcome: &'static str,
}

impl Flood {
    /// How many objects it is about.
    fn objects(&self) -> usize {
        // A group is two questions: the group, and how many are in it.
        self.users.len() + 2
    }

    /// Sends the deliveries of some numbers. Returns how many there were of each outcome that is to be counted.
    async fn send(&self, numbers: std::ops::Range<usize>) -> Result<BTreeMap<&'static str, u64>> {
        let http = reqwest::Client::builder().no_proxy().build()?;
        let sent = stream::iter(numbers).map(|number| self.deliver(http.clone(), number));
        sent.buffer_unordered(CONCURRENCY)
            .try_fold(BTreeMap::new(), async |mut counts, outcome| {
                *counts.entry(outcome).or_default() += 1;
                Ok(counts)
            })
            .await
    }

    async fn deliver(&self, http: reqwest::Client, number: usize) -> Result<&'static str> {
        let Delivery {
            salt,
            signature,
            body,
            outcome,
        } = self.delivery(number)?;
        let request = http.post(&self.url).header("X-Signature-Salt", salt);
        let request = request.header("X-Signature", signature).body(body);
        let status = request
            .send()
            .await
            .with_context(|| format!("delivery {number}"))?
            .status();
        let expected = match outcome {
            "forged" => 401,
            "malformed" => 400,
            "too_large" => 413,
            _ => 200,
        };
        ensure!(status.as_u16() == expected, "delivery {number}, {outcome}: {status}");
        Ok(outcome)
    }

    fn delivery(&self, number: usize) -> Result<Delivery> {
        let signed = |salt: String, body: Value, outcome| {
            let body = body.to_string().into_bytes();
            Ok(Delivery {
                signature: signature(&self.key, &salt, &body)?,
                salt,
                body,
                outcome,
            })
        };
        let salt = number.to_string();
        if number.is_multiple_of(LARGE) {
            let body = vec![b' '; 300_000];
            return Ok(Delivery {
                signature: signature(&self.key, &salt, &body)?,
                salt,
                body,
                outcome: "too_large",
            });
        }
        let user = &self.users[number / 10 % self.users.len()];
        match number % 10 {
            0..4 => signed(salt, json!({"event": "USER_UPDATED", "id": user, "ref": "x"}), "taken"),
            4 => signed(salt, json!({"event": "GROUP_UPDATED", "id": self.group}), "taken"),
            5 => signed(salt, json!({"event": "TRAINING_FINISHED", "id": number}), "malformed"),
            6 => signed(
                salt,
                json!({"event": "EVENT_CERTIFICATE_ACHIEVED", "user": {"id": user}, "title": number.to_string()}),
                "unneeded",
            ),
            7 => signed(salt, json!({"event": "SOMETHING_NEW", "id": "x"}), "unknown_event"),
            // One of a few before, anew: whichever of the two comes later is the repetition.
            8 => Ok(Delivery {
                outcome: "repeated",
                ..self.delivery(number - 7)?
            }),
            _ => {
                let mut forged: Delivery = signed(salt, json!({"event": "GROUP_UPDATED", "id": self.group}), "forged")?;
                forged.body.push(b' ');
                Ok(forged)
            }
        }
    }
}

/// Floods a connection that takes webhooks with deliveries, and tells `figure` what that cost: what, how much, at most.
///
/// `warm`: after how many the memory is compared with that at the end.
pub async fn flood_of(
    tenant: &Tenant<'_>,
    key: &str,
    deliveries: usize,
    warm: usize,
    mut figure: impl FnMut(&'static str, f64, f64),
) -> Result {
    let flood = prepare(tenant, key).await?;
    let (state, version) = (tenant.organization.state().await?, version(tenant).await?);
    let reads_before = reads(tenant).await?;
    let begin = Instant::now();
    let mut sent = flood.send(0..warm).await?;
    let memory = tenant.peak_memory().await?;
    for (outcome, count) in flood.send(warm..deliveries).await? {
        *sent.entry(outcome).or_default() += count;
    }
    let grown = tenant.peak_memory().await?.saturating_sub(memory);
    let counted = tenant.deliveries().await?;
    let sent: BTreeMap<_, _> = sent
        .into_iter()
        .map(|(outcome, count)| (outcome.to_owned(), count))
        .collect();
    ensure!(counted == sent, "counted {counted:?}, sent {sent:?}");
    let read = reads(tenant).await? - reads_before;
    let windows = begin.elapsed().div_duration_f64(WINDOW).ceil() + 1.0;
    figure(
        "VmHWM more than after the first ten thousand, KiB",
        kibibytes(grown),
        32.0 * 1024.0,
    );
    let objects = f64::from(u32::try_from(flood.objects())?);
    figure("objects that were read because of them", read, windows * objects);
    ensure!(tenant.organization.state().await? == state, "Pluvo has changed");
    ensure!(self::version(tenant).await? == version, "a status was written");
    Ok(())
}

/// Users and a group, all of them declared.
async fn prepare(tenant: &Tenant<'_>, key: &str) -> Result<Flood> {
    let refs: Vec<_> = (0..USERS).map(|number| format!("u{number}")).collect();
    for reference in &refs {
        let user = json!({"ref": reference, "email": format!("{reference}@example.com"), "name": reference});
        tenant.declare("PluvoUser", reference, user).await?;
    }
    tenant
        .declare("PluvoGroup", "g", json!({"ref": "g", "name": "G"}))
        .await?;
    let members = json!({"group": {"ref": "g"}, "users": refs});
    tenant.declare("PluvoGroupMembership", "g", members).await?;
    for reference in &refs {
        tenant.ready("PluvoUser", reference).await?;
    }
    tenant.ready("PluvoGroupMembership", "g").await?;
    let state = tenant
        .organization
        .control(reqwest::Method::GET, "state?ids=true", None)
        .await?;
    let id = |object: &Value| object["id"].as_str().map(str::to_owned).context("no id");
    let users = refs.iter().map(|reference| id(&state["users"][reference]));
    Ok(Flood {
        url: tenant.webhook().await,
        key: key.to_owned(),
        users: users.collect::<Result<_>>()?,
        group: id(&state["groups"]["g"])?,
    })
}

/// How many users and groups the operator has read one by one.
async fn reads(tenant: &Tenant<'_>) -> Result<f64> {
    let stats = tenant.organization.stats().await?;
    let count = |operation: &str| stats["operations"][operation].as_f64().unwrap_or_default();
    Ok(count("user") + count("group"))
}

/// The versions of what is declared.
async fn version(tenant: &Tenant<'_>) -> Result<Vec<Value>> {
    let mut versions = Vec::new();
    for number in 0..USERS {
        let user = tenant.get("PluvoUser", &format!("u{number}")).await?;
        versions.push(user["metadata"]["resourceVersion"].clone());
    }
    versions.push(tenant.get("PluvoGroupMembership", "g").await?["metadata"]["resourceVersion"].clone());
    Ok(versions)
}

fn kibibytes(bytes: u64) -> f64 {
    f64::from(u32::try_from(bytes / 1024).unwrap_or(u32::MAX))
}
