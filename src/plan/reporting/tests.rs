use std::{collections::BTreeSet, sync::Arc, time::Duration};

use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use crate::{
    api::{Kind, findings::Proposed},
    plan::{
        ResourceKey,
        survey::{LoginFilter, Portfolio, Reading, Survey},
        testing::{Cluster, words},
    },
    pluvo::{model::Id, request::PortfolioFilter},
};

fn filter(groups: &[&Id], types: &[&str]) -> PortfolioFilter {
    PortfolioFilter {
        groups: groups.iter().map(|id| (*id).clone()).collect(),
        types: types.iter().map(|of| (*of).into()).collect(),
    }
}

fn reading<T>(at: Timestamp, requests: u64, content: T) -> Arc<Reading<T>> {
    Arc::new(Reading {
        at,
        rows: 3,
        requests,
        complete: true,
        content,
    })
}

/// Rows of title, progress, completion and end, each of another user.
fn portfolio(rows: &[(&str, Value, Option<&str>, Option<&str>)]) -> Portfolio {
    let mut portfolio = Portfolio::default();
    for (number, (title, progress, completed, end)) in rows.iter().enumerate() {
        let row = json!({
            "user": {"id": format!("u{number}")}, "title": title, "progress": progress,
            "completionDate": completed, "endDate": end,
        });
        portfolio.add(&serde_json::from_value(row).unwrap());
    }
    portfolio
}

fn progress(cluster: &mut Cluster, more: Value) -> ResourceKey {
    let mut spec = json!({"groups": ["g"]});
    spec.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    cluster.declare(Kind::Progress, "p", spec)
}

#[test]
fn a_report_is_read_once_and_again_when_it_is_due() {
    let mut cluster = Cluster::default();
    let group = cluster.pluvo.has_group("g", json!({}));
    let key = progress(&mut cluster, json!({"titles": ["safety", "Other"]}));
    cluster.settle();
    assert_eq!(cluster.reason(&key), "Pending");
    let survey = Survey::Portfolio(filter(&[&group], &["TRAINING"]));
    assert_eq!(cluster.pluvo.asked.take(), [(survey.clone(), None)].into());

    let rows = [
        ("Safety", json!(1.0), Some("2026-01-01"), None),
        ("Safety", json!(0.5), None, None),
        ("Privacy", json!(1.0), Some("2026-01-01"), None),
    ];
    let at = cluster.now;
    let read = reading(at, 1, portfolio(&rows));
    cluster.pluvo.portfolios.insert(filter(&[&group], &["TRAINING"]), read);
    cluster.settle();
    assert_eq!(cluster.reason(&key), "Reported");
    let status = cluster.status(&key);
    let found = status.progress.clone().unwrap();
    assert_eq!((found.rows, found.completed, found.average_percent), (2, 1, Some(75)));
    assert_eq!((found.titles, found.by_training.len()), (1, 1));
    assert_eq!(status.cost.clone().unwrap().predicted_requests, 1);
    let next = at + SignedDuration::from_hours(24);
    assert_eq!(cluster.pluvo.asked.take(), [(survey.clone(), Some(next))].into());

    // After a restart it stands, and is not read before.
    cluster.pluvo.portfolios.clear();
    cluster.settle();
    assert_eq!(cluster.status(&key), status);
    assert_eq!(cluster.pluvo.asked.take(), [(survey, Some(next))].into());
}

#[test]
fn a_group_that_is_missing_is_waited_for() {
    let mut cluster = Cluster::default();
    cluster.pluvo.has_group("G", json!({}));
    let key = progress(&mut cluster, json!({}));
    cluster.settle();
    assert_eq!(cluster.reason(&key), "DependencyNotReady");
    let message = &cluster.status(&key).conditions[0].message;
    assert_eq!(message, "group g does not exist in Pluvo; there is G");

    // What was said is not true any more, though nothing was read yet.
    cluster.pluvo.has_group("g", json!({}));
    assert!(!cluster.decide(&key).verdict.fleeting);
    cluster.settle();
    let message = &cluster.status(&key).conditions[0].message;
    assert_eq!(message, "it is read when everything that was declared is written");
}

#[test]
fn an_interval_that_is_shorter_than_twice_the_reading_is_refused_with_the_arithmetic() {
    let mut cluster = Cluster::default();
    let group = cluster.pluvo.has_group("g", json!({}));
    let key = progress(&mut cluster, json!({"interval": "5m"}));
    let read = reading(cluster.now, 1200, Portfolio::default());
    cluster.pluvo.portfolios.insert(filter(&[&group], &["TRAINING"]), read);
    cluster.settle();
    assert_eq!(cluster.reason(&key), "InvalidSpec");
    let message = cluster.status(&key).conditions[0].message.clone();
    assert!(
        message.contains("interval is 300s") && message.contains("1200 requests") && message.contains("480s"),
        "{message}"
    );
    assert!(cluster.pluvo.asked.take().is_empty(), "it is not read again");

    cluster.connect(json!({"limits": {"requestsPerSecond": 50}}));
    cluster.settle();
    assert_eq!(cluster.reason(&key), "Reported");
}

#[test]
fn certificates_are_judged_by_the_day_of_the_reading() {
    let mut cluster = Cluster::default();
    let spec = json!({"expiringWithin": "72h"});
    let key = cluster.declare(Kind::Certificates, "c", spec);
    let ends = ["2026-08-31", "2026-09-01", "2026-09-04", "2026-09-05"];
    let rows: Vec<_> = ends
        .iter()
        .map(|end| ("VCA", Value::Null, Some("2025-09-01"), Some(*end)))
        .collect();
    let read = reading(cluster.now, 1, portfolio(&rows));
    cluster.pluvo.portfolios.insert(filter(&[], &["CERTIFICATE"]), read);
    cluster.settle();
    let found = cluster.status(&key).certificates.unwrap();
    assert_eq!((found.achieved, found.expiring, found.expired), (4, 2, 1));
    assert_eq!(found.by_certificate[0].title, "VCA");
}

/// An organization in which U1 to U4 have not logged in since 2026-01-01; whether U4 ever has is asked for.
fn inactive(cluster: &mut Cluster, more: Value) -> ResourceKey {
    let mut spec = json!({"inactiveFor": "720h", "includeNeverLoggedIn": true});
    spec.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    for number in 1..=4 {
        cluster.pluvo.has_user(&format!("U{number}"), json!({}));
    }
    cluster.declare(Kind::Inactive, "i", spec)
}

fn read_logins(cluster: &mut Cluster) {
    let logins = cluster.pluvo.users.values().filter(|user| !user.archived).map(|user| {
        let at = (user.reference.as_deref() != Some("U4")).then_some("2026-01-01T00:00:00Z");
        serde_json::from_value(json!({"id": user.id, "ref": user.reference, "lastLogin": at})).unwrap()
    });
    let read = reading(cluster.now, 1, logins.collect());
    let filter = LoginFilter {
        unused_for: Duration::from_hours(720),
        never_used: true,
    };
    cluster.pluvo.last_logins.insert(filter, read);
}

fn archived(cluster: &Cluster) -> BTreeSet<&str> {
    let users = cluster.pluvo.users.values().filter(|user| user.archived);
    users.filter_map(|user| user.reference.as_deref()).collect()
}

#[test]
fn who_is_inactive_is_reported_and_nothing_else() {
    let mut cluster = Cluster::default();
    let key = inactive(
        &mut cluster,
        json!({"exclude": {"users": ["U2"], "userSelector": {"matchLabels": {"a": "b"}}}}),
    );
    let selected = cluster.declare_user("U3", json!({"email": "u3@example.com"}));
    cluster.label(&selected, "a", "b");
    read_logins(&mut cluster);
    cluster.settle();
    let found = cluster.status(&key).inactive.unwrap();
    assert_eq!((found.count, found.never_logged_in, found.excluded), (2, 1, 2));
    assert_eq!(found.refs, ["U4", "U1"]);
    assert!(found.noticed.is_empty() && found.proposed.is_none());
    cluster.now += SignedDuration::from_hours(1000);
    read_logins(&mut cluster);
    cluster.settle();
    assert!(archived(&cluster).is_empty());
}

#[test]
fn archiving_takes_a_grace_period_and_nobody_who_is_declared() {
    let mut cluster = Cluster::default();
    let key = inactive(&mut cluster, json!({"action": "Archive", "gracePeriod": "48h"}));
    cluster.declare_user("U1", json!({}));
    // Declared under another ref, and about to be taken over by its address.
    cluster.declare_user("NEW-2", json!({"email": "u2@example.com", "mode": "Observe"}));
    cluster.pluvo.has_user("BOSS", json!({"roles": ["OWNER"]}));
    read_logins(&mut cluster);
    cluster.settle();
    assert_eq!(cluster.status(&key).inactive.unwrap().noticed.len(), 1);

    cluster.now += SignedDuration::from_hours(47);
    read_logins(&mut cluster);
    cluster.settle();
    assert!(archived(&cluster).is_empty(), "the grace period runs");

    cluster.now += SignedDuration::from_hours(1);
    read_logins(&mut cluster);
    let calls = cluster.pass(&key).calls;
    assert_eq!(words(&calls), ["updateUser", "updateUser"]);
    assert!(
        calls.iter().all(|call| call.destruction.is_some()),
        "the guard counts them"
    );
    cluster.settle();
    assert_eq!(archived(&cluster), ["U3", "U4"].into());
    let found = cluster.status(&key).inactive.unwrap();
    let proposed = Proposed {
        count: 2,
        refs: vec!["U1".to_owned(), "U2".to_owned()],
    };
    assert_eq!((found.proposed, found.protected), (Some(proposed), Some(1)));
}

#[test]
fn whoever_logs_in_within_the_grace_period_is_forgotten() {
    let mut cluster = Cluster::default();
    let key = inactive(&mut cluster, json!({"action": "Archive", "gracePeriod": "1h"}));
    read_logins(&mut cluster);
    cluster.settle();
    cluster.pluvo.last_logins.clear();
    let gone = cluster.pluvo.id_of("U1");
    let boss = cluster.pluvo.users.remove(&gone).unwrap();
    cluster.now += SignedDuration::from_mins(30);
    read_logins(&mut cluster);
    cluster.settle();
    cluster.pluvo.users.insert(gone, boss);
    cluster.now += SignedDuration::from_mins(30);
    read_logins(&mut cluster);
    cluster.settle();
    assert_eq!(archived(&cluster), ["U2", "U3", "U4"].into());
    assert_eq!(cluster.status(&key).inactive.unwrap().noticed.len(), 2);
}

#[test]
fn nobody_is_archived_where_the_connection_only_observes_or_a_claim_is_unknown() {
    let mut cluster = Cluster::default();
    inactive(&mut cluster, json!({"action": "Archive", "gracePeriod": "0s"}));
    cluster.connect(json!({"mode": "Observe"}));
    read_logins(&mut cluster);
    cluster.settle();
    read_logins(&mut cluster);
    assert!(cluster.settle().is_empty());
    cluster.connect(json!({}));
    let unknown = ResourceKey::new(Kind::User, "hr", "broken");
    cluster.registry.set_undecodable(unknown.clone(), None);
    assert!(cluster.settle().is_empty(), "it may declare anybody");
    cluster.registry.remove(&unknown);
    assert_eq!(cluster.settle().len(), 4);
}

#[test]
fn nobody_is_archived_while_it_is_not_understood_who_is_excluded() {
    let mut cluster = Cluster::default();
    let selector = json!({"matchExpressions": [{"key": "site", "operator": "Within", "values": ["Delft"]}]});
    let spec = json!({"action": "Archive", "gracePeriod": "0s", "exclude": {"userSelector": selector}});
    let key = inactive(&mut cluster, spec);
    for _ in 0..2 {
        read_logins(&mut cluster);
        cluster.settle();
    }
    assert!(archived(&cluster).is_empty());
    assert_eq!(cluster.reason(&key), "InvalidSpec");
    let message = &cluster.status(&key).conditions[0].message;
    assert!(message.starts_with("spec.exclude.userSelector: "), "{message}");
}
