//! Files that `plan` and `apply` are given.

use std::{cell::RefCell, io::Write, path::PathBuf};

use pluvo_operator::cli::manifests::Manifests;
use tempfile::NamedTempFile;

thread_local! {
    static FILE: RefCell<NamedTempFile> = RefCell::new(NamedTempFile::with_suffix(".yaml").expect("a temporary file"));
}

fn written(input: &[u8]) -> PathBuf {
    FILE.with_borrow_mut(|file| {
        file.as_file().set_len(0).expect("an empty file");
        std::io::Seek::rewind(file).expect("the beginning of a file");
        file.write_all(input).expect("a written file");
        file.path().to_owned()
    })
}

/// YAML: either it is accepted and can be decoded, or there is a problem that says why.
pub fn manifests(input: &[u8]) {
    match Manifests::load(&[written(input)], "default") {
        Ok(manifests) => {
            for manifest in manifests.resources.values() {
                manifest.object().expect("what the schema accepts can be decoded");
            }
            // What is accepted can also be changed into itself.
            manifests.check_changes(&manifests).expect("no change");
        }
        Err(problems) => assert!(!problems.0.is_empty() && !problems.to_string().is_empty()),
    }
}
