//! One run of one subject, on both sides.

use std::time::{Duration, Instant};

use rustix::thread::{CpuSet, sched_getaffinity, sched_setaffinity};
use surfaceport::Timestamp;

use crate::board::{Board, PATIENCE, State};
use crate::counts;
use crate::run::{ChildArguments, Placement, Run, Task, Touch};
use crate::shared::Shared;
use crate::subject::{Child, Failure, Host, Start, Subject, TORN};
use crate::usage::Usage;

/// How long a run is.
#[derive(Clone, Copy, Debug)]
pub struct Length {
    /// Frames before those that count.
    pub warm_up: u64,
    /// Frames that count, at most.
    pub frames: u64,
    /// How long they may take, at most.
    pub time: Duration,
}

/// What a run gave.
#[derive(Clone, Debug, Default)]
pub struct Sample {
    /// One way, ns, sorted: half a round trip, or from the stamp to the take.
    pub one_way_ns: Vec<u64>,
    /// From the first frame that counts to the last.
    pub time: Duration,
    /// The consumer's side.
    pub host: Usage,
    /// The producer's side.
    pub child: Usage,
    /// Frames that were not of one piece.
    pub torn: u64,
}

impl Sample {
    /// So many of a hundred frames took no longer, in ns.
    #[must_use]
    pub fn percentile(&self, percent: usize) -> f64 {
        let last = self.one_way_ns.len().saturating_sub(1);
        self.one_way_ns.get(last * percent / 100).map_or(f64::NAN, |ns| *ns as f64)
    }

    /// Frames taken a second.
    #[must_use]
    pub fn taken_per_second(&self) -> f64 {
        self.host.frames as f64 / self.time.as_secs_f64()
    }

    /// Frames handed over a second.
    #[must_use]
    pub fn published_per_second(&self) -> f64 {
        self.child.frames as f64 / self.time.as_secs_f64()
    }

    /// Time on the processor for each frame taken, both sides, in µs.
    #[must_use]
    pub fn cpu_us_per_frame(&self) -> f64 {
        (self.host.cpu_ns + self.child.cpu_ns) as f64 / 1000.0 / self.host.frames as f64
    }
}

/// The cores that this process may use.
#[must_use]
pub(crate) fn cores() -> Vec<usize> {
    let set = sched_getaffinity(None).unwrap_or_default();
    (0..CpuSet::MAX_CPU).filter(|core| set.is_set(*core)).collect()
}

/// Confines this process to one core; it is freed when this is dropped.
#[derive(Debug)]
struct Pinned(Option<CpuSet>);

impl Pinned {
    fn to(core: Option<usize>) -> Self {
        let Some(core) = core else { return Self(None) };
        let before = sched_getaffinity(None).ok();
        let mut set = CpuSet::new();
        set.set(core);
        let _best_effort = sched_setaffinity(None, &set);
        Self(before)
    }
}

impl Drop for Pinned {
    fn drop(&mut self) {
        if let Some(before) = &self.0 {
            let _best_effort = sched_setaffinity(None, before);
        }
    }
}

/// The consumer's side of a run.
///
/// # Errors
///
/// If the run could not be carried through.
pub(crate) fn host<S: Subject>(run: &Run, length: Length) -> Result<Sample, Failure> {
    let memory = Shared::create(Board::BYTES)?;
    let board = Board::new(&memory);
    let cores = cores();
    let start = Start { run, board: &memory, subject: S::NAME };
    let mut host = S::host(&start)?;
    // After the start: a child inherits where it may run.
    let _pinned = Pinned::to(match run.placement {
        Placement::Scheduler => None,
        Placement::OneCore | Placement::CoreEach => cores.first().copied(),
    });
    board.await_ready()?;
    // Written once, so that no page of it is new while frames are counted.
    let one_way_ns = vec![1; usize::try_from(length.frames.min(1 << 20))?];
    let mut sample = Sample { one_way_ns, ..Sample::default() };
    sample.one_way_ns.clear();
    for _ in 0..length.warm_up {
        if run.task == Task::Answer {
            host.request()?;
        }
        host.take()?;
    }
    let before = Usage::now(0);
    board.say(State::Counting);
    counts::mark();
    let begin = Instant::now();
    let mut taken = 0;
    // Where nothing is timed, the clock is not to be what is measured.
    let look_at_clock =
        if run.task == Task::Flood && run.touch == Touch::Nothing { 256 } else { 1 };
    while taken < length.frames
        && (!taken.is_multiple_of(look_at_clock) || begin.elapsed() < length.time)
    {
        let asked = (run.task == Task::Answer).then(Timestamp::now);
        if asked.is_some() {
            host.request()?;
        }
        let value = host.take()?;
        taken += 1;
        let sent = match asked {
            Some(asked) => Some(asked.as_nanos()),
            None => Some(value).filter(|value| run.touch != Touch::Nothing && *value != TORN),
        };
        if let Some(sent) = sent.filter(|_| sample.one_way_ns.len() < sample.one_way_ns.capacity())
        {
            let ways = if asked.is_some() { 2 } else { 1 };
            let time = Timestamp::now().as_nanos().saturating_sub(sent);
            sample.one_way_ns.push(time / ways);
        }
        let torn = value == TORN
            || run.keep_ms > 0 && {
                std::thread::sleep(Duration::from_millis(run.keep_ms));
                host.look_again()? != value
            };
        sample.torn += u64::from(torn);
    }
    sample.time = begin.elapsed();
    counts::mark();
    board.say(State::Over);
    sample.host = Usage::now(taken).since(before).with_memory(run.bytes());
    if run.task == Task::Answer {
        host.request()?;
    }
    sample.child = loop {
        match board.done() {
            Some(usage) => break usage,
            None if run.task == Task::Answer => std::thread::sleep(Duration::from_micros(200)),
            // A child that waits for room hears of the end when there is some.
            None => {
                host.take()?;
            }
        }
        if begin.elapsed() > sample.time + PATIENCE {
            return Err("the child does not end".into());
        }
    };
    sample.one_way_ns.sort_unstable();
    Ok(sample)
}

/// When so many frames are to be there, at this rate.
fn due(frames: u64, fps: u32) -> Duration {
    Duration::from_secs_f64(frames as f64 / f64::from(fps))
}

/// The producer's side of a run.
///
/// # Errors
///
/// If the host is gone.
pub(crate) fn child<S: Subject>(arguments: &ChildArguments) -> Result<(), Failure> {
    let run = &arguments.run;
    let memory = Shared::open(&arguments.board)?;
    let board = Board::new(&memory);
    let cores = cores();
    let _pinned = Pinned::to(match run.placement {
        Placement::Scheduler => None,
        Placement::OneCore => cores.first().copied(),
        Placement::CoreEach => cores.get(1).or(cores.first()).copied(),
    });
    let mut child = S::child(arguments)?;
    board.say_ready();
    let (mut frames, mut counted) = (0, None);
    let begin = Instant::now();
    loop {
        match run.task {
            Task::Answer if !child.wait()? => break,
            Task::Answer | Task::Flood => {}
            Task::Paced(fps) => {
                std::thread::sleep(due(frames, fps).saturating_sub(begin.elapsed()));
            }
            Task::Busy(fps) => {
                while begin.elapsed() < due(frames, fps) {
                    std::hint::spin_loop();
                }
            }
        }
        match board.state() {
            State::WarmUp => {}
            State::Counting => {
                counted.get_or_insert_with(|| {
                    let before = Usage::now(frames);
                    counts::mark();
                    before
                });
            }
            State::Over => break,
        }
        let value = match run.touch {
            Touch::Nothing => 0,
            Touch::Stamp | Touch::Whole => Timestamp::now().as_nanos(),
        };
        child.publish(value)?;
        frames += 1;
    }
    counts::mark();
    let before = counted.ok_or("the run was over before it began")?;
    board.say_done(Usage::now(frames).since(before).with_memory(run.bytes()));
    if run.task != Task::Answer {
        // The host may sleep for a frame that did not come any more, or be done.
        let _best_effort = child.publish(0);
    }
    Ok(())
}
