use std::{
    net::SocketAddr,
    sync::atomic::{AtomicUsize, Ordering},
    time::Duration,
};

use axum::{
    Router,
    http::{HeaderMap, StatusCode, header},
    response::IntoResponse,
    routing::post,
};
use futures::future::join_all;
use parking_lot::Mutex;
use secrecy::ExposeSecret;
use serde_json::{Value, json};
use tokio::{net::TcpListener, sync::Notify, time::Instant};

use super::*;
use crate::pluvo::{
    error::TransportError,
    request::{ContentType, Mutation, Selector},
    testing::{Scripted, credentials, reply, text, token_reply},
};

fn config(address: &str) -> ClientConfig {
    let limits = Limits {
        requests_per_second: 1000.0,
        burst: 1000,
        in_flight: 8,
        writing: 8,
    };
    ClientConfig {
        limits,
        ..ClientConfig::new(Endpoint::parse(address).unwrap(), Arc::new(credentials()))
    }
}

/// A client whose token requests succeed and whose documents are answered by `respond`, by their number from 0.
fn scripted(respond: impl Fn(usize, Value) -> Result<Reply, TransportError> + Send + Sync + 'static) -> Client {
    let documents = AtomicUsize::new(0);
    let transport = Scripted::new(move |n, request| {
        let answer = match &request.body {
            Body::Form(_) => Ok(token_reply(&format!("token-{n}"))),
            body @ Body::Json(_) => {
                assert!(request.bearer.is_some());
                let document = serde_json::from_str(&text(body)).unwrap();
                respond(documents.fetch_add(1, Ordering::SeqCst), document)
            }
        };
        async move { answer }
    });
    Client::over(transport, config("https://acme.pluvo.com"))
}

#[allow(clippy::unnecessary_wraps)] // what a transport returns
fn ok(body: &Value) -> Result<Reply, TransportError> {
    Ok(reply(200, body))
}

fn done() -> Result<Reply, TransportError> {
    ok(&json!({"data": {"q0": null, "m0": {"ok": true}}}))
}

async fn read(client: &Client) -> Result<Response, Error> {
    let operation = Query::User(Selector::Ref("r".into())).operation();
    client
        .execute(
            client.acquire(Access::Read).await,
            &client.document(Access::Read, &[operation]),
        )
        .await
}

async fn write(client: &Client) -> Result<Response, Error> {
    let operation = Mutation::DeleteGroup("g".into()).operation();
    client
        .execute(
            client.acquire(Access::Write).await,
            &client.document(Access::Write, &[operation]),
        )
        .await
}

/// Documents sent, so without token requests.
fn sent(client: &Client) -> u64 {
    let traffic = client.counters().read();
    traffic.requests - traffic.token_requests
}

#[tokio::test(start_paused = true)]
async fn several_questions_travel_in_one_document() {
    let client = scripted(|_, body| {
        assert_eq!(body["variables"], json!({"q0_0": "a", "q1_1": "x@example.com"}));
        ok(&json!({"data": {"q0": null, "q1": null, "q2": null}, "errors": [{"message": "no", "path": ["q1"]}]}))
    });
    let queries = [
        Query::User(Selector::Ref("a".into())),
        Query::UserByEmail("x@example.com".into()),
        Query::CustomFields(ContentType::User),
    ];
    let answers = client.query(&queries).await.unwrap();
    assert_eq!(answers[0], Ok(QueryAnswer::User(None)));
    assert!(matches!(answers[1], Err(EntryError::Refused(_))));
    assert!(matches!(answers[2], Err(EntryError::Decode(_))));
    assert_eq!(client.query(&[]).await, Ok(vec![]));
    assert_eq!(sent(&client), 1);
    let traffic = client.counters().read();
    assert!(
        traffic.token_requests == 1 && traffic.bytes_in > 100 && traffic.bytes_out > 500,
        "{traffic:?}"
    );
}

#[tokio::test(start_paused = true)]
async fn reads_outlast_an_outage_and_writes_are_not_repeated_blindly() {
    let flaky = |n, _: Value| if n < 3 { Ok(reply(500, &Value::Null)) } else { done() };
    let client = scripted(flaky);
    assert!(read(&client).await.is_ok());
    assert_eq!(sent(&client), 4);
    let client = scripted(flaky);
    assert!(write(&client).await.unwrap_err().outcome_unknown());
    assert_eq!(sent(&client), 1);
    let client = scripted(|n, _| {
        if n < 2 {
            Err(TransportError::NotSent("refused".into()))
        } else {
            done()
        }
    });
    assert!(
        write(&client).await.is_ok(),
        "nothing was sent, so it may be sent again"
    );
    assert_eq!(sent(&client), 3);
    let client = scripted(|_, _| Err(TransportError::Timeout));
    assert_eq!(read(&client).await.unwrap_err(), TransportError::Timeout.into());
    assert_eq!(sent(&client), 4, "not for ever");
}

#[tokio::test(start_paused = true)]
async fn retry_after_holds_for_everybody() {
    let throttle = Reply {
        status: 429,
        retry_after: Some(Duration::from_secs(4)),
        body: vec![],
    };
    let client = scripted(move |n, _| if n == 0 { Ok(throttle.clone()) } else { done() });
    let start = Instant::now();
    let (first, second) = tokio::join!(write(&client), async {
        tokio::time::sleep(Duration::from_secs(1)).await;
        read(&client).await.map(|_| start.elapsed())
    });
    assert!(first.is_ok());
    let second = second.unwrap();
    assert!(
        second >= Duration::from_secs(4) && second < Duration::from_millis(4100),
        "{second:?}"
    );
}

#[tokio::test(start_paused = true)]
async fn a_refused_token_is_replaced_once_in_either_style() {
    let refused = [
        reply(401, &Value::Null),
        reply(401, &json!({"errors": [{"message": "expired"}]})),
        reply(
            200,
            &json!({"errors": [{"message": "x", "extensions": {"code": "AuthenticationError"}}]}),
        ),
        reply(
            200,
            &json!({"data": {"m0": null}, "errors": [{"message": "x", "path": ["m0"], "extensions": {"code": "NoAuth"}}]}),
        ),
    ];
    for refusal in refused {
        let once = refusal.clone();
        let client = scripted(move |n, _| if n == 0 { Ok(once.clone()) } else { done() });
        assert!(write(&client).await.is_ok());
        let traffic = client.counters().read();
        assert_eq!((traffic.requests, traffic.token_requests), (4, 2));

        let client = scripted(move |_, _| Ok(refusal.clone()));
        assert_eq!(write(&client).await, Err(Error::Unauthorized));
        assert_eq!(client.counters().read().token_requests, 2);
    }
    let partly = json!({"data": {"m0": {"ok": true}, "m1": null}, "errors": [{"path": ["m1"], "extensions": {"code": "NotAuthorized"}}]});
    let client = scripted(move |_, _| ok(&partly));
    assert_eq!(
        write(&client).await.unwrap().errors.len(),
        1,
        "something was executed: it is not sent again"
    );
    assert_eq!(sent(&client), 1);
}

#[tokio::test(start_paused = true)]
async fn an_unknown_optional_field_is_dropped_and_stays_dropped() {
    let client = scripted(|_, body| {
        if body["query"].as_str().unwrap().contains(" ref ") {
            Ok(reply(
                400,
                &json!({"errors": [{"message": "Cannot query field 'ref' on type 'ExtraCategory'."}]}),
            ))
        } else {
            ok(&json!({"data": {"q0": [{"id": "1", "title": "Department"}]}}))
        }
    });
    for _ in 0..2 {
        let answers = client.query(&[Query::CustomFields(ContentType::User)]).await.unwrap();
        let Ok(QueryAnswer::CustomFields(fields)) = &answers[0] else {
            panic!("{answers:?}")
        };
        assert_eq!(fields[0].reference, None);
    }
    assert_eq!(sent(&client), 3);
    assert_eq!(client.unsupported().to_string(), "ExtraCategory.ref");
}

#[tokio::test(start_paused = true)]
async fn a_document_that_stays_rejected_is_an_error_and_changed_nothing() {
    let client = scripted(|_, _| {
        let message = r#"Cannot query field "deleteGroup" on type "Mutation"."#;
        ok(&json!({"data": null, "errors": [{"message": message}]}))
    });
    let error = write(&client).await.unwrap_err();
    assert!(matches!(error, Error::Document(_)) && !error.outcome_unknown() && !error.is_retryable());
    assert_eq!(sent(&client), 1, "the same document would be rejected again");
    assert_eq!(client.unsupported().to_string(), "Mutation.deleteGroup");
}

#[tokio::test(start_paused = true)]
async fn what_is_not_graphql_is_an_error_by_its_status() {
    let html = |status| Reply {
        status,
        retry_after: None,
        body: b"<html>jane@example.com</html>".to_vec(),
    };
    for (status, unknown, says) in [
        (200, true, "not what its documentation says"),
        (302, false, "never followed"),
        (403, false, "scopes"),
        (404, false, "no Pluvo API"),
        (413, false, "operationsPerRequest"),
        (418, false, "check organization"),
        (502, true, "Pluvo has a problem"),
    ] {
        let client = scripted(move |_, _| Ok(html(status)));
        let error = write(&client).await.unwrap_err();
        assert_eq!(error.outcome_unknown(), unknown, "{status}");
        assert!(
            error.to_string().contains(says) && !error.to_string().contains("jane"),
            "{error}"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn a_schema_check_where_introspection_is_off_is_no_error() {
    for answer in [
        json!({"errors": [{"message": "introspection is disabled"}]}),
        json!({"data": {"__schema": null}}),
    ] {
        let client = scripted(move |_, _| ok(&answer));
        assert_eq!(client.check_schema(false).await, Ok(false));
        assert!(client.unsupported().is_empty());
    }
    let schema = json!({"queryType": {"name": "Q"}, "mutationType": null, "types": [{"name": "Q", "fields": []}]});
    let client = scripted(move |_, _| ok(&json!({"data": {"__schema": schema}})));
    assert_eq!(client.check_schema(false).await, Ok(true));
    assert!(client.unsupported().names().any(|name| name == "Mutation.updateUser"));
}

async fn serve(router: Router) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async { axum::serve(listener, router).await.unwrap() });
    address
}

/// Pluvo as far as tokens go: accepts the last token it has issued, until that is revoked.
#[derive(Default)]
struct Tokens {
    issued: AtomicUsize,
    valid: Mutex<String>,
    waiting: AtomicUsize,
    go: Notify,
}

impl Tokens {
    fn issue(&self) -> axum::Json<Value> {
        let token = format!("token-{}", self.issued.fetch_add(1, Ordering::SeqCst));
        self.valid.lock().clone_from(&token);
        axum::Json(json!({"access_token": token, "expires_in": 86400}))
    }

    /// The first eight requests wait for each other, so that all of them are in flight with one token.
    async fn answer(&self, headers: HeaderMap) -> axum::response::Response {
        match self.waiting.fetch_add(1, Ordering::SeqCst) {
            0..7 => self.go.notified().await,
            7 => {
                self.valid.lock().clear();
                self.go.notify_waiters();
            }
            _ => {}
        }
        let authorized = headers[header::AUTHORIZATION] == format!("Bearer {}", self.valid.lock());
        if authorized {
            axum::Json(json!({"data": {"m0": {"ok": true}}})).into_response()
        } else {
            StatusCode::UNAUTHORIZED.into_response()
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn eight_revoked_tokens_in_flight_are_one_token_request() {
    let tokens: &'static Tokens = Box::leak(Box::default());
    let router = Router::new()
        .route("/acme/oauth/token/", post(|| async { tokens.issue() }))
        .route("/acme/graphql/", post(|headers: HeaderMap| tokens.answer(headers)));
    let address = serve(router).await;
    let client = Client::new(config(&format!("http://{address}/acme"))).unwrap();
    let answers = join_all((0..8).map(|_| write(&client))).await;
    assert!(answers.iter().all(Result::is_ok), "{answers:?}");
    assert_eq!(tokens.issued.load(Ordering::SeqCst), 2);
    let traffic = client.counters().read();
    assert_eq!((traffic.requests, traffic.token_requests), (18, 2));
}

/// Two revocations in a row, the second while one of the requests still waits to be sent with the new token.
#[tokio::test(start_paused = true)]
async fn a_token_that_others_used_already_may_be_revoked_too() {
    let transport = Scripted::new(|n, request| async move {
        let Some(bearer) = &request.bearer else {
            return Ok(token_reply(&format!("token-{n}")));
        };
        match (n, bearer.expose_secret()) {
            (1 | 2, "token-0") => tokio::time::sleep(Duration::from_secs(n as u64)).await,
            (5, "token-3") => {}
            (4, "token-3") | (7, "token-6") => return done(),
            other => panic!("{other:?}"),
        }
        Ok(reply(401, &Value::Null))
    });
    let client = Client::over(transport, config("https://acme.pluvo.com"));
    let (first, second) = tokio::join!(write(&client), write(&client));
    assert!(first.is_ok() && second.is_ok());
    assert_eq!(client.counters().read().token_requests, 3);
}

#[tokio::test]
async fn credentials_follow_no_redirect() {
    static REACHED: AtomicUsize = AtomicUsize::new(0);
    let elsewhere = serve(Router::new().fallback(|| async {
        REACHED.fetch_add(1, Ordering::SeqCst);
        axum::Json(json!({"access_token": "stolen", "data": {"q0": null}}))
    }))
    .await;
    let location = move |path| [(header::LOCATION, format!("http://{elsewhere}{path}"))];
    let moved = move |path| post(move || async move { (StatusCode::TEMPORARY_REDIRECT, location(path)) });
    let issue = post(|| async { axum::Json(json!({"access_token": "t"})) });

    let tokens_moved = serve(Router::new().route("/oauth/token/", moved("/oauth/token/"))).await;
    let documents_moved = serve(
        Router::new()
            .route("/oauth/token/", issue)
            .route("/graphql/", moved("/graphql/")),
    )
    .await;
    for address in [tokens_moved, documents_moved] {
        let client = Client::new(config(&format!("http://{address}"))).unwrap();
        let error = read(&client).await.unwrap_err();
        assert!(
            error.to_string().contains("HTTP 307") && error.to_string().contains("without /graphql/"),
            "{error}"
        );
    }
    assert_eq!(REACHED.load(Ordering::SeqCst), 0);
}

#[tokio::test(start_paused = true)]
async fn every_error_is_for_people_and_holds_no_secret() {
    let errors = [
        Error::from(TransportError::NotSent("connection refused".into())),
        TransportError::Timeout.into(),
        Error::Throttled { retry_after: None },
        Error::Unauthorized,
        CredentialsError::InvalidClient.into(),
        CredentialsError::InvalidScope(crate::pluvo::token::SCOPES).into(),
        Error::Token(Box::new(TransportError::Timeout.into())),
        Error::Document(vec![]),
    ];
    let printed: Vec<_> = errors.iter().map(ToString::to_string).collect();
    insta::assert_debug_snapshot!(printed);
    let client = scripted(|_, _| done());
    read(&client).await.unwrap();
    assert!(client.token().unwrap().secret.expose_secret().starts_with("token-"));
}
