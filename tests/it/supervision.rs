//! Tasks that panic, end or hang, and connections of which too little is known: the process ends or says so, and nobody is
//! released, archived or told by mail because of it.

use std::{env, fs, time::Duration};

use anyhow::{Context, bail, ensure};
use reqwest::RequestBuilder;
use rstest::rstest;
use serde_json::{Value, json};
use tokio::task::AbortHandle;

use crate::{
    cli::SAID,
    deletion::declare,
    durations::{loosen, replace},
    support::{Operator, Result, SEED, Tenant, World, condition, eventually, merge, object},
};

/// What the operator, the sandbox and the commands have said.
const OURS: [&str; 3] = ["operator.log", "sandbox.log", SAID];

/// How a task fails, as `PLUVO_TEST_FAULT` has it. Only debug builds know of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fault {
    Panic,
    End,
    Hang,
}

impl Fault {
    fn word(self) -> &'static str {
        match self {
            Self::Panic => "panic",
            Self::End => "end",
            Self::Hang => "hang",
        }
    }
}

/// One task of each sort.
fn tasks(tenant: &Tenant<'_>) -> Vec<String> {
    let namespace = &tenant.namespace;
    vec![
        "watch of PluvoConnection".to_owned(),
        "passes over PluvoConnection".to_owned(),
        "watch of PluvoUser".to_owned(),
        "passes over PluvoUser".to_owned(),
        format!("reads of {namespace}/default"),
        format!("writes of {namespace}/default"),
        "webhook server".to_owned(),
        "metrics server".to_owned(),
    ]
}

fn person(reference: &str, more: Value) -> Value {
    let mut spec = json!({"ref": reference, "email": format!("{}@example.com", reference.to_lowercase()), "name": "N"});
    merge(&mut spec, more);
    spec
}

/// What must be the same whatever happens to tasks: who is active, who is where, who was told, and whose finalizer stands.
async fn must_not_change(tenant: &Tenant<'_>) -> Result<Value> {
    let state = tenant.organization.state().await?;
    let archived = state["users"].as_object().into_iter().flatten();
    let archived: Vec<_> = archived
        .map(|(reference, user)| json!([reference, user["archived"]]))
        .collect();
    let mut finalizers = Vec::new();
    for (kind, name) in [
        ("PluvoUser", "leaver"),
        ("PluvoUser", "jane"),
        ("PluvoGroupMembership", "rnd"),
    ] {
        let object = tenant.get(kind, name).await?;
        finalizers.push(json!([kind, name, object["metadata"]["finalizers"]]));
    }
    Ok(json!({
        "archived": archived, "group": state["groups"]["rnd"]["users"],
        "training": state["trainings"]["safety-2026"]["participants"],
        "mails": tenant.organization.outbox().await?, "finalizers": finalizers,
    }))
}

/// Sends a request again and again for as long as what comes out lives.
fn pester(request: RequestBuilder) -> Pest {
    let pestering = tokio::spawn(async move {
        // Nobody listens at first, and nobody answers where the server hangs.
        while let Some(request) = request.try_clone() {
            let _ = request.timeout(Duration::from_secs(1)).send().await;
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    });
    Pest(pestering.abort_handle())
}

struct Pest(AbortHandle);

impl Drop for Pest {
    fn drop(&mut self) {
        self.0.abort();
    }
}

fn path_of(operator: &Operator, path: &str) -> Result<url::Url> {
    Ok(url::Url::parse(&operator.started_with()?.ready)?.join(path)?)
}

/// What `/healthz` answers, as a kubelet asks that waits for a second.
async fn health(operator: &Operator) -> Result<String> {
    let asked = reqwest::Client::new()
        .get(path_of(operator, "/healthz")?)
        .timeout(Duration::from_secs(1))
        .send()
        .await;
    match asked {
        Ok(answer) if answer.status().is_success() => bail!("healthy: {}", answer.text().await?),
        Ok(answer) => Ok(answer.text().await?),
        Err(error) if error.is_timeout() => Ok("no answer".to_owned()),
        Err(error) => Err(error.into()),
    }
}

#[rstest]
#[tokio::test]
async fn a_task_that_fails_ends_the_process_or_the_health(
    #[values(Fault::Panic, Fault::End, Fault::Hang)] fault: Fault,
) -> Result {
    let world = World::start().await?;
    let tenant = world.tenant("faulty", json!({})).await?;
    tenant
        .declare("PluvoUser", "leaver", person("LEAVER", json!({})))
        .await?;
    tenant.ready("PluvoUser", "leaver").await?;
    declare(&tenant).await?;
    // From now on whatever destroys or sends mail is held.
    let nothing = json!({"guard": {"maxDestructive": {"count": 0, "percent": 0}, "maxMails": 0}});
    tenant.reconnect(nothing).await?;
    tenant.ready("PluvoConnection", "default").await?;
    tenant.delete("PluvoUser", "leaver").await?;
    let blocked = |leaver: &Value| {
        let blocked = condition(leaver, "DeletionBlocked").context("not blocked")?;
        ensure!(blocked["message"].to_string().contains("held"), "{blocked}");
        Ok(())
    };
    tenant
        .until("PluvoUser", "leaver", "its deletion is held", blocked)
        .await?;
    let invited = person("INVITED", json!({"sendInvite": true}));
    tenant.declare("PluvoUser", "invited", invited).await?;
    tenant
        .reports("PluvoUser", "invited", "Ready", "False", "HeldByGuard")
        .await?;
    let before = must_not_change(&tenant).await?;

    let mut operator = world.operator.lock().await;
    for (number, task) in tasks(&tenant).into_iter().enumerate() {
        ensure!(
            operator.terminate().await?.success(),
            "the operator did not end in peace"
        );
        // Something to write when it is back.
        let name = format!("Name {number}");
        let renamed = json!({"email": "jane@example.com", "name": name});
        tenant.declare("PluvoUser", "jane", person("EMP-1", renamed)).await?;
        let planned = format!("PLUVO_TEST_FAULT={task}: {}", fault.word());
        operator.set_env(&[planned, "PLUVO_STUCK_AFTER=2s".to_owned()]);
        operator.start_unready().await?;
        let http = reqwest::Client::new();
        let _deliveries = pester(http.post(operator.webhook(&tenant.namespace, "default")));
        let _probes = pester(http.get(path_of(&operator, "/healthz")?));
        fails(&mut operator, &task, fault)
            .await
            .with_context(|| format!("{task}: {}", fault.word()))?;
        let after = must_not_change(&tenant).await?;
        ensure!(after == before, "{task}: {before} became {after}");

        operator.set_env(&[]);
        operator.start().await?;
        tenant.ready("PluvoUser", "jane").await?;
        let found = tenant.organization.state().await?["users"]["EMP-1"]["name"].clone();
        ensure!(found == name, "{found}");
        let after = must_not_change(&tenant).await?;
        ensure!(after == before, "{task}, after the restart: {before} became {after}");
    }
    Ok(())
}

/// Waits until the process has ended with an error that names the task, or says of the task that it is stuck, and is killed
/// then.
async fn fails(operator: &mut Operator, task: &str, fault: Fault) -> Result {
    let named = format!("the task `{task}`");
    if fault == Fault::Hang {
        eventually("/healthz fails", async || {
            let said = health(operator).await?;
            let is_mute = task == "metrics server" && said == "no answer";
            ensure!(is_mute || said.contains(&named), "{said}");
            Ok(())
        })
        .await?;
        return operator.kill_9().await;
    }
    let status = operator.ended().await?;
    let log = operator.log()?;
    let last = log.lines().rev().find(|line| line.contains(&named)).unwrap_or_default();
    let (code, how) = if fault == Fault::Panic {
        (101, "panicked at")
    } else {
        (1, "has ended")
    };
    ensure!(status.code() == Some(code) && last.contains(how), "{status}: {last}");
    Ok(())
}

const TOO_LONG: &str = "99999999999999999999h";

/// The connection cannot be decoded any more: an older definition took it in.
async fn break_connection(world: &World, tenant: &Tenant<'_>) -> Result {
    let present = loosen(world, &["PluvoConnection"]).await?;
    eventually("the older definition is served", async || {
        tenant.reconnect(json!({"interval": TOO_LONG})).await
    })
    .await?;
    for definition in present {
        replace(world, &definition).await?;
    }
    Ok(())
}

/// Everything on the connection waits, and says why.
async fn everything_waits(tenant: &Tenant<'_>) -> Result {
    tenant
        .reports("PluvoConnection", "default", "Stalled", "True", "InvalidSpec")
        .await?;
    for (kind, name) in [
        ("PluvoUser", "jane"),
        ("PluvoGroup", "rnd"),
        ("TrainingAssignment", "safety"),
    ] {
        let waiting = tenant
            .reports(kind, name, "Ready", "False", "ConnectionNotReady")
            .await?;
        let message = condition(&waiting, "Ready").map(|ready| ready["message"].to_string());
        let says = message
            .as_ref()
            .is_some_and(|message| message.contains("cannot be decoded"));
        ensure!(says, "{message:?}");
    }
    let blocked = |leaver: &Value| {
        let blocked = condition(leaver, "DeletionBlocked").context("not blocked")?;
        ensure!(
            blocked["message"].to_string().contains("cannot be decoded"),
            "{blocked}"
        );
        Ok(())
    };
    tenant
        .until("PluvoUser", "leaver", "its deletion waits", blocked)
        .await
        .map(drop)
}

#[tokio::test]
async fn on_a_connection_that_cannot_be_decoded_everything_waits() -> Result {
    let world = World::start().await?;
    let tenant = world.tenant("undecodable", json!({})).await?;
    tenant
        .declare("PluvoUser", "leaver", person("LEAVER", json!({})))
        .await?;
    tenant.ready("PluvoUser", "leaver").await?;
    declare(&tenant).await?;

    // While the operator runs: what was permitted a moment ago is not any more.
    break_connection(&world, &tenant).await?;
    tenant
        .reports("PluvoConnection", "default", "Stalled", "True", "InvalidSpec")
        .await?;
    let mutations = tenant.mutations().await?;
    tenant.delete("PluvoUser", "leaver").await?;
    let renamed = json!({"email": "jane@example.com", "name": "Jane Doe"});
    tenant.declare("PluvoUser", "jane", person("EMP-1", renamed)).await?;
    everything_waits(&tenant).await?;

    // After a restart it is not taken for gone.
    world.operator.lock().await.restart().await?;
    let label = ["label", "pluvouser", "--namespace", &tenant.namespace, "--all", "a=b"];
    world.cluster.kubectl(&label).await?;
    everything_waits(&tenant).await?;
    ensure!(
        tenant.mutations().await? == mutations,
        "{:?}",
        tenant.mutations().await?
    );

    // A neighbour has an organization of its own, and goes on.
    let neighbour = world.tenant("decodable", json!({})).await?;
    neighbour
        .declare("PluvoUser", "jane", person("EMP-1", json!({})))
        .await?;
    neighbour.ready("PluvoUser", "jane").await?;

    tenant.reconnect(json!({})).await?;
    let connection = tenant.ready("PluvoConnection", "default").await?;
    ensure!(condition(&connection, "Stalled").is_none(), "{}", connection["status"]);
    tenant.gone("PluvoUser", "leaver").await?;
    let jane = tenant.ready("PluvoUser", "jane").await?;
    ensure!(condition(&jane, "Stalled").is_none(), "{}", jane["status"]);
    let state = tenant.organization.state().await?;
    ensure!(
        state["users"]["LEAVER"]["archived"] == true,
        "{}",
        state["users"]["LEAVER"]
    );
    ensure!(
        state["users"]["EMP-1"]["name"] == "Jane Doe",
        "{}",
        state["users"]["EMP-1"]
    );
    for (kind, name) in [("PluvoGroup", "rnd"), ("TrainingAssignment", "safety")] {
        tenant.ready(kind, name).await?;
    }
    Ok(())
}

#[tokio::test]
async fn an_undecodable_resource_holds_removals_back_on_its_connection_alone() -> Result {
    let world = World::prepare(SEED, &[]).await?;
    let (tenant, neighbour) = (
        world.tenant("claims", json!({})).await?,
        world.tenant("neighbour", json!({})).await?,
    );
    let present = loosen(&world, &["PluvoUser"]).await?;
    let broken = person("BROKEN", json!({"dependencyTimeout": TOO_LONG}));
    eventually("the older definition is served", async || {
        tenant.declare("PluvoUser", "broken", broken.clone()).await
    })
    .await?;
    for definition in present {
        replace(&world, &definition).await?;
    }
    world.operator.lock().await.start().await?;
    for tenant in [&tenant, &neighbour] {
        declare(tenant).await?;
    }
    tenant
        .reports("PluvoUser", "broken", "Stalled", "True", "InvalidSpec")
        .await?;
    let nobody = json!({"group": {"ref": "rnd"}, "users": [], "allowEmpty": true});
    for tenant in [&tenant, &neighbour] {
        tenant.declare("PluvoGroupMembership", "rnd", nobody.clone()).await?;
    }
    neighbour
        .pluvo("whoever is not declared is removed", |state| {
            state["groups"]["rnd"]["users"] == json!([])
        })
        .await?;
    neighbour.ready("PluvoGroupMembership", "rnd").await?;
    tenant.sweeps(2).await?;
    let state = tenant.organization.state().await?;
    ensure!(
        state["groups"]["rnd"]["users"] == json!(["EMP-1"]),
        "{}",
        state["groups"]
    );
    tenant
        .declare("PluvoUser", "broken", person("BROKEN", json!({})))
        .await?;
    tenant.ready("PluvoUser", "broken").await?;
    tenant
        .pluvo("nothing holds the removal back any more", |state| {
            state["groups"]["rnd"]["users"] == json!([])
        })
        .await
        .map(drop)
}

#[tokio::test]
async fn a_connection_that_no_watch_shows_is_looked_for_before_anything_is_let_go() -> Result {
    let (world, proxy) = World::behind_a_proxy(SEED).await?;
    world.operator.lock().await.start().await?;
    proxy.hide(Some("/pluvoconnections"));
    let tenant = world.tenant("hidden", json!({})).await?;
    let mut leaver = object("PluvoUser", "leaver", person("LEAVER", json!({})));
    leaver["metadata"]["finalizers"] = json!(["pluvo.dev/finalizer"]);
    tenant.apply(&leaver.to_string()).await?;
    tenant.delete("PluvoUser", "leaver").await?;
    let blocked = |leaver: &Value| {
        let blocked = condition(leaver, "DeletionBlocked").context("not blocked")?;
        ensure!(blocked["message"].to_string().contains("was not seen yet"), "{blocked}");
        Ok(())
    };
    tenant
        .until("PluvoUser", "leaver", "its deletion waits", blocked)
        .await?;
    proxy.hide(None);
    tenant.ready("PluvoConnection", "default").await?;
    tenant.gone("PluvoUser", "leaver").await?;
    let events = world
        .cluster
        .kubectl(&["get", "events", "--namespace", &tenant.namespace, "-o", "name"])
        .await?;
    ensure!(!events.contains("leaver"), "it was orphaned: {events}");
    Ok(())
}

#[tokio::test]
async fn an_operator_whose_watches_are_interrupted_is_not_ready() -> Result {
    let world = World::start().await?;
    let ready = world.operator.lock().await.started_with()?.ready.clone();
    let answer = async || Ok::<_, anyhow::Error>(reqwest::get(&ready).await?);
    ensure!(answer().await?.status().is_success());
    world.cluster.stop("kube-apiserver").await?;
    let said = eventually("the operator is not ready", async || {
        let answer = answer().await?;
        ensure!(!answer.status().is_success(), "it is");
        Ok(answer.text().await?)
    })
    .await?;
    ensure!(
        said.contains("the watch of PluvoUser has been interrupted for"),
        "{said}"
    );
    world.cluster.restart("kube-apiserver").await?;
    eventually("the operator is ready again", async || {
        ensure!(answer().await?.status().is_success(), "it is not");
        Ok(())
    })
    .await
}

/// What a panic leaves in a log: the standard library's words, or the operator's.
fn panics(log: &str) -> Vec<&str> {
    log.lines()
        .filter(|line| line.contains("panicked at") && !line.contains("src/supervise/fault.rs"))
        .collect()
}

#[test]
fn a_planted_panic_is_found() {
    let log = "all is well\nthread 'main' (7) panicked at src/lib.rs:1:1:\n\
               ERROR panicked at src/plan/x.rs:7:9, in the task `watch of PluvoUser`\n\
               ERROR panicked at src/supervise/fault.rs:44:33, in the task `a test asked for it`";
    assert_eq!(panics(log).len(), 2, "{:?}", panics(log));
}

/// `tests/run.sh` runs this by name behind all other tests: what it searches is what they have left.
#[test]
#[ignore = "searches what all other tests left; `make test` runs it behind them"]
fn nothing_has_panicked() -> Result {
    let directory = env::var_os("PLUVO_TEST_DIR").context("PLUVO_TEST_DIR must name the directory of a full run")?;
    let (mut logs, mut found) = (0, Vec::new());
    for folder in fs::read_dir(directory)? {
        let folder = folder?.path();
        if !folder.is_dir() {
            continue;
        }
        for file in fs::read_dir(folder)? {
            let path = file?.path();
            let is_ours = path
                .file_name()
                .is_some_and(|name| OURS.iter().any(|ours| name == *ours));
            if is_ours {
                logs += 1;
                let log = String::from_utf8_lossy(&fs::read(&path)?).into_owned();
                found.extend(
                    panics(&log)
                        .into_iter()
                        .map(|line| format!("{}: {line}", path.display())),
                );
            }
        }
    }
    println!("searched: {logs} logs");
    ensure!(logs > 20, "there was hardly anything to search");
    found.truncate(10);
    ensure!(found.is_empty(), "panics:\n{}", found.join("\n"));
    Ok(())
}
