//! A Pluvo that does not show its schema, or lacks a part of it.

use anyhow::{Context, ensure};
use rstest::rstest;
use serde_json::{Value, json};

use crate::support::{Result, Tenant, World, condition};

/// What nobody needs: where it is absent, less is known.
const NICE_TO_HAVE: [&str; 4] = [
    "Group.userCount",
    "Group.managerCount",
    "ExtraCategory.ref",
    "Training.archived",
];

#[rstest]
#[tokio::test]
async fn without_what_nobody_needs_everything_works(#[values(false, true)] introspection_off: bool) -> Result {
    let world = World::shared().await?;
    let tenant = world.tenant("bare", json!({})).await?;
    // Nobody has talked to this organization yet.
    let name = format!("{}-bare", tenant.namespace);
    let organization = world.sandbox.organization(&name);
    organization
        .faults(&json!({"introspectionOff": introspection_off, "absent": NICE_TO_HAVE}))
        .await?;
    tenant
        .declare(
            "PluvoConnection",
            "bare",
            json!({
                "organization": name, "interval": "1s",
                "credentialsSecretRef": {"name": "pluvo-credentials"},
                "limits": {"requestsPerSecond": 100, "burst": 100},
            }),
        )
        .await?;
    let on = |mut spec: Value| {
        spec["connectionRef"] = json!({"name": "bare"});
        spec
    };
    let fields = json!([{"ref": "department", "text": "Research"}, {"ref": "first-aider", "bool": true}]);
    let user = json!({"ref": "EMP-1", "email": "emp-1@example.com", "name": "Somebody", "customFields": fields});
    tenant.declare("PluvoUser", "jane", on(user)).await?;
    let group = json!({"ref": "rnd", "name": "R&D", "maxUsers": 30});
    tenant.declare("PluvoGroup", "rnd", on(group)).await?;
    let membership = json!({"group": {"ref": "rnd"}, "users": ["EMP-1"]});
    tenant.declare("PluvoGroupMembership", "rnd", on(membership)).await?;
    let assignment = json!({"training": {"ref": "safety-2026"}, "groups": ["rnd"]});
    tenant.declare("TrainingAssignment", "safety", on(assignment)).await?;
    for (kind, name) in [
        ("PluvoUser", "jane"),
        ("PluvoGroup", "rnd"),
        ("PluvoGroupMembership", "rnd"),
        ("TrainingAssignment", "safety"),
    ] {
        tenant
            .ready(kind, name)
            .await
            .with_context(|| format!("{kind} with introspection off: {introspection_off}"))?;
    }
    // What is learned from errors is reported at the end of the next sweep.
    let told = tenant.until("PluvoConnection", "bare", "says what is missing", |connection| {
        let unsupported = &connection["status"]["schema"]["unsupported"];
        let all = unsupported.as_array().context("nothing")?;
        ensure!(
            NICE_TO_HAVE.iter().all(|part| all.contains(&json!(part))),
            "{unsupported}"
        );
        Ok(())
    });
    let connection = told.await?;
    println!(
        "introspection off: {introspection_off}; unsupported: {}",
        connection["status"]["schema"]["unsupported"]
    );
    ensure!(
        condition(&connection, "Ready").is_some_and(|ready| ready["status"] == "True"),
        "{}",
        connection["status"]
    );
    ensure!(condition(&connection, "Stalled").is_none(), "{}", connection["status"]);
    Ok(())
}

/// A part of the schema that the documentation assumes or has on an older page only, a resource that needs it, and what
/// becomes of that where it is absent.
struct Row {
    absent: &'static [&'static str],
    kind: &'static str,
    /// Applied while everything is there, where that matters.
    before: Option<Value>,
    spec: Value,
    /// The reason of `Ready`.
    reason: &'static str,
    /// In a word: what is said, or which mode is taken.
    says: &'static str,
}

fn rows() -> Vec<Row> {
    let row = |absent, kind, spec, reason, says| Row {
        absent,
        kind,
        before: None,
        spec,
        reason,
        says,
    };
    let event = |users: Value| json!({"event": {"ref": "first-aid-sept"}, "users": users, "policy": "Owned", "allowEmpty": true});
    let training = |users: Value| json!({"training": {"ref": "safety-2026"}, "users": users, "policy": "Owned", "allowEmpty": true});
    let field = |values: Value| json!({"ref": "B", "email": "b@example.com", "name": "B", "customFields": values});
    vec![
        row(
            &["Query.enrollment", "Query.enrollments"],
            "EventEnrollment",
            event(json!(["A"])),
            "InSync",
            "\"membersObserved\":false",
        ),
        row(
            &["Mutation.createOfferEventEnrollments"],
            "EventEnrollment",
            event(json!(["A"])),
            "Unsupported",
            "Mutation.createOfferEventEnrollments",
        ),
        row(
            &["Query.offers"],
            "EventEnrollment",
            event(json!(["A"])),
            "Unsupported",
            "Query.offers",
        ),
        Row {
            before: Some(event(json!(["A"]))),
            ..row(
                &["Mutation.unenrollUserFromOfferEvent"],
                "EventEnrollment",
                event(json!([])),
                "Unsupported",
                "Mutation.unenrollUserFromOfferEvent",
            )
        },
        row(
            &["Query.portfolioReport"],
            "ProgressReport",
            json!({"groups": ["all"]}),
            "Unsupported",
            "Query.portfolioReport",
        ),
        row(
            &["Query.paginatedUsers(lastLogin_Lt:)"],
            "InactiveUserReport",
            json!({"inactiveFor": "720h"}),
            "Unsupported",
            "paginatedUsers.lastLogin_Lt",
        ),
        row(
            &["Mutation.removeUsersFromTraining"],
            "TrainingAssignment",
            training(json!(["A"])),
            "InSync",
            "1 in training safety-2026",
        ),
        Row {
            before: Some(training(json!(["A"]))),
            ..row(
                &["Mutation.removeUsersFromTraining"],
                "TrainingAssignment",
                training(json!([])),
                "Unsupported",
                "Mutation.removeUsersFromTraining",
            )
        },
        Row {
            before: Some(json!({"ref": "g", "name": "G"})),
            ..row(
                &["UpdateGroupInput.maxUsers"],
                "PluvoGroup",
                json!({"ref": "g", "name": "Renamed", "maxUsers": 7}),
                "Unsupported",
                "updateGroup.group.maxUsers",
            )
        },
        row(
            &["ExtraCategoryValueInput.booleanValue"],
            "PluvoUser",
            field(json!([{"ref": "first-aider", "bool": true}, {"ref": "department", "text": "R"}])),
            "Unsupported",
            "updateExtraCategoryValues.values.booleanValue",
        ),
        row(
            &["ExtraCategory.ref"],
            "PluvoUser",
            field(json!([{"ref": "department", "text": "R"}])),
            "InSync",
            "Pluvo holds user B as declared",
        ),
        row(
            &["Group.userCount", "Group.managerCount"],
            "PluvoGroupMembership",
            json!({"group": {"ref": "all"}, "users": ["A"]}),
            "InSync",
            "1 in group all",
        ),
    ]
}

#[test]
fn the_table_is_in_the_docs() -> Result {
    let page = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/docs/schema.md"))?;
    let told: Vec<_> = page
        .lines()
        .filter(|line| line.starts_with("| ") && line.contains('.'))
        .collect();
    let rows = rows();
    ensure!(
        told.len() == rows.len(),
        "{} rows are told, {} are tried",
        told.len(),
        rows.len()
    );
    for row in rows {
        let line = format!("| {} | `{}` | `{}` |", row.kind, row.absent[0], row.reason);
        ensure!(
            told.iter().any(|told| told.starts_with(&line)),
            "docs/schema.md has no row {line}"
        );
    }
    Ok(())
}

/// With introspection a part is known to be absent from the beginning; without it is learned from the first error.
#[rstest]
#[tokio::test]
async fn what_needs_an_absent_part_says_so_and_everything_else_goes_on(
    #[values(false, true)] introspection_off: bool,
) -> Result {
    let world = World::shared().await?;
    let tenant = world.tenant("absent", json!({})).await?;
    for (number, row) in rows().into_iter().enumerate() {
        let name = format!("{}-absent-{number}", tenant.namespace);
        missing(world, &tenant, &name, row, introspection_off)
            .await
            .with_context(|| format!("row {number}, introspection off: {introspection_off}"))?;
    }
    Ok(())
}

async fn missing(world: &World, tenant: &Tenant<'_>, name: &str, row: Row, introspection_off: bool) -> Result {
    let organization = world.sandbox.organization(name);
    let people = ["A", "C"].map(|who| json!({"ref": who, "email": format!("{who}@example.com"), "name": who}));
    organization
        .seed(&json!({"users": people, "groups": [{"ref": "all", "name": "All"}]}))
        .await?;
    let faults = json!({"introspectionOff": introspection_off, "absent": row.absent});
    if row.before.is_none() {
        organization.faults(&faults).await?;
    }
    let connection = json!({
        "organization": name, "interval": "1s", "credentialsSecretRef": {"name": "pluvo-credentials"},
        "limits": {"requestsPerSecond": 100, "burst": 100},
        "guard": {"settle": "100ms", "maxDestructive": {"count": 100}},
    });
    tenant.declare("PluvoConnection", name, connection.clone()).await?;
    let on = |mut spec: Value| {
        spec["connectionRef"] = json!({"name": name});
        spec
    };
    if let Some(before) = row.before {
        tenant.declare(row.kind, name, on(before)).await?;
        tenant.ready(row.kind, name).await?;
        // A new process, or another server: what is absent now was there.
        organization.faults(&faults).await?;
        let mut again = connection;
        again["limits"] = json!({"requestsPerSecond": 90, "burst": 90});
        tenant.declare("PluvoConnection", name, again).await?;
    }
    tenant.declare(row.kind, name, on(row.spec)).await?;
    let neighbour = json!({"ref": "C", "email": "C@example.com", "name": "Renamed"});
    tenant.declare("PluvoUser", &format!("{name}-c"), on(neighbour)).await?;
    tenant
        .until(row.kind, name, "says what it lacks, or does without", |object| {
            let ready = condition(object, "Ready").cloned().unwrap_or_default();
            let current = ready["observedGeneration"] == object["metadata"]["generation"];
            let says = object["status"].to_string().contains(row.says);
            ensure!(current && ready["reason"] == row.reason && says, "{}", object["status"]);
            Ok(())
        })
        .await?;
    tenant.ready("PluvoUser", &format!("{name}-c")).await?;
    if row.reason == "Unsupported" {
        let told = tenant.until("PluvoConnection", name, "says what is missing", |connection| {
            let unsupported = connection["status"]["schema"]["unsupported"].to_string();
            ensure!(unsupported.contains(row.says), "{unsupported}");
            Ok(())
        });
        told.await?;
    }
    if row.kind == "PluvoGroup" || row.absent == ["ExtraCategoryValueInput.booleanValue"] {
        let state = organization.state().await?;
        let kept =
            state["groups"]["g"]["name"] == "Renamed" || state["users"]["B"]["customFields"]["department"] == "R";
        ensure!(kept, "what the server understands was not written: {state}");
    }
    Ok(())
}
