//! The directory of this run.

use std::{
    fs,
    path::{Path, PathBuf},
    sync::{
        OnceLock,
        atomic::{AtomicU32, Ordering},
    },
};

use super::Result;

/// Where everything that this process starts keeps its files. `PLUVO_TEST_DIR` names one that outlives later runs.
pub fn directory() -> Result<&'static Path> {
    static DIRECTORY: OnceLock<Result<PathBuf, String>> = OnceLock::new();
    let made = DIRECTORY.get_or_init(|| make().map_err(|error| error.to_string()));
    made.as_deref()
        .map_err(|error| anyhow::anyhow!("cannot make the directory of this run: {error}"))
}

/// A new directory in it.
pub fn subdirectory(name: &str) -> Result<PathBuf> {
    static COUNT: AtomicU32 = AtomicU32::new(1);
    let path = directory()?.join(format!("{name}-{}", COUNT.fetch_add(1, Ordering::Relaxed)));
    fs::create_dir_all(&path)?;
    Ok(path)
}

fn make() -> std::io::Result<PathBuf> {
    let path = if let Some(path) = std::env::var_os("PLUVO_TEST_DIR") {
        std::path::absolute(path)?
    } else {
        let parent = Path::new(env!("CARGO_TARGET_TMPDIR"));
        remove_old_runs(parent)?;
        parent.join(format!("run-{}", std::process::id()))
    };
    fs::create_dir_all(&path)?;
    Ok(path)
}

/// Directories of processes that no longer exist: logs are looked at after a failure, not after the next run.
fn remove_old_runs(parent: &Path) -> std::io::Result<()> {
    fs::create_dir_all(parent)?;
    for entry in fs::read_dir(parent)? {
        let entry = entry?;
        let name = entry.file_name();
        let pid = name.to_str().and_then(|name| name.strip_prefix("run-"));
        if pid.is_some_and(|pid| !Path::new("/proc").join(pid).exists()) {
            fs::remove_dir_all(entry.path())?;
        }
    }
    Ok(())
}
