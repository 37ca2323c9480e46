use rstest::rstest;
use serde_json::{Value, json};

use crate::{
    api::{Kind, common::Adoption},
    plan::{
        observed::{Key, Unavailable},
        testing::{Cluster, changes, drift, plain, the_update, words},
        value,
    },
};

/// A ref that Pluvo made itself.
const GENERATED: &str = "0b0c6a5e-7a0c-4d52-9d44-1f0a3c0d9b11";

/// Adopting, and what may be taken over: (wanted, permitted).
type May = (Adoption, Adoption);
const NEVER: May = (Adoption::Never, Adoption::ByEmail);
const SAFE: May = (Adoption::Safe, Adoption::Safe);
const BY_EMAIL: May = (Adoption::ByEmail, Adoption::ByEmail);
const FORBIDDEN: May = (Adoption::ByEmail, Adoption::Safe);
const NOTHING: May = (Adoption::ByEmail, Adoption::Never);

#[rstest]
#[case::nobody_has_the_address(None, SAFE, "updateOrCreateUser")]
#[case::even_if_nothing_may_be_adopted(None, NOTHING, "updateOrCreateUser")]
#[case::a_generated_ref_is_free(Some(json!({"ref": GENERATED})), SAFE, "updateUser")]
#[case::so_is_no_ref(Some(json!({"ref": null})), SAFE, "updateUser")]
#[case::but_not_where_adoption_is_refused(Some(json!({"ref": GENERATED})), NEVER, "IdentityConflict")]
#[case::or_not_permitted(Some(json!({"ref": GENERATED})), NOTHING, "IdentityConflict")]
#[case::a_chosen_ref_is_somebody(Some(json!({"ref": "EMP-9"})), SAFE, "IdentityConflict")]
#[case::whom_only_by_email_takes_over(Some(json!({"ref": "EMP-9"})), BY_EMAIL, "updateUser")]
#[case::where_the_connection_permits_it(Some(json!({"ref": "EMP-9"})), FORBIDDEN, "IdentityConflict")]
#[case::archived_accounts_hold_their_address(Some(json!({"ref": "EMP-9", "archived": true})), SAFE, "IdentityConflict")]
#[case::and_come_back_as_rehires(Some(json!({"ref": "EMP-9", "archived": true})), BY_EMAIL, "updateUser")]
fn an_unknown_ref(#[case] holder: Option<Value>, #[case] (wanted, permitted): May, #[case] expected: &str) {
    let mut cluster = Cluster::default();
    cluster.connect(json!({"permit": {"adoption": permitted}}));
    if let Some(holder) = holder {
        let id = cluster.pluvo.has_user("HOLDER", json!({"email": "Jane@Example.com"}));
        let user = cluster.pluvo.users.get_mut(&id).unwrap();
        user.reference = holder["ref"].as_str().map(Into::into);
        user.archived = holder["archived"] == true;
    }
    let user = cluster.declare_user("EMP-1", json!({"email": "jane@example.com", "adoption": wanted}));
    let decision = cluster.decide(&user);
    if decision.calls.is_empty() {
        assert_eq!(
            decision.verdict.reason.as_str(),
            expected,
            "{}",
            decision.verdict.message
        );
    } else {
        assert_eq!(words(&decision.calls), [expected]);
    }
    let before = cluster.pluvo.users.len();
    cluster.settle();
    let made = usize::from(expected == "updateOrCreateUser");
    assert_eq!(cluster.pluvo.users.len(), before + made, "no second account");
    assert_eq!(cluster.pluvo.by_ref("EMP-1").is_some(), expected != "IdentityConflict");
}

#[test]
fn what_was_adopted_is_remembered() {
    let mut cluster = Cluster::default();
    let id = cluster.pluvo.has_user(GENERATED, json!({"email": "emp-1@example.com"}));
    let user = cluster.declare_user("EMP-1", plain());
    cluster.settle();
    let status = cluster.status(&user);
    assert_eq!(
        (status.adopted, status.previous_ref.as_deref()),
        (Some(true), Some(GENERATED))
    );
    assert_eq!(status.id.as_deref(), Some(&*id.0));
}

#[test]
fn an_account_that_another_resource_declares_is_never_adopted() {
    let mut cluster = Cluster::default();
    cluster.connect(json!({"permit": {"adoption": "ByEmail"}}));
    cluster.pluvo.has_user("EMP-9", json!({"email": "jane@example.com"}));
    cluster.declare_user("EMP-9", json!({"email": "jane@example.com"}));
    let thief = cluster.declare_user("EMP-1", json!({"email": "jane@example.com", "adoption": "ByEmail"}));
    assert_eq!(cluster.settle(), []);
    assert_eq!(cluster.reason(&thief), "IdentityConflict");
}

#[test]
fn an_address_that_is_given_up_is_taken_afterwards() {
    let mut cluster = Cluster::default();
    let old = cluster.declare_user("EMP-9", json!({"email": "jane@example.com"}));
    cluster.settle();
    let new = cluster.declare_user("EMP-1", json!({"email": "JANE@example.com"}));
    cluster.settle();
    assert_eq!(cluster.reason(&new), "IdentityConflict");
    cluster.edit(&old, json!({"email": "jane.married@example.com"}));
    assert_eq!(
        cluster.decide(&new).verdict.reason.as_str(),
        "DependencyNotReady",
        "it waits, and goes on by itself"
    );
    cluster.settle();
    assert_eq!(
        (cluster.reason(&old), cluster.reason(&new)),
        ("InSync".into(), "InSync".into())
    );
    assert_eq!(
        cluster.pluvo.by_ref("EMP-1").unwrap().email.as_deref(),
        Some("JANE@example.com")
    );
}

#[test]
fn who_wait_for_each_others_address_are_told_so() {
    let mut cluster = Cluster::default();
    let users = ["EMP-1", "EMP-2", "EMP-3"].map(|reference| cluster.declare_user(reference, plain()));
    let bystander = cluster.declare_user("EMP-4", plain());
    cluster.settle();
    for (user, address) in users.iter().zip(["emp-2", "emp-3", "emp-1"]) {
        cluster.edit(user, json!({"email": format!("{address}@example.com")}));
    }
    cluster.edit(&bystander, json!({"email": "emp-1@example.com"}));
    assert_eq!(cluster.settle(), []);
    for user in &users {
        assert_eq!(cluster.reason(user), "IdentityConflict");
    }
    let message = cluster.decide(&users[0]).verdict.message;
    assert!(
        message.contains("this user and EMP-2 wait for each other's"),
        "{message}"
    );

    cluster.edit(&users[0], json!({"email": "elsewhere@example.com"}));
    cluster.settle();
    for user in &users {
        assert_eq!(cluster.reason(user), "InSync");
    }
    assert_eq!(cluster.reason(&bystander), "IdentityConflict", "EMP-3 has it now");
}

#[test]
fn a_new_address_that_somebody_holds_is_not_written() {
    let mut cluster = Cluster::default();
    cluster.pluvo.has_user("EMP-9", plain());
    let user = cluster.declare_user("EMP-1", plain());
    cluster.settle();
    cluster.edit(&user, json!({"email": "emp-9@example.com"}));
    assert_eq!(cluster.settle(), []);
    assert_eq!(cluster.reason(&user), "IdentityConflict");
}

/// What is known under the ref, and what under the id that the status names.
#[rstest]
#[case::both(true, true, "InSync")]
#[case::another_account_has_the_ref(true, false, "IdentityConflict")]
#[case::only_the_id(false, true, "Correcting")]
#[case::neither(false, false, "DeletedRemotely")]
fn a_known_id(#[case] by_ref: bool, #[case] by_id: bool, #[case] reason: &str) {
    let mut cluster = Cluster::default();
    let user = cluster.declare_user("EMP-1", plain());
    cluster.settle();
    let id = cluster.pluvo.id_of("EMP-1");
    match (by_ref, by_id) {
        (true, true) => {}
        (false, true) => cluster
            .pluvo
            .change_user("EMP-1", |user| user.reference = Some("EMP-X".into())),
        (_, false) => drop(cluster.pluvo.users.remove(&id)),
    }
    if by_ref && !by_id {
        cluster.pluvo.has_user("EMP-1", plain());
    }
    assert_eq!(cluster.decide(&user).verdict.reason.as_str(), reason);
    for unknown in [Key::UserRef("EMP-1".into()), Key::UserId(id)] {
        let decides_without = by_ref && matches!(unknown, Key::UserId(_)) && !by_id;
        cluster.pluvo.unknown = [unknown].into();
        let decision = cluster.decide(&user);
        assert!(decision.calls.is_empty());
        assert_eq!(
            decision.observed, decides_without,
            "nothing is decided on what is not known"
        );
    }
}

#[rstest]
#[case::by_ref(Key::UserRef("EMP-1".into()))]
#[case::by_address(Key::UserEmail("emp-1@example.com".into()))]
fn nobody_is_made_on_a_guess(#[case] unknown: Key) {
    let mut cluster = Cluster::default();
    cluster.pluvo.unknown = [unknown].into();
    let user = cluster.declare_user("EMP-1", plain());
    let decision = cluster.decide(&user);
    assert!(decision.calls.is_empty() && !decision.observed);
    for (why, reason) in [
        (Unavailable::Unreachable, "ApiUnavailable"),
        (Unavailable::NoCredentials, "ConnectionNotReady"),
    ] {
        cluster.pluvo.unavailable = Some(why);
        assert_eq!(cluster.decide(&user).verdict.reason.as_str(), reason);
    }
}

#[test]
fn a_leaver_whom_nobody_knows_is_in_sync() {
    let mut cluster = Cluster::default();
    let user = cluster.declare_user("EMP-1", json!({"archived": true, "email": null}));
    assert_eq!(cluster.settle(), []);
    assert_eq!(cluster.reason(&user), "InSync");
}

#[test]
fn a_leaver_goes_and_a_rehire_comes_back() {
    let mut cluster = Cluster::default();
    let user = cluster.declare_user("EMP-1", plain());
    cluster.settle();
    cluster.edit(&user, json!({"archived": true}));
    cluster.settle();
    assert!(cluster.pluvo.by_ref("EMP-1").unwrap().archived);
    cluster.edit(&user, json!({"archived": false}));
    cluster.settle();
    assert!(!cluster.pluvo.by_ref("EMP-1").unwrap().archived);
    assert_eq!(cluster.pluvo.users.len(), 1);
}

#[test]
fn a_new_user_needs_a_name() {
    let mut cluster = Cluster::default();
    let user = cluster.declare_user("EMP-1", json!({"name": null}));
    assert_eq!(cluster.settle(), []);
    assert_eq!(cluster.reason(&user), "InvalidSpec");
}

#[test]
fn observe_makes_nobody() {
    let mut cluster = Cluster::default();
    let user = cluster.declare_user("EMP-1", json!({"mode": "Observe"}));
    assert_eq!(cluster.settle(), []);
    assert_eq!(cluster.reason(&user), "NotFound");
    assert_eq!(cluster.status(&user).drift.unwrap().entries[0].path, "ref");
}

#[test]
fn the_connections_mode_is_the_ceiling() {
    let mut cluster = Cluster::default();
    cluster.connect(json!({"mode": "Observe"}));
    let user = cluster.declare_user("EMP-1", json!({"mode": "Correct"}));
    assert_eq!(cluster.settle(), []);
    assert_eq!(cluster.reason(&user), "NotFound");
}

#[test]
fn an_invitation_is_sent_once() {
    let mut cluster = Cluster::default();
    let user = cluster.declare_user("EMP-1", json!({"sendInvite": true}));
    assert_eq!(words(&cluster.pass(&user).calls), ["updateOrCreateUser with mail"]);
    assert_eq!(
        cluster.status(&user).mailed,
        ["EMP-1"],
        "the intent is recorded before the call"
    );
    assert_eq!(
        words(&cluster.pass(&user).calls),
        ["updateOrCreateUser"],
        "who knows whether it was sent"
    );
    cluster.pluvo.unsent_mails.insert("EMP-1".into());
    assert_eq!(
        words(&cluster.pass(&user).calls),
        ["updateOrCreateUser with mail"],
        "it was not"
    );
}

#[test]
fn whoever_was_told_stays_told() {
    let mut cluster = Cluster::default();
    let user = cluster.declare_user("EMP-1", json!({"sendInvite": true}));
    cluster.settle();
    let id = cluster.pluvo.id_of("EMP-1");
    cluster.pluvo.users.remove(&id);
    cluster.settle();
    assert_eq!(cluster.reason(&user), "DeletedRemotely");
    assert_eq!(cluster.status(&user).mailed, ["EMP-1"]);
    assert_eq!(cluster.pluvo.outbox, ["EMP-1"]);
}

#[test]
fn who_is_gone_is_made_anew_where_that_is_asked_for() {
    let mut cluster = Cluster::default();
    let fields = json!([{"ref": "department", "text": "R&D"}]);
    cluster.pluvo.has_custom_field("department");
    let more = json!({"onRemoteDeletion": "Recreate", "sendInvite": true, "mode": "Apply", "customFields": fields});
    let user = cluster.declare_user("EMP-1", more);
    cluster.settle();
    let first = cluster.pluvo.id_of("EMP-1");
    cluster.pluvo.users.remove(&first);
    cluster.restart();
    cluster.settle();
    let second = cluster.pluvo.id_of("EMP-1");
    assert_ne!(first, second);
    assert_eq!(cluster.reason(&user), "InSync");
    assert_eq!(cluster.status(&user).id.as_deref(), Some(&*second.0));
    assert_eq!(cluster.pluvo.outbox, ["EMP-1"], "nobody is told twice");
}

/// What a conflict says nothing about stands: drift stays drift.
#[test]
fn a_conflict_forgets_nothing() {
    let mut cluster = Cluster::default();
    let user = cluster.declare_user("EMP-1", json!({"mode": "Apply"}));
    cluster.settle();
    let applied = cluster.status(&user).applied;
    cluster.pluvo.has_user("EMP-9", plain());
    cluster.edit(&user, json!({"email": "emp-9@example.com"}));
    cluster.settle();
    assert_eq!(cluster.reason(&user), "IdentityConflict");
    assert_eq!(cluster.status(&user).applied, applied);
    cluster.pluvo.change_user("EMP-1", |user| user.name = "Somebody".into());
    cluster.edit(&user, json!({"email": "emp-1@example.com"}));
    let decision = cluster.decide(&user);
    assert_eq!((drift(&decision), changes(&decision)), (vec!["name"], vec![]));
    assert_eq!(decision.calls, [], "mode Apply reports drift");
}

#[test]
fn a_refused_creation_waits_for_another_spec() {
    let mut cluster = Cluster::default();
    cluster.pluvo.refused.insert("Jane".into());
    let user = cluster.declare_user("EMP-1", json!({"name": "Jane"}));
    cluster.settle();
    assert_eq!(cluster.reason(&user), "ApiRejected");
    assert_eq!(cluster.settle(), [], "nothing is asked twice");
    cluster.pluvo.refused.clear();
    cluster.edit(&user, json!({"name": "Jane Doe"}));
    cluster.settle();
    assert_eq!(cluster.reason(&user), "InSync");
}

#[test]
fn a_value_that_is_refused_holds_no_other_back() {
    let mut cluster = Cluster::default();
    let user = cluster.declare_user("EMP-1", plain());
    cluster.settle();
    cluster.pluvo.refused.insert("Bad Name".into());
    cluster.edit(
        &user,
        json!({"name": "Bad Name", "email": "new@example.com", "language": "EN"}),
    );
    cluster.settle();
    assert_eq!(cluster.reason(&user), "ApiRejected");
    let message = cluster.decide(&user).verdict.message;
    assert!(message.starts_with("Pluvo refuses name of user EMP-1"), "{message}");
    let held = cluster.pluvo.by_ref("EMP-1").unwrap();
    assert_eq!(
        (held.email.as_deref(), &*held.language.0),
        (Some("new@example.com"), "EN")
    );
    assert_eq!(cluster.settle(), [], "nothing is asked twice");
    cluster.edit(&user, json!({"name": "Good Name"}));
    cluster.settle();
    assert_eq!(cluster.reason(&user), "InSync");
}

#[test]
fn a_value_that_does_not_stick_is_reported_and_not_repeated() {
    let mut cluster = Cluster::default();
    let user = cluster.declare_user("EMP-1", plain());
    cluster.settle();
    cluster.pluvo.ignored.insert("Jane".into());
    cluster.edit(&user, json!({"name": "Jane"}));
    assert_eq!(words(&cluster.settle()), ["updateUser"]);
    assert_eq!(cluster.reason(&user), "ValueNotAccepted");
    assert_eq!(cluster.settle(), []);
    cluster.pluvo.ignored.clear();
    cluster.pluvo.change_user("EMP-1", |user| user.name = "Somebody".into());
    cluster.settle();
    assert_eq!(
        cluster.reason(&user),
        "InSync",
        "another value in Pluvo is another attempt"
    );
}

#[test]
fn a_created_account_that_does_not_show_under_its_ref_is_reported() {
    let mut cluster = Cluster::default();
    let user = cluster.declare_user("EMP-1", plain());
    let creation = cluster.decide(&user).calls.remove(0);
    cluster.pluvo.execute(&creation);
    let id = cluster.pluvo.id_of("EMP-1");
    let account = cluster.pluvo.users.get_mut(&id).unwrap();
    (account.reference, account.email) = (Some("emp-1".into()), None);
    assert_eq!(cluster.pass(&user).calls, []);
    assert_eq!(cluster.reason(&user), "ValueNotAccepted");
}

/// Who else declares the ref, and what becomes of the account when the resource goes.
#[rstest]
#[case::archived_by_default(plain(), "updateUser for Deletion")]
#[case::kept_on_request(json!({"deletionPolicy": "Orphan"}), "")]
#[case::observe_writes_nothing(json!({"mode": "Observe"}), "")]
#[case::a_leaver_has_left(json!({"archived": true}), "")]
fn deletion(#[case] more: Value, #[case] expected: &str) {
    let mut cluster = Cluster::default();
    let user = cluster.declare_user("EMP-1", plain());
    cluster.settle();
    cluster.edit(&user, more);
    cluster.settle();
    cluster.delete(&user);
    let sent = cluster.settle();
    assert_eq!(words(&sent).join(", "), expected);
    assert!(!cluster.exists(&user));
}

#[test]
fn a_deletion_waits_until_pluvo_was_read() {
    let mut cluster = Cluster::default();
    let user = cluster.declare_user("EMP-1", plain());
    cluster.settle();
    cluster.delete(&user);
    cluster.pluvo.unknown = [Key::UserId(cluster.pluvo.id_of("EMP-1"))].into();
    assert_eq!(cluster.settle(), []);
    let blocked = |cluster: &Cluster| {
        let conditions = cluster.status(&user).conditions;
        conditions.iter().any(|known| known.type_ == "DeletionBlocked")
    };
    assert!(blocked(&cluster));
    cluster.pluvo.unknown.clear();
    cluster.settle();
    assert!(!cluster.exists(&user));
}

#[rstest]
#[case::renamed("hr", "jane")]
#[case::moved("learning", "emp-1")]
fn a_ref_that_changes_hands_archives_nobody(#[case] namespace: &str, #[case] name: &str) {
    let mut cluster = Cluster::default();
    cluster.connect(json!({"allowedNamespaces": {"names": ["learning"]}}));
    let old = cluster.declare_user("EMP-1", plain());
    cluster.settle();
    let spec = json!({"ref": "EMP-1", "email": "emp-1@example.com", "name": "EMP-1"});
    let new = cluster.declare_in(namespace, Kind::User, name, spec);
    cluster.settle();
    assert_eq!(cluster.reason(&new), "OwnedByOther");
    cluster.delete(&old);
    assert_eq!(cluster.settle(), []);
    assert!(!cluster.exists(&old));
    assert_eq!(cluster.reason(&new), "InSync");
}

#[test]
fn addresses_compare_as_pluvo_compares_them() {
    let mut cluster = Cluster::default();
    cluster
        .pluvo
        .has_user("EMP-1", json!({"email": "EMP-1@Example.Com", "name": " Zoe\u{308} "}));
    let user = cluster.declare_user("EMP-1", json!({"name": "Zo\u{eb}"}));
    assert_eq!(cluster.settle(), []);
    assert_eq!(cluster.reason(&user), "InSync");
    let applied = cluster.status(&user).applied;
    let email = value::fingerprint("uid-1", "email", "emp-1@example.com");
    assert!(applied.iter().any(|known| known.path == "email" && known.hash == email));
}

#[test]
fn only_what_differs_is_written() {
    let mut cluster = Cluster::default();
    let user = cluster.declare_user("EMP-1", json!({"roles": ["TRAINER", "PARTICIPANT"], "language": "EN"}));
    cluster.settle();
    cluster.edit(&user, json!({"language": "NL"}));
    let decision = cluster.decide(&user);
    let update = the_update(&decision);
    assert_eq!(update.language, Some("NL".into()));
    assert_eq!(
        (&update.email, &update.name, &update.roles, update.archived),
        (&None, &None, &None, None)
    );
}
