//! `crds`: the CustomResourceDefinitions, as they are in `crds/`.

use std::{fs, path::PathBuf, process::ExitCode};

use anyhow::{Context, Result};
use clap::Args;

use crate::api;

use super::output::{print, yaml};

/// Prints the CustomResourceDefinitions, or writes them into a folder.
#[derive(Args, Debug)]
pub struct CrdsArgs {
    /// The folder to write them to, one file for each kind.
    #[arg(long, value_name = "DIR")]
    dir: Option<PathBuf>,
}

/// Prints or writes.
pub fn run(args: &CrdsArgs) -> Result<ExitCode> {
    match &args.dir {
        None => print(
            &files()?
                .into_iter()
                .flat_map(|(_, text)| ["---\n".to_owned(), text])
                .collect::<String>(),
        )?,
        Some(dir) => {
            fs::create_dir_all(dir).with_context(|| dir.display().to_string())?;
            for (name, text) in files()? {
                let path = dir.join(name);
                fs::write(&path, text).with_context(|| path.display().to_string())?;
            }
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// The names and contents of all files.
fn files() -> Result<Vec<(String, String)>> {
    let crds = api::crds();
    crds.iter()
        .map(|crd| Ok((api::crd_file_name(crd), yaml(crd)?)))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// kubectl reads YAML 1.1, in which a bare `no`, `1_000` or `2026-01-01` is no text.
    #[test]
    fn every_text_that_a_reader_could_retype_is_quoted() {
        let retyped = regex::Regex::new(
            r"(?ix)^( y|yes|n|no|true|false|on|off|null|~ | [-+]?[0-9][0-9_,.:]*(e[-+]?[0-9]+)? | 0[xob][0-9a-f_]+ | [-+]?\.(inf|nan) | \d{4}-\d\d?-\d\d?.* )$",
        )
        .unwrap();
        for (name, text) in files().unwrap() {
            let value: serde_json::Value = serde_saphyr::from_str(&text).unwrap();
            let crd = api::crds()
                .into_iter()
                .find(|crd| api::crd_file_name(crd) == name)
                .unwrap();
            assert_eq!(
                value,
                serde_json::to_value(crd).unwrap(),
                "{name} does not read as it was written"
            );
            let scalars = text.lines().map(|line| {
                let value = line.split_once(": ").map_or(line, |(_, value)| value);
                value.trim().trim_start_matches("- ")
            });
            for scalar in scalars.filter(|scalar| retyped.is_match(scalar)) {
                let is_typed = scalar == "true" || scalar == "false" || scalar.parse::<f64>().is_ok();
                assert!(is_typed, "{name}: {scalar} is not quoted");
            }
        }
    }
}
