//! Printing: formats, and standard output that may be a closed pipe.

use std::io::{ErrorKind, Write};

use anyhow::{Context, Result};
use serde::Serialize;

/// Prints text; colours only where they are wanted. Who reads only the beginning gets only that.
pub fn print(text: &str) -> Result<()> {
    let mut out = anstream::stdout().lock();
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        Err(error) if error.kind() == ErrorKind::BrokenPipe => Ok(()),
        result => result.context("cannot write to standard output"),
    }
}

/// Something as JSON with a line break at the end.
pub fn json(value: &impl Serialize) -> Result<String> {
    Ok(serde_json::to_string_pretty(value)? + "\n")
}

/// Something as YAML that every reader reads alike.
pub fn yaml(value: &impl Serialize) -> Result<String> {
    Ok(serde_saphyr::to_string(value)?)
}
