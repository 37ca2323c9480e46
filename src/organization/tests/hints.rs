//! What webhooks tell is read again: once for however many of them, and only where somebody needs it.

use serde_json::json;

use super::*;
use crate::{
    plan::testing::participants,
    pluvo::{request::Query, webhook::Notice},
};

/// An organization with three users, of whom the first two are in a group that somebody reads.
fn scene() -> (Scene, Place, Id) {
    let mut pluvo = Pluvo::default();
    let group = pluvo.has_group("all", json!({}));
    for name in ["A", "B", "C"] {
        pluvo.has_user(name, json!({}));
    }
    let place = participants(&group);
    for name in ["A", "B"] {
        pluvo.move_user(&place, name, true);
    }
    let mut scene = Scene::new(pluvo);
    scene.settle();
    read(&mut scene, &place);
    scene.state.take_woken();
    (scene, place, group)
}

fn read(scene: &mut Scene, place: &Place) -> usize {
    let everybody = scene.look(&reader("assignment"), |view| {
        view.group_by_ref("all");
        view.everybody(place)
    });
    everybody.found().unwrap().len()
}

fn about_user(scene: &Scene, name: &str) -> Notice {
    Notice::User {
        id: scene.pluvo.id_of(name),
        reference: None,
        email: None,
    }
}

fn about_group(group: &Id) -> Notice {
    Notice::Group {
        id: group.clone(),
        reference: None,
    }
}

/// What was asked since `before`.
fn asked(scene: &Scene, before: usize) -> Vec<Vec<Query>> {
    let inquiries = scene.inquiries[before..].iter();
    inquiries.map(|inquiry| inquiry.queries().cloned().collect()).collect()
}

#[test]
fn however_often_something_is_told_it_is_read_once() {
    let (mut scene, ..) = scene();
    let before = scene.inquiries.len();
    scene.pluvo.change_user("A", |user| user.name = "Renamed".into());
    for _ in 0..1000 {
        for name in ["A", "B"] {
            assert!(scene.state.hint(&about_user(&scene, name), scene.now));
        }
    }
    scene.settle();
    let asked = asked(&scene, before);
    assert_eq!((asked.len(), asked[0].len()), (1, 2), "{asked:?}");
    assert_eq!(scene.user("A"), Lookup::Found("Renamed".into()));
}

#[test]
fn a_read_that_was_sent_before_the_hint_does_not_count() {
    let (mut scene, ..) = scene();
    scene.state.hint(&about_user(&scene, "A"), scene.now);
    scene.tick(Duration::from_secs(1));
    let Next::Send(early) = scene.state.next_inquiry(scene.now) else {
        panic!("nothing is asked")
    };
    let (answers, sent) = (server::answers(&scene.pluvo, &early), scene.now);
    scene.pluvo.change_user("A", |user| user.name = "Renamed".into());
    scene.tick(Duration::from_millis(1));
    scene.state.hint(&about_user(&scene, "A"), scene.now);
    scene.state.inquiry_answered(early, answers, sent, scene.now);
    let before = scene.inquiries.len();
    scene.settle();
    assert_eq!(asked(&scene, before).len(), 1);
    assert_eq!(scene.user("A"), Lookup::Found("Renamed".into()));
}

#[test]
fn what_nobody_needs_is_not_read() {
    let (mut scene, ..) = scene();
    let before = scene.inquiries.len();
    let stranger = Notice::User {
        id: "stranger".into(),
        reference: Some("Z".into()),
        email: None,
    };
    assert!(!scene.state.hint(&stranger, scene.now));
    assert!(!scene.state.hint(&about_group(&Id::from("other")), scene.now));
    assert!(!scene.state.hint(&Notice::Other, scene.now));
    scene.settle();
    assert_eq!(scene.inquiries.len(), before);
    scene.user("Z");
    assert!(scene.state.hint(&stranger, scene.now), "somebody waits for that ref");
}

#[test]
fn of_a_group_the_members_are_read_if_their_number_is_another_one() {
    let (mut scene, place, group) = scene();
    let before = scene.inquiries.len();
    assert!(scene.state.hint(&about_group(&group), scene.now));
    scene.settle();
    let echo = asked(&scene, before);
    assert_eq!((echo.len(), echo[0].len()), (1, 2), "the group and its size: {echo:?}");
    assert!(scene.state.take_woken().0.is_empty(), "nothing is new");

    scene.pluvo.move_user(&place, "C", true);
    scene.state.hint(&about_group(&group), scene.now);
    let before = scene.inquiries.len();
    scene.settle();
    let joined = asked(&scene, before);
    assert!(matches!(joined[1][..], [Query::GroupMembers { .. }]), "{joined:?}");
    assert!(scene.state.take_woken().0.contains(&reader("assignment")));
    assert_eq!(read(&mut scene, &place), 3);

    scene.pluvo.move_user(&place, "A", false);
    scene.state.hint(&about_group(&group), scene.now);
    scene.settle();
    assert_eq!(read(&mut scene, &place), 2, "whoever was not seen was asked for");
}

#[test]
fn a_group_that_is_read_by_its_ref_is_known_by_its_id() {
    let (mut scene, _, group) = scene();
    scene.state.forget(&reader("assignment"), scene.now);
    scene.look(&reader("group"), |view| {
        view.group_by_ref("all");
    });
    assert!(scene.state.hint(&about_group(&group), scene.now));
}

#[test]
fn hints_take_half_of_the_requests_at_most() {
    let (mut scene, ..) = scene();
    let (begin, before) = (scene.now, scene.inquiries.len());
    while scene.now < begin + Duration::from_secs(10) {
        scene.state.hint(&about_user(&scene, "A"), scene.now);
        scene.tick(Duration::from_millis(10));
        if let Next::Send(inquiry) = scene.state.next_inquiry(scene.now) {
            scene.exchange(inquiry);
        }
    }
    let requests = asked(&scene, before).len();
    assert!(
        (13..=26).contains(&requests),
        "5 a second, so half of 50 in 10 seconds: {requests}"
    );
}
