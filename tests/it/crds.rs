//! `crds/`, and the chart's copies of it, are what the types say.

use std::{
    collections::BTreeMap,
    fs, io,
    path::{Path, PathBuf},
};

use anyhow::ensure;
use pluvo_operator::api::{crd_file_name, crds};

use crate::support::Result;

/// The chart has copies, and no links: what builds archives of a chart leaves links out.
const FOLDERS: [&str; 2] = ["crds", "charts/pluvo-operator/files/crds"];

#[test]
fn definitions_are_up_to_date() -> Result {
    let mut generated = BTreeMap::new();
    for crd in crds() {
        generated.insert(PathBuf::from(crd_file_name(&crd)), serde_saphyr::to_string(&crd)?);
    }
    for folder in FOLDERS.map(|folder| Path::new(env!("CARGO_MANIFEST_DIR")).join(folder)) {
        if std::env::var_os("UPDATE_CRDS").is_some() {
            write(&folder, &generated)?;
        }
        ensure!(
            read(&folder)? == generated,
            "{} is out of date: run `UPDATE_CRDS=1 cargo test --features sandbox --test it definitions`",
            folder.display()
        );
    }
    Ok(())
}

fn read(folder: &Path) -> Result<BTreeMap<PathBuf, String>> {
    let entries = match fs::read_dir(folder) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(BTreeMap::new()),
        entries => entries?,
    };
    entries
        .map(|entry| {
            let entry = entry?;
            Ok((entry.file_name().into(), fs::read_to_string(entry.path())?))
        })
        .collect()
}

fn write(folder: &Path, files: &BTreeMap<PathBuf, String>) -> Result {
    fs::create_dir_all(folder)?;
    for stale in read(folder)?.keys().filter(|name| !files.contains_key(*name)) {
        fs::remove_file(folder.join(stale))?;
    }
    for (name, text) in files {
        fs::write(folder.join(name), text)?;
    }
    Ok(())
}
