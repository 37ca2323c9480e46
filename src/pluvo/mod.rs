//! What Pluvo says: its schema, operations, token, transport, pages and errors. Knows no Kubernetes.
//!
//! From the outside in: a [`Client`](client::Client) belongs to one [`Endpoint`](endpoint::Endpoint). Whoever wants
//! something makes [`Query`](request::Query) and [`Mutation`](request::Mutation) values, takes a
//! [`Slot`](limiter::Slot), composes a [`Document`](document::Document) from any number of them and gets one
//! [`Response`](response::Response), of which each value decodes its own part.

mod channel;
pub mod client;
pub mod document;
pub mod endpoint;
pub mod error;
pub mod limiter;
pub mod model;
pub mod operation;
pub mod request;
pub mod response;
pub mod retry;
pub mod support;
#[cfg(test)]
pub(crate) mod testing;
pub mod token;
pub mod transport;
pub mod webhook;

pub use self::channel::{Counters, Traffic};
