//! What a pane counts.

use crate::error::CopyReason;

/// What became of the frames that a pane got, and whether it had to copy them.
///
/// Read it by [`Pane::stats`](crate::Pane::stats).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct PaneStats {
    /// Frames that the pane was given and handed to its display.
    pub presented: u64,
    /// Frames of which the display said that they were shown.
    pub shown: u64,
    /// Frames that were replaced by a newer one before they were shown.
    pub superseded: u64,
    /// Frames that the display did not show.
    pub lost: u64,
    /// Frames whose pixels were copied in the host's process: 0 where the
    /// display reads the child's surfaces itself.
    pub host_copies: u64,
    /// Why frames are copied, if they are.
    pub copy_reason: Option<CopyReason>,
}
