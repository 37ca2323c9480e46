//! A transport without a socket, for tests with a paused clock.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

use futures::future::{BoxFuture, FutureExt};
use secrecy::ExposeSecret;
use serde_json::{Value, json};

use super::{
    error::TransportError,
    token::Credentials,
    transport::{Body, Reply, Request, Transport},
};

type Answer = Result<Reply, TransportError>;
type Respond = dyn Fn(usize, Request) -> BoxFuture<'static, Answer> + Send + Sync;

/// Answers each request with a function of its number (from 0) and itself.
pub struct Scripted {
    sent: AtomicUsize,
    respond: Box<Respond>,
}

impl Scripted {
    pub fn new<F: Future<Output = Answer> + Send + 'static>(
        respond: impl Fn(usize, Request) -> F + Send + Sync + 'static,
    ) -> Arc<Self> {
        Arc::new(Self {
            sent: AtomicUsize::new(0),
            respond: Box::new(move |n, request| respond(n, request).boxed()),
        })
    }

    pub fn sent(&self) -> usize {
        self.sent.load(Ordering::SeqCst)
    }
}

impl Transport for Scripted {
    fn send(&self, request: Request) -> BoxFuture<'_, Answer> {
        (self.respond)(self.sent.fetch_add(1, Ordering::SeqCst), request)
    }
}

/// The body as text.
pub fn text(body: &Body) -> String {
    match body {
        Body::Json(bytes) => String::from_utf8(bytes.clone()).unwrap(),
        Body::Form(form) => form.expose_secret().to_owned(),
    }
}

pub fn reply(status: u16, body: &Value) -> Reply {
    Reply {
        status,
        retry_after: None,
        body: body.to_string().into_bytes(),
    }
}

pub fn token_reply(token: &str) -> Reply {
    reply(
        200,
        &json!({"access_token": token, "token_type": "Bearer", "expires_in": 86400, "scope": "users.read users.write"}),
    )
}

pub fn credentials() -> Credentials {
    Credentials {
        client_id: "our-client".to_owned(),
        client_secret: "s3cret&=".into(),
    }
}
