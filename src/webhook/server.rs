//! Listens, verifies, answers.

use std::{future::Future, net::SocketAddr, sync::Arc, time::Duration};

use axum::{
    Router,
    body::{Body, Bytes},
    extract::{Path, Request, State},
    http::{HeaderMap, StatusCode, header::CONNECTION},
    middleware::{Next, from_fn},
    response::{IntoResponse, Response},
    routing::post,
};
use futures::StreamExt;
use parking_lot::Mutex;
use tokio::{net::TcpListener, time::timeout};

use super::{Addressee, Outcome, Receiver, recent::Recent};
use crate::{
    pluvo::webhook::{Notice, WebhookKeys},
    supervise::{self, Current},
};

/// The largest body that is taken. Pluvo's documented ones have a few hundred bytes.
const LARGEST: usize = 256 * 1024;
/// So much of a larger one is read and thrown away: whoever is cut off while they send sees no answer.
const LARGEST_READ: usize = 16 * LARGEST;
/// How long a body may take to come.
const PATIENCE: Duration = Duration::from_secs(10);

struct Shared<R> {
    receiver: Arc<R>,
    recent: Mutex<Recent>,
}

/// Listens. Fails if the address cannot be used.
///
/// # Errors
///
/// The address is taken, or not one of this machine.
pub async fn bind(address: SocketAddr) -> std::io::Result<TcpListener> {
    TcpListener::bind(address).await
}

/// Serves until `stop` is done.
///
/// # Errors
///
/// The listener fails.
pub async fn serve<R: Receiver>(
    listener: TcpListener,
    receiver: Arc<R>,
    stop: impl Future<Output = ()> + Send + 'static,
) -> std::io::Result<()> {
    let shared = Shared {
        receiver,
        recent: Mutex::default(),
    };
    let task = Current::get();
    let as_item = from_fn(move |request: Request, next: Next| {
        let handling = task.clone().run(async move {
            let _item = supervise::begin().await;
            next.run(request).await
        });
        // In a task of its own: a sender who hangs up takes nothing back that has begun, and hides nothing that hangs.
        async move {
            let handled = tokio::spawn(handling).await;
            handled.unwrap_or_else(|_| StatusCode::INTERNAL_SERVER_ERROR.into_response())
        }
    });
    let router = Router::new()
        .route("/webhooks/{namespace}/{connection}", post(deliver::<R>))
        .layer(as_item)
        .with_state(Arc::new(shared));
    axum::serve(listener, router).with_graceful_shutdown(stop).await
}

async fn deliver<R: Receiver>(
    State(shared): State<Arc<Shared<R>>>,
    Path((namespace, connection)): Path<(String, String)>,
    headers: HeaderMap,
    body: Body,
) -> Response {
    let to = Addressee {
        namespace: namespace.into(),
        connection: connection.into(),
    };
    let outcome = shared.judge(&to, &headers, body).await;
    let known = (outcome != Outcome::NoConnection).then_some(&to);
    shared.receiver.count(known, outcome);
    answer(outcome)
}

/// What was refused may not have been read to its end: nothing else can come on that connection, and the sender is told.
fn answer(outcome: Outcome) -> Response {
    let status = status(outcome);
    match outcome {
        Outcome::Forged | Outcome::TooLarge | Outcome::NoConnection => {
            (status, [(CONNECTION, "close")]).into_response()
        }
        _ => status.into_response(),
    }
}

/// A repetition, and what nobody knows, is taken: sending it again would change nothing.
fn status(outcome: Outcome) -> StatusCode {
    match outcome {
        Outcome::Taken | Outcome::Unneeded | Outcome::Repeated | Outcome::UnknownEvent => StatusCode::OK,
        Outcome::Malformed => StatusCode::BAD_REQUEST,
        Outcome::Forged => StatusCode::UNAUTHORIZED,
        Outcome::TooLarge => StatusCode::PAYLOAD_TOO_LARGE,
        Outcome::NoConnection => StatusCode::NOT_FOUND,
    }
}

/// A body; `None` if it is too large, or breaks off.
async fn read(body: Body) -> Option<Bytes> {
    let mut chunks = body.into_data_stream();
    let (mut taken, mut size) = (Vec::new(), 0);
    while let Some(chunk) = chunks.next().await {
        let chunk = chunk.ok()?;
        size += chunk.len();
        if size > LARGEST_READ {
            return None;
        }
        if size <= LARGEST {
            taken.extend_from_slice(&chunk);
        }
    }
    (size <= LARGEST).then(|| taken.into())
}

impl<R: Receiver> Shared<R> {
    async fn judge(&self, to: &Addressee, headers: &HeaderMap, body: Body) -> Outcome {
        // A key may have been given to the connection a moment ago.
        let keys = match self.receiver.keys(to) {
            None => self.receiver.reread_keys(to).await,
            known => known,
        };
        let Some(keys) = keys else {
            return Outcome::NoConnection;
        };
        let text = |name| headers.get(name).and_then(|value| value.to_str().ok());
        let Some((salt, signature)) = text("x-signature-salt").zip(text("x-signature")) else {
            return Outcome::Forged;
        };
        let Ok(Some(body)) = timeout(PATIENCE, read(body)).await else {
            return Outcome::TooLarge;
        };
        if !self.is_genuine(to, &keys, salt, signature, &body).await {
            return Outcome::Forged;
        }
        let path = format!("{}/{}", to.namespace, to.connection);
        if !self.recent.lock().is_new(&path, salt, &body) {
            return Outcome::Repeated;
        }
        match Notice::parse(&body) {
            Ok(notice) if self.receiver.take(to, &notice) => Outcome::Taken,
            Ok(_) => Outcome::Unneeded,
            Err(error) => error.into(),
        }
    }

    async fn is_genuine(&self, to: &Addressee, keys: &WebhookKeys, salt: &str, signature: &str, body: &Bytes) -> bool {
        if keys.accept(salt, signature, body) {
            return true;
        }
        let anew = self.receiver.reread_keys(to).await;
        anew.is_some_and(|keys| keys.accept(salt, signature, body))
    }
}
