//! The wait set with its timer, and the clock.

use std::cell::Cell;
use std::os::fd::{AsFd, BorrowedFd};
use std::time::Duration;

use crate::error::Error;
use crate::sys::{self, Source};
use crate::time::{Deadline, Timestamp};

pub(crate) use crate::sys::{Trigger, from_fd};

impl Timestamp {
    /// The time now.
    #[must_use]
    pub fn now() -> Self {
        sys::now()
    }
}

/// What this thread has used of a processor. A system call.
pub(crate) fn thread_time() -> Duration {
    sys::thread_time()
}

/// What a side waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Token {
    /// The peer's wake-up.
    Bell,
    /// Messages.
    Channel,
    /// The child's end.
    Process,
    /// The child's output.
    Output,
    /// A frame dropped on another thread.
    Own,
    /// A peer that wants to connect.
    Listener,
    /// The display of the pane that the frames are for.
    Display,
}

impl Token {
    const ALL: [Self; 7] = [
        Self::Bell,
        Self::Channel,
        Self::Process,
        Self::Output,
        Self::Own,
        Self::Listener,
        Self::Display,
    ];

    fn number(self) -> u64 {
        1 << self as u8
    }
}

/// What fired.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Fired {
    tokens: u64,
    timer: bool,
}

impl Fired {
    /// Whether a source did.
    pub(crate) fn has(self, token: Token) -> bool {
        self.tokens & token.number() != 0
    }

    /// Whether it did, and nothing else.
    pub(crate) fn is_only(self, token: Token) -> bool {
        self.tokens == token.number() && !self.timer
    }

    /// Whether anything did that is the session's own.
    pub(crate) fn any(self) -> bool {
        self.timer || self.tokens & !Token::Display.number() != 0
    }
}

/// Sleeps until something happens; outlives the children it watches, and is
/// what a foreign event loop polls.
#[derive(Debug)]
pub(crate) struct WaitSet {
    set: sys::WaitSet,
    timer: Cell<Option<Timestamp>>,
}

impl WaitSet {
    /// An empty set.
    pub(crate) fn new() -> Result<Self, Error> {
        Ok(Self { set: sys::WaitSet::new()?, timer: Cell::new(None) })
    }

    /// Adds a source.
    pub(crate) fn add(&self, source: Source<'_>, token: Token, when: Trigger) -> Result<(), Error> {
        debug_assert!(Token::ALL.contains(&token));
        self.set.add(source, token.number(), when)
    }

    /// Changes when a source fires.
    pub(crate) fn change(&self, source: Source<'_>, token: Token, when: Trigger) {
        self.set.change(source, token.number(), when);
    }

    /// Removes a source.
    pub(crate) fn remove(&self, source: Source<'_>) {
        self.set.remove(source);
    }

    /// Sees that the set wakes at `at`, or earlier: the timer is moved only
    /// when the earliest deadline moves ahead of it. A deadline that moves back
    /// with every frame so costs a system call only when the timer fires.
    pub(crate) fn wake_by(&self, at: Option<Timestamp>) {
        let Some(at) = at else { return };
        if self.timer.get().is_none_or(|timer| at < timer) {
            self.set.set_timer(Some(at));
            self.timer.set(Some(at));
        }
    }

    /// Waits until something fires or the deadline passes. A signal ends the
    /// wait early, with nothing fired.
    pub(crate) fn wait(&self, deadline: Deadline) -> Result<Fired, Error> {
        let mut fired = Fired::default();
        self.set.wait(deadline.remaining(), |token| match token {
            Some(token) => fired.tokens |= token,
            None => fired.timer = true,
        })?;
        if fired.timer {
            // Switched off, or it would stay readable; what is still due is
            // set anew before the next sleep.
            self.set.set_timer(None);
            self.timer.set(None);
        }
        Ok(fired)
    }
}

impl AsFd for WaitSet {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.set.as_fd()
    }
}
