//! Groups, their members and managers.

use serde_json::{Value as Json, json};

use super::{Pluvo, each};

const ADD: &str = "mutation ($group: String, $refs: [String!], $ids: [UUID!]) {
  addUsersToGroup(groupRef: $group, userRefs: $refs, userIds: $ids) {
    addedIds alreadyAddedIds failedIds addedRefs alreadyAddedRefs failedRefs
  }
}";

async fn id_of(pluvo: &Pluvo, reference: &str) -> Json {
    let query = "query ($ref: String) { user(ref: $ref) { id } }";
    pluvo.data_with(query, json!({"ref": reference})).await["user"]["id"].clone()
}

#[tokio::test]
async fn a_group_is_created_changed_and_deleted() {
    let pluvo = Pluvo::start().await;
    let create = r#"mutation { createGroup(group: {name: "R&D", ref: "dept-rnd"}) { group { id name ref maxUsers enableChat isEditable userCount } } }"#;
    let group = pluvo.data(create).await["createGroup"]["group"].clone();
    let id = group["id"].as_str().expect("an id");
    assert_eq!(
        (&group["maxUsers"], &group["enableChat"], &group["isEditable"]),
        (&json!(0), &json!(false), &json!(true))
    );
    assert_eq!(pluvo.refusal(create).await.0, "ValidationError", "the ref is taken");
    pluvo
        .data(r#"mutation { updateGroup(ref: "dept-rnd", group: {name: "Research", maxUsers: 5}) { group { id } } }"#)
        .await;
    assert_eq!(pluvo.look("state").await["groups"]["dept-rnd"]["maxUsers"], 5);
    let names = pluvo
        .data(r"{ paginatedGroups(first: 2) { count edges { node { name } } } groups { name } }")
        .await;
    assert_eq!(
        each(&names["paginatedGroups"]["edges"], "/node/name"),
        ["All employees", "Research"]
    );
    assert_eq!(names["paginatedGroups"]["count"], 3);
    pluvo
        .data(&format!(r#"mutation {{ deleteGroup(id: "{id}") {{ ok }} }}"#))
        .await;
    assert_eq!(
        pluvo.data(r#"{ group(ref: "dept-rnd") { id } }"#).await["group"],
        Json::Null
    );
    assert_eq!(
        pluvo
            .refusal(&format!(r#"mutation {{ deleteGroup(id: "{id}") {{ ok }} }}"#))
            .await
            .0,
        "NotFound"
    );
    assert_ne!(
        pluvo.data(create).await["createGroup"]["group"]["id"],
        id,
        "made anew, it is another group"
    );
}

#[tokio::test]
async fn deleting_a_group_ends_its_memberships() {
    let pluvo = Pluvo::start().await;
    let id = pluvo.data(r#"{ group(ref: "all-employees") { id } }"#).await["group"]["id"].clone();
    let delete = "mutation ($ids: [UUID!]) { deleteGroups(ids: $ids) { bulkDelete { succeededIds failedIds } } }";
    let data = pluvo.data_with(delete, json!({"ids": [id]})).await;
    assert_eq!(
        data["deleteGroups"]["bulkDelete"],
        json!({"succeededIds": [id], "failedIds": []})
    );
    let data = pluvo
        .data(r#"{ user(ref: "EMP-001") { groupCount } training(ref: "welcome") { participants { count } } }"#)
        .await;
    assert_eq!(
        data,
        json!({"user": {"groupCount": 0}, "training": {"participants": {"count": 0}}})
    );
}

#[tokio::test]
async fn results_come_in_three_ways() {
    let pluvo = Pluvo::start().await;
    let (first, third) = (id_of(&pluvo, "EMP-001").await, id_of(&pluvo, "EMP-003").await);
    let stranger = "00000000-0000-4000-8000-000000000000";
    let variables = json!({"group": "all-employees", "refs": ["EMP-001", "EMP-404"], "ids": [third, stranger, third]});
    let answer = pluvo.data_with(ADD, variables).await["addUsersToGroup"].clone();
    assert_eq!(
        answer,
        json!({
            "addedIds": [third], "alreadyAddedIds": [first], "failedIds": [stranger],
            "addedRefs": ["EMP-003"], "alreadyAddedRefs": ["EMP-001"], "failedRefs": ["EMP-404"],
        })
    );
    let remove = r#"mutation { removeUsersFromGroup(groupRef: "all-employees", userRefs: ["EMP-003", "EMP-001", "EMP-404"]) { removedRefs alreadyRemovedRefs failedIds failedRefs } }"#;
    let answer = pluvo.data(remove).await["removeUsersFromGroup"].clone();
    assert_eq!(
        answer,
        json!({"removedRefs": ["EMP-003", "EMP-001"], "alreadyRemovedRefs": [], "failedIds": [], "failedRefs": ["EMP-404"]})
    );
    let answer = pluvo.data(remove).await["removeUsersFromGroup"].clone();
    assert_eq!(answer["alreadyRemovedRefs"], json!(["EMP-003", "EMP-001"]));
    assert_eq!(
        pluvo.ask_with(ADD, json!({"group": "nope"})).await["errors"][0]["extensions"]["code"],
        "NotFound"
    );
    assert_eq!(
        pluvo.ask_with(ADD, json!({})).await["errors"][0]["extensions"]["code"],
        "ValidationError"
    );
}

#[tokio::test]
async fn managers_stand_beside_participants() {
    let pluvo = Pluvo::start().await;
    let first = id_of(&pluvo, "EMP-001").await;
    let add = r#"mutation { addManagersToGroup(groupRef: "all-employees", userRefs: ["EMP-001", "EMP-404"]) { response { succeededIds failedIds } } }"#;
    for _ in 0..2 {
        let answer = pluvo.data(add).await;
        assert_eq!(
            answer["addManagersToGroup"]["response"],
            json!({"succeededIds": [first], "failedIds": []})
        );
    }
    let data = pluvo.data(r#"{ user(ref: "EMP-001") { participantGroups { ref } managerGroups { ref } } group(ref: "all-employees") { userCount managerCount managers { edges { node { ref } } } } }"#).await;
    assert_eq!(each(&data["user"]["managerGroups"], "/ref"), ["all-employees"]);
    assert_eq!(
        (&data["group"]["userCount"], &data["group"]["managerCount"]),
        (&json!(2), &json!(1))
    );
    let remove = r#"mutation { removeManagersFromGroup(groupRef: "all-employees", userRefs: ["EMP-001"]) { response { succeededIds } } }"#;
    pluvo.data(remove).await;
    let state = pluvo.look("state").await;
    assert_eq!(
        (
            &state["users"]["EMP-001"]["managerOf"],
            &state["users"]["EMP-001"]["groups"]
        ),
        (&json!([]), &json!(["all-employees"]))
    );
}

#[tokio::test]
async fn a_full_group_takes_nobody() {
    let pluvo = Pluvo::start().await;
    let answer = pluvo
        .data_with(ADD, json!({"group": "small", "refs": ["EMP-001", "EMP-002"]}))
        .await;
    assert_eq!(answer["addUsersToGroup"]["addedRefs"], json!(["EMP-001"]));
    assert_eq!(answer["addUsersToGroup"]["failedRefs"], json!(["EMP-002"]));
    assert_eq!(
        answer["addUsersToGroup"]["failedIds"],
        json!([id_of(&pluvo, "EMP-002").await])
    );
}

#[tokio::test]
async fn user_inputs_move_people() {
    let pluvo = Pluvo::start().await;
    let groups = pluvo
        .data(r#"{ a: group(ref: "all-employees") { id } b: group(ref: "small") { id } }"#)
        .await;
    let update = "mutation ($user: UserInput!) { updateUser(ref: \"EMP-001\", user: $user) { user { participantGroups { ref } managerGroups { ref } } } }";
    let user = json!({"removeParticipantGroups": [groups["a"]["id"]], "addParticipantGroups": [groups["b"]["id"]], "addManagerGroups": [groups["a"]["id"]]});
    let data = pluvo.data_with(update, json!({"user": user})).await;
    assert_eq!(
        each(&data["updateUser"]["user"]["participantGroups"], "/ref"),
        ["small"]
    );
    assert_eq!(
        each(&data["updateUser"]["user"]["managerGroups"], "/ref"),
        ["all-employees"]
    );
    let full = json!({"user": {"name": "Changed", "addParticipantGroups": ["00000000-0000-4000-8000-000000000000"]}});
    assert_eq!(
        pluvo.ask_with(update, full).await["errors"][0]["extensions"]["code"],
        "NotFound"
    );
    assert_eq!(
        pluvo.look("state").await["users"]["EMP-001"]["name"],
        "Anna",
        "all or nothing"
    );
}

#[tokio::test]
async fn a_membership_is_visible_after_the_delay() {
    let pluvo = Pluvo::start().await;
    pluvo.control("settings", json!({"visibilityDelay": "2m"})).await;
    let group = pluvo.data(r#"{ group(ref: "all-employees") { id } }"#).await["group"]["id"].clone();
    let reads = "query ($groups: [UUID!]) {
      user(ref: \"EMP-003\") { participantGroups { ref } }
      group(ref: \"all-employees\") { userCount users(first: 50) { edges { node { ref } } } }
      paginatedUsers(groupIds: $groups) { count }
      training(ref: \"welcome\") { participants { count } }
    }";
    let variables = json!({"groups": [group]});
    let before = pluvo.data_with(reads, variables.clone()).await;
    let add = json!({"group": "all-employees", "refs": ["EMP-003"]});
    assert_eq!(
        pluvo.data_with(ADD, add.clone()).await["addUsersToGroup"]["addedRefs"],
        json!(["EMP-003"])
    );
    assert_eq!(
        pluvo.data_with(reads, variables.clone()).await,
        before,
        "accepted, not visible"
    );
    assert_eq!(
        pluvo.look("state").await["users"]["EMP-003"]["groups"],
        json!(["all-employees"]),
        "the state tells what was accepted"
    );
    assert_eq!(
        pluvo.data_with(ADD, add.clone()).await["addUsersToGroup"]["alreadyAddedRefs"],
        json!(["EMP-003"])
    );
    pluvo.control("settings", json!({"secondAdd": "added"})).await;
    assert_eq!(
        pluvo.data_with(ADD, add).await["addUsersToGroup"]["addedRefs"],
        json!(["EMP-003"])
    );

    pluvo.control("change", json!({"advanceClock": "2m"})).await;
    let after = pluvo.data_with(reads, variables.clone()).await;
    assert_eq!(each(&after["user"]["participantGroups"], "/ref"), ["all-employees"]);
    assert_eq!(
        each(&after["group"]["users"]["edges"], "/node/ref"),
        ["EMP-001", "EMP-002", "EMP-003"]
    );
    assert_eq!(
        (&after["group"]["userCount"], &after["paginatedUsers"]["count"]),
        (&json!(3), &json!(3))
    );
    assert_eq!(after["training"]["participants"]["count"], 3);

    pluvo
        .data(r#"mutation { removeUsersFromGroup(groupRef: "all-employees", userRefs: ["EMP-003"]) { removedRefs } }"#)
        .await;
    assert_eq!(
        pluvo.data_with(reads, variables.clone()).await,
        after,
        "removals wait as well"
    );
    pluvo.control("settings", json!({"visibilityDelay": "0s"})).await;
    assert_eq!(
        pluvo.data_with(reads, variables).await,
        before,
        "a shorter delay holds for what waits already"
    );
}

#[tokio::test]
async fn lists_follow_renames_and_archiving() {
    let pluvo = Pluvo::start().await;
    let group = pluvo.data(r#"{ group(ref: "all-employees") { id } }"#).await["group"]["id"].clone();
    pluvo.data(r#"mutation { a: updateUser(ref: "EMP-001", user: {name: "Zoë"}) { user { id } } b: updateUser(ref: "EMP-002", user: {archived: true}) { user { id } } }"#).await;
    let query = "query ($groups: [UUID!]) { all: paginatedUsers(groupIds: $groups) { edges { node { name } } } active: paginatedUsers(groupIds: $groups, archived: false) { count } training(ref: \"welcome\") { participants { edges { node { name } } } } }";
    let data = pluvo.data_with(query, json!({"groups": [group]})).await;
    assert_eq!(each(&data["all"]["edges"], "/node/name"), ["bram", "Zoë"]);
    assert_eq!(data["active"]["count"], 1);
    assert_eq!(
        each(&data["training"]["participants"]["edges"], "/node/name"),
        ["bram", "Zoë"]
    );
}
