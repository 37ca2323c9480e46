//! What is read from Pluvo and printed as a table.

use anyhow::{Context, Result, bail};
use comfy_table::{Table, presets::NOTHING};
use serde_json::{Map, Value};

use crate::{
    organization::pages::Pages,
    plan::value::REDACTED,
    pluvo::{
        client::Client,
        model::Page,
        request::{PageRequest, Query, QueryAnswer},
    },
};

/// A table: every row has a value for each column.
pub struct Listing {
    /// What the columns are called.
    pub columns: &'static [&'static str],
    /// The rows.
    pub rows: Vec<Vec<Value>>,
}

/// The answer to one question.
pub async fn ask(client: &Client, query: Query) -> Result<QueryAnswer> {
    let answers = match client.query(&[query]).await {
        Ok(answers) => answers,
        // Not as a cause: its own causes stand in its message.
        Err(error) => bail!("{}: {error}", client.endpoint()),
    };
    Ok(answers.into_iter().next().context("Pluvo answered nothing")??)
}

/// All pages of a list. Whoever reads them is told if that may not be all.
pub async fn all<T>(
    client: &Client,
    query: impl Fn(PageRequest) -> Query,
    page: impl Fn(QueryAnswer) -> Option<Page<T>>,
) -> Result<Vec<T>> {
    let (mut rows, mut pages) = (Vec::new(), Pages::default());
    while pages.is_open() {
        let answer = ask(client, query(pages.next())).await?;
        let page = page(answer).context("Pluvo answered something else than a page")?;
        pages.note(&page);
        rows.extend(page.rows);
    }
    if !pages.complete(rows.len()) {
        eprintln!(
            "note: rows may be missing: the list changed while it was read, or Pluvo left some out; run it again"
        );
    }
    Ok(rows)
}

/// An e-mail address, as far as it may be shown.
pub fn email(email: Option<&str>, show_personal_data: bool) -> Option<&str> {
    email.map(|email| if show_personal_data { email } else { REDACTED })
}

impl Listing {
    /// An object for each row, with a member for each column.
    pub fn to_objects(&self) -> Vec<Map<String, Value>> {
        let object = |row: &Vec<Value>| {
            let members = self.columns.iter().zip(row);
            members
                .map(|(name, value)| ((*name).to_owned(), value.clone()))
                .collect()
        };
        self.rows.iter().map(object).collect()
    }

    /// Columns under a head.
    pub fn to_table(&self) -> String {
        let mut table = Table::new();
        table.load_style(NOTHING);
        table.set_header(self.columns.iter().map(|name| name.to_uppercase()));
        for row in &self.rows {
            table.add_row(row.iter().map(text));
        }
        let lines = table.trim_fmt();
        lines.lines().flat_map(|line| [line.trim(), "\n"]).collect()
    }

    /// Comma-separated values (RFC 4180) under a head, none of which a spreadsheet runs.
    pub fn to_csv(&self) -> String {
        let line = |cells: Vec<String>| cells.iter().map(|cell| quoted(cell)).collect::<Vec<_>>().join(",") + "\r\n";
        let head = line(self.columns.iter().map(|name| (*name).to_owned()).collect());
        let rows = self.rows.iter().map(|row| line(row.iter().map(inert).collect()));
        head + &rows.collect::<String>()
    }
}

/// What a spreadsheet would run as a formula becomes a text by an apostrophe before it: anybody may name a training or
/// themselves so. A number stays a number. As the CSV Injection page of OWASP has it.
fn inert(value: &Value) -> String {
    let text = text(value);
    let runs = !value.is_number() && text.starts_with(['=', '+', '-', '@', '\t', '\r', '\n']);
    if runs { format!("'{text}") } else { text }
}

fn text(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::String(text) => text.clone(),
        Value::Array(items) => items.iter().map(text).collect::<Vec<_>>().join(" "),
        other => other.to_string(),
    }
}

fn quoted(cell: &str) -> String {
    if cell.contains([',', '"', '\r', '\n']) {
        format!("\"{}\"", cell.replace('"', "\"\""))
    } else {
        cell.to_owned()
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_csv_file_runs_nothing_and_loses_nothing() {
        let cells = [
            (json!("=HYPERLINK(\"http://x\")"), "\"'=HYPERLINK(\"\"http://x\"\")\""),
            (json!("+31 6"), "'+31 6"),
            (json!("-1"), "'-1"),
            (json!("@SUM(A1)"), "'@SUM(A1)"),
            (json!("\t=1"), "'\t=1"),
            (json!("\n=1"), "\"'\n=1\""),
            (json!(["=1", "b"]), "'=1 b"),
            (json!(-1.5), "-1.5"),
            (json!("a=b, c"), "\"a=b, c\""),
            (json!(null), ""),
            (json!(true), "true"),
        ];
        let rows = cells.iter().map(|(value, _)| vec![value.clone()]).collect();
        let listing = Listing {
            columns: &["cell"],
            rows,
        };
        let expected: Vec<_> = cells.iter().map(|(_, cell)| *cell).collect();
        assert_eq!(listing.to_csv(), format!("cell\r\n{}\r\n", expected.join("\r\n")));
        assert_eq!(listing.to_objects()[1]["cell"], "+31 6", "JSON is for programs");
    }
}
