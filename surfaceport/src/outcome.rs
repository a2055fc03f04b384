//! What became of a frame.

use core::fmt;

use crate::time::Timestamp;

/// Which frame of a connection: its generation and its number in that.
///
/// Sequences start at 1 in each generation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FrameId {
    /// The generation, counted by Setup messages from 1.
    pub generation: u32,
    /// The frame's number in the generation, counted from 1.
    pub sequence: u64,
}

impl fmt::Display for FrameId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.generation, self.sequence)
    }
}

/// What became of a presented frame. Each has exactly one:
/// presented = shown + superseded + stale + lost.
///
/// ```
/// use surfaceport::{Outcome, Timestamp};
///
/// let outcome = Outcome::Shown { at: Timestamp::from_nanos(5) };
/// assert!(matches!(outcome, Outcome::Shown { at } if at.as_nanos() == 5));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Outcome {
    /// It was on the display from this time.
    Shown {
        /// When, on the host's monotonic clock; where the display does not
        /// say, when the host took the frame.
        at: Timestamp,
    },
    /// A newer one took its place before it was shown.
    Superseded,
    /// It belonged to a generation that had been replaced.
    Stale,
    /// The host gave it up: the child or the connection ended before it was
    /// shown, or the pane could not show it.
    Lost,
}
