//! Reports are read behind everything else, once for all who ask for the same.

use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use serde_json::json;

use super::{super::surveys::PATIENCE, *};
use crate::{
    plan::{
        call::Destruction,
        survey::{Portfolio, Reading, Survey},
    },
    pluvo::{
        model::{EnumValue, day},
        request::{PortfolioFilter, Query},
        support::Unsupported,
        webhook::{Achieved, Notice},
    },
};

fn about(of: &str) -> PortfolioFilter {
    PortfolioFilter {
        groups: [].into(),
        types: [EnumValue::from(of)].into(),
    }
}

/// An organization in which so many rows are about trainings, and so many certificates were achieved, that was swept.
fn scene(trainings: usize, certificates: usize) -> Scene {
    let mut pluvo = Pluvo::default();
    for (of, count) in [("TRAINING", trainings), ("CERTIFICATE", certificates)] {
        for number in 0..count {
            let row = json!({"user": {"id": format!("u{number}")}, "title": "T", "completionDate": "2026-01-01"});
            pluvo.rows.push((of.into(), serde_json::from_value(row).unwrap()));
        }
    }
    let mut scene = Scene::new(pluvo);
    scene.settle();
    scene.state.take_woken();
    scene
}

/// A pass of a report that is to be read every so many hours.
fn report(scene: &mut Scene, name: &str, filter: &PortfolioFilter, hours: i64) -> Option<Arc<Reading<Portfolio>>> {
    scene.look(&reader(name), |view| {
        let found = view.portfolio(filter).found();
        let next = found
            .as_ref()
            .map(|reading| reading.at + SignedDuration::from_hours(hours));
        view.ask_by(Survey::Portfolio(filter.clone()), next);
        found
    })
}

/// How many pages of surveys each request since `before` held.
fn pages(scene: &Scene, before: usize) -> Vec<usize> {
    let is_page = |query: &&Query| matches!(query, Query::Portfolio { .. });
    let inquiries = scene.inquiries[before..].iter();
    inquiries
        .map(|inquiry| inquiry.queries().filter(is_page).count())
        .collect()
}

/// The next request leaves and is answered.
fn exchange_one(scene: &mut Scene) {
    scene.tick(QUIET);
    let Next::Send(inquiry) = scene.state.next_inquiry(scene.now) else {
        panic!("nothing is asked for");
    };
    scene.exchange(inquiry);
}

fn told(user: &str) -> Notice {
    Notice::Achieved(Achieved {
        user: user.into(),
        title: "T".into(),
        on: day("2026-01-01"),
        ends: None,
    })
}

#[test]
fn equal_reports_share_a_read_and_different_ones_travel_together() {
    let mut scene = scene(120, 30);
    let before = scene.inquiries.len();
    for name in ["a", "b"] {
        assert!(report(&mut scene, name, &about("TRAINING"), 24).is_none());
    }
    report(&mut scene, "c", &about("CERTIFICATE"), 24);
    scene.settle();
    assert_eq!(pages(&scene, before), [2, 1, 1]);
    let woken = scene.state.take_woken().0;
    assert_eq!(woken, ["a", "b", "c"].map(reader).into());
    let found = report(&mut scene, "a", &about("TRAINING"), 24).unwrap();
    assert_eq!((found.rows, found.requests, found.complete), (120, 3, true));
    assert_eq!(found.content.titles["T"].rows, 120);

    // Nothing is read before it is due, and a request of a person makes it due.
    for name in ["a", "b"] {
        report(&mut scene, name, &about("TRAINING"), 24);
    }
    report(&mut scene, "c", &about("CERTIFICATE"), 24);
    let before = scene.inquiries.len();
    scene.settle();
    assert_eq!(scene.inquiries.len(), before);
    scene.state.request_sweep(Some(&reader("b")), scene.now);
    assert!(scene.state.is_surveying(&reader("b")) && scene.state.is_surveying(&reader("a")));
    scene.settle();
    assert_eq!(pages(&scene, before).iter().sum::<usize>(), 3);
    assert!(!scene.state.is_surveying(&reader("b")));
}

#[test]
fn what_a_person_asks_for_is_read_though_no_interval_asks_for_it() {
    let mut scene = scene(10, 0);
    let filter = about("TRAINING");
    // As a report does whose interval is refused.
    scene.look(&reader("a"), |view| view.portfolio(&filter));
    let before = scene.inquiries.len();
    scene.settle();
    assert_eq!(scene.inquiries.len(), before);
    scene.state.request_sweep(Some(&reader("a")), scene.now);
    scene.settle();
    assert_eq!(pages(&scene, before).iter().sum::<usize>(), 1);
    assert!(!scene.state.is_surveying(&reader("a")));
}

#[test]
fn a_report_waits_for_everything_else() {
    let mut scene = scene(120, 0);
    report(&mut scene, "a", &about("TRAINING"), 24);
    // Only lists can tell whether an address is free.
    scene.look(&reader("u"), |view| view.user_by_email("a@example.com"));
    scene.state.request_sweep(None, scene.now);
    let before = scene.inquiries.len();
    scene.settle();
    assert_eq!(pages(&scene, before), [0, 1, 1, 1], "the sweep comes first");
}

/// Asks for what is due now. Returns whether a page of a report was among that.
fn begins(scene: &mut Scene) -> bool {
    let before = scene.inquiries.len();
    while let Next::Send(inquiry) = scene.state.next_inquiry(scene.now) {
        scene.exchange(inquiry);
    }
    pages(scene, before).iter().sum::<usize>() > 0
}

#[test]
fn what_is_declared_together_with_a_report_is_written_before() {
    let (mut scene, ids) = documents::known(1);
    report(&mut scene, "a", &about("TRAINING"), 24);
    assert!(!begins(&mut scene), "something may follow");
    let mut call = rename(&ids[0], "New");
    call.destruction = Some(Destruction::Archive);
    scene.submit(&reader("u"), vec![call]);
    scene.tick(QUIET);
    assert!(!begins(&mut scene), "the guard has not judged it");
    mails::counted(&mut scene);
    assert!(!begins(&mut scene), "it is about to leave");
    let batch = scene.document().unwrap();
    scene.tick(QUIET);
    assert!(!begins(&mut scene), "it is under way");
    let response = server::execute(&mut scene.pluvo, &batch);
    documents::answered(&mut scene, &batch, Ok(response));
    scene.tick(QUIET.checked_sub(Duration::from_millis(1)).unwrap());
    assert!(!begins(&mut scene), "another may follow");
    scene.tick(Duration::from_millis(1));
    assert!(begins(&mut scene));
}

#[test]
fn a_report_does_not_wait_for_ever_and_not_at_all_if_a_person_asks_for_it() {
    let mut scene = scene(10, 0);
    let filter = about("TRAINING");
    scene.submit(&reader("u"), vec![rename(&Id::from("u1"), "New")]);
    let start = scene.now;
    loop {
        // Its resource is looked at all the time.
        report(&mut scene, "a", &filter, 24);
        if begins(&mut scene) {
            break;
        }
        scene.tick(Duration::from_secs(1));
    }
    let waited = scene.now - start;
    assert!(waited >= PATIENCE && waited < PATIENCE + QUIET, "{waited:?}");
    report(&mut scene, "a", &filter, 24);
    assert!(!begins(&mut scene), "it was read");
    scene.state.request_sweep(Some(&reader("a")), scene.now);
    assert!(begins(&mut scene));
}

#[test]
fn what_nobody_reads_any_more_is_not_read_and_not_kept() {
    let mut scene = scene(120, 0);
    let filter = about("TRAINING");
    report(&mut scene, "a", &filter, 24);
    exchange_one(&mut scene);
    scene.state.forget(&reader("a"), scene.now);
    let before = scene.inquiries.len();
    scene.settle();
    assert_eq!(scene.inquiries.len(), before);

    report(&mut scene, "a", &filter, 24);
    scene.settle();
    scene.state.forget(&reader("a"), scene.now);
    scene.sweep();
    assert!(report(&mut scene, "b", &filter, 24).is_none());
}

#[test]
fn a_certificate_that_is_told_counts_at_once_and_once() {
    let mut scene = scene(0, 60);
    let filter = about("CERTIFICATE");
    report(&mut scene, "a", &filter, 24);
    // In the middle of the reading; the row of one of them stands on a page that was read before.
    exchange_one(&mut scene);
    for user in ["u1", "new"] {
        assert!(scene.state.hint(&told(user), scene.now));
    }
    scene.settle();
    let count = |scene: &mut Scene| report(scene, "a", &filter, 24).unwrap().content.titles["T"].rows;
    assert_eq!(count(&mut scene), 61);
    scene.state.take_woken();
    for user in ["newer", "newer", "u1"] {
        scene.state.hint(&told(user), scene.now);
        scene.state.note_woken();
    }
    assert_eq!(scene.state.take_woken().0, [reader("a")].into());
    assert_eq!(count(&mut scene), 62);
    scene.state.hint(&told("u1"), scene.now);
    assert!(scene.state.take_woken().0.is_empty(), "that is no news");
}

#[test]
fn after_a_restart_a_certificate_that_is_told_leads_to_a_read() {
    let mut scene = scene(0, 10);
    let filter = about("CERTIFICATE");
    let later = Timestamp::now() + SignedDuration::from_hours(24);
    scene.look(&reader("a"), |view| {
        assert!(view.portfolio(&filter).found().is_none());
        view.ask_by(Survey::Portfolio(filter.clone()), Some(later));
    });
    let before = scene.inquiries.len();
    scene.settle();
    assert_eq!(scene.inquiries.len(), before, "it is not due");
    assert!(scene.state.hint(&told("u1"), scene.now));
    scene.settle();
    let found = report(&mut scene, "a", &filter, 24).unwrap();
    assert_eq!(found.content.titles["T"].rows, 10);
}

#[test]
fn what_is_refused_is_told_and_not_asked_without_a_pause() {
    let mut scene = scene(10, 0);
    let filter = about("TRAINING");
    report(&mut scene, "a", &filter, 24);
    scene.tick(QUIET);
    let Next::Send(inquiry) = scene.state.next_inquiry(scene.now) else {
        panic!("nothing is asked for");
    };
    let refused = Err(crate::pluvo::response::EntryError::Unanswered);
    scene
        .state
        .inquiry_answered(inquiry, vec![refused], scene.now, scene.now);
    assert_eq!(scene.state.take_woken().0, [reader("a")].into());
    let why = scene.look(&reader("b"), |view| {
        assert!(view.portfolio(&filter).found().is_none());
        view.unreadable()
    });
    assert!(why.is_some());
    let before = scene.inquiries.len();
    scene.settle();
    assert_eq!(scene.inquiries.len(), before);
    scene.tick(Settings::default().interval * 2);
    scene.settle();
    assert_eq!(pages(&scene, before).iter().sum::<usize>(), 1);
}

#[test]
fn what_the_server_lacks_is_not_asked_for() {
    let mut scene = scene(10, 0);
    let mut unsupported = Unsupported::default();
    unsupported.insert("Query", "portfolioReport");
    scene.state.learn(unsupported.into());
    report(&mut scene, "a", &about("TRAINING"), 24);
    let before = scene.inquiries.len();
    scene.settle();
    assert_eq!(scene.inquiries.len(), before);
}
