//! What the experiments gave, to read and to look at.

use std::fmt::Write as _;

use crate::experiment::{Experiment, Figure};
use crate::plot::{Curve, Upwards, plot};
use crate::results::{Grid, Results, Table};
use crate::target::Check;

/// A number with three digits that count.
#[must_use]
pub(crate) fn number(value: f64) -> String {
    let size = value.abs();
    if !value.is_finite() {
        "–".to_owned()
    } else if size >= 1e6 {
        format!("{:.2} M", value / 1e6)
    } else if size >= 100.0 || size == 0.0 {
        format!("{value:.0}")
    } else if size >= 10.0 {
        format!("{value:.1}")
    } else {
        format!("{value:.2}")
    }
}

/// What it was measured on, and what is not there.
#[must_use]
pub(crate) fn head(results: &Results) -> String {
    let mut out = format!(
        "{}; one reading of the clock {} ns\n\n",
        results.machine,
        number(results.clock_ns)
    );
    for what in &results.not_run {
        let _written = writeln!(out, "not run: {what}\n");
    }
    out
}

/// A table as Markdown.
#[must_use]
pub(crate) fn table(experiment: &Experiment, table: &Table) -> String {
    let mut out = format!("### {}\n\n| |", experiment.name);
    for figure in experiment.figures {
        let _written = write!(out, " {} |", figure.title());
        if !figure.adds_up() {
            let _written = write!(out, " × {} |", experiment.base);
        }
    }
    out.push_str("\n|---|");
    for figure in experiment.figures {
        out.push_str(if figure.adds_up() { "---:|" } else { "---:|---:|" });
    }
    out.push('\n');
    for subject in &table.subjects {
        let _written = write!(out, "| {subject} |");
        for figure in experiment.figures {
            let _written = write!(out, " {} |", number(table.figure(subject, *figure)));
            if !figure.adds_up() {
                let ratio = table.ratio(subject, *figure, experiment.base);
                let _written = write!(out, " {} |", number(ratio));
            }
        }
        out.push('\n');
    }
    out.push('\n');
    for note in &table.notes {
        let _written = writeln!(out, "{note}\n");
    }
    out
}

/// Rows of numbers as Markdown.
#[must_use]
pub(crate) fn grid(grid: &Grid) -> String {
    let mut out = format!("### {}\n\n| | {} |\n|---|", grid.name, grid.columns.join(" | "));
    out.push_str(&"---:|".repeat(grid.columns.len()));
    out.push('\n');
    for (what, values) in &grid.rows {
        let values: Vec<_> = values.iter().map(|value| number(value.unwrap_or(f64::NAN))).collect();
        let _written = writeln!(out, "| {what} | {} |", values.join(" | "));
    }
    out.push('\n');
    for note in &grid.notes {
        let _written = writeln!(out, "{note}\n");
    }
    out
}

/// The targets as Markdown.
#[must_use]
pub(crate) fn checks(checks: &[Check]) -> String {
    if checks.is_empty() {
        return String::new();
    }
    let mut out = "### the targets\n\n| | target | here | |\n|---|---|---:|---|\n".to_owned();
    for check in checks {
        let met = if check.met { "met" } else { "**missed**" };
        let (Check { what, target, .. }, here) = (check, number(check.here));
        let _written = writeln!(out, "| {what} | {target} | {here} | {met} |");
    }
    out.push('\n');
    out
}

/// How many of a hundred hand-offs took no longer, over the time they took.
#[must_use]
pub(crate) fn latency_plot(table: &Table) -> String {
    let points = |subject: &String| {
        let steps = table.one_way_us(subject).into_iter().enumerate();
        steps.filter(|(_, us)| *us > 0.0).map(|(step, us)| (us, step as f64 / 2.0)).collect()
    };
    let curves: Vec<Curve<'_>> = table
        .subjects
        .iter()
        .map(|subject| Curve { name: subject, points: points(subject) })
        .collect();
    let upwards = "% of the frames that took no longer";
    plot(&table.name, "one way, µs", upwards, Upwards::Percent, &curves)
}

/// A figure over the frames' size: one table a size.
#[must_use]
pub(crate) fn size_plot(title: &str, figure: Figure, tables: &[(&Experiment, &Table)]) -> String {
    let mut curves: Vec<Curve<'_>> = Vec::new();
    for (experiment, table) in tables {
        let size = experiment.run.size;
        let pixels = f64::from(size.width) * f64::from(size.height);
        for subject in &table.subjects {
            let value = table.figure(subject, figure);
            if !value.is_finite() {
                continue;
            }
            match curves.iter_mut().find(|curve| curve.name == subject) {
                Some(curve) => curve.points.push((pixels, value)),
                None => curves.push(Curve { name: subject, points: vec![(pixels, value)] }),
            }
        }
    }
    plot(title, "pixels of a frame", figure.title(), Upwards::Logarithmic, &curves)
}
