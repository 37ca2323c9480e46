//! HTTP: one POST at a time, over connections that are kept. Knows neither tokens nor GraphQL.

use std::{error::Error as _, time::Duration};

use futures::future::BoxFuture;
use jiff::{SignedDuration, Timestamp};
use reqwest::{Certificate, header, redirect};
use secrecy::{ExposeSecret, SecretString};
use url::Url;

use super::error::TransportError;

/// The largest answer that is read. Fifty users with everything are about 50 kB.
const MAX_ANSWER: usize = 16 << 20;

/// The longest that one answer can make us silent: a `Retry-After` of a week is a mistake.
const LONGEST_PAUSE: Duration = Duration::from_mins(5);

/// How long a connection is kept when idle: less than common servers keep theirs, because a write on a connection that
/// the server is just closing has an unknown outcome.
const IDLE: Duration = Duration::from_secs(30);

/// Sends requests. A trait so that tests with a paused clock need no socket, which does not stand still with it.
pub trait Transport: Send + Sync {
    /// Sends one request and reads its answer, whatever its status. Never follows a redirect.
    fn send(&self, request: Request) -> BoxFuture<'_, Result<Reply, TransportError>>;
}

/// A POST.
pub struct Request {
    /// Where to.
    pub url: Url,
    /// The token, if it needs one.
    pub bearer: Option<SecretString>,
    /// What is sent.
    pub body: Body,
}

/// What is sent.
pub enum Body {
    /// `application/json`
    Json(Vec<u8>),
    /// `application/x-www-form-urlencoded`, with the client's secret in it.
    Form(SecretString),
}

impl Request {
    /// How many bytes the body has.
    #[must_use]
    pub fn len(&self) -> usize {
        match &self.body {
            Body::Json(bytes) => bytes.len(),
            Body::Form(text) => text.expose_secret().len(),
        }
    }

    /// Whether the body is empty.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// An answer of any status.
#[derive(Clone, Default)]
pub struct Reply {
    /// The status code.
    pub status: u16,
    /// The header of that name, as a time from now; five minutes at most.
    pub retry_after: Option<Duration>,
    /// Unpacked.
    pub body: Vec<u8>,
}

/// How long to wait for what.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Timeouts {
    /// For a connection.
    pub connect: Duration,
    /// For the whole exchange; a document of fifty mutations takes its time.
    pub request: Duration,
}

impl Default for Timeouts {
    fn default() -> Self {
        Self {
            connect: Duration::from_secs(10),
            request: Duration::from_mins(1),
        }
    }
}

/// Why no client can be made of a configuration.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ConfigError {
    /// The text says what is wrong.
    #[error("caBundle holds no certificates in PEM form: {0}")]
    CaBundle(String),
    /// The proxy variables, the user agent or the certificates are unusable.
    #[error("no HTTPS client can be made ({0}): check caBundle and the proxy variables of the environment")]
    Http(String),
}

/// The real thing: TLS with the roots that are compiled in and `ca_bundle`, HTTP/2 where offered, gzip, and the
/// environment's proxies.
pub struct HttpTransport(reqwest::Client);

impl HttpTransport {
    /// Connects to nothing yet.
    ///
    /// # Errors
    ///
    /// `ca_bundle` is not PEM, or the environment's proxies cannot be used.
    pub fn new(ca_bundle: Option<&[u8]>, user_agent: &str, timeouts: Timeouts) -> Result<Self, ConfigError> {
        let client = reqwest::Client::builder()
            .tls_certs_only(roots(ca_bundle)?)
            .redirect(redirect::Policy::none())
            .referer(false)
            .user_agent(user_agent)
            .connect_timeout(timeouts.connect)
            .timeout(timeouts.request)
            .pool_idle_timeout(IDLE)
            .build();
        client.map(Self).map_err(|error| ConfigError::Http(root_cause(&error)))
    }

    async fn post(&self, request: Request) -> Result<Reply, TransportError> {
        let mut post = self.0.post(request.url);
        if let Some(token) = &request.bearer {
            post = post.bearer_auth(token.expose_secret());
        }
        let post = match request.body {
            Body::Json(body) => post.header(header::CONTENT_TYPE, "application/json").body(body),
            Body::Form(body) => post
                .header(header::CONTENT_TYPE, "application/x-www-form-urlencoded")
                .body(body.expose_secret().to_owned()),
        };
        let mut response = post
            .header(header::ACCEPT, "application/json")
            .send()
            .await
            .map_err(|e| failure(&e))?;
        let retry_after = response
            .headers()
            .get(header::RETRY_AFTER)
            .and_then(|value| value.to_str().ok());
        let mut reply = Reply {
            status: response.status().as_u16(),
            retry_after: retry_after.and_then(|text| parse_retry_after(text, Timestamp::now())),
            body: Vec::new(),
        };
        // In chunks, because what is counted is what comes out of the compression.
        while let Some(chunk) = response.chunk().await.map_err(|error| failure(&error))? {
            if reply.body.len() + chunk.len() > MAX_ANSWER {
                return Err(TransportError::TooLarge(MAX_ANSWER));
            }
            reply.body.extend_from_slice(&chunk);
        }
        Ok(reply)
    }
}

impl Transport for HttpTransport {
    fn send(&self, request: Request) -> BoxFuture<'_, Result<Reply, TransportError>> {
        Box::pin(self.post(request))
    }
}

/// The roots of the web, compiled in because a minimal image has none, and the bundle's on top.
fn roots(ca_bundle: Option<&[u8]>) -> Result<Vec<Certificate>, ConfigError> {
    let wrong = |error: &dyn std::fmt::Display| ConfigError::CaBundle(error.to_string());
    let mut roots = Vec::new();
    for der in webpki_root_certs::TLS_SERVER_ROOT_CERTS {
        roots.push(Certificate::from_der(der).map_err(|error| ConfigError::Http(root_cause(&error)))?);
    }
    if let Some(pem) = ca_bundle.map(<[u8]>::trim_ascii).filter(|pem| !pem.is_empty()) {
        let bundle = Certificate::from_pem_bundle(pem).map_err(|error| wrong(&root_cause(&error)))?;
        if bundle.is_empty() {
            return Err(wrong(&"nothing between BEGIN CERTIFICATE and END CERTIFICATE"));
        }
        roots.extend(bundle);
    }
    Ok(roots)
}

fn failure(error: &reqwest::Error) -> TransportError {
    // A timeout while connecting is both, and then nothing was sent.
    if error.is_connect() || error.is_builder() {
        TransportError::NotSent(root_cause(error))
    } else if error.is_timeout() {
        TransportError::Timeout
    } else {
        TransportError::Lost(root_cause(error))
    }
}

/// The innermost error: the outer ones repeat the address and what was attempted.
fn root_cause(error: &reqwest::Error) -> String {
    let mut cause: &dyn std::error::Error = error;
    while let Some(source) = cause.source() {
        cause = source;
    }
    if error.source().is_some() {
        cause.to_string()
    } else {
        "the request could not be made".to_owned()
    }
}

/// Seconds, or a date (RFC 9110, 10.2.3); no longer than [`LONGEST_PAUSE`].
fn parse_retry_after(text: &str, now: Timestamp) -> Option<Duration> {
    let text = text.trim();
    let asked = if !text.is_empty() && text.chars().all(|digit| digit.is_ascii_digit()) {
        Duration::from_secs(text.parse().unwrap_or(u64::MAX))
    } else {
        let at = jiff::fmt::rfc2822::parse(text).ok()?.timestamp();
        at.duration_since(now).max(SignedDuration::ZERO).unsigned_abs()
    };
    Some(asked.min(LONGEST_PAUSE))
}

#[cfg(test)]
mod tests;
