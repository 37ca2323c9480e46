//! One organization, for as long as a command runs: looking at it, and waiting for what is not known yet.

use std::{io::IsTerminal, time::Duration};

use anyhow::{Result, bail};
use tokio::{
    sync::mpsc::UnboundedReceiver,
    time::{Instant, sleep, sleep_until, timeout},
};

use crate::{
    clock::SaturatingAdd,
    organization::{
        NoPasses, Organization, Start, Wake, Wakes,
        guard::{GuardRecord, GuardReport},
        settings::Settings,
        state::Moment,
        view::View,
    },
    plan::{Call, ResourceKey},
    pluvo::{Traffic, client::Client},
    supervise::Supervisor,
};

/// A sweep is not repeated while a command runs, unless something is still unknown after it.
const INTERVAL: Duration = Duration::from_hours(1);
/// News that come within this time are looked at together.
const LULL: Duration = Duration::from_millis(20);
/// When nothing has changed for so long, everything is read once more.
const PATIENCE: Duration = Duration::from_secs(20);

/// An organization that can be looked at. Nothing can be written through it.
pub struct Session {
    organization: Organization,
    supervisor: Supervisor,
    name: String,
    wakes: UnboundedReceiver<Wake>,
    deadline: Instant,
    allowed: Duration,
    progress: Progress,
}

/// An organization that can also be written to.
pub struct Writer {
    /// For everything else.
    pub session: Session,
}

impl Session {
    /// Begins to read an organization, for at most `allowed`.
    pub fn reading(client: Client, settings: &Settings, allowed: Duration) -> Self {
        Self::over(client, settings, allowed, Organization::start_reading)
    }

    fn over(
        client: Client,
        settings: &Settings,
        allowed: Duration,
        start: fn(Client, Settings, Instant, Wakes, &Supervisor) -> Organization,
    ) -> Self {
        let (sender, wakes) = tokio::sync::mpsc::unbounded_channel();
        // Nobody listens any more only when the command ends.
        let sender = Box::new(move |wake| drop(sender.send(wake)));
        let supervisor = Supervisor::default();
        let name = client.endpoint().to_string();
        let settings = Settings {
            interval: INTERVAL,
            ..settings.clone()
        };
        Self {
            organization: start(client, settings, Instant::now(), sender, &supervisor),
            supervisor,
            progress: Progress::new(format!("reading {name}")),
            name,
            wakes,
            deadline: Instant::now().saturating_add(allowed),
            allowed,
        }
    }

    /// Looks at the organization for one resource; what is unknown will be read.
    pub fn observe<T>(&self, resource: &ResourceKey, look: impl FnOnce(&View<'_>) -> T) -> T {
        self.organization.observe(resource, true, look)
    }

    /// What the guard would say if all of these calls were sent.
    pub fn foresee<'a>(&self, calls: impl Iterator<Item = (&'a ResourceKey, &'a [Call])>) -> GuardReport {
        self.organization.foresee(calls)
    }

    /// Waits until the organization was read once from end to end.
    pub async fn first_sweep(&mut self) -> Result<()> {
        while self.organization.health().sweep.count == 0 {
            if !self.news(None).await? {
                return self.too_late();
            }
        }
        Ok(())
    }

    /// Waits until something is known that was not, at the latest until `at`. False: the time of the command is over.
    ///
    /// # Errors
    ///
    /// Pluvo refuses the credentials or was never reached.
    pub async fn news(&mut self, at: Option<Instant>) -> Result<bool> {
        let mut quiet_since = Instant::now();
        loop {
            let until = at.map_or(self.deadline, |at| at.min(self.deadline));
            let wake = tokio::select! {
                wake = self.wakes.recv() => wake,
                () = sleep_until(until) => None,
                ended = self.supervisor.failed() => return Err(ended.into()),
                () = sleep(self.progress.pause()) => {
                    self.progress.report(self.organization.traffic());
                    if quiet_since.elapsed() > PATIENCE {
                        quiet_since = Instant::now();
                        self.organization.request_sweep(None);
                    }
                    continue;
                }
            };
            self.check_health()?;
            if Instant::now() >= self.deadline {
                return Ok(false);
            }
            if wake.is_some() {
                sleep(LULL).await;
                while self.wakes.try_recv().is_ok() {}
            }
            return Ok(true);
        }
    }

    /// What does not pass by itself ends the command, and so does a Pluvo that was never reached: that is a mistake in
    /// the address more often than an outage.
    fn check_health(&self) -> Result<()> {
        let health = self.organization.health();
        match health.failure {
            // Not as a cause: its own causes stand in its message.
            Some(error) if !error.is_retryable() || !health.reached => bail!("{}: {error}", self.name),
            _ => Ok(()),
        }
    }

    /// The error of a command that has no time left to read.
    pub fn too_late(&self) -> Result<()> {
        let allowed = self.allowed.as_secs();
        match self.organization.health().failure {
            Some(error) => bail!("{} could not be read within {allowed} s: {error}", self.name),
            None => bail!(
                "{} could not be read completely within {allowed} s; allow more with --timeout",
                self.name
            ),
        }
    }

    /// What to say while it takes long.
    pub fn doing(&mut self, what: impl Into<String>) {
        self.progress.what = what.into();
    }

    /// Sends nothing more and waits for what is under way. Returns what was sent and received in all.
    pub async fn end(&self) -> Traffic {
        self.progress.end();
        // What hangs for longer than a request may take has no answer.
        if timeout(Duration::from_secs(90), self.organization.stop())
            .await
            .is_err()
        {
            eprintln!("warning: a request is still under way; what it does is unknown");
        }
        self.organization.traffic()
    }
}

impl Writer {
    /// Begins to read and write an organization, for at most `allowed`.
    pub fn start(client: Client, settings: &Settings, allowed: Duration) -> Self {
        Self {
            session: Session::over(
                client,
                settings,
                allowed,
                |client, settings, first_sweep, wakes, supervisor| {
                    let start = Start {
                        name: client.endpoint().to_string().into(),
                        client,
                        settings,
                        record: GuardRecord::default(), // there is nothing but this run
                        first_sweep,
                    };
                    Organization::start(start, wakes, Box::new(NoPasses), supervisor)
                },
            ),
        }
    }

    /// Replaces everything of a resource that was not sent.
    pub fn submit(&self, resource: &ResourceKey, calls: Vec<Call>, as_of: Moment) {
        // If it is not taken, something changed meanwhile, and the next round decides anew.
        self.session.organization.submit(resource, calls, as_of);
    }

    /// Whether nothing is under way, and nothing can leave before somebody approves it.
    pub fn is_queue_at_rest(&self) -> bool {
        self.session.organization.is_queue_at_rest()
    }

    /// Releases what the guard holds, if it is exactly the set with this digest, and lets out what it let through: what
    /// a run has done is on record for as long as it lasts.
    pub fn attend_guard(&self, approved: Option<&str>) -> GuardReport {
        let organization = &self.session.organization;
        if let Some(digest) = approved {
            organization.approve(digest);
        }
        let report = organization.guard();
        organization.guard_recorded(report.revision);
        report
    }
}

/// Says on standard error that something takes long: on a terminal in one line, elsewhere now and then.
struct Progress {
    what: String,
    terminal: bool,
    shown: bool,
}

impl Progress {
    fn new(what: String) -> Self {
        Self {
            what,
            terminal: std::io::stderr().is_terminal(),
            shown: false,
        }
    }

    fn pause(&self) -> Duration {
        Duration::from_secs(if self.terminal { 1 } else { 10 })
    }

    fn report(&mut self, traffic: Traffic) {
        let line = format!("{}: {} requests so far", self.what, traffic.requests);
        if self.terminal {
            eprint!("\r\x1b[K{line}");
        } else {
            eprintln!("{line}");
        }
        self.shown = true;
    }

    fn end(&self) {
        if self.terminal && self.shown {
            eprint!("\r\x1b[K");
        }
    }
}
