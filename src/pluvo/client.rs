//! The client of one organization: documents in, responses out.

use std::sync::{Arc, atomic::Ordering::Relaxed};

use parking_lot::RwLock;
use tokio::time::sleep;
use url::Url;

use super::{
    channel::{Channel, Counters},
    document::Document,
    endpoint::Endpoint,
    error::{CredentialsError, Error},
    limiter::{Limiter, Limits, Slot},
    operation::{Access, DecodeError, Operation, samples},
    request::{Query, QueryAnswer},
    response::{EntryError, Response},
    retry::{Decision, Policy, decide},
    support::{self, Unsupported},
    token::{CredentialSource, Token, TokenSource},
    transport::{Body, ConfigError, HttpTransport, Reply, Request, Timeouts, Transport},
};

/// How many tokens one request may see revoked.
const MAX_RENEWALS: u32 = 3;

/// Everything that makes a [`Client`].
#[derive(Clone)]
pub struct ClientConfig {
    /// Which organization. Whether it may be reached is checked before, with
    /// [`AllowedHosts`](super::endpoint::AllowedHosts).
    pub endpoint: Endpoint,
    /// Certificates in PEM form that are trusted on top of the web's.
    pub ca_bundle: Option<Vec<u8>>,
    /// Who we are to Pluvo.
    pub credentials: Arc<dyn CredentialSource>,
    /// How much may be asked.
    pub limits: Limits,
    /// How persistent one call is.
    pub retry: Policy,
    /// The header of that name.
    pub user_agent: String,
    /// How long to wait.
    pub timeouts: Timeouts,
}

impl ClientConfig {
    /// With the defaults for everything else.
    #[must_use]
    pub fn new(endpoint: Endpoint, credentials: Arc<dyn CredentialSource>) -> Self {
        Self {
            endpoint,
            ca_bundle: None,
            credentials,
            limits: Limits::default(),
            retry: Policy::default(),
            user_agent: concat!("pluvo-operator/", env!("CARGO_PKG_VERSION")).to_owned(),
            timeouts: Timeouts::default(),
        }
    }
}

/// One per organization: it owns token, limiter, connections and what is known of the server's schema.
pub struct Client {
    endpoint: Endpoint,
    graphql_url: Url,
    channel: Channel,
    tokens: TokenSource,
    retry: Policy,
    unsupported: RwLock<Arc<Unsupported>>,
}

impl Client {
    /// A client over HTTP. Sends nothing yet.
    ///
    /// # Errors
    ///
    /// The certificates or the environment's proxies cannot be used.
    pub fn new(config: ClientConfig) -> Result<Self, ConfigError> {
        let transport = HttpTransport::new(config.ca_bundle.as_deref(), &config.user_agent, config.timeouts)?;
        Ok(Self::over(Arc::new(transport), config))
    }

    /// A client over any transport; certificates, timeouts and user agent are the transport's.
    #[must_use]
    pub fn over(transport: Arc<dyn Transport>, config: ClientConfig) -> Self {
        Self {
            graphql_url: config.endpoint.graphql_url(),
            channel: Channel::new(transport, Limiter::new(config.limits)),
            tokens: TokenSource::new(config.endpoint.token_url(), config.credentials),
            endpoint: config.endpoint,
            retry: config.retry,
            unsupported: RwLock::default(),
        }
    }

    /// Waits until a document may be sent. Hold what comes out until there is one, and compose it then.
    pub async fn acquire(&self, access: Access) -> Slot {
        self.channel.limiter.acquire(access).await
    }

    /// A document for this server, without the optional fields that it lacks.
    #[must_use]
    pub fn document(&self, kind: Access, operations: &[Operation]) -> Document {
        Document::of(kind, operations, &self.unsupported())
    }

    /// Sends a document and returns what Pluvo answers, errors of single operations included.
    ///
    /// Within one call: a token is fetched if need be; a token that Pluvo refuses is replaced; what may be
    /// repeated is repeated as [`decide`] says; a document that is rejected for optional fields that the server does
    /// not know is sent once more without them. The slot is free again when the call ends.
    ///
    /// # Errors
    ///
    /// There is no answer. [`Error::outcome_unknown`] tells whether a mutation may have been executed all the same.
    pub async fn execute(&self, slot: Slot, document: &Document) -> Result<Response, Error> {
        let mut response = self.deliver(document).await?;
        if response.rejected()
            && let Some(again) = self.learn(document, &response)
        {
            self.channel.limiter.take().await;
            response = self.deliver(&again).await?;
        }
        drop(slot);
        if response.rejected() {
            Err(Error::Document(response.errors))
        } else {
            if document.kind == Access::Write {
                let mutations = document.operations.len() as u64;
                self.channel.counters.mutations.fetch_add(mutations, Relaxed);
            }
            Ok(response)
        }
    }

    /// Asks several questions in one document and decodes each answer; at most as many as the server takes at once.
    ///
    /// # Errors
    ///
    /// As [`execute`](Self::execute). What fails a single query is in its place in the list.
    pub async fn query(&self, queries: &[Query]) -> Result<Vec<Result<QueryAnswer, EntryError>>, Error> {
        if queries.is_empty() {
            return Ok(Vec::new());
        }
        let operations: Vec<_> = queries.iter().map(Query::operation).collect();
        let slot = self.acquire(Access::Read).await;
        let mut response = self.execute(slot, &self.document(Access::Read, &operations)).await?;
        let answers = queries.iter().enumerate();
        Ok(answers
            .map(|(index, query)| Ok(query.decode(response.take(index)?)?))
            .collect())
    }

    /// Compares the server's schema with everything that this client can send, where introspection is allowed.
    /// Returns whether it was: otherwise only what errors have told is in [`unsupported`](Self::unsupported). `once`: it
    /// is not asked again if that fails.
    ///
    /// # Errors
    ///
    /// As [`execute`](Self::execute), except that a refused introspection is no error.
    pub async fn check_schema(&self, once: bool) -> Result<bool, Error> {
        let mut document = Document::raw(support::INTROSPECTION.to_owned());
        document.once = once;
        let slot = self.acquire(Access::Read).await;
        let mut response = match self.execute(slot, &document).await {
            Err(Error::Document(_)) => return Ok(false),
            response => response?,
        };
        let schema = response.data.as_mut().and_then(|data| data.remove("__schema"));
        let Some(schema) = schema.filter(|schema| schema.is_object() && response.errors.is_empty()) else {
            return Ok(false);
        };
        let unsupported = support::compare(schema, &samples::operations())?;
        *self.unsupported.write() = Arc::new(unsupported);
        Ok(true)
    }

    /// What the server is known to lack.
    #[must_use]
    pub fn unsupported(&self) -> Arc<Unsupported> {
        self.unsupported.read().clone()
    }

    /// Reads the credentials and, if they are others than those of the token, drops it; whether that was so. To be
    /// called now and then, so that a rotation is noticed before the old token ends.
    ///
    /// # Errors
    ///
    /// They cannot be read.
    pub async fn reread_credentials(&self) -> Result<bool, CredentialsError> {
        self.tokens.reread().await
    }

    /// The token as last issued: when it expires and what it may do.
    #[must_use]
    pub fn token(&self) -> Option<Arc<Token>> {
        self.tokens.current()
    }

    /// What was sent and received.
    #[must_use]
    pub fn counters(&self) -> Arc<Counters> {
        self.channel.counters.clone()
    }

    /// Which organization this is.
    #[must_use]
    pub fn endpoint(&self) -> &Endpoint {
        &self.endpoint
    }

    /// Sends until there is an answer or [`decide`] gives up. The first attempt is paid for by the slot.
    async fn deliver(&self, document: &Document) -> Result<Response, Error> {
        let body = document.body();
        let mut attempt = 1;
        loop {
            let error = match self.authorized(&body).await {
                Ok(response) => return Ok(response),
                Err(error) => error,
            };
            match decide(&self.retry, attempt, &error, document.kind, fastrand::f64()) {
                Decision::After(wait) if !document.once => {
                    tracing::debug!(endpoint = %self.endpoint, attempt, ?wait, %error, "request is repeated");
                    sleep(wait).await;
                }
                Decision::GiveUp | Decision::After(_) => return Err(error),
            }
            self.channel.limiter.take().await;
            attempt += 1;
        }
    }

    /// Sends with a token, and again with a new one if that is refused.
    ///
    /// A second refusal is final, unless Pluvo has accepted that token from another request meanwhile: then it was
    /// revoked like the first, while this request waited for its turn.
    async fn authorized(&self, body: &[u8]) -> Result<Response, Error> {
        let mut renewals = 0;
        loop {
            if renewals > 0 {
                self.channel.limiter.take().await;
            }
            let token = self.tokens.token(&self.channel).await?;
            if let Some(response) = self.post(&token, body).await? {
                token.accepted.store(true, Relaxed);
                return Ok(response);
            }
            if renewals == MAX_RENEWALS || renewals > 0 && !token.accepted.load(Relaxed) {
                return Err(Error::Unauthorized);
            }
            self.tokens.invalidate(&token);
            renewals += 1;
        }
    }

    /// One exchange. `None`: the token was refused, in one of the two documented ways.
    async fn post(&self, token: &Token, body: &[u8]) -> Result<Option<Response>, Error> {
        let request = Request {
            url: self.graphql_url.clone(),
            bearer: Some(token.secret.clone()),
            body: Body::Json(body.to_vec()),
        };
        let reply = self.channel.send(request).await?;
        if reply.status == 401 {
            return Ok(None);
        }
        let response = parse(&reply)?;
        Ok(if response.unauthorized() { None } else { Some(response) })
    }

    /// Remembers what a rejected document's errors say about the schema. The document without it, if that is another.
    fn learn(&self, document: &Document, response: &Response) -> Option<Document> {
        let mut unsupported = self.unsupported.write();
        let mut known = Unsupported::clone(&unsupported);
        known.learn(&response.errors, &document.operations);
        *unsupported = Arc::new(known);
        document.again(&unsupported)
    }
}

/// A GraphQL answer of any status: a server may answer a rejected document with 400.
fn parse(reply: &Reply) -> Result<Response, Error> {
    match serde_json::from_slice::<Response>(&reply.body) {
        Ok(response) if response.data.is_some() || !response.errors.is_empty() => Ok(response),
        _ if (200..300).contains(&reply.status) => Err(DecodeError {
            field: "graphql",
            what: "neither data nor errors".to_owned(),
        }
        .into()),
        _ => Err(Error::Http {
            status: reply.status,
            retry_after: reply.retry_after,
        }),
    }
}

#[cfg(test)]
mod tests;
