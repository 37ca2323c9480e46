//! Logs, as text for people or as JSON for machines. What the audit log tells is JSON in both.

use std::{fmt, io::IsTerminal};

use clap::ValueEnum;
use serde_json::{Map, Value};
use tracing::{
    Event, Subscriber,
    field::{Field, Visit},
};
use tracing_subscriber::{
    EnvFilter, Layer,
    filter::filter_fn,
    fmt::{FmtContext, FormatEvent, FormatFields, format::Writer},
    layer::SubscriberExt,
    registry::LookupSpan,
    util::SubscriberInitExt,
};

/// The log target of the audit log: see `docs/audit.md`.
const AUDIT: &str = "audit";

/// How a log line looks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// For people.
    Text,
    /// One JSON object a line.
    Json,
}

/// Starts logging to standard error. `filter`: a level, or directives such as `pluvo_operator=debug,kube=info`.
///
/// # Errors
///
/// The filter is not one.
pub fn start(format: Format, filter: &str) -> Result<(), tracing_subscriber::filter::ParseError> {
    let filter = EnvFilter::builder().parse(filter)?;
    let layer = tracing_subscriber::fmt::layer()
        .with_ansi(std::io::stderr().is_terminal())
        .with_writer(std::io::stderr);
    let lines = match format {
        Format::Text => layer.boxed(),
        Format::Json => layer.json().flatten_event(true).boxed(),
    };
    let audit = tracing_subscriber::fmt::layer()
        .with_writer(std::io::stderr)
        .event_format(AuditLine);
    tracing_subscriber::registry()
        .with(filter)
        .with(lines.with_filter(filter_fn(|meta| meta.target() != AUDIT)))
        .with(audit.with_filter(filter_fn(|meta| meta.target() == AUDIT)))
        .init();
    Ok(())
}

/// Time and target before the members of the object that the message is.
struct AuditLine;

impl<S, N> FormatEvent<S, N> for AuditLine
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'a> FormatFields<'a> + 'static,
{
    fn format_event(&self, _: &FmtContext<'_, S, N>, mut writer: Writer<'_>, event: &Event<'_>) -> fmt::Result {
        let mut message = Message::default();
        event.record(&mut message);
        let mut line = Map::new();
        line.insert("timestamp".to_owned(), jiff::Timestamp::now().to_string().into());
        line.insert("target".to_owned(), AUDIT.into());
        line.extend(serde_json::from_str::<Map<String, Value>>(&message.0).unwrap_or_default());
        writeln!(writer, "{}", Value::Object(line))
    }
}

#[derive(Default)]
struct Message(String);

impl Visit for Message {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        if field.name() == "message" {
            self.0 = format!("{value:?}");
        }
    }
}
