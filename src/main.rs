//! The operator's binary: parses the command line, runs the command, and turns its outcome into an exit code.

use std::{process::ExitCode, sync::Arc};

use clap::Parser;
use pluvo_operator::{
    controller::{self, Options},
    pluvo::endpoint::{AllowedHosts, Endpoint},
    telemetry::{self, Metrics, logs},
};
use tokio::sync::watch;

#[derive(Parser)]
struct Args {
    #[arg(long)]
    sandbox: Option<String>,
    #[arg(long, default_value = "127.0.0.1:0")]
    metrics_address: std::net::SocketAddr,
    #[arg(long, default_value = "info")]
    log_level: String,
}

fn main() -> ExitCode {
    let runtime = tokio::runtime::Runtime::new().expect("rt");
    runtime.block_on(run()).map_or_else(
        |e| {
            eprintln!("error: {e:#}");
            ExitCode::FAILURE
        },
        |()| ExitCode::SUCCESS,
    )
}

async fn run() -> anyhow::Result<()> {
    let args = Args::parse();
    if std::env::var("CRDS").is_ok() {
        for crd in pluvo_operator::api::crds() {
            println!("---\n{}", serde_json::to_string(&crd)?);
        }
        return Ok(());
    }
    logs::start(logs::Format::Text, &args.log_level)?;
    let client = kube::Client::try_default().await?;
    let metrics = Arc::new(Metrics::default());
    let (ready, ready_rx) = watch::channel(false);
    let (stop, stopping) = watch::channel(false);
    let listener = telemetry::server::bind(args.metrics_address).await?;
    println!("metrics on {}", listener.local_addr()?);
    let mut s = stop.subscribe();
    tokio::spawn(telemetry::server::serve(
        listener,
        metrics.clone(),
        ready_rx,
        async move {
            let _ = s.wait_for(|x| *x).await;
        },
    ));
    tokio::spawn(async move {
        let mut term = tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate()).expect("sig");
        tokio::select! { _ = tokio::signal::ctrl_c() => {}, _ = term.recv() => {} }
        stop.send_replace(true);
    });
    let options = Options {
        sandbox: args.sandbox.as_deref().map(Endpoint::parse).transpose()?,
        allowed_hosts: AllowedHosts::default(),
        concurrency: 16,
    };
    controller::run(client, options, metrics, ready, stopping).await?;
    Ok(())
}
