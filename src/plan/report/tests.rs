use jiff::SignedDuration;
use proptest::prelude::*;
use rstest::rstest;
use serde_json::json;

use crate::{
    api::{Kind, status::DriftKind},
    plan::{
        decision::SubjectsReport,
        object,
        testing::{self, Cluster, assert_is_in_table, plain, ready},
    },
};

use super::*;

/// A user's resource with a status, and what the next decision makes of it.
struct Story {
    cluster: Cluster,
    key: crate::plan::ResourceKey,
}

impl Default for Story {
    fn default() -> Self {
        let mut cluster = Cluster::default();
        let key = cluster.declare_user("A", plain());
        Self { cluster, key }
    }
}

impl Story {
    /// A second later, this was decided. Returns the status that is written.
    fn then(&mut self, decision: &Decision) -> Status {
        self.cluster.now += SignedDuration::from_secs(1);
        let object = self.cluster.registry.get(&self.key).unwrap().clone();
        let status = status(&object, decision, Mode::Correct, self.cluster.now);
        assert_is_in_table(&status, decision);
        self.cluster.set_status(&self.key, |known| *known = status.clone());
        status
    }

    fn now(&self) -> Time {
        Time(self.cluster.now)
    }
}

fn differs(path: &str) -> Difference {
    Difference {
        path: path.to_owned(),
        kind: DriftKind::Changed,
        desired: Some("a".into()),
        observed: Some("b".into()),
    }
}

fn drifted(paths: &[&str]) -> Decision {
    Decision {
        drift: paths.iter().map(|path| differs(path)).collect(),
        ..object::compared(Verdict::reconciling(Reason::Correcting, "putting it right"))
    }
}

fn in_sync(paths: &[&str]) -> Decision {
    let applied = paths.iter().map(|path| ((*path).to_owned(), "v1:x".to_owned()));
    Decision {
        applied: applied.collect(),
        ..object::compared(Verdict::done(Reason::InSync, "as declared"))
    }
}

fn transition_of(status: &Status, type_: &str) -> Time {
    let found = status.conditions.iter().find(|known| known.type_ == type_);
    found.unwrap().last_transition_time.clone()
}

#[test]
fn the_same_again_is_the_same_status() {
    let mut story = Story::default();
    for decision in [in_sync(&["name"]), drifted(&["name", "email"]), in_sync(&["name"])] {
        let first = story.then(&decision);
        assert_eq!(story.then(&decision), first, "an equal status is not written");
    }
}

#[test]
fn times_move_only_when_their_status_does() {
    let mut story = Story::default();
    let first = story.then(&in_sync(&["name"]));
    let second = story.then(&drifted(&["name"]));
    let third = story.then(&drifted(&["email", "name"]));
    for type_ in ["Ready", "Drifted"] {
        assert!(transition_of(&first, type_) < transition_of(&second, type_));
        assert_eq!(transition_of(&third, type_), transition_of(&second, type_));
    }
    assert_eq!(transition_of(&third, "Synced"), transition_of(&first, "Synced"));
    let entries = third.drift.unwrap().entries;
    assert_eq!((&*entries[0].path, &entries[0].since), ("email", &story.now()));
    assert_eq!(entries[1].since, second.drift.unwrap().entries[0].since);
}

#[test]
fn the_first_detection_stands_while_anything_differs() {
    let mut story = Story::default();
    let first = story.then(&drifted(&["name"])).drift.unwrap();
    let second = story.then(&drifted(&["name", "email"])).drift.unwrap();
    assert_eq!(first.first_detected_at, second.first_detected_at);
    assert_eq!(story.then(&in_sync(&["name"])).drift.unwrap().first_detected_at, None);
    let again = story.then(&drifted(&["name"])).drift.unwrap();
    assert_eq!(again.first_detected_at, Some(story.now()));
}

#[test]
fn a_long_list_is_cut_and_counted() {
    let mut story = Story::default();
    let paths: Vec<_> = (0..30).map(|number| format!("users[{number:02}]")).collect();
    let paths: Vec<_> = paths.iter().map(String::as_str).collect();
    let drift = story.then(&drifted(&paths)).drift.unwrap();
    assert_eq!((drift.count, drift.entries.len(), drift.truncated), (30, 20, true));
    let correction = story.then(&in_sync(&paths)).last_correction.unwrap();
    assert_eq!(
        (correction.count, correction.entries.len(), correction.at),
        (30, 20, story.now())
    );
}

#[test]
fn what_is_waited_for_is_listed_and_neither_drift_nor_put_right() {
    let mut story = Story::default();
    let waits = Decision {
        waiting: vec![Difference::missing("users[X]", None)],
        ..drifted(&["users[A]"])
    };
    let drift = story.then(&waits).drift.unwrap();
    assert_eq!(
        (drift.count, drift.entries.len(), drift.state),
        (1, 2, DriftState::Drifted)
    );
    let subjects = Some(SubjectsReport::default());
    let right = Decision {
        subjects,
        ..in_sync(&[])
    };
    let correction = story.then(&right).last_correction.unwrap();
    assert_eq!((correction.count, &*correction.entries[0].path), (1, "users[A]"));
    assert_eq!(correction.entries.len(), 1);
}

#[rstest]
#[case::still_wrong(drifted(&["name"]))]
#[case::not_declared_any_more(in_sync(&[]))]
#[case::declared_anew(Decision { changes: vec![differs("name")], ..in_sync(&["name"]) })]
#[case::not_compared(object::known(Verdict::stalled(Reason::IdentityConflict, "somebody else")))]
#[case::not_read(Decision::unobserved(false))]
fn only_what_is_right_was_corrected(#[case] next: Decision) {
    let mut story = Story::default();
    story.then(&drifted(&["name"]));
    assert_eq!(story.then(&next).last_correction, None);
}

#[test]
fn a_correction_stays_until_the_next_one() {
    let mut story = Story::default();
    story.then(&drifted(&["name", "email"]));
    let partly = Decision {
        applied: [("email".into(), "v1:x".into())].into(),
        ..drifted(&["name"])
    };
    let correction = story.then(&partly).last_correction.unwrap();
    assert_eq!((correction.count, &*correction.entries[0].path), (1, "email"));
    let correction = story.then(&in_sync(&["name", "email"])).last_correction;
    assert_eq!(correction.as_ref().unwrap().entries[0].path, "name");
    assert_eq!(story.then(&in_sync(&["name", "email"])).last_correction, correction);
}

/// What says nothing about the object leaves what was said about it.
#[rstest]
#[case::a_conflict(object::known(Verdict::stalled(Reason::IdentityConflict, "somebody else")))]
#[case::an_outage(Decision::unobserved(false))]
#[case::a_deletion(Decision::release("gone"))]
fn what_was_not_compared_stands(#[case] next: Decision) {
    let mut story = Story::default();
    story.then(&in_sync(&["name"]));
    let before = story.then(&Decision {
        mailed: vec!["A".into()],
        ..drifted(&["email"])
    });
    let after = story.then(&next);
    assert_eq!(
        (before.drift, before.applied, before.mailed),
        (after.drift, after.applied, after.mailed)
    );
    assert_eq!(
        before.conditions.iter().find(|known| known.type_ == "Drifted"),
        after.conditions.iter().find(|known| known.type_ == "Drifted")
    );
}

#[test]
fn whoever_was_told_is_never_forgotten() {
    let mut story = Story::default();
    story.then(&Decision {
        mailed: vec!["A".into()],
        ..in_sync(&[])
    });
    let status = story.then(&Decision {
        mailed: vec!["B".into()],
        ..in_sync(&[])
    });
    assert_eq!(status.mailed, ["A", "B"]);
}

#[test]
fn a_suspended_resource_keeps_its_status_and_says_so() {
    let mut story = Story::default();
    let object = |story: &Story| story.cluster.registry.get(&story.key).unwrap().clone();
    let new = suspended(&object(&story), story.cluster.now);
    let state = |status: &Status| (ready(status).0, status.observed_generation);
    assert_eq!(state(&new), ("Suspended".into(), Some(-1)), "nothing was judged");
    let known = story.then(&in_sync(&["name"]));
    let status = suspended(&object(&story), story.cluster.now);
    assert_eq!(status.drift, known.drift);
    assert_eq!(status.conditions.len(), known.conditions.len() + 1);
    story.cluster.set_status(&story.key, |before| *before = status.clone());
    assert_eq!(
        suspended(&object(&story), story.cluster.now + SignedDuration::from_secs(1)),
        status
    );
    assert_eq!(
        story.then(&in_sync(&["name"])).conditions,
        known.conditions,
        "and it goes on as before"
    );
}

#[test]
fn a_message_has_an_end() {
    let mut story = Story::default();
    let long = "x".repeat(5000);
    let status = story.then(&object::known(Verdict::stalled(Reason::IdentityConflict, long)));
    assert_eq!(status.conditions[0].message.len(), 1024);
}

#[test]
fn a_blocked_deletion_says_what_it_waits_for() {
    let mut story = Story::default();
    let blocked = Decision {
        deletion_blocked: Some("Pluvo".into()),
        ..Decision::only(Verdict::deleting("user A is being archived"))
    };
    let status = story.then(&blocked);
    let condition = status
        .conditions
        .iter()
        .find(|known| known.type_ == "DeletionBlocked")
        .unwrap();
    assert_eq!((&*condition.status, &*condition.message), ("True", "Pluvo"));
    assert!(
        ready(&status).1 == Progress::Terminating,
        "only deletionTimestamp speaks"
    );
}

#[test]
fn the_names_of_a_group_that_is_missing_are_reported() {
    let mut cluster = Cluster::default();
    let spec = json!({"group": {"ref": "rnd"}, "users": ["A"]});
    let key = cluster.declare(Kind::Membership, "m", spec);
    cluster.settle();
    let status = cluster.status(&key);
    assert_eq!(status.drift, None, "nothing was compared");
    assert_eq!(ready(&status), ("DependencyNotReady".into(), Progress::Reconciling));
}

proptest! {
    #![proptest_config(testing::cases(300))]

    /// Whatever follows on whatever: the times of what did not change do not move.
    #[test]
    fn no_time_moves_by_itself(steps in proptest::collection::vec((0..4usize, any::<bool>()), 1..8)) {
        let mut story = Story::default();
        let decisions = [
            in_sync(&["name"]),
            drifted(&["name"]),
            drifted(&["name", "email"]),
            object::known(Verdict::stalled(Reason::IdentityConflict, "somebody else")),
        ];
        let mut before: Option<Status> = None;
        for (index, twice) in steps {
            let status = story.then(&decisions[index]);
            for condition in &status.conditions {
                let known = before.iter().flat_map(|before| &before.conditions).find(|known| {
                    known.type_ == condition.type_ && known.status == condition.status
                });
                if let Some(known) = known {
                    prop_assert_eq!(&known.last_transition_time, &condition.last_transition_time);
                }
            }
            if twice {
                prop_assert_eq!(&story.then(&decisions[index]), &status);
            }
            before = Some(status);
        }
    }
}
