//! The integration tests: one binary, a module per subject.

#[path = "../support/mod.rs"]
mod support;

mod bad_input;
mod chart;
mod cluster;
mod crds;
mod drift;
mod harness;
mod lifecycle;
mod union;
