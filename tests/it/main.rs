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
mod bad_input;
mod chart;
mod cli;
mod cluster;
mod crash;
mod crds;
mod credentials;
mod drift;
mod examples;
mod first_sync;
mod harness;
mod lifecycle;
mod states;
mod status_table;
mod union;
