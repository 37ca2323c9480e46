//! Tokens: who asked for them, what they carry, when they end.

use std::collections::HashMap;

use jiff::Timestamp;
use parking_lot::Mutex;
use uuid::Uuid;

use super::scope::{Client, Scope};

/// What a token stands for.
#[derive(Clone, Debug)]
pub struct Grant {
    /// `client_id` of who asked for it.
    pub client: String,
    /// What it carries.
    pub scopes: Vec<Scope>,
    expires_at: Timestamp,
}

/// Why no token was issued, with the words of RFC 6749.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs, reason = "the words of RFC 6749")]
pub enum Denial {
    InvalidClient,
    InvalidScope,
}

/// The clients and the tokens of one organization.
#[derive(Debug)]
pub struct Tokens {
    clients: Vec<Client>,
    grants: Mutex<HashMap<String, Grant>>,
}

impl Tokens {
    /// No tokens yet.
    pub fn new(clients: Vec<Client>) -> Self {
        Self {
            clients,
            grants: Mutex::default(),
        }
    }

    /// Issues a token with the scopes that are asked for; without any, with all that the client has.
    pub fn issue(
        &self,
        id: &str,
        secret: &str,
        scopes: &str,
        expires_at: Timestamp,
    ) -> Result<(String, Vec<Scope>), Denial> {
        let known = |client: &&Client| client.id == id && client.secret == secret;
        let client = self.clients.iter().find(known).ok_or(Denial::InvalidClient)?;
        let asked: Result<Vec<Scope>, _> = scopes.split_whitespace().map(str::parse).collect();
        let scopes = match asked {
            Ok(asked) if asked.is_empty() => client.scopes.clone(),
            Ok(asked) if asked.iter().all(|scope| client.scopes.contains(scope)) => asked,
            _ => return Err(Denial::InvalidScope),
        };
        Ok((self.grant(id, &scopes, expires_at), scopes))
    }

    /// A token of the first client, for the page where a person tries queries.
    pub fn for_a_person(&self, expires_at: Timestamp) -> Option<String> {
        self.clients
            .first()
            .map(|client| self.grant(&client.id, &client.scopes, expires_at))
    }

    /// What a token stands for, while it is valid.
    pub fn check(&self, token: &str, now: Timestamp) -> Option<Grant> {
        self.grants
            .lock()
            .get(token)
            .filter(|grant| now < grant.expires_at)
            .cloned()
    }

    /// Ends all tokens, and says how many.
    pub fn revoke_all(&self) -> usize {
        let mut grants = self.grants.lock();
        let revoked = grants.len();
        grants.clear();
        revoked
    }

    fn grant(&self, client: &str, scopes: &[Scope], expires_at: Timestamp) -> String {
        // It says what it is, so that it is found wherever it does not belong.
        let token = format!("sandbox-token-{}", Uuid::new_v4().simple());
        let grant = Grant {
            client: client.to_owned(),
            scopes: scopes.to_vec(),
            expires_at,
        };
        self.grants.lock().insert(token.clone(), grant);
        token
    }
}
