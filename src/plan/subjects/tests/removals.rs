//! Who goes out, and who must not.

use rstest::rstest;
use serde_json::json;

use crate::{
    api::{Kind, Mode},
    plan::{
        ResourceKey,
        observed::Key,
        testing::{changes, drift, plain, words},
    },
};

use super::Rnd;

#[test]
fn only_whom_it_added_goes() {
    let mut rnd = Rnd::default();
    rnd.holds(["A", "C"]);
    let one = rnd.membership("one", ["A", "B"], plain());
    rnd.settle();
    rnd.declare(&one, ["D"]);
    rnd.settle();
    assert_eq!(rnd.members(), "ACD");
    assert_eq!(rnd.inventory(&one), "D");
}

#[test]
fn additive_removes_nobody() {
    let mut rnd = Rnd::default();
    let one = rnd.membership("one", ["A", "B"], json!({"policy": "Additive"}));
    rnd.settle();
    rnd.declare(&one, ["B"]);
    rnd.settle();
    rnd.cluster.delete(&one);
    rnd.settle();
    assert_eq!(rnd.members(), "AB");
    assert!(!rnd.cluster.exists(&one));
}

/// Whoever is declared by anybody stays, whatever that resource may do itself.
#[rstest]
fn whom_somebody_else_declares_stays(
    #[values(
        plain(),
        json!({"policy": "Additive"}),
        json!({"policy": "Exclusive"}),
        json!({"mode": "Observe"}),
        json!({"suspend": true}),
        json!({"role": "Manager"}),
    )]
    other: serde_json::Value,
    #[values(true, false)] by_deletion: bool,
) {
    let holds = other.get("role").is_none();
    let mut rnd = Rnd::default();
    let one = rnd.membership("one", ["A", "B"], plain());
    rnd.settle();
    rnd.membership("two", ["A"], other);
    rnd.settle();
    if by_deletion {
        rnd.cluster.delete(&one);
    } else {
        rnd.declare(&one, ["B"]);
    }
    rnd.settle();
    assert_eq!(rnd.members().contains('A'), holds);
    assert_eq!(
        rnd.cluster.exists(&one),
        !by_deletion,
        "and nobody waits for a sibling for ever"
    );
}

#[test]
fn whom_two_declared_goes_when_the_second_lets_go() {
    let mut rnd = Rnd::default();
    let one = rnd.membership("one", ["A", "B"], plain());
    let two = rnd.membership("two", ["A", "C"], plain());
    rnd.settle();
    assert_eq!(
        (rnd.inventory(&one), rnd.inventory(&two), rnd.found(&two)),
        ("AB".into(), "C".into(), "A".into())
    );
    rnd.cluster.delete(&one);
    rnd.settle();
    assert_eq!(
        (rnd.members(), rnd.inventory(&two)),
        ("AC".into(), "AC".into()),
        "taken over"
    );
    rnd.declare(&two, ["C"]);
    rnd.settle();
    assert_eq!(rnd.members(), "C");
}

#[test]
fn a_sibling_takes_over_before_the_finalizer_ends() {
    let mut rnd = Rnd::default();
    let one = rnd.membership("one", ["A"], plain());
    let two = rnd.membership("two", ["A"], plain());
    rnd.settle();
    rnd.cluster.delete(&one);
    let decision = rnd.cluster.pass(&one);
    assert!(rnd.cluster.exists(&one));
    assert!(decision.deletion_blocked.unwrap().contains("hr/two"));
    rnd.cluster.pass(&two);
    rnd.cluster.pass(&one);
    assert!(!rnd.cluster.exists(&one));
}

/// By ref and by id, it is one group.
#[test]
fn a_group_by_id_and_by_ref_is_one_place() {
    let mut rnd = Rnd::default();
    let one = rnd.membership("one", ["A"], plain());
    rnd.settle();
    let id = rnd.cluster.pluvo.groups.keys().next().unwrap().clone();
    let two = rnd.membership("two", ["A"], json!({"group": {"id": id}}));
    rnd.settle();
    assert_eq!(rnd.found(&two), "A");
    rnd.declare(&one, ["B"]);
    rnd.settle();
    assert_eq!((rnd.members(), rnd.inventory(&two)), ("AB".into(), "A".into()));
}

#[rstest]
#[case::nobody_is_selected([].as_slice(), false, "EmptySelection", "A")]
#[case::that_is_meant([].as_slice(), true, "InSync", "")]
#[case::somebody_who_does_not_exist_is_somebody(["X"].as_slice(), false, "DependencyNotReady", "")]
fn an_empty_selection_removes_nobody(
    #[values("Owned", "Exclusive")] policy: &str,
    #[case] users: &[&str],
    #[case] allow: bool,
    #[case] reason: &str,
    #[case] members: &str,
) {
    let mut rnd = Rnd::default();
    let one = rnd.membership("one", ["A"], json!({"policy": policy}));
    rnd.settle();
    rnd.cluster.edit(&one, json!({"users": users, "allowEmpty": allow}));
    rnd.settle();
    assert_eq!((rnd.reason(&one).as_str(), rnd.members().as_str()), (reason, members));
}

#[test]
fn an_empty_exclusive_selection_empties_no_group_that_others_filled() {
    let mut rnd = Rnd::default();
    rnd.holds(["A", "B"]);
    let one = rnd.membership("one", [], json!({"policy": "Exclusive"}));
    assert_eq!(rnd.settle(), [""; 0]);
    assert_eq!(
        (rnd.reason(&one).as_str(), rnd.members().as_str()),
        ("EmptySelection", "AB")
    );
}

#[test]
fn an_empty_group_with_nobody_to_remove_is_in_sync() {
    let mut rnd = Rnd::default();
    let one = rnd.membership("one", [], plain());
    rnd.settle();
    assert_eq!(rnd.reason(&one), "InSync");
}

#[test]
fn a_selection_of_leavers_is_no_empty_selection() {
    let mut rnd = Rnd::default();
    let one = rnd.membership("one", ["A"], plain());
    rnd.settle();
    rnd.cluster.pluvo.change_user("A", |user| user.archived = true);
    assert_eq!(rnd.settle(), [""; 0]);
    assert_eq!((rnd.reason(&one), rnd.inventory(&one)), ("InSync".into(), "A".into()));
}

#[test]
fn exclusive_removes_strangers_and_reports_new_ones_as_drift() {
    let mut rnd = Rnd::default();
    rnd.holds(["C"]);
    let one = rnd.membership("one", ["A"], json!({"policy": "Exclusive"}));
    let two = rnd.membership("two", ["B"], plain());
    assert_eq!(rnd.settle(), ["in 1", "in 1", "out 1"]);
    assert_eq!(rnd.members(), "AB", "whom a sibling declares is no stranger");
    rnd.holds(["D"]);
    assert_eq!(drift(&rnd.cluster.decide(&one)), ["users[D]"]);
    assert_eq!(drift(&rnd.cluster.decide(&two)), [""; 0]);
    assert_eq!(rnd.settle(), ["out 1 for Drift"]);
    assert_eq!(
        rnd.cluster.status(&one).last_correction.unwrap().entries[0].path,
        "users[D]"
    );
}

#[rstest]
#[case(Mode::Observe)]
#[case(Mode::Apply)]
fn exclusive_reports_strangers_where_the_mode_forbids_more(#[case] mode: Mode) {
    let mut rnd = Rnd::default();
    let one = rnd.membership("one", ["A"], json!({"policy": "Exclusive"}));
    rnd.settle();
    rnd.cluster.edit(&one, json!({"mode": mode}));
    rnd.holds(["D"]);
    assert_eq!(rnd.settle(), [""; 0]);
    assert_eq!(
        (rnd.reason(&one), drift(&rnd.cluster.decide(&one))),
        ("DriftReported".into(), vec!["users[D]"])
    );
    rnd.cluster.pluvo.unknown = [rnd.group.key()].into();
    rnd.settle();
    rnd.cluster.pluvo.unknown.clear();
    assert_eq!(
        rnd.settle(),
        [""; 0],
        "a list that is not known meanwhile makes no change of drift"
    );
}

#[test]
fn nobody_is_asked_to_leave_twice() {
    let mut rnd = Rnd::default();
    rnd.holds(["C"]);
    rnd.cluster.pluvo.slow = true;
    let one = rnd.membership("one", [], json!({"policy": "Exclusive", "allowEmpty": true}));
    assert_eq!(rnd.settle(), ["out 1"]);
    assert_eq!(rnd.reason(&one), "Pending", "accepted, and not visible yet");
    rnd.cluster.pluvo.show();
    assert_eq!(rnd.settle(), [""; 0]);
    assert_eq!(rnd.reason(&one), "InSync");
}

#[test]
fn a_removal_that_never_became_visible_is_sent_again() {
    let mut rnd = Rnd::default();
    let one = rnd.membership("one", ["A", "B"], plain());
    rnd.settle();
    rnd.cluster.pluvo.slow = true;
    rnd.declare(&one, ["A"]);
    assert_eq!(rnd.settle(), ["out 1"]);
    rnd.cluster.pluvo.hidden.clear();
    assert_eq!(words(&rnd.cluster.decide(&one).calls), ["out 1"]);
}

#[test]
fn the_younger_of_two_exclusives_is_stalled_and_brings_in_nobody() {
    let mut rnd = Rnd::default();
    let exclusive = json!({"policy": "Exclusive"});
    let old = rnd.membership("one", ["A"], exclusive.clone());
    let young = rnd.membership("two", ["B"], exclusive);
    let third = rnd.membership("three", ["B"], plain());
    rnd.settle();
    assert_eq!(rnd.reason(&young), "TargetConflict");
    assert_eq!(
        (rnd.members(), rnd.inventory(&third)),
        ("AB".into(), "B".into()),
        "nobody waits for it"
    );
    rnd.cluster.delete(&old);
    rnd.settle();
    assert_eq!((rnd.members(), rnd.reason(&young)), ("B".into(), "InSync".into()));
}

#[test]
fn a_stalled_sibling_holds_no_deletion_up() {
    let mut rnd = Rnd::default();
    let exclusive = json!({"policy": "Exclusive"});
    rnd.membership("one", ["A"], exclusive.clone());
    let owned = rnd.membership("two", ["B"], plain());
    rnd.settle();
    rnd.membership("three", ["B"], exclusive);
    rnd.settle();
    rnd.cluster.delete(&owned);
    rnd.settle();
    assert!(!rnd.cluster.exists(&owned));
    assert_eq!(rnd.members(), "AB");
}

#[test]
fn nobody_goes_while_a_resource_cannot_be_decoded() {
    let mut rnd = Rnd::default();
    let (one, gone) = (
        rnd.membership("one", ["A", "B"], plain()),
        rnd.membership("gone", ["C"], plain()),
    );
    rnd.settle();
    let broken = ResourceKey::new(Kind::Membership, "hr", "broken");
    rnd.cluster.registry.set_undecodable(broken.clone(), None);
    rnd.declare(&one, ["A"]);
    rnd.cluster.delete(&gone);
    assert_eq!(rnd.settle(), [""; 0]);
    assert_eq!(
        (rnd.reason(&one), changes(&rnd.cluster.decide(&one))),
        ("Pending".into(), vec!["users[B]"])
    );
    assert!(rnd.cluster.decide(&gone).deletion_blocked.is_some());
    rnd.cluster.registry.remove(&broken);
    assert_eq!(rnd.settle(), ["out 1 for Deletion", "out 1"]);
    assert!(!rnd.cluster.exists(&gone));
}

/// What is not known is not forgotten: whoever was added is removed once it is known where they are.
#[rstest]
fn nobody_is_forgotten_while_something_is_unknown(#[values(true, false)] by_deletion: bool) {
    let mut rnd = Rnd::default();
    let one = rnd.membership("one", ["A", "B"], plain());
    rnd.settle();
    let user = rnd.cluster.pluvo.id_of("B");
    rnd.cluster.pluvo.unknown = [Key::UserRef("B".into()), Key::UserId(user)].into();
    if by_deletion {
        rnd.cluster.delete(&one);
    } else {
        rnd.declare(&one, ["A"]);
    }
    assert_eq!(rnd.settle(), [""; 0]);
    assert_eq!(rnd.inventory(&one), "AB");
    rnd.cluster.pluvo.unknown.clear();
    rnd.settle();
    assert_eq!(rnd.members(), if by_deletion { "" } else { "A" });
}

#[test]
fn whom_pluvo_refuses_to_let_go_blocks_the_deletion_and_nobody_else() {
    let mut rnd = Rnd::default();
    let one = rnd.membership("one", ["A", "B"], plain());
    rnd.settle();
    rnd.cluster.pluvo.unwanted.insert("A".into());
    rnd.cluster.delete(&one);
    rnd.settle();
    assert_eq!((rnd.members(), rnd.reason(&one)), ("A".into(), "ApiRejected".into()));
}

#[rstest]
#[case::orphan(json!({"deletionPolicy": "Orphan"}))]
#[case::observe(json!({"mode": "Observe"}))]
fn a_deletion_may_leave_everybody(#[case] more: serde_json::Value) {
    let mut rnd = Rnd::default();
    let one = rnd.membership("one", ["A"], plain());
    rnd.settle();
    rnd.cluster.edit(&one, more);
    rnd.settle();
    rnd.cluster.delete(&one);
    assert_eq!(rnd.settle(), [""; 0]);
    assert_eq!((rnd.members().as_str(), rnd.cluster.exists(&one)), ("A", false));
}
