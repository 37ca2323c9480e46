//! `POST /oauth/token/`: client credentials for a token.

use std::{collections::HashMap, sync::Arc};

use axum::{
    body::Bytes,
    extract::{ConnectInfo, State},
    http::{HeaderMap, StatusCode, header},
    response::Response,
};
use serde_json::{Value as Json, json};
use url::form_urlencoded;

use super::{
    Addressed, App, Wire,
    graphql::{counted, refusal, wait},
};
use crate::{faults::Endpoint, organization::Organization, tokens::Denial};

/// Answers a request for a token.
pub async fn answer(
    State(_): State<Arc<App>>,
    Addressed(organization): Addressed,
    ConnectInfo(wire): ConnectInfo<Wire>,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    organization.meter.request(body.len());
    wait(&organization).await;
    let fault = organization.faults.lock().take(Endpoint::Token, &[]);
    if let Some(refusal) = fault.and_then(|fault| refusal(&organization, &wire, &fault)) {
        return refusal;
    }
    let (status, answer) = issue(&organization, &headers, &body);
    counted(&organization, status, &answer)
}

fn issue(organization: &Organization, headers: &HeaderMap, body: &[u8]) -> (StatusCode, Json) {
    let content_type = headers
        .get(header::CONTENT_TYPE)
        .and_then(|value| value.to_str().ok())
        .unwrap_or_default();
    if !content_type.starts_with("application/x-www-form-urlencoded") {
        return denied(StatusCode::BAD_REQUEST, "invalid_request");
    }
    let form: HashMap<_, _> = form_urlencoded::parse(body).into_owned().collect();
    let field = |name: &str| form.get(name).map_or("", String::as_str);
    match field("grant_type") {
        "client_credentials" => {}
        "" => return denied(StatusCode::BAD_REQUEST, "invalid_request"),
        _ => return denied(StatusCode::BAD_REQUEST, "unsupported_grant_type"),
    }
    let (now, lifetime) = (organization.clock.now(), organization.settings.read().token_lifetime);
    let expires_at = now.checked_add(lifetime).unwrap_or(now);
    match organization
        .tokens
        .issue(field("client_id"), field("client_secret"), field("scope"), expires_at)
    {
        Err(Denial::InvalidClient) => denied(StatusCode::UNAUTHORIZED, "invalid_client"),
        Err(Denial::InvalidScope) => denied(StatusCode::BAD_REQUEST, "invalid_scope"),
        Ok((token, scopes)) => {
            organization.meter.token();
            let scopes: Vec<_> = scopes.iter().map(ToString::to_string).collect();
            let answer = json!({
                "access_token": token,
                "token_type": "Bearer",
                "expires_in": lifetime.as_secs(),
                "scope": scopes.join(" "),
            });
            (StatusCode::OK, answer)
        }
    }
}

fn denied(status: StatusCode, error: &str) -> (StatusCode, Json) {
    (status, json!({"error": error}))
}
