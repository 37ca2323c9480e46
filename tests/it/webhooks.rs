//! What Pluvo tells by webhook is seen at once, and nothing that anybody else makes up is.

use std::collections::BTreeMap;

use anyhow::ensure;
use serde_json::{Value, json};

use crate::support::{Result, Tenant, World, eventually, flood_of};

const KEY: &str = "planted-webhook-key";

/// A tenant that is swept once a day, whose connection takes webhooks.
async fn told<'a>(world: &'a World, prefix: &str) -> Result<Tenant<'a>> {
    let tenant = world.tenant(prefix, json!({"interval": "24h"})).await?;
    tenant.takes_webhooks(json!({"webhook-key": KEY})).await?;
    Ok(tenant)
}

fn user(reference: &str) -> Value {
    let email = format!("{}@example.com", reference.to_lowercase());
    json!({"ref": reference, "email": email, "name": reference})
}

async fn last_sweep(tenant: &Tenant<'_>) -> Result<Value> {
    Ok(tenant.get("PluvoConnection", "default").await?["status"]["lastSweep"]["startedAt"].clone())
}

/// Users A to D, a group with A in it, an event, and everybody in the group declared for event and training.
async fn declare(tenant: &Tenant<'_>) -> Result {
    let organization = &tenant.organization;
    let people = ["A", "B", "C", "D"].map(user);
    organization
        .seed(&json!({
            "users": people,
            "groups": [{"ref": "g", "name": "G", "users": ["A"]}],
        }))
        .await?;
    tenant.sweep().await?;
    let enrollment = json!({"event": {"ref": "first-aid-sept"}, "groups": ["g"]});
    tenant.declare("EventEnrollment", "e", enrollment).await?;
    let assignment = json!({"training": {"ref": "safety-2026"}, "groups": ["g"]});
    tenant.declare("TrainingAssignment", "t", assignment).await?;
    tenant.ready("EventEnrollment", "e").await?;
    tenant.ready("TrainingAssignment", "t").await?;
    Ok(())
}

fn is_everywhere(state: &Value, user: &str) -> bool {
    let event = &state["offers"]["first-aid"]["events"]["first-aid-sept"]["enrollments"];
    let training = &state["trainings"]["safety-2026"]["participants"];
    event[user] == "ENROLLED" && training.as_array().is_some_and(|all| all.contains(&json!(user)))
}

#[tokio::test]
async fn who_joins_a_group_is_enrolled_and_assigned_without_a_sweep() -> Result {
    let world = World::shared().await?;
    let tenant = told(world, "webhook").await?;
    declare(&tenant).await?;
    tenant.subscribe(KEY).await?;
    let before = last_sweep(&tenant).await?;
    for joined in ["B", "C"] {
        let change = json!({"groups": {"g": {"users": [joined]}}});
        tenant.organization.change(&change).await?;
        tenant
            .pluvo("whoever has joined is everywhere", |state| is_everywhere(state, joined))
            .await?;
    }
    for (kind, name) in [("EventEnrollment", "e"), ("TrainingAssignment", "t")] {
        tenant
            .until(kind, name, "says so", |object| {
                let subjects = &object["status"]["subjects"];
                ensure!(subjects["declared"] == 3 && subjects["applied"] == 3, "{subjects}");
                Ok(())
            })
            .await?;
    }
    ensure!(last_sweep(&tenant).await? == before, "nothing was swept");

    // A sweep finds the same, and nobody is told by mail.
    tenant.sweep().await?;
    let mutations = tenant.mutations().await?;
    let enrolled = mutations.iter().filter(|name| *name == "createOfferEventEnrollments");
    ensure!(enrolled.count() == 3, "{mutations:?}");
    ensure!(tenant.organization.outbox().await?.is_empty());
    Ok(())
}

#[tokio::test]
async fn drift_is_seen_and_put_right_at_once() -> Result {
    let world = World::shared().await?;
    let tenant = told(world, "drifting").await?;
    tenant.subscribe(KEY).await?;
    tenant.declare("PluvoUser", "a", user("A")).await?;
    tenant
        .declare("PluvoGroup", "g", json!({"ref": "g", "name": "G"}))
        .await?;
    let members = json!({"group": {"ref": "g"}, "users": ["A"]});
    tenant.declare("PluvoGroupMembership", "m", members).await?;
    for (kind, name) in [("PluvoUser", "a"), ("PluvoGroup", "g"), ("PluvoGroupMembership", "m")] {
        tenant.ready(kind, name).await?;
    }
    let tampered = json!({
        "users": {"A": {"name": "Somebody else"}}, "groups": {"g": {"name": "Other", "removeUsers": ["A"]}},
    });
    tenant.organization.change(&tampered).await?;
    for (kind, name) in [("PluvoUser", "a"), ("PluvoGroup", "g"), ("PluvoGroupMembership", "m")] {
        tenant
            .until(kind, name, "was put right", |object| {
                ensure!(object["status"]["lastCorrection"]["count"] == 1, "{}", object["status"]);
                Ok(())
            })
            .await?;
        tenant.ready(kind, name).await?;
    }
    Ok(())
}

#[tokio::test]
async fn what_is_not_genuine_is_refused_and_what_comes_again_is_taken_once() -> Result {
    let world = World::shared().await?;
    let tenant = told(world, "forged").await?;
    let url = tenant.webhook().await;
    let http = reqwest::Client::new();
    let send = async |salt: &str, signature: &str, body: Vec<u8>| {
        let request = http
            .post(&url)
            .header("X-Signature-Salt", salt)
            .header("X-Signature", signature);
        Ok::<_, anyhow::Error>(request.body(body).send().await?)
    };
    let status = async |salt: &str, signature: &str, body: Vec<u8>| {
        Ok::<_, anyhow::Error>(send(salt, signature, body).await?.status().as_u16())
    };
    let sign = |salt: &str, body: &[u8]| crate::support::signature(KEY, salt, body);
    let body = json!({"event": "USER_UPDATED", "id": "nobody", "email": "planted@example.com"})
        .to_string()
        .into_bytes();
    let genuine = sign("salt", &body)?;
    ensure!(status("salt", &genuine, body.clone()).await? == 200);
    ensure!(
        status("salt", &genuine, body.clone()).await? == 200,
        "a repetition is taken and ignored"
    );
    ensure!(status("other", &genuine, body.clone()).await? == 401);
    ensure!(status("salt", "AAAA", body.clone()).await? == 401);
    ensure!(
        http.post(&url).body(body.clone()).send().await?.status().as_u16() == 401,
        "not signed"
    );
    for size in [300_000, 3_000_000] {
        let large = vec![b' '; size];
        let answer = send("salt", &sign("salt", &large)?, large).await?;
        ensure!(answer.status() == 413);
        let told = answer.headers().get("connection");
        ensure!(
            told.is_some_and(|told| told == "close"),
            "the rest may not have been read, so that nothing else can come that way: {told:?}"
        );
    }
    for (body, expected) in [("{\"event\":", 400), ("{\"event\": \"SOMETHING_NEW\"}", 200)] {
        ensure!(
            status("salt", &sign("salt", body.as_bytes())?, body.into()).await? == expected,
            "{body}"
        );
    }
    ensure!(http.get(&url).send().await?.status().as_u16() == 405);
    let nowhere = world.operator.lock().await.webhook(&tenant.namespace, "other");
    ensure!(http.post(nowhere).body(body).send().await?.status().as_u16() == 404);
    let counted = tenant.deliveries().await?;
    let expected = [
        ("forged", 3),
        ("malformed", 1),
        ("repeated", 1),
        ("too_large", 2),
        ("unknown_event", 1),
        ("unneeded", 1),
    ];
    let expected: BTreeMap<_, _> = expected
        .into_iter()
        .map(|(name, count)| (name.to_owned(), count))
        .collect();
    ensure!(counted == expected, "{counted:?}");
    Ok(())
}

#[tokio::test]
async fn a_first_key_is_taken_up_without_a_sweep() -> Result {
    let world = World::shared().await?;
    let tenant = world.tenant("first-key", json!({"interval": "24h"})).await?;
    tenant.ready("PluvoConnection", "default").await?;
    let (url, http) = (tenant.webhook().await, reqwest::Client::new());
    let body = json!({"event": "USER_UPDATED", "id": "nobody"}).to_string();
    let signature = crate::support::signature(KEY, "salt", body.as_bytes())?;
    let send = async || {
        let request = http.post(&url).header("X-Signature-Salt", "salt");
        let request = request.header("X-Signature", &signature).body(body.clone());
        Ok::<_, anyhow::Error>(request.send().await?.status().as_u16())
    };
    ensure!(send().await? == 404, "it has no key");
    let before = last_sweep(&tenant).await?;
    tenant.webhook_keys(json!({"webhook-key": KEY})).await?;
    eventually("the key is known", async || {
        let status = send().await?;
        ensure!(status == 200, "{status}");
        Ok(())
    })
    .await?;
    ensure!(last_sweep(&tenant).await? == before, "a sweep read the Secret");
    Ok(())
}

#[tokio::test]
async fn a_key_is_replaced_without_losing_a_delivery() -> Result {
    let world = World::shared().await?;
    let tenant = told(world, "rotation").await?;
    tenant.declare("PluvoUser", "a", user("A")).await?;
    tenant.ready("PluvoUser", "a").await?;
    // Pluvo signs with the new key already, and the old one is still good.
    let keys = json!({"webhook-key": "planted-new-key", "webhook-key-previous": KEY});
    tenant.takes_webhooks(keys).await?;
    tenant.subscribe(KEY).await?;
    tenant.subscribe("planted-new-key").await?;
    tenant
        .organization
        .change(&json!({"users": {"A": {"name": "Other"}}}))
        .await?;
    eventually("both deliveries were taken", async || {
        let report = tenant
            .organization
            .control(reqwest::Method::GET, "webhooks", None)
            .await?;
        let delivered = report.as_array().into_iter().flatten().map(|one| &one["delivered"]);
        ensure!(
            delivered.clone().count() == 2 && delivered.clone().all(|count| *count != 0),
            "{report}"
        );
        Ok(())
    })
    .await?;
    eventually("the name was put right", async || {
        let state = tenant.organization.state().await?;
        ensure!(state["users"]["A"]["name"] == "A", "{state}");
        Ok(())
    })
    .await?;
    Ok(())
}

/// The same formulas hold for a million, which `make bench` sends.
#[tokio::test]
async fn a_flood_costs_a_read_for_each_object_and_window_and_changes_nothing() -> Result {
    let world = World::start().await?;
    let limits = json!({"requestsPerSecond": 5, "burst": 10});
    let tenant = world
        .tenant("flood", json!({"interval": "24h", "limits": limits}))
        .await?;
    tenant.takes_webhooks(json!({"webhook-key": KEY})).await?;
    let mut figures = Vec::new();
    flood_of(&tenant, KEY, 20_000, 10_000, |what, value, most| {
        figures.push((what, value, most));
    })
    .await?;
    for (what, value, most) in figures {
        ensure!(value <= most, "{what}: {value}, and at most {most}");
        println!("{what}: {value}, at most {most}");
    }
    Ok(())
}
