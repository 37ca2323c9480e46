//! Users in offer events: recipe 3 of the Pluvo documentation.

use std::collections::BTreeMap;

use anyhow::ensure;
use rstest::rstest;
use serde_json::{Value, json};

use crate::support::{NO_EVENTS, OPERATOR, Result, Tenant, World};

/// An offer with events; `events` are merged into it.
async fn offers(tenant: &Tenant<'_>, events: Value) -> Result {
    tenant
        .organization
        .seed(&json!({"offers": [{"ref": "courses", "title": "Courses", "events": events}]}))
        .await
}

fn user(reference: &str) -> Value {
    let email = format!("{}@example.com", reference.to_lowercase());
    json!({"ref": reference, "email": email, "name": reference})
}

/// Who stands how to an event.
fn enrollments(state: &Value, event: &str) -> BTreeMap<String, String> {
    let all = &state["offers"]["courses"]["events"][event]["enrollments"];
    serde_json::from_value(all.clone()).unwrap_or_default()
}

fn count(state: &Value, event: &str, status: &str) -> usize {
    enrollments(state, event)
        .values()
        .filter(|held| *held == status)
        .count()
}

#[tokio::test]
async fn everybody_in_a_group_is_enrolled_however_many_they_are() -> Result {
    let world = World::shared().await?;
    let tenant = world.tenant("enrollment", json!({})).await?;
    let sizes = [0_usize, 51, 1000];
    let users: Vec<_> = (1..=1000).map(|number| format!("U{number:04}")).collect();
    let groups = sizes.map(|size| json!({"ref": format!("g{size}"), "name": "G", "users": users[..size]}));
    let people: Vec<_> = users.iter().map(|reference| user(reference)).collect();
    tenant
        .organization
        .seed(&json!({"users": people, "groups": groups}))
        .await?;
    let events = sizes.map(|size| json!({"ref": format!("e{size}"), "title": "E", "type": "MEETING"}));
    offers(&tenant, json!(events)).await?;
    for size in sizes {
        let spec = json!({"event": {"ref": format!("e{size}")}, "groups": [format!("g{size}")]});
        tenant.declare("EventEnrollment", &format!("e{size}"), spec).await?;
    }
    for size in sizes {
        let object = tenant.ready("EventEnrollment", &format!("e{size}")).await?;
        let counts = &object["status"]["enrollments"];
        let expected = json!({"enrolled": size, "waitlisted": 0, "cancelled": 0, "declined": 0});
        ensure!(size == 0 || *counts == expected, "{counts}");
        let subjects = &object["status"]["subjects"];
        ensure!(
            subjects["declared"] == size && subjects["applied"] == size,
            "{subjects}"
        );
    }
    let state = tenant.organization.state().await?;
    for size in sizes {
        let event = format!("e{size}");
        ensure!(count(&state, &event, "ENROLLED") == size && enrollments(&state, &event).len() == size);
    }
    let mutations = tenant.mutations().await?;
    ensure!(
        mutations == vec!["createOfferEventEnrollments"; 6],
        "200 in a call: {mutations:?}"
    );
    ensure!(tenant.organization.outbox().await?.is_empty());

    // Somebody joins the group, behind the operator's back.
    tenant
        .organization
        .change(&json!({"groups": {"g51": {"users": ["U0052"]}}}))
        .await?;
    tenant
        .pluvo("whoever has joined is enrolled", |state| {
            count(state, "e51", "ENROLLED") == 52
        })
        .await?;
    tenant.sweeps(2).await?;
    ensure!(tenant.mutations().await?.len() == 7, "nobody is enrolled twice");
    Ok(())
}

#[tokio::test]
async fn a_full_event_waits_for_room_and_one_with_a_waiting_list_does_not() -> Result {
    let world = World::shared().await?;
    let tenant = world.tenant("full", json!({})).await?;
    let refs = ["A", "B", "C", "D"];
    tenant.organization.seed(&json!({"users": refs.map(user)})).await?;
    offers(
        &tenant,
        json!([
            {"ref": "small", "title": "Small", "type": "MEETING", "maxSubscriptions": 2},
            {"ref": "listed", "title": "Listed", "type": "MEETING", "maxSubscriptions": 2, "waitingList": true},
        ]),
    )
    .await?;
    for event in ["small", "listed"] {
        let spec = json!({"event": {"ref": event}, "users": refs, "policy": "Owned", "deletionPolicy": "Unenroll"});
        tenant.declare("EventEnrollment", event, spec).await?;
    }
    let listed = tenant.ready("EventEnrollment", "listed").await?;
    ensure!(
        listed["status"]["enrollments"] == json!({"enrolled": 2, "waitlisted": 2, "cancelled": 0, "declined": 0}),
        "{}",
        listed["status"]
    );
    let full = tenant
        .reports("EventEnrollment", "small", "Stalled", "True", "EventFull")
        .await?;
    ensure!(full["status"]["subjects"]["applied"] == 2, "{}", full["status"]);
    let state = tenant.organization.state().await?;
    ensure!(count(&state, "small", "ENROLLED") == 2 && count(&state, "listed", "WAITLISTED") == 2);

    let before = tenant.mutations().await?.len();
    tenant.sweeps(2).await?;
    ensure!(
        tenant.mutations().await?.len() == before,
        "it is not asked while it is full"
    );

    // Somebody cancels, so that there is room for one more.
    let cancels = json!({"offers": {"courses": {"events": [{"ref": "small", "enrollments": {"A": "CANCELLED"}}]}}});
    tenant.organization.change(&cancels).await?;
    tenant
        .pluvo("the next one has the place", |state| {
            enrollments(state, "small").get("C").map(String::as_str) == Some("ENROLLED")
        })
        .await?;
    tenant
        .until("EventEnrollment", "small", "says who has cancelled", |object| {
            let counts = &object["status"]["enrollments"];
            ensure!(counts["enrolled"] == 2 && counts["cancelled"] == 1, "{counts}");
            Ok(())
        })
        .await?;
    let state = tenant.organization.state().await?;
    ensure!(enrollments(&state, "small")["A"] == "CANCELLED", "that was up to A");

    for event in ["small", "listed"] {
        tenant.delete("EventEnrollment", event).await?;
        tenant.gone("EventEnrollment", event).await?;
    }
    let state = tenant.organization.state().await?;
    ensure!(count(&state, "small", "ENROLLED") + count(&state, "listed", "WAITLISTED") == 0);
    Ok(())
}

#[tokio::test]
async fn an_event_that_does_not_exist_is_waited_for() -> Result {
    let world = World::shared().await?;
    let tenant = world.tenant("no-event", json!({})).await?;
    tenant.organization.seed(&json!({"users": [user("A")]})).await?;
    offers(
        &tenant,
        json!([{"ref": "basics-sept", "title": "September", "type": "MEETING"}]),
    )
    .await?;
    let spec = json!({"event": {"ref": "basics-sep"}, "users": ["A"], "dependencyTimeout": "1s"});
    tenant.declare("EventEnrollment", "e", spec).await?;
    let object = tenant
        .reports("EventEnrollment", "e", "Stalled", "True", "DependencyNotReady")
        .await?;
    let text = object["status"].to_string();
    ensure!(text.contains("there is basics-sept"), "{text}");
    offers_more(&tenant, "basics-sep").await?;
    tenant.ready("EventEnrollment", "e").await?;
    Ok(())
}

/// Another event of the offer.
async fn offers_more(tenant: &Tenant<'_>, event: &str) -> Result {
    let event = json!({"ref": event, "title": "Another", "type": "MEETING"});
    tenant
        .organization
        .change(&json!({"offers": {"courses": {"events": [event]}}}))
        .await
}

/// Whether Pluvo takes an enrollment out or marks it as cancelled is not documented.
#[rstest]
#[tokio::test]
async fn whoever_leaves_the_list_is_unenrolled_and_whoever_cancels_stays_away(
    #[values("removed", "cancelled")] unenrolled: &str,
) -> Result {
    let world = World::shared().await?;
    let tenant = world.tenant("unenroll", json!({})).await?;
    tenant.organization.settings(&json!({"unenrolled": unenrolled})).await?;
    let people = ["A", "B", "C"].map(user);
    tenant.organization.seed(&json!({"users": people})).await?;
    offers(
        &tenant,
        json!([{"ref": "sept", "title": "September", "type": "MEETING"}]),
    )
    .await?;
    let spec = |users: &[&str], reenroll: bool| json!({"event": {"ref": "sept"}, "users": users, "policy": "Owned", "reenroll": reenroll});
    tenant
        .declare("EventEnrollment", "e", spec(&["A", "B", "C"], false))
        .await?;
    tenant.ready("EventEnrollment", "e").await?;
    let declines = json!({"offers": {"courses": {"events": [{"ref": "sept", "enrollments": {"A": "DECLINED"}}]}}});
    tenant.organization.change(&declines).await?;
    tenant.declare("EventEnrollment", "e", spec(&["A", "B"], false)).await?;
    tenant
        .pluvo("C is out, A has declined", |state| {
            let held = enrollments(state, "sept");
            let is = |who: &str| held.get(who).map(String::as_str);
            is("A") == Some("DECLINED") && is("B") == Some("ENROLLED") && is("C") != Some("ENROLLED")
        })
        .await?;
    tenant.ready("EventEnrollment", "e").await?;
    tenant.sweeps(2).await?;
    let mutations = tenant.mutations().await?;
    ensure!(
        mutations == ["createOfferEventEnrollments", "unenrollUserFromOfferEvent"],
        "{mutations:?}"
    );

    tenant.declare("EventEnrollment", "e", spec(&["A", "B"], true)).await?;
    tenant
        .pluvo("A is enrolled again", |state| {
            enrollments(state, "sept").get("A").map(String::as_str) == Some("ENROLLED")
        })
        .await?;
    tenant.ready("EventEnrollment", "e").await?;
    Ok(())
}

/// The queries for enrollments stand on an older page of the documentation.
#[tokio::test]
async fn a_server_that_does_not_tell_who_is_enrolled_is_asked_once() -> Result {
    let world = World::shared().await?;
    let tenant = world.tenant("untold", json!({})).await?;
    let name = format!("{}-old", tenant.namespace);
    let organization = world.sandbox.organization(&name);
    organization
        .faults(&json!({"absent": ["Query.enrollment", "Query.enrollments"]}))
        .await?;
    organization
        .seed(&json!({
            "users": [user("A"), user("B")],
            "offers": [{"ref": "o", "title": "O", "events": [{"ref": "sept", "title": "S", "type": "MEETING"}]}],
        }))
        .await?;
    let connection = json!({
        "organization": name, "interval": "1s", "credentialsSecretRef": {"name": "pluvo-credentials"},
        "limits": {"requestsPerSecond": 100, "burst": 100},
    });
    tenant.declare("PluvoConnection", "old", connection).await?;
    let spec = json!({"connectionRef": {"name": "old"}, "event": {"ref": "sept"}, "users": ["A", "B"]});
    tenant.declare("EventEnrollment", "e", spec).await?;
    let object = tenant.ready("EventEnrollment", "e").await?;
    ensure!(
        object["status"]["membersObserved"] == json!(false) && object["status"]["drift"]["state"] == "Unknown",
        "{}",
        object["status"]
    );
    // A request to reconcile is handled when everything was read once more.
    tenant
        .annotate("EventEnrollment", "e", "pluvo.dev/reconcile-requested-at", "now")
        .await?;
    tenant
        .until("EventEnrollment", "e", "has been looked at once more", |object| {
            ensure!(
                object["status"]["lastHandledReconcileAt"] == "now",
                "{}",
                object["status"]
            );
            Ok(())
        })
        .await?;
    let log = organization.log().await?;
    ensure!(log.len() == 1, "{log:?}");
    Ok(())
}

/// Pluvo hands out scopes one by one.
#[tokio::test]
async fn a_client_that_may_not_touch_events_is_told_so_and_does_the_rest() -> Result {
    let world = World::shared().await?;
    let tenant = world.tenant("no-scope", json!({})).await?;
    let organization = &tenant.organization;
    organization
        .seed(&json!({"users": [user("A")], "groups": [{"ref": "g", "name": "G"}]}))
        .await?;
    offers(
        &tenant,
        json!([{"ref": "sept", "title": "September", "type": "MEETING"}]),
    )
    .await?;
    tenant.secret(NO_EVENTS.0, NO_EVENTS.1).await?;
    tenant.sweeps(1).await?;
    let spec = json!({"event": {"ref": "sept"}, "users": ["A"]});
    tenant.declare("EventEnrollment", "e", spec).await?;
    let members = json!({"group": {"ref": "g"}, "users": ["A"]});
    tenant.declare("PluvoGroupMembership", "g", members).await?;
    let refused = tenant
        .reports("EventEnrollment", "e", "Stalled", "True", "ApiRejected")
        .await?;
    let text = refused["status"].to_string();
    ensure!(text.contains("does the API client have all scopes?"), "{text}");
    tenant.ready("PluvoGroupMembership", "g").await?;

    tenant.secret(OPERATOR.0, OPERATOR.1).await?;
    tenant.ready("EventEnrollment", "e").await?;
    Ok(())
}
