//! `run`: the operator itself.

use std::{future::pending, net::SocketAddr, sync::Arc, time::Duration};

use anyhow::Context;
use clap::Args;
use tokio::{
    net::TcpListener,
    signal::unix::{SignalKind, signal},
    sync::watch,
};

use crate::{
    controller::{self, Base, Options, Readiness},
    pluvo::endpoint::{AllowedHosts, Endpoint},
    supervise::Supervisor,
    telemetry::{
        Metrics,
        logs::{self, Format},
        server::{self, Served},
    },
    webhook,
};

use super::plan::duration;

/// Runs the operator against the cluster of the kubeconfig, or of the Pod's ServiceAccount.
#[derive(Args, Debug)]
pub struct RunArgs {
    /// Serves every organization from this sandbox instead of from Pluvo.
    #[arg(long, value_name = "URL")]
    sandbox: Option<String>,
    /// Hosts besides *.pluvo.com that a PluvoConnection may name as its endpoint.
    #[arg(long, value_name = "HOST[:PORT]", value_delimiter = ',', env = "PLUVO_ALLOWED_HOSTS")]
    allowed_hosts: Vec<String>,
    /// Looks at the resources of this namespace alone, and needs no permission in any other.
    #[arg(long, value_name = "NAME", env = "PLUVO_WATCH_NAMESPACE")]
    watch_namespace: Option<String>,
    /// Where /healthz, /readyz and /metrics are served.
    #[arg(long, default_value = "0.0.0.0:8080")]
    listen: SocketAddr,
    /// Where Pluvo's webhooks come in, at /webhooks/<namespace>/<connection>. They are not received unless this is set.
    #[arg(long, value_name = "ADDRESS", env = "PLUVO_WEBHOOK_LISTEN")]
    webhook_listen: Option<SocketAddr>,
    /// error, warn, info, debug or trace; or filters such as `info,pluvo_operator::organization=debug`.
    #[arg(long, default_value = "info")]
    log_level: String,
    /// How a log line looks.
    #[arg(long, value_enum, default_value_t = Format::Text)]
    log_format: Format,
    /// Resources of one kind that are looked at at the same time.
    #[arg(long, default_value_t = 16, value_parser = clap::value_parser!(u16).range(1..=256), env = "PLUVO_CONCURRENCY")]
    concurrency: u16,
    /// How long a task may be busy with one thing before /healthz says that it is stuck.
    #[arg(long, value_name = "DURATION", default_value = "20m", value_parser = duration, env = "PLUVO_STUCK_AFTER")]
    stuck_after: Duration,
}

/// Runs until SIGTERM or SIGINT; a second one ends the process at once.
///
/// # Errors
///
/// The arguments, the address, the kubeconfig or the installed definitions cannot be used, or a task has ended that must
/// not.
pub async fn run(args: RunArgs) -> anyhow::Result<()> {
    logs::start(args.log_format, &args.log_level).with_context(|| format!("--log-level {}", args.log_level))?;
    let options = Options {
        sandbox: args
            .sandbox
            .as_deref()
            .map(Endpoint::parse)
            .transpose()
            .context("--sandbox")?,
        allowed_hosts: AllowedHosts::new(&args.allowed_hosts)
            .map_err(anyhow::Error::msg)
            .context("--allowed-hosts")?,
        concurrency: args.concurrency,
        namespace: args.watch_namespace,
    };
    let client = kube::Client::try_default()
        .await
        .context("there is no cluster to talk to")?;
    let metrics = Arc::new(Metrics::default());
    let (readiness, supervisor) = (Arc::new(Readiness::default()), Supervisor::new(args.stuck_after));
    let (stop, stopping) = watch::channel(false);
    let listener = server::bind(args.listen)
        .await
        .with_context(|| format!("cannot listen on {}", args.listen))?;
    tracing::info!(address = %listener.local_addr()?, "serving /healthz, /readyz and /metrics");
    let webhooks = match args.webhook_listen {
        Some(address) => {
            let listener = webhook::bind(address)
                .await
                .with_context(|| format!("cannot listen on {address}"))?;
            tracing::info!(address = %listener.local_addr()?, "receiving webhooks");
            Some(listener)
        }
        None => None,
    };
    let base = Base {
        client,
        metrics,
        readiness,
        supervisor,
        stop: stopping,
    };
    serve(listener, &base);
    on_signal(stop)?;
    controller::run(base, options, webhooks).await?;
    tracing::info!("stopped");
    Ok(())
}

/// Serves metrics and probes until the process ends.
fn serve(listener: TcpListener, base: &Base) {
    let (supervisor, readiness) = (base.supervisor.clone(), base.readiness.clone());
    let served = Served {
        metrics: base.metrics.clone(),
        health: Arc::new(move || supervisor.stuck()),
        readiness: Arc::new(move || readiness.behind()),
    };
    base.supervisor.spawn("metrics server", base.stop.clone(), async move {
        if let Err(error) = server::serve(listener, served, pending()).await {
            tracing::error!(%error, "metrics and probes cannot be served any more");
        }
    });
}

fn on_signal(stop: watch::Sender<bool>) -> anyhow::Result<()> {
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    tokio::spawn(async move {
        tokio::select! { _ = terminate.recv() => {}, _ = interrupt.recv() => {} }
        stop.send_replace(true);
        tokio::select! { _ = terminate.recv() => {}, _ = interrupt.recv() => {} }
        tracing::warn!("a second signal: ending at once");
        std::process::exit(130);
    });
    Ok(())
}
