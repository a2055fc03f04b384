//! The plan: all experiments, and what each is to show.

use std::time::Duration;

use surfaceport::Size;

use crate::experiment::{Experiment, Figure};
use crate::measure::Length;
use crate::run::{Delivery, Placement, Run, Task, Touch, Wait};
use crate::target::Bound::{AtLeast, AtMost};
use crate::target::{Of, Target};

const OURS: &str = "surfaceport";
const WORD: &str = "one atomic word";
const FUTEX: &str = "raw futex";
const RING: &str = "bare ring";
const ICEORYX: &str = "iceoryx2";
const SWAP: &str = "swap message";

const AWAKE: &[Target] = &[
    Target::new(
        "awake, the word alone",
        "surfaceport, the word alone",
        Figure::OneWay,
        Of::Subject(WORD),
        AtMost(1.1),
    ),
    Target::new(
        "awake, 64 bytes stamped",
        "surfaceport, the word and 64 bytes",
        Figure::OneWay,
        Of::Subject(WORD),
        AtMost(1.6),
    ),
    // A round trip reads it when the frame is wanted, presented and taken.
    Target {
        clock: 1.5,
        ..Target::new(
            "awake, with frame data and times",
            OURS,
            Figure::OneWay,
            Of::Subject(WORD),
            AtMost(1.7),
        )
    },
    Target::new(
        "awake, iceoryx2 beside it",
        ICEORYX,
        Figure::OneWay,
        Of::Subject(OURS),
        AtLeast(3.0),
    ),
];

const fn asleep(what: &'static str) -> [Target; 1] {
    [Target::new(what, OURS, Figure::OneWay, Of::Subject(FUTEX), AtMost(1.1))]
}

const NEWEST: &[Target] = &[Target::new(
    "rate, newest wins",
    OURS,
    Figure::Published,
    Of::Subject(ICEORYX),
    AtLeast(3.0),
)];
const EVERY: &[Target] =
    &[Target::new("rate, every frame", OURS, Figure::Taken, Of::Subject(RING), AtLeast(0.5))];
const SMALLEST: &str = "hand-off of 64x64, asleep";
const LARGEST: &[Target] = &[Target::new(
    "a frame of 7680x4320 against one of 64x64",
    OURS,
    Figure::OneWay,
    Of::Experiment(SMALLEST),
    AtMost(1.05),
)];

const fn whole(what: &'static str) -> [Target; 1] {
    // 1.1 times the time.
    [Target::new(what, OURS, Figure::Taken, Of::Best(RING), AtLeast(0.91))]
}

const PACED: &[Target] = &[
    Target::new("60 fps, processor time", OURS, Figure::Cpu, Of::Subject(FUTEX), AtMost(1.1)),
    Target::new("60 fps, latency", OURS, Figure::OneWay, Of::Subject(FUTEX), AtMost(1.15)),
    Target::new("60 fps, processor time", OURS, Figure::Cpu, Of::Subject(ICEORYX), AtMost(0.6)),
    Target::new("60 fps, latency", OURS, Figure::OneWay, Of::Subject(ICEORYX), AtMost(0.4)),
    Target::new("surfaces mapped twice", OURS, Figure::Twice, Of::Itself, AtMost(0.0)),
];

/// Run by a program of its own, which has nothing in it but the library and the
/// floors: of a program with all peers in it, the program is what has the memory.
pub(crate) const OWN_PAIR: &str =
    "memory of the benchmark's own pair, 60 frames a second, 1920x1080";

const SMALL: &[Target] = &[Target::new(
    "memory of both sides beyond the surfaces, KiB",
    OURS,
    Figure::Memory,
    Of::Itself,
    AtMost(1024.0),
)];

const UNTORN: &[Target] =
    &[Target::new("torn, child as fast as it can", OURS, Figure::Torn, Of::Itself, AtMost(0.0))];
const UNTORN_60: &[Target] = &[
    Target::new("torn, 60 fps, each kept 20 ms", OURS, Figure::Torn, Of::Itself, AtMost(0.0)),
    Target::new(
        "the same by swap messages alone, which must tear",
        SWAP,
        Figure::Torn,
        Of::Itself,
        AtLeast(1.0),
    ),
];
const UNTORN_120: &[Target] =
    &[Target::new("torn, 120 fps, each kept 12 ms", OURS, Figure::Torn, Of::Itself, AtMost(0.0))];

/// All experiments. `scale` makes the runs longer or shorter.
#[must_use]
pub(crate) fn plan(scale: f64) -> Vec<Experiment> {
    let base = Run { size: Size::new(640, 480), ..Run::default() };
    let mut plan = Plan { scale, experiments: Vec::new() };
    let times: &[Figure] = &[Figure::OneWay, Figure::Slow, Figure::Cpu];

    for (name, placement, targets) in [
        ("hand-off, asleep, one core", Placement::OneCore, &const { asleep("asleep, one core") }),
        (
            "hand-off, asleep, a core each",
            Placement::CoreEach,
            &const { asleep("asleep, a core each") },
        ),
        (
            "hand-off, asleep, placed by the scheduler",
            Placement::Scheduler,
            &const { asleep("asleep, placed by the scheduler") },
        ),
    ] {
        let run = Run { placement, ..base.clone() };
        plan.add(name, name, run, (20_000.0, 2.0), times, FUTEX, targets);
    }

    for (name, placement, targets) in [
        (
            "hand-off to a sleeper, a core each",
            Placement::CoreEach,
            &const { asleep("asleep each time, a core each") },
        ),
        (
            "hand-off to a sleeper, placed by the scheduler",
            Placement::Scheduler,
            &const { asleep("asleep each time, placed by the scheduler") },
        ),
    ] {
        let task = Task::Busy(5_000);
        let run = Run { placement, task, touch: Touch::Stamp, ..base.clone() };
        plan.add(name, name, run, (10_000.0, 2.0), times, FUTEX, targets);
    }

    let awake = Run { wait: Wait::Awake, placement: Placement::CoreEach, ..base.clone() };
    for (name, touch, targets) in [
        ("hand-off, awake", Touch::Nothing, AWAKE),
        ("hand-off, awake, all write 64 bytes", Touch::Stamp, &[][..]),
    ] {
        let run = Run { touch, ..awake.clone() };
        plan.add(name, name, run, (500_000.0, 1.0), &times[..2], WORD, targets);
    }
    let rates: &[Figure] = &[Figure::Published, Figure::Taken];
    for (name, delivery, base, targets) in [
        ("rate, newest wins", Delivery::Newest, SWAP, NEWEST),
        ("rate, every frame", Delivery::Every, RING, EVERY),
    ] {
        let run = Run { task: Task::Flood, delivery, ..awake.clone() };
        plan.add(name, name, run, (5e6, 1.0), rates, base, targets);
    }

    for (name, width, height, targets) in [
        (SMALLEST, 64, 64, &[][..]),
        ("hand-off of 640x480, asleep", 640, 480, &[]),
        ("hand-off of 1920x1080, asleep", 1920, 1080, &[]),
        ("hand-off of 3840x2160, asleep", 3840, 2160, &[]),
        ("hand-off of 7680x4320, asleep", 7680, 4320, LARGEST),
    ] {
        let size = Size::new(width, height);
        let (placement, touch) = (Placement::OneCore, Touch::Stamp);
        let run = Run { size, placement, touch, ..base.clone() };
        plan.add(name, "hand-off of", run, (10_000.0, 0.5), &times[..1], FUTEX, targets);
    }
    for (name, width, height, targets) in [
        ("whole frames written and read, 64x64", 64, 64, &[][..]),
        (
            "whole frames written and read, 1920x1080",
            1920,
            1080,
            &const { whole("whole frames, 1920x1080") }[..],
        ),
        (
            "whole frames written and read, 3840x2160",
            3840,
            2160,
            &const { whole("whole frames, 3840x2160") },
        ),
        (
            "whole frames written and read, 7680x4320",
            7680,
            4320,
            &const { whole("whole frames, 7680x4320") },
        ),
    ] {
        let (task, size) = (Task::Flood, Size::new(width, height));
        let (delivery, touch) = (Delivery::Every, Touch::Whole);
        let run = Run { task, delivery, touch, size, ..base.clone() };
        let megapixels = f64::from(width * height) / 1e6;
        let length = ((2000.0 / megapixels).min(200_000.0), 2.0);
        let figures = &[Figure::Taken, Figure::Torn, Figure::Looked];
        plan.add(name, "whole frames", run, length, figures, RING, targets);
    }

    let paced: &[Figure] =
        &[Figure::OneWay, Figure::Slow, Figure::Cpu, Figure::Memory, Figure::Twice];
    for (name, fps, targets) in [
        ("60 frames a second, 1920x1080", 60, PACED),
        ("120 frames a second, 1920x1080", 120, &[]),
        (OWN_PAIR, 60, SMALL),
    ] {
        let size = Size::new(1920, 1080);
        let run = Run { task: Task::Paced(fps), touch: Touch::Stamp, size, ..base.clone() };
        let length = (f64::from(fps) * 3.0, 5.0);
        let figures = if name == OWN_PAIR { &paced[3..] } else { paced };
        plan.add(name, name, run, length, figures, FUTEX, targets);
    }

    let torn: &[Figure] = &[Figure::Torn, Figure::Looked, Figure::Taken];
    for (name, task, keep_ms, (width, height), length, targets) in [
        ("torn, 64x64, child as fast as it can", Task::Flood, 0, (64, 64), (1e6, 10.0), UNTORN),
        ("torn, child as fast as it can", Task::Flood, 0, (1920, 1080), (500.0, 3.0), &[]),
        (
            "torn, 60 a second, each kept 20 ms",
            Task::Paced(60),
            20,
            (1920, 1080),
            (200.0, 5.0),
            UNTORN_60,
        ),
        (
            "torn, 120 a second, each kept 12 ms",
            Task::Paced(120),
            12,
            (1920, 1080),
            (200.0, 5.0),
            UNTORN_120,
        ),
    ] {
        let size = Size::new(width, height);
        let run = Run { task, touch: Touch::Whole, size, keep_ms, ..base.clone() };
        plan.add(name, name, run, length, torn, OURS, targets);
    }
    plan.experiments
}

struct Plan {
    scale: f64,
    experiments: Vec<Experiment>,
}

impl Plan {
    #[expect(clippy::too_many_arguments, reason = "a line of a table")]
    fn add(
        &mut self,
        name: &'static str,
        group: &'static str,
        run: Run,
        (count, seconds): (f64, f64),
        figures: &'static [Figure],
        base: &'static str,
        targets: &'static [Target],
    ) {
        let frames = |frames: f64| (frames * self.scale).max(50.0) as u64;
        let length = Length {
            warm_up: frames(count / 10.0),
            frames: frames(count),
            time: Duration::from_secs_f64((seconds * self.scale).max(0.2)),
        };
        let experiment = Experiment { name, group, run, length, figures, base, targets };
        self.experiments.push(experiment);
    }
}
