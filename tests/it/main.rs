//! The integration tests: one binary, a module per subject.

#[path = "../support/mod.rs"]
mod support;

mod bad_input;
mod chart;
mod cluster;
mod crash;
mod crds;
mod credentials;
mod drift;
mod first_sync;
mod harness;
mod lifecycle;
mod union;
