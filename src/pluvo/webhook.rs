//! Webhooks as Pluvo sends them: is one genuine, and what is it about (developers/webhooks, "Webhook security").
//!
//! A body is a hint and nothing more: what it says is read again. Deliveries are repeated, come in any order, and need not
//! hold what the documentation shows.

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use hmac::{Hmac, KeyInit, Mac};
use jiff::civil::Date;
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;
use sha1::{Digest, Sha1};
use std::sync::Arc;

use super::model::{Id, Linked, day};

/// The keys that deliveries may be signed with: one, or two during a rotation.
#[derive(Clone, Debug, Default)]
pub struct WebhookKeys(Vec<SecretString>);

impl FromIterator<SecretString> for WebhookKeys {
    fn from_iter<I: IntoIterator<Item = SecretString>>(keys: I) -> Self {
        Self(keys.into_iter().collect())
    }
}

impl WebhookKeys {
    /// Whether there is none, so that nothing can be genuine.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether a body was signed with one of the keys. `body` is as it was received: nothing was parsed yet. The pages
    /// differ in the alphabet of the signature, so that both are taken, with padding or without.
    #[must_use]
    pub fn accept(&self, salt: &str, signature: &str, body: &[u8]) -> bool {
        let signature = signature.trim_end_matches('=').replace('+', "-").replace('/', "_");
        let Ok(signature) = URL_SAFE_NO_PAD.decode(signature) else {
            return false;
        };
        // Every key is tried, so that the time tells nothing about which one it was.
        let accepted = self.0.iter().map(|key| is_signed(key, salt, &signature, body));
        accepted.fold(false, |one, other| one | other)
    }
}

fn is_signed(key: &SecretString, salt: &str, signature: &[u8], body: &[u8]) -> bool {
    let key = Sha1::digest([salt.as_bytes(), key.expose_secret().as_bytes()].concat());
    Hmac::<Sha1>::new_from_slice(&key).is_ok_and(|mac| mac.chain_update(body).verify_slice(signature).is_ok())
}

/// What a webhook is about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Notice {
    /// A user was made, changed or erased.
    User {
        /// Pluvo's key.
        id: Id,
        /// The integrator's key.
        reference: Option<Arc<str>>,
        /// The e-mail address.
        email: Option<Arc<str>>,
    },
    /// A group was made, changed or deleted, or its members were.
    Group {
        /// Pluvo's key.
        id: Id,
        /// The integrator's key.
        reference: Option<Arc<str>>,
    },
    /// A training was made, changed or deleted.
    Training {
        /// Pluvo's key.
        id: Id,
        /// The integrator's key.
        reference: Option<Arc<str>>,
    },
    /// Somebody was enrolled in an event, or is not any more.
    Enrollment {
        /// The event.
        event: Id,
        /// The user.
        user: Id,
    },
    /// Somebody has achieved a certificate.
    Achieved(Achieved),
    /// Something that nobody here waits for: progress, files, items of portfolios.
    Other,
}

/// A certificate that somebody has achieved.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Achieved {
    /// Whose it is.
    pub user: Id,
    /// What it is called.
    pub title: Arc<str>,
    /// When it was achieved.
    pub on: Option<Date>,
    /// Until when it counts.
    pub ends: Option<Date>,
}

/// Why a genuine body says nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NoticeError {
    /// It is not JSON, or lacks what is documented.
    #[error("the body is not what Pluvo documents")]
    Malformed,
    /// It tells of an event that is not documented.
    #[error("the event is not known")]
    UnknownEvent,
}

/// What the bodies of all events have, each of them some of it.
#[derive(Deserialize)]
struct Body {
    event: String,
    id: Option<Id>,
    #[serde(rename = "ref")]
    reference: Option<Arc<str>>,
    email: Option<Arc<str>>,
    user: Option<Linked>,
    offer_event: Option<Linked>,
    title: Option<Arc<str>>,
    #[serde(rename = "creationDate")]
    creation_date: Option<Arc<str>>,
    #[serde(rename = "expiryDate")]
    expiry_date: Option<Arc<str>>,
}

/// Events that are about nothing that is kept here.
const OTHERS: [&str; 8] = [
    "EVENT_CERTIFICATE_STATUS_CHANGED",
    "EVENT_CONDITIONS_FULFILLED",
    "EVENT_FILE_UPLOADED",
    "PORTFOLIO_ITEM_CREATED",
    "PORTFOLIO_ITEM_UPDATED",
    "PORTFOLIO_ITEM_DELETED",
    "TRAINING_FINISHED",
    "COURSE_FINISHED",
];

impl Notice {
    /// Reads a body whose signature was accepted.
    ///
    /// # Errors
    ///
    /// It says nothing. No error quotes the body, which holds personal data.
    pub fn parse(body: &[u8]) -> Result<Self, NoticeError> {
        let Body {
            event,
            id,
            reference,
            email,
            user,
            offer_event,
            title,
            creation_date,
            expiry_date,
        } = serde_json::from_slice(body).map_err(|_| NoticeError::Malformed)?;
        let id = || id.ok_or(NoticeError::Malformed);
        match event.as_str() {
            "USER_CREATED" | "USER_UPDATED" | "USER_DELETED" => Ok(Self::User {
                id: id()?,
                reference,
                email,
            }),
            "GROUP_CREATED" | "GROUP_UPDATED" | "GROUP_DELETED" => Ok(Self::Group { id: id()?, reference }),
            "TRAINING_CREATED" | "TRAINING_UPDATED" | "TRAINING_DELETED" => Ok(Self::Training { id: id()?, reference }),
            "OFFER_EVENT_ENROLLED" | "OFFER_EVENT_ENROLLMENT_STATUS_UPDATED" | "OFFER_EVENT_UNENROLLED" => {
                let both = offer_event.zip(user).ok_or(NoticeError::Malformed)?;
                Ok(Self::Enrollment {
                    event: both.0.id,
                    user: both.1.id,
                })
            }
            "EVENT_CERTIFICATE_ACHIEVED" => {
                let date = |text: Option<Arc<str>>| text.as_deref().and_then(day);
                Ok(Self::Achieved(Achieved {
                    user: user.ok_or(NoticeError::Malformed)?.id,
                    title: title.ok_or(NoticeError::Malformed)?,
                    on: date(creation_date),
                    ends: date(expiry_date),
                }))
            }
            other if OTHERS.contains(&other) => Ok(Self::Other),
            _ => Err(NoticeError::UnknownEvent),
        }
    }
}

#[cfg(test)]
mod tests;
