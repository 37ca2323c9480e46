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
    let nothing =
        json!({"latencyMs": 0, "atomicDocuments": false, "introspectionOff": false, "absent": [], "next": []});
    assert_eq!(cleared, nothing);
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
    until(&pluvo, "inFlight", 0).await;
    assert_eq!(pluvo.look("state").await["groups"]["late"]["name"], "Late");
}

const HELD: &str = r#"mutation { createGroup(group: {name: "Held", ref: "held"}) { group { ref } } }"#;

/// The next request that makes a group is held.
async fn hold(pluvo: &Pluvo, fault: &str) {
    let faults = json!({"next": [{"fault": fault, "operation": "createGroup"}]});
    pluvo.control("faults", faults).await;
}

async fn until(pluvo: &Pluvo, counter: &str, count: usize) {
    while pluvo.look("stats").await[counter] != count {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

#[tokio::test]
async fn a_request_can_be_held_before_it_is_executed_and_after() {
    for (fault, exists) in [("holdBeforeCommit", false), ("holdAfterCommit", true)] {
        let pluvo = Pluvo::start().await;
        hold(&pluvo, fault).await;
        let held = async {
            until(&pluvo, "held", 1).await;
            let exists_now = pluvo.look("state").await["groups"].get("held").is_some();
            let released = pluvo.control("faults/release", json!({})).await;
            (exists_now, released)
        };
        let (answer, (exists_now, released)) = tokio::join!(pluvo.data(HELD), held);
        assert_eq!(exists_now, exists, "{fault}");
        assert_eq!(released, json!({"released": 1}));
        assert_eq!(answer["createGroup"]["group"]["ref"], "held");
        assert_eq!(pluvo.look("stats").await["held"], 0);
    }
}

#[tokio::test]
async fn a_held_request_is_carried_out_without_its_client() {
    let pluvo = Pluvo::start().await;
    hold(&pluvo, "holdBeforeCommit").await;
    let client = tokio::spawn(pluvo.request(HELD, &json!({})).send());
    until(&pluvo, "held", 1).await;
    client.abort();
    assert!(client.await.is_err_and(|error| error.is_cancelled()));
    // The connection is gone; what it had asked for still waits.
    assert_eq!(pluvo.look("stats").await["inFlight"], 1);
    pluvo.control("faults/release", json!({})).await;
    until(&pluvo, "inFlight", 0).await;
    assert_eq!(pluvo.look("state").await["groups"]["held"]["name"], "Held");
}

const GOOD: &str = r#"mutation {
  one: createUser(sendInvite: false, user: {name: "One", email: "one@example.com", ref: "ONE"}) { user { ref } }
  two: createUser(sendInvite: false, user: {name: "Two", email: "two@example.com", ref: "TWO"}) { user { ref } }
}"#;

/// What a document of two mutations comes to: the answer, if there is one, and what was done.
#[rstest::rstest]
#[case::server_error(json!({"serverError": {"status": 503}}), None, json!([]))]
#[case::committed_and_dropped(json!("dropAfterCommit"), None, json!(["ok", "ok"]))]
#[case::one_fails(
    json!({"mutationError": {"path": true}}),
    Some(json!({"one": null, "two": {"user": {"ref": "TWO"}}})),
    json!(["error", "ok"]),
)]
#[case::one_fails_and_nobody_knows_which(
    json!({"mutationError": {"path": false}}),
    Some(json!({"one": null, "two": {"user": {"ref": "TWO"}}})),
    json!(["error", "ok"]),
)]
#[case::the_first_is_committed(
    json!({"commitFirst": {"count": 1}}),
    Some(json!({"one": {"user": {"ref": "ONE"}}, "two": null})),
    json!(["ok", "error"]),
)]
#[case::partial_data(
    json!("partialData"),
    Some(json!({"one": null, "two": {"user": {"ref": "TWO"}}})),
    json!(["ok", "ok"]),
)]
#[tokio::test]
async fn a_document_that_goes_wrong(#[case] fault: Json, #[case] data: Option<Json>, #[case] done: Json) {
    let pluvo = Pluvo::start().await;
    let faults = json!({"next": [{"fault": fault, "operation": "createUser"}]});
    pluvo.control("faults", faults).await;
    let answer = pluvo.request(GOOD, &json!({})).send().await;
    let answer: Option<Json> = match answer {
        Ok(answer) if answer.status().is_success() => Some(answer.json().await.expect("JSON")),
        _ => None,
    };
    assert_eq!(answer.as_ref().map(|answer| answer["data"].clone()), data);
    let fails = fault.get("mutationError").or(fault.get("commitFirst"));
    let errors = answer
        .iter()
        .filter_map(|answer| answer["errors"].as_array())
        .map(Vec::len)
        .sum::<usize>();
    assert_eq!(errors, usize::from(fails.is_some()));
    if fault.pointer("/mutationError/path") == Some(&json!(false)) {
        assert!(answer.expect("an answer")["errors"][0].get("path").is_none());
    }
    assert_eq!(
        each(&pluvo.look("log").await, "/outcome"),
        *done.as_array().expect("a list")
    );
}

#[tokio::test]
async fn whoever_asks_for_the_schema_is_refused_if_it_is_secret() {
    const INTROSPECTION: &str = "{ __schema { types { name fields { name } } } }";
    let pluvo = Pluvo::start().await;
    assert!(pluvo.ask(INTROSPECTION).await["data"]["__schema"]["types"].is_array());
    pluvo.control("faults", json!({"introspectionOff": true})).await;
    let answer = pluvo.ask(INTROSPECTION).await;
    assert!(answer.get("data").is_none(), "{answer}");
    let message = answer["errors"][0]["message"].as_str().unwrap_or_default();
    assert!(message.ends_with("contained the field '__schema'."), "{message}");
    assert_eq!(pluvo.ask("{ __typename }").await["data"]["__typename"], "Query");
}

#[tokio::test]
async fn absent_parts_are_neither_shown_nor_served() {
    let pluvo = Pluvo::start().await;
    pluvo
        .control("faults", json!({"absent": ["User.email", "Mutation.createUser"]}))
        .await;
    let names = |answer: &Json, ty: &str| {
        let types = answer["data"]["__schema"]["types"]
            .as_array()
            .cloned()
            .unwrap_or_default();
        let fields = types
            .into_iter()
            .find(|known| known["name"] == ty)
            .map(|known| known["fields"].clone());
        each(&fields.unwrap_or_default(), "/name")
    };
    let schema = pluvo.ask("{ __schema { types { name fields { name } } } }").await;
    let shows = |ty: &str, name: &str| names(&schema, ty).iter().any(|known| known == name);
    assert!(shows("User", "name") && shows("Mutation", "updateUser"));
    assert!(!shows("User", "email") && !shows("Mutation", "createUser"));
    let answer = pluvo
        .ask("{ paginatedUsers(first: 1) { edges { node { email } } } }")
        .await;
    assert_eq!(
        answer,
        json!({"errors": [{"message": "Cannot query field 'email' on type 'User'."}]})
    );
    assert!(pluvo.ask(TWO).await.get("data").is_none());
    assert_eq!(pluvo.look("log").await, json!([]), "nothing was executed");
}
