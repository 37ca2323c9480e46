//! Trainings: groups as sources, mail, and participants whom Pluvo does not let go.

use serde_json::{Value, json};

use crate::{
    api::Kind,
    plan::{
        ResourceKey,
        observed::Place,
        testing::{drift, plain, words},
    },
};

use super::Rnd;

/// The training `safety`, beside the group.
struct Safety {
    rnd: Rnd,
    training: Place,
}

impl Default for Safety {
    fn default() -> Self {
        let mut rnd = Rnd::default();
        let training = Place::Training(rnd.cluster.pluvo.has_training("safety"));
        Self { rnd, training }
    }
}

impl Safety {
    fn assignment(&mut self, name: &str, more: Value) -> ResourceKey {
        let mut spec = json!({"training": {"ref": "safety"}});
        spec.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        self.rnd.cluster.declare(Kind::Assignment, name, spec)
    }

    fn participants(&self) -> String {
        super::concat(&self.rnd.cluster.pluvo.members(&self.training))
    }
}

#[test]
fn everybody_in_a_group_is_assigned_now_and_later() {
    let mut safety = Safety::default();
    safety.rnd.holds(["A", "B"]);
    let all = safety.assignment("all", json!({"groups": ["rnd"], "users": ["C"]}));
    assert_eq!(safety.rnd.settle(), ["in 3"]);
    safety.rnd.holds(["D"]);
    assert_eq!(safety.rnd.settle(), ["in 1"]);
    safety.rnd.loses(["A"]);
    assert_eq!(safety.rnd.settle(), [""; 0], "Additive removes nobody");
    assert_eq!(
        (safety.participants(), safety.rnd.reason(&all)),
        ("ABCD".into(), "InSync".into())
    );
}

#[test]
fn a_group_that_does_not_exist_is_waited_for_and_the_rest_is_applied() {
    let mut safety = Safety::default();
    let spec = json!({"groups": ["rnd", "new"], "users": ["C"], "policy": "Owned"});
    let all = safety.assignment("all", spec);
    safety.rnd.holds(["A"]);
    assert_eq!(safety.rnd.settle(), ["in 2"]);
    assert_eq!(safety.rnd.reason(&all), "DependencyNotReady");
    safety.rnd.cluster.edit(&all, json!({"users": null}));
    assert_eq!(
        safety.rnd.settle(),
        [""; 0],
        "nobody goes before it is known whom the group holds"
    );
    safety.rnd.cluster.pluvo.has_group("new", plain());
    assert_eq!(safety.rnd.settle(), ["out 1"]);
    assert_eq!(safety.rnd.reason(&all), "InSync");
}

#[test]
fn nothing_is_decided_while_a_group_is_not_known() {
    let mut safety = Safety::default();
    safety.rnd.holds(["A"]);
    let all = safety.assignment("all", json!({"groups": ["rnd"]}));
    safety.rnd.cluster.pluvo.unknown = [safety.rnd.group.key()].into();
    assert!(!safety.rnd.cluster.decide(&all).observed);
}

#[test]
fn mail_is_sent_once_and_never_for_a_correction() {
    let mut safety = Safety::default();
    let one = safety.assignment("one", json!({"users": ["A", "B"], "sendInvites": true}));
    assert_eq!(words(&safety.rnd.cluster.pass(&one).calls), ["in 2 with mail"]);
    assert_eq!(
        safety.rnd.cluster.status(&one).mailed,
        ["A", "B"],
        "the intent is written before the call"
    );
    assert_eq!(
        words(&safety.rnd.cluster.pass(&one).calls),
        ["in 2"],
        "who knows whether it was sent"
    );
    safety.rnd.cluster.pluvo.unsent_mails = ["A".into(), "B".into()].into();
    assert_eq!(safety.rnd.settle(), ["in 2 with mail"]);
    let a = safety.rnd.cluster.pluvo.id_of("A");
    safety
        .rnd
        .cluster
        .pluvo
        .participants
        .values_mut()
        .for_each(|all| all.retain(|user| *user != a));
    safety.rnd.cluster.pluvo.unsent_mails.clear();
    assert_eq!(safety.rnd.settle(), ["in 1 for Drift"]);
    assert_eq!(safety.rnd.cluster.pluvo.outbox, ["A", "B"]);
}

#[test]
fn of_several_assignments_the_oldest_decides_who_is_told() {
    let mut safety = Safety::default();
    safety.rnd.holds(["A"]);
    safety.assignment("one", json!({"groups": ["rnd"], "sendInvites": true}));
    safety.assignment("two", json!({"groups": ["rnd"], "sendInvites": true}));
    assert_eq!(safety.rnd.settle(), ["in 1 with mail"]);
    assert_eq!(safety.rnd.cluster.pluvo.outbox, ["A"]);
}

#[test]
fn who_was_told_stays_told_while_the_training_is_missing() {
    let mut safety = Safety::default();
    let one = safety.assignment("one", json!({"users": ["A"], "sendInvites": true}));
    safety.rnd.settle();
    let trainings = std::mem::take(&mut safety.rnd.cluster.pluvo.trainings);
    safety.rnd.settle();
    assert_eq!(safety.rnd.reason(&one), "DependencyNotReady");
    safety.rnd.cluster.pluvo.trainings = trainings;
    safety.rnd.settle();
    assert_eq!(safety.rnd.cluster.status(&one).mailed, ["A"]);
}

#[test]
fn who_is_there_through_a_group_is_reported_and_left() {
    let mut safety = Safety::default();
    let spec = json!({"users": ["A", "B"], "policy": "Owned", "deletionPolicy": "Remove"});
    let one = safety.assignment("one", spec);
    safety.rnd.settle();
    safety.rnd.cluster.pluvo.linked.insert("B".into());
    safety.rnd.cluster.edit(&one, json!({"users": ["A"]}));
    assert_eq!(safety.rnd.settle(), ["out 1"]);
    assert_eq!(safety.rnd.reason(&one), "LinkedViaObject");
    assert_eq!(drift(&safety.rnd.cluster.decide(&one)), ["users[B]"]);
    safety.rnd.cluster.delete(&one);
    safety.rnd.settle();
    assert!(!safety.rnd.cluster.exists(&one), "it holds no deletion up");
    assert_eq!(safety.participants(), "B");
}

/// After a restart nobody has read the participants yet: the deletion waits, and removes.
#[test]
fn a_deletion_waits_for_the_list_of_participants() {
    let mut safety = Safety::default();
    let spec = json!({"users": ["A"], "policy": "Owned", "deletionPolicy": "Remove"});
    let one = safety.assignment("one", spec);
    safety.rnd.settle();
    safety.rnd.cluster.pluvo.unknown = [safety.training.key()].into();
    safety.rnd.cluster.delete(&one);
    safety.rnd.settle();
    assert!(safety.rnd.cluster.exists(&one));
    safety.rnd.cluster.pluvo.unknown.clear();
    safety.rnd.settle();
    assert_eq!(
        (safety.participants().as_str(), safety.rnd.cluster.exists(&one)),
        ("", false)
    );
}
