//! The usual mistakes: refused by the API server with our words, or accepted and then explained.

use anyhow::{Context, bail, ensure};
use serde_json::{Value, json};

use crate::support::{Result, Tenant, World, condition};

fn person(reference: &str) -> Value {
    json!({"ref": reference, "email": format!("{}@example.com", reference.to_lowercase()), "name": "Somebody"})
}

fn with(mut base: Value, over: Value) -> Value {
    crate::support::merge(&mut base, over);
    base
}

async fn refusal(tenant: &Tenant<'_>, kind: &str, spec: Value) -> Result<String> {
    let bad = crate::support::object(kind, "bad", spec);
    let Err(error) = tenant.kubectl_apply(&bad.to_string()).await else {
        bail!("it was accepted")
    };
    let message = format!("{error:#}");
    let start = message.find("is invalid:").with_context(|| message.clone())?;
    Ok(message[start..].trim().to_owned())
}

#[tokio::test]
async fn what_cannot_be_is_refused_with_our_words() -> Result {
    let world = World::shared().await?;
    let tenant = world.tenant("refused", json!({})).await?;
    let mut refusals = Vec::new();
    for (what, over) in [
        ("e-mail", json!({"email": "jane at example"})),
        ("role", json!({"roles": ["BOSS"]})),
        ("long name", json!({"name": "x".repeat(300)})),
        (
            "two values",
            json!({"customFields": [{"ref": "site", "text": "a", "choice": "b"}]}),
        ),
        ("no e-mail", json!({"email": null})),
        ("outer white space", json!({"ref": " EMP-1"})),
    ] {
        refusals.push(format!(
            "{what}: {}",
            refusal(&tenant, "PluvoUser", with(person("EMP-1"), over)).await?
        ));
    }
    let membership = json!({"group": {"ref": "g"}, "users": ["A"]});
    for (what, over) in [
        ("empty selector", json!({"userSelector": {}})),
        (
            "operator",
            selector(json!({"key": "site", "operator": "Is", "values": ["Delft"]})),
        ),
        ("nothing to be in", selector(json!({"key": "site", "operator": "In"}))),
        (
            "values of an existence",
            selector(json!({"key": "site", "operator": "Exists", "values": ["Delft"]})),
        ),
        ("two targets", json!({"group": {"id": "1"}})),
        (
            "additive and remove",
            json!({"policy": "Additive", "deletionPolicy": "Remove"}),
        ),
        ("nobody", json!({"users": null})),
    ] {
        refusals.push(format!(
            "{what}: {}",
            refusal(&tenant, "PluvoGroupMembership", with(membership.clone(), over)).await?
        ));
    }
    let everybody = json!({"inactiveFor": "2160h", "exclude": {"userSelector": {}}});
    refusals.push(format!(
        "everybody excluded: {}",
        refusal(&tenant, "InactiveUserReport", everybody).await?
    ));
    tenant.declare("PluvoUser", "bad", person("EMP-1")).await?;
    refusals.push(format!(
        "another ref: {}",
        refusal(&tenant, "PluvoUser", person("EMP-2")).await?
    ));
    insta::assert_snapshot!(refusals.join("\n"));
    Ok(())
}

fn selector(requirement: Value) -> Value {
    json!({"userSelector": {"matchExpressions": [requirement]}})
}

/// Kind, name, reason, and whether a human must act.
pub type Expected = (&'static str, &'static str, &'static str, bool);

/// Waits until all are explained, lets three sweeps pass, and returns the messages. Meanwhile nothing may have been
/// written: not to Pluvo, and in the end not to the resources either.
pub async fn explained(tenant: &Tenant<'_>, expected: &[Expected]) -> Result<String> {
    for (kind, name, reason, stalled) in expected {
        let object = tenant.reports(kind, name, "Ready", "False", reason).await?;
        ensure!(
            condition(&object, "Stalled").is_some() == *stalled,
            "{}",
            object["status"]
        );
    }
    let mutations = tenant.mutations().await?;
    tenant.sweeps(1).await?;
    let said = said_of(tenant, expected).await?;
    tenant.sweeps(2).await?;
    ensure!(
        tenant.mutations().await? == mutations,
        "{:?}",
        tenant.mutations().await?
    );
    let mut messages = Vec::new();
    for ((kind, name, reason, _), (before, after)) in expected
        .iter()
        .zip(said.into_iter().zip(said_of(tenant, expected).await?))
    {
        ensure!(before == after, "{kind} {name}: {before} became {after}");
        let ready = condition(&after, "Ready").cloned().unwrap_or_default();
        ensure!(ready["reason"] == *reason, "{kind} {name}: {ready}");
        let message = ready["message"]
            .as_str()
            .unwrap_or_default()
            .replace(&tenant.namespace, "<namespace>");
        messages.push(format!("{kind} {reason}: {message}"));
    }
    Ok(messages.join("\n"))
}

/// The resources as they are; of a connection, which is written after each sweep, what its conditions say.
async fn said_of(tenant: &Tenant<'_>, expected: &[Expected]) -> Result<Vec<Value>> {
    let mut said = Vec::new();
    for (kind, name, ..) in expected {
        let object = tenant.get(kind, name).await?;
        let conditions = json!({"status": {"conditions": object["status"]["conditions"]}});
        said.push(if *kind == "PluvoConnection" { conditions } else { object });
    }
    Ok(said)
}

#[tokio::test]
async fn what_cannot_be_done_is_explained_and_neighbours_do_not_suffer() -> Result {
    let world = World::shared().await?;
    let tenant = world.tenant("explained", json!({})).await?;
    tenant.declare("PluvoUser", "neighbour", person("NEIGHBOUR")).await?;
    tenant.declare("PluvoUser", "first", person("TWICE")).await?;
    tenant.ready("PluvoUser", "first").await?;
    tenant.declare("PluvoUser", "second", person("TWICE")).await?;
    tenant
        .declare(
            "PluvoUser",
            "same-address",
            json!({"ref": "OTHER", "email": "twice@example.com", "name": "X"}),
        )
        .await?;
    tenant
        .declare(
            "PluvoUser",
            "nameless",
            json!({"ref": "NAMELESS", "email": "nameless@example.com"}),
        )
        .await?;
    tenant
        .declare(
            "PluvoUser",
            "field",
            with(
                person("FIELD"),
                json!({"customFields": [{"ref": "departement", "text": "x"}]}),
            ),
        )
        .await?;
    let odd = json!({"ref": "Odd / Ref 1", "email": "odd@example.com", "name": "Odd"});
    tenant.declare("PluvoUser", "odd", odd).await?;
    tenant
        .declare("PluvoGroup", "known", json!({"ref": "dept-rnd", "name": "R&D"}))
        .await?;
    tenant.ready("PluvoGroup", "known").await?;
    tenant
        .declare(
            "PluvoGroupMembership",
            "group",
            json!({"group": {"ref": "dept-rd"}, "users": ["TWICE"]}),
        )
        .await?;
    tenant
        .declare(
            "PluvoGroupMembership",
            "people",
            json!({"group": {"ref": "dept-rnd"}, "users": ["TWICE", "TWIC"]}),
        )
        .await?;
    tenant
        .declare(
            "TrainingAssignment",
            "training",
            json!({"training": {"ref": "nothing-like-it"}, "users": ["TWICE"]}),
        )
        .await?;

    tenant.ready("PluvoUser", "neighbour").await?;
    tenant.ready("PluvoUser", "odd").await?;
    tenant
        .pluvo("who exists is in the group", |state| {
            state["groups"]["dept-rnd"]["users"] == json!(["TWICE"])
        })
        .await?;
    let messages = explained(
        &tenant,
        &[
            ("PluvoUser", "second", "OwnedByOther", true),
            ("PluvoUser", "same-address", "IdentityConflict", true),
            ("PluvoUser", "nameless", "InvalidSpec", true),
            ("PluvoUser", "field", "DependencyNotReady", false),
            ("PluvoGroupMembership", "group", "DependencyNotReady", false),
            ("PluvoGroupMembership", "people", "DependencyNotReady", false),
            ("TrainingAssignment", "training", "DependencyNotReady", false),
        ],
    )
    .await?;
    insta::assert_snapshot!(messages);
    for name in ["neighbour", "first", "odd"] {
        tenant.ready("PluvoUser", name).await?;
    }
    Ok(())
}

#[tokio::test]
async fn one_bad_entry_never_fails_its_neighbours() -> Result {
    let world = World::shared().await?;
    for atomic in [false, true] {
        let tenant = world.tenant("batch", json!({})).await?;
        tenant.sweeps(1).await?;
        tenant.organization.faults(&json!({"atomicDocuments": atomic})).await?;
        // The sandbox refuses an unknown option; everything else about this user is fine.
        let bad = with(
            person("EMP-13"),
            json!({"customFields": [{"ref": "site", "choice": "Atlantis"}]}),
        );
        let items: Vec<_> = (0..25)
            .map(|number| {
                let reference = format!("EMP-{number}");
                let spec = if number == 13 {
                    bad.clone()
                } else {
                    with(
                        person(&reference),
                        json!({"customFields": [{"ref": "site", "choice": "Delft"}]}),
                    )
                };
                crate::support::object("PluvoUser", &reference.to_lowercase(), spec)
            })
            .collect();
        tenant
            .apply(&json!({"apiVersion": "v1", "kind": "List", "items": items}).to_string())
            .await?;
        for number in (0..25).filter(|number| *number != 13) {
            tenant.ready("PluvoUser", &format!("emp-{number}")).await?;
        }
        let state = tenant.organization.state().await?;
        for number in (0..25).filter(|number| *number != 13) {
            ensure!(
                state["users"][format!("EMP-{number}")]["customFields"]["site"] == "Delft",
                "EMP-{number} with atomic {atomic}"
            );
        }
        let refused = explained(&tenant, &[("PluvoUser", "emp-13", "ApiRejected", true)]).await?;
        insta::allow_duplicates! { insta::assert_snapshot!("refused", refused); }
    }
    Ok(())
}

#[tokio::test]
async fn connections_that_cannot_serve_say_why_and_others_go_on() -> Result {
    let world = World::shared().await?;
    let tenant = world.tenant("connections", json!({})).await?;
    tenant.declare("PluvoUser", "neighbour", person("NEIGHBOUR")).await?;
    tenant.ready("PluvoUser", "neighbour").await?;
    let wrong = json!({
        "apiVersion": "v1", "kind": "Secret", "metadata": {"name": "wrong"},
        "stringData": {"client-id": "operator", "client-secret": "not-the-secret"},
    });
    tenant.apply(&wrong.to_string()).await?;
    let organization = |suffix: &str| format!("{}{suffix}", tenant.namespace);
    for (name, organization, secret) in [
        ("twin", organization(""), "pluvo-credentials"),
        ("secretless", organization("-secretless"), "not-there"),
        ("rejected", organization("-rejected"), "wrong"),
    ] {
        let spec = json!({"organization": organization, "credentialsSecretRef": {"name": secret}});
        tenant.declare("PluvoConnection", name, spec).await?;
    }
    for connection in ["twin", "secretless", "rejected", "nowhere"] {
        let over = json!({"connectionRef": {"name": connection}});
        tenant
            .declare("PluvoUser", &format!("of-{connection}"), with(person(connection), over))
            .await?;
    }
    let messages = explained(
        &tenant,
        &[
            ("PluvoConnection", "twin", "OrganizationAlreadyConnected", true),
            ("PluvoConnection", "secretless", "SecretNotFound", false),
            ("PluvoConnection", "rejected", "CredentialsRejected", true),
            ("PluvoUser", "of-twin", "ConnectionNotReady", false),
            ("PluvoUser", "of-secretless", "ConnectionNotReady", false),
            ("PluvoUser", "of-rejected", "ConnectionNotReady", false),
            ("PluvoUser", "of-nowhere", "ConnectionNotReady", false),
        ],
    )
    .await?;
    insta::assert_snapshot!(messages);
    tenant.ready("PluvoUser", "neighbour").await?;
    for suffix in ["-secretless", "-rejected"] {
        let log = world.sandbox.organization(&organization(suffix)).log().await?;
        ensure!(log.is_empty(), "{log:?}");
    }
    Ok(())
}
