//! HTTP: which path is served by what, and the server itself.

mod connection;
mod control;
mod document;
mod graphql;
mod page;
mod token;

use std::{collections::HashMap, net::SocketAddr, sync::Arc};

use axum::{
    Router,
    extract::{DefaultBodyLimit, FromRequestParts, RawPathParams},
    http::{StatusCode, header, request::Parts},
    response::{IntoResponse, Response},
    routing::{any, get, post},
};
use jiff::Timestamp;
use parking_lot::Mutex;
use serde::Serialize;
use serde_json::json;
use tokio::net::TcpListener;

use self::connection::{Connections, Wire};
use super::{
    graphql::{Schema, schema},
    organization::{Organization, Origin},
    scope::Client,
    seed::Seed,
    store::{Refusal, Store},
};

/// A sandbox that listens.
pub struct Sandbox {
    listener: TcpListener,
    address: SocketAddr,
    app: Arc<App>,
}

/// Why a sandbox does not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// Everybody who can reach it may do everything.
    #[error("{0} is not a loopback address, and the sandbox asks nobody who they are: use 127.0.0.1 or [::1]")]
    NotLoopback(SocketAddr),
    /// The address cannot be had.
    #[error("cannot listen on {0}: {1}")]
    Listen(SocketAddr, std::io::Error),
    /// The seed breaks a rule.
    #[error("the seed is refused: {0}")]
    Seed(#[from] Refusal),
}

impl Sandbox {
    /// Listens on an address of the loopback interface; port 0 takes a free one.
    pub async fn bind(address: SocketAddr, seed: &Seed) -> Result<Self, StartError> {
        if !address.ip().is_loopback() {
            return Err(StartError::NotLoopback(address));
        }
        let mut store = Store::default();
        seed.fill(&mut store, Timestamp::now())?;
        // Nobody is told of what was there from the beginning.
        store.take_news(false);
        let clients = match &*seed.clients {
            [] => vec![Client::with_all_scopes("sandbox", "sandbox-secret")],
            clients => clients.to_vec(),
        };
        let origin = Arc::new(Origin {
            clients,
            settings: seed.settings.clone().unwrap_or_default(),
            store,
        });
        let cannot_listen = |error| StartError::Listen(address, error);
        let listener = TcpListener::bind(address).await.map_err(cannot_listen)?;
        let address = listener.local_addr().map_err(cannot_listen)?;
        Ok(Self {
            listener,
            address,
            app: Arc::new(App {
                schema: schema(),
                origin,
                organizations: Mutex::default(),
            }),
        })
    }

    /// Where it is reached.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Serves until `stop` is ready and the requests that are under way are answered.
    pub async fn serve(self, stop: impl Future<Output = ()> + Send + 'static) -> std::io::Result<()> {
        let routes = Router::new()
            .route("/", get(page::page))
            .route("/{organization}/", get(page::page))
            .merge(routes())
            .nest("/{organization}", routes());
        let routes = routes
            .fallback(|| async { refuse(StatusCode::NOT_FOUND, "There is no such path.") })
            .method_not_allowed_fallback(|| async {
                refuse(StatusCode::METHOD_NOT_ALLOWED, "This path does not take this method.")
            })
            .layer(DefaultBodyLimit::disable())
            .with_state(self.app);
        let service = routes.into_make_service_with_connect_info::<Wire>();
        axum::serve(Connections(self.listener), service)
            .with_graceful_shutdown(stop)
            .await
    }
}

fn routes() -> Router<Arc<App>> {
    Router::new()
        .route("/graphql/", post(graphql::answer).get(graphql::page))
        .route("/oauth/token/", post(token::answer))
        // Redirected as a Django server does it, to show that a client must not rely on it: a POST becomes a GET.
        .route("/graphql", any(|| async { moved("graphql/") }))
        .route("/oauth/token", any(|| async { moved("token/") }))
        .route("/_sandbox/events", get(page::events))
        .route("/_sandbox/stats", get(control::stats))
        .route("/_sandbox/state", get(control::state))
        .route("/_sandbox/outbox", get(control::outbox))
        .route("/_sandbox/log", get(control::log))
        .route("/_sandbox/seed", post(control::seed))
        .route("/_sandbox/reset", post(control::reset))
        .route("/_sandbox/change", post(control::change))
        .route(
            "/_sandbox/settings",
            get(control::settings).post(control::change_settings),
        )
        .route("/_sandbox/tokens/revoke", post(control::revoke_tokens))
        .route(
            "/_sandbox/faults",
            get(control::faults)
                .post(control::change_faults)
                .delete(control::clear_faults),
        )
        .route("/_sandbox/faults/release", post(control::release))
        .route(
            "/_sandbox/webhooks",
            get(control::webhooks)
                .post(control::subscribe)
                .delete(control::clear_webhooks),
        )
}

/// What all requests share.
struct App {
    schema: Schema,
    origin: Arc<Origin>,
    organizations: Mutex<HashMap<String, Arc<Organization>>>,
}

impl App {
    /// The organization of a name, which comes into existence if nobody asked for it before.
    fn organization(&self, name: &str) -> Option<Arc<Organization>> {
        let is_part_of_name = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '.';
        if name.is_empty() || !name.chars().all(is_part_of_name) {
            return None;
        }
        let mut organizations = self.organizations.lock();
        if let Some(organization) = organizations.get(name) {
            return Some(organization.clone());
        }
        let organization = Arc::new(Organization::new(name, self.origin.clone()));
        organizations.insert(name.to_owned(), organization.clone());
        Some(organization)
    }
}

/// The organization that a path names.
struct Addressed(Arc<Organization>);

impl FromRequestParts<Arc<App>> for Addressed {
    type Rejection = Response;

    async fn from_request_parts(parts: &mut Parts, app: &Arc<App>) -> Result<Self, Response> {
        let parameters = RawPathParams::from_request_parts(parts, app)
            .await
            .map_err(IntoResponse::into_response)?;
        let name = parameters
            .iter()
            .find(|(name, _)| *name == "organization")
            .map_or("default", |(_, value)| value);
        let not_found = || {
            refuse(
                StatusCode::NOT_FOUND,
                "An organization's name has letters, digits, '-' and '.'.",
            )
        };
        app.organization(name).map(Self).ok_or_else(not_found)
    }
}

fn moved(to: &'static str) -> Response {
    (StatusCode::MOVED_PERMANENTLY, [(header::LOCATION, to)]).into_response()
}

/// An answer outside GraphQL and OAuth that says what is wrong.
fn refuse(status: StatusCode, message: impl Into<String>) -> Response {
    json_response(status, &json!({"error": message.into()})).0
}

/// A JSON answer, and how many bytes its body has.
fn json_response(status: StatusCode, body: &impl Serialize) -> (Response, usize) {
    let (status, body) = match serde_json::to_string(body) {
        Ok(body) => (status, body),
        Err(error) => (
            StatusCode::INTERNAL_SERVER_ERROR,
            json!({"error": error.to_string()}).to_string(),
        ),
    };
    // As the fuzz targets take it.
    tracing::trace!(target: "answers", "{} {body}", status.as_u16());
    let bytes = body.len();
    (
        (status, [(header::CONTENT_TYPE, "application/json")], body).into_response(),
        bytes,
    )
}
