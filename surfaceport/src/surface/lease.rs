//! What a pane holds: a lease of a slot, and with it what the child said of the
//! frame that is in it.

use std::fmt;
use std::sync::Arc;

use super::Surface;
use crate::geometry::{Damage, Size};
use crate::outcome::{FrameId, Outcome};
use crate::swapchain::page::Description;
use crate::swapchain::record::USER_BYTES;
use crate::sync::{AtomicU32, AtomicU64, Ordering};
use crate::time::Timestamp;

/// One set of surfaces, of one child: no other in this process has the same,
/// while every child counts its generations from 1.
///
/// What a display server makes of a surface (a buffer, a pixmap) is made once
/// for each of these and each slot.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SwapchainId(u64);

impl SwapchainId {
    /// One that nobody had before.
    pub(crate) fn new() -> Self {
        static NEXT: AtomicU64 = AtomicU64::new(1);
        Self(NEXT.fetch_add(1, Ordering::Relaxed))
    }
}

/// Who lends slots: takes them back, and hears what became of their frames.
pub(crate) trait Lessor: fmt::Debug + Send + Sync {
    /// Which set of surfaces it is.
    fn id(&self) -> SwapchainId;
    /// The process that drew, if it is known.
    fn child_pid(&self) -> Option<u32>;
    /// The last lease of a slot is over: it is the child's again.
    fn give_back(&self, slot: u8);
    /// What became of a frame; called once for each.
    fn report(&self, id: FrameId, outcome: Outcome);
}

/// A slot on the host's side: its surface, and what was said of the frame that is
/// in it.
///
/// That is kept here and not in the lease, so that a frame is small wherever it
/// goes. It is written while nobody has a lease, or by who has the only one, and read
/// by who has one; the words are atomics for the compiler's sake, and private to the
/// host.
#[derive(Debug)]
pub(crate) struct Slot {
    lessor: Arc<dyn Lessor>,
    number: u8,
    leases: AtomicU32,
    surface: Surface,
    said: Description,
}

impl Slot {
    /// One of a set, that nobody has a lease of.
    pub(crate) fn new(lessor: Arc<dyn Lessor>, number: u8, surface: Surface) -> Self {
        let (leases, said) = (AtomicU32::new(0), Description::default());
        Self { lessor, number, leases, surface, said }
    }

    /// The surface.
    pub(crate) fn surface(&self) -> &Surface {
        &self.surface
    }

    /// Whether nobody has a lease of it.
    pub(crate) fn is_free(&self) -> bool {
        // What was done under the last lease was done before.
        self.leases.load(Ordering::Acquire) == 0
    }

    /// What is said of the frame in it, to be written while nobody has a lease.
    pub(crate) fn said(&self) -> &Description {
        &self.said
    }

    /// The first lease of a slot that was just taken, and of what is said of it.
    #[inline]
    pub(crate) fn lease(self: &Arc<Self>, id: FrameId, taken_at: Timestamp) -> Lease {
        self.leases.store(1, Ordering::Relaxed);
        Lease { slot: Arc::clone(self), id, taken_at, reported: false }
    }

    /// A lease is over. `true`: it was the last.
    fn leave(&self) -> bool {
        // What was done under the other leases was done before the release. One
        // that is alone stays so: a lease is shared by who has it.
        if self.leases.load(Ordering::Acquire) == 1 {
            self.leases.store(0, Ordering::Release);
            return true;
        }
        self.leases.fetch_sub(1, Ordering::AcqRel) == 1
    }
}

/// The right to show a surface for a while: what a pane gets.
///
/// Dropping it, from any thread, gives the slot back to the child. Until then
/// an honest child does not draw into it. If nobody said what became of the
/// frame, it counts as shown when it was taken.
#[derive(Debug)]
pub struct Lease {
    slot: Arc<Slot>,
    id: FrameId,
    taken_at: Timestamp,
    reported: bool,
}

impl Lease {
    /// Another lease of the same frame, for something that looks at it beside
    /// the pane: the child gets the slot back when both are dropped. What
    /// becomes of the frame is for the first one to say.
    ///
    /// ```
    /// use surfaceport::{Lease, Pane};
    ///
    /// /// Shows a frame, and gives it back to look at.
    /// fn show(pane: &mut impl Pane, lease: Lease) -> Result<Lease, surfaceport::Error> {
    ///     let copy = lease.share();
    ///     pane.present(lease)?;
    ///     Ok(copy)
    /// }
    /// ```
    #[must_use]
    pub fn share(&self) -> Self {
        self.slot.leases.fetch_add(1, Ordering::Relaxed);
        Self { slot: Arc::clone(&self.slot), reported: true, ..*self }
    }

    /// The same frame in another slot; this one's is given back.
    pub(crate) fn moved_to(mut self, slot: &Arc<Slot>) -> Self {
        slot.said.set(&self.slot.said.record(), &self.damage());
        let mut moved = slot.lease(self.id, self.taken_at);
        moved.reported = std::mem::replace(&mut self.reported, true);
        moved
    }

    /// The surface.
    #[must_use]
    pub fn surface(&self) -> &Surface {
        &self.slot.surface
    }

    /// Which frame it is.
    #[must_use]
    pub fn id(&self) -> FrameId {
        self.id
    }

    /// The set of surfaces that it is of.
    #[must_use]
    pub fn swapchain_id(&self) -> SwapchainId {
        self.slot.lessor.id()
    }

    /// The slot, below the generation's count: a display server's buffers are
    /// made once a slot.
    #[must_use]
    pub fn slot(&self) -> usize {
        usize::from(self.slot.number)
    }

    /// The part of the surface that is in use, from the top left.
    #[must_use]
    pub fn size(&self) -> Size {
        self.slot.said.record().extent.unwrap_or(self.surface().descriptor().size())
    }

    /// What changed since the frame that was taken before this one.
    #[must_use]
    pub fn damage(&self) -> Damage {
        self.slot.said.damage()
    }

    /// Adds what changed in frames that were taken but never shown, to the only lease
    /// of a slot: whoever has another may be reading.
    pub(crate) fn add_damage(&mut self, damage: &Damage) {
        debug_assert_eq!(self.slot.leases.load(Ordering::Relaxed), 1, "the lease is shared");
        let mut all = self.damage();
        all.union(damage);
        self.slot.said.set_damage(&all);
    }

    /// The process that drew it, where the kernel tells.
    #[must_use]
    pub fn child_pid(&self) -> Option<u32> {
        self.slot.lessor.child_pid()
    }

    /// What the child attached; zeros if it attached nothing.
    #[must_use]
    pub fn user_data(&self) -> [u8; USER_BYTES] {
        self.slot.said.record().user.unwrap_or([0; USER_BYTES])
    }

    /// When the child says that it presented the frame.
    #[must_use]
    pub fn presented_at(&self) -> Timestamp {
        Timestamp::from_nanos(self.slot.said.record().presented_at)
    }

    /// The begin-frame that the child says it answers.
    #[must_use]
    pub fn begin_frame(&self) -> Option<Timestamp> {
        let time = self.slot.said.record().begin_frame;
        (time != 0).then(|| Timestamp::from_nanos(time))
    }

    /// When the host took it.
    #[must_use]
    pub fn taken_at(&self) -> Timestamp {
        self.taken_at
    }

    /// Says now what became of the frame, and keeps the slot.
    pub fn report(&mut self, outcome: Outcome) {
        if !std::mem::replace(&mut self.reported, true) {
            self.slot.lessor.report(self.id, outcome);
        }
    }

    /// Takes over the duty to say what became of the frame, for displays that
    /// say so after they have let go of the surface.
    ///
    /// `None` if it has been said already.
    #[must_use]
    pub fn take_feedback(&mut self) -> Option<Feedback> {
        (!std::mem::replace(&mut self.reported, true)).then(|| Feedback {
            lessor: Arc::clone(&self.slot.lessor),
            id: self.id,
            reported: false,
        })
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        self.report(Outcome::Shown { at: self.taken_at });
        if self.slot.leave() {
            self.slot.lessor.give_back(self.slot.number);
        }
    }
}

/// The duty to say what became of a frame. Dropped without a word, the frame
/// counts as lost.
#[derive(Debug)]
pub struct Feedback {
    lessor: Arc<dyn Lessor>,
    id: FrameId,
    reported: bool,
}

impl Feedback {
    /// Which frame it is about.
    #[must_use]
    pub fn id(&self) -> FrameId {
        self.id
    }

    /// Says what became of the frame.
    pub fn report(mut self, outcome: Outcome) {
        self.reported = true;
        self.lessor.report(self.id, outcome);
    }
}

impl Drop for Feedback {
    fn drop(&mut self) {
        if !self.reported {
            self.lessor.report(self.id, Outcome::Lost);
        }
    }
}
