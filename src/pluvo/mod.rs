//! What Pluvo says: its schema, operations, token, transport, pages and errors. Knows no Kubernetes.

pub mod model;
pub mod request;
