//! `check`: whether an organization can be worked with, part by part.

use std::{path::PathBuf, process::ExitCode};

use anyhow::Result;
use clap::Args;

use crate::pluvo::{
    client::Client,
    error::Error,
    operation::samples::operations,
    request::{ContentType, PageRequest, Query},
    token::{EVENT_SCOPES, SCOPES},
};

use super::{manifests::Manifests, output::print, target::TargetArgs};

/// Checks address, credentials, scopes, schema and the reading of a first page.
///
/// Exit code 0: everything that the operator needs is there. 1: something is not.
#[derive(Args, Debug)]
pub struct CheckArgs {
    /// Manifests with the PluvoConnection of the organization.
    #[arg(short = 'f', long = "filename", value_name = "PATH", num_args = 1..)]
    files: Vec<PathBuf>,
    #[command(flatten)]
    target: TargetArgs,
}

/// The findings so far.
#[derive(Default)]
struct Findings {
    failed: bool,
}

impl Findings {
    fn fail(&mut self, what: &str, says: &str) -> Result<()> {
        self.failed = true;
        line("FAIL", what, says)
    }
}

fn ok(what: &str, says: &str) -> Result<()> {
    line("OK", what, says)
}

fn warn(what: &str, says: &str) -> Result<()> {
    line("WARN", what, says)
}

fn line(verdict: &str, what: &str, says: &str) -> Result<()> {
    print(&format!("{verdict:<5} {what:<12} {says}\n"))
}

/// Checks and prints.
pub async fn run(args: &CheckArgs) -> Result<ExitCode> {
    let manifests = Manifests::load(&args.files, "default")?;
    let target = args.target.resolve(&manifests)?;
    let mut findings = Findings::default();
    ok("address", &target.endpoint.to_string())?;
    match target.client(&manifests) {
        Err(error) => findings.fail("credentials", &format!("{error:#}"))?,
        Ok(client) => check(&client, &mut findings).await?,
    }
    Ok(if findings.failed {
        ExitCode::FAILURE
    } else {
        ExitCode::SUCCESS
    })
}

async fn check(client: &Client, findings: &mut Findings) -> Result<()> {
    let schema = client.check_schema(false).await;
    let Some(token) = client.token() else {
        return match schema {
            Err(error @ Error::Credentials(_)) => findings.fail("credentials", &error.to_string()),
            Err(error) => findings.fail("connection", &error.to_string()),
            Ok(_) => findings.fail("credentials", "no token was issued"),
        };
    };
    ok(
        "credentials",
        &format!("a token was issued; it ends at {:.0}", token.expires_at),
    )?;
    scopes(token.scopes.as_deref(), findings)?;
    match schema {
        Err(error) => return findings.fail("schema", &error.to_string()),
        Ok(false) => warn(
            "schema",
            "the server does not let its schema be read; parts that it lacks show as they are used",
        )?,
        Ok(true) => supported(client, findings)?,
    }
    let first = PageRequest::default;
    let pages = [
        (
            "users",
            Query::Users {
                archived: false,
                page: first(),
            },
        ),
        ("groups", Query::Groups { page: first() }),
        ("trainings", Query::Trainings { page: first() }),
        ("fields", Query::CustomFields(ContentType::User)),
    ];
    for (what, query) in pages {
        let answer = client.query(std::slice::from_ref(&query)).await;
        match answer.map(|answers| answers.into_iter().next()) {
            Ok(Some(Ok(_))) => ok(what, "can be read")?,
            Ok(Some(Err(error))) => findings.fail(what, &format!("cannot be read: {error}"))?,
            Ok(None) => findings.fail(what, "cannot be read: no answer")?,
            Err(error) => findings.fail(what, &format!("cannot be read: {error}"))?,
        }
    }
    Ok(())
}

fn scopes(granted: Option<&str>, findings: &mut Findings) -> Result<()> {
    let Some(granted) = granted else {
        return warn(
            "scopes",
            &format!("the server does not say which it granted; asked for: {SCOPES} {EVENT_SCOPES}"),
        );
    };
    let has: Vec<_> = granted.split_whitespace().collect();
    let missing = |of: &'static str| {
        let missing: Vec<_> = of.split_whitespace().filter(|scope| !has.contains(scope)).collect();
        missing.join(" ")
    };
    match (missing(SCOPES), missing(EVENT_SCOPES)) {
        (needed, _) if !needed.is_empty() => findings.fail("scopes", &format!("missing: {needed}; ask Pluvo for them")),
        (_, events) if !events.is_empty() => warn(
            "scopes",
            &format!("{granted}; without {events} nobody can be enrolled in events"),
        ),
        _ => ok("scopes", granted),
    }
}

/// A field that is only read can be missed; an operation that cannot be sent cannot.
fn supported(client: &Client, findings: &mut Findings) -> Result<()> {
    let unsupported = client.unsupported();
    let mut blocked: Vec<_> = operations()
        .iter()
        .filter_map(|operation| {
            Some(format!(
                "{} (it lacks {})",
                operation.field,
                unsupported.blocks(operation)?
            ))
        })
        .collect();
    blocked.dedup();
    if !blocked.is_empty() {
        findings.fail("schema", &format!("the server cannot take: {}", blocked.join(", ")))
    } else if unsupported.is_empty() {
        ok("schema", "the server knows everything that is used")
    } else {
        warn(
            "schema",
            &format!("the server lacks, and it goes without: {unsupported}"),
        )
    }
}
