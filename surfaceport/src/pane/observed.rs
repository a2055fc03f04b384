//! A pane whose frames somebody looks at on their way.

use std::os::fd::BorrowedFd;

use super::{Applied, Fit, Pane, PaneStats, Placement};
use crate::error::Error;
use crate::geometry::{Scale, Size};
use crate::outcome::Outcome;
use crate::surface::Lease;
use crate::time::Timestamp;

/// Looks at a pane's frames: to record, to time or to check them.
pub trait Observe {
    /// A frame that the pane gets next.
    ///
    /// # Errors
    ///
    /// What the view is to say; the frame is lost.
    fn frame(&mut self, lease: &Lease) -> Result<(), Error>;

    /// The pane is going to hear its display, and may give frames back then: the
    /// last moment in which they are sure to be as they were shown.
    fn before_release(&mut self) {}
}

/// A pane, and who looks at its frames.
///
/// ```
/// use surfaceport::{Error, HeadlessPane, Lease, Observe, Observed, Pane as _, Size};
///
/// /// Notes when the child drew each frame.
/// #[derive(Default)]
/// struct Times(Vec<surfaceport::Timestamp>);
///
/// impl Observe for Times {
///     fn frame(&mut self, lease: &Lease) -> Result<(), Error> {
///         self.0.push(lease.presented_at());
///         Ok(())
///     }
/// }
///
/// let pane = Observed::new(HeadlessPane::new(Size::new(640, 480)), Times::default());
/// assert_eq!(pane.size(), Size::new(640, 480));
/// assert!(pane.observer.0.is_empty());
/// ```
#[derive(Clone, Copy, Debug)]
pub struct Observed<P, O> {
    /// The pane that shows the frames.
    pub pane: P,
    /// Who looks at them before.
    pub observer: O,
}

impl<P, O> Observed<P, O> {
    /// Shows frames in this pane after this observer has seen them.
    pub const fn new(pane: P, observer: O) -> Self {
        Self { pane, observer }
    }
}

impl<P: Pane, O: Observe> Pane for Observed<P, O> {
    fn size(&self) -> Size {
        self.pane.size()
    }

    fn scale(&self) -> Scale {
        self.pane.scale()
    }

    fn resize(&mut self, size: Size, scale: Scale, fit: Fit) -> Result<Applied, Error> {
        self.pane.resize(size, scale, fit)
    }

    fn place(&mut self, placement: Placement) -> Result<Applied, Error> {
        self.pane.place(placement)
    }

    fn parent_committed(&mut self) -> Result<(), Error> {
        self.pane.parent_committed()
    }

    fn present(&mut self, mut lease: Lease) -> Result<(), Error> {
        if let Err(error) = self.observer.frame(&lease) {
            lease.report(Outcome::Lost);
            return Err(error);
        }
        self.pane.present(lease)
    }

    fn poll_tick(&mut self, now: Timestamp) -> Result<Option<Timestamp>, Error> {
        self.observer.before_release();
        self.pane.poll_tick(now)
    }

    fn next_wake(&self) -> Option<Timestamp> {
        self.pane.next_wake()
    }

    fn source(&self) -> Option<BorrowedFd<'_>> {
        self.pane.source()
    }

    fn wants_new_surfaces(&mut self) -> bool {
        self.pane.wants_new_surfaces()
    }

    fn stats(&self) -> PaneStats {
        self.pane.stats()
    }
}
