//! The commands. What they have in common with the controller they take from `plan` and `organization`; here are only
//! files, options and output.

#![allow(clippy::doc_markdown, reason = "what documents an argument is what --help prints")]

mod apply;
mod check;
mod crds;
mod forecast;
mod list;
mod listing;
pub mod manifests;
mod output;
mod plan;
mod printout;
mod release;
mod report;
mod run;
mod session;
mod target;
mod workspace;

use std::process::ExitCode;

use anyhow::Result;
use clap::{Parser, Subcommand};
use tracing_subscriber::EnvFilter;

use crate::supervise;

use manifests::Manifests;

/// Exit codes besides success and failure.
pub mod exit {
    /// `plan` found something that is not as declared.
    pub const CHANGES: u8 = 2;
    /// The user interrupted the command.
    pub const INTERRUPTED: u8 = 130;
}

/// Declares users, groups and mandatory trainings of a Pluvo organization as Kubernetes resources.
#[derive(Debug, Parser)]
#[command(name = "pluvo-operator", version)]
pub struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Run(run::RunArgs),
    Plan(plan::PlanArgs),
    Apply(apply::ApplyArgs),
    List(list::ListArgs),
    Report(report::ReportArgs),
    Check(check::CheckArgs),
    Release(release::ReleaseArgs),
    Crds(crds::CrdsArgs),
}

/// Carries out a command.
///
/// # Errors
///
/// What is to be shown to the user, who gets exit code 1.
pub async fn main(cli: Cli) -> Result<ExitCode> {
    supervise::exit_on_panic();
    if !matches!(cli.command, Command::Run(_)) {
        log_errors();
    }
    match cli.command {
        Command::Run(args) => run::run(args).await.map(|()| ExitCode::SUCCESS),
        Command::Plan(args) => plan::run(&args).await,
        Command::Apply(args) => apply::run(&args).await,
        Command::List(args) => list::run(&args).await,
        Command::Report(args) => report::run(&args).await,
        Command::Check(args) => check::run(&args).await,
        Command::Release(args) => release::run(&args).await.map(|()| ExitCode::SUCCESS),
        Command::Crds(args) => crds::run(&args),
    }
}

/// Commands say themselves what fails; what happens on the way is only for whoever asks for it with `RUST_LOG`.
fn log_errors() {
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new("error"));
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .init();
}

/// Says which manifests concern nobody here.
fn note_others(manifests: &Manifests) {
    if manifests.others.is_empty() {
        return;
    }
    let kinds: Vec<_> = manifests
        .others
        .iter()
        .map(|(kind, count)| format!("{count} {kind}"))
        .collect();
    eprintln!("note: passed over manifests of other kinds: {}", kinds.join(", "));
}
