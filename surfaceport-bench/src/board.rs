//! A run's account: when it begins and ends, and what the child counted.

use std::sync::atomic::Ordering::{Acquire, Relaxed, Release};
use std::time::{Duration, Instant};

use crate::shared::Shared;
use crate::subject::Failure;
use crate::usage::Usage;

/// How long one side waits for the other before it gives the run up.
pub const PATIENCE: Duration = Duration::from_secs(10);

const READY: usize = 0;
const STATE: usize = 1;
const DONE: usize = 2;
const COUNTS: usize = 4;
/// Words of a board.
const WORDS: usize = 16;

/// How far a run is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum State {
    /// Frames that do not count yet.
    WarmUp,
    /// Frames that count.
    Counting,
    /// No more frames.
    Over,
}

/// The account in shared memory.
#[derive(Debug)]
pub(crate) struct Board<'a>(&'a Shared);

impl<'a> Board<'a> {
    /// Bytes that it needs.
    pub(crate) const BYTES: usize = WORDS * 128;

    /// In this memory.
    #[must_use]
    pub(crate) fn new(memory: &'a Shared) -> Self {
        Self(memory)
    }

    /// Child: all is set up.
    pub(crate) fn say_ready(&self) {
        self.0.word(READY).store(1, Release);
    }

    /// Host: waits for that.
    ///
    /// # Errors
    ///
    /// If it does not come.
    pub(crate) fn await_ready(&self) -> Result<(), Failure> {
        patiently(|| self.0.word(READY).load(Acquire) != 0)
    }

    /// Host: how far the run is.
    pub(crate) fn say(&self, state: State) {
        self.0.word(STATE).store(state as u64, Release);
    }

    /// Child: how far it is.
    #[must_use]
    pub(crate) fn state(&self) -> State {
        match self.0.word(STATE).load(Relaxed) {
            0 => State::WarmUp,
            1 => State::Counting,
            _ => State::Over,
        }
    }

    /// Child: what it used.
    pub(crate) fn say_done(&self, usage: Usage) {
        for (index, count) in (COUNTS..).zip(usage.to_words()) {
            self.0.word(index).store(count, Relaxed);
        }
        self.0.word(DONE).store(1, Release);
    }

    /// Host: what it said, if it has.
    #[must_use]
    pub(crate) fn done(&self) -> Option<Usage> {
        let count = |index: usize| self.0.word(COUNTS + index).load(Relaxed);
        let is_done = self.0.word(DONE).load(Acquire) != 0;
        is_done.then(|| Usage::from_words(std::array::from_fn(count)))
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
