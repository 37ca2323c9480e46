//! How an organization is read: by lists or object by object, and what may be concluded from it.

use serde_json::json;

use super::*;
use crate::{
    organization::sweep::Strategy,
    plan::{observed::Key, testing::participants},
    pluvo::request::Query,
};

/// So many users, U0000 and so on, of whom every tenth is archived, and a group.
fn company(users: usize) -> Pluvo {
    let mut pluvo = Pluvo::default();
    for number in 0..users {
        pluvo.has_user(&format!("U{number:04}"), json!({"archived": number % 10 == 9}));
    }
    pluvo.has_group("all", json!({}));
    pluvo
}

fn strategy(scene: &Scene) -> Strategy {
    scene.state.health.sweep.strategy
}

#[test]
fn lists_travel_together_and_are_read_to_their_end() {
    let mut scene = Scene::new(company(1000));
    scene.settle();
    assert_eq!(scene.inquiries.len(), 18, "900 active users, 50 on a page");
    assert_eq!(scene.state.health.sweep.requests, 18);
    assert_eq!(
        scene.user("U0009"),
        Lookup::Found("U0009".into()),
        "archived users are users"
    );
    assert_eq!(scene.user("nobody"), Lookup::Absent);
    assert!(scene.state.health.sweep.completed_at.is_some());
}

#[test]
fn a_few_users_in_a_large_organization_are_read_one_by_one() {
    let mut scene = Scene::new(company(1000));
    scene.settle();
    for number in 0..60 {
        scene.user(&format!("U{number:04}"));
    }
    scene.user("nobody");
    assert_eq!(scene.sweep(), 2, "61 objects, 50 in a request");
    assert_eq!(
        (strategy(&scene), scene.state.health.sweep.requests),
        (Strategy::PointReads, 2)
    );

    scene.pluvo.change_user("U0001", |user| user.name = "Renamed".into());
    scene.pluvo.has_user("nobody", json!({"name": "Somebody"}));
    scene.sweep();
    assert_eq!(scene.user("U0001"), Lookup::Found("Renamed".into()));
    assert_eq!(
        scene.user("nobody"),
        Lookup::Found("Somebody".into()),
        "who was missed has come"
    );
    assert_eq!(
        scene.user("another"),
        Lookup::Unknown,
        "the lists say no longer who does not exist"
    );
    scene.settle();
    assert_eq!(scene.user("another"), Lookup::Absent);
}

#[test]
fn many_users_are_read_by_lists() {
    let mut scene = Scene::new(company(1000));
    scene.settle();
    for number in 0..500 {
        scene.user(&format!("U{number:04}"));
    }
    assert_eq!(scene.sweep(), 18, "500 objects would cost more than half of that");
    assert_eq!(strategy(&scene), Strategy::Lists);
}

#[test]
fn whoever_asks_who_else_is_there_needs_lists() {
    let mut scene = Scene::new(company(1000));
    scene.settle();
    scene.user("U0001");
    scene.sweep();
    assert_eq!(strategy(&scene), Strategy::PointReads);

    let place = participants(scene.pluvo.groups.keys().next().unwrap());
    let everybody = |scene: &mut Scene| scene.look(&reader("exclusive"), |view| view.everybody(&place));
    assert_eq!(everybody(&mut scene), Lookup::Unknown);
    scene.settle();
    assert_eq!(strategy(&scene), Strategy::Lists, "they are read at once");
    assert_eq!(everybody(&mut scene), Lookup::Found(Vec::new()));
    scene.sweep();
    assert_eq!(strategy(&scene), Strategy::Lists);
}

#[test]
fn whom_a_direct_read_denies_is_gone_only_if_the_lists_say_so_too() {
    let mut scene = Scene::new(company(1000));
    scene.settle();
    scene.user("U0001");
    let id = scene.pluvo.id_of("U0001");
    let by_id = |scene: &mut Scene| scene.look(&reader("by-id"), |view| matches!(view.user_by_id(&id), Lookup::Absent));
    assert!(!by_id(&mut scene));
    scene.sweep();
    assert_eq!(strategy(&scene), Strategy::PointReads);

    scene.pluvo.users.remove(&id);
    scene.sweep();
    assert_eq!(strategy(&scene), Strategy::Lists, "the lists were asked at once");
    assert!(by_id(&mut scene));
    assert_eq!(scene.user("U0001"), Lookup::Absent);
    scene.sweep();
    assert_eq!(
        strategy(&scene),
        Strategy::PointReads,
        "direct reads have told the truth"
    );
}

/// Whether a direct read finds archived users is not documented.
#[test]
fn a_server_whose_direct_reads_deny_archived_users_is_read_by_lists() {
    let mut scene = Scene::new(company(1000));
    scene.settle();
    scene.user("U0009");
    let archived = scene.pluvo.id_of("U0009");
    let sweep = |scene: &mut Scene| {
        scene.tick(Settings::default().interval * 2);
        while let Next::Send(inquiry) = next(scene) {
            let mut answers = server::answers(&scene.pluvo, &inquiry);
            for (query, answer) in inquiry.queries().zip(&mut answers) {
                if *query == Query::User(crate::pluvo::request::Selector::Id(archived.clone())) {
                    *answer = Ok(crate::pluvo::request::QueryAnswer::User(None));
                }
            }
            let sent = scene.now;
            scene.tick(Duration::from_millis(1));
            scene.state.inquiry_answered(inquiry, answers, sent, scene.now);
        }
    };
    sweep(&mut scene);
    assert_eq!(strategy(&scene), Strategy::Lists, "the lists were asked at once");
    assert_eq!(scene.user("U0009"), Lookup::Found("U0009".into()));
    sweep(&mut scene);
    assert_eq!(strategy(&scene), Strategy::Lists, "and from then on");
    assert_eq!(scene.user("U0009"), Lookup::Found("U0009".into()));
}

/// The next document of questions, once everything that waits has lingered.
fn next(scene: &mut Scene) -> Next<Inquiry> {
    scene.tick(Duration::from_millis(500));
    scene.state.next_inquiry(scene.now)
}

#[test]
fn a_training_that_comes_later_is_seen_by_the_next_sweep() {
    let mut scene = Scene::new(company(10));
    let training = |scene: &mut Scene| scene.look(&reader("training"), |view| view.training_by_ref("safety"));
    training(&mut scene);
    scene.settle();
    assert_eq!(training(&mut scene), Lookup::Absent);
    scene.pluvo.has_training("safety");
    scene.sweep();
    assert!(matches!(training(&mut scene), Lookup::Found(_)));
}

#[test]
fn a_sweep_waits_while_writes_are_queued_but_not_for_ever() {
    let mut scene = Scene::new(company(100));
    scene.settle();
    let user = scene.pluvo.id_of("U0001");
    scene.submit(&reader("U0001"), vec![rename(&user, "New")]);
    let before = scene.inquiries.len();
    let due = scene.state.schedule.due;
    scene.now = due + Duration::from_secs(1);
    scene.settle();
    assert_eq!(scene.inquiries.len(), before, "a write waits");
    scene.now = due + Settings::default().interval + Duration::from_secs(1);
    scene.settle();
    assert!(scene.inquiries.len() > before);
}

#[test]
fn a_sweep_that_is_asked_for_begins_at_once() {
    let mut scene = Scene::new(company(100));
    scene.settle();
    let needed = scene.state.request_sweep(Some(&reader("U0001")), scene.now);
    scene.settle();
    assert_eq!(scene.state.health.sweep.count, needed);
    assert!(scene.state.take_woken().0.contains(&reader("U0001")));
}

#[test]
fn an_idle_sweep_wakes_nobody() {
    let mut scene = Scene::new(company(100));
    scene.settle();
    for number in 0..100 {
        scene.user(&format!("U{number:04}"));
    }
    scene.state.take_woken();
    scene.sweep();
    assert!(scene.state.take_woken().0.is_empty());
    scene.pluvo.change_user("U0007", |user| user.name = "Renamed".into());
    scene.sweep();
    assert_eq!(scene.state.take_woken().0, [reader("U0007")].into());
}

#[test]
fn who_joins_a_group_wakes_those_who_look_at_the_group_alone() {
    let mut scene = Scene::new(company(100));
    let place = participants(&scene.pluvo.has_group("everybody", json!({})));
    scene.settle();
    let id = scene.pluvo.id_of("U0007");
    scene.user("U0007");
    assert_eq!(scene.presence(&place, &id), Presence::Absent);
    scene.pluvo.move_user(&place, "U0007", true);
    scene.state.take_woken();
    scene.sweep();
    assert_eq!(scene.state.take_woken().0, [reader("presence")].into());
    assert_eq!(scene.presence(&place, &id), Presence::Present);
    scene.pluvo.change_user("U0007", |user| user.name = "Renamed".into());
    scene.sweep();
    assert_eq!(scene.state.take_woken().0, [reader("U0007")].into());

    scene.state.mirror.doubt(&Key::UserId(id), scene.now);
    assert_eq!(scene.user("U0007"), Lookup::Unknown);
    scene.pluvo.move_user(&place, "U0007", false);
    scene.sweep();
    assert_eq!(
        scene.state.take_woken().0,
        [reader("presence"), reader("U0007")].into(),
        "who met the user in doubt looks again, although the user is the same"
    );
}
