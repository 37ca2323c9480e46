//! What travels together, and what becomes of it.

use serde_json::json;

use super::*;
use crate::{
    organization::batch::Batch,
    plan::testing::participants,
    pluvo::{error::Error, response::Response},
};

/// So many users, all of them known.
pub(super) fn known(users: usize) -> (Scene, Vec<Id>) {
    let mut pluvo = Pluvo::default();
    let ids = (0..users).map(|number| pluvo.has_user(&format!("U{number:04}"), json!({})));
    let ids = ids.collect();
    let mut scene = Scene::new(pluvo);
    scene.settle();
    (scene, ids)
}

pub(super) fn resource(number: usize) -> ResourceKey {
    reader(&format!("U{number:04}"))
}

/// Every user is renamed by a resource of its own.
fn renamed(scene: &mut Scene, ids: &[Id]) -> Vec<Call> {
    let calls: Vec<_> = ids.iter().map(|id| rename(id, &format!("New {id}"))).collect();
    for (number, call) in calls.iter().enumerate() {
        scene.submit(&resource(number), vec![call.clone()]);
    }
    calls
}

pub(super) fn answered(scene: &mut Scene, batch: &Batch, result: Result<Response, Error>) {
    let sent = scene.now;
    scene.tick(Duration::from_millis(50));
    scene.state.batch_finished(batch, result, sent, scene.now);
}

/// Sends and answers until nothing waits. Returns how many operations each document had.
pub(super) fn carry_out(scene: &mut Scene) -> Vec<usize> {
    let mut sizes = Vec::new();
    while let Some(batch) = scene.document() {
        let response = server::execute(&mut scene.pluvo, &batch);
        sizes.push(batch.entries.len());
        answered(scene, &batch, Ok(response));
    }
    sizes
}

#[test]
fn calls_of_many_resources_fill_documents() {
    let (mut scene, ids) = known(120);
    let calls = renamed(&mut scene, &ids);
    assert_eq!(carry_out(&mut scene), [50, 50, 20]);
    for (number, call) in calls.iter().enumerate() {
        assert_eq!(scene.outcome(&resource(number), call), Some(Outcome::Acknowledged));
    }
}

#[test]
fn a_document_waits_until_it_is_full_or_has_lingered() {
    let (mut scene, ids) = known(50);
    let due = |scene: &mut Scene, expects_more| scene.state.writes_due(expects_more, scene.now);
    renamed(&mut scene, &ids[..49]);
    assert!(matches!(due(&mut scene, false), Next::At(_)), "it lingers");
    scene.submit(&resource(49), vec![rename(&ids[49], "New")]);
    assert!(matches!(due(&mut scene, true), Next::Send(())), "it is full");

    let (mut scene, ids) = known(2);
    renamed(&mut scene, &ids);
    scene.tick(Duration::from_millis(600));
    assert!(matches!(due(&mut scene, false), Next::Send(())), "it has lingered");
    assert!(matches!(due(&mut scene, true), Next::At(_)), "more is about to come");
    scene.tick(Duration::from_secs(5));
    assert!(
        matches!(due(&mut scene, true), Next::Send(())),
        "that has taken long enough"
    );
}

#[test]
fn what_was_not_sent_is_replaced_and_what_is_outdated_is_not_taken() {
    let (mut scene, ids) = known(1);
    scene.submit(&resource(0), vec![rename(&ids[0], "Old")]);
    scene.submit(&resource(0), Vec::new());
    assert!(scene.document().is_none(), "it was taken back");

    let moment = scene.look(&resource(0), |view| {
        view.user_by_ref("U0000");
        view.moment()
    });
    scene.pluvo.change_user("U0000", |user| user.name = "Else".into());
    scene.sweep();
    let taken = scene
        .state
        .submit(&resource(0), vec![rename(&ids[0], "New")], moment, scene.now);
    assert!(!taken, "what the pass had read has changed");
}

#[test]
fn many_subjects_travel_apart_from_calls_on_objects() {
    let (mut scene, ids) = known(52);
    let place = participants(&scene.pluvo.has_group("all", json!({})));
    let travel = |scene: &mut Scene, subjects: usize| {
        scene.submit(&resource(0), vec![rename(&ids[0], &format!("Before {subjects}"))]);
        scene.submit(&reader("m"), vec![add(&place, &ids[..subjects])]);
        scene.tick(Duration::from_millis(1));
        scene.submit(&resource(1), vec![rename(&ids[1], &format!("After {subjects}"))]);
        carry_out(scene)
    };
    assert_eq!(travel(&mut scene, 50), [3]);
    assert_eq!(travel(&mut scene, 51), [2, 1]);
}

#[test]
fn one_refused_entry_is_named_and_the_others_are_asked_for_again() {
    let (mut scene, ids) = known(3);
    scene.pluvo.refused.insert("New u2".into());
    let calls = renamed(&mut scene, &ids);
    let batch = scene.document().unwrap();
    let response = server::execute(&mut scene.pluvo, &batch);
    answered(&mut scene, &batch, Ok(response));
    assert!(matches!(
        scene.outcome(&resource(1), &calls[1]),
        Some(Outcome::Refused(_))
    ));
    for number in [0, 2] {
        assert_eq!(
            scene.outcome(&resource(number), &calls[number]),
            None,
            "what it did is not believed"
        );
        assert_eq!(scene.user(&format!("U{number:04}")), Lookup::Unknown);
    }
    scene.settle();
    assert_eq!(
        scene.user("U0000"),
        Lookup::Found("New u1".into()),
        "it was done, and is read"
    );
}

#[test]
fn what_was_refused_once_travels_alone() {
    let (mut scene, ids) = known(3);
    scene.pluvo.refused.insert("New u2".into());
    renamed(&mut scene, &ids);
    let batch = scene.document().unwrap();
    let response = server::execute(&mut scene.pluvo, &batch);
    answered(&mut scene, &batch, Ok(response));
    scene.settle();
    // Something about the account has changed since, and its resource asks for the same once more, beside others.
    for number in [0, 1, 2] {
        let name = if number == 1 { "New u2" } else { "Newer" };
        scene.submit(&resource(number), vec![rename(&ids[number], name)]);
    }
    let mut sizes = carry_out(&mut scene);
    sizes.sort_unstable();
    assert_eq!(sizes, [1, 2]);
}

#[test]
fn a_document_that_fails_without_a_name_is_halved_until_somebody_is_named() {
    let (mut scene, ids) = known(8);
    let calls = renamed(&mut scene, &ids);
    let mut sizes = Vec::new();
    // A server that rolls back, and says of no document with the fifth call what was wrong with it.
    while let Some(batch) = scene.document() {
        sizes.push(batch.entries.len());
        let has_bad_one = batch.calls().any(|(key, _)| *key == resource(4));
        let response = if has_bad_one {
            Response {
                data: Some(serde_json::Map::new()),
                errors: vec![server::error(&[])],
            }
        } else {
            server::execute(&mut scene.pluvo, &batch)
        };
        answered(&mut scene, &batch, Ok(response));
        scene.settle();
        // Whoever is not as declared asks again, as passes do.
        for (number, call) in calls.iter().enumerate() {
            let done = scene.pluvo.users[&ids[number]].name.starts_with("New");
            let refused = matches!(scene.outcome(&resource(number), call), Some(Outcome::Refused(_)));
            let wanted = if done || refused {
                Vec::new()
            } else {
                vec![call.clone()]
            };
            scene.submit(&resource(number), wanted);
        }
        assert!(sizes.len() < 20, "{sizes:?}");
    }
    assert!(
        matches!(scene.outcome(&resource(4), &calls[4]), Some(Outcome::Refused(_))),
        "{sizes:?}"
    );
    let done = scene
        .pluvo
        .users
        .values()
        .filter(|user| user.name.starts_with("New"))
        .count();
    assert_eq!(done, 7, "its neighbours are served: {sizes:?}");
}

#[test]
fn a_lost_answer_leaves_everything_unknown_until_it_is_read() {
    let (mut scene, ids) = known(2);
    let calls = renamed(&mut scene, &ids);
    let batch = scene.document().unwrap();
    server::execute(&mut scene.pluvo, &batch);
    answered(
        &mut scene,
        &batch,
        Err(Error::Transport(crate::pluvo::error::TransportError::Timeout)),
    );
    assert_eq!(scene.outcome(&resource(0), &calls[0]), None);
    assert_eq!(scene.user("U0000"), Lookup::Unknown);
    scene.tick(Duration::from_secs(2));
    scene.settle();
    assert_eq!(scene.user("U0000"), Lookup::Found("New u1".into()));
}

/// A direct read denies the group before a list does: it is asked for once more behind the list.
#[test]
fn a_deletion_whose_answer_is_lost_is_found_out() {
    let (mut scene, _) = known(1);
    let group = scene.pluvo.has_group("old", json!({}));
    let known = |scene: &mut Scene| scene.look(&resource(0), |view| view.group_by_id(&group));
    assert_eq!(known(&mut scene), Lookup::Unknown);
    scene.settle();
    scene.sweep();
    assert!(matches!(known(&mut scene), Lookup::Found(_)));
    let delete = Call {
        action: Action::Mutate(crate::pluvo::request::Mutation::DeleteGroup(group.clone())),
        ..rename(&group, "")
    };
    scene.submit(&resource(0), vec![delete]);
    let batch = scene.document().unwrap();
    scene.pluvo.groups.remove(&group);
    answered(
        &mut scene,
        &batch,
        Err(Error::Transport(crate::pluvo::error::TransportError::Timeout)),
    );
    assert_eq!(known(&mut scene), Lookup::Unknown);
    scene.tick(Duration::from_secs(2));
    scene.settle();
    scene.sweep();
    scene.settle();
    assert_eq!(known(&mut scene), Lookup::Absent);
}

#[test]
fn memberships_of_one_place_travel_as_one_call_and_are_told_apart() {
    let (mut scene, ids) = known(450);
    let place = participants(&scene.pluvo.has_group("all", json!({})));
    scene.pluvo.unwanted.insert("U0003".into());
    let calls = [add(&place, &ids[..300]), add(&place, &ids[200..])];
    for (number, call) in calls.iter().enumerate() {
        scene.submit(&resource(number), vec![call.clone()]);
    }
    let batch = scene.document().unwrap();
    let sizes: Vec<_> = batch.entries.iter().map(|entry| entry.users().len()).collect();
    assert_eq!(sizes, [200, 200, 50], "everybody once, 200 in a call");
    assert!(scene.document().is_none(), "nobody else writes there meanwhile");
    let response = server::execute(&mut scene.pluvo, &batch);
    answered(&mut scene, &batch, Ok(response));
    let view = scene.state.view(&resource(0), scene.now);
    let outcomes: Vec<_> = calls[0]
        .writes
        .iter()
        .map(|write| view.outcome(&write.fingerprint))
        .collect();
    assert!(matches!(outcomes[3], Some(Outcome::Refused(_))));
    let acknowledged = outcomes
        .iter()
        .filter(|outcome| **outcome == Some(Outcome::Acknowledged))
        .count();
    assert_eq!(acknowledged, 299);
}

#[test]
fn after_a_refused_membership_users_are_asked_for_alone_until_it_is_known_who_it_is() {
    let (mut scene, ids) = known(5);
    let place = participants(&scene.pluvo.has_group("all", json!({})));
    let call = add(&place, &ids[..3]);
    scene.submit(&resource(0), vec![call.clone()]);
    let batch = scene.document().unwrap();
    // A server that fails the whole call for one of them.
    let response = Response {
        data: Some([("m0".to_owned(), serde_json::Value::Null)].into_iter().collect()),
        errors: vec![server::error(&["m0"])],
    };
    answered(&mut scene, &batch, Ok(response));
    // The pass that this wakes finds them in doubt, and wants nothing before they are read.
    scene.submit(&resource(0), Vec::new());
    scene.settle();
    scene.submit(&resource(0), vec![call]);
    assert_eq!(carry_out(&mut scene), [3], "one by one");
    scene.submit(&resource(0), vec![add(&place, &ids[3..])]);
    assert_eq!(carry_out(&mut scene), [1], "later ones together again");
}

#[test]
fn a_successor_leaves_after_the_acknowledgement() {
    let (mut scene, ids) = known(1);
    scene.submit(&resource(0), vec![rename(&ids[0], "First"), rename(&ids[0], "Second")]);
    let first = scene.document().unwrap();
    assert_eq!(first.entries.len(), 1);
    assert!(scene.document().is_none());
    let response = server::execute(&mut scene.pluvo, &first);
    answered(&mut scene, &first, Ok(response));
    assert_eq!(carry_out(&mut scene), [1]);
    assert_eq!(&*scene.pluvo.users[&ids[0]].name, "Second");
}

#[test]
fn a_successor_is_taken_back_if_the_call_before_it_failed() {
    let (mut scene, ids) = known(2);
    scene.pluvo.refused.insert("Bad".into());
    scene.submit(&resource(0), vec![rename(&ids[0], "First"), rename(&ids[0], "Second")]);
    scene.submit(&resource(1), vec![rename(&ids[1], "Bad"), rename(&ids[1], "Worse")]);
    let batch = scene.document().unwrap();
    // A server that rolls back: the first one is not done, although nobody says anything about it.
    let response = server::execute(&mut scene.pluvo.clone(), &batch);
    answered(&mut scene, &batch, Ok(response));
    assert!(scene.document().is_none(), "they decide anew");
    assert!(scene.state.take_woken().0.contains(&resource(0)));
}

#[test]
fn an_accepted_membership_is_on_its_way_until_it_shows_or_has_taken_too_long() {
    let (mut scene, ids) = known(1);
    let place = participants(&scene.pluvo.has_group("all", json!({})));
    scene.sweep();
    scene.pluvo.slow = true;
    scene.submit(&resource(0), vec![add(&place, &ids)]);
    assert_eq!(carry_out(&mut scene), [1]);
    assert_eq!(scene.presence(&place, &ids[0]), Presence::Arriving);
    scene.sweep();
    assert_eq!(
        scene.presence(&place, &ids[0]),
        Presence::Arriving,
        "a read that contradicts it changes nothing"
    );
    scene.pluvo.show();
    scene.sweep();
    assert_eq!(scene.presence(&place, &ids[0]), Presence::Present);

    let mut other = Scene::new(scene.pluvo.clone());
    let id = other.pluvo.has_user("late", json!({}));
    other.settle();
    other.submit(&resource(0), vec![add(&place, std::slice::from_ref(&id))]);
    carry_out(&mut other);
    other.tick(Settings::default().visibility_timeout);
    other.settle();
    assert_eq!(other.presence(&place, &id), Presence::Absent, "now it is drift");
}

#[test]
fn after_a_failure_one_request_at_a_time_finds_out_whether_pluvo_has_recovered() {
    let (mut scene, ids) = known(1);
    scene.state.failed(
        Error::Transport(crate::pluvo::error::TransportError::Timeout),
        scene.now,
    );
    scene.state.request_sweep(None, scene.now);
    scene.submit(&resource(0), vec![rename(&ids[0], "New")]);
    assert!(
        matches!(scene.state.next_inquiry(scene.now), Next::At(_)),
        "it has time"
    );
    let batch = scene.document().unwrap();
    assert!(scene.state.breaker.is_half_open());
    assert!(matches!(scene.state.next_inquiry(scene.now), Next::Nothing));
    let response = server::execute(&mut scene.pluvo, &batch);
    answered(&mut scene, &batch, Ok(response));
    let before = scene.inquiries.len();
    scene.settle();
    assert_eq!(scene.inquiries.len(), before + 1, "the sweep that was asked for");
}
