//! The binaries of the test cluster.

use std::{
    path::{Path, PathBuf},
    process::{Command, Stdio},
    sync::OnceLock,
};

use anyhow::{Context, bail, ensure};

use super::Result;

/// The directory with etcd, kubectl, helm and the others, at the versions that `tests/cluster/go.mod` pins.
#[derive(Clone, Debug)]
pub struct Tools(PathBuf);

impl Tools {
    /// Builds them first if that has not happened yet.
    pub fn get() -> Result<&'static Self> {
        static TOOLS: OnceLock<Result<Tools, String>> = OnceLock::new();
        let built = TOOLS.get_or_init(|| build().map_err(|error| format!("{error:#}")));
        built.as_ref().map_err(|error| anyhow::anyhow!("{error}"))
    }

    /// One of them.
    pub fn path(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }

    /// A command of one of them.
    pub fn command(&self, name: &str) -> Command {
        let mut command = Command::new(self.path(name));
        command.stdin(Stdio::null());
        command
    }

    /// Runs one of them to its end, and returns what it printed.
    pub async fn run(&self, name: &str, args: &[&str], kubeconfig: Option<&Path>, stdin: &str) -> Result<String> {
        use tokio::io::AsyncWriteExt;

        let mut command = tokio::process::Command::new(self.path(name));
        command
            .args(args)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        command.env_remove("KUBECONFIG").kill_on_drop(true);
        if let Some(kubeconfig) = kubeconfig {
            // What was discovered is kept by address and port: it must not meet the next cluster on the same port.
            command
                .env("KUBECONFIG", kubeconfig)
                .env("KUBECACHEDIR", kubeconfig.with_file_name("kube-cache"));
        }
        let mut child = command.spawn().with_context(|| format!("cannot run {name}"))?;
        let mut pipe = child.stdin.take().context("no stdin")?;
        // A tool that fails early does not read all of it; its exit status says so.
        let (_, output) = tokio::join!(
            async { pipe.write_all(stdin.as_bytes()).await.map(|()| drop(pipe)) },
            child.wait_with_output()
        );
        let output = output?;
        if !output.status.success() {
            let complaint = String::from_utf8_lossy(&output.stderr);
            bail!("{name} {}: {}: {}", args.join(" "), output.status, complaint.trim());
        }
        Ok(String::from_utf8(output.stdout)?)
    }
}

/// The script shows its progress on stderr, which cargo does not capture.
fn build() -> Result<Tools> {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/cluster/build.sh");
    let output = Command::new(&script)
        .stderr(Stdio::inherit())
        .output()
        .with_context(|| format!("cannot run {}", script.display()))?;
    ensure!(
        output.status.success(),
        "{} failed ({}); see above",
        script.display(),
        output.status
    );
    let text = String::from_utf8(output.stdout)?;
    let directory = text.lines().last().context("the build printed no directory")?;
    Ok(Tools(directory.into()))
}
