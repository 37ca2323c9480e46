//! The integration tests: one binary, a module per subject.

#![allow(
    clippy::needless_pass_by_value,
    clippy::too_many_lines,
    clippy::similar_names,
    reason = "a scenario reads best in one piece, and its values where they are used"
)]

#[path = "../support/mod.rs"]
mod support;

mod architecture;
mod audit;
mod bad_input;
mod ceiling;
mod chart;
mod cli;
mod cluster;
mod crash;
mod crds;
mod credentials;
mod deletion;
mod drift;
mod drift_rules;
mod durations;
mod enrollment;
mod events;
mod examples;
mod fault_matrix;
mod first_sync;
mod full_documents;
mod guard;
mod harness;
mod inventory;
mod kills;
mod leaks;
mod lifecycle;
mod mutations;
mod one_namespace;
mod outage;
mod permissions;
mod rbac;
mod report_command;
mod reports;
mod schema;
mod stale_watch;
mod states;
mod status_table;
mod supervision;
mod union;
mod wakes;
mod webhooks;
