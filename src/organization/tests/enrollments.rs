//! Offer events: found by ref in the list of all, enrollments read one by one, 50 in a request.

use std::sync::Arc;

use serde_json::json;

use super::*;
use crate::pluvo::{response::EntryError, support::Unsupported};

/// An organization with users and an event, of which everything was read once.
fn scene(users: usize, event: serde_json::Value) -> (Scene, Place, Vec<Id>) {
    let mut pluvo = Pluvo::default();
    let ids = (0..users)
        .map(|n| pluvo.has_user(&format!("U{n:03}"), json!({})))
        .collect();
    let id = pluvo.has_offer_event("sept", event);
    let mut scene = Scene::new(pluvo);
    scene.settle();
    let place = Place::OfferEvent(Keys {
        id,
        reference: "sept".into(),
    });
    (scene, place, ids)
}

fn presences(scene: &mut Scene, place: &Place, ids: &[Id]) -> Vec<Presence> {
    scene.look(&reader("enrollment"), |view| {
        ids.iter().map(|id| view.presence(place, id)).collect()
    })
}

#[test]
fn fifty_enrollments_are_one_request_and_are_read_again_in_every_sweep() {
    let (mut scene, place, ids) = scene(120, json!({}));
    assert_eq!(presences(&mut scene, &place, &ids), [Presence::Unknown; 120]);
    let before = scene.inquiries.len();
    scene.settle();
    assert_eq!(scene.inquiries.len() - before, 3);
    assert_eq!(presences(&mut scene, &place, &ids), [Presence::Absent; 120]);

    scene.pluvo.move_user(&place, "U007", true);
    let lists = 3;
    assert_eq!(scene.sweep(), lists + 3);
    assert_eq!(presences(&mut scene, &place, &ids)[7], Presence::Present);
}

#[test]
fn an_event_is_found_by_its_ref_among_those_of_all_offers() {
    let (mut scene, ..) = scene(1, json!({}));
    let find = |scene: &mut Scene, reference: &str| {
        scene.look(&reader(reference), |view| {
            view.offer_event_by_ref(reference).map(|event| event.id.clone())
        })
    };
    for reference in ["sept", "oct"] {
        assert_eq!(find(&mut scene, reference), Lookup::Unknown);
    }
    let before = scene.inquiries.len();
    scene.settle();
    assert_eq!(scene.inquiries.len() - before, 1, "both are in one list");
    assert!(matches!(find(&mut scene, "sept"), Lookup::Found(_)));
    assert_eq!(find(&mut scene, "oct"), Lookup::Absent);

    let id = scene.pluvo.has_offer_event("oct", json!({}));
    scene.sweep();
    assert!(scene.state.take_woken().0.contains(&reader("oct")));
    assert_eq!(find(&mut scene, "oct"), Lookup::Found(id.clone()));
    scene.pluvo.offer_events.remove(&id);
    scene.sweep();
    assert_eq!(find(&mut scene, "oct"), Lookup::Absent);
}

#[test]
fn whoever_an_answer_does_not_name_is_read_and_if_not_there_refused() {
    let (mut scene, place, ids) = scene(3, json!({"spotsAvailable": 1}));
    scene.pluvo.move_user(&place, "U000", true);
    scene.pluvo.has_user("U003", json!({}));
    presences(&mut scene, &place, &ids);
    scene.settle();
    assert_eq!(
        presences(&mut scene, &place, &ids),
        [Presence::Present, Presence::Absent, Presence::Absent]
    );
    let call = add(&place, &ids[1..]);
    scene.submit(&reader("enrollment"), vec![call]);
    let batch = scene.document().unwrap();
    let response = server::execute(&mut scene.pluvo, &batch);
    let sent = scene.now;
    scene.tick(Duration::from_millis(50));
    scene.state.batch_finished(&batch, Ok(response), sent, scene.now);
    assert_eq!(
        presences(&mut scene, &place, &ids)[1],
        Presence::Unknown,
        "there was no room for anybody"
    );
    scene.settle();
    let alone = add(&place, &ids[1..2]);
    assert!(matches!(
        scene.outcome(&reader("enrollment"), &alone),
        Some(Outcome::Refused(_))
    ));
    assert_eq!(presences(&mut scene, &place, &ids)[1], Presence::Absent);
}

#[test]
fn a_server_that_does_not_tell_is_not_asked() {
    let (mut scene, place, ids) = scene(2, json!({}));
    let mut unsupported = Unsupported::default();
    unsupported.insert("Query", "enrollment");
    presences(&mut scene, &place, &ids);
    scene.state.learn(Arc::new(unsupported));
    assert!(scene.state.take_woken().0.contains(&reader("enrollment")));
    let before = scene.inquiries.len();
    scene.settle();
    assert_eq!(presences(&mut scene, &place, &ids), [Presence::Unobservable; 2]);
    assert_eq!(scene.inquiries.len(), before);
}

#[test]
fn what_pluvo_refuses_to_tell_is_said_once_and_forgotten_when_it_tells() {
    let (mut scene, place, ids) = scene(1, json!({}));
    presences(&mut scene, &place, &ids);
    let refuse = |scene: &mut Scene| {
        scene.tick(Duration::from_secs(1));
        let Next::Send(inquiry) = scene.state.next_inquiry(scene.now) else {
            panic!("nothing is asked")
        };
        scene
            .state
            .inquiry_answered(inquiry, vec![Err(EntryError::Unanswered)], scene.now, scene.now);
        scene.state.take_woken().0.contains(&reader("enrollment"))
    };
    let refusal = |scene: &mut Scene| {
        scene.look(&reader("enrollment"), |view| {
            view.presence(&place, &ids[0]);
            view.unreadable()
        })
    };
    assert!(refuse(&mut scene));
    assert!(refusal(&mut scene).is_some(), "and it is asked again");
    assert!(!refuse(&mut scene), "nothing is new");
    refusal(&mut scene);
    scene.settle();
    assert_eq!(refusal(&mut scene), None);
}
