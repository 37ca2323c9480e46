//! The documented recipes, as printed.

use serde_json::json;

use super::{Pluvo, each};

const SYNC_USER: &str = "mutation SyncUser($email: String!, $name: String!, $ref: String!) {
  updateOrCreateUser(
    email: $email
    sendInvite: false
    user: {
      name: $name
      ref: $ref
      roles: [PARTICIPANT]
      language: NL
    }
  ) {
    user { id ref }
    created
  }
}";

const SET_USER_FIELDS: &str = r#"mutation SetUserFields($userRef: String!, $department: String!) {
  updateExtraCategoryValues(
    contentType: USER
    modelRef: $userRef
    values: [
      { categoryRef: "department", stringValue: $department }
    ]
  ) {
    extraCategoryValues {
      ... on ExtraCategoryStringValue { stringValue }
    }
  }
}"#;

const ADD_TO_GROUP: &str = "mutation AddToGroup($groupRef: String!, $userRef: String!) {
  addUsersToGroup(
    groupRef: $groupRef
    userRefs: [$userRef]
  ) {
    addedIds
    alreadyAddedIds
  }
}";

const ARCHIVE_USER: &str = "mutation ArchiveUser($ref: String!) {
  updateOrCreateUser(
    ref: $ref
    user: { archived: true }
  ) {
    user { id archived }
  }
}";

#[tokio::test]
async fn recipe_1_sync_users() {
    let pluvo = Pluvo::start().await;
    let person = json!({"email": "jane.doe@example.com", "name": "Jane Doe", "ref": "EMP-12345"});
    for created in [true, false] {
        let data = pluvo.data_with(SYNC_USER, person.clone()).await;
        assert_eq!(data["updateOrCreateUser"]["created"], created);
        assert_eq!(data["updateOrCreateUser"]["user"]["ref"], "EMP-12345");
    }
    let fields = json!({"userRef": "EMP-12345", "department": "Research"});
    let data = pluvo.data_with(SET_USER_FIELDS, fields).await;
    assert_eq!(
        data["updateExtraCategoryValues"]["extraCategoryValues"],
        json!([{"stringValue": "Research"}])
    );
    let group = json!({"groupRef": "all-employees", "userRef": "EMP-12345"});
    let data = pluvo.data_with(ADD_TO_GROUP, group).await;
    assert_eq!(data["addUsersToGroup"]["addedIds"].as_array().map(Vec::len), Some(1));
    let data = pluvo.data_with(ARCHIVE_USER, json!({"ref": "EMP-12345"})).await;
    assert_eq!(data["updateOrCreateUser"]["user"]["archived"], true);
    assert_eq!(pluvo.look("outbox").await, json!([]));
}

#[tokio::test]
async fn recipe_2_progress_of_a_group() {
    let pluvo = Pluvo::start().await;
    let query = "query GroupProgress($groupId: UUID!, $cursor: String) {
  portfolioReport(
    userGroupIds: [$groupId]
    relatedObjectTypes: [TRAINING]
    first: 50
    after: $cursor
  ) {
    edges {
      node {
        user { id ref name email }
        title
        progress
        score
        completionDate
        timeSpent { days seconds }
      }
    }
    pageInfo { hasNextPage endCursor }
    count
  }
}";
    let group = pluvo.data(r#"{ group(ref: "all-employees") { id } }"#).await["group"]["id"].clone();
    let report = pluvo.data_with(query, json!({"groupId": group})).await["portfolioReport"].clone();
    assert_eq!(
        (&report["count"], &report["pageInfo"]["hasNextPage"]),
        (&json!(2), &json!(false))
    );
    assert_eq!(
        each(&report["edges"], "/node/user/email"),
        ["anna@example.com", "bram@example.com"]
    );
    let spent = json!({"days": 0, "seconds": 0});
    assert_eq!(report["edges"][0]["node"]["timeSpent"], spent);
}

#[tokio::test]
async fn recipe_3_enroll_on_joining_a_group() {
    let pluvo = Pluvo::start().await;
    let members = "query GroupMembers($groupRef: String!) {
  group(ref: $groupRef) {
    users(first: 50) {
      edges {
        node { id ref }
      }
    }
  }
}";
    let data = pluvo.data_with(members, json!({"groupRef": "all-employees"})).await;
    let refs = each(&data["group"]["users"]["edges"], "/node/ref");
    assert_eq!(refs, ["EMP-001", "EMP-002"]);
    let enroll = "mutation EnrollGroup($eventRef: String!, $userRefs: [String!]!) {
  createOfferEventEnrollments(
    offerEventRef: $eventRef
    userRefs: $userRefs
    sendMail: false
  ) {
    id
    user { ref }
    status
  }
}";
    let variables = json!({"eventRef": "first-aid-sept", "userRefs": refs});
    let first = pluvo.data_with(enroll, variables.clone()).await;
    let again = pluvo.data_with(enroll, variables).await;
    assert_eq!(first, again, "nobody is enrolled twice");
    assert_eq!(first["createOfferEventEnrollments"][1]["status"], "ENROLLED");
    assert_eq!(pluvo.look("outbox").await, json!([]));
}

#[tokio::test]
async fn recipe_4_recent_certificates() {
    let pluvo = Pluvo::start().await;
    let data = pluvo
        .data(r#"{ certificates { edges { node { id } } } user(ref: "EMP-001") { id } }"#)
        .await;
    let ids = json!({"id": data["certificates"]["edges"][0]["node"]["id"], "user": data["user"]["id"]});
    let issue = "mutation ($id: UUID!, $user: UUID!) { generateCertificate(id: $id, userIds: [$user], issueDate: \"2024-03-15\") { bulkGenerate { succeededIds } } }";
    pluvo.data_with(issue, ids).await;
    let query = "query RecentCertificates($from: Date!, $to: Date!) {
  portfolioReport(
    relatedObjectTypes: [CERTIFICATE]
    completionDateFrom: $from
    completionDateTo: $to
    first: 50
  ) {
    edges {
      node {
        title
        user { ref name email }
        completionDate
        endDate
      }
    }
    count
  }
}";
    let year = json!({"from": "2024-01-01", "to": "2024-12-31"});
    let report = pluvo.data_with(query, year).await["portfolioReport"].clone();
    let user = json!({"ref": "EMP-001", "name": "Anna", "email": "anna@example.com"});
    let node =
        json!({"title": "Safety certificate", "user": user, "completionDate": "2024-03-15", "endDate": "2025-03-15"});
    assert_eq!(report, json!({"edges": [{"node": node}], "count": 1}));
}

#[tokio::test]
async fn recipe_5_assign_a_mandatory_training() {
    let pluvo = Pluvo::start().await;
    let members = r#"query {
  group(ref: "all-employees") {
    users(first: 50) {
      edges {
        node { ref }
      }
    }
  }
}"#;
    let data = pluvo.data(members).await;
    let edges = json!([{"node": {"ref": "EMP-001"}}, {"node": {"ref": "EMP-002"}}]);
    assert_eq!(data, json!({"group": {"users": {"edges": edges}}}));
    let assign = r#"mutation {
  addUsersToTraining(
    trainingRef: "safety-2024"
    userRefs: ["EMP-001", "EMP-002", "..."]
    sendInvites: true
    role: PARTICIPANT
  ) {
    addedRefs
    alreadyAddedRefs
    failedRefs
  }
}"#;
    let answer = json!({"addedRefs": ["EMP-001", "EMP-002"], "alreadyAddedRefs": [], "failedRefs": ["..."]});
    assert_eq!(pluvo.data(assign).await, json!({"addUsersToTraining": answer}));
    assert_eq!(pluvo.look("stats").await["mails"], 2);
}

#[tokio::test]
async fn recipe_6_find_inactive_users() {
    let pluvo = Pluvo::start().await;
    let query = "query InactiveUsers($before: DateTime!, $cursor: String) {
  paginatedUsers(
    archived: false
    lastLogin_Lt: $before
    first: 50
    after: $cursor
  ) {
    edges {
      node {
        id
        ref
        name
        email
        lastLogin
      }
    }
    pageInfo { hasNextPage endCursor }
    count
  }
}";
    let data = pluvo.data_with(query, json!({"before": "2024-04-01T00:00:00Z"})).await;
    let page = &data["paginatedUsers"];
    assert_eq!(
        (&page["count"], &page["pageInfo"]["hasNextPage"]),
        (&json!(1), &json!(false))
    );
    assert_eq!(page["edges"][0]["node"]["lastLogin"], "2024-03-01T00:00:00+00:00");
}
