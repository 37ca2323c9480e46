//! `pluvo-sandbox`: the documented API of Pluvo as a local server.

use std::{
    io::IsTerminal,
    net::SocketAddr,
    path::{Path, PathBuf},
    process::ExitCode,
    time::Duration,
};

use anyhow::{Context, Result, bail, ensure};
use clap::{Args, Parser, Subcommand};
use jiff::SignedDuration;
use pluvo_sandbox::{Client, Sandbox, Seed, page_times};
use tokio::{
    select,
    signal::unix::{SignalKind, signal},
    time::sleep,
};
use tracing_subscriber::EnvFilter;
use url::Url;

/// A Pluvo organization on the loopback interface, for tests of anybody's integration.
///
/// It serves the documented GraphQL API (`POST /graphql/`) and its tokens (`POST /oauth/token/`) from memory. Control
/// endpoints under `/_sandbox/` seed it, show what was asked and done, and make things go wrong. `GET /graphql/` in a
/// browser is a page to try queries on. Paths that start with `/{organization}/` lead to further organizations, each
/// with its own data.
#[derive(Parser)]
#[command(version, args_conflicts_with_subcommands = true)]
struct Arguments {
    #[command(subcommand)]
    command: Option<Command>,
    #[command(flatten)]
    serve: Serve,
}

#[derive(Subcommand)]
enum Command {
    /// Measure how long a page of 50 users takes in organizations of several sizes, and print it as JSON.
    Measure {
        /// How many users; may be repeated.
        #[arg(long, default_values_t = [1_000, 100_000])]
        users: Vec<usize>,
    },
    Control(Control),
}

/// Ask a control endpoint of a running sandbox, and print its answer.
///
/// `control state` shows everything that exists, `control reset` goes back to the seed, and `control change JSON` does
/// what a person does behind the API's back.
#[derive(Args)]
struct Control {
    /// The endpoint below /_sandbox/, such as state, log, outbox, reset, change or faults.
    endpoint: String,
    /// What to send, as JSON.
    body: Option<String>,
    /// The running sandbox.
    #[arg(long, value_name = "URL", env = "PLUVO_SANDBOX_URL")]
    sandbox: Url,
    /// Which of its organizations is meant [default: the one that the URL leads to].
    #[arg(long, value_name = "NAME")]
    organization: Option<String>,
}

#[derive(Args)]
struct Serve {
    /// Address to listen on. Only the loopback interface is accepted; port 0 takes a free port.
    #[arg(long, default_value = "127.0.0.1:0")]
    listen: SocketAddr,
    /// File to write the sandbox's URL to, once it listens. The file appears as a whole or not at all.
    #[arg(long, value_name = "PATH")]
    address_file: Option<PathBuf>,
    /// YAML file with what every organization starts with: users, groups, trainings, custom fields, clients, settings.
    #[arg(long, value_name = "FILE")]
    seed: Option<PathBuf>,
    /// Id of a client that has all scopes [default: that of the seed, else "sandbox"].
    #[arg(long, requires = "client_secret", env = "PLUVO_SANDBOX_CLIENT_ID")]
    client_id: Option<String>,
    /// Secret of that client [default: that of the seed, else "sandbox-secret"].
    #[arg(
        long,
        requires = "client_id",
        env = "PLUVO_SANDBOX_CLIENT_SECRET",
        hide_env_values = true
    )]
    client_secret: Option<String>,
    /// How long a change of a membership, or of a training's participants, stays invisible in reads, such as 0s or 2m.
    #[arg(long, value_name = "DURATION")]
    visibility_delay: Option<SignedDuration>,
    /// How long a token lives, such as 24h, the default.
    #[arg(long, value_name = "DURATION")]
    token_lifetime: Option<SignedDuration>,
}

#[tokio::main]
async fn main() -> ExitCode {
    match run(Arguments::parse()).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("pluvo-sandbox: {error:#}");
            ExitCode::FAILURE
        }
    }
}

async fn run(arguments: Arguments) -> Result<()> {
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new("info"));
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_ansi(std::io::stderr().is_terminal())
        .with_writer(std::io::stderr)
        .init();
    match arguments.command {
        Some(Command::Measure { users }) => measure(&users).await,
        Some(Command::Control(control)) => ask(control).await,
        None => serve(arguments.serve).await,
    }
}

async fn serve(arguments: Serve) -> Result<()> {
    let mut terminated = signal(SignalKind::terminate())?;
    let mut interrupted = signal(SignalKind::interrupt())?;
    let seed = seed(&arguments)?;
    let sandbox = Sandbox::bind(arguments.listen, &seed).await?;
    let url = sandbox.url();
    if let Some(path) = &arguments.address_file {
        write_whole(path, &format!("{url}\n")).with_context(|| format!("cannot write {}", path.display()))?;
    }
    println!("pluvo-sandbox listens on {url}");
    let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
    let served = sandbox.serve(async { _ = stopped.await });
    let ended = async {
        select! { _ = terminated.recv() => {}, _ = interrupted.recv() => {} }
        drop(stop);
        // Connections that clients keep open must not keep the process alive.
        sleep(Duration::from_secs(2)).await;
    };
    select! {
        result = served => result?,
        () = ended => {}
    }
    Ok(())
}

fn seed(arguments: &Serve) -> Result<Seed> {
    let mut seed = match &arguments.seed {
        Some(path) => {
            let text = std::fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))?;
            Seed::parse(&text).with_context(|| format!("{} is not a seed", path.display()))?
        }
        None => Seed::default(),
    };
    if let (Some(id), Some(secret)) = (&arguments.client_id, &arguments.client_secret) {
        seed.clients.retain(|client| client.id != *id);
        seed.clients.push(Client::with_all_scopes(id, secret));
    }
    let mut settings = seed.settings.take().unwrap_or_default();
    if let Some(delay) = arguments.visibility_delay {
        settings.visibility_delay = delay;
    }
    if let Some(lifetime) = arguments.token_lifetime {
        ensure!(lifetime.is_positive(), "--token-lifetime must be more than 0s");
        settings.token_lifetime = lifetime;
    }
    seed.settings = Some(settings);
    Ok(seed)
}

/// Whoever waits for the file never reads half of it.
fn write_whole(path: &Path, text: &str) -> std::io::Result<()> {
    let mut partial = path.as_os_str().to_owned();
    partial.push(".partial");
    std::fs::write(&partial, text)?;
    std::fs::rename(&partial, path)
}

/// Everything that changes something is a POST: with a body, or by its name.
async fn ask(control: Control) -> Result<()> {
    let Control {
        endpoint,
        body,
        sandbox,
        organization,
    } = control;
    let base = [Some(sandbox.as_str().trim_end_matches('/')), organization.as_deref()];
    let base = base.into_iter().flatten().collect::<Vec<_>>().join("/");
    let url = format!("{base}/_sandbox/{endpoint}");
    let acts = body.is_some() || ["reset", "tokens/revoke"].contains(&endpoint.as_str());
    let http = reqwest::Client::builder().no_proxy().build()?;
    let request = if acts { http.post(&url) } else { http.get(&url) };
    let answer = request.body(body.unwrap_or_default()).send().await?;
    let (status, text) = (answer.status(), answer.text().await?);
    if !status.is_success() {
        bail!("{url}: {status}: {text}");
    }
    // Answers are JSON; what is not is passed on as it is.
    match serde_json::from_str::<serde_json::Value>(&text) {
        Ok(json) => println!("{}", serde_json::to_string_pretty(&json)?),
        Err(_) => println!("{text}"),
    }
    Ok(())
}

async fn measure(sizes: &[usize]) -> Result<()> {
    let mut times = Vec::with_capacity(sizes.len());
    for users in sizes {
        times.push(page_times(*users).await?);
    }
    println!("{}", serde_json::to_string_pretty(&times)?);
    Ok(())
}
