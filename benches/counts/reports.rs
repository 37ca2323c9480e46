//! A sweep with everything in it: users, groups, trainings, enrollments, and all reports due at the same time.

use std::collections::BTreeMap;

use anyhow::{Context, ensure};
use serde_json::{Value, json};

use crate::{
    figures::{Figures, count},
    support::{Result, Tenant, World, object},
};

const USERS: usize = 10_000;
const GROUPS: usize = 50;
const TRAININGS: usize = 20;
const EVENTS: usize = 2;
/// In each training, and in each event.
const PARTICIPANTS: usize = 500;
const PAGE: usize = 50;
/// The page that says that nobody is archived.
const ARCHIVED: usize = 1;
/// What is read besides: custom fields, trainings, lists that turn out to be empty.
const REST: usize = 5;

/// Measures one sweep, and one reading of each report.
pub async fn run(figures: &mut Figures) -> Result {
    let world = World::start_with("", &[]).await?;
    let limits = json!({"requestsPerSecond": 200, "burst": 200});
    let tenant = world
        .tenant("reports", json!({"interval": "12h", "limits": limits}))
        .await?;
    let people = json!({"generate": {"users": USERS, "groups": GROUPS}});
    tenant.organization.seed(&people).await?;
    tenant.organization.seed(&courses()).await?;
    tenant.sweep().await?;
    for (kind, name, spec) in subjects() {
        tenant.declare(kind, &name, spec).await?;
    }
    for (kind, name, _) in subjects() {
        tenant.ready(kind, &name).await?;
    }
    // All at once, so that they are due at once.
    let all = reports()
        .into_iter()
        .map(|(kind, name, spec)| object(kind, &name, spec).to_string());
    tenant.apply(&all.collect::<Vec<_>>().join("\n---\n")).await?;
    let first = readings(&tenant, &BTreeMap::new()).await?;
    let before = tenant.organization.stats().await?;
    tenant.sweep().await?;
    let second = readings(&tenant, &first).await?;
    let after = tenant.organization.stats().await?;
    let rows: BTreeMap<_, _> = reports()
        .into_iter()
        .zip(second.values())
        .map(|((kind, _, spec), read)| (format!("{kind} {spec}"), read.rows))
        .collect();

    let asked = |name| asked(&after, name) - asked(&before, name);
    let of_reports: usize = rows.values().map(|rows| rows.div_ceil(PAGE).max(1)).sum();
    let of_users = USERS.div_ceil(PAGE) + ARCHIVED + TRAININGS * PARTICIPANTS.div_ceil(PAGE);
    let pages = asked("portfolioReport") + asked("paginatedUsers");
    ensure!(
        pages == (of_reports + of_users) as u64 && asked("enrollment") == (EVENTS * PARTICIPANTS) as u64,
        "everything is read once: {of_reports} and {of_users} pages, {before} {after}"
    );
    let bound = USERS.div_ceil(PAGE)
        + GROUPS.div_ceil(PAGE)
        + TRAININGS * PARTICIPANTS.div_ceil(PAGE)
        + rows.values().map(|rows| rows.div_ceil(PAGE)).sum::<usize>()
        + (EVENTS * PARTICIPANTS).div_ceil(PAGE)
        + REST;
    let requests = |stats: &Value| stats["httpRequests"].as_f64().context("no httpRequests");
    figures.note(
        "rows of 20 reports that are read, equal ones once",
        count(rows.values().sum()),
    );
    figures.at_most(
        "requests of a sweep of 10,000 users, 50 groups, 20 trainings, 2 enrollments of 500 and 20 reports, all due",
        requests(&after)? - requests(&before)?,
        count(bound),
    );
    figures.at_most("mutations of it", count(tenant.mutations().await?.len()), 0);
    Ok(())
}

fn user(number: usize) -> String {
    format!("user-{:06}", number + 1)
}

/// Whoever takes part in the training or event of a number.
fn participants(number: usize) -> Vec<String> {
    (0..PARTICIPANTS)
        .map(|index| user(number * PARTICIPANTS + index))
        .collect()
}

/// Trainings and events as they are declared.
fn courses() -> Value {
    let training = |number| json!({"ref": format!("t{number}"), "title": format!("T{number}"), "participants": participants(number)});
    let event = |number| {
        let enrollments: BTreeMap<_, _> = participants(number).into_iter().map(|who| (who, "ENROLLED")).collect();
        json!({"ref": format!("e{number}"), "title": "E", "type": "MEETING", "enrollments": enrollments})
    };
    json!({
        "trainings": (0..TRAININGS).map(training).collect::<Vec<_>>(),
        "offers": [{"ref": "courses", "title": "Courses", "events": (0..EVENTS).map(event).collect::<Vec<_>>()}],
    })
}

type Declared = (&'static str, String, Value);

/// Who belongs where, as it is.
fn subjects() -> Vec<Declared> {
    let trainings = (0..TRAININGS).map(|number| {
        let spec = json!({"training": {"ref": format!("t{number}")}, "users": participants(number)});
        ("TrainingAssignment", format!("t{number}"), spec)
    });
    let events = (0..EVENTS).map(|number| {
        let spec = json!({"event": {"ref": format!("e{number}")}, "users": participants(number)});
        ("EventEnrollment", format!("e{number}"), spec)
    });
    trainings.chain(events).collect()
}

/// Twenty, of which two ask for the same as two others. They are due a minute after they were read.
fn reports() -> Vec<Declared> {
    let group = |number: usize| format!("group-{:04}", number % 12 + 1);
    let progress = (0..14).map(|number| ("ProgressReport", json!({"groups": [group(number)]})));
    let all = [
        (
            "ProgressReport",
            json!({"groups": (0..12).map(group).collect::<Vec<_>>()}),
        ),
        ("CertificateMonitor", json!({})),
        ("CertificateMonitor", json!({"groups": [group(0)]})),
        ("CertificateMonitor", json!({"groups": [group(0), group(1)]})),
        ("InactiveUserReport", json!({"inactiveFor": "2160h"})),
        (
            "InactiveUserReport",
            json!({"inactiveFor": "2160h", "includeNeverLoggedIn": true}),
        ),
    ];
    let named = progress.chain(all).enumerate();
    named
        .map(|(number, (kind, mut spec))| {
            spec["interval"] = "1m".into();
            (kind, format!("r{number:02}"), spec)
        })
        .collect()
}

/// What was read last for a report.
struct Read {
    at: Value,
    rows: usize,
}

/// The readings of all reports by name, as soon as they are others than `before`.
async fn readings(tenant: &Tenant<'_>, before: &BTreeMap<String, Read>) -> Result<BTreeMap<String, Read>> {
    let mut readings = BTreeMap::new();
    for (kind, name, _) in reports() {
        let report = tenant.until(kind, &name, "it was read", |report| {
            let at = &report["status"]["read"]["at"];
            ensure!(
                at.is_string() && before.get(&name).is_none_or(|before| before.at != *at),
                "{at}"
            );
            Ok(())
        });
        let read = report.await?["status"]["read"].clone();
        let rows = usize::try_from(read["rows"].as_u64().context("no rows")?)?;
        readings.insert(
            name,
            Read {
                at: read["at"].clone(),
                rows,
            },
        );
    }
    Ok(readings)
}

fn asked(stats: &Value, operation: &str) -> u64 {
    stats["operations"][operation].as_u64().unwrap_or_default()
}
