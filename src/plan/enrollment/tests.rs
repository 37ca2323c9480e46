use rstest::rstest;
use serde_json::{Value, json};

use crate::{
    api::{Kind, common::Target, status::DriftState},
    plan::{
        ResourceKey,
        observed::Place,
        testing::{Cluster, changes, drift, words},
    },
    pluvo::{
        model::{Id, Standing},
        request::Keys,
    },
};

/// An organization with users U1 to U5 and an event, and an enrollment of all of them.
fn scene(event: Value, more: Value) -> (Cluster, ResourceKey, Id) {
    let mut cluster = Cluster::default();
    for number in 1..=5 {
        cluster.pluvo.has_user(&format!("U{number}"), json!({}));
    }
    let id = cluster.pluvo.has_offer_event("sept", event);
    let mut spec = json!({"event": {"ref": "sept"}, "users": ["U1", "U2", "U3", "U4", "U5"]});
    spec.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    let key = cluster.declare(Kind::Enrollment, "e", spec);
    (cluster, key, id)
}

fn stands(cluster: &mut Cluster, event: &Id, reference: &str, standing: Standing) {
    let user = cluster.pluvo.id_of(reference);
    cluster.pluvo.enrollments.insert((event.clone(), user), standing);
    cluster.pluvo.outcomes.clear();
}

fn place(event: &Id) -> Place {
    Place::OfferEvent(Keys {
        id: event.clone(),
        reference: "sept".into(),
    })
}

#[test]
fn everybody_is_enrolled_in_one_call_and_that_is_all() {
    let (mut cluster, key, _) = scene(json!({}), json!({}));
    assert_eq!(words(&cluster.settle()), ["in 5"]);
    let status = cluster.status(&key);
    assert_eq!(cluster.reason(&key), "InSync");
    assert_eq!(status.enrollments.unwrap().enrolled, 5);
    assert_eq!(words(&cluster.settle()), [""; 0]);
}

#[test]
fn to_cancel_or_decline_is_up_to_a_person() {
    let (mut cluster, key, event) = scene(json!({}), json!({"policy": "Owned"}));
    cluster.settle();
    stands(&mut cluster, &event, "U1", Standing::Cancelled);
    stands(&mut cluster, &event, "U2", Standing::Declined);
    assert_eq!(words(&cluster.settle()), [""; 0]);
    let status = cluster.status(&key);
    assert_eq!(cluster.reason(&key), "InSync");
    assert_eq!(status.drift.unwrap().state, DriftState::InSync);
    let counts = status.enrollments.unwrap();
    assert_eq!((counts.enrolled, counts.cancelled, counts.declined), (3, 1, 1));

    cluster.edit(&key, json!({"reenroll": true}));
    assert_eq!(words(&cluster.settle()), ["in 2 for Drift"]);
    assert_eq!(cluster.status(&key).enrollments.unwrap().enrolled, 5);
}

#[test]
fn who_waits_for_a_place_is_enrolled_as_well_as_can_be() {
    let (mut cluster, key, _) = scene(json!({"spotsAvailable": 2, "waitingList": true}), json!({}));
    assert_eq!(words(&cluster.settle()), ["in 5"]);
    assert_eq!(cluster.reason(&key), "InSync");
    let counts = cluster.status(&key).enrollments.unwrap();
    assert_eq!((counts.enrolled, counts.waitlisted), (2, 3));
}

#[test]
fn a_full_event_is_asked_again_only_when_it_has_room() {
    let (mut cluster, key, event) = scene(json!({"spotsAvailable": 2}), json!({"policy": "Owned"}));
    assert_eq!(words(&cluster.settle()), ["in 2"]);
    assert_eq!(cluster.reason(&key), "EventFull");
    let status = cluster.status(&key);
    assert_eq!(status.inventory, ["U1", "U2"], "whoever finds no place was not added");
    assert_eq!(
        (status.subjects.unwrap().applied, status.drift.unwrap().entries.len()),
        (2, 3)
    );
    assert_eq!(words(&cluster.settle()), [""; 0]);

    cluster.pluvo.offer_events.get_mut(&event).unwrap().spots_available = Some(1);
    assert_eq!(words(&cluster.settle()), ["in 1"]);
    assert_eq!(cluster.reason(&key), "EventFull");
    cluster.edit(&key, json!({"users": ["U1", "U2", "U3"]}));
    cluster.settle();
    assert_eq!(cluster.reason(&key), "InSync");
}

#[test]
fn whoever_is_declared_no_longer_is_unenrolled_if_this_resource_enrolled_them() {
    let (mut cluster, key, event) = scene(json!({}), json!({"policy": "Owned", "deletionPolicy": "Unenroll"}));
    stands(&mut cluster, &event, "U1", Standing::Enrolled);
    cluster.settle();
    cluster.edit(&key, json!({"users": ["U3", "U4"]}));
    assert_eq!(words(&cluster.settle()), ["out 2"], "U1 was there before");
    cluster.delete(&key);
    assert_eq!(words(&cluster.settle()), ["out 2 for Deletion"]);
    assert!(!cluster.exists(&key));
    assert_eq!(cluster.pluvo.members(&place(&event)), ["U1".to_owned()].into());
}

#[test]
fn whoever_somebody_else_unenrolls_is_drift() {
    let (mut cluster, key, event) = scene(json!({}), json!({"mode": "Apply"}));
    cluster.settle();
    cluster.pluvo.move_user(&place(&event), "U4", false);
    assert_eq!(words(&cluster.settle()), [""; 0]);
    assert_eq!(cluster.reason(&key), "DriftReported");
    assert_eq!(drift(&cluster.decide(&key)), ["users[U4]"]);
    cluster.edit(&key, json!({"mode": "Correct"}));
    assert_eq!(words(&cluster.settle()), ["in 1 for Drift"]);
}

/// Then the inventory is all that there is.
#[test]
fn where_pluvo_does_not_tell_who_is_enrolled_everybody_is_enrolled_once() {
    let (mut cluster, key, _) = scene(json!({}), json!({"policy": "Owned"}));
    cluster.pluvo.lacking.insert("enrollment");
    assert_eq!(words(&cluster.settle()), ["in 5"]);
    let status = cluster.status(&key);
    assert_eq!(cluster.reason(&key), "InSync");
    assert_eq!(status.members_observed, Some(false));
    assert_eq!(status.drift.unwrap().state, DriftState::Unknown);
    assert!(status.pending.is_empty(), "{:?}", status.pending);

    cluster.restart();
    assert_eq!(words(&cluster.settle()), [""; 0]);
    cluster.edit(&key, json!({"users": ["U1"]}));
    assert_eq!(words(&cluster.settle()), ["out 4"]);
    assert_eq!(cluster.status(&key).inventory, ["U1"]);
}

#[test]
fn in_mode_observe_nothing_is_known_of_them_and_nothing_is_done() {
    let (mut cluster, key, _) = scene(json!({}), json!({"mode": "Observe"}));
    cluster.pluvo.lacking.insert("enrollment");
    assert_eq!(words(&cluster.settle()), [""; 0]);
    assert_eq!(cluster.status(&key).drift.unwrap().state, DriftState::Unknown);
    cluster.pluvo.lacking.clear();
    cluster.settle();
    assert_eq!(cluster.reason(&key), "DriftReported");
    assert_eq!(drift(&cluster.decide(&key)).len(), 5);
    assert_eq!(changes(&cluster.decide(&key)), [""; 0]);
}

#[test]
fn mails_are_asked_for_once() {
    let (mut cluster, key, event) = scene(json!({}), json!({"sendMail": true, "users": ["U1"]}));
    assert_eq!(words(&cluster.settle()), ["in 1 with mail"]);
    cluster.pluvo.move_user(&place(&event), "U1", false);
    assert_eq!(words(&cluster.settle()), ["in 1 for Drift"]);
    assert_eq!(cluster.status(&key).mailed, ["U1"]);
}

#[rstest]
#[case(json!({"cancelled": true}), "was called off")]
#[case(json!({"ref": null}), "has no ref")]
fn an_event_that_nobody_can_be_enrolled_in_is_waited_for(#[case] event: Value, #[case] why: &str) {
    let (mut cluster, _, id) = scene(event, json!({}));
    let target = Target {
        reference: None,
        id: Some(id.0.to_string()),
    };
    let key = cluster.declare(Kind::Enrollment, "by-id", json!({"event": target, "users": ["U1"]}));
    assert_eq!(words(&cluster.settle()), [""; 0]);
    assert_eq!(cluster.reason(&key), "DependencyNotReady");
    let message = cluster.decide(&key).verdict.message;
    assert!(message.contains(why), "{message}");
}
