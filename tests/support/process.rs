//! Processes that end with ours.

use std::{
    fs::{self, File},
    io::{BufRead, BufReader},
    path::{Path, PathBuf},
    process::{Child, Command, ExitStatus, Stdio},
    sync::atomic::{AtomicBool, Ordering},
};

use anyhow::{Context, bail, ensure};

use super::{Result, eventually};

/// Whether the end of a log is printed when its process ends: what a test prints is captured, and shown only if it fails.
pub static PRINTS_LOGS: AtomicBool = AtomicBool::new(true);

/// A process that ends when it is dropped, and when this process ends, however that ends. Its output goes to a file.
pub struct Process {
    name: String,
    log: PathBuf,
    leash: Child,
    pid: u32,
}

impl Process {
    /// Starts `command`, which has the program, its arguments and its environment. The log is appended to.
    pub fn start(name: &str, command: &Command, log: &Path) -> Result<Self> {
        let output = File::options().create(true).append(true).open(log)?;
        let mut leashed = Command::new("sh");
        leashed.args(["-c", include_str!("leash.sh"), "leash"]);
        leashed.arg(command.get_program()).args(command.get_args());
        for (name, value) in command.get_envs() {
            match value {
                Some(value) => leashed.env(name, value),
                None => leashed.env_remove(name),
            };
        }
        leashed.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(output);
        let mut leash = leashed.spawn().with_context(|| format!("cannot start {name}"))?;
        let pid = first_line(&mut leash)?;
        let pid = pid.parse().with_context(|| format!("{name} did not start: {pid:?}"))?;
        Ok(Self {
            name: name.to_owned(),
            log: log.to_owned(),
            leash,
            pid,
        })
    }

    /// Its process id.
    pub fn pid(&self) -> u32 {
        self.pid
    }

    /// Sends a signal: KILL, TERM, STOP, CONT, ...
    pub fn signal(&mut self, signal: &str) -> Result {
        ensure!(self.status()?.is_none(), "{} has ended already", self.name);
        signal_process(self.pid, signal)
    }

    /// Its exit status, if it has ended. Death by a signal is 128 plus the signal's number.
    pub fn status(&mut self) -> Result<Option<ExitStatus>> {
        Ok(self.leash.try_wait()?)
    }

    /// Waits for its end.
    pub async fn ended(&mut self) -> Result<ExitStatus> {
        let what = format!("{} ends", self.name);
        eventually(&what, async || self.status()?.context("it is running")).await
    }

    /// Waits for a condition, and gives up as soon as the process ends.
    pub async fn ready<T>(&mut self, what: &str, mut probe: impl AsyncFnMut() -> Result<T>) -> Result<T> {
        let (leash, name, log) = (&mut self.leash, &self.name, &self.log);
        eventually(what, async || match probe().await {
            Ok(value) => Ok(Ok(value)),
            Err(error) => match leash.try_wait()? {
                None => Err(error),
                Some(status) => Ok(Err(format!(
                    "{name} ended ({status}) before {what}; its log ends with\n{}",
                    tail(log)
                ))),
            },
        })
        .await
        .with_context(|| format!("the log of {name} ends with\n{}", tail(log)))?
        .map_err(anyhow::Error::msg)
    }

    /// All that it has logged.
    pub fn log(&self) -> Result<String> {
        Ok(fs::read_to_string(&self.log)?)
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        drop(self.leash.stdin.take());
        let _ = self.leash.wait();
        if PRINTS_LOGS.load(Ordering::Relaxed) {
            println!(
                "the log of {} ({}) ends with\n{}",
                self.name,
                self.log.display(),
                tail(&self.log)
            );
        }
    }
}

/// Sends a signal to a process that one of ours has started.
pub fn signal_process(pid: u32, signal: &str) -> Result {
    let kill = Command::new("kill").args(["-s", signal, &pid.to_string()]).output()?;
    if !kill.status.success() {
        bail!(
            "kill -s {signal} {pid}: {}",
            String::from_utf8_lossy(&kill.stderr).trim()
        );
    }
    Ok(())
}

/// The end of a log.
pub fn tail(log: &Path) -> String {
    const LINES: usize = 30;
    let text = fs::read(log).unwrap_or_default();
    let text = String::from_utf8_lossy(&text);
    let lines: Vec<_> = text.lines().collect();
    lines[lines.len().saturating_sub(LINES)..].join("\n")
}

fn first_line(child: &mut Child) -> Result<String> {
    let mut line = String::new();
    if let Some(stdout) = child.stdout.take() {
        BufReader::new(stdout).read_line(&mut line)?;
    }
    Ok(line.trim().to_owned())
}
