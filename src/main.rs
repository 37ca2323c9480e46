//! `pluvo-operator`: parse, run, exit code.

use std::process::ExitCode;

use clap::Parser;
use pluvo_operator::cli::{self, Cli};

#[tokio::main]
async fn main() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(usage) => {
            let _ = usage.print();
            // Not clap's 2, which means changes here.
            return ExitCode::from(u8::from(usage.use_stderr()));
        }
    };
    match cli::main(cli).await {
        Ok(code) => code,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}
