use futures::future::join_all;
use rstest::rstest;
use serde_json::json;
use tokio::time::sleep;

use super::*;
use crate::pluvo::{
    error::TransportError,
    limiter::{Limiter, Limits},
    testing::{Scripted, credentials, reply, text, token_reply},
};

const DAY: Duration = Duration::from_hours(24);

fn setup(transport: &Arc<Scripted>) -> (TokenSource, Channel) {
    let limits = Limits {
        requests_per_second: 1000.0,
        burst: 1000,
        ..Limits::default()
    };
    let url = Url::parse("https://acme.pluvo.com/oauth/token/").unwrap();
    (
        TokenSource::new(url, Arc::new(credentials())),
        Channel::new(transport.clone(), Limiter::new(limits)),
    )
}

/// Issues token-0, token-1, ... after a second each.
fn issuing() -> Arc<Scripted> {
    Scripted::new(|n, _| async move {
        sleep(Duration::from_secs(1)).await;
        Ok(token_reply(&format!("token-{n}")))
    })
}

async fn secret(source: &TokenSource, channel: &Channel) -> String {
    source.token(channel).await.unwrap().secret.expose_secret().to_owned()
}

#[tokio::test(start_paused = true)]
async fn however_many_ask_there_is_one_request() {
    let transport = issuing();
    let (source, channel) = setup(&transport);
    let tokens = join_all((0..50).map(|_| secret(&source, &channel))).await;
    assert!(tokens.iter().all(|token| token == "token-0"));
    assert_eq!(transport.sent(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_revoked_token_in_eight_requests_is_replaced_once() {
    let transport = issuing();
    let (source, channel) = setup(&transport);
    let revoked = source.token(&channel).await.unwrap();
    let tokens = join_all((0..8).map(|n| {
        let (source, channel, revoked) = (&source, &channel, &revoked);
        async move {
            sleep(Duration::from_millis(300 * n)).await; // some refusals arrive after the replacement
            source.invalidate(revoked);
            secret(source, channel).await
        }
    }))
    .await;
    assert!(tokens.iter().all(|token| token == "token-1"), "{tokens:?}");
    assert_eq!(transport.sent(), 2);
}

#[tokio::test(start_paused = true)]
async fn it_is_renewed_at_23_24_of_its_life() {
    let transport = issuing();
    let (source, channel) = setup(&transport);
    let token = source.token(&channel).await.unwrap();
    assert_eq!(token.scopes.as_deref(), Some("users.read users.write"));
    let life = token.expires_at.duration_since(Timestamp::now()).as_secs();
    assert!((86390..=86400).contains(&life), "{life}");
    sleep(DAY / 24 * 22).await;
    assert_eq!(secret(&source, &channel).await, "token-0");
    sleep(DAY / 24).await;
    assert_eq!(secret(&source, &channel).await, "token-1");
}

#[tokio::test(start_paused = true)]
async fn a_renewal_that_fails_early_uses_the_old_token_until_it_ends() {
    let transport = Scripted::new(|n, _| async move {
        if n == 0 {
            Ok(token_reply("token-0"))
        } else {
            Err(TransportError::Timeout)
        }
    });
    let (source, channel) = setup(&transport);
    source.token(&channel).await.unwrap();
    sleep(DAY / 24 * 23 + Duration::from_secs(1)).await;
    for _ in 0..10 {
        assert_eq!(secret(&source, &channel).await, "token-0");
    }
    assert_eq!(transport.sent(), 2, "not with every request");
    sleep(RENEWAL_PAUSE).await;
    assert_eq!(secret(&source, &channel).await, "token-0");
    assert_eq!(transport.sent(), 3);
    sleep(DAY / 24).await;
    assert_eq!(
        source.token(&channel).await.unwrap_err(),
        Error::Token(Box::new(TransportError::Timeout.into()))
    );
}

#[tokio::test(start_paused = true)]
async fn whoever_waited_shares_the_failure() {
    let transport = Scripted::new(|_, _| async {
        sleep(Duration::from_secs(1)).await;
        Ok(reply(401, &json!({"error": "invalid_client"})))
    });
    let (source, channel) = setup(&transport);
    let failures = join_all((0..50).map(|_| source.token(&channel))).await;
    assert!(
        failures
            .into_iter()
            .all(|failure| failure.unwrap_err() == CredentialsError::InvalidClient.into())
    );
    assert_eq!(transport.sent(), 1);
    sleep(Duration::from_secs(1)).await;
    source.token(&channel).await.unwrap_err();
    assert_eq!(transport.sent(), 2, "whoever comes later tries again");
}

struct Rotating(Mutex<Result<Credentials, CredentialsError>>);

impl CredentialSource for Rotating {
    fn read(&self) -> BoxFuture<'_, Result<Credentials, CredentialsError>> {
        Box::pin(async { self.0.lock().clone() })
    }
}

#[tokio::test(start_paused = true)]
async fn a_rotation_takes_effect() {
    let transport = Scripted::new(|_, request| async move { Ok(token_reply(&text(&request.body))) });
    let rotating = Arc::new(Rotating(Mutex::new(Ok(credentials()))));
    let (mut source, channel) = setup(&transport);
    source.source = rotating.clone();
    assert_eq!(source.reread().await, Ok(false), "no token yet");
    let form = secret(&source, &channel).await;
    assert_eq!(
        form,
        "grant_type=client_credentials&client_id=our-client&client_secret=s3cret%26%3D&scope=users.read+users.write+\
         groups.read+groups.write+trainings.read+trainings.write+extra_categories.write+events.read+events.write"
    );
    assert_eq!(source.reread().await, Ok(false), "the same credentials");
    *rotating.0.lock() = Ok(Credentials {
        client_secret: "new".into(),
        ..credentials()
    });
    assert_eq!(source.reread().await, Ok(true));
    assert!(secret(&source, &channel).await.contains("client_secret=new"));
    let gone = CredentialsError::Unreadable("Secret hr/pluvo-credentials not found".to_owned());
    *rotating.0.lock() = Err(gone.clone());
    assert_eq!(source.reread().await, Err(gone.clone()));
    source.invalidate(&source.current().unwrap());
    assert_eq!(source.token(&channel).await.unwrap_err(), gone.into());
}

#[tokio::test(start_paused = true)]
async fn a_client_that_may_not_touch_events_is_asked_for_the_rest() {
    let transport = Scripted::new(|_, request| async move {
        let form = text(&request.body);
        Ok(if form.contains("events.read") {
            crate::pluvo::transport::Reply {
                status: 400,
                retry_after: None,
                body: r#"{"error": "invalid_scope"}"#.into(),
            }
        } else {
            token_reply(&form)
        })
    });
    let (source, channel) = setup(&transport);
    let form = secret(&source, &channel).await;
    assert!(form.ends_with("extra_categories.write"), "{form}");
}

#[rstest]
#[case(400, r#"{"error": "invalid_client"}"#, CredentialsError::InvalidClient.into())]
#[case(401, "", CredentialsError::InvalidClient.into())]
#[case(400, r#"{"error": "invalid_scope"}"#, CredentialsError::InvalidScope(SCOPES).into())]
#[case(400, r#"{"error": "unauthorized_client"}"#, CredentialsError::Refused(400).into())]
#[case(403, "<html>", CredentialsError::Refused(403).into())]
#[case(404, "<html>", Error::Token(Box::new(Error::Http { status: 404, retry_after: None })))]
#[case(302, "", Error::Token(Box::new(Error::Http { status: 302, retry_after: None })))]
#[case(500, "", Error::Token(Box::new(Error::Http { status: 500, retry_after: None })))]
#[case(429, "", Error::Token(Box::new(Error::Throttled { retry_after: None })))]
#[tokio::test(start_paused = true)]
async fn refusals(#[case] status: u16, #[case] body: &'static str, #[case] expected: Error) {
    let transport = Scripted::new(move |_, _| async move {
        Ok(crate::pluvo::transport::Reply {
            status,
            retry_after: None,
            body: body.into(),
        })
    });
    let (source, channel) = setup(&transport);
    let error = source.token(&channel).await.unwrap_err();
    assert_eq!(error, expected);
    assert!(!error.outcome_unknown(), "nothing else was sent");
}

#[tokio::test(start_paused = true)]
async fn nothing_that_is_printed_holds_a_secret() {
    let transport = issuing();
    let (source, channel) = setup(&transport);
    let token = source.token(&channel).await.unwrap();
    let printed = format!("{token:?} {:?}", credentials());
    assert!(!printed.contains("s3cret") && !printed.contains("token-0"), "{printed}");
}
