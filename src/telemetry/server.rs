//! `/healthz`: no task is gone or stuck. `/readyz`: all watches are complete and none is behind. `/metrics`:
//! `OpenMetrics`.

use std::{future::Future, net::SocketAddr, sync::Arc};

use axum::{
    Router,
    extract::{Request, State},
    http::{StatusCode, header},
    middleware::{Next, from_fn},
    response::IntoResponse,
    routing::get,
};
use tokio::net::TcpListener;

use crate::supervise::{self, Current};

use super::Metrics;

/// Says what is wrong, in sentences that name nobody's data; nothing if all is well.
pub type Probe = Arc<dyn Fn() -> Vec<String> + Send + Sync>;

/// What is served.
#[derive(Clone)]
pub struct Served {
    /// `/metrics`.
    pub metrics: Arc<Metrics>,
    /// `/healthz`: what is wrong is put right by a restart.
    pub health: Probe,
    /// `/readyz`.
    pub readiness: Probe,
}

/// Listens. Fails if the address cannot be used.
pub async fn bind(address: SocketAddr) -> std::io::Result<TcpListener> {
    TcpListener::bind(address).await
}

/// Serves until `stop` is done.
pub async fn serve(
    listener: TcpListener,
    served: Served,
    stop: impl Future<Output = ()> + Send + 'static,
) -> std::io::Result<()> {
    let task = Current::get();
    let as_item = from_fn(move |request: Request, next: Next| {
        task.clone().run(async move {
            let _item = supervise::begin().await;
            next.run(request).await
        })
    });
    let router = Router::new()
        .route("/healthz", get(health))
        .route("/readyz", get(readiness))
        .route("/metrics", get(exposition))
        .layer(as_item)
        .with_state(served);
    axum::serve(listener, router).with_graceful_shutdown(stop).await
}

async fn health(State(served): State<Served>) -> impl IntoResponse {
    answer(&served.health)
}

async fn readiness(State(served): State<Served>) -> impl IntoResponse {
    answer(&served.readiness)
}

fn answer(probe: &Probe) -> impl IntoResponse + use<> {
    let wrong = probe();
    if wrong.is_empty() {
        (StatusCode::OK, "ok".to_owned())
    } else {
        (StatusCode::SERVICE_UNAVAILABLE, wrong.join("\n"))
    }
}

async fn exposition(State(served): State<Served>) -> impl IntoResponse {
    (
        [(
            header::CONTENT_TYPE,
            "application/openmetrics-text; version=1.0.0; charset=utf-8",
        )],
        served.metrics.encode(),
    )
}
