//! The operator that makes a Pluvo organization match what is declared as Kubernetes resources.
//!
//! What each module may use; a test (`tests/it/architecture.rs`) reads this table and the imports, and compares:
//!
//! | module | what it is for | may use |
//! |---|---|---|
//! | [`clock`] | arithmetic on times that never panics | nothing |
//! | [`supervise`] | tasks that must go on | nothing |
//! | [`api`] | what people write: the resources, their status, conditions and reasons | nothing |
//! | [`pluvo`] | what Pluvo says: operations, token, transport, errors | `clock` |
//! | [`plan`] | pure: desired and observed in, changes and drift out | `api`, `pluvo` |
//! | [`organization`] | one organization as we know it: mirror, sweep, queue, batch | `clock`, `supervise`, `pluvo`, `plan` |
//! | [`telemetry`] | metrics, health, logs | `supervise`, `api` |
//! | [`webhook`] | what comes in from Pluvo | `supervise`, `pluvo` |
//! | [`controller`] | kube-rs: watches, passes, status | `clock`, `supervise`, `api`, `pluvo`, `plan`, `organization`, `telemetry`, `webhook` |
//! | [`cli`] | the commands | `clock`, `supervise`, `api`, `pluvo`, `plan`, `organization`, `telemetry`, `webhook`, `controller` |
//! | `main` | the operator's binary | `cli` |
//!
//! The Pluvo sandbox, the second binary, is a package of its own in `src/sandbox`: cargo lets neither use the other.

#![cfg_attr(not(test), warn(clippy::arithmetic_side_effects))]
#![cfg_attr(
    test,
    allow(
        clippy::needless_pass_by_value,
        clippy::items_after_statements,
        clippy::semicolon_if_nothing_returned,
        reason = "tests read better so"
    )
)]

pub mod api;
pub mod cli;
pub mod clock;
pub mod controller;
pub mod organization;
pub mod plan;
pub mod pluvo;
pub mod supervise;
pub mod telemetry;
pub mod webhook;
