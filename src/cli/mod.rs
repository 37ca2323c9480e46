//! The commands.

pub mod run;

use clap::{Parser, Subcommand};

/// Declares users, groups and mandatory trainings of a Pluvo organization as Kubernetes resources.
#[derive(Debug, Parser)]
#[command(name = "pluvo-operator", version, propagate_version = true)]
pub struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// A command.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Runs the operator.
    Run(run::RunArgs),
}
