//! What the operator tells about itself: metrics, health, logs.

pub mod logs;
mod metrics;
pub mod server;

pub use metrics::{Figure, Finding, GuardFigures, Metrics};
