//! What goes wrong on demand.

use std::time::{Duration, Instant};

use serde_json::{Value as Json, json};

use super::{Pluvo, each};

const TWO: &str = r#"mutation {
  good: createUser(user: {name: "New", email: "new@example.com", ref: "NEW"}) { user { ref } }
  bad: createUser(user: {name: "Taken", email: "anna@example.com"}) { user { ref } }
}"#;

#[tokio::test]
async fn a_failing_mutation_leaves_its_neighbours_alone() {
    let pluvo = Pluvo::start().await;
    let answer = pluvo.ask(TWO).await;
    assert_eq!(answer["data"], json!({"good": {"user": {"ref": "NEW"}}, "bad": null}));
    assert_eq!(answer["errors"][0]["path"], json!(["bad"]));
    assert_eq!(pluvo.look("state").await["users"]["NEW"]["name"], "New");
    assert_eq!(each(&pluvo.look("log").await, "/outcome"), ["ok", "error"]);
}

#[tokio::test]
async fn an_atomic_document_is_undone_although_its_data_looks_fine() {
    let pluvo = Pluvo::start().await;
    pluvo.control("faults", json!({"atomicDocuments": true})).await;
    let before = pluvo.look("state").await;
    let answer = pluvo.ask(TWO).await;
    assert_eq!(answer["data"], json!({"good": {"user": {"ref": "NEW"}}, "bad": null}));
    assert_eq!(pluvo.look("state").await, before);
    assert_eq!(each(&pluvo.look("log").await, "/outcome"), ["rolledBack", "error"]);
    assert_eq!(pluvo.look("outbox").await, json!([]), "its invitation was never sent");
    let good =
        r#"mutation { createUser(sendInvite: false, user: {name: "New", email: "new@example.com"}) { created } }"#;
    pluvo.data(good).await;
    assert_ne!(pluvo.look("state").await, before);
}

#[tokio::test]
async fn the_next_requests_fail() {
    let pluvo = Pluvo::start().await;
    let faults = json!({"next": [
        {"fault": "unauthorized", "operation": "groups"},
        {"fault": {"tooManyRequests": {"retryAfter": 3}}, "times": 2},
        {"fault": "dropConnection"},
    ]});
    pluvo.control("faults", faults).await;
    let mut seen = Vec::new();
    for query in [
        "{ users { ref } }",
        "{ groups { ref } }",
        "{ users { ref } }",
        "{ users { ref } }",
        "{ users { ref } }",
    ] {
        seen.push(match pluvo.request(query, &json!({})).send().await {
            Ok(answer) => {
                let retry_after = answer
                    .headers()
                    .get("retry-after")
                    .map(|value| value.to_str().expect("text").to_owned());
                (answer.status().as_u16(), retry_after)
            }
            Err(_) => (0, None),
        });
    }
    let busy = (429, Some("3".to_owned()));
    assert_eq!(seen, [busy.clone(), (401, None), busy, (0, None), (200, None)]);
    assert_eq!(pluvo.look("faults").await["next"], json!([]), "used up");
    assert_eq!(
        pluvo.look("stats").await["operations"],
        json!({"users": 1}),
        "the others were not executed"
    );
}

#[tokio::test]
async fn token_requests_can_fail_too() {
    let pluvo = Pluvo::start().await;
    pluvo
        .control(
            "faults",
            json!({"next": [{"fault": {"tooManyRequests": {}}, "endpoint": "token"}]}),
        )
        .await;
    pluvo.data("{ __typename }").await;
    assert_eq!(pluvo.ask_token(&[]).await.status().as_u16(), 429);
}

#[tokio::test]
async fn every_request_can_be_late() {
    let pluvo = Pluvo::start().await;
    pluvo.control("faults", json!({"latencyMs": 60})).await;
    let started = Instant::now();
    let (first, second) = tokio::join!(pluvo.data("{ __typename }"), pluvo.data("{ __typename }"));
    assert_eq!(first, second);
    assert!(started.elapsed() >= Duration::from_millis(60));
    assert_eq!(pluvo.look("stats").await["maxInFlight"], 2);
    let url = format!("{}/_sandbox/faults", pluvo.base);
    let cleared: Json = pluvo
        .http
        .delete(url)
        .send()
        .await
        .expect("an answer")
        .json()
        .await
        .expect("JSON");
    assert_eq!(cleared, json!({"latencyMs": 0, "atomicDocuments": false, "next": []}));
}

#[tokio::test]
async fn a_request_is_carried_out_without_its_client() {
    let pluvo = Pluvo::start().await;
    pluvo.control("faults", json!({"latencyMs": 100})).await;
    let query = r#"mutation { createGroup(group: {name: "Late", ref: "late"}) { group { id } } }"#;
    let gone = pluvo
        .request(query, &json!({}))
        .timeout(Duration::from_millis(50))
        .send()
        .await;
    assert!(gone.is_err_and(|error| error.is_timeout()));
    pluvo.control("faults", json!({})).await;
    while pluvo.look("stats").await["inFlight"] != 0 {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    assert_eq!(pluvo.look("state").await["groups"]["late"]["name"], "Late");
}
