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

/// The word, and beside it, for a child that draws when it likes: 1, it has
/// nothing to draw and waits for something to happen. On a line of their own.
#[derive(Debug, Default)]
#[repr(C, align(128))]
pub(crate) struct BeginFrameWord {
    word: AtomicU64,
    rests: AtomicU64,
}

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
        self.word.swap((state.time & TIME) | hidden, Ordering::AcqRel) & CHILD_SLEEPS != 0
    }

    /// Child: what the host said last.
    #[inline]
    pub(crate) fn read(&self) -> BeginFrame {
        let word = self.word.load(Ordering::Acquire);
        BeginFrame { time: word & TIME, hidden: word & HIDDEN != 0 }
    }

    /// Child: says that it has nothing to draw, or that it has.
    pub(crate) fn set_rests(&self, rests: bool) {
        self.rests.store(rests.into(), Ordering::Relaxed);
    }

    /// Host: whether the child waits for a begin-frame, or for something else to
    /// happen. It is what the child says, and good for no more than to blame no
    /// one who rests.
    pub(crate) fn child_rests(&self) -> bool {
        self.word.load(Ordering::Relaxed) & CHILD_SLEEPS != 0
            || self.rests.load(Ordering::Relaxed) != 0
    }

    /// Child: says that it is going to sleep until the word changes. `false`:
    /// it says something else than `known` already, do not sleep.
    pub(crate) fn sleep(&self, known: BeginFrame) -> bool {
        self.word.fetch_or(CHILD_SLEEPS, Ordering::AcqRel);
        self.read() == known
    }
}
