//! Tokens: OAuth client credentials (developers/getting-started, "Request token").

use std::{
    sync::{Arc, atomic::AtomicBool},
    time::Duration,
};

use futures::future::BoxFuture;
use jiff::Timestamp;
use parking_lot::Mutex;
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;
use tokio::time::Instant;
use url::{Url, form_urlencoded};

use crate::clock::SaturatingAdd;

use super::{
    channel::Channel,
    error::{CredentialsError, Error},
    operation::DecodeError,
    transport::{Body, Request},
};

/// What the operator needs whatever is declared.
pub const SCOPES: &str =
    "users.read users.write groups.read groups.write trainings.read trainings.write extra_categories.write";

/// What it needs besides for enrollments in events. An API client that lacks them is asked for less.
pub const EVENT_SCOPES: &str = "events.read events.write";

/// For a server that does not say how long a token lives; the documented ones live a day.
const DEFAULT_LIFE: Duration = Duration::from_hours(1);

/// How long a token that could not be renewed early is used on before that is tried again.
const RENEWAL_PAUSE: Duration = Duration::from_mins(1);

/// What Pluvo hands out for an API client.
#[derive(Clone, Debug)]
pub struct Credentials {
    /// `client_id`
    pub client_id: String,
    /// `client_secret`
    pub client_secret: SecretString,
}

impl Credentials {
    fn same(&self, other: &Self) -> bool {
        self.client_id == other.client_id && self.client_secret.expose_secret() == other.client_secret.expose_secret()
    }
}

/// Where credentials come from. It is asked before every token request, so that a rotation takes effect by itself.
pub trait CredentialSource: Send + Sync {
    /// Reads them as they are now.
    fn read(&self) -> BoxFuture<'_, Result<Credentials, CredentialsError>>;
}

/// Credentials that never change.
impl CredentialSource for Credentials {
    fn read(&self) -> BoxFuture<'_, Result<Credentials, CredentialsError>> {
        Box::pin(async { Ok(self.clone()) })
    }
}

/// A token and what is known of it.
#[derive(Debug)]
pub struct Token {
    /// The token itself.
    pub(super) secret: SecretString,
    /// When Pluvo stops accepting it.
    pub expires_at: Timestamp,
    /// The scopes that it was given, if the server says so.
    pub scopes: Option<String>,
    /// Whether Pluvo has answered a request with it.
    pub(super) accepted: AtomicBool,
    credentials: Credentials,
    expires: Instant,
}

/// Keeps one token and renews it. However many want one, there is one request.
pub(super) struct TokenSource {
    url: Url,
    source: Arc<dyn CredentialSource>,
    current: Mutex<Option<Current>>,
    /// Held while a token is requested; in it when the last request failed, and how.
    request: tokio::sync::Mutex<Option<(Instant, Error)>>,
}

struct Current {
    token: Arc<Token>,
    renew_at: Instant,
}

impl TokenSource {
    pub fn new(url: Url, source: Arc<dyn CredentialSource>) -> Self {
        Self {
            url,
            source,
            current: Mutex::default(),
            request: tokio::sync::Mutex::default(),
        }
    }

    /// The token, from Pluvo if there is none or the one at hand has lived 23/24 of its time.
    pub async fn token(&self, channel: &Channel) -> Result<Arc<Token>, Error> {
        let arrived = Instant::now();
        if let Some(token) = self.at_hand(arrived) {
            return Ok(token);
        }
        let mut failed = self.request.lock().await;
        // Whoever waited meanwhile gets what came of it, be it a token or a failure.
        if let Some(token) = self.at_hand(Instant::now()) {
            return Ok(token);
        }
        if let Some((_, error)) = failed.as_ref().filter(|(at, _)| *at >= arrived) {
            return Err(error.clone());
        }
        match self.request(channel).await {
            Ok(token) => {
                *failed = None;
                Ok(self.keep(token))
            }
            Err(error) => self.postpone().ok_or_else(|| {
                *failed = Some((Instant::now(), error.clone()));
                error
            }),
        }
    }

    /// Forgets a token that Pluvo refused, unless it was replaced already: of many requests in flight with a revoked
    /// token only the first one's refusal counts.
    pub fn invalidate(&self, token: &Arc<Token>) {
        self.current
            .lock()
            .take_if(|current| Arc::ptr_eq(&current.token, token));
    }

    /// Reads the credentials and forgets a token that was made with others; whether that was so.
    pub async fn reread(&self) -> Result<bool, CredentialsError> {
        let credentials = self.source.read().await?;
        let mut current = self.current.lock();
        Ok(current
            .take_if(|current| !current.token.credentials.same(&credentials))
            .is_some())
    }

    /// The token as last issued, fresh or not.
    pub fn current(&self) -> Option<Arc<Token>> {
        self.current.lock().as_ref().map(|current| current.token.clone())
    }

    fn at_hand(&self, now: Instant) -> Option<Arc<Token>> {
        self.current
            .lock()
            .as_ref()
            .filter(|current| current.renew_at > now)
            .map(|current| current.token.clone())
    }

    fn keep(&self, token: Token) -> Arc<Token> {
        let arrived = Instant::now();
        let life = token.expires.saturating_duration_since(arrived);
        let early = life.checked_div(24).unwrap_or_default();
        let token = Arc::new(token);
        *self.current.lock() = Some(Current {
            renew_at: arrived.saturating_add(life.saturating_sub(early)),
            token: token.clone(),
        });
        token
    }

    /// After a failed early renewal: the old token, while it lives.
    fn postpone(&self) -> Option<Arc<Token>> {
        let now = Instant::now();
        let mut current = self.current.lock();
        let current = current.as_mut().filter(|current| current.token.expires > now)?;
        current.renew_at = now.saturating_add(RENEWAL_PAUSE).min(current.token.expires);
        Some(current.token.clone())
    }

    async fn request(&self, channel: &Channel) -> Result<Token, Error> {
        let credentials = self.source.read().await?;
        let everything = format!("{SCOPES} {EVENT_SCOPES}");
        let answer = match self.exchange(&credentials, &everything, channel).await {
            Err(Error::Credentials(CredentialsError::InvalidScope(_))) => {
                self.exchange(&credentials, SCOPES, channel).await
            }
            answer => answer,
        };
        answer.map_err(|error| match error {
            Error::Credentials(_) => error,
            other => Error::Token(Box::new(other)),
        })
    }

    async fn exchange(&self, credentials: &Credentials, scopes: &str, channel: &Channel) -> Result<Token, Error> {
        channel.limiter.take().await;
        let (sent, sent_at) = (Instant::now(), Timestamp::now());
        let request = Request {
            url: self.url.clone(),
            bearer: None,
            body: Body::Form(form(credentials, scopes)),
        };
        let reply = channel.send(request).await?;
        if !(200..300).contains(&reply.status) {
            return Err(refusal(reply.status, &reply.body));
        }
        let Ok(answer) = serde_json::from_slice::<Answer>(&reply.body) else {
            return Err(DecodeError {
                field: "oauth/token",
                what: "no usable access_token".to_owned(),
            }
            .into());
        };
        let life = answer.expires_in.map_or(DEFAULT_LIFE, Duration::from_secs);
        Ok(Token {
            secret: answer.access_token.into(),
            expires_at: sent_at.checked_add(life).unwrap_or(Timestamp::MAX),
            scopes: answer.scope,
            accepted: AtomicBool::new(false),
            credentials: credentials.clone(),
            expires: sent.saturating_add(life),
        })
    }
}

#[derive(Deserialize)]
struct Answer {
    access_token: String,
    expires_in: Option<u64>,
    scope: Option<String>,
}

fn form(credentials: &Credentials, scopes: &str) -> SecretString {
    form_urlencoded::Serializer::new(String::new())
        .append_pair("grant_type", "client_credentials")
        .append_pair("client_id", &credentials.client_id)
        .append_pair("client_secret", credentials.client_secret.expose_secret())
        .append_pair("scope", scopes)
        .finish()
        .into()
}

/// What a refused token request means. Pluvo's bodies are not documented; these are the codes of RFC 6749, 5.2.
fn refusal(status: u16, body: &[u8]) -> Error {
    #[derive(Deserialize)]
    struct Refusal {
        error: String,
    }
    let code = serde_json::from_slice(body)
        .map(|Refusal { error }| error)
        .unwrap_or_default();
    match (code.as_str(), status) {
        ("invalid_scope", _) => CredentialsError::InvalidScope(SCOPES).into(),
        ("invalid_client", _) | (_, 401) => CredentialsError::InvalidClient.into(),
        // Not the answer of a token endpoint.
        ("", 404 | 405) => Error::Http {
            status,
            retry_after: None,
        },
        _ => CredentialsError::Refused(status).into(),
    }
}

#[cfg(test)]
mod tests;
