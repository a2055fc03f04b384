//! The begin-frame word: when the host's display wants the next frame.
//!
//! | bits | meaning |
//! |---|---|
//! | 0–61 | the time for which the frame is wanted, ns; 0 is none yet |
//! | 62 | the child sleeps until it changes |
//! | 63 | nobody can see the frames |

use crate::sync::{AtomicU64, Ordering};

const TIME: u64 = (1 << 62) - 1;
const CHILD_SLEEPS: u64 = 1 << 62;
const HIDDEN: u64 = 1 << 63;

/// The word, on a line of its own.
#[derive(Debug, Default)]
#[repr(C, align(128))]
pub(crate) struct BeginFrameWord(AtomicU64);

/// What the word says.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct BeginFrame {
    /// For when the frame is wanted, ns; strictly increasing, 0 is none yet.
    pub(crate) time: u64,
    /// Nobody can see the frames.
    pub(crate) hidden: bool,
}

impl BeginFrameWord {
    /// Host: wants a frame for `time`, or says whether frames can be seen.
    /// `true`: the child sleeps, ring.
    ///
    /// The host keeps what it said last in private memory; it reads nothing
    /// here but the child's sleep.
    pub(crate) fn post(&self, state: BeginFrame) -> bool {
        let hidden = if state.hidden { HIDDEN } else { 0 };
        self.0.swap((state.time & TIME) | hidden, Ordering::AcqRel) & CHILD_SLEEPS != 0
    }

    /// Child: what the host said last.
    pub(crate) fn read(&self) -> BeginFrame {
        let word = self.0.load(Ordering::Acquire);
        BeginFrame { time: word & TIME, hidden: word & HIDDEN != 0 }
    }

    /// Child: says that it is going to sleep until the word changes. `false`:
    /// it says something else than `known` already, do not sleep.
    pub(crate) fn sleep(&self, known: BeginFrame) -> bool {
        self.0.fetch_or(CHILD_SLEEPS, Ordering::AcqRel);
        self.read() == known
    }
}
