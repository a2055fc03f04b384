//! The experiments: which runs, and which figure of each.

use std::collections::BTreeMap;
use std::io::Write as _;

use crate::measure::{self, Length, Sample};
use crate::pair;
use crate::plan::OWN_PAIR;
use crate::results::{Brief, Table};
use crate::run::Run;
use crate::subject::{self, Failure, Subject};
use crate::target::Target;

/// A subject with its type forgotten, so that it stands in a table.
#[derive(Clone, Copy, Debug)]
pub struct Entry {
    /// As it is called.
    pub name: &'static str,
    /// Whether it can do a run.
    pub can: fn(&Run) -> bool,
    /// The consumer's side of one.
    pub host: fn(&Run, Length) -> Result<Sample, Failure>,
    /// The producer's side of one.
    pub child: fn(&crate::run::ChildArguments) -> Result<(), Failure>,
}

impl Entry {
    /// Of a subject.
    #[must_use]
    pub const fn of<S: Subject>() -> Self {
        Self { name: S::NAME, can: S::can, host: measure::host::<S>, child: measure::child::<S> }
    }
}

/// The subjects that need nothing but the system.
pub const OWN: [Entry; 10] = [
    Entry::of::<subject::Surfaceport>(),
    Entry::of::<subject::BareWord>(),
    Entry::of::<subject::StampedWord>(),
    Entry::of::<subject::OneWord>(),
    Entry::of::<subject::Futex>(),
    Entry::of::<subject::FutexFlag>(),
    Entry::of::<subject::EventFd>(),
    Entry::of::<subject::Ring>(),
    Entry::of::<subject::SeqPacket>(),
    Entry::of::<subject::SocketCopy>(),
];

/// A figure of a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Figure {
    /// One way, the median, ns.
    OneWay,
    /// One way, of a hundred the slowest but one, ns.
    Slow,
    /// Frames taken a second.
    Taken,
    /// Frames handed over a second.
    Published,
    /// Processor time of both sides for a frame, µs.
    Cpu,
    /// Frames of more than one piece.
    Torn,
    /// Frames that were looked at for that.
    Looked,
    /// Memory of both sides beyond the surfaces, KiB.
    Memory,
    /// Pieces of shared memory mapped more than once in a process.
    Twice,
}

impl Figure {
    /// All of them.
    pub(crate) const ALL: [Self; 9] = [
        Self::OneWay,
        Self::Slow,
        Self::Taken,
        Self::Published,
        Self::Cpu,
        Self::Torn,
        Self::Looked,
        Self::Memory,
        Self::Twice,
    ];

    /// Of a sample.
    #[must_use]
    pub(crate) fn of(self, sample: &Sample) -> f64 {
        let of_both = |host: u64, child: u64| (host + child) as f64;
        match self {
            Self::OneWay => sample.percentile(50),
            Self::Slow => sample.percentile(99),
            Self::Taken => sample.taken_per_second(),
            Self::Published => sample.published_per_second(),
            Self::Cpu => sample.cpu_us_per_frame(),
            Self::Torn => sample.torn as f64,
            Self::Looked => sample.host.frames as f64,
            Self::Memory => of_both(sample.host.memory_kib, sample.child.memory_kib),
            Self::Twice => of_both(sample.host.mapped_twice, sample.child.mapped_twice),
        }
    }

    /// What it is, with its unit.
    #[must_use]
    pub(crate) fn title(self) -> &'static str {
        match self {
            Self::OneWay => "one way p50, ns",
            Self::Slow => "p99, ns",
            Self::Taken => "taken, frames/s",
            Self::Published => "handed over, frames/s",
            Self::Cpu => "processor time of both, µs/frame",
            Self::Torn => "torn frames",
            Self::Looked => "of",
            Self::Memory => "memory of both beyond the surfaces, KiB",
            Self::Twice => "mapped twice",
        }
    }

    /// Whether the rounds' figures add up; of the others the median counts.
    #[must_use]
    pub(crate) fn adds_up(self) -> bool {
        matches!(self, Self::Torn | Self::Looked | Self::Twice)
    }
}

/// One line of the plan.
#[derive(Clone, Debug)]
pub(crate) struct Experiment {
    /// As it is called.
    pub name: &'static str,
    /// Experiments of one group are run round by round together.
    pub group: &'static str,
    /// The run.
    pub run: Run,
    /// How long each is.
    pub length: Length,
    /// What is looked at.
    pub figures: &'static [Figure],
    /// The subject of which the others are multiples.
    pub base: &'static str,
    /// What it is to show.
    pub targets: &'static [Target],
}

/// The middle one; of an even number the upper.
#[must_use]
pub(crate) fn median(mut values: Vec<f64>) -> f64 {
    values.retain(|value| value.is_finite());
    values.sort_unstable_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(f64::NAN)
}

/// Runs the experiments of a group: all subjects of all of them in each round,
/// another one first each time.
///
/// # Errors
///
/// If a subject of ours could not be run.
pub(crate) fn run(
    group: &[Experiment],
    subjects: &[Entry],
    rounds: usize,
) -> Result<Vec<Table>, Failure> {
    let mut turns: Vec<(usize, &Experiment, &Entry)> = Vec::new();
    for (index, experiment) in group.iter().enumerate() {
        let able = subjects.iter().filter(|entry| (entry.can)(&experiment.run));
        turns.extend(able.map(|entry| (index, experiment, entry)));
    }
    let mut tables: Vec<Table> = group
        .iter()
        .map(|experiment| Table {
            name: experiment.name.to_owned(),
            run: experiment.run.to_argument(),
            subjects: Vec::new(),
            rounds: vec![BTreeMap::new(); rounds],
            notes: Vec::new(),
        })
        .collect();
    for (index, _, entry) in &turns {
        if let Some(table) = tables.get_mut(*index) {
            table.subjects.push(entry.name.to_owned());
        }
    }
    for round in 0..rounds {
        for turn in 0..turns.len() {
            let Some((index, experiment, entry)) = turns.get((round + turn) % turns.len()) else {
                continue;
            };
            eprint!("\r\x1b[K{}: round {} of {rounds}: {}", experiment.name, round + 1, entry.name);
            let _shown = std::io::stderr().flush();
            let Some(table) = tables.get_mut(*index) else { continue };
            let Experiment { run, length, .. } = experiment;
            let sample = if experiment.name == OWN_PAIR {
                pair::host(entry.name, run, *length)
            } else {
                (entry.host)(run, *length)
            };
            match sample {
                Ok(sample) => {
                    let round = table.rounds.get_mut(round);
                    round.map(|round| round.insert(entry.name.to_owned(), Brief::of(&sample)));
                }
                // What another library can't do does not end the run.
                Err(error) if OWN.iter().all(|own| own.name != entry.name) => {
                    let name = entry.name;
                    table.notes.push(format!("{name} failed in round {}: {error}", round + 1));
                }
                Err(error) => {
                    return Err(format!("{}: {}: {error}", experiment.name, entry.name).into());
                }
            }
        }
    }
    eprint!("\r\x1b[K");
    Ok(tables)
}
