//! A real API server, a real operator, a real sandbox: what integration tests and benchmarks stand on.
//!
//! | item | what it is for |
//! |---|---|
//! | [`Cluster`] | etcd, API server and controllers on this machine; kubectl, helm, namespaces, the audit log |
//! | [`Sandbox`], [`Organization`] | Pluvo's API from memory, with its control endpoints |
//! | [`Operator`] | the real binary, with the arguments, environment and permissions that the chart gives it |
//! | [`Proxy`] | between operator and API server: slow, or cutting watches |
//! | [`kstatus`] | what kubectl, Flux and Argo CD make of an object's status |
//! | [`Recorder`] | every version of every object of ours that a cluster ever held |
//! | [`flood_of`] | many deliveries of webhooks, genuine and forged |
//! | [`eventually`] | waits for a condition, never for a time |
//! | [`create_all`] | makes thousands of objects |
//!
//! Everything ends with the test process, however that ends. What was logged is in [`directory`] until the next run.
//! Failing is returning an error: `#[tokio::test] async fn name() -> Result`. `RUST_BACKTRACE=1` shows where.

#![allow(
    dead_code,
    unused_imports,
    clippy::needless_pass_by_value,
    reason = "tests and benchmarks each use a part of it, and read best with values where they are used"
)]

pub mod audit;
mod background;
mod cluster;
mod directory;
mod eventually;
mod flood;
pub mod kstatus;
mod manifests;
mod objects;
mod operator;
mod pool;
mod process;
mod proxy;
pub mod recorder;
mod sample;
mod sandbox;
mod signature;
mod tools;
mod world;

pub use audit::{Audit, Entry};
pub use cluster::Cluster;
pub use directory::{directory, subdirectory};
pub use eventually::{PATIENCE, Patience, eventually, patiently};
pub use flood::flood_of;
pub use objects::{create_all, create_paced, delete_paced, edit_all, people};
pub use operator::{Operator, OperatorOptions, SERVED, binary, user};
pub use pool::Lease;
pub use process::PRINTS_LOGS;
pub use proxy::Proxy;
pub use recorder::{Recorded, Recorder};
pub use sample::{is_soak, sample, seed};
pub use sandbox::{NO_EVENTS, OPERATOR, Organization, PERSON, Sandbox};
pub use signature::signature;
pub use tools::Tools;
pub use world::{CONFINED, SEED, Tenant, World, condition, merge, object};

/// What tests return.
pub type Result<T = (), E = anyhow::Error> = std::result::Result<T, E>;
