//! `apply`: makes Pluvo match, once, with the planning and the engine of the operator.

use std::{
    collections::{HashMap, HashSet},
    process::ExitCode,
    time::Duration,
};

use anyhow::{Result, bail};
use clap::Args;
use tokio::time::Instant;

use crate::{
    api::{Kind, Reason, reason::Progress},
    organization::{guard::GuardReport, hold::Hold},
    plan::{Action, Call, Decision, ResourceKey, Verdict, prediction::Prediction, resource},
    pluvo::request::MembershipChange,
};

use super::{
    exit::INTERRUPTED,
    forecast::{Forecast, Outlook},
    manifests::Manifests,
    output::print,
    plan::{ManifestArgs, duration},
    printout::Printout,
    session::Writer,
    target::TargetArgs,
    workspace::Workspace,
};

/// Makes Pluvo match, once and without a cluster.
///
/// There is no memory without a cluster: it creates, adopts, changes and adds. It never removes or archives anybody
/// because a manifest is gone, and it sends no mail, because it could not know to whom one was sent before.
///
/// Exit code 0: everything is as declared. 1: something is stalled or waits for something that does not exist.
#[derive(Args, Debug)]
pub struct ApplyArgs {
    #[command(flatten)]
    manifests: ManifestArgs,
    /// Apply manifests that ask for mail as if they did not. Without this they are refused.
    #[arg(long)]
    no_mail: bool,
    /// Show e-mail addresses and values of custom fields.
    #[arg(long)]
    show_personal_data: bool,
    /// Release what the guard holds, if it is exactly the set with this digest.
    #[arg(long, value_name = "DIGEST")]
    approve: Option<String>,
    /// How long it may take, such as 90s or 5m.
    #[arg(long, value_name = "DURATION", default_value = "5m", value_parser = duration)]
    timeout: Duration,
    #[command(flatten)]
    target: TargetArgs,
}

/// Applies and prints what was done.
pub async fn run(args: &ApplyArgs) -> Result<ExitCode> {
    let mut manifests = args.manifests.load()?;
    if manifests.resources.is_empty() {
        bail!("nothing to apply: the manifests hold no user, group, membership or assignment");
    }
    settle_mail(&mut manifests, args.no_mail)?;
    let target = args.target.resolve(&manifests)?;
    let workspace = Workspace::new(&manifests, None, &target, args.show_personal_data)?;
    let writer = Writer::start(target.client(&manifests)?, &target.settings(), args.timeout);
    let mut work = Work::new(writer, &workspace, args.approve.as_deref());
    let ended = tokio::select! {
        ended = work.until_settled() => ended,
        result = tokio::signal::ctrl_c() => result.map(|()| End::Interrupted).map_err(Into::into),
    };
    // Documents under way are waited for, so that what is told is true.
    let traffic = work.writer.session.end().await;
    let ended = ended?;
    let printout = Printout::new(
        target.endpoint.to_string(),
        &workspace,
        &work.done(),
        traffic.requests,
        args.show_personal_data,
    );
    print(&printout.to_applied(traffic.mutations))?;
    match ended {
        End::Interrupted => Ok(ExitCode::from(INTERRUPTED)),
        End::TooLate => bail!(
            "not finished within {} s; apply again to go on, or allow more with --timeout",
            args.timeout.as_secs()
        ),
        End::Settled if printout.is_applied() => Ok(ExitCode::SUCCESS),
        End::Settled => Ok(ExitCode::FAILURE),
    }
}

/// Mail is sent at most once to everybody, and that takes a memory.
fn settle_mail(manifests: &mut Manifests, no_mail: bool) -> Result<()> {
    let mut asking = Vec::new();
    for manifest in manifests.resources.values_mut() {
        if let Some(flag) = manifest.mail_flag() {
            asking.push(format!(
                "\n  {}: {}: spec.{flag} is true",
                manifest.origin, manifest.key
            ));
            manifest.clear_mail_flag();
        }
    }
    if asking.is_empty() || no_mail {
        return Ok(());
    }
    bail!(
        "nothing was applied: apply sends no mail, because it cannot know to whom one was sent before. Leave these to \
         the operator, or apply them without mail with --no-mail:{}",
        asking.concat()
    )
}

/// How it ended.
enum End {
    Settled,
    TooLate,
    Interrupted,
}

/// Whether anything is left that may happen by itself.
enum Pass {
    Settled,
    /// Until then at the latest, if there is a time.
    Working(Option<Instant>),
}

struct Work<'a> {
    writer: Writer,
    workspace: &'a Workspace,
    /// What was asked for so far, and how each resource stands.
    outlooks: HashMap<ResourceKey, Outlook>,
    last: HashMap<ResourceKey, Decision>,
    holds: HashMap<ResourceKey, Hold>,
    /// The digest that was given with the command.
    approved: Option<&'a str>,
    guard: GuardReport,
}

impl<'a> Work<'a> {
    fn new(writer: Writer, workspace: &'a Workspace, approved: Option<&'a str>) -> Self {
        let nothing = |resource| Outlook::nothing(workspace, resource);
        Self {
            writer,
            workspace,
            outlooks: workspace
                .resources
                .iter()
                .map(|resource| (resource.key.clone(), nothing(resource)))
                .collect(),
            last: HashMap::new(),
            holds: HashMap::new(),
            approved,
            guard: GuardReport::default(),
        }
    }

    /// Decides and submits pass after pass, until nothing is left that would happen by itself.
    async fn until_settled(&mut self) -> Result<End> {
        self.writer.session.first_sweep().await?;
        self.writer.session.doing("writing");
        while let Pass::Working(at) = self.pass() {
            if !self.writer.session.news(at).await? {
                return Ok(End::TooLate);
            }
        }
        Ok(End::Settled)
    }

    fn pass(&mut self) -> Pass {
        self.guard = self.writer.attend_guard(self.approved);
        let (mut working, mut wake_at) = (!self.writer.is_queue_at_rest(), None);
        for resource in self
            .workspace
            .resources
            .iter()
            .filter(|resource| resource.blocked.is_none())
        {
            let key = &resource.key;
            let hold = self.holds.get(key).copied();
            let hold_is_over = hold.is_some_and(|hold| hold.ends() <= Instant::now());
            let nothing_predicted = Prediction::default();
            let (mut decision, unknown, as_of) = self.writer.session.observe(key, |view| {
                let seen = nothing_predicted.over(view);
                let decision = resource::plan(&resource.object, &self.workspace.registry, &seen, hold_is_over);
                (decision, seen.met_unknown(), view.moment())
            });
            keep_members(&mut decision);
            let hold = Hold::next(hold, decision.awaited, Instant::now());
            if let Some(hold) = hold {
                self.holds.insert(key.clone(), hold);
                wake_at = Some(wake_at.map_or(hold.ends(), |at: Instant| at.min(hold.ends())));
            } else {
                self.holds.remove(key);
            }
            let pending = decision.verdict.reason == Reason::Pending;
            let may_leave = !decision.calls.is_empty() && decision.verdict.reason != Reason::HeldByGuard;
            working |= unknown || pending || hold.is_some() || may_leave;
            self.writer.submit(key, decision.calls.clone(), as_of);
            self.take(key, decision);
        }
        if working { Pass::Working(wake_at) } else { Pass::Settled }
    }

    fn take(&mut self, key: &ResourceKey, decision: Decision) {
        if let Some(outlook) = self.outlooks.get_mut(key) {
            outlook.add(&decision, decision.calls.len());
        }
        self.last.insert(key.clone(), decision);
    }

    /// What was done: what was asked for and is not left.
    fn done(mut self) -> Forecast {
        let resources = self.workspace.resources.iter().filter_map(|resource| {
            let mut outlook = self.outlooks.remove(&resource.key)?;
            if let Some(last) = self.last.remove(&resource.key) {
                keep_done(&mut outlook, &last, resource.key.kind);
            }
            Some(outlook)
        });
        Forecast {
            resources: resources.collect(),
            requests: 0,
            guard: self.guard,
        }
    }
}

/// An apply has no memory, so that it cannot know whom it may remove: everybody stays.
fn keep_members(decision: &mut Decision) {
    let asked = decision.calls.len();
    decision.calls.retain(|call| !removes(call));
    if decision.calls.is_empty() && asked > 0 {
        let message = "members whom nobody declares stay: apply removes nobody, the operator does";
        decision.verdict = Verdict::done(Reason::DriftReported, message);
    }
}

fn removes(call: &Call) -> bool {
    matches!(
        call.action,
        Action::Subjects {
            change: MembershipChange::Remove,
            ..
        }
    )
}

fn keep_done(outlook: &mut Outlook, last: &Decision, kind: Kind) {
    let exists = last.identity.id.is_some() || kind.has_subjects();
    let left: HashSet<_> = last.changes.iter().chain(&last.drift).map(|left| &left.path).collect();
    let reported = outlook.verdict.progress == Progress::Done && outlook.calls.is_empty();
    if !reported {
        outlook
            .differences
            .retain(|difference| exists && !left.contains(&difference.path));
    }
    if outlook.differences.is_empty() {
        outlook.calls.clear();
        outlook.adopted = false;
    }
}
