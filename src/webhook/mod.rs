//! What comes in from Pluvo: `POST /webhooks/{namespace}/{connection}`.
//!
//! A delivery is verified before it is parsed, answered at once, and believed in nothing: it is a hint about what to read
//! again. Never answers 410, which would end the subscription for good.

mod recent;
mod server;

use std::sync::Arc;

use futures::future::BoxFuture;

use crate::pluvo::webhook::{Notice, NoticeError, WebhookKeys};

pub use server::{bind, serve};

/// Names the connection that a delivery is for, as its path does.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Addressee {
    /// The namespace of the connection.
    pub namespace: Arc<str>,
    /// Its name.
    pub connection: Arc<str>,
}

/// Whoever deliveries are for.
pub trait Receiver: Send + Sync + 'static {
    /// The keys of a connection; `None` where there is no such connection, or it has none.
    fn keys(&self, to: &Addressee) -> Option<WebhookKeys>;
    /// The same, read anew: a key may have been replaced a moment ago. `None` also if they were read shortly before.
    fn reread_keys<'a>(&'a self, to: &'a Addressee) -> BoxFuture<'a, Option<WebhookKeys>>;
    /// Takes a genuine notice. Returns whether something is read because of it.
    fn take(&self, to: &Addressee, notice: &Notice) -> bool;
    /// A delivery has come; `to`: for which connection, where that is known.
    fn count(&self, to: Option<&Addressee>, outcome: Outcome);
}

/// What became of a delivery.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Outcome {
    /// Something is read because of it.
    Taken,
    /// It is about nothing that anybody needs.
    Unneeded,
    /// The very same one has come before.
    Repeated,
    /// Its event is not documented.
    UnknownEvent,
    /// Its body is not what is documented.
    Malformed,
    /// Its signature is missing or not that of the connection's keys.
    Forged,
    /// Its body is larger than any that Pluvo sends, or did not come to its end.
    TooLarge,
    /// There is no such connection, or it has no key for webhooks.
    NoConnection,
}

impl Outcome {
    /// The name in metrics.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Taken => "taken",
            Self::Unneeded => "unneeded",
            Self::Repeated => "repeated",
            Self::UnknownEvent => "unknown_event",
            Self::Malformed => "malformed",
            Self::Forged => "forged",
            Self::TooLarge => "too_large",
            Self::NoConnection => "no_connection",
        }
    }
}

impl From<NoticeError> for Outcome {
    fn from(error: NoticeError) -> Self {
        match error {
            NoticeError::Malformed => Self::Malformed,
            NoticeError::UnknownEvent => Self::UnknownEvent,
        }
    }
}
