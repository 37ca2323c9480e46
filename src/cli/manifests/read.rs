//! Files: which of them are read, and the YAML documents in them.

use std::{
    fmt, fs, io,
    path::{Path, PathBuf},
    sync::Arc,
};

use serde_json::Value;
use serde_saphyr::{Spanned, UserMessageFormatter};

use super::Problem;

/// Where a manifest is written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Origin {
    /// The file, as it was named.
    pub file: Arc<Path>,
    /// Which of the file's documents, from 1; empty ones do not count.
    pub document: usize,
    /// The line in which it begins.
    pub line: u64,
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{} (document {})", self.file.display(), self.line, self.document)
    }
}

/// One YAML document.
#[derive(Clone, Debug)]
pub struct Document {
    /// Where it is.
    pub origin: Origin,
    /// What it says.
    pub value: Value,
}

/// All documents of files and folders, in the order of the arguments and of the names in a folder. Folders are read
/// with everything in them, files in them only if their name ends with .yaml or .yml; names that begin with a dot are
/// passed over. `-` is the standard input.
pub fn documents(paths: &[PathBuf]) -> (Vec<Document>, Vec<Problem>) {
    let (mut documents, mut problems) = (Vec::new(), Vec::new());
    for path in paths {
        let read = if path.as_os_str() == "-" {
            io::read_to_string(io::stdin()).map(|text| vec![(PathBuf::from("standard input"), text)])
        } else {
            read(path)
        };
        match read {
            Err(error) => problems.push(Problem::about_file(path, &format!("cannot be read: {error}"))),
            Ok(files) => {
                for (file, text) in files {
                    match parse(&file, &text) {
                        Ok(parsed) => documents.extend(parsed),
                        Err(problem) => problems.push(problem),
                    }
                }
            }
        }
    }
    (documents, problems)
}

fn read(path: &Path) -> io::Result<Vec<(PathBuf, String)>> {
    if !fs::metadata(path)?.is_dir() {
        return Ok(vec![(path.to_owned(), fs::read_to_string(path)?)]);
    }
    let mut entries = fs::read_dir(path)?.collect::<io::Result<Vec<_>>>()?;
    entries.sort_by_key(fs::DirEntry::file_name);
    let mut files = Vec::new();
    for entry in entries {
        let path = entry.path();
        let hidden = entry.file_name().as_encoded_bytes().starts_with(b".");
        let yaml = path
            .extension()
            .is_some_and(|extension| extension == "yaml" || extension == "yml");
        // Links to folders are not followed: they may lead in circles.
        if !hidden && (entry.file_type()?.is_dir() || yaml && path.is_file()) {
            files.extend(read(&path)?);
        }
    }
    Ok(files)
}

/// The documents of one file, read as kubectl reads them: by the rules of YAML 1.1, in which a bare `no` is a boolean.
fn parse(file: &Path, text: &str) -> Result<Vec<Document>, Problem> {
    // No budget: these are the user's own files. No snippets: what they quote may be personal data.
    let options = serde_saphyr::options! { budget: None, with_snippet: false };
    let documents: Vec<Spanned<Value>> = serde_saphyr::from_multiple_with_options(text, options).map_err(|error| {
        let message = error.render_with_formatter(&UserMessageFormatter);
        Problem::about_file(
            file,
            &format!("is not YAML: {}", message.lines().next().unwrap_or_default()),
        )
    })?;
    let file: Arc<Path> = file.into();
    let documents = documents.into_iter().enumerate();
    Ok(documents
        .map(|(index, document)| Document {
            origin: Origin {
                file: file.clone(),
                document: index + 1,
                line: document.referenced.line(),
            },
            value: document.value,
        })
        .collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn folders_are_read_with_everything_in_them() {
        let folder = tempfile::tempdir().unwrap();
        let write = |name: &str, text: &str| {
            let path = folder.path().join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        };
        write("b.yaml", "b: 1\n---\n# nothing\n---\nb: 2\n");
        write("a/c.yml", "c: no");
        write("a/readme.md", "not read");
        write(".hidden/d.yaml", "not read: [");
        let (documents, problems) = documents(&[folder.path().to_owned()]);
        assert_eq!(problems, []);
        let found: Vec<_> = documents
            .iter()
            .map(|document| {
                let origin = document.origin.to_string();
                let name = origin.trim_start_matches(&format!("{}/", folder.path().display()));
                format!("{name}: {}", document.value)
            })
            .collect();
        assert_eq!(
            found,
            [
                r#"a/c.yml:1 (document 1): {"c":false}"#,
                r#"b.yaml:1 (document 1): {"b":1}"#,
                r#"b.yaml:5 (document 2): {"b":2}"#
            ]
        );
    }

    #[test]
    fn what_is_no_yaml_is_named_without_being_quoted() {
        let problem = parse(Path::new("users.yaml"), "spec:\n  email: 'jane@example.com\n").unwrap_err();
        let text = problem.to_string();
        assert!(
            text.starts_with("users.yaml: is not YAML: ") && text.contains("line"),
            "{text}"
        );
        assert!(!text.contains("jane"), "{text}");
        let doubled = parse(Path::new("a.yaml"), "a: 1\na: 2\n").unwrap_err().to_string();
        assert!(doubled.contains("duplicate"), "{doubled}");
    }
}
