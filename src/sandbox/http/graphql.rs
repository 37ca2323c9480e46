//! `POST /graphql/`, and a page to try queries on at `GET /graphql/`.

use std::{sync::Arc, time::Duration};

use async_graphql::{Name, PathSegment, Request, ServerError, Value, Variables, http::GraphiQLSource};
use axum::{
    body::Bytes,
    extract::{ConnectInfo, State},
    http::{HeaderMap, StatusCode, header},
    response::{Html, IntoResponse, Response},
};
use serde::Serialize;
use serde_json::json;

use super::{
    Addressed, App, Wire,
    document::{Body, Document},
    json_response, refuse,
};
use crate::{
    faults::{Endpoint, Fault, Faults},
    graphql::{Caller, Interference},
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
    if let Some(refusal) = fault.as_ref().and_then(|fault| refusal(&organization, wire, fault)) {
        return refusal;
    }
    if fault == Some(Fault::HoldBeforeCommit) {
        organization.gate.wait().await;
    }
    let answer = answer_now(app, &organization, headers, body, document, request, fault.as_ref()).await;
    match fault {
        Some(Fault::HoldAfterCommit) => organization.gate.wait().await,
        Some(Fault::DropAfterCommit) => wire.cut(),
        _ => {}
    }
    answer
}

async fn answer_now(
    app: &App,
    organization: &Arc<Organization>,
    headers: &HeaderMap,
    body: Result<Body, serde_json::Error>,
    document: Document,
    request: u64,
    fault: Option<&Fault>,
) -> Response {
    match (grant(organization, headers), body) {
        (None, _) => unauthorized(organization),
        (Some(_), Err(error)) => {
            let message = format!("The body is not a GraphQL request: {error}");
            counted(
                organization,
                StatusCode::BAD_REQUEST,
                &json!({"errors": [{"message": message}]}),
            )
        }
        (Some(grant), Ok(body)) => {
            let caller = Caller {
                organization: organization.clone(),
                grant,
                request,
                interference: interference(fault),
            };
            execute(app, caller, body, document, fault).await
        }
    }
}

/// The wait that faults ask for.
pub async fn wait(organization: &Organization) {
    let latency = organization.faults.lock().latency_ms;
    if latency > 0 {
        tokio::time::sleep(Duration::from_millis(latency)).await;
    }
}

/// The answer to a request that a fault lets nobody execute.
pub fn refusal(organization: &Organization, wire: &Wire, fault: &Fault) -> Option<Response> {
    Some(match fault {
        Fault::Unauthorized => unauthorized(organization),
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
        Fault::ServerError { status } => {
            let status = StatusCode::from_u16(*status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
            (status, Html("<html><body>Something went wrong.</body></html>")).into_response()
        }
        Fault::HoldBeforeCommit
        | Fault::HoldAfterCommit
        | Fault::DropAfterCommit
        | Fault::MutationError { .. }
        | Fault::CommitFirst { .. }
        | Fault::PartialData => return None,
    })
}

/// Which mutations of a document a fault lets fail.
fn interference(fault: Option<&Fault>) -> Interference {
    match fault {
        Some(Fault::MutationError { .. }) => Interference::with(0..1),
        Some(Fault::CommitFirst { count }) => Interference::with(*count..usize::MAX),
        _ => Interference::default(),
    }
}

/// What a fault does to an answer.
fn spoil(answer: &mut Answer, fault: Option<&Fault>) {
    match fault {
        Some(Fault::MutationError { path: false }) => answer.errors.iter_mut().for_each(|error| error.path.clear()),
        Some(Fault::PartialData) => {
            if let Some(Value::Object(fields)) = &mut answer.data
                && let Some(first) = fields.values_mut().next()
            {
                *first = Value::Null;
            }
        }
        _ => {}
    }
}

fn grant(organization: &Organization, headers: &HeaderMap) -> Option<Grant> {
    let (scheme, token) = headers.get(header::AUTHORIZATION)?.to_str().ok()?.split_once(' ')?;
    let token = scheme.eq_ignore_ascii_case("bearer").then(|| token.trim())?;
    organization.tokens.check(token, organization.clock.now())
}

fn unauthorized(organization: &Organization) -> Response {
    let status = organization.settings.read().auth_error_status;
    let error = json!({
        "message": "The token is missing, unknown or expired.",
        "extensions": {"code": Code::Authentication.as_str()},
    });
    let status = StatusCode::from_u16(status).unwrap_or(StatusCode::UNAUTHORIZED);
    counted(organization, status, &json!({"errors": [error]}))
}

async fn execute(app: &App, caller: Caller, body: Body, document: Document, fault: Option<&Fault>) -> Response {
    let organization = caller.organization.clone();
    let Faults {
        introspection_off,
        absent,
        ..
    } = organization.faults.lock().clone();
    let mut errors = absent.errors(&body.query);
    let asks_for_the_schema = ["__schema", "__type"]
        .iter()
        .find(|field| document.operations.iter().any(|operation| operation == **field));
    if let Some(field) = asks_for_the_schema.filter(|_| introspection_off) {
        errors.push(format!(
            "GraphQL introspection has been disabled, but the requested query contained the field '{field}'."
        ));
    }
    if !errors.is_empty() {
        return rejected(
            &organization,
            &json!({"errors": errors.into_iter().map(|message| json!({"message": message})).collect::<Vec<_>>()}),
        );
    }
    let variables = Variables::from_json(body.variables.unwrap_or_default());
    let mut request = Request::new(body.query).variables(variables).data(caller);
    request.operation_name = body.operation_name;
    if let Some(parsed) = document.parsed {
        request.set_parsed_query(parsed);
    }
    let mut answer = if document.mutates {
        let _alone = organization.documents.write().await;
        organization.settle();
        let mark = organization.journal.lock().mark();
        let undo = organization
            .faults
            .lock()
            .atomic_documents
            .then(|| Undo::prepare(&organization));
        let answer = Answer::from(app.schema.execute(request).await);
        if let Some(undo) = undo.filter(|_| !answer.errors.is_empty()) {
            undo.carry_out(&organization);
        }
        organization.log_since(mark);
        organization.tell();
        answer
    } else {
        let _shared = organization.documents.read().await;
        organization.settle();
        Answer::from(app.schema.execute(request).await)
    };
    spoil(&mut answer, fault);
    if let Some(data) = &mut answer.data {
        absent.hide(data);
    }
    if answer.data.is_some() {
        organization.meter.document(&document.operations);
        return counted(&organization, StatusCode::OK, &answer);
    }
    rejected(&organization, &answer)
}

/// The answer to a document of which nothing was executed.
fn rejected(organization: &Organization, answer: &impl Serialize) -> Response {
    let status = organization.settings.read().rejected_document_status;
    counted(
        organization,
        StatusCode::from_u16(status).unwrap_or(StatusCode::OK),
        answer,
    )
}

/// What it takes to make a document undone.
struct Undo {
    store: crate::store::Store,
    journal: crate::journal::Mark,
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

/// An answer as a Graphene server words it.
#[derive(Serialize)]
struct Answer {
    /// What was not executed has no data, not even null.
    #[serde(skip_serializing_if = "Option::is_none")]
    data: Option<Value>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    errors: Vec<ServerError>,
}

impl From<async_graphql::Response> for Answer {
    fn from(response: async_graphql::Response) -> Self {
        let async_graphql::Response {
            mut data, mut errors, ..
        } = response;
        let rejected = data == Value::Null && errors.iter().all(|error| error.path.is_empty());
        for error in &mut errors {
            if let Some(rest) = error.message.strip_prefix("Unknown field ") {
                error.message = format!("Cannot query field {}", rest.replace('"', "'"));
            }
            put_null(&mut data, &error.path);
        }
        Self {
            data: (!rejected).then_some(data),
            errors,
        }
    }
}

/// The library leaves out a field that failed, where GraphQL wants a null.
fn put_null(data: &mut Value, path: &[PathSegment]) {
    let Some((segment, rest)) = path.split_first() else {
        return;
    };
    match (segment, data) {
        (PathSegment::Field(name), data @ Value::Null) => {
            let mut value = Value::Null;
            put_null(&mut value, rest);
            *data = Value::Object([(Name::new(name), value)].into_iter().collect());
        }
        (PathSegment::Field(name), Value::Object(fields)) => {
            put_null(fields.entry(Name::new(name)).or_insert(Value::Null), rest);
        }
        (PathSegment::Index(index), Value::List(items)) => {
            if let Some(item) = items.get_mut(*index) {
                put_null(item, rest);
            }
        }
        _ => {}
    }
}

/// An answer that is counted.
pub fn counted(organization: &Organization, status: StatusCode, answer: &impl Serialize) -> Response {
    let (response, bytes) = json_response(status, answer);
    organization.meter.answer(bytes);
    response
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
