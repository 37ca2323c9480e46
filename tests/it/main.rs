//! The integration tests: one binary, a module per subject.

#[path = "../support/mod.rs"]
mod support;

mod chart;
mod cluster;
mod crds;
mod drift;
mod harness;
