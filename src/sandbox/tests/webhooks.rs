//! Webhooks, as whoever subscribed to them sees them.

use std::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    sync::Arc,
    time::Duration,
};

use axum::{
    Router,
    body::Bytes,
    extract::State,
    http::{HeaderMap, StatusCode},
    routing::post,
};
use parking_lot::Mutex;
use serde_json::{Value as Json, json};
use tokio::sync::Notify;

use super::Pluvo;

/// Somebody who is told, and answers as a test says; 200 where it says nothing.
#[derive(Clone, Default)]
struct Listener {
    told: Arc<Mutex<Vec<(HeaderMap, Json)>>>,
    answers: Arc<Mutex<VecDeque<u16>>>,
    news: Arc<Notify>,
}

impl Listener {
    /// Listens, and returns where.
    async fn start(answers: &[u16]) -> (Self, String) {
        let listener = Self::default();
        listener.answers.lock().extend(answers);
        let socket = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let url = format!("http://{}/", socket.local_addr().expect("an address"));
        let router = Router::new().route("/", post(hear)).with_state(listener.clone());
        tokio::spawn(async { axum::serve(socket, router).await });
        (listener, url)
    }

    /// What was heard, once it is so much.
    async fn heard(&self, count: usize) -> Vec<Json> {
        let heard = async {
            loop {
                let news = self.news.notified();
                let told = self.told.lock().clone();
                if told.len() >= count {
                    return told.into_iter().map(|(_, body)| body).collect();
                }
                news.await;
            }
        };
        tokio::time::timeout(Duration::from_secs(30), heard)
            .await
            .unwrap_or_else(|_| panic!("heard {} and not {count}", self.told.lock().len()))
    }
}

async fn hear(State(listener): State<Listener>, headers: HeaderMap, body: Bytes) -> StatusCode {
    let body = serde_json::from_slice(&body).expect("JSON");
    listener.told.lock().push((headers, body));
    listener.news.notify_waiters();
    let status = listener.answers.lock().pop_front().unwrap_or(200);
    StatusCode::from_u16(status).expect("a status")
}

fn events(told: &[Json]) -> BTreeSet<&str> {
    told.iter().filter_map(|body| body["event"].as_str()).collect()
}

async fn subscribe(pluvo: &Pluvo, url: &str, events: &[&str]) {
    let wanted = json!({"url": url, "key": "webhook-key", "events": events, "firstPauseMs": 1});
    pluvo.control("webhooks", wanted).await;
}

/// The one subscription, once nothing is pending.
async fn settled(pluvo: &Pluvo) -> Json {
    loop {
        let report = pluvo.look("webhooks").await[0].take();
        if report["pending"] == 0 {
            return report;
        }
        tokio::task::yield_now().await;
    }
}

/// Does something about which there is each of the events.
async fn do_everything(pluvo: &Pluvo) {
    for document in [
        r#"mutation { createUser(sendInvite: false, user: {ref: "N", name: "New", email: "n@example.com"}) { created } }"#,
        r#"mutation { updateExtraCategoryValues(contentType: USER, modelRef: "N", values: [{categoryRef: "department", stringValue: "R"}]) { extraCategoryValues { __typename } } }"#,
        r#"mutation { createGroup(group: {ref: "ng", name: "New"}) { group { id } } }"#,
        r#"mutation { addUsersToGroup(groupRef: "ng", userRefs: ["N"]) { addedIds } }"#,
        r#"mutation { createTraining(training: {ref: "nt", title: "New"}) { training { id } } }"#,
        r#"mutation { updateTraining(ref: "nt", training: {archived: true}) { training { id } } }"#,
        r#"mutation { createOfferEventEnrollments(offerEventRef: "first-aid-sept", userRefs: ["N"], sendMail: false) { id } }"#,
    ] {
        pluvo.data(document).await;
    }
    let ids = pluvo.data(r#"{ user(ref: "N") { id } group(ref: "ng") { id } certificates { edges { node { id } } } offer(ref: "first-aid") { offerEvents { id } } }"#).await;
    let id = |pointer: &str| {
        ids.pointer(pointer)
            .and_then(Json::as_str)
            .unwrap_or_default()
            .to_owned()
    };
    let (user, group, certificate, event) = (
        id("/user/id"),
        id("/group/id"),
        id("/certificates/edges/0/node/id"),
        id("/offer/offerEvents/0/id"),
    );
    let declined = json!({"offers": {"first-aid": {"events": [{"ref": "first-aid-sept", "enrollments": {"EMP-001": "DECLINED"}}]}}});
    pluvo.control("change", declined.clone()).await;
    let enrolled = json!({"offers": {"first-aid": {"events": [{"ref": "first-aid-sept", "enrollments": {"EMP-001": "ENROLLED"}}]}}});
    pluvo.control("change", enrolled).await;
    pluvo
        .data(&format!(
            r#"mutation {{ unenrollUserFromOfferEvent(userId: "{user}", offerEventId: "{event}") {{ success }} }}"#
        ))
        .await;
    pluvo.data(&format!(r#"mutation {{ generateCertificate(id: "{certificate}", userIds: ["{user}"], issueDate: "2024-03-15") {{ bulkGenerate {{ succeededIds }} }} }}"#)).await;
    let items = pluvo
        .data(&format!(r#"{{ portfolioItems(userId: "{user}") {{ id }} }}"#))
        .await;
    let item = items["portfolioItems"][0]["id"].as_str().unwrap_or_default();
    pluvo.data(&format!(r#"mutation {{ updatePortfolioItem(id: "{item}", input: {{title: "Other"}}) {{ portfolioItem {{ id }} }} }}"#)).await;
    pluvo
        .data(&format!(
            r#"mutation {{ deletePortfolioItem(id: "{item}") {{ success }} }}"#
        ))
        .await;
    pluvo
        .data(&format!(r#"mutation {{ deleteGroup(id: "{group}") {{ ok }} }}"#))
        .await;
    let announced = ["EVENT_CONDITIONS_FULFILLED", "EVENT_FILE_UPLOADED", "COURSE_FINISHED"];
    let announced = announced.map(|event| json!({"event": event, "training": "nt", "user": "N"}));
    let progress = json!({"N": {"progress": 100, "score": 8.5, "completionDate": "2024-03-15"}});
    let finished = json!({"trainings": {"nt": {"progress": progress}}, "announce": announced});
    pluvo.control("change", finished).await;
    pluvo.control("change", json!({"users": {"N": null}})).await;
}

#[tokio::test]
async fn every_event_has_its_documented_body() {
    let pluvo = Pluvo::start().await;
    let (listener, url) = Listener::start(&[]).await;
    subscribe(&pluvo, &url, &[]).await;
    do_everything(&pluvo).await;
    let told = listener.heard(22).await;
    let mut kinds = BTreeMap::new();
    for body in &told {
        kinds
            .entry(body["event"].as_str().unwrap_or_default().to_owned())
            .or_insert_with(|| body.clone());
    }
    // No operation deletes a training.
    let names: Vec<_> = kinds.keys().map(String::as_str).collect();
    assert_eq!(
        names,
        [
            "COURSE_FINISHED",
            "EVENT_CERTIFICATE_ACHIEVED",
            "EVENT_CERTIFICATE_STATUS_CHANGED",
            "EVENT_CONDITIONS_FULFILLED",
            "EVENT_FILE_UPLOADED",
            "GROUP_CREATED",
            "GROUP_DELETED",
            "GROUP_UPDATED",
            "OFFER_EVENT_ENROLLED",
            "OFFER_EVENT_ENROLLMENT_STATUS_UPDATED",
            "OFFER_EVENT_UNENROLLED",
            "PORTFOLIO_ITEM_CREATED",
            "PORTFOLIO_ITEM_DELETED",
            "PORTFOLIO_ITEM_UPDATED",
            "TRAINING_CREATED",
            "TRAINING_FINISHED",
            "TRAINING_UPDATED",
            "USER_CREATED",
            "USER_DELETED",
            "USER_UPDATED",
        ]
    );
    for body in kinds.values_mut() {
        for field in ["sentDate"] {
            if body.get(field).is_some() {
                body[field] = "(time)".into();
            }
        }
        for condition in body["conditions"].as_array_mut().into_iter().flatten() {
            condition["date"] = "(time)".into();
        }
        if body["conditions"].is_null() {
            body.as_object_mut().expect("an object").remove("conditions");
        }
    }
    insta::assert_json_snapshot!("webhook_bodies", kinds);
}

#[tokio::test]
async fn a_delivery_is_signed_and_repeated_until_it_is_taken() {
    let pluvo = Pluvo::start().await;
    let (listener, url) = Listener::start(&[500, 404, 301]).await;
    subscribe(&pluvo, &url, &["USER_UPDATED"]).await;
    let rename = r#"mutation { updateUser(ref: "EMP-001", user: {name: "Anne"}) { user { id } } }"#;
    pluvo.data(rename).await;
    listener.heard(4).await;
    let report = settled(&pluvo).await;
    assert_eq!(
        (&report["attempts"], &report["delivered"], &report["active"]),
        (&json!(4), &json!(1), &json!(true))
    );
    let told = listener.told.lock().clone();
    let salts: BTreeSet<_> = told
        .iter()
        .map(|(headers, _)| headers["x-signature-salt"].as_bytes())
        .collect();
    assert_eq!(salts.len(), 4, "a salt for each delivery");
    assert!(told.iter().all(|(headers, _)| headers["x-signature"].len() == 27));
}

#[tokio::test]
async fn whoever_is_gone_is_not_told_any_more() {
    let pluvo = Pluvo::start().await;
    let (listener, url) = Listener::start(&[410]).await;
    subscribe(&pluvo, &url, &[]).await;
    for name in ["A", "B"] {
        let rename =
            format!(r#"mutation {{ updateUser(ref: "EMP-001", user: {{name: "{name}"}}) {{ user {{ id }} }} }}"#);
        pluvo.data(&rename).await;
        listener.heard(1).await;
        settled(&pluvo).await;
    }
    let report = settled(&pluvo).await;
    assert_eq!(
        (&report["attempts"], &report["givenUp"], &report["active"]),
        (&json!(1), &json!(1), &json!(false))
    );
}

/// After 72 attempts nobody is told of it any more.
#[tokio::test]
async fn a_delivery_is_given_up_after_72_attempts() {
    let pluvo = Pluvo::start().await;
    let wanted = json!({"url": "http://127.0.0.1:1/", "key": "k", "firstPauseMs": 0});
    pluvo.control("webhooks", wanted).await;
    pluvo
        .data(r#"mutation { updateUser(ref: "EMP-001", user: {name: "A"}) { user { id } } }"#)
        .await;
    let report = settled(&pluvo).await;
    assert_eq!(
        (&report["attempts"], &report["givenUp"], &report["active"]),
        (&json!(72), &json!(1), &json!(true))
    );
}

#[tokio::test]
async fn what_is_rolled_back_is_not_told() {
    let pluvo = Pluvo::start().await;
    let (listener, url) = Listener::start(&[]).await;
    subscribe(&pluvo, &url, &[]).await;
    pluvo.control("faults", json!({"atomicDocuments": true})).await;
    let document = r#"mutation { a: updateUser(ref: "EMP-001", user: {name: "A"}) { user { id } } b: updateUser(ref: "nobody", user: {name: "B"}) { user { id } } }"#;
    assert!(pluvo.ask(document).await["errors"].is_array());
    pluvo
        .data(r#"mutation { updateUser(ref: "EMP-002", user: {name: "C"}) { user { id } } }"#)
        .await;
    let told = listener.heard(1).await;
    assert_eq!(told[0]["ref"], "EMP-002");
    assert_eq!(settled(&pluvo).await["attempts"], 1);
}

#[tokio::test]
async fn members_are_told_when_they_are_accepted_or_when_they_show() {
    let add = r#"mutation { addUsersToGroup(groupRef: "all-employees", userRefs: ["EMP-003"]) { addedIds } }"#;
    let members = r#"{ group(ref: "all-employees") { userCount } }"#;
    for (told_when, shows) in [("accepted", 2), ("visible", 3)] {
        let pluvo = Pluvo::start().await;
        let (listener, url) = Listener::start(&[]).await;
        subscribe(&pluvo, &url, &["GROUP_UPDATED"]).await;
        let settings = json!({"groupNews": told_when, "visibilityDelay": "1s"});
        pluvo.control("settings", settings).await;
        pluvo.data(add).await;
        let told = listener.heard(1).await;
        assert_eq!(events(&told), ["GROUP_UPDATED"].into());
        assert_eq!(pluvo.data(members).await["group"]["userCount"], shows, "{told_when}");
    }
}

#[tokio::test]
async fn what_cannot_be_subscribed_is_refused() {
    let pluvo = Pluvo::start().await;
    let (status, answer) = pluvo.post("webhooks", json!({"url": "nowhere", "key": "k"})).await;
    assert_eq!(status, 400, "{answer}");
    let (listener, url) = Listener::start(&[]).await;
    subscribe(&pluvo, &url, &[]).await;
    pluvo.control("reset", Json::Null).await;
    pluvo
        .data(r#"mutation { updateUser(ref: "EMP-001", user: {name: "A"}) { user { id } } }"#)
        .await;
    assert_eq!(pluvo.look("webhooks").await, json!([]));
    assert!(listener.told.lock().is_empty());
}
