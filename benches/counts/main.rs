//! What the operator costs at ten thousand resources: requests to Pluvo, writes to Kubernetes, passes, memory. Counts and
//! ratios, no times: these differ from machine to machine.
//!
//! `make bench` runs everything; names of scenarios as arguments run these alone. It fails if a bound is broken.

#[path = "../../tests/support/mod.rs"]
mod support;

mod figures;
mod reports;
mod resources;
mod sandbox;
mod sweeps;
mod webhooks;

use std::{process::ExitCode, sync::atomic::Ordering};

use figures::Figures;
use support::{PRINTS_LOGS, Result};

const SCENARIOS: [&str; 5] = ["sandbox", "sweeps", "reports", "resources", "webhooks"];

#[tokio::main]
async fn main() -> ExitCode {
    // Cargo adds an argument of its own.
    let wanted: Vec<_> = std::env::args().skip(1).filter(|name| name != "--bench").collect();
    if let Some(unknown) = wanted.iter().find(|name| !SCENARIOS.contains(&name.as_str())) {
        eprintln!("there is no scenario {unknown}, only {}", SCENARIOS.join(", "));
        return ExitCode::from(2);
    }
    PRINTS_LOGS.store(false, Ordering::Relaxed);
    let mut figures = Figures::default();
    for name in SCENARIOS {
        if !wanted.is_empty() && !wanted.iter().any(|wanted| wanted == name) {
            continue;
        }
        eprintln!("== {name}");
        if let Err(error) = run(name, &mut figures).await {
            eprintln!("{name} could not be measured: {error:#}");
            return ExitCode::FAILURE;
        }
    }
    println!("{figures}");
    if figures.hold() {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}

async fn run(name: &str, figures: &mut Figures) -> Result {
    match name {
        "sandbox" => sandbox::run(figures).await,
        "sweeps" => sweeps::run(figures).await,
        "reports" => reports::run(figures).await,
        "resources" => resources::run(figures).await,
        _ => webhooks::run(figures).await,
    }
}
