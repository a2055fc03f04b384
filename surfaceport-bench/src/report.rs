//! What the experiments gave, to read, to look at and to work on.

use std::fmt::Write as _;

use crate::experiment::{Figure, Line, Table};
use crate::plot::{Curve, Upwards, plot};

/// A number with three digits that count.
#[must_use]
pub fn number(value: f64) -> String {
    let size = value.abs();
    if !value.is_finite() {
        "–".to_owned()
    } else if size >= 1e6 {
        format!("{:.2} M", value / 1e6)
    } else if size >= 100.0 {
        format!("{value:.0}")
    } else if size >= 10.0 {
        format!("{value:.1}")
    } else {
        format!("{value:.2}")
    }
}

/// A table as Markdown.
#[must_use]
pub fn markdown(table: &Table) -> String {
    let experiment = &table.experiment;
    let mut out = format!("### {}\n\n| |", experiment.name);
    for figure in experiment.figures {
        let _written = write!(out, " {} | × {} |", figure.title(), experiment.base);
    }
    out.push_str("\n|---|");
    out.push_str(&"---:|---:|".repeat(experiment.figures.len()));
    out.push('\n');
    for line in &table.lines {
        let _written = write!(out, "| {} |", line.subject);
        for (value, ratio) in line.medians.iter().zip(&line.ratios) {
            let _written = write!(out, " {} | {} |", number(*value), number(*ratio));
        }
        out.push('\n');
    }
    out.push('\n');
    out
}

/// The tables as one JSON document.
#[must_use]
pub fn json(tables: &[Table]) -> String {
    let text = |text: &str| format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\""));
    let value = |value: f64| if value.is_finite() { format!("{value}") } else { "null".to_owned() };
    let list = |items: Vec<String>| format!("[{}]", items.join(","));
    let tables = tables.iter().map(|table| {
        let figures = &table.experiment.figures;
        let lines = table.lines.iter().map(|line| {
            let figures = figures.iter().zip(&line.medians).zip(&line.ratios);
            let figures = figures.map(|((figure, median), ratio)| {
                let name = text(figure.title());
                format!("{name}:{{\"median\":{},\"ratio\":{}}}", value(*median), value(*ratio))
            });
            let figures: Vec<_> = figures.collect();
            format!("{{\"subject\":{},{}}}", text(line.subject), figures.join(","))
        });
        format!(
            "{{\"experiment\":{},\"run\":{},\"base\":{},\"lines\":{}}}\n",
            text(table.experiment.name),
            text(&table.experiment.run.to_argument()),
            text(table.experiment.base),
            list(lines.collect())
        )
    });
    list(tables.collect())
}

/// How many of a hundred hand-offs took no longer, over the time they took.
#[must_use]
pub fn latency_plot(table: &Table) -> String {
    let points = |line: &Line| {
        let last = line.one_way_ns.len().saturating_sub(1);
        (0..=199)
            .filter_map(|step| {
                let at = last * step / 200;
                Some((*line.one_way_ns.get(at)? as f64 / 1000.0, step as f64 / 2.0))
            })
            .filter(|(us, _)| *us > 0.0)
            .collect()
    };
    let curves: Vec<Curve<'_>> =
        table.lines.iter().map(|line| Curve { name: line.subject, points: points(line) }).collect();
    let upwards = "% of the frames that took no longer";
    plot(table.experiment.name, "one way, µs", upwards, Upwards::Percent, &curves)
}

/// A figure over the frames' size: one table a size.
#[must_use]
pub fn size_plot(title: &str, figure: Figure, tables: &[&Table]) -> String {
    let mut curves: Vec<Curve<'_>> = Vec::new();
    for table in tables {
        let figures = table.experiment.figures;
        let Some(index) = figures.iter().position(|other| *other == figure) else { continue };
        let size = table.experiment.run.size;
        let pixels = f64::from(size.width) * f64::from(size.height);
        for line in &table.lines {
            let Some(value) = line.medians.get(index).filter(|value| value.is_finite()) else {
                continue;
            };
            let point = (pixels, *value);
            match curves.iter_mut().find(|curve| curve.name == line.subject) {
                Some(curve) => curve.points.push(point),
                None => curves.push(Curve { name: line.subject, points: vec![point] }),
            }
        }
    }
    plot(title, "pixels of a frame", figure.title(), Upwards::Logarithmic, &curves)
}
