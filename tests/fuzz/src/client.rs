//! The real client, and a Pluvo that answers what it is given: `STATUS BODY`.

use std::sync::Arc;

use futures::future::{BoxFuture, FutureExt};
use pluvo_operator::pluvo::{
    client::{Client, ClientConfig},
    endpoint::Endpoint,
    error::TransportError,
    operation::samples::{mutations, queries},
    request::{MutationAnswer, QueryAnswer},
    response::Response,
    retry::Policy,
    token::Credentials,
    transport::{Body, Reply, Request, Transport},
};

/// An answer of HTTP: `200 {"data": …}`. `None`: the input does not begin with a status.
pub fn reply(input: &[u8]) -> Option<Reply> {
    let (status, body) = input.split_at_checked(4)?;
    let status = str::from_utf8(status).ok()?.strip_suffix(' ')?.parse().ok()?;
    Some(Reply {
        status,
        retry_after: None,
        body: body.to_owned(),
    })
}

/// A token as Pluvo issues them.
pub fn token() -> Reply {
    Reply {
        status: 200,
        retry_after: None,
        body: br#"{"access_token": "t0ken", "token_type": "Bearer", "expires_in": 86400, "scope": "users.read"}"#
            .to_vec(),
    }
}

/// Answers every request for a token alike, and every document.
struct Canned {
    token: Reply,
    answer: Reply,
}

impl Transport for Canned {
    fn send(&self, request: Request) -> BoxFuture<'_, Result<Reply, TransportError>> {
        let reply = match request.body {
            Body::Form(_) => self.token.clone(),
            Body::Json(_) => self.answer.clone(),
        };
        async { Ok(reply) }.boxed()
    }
}

/// The real client, of a Pluvo that has nothing else to say. It gives up at once.
pub fn client(token: Reply, answer: Reply) -> Client {
    let endpoint = Endpoint::of_organization("acme").expect("a name of an organization");
    let credentials = Credentials {
        client_id: "client".to_owned(),
        client_secret: "planted@secret".into(),
    };
    let retry = Policy {
        attempts: 1,
        ..Policy::default()
    };
    let config = ClientConfig {
        retry,
        ..ClientConfig::new(endpoint, Arc::new(credentials))
    };
    Client::over(Arc::new(Canned { token, answer }), config)
}

/// Runs to the end on a clock that stands still: whoever waits for a time has it at once.
pub fn run<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .start_paused(true)
        .build()
        .expect("a runtime")
        .block_on(future)
}

/// An error quotes nothing of an answer. E-mail addresses stand for everything that it could quote: no message of ours
/// has an @, and nearly every input has one.
pub fn check_error(error: &impl ToString) {
    let text = error.to_string();
    assert!(!text.contains('@'), "an error quotes what Pluvo answered: {text}");
}

/// Everything of an answer that one of our operations may find under its alias.
#[derive(Default)]
pub struct Found {
    /// Of queries.
    pub queries: Vec<QueryAnswer>,
    /// Of mutations.
    pub mutations: Vec<MutationAnswer>,
}

/// Reads each answer of a body as the answer to each of our operations.
pub fn decode(body: &[u8]) -> Found {
    let mut found = Found::default();
    let Ok(mut response) = serde_json::from_slice::<Response>(body) else {
        return found;
    };
    for index in 0..8 {
        let edges = response
            .answer(index)
            .and_then(|answer| answer["edges"].as_array())
            .map_or(0, Vec::len);
        let answer = match response.take(index) {
            Ok(answer) => answer,
            Err(error) => {
                check_error(&error);
                continue;
            }
        };
        for query in queries() {
            match query.decode(answer.clone()) {
                Ok(decoded) => {
                    check_page(&decoded, edges);
                    found.queries.push(decoded);
                }
                Err(error) => check_error(&error),
            }
        }
        for mutation in mutations() {
            match mutation.decode(answer.clone()) {
                Ok(decoded) => found.mutations.push(decoded),
                Err(error) => check_error(&error),
            }
        }
    }
    found
}

/// A page has as many rows as the answer had edges, those counted that could not be read: a sweep concludes from this
/// who is absent.
fn check_page(answer: &QueryAnswer, edges: usize) {
    let rows = match answer {
        QueryAnswer::Users(page) => page.rows.len() + page.nulls,
        QueryAnswer::Ids(page) => page.rows.len() + page.nulls,
        QueryAnswer::Groups(page) => page.rows.len() + page.nulls,
        QueryAnswer::Trainings(page) => page.rows.len() + page.nulls,
        _ => return,
    };
    assert_eq!(rows, edges, "a row of a page is lost");
}
