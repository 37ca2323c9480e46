//! `list`: what is in an organization, all pages of it.

use std::{path::PathBuf, process::ExitCode};

use anyhow::{Context, Result, bail};
use clap::{Args, ValueEnum};
use comfy_table::{Table, presets::NOTHING};
use serde_json::{Map, Value, json};

use crate::{
    plan::value::REDACTED,
    pluvo::{
        client::Client,
        model::{CustomField, EnumValue, Group, Page, Training, User},
        request::{ContentType, PageRequest, Query, QueryAnswer},
    },
};

use super::{
    manifests::Manifests,
    output::{self, print},
    target::TargetArgs,
};

/// Lists what is in an organization.
#[derive(Args, Debug)]
pub struct ListArgs {
    /// What to list.
    #[arg(value_enum)]
    what: What,
    /// How it is printed.
    #[arg(short, long, value_enum, default_value_t = Format::Human)]
    output: Format,
    /// Show e-mail addresses.
    #[arg(long)]
    show_personal_data: bool,
    /// Manifests with the PluvoConnection of the organization.
    #[arg(short = 'f', long = "filename", value_name = "PATH", num_args = 1..)]
    files: Vec<PathBuf>,
    #[command(flatten)]
    target: TargetArgs,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum What {
    /// Accounts, active and archived.
    Users,
    /// Groups.
    Groups,
    /// Trainings.
    Trainings,
    /// Custom fields of users and groups.
    CustomFields,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Format {
    /// A table.
    Human,
    /// An array of objects.
    Json,
    /// A list of objects.
    Yaml,
    /// Comma-separated, with a head.
    Csv,
}

/// A table: every row has a value for each column.
struct Listing {
    columns: &'static [&'static str],
    rows: Vec<Vec<Value>>,
}

/// Lists and prints.
pub async fn run(args: &ListArgs) -> Result<ExitCode> {
    let manifests = Manifests::load(&args.files, "default")?;
    let target = args.target.resolve(&manifests)?;
    let client = target.client(&manifests)?;
    let listing = list(&client, args.what, args.show_personal_data).await?;
    print(&match args.output {
        Format::Human => listing.to_table(),
        Format::Json => output::json(&listing.to_objects())?,
        Format::Yaml => output::yaml(&listing.to_objects())?,
        Format::Csv => listing.to_csv(),
    })?;
    Ok(ExitCode::SUCCESS)
}

async fn list(client: &Client, what: What, show_personal_data: bool) -> Result<Listing> {
    match what {
        What::Users => {
            let mut users = Vec::new();
            for archived in [false, true] {
                let query = |page| Query::Users { archived, page };
                users.extend(all(client, query, user_page).await?);
            }
            Ok(Listing {
                columns: &["ref", "name", "email", "roles", "language", "archived", "id"],
                rows: users.iter().map(|user| user_row(user, show_personal_data)).collect(),
            })
        }
        What::Groups => {
            let groups = all(client, |page| Query::Groups { page }, group_page).await?;
            Ok(Listing {
                columns: &["ref", "name", "maxUsers", "enableChat", "isEditable", "id"],
                rows: groups.iter().map(group_row).collect(),
            })
        }
        What::Trainings => {
            let trainings = all(client, |page| Query::Trainings { page }, training_page).await?;
            Ok(Listing {
                columns: &["ref", "title", "archived", "id"],
                rows: trainings.iter().map(training_row).collect(),
            })
        }
        What::CustomFields => {
            let mut rows = Vec::new();
            for (of, name) in [(ContentType::User, "user"), (ContentType::Group, "group")] {
                if let QueryAnswer::CustomFields(fields) = ask(client, Query::CustomFields(of)).await? {
                    rows.extend(fields.iter().map(|field| field_row(field, name)));
                }
            }
            Ok(Listing {
                columns: &["of", "ref", "title", "type", "options", "id"],
                rows,
            })
        }
    }
}

/// The answer to one question.
async fn ask(client: &Client, query: Query) -> Result<QueryAnswer> {
    let answers = match client.query(&[query]).await {
        Ok(answers) => answers,
        // Not as a cause: its own causes stand in its message.
        Err(error) => bail!("{}: {error}", client.endpoint()),
    };
    Ok(answers.into_iter().next().context("Pluvo answered nothing")??)
}

/// All pages of a list.
async fn all<T>(
    client: &Client,
    query: impl Fn(PageRequest) -> Query,
    page: impl Fn(QueryAnswer) -> Option<Page<T>>,
) -> Result<Vec<T>> {
    let mut rows = Vec::new();
    let mut request = PageRequest::default();
    loop {
        let answer = ask(client, query(request.clone())).await?;
        let page = page(answer).context("Pluvo answered something else than a page")?;
        rows.extend(page.rows);
        // A cursor that does not move on would be read for ever.
        if page.next.is_none() || page.next == request.after {
            return Ok(rows);
        }
        request.after = page.next;
    }
}

fn user_page(answer: QueryAnswer) -> Option<Page<User>> {
    if let QueryAnswer::Users(page) = answer {
        Some(page)
    } else {
        None
    }
}

fn group_page(answer: QueryAnswer) -> Option<Page<Group>> {
    if let QueryAnswer::Groups(page) = answer {
        Some(page)
    } else {
        None
    }
}

fn training_page(answer: QueryAnswer) -> Option<Page<Training>> {
    if let QueryAnswer::Trainings(page) = answer {
        Some(page)
    } else {
        None
    }
}

fn user_row(user: &User, show_personal_data: bool) -> Vec<Value> {
    let email = user
        .email
        .as_deref()
        .map(|email| if show_personal_data { email } else { REDACTED });
    vec![
        json!(user.reference),
        json!(user.name),
        json!(email),
        json!(user.roles),
        json!(user.language),
        json!(user.archived),
        json!(user.id),
    ]
}

fn group_row(group: &Group) -> Vec<Value> {
    vec![
        json!(group.reference),
        json!(group.name),
        json!(group.max_users),
        json!(group.enable_chat),
        json!(group.is_editable),
        json!(group.id),
    ]
}

fn training_row(training: &Training) -> Vec<Value> {
    vec![
        json!(training.reference),
        json!(training.title),
        json!(training.archived),
        json!(training.id),
    ]
}

fn field_row(field: &CustomField, of: &str) -> Vec<Value> {
    let options: Vec<_> = field
        .choice_options
        .iter()
        .map(|option| &*option.string_value)
        .collect();
    vec![
        json!(of),
        json!(field.reference),
        json!(field.title),
        json!(field.category_type.as_ref().map(|EnumValue(name)| name)),
        json!(options),
        json!(field.id),
    ]
}

impl Listing {
    fn to_objects(&self) -> Vec<Map<String, Value>> {
        let object = |row: &Vec<Value>| {
            let members = self.columns.iter().zip(row);
            members
                .map(|(name, value)| ((*name).to_owned(), value.clone()))
                .collect()
        };
        self.rows.iter().map(object).collect()
    }

    fn to_table(&self) -> String {
        let mut table = Table::new();
        table.load_style(NOTHING);
        table.set_header(self.columns.iter().map(|name| name.to_uppercase()));
        for row in &self.rows {
            table.add_row(row.iter().map(text));
        }
        let lines = table.trim_fmt();
        lines.lines().flat_map(|line| [line.trim(), "\n"]).collect()
    }

    fn to_csv(&self) -> String {
        let line = |cells: Vec<String>| cells.iter().map(|cell| quoted(cell)).collect::<Vec<_>>().join(",") + "\r\n";
        let head = line(self.columns.iter().map(|name| (*name).to_owned()).collect());
        let rows = self.rows.iter().map(|row| line(row.iter().map(text).collect()));
        head + &rows.collect::<String>()
    }
}

fn text(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::String(text) => text.clone(),
        Value::Array(items) => items.iter().map(text).collect::<Vec<_>>().join(" "),
        other => other.to_string(),
    }
}

/// A cell of a CSV file (RFC 4180).
fn quoted(cell: &str) -> String {
    if cell.contains([',', '"', '\r', '\n']) {
        format!("\"{}\"", cell.replace('"', "\"\""))
    } else {
        cell.to_owned()
    }
}
