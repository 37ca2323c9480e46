//! Colours. Where they do not belong (no terminal, `NO_COLOR`), whoever prints takes them out.

use anstyle::{AnsiColor, Style};

use super::Verb;

/// How a verb looks: its sign, its name and its colour.
pub fn of(verb: Verb) -> (&'static str, &'static str, Style) {
    let colour = |colour: AnsiColor| Style::new().fg_color(Some(colour.into()));
    match verb {
        Verb::Create => ("+", "create", colour(AnsiColor::Green)),
        Verb::Adopt => (">", "adopt", colour(AnsiColor::Cyan)),
        Verb::Change => ("~", "change", colour(AnsiColor::Yellow)),
        Verb::Add => ("+", "add", colour(AnsiColor::Green)),
        Verb::Remove => ("-", "remove", colour(AnsiColor::Red)),
        Verb::Archive => ("-", "archive", colour(AnsiColor::Red)),
        Verb::Restore => ("+", "restore", colour(AnsiColor::Green)),
        Verb::Delete => ("-", "delete", colour(AnsiColor::Red)),
        Verb::Orphan => ("o", "let go", Style::new()),
        Verb::Report => ("~", "report", colour(AnsiColor::Yellow)),
        Verb::Unobservable => ("?", "unseen", Style::new().dimmed()),
        Verb::Wait => ("?", "wait", colour(AnsiColor::Blue)),
        Verb::Stall => ("!", "stalled", colour(AnsiColor::Red).bold()),
        Verb::Suspend => ("o", "suspended", Style::new().dimmed()),
        Verb::Keep => ("=", "as declared", Style::new()),
    }
}
