use rstest::rstest;
use serde_json::{Value, json};

use crate::{
    api::Kind,
    plan::{Finalizer, testing::Cluster},
};

/// A connection with the permit that one has by default, changed by `more`.
fn permitting(more: &Value) -> Cluster {
    let mut cluster = Cluster::default();
    cluster.connect(json!({"permit": more}));
    cluster
}

#[rstest]
#[case::a_role_beyond(json!({}), json!({"roles": ["MANAGER"]}), Some("role MANAGER is not among the permitted ones (PARTICIPANT)"))]
#[case::one_of_two(json!({}), json!({"roles": ["PARTICIPANT", "TRAINER"]}), Some("role TRAINER"))]
#[case::a_permitted_one(json!({"roles": ["PARTICIPANT", "MANAGER"]}), json!({"roles": ["MANAGER"]}), None)]
#[case::the_role_of_new_users(json!({"roles": []}), json!({}), Some("role PARTICIPANT is not among the permitted ones (none)"))]
#[case::any_domain(json!({}), json!({}), None)]
#[case::another_domain(json!({"emailDomains": ["example.org", "b.example"]}), json!({}), Some("in example.org, b.example only"))]
#[case::no_subdomain(json!({"emailDomains": ["example.com"]}), json!({"email": "a@b.example.com"}), Some("in example.com only"))]
#[case::the_domain_in_any_case(json!({"emailDomains": ["Example.COM"]}), json!({"email": "a@EXAMPLE.com"}), None)]
fn a_user(#[case] permit: Value, #[case] spec: Value, #[case] refusal: Option<&str>) {
    let mut cluster = permitting(&permit);
    let user = cluster.declare_user("EMP-1", spec);
    let decision = cluster.decide(&user);
    assert_eq!(decision.calls.is_empty(), refusal.is_some());
    if let Some(refusal) = refusal {
        assert_eq!(decision.verdict.reason.as_str(), "NotPermitted");
        assert!(
            decision.verdict.message.contains(refusal),
            "{}",
            decision.verdict.message
        );
        assert!(decision.verdict.message.contains("of PluvoConnection hr/default"));
        assert_eq!(decision.finalizer, Finalizer::Keep);
    }
}

#[rstest]
#[case::managers(json!({"role": "Manager"}), json!({"roles": ["MANAGER"]}), "role MANAGER")]
#[case::exclusive(json!({"policy": "Exclusive"}), json!({"exclusive": true}), "policy Exclusive is not permitted")]
fn a_membership(#[case] spec: Value, #[case] permit: Value, #[case] refusal: &str) {
    for (permit, refused) in [(json!({}), true), (permit, false)] {
        let mut cluster = permitting(&permit);
        cluster.pluvo.has_group("rnd", json!({}));
        cluster.pluvo.has_user("EMP-1", json!({}));
        let mut whole = json!({"group": {"ref": "rnd"}, "users": ["EMP-1"], "policy": "Owned"});
        whole.as_object_mut().unwrap().extend(spec.as_object().unwrap().clone());
        let membership = cluster.declare(Kind::Membership, "m", whole);
        let decision = cluster.decide(&membership);
        assert_eq!(decision.calls.is_empty(), refused);
        assert_eq!(decision.verdict.message.contains(refusal), refused);
    }
}

#[test]
fn an_account_with_a_role_beyond_the_permit_is_reported_and_never_changed() {
    let mut cluster = permitting(&json!({}));
    let account = json!({"name": "EMP-1", "email": "emp-1@example.com"});
    cluster.pluvo.has_user("EMP-1", account);
    let user = cluster.declare_user("EMP-1", json!({}));
    cluster.settle();
    assert_eq!(cluster.reason(&user), "InSync");
    // Nothing differs: nothing is to be said.
    cluster
        .pluvo
        .change_user("EMP-1", |user| user.roles = vec!["MANAGER".into()]);
    assert_eq!(cluster.decide(&user).verdict.reason.as_str(), "InSync");
    cluster.edit(&user, json!({"name": "Another"}));
    let decision = cluster.decide(&user);
    assert_eq!(decision.verdict.reason.as_str(), "Protected");
    let message = &decision.verdict.message;
    assert!(message.contains("differs at name"), "{message}");
    assert!(decision.calls.is_empty());
    // Its resource goes, and the account stays.
    cluster.delete(&user);
    let decision = cluster.decide(&user);
    assert!(decision.calls.is_empty());
    assert_eq!(decision.finalizer, Finalizer::Release);
}

#[test]
fn an_administrator_is_not_adopted() {
    let mut cluster = permitting(&json!({}));
    let id = cluster
        .pluvo
        .has_user("X", json!({"email": "boss@example.com", "roles": ["MANAGER"]}));
    cluster.pluvo.users.get_mut(&id).unwrap().reference = None;
    let thief = cluster.declare_user("EMP-1", json!({"email": "boss@example.com"}));
    let decision = cluster.decide(&thief);
    assert_eq!(decision.verdict.reason.as_str(), "Protected");
    assert!(decision.calls.is_empty() && decision.identity.adopted.is_none());
}
