//! A Git accident must not archive a company: what would destroy too much is held until somebody approves it.

use std::time::Duration;

use anyhow::{Context, ensure};
use jiff::Timestamp;
use pluvo_operator::api::PluvoUser;
use serde_json::{Value, json};

use crate::{
    events,
    support::{
        OPERATOR, Result, SEED, Tenant, World, condition, create_all, delete_paced, edit_all, eventually, is_soak,
        people,
    },
};

const APPROVE: &str = "pluvo.dev/approve";

fn names(numbers: std::ops::Range<usize>) -> impl Iterator<Item = String> {
    numbers.map(|number| format!("emp-{number:05}"))
}

/// Waits until the guard holds so many destructive operations, and returns the digest of the set.
async fn held(tenant: &Tenant<'_>, count: usize) -> Result<String> {
    held_of(tenant, "destructive", count).await
}

async fn held_of(tenant: &Tenant<'_>, kind: &str, count: usize) -> Result<String> {
    let what = format!("the guard holds {count} of kind {kind}");
    let connection = eventually(&what, async || {
        let connection = tenant.get("PluvoConnection", "default").await?;
        let guard = &connection["status"]["guard"];
        ensure!(guard["pending"][kind] == count, "{guard}");
        Ok(connection)
    })
    .await?;
    let tripped = condition(&connection, "GuardTripped").context("no condition")?;
    ensure!(
        tripped["status"] == "True" && tripped["reason"] == "HeldByGuard",
        "{tripped}"
    );
    ensure!(
        condition(&connection, "Ready").is_some_and(|ready| ready["status"] == "True"),
        "a connection whose guard has tripped works"
    );
    let digest = connection["status"]["guard"]["digest"].as_str().context("no digest")?;
    let told = tripped["message"].as_str().unwrap_or_default();
    ensure!(told.ends_with(&format!("{APPROVE}={digest}")), "{told}");
    Ok(digest.to_owned())
}

/// Waits until the guard holds nothing.
async fn released(tenant: &Tenant<'_>) -> Result {
    eventually("the guard holds nothing", async || {
        let connection = tenant.get("PluvoConnection", "default").await?;
        let tripped = condition(&connection, "GuardTripped").context("no condition")?;
        ensure!(tripped["status"] == "False", "{tripped}");
        ensure!(connection["status"]["guard"].get("digest").is_none());
        Ok(())
    })
    .await
}

/// How many users Pluvo has that are archived, and how many that are not.
async fn archived(tenant: &Tenant<'_>) -> Result<(usize, usize)> {
    let state = tenant.organization.state().await?;
    let users = state["users"].as_object().context("no users")?;
    let archived = users.values().filter(|user| user["archived"] == true).count();
    Ok((archived, users.len() - archived))
}

#[tokio::test]
async fn a_wave_is_held_until_exactly_it_is_approved() -> Result {
    let world = World::shared().await?;
    let guard = json!({"settle": "1s", "maxDestructive": {"count": 3, "window": "1h"}});
    let tenant = world.tenant("wave", json!({"guard": guard})).await?;
    let users = tenant.api_of::<PluvoUser>();
    create_all(&users, people(0..10)?).await?;
    tenant.declare_everybody().await?;
    tenant.users_ready(10).await?;
    tenant.ready("PluvoGroupMembership", "all").await?;
    let before = tenant.mutations().await?;

    edit_all(&users, names(0..5), |_| json!({"spec": {"archived": true}})).await?;
    // Five users, and their memberships: whoever is archived is no subject, and stays where they are.
    let digest = held(&tenant, 5).await?;
    tenant
        .reports("PluvoUser", "emp-00003", "Ready", "False", "HeldByGuard")
        .await?;
    let metrics = world.operator.lock().await.get("/metrics").await?;
    let labels = format!(
        r#"{{namespace="{}",connection="default",what="destructive"}}"#,
        tenant.namespace
    );
    ensure!(
        metrics.contains(&format!("pluvo_operator_guard_held{labels} 5\n")),
        "{metrics}"
    );
    eventually("it is told", async || {
        let told = events::told(&tenant).await?;
        ensure!(told.contains(&"default GuardTripped 1".to_owned()), "{told:?}");
        Ok(())
    })
    .await?;
    // What destroys nothing goes on.
    create_all(&users, people(10..12)?).await?;
    tenant.users_ready(7).await?;
    ensure!(archived(&tenant).await? == (0, 12));

    // An approval of another set releases nothing, and neither does one of a set that has changed.
    tenant
        .annotate("PluvoConnection", "default", APPROVE, "0123456789abcdef")
        .await?;
    edit_all(&users, names(5..6), |_| json!({"spec": {"archived": true}})).await?;
    let larger = held(&tenant, 6).await?;
    ensure!(larger != digest);
    tenant.annotate("PluvoConnection", "default", APPROVE, &digest).await?;
    tenant.sweeps(2).await?;
    ensure!(archived(&tenant).await? == (0, 12), "an outdated approval");
    tenant.annotate("PluvoConnection", "default", APPROVE, &larger).await?;
    tenant.users_ready(12).await?;
    ensure!(archived(&tenant).await? == (6, 6));
    released(&tenant).await?;

    // They come back and go again: the approval that is still there releases nothing.
    edit_all(&users, names(0..6), |_| json!({"spec": {"archived": false}})).await?;
    let back = held(&tenant, 6).await?;
    tenant.annotate("PluvoConnection", "default", APPROVE, &back).await?;
    tenant.users_ready(12).await?;
    tenant.annotate("PluvoConnection", "default", APPROVE, &larger).await?;
    edit_all(&users, names(0..6), |_| json!({"spec": {"archived": true}})).await?;
    ensure!(held(&tenant, 6).await? != larger);
    tenant.sweeps(2).await?;
    ensure!(archived(&tenant).await? == (0, 12), "an approval that was left in Git");

    // A revert takes the wave back.
    edit_all(&users, names(0..6), |_| json!({"spec": {"archived": false}})).await?;
    released(&tenant).await?;
    tenant.users_ready(12).await?;
    let archivings = tenant.mutations().await?.len() - before.len();
    println!("{archivings} mutations after the first sync");
    Ok(())
}

#[tokio::test]
async fn a_revert_within_the_settle_time_takes_it_back() -> Result {
    let world = World::shared().await?;
    let guard = json!({"settle": "70s"});
    let tenant = world.tenant("settle", json!({"guard": guard})).await?;
    let user = |email: &str| json!({"ref": "EMP-1", "email": email, "name": "Jane"});
    tenant.declare("PluvoUser", "jane", user("jane@example.com")).await?;
    tenant.ready("PluvoUser", "jane").await?;
    let before = tenant.mutations().await?;
    tenant.declare("PluvoUser", "jane", user("janet@example.com")).await?;
    let settling = eventually("it settles", async || {
        let user = tenant.get("PluvoUser", "jane").await?;
        let ready = condition(&user, "Ready").context("no condition")?;
        ensure!(ready["reason"] == "Settling", "{ready}");
        Ok(())
    });
    settling.await?;
    tenant.declare("PluvoUser", "jane", user("jane@example.com")).await?;
    tenant.ready("PluvoUser", "jane").await?;
    tenant.sweeps(3).await?;
    ensure!(tenant.mutations().await? == before);
    Ok(())
}

#[tokio::test]
async fn mails_that_are_held_outlive_a_restart_and_a_suspension() -> Result {
    let world = World::start().await?;
    let guard = json!({"settle": "1s", "maxMails": 2});
    let tenant = world.tenant("mails", json!({"guard": guard})).await?;
    let users = tenant.api_of::<PluvoUser>();
    create_all(&users, people(0..5)?).await?;
    tenant.users_ready(5).await?;
    let everybody: Vec<_> = names(0..5).map(|name| name.to_uppercase()).collect();
    let assignment = |suspend: bool| {
        let training = json!({"ref": "safety-2026"});
        json!({"training": training, "users": everybody, "sendInvites": true, "suspend": suspend})
    };
    tenant.declare("TrainingAssignment", "all", assignment(false)).await?;
    let digest = held_of(&tenant, "mails", 5).await?;
    let nobody_is_told = async || {
        let held = tenant.get("TrainingAssignment", "all").await?;
        ensure!(held["status"].get("mailed").is_none(), "{held}");
        ensure!(tenant.organization.outbox().await?.is_empty());
        Ok::<_, anyhow::Error>(())
    };
    nobody_is_told().await?;
    world.operator.lock().await.restart().await?;
    ensure!(held_of(&tenant, "mails", 5).await? == digest);
    nobody_is_told().await?;
    tenant.declare("TrainingAssignment", "all", assignment(true)).await?;
    released(&tenant).await?;
    tenant.declare("TrainingAssignment", "all", assignment(false)).await?;
    let digest = held_of(&tenant, "mails", 5).await?;
    nobody_is_told().await?;
    tenant.annotate("PluvoConnection", "default", APPROVE, &digest).await?;
    tenant.ready("TrainingAssignment", "all").await?;
    ensure!(tenant.organization.outbox().await?.len() == 5);
    Ok(())
}

/// How large the company is: the guard lets 5 % of it go within its window.
fn company() -> usize {
    if is_soak() { 3000 } else { 600 }
}

const WINDOW: Duration = Duration::from_mins(1);
/// So many go unnoticed.
const FEW: usize = 20;

/// When the operator archived somebody, in the order of the log of Pluvo.
async fn archivings(tenant: &Tenant<'_>) -> Result<Vec<Timestamp>> {
    let log = tenant.organization.log().await?;
    let archives = log
        .iter()
        .filter(|entry| entry["client"] == OPERATOR.0 && entry["arguments"].to_string().contains(r#""archived":true"#));
    archives
        .map(|entry| Ok(entry["time"].as_str().context("no time")?.parse()?))
        .collect()
}

/// The most of these times that lie within one window.
fn most_within(window: Duration, times: &[Timestamp]) -> usize {
    let within = |begin: &Timestamp| {
        let end = *begin + window;
        times.iter().filter(|at| *begin <= **at && **at < end).count()
    };
    times.iter().map(within).max().unwrap_or_default()
}

#[tokio::test]
async fn accidents_with_a_whole_company() -> Result {
    let count = company();
    let joined = count + count / 3;
    let allowed = joined * 5 / 100;
    let world = World::prepare(SEED, &[]).await?;
    let terms = |settle: &str| {
        let guard = json!({"settle": settle, "maxDestructive": {"count": 10, "percent": 5, "window": "60s"}});
        json!({"guard": guard, "interval": "1h"})
    };
    let tenant = world.tenant("accident", terms("10s")).await?;
    let users = tenant.api_of::<PluvoUser>();
    create_all(&users, people(0..count)?).await?;
    edit_all(
        &users,
        names(0..count / 6),
        |_| json!({"metadata": {"labels": {"site": "north"}}}),
    )
    .await?;
    tenant
        .declare("PluvoGroup", "all", json!({"ref": "all", "name": "Everybody"}))
        .await?;
    let members = |selector: Value| json!({"group": {"ref": "all"}, "userSelector": {"matchLabels": selector}});
    tenant
        .declare("PluvoGroupMembership", "all", members(json!({"site": "north"})))
        .await?;
    world.operator.lock().await.start().await?;
    tenant.users_ready(count).await?;
    tenant.ready("PluvoGroupMembership", "all").await?;
    let synced = tenant.mutations().await?.len();
    let no_more = async || {
        let mutations = tenant.mutations().await?.len();
        ensure!(mutations == synced, "{} mutations more", mutations - synced);
        Ok::<_, anyhow::Error>(())
    };

    // `archived: true` on all of them in one commit, with a restart while it is held.
    edit_all(&users, names(0..count), |_| json!({"spec": {"archived": true}})).await?;
    let digest = held(&tenant, count).await?;
    no_more().await?;
    world.operator.lock().await.restart().await?;
    let stands = tenant.get("PluvoConnection", "default").await?;
    ensure!(
        stands["status"]["guard"]["digest"] == *digest,
        "the digest stands after a restart"
    );
    tenant.sweep().await?;
    ensure!(
        held(&tenant, count).await? == digest,
        "the same set has the same digest"
    );
    no_more().await?;
    edit_all(&users, names(0..count), |_| json!({"spec": {"archived": false}})).await?;
    released(&tenant).await?;
    tenant.users_ready(count).await?;
    no_more().await?;

    // A column shift: everybody gets somebody else's address. Joiners come meanwhile, and are let through.
    let shifted = |name: &str| json!({"spec": {"email": format!("shifted-{name}@example.com")}});
    edit_all(&users, names(0..count), shifted).await?;
    held(&tenant, count).await?;
    no_more().await?;
    create_all(&users, people(count..joined)?).await?;
    eventually("the joiners are there", async || {
        let (gone, there) = archived(&tenant).await?;
        ensure!(gone + there == joined, "{} users", gone + there);
        Ok(())
    })
    .await?;
    let log = tenant.mutations().await?;
    ensure!(
        log[synced..].iter().all(|mutation| *mutation != "updateUser"),
        "only joiners"
    );
    edit_all(
        &users,
        names(0..count),
        |name| json!({"spec": {"email": format!("{name}@example.com")}}),
    )
    .await?;
    released(&tenant).await?;
    tenant.users_ready(joined).await?;

    // A selector that shifts: all memberships would go.
    let synced = tenant.mutations().await?.len();
    tenant
        .declare("PluvoGroupMembership", "all", members(json!({"site": "south"})))
        .await?;
    edit_all(
        &users,
        names(count / 5..count / 5 + 1),
        |_| json!({"metadata": {"labels": {"site": "south"}}}),
    )
    .await?;
    let digest = held(&tenant, count / 6).await?;
    let removals = |log: &[String]| {
        log.iter()
            .filter(|mutation| mutation.starts_with("removeUsersFromGroup"))
            .count()
    };
    ensure!(removals(&tenant.mutations().await?[synced..]) == 0);
    tenant.annotate("PluvoConnection", "default", APPROVE, &digest).await?;
    tenant.ready("PluvoGroupMembership", "all").await?;
    let left = |state: &Value| state["groups"]["all"]["users"].as_array().map_or(0, Vec::len);
    tenant.pluvo("they have left", |state| left(state) == 1).await?;

    // All of them are pruned: a few at once, and the others as a trickle of 90 s. Meanwhile the operator is killed, and
    // killed once more while it reads everything, and in the middle.
    tenant.reconnect(terms("2s")).await?;
    delete_paced(&users, names(0..FEW), u32::try_from(FEW)?).await?;
    // What the guard let through before counts against them until its window has moved on.
    eventually("the few are archived", async || {
        let archived = archivings(&tenant).await?.len();
        ensure!(archived == FEW, "{archived}");
        Ok(())
    })
    .await?;
    let dying = async |number: usize| {
        let name = format!("emp-{number:05}");
        let going = tenant.until("PluvoUser", &name, "is being deleted", |user| {
            ensure!(user["metadata"].get("deletionTimestamp").is_some());
            Ok(())
        });
        going.await.map(drop)
    };
    let kills = async {
        let mut operator = world.operator.lock().await;
        dying(count / 10).await?;
        operator.kill_9().await?;
        let requests = async || Ok::<_, anyhow::Error>(tenant.organization.stats().await?["httpRequests"].clone());
        let before = requests().await?;
        operator.start_unready().await?;
        eventually("it reads", async || {
            ensure!(requests().await? != before, "{before} requests");
            Ok(())
        })
        .await?;
        operator.kill_9().await?;
        operator.start().await?;
        dying(count / 2).await?;
        operator.kill_9().await?;
        operator.start().await
    };
    let per_second = u32::try_from(count / 90)?;
    tokio::try_join!(delete_paced(&users, names(FEW..count), per_second), kills)?;
    let connection = eventually("all of them are counted", async || {
        let connection = tenant.get("PluvoConnection", "default").await?;
        let pending = &connection["status"]["guard"]["pending"]["destructive"];
        ensure!(
            pending
                .as_u64()
                .is_some_and(|pending| pending >= (count - allowed) as u64),
            "{pending}"
        );
        Ok(connection)
    })
    .await?;
    println!("the guard after the trickle: {}", connection["status"]["guard"]);
    let archived = archivings(&tenant).await?;
    let most = most_within(WINDOW, &archived);
    println!("{} were archived, {most} within {WINDOW:?}", archived.len());
    ensure!((FEW..=allowed).contains(&most), "{most} within {WINDOW:?}");
    let last = format!("emp-{:05}", count - 1);
    tenant
        .until("PluvoUser", &last, "says what it waits for", |user| {
            let blocked = condition(user, "DeletionBlocked").context("no condition")?;
            ensure!(
                blocked["message"]
                    .as_str()
                    .is_some_and(|message| message.starts_with("held by the guard")),
                "{blocked}"
            );
            Ok(())
        })
        .await?;
    let tripped = condition(&connection, "GuardTripped").context("no condition")?;
    ensure!(tripped["status"] == "True", "{tripped}");
    Ok(())
}
