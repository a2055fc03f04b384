//! A run's account: when it begins and ends, and what the child counted.

use std::sync::atomic::Ordering::{Acquire, Relaxed, Release};
use std::time::{Duration, Instant};

use crate::shared::Shared;
use crate::subject::Failure;

/// How long one side waits for the other before it gives the run up.
pub const PATIENCE: Duration = Duration::from_secs(10);

const READY: usize = 0;
const STOP: usize = 1;
const DONE: usize = 2;
const COUNTS: usize = 4;
/// Words of a board.
const WORDS: usize = 16;

/// What a process used in a run.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Usage {
    /// Time on the processor, ns.
    pub cpu_ns: u64,
    /// Page faults.
    pub faults: u64,
    /// Context switches of both kinds.
    pub switches: u64,
    /// Frames handed over.
    pub frames: u64,
}

impl Usage {
    /// Of this process, so far.
    #[must_use]
    pub fn now(frames: u64) -> Self {
        let of = |clock| {
            let time = rustix::time::clock_gettime(clock);
            time.tv_sec.cast_unsigned() * 1_000_000_000 + time.tv_nsec.cast_unsigned()
        };
        let stat = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
        let faults = stat.rsplit(") ").next().and_then(|rest| rest.split(' ').nth(7)?.parse().ok());
        let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
        let switches = status
            .lines()
            .filter(|line| line.contains("ctxt_switches"))
            .filter_map(|line| line.split_whitespace().nth(1)?.parse::<u64>().ok())
            .sum();
        Self {
            cpu_ns: of(rustix::time::ClockId::ProcessCPUTime),
            faults: faults.unwrap_or(0),
            switches,
            frames,
        }
    }

    /// What came to it since `earlier`.
    #[must_use]
    pub fn since(self, earlier: Self) -> Self {
        Self {
            cpu_ns: self.cpu_ns.saturating_sub(earlier.cpu_ns),
            faults: self.faults.saturating_sub(earlier.faults),
            switches: self.switches.saturating_sub(earlier.switches),
            frames: self.frames.saturating_sub(earlier.frames),
        }
    }
}

/// The account in shared memory.
#[derive(Debug)]
pub struct Board<'a>(&'a Shared);

impl<'a> Board<'a> {
    /// Bytes that it needs.
    pub const BYTES: usize = WORDS * 128;

    /// In this memory.
    #[must_use]
    pub fn new(memory: &'a Shared) -> Self {
        Self(memory)
    }

    /// Child: all is set up.
    pub fn say_ready(&self) {
        self.0.word(READY).store(1, Release);
    }

    /// Host: waits for that.
    ///
    /// # Errors
    ///
    /// If it does not come.
    pub fn await_ready(&self) -> Result<(), Failure> {
        patiently(|| self.0.word(READY).load(Acquire) != 0)
    }

    /// Host: the run is over.
    pub fn say_stop(&self) {
        self.0.word(STOP).store(1, Release);
    }

    /// Child: whether it is.
    #[must_use]
    pub fn is_over(&self) -> bool {
        self.0.word(STOP).load(Relaxed) != 0
    }

    /// Child: what it used.
    pub fn say_done(&self, usage: Usage) {
        let Usage { cpu_ns, faults, switches, frames } = usage;
        for (index, count) in (COUNTS..).zip([cpu_ns, faults, switches, frames]) {
            self.0.word(index).store(count, Relaxed);
        }
        self.0.word(DONE).store(1, Release);
    }

    /// Host: what it said, if it has.
    #[must_use]
    pub fn done(&self) -> Option<Usage> {
        let count = |index: usize| self.0.word(COUNTS + index).load(Relaxed);
        (self.0.word(DONE).load(Acquire) != 0).then(|| Usage {
            cpu_ns: count(0),
            faults: count(1),
            switches: count(2),
            frames: count(3),
        })
    }
}

/// Waits without being in anybody's way.
fn patiently(mut is_so: impl FnMut() -> bool) -> Result<(), Failure> {
    let start = Instant::now();
    while !is_so() {
        if start.elapsed() > PATIENCE {
            return Err("the other side does not answer".into());
        }
        std::thread::sleep(Duration::from_micros(200));
    }
    Ok(())
}

/// Looks again and again, at full speed, for what `look` finds.
///
/// # Errors
///
/// If it does not come.
pub fn look<T>(mut look: impl FnMut() -> Option<T>) -> Result<T, Failure> {
    const LOOKS: u32 = 1 << 20;
    let mut start = None;
    loop {
        for _ in 0..LOOKS {
            if let Some(found) = look() {
                return Ok(found);
            }
            std::hint::spin_loop();
        }
        if start.get_or_insert_with(Instant::now).elapsed() > PATIENCE {
            return Err("the other side does not answer".into());
        }
    }
}

/// Allows this process as many fds as it may have: a host has some 14 for each
/// child.
pub(crate) fn raise_fd_limit() {
    use rustix::process::{Resource, getrlimit, setrlimit};
    let mut limit = getrlimit(Resource::Nofile);
    limit.current = limit.maximum;
    let _best_effort = setrlimit(Resource::Nofile, limit);
}
