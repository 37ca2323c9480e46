//! Reports: recipes 2, 4 and 6 of the Pluvo documentation.

use anyhow::{Context, ensure};
use serde_json::{Value, json};

use crate::{
    events::told,
    support::{Result, Tenant, World, eventually},
};

const KEY: &str = "planted-webhook-key";
const REQUESTED_AT: &str = "pluvo.dev/reconcile-requested-at";

/// All kinds that report, read once.
pub async fn declare(tenant: &Tenant<'_>) -> Result {
    tenant
        .declare("ProgressReport", "rnd", json!({"groups": ["rnd"]}))
        .await?;
    tenant.declare("CertificateMonitor", "all", json!({})).await?;
    let unused = json!({"inactiveFor": "2160h"});
    tenant.declare("InactiveUserReport", "unused", unused).await?;
    for (kind, name) in [
        ("ProgressReport", "rnd"),
        ("CertificateMonitor", "all"),
        ("InactiveUserReport", "unused"),
    ] {
        tenant.ready(kind, name).await?;
    }
    Ok(())
}

fn user(reference: &str) -> Value {
    let email = format!("{}@example.com", reference.to_lowercase());
    json!({"ref": reference, "email": email, "name": format!("Planted {reference}")})
}

fn refs(count: usize) -> Vec<String> {
    (1..=count).map(|number| format!("U{number:04}")).collect()
}

fn people(refs: &[String]) -> Vec<Value> {
    refs.iter().map(|reference| user(reference)).collect()
}

/// How often an operation was asked for.
async fn asked(tenant: &Tenant<'_>, operation: &str) -> Result<u64> {
    let stats = tenant.organization.stats().await?;
    Ok(stats["operations"][operation].as_u64().unwrap_or_default())
}

/// Has a resource read anew, and waits until that is done.
async fn request(tenant: &Tenant<'_>, kind: &str, name: &str, value: &str) -> Result<Value> {
    tenant.annotate(kind, name, REQUESTED_AT, value).await?;
    tenant
        .until(kind, name, "it was read anew", |object| {
            let status = &object["status"];
            ensure!(status["lastHandledReconcileAt"] == value, "{status}");
            Ok(())
        })
        .await
}

#[tokio::test]
async fn progress_is_added_up_over_all_pages_and_nobody_is_named() -> Result {
    let world = World::start().await?;
    let tenant = world.tenant("progress", json!({})).await?;
    let all = refs(120);
    let groups = json!([
        {"ref": "all", "name": "All", "users": all},
        {"ref": "none", "name": "None"},
    ]);
    let done = json!({"progress": 100, "completionDate": "2026-02-01"});
    let trainings = json!([
        {"ref": "safety", "title": "Safety", "participants": all, "progress": {"U0001": done, "U0002": {"progress": 20}}},
        {"ref": "privacy", "title": "Privacy", "participants": all[..60]},
    ]);
    let seed = json!({"users": people(&all), "groups": groups, "trainings": trainings});
    tenant.organization.seed(&seed).await?;
    tenant.sweep().await?;
    for (name, spec) in [
        ("all", json!({"groups": ["all"]})),
        ("same", json!({"groups": ["all"], "titles": ["SAFETY"]})),
        ("none", json!({"groups": ["none"]})),
        ("missing", json!({"groups": ["alll"]})),
    ] {
        tenant.declare("ProgressReport", name, spec).await?;
    }
    let status = tenant.ready("ProgressReport", "all").await?["status"].clone();
    let expected = json!({
        "rows": 180, "completed": 1, "averagePercent": 1, "titles": 2, "byTraining": [
            {"title": "Privacy", "rows": 60, "completed": 0, "averagePercent": 0},
            {"title": "Safety", "rows": 120, "completed": 1, "averagePercent": 1},
        ],
    });
    ensure!(status["progress"] == expected, "{status}");
    ensure!(
        status["read"]["rows"] == 180 && status["read"]["complete"] == true,
        "{status}"
    );
    ensure!(status["cost"]["predictedRequests"] == 4, "{status}");
    let same = tenant.ready("ProgressReport", "same").await?["status"].clone();
    ensure!(
        same["progress"]["rows"] == 120 && same["read"] == status["read"],
        "{same}"
    );
    let none = tenant.ready("ProgressReport", "none").await?["status"].clone();
    ensure!(
        none["progress"]["rows"] == 0 && none["progress"]["byTraining"].is_null(),
        "{none}"
    );
    let missing = tenant.reports("ProgressReport", "missing", "Ready", "False", "DependencyNotReady");
    let missing = missing.await?["status"].to_string();
    ensure!(
        missing.contains("group alll does not exist in Pluvo; there is all"),
        "{missing}"
    );
    for status in [&status, &same, &none] {
        let text = status.to_string();
        ensure!(!text.contains("Planted") && !text.contains("U0001"), "{text}");
    }
    ensure!(asked(&tenant, "portfolioReport").await? == 5, "equal ones share a read");

    // It is read once a day, also over a restart; sooner if that is asked for.
    tenant.sweeps(1).await?;
    world.operator.lock().await.restart().await?;
    tenant.sweep().await?;
    ensure!(tenant.get("ProgressReport", "all").await?["status"] == status);
    ensure!(asked(&tenant, "portfolioReport").await? == 5);
    let done = json!({"trainings": {"safety": {"progress": {"U0003": done}}}});
    tenant.organization.change(&done).await?;
    let anew = request(&tenant, "ProgressReport", "all", "now").await?["status"].clone();
    ensure!(anew["progress"]["completed"] == 2, "{anew}");
    ensure!(tenant.mutations().await?.is_empty());

    let metrics = world.operator.lock().await.get("/metrics").await?;
    let expected = format!(
        "pluvo_operator_report_completed{{namespace=\"{}\",name=\"all\",groups=\"all\",title=\"Safety\"}} 2",
        tenant.namespace
    );
    ensure!(metrics.contains(&expected), "{metrics}");
    tenant.delete("ProgressReport", "all").await?;
    tenant.gone("ProgressReport", "all").await?;
    eventually("it is not counted any more", async || {
        let metrics = world.operator.lock().await.get("/metrics").await?;
        ensure!(!metrics.contains(&expected));
        Ok(())
    })
    .await
}

#[tokio::test]
async fn a_large_report_is_read_completely_and_not_more_often_than_that_takes() -> Result {
    let world = World::shared().await?;
    let limits = json!({"requestsPerSecond": 1000, "burst": 1000});
    let tenant = world
        .tenant("large", json!({"limits": limits, "interval": "1h"}))
        .await?;
    let all = refs(1000);
    let trainings: Vec<_> = (0..60)
        .map(|number| json!({"ref": format!("t{number}"), "title": format!("T{number:02}"), "participants": all}))
        .collect();
    let groups = json!([{"ref": "all", "name": "All", "users": all}]);
    let seed = json!({"users": people(&all), "groups": groups, "trainings": trainings});
    tenant.organization.seed(&seed).await?;
    tenant.sweep().await?;
    tenant
        .declare("ProgressReport", "all", json!({"groups": ["all"]}))
        .await?;
    let status = eventually("60,000 rows were read", async || {
        let object = tenant.get("ProgressReport", "all").await?;
        let requests = &tenant.organization.stats().await?["httpRequests"];
        ensure!(
            object["status"]["read"]["rows"] == 60_000,
            "{requests} requests, {}",
            object["status"]
        );
        Ok(object["status"].clone())
    })
    .await?;
    ensure!(
        status["cost"]["predictedRequests"] == 1200 && status["read"]["complete"] == true,
        "{status}"
    );
    ensure!(status["progress"]["titles"] == 60, "{status}");

    let often = json!({"groups": ["all"], "interval": "7m"});
    tenant.declare("ProgressReport", "all", often).await?;
    tenant.ready("ProgressReport", "all").await?;
    // At five requests a second that takes four minutes.
    tenant
        .reconnect(json!({"limits": {"requestsPerSecond": 5}, "interval": "1h"}))
        .await?;
    let refused = tenant.reports("ProgressReport", "all", "Stalled", "True", "InvalidSpec");
    let refused = refused.await?["status"].to_string();
    ensure!(
        refused.contains("1200 requests, at 5 in a second; twice that is 480s"),
        "{refused}"
    );
    Ok(())
}

/// Issues the certificate of a template to a user.
async fn issue(tenant: &Tenant<'_>, reference: &str, on: &str) -> Result {
    let organization = &tenant.organization;
    let found = "query ($ref: String!) { user(ref: $ref) { id } certificates(first: 1) { edges { node { id } } } }";
    let found = organization.graphql(found, json!({"ref": reference})).await?;
    let certificate = found["certificates"]["edges"][0]["node"]["id"].clone();
    let issue = "mutation ($id: UUID!, $who: [UUID!]!, $on: DateTime) {
      generateCertificate(id: $id, userIds: $who, issueDate: $on) { bulkGenerate { succeededIds } }
    }";
    let variables = json!({"id": certificate, "who": [found["user"]["id"]], "on": on});
    organization.graphql(issue, variables).await?;
    Ok(())
}

#[tokio::test]
async fn a_certificate_counts_at_once_and_once() -> Result {
    let world = World::shared().await?;
    let tenant = world.tenant("certificates", json!({"interval": "24h"})).await?;
    tenant.takes_webhooks(json!({"webhook-key": KEY})).await?;
    let all = refs(3);
    let vca = json!({"ref": "vca", "name": "VCA", "title": "VCA", "validDays": 365});
    let seed = json!({"users": people(&all), "certificates": [vca]});
    tenant.organization.seed(&seed).await?;
    let today = jiff::Timestamp::now();
    let days_ago = |days: i64| (today - jiff::SignedDuration::from_hours(24 * days)).to_string();
    issue(&tenant, "U0001", &days_ago(400)).await?;
    issue(&tenant, "U0002", &days_ago(350)).await?;
    let spec = json!({"titles": ["vca"], "expiringWithin": "720h"});
    tenant.declare("CertificateMonitor", "vca", spec).await?;
    tenant
        .declare("CertificateMonitor", "other", json!({"titles": ["BHV"]}))
        .await?;
    let counts = |status: &Value| {
        let found = &status["certificates"];
        json!([found["achieved"], found["expiring"], found["expired"]])
    };
    let status = tenant.ready("CertificateMonitor", "vca").await?["status"].clone();
    ensure!(counts(&status) == json!([2, 1, 1]), "{status}");
    let other = tenant.ready("CertificateMonitor", "other").await?["status"].clone();
    ensure!(counts(&other) == json!([0, 0, 0]), "{other}");
    ensure!(asked(&tenant, "portfolioReport").await? == 1);

    tenant.subscribe(KEY).await?;
    issue(&tenant, "U0003", &days_ago(0)).await?;
    let told_of = tenant.until("CertificateMonitor", "vca", "it counts at once", |object| {
        ensure!(counts(&object["status"]) == json!([3, 1, 1]), "{}", object["status"]);
        Ok(())
    });
    told_of.await?;
    ensure!(asked(&tenant, "portfolioReport").await? == 1, "nothing was read for it");
    let anew = request(&tenant, "CertificateMonitor", "vca", "now").await?["status"].clone();
    ensure!(counts(&anew) == json!([3, 1, 1]), "{anew}");
    ensure!(asked(&tenant, "portfolioReport").await? == 2);
    eventually("it is told", async || {
        let told = told(&tenant).await?;
        ensure!(told == ["vca CertificatesAchieved 1"], "{told:?}");
        Ok(())
    })
    .await
}

#[tokio::test]
async fn who_is_inactive_is_reported_and_archived_only_where_that_is_asked_for() -> Result {
    let world = World::shared().await?;
    let tenant = world.tenant("inactive", json!({})).await?;
    let last = |reference: &str, login: Option<&str>| {
        let mut user = user(reference);
        user["lastLogin"] = json!(login);
        user
    };
    let users = json!([
        last("GONE", Some("2026-01-01")),
        last("DECLARED", Some("2026-01-01")),
        last("NEVER", None),
        last("KEPT", Some("2026-01-01")),
        last("HERE", Some(&jiff::Timestamp::now().to_string())),
    ]);
    tenant.organization.seed(&json!({"users": users})).await?;
    tenant.sweep().await?;
    tenant.declare("PluvoUser", "declared", user("DECLARED")).await?;
    tenant.ready("PluvoUser", "declared").await?;
    let exclude = json!({"users": ["KEPT"]});
    let spec = json!({"inactiveFor": "720h", "exclude": exclude});
    tenant.declare("InactiveUserReport", "report", spec).await?;
    let mut spec = json!({"inactiveFor": "720h", "exclude": exclude, "includeNeverLoggedIn": true});
    tenant.declare("InactiveUserReport", "never", spec.clone()).await?;
    let status = tenant.ready("InactiveUserReport", "report").await?["status"].clone();
    let found = json!({"count": 2, "neverLoggedIn": 0, "excluded": 1, "refs": ["DECLARED", "GONE"]});
    ensure!(status["inactive"] == found, "{status}");
    let status = tenant.ready("InactiveUserReport", "never").await?["status"].clone();
    let found = json!({"count": 3, "neverLoggedIn": 1, "excluded": 1, "refs": ["NEVER", "DECLARED", "GONE"]});
    ensure!(status["inactive"] == found, "{status}");

    spec["action"] = "Archive".into();
    spec["gracePeriod"] = "1s".into();
    spec["includeNeverLoggedIn"] = false.into();
    tenant.declare("InactiveUserReport", "archive", spec).await?;
    let status = tenant.ready("InactiveUserReport", "archive").await?["status"].clone();
    ensure!(
        status["inactive"]["proposed"] == json!({"count": 1, "refs": ["DECLARED"]}),
        "{status}"
    );
    ensure!(
        status["inactive"]["noticed"][0]["ids"].as_array().map(Vec::len) == Some(1),
        "{status}"
    );
    // Accounts are looked at again when a second has passed: the grace period counts from one reading to another.
    tenant.sweeps(1).await?;
    request(&tenant, "InactiveUserReport", "archive", "now").await?;
    let state = tenant
        .pluvo("who is gone is archived", |state| {
            state["users"]["GONE"]["archived"] == true
        })
        .await?;
    for reference in ["DECLARED", "NEVER", "KEPT", "HERE"] {
        ensure!(state["users"][reference]["archived"] == false, "{reference}");
    }
    tenant.ready("InactiveUserReport", "archive").await?;
    let status = request(&tenant, "InactiveUserReport", "archive", "later").await?["status"].clone();
    ensure!(status["inactive"]["count"] == 1, "{status}");
    tenant.sweeps(1).await?;
    let mutations = tenant.mutations().await?;
    ensure!(mutations == ["updateUser"], "{mutations:?}");
    let log = tenant.organization.log().await?;
    let arguments = &log.last().context("nothing was done")?["arguments"]["user"];
    ensure!(*arguments == json!({"archived": true}), "{arguments}");
    Ok(())
}
