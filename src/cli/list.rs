//! `list`: what is in an organization, all pages of it.

use std::{path::PathBuf, process::ExitCode};

use anyhow::Result;
use clap::{Args, ValueEnum};
use serde_json::{Value, json};

use crate::pluvo::{
    client::Client,
    model::{CustomField, EnumValue, Group, Page, Training, User},
    request::{ContentType, Query, QueryAnswer},
};

use super::{
    listing::{Listing, all, ask, email},
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
    vec![
        json!(user.reference),
        json!(user.name),
        json!(email(user.email.as_deref(), show_personal_data)),
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
