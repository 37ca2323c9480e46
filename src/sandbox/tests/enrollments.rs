//! Who is enrolled in which event.

use serde_json::{Value as Json, json};

use super::{Pluvo, each};

const ENROLL: &str = "mutation ($refs: [String!], $mail: Boolean) {
  createOfferEventEnrollments(offerEventRef: \"first-aid-sept\", userRefs: $refs, sendMail: $mail) {
    id user { ref } status
  }
}";
const EVENT: &str = r#"{ offerEvent(ref: "first-aid-sept") { id enrolledCount spotsAvailable } }"#;

async fn enroll(pluvo: &Pluvo, refs: &[&str]) -> Json {
    let variables = json!({"refs": refs, "mail": false});
    pluvo.data_with(ENROLL, variables).await["createOfferEventEnrollments"].take()
}

fn statuses(listed: &Json) -> Vec<String> {
    let names = each(listed, "/user/ref").into_iter().zip(each(listed, "/status"));
    names.map(|(user, status)| format!("{user} {status}")).collect()
}

async fn ids(pluvo: &Pluvo) -> Json {
    let data = pluvo
        .data(r#"{ user(ref: "EMP-001") { id } offerEvent(ref: "first-aid-sept") { id } }"#)
        .await;
    json!({"user": data["user"]["id"], "event": data["offerEvent"]["id"]})
}

#[tokio::test]
async fn everybody_is_enrolled_once_and_waits_where_it_is_full() {
    let pluvo = Pluvo::start().await;
    let first = enroll(&pluvo, &["EMP-001", "EMP-002", "EMP-404"]).await;
    assert_eq!(statuses(&first), ["EMP-001 ENROLLED", "EMP-002 ENROLLED"]);
    let again = enroll(&pluvo, &["EMP-002", "EMP-003"]).await;
    assert_eq!(statuses(&again), ["EMP-003 WAITLISTED", "EMP-002 ENROLLED"]);
    assert_eq!(again[1]["id"], first[1]["id"], "nobody is enrolled twice");
    let event = pluvo.data(EVENT).await["offerEvent"].clone();
    assert_eq!(
        (&event["enrolledCount"], &event["spotsAvailable"]),
        (&json!(2), &json!(0))
    );
    assert_eq!(pluvo.look("outbox").await, json!([]));

    pluvo.control("settings", json!({"listAlreadyEnrolled": false})).await;
    assert_eq!(enroll(&pluvo, &["EMP-001"]).await, json!([]));
    let all = pluvo.data("{ enrollments { user { ref } offerEvent { ref } } }").await;
    assert_eq!(all["enrollments"].as_array().map(Vec::len), Some(3));
}

#[tokio::test]
async fn mail_is_sent_where_it_is_not_refused() {
    let pluvo = Pluvo::start().await;
    pluvo.data_with(ENROLL, json!({"refs": ["EMP-001"]})).await;
    pluvo
        .data_with(ENROLL, json!({"refs": ["EMP-001"], "mail": true}))
        .await;
    let update =
        r#"mutation { updateOfferEvent(ref: "first-aid-sept", offerEvent: {title: "Moved"}) { offerEvent { id } } }"#;
    pluvo.data(update).await;
    let outbox = pluvo.look("outbox").await;
    assert_eq!(each(&outbox, "/kind"), ["enrollment", "eventChanged"]);
    assert_eq!(each(&outbox, "/event"), ["first-aid-sept"; 2]);
    pluvo.control("settings", json!({"enrollmentMails": false})).await;
    pluvo.data_with(ENROLL, json!({"refs": ["EMP-002"]})).await;
    assert_eq!(pluvo.look("stats").await["mails"], 2);
}

#[tokio::test]
async fn a_full_event_without_a_waiting_list_leaves_people_out_or_refuses() {
    let pluvo = Pluvo::start().await;
    let event = json!({"ref": "first-aid-sept", "waitingList": false});
    pluvo
        .control("change", json!({"offers": {"first-aid": {"events": [event]}}}))
        .await;
    pluvo.control("settings", json!({"fullEvent": "refuse"})).await;
    let all = ["EMP-001", "EMP-002", "EMP-003"];
    let answer = pluvo.ask_with(ENROLL, json!({"refs": all, "mail": false})).await;
    assert_eq!(answer["errors"][0]["extensions"]["code"], "ValidationError");
    assert_eq!(pluvo.data(EVENT).await["offerEvent"]["enrolledCount"], 0);
    pluvo.control("settings", json!({"fullEvent": "skip"})).await;
    assert_eq!(
        statuses(&enroll(&pluvo, &all).await),
        ["EMP-001 ENROLLED", "EMP-002 ENROLLED"]
    );
}

#[tokio::test]
async fn an_enrollment_ends_and_begins_anew() {
    let pluvo = Pluvo::start().await;
    enroll(&pluvo, &["EMP-001"]).await;
    let ids = ids(&pluvo).await;
    let end = "mutation ($user: UUID!, $event: UUID!) {
      a: unenrollUserFromOfferEvent(userId: $user, offerEventId: $event) { success }
      b: unenrollUserFromOfferEvent(userId: $user, offerEventId: $event) { success }
    }";
    let read = "query ($user: UUID!, $event: UUID!) { enrollment(userId: $user, offerEventId: $event) { status userId offerEventId enrolledAt } }";
    let data = pluvo.data_with(end, ids.clone()).await;
    assert_eq!(
        (&data["a"]["success"], &data["b"]["success"]),
        (&json!(true), &json!(false))
    );
    let found = pluvo.data_with(read, ids.clone()).await["enrollment"].clone();
    assert_eq!(
        (&found["status"], &found["userId"]),
        (&json!("CANCELLED"), &ids["user"])
    );
    assert_eq!(statuses(&enroll(&pluvo, &["EMP-001"]).await), ["EMP-001 ENROLLED"]);
    pluvo.control("settings", json!({"unenrolled": "removed"})).await;
    pluvo.data_with(end, ids.clone()).await;
    assert_eq!(pluvo.data_with(read, ids.clone()).await["enrollment"], json!(null));

    let one = "mutation ($user: UUID!, $event: UUID!) { enrollUserInOfferEvent(enrollment: {userId: $user, offerEventId: $event, status: DECLINED}) { enrollment { status user { ref } } } }";
    let declined = pluvo.data_with(one, ids.clone()).await["enrollUserInOfferEvent"]["enrollment"].clone();
    assert_eq!(declined, json!({"status": "DECLINED", "user": {"ref": "EMP-001"}}));
    let one = one.replace(", status: DECLINED", "");
    let enrolled = pluvo.data_with(&one, ids).await;
    assert_eq!(enrolled["enrollUserInOfferEvent"]["enrollment"]["status"], "ENROLLED");
}

#[tokio::test]
async fn whoever_is_enrolled_is_in_the_trainings_of_the_event() {
    let pluvo = Pluvo::start().await;
    let participants = async || {
        let data = pluvo
            .data(r#"{ training(ref: "safety-2024") { participants { edges { node { ref } } } } }"#)
            .await;
        each(&data["training"]["participants"]["edges"], "/node/ref")
    };
    enroll(&pluvo, &["EMP-001", "EMP-002", "EMP-003"]).await;
    assert_eq!(participants().await, ["EMP-001", "EMP-002"], "not who waits");
    let remove = r#"mutation { removeUsersFromTraining(trainingRef: "safety-2024", userRefs: ["EMP-001"]) { removedRefs refsLinkedViaObject } }"#;
    let removed = pluvo.data(remove).await["removeUsersFromTraining"].clone();
    assert_eq!(removed, json!({"removedRefs": [], "refsLinkedViaObject": ["EMP-001"]}));
    let event = json!({"ref": "first-aid-sept", "enrollments": {"EMP-001": null, "EMP-003": "ENROLLED"}});
    pluvo
        .control("change", json!({"offers": {"first-aid": {"events": [event]}}}))
        .await;
    assert_eq!(participants().await, ["EMP-002", "EMP-003"]);
    pluvo.control("change", json!({"users": {"EMP-003": null}})).await;
    assert_eq!(participants().await, ["EMP-002"]);
    let id = pluvo.data(EVENT).await["offerEvent"].clone();
    assert_eq!(id["enrolledCount"], 1, "an erased user takes no place");
    let delete = "mutation ($id: UUID!) { deleteOfferEvent(id: $id) { ok } }";
    pluvo.data_with(delete, json!({"id": id["id"]})).await;
    assert_eq!(participants().await, [] as [&str; 0]);
}
