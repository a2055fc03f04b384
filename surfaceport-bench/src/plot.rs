//! Curves as an SVG picture.

use std::fmt::Write as _;

const HEIGHT: f64 = 360.0;
const LEFT: f64 = 64.0;
const RIGHT: f64 = 780.0;
/// Of a character of the legend, about, so that the longest name has room.
const CHARACTER: f64 = 7.8;
const TOP: f64 = 44.0;
const BOTTOM: f64 = HEIGHT - 48.0;
const COLOURS: [&str; 10] = [
    "#1d4ed8", "#ea580c", "#059669", "#7c3aed", "#b91c1c", "#0891b2", "#78350f", "#db2777",
    "#334155", "#65a30d",
];
/// So many are drawn through, the others dashed: colours alone don't tell ten apart.
const SOLID: usize = 5;

/// A line through points.
#[derive(Clone, Debug)]
pub(crate) struct Curve<'a> {
    pub(crate) name: &'a str,
    pub(crate) points: Vec<(f64, f64)>,
}

/// What the axis upwards is like; that across is logarithmic.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Upwards {
    Percent,
    Logarithmic,
}

/// One axis: whole decades, or 0 to 100.
struct Axis {
    low: f64,
    high: f64,
    logarithmic: bool,
}

impl Axis {
    fn over(values: impl Iterator<Item = f64>) -> Self {
        let (low, high) = values
            .map(|value| value.max(1e-3).log10())
            .fold((f64::MAX, f64::MIN), |(low, high), at| (low.min(at), high.max(at)));
        let low = low.floor().min(5.0);
        Self { low, high: high.ceil().max(low + 1.0), logarithmic: true }
    }

    /// Where a value is, from 0 to 1.
    fn place(&self, value: f64) -> f64 {
        let value = if self.logarithmic { value.max(1e-9).log10() } else { value };
        (value - self.low) / (self.high - self.low)
    }

    fn ticks(&self) -> Vec<(f64, String)> {
        if !self.logarithmic {
            return (0..=4).map(|step| (f64::from(step) * 25.0, (step * 25).to_string())).collect();
        }
        let exponents = self.low as i32..=self.high as i32;
        exponents.map(|exponent| (10_f64.powi(exponent), label(exponent))).collect()
    }
}

fn label(exponent: i32) -> String {
    match exponent {
        ..=3 => format!("{}", 10_f64.powi(exponent)),
        4..=5 => format!("{} k", 10_f64.powi(exponent - 3)),
        _ => format!("{} M", 10_f64.powi(exponent - 6)),
    }
}

/// The picture.
pub(crate) fn plot(
    title: &str,
    across: &str,
    upwards: &str,
    kind: Upwards,
    curves: &[Curve<'_>],
) -> String {
    let points = || curves.iter().flat_map(|curve| curve.points.iter());
    let x_axis = Axis::over(points().map(|(x, _)| *x));
    let y_axis = match kind {
        Upwards::Percent => Axis { low: 0.0, high: 100.0, logarithmic: false },
        Upwards::Logarithmic => Axis::over(points().map(|(_, y)| *y)),
    };
    let x_of = |x: f64| LEFT + x_axis.place(x) * (RIGHT - LEFT);
    let y_of = |y: f64| BOTTOM - y_axis.place(y) * (BOTTOM - TOP);
    let longest = curves.iter().map(|curve| curve.name.chars().count()).max().unwrap_or(0);
    let full_width = RIGHT + 48.0 + CHARACTER * longest as f64;
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {full_width:.0} {HEIGHT}\" \
         font-family=\"system-ui, 'DejaVu Sans', sans-serif\" font-size=\"13\" fill=\"#475569\">\n\
         <rect width=\"100%\" height=\"100%\" fill=\"#fff\"/>\n\
         <text x=\"{LEFT}\" y=\"26\" font-size=\"16\" fill=\"#0f172a\">{title}</text>\n\
         <text x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"middle\">{across}</text>\n\
         <text x=\"{RIGHT}\" y=\"26\" text-anchor=\"end\">{upwards}</text>\n",
        (LEFT + RIGHT) / 2.0,
        HEIGHT - 10.0
    );
    for (value, label) in x_axis.ticks() {
        let (x, y) = (x_of(value), BOTTOM + 18.0);
        let _written = writeln!(
            svg,
            "<path d=\"M{x:.1} {TOP}V{BOTTOM}\" stroke=\"#e2e8f0\"/>\
             <text x=\"{x:.1}\" y=\"{y:.1}\" text-anchor=\"middle\">{label}</text>"
        );
    }
    for (value, label) in y_axis.ticks() {
        let (x, y) = (LEFT - 8.0, y_of(value));
        let _written = writeln!(
            svg,
            "<path d=\"M{LEFT} {y:.1}H{RIGHT}\" stroke=\"#e2e8f0\"/>\
             <text x=\"{x:.1}\" y=\"{:.1}\" text-anchor=\"end\">{label}</text>",
            y + 4.0
        );
    }
    for (index, (curve, colour)) in curves.iter().zip(COLOURS.iter().cycle()).enumerate() {
        let place = |(x, y): &(f64, f64)| format!("{:.1} {:.1}", x_of(*x), y_of(*y));
        let path: Vec<_> = curve.points.iter().map(place).collect();
        // The first is the one that all this is about.
        let width = if index == 0 { 3 } else { 2 };
        let dashes = if index < SOLID { "" } else { " stroke-dasharray=\"7 3\"" };
        let (x, y) = (RIGHT + 14.0, TOP + 14.0 + 20.0 * index as f64);
        let _written = writeln!(
            svg,
            "<g stroke=\"{colour}\" stroke-width=\"{width}\" fill=\"none\" stroke-linejoin=\"round\"{dashes}>\
             <path d=\"M{}\"/><path d=\"M{x} {:.1}h20\"/></g>\
             <text x=\"{:.1}\" y=\"{y:.1}\" fill=\"#0f172a\">{}</text>",
            path.join("L"),
            y - 4.0,
            x + 28.0,
            curve.name
        );
    }
    svg.push_str("</svg>\n");
    svg
}
