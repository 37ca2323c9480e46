//! `report`: the rows that a report adds up, read with its own parameters. The cluster never holds them.

use std::{
    collections::{BTreeSet, HashSet},
    path::PathBuf,
    process::ExitCode,
};

use anyhow::{Result, bail};
use clap::{Args, ValueEnum};
use jiff::Timestamp;
use serde_json::{Value, json};

use crate::{
    api::Reported,
    plan::{
        ConnectionKey, Registry, ResourceKey, reporting,
        survey::{LoginFilter, Survey},
    },
    pluvo::{
        client::Client,
        model::{Id, LastLogin, Person, PortfolioRow},
        request::{Persons, Query, QueryAnswer, Selector},
    },
};

use super::{
    listing::{Listing, all, ask, email},
    manifests::Manifests,
    output::{self, print},
    target::TargetArgs,
    workspace::{Resource, Workspace},
};

/// Prints the rows that a report adds up, read from Pluvo with the report's own parameters.
///
/// The manifests may come from a cluster: kubectl get pluvo -o yaml | pluvo-operator report NAME -f -
#[derive(Args, Debug)]
pub struct ReportArgs {
    /// The report: its name, or KIND/NAME where several have it.
    name: String,
    /// Manifests with the report, its PluvoConnection, and the PluvoUsers that its exclusions select; - is the standard
    /// input. May be given more than once.
    #[arg(short = 'f', long = "filename", value_name = "PATH", required = true)]
    files: Vec<PathBuf>,
    /// The namespace of manifests that name none.
    #[arg(short, long, default_value = "default")]
    namespace: String,
    /// How it is printed.
    #[arg(short, long, value_enum, default_value_t = Format::Csv)]
    output: Format,
    /// Show e-mail addresses.
    #[arg(long)]
    show_personal_data: bool,
    #[command(flatten)]
    target: TargetArgs,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Format {
    /// Comma-separated, with a head; what a spreadsheet would run as a formula is a text.
    Csv,
    /// An array of objects.
    Json,
}

/// Reads and prints.
pub async fn run(args: &ReportArgs) -> Result<ExitCode> {
    let manifests = Manifests::load(&args.files, &args.namespace)?;
    let target = args.target.resolve(&manifests)?;
    let workspace = Workspace::new(&manifests, None, &target, args.show_personal_data)?;
    let report = find(&workspace, &args.name)?;
    let client = target.client(&manifests)?;
    let listing = read(&client, &workspace.registry, report, args.show_personal_data).await?;
    print(&match args.output {
        Format::Csv => listing.to_csv(),
        Format::Json => output::json(&listing.to_objects())?,
    })?;
    Ok(ExitCode::SUCCESS)
}

/// A report among the manifests.
struct Report<'a> {
    key: &'a ResourceKey,
    connection: ConnectionKey,
    about: Reported<'a>,
}

/// The one report of a name.
fn find<'a>(workspace: &'a Workspace, name: &str) -> Result<Report<'a>> {
    let (kind, name) = name
        .split_once('/')
        .map_or((None, name), |(kind, name)| (Some(kind), name));
    let report = |resource: &'a Resource| {
        Some(Report {
            key: &resource.key,
            connection: resource.object.connection(),
            about: resource.object.reported()?,
        })
    };
    let is_named = |report: &Report<'_>| {
        let of_kind = kind.is_none_or(|kind| kind.eq_ignore_ascii_case(report.key.kind.name()));
        of_kind && *report.key.name == *name
    };
    let reports = workspace.resources.iter().filter_map(report);
    let (named, others): (Vec<_>, Vec<_>) = reports.partition(is_named);
    match <[Report<'a>; 1]>::try_from(named) {
        Ok([one]) => Ok(one),
        Err(none) if none.is_empty() && others.is_empty() => {
            bail!("the manifests hold no report; give the file of {name} with -f")
        }
        Err(none) if none.is_empty() => {
            let known = keys(&others);
            bail!("the manifests hold no report {name}; those that they hold: {known}")
        }
        Err(several) => {
            let several = keys(&several);
            bail!("{name} may be {several}; give KIND/{name}, or the file of one with -f")
        }
    }
}

fn keys(reports: &[Report<'_>]) -> String {
    let keys: Vec<_> = reports.iter().map(|report| report.key.to_string()).collect();
    keys.join(", ")
}

async fn read(client: &Client, registry: &Registry, report: Report<'_>, show: bool) -> Result<Listing> {
    match report.about {
        Reported::Portfolio { groups, types, titles } => {
            let filter = reporting::portfolio_filter(ids(client, groups).await?, &types);
            portfolio(client, Survey::Portfolio(filter), titles, show).await
        }
        Reported::LastLogins {
            unused_for,
            never_used,
            exclude,
        } => {
            let excluded = reporting::excluded(exclude, &report.connection, registry)?;
            last_logins(client, LoginFilter { unused_for, never_used }, &excluded, show).await
        }
    }
}

/// The ids of groups; without one of them everybody's rows would be printed, or too few.
async fn ids(client: &Client, groups: &[String]) -> Result<BTreeSet<Id>> {
    let mut ids = BTreeSet::new();
    for group in groups {
        match ask(client, Query::Group(Selector::Ref(group.as_str().into()))).await? {
            QueryAnswer::Group(Some(found)) => drop(ids.insert(found.id)),
            _ => bail!("group {group} does not exist in Pluvo; `pluvo-operator list groups` shows those that do"),
        }
    }
    Ok(ids)
}

async fn portfolio(client: &Client, survey: Survey, titles: &[String], show: bool) -> Result<Listing> {
    let now = Timestamp::now();
    let rows = all(
        client,
        |page| survey.query(Persons::Named, page, now),
        |answer| match answer {
            QueryAnswer::Portfolio(page) => Some(page),
            _ => None,
        },
    );
    let rows = rows.await?;
    let meant = rows.iter().filter(|row| reporting::is_meant(titles, &row.title));
    Ok(Listing {
        columns: &[
            "ref",
            "name",
            "email",
            "title",
            "progress",
            "score",
            "completionDate",
            "endDate",
            "days",
            "seconds",
            "id",
        ],
        rows: meant.map(|row| portfolio_row(row, show)).collect(),
    })
}

fn portfolio_row(row: &PortfolioRow, show: bool) -> Vec<Value> {
    let [reference, name, email] = person(&row.user, show);
    vec![
        reference,
        name,
        email,
        json!(row.title),
        row.progress.clone(),
        row.score.clone(),
        json!(row.completion_date),
        json!(row.end_date),
        json!(row.time_spent.and_then(|time| time.days)),
        json!(row.time_spent.and_then(|time| time.seconds)),
        json!(row.user.id),
    ]
}

async fn last_logins(client: &Client, filter: LoginFilter, excluded: &HashSet<String>, show: bool) -> Result<Listing> {
    let (now, survey) = (Timestamp::now(), Survey::LastLogins(filter));
    let rows = all(
        client,
        |page| survey.query(Persons::Named, page, now),
        |answer| match answer {
            QueryAnswer::LastLogins(page) => Some(page),
            _ => None,
        },
    );
    let rows = rows.await?;
    let is_excluded = |row: &LastLogin| row.user.reference.as_deref().is_some_and(|it| excluded.contains(it));
    let counted = rows.iter().filter(|row| filter.counts(row, now) && !is_excluded(row));
    let row = |row: &LastLogin| {
        let [reference, name, email] = person(&row.user, show);
        vec![reference, name, email, json!(row.last_login), json!(row.user.id)]
    };
    Ok(Listing {
        columns: &["ref", "name", "email", "lastLogin", "id"],
        rows: counted.map(row).collect(),
    })
}

fn person(person: &Person, show: bool) -> [Value; 3] {
    let email = email(person.email.as_deref(), show);
    [json!(person.reference), json!(person.name), json!(email)]
}
