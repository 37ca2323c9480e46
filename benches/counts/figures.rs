//! What was measured, and whether it keeps its bounds.

use std::fmt;

use comfy_table::Table;

/// Figures with their bounds.
#[derive(Default)]
pub struct Figures(Vec<Figure>);

struct Figure {
    what: String,
    value: f64,
    most: Option<f64>,
}

impl Figures {
    /// A figure that may be so much at most.
    pub fn at_most(&mut self, what: impl Into<String>, value: impl Into<f64>, most: impl Into<f64>) {
        self.add(what.into(), value.into(), Some(most.into()));
    }

    /// A figure for whoever reads it.
    pub fn note(&mut self, what: impl Into<String>, value: impl Into<f64>) {
        self.add(what.into(), value.into(), None);
    }

    fn add(&mut self, what: String, value: f64, most: Option<f64>) {
        eprintln!("{what}: {value}");
        self.0.push(Figure { what, value, most });
    }

    /// Whether all bounds are kept.
    pub fn hold(&self) -> bool {
        self.0.iter().all(Figure::holds)
    }
}

impl Figure {
    fn holds(&self) -> bool {
        self.most.is_none_or(|most| self.value <= most)
    }
}

impl fmt::Display for Figures {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut table = Table::new();
        table.set_header(["figure", "measured", "at most", ""]);
        for figure in &self.0 {
            let most = figure.most.map(number).unwrap_or_default();
            let verdict = if figure.holds() { "" } else { "TOO MUCH" };
            table.add_row([&figure.what, &number(figure.value), &most, verdict]);
        }
        table.fmt(f)
    }
}

/// Whole numbers without a fraction, others with two digits.
fn number(value: f64) -> String {
    if value.fract() == 0.0 {
        format!("{value:.0}")
    } else {
        format!("{value:.2}")
    }
}

/// A count as a figure; counts here are far below what a float holds exactly.
pub fn count(number: usize) -> f64 {
    f64::from(u32::try_from(number).unwrap_or(u32::MAX))
}
