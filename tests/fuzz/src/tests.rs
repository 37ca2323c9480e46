//! The corpus as it is, and after a few random changes: a sample of what `make fuzz` does for minutes.

use std::{
    fs,
    panic::{AssertUnwindSafe, catch_unwind},
    path::{Path, PathBuf},
};

/// Random variants of each input.
const VARIANTS: usize = 40;

fn files(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder)
        .expect("a folder")
        .map(|entry| entry.expect("an entry").path());
    let mut files: Vec<_> = entries
        .flat_map(|path| if path.is_dir() { files(&path) } else { vec![path] })
        .collect();
    files.sort();
    files
}

/// Cuts, doubles, overwrites and removes at random places.
fn variant(input: &[u8], random: &mut fastrand::Rng) -> Vec<u8> {
    let mut bytes = input.to_vec();
    for _ in 0..random.usize(1..=4) {
        let begin = random.usize(0..=bytes.len());
        let end = random.usize(begin..=bytes.len().min(begin + 40));
        match random.u8(0..5) {
            0 => bytes.truncate(begin),
            1 => drop(bytes.drain(begin..end)),
            2 => bytes.splice(begin..begin, bytes[begin..end].to_vec()).for_each(drop),
            3 => bytes[begin..end].fill_with(|| random.u8(..)),
            _ => bytes[begin..end].reverse(),
        }
    }
    bytes
}

fn replay(target: fn(&[u8]), folder: &str) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join(folder);
    let seed = std::env::var("FUZZ_SEED").map_or_else(|_| fastrand::u64(..), |seed| seed.parse().expect("a number"));
    println!("FUZZ_SEED={seed} repeats the random changes");
    let mut random = fastrand::Rng::with_seed(seed);
    let files = files(&folder);
    assert!(!files.is_empty(), "{} is empty", folder.display());
    for file in files {
        let input = fs::read(&file).expect("a readable file");
        let variants: Vec<_> = (0..VARIANTS).map(|_| variant(&input, &mut random)).collect();
        for input in [input].iter().chain(&variants) {
            let outcome = catch_unwind(AssertUnwindSafe(|| target(input)));
            assert!(
                outcome.is_ok(),
                "{}, or a variant of it: {}",
                file.display(),
                input.escape_ascii()
            );
        }
    }
}

#[test]
fn answers() {
    replay(crate::answers, "corpus/answers");
}

#[test]
fn the_bug_on_purpose_is_not_in_the_corpus_and_is_one() {
    for file in files(&Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus/answers")) {
        crate::seeded(&fs::read(file).expect("a readable file"));
    }
    let page = br#"200 {"data":{"q0":{"count":0,"edges":[{"node":{"id":"a","name":"A","language":"EN"}}],"pageInfo":{"hasNextPage":false,"endCursor":null}}}}"#;
    assert!(catch_unwind(|| crate::seeded(page)).is_err());
}

#[test]
fn tokens() {
    replay(crate::tokens, "corpus/tokens");
}

#[test]
fn manifests() {
    replay(crate::manifests, "../../examples");
    replay(crate::manifests, "corpus/manifests");
}

#[test]
fn webhooks() {
    replay(crate::webhooks, "corpus/webhooks");
}
