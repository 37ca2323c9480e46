//! Trainings and who is in them.

use serde_json::json;

use super::{Pluvo, each};

const ADD: &str = "mutation ($role: TrainingRole = PARTICIPANT, $refs: [String!], $invite: Boolean, $training: String = \"safety-2024\") {
  addUsersToTraining(trainingRef: $training, userRefs: $refs, sendInvites: $invite, role: $role) {
    addedIds addedRefs alreadyAddedIds alreadyAddedRefs failedIds failedRefs
  }
}";

const REMOVE: &str = "mutation ($refs: [String!], $training: String = \"safety-2024\") {
  removeUsersFromTraining(trainingRef: $training, userRefs: $refs) {
    removedRefs alreadyRemovedRefs idsLinkedViaObject refsLinkedViaObject failedIds failedRefs
  }
}";

#[tokio::test]
async fn a_training_is_created_and_changed() {
    let pluvo = Pluvo::start().await;
    let create = r#"mutation { createTraining(training: {title: "Fire", ref: "fire", startDate: "2026-09-01T10:00:00Z"}) { training { id ref title isActive archived startDate } } }"#;
    let training = pluvo.data(create).await["createTraining"]["training"].clone();
    assert_eq!(training["startDate"], "2026-09-01", "a moment comes in, a day goes out");
    pluvo
        .data(r#"mutation { updateTraining(ref: "fire", training: {archived: true}) { training { archived } } }"#)
        .await;
    let data = pluvo.data(r#"{ a: paginatedTrainings(archived: true) { edges { node { ref } } } b: trainings(query: "SAFE") { ref } }"#).await;
    assert_eq!(
        (each(&data["a"]["edges"], "/node/ref"), each(&data["b"], "/ref")),
        (vec!["fire".to_owned()], vec!["safety-2024".to_owned()])
    );
}

#[tokio::test]
async fn participants_come_and_go() {
    let pluvo = Pluvo::start().await;
    let refs = json!({"refs": ["EMP-001", "EMP-003", "EMP-404"]});
    let added = pluvo.data_with(ADD, refs.clone()).await["addUsersToTraining"].clone();
    assert_eq!(
        (&added["addedRefs"], &added["failedRefs"], &added["failedIds"]),
        (&json!(["EMP-001", "EMP-003"]), &json!(["EMP-404"]), &json!([]))
    );
    let again = pluvo.data_with(ADD, refs.clone()).await["addUsersToTraining"].clone();
    assert_eq!(again["alreadyAddedRefs"], json!(["EMP-001", "EMP-003"]));
    let outbox = pluvo.look("outbox").await;
    assert_eq!(
        each(&outbox, "/to"),
        ["EMP-001", "EMP-003"],
        "invites by default, for those added"
    );
    assert_eq!(
        (&outbox[0]["kind"], &outbox[0]["training"]),
        (&json!("trainingInvite"), &json!("safety-2024"))
    );

    let trainer = json!({"refs": ["EMP-002"], "role": "TRAINER", "invite": false});
    pluvo.data_with(ADD, trainer).await;
    assert_eq!(pluvo.look("stats").await["mails"], 2);
    let data = pluvo.data(r#"{ training(ref: "safety-2024") { id participants(last: 1) { count edges { node { ref } } } trainers { edges { node { ref } } } } }"#).await;
    assert_eq!(
        each(&data["training"]["participants"]["edges"], "/node/ref"),
        ["EMP-003"]
    );
    assert_eq!(each(&data["training"]["trainers"]["edges"], "/node/ref"), ["EMP-002"]);
    let everyone = "query ($ids: [UUID!]) { paginatedUsers(trainingIds: $ids) { count } }";
    let ids = json!({"ids": [data["training"]["id"]]});
    assert_eq!(
        pluvo.data_with(everyone, ids.clone()).await["paginatedUsers"]["count"],
        3
    );
    pluvo
        .control("settings", json!({"trainingIdsCountTrainers": false}))
        .await;
    assert_eq!(pluvo.data_with(everyone, ids).await["paginatedUsers"]["count"], 2);

    let removed = pluvo
        .data_with(REMOVE, json!({"refs": ["EMP-001", "EMP-002", "EMP-404"]}))
        .await;
    let removed = &removed["removeUsersFromTraining"];
    assert_eq!(
        (&removed["removedRefs"], &removed["failedRefs"]),
        (&json!(["EMP-001", "EMP-002"]), &json!(["EMP-404"]))
    );
    let again = pluvo.data_with(REMOVE, json!({"refs": ["EMP-001"]})).await;
    assert_eq!(
        again["removeUsersFromTraining"]["alreadyRemovedRefs"],
        json!(["EMP-001"])
    );
}

#[tokio::test]
async fn who_is_in_through_a_group_stays() {
    let pluvo = Pluvo::start().await;
    let data = pluvo.data(r#"{ training(ref: "welcome") { participants { edges { node { ref } } } } user(ref: "EMP-001") { id } group(ref: "all-employees") { trainings { ref } } }"#).await;
    assert_eq!(
        each(&data["training"]["participants"]["edges"], "/node/ref"),
        ["EMP-001", "EMP-002"]
    );
    assert_eq!(each(&data["group"]["trainings"], "/ref"), ["welcome"]);
    let welcome = json!({"refs": ["EMP-001"], "training": "welcome"});
    let answer = pluvo.data_with(REMOVE, welcome.clone()).await["removeUsersFromTraining"].clone();
    assert_eq!(
        (&answer["refsLinkedViaObject"], &answer["removedRefs"]),
        (&json!(["EMP-001"]), &json!([]))
    );
    assert_eq!(answer["idsLinkedViaObject"], json!([data["user"]["id"]]));

    // Added directly as well, somebody stays when the group is unlinked.
    assert_eq!(
        pluvo.data_with(ADD, welcome).await["addUsersToTraining"]["addedRefs"],
        json!(["EMP-001"])
    );
    pluvo
        .control(
            "change",
            json!({"trainings": {"welcome": {"removeGroups": ["all-employees"]}}}),
        )
        .await;
    let data = pluvo
        .data(r#"{ training(ref: "welcome") { participants { edges { node { ref } } } } }"#)
        .await;
    assert_eq!(
        each(&data["training"]["participants"]["edges"], "/node/ref"),
        ["EMP-001"]
    );
}

#[tokio::test]
async fn roles_are_read_per_user() {
    let pluvo = Pluvo::start().await;
    pluvo
        .data_with(ADD, json!({"refs": ["EMP-001"], "role": "TRAINER"}))
        .await;
    let id = pluvo.data(r#"{ user(ref: "EMP-001") { id } }"#).await["user"]["id"].clone();
    let query = "query ($id: UUID, $roles: [TrainingRole!]) { paginatedTrainings(userId: $id, trainingUserRoles: $roles) { edges { node { ref } } } }";
    for (roles, expected) in [
        (json!(null), vec!["safety-2024", "welcome"]),
        (json!(["TRAINER"]), vec!["safety-2024"]),
        (json!(["PARTICIPANT"]), vec!["welcome"]),
    ] {
        let data = pluvo.data_with(query, json!({"id": id, "roles": roles})).await;
        assert_eq!(
            each(&data["paginatedTrainings"]["edges"], "/node/ref"),
            expected,
            "{roles}"
        );
    }
}
