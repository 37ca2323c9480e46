//! The one way of dependence: `src/lib.rs` says who may use whom, the imports say who does.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::{Path, PathBuf},
};

use anyhow::ensure;

use pluvo_operator::api::Kind;

use crate::support::Result;

/// Which modules each module may use.
type Rules = BTreeMap<String, BTreeSet<String>>;

#[test]
fn modules_use_only_what_they_may() -> Result {
    let source = root().join("src");
    let rules = rules(&fs::read_to_string(source.join("lib.rs"))?);
    let mut found = Vec::new();
    for file in rust_files(&source)? {
        let name = file.strip_prefix(&source)?;
        // The sandbox is a package of its own: cargo holds it apart.
        if name != Path::new("lib.rs") && !name.starts_with("sandbox") {
            found.extend(violations(name, &fs::read_to_string(&file)?, &rules));
        }
    }
    ensure!(found.is_empty(), "{}", found.join("\n"));
    Ok(())
}

/// The table in the documentation of the crate.
fn rules(library: &str) -> Rules {
    let rows = library.lines().filter_map(|line| line.strip_prefix("//! | "));
    let rows = rows.filter_map(|row| {
        let mut cells = row.trim_end_matches(" |").split(" | ");
        let (module, may_use) = (cells.next()?, cells.nth(1)?);
        let names = may_use.split('`').skip(1).step_by(2);
        Some((
            module.trim_matches(['[', ']', '`']).to_owned(),
            names.map(str::to_owned).collect(),
        ))
    });
    rows.filter(|(module, _)| module != "module").collect()
}

/// What a file uses that its module may not use, in words.
fn violations(file: &Path, text: &str, rules: &Rules) -> Vec<String> {
    let module = file.iter().next().map(|first| Path::new(first).with_extension(""));
    let module = module.unwrap_or_default().to_string_lossy().into_owned();
    let Some(allowed) = rules.get(&module) else {
        return vec![format!(
            "src/{}: the table in src/lib.rs has no row for {module}",
            file.display()
        )];
    };
    let climbing = "super::".repeat(depth(file));
    // What a module calls by the name of another one may be its own part.
    let reached = used(text, &climbing)
        .into_iter()
        .filter(|name| rules.contains_key(name) && !text.contains(&format!("mod {name};")));
    let forbidden = used(text, "crate::")
        .into_iter()
        .chain(used(text, "pluvo_operator::"))
        .chain(reached)
        .filter(|used| *used != module && !allowed.contains(used));
    forbidden
        .map(|used| format!("src/{}: {module} may not use {used}", file.display()))
        .collect()
}

/// How many steps up the root of the crate is.
fn depth(file: &Path) -> usize {
    file.iter().count() - usize::from(file.ends_with("mod.rs"))
}

/// What is named right behind a root, in imports and in paths; `*` for everything.
fn used(text: &str, root: &str) -> BTreeSet<String> {
    let code: Vec<_> = text
        .lines()
        .filter(|line| !line.trim_start().starts_with("//"))
        .collect();
    let code = code.join("\n");
    let mut found = BTreeSet::new();
    for (at, _) in code.match_indices(root) {
        let is_part_of_a_name = code[..at].ends_with(|before: char| before == '_' || before.is_alphanumeric());
        if !is_part_of_a_name {
            found.extend(first_names(&code[at + root.len()..]));
        }
    }
    found
}

/// The first names of what follows the root of a path: one name, or those of a group in braces.
fn first_names(path: &str) -> Vec<String> {
    let Some(group) = path.strip_prefix('{') else {
        return vec![name(path)];
    };
    let (mut names, mut depth, mut begins) = (Vec::new(), 0, true);
    for (at, character) in group.char_indices() {
        match character {
            '}' if depth == 0 => break,
            '{' => depth += 1,
            '}' => depth -= 1,
            ',' if depth == 0 => begins = true,
            _ if begins && !character.is_whitespace() => {
                names.push(name(&group[at..]));
                begins = false;
            }
            _ => {}
        }
    }
    names
}

fn name(text: &str) -> String {
    if text.starts_with('*') {
        return "*".to_owned();
    }
    let is_name = |character: &char| *character == '_' || character.is_alphanumeric();
    text.chars().take_while(is_name).collect()
}

fn rust_files(folder: &Path) -> Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() {
            files.extend(rust_files(&path)?);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            files.push(path);
        }
    }
    files.sort();
    Ok(files)
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// A new kind is its own files, and a few lines where all kinds are listed: CONTRIBUTING.md says where.
#[test]
fn a_kind_is_named_in_its_own_files_and_where_contributing_says() -> Result {
    let listed = places_for_a_kind(&fs::read_to_string(root().join("CONTRIBUTING.md"))?);
    ensure!((1..=5).contains(&listed.len()), "{listed:?}");
    for place in &listed {
        ensure!(root().join(place).is_file(), "CONTRIBUTING.md names {place}");
    }
    // Everybody may speak of users and groups: they are what the other kinds are about.
    let kinds = Kind::ALL
        .iter()
        .filter(|kind| ![Kind::User, Kind::Group].contains(kind));
    let mut found = Vec::new();
    for file in rust_files(&root().join("src"))? {
        let name = file.strip_prefix(root())?.to_string_lossy().into_owned();
        let text = fs::read_to_string(&file)?;
        let is_test = name.contains("/tests") || name.contains("/testing") || name.starts_with("src/sandbox");
        if is_test || listed.contains(&name) {
            continue;
        }
        let strangers = kinds
            .clone()
            .filter(|kind| names_kind(&text, **kind) && !owns(&name, **kind));
        found.extend(strangers.map(|kind| format!("{name} names {}", kind.name())));
    }
    ensure!(found.is_empty(), "{}", found.join("\n"));
    Ok(())
}

/// The files of the numbered list in "Adding a kind".
fn places_for_a_kind(contributing: &str) -> Vec<String> {
    let section = contributing
        .split("### ")
        .find(|section| section.starts_with("Adding a kind"));
    let items = section
        .unwrap_or_default()
        .lines()
        .filter(|line| line.starts_with(|first: char| first.is_ascii_digit()));
    items
        .filter_map(|item| Some(item.split('`').nth(1)?.to_owned()))
        .collect()
}

/// Whether code outside of tests and comments names a kind.
fn names_kind(text: &str, kind: Kind) -> bool {
    let code = text.split("#[cfg(test)]").next().unwrap_or_default();
    let lines = code.lines().filter(|line| !line.trim_start().starts_with("//"));
    let variant = format!("{kind:?}");
    let mut paths = lines.flat_map(|line| line.split(|letter: char| !(letter.is_alphanumeric() || letter == ':')));
    paths.any(|path| {
        let steps: Vec<_> = path.split("::").collect();
        let is_variant = |pair: &[&str]| ["Kind", "Object"].contains(&pair[0]) && pair[1] == variant;
        steps.contains(&kind.name()) || steps.windows(2).any(is_variant)
    })
}

/// Whether a file is named after a kind.
fn owns(file: &str, kind: Kind) -> bool {
    let name = format!("{kind:?}").to_lowercase();
    Path::new(file).with_extension("").iter().any(|part| *part == *name)
}

#[test]
fn a_kind_that_is_named_elsewhere_is_found() {
    let kind = Kind::Assignment;
    for planted in [
        "if kind == Kind::Assignment {",
        "TrainingAssignment::of(x)",
        "Object::Assignment(a) => 1,",
    ] {
        assert!(names_kind(planted, kind), "{planted}");
    }
    for harmless in [
        "// Kind::Assignment",
        "MailKind::Assignment",
        "TrainingAssignmentSpec",
        "#[cfg(test)]\nKind::Assignment",
    ] {
        assert!(!names_kind(harmless, kind), "{harmless}");
    }
    assert!(owns("src/plan/assignment/tests.rs", kind) && !owns("src/plan/claims.rs", kind));
}

/// Whoever checks must be checked: each of these is found, and nothing else.
#[test]
fn a_planted_violation_is_found() {
    let rules = rules("//! | module | for | may use |\n//! | [`low`] | a | nothing |\n//! | `high` | b | `low` |");
    let in_file = |file: &str, text: &str| violations(Path::new(file), text, &rules);
    for planted in [
        "use crate::high;",
        "use crate::{low::Thing, high::{a::{b, c}, d}};",
        "use crate::{\n    low::{self, x},\n    high::y,\n};",
        "fn f() { crate::high::g() }",
        "use pluvo_operator::high::g;",
        "use super::super::super::high;", // from low/deep/file.rs
    ] {
        assert_eq!(
            in_file("low/deep/file.rs", planted),
            ["src/low/deep/file.rs: low may not use high"],
            "{planted}"
        );
    }
    assert_eq!(in_file("low.rs", "use crate::*;"), ["src/low.rs: low may not use *"]);
    assert_eq!(
        in_file("low/mod.rs", "use super::high;"),
        ["src/low/mod.rs: low may not use high"]
    );
    assert_eq!(in_file("new/mod.rs", "").len(), 1, "a module without a row");
    for harmless in [
        "use crate::low::{high, other::{self}};",
        "// crate::high\n/// [`crate::high`]",
        "use other_crate::high;",
        "mod high; use super::high;",
        "use super::Thing;",
    ] {
        assert!(in_file("low/mod.rs", harmless).is_empty(), "{harmless}");
    }
    assert!(in_file("high.rs", "use crate::{low::A, high::B};").is_empty());
}
