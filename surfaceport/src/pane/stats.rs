//! What a pane counts.

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

/// Why a pane copies frames in the host's process instead of letting the display
/// read the child's surfaces.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum CopyReason {
    /// The host asked for it.
    Asked,
    /// The display server lacks this extension or protocol.
    Missing(&'static str),
    /// The display server refused the child's surface.
    Refused,
}
