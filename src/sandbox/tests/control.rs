//! Seeds, state, log, counters, changes.

use serde_json::{Value as Json, json};

use super::{Pluvo, each};
use crate::{Sandbox, Seed};

#[tokio::test]
async fn counters_count_aliases_and_bytes() {
    let pluvo = Pluvo::start().await;
    pluvo
        .data("{ a: users { ref } b: users { ref } group(ref: \"small\") { id } }")
        .await;
    pluvo
        .data(r#"mutation { createGroup(group: {name: "G"}) { group { id } } }"#)
        .await;
    let stats = pluvo.look("stats").await;
    assert_eq!(stats["httpRequests"], 3, "the token request and two documents");
    assert_eq!(stats["operations"], json!({"users": 2, "group": 1, "createGroup": 1}));
    assert_eq!(
        (
            &stats["maxOperationsPerDocument"],
            &stats["mutations"],
            &stats["tokensIssued"]
        ),
        (&json!(3), &json!(1), &json!(1))
    );
    assert!(stats["bytesIn"].as_u64() > Some(100) && stats["bytesOut"].as_u64() > Some(100));
}

#[tokio::test]
async fn the_log_tells_who_did_what() {
    let pluvo = Pluvo::start().await;
    let query = "mutation ($ref: String) { x: updateUser(ref: $ref, user: {name: \"A\"}) { user { id } } deleteGroups(ids: []) { bulkDelete { failedIds } } }";
    pluvo.data_with(query, json!({"ref": "EMP-001"})).await;
    let log = pluvo.look("log").await;
    let entry = &log[0];
    assert_eq!(
        (&entry["client"], &entry["alias"], &entry["operation"]),
        (&json!("all"), &json!("x"), &json!("updateUser"))
    );
    assert_eq!(entry["arguments"], json!({"ref": "EMP-001", "user": {"name": "A"}}));
    assert_eq!(entry["outcome"], "ok");
    assert_eq!(entry["request"], log[1]["request"]);
    assert!(entry["time"].is_string());
}

#[tokio::test]
async fn the_state_is_the_same_in_every_run() {
    let (one, other) = (Pluvo::start().await, Pluvo::start().await);
    let state = one.look("state?ids=true").await;
    assert_eq!(state, other.look("state?ids=true").await);
    assert!(state["users"]["EMP-001"]["id"].is_string());
    assert!(one.look("state").await["users"]["EMP-001"].get("id").is_none());
    assert_eq!(
        one.look("state?nope").await,
        json!({"error": "The only parameter is ids=true."})
    );
}

#[tokio::test]
async fn seeds_add_and_resets_take_away() {
    let pluvo = Pluvo::start().await;
    let before = pluvo.look("state").await;
    let (status, _) = pluvo
        .post("seed", "users:\n- {ref: NEW, name: New}\ngenerate: {users: 3}")
        .await;
    assert_eq!(status, 200);
    assert_eq!(pluvo.look("state").await["users"].as_object().expect("users").len(), 8);
    let twice = json!({"groups": [{"ref": "g", "name": "G"}], "users": [{"ref": "NEW", "name": "Again"}]});
    let (status, answer) = pluvo.post("seed", twice).await;
    assert_eq!(
        (status, answer),
        (422, json!({"error": "NEW: A user with this ref already exists."}))
    );
    assert!(pluvo.look("state").await["groups"].get("g").is_none(), "all or nothing");
    pluvo.control("faults", json!({"latencyMs": 1})).await;
    pluvo.control("reset", json!({})).await;
    assert_eq!(pluvo.look("state").await, before);
    assert_eq!(pluvo.look("stats").await["httpRequests"], 0);
    pluvo.data("{ __typename }").await;
}

#[tokio::test]
async fn changes_do_what_operations_cannot() {
    let pluvo = Pluvo::start().await;
    let change = json!({
        "users": {"EMP-001": {"lastLogin": "2026-01-01T00:00:00Z", "name": "Changed", "customFields": {"department": "R&D"}}, "EMP-002": null},
        "groups": {"small": {"maxUsers": 9, "users": ["EMP-003"], "managers": ["EMP-001"]}},
        "trainings": {"safety-2024": {"groups": ["small"], "trainers": ["EMP-001"]}},
    });
    pluvo.control("change", change).await;
    let state = pluvo.look("state").await;
    let user = &state["users"]["EMP-001"];
    assert_eq!(
        (&user["name"], &user["lastLogin"]),
        (&json!("Changed"), &json!("2026-01-01T00:00:00+00:00"))
    );
    assert_eq!(state["users"].get("EMP-002"), None);
    assert_eq!(state["groups"]["all-employees"]["users"], json!(["EMP-001"]));
    assert_eq!(state["trainings"]["safety-2024"]["groups"], json!(["small"]));
    let data = pluvo.data(r#"{ training(ref: "safety-2024") { participants { edges { node { ref } } } } user(ref: "EMP-001") { managerGroups { ref } } }"#).await;
    assert_eq!(
        each(&data["training"]["participants"]["edges"], "/node/ref"),
        ["EMP-003"]
    );
    assert_eq!(each(&data["user"]["managerGroups"], "/ref"), ["small"]);
    assert_eq!(pluvo.look("log").await, json!([]), "it is no mutation");
    pluvo
        .control(
            "change",
            json!({"users": {"EMP-001": {"customFields": {"department": null}}}, "groups": {"small": null}}),
        )
        .await;
    let state = pluvo.look("state").await;
    assert_eq!(
        (&state["users"]["EMP-001"]["customFields"], state["groups"].get("small")),
        (&json!({}), None)
    );
}

#[tokio::test]
async fn wrong_control_requests_are_told() {
    let pluvo = Pluvo::start().await;
    for (path, body, status, part) in [
        ("change", json!({"users": {"EMP-404": {}}}), 422, "EMP-404"),
        ("change", json!({"user": {}}), 400, "unknown field"),
        ("change", json!({"users": {"EMP-001": {"nmae": "x"}}}), 400, "nmae"),
        ("faults", json!({"next": [{"fault": "earthquake"}]}), 400, "earthquake"),
        ("settings", json!({"visibility": "2m"}), 400, "visibility"),
        ("settings", json!({"visibilityDelay": "soon"}), 400, "duration"),
        ("seed", json!({"clients": [{"id": "a", "secret": "b"}]}), 400, "Clients"),
        ("nowhere", json!({}), 404, "no such path"),
        ("stats", json!({}), 405, "method"),
    ] {
        let (answered, answer) = pluvo.post(path, body).await;
        assert_eq!(answered, status, "{path}: {answer}");
        assert!(answer["error"].as_str().expect("a message").contains(part), "{answer}");
    }
    let settings = pluvo.look("settings").await;
    assert_eq!(
        (&settings["visibilityDelay"], &settings["authErrorStatus"]),
        (&json!("PT0S"), &json!(401))
    );
    assert_eq!(pluvo.look("faults").await["next"], Json::Array(Vec::new()));
}

#[tokio::test]
async fn it_listens_on_the_loopback_interface_only() {
    let anywhere = Sandbox::bind(([0, 0, 0, 0], 0).into(), &Seed::default()).await;
    let message = anywhere.err().expect("refused").to_string();
    assert!(message.contains("0.0.0.0:0 is not a loopback address"), "{message}");
}

/// The next message of a stream of events.
async fn message(stream: &mut reqwest::Response) -> u64 {
    loop {
        let chunk = stream.chunk().await.expect("a stream").expect("no end");
        let text = String::from_utf8(chunk.to_vec()).expect("text");
        if let Some(data) = text.lines().find_map(|line| line.strip_prefix("data: ")) {
            return data.parse().expect("a number");
        }
    }
}

#[tokio::test]
async fn a_page_follows_what_happens() {
    let pluvo = Pluvo::start().await;
    for path in ["/", "/acme/"] {
        let page = pluvo
            .http
            .get(format!("{}{path}", pluvo.base))
            .send()
            .await
            .expect("an answer");
        assert_eq!(page.status(), 200, "{path}");
        let text = page.text().await.expect("text");
        assert!(text.contains("_sandbox/events"), "{path}");
        assert!(
            !text.contains("http:") && !text.contains("https:"),
            "{path} needs something from elsewhere"
        );
    }
    let mut stream = pluvo
        .http
        .get(format!("{}/_sandbox/events", pluvo.base))
        .send()
        .await
        .expect("an answer");
    assert_eq!(stream.headers()["content-type"], "text/event-stream");
    let before = message(&mut stream).await;
    pluvo
        .data(r#"mutation { updateUser(ref: "EMP-001", user: {name: "A"}) { user { id } } }"#)
        .await;
    let changed = message(&mut stream).await;
    assert!(changed > before);
    pluvo
        .control("change", json!({"users": {"EMP-001": {"name": "B"}}}))
        .await;
    assert!(message(&mut stream).await > changed);
}
