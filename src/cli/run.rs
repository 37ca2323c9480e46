//! `run`: the operator itself.

use std::{net::SocketAddr, process::ExitCode};

use anyhow::{Result, bail};
use clap::{Args, ValueEnum};

/// Runs the operator: watches the resources of the cluster and makes Pluvo match.
#[derive(Args, Debug)]
pub struct RunArgs {
    /// Address of a pluvo-sandbox that stands in for Pluvo: every organization is served from there.
    #[arg(long, value_name = "URL")]
    pub sandbox: Option<String>,
    /// Hosts besides *.pluvo.com that the endpoint of a PluvoConnection may lead to, as host or host:port.
    #[arg(long, value_name = "HOST,...", env = "PLUVO_ALLOWED_HOSTS", value_delimiter = ',')]
    pub allowed_hosts: Vec<String>,
    /// Where health and metrics are served.
    #[arg(long, value_name = "ADDRESS", default_value = "0.0.0.0:8080")]
    pub metrics_address: SocketAddr,
    /// How log lines look.
    #[arg(long, value_enum, default_value_t = LogFormat::Json)]
    pub log_format: LogFormat,
    /// What is logged: a level, or directives such as pluvo_operator=debug,kube=info.
    #[arg(long, value_name = "FILTER", env = "RUST_LOG", default_value = "info")]
    pub log_level: String,
    /// How many resources are looked at at a time.
    #[arg(long, value_name = "COUNT", default_value_t = 16)]
    pub concurrency: u16,
}

/// How log lines look.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum LogFormat {
    /// For people.
    Text,
    /// One JSON object a line.
    Json,
}

/// Runs until it is told to stop.
pub fn run(_args: &RunArgs) -> Result<ExitCode> {
    bail!("this build has no controller yet; plan and apply work without one")
}
