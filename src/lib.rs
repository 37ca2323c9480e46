//! The operator that makes a Pluvo organization match what is declared as Kubernetes resources.
//!
//! Modules may use only those above them in this list:
//!
//! | module | what it is for | may use |
//! |---|---|---|
//! | [`api`] | what people write: the resources, their status, conditions and reasons | nothing |
//! | [`pluvo`] | what Pluvo says: operations, token, transport, errors | nothing |
//! | [`plan`] | pure: desired and observed in, changes and drift out | `api`, `pluvo` |
//! | [`organization`] | one organization as we know it: mirror, sweep, queue, batch | `pluvo`, `plan` |
//! | [`controller`] | kube-rs: watches, passes, status | all above |
//! | [`telemetry`] | metrics, health, logs | `api` |
//! | [`cli`] | the commands | all above |
//! | `sandbox` | the Pluvo sandbox, second binary | nothing |

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
pub mod controller;
pub mod organization;
pub mod plan;
pub mod pluvo;
#[cfg(feature = "sandbox")]
pub mod sandbox;
pub mod telemetry;
