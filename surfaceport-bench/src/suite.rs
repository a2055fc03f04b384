//! The whole of it: every experiment, then a child's life, then many children.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::board;
use crate::experiment::{self, Entry, Figure, Table};
use crate::life::{Life, Scaled, life, scale};
use crate::report::{self, number};
use crate::subject::Failure;

/// What to run, and where the results go.
#[derive(Clone, Debug)]
pub struct Options {
    /// Only the experiments whose names contain this.
    pub only: String,
    /// How often each subject runs.
    pub rounds: usize,
    /// How long each run is: 1 is a few seconds.
    pub scale: f64,
    /// The largest number of children of one host.
    pub children: usize,
    /// A folder for `bench.md`, `bench.json` and the plots.
    pub out: Option<PathBuf>,
}

impl Default for Options {
    /// A full run: some twenty minutes.
    fn default() -> Self {
        Self { only: String::new(), rounds: 7, scale: 1.0, children: 256, out: None }
    }
}

impl Options {
    /// A run of two minutes, to see that all works.
    #[must_use]
    pub fn quick() -> Self {
        Self { rounds: 3, scale: 0.1, children: 16, ..Self::default() }
    }
}

/// Runs it, and prints the tables as they are done.
///
/// # Errors
///
/// If a run fails, or the results can't be written.
pub fn suite(options: &Options, subjects: &[Entry]) -> Result<(), Failure> {
    let wanted = |name: &str| name.contains(&options.only);
    let mut tables = Vec::new();
    let mut text = String::new();
    let mut say = |part: &str| {
        print!("{part}");
        text.push_str(part);
    };
    say(&machine());
    for experiment in experiment::plan(options.scale) {
        if wanted(experiment.name) {
            let table = experiment::run(&experiment, subjects, options.rounds)?;
            say(&report::markdown(&table));
            tables.push(table);
        }
    }
    if wanted("a child's life") {
        let rounds = ((200.0 * options.scale) as usize).max(10);
        say(&life_table(&life(rounds)?));
    }
    if wanted("many children") {
        say(&many(options)?);
    }
    match &options.out {
        Some(folder) => write(folder, &text, &tables),
        None => Ok(()),
    }
}

/// What it ran on.
fn machine() -> String {
    let read = |path: &str| std::fs::read_to_string(path).unwrap_or_default();
    let info = read("/proc/cpuinfo");
    let model = info.lines().find_map(|line| line.strip_prefix("model name")?.split_once(": "));
    let model = model.map_or("an unnamed processor", |(_, model)| model);
    let kernel = read("/proc/sys/kernel/osrelease");
    let cores = crate::measure::cores().len();
    format!("{model}, {cores} cores, Linux {}\n\n", kernel.trim())
}

fn life_table(life: &Life) -> String {
    format!(
        "### a child's life\n\n| | ms |\n|---|---:|\n\
         | start to first frame, p50 | {} |\n\
         | Configure to the first frame of the new size, p50 | {} |\n\
         | SIGKILL to the event, p50 | {} |\n\
         | SIGKILL to the event, p99 | {} |\n\n",
        number(life.start_ms),
        number(life.resize_ms),
        number(life.death_ms),
        number(life.death_p99_ms)
    )
}

fn many(options: &Options) -> Result<String, Failure> {
    board::raise_fd_limit();
    let mut out = String::from(
        "### many children on one host thread, 30 frames a second each\n\n\
         | drawing | resting | host, µs/frame | × one child | p50 µs | p99 µs | frames/s \
         | KiB/child | fds/child |\n\
         |---:|---:|---:|---:|---:|---:|---:|---:|---:|\n",
    );
    let time = Duration::from_secs_f64((8.0 * options.scale).max(1.0));
    let mut one = f64::NAN;
    let counts = [1, 4, 16, 64, 256].into_iter().filter(|count| *count <= options.children);
    let drawing = counts.clone().map(|count| (count, 0));
    let resting = counts.skip(1).map(|count| (1, count - 1));
    for (active, idle) in drawing.chain(resting) {
        eprint!("\r\x1b[Kmany children: {active} that draw, {idle} that rest");
        let scaled: Scaled = scale(active, idle, time)?;
        if one.is_nan() {
            one = scaled.cpu_us;
        }
        let Scaled { cpu_us, p50_us, p99_us, fps, kib_per_child, fds_per_child } = scaled;
        let figures =
            [cpu_us, cpu_us / one, p50_us, p99_us, fps, kib_per_child, fds_per_child].map(number);
        let _written = writeln!(out, "| {active} | {idle} | {} |", figures.join(" | "));
    }
    eprint!("\r\x1b[K");
    out.push('\n');
    Ok(out)
}

fn write(folder: &Path, text: &str, tables: &[Table]) -> Result<(), Failure> {
    std::fs::create_dir_all(folder)?;
    std::fs::write(folder.join("bench.md"), text)?;
    std::fs::write(folder.join("bench.json"), report::json(tables))?;
    for table in tables.iter().filter(|table| table.experiment.figures.contains(&Figure::OneWay)) {
        let name: String = table.experiment.name.chars().map(file_character).collect();
        std::fs::write(folder.join(format!("{name}.svg")), report::latency_plot(table))?;
    }
    for (file, title, part, figure) in [
        ("size-hand-off.svg", "hand-off, asleep, over the size", "hand-off of", Figure::OneWay),
        ("size-whole.svg", "whole frames written and read", "whole frames", Figure::Taken),
    ] {
        let of: Vec<_> =
            tables.iter().filter(|table| table.experiment.name.starts_with(part)).collect();
        if of.len() > 1 {
            std::fs::write(folder.join(file), report::size_plot(title, figure, &of))?;
        }
    }
    eprintln!("written to {}", folder.display());
    Ok(())
}

fn file_character(character: char) -> char {
    if character.is_ascii_alphanumeric() { character.to_ascii_lowercase() } else { '-' }
}
