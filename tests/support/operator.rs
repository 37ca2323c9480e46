//! The real operator, as the chart runs it.

use std::{
    collections::BTreeMap,
    ffi::OsString,
    fs,
    path::{Path, PathBuf},
    process::ExitStatus,
    time::Duration,
};

use anyhow::{Context, ensure};
use serde::Deserialize;

use super::{Cluster, PATIENCE, Result, Tools, directory, eventually, process::Process};

/// What it last served, in its directory.
pub const SERVED: &str = "served.txt";
const RELEASE: &str = "pluvo-operator";

/// The binary under test: `OPERATOR` names another than the one that cargo has built.
pub fn binary() -> OsString {
    std::env::var_os("OPERATOR").unwrap_or_else(|| env!("CARGO_BIN_EXE_pluvo-operator").into())
}

/// The name of the service account of a release in a namespace, as the audit log has it.
pub fn user(namespace: &str) -> String {
    format!("system:serviceaccount:{namespace}:{RELEASE}")
}

/// How the chart is installed.
#[derive(Clone, Debug)]
pub struct OperatorOptions {
    /// Namespace of the release.
    pub namespace: String,
    /// Values of the chart, `key=value`.
    pub set: Vec<String>,
    /// Variables on top of those that the chart gives it, `NAME=VALUE`.
    pub env: Vec<String>,
    /// What runs.
    pub binary: OsString,
    /// Where the operator finds the API server, if not where everybody does.
    pub server: Option<String>,
}

impl Default for OperatorOptions {
    fn default() -> Self {
        let env = ["RUST_BACKTRACE", "LLVM_PROFILE_FILE"];
        let set = |name| std::env::var(name).ok().map(|value| format!("{name}={value}"));
        Self {
            namespace: "pluvo-system".to_owned(),
            set: Vec::new(),
            env: env.into_iter().filter_map(set).collect(),
            binary: binary(),
            server: None,
        }
    }
}

impl OperatorOptions {
    /// Every organization is served from this sandbox.
    pub fn sandbox(url: &str) -> Self {
        Self::default().with(&format!("sandboxUrl={url}"))
    }

    /// The operator reaches the API server through a proxy.
    pub fn through(self, proxy: &super::Proxy) -> Self {
        Self {
            server: Some(proxy.url()),
            ..self
        }
    }

    /// One more value of the chart.
    pub fn with(mut self, value: &str) -> Self {
        self.set.push(value.to_owned());
        self
    }
}

/// A release of the chart in a cluster, and the process that its Deployment stands for. It ends when this is dropped.
pub struct Operator {
    kubeconfig: PathBuf,
    directory: PathBuf,
    options: OperatorOptions,
    webhooks: String,
    extra_env: Vec<String>,
    running: Option<(Process, Run)>,
}

/// What `testcluster operator` says of the process that it becomes.
#[derive(Clone, Debug, Deserialize)]
pub struct Run {
    pid: u32,
    /// The program and its arguments.
    pub args: Vec<String>,
    /// Its environment, `NAME=VALUE`.
    pub env: Vec<String>,
    /// Where the kubelet would ask whether it is ready.
    pub ready: String,
}

impl Operator {
    /// Installs the chart, CRDs included. Nothing runs before [`Self::start`].
    pub async fn install(cluster: &Cluster, options: OperatorOptions) -> Result<Self> {
        let tools = Tools::get()?;
        let port = tools.run("testcluster", &["port"], None, "").await?;
        let webhooks = tools.run("testcluster", &["port"], None, "").await?;
        let operator = Self {
            kubeconfig: cluster.kubeconfig(),
            directory: directory::subdirectory("operator")?,
            options: options
                .with("metrics.address=127.0.0.1")
                .with(&format!("metrics.port={}", port.trim()))
                .with("webhooks.enabled=true")
                .with("webhooks.address=127.0.0.1")
                .with(&format!("webhooks.port={}", webhooks.trim())),
            webhooks: format!("http://127.0.0.1:{}/webhooks", webhooks.trim()),
            extra_env: Vec::new(),
            running: None,
        };
        let chart = concat!(env!("CARGO_MANIFEST_DIR"), "/charts/pluvo-operator");
        let mut args = vec![
            "upgrade",
            "--install",
            RELEASE,
            chart,
            "--create-namespace",
            "--namespace",
        ];
        args.push(&operator.options.namespace);
        args.extend(operator.options.set.iter().flat_map(|value| ["--set", value]));
        cluster.helm(&args).await?;
        Ok(operator)
    }

    /// Installs and starts.
    pub async fn run(cluster: &Cluster, options: OperatorOptions) -> Result<Self> {
        let mut operator = Self::install(cluster, options).await?;
        operator.start().await?;
        Ok(operator)
    }

    /// Starts the process and waits until it is ready.
    pub async fn start(&mut self) -> Result {
        let run = self.start_unready().await?;
        let url = run.ready.clone();
        let process = self.process()?;
        process
            .ready("the operator is ready", async || {
                let answer = reqwest::get(&url).await?;
                let (status, text) = (answer.status(), answer.text().await?);
                ensure!(status.is_success(), "{status}: {text}"); // it says how far it is
                Ok(())
            })
            .await
    }

    /// Starts the process and waits only until it is the operator.
    pub async fn start_unready(&mut self) -> Result<Run> {
        ensure!(self.running.is_none(), "the operator is running already");
        let name = format!("operator {}", self.options.binary.display());
        let mut process = Process::start(&name, &self.command()?, &self.directory.join("operator.log"))?;
        let (pid, path) = (process.pid(), self.directory.join("run.json"));
        let run = process
            .ready("the operator runs", async || {
                let run: Run = serde_json::from_slice(&fs::read(&path)?)?;
                ensure!(run.pid == pid, "{} is of an earlier process", path.display());
                Ok(run)
            })
            .await?;
        self.running = Some((process, run.clone()));
        Ok(run)
    }

    fn command(&self) -> Result<std::process::Command> {
        let mut command = Tools::get()?.command("testcluster");
        command.args(["operator", "--release", RELEASE, "--namespace", &self.options.namespace]);
        command
            .arg("--kubeconfig")
            .arg(&self.kubeconfig)
            .arg("--dir")
            .arg(&self.directory);
        if let Some(server) = &self.options.server {
            command.args(["--server", server]);
        }
        let env = self.options.env.iter().chain(&self.extra_env);
        command.args(env.flat_map(|variable| ["--env", variable]));
        command.arg("--").arg(&self.options.binary);
        Ok(command)
    }

    /// Kills it as a power cut would.
    pub async fn kill_9(&mut self) -> Result {
        let (mut process, _) = self.running.take().context("the operator does not run")?;
        process.signal("KILL")?;
        process.ended().await.map(drop)
    }

    /// Asks it to end, as the kubelet does, and waits for that.
    pub async fn terminate(&mut self) -> Result<ExitStatus> {
        let (mut process, _) = self.running.take().context("the operator does not run")?;
        process.signal("TERM")?;
        process.ended().await
    }

    /// Waits until it has ended by itself.
    pub async fn ended(&mut self) -> Result<ExitStatus> {
        let (mut process, _) = self.running.take().context("the operator does not run")?;
        process.ended().await
    }

    /// Has these variables when it is started next, on top of those that it began with: `NAME=VALUE`.
    pub fn set_env(&mut self, variables: &[String]) {
        self.extra_env = variables.to_vec();
    }

    /// [`Self::terminate`], then [`Self::start`].
    pub async fn restart(&mut self) -> Result {
        let status = self.terminate().await?;
        ensure!(status.success(), "the operator ended with {status}");
        self.start().await
    }

    /// Where it takes the webhooks of a connection.
    pub fn webhook(&self, namespace: &str, connection: &str) -> String {
        format!("{}/{namespace}/{connection}", self.webhooks)
    }

    /// What it was started with.
    pub fn started_with(&self) -> Result<&Run> {
        self.running
            .as_ref()
            .map(|(_, run)| run)
            .context("the operator does not run")
    }

    /// The process: its id, signals (`STOP`, `CONT`), its status.
    pub fn process(&mut self) -> Result<&mut Process> {
        self.running
            .as_mut()
            .map(|(process, _)| process)
            .context("the operator does not run")
    }

    /// All that it has logged, over restarts.
    pub fn log(&self) -> Result<String> {
        Ok(fs::read_to_string(self.directory.join("operator.log"))?)
    }

    /// What it serves at a path: `get("/metrics")`. The last answer stays in its directory.
    pub async fn get(&self, path: &str) -> Result<String> {
        let url = url::Url::parse(&self.started_with()?.ready)?.join(path)?;
        let text = reqwest::get(url).await?.error_for_status()?.text().await?;
        fs::write(self.directory.join(SERVED), &text)?;
        Ok(text)
    }

    /// How many passes there were, by kind, once none is to come.
    pub async fn passes(&self) -> Result<BTreeMap<String, u64>> {
        eventually("no pass is to come", async || {
            let metrics = self.get("/metrics").await?;
            ensure!(
                metrics.lines().any(|line| line == "pluvo_operator_awaited_passes 0"),
                "{metrics}"
            );
            let lines = metrics
                .lines()
                .filter_map(|line| line.strip_prefix("pluvo_operator_reconcile_passes_total{kind=\""));
            let count = |line: &str| {
                let (kind, count) = line.split_once("\"} ")?;
                Some((kind.to_owned(), count.parse().ok()?))
            };
            Ok(lines.filter_map(count).collect())
        })
        .await
    }

    /// The namespace of its release.
    pub fn release_namespace(&self) -> &str {
        &self.options.namespace
    }

    /// The name of its service account in the audit log.
    pub fn user(&self) -> String {
        user(self.release_namespace())
    }

    /// The most memory that it has had so far, in bytes.
    pub fn peak_memory(&self) -> Result<u64> {
        let pid = self.started_with()?.pid;
        let status = fs::read_to_string(Path::new("/proc").join(pid.to_string()).join("status"))?;
        let line = status
            .lines()
            .find_map(|line| line.strip_prefix("VmHWM:"))
            .context("no VmHWM")?;
        let kibibytes: u64 = line.trim().trim_end_matches(" kB").parse()?;
        Ok(kibibytes * 1024)
    }
}
