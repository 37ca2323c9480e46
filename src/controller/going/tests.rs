use std::sync::atomic::{AtomicUsize, Ordering};

use axum::{Json, Router, extract::State, routing::any};
use futures::future::join_all;
use serde_json::{Value, json};

use super::*;

/// An API server that has everything, and counts how often it is asked.
async fn going() -> (Going, Arc<AtomicUsize>) {
    async fn answer(State(asked): State<Arc<AtomicUsize>>) -> Json<Value> {
        asked.fetch_add(1, Ordering::SeqCst);
        Json(json!({"apiVersion": "meta.k8s.io/v1", "kind": "PartialObjectMetadata", "metadata": {"name": "any"}}))
    }
    let asked = Arc::new(AtomicUsize::new(0));
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let app = Router::new().fallback(any(answer)).with_state(asked.clone());
    tokio::spawn(async move { axum::serve(listener, app).await });
    let config = kube::Config::new(format!("http://{address}").parse().unwrap());
    (Going::new(Client::try_from(config).unwrap()), asked)
}

#[tokio::test]
async fn whoever_asks_at_the_same_time_shares_the_answer() {
    let (going, asked) = going().await;
    let answers = join_all((0..16).map(|_| going.definitions())).await;
    assert!(answers.into_iter().all(|going| !going.unwrap()));
    assert_eq!(asked.swap(0, Ordering::SeqCst), api::crd_names().count());
    let answers = join_all((0..16).map(|_| going.namespace("team"))).await;
    assert!(answers.into_iter().all(|going| !going.unwrap()));
    assert_eq!(asked.load(Ordering::SeqCst), 1);
}
