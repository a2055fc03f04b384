//! The whole of it: every experiment, then what is none: counts, a child's life,
//! many children, huge pages.

use std::path::{Path, PathBuf};
use std::time::Instant;

use surfaceport::Timestamp;

use crate::board;
use crate::experiment::{self, Entry, Experiment, Figure};
use crate::grids;
use crate::plan::{OWN_PAIR, plan};
use crate::report;
use crate::results::Results;
use crate::subject::Failure;
use crate::target::Check;

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
    /// A folder for `bench.md`, `bench.json` and the plots. What is there of an
    /// earlier run is kept where `only` leaves something out.
    pub out: Option<PathBuf>,
    /// Subjects that are not there, and why.
    pub not_run: Vec<String>,
    /// The program has nothing in it but the library and the floors: its memory
    /// says something.
    pub is_small: bool,
}

impl Default for Options {
    /// A full run: an hour with all subjects.
    fn default() -> Self {
        let (rounds, scale, children) = (7, 1.0, 256);
        let (only, out, not_run, is_small) = (String::new(), None, Vec::new(), false);
        Self { only, rounds, scale, children, out, not_run, is_small }
    }
}

impl Options {
    /// A run of some minutes, to see that all works.
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
    let (machine, clock_ns) = (machine(), clock_ns());
    let mut results = Results { machine, clock_ns, ..Results::default() };
    if !options.is_small {
        results.not_run.clone_from(&options.not_run);
    }
    print!("{}", report::head(&results));

    let plan = plan(options.scale);
    let wanted =
        |name: &str| name.contains(&options.only) && (name != OWN_PAIR || options.is_small);
    let mut some = false;
    board::raise_fd_limit();
    for (name, run) in grids::ALL {
        if wanted(name) {
            some = true;
            let grid = run(options, subjects)?;
            print!("{}", report::grid(&grid));
            results.add_grid(grid);
        }
    }
    for group in plan.chunk_by(|one, other| one.group == other.group) {
        let group: Vec<Experiment> =
            group.iter().filter(|experiment| wanted(experiment.name)).cloned().collect();
        if group.is_empty() {
            continue;
        }
        some = true;
        let tables = experiment::run(&group, subjects, options.rounds)?;
        for (experiment, table) in group.iter().zip(tables) {
            print!("{}", report::table(experiment, &table));
            results.add_table(table);
        }
    }
    if !some {
        return Err(format!("no experiment has {:?} in its name", options.only).into());
    }
    // Only now: what is kept of an earlier run is memory, too, and memory was measured.
    let file = options.out.as_ref().map(|folder| folder.join("bench.json"));
    if let Some(file) = file.filter(|_| !options.only.is_empty()) {
        match Results::load(&file) {
            Ok(earlier) => results = earlier.updated(results),
            Err(error) => eprintln!("{error}: it is replaced"),
        }
    }
    print!("{}", report::checks(&checks(&plan, &results)));
    match &options.out {
        Some(folder) => write(folder, &plan, &results),
        None => Ok(()),
    }
}

/// All targets of which something is known.
fn checks(plan: &[Experiment], results: &Results) -> Vec<Check> {
    let of_experiment = |experiment: &Experiment| {
        let checks = experiment.targets.iter();
        checks.filter_map(|target| target.check(experiment.name, results)).collect::<Vec<_>>()
    };
    plan.iter().flat_map(of_experiment).chain(grids::checks(results)).collect()
}

/// What it runs on.
fn machine() -> String {
    let read = |path: &str| std::fs::read_to_string(path).unwrap_or_default();
    let info = read("/proc/cpuinfo");
    let model = info.lines().find_map(|line| line.strip_prefix("model name")?.split_once(": "));
    let model = model.map_or("an unnamed processor", |(_, model)| model);
    let kernel = read("/proc/sys/kernel/osrelease");
    let cores = crate::measure::cores().len();
    format!("{model}, {cores} cores, Linux {}", kernel.trim())
}

/// One reading of the clock that the library and the benchmarks use, ns.
fn clock_ns() -> f64 {
    const READINGS: u32 = 20_000;
    let round = |_| {
        let begin = Instant::now();
        for _ in 0..READINGS {
            std::hint::black_box(Timestamp::now());
        }
        begin.elapsed().as_nanos() as f64 / f64::from(READINGS)
    };
    experiment::median((0..9).map(round).collect())
}

fn write(folder: &Path, plan: &[Experiment], results: &Results) -> Result<(), Failure> {
    std::fs::create_dir_all(folder)?;
    results.save(&folder.join("bench.json"))?;
    let known: Vec<_> = plan
        .iter()
        .filter_map(|experiment| Some((experiment, results.table(experiment.name)?)))
        .collect();
    let mut text = report::head(results);
    text.push_str(&report::checks(&checks(plan, results)));
    text.extend(known.iter().map(|(experiment, table)| report::table(experiment, table)));
    for (name, _) in grids::ALL {
        text.extend(results.grid(name).map(report::grid));
    }
    std::fs::write(folder.join("bench.md"), text)?;
    for (experiment, table) in &known {
        if experiment.figures.contains(&Figure::OneWay) {
            let name: String = experiment.name.chars().map(file_character).collect();
            std::fs::write(folder.join(format!("{name}.svg")), report::latency_plot(table))?;
        }
    }
    for (file, title, group, figure) in [
        ("size-hand-off.svg", "hand-off, asleep, over the size", "hand-off of", Figure::OneWay),
        ("size-whole.svg", "whole frames written and read", "whole frames", Figure::Taken),
    ] {
        let of: Vec<_> =
            known.iter().filter(|(experiment, _)| experiment.group == group).copied().collect();
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

#[cfg(test)]
mod tests {
    use crate::grids;
    use crate::plan::plan;

    #[test]
    fn names_are_unique_and_targets_name_what_is_there() {
        let plan = plan(1.0);
        let names: Vec<_> = plan
            .iter()
            .map(|experiment| experiment.name)
            .chain(grids::ALL.iter().map(|(name, _)| *name))
            .collect();
        for (index, name) in names.iter().enumerate() {
            assert!(!names[..index].contains(name), "{name}");
        }
        for target in plan.iter().flat_map(|experiment| experiment.targets) {
            if let crate::target::Of::Experiment(other) = target.of {
                assert!(names.contains(&other), "{other}");
            }
        }
    }
}
