//! A Kubernetes control plane on this machine.

use std::{
    collections::BTreeMap,
    fs::{self, File},
    io::{BufRead, BufReader, Write},
    path::{Path, PathBuf},
    process::{Child, ChildStdin, ChildStdout, Stdio},
    sync::{
        Arc, OnceLock,
        atomic::{AtomicBool, AtomicU32, Ordering},
    },
};

use anyhow::{Context, bail, ensure};
use k8s_openapi::api::core::v1::Namespace;
use kube::{
    Api, Client, Config,
    api::{ListParams, PostParams},
    config::{KubeConfigOptions, Kubeconfig},
};
use parking_lot::Mutex;
use pluvo_operator::api::{self, Kind};
use serde_json::{Value, json};
use tokio::sync::OnceCell;

use super::{Audit, PATIENCE, Recorder, Result, Tools, background, directory, eventually, manifests, process};

/// etcd, kube-apiserver and controllers. They end when this is dropped, and with this process.
pub struct Cluster {
    tools: &'static Tools,
    directory: PathBuf,
    testcluster: Mutex<TestCluster>,
    recorder: Option<Recorder>,
    /// Used on the background runtime only.
    client: OnceCell<Client>,
    namespaces: AtomicU32,
    changed: AtomicBool,
}

impl Cluster {
    /// The one that all tests of this process share. Whoever disturbs it, or runs an operator, starts one of its own.
    pub async fn shared() -> Result<Arc<Self>> {
        static SHARED: OnceLock<Result<Arc<Cluster>, String>> = OnceLock::new();
        let start = || {
            SHARED
                .get_or_init(|| {
                    Self::start_now(true)
                        .map(Arc::new)
                        .map_err(|error| format!("{error:#}"))
                })
                .clone()
        };
        tokio::task::spawn_blocking(start).await?.map_err(anyhow::Error::msg)
    }

    /// A new one, with a [`Recorder`].
    pub async fn start() -> Result<Self> {
        tokio::task::spawn_blocking(|| Self::start_now(true)).await?
    }

    /// A new one without a [`Recorder`], for measurements.
    pub async fn unrecorded() -> Result<Self> {
        tokio::task::spawn_blocking(|| Self::start_now(false)).await?
    }

    fn start_now(record: bool) -> Result<Self> {
        let tools = Tools::get()?;
        let directory = directory::subdirectory("cluster")?;
        let testcluster = TestCluster::start(tools, &directory)?;
        let mut cluster = Self {
            tools,
            directory,
            testcluster: Mutex::new(testcluster),
            recorder: None,
            client: OnceCell::new(),
            namespaces: AtomicU32::new(1),
            changed: AtomicBool::new(false),
        };
        if record {
            cluster.recorder = Some(Recorder::start(&cluster)?);
        }
        Ok(cluster)
    }

    /// Where its files are: `kubeconfig`, `pids.json`, `audit.log` and a log of each process.
    pub fn directory(&self) -> &Path {
        &self.directory
    }

    /// Of the administrator.
    pub fn kubeconfig(&self) -> PathBuf {
        self.directory.join("kubeconfig")
    }

    /// A client of the administrator. It belongs to the runtime of the caller: no test may use another test's.
    pub async fn client(&self) -> Result<Client> {
        client(&self.kubeconfig()).await
    }

    async fn background_client(&self) -> Result<Client> {
        let kubeconfig = self.kubeconfig();
        background::spawn(async move { client(&kubeconfig).await })?.await?
    }

    /// Runs kubectl as the administrator and returns what it printed.
    pub async fn kubectl(&self, args: &[&str]) -> Result<String> {
        self.kubectl_with(args, "").await
    }

    /// [`Self::kubectl`] with something to read on stdin: `kubectl_with(&["apply", "-f", "-"], manifest)`.
    pub async fn kubectl_with(&self, args: &[&str], stdin: &str) -> Result<String> {
        self.tools.run("kubectl", args, Some(&self.kubeconfig()), stdin).await
    }

    /// Applies manifests to a namespace.
    pub async fn apply(&self, namespace: &str, manifests: &str) -> Result {
        let (namespace, manifests) = (namespace.to_owned(), manifests.to_owned());
        self.ask(async move |client| manifests::apply(&client, &namespace, &manifests).await)
            .await
    }

    /// Runs helm as the administrator and returns what it printed.
    pub async fn helm(&self, args: &[&str]) -> Result<String> {
        self.tools.run("helm", args, Some(&self.kubeconfig()), "").await
    }

    /// A resource of ours as the API server has it.
    pub async fn get(&self, kind: &str, namespace: &str, name: &str) -> Result<Value> {
        let (kind, namespace, name) = (kind.to_owned(), namespace.to_owned(), name.to_owned());
        let object = self
            .ask(async move |client| Ok(manifests::ours(client, &namespace, &kind).get(&name).await?))
            .await?;
        Ok(serde_json::to_value(object)?)
    }

    /// Asks the API server as the administrator. Unlike kubectl, this is cheap enough to poll.
    pub async fn ask<T, F>(&self, request: impl FnOnce(Client) -> F) -> Result<T>
    where
        T: Send + 'static,
        F: Future<Output = Result<T>> + Send + 'static,
    {
        let client = self.client.get_or_try_init(|| self.background_client()).await?;
        background::spawn(request(client.clone()))?.await?
    }

    /// Asks connection `default` of a namespace for a sweep, and waits for its end.
    pub async fn sweep(&self, namespace: &str) -> Result {
        let at = jiff::Timestamp::now().to_string();
        let (requested, within) = (at.clone(), namespace.to_owned());
        self.ask(async move |client| {
            let connections = manifests::ours(client, &within, "PluvoConnection");
            manifests::annotate(&connections, "default", "pluvo.dev/reconcile-requested-at", &requested).await
        })
        .await?;
        eventually("the requested sweep has ended", async || {
            let connection = self.get("PluvoConnection", namespace, "default").await?;
            ensure!(
                connection["status"]["lastHandledReconcileAt"] == at,
                "{}",
                connection["status"]
            );
            Ok(())
        })
        .await
    }

    /// Makes a namespace with a name that nobody else has.
    pub async fn namespace(&self, prefix: &str) -> Result<String> {
        let name = format!("{prefix}-{}", self.namespaces.fetch_add(1, Ordering::Relaxed));
        let namespace = json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}});
        self.ask(async move |client| {
            let namespaces = Api::<Namespace>::all(client);
            Ok(namespaces
                .create(&PostParams::default(), &serde_json::from_value(namespace)?)
                .await?)
        })
        .await?;
        Ok(name)
    }

    /// What the API server was asked.
    pub fn audit(&self) -> Audit<'_> {
        Audit::new(self)
    }

    /// Every version of every object of ours.
    pub fn recorder(&self) -> Result<&Recorder> {
        self.recorder
            .as_ref()
            .context("this cluster was started without a recorder")
    }

    /// Kills one of its processes and leaves it dead: `etcd`, `kube-apiserver` or `controllers`.
    pub async fn stop(self: &Arc<Self>, process: &str) -> Result {
        self.keep();
        self.command(format!("stop {process}")).await
    }

    /// Starts a process that was stopped, and waits until it works.
    pub async fn restart(self: &Arc<Self>, process: &str) -> Result {
        self.command(format!("start {process}")).await
    }

    /// Whether it is as it was started: definitions and roles, and that all of its processes run.
    pub fn may_be_reused(&self) -> bool {
        self.recorder.is_some() && !self.changed.load(Ordering::Relaxed)
    }

    /// No other test gets it: this one changes what all of them stand on.
    pub fn keep(&self) {
        self.changed.store(true, Ordering::Relaxed);
    }

    /// Removes all objects of ours, whatever finalizers they have, and waits until the API server has noticed.
    pub async fn forget(self: &Arc<Self>) -> Result {
        self.command(format!("forget {}", api::GROUP)).await?;
        eventually("no object of ours is left", async || {
            for kind in Kind::ALL {
                let left = self.ask(async move |client| {
                    let all = ListParams::default().limit(1);
                    Ok(manifests::all_of_ours(client, kind.name()).list(&all).await?)
                });
                ensure!(left.await?.items.is_empty(), "{} are left", kind.name());
            }
            Ok(())
        })
        .await
    }

    async fn command(self: &Arc<Self>, command: String) -> Result {
        let cluster = self.clone();
        tokio::task::spawn_blocking(move || cluster.testcluster.lock().obey(&command)).await?
    }

    /// Sends a signal to one of its processes: `STOP` lets all requests hang until `CONT`.
    pub fn signal(&self, process: &str, signal: &str) -> Result {
        process::signal_process(self.pid(process)?, signal)
    }

    /// The process id of one of its processes.
    pub fn pid(&self, process: &str) -> Result<u32> {
        let pids: BTreeMap<String, u32> = serde_json::from_slice(&fs::read(self.directory.join("pids.json"))?)?;
        pids.get(process)
            .copied()
            .with_context(|| format!("{process} does not run: {pids:?}"))
    }
}

/// A client for a kubeconfig.
pub async fn client(kubeconfig: &Path) -> Result<Client> {
    let options = KubeConfigOptions::default();
    let config = Config::from_custom_kubeconfig(Kubeconfig::read_from(kubeconfig)?, &options).await?;
    Ok(Client::try_from(config)?)
}

/// `testcluster up`, which obeys lines on its stdin, answers each, and ends when stdin closes.
struct TestCluster {
    child: Child,
    commands: Option<ChildStdin>,
    answers: BufReader<ChildStdout>,
}

impl TestCluster {
    fn start(tools: &Tools, directory: &Path) -> Result<Self> {
        let log = directory.join("testcluster.log");
        let mut command = tools.command("testcluster");
        command.args(["up", "--stdin", "--dir"]).arg(directory);
        command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(File::create(&log)?);
        let mut child = command.spawn().context("cannot run testcluster")?;
        let commands = child.stdin.take();
        let answers = BufReader::new(child.stdout.take().context("no stdout")?);
        let mut this = Self {
            child,
            commands,
            answers,
        };
        match this.answer() {
            Ok(line) if line.starts_with("ready") => Ok(this),
            _ => bail!("the test cluster did not start: {}", process::tail(&log)),
        }
    }

    fn obey(&mut self, command: &str) -> Result {
        let commands = self.commands.as_mut().context("the test cluster is ending")?;
        writeln!(commands, "{command}")?;
        match self.answer()?.as_str() {
            "ok" => Ok(()),
            error => bail!("{command}: {error}"),
        }
    }

    fn answer(&mut self) -> Result<String> {
        let mut line = String::new();
        self.answers.read_line(&mut line)?;
        Ok(line.trim_end().to_owned())
    }
}

impl Drop for TestCluster {
    fn drop(&mut self) {
        drop(self.commands.take());
        let _ = self.child.wait();
    }
}
