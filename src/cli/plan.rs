//! `plan`: what would happen. It cannot write: it holds nothing that could.

use std::{path::PathBuf, process::ExitCode, time::Duration};

use anyhow::{Result, bail};
use clap::{Args, ValueEnum};

use crate::api::{self, duration::ParseDurationError};

use super::{
    exit::CHANGES,
    forecast::forecast,
    manifests::Manifests,
    note_others,
    output::{json, print, yaml},
    printout::Printout,
    session::Session,
    target::TargetArgs,
    workspace::Workspace,
};

/// Shows what the operator would do in Pluvo, without a cluster and without writing anything.
///
/// Exit code 0: Pluvo holds everything as declared. 2: it does not: something would be written, is only reported, waits
/// or is stalled. 1: there is no plan, because the manifests are broken or Pluvo cannot be read.
///
/// There is no memory without a cluster: everything that differs counts as a change.
#[derive(Args, Debug)]
pub struct PlanArgs {
    #[command(flatten)]
    manifests: ManifestArgs,
    /// Manifests as they were before the change: what is gone since is shown with what its deletionPolicy does.
    #[arg(long, value_name = "PATH", num_args = 1..)]
    base: Vec<PathBuf>,
    /// How the plan is printed.
    #[arg(short, long, value_enum, default_value_t = Format::Human)]
    output: Format,
    /// Show e-mail addresses and values of custom fields.
    #[arg(long)]
    show_personal_data: bool,
    /// How long Pluvo may take to be read, such as 90s or 5m.
    #[arg(long, value_name = "DURATION", default_value = "5m", value_parser = duration)]
    timeout: Duration,
    #[command(flatten)]
    target: TargetArgs,
}

/// Which manifests.
#[derive(Args, Clone, Debug)]
pub struct ManifestArgs {
    /// Manifests: files, or folders with everything in them; - is the standard input.
    #[arg(short = 'f', long = "filename", value_name = "PATH", num_args = 1.., required = true)]
    pub files: Vec<PathBuf>,
    /// The namespace of manifests that name none.
    #[arg(short, long, default_value = "default")]
    pub namespace: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Format {
    /// For a terminal.
    Human,
    /// As data.
    Json,
    /// As data.
    Yaml,
    /// For a pull request.
    Markdown,
}

impl ManifestArgs {
    /// Reads them, and says what was passed over.
    pub fn load(&self) -> Result<Manifests> {
        let manifests = Manifests::load(&self.files, &self.namespace)?;
        note_others(&manifests);
        Ok(manifests)
    }
}

/// A duration, as in a spec.
pub fn duration(text: &str) -> Result<Duration, ParseDurationError> {
    text.parse().map(api::Duration::into)
}

/// Plans and prints.
pub async fn run(args: &PlanArgs) -> Result<ExitCode> {
    let manifests = args.manifests.load()?;
    let base = (!args.base.is_empty())
        .then(|| Manifests::load(&args.base, &args.manifests.namespace))
        .transpose()?;
    if let Some(base) = &base {
        manifests.check_changes(base)?;
    }
    if manifests.resources.is_empty() && base.as_ref().is_none_or(|base| base.resources.is_empty()) {
        bail!("nothing to plan: the manifests hold no user, group, membership or assignment");
    }
    let target = args.target.resolve(&manifests)?;
    let workspace = Workspace::new(&manifests, base.as_ref(), &target, args.show_personal_data)?;
    let settings = target.settings();
    let mut session = Session::reading(target.client(&manifests)?, &settings, args.timeout);
    let forecast = forecast(&mut session, &workspace, settings.operations_per_request).await;
    let read = session.end().await.requests;
    let printout = Printout::new(
        target.endpoint.to_string(),
        &workspace,
        &forecast?,
        read,
        args.show_personal_data,
    );
    print(&match args.output {
        Format::Human => printout.to_human(),
        Format::Json => json(&printout)?,
        Format::Yaml => yaml(&printout)?,
        Format::Markdown => printout.to_markdown(),
    })?;
    Ok(if printout.is_empty() {
        ExitCode::SUCCESS
    } else {
        ExitCode::from(CHANGES)
    })
}
