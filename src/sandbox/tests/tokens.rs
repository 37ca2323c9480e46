//! Tokens, scopes and slashes.

use serde_json::json;

use super::Pluvo;

const GRANT: (&str, &str) = ("grant_type", "client_credentials");

#[tokio::test]
async fn a_token_lives_a_day_and_echoes_its_scopes() {
    let pluvo = Pluvo::start().await;
    let fields = [
        GRANT,
        ("client_id", "all"),
        ("client_secret", "s3cret"),
        ("scope", "users.read trainings.read"),
    ];
    let answer: serde_json::Value = pluvo.ask_token(&fields).await.json().await.expect("JSON");
    assert_eq!(answer["token_type"], "Bearer");
    assert_eq!(answer["expires_in"], 86_400);
    assert_eq!(answer["scope"], "users.read trainings.read");
}

#[tokio::test]
async fn token_requests_are_refused_with_json() {
    let pluvo = Pluvo::start().await;
    let all = ("client_id", "all");
    for (fields, status, error) in [
        (vec![GRANT, all, ("client_secret", "wrong")], 401, "invalid_client"),
        (
            vec![GRANT, ("client_id", "nobody"), ("client_secret", "s3cret")],
            401,
            "invalid_client",
        ),
        (
            vec![GRANT, all, ("client_secret", "s3cret"), ("scope", "users.nothing")],
            400,
            "invalid_scope",
        ),
        (
            vec![
                GRANT,
                ("client_id", "reader"),
                ("client_secret", "s3cret"),
                ("scope", "users.write"),
            ],
            400,
            "invalid_scope",
        ),
        (
            vec![("grant_type", "password"), all, ("client_secret", "s3cret")],
            400,
            "unsupported_grant_type",
        ),
        (vec![all, ("client_secret", "s3cret")], 400, "invalid_request"),
    ] {
        let answer = pluvo.ask_token(&fields).await;
        assert_eq!(answer.status().as_u16(), status, "{fields:?}");
        assert_eq!(
            answer.json::<serde_json::Value>().await.expect("JSON"),
            json!({"error": error})
        );
    }
    let url = format!("{}/oauth/token/", pluvo.base);
    let json_body = pluvo
        .http
        .post(url)
        .json(&json!({"grant_type": "client_credentials"}))
        .send()
        .await
        .expect("answer");
    assert_eq!(json_body.status().as_u16(), 400, "a token request is a form");
}

#[tokio::test]
async fn bad_tokens_are_401_or_the_older_style() {
    let mut pluvo = Pluvo::start().await;
    let valid = std::mem::replace(&mut pluvo.token, "nonsense".to_owned());
    let answer = pluvo
        .request("{ __typename }", &json!({}))
        .send()
        .await
        .expect("an answer");
    assert_eq!(answer.status().as_u16(), 401);
    let body: serde_json::Value = answer.json().await.expect("JSON");
    assert_eq!(body["errors"][0]["extensions"]["code"], "AuthenticationError");

    pluvo.control("settings", json!({"authErrorStatus": 200})).await;
    let answer = pluvo
        .request("{ __typename }", &json!({}))
        .send()
        .await
        .expect("an answer");
    assert_eq!(answer.status().as_u16(), 200);

    pluvo.token = valid;
    pluvo.data("{ __typename }").await;
    pluvo.control("change", json!({"advanceClock": "24h"})).await;
    assert_eq!(
        pluvo.refusal("{ __typename }").await.0,
        "AuthenticationError",
        "it has expired"
    );
}

#[tokio::test]
async fn revoked_tokens_end() {
    let mut pluvo = Pluvo::start().await;
    assert_eq!(pluvo.control("tokens/revoke", json!({})).await, json!({"revoked": 1}));
    assert_eq!(pluvo.refusal("{ __typename }").await.0, "AuthenticationError");
    pluvo.token = pluvo.new_token("all", "").await;
    pluvo.data("{ __typename }").await;
}

#[tokio::test]
async fn a_missing_scope_is_not_an_authentication_error() {
    let mut pluvo = Pluvo::start().await;
    pluvo.token = pluvo.new_token("reader", "").await;
    pluvo.data("{ users { ref } }").await;
    let (code, path) = pluvo
        .refusal(r#"mutation { createGroup(group: {name: "A"}) { group { id } } }"#)
        .await;
    assert_eq!((code.as_str(), path), ("PermissionDenied", json!(["createGroup"])));
    assert_eq!(pluvo.refusal("{ trainings { ref } }").await.0, "PermissionDenied");
    pluvo.token = pluvo.new_token("all", "groups.read").await;
    assert_eq!(
        pluvo.refusal("{ users { ref } }").await.0,
        "PermissionDenied",
        "not asked for"
    );
}

#[tokio::test]
async fn both_paths_end_with_a_slash() {
    let pluvo = Pluvo::start().await;
    for (path, location) in [
        ("graphql", "graphql/"),
        ("oauth/token", "token/"),
        ("acme/graphql", "graphql/"),
    ] {
        let answer = pluvo
            .http
            .post(format!("{}/{path}", pluvo.base))
            .send()
            .await
            .expect("an answer");
        assert_eq!(answer.status().as_u16(), 301, "{path}");
        assert_eq!(answer.headers()["location"], location);
    }
    let page = pluvo
        .http
        .get(format!("{}/graphql/", pluvo.base))
        .send()
        .await
        .expect("an answer");
    assert!(
        page.text().await.expect("a page").contains("Bearer"),
        "GraphiQL comes with a token"
    );
}

#[tokio::test]
async fn organizations_are_independent() {
    let mut pluvo = Pluvo::start().await;
    let unprefixed = std::mem::take(&mut pluvo.token);
    pluvo.base += "/acme";
    pluvo.token = pluvo.new_token("all", "").await;
    pluvo
        .data(r#"mutation { createGroup(group: {name: "New", ref: "new"}) { group { id } } }"#)
        .await;
    assert_eq!(pluvo.look("state").await["groups"]["new"]["name"], "New");
    pluvo.token.clone_from(&unprefixed);
    assert_eq!(
        pluvo.refusal("{ __typename }").await.0,
        "AuthenticationError",
        "a token of another organization"
    );
    pluvo.base.truncate(pluvo.base.len() - "/acme".len());
    pluvo.data("{ __typename }").await;
    assert!(pluvo.look("state").await["groups"].get("new").is_none());
}
