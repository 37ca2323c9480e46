//! Between the operator and the API server: what the network and a busy API server do to an operator.

use std::{
    future::pending,
    net::SocketAddr,
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicU32, AtomicU64, Ordering},
    },
    time::Duration,
};

use anyhow::Context;
use axum::{
    Router,
    body::{Body, Bytes, to_bytes},
    extract::{Request, State},
    http::{Method, StatusCode, header},
    response::{IntoResponse, Response},
};
use futures::{Stream, StreamExt, channel::mpsc, stream};
use kube::{
    Client, Config,
    config::{AuthInfo, KubeConfigOptions, Kubeconfig},
};
use parking_lot::Mutex;
use serde_json::json;
use tokio::{net::TcpListener, sync::watch, task::JoinHandle, time::Instant};

use super::Result;

/// A proxy on 127.0.0.1 that hands every request on as it is, and is slow or rude on demand. It ends when this is
/// dropped.
pub struct Proxy {
    address: SocketAddr,
    road: Arc<Road>,
    serving: JoinHandle<()>,
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

/// The way to the API server.
struct Road {
    client: Client,
    watch_delay: AtomicU64,
    write_delay: AtomicU64,
    cuts: watch::Sender<u64>,
    expired: AtomicU32,
    expired_of: Mutex<Option<&'static str>>,
    hidden: Mutex<Option<&'static str>>,
}

impl Proxy {
    /// Starts one before the API server of a kubeconfig. It has no credentials of its own.
    pub async fn start(kubeconfig: &Path) -> Result<Self> {
        let mut kubeconfig = Kubeconfig::read_from(kubeconfig)?;
        for user in &mut kubeconfig.auth_infos {
            user.auth_info = Some(AuthInfo::default());
        }
        let config = Config::from_custom_kubeconfig(kubeconfig, &KubeConfigOptions::default()).await?;
        let road = Arc::new(Road {
            client: Client::try_from(config)?,
            watch_delay: AtomicU64::default(),
            write_delay: AtomicU64::default(),
            cuts: watch::Sender::default(),
            expired: AtomicU32::default(),
            expired_of: Mutex::default(),
            hidden: Mutex::default(),
        });
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let address = listener.local_addr()?;
        let app = Router::new().fallback(pass).with_state(road.clone());
        let serving = tokio::spawn(async move {
            // It ends with the task alone.
            let _ = axum::serve(listener, app).await;
        });
        Ok(Self { address, road, serving })
    }

    /// Where the operator finds the API server.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Each event of a watch arrives so much later.
    pub fn delay_watches(&self, by: Duration) {
        self.road.watch_delay.store(millis(by), Ordering::Relaxed);
    }

    /// Each write takes so much longer.
    pub fn delay_writes(&self, by: Duration) {
        self.road.write_delay.store(millis(by), Ordering::Relaxed);
    }

    /// All watches end, as when a connection breaks; events on the way are lost.
    pub fn cut_watches(&self) {
        self.road.cuts.send_modify(|cuts| *cuts += 1);
    }

    /// What happens to a resource from now on is shown by no watch; `None`: everything is, and watches begin anew.
    pub fn hide(&self, resource: Option<&'static str>) {
        *self.road.hidden.lock() = resource;
        self.cut_watches();
    }

    /// All watches end, and so many of the next ones cannot go on where they were: whoever asks must list again.
    pub fn expire_watches(&self, count: u32) {
        self.road.expired.store(count, Ordering::Relaxed);
        self.cut_watches();
    }

    /// All watches end, and the next one of a resource cannot go on where it was.
    pub fn expire_watch_of(&self, resource: &'static str) {
        *self.road.expired_of.lock() = Some(resource);
        self.cut_watches();
    }
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

async fn pass(State(road): State<Arc<Road>>, request: Request) -> Response {
    match road.pass(request).await {
        Ok(response) => response,
        Err(error) => (StatusCode::BAD_GATEWAY, format!("{error:#}")).into_response(),
    }
}

impl Road {
    async fn pass(&self, request: Request) -> Result<Response> {
        let query = request.uri().query().unwrap_or_default();
        let watches = query.split('&').any(|part| matches!(part, "watch=true" | "watch=1"));
        if watches && (self.is_expired() || self.is_expired_of(request.uri().path())) {
            // As an API server says it: the watch begins, and this is its first and last event.
            let status = json!({
                "kind": "Status", "apiVersion": "v1", "status": "Failure", "code": 410, "reason": "Expired",
                "message": "the resource version is too old",
            });
            let event = json!({"type": "ERROR", "object": status});
            return Ok(format!("{event}\n").into_response());
        }
        if watches && self.is_hidden(request.uri().path()) {
            return Ok(Body::from_stream(self.until_cut(stream::pending())).into_response());
        }
        let writes = request.method() != Method::GET;
        let (mut parts, body) = request.into_parts();
        parts.headers.remove(header::HOST);
        let body = to_bytes(body, usize::MAX).await?;
        if writes {
            tokio::time::sleep(Duration::from_millis(self.write_delay.load(Ordering::Relaxed))).await;
        }
        let request = axum::http::Request::from_parts(parts, kube::client::Body::from(body.to_vec()));
        let response = self
            .client
            .send(request)
            .await
            .context("the API server cannot be reached")?;
        let response = response.map(Body::new);
        Ok(if watches {
            let delay = Duration::from_millis(self.watch_delay.load(Ordering::Relaxed));
            response.map(|body| Body::from_stream(self.late(body, delay)))
        } else {
            response
        })
    }

    fn is_expired(&self) -> bool {
        let take = |left: u32| left.checked_sub(1);
        self.expired
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, take)
            .is_ok()
    }

    fn is_expired_of(&self, path: &str) -> bool {
        self.expired_of
            .lock()
            .take_if(|resource| path.ends_with(*resource))
            .is_some()
    }

    fn is_hidden(&self, path: &str) -> bool {
        self.hidden.lock().is_some_and(|resource| path.ends_with(resource))
    }

    /// The same, so much later, and only until the next cut.
    fn late(&self, body: Body, delay: Duration) -> impl Stream<Item = Result<Bytes, axum::Error>> + use<> {
        let (sender, receiver) = mpsc::unbounded();
        let chunks = body.into_data_stream();
        // It ends with the body, or when nobody takes anything from it any more.
        tokio::spawn(
            chunks
                .map(move |chunk| Ok((Instant::now() + delay, chunk)))
                .forward(sender),
        );
        self.until_cut(receiver.then(|(at, chunk)| async move {
            tokio::time::sleep_until(at).await;
            chunk
        }))
    }

    fn until_cut<S>(&self, chunks: S) -> impl Stream<Item = Result<Bytes, axum::Error>> + use<S>
    where
        S: Stream<Item = Result<Bytes, axum::Error>>,
    {
        let mut cuts = self.cuts.subscribe();
        chunks.take_until(async move {
            if cuts.changed().await.is_err() {
                pending::<()>().await;
            }
        })
    }
}
