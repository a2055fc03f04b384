//! The words of panes that lie in a window: where, above or below what, and from
//! when.

use crate::geometry::Rect;

/// Where a pane lies in the host's window, and what of it is seen.
///
/// Changing it is the host's call alone and costs the child nothing.
///
/// ```
/// use surfaceport::{Placement, Rect, Stacking};
///
/// let placement = Placement::at(200, 40).below().clipped(Rect::new(0, 0, 100, 100));
/// assert_eq!(placement.stacking, Stacking::Below);
/// assert!(placement.visible && !placement.hidden().visible);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Placement {
    /// Pixels from the left of the window's own content; negative is outside.
    pub x: i32,
    /// Pixels from its top.
    pub y: i32,
    /// Above or below what the host draws itself.
    pub stacking: Stacking,
    /// The part of the pane that is seen, in pixels from its own top left;
    /// `None`: all of it.
    pub clip: Option<Rect>,
    /// Whether clicks and touches on it are the pane's own; without it, and at
    /// first, they go through to what lies behind it: the host's window. Keys go
    /// to the window either way.
    ///
    /// They come to the host all the same, and not to the child, but they name the
    /// pane: `X11Pane::window`, or `WaylandPane::surface_id`. So a host need not
    /// find out by itself which of its panes was hit. A pane whose frames are
    /// copied into the window is a part of it, and so is a layer on macOS.
    pub input: bool,
    /// Whether it is seen at all. Tell the child too, by
    /// [`View::set_hidden`](crate::View::set_hidden), so that it rests.
    pub visible: bool,
}

impl Placement {
    /// At this place, above the host's drawing, all of it.
    #[must_use]
    pub const fn at(x: i32, y: i32) -> Self {
        Self { x, y, stacking: Stacking::Above, clip: None, input: false, visible: true }
    }

    /// Below the host's drawing.
    #[must_use]
    pub const fn below(mut self) -> Self {
        self.stacking = Stacking::Below;
        self
    }

    /// Only this part of it.
    #[must_use]
    pub const fn clipped(mut self, clip: Rect) -> Self {
        self.clip = Some(clip);
        self
    }

    /// Clicks on it are its own, see [`input`](Self::input).
    #[must_use]
    pub const fn with_input(mut self) -> Self {
        self.input = true;
        self
    }

    /// Not seen.
    #[must_use]
    pub const fn hidden(mut self) -> Self {
        self.visible = false;
        self
    }
}

/// Whether a pane is above or below what the host draws into its window itself.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Stacking {
    /// The pane hides what the host draws there.
    #[default]
    Above,
    /// What the host draws hides the pane, where it is not transparent: controls
    /// over a video.
    Below,
}

/// From when a change of a pane is seen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Applied {
    /// At once.
    Now,
    /// From the window's next commit (Wayland): draw the window and present it
    /// as the toolkit does, then call
    /// [`View::parent_committed`](crate::View::parent_committed). Until then
    /// frames of the child wait too, so that all changes in one step.
    NeedsParentCommit,
}

impl Applied {
    /// What holds for two changes together.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        if self == Self::Now { other } else { self }
    }
}
