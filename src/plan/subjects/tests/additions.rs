//! Who goes in, and who brings them in.

use rstest::rstest;
use serde_json::json;

use super::{
    super::super::testing::{changes, drift, plain, words},
    Rnd,
};

#[test]
fn who_was_there_is_found_and_who_was_not_is_added() {
    let mut rnd = Rnd::default();
    rnd.holds(["A"]);
    let one = rnd.membership("one", ["A", "B"], plain());
    assert_eq!(rnd.settle(), ["in 1"]);
    assert_eq!(
        (rnd.members(), rnd.inventory(&one), rnd.found(&one)),
        ("AB".into(), "B".into(), "A".into())
    );
    assert_eq!(rnd.reason(&one), "InSync");
    assert_eq!(rnd.settle(), [""; 0], "planning again asks for nothing");
}

#[test]
fn the_inventory_is_written_before_the_call() {
    let mut rnd = Rnd::default();
    let one = rnd.membership("one", ["A"], plain());
    assert_eq!(words(&rnd.cluster.pass(&one).calls), ["in 1"]);
    assert_eq!(rnd.inventory(&one), "A");
    let decision = rnd.cluster.pass(&one);
    assert_eq!(
        (drift(&decision), words(&decision.calls)),
        (vec![], vec!["in 1".to_owned()]),
        "asked again, and no drift"
    );
}

/// The oldest claimant brings in, unless its mode forbids it.
#[rstest]
#[case::the_oldest(plain(), "A", "")]
#[case::not_in_observe(json!({"mode": "Observe"}), "", "A")]
#[case::not_while_suspended(json!({"suspend": true}), "", "A")]
fn an_addition_belongs_to_one_claim(#[case] more: serde_json::Value, #[case] older: &str, #[case] younger: &str) {
    let mut rnd = Rnd::default();
    let one = rnd.membership("one", ["A"], more);
    let two = rnd.membership("two", ["A"], plain());
    assert_eq!(rnd.settle(), ["in 1"]);
    assert_eq!(
        (rnd.inventory(&one).as_str(), rnd.inventory(&two).as_str()),
        (older, younger)
    );
    assert_eq!(rnd.reason(&two), "InSync");
}

#[test]
fn in_mode_apply_a_joiner_is_written_and_a_lost_member_only_reported() {
    let mut rnd = Rnd::default();
    rnd.holds(["B"]);
    let one = rnd.membership("one", ["A", "B"], json!({"mode": "Apply"}));
    rnd.settle();
    rnd.loses(["A", "B"]);
    rnd.declare(&one, ["A", "B", "C"]);
    let decision = rnd.cluster.decide(&one);
    assert_eq!(drift(&decision), ["users[A]", "users[B]"]);
    assert_eq!(
        (changes(&decision), words(&decision.calls)),
        (vec!["users[C]"], vec!["in 1".to_owned()])
    );
    assert_eq!(rnd.settle(), ["in 1"]);
    assert_eq!((rnd.members(), rnd.reason(&one)), ("C".into(), "DriftReported".into()));
}

#[test]
fn a_lost_member_is_put_back_in_mode_correct() {
    let mut rnd = Rnd::default();
    rnd.holds(["B"]);
    let one = rnd.membership("one", ["A", "B"], plain());
    rnd.settle();
    rnd.loses(["A", "B"]);
    assert_eq!(rnd.settle(), ["in 2 for Drift"]);
    assert_eq!(
        (rnd.inventory(&one), rnd.found(&one)),
        ("A".into(), "B".into()),
        "who was there before stays so"
    );
    assert_eq!(rnd.cluster.status(&one).last_correction.unwrap().count, 2);
}

#[test]
fn observe_reports_everything_and_writes_nothing() {
    let mut rnd = Rnd::default();
    rnd.holds(["A"]);
    let one = rnd.membership("one", ["A", "B"], json!({"mode": "Observe"}));
    assert_eq!(rnd.settle(), [""; 0]);
    assert_eq!(rnd.reason(&one), "DriftReported");
    assert_eq!(drift(&rnd.cluster.decide(&one)), ["users[B]"]);
}

#[test]
fn what_is_accepted_and_not_visible_yet_is_no_drift() {
    let mut rnd = Rnd::default();
    rnd.cluster.pluvo.slow = true;
    let one = rnd.membership("one", ["A"], plain());
    assert_eq!(rnd.settle(), ["in 1"]);
    assert_eq!(
        (rnd.reason(&one), rnd.cluster.status(&one).pending.concat()),
        ("Pending".into(), "A".into())
    );
    rnd.cluster.pluvo.show();
    rnd.settle();
    assert_eq!(
        (rnd.reason(&one), rnd.cluster.status(&one).pending.concat()),
        ("InSync".into(), String::new())
    );
    rnd.loses(["A"]);
    assert_eq!(drift(&rnd.cluster.decide(&one)), ["users[A]"], "now it was there");
}

#[test]
fn what_never_became_visible_is_sent_again_as_a_change() {
    let mut rnd = Rnd::default();
    rnd.cluster.pluvo.slow = true;
    let one = rnd.membership("one", ["A"], plain());
    rnd.settle();
    rnd.cluster.pluvo.hidden.clear();
    assert_eq!(words(&rnd.cluster.decide(&one).calls), ["in 1"]);
}

/// Whoever is declared again before a removal is visible is no drift: nobody changed Pluvo.
#[test]
fn a_mind_that_changes_while_somebody_leaves_is_no_drift() {
    let mut rnd = Rnd::default();
    let one = rnd.membership("one", ["A", "B"], plain());
    rnd.settle();
    rnd.cluster.pluvo.slow = true;
    rnd.declare(&one, ["A"]);
    assert_eq!(rnd.settle(), ["out 1"]);
    assert_eq!(rnd.reason(&one), "Pending");
    rnd.declare(&one, ["A", "B"]);
    assert_eq!(rnd.settle(), ["in 1"]);
    rnd.cluster.pluvo.show();
    rnd.settle();
    let status = rnd.cluster.status(&one);
    assert_eq!(
        (rnd.members(), rnd.reason(&one), status.last_correction),
        ("AB".into(), "InSync".into(), None)
    );
}

#[test]
fn whom_pluvo_refuses_holds_nobody_back() {
    let mut rnd = Rnd::default();
    rnd.cluster.pluvo.unwanted.insert("B".into());
    let one = rnd.membership("one", ["A", "B", "C"], plain());
    rnd.settle();
    assert_eq!((rnd.members(), rnd.reason(&one)), ("AC".into(), "ApiRejected".into()));
    assert_eq!(rnd.inventory(&one), "AC", "whom it did not add is not in the inventory");
    let message = rnd.cluster.decide(&one).verdict.message;
    assert_eq!(message, "Pluvo refuses 1 of group rnd: B: no reason");
    assert_eq!(rnd.settle(), [""; 0]);
}

#[test]
fn refused_drift_stays_drift() {
    let mut rnd = Rnd::default();
    let one = rnd.membership("one", ["A"], plain());
    rnd.settle();
    rnd.loses(["A"]);
    rnd.cluster.pluvo.unwanted.insert("A".into());
    rnd.settle();
    assert_eq!(rnd.reason(&one), "ApiRejected");
    assert_eq!(rnd.settle(), [""; 0]);
    assert_eq!(rnd.cluster.status(&one).drift.unwrap().count, 1);
    assert_eq!(rnd.inventory(&one), "A");
}

#[test]
fn whoever_does_not_exist_is_waited_for_and_the_rest_is_applied() {
    let mut rnd = Rnd::default();
    let one = rnd.membership("one", ["A", "a", "X"], plain());
    assert_eq!(rnd.settle(), ["in 1"]);
    assert_eq!(rnd.reason(&one), "DependencyNotReady");
    let status = rnd.cluster.status(&one);
    let entries: Vec<_> = status
        .drift
        .unwrap()
        .entries
        .into_iter()
        .map(|entry| entry.path)
        .collect();
    assert_eq!(entries, ["users[X]", "users[a]"]);
    let message = rnd.cluster.decide(&one).verdict.message;
    assert!(
        message.ends_with("user a does not exist in Pluvo; there is A"),
        "{message}"
    );
    rnd.cluster.pluvo.has_user("X", plain());
    assert_eq!(rnd.settle(), ["in 1"], "it goes on at once");
}

#[test]
fn those_who_are_there_wait_for_those_who_are_being_made() {
    let mut rnd = Rnd::default();
    rnd.cluster.declare_user("N", plain());
    let one = rnd.membership("one", ["A", "N"], plain());
    let decision = rnd.cluster.pass(&one);
    assert_eq!((words(&decision.calls).len(), decision.awaited), (0, 1));
    assert_eq!(rnd.inventory(&one), "", "nobody who is held back is in the inventory");
    rnd.cluster.hold_is_over = true;
    assert_eq!(words(&rnd.cluster.decide(&one).calls), ["in 1"]);
    rnd.cluster.hold_is_over = false;
    assert_eq!(rnd.settle(), ["updateOrCreateUser", "in 2"]);
}

#[rstest]
#[case::archived_in_pluvo(json!({"archived": true}), false)]
#[case::archived_by_its_resource(json!({}), true)]
fn leavers_are_no_subjects(#[case] in_pluvo: serde_json::Value, #[case] by_resource: bool) {
    let mut rnd = Rnd::default();
    rnd.cluster.pluvo.has_user("L", in_pluvo);
    if by_resource {
        rnd.cluster.declare_user("L", json!({"archived": true}));
    }
    let one = rnd.membership("one", ["A", "L"], plain());
    rnd.settle();
    assert_eq!((rnd.members(), rnd.reason(&one)), ("A".into(), "InSync".into()));
    let counts = rnd.cluster.status(&one).subjects.unwrap();
    assert_eq!((counts.declared, counts.applied, counts.excluded), (1, 1, 1));
}

#[test]
fn labels_select_users_of_all_namespaces() {
    let mut rnd = Rnd::default();
    rnd.cluster
        .connect(json!({"allowedNamespaces": {"names": ["learning"]}}));
    let a = rnd.cluster.declare_user("A", plain());
    let spec = json!({"ref": "B", "email": "b@example.com", "name": "B"});
    let b = rnd.cluster.declare_in("learning", crate::api::Kind::User, "b", spec);
    rnd.cluster.label(&a, "team", "rnd");
    rnd.cluster.label(&b, "team", "rnd");
    let more = json!({"users": null, "userSelector": {"matchLabels": {"team": "rnd"}}});
    let one = rnd.membership("one", [], more);
    rnd.settle();
    assert_eq!(rnd.members(), "AB");
    rnd.cluster.label(&b, "team", "hr");
    rnd.settle();
    assert_eq!((rnd.members(), rnd.reason(&one)), ("A".into(), "InSync".into()));
}

#[test]
fn more_than_a_status_can_hold_is_refused_before_anything_is_written() {
    let mut rnd = Rnd::default();
    let long = "x".repeat(120);
    let users: Vec<_> = (0..4400).map(|number| format!("{long}{number:04}")).collect();
    for user in &users {
        rnd.cluster.pluvo.has_user(user, plain());
    }
    let one = rnd.membership("one", [], json!({"users": users}));
    assert_eq!(rnd.settle(), [""; 0]);
    assert_eq!(
        (rnd.reason(&one), rnd.members()),
        ("TooManySubjects".into(), String::new())
    );
}

#[test]
fn the_group_is_waited_for() {
    let mut rnd = Rnd::default();
    let one = rnd.membership("one", ["A"], json!({"group": {"ref": "RND"}}));
    rnd.settle();
    assert_eq!(rnd.reason(&one), "DependencyNotReady");
    assert_eq!(
        rnd.cluster.decide(&one).verdict.message,
        "group RND does not exist in Pluvo; there is rnd"
    );
}

#[test]
fn managers_and_participants_are_two_places() {
    let mut rnd = Rnd::default();
    let one = rnd.membership("one", ["A"], plain());
    let two = rnd.membership("two", ["B"], json!({"role": "Manager", "policy": "Exclusive"}));
    rnd.settle();
    assert_eq!(rnd.members(), "A");
    assert_eq!((rnd.reason(&one), rnd.reason(&two)), ("InSync".into(), "InSync".into()));
}
