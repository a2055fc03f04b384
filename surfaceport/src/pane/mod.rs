//! Where frames are shown: a part of the host's own window.

#[cfg(all(target_os = "macos", feature = "calayer"))]
mod calayer;
// What decides about layers is tested everywhere.
#[cfg(any(test, all(target_os = "macos", feature = "calayer")))]
mod draining;
mod headless;
#[cfg(any(
    all(target_os = "linux", feature = "wayland", feature = "x11"),
    all(target_os = "macos", feature = "calayer")
))]
mod ladder;
mod observed;
#[cfg(any(test, all(target_os = "macos", feature = "calayer")))]
mod points;
#[cfg(all(target_os = "linux", feature = "wayland", feature = "x11"))]
mod rungs_linux;
#[cfg(all(target_os = "macos", feature = "calayer"))]
mod rungs_macos;
#[cfg(all(any(target_os = "linux", target_os = "macos"), feature = "softbuffer"))]
mod softbuffer;
mod stats;
mod ticker;
#[cfg(all(target_os = "linux", feature = "wayland"))]
mod wayland;
mod window;
#[cfg(all(target_os = "linux", feature = "x11"))]
mod x11;

use std::os::fd::BorrowedFd;

#[cfg(all(target_os = "linux", feature = "wayland", feature = "x11"))]
use rungs_linux as rungs;
#[cfg(all(target_os = "macos", feature = "calayer"))]
use rungs_macos as rungs;

#[cfg(any(
    all(target_os = "linux", any(feature = "softbuffer", feature = "x11")),
    all(target_os = "macos", any(feature = "calayer", feature = "softbuffer"))
))]
use crate::error::CopyReason;
use crate::error::Error;
use crate::geometry::{Scale, Size};
use crate::surface::Lease;
use crate::time::Timestamp;

#[cfg(all(target_os = "macos", feature = "calayer"))]
pub use calayer::CaLayerPane;
pub use headless::HeadlessPane;
#[cfg(any(
    all(target_os = "linux", feature = "wayland", feature = "x11"),
    all(target_os = "macos", feature = "calayer")
))]
pub use ladder::{PanePath, PaneWindow, StepDown, WindowPane};
pub use observed::{Observe, Observed};
#[cfg(all(any(target_os = "linux", target_os = "macos"), feature = "softbuffer"))]
pub use softbuffer::{SoftbufferPane, SoftbufferWindow};
pub use stats::PaneStats;
#[cfg(all(target_os = "linux", feature = "wayland"))]
pub use wayland::{HostWindow, WaylandPane};
pub use window::{Applied, Placement, Stacking};
#[cfg(all(target_os = "linux", feature = "x11"))]
pub use x11::{X11Pane, X11Path};

/// How a frame is fitted into a pane of another size, while the child is
/// drawing the right one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Fit {
    /// At its own size from the top left, on the host's fill: never stretched.
    /// What does not fit is cut.
    #[default]
    Hold,
    /// Stretched to the pane's size.
    Scale,
    /// At its own size, the middle of it in the middle of the pane.
    Crop,
}

impl Fit {
    /// Which of a frame's `frame` columns (rows) is seen at one of a pane's `pane`.
    fn source(self, at: u32, pane: u32, frame: u32) -> Option<u32> {
        let wide = |value: u32| i64::from(value);
        let source = match self {
            Self::Hold => wide(at),
            Self::Scale => wide(at) * wide(frame) / wide(pane).max(1),
            Self::Crop => wide(at) + (wide(frame) - wide(pane)) / 2,
        };
        u32::try_from(source).ok().filter(|source| *source < frame)
    }
}

/// A part of the host's window in which a child's frames appear.
///
/// A pane gets a frame as a [`Lease`], keeps it for as long as its display
/// needs the surface, and drops it then: that is the release. It always keeps
/// the frame that is on display. [`HeadlessPane`] is one that shows nothing; to
/// write another one, see it. To look at the frames of any pane, see [`Observed`].
///
/// ```
/// use surfaceport::{Applied, Error, Fit, Lease, Outcome, Pane, Scale, Size, Timestamp};
///
/// /// Shows frames by counting them.
/// struct Counter {
///     size: Size,
///     frames: u64,
///     wanted: bool,
///     on_display: Option<Lease>,
/// }
///
/// impl Pane for Counter {
///     fn size(&self) -> Size {
///         self.size
///     }
///     fn resize(&mut self, size: Size, _scale: Scale, _fit: Fit) -> Result<Applied, Error> {
///         self.size = size;
///         Ok(Applied::Now)
///     }
///     fn present(&mut self, mut lease: Lease) -> Result<(), Error> {
///         self.frames += 1;
///         self.wanted = true;
///         lease.report(Outcome::Shown { at: Timestamp::now() });
///         self.on_display = Some(lease); // and the frame before is released
///         Ok(())
///     }
///     fn poll_tick(&mut self, now: Timestamp) -> Result<Option<Timestamp>, Error> {
///         Ok(std::mem::take(&mut self.wanted).then_some(now))
///     }
///     fn next_wake(&self) -> Option<Timestamp> {
///         None
///     }
/// }
/// ```
pub trait Pane {
    /// Its size in pixels.
    fn size(&self) -> Size;

    /// Physical pixels for each logical one.
    fn scale(&self) -> Scale {
        Scale::ONE
    }

    /// Changes its size. The frame that is on display stays; it, and those to
    /// come that are not of the pane's size, are fitted as `fit` says.
    ///
    /// # Errors
    ///
    /// If the display refuses.
    fn resize(&mut self, size: Size, scale: Scale, fit: Fit) -> Result<Applied, Error>;

    /// Moves it, shows or hides it, puts it above or below the host's drawing.
    /// A pane that is in no window has nothing to move.
    ///
    /// # Errors
    ///
    /// If the display refuses.
    fn place(&mut self, _placement: Placement) -> Result<Applied, Error> {
        Ok(Applied::Now)
    }

    /// The window has been committed, for which [`Applied::NeedsParentCommit`]
    /// asked.
    ///
    /// # Errors
    ///
    /// If the display is gone.
    fn parent_committed(&mut self) -> Result<(), Error> {
        Ok(())
    }

    /// Shows a frame from now on, instead of the one before.
    ///
    /// The pane says what became of it ([`Lease::report`],
    /// [`Lease::take_feedback`]).
    ///
    /// # Errors
    ///
    /// If the display refuses; the frame is lost.
    fn present(&mut self, lease: Lease) -> Result<(), Error>;

    /// Hears what the display has to say, without waiting, and whether it is
    /// ready for another frame: the time for which it is wanted. It says so once
    /// for each.
    ///
    /// # Errors
    ///
    /// If the display is gone.
    fn poll_tick(&mut self, now: Timestamp) -> Result<Option<Timestamp>, Error>;

    /// When `poll_tick` is to be called next, if the display has not said
    /// something before. It is a time that has passed if something has been read
    /// from the display and not been heard yet.
    fn next_wake(&self) -> Option<Timestamp>;

    /// The display's connection, if it has one: the view's fd is readable while
    /// this is, and `poll_tick` reads it until it is not. The same one for as
    /// long as the pane lives.
    fn source(&self) -> Option<BorrowedFd<'_>> {
        None
    }

    /// Whether the child is to draw into new surfaces from now on: one of those
    /// that it has stays in use by the display, and never comes back. Asked after
    /// `poll_tick`; said once for each set of surfaces.
    fn wants_new_surfaces(&mut self) -> bool {
        false
    }

    /// What became of the frames.
    fn stats(&self) -> PaneStats {
        PaneStats::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fits_place_a_frame_as_they_say() {
        let seen = |fit: Fit, pane, frame| -> Vec<_> {
            (0..pane).map(|at| fit.source(at, pane, frame)).collect()
        };
        assert_eq!(seen(Fit::Hold, 4, 2), [Some(0), Some(1), None, None]);
        assert_eq!(seen(Fit::Hold, 2, 4), [Some(0), Some(1)]);
        assert_eq!(seen(Fit::Scale, 4, 2), [Some(0), Some(0), Some(1), Some(1)]);
        assert_eq!(seen(Fit::Scale, 2, 4), [Some(0), Some(2)]);
        assert_eq!(seen(Fit::Crop, 4, 2), [None, Some(0), Some(1), None]);
        assert_eq!(seen(Fit::Crop, 2, 4), [Some(1), Some(2)]);
    }
}
