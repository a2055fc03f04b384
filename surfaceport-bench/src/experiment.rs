//! The experiments: which runs, and which figure of each.

use std::io::Write as _;
use std::time::Duration;

use surfaceport::Size;

use crate::measure::{Length, Sample};
use crate::run::{Delivery, Placement, Run, Task, Touch, Wait};
use crate::subject::{Failure, Subject};
use crate::{measure, subject};

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
pub const OWN: [Entry; 8] = [
    Entry::of::<subject::Surfaceport>(),
    Entry::of::<subject::OneWord>(),
    Entry::of::<subject::Futex>(),
    Entry::of::<subject::FutexFlag>(),
    Entry::of::<subject::EventFd>(),
    Entry::of::<subject::Ring>(),
    Entry::of::<subject::SeqPacket>(),
    Entry::of::<subject::SocketCopy>(),
];

/// Which figure of a sample an experiment is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Figure {
    /// One way, the median, ns.
    OneWay,
    /// Frames taken a second.
    Taken,
    /// Frames handed over a second.
    Published,
    /// Processor time of both sides for a frame, µs.
    Cpu,
    /// Frames of more than one piece, of a million.
    Torn,
}

impl Figure {
    /// Of a sample.
    #[must_use]
    pub fn of(self, sample: &Sample) -> f64 {
        match self {
            Self::OneWay => sample.percentile(50),
            Self::Taken => sample.taken_per_second(),
            Self::Published => sample.published_per_second(),
            Self::Cpu => sample.cpu_us_per_frame(),
            Self::Torn => sample.torn as f64 * 1e6 / sample.host.frames as f64,
        }
    }

    /// What it is, with its unit.
    #[must_use]
    pub fn title(self) -> &'static str {
        match self {
            Self::OneWay => "one way p50, ns",
            Self::Taken => "taken, frames/s",
            Self::Published => "handed over, frames/s",
            Self::Cpu => "processor time of both, µs/frame",
            Self::Torn => "torn in a million",
        }
    }
}

/// One line of the plan.
#[derive(Clone, Debug)]
pub struct Experiment {
    /// As it is called.
    pub name: &'static str,
    /// The run.
    pub run: Run,
    /// How long each is.
    pub length: Length,
    /// What is looked at.
    pub figures: &'static [Figure],
    /// The subject of which the others are multiples.
    pub base: &'static str,
}

/// All of them. `scale` makes the runs longer or shorter.
#[must_use]
pub fn plan(scale: f64) -> Vec<Experiment> {
    let frames = |frames: f64| (frames * scale).max(50.0) as u64;
    let length = |count: f64, seconds: f64| Length {
        warm_up: frames(count / 10.0),
        frames: frames(count),
        time: Duration::from_secs_f64((seconds * scale).max(0.2)),
    };
    let base = Run { size: Size::new(640, 480), ..Run::default() };
    let mut plan = Vec::new();
    let mut add = |name, run, length, figures, base| {
        plan.push(Experiment { name, run, length, figures, base });
    };
    for (name, placement) in [
        ("hand-off, asleep, one core", Placement::OneCore),
        ("hand-off, asleep, a core each", Placement::CoreEach),
        ("hand-off, asleep, placed by the scheduler", Placement::Scheduler),
    ] {
        let run = Run { placement, ..base.clone() };
        add(name, run, length(20_000.0, 2.0), &[Figure::OneWay, Figure::Cpu], "raw futex");
    }
    for (name, touch) in [
        ("hand-off, awake, nothing written", Touch::Nothing),
        ("hand-off, awake, 64 bytes written", Touch::Stamp),
    ] {
        let run = Run { wait: Wait::Awake, placement: Placement::CoreEach, touch, ..base.clone() };
        add(name, run, length(500_000.0, 1.0), &[Figure::OneWay], "one atomic word");
    }
    for (name, delivery, touch, base_name) in [
        ("rate, newest wins", Delivery::Newest, Touch::Nothing, "swap message"),
        ("rate, every frame", Delivery::Every, Touch::Nothing, "bare ring"),
    ] {
        let run = Run {
            task: Task::Flood,
            wait: Wait::Awake,
            placement: Placement::CoreEach,
            delivery,
            touch,
            ..base.clone()
        };
        let figures: &[Figure] = &[Figure::Published, Figure::Taken];
        add(name, run, length(2_000_000.0, 1.0), figures, base_name);
    }
    for (name, width, height) in [
        ("hand-off of 64x64, asleep", 64, 64),
        ("hand-off of 1920x1080, asleep", 1920, 1080),
        ("hand-off of 7680x4320, asleep", 7680, 4320),
    ] {
        let size = Size::new(width, height);
        let (placement, touch) = (Placement::OneCore, Touch::Stamp);
        let run = Run { size, placement, touch, ..base.clone() };
        add(name, run, length(10_000.0, 1.0), &[Figure::OneWay], "raw futex");
    }
    for (name, width, height) in [
        ("whole frames written and read, 1920x1080", 1920, 1080),
        ("whole frames written and read, 3840x2160", 3840, 2160),
        ("whole frames written and read, 7680x4320", 7680, 4320),
    ] {
        let run = Run {
            task: Task::Flood,
            delivery: Delivery::Every,
            touch: Touch::Whole,
            size: Size::new(width, height),
            ..base.clone()
        };
        let megapixels = f64::from(width * height) / 1e6;
        let length = length(2000.0 / megapixels, 2.0);
        add(name, run, length, &[Figure::Taken, Figure::Torn], "bare ring");
    }
    for (name, fps) in
        [("60 frames a second, 1920x1080", 60), ("120 frames a second, 1920x1080", 120)]
    {
        let run = Run {
            task: Task::Paced(fps),
            touch: Touch::Stamp,
            size: Size::new(1920, 1080),
            ..base.clone()
        };
        let length = length(f64::from(fps) * 3.0, 5.0);
        add(name, run, length, &[Figure::OneWay, Figure::Cpu], "raw futex");
    }
    for (name, task, keep) in [
        ("torn, child as fast as it can", Task::Flood, 0),
        ("torn, 60 a second, each kept 20 ms", Task::Paced(60), 20),
        ("torn, 120 a second, each kept 12 ms", Task::Paced(120), 12),
    ] {
        let size = Size::new(1920, 1080);
        let run = Run { task, touch: Touch::Whole, size, keep_ms: keep, ..base.clone() };
        add(name, run, length(200.0, 3.0), &[Figure::Torn, Figure::Taken], "surfaceport");
    }
    plan
}

/// What a subject gave in all rounds of an experiment.
#[derive(Clone, Debug)]
pub struct Line {
    /// The subject.
    pub subject: &'static str,
    /// For each figure of the experiment: the median over the rounds.
    pub medians: Vec<f64>,
    /// And the median of its multiples of the base's.
    pub ratios: Vec<f64>,
    /// One way, ns, of all rounds, sorted; for the plot.
    pub one_way_ns: Vec<u64>,
}

/// What an experiment gave.
#[derive(Clone, Debug)]
pub struct Table {
    /// The experiment.
    pub experiment: Experiment,
    /// The subjects that can do it.
    pub lines: Vec<Line>,
}

/// The middle one; of an even number the upper.
#[must_use]
pub fn median(mut values: Vec<f64>) -> f64 {
    values.retain(|value| !value.is_nan());
    values.sort_unstable_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(f64::NAN)
}

/// Runs an experiment: all subjects in each round, another one first each time.
///
/// # Errors
///
/// If a subject could not be run.
pub fn run(experiment: &Experiment, subjects: &[Entry], rounds: usize) -> Result<Table, Failure> {
    let able: Vec<&Entry> = subjects.iter().filter(|entry| (entry.can)(&experiment.run)).collect();
    let mut samples: Vec<Vec<Sample>> = able.iter().map(|_| Vec::new()).collect();
    for round in 0..rounds {
        for turn in 0..able.len() {
            let index = (round + turn) % able.len();
            let (Some(entry), Some(samples)) = (able.get(index), samples.get_mut(index)) else {
                continue;
            };
            eprint!("\r\x1b[K{}: round {} of {rounds}: {}", experiment.name, round + 1, entry.name);
            let _shown = std::io::stderr().flush();
            let sample = (entry.host)(&experiment.run, experiment.length)
                .map_err(|error| format!("{}: {}: {error}", experiment.name, entry.name))?;
            samples.push(sample);
        }
    }
    eprint!("\r\x1b[K");
    let of_base = |round: usize, figure: Figure| {
        let index = able.iter().position(|entry| entry.name == experiment.base)?;
        samples.get(index)?.get(round).map(|sample| figure.of(sample))
    };
    let lines = able.iter().zip(&samples).map(|(entry, samples)| {
        let medians = |of: &dyn Fn(usize, &Sample, Figure) -> f64| {
            let of_figure = |figure: &Figure| {
                median(
                    (0..).zip(samples).map(|(round, sample)| of(round, sample, *figure)).collect(),
                )
            };
            experiment.figures.iter().map(of_figure).collect()
        };
        let mut one_way_ns: Vec<u64> =
            samples.iter().flat_map(|sample| sample.one_way_ns.iter().copied()).collect();
        one_way_ns.sort_unstable();
        Line {
            subject: entry.name,
            medians: medians(&|_, sample, figure| figure.of(sample)),
            ratios: medians(&|round, sample, figure| {
                of_base(round, figure).map_or(f64::NAN, |base| figure.of(sample) / base)
            }),
            one_way_ns,
        }
    });
    Ok(Table { experiment: experiment.clone(), lines: lines.collect() })
}
