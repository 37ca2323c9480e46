//! The operator's binary: parses the command line, runs the command, and turns its outcome into an exit code.

use std::process::ExitCode;

use clap::Parser;
use pluvo_operator::cli::{Cli, Command, run};

#[tokio::main]
async fn main() -> ExitCode {
    let outcome = match Cli::parse().command {
        Command::Run(args) => run::run(args).await,
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}
