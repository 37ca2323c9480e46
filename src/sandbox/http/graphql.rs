//! `POST /graphql/`, and a page to try queries on at `GET /graphql/`.

use std::{sync::Arc, time::Duration};

use async_graphql::{Request, Value, Variables, http::GraphiQLSource};
use axum::{
    body::Bytes,
    extract::{ConnectInfo, State},
    http::{HeaderMap, StatusCode, header},
    response::{Html, IntoResponse, Response},
};
use serde_json::{Value as Json, json};

use super::{
    Addressed, App, Wire,
    document::{Body, Document},
    refuse,
};
use crate::sandbox::{
    faults::{Endpoint, Fault},
    graphql::Caller,
    organization::Organization,
    store::Code,
    tokens::Grant,
};

/// Answers a GraphQL request.
///
/// A request that has arrived is carried out, whether or not its client waits for the answer.
pub async fn answer(
    State(app): State<Arc<App>>,
    Addressed(organization): Addressed,
    ConnectInfo(wire): ConnectInfo<Wire>,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let carried_out = tokio::spawn(async move { carry_out(&app, organization, &wire, &headers, &body).await });
    carried_out
        .await
        .unwrap_or_else(|error| refuse(StatusCode::INTERNAL_SERVER_ERROR, error.to_string()))
}

async fn carry_out(
    app: &App,
    organization: Arc<Organization>,
    wire: &Wire,
    headers: &HeaderMap,
    bytes: &[u8],
) -> Response {
    let _under_way = organization.meter.under_way();
    let request = organization.meter.request(bytes.len());
    let body: Result<Body, _> = serde_json::from_slice(bytes);
    let document = body.as_ref().map(Document::of).unwrap_or_default();
    wait(&organization).await;
    let fault = organization.faults.lock().take(Endpoint::Graphql, &document.operations);
    let (status, answer) = match fault {
        Some(fault) => return faulty(&organization, wire, &fault),
        None => match (grant(&organization, headers), body) {
            (None, _) => unauthorized(&organization),
            (Some(_), Err(error)) => {
                let message = format!("The body is not a GraphQL request: {error}");
                (StatusCode::BAD_REQUEST, json!({"errors": [{"message": message}]}))
            }
            (Some(grant), Ok(body)) => {
                let caller = Caller {
                    organization: organization.clone(),
                    grant,
                    request,
                };
                execute(app, caller, body, document).await
            }
        },
    };
    counted(&organization, status, &answer)
}

/// The wait that faults ask for.
pub async fn wait(organization: &Organization) {
    let latency = organization.faults.lock().latency_ms;
    if latency > 0 {
        tokio::time::sleep(Duration::from_millis(latency)).await;
    }
}

/// Answers a request as a fault wants it.
pub fn faulty(organization: &Organization, wire: &Wire, fault: &Fault) -> Response {
    match fault {
        Fault::Unauthorized => {
            let (status, answer) = unauthorized(organization);
            counted(organization, status, &answer)
        }
        Fault::TooManyRequests { retry_after } => {
            let answer = json!({"errors": [{"message": "Too many requests."}]});
            let mut response = counted(organization, StatusCode::TOO_MANY_REQUESTS, &answer);
            if let Some(seconds) = retry_after {
                response.headers_mut().insert(header::RETRY_AFTER, (*seconds).into());
            }
            response
        }
        Fault::DropConnection => {
            wire.cut();
            StatusCode::SERVICE_UNAVAILABLE.into_response()
        }
    }
}

fn grant(organization: &Organization, headers: &HeaderMap) -> Option<Grant> {
    let (scheme, token) = headers.get(header::AUTHORIZATION)?.to_str().ok()?.split_once(' ')?;
    let token = scheme.eq_ignore_ascii_case("bearer").then(|| token.trim())?;
    organization.tokens.check(token, organization.clock.now())
}

fn unauthorized(organization: &Organization) -> (StatusCode, Json) {
    let status = organization.settings.read().auth_error_status;
    let error = json!({
        "message": "The token is missing, unknown or expired.",
        "extensions": {"code": Code::Authentication.as_str()},
    });
    (
        StatusCode::from_u16(status).unwrap_or(StatusCode::UNAUTHORIZED),
        json!({"errors": [error]}),
    )
}

async fn execute(app: &App, caller: Caller, body: Body, document: Document) -> (StatusCode, Json) {
    let organization = caller.organization.clone();
    let variables = Variables::from_json(body.variables.unwrap_or_default());
    let mut request = Request::new(body.query).variables(variables).data(caller);
    request.operation_name = body.operation_name;
    if let Some(parsed) = document.parsed {
        request.set_parsed_query(parsed);
    }
    let response = if document.mutates {
        let _alone = organization.documents.write().await;
        begin(&organization, &document.operations);
        let undo = organization
            .faults
            .lock()
            .atomic_documents
            .then(|| Undo::prepare(&organization));
        let response = app.schema.execute(request).await;
        if let Some(undo) = undo.filter(|_| !response.errors.is_empty()) {
            undo.carry_out(&organization);
        }
        response
    } else {
        let _shared = organization.documents.read().await;
        begin(&organization, &document.operations);
        app.schema.execute(request).await
    };
    render(response, organization.settings.read().rejected_document_status)
}

fn begin(organization: &Organization, operations: &[String]) {
    organization.settle();
    organization.meter.document(operations);
}

/// What it takes to make a document undone.
struct Undo {
    store: crate::sandbox::store::Store,
    journal: crate::sandbox::journal::Mark,
}

impl Undo {
    fn prepare(organization: &Organization) -> Self {
        Self {
            store: organization.store.read().clone(),
            journal: organization.journal.lock().mark(),
        }
    }

    fn carry_out(self, organization: &Organization) {
        *organization.store.write() = self.store;
        organization.journal.lock().roll_back(self.journal);
    }
}

/// The answer as a Graphene server words it.
fn render(mut response: async_graphql::Response, rejected_status: u16) -> (StatusCode, Json) {
    for error in &mut response.errors {
        if let Some(rest) = error.message.strip_prefix("Unknown field ") {
            let rest = rest.replace('"', "'");
            error.message = format!("Cannot query field {rest}");
        }
    }
    let rejected = response.data == Value::Null && response.errors.iter().all(|error| error.path.is_empty());
    let mut answer = serde_json::to_value(&response).unwrap_or_default();
    if !rejected {
        return (StatusCode::OK, answer);
    }
    // What was not executed has no data, not even null.
    if let Some(answer) = answer.as_object_mut() {
        answer.remove("data");
    }
    (StatusCode::from_u16(rejected_status).unwrap_or(StatusCode::OK), answer)
}

/// An answer that is counted.
pub fn counted(organization: &Organization, status: StatusCode, answer: &Json) -> Response {
    let body = answer.to_string();
    organization.meter.answer(body.len());
    (status, [(header::CONTENT_TYPE, "application/json")], body).into_response()
}

/// A page to try queries on, with a token of the first client.
pub async fn page(Addressed(organization): Addressed) -> Response {
    let now = organization.clock.now();
    let expires_at = now
        .checked_add(organization.settings.read().token_lifetime)
        .unwrap_or(now);
    let authorization = organization
        .tokens
        .for_a_person(expires_at)
        .map(|token| format!("Bearer {token}"));
    let page = GraphiQLSource::build().endpoint("").title("Pluvo sandbox");
    let page = match &authorization {
        Some(authorization) => page.header("Authorization", authorization),
        None => page,
    };
    Html(page.finish()).into_response()
}
