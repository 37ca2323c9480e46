//! Somebody changes Pluvo behind the operator's back.

use anyhow::ensure;
use rstest::rstest;
use serde_json::{Value, json};

use crate::support::{Result, Tenant, World, condition, eventually};

/// What is declared in every row of the table: a user, a group, an Exclusive membership, an assignment.
async fn declare(tenant: &Tenant<'_>) -> Result {
    let user = json!({
        "ref": "EMP-1", "email": "jane@example.com", "name": "Jane Doe", "roles": ["PARTICIPANT"], "language": "NL",
        "customFields": [
            {"ref": "department", "text": "R&D"},
            {"ref": "start-date", "dateTime": "2026-09-01T00:00:00+02:00"},
            {"ref": "first-aider", "bool": true},
            {"ref": "site", "choice": "Utrecht"},
            {"ref": "certificates", "choices": ["VCA", "BHV"]},
        ],
    });
    tenant.declare("PluvoUser", "emp-1", user).await?;
    let group = json!({
        "ref": "rnd", "name": "R&D", "maxUsers": 100, "enableChat": true, "isEditable": true,
        "customFields": [{"ref": "department", "text": "R&D"}],
    });
    tenant.declare("PluvoGroup", "rnd", group).await?;
    let membership = json!({"group": {"ref": "rnd"}, "users": ["EMP-1"], "policy": "Exclusive"});
    tenant.declare("PluvoGroupMembership", "rnd", membership).await?;
    let assignment = json!({"training": {"ref": "safety-2026"}, "users": ["EMP-1"]});
    tenant.declare("TrainingAssignment", "safety", assignment).await?;
    for (kind, name) in ALL {
        tenant.ready(kind, name).await?;
    }
    Ok(())
}

const ALL: [(&str, &str); 4] = [
    ("PluvoUser", "emp-1"),
    ("PluvoGroup", "rnd"),
    ("PluvoGroupMembership", "rnd"),
    ("TrainingAssignment", "safety"),
];

/// One row: what somebody does, where that shows, and what it takes to put it right.
struct Row {
    kind: &'static str,
    name: &'static str,
    change: Value,
    undo: Value,
    path: &'static str,
    entry: &'static str,
    observed: Option<&'static str>,
    mutation: &'static str,
}

fn user(change: Value, undo: Value, path: &'static str, observed: &'static str, mutation: &'static str) -> Row {
    let of = |change| json!({"users": {"EMP-1": change}});
    Row {
        kind: "PluvoUser",
        name: "emp-1",
        change: of(change),
        undo: of(undo),
        path,
        entry: "Changed",
        observed: Some(observed),
        mutation,
    }
}

fn group(change: Value, undo: Value, path: &'static str, observed: &'static str) -> Row {
    let of = |change| json!({"groups": {"rnd": change}});
    Row {
        kind: "PluvoGroup",
        name: "rnd",
        change: of(change),
        undo: of(undo),
        path,
        entry: "Changed",
        observed: Some(observed),
        mutation: "updateGroup",
    }
}

fn field(reference: &str, value: Value) -> Value {
    json!({"customFields": {reference: value}})
}

fn row(name: &str) -> Row {
    const VALUES: &str = "updateExtraCategoryValues";
    match name {
        "name" => user(
            json!({"name": "J. Jansen"}),
            json!({"name": "Jane Doe"}),
            "name",
            "J. Jansen",
            "updateUser",
        ),
        "email" => user(
            json!({"email": "x@example.com"}),
            json!({"email": "jane@example.com"}),
            "email",
            "<redacted>",
            "updateUser",
        ),
        "roles" => user(
            json!({"roles": ["MANAGER"]}),
            json!({"roles": ["PARTICIPANT"]}),
            "roles",
            "MANAGER",
            "updateUser",
        ),
        "language" => user(
            json!({"language": "EN"}),
            json!({"language": "NL"}),
            "language",
            "EN",
            "updateUser",
        ),
        "archived" => user(
            json!({"archived": true}),
            json!({"archived": false}),
            "archived",
            "true",
            "updateUser",
        ),
        "text" => user(
            field("department", json!("HR")),
            field("department", json!("R&D")),
            "customFields[department]",
            "<redacted>",
            VALUES,
        ),
        "dateTime" => user(
            field("start-date", json!("2020-01-01T00:00:00Z")),
            field("start-date", json!("2026-08-31T22:00:00Z")),
            "customFields[start-date]",
            "<redacted>",
            VALUES,
        ),
        "bool" => user(
            field("first-aider", json!(false)),
            field("first-aider", json!(true)),
            "customFields[first-aider]",
            "<redacted>",
            VALUES,
        ),
        "choice" => user(
            field("site", json!("Delft")),
            field("site", json!("Utrecht")),
            "customFields[site]",
            "<redacted>",
            VALUES,
        ),
        "choices" => user(
            field("certificates", json!(["EHBO"])),
            field("certificates", json!(["VCA", "BHV"])),
            "customFields[certificates]",
            "<redacted>",
            VALUES,
        ),
        "group name" => group(json!({"name": "Research"}), json!({"name": "R&D"}), "name", "Research"),
        "maxUsers" => group(json!({"maxUsers": 5}), json!({"maxUsers": 100}), "maxUsers", "5"),
        "enableChat" => group(
            json!({"enableChat": false}),
            json!({"enableChat": true}),
            "enableChat",
            "false",
        ),
        "isEditable" => group(
            json!({"isEditable": false}),
            json!({"isEditable": true}),
            "isEditable",
            "false",
        ),
        "group field" => Row {
            mutation: VALUES,
            ..group(
                field("department", json!("HR")),
                field("department", json!("R&D")),
                "customFields[department]",
                "<redacted>",
            )
        },
        "lost member" => Row {
            kind: "PluvoGroupMembership",
            change: json!({"groups": {"rnd": {"removeUsers": ["EMP-1"]}}}),
            undo: json!({"groups": {"rnd": {"users": ["EMP-1"]}}}),
            entry: "Missing",
            observed: None,
            mutation: "addUsersToGroup",
            ..group(json!({}), json!({}), "users[EMP-1]", "")
        },
        "unexpected member" => Row {
            kind: "PluvoGroupMembership",
            change: json!({"groups": {"rnd": {"users": ["OTHER"]}}}),
            undo: json!({"groups": {"rnd": {"removeUsers": ["OTHER"]}}}),
            entry: "Unexpected",
            observed: None,
            mutation: "removeUsersFromGroup",
            ..group(json!({}), json!({}), "users[OTHER]", "")
        },
        "lost participant" => Row {
            kind: "TrainingAssignment",
            name: "safety",
            change: json!({"trainings": {"safety-2026": {"removeParticipants": ["EMP-1"]}}}),
            undo: json!({"trainings": {"safety-2026": {"participants": ["EMP-1"]}}}),
            entry: "Missing",
            observed: None,
            mutation: "addUsersToTraining",
            ..group(json!({}), json!({}), "users[EMP-1]", "")
        },
        other => unreachable!("{other}"),
    }
}

/// The one entry of drift that a resource reports.
fn entry(object: &Value) -> Result<Value> {
    let drift = &object["status"]["drift"];
    ensure!(drift["state"] == "Drifted" && drift["count"] == 1, "{drift}");
    Ok(drift["entries"][0].clone())
}

#[rstest]
#[tokio::test]
async fn drift_is_reported_and_put_right(
    #[values(
        "name",
        "email",
        "roles",
        "language",
        "archived",
        "text",
        "dateTime",
        "bool",
        "choice",
        "choices",
        "group name",
        "maxUsers",
        "enableChat",
        "isEditable",
        "group field",
        "lost member",
        "unexpected member",
        "lost participant"
    )]
    what: &str,
) -> Result {
    let world = World::shared().await?;
    let tenant = world.tenant("drift", json!({})).await?;
    let other = json!({"users": [{"ref": "OTHER", "email": "other@example.com", "name": "Other"}]});
    tenant.organization.seed(&other).await?;
    declare(&tenant).await?;
    let row = row(what);

    // Observe: an entry, no mutation, gone when it is undone.
    tenant.reconnect(json!({"mode": "Observe"})).await?;
    for (kind, name) in ALL {
        tenant
            .until(kind, name, "mode Observe", |object| {
                ensure!(object["status"]["mode"] == "Observe");
                Ok(())
            })
            .await?;
    }
    let before = tenant.mutations().await?;
    tenant.organization.change(&row.change).await?;
    let drifted = tenant
        .reports(row.kind, row.name, "Drifted", "True", "DriftReported")
        .await?;
    let seen = entry(&drifted)?;
    ensure!(seen["path"] == row.path && seen["kind"] == row.entry, "{seen}");
    ensure!(seen["observed"].as_str() == row.observed, "{seen}");
    tenant.sweeps(3).await?;
    let still = entry(&tenant.get(row.kind, row.name).await?)?;
    ensure!(seen == still, "{seen} became {still}");
    tenant.organization.change(&row.undo).await?;
    tenant.ready(row.kind, row.name).await?;
    ensure!(tenant.mutations().await? == before, "mutations in mode Observe");

    // Correct: True, then False; the correction is named; exactly the mutation that was needed.
    tenant.reconnect(json!({"mode": "Correct"})).await?;
    for (kind, name) in ALL {
        tenant
            .until(kind, name, "mode Correct", |object| {
                ensure!(object["status"]["mode"] == "Correct");
                Ok(())
            })
            .await?;
    }
    tenant.organization.change(&row.change).await?;
    let corrected = tenant
        .until(row.kind, row.name, "corrected", |object| {
            let correction = &object["status"]["lastCorrection"];
            ensure!(
                correction["entries"][0]["path"] == row.path && correction["count"] == 1,
                "{correction}"
            );
            Ok(())
        })
        .await?;
    ensure!(condition(&corrected, "Drifted").is_some_and(|drifted| drifted["status"] == "False"));
    let mut expected = before;
    expected.push(row.mutation.to_owned());
    ensure!(tenant.mutations().await? == expected, "{:?}", tenant.mutations().await?);
    // The watch may lag behind what we have read.
    eventually("Drifted was seen to go True, then False", async || {
        let history = drifted_history(world, &tenant, &row)?;
        ensure!(
            history.ends_with(&["True".to_owned(), "False".to_owned()]),
            "{history:?}"
        );
        Ok(())
    })
    .await?;
    Ok(())
}

/// The statuses of Drifted, one per transition, as a watch saw them.
fn drifted_history(world: &World, tenant: &Tenant<'_>, row: &Row) -> Result<Vec<String>> {
    let versions = world.cluster.recorder()?.recorded()?;
    let ours = versions
        .iter()
        .filter(|version| version.is(row.kind, &tenant.namespace, row.name));
    let mut statuses: Vec<String> = ours
        .filter_map(|version| version.condition("Drifted")?["status"].as_str().map(str::to_owned))
        .collect();
    statuses.dedup();
    Ok(statuses)
}
