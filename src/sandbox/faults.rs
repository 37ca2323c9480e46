//! What is to go wrong, so that a client can show that it survives it.

use serde::{Deserialize, Serialize};

use super::graphql::Absent;

/// Everything that is to go wrong from now on.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct Faults {
    /// Every request is answered that much later. The wait comes before the execution.
    pub latency_ms: u64,
    /// A document with any error undoes all of its mutations, although its `data` looks as if they had been done.
    pub atomic_documents: bool,
    /// Whoever asks for the schema is refused.
    pub introspection_off: bool,
    /// Parts of the schema that are not there.
    pub absent: Absent,
    /// Faults of single requests; of those that fit a request the first one is used up.
    pub next: Vec<Planned>,
}

/// A fault of the next requests that it fits.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Planned {
    /// What happens.
    pub fault: Fault,
    /// How often.
    #[serde(default = "once")]
    pub times: u32,
    /// Only to documents with this root field.
    #[serde(default)]
    pub operation: Option<String>,
    /// Only to documents with at least so many root fields.
    #[serde(default)]
    pub least_operations: usize,
    /// To which endpoint.
    #[serde(default)]
    pub endpoint: Endpoint,
}

/// What happens to a request.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", rename_all_fields = "camelCase", deny_unknown_fields)]
pub enum Fault {
    /// Answered as if its token had ended; nothing is executed.
    Unauthorized,
    /// Answered with 429; nothing is executed.
    TooManyRequests {
        /// The header `Retry-After`, in seconds.
        retry_after: Option<u32>,
    },
    /// The connection ends without an answer, and nothing was executed.
    DropConnection,
    /// Answered with this status and a page for people; nothing is executed.
    ServerError {
        /// 500 to 599.
        status: u16,
    },
    /// It is executed, and the connection ends without an answer.
    DropAfterCommit,
    /// Its first mutation fails; the others are executed.
    MutationError {
        /// Whether the error says which one it was.
        path: bool,
    },
    /// So many of its mutations are executed, and those behind them fail.
    CommitFirst {
        /// How many.
        count: usize,
    },
    /// It is executed, and the answer of its first operation is null, without an error.
    PartialData,
    /// It waits for a release before it is executed.
    HoldBeforeCommit,
    /// It is executed, and its answer waits for a release.
    HoldAfterCommit,
}

/// To which endpoint a fault belongs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Endpoint {
    /// `/graphql/`
    #[default]
    Graphql,
    /// `/oauth/token/`
    Token,
}

impl Faults {
    /// Uses up the first fault that fits a request.
    pub fn take(&mut self, endpoint: Endpoint, operations: &[String]) -> Option<Fault> {
        let fits = |planned: &Planned| {
            planned.endpoint == endpoint
                && planned.times > 0
                && planned.least_operations <= operations.len()
                && planned
                    .operation
                    .as_ref()
                    .is_none_or(|operation| operations.contains(operation))
        };
        let at = self.next.iter().position(fits)?;
        self.next[at].times -= 1;
        let fault = self.next[at].fault.clone();
        self.next.retain(|planned| planned.times > 0);
        Some(fault)
    }
}

fn once() -> u32 {
    1
}
