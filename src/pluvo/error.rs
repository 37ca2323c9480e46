//! What can go wrong between us and Pluvo, told so that whoever reads a status knows what to do.
//!
//! No message holds a response body, a value that was sent, or a secret.

use std::time::Duration;

use super::{
    operation::DecodeError,
    response::{GraphqlError, codes},
};

/// Why a document has no [`Response`](super::response::Response).
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// No answer came.
    #[error(transparent)]
    Transport(#[from] TransportError),
    /// An answer came that is not GraphQL.
    #[error("Pluvo answered HTTP {status}: {}", advice(*status))]
    Http {
        /// The status code.
        status: u16,
        /// When the server asks to be asked again.
        retry_after: Option<Duration>,
    },
    /// Too many requests; nothing was executed.
    #[error("Pluvo limits the requests (HTTP 429); they go on when it allows. Lower spec.limits if this stays")]
    Throttled {
        /// When the server asks to be asked again.
        retry_after: Option<Duration>,
    },
    /// A new token was refused like the one before.
    #[error(
        "Pluvo refuses a token that it has just issued: check that the API client is active and has the needed scopes"
    )]
    Unauthorized,
    /// There is no token, because of the credentials.
    #[error(transparent)]
    Credentials(#[from] CredentialsError),
    /// There is no token, because the token endpoint cannot be used at the moment.
    #[error("no token could be fetched: {0}")]
    Token(#[source] Box<Error>),
    /// The document was rejected before anything was executed.
    #[error(
        "Pluvo rejected the request as a whole{} and executed nothing: it does not know a part of it (see \
         schema.unsupported), or finds it too large",
        codes(.0)
    )]
    Document(Vec<GraphqlError>),
    /// An answer came that cannot be read.
    #[error(transparent)]
    Decode(#[from] DecodeError),
}

/// Why no answer came.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TransportError {
    /// The connection was never made, so nothing was sent.
    #[error("cannot connect to Pluvo ({0}): check the address, the network, the proxy and caBundle")]
    NotSent(String),
    /// Nothing came in time.
    #[error("Pluvo did not answer in time")]
    Timeout,
    /// The connection broke after the request may have been sent.
    #[error("the connection to Pluvo broke before the answer was complete ({0})")]
    Lost(String),
    /// The answer is larger than any that was asked for.
    #[error("Pluvo's answer is larger than {0} bytes and was not read")]
    TooLarge(usize),
}

/// Why the credentials give no token.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CredentialsError {
    /// They cannot be read; the text says why and what to do.
    #[error("{0}")]
    Unreadable(String),
    /// `invalid_client` or HTTP 401.
    #[error("Pluvo does not know these credentials: check client-id and client-secret")]
    InvalidClient,
    /// `invalid_scope`; the scopes that were asked for.
    #[error("Pluvo does not grant this API client all scopes that the operator needs ({0}): ask Pluvo for them")]
    InvalidScope(&'static str),
    /// Any other refusal of the token endpoint.
    #[error("Pluvo's token endpoint refuses the request (HTTP {0}): check the API client in Pluvo")]
    Refused(u16),
}

impl Error {
    /// Whether the request may have been executed although no usable answer came. After a write that means: read
    /// before anything is written again.
    #[must_use]
    pub fn outcome_unknown(&self) -> bool {
        match self {
            Self::Transport(error) => !matches!(error, TransportError::NotSent(_)),
            Self::Http { status, .. } => *status < 300 || *status == 408 || *status >= 500,
            Self::Decode(_) => true,
            Self::Throttled { .. } | Self::Unauthorized | Self::Credentials(_) | Self::Token(_) | Self::Document(_) => {
                false
            }
        }
    }

    /// Whether the same request may succeed later without anybody doing anything. Says nothing about whether it may
    /// be repeated: that is [`decide`](super::retry::decide).
    #[must_use]
    pub fn is_retryable(&self) -> bool {
        match self {
            Self::Transport(error) => !matches!(error, TransportError::TooLarge(_)),
            Self::Http { status, .. } => *status == 408 || *status >= 500,
            Self::Throttled { .. } => true,
            Self::Token(error) => error.is_retryable(),
            Self::Unauthorized | Self::Credentials(_) | Self::Document(_) | Self::Decode(_) => false,
        }
    }

    /// When the server asked to be asked again, if it did.
    #[must_use]
    pub fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::Http { retry_after, .. } | Self::Throttled { retry_after } => *retry_after,
            Self::Token(error) => error.retry_after(),
            _ => None,
        }
    }
}

/// What to do about a status code.
fn advice(status: u16) -> &'static str {
    match status {
        300..=399 => {
            "a redirect, which is never followed with credentials. The address must be that of the organization itself, \
             with the right scheme and host and without /graphql/"
        }
        403 => "the API client may not do this; check its scopes in Pluvo",
        404 => "there is no Pluvo API at this address; check organization and endpoint",
        413 => "the request is too large; lower limits.operationsPerRequest",
        500.. => "Pluvo has a problem; it is asked again",
        _ => "not an answer of the Pluvo API; check organization and endpoint",
    }
}
