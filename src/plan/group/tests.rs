use rstest::rstest;
use serde_json::json;

use crate::{
    api::Kind,
    plan::{
        ResourceKey,
        observed::Key,
        testing::{Cluster, drift, words},
    },
    pluvo::model::Id,
};

fn declare(cluster: &mut Cluster, more: serde_json::Value) -> ResourceKey {
    let mut spec = json!({"ref": "rnd", "name": "R&D"});
    spec.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    cluster.declare(Kind::Group, "rnd", spec)
}

#[test]
fn a_group_is_made_once() {
    let mut cluster = Cluster::default();
    let group = declare(&mut cluster, json!({"maxUsers": 12}));
    assert_eq!(words(&cluster.settle()), ["createGroup"]);
    assert_eq!(cluster.reason(&group), "InSync");
    assert_eq!(
        cluster
            .pluvo
            .groups
            .values()
            .map(|group| group.max_users)
            .collect::<Vec<_>>(),
        [12]
    );
}

#[rstest]
#[case::the_ref_is_taken_elsewhere(true, true, "IdentityConflict")]
#[case::it_gets_the_ref(false, true, "updateGroup")]
#[case::it_names_nothing(false, false, "InvalidSpec")]
fn adopting_by_id(#[case] ref_is_taken: bool, #[case] exists: bool, #[case] expected: &str) {
    let mut cluster = Cluster::default();
    let id = cluster.pluvo.has_group("old", json!({}));
    if ref_is_taken {
        cluster.pluvo.has_group("rnd", json!({}));
    }
    let adopt = if exists { id.clone() } else { Id::from("nothing") };
    let group = declare(&mut cluster, json!({"adoptId": adopt}));
    if ref_is_taken {
        // Whoever has the ref is the one, as long as nothing else was known.
        cluster.set_status(&group, |status| status.id = Some(id.0.to_string()));
    }
    let sent = cluster.settle();
    if sent.is_empty() {
        assert_eq!(cluster.reason(&group), expected);
    } else {
        assert_eq!(words(&sent), [expected]);
        let status = cluster.status(&group);
        assert_eq!(
            (status.adopted, status.previous_ref.as_deref()),
            (Some(true), Some("old"))
        );
        assert_eq!(cluster.pluvo.groups[&id].reference.as_deref(), Some("rnd"));
    }
}

#[test]
fn a_group_that_another_resource_declares_is_never_adopted() {
    let mut cluster = Cluster::default();
    let old = cluster.declare(Kind::Group, "old", json!({"ref": "old", "name": "Old"}));
    cluster.settle();
    let id = cluster.status(&old).id;
    let thief = declare(&mut cluster, json!({"adoptId": id}));
    assert_eq!(cluster.settle(), []);
    assert_eq!(cluster.reason(&thief), "IdentityConflict");
}

#[test]
fn observe_adopts_nothing() {
    let mut cluster = Cluster::default();
    let id = cluster.pluvo.has_group("old", json!({}));
    let group = declare(&mut cluster, json!({"adoptId": id, "mode": "Observe", "name": "old"}));
    assert_eq!(cluster.settle(), []);
    assert_eq!(cluster.status(&group).adopted, None);
    assert_eq!(drift(&cluster.decide(&group)), ["ref"]);
}

#[test]
fn a_group_that_was_known_and_is_gone_is_not_made_again() {
    let mut cluster = Cluster::default();
    let group = declare(&mut cluster, json!({}));
    cluster.settle();
    cluster.pluvo.groups.clear();
    assert_eq!(cluster.settle(), []);
    assert_eq!(cluster.reason(&group), "DeletedRemotely");
    cluster.edit(&group, json!({"onRemoteDeletion": "Recreate"}));
    cluster.settle();
    assert_eq!(cluster.reason(&group), "InSync");
    assert_eq!(cluster.pluvo.groups.len(), 1);
}

#[rstest]
#[case::by_ref(Key::GroupRef("rnd".into()))]
#[case::by_id(Key::GroupId("g1".into()))]
fn nothing_is_decided_on_a_guess(#[case] unknown: Key) {
    let mut cluster = Cluster::default();
    let group = declare(&mut cluster, json!({}));
    cluster.settle();
    cluster
        .pluvo
        .change_group("rnd", |group| group.reference = Some("other".into()));
    cluster.pluvo.unknown = [unknown].into();
    let decision = cluster.decide(&group);
    assert!(decision.calls.is_empty() && !decision.observed);
}

#[rstest]
#[case::kept_by_default("Orphan", "")]
#[case::deleted_on_request("Delete", "deleteGroup for Deletion")]
fn deletion(#[case] policy: &str, #[case] expected: &str) {
    let mut cluster = Cluster::default();
    let group = declare(&mut cluster, json!({"deletionPolicy": policy}));
    cluster.settle();
    cluster.delete(&group);
    assert_eq!(words(&cluster.settle()).join(", "), expected);
    assert!(!cluster.exists(&group));
    assert_eq!(cluster.pluvo.groups.is_empty(), policy == "Delete");
}

#[test]
fn a_deletion_that_pluvo_refuses_is_blocked_and_says_so() {
    let mut cluster = Cluster::default();
    let group = declare(&mut cluster, json!({"deletionPolicy": "Delete"}));
    cluster.settle();
    cluster.delete(&group);
    let call = cluster.decide(&group).calls.remove(0);
    let refused = crate::plan::observed::Outcome::Refused("no reason".into());
    cluster
        .pluvo
        .outcomes
        .insert(call.writes[0].fingerprint.to_string(), refused);
    assert_eq!(cluster.settle(), [], "and is not asked again");
    assert_eq!(cluster.reason(&group), "ApiRejected");
}
