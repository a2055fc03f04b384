//! A frame, on the host's side.

use crate::error::Error;
use crate::geometry::{Damage, Size};
use crate::outcome::{FrameId, Outcome};
use crate::surface::{Lease, PixelView, Surface};
use crate::swapchain::record::USER_BYTES;
use crate::time::Timestamp;

/// A whole frame that a child drew, held by the host.
///
/// It is owned and `Send`, keeps its surfaces alive even when the child is
/// gone, and gives its slot back when it is dropped: from any thread, in any
/// order.
///
/// A view of the pixels can't outlive its frame:
///
/// ```compile_fail,E0505
/// fn look(frame: surfaceport::Frame) {
///     let view = frame.view().unwrap();
///     drop(frame);
///     let _pixel = view.pixel(0, 0);
/// }
/// ```
///
/// ```
/// fn look(frame: surfaceport::Frame) {
///     let view = frame.view().unwrap();
///     let _pixel = view.pixel(0, 0);
///     drop(frame);
/// }
/// ```
#[derive(Debug)]
pub struct Frame {
    lease: Lease,
}

impl Frame {
    #[inline]
    pub(super) fn new(lease: Lease) -> Self {
        Self { lease }
    }

    /// Which frame it is.
    #[must_use]
    pub fn id(&self) -> FrameId {
        self.lease.id()
    }

    /// The surface that it lies in.
    #[must_use]
    pub fn surface(&self) -> &Surface {
        self.lease.surface()
    }

    /// The part of the surface that is in use, from the top left.
    #[must_use]
    pub fn size(&self) -> Size {
        self.lease.size()
    }

    /// What changed since the frame that was taken before this one.
    #[must_use]
    pub fn damage(&self) -> Damage {
        self.lease.damage()
    }

    /// The process that drew it, where the kernel tells.
    #[must_use]
    pub fn child_pid(&self) -> Option<u32> {
        self.lease.child_pid()
    }

    /// What the child attached; zeros if it attached nothing.
    #[must_use]
    pub fn user_data(&self) -> [u8; USER_BYTES] {
        self.lease.user_data()
    }

    /// When the child says that it presented the frame.
    #[must_use]
    pub fn presented_at(&self) -> Timestamp {
        self.lease.presented_at()
    }

    /// The begin-frame that the child says it answers.
    #[must_use]
    pub fn begin_frame(&self) -> Option<Timestamp> {
        self.lease.begin_frame()
    }

    /// When the host took it.
    #[must_use]
    pub fn taken_at(&self) -> Timestamp {
        self.lease.taken_at()
    }

    /// Reads pixels in place.
    ///
    /// # Errors
    ///
    /// As [`Surface::view`].
    pub fn view(&self) -> Result<PixelView<'_>, Error> {
        self.lease.surface().view()
    }

    /// Copies the whole surface out, rows without padding.
    ///
    /// # Errors
    ///
    /// As [`Surface::copy_to`].
    pub fn copy_to(&self, out: &mut [u8]) -> Result<(), Error> {
        self.lease.surface().copy_to(out)
    }

    /// Says what became of the frame; without it, it counts as shown when it
    /// was taken.
    pub fn report(&mut self, outcome: Outcome) {
        self.lease.report(outcome);
    }

    /// Adds what changed in frames that were taken but never shown. Nobody else has
    /// a lease yet.
    pub(crate) fn add_damage(&mut self, damage: &Damage) {
        self.lease.add_damage(damage);
    }

    /// What a [`Pane`](crate::Pane) takes.
    #[must_use]
    pub fn into_lease(self) -> Lease {
        self.lease
    }
}
