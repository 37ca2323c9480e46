use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use rstest::rstest;
use serde_json::json;

use crate::{
    api::Kind,
    plan::testing::{Cluster, connection, plain},
};

use super::*;

/// Names of resources, as one word.
fn names(keys: &BTreeSet<ResourceKey>) -> Vec<&str> {
    keys.iter().map(|key| &*key.name).collect()
}

fn membership(cluster: &mut Cluster, name: &str, target: serde_json::Value, users: &[&str]) -> ResourceKey {
    cluster.declare(Kind::Membership, name, json!({"group": target, "users": users}))
}

/// Whom a resource wakes when it is taken in again with another meaning.
fn woken_by(cluster: &mut Cluster, key: &ResourceKey) -> Vec<String> {
    let object = cluster.registry.get(key).unwrap().clone();
    let mut changed = object.clone();
    if let Object::User(user) = &mut changed {
        Arc::make_mut(user).metadata.generation = Some(99);
    } else if let Object::Membership(membership) = &mut changed {
        Arc::make_mut(membership).metadata.generation = Some(99);
    }
    let woken = cluster.registry.set(changed);
    cluster.registry.set(object);
    names(&woken).into_iter().map(str::to_owned).collect()
}

#[test]
fn a_status_wakes_nobody() {
    let mut cluster = Cluster::default();
    let user = cluster.declare_user("A", plain());
    let before = cluster.registry.get(&user).unwrap().clone();
    cluster.settle();
    let after = cluster.registry.get(&user).unwrap().clone();
    cluster.registry.set(before.clone());
    let mut with_status = after.clone();
    if let (Object::User(user), Object::User(before)) = (&mut with_status, &before) {
        Arc::make_mut(user)
            .metadata
            .finalizers
            .clone_from(&before.metadata.finalizers);
    }
    assert!(with_status.status().is_some());
    assert_eq!(cluster.registry.set(with_status), BTreeSet::new());
    assert_eq!(
        names(&cluster.registry.set(after)),
        ["a"],
        "but a finalizer wakes its own resource"
    );
}

#[rstest]
#[case::a_label("team", true)]
#[case::nothing("", false)]
fn a_user_wakes_those_who_may_declare_it(#[case] label: &str, #[case] by_label: bool) {
    let mut cluster = Cluster::default();
    let user = cluster.declare_user("A", plain());
    if !label.is_empty() {
        cluster.label(&user, label, "rnd");
    }
    membership(&mut cluster, "by-name", json!({"ref": "rnd"}), &["A"]);
    membership(&mut cluster, "of-others", json!({"ref": "rnd"}), &["B"]);
    let selector = json!({"group": {"ref": "hr"}, "userSelector": {"matchLabels": {"team": "rnd"}}});
    cluster.declare(Kind::Membership, "by-label", selector);
    cluster.declare_user("B", plain());
    let expected: &[_] = if by_label {
        &["a", "by-label", "by-name"]
    } else {
        &["a", "by-name"]
    };
    assert_eq!(woken_by(&mut cluster, &user), expected);
}

#[test]
fn a_label_that_goes_wakes_whom_it_leaves() {
    let mut cluster = Cluster::default();
    let user = cluster.declare_user("A", plain());
    cluster.label(&user, "team", "rnd");
    let selector = json!({"group": {"ref": "rnd"}, "userSelector": {"matchLabels": {"team": "rnd"}}});
    cluster.declare(Kind::Membership, "by-label", selector);
    let Object::User(labelled) = cluster.registry.get(&user).unwrap().clone() else {
        unreachable!()
    };
    let mut other = (*labelled).clone();
    other.metadata.labels = None;
    assert_eq!(
        names(&cluster.registry.set(Object::User(other.into()))),
        ["a", "by-label"]
    );
}

#[test]
fn memberships_of_one_group_wake_one_another_however_they_name_it() {
    let mut cluster = Cluster::default();
    let id = cluster.pluvo.has_group("rnd", plain());
    cluster.pluvo.has_user("A", plain());
    let one = membership(&mut cluster, "one", json!({"ref": "rnd"}), &["A"]);
    let two = membership(&mut cluster, "two", json!({"id": id}), &["A"]);
    membership(&mut cluster, "elsewhere", json!({"ref": "hr"}), &["A"]);
    cluster.settle();
    assert_eq!(woken_by(&mut cluster, &one), ["one", "two"]);
    assert_eq!(woken_by(&mut cluster, &two), ["one", "two"]);
    assert_eq!(names(&cluster.registry.remove(&one)), ["two"]);
}

#[test]
fn a_taken_over_subject_wakes_whom_it_was_taken_from() {
    let mut cluster = Cluster::default();
    let one = membership(&mut cluster, "one", json!({"ref": "rnd"}), &["A"]);
    let two = membership(&mut cluster, "two", json!({"ref": "rnd"}), &["A"]);
    let Object::Membership(before) = cluster.registry.get(&two).unwrap().clone() else {
        unreachable!()
    };
    let mut after = (*before).clone();
    after.status = Some(crate::api::Status {
        for_uid: before.metadata.uid.clone(),
        inventory: vec!["A".into()],
        ..Default::default()
    });
    assert_eq!(cluster.registry.set(Object::Membership(after.into())), [one].into());
}

#[test]
fn whoever_waits_for_an_account_looks_again_when_a_user_changes() {
    let mut cluster = Cluster::default();
    cluster.connect(json!({"permit": {"adoption": "ByEmail"}}));
    cluster.pluvo.has_user("OLD", json!({"email": "jane@example.com"}));
    let holder = cluster.declare_user("OLD", json!({"email": "jane@example.com", "deletionPolicy": "Orphan"}));
    let waits = cluster.declare_user("NEW", json!({"email": "jane@example.com", "adoption": "ByEmail"}));
    cluster.settle();
    assert_eq!(cluster.reason(&waits), "IdentityConflict");
    let mut others = cluster.registry.remove(&holder);
    assert!(others.remove(&waits) && others.is_empty());
    cluster.delete(&holder);
    cluster.settle();
    assert_eq!(cluster.reason(&waits), "InSync", "nobody claims the account any more");
}

#[test]
fn the_oldest_owns_a_ref_and_names_decide_between_twins() {
    let mut cluster = Cluster::default();
    let spec = json!({"ref": "A", "email": "a@example.com", "name": "A"});
    let old = cluster.declare(Kind::User, "z", spec.clone());
    let young = cluster.declare(Kind::User, "a", spec.clone());
    let owner = |cluster: &Cluster, key: &ResourceKey| {
        let object = cluster.registry.get(key).unwrap();
        cluster
            .registry
            .owner_before(object)
            .map(|owner| owner.key().name.to_string())
    };
    assert_eq!(
        (owner(&cluster, &old), owner(&cluster, &young)),
        (None, Some("z".into()))
    );
    for key in [&old, &young] {
        let Object::User(user) = cluster.registry.get(key).unwrap().clone() else {
            unreachable!()
        };
        let mut twin = (*user).clone();
        twin.metadata.creation_timestamp = None;
        cluster.registry.set(Object::User(twin.into()));
    }
    assert_eq!(
        (owner(&cluster, &old), owner(&cluster, &young)),
        (Some("a".into()), None)
    );
}

#[test]
fn a_resource_that_goes_wakes_its_heir() {
    let mut cluster = Cluster::default();
    let spec = json!({"ref": "A", "email": "a@example.com", "name": "A"});
    let old = cluster.declare(Kind::User, "old", spec.clone());
    let young = cluster.declare(Kind::User, "young", spec);
    assert!(cluster.registry.is_handed_over(cluster.registry.get(&old).unwrap()));
    assert_eq!(cluster.registry.remove(&old), [young].into());
}

/// Nobody has a say on a connection that does not allow its namespace.
#[test]
fn whoever_may_not_use_a_connection_has_no_say_there() {
    let mut cluster = Cluster::default();
    let spec = json!({"ref": "A", "email": "a@example.com", "name": "A"});
    let thief = cluster.declare_in("evil", Kind::User, "a", spec);
    let claim = json!({"group": {"ref": "rnd"}, "users": ["B"], "policy": "Exclusive"});
    cluster.declare_in("evil", Kind::Membership, "m", claim);
    let user = cluster.declare_user("A", plain());
    let target = [Target {
        reference: Some("rnd".into()),
        id: None,
    }];
    let registry = &cluster.registry;
    assert!(registry.owner_before(registry.get(&user).unwrap()).is_none());
    assert!(registry.claims(&connection(), Kind::Membership, &target).is_empty());
    cluster.connect(json!({"allowedNamespaces": {"names": ["evil"]}}));
    let registry = &cluster.registry;
    assert_eq!(
        registry.owner_before(registry.get(&user).unwrap()).map(Object::key),
        Some(thief)
    );
    assert_eq!(registry.claims(&connection(), Kind::Membership, &target).len(), 1);
}

#[test]
fn what_cannot_be_decoded_blocks_removals_and_wakes_those_who_waited() {
    let mut cluster = Cluster::default();
    let one = membership(&mut cluster, "one", json!({"ref": "rnd"}), &["A"]);
    let two = membership(&mut cluster, "two", json!({"ref": "hr"}), &["A"]);
    let archives = json!({"inactiveFor": "720h", "action": "Archive"});
    let archives = cluster.declare(Kind::Inactive, "unused", archives);
    let user = cluster.declare_user("A", plain());
    let object = cluster.registry.get(&user).unwrap().clone();
    assert_eq!(
        names(&cluster.registry.set_undecodable(user.clone(), Some(connection()))),
        ["one", "two", "unused"],
        "they may select it"
    );
    assert!(cluster.registry.has_unknown_claims(&connection()));
    assert!(
        cluster.registry.keys().any(|key| *key == user),
        "a relist still knows it"
    );
    let woken = cluster.registry.set(object);
    assert!([one, two, archives.clone()].iter().all(|key| woken.contains(key)));
    assert!(!cluster.registry.has_unknown_claims(&connection()));
    let group = ResourceKey::new(Kind::Group, "hr", "g");
    for declares_nobody in [group, archives.clone()] {
        cluster.registry.set_undecodable(declares_nobody, Some(connection()));
        assert!(!cluster.registry.has_unknown_claims(&connection()));
    }
    // Of those that stay undecodable, only a membership may declare somebody; whoever waits for it is woken.
    let one = membership(&mut cluster, "one", json!({"ref": "rnd"}), &["A"]);
    let archives = json!({"inactiveFor": "720h", "action": "Archive"});
    let archives = cluster.declare(Kind::Inactive, "other", archives);
    let object = cluster.registry.get(&one).unwrap().clone();
    cluster.registry.set_undecodable(one, None);
    assert!(cluster.registry.set(object).contains(&archives));
}

#[test]
fn what_cannot_be_decoded_is_a_claim_on_its_connection_alone() {
    let mut cluster = Cluster::default();
    let one = membership(&mut cluster, "one", json!({"ref": "rnd"}), &["A"]);
    let (other, broken) = (ConnectionKey::new("hr", "other"), |namespace: &str| {
        ResourceKey::new(Kind::User, namespace, "broken")
    });
    let registry = &mut cluster.registry;
    registry.set_undecodable(broken("hr"), Some(other.clone()));
    assert!(registry.has_unknown_claims(&other) && !registry.has_unknown_claims(&connection()));
    assert_eq!(registry.remove(&broken("hr")), [].into(), "nobody waited");

    // Where it is not known which connection it names, it may be any that its namespace may use.
    registry.set_undecodable(broken("evil"), None);
    assert!(!registry.has_unknown_claims(&connection()), "that namespace has no say");
    registry.set_undecodable(broken("hr"), None);
    assert!(registry.has_unknown_claims(&other) && registry.has_unknown_claims(&connection()));
    assert!(registry.remove(&broken("hr")).contains(&one));
}

#[test]
fn a_connection_that_cannot_be_decoded_is_known_and_not_gone() {
    let mut cluster = Cluster::default();
    let present = cluster.registry.connection(&connection()).unwrap().clone();
    let registry = &mut cluster.registry;
    registry.set_undecodable_connection(connection(), UndecodableConnection::default());
    assert!(
        registry.connection(&connection()).is_none(),
        "what it permits is not known"
    );
    assert_eq!(registry.is_connection_deleting(&connection()), Some(false));
    let mut going = UndecodableConnection::default();
    going.meta.deletion_timestamp = Some(Time(Timestamp::UNIX_EPOCH));
    registry.set_undecodable_connection(connection(), going);
    assert_eq!(registry.is_connection_deleting(&connection()), Some(true));
    registry.set_connection(connection(), present);
    assert!(registry.undecodable_connection(&connection()).is_none());
    registry.remove_connection(&connection());
    assert_eq!(registry.is_connection_deleting(&connection()), None);
}

#[test]
fn nothing_is_known_before_all_watches_are() {
    let mut registry = Registry::awaiting_watches();
    for kind in Kind::ALL {
        assert!(registry.has_unknown_claims(&connection()));
        registry.watch_completed(*kind);
    }
    assert!(registry.is_complete() && !registry.has_unknown_claims(&connection()));
}

#[test]
fn an_object_that_was_made_anew_is_another_one() {
    let mut cluster = Cluster::default();
    let user = cluster.declare_user("A", plain());
    cluster.settle();
    let Object::User(known) = cluster.registry.get(&user).unwrap().clone() else {
        unreachable!()
    };
    let mut copy = (*known).clone();
    copy.metadata.uid = Some("another".into());
    let copy = Object::User(copy.into());
    assert!(copy.status().is_none(), "a status that was copied is void");
    assert_eq!(names(&cluster.registry.set(copy)), ["a"]);
}
